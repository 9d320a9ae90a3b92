//! `/* sallyport: unmask schema.table.column, … */` at the beginning of a text: columns that its author asks to see in clear, this once.
//! A comment anywhere else is only a comment.

use model::{ColumnRef, Unmask};
use sql::catalog::RelationKind;
use sql::{Catalog, Deps};

/// Columns that one comment may name.
pub const MAX_COLUMNS: usize = 16;
/// Characters of the comment that a complaint repeats.
const QUOTED: usize = 40;

/// Why what is asked for cannot be told. For the client, with nothing in it but its own words.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(String);

/// A column as a comment names it: each part as the catalogue would have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    schema: String,
    table: String,
    column: String,
}

impl From<Named> for ColumnRef {
    /// As it is called, whether it exists or not.
    fn from(named: Named) -> Self {
        Self { relation: format!("{}.{}", named.schema, named.table), column: named.column }
    }
}

/// The columns that the comment at the beginning of a text asks for; none without such a comment. White space may stand before it.
///
/// # Errors
/// When the comment speaks to the gateway and cannot be read.
pub fn asked(text: &str) -> Result<Vec<Named>, Unreadable> {
    let Some(comment) = text.trim_ascii_start().strip_prefix("/*") else {
        return Ok(Vec::new());
    };
    let comment = comment.trim_ascii_start();
    match comment.get(..ADDRESS.len()) {
        Some(address) if address.eq_ignore_ascii_case(ADDRESS) => {}
        Some(_) | None => return Ok(Vec::new()),
    }
    let rest = comment.get(ADDRESS.len()..).unwrap_or_default();
    let Some((words, _)) = rest.split_once("*/") else {
        return Err(Unreadable("the comment does not end".to_owned()));
    };
    if words.contains("/*") {
        return Err(Unreadable("there is a comment inside of the comment".to_owned()));
    }
    let words = words.trim_ascii();
    let (word, list) = words.split_once(|letter: char| letter.is_ascii_whitespace()).unwrap_or((words, ""));
    if !word.eq_ignore_ascii_case("unmask") {
        return Err(Unreadable(format!("`{}` is no word of the gateway: write `unmask`", quoted(word))));
    }
    Reader { left: list.trim_ascii() }.columns()
}

/// Who the comment speaks to.
const ADDRESS: &str = "sallyport:";

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(QUOTED).collect();
    let more = if short.len() < text.len() { "…" } else { "" };
    format!("{}{more}", short.escape_debug())
}

/// What is left of a list of columns.
struct Reader<'t> {
    left: &'t str,
}

