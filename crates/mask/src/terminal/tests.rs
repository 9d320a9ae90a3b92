//! A terminal that is cut anywhere shows no value.

use proptest::prelude::*;

use super::*;
use crate::masker::MaskKey;
use crate::scan::scan;

const TOKEN: &str = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
const CARD: &str = "4111 1111 1111 1111";
const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\r\nMHcCAQEEIA==\r\n-----END EC PRIVATE KEY-----";
/// The key and the end of its last line: what is glued to a key may be hidden with it or on its own.
const KEY_LINES: &str = "-----BEGIN EC PRIVATE KEY-----\r\nMHcCAQEEIA==\r\n-----END EC PRIVATE KEY-----\r\n";
const JWT: &str =
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

fn masker(set: DetectorSet, style: Style) -> TerminalMasker {
    TerminalMasker::new(Masker::new(&MaskKey::new([7; 32])), set, style)
}

fn in_pieces(style: Style, text: &[u8], size: usize) -> Vec<u8> {
    let mut masker = masker(DetectorSet::ALL, style);
    let mut out = Vec::new();
    for piece in text.chunks(size) {
        masker.push(piece, &mut out);
        assert!(masker.held() <= HOLD, "{} bytes are held", masker.held());
    }
    masker.finish(&mut out);
    out
}

fn in_cycles(style: Style, text: &[u8], sizes: &[usize]) -> Vec<u8> {
    let mut masker = masker(DetectorSet::ALL, style);
    let (mut out, mut rest) = (Vec::new(), text);
    for size in sizes.iter().cycle() {
        let (piece, more) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
        masker.push(piece, &mut out);
        rest = more;
        if rest.is_empty() {
            break;
        }
    }
    masker.finish(&mut out);
    out
}

fn whole(style: Style, text: &str) -> String {
    String::from_utf8_lossy(&in_pieces(style, text.as_bytes(), usize::MAX)).into_owned()
}

#[track_caller]
fn same(text: &str) {
    for style in [Style::Redact, Style::Partial, Style::Token] {
        let expected = whole(style, text);
        // Long texts byte by byte take long.
        let sizes = [1, 2, 3, 7, 64, 1000, 10_000];
        for size in sizes.into_iter().skip(if text.len() > HOLD { 3 } else { 0 }) {
            let found = in_pieces(style, text.as_bytes(), size);
            assert_eq!(String::from_utf8_lossy(&found), expected, "in pieces of {size}");
        }
    }
}

#[test]
fn text_without_control_functions_is_masked_as_everywhere() {
    let row = format!("17\talice@example.com\t{CARD}, +1 415 555 0132\t10.1.2.3 {TOKEN} {JWT}.. x\r\n");
    let (mut hits, mut expected) = (Vec::new(), Vec::new());
    scan(row.as_bytes(), DetectorSet::ALL, &mut hits);
    Masker::new(&MaskKey::new([7; 32])).detected(Style::Redact, &hits, row.as_bytes(), &mut expected);
    assert_eq!(whole(Style::Redact, &row).as_bytes(), expected);
    same(&row.repeat(3));
    same(&format!("a\r\n{KEY}\r\nb {CARD}\r\n"));
    same(&format!("{TOKEN} {JWT}"));
}

#[test]
fn output_is_input_where_nothing_is_found() {
    for text in [
        "total 12\r\n\x1b[01;34mbin\x1b[0m  \x1b[01;32mrun.sh\x1b[0m\r\n",
        "\x1b[?1049h\x1b[2J\x1b[1;1H~\x1b[24;1H\x1b[7mNORMAL\x1b[0m\x1b]0;vim\x07",
        "10%\r20%\r100%\r\n\x1b[K\u{1b}P1$r0m\x1b\\ 日本語 \x1b[10D\x1b[38;2;1;2;3mx",
        "x\x08 \x08y\x7f\x00\x0e\x0f\x1b(B\u{9b}1mz\u{200b}",
    ] {
        assert_eq!(whole(Style::Redact, text), text);
        same(text);
    }
    assert_eq!(in_pieces(Style::Redact, b"\xff\x80\x9b1m\xc2", 1), b"\xff\x80\x9b1m\xc2");
}

