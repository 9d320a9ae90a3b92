//! Replays a recording as a person wants to read it: who did what when, what was decided, and what came back.
//!
//! Everything that comes from a client or a target is made harmless for terminals first: control characters and
//! direction overrides are shown as escapes, never sent.

mod stream;
mod table;
mod text;

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use model::Outcome;

use crate::event::{CommandEvent, Event, Finished, Judged, Micros, Opened};
use crate::export::ExportError;
use crate::read::{Entry, Reader, State};
use stream::Streams;
use table::Table;
pub use text::acts;
use text::{Paint, duration, harmless, plural, span};

/// How to render.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Options {
    /// Rows shown of each result, and lines of each command's output.
    pub rows: usize,
    /// The widest that one value is shown, in characters.
    pub width: usize,
    /// ANSI colours.
    pub colour: bool,
    /// The shortest gap between events that is told, in microseconds.
    pub idle: i64,
}

impl Default for Options {
    fn default() -> Self {
        Self { rows: 20, width: 40, colour: false, idle: 2_000_000 }
    }
}

/// What a rendered recording held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// How it ends.
    pub state: State,
    /// Commands judged.
    pub commands: u64,
    /// Commands denied, after a hold or at once.
    pub denied: u64,
    /// Commands held.
    pub held: u64,
    /// Values masked.
    pub masked: u64,
    /// Rows returned.
    pub rows: u64,
}

/// Renders a recording from its first to its last event.
///
/// # Errors
/// A damaged recording (what comes before the damage is written), or the output's own error.
pub fn render(source: impl Read, options: &Options, out: &mut dyn Write) -> Result<Summary, ExportError> {
    let mut reader = Reader::new(source)?;
    let mut renderer = Renderer::new(crate::export::session_id(reader.header().session), *options);
    while let Some(entry) = reader.next_entry()? {
        renderer.entry(&entry, out)?;
    }
    Ok(renderer.finish(reader.state(), out)?)
}

/// Commands whose results are collected at the same time; above it the oldest is shown as far as it came.
const MAX_OPEN: usize = 256;

/// Renders one event after another: [`render`] for a recording that is still being written.
#[derive(Debug)]
pub struct Renderer {
    session: String,
    options: Options,
    paint: Paint,
    start: Option<Micros>,
    last: Micros,
    waits: BTreeMap<u64, Micros>,
    results: BTreeMap<u64, Table>,
    streams: BTreeMap<u64, Streams>,
    summary: Summary,
    /// The session's own end was seen.
    ended: bool,
}

impl Renderer {
    /// A renderer for the session with this id.
    #[must_use]
    pub const fn new(session: String, options: Options) -> Self {
        Self {
            session,
            options,
            paint: Paint(options.colour),
            start: None,
            last: Micros(0),
            waits: BTreeMap::new(),
            results: BTreeMap::new(),
            streams: BTreeMap::new(),
            summary: Summary { state: State::Open, commands: 0, denied: 0, held: 0, masked: 0, rows: 0 },
            ended: false,
        }
    }

    /// Renders one event.
    ///
    /// # Errors
    /// The output's own.
    pub fn entry(&mut self, entry: &Entry<'_>, out: &mut dyn Write) -> io::Result<()> {
        let at = entry.at;
        let start = *self.start.get_or_insert(at);
        let gap = at.0.saturating_sub(self.last.0);
        if start != at && gap >= self.options.idle {
            writeln!(out, "{}", self.paint.faint(&format!("          … {} idle", span(gap))))?;
        }
        self.last = at;
        self.event(at, &entry.event, out)
    }

