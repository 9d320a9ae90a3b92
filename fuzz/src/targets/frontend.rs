//! A client's messages: cut into frames, read, walked, and encoded again.

use anyhow::Result;
use postgres::wire::{Bind, Format, Frame, Frontend, SaslInitialResponse, Subject, encode, limits, password_message};

use super::{broken_messages, check, each_frame};
use crate::driver::{MOST_MEMORY, Target};
use crate::random::Random;

/// A client's messages.
pub const TARGET: Target = Target { name: "frontend", make, memory: MOST_MEMORY, run };

fn make(random: &mut Random) -> Result<Vec<u8>> {
    Ok(broken_messages(random, messages))
}

fn messages(random: &mut Random) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..=random.below(5) {
        message(random, &mut out);
    }
    out
}

fn message(random: &mut Random, out: &mut Vec<u8>) {
    let (a, b) = (random.text(), random.text());
    let subject = random.pick(&[Subject::Statement, Subject::Portal]);
    match random.below(15) {
        0 => encode::query(out, &a),
        1 => {
            let types: Vec<u32> = (0..random.below(4)).map(|_| random.pick(&[0, 23, 25, 1700])).collect();
            encode::parse(out, &a, &b, &types);
        }
        2 | 3 => bind(random, out, &a, &b),
        4 => encode::describe(out, subject, &a),
        5 => encode::execute(out, &a, random.pick(&[0, -1, 100, i32::MAX])),
        6 => encode::close(out, subject, &a),
        7 => encode::flush(out),
        8 => encode::sync(out),
        // FunctionCall: one argument in text, result in binary.
        9 => encode::message(out, b'F', |out| {
            out.extend_from_slice(&[0, 0, 4, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 2, b'a', b'b', 0, 1]);
        }),
        10 => encode::copy_data(out, a.as_bytes()),
        11 => encode::copy_done(out),
        12 => encode::copy_fail(out, &a),
        13 => encode::sasl_initial(out, &a, Some(b.as_bytes())),
        _ => encode::password(out, a.as_bytes()),
    }
}

fn bind(random: &mut Random, out: &mut Vec<u8>, portal: &str, statement: &str) {
    let formats: Vec<Format> = (0..random.below(4)).map(|_| random.pick(&[Format::Text, Format::Binary])).collect();
    let values: Vec<Option<Vec<u8>>> =
        (0..random.below(4)).map(|_| (!random.one_in(4)).then(|| random.bytes(12))).collect();
    let values: Vec<Option<&[u8]>> = values.iter().map(Option::as_deref).collect();
    encode::bind(out, portal, statement, &formats, &values, &formats);
}

fn run(data: &[u8]) {
    each_frame(data, limits::CLIENT_MESSAGE, read);
    // A lower limit must not read anything else, only less.
    each_frame(data, 64, read);
}

fn read(frame: Frame<'_>) {
    match Frontend::parse(frame.tag, frame.body) {
        Ok(message) => {
            if let Frontend::Answer(body) = message {
                answer(body, frame.whole);
            }
            if let Some(again) = encoded(&message) {
                assert_eq!(again, frame.whole, "read as {message:?}");
            }
        }
        Err(error) => check(&error),
    }
}

/// A `p` message, as each thing that it can be.
fn answer(body: &[u8], whole: &[u8]) {
    let mut again = Vec::new();
    match password_message(body) {
        Ok(password) => {
            encode::password(&mut again, password.as_bytes());
            assert_eq!(again, whole);
        }
        Err(error) => check(&error),
    }
    match SaslInitialResponse::parse(body) {
        Ok(response) => {
            again.clear();
            encode::sasl_initial(&mut again, response.mechanism, response.data);
            assert_eq!(again, whole);
        }
        Err(error) => check(&error),
    }
}

/// The message in bytes again; `None` for the one that the gateway never says.
fn encoded(message: &Frontend<'_>) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    match message {
        Frontend::Query(sql) => encode::query(&mut out, sql),
        Frontend::Parse(parse) => {
            let types: Vec<u32> = parse.types.oids().collect();
            assert_eq!(types.len(), parse.types.len());
            encode::parse(&mut out, parse.name, parse.query, &types);
        }
        Frontend::Bind(bind) => bound(&mut out, bind),
        Frontend::Describe(describe) => encode::describe(&mut out, describe.subject, describe.name),
        Frontend::Execute(execute) => encode::execute(&mut out, execute.portal, execute.max_rows),
        Frontend::Close(close) => encode::close(&mut out, close.subject, close.name),
        Frontend::Flush => encode::flush(&mut out),
        Frontend::Sync => encode::sync(&mut out),
        Frontend::FunctionCall(call) => {
            assert_eq!(call.values.iter().count(), call.values.len());
            assert_eq!(call.formats.iter().count(), call.formats.len());
            return None;
        }
        Frontend::CopyData(data) => encode::copy_data(&mut out, data),
        Frontend::CopyDone => encode::copy_done(&mut out),
        Frontend::CopyFail(why) => encode::copy_fail(&mut out, why),
        Frontend::Answer(data) => encode::sasl_response(&mut out, data),
        Frontend::Terminate => encode::terminate(&mut out),
    }
    Some(out)
}

fn bound(out: &mut Vec<u8>, bind: &Bind<'_>) {
    let formats: Vec<Format> = bind.formats.iter().collect();
    let results: Vec<Format> = bind.results.iter().collect();
    let values: Vec<Option<&[u8]>> = bind.values.iter().collect();
    assert_eq!(
        (formats.len(), results.len(), values.len()),
        (bind.formats.len(), bind.results.len(), bind.values.len())
    );
    for index in 0..=formats.len() {
        let expected = match formats.as_slice() {
            [] => Some(Format::Text),
            [one] => Some(*one),
            many => many.get(index).copied(),
        };
        assert_eq!(bind.formats.of(index), expected);
    }
    encode::bind(out, bind.portal, bind.statement, &formats, &values, &results);
}
