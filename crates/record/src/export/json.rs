//! One JSON object per event, with `n` (entry number), `at`, `session` and `event` first.

use std::collections::BTreeMap;
use std::io::{Read, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{ExportError, each, line, session_id, time};
use crate::event::{Column, CommandEvent, Context, Event, Finished, Judged, Opened, Used};
use crate::rows::Rows;

/// Commands whose result shape is remembered at the same time; above it the oldest shape is forgotten and values are
/// written by their look alone.
const MAX_SHAPES: usize = 1024;

/// Writes a recording as JSON Lines and returns how many lines were written.
///
/// Values of rows are text where they are text (valid UTF-8, and a column in text format), `{"base64": "…"}` otherwise,
/// `null` for NULL. An event that was recorded in parts is one line.
///
/// # Errors
/// A damaged recording (what comes before the damage is written), or the output's own error.
pub fn json_lines(source: impl Read, out: &mut dyn Write) -> Result<u64, ExportError> {
    let mut shapes = BTreeMap::new();
    let mut lines = 0;
    each(source, |header, entry| {
        let mut object = Map::new();
        object.insert("n".into(), json!(entry.number));
        object.insert("at".into(), json!(time(entry.at)));
        object.insert("session".into(), json!(session_id(header.session)));
        if let Value::Object(fields) = event(&entry.event, &mut shapes) {
            object.extend(fields);
        }
        lines += 1;
        line(out, &Value::Object(object))
    })?;
    Ok(lines)
}

/// Which columns of a command's result are binary.
type Shapes = BTreeMap<u64, Vec<bool>>;

fn event(event: &Event<'_>, shapes: &mut Shapes) -> Value {
    match event {
        Event::Opened(opened) => self::opened(opened),
        Event::Leased { user, link } => json!({"event": "leased", "user": user, "link": link}),
        Event::Command(command) => self::command(command),
        Event::Judged(Judged { command, context }) => {
            let mut event = self::command(command);
            if let Some(object) = event.as_object_mut() {
                object.insert("judged_by".into(), self::context(context));
            }
            event
        }
        Event::Held { number, approval, expires } => {
            json!({"event": "held", "number": number, "approval": approval, "expires": time(*expires)})
        }
        Event::Answered { number, approval, answer, by } => {
            let by: Vec<Value> = by.iter().map(|(who, why)| json!({"who": who, "reason": why})).collect();
            json!({"event": "answered", "number": number, "approval": approval, "answer": answer, "by": by})
        }
        Event::Values { number, values } => {
            json!({"event": "values", "number": number, "values": values})
        }
        Event::Columns { number, columns } => {
            if shapes.len() >= MAX_SHAPES {
                shapes.pop_first();
            }
            shapes.insert(*number, columns.iter().map(|column| column.binary).collect());
            let columns: Vec<Value> = columns.iter().map(column).collect();
            json!({"event": "columns", "number": number, "columns": columns})
        }
        Event::Rows { number, count, data } => {
            rows(*number, *count, data, shapes.get(number).map_or(&[][..], Vec::as_slice))
        }
        Event::Bulk { number, to_target, data } => {
            let direction = if *to_target { "to_target" } else { "to_client" };
            json!({"event": "bulk", "number": number, "direction": direction, "data": bytes(data, false)})
        }
        Event::Finished(finished) => {
            shapes.remove(&finished.number);
            self::finished(finished)
        }
        Event::Message { kind, text } => json!({"event": "message", "kind": kind, "text": text}),
        Event::Control { what, outcome } => {
            json!({"event": "control", "what": what, "outcome": outcome})
        }
        Event::Closed { reason, commands, bytes } => json!({
            "event": "closed", "reason": reason, "commands": commands,
            "bytes": {"from_client": bytes.0, "from_target": bytes.1},
        }),
        Event::Recovered { at } => json!({"event": "recovered", "recovered_at": time(*at)}),
        Event::Stream { number, stream, data } => {
            json!({"event": "stream", "number": number, "stream": stream.as_str(), "data": bytes(data, false)})
        }
        Event::Terminal { number, term, columns, rows } => {
            json!({"event": "terminal", "number": number, "term": term, "columns": columns, "rows": rows})
        }
        Event::File { number, operation, path, to, size, digest, outcome } => json!({
            "event": "file", "number": number, "operation": operation, "path": path, "to": to, "size": size,
            "digest": digest.map(hex), "outcome": outcome,
        }),
        Event::Content { number, to_target, offset, data } => {
            let direction = if *to_target { "to_target" } else { "to_client" };
            let data = json!({"base64": STANDARD.encode(data)});
            json!({"event": "content", "number": number, "direction": direction, "offset": offset, "data": data})
        }
    }
}

fn opened(opened: &Opened<'_>) -> Value {
    let identity = serde_json::from_str(&opened.identity).unwrap_or_else(|_| json!(opened.identity));
    json!({
        "event": "opened", "protocol": opened.protocol, "identity": identity, "target": opened.target,
        "role": opened.role, "from": opened.from, "client": opened.client, "policy": opened.policy,
        "rules": opened.rules, "gateway": opened.gateway,
    })
}

fn command(command: &CommandEvent<'_>) -> Value {
    let actions: Vec<Value> = command
        .actions
        .iter()
        .map(|action| json!({"effect": action.effect, "object": action.object.as_ref().map(ToString::to_string)}))
        .collect();
    let shadow: Vec<Value> =
        command.shadow.iter().map(|(rule, outcome)| json!({"rule": rule, "outcome": outcome})).collect();
    json!({
        "event": "command", "number": command.number, "label": command.label, "text": command.text,
        "values": command.values, "actions": actions, "flags": command.flags, "outcome": command.outcome,
        "rules": command.rules, "reasons": command.reasons, "shadow": shadow, "policy": command.policy,
    })
}

fn context(context: &Context<'_>) -> Value {
    let used = context.used.iter().map(|Used { relation, column, kind }| {
        let word = match *kind {
            Used::ANYHOW => json!("anyhow"),
            Used::IN_CLEAR => json!("in clear"),
            kind => json!(kind),
        };
        json!({"column": format!("{relation}.{column}"), "how": word})
    });
    let name = |column: &model::ColumnRef| format!("{}.{}", column.relation, column.column);
    let moves = context
        .moves
        .iter()
        .map(|step| json!({"from": name(&step.from), "to": step.to.as_ref().map(name), "made": step.made}));
    json!({
        "in_transaction": context.has(Context::IN_TRANSACTION),
        "reads_unknown": context.has(Context::READS_UNKNOWN),
        "moves_unknown": context.has(Context::MOVES_UNKNOWN),
        "used": used.collect::<Vec<_>>(),
        "moves": moves.collect::<Vec<_>>(),
        "reads": context.reads.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn column(column: &Column<'_>) -> Value {
    json!({"name": column.name, "type": column.ty, "binary": column.binary, "mask": column.mask})
}

fn rows(number: u64, count: u32, data: &[u8], binary: &[bool]) -> Value {
    let mut walk = Rows::new(data);
    let mut rows: Vec<Value> = Vec::new();
    for row in walk.by_ref() {
        let values = row.iter().enumerate().map(|(index, value)| {
            let binary = binary.get(index).copied().unwrap_or(false);
            value.map_or(Value::Null, |value| bytes(value, binary))
        });
        rows.push(values.collect());
    }
    let mut event = json!({"event": "rows", "number": number, "count": count, "rows": rows});
    if let (false, Some(object)) = (walk.rest().is_empty(), event.as_object_mut()) {
        object.insert("rest".into(), bytes(walk.rest(), true));
    }
    event
}

/// Text where it is text, Base64 otherwise.
fn bytes(data: &[u8], binary: bool) -> Value {
    match std::str::from_utf8(data) {
        Ok(text) if !binary => json!(text),
        _ => json!({"base64": STANDARD.encode(data)}),
    }
}

fn hex(digest: [u8; 32]) -> String {
    blake3::Hash::from(digest).to_hex().to_string()
}

fn finished(finished: &Finished<'_>) -> Value {
    let error = finished.error.as_ref().map(|(code, text)| json!({"code": code, "text": text}));
    let digest = finished.digest.map(hex);
    json!({
        "event": "finished", "number": finished.number, "tag": finished.tag, "error": error, "rows": finished.rows,
        "bytes": finished.bytes, "digest": digest, "masked": finished.masked,
        "target_micros": finished.target_micros, "gateway_micros": finished.gateway_micros,
    })
}
