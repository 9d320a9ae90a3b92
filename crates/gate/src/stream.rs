//! Byte streams: what programs print and read. Masked, recorded, and only then put where the client's socket can take them.
//!
//! A stream has no rows: it is recorded in the pieces in which it came, each with its time. At level `head` the first bytes are kept and all
//! of it is counted and digested; a terminal's stream is kept whole at that level, too, because nobody can look at half a screen.

use std::borrow::Cow;

use mask::TerminalMasker;
use model::RecordLevel;
use record::{Event, StreamKind};

use crate::flow::HEAD_BYTES;
use crate::release::PIECE;
use crate::{Encode, Flow, Outbox, Permitted, Refusal, Session, ToClient, ToTarget};

/// Typed bytes that are counted at most: more is pasted, and nobody waits for each of its letters.
const TYPED: usize = 32;
/// Bytes that a line editor prints for one typed, cursor movements included.
const ECHO: usize = 8;

/// Bytes of a stream that were masked and recorded, and wait for the client to take them. Only a [`Session`] puts any in, and only the
/// client's outbox takes them out.
#[derive(Debug, Default)]
#[must_use = "what is shown and not sent is lost"]
pub struct Shown {
    bytes: Vec<u8>,
    taken: usize,
}

impl Shown {
    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len().saturating_sub(self.taken)
    }

    /// Whether none wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The next ones, at most so many.
    fn take(&mut self, most: usize) -> &[u8] {
        let start = self.taken;
        self.taken = start.saturating_add(most).min(self.bytes.len());
        self.bytes.get(start..self.taken).unwrap_or_default()
    }

    /// Gives back the room of what was taken.
    fn tidy(&mut self) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        } else if self.taken > 64 * 1024 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
    }
}

/// Bytes that were permitted and that the target has no room for yet. Only what is [`Permitted`] comes in, and only the target's outbox takes
/// it out.
#[derive(Debug, Default)]
#[must_use = "what is given and not sent is lost"]
pub struct Given(Shown);

impl Given {
    /// Takes a judged message as the bytes that it encodes to.
    pub fn add<M: Encode>(&mut self, message: Permitted<M>) {
        message.into_inner().encode(&mut self.0.bytes);
    }

    /// Bytes that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Outbox<ToTarget> {
    /// Takes at most `most` permitted bytes, in the frame that the protocol puts around them; how many.
    pub fn push_given(&mut self, given: &mut Given, most: usize, frame: impl FnOnce(&mut Vec<u8>, &[u8])) -> usize {
        push_part(self, &mut given.0, most, frame)
    }
}

/// For how long a program has printed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Silence {
    /// Less than a person notices.
    Moment,
    /// Longer than a program that is at work pauses: it may wait for an answer.
    Long,
}

/// What keeps a stream's state between its pieces.
#[derive(Default)]
pub struct Streams {
    // Boxed: every command has streams, and few are looked into.
    output: Option<Box<TerminalMasker>>,
    error: Option<Box<TerminalMasker>>,
    /// What hides values in the input, in its recording.
    input_masker: Option<Box<TerminalMasker>>,
    /// Bytes of input that are recorded.
    input: u64,
    /// The program has a terminal.
    pub(crate) terminal: bool,
    /// Bytes typed since the program last printed.
    typed: usize,
    /// Something was shown.
    pub(crate) any: bool,
    /// The stream is another protocol's: nothing looks for values in it.
    carried: bool,
    /// What is shown next is recorded otherwise, or not at all.
    left_out: bool,
}

impl Flow {
    /// The command carries another protocol, of which a rule has named both ends. No mask looks into it: it would break what it cannot read.
    pub const fn carry(&mut self) {
        self.streams.carried = true;
    }

    /// Whether masks hold back something of what the program printed, because more could come: if nothing does for a moment,
    /// [`Session::show_waiting`] shows it.
    #[must_use]
    pub fn waits(&self) -> bool {
        [&self.streams.output, &self.streams.error].into_iter().flatten().any(|masker| masker.held() > 0)
    }

    /// The command carries files, which are recorded one by one, by size and digest ([`Session::file`]); their content only where a rule
    /// says `full`.
    pub fn transfer(&mut self) {
        self.streams.carried = true;
        self.record_whole_or_nothing();
    }

    /// Whether what is shown next is left out of the stream's recording: content of a file, which [`Session::content`] has recorded.
    pub const fn leave_out(&mut self, left_out: bool) {
        self.streams.left_out = left_out;
    }
}

impl Streams {
    /// Whether a piece is what a terminal echoes of what was just typed: short, and right behind it. It is shown at once, as after a moment of
    /// silence: whoever types sees every key.
    fn is_echo(&mut self, data: &[u8]) -> bool {
        let typed = std::mem::take(&mut self.typed);
        typed > 0 && data.len() <= typed * ECHO + ECHO
    }
}

