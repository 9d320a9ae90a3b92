//! One result on its way to the client: what is counted of it, and how much of it a recording keeps.

use std::sync::Arc;

use model::RecordLevel;
use record::Micros;

use crate::masks::CellPlan;
use crate::masks::lift::Lift;
use crate::stream::Streams;
use crate::{Refusal, Returned};

/// Rows kept of a result at level `head`.
pub(crate) const HEAD_ROWS: u64 = 1000;
/// Bytes kept of a result at level `head`.
pub(crate) const HEAD_BYTES: u64 = 1 << 20;

/// One result on its way to the client.
#[derive(Debug)]
pub struct Flow {
    pub(crate) number: u64,
    pub(crate) sent: Micros,
    pub(crate) gateway_micros: u64,
    pub(crate) plan: Vec<CellPlan>,
    /// No column needs a look.
    pub(crate) pass: bool,
    pub(crate) tainted: bool,
    pub(crate) level: RecordLevel,
    pub(crate) bulk: bool,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) masked: u64,
    pub(crate) pending: Vec<u8>,
    pub(crate) pending_rows: u32,
    pub(crate) kept_rows: u64,
    pub(crate) kept_bytes: u64,
    pub(crate) left_out: bool,
    pub(crate) digest: Option<Box<blake3::Hasher>>,
    /// What earlier results of the same portal returned.
    pub(crate) before: Returned,
    /// Masks that somebody lifted for this command.
    pub(crate) lift: Option<Arc<Lift>>,
    /// What of this result is in the token's account.
    pub(crate) booked: Returned,
    /// A limit is passed: nothing more is shown, and the client is told this at its end.
    pub(crate) cut: Option<Box<Refusal>>,
    /// Of a command whose result is byte streams.
    pub(crate) streams: Streams,
}

impl Flow {
    /// The command's number.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// Whether rows go as they are: a protocol may then hand over many at once.
    #[must_use]
    pub const fn passes(&self) -> bool {
        self.pass
    }

    /// What this result returned so far.
    pub(crate) const fn returned(&self) -> Returned {
        Returned { rows: self.rows, bytes: self.bytes }
    }

    /// What this result and those before it returned so far.
    #[must_use]
    pub const fn in_all(&self) -> Returned {
        Returned { rows: self.before.rows + self.rows, bytes: self.before.bytes + self.bytes }
    }

    /// Goes on where earlier results of the same portal ended.
    pub const fn continues(&mut self, before: Returned) {
        self.before = before;
    }

    /// The terminal that was [begun](crate::Session::terminal) is none: the target refused it.
    pub const fn no_terminal(&mut self) {
        self.streams.terminal = false;
    }

    /// Whether a limit was passed: nothing more of it is shown.
    #[must_use]
    pub const fn is_cut(&self) -> bool {
        self.cut.is_some()
    }

    /// What the client is told at its end, when a limit was passed.
    #[must_use]
    pub fn cut(&self) -> Option<&Refusal> {
        self.cut.as_deref()
    }

    /// Ends the result here: nothing more of it is shown, and the client is told why at its end. The first reason counts.
    pub fn cut_short(&mut self, refusal: Box<Refusal>) {
        self.cut.get_or_insert(refusal);
    }

    /// What is kept of it at level `head` is all of it.
    pub(crate) fn record_whole(&mut self) {
        if self.level == RecordLevel::Head {
            self.level = RecordLevel::Full;
        }
    }

    /// Nothing is kept of it, unless a rule says that all of it is.
    pub(crate) fn record_whole_or_nothing(&mut self) {
        if self.level != RecordLevel::Full {
            self.level = RecordLevel::None;
        }
    }

    /// Counts bytes of a stream; what was counted before.
    pub(crate) const fn count(&mut self, bytes: usize) -> u64 {
        let before = self.bytes;
        self.bytes += bytes as u64;
        before
    }

    /// Counts as before: what was counted last is not shown.
    pub(crate) const fn uncount(&mut self, before: u64) {
        self.bytes = before;
        self.booked = self.returned();
    }

    /// Digests a piece of a stream that is shown; how much of it is recorded.
    pub(crate) fn keeps(&mut self, data: &[u8]) -> usize {
        let keep = match self.level {
            RecordLevel::None | RecordLevel::Digest => 0,
            RecordLevel::Full => data.len(),
            RecordLevel::Head => {
                usize::try_from(HEAD_BYTES.saturating_sub(self.kept_bytes)).unwrap_or(0).min(data.len())
            }
        };
        if matches!(self.level, RecordLevel::Digest | RecordLevel::Head) {
            self.digest.get_or_insert_with(|| Box::new(blake3::Hasher::new())).update(data);
        }
        self.kept_bytes += keep as u64;
        self.left_out |= keep < data.len();
        keep
    }

    /// All of a stream is in the recording itself: no digest is needed beside it.
    pub(crate) fn drop_needless_digest(&mut self) {
        if self.streams.any && !self.left_out && self.level == RecordLevel::Head {
            self.digest = None;
        }
    }

    pub(crate) fn take(&mut self, neutral: &[u8], rows: u64) {
        self.rows += rows;
        self.bytes += neutral.len() as u64;
        if self.level != RecordLevel::None {
            self.pending.extend_from_slice(neutral);
            self.pending_rows += u32::from(!self.bulk);
        }
    }

    /// How many of the pending rows, and bytes, still fit the head.
    pub(crate) fn room(&self, pending: &[u8], count: u32) -> (u32, usize) {
        if self.level == RecordLevel::Full {
            return (count, pending.len());
        }
        let bytes_left = usize::try_from(HEAD_BYTES - self.kept_bytes.min(HEAD_BYTES)).unwrap_or(0);
        if self.bulk {
            return (0, pending.len().min(bytes_left));
        }
        let rows_left = HEAD_ROWS - self.kept_rows.min(HEAD_ROWS);
        if u64::from(count) <= rows_left && pending.len() <= bytes_left {
            return (count, pending.len());
        }
        let (mut rows, mut end) = (0, 0);
        while u64::from(rows) < rows_left && rows < count {
            match row_end(pending, end) {
                Some(next) if next <= bytes_left => end = next,
                Some(_) | None => break,
            }
            rows += 1;
        }
        (rows, end)
    }
}

/// Where the neutral row that starts at `at` ends.
fn row_end(rows: &[u8], at: usize) -> Option<usize> {
    let count = u16::from_be_bytes(rows.get(at..at + 2)?.try_into().ok()?);
    let mut at = at + 2;
    for _ in 0..count {
        let len = i32::from_be_bytes(rows.get(at..at + 4)?.try_into().ok()?);
        at = at.checked_add(4)?.checked_add(usize::try_from(len).unwrap_or(0))?;
    }
    (at <= rows.len()).then_some(at)
}
