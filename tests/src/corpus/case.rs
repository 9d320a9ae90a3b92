//! The JSON form of a case, read strictly: what the runner does not understand is an error, never skipped in silence.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

/// What must happen to a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Refused.
    Deny,
    /// Held; and, as nobody approves, refused in the end.
    Approve,
    /// The client never sees the value; a refusal is fine too.
    Mask,
    /// Works as without a gateway.
    Allow,
}

impl Expect {
    /// The word of the corpus.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deny => "deny",
            Self::Approve => "approve",
            Self::Mask => "mask",
            Self::Allow => "allow",
        }
    }
}

/// How to know whether an attack worked.
#[derive(Clone, Debug, Default)]
pub struct Oracle {
    /// A query that is true on the server after a bypass.
    pub true_after_bypass: Option<String>,
    /// A pattern that must not appear in what the client receives.
    pub leak_regex: Option<String>,
    /// Bytes that must not appear in what the client receives.
    pub leak_hex: Option<Vec<u8>>,
    /// A file that exists after a bypass.
    pub file_written: Option<String>,
}

impl Oracle {
    /// Whether it can tell anything.
    pub fn is_some(&self) -> bool {
        self.true_after_bypass.is_some()
            || self.leak_regex.is_some()
            || self.leak_hex.is_some()
            || self.file_written.is_some()
    }
}

/// What has to be set up around the input.
#[derive(Clone, Debug, Default)]
pub struct Conditions {
    /// Connect as the superuser instead of as `app`.
    pub superuser: bool,
    /// Statements sent first, on the same connection.
    pub inside: Vec<String>,
    /// `options` of the startup message.
    pub startup_options: Option<String>,
    /// Data for a COPY that the input starts.
    pub copy_in: Option<String>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Name.
    pub id: String,
    /// Family.
    pub class: String,
    /// Policy key: the word before the colon of `policy_assumed`.
    pub key: String,
    /// What is sent, in order.
    pub steps: Vec<Step>,
    /// What must happen.
    pub expect: Expect,
    /// How to know.
    pub oracle: Oracle,
    /// Set-up.
    pub conditions: Conditions,
}

/// One thing to do on the connection.
#[derive(Clone, Debug)]
pub enum Step {
    /// One simple query, byte for byte.
    Query(Vec<u8>),
    /// Another message or request, with its fields.
    Message(String, Map<String, Value>),
    /// A stage direction: `repeat`, `no further traffic`.
    Direction(String),
}

/// The protocol of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Protocol {
    /// PostgreSQL.
    Postgres,
    /// SSH.
    Ssh,
}

impl Protocol {
    /// Those whose cases can be played.
    pub const ALL: [Self; 2] = [Self::Postgres, Self::Ssh];

    /// The word of the corpus.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Ssh => "ssh",
        }
    }
}

/// Reads the cases of one protocol of a JSON Lines file.
///
/// # Errors
/// Names the line and field that is not understood.
pub fn read(path: &Path, protocol: Protocol) -> Result<Vec<Case>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read the corpus {}", path.display()))?;
    let mut cases = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let place = || format!("{}, line {}", path.display(), at + 1);
        let value: Value = serde_json::from_str(line).with_context(place)?;
        if value.get("protocol").and_then(Value::as_str) == Some(protocol.as_str()) {
            cases.push(case(&value, protocol).with_context(place)?);
        }
    }
    Ok(cases)
}

fn case(value: &Value, protocol: Protocol) -> Result<Case> {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
    let assumed = text("policy_assumed").context("no `policy_assumed`")?;
    let key = assumed.split(':').next().unwrap_or_default().trim().to_owned();
    let expect = match text("expect").as_deref() {
        Some("deny") => Expect::Deny,
        Some("approve") => Expect::Approve,
        Some("mask") => Expect::Mask,
        Some("allow") => Expect::Allow,
        other => bail!("`expect` is {other:?}; known: deny, approve, mask, allow"),
    };
    Ok(Case {
        id: text("id").context("no `id`")?,
        class: text("class").unwrap_or_default(),
        key,
        steps: steps(value.get("input").context("no `input`")?, protocol)?,
        expect,
        oracle: oracle(value.get("oracle"))?,
        conditions: conditions(value.get("conditions"))?,
    })
}

fn steps(input: &Value, protocol: Protocol) -> Result<Vec<Step>> {
    let step = match protocol {
        Protocol::Postgres => step,
        Protocol::Ssh => ssh_step,
    };
    match input {
        // A lone string is always SQL, or a program's text, even if it stands in brackets.
        Value::String(sql) => Ok(vec![Step::Query(sql.clone().into_bytes())]),
        Value::Array(items) => items.iter().map(step).collect(),
        Value::Object(_) => Ok(vec![step(input)?]),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            bail!("`input` is neither text, list nor object")
        }
    }
}

fn step(item: &Value) -> Result<Step> {
    match item {
        Value::String(text) => Ok(match direction(text) {
            Some(words) => Step::Direction(words),
            None => Step::Query(text.clone().into_bytes()),
        }),
        Value::Object(fields) => {
            let kind = fields.get("msg").and_then(Value::as_str).unwrap_or("Query").to_owned();
            Ok(match kind.as_str() {
                "Query" => Step::Query(text_of(fields)?),
                _ => Step::Message(kind, fields.clone()),
            })
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            bail!("a step is neither text nor object")
        }
    }
}

