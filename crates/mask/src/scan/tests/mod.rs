//! What is found and, as important, what is not.

use super::*;

mod urls;

fn found(text: &str) -> Vec<(Detector, &str)> {
    let mut hits = Vec::new();
    scan(text.as_bytes(), DetectorSet::ALL, &mut hits);
    hits.into_iter().map(|hit| (hit.detector, &text[hit.range])).collect()
}

#[track_caller]
fn finds(detector: Detector, value: &str) {
    for (left, right) in [
        ("", ""),
        ("x ", " y"),
        ("\"", "\""),
        ("(", ")."),
        ("é", "é"),
        ("a=", ","),
        ("\\n", "\\n"),
        ("k%3D", "%26b"),
        ("a%20", "%22"),
        ("u%3Fk%253D", "%2526b"),
        ("[", "]"),
        (">", "<"),
    ] {
        let text = format!("{left}{value}{right}");
        // Letters outside ASCII are part of an address, and so may be what looks like an escape: there the hit may be wider.
        let expected = found(&text);
        assert!(
            expected.iter().any(|(kind, hit)| *kind == detector
                && (*hit == value || ((left == "é" || left.contains('%')) && hit.contains(value)))),
            "{detector} in {text:?}: {expected:?}"
        );
    }
}

#[track_caller]
fn clean(text: &str) {
    for text in [text.to_owned(), format!("x {text} y"), format!("\"{text}\",")] {
        assert_eq!(found(&text), [], "{text:?}");
    }
}

#[test]
fn cards() {
    for card in [
        "4111111111111111",
        "4111 1111 1111 1111",
        "4111-1111-1111-1111",
        "5555555555554444",
        "2223003122003222",
        "378282246310005",
        "3782 822463 10005",
        "30569309025904",
        "3056 930902 5904",
        "6011111111111117",
        "3530111333300000",
        "6200000000000005",
        "4222222222222",
        "5018000000000009",
    ] {
        finds(Detector::Card, card);
    }
    for text in [
        "PAN=4111111111111111",
        "card:4111111111111111",
        "PAN4111111111111111",
        "x Card4111111111111111.",
        "pan_4111111111111111",
        "cardNumber4111111111111111",
        "%B4111111111111111^DOE/JOHN^2512",
        "B4111111111111111^DOE/JOHN^2512",
        "%25B4111111111111111%5EDOE%2FJOHN%5E2512",
        "%B3782 822463 10005^DOE/JOHN^2512",
        ";4111111111111111=2512",
    ] {
        assert!(matches!(found(text).as_slice(), [(Detector::Card, _)]), "{text}: {:?}", found(text));
    }
    assert_eq!(found("4111 1111 1111 1111 123"), [(Detector::Card, "4111 1111 1111 1111")]);
    assert_eq!(found("12 4111 1111 1111 1111"), [(Detector::Card, "4111 1111 1111 1111")]);
}

#[test]
fn no_cards() {
    clean("4111111111111112");
    clean("1234567890123456");
    clean("1111111111111111");
    clean("0.4111111111111111");
    clean("4111111111111111.25");
    clean("a4111111111111111");
    clean("PAN4111111111111112");
    clean("XPAN4111111111111111");
    clean("DE4111111111111111");
    clean("ORD4111111111111111");
    clean("cc4111111111111111");
    clean("B4111111111111111");
    clean("B4111111111111111 ^");
    clean("xB4111111111111111^");
    clean("c0ffeeB4111111111111111^");
    clean("d41d8cd98f4111111111111111");
    clean("550e8400-e29b-41d4-a716-B4111111111111111");
    clean("4111111111111111EUR");
    clean("41111111111111110000");
}

#[test]
fn ibans() {
    for iban in [
        "DE89370400440532013000",
        "DE89 3704 0044 0532 0130 00",
        "GB29NWBK60161331926819",
        "GB29 NWBK 6016 1331 9268 19",
        "de89370400440532013000",
        "NO9386011117947",
        "MT84MALT011000012345MTLCAST001S",
        "FR1420041010050500013M02606",
    ] {
        finds(Detector::Iban, iban);
    }
    clean("DE88370400440532013000");
    clean("ZZ89370400440532013000");
}

