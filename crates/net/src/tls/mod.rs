//! TLS on both sides, with one provider (aws-lc-rs) and TLS 1.2 or newer.
//!
//! - [`server`]: the gateway's certificate, from given files or its own authority
//! - `own`: that authority, made at first start
//! - [`client`]: how a target is trusted: libpq's modes
//! - [`binding`]: `tls-server-end-point` channel binding (RFC 5929)

pub mod binding;
pub mod client;
mod own;
pub mod server;
#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use rustls::crypto::CryptoProvider;

pub use client::{ClientTls, TlsMode, Trust};
pub use server::{Current, ServerTls, Source};

/// What clients and servers of PostgreSQL name in ALPN; required for direct TLS.
pub const ALPN: &[u8] = b"postgresql";

/// Why TLS cannot be set up here. These are for the operator: they name files and what to do.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// `read`, `write` or `make`.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file without what it should hold.
    #[error("{} holds no {what} in PEM form", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
        /// `certificate` or `private key`.
        what: &'static str,
    },
    /// A certificate and a key that are not a pair, or of a sort that is not supported.
    #[error("{} and {} do not belong together: {why}", cert.display(), key.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What the library says.
        why: String,
    },
    /// A name that cannot be in a certificate.
    #[error("{0:?} cannot be a name in the gateway's certificate; give host names or IP addresses")]
    Name(String),
    /// A certificate could not be made.
    #[error("the gateway's certificate could not be made: {0}")]
    Make(String),
    /// `verify-ca` without a file.
    #[error(
        "tls mode verify-ca needs `ca:`: with the system's authorities anyone could have a certificate; use verify-full"
    )]
    NeedsAuthority,
    /// The system has no authorities, or they cannot be read.
    #[error("the system's certificate authorities cannot be used: {0}; set `ca:` to a file")]
    System(String),
    /// A lease's client certificate that is not one.
    #[error("the client certificate of the role cannot be used: {0}")]
    ClientCertificate(&'static str),
    /// The library refuses the settings.
    #[error("TLS cannot be set up: {0}")]
    Setup(#[from] rustls::Error),
}

/// The one cryptography provider, made once.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: OnceLock<Arc<CryptoProvider>> = OnceLock::new();
    Arc::clone(PROVIDER.get_or_init(|| Arc::new(rustls::crypto::aws_lc_rs::default_provider())))
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path).map_err(|source| TlsError::File { action: "read", path: path.to_owned(), source })
}

/// Why a handshake with a peer failed, in words that may be shown: nothing that the peer sent is in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// No authority that we trust has signed the certificate.
    #[error("its certificate is signed by an authority that is not trusted here")]
    UnknownIssuer,
    /// The certificate is too old or too young.
    #[error("its certificate is not valid at this time")]
    Expired,
    /// The certificate is for another name.
    #[error("its certificate is for another host name")]
    WrongName,
    /// The certificate was taken back.
    #[error("its certificate was revoked")]
    Revoked,
    /// The certificate is wrong in another way.
    #[error("its certificate cannot be used")]
    BadCertificate,
    /// The peer wants a client certificate, or another one.
    #[error("it did not accept our certificate")]
    Ours,
    /// No version, cipher or application protocol in common.
    #[error("no TLS version, cipher or application protocol in common")]
    NothingInCommon,
    /// What came was not TLS.
    #[error("it does not speak TLS")]
    NotTls,
    /// The connection ended.
    #[error("the connection ended during the TLS handshake")]
    Ended,
    /// Anything else.
    #[error("the TLS handshake failed")]
    Other,
}

impl HandshakeError {
    /// Reads what the library reports.
    #[must_use]
    pub fn of(error: &io::Error) -> Self {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(error) => Self::of_library(error),
            None => match error.kind() {
                io::ErrorKind::UnexpectedEof
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionAborted
                | io::ErrorKind::BrokenPipe => Self::Ended,
                _ => Self::Other,
            },
        }
    }

    fn of_library(error: &rustls::Error) -> Self {
        use rustls::{AlertDescription as Alert, CertificateError as Cert, Error};
        match error {
            Error::InvalidCertificate(problem) => match problem {
                // Authorities are found by their name first: one of the same name that did not sign it is not the one.
                Cert::UnknownIssuer | Cert::BadSignature => Self::UnknownIssuer,
                // A certificate that signs itself, of an authority that we do not have.
                Cert::Other(other) if other.to_string() == "CaUsedAsEndEntity" => Self::UnknownIssuer,
                Cert::Expired | Cert::ExpiredContext { .. } | Cert::NotValidYet | Cert::NotValidYetContext { .. } => {
                    Self::Expired
                }
                Cert::NotValidForName | Cert::NotValidForNameContext { .. } => Self::WrongName,
                Cert::Revoked => Self::Revoked,
                _ => Self::BadCertificate,
            },
            Error::AlertReceived(alert) => match alert {
                Alert::CertificateRequired
                | Alert::BadCertificate
                | Alert::UnknownCA
                | Alert::CertificateExpired
                | Alert::CertificateUnknown
                | Alert::CertificateRevoked
                | Alert::UnsupportedCertificate
                | Alert::AccessDenied => Self::Ours,
                Alert::HandshakeFailure
                | Alert::ProtocolVersion
                | Alert::InsufficientSecurity
                | Alert::NoApplicationProtocol => Self::NothingInCommon,
                _ => Self::Other,
            },
            Error::PeerIncompatible(_) | Error::NoApplicationProtocol => Self::NothingInCommon,
            Error::InvalidMessage(_) | Error::InappropriateMessage { .. } => Self::NotTls,
            _ => Self::Other,
        }
    }
}
