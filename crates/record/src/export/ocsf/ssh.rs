//! Commands of SSH sessions: SSH Activity (4007) for each, File System Activity (1001) for each operation on a file.

use serde_json::{Value, json};

use super::{Exporter, Waiting, merge};
use crate::event::{Event, Finished, Micros, StreamKind};
use model::Outcome;

/// The protocol of sessions whose commands are SSH activity.
pub(super) const PROTOCOL: &str = "ssh";

/// Bytes of a command's streams.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Traffic {
    input: u64,
    output: u64,
}

impl Traffic {
    /// Counts bytes of one stream.
    pub(super) const fn add(&mut self, stream: StreamKind, bytes: u64) {
        match stream {
            StreamKind::Input => self.input = self.input.saturating_add(bytes),
            StreamKind::Output | StreamKind::Error => self.output = self.output.saturating_add(bytes),
        }
    }
}

impl Exporter {
    /// A command of an SSH session. The class has no place for the command's text but the message.
    pub(super) fn remote(&self, command: &Waiting, end: Option<&Finished<'_>>) -> Value {
        let failed = end.is_some_and(|end| end.error.is_some());
        let activity = match (command.outcome, failed) {
            (Outcome::Deny, _) => (5, "Refuse"),
            (Outcome::Allow | Outcome::Hold, true) => (4, "Fail"),
            (Outcome::Allow | Outcome::Hold, false) => (6, "Traffic"),
        };
        let mut event = self.base(command.at, 4007, "SSH Activity", (4, "Network Activity"), activity);
        let Traffic { input, output } = command.traffic;
        let objects = command.effects.iter().map(|(effect, object)| json!({"name": object, "type": effect.as_str()}));
        merge(
            &mut event,
            json!({
                "message": command.query,
                "connection_info": {"direction_id": 0, "protocol_name": "tcp", "uid": self.session},
                // The schema's words: in is what the target sent, out is what the client sent.
                "traffic": {"bytes_in": output, "bytes_out": input, "bytes": input.saturating_add(output)},
                "resources": objects.collect::<Vec<_>>(),
            }),
        );
        event
    }

    /// A finished operation on a file; nothing for other events.
    pub(super) fn file(&self, at: Micros, event: &Event<'_>) -> Option<Value> {
        let Event::File { number, operation, path, to, size, digest, outcome } = event else {
            return None;
        };
        let mut event = self.base(at, 1001, "File System Activity", (1, "System Activity"), activity_of(operation));
        let ok = outcome == "ok";
        // The schema has no number for BLAKE3: 99 is another one, named beside it.
        let hash = digest.map(|digest| blake3::Hash::from(digest).to_hex().to_string());
        let hash = hash.map(|hash| json!([{"algorithm_id": 99, "algorithm": "BLAKE3", "value": hash}]));
        merge(
            &mut event,
            json!({
                "status_id": if ok { 1 } else { 2 }, "status": if ok { "Success" } else { "Failure" },
                "status_detail": outcome, "severity_id": 1, "severity": "Informational",
                "device": {"name": self.target, "type_id": 0, "type": "Unknown"},
                "file": described(path, *size, hash),
                "file_result": to.as_ref().map(|to| described(to, *size, None)),
                "unmapped": {"command": number, "operation": operation},
            }),
        );
        Some(event)
    }
}

fn described(path: &str, size: u64, hashes: Option<Value>) -> Value {
    let name = path.rsplit('/').find(|part| !part.is_empty()).unwrap_or(path);
    let mut file = json!({"name": name, "path": path, "type_id": 0, "size": size});
    merge(&mut file, json!({"hashes": hashes}));
    file
}

/// The activity of class 1001 that an operation is.
fn activity_of(operation: &str) -> (u64, &'static str) {
    match operation {
        "get" | "list" | "readlink" => (2, "Read"),
        "put" => (3, "Update"),
        "mkdir" | "link" | "symlink" => (1, "Create"),
        "remove" | "rmdir" => (4, "Delete"),
        "rename" => (5, "Rename"),
        "setstat" => (6, "Set Attributes"),
        "stat" => (8, "Get Attributes"),
        _ => (99, "Other"),
    }
}
