//! What SSH's requests would do, as intents: the only place where SSH's words become policy words.

use std::sync::Arc;

use model::{Action, Effect, Intent, IntentId, Object, ObjectKind};

use crate::scp;
use crate::scp::place::Place;

/// Environment variables that only say how things look, as OpenSSH's servers accept them by default (`LANG`, `LC_*`), and terminals'.
const LOOKS: &[&str] = &["LANG", "LANGUAGE", "COLORTERM", "NO_COLOR", "TERM", "TZ"];

/// A request as it is judged.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) intent: Arc<Intent>,
    /// Its words, for the recording and for approvers.
    pub(crate) text: String,
}

impl Asked {
    fn of(label: &str, text: String, actions: Vec<Action>, reasons: Vec<String>) -> Self {
        let mut intent = Intent::simple(id(label, &text, &actions), label, Action::bare(Effect::Unknown));
        intent.actions = actions;
        intent.reasons = reasons;
        Self { intent: Arc::new(intent), text }
    }

    fn simple(label: &str, text: String, effect: Effect, object: Object) -> Self {
        Self::of(label, text, vec![Action::on(effect, object)], Vec::new())
    }

    /// The command as the gate takes it.
    pub(crate) fn command(&self) -> model::Command<'_> {
        model::Command { intent: &self.intent, text: &self.text, values: &[], in_transaction: false, unmask: &[] }
    }
}

/// Verdicts are kept by it, so it stands for all that is judged: a text alone may mean several things (a blank in a path looks like one between
/// two paths).
fn id(label: &str, text: &str, actions: &[Action]) -> u128 {
    let mut hasher = blake3::Hasher::new_derive_key("sallyport ssh intent v2");
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    field(label.as_bytes());
    field(text.as_bytes());
    for action in actions {
        field(action.effect.as_str().as_bytes());
        let object = action.object.as_ref();
        field(object.map_or("", |object| object.kind.as_str()).as_bytes());
        field(object.map_or("", |object| object.name.as_str()).as_bytes());
    }
    let mut short = [0; 16];
    short.copy_from_slice(hasher.finalize().as_bytes().first_chunk::<16>().unwrap_or(&[0; 16]));
    IntentId(u128::from_le_bytes(short)).0
}

/// What a request would do, for people who ask without a target: `exec`, `terminal` (the same with a terminal), `shell`, `tunnel` (HOST:PORT),
/// `subsystem` (its name), `env` (a variable's name), or an operation on files such as `get PATH` for `sftp`. Paths are taken as the target would
/// say they are.
///
/// # Errors
/// What the text must be.
pub fn explain(request: &str, text: &str) -> Result<Arc<Intent>, String> {
    let asked = match request {
        "exec" => exec(text.as_bytes(), false).0,
        "terminal" => exec(text.as_bytes(), true).0,
        "shell" => shell(),
        "subsystem" if text == "sftp" => files(),
        "subsystem" => subsystem(text),
        "env" => environment(text),
        "tunnel" => {
            let place = text.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
            let (host, port) = place.ok_or("a tunnel goes to HOST:PORT")?;
            direct(host.trim_matches(['[', ']']), port)
        }
        "sftp" => transfer(text)?,
        other => return Err(format!("`{other}` is no request of SSH")),
    };
    Ok(asked.intent)
}

fn transfer(text: &str) -> Result<Asked, String> {
    let mut words = text.split(' ');
    let (word, path, to) = (words.next().unwrap_or_default(), words.next().unwrap_or_default(), words.next());
    let on = |effect| (effect, path.to_owned());
    let about = match (word, to) {
        ("get" | "list" | "stat" | "readlink", None) => vec![on(Effect::Read)],
        ("put", None) => vec![on(Effect::Write)],
        ("setstat", None) => vec![on(Effect::Alter)],
        ("remove" | "rmdir", None) => vec![on(Effect::Delete)],
        ("mkdir", None) => vec![on(Effect::Create)],
        ("rename", Some(to)) => vec![on(Effect::Alter), (Effect::Alter, to.to_owned()), (Effect::Write, to.to_owned())],
        _ => {
            let known = "get, put, list, stat, readlink, setstat, remove, rmdir, mkdir PATH, or rename PATH TO";
            return Err(format!("write an operation and its path: {known}"));
        }
    };
    Ok(operation(word, &about))
}

/// A command for the login shell of the target's user. With a terminal, programs that only show something start pagers and take keys, and so may
/// run anything: that is asked for beside what the text would do. Where all of it is the far side of an scp, that is the second answer.
pub(crate) fn exec(command: &[u8], terminal: bool) -> (Asked, Option<scp::Far>) {
    let analysis = shell::analyze(command);
    let text = String::from_utf8_lossy(command).into_owned();
    let far = if terminal { None } else { far_side(&analysis, &text) };
    let (mut actions, mut reasons) = (analysis.actions, analysis.reasons);
    if far.is_none() && analysis.parts.iter().any(|part| shell::scp(&part.argv).is_some()) {
        // Other programs beside it, or a terminal between, and nobody knows which bytes are whose.
        actions.push(Action::on(Effect::Unknown, Object::new(ObjectKind::Command, "?.")));
        actions.sort();
        actions.dedup();
        reasons.push("scp is judged file by file, so it has to be all of the command".to_owned());
    }
    if terminal {
        actions.push(Action::on(Effect::Execute, Object::new(ObjectKind::Other, "terminal")));
        actions.sort();
        actions.dedup();
    }
    (Asked::of(if terminal { "exec with a terminal" } else { "exec" }, text, actions, reasons), far)
}

