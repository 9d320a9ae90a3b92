//! Whatever the gateway itself says, to either side. Every function appends one message to `out`.
//!
//! Text is written up to its length without any NUL in it: a NUL would end the field early and turn the rest into fields that
//! nobody asked for. Lengths come from what the gateway holds in memory, which [`limits`](super::limits) bounds far below 2 GiB.

use super::backend::TransactionStatus;
use super::fields::{Report, code};
use super::frontend::Subject;
use super::row::Format;
use super::startup::{CANCEL_REQUEST, GSS_REQUEST, MAJOR, SSL_REQUEST};

/// Appends a message with this tag, whose body `fill` writes.
pub fn message(out: &mut Vec<u8>, tag: u8, fill: impl FnOnce(&mut Vec<u8>)) {
    out.push(tag);
    untagged(out, fill);
}

fn untagged(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    fill(out);
    let length = length32(out.len().saturating_sub(start)).to_be_bytes();
    if let Some(field) = out.get_mut(start..).and_then(|rest| rest.first_chunk_mut::<4>()) {
        *field = length;
    }
}

/// What is this large is refused long before: see the module.
fn length32(length: usize) -> i32 {
    i32::try_from(length).unwrap_or(i32::MAX)
}

fn count16(count: usize) -> u16 {
    u16::try_from(count).unwrap_or(u16::MAX)
}

fn text(out: &mut Vec<u8>, text: &[u8]) {
    if memchr::memchr(0, text).is_none() {
        out.extend_from_slice(text);
    } else {
        out.extend(text.iter().copied().filter(|byte| *byte != 0));
    }
    out.push(0);
}

fn value(out: &mut Vec<u8>, value: Option<&[u8]>) {
    match value {
        None => out.extend_from_slice(&(-1_i32).to_be_bytes()),
        Some(bytes) => {
            out.extend_from_slice(&length32(bytes.len()).to_be_bytes());
            out.extend_from_slice(bytes);
        }
    }
}

// To a client: the login.

/// AuthenticationOk.
pub fn authentication_ok(out: &mut Vec<u8>) {
    authentication(out, 0, &[]);
}

/// AuthenticationCleartextPassword.
pub fn authentication_cleartext(out: &mut Vec<u8>) {
    authentication(out, 3, &[]);
}

/// AuthenticationSASL with these mechanisms, best first.
pub fn authentication_sasl(out: &mut Vec<u8>, mechanisms: &[&str]) {
    message(out, b'R', |out| {
        out.extend_from_slice(&10_u32.to_be_bytes());
        for mechanism in mechanisms {
            text(out, mechanism.as_bytes());
        }
        out.push(0);
    });
}

/// AuthenticationSASLContinue.
pub fn authentication_sasl_continue(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 11, data);
}

/// AuthenticationSASLFinal.
pub fn authentication_sasl_final(out: &mut Vec<u8>, data: &[u8]) {
    authentication(out, 12, data);
}

fn authentication(out: &mut Vec<u8>, code: u32, data: &[u8]) {
    message(out, b'R', |out| {
        out.extend_from_slice(&code.to_be_bytes());
        out.extend_from_slice(data);
    });
}

/// NegotiateProtocolVersion: we speak 3.`minor`, and know none of `options`. The version is written whole, as servers do.
pub fn negotiate(out: &mut Vec<u8>, minor: u16, options: &[&str]) {
    message(out, b'v', |out| {
        out.extend_from_slice(&MAJOR.to_be_bytes());
        out.extend_from_slice(&minor.to_be_bytes());
        out.extend_from_slice(&u32::from(count16(options.len())).to_be_bytes());
        for option in options {
            text(out, option.as_bytes());
        }
    });
}

/// ParameterStatus.
pub fn parameter_status(out: &mut Vec<u8>, name: &str, setting: &str) {
    message(out, b'S', |out| {
        text(out, name.as_bytes());
        text(out, setting.as_bytes());
    });
}

