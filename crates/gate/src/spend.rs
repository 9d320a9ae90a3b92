//! Limits: what one command may use, and what all commands of one token have used together, in all of its sessions.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use model::{Effect, Intent, Limits, Most, TokenId};
use record::Micros;

use crate::flow::Flow;
use crate::ports::Proven;
use crate::refusal::RefusalKind;
use crate::{Refusal, Session, Ticket};

/// Whose use is counted together: a Sallyport token's, or an identity's of another issuer, whose tokens come and go.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
enum Holder {
    Token(TokenId),
    Identity { issuer: String, subject: String },
}

/// What one holder has used so far.
#[derive(Debug, Default)]
pub(crate) struct Account {
    rows: AtomicU64,
    bytes: AtomicU64,
    affected: AtomicU64,
    commands: AtomicU64,
    /// The minute that is counted: when it began, and commands in it.
    minute: Mutex<(i64, u64)>,
    /// When the last known proof of the holder ends.
    until: AtomicI64,
}

/// All accounts. They are forgotten once the holder's proof has ended and no session is left; a restart forgets them, too.
#[derive(Debug, Default)]
pub(crate) struct Accounts {
    map: Mutex<HashMap<Holder, Arc<Account>>>,
}

/// Accounts are looked through for ended ones whenever their number reaches a multiple of this.
const SWEEP: usize = 256;

impl Accounts {
    /// The account of whoever proved this.
    pub(crate) fn of(&self, proven: &Proven, now: Micros) -> Arc<Account> {
        let holder = match proven.token {
            Some(token) => Holder::Token(token),
            None => {
                Holder::Identity { issuer: proven.identity.issuer.clone(), subject: proven.identity.subject.clone() }
            }
        };
        let mut map = self.map.lock().unwrap_or_else(PoisonError::into_inner);
        if map.len() % SWEEP == SWEEP - 1 {
            map.retain(|_, account| Arc::strong_count(account) > 1 || account.until.load(Ordering::Relaxed) > now.0);
        }
        let account = map.entry(holder).or_default();
        account.until.fetch_max(proven.expires.0, Ordering::Relaxed);
        Arc::clone(account)
    }
}

/// More than `limit` says.
const fn over(limit: Option<&Most>, used: u64) -> Option<&Most> {
    match limit {
        Some(limit) if used > limit.most => Some(limit),
        Some(_) | None => None,
    }
}

impl Account {
    /// Counts one command; the limit that it passes, and what that limits.
    fn command<'l>(&self, limits: &'l Limits, now: Micros) -> Option<(&'l Most, &'static str)> {
        let commands = self.commands.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(limit) = over(limits.total.commands.as_ref(), commands) {
            return Some((limit, "commands in all of this token's sessions"));
        }
        let limit = limits.commands_per_minute.as_ref()?;
        let mut minute = self.minute.lock().unwrap_or_else(PoisonError::into_inner);
        if now.0.saturating_sub(minute.0) >= 60_000_000 {
            *minute = (now.0, 0);
        }
        minute.1 = minute.1.saturating_add(1);
        over(Some(limit), minute.1).map(|limit| (limit, "commands per minute"))
    }
}

