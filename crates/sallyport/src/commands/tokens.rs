//! `token` and `tokens`: through the running gateway, or on the store when none runs.

use anyhow::{Result, bail};
use console::ports::{TokenRequest, Tokens as _};
use console::view::{Done, TokenGiven, TokenOrder, TokenView, rfc3339};
use model::TokenId;

use super::Outcome;
use crate::cli::Global;
use crate::cli::token::{Token, Tokens};
use crate::client::Client;
use crate::data::listen::Listen;
use crate::local::Local;
use crate::output;

/// Issues a token.
///
/// # Errors
/// When it is refused.
pub(crate) async fn issue(global: &Global, token: Token) -> Result<Outcome> {
    let (json, quiet) = (token.json, token.quiet);
    let target = token.targets.first().cloned();
    let order = order(token);
    let (given, listen) = match Client::find_running(global)? {
        Some(client) => (client.post("/api/v1/tokens", &order).await?, listen(global)?),
        None => (issue_directly(global, &order).await?, None),
    };
    if json {
        output::json(&given)?;
    } else if quiet {
        output::line(&given.token)?;
    } else {
        output::line(&given.token)?;
        output::note(&format!("# {} for {}, good until {}", given.id, given.subject, output::when(&given.expires)));
        if let Some(line) = example(target.as_deref(), listen.as_ref()) {
            output::note(&format!("# {line}"));
        }
    }
    Ok(Outcome::Done)
}

/// Runs a `tokens` command.
///
/// # Errors
/// When the store or the gateway refuses.
pub(crate) async fn run(global: &Global, command: Tokens) -> Result<Outcome> {
    match command {
        Tokens::Ls { all, json } => ls(global, all, json).await,
        Tokens::Revoke { id, json } => revoke(global, &id, json).await,
    }
}

async fn ls(global: &Global, all: bool, json: bool) -> Result<Outcome> {
    let mut tokens: Vec<TokenView> = match Client::find_running(global)? {
        Some(client) => client.get("/api/v1/tokens").await?,
        None => Local::open(global).await?.tokens().await?.list().await?,
    };
    tokens.retain(|token| all || token.state == "live");
    if json {
        output::json(&tokens)?;
        return Ok(Outcome::Done);
    }
    let rows = tokens
        .into_iter()
        .map(|token| {
            let mut who = vec![token.subject];
            who.extend(token.on_behalf_of);
            vec![
                token.id,
                token.state,
                who.join(" for "),
                token.kind,
                token.groups.join(","),
                token.targets.map_or_else(|| "all".to_owned(), |targets| targets.join(",")),
                output::when(&token.expires),
                token.issued_by,
            ]
        })
        .collect();
    output::table(
        &["id", "state", "who", "kind", "groups", "targets", "expires", "issued by"],
        rows,
        "no live token; --all shows the others",
    )?;
    Ok(Outcome::Done)
}

async fn revoke(global: &Global, id: &str, json: bool) -> Result<Outcome> {
    let id: TokenId = id.parse()?;
    let done = match Client::find_running(global)? {
        Some(client) => client.delete::<Done>(&format!("/api/v1/tokens/{id}")).await?,
        None => {
            let local = Local::open(global).await?;
            if !local.tokens().await?.revoke(id, &local.actor).await? {
                bail!("there is no token {id}; `sallyport tokens ls --all` lists them");
            }
            Done { sessions: 0 }
        }
    };
    if json {
        output::json(&done)?;
    } else {
        output::line(&format!("{id} is revoked; {} sessions ended", done.sessions))?;
    }
    Ok(Outcome::Done)
}

async fn issue_directly(global: &Global, order: &TokenOrder) -> Result<TokenGiven> {
    let local = Local::open(global).await?;
    local.check_targets(order.targets.as_deref())?;
    let request = TokenRequest {
        subject: order.subject.clone(),
        kind: console::view::kind(order.kind.as_deref()).map_err(anyhow::Error::msg)?,
        groups: order.groups.clone(),
        on_behalf_of: order.on_behalf_of.clone(),
        task: order.task.clone(),
        targets: order.targets.clone(),
        ttl_seconds: order.ttl_seconds,
        not_after: None,
    };
    let issued = local.tokens().await?.issue(&request, &local.actor).await?;
    Ok(TokenGiven {
        token: issued.token,
        id: issued.id.to_string(),
        expires: rfc3339(issued.expires),
        subject: request.subject,
        targets: request.targets,
    })
}

fn order(token: Token) -> TokenOrder {
    let kind: model::IdentityKind = token.kind.into();
    TokenOrder {
        subject: token.subject,
        kind: Some(kind.as_str().to_owned()),
        groups: token.groups,
        on_behalf_of: token.on_behalf_of,
        task: token.task,
        targets: if token.all_targets { None } else { Some(token.targets) },
        ttl_seconds: token.ttl.map(|ttl| ttl.get().as_secs()),
    }
}

fn listen(global: &Global) -> Result<Option<Listen>> {
    if global.api.is_some() {
        return Ok(None);
    }
    Listen::read(&crate::data::Layout::new(global.places().data_dir()?).listen())
}

/// How a stock client uses the token.
fn example(target: Option<&str>, listen: Option<&Listen>) -> Option<String> {
    let target = target.filter(|name| *name != gate::gate::OWN_TARGET)?;
    let (host, port) = listen?.postgres.rsplit_once(':')?;
    let host = host.trim_matches(['[', ']']);
    let host = if host == "0.0.0.0" || host == "::" { "localhost" } else { host };
    Some(format!("PGPASSWORD=TOKEN psql -h {host} -p {port} -U ROLE {target}"))
}
