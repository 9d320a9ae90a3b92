//! What a client got for one message, and what is different between two such answers.

use anyhow::Result;

use super::files::Statement;
use crate::kit::message::{self, Message};
use crate::kit::wire::{PATIENCE, Wire};

pub(crate) type Cell = Option<Vec<u8>>;

/// The rows of one statement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Set {
    /// Name and type of each column; a COPY's columns have their position as name.
    columns: Vec<(String, u32)>,
    rows: Vec<Vec<Cell>>,
}

/// What came back for one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    sets: Vec<Set>,
    /// The error's SQLSTATE, message and detail.
    pub(crate) error: Option<String>,
}

impl Answer {
    /// How many rows came.
    pub(super) fn rows(&self) -> usize {
        self.sets.iter().map(|set| set.rows.len()).sum()
    }

    fn read(messages: &[Message]) -> Self {
        let mut answer = Self::default();
        let mut copied = None;
        for message in messages {
            match message.tag {
                b'T' => answer.sets.push(Set { columns: columns(&message.body), rows: Vec::new() }),
                b'D' => answer.last().rows.push(message.cells()),
                b'H' => copied = Some(Vec::new()),
                b'd' => copied.get_or_insert_default().extend_from_slice(&message.body),
                b'c' => answer.sets.push(copy_set(&copied.take().unwrap_or_default())),
                b'E' => {
                    let field = |code| message.field(code).unwrap_or_default();
                    answer.error = Some(format!("{} {} ({})", field(b'C'), field(b'M'), field(b'D')));
                }
                _ => {}
            }
        }
        if messages.last().map(|last| last.tag) != Some(b'Z') {
            answer.error.get_or_insert_with(|| "the connection closed".to_owned());
        }
        answer
    }

    /// A row without a description before it still belongs somewhere.
    fn last(&mut self) -> &mut Set {
        if self.sets.is_empty() {
            self.sets.push(Set::default());
        }
        let last = self.sets.len() - 1;
        &mut self.sets[last]
    }
}

/// Sends a statement and reads what comes back.
pub(crate) fn ask(wire: &mut Wire, text: &str, with: &[Option<String>]) -> Result<Answer> {
    if with.is_empty() {
        return Ok(Answer::read(&wire.query(text)?));
    }
    let values: Vec<Cell> = with.iter().map(|value| value.clone().map(String::into_bytes)).collect();
    let sent = [
        message::parse("", text.as_bytes(), &[]),
        message::bind("", "", &values, 0, 0),
        message::named(b'D', b'P', ""),
        message::execute("", 0),
        message::sync(),
    ];
    wire.send(&sent.concat())?;
    Ok(Answer::read(&wire.until_ready(PATIENCE)?))
}

/// The cells that differ, as they came directly and through the gateway; `Err` when the answers differ in more than cells.
pub(crate) fn changed_cells<'a>(
    direct: &'a Answer,
    through: &'a Answer,
) -> std::result::Result<Vec<(&'a Cell, &'a Cell)>, String> {
    let shapes = |answer: &Answer| -> Vec<(Vec<(String, u32)>, usize)> {
        answer.sets.iter().map(|set| (set.columns.clone(), set.rows.len())).collect()
    };
    if shapes(direct) != shapes(through) {
        return Err("other columns, or another number of rows".to_owned());
    }
    let rows = direct.sets.iter().flat_map(|set| &set.rows).zip(through.sets.iter().flat_map(|set| &set.rows));
    Ok(rows.flat_map(|(row, seen)| row.iter().zip(seen)).filter(|(real, seen)| real != seen).collect())
}