#[test]
fn control_functions_inside_a_value_do_not_hide_it_and_stay() {
    assert_eq!(
        whole(Style::Redact, "a \x1b[31mghp_0123\x1b[0m456789abcdefghijklmn b"),
        "a \x1b[31m[redacted]\x1b[0m b"
    );
    assert_eq!(whole(Style::Partial, "4111 \x1b[1m1111\x1b[0m 1111 1111\r\n"), "4111 \x1b[1m11**\x1b[0m **** 1111\r\n");
    assert_eq!(whole(Style::Partial, "alice@example.com |"), "a****@example.com |");
    for noise in
        ["\x1b[31m", "\x1b[5C", "\x1b]0;t\x07", "\x1bPx\x1b\\", "\u{9b}m", "\x08", "\r", "\x00", "\u{200b}", "\x1bOx"]
    {
        let noisy: String = TOKEN.chars().map(|char| format!("{char}{noise}")).collect();
        let found = whole(Style::Redact, &format!("$ {noisy}\r\n"));
        if noise == "\x1bOx" {
            continue;
        }
        assert!(found.contains("[redacted]") && !found.contains("ghp"), "{noise:?}: {found:?}");
    }
}

#[test]
fn what_is_written_over_is_read_as_it_ends_up() {
    // A wrong character and a back space before each.
    let typed: String = TOKEN.chars().map(|char| format!("x\x08{char}")).collect();
    assert!(whole(Style::Redact, &format!("{typed}\r\n")).contains("[redacted]"));
    // A command line that gets a character put in.
    let text = "ghp_012345679\x08\x1b[@8\x1b[C0123456789abc\r\n";
    assert!(whole(Style::Redact, text).contains("[redacted]"), "{:?}", whole(Style::Redact, text));
    // A value where the cursor was set to, beside other text.
    let text = format!("name\x1b[10;5H{TOKEN}\x1b[11;5Hnext");
    assert_eq!(whole(Style::Redact, &text), "name\x1b[10;5H[redacted]\x1b[11;5Hnext");
    // In a title.
    assert_eq!(whole(Style::Redact, &format!("\x1b]0;{TOKEN}\x07a")), "\x1b]0;[redacted]\x07a");
}

#[test]
fn a_command_line_that_goes_on_at_the_right_margin() {
    let (one, two) = TOKEN.split_at(30);
    let text = format!("$ {one} \r{two} \x1b[K\r\n");
    assert_eq!(whole(Style::Redact, &text), "$ [redacted] \r \x1b[K\r\n");
    same(&text);
}

#[test]
fn ordinary_text_flows_at_once() {
    let mut masker = masker(DetectorSet::SECRET, Style::Redact);
    for text in ["$ ", "c", "at", " -ab\r\n", "\x1b[1mhello", " world", "\x1b[", "0m"] {
        let mut out = Vec::new();
        masker.push(text.as_bytes(), &mut out);
        assert_eq!((out.as_slice(), masker.held()), (text.as_bytes(), 0));
    }
    // A number or a prefix waits.
    let mut masker = self::masker(DetectorSet::ALL, Style::Redact);
    let mut out = Vec::new();
    masker.push(b"order 4111 11", &mut out);
    assert_eq!(out, b"order ");
    masker.push(b"-x, ", &mut out);
    assert_eq!(out, b"order 4111 11-x, ");
}

#[test]
fn typed_values_end_in_stars() {
    let mut masker = masker(DetectorSet::ALL, Style::Redact);
    let mut type_in = |text: &str| {
        let mut out = Vec::new();
        for byte in text.bytes() {
            masker.push(&[byte], &mut out);
            masker.flush(&mut out);
        }
        String::from_utf8(out).unwrap()
    };
    assert_eq!(type_in("$ ssh root@web 1234567 20261121\r\n"), "$ ssh root@web 1234567 20261121\r\n");
    assert_eq!(type_in(&format!("{TOKEN} x\r\n")), format!("ghp_{} x\r\n", "*".repeat(36)));
    assert_eq!(type_in(&format!("{CARD} x\r\n")), "4111 111* **** **** x\r\n");
    assert_eq!(type_in("AKIAIOSFODNN7EXAMPLE x"), "AKIA**************** x");
}

