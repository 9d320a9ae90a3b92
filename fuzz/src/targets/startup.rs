//! A client's first packets and its whole login. The first byte of an input says what the connection is like.

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use gate::ports::{AuthFailure, ScramParameters};
use postgres::config::{AuthMethods, LoginSettings};
use postgres::login::{Channel, Facts, Login, LoginFailure, Opening, Proof};
use postgres::scram::{SCRAM, SCRAM_PLUS};
use postgres::wire::startup::read as read_packet;
use postgres::wire::{Frames, Initial, InitialNext, Next, encode, limits};

use super::{broken_messages, check, well_formed};
use crate::driver::{MOST_MEMORY, Target};
use crate::random::Random;

/// A client's first packets and its whole login.
pub const TARGET: Target = Target { name: "startup", make, memory: MOST_MEMORY, run };

/// Our half of the SCRAM nonce; fixed, so that valid inputs can hold it.
const NONCE: &str = "gatewaynonce0123456789";
/// Our certificate's hash.
const BINDING: &[u8] = b"0123456789abcdef0123456789abcdef";

fn make(random: &mut Random) -> Result<Vec<u8>> {
    let mut bytes = broken_messages(random, login);
    // In front, where no mutation moves the rest.
    bytes.insert(0, random.byte());
    Ok(bytes)
}

fn login(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    if random.one_in(8) {
        encode::gss_request(&mut out);
    }
    if random.one_in(2) {
        encode::ssl_request(&mut out);
    }
    if random.one_in(16) {
        encode::cancel_request(&mut out, 4711, &random.bytes(40));
    }
    let (a, b) = (random.text(), random.text());
    let mut parameters = vec![("user", "app"), ("database", "orders-db/app")];
    match random.below(5) {
        0 => parameters.push(("options", "-c search_path=public --work_mem=4MB")),
        1 => parameters.push(("_pq_.something", "1")),
        2 => parameters.push((&a, &b)),
        3 => parameters.push(("options", &a)),
        _ => parameters.push(("application_name", "psql")),
    }
    encode::startup(&mut out, random.pick(&[0, 0, 2, 1, 9999]), parameters.into_iter());
    proof(random, &mut out);
    out
}

fn proof(random: &mut Random, out: &mut Vec<u8>) {
    let last = |flag: &str, binding: &[u8]| {
        let covered = STANDARD.encode([flag.as_bytes(), b",,", binding].concat());
        format!("c={covered},r=abc{NONCE},p={}", STANDARD.encode([7; 32]))
    };
    match random.below(5) {
        0 => encode::password(out, b"sp_token"),
        1 => {
            encode::sasl_initial(out, "OAUTHBEARER", Some(b"n,,\x01auth=Bearer eyJ.eyJ.sig\x01\x01"));
            encode::sasl_response(out, b"\x01");
        }
        2 => {
            encode::sasl_initial(out, "OAUTHBEARER", Some(b"n,,\x01auth=\x01\x01"));
            encode::sasl_response(out, b"\x01");
        }
        3 => {
            encode::sasl_initial(out, SCRAM, Some(b"n,,n=,r=abc"));
            encode::sasl_response(out, last("n", b"").as_bytes());
        }
        _ => {
            let flag = "p=tls-server-end-point";
            encode::sasl_initial(out, SCRAM_PLUS, Some(format!("{flag},,n=,r=abc").as_bytes()));
            encode::sasl_response(out, last(flag, BINDING).as_bytes());
        }
    }
}

/// What the first byte says.
struct Wish(u8);

