//! From what happened to an outcome, by the host's own account.
//!
//! An attack was let through when something on the host is other than before, when a planted secret reached the client in clear or in an
//! encoding that anybody undoes, or when what it sent reached the host and no step of it was refused. A refusal counts only when what
//! was refused did not reach the host. So the gateway's own word is never all there is.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use regex::bytes::Regex;

use super::super::case::{Case, Expect, unhex};
use super::super::judge::{Judged, Outcome};
use super::files::{MASKED, PROTECTED};
use super::host::Ran;
use super::play::{Answer, Done, Played, What};

/// What the host knows.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// What login shells were asked to run.
    pub ran: Vec<Ran>,
    /// Kinds of requests and channels that reached sshd.
    pub requests: BTreeSet<String>,
    /// sshd's log of this case, and its SFTP server's.
    pub log: String,
    /// What is other than before.
    pub changes: Vec<String>,
    /// Whether the oracle's command succeeds on the host.
    pub query: Option<bool>,
    /// Whether the oracle's file exists.
    pub file: bool,
}

impl Facts {
    /// Whether a program came with this variable.
    pub fn has_env(&self, name: &str, value: &str) -> bool {
        let wanted = format!("{name}={value}");
        self.ran.iter().any(|ran| ran.env.iter().any(|one| one == wanted.as_bytes()))
    }

    /// Whether what a step asks for is known to have reached the host; `None` where the host cannot tell.
    fn reached(&self, what: &What) -> Option<bool> {
        match what {
            What::Login | What::Data => None,
            What::Exec(text) => Some(self.ran.iter().any(|ran| ran.text.as_ref() == Some(text))),
            What::Env(name, value) => Some(self.has_env(name, value)),
            // The gateway opens sessions and SFTP of its own.
            What::Open(kind) => (kind != "session").then(|| self.requests.contains(kind)),
            What::Request(kind) => (kind != "subsystem").then(|| self.requests.contains(kind)),
            What::Global(kind) => Some(self.requests.contains(kind)),
            What::File(log) => log.map(|start| self.log.contains(start)),
        }
    }
}

/// Judges a played case.
///
/// # Errors
/// When the oracle's pattern is not a regular expression.
pub fn judge(case: &Case, played: &Played, facts: &Facts) -> Result<Judged> {
    let judged = |outcome, why: String| Ok(Judged::of(case, outcome, why, true));
    if case.expect == Expect::Allow {
        return Ok(match failure(played, facts) {
            Some(why) => Judged::of(case, Outcome::Blocked, why, false),
            None => Judged::of(case, Outcome::Worked, String::new(), false),
        });
    }
    if let Some(why) = harm(case, played, facts)? {
        return judged(Outcome::LetThrough, why);
    }
    let refused = played.steps.iter().find_map(|step| match &step.answer {
        Answer::Refused(why) => Some((step, why)),
        Answer::Granted | Answer::Nothing => None,
    });
    if let Some((step, why)) = refused {
        return match facts.reached(&step.what) {
            Some(true) => judged(Outcome::LetThrough, format!("reached the host, though: {why}")),
            Some(false) | None => judged(Outcome::Refused, format!("{}: {}", named(step), why.replace('\n', " / "))),
        };
    }
    if case.expect == Expect::Mask {
        return judged(Outcome::Masked, String::new());
    }
    let came: Vec<String> =
        played.steps.iter().filter(|step| facts.reached(&step.what) == Some(true)).map(named).collect();
    judged(Outcome::LetThrough, format!("not refused; reached the host: {}", came.join(", ")))
}

fn named(step: &Done) -> String {
    match &step.what {
        What::Login => "login".to_owned(),
        What::Exec(text) => format!("exec {:?}", String::from_utf8_lossy(text).chars().take(60).collect::<String>()),
        What::Env(name, _) => format!("env {name}"),
        What::Request(kind) | What::Global(kind) | What::Open(kind) => kind.clone(),
        What::Data => "data".to_owned(),
        What::File(_) => "sftp".to_owned(),
    }
}

