//! After a crash: what is in the spool and not yet in a recording is added to it, what is half written is cut off, and every
//! recording that was live gets its end.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use model::SessionId;
use record::index::{IndexEntry, SessionOpened};
use record::{Event, Mark, Micros, ReadError, Reader, SigningKey, State};
use uuid::Uuid;

use super::error::StartError;
use super::heads::{Heads, cut};
use super::layout::Layout;
use super::scribe::{Book, Counts, Done, Pen, Place, Taken, read_span};
use super::shared::now;
use super::spool::frame::{Frame, Tally};
use super::spool::{Span, segment};

/// What recovery did, for the log.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Recovery {
    /// Recordings that were live and are now closed.
    pub sessions: u64,
    /// Entries that came from the spool.
    pub entries: u64,
    /// Recordings in which entries are missing: after a power failure, or because someone changed the files.
    pub lost: u64,
}

/// Opens the index and completes what a crash left; afterwards the spool is empty.
pub(super) fn recover(layout: &Layout, key: &SigningKey) -> Result<(Heads, Book, Recovery), StartError> {
    let heads_path = layout.heads();
    let mut open: BTreeMap<[u8; 16], Micros> = BTreeMap::new();
    let mut known: HashSet<[u8; 16]> = HashSet::new();
    let heads = Heads::open(layout, key, now(), |entry| {
        known.insert(*entry.session());
        match entry {
            IndexEntry::Opened(opened) => drop(open.insert(opened.session, opened.at)),
            IndexEntry::Closed(_) | IndexEntry::Removed(_) => drop(open.remove(entry.session())),
            IndexEntry::Lost(_) => {}
        }
    })?;
    let book = Book::new().map_err(StartError::io(&heads_path))?;
    let mut recovery =
        Recoverer { pen: Pen { layout, key }, book, heads, known, live: HashMap::new(), done: Recovery::default() };
    for (session, opened) in open {
        recovery.resume(session, opened)?;
    }
    let spool = layout.spool();
    for span in spans(layout)? {
        let mut chunk = Vec::new();
        read_span(&span, &mut chunk, |frame, _| recovery.frame(frame)).map_err(StartError::io(&spool))?;
    }
    recovery.finish().map_err(StartError::io(&layout.recordings()))
}

/// A live session as recovery finds it.
#[derive(Default)]
struct Live {
    missing: bool,
    frames: bool,
    lost: Option<&'static str>,
}

struct Recoverer<'a> {
    pen: Pen<'a>,
    book: Book,
    heads: Heads,
    known: HashSet<[u8; 16]>,
    live: HashMap<[u8; 16], Live>,
    done: Recovery,
}