/// What a result, or the results of one portal so far, have returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Returned {
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Session {
    /// Counts a command; the refusal if it is one too many.
    pub(crate) fn over_rate(&self, now: Micros) -> Option<Refusal> {
        let (limit, what) = self.account.command(&self.limits, now)?;
        Some(self.limit_reached(limit, what, self.number))
    }

    fn limit_reached(&self, limit: &Most, what: &str, number: u64) -> Refusal {
        let mut refusal = Refusal::of(RefusalKind::Limit).because(format!("at most {} {what}", limit.most));
        refusal.request = Some(model::RequestId { session: self.live.id, number });
        refusal.rules = vec![limit.rule.to_string()];
        refusal
    }

    /// Books what a flow returned since the last time.
    pub(crate) fn book(&self, flow: &mut Flow) {
        let (now, booked) = (flow.returned(), &mut flow.booked);
        self.account.rows.fetch_add(now.rows - booked.rows, Ordering::Relaxed);
        self.account.bytes.fetch_add(now.bytes - booked.bytes, Ordering::Relaxed);
        *booked = now;
    }

    /// The refusal, if what the flow has returned is more than a limit allows.
    pub(crate) fn over_returned(&self, flow: &mut Flow) -> Option<Refusal> {
        let (limits, all) = (&self.limits, flow.in_all());
        let mut passed = over(limits.rows_returned.as_ref(), all.rows)
            .map(|limit| (limit, "rows returned by one command"))
            .or_else(|| {
                over(limits.bytes_returned.as_ref(), all.bytes).map(|limit| (limit, "bytes returned by one command"))
            });
        let total = &limits.total;
        if passed.is_none() && (total.rows_returned.is_some() || total.bytes_returned.is_some()) {
            self.book(flow);
            let used = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
            passed = over(total.rows_returned.as_ref(), used(&self.account.rows))
                .map(|limit| (limit, "rows returned to this token in all"))
                .or_else(|| {
                    over(total.bytes_returned.as_ref(), used(&self.account.bytes))
                        .map(|limit| (limit, "bytes returned to this token in all"))
                });
        }
        passed.map(|(limit, what)| self.limit_reached(limit, what, flow.number()))
    }

    /// Whether what this command changes must not be committed before [`affected`](Self::affected) has agreed to it.
    #[must_use]
    pub fn checks_changes(&self, intent: &Intent) -> bool {
        self.limits.bound_changes() && intent.actions.iter().any(model::Action::changes_rows)
    }

    /// A command changed so many rows, and nothing of it is committed.
    ///
    /// # Errors
    /// What the client is told when that is more than a limit allows: the change must be undone.
    pub fn affected(&self, ticket: &Ticket, rows: u64) -> Result<(), Box<Refusal>> {
        let before = self.account.affected.load(Ordering::Relaxed);
        let passed = over(self.limits.rows_affected.as_ref(), rows)
            .map(|limit| (limit, "rows changed by one command"))
            .or_else(|| {
                over(self.limits.total.rows_affected.as_ref(), before.saturating_add(rows))
                    .map(|limit| (limit, "rows changed by this token in all"))
            });
        match passed {
            Some((limit, what)) => {
                let refusal = self.limit_reached(limit, what, ticket.number());
                Err(Box::new(refusal.because(format!("this command changed {rows}; all of it was undone"))))
            }
            None => {
                self.account.affected.fetch_add(rows, Ordering::Relaxed);
                Ok(())
            }
        }
    }

    /// What a client is told whose change could not be counted: it must be undone.
    #[must_use]
    pub fn uncounted(&self, ticket: &Ticket, why: &str) -> Box<Refusal> {
        let rule = self.limits.rows_affected.as_ref().or(self.limits.total.rows_affected.as_ref());
        let mut refusal = Refusal::of(RefusalKind::Limit).because(why);
        refusal.request = Some(model::RequestId { session: self.live.id, number: ticket.number() });
        refusal.rules = rule.map(|limit| limit.rule.to_string()).into_iter().collect();
        Box::new(refusal)
    }

    /// Whether a held command may be looked at on the target before it is decided, and if so whether it may be run and undone there. What is
    /// asked is recorded before it is.
    ///
    /// # Errors
    /// Why nothing may be asked, for the approver; or, when it cannot be recorded, the refusal with which the session must close.
    pub fn preview<M>(
        &mut self,
        held: &crate::Held<M>,
        intent: &Intent,
    ) -> Result<Result<bool, &'static str>, Refusal> {
        let dry_run = held.request().terms.dry_run;
        let permitted = intent.actions.iter().all(|action| match action.effect {
            Effect::Connect
            | Effect::Session
            | Effect::Read
            | Effect::Write
            | Effect::Delete
            | Effect::Create
            | Effect::Alter
            | Effect::Destroy => true,
            // Code that is not known may do what no rollback undoes; a rule that wants a dry run has decided on that.
            Effect::Execute => dry_run,
            Effect::Grant | Effect::Admin | Effect::Export | Effect::Import | Effect::Tunnel | Effect::Unknown => false,
        });
        if !permitted {
            return Ok(Err("it runs what is not known to be harmless"));
        }
        self.control_note("preview", if dry_run { "estimate, and a run that is undone" } else { "estimate" })?;
        Ok(Ok(dry_run))
    }

    /// Seconds that a command may take on the target, or that a transaction may stay open without one.
    #[must_use]
    pub fn patience(&self) -> (Option<u64>, Option<u64>) {
        let seconds = |limit: &Option<Most>| limit.as_ref().map(|limit| limit.most);
        (seconds(&self.limits.statement_seconds), seconds(&self.limits.idle_in_transaction_seconds))
    }

    /// The command of `ticket` takes longer than a limit allows.
    #[must_use]
    pub fn too_slow(&self, ticket: &Ticket) -> Box<Refusal> {
        let limit = self.limits.statement_seconds.clone().unwrap_or(Most { most: 0, rule: "".into() });
        Box::new(self.limit_reached(&limit, "seconds for one command", ticket.number()))
    }

    /// A transaction stays open without a command for longer than a limit allows.
    #[must_use]
    pub fn too_idle(&self) -> Box<Refusal> {
        let limit = self.limits.idle_in_transaction_seconds.clone().unwrap_or(Most { most: 0, rule: "".into() });
        Box::new(self.limit_reached(&limit, "seconds in a transaction without a command", self.number))
    }
}