impl Wish {
    const fn bit(&self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    fn facts(&self) -> Facts {
        let methods = AuthMethods { password: self.bit(0), scram: self.bit(1), oauthbearer: self.bit(2) };
        Facts {
            settings: LoginSettings { methods, require_tls: self.bit(3), ..LoginSettings::default() },
            scram: ScramParameters { salt: b"one salt for all".to_vec(), iterations: 4096 },
            nonce: NONCE.to_owned(),
            discovery: self.bit(2).then(|| ("https://id.example".to_owned(), "openid".to_owned())),
        }
    }

    fn binding(&self) -> Option<Vec<u8>> {
        self.bit(4).then(|| BINDING.to_vec())
    }

    fn channel(&self) -> Channel {
        let is_tls = self.bit(5);
        Channel { is_tls, can_tls: !is_tls, binding: self.binding().filter(|_| is_tls) }
    }

    /// Whether tokens and proofs are good.
    const fn proven(&self) -> bool {
        self.bit(6)
    }

    /// Whether packets come in one read with what follows them.
    const fn glued(&self) -> bool {
        self.bit(7)
    }
}

fn run(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else {
        return;
    };
    let wish = Wish(*first);
    let mut login = Login::new(wish.facts(), wish.channel());
    while let Some(left) = turn(&wish, &mut login, rest) {
        assert!(left.len() < rest.len(), "a turn that took nothing");
        rest = left;
    }
    if login.is_open() {
        let parts = login.into_parts();
        assert!(parts.is_some_and(|(wanted, ..)| !wanted.target.is_empty()), "a login without a target");
    }
}

/// One packet or message; what is left of the input, or `None` at the end.
fn turn<'a>(wish: &Wish, login: &mut Login, data: &'a [u8]) -> Option<&'a [u8]> {
    if !login.is_open() {
        return match read_packet(data) {
            Ok(InitialNext::Packet(packet, used)) => {
                let left = data.get(used..)?;
                opening(wish, login, packet, !left.is_empty() && wish.glued()).then_some(left)
            }
            Ok(InitialNext::Partial { have, need }) => {
                assert!(have < need && need <= limits::STARTUP);
                None
            }
            Err(error) => {
                check(&error);
                None
            }
        };
    }
    let mut frames = Frames::new(data, limits::LOGIN);
    match frames.advance() {
        Ok(Next::Frame(frame)) if frame.tag == b'p' => answer(wish, login, frame.body).then_some(frames.rest()),
        Ok(Next::Frame(_) | Next::Partial { .. }) => None,
        Err(error) => {
            check(&error);
            None
        }
    }
}

/// Whether the login goes on.
fn opening(wish: &Wish, login: &mut Login, packet: Initial<'_>, glued: bool) -> bool {
    if let Initial::Startup(message) = &packet {
        assert!(message.parameters.len() + message.options.len() <= limits::STARTUP_PARAMETERS);
        assert!(message.agreed_minor() == 0 || message.agreed_minor() == 2);
    }
    match login.opening(packet, glued) {
        Ok(Opening::Answer(byte)) => assert_eq!(byte, b'N'),
        Ok(Opening::StartTls) => login.secured(wish.binding()),
        Ok(Opening::Cancel { key, .. }) => {
            assert!((limits::CANCEL_KEY_LEAST..=limits::CANCEL_KEY).contains(&key.len()));
            return false;
        }
        Ok(Opening::Ask(said)) => {
            assert!(login.is_open() && !login.target().is_empty());
            well_formed(&said);
        }
        Err(failure) => return failed(&failure),
    }
    true
}

fn answer(wish: &Wish, login: &mut Login, body: &[u8]) -> bool {
    let (asked, signature) = match login.answer(body) {
        Ok(Proof::Answer(said)) => {
            well_formed(&said);
            return true;
        }
        Ok(Proof::Token(token)) => (!token.is_empty(), None),
        Ok(Proof::Scram(attempt)) => (!attempt.auth_message.is_empty(), Some([9; 32])),
        Err(failure) => return failed(&failure),
    };
    assert!(asked, "an empty proof is asked about");
    if wish.proven() {
        well_formed(&login.proven(signature.as_ref()));
        return false;
    }
    match login.refused(AuthFailure::Unknown) {
        Ok(said) => {
            well_formed(&said);
            true
        }
        Err(failure) => failed(&failure),
    }
}

/// What a client is told of a failure can be read; then it is over.
fn failed(failure: &LoginFailure) -> bool {
    assert_eq!(failure.sqlstate.len(), 5);
    let mut said = Vec::new();
    failure.encode(&mut said);
    well_formed(&said);
    false
}
