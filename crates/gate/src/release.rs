//! Results: masked, recorded, and only then put where the client's socket can take them.
//!
//! Rows have one neutral form for recordings and digests: u16 count, then per value i32 length (-1 is NULL) and the bytes,
//! big-endian. A protocol whose own rows look like that (PostgreSQL) pays nothing for it.

use std::borrow::Cow;
use std::ops::Range;

use model::{ColumnRef, Intent, RecordLevel};
use record::{Column, Event, Finished};

use crate::flow::{Flow, HEAD_BYTES, HEAD_ROWS};
use crate::masks::{CellPlan, Cells, ColumnInfo};
use crate::refusal::RefusalKind;
use crate::stream::Streams;
use crate::{Encode, Outbox, Refusal, Released, Returned, Session, Ticket, ToClient};

/// Rows are recorded in pieces of about this size.
pub(crate) const PIECE: usize = 32 * 1024;
/// Columns named in a recording; a wider result has its first ones named.
const NAMED_COLUMNS: usize = 1664;

/// A row or a piece of bulk data that a protocol can show to the gate.
pub trait Content {
    /// The whole message as it came.
    fn raw(&self) -> &[u8];
    /// The neutral form of the row inside [`raw`](Self::raw); for bulk data, its bytes.
    fn neutral(&self) -> &[u8];
    /// Writes the message with every value passed through `cells`; answers where the neutral form lies in `out`.
    ///
    /// # Errors
    /// [`Malformed`] when the message is not what it should be; nothing of it may be shown then.
    fn rewrite(&self, cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<Range<usize>, Malformed>;
    /// Rows in it: one, or none for what only frames the others.
    fn rows(&self) -> u64 {
        1
    }
}

/// A target's message that breaks its own protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the target sent a row that breaks the protocol")]
pub struct Malformed;

impl Session {
    /// A result begins for the command of `ticket`. Until [`describe`](Self::describe) is called it has no columns, and a
    /// row would be masked whole.
    pub fn begin(&mut self, ticket: &Ticket, intent: &Intent) -> Flow {
        Flow {
            number: ticket.number,
            sent: ticket.sent,
            gateway_micros: ticket.gateway_micros,
            plan: Vec::new(),
            pass: self.masks.is_empty(),
            tainted: self.masks.tainted(intent),
            level: self.level,
            bulk: false,
            rows: 0,
            bytes: 0,
            masked: 0,
            pending: Vec::new(),
            pending_rows: 0,
            kept_rows: 0,
            kept_bytes: 0,
            left_out: false,
            digest: None,
            before: Returned::default(),
            // What was lifted under one policy is not lifted under the next.
            lift: ticket.lift.clone().filter(|_| ticket.epoch == self.in_force.epoch),
            booked: Returned::default(),
            cut: None,
            streams: Streams::default(),
        }
    }

    /// Decides the masks of a result's columns and records its shape. `bulk` is for data without rows of its own.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn describe(&mut self, flow: &mut Flow, columns: &[ColumnInfo<'_>], bulk: bool) -> Result<(), Refusal> {
        flow.plan.clear();
        flow.plan.extend(columns.iter().map(|column| match &flow.lift {
            None => self.masks.plan(column, flow.tainted),
            Some(lift) => self.masks.plan_lifted(column, flow.tainted, lift),
        }));
        flow.pass = flow.plan.iter().all(CellPlan::passes);
        if flow.plan.iter().any(|plan| matches!(plan, CellPlan::Lifted(_))) {
            // The approval was to see it once: recordings hold masked data or none.
            flow.level = flow.level.min(RecordLevel::Digest);
        }
        flow.bulk = bulk;
        if flow.level == RecordLevel::None || columns.is_empty() {
            return Ok(());
        }
        let columns = columns
            .iter()
            .zip(&flow.plan)
            .take(NAMED_COLUMNS)
            .map(|(column, plan)| Column {
                name: Cow::Borrowed(column.name.as_ref()),
                ty: Cow::Borrowed(column.type_name.as_ref()),
                binary: column.format == mask::Format::Binary,
                mask: Cow::Borrowed(plan.label()),
            })
            .collect();
        self.record(&Event::Columns { number: flow.number, columns })
    }