#[test]
fn emails() {
    for email in [
        "alice@example.com",
        "a.b+c_d%e@sub.example.co.uk",
        "o'brien@example.org",
        "x@xn--e1afmkfd.xn--p1ai",
        "jürgen@müller.de",
        "a@b.рф",
    ] {
        finds(Detector::Email, email);
    }
    assert_eq!(found("mailto:a@b.com."), [(Detector::Email, "a@b.com")]);
    assert_eq!(found("x='a@b.com'"), [(Detector::Email, "a@b.com")]);
    assert_eq!(found("{a@b.com,c@d.org}"), [(Detector::Email, "a@b.com"), (Detector::Email, "c@d.org")]);
    assert_eq!(found("a@b.com，c"), [(Detector::Email, "a@b.com")]);
    assert_eq!(found(r"x\nbob@example.com"), [(Detector::Email, "bob@example.com")]);
    assert_eq!(found(r"x\\nbob@example.com"), [(Detector::Email, "nbob@example.com")]);
    assert_eq!(found(r"\u00e9bob@example.com"), [(Detector::Email, "bob@example.com")]);
    for ending in [
        "service",
        "socket",
        "timer",
        "mount",
        "automount",
        "slice",
        "scope",
        "path",
        "device",
        "swap",
        "png",
        "jpg",
        "jpeg",
        "gif",
        "svg",
        "webp",
    ] {
        clean(&format!("getty@tty1.{ending}"));
        clean(&format!("  user@1000.{ending}   loaded active"));
        clean(&format!("wg-quick@wg0.{ending}.\nx"));
        // What has a real top-level domain is an address, whatever comes before or after that.
        for (address, after) in [("a@b.com", format!(".{ending}")), ("a@b.com", format!("-{ending}"))] {
            assert!(found(&format!("{address}{after}")).iter().any(|(_, hit)| hit.starts_with(address)));
        }
        finds(Detector::Email, &format!("alice@{ending}.com"));
        finds(Detector::Email, &format!("alice@mail.{ending}.org"));
        finds(Detector::Email, &format!("alice@mail.{ending}s"));
    }
    finds(Detector::Email, "alice@mail.target");
    clean("user@host");
    clean("@decorator.name");
    clean("lodash@4.17.21");
    clean("a@b");
    clean("a@.com");
}

#[test]
fn phones() {
    for phone in [
        "+14155550132",
        "+1 415 555 0132",
        "+1 (415) 555-0132",
        "+1-415-555-0132",
        "+1.415.555.0132",
        "+49 30 1234567",
        "+49 (0)30 1234567",
        "+44 20 7946 0958",
        "+33 1 23 45 67 89",
        "+86 138 0013 8000",
        "(415) 555-0132",
        "(415)555-0132",
        "415-555-0132",
        "415.555.0132",
        "415 555 0132",
        "1-800-555-0199",
        "01 23 45 67 89",
        "01.23.45.67.89",
        "020 7946 0958",
        "07700 900123",
        "(020) 7946 0958",
        "(030) 1234567",
        "030 1234567",
        "0171/1234567",
        "0171-1234567",
        "03-1234-5678",
        "090-1234-5678",
        "138 0013 8000",
    ] {
        finds(Detector::Phone, phone);
    }
    assert_eq!(found("415-555-0132 x12"), [(Detector::Phone, "415-555-0132")]);
    assert_eq!(found("415-555-0132x12"), [(Detector::Phone, "415-555-0132")]);
    assert_eq!(found("+14155550132 42"), [(Detector::Phone, "+14155550132")]);
    assert_eq!(found("+14155550132,42"), [(Detector::Phone, "+14155550132")]);
}

#[test]
fn social_security_numbers() {
    finds(Detector::Ssn, "123-45-6789");
    finds(Detector::Ssn, "123 45 6789");
    for no in [
        "123456789",
        "000-45-6789",
        "666-45-6789",
        "900-45-6789",
        "123-00-6789",
        "123-45-0000",
        "123-45-67890",
        "1123-45-6789",
        "123-45-6789-1",
    ] {
        clean(no);
    }
}

#[test]
fn addresses() {
    for ip in [
        "10.1.2.3",
        "192.168.100.200",
        "255.255.255.255",
        "::1",
        "fe80::1",
        "2001:db8::8a2e:370:7334",
        "::ffff:10.1.2.3",
        "2001:db8:0:0:0:0:0:1",
    ] {
        finds(Detector::Ip, ip);
    }
    assert_eq!(found("10.1.2.3:8080"), [(Detector::Ip, "10.1.2.3")]);
    assert_eq!(found("10.1.2.0/24"), [(Detector::Ip, "10.1.2.0")]);
    assert_eq!(found("[fe80::1]:80"), [(Detector::Ip, "fe80::1")]);
    assert_eq!(found("addr:2001:db8::1."), [(Detector::Ip, "2001:db8::1")]);
    for no in [
        "1.2.3",
        "256.1.1.1",
        "1.2.3.4.5",
        "v1.2.3.4",
        "01:40:54",
        "::",
        "x::text",
        "std::fs",
        "a::b",
        "08:00:2b:01:02:03",
        "5::date",
    ] {
        clean(no);
    }
}

