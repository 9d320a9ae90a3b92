//! Errors and notices: a sequence of typed fields (54.8).

use super::WireError;
use super::cursor::{Cursor, Text};

/// The field types that the gateway names. Others are walked over like them.
pub mod code {
    /// Severity, perhaps translated.
    pub const SEVERITY: u8 = b'S';
    /// Severity, never translated.
    pub const SEVERITY_PLAIN: u8 = b'V';
    /// SQLSTATE.
    pub const SQLSTATE: u8 = b'C';
    /// The primary text.
    pub const MESSAGE: u8 = b'M';
    /// More of it.
    pub const DETAIL: u8 = b'D';
    /// What to do.
    pub const HINT: u8 = b'H';
    /// Where in the statement, in characters from 1.
    pub const POSITION: u8 = b'P';
    /// Where in an internal statement.
    pub const INTERNAL_POSITION: u8 = b'p';
    /// The internal statement.
    pub const INTERNAL_QUERY: u8 = b'q';
    /// The call stack.
    pub const WHERE: u8 = b'W';
    /// Schema.
    pub const SCHEMA: u8 = b's';
    /// Table.
    pub const TABLE: u8 = b't';
    /// Column.
    pub const COLUMN: u8 = b'c';
    /// Data type.
    pub const DATA_TYPE: u8 = b'd';
    /// Constraint.
    pub const CONSTRAINT: u8 = b'n';
    /// Source file.
    pub const FILE: u8 = b'F';
    /// Source line.
    pub const LINE: u8 = b'L';
    /// Source routine.
    pub const ROUTINE: u8 = b'R';
}

/// The fields of an ErrorResponse or NoticeResponse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportFields<'a> {
    body: &'a [u8],
}

impl<'a> ReportFields<'a> {
    /// Reads a body, and every field in it once.
    ///
    /// # Errors
    /// When a field or the end mark is missing, or bytes follow it.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(body);
        while cursor.u8("field type")? != 0 {
            cursor.text("field")?;
        }
        cursor.finish()?;
        Ok(Self { body })
    }

    /// Type and text of each field, in order.
    pub fn fields(&self) -> impl Iterator<Item = (u8, Text<'a>)> + use<'a> {
        let mut cursor = Cursor::new(self.body);
        std::iter::from_fn(move || match cursor.u8("field type") {
            Ok(0) | Err(_) => None,
            Ok(kind) => cursor.text("field").ok().map(|text| (kind, text)),
        })
    }

    /// The first field of a type.
    #[must_use]
    pub fn field(&self, kind: u8) -> Option<Text<'a>> {
        self.fields().find(|(found, _)| *found == kind).map(|(_, text)| text)
    }

    /// The SQLSTATE, if it is one: five digits and upper-case letters.
    #[must_use]
    pub fn sqlstate(&self) -> Option<&'a str> {
        let code = self.field(code::SQLSTATE)?.to_str()?;
        let valid = code.len() == 5 && code.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
        valid.then_some(code)
    }

    /// The severity as no locale translates it.
    #[must_use]
    pub fn severity(&self) -> Option<Text<'a>> {
        self.field(code::SEVERITY_PLAIN).or_else(|| self.field(code::SEVERITY))
    }
}

/// An error or a notice in the gateway's own words, to be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Report<'a> {
    /// `ERROR`, `FATAL`, `NOTICE`, `WARNING`, …
    pub severity: &'a str,
    /// Five characters.
    pub sqlstate: &'a str,
    /// One line.
    pub message: &'a str,
    /// More, perhaps on several lines.
    pub detail: Option<&'a str>,
    /// What to do.
    pub hint: Option<&'a str>,
    /// Where in the statement, in characters from 1.
    pub position: Option<u32>,
}