    /// Masks, records and releases one message of a result straight into the client's outbox. One that passes a limit is not released, nor
    /// is anything after it: the result is [cut](Flow::is_cut).
    ///
    /// # Errors
    /// When it breaks the protocol or cannot be recorded: nothing of it was released, and the session must close.
    pub fn release_row<C: Content>(
        &mut self,
        flow: &mut Flow,
        content: &C,
        outbox: &mut Outbox<ToClient>,
    ) -> Result<(), Refusal> {
        if flow.is_cut() {
            return Ok(());
        }
        let (rows, bytes, pending) = (flow.rows, flow.bytes, (flow.pending.len(), flow.pending_rows));
        let out = outbox.tail();
        let start = out.len();
        if flow.pass {
            out.extend_from_slice(content.raw());
            flow.take(content.neutral(), content.rows());
        } else {
            let mut cells = Cells {
                plan: &flow.plan,
                masks: &self.masks,
                masker: &self.gate.masker,
                hits: &mut self.hits,
                masked: 0,
            };
            match content.rewrite(&mut cells, out) {
                Ok(neutral) => {
                    flow.masked += cells.masked;
                    flow.take(out.get(neutral).unwrap_or_default(), content.rows());
                }
                Err(malformed) => {
                    out.truncate(start);
                    return Err(Refusal::of(RefusalKind::Malformed).because(malformed.to_string()));
                }
            }
        }
        if let Some(refusal) = self.over_returned(flow) {
            (flow.rows, flow.bytes) = (rows, bytes);
            flow.pending.truncate(pending.0);
            flow.pending_rows = pending.1;
            flow.booked = flow.returned();
            flow.cut_short(Box::new(refusal));
            outbox.tail().truncate(start);
            return Ok(());
        }
        if flow.pending.len() < PIECE {
            return Ok(());
        }
        let recorded = self.flush(flow);
        if recorded.is_err() {
            outbox.tail().truncate(start);
        }
        recorded
    }

    /// Releases a piece of a message that is too large to hold at once. Only for results in which nothing is masked: such a row
    /// is counted and digested, and left out of the recording's rows.
    ///
    /// # Errors
    /// When something in this result is masked or it cannot be recorded; the session must close.
    pub fn release_part(
        &mut self,
        flow: &mut Flow,
        raw: &[u8],
        neutral: &[u8],
        first: bool,
        outbox: &mut Outbox<ToClient>,
    ) -> Result<(), Refusal> {
        if !flow.pass {
            return Err(Refusal::of(RefusalKind::Limit).because("a masked row larger than the buffer"));
        }
        if first {
            self.flush(flow)?;
            flow.rows += 1;
        }
        flow.bytes += neutral.len() as u64;
        flow.left_out = true;
        if matches!(flow.level, RecordLevel::Digest | RecordLevel::Head | RecordLevel::Full) {
            flow.digest.get_or_insert_with(|| Box::new(blake3::Hasher::new())).update(neutral);
        }
        self.book(flow);
        outbox.tail().extend_from_slice(raw);
        Ok(())
    }

    /// Whether a message of this size may follow in pieces; if not, the result is [cut](Flow::is_cut).
    pub fn admits(&mut self, flow: &mut Flow, size: usize) -> bool {
        let returned = flow.returned();
        (flow.rows, flow.bytes) = (returned.rows + 1, returned.bytes + size as u64);
        let passed = self.over_returned(flow);
        (flow.rows, flow.bytes) = (returned.rows, returned.bytes);
        // The account keeps what was asked for in vain; a token that has come to its end stays there.
        flow.booked = returned;
        if let Some(refusal) = passed {
            flow.cut_short(Box::new(refusal));
        }
        !flow.is_cut()
    }

    /// Records the rows that wait in the outbox, of `flow` or of one that is finished; only now may they be written to the client. Call it
    /// before the outbox is flushed.
    ///
    /// # Errors
    /// When they cannot be recorded: they are taken back, and the session must close.
    pub fn settle(&mut self, flow: Option<&mut Flow>, outbox: &mut Outbox<ToClient>) -> Result<(), Refusal> {
        if outbox.is_settled() {
            return Ok(());
        }
        let recorded = match flow {
            Some(flow) if !flow.pending.is_empty() => self.flush(flow),
            Some(_) | None => Ok(()),
        };
        match recorded {
            Ok(()) => outbox.settle(),
            Err(_) => outbox.discard(),
        }
        recorded
    }

    /// Records what is pending of a result.
    fn flush(&mut self, flow: &mut Flow) -> Result<(), Refusal> {
        let keep = match flow.level {
            RecordLevel::None | RecordLevel::Digest => false,
            RecordLevel::Head => flow.kept_rows < HEAD_ROWS && flow.kept_bytes < HEAD_BYTES,
            RecordLevel::Full => true,
        };
        if flow.level != RecordLevel::None && flow.level != RecordLevel::Full {
            flow.digest.get_or_insert_with(|| Box::new(blake3::Hasher::new())).update(&flow.pending);
        }
        let pending = std::mem::take(&mut flow.pending);
        let count = std::mem::take(&mut flow.pending_rows);
        let recorded = if keep {
            let (rows, bytes) = flow.room(&pending, count);
            flow.left_out |= bytes < pending.len();
            flow.kept_rows += u64::from(rows);
            flow.kept_bytes += bytes as u64;
            let data = Cow::Borrowed(pending.get(..bytes).unwrap_or_default());
            let event = if flow.bulk {
                Event::Bulk { number: flow.number, to_target: false, data }
            } else {
                Event::Rows { number: flow.number, count: rows, data }
            };
            self.record(&event)
        } else {
            flow.left_out |= !pending.is_empty();
            Ok(())
        };
        flow.pending = pending;
        flow.pending.clear();
        recorded
    }

