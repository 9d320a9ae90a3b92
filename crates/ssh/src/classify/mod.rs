//! What SSH's requests would do, as intents: the only place where SSH's words become policy words.
//!
//! - `tunnel`: connections by the target, and what is lent to it

mod tunnel;

use std::cell::RefCell;
use std::sync::Arc;

use model::{Action, Effect, Intent, IntentId, Object, ObjectKind, Tool};
use shell::Tools;

pub(crate) use self::tunnel::{direct, lend, listen, listen_socket, socket};
use crate::scp;
use crate::scp::place::Place;

/// Environment variables that only say how things look, as OpenSSH's servers accept them by default (`LANG`, `LC_*`), and terminals'.
const LOOKS: &[&str] = &["LANG", "LANGUAGE", "COLORTERM", "NO_COLOR", "TERM", "TZ"];

/// Labels of command lines, as recordings have them.
const EXEC: &str = "exec";
const EXEC_WITH_TERMINAL: &str = "exec with a terminal";
/// The label of file transfers and of their operations.
const SFTP: &str = "sftp";

/// A request as it is judged.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) intent: Arc<Intent>,
    /// Its words, for the recording and for approvers.
    pub(crate) text: String,
    /// The command line, where it is one: what it means depends on what the policy says of programs.
    line: Option<Arc<Line>>,
}

/// A command line as it was read.
#[derive(Debug)]
struct Line {
    command: Vec<u8>,
    terminal: bool,
    by: Arc<[Tool]>,
    /// The far side of an scp, where that is all of it.
    far: Option<scp::Far>,
}

/// What passes between a client and a program.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Speaks<'a> {
    /// What people read, and anything else that is masked and recorded as it is.
    Text,
    /// Files in a protocol of its own, as rsync and git carry them: a mask would break it, and rules have named the paths. As with SFTP, who may
    /// read a path has what is in it.
    Files,
    /// SFTP, judged operation by operation.
    Sftp,
    /// scp's old protocol, judged file by file.
    Scp(&'a scp::Far),
}

impl Asked {
    fn of(label: &str, text: String, actions: Vec<Action>, reasons: Vec<String>) -> Self {
        let mut intent = Intent::simple(id(label, text.as_bytes(), &actions), label, Action::bare(Effect::Unknown));
        intent.actions = actions;
        intent.reasons = reasons;
        Self { intent: Arc::new(intent), text, line: None }
    }

    fn simple(label: &str, text: String, effect: Effect, object: Object) -> Self {
        Self::of(label, text, vec![Action::on(effect, object)], Vec::new())
    }

    /// The same as it is read by what a policy says of programs; `None` where it was read so already.
    pub(crate) fn again(&self, tools: &Arc<[Tool]>) -> Option<Self> {
        let line = self.line.as_ref().filter(|line| !Arc::ptr_eq(&line.by, tools))?;
        Some(exec(&line.command, line.terminal, tools))
    }

    /// What passes between the client and the program.
    pub(crate) fn speaks(&self) -> Speaks<'_> {
        let links = shell::links();
        let path = |action: &Action| {
            *action == links || action.object.as_ref().is_some_and(|object| object.kind == ObjectKind::Path)
        };
        match self.line.as_ref().map(|line| (line.far.as_ref(), line.terminal)) {
            Some((Some(far), _)) => Speaks::Scp(far),
            Some((None, false)) if !self.intent.actions.is_empty() && self.intent.actions.iter().all(path) => {
                Speaks::Files
            }
            Some((None, _)) => Speaks::Text,
            None if self.intent.label == SFTP => Speaks::Sftp,
            None => Speaks::Text,
        }
    }

    /// The command as the gate takes it.
    pub(crate) fn command(&self) -> model::Command<'_> {
        model::Command { intent: &self.intent, text: &self.text, values: &[], in_transaction: false, unmask: &[] }
    }
}

thread_local! {
    /// The last list of tools that this worker has seen, read: there is one policy in force, and a command line is rare.
    static READ: RefCell<Option<(Arc<[Tool]>, Option<Arc<Tools>>)>> = const { RefCell::new(None) };
}

/// What a policy says of programs, ready for use; `None` when it cannot be meant. A policy that came into force has none of that: it is refused
/// when it is loaded.
fn read(list: &Arc<[Tool]>) -> Option<Arc<Tools>> {
    let known =
        READ.with_borrow(|last| last.as_ref().filter(|(of, _)| Arc::ptr_eq(of, list)).map(|(_, it)| it.clone()));
    known.unwrap_or_else(|| {
        let tools = Tools::new(list).ok().map(Arc::new);
        READ.set(Some((Arc::clone(list), tools.clone())));
        tools
    })
}

