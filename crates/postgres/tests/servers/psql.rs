//! psql logs in to the gateway's outer door: plain and inside TLS, with and without channel binding, and is refused clearly.

use std::process::{Command, Output};
use std::time::Duration;

use gate::{Outbox, ToClient};
use net::tls::Source;
use net::{ServerTls, Transport};
use sallyport_postgres::config::{AuthMethods, LoginSettings};
use sallyport_postgres::login::{LoggedIn, LoginEnd, Terms, run};
use sallyport_postgres::wire::{TransactionStatus, encode};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::doubles::{Double, TOKEN};
use crate::server::program;

/// One psql against one login; what both say.
async fn meet(settings: LoginSettings, conninfo: &str, password: &str) -> (Result<LoggedIn, LoginEnd>, Output) {
    let dir = TempDir::new().unwrap();
    let tls = ServerTls::new(Source::Own { directory: dir.path().to_owned(), names: Vec::new() }).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let authority = tls.authority().unwrap();
    let conninfo =
        format!("host=127.0.0.1 port={port} user=app dbname=orders-db sslrootcert={} {conninfo}", authority.display());
    let password = password.to_owned();
    let psql = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(program("psql"));
        command.arg(conninfo).args(["-X", "-w", "-c", "\\q"]).env("PGPASSWORD", password);
        command.output().unwrap()
    });
    let serve = async {
        let (stream, peer) = listener.accept().await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        let terms = Terms {
            tls: Some(&tls),
            identities: &Double { client: Default::default() },
            settings: &settings,
            deadline,
        };
        let mut logged_in = run(Transport::plain(stream, peer), &terms).await?;
        let mut bytes = Vec::new();
        encode::parameter_status(&mut bytes, "server_version", "15.0");
        encode::parameter_status(&mut bytes, "client_encoding", "UTF8");
        encode::backend_key(&mut bytes, 1, &[1, 2, 3, 4]);
        encode::ready(&mut bytes, TransactionStatus::Idle);
        let mut outbox = Outbox::<ToClient>::default();
        outbox.login(&bytes);
        logged_in.transport.flush(&mut outbox).await?;
        Ok(logged_in)
    };
    let both = async { tokio::join!(serve, psql) };
    let (login, psql) = tokio::time::timeout(Duration::from_secs(30), both).await.unwrap();
    (login, psql.unwrap())
}

#[tokio::test]
async fn psql_logs_in_every_way() {
    let password = LoginSettings::default();
    let scram = LoginSettings { methods: AuthMethods { password: false, scram: true, oauthbearer: false }, ..password };
    for (settings, conninfo, method, tls) in [
        (password, "sslmode=disable", "scram-sha-256", false),
        (password, "sslmode=prefer", "password", true),
        (password, "sslmode=verify-ca", "password", true),
        (scram, "sslmode=require", "scram-sha-256-plus", true),
        (scram, "sslmode=require channel_binding=require", "scram-sha-256-plus", true),
        (scram, "sslmode=require channel_binding=disable", "scram-sha-256", true),
    ] {
        let (login, psql) = meet(settings, conninfo, TOKEN).await;
        let login = login.unwrap_or_else(|end| panic!("{conninfo}: {end}; {}", String::from_utf8_lossy(&psql.stderr)));
        assert_eq!((login.method.as_str(), login.transport.is_tls()), (method, tls), "{conninfo}");
        assert_eq!(login.target, "orders-db");
        assert_eq!(login.application_name.as_deref(), Some("psql"));
        assert!(psql.status.success(), "{conninfo}: {}", String::from_utf8_lossy(&psql.stderr));
    }
}

#[tokio::test]
async fn psql_shows_why_it_is_refused() {
    let quick = LoginSettings { failure_delay: Duration::from_millis(10), ..LoginSettings::default() };
    for (conninfo, password, text) in [
        ("sslmode=disable", "wrong", "the token is not known here"),
        ("sslmode=require", "wrong", "the token is not known here"),
        ("sslmode=require replication=database", TOKEN, "replication connections do not go through"),
        ("sslmode=require dbname=/shop", TOKEN, "TARGET or TARGET/DATABASE"),
        ("sslmode=require client_encoding=SJIS", TOKEN, "client_encoding must be UTF8"),
        ("sslmode=require options='-W 60'", TOKEN, "options may hold settings only"),
    ] {
        let (login, psql) = meet(quick, conninfo, password).await;
        assert!(matches!(login, Err(LoginEnd::Refused(_))), "{conninfo}");
        let said = String::from_utf8_lossy(&psql.stderr);
        assert!(!psql.status.success() && said.contains(text), "{conninfo}: {said}");
    }
}
