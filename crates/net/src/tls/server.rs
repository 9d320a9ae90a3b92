//! The gateway's side: a certificate, its key, and what clients are offered.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::NoServerSessionStorage;

use super::{ALPN, TlsError, binding, own, provider, read};

/// Where the certificate comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Our own authority in this directory, for these names beside the machine's own.
    Own {
        /// Made with mode 0700 when it is not there.
        directory: PathBuf,
        /// Host names and IP addresses by which clients reach the gateway.
        names: Vec<String>,
    },
    /// Given files, PEM; the chain starts with the gateway's certificate.
    Files {
        /// The certificate chain.
        cert: PathBuf,
        /// The private key.
        key: PathBuf,
    },
}

/// One certificate in use.
#[derive(Debug)]
pub struct Current {
    pub(crate) config: Arc<ServerConfig>,
    end_point: Option<Vec<u8>>,
    leaf: Vec<u8>,
}

impl Current {
    /// The channel binding `tls-server-end-point` of this certificate, if it has one.
    #[must_use]
    pub fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }
}

/// The server side of TLS. New handshakes take the newest certificate; running connections keep theirs.
#[derive(Debug)]
pub struct ServerTls {
    source: Source,
    current: RwLock<Arc<Current>>,
}

impl ServerTls {
    /// Reads, or makes, the certificate.
    ///
    /// # Errors
    /// [`TlsError`], naming the file and what is wrong with it.
    pub fn new(source: Source) -> Result<Self, TlsError> {
        let current = load(&source)?;
        Ok(Self { source, current: RwLock::new(Arc::new(current)) })
    }

    /// The certificate for a new handshake.
    #[must_use]
    pub fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the files again, renewing our own certificate if its end is near. Call it daily, and when the operator asks. True when
    /// the certificate has changed. On an error the old one stays in use.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn refresh(&self) -> Result<bool, TlsError> {
        let fresh = load(&self.source)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let changed = fresh.leaf != current.leaf;
        if changed {
            *current = Arc::new(fresh);
        }
        Ok(changed)
    }

    /// The authority's certificate file that clients need to trust the gateway, when it is our own.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        match &self.source {
            Source::Own { directory, .. } => Some(own::Files::within(directory).authority),
            Source::Files { .. } => None,
        }
    }
}

fn load(source: &Source) -> Result<Current, TlsError> {
    match source {
        Source::Own { directory, names } => {
            let (files, made) = own::ensure(directory, names)?;
            if made {
                tracing::info!(directory = %directory.display(), "made a certificate for the gateway");
            }
            build(&files.certificate, &files.key)
        }
        Source::Files { cert, key } => {
            warn_if_readable(key);
            build(cert, key)
        }
    }
}

/// A key that everyone on the machine can read is a mistake more often than not, but not ours to forbid: containers mount it so.
fn warn_if_readable(key: &Path) {
    if std::fs::metadata(key).is_ok_and(|found| found.permissions().mode() & 0o004 != 0) {
        tracing::warn!(key = %key.display(), "the private key can be read by every user of this machine");
    }
}

fn build(cert: &Path, key: &Path) -> Result<Current, TlsError> {
    let empty = |path: &Path, what| TlsError::Empty { path: path.to_owned(), what };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(cert)?)
        .collect::<Result<_, _>>()
        .map_err(|_| empty(cert, "certificate"))?;
    let leaf = chain.first().ok_or_else(|| empty(cert, "certificate"))?.to_vec();
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?).map_err(|_| empty(key, "private key"))?;
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|why| TlsError::Mismatch { cert: cert.to_owned(), key: key.to_owned(), why: why.to_string() })?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Database connections are long: tickets would cost bytes and work in each handshake and are hardly ever used.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Current { end_point: binding::end_point(&leaf), config: Arc::new(config), leaf })
}
