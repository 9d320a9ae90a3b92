//! The side towards targets: libpq's modes, from no TLS at all to the full check of authority and name.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::{ALPN, TlsError, provider, read};

/// How much TLS a target is to be spoken to with. The words are libpq's `sslmode`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum TlsMode {
    /// None.
    Disable,
    /// None, unless the target insists.
    Allow,
    /// If the target can; whoever sits between may say that it cannot.
    Prefer,
    /// Always, with any certificate; with an authority file as [`VerifyCa`](Self::VerifyCa), like libpq.
    Require,
    /// Always, with a certificate signed by the authority in the file.
    VerifyCa,
    /// Always, with a certificate signed by a trusted authority for the target's name.
    #[default]
    VerifyFull,
}

impl TlsMode {
    /// Every mode, weakest first.
    pub const ALL: [Self; 6] =
        [Self::Disable, Self::Allow, Self::Prefer, Self::Require, Self::VerifyCa, Self::VerifyFull];

    /// The word in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Allow => "allow",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    /// Whether nothing may be sent without TLS.
    #[must_use]
    pub const fn is_required(self) -> bool {
        match self {
            Self::Disable | Self::Allow | Self::Prefer => false,
            Self::Require | Self::VerifyCa | Self::VerifyFull => true,
        }
    }
}

impl fmt::Display for TlsMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tls is one of disable, allow, prefer, require, verify-ca, verify-full")]
pub struct NotAMode;

impl FromStr for TlsMode {
    type Err = NotAMode;

    fn from_str(word: &str) -> Result<Self, NotAMode> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == word).ok_or(NotAMode)
    }
}

/// Whom to trust, and as whom to appear.
#[derive(Default)]
pub struct Trust<'a> {
    /// A file of authorities, PEM; without one, the system's.
    pub authorities: Option<PathBuf>,
    /// A client certificate chain and its key, PEM.
    pub certificate: Option<(&'a [u8], &'a [u8])>,
}

impl fmt::Debug for Trust<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("authorities", &self.authorities).finish_non_exhaustive()
    }
}

/// The client side of TLS, ready for handshakes.
#[derive(Clone, Debug)]
pub struct ClientTls {
    pub(crate) config: Arc<ClientConfig>,
    pub(crate) checks_name: bool,
}

impl ClientTls {
    /// Prepares `mode`. For [`TlsMode::Disable`] this is what TLS would be like if it were used: without any check.
    ///
    /// # Errors
    /// [`TlsError`]: files that cannot be read, a client certificate that is none, `verify-ca` without authorities.
    pub fn new(mode: TlsMode, trust: &Trust<'_>) -> Result<Self, TlsError> {
        let provider = provider();
        let checker = Arc::new(Checker::new(mode, trust)?);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(checker);
        let mut config = match trust.certificate {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let wrong = TlsError::ClientCertificate;
                let chain: Vec<_> = CertificateDer::pem_slice_iter(chain)
                    .collect::<Result<_, _>>()
                    .map_err(|_| wrong("its certificate is not PEM"))?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| wrong("its key is not PEM"))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(|_| wrong("certificate and key do not belong together"))?
            }
        };
        config.alpn_protocols = vec![ALPN.to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self { config: Arc::new(config), checks_name: mode == TlsMode::VerifyFull })
    }
}

/// What is checked of a target's certificate. Its signature over the handshake is checked always.
#[derive(Debug)]
struct Checker {
    /// The check of the chain and the name; `None` accepts any certificate.
    chain: Option<Arc<dyn ServerCertVerifier>>,
    /// Certificates in the authority file: one that a target shows itself is trusted as it is. Self-signed server certificates,
    /// which libpq's manual shows how to make, are authorities of themselves.
    pinned: Vec<CertificateDer<'static>>,
    check_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Checker {
    fn new(mode: TlsMode, trust: &Trust<'_>) -> Result<Self, TlsError> {
        let algorithms = provider().signature_verification_algorithms;
        let mut this = Self { chain: None, pinned: Vec::new(), check_name: mode == TlsMode::VerifyFull, algorithms };
        match (mode, &trust.authorities) {
            (TlsMode::Disable | TlsMode::Allow | TlsMode::Prefer, _) | (TlsMode::Require, None) => {}
            (TlsMode::VerifyCa, None) => return Err(TlsError::NeedsAuthority),
            (TlsMode::VerifyFull, None) => this.chain = Some(system()?),
            (TlsMode::Require | TlsMode::VerifyCa | TlsMode::VerifyFull, Some(path)) => {
                let empty = || TlsError::Empty { path: path.clone(), what: "certificate" };
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_slice_iter(&read(path)?) {
                    let certificate = certificate.map_err(|_| empty())?;
                    // One that cannot be an authority can still be pinned.
                    let _not_an_authority = roots.add(certificate.clone());
                    this.pinned.push(certificate);
                }
                if this.pinned.is_empty() {
                    return Err(empty());
                }
                this.chain = Some(if roots.is_empty() {
                    Arc::new(PinsOnly)
                } else {
                    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider())
                        .build()
                        .map_err(|why| TlsError::Make(why.to_string()))?
                });
            }
        }
        Ok(this)
    }
}

/// The system's authorities are read once: there are some hundred.
fn system() -> Result<Arc<dyn ServerCertVerifier>, TlsError> {
    static SYSTEM: OnceLock<Arc<rustls_platform_verifier::Verifier>> = OnceLock::new();
    if let Some(known) = SYSTEM.get() {
        return Ok(Arc::clone(known) as Arc<dyn ServerCertVerifier>);
    }
    let read = rustls_platform_verifier::Verifier::new(provider()).map_err(|why| TlsError::System(why.to_string()))?;
    Ok(Arc::clone(SYSTEM.get_or_init(|| Arc::new(read))) as Arc<dyn ServerCertVerifier>)
}

/// Trusts no chain: the file held certificates of servers only.
#[derive(Debug)]
struct PinsOnly;

impl ServerCertVerifier for PinsOnly {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Err(CertificateError::UnknownIssuer.into())
    }

    // Never asked: `Checker` checks signatures itself.
    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("not a signature verifier".to_owned()))
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(Error::General("not a signature verifier".to_owned()))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        Vec::new()
    }
}

impl ServerCertVerifier for Checker {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(chain) = &self.chain else {
            return Ok(ServerCertVerified::assertion());
        };
        if self.pinned.iter().any(|pinned| pinned == end_entity) {
            in_time(end_entity, now)?;
            if self.check_name {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            }
            return Ok(ServerCertVerified::assertion());
        }
        match chain.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is the last thing that the chain's verifier looks at: all else was found good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            result => result,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

fn in_time(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| Error::from(CertificateError::BadEncoding))?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let validity = parsed.validity();
    if now < validity.not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > validity.not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}
