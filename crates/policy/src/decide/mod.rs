//! One command → one verdict.
//!
//! Every enforced rule that matches is found first; then each action must be covered by one that allows it or wants an
//! approval, none may be denied, and conditions on masked columns may raise the outcome. Rules in shadow mode are judged
//! afterwards, each as if it alone were enforced too.
//!
//! - [`terms`]: approvals of several rules as one

pub(crate) mod terms;

use std::cell::OnceCell;

use jiff::Timestamp;
use model::{Action, ApprovalTerms, Flags, Outcome, Predicate, Predicates, Verdict};

use crate::pattern::column_matches;
use crate::rule::{Mask, Miss, Rule, Then, bits};
use crate::view::{Candidate, View};
use crate::when::values::{CommandValues, Values};

use terms::Combined;

/// The command, as far as policy looks at it.
pub(crate) struct Ask<'a> {
    pub(crate) actions: &'a [Action],
    pub(crate) flags: Flags,
    pub(crate) in_transaction: bool,
    pub(crate) predicates: &'a [Predicate],
    pub(crate) reads_unknown: bool,
    pub(crate) now: Timestamp,
}

/// More reasons than this help nobody, and a statement may name thousands of objects.
const MAX_REASONS: usize = 16;

/// What covers one action.
#[derive(Clone, Copy, Default)]
struct Cover {
    allowed: bool,
    held: bool,
    denied: bool,
}

impl Cover {
    const fn add(&mut self, then: Then) {
        match then {
            Then::Allow => self.allowed = true,
            Then::Approve => self.held = true,
            Then::Deny => self.denied = true,
        }
    }

    const fn is_uncovered(self) -> bool {
        !self.allowed && !self.held && !self.denied
    }
}

/// What matched, and what it covers.
struct Found<'a> {
    covers: Vec<Cover>,
    /// Enforced rules, sorted by name.
    matched: Vec<&'a Rule>,
    masks: Vec<Doubt<'a>>,
}

impl<'a> Found<'a> {
    fn add(&mut self, actions: &[Action], rule: &'a Rule) {
        for (cover, action) in self.covers.iter_mut().zip(actions) {
            if rule.means(action) {
                cover.add(rule.then);
            }
        }
        self.matched.push(rule);
    }
}

/// Decides.
pub(crate) fn decide(view: &View, ask: &Ask<'_>) -> Verdict {
    let judge = Judge::new(view, ask);
    let mut cacheable = true;
    let mut found = Found {
        covers: vec![Cover::default(); ask.actions.len()],
        matched: Vec::new(),
        masks: masks_in_doubt(view, ask, &mut cacheable),
    };
    let mut shadows: Vec<&Rule> = Vec::new();
    for candidate in &view.rules {
        let Some(rule) = view.rule(*candidate) else {
            continue;
        };
        if !rule.shares_effects(judge.bits) {
            continue;
        }
        cacheable &= !judge.depends(rule, *candidate);
        let concerns = |action| rule.means(action) || rule.doubts(action);
        if !ask.actions.iter().any(concerns) || judge.misses(rule, *candidate).is_some() {
            continue;
        }
        if rule.shadow {
            shadows.push(rule);
        } else {
            found.add(ask.actions, rule);
        }
    }
    let settled = settle(&found);
    let shadow = judge_shadows(&mut found, ask.actions, &shadows, settled.outcome);
    verdict(&judge, &found, settled, shadow, cacheable)
}

/// What each rule in shadow mode would have changed, were it alone enforced too.
fn judge_shadows<'a>(
    found: &mut Found<'a>,
    actions: &[Action],
    shadows: &[&'a Rule],
    outcome: Outcome,
) -> Vec<(String, Outcome)> {
    let mut changes = Vec::new();
    for rule in shadows {
        let covers = found.covers.clone();
        found.add(actions, rule);
        let would = settle(found).outcome;
        found.matched.pop();
        found.covers = covers;
        if would != outcome {
            changes.push((rule.name.clone(), would));
        }
    }
    changes
}

/// Asks what is left of a rule's conditions.
pub(crate) struct Judge<'a> {
    view: &'a View,
    ask: &'a Ask<'a>,
    /// Effects of the command.
    bits: u16,
    /// Made at the first condition that looks at the command.
    command: OnceCell<CommandValues>,
}

impl<'a> Judge<'a> {
    pub(crate) fn new(view: &'a View, ask: &'a Ask<'a>) -> Self {
        Self { view, ask, bits: bits(ask.actions.iter().map(|action| action.effect)), command: OnceCell::new() }
    }

    /// Whether the rule looks at what differs between executions of the same command by the same session.
    fn depends(&self, rule: &Rule, candidate: Candidate) -> bool {
        let when = || rule.scope.when.as_ref().map(crate::when::When::uses);
        rule.scope.hours.is_some()
            || rule.shape.in_transaction.is_some()
            || (candidate.open && when().is_some_and(|uses| uses.now || uses.in_transaction))
    }

