//! `policy check`: what may be written but is hardly meant.
//!
//! - `cover`: whether one rule means everything that another does

mod cover;

use std::fmt;

use model::{Aggregates, Effect, ObjectKind, Target};
use serde::Serialize;

use crate::error::Place;
use crate::pattern::{ObjectPattern, columns_include};
use crate::policy::Inner;
use crate::rule::{Mask, On, Rule, Then};

/// How sure it is that something is wrong.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// It can never apply as it is written.
    Error,
    /// It applies, but look twice.
    Warning,
}

/// One thing to look at.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Finding {
    /// How sure it is that something is wrong.
    pub level: Level,
    /// The file's name.
    pub file: String,
    /// The line, from 1; 0 when the policy as a whole is meant.
    pub line: u32,
    /// The column, from 1; 0 when the policy as a whole is meant.
    pub column: u32,
    /// The rule, mask, limit or recording rule; empty when the policy as a whole is meant.
    pub name: String,
    /// What it is and what to do.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => "error",
            Level::Warning => "warning",
        };
        write!(f, "{}:{}:{}: {level}: ", self.file, self.line, self.column)?;
        if !self.name.is_empty() {
            write!(f, "\"{}\": ", self.name)?;
        }
        f.write_str(&self.message)
    }
}

/// Looks at everything. Without targets, nothing is said about targets.
pub(crate) fn lint(inner: &Inner, targets: &[Target]) -> Vec<Finding> {
    let mut findings = Findings { inner, found: Vec::new() };
    for rule in &inner.rules {
        findings.rule(rule);
        findings.reach(rule);
        findings.beside(rule);
    }
    findings.connect();
    for mask in &inner.masks {
        findings.mask(mask);
    }
    if !targets.is_empty() {
        for (name, on) in scopes(inner) {
            findings.on(name, on, targets);
        }
    }
    let mut found = findings.found;
    found.sort_by_key(|(place, _)| *place);
    found.into_iter().map(|(_, finding)| finding).collect()
}

fn scopes(inner: &Inner) -> impl Iterator<Item = (&str, &On)> {
    let rules = inner.rules.iter().map(|rule| (rule.name.as_str(), &rule.scope.on));
    let masks = inner.masks.iter().map(|mask| (mask.rule.name.as_str(), &mask.scope.on));
    let limits = inner.limits.iter().map(|limit| (limit.name.as_str(), &limit.scope.on));
    let records = inner.records.iter().map(|record| (record.name.as_str(), &record.scope.on));
    rules.chain(masks).chain(limits).chain(records)
}

struct Findings<'a> {
    inner: &'a Inner,
    found: Vec<(Place, Finding)>,
}

