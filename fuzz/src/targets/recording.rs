//! Recordings and indexes, through every reader. Checksums and hashes are mostly repaired after an input was broken, so that
//! what lies behind them is reached too.

use std::borrow::Cow;

use anyhow::Result;
use model::{Action, ColumnRef, Effect, Flags, Move, Object, ObjectKind, Outcome};
use record::event::{Column, CommandEvent, Context, Event, Finished, Judged, Micros, Opened, StreamKind, Used};
use record::header::HEADER;
use record::index::{IndexChain, IndexEntry, IndexReader, SessionClosed, SessionOpened, SessionRemoved};
use record::{Block, Chain, FileKind, Header, Mark, Packer, Part, Reader, SigningKey, Writer, encode_to, rows, verify};

use crate::driver::{MOST_MEMORY, Target};
use crate::mutate::mutate;
use crate::random::Random;

/// Recordings and indexes.
pub const TARGET: Target = Target { name: "recording", make, memory: MOST_MEMORY, run };

/// Where a frame's head has the CRC of the body.
const BODY_CRC: usize = 24;
/// Where it has the hash of the frame before.
const PREVIOUS: usize = 28;
/// Where a frame's head, and a file's header, have their own CRC.
const CRC: usize = 60;
/// The end of a frame's head.
const HEAD: usize = record::frame::HEAD;
/// Bytes of the hash behind a frame's body.
const HASH: usize = record::frame::OVERHEAD - HEAD;

fn make(random: &mut Random) -> Result<Vec<u8>> {
    let mut bytes = file(random)?;
    if !random.one_in(8) {
        let donor = file(random)?;
        mutate(random, &mut bytes, &donor);
        if !random.one_in(4) {
            repair(&mut bytes);
        }
    }
    Ok(bytes)
}

fn file(random: &mut Random) -> Result<Vec<u8>> {
    match random.below(3) {
        0 => recording(random),
        1 => broken_events(random),
        _ => index(random),
    }
}

fn key() -> Result<SigningKey> {
    Ok(SigningKey::from_seed(&[7; 32])?)
}

fn header(key: &SigningKey) -> Header {
    Header { session: [3; 16], key: key.public().id(), opened: Micros(1_700_000_000_000_000) }
}

/// A recording as the gateway writes it; at times without its end.
fn recording(random: &mut Random) -> Result<Vec<u8>> {
    let key = key()?;
    let mut writer = Writer::new(Vec::new(), header(&key))?;
    for number in 0..random.below(12) {
        let text = random.text();
        let data = data(random);
        writer.event(moment(random), &event(random, &text, &data), &key)?;
        if number % 3 == 2 {
            writer.flush()?;
        }
    }
    let mark = random.pick(&[Mark::Segment, Mark::Closed, Mark::Recovered]);
    Ok(writer.seal(moment(random), mark, &key)?.0)
}

/// A recording whose frames are right and whose events are not.
fn broken_events(random: &mut Random) -> Result<Vec<u8>> {
    let key = key()?;
    let (mut chain, head) = Chain::new(header(&key));
    let (mut out, mut packer) = (head.to_vec(), Packer::new()?);
    for _ in 0..=random.below(3) {
        let mut block = Block::default();
        for _ in 0..=random.below(6) {
            let (text, data) = (random.text(), data(random));
            let mut bytes = Vec::new();
            encode_to(&event(random, &text, &data), &mut bytes)?;
            if !random.one_in(3) {
                mutate(random, &mut bytes, data.as_slice());
            }
            bytes.truncate(record::limits::MAX_PART);
            let part = match random.below(8) {
                0 => Part { more: true, first: true },
                1 => Part { more: true, first: false },
                2 => Part { more: false, first: false },
                _ => Part::WHOLE,
            };
            block.push(moment(random), &bytes, part);
        }
        chain.block(&block, &mut packer, &mut out)?;
    }
    chain.sign(&key, Mark::Closed, Micros(5), &mut out)?;
    Ok(out)
}

fn index(random: &mut Random) -> Result<Vec<u8>> {
    let key = key()?;
    let (mut chain, head) = IndexChain::new(Header { session: [0; 16], ..header(&key) });
    let mut out = head.to_vec();
    for _ in 0..random.below(8) {
        let text = random.text();
        let entry = index_entry(random, &text);
        chain.entry(&entry, &mut out)?;
        if random.one_in(3) {
            chain.head(&key, moment(random), &mut out)?;
        }
    }
    Ok(out)
}

