//! The YAML form → a policy: everything that strict reading alone cannot tell is checked here, with the place of each
//! fault.
//!
//! - [`scope`]: `who`, `on`, `if`, `when`
//! - [`approval`]: who may approve, and durations
//! - [`tools`]: what programs do
//! - [`version`]: the name of the content

pub(crate) mod approval;
pub(crate) mod scope;
pub(crate) mod tools;
mod version;

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{Aggregates, ApprovalTerms, Effect, EffectSet, Limits, MaskRule, Most, Predicates, Totals};

use crate::error::{Errors, Place, PolicyError, Source};
use crate::pattern::{ObjectPattern, check_pattern};
use crate::policy::Inner;
use crate::rule::{LimitRule, Mask, RecordRule, Rule, Shape, Then, bits};
use crate::syntax::load::load;
use crate::syntax::values::{At, WordOr};
use crate::syntax::{RawIf, RawLimit, RawMask, RawMode, RawPolicy, RawRecord, RawRule, RawThen};

use scope::Conditions;

/// Entries of one section that a policy may have.
const MAX_ENTRIES: usize = 20_000;

/// The longest name, in characters.
const MAX_NAME_CHARS: usize = 120;

/// The longest message, in characters.
const MAX_MESSAGE_CHARS: usize = 1000;