/// A request, or an operation on files; a text is a program on a channel of its own.
fn ssh_step(item: &Value) -> Result<Step> {
    match item {
        Value::String(text) => Ok(Step::Query(text.clone().into_bytes())),
        Value::Object(fields) => {
            let kind = fields.get("msg").and_then(Value::as_str);
            let kind = kind.or_else(|| fields.contains_key("sftp").then_some("sftp"));
            Ok(Step::Message(kind.unwrap_or("channel-request").to_owned(), fields.clone()))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => {
            bail!("a step is neither text nor object")
        }
    }
}

/// A text in round brackets is a stage direction, unless it is SQL that begins with a bracket.
fn direction(text: &str) -> Option<String> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?.trim();
    let first = inner.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let sql = ["select", "values", "table", "with", "delete", "insert", "update", "merge"];
    (!inner.starts_with('(') && !sql.contains(&first.as_str())).then(|| inner.to_ascii_lowercase())
}

/// The text of a message that carries SQL: `sql`, `bytes_hex`, or `sql_prefix` + padding + `sql_suffix`.
///
/// # Errors
/// When none of the forms is there.
pub fn text_of(fields: &Map<String, Value>) -> Result<Vec<u8>> {
    let text = |name: &str| fields.get(name).and_then(Value::as_str);
    if let Some(hex) = text("bytes_hex") {
        return unhex(hex);
    }
    if let Some(sql) = text("sql") {
        return Ok(sql.as_bytes().to_vec());
    }
    if let Some(pad) = text("pad") {
        let bytes = fields.get("pad_bytes").and_then(Value::as_u64).context("`pad` without `pad_bytes`")?;
        let mut out = text("sql_prefix").unwrap_or_default().as_bytes().to_vec();
        out.extend(pad.bytes().cycle().take(usize::try_from(bytes)?));
        out.extend_from_slice(text("sql_suffix").unwrap_or_default().as_bytes());
        return Ok(out);
    }
    bail!("a message without `sql`, `bytes_hex` or `pad`: {}", names(fields))
}

/// Reads hexadecimal digits.
///
/// # Errors
/// When a digit is none, or one is missing.
pub fn unhex(text: &str) -> Result<Vec<u8>> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let pairs = digits.chunks(2).map(|pair| {
        let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
        u8::from_str_radix(pair, 16).ok()
    });
    pairs.collect::<Option<Vec<u8>>>().context("not hexadecimal")
}

fn oracle(value: Option<&Value>) -> Result<Oracle> {
    let mut oracle = Oracle::default();
    for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
        let text = value.as_str().map(str::to_owned);
        match name.as_str() {
            "true_after_bypass" => oracle.true_after_bypass = text,
            "leak_regex" => oracle.leak_regex = text,
            "leak_hex" => oracle.leak_hex = text.map(|hex| unhex(&hex)).transpose()?,
            "file_written" => oracle.file_written = text,
            // What every `allow` case is judged by anyway.
            "must_succeed" => {}
            other => bail!("an oracle of unknown kind {other:?}"),
        }
    }
    Ok(oracle)
}

fn conditions(value: Option<&Value>) -> Result<Conditions> {
    let mut conditions = Conditions::default();
    for (name, value) in value.and_then(Value::as_object).into_iter().flatten() {
        let text = value.as_str().map(str::to_owned);
        match name.as_str() {
            "user" => conditions.superuser = matches!(text.as_deref(), Some("superuser" | "postgres")),
            "startup_options" => conditions.startup_options = text,
            "copy_in" => conditions.copy_in = text,
            "inside" => {
                let one = text.into_iter();
                let many = value.as_array().into_iter().flatten().filter_map(|item| item.as_str().map(str::to_owned));
                conditions.inside = one.chain(many).collect();
            }
            other => bail!("a condition of unknown kind {other:?}"),
        }
    }
    Ok(conditions)
}

fn names(fields: &Map<String, Value>) -> String {
    fields.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(json: &str) -> Vec<Step> {
        steps(&serde_json::from_str(json).unwrap(), Protocol::Postgres).unwrap()
    }

    #[test]
    fn brackets_are_directions_only_when_they_are_not_sql() {
        assert!(matches!(&input(r#"["(repeat)"]"#)[..], [Step::Direction(words)] if words == "repeat"));
        assert!(matches!(&input(r#"["(select 1)"]"#)[..], [Step::Query(_)]));
        assert!(matches!(&input(r#"["((select 1))"]"#)[..], [Step::Query(_)]));
        assert!(matches!(&input(r#""(repeat)""#)[..], [Step::Query(_)]));
    }

    #[test]
    fn padding_is_built_to_its_length() {
        let steps = input(r#"{"sql_prefix": "a", "pad": "xy", "pad_bytes": 5, "sql_suffix": "b"}"#);
        assert!(matches!(&steps[..], [Step::Query(text)] if text == b"axyxyxb"));
    }

    #[test]
    fn what_is_not_understood_is_an_error() {
        assert!(unhex("4").is_err());
        assert!(unhex("zz").is_err());
        assert_eq!(unhex("41 42").unwrap(), b"AB");
        assert!(oracle(Some(&serde_json::json!({"surprise": 1}))).is_err());
        assert!(conditions(Some(&serde_json::json!({"surprise": 1}))).is_err());
    }

    #[test]
    fn the_shipped_corpus_is_understood() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/bypass.jsonl");
        assert!(read(&path, Protocol::Postgres).unwrap().len() >= 168);
        assert!(read(&path, Protocol::Ssh).unwrap().len() >= 66);
    }
}
