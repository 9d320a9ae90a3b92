//! From what happened to an outcome.
//!
//! A leak is searched in what the client can read: cells, COPY data, function results, the texts of errors and notices,
//! changed parameters, notifications and column names. Framing is left out, and so are the SQLSTATE, position and
//! source-line fields of errors: a pattern such as `97` would match a length byte or a line number by chance. A pattern
//! of a few digits counts in cells wherever it stands, and elsewhere only as a whole word. Longer patterns are also
//! searched in cells put together along a row, down a column, and over the whole answer, so that a value that leaves in
//! pieces is found.

use regex::bytes::{Regex, RegexBuilder};

use super::case::{Case, Expect, Oracle};
use super::play::{End, Played, Reply};
use crate::kit::message::Message;

/// What became of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Refused by the gateway.
    Refused,
    /// Answered without the values that had to stay.
    Masked,
    /// Neither refused nor harmful: the server itself did not do it.
    Harmless,
    /// A benign case that worked.
    Worked,
    /// An attack that worked, or was not refused where nothing else can tell.
    LetThrough,
    /// A benign case that did not work.
    Blocked,
    /// The case could not be run.
    Broken,
}

impl Outcome {
    /// The word of tables and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Masked => "masked",
            Self::Harmless => "harmless",
            Self::Worked => "worked",
            Self::LetThrough => "let through",
            Self::Blocked => "blocked",
            Self::Broken => "broken",
        }
    }
}

/// A case and what became of it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// Name of the case.
    pub id: String,
    /// Policy key.
    pub key: String,
    /// Family.
    pub class: String,
    /// What had to happen.
    pub expect: Expect,
    /// What happened.
    pub outcome: Outcome,
    /// Why this outcome.
    pub why: String,
    /// Whether something else than the gateway's word could tell.
    pub oracle: bool,
}

impl Judged {
    /// A case that could not be run.
    pub fn broken(case: &Case, why: &str) -> Self {
        new(case, Outcome::Broken, why.to_owned())
    }

    /// A case with this outcome; `oracle` says whether something else than the gateway's word could tell.
    pub fn of(case: &Case, outcome: Outcome, why: String, oracle: bool) -> Self {
        Self { oracle, ..new(case, outcome, why) }
    }
}

/// What is known from outside of the connection.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// The oracle's query: whether it is true, or the error that it gives now.
    pub query: Option<Result<bool, String>>,
    /// Whether the oracle's file exists.
    pub file: bool,
    /// Per reply, whether the server's log shows one of its texts as a client's statement.
    pub reached: Vec<bool>,
    /// Masked values of the fixture in many spellings, for mask cases.
    pub secrets: Vec<String>,
}

/// Judges a played case.
///
/// # Errors
/// When the oracle's pattern is not a regular expression.
pub fn judge(case: &Case, played: &Played, facts: &Facts) -> anyhow::Result<Judged> {
    if let Some(why) = &played.staging {
        return Ok(Judged::broken(case, &format!("the set-up failed: {why}")));
    }
    let judged = |outcome, why: String| Ok(new(case, outcome, why));
    if let Some(why) = harm(case, played, facts)? {
        return judged(Outcome::LetThrough, why);
    }
    if case.expect == Expect::Allow {
        return Ok(match failure(played) {
            Some(why) => new(case, Outcome::Blocked, why),
            None => new(case, Outcome::Worked, String::new()),
        });
    }
    if let Some(why) = refusal(played, facts) {
        return judged(Outcome::Refused, why);
    }
    let why = failure(played).unwrap_or_else(|| "every message was answered without an error".to_owned());
    if case.expect == Expect::Mask {
        return judged(Outcome::Masked, String::new());
    }
    if case.oracle.is_some() {
        return judged(Outcome::Harmless, why);
    }
    judged(Outcome::LetThrough, format!("not refused: {why}"))
}

fn new(case: &Case, outcome: Outcome, why: String) -> Judged {
    Judged {
        id: case.id.clone(),
        key: case.key.clone(),
        class: case.class.clone(),
        expect: case.expect,
        outcome,
        why,
        oracle: case.oracle.is_some() || case.expect == Expect::Mask,
    }
}

/// Whether the attack worked, by anything but the gateway's word.
fn harm(case: &Case, played: &Played, facts: &Facts) -> anyhow::Result<Option<String>> {
    match &facts.query {
        Some(Ok(true)) => {
            return Ok(Some(format!("true on the server: {}", case.oracle.true_after_bypass.as_deref().unwrap_or(""))));
        }
        // It can be answered in an untouched world, so something it reads is gone.
        Some(Err(error)) => return Ok(Some(format!("the oracle's query fails now: {error}"))),
        Some(Ok(false)) | None => {}
    }
    if facts.file {
        return Ok(Some(format!("written: {}", case.oracle.file_written.as_deref().unwrap_or(""))));
    }
    if played.cancelled_other == Some(true) {
        return Ok(Some("somebody else's statement was cancelled".to_owned()));
    }
    if case.expect == Expect::Allow {
        return Ok(None);
    }
    if let Some(why) = leak(&case.oracle, played)? {
        return Ok(Some(why));
    }
    if case.expect == Expect::Mask {
        let seen = Seen::new(played);
        for secret in &facts.secrets {
            if seen.has(&literal(secret)?) {
                return Ok(Some(
                    "a masked value of the fixture, or a common digest or encoding of it, reached the client"
                        .to_owned(),
                ));
            }
        }
    }
    Ok(None)
}

