//! The index file `heads.log`: what was opened, closed and deleted, with signed tree heads.

use std::fs::File;
use std::io::{self, BufReader};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use record::index::{IndexChain, IndexEntry, IndexItem, IndexReader};
use record::{Header, Micros, ReadError, SigningKey};

use super::error::StartError;
use super::layout::{Layout, private_file};

/// The index, open for writing.
#[derive(Debug)]
pub(super) struct Heads {
    file: File,
    chain: IndexChain,
    out: Vec<u8>,
}

impl Heads {
    /// Opens the index, or makes it; every entry that is there goes through `each`.
    ///
    /// What a crash left half written at the end is cut off and kept beside it.
    pub(super) fn open(
        layout: &Layout,
        key: &SigningKey,
        now: Micros,
        mut each: impl FnMut(&IndexEntry<'_>),
    ) -> Result<Self, StartError> {
        let path = layout.heads();
        let file = private_file(&path, false).map_err(StartError::io(&path))?;
        let length = file.metadata().map_err(StartError::io(&path))?.len();
        if length == 0 {
            return Self::create(layout, key, now, file);
        }
        let source = file.try_clone().map_err(StartError::io(&path))?;
        let mut reader = match IndexReader::new(BufReader::new(source), None) {
            Ok(reader) => reader,
            Err(error) => return Err(unreadable(path, error)),
        };
        loop {
            match reader.next_item() {
                Ok(Some(IndexItem::Entry(entry))) => each(&entry),
                Ok(Some(IndexItem::Head(_))) => {}
                Ok(None) => break,
                Err(ReadError::Damaged(damage)) if damage.end >= length => {
                    cut(&file, reader.offset(), length, &path, now)?;
                    break;
                }
                Err(error) => return Err(unreadable(path, error)),
            }
        }
        let chain = reader.chain();
        let out = Vec::new();
        Ok(Self { file, chain, out })
    }

    fn create(layout: &Layout, key: &SigningKey, now: Micros, file: File) -> Result<Self, StartError> {
        let path = layout.heads();
        let recordings = super::library::present(layout).map_err(StartError::io(&path))?;
        if !recordings.is_empty() {
            return Err(StartError::IndexMissing(path));
        }
        let header = Header { session: [0; 16], key: key.public().id(), opened: now };
        let (chain, bytes) = IndexChain::new(header);
        file.write_all_at(&bytes, 0).map_err(StartError::io(&path))?;
        Ok(Self { file, chain, out: Vec::new() })
    }

    /// Appends an entry: in the operating system's hands when this returns.
    pub(super) fn append(&mut self, entry: &IndexEntry<'_>) -> io::Result<()> {
        let mut chain = self.chain.clone();
        self.out.clear();
        chain.entry(entry, &mut self.out)?;
        self.write(chain)
    }

    /// Signs a tree head over all entries, if there are new ones.
    pub(super) fn sign(&mut self, key: &SigningKey, now: Micros) -> io::Result<()> {
        if !self.chain.unsigned() {
            return Ok(());
        }
        let mut chain = self.chain.clone();
        self.out.clear();
        chain.head(key, now, &mut self.out).map_err(io::Error::other)?;
        self.write(chain)
    }

    /// A failed write leaves the chain where it was; the next one overwrites what came of it.
    fn write(&mut self, chain: IndexChain) -> io::Result<()> {
        self.file.write_all_at(&self.out, self.chain.size())?;
        self.chain = chain;
        Ok(())
    }

    /// A second handle, to bring what was written onto the disk without holding the index.
    pub(super) fn handle(&self) -> io::Result<File> {
        self.file.try_clone()
    }

    /// Whether entries follow the last tree head.
    pub(super) const fn unsigned(&self) -> bool {
        self.chain.unsigned()
    }
}

/// Cuts off what follows `offset` and keeps it beside the file.
pub(super) fn cut(
    file: &File,
    offset: u64,
    length: u64,
    path: &std::path::Path,
    now: Micros,
) -> Result<(), StartError> {
    let mut rest = vec![0; usize::try_from(length.saturating_sub(offset)).unwrap_or(0)];
    let beside = path.with_extension(format!("torn-{}", now.0));
    let kept = file
        .read_exact_at(&mut rest, offset)
        .and_then(|()| private_file(&beside, false))
        .and_then(|beside| beside.write_all_at(&rest, 0))
        .and_then(|()| file.set_len(offset));
    kept.map_err(StartError::io(path))?;
    tracing::warn!(file = %path.display(), bytes = rest.len(), "cut off what a crash left half written");
    Ok(())
}

fn unreadable(path: PathBuf, error: ReadError) -> StartError {
    match error {
        ReadError::Io(error) => StartError::Io { path, error },
        ReadError::Damaged(damage) => StartError::Index { path, damage },
    }
}