impl Recoverer<'_> {
    /// Reads what the recording of a live session holds, and cuts off a torn end.
    fn resume(&mut self, session: [u8; 16], opened: Micros) -> Result<(), StartError> {
        let path = self.pen.layout.session(SessionId(Uuid::from_bytes(session)), opened);
        let file = match fs::OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.book.begin(session, opened, self.pen.key.public().id());
                self.live.insert(session, Live { missing: true, ..Live::default() });
                return Ok(());
            }
            Err(error) => return Err(StartError::Io { path, error }),
        };
        let length = file.metadata().map_err(StartError::io(&path))?.len();
        let mut reader = match file.try_clone().map(BufReader::new).map_err(ReadError::Io).and_then(Reader::new) {
            Ok(reader) => reader,
            Err(ReadError::Io(error)) => return Err(StartError::Io { path, error }),
            Err(ReadError::Damaged(_)) => {
                cut(&file, 0, length, &path, now())?;
                fs::remove_file(&path).map_err(StartError::io(&path))?;
                self.book.begin(session, opened, self.pen.key.public().id());
                self.live.insert(session, Live { missing: true, ..Live::default() });
                return Ok(());
            }
        };
        let (counts, last, reason, whole) = read_all(&mut reader).map_err(StartError::io(&path))?;
        if !whole {
            cut(&file, reader.offset(), length, &path, now())?;
        }
        let chain = reader.chain();
        if reader.state() == State::Open {
            self.book.resume(chain, counts, true);
            self.live.insert(session, Live::default());
        } else {
            let recovered = reader.state() == State::Recovered;
            let done = Done { chain, at: last, recovered, counts, reason };
            self.book.finished(&done);
        }
        Ok(())
    }

    /// Adds an entry of the spool to its recording, unless it is there.
    fn frame(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let id = frame.head.session;
        if !self.live.contains_key(&id) {
            if self.known.contains(&id) {
                return Ok(());
            }
            self.adopt(frame)?;
        }
        let Some(live) = self.live.get_mut(&id) else {
            return Ok(());
        };
        live.frames = true;
        let place = Place { shard: 0, generation: 0, offset: 0 };
        let mut taken = self.book.take(self.pen, frame, place)?;
        if taken == Taken::Gap {
            live.lost = Some("entries are missing before the last ones");
            self.book.add(self.pen, id, frame.head.at, &Event::Recovered { at: now() })?;
            self.book.skip_to(id, frame.head.number);
            taken = self.book.take(self.pen, frame, place)?;
        }
        if taken == Taken::Yes && !frame.head.seal {
            self.done.entries += 1;
        }
        Ok(())
    }

    /// A session that opened so shortly before the crash that the index does not know it.
    fn adopt(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let id = frame.head.session;
        let decoded = record::decode(frame.bytes);
        let opened = match &decoded {
            Ok(Event::Opened(opened)) if frame.head.number == 0 => super::index_entry(id, frame.head.at, opened),
            _ => SessionOpened {
                session: id,
                at: frame.head.at,
                protocol: "".into(),
                subject: "".into(),
                identity: "".into(),
                target: "".into(),
                role: "".into(),
            },
        };
        self.heads.append(&IndexEntry::Opened(opened))?;
        self.known.insert(id);
        self.book.begin(id, frame.head.at, self.pen.key.public().id());
        self.live.insert(id, Live::default());
        Ok(())
    }

    /// Gives every recording that is still open its end, and brings all of it onto the disk.
    fn finish(mut self) -> io::Result<(Heads, Book, Recovery)> {
        let live = std::mem::take(&mut self.live);
        for (id, state) in live {
            self.done.sessions += 1;
            if let Some(reason) = state.lost.or((state.missing && !state.frames).then_some("the recording was missing"))
            {
                self.done.lost += 1;
                self.book.lost(id, reason);
            }
            if self.book.next(id).is_some() {
                let at = now();
                self.book.add(self.pen, id, at, &Event::Recovered { at })?;
                self.book.close(self.pen, id, Mark::Recovered)?;
            }
        }
        let mut work = self.book.take_work();
        let heads = Mutex::new(self.heads);
        work.run(self.pen, &heads)?;
        let heads = heads.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        for path in spool_files(self.pen.layout)? {
            fs::remove_file(path)?;
        }
        Ok((heads, self.book, self.done))
    }
}

/// Reads a recording to its end: counts, time of the last event, reason, and whether all of it was whole.
fn read_all(reader: &mut Reader<BufReader<File>>) -> io::Result<(Counts, Micros, Box<str>, bool)> {
    let mut counts = Counts::default();
    let mut last = reader.header().opened;
    let mut why: Box<str> = Box::default();
    loop {
        match reader.advance() {
            Ok(false) => return Ok((counts, last, why, true)),
            Ok(true) => {}
            Err(ReadError::Io(error)) => return Err(error),
            Err(ReadError::Damaged(_)) => return Ok((counts, last, why, false)),
        }
        if let Ok(entry) = reader.entry() {
            last = entry.at;
            counts.add(Tally::of(&entry.event));
            if let Event::Closed { reason, bytes, .. } = entry.event {
                counts.bytes = bytes;
                why = reason.into();
            }
        }
    }
}

/// The segment files in the spool.
fn spool_files(layout: &Layout) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(layout.spool())? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with("shard-") {
            files.push(path);
        }
    }
    Ok(files)
}

/// Every segment that was in use, each shard's in the order of use.
fn spans(layout: &Layout) -> Result<Vec<Span>, StartError> {
    let spool = layout.spool();
    let mut spans = Vec::new();
    for path in spool_files(layout).map_err(StartError::io(&spool))? {
        let file = File::open(&path).map_err(StartError::io(&path))?;
        let to = file.metadata().map_err(StartError::io(&path))?.len();
        if let Some(generation) = segment::generation(&file).map_err(StartError::io(&path))? {
            let (file, from) = (Arc::new(file), segment::START as u64);
            spans.push((path.with_extension(""), generation, Span { file, generation, from, to }));
        }
    }
    spans.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    Ok(spans.into_iter().map(|(_, _, span)| span).collect())
}