fn index_entry<'a>(random: &mut Random, text: &'a str) -> IndexEntry<'a> {
    let (session, at) = ([random.byte() % 3; 16], moment(random));
    let text = Cow::Borrowed(text);
    match random.below(4) {
        0 => IndexEntry::Opened(SessionOpened {
            session,
            at,
            protocol: text.clone(),
            subject: text.clone(),
            identity: text.clone(),
            target: text.clone(),
            role: text,
        }),
        1 => IndexEntry::Closed(SessionClosed {
            session,
            at,
            recovered: random.one_in(2),
            size: random.bits(),
            head: [1; 32],
            entries: random.bits(),
            commands: 1,
            denied: 0,
            held: 0,
            bytes: (1, random.bits()),
            reason: text,
        }),
        2 => IndexEntry::Removed(SessionRemoved { session, at, reason: text }),
        _ => IndexEntry::Lost(SessionRemoved { session, at, reason: text }),
    }
}

/// A time: mostly a real one, at times one that no calendar has.
fn moment(random: &mut Random) -> Micros {
    if random.one_in(20) {
        return Micros(random.pick(&[i64::MIN, i64::MAX, -1, 0]));
    }
    Micros(1_700_000_000_000_000 + i64::from(random.byte()))
}

/// Rows as recordings hold them.
fn data(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..random.below(4) {
        let cell = random.bytes(30);
        rows::put_row(&mut out, &[Some(&cell), None, Some(b"7")]);
    }
    if random.one_in(30) {
        out = out.repeat(1000);
    }
    out
}

fn event<'a>(random: &mut Random, text: &'a str, data: &'a [u8]) -> Event<'a> {
    let (number, text) = (random.bits() % 5, Cow::Borrowed(text));
    match random.below(19) {
        0 => Event::Opened(opened(text)),
        1 => Event::Leased { user: text.clone(), link: text },
        2 | 3 => Event::Command(command(random, number, text)),
        4 => Event::Held { number, approval: text, expires: moment(random) },
        5 => Event::Answered { number, approval: text.clone(), answer: text.clone(), by: vec![(text.clone(), text)] },
        6 => Event::Values { number, values: vec![None, Some(text)] },
        7 => {
            let column = Column { name: text.clone(), ty: text.clone(), binary: random.one_in(2), mask: text };
            Event::Columns { number, columns: vec![column; random.below(4)] }
        }
        8 | 9 => Event::Rows { number, count: 3, data: Cow::Borrowed(data) },
        10 => Event::Bulk { number, to_target: random.one_in(2), data: Cow::Borrowed(data) },
        11 => Event::Finished(Finished {
            number,
            tag: text.clone(),
            error: random.one_in(2).then(|| (text.clone(), text)),
            rows: random.bits(),
            bytes: random.bits(),
            digest: Some([4; 32]),
            masked: 3,
            target_micros: random.bits(),
            gateway_micros: 5,
        }),
        12 => Event::Message { kind: text.clone(), text },
        13 => {
            let context = context(random, &text);
            Event::Judged(Judged { command: command(random, number, text), context })
        }
        14 => {
            let stream = random.pick(&[StreamKind::Input, StreamKind::Output, StreamKind::Error]);
            Event::Stream { number, stream, data: Cow::Borrowed(data) }
        }
        15 => Event::Terminal { number, term: text, columns: u32::from(random.byte()), rows: u32::MAX },
        16 => Event::File {
            number,
            operation: text.clone(),
            path: text.clone(),
            to: random.one_in(2).then(|| text.clone()),
            size: random.bits(),
            digest: random.one_in(2).then_some([6; 32]),
            outcome: text,
        },
        17 => Event::Content { number, to_target: random.one_in(2), offset: random.bits(), data: Cow::Borrowed(data) },
        _ => Event::Closed { reason: text, commands: number, bytes: (1, random.bits()) },
    }
}

fn context<'a>(random: &mut Random, text: &Cow<'a, str>) -> Context<'a> {
    let column = ColumnRef { relation: text.to_string(), column: "*".to_owned() };
    let used = Used { relation: text.clone(), column: text.clone(), kind: random.byte() };
    Context {
        bits: random.byte(),
        used: vec![used; random.below(3)],
        moves: Cow::Owned(vec![Move { from: column.clone(), to: Some(column), made: true }; random.below(3)]),
        reads: Cow::Owned(vec![Object::new(ObjectKind::Relation, text.to_string()); random.below(3)]),
    }
}

