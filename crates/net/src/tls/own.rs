//! The gateway's own authority and certificate, made at first start and renewed before they end.
//!
//! The directory holds `ca.pem`, which clients are given, `ca-key.pem`, and `cert.pem` with `key.pem`, which the listeners use. The
//! authority signs nothing but this gateway's certificate, and it is constrained to certificates for servers.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::net::IpAddr;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, GeneralName, X509Certificate};

use super::{TlsError, read};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// The authority's life: its certificate is copied to clients by hand, so it is long.
const AUTHORITY_DAYS: u32 = 3652;
/// The certificate's life: a year, as browsers require of others.
const CERTIFICATE_DAYS: u32 = 397;
/// It is renewed when less than this is left.
const RENEW_BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Clocks of clients may be behind ours by this much.
const BACKDATE: Duration = Duration::from_secs(60 * 60);

/// Where the files are.
pub(super) struct Files {
    pub(super) authority: PathBuf,
    authority_key: PathBuf,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
}

impl Files {
    pub(super) fn within(directory: &Path) -> Self {
        Self {
            authority: directory.join("ca.pem"),
            authority_key: directory.join("ca-key.pem"),
            certificate: directory.join("cert.pem"),
            key: directory.join("key.pem"),
        }
    }
}

/// Makes what is missing, renews what is about to end or does not name all of `names`, and returns the files. True when something
/// was made.
pub(super) fn ensure(directory: &Path, names: &[String]) -> Result<(Files, bool), TlsError> {
    let files = Files::within(directory);
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|source| TlsError::File { action: "make", path: directory.to_owned(), source })?;
    let names = all_names(names);
    let mut changed = false;
    if !usable(&files.authority, &files.authority_key, &[])? {
        make_authority(&files)?;
        changed = true;
    }
    if changed || !usable(&files.certificate, &files.key, &names)? || !signed_by(&files)? {
        make_certificate(&files, &names)?;
        changed = true;
    }
    Ok((files, changed))
}

/// The configured names and those by which a machine always knows itself, each once.
fn all_names(configured: &[String]) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    // A machine whose name cannot be read, or is no DNS name, is reached by another one.
    let host = ["/proc/sys/kernel/hostname", "/etc/hostname"].iter().find_map(|path| fs::read_to_string(path).ok());
    let host = host.map(|name| name.trim().to_ascii_lowercase()).filter(|name| is_dns_name(name));
    for name in host.into_iter().chain(configured.iter().cloned()) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn is_dns_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 253
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

/// Whether both files are there, and the certificate lives long enough and names all of `names`. A file that is there and cannot
/// be read is an error, not a reason to overwrite it.
fn usable(certificate: &Path, key: &Path, names: &[String]) -> Result<bool, TlsError> {
    if !certificate.exists() || !key.exists() {
        return Ok(false);
    }
    let Ok(der) = CertificateDer::from_pem_slice(&read(certificate)?) else {
        return Ok(false);
    };
    let Ok((_, parsed)) = X509Certificate::from_der(&der) else {
        return Ok(false);
    };
    let ends = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
    let needed = since_epoch().saturating_add(RENEW_BEFORE).as_secs();
    Ok(ends > needed && names.iter().all(|name| has_name(&parsed, name)))
}

fn has_name(certificate: &X509Certificate<'_>, name: &str) -> bool {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return false;
    };
    names.value.general_names.iter().any(|found| match (found, name.parse::<IpAddr>()) {
        (GeneralName::DNSName(found), Err(_)) => found.eq_ignore_ascii_case(name),
        (GeneralName::IPAddress(found), Ok(IpAddr::V4(address))) => *found == address.octets(),
        (GeneralName::IPAddress(found), Ok(IpAddr::V6(address))) => *found == address.octets(),
        _ => false,
    })
}