impl Reader<'_> {
    fn columns(mut self) -> Result<Vec<Named>, Unreadable> {
        let mut columns: Vec<Named> = Vec::new();
        loop {
            let column = self.column()?;
            if !columns.contains(&column) {
                columns.push(column);
            }
            if columns.len() > MAX_COLUMNS {
                return Err(Unreadable(format!("more than {MAX_COLUMNS} columns: ask for fewer at a time")));
            }
            if self.left.is_empty() {
                return Ok(columns);
            }
            if !self.takes(',') {
                return Err(Unreadable(format!("a comma is missing at `{}`", quoted(self.left))));
            }
        }
    }

    fn column(&mut self) -> Result<Named, Unreadable> {
        let start = self.left;
        let mut parts = vec![self.part()?];
        while self.takes('.') {
            parts.push(self.part()?);
        }
        let written = quoted(start.get(..start.len() - self.left.len()).unwrap_or(start).trim_ascii_end());
        match <[String; 3]>::try_from(parts) {
            // What is not known is called so elsewhere; no such name may be asked for.
            Ok([schema, ..]) if schema.starts_with('?') => Err(Unreadable(format!("`{written}` is no column"))),
            Ok([schema, table, column]) => Ok(Named { schema, table, column }),
            Err(parts) if parts.len() < 3 => {
                Err(Unreadable(format!("`{written}` is not complete: write schema.table.column")))
            }
            Err(_) => Err(Unreadable(format!("`{written}` has too many parts: write schema.table.column"))),
        }
    }

    /// One name, in quotes or not.
    fn part(&mut self) -> Result<String, Unreadable> {
        let name = match self.left.strip_prefix('"') {
            Some(inner) => self.in_quotes(inner)?,
            None => self.bare(),
        };
        if name == "*" || self.left.starts_with('*') {
            return Err(Unreadable("`*` is no column: name each one".to_owned()));
        }
        if name.is_empty() {
            let here = if self.left.is_empty() { "the end".to_owned() } else { format!("`{}`", quoted(self.left)) };
            return Err(Unreadable(format!("a name is missing at {here}: write schema.table.column")));
        }
        self.left = self.left.trim_ascii_start();
        Ok(name)
    }

    /// Unquoted names are stored in small letters.
    fn bare(&mut self) -> String {
        let inside = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$') || !letter.is_ascii();
        let end = self.left.find(|letter| !inside(letter)).unwrap_or(self.left.len());
        let (name, rest) = self.left.split_at(end);
        if name.starts_with(|first: char| first.is_ascii_digit() || first == '$') {
            return String::new();
        }
        self.left = rest;
        name.to_ascii_lowercase()
    }

    fn in_quotes(&mut self, inner: &str) -> Result<String, Unreadable> {
        let mut name = String::new();
        let mut letters = inner.char_indices().peekable();
        while let Some((at, letter)) = letters.next() {
            if letter != '"' {
                name.push(letter);
            } else if letters.next_if(|(_, next)| *next == '"').is_some() {
                name.push('"');
            } else {
                let end = self.left.len() - inner.len() + at + 1;
                self.left = self.left.get(end..).unwrap_or_default();
                return Ok(name);
            }
        }
        Err(Unreadable("a quoted name does not end".to_owned()))
    }

    fn takes(&mut self, sign: char) -> bool {
        let Some(rest) = self.left.strip_prefix(sign) else {
            return false;
        };
        self.left = rest.trim_ascii_start();
        true
    }
}

/// What names stand for is in doubt.
pub(crate) fn in_doubt() -> Unreadable {
    Unreadable("names were changed in the transaction that is open: end it first".to_owned())
}

/// What the columns are by the catalogue. A view's column is asked for together with what it is made of, and so is a generated one: it
/// is those values that masks hide.
///
/// # Errors
/// When there is no such column, or it cannot be told what a view's column is made of.
pub(crate) fn resolve(asked: Vec<Named>, catalog: &Catalog) -> Result<Vec<Unmask>, Unreadable> {
    let mut found: Vec<Unmask> = Vec::new();
    for named in asked {
        let place = catalog.find_column(&named.schema, &named.table, &named.column);
        let column = ColumnRef::from(named);
        let Some((table, attribute)) = place else {
            return Err(Unreadable(format!("there is no column {column}, or it could not be looked up")));
        };
        for one in with_below(column, table, attribute, catalog)? {
            if !found.contains(&one) {
                found.push(one);
            }
        }
    }
    Ok(found)
}

fn with_below(column: ColumnRef, table: u32, attribute: i16, catalog: &Catalog) -> Result<Vec<Unmask>, Unreadable> {
    let view = matches!(catalog.relation_kind(table), Some(RelationKind::View | RelationKind::Materialized));
    let made = view || catalog.is_generated(table, attribute);
    match catalog.below_column(table, attribute) {
        Deps::Clean => Ok(vec![column.into()]),
        Deps::Same { column: base, names, .. } => {
            let own = Unmask { column, names: names.clone() };
            Ok(vec![own, Unmask { column: base, names }])
        }
        // All columns of a relation are not asked for by one name.
        Deps::Columns(sources) if made && sources.iter().all(|below| below.column.column != "*") => {
            let below = sources.into_iter().map(|source| source.column);
            Ok(std::iter::once(column).chain(below).map(Unmask::from).collect())
        }
        Deps::Columns(sources) if !made => {
            Ok(vec![Unmask { column, names: sources.into_iter().map(|source| source.column).collect() }])
        }
        Deps::Columns(_) | Deps::Unknown | Deps::Anything => {
            Err(Unreadable(format!("it cannot be told what {column} is made of: name the columns below it")))
        }
    }
}

#[cfg(test)]
mod tests;
