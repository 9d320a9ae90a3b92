//! What a client says once the startup packet is read (54.7, messages marked F).

use super::WireError;
use super::cursor::Cursor;
use super::row::{Format, ParameterTypes};

/// A client's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frontend<'a> {
    /// `Q`: run this text.
    Query(&'a str),
    /// `P`: prepare a statement.
    Parse(Parse<'a>),
    /// `B`: make a portal of a statement and values.
    Bind(Bind<'a>),
    /// `D`: what would it return?
    Describe(Describe<'a>),
    /// `E`: run a portal.
    Execute(Execute<'a>),
    /// `C`: forget a statement or portal.
    Close(Close<'a>),
    /// `H`: send what you have.
    Flush,
    /// `S`: end of a batch.
    Sync,
    /// `F`: call a function by OID.
    FunctionCall(FunctionCall<'a>),
    /// `d`: a piece of COPY data.
    CopyData(&'a [u8]),
    /// `c`: COPY data ends well.
    CopyDone,
    /// `f`: COPY data ends badly, with a text.
    CopyFail(&'a str),
    /// `p`: a password, a SASLInitialResponse or a SASLResponse; which of them depends on what was asked.
    Answer(&'a [u8]),
    /// `X`: good-bye.
    Terminate,
}

/// `P`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty is the unnamed one.
    pub name: &'a str,
    /// Its text.
    pub query: &'a str,
    /// Types of the first parameters.
    pub types: ParameterTypes<'a>,
}

/// A statement or a portal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A prepared statement.
    Statement,
    /// A portal.
    Portal,
}

impl Subject {
    /// The letter on the wire.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Statement => b'S',
            Self::Portal => b'P',
        }
    }
}

/// `D`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Describe<'a> {
    /// Of what.
    pub subject: Subject,
    /// Its name.
    pub name: &'a str,
}

/// `C`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    /// Of what.
    pub subject: Subject,
    /// Its name.
    pub name: &'a str,
}

/// `E`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Execute<'a> {
    /// The portal's name.
    pub portal: &'a str,
    /// Rows at most; 0 or less is all.
    pub max_rows: i32,
}

/// `B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name.
    pub portal: &'a str,
    /// The statement's name.
    pub statement: &'a str,
    /// Format codes of the values: none (all text), one for all, or one each.
    pub formats: Formats<'a>,
    /// The values.
    pub values: Values<'a>,
    /// Format codes of the results: none (all text), one for all, or one each.
    pub results: Formats<'a>,
}

/// `F`: fast-path call. The gateway refuses it; the view exists so that the refusal can name the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FunctionCall<'a> {
    /// The function.
    pub oid: u32,
    /// Format codes of the arguments.
    pub formats: Formats<'a>,
    /// The arguments.
    pub values: Values<'a>,
    /// How the result is to be written.
    pub result: Format,
}

/// A list of format codes, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Formats<'a> {
    codes: &'a [u8],
}

impl<'a> Formats<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let count = cursor.u16("number of format codes")?;
        let codes = cursor.bytes(usize::from(count).saturating_mul(2), "format codes")?;
        for code in codes.as_chunks::<2>().0 {
            Format::from_code(i16::from_be_bytes(*code))?;
        }
        Ok(Self { codes })
    }

    /// How many codes are given.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.codes.len() / 2
    }

    /// Whether none is given: all text.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The codes as they are.
    pub fn iter(&self) -> impl Iterator<Item = Format> + use<'a> {
        self.codes.as_chunks::<2>().0.iter().filter_map(|code| Format::from_code(i16::from_be_bytes(*code)).ok())
    }

    /// The format of the value at `index` (from 0): text when no code is given, the only one when one is.
    #[must_use]
    pub fn of(&self, index: usize) -> Option<Format> {
        let codes = self.codes.as_chunks::<2>().0;
        let code = match codes {
            [] => return Some(Format::Text),
            [one] => one,
            _ => codes.get(index)?,
        };
        Format::from_code(i16::from_be_bytes(*code)).ok()
    }
}

/// A list of values, checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values<'a> {
    count: u16,
    bytes: &'a [u8],
}

