//! Round trips, hostile lengths, and never a panic.

use proptest::prelude::*;

use super::fields::code;
use super::*;

fn one(bytes: &[u8]) -> Frame<'_> {
    match Frames::new(bytes, limits::LARGEST_MESSAGE).advance() {
        Ok(Next::Frame(frame)) if frame.whole.len() == bytes.len() => frame,
        other => panic!("not one message: {other:?}"),
    }
}

#[test]
fn hostile_lengths_are_refused_before_a_body_is_awaited() {
    for (length, error) in [
        (0_u32, WireError::TooShort(0)),
        (3, WireError::TooShort(3)),
        (0x4000_0000, WireError::TooLong { length: 0x4000_0000, max: 1024 }),
        (u32::MAX, WireError::TooLong { length: u64::from(u32::MAX), max: 1024 }),
    ] {
        let mut bytes = vec![b'Q'];
        bytes.extend_from_slice(&length.to_be_bytes());
        assert_eq!(Frames::new(&bytes, 1024).advance(), Err(error));
        if length != 3 && length != 0 {
            assert!(matches!(startup::read(&length.to_be_bytes()), Err(WireError::TooLong { .. })));
        }
    }
    assert!(matches!(startup::read(&7_u32.to_be_bytes()), Err(WireError::TooShort(7))));
}

#[test]
fn a_partial_message_says_how_much_it_needs() {
    let mut bytes = Vec::new();
    encode::query(&mut bytes, "select 1");
    encode::sync(&mut bytes);
    let mut frames = Frames::new(bytes.get(..7).unwrap(), 1024);
    assert_eq!(frames.advance(), Ok(Next::Partial { have: 7, need: 14 }));
    let mut frames = Frames::new(&bytes, 1024);
    assert!(matches!(frames.advance(), Ok(Next::Frame(Frame { tag: b'Q', .. }))));
    assert_eq!(frames.consumed(), 14);
    assert!(matches!(frames.advance(), Ok(Next::Frame(Frame { tag: b'S', body: [], .. }))));
    assert_eq!(frames.advance(), Ok(Next::Partial { have: 0, need: 5 }));
}

#[test]
fn startup_parameters_come_once() {
    let mut bytes = Vec::new();
    encode::startup(&mut bytes, 0, [("user", "a"), ("user", "b")].into_iter());
    assert_eq!(startup::read(&bytes), Err(WireError::DuplicateParameter));
}

#[test]
fn startup_versions_and_options() {
    let mut bytes = Vec::new();
    let grease = [("_pq_.test_protocol_negotiation", ""), ("user", "u")];
    encode::startup(&mut bytes, 9999, grease.into_iter());
    let Ok(InitialNext::Packet(Initial::Startup(message), used)) = startup::read(&bytes) else { panic!() };
    assert_eq!((used, message.agreed_minor(), message.needs_negotiation()), (bytes.len(), 2, true));
    assert_eq!(message.options, ["_pq_.test_protocol_negotiation"]);
    assert_eq!(message.parameter("user"), Some("u"));
    let mut answer = Vec::new();
    encode::negotiate(&mut answer, message.agreed_minor(), &message.options);
    let frame = one(&answer);
    let Ok(Backend::Negotiate(negotiate)) = Backend::parse(frame.tag, frame.body) else { panic!() };
    assert_eq!((negotiate.version, negotiate.minor()), (0x0003_0002, 2));
    assert_eq!(negotiate.options().count(), 1);

    for (minor, agreed, negotiated) in [(0, 0, false), (1, 0, true), (2, 2, false), (3, 2, true)] {
        let mut bytes = Vec::new();
        encode::startup(&mut bytes, minor, std::iter::empty());
        let Ok(InitialNext::Packet(Initial::Startup(message), _)) = startup::read(&bytes) else { panic!() };
        assert_eq!((message.agreed_minor(), message.needs_negotiation()), (agreed, negotiated), "3.{minor}");
    }
    let two = [0, 0, 0, 8, 0, 2, 0, 0];
    assert_eq!(startup::read(&two), Err(WireError::UnknownProtocol { major: 2, minor: 0 }));
}

#[test]
fn too_many_startup_parameters_are_refused() {
    let names: Vec<String> = (0..200).map(|n| format!("p{n}")).collect();
    let mut bytes = Vec::new();
    encode::startup(&mut bytes, 0, names.iter().map(|name| (name.as_str(), "")));
    assert!(matches!(startup::read(&bytes), Err(WireError::BadCount(_))));
}