    /// The first condition of a candidate that does not hold; those that are fixed for the session did.
    pub(crate) fn misses(&self, rule: &Rule, candidate: Candidate) -> Option<Miss> {
        rule.shape
            .misses(self.ask.flags, self.ask.in_transaction)
            .or_else(|| rule.scope.misses_hours(self.ask.now))
            .or_else(|| self.misses_when(rule, candidate))
    }

    fn misses_when(&self, rule: &Rule, candidate: Candidate) -> Option<Miss> {
        let (true, Some(when), Some(session)) = (candidate.open, &rule.scope.when, self.view.session()) else {
            return None;
        };
        let command = when.uses().command.then(|| {
            self.command.get_or_init(|| CommandValues::new(self.ask.actions, self.ask.flags, self.ask.in_transaction))
        });
        match when.holds(&Values { session, command, now: Some(self.ask.now) }) {
            Ok(true) => None,
            Ok(false) => Some(Miss::When),
            Err(why) => (!rule.then.doubt()).then_some(Miss::WhenFailed(why)),
        }
    }
}

/// A mask that forbids conditions on its columns, and the column that the command uses in one.
pub(crate) struct Doubt<'a> {
    pub(crate) mask: &'a Mask,
    /// `None`: it is not known which.
    pub(crate) column: Option<&'a Predicate>,
}

/// Masks that object to the command's conditions.
pub(crate) fn masks_in_doubt<'a>(view: &'a View, ask: &'a Ask<'_>, cacheable: &mut bool) -> Vec<Doubt<'a>> {
    if ask.predicates.is_empty() && !ask.reads_unknown {
        return Vec::new();
    }
    let mut fixed = true;
    let mut doubts = Vec::new();
    for candidate in &view.masks {
        let Some(mask) = view.inner.masks.get(candidate.index) else {
            continue;
        };
        match mask.rule.predicates {
            Predicates::Allow => continue,
            Predicates::Equality | Predicates::Hold | Predicates::Deny => {}
        }
        if !view.session_holds(&mask.scope, *candidate, ask.now, &mut fixed) {
            continue;
        }
        let column = ask.predicates.iter().find(|used| {
            let mut patterns = mask.rule.columns.iter();
            let permitted = used.equality && mask.rule.predicates == Predicates::Equality;
            !permitted && patterns.any(|pattern| column_matches(pattern, &used.relation, &used.column))
        });
        if column.is_some() || ask.reads_unknown {
            doubts.push(Doubt { mask, column });
        }
    }
    *cacheable &= fixed;
    doubts
}

/// What everything that matched comes to.
struct Settled {
    outcome: Outcome,
    approval: Option<ApprovalTerms>,
    /// Names of two rules whose approvers have nobody in common.
    clash: Option<(String, String)>,
}

fn settle(found: &Found<'_>) -> Settled {
    let Found { covers, matched, masks } = found;
    let deny = |clash| Settled { outcome: Outcome::Deny, approval: None, clash };
    let refused = covers.iter().any(|cover| cover.denied || cover.is_uncovered());
    let masked = masks.iter().any(|doubt| doubt.mask.rule.predicates.refuses());
    if covers.is_empty() || refused || masked {
        return deny(None);
    }
    let rules = matched.iter().filter_map(|rule| Some((rule.name.as_str(), rule.approval.as_ref()?)));
    let holding = masks.iter().filter_map(|doubt| {
        let terms = doubt.mask.approval.as_ref()?;
        Some((doubt.mask.rule.name.as_str(), terms))
    });
    match terms::combine(rules.chain(holding)) {
        Combined::Nothing => Settled { outcome: Outcome::Allow, approval: None, clash: None },
        Combined::Terms(terms) => Settled { outcome: Outcome::Hold, approval: Some(terms), clash: None },
        Combined::Clash(one, other) => deny(Some((one, other))),
    }
}

/// Puts the verdict into words.
fn verdict(
    judge: &Judge<'_>,
    found: &Found<'_>,
    settled: Settled,
    shadow: Vec<(String, Outcome)>,
    cacheable: bool,
) -> Verdict {
    let decides = |then: Then| match (settled.outcome, &settled.clash) {
        (Outcome::Allow, _) => then == Then::Allow,
        (Outcome::Hold, _) | (Outcome::Deny, Some(_)) => then == Then::Approve,
        (Outcome::Deny, None) => then == Then::Deny,
    };
    let raises = |predicates: Predicates| match (settled.outcome, &settled.clash) {
        (Outcome::Allow, _) => false,
        (Outcome::Hold, _) | (Outcome::Deny, Some(_)) => predicates == Predicates::Hold,
        (Outcome::Deny, None) => predicates.refuses(),
    };
    let deciding: Vec<&Rule> = found.matched.iter().copied().filter(|rule| decides(rule.then)).collect();
    let raising: Vec<&Doubt<'_>> = found.masks.iter().filter(|doubt| raises(doubt.mask.rule.predicates)).collect();
    let mut rules: Vec<String> = deciding.iter().map(|rule| rule.name.clone()).collect();
    rules.extend(raising.iter().map(|doubt| doubt.mask.rule.name.clone()));
    rules.sort_unstable();
    Verdict {
        outcome: settled.outcome,
        rules,
        message: deciding.iter().find_map(|rule| rule.message.clone()),
        reasons: match settled.outcome {
            Outcome::Allow => Vec::new(),
            Outcome::Hold | Outcome::Deny => reasons(judge, found, &deciding, &raising, &settled),
        },
        approval: settled.approval,
        shadow,
        record: judge.view.record_level(),
        cacheable,
    }
}

