//! The commands of recorded sessions, judged by another policy.

use std::collections::{BTreeMap, HashMap};

use model::{Action, Effect, Flags, Intent, MaskRule, Object, ObjectKind, Outcome, Target, Verdict};
use policy::{Policy, Subject, View};
use record::{Column, CommandEvent, Context, Micros};
use serde::Serialize;

use super::masks::{Became, MaskChanges, Reach};
use super::{Moment, Session, in_clear, intent, timestamp};
use crate::output;

/// Different changes that are told apart; what comes after these is counted as one.
const MAX_CHANGES: usize = 2000;
/// Commands of a session that are remembered, for their results and for running again.
const REMEMBERED: usize = 4096;
/// Characters of a statement in an example.
const SHOWN: usize = 200;

/// One kind of change: from which outcome to which, by which rules.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
pub(crate) struct Change {
    pub(crate) from: Outcome,
    pub(crate) to: Outcome,
    pub(crate) old_rules: Vec<String>,
    pub(crate) new_rules: Vec<String>,
}

/// How often, and where for instance.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Count {
    pub(crate) commands: u64,
    /// With those that ran again.
    pub(crate) executions: u64,
    /// Recorded without what conditions on columns, copies and transactions are judged by.
    pub(crate) unsure: u64,
    pub(crate) examples: Vec<Example>,
}

/// One command that would be judged otherwise.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Example {
    pub(crate) session: String,
    /// 0 is the opening of the session.
    pub(crate) command: u64,
    pub(crate) at: String,
    pub(crate) identity: String,
    pub(crate) target: String,
    pub(crate) statement: String,
    /// Why, by the new policy.
    pub(crate) reason: Option<String>,
}

/// What was judged so far.
pub(crate) struct Backtest<'p> {
    policy: &'p Policy,
    targets: BTreeMap<String, Target>,
    examples: usize,
    current: Option<Current>,
    places: HashMap<Change, usize>,
    pub(super) changes: Vec<(Change, Count)>,
    pub(super) masks: MaskChanges,
    pub(super) sessions: u64,
    pub(super) commands: u64,
    pub(super) executions: u64,
    /// Commands that were recorded without what conditions are judged by.
    pub(super) unsure: u64,
    /// Runs of commands that came too far back to know what would change.
    pub(super) far: u64,
    /// Targets that nobody described, and how many sessions they had.
    pub(super) unknown: BTreeMap<String, u64>,
}

/// The session that is being judged.
struct Current {
    view: View,
    /// The masks, where they do not depend on the time.
    masks: Option<Vec<MaskRule>>,
    /// Since when commands are counted for their rate, and how many.
    window: (Micros, u32),
    recent: BTreeMap<u64, Recent>,
}

/// What is remembered of a command.
struct Recent {
    at: Micros,
    change: Option<usize>,
    /// Nothing, when the same policy judged it.
    reach: Option<Reach>,
}

impl<'p> Backtest<'p> {
    pub(crate) fn new(policy: &'p Policy, targets: Vec<Target>, examples: usize) -> Self {
        Self {
            policy,
            targets: targets.into_iter().map(|target| (target.name.clone(), target)).collect(),
            examples,
            current: None,
            places: HashMap::new(),
            changes: Vec::new(),
            masks: MaskChanges::new(examples),
            sessions: 0,
            commands: 0,
            executions: 0,
            unsure: 0,
            far: 0,
            unknown: BTreeMap::new(),
        }
    }

    /// Judges what happened next; `false` when the rest of the session cannot be judged.
    pub(crate) fn see(&mut self, session: &Session, moment: &Moment<'_>) -> bool {
        match moment {
            Moment::Opened(at) => return self.opened(session, *at),
            Moment::Command(at, command, context) => self.command(session, *at, command, *context),
            Moment::Again(number) => self.again(*number),
            Moment::Columns(number, columns) => self.columns(session, *number, columns),
        }
        true
    }

    fn opened(&mut self, session: &Session, at: Micros) -> bool {
        self.current = None;
        let Some(target) = self.targets.get(&session.target) else {
            *self.unknown.entry(session.target.clone()).or_default() += 1;
            return false;
        };
        let Session { identity, role, from, .. } = session;
        let view = self.policy.view(&Subject { identity, target, role, from: *from });
        self.sessions += 1;
        // A recording does not say whether a connect was approved, so the same policy is not asked again.
        if session.policy != self.policy.version() {
            let connect = [Action::bare(Effect::Connect)];
            let verdict = view.decide(&connect, Flags::default(), false, &[], false, timestamp(at));
            let old = (Outcome::Allow, session.rules.as_slice());
            self.compare(session, at, old, &verdict, (0, "connect", false));
        }
        let masks = Some(view.masks(timestamp(at))).filter(|masks| masks.cacheable).map(|masks| masks.value);
        self.current = Some(Current { view, masks, window: (at, 0), recent: BTreeMap::new() });
        true
    }