/// BackendKeyData: 4 bytes of key for protocol 3.0, up to 256 for 3.2.
pub fn backend_key(out: &mut Vec<u8>, pid: i32, key: &[u8]) {
    message(out, b'K', |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

// To a client: the session.

/// ReadyForQuery.
pub fn ready(out: &mut Vec<u8>, status: TransactionStatus) {
    message(out, b'Z', |out| out.push(status.letter()));
}

/// ErrorResponse.
pub fn error(out: &mut Vec<u8>, report: &Report<'_>) {
    message(out, b'E', |out| report_fields(out, report));
}

/// NoticeResponse.
pub fn notice(out: &mut Vec<u8>, report: &Report<'_>) {
    message(out, b'N', |out| report_fields(out, report));
}

fn report_fields(out: &mut Vec<u8>, report: &Report<'_>) {
    let mut field = |kind: u8, content: &str| {
        out.push(kind);
        text(out, content.as_bytes());
    };
    field(code::SEVERITY, report.severity);
    field(code::SEVERITY_PLAIN, report.severity);
    field(code::SQLSTATE, report.sqlstate);
    field(code::MESSAGE, report.message);
    if let Some(detail) = report.detail {
        field(code::DETAIL, detail);
    }
    if let Some(hint) = report.hint {
        field(code::HINT, hint);
    }
    if let Some(position) = report.position {
        field(code::POSITION, &position.to_string());
    }
    out.push(0);
}

/// An ErrorResponse or NoticeResponse (`tag` says which) of these fields, in order: what is left of a server's report.
pub fn report_of<'a>(out: &mut Vec<u8>, tag: u8, fields: impl Iterator<Item = (u8, &'a [u8])>) {
    message(out, tag, |out| {
        for (kind, content) in fields {
            out.push(kind);
            text(out, content);
        }
        out.push(0);
    });
}

/// CommandComplete.
pub fn command_complete(out: &mut Vec<u8>, tag: &str) {
    message(out, b'C', |out| text(out, tag.as_bytes()));
}

/// A column of a result that the gateway itself gives: no table, text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column<'a> {
    /// Its label.
    pub name: &'a str,
    /// Its type.
    pub type_oid: u32,
    /// The type's size; -1 for variable.
    pub type_length: i16,
}

/// RowDescription.
pub fn row_description(out: &mut Vec<u8>, columns: &[Column<'_>]) {
    message(out, b'T', |out| {
        out.extend_from_slice(&count16(columns.len()).to_be_bytes());
        for column in columns {
            text(out, column.name.as_bytes());
            out.extend_from_slice(&[0; 6]);
            out.extend_from_slice(&column.type_oid.to_be_bytes());
            out.extend_from_slice(&column.type_length.to_be_bytes());
            out.extend_from_slice(&(-1_i32).to_be_bytes());
            out.extend_from_slice(&Format::Text.code().to_be_bytes());
        }
    });
}

/// DataRow.
pub fn data_row(out: &mut Vec<u8>, cells: &[Option<&[u8]>]) {
    message(out, b'D', |out| {
        out.extend_from_slice(&count16(cells.len()).to_be_bytes());
        for cell in cells {
            value(out, *cell);
        }
    });
}

/// ParameterDescription.
pub fn parameter_description(out: &mut Vec<u8>, types: &[u32]) {
    message(out, b't', |out| oids(out, types));
}

fn oids(out: &mut Vec<u8>, types: &[u32]) {
    out.extend_from_slice(&count16(types.len()).to_be_bytes());
    for oid in types {
        out.extend_from_slice(&oid.to_be_bytes());
    }
}

/// NotificationResponse.
pub fn notification(out: &mut Vec<u8>, pid: i32, channel: &[u8], payload: &[u8]) {
    message(out, b'A', |out| {
        out.extend_from_slice(&pid.to_be_bytes());
        text(out, channel);
        text(out, payload);
    });
}

/// ParseComplete.
pub fn parse_complete(out: &mut Vec<u8>) {
    message(out, b'1', |_| {});
}

/// BindComplete.
pub fn bind_complete(out: &mut Vec<u8>) {
    message(out, b'2', |_| {});
}

/// CloseComplete.
pub fn close_complete(out: &mut Vec<u8>) {
    message(out, b'3', |_| {});
}

/// NoData.
pub fn no_data(out: &mut Vec<u8>) {
    message(out, b'n', |_| {});
}

/// PortalSuspended.
pub fn portal_suspended(out: &mut Vec<u8>) {
    message(out, b's', |_| {});
}

/// EmptyQueryResponse.
pub fn empty_query(out: &mut Vec<u8>) {
    message(out, b'I', |_| {});
}

/// CopyData, in either direction.
pub fn copy_data(out: &mut Vec<u8>, data: &[u8]) {
    message(out, b'd', |out| out.extend_from_slice(data));
}

/// CopyDone, in either direction.
pub fn copy_done(out: &mut Vec<u8>) {
    message(out, b'c', |_| {});
}

// To a target.

/// SSLRequest.
pub fn ssl_request(out: &mut Vec<u8>) {
    untagged(out, |out| out.extend_from_slice(&SSL_REQUEST.to_be_bytes()));
}

/// GSSENCRequest. The gateway never sends it; its own tests of the login do.
pub fn gss_request(out: &mut Vec<u8>) {
    untagged(out, |out| out.extend_from_slice(&GSS_REQUEST.to_be_bytes()));
}

/// CancelRequest.
pub fn cancel_request(out: &mut Vec<u8>, pid: i32, key: &[u8]) {
    untagged(out, |out| {
        out.extend_from_slice(&CANCEL_REQUEST.to_be_bytes());
        out.extend_from_slice(&pid.to_be_bytes());
        out.extend_from_slice(key);
    });
}

/// StartupMessage for protocol 3.`minor`.
pub fn startup<'a>(out: &mut Vec<u8>, minor: u16, parameters: impl Iterator<Item = (&'a str, &'a str)>) {
    untagged(out, |out| {
        out.extend_from_slice(&MAJOR.to_be_bytes());
        out.extend_from_slice(&minor.to_be_bytes());
        for (name, setting) in parameters {
            text(out, name.as_bytes());
            text(out, setting.as_bytes());
        }
        out.push(0);
    });
}

