//! SSH: a server and a client of our own, which keep what stock ones hide.

use std::io::Write;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::{Gateway, Options};
use sallyport_tests::kit::ssh_wire::{Next, SshWire};
use ssh::wire::channel::{self, Message, Open};
use ssh::wire::{encode, number};

use super::target::Target;
use super::{Client, Closes, End, Heard, PATIENCE, Protocol, Verb, World};

/// The password of the target's role.
const PASSWORD: &str = "target-password-52b7e1";

pub(super) struct Ssh;

pub(super) struct Session {
    wire: SshWire,
    /// The newest channel: ours, the gateway's number of it, and what it lets us send.
    ours: u32,
    theirs: u32,
    window: u32,
    /// The newest program has not ended.
    running: bool,
    over: bool,
}

impl Protocol for Ssh {
    const TARGET: &'static str = "web-1";
    const NOT_THEIRS: &'static str = "root:web-1";
    const POLICY: &'static str = r##"
rules:
  - { name: in, who: { groups: [agents] }, on: { roles: [ops] }, do: [connect, session], then: allow }
  - { name: looks, who: { groups: [agents] }, do: [read], commands: ["cat *", "tail *"], then: allow }
  - { name: never, who: any, on: { targets: [web-1] }, do: [delete, destroy], then: deny, message: "Ask in #ops." }
  - { name: asks, who: { groups: [agents] }, do: [create, alter, write], commands: ["touch *"], then: approve, approval: { by: { groups: [dba] }, expires: EXPIRES } }
masks:
  - { name: mail, who: any, detect: [email], with: redact }
"##;
    type Client = Session;

    fn target() -> Target {
        super::ssh_target::start()
    }

    fn options(target: &Target, policy: &str) -> Options {
        let mut options = Options::new(1, "none", policy);
        options.targets = format!(
            "  - name: {}\n    kind: ssh\n    address: 127.0.0.1:{}\n    host_keys: [\"{}\"]\n    default_role: ops\n    roles:\n      ops: {{ user: deploy, \
             password: {{ env: SSH_KEY }} }}\n      root: {{ user: root, password: {{ env: SSH_KEY }} }}\n",
            Self::TARGET,
            target.port,
            target.about.trim()
        );
        options.env = vec![("SSH_KEY".to_owned(), PASSWORD.to_owned())];
        options
    }

    fn secrets() -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    fn connect(gateway: &Gateway, token: &str, target: &str) -> Result<Session, String> {
        let mut wire = SshWire::connect(gateway.ssh().unwrap()).map_err(|error| format!("{error:#}"))?;
        match wire.login(target, token) {
            Ok(true) => Ok(Session { wire, ours: 0, theirs: 0, window: 0, running: false, over: false }),
            Ok(false) => Err(format!("the login failed: {}", wire.last_words())),
            Err(error) => Err(format!("{error:#}: {}", wire.last_words())),
        }
    }

    fn garbage(gateway: &Gateway, token: &str, noise: &[u8]) -> Vec<(&'static str, Closes)> {
        let mut all: Vec<(&'static str, Closes)> = Vec::new();
        let greeting = b"SSH-2.0-x\r\n".to_vec();
        let exchange = [&greeting[..], &[0, 0, 1, 4, 4, number::KEXINIT], &noise[..250]].concat();
        for (stage, before) in
            [("the start", Vec::new()), ("the first packet", greeting), ("the exchange of keys", exchange)]
        {
            let mut peer = dial(gateway);
            let _turned_away = peer.write_all(&before).and_then(|()| peer.write_all(noise));
            all.push((stage, super::peers::closes(peer)));
        }
        let wire = || SshWire::connect(gateway.ssh().unwrap()).unwrap();
        let mut raw = wire();
        let _turned_away = raw.send_raw(noise);
        all.push(("sealed packets", closes(raw)));
        let mut before = wire();
        let _turned_away = before.send(&noise[..3000]);
        all.push(("the login", closes(before)));
        for (stage, kind) in [
            ("an unknown message", 199),
            ("a channel's opening", number::CHANNEL_OPEN),
            ("a request", number::CHANNEL_REQUEST),
            ("data", number::CHANNEL_DATA),
            ("a global request", number::GLOBAL_REQUEST),
        ] {
            let mut inside = wire();
            assert!(inside.login(Self::TARGET, token).unwrap());
            let _turned_away = inside.send(&[&[kind], &noise[..3000]].concat());
            all.push((stage, closes(inside)));
        }
        all
    }

    fn oversize(gateway: &Gateway, token: &str) -> Vec<(&'static str, Closes)> {
        let mut greeting = dial(gateway);
        let _turned_away = greeting.write_all(&[b'S'; 100_000]);
        let mut packet = dial(gateway);
        let _turned_away = packet.write_all(b"SSH-2.0-x\r\n\x3f\xff\xff\xff\x04\x14");
        let mut inside = SshWire::connect(gateway.ssh().unwrap()).unwrap();
        assert!(inside.login(Self::TARGET, token).unwrap());
        // Whatever number a length becomes when it is opened, nothing like it was sealed.
        let _turned_away = inside.send_raw(&[0x3f; 64]);
        vec![
            ("a greeting", super::peers::closes(greeting)),
            ("a packet", super::peers::closes(packet)),
            ("a sealed packet", closes(inside)),
        ]
    }

    fn halves(gateway: &Gateway) -> Vec<TcpStream> {
        let parts = [&b""[..], b"SSH-", b"SSH-2.0-x\r\n", b"SSH-2.0-x\r\n\0\0\x01\x04\x04\x14"];
        parts
            .iter()
            .map(|part| {
                let mut peer = dial(gateway);
                peer.write_all(part).unwrap();
                peer
            })
            .collect()
    }
}

impl Session {
    /// Opens a channel; `false` when the connection is over.
    fn open(&mut self) -> bool {
        self.ours += 1;
        let open = Open { kind: "session", sender: self.ours, window: 1 << 24, packet: 32768, rest: b"" };
        let _gone = self.wire.send(&channel::open(&open));
        let until = Instant::now() + PATIENCE;
        loop {
            let Ok(Next::Message(message)) = self.wire.next(until) else { break };
            if let Ok(Message::Confirmation { recipient, sender, window, .. }) = Message::read(&message)
                && recipient == self.ours
            {
                (self.theirs, self.window, self.running) = (sender, window, true);
                return true;
            }
        }
        self.over = true;
        false
    }
}

impl Client for Session {
    fn say(&mut self, verb: Verb, marker: &str) {
        if !self.open() {
            return;
        }
        let text = match verb {
            Verb::Allowed => format!("cat {marker}"),
            Verb::Denied => format!("rm {marker}"),
            Verb::Held => format!("touch {marker}"),
            Verb::Endless => format!("tail {marker}"),
        };
        let mut rest = Vec::new();
        encode::string(&mut rest, text.as_bytes());
        let _gone = self.wire.send(&channel::request(self.theirs, "exec", true, &rest));
    }

