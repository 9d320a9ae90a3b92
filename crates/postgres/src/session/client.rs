//! What the client sends, judged message by message.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use gate::{Asked, Permitted, Refusal, RefusalKind, Ticket};
use model::{Command, Intent, Unmask};
use sql::Kind;

use super::expect::{Expect, OUTSTANDING, Run};
use super::prepared::{Portal, Prepared};
use super::{CopyIn, End, Parked, Relay, Step, Then};
use crate::classify::{self, Text};
use crate::names::Full;
use crate::wire::frontend::{Bind, Close, Describe, Execute, Parse, Subject};
use crate::wire::{Format, Frame, Frontend, TransactionStatus, WireError, encode};
use crate::{answer, types};

/// Bytes of a statement's or portal's name that servers keep (`NAMEDATALEN - 1`): longer ones with the same beginning are one name to them.
const NAME: usize = 63;

/// A Bind on its way to become a portal.
#[derive(Debug)]
pub(crate) struct Bound {
    name: Rc<str>,
    prepared: Rc<Prepared>,
    text: Rc<Text>,
    intent: Arc<Intent>,
    values: Vec<Option<String>>,
    formats: Box<[Format]>,
    refers_to: Option<Box<str>>,
}

impl Bound {
    /// The same under the names of another moment.
    pub(super) fn renewed(self, text: Rc<Text>, intent: Arc<Intent>) -> Self {
        Self { text, intent, ..self }
    }

    pub(super) fn command<'b>(&'b self, spelt: &'b str, in_transaction: bool, unmask: &'b [Unmask]) -> Command<'b> {
        Command { intent: &self.intent, text: spelt, values: &self.values, in_transaction, unmask }
    }

    /// What it runs, what that would do, and with which values.
    pub(crate) fn parts(&self) -> (&Rc<Prepared>, &Rc<Text>, &Arc<Intent>, &[Option<String>]) {
        (&self.prepared, &self.text, &self.intent, &self.values)
    }
}

impl Relay {
    /// One message of the client.
    pub(crate) fn client(&mut self, frame: Frame<'_>) -> Step {
        if self.queue.len() >= OUTSTANDING && !matches!(frame.tag, b'S' | b'X' | b'd' | b'c' | b'f') {
            return Step::Wait;
        }
        if self.is_stopping() || self.waits_for_guard(frame.tag) {
            return Step::Wait;
        }
        let message = match Frontend::parse(frame.tag, frame.body) {
            Ok(message) => message,
            Err(error) => return self.unreadable(frame.tag, &error),
        };
        if self.skipping && !matches!(message, Frontend::Sync | Frontend::Terminate) {
            return Step::Go;
        }
        if message.names().iter().any(|name| name.len() > NAME) {
            return self.error_extended("42622", "a name of a statement or portal is longer than 63 bytes");
        }
        let step = match message {
            Frontend::Query(sql) => self.query(sql, frame.whole),
            Frontend::Parse(parse) => self.parse(&parse, frame.whole),
            Frontend::Bind(bind) => self.bind(&bind, frame.whole),
            Frontend::Describe(describe) => self.describe(&describe, frame.whole),
            Frontend::Execute(execute) => self.execute(&execute, frame.whole),
            Frontend::Close(close) => self.close(&close, frame.whole),
            Frontend::Flush => self.pass(frame.whole, None),
            Frontend::Sync => self.sync(frame.whole),
            Frontend::FunctionCall(_) => self.function_call(),
            Frontend::CopyData(data) => self.copy_data(data, frame.whole),
            Frontend::CopyDone | Frontend::CopyFail(_) => self.copy_done(frame.whole),
            Frontend::Answer(_) => Step::End(End::Broken("a login message after the login")),
            Frontend::Terminate => Step::End(End::Client),
        };
        if !matches!(step, Step::Refresh | Step::Analyze(_) | Step::Wait) {
            self.apart = None;
            self.looked_again = false;
        }
        step
    }