impl<'a> Values<'a> {
    fn read(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let count = cursor.u16("number of values")?;
        let start = cursor.rest();
        for _ in 0..count {
            cursor.value("value")?;
        }
        let used = start.len().saturating_sub(cursor.rest().len());
        Ok(Self { count, bytes: start.get(..used).unwrap_or_default() })
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        usize::from(self.count)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The values; `None` is null.
    pub fn iter(&self) -> impl Iterator<Item = Option<&'a [u8]>> + use<'a> {
        let mut cursor = Cursor::new(self.bytes);
        // Read once by `read`: none of these fails.
        (0..self.count).map_while(move |_| cursor.value("value").ok())
    }
}

impl<'a> Frontend<'a> {
    /// The names of statements and portals in it.
    #[must_use]
    pub const fn names(&self) -> [&'a str; 2] {
        match self {
            Self::Parse(parse) => [parse.name, ""],
            Self::Bind(bind) => [bind.portal, bind.statement],
            Self::Describe(describe) => [describe.name, ""],
            Self::Execute(execute) => [execute.portal, ""],
            Self::Close(close) => [close.name, ""],
            Self::Query(_)
            | Self::Flush
            | Self::Sync
            | Self::FunctionCall(_)
            | Self::CopyData(_)
            | Self::CopyDone
            | Self::CopyFail(_)
            | Self::Answer(_)
            | Self::Terminate => ["", ""],
        }
    }

    /// Reads a message.
    ///
    /// # Errors
    /// When the type is not known, or the body is not exactly one message of that type.
    pub fn parse(tag: u8, body: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(body);
        let message = match tag {
            b'Q' => Self::Query(c.utf8("query")?),
            b'P' => Self::Parse(Parse {
                name: c.utf8("statement name")?,
                query: c.utf8("query")?,
                types: ParameterTypes::read(&mut c)?,
            }),
            b'B' => Self::Bind(Bind {
                portal: c.utf8("portal name")?,
                statement: c.utf8("statement name")?,
                formats: Formats::read(&mut c)?,
                values: Values::read(&mut c)?,
                results: Formats::read(&mut c)?,
            }),
            b'D' => Self::Describe(Describe { subject: subject(&mut c)?, name: c.utf8("name")? }),
            b'C' => Self::Close(Close { subject: subject(&mut c)?, name: c.utf8("name")? }),
            b'E' => Self::Execute(Execute { portal: c.utf8("portal name")?, max_rows: c.i32("row limit")? }),
            b'F' => Self::FunctionCall(FunctionCall {
                oid: c.u32("function OID")?,
                formats: Formats::read(&mut c)?,
                values: Values::read(&mut c)?,
                result: Format::from_code(c.i16("result format")?)?,
            }),
            b'f' => Self::CopyFail(c.utf8("text")?),
            b'd' => return Ok(Self::CopyData(body)),
            b'p' => return Ok(Self::Answer(body)),
            b'H' => Self::Flush,
            b'S' => Self::Sync,
            b'c' => Self::CopyDone,
            b'X' => Self::Terminate,
            other => return Err(WireError::UnknownTag(other)),
        };
        c.finish()?;
        Ok(message)
    }
}

fn subject(cursor: &mut Cursor<'_>) -> Result<Subject, WireError> {
    match cursor.u8("kind")? {
        b'S' => Ok(Subject::Statement),
        b'P' => Ok(Subject::Portal),
        _ => Err(WireError::BadValue("kind")),
    }
}

/// Reads the body of a `p` message as a password.
///
/// # Errors
/// When it is not one String, or not UTF-8.
pub fn password_message(body: &[u8]) -> Result<&str, WireError> {
    let mut cursor = Cursor::new(body);
    let password = cursor.utf8("password")?;
    cursor.finish()?;
    Ok(password)
}

/// A `p` message that names a SASL mechanism.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SaslInitialResponse<'a> {
    /// The mechanism.
    pub mechanism: &'a str,
    /// The first response, if the client sends one at once.
    pub data: Option<&'a [u8]>,
}

impl<'a> SaslInitialResponse<'a> {
    /// Reads the body of a `p` message.
    ///
    /// # Errors
    /// When the fields do not fill it exactly.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut cursor = Cursor::new(body);
        let this = Self { mechanism: cursor.utf8("mechanism")?, data: cursor.value("response")? };
        cursor.finish()?;
        Ok(this)
    }
}
