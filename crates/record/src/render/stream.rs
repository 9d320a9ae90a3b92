//! What passed through the streams of one command, counted.

use std::io::{self, Write};

use super::text::{Paint, plural};
use crate::event::StreamKind;

/// Bytes of a command's streams so far.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Streams {
    input: u64,
    output: u64,
    error: u64,
}

impl Streams {
    pub(super) const fn add(&mut self, stream: StreamKind, bytes: u64) {
        let count = match stream {
            StreamKind::Input => &mut self.input,
            StreamKind::Output => &mut self.output,
            StreamKind::Error => &mut self.error,
        };
        *count = count.saturating_add(bytes);
    }

    pub(super) fn write(&self, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        let counts =
            [(StreamKind::Input, self.input), (StreamKind::Output, self.output), (StreamKind::Error, self.error)];
        let some = counts.iter().filter(|(_, bytes)| *bytes > 0);
        let words: Vec<String> =
            some.map(|(stream, bytes)| format!("{} of {}", plural(*bytes, "byte"), stream.as_str())).collect();
        writeln!(out, "          {}", paint.faint(&format!("({})", words.join(", "))))
    }
}
