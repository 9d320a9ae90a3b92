//! `config`: check everything, show what is in force, describe what may be written.

use std::path::Path;

use anyhow::Result;
use policy::{Level, Policy};
use serde_json::{Value, json};

use super::Outcome;
use crate::cli::{ConfigCommand, Global};
use crate::config::document::{Document, Listen};
use crate::config::problem::{Problem, Problems};
use crate::config::{Config, policy as files};
use crate::data::{Layout, key};
use crate::{local, output};

/// Runs a `config` command.
///
/// # Errors
/// When the configuration cannot be read.
pub(crate) fn run(global: &Global, command: ConfigCommand) -> Result<Outcome> {
    match command {
        ConfigCommand::Check { json } => check(global, json),
        ConfigCommand::Schema { policy } => {
            let schema = if policy { Policy::json_schema() } else { schemars::schema_for!(Document) };
            output::json(&schema)?;
            Ok(Outcome::Done)
        }
        ConfigCommand::Show { json } => show(global, json),
    }
}

/// What `config check` found.
#[derive(Debug, Default)]
struct Found {
    problems: Vec<String>,
    warnings: Vec<String>,
    good: Vec<String>,
}

fn check(global: &Global, as_json: bool) -> Result<Outcome> {
    let path = global.places().config_path()?;
    let mut found = Found::default();
    match Config::load(&path) {
        Ok(config) => look(global, &path, &config, &mut found),
        Err(Problems(problems)) => found.problems.extend(problems.iter().map(ToString::to_string)),
    }
    let good = found.problems.is_empty();
    if as_json {
        output::json(&json!({ "ok": good, "config": path, "problems": found.problems, "warnings": found.warnings }))?;
        return Ok(Outcome::of(good));
    }
    for line in &found.good {
        output::line(&format!("ok       {line}"))?;
    }
    for line in &found.warnings {
        output::line(&format!("warning  {line}"))?;
    }
    for line in &found.problems {
        output::line(&format!("problem  {line}"))?;
    }
    let end =
        if good { "the configuration is good" } else { "the configuration has problems; the gateway would not start" };
    output::line(&format!("{}: {end}", path.display()))?;
    Ok(Outcome::of(good))
}

fn look(global: &Global, path: &Path, config: &Config, found: &mut Found) {
    found.good.push(format!("{}: {} targets, {} issuers", path.display(), config.targets.len(), config.issuers.len()));
    look_at_policy(config, found);
    look_at_issuers(config, found);
    look_at_tls(config, found);
    for problem in crate::protocols::check_files(config) {
        found.problems.push(problem);
    }
    match global.places().data_dir_of(Some(config)) {
        Ok(root) => look_at_data(&Layout::new(root), config, found),
        Err(error) => found.problems.push(error.to_string()),
    }
}

fn look_at_policy(config: &Config, found: &mut Found) {
    match files::load(&config.policy) {
        Ok(policy) => {
            for finding in files::lint(&policy, &config.policy_targets()) {
                let list = if finding.level == Level::Error { &mut found.problems } else { &mut found.warnings };
                list.push(finding.to_string());
            }
            let rules = policy.rule_names().count();
            if rules == 0 {
                found.warnings.push("the policy has no rules: everything is denied".to_owned());
            }
            found.good.push(format!("policy version {}, {rules} rules", policy.version()));
        }
        Err(Problems(problems)) => found.problems.extend(problems.iter().map(ToString::to_string)),
    }
}

/// What the gateway would say of its issuers at the start. None of them is asked.
fn look_at_issuers(config: &Config, found: &mut Found) {
    let checked = super::runtime().map_err(|error| error.to_string()).and_then(|runtime| {
        identity::check_issuers(&config.issuers, runtime.handle()).map_err(|error| error.to_string())
    });
    found.problems.extend(checked.err());
}

fn look_at_tls(config: &Config, found: &mut Found) {
    for path in [&config.tls.cert, &config.tls.key].into_iter().flatten() {
        if let Err(error) = std::fs::File::open(path) {
            found.problems.push(Problem::of(path, crate::config::load::unreadable(&error)).to_string());
        }
    }
    if let Some(path) = &config.tls.key
        && let Ok(meta) = std::fs::metadata(path)
        && let Err(error) = key::private(path, &meta)
    {
        found.problems.push(error.to_string());
    }
}

fn look_at_data(layout: &Layout, config: &Config, found: &mut Found) {
    if !layout.root().exists() {
        found.good.push(format!("{}: data directory, made at the first start", layout.root().display()));
    } else {
        for path in [layout.operator(), layout.mask_key()] {
            if let Err(error) = key::read(&path) {
                found.problems.push(error.to_string());
            }
        }
        found.good.push(format!("{}: data directory", layout.root().display()));
    }
    for missing in local::missing_secrets(layout, config) {
        found.warnings.push(missing);
    }
}

fn show(global: &Global, as_json: bool) -> Result<Outcome> {
    let config = global.places().config()?;
    let value = shown(global, &config)?;
    if as_json {
        output::json(&value)?;
    } else {
        let text = serde_saphyr::to_string(&value)?;
        output::line(text.trim_end())?;
    }
    Ok(Outcome::Done)
}

/// The configuration with all defaults. Credentials appear as where they come from.
fn shown(global: &Global, config: &Config) -> Result<Value> {
    let targets: Vec<Value> = config
        .targets
        .iter()
        .map(|target| {
            let mut value = json!({
                "name": target.target.name, "kind": target.target.kind, "address": target.endpoint.address,
                "labels": target.target.labels, "default_role": target.target.default_role,
                "roles": target.roles,
            });
            if let (Some(map), Value::Object(options)) = (value.as_object_mut(), &target.endpoint.options) {
                map.extend(options.clone());
            }
            value
        })
        .collect();
    let listen = Listen {
        postgres: config.postgres.to_string(),
        ssh: config.ssh.map(|address| address.to_string()),
        api: config.api.to_string(),
        proxy_from: config.proxy_from.clone(),
    };
    Ok(json!({
        "data_dir": global.places().data_dir_of(Some(config))?,
        "listen": listen, "tls": config.tls, "auth": config.auth, "targets": targets,
        "ssh": config.keys,
        "issuers": config.issuers.iter().map(|issuer| issuer.url.as_str()).collect::<Vec<_>>(),
        "policy": config.policy, "limits": config.limits, "log": config.log, "otlp": config.otlp,
        "approvals": config.approvals, "recordings": config.recordings, "tokens": config.tokens,
        "metrics": config.metrics, "drain": config.drain,
    }))
}
