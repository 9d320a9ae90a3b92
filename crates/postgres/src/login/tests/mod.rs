//! Logins over real sockets, by raw bytes and by another library's client; honest ones, wrong ones and hostile ones.
//!
//! - [`rig`]: one good token, a gateway that only logs in, a client made of raw bytes
//! - [`order`]: packets in any order

mod order;
mod rig;

use std::time::Duration;

use gate::{Outbox, ToClient};
use net::Transport;
use postgres_protocol::authentication::sasl::{ChannelBinding, ScramSha256};
use tokio::net::TcpListener;
use tokio::time::Instant;

use super::*;
use crate::config::{AuthMethods, LoginSettings};
use rig::{Client, Gateway, Heard, OneToken, TOKEN, WANTED};

#[tokio::test]
async fn a_password_inside_tls_logs_in() {
    let gateway = Gateway::new(|_| {});
    let (logged_in, ()) = gateway
        .meet(async |client| {
            let mut client = client.secure(&gateway).await;
            client.startup(WANTED).await;
            assert_eq!(client.hears().await, Heard::Cleartext);
            // What a client sends ahead is the session's.
            client
                .send(|out| {
                    encode::password(out, TOKEN.as_bytes());
                    encode::query(out, "select 1");
                })
                .await;
            assert_eq!(client.hears().await, Heard::Ok);
        })
        .await;
    let logged_in = logged_in.unwrap();
    assert_eq!(logged_in.proven.identity.subject, "agent-7");
    assert_eq!((logged_in.target.as_str(), logged_in.database.as_deref()), ("orders-db", Some("shop")));
    assert_eq!((logged_in.role.as_deref(), logged_in.application_name.as_deref()), (Some("app"), Some("test")));
    assert_eq!((logged_in.method, logged_in.minor), (Method::Password, 0));
    assert!(logged_in.transport.is_tls());
    assert!(logged_in.unread.is_empty() || logged_in.unread.starts_with(b"Q"));
}

#[tokio::test]
async fn direct_tls_needs_its_application_protocol() {
    let gateway = Gateway::new(|_| {});
    let (logged_in, ()) = gateway
        .meet(async |client| {
            let mut client = client.upgrade(&gateway).await;
            client.startup(WANTED).await;
            assert_eq!(client.hears().await, Heard::Cleartext);
            client.send(|out| encode::password(out, TOKEN.as_bytes())).await;
            assert_eq!(client.hears().await, Heard::Ok);
        })
        .await;
    assert!(logged_in.is_ok());
    // A hello with another protocol, or none: raw bytes of a handshake that names none.
    let (end, ()) = gateway
        .meet(async |mut client| {
            client.send(|out| out.extend_from_slice(b"\x16\x03\x01\x00\x05hello")).await;
            while client.byte().await.is_some() {}
        })
        .await;
    assert!(matches!(end, Err(LoginEnd::Tls(_))), "{end:?}");
}

/// SCRAM by another library's client half; the last thing heard.
async fn scram(client: &mut Client, mechanism: &str, binding: ChannelBinding, password: &str) -> Heard {
    let mut exchange = ScramSha256::new(password.as_bytes(), binding);
    client.send(|out| encode::sasl_initial(out, mechanism, Some(exchange.message()))).await;
    match client.hears().await {
        Heard::Challenge(data) => exchange.update(&data).unwrap(),
        other => return other,
    }
    client.send(|out| encode::sasl_response(out, exchange.message())).await;
    match client.hears().await {
        Heard::Final(data) => exchange.finish(&data).unwrap(),
        other => return other,
    }
    client.hears().await
}

