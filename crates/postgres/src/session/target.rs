//! What the target answers, matched to what was asked. An answer that nothing was asked for ends the session.

use std::rc::Rc;
use std::sync::Arc;

use gate::Ticket;
use model::Intent;
use sql::Kind;

use super::expect::{Expect, Run};
use super::prepared::{Portal, Shape};
use super::{Active, CopyIn, End, Relay, Step, columns};
use crate::answer;
use crate::wire::{Backend, Frame, ReportFields, TransactionStatus, encode};

/// What the answer at hand belongs to.
pub(super) enum Owner {
    Run(Rc<Run>),
    Portal(Rc<Portal>),
}

impl Owner {
    pub(super) fn ticket(&self) -> &Ticket {
        match self {
            Self::Run(run) => &run.ticket,
            Self::Portal(portal) => &portal.ticket,
        }
    }

    pub(super) fn intent(&self) -> &Arc<Intent> {
        match self {
            Self::Run(run) => &run.intent,
            Self::Portal(portal) => &portal.intent,
        }
    }
}

pub(super) const UNASKED: Step = Step::End(End::Broken("the target answered what was not asked"));

impl Relay {
    /// One message of the target.
    pub(crate) fn target(&mut self, frame: Frame<'_>) -> Step {
        if self.look.is_some()
            && let Some(step) = self.look_answer(frame)
        {
            return step;
        }
        if self.guard.is_some()
            && let Some(step) = self.own_answer(frame)
        {
            return step;
        }
        // Rows first: they are what there is most of.
        match frame.tag {
            b'D' => return self.data_row(frame),
            b'd' => return self.copy_out_data(frame),
            _ => {}
        }
        let Ok(message) = Backend::parse(frame.tag, frame.body) else {
            return Step::End(End::Broken("the target sent a message that cannot be read"));
        };
        match message {
            Backend::RowDescription(description) => {
                let shapes: Rc<[Shape]> = description.fields().map(|field| Shape::of(&field)).collect();
                self.described(shapes, frame.whole)
            }
            Backend::ParameterDescription(types) => {
                let Some(Expect::DescribeStatement(prepared)) = self.queue.head() else {
                    return UNASKED;
                };
                if let Some(prepared) = prepared {
                    *prepared.types.borrow_mut() = types.oids().collect();
                }
                self.forward(frame.whole)
            }
            Backend::CommandComplete(tag) => self.completed(&tag.lossy(), frame.whole),
            Backend::EmptyQuery => self.completed("", frame.whole),
            Backend::PortalSuspended => self.suspended(frame.whole),
            Backend::ParseComplete | Backend::BindComplete | Backend::CloseComplete | Backend::NoData => {
                self.acknowledged(frame)
            }
            Backend::CopyIn(_) => {
                let Some(owner) = self.owner() else {
                    return UNASKED;
                };
                if self.copy_in.is_none() && !self.queue.copy_ended() {
                    // A COPY that came by another name: EXECUTE of a prepared one.
                    self.copy_in = CopyIn::new(owner.ticket().number(), 1);
                }
                self.queue.forget_syncs_before_copy_end();
                self.copy_accepted = !self.queue.copy_ended();
                self.forward(frame.whole)
            }
            Backend::CopyOut(response) => self.copy_out(&response, frame.whole),
            Backend::CopyDone => self.forward(frame.whole),
            Backend::Error(fields) => self.error(&fields),
            Backend::Notice(fields) => self.notice(&fields),
            Backend::Notification(notification) => {
                let payload = notification.payload.lossy().into_owned();
                let own = notification.pid == self.pid && !self.ran_code;
                let shown = self.session.message(&payload, own).into_owned();
                let mut out = Vec::new();
                encode::notification(&mut out, notification.pid, notification.channel.0, shown.as_bytes());
                self.say("notification", &shown, out)
            }
            Backend::ParameterStatus(status) => self.parameter(&status.name.lossy(), &status.value.lossy()),
            Backend::Ready(status) => self.ready(status, frame.whole),
            Backend::Authentication(_)
            | Backend::BackendKey(_)
            | Backend::CopyBoth(_)
            | Backend::FunctionResult(_)
            | Backend::Negotiate(_)
            | Backend::DataRow(_)
            | Backend::CopyData(_) => UNASKED,
        }
    }

    pub(super) fn forward(&mut self, whole: &[u8]) -> Step {
        let released = self.session.release(whole);
        self.to_client.push(released);
        Step::Go
    }