/// What is different through the gateway; `None` when nothing is that should not be.
pub(super) fn difference(statement: &Statement, masks: bool, direct: &Answer, through: &Answer) -> Option<String> {
    if direct.sets.len() != through.sets.len() {
        return Some(format!("{} results, directly {}", through.sets.len(), direct.sets.len()));
    }
    let masked = |name: &str| masks && statement.masked.iter().any(|column| column == name);
    for (one, other) in direct.sets.iter().zip(&through.sets) {
        if one.columns != other.columns {
            return Some(format!("columns {:?}, directly {:?}", other.columns, one.columns));
        }
        if statement.varies {
            continue;
        }
        if one.rows.len() != other.rows.len() {
            return Some(format!("{} rows, directly {}", other.rows.len(), one.rows.len()));
        }
        for (at, (row, seen)) in one.rows.iter().zip(&other.rows).enumerate() {
            let named = one.columns.iter().map(|(name, _)| name.as_str());
            for ((name, real), seen) in named.zip(row).zip(seen) {
                let right = if masked(name) { real.is_none() || real != seen } else { real == seen };
                if !right {
                    return Some(format!("row {at}, {name}: {}, directly {}", shown(seen), shown(real)));
                }
            }
        }
    }
    let known = |name: &String| direct.sets.iter().any(|set| set.columns.iter().any(|(column, _)| column == name));
    let unknown = statement.masked.iter().find(|name| !known(name));
    unknown.map(|name| format!("it has no column {name} that could be masked"))
}

fn shown(cell: &Cell) -> String {
    cell.as_ref().map_or_else(|| "NULL".to_owned(), |bytes| format!("{:.80?}", String::from_utf8_lossy(bytes)))
}

/// Names and types of a `RowDescription`.
fn columns(body: &[u8]) -> Vec<(String, u32)> {
    let mut all = Vec::new();
    let mut rest = body.get(2..).unwrap_or_default();
    while let Some(end) = rest.iter().position(|byte| *byte == 0) {
        let name = String::from_utf8_lossy(rest.get(..end).unwrap_or_default()).into_owned();
        let fixed = rest.get(end + 1..).unwrap_or_default();
        let Some(oid) = fixed.get(6..10).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes) else {
            break;
        };
        all.push((name, oid));
        rest = fixed.get(18..).unwrap_or_default();
    }
    all
}

/// The lines of a COPY in text form, cut into columns.
fn copy_set(bytes: &[u8]) -> Set {
    let text = String::from_utf8_lossy(bytes);
    let cut = |line: &str| line.split('\t').map(|cell| Some(cell.as_bytes().to_vec())).collect::<Vec<Cell>>();
    let rows: Vec<Vec<Cell>> = text.lines().map(cut).collect();
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    Set { columns: (1..=count).map(|at| (at.to_string(), 0)).collect(), rows }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: &[[&str; 2]]) -> Answer {
        let columns = vec![("id".to_owned(), 23), ("email".to_owned(), 25)];
        let rows = rows.iter().map(|row| row.iter().map(|cell| Some(cell.as_bytes().to_vec())).collect()).collect();
        Answer { sets: vec![Set { columns, rows }], error: None }
    }

    fn statement(masked: &[&str], varies: bool) -> Statement {
        let masked = masked.iter().map(|name| (*name).to_owned()).collect();
        Statement { line: 1, text: String::new(), with: Vec::new(), masked, varies }
    }

    #[test]
    fn only_what_is_said_to_be_masked_may_differ_and_all_of_it_must() {
        let (direct, through) = (answer(&[["1", "a@b"], ["2", "c@d"]]), answer(&[["1", "***"], ["2", "***"]]));
        let masked = statement(&["email"], false);
        assert_eq!(difference(&masked, true, &direct, &through), None);
        assert!(difference(&masked, false, &direct, &through).is_some());
        assert!(difference(&masked, true, &direct, &answer(&[["1", "***"], ["2", "c@d"]])).is_some());
        assert!(difference(&masked, true, &direct, &answer(&[["9", "***"], ["2", "***"]])).is_some());
        assert!(difference(&masked, true, &direct, &answer(&[["1", "***"]])).is_some());
        assert!(difference(&statement(&["mail"], false), true, &direct, &direct).is_some());
        assert!(difference(&statement(&[], false), true, &direct, &through).is_some());
        assert_eq!(difference(&statement(&[], true), true, &direct, &through), None);
    }

    #[test]
    fn descriptions_and_copies_are_read() {
        let mut body = vec![0, 1];
        body.extend_from_slice(b"id\0");
        body.extend_from_slice(&[0, 0, 0, 0, 0, 1, 0, 0, 0, 23, 0, 4, 255, 255, 255, 255, 0, 0]);
        assert_eq!(columns(&body), [("id".to_owned(), 23)]);
        assert_eq!(copy_set(b"1\ta\n2\tb\n").rows.len(), 2);
    }
}