#[test]
fn cancel_keys_of_both_protocols() {
    for length in [4, 32, 256] {
        let key = vec![7; length];
        let mut bytes = Vec::new();
        encode::cancel_request(&mut bytes, -5, &key);
        let Ok(InitialNext::Packet(Initial::Cancel { pid: -5, key: read }, _)) = startup::read(&bytes) else {
            panic!()
        };
        assert_eq!(read, key);
        let mut bytes = Vec::new();
        encode::backend_key(&mut bytes, -5, &key);
        let frame = one(&bytes);
        let expected = Backend::BackendKey(BackendKey { pid: -5, key: &key });
        assert_eq!(Backend::parse(frame.tag, frame.body), Ok(expected));
    }
    for length in [0, 3, 257] {
        let mut bytes = Vec::new();
        encode::cancel_request(&mut bytes, 1, &vec![7; length]);
        assert!(startup::read(&bytes).is_err(), "{length}");
    }
}

#[test]
fn missing_and_trailing_bytes_are_errors() {
    let messages: Vec<Vec<u8>> = vec![
        built(|o| encode::query(o, "select 1")),
        built(|o| encode::parse(o, "s", "select $1", &[23])),
        built(|o| encode::bind(o, "", "s", &[Format::Text], &[Some(b"1"), None], &[Format::Binary])),
        built(|o| encode::describe(o, Subject::Statement, "s")),
        built(|o| encode::close(o, Subject::Portal, "p")),
        built(|o| encode::execute(o, "", 5)),
        built(|o| encode::copy_fail(o, "no")),
    ];
    for bytes in &messages {
        let frame = one(bytes);
        assert!(Frontend::parse(frame.tag, frame.body).is_ok());
        let mut longer = frame.body.to_vec();
        longer.push(0);
        assert_eq!(Frontend::parse(frame.tag, &longer), Err(WireError::Trailing(1)), "{}", char::from(frame.tag));
        for end in 0..frame.body.len() {
            let short = frame.body.get(..end).unwrap();
            assert!(Frontend::parse(frame.tag, short).is_err(), "{} {end}", char::from(frame.tag));
        }
    }
}

fn built(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    fill(&mut out);
    out
}

#[test]
fn text_of_clients_is_utf8() {
    assert_eq!(Frontend::parse(b'Q', b"select '\xff'\0"), Err(WireError::NotUtf8("query")));
    assert!(WireError::NotUtf8("query").in_step());
}

#[test]
fn rows_are_bounded() {
    let row = built(|o| encode::data_row(o, &[Some(b"a"), None, Some(b"")]));
    let frame = one(&row);
    let parsed = DataRow::parse(frame.body).unwrap();
    let cells: Result<Vec<_>, _> = parsed.cells().collect();
    assert_eq!(cells, Ok(vec![Some(&b"a"[..]), None, Some(&b""[..])]));
    let cut = frame.body.get(..frame.body.len() - 1).unwrap();
    assert!(DataRow::parse(cut).unwrap().cells().any(|cell| cell.is_err()));
    let mut long = frame.body.to_vec();
    long.push(1);
    assert_eq!(DataRow::parse(&long).unwrap().cells().last(), Some(Err(WireError::Trailing(1))));
    assert!(DataRow::parse(&[0xff, 0xff]).is_err());
    assert!(RowDescription::parse(&[0x7f, 0xff]).is_err());
}

#[test]
fn reports_carry_their_fields_and_no_nul() {
    let report = Report {
        severity: "ERROR",
        sqlstate: "42501",
        message: "no\0Cforged",
        detail: Some("d"),
        hint: Some("h"),
        position: Some(7),
    };
    let bytes = built(|o| encode::error(o, &report));
    let frame = one(&bytes);
    let Ok(Backend::Error(fields)) = Backend::parse(frame.tag, frame.body) else { panic!() };
    assert_eq!(fields.sqlstate(), Some("42501"));
    assert_eq!(fields.field(code::MESSAGE).and_then(Text::to_str), Some("noCforged"));
    assert_eq!(fields.field(code::POSITION).and_then(Text::to_str), Some("7"));
    assert_eq!(fields.fields().count(), 7);
}

