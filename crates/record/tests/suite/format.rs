//! The format: what is written is read, and whatever happens to the bytes is noticed and named.

use crate::common::{START, any_event, header, key, story, write};
use proptest::prelude::*;
use sallyport_record::limits::{MAX_PART, SEGMENT};
use sallyport_record::{Event, Mark, Micros, PublicKey, ReadError, Reader, Reason, SigningKey, State, Writer, verify};

fn read(bytes: &[u8]) -> Result<(Vec<(Micros, String)>, State), ReadError> {
    let mut reader = Reader::new(bytes)?;
    let mut events = Vec::new();
    while let Some(entry) = reader.next_entry()? {
        events.push((entry.at, format!("{:?}", entry.event)));
    }
    Ok((events, reader.state()))
}

fn damage(bytes: &[u8]) -> sallyport_record::Damage {
    match verify(bytes, key().public()) {
        Err(ReadError::Damaged(damage)) => damage,
        other => panic!("not noticed: {other:?}"),
    }
}

#[test]
fn one_of_every_event_comes_back() {
    let story = story();
    let bytes = write(&story);
    let (events, state) = read(&bytes).unwrap();
    let expected: Vec<_> = story.iter().map(|(at, event)| (*at, format!("{event:?}"))).collect();
    assert_eq!(events, expected);
    assert_eq!(state, State::Closed);
    let report = verify(bytes.as_slice(), key().public()).unwrap();
    assert_eq!((report.state, report.entries), (State::Closed, story.len() as u64));
    assert_eq!(report.signed_entries, report.entries);
    assert_eq!(report.size, bytes.len() as u64);
}

#[test]
fn large_events_travel_in_parts_and_segments_are_signed() {
    let mut state = 1_u64;
    let data: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    })
    .take(6_000_000)
    .collect();
    let mut writer = Writer::new(Vec::new(), header()).unwrap();
    let event = Event::Bulk { number: 1, to_target: true, data: data.as_slice().into() };
    writer.event(Micros(START), &event, &key()).unwrap();
    let (bytes, chain) = writer.seal(Micros(START + 1), Mark::Closed, &key()).unwrap();
    assert_eq!(chain.entries(), (6_000_000 / MAX_PART as u64) + 1);
    assert!(bytes.len() as u64 > SEGMENT);
    let mut reader = Reader::verifying(bytes.as_slice(), *key().public()).unwrap();
    let entry = reader.next_entry().unwrap().unwrap();
    assert!(matches!(entry.event, Event::Bulk { data: found, .. } if found == data));
    assert_eq!(entry.number, 0);
    assert!(reader.next_entry().unwrap().is_none());
}

#[test]
fn another_key_is_refused() {
    let bytes = write(&story());
    let other = SigningKey::from_seed(&[8; 32]).unwrap();
    let error = verify(bytes.as_slice(), other.public()).unwrap_err();
    assert!(
        matches!(error, ReadError::Damaged(sallyport_record::Damage { reason: Reason::WrongKey { .. }, .. })),
        "{error}"
    );
}

#[test]
fn a_forged_signature_is_noticed() {
    // Everything right but the key: the header claims ours.
    let thief = SigningKey::from_seed(&[9; 32]).unwrap();
    let writer = Writer::new(Vec::new(), header()).unwrap();
    let (bytes, _) = writer.seal(Micros(START), Mark::Closed, &thief).unwrap();
    assert_eq!(damage(&bytes).reason, Reason::Signature);
}

#[test]
fn a_long_stretch_without_a_signature_is_noticed() {
    let data = vec![0; 60_000];
    let mut bytes = Vec::new();
    let (mut chain, start) = sallyport_record::Chain::new(header());
    bytes.extend_from_slice(&start);
    let mut packer = sallyport_record::Packer::new().unwrap();
    for _ in 0..100 {
        let mut block = sallyport_record::Block::default();
        block.push(Micros(START), &data, sallyport_record::Part::WHOLE);
        chain.block(&block, &mut packer, &mut bytes).unwrap();
    }
    assert_eq!(damage(&bytes).reason, Reason::MissingSignature);
}

/// The frames of a recording, as ranges of its bytes.
fn frames(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut frames = Vec::new();
    let mut at = 64;
    while let Some(length) = bytes.get(at..at + 4) {
        let end = at + 96 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        frames.push(at..end);
        at = end;
    }
    frames
}