    /// A message that could not be read: an error like the server's where the boundaries hold, else the end.
    fn unreadable(&mut self, tag: u8, error: &WireError) -> Step {
        if !error.in_step() {
            return Step::End(End::Broken("a message that cannot be read"));
        }
        if self.skipping {
            return Step::Go;
        }
        let text = error.to_string();
        // A function call ends with ReadyForQuery, like a simple query.
        if matches!(tag, b'Q' | b'F') {
            self.scratch.clear();
            answer::error(&mut self.scratch, error.sqlstate(), &text);
            return self.answer_simple();
        }
        self.error_extended(error.sqlstate(), &text)
    }

    /// The analysis of a text under the names of this moment, or what must happen first.
    fn analyze(&mut self, sql: &str) -> Result<Rc<Text>, Step> {
        let open = self.session.open_to_all();
        if !open {
            self.look_up()?;
        }
        let Some(text) = self.known_text(sql) else {
            return Err(Step::Analyze(sql.to_owned()));
        };
        if !open && !text.analysis.misses.is_empty() && !self.looked_again {
            return Err(self.look_again());
        }
        Ok(text)
    }

    fn query(&mut self, sql: &str, whole: &[u8]) -> Step {
        let text = match self.analyze(sql) {
            Ok(text) => text,
            Err(step) => return step,
        };
        if self.is_uncertain(&text) && !self.queue.is_empty() {
            return Step::Wait;
        }
        let intent = self.resolve(&text);
        if self.session.checks_changes(&intent) && !self.queue.is_empty() {
            return Step::Wait;
        }
        let unmask = match self.in_clear(sql) {
            Ok(unmask) => unmask,
            Err(why) => return self.refuse_unmask(&why, true),
        };
        let spelt = self.spelt_out(sql, &text);
        let in_transaction = self.in_transaction();
        let command = Command { intent: &intent, text: &spelt, values: &[], in_transaction, unmask: &unmask };
        let restored = self.with_values(sql, &text, &intent).map(|sql| {
            let mut message = Vec::new();
            encode::query(&mut message, &sql);
            message
        });
        match self.session.ask(&command, restored.as_deref().unwrap_or(whole)) {
            Asked::Allow(permitted, ticket) => self.send_query(permitted, ticket, sql, text, intent),
            Asked::Deny(refusal) => self.refuse_simple(&not_understood(*refusal, &text)),
            Asked::Hold(held) => Step::Park(Box::new(Parked {
                held: held.into_owned(),
                then: Then::Query { sql: sql.into(), text, intent },
            })),
            Asked::Close(refusal) => Step::End(End::Refused(refusal)),
        }
    }

    pub(super) fn send_query<M: gate::Encode>(
        &mut self,
        permitted: Permitted<M>,
        ticket: Ticket,
        sql: &str,
        text: Rc<Text>,
        intent: Arc<Intent>,
    ) -> Step {
        self.seq += 1;
        let guarded = self.session.checks_changes(&intent) && self.status != TransactionStatus::Failed;
        if let (true, Some(why)) = (guarded, self.unguarded(&text)) {
            return self.refuse_unguarded(&ticket, &intent, why, true);
        }
        if let Err(Full) = self.learn_names(&text, &ticket, &intent, sql) {
            return self.refuse_simple(&too_many_names());
        }
        if guarded {
            self.guard_query(text.counted);
        }
        self.progress += 1;
        self.to_target.push(permitted);
        let copies = text.analysis.statements.iter().filter(|statement| matches!(statement.kind, Kind::CopyIn { .. }));
        self.copy_in = CopyIn::new(ticket.number(), copies.count());
        self.note_effects(&text);
        self.ran_code |= classify::runs_code(&intent);
        let words = self.session.masks_apply().then(|| Rc::from(sql));
        self.queue.push(Expect::Query(Rc::new(Run { ticket, text, intent, seq: self.seq, words })));
        self.batch = self.seq;
        Step::Go
    }

    /// What a text does to the session's own state, from the moment it is sent.
    fn note_effects(&mut self, text: &Text) {
        for referred in self.referred(text) {
            self.note_own_effects(&referred);
        }
        self.note_own_effects(text);
    }

