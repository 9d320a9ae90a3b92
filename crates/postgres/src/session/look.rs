//! What names stand for, and how the gateway finds out.
//!
//! A snapshot of the catalogue, read over a connection of the gateway's own, shows what is committed. What the session itself
//! changed in a transaction that is still open is seen by its own connection only, so that one is asked, between two of the
//! client's commands. Where that cannot be (a pipeline, several statements in one message) the changed names are in doubt.

use std::sync::Arc;
use std::time::Instant;

use gate::Asked;
use sql::catalog::{Builder, QUERIES};
use sql::{Catalog, Fresh};

use super::expect::Expect;
use super::{Relay, Step};
use crate::catalogue::{BELIEVED, next_version};
use crate::classify::Names;
use crate::wire::{Backend, Frame, TransactionStatus, encode};

/// Schemas that one session's path may have held; with more, no name of it is certain.
const SCHEMAS: usize = 64;
/// A savepoint's name that no client chooses.
const SAVEPOINT: &str = "\"sallyport names\"";

/// The rows of the open transaction's own view of the catalogue.
pub(crate) struct Look {
    builder: Builder,
    failed: bool,
    asked: Instant,
}

impl Relay {
    /// Brings what names stand for up to date, or says what must happen first.
    pub(super) fn look_up(&mut self) -> Result<(), Step> {
        if !self.fresh.is_empty() && !self.own_failed {
            if self.queue.ends_synced() {
                return Err(Step::Wait);
            }
            if self.is_between_commands() {
                return Err(self.ask_own());
            }
        }
        if let Some(seen) = self.own_view {
            return self.look_up_own(seen);
        }
        if self.keeper.stale() && !self.looked_again {
            return Err(Step::Refresh);
        }
        self.ageing |= self.keeper.ageing();
        if !self.keeper.is_newest(&self.names) && !self.keeper.stale() {
            self.take_shared();
        }
        Ok(())
    }

    /// The transaction's own view is believed as long as a shared snapshot is. Where it cannot be asked for again, no name is certain.
    fn look_up_own(&mut self, seen: Instant) -> Result<(), Step> {
        if seen.elapsed() <= BELIEVED || self.looked_again {
            return Ok(());
        }
        if self.queue.ends_synced() {
            return Err(Step::Wait);
        }
        if self.is_between_commands() {
            return Err(self.ask_own());
        }
        self.note_fresh(&Fresh::unknown());
        Ok(())
    }

    /// Names were missing, although the snapshot is current as far as is known.
    pub(super) fn look_again(&mut self) -> Step {
        if self.is_between_commands() && self.renamed && self.own_view.is_none() && !self.own_failed {
            return self.ask_own();
        }
        Step::Refresh
    }

    /// In an open transaction, with everything answered: the session's own connection can be asked.
    fn is_between_commands(&self) -> bool {
        self.queue.is_empty() && !self.unsynced && self.status == TransactionStatus::Open
    }

    /// The shared snapshot was refreshed, or could not be: then no name is certain, for what is known may be of yesterday.
    pub(crate) fn refreshed(&mut self, is_fresh: bool) {
        self.looked_again = true;
        if is_fresh {
            self.take_shared();
        } else {
            let path = Arc::clone(&self.names.path);
            self.names = Names::with(Arc::new(Catalog::empty()), path, Arc::new(Fresh::unknown()));
        }
    }

    /// The newest shared snapshot, under the session's own path and with what it changed since.
    fn take_shared(&mut self) {
        let shared = self.keeper.names();
        let mut path: Vec<String> = shared.path.to_vec();
        for schema in self.names.path.iter() {
            if !path.contains(schema) {
                path.push(schema.clone());
            }
        }
        self.names = shared.changed(path.into(), self.in_doubt());
    }

    /// Names that a text changes, from the moment it is sent.
    pub(super) fn note_fresh(&mut self, changed: &Fresh) {
        let mut fresh = self.fresh.as_ref().clone();
        fresh.add(changed);
        self.own_failed = false;
        self.set_fresh(Arc::new(fresh));
    }

    fn set_fresh(&mut self, fresh: Arc<Fresh>) {
        self.fresh = fresh;
        self.names = self.names.changed(Arc::clone(&self.names.path), self.in_doubt());
    }

    fn in_doubt(&self) -> Arc<Fresh> {
        if self.path_lost { Arc::new(Fresh::unknown()) } else { Arc::clone(&self.fresh) }
    }

    /// No transaction is open and nothing is outstanding: others see what this session changed.
    pub(super) fn transaction_over(&mut self) {
        self.own_failed = false;
        if self.own_view.take().is_some() || !self.fresh.is_empty() {
            self.keeper.mark_stale();
            self.set_fresh(Arc::default());
        }
    }

