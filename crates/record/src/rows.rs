//! The neutral encoding of result rows: per row a u16 count, then per value an i32 length (-1 is NULL) and the bytes, big-endian.

/// Walks rows; stops at the first byte that is not part of a row.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a> {
    rest: &'a [u8],
}

/// One row: its values, `None` for NULL.
pub type Row<'a> = Vec<Option<&'a [u8]>>;

impl<'a> Rows<'a> {
    /// The rows in these bytes.
    #[must_use]
    pub const fn new(data: &'a [u8]) -> Self {
        Self { rest: data }
    }

    /// What was not read as rows: empty after the last row of sound data.
    #[must_use]
    pub const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    fn row(&self) -> Option<(Row<'a>, &'a [u8])> {
        let (count, mut rest) = self.rest.split_first_chunk::<2>()?;
        let mut row = Vec::new();
        for _ in 0..u16::from_be_bytes(*count) {
            let (length, after) = rest.split_first_chunk::<4>()?;
            let length = i32::from_be_bytes(*length);
            rest = after;
            if length == -1 {
                row.push(None);
                continue;
            }
            let (value, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            rest = after;
            row.push(Some(value));
        }
        Some((row, rest))
    }
}

impl<'a> Iterator for Rows<'a> {
    type Item = Row<'a>;

    fn next(&mut self) -> Option<Row<'a>> {
        let (row, rest) = self.row()?;
        self.rest = rest;
        Some(row)
    }
}

/// Appends one row.
pub fn put_row(out: &mut Vec<u8>, values: &[Option<&[u8]>]) {
    let count = u16::try_from(values.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&count.to_be_bytes());
    for value in values.iter().take(usize::from(count)) {
        let Some(value) = value else {
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            continue;
        };
        let length = i32::try_from(value.len()).unwrap_or(i32::MAX);
        out.extend_from_slice(&length.to_be_bytes());
        out.extend_from_slice(value.get(..length.unsigned_abs() as usize).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_round_trip_and_garbage_stops() {
        let mut data = Vec::new();
        put_row(&mut data, &[Some(b"1"), None, Some(b"")]);
        put_row(&mut data, &[]);
        let mut rows = Rows::new(&data);
        assert_eq!(rows.next(), Some(vec![Some(&b"1"[..]), None, Some(&b""[..])]));
        assert_eq!(rows.next(), Some(vec![]));
        assert_eq!(rows.next(), None);
        assert!(rows.rest().is_empty());
        data.extend_from_slice(&[0, 1, 0, 0, 0, 9]);
        assert_eq!(Rows::new(&data).count(), 2);
    }
}