    fn note_own_effects(&mut self, text: &Text) {
        self.maybe_open |= text.begins;
        if text.changes_names {
            self.renamed = true;
            self.keeper.mark_stale();
        }
        let turned_back = self.renamed && text.turns_back;
        if turned_back || !text.analysis.fresh.is_empty() {
            let unknown = sql::Fresh::unknown();
            self.note_fresh(if turned_back { &unknown } else { &text.analysis.fresh });
        }
        self.widen_path(text.path());
    }

    fn parse(&mut self, parse: &Parse<'_>, whole: &[u8]) -> Step {
        if !self.statements.has_room(parse.name) {
            return self.full_or_wait();
        }
        let declared: Box<[u32]> = parse.types.oids().collect();
        let text = match self.analyze(parse.query) {
            Ok(text) => text.with_types(&declared, &self.names.catalog),
            Err(step) => return step,
        };
        let intent = self.resolve(&text);
        let unmask = match self.in_clear(parse.query) {
            Ok(unmask) => unmask,
            Err(why) => return self.refuse_unmask(&why, false),
        };
        let in_transaction = self.in_transaction();
        let command = Command { intent: &intent, text: parse.query, values: &[], in_transaction, unmask: &unmask };
        let restored = self.with_values(parse.query, &text, &intent).map(|sql| {
            let mut message = Vec::new();
            encode::parse(&mut message, parse.name, &sql, &declared);
            message
        });
        match self.session.ask_prepare(&command, restored.as_deref().unwrap_or(whole)) {
            Asked::Allow(permitted, _) => {
                self.seq += 1;
                let prepared = Rc::new(Prepared {
                    sql: parse.query.into(),
                    text,
                    types: RefCell::new(declared.to_vec()),
                    declared,
                    columns: RefCell::new(None),
                    by_sql: false,
                });
                if let Err(Full) = self.statements.add(parse.name, self.seq, prepared) {
                    return self.refuse_extended(&too_many_names());
                }
                self.to_target.push(permitted);
                self.unsynced = true;
                let words = self.session.masks_apply().then(|| Rc::from(parse.query));
                self.queue.push(Expect::Parse { name: parse.name.into(), seq: self.seq, words, intent });
                Step::Go
            }
            Asked::Deny(refusal) => self.refuse_extended(&not_understood(*refusal, &text)),
            Asked::Hold(_) => Step::End(End::Broken("a Parse was held")),
            Asked::Close(refusal) => Step::End(End::Refused(refusal)),
        }
    }

    /// No room for a name: the client waits for answers, which make room; with none outstanding it has too many names.
    fn full_or_wait(&mut self) -> Step {
        if self.queue.is_empty() { self.refuse_extended(&too_many_names()) } else { Step::Wait }
    }

    fn bind(&mut self, bind: &Bind<'_>, whole: &[u8]) -> Step {
        if !self.session.open_to_all()
            && let Err(step) = self.look_up()
        {
            return step;
        }
        let found = self.statements.find(bind.statement, self.batch);
        if !self.portals.has_room(bind.portal) || found.is_uncertain() {
            return self.full_or_wait();
        }
        let Some(prepared) = found.one().cloned() else {
            let text = if bind.statement.is_empty() {
                "unnamed prepared statement does not exist".to_owned()
            } else {
                format!("prepared statement \"{}\" does not exist", bind.statement)
            };
            return self.error_extended("26000", &text);
        };
        let Some(text) = self.text_now(&prepared) else {
            return Step::Analyze(prepared.sql.to_string());
        };
        let values = bind_values(bind, &prepared);
        if self.is_uncertain(&text) && !self.queue.is_empty() {
            return Step::Wait;
        }
        let unmask = match self.prepared_in_clear(&prepared) {
            Ok(unmask) => unmask,
            Err(why) => return self.refuse_unmask(&why, false),
        };
        let intent = self.bound_intent(&text, &values);
        let refers_to = self.refers_to(&prepared.sql, &text);
        let formats = bind.results.iter().collect();
        let bound = Bound { name: bind.portal.into(), prepared, text, intent, values, formats, refers_to };
        let spelt = self.spelt_out(&bound.prepared.sql, &bound.text);
        let in_transaction = self.in_transaction();
        let command = bound.command(&spelt, in_transaction, &unmask);
        let restored = self.bind_with_values(bind, &bound.prepared, &bound.text, &bound.intent);
        match self.session.ask(&command, restored.as_deref().unwrap_or(whole)) {
            Asked::Allow(permitted, ticket) => self.send_bind(permitted, ticket, bound),
            Asked::Deny(refusal) => self.refuse_extended(&refusal),
            Asked::Hold(held) => Step::Park(Box::new(Parked { held: held.into_owned(), then: Then::Bind(bound) })),
            Asked::Close(refusal) => Step::End(End::Refused(refusal)),
        }
    }

