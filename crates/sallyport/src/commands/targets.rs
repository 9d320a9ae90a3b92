//! `targets`: what is configured, whether it can be reached, and what it proves itself with.

use std::io::IsTerminal;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use console::view::TargetView;

use super::Outcome;
use crate::cli::Global;
use crate::cli::target::Targets;
use crate::client::Client;
use crate::config::Config;
use crate::config::target::TargetConfig;
use crate::data::Layout;
use crate::local::{self, Local};
use crate::output;
use crate::probe::Probe;

/// Runs a `targets` command.
///
/// # Errors
/// When there is no configuration, or no such target.
pub(crate) async fn run(global: &Global, command: Targets) -> Result<Outcome> {
    match command {
        Targets::Ls { json } => ls(global, json).await,
        Targets::Check { name, role, json } => check(global, &name, role.as_deref(), json).await,
        Targets::Trust { name, fingerprint, yes, json } => {
            trust(global, &name, &Accepts { fingerprint, yes, json }).await
        }
    }
}

async fn ls(global: &Global, json: bool) -> Result<Outcome> {
    let targets: Vec<TargetView> = match Client::find_running(global)? {
        Some(client) => client.get("/api/v1/targets").await?,
        None => configured(global)?,
    };
    if json {
        output::json(&targets)?;
        return Ok(Outcome::Done);
    }
    let rows = targets
        .into_iter()
        .map(|target| {
            let labels: Vec<String> = target.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            vec![target.name, target.kind, labels.join(","), target.roles.join(","), target.default_role]
        })
        .collect();
    output::table(&["name", "kind", "labels", "roles", "default role"], rows, "no target is configured")?;
    Ok(Outcome::Done)
}

fn configured(global: &Global) -> Result<Vec<TargetView>> {
    let targets = global.places().config()?.policy_targets();
    Ok(targets
        .into_iter()
        .map(|target| TargetView {
            name: target.name,
            kind: target.kind,
            labels: target.labels,
            roles: target.roles,
            default_role: target.default_role,
        })
        .collect())
}

async fn check(global: &Global, name: &str, role: Option<&str>, json: bool) -> Result<Outcome> {
    let config = global.places().config()?;
    let target = find(&config, name)?;
    let roles: Vec<&String> =
        target.roles.keys().filter(|known| role.is_none_or(|role| role == known.as_str())).collect();
    if roles.is_empty() {
        bail!("{name} has no role {}; roles are: {}", role.unwrap_or_default(), target.target.roles.join(", "));
    }
    let layout = Layout::new(global.places().data_dir_of(Some(&config))?);
    let local = Local::open(global).await?;
    let sealed = Arc::new(local::sealed(&layout)?);
    let mut good = true;
    let mut results = Vec::new();
    let probe = Probe { local: &local, sealed: &sealed, config: &config };
    for role in roles {
        let reached = probe.reach(name, role, &layout).await;
        good &= reached.is_ok();
        let (user, detail) = match &reached {
            Ok(reached) => (reached.user.clone(), reached.detail.clone()),
            Err(error) => (String::new(), format!("{error:#}")),
        };
        results.push(
            serde_json::json!({ "target": name, "role": role, "ok": reached.is_ok(), "user": user, "detail": detail }),
        );
        if !json {
            let word = if reached.is_ok() { format!("logged in as {user}: ") } else { "FAILED: ".to_owned() };
            output::line(&output::plain(&format!("{name} as {role}: {word}{detail}")))?;
        }
    }
    if json {
        output::json(&results)?;
    }
    Ok(Outcome::of(good))
}

fn find<'a>(config: &'a Config, name: &str) -> Result<&'a TargetConfig> {
    config.targets.iter().find(|target| target.target.name == name).with_context(|| {
        let known: Vec<&str> = config.targets.iter().map(|target| target.target.name.as_str()).collect();
        format!("there is no target {name}; targets are: {}", known.join(", "))
    })
}

/// How a host key is accepted.
struct Accepts {
    fingerprint: Option<String>,
    yes: bool,
    json: bool,
}

/// Shows the key that an SSH target proves itself with now, and accepts it when told to.
async fn trust(global: &Global, name: &str, accepts: &Accepts) -> Result<Outcome> {
    let config = global.places().config()?;
    let target = find(&config, name)?;
    if target.target.kind != ssh::PROTOCOL.0 {
        bail!("{name} is of kind {}; only targets of kind ssh have host keys", target.target.kind);
    }
    let layout = Layout::new(global.places().data_dir_of(Some(&config))?);
    layout.prepare()?;
    let local = Local::open(global).await?;
    let sealed = Arc::new(local::sealed(&layout)?);
    let probe = Probe { local: &local, sealed: &sealed, config: &config };
    let key = probe.host_key(name, &target.target.default_role).await?;
    let found = key.fingerprint();
    let options = ssh::config::TargetOptions::from_value(&target.endpoint.options)?;
    let before = layout.ssh_known().of(name).map_err(anyhow::Error::msg)?;
    let pinned = options.host_keys.contains(&key);
    let known = pinned || before.contains(&key);
    if !accepts.json {
        let word = match (known, before.is_empty() && options.host_keys.is_empty()) {
            (true, _) => "known",
            (false, true) => "new",
            (false, false) => "CHANGED: it is another key than the one that is known",
        };
        output::line(&output::plain(&format!("{name} at {}: {} ({word})", target.endpoint.address, key.line())))?;
        output::line(&found)?;
    }
    let accepted = known || agrees(name, &found, accepts)?;
    if accepted && !known {
        let object = format!("{name} {found}");
        local::audited(&layout, "target.trust", &object, || Ok(layout.ssh_known().put(name, &key)?)).await?;
    }
    if accepts.json {
        let line = key.line();
        output::json(&serde_json::json!({ "target": name, "key": line, "fingerprint": found, "accepted": accepted }))?;
    } else if accepted && !known {
        output::line(&format!("accepted; sessions to {name} are opened with this key only, from now on"))?;
    }
    Ok(Outcome::of(accepted))
}

/// Whether whoever asks accepts this key: by its fingerprint, by `--yes`, or asked on the terminal.
fn agrees(name: &str, found: &str, accepts: &Accepts) -> Result<bool> {
    if let Some(wanted) = &accepts.fingerprint {
        if wanted != found {
            bail!("the key of {name} is {found}, not {wanted}; nothing was accepted");
        }
        return Ok(true);
    }
    if accepts.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        bail!(
            "nothing was accepted: compare the fingerprint with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on the target, then run again with --fingerprint {found}"
        );
    }
    output::note("Compare it on the target: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub. Accept it? [yes/no]");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("read the answer")?;
    Ok(answer.trim() == "yes")
}