fn opened(text: Cow<'_, str>) -> Opened<'_> {
    Opened {
        session: text.clone(),
        protocol: text.clone(),
        identity: Cow::Borrowed(r#"{"subject":"agent-7","groups":["agents"]}"#),
        target: text.clone(),
        role: text.clone(),
        from: text.clone(),
        client: text.clone(),
        policy: text.clone(),
        rules: vec![text.clone()],
        gateway: text,
    }
}

fn command<'a>(random: &mut Random, number: u64, text: Cow<'a, str>) -> CommandEvent<'a> {
    let object = Object::new(ObjectKind::Path, text.to_string());
    CommandEvent {
        number,
        label: Cow::Borrowed("SELECT"),
        text: text.clone(),
        values: vec![Some(text.clone()), None],
        actions: Cow::Owned(vec![Action::on(Effect::Read, object)]),
        flags: Flags { unbounded: random.one_in(2), multi: false },
        outcome: random.pick(&[Outcome::Allow, Outcome::Hold, Outcome::Deny]),
        rules: Cow::Owned(vec![text.to_string()]),
        reasons: Cow::Owned(vec![text.to_string()]),
        shadow: Cow::Owned(vec![(text.to_string(), Outcome::Deny)]),
        policy: text,
    }
}

/// Makes all checksums and hashes right again, frame after frame, as far as the lengths tell where frames are.
fn repair(bytes: &mut [u8]) {
    let Some(header) = bytes.get(..CRC) else {
        return;
    };
    let crc = crc32fast::hash(header);
    put(bytes, CRC, &crc.to_le_bytes());
    let mut previous = *blake3::hash(bytes.get(..HEADER).unwrap_or_default()).as_bytes();
    let mut at = HEADER;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
        let end = at.saturating_add(HEAD).saturating_add(length);
        let Some(body) = bytes.get(at.saturating_add(HEAD)..end) else {
            return;
        };
        let crc = crc32fast::hash(body);
        put(bytes, at + BODY_CRC, &crc.to_le_bytes());
        put(bytes, at + PREVIOUS, &previous);
        let crc = crc32fast::hash(bytes.get(at..at + CRC).unwrap_or_default());
        put(bytes, at + CRC, &crc.to_le_bytes());
        previous = *blake3::hash(bytes.get(at..end).unwrap_or_default()).as_bytes();
        put(bytes, end, &previous);
        at = end.saturating_add(HASH);
    }
}

fn put(bytes: &mut [u8], at: usize, piece: &[u8]) {
    for (place, byte) in bytes.iter_mut().skip(at).zip(piece) {
        *place = *byte;
    }
}

fn run(data: &[u8]) {
    let events = Reader::scan_all(data);
    assert_eq!(Reader::scan_all(data), events, "two readings differ");
    let Ok(key) = key() else { return };
    if let Ok(report) = verify(data, key.public()) {
        let size = usize::try_from(report.size).unwrap_or(usize::MAX);
        assert!(size <= data.len() && report.signed_entries <= report.entries, "{report:?}");
        assert_eq!(report.header.encode(FileKind::Recording).as_slice(), data.get(..HEADER).unwrap_or_default());
    }
    for keys in [None, Some(vec![*key.public()])] {
        let Ok(mut reader) = IndexReader::new(data, keys) else {
            continue;
        };
        while let Ok(Some(_)) = reader.next_item() {}
        assert!(reader.signed() <= reader.entries());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn valid_files_are_whole_and_repaired_ones_too() {
        let mut random = Random::new(11);
        let key = key().unwrap();
        for _ in 0..50 {
            let bytes = recording(&mut random).unwrap();
            let mut repaired = bytes.clone();
            repair(&mut repaired);
            assert_eq!(repaired, bytes, "nothing was broken, so nothing changes");
            verify(bytes.as_slice(), key.public()).unwrap();
            let bytes = index(&mut random).unwrap();
            let mut reader = IndexReader::new(bytes.as_slice(), Some(vec![*key.public()])).unwrap();
            while reader.next_item().unwrap().is_some() {}
            let bytes = broken_events(&mut random).unwrap();
            assert!(Reader::new(bytes.as_slice()).is_ok());
        }
    }
}
