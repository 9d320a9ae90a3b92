//! One simple command → its effects.
//!
//! - `options`: words after the name, by the grammar of the tool's row
//! - `environment`: assignments that only change looks
//! - `wrappers`: programs that run the command in their words
//! - `shells`: shells, interpreters
//! - `builtins`: what shells themselves do
//! - `find`, `sed`, `awk`, `archive`, `cloud`, `small`: tools whose words are a language of their own

mod archive;
mod awk;
mod builtins;
mod cloud;
mod environment;
mod find;
mod options;
mod sed;
mod shells;
mod small;
mod wrappers;

use std::collections::BTreeSet;

use model::{Action, Effect, EffectSet, Object, ObjectKind};

use crate::analysis::{texts, uncertain};
use crate::credentials::{self, Globs};
use crate::globs::{Arg, Kind};
use crate::parser::Simple;
use crate::table::tools::Tools;
use crate::table::{Row, Spec, What};
use crate::transfer;
use options::Reader;
pub(crate) use options::shown;

/// How many commands and texts may lie in each other (`timeout 5 sh -c 'nice …'`); each holds a copy of what is inside it.
const MOST_DEPTH: usize = 8;

/// Why the far side of an scp inside of another command is not certain.
const WRAPPED_SCP: &str = "scp is judged file by file, so it has to be all of the command";

/// What is known around a simple command.
pub(crate) struct Around<'r> {
    /// In so many commands and texts it lies.
    pub(crate) depth: usize,
    pub(crate) tools: &'r Tools,
    /// Those of the whole text.
    pub(crate) globs: &'r mut Globs,
}

/// Everything that a simple command would do, by the tables and `tools`. Why something is not certain is added to `reasons`.
pub(crate) fn simple(command: &Simple, around: &mut Around<'_>, reasons: &mut Vec<String>) -> BTreeSet<Action> {
    let mut judge = Judge { depth: around.depth, tools: around.tools, globs: around.globs, looked: 0, reasons };
    let args: Result<Vec<Arg>, _> = command.words.iter().map(Arg::of).collect();
    let mut actions = match args {
        Ok(args) => judge.command(&args),
        Err(why) => {
            judge.reasons.push(why.into_owned());
            BTreeSet::from([uncertain()])
        }
    };
    for assignment in &command.assignments {
        if let Err(why) = environment::check(assignment) {
            judge.reasons.push(why);
            actions.insert(uncertain());
        }
    }
    actions
}

/// What a tool does: effects on the command itself, and what it runs.
#[derive(Debug, Default)]
struct Outcome {
    effects: EffectSet,
    inner: BTreeSet<Action>,
    /// Its operands are texts, in which `..` is no path.
    text: bool,
}

impl Outcome {
    fn of(effects: impl IntoIterator<Item = Effect>) -> Self {
        Self { effects: effects.into_iter().collect(), ..Self::default() }
    }

    fn read() -> Self {
        Self::of([Effect::Read])
    }

    /// The same for a tool whose operands are texts.
    const fn text(mut self) -> Self {
        self.text = true;
        self
    }

    /// What another command does, and nothing of its own.
    const fn inner(inner: BTreeSet<Action>) -> Self {
        Self { effects: EffectSet::EMPTY, inner, text: true }
    }

    fn and(mut self, effect: Effect) -> Self {
        self.effects.insert(effect);
        self
    }
}

/// A call of a tool that has a handler.
struct Call<'a> {
    /// The tool's name.
    tool: &'a str,
    /// Words between the name and its last subcommand.
    before: &'a [Arg],
    /// Words after the name and its subcommands.
    rest: &'a [Arg],
    specs: Vec<&'a Spec>,
    reason: &'a str,
}

impl<'a> Call<'a> {
    fn reader(&self, stop: bool) -> Reader<'a> {
        Reader { specs: self.specs.clone(), stop, lenient: false }
    }
}

struct Judge<'r> {
    depth: usize,
    tools: &'r Tools,
    globs: &'r mut Globs,
    /// So many words at the end of the command that is judged were looked at for files of credentials.
    looked: usize,
    reasons: &'r mut Vec<String>,
}

