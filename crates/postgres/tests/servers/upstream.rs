//! The target's login against a real server: every method, every mode of TLS, every refusal, and cancel.

use std::sync::Arc;
use std::time::Duration;

use gate::{Grant, Outbox, ToTarget};
use net::TlsMode;
use sallyport_postgres::config::{ProtocolVersion, TargetOptions};
use sallyport_postgres::error::UpstreamError;
use sallyport_postgres::upstream::{StartupParams, Upstream, cancel, connect};
use sallyport_postgres::wire::{Backend, Frames, Next, encode, limits};

use crate::doubles::open;
use crate::server::{Server, shared};

fn options(change: impl FnOnce(&mut TargetOptions)) -> TargetOptions {
    let mut options = TargetOptions { database: Some("postgres".to_owned()), ..TargetOptions::default() };
    change(&mut options);
    options
}

async fn grant(server: &Server, role: &str) -> Arc<Grant> {
    open(server, &format!("127.0.0.1:{}", server.port), role).await.grant
}

async fn login(server: &Server, role: &str, options: &TargetOptions) -> Result<Upstream, UpstreamError> {
    let startup = StartupParams {
        application_name: "sallyport test".to_owned(),
        settings: vec![("DateStyle".to_owned(), "German".to_owned())],
        ..StartupParams::default()
    };
    connect(&*grant(server, role).await, options, &startup).await
}

/// Runs a statement; the first cell, or the SQLSTATE.
async fn ask(grant: &Grant, upstream: &mut Upstream, sql: &str) -> Result<String, String> {
    let mut message = Vec::new();
    encode::query(&mut message, sql);
    let mut outbox = Outbox::<ToTarget>::default();
    outbox.handshake(grant, &message);
    upstream.transport.flush(&mut outbox).await.unwrap();
    let mut result = Ok(String::new());
    let mut buffer = std::mem::take(&mut upstream.unread);
    loop {
        let mut frames = Frames::new(&buffer, limits::GREETING);
        while let Next::Frame(frame) = frames.advance().unwrap() {
            match Backend::parse(frame.tag, frame.body).unwrap() {
                Backend::DataRow(row) => {
                    let cell = row.cells().next().unwrap().unwrap().unwrap_or_default();
                    result = Ok(String::from_utf8(cell.to_vec()).unwrap());
                }
                Backend::Error(fields) => result = Err(fields.sqlstate().unwrap().to_owned()),
                Backend::Ready(_) => return result,
                _ => {}
            }
        }
        let used = frames.consumed();
        buffer.drain(..used);
        let mut chunk = [0; 4096];
        let n = upstream.transport.read(&mut chunk).await.unwrap();
        assert!(n > 0, "the server left");
        buffer.extend_from_slice(&chunk[..n]);
    }
}

#[tokio::test]
async fn every_method_logs_in_with_and_without_tls() {
    let server = shared();
    for role in ["trust_user", "password_user", "md5_user", "scram_user"] {
        for mode in [TlsMode::Disable, TlsMode::Allow, TlsMode::Prefer, TlsMode::Require] {
            let options = options(|o| o.tls = Some(mode));
            let grant = grant(server, role).await;
            let mut upstream =
                login(server, role, &options).await.unwrap_or_else(|error| panic!("{role} {mode}: {error}"));
            assert_eq!(upstream.tls.is_some(), matches!(mode, TlsMode::Prefer | TlsMode::Require), "{role} {mode}");
            assert_eq!(upstream.user, role);
            assert!(upstream.pid > 0 && upstream.key.len() == 4);
            let reported = |name: &str| {
                upstream.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
            };
            assert_eq!(reported("client_encoding").as_deref(), Some("UTF8"));
            assert!(reported("DateStyle").unwrap().starts_with("German"), "judged settings are passed on");
            let who =
                ask(&grant, &mut upstream, "select session_user || ' ' || current_setting('application_name')").await;
            assert_eq!(who.unwrap(), format!("{role} sallyport test"));
        }
    }
}

#[tokio::test]
async fn a_target_that_insists_on_tls_gets_it() {
    let server = shared();
    let denied = login(server, "tls_user", &options(|o| o.tls = Some(TlsMode::Disable))).await.unwrap_err();
    assert!(matches!(&denied, UpstreamError::Refused { sqlstate, .. } if sqlstate == "28000"), "{denied}");
    let allowed = login(server, "tls_user", &options(|o| o.tls = Some(TlsMode::Allow))).await.unwrap();
    assert!(allowed.tls.is_some());
    let by_default = login(server, "tls_user", &options(|_| {})).await.unwrap();
    assert_eq!(by_default.tls.unwrap().version, "TLSv1.3");
}