impl std::fmt::Debug for Streams {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Streams").finish_non_exhaustive()
    }
}

impl Outbox<ToClient> {
    /// Takes at most `most` bytes that are shown, in the frame that the protocol puts around them; how many.
    pub fn push_shown(&mut self, shown: &mut Shown, most: usize, frame: impl FnOnce(&mut Vec<u8>, &[u8])) -> usize {
        push_part(self, shown, most, frame)
    }
}

fn push_part<S>(
    outbox: &mut Outbox<S>,
    bytes: &mut Shown,
    most: usize,
    frame: impl FnOnce(&mut Vec<u8>, &[u8]),
) -> usize {
    let part = bytes.take(most);
    let len = part.len();
    if len > 0 {
        outbox.append(|out| frame(out, part));
    }
    bytes.tidy();
    len
}

impl Session {
    /// Masks and records a piece of what a program prints, and puts it where the client's outbox takes it from. One that passes a limit is
    /// not shown, nor is anything after it: the flow is [cut](Flow::is_cut).
    ///
    /// # Errors
    /// When it cannot be recorded: it is not shown, and the session must close.
    pub fn show(&mut self, flow: &mut Flow, stream: StreamKind, data: &[u8], shown: &mut Shown) -> Result<(), Refusal> {
        if flow.is_cut() || data.is_empty() {
            return Ok(());
        }
        let start = shown.bytes.len();
        self.mask_piece(flow, stream, data, &mut shown.bytes);
        if flow.streams.is_echo(data)
            && let Some(masker) = &mut flow.streams.output
        {
            masker.flush(&mut shown.bytes);
        }
        self.shown(flow, stream, start, shown)
    }

    /// The program prints no more: what masks held back is shown as [`show`](Self::show) does.
    ///
    /// # Errors
    /// When it cannot be recorded: it is not shown, and the session must close.
    pub fn show_rest(&mut self, flow: &mut Flow, stream: StreamKind, shown: &mut Shown) -> Result<(), Refusal> {
        let start = shown.bytes.len();
        let scanner = match stream {
            StreamKind::Input => None,
            StreamKind::Output => flow.streams.output.take(),
            StreamKind::Error => flow.streams.error.take(),
        };
        if let Some(mut scanner) = scanner {
            scanner.finish(&mut shown.bytes);
        }
        self.shown(flow, stream, start, shown)
    }

    /// Nothing more came for a while: what masks hold back only because more could come is shown, as [`show`](Self::show) does. Without a
    /// terminal a program reads it, perhaps, and can wait: after a moment only what stays as it is whatever follows is shown.
    ///
    /// # Errors
    /// When it cannot be recorded: it is not shown, and the session must close.
    pub fn show_waiting(
        &mut self,
        flow: &mut Flow,
        stream: StreamKind,
        silence: Silence,
        shown: &mut Shown,
    ) -> Result<(), Refusal> {
        let start = shown.bytes.len();
        let masker = match stream {
            StreamKind::Input => None,
            StreamKind::Output => flow.streams.output.as_mut(),
            StreamKind::Error => flow.streams.error.as_mut(),
        };
        if let Some(masker) = masker {
            match silence {
                Silence::Moment if !flow.streams.terminal => masker.flush_certain(&mut shown.bytes),
                Silence::Moment | Silence::Long => masker.flush(&mut shown.bytes),
            }
        }
        self.shown(flow, stream, start, shown)
    }

    fn mask_piece(&self, flow: &mut Flow, stream: StreamKind, data: &[u8], out: &mut Vec<u8>) {
        let place = match stream {
            StreamKind::Error => &mut flow.streams.error,
            StreamKind::Input | StreamKind::Output => &mut flow.streams.output,
        };
        if place.is_none() && !flow.streams.carried {
            *place = self.masks.scanner(&self.gate.masker).map(Box::new);
        }
        match place {
            Some(scanner) => scanner.push(data, out),
            None => out.extend_from_slice(data),
        }
    }

    /// Counts and records what was appended behind `start`, or takes it back.
    fn shown(&mut self, flow: &mut Flow, stream: StreamKind, start: usize, shown: &mut Shown) -> Result<(), Refusal> {
        let data = shown.bytes.get(start..).unwrap_or_default();
        if data.is_empty() {
            return Ok(());
        }
        let before = flow.count(data.len());
        if let Some(refusal) = self.over_returned(flow) {
            flow.uncount(before);
            flow.cut_short(Box::new(refusal));
            shown.bytes.truncate(start);
            return Ok(());
        }
        flow.streams.any = true;
        let keep = if flow.streams.left_out { 0 } else { flow.keeps(data) };
        let kept = data.get(..keep).unwrap_or_default();
        let recorded = if kept.is_empty() {
            Ok(())
        } else {
            self.record(&Event::Stream { number: flow.number(), stream, data: Cow::Borrowed(kept) })
        };
        if recorded.is_err() {
            shown.bytes.truncate(start);
        }
        recorded
    }

