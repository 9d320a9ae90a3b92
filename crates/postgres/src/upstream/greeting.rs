//! The target's greeting, from our startup message to its first ReadyForQuery. Pure: messages in, what to do out.

use gate::ports::Lease;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use zeroize::Zeroizing;

use crate::error::UpstreamError;
use crate::scram::{SCRAM, SCRAM_PLUS};
use crate::wire::{Authentication, Backend, Frame, ReportFields, WireError, encode, limits};

/// PBKDF2 rounds that a target may ask for: a thousand times the default is a second of work, and more would be an attack.
const MOST_ROUNDS: u32 = 1_000_000;

/// What to do next.
pub(super) enum Step {
    /// Read on.
    Wait,
    /// Send this.
    Send(Zeroizing<Vec<u8>>),
    /// Derive keys from the password, which takes a while, then call [`Greeting::challenged`].
    Derive(Box<ScramSha256>, Vec<u8>),
    /// The target is ready.
    Ready,
}

/// What a target is called in errors, and how far the connection to it can be trusted.
#[derive(Clone, Debug)]
pub(super) struct Circumstances {
    pub(super) target: String,
    pub(super) role: String,
    /// The target's certificate, where there is TLS: its `tls-server-end-point`.
    pub(super) binding: Option<Vec<u8>>,
    pub(super) is_tls: bool,
    /// Whether a password may be sent readable.
    pub(super) cleartext: bool,
    /// The minor version that was asked for.
    pub(super) minor: u16,
}

enum Proving {
    /// Nothing was asked for yet.
    Start,
    /// A password was sent.
    Sent,
    /// A SCRAM exchange waits for its challenge.
    Challenge(Box<ScramSha256>),
    /// It waits for the target's own proof.
    Proof(Box<ScramSha256>),
    /// The target said that we are in.
    Done,
}

/// One greeting.
pub(super) struct Greeting {
    pub(super) circumstances: Circumstances,
    proving: Proving,
    total: usize,
    pub(super) parameters: Vec<(String, String)>,
    pub(super) key: Option<(i32, Vec<u8>)>,
    pub(super) minor: u16,
}

impl Greeting {
    pub(super) const fn new(circumstances: Circumstances) -> Self {
        let minor = circumstances.minor;
        Self { circumstances, proving: Proving::Start, total: 0, parameters: Vec::new(), key: None, minor }
    }

    /// Takes a message.
    pub(super) fn on(&mut self, frame: Frame<'_>, lease: &Lease) -> Result<Step, UpstreamError> {
        self.total = self.total.saturating_add(frame.whole.len());
        if self.total > limits::GREETING_TOTAL {
            let max = u64::try_from(limits::GREETING_TOTAL).unwrap_or(u64::MAX);
            return Err(self.broken(WireError::TooLong { length: u64::try_from(self.total).unwrap_or(u64::MAX), max }));
        }
        let message = Backend::parse(frame.tag, frame.body).map_err(|problem| self.broken(problem))?;
        let done = matches!(self.proving, Proving::Done);
        match message {
            Backend::Authentication(request) if !done => return self.authenticate(request, lease),
            Backend::Error(fields) => return Err(self.refused(&fields)),
            // Its text may be anything, and nobody has asked.
            Backend::Notice(_) => {}
            Backend::Negotiate(offer) if !done => {
                if offer.minor() > self.circumstances.minor {
                    return Err(self.broken(WireError::BadValue("protocol version")));
                }
                self.minor = offer.minor();
            }
            Backend::ParameterStatus(status) => {
                let pair = (status.name.lossy().into_owned(), status.value.lossy().into_owned());
                match self.parameters.iter_mut().find(|(name, _)| *name == pair.0) {
                    Some(known) => *known = pair,
                    None => self.parameters.push(pair),
                }
            }
            Backend::BackendKey(key) if done => self.key = Some((key.pid, key.key.to_vec())),
            Backend::Ready(_) if done => return Ok(Step::Ready),
            _ => return Err(self.broken(WireError::UnknownTag(frame.tag))),
        }
        Ok(Step::Wait)
    }

