//! `policy`: check, test and explain, without a running gateway. Backtest and suggest are in [`super::backtest`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use model::{ColumnRef, Identity, Intent, ObjectKind, Target, Unmask};
use policy::cases::CaseCommand;
use policy::{Finding, Level, Policy, Source, Subject};
use postgres::unmask::{self, Unreadable};

use super::Outcome;
use crate::cli::Global;
use crate::cli::policy::{Explain, PolicyCommand};
use crate::config::load::read_text;
use crate::config::problem::Problems;
use crate::config::{Config, policy as files};
use crate::output;

/// Runs a `policy` command.
///
/// # Errors
/// When configuration or policy cannot be read.
pub(crate) fn run(global: &Global, command: PolicyCommand) -> Result<Outcome> {
    match command {
        PolicyCommand::Check { files, json } => check(global, &files, json),
        PolicyCommand::Test { cases, policy, json } => test(global, &cases, &policy, json),
        PolicyCommand::Explain(explain) => explain_one(global, explain),
        PolicyCommand::Backtest(args) => Ok(super::backtest::run(global, &args)),
        PolicyCommand::Suggest(args) => super::backtest::suggest(global, &args),
    }
}

fn check(global: &Global, named: &[PathBuf], json: bool) -> Result<Outcome> {
    let config = context(global, named)?;
    let targets = config.as_ref().map(Config::policy_targets).unwrap_or_default();
    let policy = match policy_of(config.as_ref(), named) {
        Ok(policy) => policy,
        Err(problems) => return problems_found(&problems, json),
    };
    let findings = files::lint(&policy, &targets);
    let good = !findings.iter().any(|finding| finding.level == Level::Error);
    if json {
        output::json(&serde_json::json!({ "ok": good, "version": policy.version(), "findings": findings }))?;
        return Ok(Outcome::of(good));
    }
    show_findings(&findings)?;
    let rules = policy.rule_names().count();
    let end = if good { "the policy is good" } else { "the policy has problems" };
    output::line(&format!("{end}: version {}, {rules} rules", policy.version()))?;
    Ok(Outcome::of(good))
}

/// Prints what the lint found.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn show_findings(findings: &[Finding]) -> Result<()> {
    findings.iter().try_for_each(|finding| output::line(&finding.to_string()))
}

fn problems_found(problems: &Problems, json: bool) -> Result<Outcome> {
    if json {
        let list: Vec<String> = problems.0.iter().map(ToString::to_string).collect();
        output::json(&serde_json::json!({ "ok": false, "problems": list }))?;
    } else {
        output::line(&problems.to_string())?;
    }
    Ok(Outcome::Bad)
}

fn test(global: &Global, case_files: &[PathBuf], named: &[PathBuf], json: bool) -> Result<Outcome> {
    let config = context(global, named)?;
    let targets = config.as_ref().map(Config::policy_targets).unwrap_or_default();
    let policy = policy_of(config.as_ref(), named)?;
    let texts = case_files
        .iter()
        .map(|path| Ok((path.to_string_lossy().into_owned(), read_text(path).map_err(Problems::from)?)))
        .collect::<Result<Vec<_>>>()?;
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let cases = policy::cases::parse(&sources).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("{}", lines.join("\n"))
    })?;
    let results = policy::cases::run(&policy, &cases, &targets, |case| {
        let kind = targets.iter().find(|target| target.name == case.target).map_or("", |target| target.kind.as_str());
        match &case.command {
            CaseCommand::Sql(text) if kind != ssh::PROTOCOL.0 => read_text_for(&policy, kind, "exec", text),
            CaseCommand::Exec(text) if kind == ssh::PROTOCOL.0 => read_text_for(&policy, kind, "exec", text),
            CaseCommand::Sql(_) | CaseCommand::Exec(_) => {
                bail!("the target {} is of kind {kind}: write `sql` for databases, `exec` for ssh", case.target)
            }
            CaseCommand::Actions { .. } => bail!("only texts are read here"),
        }
    });
    let failed = results.iter().filter(|result| !result.passed()).count();
    if json {
        let list: Vec<_> = results
            .iter()
            .map(|result| {
                serde_json::json!({ "name": result.name, "file": result.file, "line": result.line, "passed": result.passed(), "failures": result.failures })
            })
            .collect();
        output::json(&serde_json::json!({ "ok": failed == 0, "cases": list }))?;
        return Ok(Outcome::of(failed == 0));
    }
    for result in &results {
        output::line(&result.to_string())?;
    }
    output::line(&format!("{} cases, {failed} failed", results.len()))?;
    Ok(Outcome::of(failed == 0))
}