/// Verdicts are kept by it, so it stands for all that is judged: words alone may mean several things, by what the policy says of programs, and
/// where a blank in a path looks like one between two paths. The words are those that were sent: bytes that are no text look alike in what is
/// shown of them.
fn id(label: &str, words: &[u8], actions: &[Action]) -> u128 {
    let mut hasher = blake3::Hasher::new_derive_key("sallyport ssh intent v2");
    let mut field = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes()).update(bytes);
    };
    field(label.as_bytes());
    field(words);
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
/// say they are; `tools` are the policy's.
///
/// # Errors
/// What the text must be.
pub fn explain(request: &str, text: &str, tools: &Arc<[Tool]>) -> Result<Arc<Intent>, String> {
    let asked = match request {
        "exec" => exec(text.as_bytes(), false, tools),
        "terminal" => exec(text.as_bytes(), true, tools),
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

/// The request of [`explain`] that a recorded command line was, by its label; `None` for what is none.
#[must_use]
pub fn request_of(label: &str) -> Option<&'static str> {
    match label {
        EXEC => Some("exec"),
        EXEC_WITH_TERMINAL => Some("terminal"),
        _ => None,
    }
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
    Ok(operation(word, &about, false))
}

/// A command for the login shell of the target's user. With a terminal, programs that only show something start pagers and take keys, and so may
/// run anything: that is asked for beside what the text would do.
pub(crate) fn exec(command: &[u8], terminal: bool, tools: &Arc<[Tool]>) -> Asked {
    let text = String::from_utf8_lossy(command).into_owned();
    let Read { mut actions, reasons, far } = read_line(command, &text, terminal, tools);
    if terminal {
        actions.push(Action::on(Effect::Execute, Object::new(ObjectKind::Other, "terminal")));
        actions.sort();
        actions.dedup();
    }
    let label = if terminal { EXEC_WITH_TERMINAL } else { EXEC };
    let line = Line { command: command.to_vec(), terminal, by: Arc::clone(tools), far };
    let mut intent = Intent::simple(id(label, command, &actions), label, Action::bare(Effect::Unknown));
    intent.actions = actions;
    intent.reasons = reasons;
    Asked { intent: Arc::new(intent), text, line: Some(Arc::new(line)) }
}

/// What a command line does.
struct Read {
    actions: Vec<Action>,
    reasons: Vec<String>,
    /// Where all of it is the far side of an scp.
    far: Option<scp::Far>,
}

fn read_line(command: &[u8], text: &str, terminal: bool, tools: &Arc<[Tool]>) -> Read {
    let Some(tools) = read(tools) else {
        let reasons = vec!["what the policy says of programs cannot be read".to_owned()];
        return Read { actions: vec![Action::bare(Effect::Unknown)], reasons, far: None };
    };
    let analysis = shell::analyze_with(command, &tools);
    let far = if terminal { None } else { far_side(&analysis, text) };
    let (mut actions, mut reasons) = (analysis.actions, analysis.reasons);
    if far.is_none() && analysis.parts.iter().any(|part| shell::scp(&part.argv).is_some()) {
        // Other programs beside it, or a terminal between, and nobody knows which bytes are whose.
        actions.push(Action::on(Effect::Unknown, Object::new(ObjectKind::Command, "?.")));
        actions.sort();
        actions.dedup();
        reasons.push("scp is judged file by file, so it has to be all of the command".to_owned());
    }
    Read { actions, reasons, far }
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

/// An interactive shell: whatever is typed into it. It is recorded, and never claimed to be filtered.
pub(crate) fn shell() -> Asked {
    Asked::simple("shell", "interactive shell".to_owned(), Effect::Execute, Object::new(ObjectKind::Other, "shell"))
}

/// A file transfer: what it does is judged operation by operation.
pub(crate) fn files() -> Asked {
    Asked::of(SFTP, "subsystem sftp".to_owned(), vec![Action::bare(Effect::Session)], Vec::new())
}

/// One operation of a file transfer, on paths as the target sees them. One that the target cannot tell is unresolved. `links`: what links are in it
/// may lead elsewhere from then on.
pub(crate) fn operation(word: &str, about: &[(Effect, String)], links: bool) -> Asked {
    let mut actions: Vec<Action> =
        about.iter().map(|(effect, path)| Action::on(*effect, Object::new(ObjectKind::Path, path.as_str()))).collect();
    actions.extend(links.then(shell::links));
    actions.sort();
    actions.dedup();
    let mut paths: Vec<&str> = about.iter().map(|(_, path)| path.as_str()).collect();
    paths.dedup();
    Asked::of(SFTP, format!("{word} {}", paths.join(" ")), actions, Vec::new())
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

/// Whether an environment variable only says how things look: by its name, and by a value that is a word. Names of locales, time zones and
/// terminals are also looked up as paths, and shells had functions in values (CVE-2014-6271).
pub(crate) fn is_looks(name: &str, value: &[u8]) -> bool {
    let letters = |rest: &str| rest.bytes().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == b'_');
    let known = LOOKS.contains(&name) || name.strip_prefix("LC_").is_some_and(letters);
    let places = if name == "TZ" { b"/".as_slice() } else { b"" };
    let word = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.@:,+-".contains(byte) || places.contains(byte);
    let leads = value.starts_with(b"/") || value.starts_with(b":") || value.windows(2).any(|pair| pair == b"..");
    known && !leads && value.iter().all(word)
}

#[cfg(test)]
mod tests {
    use model::EffectSet;

    use super::*;

    fn tools(list: &[(&str, Effect, Option<&str>)]) -> Arc<[Tool]> {
        list.iter()
            .map(|(command, effect, options)| Tool {
                command: (*command).to_owned(),
                does: EffectSet::from_iter([*effect]),
                options: options.map(str::to_owned),
                why: String::new(),
            })
            .collect()
    }

    fn effects(asked: &Asked) -> Vec<Effect> {
        asked.intent.actions.iter().map(|action| action.effect).collect()
    }

    #[test]
    fn what_a_command_line_is_called_depends_on_what_it_was_read_by() {
        let lists = [
            tools(&[]),
            tools(&[("deployctl status", Effect::Read, None)]),
            tools(&[("deployctl status", Effect::Read, Some("-v"))]),
            tools(&[("deployctl status", Effect::Admin, None)]),
            tools(&[("other", Effect::Read, None)]),
        ];
        let ids: Vec<_> = lists.iter().map(|list| exec(b"deployctl status", false, list).intent.id).collect();
        // `execute`, `read`, `admin`: what a text means is all that counts.
        let means = [0, 1, 1, 2, 0];
        for (id, meaning) in ids.iter().zip(means) {
            assert!(ids.iter().zip(means).all(|(other, another)| (other == id) == (another == meaning)));
        }
        // Equal lists are equal, whichever policy they are of.
        let same = tools(&[("deployctl status", Effect::Read, None)]);
        assert_eq!(Some(&exec(b"deployctl status", false, &same).intent.id), ids.get(1));
        assert_ne!(Some(&exec(b"deployctl status", true, &same).intent.id), ids.get(1));
    }

    #[test]
    fn a_variable_is_looks_by_its_value_too() {
        for (name, value) in [
            ("LANG", "de_DE.UTF-8"),
            ("LC_ALL", "C"),
            ("TZ", "Europe/Berlin"),
            ("TZ", "UTC-1"),
            ("TERM", "xterm-256color"),
            ("LANGUAGE", "de:en"),
            ("LC_TIME", ""),
        ] {
            assert!(is_looks(name, value.as_bytes()), "{name} {value}");
        }
        for (name, value) in [
            ("LC_ALL", "() { :;}; x"),
            ("LANG", "C\nLD_PRELOAD=x"),
            ("TZ", ":/etc/shadow"),
            ("TZ", "/etc/shadow"),
            ("TZ", "../../etc/shadow"),
            ("LANGUAGE", "../../x"),
            ("TERM", "a/b"),
            ("LC_ALL", "/tmp/x"),
            ("COLORTERM", "$(x)"),
            ("PATH", "x"),
            ("LC_all", "C"),
        ] {
            assert!(!is_looks(name, value.as_bytes()), "{name} {value}");
        }
    }

    #[test]
    fn bytes_that_look_alike_are_not_one_command() {
        let none = tools(&[]);
        let (text, bytes) = (exec("ls \u{fffd}".as_bytes(), false, &none), exec(b"ls \xff", false, &none));
        assert_eq!(text.text, bytes.text);
        assert_ne!(text.intent.id, bytes.intent.id);
    }

    #[test]
    fn a_command_line_is_read_again_by_other_tools_only() {
        let (before, after) = (tools(&[("deployctl status", Effect::Read, None)]), tools(&[]));
        let asked = exec(b"deployctl status", false, &before);
        assert_eq!(effects(&asked), [Effect::Read]);
        assert!(asked.again(&before).is_none());
        let again = asked.again(&after).unwrap();
        assert_eq!(effects(&again), [Effect::Execute]);
        assert!(again.again(&after).is_none() && shell().again(&before).is_none());
    }

    #[test]
    fn tools_that_cannot_be_meant_make_every_command_unknown() {
        let asked = exec(b"ls", false, &tools(&[("sh", Effect::Read, None)]));
        assert_eq!(effects(&asked), [Effect::Unknown]);
        assert_eq!(effects(&asked.again(&tools(&[])).unwrap()), [Effect::Read]);
    }
}