impl Findings<'_> {
    fn add(&mut self, level: Level, place: Place, name: &str, message: String) {
        let file = usize::try_from(place.file).ok().and_then(|index| self.inner.files.get(index));
        let finding = Finding {
            level,
            file: file.map_or("policy", |file| file).to_owned(),
            line: place.line,
            column: place.column,
            name: name.to_owned(),
            message,
        };
        self.found.push((place, finding));
    }

    /// A rule by itself.
    fn rule(&mut self, rule: &Rule) {
        if rule.then == Then::Allow {
            let risky = [Effect::Unknown, Effect::Admin, Effect::Grant];
            let given: Vec<&str> =
                risky.into_iter().filter(|effect| rule.effects.contains(*effect)).map(Effect::as_str).collect();
            if !given.is_empty() {
                self.add(
                    Level::Warning,
                    rule.place,
                    &rule.name,
                    format!(
                        "allows {}: name only the effects that are needed, or use `then: approve`",
                        given.join(", ")
                    ),
                );
            }
        }
        let only_connect = rule.effects.iter().all(|effect| effect == Effect::Connect);
        if only_connect && rule.objects.is_some() && rule.then == Then::Deny {
            self.add(
                Level::Error,
                rule.place,
                &rule.name,
                "never applies: `connect` has no object; use `on` to say where, and remove `objects`".to_owned(),
            );
        }
        for pattern in rule.objects.iter().flatten() {
            let text = pattern.to_string();
            if text.contains("?.") {
                self.add(
                    Level::Error,
                    rule.place,
                    &rule.name,
                    format!("`{text}` never fits: names that could not be resolved are meant by `*` alone"),
                );
            } else if text.contains('"') {
                self.add(
                    Level::Warning,
                    rule.place,
                    &rule.name,
                    format!("`{text}`: names are compared as stored, without quotes"),
                );
            }
        }
    }

    /// Rules that others make pointless.
    fn reach(&mut self, rule: &Rule) {
        if rule.shadow {
            return;
        }
        let inner = self.inner;
        let broader = |then: Then| {
            inner.rules.iter().filter(move |other| {
                other.then == then && !other.shadow && other.is_unconditional() && cover::scope_includes(other, rule)
            })
        };
        if rule.then != Then::Deny {
            let blockers: Vec<&Rule> = broader(Then::Deny).collect();
            if self.blocked(rule, &blockers) {
                return;
            }
        }
        if rule.then == Then::Allow {
            let approve = broader(Then::Approve).find(|other| cover::effects_include(other, rule));
            if let Some(other) = approve {
                self.add(
                    Level::Error,
                    rule.place,
                    &rule.name,
                    format!("never decides: everything it allows needs approval by \"{}\"", other.name),
                );
                return;
            }
        }
        let same = broader(rule.then).find(|other| {
            let twin =
                rule.is_unconditional() && cover::scope_includes(rule, other) && cover::effects_include(rule, other);
            other.name != rule.name && cover::effects_include(other, rule) && (!twin || other.name < rule.name)
        });
        // A narrower denial with words of its own, or a narrower approval with terms of its own, has a purpose.
        let purpose = rule.message.is_some() || rule.approval.is_some();
        if let Some(other) = same
            && !purpose
        {
            self.add(
                Level::Warning,
                rule.place,
                &rule.name,
                format!("adds nothing: \"{}\" means all of it", other.name),
            );
        }
    }

    /// Whether denials without conditions leave nothing of a rule; what they leave in part is said too.
    fn blocked(&mut self, rule: &Rule, blockers: &[&Rule]) -> bool {
        let blocker = |effect| blockers.iter().find(|other| other.effects.contains(effect));
        let blocked: Vec<(Effect, &str)> =
            rule.effects.iter().filter_map(|effect| Some((effect, blocker(effect)?.name.as_str()))).collect();
        let Some((_, first)) = blocked.first() else {
            return false;
        };
        let all = blocked.len() == rule.effects.iter().count();
        if all {
            let mut names: Vec<&str> = blocked.iter().map(|(_, name)| *name).collect();
            names.sort_unstable();
            names.dedup();
            self.add(
                Level::Error,
                rule.place,
                &rule.name,
                format!("can never take effect: everything it means is denied by \"{}\"", names.join("\", \"")),
            );
        } else {
            let effects: Vec<&str> = blocked.iter().map(|(effect, _)| effect.as_str()).collect();
            self.add(
                Level::Warning,
                rule.place,
                &rule.name,
                format!("{} in `do` has no effect: denied by \"{first}\"", effects.join(", ")),
            );
        }
        all
    }

    /// A denial of paths says nothing about commands that read the same files by their words.
    fn beside(&mut self, rule: &Rule) {
        let names = |rule: &Rule, kind| rule.objects.iter().flatten().any(|pattern| pattern.names_kind(kind));
        if rule.then != Then::Deny || !names(rule, ObjectKind::Path) || names(rule, ObjectKind::Command) {
            return;
        }
        let past = |other: &&Rule| {
            other.then != Then::Deny
                && !other.shadow
                && other.shares_effects(rule.bits)
                && (other.objects.is_none() || names(other, ObjectKind::Command))
        };
        let Some(other) = self.inner.rules.iter().find(past) else {
            return;
        };
        self.add(
            Level::Warning,
            rule.place,
            &rule.name,
            format!(
                "speaks of files that are moved, and of credentials that a command names: other commands that \"{}\" lets run may reach these paths; name there the folders that they may use",
                other.name
            ),
        );
    }

    /// Without `connect` no session opens.
    fn connect(&mut self) {
        let opens = |rule: &Rule| rule.then != Then::Deny && !rule.shadow && rule.effects.contains(Effect::Connect);
        let inner = self.inner;
        if !inner.rules.iter().any(opens) {
            self.add(
                Level::Warning,
                Place::default(),
                "",
                "no rule allows `connect`, so that no session can be opened: add it to a rule's `do`".to_owned(),
            );
        }
    }

    fn mask(&mut self, mask: &Mask) {
        for (pattern, place) in mask.rule.columns.iter().zip(&mask.column_places) {
            if let Some((level, message)) = column_fault(pattern) {
                self.add(level, *place, &mask.rule.name, format!("`{pattern}` {message}"));
            }
            if let Some(other) = self.hides_aggregates(mask, pattern) {
                let message = format!("`aggregates: allow` does nothing for `{pattern}`: \"{other}\" masks them");
                self.add(Level::Warning, *place, &mask.rule.name, message);
            }
        }
    }

    /// The mask that keeps statistics of these columns from all those whom this one would show them.
    fn hides_aggregates(&self, mask: &Mask, pattern: &str) -> Option<&str> {
        if mask.rule.aggregates == Aggregates::Mask {
            return None;
        }
        let hides = |other: &&Mask| {
            other.rule.aggregates == Aggregates::Mask
                && other.scope.is_unconditional()
                && cover::sessions_include(&other.scope, &mask.scope)
                && other.rule.columns.iter().any(|wide| columns_include(wide, pattern))
        };
        let inner = self.inner;
        inner.masks.iter().find(hides).map(|other| other.rule.name.as_str())
    }

    /// `on` against the targets there are.
    fn on(&mut self, name: &str, on: &On, targets: &[Target]) {
        let mut wrong: Vec<String> = Vec::new();
        for glob in on.targets.iter().flatten() {
            if !targets.iter().any(|target| glob.matches(&target.name)) {
                wrong.push(format!("no target is named `{}`", glob.as_str()));
            }
        }
        for (label, values) in &on.labels {
            let having: Vec<&String> = targets.iter().filter_map(|target| target.labels.get(label)).collect();
            if having.is_empty() {
                wrong.push(format!("no target has a label `{label}`"));
                continue;
            }
            for value in values.iter().filter(|value| !having.contains(value)) {
                wrong.push(format!("no target has the label `{label}: {value}`"));
            }
        }
        for kind in on.kinds.iter().flatten() {
            if !targets.iter().any(|target| target.kind == *kind) {
                wrong.push(format!("no target is of the kind `{kind}`"));
            }
        }
        let meant: Vec<&Target> = targets.iter().filter(|target| on.misses_target(target).is_none()).collect();
        if meant.is_empty() && wrong.is_empty() {
            wrong.push("no target fits all of `on`".to_owned());
        }
        for glob in on.roles.iter().flatten() {
            let mut roles = meant.iter().flat_map(|target| &target.roles);
            if !meant.is_empty() && !roles.any(|role| glob.matches(role)) {
                wrong.push(format!("none of the targets it means has a role `{}`", glob.as_str()));
            }
        }
        let level = if meant.is_empty() { Level::Error } else { Level::Warning };
        for text in wrong {
            self.add(level, on.place, name, format!("{text}: check the spelling against the configuration"));
        }
    }
}

/// What is odd about a mask's column pattern.
fn column_fault(pattern: &str) -> Option<(Level, &'static str)> {
    let dots = pattern.matches('.').count();
    let star = pattern.contains('*');
    if ObjectPattern::parse(pattern).is_err() || pattern.contains(':') || pattern.contains('"') {
        Some((Level::Error, "never fits: a column is named schema.table.column, without kind and quotes"))
    } else if pattern.starts_with("?.") || pattern.ends_with('.') || (dots == 0 && !star) {
        Some((Level::Error, "never fits: write schema.table.column, or `*.column` for any table"))
    } else if dots < 2 && !star {
        Some((Level::Error, "never fits: the schema or the column is missing, write schema.table.column"))
    } else if pattern.bytes().all(|byte| byte == b'*' || byte == b'.') {
        Some((Level::Warning, "masks every column of everything"))
    } else if pattern.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Some((
            Level::Warning,
            "has capital letters: names are compared as stored, and unquoted names are stored in small letters",
        ))
    } else if dots == 1 && pattern.ends_with(".*") {
        Some((Level::Warning, "masks every column of a whole schema"))
    } else {
        None
    }
}
