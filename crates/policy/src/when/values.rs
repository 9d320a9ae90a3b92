//! What a condition may look at, as CEL values, and how much of it.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::types::{CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt};
use cel::common::value::{CowVal, Val};
use cel::context::VariableResolver;
use cel::{Context, Env};
use jiff::Timestamp;
use model::{Action, Flags, Identity, Target};
use serde_json::Value;

use crate::policy::Subject;

/// Bytes of text in the claims and groups of one identity; a token with more is not one that we know.
pub(crate) const MAX_CLAIMS_BYTES: usize = 16 << 10;

/// Members that the lists of one identity may have together, and those of one command.
const MAX_MEMBERS: usize = 4096;

/// Bytes of object names of one command.
const MAX_OBJECT_BYTES: usize = 256 << 10;

/// How deep claims may nest.
const MAX_CLAIM_DEPTH: usize = 16;

type Boxed = Box<dyn Val>;

/// What is fixed for a session.
#[derive(Debug)]
pub(crate) struct SessionValues {
    identity: Boxed,
    target: Boxed,
    role: Boxed,
    longest_list: usize,
    too_large: bool,
}

impl SessionValues {
    pub(crate) fn new(subject: &Subject<'_>) -> Self {
        let size = Size::of(subject);
        let too_large = size.too_large();
        Self {
            // Nothing looks at what is too large: every evaluation is refused before it starts.
            identity: if too_large { map([]) } else { identity_value(subject.identity) },
            target: target_value(subject.target),
            role: text(subject.role),
            longest_list: size.longest,
            too_large,
        }
    }
}

fn identity_value(identity: &Identity) -> Boxed {
    let claims = identity.claims.iter();
    map([
        ("subject", text(&identity.subject)),
        ("issuer", text(&identity.issuer)),
        ("kind", text(identity.kind.as_str())),
        ("groups", texts_list(&identity.groups)),
        ("on_behalf_of", texts_list(&identity.on_behalf_of)),
        (
            "task",
            match &identity.task {
                Some(task) => text(task),
                None => Box::new(CelNull),
            },
        ),
        ("claims", map(claims.map(|(name, claim)| (name.as_str(), json(claim))))),
    ])
}

fn target_value(target: &Target) -> Boxed {
    let labels = target.labels.iter();
    map([
        ("name", text(&target.name)),
        ("kind", text(&target.kind)),
        ("labels", map(labels.map(|(name, label)| (name.as_str(), text(label))))),
    ])
}

/// What differs from command to command.
#[derive(Debug)]
pub(crate) struct CommandValues {
    command: Boxed,
    longest_list: usize,
    too_large: bool,
}

impl CommandValues {
    pub(crate) fn new(actions: &[Action], flags: Flags, in_transaction: bool) -> Self {
        let mut effects: Vec<&str> = actions.iter().map(|action| action.effect.as_str()).collect();
        effects.sort_unstable();
        effects.dedup();
        let count = actions.iter().filter(|action| action.object.is_some()).count();
        let bytes: usize = actions.iter().filter_map(|action| Some(action.object.as_ref()?.name.len())).sum();
        let too_large = count > MAX_MEMBERS || bytes > MAX_OBJECT_BYTES;
        let objects = if too_large {
            list([])
        } else {
            let mut objects: Vec<String> =
                actions.iter().filter_map(|action| action.object.as_ref().map(ToString::to_string)).collect();
            objects.sort_unstable();
            objects.dedup();
            texts_list(&objects)
        };
        Self {
            command: map([
                ("effects", list(effects.into_iter().map(text))),
                ("objects", objects),
                ("unbounded", Box::new(CelBool::from(flags.unbounded)) as Boxed),
                ("multi", Box::new(CelBool::from(flags.multi)) as Boxed),
                ("in_transaction", Box::new(CelBool::from(in_transaction)) as Boxed),
            ]),
            longest_list: count.max(model::Effect::ALL.len()),
            too_large,
        }
    }
}

/// Everything that one evaluation may look at. What is absent is not known, and a condition that uses it fails.
#[derive(Debug)]
pub(crate) struct Values<'a> {
    pub(crate) session: &'a SessionValues,
    pub(crate) command: Option<&'a CommandValues>,
    pub(crate) now: Option<Timestamp>,
}

