//! What a file transfer has under way: handles that are open, and requests that are not answered.

use std::collections::HashMap;

use gate::{Flow, Ticket};

use crate::classify::Asked;

/// Things that may be open at once.
const HANDLES: usize = 1024;
/// Requests that may be unanswered at once; more wait.
const UNANSWERED: usize = 4096;

/// Something that is open.
pub(crate) struct Open {
    /// The number of the command that opened it.
    pub(crate) number: u64,
    pub(crate) asked: Asked,
    pub(crate) ticket: Ticket,
    pub(crate) flow: Option<Flow>,
    /// `get`, `put` or `list`.
    pub(crate) word: &'static str,
    pub(crate) path: String,
    /// What was written to it.
    sent: Passed,
    /// What was read from it.
    came: Passed,
    /// What the target said of the first piece that it did not take or give.
    failed: Option<String>,
}

impl Open {
    pub(crate) fn new(number: u64, asked: Asked, ticket: Ticket, flow: Flow, word: &'static str, path: String) -> Self {
        let (sent, came) = (Passed::default(), Passed::default());
        Self { number, asked, ticket, flow: Some(flow), word, path, sent, came, failed: None }
    }

    /// How much passed one way.
    pub(crate) const fn size(&self, to_target: bool) -> u64 {
        if to_target { self.sent.size } else { self.came.size }
    }

    /// Content at this place passes.
    pub(crate) fn passes(&mut self, to_target: bool, offset: u64, data: &[u8]) {
        let side = if to_target { &mut self.sent } else { &mut self.came };
        side.passes(offset, data);
    }

    /// It is to be of this length from now on: if that is not where it was written to, what was written is not what is there.
    pub(crate) fn resized(&mut self, size: u64) {
        self.sent.jumped |= size != self.sent.next;
    }

    /// What was done with it, in words, and what passed. One that was opened to be written may have been read, too, or only that.
    pub(crate) fn done(&self) -> impl Iterator<Item = (&'static str, &Passed)> {
        let (sent, came) = (self.sent.size > 0, self.came.size > 0);
        let written = (self.word == "put" && (sent || !came)).then_some(("put", &self.sent));
        let read = match self.word {
            "put" => came.then_some(("get", &self.came)),
            word => Some((word, &self.came)),
        };
        written.into_iter().chain(read)
    }

    /// The target did not take or give a piece.
    pub(crate) fn fails(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    /// How it ended, when the last that was heard of it is this.
    pub(crate) fn outcome(&self, last: &str) -> String {
        self.failed.clone().unwrap_or_else(|| last.to_owned())
    }
}

/// Content that passed one way.
#[derive(Default)]
pub(crate) struct Passed {
    digest: Option<Box<blake3::Hasher>>,
    next: u64,
    pub(crate) size: u64,
    /// It did not come in order, and has no digest.
    jumped: bool,
}

impl Passed {
    fn passes(&mut self, offset: u64, data: &[u8]) {
        self.size += data.len() as u64;
        self.jumped |= offset != self.next;
        if !self.jumped {
            self.digest.get_or_insert_with(|| Box::new(blake3::Hasher::new())).update(data);
        }
        self.next = offset.saturating_add(data.len() as u64);
    }

