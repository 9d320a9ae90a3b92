//! A server's messages: cut into frames, read, walked to their last field, and encoded again where the gateway can say them.

use anyhow::Result;
use postgres::wire::encode::{self, Column};
use postgres::wire::{Authentication, Backend, DataRow, Frame, Negotiate, Report, Text, TransactionStatus, limits};

use super::{broken_messages, check, each_frame};
use crate::driver::{MOST_MEMORY, Target};
use crate::random::Random;

/// A server's messages.
pub const TARGET: Target = Target { name: "backend", make, memory: MOST_MEMORY, run };

fn make(random: &mut Random) -> Result<Vec<u8>> {
    Ok(broken_messages(random, messages))
}

fn messages(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..=random.below(6) {
        if random.one_in(3) {
            greeting(random, &mut out);
        } else {
            reply(random, &mut out);
        }
    }
    out
}

fn greeting(random: &mut Random, out: &mut Vec<u8>) {
    let (a, b) = (random.text(), random.text());
    match random.below(9) {
        0 => encode::authentication_ok(out),
        1 => encode::authentication_cleartext(out),
        2 => encode::authentication_sasl(out, &["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"]),
        3 => encode::authentication_sasl_continue(out, a.as_bytes()),
        4 => encode::authentication_sasl_final(out, a.as_bytes()),
        5 => encode::negotiate(out, 2, &["_pq_.x", &a]),
        6 => encode::backend_key(out, 77, &random.bytes(40)),
        7 => encode::message(out, b'R', |out| out.extend_from_slice(&[0, 0, 0, 5, 1, 2, 3, 4])),
        _ => encode::parameter_status(out, &a, &b),
    }
}

fn reply(random: &mut Random, out: &mut Vec<u8>) {
    let (a, b) = (random.text(), random.text());
    match random.below(14) {
        0 => encode::row_description(out, &columns(&[&a, &b])),
        1 | 2 => {
            let cells: Vec<Option<Vec<u8>>> =
                (0..random.below(6)).map(|_| (!random.one_in(4)).then(|| random.bytes(20))).collect();
            let cells: Vec<Option<&[u8]>> = cells.iter().map(Option::as_deref).collect();
            encode::data_row(out, &cells);
        }
        3 => encode::command_complete(out, &a),
        4 => encode::error(out, &report(&a, &b)),
        5 => encode::notice(out, &report(&b, &a)),
        6 => encode::notification(out, 5, a.as_bytes(), b.as_bytes()),
        7 => encode::parameter_description(out, &[23, 25]),
        8 => {
            let tag = random.pick(b"GHW");
            encode::message(out, tag, |out| out.extend_from_slice(&[0, 0, 2, 0, 0, 0, 0]));
        }
        9 => encode::copy_data(out, a.as_bytes()),
        10 => encode::message(out, b'V', |out| out.extend_from_slice(&[0, 0, 0, 2, b'o', b'k'])),
        11 => {
            let status = [TransactionStatus::Idle, TransactionStatus::Open, TransactionStatus::Failed];
            encode::ready(out, random.pick(&status));
        }
        12 => {
            let tag = random.pick(b"123nsIc");
            encode::message(out, tag, |_| {});
        }
        _ => encode::copy_done(out),
    }
}

fn columns<'a>(names: &[&'a str]) -> Vec<Column<'a>> {
    let column = |name: &&'a str| Column { name, type_oid: 25, type_length: -1 };
    names.iter().map(column).collect()
}

fn report<'a>(message: &'a str, detail: &'a str) -> Report<'a> {
    Report { severity: "ERROR", sqlstate: "42501", message, detail: Some(detail), hint: None, position: Some(7) }
}

fn run(data: &[u8]) {
    each_frame(data, limits::LARGEST_MESSAGE, read);
    each_frame(data, limits::GREETING, read);
}

fn read(frame: Frame<'_>) {
    match Backend::parse(frame.tag, frame.body) {
        Ok(message) => {
            if let Some(again) = encoded(&message, frame.tag) {
                assert_eq!(again, frame.whole, "read as {message:?}");
            }
        }
        Err(error) => check(&error),
    }
}