    /// Schemas that the client put into its path: from now on names may stand for what is in any of them.
    pub(crate) fn widen_path<'a>(&mut self, schemas: impl Iterator<Item = &'a str>) {
        let mut path: Vec<String> = self.names.path.to_vec();
        for schema in schemas {
            let schema = if schema == "$user" { &self.user } else { schema };
            if !path.iter().any(|known| known == schema) {
                path.push(schema.to_owned());
            }
        }
        if path.len() > SCHEMAS {
            path.truncate(SCHEMAS);
            self.path_lost = true;
        }
        if path.len() != self.names.path.len() || self.path_lost {
            self.names = self.names.changed(path.into(), self.in_doubt());
        }
    }

    /// Asks the session's own connection, inside a savepoint that leaves no trace. The message at hand waits.
    fn ask_own(&mut self) -> Step {
        let mut builder = Builder::new();
        builder.settings_of(&self.keeper.names().catalog);
        self.look = Some(Box::new(Look { builder, failed: false, asked: Instant::now() }));
        let own = |(name, _): &&(&str, &str)| !matches!(*name, "begin" | "settings" | "path" | "end");
        let begin = format!("SAVEPOINT {SAVEPOINT}; SET LOCAL search_path = ''; SET LOCAL statement_timeout = 0");
        self.ask_names("", &begin, false);
        for (name, text) in QUERIES.iter().filter(own) {
            self.ask_names(name, text, false);
        }
        self.ask_names("", &format!("ROLLBACK TO SAVEPOINT {SAVEPOINT}; RELEASE SAVEPOINT {SAVEPOINT}"), true);
        Step::Wait
    }

    fn ask_names(&mut self, query: &'static str, text: &str, last: bool) {
        let mut message = Vec::new();
        encode::query(&mut message, text);
        // A session that is over ends at the next turn; what is not asked is not waited for.
        if let Asked::Allow(permitted, _) = self.session.ask_control(message) {
            self.to_target.push(permitted);
            self.queue.push(Expect::Names { query, last });
        }
    }

    /// One message of the target while the own view is asked for; `None` when it is not an answer to that.
    pub(super) fn look_answer(&mut self, frame: Frame<'_>) -> Option<Step> {
        let Some(Expect::Names { query, last }) = self.queue.head() else {
            return None;
        };
        let (query, last) = (*query, *last);
        match Backend::parse(frame.tag, frame.body) {
            Ok(Backend::DataRow(row)) => {
                let cells: Result<Vec<Option<&[u8]>>, _> = row.cells().collect();
                let taken = cells.is_ok_and(|cells| self.take_row(query, &cells));
                self.look_failed(!taken);
            }
            Ok(Backend::Error(fields)) => {
                if fields.severity().is_some_and(|severity| matches!(severity.0, b"FATAL" | b"PANIC")) {
                    return None;
                }
                self.look_failed(true);
            }
            Ok(Backend::Ready(status)) => {
                self.status = status;
                self.queue.pop();
                if last {
                    self.looked();
                }
            }
            Ok(Backend::RowDescription(_) | Backend::CommandComplete(_) | Backend::EmptyQuery | Backend::Notice(_)) => {
            }
            Ok(_) | Err(_) => return None,
        }
        Some(Step::Go)
    }

    fn take_row(&mut self, query: &str, cells: &[Option<&[u8]>]) -> bool {
        let texts: Result<Vec<_>, _> = cells.iter().map(|cell| cell.map(std::str::from_utf8).transpose()).collect();
        match (&mut self.look, texts) {
            (Some(look), Ok(texts)) => look.failed || look.builder.row(query, &texts).is_ok(),
            (None, _) | (_, Err(_)) => false,
        }
    }

    fn look_failed(&mut self, failed: bool) {
        if let Some(look) = &mut self.look {
            look.failed |= failed;
        }
    }

    /// All answers are here.
    fn looked(&mut self) {
        let Some(look) = self.look.take() else { return };
        self.looked_again = true;
        if look.failed || self.status != TransactionStatus::Open {
            tracing::warn!(session = %self.session.id(), "the open transaction's catalogue could not be read");
            if self.own_view.is_some() {
                self.set_fresh(Arc::new(Fresh::unknown()));
            }
            self.own_failed = true;
            return;
        }
        let catalog = Arc::new(look.builder.finish(next_version()));
        self.own_view = Some(look.asked);
        self.fresh = Arc::default();
        self.names = Names::with(catalog, Arc::clone(&self.names.path), self.in_doubt());
    }
}