#[test]
fn format_codes_apply_to_none_one_or_each() {
    for (codes, expected) in [
        (vec![], [Some(Format::Text), Some(Format::Text)]),
        (vec![Format::Binary], [Some(Format::Binary), Some(Format::Binary)]),
        (vec![Format::Binary, Format::Text], [Some(Format::Binary), Some(Format::Text)]),
    ] {
        let bytes = built(|o| encode::bind(o, "", "", &codes, &[None, None], &[]));
        let frame = one(&bytes);
        let Ok(Frontend::Bind(bind)) = Frontend::parse(frame.tag, frame.body) else { panic!() };
        assert_eq!([bind.formats.of(0), bind.formats.of(1)], expected);
    }
}

proptest! {
    #[test]
    fn nothing_panics(tag: u8, body in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(Frontend::Bind(bind)) = Frontend::parse(tag, &body) {
            prop_assert_eq!(bind.values.iter().count(), bind.values.len());
        }
        match Backend::parse(tag, &body) {
            Ok(Backend::DataRow(row)) => { let _ = row.cells().count(); }
            Ok(Backend::RowDescription(row)) => prop_assert_eq!(row.fields().count(), row.len()),
            Ok(Backend::Error(fields)) => { let _ = fields.fields().count(); }
            Ok(Backend::Negotiate(negotiate)) => { let _ = negotiate.options().count(); }
            _ => {}
        }
        let _ = startup::read(&body);
        let _ = Frames::new(&body, 1000).advance();
        let _ = password_message(&body);
        let _ = SaslInitialResponse::parse(&body);
    }

    #[test]
    fn any_real_tag_with_any_body_does_not_panic(
        tag in proptest::sample::select(b"QPBDECHSFdcfpXRKZTtNAGWVv123nsI".to_vec()),
        body in proptest::collection::vec(prop_oneof![Just(0_u8), Just(1_u8), any::<u8>()], 0..64),
    ) {
        let _ = Frontend::parse(tag, &body);
        if let Ok(Backend::DataRow(row)) = Backend::parse(tag, &body) {
            prop_assert!(row.cells().count() <= row.len() + 1);
        }
    }

    #[test]
    fn bind_round_trips(
        portal in "[a-z]{0,8}", statement in "[a-z]{0,8}",
        values in proptest::collection::vec(proptest::option::of(proptest::collection::vec(any::<u8>(), 0..40)), 0..10),
    ) {
        let borrowed: Vec<Option<&[u8]>> = values.iter().map(|v| v.as_deref()).collect();
        let bytes = built(|o| encode::bind(o, &portal, &statement, &[Format::Binary], &borrowed, &[]));
        let frame = one(&bytes);
        let Ok(Frontend::Bind(bind)) = Frontend::parse(frame.tag, frame.body) else { panic!() };
        prop_assert_eq!(bind.portal, &portal);
        prop_assert_eq!(bind.statement, &statement);
        prop_assert_eq!(bind.values.iter().collect::<Vec<_>>(), borrowed);
    }

    #[test]
    fn parse_and_startup_round_trip(name in "[a-z]{0,8}", sql in "[^\0]{0,80}", types in proptest::collection::vec(any::<u32>(), 0..6)) {
        let bytes = built(|o| encode::parse(o, &name, &sql, &types));
        let frame = one(&bytes);
        let Ok(Frontend::Parse(parse)) = Frontend::parse(frame.tag, frame.body) else { panic!() };
        prop_assert_eq!(parse.query, &sql);
        prop_assert_eq!(parse.types.oids().collect::<Vec<_>>(), types);

        let bytes = built(|o| encode::startup(o, 2, [("user", name.as_str()), ("options", sql.as_str())].into_iter()));
        let Ok(InitialNext::Packet(Initial::Startup(message), used)) = startup::read(&bytes) else { panic!() };
        prop_assert_eq!(used, bytes.len());
        prop_assert_eq!(message.parameter("options"), Some(sql.as_str()));
    }

    #[test]
    fn cutting_anywhere_gives_the_same_messages(cut in 0_usize..60) {
        let bytes = built(|o| { encode::query(o, "select 1"); encode::parse(o, "", "select 2", &[]); encode::sync(o); encode::terminate(o); });
        let cut = cut.min(bytes.len());
        let mut tags = Vec::new();
        let mut first = Frames::new(&bytes[..cut], 100);
        while let Ok(Next::Frame(frame)) = first.advance() { tags.push(frame.tag); }
        let mut second = Frames::new(&bytes[first.consumed()..], 100);
        while let Ok(Next::Frame(frame)) = second.advance() { tags.push(frame.tag); }
        prop_assert_eq!(tags, b"QPSX".to_vec());
    }
}