#[test]
fn a_removed_or_moved_frame_is_noticed_where_it_was() {
    let bytes = write(&story());
    let frames = frames(&bytes);
    assert!(frames.len() > 3);
    for gone in 0..frames.len() - 1 {
        let mut cut = bytes.clone();
        cut.drain(frames[gone].clone());
        let damage = damage(&cut);
        assert_eq!((damage.offset, damage.reason), (frames[gone].start as u64, Reason::OutOfPlace));
    }
    let mut swapped = bytes[..frames[1].start].to_vec();
    swapped.extend_from_slice(&bytes[frames[2].clone()]);
    swapped.extend_from_slice(&bytes[frames[1].clone()]);
    swapped.extend_from_slice(&bytes[frames[2].end..]);
    let damage = damage(&swapped);
    assert_eq!((damage.offset, damage.reason), (frames[1].start as u64, Reason::OutOfPlace));
}

#[test]
fn nothing_may_follow_the_end() {
    let mut bytes = write(&story());
    let end = bytes.len() as u64;
    let again = bytes[frames(&bytes)[0].clone()].to_vec();
    bytes.extend_from_slice(&again);
    let damage = damage(&bytes);
    assert_eq!(damage.offset, end);
}

#[test]
fn every_changed_byte_of_a_recording_is_named() {
    let bytes = write(&story());
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x20;
        let damage = damage(&bad);
        assert!(damage.exact, "byte {at}: {damage}");
        // The offset of a changed magic number or of a length that leads beyond the file is that byte too.
        assert_eq!(damage.offset, at as u64, "{damage}");
    }
}

#[test]
fn every_truncation_is_noticed() {
    let bytes = write(&story());
    let frames = frames(&bytes);
    for end in 0..bytes.len() {
        match verify(&bytes[..end], key().public()) {
            Ok(report) => {
                assert_eq!(report.state, State::Open, "cut at {end}");
                assert!(end == 64 || frames.iter().any(|frame| frame.end == end), "cut at {end}");
            }
            Err(ReadError::Damaged(damage)) => {
                assert_eq!((damage.offset, damage.reason), (end as u64, Reason::Truncated), "cut at {end}");
            }
            Err(error) => panic!("{error}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn what_is_written_is_read(events in proptest::collection::vec((any::<i64>(), any_event()), 0..30)) {
        let events: Vec<_> = events.into_iter().map(|(at, event)| (Micros(at), event)).collect();
        let bytes = write(&events);
        let (found, state) = read(&bytes).unwrap();
        let expected: Vec<_> = events.iter().map(|(at, event)| (*at, format!("{event:?}"))).collect();
        prop_assert_eq!(found, expected);
        prop_assert_eq!(state, State::Closed);
        prop_assert!(verify(bytes.as_slice(), key().public()).is_ok());
    }

    #[test]
    fn any_change_is_noticed_at_or_before_its_frame(
        events in proptest::collection::vec(any_event(), 1..12),
        at: prop::sample::Index,
        change in proptest::collection::vec(any::<u8>(), 1..40),
    ) {
        let events: Vec<_> = events.into_iter().map(|event| (Micros(START), event)).collect();
        let bytes = write(&events);
        let mut bad = bytes.clone();
        let at = at.index(bad.len());
        for (to, by) in bad[at..].iter_mut().zip(&change) {
            *to ^= by;
        }
        prop_assume!(bad != bytes);
        let first = bad.iter().zip(&bytes).position(|(a, b)| a != b).unwrap() as u64;
        let damage = damage(&bad);
        prop_assert!(damage.offset <= first || !damage.exact || change.len() > 1, "{} but byte {first}", damage);
        prop_assert!(damage.end == damage.offset || first < damage.end, "{} but byte {first}", damage);
    }

    #[test]
    fn garbage_never_panics(data in proptest::collection::vec(any::<u8>(), 0..4000)) {
        let _ = Reader::scan_all(&data);
    }

    #[test]
    fn garbage_behind_a_sound_start_never_panics(
        keep: prop::sample::Index,
        data in proptest::collection::vec(any::<u8>(), 0..600),
    ) {
        let mut bytes = write(&story());
        bytes.truncate(keep.index(bytes.len()));
        bytes.extend_from_slice(&data);
        let _ = Reader::scan_all(&bytes);
        prop_assert!(verify(bytes.as_slice(), &PublicKey::new([1; 32])).is_err());
    }

    /// Sound frames around any content: what only the innermost layers see.
    #[test]
    fn hostile_content_in_sound_frames_never_panics(entries in proptest::collection::vec(
        (proptest::collection::vec(any::<u8>(), 0..200), any::<(bool, bool)>()), 1..20,
    )) {
        let (mut chain, start) = sallyport_record::Chain::new(header());
        let mut bytes = start.to_vec();
        let mut block = sallyport_record::Block::default();
        for (data, (more, first)) in &entries {
            block.push(Micros(START), data, sallyport_record::Part { more: *more, first: *first });
        }
        chain.block(&block, &mut sallyport_record::Packer::new().unwrap(), &mut bytes).unwrap();
        let _ = Reader::scan_all(&bytes);
    }
}
