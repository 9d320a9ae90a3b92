//! OCSF events for a SIEM: Authentication (3002) for the session's begin and end, and one event for each command: Datastore
//! Activity (6005), or for SSH what [`ssh`] says.
//!
//! `type_uid` is `class_uid × 100 + activity_id`. The security_control profile says what was decided: allowed, denied, or
//! modified when values were masked. Times are milliseconds since the Unix epoch.

mod ssh;

use std::collections::BTreeMap;
use std::io::{Read, Write};

use model::{Effect, Outcome};
use serde_json::{Value, json};

use super::{ExportError, each, line, session_id};
use crate::event::{CommandEvent, Event, Finished, Judged, Micros, Opened};

/// The version of the schema that the events follow.
const SCHEMA: &str = "1.5.0";
/// Commands whose end is awaited at the same time; above it the oldest is written without its end.
const MAX_WAITING: usize = 1024;
/// Bytes of a statement in one event; the recording has all of it.
const MAX_QUERY: usize = 64 * 1024;

/// Writes a recording as OCSF events, one JSON object per line, and returns how many were written.
///
/// A command is one event, written when it ended; a denied one at once.
///
/// # Errors
/// A damaged recording (what comes before the damage is written), or the output's own error.
pub fn ocsf(source: impl Read, out: &mut dyn Write) -> Result<u64, ExportError> {
    let mut state = Exporter::default();
    let mut lines = 0;
    each(source, |header, entry| {
        if state.session.is_empty() {
            state.session = session_id(header.session);
        }
        for event in state.take(entry.at, &entry.event) {
            lines += 1;
            line(out, &event)?;
        }
        Ok(())
    })?;
    for (_, command) in std::mem::take(&mut state.waiting) {
        lines += 1;
        line(out, &state.activity(&command, None))?;
    }
    Ok(lines)
}

/// A command whose end has not come.
struct Waiting {
    at: Micros,
    number: u64,
    query: String,
    cut: bool,
    effects: Vec<(Effect, Option<String>)>,
    outcome: Outcome,
    rules: Vec<String>,
    reasons: Vec<String>,
    policy: String,
    approval: Option<(String, Vec<String>)>,
    traffic: ssh::Traffic,
}

#[derive(Default)]
struct Exporter {
    session: String,
    actor: Value,
    source: Value,
    target: String,
    role: String,
    protocol: String,
    version: String,
    waiting: BTreeMap<u64, Waiting>,
}

impl Exporter {
    fn take(&mut self, at: Micros, event: &Event<'_>) -> Vec<Value> {
        match event {
            Event::Opened(opened) => vec![self.opened(at, opened)],
            Event::Command(command) | Event::Judged(Judged { command, .. }) => self.command(at, command),
            Event::Answered { number, approval, answer, by } => {
                if let Some(waiting) = self.waiting.get_mut(number) {
                    let by = by.iter().map(|(who, _)| who.to_string()).collect();
                    waiting.approval = Some((format!("{approval} {answer}"), by));
                    if answer != "approved" {
                        waiting.outcome = Outcome::Deny;
                    }
                }
                Vec::new()
            }
            Event::Finished(finished) => {
                let waiting = self.waiting.remove(&finished.number);
                waiting.map(|command| self.activity(&command, Some(finished))).into_iter().collect()
            }
            Event::Closed { reason, .. } => vec![self.authentication(at, 2, "Logoff", reason)],
            Event::Recovered { .. } => {
                vec![self.authentication(at, 2, "Logoff", "the gateway stopped without warning")]
            }
            Event::Leased { .. }
            | Event::Held { .. }
            | Event::Values { .. }
            | Event::Columns { .. }
            | Event::Rows { .. }
            | Event::Bulk { .. }
            | Event::Message { .. }
            | Event::Control { .. }
            | Event::Terminal { .. }
            | Event::Content { .. } => Vec::new(),
            Event::Stream { number, stream, data } => {
                if let Some(waiting) = self.waiting.get_mut(number) {
                    waiting.traffic.add(*stream, data.len() as u64);
                }
                Vec::new()
            }
            Event::File { .. } => self.file(at, event).into_iter().collect(),
        }
    }

