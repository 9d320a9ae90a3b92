//! The gateway's own certificate, given files, and every mode of trust, by real handshakes over loopback.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{CertificateParams, IsCa, KeyPair, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, date_time_ymd};
use tempfile::TempDir;

use super::*;
use crate::transport::Transport;

fn own(directory: &Path, names: &[&str]) -> ServerTls {
    let names = names.iter().map(|name| (*name).to_owned()).collect();
    ServerTls::new(Source::Own { directory: directory.to_owned(), names }).unwrap()
}

/// Shakes hands as `host`; the client's view and both transports.
async fn shake(server: &ServerTls, client: &ClientTls, host: &str) -> Result<(Transport, Transport), HandshakeError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the client of a test")]
    let dialled = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    let accepting = Transport::plain(accepted, peer).accept_tls(server.current());
    let (inner, outer) = tokio::join!(accepting, Transport::dialled(dialled).unwrap().connect_tls(client, host));
    let outer = outer?;
    Ok((inner?, outer))
}

fn trust(authorities: Option<&Path>) -> Trust<'static> {
    Trust { authorities: authorities.map(Path::to_owned), certificate: None }
}

#[tokio::test]
async fn the_first_start_makes_a_certificate_that_clients_can_trust() {
    let dir = TempDir::new().unwrap();
    let directory = dir.path().join("tls");
    let server = own(&directory, &["db.example.com"]);
    assert_eq!(fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o700);
    for file in ["ca.pem", "ca-key.pem", "cert.pem", "key.pem"] {
        assert_eq!(fs::metadata(directory.join(file)).unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
    let authority = server.authority().unwrap();
    let full = ClientTls::new(TlsMode::VerifyFull, &trust(Some(&authority))).unwrap();
    for host in ["localhost", "127.0.0.1", "::1", "db.example.com"] {
        let (inner, outer) = shake(&server, &full, host).await.unwrap();
        assert_eq!(inner.alpn(), Some(ALPN), "{host}");
        assert_eq!(inner.tls().unwrap().version, "TLSv1.3");
        assert_eq!(inner.tls(), outer.tls());
        assert_eq!(inner.tls_server_end_point().unwrap().len(), 32);
        assert_eq!(inner.tls_server_end_point(), outer.tls_server_end_point());
    }
    assert_eq!(shake(&server, &full, "other.example.com").await.unwrap_err(), HandshakeError::WrongName);
}

#[tokio::test]
async fn modes_check_what_they_say() {
    let dir = TempDir::new().unwrap();
    let server = own(&dir.path().join("one"), &[]);
    let other = own(&dir.path().join("two"), &[]);
    let (right, wrong) = (server.authority().unwrap(), other.authority().unwrap());
    for (mode, authority, host, expected) in [
        (TlsMode::Prefer, Some(&wrong), "elsewhere", None),
        (TlsMode::Require, None, "elsewhere", None),
        (TlsMode::Require, None, "not a name", None),
        (TlsMode::Require, Some(&wrong), "localhost", Some(HandshakeError::UnknownIssuer)),
        (TlsMode::VerifyCa, Some(&right), "elsewhere", None),
        (TlsMode::VerifyCa, Some(&wrong), "localhost", Some(HandshakeError::UnknownIssuer)),
        (TlsMode::VerifyFull, Some(&right), "localhost", None),
        (TlsMode::VerifyFull, Some(&right), "elsewhere", Some(HandshakeError::WrongName)),
        (TlsMode::VerifyFull, Some(&right), "not a name", Some(HandshakeError::WrongName)),
        (TlsMode::VerifyFull, Some(&wrong), "localhost", Some(HandshakeError::UnknownIssuer)),
    ] {
        let client = ClientTls::new(mode, &trust(authority.map(std::path::PathBuf::as_path))).unwrap();
        assert_eq!(shake(&server, &client, host).await.err(), expected, "{mode} {host}");
    }
    assert!(matches!(ClientTls::new(TlsMode::VerifyCa, &trust(None)), Err(TlsError::NeedsAuthority)));
    for mode in TlsMode::ALL {
        assert_eq!(mode.as_str().parse(), Ok(mode));
    }
}

/// Writes a certificate that signs itself, as the manual of PostgreSQL shows.
fn self_signed(dir: &Path, change: impl FnOnce(&mut CertificateParams)) -> Source {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    change(&mut params);
    let certificate = params.self_signed(&key).unwrap();
    let (cert_path, key_path) = (dir.join("server.crt"), dir.join("server.key"));
    fs::write(&cert_path, certificate.pem()).unwrap();
    fs::write(&key_path, key.serialize_pem()).unwrap();
    Source::Files { cert: cert_path, key: key_path }
}

#[tokio::test]
async fn a_self_signed_certificate_in_the_authority_file_is_trusted_as_it_is() {
    let dir = TempDir::new().unwrap();
    let server = ServerTls::new(self_signed(dir.path(), |_| {})).unwrap();
    let file = dir.path().join("server.crt");
    let full = ClientTls::new(TlsMode::VerifyFull, &trust(Some(&file))).unwrap();
    let (inner, outer) = shake(&server, &full, "localhost").await.unwrap();
    assert_eq!(inner.tls_server_end_point().unwrap().len(), 48, "SHA-384 signature, SHA-384 binding");
    assert_eq!(inner.tls_server_end_point(), outer.tls_server_end_point());
    assert_eq!(shake(&server, &full, "elsewhere").await.unwrap_err(), HandshakeError::WrongName);
}

#[tokio::test]
async fn an_ended_certificate_is_not_trusted_even_when_pinned() {
    let dir = TempDir::new().unwrap();
    let ended = self_signed(dir.path(), |params| params.not_after = date_time_ymd(2020, 1, 1));
    let server = ServerTls::new(ended).unwrap();
    let client = ClientTls::new(TlsMode::VerifyCa, &trust(Some(&dir.path().join("server.crt")))).unwrap();
    assert_eq!(shake(&server, &client, "localhost").await.unwrap_err(), HandshakeError::Expired);
}

#[test]
fn signatures_without_one_hash_function_bind_nothing() {
    let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
    assert_eq!(binding::end_point(certificate.der()), None);
    assert_eq!(binding::end_point(b"garbage"), None);
}

#[test]
fn the_certificate_is_renewed_and_the_authority_stays() {
    let dir = TempDir::new().unwrap();
    let first = own(dir.path(), &[]);
    let read = |file: &str| fs::read(dir.path().join(file)).unwrap();
    let (authority, certificate) = (read("ca.pem"), read("cert.pem"));
    assert!(!first.refresh().unwrap());
    assert_eq!(read("cert.pem"), certificate, "nothing to renew");
    let binding = first.current().end_point().map(<[u8]>::to_vec);

    drop(own(dir.path(), &["new.example.com"]));
    assert_eq!(read("ca.pem"), authority);
    assert_ne!(read("cert.pem"), certificate, "a new name");

    fs::remove_file(dir.path().join("cert.pem")).unwrap();
    assert!(first.refresh().unwrap(), "a missing file is made again");
    assert_ne!(first.current().end_point().map(<[u8]>::to_vec), binding);

    for file in ["ca.pem", "ca-key.pem"] {
        fs::remove_file(dir.path().join(file)).unwrap();
    }
    let before = read("cert.pem");
    assert!(first.refresh().unwrap());
    assert_ne!(read("ca.pem"), authority);
    assert_ne!(read("cert.pem"), before, "the old certificate is not the new authority's");
}

#[test]
fn wrong_files_are_named() {
    let dir = TempDir::new().unwrap();
    let Source::Files { cert, key } = self_signed(dir.path(), |_| {}) else { panic!() };
    let text = |cert: &Path, key: &Path| {
        let source = Source::Files { cert: cert.to_owned(), key: key.to_owned() };
        ServerTls::new(source).unwrap_err().to_string()
    };
    assert!(text(&dir.path().join("none.crt"), &key).contains("cannot read"));
    assert!(text(&key, &key).contains("server.key holds no certificate"));
    assert!(text(&cert, &cert).contains("server.crt holds no private key"));
    let other = TempDir::new().unwrap();
    let Source::Files { key: other_key, .. } = self_signed(other.path(), |_| {}) else { panic!() };
    assert!(text(&cert, &other_key).contains("do not belong together"));
    let bad = Source::Own { directory: other.path().join("x"), names: vec!["not a name".to_owned()] };
    assert!(ServerTls::new(bad).unwrap_err().to_string().contains("not a name"));
}

#[test]
fn client_certificates_are_checked_when_they_are_set() {
    let dir = TempDir::new().unwrap();
    let Source::Files { cert, key } = self_signed(dir.path(), |_| {}) else { panic!() };
    let (cert, key) = (fs::read(cert).unwrap(), fs::read(key).unwrap());
    let with =
        |certificate| ClientTls::new(TlsMode::Require, &Trust { authorities: None, certificate: Some(certificate) });
    assert!(with((&cert, &key)).is_ok());
    assert!(matches!(with((&cert, &cert)), Err(TlsError::ClientCertificate(_))));
    assert!(matches!(with((b"junk", &key)), Err(TlsError::ClientCertificate(_))));
}