#[test]
fn a_flush_in_the_middle_hides_what_is_doubtful() {
    for (text, at) in [(TOKEN, 12), (CARD, 12), ("alice@example.com", 8), (JWT, 20), (KEY, 40)] {
        let (one, two) = text.split_at(at);
        let mut masker = masker(DetectorSet::ALL, Style::Redact);
        let mut out = Vec::new();
        masker.push(b"is: ", &mut out);
        masker.push(one.as_bytes(), &mut out);
        masker.flush(&mut out);
        masker.push(two.as_bytes(), &mut out);
        masker.push(b" x\r\n", &mut out);
        let found = String::from_utf8(out).unwrap();
        assert!(found.starts_with("is: ") && found.ends_with(" x\r\n"), "{found:?}");
        assert!(found.bytes().filter(u8::is_ascii_alphanumeric).count() <= 16, "{found:?}");
    }
}

#[test]
fn values_longer_than_what_is_held() {
    let long = "x".repeat(4 * HOLD);
    same(&format!("a ghp_{long} b {CARD}\n"));
    let key = format!("-----BEGIN PRIVATE KEY-----\n{}-----END PRIVATE KEY-----", "MIIEvQ\n".repeat(HOLD));
    same(&format!("a\n{key}\nb a@b.com\n"));
    same(&"1".repeat(3 * HOLD));
    same(&"AbC0".repeat(HOLD));
    // Nothing holds more than the bound, however many control functions come.
    let colours = "\x1b[31m".repeat(5 * HOLD);
    let found = whole(Style::Redact, &format!("ghp_01234{colours}56789abcdefghijklmn\n"));
    assert!(!found.contains("01234") && !found.contains("56789"));
}

fn noise() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "",
        "",
        "",
        "\x1b[31m",
        "\x1b[0;1m",
        "\x1b[2C",
        "\x1b[5;7H",
        "\x1b]0;a title\x07",
        "\x1bP0q\x1b\\",
        "\x1b(B",
        "\x0f",
        "\x00",
        "\u{200b}",
        "\x1b[?25h",
        "\u{9b}4m",
        "\x07",
    ])
}

fn words() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![
        "hello",
        " ",
        " ",
        "\r\n",
        "web-1:~$ ",
        "alice@example.com",
        CARD,
        TOKEN,
        JWT,
        KEY_LINES,
        "+49 30 1234567",
        "über",
        "日本",
        "GB29 NWBK 6016 1331 9268 19",
        "AKIAIOSFODNN7EXAMPLE",
        "10.1.2.3",
        "fe80::1",
        "123-45-6789",
        "2026-11-21 10:00",
        "\t",
        "-----",
        "eyJ",
        "ghp_",
        "x=",
        "12 34",
        "'",
        ".",
    ])
}

#[test]
fn a_cut_inside_a_character_does_not_show_half_of_it() {
    let text = "\x1b[0;1müberalice@example.com".as_bytes();
    for style in Style::ALL {
        let expected = in_pieces(style, text, usize::MAX);
        for size in 1..text.len() {
            assert_eq!(in_pieces(style, text, size), expected, "{style:?} in pieces of {size}");
        }
    }
}

/// Noise that leaves the cursor where it is: what is written over later is read again.
fn staying() -> impl Strategy<Value = &'static str> {
    noise().prop_map(|noise| if matches!(noise, "\x1b[2C" | "\x1b[5;7H") { "" } else { noise })
}

/// Values that are whole whatever stands around them.
const SECRETS: [&str; 4] = ["alice@example.com", TOKEN, JWT, "AKIAIOSFODNN7EXAMPLE"];

fn worded() -> impl Strategy<Value = &'static str> {
    proptest::sample::select([SECRETS.as_slice(), &["hello", "über", "web-1:~$", "日本", "eyJ", "ghp_", "'"]].concat())
}