/// PasswordMessage.
pub fn password(out: &mut Vec<u8>, password: &[u8]) {
    message(out, b'p', |out| text(out, password));
}

/// SASLInitialResponse.
pub fn sasl_initial(out: &mut Vec<u8>, mechanism: &str, data: Option<&[u8]>) {
    message(out, b'p', |out| {
        text(out, mechanism.as_bytes());
        value(out, data);
    });
}

/// SASLResponse.
pub fn sasl_response(out: &mut Vec<u8>, data: &[u8]) {
    message(out, b'p', |out| out.extend_from_slice(data));
}

/// Query.
pub fn query(out: &mut Vec<u8>, sql: &str) {
    message(out, b'Q', |out| text(out, sql.as_bytes()));
}

/// Parse.
pub fn parse(out: &mut Vec<u8>, name: &str, sql: &str, types: &[u32]) {
    message(out, b'P', |out| {
        text(out, name.as_bytes());
        text(out, sql.as_bytes());
        oids(out, types);
    });
}

/// Bind.
pub fn bind(
    out: &mut Vec<u8>,
    portal: &str,
    statement: &str,
    formats: &[Format],
    values: &[Option<&[u8]>],
    results: &[Format],
) {
    message(out, b'B', |out| {
        text(out, portal.as_bytes());
        text(out, statement.as_bytes());
        format_codes(out, formats);
        out.extend_from_slice(&count16(values.len()).to_be_bytes());
        for item in values {
            value(out, *item);
        }
        format_codes(out, results);
    });
}

fn format_codes(out: &mut Vec<u8>, formats: &[Format]) {
    out.extend_from_slice(&count16(formats.len()).to_be_bytes());
    for format in formats {
        out.extend_from_slice(&format.code().to_be_bytes());
    }
}

/// Describe.
pub fn describe(out: &mut Vec<u8>, subject: Subject, name: &str) {
    message(out, b'D', |out| {
        out.push(subject.letter());
        text(out, name.as_bytes());
    });
}

/// Close.
pub fn close(out: &mut Vec<u8>, subject: Subject, name: &str) {
    message(out, b'C', |out| {
        out.push(subject.letter());
        text(out, name.as_bytes());
    });
}

/// Execute.
pub fn execute(out: &mut Vec<u8>, portal: &str, max_rows: i32) {
    message(out, b'E', |out| {
        text(out, portal.as_bytes());
        out.extend_from_slice(&max_rows.to_be_bytes());
    });
}

/// CopyFail.
pub fn copy_fail(out: &mut Vec<u8>, why: &str) {
    message(out, b'f', |out| text(out, why.as_bytes()));
}

/// Sync.
pub fn sync(out: &mut Vec<u8>) {
    message(out, b'S', |_| {});
}

/// Flush.
pub fn flush(out: &mut Vec<u8>) {
    message(out, b'H', |_| {});
}

/// Terminate.
pub fn terminate(out: &mut Vec<u8>) {
    message(out, b'X', |_| {});
}