    fn authenticate(&mut self, request: Authentication<'_>, lease: &Lease) -> Result<Step, UpstreamError> {
        match (request, std::mem::replace(&mut self.proving, Proving::Sent)) {
            // A password that was sent, or none that was asked for: the target's own rules. But a SCRAM exchange that was begun is
            // finished, or the target has not proven that it knows the password.
            (Authentication::Ok, Proving::Start | Proving::Sent) => {
                self.proving = Proving::Done;
                Ok(Step::Wait)
            }
            (Authentication::Ok, _) => Err(self.not_mutual()),
            (Authentication::Cleartext, Proving::Start) => {
                let password = self.password(lease)?;
                if !self.circumstances.is_tls && !self.circumstances.cleartext {
                    return Err(UpstreamError::Cleartext { target: self.circumstances.target.clone() });
                }
                let mut out = Zeroizing::new(Vec::with_capacity(password.len().saturating_add(8)));
                encode::password(&mut out, password);
                Ok(Step::Send(out))
            }
            (Authentication::Md5(salt), Proving::Start) => {
                let hash = Zeroizing::new(md5_hash(lease.user.as_bytes(), self.password(lease)?, salt));
                let mut out = Zeroizing::new(Vec::with_capacity(64));
                encode::password(&mut out, hash.as_bytes());
                Ok(Step::Send(out))
            }
            (Authentication::Sasl(mechanisms), Proving::Start) => self.choose(mechanisms.names(), lease),
            (Authentication::SaslContinue(data), Proving::Challenge(scram)) => {
                if !rounds_are_sane(data) {
                    return Err(self.broken(WireError::BadValue("number of SCRAM iterations")));
                }
                Ok(Step::Derive(scram, data.to_vec()))
            }
            (Authentication::SaslFinal(data), Proving::Proof(mut scram)) => {
                scram.finish(data).map_err(|_| self.not_mutual())?;
                Ok(Step::Wait)
            }
            (Authentication::Other(_), Proving::Start) => {
                Err(UpstreamError::Method { target: self.circumstances.target.clone() })
            }
            _ => Err(self.broken(WireError::BadValue("authentication request"))),
        }
    }

    fn choose<'a>(&mut self, offered: impl Iterator<Item = &'a [u8]>, lease: &Lease) -> Result<Step, UpstreamError> {
        let (mut plain, mut plus) = (false, false);
        for name in offered {
            plain |= name == SCRAM.as_bytes();
            plus |= name == SCRAM_PLUS.as_bytes();
        }
        let (mechanism, binding) = match (&self.circumstances.binding, plus, plain) {
            (Some(hash), true, _) => (SCRAM_PLUS, ChannelBinding::tls_server_end_point(hash.clone())),
            // "We could have": a target that offered it will notice that someone took the offer away.
            (Some(_), false, true) => (SCRAM, ChannelBinding::unrequested()),
            (None, _, true) => (SCRAM, ChannelBinding::unsupported()),
            _ => {
                return Err(UpstreamError::Method { target: self.circumstances.target.clone() });
            }
        };
        let scram = ScramSha256::new(self.password(lease)?, binding);
        let mut out = Zeroizing::new(Vec::new());
        encode::sasl_initial(&mut out, mechanism, Some(scram.message()));
        self.proving = Proving::Challenge(Box::new(scram));
        Ok(Step::Send(out))
    }

    /// The keys are derived: what to send. `None` when the challenge was not one.
    pub(super) fn challenged(
        &mut self,
        derived: Option<Box<ScramSha256>>,
    ) -> Result<Zeroizing<Vec<u8>>, UpstreamError> {
        let scram = derived.ok_or_else(|| self.broken(WireError::BadValue("SCRAM challenge")))?;
        let mut out = Zeroizing::new(Vec::new());
        encode::sasl_response(&mut out, scram.message());
        self.proving = Proving::Proof(scram);
        Ok(out)
    }

    fn password<'a>(&self, lease: &'a Lease) -> Result<&'a [u8], UpstreamError> {
        let missing = || UpstreamError::NoPassword {
            target: self.circumstances.target.clone(),
            role: self.circumstances.role.clone(),
        };
        lease.password.as_ref().map(gate::Secret::expose).ok_or_else(missing)
    }

    fn refused(&self, fields: &ReportFields<'_>) -> UpstreamError {
        UpstreamError::Refused {
            target: self.circumstances.target.clone(),
            role: self.circumstances.role.clone(),
            sqlstate: fields.sqlstate().unwrap_or("XX000").to_owned(),
        }
    }

    fn not_mutual(&self) -> UpstreamError {
        UpstreamError::NotMutual { target: self.circumstances.target.clone(), role: self.circumstances.role.clone() }
    }

    pub(super) fn broken(&self, problem: WireError) -> UpstreamError {
        UpstreamError::Broken { target: self.circumstances.target.clone(), problem }
    }
}