    fn opened(&mut self, at: Micros, opened: &Opened<'_>) -> Value {
        let identity: Value =
            serde_json::from_str(&opened.identity).unwrap_or_else(|_| json!({"subject": opened.identity}));
        let subject = identity.get("subject").cloned().unwrap_or_default();
        let groups: Vec<Value> = identity
            .get("groups")
            .and_then(Value::as_array)
            .map(|groups| groups.iter().map(|group| json!({"name": group})).collect())
            .unwrap_or_default();
        self.actor = json!({
            "user": {"name": subject, "uid": subject, "groups": groups},
            "session": {"uid": self.session, "issuer": identity.get("issuer")},
            "invoked_by": identity.get("on_behalf_of").and_then(Value::as_array).map(|chain| {
                chain.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" for ")
            }),
        });
        let (ip, port) = opened.from.rsplit_once(':').unwrap_or((&opened.from, ""));
        self.source = json!({
            "ip": ip.trim_matches(['[', ']']), "port": port.parse::<u16>().ok(), "name": opened.client,
        });
        self.target = opened.target.to_string();
        self.role = opened.role.to_string();
        self.protocol = opened.protocol.to_string();
        self.version = opened.gateway.to_string();
        self.authentication(at, 1, "Logon", "")
    }

    fn authentication(&self, at: Micros, activity: u64, name: &str, message: &str) -> Value {
        let mut event = self.base(at, 3002, "Authentication", (3, "Identity & Access Management"), (activity, name));
        merge(
            &mut event,
            json!({
                "status_id": 1, "status": "Success", "severity_id": 1, "severity": "Informational",
                "user": self.actor.get("user"), "session": {"uid": self.session},
                "service": {"name": self.target}, "dst_endpoint": {"name": self.target, "svc_name": self.protocol},
                "auth_protocol_id": 99, "auth_protocol": self.protocol, "message": message,
            }),
        );
        event
    }

    fn command(&mut self, at: Micros, command: &CommandEvent<'_>) -> Vec<Value> {
        let end = command.text.floor_char_boundary(MAX_QUERY);
        let waiting = Waiting {
            at,
            number: command.number,
            query: command.text.get(..end).unwrap_or_default().to_owned(),
            cut: end < command.text.len(),
            effects: command
                .actions
                .iter()
                .map(|action| (action.effect, action.object.as_ref().map(ToString::to_string)))
                .collect(),
            outcome: command.outcome,
            rules: command.rules.to_vec(),
            reasons: command.reasons.to_vec(),
            policy: command.policy.to_string(),
            approval: None,
            traffic: ssh::Traffic::default(),
        };
        if command.outcome == Outcome::Deny {
            return vec![self.activity(&waiting, None)];
        }
        let mut events = Vec::new();
        if self.waiting.len() >= MAX_WAITING
            && let Some((_, oldest)) = self.waiting.pop_first()
        {
            events.push(self.activity(&oldest, None));
        }
        self.waiting.insert(command.number, waiting);
        events
    }

    fn activity(&self, command: &Waiting, end: Option<&Finished<'_>>) -> Value {
        let mut event =
            if self.protocol == ssh::PROTOCOL { self.remote(command, end) } else { self.datastore(command, end) };
        merge(&mut event, decision(command, end));
        merge(
            &mut event,
            json!({"unmapped": {
                "command": command.number, "rules": command.rules, "policy": command.policy, "query_cut": command.cut,
                "approval": command.approval.as_ref().map(|(id, by)| json!({"request": id, "by": by})),
                "rows": end.map(|end| end.rows), "masked": end.map(|end| end.masked),
                "gateway_micros": end.map(|end| end.gateway_micros),
            }}),
        );
        event
    }

    fn datastore(&self, command: &Waiting, end: Option<&Finished<'_>>) -> Value {
        let effect = command.effects.iter().map(|(effect, _)| *effect).max().unwrap_or(Effect::Unknown);
        let mut event =
            self.base(command.at, 6005, "Datastore Activity", (6, "Application Activity"), activity_of(effect));
        let objects: Vec<Value> =
            command.effects.iter().map(|(effect, object)| json!({"name": object, "type": effect.as_str()})).collect();
        merge(
            &mut event,
            json!({
                "type_id": 1, "type": "Data",
                "database": {"name": self.target, "type_id": 1, "type": "Relational", "uid": self.role},
                "query_info": {"query_string": command.query, "uid": command.number.to_string()},
                "resources": objects,
            }),
        );
        if let Some(end) = end {
            merge(
                &mut event,
                json!({"query_info": {
                    "query_string": command.query, "uid": command.number.to_string(),
                    "bytes": end.bytes, "query_time": millis(command.at),
                }}),
            );
        }
        event
    }

    fn base(&self, at: Micros, class: u64, class_name: &str, category: (u64, &str), activity: (u64, &str)) -> Value {
        json!({
            "time": millis(at),
            "class_uid": class, "class_name": class_name,
            "category_uid": category.0, "category_name": category.1,
            "activity_id": activity.0, "activity_name": activity.1,
            "type_uid": class * 100 + activity.0, "type_name": format!("{class_name}: {}", activity.1),
            "actor": self.actor, "src_endpoint": self.source,
            "dst_endpoint": {"name": self.target, "svc_name": self.protocol},
            "metadata": {
                "version": SCHEMA, "uid": self.session, "correlation_uid": self.session,
                "product": {"name": "Sallyport", "vendor_name": "Sallyport", "version": self.version},
                "profiles": ["security_control", "host"],
            },
        })
    }
}

