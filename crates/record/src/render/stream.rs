//! What passed through the streams of one command: its first lines as they ended up, and how much there was.

use std::io::{self, Write};

use super::text::{Paint, cut, harmless, plural};
use crate::event::StreamKind;

/// The widest that a line is shown, in characters.
const WIDTH: usize = 200;

/// A command's streams so far.
#[derive(Clone, Default, Debug)]
pub(super) struct Streams {
    bytes: [u64; 3],
    lines: [terminal::Plain; 2],
    shown: usize,
    more: u64,
}

impl Streams {
    /// Takes bytes of one stream and writes the lines that ended, up to `limit` for the command. What was typed is on the screen
    /// as its echo.
    pub(super) fn add(
        &mut self,
        (stream, data): (StreamKind, &[u8]),
        limit: usize,
        paint: &Paint,
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let [input, output, error] = &mut self.bytes;
        let [of_output, of_error] = &mut self.lines;
        let (count, lines) = match stream {
            StreamKind::Input => (input, None),
            StreamKind::Output => (output, Some(of_output)),
            StreamKind::Error => (error, Some(of_error)),
        };
        *count = count.saturating_add(data.len() as u64);
        let mut ended = Vec::new();
        if let Some(lines) = lines {
            lines.push(data, |line| ended.push(line));
        }
        self.show(ended, limit, paint, out)
    }

    fn show(&mut self, lines: Vec<String>, limit: usize, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        for line in lines {
            if self.shown < limit {
                self.shown += 1;
                writeln!(out, "          {} {}", paint.faint("│"), cut(&harmless(&line), WIDTH))?;
            } else {
                self.more += 1;
            }
        }
        Ok(())
    }

    /// Writes lines that did not end, and what was not shown.
    pub(super) fn write(mut self, limit: usize, paint: &Paint, out: &mut dyn Write) -> io::Result<()> {
        let mut ended = Vec::new();
        for lines in &mut self.lines {
            lines.finish(|line| ended.push(line));
        }
        self.show(ended, limit, paint, out)?;
        let kinds = [StreamKind::Input, StreamKind::Output, StreamKind::Error];
        let some = kinds.into_iter().zip(self.bytes).filter(|(_, bytes)| *bytes > 0);
        let mut words: Vec<String> =
            some.map(|(stream, bytes)| format!("{} of {}", plural(bytes, "byte"), stream.as_str())).collect();
        if self.more > 0 {
            words.push(format!("{} not shown", plural(self.more, "line")));
        }
        writeln!(out, "          {}", paint.faint(&format!("({})", words.join(", "))))
    }
}
