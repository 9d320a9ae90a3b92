//! Rules as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use model::{Effect, Object, ObjectKind};

use super::group::{Party, Whom, is_exact, parties};
use super::{Item, Observed, Options, Sight};
use crate::pattern::ObjectPattern;

/// Rules for what was observed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suggestion {
    /// A policy file.
    pub yaml: String,
    /// How many rules.
    pub rules: usize,
    /// What no rule was suggested for, and why.
    pub left_out: Vec<String>,
}

/// Names nothing: a rule whose `objects` list it speaks only of what has no object, such as BEGIN, and of no setting.
const NOTHING: &str = "setting:-";

/// What is left out is listed up to this many; a longer list hides the rules.
const MAX_REMARKS: usize = 100;

/// One rule to be.
#[derive(Default)]
struct Draft {
    effects: BTreeSet<Effect>,
    /// Pattern and how often it was needed; empty with `any` for all objects.
    objects: BTreeMap<String, u64>,
    bare: u64,
    any: bool,
    unbounded: bool,
    multi: bool,
}

pub(super) fn write(observed: &Observed, options: Options) -> Suggestion {
    let mut out = Suggestion { yaml: String::new(), rules: 0, left_out: Vec::new() };
    let mut rules = String::new();
    for party in parties(observed) {
        let persons = match &party.whom {
            Whom::Users(users) => users.as_slice(),
            Whom::Group(_) => &[],
        };
        let seat = party.seat;
        let mut names = persons.iter().chain([&seat.issuer, &seat.target, &seat.role]);
        if let Some(name) = names.find(|name| !is_exact(name)) {
            out.left_out.push(format!(
                "{}: `{}` cannot be named exactly in a rule",
                title(&party),
                name.escape_debug()
            ));
            continue;
        }
        let drafts = drafts(&party, options, &mut out.left_out);
        let mut heading = true;
        for draft in drafts {
            out.rules += 1;
            // Writing to a String cannot fail.
            let _ = rule(&mut rules, &party, &draft, out.rules, std::mem::take(&mut heading));
        }
    }
    out.yaml =
        format!("# Suggested from {} commands that were seen. Read it before you use it.\n", observed.commands());
    for left in out.left_out.iter().take(MAX_REMARKS) {
        let _ = writeln!(out.yaml, "# Not suggested: {}", comment(left));
    }
    if let Some(more @ 1..) = out.left_out.len().checked_sub(MAX_REMARKS) {
        let _ = writeln!(out.yaml, "# Not suggested: {more} things more");
    }
    out.yaml.push_str(if rules.is_empty() { "rules: []\n" } else { "rules:\n" });
    out.yaml.push_str(&rules);
    out
}

/// What a rule has to name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Want {
    /// No object.
    Bare,
    /// Everything.
    Any,
    /// What a pattern covers.
    Like(String),
}

/// What is needed, in as few rules as say nothing more: things with the same conditions, then effects on the same objects.
fn drafts(party: &Party<'_>, options: Options, left_out: &mut Vec<String>) -> Vec<Draft> {
    let mut alike: BTreeMap<(bool, bool), BTreeMap<Effect, BTreeMap<Want, u64>>> = BTreeMap::new();
    for ((effect, want), sight) in wants(party, options, left_out) {
        let effects = alike.entry((sight.unbounded, sight.multi)).or_default();
        effects.entry(effect).or_default().insert(want, sight.times);
    }
    let mut drafts = Vec::new();
    for ((unbounded, multi), effects) in alike {
        let mut same: BTreeMap<Vec<String>, Draft> = BTreeMap::new();
        for (effect, wants) in effects {
            let names = names(effect, &wants);
            let draft = same.entry(names.clone()).or_insert_with(|| Draft { unbounded, multi, ..Draft::default() });
            draft.effects.insert(effect);
            draft.objects.extend(names.into_iter().map(|name| (name, 0)).filter(|(name, _)| name == NOTHING));
            for (want, times) in wants {
                match want {
                    Want::Bare => draft.bare += times,
                    Want::Any => draft.any = true,
                    Want::Like(name) => *draft.objects.entry(name).or_default() += times,
                }
            }
        }
        drafts.extend(same.into_values());
    }
    // `connect` first: it is what a reader looks for.
    drafts.sort_by_key(|draft| (draft.effects.first().copied(), draft.unbounded, draft.multi));
    drafts
}