/// What was decided about a command and how it ended: alike in every class.
fn decision(command: &Waiting, end: Option<&Finished<'_>>) -> Value {
    let denied = command.outcome == Outcome::Deny;
    let masked = end.is_some_and(|end| end.masked > 0);
    let (action, name) = match (denied, masked) {
        (true, _) => (2, "Denied"),
        (false, true) => (4, "Modified"),
        (false, false) => (1, "Allowed"),
    };
    let failed = denied || end.is_some_and(|end| end.error.is_some());
    let lasted = |end: &Finished<'_>| i64::try_from(end.target_micros / 1000).unwrap_or_default();
    json!({
        "action_id": action, "action": name,
        "status_id": if failed { 2 } else { 1 }, "status": if failed { "Failure" } else { "Success" },
        "severity_id": if denied { 3 } else { 1 }, "severity": if denied { "Medium" } else { "Informational" },
        "firewall_rule": command.rules.first().map(|rule| json!({"name": rule, "version": command.policy})),
        "status_detail": command.reasons.join("; "),
        "duration": end.map(|end| end.target_micros / 1000),
        "end_time": end.map(|end| millis(command.at).saturating_add(lasted(end))),
        "status_code": end.and_then(|end| end.error.as_ref()).map(|(code, _)| code),
    })
}

/// The activity of class 6005 that comes closest.
const fn activity_of(effect: Effect) -> (u64, &'static str) {
    match effect {
        Effect::Read | Effect::Export => (1, "Read"),
        Effect::Alter | Effect::Grant | Effect::Admin => (2, "Update"),
        Effect::Connect | Effect::Tunnel => (3, "Connect"),
        Effect::Session | Effect::Execute | Effect::Unknown => (4, "Query"),
        Effect::Write | Effect::Import => (5, "Write"),
        Effect::Create => (6, "Create"),
        Effect::Delete | Effect::Destroy => (7, "Delete"),
    }
}

const fn millis(at: Micros) -> i64 {
    at.0.div_euclid(1000)
}

/// Adds fields to an object.
fn merge(event: &mut Value, more: Value) {
    if let (Value::Object(event), Value::Object(more)) = (event, more) {
        event.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
}
