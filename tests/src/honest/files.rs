//! The files of `tests/honest/`: statements with empty lines between them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

/// The folder of the statements.
pub(super) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("honest")
}

/// One message of a tool: mostly one statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Statement {
    /// The line of its file at which it begins.
    pub(super) line: usize,
    /// What is sent; `{{…}}` stands for the number of an object.
    pub(super) text: String,
    /// `!with`: its parameters, sent by the extended protocol.
    pub(super) with: Vec<Option<String>>,
    /// `!masked`: the columns of its result whose every value the masks change.
    pub(super) masked: Vec<String>,
    /// `!varies`: its values are different each time it is asked.
    pub(super) varies: bool,
}

/// Reads a file's statements.
pub(super) fn read(path: &Path) -> Result<Vec<Statement>> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read {}", path.display()))?;
    parse(&text).with_context(|| format!("read {}", path.display()))
}

fn parse(text: &str) -> Result<Vec<Statement>> {
    let mut all = Vec::new();
    let mut block: Vec<&str> = Vec::new();
    for (at, line) in text.lines().chain([""]).enumerate() {
        if !line.trim().is_empty() {
            block.push(line);
            continue;
        }
        let statement = block_statement(&block, at + 1 - block.len())?;
        all.extend(statement);
        block.clear();
    }
    Ok(all)
}

fn block_statement(block: &[&str], line: usize) -> Result<Option<Statement>> {
    let mut made = Statement { line, text: String::new(), with: Vec::new(), masked: Vec::new(), varies: false };
    let mut text = Vec::new();
    for part in block {
        match part.strip_prefix("-- !") {
            Some(word) => directive(word, &mut made)?,
            // Headings are for people.
            None if text.is_empty() && part.starts_with("-- ") => {}
            None => text.push(*part),
        }
    }
    made.text = text.join("\n");
    Ok((!made.text.is_empty()).then_some(made))
}

fn directive(word: &str, made: &mut Statement) -> Result<()> {
    if let Some(list) = word.strip_prefix("with ") {
        made.with = values(list)?;
    } else if let Some(list) = word.strip_prefix("masked ") {
        made.masked = list.split(',').map(|name| name.trim().to_owned()).collect();
    } else if word == "varies" {
        made.varies = true;
    } else {
        bail!("not understood: -- !{word}");
    }
    Ok(())
}

/// `'a', NULL, 'it''s'`.
fn values(list: &str) -> Result<Vec<Option<String>>> {
    let mut all = Vec::new();
    let mut rest = list.trim();
    loop {
        if let Some(after) = rest.strip_prefix("NULL") {
            all.push(None);
            rest = after;
        } else {
            let (value, after) = quoted(rest).with_context(|| format!("no value at {rest:?}"))?;
            all.push(Some(value));
            rest = after;
        }
        match rest.trim_start().strip_prefix(',') {
            Some(after) => rest = after.trim_start(),
            None if rest.trim().is_empty() => return Ok(all),
            None => bail!("no comma at {rest:?}"),
        }
    }
}

fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('\'')?;
    let mut value = String::new();
    loop {
        let (before, after) = rest.split_once('\'')?;
        value.push_str(before);
        match after.strip_prefix('\'') {
            Some(more) => {
                value.push('\'');
                rest = more;
            }
            None => return Some((value, after)),
        }
    }
}

/// Puts the numbers of this server's objects where `{{…}}` names them.
pub(super) fn fill(text: &str, mut number: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, mut after)) = rest.split_once("{{") {
        out.push_str(before);
        // `{{{` is an array's brace before a name.
        while let Some(name) = after.strip_prefix('{') {
            out.push('{');
            after = name;
        }
        let (name, after) = after.split_once("}}").context("{{ without }}")?;
        out.push_str(&number(name)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_and_their_directives_are_read() {
        let read =
            parse("-- head\n\n-- !with 'it''s', NULL\nSELECT $1,\n $2\n\n\n-- !masked a, b\n-- !varies\nTABLE t\n")
                .unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].line, read[0].text.as_str()), (3, "SELECT $1,\n $2"));
        assert_eq!(read[0].with, [Some("it's".to_owned()), None]);
        assert_eq!((read[1].masked.as_slice(), read[1].varies), (["a".to_owned(), "b".to_owned()].as_slice(), true));
        assert!(parse("-- !maskd a\nSELECT 1").is_err());
        assert!(parse("-- !with 'a\nSELECT 1").is_err());
    }

    #[test]
    fn numbers_take_the_place_of_names() {
        let filled = fill("a = {{x}} AND b = '{{{y}},{{z}}}'", |name| Ok(name.to_uppercase())).unwrap();
        assert_eq!(filled, "a = X AND b = '{Y,Z}'");
        assert!(fill("{{x", |_| Ok(String::new())).is_err());
    }
}