/// Everything that one party needs, as rules can name it.
fn wants(party: &Party<'_>, options: Options, left_out: &mut Vec<String>) -> BTreeMap<(Effect, Want), Sight> {
    let mut schemas: BTreeMap<(Effect, ObjectKind, &str), usize> = BTreeMap::new();
    let mut whole: BTreeSet<Effect> = BTreeSet::new();
    for item in party.items.keys() {
        if let Some(object) = &item.1 {
            if object.is_unresolved() {
                if item.0 != Effect::Tunnel {
                    whole.insert(item.0);
                }
            } else if let Some((schema, _)) = object.name.split_once('.')
                && object.kind != ObjectKind::Command
            {
                *schemas.entry((item.0, object.kind, schema)).or_default() += 1;
            }
        }
    }
    let many = |effect: Effect, object: &Object| {
        let (schema, _) = object.name.split_once('.').filter(|_| object.kind != ObjectKind::Command)?;
        let count = schemas.get(&(effect, object.kind, schema)).copied().unwrap_or_default();
        options.fold.is_some_and(|most| count > most).then(|| Object::new(object.kind, format!("{schema}.")))
    };
    let mut wants: BTreeMap<(Effect, Want), Sight> = BTreeMap::new();
    for (&item, &sight) in &party.items {
        let (effect, object) = (item.0, &item.1);
        if let Some(why) = unnameable(item).or_else(|| fault(item).filter(|_| !options.complete)) {
            let words = object.as_ref().map_or_else(|| effect.to_string(), |object| format!("{effect} on {object}"));
            left_out.push(format!("{}: {words}, {} times: {why}", title(party), sight.times));
            continue;
        }
        let want = match object {
            _ if options.complete && whole.contains(&effect) => Want::Any,
            None => Want::Bare,
            Some(object) => Want::Like(match many(effect, object) {
                Some(schema) => pattern(&schema) + "*",
                None => pattern(object),
            }),
        };
        wants.entry((effect, want)).or_default().add(sight);
    }
    wants
}

/// The `objects` of one effect; empty for all.
fn names(effect: Effect, wants: &BTreeMap<Want, u64>) -> Vec<String> {
    if wants.contains_key(&Want::Any) {
        return Vec::new();
    }
    let mut names: BTreeSet<String> = wants
        .keys()
        .filter_map(|want| match want {
            Want::Like(name) => Some(name.clone()),
            Want::Bare | Want::Any => None,
        })
        .collect();
    // A rule of `session` that lists no setting covers all of them.
    let settings = names.iter().any(|name| name.starts_with("setting:"));
    if names.is_empty() || (effect == Effect::Session && !settings) {
        names.insert(NOTHING.to_owned());
    }
    names.into_iter().collect()
}

/// Why no rule can name a thing, and none without names allows it.
fn unnameable((effect, object): &Item) -> Option<&'static str> {
    match object {
        Some(object) if object.is_unresolved() => {
            (*effect == Effect::Tunnel).then_some("a rule must name where a tunnel goes")
        }
        None => (*effect == Effect::Tunnel).then_some("a rule must name where a tunnel goes"),
        Some(object) if object.kind == ObjectKind::Command || *effect == Effect::Tunnel => {
            let named = ObjectPattern::parse(&pattern(object)).ok().filter(|it| !it.is_all() && it.covers(object));
            named.is_none().then_some("it cannot be named exactly in a rule")
        }
        Some(_) => None,
    }
}

/// Why a thing should hardly be allowed by a rule.
fn fault((effect, object): &Item) -> Option<&'static str> {
    match effect {
        Effect::Grant | Effect::Admin | Effect::Unknown => Some("write a rule with `then: approve` for it"),
        Effect::Connect
        | Effect::Session
        | Effect::Read
        | Effect::Write
        | Effect::Delete
        | Effect::Create
        | Effect::Alter
        | Effect::Destroy
        | Effect::Execute
        | Effect::Export
        | Effect::Import
        | Effect::Tunnel => {
            let unresolved = object.as_ref().is_some_and(Object::is_unresolved);
            unresolved.then_some("the name could not be resolved, and only a rule on all objects covers it")
        }
    }
}

