//! What each style makes of values, and that every mask still decodes.

use proptest::prelude::*;

use super::*;

fn masker() -> Masker {
    Masker::new(&MaskKey::new([7; 32]))
}

fn text(style: Style, value: &str) -> String {
    let mut out = Vec::new();
    match masker().whole_text(style, "column", value.as_bytes(), &mut out) {
        Masked::Bytes => String::from_utf8(out).unwrap(),
        Masked::Null => "NULL".to_owned(),
    }
}

fn typed(style: Style, ty: ValueType, format: Format, value: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match masker().typed(style, "column", ty, format, value, &mut out) {
        Masked::Bytes => Some(out),
        Masked::Null => {
            assert!(out.is_empty());
            None
        }
    }
}

fn content(style: Style, ty: ValueType, format: Format, value: &[u8]) -> (Content, Vec<u8>) {
    let mut out = Vec::new();
    let content = masker().content(style, DetectorSet::ALL, ty, format, value, &mut Vec::new(), &mut out);
    (content, out)
}

#[test]
fn whole_texts() {
    assert_eq!(text(Style::Redact, "alice"), "[redacted]");
    assert_eq!(text(Style::Fixed, "alice"), "***");
    assert_eq!(text(Style::Null, "alice"), "NULL");
    let hash = text(Style::Hash, "alice");
    assert!(hash.len() == 32 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let token = text(Style::Token, "alice");
    assert!(token.len() == 49 && token.starts_with("tok_"));
    assert_eq!(token, text(Style::Token, "alice"));
    assert_ne!(token, text(Style::Token, "bob"));
}

#[test]
fn tokens_depend_on_key_and_domain() {
    let token = |key: u8, domain: &str| {
        let mut out = Vec::new();
        let _ = Masker::new(&MaskKey::new([key; 32])).whole_text(Style::Token, domain, b"alice", &mut out);
        out
    };
    assert_eq!(token(1, "a"), token(1, "a"));
    assert_ne!(token(1, "a"), token(2, "a"));
    assert_ne!(token(1, "a"), token(1, "b"));
}

#[test]
fn partials() {
    for (value, shown) in [
        ("4111111111111111", "411111******1111"),
        ("4111-1111-1111-1111", "4111-11**-****-1111"),
        ("378282246310005", "378282*****0005"),
        ("4222222222222", "*********2222"),
        ("alice@example.com", "a***@example.com"),
        ("jo@example.com", "***@example.com"),
        ("jürgen@example.com", "j***@example.com"),
        ("ürgen@example.com", "***@example.com"),
        ("+1 415 555 0132", "+* *** *** 0132"),
        ("+49301234", "+******34"),
        ("DE89 3704 0044 0532 0130 00", "DE** **** **** **** **30 00"),
        ("123-45-6789", "***-**-6789"),
        ("10.1.2.3", "1***"),
        ("hello wide world", "h***"),
        ("secret", "***"),
        ("", "***"),
        ("{\"a\": 1, \"b\"}", "***"),
        ("alice@example.com and more", "a***"),
        ("a@4111111111111111.com", "a***"),
        ("4111111111111111@example.com", "4***"),
    ] {
        assert_eq!(text(Style::Partial, value), shown, "{value}");
    }
}

#[test]
fn only_the_finds_change() {
    let value = "mail alice@example.com or 4111111111111111.";
    let mut hits = Vec::new();
    scan(value.as_bytes(), DetectorSet::ALL, &mut hits);
    let mut out = Vec::new();
    masker().detected(Style::Partial, &hits, value.as_bytes(), &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), "mail a***@example.com or 411111******1111.");
}

#[test]
fn json_stays_json() {
    let value = r#"{"card":4111111111111111,"mail":"x\nbob@example.com","list":["10.1.2.3",4111111111111111],"q\"":"\\a@b.com"}"#;
    for style in Style::ALL {
        for ty in [ValueType::Json, ValueType::Jsonb] {
            let (made, out) = content(style, ty, Format::Text, value.as_bytes());
            assert_eq!(made, Content::Bytes);
            let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
            assert_eq!((&json["card"], &json["list"][1]), (&0.into(), &0.into()));
            let text = json.to_string();
            assert!(!text.contains("bob") && !text.contains("4111") && !text.contains("10.1"), "{text}");
        }
    }
}

