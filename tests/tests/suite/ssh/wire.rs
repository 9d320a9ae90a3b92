//! What no honest client sends: said by a client of our own, message by message.

#![expect(clippy::disallowed_methods, reason = "clients of the tests, which no grant is for")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::Who;
use ssh::link::Link;
use ssh::wire::channel::{self, Message, Open};
use ssh::wire::{encode, number};

use super::world::{TARGET, World};

const POLICY: &str = r#"
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: looks, who: any, do: [read], commands: ["ls *", "cat *"], then: allow }
"#;

/// A client that says what it is told to.
struct Client {
    link: Link,
    stream: TcpStream,
}

impl Client {
    fn new(world: &World) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", world.gateway.ssh().unwrap())).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let mut client = Self { link: Link::client(ssh::keys::ALGORITHMS).unwrap(), stream };
        while !client.link.may_send() {
            client.flush();
            client.read();
            assert_eq!(client.link.advance().unwrap(), None);
        }
        client
    }

    fn login(world: &World) -> Self {
        let mut client = Self::new(world);
        client.send(&encode::message(number::SERVICE_REQUEST, |out| encode::string(out, b"ssh-userauth")));
        assert_eq!(client.next().unwrap()[0], number::SERVICE_ACCEPT);
        let token = world.gateway.token_for(&Who::agent("agent-9"), TARGET).unwrap();
        client.send(&password(&token));
        assert_eq!(client.next().unwrap()[0], number::USERAUTH_SUCCESS);
        client
    }

    fn flush(&mut self) {
        let bytes = self.link.unwritten().to_vec();
        self.stream.write_all(&bytes).unwrap();
        self.link.wrote(bytes.len());
    }

    /// False at the end.
    fn read(&mut self) -> bool {
        let mut buffer = [0; 65536];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(read) => {
                self.link.feed(&buffer[..read]);
                true
            }
            Err(error) => matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }

    fn send(&mut self, message: &[u8]) {
        self.link.send(message).unwrap();
        self.flush();
    }

    /// The next message; `None` when the gateway has said goodbye, or says nothing for a while.
    fn next(&mut self) -> Option<Vec<u8>> {
        let until = Instant::now() + Duration::from_secs(5);
        while Instant::now() < until {
            match self.link.advance() {
                Ok(Some(range)) => return Some(self.link.message(range).to_vec()),
                Ok(None) => {
                    if !self.read() {
                        return None;
                    }
                }
                Err(_) => return None,
            }
        }
        None
    }

    /// Opens a session's channel; the gateway's number of it.
    fn channel(&mut self) -> u32 {
        self.send(&channel::open(&Open { kind: "session", sender: 5, window: 1 << 20, packet: 32768, rest: b"" }));
        match Message::read(&self.next().unwrap()).unwrap() {
            Message::Confirmation { recipient: 5, sender, window: 0, .. } => sender,
            other => panic!("{other:?}"),
        }
    }

    fn exec(&mut self, channel: u32, command: &str) {
        let mut rest = Vec::new();
        encode::string(&mut rest, command.as_bytes());
        self.send(&channel::request(channel, "exec", true, &rest));
    }
}

fn password(secret: &str) -> Vec<u8> {
    encode::message(number::USERAUTH_REQUEST, |out| {
        for text in [TARGET, "ssh-connection", "password"] {
            encode::string(out, text.as_bytes());
        }
        encode::boolean(out, false);
        encode::string(out, secret.as_bytes());
    })
}

#[test]
fn a_channel_has_one_program() {
    let world = World::new(POLICY);
    let mut client = Client::login(&world);
    let channel = client.channel();
    client.exec(channel, "cat -");
    assert!(matches!(Message::read(&client.next().unwrap()), Ok(Message::Adjust { .. })));
    assert_eq!(client.next().unwrap()[0], number::CHANNEL_SUCCESS);
    client.exec(channel, "ls /");
    assert_eq!(client.next().unwrap()[0], number::CHANNEL_FAILURE);
}

#[test]
fn data_before_a_program_or_beyond_the_window_ends_the_session() {
    let world = World::new(POLICY);
    let mut client = Client::login(&world);
    let channel = client.channel();
    let mut data = Vec::new();
    channel::data(&mut data, channel, None, b"rm -rf /\n");
    client.send(&data);
    assert_eq!(client.next(), None, "the gateway says goodbye");
    let said = || Ok(world.gateway.log().contains("more data than was asked for"));
    sallyport_tests::kit::process::wait_for("the reason in the log", Duration::from_secs(5), said).unwrap();
}

#[test]
fn messages_of_another_time_or_place_end_the_session() {
    let world = World::new(POLICY);
    for message in [
        channel::bare(number::CHANNEL_EOF, 7),
        channel::request(0, "exec", true, b"\0\0\0\x02ls"),
        vec![number::CHANNEL_DATA, 0, 0],
        vec![199],
        password("again"),
        vec![number::NEWKEYS],
    ] {
        let mut client = Client::login(&world);
        client.send(&message);
        assert_eq!(client.next(), None, "{message:?}");
    }
    let mut client = Client::new(&world);
    client.send(&channel::open(&Open { kind: "session", sender: 0, window: 1, packet: 1, rest: b"" }));
    assert_eq!(client.next(), None, "a channel before the login");
}

