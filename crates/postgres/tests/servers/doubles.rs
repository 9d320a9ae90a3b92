//! A whole gate, so that there is a real grant, around doubles that keep nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::{digest, hmac, pbkdf2};
use gate::ports::{
    Answer, ApprovalRequest, ApprovalState, Approvals, Audit, AuditEntry, AuthFailure, BoxFuture, Clock, Identities,
    Lease, LeaseError, Proven, RecordFailure, Recorder, Recordings, ScramAttempt, ScramParameters, Secrets, StoreAway,
    StoredApproval,
};
use gate::{Endpoint, Gate, Micros, OpenRequest, Opened, Parts, Secret, Settings, Targets};
use model::{ApprovalId, Identity, IdentityKind, SessionId, Target};
use policy::{Policy, Source};
use record::Event;

use crate::server::{PASSWORD, Server};

/// The token that every identity proves itself with.
pub(crate) const TOKEN: &str = "sp_0123456789abcdef";

/// Opens a session for the role of this name, whose credential is the user of the same name.
pub(crate) async fn open(server: &Server, address: &str, role: &str) -> Opened {
    let target = Target {
        name: "orders-db".to_owned(),
        kind: "postgres".to_owned(),
        labels: BTreeMap::new(),
        roles: vec![role.to_owned()],
        default_role: role.to_owned(),
    };
    let endpoint = Endpoint { address: address.to_owned(), options: serde_json::json!({}) };
    let source = Source { name: "policy.yaml", text: "rules: [{ name: all, who: any, do: [connect], then: allow }]" };
    let double = Arc::new(Double { client: server.certificates.client.clone() });
    let gate = Gate::new(Parts {
        policy: Arc::new(Policy::parse(&[source]).unwrap()),
        targets: Targets::new(vec![(target, endpoint)]).unwrap(),
        identities: double.clone(),
        secrets: double.clone(),
        approvals: double.clone(),
        recordings: double.clone(),
        audit: double.clone(),
        clock: double,
        mask_key: mask::MaskKey::new([7; 32]),
        settings: Settings::default(),
    });
    let request =
        OpenRequest { protocol: "postgres", target: "orders-db", role: None, scope: "", from: None, client: "test" };
    match gate.open(proven(), request).await {
        Ok(opened) => opened,
        Err(refusal) => panic!("{}", refusal.detail()),
    }
}

pub(crate) fn proven() -> Proven {
    let identity = Identity {
        subject: "agent-7".to_owned(),
        issuer: "sallyport".to_owned(),
        groups: Vec::new(),
        kind: IdentityKind::Agent,
        on_behalf_of: Vec::new(),
        task: None,
        claims: BTreeMap::new(),
    };
    Proven { identity, expires: Micros(i64::MAX), token: None, targets: None }
}

/// Every port at once.
pub(crate) struct Double {
    pub(crate) client: (Vec<u8>, Vec<u8>),
}

impl Secrets for Double {
    fn lease<'a>(&'a self, target: &'a str, role: &'a str, _: SessionId) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        Box::pin(async move {
            let user = role.strip_suffix("+wrong").or_else(|| role.strip_suffix("+none")).unwrap_or(role).to_owned();
            let password = match role {
                "missing" => {
                    let (target, role, name) = (target.to_owned(), role.to_owned(), "missing-pw".to_owned());
                    return Err(LeaseError::Missing { target, role, name });
                }
                role if role.ends_with("+wrong") => Some("not it"),
                role if role.ends_with("+none") => None,
                "trust_user" | "cert_user" => None,
                _ => Some(PASSWORD),
            };
            let (chain, key) = self.client.clone();
            let certificate = (role == "cert_user").then(|| (chain, Secret::new(key)));
            Ok(Lease {
                user,
                password: password.map(|text| Secret::new(text.as_bytes().to_vec())),
                certificate,
                authority: None,
            })
        })
    }
    fn release<'a>(&'a self, _: &'a str, _: &'a str, _: SessionId) -> BoxFuture<'a, ()> {
        Box::pin(async {})
    }
}

const SALT: &[u8] = b"one salt for all";

fn tag(key: &[u8], message: &[u8]) -> [u8; 32] {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().try_into().unwrap()
}

impl Identities for Double {
    fn verify<'a>(&'a self, secret: &'a str, _: &'a str) -> BoxFuture<'a, Result<Proven, AuthFailure>> {
        Box::pin(async move { if secret == TOKEN { Ok(proven()) } else { Err(AuthFailure::Unknown) } })
    }
    fn scram_parameters(&self) -> ScramParameters {
        ScramParameters { salt: SALT.to_vec(), iterations: 4096 }
    }
    fn verify_scram<'a>(
        &'a self,
        attempt: &'a ScramAttempt,
        _: &'a str,
    ) -> BoxFuture<'a, Result<(Proven, [u8; 32]), AuthFailure>> {
        Box::pin(async move {
            let mut salted = [0; 32];
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, 4096.try_into().unwrap(), SALT, TOKEN.as_bytes(), &mut salted);
            let stored = digest::digest(&digest::SHA256, &tag(&salted, b"Client Key"));
            let signature = tag(stored.as_ref(), &attempt.auth_message);
            let key: Vec<u8> = attempt.proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
            if digest::digest(&digest::SHA256, &key).as_ref() != stored.as_ref() {
                return Err(AuthFailure::Unknown);
            }
            Ok((proven(), tag(&tag(&salted, b"Server Key"), &attempt.auth_message)))
        })
    }
    fn bearer_discovery(&self) -> Option<(String, String)> {
        None
    }
}

impl Approvals for Double {
    fn create<'a>(&'a self, _: &'a ApprovalRequest) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }
    fn get(&self, _: ApprovalId) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(None) })
    }
    fn list(&self, _: bool, _: u32) -> BoxFuture<'_, Result<Vec<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn answer<'a>(&'a self, _: ApprovalId, _: &'a Answer) -> BoxFuture<'a, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(None) })
    }
    fn granted(&self, _: [u8; 32], _: Micros) -> BoxFuture<'_, Result<Option<StoredApproval>, StoreAway>> {
        Box::pin(async { Ok(None) })
    }
    fn consume(&self, _: ApprovalId, _: Micros) -> BoxFuture<'_, Result<bool, StoreAway>> {
        Box::pin(async { Ok(false) })
    }
    fn report<'a>(&'a self, _: ApprovalId, _: &'a str) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }

    fn end(&self, _: ApprovalId, _: ApprovalState) -> BoxFuture<'_, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }
}

impl Recordings for Double {
    fn open<'a>(
        &'a self,
        _: SessionId,
        _: Micros,
        _: &'a record::Opened<'a>,
    ) -> BoxFuture<'a, Result<Box<dyn Recorder>, StoreAway>> {
        Box::pin(async { Ok(Box::new(Nothing) as Box<dyn Recorder>) })
    }
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }
}

struct Nothing;

impl Recorder for Nothing {
    fn append(&mut self, _: Micros, _: &Event<'_>) -> Result<(), RecordFailure> {
        Ok(())
    }
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), RecordFailure>> {
        Poll::Ready(Ok(()))
    }
    fn seal(&mut self) {}
}

impl Audit for Double {
    fn write<'a>(&'a self, _: &'a AuditEntry) -> BoxFuture<'a, Result<(), StoreAway>> {
        Box::pin(async { Ok(()) })
    }
}

impl Clock for Double {
    fn now(&self) -> Micros {
        Micros(1_800_000_000_000_000)
    }
}