#[test]
fn jsonb_keeps_its_version() {
    assert_eq!(typed(Style::Redact, ValueType::Jsonb, Format::Binary, b"\x01{}").unwrap(), b"\x01\"[redacted]\"");
    let (made, out) = content(Style::Redact, ValueType::Jsonb, Format::Binary, b"\x01[\"a@b.com\"]");
    assert_eq!((made, out.as_slice()), (Content::Bytes, b"\x01[\"[redacted]\"]".as_slice()));
}

const TYPES: [ValueType; 19] = [
    ValueType::Text,
    ValueType::Bool,
    ValueType::Int2,
    ValueType::Int4,
    ValueType::Int8,
    ValueType::Float4,
    ValueType::Float8,
    ValueType::Numeric,
    ValueType::Date,
    ValueType::Time,
    ValueType::Timestamp,
    ValueType::Timestamptz,
    ValueType::Uuid,
    ValueType::Json,
    ValueType::Jsonb,
    ValueType::Bytea,
    ValueType::Inet,
    ValueType::Array(Element::Number),
    ValueType::Other,
];

/// Decodes a masked value as a strict driver would; says it again as text, the same for both formats.
fn decode(ty: ValueType, format: Format, value: &[u8]) -> String {
    let text = || str::from_utf8(value).unwrap().to_owned();
    let binary = format == Format::Binary;
    match ty {
        ValueType::Text | ValueType::Other => text(),
        ValueType::Bool if binary => (if value == [0] { "f" } else { panic!("not a bool") }).to_owned(),
        ValueType::Bool => text(),
        ValueType::Int2 if binary => i16::from_be_bytes(value.try_into().unwrap()).to_string(),
        ValueType::Int2 => text().parse::<i16>().unwrap().to_string(),
        ValueType::Int4 if binary => i32::from_be_bytes(value.try_into().unwrap()).to_string(),
        ValueType::Int4 => text().parse::<i32>().unwrap().to_string(),
        ValueType::Int8 if binary => i64::from_be_bytes(value.try_into().unwrap()).to_string(),
        ValueType::Int8 => text().parse::<i64>().unwrap().to_string(),
        ValueType::Float4 if binary => f32::from_be_bytes(value.try_into().unwrap()).to_string(),
        ValueType::Float4 => text().parse::<f32>().unwrap().to_string(),
        ValueType::Float8 if binary => f64::from_be_bytes(value.try_into().unwrap()).to_string(),
        ValueType::Float8 => text().parse::<f64>().unwrap().to_string(),
        ValueType::Numeric if binary => numeric::decode(value).unwrap(),
        ValueType::Numeric => text().parse::<u64>().unwrap().to_string(),
        ValueType::Date if binary => i32::from_be_bytes(value.try_into().unwrap()).to_string(),
        ValueType::Date => calendar::parse_date(&text()).unwrap().to_string(),
        ValueType::Time | ValueType::Timestamp | ValueType::Timestamptz if binary => {
            i64::from_be_bytes(value.try_into().unwrap()).to_string()
        }
        ValueType::Time => calendar::parse_time(&text()).unwrap().to_string(),
        ValueType::Timestamp => calendar::parse_timestamp(&text(), false).unwrap().to_string(),
        ValueType::Timestamptz => calendar::parse_timestamp(&text(), true).unwrap().to_string(),
        ValueType::Uuid if binary => {
            format!("{:032x}", u128::from_be_bytes(value.try_into().unwrap()))
        }
        ValueType::Uuid => {
            let parts: Vec<usize> = text().split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12]);
            text().replace('-', "")
        }
        ValueType::Jsonb if binary => {
            assert_eq!(value[0], 1);
            serde_json::from_slice::<String>(&value[1..]).unwrap()
        }
        ValueType::Json | ValueType::Jsonb => serde_json::from_slice::<String>(value).unwrap(),
        ValueType::Bytea if binary => {
            let mut hex = b"\\x".to_vec();
            push_hex(value, &mut hex);
            String::from_utf8(hex).unwrap()
        }
        ValueType::Bytea => text(),
        ValueType::Inet if binary => {
            assert_eq!((usize::from(value[3]), usize::from(value[1])), (value.len() - 4, (value.len() - 4) * 8));
            match value[0] {
                2 => std::net::Ipv4Addr::from(<[u8; 4]>::try_from(&value[4..]).unwrap()).to_string(),
                3 => std::net::Ipv6Addr::from(<[u8; 16]>::try_from(&value[4..]).unwrap()).to_string(),
                family => panic!("no family {family}"),
            }
        }
        ValueType::Inet => text().parse::<std::net::IpAddr>().unwrap().to_string(),
        ValueType::Array(_) if binary => {
            assert_eq!((value.len(), &value[..8]), (12, [0; 8].as_slice()));
            "{}".to_owned()
        }
        ValueType::Array(_) => text(),
    }
}

