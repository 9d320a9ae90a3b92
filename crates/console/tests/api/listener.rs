//! Limits and errors of the listener itself.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use sallyport_console::{ServeError, Server};

use crate::world::{OPERATOR, World};

#[tokio::test]
async fn a_taken_address_is_named_with_the_setting() {
    let first = Server::bind("127.0.0.1:0".parse().unwrap(), None).await.unwrap();
    let second = Server::bind(first.address(), None).await;
    let Err(error @ ServeError::InUse(_)) = second else { panic!("a taken address must be refused") };
    assert!(
        error.to_string().contains("listen:") && error.to_string().contains(&first.address().to_string()),
        "{error}"
    );
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let world = World::new().await;
    let body = format!("{{\"subject\":\"{}\"}}", "a".repeat(100_000));
    let answer = world.call("POST", "/api/v1/tokens", OPERATOR, Some(&body)).await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too_large"));
    assert!(answer.message().contains("64 KiB"), "{answer:?}");
}

#[tokio::test]
async fn a_large_head_and_garbage_are_refused_and_others_are_served() {
    let world = World::new().await;
    let head = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(300_000));
    let answer = world.raw(head.into_bytes()).await;
    assert!(matches!(answer.status, 0 | 400 | 431), "{answer:?}");
    let answer = world.raw(vec![0xff; 4096]).await;
    assert!(matches!(answer.status, 0 | 400), "{answer:?}");
    assert_eq!(world.call("GET", "/healthz", "", None).await.status, 200);
}

#[tokio::test]
async fn a_slow_head_is_cut_and_others_are_served() {
    let world = World::new().await;
    let address = world.address;
    let slow = tokio::task::spawn_blocking(move || {
        #[expect(clippy::disallowed_methods, reason = "the client of a test")]
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: ").unwrap();
        let started = Instant::now();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let mut bytes = Vec::new();
        let ended = stream.read_to_end(&mut bytes);
        (ended.is_ok(), started.elapsed())
    });
    assert_eq!(world.call("GET", "/healthz", "", None).await.status, 200);
    let (closed, after) = slow.await.unwrap();
    assert!(closed && after < Duration::from_secs(25), "cut after {after:?}");
}

#[tokio::test]
async fn stopping_ends_the_server() {
    let world = World::new().await;
    assert_eq!(world.call("GET", "/healthz", "", None).await.status, 200);
    world.stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), world.server).await.unwrap().unwrap();
}

#[tokio::test]
async fn readers_who_take_every_place_do_not_keep_it_from_stopping() {
    let world = World::new().await;
    let address = world.address;
    let readers = tokio::task::spawn_blocking(move || {
        let path = "/api/v1/sessions/ses_00000000000000000000000000000001/events?follow=true";
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {OPERATOR}\r\n\r\n");
        let follow = || {
            #[expect(clippy::disallowed_methods, reason = "the client of a test")]
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.write_all(request.as_bytes()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            stream
        };
        let mut served: Vec<_> = (0..256).map(|_| follow()).collect();
        for stream in &mut served {
            stream.read_exact(&mut [0; 12]).unwrap();
        }
        served.push(follow());
        served
    });
    let readers = readers.await.unwrap();
    world.stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(10), world.server).await.expect("it stops").unwrap();
    drop(readers);
}