impl Judge<'_> {
    fn say(&mut self, why: impl Into<String>) {
        self.reasons.push(why.into());
    }

    fn unknown(&mut self, why: impl Into<String>) -> Outcome {
        self.say(why);
        Outcome::of([Effect::Unknown])
    }

    fn execute(&mut self, why: impl Into<String>) -> Outcome {
        self.say(why);
        Outcome::of([Effect::Execute])
    }

    /// Everything that a command of these words does. Without words, or too deep, it is not certain.
    fn command(&mut self, args: &[Arg]) -> BTreeSet<Action> {
        if self.depth >= MOST_DEPTH || args.is_empty() {
            self.say("commands in commands, deeper than is looked at");
            return BTreeSet::from([uncertain()]);
        }
        self.depth += 1;
        let actions = self.deeper(args);
        self.depth -= 1;
        actions
    }

    fn deeper(&mut self, args: &[Arg]) -> BTreeSet<Action> {
        if let Some(moved) = transfer::actions(args) {
            // Its files are judged one by one where nothing stands around it.
            let moved = if self.depth > 1 && transfer::is_scp(args) { Err(WRAPPED_SCP.to_owned()) } else { moved };
            return moved.unwrap_or_else(|why| {
                self.say(why);
                BTreeSet::from([Action::on(Effect::Unknown, object(args))])
            });
        }
        let outcome = self.tool(args);
        let (mut effects, mut inner) = (outcome.effects, outcome.inner);
        if effects.contains(Effect::Execute) && args.iter().any(Arg::is_glob) {
            self.say("a glob in the words of what is not known");
            effects.insert(Effect::Unknown);
        }
        if !outcome.text && args.iter().any(leads_back) {
            self.say("`..` after a name in a path: where it leads depends on links");
            effects.insert(Effect::Unknown);
        }
        if effects.is_empty() && inner.is_empty() {
            effects.insert(Effect::Unknown);
        }
        if !effects.is_empty() {
            let secrets = credentials::read_by(args, self.looked, self.globs);
            self.looked = credentials::looked_at(args, self.looked);
            if !secrets.is_empty() {
                self.say("a file of credentials: a rule for its path decides, too");
            }
            inner.extend(secrets);
        }
        let object = object(args);
        let own: Vec<Action> = effects.iter().map(|effect| Action::on(effect, object.clone())).collect();
        inner.extend(own);
        inner
    }

    fn tool(&mut self, args: &[Arg]) -> Outcome {
        let Some(first) = args.first().filter(|first| !first.is_glob()) else {
            return self.unknown("a command's name that is not constant");
        };
        let Some(name) = program(first) else {
            return self.execute(format!("`{}` is a program at a path of its own", shown(&first.text)));
        };
        let tools = self.tools;
        match tools.row(name).filter(|_| !name.contains(' ')) {
            Some(row) => self.walk(name, row, args),
            None => self.execute(format!("`{}` is not a known program", shown(name))),
        }
    }

    /// Down the subcommands of a tool to the row that says what it does.
    fn walk(&mut self, name: &str, row: &Row, args: &[Arg]) -> Outcome {
        let tools = self.tools;
        let (mut path, mut row, mut at) = (name.to_owned(), row, 1);
        let mut specs = vec![&row.spec];
        let mut effects = EffectSet::EMPTY;
        while row.parent {
            // `dpkg --list` and `git config --get` are subcommands in the clothes of an option.
            let mut next = child(tools, &path, args.get(at));
            if next.is_none() {
                let rest = args.get(at..).unwrap_or_default();
                let dressed = |word: &&Arg| word.text.starts_with('-') && child(tools, &path, Some(*word)).is_some();
                let options = rest.iter().position(|word| dressed(&word)).unwrap_or(rest.len());
                let reader = Reader { specs: specs.clone(), stop: true, lenient: false };
                let parsed = reader.read(rest.get(..options).unwrap_or_default());
                effects = effects.iter().chain(parsed.effects.iter()).collect();
                self.reasons.extend(parsed.reason.map(|why| format!("{path}: {why}")));
                at += parsed.read;
                next = child(tools, &path, args.get(at));
            }
            let Some((longer, below)) = next else {
                match args.get(at) {
                    None => break,
                    Some(word) if word.is_glob() => return self.unknown("a subcommand that is not constant"),
                    Some(word) => {
                        self.say(format!("`{path} {}` is not known", shown(&word.text)));
                        effects = effects.iter().chain(unlisted(row).iter()).collect();
                        return Outcome { effects, ..Outcome::default() };
                    }
                }
            };
            (path, row, at) = (longer, below, at + 1);
            if !row.spec.inherit {
                specs.clear();
            }
            specs.insert(0, &row.spec);
        }
        let (before, rest) = (args.get(1..at).unwrap_or_default(), args.get(at..).unwrap_or_default());
        let call = Call { tool: name, before, rest, specs, reason: &row.reason };
        let outcome = self.leaf(row, &call);
        Outcome { effects: effects.iter().chain(outcome.effects.iter()).collect(), ..outcome }
    }

    fn leaf(&mut self, row: &Row, call: &Call<'_>) -> Outcome {
        let own = match row.what {
            What::Handler(handler) => {
                let outcome = self.handler(handler, call);
                return Outcome { effects: outcome.effects.iter().chain(row.added.iter()).collect(), ..outcome };
            }
            What::Effects(effects) => effects,
        };
        let bare = call.specs.iter().all(|spec| spec.is_bare());
        let open = own.contains(Effect::Execute) || own.contains(Effect::Unknown);
        let lenient = open || bare && !row.strict && !own.contains(Effect::Read);
        let parsed = Reader { lenient, ..call.reader(false) }.read(call.rest);
        let beyond = cloud::cluster(call, own, &parsed);
        let effects: EffectSet = own.iter().chain(parsed.effects.iter()).chain(beyond.iter()).collect();
        let effects = if runs_gpg(call) { effects.iter().chain([Effect::Execute]).collect() } else { effects };
        if let Some(why) = parsed.reason {
            self.say(format!("{}: {why}", call.tool));
        } else if !call.reason.is_empty() && effects.iter().any(|effect| effect != Effect::Read) {
            self.say(format!("{}: {}", call.tool, call.reason));
        }
        Outcome { effects, inner: BTreeSet::new(), text: row.spec.text }
    }

    fn handler(&mut self, name: &str, call: &Call<'_>) -> Outcome {
        match name {
            "prefix" => self.prefix(call, 0),
            "prefix1" => self.prefix(call, 1),
            "detach" => self.detach(call),
            "sudo" => self.sudo(call),
            "time" => self.time(call),
            "env" => self.env(call),
            "command" => self.command_builtin(call),
            "exec" => self.exec(call),
            "xargs" => self.xargs(call),
            "shell" => self.shell(call),
            "interpreter" => self.interpreter(call),
            "find" => self.find(call),
            "sed" => self.sed(call),
            "awk" => self.awk(call),
            "tar" => self.tar(call),
            "dd" => self.dd(call),
            "aws" => self.aws(call),
            "groups" => self.groups(call),
            "date" => self.date(call),
            "tree" => self.tree(call),
            "plain" => self.plain(call),
            "compress" => self.compress(call),
            "xxd" => self.xxd(call),
            "jq" => self.jq(call),
            "ip" => self.ip(call),
            "sysctl" => self.sysctl(call),
            "refs" => self.refs(call),
            "service" => self.service(call),
            "test" => self.test(call),
            "printf" => self.printf(call),
            "set" => self.set(call),
            "cd" => self.cd(call),
            "number" => self.number(call),
            other => self.unknown(format!("{}: no rule `{other}`", call.tool)),
        }
    }
}

