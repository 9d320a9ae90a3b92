//! PostgreSQL's messages as bytes: what a client sends, and the parts of a server's answer that tests look at.

/// One message of the server: its type byte and its body, without the length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The type byte, for example `D` for `DataRow`.
    pub tag: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

impl Message {
    /// The field of an `ErrorResponse` or `NoticeResponse` with this code (`C` is the SQLSTATE, `M` the message).
    pub fn field(&self, code: u8) -> Option<String> {
        self.fields()
            .into_iter()
            .find(|(at, _)| *at == code)
            .map(|(_, text)| String::from_utf8_lossy(&text).into_owned())
    }

    /// All fields of an `ErrorResponse` or `NoticeResponse`.
    pub fn fields(&self) -> Vec<(u8, Vec<u8>)> {
        let mut fields = Vec::new();
        for part in self.body.split(|byte| *byte == 0) {
            if let Some((code, text)) = part.split_first() {
                fields.push((*code, text.to_vec()));
            }
        }
        fields
    }

    /// The cells of a `DataRow` (tag `D`); `None` is NULL. Empty when the message is malformed.
    pub fn cells(&self) -> Vec<Option<Vec<u8>>> {
        read_cells(&self.body).unwrap_or_default()
    }

    /// One line for people: the type, and for errors and notices the SQLSTATE and text.
    pub fn describe(&self) -> String {
        let kind = char::from(self.tag);
        match self.tag {
            b'E' | b'N' => {
                format!("{kind} {} {}", self.field(b'C').unwrap_or_default(), self.field(b'M').unwrap_or_default())
            }
            _ => format!("{kind} {} bytes", self.body.len()),
        }
    }
}

fn read_cells(body: &[u8]) -> Option<Vec<Option<Vec<u8>>>> {
    let (count, mut rest) = body.split_first_chunk::<2>()?;
    let mut cells = Vec::new();
    for _ in 0..u16::from_be_bytes(*count) {
        let (length, after) = rest.split_first_chunk::<4>()?;
        rest = after;
        match usize::try_from(i32::from_be_bytes(*length)) {
            Err(_) => cells.push(None),
            Ok(length) => {
                cells.push(Some(rest.get(..length)?.to_vec()));
                rest = rest.get(length..)?;
            }
        }
    }
    Some(cells)
}

/// Takes the next whole message from the front of `bytes` and says how many bytes it was.
pub fn split(bytes: &[u8]) -> Option<(Message, usize)> {
    let (tag, rest) = bytes.split_first()?;
    let (length, _) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let body = rest.get(4..length.max(4))?.to_vec();
    Some((Message { tag: *tag, body }, 1 + length.max(4)))
}

/// A message with a type byte, framed.
pub fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    out.extend_from_slice(&length(body.len() + 4));
    out.extend_from_slice(body);
    out
}

/// A message without a type byte: `StartupMessage`, `CancelRequest`, `SSLRequest`.
pub fn untagged(body: &[u8]) -> Vec<u8> {
    let mut out = length(body.len() + 4).to_vec();
    out.extend_from_slice(body);
    out
}

/// `StartupMessage` of protocol 3.0 with these parameters.
pub fn startup(parameters: &[(String, String)]) -> Vec<u8> {
    let mut body = 196_608_u32.to_be_bytes().to_vec();
    for (name, value) in parameters {
        body.extend(cstr(name.as_bytes()));
        body.extend(cstr(value.as_bytes()));
    }
    body.push(0);
    untagged(&body)
}

/// `SSLRequest`.
pub fn ssl_request() -> Vec<u8> {
    untagged(&80_877_103_u32.to_be_bytes())
}

/// `CancelRequest`.
pub fn cancel(pid: i32, key: &[u8]) -> Vec<u8> {
    let mut body = 80_877_102_u32.to_be_bytes().to_vec();
    body.extend_from_slice(&pid.to_be_bytes());
    body.extend_from_slice(key);
    untagged(&body)
}