/// The far side of an scp that is all of a text: one simple command, written word by word.
fn far_side(analysis: &shell::Analysis, text: &str) -> Option<scp::Far> {
    let ([part], [Action { object: Some(path), .. }]) = (analysis.parts.as_slice(), analysis.actions.as_slice()) else {
        return None;
    };
    let words = shell::scp(&part.argv)?;
    let plain = !part.background && path.kind == ObjectKind::Path && model::argv::split(text)? == part.argv;
    plain.then(|| scp::Far::new(&words, part.constant, &path.name))
}

/// A file or folder that scp copies. Where only the target knows which of two places it is, both are meant.
pub(crate) fn copy(word: &str, effect: Effect, place: &Place) -> Asked {
    let on = |path: &String| Action::on(effect, Object::new(ObjectKind::Path, path.as_str()));
    let mut actions: Vec<Action> = place.paths.iter().map(on).collect();
    actions.sort();
    actions.dedup();
    Asked::of("scp", format!("{word} {}", place.shown), actions, Vec::new())
}

/// Whether a command is the far end of scp, rsync or git: it carries files in a protocol of its own, which a mask would break, and rules have
/// named the paths. As with SFTP, who may read a path has what is in it.
pub(crate) fn is_transfer(intent: &Intent) -> bool {
    let path = |action: &Action| action.object.as_ref().is_some_and(|object| object.kind == ObjectKind::Path);
    intent.label == "exec" && !intent.actions.is_empty() && intent.actions.iter().all(path)
}

/// An interactive shell: whatever is typed into it. It is recorded, and never claimed to be filtered.
pub(crate) fn shell() -> Asked {
    Asked::simple("shell", "interactive shell".to_owned(), Effect::Execute, Object::new(ObjectKind::Other, "shell"))
}

/// A file transfer: what it does is judged operation by operation.
pub(crate) fn files() -> Asked {
    Asked::of("sftp", "subsystem sftp".to_owned(), vec![Action::bare(Effect::Session)], Vec::new())
}

/// One operation of a file transfer, on paths as the target sees them. One that the target cannot tell is unresolved.
pub(crate) fn operation(word: &str, about: &[(Effect, String)]) -> Asked {
    let mut actions: Vec<Action> =
        about.iter().map(|(effect, path)| Action::on(*effect, Object::new(ObjectKind::Path, path.as_str()))).collect();
    actions.sort();
    actions.dedup();
    let mut paths: Vec<&str> = about.iter().map(|(_, path)| path.as_str()).collect();
    paths.dedup();
    Asked::of("sftp", format!("{word} {}", paths.join(" ")), actions, Vec::new())
}

/// A subsystem that is not decoded.
pub(crate) fn subsystem(name: &str) -> Asked {
    let object = Object::new(ObjectKind::Other, format!("subsystem:{name}"));
    Asked::simple("subsystem", format!("subsystem {name}"), Effect::Execute, object)
}

/// An environment variable that is no matter of looks only. Its value may be a secret, and is not kept.
pub(crate) fn environment(name: &str) -> Asked {
    let object = Object::new(ObjectKind::Setting, name);
    Asked::simple("env", format!("env {name}"), Effect::Execute, object)
}

/// Whether an environment variable only says how things look.
pub(crate) fn is_looks(name: &str) -> bool {
    LOOKS.contains(&name) || name.starts_with("LC_")
}

/// A connection that the target makes for the client.
pub(crate) fn direct(host: &str, port: u32) -> Asked {
    let place = place(host, port);
    Asked::simple("tunnel", format!("tunnel to {place}"), Effect::Tunnel, Object::new(ObjectKind::Host, place))
}

/// Connections that the target takes for the client.
pub(crate) fn listen(host: &str, port: u32) -> Asked {
    let place = format!("listen:{}", place(host, port));
    Asked::simple("tunnel", format!("tunnel from {place}"), Effect::Tunnel, Object::new(ObjectKind::Host, place))
}

/// A connection to a socket of the target.
pub(crate) fn socket(path: &str) -> Asked {
    Asked::simple("tunnel", format!("tunnel to {path}"), Effect::Tunnel, Object::new(ObjectKind::Path, path))
}

/// Connections to a socket that the target makes.
pub(crate) fn listen_socket(path: &str) -> Asked {
    let object = Object::new(ObjectKind::Path, format!("listen:{path}"));
    Asked::simple("tunnel", format!("tunnel from listen:{path}"), Effect::Tunnel, object)
}

/// The client's keys, or its screen, for programs of the target.
pub(crate) fn lend(what: &str) -> Asked {
    Asked::simple("tunnel", format!("{what} forwarding"), Effect::Tunnel, Object::new(ObjectKind::Other, what))
}

fn place(host: &str, port: u32) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}