    /// Records a piece of what a client sends to a program, before it is sent, without what detectors find; what they wait for is recorded
    /// with the piece that decides it, or at the [end](Self::input_rest). What is typed into a terminal is recorded as its echo: what a
    /// program does not echo is meant to be seen by nobody.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn input(&mut self, flow: &mut Flow, data: &[u8]) -> Result<(), Refusal> {
        if flow.streams.terminal {
            flow.streams.typed = (flow.streams.typed + data.len()).min(TYPED);
            return Ok(());
        }
        if flow.streams.input_masker.is_none() && !flow.streams.carried {
            flow.streams.input_masker = self.masks.scanner(&self.gate.masker).map(Box::new);
        }
        match &mut flow.streams.input_masker {
            None => self.record_input(flow, data),
            Some(masker) => {
                let mut masked = Vec::new();
                masker.push(data, &mut masked);
                self.record_input(flow, &masked)
            }
        }
    }

    /// The client sends no more, or the program is over: what detectors waited for is recorded.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn input_rest(&mut self, flow: &mut Flow) -> Result<(), Refusal> {
        let mut masked = Vec::new();
        if let Some(mut masker) = flow.streams.input_masker.take() {
            masker.finish(&mut masked);
        }
        self.record_input(flow, &masked)
    }

    fn record_input(&mut self, flow: &mut Flow, data: &[u8]) -> Result<(), Refusal> {
        let keep = match flow.level {
            RecordLevel::None | RecordLevel::Digest => 0,
            RecordLevel::Full => data.len(),
            RecordLevel::Head => {
                usize::try_from(HEAD_BYTES.saturating_sub(flow.streams.input)).unwrap_or(0).min(data.len())
            }
        };
        flow.streams.input += keep as u64;
        match data.get(..keep) {
            Some(kept) if !kept.is_empty() => {
                let data = Cow::Borrowed(kept);
                self.record(&Event::Stream { number: flow.number(), stream: StreamKind::Input, data })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// A terminal begins, or changes its size. `term` is what the client calls it; empty when only the size changed.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn terminal(&mut self, flow: &mut Flow, term: &str, columns: u32, rows: u32) -> Result<(), Refusal> {
        flow.streams.terminal |= !term.is_empty();
        flow.record_whole();
        self.record(&Event::Terminal { number: flow.number(), term: Cow::Borrowed(term), columns, rows })
    }

    /// Records content of a file, before it goes on, where a rule says `full`. `flow` is that of the operation which opened the file.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn content(&mut self, flow: &Flow, content: &FileContent<'_>) -> Result<(), Refusal> {
        if flow.level != RecordLevel::Full {
            return Ok(());
        }
        let FileContent { number, to_target, mut offset, data } = *content;
        for piece in data.chunks(PIECE) {
            self.record(&Event::Content { number, to_target, offset, data: Cow::Borrowed(piece) })?;
            offset = offset.saturating_add(piece.len() as u64);
        }
        Ok(())
    }

    /// Records a finished operation on a file.
    ///
    /// # Errors
    /// When it cannot be recorded; the session must close.
    pub fn file(&mut self, number: u64, done: &FileDone<'_>) -> Result<(), Refusal> {
        self.record(&Event::File {
            number,
            operation: Cow::Borrowed(done.operation),
            path: Cow::Borrowed(done.path),
            to: done.to.map(Cow::Borrowed),
            size: done.size,
            digest: done.digest,
            outcome: Cow::Borrowed(done.outcome),
        })
    }
}

/// Content of a file of the target that passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileContent<'a> {
    /// The number of the operation that opened the file.
    pub number: u64,
    /// Whether it goes to the target.
    pub to_target: bool,
    /// Where in the file it is.
    pub offset: u64,
    /// The bytes.
    pub data: &'a [u8],
}

/// A finished operation on a file of the target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileDone<'a> {
    /// `get`, `put`, `remove`, `rename`, …
    pub operation: &'a str,
    /// The file.
    pub path: &'a str,
    /// Where it went, if it was renamed or linked.
    pub to: Option<&'a str>,
    /// Bytes of content that passed.
    pub size: u64,
    /// BLAKE3 of the content that passed, if any did.
    pub digest: Option<[u8; 32]>,
    /// `ok`, or the target's word for why not.
    pub outcome: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command carries it, and every session keeps room for some.
    #[test]
    fn what_a_command_carries_is_small() {
        assert!(size_of::<Flow>() <= 512, "{} bytes", size_of::<Flow>());
    }
}