fn explain_one(global: &Global, explain: Explain) -> Result<Outcome> {
    let config = global.places().config()?;
    let policy = files::load(&config.policy)?;
    let target = find_target(&config, &explain.target)?;
    let role = explain.role.clone().unwrap_or_else(|| target.default_role.clone());
    if !target.roles.contains(&role) {
        bail!("{} has no role {role}; roles are: {}", target.name, target.roles.join(", "));
    }
    let text = match explain.statement.as_str() {
        "-" => std::io::read_to_string(std::io::stdin()).context("read the statement from standard input")?,
        text => text.to_owned(),
    };
    let (analyzed, asked) = read_text_for(&policy, &target.kind, &explain.request, &text)?;
    let identity = identity(&explain)?;
    let now = match &explain.at {
        Some(text) => text.parse().context("--at must be a time such as 2026-11-21T08:00:00Z")?,
        None => Timestamp::now(),
    };
    let subject = Subject { identity: &identity, target: &target, role: &role, from: explain.from };
    let explanation = policy.explain_judged(&subject, &analyzed, &asked, explain.in_transaction, now);
    if explain.json {
        output::json(&serde_json::json!({ "explanation": explanation, "why": analyzed.reasons }))?;
    } else {
        output::line(explanation.to_string().trim_end())?;
        for reason in &analyzed.reasons {
            output::line(&format!("note: {}", output::plain(reason)))?;
        }
        if target.kind == ssh::PROTOCOL.0 {
            output::note("the target was not asked: paths were taken as they stand");
        } else {
            output::note("names without a schema were taken as public; the target was not asked");
        }
        if analyzed.moves_unknown {
            output::note(
                "it stores values, and which columns tables have is not known here: a session may allow what a mask denies here",
            );
        }
    }
    Ok(Outcome::Done)
}

/// The configuration, where it is needed or there anyway: files that were named can be checked without one.
fn context(global: &Global, named: &[PathBuf]) -> Result<Option<Config>> {
    if named.is_empty() {
        global.places().config().map(Some)
    } else {
        Ok(global.places().config_if_any().unwrap_or(None))
    }
}

/// The policy of the files that were named, or the configuration's.
///
/// # Errors
/// Every problem that was found, with its place.
pub(super) fn policy_of(config: Option<&Config>, named: &[PathBuf]) -> Result<Policy, Problems> {
    match config {
        Some(config) if named.is_empty() => files::load(&config.policy),
        Some(_) | None => files::load(named),
    }
}

fn find_target(config: &Config, name: &str) -> Result<Target> {
    match config.targets.iter().find(|target| target.target.name == name) {
        Some(found) => Ok(found.target.clone()),
        None => {
            let known: Vec<&str> = config.targets.iter().map(|target| target.target.name.as_str()).collect();
            bail!("there is no target {name}; targets are: {}", known.join(", "))
        }
    }
}

fn identity(explain: &Explain) -> Result<Identity> {
    let mut claims = BTreeMap::new();
    for claim in &explain.claims {
        let (name, value) = claim.split_once('=').with_context(|| format!("--claim {claim}: write NAME=VALUE"))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| serde_json::Value::String(value.to_owned()));
        claims.insert(name.to_owned(), value);
    }
    let mut groups = explain.groups.clone();
    groups.sort();
    Ok(Identity {
        subject: explain.subject.clone(),
        issuer: explain.issuer.clone(),
        groups,
        kind: explain.kind.into(),
        on_behalf_of: explain.on_behalf_of.clone(),
        task: None,
        claims,
    })
}

/// What a text would do, as far as that can be told without the target. On a thread with the stack that parsing may need.
fn analyze(text: &str) -> Arc<Intent> {
    let work = || {
        let catalog = sql::Catalog::empty();
        let path = ["public".to_owned()];
        sql::analyze(
            text,
            &sql::Context {
                catalog: &catalog,
                search_path: &path,
                fresh: &sql::Fresh::default(),
                caps: sql::Caps::default(),
            },
        )
        .intent
    };
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(sql::STACK).spawn_scoped(scope, work);
        let unknown = || Arc::new(Intent::simple(0, "UNKNOWN", model::Action::bare(model::Effect::Unknown)));
        thread.map_or_else(|_| unknown(), |thread| thread.join().unwrap_or_else(|_| unknown()))
    })
}

/// What a text would do at a target of this kind, by what the policy says of programs, and the columns that it asks for in clear.
fn read_text_for(policy: &Policy, kind: &str, request: &str, text: &str) -> Result<(Intent, Vec<Unmask>)> {
    if kind == ssh::PROTOCOL.0 {
        let intent = ssh::explain(request, text, policy.tools()).map_err(anyhow::Error::msg)?;
        return Ok((intent.as_ref().clone(), Vec::new()));
    }
    Ok((as_public(&analyze(text)), in_clear(text)?))
}

/// The columns that a text asks for in clear, as it calls them.
fn in_clear(text: &str) -> Result<Vec<Unmask>, Unreadable> {
    let named = unmask::asked(text)?;
    Ok(named.into_iter().map(|named| ColumnRef::from(named).into()).collect())
}

/// The intent with relations that only the target could resolve taken as those of `public`.
fn as_public(intent: &Intent) -> Intent {
    let mut intent = intent.clone();
    let objects = intent.actions.iter_mut().filter_map(|action| action.object.as_mut()).chain(&mut intent.reads);
    objects.filter(|object| object.kind == ObjectKind::Relation).for_each(|object| resolve(&mut object.name));
    intent.actions.sort();
    intent.actions.dedup();
    intent.predicates.iter_mut().for_each(|column| resolve(&mut column.relation));
    for step in &mut intent.moves {
        resolve(&mut step.from.relation);
        if let Some(to) = &mut step.to {
            resolve(&mut to.relation);
        }
    }
    intent
}

fn resolve(relation: &mut String) {
    if let Some(name) = relation.strip_prefix("?.") {
        *relation = format!("public.{name}");
    }
}
