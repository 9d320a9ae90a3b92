//! Recordings to test with: one of every event, and any mixture of them.

use model::{Action, ColumnRef, Effect, Flags, Move, Object, Outcome};
use proptest::prelude::*;
use sallyport_record::{
    Column, CommandEvent, Context, Event, Finished, Header, Judged, Mark, Micros, Opened, SigningKey, StreamKind, Used,
    Writer, rows,
};

/// 2026-01-02 03:04:05 UTC.
pub(crate) const START: i64 = 1_767_323_045_000_000;

pub(crate) fn key() -> SigningKey {
    SigningKey::from_seed(&[7; 32]).unwrap()
}

pub(crate) fn header() -> Header {
    Header { session: [0x42; 16], key: key().public().id(), opened: Micros(START) }
}

/// A session with one of every event.
pub(crate) fn story() -> Vec<(Micros, Event<'static>)> {
    let mut data = Vec::new();
    rows::put_row(&mut data, &[Some(&b"1"[..]), Some(b"a***@example.com"), None, Some(&[0, 1])]);
    rows::put_row(&mut data, &[Some(&b"2"[..]), Some("ü\x1b[2J".as_bytes()), Some(b""), Some(&[255, 254])]);
    let column = |name: &'static str, ty: &'static str, binary, mask: &'static str| Column {
        name: name.into(),
        ty: ty.into(),
        binary,
        mask: mask.into(),
    };
    let events = vec![
        Event::Opened(Opened {
            session: "ses_42424242424242424242424242424242".into(),
            protocol: "postgres".into(),
            identity: r#"{"subject":"agent-7","issuer":"sallyport","kind":"agent","groups":["agents"],"on_behalf_of":["alice"],"task":"report"}"#.into(),
            target: "orders-db".into(),
            role: "readonly".into(),
            from: "10.0.0.5:4312".into(),
            client: "psql 18".into(),
            policy: "v12".into(),
            rules: vec!["agents read orders".into()],
            gateway: "0.1.0".into(),
        }),
        Event::Leased { user: "app_ro".into(), link: "127.0.0.1:5432, TLS 1.3".into() },
        command(1, "SELECT id, email\n  FROM customers\n WHERE id < $1", Outcome::Allow),
        Event::Values { number: 1, values: vec![Some("3".into()), None] },
        Event::Columns {
            number: 1,
            columns: vec![
                column("id", "int4", false, ""),
                column("email", "text", false, "partial"),
                column("note", "text", false, ""),
                column("raw", "bytea", true, ""),
            ],
        },
        Event::Rows { number: 1, count: 2, data: data.into() },
        Event::Finished(Finished {
            number: 1,
            tag: "SELECT 2".into(),
            error: None,
            rows: 2,
            bytes: 120,
            digest: Some([9; 32]),
            masked: 1,
            target_micros: 1250,
            gateway_micros: 81,
        }),
        command(2, "DELETE FROM orders", Outcome::Deny),
        command(3, "UPDATE orders SET paid = true WHERE id = 7", Outcome::Hold),
        Event::Held { number: 3, approval: "apr_1".into(), expires: Micros(START + 900_000_000) },
        Event::Answered {
            number: 3,
            approval: "apr_1".into(),
            answer: "approved".into(),
            by: vec![("bob".into(), "ticket 12".into())],
        },
        Event::Finished(Finished {
            number: 3,
            tag: "".into(),
            error: Some(("23505".into(), "duplicate key".into())),
            rows: 0,
            bytes: 0,
            digest: None,
            masked: 0,
            target_micros: 900,
            gateway_micros: 75_000_000,
        }),
        Event::Bulk { number: 4, to_target: true, data: b"1\tx\n".as_slice().into() },
        Event::Message { kind: "notice".into(), text: "table will be rewritten".into() },
        Event::Control { what: "cancel".into(), outcome: "sent".into() },
        Event::Recovered { at: Micros(START + 100_000_000) },
        Event::Closed { reason: "client closed".into(), commands: 3, bytes: (512, 2048) },
    ];
    let at = |index: usize| Micros(START + index as i64 * 250_000 + if index > 9 { 75_000_000 } else { 0 });
    events.into_iter().enumerate().map(|(index, event)| (at(index), event)).collect()
}