#[test]
fn secrets() {
    finds(Detector::AwsKey, "AKIAIOSFODNN7EXAMPLE");
    finds(Detector::GithubToken, "ghp_16C7e42F292c6912E7710c838347Ae178B4a");
    finds(Detector::GithubToken, "github_pat_11ABCDEFG0abcdefghijkl_mnopqrstuvwxyz");
    finds(Detector::ApiKey, "sk_live_4eC39HqLyjWDarjtT1zdp7dc");
    finds(Detector::ApiKey, "xoxb-123456789012-abcdefghijkl");
    finds(Detector::ApiKey, "glpat-abcdefghij0123456789");
    finds(Detector::ApiKey, "AIzaSyA1234567890abcdefghijklmnopqrstuv");
    finds(Detector::ApiKey, "npm_abcdefghijklmnopqrstuvwxyz0123456789");
    finds(Detector::ApiKey, "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");
    for kind in ["hvs", "hvb", "hvr"] {
        finds(Detector::ApiKey, &format!("{kind}.wW3iwoG9WxXwuq7hlbnvYqmZ"));
    }
    finds(Detector::ApiKey, "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX");
    finds(Detector::ApiKey, "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-");
    finds(Detector::ApiKey, &format!("dop_v1_{}", "0123456789abcdef".repeat(4)));
    finds(Detector::ApiKey, &format!("pypi-AgEIcHlwaS5vcmc{}", "CJDk1ZTQ".repeat(4)));
    for prefix in ["whsec_", "rk_live_", "sk-ant-api03-", "sk-proj-", "sk-admin-"] {
        finds(Detector::ApiKey, &format!("{prefix}4eC39HqLyjWDarjtT1zdp7dc"));
    }
    assert_eq!(
        found("https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX?x"),
        [(Detector::ApiKey, "XXXXXXXXXXXXXXXXXXXXXXXX")]
    );
    assert_eq!(
        found("https://api.telegram.org/bot123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-/getMe"),
        [(Detector::ApiKey, "123456789:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-")]
    );
    clean("SG.Singapore.example");
    clean("MSG.ngeVfQFYQlKU0ufo8x5d1A.TwL2iGABf9DHoTf09kqeF8tAmbihYzrnopKc");
    clean("hvs.short");
    clean("hooks.slack.com/services/T00000000/B00000000/short");
    clean("1234567:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw-");
    clean("SK0123456789abcdef0123456789abcdef");
    clean("task_live_update_of_things_here");
    clean("risk_test_abcdefghijklmnop");
    clean("AKIAIOSFODNN7EXAMPLES");
    clean("ghp_short");
}

#[test]
fn json_web_tokens() {
    let token =
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    finds(Detector::Jwt, token);
    finds(Detector::Jwt, "eyJhbGciOiJkaXIifQ..aaaaaaaa.bbbbbbbb.cccccccc");
    clean("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9");
    clean("eyJaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.aaaaaaaaaaaaaaaaaa.aaaaaaaaaaaa");
}

#[test]
fn private_keys() {
    for (label, end) in [
        ("RSA PRIVATE KEY", "\n"),
        ("PRIVATE KEY", "\\n"),
        ("OPENSSH PRIVATE KEY", "\r\n"),
        ("PGP PRIVATE KEY BLOCK", "\n"),
    ] {
        finds(Detector::Pem, &format!("-----BEGIN {label}-----{end}MIIEowIBAAKCAQEA+/=={end}-----END {label}-----"));
    }
    assert_eq!(
        found("\"-----BEGIN PRIVATE KEY-----\\nMIIE\" 1"),
        [(Detector::Pem, "-----BEGIN PRIVATE KEY-----\\nMIIE")]
    );
    clean("-----BEGIN CERTIFICATE-----\nMIIEowIBAAKCAQEA\n-----END CERTIFICATE-----");
    clean("-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEA\n-----END PUBLIC KEY-----");
}