    fn event(&mut self, at: Micros, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        match event {
            Event::Opened(opened) => self.opened(at, opened, out),
            Event::Leased { user, link } => {
                let text = format!("connected to the target as {} ({})", harmless(user), harmless(link));
                self.line(at, &text, out)
            }
            Event::Command(command) | Event::Judged(Judged { command, .. }) => self.command(at, command, out),
            Event::Held { number, approval, expires } => {
                self.summary.held += 1;
                self.waits.insert(*number, at);
                let within = span(expires.0.saturating_sub(at.0));
                let text = format!("#{number} waits for approval {} (expires in {within})", harmless(approval));
                self.line(at, &self.paint.hold(&text), out)
            }
            Event::Answered { number, answer, by, .. } => self.answered(at, *number, answer, by, out),
            Event::Values { number, values } => {
                self.line(at, &format!("#{number} again"), out)?;
                self.values(values, out)
            }
            Event::Columns { number, columns } => {
                self.make_room(out)?;
                self.results.insert(*number, Table::new(columns, &self.options));
                Ok(())
            }
            Event::Rows { number, count, data } => {
                let options = self.options;
                let table = self.results.entry(*number).or_insert_with(|| Table::new(&[], &options));
                table.rows(*count, data);
                Ok(())
            }
            Event::Bulk { number, to_target, data } => {
                let way = if *to_target { "to the target" } else { "to the client" };
                self.line(at, &format!("#{number} {} {way}", plural(data.len() as u64, "byte")), out)
            }
            Event::Finished(finished) => self.finished(at, finished, out),
            Event::Message { kind, text } => self.line(at, &format!("{}: {}", harmless(kind), harmless(text)), out),
            Event::Control { what, outcome } => {
                self.line(at, &format!("{}: {}", harmless(what), harmless(outcome)), out)
            }
            Event::Closed { reason, bytes, .. } => {
                self.ended = true;
                let text = format!(
                    "closed: {} ({} from the client, {} from the target)",
                    harmless(reason),
                    plural(bytes.0, "byte"),
                    plural(bytes.1, "byte"),
                );
                self.line(at, &text, out)
            }
            Event::Recovered { at: when } => {
                let text = format!(
                    "the gateway stopped without warning; what followed is not known (recovered {})",
                    crate::export::time(*when)
                );
                self.line(at, &self.paint.deny(&text), out)
            }
            Event::Stream { number, stream, data } => {
                self.make_room(out)?;
                let (limit, paint) = (self.options.rows, self.paint);
                self.streams.entry(*number).or_default().add((*stream, data), limit, &paint, out)
            }
            Event::Terminal { number, term, columns, rows } => {
                let what = if term.is_empty() { "resized to".into() } else { harmless(term) };
                self.line(at, &format!("#{number} terminal {what} {columns}×{rows}"), out)
            }
            Event::File { .. } => self.file(at, event, out),
            // `sessions files` gives it out; the file's own line has its size.
            Event::Content { .. } => Ok(()),
        }
    }

    fn opened(&self, at: Micros, opened: &Opened<'_>, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "{}", self.paint.strong(&format!("session {}", self.session)))?;
        let mut field = |name: &str, text: &str| writeln!(out, "  {name:<8}{}", harmless(text));
        for (name, text) in text::who(&opened.identity) {
            field(name, &text)?;
        }
        field("target", &format!("{} ({}) as role {}", opened.target, opened.protocol, opened.role))?;
        field("when", &crate::export::time(at))?;
        field("from", &format!("{}, {}", opened.from, opened.client))?;
        field("policy", &format!("{}, connect allowed by {}", opened.policy, opened.rules.join(", ")))?;
        field("gateway", &opened.gateway)?;
        writeln!(out)
    }

    fn command(&mut self, at: Micros, command: &CommandEvent<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.summary.commands += 1;
        let word = match command.outcome {
            Outcome::Allow => self.paint.allow("allowed"),
            Outcome::Hold => self.paint.hold("held"),
            Outcome::Deny => {
                self.summary.denied += 1;
                self.paint.deny("denied")
            }
        };
        let rules =
            if command.rules.is_empty() { "by default".to_owned() } else { format!("by {}", command.rules.join(", ")) };
        let title = self.paint.strong(&format!("#{} {}", command.number, harmless(&command.label)));
        self.line(at, &format!("{title}  {word} {}", harmless(&rules)), out)?;
        for line in command.text.lines() {
            writeln!(out, "            {}", harmless(line))?;
        }
        self.values(&command.values, out)?;
        let mut marks = Vec::new();
        if command.flags.unbounded {
            marks.push("touches everything");
        }
        if command.flags.multi {
            marks.push("several statements");
        }
        if !marks.is_empty() {
            writeln!(out, "          note: {}", marks.join(", "))?;
        }
        for reason in command.reasons.iter() {
            writeln!(out, "          because: {}", harmless(reason))?;
        }
        for (rule, outcome) in command.shadow.iter() {
            writeln!(out, "          shadow rule {} would have said {}", harmless(rule), outcome.as_str())?;
        }
        Ok(())
    }

