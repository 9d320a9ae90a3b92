//! Packets in any order.

use gate::ports::Identities;
use proptest::prelude::*;

use super::rig::OneToken;
use crate::config::LoginSettings;
use crate::login::*;

#[derive(Clone, Debug)]
enum Packet {
    Ssl,
    Gss,
    Startup(String, String),
    Answer(Vec<u8>),
    Secured,
    Refused,
}

fn packets() -> impl Strategy<Value = Vec<Packet>> {
    let scram = "[ny],,n=,r=[a-z]{1,4}".prop_map(|first| {
        let mut out = Vec::new();
        encode::sasl_initial(&mut out, SCRAM, Some(first.as_bytes()));
        out.split_off(5)
    });
    let packet = prop_oneof![
        Just(Packet::Ssl),
        Just(Packet::Gss),
        ("[a-z/]{0,6}", "[-c =a-z\\\\]{0,12}").prop_map(|(database, options)| Packet::Startup(database, options)),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Packet::Answer),
        scram.prop_map(Packet::Answer),
        Just(Packet::Secured),
        Just(Packet::Refused),
    ];
    proptest::collection::vec(packet, 0..8)
}

proptest! {
    /// Whatever comes in whatever order: no panic, and no proof is passed on that was not asked for.
    #[test]
    fn no_order_of_packets_gets_around_the_login(packets in packets(), oauthbearer: bool) {
        let mut settings = LoginSettings::default();
        settings.methods.oauthbearer = oauthbearer;
        let scram = OneToken.scram_parameters();
        let facts = Facts { settings, scram, nonce: "nonce".to_owned(), discovery: None };
        let mut login = Login::new(facts, Channel { is_tls: false, can_tls: true, binding: None });
        let mut started = false;
        for packet in packets {
            let failed = match packet {
                Packet::Ssl => login.opening(Initial::Ssl, false).is_err(),
                Packet::Gss => login.opening(Initial::Gss, false).is_err(),
                Packet::Startup(database, options) => {
                    let parameters = vec![("user", "u"), ("database", &*database), ("options", &*options)];
                    let message = StartupMessage { minor: 0, parameters, options: Vec::new() };
                    let opening = login.opening(Initial::Startup(message), false);
                    started |= opening.is_ok();
                    opening.is_err()
                }
                Packet::Answer(body) => match login.answer(&body) {
                    Ok(_) => { prop_assert!(started); false }
                    Err(_) => true,
                },
                Packet::Secured => { login.secured(Some(vec![1; 32])); false }
                Packet::Refused => started && login.refused(AuthFailure::Unknown).is_err(),
            };
            if failed {
                return Ok(());
            }
        }
    }
}