#[test]
fn honest_data_is_left_alone() {
    for text in [
        "2026-11-21 01:40:54.123456+00",
        "2026-11-21T01:40:54Z",
        "2026-11-21",
        "21.11.2026",
        "01/02/2026",
        "01-02-2026",
        "2026-11-21 01:40:54+05:30",
        "550e8400-e29b-41d4-a716-446655440000",
        "12345678-1234-4234-8234-123456789012",
        "1.2.3",
        "1.2.3-rc.1",
        "3.14159265358979",
        "-12.50",
        "+12.50",
        "+1234567.89",
        "1,234,567.89",
        "1.234.567,89",
        "123456789",
        "100000001",
        "9876543210",
        "ORD-2026-000123",
        "112-3456789-1234567",
        "978-3-16-148410-0",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "d41d8cd98f00b204e9800998ecf8427e",
        "1700000000000000",
        "1763689254123456",
        "12345-6789",
        "00:00:01.5",
        "08:00-18:00",
        "{1,2,3,4}",
        "[1, 2, 3]",
        "(1,2)",
        "$1,234.56",
        "12 x 34",
        "1e10",
        "0x1F",
        "10%",
        "\\x31323334",
        "'fat':2 'rat':3",
        "POINT(13.404954 52.520008)",
        "1 day 02:03:04",
        "v10.0.19045.3693",
        "a_b_c_d",
        "select * from t where x::int4 = 5",
    ] {
        clean(text);
    }
}

#[test]
fn overlaps_are_one_hit() {
    assert_eq!(found("4111111111111111@example.com"), [(Detector::Card, "4111111111111111@example.com")]);
    assert_eq!(found("a@4111111111111111.com"), [(Detector::Email, "a@4111111111111111.com")]);
}

#[test]
fn only_what_is_asked_for() {
    let text = b"alice@example.com 4111111111111111 10.1.2.3";
    let mut hits = Vec::new();
    for detector in [Detector::Email, Detector::Card, Detector::Ip] {
        scan(text, detector.into(), &mut hits);
        assert_eq!(hits.iter().map(|hit| hit.detector).collect::<Vec<_>>(), [detector]);
    }
    scan(text, DetectorSet::EMPTY, &mut hits);
    assert_eq!(hits, []);
}

#[test]
fn hostile_input_takes_linear_work() {
    let work = |pattern: &str, length: usize| {
        let text = pattern.repeat(length / pattern.len());
        let mut hits = Vec::new();
        bytes::LOOKED_AT.set(0);
        scan(text.as_bytes(), DetectorSet::ALL, &mut hits);
        bytes::LOOKED_AT.get()
    };
    for pattern in [
        "@",
        "a@",
        "@a.",
        "a@b.co@",
        "a@b.c-",
        "é@é.",
        "1",
        "1.",
        "1 ",
        "1-",
        "11/",
        "4111 ",
        "411111-",
        "01 ",
        "-",
        "--",
        "+",
        "+1",
        "+1(1)",
        "+1 ",
        "(",
        "(0",
        "(01) 1",
        ":",
        "::",
        "1::",
        "a:",
        "1:1",
        "_",
        "p_",
        "ghp_",
        "github_pat_",
        "sk_live_",
        "x@b.co-ghp_AAAAAAAAAAAAAAAAAAAAAA_",
        "A",
        "AKIA",
        "SG.",
        "SG.ngeVfQFYQlKU0ufo8x5d1A.",
        "hvs.",
        "hvs.-",
        "12345678:AA",
        "hooks.slack.com/services/T0/B0/",
        ".",
        "AIza",
        "eyJ",
        "-eyJ",
        ".eyJ",
        "eyJhbGciOiJIUzI1NiJ9.",
        "eyJhbGciOiJIUzI1NiJ9..",
        "-----BEGIN ",
        "-----BEGIN PRIVATE KEY-----",
        "-----END",
        "-----BEGIN PRIVATE KEY-----END ",
        "\\",
        "\\n1",
        "\\\\@",
        "DE",
        "DE89",
        "DE89 ",
        "d1",
        "%",
        "%20",
        "%2520",
        "a%20",
        "%201",
        "%20::1",
        "%40",
        "a%40",
        "a%40b%2Eco",
        "a%2540b%252Eco",
        "\u{0}",
    ] {
        let (once, twice) = (work(pattern, 1 << 15), work(pattern, 1 << 16));
        assert!(once <= (1 << 15) * 200, "{pattern:?}: {} looks a byte", once >> 15);
        assert!(twice <= once * 2 + once / 8 + 1_000, "{pattern:?}: {once} looks, then {twice} for twice the bytes");
    }
}