    /// BLAKE3 of the content, when it passed in order.
    pub(crate) fn digest(&self) -> Option<[u8; 32]> {
        let digest = self.digest.as_ref().filter(|_| self.size > 0 && !self.jumped);
        digest.map(|digest| *digest.finalize().as_bytes())
    }
}

/// An operation that opens nothing.
pub(crate) struct Operated {
    pub(crate) word: &'static str,
    pub(crate) path: String,
    pub(crate) to: Option<String>,
    pub(crate) number: u64,
    pub(crate) flow: Flow,
}

/// A request that is not answered.
pub(crate) enum Pending {
    /// The gateway's own question: where a path is.
    Where,
    /// Something is to be opened.
    Open(Box<Open>),
    /// Content of an open file.
    Read { handle: Vec<u8>, offset: u64 },
    /// Content for an open file.
    Write { handle: Vec<u8> },
    /// What was open is closed: the target may say only now that something went wrong.
    Close { handle: Vec<u8>, open: Box<Open> },
    /// What is known of an open file is changed, as part of writing it.
    Changed { number: u64, path: String, size: u64 },
    /// One that is recorded when it ends.
    Operation(Box<Operated>),
    /// One whose end nobody asks for.
    Quiet,
}

/// What is at the place of something that is to be known by another name. A link leads elsewhere from there, and so may those in a folder.
#[derive(Default, PartialEq, Eq, Debug)]
pub(crate) enum Moved {
    /// Nobody has asked.
    #[default]
    Unknown,
    /// The target is asked what it is.
    Asked,
    /// Nothing that leads anywhere.
    Plain,
    Folder,
    /// A link: the target is to be asked what it says.
    Link,
    /// The target is asked what the link says.
    Reading,
    /// The link will lead here: the target is to be asked where that is.
    Says(String),
    /// The target is asked where the link will lead.
    Following,
    /// The link will lead here, if anyone knows.
    Leads(Option<String>),
}

/// A file transfer.
#[derive(Default)]
pub(crate) struct State {
    /// What the client sent and is not dealt with.
    pub(crate) from_client: Vec<u8>,
    /// What the target sent and is not a whole packet yet.
    pub(crate) from_target: Vec<u8>,
    pub(crate) open: HashMap<Vec<u8>, Open>,
    pending: HashMap<u32, Pending>,
    /// Where the paths of the request at the front are, as far as the target has said.
    pub(crate) places: Vec<Option<String>>,
    /// What it moves, as far as the target has said.
    pub(crate) moved: Moved,
    /// A question of our own is on its way.
    pub(crate) asking: bool,
    next: u32,
}

impl State {
    /// A request goes out; false when the client uses a number twice.
    pub(crate) fn expect(&mut self, id: u32, pending: Pending) -> bool {
        if self.pending.contains_key(&id) {
            return false;
        }
        self.pending.insert(id, pending);
        true
    }

    /// Whether so many requests are unanswered that the next one has to wait.
    pub(crate) fn is_full(&self) -> bool {
        self.pending.len() >= UNANSWERED
    }

    /// An answer comes in.
    pub(crate) fn answered(&mut self, id: u32) -> Option<Pending> {
        self.pending.remove(&id)
    }

    /// What is open by this handle, or is to be closed once what was asked before is answered.
    pub(crate) fn opened(&mut self, handle: &[u8]) -> Option<&mut Open> {
        // Answers come by the thousand: what is open is looked for first.
        if let Some(open) = self.open.get_mut(handle) {
            return Some(open);
        }
        self.pending.values_mut().find_map(|pending| match pending {
            Pending::Close { handle: other, open } if other == handle => Some(&mut **open),
            _ => None,
        })
    }

    /// A number for a question of our own that no request has.
    pub(crate) fn own_id(&mut self) -> u32 {
        loop {
            self.next = self.next.wrapping_add(1);
            if !self.pending.contains_key(&self.next) {
                return self.next;
            }
        }
    }

    /// Whether no whole request of the client waits. A part of one, when no more comes, is nothing that could be sent.
    pub(crate) fn is_drained(&self) -> bool {
        let whole = super::packet::length(&self.from_client).ok().flatten();
        !self.asking && whole.is_none_or(|len| self.from_client.len() < len)
    }

    /// What was known of the paths of the request at the front is to be asked again.
    pub(crate) fn forget(&mut self) {
        self.places.clear();
        self.moved = Moved::Unknown;
    }

    /// Whether more may be opened.
    pub(crate) fn has_room(&self) -> bool {
        self.open.len() < HANDLES
    }

    /// Everything that is under way, when the transfer ends.
    pub(crate) fn drain(&mut self) -> (Vec<Open>, Vec<Pending>) {
        let open = std::mem::take(&mut self.open).into_values().collect();
        (open, std::mem::take(&mut self.pending).into_values().collect())
    }
}