fn apart() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec![" ", "\r\n", "\n", " | ", ", ", "\t", " \x1b[0m"])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_cut_gives_the_same(
        parts in proptest::collection::vec((words(), staying(), apart()), 1..20),
        sizes in proptest::collection::vec(1_usize..40, 1..20),
        style in proptest::sample::select(Style::ALL.to_vec()),
    ) {
        let text: String = parts.iter().flat_map(|(word, noise, apart)| [*word, *noise, *apart]).collect();
        let found = in_cycles(style, text.as_bytes(), &sizes);
        let expected = in_pieces(style, text.as_bytes(), usize::MAX);
        prop_assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(&expected), "{:?}", text);
    }

    #[test]
    fn any_cut_hides_the_same(
        parts in proptest::collection::vec((worded(), noise(), apart()), 1..20),
        sizes in proptest::collection::vec(1_usize..40, 1..20),
        style in proptest::sample::select(Style::ALL.to_vec()),
    ) {
        let text: String = parts.iter().flat_map(|(word, noise, apart)| [*word, *noise, *apart]).collect();
        let mut views = Views::default();
        views.read(&in_cycles(style, text.as_bytes(), &sizes), None);
        for view in [views.joined, views.apart] {
            let shown = String::from_utf8_lossy(&view.text).into_owned();
            for secret in SECRETS {
                prop_assert!(!shown.contains(secret), "{:?} of {:?}", shown, text);
            }
        }
    }

    #[test]
    fn no_secret_in_noise_survives(
        secret in proptest::sample::select(vec![TOKEN, CARD, "AKIAIOSFODNN7EXAMPLE", "alice@example.com", "GB29NWBK60161331926819"]),
        noises in proptest::collection::vec(noise(), 1..60),
        before in proptest::sample::select(vec!["", "$ ", "\r\n", "\x1b[1m: "]),
        size in 1_usize..30,
    ) {
        let noisy: String = secret.chars().zip(noises.iter().cycle()).map(|(char, noise)| format!("{char}{noise}")).collect();
        let text = format!("{before}{noisy} \r\n");
        let found = in_pieces(Style::Redact, text.as_bytes(), size);
        let mut views = Views::default();
        views.read(&found, None);
        let shown = String::from_utf8_lossy(&views.joined.text).into_owned();
        let kept = shown.replace("[redacted]", "");
        prop_assert!(!kept.contains(secret) && kept.len() < before.len() + 8, "{:?} from {:?}", shown, text);
    }

    #[test]
    fn flushes_anywhere_never_show_a_whole_value(
        secret in proptest::sample::select(vec![TOKEN, CARD, "AKIAIOSFODNN7EXAMPLE", JWT]),
        cuts in proptest::collection::vec((1_usize..12, any::<bool>()), 1..30),
    ) {
        let text = format!("$ {secret} \r\n");
        let mut masker = masker(DetectorSet::ALL, Style::Redact);
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        for (size, flush) in cuts.iter().cycle() {
            let (piece, more) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
            masker.push(piece, &mut out);
            if *flush { masker.flush(&mut out) } else if *size > 6 { masker.flush_certain(&mut out) }
            rest = more;
            if rest.is_empty() { break }
        }
        masker.finish(&mut out);
        let found = String::from_utf8_lossy(&out).replace("[redacted]", "");
        prop_assert!(found.bytes().filter(u8::is_ascii_alphanumeric).count() <= 8, "{}", found);
    }

    #[test]
    fn what_is_no_value_is_not_touched_wherever_a_program_pauses(
        words in proptest::collection::vec(
            prop_oneof!["[0-9]{1,21}", "[0-9]{4} [0-9]{4} [0-9]{3,5}", "[a-z]{1,9}", "[ .:@\n-]", "\u{1b}\\[1m", "[A-Z]{2}[0-9]{2} [0-9A-Z]{4}", "ü"],
            1..12,
        ),
        cuts in proptest::collection::vec(1_usize..12, 1..8),
    ) {
        let text = words.concat();
        let mut whole = Vec::new();
        let mut masker = masker(DetectorSet::ALL, Style::Redact);
        masker.push(text.as_bytes(), &mut whole);
        masker.finish(&mut whole);
        prop_assume!(whole == text.as_bytes());
        let (mut out, mut rest) = (Vec::new(), text.as_bytes());
        for size in cuts.iter().cycle() {
            let (piece, more) = rest.split_at_checked(*size).unwrap_or((rest, &[]));
            masker.push(piece, &mut out);
            masker.flush_certain(&mut out);
            rest = more;
            if rest.is_empty() { break }
        }
        masker.finish(&mut out);
        prop_assert_eq!(String::from_utf8_lossy(&out), text);
    }

    #[test]
    fn any_bytes_are_taken(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), proptest::sample::select(b"\x1b[]P\\;mHK\x08\r\n@4 e\xc2\x9b".to_vec())], 0..400,
        ),
        size in 1_usize..50,
        flush in 1_usize..9,
    ) {
        let mut masker = masker(DetectorSet::ALL, Style::Partial);
        let mut out = Vec::new();
        for (index, piece) in bytes.chunks(size).enumerate() {
            masker.push(piece, &mut out);
            if index % flush == 0 { masker.flush(&mut out) } else if index % 3 == 0 { masker.flush_certain(&mut out) }
        }
        masker.finish(&mut out);
        prop_assert!(out.len() <= bytes.len() * 4 + 64);
    }
}

