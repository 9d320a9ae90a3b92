//! Descriptions and rows: RowDescription, ParameterDescription, DataRow (54.7).

use super::WireError;
use super::cursor::{Cursor, Text};

/// How a value is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// As the type's output function writes it.
    Text,
    /// As the type's send function writes it.
    Binary,
}

impl Format {
    /// Reads a format code.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for anything but 0 and 1.
    pub const fn from_code(code: i16) -> Result<Self, WireError> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => Err(WireError::BadValue("format code")),
        }
    }

    /// The code.
    #[must_use]
    pub const fn code(self) -> i16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

/// One column of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its label.
    pub name: Text<'a>,
    /// The table that it comes from; 0 when it is not a plain column.
    pub table_oid: u32,
    /// The column's number in that table; 0 when it is not a plain column.
    pub attribute: i16,
    /// Its data type.
    pub type_oid: u32,
    /// The type's size in bytes; negative for variable sizes.
    pub type_length: i16,
    /// The type's modifier; -1 for none.
    pub type_modifier: i32,
    /// How its values are written. In the answer to Describe of a statement always text: not known yet.
    pub format: Format,
}

/// The columns of a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RowDescription<'a> {
    count: u16,
    fields: &'a [u8],
}

impl<'a> RowDescription<'a> {
    /// Reads a body, and every field in it once.
    ///
    /// # Errors
    /// When fields are cut short, or bytes follow the last.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(body);
        let count = count(&mut cursor, "number of columns")?;
        let this = Self { count, fields: cursor.rest() };
        for _ in 0..count {
            field(&mut cursor)?;
        }
        cursor.finish()?;
        Ok(this)
    }

    /// How many columns.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The columns.
    pub fn fields(&self) -> impl Iterator<Item = Field<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.fields);
        // Read once by `parse`: none of these fails.
        (0..self.count).map_while(move |_| field(&mut cursor).ok())
    }
}

fn field<'a>(cursor: &mut Cursor<'a>) -> Result<Field<'a>, WireError> {
    Ok(Field {
        name: cursor.text("column name")?,
        table_oid: cursor.u32("table OID")?,
        attribute: cursor.i16("column number")?,
        type_oid: cursor.u32("type OID")?,
        type_length: cursor.i16("type size")?,
        type_modifier: cursor.i32("type modifier")?,
        format: Format::from_code(cursor.i16("format code")?)?,
    })
}

/// The types of a statement's parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterTypes<'a> {
    oids: &'a [u8],
}

impl<'a> ParameterTypes<'a> {
    /// Reads a count and as many OIDs from the front of `cursor`.
    ///
    /// # Errors
    /// When OIDs are missing.
    pub fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let count = cursor.u16("number of parameter types")?;
        let oids = cursor.bytes(usize::from(count).saturating_mul(4), "parameter types")?;
        Ok(Self { oids })
    }

    /// How many.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.oids.len() / 4
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.oids.is_empty()
    }

    /// The OIDs; in a Parse message 0 means "infer it".
    pub fn oids(&self) -> impl Iterator<Item = u32> + use<'a> {
        self.oids.as_chunks::<4>().0.iter().map(|oid| u32::from_be_bytes(*oid))
    }
}

/// One row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataRow<'a> {
    count: u16,
    cells: &'a [u8],
}

impl<'a> DataRow<'a> {
    /// Reads the number of columns. The cells are read, and checked, as they are walked: a row is walked at most once.
    ///
    /// # Errors
    /// When there is no count.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(body);
        let count = count(&mut cursor, "number of columns")?;
        Ok(Self { count, cells: cursor.rest() })
    }

    /// How many cells.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The cells in order; `None` is null. A row that is cut short, or goes on after its last cell, ends in an error.
    #[must_use]
    pub const fn cells(&self) -> Cells<'a> {
        Cells { left: self.count, cursor: Cursor::new(self.cells), over: false }
    }
}

/// Walks the cells of a [`DataRow`]; stops after the first error.
#[derive(Clone, Debug)]
pub struct Cells<'a> {
    left: u16,
    cursor: Cursor<'a>,
    over: bool,
}

impl<'a> Iterator for Cells<'a> {
    type Item = Result<Option<&'a [u8]>, WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        let Some(left) = self.left.checked_sub(1) else {
            self.over = true;
            return self.cursor.clone().finish().err().map(Err);
        };
        self.left = left;
        let cell = self.cursor.value("cell");
        self.over = cell.is_err();
        Some(cell)
    }
}

/// A count of columns: at most 1,664 in a result, so a negative one is nonsense.
fn count(cursor: &mut Cursor<'_>, what: &'static str) -> Result<u16, WireError> {
    u16::try_from(cursor.i16(what)?).map_err(|_| WireError::BadCount(what))
}
