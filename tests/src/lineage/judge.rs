//! What an answer through the gateway means: a leak, a difference, a refusal, a result.

use super::grammar::Query;
use super::play::{Answer, Mode};
use super::secrets::{Secrets, has_mark};
use crate::kit::message::Message;

/// What is wrong with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    /// In words.
    pub(super) what: String,
    /// The message that shows it, as text.
    pub(super) bytes: String,
}

/// How a query ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The results are the server's own.
    Same,
    /// They differ: something is masked.
    Masked,
    /// The gateway refused it: SQLSTATE, code, reason.
    Refused(String, String),
    /// The server rejects it, also without the gateway: SQLSTATE.
    Failed(String),
}

/// Searches everything that the client received for secrets.
pub(super) fn leak(secrets: &Secrets, answer: &Answer, query: &Query, mode: Mode, style: &str) -> Option<Wrong> {
    let needles = if matches!(style, "token" | "hash") { &secrets.among_numbers } else { &secrets.needles };
    for message in &answer.all {
        let body = without_request(message);
        if let Some(found) = needles.find(&body) {
            let what = format!("a piece of {} ({} bytes at {})", found.what, found.length, found.at);
            return Some(Wrong { what, bytes: readable(message) });
        }
    }
    // Tokens and hashes are made of any letters, a partial mask may show the first one.
    let tells = query.marks && mode.is_text() && matches!(style, "redact" | "null" | "fixed");
    let marked = answer.own().iter().find(|message| match message.tag {
        b'D' => message.cells().iter().flatten().any(|cell| has_mark(cell)),
        b'd' => has_mark(&message.body),
        _ => false,
    });
    let marked = marked.filter(|_| tells)?;
    Some(Wrong { what: "a letter that only secrets have".to_owned(), bytes: readable(marked) })
}

/// Compares with the server's own answer, for queries that touch nothing masked.
pub(super) fn difference(through: &Answer, direct: &Answer) -> Option<Wrong> {
    // Which of several faults comes first, and what the gateway says of a name that was never made, is not a result.
    let failed = through.error().is_some() && direct.error().is_some();
    let (one, other) = (results(through), results(direct));
    if one == other || failed {
        return None;
    }
    let at = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
    let show = |all: &[Message]| all.get(at).map_or_else(|| "nothing".to_owned(), readable);
    let what = "a result without masked columns differs".to_owned();
    Some(Wrong { what, bytes: format!("through the gateway: {}\ndirectly: {}", show(&one), show(&other)) })
}

/// What a client sees of results; of errors, only which.
fn results(answer: &Answer) -> Vec<Message> {
    let mut seen = Vec::new();
    for message in answer.own() {
        match message.tag {
            b'N' | b'S' => {}
            b'E' => seen.push(Message { tag: b'E', body: message.field(b'C').unwrap_or_default().into_bytes() }),
            _ => seen.push(message.clone()),
        }
    }
    seen
}

/// How a query ended; `Err` when the gateway made it fail at the server.
pub(super) fn outcome(query: &Query, through: &Answer, direct: &Answer) -> Result<Outcome, Wrong> {
    let rows = |answer: &Answer| -> Vec<Message> {
        answer.own().iter().filter(|message| matches!(message.tag, b'D' | b'd')).cloned().collect()
    };
    let Some(error) = through.error() else {
        let same = rows(through) == rows(direct);
        return Ok(if same { Outcome::Same } else { Outcome::Masked });
    };
    if query.hostile {
        // Not asked directly: what it puts elsewhere would come back as everybody's.
        let detail = error.field(b'D').unwrap_or_default();
        let code = error.field(b'C').unwrap_or_default();
        return Ok(if detail.starts_with("SP-") { Outcome::Refused(code, detail) } else { Outcome::Failed(code) });
    }
    let directly = direct.error().and_then(|error| error.field(b'C')).unwrap_or_default();
    if !directly.is_empty() {
        return Ok(Outcome::Failed(directly));
    }
    let detail = error.field(b'D').unwrap_or_default();
    if !detail.starts_with("SP-") {
        return Err(Wrong { what: "it fails only through the gateway".to_owned(), bytes: readable(error) });
    }
    let code = detail.split(';').next().unwrap_or_default();
    let reason = detail.split("; ").skip(1).find(|part| !part.starts_with("request") && !part.starts_with("rules"));
    let state = error.field(b'C').unwrap_or_default();
    Ok(Outcome::Refused(format!("{state} {code}"), reason.unwrap_or_default().to_owned()))
}

/// The body without the number of a refused request, which is chance.
fn without_request(message: &Message) -> Vec<u8> {
    if message.tag != b'E' {
        return message.body.clone();
    }
    let text = String::from_utf8_lossy(&message.body);
    match text.split_once("; request ") {
        Some((before, after)) => {
            let rest = after.find([';', '\0']).and_then(|end| after.get(end..)).unwrap_or_default();
            format!("{before}{rest}").into_bytes()
        }
        None => message.body.clone(),
    }
}

/// A message for people.
pub(super) fn readable(message: &Message) -> String {
    let shown: String = message
        .body
        .iter()
        .take(2000)
        .map(|byte| match byte {
            b' '..=b'~' => char::from(*byte).to_string(),
            other => format!("\\x{other:02x}"),
        })
        .collect();
    format!("{} {shown}", char::from(message.tag))
}