#[test]
fn requests_that_are_not_carried_fail_and_harm_nobody() {
    let world = World::new(POLICY);
    let mut client = Client::login(&world);
    let channel = client.channel();
    let mut env = Vec::new();
    encode::string(&mut env, b"LD_PRELOAD");
    encode::string(&mut env, b"/tmp/x.so");
    for (kind, rest) in [
        ("auth-agent-req@openssh.com", &[][..]),
        ("env", &env),
        ("unheard-of", b"junk"),
        ("subsystem", b"\0\0\0\x07netconf"),
    ] {
        client.send(&channel::request(channel, kind, true, rest));
        let answer = client.next().unwrap();
        // A subsystem's refusal is told as a program's is.
        assert!(matches!(answer[0], number::CHANNEL_FAILURE | number::CHANNEL_SUCCESS), "{kind}: {answer:?}");
        assert_eq!(answer[0] == number::CHANNEL_SUCCESS, kind == "subsystem", "{kind}");
    }
    for kind in ["x11", "auth-agent@openssh.com", "tun@openssh.com", "direct-tcpip"] {
        let rest = if kind == "direct-tcpip" { b"\0\0\0\x01a\0\0\0\x16\0\0\0\x01b\0\0\0\x01".as_slice() } else { b"" };
        client.send(&channel::open(&Open { kind, sender: 9, window: 1, packet: 1, rest }));
        let failed = loop {
            let message = client.next().unwrap();
            if let Message::OpenFailure { recipient: 9, reason } = Message::read(&message).unwrap() {
                break reason;
            }
        };
        assert_eq!(failed, channel::PROHIBITED, "{kind}");
    }
    client.send(&channel::global("tcpip-forward", true, b"\0\0\0\0\0\0\0\0"));
    assert_eq!(client.next().unwrap()[0], number::REQUEST_FAILURE);
    let channel = client.channel();
    client.exec(channel, "ls /");
    let mut said = Vec::new();
    while let Some(message) = client.next() {
        if let Ok(Message::Data { data, .. }) = Message::read(&message) {
            said.extend_from_slice(data);
        }
        if message[0] == number::CHANNEL_CLOSE {
            break;
        }
    }
    assert!(String::from_utf8_lossy(&said).contains("etc"));
}

#[test]
fn guessing_comes_to_an_end() {
    let world = World::new(POLICY);
    let mut client = Client::new(&world);
    client.send(&encode::message(number::SERVICE_REQUEST, |out| encode::string(out, b"ssh-userauth")));
    client.next().unwrap();
    let mut failures = 0;
    for at in 0..20 {
        if client.stream.peek(&mut [0]).is_ok_and(|read| read == 0) {
            break;
        }
        client.send(&password(&format!("sp_guess{at}")));
        let mut more = client.next();
        while more.as_ref().is_some_and(|message| message[0] == number::USERAUTH_BANNER) {
            more = client.next();
        }
        match more {
            Some(message) if message[0] == number::USERAUTH_FAILURE => failures += 1,
            _ => break,
        }
    }
    assert_eq!(failures, 5, "the sixth ends it");
}

/// Requests, and the end of the input right behind them.
#[test]
fn the_end_of_the_input_does_not_overtake_requests() {
    let policy = POLICY.replace("commands: [\"ls *\", \"cat *\"]", "objects: [\"path:/*\"]");
    let world = World::new(&policy);
    let mut client = Client::login(&world);
    let channel = client.channel();
    client.send(&channel::request(channel, "subsystem", true, b"\0\0\0\x04sftp"));
    let mut data = Vec::new();
    for (kind, body) in [(1, &b"\0\0\0\x03"[..]), (17, b"\0\0\0\x07\0\0\0\x04/etc"), (17, b"\0\0\0\x08\0\0\0\x04/usr")]
    {
        encode::u32(&mut data, u32::try_from(body.len()).unwrap() + 1);
        data.push(kind);
        data.extend_from_slice(body);
    }
    while !matches!(Message::read(&client.next().unwrap()), Ok(Message::Success { .. })) {}
    let mut message = Vec::new();
    channel::data(&mut message, channel, None, &data);
    client.send(&message);
    client.send(&channel::bare(number::CHANNEL_EOF, channel));
    let mut answers = Vec::new();
    while let Some(message) = client.next() {
        match Message::read(&message) {
            Ok(Message::Data { data, .. }) => answers.extend_from_slice(data),
            Ok(Message::Close { .. }) => break,
            _ => {}
        }
    }
    // A server that reads the end may leave without its last answers; that both were sent stands in the recording.
    assert!(!answers.is_empty());
    drop(client);
    let sent = || Ok(["stat /etc", "stat /usr"].iter().all(|it| world.replay().contains(it)));
    sallyport_tests::kit::process::wait_for("both operations in the recording", Duration::from_secs(10), sent).unwrap();
}