#[tokio::test]
async fn scram_logs_in_without_tls_and_binds_with_it() {
    let gateway = Gateway::new(|_| {});
    let (logged_in, ()) = gateway
        .meet(async |mut client| {
            client.startup(WANTED).await;
            assert_eq!(client.hears().await, Heard::Sasl(vec![SCRAM.to_owned()]));
            assert_eq!(scram(&mut client, SCRAM, ChannelBinding::unsupported(), TOKEN).await, Heard::Ok);
        })
        .await;
    assert_eq!(logged_in.unwrap().method, Method::Scram);

    let gateway = Gateway::new(|s| s.methods = AuthMethods { password: false, scram: true, oauthbearer: false });
    let both = || Heard::Sasl(vec![SCRAM_PLUS.to_owned(), SCRAM.to_owned()]);
    let (logged_in, ()) = gateway
        .meet(async |client| {
            let mut client = client.secure(&gateway).await;
            client.startup(WANTED).await;
            assert_eq!(client.hears().await, both());
            let hash = client.transport.tls_server_end_point().unwrap();
            let binding = ChannelBinding::tls_server_end_point(hash);
            assert_eq!(scram(&mut client, SCRAM_PLUS, binding, TOKEN).await, Heard::Ok);
        })
        .await;
    assert_eq!(logged_in.unwrap().method, Method::ScramPlus);

    for (mechanism, binding) in [
        (SCRAM, ChannelBinding::unrequested()),
        (SCRAM_PLUS, ChannelBinding::tls_server_end_point(vec![7; 32])),
        ("SCRAM-SHA-1", ChannelBinding::unsupported()),
    ] {
        let (end, heard) = gateway
            .meet(async |client| {
                let mut client = client.secure(&gateway).await;
                client.startup(WANTED).await;
                assert_eq!(client.hears().await, both());
                scram(&mut client, mechanism, binding, TOKEN).await
            })
            .await;
        assert!(matches!(heard, Heard::Refused(code, _) if code == "28000"), "{mechanism}");
        assert!(matches!(end, Err(LoginEnd::Refused(_))));
    }
}

#[tokio::test]
async fn whoever_cannot_prove_it_is_told_why_and_slowly() {
    let gateway = Gateway::new(|s| s.failure_delay = Duration::from_millis(150));
    for (password, code) in [("wrong", "28P01"), ("expired", "28P01"), ("away", "57P03"), ("", "28P01")] {
        let began = Instant::now();
        let (end, heard) = gateway
            .meet(async |client| {
                let mut client = client.secure(&gateway).await;
                client.startup(WANTED).await;
                client.hears().await;
                client.send(|out| encode::password(out, password.as_bytes())).await;
                let heard = client.hears().await;
                assert_eq!(client.hears().await, Heard::Closed);
                heard
            })
            .await;
        assert!(matches!(&heard, Heard::Refused(found, _) if found == code), "{password}: {heard:?}");
        assert!(matches!(end, Err(LoginEnd::Refused(_))));
        assert!(password.is_empty() || began.elapsed() >= Duration::from_millis(150));
    }
    let (_, heard) = gateway
        .meet(async |mut client| {
            client.startup(WANTED).await;
            client.hears().await;
            scram(&mut client, SCRAM, ChannelBinding::unsupported(), "wrong").await
        })
        .await;
    assert!(matches!(heard, Heard::Refused(code, _) if code == "28P01"));
    let (_, heard) = gateway
        .meet(async |client| {
            let mut client = client.secure(&gateway).await;
            client.startup(&[("user", "app"), ("database", "other-db")]).await;
            client.hears().await;
            client.send(|out| encode::password(out, TOKEN.as_bytes())).await;
            client.hears().await
        })
        .await;
    assert!(matches!(heard, Heard::Refused(code, _) if code == "28000"));
}