    fn values(&self, values: &[Option<std::borrow::Cow<'_, str>>], out: &mut dyn Write) -> io::Result<()> {
        for (index, value) in values.iter().enumerate() {
            let text = match value {
                Some(value) => format!("'{}'", text::cut(&harmless(value), self.options.width.saturating_mul(4))),
                None => "NULL".to_owned(),
            };
            writeln!(out, "            ${} = {text}", index + 1)?;
        }
        Ok(())
    }

    fn answered(
        &mut self,
        at: Micros,
        number: u64,
        answer: &str,
        by: &[(std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)],
        out: &mut dyn Write,
    ) -> io::Result<()> {
        let approved = answer == "approved";
        if !approved {
            self.summary.denied += 1;
        }
        let waited = self.waits.remove(&number).map_or(0, |since| at.0.saturating_sub(since.0));
        let text = format!("#{number} {} after {}", harmless(answer), span(waited));
        let text = if approved { self.paint.allow(&text) } else { self.paint.deny(&text) };
        self.line(at, &text, out)?;
        for (who, why) in by {
            let why = if why.is_empty() { String::new() } else { format!(": {}", harmless(why)) };
            writeln!(out, "          by {}{why}", harmless(who))?;
        }
        Ok(())
    }

    fn finished(&mut self, at: Micros, finished: &Finished<'_>, out: &mut dyn Write) -> io::Result<()> {
        self.summary.masked = self.summary.masked.saturating_add(finished.masked);
        self.summary.rows = self.summary.rows.saturating_add(finished.rows);
        if let Some(table) = self.results.remove(&finished.number) {
            table.write(&self.paint, Some(finished), out)?;
        }
        if let Some(streams) = self.streams.remove(&finished.number) {
            streams.write(self.options.rows, &self.paint, out)?;
        }
        let time = format!(
            "{} on the target, {} in the gateway",
            duration(finished.target_micros),
            duration(finished.gateway_micros)
        );
        let text = match &finished.error {
            Some((code, text)) => {
                self.paint.deny(&format!("#{} error {}: {}", finished.number, harmless(code), harmless(text)))
            }
            None => format!("#{} {}", finished.number, harmless(&finished.tag)),
        };
        self.line(at, &format!("{text}  {}", self.paint.faint(&time)), out)
    }

    fn file(&self, at: Micros, event: &Event<'_>, out: &mut dyn Write) -> io::Result<()> {
        let Event::File { number, operation, path, to, size, digest, outcome } = event else {
            return Ok(());
        };
        let to = to.as_ref().map_or_else(String::new, |to| format!(" to {}", harmless(to)));
        let size = if *size > 0 { format!(", {}", plural(*size, "byte")) } else { String::new() };
        let text = format!("#{number} {} {}{to}: {}{size}", harmless(operation), harmless(path), harmless(outcome));
        let text = if outcome == "ok" { text } else { self.paint.deny(&text) };
        self.line(at, &text, out)?;
        match digest {
            Some(digest) => {
                let text = format!("blake3 {}", blake3::Hash::from(*digest));
                writeln!(out, "          {}", self.paint.faint(&text))
            }
            None => Ok(()),
        }
    }

    /// Shows the oldest unfinished result when too many are open.
    fn make_room(&mut self, out: &mut dyn Write) -> io::Result<()> {
        if self.results.len() >= MAX_OPEN
            && let Some((_, table)) = self.results.pop_first()
        {
            table.write(&self.paint, None, out)?;
        }
        if self.streams.len() >= MAX_OPEN
            && let Some((_, streams)) = self.streams.pop_first()
        {
            streams.write(self.options.rows, &self.paint, out)?;
        }
        while self.waits.len() >= MAX_OPEN {
            self.waits.pop_first();
        }
        Ok(())
    }

    fn line(&self, at: Micros, text: &str, out: &mut dyn Write) -> io::Result<()> {
        let offset = at.0.saturating_sub(self.start.unwrap_or(at).0);
        let seconds = offset / 1_000_000;
        let stamp = format!("{:02}:{:02}.{:03}", seconds / 60, seconds % 60, offset.rem_euclid(1_000_000) / 1000);
        writeln!(out, "{} {text}", self.paint.faint(&format!("{stamp:>9}")))
    }

    /// Ends with a summary.
    ///
    /// # Errors
    /// The output's own.
    pub fn finish(mut self, state: State, out: &mut dyn Write) -> io::Result<Summary> {
        for (_, table) in std::mem::take(&mut self.results) {
            table.write(&self.paint, None, out)?;
        }
        for (_, streams) in std::mem::take(&mut self.streams) {
            streams.write(self.options.rows, &self.paint, out)?;
        }
        self.summary.state = state;
        let Summary { commands, denied, held, masked, rows, .. } = self.summary;
        let end = match state {
            State::Open => "no end yet: the session is live, or its end is missing",
            State::Closed if self.ended => "complete and signed",
            State::Closed => "signed, without the session's end: it could not be recorded",
            State::Recovered => "recovered after a crash and signed",
        };
        let lasted = self.last.0.saturating_sub(self.start.unwrap_or(self.last).0);
        writeln!(
            out,
            "\n{}: {}, {denied} denied, {held} held, {}, {} masked, {}; {end}",
            self.paint.strong("summary"),
            plural(commands, "command"),
            plural(rows, "row"),
            plural(masked, "value"),
            span(lasted),
        )?;
        Ok(self.summary)
    }
}