/// Whether a format of git asks for signatures: the program that checks them is named by the repository.
fn runs_gpg(call: &Call<'_>) -> bool {
    call.tool == "git" && call.rest.iter().any(|arg| arg.text.contains("%G") || arg.text.contains("%(signature"))
}

/// The effects of a subcommand that has no row: those of the level above where they are no reading, else `execute`.
fn unlisted(row: &Row) -> EffectSet {
    match row.what {
        What::Effects(effects) if !effects.contains(Effect::Read) => effects,
        What::Effects(_) => std::iter::once(Effect::Execute).collect(),
        // No rule looks at what it would look at.
        What::Handler(_) => std::iter::once(Effect::Unknown).collect(),
    }
}

/// The row below this one that a word names.
fn child<'t>(tools: &'t Tools, path: &str, word: Option<&Arg>) -> Option<(String, &'t Row)> {
    let word = word.filter(|word| word.kind == Kind::Constant && !word.text.contains(' '))?;
    let path = format!("{path} {}", word.text);
    tools.row(&path).map(|row| (path, row))
}

/// The tool that a name means; `None` for a program at a path that says nothing about it.
fn program(first: &Arg) -> Option<&str> {
    let name = first.text.as_str();
    if first.kind == Kind::Constant && !name.contains('/') {
        return Some(name);
    }
    model::argv::name_in_path(name).filter(|_| first.kind == Kind::Constant)
}

/// Whether a path goes back up after it went down: `/var/log/../../etc`. Where that ends, the text does not say, since a folder on the
/// way may be a link; and a policy's `cat /var/log/*` must not cover it.
fn leads_back(arg: &Arg) -> bool {
    let mut down = false;
    for component in arg.text.split('/') {
        match component {
            ".." if down => return true,
            "" | "." | ".." => {}
            _ => down = true,
        }
    }
    arg.text.starts_with("/..")
}

fn object(args: &[Arg]) -> Object {
    Object::new(ObjectKind::Command, model::argv::join(&texts(args)))
}

#[cfg(test)]
mod tests;