#[tokio::test]
async fn certificates_are_checked_as_the_mode_says() {
    let server = shared();
    let (right, wrong) = (&server.certificates.authority, &server.certificates.stranger);
    // The certificate names db.test and localhost, and not 127.0.0.1.
    for (mode, authority, host, problem) in [
        (TlsMode::Require, None, "127.0.0.1", None),
        (TlsMode::Require, Some(wrong), "127.0.0.1", Some("`ca:`")),
        (TlsMode::VerifyCa, Some(right), "127.0.0.1", None),
        (TlsMode::VerifyCa, Some(wrong), "127.0.0.1", Some("`ca:`")),
        (TlsMode::VerifyFull, Some(right), "localhost", None),
        (TlsMode::VerifyFull, Some(right), "127.0.0.1", Some("another host name")),
        (TlsMode::VerifyFull, Some(wrong), "localhost", Some("`ca:`")),
        (TlsMode::VerifyFull, None, "localhost", Some("not trusted")),
    ] {
        let options = options(|o| (o.tls, o.ca) = (Some(mode), authority.cloned()));
        let grant = open(server, &format!("{host}:{}", server.port), "scram_user").await.grant;
        let result = connect(&grant, &options, &StartupParams::default()).await;
        match (result, problem) {
            (Ok(upstream), None) => assert!(upstream.transport.is_tls()),
            (Err(error), Some(problem)) => {
                assert!(error.to_string().contains(problem), "{mode} {host}: {error}");
                assert_eq!(error.sqlstate(), "08001");
            }
            (Ok(_), Some(problem)) => panic!("{mode} {host}: got in in spite of {problem}"),
            (Err(error), None) => panic!("{mode} {host}: {error}"),
        }
    }
    let nowhere = options(|o| (o.tls, o.ca) = (Some(TlsMode::VerifyCa), Some("/nowhere/ca.pem".into())));
    let error = login(server, "scram_user", &nowhere).await.unwrap_err();
    assert!(matches!(error, UpstreamError::TlsSetup { .. }) && !error.to_string().contains("nowhere"), "{error}");
}

#[tokio::test]
async fn a_client_certificate_logs_in() {
    let server = shared();
    let checked = options(|o| (o.tls, o.ca) = (Some(TlsMode::VerifyCa), Some(server.certificates.authority.clone())));
    let grant = grant(server, "cert_user").await;
    let mut upstream = login(server, "cert_user", &checked).await.unwrap();
    assert_eq!(ask(&grant, &mut upstream, "select session_user").await.unwrap(), "cert_user");
}

#[tokio::test]
async fn refusals_are_classes_and_hold_no_text_of_the_server() {
    let server = shared();
    let plain = options(|o| o.tls = Some(TlsMode::Disable));
    for (role, code, word) in [
        ("scram_user+wrong", "08004", "28P01"),
        ("md5_user+wrong", "08004", "28P01"),
        ("password_user+wrong", "08004", "28P01"),
        ("scram_user+none", "F0000", "has none"),
        ("rejected_user", "08004", "28000"),
        ("ident_user", "08004", "28000"),
        ("limited_user", "53300", "too many connections"),
        ("missing", "F0000", "no credential"),
    ] {
        let error = login(server, role, &plain).await.unwrap_err();
        let text = error.to_string();
        assert_eq!(error.sqlstate(), code, "{role}: {text}");
        assert!(text.contains(word) && text.contains("orders-db"), "{role}: {text}");
        assert!(!text.contains("pg_hba") && !text.contains("127.0.0.1"), "{role}: {text}");
    }
    let elsewhere = options(|o| o.database = Some("no_such_database".to_owned()));
    let error = login(server, "scram_user", &elsewhere).await.unwrap_err();
    assert_eq!(error.sqlstate(), "3D000");
    assert!(!error.to_string().contains("no_such_database"));
}

#[tokio::test]
async fn a_newer_protocol_is_asked_for_and_an_older_one_taken() {
    let server = shared();
    let newer = options(|o| o.protocol = ProtocolVersion::V3_2);
    let upstream = login(server, "scram_user", &newer).await.unwrap();
    let version: u32 = server.admin("show server_version_num").parse().unwrap();
    assert_eq!(upstream.minor, if version >= 180_000 { 2 } else { 0 });
}

#[tokio::test]
async fn cancel_ends_what_is_running() {
    let server = shared();
    for mode in [TlsMode::Disable, TlsMode::Require] {
        let options = options(|o| o.tls = Some(mode));
        let grant = grant(server, "scram_user").await;
        let mut upstream = connect(&grant, &options, &StartupParams::default()).await.unwrap();
        let (pid, key) = (upstream.pid, upstream.key.clone());
        let sleeping = ask(&grant, &mut upstream, "select pg_sleep(60)");
        let cancelling = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            // A wrong key ends nothing.
            cancel(&grant, &options, pid, &[0; 4]).await.unwrap();
            cancel(&grant, &options, pid, &key).await.unwrap();
        };
        let both = async { tokio::join!(sleeping, cancelling) };
        let (result, ()) = tokio::time::timeout(Duration::from_secs(20), both).await.unwrap();
        assert_eq!(result, Err("57014".to_owned()), "{mode}");
    }
}

#[tokio::test]
async fn what_is_dropped_is_closed() {
    let server = shared();
    let upstream = login(server, "trust_user", &options(|_| {})).await.unwrap();
    let sql = format!("select count(*) from pg_stat_activity where pid = {}", upstream.pid);
    assert_eq!(server.admin(&sql), "1");
    drop(upstream);
    server.until(&sql, "0");
}

#[tokio::test]
async fn a_target_that_is_away_or_silent_is_named() {
    let server = shared();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let grant = open(server, &free, "scram_user").await.grant;
    let error = connect(&grant, &options(|_| {}), &StartupParams::default()).await.unwrap_err();
    assert_eq!(error.to_string(), format!("target orders-db is away: {free}: connection refused"));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let grant = open(server, &silent.local_addr().unwrap().to_string(), "scram_user").await.grant;
    let impatient = options(|o| o.connect_timeout = Duration::from_millis(200));
    let error = connect(&grant, &impatient, &StartupParams::default()).await.unwrap_err();
    assert!(matches!(error, UpstreamError::Late { .. }), "{error}");
    assert_eq!(error.sqlstate(), "08001");
}
