//! Two links, and what is between them.

use super::*;

fn pair() -> (Link, Link) {
    let key = Arc::new(SigningKey::generate("test").unwrap().0);
    (Link::client(crate::keys::ALGORITHMS).unwrap(), Link::server(key).unwrap())
}

/// Carries bytes both ways until nothing moves, in pieces of this size; the messages that came out at each end.
fn carry(client: &mut Link, server: &mut Link, piece: usize) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>), LinkError> {
    let (mut at_client, mut at_server) = (Vec::new(), Vec::new());
    loop {
        let mut moved = push(client, server, &mut at_server, piece)?;
        moved |= push(server, client, &mut at_client, piece)?;
        if !moved {
            return Ok((at_client, at_server));
        }
    }
}

fn push(from: &mut Link, to: &mut Link, got: &mut Vec<Vec<u8>>, piece: usize) -> Result<bool, LinkError> {
    let bytes = from.unwritten().get(..piece.min(from.unwritten().len())).unwrap().to_vec();
    from.wrote(bytes.len());
    to.feed(&bytes);
    while let Some(range) = to.advance()? {
        got.push(to.message(range).to_vec());
    }
    Ok(!bytes.is_empty())
}

#[test]
fn two_links_agree_and_carry_messages_in_any_pieces() {
    for piece in [1, 7, 100_000] {
        let (mut client, mut server) = pair();
        carry(&mut client, &mut server, piece).unwrap();
        assert!(client.may_send() && server.may_send());
        assert_eq!((client.session(), client.server_key().len()), (server.session(), 51));
        assert!(client.signatures().unwrap().contains("rsa-sha2-256"));
        client.send(b"\x5equestion").unwrap();
        server.send(&[94; 100_000]).unwrap();
        let (at_client, at_server) = carry(&mut client, &mut server, piece).unwrap();
        assert_eq!((at_client, at_server), (vec![vec![94; 100_000]], vec![b"\x5equestion".to_vec()]));
    }
}

#[test]
fn what_comes_right_behind_the_keys_is_not_lost() {
    let (mut client, mut server) = pair();
    push(&mut client, &mut server, &mut Vec::new(), 100_000).unwrap();
    push(&mut server, &mut client, &mut Vec::new(), 100_000).unwrap();
    push(&mut client, &mut server, &mut Vec::new(), 100_000).unwrap();
    push(&mut server, &mut client, &mut Vec::new(), 100_000).unwrap();
    client.send(b"\x05service").unwrap();
    server.feed(client.unwritten());
    assert_eq!(server.exchange_keys(), Ok(true));
    let range = server.advance().unwrap().unwrap();
    assert_eq!(server.message(range), b"\x05service");
}

#[test]
fn keys_change_while_messages_are_on_their_way() {
    let (mut client, mut server) = pair();
    carry(&mut client, &mut server, 100_000).unwrap();
    let session = server.session().to_vec();
    for _ in 0..3 {
        client.send(b"\x5ebefore").unwrap();
        server.begin_exchange().unwrap();
        client.send(b"\x5emeanwhile").unwrap();
        assert!(!server.may_send());
        let (_, at_server) = carry(&mut client, &mut server, 100_000).unwrap();
        assert_eq!(at_server, [b"\x5ebefore".to_vec(), b"\x5emeanwhile".to_vec()]);
        assert!(client.may_send() && server.may_send() && server.session() == session);
    }
}

#[test]
fn strict_peers_take_nothing_before_the_keys() {
    let (mut client, mut server) = pair();
    client.seal(&[number::IGNORE, 0, 0, 0, 0]).unwrap();
    assert_eq!(carry(&mut client, &mut server, 100_000), Err(LinkError::Unexpected(number::IGNORE)));
    let (mut client, mut server) = pair();
    client.sealed.clear();
    client.sealed.extend_from_slice(b"SSH-2.0-x\r\n");
    client.seal(&[number::IGNORE, 0, 0, 0, 0]).unwrap();
    let Exchange::Offered { ours } = &client.exchange else { panic!() };
    let ours = ours.clone();
    client.seal(&ours).unwrap();
    assert!(carry(&mut client, &mut server, 100_000).is_err());
}

#[test]
fn what_is_no_ssh_and_what_comes_too_early_ends_the_link() {
    let (_, mut server) = pair();
    server.feed(b"GET / HTTP/1.1\r\n");
    assert_eq!(server.advance(), Err(LinkError::NotSsh));
    let (_, mut server) = pair();
    server.feed(&[b'x'; limits::GREETING + 1]);
    assert_eq!(server.advance(), Err(LinkError::Greeting));
    let (mut client, mut server) = pair();
    server.feed(client.unwritten());
    client.wrote(usize::MAX);
    assert_eq!(server.advance(), Ok(None));
    client.seal(&[number::CHANNEL_DATA]).unwrap();
    server.feed(client.unwritten());
    assert_eq!(server.advance(), Err(LinkError::Unexpected(number::CHANNEL_DATA)));
    let (mut client, _) = pair();
    client.feed(b"a word before\r\nSSH-2.0-OpenSSH_9.2 Debian\r\n");
    assert_eq!(client.advance(), Ok(None));
    assert_eq!(client.greeting(), b"SSH-2.0-OpenSSH_9.2 Debian");
}

#[test]
fn a_server_must_prove_its_key() {
    let (mut client, mut server) = pair();
    // Another key's signature.
    let other = SigningKey::generate("other").unwrap().0;
    push(&mut client, &mut server, &mut Vec::new(), 100_000).unwrap();
    push(&mut server, &mut client, &mut Vec::new(), 100_000).unwrap();
    push(&mut client, &mut server, &mut Vec::new(), 100_000).unwrap();
    let mut wire = server.unwritten().to_vec();
    let blob = server.host_key.clone().unwrap().blob().to_vec();
    let at = wire.windows(blob.len()).position(|window| window == blob).unwrap();
    wire.splice(at..at + blob.len(), other.blob().to_vec());
    client.feed(&wire);
    assert_eq!(client.advance(), Err(LinkError::HostKey));
}
