//! Brings recordings onto the disk in groups, and enters into the index what was closed.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};

use record::index::{IndexEntry, SessionClosed, SessionRemoved};

use super::book::{Done, Pen};
use crate::recordings::heads::Heads;
use crate::recordings::shared::{Shared, lock, now};

/// Files synced one by one; more are synced with the whole file system at once.
const ONE_BY_ONE: usize = 8;
/// Files held open for the next sync; with more, the file system is synced.
const HELD: usize = 128;

/// An index entry for a recording that was closed.
#[derive(Debug)]
pub(in crate::recordings) struct Closing(IndexEntry<'static>);

impl Closing {
    pub(in crate::recordings) fn new(done: &Done) -> Self {
        Self(IndexEntry::Closed(SessionClosed {
            session: done.chain.header().session,
            at: done.at,
            recovered: done.recovered,
            size: done.chain.size(),
            head: *done.chain.head(),
            entries: done.chain.entries(),
            commands: done.counts.commands,
            denied: done.counts.denied,
            held: done.counts.held,
            bytes: done.counts.bytes,
            reason: done.reason.to_string().into(),
        }))
    }

    /// A recording that began when the index could not be written.
    pub(in crate::recordings) const fn opened(entry: IndexEntry<'static>) -> Self {
        Self(entry)
    }

    /// A recording that is not all there.
    pub(in crate::recordings) fn lost(session: [u8; 16], reason: &str) -> Self {
        let (at, reason) = (now(), reason.to_owned().into());
        Self(IndexEntry::Lost(SessionRemoved { session, at, reason }))
    }
}

/// What the disk has not been told to keep.
#[derive(Debug, Default)]
pub(in crate::recordings) struct Work {
    files: Vec<Arc<File>>,
    everything: bool,
    days: BTreeSet<PathBuf>,
    pub(super) closing: VecDeque<Closing>,
}

impl Work {
    pub(super) fn file(&mut self, file: Arc<File>) {
        if self.everything || self.files.iter().any(|known| Arc::ptr_eq(known, &file)) {
            return;
        }
        if self.files.len() >= HELD {
            self.everything = true;
            self.files.clear();
            return;
        }
        self.files.push(file);
    }

    pub(in crate::recordings) fn close(&mut self, closing: Closing) {
        self.closing.push_back(closing);
    }

    pub(super) fn day(&mut self, day: Option<&Path>) {
        self.days.extend(day.map(Path::to_owned));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && !self.everything && self.closing.is_empty()
    }

    /// Adds later work.
    fn add(&mut self, later: Self) {
        later.files.into_iter().for_each(|file| self.file(file));
        self.everything |= later.everything;
        self.days.extend(later.days);
        self.closing.extend(later.closing);
    }

    /// Does it: the recordings first, then the index, so that the index never promises what the disk does not have.
    pub(in crate::recordings) fn run(&mut self, pen: Pen<'_>, heads: &Mutex<Heads>) -> io::Result<()> {
        let recordings = pen.layout.recordings();
        if self.everything || self.files.len() > ONE_BY_ONE {
            rustix::fs::syncfs(File::open(&recordings)?)?;
        } else {
            self.files.iter().try_for_each(|file| file.sync_data())?;
            self.days.iter().try_for_each(|day| sync_day(day, &recordings))?;
        }
        self.files.clear();
        self.everything = false;
        self.days.clear();
        let mut heads = lock(heads);
        while let Some(closing) = self.closing.front() {
            heads.append(&closing.0)?;
            self.closing.pop_front();
        }
        if heads.unsigned() {
            heads.sign(pen.key, now())?;
            let file = heads.handle()?;
            drop(heads);
            file.sync_data()?;
        }
        Ok(())
    }
}

/// A new file's name is on the disk when its directory is, and so on upwards.
fn sync_day(day: &Path, recordings: &Path) -> io::Result<()> {
    let up = day.ancestors().take_while(|path| path.starts_with(recordings));
    up.into_iter().try_for_each(|path| File::open(path)?.sync_all())
}

/// The disk's thread: takes work as fast as the disk allows, one portion at a time.
#[derive(Debug)]
pub(super) struct Syncer {
    portions: Option<SyncSender<Work>>,
    thread: Option<JoinHandle<()>>,
    /// Work that the thread was too busy to take.
    rest: Work,
}

impl Syncer {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let (portions, inbox) = sync_channel(0);
        let shared = Arc::clone(shared);
        let thread = Builder::new().name("recordings-sync".to_owned()).spawn(move || run(&shared, &inbox))?;
        Ok(Self { portions: Some(portions), thread: Some(thread), rest: Work::default() })
    }

    /// Hands work over if the thread is free, else keeps it for the next time. `false` when some is kept.
    pub(super) fn submit(&mut self, work: Work, index: bool) -> bool {
        self.rest.add(work);
        if self.rest.is_empty() && !index {
            return true;
        }
        let Some(portions) = &self.portions else {
            return false;
        };
        match portions.try_send(std::mem::take(&mut self.rest)) {
            Ok(()) => true,
            Err(TrySendError::Full(work) | TrySendError::Disconnected(work)) => {
                self.rest = work;
                false
            }
        }
    }

    /// Hands everything over and waits until it is on the disk.
    pub(super) fn finish(&mut self) {
        let rest = std::mem::take(&mut self.rest);
        if let Some(portions) = self.portions.take() {
            // The thread takes it unless it panicked, which its join tells.
            let _ = portions.send(rest);
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that syncs recordings failed");
        }
    }
}

fn run(shared: &Shared, inbox: &Receiver<Work>) {
    let pen = Pen { layout: &shared.layout, key: &shared.key };
    let mut left = Work::default();
    while let Ok(work) = inbox.recv() {
        left.add(work);
        if let Err(error) = left.run(pen, &shared.heads) {
            shared.set_fault(&format!("recordings cannot be brought onto the disk: {error}"));
            // What failed is due again with the next portion, and the scribe sends one while there is a fault.
            left.everything = true;
        }
    }
    if (!left.is_empty() || left.everything) && left.run(pen, &shared.heads).is_err() {
        tracing::error!("recordings were not brought onto the disk before the end");
    }
}
