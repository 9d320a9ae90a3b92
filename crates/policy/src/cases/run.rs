//! Judging cases.

use std::fmt;

use model::{Intent, IntentId, Outcome, Predicate, Target, Unmask, Verdict};

use super::{Case, CaseCommand};
use crate::policy::{Policy, Subject};

/// What came out of one case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaseResult {
    /// The case's name.
    pub name: String,
    /// The file it is in.
    pub file: String,
    /// The line it starts at.
    pub line: u32,
    /// What was expected.
    pub expected: Outcome,
    /// What was decided; nothing if it could not be judged.
    pub verdict: Option<Verdict>,
    /// What differs from what was expected; empty for a case that holds.
    pub failures: Vec<String>,
}

impl CaseResult {
    /// Whether everything is as expected.
    #[must_use]
    pub const fn passed(&self) -> bool {
        self.failures.is_empty()
    }
}

impl fmt::Display for CaseResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = if self.passed() { "ok  " } else { "FAIL" };
        write!(f, "{mark} {}", self.name)?;
        for failure in &self.failures {
            write!(f, "\n     {}:{}: {failure}", self.file, self.line)?;
        }
        Ok(())
    }
}

/// Judges every case by a policy. `targets` are those of the configuration; `read` says what the text of a case
/// ([`CaseCommand::Sql`], [`CaseCommand::Exec`]) would do and which columns it asks for in clear, or why it cannot be told; it is not asked about others.
pub fn run<E: fmt::Display>(
    policy: &Policy,
    cases: &[Case],
    targets: &[Target],
    mut read: impl FnMut(&Case) -> Result<(Intent, Vec<Unmask>), E>,
) -> Vec<CaseResult> {
    cases
        .iter()
        .map(|case| {
            let judged = judge(policy, case, targets, &mut read);
            let mut result = CaseResult {
                name: case.name.clone(),
                file: case.file.clone(),
                line: case.line,
                expected: case.expect,
                verdict: None,
                failures: Vec::new(),
            };
            match judged {
                Ok(verdict) => {
                    result.failures = differences(policy, case, &verdict);
                    result.verdict = Some(verdict);
                }
                Err(failure) => result.failures.push(failure),
            }
            result
        })
        .collect()
}

fn judge<E: fmt::Display>(
    policy: &Policy,
    case: &Case,
    targets: &[Target],
    read: &mut impl FnMut(&Case) -> Result<(Intent, Vec<Unmask>), E>,
) -> Result<Verdict, String> {
    let target = targets.iter().find(|target| target.name == case.target);
    let target = target.ok_or_else(|| format!("there is no target `{}` in the configuration", case.target))?;
    let role = case.role.as_deref().unwrap_or(&target.default_role);
    if !target.roles.iter().any(|known| known == role) {
        return Err(format!("the target `{}` has no role `{role}`", case.target));
    }
    let (intent, asked) = match &case.command {
        CaseCommand::Sql(_) | CaseCommand::Exec(_) => read(case).map_err(|error| error.to_string())?,
        CaseCommand::Actions { actions, flags, predicates, reads_unknown, unmask } => {
            let intent = Intent {
                id: IntentId(0),
                label: "case".to_owned(),
                actions: actions.clone(),
                flags: *flags,
                predicates: predicates.iter().cloned().map(Predicate::from).collect(),
                reads: Vec::new(),
                reads_unknown: *reads_unknown,
                moves: Vec::new(),
                moves_unknown: false,
                reasons: Vec::new(),
            };
            (intent, unmask.iter().cloned().map(Unmask::from).collect())
        }
    };
    let subject = Subject { identity: &case.identity, target, role, from: case.from };
    Ok(policy.judge(&subject, &intent, &asked, case.in_transaction, case.at))
}

fn differences(policy: &Policy, case: &Case, verdict: &Verdict) -> Vec<String> {
    let mut failures = Vec::new();
    if verdict.outcome != case.expect {
        let mut text = format!("expected {}, got {}", case.expect.as_str(), verdict.outcome.as_str());
        if !verdict.rules.is_empty() {
            text = format!("{text} by \"{}\"", verdict.rules.join("\", \""));
        }
        if let Some(reason) = verdict.reasons.first() {
            text = format!("{text}: {reason}");
        }
        failures.push(text);
    }
    if let Some(rule) = &case.rule
        && !verdict.rules.contains(rule)
    {
        let known = policy.rule_names().any(|name| name == rule)
            || policy.inner.masks.iter().any(|mask| mask.rule.name == *rule);
        failures.push(if known {
            format!("\"{rule}\" is not among the rules that decided")
        } else {
            format!("the policy has no rule \"{rule}\"")
        });
    }
    failures
}
