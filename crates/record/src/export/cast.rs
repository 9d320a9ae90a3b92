//! asciicast, the format of asciinema: one command of a session as its terminal showed it, with its timing.
//!
//! Versions 2 and 3 as <https://docs.asciinema.org/manual/asciicast/v2/> and `/v3/` have them: a header line, then one array per
//! event. Both have output (`o`), input (`i`) and resizes (`r`). Version 2 has times since the beginning; version 3 has times
//! since the event before, and the exit status (`x`).

use std::io::{Read, Write};

use serde_json::{Value, json};

use super::{ExportError, each};
use crate::event::{CommandEvent, Event, Finished, Micros, Opened, StreamKind};

/// The size of a terminal where none was asked for.
const DEFAULT_SIZE: (u32, u32) = (80, 24);

/// A version of the format.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CastVersion {
    /// asciicast v2, which every player knows.
    V2,
    /// asciicast v3.
    V3,
}

/// The command of a recording that a cast is made of unless one is named: the first with a terminal, else the first with output.
///
/// # Errors
/// A damaged recording with no such command before the damage.
pub fn pick_command(source: impl Read) -> Result<Option<u64>, ExportError> {
    let mut reader = crate::Reader::new(source)?;
    let mut first = None;
    loop {
        match reader.next_entry() {
            Ok(Some(entry)) => match entry.event {
                Event::Terminal { number, .. } => return Ok(Some(number)),
                Event::Stream { number, stream: StreamKind::Output | StreamKind::Error, .. } => {
                    first = first.or(Some(number));
                }
                _ => {}
            },
            Ok(None) => return Ok(first),
            Err(_) if first.is_some() => return Ok(first),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Writes one command of a recording as asciicast and returns how many events were written. Its times begin with the command's
/// first terminal or stream. Output of a command without a terminal gets the carriage returns that a terminal would have added.
///
/// # Errors
/// A damaged recording (what comes before the damage is written), or the output's own error.
pub fn asciicast(
    source: impl Read,
    version: CastVersion,
    number: u64,
    out: &mut dyn Write,
) -> Result<u64, ExportError> {
    let mut cast = Cast {
        version,
        number,
        title: String::new(),
        command: None,
        size: None,
        start: None,
        last: 0,
        events: 0,
        output: Utf8::default(),
        input: Utf8::default(),
        error: Utf8::default(),
    };
    each(source, |_, entry| cast.entry(entry.at, &entry.event, out))?;
    cast.rest(cast.last, out)?;
    Ok(cast.events)
}

struct Cast {
    version: CastVersion,
    number: u64,
    title: String,
    command: Option<String>,
    /// What the terminal calls itself and its size, before the header is written.
    size: Option<(String, u32, u32)>,
    start: Option<Micros>,
    /// The time of the last event, since the start.
    last: i64,
    events: u64,
    output: Utf8,
    input: Utf8,
    error: Utf8,
}

impl Cast {
    fn entry(&mut self, at: Micros, event: &Event<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        if let Some((command, _)) = event.command()
            && command.number == self.number
        {
            self.command = Some(text_of(command));
        }
        match event {
            Event::Opened(opened) => {
                self.title = title(opened);
                Ok(())
            }
            Event::Terminal { number, term, columns, rows } if *number == self.number => {
                // A side that says 0 leaves its size to whoever shows it (RFC 4254, section 6.2).
                let or = |side: u32, usual: u32| if side == 0 { usual } else { side };
                let (columns, rows) = (or(*columns, DEFAULT_SIZE.0), or(*rows, DEFAULT_SIZE.1));
                if self.start.is_none() {
                    self.size = Some((term.to_string(), columns, rows));
                    return self.header(at, out);
                }
                self.event(at, "r", &format!("{columns}x{rows}"), out)
            }
            Event::Stream { number, stream, data } if *number == self.number => self.stream(at, *stream, data, out),
            Event::Finished(finished) if finished.number == self.number => self.finished(at, finished, out),
            _ => Ok(()),
        }
    }

    fn header(&mut self, at: Micros, out: &mut dyn Write) -> Result<(), ExportError> {
        self.start = Some(at);
        let (columns, rows) = self.size.as_ref().map_or(DEFAULT_SIZE, |(_, columns, rows)| (*columns, *rows));
        let term = self.size.as_ref().map(|(term, ..)| term.as_str()).filter(|term| !term.is_empty());
        let seconds = at.0.div_euclid(1_000_000);
        let mut header = match self.version {
            CastVersion::V2 => json!({"version": 2, "width": columns, "height": rows, "timestamp": seconds}),
            CastVersion::V3 => {
                let mut size = json!({"cols": columns, "rows": rows});
                set(&mut size, "type", term);
                json!({"version": 3, "term": size, "timestamp": seconds})
            }
        };
        set(&mut header, "command", self.command.as_deref());
        set(&mut header, "title", Some(self.title.as_str()));
        if let (CastVersion::V2, Some(term), Value::Object(header)) = (self.version, term, &mut header) {
            header.insert("env".to_owned(), json!({"TERM": term}));
        }
        super::line(out, &header)
    }

    fn stream(&mut self, at: Micros, stream: StreamKind, data: &[u8], out: &mut dyn Write) -> Result<(), ExportError> {
        if self.start.is_none() {
            self.header(at, out)?;
        }
        let (decoder, code) = match stream {
            StreamKind::Output => (&mut self.output, "o"),
            StreamKind::Error => (&mut self.error, "o"),
            StreamKind::Input => (&mut self.input, "i"),
        };
        let text = decoder.push(data);
        let text = if self.size.is_none() && code == "o" { with_returns(&text) } else { text };
        if text.is_empty() { Ok(()) } else { self.event(at, code, &text, out) }
    }

    fn finished(&mut self, at: Micros, finished: &Finished<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let Some(start) = self.start else { return Ok(()) };
        self.rest(at.0.saturating_sub(start.0), out)?;
        match self.version {
            CastVersion::V2 => Ok(()),
            CastVersion::V3 => self.event(at, "x", &exit_status(finished).to_string(), out),
        }
    }

    /// Writes what is left of characters that were never whole.
    fn rest(&mut self, since: i64, out: &mut dyn Write) -> Result<(), ExportError> {
        let Some(start) = self.start else { return Ok(()) };
        let at = Micros(start.0.saturating_add(since));
        for decoder in [&mut self.output, &mut self.error].map(Utf8::finish) {
            if !decoder.is_empty() {
                self.event(at, "o", &decoder, out)?;
            }
        }
        Ok(())
    }

    fn event(&mut self, at: Micros, code: &str, data: &str, out: &mut dyn Write) -> Result<(), ExportError> {
        let start = self.start.unwrap_or(at);
        // Clocks are set back at times; a player's is not.
        let since = at.0.saturating_sub(start.0).max(self.last);
        let time = match self.version {
            CastVersion::V2 => since,
            CastVersion::V3 => since - self.last,
        };
        self.last = since;
        self.events += 1;
        let data = serde_json::to_string(data).map_err(std::io::Error::from)?;
        writeln!(out, "[{}.{:06}, \"{code}\", {data}]", time / 1_000_000, time % 1_000_000)?;
        Ok(())
    }
}

/// Sets a field that has a value.
fn set(object: &mut Value, name: &str, value: Option<&str>) {
    if let (Value::Object(object), Some(value)) = (object, value) {
        object.insert(name.to_owned(), json!(value));
    }
}

fn title(opened: &Opened<'_>) -> String {
    format!("{} as {} ({})", opened.target, opened.role, opened.session)
}

fn text_of(command: &CommandEvent<'_>) -> String {
    if command.text.is_empty() { command.label.to_string() } else { command.text.to_string() }
}

/// The number in `exit 2`; without one, whether it failed.
fn exit_status(finished: &Finished<'_>) -> u32 {
    let number = finished.tag.rsplit(' ').next().and_then(|last| last.parse().ok());
    number.unwrap_or_else(|| u32::from(finished.error.is_some()))
}

/// Line ends as a terminal shows them.
fn with_returns(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// Bytes as text, with characters that are cut between two pieces.
#[derive(Debug, Default)]
struct Utf8 {
    carry: Vec<u8>,
}

impl Utf8 {
    fn push(&mut self, bytes: &[u8]) -> String {
        self.carry.extend_from_slice(bytes);
        let mut whole = String::new();
        let mut rest = self.carry.as_slice();
        loop {
            match str::from_utf8(rest) {
                Ok(text) => {
                    whole.push_str(text);
                    rest = &[];
                }
                Err(error) => {
                    let (text, bad) = rest.split_at_checked(error.valid_up_to()).unwrap_or((rest, &[]));
                    whole.push_str(&String::from_utf8_lossy(text));
                    rest = bad;
                    if let Some(length) = error.error_len() {
                        whole.push(char::REPLACEMENT_CHARACTER);
                        rest = bad.get(length..).unwrap_or_default();
                        continue;
                    }
                }
            }
            break;
        }
        self.carry = rest.to_vec();
        whole
    }

    fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.carry)).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_cut_between_pieces_are_whole_and_bad_ones_replaced() {
        let mut utf8 = Utf8::default();
        let euro = "€".as_bytes();
        assert_eq!(utf8.push(&euro[..1]), "");
        assert_eq!(utf8.push(&euro[1..2]), "");
        assert_eq!(utf8.push(&[euro[2], b'a', 0xff, b'b', 0xc3]), "€a\u{fffd}b");
        assert_eq!(utf8.push(b"x"), "\u{fffd}x");
        utf8.push(&euro[..2]);
        assert_eq!(utf8.finish(), "\u{fffd}");
    }

    #[test]
    fn line_ends_and_exit_codes() {
        assert_eq!(with_returns("a\nb\r\nc"), "a\r\nb\r\nc");
        let finished = |tag: &'static str, error| Finished {
            number: 1,
            tag: tag.into(),
            error,
            rows: 0,
            bytes: 0,
            digest: None,
            masked: 0,
            target_micros: 0,
            gateway_micros: 0,
        };
        assert_eq!(exit_status(&finished("exit 3", None)), 3);
        assert_eq!(exit_status(&finished("", Some(("signal".into(), "KILL".into())))), 1);
        assert_eq!(exit_status(&finished("", None)), 0);
    }
}