#[tokio::test]
async fn a_bearer_logs_in_or_learns_where_to_get_one() {
    let gateway = Gateway::new(|s| s.methods.oauthbearer = true);
    let offered = Heard::Sasl(vec![SCRAM_PLUS.to_owned(), SCRAM.to_owned(), bearer::OAUTHBEARER.to_owned()]);
    let good = format!("n,,\u{1}auth=Bearer {TOKEN}\u{1}\u{1}");
    for (response, code) in [
        (good.as_str(), None),
        ("n,,\u{1}auth=\u{1}\u{1}", Some("28000")),
        ("n,,\u{1}auth=Bearer bad\u{1}\u{1}", Some("28P01")),
    ] {
        let (end, ()) = gateway
            .meet(async |client| {
                let mut client = client.secure(&gateway).await;
                client.startup(WANTED).await;
                assert_eq!(client.hears().await, offered);
                client.send(|out| encode::sasl_initial(out, bearer::OAUTHBEARER, Some(response.as_bytes()))).await;
                let Some(code) = code else {
                    assert_eq!(client.hears().await, Heard::Ok);
                    return;
                };
                let Heard::Challenge(json) = client.hears().await else { panic!() };
                let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
                assert_eq!(json["openid-configuration"], "https://id.example.com/.well-known/openid-configuration");
                client.send(|out| encode::sasl_response(out, bearer::ACKNOWLEDGEMENT)).await;
                assert!(matches!(client.hears().await, Heard::Refused(found, _) if found == code));
            })
            .await;
        assert_eq!(end.is_ok(), code.is_none());
    }
    // Without TLS a bearer is not even offered.
    let (_, heard) = gateway
        .meet(async |mut client| {
            client.startup(WANTED).await;
            assert_eq!(client.hears().await, Heard::Sasl(vec![SCRAM.to_owned()]));
            client.send(|out| encode::sasl_initial(out, bearer::OAUTHBEARER, Some(good.as_bytes()))).await;
            client.hears().await
        })
        .await;
    assert!(matches!(heard, Heard::Refused(code, _) if code == "28000"));
}

#[tokio::test]
async fn tls_can_be_demanded() {
    for change in [
        |s: &mut LoginSettings| s.require_tls = true,
        |s: &mut LoginSettings| s.methods = AuthMethods { password: true, scram: false, oauthbearer: true },
    ] {
        let gateway = Gateway::new(change);
        let (_, heard) = gateway
            .meet(async |mut client| {
                client.startup(WANTED).await;
                client.hears().await
            })
            .await;
        assert!(matches!(heard, Heard::Refused(code, text) if code == "28000" && text.contains("TLS")));
    }
}

#[tokio::test]
async fn requests_for_encryption_come_once_and_alone() {
    let gateway = Gateway::new(|_| {});
    let (_, ()) = gateway
        .meet(async |mut client| {
            client.send(encode::gss_request).await;
            assert_eq!(client.byte().await, Some(b'N'));
            let mut client = client.secure(&gateway).await;
            client.send(encode::ssl_request).await;
            assert!(matches!(client.hears().await, Heard::Refused(code, _) if code == "08P01"));
        })
        .await;
    // Bytes before the handshake, which a client on the other side of TLS never wrote.
    let (end, heard) = gateway
        .meet(async |mut client| {
            client
                .send(|out| {
                    encode::ssl_request(out);
                    encode::startup(out, 0, WANTED.iter().copied());
                })
                .await;
            client.hears().await
        })
        .await;
    assert!(matches!(heard, Heard::Refused(code, _) if code == "08P01"));
    assert!(matches!(end, Err(LoginEnd::Refused(_))));
    let (_, heard) = gateway
        .meet(async |mut client| {
            for _ in 0..2 {
                client.send(encode::gss_request).await;
                if client.byte().await != Some(b'N') {
                    break;
                }
            }
            client.hears().await
        })
        .await;
    assert_eq!(heard, Heard::Closed);
}

#[tokio::test]
async fn cancel_requests_are_handed_on_without_a_word() {
    let gateway = Gateway::new(|_| {});
    for secure in [false, true] {
        let (end, heard) = gateway
            .meet(async |client| {
                let mut client = if secure { client.secure(&gateway).await } else { client };
                client.send(|out| encode::cancel_request(out, 42, &[9; 32])).await;
                client.hears().await
            })
            .await;
        assert_eq!(heard, Heard::Closed);
        assert!(matches!(end, Err(LoginEnd::Cancel { pid: 42, key }) if key == [9; 32]));
    }
}

#[tokio::test]
async fn newer_protocols_and_options_are_negotiated() {
    let gateway = Gateway::new(|_| {});
    let (logged_in, ()) = gateway
        .meet(async |client| {
            let mut client = client.secure(&gateway).await;
            let grease = [("_pq_.test_protocol_negotiation", ""), ("user", "app"), ("database", "orders-db")];
            client.send(|out| encode::startup(out, 9999, grease.into_iter())).await;
            assert_eq!(client.hears().await, Heard::Negotiate(2));
            assert_eq!(client.hears().await, Heard::Cleartext);
            client.send(|out| encode::password(out, TOKEN.as_bytes())).await;
            assert_eq!(client.hears().await, Heard::Ok);
        })
        .await;
    assert_eq!(logged_in.unwrap().minor, 2);
}