/// Longer names are cut and end in `*`; those of real objects are far shorter.
const LONGEST: usize = 900;

/// The narrowest pattern that covers an object. Characters that a pattern cannot have, or that no policy should, become `*`.
fn pattern(object: &Object) -> String {
    let mut name = String::with_capacity(object.name.len());
    let mut rest = object.name.chars().peekable();
    while let Some(letter) = rest.next() {
        if name.len() > LONGEST {
            name.push('*');
            break;
        }
        let at_end = letter.is_whitespace() && rest.clone().all(char::is_whitespace);
        let odd = letter.is_control() || letter == '"' || at_end || (letter == '?' && rest.peek() == Some(&'.'));
        name.push(if odd { '*' } else { letter });
    }
    let plain = object.kind == ObjectKind::Relation
        && !name.is_empty()
        && !name.contains(':')
        && !name.starts_with(char::is_whitespace);
    if plain { name } else { format!("{}:{}", object.kind.as_str(), if name.is_empty() { "*" } else { &name }) }
}

/// `agent-7 on orders-db as app`.
fn title(party: &Party<'_>) -> String {
    let who = match &party.whom {
        Whom::Users(users) => match users.as_slice() {
            [only] => only.clone(),
            many => format!("{} and {} others", many.first().map_or("", String::as_str), many.len().saturating_sub(1)),
        },
        Whom::Group(group) => format!("group {group}"),
    };
    format!("{who} on {} as {}", party.seat.target, party.seat.role)
}

fn rule(out: &mut String, party: &Party<'_>, draft: &Draft, number: usize, heading: bool) -> std::fmt::Result {
    let seat = party.seat;
    if heading {
        let why = match &party.whom {
            Whom::Group(_) => format!("all {} members seen here needed the same", party.members),
            Whom::Users(_) if party.members > 1 => format!("{} who needed the same", party.members),
            Whom::Users(_) => "one of its kind".to_owned(),
        };
        writeln!(out, "  # {} ({}): {} sessions, {why}", comment(&title(party)), seat.kind, party.sessions)?;
    }
    let effects: Vec<&str> = draft.effects.iter().map(|effect| effect.as_str()).collect();
    let name: String = format!("{}: {} ({number})", title(party), effects.join(", "));
    writeln!(out, "  - name: {}", quoted(&name.chars().filter(|c| !c.is_control()).collect::<String>()))?;
    let (key, names) = match &party.whom {
        Whom::Users(users) => ("users", users.iter().map(|user| quoted(user)).collect::<Vec<_>>().join(", ")),
        Whom::Group(group) => ("groups", quoted(group)),
    };
    writeln!(out, "    who: {{ {key}: [{names}], issuers: [{}], kinds: [{}] }}", quoted(&seat.issuer), seat.kind)?;
    writeln!(out, "    on: {{ targets: [{}], roles: [{}] }}", quoted(&seat.target), quoted(&seat.role))?;
    let note = if draft.any {
        "  # on objects that could not be resolved, too".to_owned()
    } else if draft.bare > 0 {
        format!("  # without an object {} times", draft.bare)
    } else {
        String::new()
    };
    writeln!(out, "    do: [{}]{note}", effects.join(", "))?;
    if !draft.any {
        writeln!(out, "    objects:")?;
        for (object, times) in &draft.objects {
            let seen = if object == NOTHING {
                "names nothing: no setting is meant".to_owned()
            } else {
                format!("{times} times")
            };
            writeln!(out, "      - {}  # {seen}", quoted(object))?;
        }
    }
    let conditions: Vec<&str> = [(draft.unbounded, "unbounded: false"), (draft.multi, "multi: false")]
        .into_iter()
        .filter_map(|(seen, condition)| (!seen).then_some(condition))
        .collect();
    if !conditions.is_empty() {
        writeln!(out, "    if: {{ {} }}", conditions.join(", "))?;
    }
    writeln!(out, "    then: allow")
}

/// A text in double quotes, as YAML and JSON both read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A text that stays in its comment.
fn comment(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() || matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .collect()
}