    pub(super) fn send_bind<M: gate::Encode>(&mut self, permitted: Permitted<M>, ticket: Ticket, bound: Bound) -> Step {
        self.seq += 1;
        let Bound { name, prepared, text, intent, values, formats, refers_to } = bound;
        let portal = Rc::new(Portal {
            ticket,
            prepared,
            text,
            intent,
            values,
            formats,
            refers_to,
            columns: RefCell::new(None),
            returned: Cell::default(),
            of: None,
        });
        if let Err(Full) = self.portals.add(&name, self.seq, Rc::clone(&portal)) {
            return self.refuse_extended(&too_many_names());
        }
        self.to_target.push(permitted);
        self.unsynced = true;
        self.queue.push(Expect::Bind { portal, name, seq: self.seq });
        Step::Go
    }

    fn describe(&mut self, describe: &Describe<'_>, whole: &[u8]) -> Step {
        self.unsynced = true;
        let expect = match describe.subject {
            Subject::Statement => {
                Expect::DescribeStatement(self.statements.find(describe.name, self.batch).one().cloned())
            }
            Subject::Portal => Expect::DescribePortal(self.portals.find(describe.name, self.batch).one().cloned()),
        };
        self.pass(whole, Some(expect))
    }

    fn execute(&mut self, execute: &Execute<'_>, whole: &[u8]) -> Step {
        let found = self.portals.find(execute.portal, self.batch);
        if found.is_uncertain() {
            return self.full_or_wait();
        }
        let Some(portal) = found.one().cloned() else {
            let text = format!("portal \"{}\" does not exist", execute.portal);
            return self.error_extended("34000", &text);
        };
        let portal = if portal.text.refers { self.referring(portal) } else { portal };
        let guarded = self.session.checks_changes(&portal.intent);
        if guarded && !self.queue.is_empty() {
            return Step::Wait;
        }
        let spelt = self.spelt_out(&portal.prepared.sql, &portal.text);
        // What was resolved when it was bound, and cannot be any more, is in the ticket alone, which counts as long as it holds.
        let unmask = self.prepared_in_clear(&portal.prepared).unwrap_or_default();
        let command = Command {
            intent: &portal.intent,
            text: &spelt,
            values: &portal.values,
            in_transaction: self.in_transaction(),
            unmask: &unmask,
        };
        match self.session.ask_again(&portal.ticket, &command, whole) {
            Asked::Allow(permitted, _) => {
                if let (true, Some(why)) = (guarded, self.unguarded(&portal.text)) {
                    return self.refuse_unguarded(&portal.ticket, &portal.intent, why, false);
                }
                if guarded {
                    // A portal that is read in pieces has changed all its rows before the first.
                    self.guard_execute(portal.text.counted && execute.max_rows <= 0);
                }
                self.progress += 1;
                self.to_target.push(permitted);
                self.unsynced = true;
                self.seq += 1;
                let sql = Rc::clone(&portal.prepared.sql);
                if self.learn_names(&portal.text, &portal.ticket, &portal.intent, &sql).is_err() {
                    return Step::End(End::Refused(Box::new(too_many_names())));
                }
                self.note_effects(&Rc::clone(&portal.text));
                self.ran_code |= classify::runs_code(&portal.intent);
                let copies = |s: &sql::Statement| matches!(s.kind, Kind::CopyIn { .. });
                if portal.text.analysis.statements.iter().any(copies) {
                    self.copy_in = CopyIn::new(portal.ticket.number(), 1);
                }
                self.queue.push(Expect::Execute { portal, seq: self.seq });
                Step::Go
            }
            Asked::Deny(refusal) => self.refuse_extended(&refusal),
            // Approved once when it was bound; the policy has changed since, so it is asked for as a whole again.
            Asked::Hold(held) => {
                let (refusal, _) = self.session.abandon(held.into_owned(), false);
                self.refuse_extended(&Refusal { kind: RefusalKind::ApprovalStale, ..refusal })
            }
            Asked::Close(refusal) => Step::End(End::Refused(refusal)),
        }
    }