    fn say(&mut self, kind: &str, text: &str, message: Vec<u8>) -> Step {
        if let Err(refusal) = self.session.note(kind, text) {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        let released = self.session.release(message);
        self.to_client.push(released);
        Step::Go
    }

    pub(super) fn owner(&mut self) -> Option<Owner> {
        match self.queue.head()? {
            Expect::Query(run) => Some(Owner::Run(Rc::clone(run))),
            Expect::Execute { portal, .. } => Some(Owner::Portal(Rc::clone(portal))),
            Expect::Parse { .. }
            | Expect::Bind { .. }
            | Expect::DescribeStatement(_)
            | Expect::DescribePortal(_)
            | Expect::Close { .. }
            | Expect::Sync
            | Expect::CopyEnd
            | Expect::Names { .. }
            | Expect::Own(_)
            | Expect::Refused { .. } => None,
        }
    }

    fn described(&mut self, shapes: Rc<[Shape]>, whole: &[u8]) -> Step {
        match self.queue.head() {
            Some(Expect::DescribeStatement(prepared)) => {
                if let Some(prepared) = prepared {
                    *prepared.columns.borrow_mut() = Some((self.names.id, shapes));
                }
                self.queue.pop();
            }
            Some(Expect::DescribePortal(portal)) => {
                if let Some(portal) = portal {
                    // Later portals of the statement are often not described again.
                    *portal.prepared.columns.borrow_mut() = Some((portal.text.names, Rc::clone(&shapes)));
                    *portal.columns.borrow_mut() = Some(shapes);
                }
                self.queue.pop();
            }
            Some(Expect::Query(run)) => {
                let run = Rc::clone(run);
                let mut flow = self.session.begin(&run.ticket, &run.intent);
                let outputs = self.outputs_of_run(&run, self.active.index);
                let columns = columns::described(&shapes, &outputs, &self.names.catalog);
                if let Err(refusal) = self.session.describe(&mut flow, &columns, false) {
                    return Step::End(End::Refused(Box::new(refusal)));
                }
                self.active.flow = Some(flow);
            }
            _ => return UNASKED,
        }
        self.forward(whole)
    }

    pub(super) fn finish(&mut self, owner: &Owner, tag: &str, error: Option<(&str, &str)>) -> Result<(), Step> {
        let flow = match self.active.flow.take() {
            Some(flow) => flow,
            None => self.session.begin(owner.ticket(), owner.intent()),
        };
        self.active.copy = None;
        self.copy_accepted = false;
        self.progress += 1;
        if let Owner::Portal(portal) = owner {
            portal.has_returned(flow.in_all());
        }
        self.session.finish(flow, tag, error).map_err(|refusal| Step::End(End::Refused(Box::new(refusal))))
    }

    fn completed(&mut self, tag: &str, whole: &[u8]) -> Step {
        let Some(owner) = self.owner() else {
            return UNASKED;
        };
        let extended = matches!(owner, Owner::Portal(_));
        let Some(owner) = self.guarded_end(owner, tag, whole) else {
            return if extended { self.guarded_execute() } else { Step::Go };
        };
        if let Some(refusal) = self.stopped.take() {
            return self.stopped_late(&owner, &refusal);
        }
        if let Err(step) = self.finish(&owner, tag, None) {
            return step;
        }
        match owner {
            Owner::Run(run) => {
                self.settle_names(&run, self.active.index);
                self.active.index += 1;
            }
            Owner::Portal(portal) => {
                if let Some(Expect::Execute { seq, .. }) = self.queue.pop()
                    && let [only] = portal.text.analysis.statements.as_slice()
                {
                    self.settle(&only.kind, seq);
                }
            }
        }
        self.forward(whole)
    }

    fn suspended(&mut self, whole: &[u8]) -> Step {
        let Some(owner @ Owner::Portal(_)) = self.owner() else {
            return UNASKED;
        };
        let Some(owner) = self.guarded_end(owner, "suspended", whole) else {
            return self.guarded_execute();
        };
        if let Some(refusal) = self.stopped.take() {
            return self.stopped_late(&owner, &refusal);
        }
        if let Err(step) = self.finish(&owner, "suspended", None) {
            return step;
        }
        self.queue.pop();
        self.forward(whole)
    }

    fn acknowledged(&mut self, frame: Frame<'_>) -> Step {
        match (frame.tag, self.queue.pop()) {
            (b'1', Some(Expect::Parse { name, seq, .. })) => self.statements.confirm(&name, seq),
            (b'2', Some(Expect::Bind { name, seq, .. })) => self.portals.confirm(&name, seq),
            (b'3', Some(Expect::Close { statement: true, name, seq })) => self.statements.removed(&name, seq),
            (b'3', Some(Expect::Close { statement: false, name, seq })) => self.portals.removed(&name, seq),
            (b'n', Some(Expect::DescribeStatement(prepared))) => {
                if let Some(prepared) = prepared {
                    *prepared.columns.borrow_mut() = Some((self.names.id, Rc::new([])));
                }
            }
            (b'n', Some(Expect::DescribePortal(portal))) => {
                if let Some(portal) = portal {
                    *portal.columns.borrow_mut() = Some(Rc::new([]));
                }
            }
            _ => return UNASKED,
        }
        self.forward(frame.whole)
    }

    /// A statement of a simple query is done: what it did to names is now certain.
    fn settle_names(&mut self, run: &Run, index: usize) {
        let Some(statement) = run.text.analysis.statements.get(index) else {
            return;
        };
        self.settle(&statement.kind, run.seq);
    }

    fn settle(&mut self, kind: &Kind, seq: u64) {
        match kind {
            Kind::Prepare { name, .. } => self.statements.confirm(name, seq),
            Kind::DeclareCursor { name } => self.portals.confirm(name, seq),
            Kind::Deallocate { name: Some(name) } => self.statements.removed(name, seq),
            Kind::Deallocate { name: None } => self.statements.removed_all(seq),
            Kind::CloseCursor { name: Some(name) } => self.portals.removed(name, seq),
            Kind::CloseCursor { name: None } => self.portals.removed_all(seq),
            Kind::Discard { what: sql::Discard::All } => {
                self.statements.removed_all(seq);
                self.portals.removed_all(seq);
            }
            _ => {}
        }
    }

    /// A simple query failed: what its failed and later statements would have named does not exist.
    fn unsettle(&mut self, run: &Run) {
        for statement in run.text.analysis.statements.iter().skip(self.active.index) {
            match &statement.kind {
                Kind::Prepare { name, .. } => self.statements.reject(name, run.seq),
                Kind::DeclareCursor { name } => self.portals.reject(name, run.seq),
                _ => {}
            }
        }
    }

    fn ready(&mut self, status: TransactionStatus, whole: &[u8]) -> Step {
        match self.queue.pop() {
            Some(Expect::Sync | Expect::Refused { simple: true, .. }) => {}
            Some(Expect::Query(_)) if self.guard.is_some() => {
                self.active = Active::default();
                return self.guarded_ready(status);
            }
            Some(Expect::Query(_)) => {}
            _ => return UNASKED,
        }
        self.status = status;
        self.is_ready(whole)
    }

    /// The client may send its next command; in which state of the transaction is known.
    pub(super) fn is_ready(&mut self, whole: &[u8]) -> Step {
        let status = self.status;
        self.progress += 1;
        self.stopped = None;
        self.active = Active::default();
        self.copy_accepted = false;
        if self.queue.is_empty() {
            self.unsynced = false;
            self.maybe_open = status != TransactionStatus::Idle;
        }
        if status == TransactionStatus::Idle {
            if std::mem::take(&mut self.renamed) {
                // Only now do others, and so the catalogue's own connection, see what changed.
                self.keeper.mark_stale();
            }
            if self.queue.is_empty() {
                self.transaction_over();
                self.copy_in = None;
                // Portals end with their transaction; a cursor made in SQL may be WITH HOLD.
                self.portals.keep(|_, portal| portal.prepared.by_sql);
            }
        }
        self.forward(whole)
    }

    fn error(&mut self, fields: &ReportFields<'_>) -> Step {
        let fatal = fields.severity().is_some_and(|severity| matches!(severity.0, b"FATAL" | b"PANIC"));
        let refused = match self.queue.head() {
            Some(Expect::Refused { answer, simple }) if !fatal => Some((answer.clone(), *simple)),
            _ => None,
        };
        let step = if let Some((answer, simple)) = refused {
            if !simple {
                self.queue.pop();
            }
            let released = self.session.release(answer);
            self.to_client.push(released);
            Step::Go
        } else {
            self.real_error(fields)
        };
        if !fatal && !matches!(self.queue.head(), Some(Expect::Query(_) | Expect::Refused { simple: true, .. })) {
            self.skip();
        }
        step
    }

    fn real_error(&mut self, fields: &ReportFields<'_>) -> Step {
        if let Some(Expect::Query(run)) = self.queue.head() {
            let run = Rc::clone(run);
            self.unsettle(&run);
        }
        let (intent, words) = self.asked();
        let mut code = fields.sqlstate().unwrap_or("XX000").to_owned();
        let (mut message, mut shown) = self.shown(b'E', fields, intent.as_deref(), words.as_deref());
        if let Some(refusal) = self.stopped.take() {
            answer::sqlstate(refusal.kind).clone_into(&mut code);
            shown = format!("{}; {}", refusal.headline(), refusal.detail());
            message.clear();
            answer::refuse(&mut message, &refusal, false);
        }
        if let Some(owner) = self.owner()
            && let Err(step) = self.finish(&owner, "", Some((&code, &shown)))
        {
            return step;
        } else if self.owner().is_none()
            && let Err(refusal) = self.session.note("error", &format!("{code} {shown}"))
        {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        self.guarded_failure();
        let released = self.session.release(message);
        self.to_client.push(released);
        Step::Go
    }

    /// COMMIT of the gateway's own failed: what was deferred speaks now.
    pub(super) fn commit_failed(&mut self, fields: &ReportFields<'_>) -> Step {
        let (message, shown) = self.shown(b'E', fields, None, None);
        let code = fields.sqlstate().unwrap_or("XX000");
        if let Err(refusal) = self.session.note("error", &format!("{code} {shown}")) {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        let released = self.session.release(message);
        self.to_client.push(released);
        Step::Go
    }

    /// A command whose end was kept back is done: what it did to names is now certain.
    pub(super) fn settle_end(&mut self, owner: &Owner, seq: u64) {
        match owner {
            Owner::Run(run) => {
                let run = Rc::clone(run);
                self.settle_names(&run, run.text.analysis.statements.len().saturating_sub(1));
            }
            Owner::Portal(portal) => {
                if let [only] = portal.text.analysis.statements.as_slice() {
                    self.settle(&only.kind.clone(), seq);
                }
            }
        }
    }

    /// What the question at hand was, for judging an error's text.
    fn asked(&mut self) -> (Option<Arc<Intent>>, Option<Rc<str>>) {
        match self.queue.head() {
            // Constraints and triggers that were deferred speak of commands before.
            Some(Expect::Query(run)) if run.text.settles => (None, run.words.clone()),
            Some(Expect::Execute { portal, .. }) if portal.text.settles => (None, None),
            Some(Expect::Query(run)) => (Some(Arc::clone(&run.intent)), run.words.clone()),
            Some(
                Expect::Execute { portal, .. } | Expect::Bind { portal, .. } | Expect::DescribePortal(Some(portal)),
            ) => (Some(Arc::clone(&portal.intent)), Some(Rc::clone(&portal.prepared.sql))),
            Some(Expect::Parse { intent, words, .. }) => (Some(Arc::clone(intent)), words.clone()),
            Some(Expect::DescribeStatement(Some(prepared))) => {
                (Some(Arc::clone(&prepared.text.analysis.intent)), Some(Rc::clone(&prepared.sql)))
            }
            _ => (None, None),
        }
    }

    /// After an error in the extended protocol the target skips to Sync: what it skipped did not happen.
    fn skip(&mut self) {
        // Of what the client sends from now on, the target takes nothing before a Sync that is not sent yet.
        self.skipping |= self.unsynced && !self.queue.has_sync();
        for skipped in self.queue.skip_to_sync() {
            match skipped {
                Expect::Parse { name, seq, .. } => self.statements.reject(&name, seq),
                Expect::Bind { name, seq, .. } => self.portals.reject(&name, seq),
                Expect::Query(_)
                | Expect::DescribeStatement(_)
                | Expect::DescribePortal(_)
                | Expect::Execute { .. }
                | Expect::Close { .. }
                | Expect::Sync
                | Expect::CopyEnd
                | Expect::Names { .. }
                | Expect::Own(_)
                | Expect::Refused { .. } => {}
            }
        }
        self.active = Active::default();
        self.copy_accepted = false;
    }

    fn notice(&mut self, fields: &ReportFields<'_>) -> Step {
        let (intent, words) = self.asked();
        let (message, shown) = self.shown(b'N', fields, intent.as_deref(), words.as_deref());
        self.say("notice", &shown, message)
    }

    fn parameter(&mut self, name: &str, value: &str) -> Step {
        if self.session.masks_apply() && !reported(name) {
            return Step::Go;
        }
        let shown = self.session.scrub(value, false).into_owned();
        let mut out = Vec::new();
        encode::parameter_status(&mut out, name, &shown);
        self.say("parameter", &format!("{name}={shown}"), out)
    }
}

/// Settings that servers report and whose values are of closed sets, so that they can carry nothing else (GUC_REPORT).
fn reported(name: &str) -> bool {
    matches!(
        name,
        "client_encoding"
            | "DateStyle"
            | "default_transaction_read_only"
            | "in_hot_standby"
            | "integer_datetimes"
            | "IntervalStyle"
            | "is_superuser"
            | "scram_iterations"
            | "server_encoding"
            | "server_version"
            | "standard_conforming_strings"
            | "TimeZone"
    )
}
