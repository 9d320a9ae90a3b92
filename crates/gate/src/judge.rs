//! One command of one session → its verdict: rules, masks that it would undo or asks to have lifted, and a cache of what depends on neither
//! time nor values.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use model::{Command, Intent, IntentId, Outcome, Verdict};
use prometheus_client::metrics::counter::Counter;
use record::Micros;

use crate::Session;
use crate::session::timestamp;

/// A verdict with what it is counted by.
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    pub(crate) counters: Vec<Counter>,
}

thread_local! {
    /// Verdicts that depend on neither time nor values, per worker: no lock on the way of a command.
    static VERDICTS: RefCell<HashMap<(u64, u64, IntentId, bool), Rc<Judged>>> = RefCell::new(HashMap::new());
}

/// Verdicts kept per worker; when full, all go: simpler than an order of use, and refilled in a moment.
const VERDICTS_KEPT: usize = 8192;

impl Session {
    /// What policy says of the command, whether it would undo a mask, and whether masks may be lifted as it asks. Only the first is kept:
    /// masks may depend on time, and what is asked for in clear is no part of the intent.
    pub(crate) fn judge(&self, command: &Command<'_>, now: Micros) -> Rc<Judged> {
        let judged = self.judge_by_rules(command, now);
        if !self.masks.has_columns() || judged.verdict.outcome == Outcome::Deny {
            return judged;
        }
        let verdict = match self.masks.undone(command.intent) {
            Some(undone) => undone.deny(judged.verdict.clone()),
            None if command.unmask.is_empty() => return judged,
            None => self.masks.raise(command.unmask, judged.verdict.clone()),
        };
        let counters = self.counters(command.intent, &verdict);
        Rc::new(Judged { verdict, counters })
    }

    fn judge_by_rules(&self, command: &Command<'_>, now: Micros) -> Rc<Judged> {
        let key = (self.in_force.epoch, self.view.key(), command.intent.id, command.in_transaction);
        let known = VERDICTS.with_borrow(|cache| cache.get(&key).cloned());
        self.gate.metrics.verdict_cache.count(known.is_some());
        if let Some(known) = known {
            return known;
        }
        let intent = command.intent;
        let verdict = self.view.decide(
            &intent.actions,
            intent.flags,
            command.in_transaction,
            &intent.predicates,
            intent.reads_unknown,
            timestamp(now),
        );
        let counters = self.counters(intent, &verdict);
        let cacheable = verdict.cacheable;
        let judged = Rc::new(Judged { verdict, counters });
        if cacheable {
            VERDICTS.with_borrow_mut(|cache| {
                if cache.len() >= VERDICTS_KEPT {
                    cache.clear();
                }
                cache.insert(key, Rc::clone(&judged));
            });
        }
        judged
    }

    fn counters(&self, intent: &Intent, verdict: &Verdict) -> Vec<Counter> {
        let effects: model::EffectSet = intent.actions.iter().map(|action| action.effect).collect();
        let none = [String::new()];
        let rules = if verdict.rules.is_empty() { none.as_slice() } else { &verdict.rules };
        let mut counters = Vec::new();
        for effect in effects.iter() {
            for rule in rules {
                counters.push(
                    self.gate
                        .metrics
                        .decisions
                        .get_or_create(&vec![
                            ("protocol", self.live.protocol.to_owned()),
                            ("outcome", verdict.outcome.as_str().to_owned()),
                            ("effect", effect.as_str().to_owned()),
                            ("rule", rule.clone()),
                        ])
                        .clone(),
                );
            }
        }
        counters
    }
}
