//! What is fuzzed.
//!
//! - [`startup`]: packets before messages have tags, and the whole login
//! - [`frontend`]: a client's messages
//! - [`backend`]: a server's messages
//! - [`recording`]: recordings and indexes, through every reader
//! - [`analyze`]: texts of SQL, through scan, parser, names and lineage
//! - [`shape`]: texts of SQL that differ in literals
//! - [`terminal`]: the bytes of a terminal, through the masker and the filters
//! - [`shell`]: texts of shell command lines
//! - [`sftp`]: packets of file transfers; [`scp`] copies by its old protocol, before a sink that reads as OpenSSH's
//! - [`ssh_session`]: messages of SSH clients and targets, through the state machine between them; `gateway` what stands behind it
//! - `statements`: what `analyze` and `shape` break
//!
//! Beside "no panic, bounded memory" each target asserts what must hold: the wire format has one spelling, so whatever is
//! read as a message and encoded again is the same bytes; and what the gateway itself says can be read.

pub mod analyze;
pub mod backend;
pub mod frontend;
mod gateway;
pub mod recording;
pub mod scp;
pub mod sftp;
pub mod shape;
pub mod shell;
pub mod ssh_session;
pub mod startup;
mod statements;
pub mod terminal;

use postgres::wire::{Frame, Frames, Next, WireError};

use crate::mutate::mutate;
use crate::random::Random;

/// Messages, mostly broken, now and then with a piece of others in them.
fn broken_messages(random: &mut Random, messages: fn(&mut Random) -> Vec<u8>) -> Vec<u8> {
    let mut bytes = messages(random);
    if !random.one_in(16) {
        let donor = messages(random);
        mutate(random, &mut bytes, &donor);
    }
    bytes
}

/// Walks the messages at the front of `data` and checks the walk itself. Gives the number of bytes in whole messages.
fn each_frame<'a>(data: &'a [u8], max: usize, mut each: impl FnMut(Frame<'a>)) -> usize {
    let mut frames = Frames::new(data, max);
    let mut seen = 0;
    loop {
        match frames.advance() {
            Ok(Next::Frame(frame)) => {
                let end = seen + frame.whole.len();
                assert_eq!(data.get(seen..end), Some(frame.whole), "a frame is not where it was read");
                assert!(frame.whole.len() <= max + 1, "a frame above the limit");
                seen = end;
                each(frame);
            }
            Ok(Next::Partial { have, need }) => {
                assert!(have < need && have == data.len() - seen, "a partial frame of {have} that needs {need}");
                break;
            }
            Err(error) => {
                check(&error);
                assert!(!error.in_step(), "boundaries are lost");
                assert_eq!(frames.advance(), Err(error), "an error that goes away");
                break;
            }
        }
    }
    assert_eq!((frames.consumed(), frames.rest().len()), (seen, data.len() - seen));
    seen
}

/// An error has a SQLSTATE and a text of one line.
fn check(error: &WireError) {
    let text = error.to_string();
    assert_eq!(error.sqlstate().len(), 5);
    assert!(!text.is_empty() && text.len() < 200 && !text.contains('\n'), "{text}");
}

/// Asserts that bytes are messages of a server, whole ones and nothing else.
fn well_formed(said: &[u8]) {
    let end = each_frame(said, postgres::wire::limits::LARGEST_MESSAGE, |frame| {
        let read = postgres::wire::Backend::parse(frame.tag, frame.body);
        assert!(read.is_ok(), "the gateway said what nobody can read: {read:?}");
    });
    assert_eq!(end, said.len(), "the gateway said half a message");
}
