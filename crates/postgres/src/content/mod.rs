//! Where readable data sits in a target's replies, so that the gate can mask and record it.
//!
//! - [`Row`]: a DataRow; its body is the recording's neutral form already
//! - [`copy`]: rows of COPY … TO STDOUT in text, CSV and binary

pub(crate) mod copy;

use std::ops::Range;

use gate::masks::Cell;
use gate::release::Malformed;
use gate::{Cells, Content};

use crate::wire::DataRow;
use crate::wire::limits::HEADER;

/// A DataRow message.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    whole: &'a [u8],
}

impl<'a> Row<'a> {
    pub(crate) const fn new(whole: &'a [u8]) -> Self {
        Self { whole }
    }
}

impl Content for Row<'_> {
    fn raw(&self) -> &[u8] {
        self.whole
    }

    fn neutral(&self) -> &[u8] {
        self.whole.get(HEADER..).unwrap_or_default()
    }

    fn rewrite(&self, cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<Range<usize>, Malformed> {
        let row = DataRow::parse(self.neutral()).map_err(|_| Malformed)?;
        let start = out.len();
        out.extend_from_slice(self.whole.get(..HEADER + 2).ok_or(Malformed)?);
        for (index, value) in row.cells().enumerate() {
            match value.map_err(|_| Malformed)? {
                None => out.extend_from_slice(&NULL),
                Some(value) => sized(cells, index, value, out)?,
            }
        }
        set_length(out, start)?;
        Ok(start + HEADER..out.len())
    }
}

/// The length of a null.
const NULL: [u8; 4] = (-1_i32).to_be_bytes();

/// Writes one value with its length before it, through its mask.
fn sized(cells: &mut Cells<'_>, index: usize, value: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let at = out.len();
    out.extend_from_slice(&NULL);
    match cells.cell(index, value, out) {
        Cell::Null => return Ok(()),
        Cell::Same => out.extend_from_slice(value),
        Cell::Written => {}
    }
    let len = i32::try_from(out.len() - at - NULL.len()).map_err(|_| Malformed)?;
    out.get_mut(at..at + NULL.len()).ok_or(Malformed)?.copy_from_slice(&len.to_be_bytes());
    Ok(())
}

/// Sets the length field of the message that starts at `start` and ends with the buffer.
fn set_length(out: &mut [u8], start: usize) -> Result<(), Malformed> {
    let len = u32::try_from(out.len() - start - 1).map_err(|_| Malformed)?;
    out.get_mut(start + 1..start + HEADER).ok_or(Malformed)?.copy_from_slice(&len.to_be_bytes());
    Ok(())
}
