//! Rows of COPY … TO STDOUT. The server sends whole rows in each CopyData message; one that is not whole is refused, not guessed.

use std::ops::Range;

use gate::masks::Cell;
use gate::release::Malformed;
use gate::{Cells, Content};
use sql::CopyFormat;

use super::{set_length, sized};
use crate::wire::Cursor;
use crate::wire::limits::HEADER;

/// The signature, flags and extension length that a binary copy starts with (COPY, "Binary Format").
const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";

/// One CopyData message from the target.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CopyRows<'a> {
    pub(crate) whole: &'a [u8],
    pub(crate) format: &'a CopyFormat,
    /// Whether it is the first of its copy: the header is in it.
    pub(crate) first: bool,
}

impl Content for CopyRows<'_> {
    fn raw(&self) -> &[u8] {
        self.whole
    }

    fn neutral(&self) -> &[u8] {
        self.whole.get(HEADER..).unwrap_or_default()
    }

    fn rewrite(&self, cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<Range<usize>, Malformed> {
        let start = out.len();
        out.extend_from_slice(self.whole.get(..HEADER).ok_or(Malformed)?);
        let body = self.neutral();
        match self.format {
            CopyFormat::Text { delimiter, null } => text(body, *delimiter, null, cells, out)?,
            CopyFormat::Csv { delimiter, quote, escape, null, header } => {
                let csv = Csv { delimiter: *delimiter, quote: *quote, escape: *escape, null };
                csv.rows(body, *header && self.first, cells, out)?;
            }
            CopyFormat::Binary => binary(body, self.first, cells, out)?,
        }
        set_length(out, start)?;
        Ok(start + HEADER..out.len())
    }

    fn rows(&self) -> u64 {
        let frame = match self.format {
            CopyFormat::Text { .. } => false,
            CopyFormat::Csv { header, .. } => *header && self.first,
            // The trailer; the header comes with the first row.
            CopyFormat::Binary => self.neutral() == [0xff, 0xff],
        };
        u64::from(!frame)
    }
}

fn text(body: &[u8], delimiter: u8, null: &str, cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if body.last() != Some(&b'\n') {
        return Err(Malformed);
    }
    let mut value = Vec::new();
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").ok_or(Malformed)?;
        for (index, field) in split_text(line, delimiter).enumerate() {
            if index > 0 {
                out.push(delimiter);
            }
            if field == null.as_bytes() {
                out.extend_from_slice(field);
                continue;
            }
            unescape(field, &mut value)?;
            let mut masked = Vec::new();
            match cells.cell(index, &value, &mut masked) {
                Cell::Same => out.extend_from_slice(field),
                Cell::Null => out.extend_from_slice(null.as_bytes()),
                Cell::Written => escape(&masked, delimiter, out),
            }
        }
        out.push(b'\n');
    }
    Ok(())
}

/// Fields of a line; a backslash keeps the byte after it from being a delimiter.
fn split_text(line: &[u8], delimiter: u8) -> impl Iterator<Item = &[u8]> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let line = rest?;
        let mut escaped = false;
        let end = line.iter().position(|byte| {
            let here = *byte == delimiter && !escaped;
            escaped = *byte == b'\\' && !escaped;
            here
        });
        match end {
            Some(end) => {
                rest = line.get(end + 1..);
                line.get(..end)
            }
            None => {
                rest = None;
                Some(line)
            }
        }
    })
}

fn unescape(field: &[u8], value: &mut Vec<u8>) -> Result<(), Malformed> {
    value.clear();
    let mut bytes = field.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            value.push(byte);
            continue;
        }
        // CopyAttributeOutText writes these and a backslash before the delimiter, never octal or hexadecimal.
        value.push(match bytes.next().ok_or(Malformed)? {
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'v' => 11,
            other => other,
        });
    }
    Ok(())
}

fn escape(value: &[u8], delimiter: u8, out: &mut Vec<u8>) {
    for byte in value {
        match byte {
            8 => out.extend_from_slice(b"\\b"),
            12 => out.extend_from_slice(b"\\f"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            11 => out.extend_from_slice(b"\\v"),
            b'\\' => out.extend_from_slice(b"\\\\"),
            byte if *byte == delimiter => out.extend_from_slice(&[b'\\', *byte]),
            byte => out.push(*byte),
        }
    }
}

struct Csv<'a> {
    delimiter: u8,
    quote: u8,
    escape: u8,
    null: &'a str,
}