/// One value of each type in both formats.
fn samples() -> Vec<(ValueType, Vec<u8>, Vec<u8>)> {
    let timestamp = 8_852 * calendar::DAY + 3_723_500_000_i64;
    let array = [
        &1_i32.to_be_bytes()[..],
        &[0; 4],
        &20_i32.to_be_bytes(),
        &1_i32.to_be_bytes(),
        &1_i32.to_be_bytes(),
        &8_i32.to_be_bytes(),
        &5_i64.to_be_bytes(),
    ];
    let row = |ty: ValueType, text: &str, binary: &[u8]| (ty, text.as_bytes().to_vec(), binary.to_vec());
    vec![
        row(ValueType::Text, "alice", b"alice"),
        row(ValueType::Bool, "t", &[1]),
        row(ValueType::Int2, "-7", &(-7_i16).to_be_bytes()),
        row(ValueType::Int4, "42", &42_i32.to_be_bytes()),
        row(ValueType::Int8, "-42", &(-42_i64).to_be_bytes()),
        row(ValueType::Float4, "0.1", &0.1_f32.to_be_bytes()),
        row(ValueType::Float8, "-1.5e+300", &(-1.5e300_f64).to_be_bytes()),
        row(ValueType::Numeric, "-12.50", &[0, 2, 0, 0, 0x40, 0, 0, 2, 0, 12, 0x13, 0x88]),
        row(ValueType::Date, "2024-03-27", &8_852_i32.to_be_bytes()),
        row(ValueType::Time, "01:02:03.5", &3_723_500_000_i64.to_be_bytes()),
        row(ValueType::Timestamp, "2024-03-27 01:02:03.5", &timestamp.to_be_bytes()),
        row(ValueType::Timestamptz, "2024-03-27 03:02:03.5+02", &timestamp.to_be_bytes()),
        row(
            ValueType::Uuid,
            "00010203-0405-0607-0809-0a0b0c0d0e0f",
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
        ),
        row(ValueType::Json, "{\"a\": 1}", b"{\"a\": 1}"),
        row(ValueType::Jsonb, "{\"a\": 1}", b"\x01{\"a\": 1}"),
        row(ValueType::Bytea, "\\x0aff", &[10, 255]),
        row(ValueType::Inet, "10.1.2.0/24", &[2, 24, 0, 4, 10, 1, 2, 0]),
        row(ValueType::Array(Element::Number), "{5}", &array.concat()),
        row(ValueType::Other, "1 day", &[0; 16]),
    ]
}

#[test]
fn every_style_of_every_type_decodes_and_is_the_same_in_both_formats() {
    for (ty, text, binary) in samples() {
        for style in Style::ALL {
            let (from_text, from_binary) =
                (typed(style, ty, Format::Text, &text), typed(style, ty, Format::Binary, &binary));
            assert_eq!(from_text.is_none(), style == Style::Null || ty == ValueType::Other);
            let (Some(from_text), Some(from_binary)) = (&from_text, &from_binary) else {
                assert_eq!(from_text, from_binary);
                continue;
            };
            assert_eq!(decode(ty, Format::Text, from_text), decode(ty, Format::Binary, from_binary), "{ty:?} {style}");
            assert_eq!(typed(style, ty, Format::Binary, &binary).as_ref(), Some(from_binary));
            assert_ne!(from_text, &text, "{ty:?} {style}");
        }
    }
}