#[test]
fn what_urls_escape_comes_in_pieces() {
    for text in [
        "GET /?k%3D4111111111111111%26b HTTP/1.1\r\n",
        "u=alice%40example%2Ecom&v=a%20AKIAIOSFODNN7EXAMPLE\r\n",
        "%22ghp_0123456789abcdefghijABCDEFGHIJ012345%22 %20415-555-0132\r\n",
        "%204111 1111 1111 1111\r\n",
        "%B4111111111111111^DOE/JOHN^2512\r\n",
        "%25B4111111111111111%5EDOE%2FJOHN%5E2512 x%B4111111111111111%255EDOE\r\n",
        "PAN4111111111111111 Card4111111111111111\r\n",
    ] {
        assert!(whole(Style::Redact, text).contains("[redacted]"), "{text}");
        same(text);
    }
}

#[test]
fn keys_of_several_parts_come_in_pieces() {
    for key in [
        "SG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc",
        "hvs.CAESIJlBf0wW3iwoG9WxXwuq7",
        "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
        "bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-",
        "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
    ] {
        for text in [format!("x {key}\r\n"), format!("{key} {key}"), format!("\"{key}\",")] {
            assert!(whole(Style::Redact, &text).contains("[redacted]"), "{text}");
            same(&text);
            let mut stream = masker(DetectorSet::SECRET, Style::Redact);
            let mut out = Vec::new();
            text.bytes().for_each(|byte| stream.push(&[byte], &mut out));
            stream.finish(&mut out);
            assert_eq!(String::from_utf8_lossy(&out), whole(Style::Redact, &text));
        }
    }
}

#[test]
fn names_of_units_come_in_pieces() {
    let rows = "  getty@tty1.service    loaded active running Getty on tty1\r\n  user@1000.service\r\nicon@2x.png";
    assert_eq!(whole(Style::Redact, rows), rows);
    same(rows);
    let address = "alice@tty1.service.com bob@example.com.socket\r\n";
    assert_eq!(whole(Style::Redact, address), "[redacted] [redacted].socket\r\n");
    same(address);
    let mut stream = masker(DetectorSet::ALL, Style::Redact);
    let mut out = Vec::new();
    for piece in ["getty@tty1.serv", "ice loaded\r\nalice@acme.service", ".com\r\n"] {
        stream.push(piece.as_bytes(), &mut out);
        stream.flush_certain(&mut out);
    }
    stream.finish(&mut out);
    assert_eq!(String::from_utf8_lossy(&out), "getty@tty1.service loaded\r\n[redacted]\r\n");
}