/// Whether the certificate is the present authority's.
fn signed_by(files: &Files) -> Result<bool, TlsError> {
    let (Ok(authority), Ok(certificate)) = (
        CertificateDer::from_pem_slice(&read(&files.authority)?),
        CertificateDer::from_pem_slice(&read(&files.certificate)?),
    ) else {
        return Ok(false);
    };
    let (Ok((_, authority)), Ok((_, certificate))) =
        (X509Certificate::from_der(&authority), X509Certificate::from_der(&certificate))
    else {
        return Ok(false);
    };
    let key_id = |certificate: &X509Certificate<'_>| {
        certificate.iter_extensions().find_map(|extension| match extension.parsed_extension() {
            x509_parser::extensions::ParsedExtension::AuthorityKeyIdentifier(id) => {
                id.key_identifier.as_ref().map(|id| id.0.to_vec())
            }
            _ => None,
        })
    };
    let own_id = authority.iter_extensions().find_map(|extension| match extension.parsed_extension() {
        x509_parser::extensions::ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0.to_vec()),
        _ => None,
    });
    Ok(own_id.is_some() && key_id(&certificate) == own_id)
}

fn since_epoch() -> Duration {
    // A clock before 1970 makes every certificate look fresh and every handshake fail; nothing to decide here.
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn make(error: rcgen::Error) -> TlsError {
    TlsError::Make(error.to_string())
}

fn params(name: &str, days: u32) -> CertificateParams {
    let mut params = CertificateParams::default();
    let epoch = date_time_ymd(1970, 1, 1);
    let now = since_epoch();
    params.not_before = epoch + now.saturating_sub(BACKDATE);
    params.not_after = epoch + now.saturating_add(DAY.saturating_mul(days));
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn make_authority(files: &Files) -> Result<(), TlsError> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(make)?;
    let mut params = params("Sallyport gateway authority", AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.self_signed(&key).map_err(make)?;
    // The key first: a certificate without its key would be taken for complete by a human.
    write(&files.authority_key, key.serialize_pem().as_bytes())?;
    write(&files.authority, certificate.pem().as_bytes())
}

fn make_certificate(files: &Files, names: &[String]) -> Result<(), TlsError> {
    let authority_key = read_text(&files.authority_key)?;
    let mismatch = |why: rcgen::Error| TlsError::Mismatch {
        cert: files.authority.clone(),
        key: files.authority_key.clone(),
        why: why.to_string(),
    };
    let authority_key = KeyPair::from_pem(&authority_key).map_err(mismatch)?;
    let issuer = Issuer::from_ca_cert_pem(&read_text(&files.authority)?, authority_key).map_err(mismatch)?;
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(make)?;
    let mut params = params("Sallyport gateway", CERTIFICATE_DAYS);
    params.subject_alt_names = names.iter().map(|name| san(name)).collect::<Result<_, _>>()?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let certificate = params.signed_by(&key, &issuer).map_err(make)?;
    write(&files.key, key.serialize_pem().as_bytes())?;
    write(&files.certificate, certificate.pem().as_bytes())
}

fn san(name: &str) -> Result<rcgen::SanType, TlsError> {
    let wrong = || TlsError::Name(name.to_owned());
    match name.parse::<IpAddr>() {
        Ok(address) => Ok(rcgen::SanType::IpAddress(address)),
        // A leading `*.` is the only wildcard that certificates know.
        Err(_) if is_dns_name(name.strip_prefix("*.").unwrap_or(name)) => {
            name.try_into().map(rcgen::SanType::DnsName).map_err(|_| wrong())
        }
        Err(_) => Err(wrong()),
    }
}

fn read_text(path: &Path) -> Result<String, TlsError> {
    let broken = || TlsError::Empty { path: path.to_owned(), what: "certificate or key" };
    String::from_utf8(read(path)?).map_err(|_| broken())
}

/// Writes a file whole or not at all, readable by its owner only.
fn write(path: &Path, content: &[u8]) -> Result<(), TlsError> {
    let failed = |source| TlsError::File { action: "write", path: path.to_owned(), source };
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&temporary).map_err(failed)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(failed)?;
    fs::rename(&temporary, path).map_err(failed)
}