#[test]
fn nothing_is_left_of_a_redacted_number_or_date() {
    for (ty, zero) in [
        (ValueType::Int4, "0"),
        (ValueType::Float8, "0"),
        (ValueType::Numeric, "0"),
        (ValueType::Bool, "f"),
        (ValueType::Date, "1970-01-01"),
        (ValueType::Time, "00:00:00"),
        (ValueType::Timestamp, "1970-01-01 00:00:00"),
        (ValueType::Timestamptz, "1970-01-01 00:00:00+00"),
        (ValueType::Uuid, "00000000-0000-0000-0000-000000000000"),
        (ValueType::Inet, "0.0.0.0"),
        (ValueType::Bytea, "\\x"),
        (ValueType::Array(Element::Text), "{}"),
    ] {
        for style in [Style::Redact, Style::Fixed, Style::Partial] {
            assert_eq!(typed(style, ty, Format::Text, b"7").as_deref(), Some(zero.as_bytes()), "{ty:?} {style}");
        }
    }
    assert_eq!(
        typed(Style::Redact, ValueType::Date, Format::Binary, &[0; 4]),
        Some((-10_957_i32).to_be_bytes().to_vec())
    );
}

#[test]
fn integer_tokens_are_distinct() {
    let tokens: std::collections::BTreeSet<_> = (i16::MIN..=i16::MAX)
        .map(|number| typed(Style::Token, ValueType::Int2, Format::Binary, &number.to_be_bytes()))
        .collect();
    assert_eq!(tokens.len(), 1 << 16);
}

#[test]
fn a_card_is_found_in_a_number_of_either_format() {
    let card = 4_111_111_111_111_111_i64;
    let mut numeric = Vec::new();
    numeric::encode(card.cast_unsigned(), &mut numeric);
    #[expect(clippy::cast_precision_loss, reason = "a test value that a float holds exactly")]
    let float = card as f64;
    for (ty, text, binary) in [
        (ValueType::Int8, "4111111111111111", card.to_be_bytes().to_vec()),
        (ValueType::Numeric, "4111111111111111.00", numeric),
        (ValueType::Float8, "4.111111111111111e+15", float.to_be_bytes().to_vec()),
    ] {
        let (made, out) = content(Style::Partial, ty, Format::Text, text.as_bytes());
        assert_eq!((made, out.as_slice()), (Content::Bytes, b"0".as_slice()));
        let (made, out) = content(Style::Partial, ty, Format::Binary, &binary);
        assert_eq!((made, decode(ty, Format::Binary, &out).as_str()), (Content::Bytes, "0"));
    }
    assert_eq!(
        content(Style::Redact, ValueType::Int8, Format::Binary, &123_456_789_i64.to_be_bytes()).0,
        Content::Clean
    );
}

#[test]
fn finds_inside_bytes_addresses_and_arrays() {
    let (made, out) =
        content(Style::Redact, ValueType::Bytea, Format::Text, b"\\x614062e38080612e636f6d2061406263642e636f6d");
    assert_eq!((made, out.as_slice()), (Content::Bytes, b"\\x".as_slice()));
    assert_eq!(content(Style::Redact, ValueType::Inet, Format::Binary, &[2, 32, 0, 4, 10, 1, 2, 3]).0, Content::Bytes);
    let (made, out) = content(Style::Null, ValueType::Array(Element::Text), Format::Text, b"{a@b.com,plain}");
    assert_eq!((made, out.as_slice()), (Content::Bytes, b"{[redacted],plain}".as_slice()));
    assert_eq!(content(Style::Null, ValueType::Text, Format::Text, b"a@b.com").0, Content::Null);
    assert_eq!(content(Style::Redact, ValueType::Other, Format::Binary, b"..a@b.com").0, Content::Null);
}

/// A binary array of one dimension.
fn array(oid: i32, elements: &[Option<&[u8]>]) -> Vec<u8> {
    let mut value = Vec::new();
    for number in [1, 1, oid, i32::try_from(elements.len()).unwrap(), 1] {
        value.extend_from_slice(&i32::to_be_bytes(number));
    }
    for element in elements {
        match element {
            Some(element) => {
                value.extend_from_slice(&i32::try_from(element.len()).unwrap().to_be_bytes());
                value.extend_from_slice(element);
            }
            None => value.extend_from_slice(&(-1_i32).to_be_bytes()),
        }
    }
    value
}

