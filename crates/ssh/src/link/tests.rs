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

#[test]
fn a_server_proves_itself_with_a_key_of_any_kind() {
    let key = Arc::new(crate::keys::own::rsa_for_tests());
    let (mut client, mut server) = (Link::client("rsa-sha2-256").unwrap(), Link::server(key).unwrap());
    carry(&mut client, &mut server, 100_000).unwrap();
    assert!(client.may_send() && client.server_key().starts_with(b"\0\0\0\x07ssh-rsa"));
}

/// A client that compresses, and a server, both behind the login.
fn packing(lists: [&'static str; 2]) -> (Link, Link) {
    let key = Arc::new(SigningKey::generate("test").unwrap().0);
    let client = Link::new(Role::Client, None, crate::keys::ALGORITHMS.to_owned(), lists).unwrap();
    let (mut client, mut server) = (client, Link::server(key).unwrap());
    carry(&mut client, &mut server, 100_000).unwrap();
    client.send(b"\x05a service, in clear").unwrap();
    let (_, at_server) = carry(&mut client, &mut server, 100_000).unwrap();
    assert_eq!(at_server, [b"\x05a service, in clear".to_vec()]);
    server.send(&[number::USERAUTH_SUCCESS]).unwrap();
    let (at_client, _) = carry(&mut client, &mut server, 100_000).unwrap();
    assert_eq!(at_client, [[number::USERAUTH_SUCCESS]]);
    client.compression.begin();
    (client, server)
}

const PACKED: [&str; 2] = ["zlib@openssh.com,none"; 2];

#[test]
fn messages_are_compressed_behind_the_login_in_the_directions_that_were_agreed_on() {
    let text = [&b"\x5e"[..], &b"the same words again and again ".repeat(3000)].concat();
    for (lists, small) in [
        (PACKED, [true, true]),
        (["none", "zlib@openssh.com"], [false, true]),
        (["zlib@openssh.com", "none"], [true, false]),
        (["none,zlib@openssh.com"; 2], [false, false]),
    ] {
        let (mut client, mut server) = packing(lists);
        for piece in [1, 7, 100_000] {
            client.send(&text).unwrap();
            server.send(&text).unwrap();
            let sizes = [client.unwritten().len(), server.unwritten().len()];
            assert_eq!(sizes.map(|size| size < 2000), small, "{lists:?}: {sizes:?}");
            let (at_client, at_server) = carry(&mut client, &mut server, piece).unwrap();
            assert!(at_client == [text.clone()] && at_server == [text.clone()], "{lists:?} {piece}");
        }
    }
}

#[test]
fn streams_begin_anew_with_new_keys() {
    let (mut client, mut server) = packing(PACKED);
    for round in 0..3 {
        client.send(b"\x5ebefore").unwrap();
        server.send(b"\x5eon its way").unwrap();
        if round == 1 { server.begin_exchange() } else { client.begin_exchange() }.unwrap();
        let (at_client, at_server) = carry(&mut client, &mut server, 100).unwrap();
        assert_eq!((at_client, at_server), (vec![b"\x5eon its way".to_vec()], vec![b"\x5ebefore".to_vec()]));
        client.send(b"\x5ebehind").unwrap();
        server.send(b"\x5ebehind").unwrap();
        let (at_client, at_server) = carry(&mut client, &mut server, 100).unwrap();
        assert_eq!((at_client, at_server), (vec![b"\x5ebehind".to_vec()], vec![b"\x5ebehind".to_vec()]));
        server.rest();
        client.rest();
    }
}

#[test]
fn a_message_that_unpacks_to_more_than_one_may_be_ends_the_link() {
    let (mut client, mut server) = packing(PACKED);
    client.send(&[94; limits::PAYLOAD]).unwrap();
    let (_, at_server) = carry(&mut client, &mut server, 100_000).unwrap();
    assert_eq!(at_server, [[94; limits::PAYLOAD]]);
    client.send(&[94; limits::PAYLOAD + 1]).unwrap();
    assert!(client.unwritten().len() < 2000);
    let error = carry(&mut client, &mut server, 100_000).unwrap_err();
    assert!(error.to_string().contains("unpacked"), "{error}");
}

#[test]
fn what_is_not_packed_and_what_unpacks_to_nothing_ends_a_packing_link() {
    for plain in [&b"\x5ein clear"[..], b"", compress::Packer::default().pack(b"").unwrap()] {
        let (mut client, mut server) = packing(PACKED);
        client.compression.packer = None;
        client.seal(plain).unwrap();
        assert!(carry(&mut client, &mut server, 100_000).is_err(), "{plain:?}");
    }
}

#[test]
fn a_peer_that_packs_much_for_nobody_ends_the_link() {
    let (mut client, mut server) = packing(PACKED);
    let ignored = [&[number::IGNORE][..], &[0; 100_000]].concat();
    for _ in 0..50 {
        client.send(&ignored).unwrap();
        client.send(b"\x5efor somebody").unwrap();
        carry(&mut client, &mut server, 100_000).unwrap();
    }
    for _ in 0..limits::FOR_NOBODY / ignored.len() {
        client.send(&ignored).unwrap();
    }
    carry(&mut client, &mut server, 100_000).unwrap();
    client.send(&ignored).unwrap();
    let error = carry(&mut client, &mut server, 100_000).unwrap_err();
    assert!(error.to_string().contains("for nobody"), "{error}");
}
