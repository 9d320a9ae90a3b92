//! Packets of file transfers: requests of clients and answers of targets, cut anywhere.

use anyhow::Result;
use ssh::sftp::packet::{self, Answer};
use ssh::sftp::request::{About, LinkOrder, Request};

use crate::driver::{MOST_MEMORY, Target};
use crate::mutate::mutate;
use crate::random::Random;

/// Packets as a client and a target write them.
pub const TARGET: Target = Target { name: "sftp", make, memory: MOST_MEMORY, run };

const PATHS: [&str; 8] = ["/etc/hosts", "a/../b", "", ".", "/", "~/x", "/a//b/", "\u{fc}ber"];
const EXTENSIONS: [&str; 6] = [
    "posix-rename@openssh.com",
    "statvfs@openssh.com",
    "hardlink@openssh.com",
    "copy-data",
    "limits@openssh.com",
    "expand-path@openssh.com",
];

fn string(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&u32::try_from(bytes.len()).unwrap_or(0).to_be_bytes());
    out.extend_from_slice(bytes);
}

/// One packet, with its length.
pub(super) fn packet(random: &mut Random) -> Vec<u8> {
    let kind = random.pick(&[
        1_u8, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 101, 102, 103, 104, 105, 200, 201,
    ]);
    let mut body = vec![kind];
    if kind != 2 {
        body.extend_from_slice(&u32::try_from(random.below(6)).unwrap_or(0).to_be_bytes());
    }
    match kind {
        1 => {}
        2 => body.extend_from_slice(&3_u32.to_be_bytes()),
        200 => {
            string(&mut body, random.pick(&EXTENSIONS).as_bytes());
            string(&mut body, random.pick(&PATHS).as_bytes());
        }
        101 => {
            body.extend_from_slice(&u32::try_from(random.below(9)).unwrap_or(0).to_be_bytes());
            string(&mut body, b"words");
            string(&mut body, b"");
        }
        104 => {
            body.extend_from_slice(&1_u32.to_be_bytes());
            string(&mut body, random.pick(&PATHS).as_bytes());
            string(&mut body, b"long");
            body.extend_from_slice(&0_u32.to_be_bytes());
        }
        _ => string(&mut body, random.pick(&PATHS).as_bytes()),
    }
    match kind {
        3 => {
            body.extend_from_slice(&u32::try_from(random.below(64)).unwrap_or(0).to_be_bytes());
            body.extend_from_slice(&0_u32.to_be_bytes());
        }
        5 | 6 => body.extend_from_slice(&random.bits().to_be_bytes()),
        18 | 20 => string(&mut body, random.pick(&PATHS).as_bytes()),
        9 | 14 => body.extend_from_slice(&0_u32.to_be_bytes()),
        _ => {}
    }
    if kind == 5 {
        body.extend_from_slice(&32_768_u32.to_be_bytes());
    }
    if kind == 6 {
        string(&mut body, &random.bytes(64));
    }
    let mut out = Vec::new();
    string(&mut out, &body);
    out
}

fn make(random: &mut Random) -> Result<Vec<u8>> {
    let mut bytes: Vec<u8> = (0..random.below(6)).flat_map(|_| packet(random)).collect();
    if !random.one_in(8) {
        let donor = packet(random);
        mutate(random, &mut bytes, &donor);
    }
    Ok(bytes)
}

fn run(data: &[u8]) {
    let mut rest = data;
    while let Ok(Some(length)) = packet::length(rest) {
        assert!(length <= packet::LENGTH + packet::MOST, "a packet of {length} bytes");
        let Some((whole, after)) = rest.split_at_checked(length) else { break };
        read(whole);
        rest = after;
    }
}

fn read(whole: &[u8]) {
    if let Ok(request) = Request::read(whole, LinkOrder::Unknown)
        && let About::Paths(paths) = &request.about
    {
        assert!(!paths.is_empty(), "a request about paths without one");
        for named in paths {
            // What is asked of the target is a packet of its own, whatever the path is.
            let question = packet::ask(packet::REALPATH, 7, named.question().as_bytes());
            assert_eq!(packet::length(&question).ok().flatten(), Some(question.len()));
        }
    }
    if let Ok(Answer::Version { body }) = Answer::read(whole)
        && let Ok(version) = packet::known_version(body)
    {
        assert!(matches!(Answer::read(&version), Ok(Answer::Version { .. })), "our own greeting cannot be read");
    }
    let said = packet::status(7, packet::PERMISSION_DENIED, "sallyport: words");
    assert!(matches!(Answer::read(&said), Ok(Answer::Status { id: 7, .. })));
}
