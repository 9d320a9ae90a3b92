//! `targets`: what is configured, and whether it can be reached.

use std::sync::Arc;

use anyhow::{Result, bail};
use console::view::TargetView;

use super::Outcome;
use crate::cli::Global;
use crate::cli::target::Targets;
use crate::client::Client;
use crate::data::Layout;
use crate::local::{self, Local};
use crate::{output, probe};

/// Runs a `targets` command.
///
/// # Errors
/// When there is no configuration, or no such target.
pub(crate) async fn run(global: &Global, command: Targets) -> Result<Outcome> {
    match command {
        Targets::Ls { json } => ls(global, json).await,
        Targets::Check { name, role, json } => check(global, &name, role.as_deref(), json).await,
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
    let Some(target) = config.targets.iter().find(|target| target.target.name == name) else {
        let known: Vec<&str> = config.targets.iter().map(|target| target.target.name.as_str()).collect();
        bail!("there is no target {name}; targets are: {}", known.join(", "));
    };
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
    for role in roles {
        let reached = probe::reach(&local, &sealed, &config, name, role).await;
        good &= reached.is_ok();
        let (user, detail) = match &reached {
            Ok(reached) => (reached.user.clone(), format!("PostgreSQL {}, {}", reached.version, reached.link)),
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
