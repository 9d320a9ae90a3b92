//! Failures that a client may be told: each knows its SQLSTATE, and no text holds what a peer sent.

use gate::ports::LeaseError;
use net::DialError;
use net::tls::{HandshakeError, TlsError};

use crate::wire::WireError;

/// Why a target did not let the gateway in. The text is for the client; what only the operator may know is the source.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// It cannot be reached.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// It took too long.
    #[error("target {target} is away: no answer in time")]
    Late {
        /// The target's name.
        target: String,
    },
    /// It ended the connection.
    #[error("target {target} is away: it ended the connection during the login")]
    Ended {
        /// The target's name.
        target: String,
    },
    /// TLS did not come about.
    #[error("target {target} is not trusted: {problem}; {}", advice(*problem))]
    Tls {
        /// The target's name.
        target: String,
        /// Why.
        problem: HandshakeError,
    },
    /// The gateway's own TLS settings for it are wrong.
    #[error("TLS to target {target} cannot be set up; the gateway's log says why")]
    TlsSetup {
        /// The target's name.
        target: String,
        /// Why.
        source: TlsError,
    },
    /// It has no TLS, and its options want it.
    #[error("target {target} is not trusted: it offers no TLS; turn it on there, or set `tls: disable` on the target")]
    NoTls {
        /// The target's name.
        target: String,
    },
    /// There is no credential.
    #[error("the gateway has no credential for role {role} of {target}; its log says why")]
    Lease {
        /// The target's name.
        target: String,
        /// The role.
        role: String,
        /// Why.
        source: LeaseError,
    },
    /// It wants the password readable, where others could read it.
    #[error(
        "target {target} wants its password readable over a connection without TLS; turn on TLS there, or set `allow_cleartext: true` on the target"
    )]
    Cleartext {
        /// The target's name.
        target: String,
    },
    /// It wants a password, and the role has none.
    #[error("target {target} wants a password, and role {role} has none")]
    NoPassword {
        /// The target's name.
        target: String,
        /// The role.
        role: String,
    },
    /// It wants something that the gateway does not speak.
    #[error(
        "target {target} wants an authentication method that is not supported here: use scram-sha-256, md5, password, cert or trust"
    )]
    Method {
        /// The target's name.
        target: String,
    },
    /// It does not know the password that it is to know: someone else answers, or the password is wrong there.
    #[error("target {target} could not prove that it knows the credential of role {role}")]
    NotMutual {
        /// The target's name.
        target: String,
        /// The role.
        role: String,
    },
    /// It refused, with this code.
    #[error("target {target} {}", refused(sqlstate, role))]
    Refused {
        /// The target's name.
        target: String,
        /// The role.
        role: String,
        /// Its SQLSTATE.
        sqlstate: String,
    },
    /// What it sent is not PostgreSQL.
    #[error("target {target} does not speak PostgreSQL's protocol as expected: {problem}")]
    Broken {
        /// The target's name.
        target: String,
        /// What was wrong.
        problem: WireError,
    },
}

impl UpstreamError {
    /// The SQLSTATE for the client. Codes about a password stay here: the client's own was right.
    #[must_use]
    pub fn sqlstate(&self) -> &'static str {
        match self {
            Self::Dial(_) | Self::Late { .. } | Self::Ended { .. } | Self::Tls { .. } | Self::NoTls { .. } => "08001",
            Self::TlsSetup { .. } | Self::Lease { .. } | Self::NoPassword { .. } => "F0000",
            Self::Cleartext { .. } | Self::Method { .. } | Self::NotMutual { .. } => "08004",
            Self::Broken { .. } => "08P01",
            Self::Refused { sqlstate, .. } => match sqlstate.as_str() {
                "53300" => "53300",
                "3D000" => "3D000",
                "57P03" => "57P03",
                _ => "08004",
            },
        }
    }
}

fn advice(problem: HandshakeError) -> &'static str {
    match problem {
        HandshakeError::UnknownIssuer => "set `ca:` on the target to the authority that signed it",
        HandshakeError::Expired => "renew it, and check the clocks of both machines",
        HandshakeError::WrongName => "set `address:` to a name in its certificate, or `tls: verify-ca`",
        HandshakeError::Revoked | HandshakeError::BadCertificate => "give the target a new one",
        HandshakeError::Ours => "check the role's client certificate",
        HandshakeError::NothingInCommon => "it needs TLS 1.2 or newer",
        HandshakeError::NotTls | HandshakeError::Ended | HandshakeError::Other => "check what listens at its address",
    }
}

fn refused(sqlstate: &str, role: &str) -> String {
    match sqlstate {
        "28P01" | "28000" => {
            format!("does not accept the credential of role {role} (SQLSTATE {sqlstate}); its log says why")
        }
        "3D000" => "has no such database (SQLSTATE 3D000)".to_owned(),
        "53300" => "has too many connections (SQLSTATE 53300); try again shortly".to_owned(),
        "57P03" => "is starting up or shutting down (SQLSTATE 57P03); try again shortly".to_owned(),
        _ => format!("refused the login with SQLSTATE {sqlstate}; its log says why"),
    }
}