/// `Query`. The text is sent as it is; a final NUL is added unless it already ends with one.
pub fn query(text: &[u8]) -> Vec<u8> {
    let mut body = text.to_vec();
    if body.last() != Some(&0) {
        body.push(0);
    }
    framed(b'Q', &body)
}

/// `Parse` with optional parameter types.
pub fn parse(name: &str, text: &[u8], types: &[u32]) -> Vec<u8> {
    let mut body = cstr(name.as_bytes());
    body.extend(cstr(text));
    body.extend_from_slice(&count(types.len()));
    for oid in types {
        body.extend_from_slice(&oid.to_be_bytes());
    }
    framed(b'P', &body)
}

/// `Bind` with values in one format for all (`0` text, `1` binary) and one result format for all.
pub fn bind(portal: &str, statement: &str, values: &[Option<Vec<u8>>], format: u16, results: u16) -> Vec<u8> {
    let mut body = cstr(portal.as_bytes());
    body.extend(cstr(statement.as_bytes()));
    body.extend_from_slice(&1_u16.to_be_bytes());
    body.extend_from_slice(&format.to_be_bytes());
    body.extend(cells(values));
    body.extend_from_slice(&1_u16.to_be_bytes());
    body.extend_from_slice(&results.to_be_bytes());
    framed(b'B', &body)
}

/// `Describe` (tag `D`) or `Close` (tag `C`) of a statement (`S`) or portal (`P`).
pub fn named(tag: u8, what: u8, name: &str) -> Vec<u8> {
    let mut body = vec![what];
    body.extend(cstr(name.as_bytes()));
    framed(tag, &body)
}

/// `Execute` of at most `rows` rows; `0` is all.
pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
    let mut body = cstr(portal.as_bytes());
    body.extend_from_slice(&rows.to_be_bytes());
    framed(b'E', &body)
}

/// `FunctionCall` with arguments and result in text format.
pub fn function_call(oid: u32, arguments: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut body = oid.to_be_bytes().to_vec();
    body.extend_from_slice(&0_u16.to_be_bytes());
    body.extend(cells(arguments));
    body.extend_from_slice(&0_u16.to_be_bytes());
    framed(b'F', &body)
}

/// `Sync`.
pub fn sync() -> Vec<u8> {
    framed(b'S', &[])
}

fn cells(values: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut out = count(values.len()).to_vec();
    for value in values {
        match value {
            None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
            Some(bytes) => {
                out.extend_from_slice(&length(bytes.len()));
                out.extend_from_slice(bytes);
            }
        }
    }
    out
}

fn cstr(text: &[u8]) -> Vec<u8> {
    let mut out = text.to_vec();
    out.push(0);
    out
}

fn length(bytes: usize) -> [u8; 4] {
    u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes()
}

fn count(items: usize) -> [u8; 2] {
    u16::try_from(items).unwrap_or(u16::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_split_where_they_end_and_not_before() {
        let mut bytes = framed(b'D', &[0, 1, 0, 0, 0, 1, b'x']);
        let whole = bytes.len();
        bytes.push(b'Z');
        for short in 0..whole {
            assert!(split(&bytes[..short]).is_none());
        }
        let (message, used) = split(&bytes).unwrap();
        assert_eq!(used, whole);
        assert_eq!(message.cells(), vec![Some(b"x".to_vec())]);
    }

    #[test]
    fn error_fields_are_found_by_code() {
        let message = Message { tag: b'E', body: b"SERROR\0C42501\0Mno\0\0".to_vec() };
        assert_eq!(message.field(b'C').as_deref(), Some("42501"));
        assert_eq!(message.field(b'F'), None);
    }

    #[test]
    fn a_null_cell_is_not_an_empty_one() {
        let row = Message { tag: b'D', body: vec![0, 2, 255, 255, 255, 255, 0, 0, 0, 0] };
        assert_eq!(row.cells(), vec![None, Some(Vec::new())]);
    }
}