/// Reads and checks everything.
pub(crate) fn compile(sources: &[Source<'_>]) -> Result<Inner, Vec<PolicyError>> {
    let mut errors = Errors::new(sources);
    let mut inner = Inner { files: sources.iter().map(|source| source.name.to_owned()).collect(), ..Inner::default() };
    let mut raws = Vec::new();
    for (file, source) in (0_u32..).zip(sources) {
        raws.extend(load::<RawPolicy>(source, file, &mut errors).into_iter().map(|raw| (file, raw)));
    }
    let mut tools = Vec::new();
    for (file, raw) in &raws {
        let mut compiler = Compiler { file: *file, errors: &mut errors };
        inner.rules.extend(raw.rules.iter().filter_map(|raw| compiler.rule(raw)));
        inner.masks.extend(raw.masks.iter().filter_map(|raw| compiler.mask(raw)));
        inner.limits.extend(raw.limits.iter().filter_map(|raw| compiler.limit(raw)));
        inner.records.extend(raw.records.iter().filter_map(|raw| compiler.record(raw)));
        tools.extend(raw.tools.iter().map(|raw| compiler.tool(raw)));
    }
    check_names(&inner, &mut errors);
    let tools = tools::sorted(tools, &mut errors);
    if !errors.is_empty() {
        return Err(errors.finish());
    }
    inner.rules.sort_by(|a, b| a.name.cmp(&b.name));
    inner.masks.sort_by(|a, b| a.rule.name.cmp(&b.rule.name));
    inner.limits.sort_by(|a, b| a.name.cmp(&b.name));
    inner.records.sort_by(|a, b| a.name.cmp(&b.name));
    inner.tool_places = tools.iter().map(|placed| placed.places).collect();
    inner.tools = tools.into_iter().map(|placed| placed.tool).collect();
    inner.version = version::version(raws.iter().map(|(_, raw)| raw));
    Ok(inner)
}

/// A name means one thing in verdicts and recordings, so it is unique over all sections.
fn check_names(inner: &Inner, errors: &mut Errors<'_>) {
    let rules = inner.rules.iter().map(|rule| (&rule.name, rule.place));
    let masks = inner.masks.iter().map(|mask| (&mask.rule.name, mask.place));
    let limits = inner.limits.iter().map(|limit| (&limit.name, limit.place));
    let records = inner.records.iter().map(|record| (&record.name, record.place));
    let mut seen: BTreeMap<&str, Place> = BTreeMap::new();
    for (name, place) in rules.chain(masks).chain(limits).chain(records) {
        if let Some(first) = seen.insert(name, place) {
            let file = usize::try_from(first.file).ok().and_then(|index| inner.files.get(index));
            errors.add(
                place,
                format!(
                    "the name \"{name}\" is used before, at {}:{}: give each rule, mask, limit and record its own",
                    file.map_or("policy", |file| file),
                    first.line
                ),
            );
        }
    }
    for (count, section) in [
        (inner.rules.len(), "rules"),
        (inner.masks.len(), "masks"),
        (inner.limits.len(), "limits"),
        (inner.records.len(), "records"),
    ] {
        if count > MAX_ENTRIES {
            errors.add(
                Place::default(),
                format!("more than {MAX_ENTRIES} {section}: join those that differ in a list only"),
            );
        }
    }
}

/// Checks one document.
pub(crate) struct Compiler<'e, 's> {
    pub(crate) file: u32,
    pub(crate) errors: &'e mut Errors<'s>,
}

impl Compiler<'_, '_> {
    pub(crate) const fn place(&self, place: Place) -> Place {
        Place { file: self.file, line: place.line, column: place.column }
    }

    /// Notes a fault.
    pub(crate) fn fault(&mut self, place: Place, message: impl std::fmt::Display) {
        let place = self.place(place);
        self.errors.add(place, message);
    }

    /// The value, or a fault noted.
    pub(crate) fn check<T>(&mut self, place: Place, result: Result<T, String>) -> Option<T> {
        result.map_err(|message| self.fault(place, message)).ok()
    }

    /// A list that is there is not empty.
    pub(crate) fn filled<T>(&mut self, place: Place, key: &str, values: &[T]) -> bool {
        if values.is_empty() {
            self.fault(place, format!("`{key}` is an empty list, which nothing fits: fill it or leave it out"));
        }
        !values.is_empty()
    }

    fn name(&mut self, name: &At<String>) -> String {
        let text = &name.value;
        if text.trim().is_empty() {
            self.fault(name.place, "the name is empty: verdicts and recordings show it");
        } else if text.chars().count() > MAX_NAME_CHARS || text.chars().any(char::is_control) || text.trim() != text {
            self.fault(
                name.place,
                format!(
                    "a name has at most {MAX_NAME_CHARS} characters, no control characters and no blanks around it"
                ),
            );
        }
        text.clone()
    }

    fn rule(&mut self, raw: &At<RawRule>) -> Option<Rule> {
        let At { value: raw, place } = raw;
        let name = self.name(&raw.name);
        let conditions = raw.conditions.as_ref();
        self.check_if(conditions);
        let scope = self.scope(
            &raw.who,
            raw.on.as_ref(),
            &Conditions {
                hours: conditions.and_then(|raw| raw.value.hours.as_ref()),
                from: conditions.and_then(|raw| raw.value.from.as_deref().map(|from| (from, raw.place))),
                when: raw.when.as_ref(),
                command: true,
            },
        );
        let effects: EffectSet = match &raw.effects.value {
            WordOr::Word(_) => Effect::ALL.iter().copied().collect(),
            WordOr::Other(effects) => {
                self.filled(raw.effects.place, "do", &effects.0);
                effects.0.iter().copied().collect()
            }
        };
        let objects = self.objects(raw, *place);
        let approval = self.rule_approval(raw, *place);
        if let Some(message) = &raw.message {
            self.message(message);
        }
        let flag = |value: Option<&At<bool>>| value.map(|value| value.value);
        Some(Rule {
            name,
            place: self.place(raw.name.place),
            scope: scope?,
            bits: bits(effects.iter()),
            effects,
            objects,
            shape: conditions.map_or_else(Shape::default, |At { value, .. }| Shape {
                unbounded: flag(value.unbounded.as_ref()),
                multi: flag(value.multi.as_ref()),
                in_transaction: flag(value.in_transaction.as_ref()),
            }),
            then: match raw.then {
                RawThen::Allow => Then::Allow,
                RawThen::Approve => Then::Approve,
                RawThen::Deny => Then::Deny,
            },
            approval,
            message: raw.message.as_ref().map(|message| message.value.trim().to_owned()),
            shadow: raw.mode == RawMode::Shadow,
        })
    }

    fn rule_approval(&mut self, raw: &RawRule, place: Place) -> Option<ApprovalTerms> {
        match (raw.then, &raw.approval) {
            (RawThen::Approve, Some(approval)) => self.approval(approval, "approval"),
            (RawThen::Approve, None) => {
                self.fault(place, "`then: approve` needs `approval: { by: { groups: [...] } }`: say who may approve");
                None
            }
            (RawThen::Allow | RawThen::Deny, Some(approval)) => {
                self.fault(approval.place, "`approval` is for `then: approve`: change `then` or remove it");
                None
            }
            (RawThen::Allow | RawThen::Deny, None) => None,
        }
    }

    fn check_if(&mut self, conditions: Option<&At<RawIf>>) {
        if let Some(At { value, place }) = conditions
            && value.unbounded.is_none()
            && value.multi.is_none()
            && value.in_transaction.is_none()
            && value.hours.is_none()
            && value.from.is_none()
        {
            self.fault(
                *place,
                "`if` has no condition: use unbounded, multi, in_transaction, hours, from, or leave it out",
            );
        }
    }

    fn objects(&mut self, raw: &RawRule, place: Place) -> Option<Vec<ObjectPattern>> {
        if raw.objects.is_none() && raw.commands.is_none() {
            return None;
        }
        let mut patterns = Vec::new();
        for (key, texts, parse) in [
            ("objects", &raw.objects, ObjectPattern::parse as fn(&str) -> Result<ObjectPattern, String>),
            ("commands", &raw.commands, ObjectPattern::command),
        ] {
            let Some(texts) = texts else { continue };
            self.filled(place, key, texts);
            patterns.extend(texts.iter().filter_map(|text| self.check(text.place, parse(&text.value))));
        }
        Some(patterns)
    }

    fn message(&mut self, message: &At<String>) {
        let text = message.value.trim();
        let odd = |letter: char| letter.is_control() && letter != '\n';
        if text.is_empty() || text.chars().count() > MAX_MESSAGE_CHARS || text.chars().any(odd) {
            self.fault(
                message.place,
                format!("a message has 1 to {MAX_MESSAGE_CHARS} characters and no control characters: it is shown in clients' terminals"),
            );
        }
    }

    fn mask(&mut self, raw: &At<RawMask>) -> Option<Mask> {
        let At { value: raw, place } = raw;
        let name = self.name(&raw.name);
        let scope = self.session_scope(&raw.who, raw.on.as_ref(), raw.conditions.as_ref(), raw.when.as_ref());
        let columns = raw.columns.as_deref().unwrap_or_default();
        let mut detect = raw.detect.clone().unwrap_or_default();
        if raw.columns.is_some() {
            self.filled(*place, "columns", columns);
        }
        if raw.detect.is_some() {
            self.filled(*place, "detect", &detect);
        }
        if raw.columns.is_none() && raw.detect.is_none() {
            self.fault(*place, "a mask needs `columns`, `detect` or both: as it is it masks nothing");
        }
        if raw.columns.is_none() && raw.aggregates != Aggregates::Mask {
            self.fault(*place, "`aggregates` is about `columns`, and the mask has none: name them or remove it");
        }
        for column in columns {
            self.check(column.place, check_pattern(&column.value));
        }
        let approval = self.mask_approval(raw, *place);
        let unmask = raw.unmask.as_ref().and_then(|unmask| {
            if raw.columns.is_none() {
                self.fault(unmask.place, "`unmask` is about `columns`, and the mask has none: name them or remove it");
            }
            self.approval(unmask, "unmask")
        });
        detect.sort_unstable();
        detect.dedup();
        Some(Mask {
            place: self.place(raw.name.place),
            column_places: columns.iter().map(|column| self.place(column.place)).collect(),
            scope: scope?,
            rule: MaskRule {
                name,
                columns: columns.iter().map(|column| column.value.clone()).collect(),
                detect,
                style: raw.with,
                predicates: raw.predicates,
                notifications: raw.notifications.unwrap_or_default(),
                aggregates: raw.aggregates,
                unmask,
            },
            approval,
        })
    }

    /// What `predicates` needs.
    fn mask_approval(&mut self, raw: &RawMask, place: Place) -> Option<ApprovalTerms> {
        if raw.columns.is_none() && raw.predicates != Predicates::Allow {
            self.fault(place, "`predicates` is about `columns`, and the mask has none: name them or remove it");
        }
        if raw.columns.is_none() && raw.notifications.is_some() {
            self.fault(place, "`notifications` is about `columns`, and the mask has none: name them or remove it");
        }
        match (raw.predicates, &raw.approval) {
            (Predicates::Hold, Some(approval)) => self.approval(approval, "approval"),
            (Predicates::Hold, None) => {
                self.fault(
                    place,
                    "`predicates: hold` needs `approval: { by: { groups: [...] } }`: say who may approve",
                );
                None
            }
            (Predicates::Allow | Predicates::Equality | Predicates::Deny, Some(approval)) => {
                self.fault(approval.place, "`approval` of a mask is for `predicates: hold`: change that or remove it");
                None
            }
            (Predicates::Allow | Predicates::Equality | Predicates::Deny, None) => None,
        }
    }

    fn limit(&mut self, raw: &At<RawLimit>) -> Option<LimitRule> {
        let At { value: raw, place } = raw;
        let name = self.name(&raw.name);
        let scope = self.session_scope(&raw.who, raw.on.as_ref(), raw.conditions.as_ref(), raw.when.as_ref());
        let rule: Arc<str> = name.as_str().into();
        let most = |value: Option<u64>| value.map(|most| Most { most, rule: Arc::clone(&rule) });
        let total = raw.total.as_ref().map(|total| Totals {
            rows_returned: most(total.value.rows_returned),
            bytes_returned: most(total.value.bytes_returned),
            rows_affected: most(total.value.rows_affected),
            commands: most(total.value.commands),
        });
        if let (Some(empty), Some(at)) = (&total, &raw.total)
            && *empty == Totals::default()
        {
            self.fault(at.place, "`total` is empty: use rows_returned, bytes_returned, rows_affected, commands");
        }
        let limits = Limits {
            rows_returned: most(raw.rows_returned),
            bytes_returned: most(raw.bytes_returned),
            rows_affected: most(raw.rows_affected),
            commands_per_minute: most(raw.commands_per_minute.map(u64::from)),
            statement_seconds: most(self.seconds(raw.statement_time.as_ref())),
            idle_in_transaction_seconds: most(self.seconds(raw.idle_in_transaction.as_ref())),
            total: total.unwrap_or_default(),
        };
        if limits == Limits::default() && raw.total.is_none() {
            self.fault(
                *place,
                "no limit is given: use rows_returned, bytes_returned, rows_affected, commands_per_minute, statement_time, idle_in_transaction, total",
            );
        }
        Some(LimitRule { name, place: self.place(raw.name.place), scope: scope?, limits })
    }

    fn seconds(&mut self, text: Option<&At<String>>) -> Option<u64> {
        let text = text?;
        self.check(text.place, approval::duration(&text.value))
    }

    fn record(&mut self, raw: &At<RawRecord>) -> Option<RecordRule> {
        let raw = &raw.value;
        let name = self.name(&raw.name);
        let scope = self.session_scope(&raw.who, raw.on.as_ref(), None, None);
        Some(RecordRule { name, place: self.place(raw.name.place), scope: scope?, level: raw.results })
    }
}
