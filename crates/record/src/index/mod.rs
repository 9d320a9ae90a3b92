//! The index of a directory: which recordings were opened, how they ended, and which were deleted on purpose.
//!
//! A file of the frames of [`crate::frame`], one entry each, with tree heads between them. A tree head signs the RFC 6962
//! Merkle root (SHA-256) over the bodies of all entries before it; whoever keeps one elsewhere can tell later whether the
//! directory was rolled back.

mod directory;
mod entry;
mod tree;

use std::borrow::Cow;
use std::io::{self, Read};

pub use directory::{Directory, DirectoryReport, Problem, VerifyOptions, What, verify_directory};
pub use entry::{IndexEntry, SessionClosed, SessionOpened, SessionRemoved};
pub use tree::{TreeHead, root_of};

use crate::event::Micros;
use crate::frame::{self, Damage, FrameReader, Hash, Kind, ReadError, Reason};
use crate::header::{FileKind, HEADER, Header};
use crate::limits::MAX_INDEX_TEXT;
use crate::sign::{KeyError, PublicKey, SigningKey};
use tree::{TREE_HEAD_BODY, Tree};

/// The state of an index: everything needed to add to it.
#[derive(Clone, Debug)]
pub struct IndexChain {
    header: Header,
    hash: Hash,
    size: u64,
    tree: Tree,
    signed: u64,
}

impl IndexChain {
    /// A new index and the bytes of its header.
    #[must_use]
    pub fn new(header: Header) -> (Self, [u8; HEADER]) {
        let bytes = header.encode(FileKind::Index);
        let chain = Self {
            header,
            hash: *blake3::hash(&bytes).as_bytes(),
            size: HEADER as u64,
            tree: Tree::default(),
            signed: 0,
        };
        (chain, bytes)
    }

    /// The header that it began with.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// Bytes of the file so far.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Entries so far.
    #[must_use]
    pub const fn entries(&self) -> u64 {
        self.tree.size()
    }

    /// Whether entries follow the last tree head.
    #[must_use]
    pub const fn unsigned(&self) -> bool {
        self.tree.size() > self.signed
    }

    /// Appends the frame of an entry to `out`. Texts longer than [`MAX_INDEX_TEXT`] are cut.
    ///
    /// # Errors
    /// The entry could not be encoded; the chain is then unchanged.
    pub fn entry(&mut self, entry: &IndexEntry<'_>, out: &mut Vec<u8>) -> io::Result<()> {
        let entry = entry.shortened();
        let body = postcard::to_stdvec(&entry).map_err(io::Error::other)?;
        let before = out.len();
        let numbers = (self.tree.size(), 1, 0);
        self.hash = frame::write(out, Kind::IndexEntry, numbers, &self.hash, &body);
        self.size += (out.len() - before) as u64;
        self.tree.push(&body);
        Ok(())
    }

    /// Appends a signed tree head to `out` and returns it.
    ///
    /// # Errors
    /// [`KeyError::Sign`]; the chain is then unchanged.
    pub fn head(&mut self, key: &SigningKey, at: Micros, out: &mut Vec<u8>) -> Result<TreeHead, KeyError> {
        let head = TreeHead::sign(key, self.tree.size(), self.tree.root(), at)?;
        let before = out.len();
        self.hash = frame::write(out, Kind::TreeHead, (self.tree.size(), 0, 0), &self.hash, &head.encode());
        self.size += (out.len() - before) as u64;
        self.signed = self.tree.size();
        Ok(head)
    }
}

/// One frame of an index.
#[derive(Clone, PartialEq, Debug)]
pub enum IndexItem<'a> {
    /// An entry.
    Entry(IndexEntry<'a>),
    /// A tree head.
    Head(TreeHead),
}

/// Reads an index; checks frames, chain, numbers, roots, and signatures when keys are given. Memory: one frame.
#[derive(Debug)]
pub struct IndexReader<R> {
    frames: FrameReader<R>,
    header: Header,
    keys: Option<Vec<PublicKey>>,
    tree: Tree,
    signed: u64,
}