    /// Ends a result or a command without one: records how.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn finish(&mut self, mut flow: Flow, tag: &str, error: Option<(&str, &str)>) -> Result<(), Refusal> {
        if !flow.pending.is_empty() {
            // All of a short result is in the recording itself: no digest is needed beside it.
            let whole = flow.digest.is_none()
                && flow.level == RecordLevel::Head
                && flow.rows <= HEAD_ROWS
                && flow.pending.len() as u64 <= HEAD_BYTES;
            self.flush(&mut flow)?;
            if whole {
                flow.digest = None;
            }
        }
        flow.drop_needless_digest();
        self.book(&mut flow);
        if let Some(at) = self.approved.iter().position(|approved| approved.number == flow.number) {
            let id = self.approved.swap_remove(at).id;
            let outcome = error.map_or_else(|| tag.to_owned(), |(code, _)| format!("failed with {code}"));
            self.outcomes.push((id, outcome));
        }
        self.gate.metrics.masked.inc_by(flow.masked);
        let now = self.gate.clock.now();
        self.record(&Event::Finished(Finished {
            number: flow.number,
            tag: Cow::Borrowed(tag),
            error: error.map(|(code, text)| (Cow::Borrowed(code), Cow::Borrowed(text))),
            rows: flow.rows,
            bytes: flow.bytes,
            digest: flow.digest.as_ref().map(|hasher| *hasher.finalize().as_bytes()),
            masked: flow.masked,
            target_micros: u64::try_from(now.0.saturating_sub(flow.sent.0)).unwrap_or(0),
            gateway_micros: flow.gateway_micros,
        }))
    }

    /// Releases a message that carries none of the target's data: completion, readiness, the gateway's own words.
    pub fn release<M: Encode>(&mut self, message: M) -> Released<M> {
        Released::new(message)
    }

    /// A text of the target (error, notice, notification, setting) as the client may see it, recorded as such: without what detectors
    /// find, or withheld as a whole.
    pub fn scrub<'t>(&self, text: &'t str, withheld: bool) -> Cow<'t, str> {
        self.masks.scrub(text, withheld, &self.gate.masker)
    }

    /// A message of another session as this one may see it: without what detectors find, or withheld as a whole. `own` is one that this session
    /// itself sent, by a command whose words were judged.
    pub fn message<'t>(&mut self, text: &'t str, own: bool) -> Cow<'t, str> {
        // It may come long after the session last asked for something.
        self.refresh(self.gate.clock.now());
        self.scrub(text, !own && !text.is_empty() && self.masks.withholds_messages())
    }

    /// Whether texts of the target that come with this command could carry masked data. A text that belongs to no command that is known
    /// (of COMMIT, or out of the blue) could whenever columns are masked.
    #[must_use]
    pub fn withholds(&self, intent: Option<&Intent>) -> bool {
        intent.map_or_else(|| self.masks.has_columns(), |intent| self.masks.tainted(intent))
    }

    /// Whether a command may carry tokens in whose place the values that they stand for are sent: some column is shown as tokens, and nothing in
    /// the command could show or keep its own words.
    #[must_use]
    pub fn takes_tokens(&self, intent: &Intent) -> bool {
        self.masks.has_tokens() && crate::masks::tokens::keeps_values(intent)
    }

    /// The value that a token stands for, in its type and wire format, where the command only asks whether the column equals it. `names` is
    /// everything that the column's value is called. `None`: it is sent as it is, as where the command does not
    /// [take tokens](Self::takes_tokens).
    #[must_use]
    pub fn restore(
        &self,
        intent: &Intent,
        column: &ColumnRef,
        names: &[ColumnRef],
        ty: mask::ValueType,
        format: mask::Format,
        token: &[u8],
    ) -> Option<Vec<u8>> {
        if !self.takes_tokens(intent) {
            return None;
        }
        self.masks.restore(column, names, &self.gate.masker, ty, format, token)
    }

    /// Whether any mask applies in this session.
    #[must_use]
    pub fn masks_apply(&self) -> bool {
        !self.masks.is_empty()
    }

    /// Records a message that the client sees outside of a result.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn note(&mut self, kind: &str, text: &str) -> Result<(), Refusal> {
        self.record(&Event::Message { kind: Cow::Borrowed(kind), text: Cow::Borrowed(text) })
    }

    /// Records bulk data on its way to the target, before it is sent.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn bulk_in(&mut self, number: u64, data: &[u8]) -> Result<(), Refusal> {
        for piece in data.chunks(PIECE) {
            self.record(&Event::Bulk { number, to_target: true, data: Cow::Borrowed(piece) })?;
        }
        Ok(())
    }
}
