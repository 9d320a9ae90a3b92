//! An SSH server that lets the gateway in, notes every message that it gets in clear, and runs nothing: it says what it was asked for. After
//! `cat leaves…` it closes the connection, after `cat leaves-politely…` with a word.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use ssh::keys::own::SigningKey;
use ssh::link::Link;
use ssh::wire::channel::{self, Message};
use ssh::wire::{Cursor, encode, number};

use super::target::{Seen, Target};

/// How the program begins after which the server closes the connection.
const LEAVES: &[u8] = b"cat leaves";

/// A target whose host key stands in `about`.
pub(super) fn start() -> Target {
    let (key, _text) = SigningKey::generate("target").unwrap();
    let key = Arc::new(key);
    let about = key.public_line();
    let mut target = Target::listen(move |stream, seen| {
        let _ended = serve(stream, seen, &key);
    });
    target.about = about;
    target
}

/// One connection, until it ends.
fn serve(mut stream: TcpStream, seen: &Seen, key: &Arc<SigningKey>) -> Option<()> {
    let mut link = Link::server(Arc::clone(key)).ok()?;
    let mut buffer = [0; 65536];
    let mut closed = Vec::new();
    loop {
        let bytes = link.unwritten().to_vec();
        stream.write_all(&bytes).ok()?;
        link.wrote(bytes.len());
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        link.feed(&buffer[..read]);
        while let Some(range) = link.advance().ok()? {
            let message = link.message(range).to_vec();
            seen.note(&message);
            let over = matches!(Message::read(&message), Ok(Message::Close { .. }));
            for answer in answers(&message) {
                // A channel is closed once from each side.
                if answer[0] == number::CHANNEL_CLOSE {
                    let before = closed.len();
                    closed.retain(|one| *one != answer);
                    if over && closed.len() < before {
                        continue;
                    }
                    if !over {
                        closed.push(answer.clone());
                    }
                }
                link.send(&answer).ok()?;
            }
            if let Ok(Message::Request { kind: "exec", rest, .. }) = Message::read(&message)
                && let Some(how) = rest[4..].strip_prefix(LEAVES)
            {
                if how.starts_with(b"-politely") {
                    link.send(&Link::goodbye(11, "good night")).ok()?;
                }
                return stream.write_all(link.unwritten()).ok();
            }
        }
    }
}

fn answers(message: &[u8]) -> Vec<Vec<u8>> {
    match message[0] {
        number::SERVICE_REQUEST => {
            return vec![encode::message(number::SERVICE_ACCEPT, |out| encode::string(out, b"ssh-userauth"))];
        }
        number::USERAUTH_REQUEST => return vec![login(message)],
        _ => {}
    }
    match Message::read(message) {
        Ok(Message::Open(open)) => vec![channel::confirmation(open.sender, open.sender, 1 << 20, 32768)],
        Ok(Message::Request { recipient, kind: "exec", reply, rest }) => exec(recipient, reply, rest),
        Ok(Message::Request { recipient, reply: true, .. }) => vec![channel::bare(number::CHANNEL_SUCCESS, recipient)],
        Ok(Message::Global { reply: true, .. }) => vec![vec![number::REQUEST_FAILURE]],
        Ok(Message::Close { recipient }) => vec![channel::bare(number::CHANNEL_CLOSE, recipient)],
        _ => Vec::new(),
    }
}

/// Any password will do.
fn login(message: &[u8]) -> Vec<u8> {
    let mut cursor = Cursor::new(&message[1..]);
    let words: Vec<&[u8]> = (0..3).map(|_| cursor.string().unwrap_or_default()).collect();
    if words[2] == b"password" {
        return vec![number::USERAUTH_SUCCESS];
    }
    encode::message(number::USERAUTH_FAILURE, |out| {
        encode::string(out, b"password");
        encode::boolean(out, false);
    })
}

/// A program that says its own text, and ends unless it is `tail` or the server's last.
fn exec(recipient: u32, reply: bool, rest: &[u8]) -> Vec<Vec<u8>> {
    let text = Cursor::new(rest).string().unwrap_or_default();
    let mut out = Vec::new();
    if reply {
        out.push(channel::bare(number::CHANNEL_SUCCESS, recipient));
    }
    // In pieces, so that nobody finds a value because a packet holds all of it.
    for piece in [b"ran ", text, b"\n"].concat().chunks(7) {
        let mut data = Vec::new();
        channel::data(&mut data, recipient, None, piece);
        out.push(data);
    }
    if !text.starts_with(b"tail") && !text.starts_with(LEAVES) {
        out.push(channel::request(recipient, "exit-status", false, &[0; 4]));
        out.push(channel::bare(number::CHANNEL_EOF, recipient));
        out.push(channel::bare(number::CHANNEL_CLOSE, recipient));
    }
    out
}