impl Csv<'_> {
    fn rows(&self, body: &[u8], header: bool, cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let mut rest = body;
        let mut header = header;
        let mut value = Vec::new();
        while !rest.is_empty() {
            let mut index = 0;
            loop {
                let (field, end) = self.field(rest, &mut value)?;
                let quoted = field.first() == Some(&self.quote);
                if header || (!quoted && field == self.null.as_bytes()) {
                    out.extend_from_slice(field);
                } else {
                    self.masked(field, index, &value, cells, out);
                }
                let (stop, tail) = rest.get(end..).and_then(<[u8]>::split_first).ok_or(Malformed)?;
                out.push(*stop);
                rest = tail;
                index += 1;
                if *stop == b'\n' {
                    break;
                }
            }
            header = false;
        }
        Ok(())
    }

    fn masked(&self, field: &[u8], index: usize, value: &[u8], cells: &mut Cells<'_>, out: &mut Vec<u8>) {
        let mut masked = Vec::new();
        match cells.cell(index, value, &mut masked) {
            Cell::Same => out.extend_from_slice(field),
            Cell::Null => out.extend_from_slice(self.null.as_bytes()),
            Cell::Written => {
                out.push(self.quote);
                for byte in masked {
                    if byte == self.quote || byte == self.escape {
                        out.push(self.escape);
                    }
                    out.push(byte);
                }
                out.push(self.quote);
            }
        }
    }

    /// The field at the front and where the byte after it is; its value goes to `value`.
    fn field<'b>(&self, rest: &'b [u8], value: &mut Vec<u8>) -> Result<(&'b [u8], usize), Malformed> {
        value.clear();
        let mut at = 0;
        let mut inside = false;
        loop {
            let byte = *rest.get(at).ok_or(Malformed)?;
            let next = rest.get(at + 1).copied();
            if inside {
                let escapes = byte == self.escape && matches!(next, Some(n) if n == self.quote || n == self.escape);
                if escapes {
                    value.push(next.ok_or(Malformed)?);
                    at += 1;
                } else if byte == self.quote {
                    inside = false;
                } else {
                    value.push(byte);
                }
            } else if byte == self.quote {
                inside = true;
            } else if byte == self.delimiter || byte == b'\n' {
                return Ok((rest.get(..at).ok_or(Malformed)?, at));
            } else {
                value.push(byte);
            }
            at += 1;
        }
    }
}

fn binary(body: &[u8], first: bool, cells: &mut Cells<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut rest = body;
    if first {
        let mut header = Cursor::new(rest.strip_prefix(SIGNATURE).ok_or(Malformed)?);
        header.u32("flags").map_err(|_| Malformed)?;
        let extension = header.u32("extension length").map_err(|_| Malformed)?;
        header.bytes(usize::try_from(extension).map_err(|_| Malformed)?, "extension").map_err(|_| Malformed)?;
        let used = rest.len() - header.rest().len();
        out.extend_from_slice(rest.get(..used).ok_or(Malformed)?);
        rest = header.rest();
    }
    while !rest.is_empty() {
        let mut tuple = Cursor::new(rest);
        let count = tuple.i16("number of columns").map_err(|_| Malformed)?;
        out.extend_from_slice(&count.to_be_bytes());
        for index in 0..usize::try_from(count).unwrap_or(0) {
            match tuple.value("value").map_err(|_| Malformed)? {
                None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
                Some(value) => sized(cells, index, value, out)?,
            }
        }
        rest = tuple.rest();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_fields_split_at_bare_delimiters_only() {
        let fields: Vec<_> = split_text(b"a\\\tb\tc\\\\\t", b'\t').collect();
        assert_eq!(fields, [b"a\\\tb".as_slice(), b"c\\\\", b""]);
    }

    #[test]
    fn escapes_round_trip() {
        let value = b"tab\t nl\n back\\ v\x0b pipe|";
        let mut field = Vec::new();
        escape(value, b'|', &mut field);
        let mut back = Vec::new();
        unescape(&field, &mut back).unwrap();
        assert_eq!(back, value);
        assert_eq!(split_text(&field, b'|').count(), 1);
    }

    #[test]
    fn csv_fields_end_outside_quotes_only() {
        let csv = Csv { delimiter: b',', quote: b'"', escape: b'"', null: "" };
        let mut value = Vec::new();
        let (field, end) = csv.field(b"\"a,\"\"b\n\"\"\",x\n", &mut value).unwrap();
        assert_eq!((field, end), (b"\"a,\"\"b\n\"\"\"".as_slice(), 10));
        assert_eq!(value, b"a,\"b\n\"");
        assert_eq!(csv.field(b"unfinished", &mut value), Err(Malformed));
    }
}