#[test]
fn binary_arrays_are_rebuilt_with_new_lengths() {
    let value = array(25, &[Some(b"alice@example.com"), None, Some(b"plain"), Some(b"")]);
    let (made, out) = content(Style::Partial, ValueType::Array(Element::Text), Format::Binary, &value);
    assert_eq!(made, Content::Bytes);
    assert_eq!(out, array(25, &[Some(b"a***@example.com"), None, Some(b"plain"), Some(b"")]));
    let value = array(25, &[Some(b"plain")]);
    assert_eq!(
        content(Style::Partial, ValueType::Array(Element::Text), Format::Binary, &value),
        (Content::Clean, Vec::new())
    );
    let card = array(20, &[Some(&4_111_111_111_111_111_i64.to_be_bytes())]);
    let (made, out) = content(Style::Partial, ValueType::Array(Element::Number), Format::Binary, &card);
    assert_eq!((made, out), (Content::Bytes, [&[0; 8][..], &20_i32.to_be_bytes()].concat()));
    let broken = [&array(25, &[Some(b"alice@example.com")])[..], &[0, 0]].concat();
    assert_eq!(content(Style::Redact, ValueType::Array(Element::Text), Format::Binary, &broken).0, Content::Bytes);
}

#[test]
fn keys_are_not_printed() {
    assert_eq!(format!("{:?} {:?}", MaskKey::new([9; 32]), masker()), "MaskKey(..) Masker(..)");
}

proptest! {
    #[test]
    fn any_bytes_of_any_type_become_a_value_that_decodes(value in proptest::collection::vec(any::<u8>(), 0..40)) {
        for ty in TYPES {
            for format in [Format::Text, Format::Binary] {
                for style in Style::ALL {
                    if let Some(out) = typed(style, ty, format, &value) {
                        decode(ty, format, &out);
                    }
                    let _ = content(style, ty, format, &value);
                }
            }
        }
    }

    #[test]
    fn an_unknown_text_shows_at_most_one_character(value in "\\PC{0,40}") {
        let mut hits = Vec::new();
        scan(value.as_bytes(), DetectorSet::ALL, &mut hits);
        prop_assume!(hits.is_empty());
        let shown = text(Style::Partial, &value);
        let kept = shown.strip_suffix("***").unwrap();
        prop_assert!(kept.chars().count() * 8 <= value.chars().count());
    }

    #[test]
    fn numerics_of_both_formats_have_one_token(value in any::<u64>()) {
        let mut binary = Vec::new();
        numeric::encode(value, &mut binary);
        let from_binary = typed(Style::Token, ValueType::Numeric, Format::Binary, &binary).unwrap();
        let from_text = typed(Style::Token, ValueType::Numeric, Format::Text, format!("{value}.00").as_bytes()).unwrap();
        prop_assert_eq!(numeric::decode(&from_binary).unwrap(), String::from_utf8(from_text).unwrap());
    }
}

#[test]
fn tokens_of_random_uuids_and_texts_lead_back() {
    let uuid = "9b2f8a52-7f5e-4d1c-a9d7-0f4c2f1a6b3e";
    let binary = canonical::bytes(ValueType::Uuid, Format::Text, uuid.as_bytes()).into_owned();
    for (format, value) in [(Format::Text, uuid.as_bytes()), (Format::Binary, binary.as_slice())] {
        let token = typed(Style::Token, ValueType::Uuid, format, value).unwrap();
        assert_ne!(token, value);
        assert_eq!(masker().restore("column", ValueType::Uuid, format, &token).as_deref(), Some(value));
        assert_ne!(masker().restore("other", ValueType::Uuid, format, &token).as_deref(), Some(value));
        // A value is no token.
        assert_eq!(masker().restore("column", ValueType::Uuid, format, value), None);
    }
    // Of another version: a stand-in, from which nothing leads back.
    let ordered = b"01928f0e-7f5e-7d1c-a9d7-0f4c2f1a6b3e";
    let token = typed(Style::Token, ValueType::Uuid, Format::Text, ordered).unwrap();
    assert_ne!(masker().restore("column", ValueType::Uuid, Format::Text, &token).as_deref(), Some(&ordered[..]));
    let token = typed(Style::Token, ValueType::Text, Format::Binary, b"alice").unwrap();
    assert_eq!(masker().restore("column", ValueType::Text, Format::Text, &token).as_deref(), Some(&b"alice"[..]));
    assert_eq!(masker().restore("column", ValueType::Int8, Format::Text, b"42"), None);
}