/// Looks at `i=` of server-first-message before any work is done for it. What cannot be read is left to the library to refuse.
fn rounds_are_sane(message: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(message) else {
        return false;
    };
    text.split(',')
        .filter_map(|attribute| attribute.strip_prefix("i="))
        .all(|rounds| rounds.parse::<u32>().is_ok_and(|rounds| (1..=MOST_ROUNDS).contains(&rounds)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{Frames, Next};

    fn lease() -> Lease {
        Lease {
            user: "app".to_owned(),
            password: Some(gate::Secret::new(b"secret".to_vec())),
            certificate: None,
            authority: None,
        }
    }

    fn greeting(change: impl FnOnce(&mut Circumstances)) -> Greeting {
        let mut circumstances = Circumstances {
            target: "orders-db".to_owned(),
            role: "app".to_owned(),
            binding: None,
            is_tls: false,
            cleartext: false,
            minor: 0,
        };
        change(&mut circumstances);
        Greeting::new(circumstances)
    }

    fn feed(greeting: &mut Greeting, bytes: &[u8]) -> Result<Step, UpstreamError> {
        let Ok(Next::Frame(frame)) = Frames::new(bytes, limits::GREETING).advance() else { panic!() };
        greeting.on(frame, &lease())
    }

    fn built(fill: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
        let mut out = Vec::new();
        fill(&mut out);
        out
    }

    fn raw(tag: u8, body: &[u8]) -> Vec<u8> {
        built(|out| encode::message(out, tag, |out| out.extend_from_slice(body)))
    }

    #[test]
    fn a_readable_password_stays_here_without_tls() {
        let asks = built(encode::authentication_cleartext);
        assert!(matches!(feed(&mut greeting(|_| {}), &asks), Err(UpstreamError::Cleartext { .. })));
        for change in [|c: &mut Circumstances| c.is_tls = true, |c: &mut Circumstances| c.cleartext = true] {
            let Ok(Step::Send(bytes)) = feed(&mut greeting(change), &asks) else { panic!() };
            assert_eq!(&**bytes, b"p\0\0\0\x0bsecret\0");
        }
    }

    #[test]
    fn an_exchange_that_was_begun_is_finished() {
        let mut greeting = greeting(|_| {});
        let offer = built(|out| encode::authentication_sasl(out, &[SCRAM]));
        assert!(matches!(feed(&mut greeting, &offer), Ok(Step::Send(_))));
        assert!(matches!(feed(&mut greeting, &built(encode::authentication_ok)), Err(UpstreamError::NotMutual { .. })));
    }

    #[test]
    fn mechanisms_follow_the_channel() {
        let chosen = |binding: Option<Vec<u8>>, offered: &[&str]| {
            let mut greeting = greeting(|c| c.binding = binding);
            match feed(&mut greeting, &built(|out| encode::authentication_sasl(out, offered))) {
                Ok(Step::Send(bytes)) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    let flag =
                        ["p=tls-server-end-point,", "y,,", "n,,"].into_iter().find(|flag| text.contains(flag)).unwrap();
                    Some((text.contains(SCRAM_PLUS), flag))
                }
                _ => None,
            }
        };
        let hash = || Some(vec![1; 32]);
        assert_eq!(chosen(hash(), &[SCRAM_PLUS, SCRAM]), Some((true, "p=tls-server-end-point,")));
        assert_eq!(chosen(hash(), &[SCRAM]), Some((false, "y,,")));
        assert_eq!(chosen(None, &[SCRAM_PLUS, SCRAM]), Some((false, "n,,")));
        assert_eq!(chosen(None, &[SCRAM_PLUS]), None);
        assert_eq!(chosen(None, &["OAUTHBEARER"]), None);
    }

    #[test]
    fn a_hostile_target_gets_no_work_and_no_memory() {
        for rounds in ["0", "4294967295", "1000001", "-1", "x"] {
            assert!(!rounds_are_sane(format!("r=abc,s=c2FsdA==,i={rounds}").as_bytes()), "{rounds}");
        }
        assert!(rounds_are_sane(b"r=abc,s=c2FsdA==,i=4096"));

        let mut greeting = greeting(|_| {});
        assert!(feed(&mut greeting, &built(encode::authentication_ok)).is_ok());
        let long = "x".repeat(60_000);
        let mut refused = false;
        for n in 0..20 {
            let status = built(|out| encode::parameter_status(out, &format!("p{n}"), &long));
            refused |= feed(&mut greeting, &status).is_err();
        }
        assert!(refused);
        assert!(greeting.parameters.len() < 20);
    }

    #[test]
    fn only_codes_of_a_refusal_are_passed_on() {
        let report = |sqlstate: &'static str| {
            let report = crate::wire::Report {
                severity: "FATAL",
                sqlstate,
                message: "password of bob is hunter2",
                ..Default::default()
            };
            built(|out| encode::error(out, &report))
        };
        for (sqlstate, shown) in [
            ("28P01", "08004"),
            ("53300", "53300"),
            ("3D000", "3D000"),
            ("57P03", "57P03"),
            ("XX001", "08004"),
            ("bad;1", "08004"),
        ] {
            let Err(error) = feed(&mut greeting(|_| {}), &report(sqlstate)) else { panic!() };
            assert!(!error.to_string().contains("hunter2") && error.to_string().contains("orders-db"));
            assert_eq!(error.sqlstate(), shown);
        }
    }

    #[test]
    fn a_target_is_ready_only_after_it_let_us_in() {
        let ready = raw(b'Z', b"I");
        assert!(feed(&mut greeting(|_| {}), &ready).is_err());
        let mut one = greeting(|_| {});
        assert!(feed(&mut one, &built(encode::authentication_ok)).is_ok());
        assert!(feed(&mut one, &built(|out| encode::parameter_status(out, "server_version", "15.1"))).is_ok());
        assert!(feed(&mut one, &built(|out| encode::parameter_status(out, "server_version", "15.2"))).is_ok());
        assert!(feed(&mut one, &built(|out| encode::backend_key(out, 7, &[1, 2, 3, 4]))).is_ok());
        assert!(matches!(feed(&mut one, &ready), Ok(Step::Ready)));
        assert_eq!(one.parameters, [("server_version".to_owned(), "15.2".to_owned())]);
        assert_eq!(one.key, Some((7, vec![1, 2, 3, 4])));
        for surprise in
            [raw(b'D', &[0, 0]), raw(b'T', &[0, 0]), built(encode::authentication_cleartext), raw(b'G', &[0, 0, 0])]
        {
            let mut one = greeting(|_| {});
            assert!(feed(&mut one, &built(encode::authentication_ok)).is_ok());
            assert!(feed(&mut one, &surprise).is_err());
        }
        let kerberos = raw(b'R', &[0, 0, 0, 7]);
        assert!(matches!(feed(&mut greeting(|_| {}), &kerberos), Err(UpstreamError::Method { .. })));
    }
}