#[tokio::test]
async fn hostile_bytes_end_clearly() {
    let gateway = Gateway::new(|_| {});
    let replication: &[(&str, &str)] = &[("user", "app"), ("replication", "database")];
    let cases: [(&str, Vec<u8>, Option<&str>); 7] = [
        ("http", b"GET / HTTP/1.1\r\n\r\n".to_vec(), Some("54000")),
        ("a length of a gibibyte", 0x4000_0000_u32.to_be_bytes().to_vec(), Some("54000")),
        ("a length of nothing", vec![0, 0, 0, 0], Some("08P01")),
        ("protocol 2", vec![0, 0, 0, 8, 0, 2, 0, 0], Some("0A000")),
        (
            "no end",
            {
                let mut out = Vec::new();
                out.extend_from_slice(&[0, 0, 0, 12, 0, 3, 0, 0, b'u', b's', b'e', b'r']);
                out
            },
            Some("08P01"),
        ),
        (
            "replication",
            {
                let mut out = Vec::new();
                encode::startup(&mut out, 0, replication.iter().copied());
                out
            },
            Some("0A000"),
        ),
        ("nothing at all", Vec::new(), None),
    ];
    for (name, bytes, code) in cases {
        let (end, heard) = gateway
            .meet(async |mut client| {
                if bytes.is_empty() {
                    client.transport.shutdown().await;
                    return Heard::Closed;
                }
                client.send(|out| out.extend_from_slice(&bytes)).await;
                client.hears().await
            })
            .await;
        match code {
            Some(code) => assert!(matches!(&heard, Heard::Refused(found, _) if found == code), "{name}: {heard:?}"),
            None => assert!(matches!(end, Err(LoginEnd::Left)), "{name}"),
        }
    }
    // In place of a password: a query, and a message that says it is huge.
    for bytes in [b"Q\0\0\0\x0dselect 1\0".to_vec(), b"p\x7f\xff\xff\xff".to_vec(), b"Q\x7f\xff\xff\xff".to_vec()] {
        let (_, heard) = gateway
            .meet(async |client| {
                let mut client = client.secure(&gateway).await;
                client.startup(WANTED).await;
                client.hears().await;
                client.send(|out| out.extend_from_slice(&bytes)).await;
                client.hears().await
            })
            .await;
        assert!(matches!(heard, Heard::Refused(..)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_slow_client_is_let_go() {
    let mut gateway = Gateway::new(|_| {});
    gateway.patience = Duration::from_millis(300);
    let (end, ()) = gateway
        .meet(async |mut client| {
            for byte in [0, 0, 0, 80, 0, 3, 0, 0, b'u', b's', b'e', b'r'] {
                client.send(|out| out.push(byte)).await;
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    assert!(matches!(end, Err(LoginEnd::Late)));
}

#[tokio::test]
async fn another_librarys_client_logs_in() {
    let gateway = Gateway::new(|_| {});
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (accepted, peer) = listener.accept().await.unwrap();
        let deadline = Instant::now() + gateway.patience;
        let terms = Terms { tls: Some(&gateway.tls), identities: &OneToken, settings: &gateway.settings, deadline };
        let mut logged_in = run(Transport::plain(accepted, peer), &terms).await.unwrap();
        let mut bytes = Vec::new();
        encode::parameter_status(&mut bytes, "server_version", "15.0");
        encode::backend_key(&mut bytes, 1, &[1, 2, 3, 4]);
        encode::ready(&mut bytes, crate::wire::TransactionStatus::Idle);
        let mut outbox = Outbox::<ToClient>::default();
        outbox.login(&bytes);
        logged_in.transport.flush(&mut outbox).await.unwrap();
        logged_in.method
    };
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(address.port()).user("app").password(TOKEN).dbname("orders-db");
    let (method, client) = tokio::join!(server, config.connect(tokio_postgres::NoTls));
    assert!(client.is_ok());
    assert_eq!(method, Method::Scram);
}