/// A session whose commands have what they were judged by.
pub(crate) fn judged_story() -> Vec<(Micros, Event<'static>)> {
    let column = |name: &str| ColumnRef { relation: "public.customers".to_owned(), column: name.to_owned() };
    let judged = |number, text, outcome, context| match command(number, text, outcome) {
        Event::Command(command) => Event::Judged(Judged { command, context }),
        other => other,
    };
    let used = |column: &'static str, kind| Used { relation: "public.customers".into(), column: column.into(), kind };
    let mut events = vec![story().swap_remove(0).1];
    events.extend([
        judged(1, "SELECT 1", Outcome::Allow, Context::default()),
        judged(
            2,
            "SELECT id FROM customers WHERE email = $1 AND name > 'a'",
            Outcome::Allow,
            Context {
                bits: Context::IN_TRANSACTION,
                used: vec![used("email", 1), used("*", Used::ANYHOW)],
                ..Context::default()
            },
        ),
        judged(
            3,
            "INSERT INTO archive SELECT email, f(x) FROM customers",
            Outcome::Deny,
            Context {
                bits: Context::READS_UNKNOWN | Context::MOVES_UNKNOWN,
                used: Vec::new(),
                moves: vec![
                    Move { from: column("email"), to: Some(column("note")), made: false },
                    Move { from: column("*"), to: None, made: true },
                ]
                .into(),
                reads: vec![Object::relation("public", "customers")].into(),
            },
        ),
        Event::Closed { reason: "client closed".into(), commands: 3, bytes: (1, 2) },
    ]);
    (0..).map(|index| Micros(START + index * 1000)).zip(events).collect()
}

/// A session with a terminal, an exec and a transfer.
pub(crate) fn terminal_story() -> Vec<(Micros, Event<'static>)> {
    let stream = |number, stream, data: &'static str| Event::Stream { number, stream, data: data.as_bytes().into() };
    let finished = |number, tag: &'static str, bytes| {
        Event::Finished(Finished {
            number,
            tag: tag.into(),
            error: None,
            rows: 0,
            bytes,
            digest: None,
            masked: 0,
            target_micros: 2_000_000,
            gateway_micros: 40,
        })
    };
    let Event::Opened(mut opened) = story().swap_remove(0).1 else { panic!("a story begins with its opening") };
    (opened.protocol, opened.client) = ("ssh".into(), "OpenSSH_9.9".into());
    let split = "grüße".as_bytes();
    let events = vec![
        Event::Opened(opened),
        command(1, "shell", Outcome::Allow),
        Event::Terminal { number: 1, term: "xterm-256color".into(), columns: 100, rows: 30 },
        stream(1, StreamKind::Output, "\x1b]0;web-1\x07\x1b[1;32mweb-1\x1b[0m:~$ "),
        stream(1, StreamKind::Input, "l"),
        stream(1, StreamKind::Output, "l"),
        Event::Stream { number: 1, stream: StreamKind::Output, data: split[..3].to_vec().into() },
        Event::Stream { number: 1, stream: StreamKind::Output, data: split[3..].to_vec().into() },
        Event::Terminal { number: 1, term: "".into(), columns: 80, rows: 24 },
        stream(1, StreamKind::Output, "\r\nbye\r\n"),
        finished(1, "exit 0", 40),
        command(2, "tar c /etc", Outcome::Allow),
        Event::Stream { number: 2, stream: StreamKind::Output, data: vec![0, 159, 255].into() },
        stream(2, StreamKind::Error, "tar: removing leading /\n"),
        finished(2, "exit 2", 27),
        command(3, "scp -t /tmp", Outcome::Deny),
        command(4, "sftp", Outcome::Allow),
        file(4, "put", "/srv/report.csv", None, 1200, "ok"),
        file(4, "rename", "/srv/report.csv", Some("/srv/report.old"), 0, "ok"),
        file(4, "get", "/etc/shadow", None, 0, "permission denied"),
        finished(4, "exit 0", 0),
        Event::Closed { reason: "client closed".into(), commands: 4, bytes: (512, 2048) },
    ];
    (0..).map(|index| Micros(START + index * 250_000)).zip(events).collect()
}