    /// A command that policy allows, and whose limits cannot be checked.
    fn refuse_unguarded(&mut self, ticket: &Ticket, intent: &Intent, why: &str, simple: bool) -> Step {
        let refusal = self.session.uncounted(ticket, why);
        let flow = self.session.begin(ticket, intent);
        if let Err(refusal) = self.session.finish(flow, "", Some((answer::sqlstate(refusal.kind), why))) {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        if simple { self.refuse_simple(&refusal) } else { self.refuse_extended(&refusal) }
    }

    fn close(&mut self, close: &Close<'_>, whole: &[u8]) -> Step {
        self.seq += 1;
        self.unsynced = true;
        let expect =
            Expect::Close { statement: close.subject == Subject::Statement, name: close.name.into(), seq: self.seq };
        self.pass(whole, Some(expect))
    }

    fn sync(&mut self, whole: &[u8]) -> Step {
        self.skipping = false;
        // While the target takes COPY data it ignores Sync, and so gives no answer to it.
        let ignored = self.copy_accepted;
        self.seq += 1;
        self.batch = self.seq;
        self.pass(whole, (!ignored).then_some(Expect::Sync))
    }

    fn copy_data(&mut self, data: &[u8], whole: &[u8]) -> Step {
        if let Some(copy) = &self.copy_in
            && let Err(refusal) = self.session.bulk_in(copy.number, data)
        {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        self.pass(whole, None)
    }

    /// The client ended the data of one COPY. Outside of a COPY the target ignores it.
    fn copy_done(&mut self, whole: &[u8]) -> Step {
        self.copy_accepted = false;
        let ends = self.copy_in.take();
        let expect = ends.is_some().then_some(Expect::CopyEnd);
        self.copy_in = ends.and_then(|copy| CopyIn::new(copy.number, copy.left - 1));
        self.pass(whole, expect)
    }

    /// The fast-path call runs a function by OID, around every statement: never carried.
    fn function_call(&mut self) -> Step {
        if let Err(refusal) = self.session.control_note("FunctionCall", "refused") {
            return Step::End(End::Refused(Box::new(refusal)));
        }
        let refusal =
            Refusal::of(RefusalKind::Unsupported).because("FunctionCall is not carried; call the function in a SELECT");
        // Like a simple query, a function call ends with ReadyForQuery.
        self.refuse_simple(&refusal)
    }
}

fn bind_values(bind: &Bind<'_>, prepared: &Prepared) -> Vec<Option<String>> {
    let types = prepared.types.borrow();
    bind.values
        .iter()
        .enumerate()
        .map(|(index, value)| {
            let binary = bind.formats.of(index) == Some(Format::Binary);
            let oid = types.get(index).copied().unwrap_or(0);
            value.map(|value| types::bind_text(oid, binary, value))
        })
        .collect()
}

/// A denial of a text that nobody understands says so first: most are slips of the pen.
fn not_understood(refusal: Refusal, text: &Text) -> Refusal {
    match (&text.analysis.problem, refusal.kind) {
        (Some(problem), RefusalKind::NotCovered | RefusalKind::Denied) => {
            Refusal { kind: RefusalKind::NotUnderstood, ..refusal }.because(problem.message.clone())
        }
        _ => refusal,
    }
}

fn too_many_names() -> Refusal {
    Refusal::of(RefusalKind::Limit).because("too many prepared statements and cursors; close some")
}