/// Whether the attack worked, by anything but the words of the gateway.
fn harm(case: &Case, played: &Played, facts: &Facts) -> Result<Option<String>> {
    if let Some(change) = facts.changes.first() {
        let more = facts.changes.len() - 1;
        return Ok(Some(format!(
            "on the host: {change}{}",
            if more == 0 { String::new() } else { format!(" and {more} more") }
        )));
    }
    if facts.query == Some(true) || facts.file {
        return Ok(Some("the oracle is true on the host".to_owned()));
    }
    let seen = forms(&played.received)?;
    let has = |needle: &[u8]| seen.iter().any(|form| form.windows(needle.len()).any(|window| window == needle));
    if has(PROTECTED.as_bytes()) {
        return Ok(Some("a protected file's content reached the client".to_owned()));
    }
    if case.expect == Expect::Mask
        && let Some(value) = MASKED.iter().find(|value| has(value.as_bytes()))
    {
        return Ok(Some(format!("reached the client, in clear or encoded: {value}")));
    }
    if let Some(needle) = case.oracle.leak_hex.as_ref().filter(|needle| !needle.is_empty())
        && has(needle)
    {
        return Ok(Some("the oracle's bytes reached the client".to_owned()));
    }
    if let Some(pattern) = &case.oracle.leak_regex {
        let pattern = Regex::new(pattern)?;
        if seen.iter().any(|form| pattern.is_match(form)) {
            return Ok(Some(format!("reached the client: {pattern}")));
        }
    }
    Ok(None)
}

/// What was received, and what comes out when the common encodings are undone.
fn forms(received: &[u8]) -> Result<Vec<Vec<u8>>> {
    let bare: Vec<u8> = received.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let hex: Vec<u8> = bare.iter().copied().filter(u8::is_ascii_hexdigit).collect();
    let even = hex.get(..hex.len() & !1).unwrap_or_default();
    let mut all = vec![
        received.to_vec(),
        received.iter().rev().copied().collect(),
        bare.iter().rev().copied().collect(),
        bare.clone(),
        received.iter().map(|byte| rot13(*byte)).collect(),
        unhex(&String::from_utf8_lossy(even)).unwrap_or_default(),
        xxd(received),
    ];
    for (program, args) in [
        ("base64", &["-d", "-i"][..]),
        ("base32", &["-d", "-i"]),
        ("gzip", &["-dc"]),
        ("bzip2", &["-dc"]),
        ("xz", &["-dc"]),
    ] {
        all.push(through(program, args, received)?);
    }
    Ok(all)
}

/// The bytes of a dump such as `xxd`'s and `od -tx1`'s, whose lines begin with a place and may end with the text.
fn xxd(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for line in String::from_utf8_lossy(text).lines() {
        let words = line.split("  ").next().unwrap_or_default().split_whitespace().skip(1);
        let digits: String = words.take_while(|word| word.bytes().all(|byte| byte.is_ascii_hexdigit())).collect();
        out.extend(unhex(&digits).unwrap_or_default());
    }
    out
}

fn rot13(byte: u8) -> u8 {
    match byte {
        b'a'..=b'm' | b'A'..=b'M' => byte + 13,
        b'n'..=b'z' | b'N'..=b'Z' => byte - 13,
        other => other,
    }
}

/// What a program makes of its input, however it ends; nothing when it is not installed.
fn through(program: &str, args: &[&str], input: &[u8]) -> Result<Vec<u8>> {
    let started =
        Command::new(program).args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let Ok(mut child) = started else { return Ok(Vec::new()) };
    let mut stdin = child.stdin.take().context("its input")?;
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let out = child.wait_with_output()?.stdout;
    let _closed = writer.join();
    Ok(out)
}

/// Why a benign case did not work.
fn failure(played: &Played, facts: &Facts) -> Option<String> {
    for step in &played.steps {
        if let Answer::Refused(why) = &step.answer {
            return Some(format!("{}: {why}", named(step)));
        }
        // A client's connection is still good after a request that the gateway answers by itself.
        if matches!(step.what, What::Exec(_) | What::Env(..)) && facts.reached(&step.what) == Some(false) {
            return Some(format!("did not reach the host: {}", named(step)));
        }
        if step.answer == Answer::Nothing
            && matches!(step.what, What::Exec(_) | What::File(_) | What::Global(_) | What::Open(_))
        {
            return Some(format!("no answer: {}", named(step)));
        }
    }
    let failed = played.exits.iter().flatten().find(|exit| **exit > 1);
    failed.map(|exit| format!("ended with {exit}: {}", String::from_utf8_lossy(&played.received).trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_in_common_encodings() {
        let secret = b"card 4111111111111111\n";
        for (program, args) in
            [("base64", &[][..]), ("gzip", &["-c"]), ("rev", &[]), ("cat", &[]), ("base64", &["-w1"])]
        {
            let encoded = through(program, args, secret).unwrap();
            let found = forms(&encoded).unwrap();
            assert!(found.iter().any(|form| form.windows(16).any(|window| window == b"4111111111111111")), "{program}");
        }
    }
}
