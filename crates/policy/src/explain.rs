//! `policy explain`: what was decided about one command, and of each rule why it did or did not apply.

use std::fmt;

use model::{Action, Aggregates, ApprovalTerms, Limits, Outcome, RecordLevel, Verdict};
use serde::Serialize;

use crate::decide::{Ask, masks_in_doubt, predicate_words, words};
use crate::policy::{Policy, Request};
use crate::rule::{Miss, Rule};
use crate::when::values::{CommandValues, SessionValues, Values};

/// A verdict with everything that led to it. `Display` is text for a person, `Serialize` the same for programs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Explanation {
    /// The policy's version.
    pub policy: String,
    /// Who asks: `agent-7 for alice (agent)`.
    pub identity: String,
    /// The target's name.
    pub target: String,
    /// The role.
    pub role: String,
    /// What was decided.
    pub outcome: Outcome,
    /// Names of the rules that decided.
    pub rules: Vec<String>,
    /// What the client is told by the deciding rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Why it is held or denied.
    pub reasons: Vec<String>,
    /// The terms, when held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<ApprovalTerms>,
    /// Rules in shadow mode that would have changed the outcome.
    pub shadow: Vec<Shadowed>,
    /// Each action with each rule.
    pub actions: Vec<ActionExplanation>,
    /// What masks say about columns used in conditions.
    pub conditions: Vec<String>,
    /// Names of the masks that apply to what comes back.
    pub masks: Vec<String>,
    /// Names of those that show statistics of their columns, where no other masks the same column without.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aggregates: Vec<String>,
    /// The limits that apply.
    pub limits: Limits,
    /// How much of the result is recorded.
    pub record: RecordLevel,
    /// Whether the verdict holds for every execution of the same command in this session.
    pub cacheable: bool,
}

/// What a rule in shadow mode would have done.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Shadowed {
    /// The rule.
    pub rule: String,
    /// What the outcome would have been.
    pub outcome: Outcome,
}

/// One action, and what every rule says to it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ActionExplanation {
    /// `delete on public.orders`.
    pub action: String,
    /// Rules that match come first, then the others by name.
    pub rules: Vec<RuleExplanation>,
}

/// What one rule says to one action.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RuleExplanation {
    /// The rule's name.
    pub rule: String,
    /// `allow`, `approve` or `deny`.
    pub then: &'static str,
    /// Whether it is only judged.
    pub shadow: bool,
    /// Whether it matches.
    pub matched: bool,
    /// The first part that does not fit; for a match, a condition that counts against the client because it cannot be
    /// evaluated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

pub(crate) fn explain(policy: &Policy, request: &Request<'_>, verdict: &Verdict) -> Explanation {
    let view = policy.view(&request.subject);
    let ask = Ask {
        actions: request.actions,
        flags: request.flags,
        in_transaction: request.in_transaction,
        predicates: request.predicates,
        reads_unknown: request.reads_unknown,
        now: request.now,
    };
    let identity = request.subject.identity;
    let doubts = masks_in_doubt(&view, &ask, &mut true);
    let masks = view.masks(request.now).value;
    let shown = masks.iter().filter(|mask| mask.aggregates == Aggregates::Allow);
    let aggregates = shown.map(|mask| mask.name.clone()).collect();
    Explanation {
        policy: policy.version().to_owned(),
        identity: format!("{} ({})", identity.display(), identity.kind),
        target: request.subject.target.name.clone(),
        role: request.subject.role.to_owned(),
        outcome: verdict.outcome,
        rules: verdict.rules.clone(),
        message: verdict.message.clone(),
        reasons: verdict.reasons.clone(),
        approval: verdict.approval.clone(),
        shadow: verdict
            .shadow
            .iter()
            .map(|(rule, outcome)| Shadowed { rule: rule.clone(), outcome: *outcome })
            .collect(),
        actions: judge_all(policy, request),
        conditions: doubts.iter().map(predicate_words).collect(),
        masks: masks.into_iter().map(|mask| mask.name).collect(),
        aggregates,
        limits: view.limits(request.now).value,
        record: verdict.record,
        cacheable: verdict.cacheable,
    }
}

/// Every action with every rule.
fn judge_all(policy: &Policy, request: &Request<'_>) -> Vec<ActionExplanation> {
    let session = SessionValues::new(&request.subject);
    let command = CommandValues::new(request.actions, request.flags, request.in_transaction);
    let values = Values { session: &session, command: Some(&command), now: Some(request.now) };
    request
        .actions
        .iter()
        .map(|action| {
            let rules = policy.inner.rules.iter();
            let mut rules: Vec<_> = rules.map(|rule| judge(rule, action, request, &values)).collect();
            rules.sort_by_key(|rule| !rule.matched);
            ActionExplanation { action: words(action), rules }
        })
        .collect()
}