impl Values<'_> {
    /// Refuses what is too large to look at.
    pub(crate) fn bounded(&self) -> Result<(), &'static str> {
        if self.session.too_large {
            return Err("the identity's claims are too large");
        }
        if self.command.is_some_and(|command| command.too_large) {
            return Err("the command has too many objects");
        }
        Ok(())
    }

    pub(crate) fn longest_list(&self) -> usize {
        let command = self.command.map_or(0, |command| command.longest_list);
        self.session.longest_list.max(command)
    }
}

impl VariableResolver for Values<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        match variable {
            "identity" => Some(CowVal::Borrowed(&*self.session.identity)),
            "target" => Some(CowVal::Borrowed(&*self.session.target)),
            "role" => Some(CowVal::Borrowed(&*self.session.role)),
            "command" => self.command.map(|command| CowVal::Borrowed(&*command.command)),
            "now" => self.now.map(|now| CowVal::owned(CelString::from(now.to_string()))),
            _ => None,
        }
    }
}

/// Whether the library takes the text for a regular expression; it is the one that will compile it.
pub(super) fn is_regex(pattern: &str) -> Result<(), ()> {
    let mut context = Context::with_env(Arc::new(Env::stdlib()));
    context.add_variable_as_val("pattern", text(pattern));
    let expression = cel::parser::Parser::new().parse("''.matches(pattern)").map_err(|_| ())?;
    cel::Value::resolve_val(&expression, &context).map(|_| ()).map_err(|_| ())
}

/// How large an identity is.
#[derive(Default)]
struct Size {
    bytes: usize,
    members: usize,
    longest: usize,
    too_deep: bool,
}

impl Size {
    fn of(subject: &Subject<'_>) -> Self {
        let identity = subject.identity;
        let mut size = Self::default();
        for (name, claim) in &identity.claims {
            size.text(name);
            size.add(claim, 0);
        }
        let lists = identity.groups.iter().chain(&identity.on_behalf_of).chain(&identity.task);
        for text in lists.chain([&identity.subject, &identity.issuer]) {
            size.text(text);
        }
        size.list(identity.groups.len());
        size.list(identity.on_behalf_of.len());
        size.list(identity.claims.len());
        size.list(subject.target.labels.len());
        size
    }

    fn text(&mut self, text: &str) {
        self.bytes = self.bytes.saturating_add(text.len());
        // A text's characters cannot be looped over, but each member costs.
        self.members = self.members.saturating_add(1);
    }

    fn list(&mut self, length: usize) {
        self.longest = self.longest.max(length);
    }

    fn add(&mut self, value: &Value, depth: usize) {
        if depth > MAX_CLAIM_DEPTH {
            self.too_deep = true;
            return;
        }
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => self.members = self.members.saturating_add(1),
            Value::String(string) => self.text(string),
            Value::Array(values) => {
                self.list(values.len());
                for value in values {
                    self.add(value, depth + 1);
                }
            }
            Value::Object(values) => {
                self.list(values.len());
                for (name, value) in values {
                    self.text(name);
                    self.add(value, depth + 1);
                }
            }
        }
    }

    const fn too_large(&self) -> bool {
        self.too_deep || self.bytes > MAX_CLAIMS_BYTES || self.members > MAX_MEMBERS
    }
}

fn text(text: &str) -> Boxed {
    Box::new(CelString::from(text.to_owned()))
}

fn list(values: impl IntoIterator<Item = Boxed>) -> Boxed {
    Box::new(CelList::from(values.into_iter().collect::<Vec<_>>()))
}

fn texts_list(texts: &[String]) -> Boxed {
    list(texts.iter().map(|member| text(member)))
}

fn map<'n>(entries: impl IntoIterator<Item = (&'n str, Boxed)>) -> Boxed {
    let entries: HashMap<CelMapKey<'static>, Boxed> =
        entries.into_iter().map(|(name, value)| (CelMapKey::String(CelString::from(name.to_owned())), value)).collect();
    Box::new(CelMap::from(entries))
}

fn json(value: &Value) -> Boxed {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(value) => Box::new(CelBool::from(*value)),
        Value::Number(number) => {
            if let Some(value) = number.as_i64() {
                Box::new(CelInt::from(value))
            } else if let Some(value) = number.as_u64() {
                Box::new(CelUInt::from(value))
            } else {
                Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN)))
            }
        }
        Value::String(string) => text(string),
        Value::Array(values) => list(values.iter().map(json)),
        Value::Object(values) => map(values.iter().map(|(name, value)| (name.as_str(), json(value)))),
    }
}