/// The message in bytes again, after a walk through all of it; `None` when the gateway never says such a one.
fn encoded(message: &Backend<'_>, tag: u8) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match message {
        Backend::Authentication(what) => authentication(&mut out, what)?,
        Backend::ParameterStatus(status) => {
            encode::parameter_status(&mut out, status.name.to_str()?, status.value.to_str()?);
        }
        Backend::BackendKey(key) => {
            assert!((limits::CANCEL_KEY_LEAST..=limits::CANCEL_KEY).contains(&key.key.len()));
            encode::backend_key(&mut out, key.pid, key.key);
        }
        Backend::Ready(status) => encode::ready(&mut out, *status),
        Backend::RowDescription(description) => {
            assert_eq!(description.fields().count(), description.len());
            return None;
        }
        Backend::ParameterDescription(types) => {
            let types: Vec<u32> = types.oids().collect();
            encode::parameter_description(&mut out, &types);
        }
        Backend::DataRow(row) => cells(&mut out, row)?,
        Backend::CommandComplete(text) => encode::command_complete(&mut out, text.to_str()?),
        Backend::Error(fields) | Backend::Notice(fields) => {
            let all = || fields.fields().map(|(kind, text)| (kind, text.as_bytes()));
            for (kind, _) in all() {
                assert!(fields.field(kind).is_some());
            }
            assert!(fields.sqlstate().is_none_or(|state| state.len() == 5));
            let _severity: Option<Text<'_>> = fields.severity();
            encode::report_of(&mut out, tag, all());
        }
        Backend::Notification(n) => {
            encode::notification(&mut out, n.pid, n.channel.as_bytes(), n.payload.as_bytes());
        }
        Backend::CopyIn(copy) | Backend::CopyOut(copy) | Backend::CopyBoth(copy) => {
            assert!(copy.columns() <= usize::from(u16::MAX));
            return None;
        }
        Backend::CopyData(data) => encode::copy_data(&mut out, data),
        Backend::CopyDone => encode::copy_done(&mut out),
        Backend::ParseComplete => encode::parse_complete(&mut out),
        Backend::BindComplete => encode::bind_complete(&mut out),
        Backend::CloseComplete => encode::close_complete(&mut out),
        Backend::NoData => encode::no_data(&mut out),
        Backend::PortalSuspended => encode::portal_suspended(&mut out),
        Backend::EmptyQuery => encode::empty_query(&mut out),
        Backend::FunctionResult(_) => return None,
        Backend::Negotiate(negotiate) => negotiated(&mut out, negotiate)?,
    }
    Some(out)
}

fn authentication(out: &mut Vec<u8>, what: &Authentication<'_>) -> Option<()> {
    match what {
        Authentication::Ok => encode::authentication_ok(out),
        Authentication::Cleartext => encode::authentication_cleartext(out),
        Authentication::Sasl(mechanisms) => {
            let names: Option<Vec<&str>> = mechanisms.names().map(|name| std::str::from_utf8(name).ok()).collect();
            encode::authentication_sasl(out, &names?);
        }
        Authentication::SaslContinue(data) => encode::authentication_sasl_continue(out, data),
        Authentication::SaslFinal(data) => encode::authentication_sasl_final(out, data),
        Authentication::Md5(_) | Authentication::Other(_) => return None,
    }
    Some(())
}

/// A row whose cells do not fill it exactly is found by walking it, and by nothing else.
fn cells(out: &mut Vec<u8>, row: &DataRow<'_>) -> Option<()> {
    let mut walk = row.cells();
    let cells: Result<Vec<Option<&[u8]>>, _> = walk.by_ref().collect();
    assert!(walk.next().is_none(), "the walk went on after its end");
    match cells {
        Ok(cells) => {
            assert_eq!(cells.len(), row.len());
            encode::data_row(out, &cells);
            Some(())
        }
        Err(error) => {
            check(&error);
            None
        }
    }
}

fn negotiated(out: &mut Vec<u8>, negotiate: &Negotiate<'_>) -> Option<()> {
    let options: Option<Vec<&str>> = negotiate.options().map(|option| option.to_str()).collect();
    let options = options?;
    if negotiate.version >> 16 != 3 || options.len() > usize::from(u16::MAX) {
        return None;
    }
    encode::negotiate(out, negotiate.minor(), &options);
    Some(())
}