impl<R: Read> IndexReader<R> {
    /// Opens an index. Without keys, signatures are not checked; with keys, each must be by one of them.
    ///
    /// # Errors
    /// A damaged header, or the source's own error.
    pub fn new(mut source: R, keys: Option<Vec<PublicKey>>) -> Result<Self, ReadError> {
        let (header, hash) = Header::read(&mut source, FileKind::Index)?;
        Ok(Self {
            frames: FrameReader::new(source, HEADER as u64, hash),
            header,
            keys,
            tree: Tree::default(),
            signed: 0,
        })
    }

    /// The byte after the last whole frame.
    pub fn offset(&self) -> u64 {
        self.frames.offset()
    }

    /// Entries read so far.
    pub const fn entries(&self) -> u64 {
        self.tree.size()
    }

    /// Entries covered by a tree head.
    pub const fn signed(&self) -> u64 {
        self.signed
    }

    /// The Merkle root over the entries read so far.
    pub fn root(&self) -> [u8; 32] {
        self.tree.root()
    }

    /// The source, to read on after it has grown.
    pub fn source_mut(&mut self) -> &mut R {
        self.frames.source_mut()
    }

    /// The state after everything that was read, to be continued.
    pub fn chain(&self) -> IndexChain {
        IndexChain {
            header: self.header,
            hash: *self.frames.chain(),
            size: self.frames.offset(),
            tree: self.tree.clone(),
            signed: self.signed,
        }
    }

    /// The next frame; `None` at the end of what is there.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] names the first bad byte.
    pub fn next_item(&mut self) -> Result<Option<IndexItem<'_>>, ReadError> {
        let Some(frame) = self.frames.next_frame()? else {
            return Ok(None);
        };
        let damage = crate::read::at(&frame, Reason::Numbers);
        let fail = |reason| ReadError::Damaged(Damage { reason, ..damage.clone() });
        if frame.head.first != self.tree.size() {
            return Err(fail(Reason::Numbers));
        }
        match frame.head.kind {
            Kind::IndexEntry => {
                let entry = IndexEntry::decode(frame.body).ok_or_else(|| fail(Reason::Content("an unknown entry")))?;
                self.tree.push(frame.body);
                Ok(Some(IndexItem::Entry(entry)))
            }
            Kind::TreeHead => {
                let body: &[u8; TREE_HEAD_BODY] =
                    frame.body.try_into().map_err(|_| fail(Reason::Content("a tree head of another size")))?;
                let head = TreeHead::decode(body);
                if head.size != self.tree.size() || head.root != self.tree.root() {
                    return Err(fail(Reason::Signature));
                }
                if let Some(keys) = &self.keys
                    && !keys.iter().any(|key| head.verify(key))
                {
                    return Err(fail(wrong_key(&head, keys)));
                }
                self.signed = head.size;
                Ok(Some(IndexItem::Head(head)))
            }
            Kind::Compressed | Kind::Stored | Kind::Signature => Err(fail(Reason::Kind)),
        }
    }
}

fn wrong_key(head: &TreeHead, keys: &[PublicKey]) -> Reason {
    if keys.iter().any(|key| key.id() == head.key) {
        return Reason::Signature;
    }
    let expected: Vec<String> = keys.iter().map(|key| key.id().to_string()).collect();
    Reason::WrongKey { found: head.key.to_string(), expected: expected.join(", ") }
}

/// Reads an index from any bytes, for fuzzing; returns how many frames were whole.
pub(crate) fn scan(data: &[u8]) -> u64 {
    let mut items = 0;
    if let Ok(mut reader) = IndexReader::new(data, None) {
        while let Ok(Some(_)) = reader.next_item() {
            items += 1;
        }
    }
    items
}

/// At most [`MAX_INDEX_TEXT`] bytes of a text, cut at a character.
fn short(text: &str) -> Cow<'_, str> {
    Cow::Borrowed(text.get(..text.floor_char_boundary(MAX_INDEX_TEXT)).unwrap_or(text))
}
