//! What comes next between a source and a sink.

use super::buffer::Buffer;
use super::line::{self, Item, Line, Reply};
use super::place::{Far, Place};

/// Folders in each other.
const DEPTH: usize = 256;
/// Bytes of content that are handed over at once.
const PIECE: usize = 64 * 1024;

/// Where a transfer is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// The sink has not said that it is there.
    Start,
    /// The source says what comes.
    Line,
    /// What it named is judged.
    Judging,
    /// The sink was told times, and answers.
    Times,
    /// The sink was told a name, and answers.
    Named,
    /// Content comes: so many bytes more.
    Content(u64),
    /// The source says whether the content was whole.
    Mark,
    /// The sink says what became of it.
    Sunk { whole: bool },
    /// The sink was told that a folder ends, and answers.
    Leaving,
    /// Nothing more is carried.
    Over,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// Something must come first.
    Wait,
    /// Nothing; ask again.
    Again,
    /// Bytes for the source.
    ToSource(Vec<u8>),
    /// Bytes for the sink.
    ToSink(Vec<u8>),
    /// The item is to be judged: [`State::permit`] or [`State::refuse`] says what came of it.
    Judge {
        /// The item.
        item: Item,
        /// Where it is.
        place: Place,
    },
    /// The item cannot be judged, and is refused for this.
    Refuse(&'static str),
    /// The permitted item's line goes to the sink.
    Name(Vec<u8>),
    /// Content of the permitted file, for the sink.
    Content(Vec<u8>),
    /// What was permitted is over; then this answer goes to the source.
    Done {
        /// For the source.
        answer: Vec<u8>,
        /// How it ended, for the recording.
        outcome: &'static str,
    },
}

/// A transfer.
#[derive(Debug)]
pub struct State {
    far: Far,
    phase: Phase,
    /// What is under way.
    item: Option<(Item, Place)>,
    /// Times of what the source names next. The sink is told of them once that is permitted.
    times: Option<Vec<u8>>,
    folders: Vec<Place>,
    source: Buffer,
    sink: Buffer,
}

impl State {
    /// A transfer that begins.
    #[must_use]
    pub fn new(far: Far) -> Self {
        Self {
            far,
            phase: Phase::Start,
            item: None,
            times: None,
            folders: Vec::new(),
            source: Buffer::default(),
            sink: Buffer::default(),
        }
    }

    /// Whether the client is the source.
    #[must_use]
    pub const fn to_target(&self) -> bool {
        self.far.to_target
    }

    /// Takes bytes of the client.
    pub fn client(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Over {
            if self.far.to_target { &mut self.source } else { &mut self.sink }.push(bytes);
        }
    }

    /// Takes bytes of the target.
    pub fn target(&mut self, bytes: &[u8]) {
        if self.phase != Phase::Over {
            if self.far.to_target { &mut self.sink } else { &mut self.source }.push(bytes);
        }
    }

    /// Bytes of the client that wait.
    #[must_use]
    pub fn from_client(&self) -> usize {
        if self.far.to_target { &self.source } else { &self.sink }.rest().len()
    }

    /// Bytes of the target that wait.
    #[must_use]
    pub fn from_target(&self) -> usize {
        if self.far.to_target { &self.sink } else { &self.source }.rest().len()
    }

