//! Keys, certificates, and what is wrong with them.

use model::IdentityKind;
use serde_json::json;

use super::*;

const LINE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ deploy@build";
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
const NOW: Micros = Micros(1_800_000_000_000_000);

fn keys(config: serde_json::Value) -> Result<Keys, KeysError> {
    Keys::new(&serde_json::from_value(config).unwrap())
}

fn certificate() -> CertifiedKey {
    CertifiedKey {
        authority: blob(OTHER).unwrap(),
        key_id: "laptop of alice".to_owned(),
        serial: 7,
        principals: vec!["alice".to_owned(), "root".to_owned()],
        extensions: vec!["permit-pty".to_owned()],
        after: 1_799_999_000,
        before: 1_800_000_600,
    }
}

#[test]
fn a_known_key_is_who_the_configuration_says() {
    let known =
        json!({ "key": LINE, "subject": "deploy", "kind": "ci", "groups": ["b", "a", "b"], "targets": ["web-1"] });
    let keys = keys(json!({ "keys": [known] })).unwrap();
    let proven = keys.verify(ClientKey::Plain(&blob(LINE).unwrap()), NOW).unwrap();
    assert_eq!((proven.identity.subject.as_str(), proven.identity.kind), ("deploy", IdentityKind::Ci));
    assert_eq!((proven.identity.groups, proven.targets), (vec!["a".into(), "b".into()], Some(vec!["web-1".into()])));
    assert_eq!(proven.expires.0 - NOW.0, LONGEST * 1_000_000);
    assert_eq!(keys.verify(ClientKey::Plain(&blob(OTHER).unwrap()), NOW).err(), Some(AuthFailure::UnknownKey));
}

#[test]
fn a_certificate_counts_within_its_time_by_a_known_authority() {
    let authority = json!({ "name": "people", "key": OTHER, "kind": "human", "groups": ["staff"] });
    let keys = keys(json!({ "authorities": [authority] })).unwrap();
    let verify = |key: &CertifiedKey| keys.verify(ClientKey::Certified(key), NOW);
    let proven = verify(&certificate()).unwrap();
    assert_eq!((proven.identity.subject.as_str(), proven.identity.issuer.as_str()), ("alice", "ssh/people"));
    assert_eq!(proven.expires, Micros(1_800_000_600_000_000));
    assert_eq!(proven.identity.claims["ssh_key_id"], json!("laptop of alice"));
    // The authority's own key logs nobody in.
    assert_eq!(keys.verify(ClientKey::Plain(&blob(OTHER).unwrap()), NOW).err(), Some(AuthFailure::UnknownKey));
    for (wrong, word) in [
        (CertifiedKey { after: 1_800_000_001, ..certificate() }, "not good yet"),
        (CertifiedKey { before: 1_800_000_000, ..certificate() }, "expired"),
        (CertifiedKey { principals: Vec::new(), ..certificate() }, "no principal"),
        (CertifiedKey { principals: vec!["a\nb".to_owned()], ..certificate() }, "no text"),
        (CertifiedKey { authority: blob(LINE).unwrap(), ..certificate() }, "not known"),
    ] {
        let error = verify(&wrong).unwrap_err().to_string();
        assert!(error.contains(word), "{wrong:?}: {error}");
    }
}

#[test]
fn a_security_key_is_touched_unless_its_configuration_says_otherwise() {
    let plain = |touch: serde_json::Value| {
        let mut known = json!({ "key": LINE, "subject": "deploy" });
        known.as_object_mut().unwrap().extend(touch.as_object().unwrap().clone());
        let keys = keys(json!({ "keys": [known] })).unwrap();
        assert!(!keys.may_be_untouched(ClientKey::Plain(&blob(OTHER).unwrap())));
        keys.may_be_untouched(ClientKey::Plain(&blob(LINE).unwrap()))
    };
    assert!(!plain(json!({})) && !plain(json!({ "touch": true })) && plain(json!({ "touch": false })));
    let certified = |touch: bool, says_so: bool| {
        let keys = keys(json!({ "authorities": [{ "name": "people", "key": OTHER, "touch": touch }] })).unwrap();
        let mut key = certificate();
        if says_so {
            key.extensions.push("no-touch-required".to_owned());
        }
        keys.may_be_untouched(ClientKey::Certified(&key))
    };
    assert!(certified(false, true), "both say so");
    assert!(!certified(true, true) && !certified(false, false) && !certified(true, false));
}

#[test]
fn whom_a_removed_key_has_proved_is_known() {
    let authority = json!({ "name": "people", "key": OTHER });
    let before = keys(json!({ "keys": [{ "key": LINE, "subject": "deploy" }], "authorities": [authority] })).unwrap();
    let of = |keys: &Keys| keys.verify(ClientKey::Plain(&blob(LINE).unwrap()), NOW).unwrap().identity;
    let person = before.verify(ClientKey::Certified(&certificate()), NOW).unwrap().identity;
    let after = keys(json!({ "keys": [{ "key": LINE, "subject": "deploy" }] })).unwrap();
    let gone = before.without(&after);
    assert!(gone.proved(&person) && !gone.proved(&of(&before)));
    let changed = keys(json!({ "keys": [{ "key": LINE, "subject": "deploy", "groups": ["ops"] }] })).unwrap();
    assert!(after.without(&changed).proved(&of(&after)));
    assert!(before.without(&before).is_empty());
}

#[test]
fn what_cannot_be_is_named() {
    let known = |key: &str| json!({ "key": key, "subject": "deploy" });
    for (config, word) in [
        (json!({ "keys": [known("AAAA")] }), "deploy"),
        (json!({ "keys": [known(&LINE.replace("ssh-ed25519 ", "ssh-rsa "))] }), "ssh-keygen"),
        (json!({ "keys": [known(LINE), known(LINE)] }), "twice"),
        (json!({ "keys": [{ "key": LINE, "subject": "" }] }), "`subject`"),
        (json!({ "authorities": [{ "name": "", "key": OTHER }] }), "`name`"),
        (json!({ "keys": [known(OTHER)], "authorities": [{ "name": "ca", "key": OTHER }] }), "twice"),
    ] {
        let error = keys(config.clone()).unwrap_err().to_string();
        assert!(error.contains(word), "{config}: {error}");
    }
}
