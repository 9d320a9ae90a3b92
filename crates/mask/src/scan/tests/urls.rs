//! Values in URLs and forms, where what is around them is escaped.

use super::*;

#[test]
fn what_is_escaped_before_a_value_is_not_its_beginning() {
    for (escape, value, detector) in [
        ("%3D", "4111111111111111", Detector::Card),
        ("%20", "4111111111111111", Detector::Card),
        ("%20", "4111 1111 1111 1111", Detector::Card),
        ("%E9", "4111111111111111", Detector::Card),
        ("%c3%a9", "378282246310005", Detector::Card),
        ("%2520", "4111111111111111", Detector::Card),
        ("%20", "DE89370400440532013000", Detector::Iban),
        ("%20", "alice@example.com", Detector::Email),
        ("%3D", "alice@example.com", Detector::Email),
        ("%0A", "415-555-0132", Detector::Phone),
        ("%22", "+14155550132", Detector::Phone),
        ("%20", "123-45-6789", Detector::Ssn),
        ("%20", "10.1.2.3", Detector::Ip),
        ("%20", "fe80::1", Detector::Ip),
        ("%20", "AKIAIOSFODNN7EXAMPLE", Detector::AwsKey),
        ("%3A", "AKIAIOSFODNN7EXAMPLE", Detector::AwsKey),
        ("%22", "ghp_16C7e42F292c6912E7710c838347Ae178B4a", Detector::GithubToken),
        ("%3D", "sk_live_4eC39HqLyjWDarjtT1zdp7dc", Detector::ApiKey),
        ("%3D", "AIzaSyA1234567890abcdefghijklmnopqrstuv", Detector::ApiKey),
        ("%20", "eyJhbGciOiJkaXIifQ..aaaaaaaa.bbbbbbbb.cccccccc", Detector::Jwt),
    ] {
        assert_eq!(found(&format!("k{escape}{value}%26b")), [(detector, value)]);
    }
    assert_eq!(found("a%202001:db8::1"), [(Detector::Ip, "2001:db8::1")]);
}

#[test]
fn a_percent_sign_may_be_one() {
    assert_eq!(found("like '%4111111111111111%'"), [(Detector::Card, "4111111111111111")]);
    assert_eq!(found("like '%fe80::1'"), [(Detector::Ip, "fe80::1")]);
    assert_eq!(found("like '%alice@example.com'"), [(Detector::Email, "alice@example.com")]);
    assert_eq!(found("a%20@example.com"), [(Detector::Email, "a%20@example.com")]);
    clean("%3G4111111111111111");
    clean("0x3D4111111111111111");
    clean("3D4111111111111111");
    clean("%3D4111111111111112");
}

#[test]
fn addresses_whose_marks_are_escaped() {
    for address in [
        "alice%40example.com",
        "alice%40example%2Ecom",
        "alice%40example%2ecom",
        "alice@example%2Ecom",
        "a%2Bb%40c.org",
    ] {
        assert_eq!(found(&format!("?email={address}&x=1")), [(Detector::Email, address)]);
        assert_eq!(found(&format!("next%3Fq%3D{address}%26x")), [(Detector::Email, address)]);
    }
    assert_eq!(found("alice%2540example%252Ecom%2526x"), [(Detector::Email, "alice%2540example%252Ecom")]);
    assert_eq!(found("http%3A%2F%2Fbob%40example.com%2Fx"), [(Detector::Email, "bob%40example.com")]);
    clean("/%40types%2Fnode");
    clean("lodash%404.17.21");
    clean("user%40host");
    clean("%20s%40s.%s");
    clean("100%40");
}