fn leak(oracle: &Oracle, played: &Played) -> anyhow::Result<Option<String>> {
    if let Some(needle) = &oracle.leak_hex
        && !needle.is_empty()
        && played.received.windows(needle.len()).any(|window| window == needle.as_slice())
    {
        return Ok(Some("the oracle's bytes reached the client".to_owned()));
    }
    let Some(pattern) = &oracle.leak_regex else {
        return Ok(None);
    };
    let seen = Seen::new(played);
    let digits = pattern.len() <= 4 && pattern.bytes().all(|byte| byte.is_ascii_digit());
    let found = if digits {
        let word = Regex::new(&format!(r"\b{pattern}\b"))?;
        let anywhere = Regex::new(pattern)?;
        seen.cells.iter().any(|cell| anywhere.is_match(cell)) || seen.words.iter().any(|text| word.is_match(text))
    } else {
        seen.has(&Regex::new(pattern)?)
    };
    Ok(found.then(|| format!("reached the client: {pattern}")))
}

fn literal(text: &str) -> anyhow::Result<Regex> {
    Ok(RegexBuilder::new(&regex::escape(text)).case_insensitive(true).build()?)
}

/// What a client could read.
struct Seen {
    cells: Vec<Vec<u8>>,
    words: Vec<Vec<u8>>,
    joined: Vec<Vec<u8>>,
}

impl Seen {
    fn new(played: &Played) -> Self {
        let mut seen = Self { cells: Vec::new(), words: Vec::new(), joined: Vec::new() };
        let mut columns: Vec<Vec<u8>> = Vec::new();
        let messages = played.replies.iter().flat_map(|reply| &reply.messages).chain(&played.refused_at_startup);
        for message in messages {
            match message.tag {
                b'D' => {
                    let row = message.cells();
                    columns.resize_with(columns.len().max(row.len()), Vec::new);
                    for (cell, column) in row.iter().zip(&mut columns) {
                        column.extend(cell.iter().flatten());
                    }
                    seen.joined.push(row.iter().flatten().flatten().copied().collect());
                    seen.cells.extend(row.into_iter().flatten());
                }
                b'd' => seen.cells.push(message.body.clone()),
                b'V' => seen.cells.push(message.body.get(4..).unwrap_or_default().to_vec()),
                b'E' | b'N' => seen.words.extend(readable(message)),
                b'S' | b'A' | b'T' => seen.words.push(message.body.clone()),
                _ => {}
            }
        }
        seen.joined.extend(columns);
        seen.joined.push(seen.cells.concat());
        seen
    }

    fn has(&self, pattern: &Regex) -> bool {
        self.cells.iter().chain(&self.words).chain(&self.joined).any(|text| pattern.is_match(text))
    }
}

/// The fields of an error or notice that carry text: not the severity, SQLSTATE, positions and source line.
fn readable(message: &Message) -> Vec<Vec<u8>> {
    let fields = message.fields().into_iter();
    fields.filter(|(code, _)| b"MDHWqstcdn".contains(code)).map(|(_, text)| text).collect()
}

/// Why a benign case did not work.
fn failure(played: &Played) -> Option<String> {
    if let Some(refused) = &played.refused_at_startup {
        return Some(format!("at login: {}", refused.describe()));
    }
    let error = played.replies.iter().flat_map(|reply| &reply.messages).find(|message| message.tag == b'E');
    if let Some(error) = error {
        return Some(error.describe());
    }
    let cut = played.replies.iter().find(|reply| matches!(reply.end, End::Closed | End::Silent));
    cut.map(|reply| format!("no end of the answer ({:?})", reply.end))
}

/// The gateway's refusal: an error that does not carry a server's source file, for a text that never reached the server.
fn refusal(played: &Played, facts: &Facts) -> Option<String> {
    if played.cancelled_other == Some(false) {
        return Some("the other session's statement went on".to_owned());
    }
    if let Some(refused) = &played.refused_at_startup {
        return is_own(refused).then(|| format!("at login: {}", refused.describe()));
    }
    if played.ended_idle {
        return Some("the idle session was ended".to_owned());
    }
    let reached = |at: usize| facts.reached.get(at).copied().unwrap_or(false);
    let own = |(at, reply): (usize, &Reply)| {
        let error = reply.messages.iter().find(|message| message.tag == b'E' && is_own(message))?;
        // A limit ends what has begun; anything else is refused before the server sees it.
        let limit = error.field(b'C').as_deref() == Some("53400");
        (limit || !reached(at)).then(|| error.describe())
    };
    played.replies.iter().enumerate().find_map(own)
}

/// SQLSTATEs by which the gateway refuses: policy, a hold that ended, login, limits, and bytes that are no protocol.
const OWN: [&str; 13] = [
    "42501", "42601", "57014", "57P01", "28000", "28P01", "54000", "54001", "54023", "53400", "08P01", "22021", "0A000",
];

fn is_own(error: &Message) -> bool {
    let state = error.field(b'C').unwrap_or_default();
    error.field(b'F').is_none() && OWN.contains(&state.as_str())
}

#[cfg(test)]
mod tests;