fn file(
    number: u64,
    operation: &'static str,
    path: &'static str,
    to: Option<&'static str>,
    size: u64,
    outcome: &'static str,
) -> Event<'static> {
    Event::File {
        number,
        operation: operation.into(),
        path: path.into(),
        to: to.map(Into::into),
        size,
        digest: (size > 0).then_some([5; 32]),
        outcome: outcome.into(),
    }
}

fn command(number: u64, text: &'static str, outcome: Outcome) -> Event<'static> {
    Event::Command(CommandEvent {
        number,
        label: text.split(' ').next().unwrap_or_default().into(),
        text: text.into(),
        values: vec![Some("3".into()), None],
        actions: vec![Action::on(Effect::Read, Object::relation("public", "customers"))].into(),
        flags: Flags { unbounded: outcome == Outcome::Deny, multi: false },
        outcome,
        rules: vec!["agents read orders".to_owned()].into(),
        reasons: if outcome == Outcome::Allow { vec![] } else { vec!["no rule allows it".to_owned()] }.into(),
        shadow: vec![("stricter".to_owned(), Outcome::Deny)].into(),
        policy: "v12".into(),
    })
}

/// Writes events into a recording that is closed.
pub(crate) fn write(events: &[(Micros, Event<'_>)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new(), header()).unwrap();
    for (index, (at, event)) in events.iter().enumerate() {
        writer.event(*at, event, &key()).unwrap();
        if index % 5 == 4 {
            writer.flush().unwrap();
        }
    }
    let last = events.last().map_or(Micros(START), |(at, _)| *at);
    writer.seal(last, Mark::Closed, &key()).unwrap().0
}

/// Any event.
pub(crate) fn any_event() -> impl Strategy<Value = Event<'static>> {
    let text = || "\\PC{0,40}".prop_map(|text| text.into());
    let values = || proptest::collection::vec(proptest::option::of(text()), 0..4);
    let bytes = |most: usize| proptest::collection::vec(any::<u8>(), 0..most).prop_map(|data| data.into());
    prop_oneof![
        (text(), text()).prop_map(|(user, link)| Event::Leased { user, link }),
        (any::<u64>(), values()).prop_map(|(number, values)| Event::Values { number, values }),
        (any::<u64>(), any::<u32>(), bytes(300)).prop_map(|(number, count, data)| Event::Rows { number, count, data }),
        (any::<u64>(), any::<bool>(), bytes(200_000))
            .prop_map(|(number, to_target, data)| { Event::Bulk { number, to_target, data } }),
        (text(), text()).prop_map(|(kind, text)| Event::Message { kind, text }),
        (text(), any::<u64>(), any::<(u64, u64)>())
            .prop_map(|(reason, commands, bytes)| { Event::Closed { reason, commands, bytes } }),
        (any::<u64>(), text(), proptest::collection::vec((text(), text()), 0..3))
            .prop_map(|(number, approval, by)| { Event::Answered { number, approval, answer: "approved".into(), by } }),
        (any::<u64>(), 0_usize..3, bytes(100_000)).prop_map(|(number, kind, data)| {
            let stream = [StreamKind::Input, StreamKind::Output, StreamKind::Error][kind];
            Event::Stream { number, stream, data }
        }),
        (any::<u64>(), text(), any::<(u32, u32)>()).prop_map(|(number, term, (columns, rows))| Event::Terminal {
            number,
            term,
            columns,
            rows
        }),
        (any::<(u64, u64)>(), text(), text(), proptest::option::of(text()), any::<Option<[u8; 32]>>(), text())
            .prop_map(|((number, size), operation, path, to, digest, outcome)| {
                Event::File { number, operation, path, to, size, digest, outcome }
            }),
        (any::<(u64, u64)>(), any::<bool>(), bytes(100_000))
            .prop_map(|((number, offset), to_target, data)| { Event::Content { number, to_target, offset, data } }),
        proptest::sample::select([story(), judged_story(), terminal_story()].concat()).prop_map(|(_, event)| event),
    ]
}