    /// Whether nothing that the client has sent can lead to anything any more, should it send no more.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        if self.from_client() == 0 {
            return true;
        }
        let source = match self.phase {
            Phase::Line | Phase::Mark => true,
            Phase::Start
            | Phase::Judging
            | Phase::Times
            | Phase::Named
            | Phase::Content(_)
            | Phase::Sunk { .. }
            | Phase::Leaving
            | Phase::Over => false,
        };
        // Half a line stays one.
        let bytes = if self.far.to_target { &self.source } else { &self.sink }.rest();
        source == self.far.to_target && matches!(line::end(bytes), Ok(None)) && bytes.first() != Some(&0)
    }

    /// How many of these bytes of the source are content that may go to the sink at once; they count as taken.
    pub fn passes(&mut self, bytes: &[u8]) -> usize {
        match self.phase {
            Phase::Content(left) if self.source.is_empty() => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
                self.took(left, count);
                count
            }
            _ => 0,
        }
    }

    fn took(&mut self, left: u64, count: usize) {
        let left = left.saturating_sub(count as u64);
        self.phase = if left == 0 { Phase::Mark } else { Phase::Content(left) };
    }

    /// What comes next.
    ///
    /// # Errors
    /// What breaks the protocol: nothing more may be carried.
    pub fn advance(&mut self) -> Result<Next, &'static str> {
        match self.phase {
            Phase::Start | Phase::Times | Phase::Named | Phase::Sunk { .. } | Phase::Leaving => self.answered(),
            Phase::Line => match self.unasked()? {
                Next::Wait => self.said(),
                next => Ok(next),
            },
            Phase::Content(left) => {
                let count = usize::try_from(left).unwrap_or(usize::MAX).min(PIECE);
                let content = self.source.take(count);
                if content.is_empty() {
                    return Ok(Next::Wait);
                }
                self.took(left, content.len());
                Ok(Next::Content(content))
            }
            Phase::Mark => self.marked(),
            Phase::Judging => Ok(Next::Wait),
            Phase::Over => {
                self.source.clear();
                self.sink.clear();
                Ok(Next::Wait)
            }
        }
    }

    /// The item that was to be judged may be named to the sink.
    pub fn permit(&mut self) -> Next {
        match (self.phase, self.times.take()) {
            (Phase::Judging, Some(times)) => {
                self.phase = Phase::Times;
                Next::ToSink(times)
            }
            (Phase::Judging, None) => self.name(),
            _ => Next::Wait,
        }
    }

    /// The item may not be named to the sink, for this; for the source.
    pub fn refuse(&mut self, why: &str) -> Vec<u8> {
        let place = self.item.take().map(|(_, place)| format!("{}: ", place.shown)).unwrap_or_default();
        self.times = None;
        self.phase = Phase::Line;
        line::said(false, &format!("scp: {place}{why}"))
    }

    fn name(&mut self) -> Next {
        self.phase = Phase::Named;
        self.item.as_ref().map_or(Next::Wait, |(item, _)| Next::Name(item.line()))
    }

    /// A line of the source.
    fn said(&mut self) -> Result<Next, &'static str> {
        let Some(end) = line::end(self.source.rest())? else { return Ok(Next::Wait) };
        let bytes = self.source.take(end + 1);
        match Line::read(bytes.get(..end).unwrap_or_default())? {
            Line::Item(item) => self.named(item),
            Line::Odd(why) => {
                self.phase = Phase::Judging;
                Ok(Next::Refuse(why))
            }
            Line::Times(line) => {
                self.times = Some(line);
                Ok(Next::ToSource(Reply::Ok.bytes()))
            }
            Line::Leave if self.folders.is_empty() => Err("a folder ends that did not begin"),
            Line::Leave => {
                self.times = None;
                self.phase = Phase::Leaving;
                Ok(Next::ToSink(b"E\n".to_vec()))
            }
            Line::Words { fatal, text } => {
                if fatal {
                    self.phase = Phase::Over;
                }
                Ok(Next::ToSink(line::said(fatal, &text)))
            }
        }
    }

    fn named(&mut self, item: Item) -> Result<Next, &'static str> {
        if item.folder && !self.far.recursive {
            return Err("received directory without -r");
        }
        let place = match self.folders.last() {
            Some(folder) => folder.below(&item.name),
            None => self.far.first(item.folder, &item.name)?,
        };
        self.phase = Phase::Judging;
        let Some(place) = place else { return Ok(Next::Refuse("a path that is too long")) };
        if item.folder && self.folders.len() >= DEPTH {
            return Ok(Next::Refuse("too many folders in each other"));
        }
        self.item = Some((item.clone(), place.clone()));
        Ok(Next::Judge { item, place })
    }

    /// An answer of the sink that is waited for.
    fn answered(&mut self) -> Result<Next, &'static str> {
        let Some((reply, length)) = Reply::read(self.sink.rest())? else { return Ok(Next::Wait) };
        self.sink.take(length);
        let answer = reply.bytes();
        let (phase, ok) = (self.phase, reply == Reply::Ok);
        self.phase = if matches!(reply, Reply::Error { fatal: true, .. }) { Phase::Over } else { Phase::Line };
        let done = |outcome| Next::Done { answer: answer.clone(), outcome };
        Ok(match phase {
            Phase::Times if ok => self.name(),
            Phase::Named if ok => match self.item.take() {
                Some((item, place)) if item.folder => {
                    self.folders.push(place);
                    done("ok")
                }
                Some((item, place)) => {
                    self.phase = if item.size == 0 { Phase::Mark } else { Phase::Content(item.size) };
                    self.item = Some((item, place));
                    Next::ToSource(answer)
                }
                None => Next::ToSource(answer),
            },
            Phase::Times | Phase::Named => {
                self.item = None;
                done(reply.outcome())
            }
            Phase::Sunk { whole } => {
                self.item = None;
                done(if ok && !whole { "failed at the sender" } else { reply.outcome() })
            }
            Phase::Leaving => {
                self.folders.pop();
                Next::ToSource(answer)
            }
            Phase::Start | Phase::Line | Phase::Judging | Phase::Content(_) | Phase::Mark | Phase::Over => {
                Next::ToSource(answer)
            }
        })
    }

    /// What the sink says while nothing is asked of it: words about times of a folder that is left (OpenSSH's `sink`), which the source would
    /// take for an answer to what it says next. The sink's exit status tells of them.
    fn unasked(&mut self) -> Result<Next, &'static str> {
        match Reply::read(self.sink.rest())? {
            None => Ok(Next::Wait),
            Some((Reply::Ok, _)) => Err("an answer to nothing"),
            Some((Reply::Error { fatal, .. }, length)) => {
                self.sink.take(length);
                if fatal {
                    self.phase = Phase::Over;
                }
                Ok(Next::Again)
            }
        }
    }

    /// The source says whether the content that it sent was whole.
    fn marked(&mut self) -> Result<Next, &'static str> {
        let Some((mark, length)) = Reply::read(self.source.rest())? else { return Ok(Next::Wait) };
        self.source.take(length);
        self.phase = Phase::Sunk { whole: mark == Reply::Ok };
        Ok(Next::ToSink(mark.bytes()))
    }
}