/// One rule and one action: the parts in the order in which the rule is written.
fn judge(rule: &Rule, action: &Action, request: &Request<'_>, values: &Values<'_>) -> RuleExplanation {
    let doubt = rule.then.doubt();
    let mut note = None;
    let miss = rule
        .scope
        .misses(&request.subject)
        .or_else(|| (!rule.effects.contains(action.effect)).then_some(Miss::Effect(action.effect)))
        .or_else(|| {
            (!rule.means_object(action) && !rule.doubts(action)).then_some(match action.object {
                Some(_) => Miss::Object,
                None => Miss::NoObject,
            })
        })
        .or_else(|| rule.shape.misses(request.flags, request.in_transaction))
        .or_else(|| rule.scope.misses_hours(request.now))
        .or_else(|| {
            let miss = rule.scope.misses_from(request.subject.from, doubt);
            if miss.is_none() && rule.scope.from.is_some() && request.subject.from.is_none() {
                note = Some(Miss::FromUnknown);
            }
            miss
        })
        .or_else(|| match rule.scope.when.as_ref()?.holds(values) {
            Ok(true) => None,
            Ok(false) => Some(Miss::When),
            Err(why) if doubt => {
                note = Some(Miss::WhenFailed(why));
                None
            }
            Err(why) => Some(Miss::WhenFailed(why)),
        });
    RuleExplanation {
        rule: rule.name.clone(),
        then: rule.then.as_str(),
        shadow: rule.shadow,
        matched: miss.is_none(),
        why: match (miss, note) {
            (Some(miss), _) => Some(miss.to_string()),
            (None, Some(note)) => Some(format!("{note}; this counts against the client")),
            (None, None) => None,
        },
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.outcome.as_str())?;
        let line = |f: &mut fmt::Formatter<'_>, title: &str, text: &str| writeln!(f, "  {title:<10}{text}");
        line(f, "who", &self.identity)?;
        line(f, "where", &format!("{} as {}", self.target, self.role))?;
        line(f, "policy", &self.policy)?;
        if !self.rules.is_empty() {
            line(f, "rules", &self.rules.join(", "))?;
        }
        if let Some(message) = &self.message {
            line(f, "message", message)?;
        }
        for (at, reason) in self.reasons.iter().enumerate() {
            line(f, if at == 0 { "because" } else { "" }, reason)?;
        }
        if let Some(terms) = &self.approval {
            line(f, "approval", &terms_text(terms))?;
        }
        for shadowed in &self.shadow {
            let text = format!("{} would make it {}", shadowed.rule, shadowed.outcome.as_str());
            line(f, "shadow", &text)?;
        }
        for condition in &self.conditions {
            line(f, "condition", condition)?;
        }
        line(f, "masks", &or_none(&self.masks.join(", ")))?;
        if !self.aggregates.is_empty() {
            line(f, "shown", &format!("sums, means and the like of columns under {}", self.aggregates.join(", ")))?;
        }
        line(f, "limits", &or_none(&limits_text(&self.limits)))?;
        line(f, "recorded", level_text(self.record))?;
        for action in &self.actions {
            writeln!(f, "\n{}", action.action)?;
            table(f, &action.rules)?;
        }
        Ok(())
    }
}

/// Rules below each other: mark, name, what it does, why not.
fn table(f: &mut fmt::Formatter<'_>, rules: &[RuleExplanation]) -> fmt::Result {
    if rules.is_empty() {
        return writeln!(f, "  the policy has no rules: everything is denied");
    }
    let width = |rule: &RuleExplanation| rule.rule.chars().count();
    let widest = rules.iter().map(width).max().unwrap_or_default();
    for rule in rules {
        let mark = if rule.matched { "+" } else { "-" };
        let then = if rule.shadow { format!("{} (shadow)", rule.then) } else { rule.then.to_owned() };
        let gap = " ".repeat(widest.saturating_sub(width(rule)));
        let text = format!("  {mark} {}{gap}  {then:<16}  {}", rule.rule, rule.why.as_deref().unwrap_or_default());
        writeln!(f, "{}", text.trim_end())?;
    }
    Ok(())
}

fn or_none(text: &str) -> String {
    if text.is_empty() { "none".to_owned() } else { text.to_owned() }
}

fn terms_text(terms: &ApprovalTerms) -> String {
    let mut by: Vec<String> = terms.users.clone();
    by.extend(terms.groups.iter().map(|group| format!("a member of {group}")));
    let reason = if terms.reason_required { ", with a reason" } else { "" };
    format!("{} of {} within {}s{reason}", terms.quorum, by.join(" or "), terms.expires_seconds)
}

fn limits_text(limits: &Limits) -> String {
    let total = &limits.total;
    let parts = [
        (&limits.rows_returned, "rows returned"),
        (&limits.bytes_returned, "bytes returned"),
        (&limits.rows_affected, "rows affected"),
        (&limits.commands_per_minute, "commands per minute"),
        (&limits.statement_seconds, "seconds for a statement"),
        (&limits.idle_in_transaction_seconds, "seconds idle in a transaction"),
        (&total.rows_returned, "rows returned in total"),
        (&total.bytes_returned, "bytes returned in total"),
        (&total.rows_affected, "rows affected in total"),
        (&total.commands, "commands in total"),
    ];
    let texts = parts.into_iter().filter_map(|(most, what)| {
        let most = most.as_ref()?;
        Some(format!("{} {what} ({})", most.most, most.rule))
    });
    texts.collect::<Vec<_>>().join(", ")
}

const fn level_text(level: RecordLevel) -> &'static str {
    match level {
        RecordLevel::None => "nothing of the result",
        RecordLevel::Digest => "count and digest of the result",
        RecordLevel::Head => "the head of the result",
        RecordLevel::Full => "the whole result",
    }
}
