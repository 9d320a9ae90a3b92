//! `policy backtest` and `policy suggest`: policies against recorded sessions. Read from the files, whether a gateway runs or not.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use model::{Outcome as Decided, Target};
use policy::suggest::{Observed, Observer, Options, Suggestion};
use policy::{Policy, Source};
use serde::Deserialize;

use super::{Outcome, policy as files};
use crate::cli::Global;
use crate::cli::policy::{Backtest as Args, Suggest};
use crate::config::load::read_text;
use crate::output;
use crate::past::backtest::Backtest;
use crate::past::report::{Found, Report};
use crate::past::{Moment, Past, Session, Unread};

/// Runs `policy backtest`. Errors are told apart from changes by the exit status.
pub(crate) fn run(global: &Global, args: &Args) -> Outcome {
    backtest(global, args).unwrap_or_else(|error| {
        crate::report(&error);
        Outcome::Unable
    })
}

fn backtest(global: &Global, args: &Args) -> Result<Outcome> {
    let config = match (&args.files[..], &args.targets) {
        ([], _) => Some(global.places().config()?),
        // The labels of its targets are wanted, so that a broken one is not passed over.
        (_, None) => global.places().config_if_any()?,
        (_, Some(_)) => None,
    };
    let policy = files::policy_of(config.as_ref(), &args.files)?;
    let targets = match &args.targets {
        Some(path) => targets(path)?,
        None => config.map(|config| config.policy_targets()).unwrap_or_default(),
    };
    let past = Past::find(global, &args.which)?;
    let started = Instant::now();
    let mut test = Backtest::new(&policy, targets, args.examples);
    let unread = past.walk(|session, moment| Ok(test.see(session, moment)))?;
    let report = Report::new(&test, policy.version(), &unread, started.elapsed());
    if args.json {
        output::json(&report.json())?;
    } else {
        report.print()?;
    }
    Ok(match report.found() {
        Found::Nothing => Outcome::Done,
        Found::Changes => Outcome::Bad,
        Found::Gaps => Outcome::Unable,
    })
}

/// `targets:` of a file, as far as policy looks at them.
#[derive(Deserialize)]
struct TargetsFile {
    targets: Vec<NamedTarget>,
}

#[derive(Deserialize)]
struct NamedTarget {
    name: String,
    #[serde(default = "postgres")]
    kind: String,
    #[serde(default)]
    labels: std::collections::BTreeMap<String, String>,
}

fn postgres() -> String {
    "postgres".to_owned()
}

/// The targets of `--targets`. A whole configuration will do: what else is in it is not looked at.
fn targets(path: &Path) -> Result<Vec<Target>> {
    let text = read_text(path).map_err(crate::config::problem::Problems::from)?;
    let file: TargetsFile =
        serde_saphyr::from_str(&text).with_context(|| format!("{}: read its `targets:`", path.display()))?;
    let target = |NamedTarget { name, kind, labels }| Target {
        name,
        kind,
        labels,
        roles: Vec::new(),
        default_role: String::new(),
    };
    Ok(file.targets.into_iter().map(target).collect())
}

/// Runs `policy suggest`.
///
/// # Errors
/// When recordings cannot be read, or did too many different things.
pub(crate) fn suggest(global: &Global, args: &Suggest) -> Result<Outcome> {
    let past = Past::find(global, &args.which)?;
    let mut watched = Watched { observed: Observed::default(), by: None, denied: 0, args };
    let unread = past.walk(|session, moment| watched.see(session, moment))?;
    let suggestion = watched.observed.suggest(Options { fold: args.fold, complete: args.complete });
    // What is suggested must be a policy; a name that is none after all must not be found out later.
    let source = Source { name: "suggestion", text: &suggestion.yaml };
    let policy = Policy::parse(&[source]).map_err(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("what was seen cannot be written as rules:\n{}", lines.join("\n"))
    })?;
    if args.json {
        output::json(&serde_json::json!({
            "version": policy.version(), "rules": suggestion.rules, "yaml": suggestion.yaml,
            "left_out": suggestion.left_out, "denied": watched.denied, "unread": unread,
        }))?;
    } else {
        output::write_out(suggestion.yaml.as_bytes())?;
        watched.notes(&suggestion, &unread);
    }
    Ok(Outcome::of(unread.is_empty()))
}

/// What sessions did, with what is not to be suggested.
struct Watched<'a> {
    observed: Observed,
    by: Option<Observer>,
    /// Commands that were denied or held, and are not suggested.
    denied: u64,
    args: &'a Suggest,
}

impl Watched<'_> {
    fn see(&mut self, session: &Session, moment: &Moment<'_>) -> Result<bool> {
        match moment {
            Moment::Opened(_) => {
                self.by = Some(self.observed.session(&session.identity, &session.target, &session.role)?);
            }
            Moment::Command(_, command, _) => match (command.outcome, &self.by) {
                (Decided::Deny | Decided::Hold, _) if !self.args.include_denied => self.denied += 1,
                (_, Some(by)) => self.observed.command(by, &command.actions, command.flags)?,
                (_, None) => {}
            },
            Moment::Again(_) | Moment::Columns(..) => {}
        }
        Ok(true)
    }

    fn notes(&self, suggestion: &Suggestion, unread: &[Unread]) {
        for Unread { session, why } in unread {
            output::note(&output::plain(&format!("not read: {session}, or the rest of it: {why}")));
        }
        if self.denied > 0 {
            output::note(&format!("{} commands that were denied or held are not suggested", self.denied));
        }
        if !suggestion.left_out.is_empty() {
            output::note(&format!(
                "{} things are left out; the comments at the top say which",
                suggestion.left_out.len()
            ));
        }
    }
}
