//! What a server says (54.7, messages marked B).

use super::WireError;
use super::cursor::{Cursor, Text};
use super::fields::ReportFields;
use super::limits::{CANCEL_KEY, CANCEL_KEY_LEAST};
use super::row::{DataRow, Format, ParameterTypes, RowDescription};

/// A server's message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend<'a> {
    /// `R`: something about the login.
    Authentication(Authentication<'a>),
    /// `S`: a setting's value.
    ParameterStatus(ParameterStatus<'a>),
    /// `K`: what to cancel with.
    BackendKey(BackendKey<'a>),
    /// `Z`: ready.
    Ready(TransactionStatus),
    /// `T`: the columns of what follows.
    RowDescription(RowDescription<'a>),
    /// `t`: the types of a statement's parameters.
    ParameterDescription(ParameterTypes<'a>),
    /// `D`: a row.
    DataRow(DataRow<'a>),
    /// `C`: a command is done; its tag.
    CommandComplete(Text<'a>),
    /// `E`: an error.
    Error(ReportFields<'a>),
    /// `N`: a notice.
    Notice(ReportFields<'a>),
    /// `A`: a notification.
    Notification(Notification<'a>),
    /// `G`: send COPY data.
    CopyIn(CopyResponse<'a>),
    /// `H`: COPY data follows.
    CopyOut(CopyResponse<'a>),
    /// `W`: both (replication).
    CopyBoth(CopyResponse<'a>),
    /// `d`: a piece of COPY data.
    CopyData(&'a [u8]),
    /// `c`: COPY data ends.
    CopyDone,
    /// `1`.
    ParseComplete,
    /// `2`.
    BindComplete,
    /// `3`.
    CloseComplete,
    /// `n`: the statement returns no rows.
    NoData,
    /// `s`: the row limit was reached.
    PortalSuspended,
    /// `I`: there was no statement.
    EmptyQuery,
    /// `V`: a function's result.
    FunctionResult(Option<&'a [u8]>),
    /// `v`: another version of the protocol.
    Negotiate(Negotiate<'a>),
}

/// What a server wants before it lets a client in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authentication<'a> {
    /// Nothing more.
    Ok,
    /// The password as it is.
    Cleartext,
    /// MD5 with this salt.
    Md5([u8; 4]),
    /// One of these SASL mechanisms.
    Sasl(Mechanisms<'a>),
    /// Go on, with this.
    SaslContinue(&'a [u8]),
    /// Done, with this.
    SaslFinal(&'a [u8]),
    /// Kerberos, GSSAPI, SSPI, SCM or whatever else; its code. The gateway speaks none of these.
    Other(u32),
}

/// Names of SASL mechanisms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mechanisms<'a> {
    body: &'a [u8],
}

impl<'a> Mechanisms<'a> {
    fn parse(cursor: &mut Cursor<'a>) -> Result<Self, WireError> {
        let body = cursor.rest();
        while !cursor.text("mechanism")?.0.is_empty() {}
        Ok(Self { body })
    }

    /// The names, in the server's order.
    pub fn names(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut cursor = Cursor::new(self.body);
        std::iter::from_fn(move || cursor.text("mechanism").ok().map(|text| text.0).filter(|name| !name.is_empty()))
    }
}

impl<'a> Authentication<'a> {
    /// Reads the body of an `R` message.
    ///
    /// # Errors
    /// When the fields do not fill it exactly.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(body);
        let this = match c.u32("authentication code")? {
            0 => Self::Ok,
            3 => Self::Cleartext,
            5 => {
                let salt = c.bytes(4, "salt")?;
                Self::Md5(*salt.first_chunk().ok_or(WireError::Missing("salt"))?)
            }
            10 => Self::Sasl(Mechanisms::parse(&mut c)?),
            11 => return Ok(Self::SaslContinue(c.rest())),
            12 => return Ok(Self::SaslFinal(c.rest())),
            other => return Ok(Self::Other(other)),
        };
        c.finish()?;
        Ok(this)
    }
}

/// `S`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterStatus<'a> {
    /// The setting.
    pub name: Text<'a>,
    /// Its value. Data can be in it: `set_config('application_name', email, …)`.
    pub value: Text<'a>,
}

/// `K`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BackendKey<'a> {
    /// The process number.
    pub pid: i32,
    /// 4 bytes in protocol 3.0, up to 256 in 3.2.
    pub key: &'a [u8],
}

/// Where a connection stands with transactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// `I`: none is open.
    Idle,
    /// `T`: one is open.
    Open,
    /// `E`: one is open and failed.
    Failed,
}

impl TransactionStatus {
    /// Reads the letter.
    ///
    /// # Errors
    /// [`WireError::BadValue`] for any other.
    pub const fn from_letter(letter: u8) -> Result<Self, WireError> {
        match letter {
            b'I' => Ok(Self::Idle),
            b'T' => Ok(Self::Open),
            b'E' => Ok(Self::Failed),
            _ => Err(WireError::BadValue("transaction status")),
        }
    }

    /// The letter.
    #[must_use]
    pub const fn letter(self) -> u8 {
        match self {
            Self::Idle => b'I',
            Self::Open => b'T',
            Self::Failed => b'E',
        }
    }
}

/// `A`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Notification<'a> {
    /// Who notified.
    pub pid: i32,
    /// The channel.
    pub channel: Text<'a>,
    /// What was said.
    pub payload: Text<'a>,
}

/// `G`, `H`, `W`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyResponse<'a> {
    /// Of the whole; text and CSV are text.
    pub format: Format,
    codes: &'a [u8],
}

impl<'a> CopyResponse<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When the fields do not fill it exactly, or a format is not known.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(body);
        let format = Format::from_code(i16::from(c.u8("format")?))?;
        let count = c.u16("number of columns")?;
        let codes = c.bytes(usize::from(count).saturating_mul(2), "format codes")?;
        for code in codes.as_chunks::<2>().0 {
            Format::from_code(i16::from_be_bytes(*code))?;
        }
        c.finish()?;
        Ok(Self { format, codes })
    }

    /// How many columns.
    #[must_use]
    pub const fn columns(&self) -> usize {
        self.codes.len() / 2
    }
}

/// `v`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Negotiate<'a> {
    /// The newest version that the server speaks, as in a StartupMessage: major in the upper half.
    pub version: u32,
    count: u32,
    options: &'a [u8],
}

impl<'a> Negotiate<'a> {
    /// Reads a body.
    ///
    /// # Errors
    /// When the fields do not fill it exactly.
    pub fn parse(body: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(body);
        let version = c.u32("protocol version")?;
        let count = c.u32("number of options")?;
        let options = c.rest();
        for _ in 0..count {
            c.text("option")?;
        }
        c.finish()?;
        Ok(Self { version, count, options })
    }

    /// The minor version.
    #[must_use]
    pub const fn minor(&self) -> u16 {
        let [_, _, a, b] = self.version.to_be_bytes();
        u16::from_be_bytes([a, b])
    }

    /// The options that the server does not know.
    pub fn options(&self) -> impl Iterator<Item = Text<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.options);
        (0..self.count).map_while(move |_| cursor.text("option").ok())
    }
}

impl<'a> Backend<'a> {
    /// Reads a message.
    ///
    /// # Errors
    /// When the type is not known, or the body is not exactly one message of that type. The cells of a
    /// [`DataRow`] are checked as they are walked.
    pub fn parse(tag: u8, body: &'a [u8]) -> Result<Self, WireError> {
        let mut c = Cursor::new(body);
        let message = match tag {
            b'D' => return DataRow::parse(body).map(Self::DataRow),
            b'd' => return Ok(Self::CopyData(body)),
            b'T' => return RowDescription::parse(body).map(Self::RowDescription),
            b'E' => return ReportFields::parse(body).map(Self::Error),
            b'N' => return ReportFields::parse(body).map(Self::Notice),
            b'R' => return Authentication::parse(body).map(Self::Authentication),
            b'G' => return CopyResponse::parse(body).map(Self::CopyIn),
            b'H' => return CopyResponse::parse(body).map(Self::CopyOut),
            b'W' => return CopyResponse::parse(body).map(Self::CopyBoth),
            b'v' => return Negotiate::parse(body).map(Self::Negotiate),
            b'K' => return backend_key(body).map(Self::BackendKey),
            b'C' => Self::CommandComplete(c.text("command tag")?),
            b'S' => Self::ParameterStatus(ParameterStatus { name: c.text("name")?, value: c.text("value")? }),
            b'Z' => Self::Ready(TransactionStatus::from_letter(c.u8("transaction status")?)?),
            b't' => Self::ParameterDescription(ParameterTypes::read(&mut c)?),
            b'A' => Self::Notification(Notification {
                pid: c.i32("process number")?,
                channel: c.text("channel")?,
                payload: c.text("payload")?,
            }),
            b'V' => Self::FunctionResult(c.value("function result")?),
            b'c' => Self::CopyDone,
            b'1' => Self::ParseComplete,
            b'2' => Self::BindComplete,
            b'3' => Self::CloseComplete,
            b'n' => Self::NoData,
            b's' => Self::PortalSuspended,
            b'I' => Self::EmptyQuery,
            other => return Err(WireError::UnknownTag(other)),
        };
        c.finish()?;
        Ok(message)
    }
}

fn backend_key(body: &[u8]) -> Result<BackendKey<'_>, WireError> {
    let mut c = Cursor::new(body);
    let pid = c.i32("process number")?;
    let key = c.rest();
    if key.len() < CANCEL_KEY_LEAST || key.len() > CANCEL_KEY {
        return Err(WireError::BadCount("cancel key"));
    }
    Ok(BackendKey { pid, key })
}