/// Why it is held or denied, for a person: what decided, then what nothing covers, then what would have covered it.
fn reasons(
    judge: &Judge<'_>,
    found: &Found<'_>,
    deciding: &[&Rule],
    raising: &[&Doubt<'_>],
    settled: &Settled,
) -> Vec<String> {
    let mut reasons = Reasons::default();
    let actions = judge.ask.actions;
    if actions.is_empty() {
        reasons.add("the command has no effect that is known".to_owned());
    }
    for rule in deciding {
        let verb = match rule.then {
            Then::Deny => "is denied by",
            Then::Approve | Then::Allow => "needs approval by",
        };
        for action in actions.iter().filter(|action| rule.means(action)) {
            reasons.add(format!("{} {verb} \"{}\"", words(action), rule.name));
        }
        for action in actions.iter().filter(|action| rule.doubts(action)) {
            reasons.add(format!("{} may be what \"{}\" wants approved", words(action), rule.name));
        }
    }
    for doubt in raising {
        reasons.add(predicate_words(doubt));
    }
    if let Some((one, other)) = &settled.clash {
        reasons.add(format!("\"{one}\" and \"{other}\" both want an approval and have too few approvers in common"));
    }
    let mut uncovered = false;
    for (action, cover) in actions.iter().zip(&found.covers) {
        if cover.is_uncovered() {
            reasons.add(format!("{} is not covered by any rule", words(action)));
            uncovered = true;
        }
    }
    if uncovered {
        near_misses(judge, &found.covers, &mut reasons);
    }
    reasons.finish()
}

/// Rules that would have covered an uncovered action but for a condition.
fn near_misses(judge: &Judge<'_>, covers: &[Cover], reasons: &mut Reasons) {
    let view = judge.view;
    let wanted = |rule: &Rule| {
        let mut pairs = judge.ask.actions.iter().zip(covers);
        !rule.shadow && !rule.then.doubt() && pairs.any(|(action, cover)| cover.is_uncovered() && rule.means(action))
    };
    let fixed = view.failed.iter().filter_map(|(index, miss)| Some((view.inner.rules.get(*index)?, miss.clone())));
    let asked = view.rules.iter().filter_map(|candidate| {
        let rule = view.rule(*candidate)?;
        Some((rule, judge.misses(rule, *candidate)?))
    });
    for (rule, miss) in fixed.chain(asked) {
        if wanted(rule) {
            reasons.add(format!("\"{}\" does not apply: {miss}", rule.name));
        }
    }
}

/// `delete on public.orders`, or the effect alone.
pub(crate) fn words(action: &Action) -> String {
    match &action.object {
        Some(object) => format!("{} on {object}", action.effect),
        None => action.effect.to_string(),
    }
}

/// Why a mask objects.
pub(crate) fn predicate_words(doubt: &Doubt<'_>) -> String {
    let name = &doubt.mask.rule.name;
    let verb = match doubt.mask.rule.predicates {
        Predicates::Hold => "needs approval",
        Predicates::Deny | Predicates::Allow => "is denied",
        Predicates::Equality => "is denied unless it only asks for equality",
    };
    match doubt.column {
        Some(used) if used.column == "*" => {
            format!("a condition on all columns of {}, some of them masked by \"{name}\", {verb}", used.relation)
        }
        Some(used) => format!("a condition on {}.{}, masked by \"{name}\", {verb}", used.relation, used.column),
        None => format!("it cannot be told whether it has a condition on a column masked by \"{name}\", which {verb}"),
    }
}

/// A bounded list without repetitions.
#[derive(Default)]
struct Reasons {
    listed: Vec<String>,
    more: usize,
}

impl Reasons {
    fn add(&mut self, reason: String) {
        if self.listed.contains(&reason) {
        } else if self.listed.len() < MAX_REASONS {
            self.listed.push(reason);
        } else {
            self.more += 1;
        }
    }

    fn finish(mut self) -> Vec<String> {
        if self.more > 0 {
            self.listed.push(format!("and {} more", self.more));
        }
        self.listed
    }
}