    fn command(&mut self, session: &Session, at: Micros, command: &CommandEvent<'_>, context: Option<&Context<'_>>) {
        if self.current.is_none() {
            return;
        }
        self.commands += 1;
        self.executions += 1;
        self.unsure += u64::from(context.is_none());
        let intent = match self.read_again(&session.target, command) {
            Some(intent) => intent,
            None => intent(command, context),
        };
        let Some(current) = &mut self.current else {
            return;
        };
        let in_transaction = context.is_some_and(|context| context.has(Context::IN_TRANSACTION));
        let mut verdict = current.view.judge(&intent, &in_clear(context), in_transaction, timestamp(at));
        if verdict.outcome != Outcome::Deny {
            current.within_rate(at, &mut verdict);
        }
        let same = command.policy == self.policy.version();
        let reach = (!same).then(|| reach(&intent));
        let old = (command.outcome, &*command.rules);
        let change = self.compare(session, at, old, &verdict, (command.number, &command.text, context.is_none()));
        if let Some(current) = &mut self.current {
            if current.recent.len() >= REMEMBERED {
                current.recent.pop_first();
            }
            current.recent.insert(command.number, Recent { at, change, reach });
        }
    }

    /// A command line as a policy reads it that says itself what programs do. Of others, what was recorded counts: rules alone, as `suggest` writes
    /// them, are meant for what commands were known to do.
    fn read_again(&self, target: &str, command: &CommandEvent<'_>) -> Option<Intent> {
        let is_ssh = self.targets.get(target).is_some_and(|target| target.kind == ssh::PROTOCOL.0);
        // Bytes that were no text are not in the recording as they were.
        let exact = !command.text.contains(char::REPLACEMENT_CHARACTER);
        let request = ssh::request_of(&command.label).filter(|_| is_ssh && exact && !self.policy.tools().is_empty())?;
        ssh::explain(request, &command.text, self.policy.tools()).ok().map(|intent| intent.as_ref().clone())
    }

    fn again(&mut self, number: u64) {
        self.executions += 1;
        let recent = self.current.as_ref().and_then(|current| current.recent.get(&number));
        match recent {
            None => self.far += 1,
            Some(Recent { change: None, .. }) => {}
            Some(Recent { change: Some(place), .. }) => {
                if let Some((_, count)) = self.changes.get_mut(*place) {
                    count.executions += 1;
                }
            }
        }
    }

    fn columns(&mut self, session: &Session, number: u64, columns: &[Column<'_>]) {
        let Some(current) = &self.current else {
            return;
        };
        let Some(Recent { at, reach: Some(reach), .. }) = current.recent.get(&number) else {
            return;
        };
        let applied;
        let masks = match &current.masks {
            Some(masks) => masks,
            None => {
                applied = current.view.masks(timestamp(*at)).value;
                &applied
            }
        };
        for column in columns {
            match reach.became(masks, column) {
                Became::Same => {}
                became => self.masks.add(became, column, reach, session.id, number),
            }
        }
    }

    /// Counts a command whose outcome would be another; answers which change it is.
    fn compare(
        &mut self,
        session: &Session,
        at: Micros,
        (from, old_rules): (Outcome, &[String]),
        verdict: &Verdict,
        (number, text, unsure): (u64, &str, bool),
    ) -> Option<usize> {
        if from == verdict.outcome {
            return None;
        }
        let mut change =
            Change { from, to: verdict.outcome, old_rules: old_rules.to_vec(), new_rules: verdict.rules.clone() };
        if self.changes.len() >= MAX_CHANGES && !self.places.contains_key(&change) {
            // Nine of these at most.
            change.old_rules = vec!["(others)".to_owned()];
            change.new_rules = vec!["(others)".to_owned()];
        }
        let place = match self.places.get(&change) {
            Some(place) => *place,
            None => {
                self.changes.push((change.clone(), Count::default()));
                self.places.insert(change, self.changes.len() - 1);
                self.changes.len() - 1
            }
        };
        let (_, count) = self.changes.get_mut(place)?;
        count.commands += 1;
        count.executions += 1;
        count.unsure += u64::from(unsure);
        if count.examples.len() < self.examples {
            count.examples.push(Example {
                session: session.id.to_string(),
                command: number,
                at: console::view::rfc3339(at),
                identity: format!("{} ({})", session.identity.display(), session.identity.kind),
                target: format!("{} as {}", session.target, session.role),
                statement: first_line(text),
                reason: verdict.reasons.first().cloned(),
            });
        }
        Some(place)
    }
}

impl Current {
    /// Denies a command beyond `commands_per_minute`, as a session counts them.
    fn within_rate(&mut self, at: Micros, verdict: &mut Verdict) {
        let Some(limit) = self.view.limits(timestamp(at)).value.commands_per_minute else {
            return;
        };
        if at.0.saturating_sub(self.window.0.0) >= 60_000_000 {
            self.window = (at, 0);
        }
        self.window.1 = self.window.1.saturating_add(1);
        if u64::from(self.window.1) > limit.most {
            verdict.outcome = Outcome::Deny;
            verdict.rules = vec![limit.rule.to_string()];
            verdict.reasons = vec![format!("at most {} commands per minute", limit.most)];
        }
    }
}

/// Where the result of a command can come from.
fn reach(intent: &Intent) -> Reach {
    let mut relations: Vec<String> = Vec::new();
    let mut unknown = intent.reads_unknown;
    for action in &intent.actions {
        unknown |= matches!(action.effect, Effect::Execute | Effect::Unknown | Effect::Export);
        if let Some(object) = action.object.as_ref().filter(|object| object.kind == ObjectKind::Relation) {
            unknown |= object.is_unresolved();
            if !Object::is_unresolved(object) && !relations.contains(&object.name) {
                relations.push(object.name.clone());
            }
        }
    }
    Reach { relations, unknown }
}

fn first_line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    output::short(&output::plain(line), SHOWN)
}
