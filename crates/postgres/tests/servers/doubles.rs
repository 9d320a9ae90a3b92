//! A whole gate, so that there is a real grant, around doubles that keep nothing.

use std::sync::Arc;

use aws_lc_rs::{digest, hmac, pbkdf2};
use gate::ports::{
    AuthFailure, BoxFuture, Identities, Lease, LeaseError, Proven, ScramAttempt, ScramParameters, Secrets,
};
use gate::{Gate, OpenRequest, Opened, Parts, Secret};
use model::SessionId;

use crate::server::{PASSWORD, Server};

/// The token that every identity proves itself with.
pub(crate) const TOKEN: &str = "sp_0123456789abcdef";

/// Opens a session for the role of this name, whose credential is the user of the same name.
pub(crate) async fn open(server: &Server, address: &str, role: &str) -> Opened {
    let rules = "rules: [{ name: all, who: any, do: [connect], then: allow }]";
    let targets = vec![doubles::target("postgres", "orders-db", role, address)];
    let secrets = Arc::new(Double { client: server.certificates.client.clone() });
    let gate = Gate::new(Parts { secrets, ..doubles::parts(rules, targets) });
    let request =
        OpenRequest { protocol: "postgres", target: "orders-db", role: None, scope: "", from: None, client: "test" };
    match gate.open(doubles::agent(), request).await {
        Ok(opened) => opened,
        Err(refusal) => panic!("{}", refusal.detail()),
    }
}

/// What the roles prove themselves with, and the one token of clients.
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
        Box::pin(async move { if secret == TOKEN { Ok(doubles::agent()) } else { Err(AuthFailure::Unknown) } })
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
            Ok((doubles::agent(), tag(&tag(&salted, b"Server Key"), &attempt.auth_message)))
        })
    }
    fn bearer_discovery(&self) -> Option<(String, String)> {
        None
    }
}