    /// A channel's input has no window while its program is held, so there is nothing that an honest client could send; this one sends the
    /// end of its input, and another variable.
    fn say_behind(&mut self, marker: &str) {
        let mut rest = Vec::new();
        encode::string(&mut rest, b"LANG");
        encode::string(&mut rest, marker.as_bytes());
        let _gone = self.wire.send(&channel::request(self.theirs, "env", true, &rest));
        let _gone = self.wire.send(&channel::bare(number::CHANNEL_EOF, self.theirs));
        assert_eq!(self.window, 0, "input is asked for while nobody may read it");
    }

    fn hear(&mut self, limit: Duration) -> Heard {
        let (until, mut heard) = (Instant::now() + limit, Heard::default());
        if self.over {
            return Heard { text: self.wire.last_words().to_owned(), end: End::Closed };
        }
        while self.running {
            match self.wire.next(until) {
                Ok(Next::Message(message)) => match Message::read(&message) {
                    Ok(Message::Data { recipient, data } | Message::Extended { recipient, data, .. })
                        if recipient == self.ours =>
                    {
                        heard.text.push_str(&String::from_utf8_lossy(data));
                    }
                    Ok(Message::Adjust { recipient, bytes }) if recipient == self.ours => self.window += bytes,
                    Ok(Message::Close { recipient }) if recipient == self.ours => {
                        self.running = false;
                        let _gone = self.wire.send(&channel::bare(number::CHANNEL_CLOSE, self.theirs));
                    }
                    _ => {}
                },
                Ok(Next::Silent) => return heard,
                Ok(Next::Closed) | Err(_) => {
                    self.over = true;
                    heard.text.push_str(self.wire.last_words());
                    return Heard { end: End::Closed, ..heard };
                }
            }
        }
        Heard { end: End::Done, ..heard }
    }
}

fn closes(mut wire: SshWire) -> Closes {
    Box::new(move |limit| {
        let until = Instant::now() + limit;
        loop {
            match wire.next(until) {
                Ok(Next::Message(_)) => {}
                Ok(Next::Silent) => return false,
                Ok(Next::Closed) | Err(_) => return true,
            }
        }
    })
}

#[expect(clippy::disallowed_methods, reason = "a client of the tests, which no grant is for")]
fn dial(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(("127.0.0.1", gateway.ssh().unwrap())).unwrap()
}

/// Whether its last bytes and the end of the connection are read together or apart.
#[test]
fn what_a_target_says_before_it_goes_away_is_shown_and_masked() {
    let world = World::<Ssh>::new();
    for (round, how) in (0..40).zip(["leaves", "leaves-politely"].into_iter().cycle()) {
        let mut client = world.connect();
        client.say(Verb::Allowed, &format!("{how}-{round} alice@example.com"));
        let heard = Heard::whole(&mut client);
        assert!(heard.text.contains(&format!("ran cat {how}-{round} ")), "{heard:?}");
        assert!(!heard.text.contains("alice") && heard.end == End::Closed, "{heard:?}");
    }
}
