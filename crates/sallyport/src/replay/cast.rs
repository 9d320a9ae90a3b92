//! Reads asciicast v2, as the gateway writes it, from pieces cut anywhere.

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// Bytes of output that are kept for playing: enough for days of typing, little enough for a laptop.
const MAX_SHOW: usize = 512 * 1024 * 1024;
/// The longest line: one packet of output, escaped.
const MAX_LINE: usize = 64 * 1024 * 1024;

/// What the first line says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Header {
    /// Whether there was a terminal; a command without one has output alone.
    pub(crate) terminal: bool,
}

/// Output and when it came, in microseconds since the beginning.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Shown {
    pub(super) at: u64,
    pub(super) text: Box<str>,
}

/// Cuts bytes into the lines of a cast.
#[derive(Debug, Default)]
pub(super) struct Lines {
    rest: Vec<u8>,
    begun: bool,
}

/// One line of a cast.
pub(super) enum Line {
    Header(Header),
    Shown(Shown),
}

impl Lines {
    /// Takes bytes and gives the lines that are whole. Events other than output are left out: what was typed is on the screen as
    /// its echo, and the reader's terminal has its own size.
    pub(super) fn push(&mut self, bytes: &[u8], mut each: impl FnMut(Line) -> Result<()>) -> Result<()> {
        self.rest.extend_from_slice(bytes);
        let mut rest = std::mem::take(&mut self.rest);
        let mut done = 0;
        while let Some(length) = rest.get(done..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n')) {
            let line = rest.get(done..done + length).unwrap_or_default();
            done += length + 1;
            if let Some(line) = self.line(line)? {
                each(line)?;
            }
        }
        rest.drain(..done);
        if rest.len() > MAX_LINE {
            bail!("a line of the recording's cast is too long");
        }
        self.rest = rest;
        Ok(())
    }

    /// Whether the header was read.
    pub(super) const fn begun(&self) -> bool {
        self.begun
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Line>> {
        let value: Value = serde_json::from_slice(line).context("read the recording's cast")?;
        if !self.begun {
            self.begun = true;
            let terminal = value.pointer("/env/TERM").is_some();
            return Ok(Some(Line::Header(Header { terminal })));
        }
        let part = |index| value.get(index);
        let (at, code, text) = (part(0).and_then(Value::as_f64), part(1), part(2).and_then(Value::as_str));
        let (Some(at), Some(text)) = (at, text) else { bail!("read the recording's cast: not an event") };
        if code.and_then(Value::as_str) != Some("o") {
            return Ok(None);
        }
        Ok(Some(Line::Shown(Shown { at: micros(at), text: text.into() })))
    }
}

/// Seconds as microseconds.
fn micros(seconds: f64) -> u64 {
    u64::try_from(std::time::Duration::try_from_secs_f64(seconds.max(0.0)).unwrap_or_default().as_micros()).unwrap_or(0)
}

/// All that a command showed.
#[derive(Debug, Default)]
pub(crate) struct Show {
    lines: Lines,
    events: Vec<Shown>,
    size: usize,
}

impl Show {
    /// Takes the next bytes of a cast; gives the header when it was in them.
    ///
    /// # Errors
    /// They are no cast, or more than can be kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Option<Header>> {
        let mut header = None;
        let (events, size) = (&mut self.events, &mut self.size);
        self.lines.push(bytes, |line| {
            match line {
                Line::Header(found) => header = Some(found),
                Line::Shown(shown) => {
                    *size += shown.text.len();
                    if *size > MAX_SHOW {
                        bail!(
                            "more than {} MiB were shown: use `sallyport sessions export --format asciicast`",
                            MAX_SHOW >> 20
                        );
                    }
                    events.push(shown);
                }
            }
            Ok(())
        })?;
        Ok(header)
    }

    /// Whether the header was read.
    pub(crate) const fn is_loading(&self) -> bool {
        self.lines.begun()
    }

    /// Whether nothing was shown.
    pub(crate) const fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    pub(super) fn into_events(self) -> Vec<Shown> {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_is_read_however_it_is_cut() {
        let cast = "{\"version\":2,\"width\":80,\"height\":24,\"env\":{\"TERM\":\"xterm\"}}\n[0.250000, \"o\", \"ü\\u001b[1m\"]\n\
                    [0.5, \"i\", \"l\"]\n[1.000001, \"r\", \"90x30\"]\n[61.5, \"o\", \"x\"]\n";
        for size in [1, 7, 1000] {
            let mut show = Show::default();
            let mut headers = Vec::new();
            cast.as_bytes().chunks(size).for_each(|piece| headers.extend(show.push(piece).unwrap()));
            assert_eq!(headers, [Header { terminal: true }]);
            let events = show.into_events();
            let found: Vec<_> = events.iter().map(|shown| (shown.at, &*shown.text)).collect();
            assert_eq!(found, [(250_000, "ü\x1b[1m"), (61_500_000, "x")]);
        }
        assert!(Show::default().push(b"no\n").is_err());
        assert!(Show::default().push(b"{}\n{}\n").is_err());
    }
}
