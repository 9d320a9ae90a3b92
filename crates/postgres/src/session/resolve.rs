//! What the names of prepared statements and cursors stand for: in intents, and in the words that people read.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use gate::Ticket;
use model::Intent;
use sql::Kind;

use super::Relay;
use super::prepared::{Portal, Prepared};
use crate::classify::{self, Text};
use crate::names::Full;

/// A prepared statement may be an EXECUTE of another; they are followed this deep.
const NESTED: usize = 8;

impl Relay {
    /// Names that the statements of a text give to statements and cursors.
    pub(super) fn learn_names(
        &mut self,
        text: &Rc<Text>,
        ticket: &Ticket,
        intent: &Arc<Intent>,
        sql: &str,
    ) -> Result<(), Full> {
        if !text.refers {
            return Ok(());
        }
        for statement in &text.analysis.statements {
            let words = || Rc::<str>::from(sql.get(statement.start..statement.start + statement.len).unwrap_or(sql));
            match &statement.kind {
                Kind::Prepare { name, .. } => {
                    let prepared = self.by_sql(words(), text);
                    self.statements.add(name, self.seq, prepared)?;
                }
                Kind::DeclareCursor { name } => {
                    let portal = Portal {
                        // What is fetched later is masked, whatever was lifted for this message.
                        ticket: ticket.masked(),
                        prepared: self.by_sql(words(), text),
                        text: Rc::clone(text),
                        intent: Arc::clone(intent),
                        values: Vec::new(),
                        formats: Box::new([]),
                        refers_to: None,
                        columns: RefCell::new(None),
                        returned: Cell::default(),
                        of: None,
                    };
                    self.portals.add(name, self.seq, Rc::new(portal))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn by_sql(&self, sql: Rc<str>, text: &Rc<Text>) -> Rc<Prepared> {
        Rc::new(Prepared {
            sql,
            text: Rc::clone(text),
            types: RefCell::default(),
            declared: Box::default(),
            columns: RefCell::new(None),
            by_sql: true,
        })
    }

    /// The intent of a text together with that of the names it refers to.
    pub(super) fn resolve(&self, text: &Rc<Text>) -> Arc<Intent> {
        self.resolve_within(text, 0)
    }

    fn resolve_within(&self, text: &Rc<Text>, depth: usize) -> Arc<Intent> {
        if !text.refers {
            return Arc::clone(&text.analysis.intent);
        }
        if depth > NESTED {
            return classify::unknown_name("EXECUTE");
        }
        let mut parts = vec![Arc::clone(&text.analysis.intent)];
        let mut here: Vec<(&str, bool, Arc<Intent>)> = Vec::new();
        for statement in &text.analysis.statements {
            match &statement.kind {
                Kind::Prepare { name, inner } => here.push((name, true, Arc::clone(&inner.intent))),
                Kind::DeclareCursor { name } => here.push((name, false, Arc::clone(&statement.intent))),
                Kind::ExecutePrepared { name } => {
                    let before = parts.len();
                    parts.extend(here.iter().filter(|(n, s, _)| n == name && *s).map(|(_, _, i)| Arc::clone(i)));
                    let known: Vec<_> = self.statements.find(name, u64::MAX).iter().cloned().collect();
                    parts.extend(known.iter().map(|prepared| self.intent_now(prepared, depth + 1)));
                    if parts.len() == before {
                        parts.push(classify::unknown_name("EXECUTE"));
                    }
                }
                Kind::Fetch { cursor } => {
                    let before = parts.len();
                    parts.extend(here.iter().filter(|(n, s, _)| n == cursor && !*s).map(|(_, _, i)| Arc::clone(i)));
                    let known = self.portals.find(cursor, u64::MAX);
                    parts.extend(known.iter().map(|portal| Arc::clone(&portal.intent)));
                    if parts.len() == before {
                        parts.push(classify::unknown_name("FETCH"));
                    }
                }
                _ => {}
            }
        }
        let label = text.analysis.intent.label.clone();
        classify::union(&label, parts.iter())
    }

    /// A prepared statement's intent under the names of this moment: the target plans it anew when they change.
    fn intent_now(&self, prepared: &Rc<Prepared>, depth: usize) -> Arc<Intent> {
        self.text_now(prepared)
            .map_or_else(|| classify::unknown_name("a long statement"), |text| self.resolve_within(&text, depth))
    }

    pub(super) fn text_now(&self, prepared: &Rc<Prepared>) -> Option<Rc<Text>> {
        if prepared.text.names == self.names.id && !prepared.by_sql {
            return Some(Rc::clone(&prepared.text));
        }
        self.known_text(&prepared.sql).map(|text| text.with_types(&prepared.declared, &self.names.catalog))
    }

    /// What a Bind would do, with what the values tell.
    pub(super) fn bound_intent(&self, text: &Rc<Text>, values: &[Option<String>]) -> Arc<Intent> {
        let intent = self.resolve(text);
        let texts: Vec<Option<&str>> = values.iter().map(Option::as_deref).collect();
        let all_rows = text.analysis.statements.iter().any(|s| sql::bind_unbounded(s, &texts));
        if all_rows && !intent.flags.unbounded { classify::unbounded(&intent) } else { intent }
    }

    /// A portal that runs what other names stand for, which may have changed since it was bound: judged anew then.
    pub(super) fn referring(&self, portal: Rc<Portal>) -> Rc<Portal> {
        let intent = self.resolve(&portal.text);
        let refers_to = self.refers_to(&portal.prepared.sql, &portal.text);
        let same = portal.intent.actions == intent.actions && portal.intent.reads == intent.reads;
        if same && portal.refers_to == refers_to {
            return portal;
        }
        Rc::new(Portal {
            ticket: portal.ticket.outdated(),
            prepared: self.by_sql(Rc::clone(&portal.prepared.sql), &portal.text),
            text: Rc::clone(&portal.text),
            intent: classify::union("EXECUTE", [&intent, &portal.intent].into_iter()),
            values: portal.values.clone(),
            formats: portal.formats.clone(),
            refers_to,
            columns: RefCell::new(None),
            returned: Cell::new(portal.returned.get()),
            of: Some(portal),
        })
    }

    /// Whether a name that the text refers to may stand for several things: the target's answers will tell.
    pub(super) fn is_uncertain(&self, text: &Text) -> bool {
        self.is_uncertain_within(text, 0)
    }

    fn is_uncertain_within(&self, text: &Text, depth: usize) -> bool {
        text.refers
            && depth <= NESTED
            && text.analysis.statements.iter().any(|statement| match &statement.kind {
                Kind::ExecutePrepared { name } => {
                    let found = self.statements.find(name, u64::MAX);
                    let nested = |prepared: &Rc<Prepared>| self.is_uncertain_within(&prepared.text, depth + 1);
                    found.is_uncertain() || found.one().is_some_and(nested)
                }
                Kind::Fetch { cursor } => self.portals.find(cursor, u64::MAX).is_uncertain(),
                _ => false,
            })
    }

    /// The prepared statements that a text runs by name, and those that they run.
    pub(super) fn referred(&self, text: &Text) -> Vec<Rc<Text>> {
        let mut found = Vec::new();
        self.refer(text, 0, &mut found);
        found
    }

    fn refer(&self, text: &Text, depth: usize, found: &mut Vec<Rc<Text>>) {
        if !text.refers || depth > NESTED {
            return;
        }
        for statement in &text.analysis.statements {
            if let Kind::ExecutePrepared { name } = &statement.kind
                && let Some(prepared) = self.statements.find(name, u64::MAX).one()
            {
                found.push(Rc::clone(&prepared.text));
                self.refer(&prepared.text, depth + 1, found);
            }
        }
    }

    /// A text as people and recordings see it: with what the names in it stand for.
    pub(super) fn spelt_out<'t>(&self, sql: &'t str, text: &Text) -> Cow<'t, str> {
        let mut out = Cow::Borrowed(sql);
        self.spell_out(text, 0, &mut out);
        out
    }

    /// What the names in a text stand for, in words; nothing where it has none.
    pub(super) fn refers_to(&self, sql: &str, text: &Text) -> Option<Box<str>> {
        match self.spelt_out(sql, text) {
            Cow::Owned(spelt) => Some(spelt.into()),
            Cow::Borrowed(_) => None,
        }
    }

    fn spell_out(&self, text: &Text, depth: usize, out: &mut Cow<'_, str>) {
        if !text.refers || depth > NESTED {
            return;
        }
        for statement in &text.analysis.statements {
            match &statement.kind {
                Kind::ExecutePrepared { name } => {
                    if let Some(prepared) = self.statements.find(name, u64::MAX).one() {
                        out.to_mut().push_str(&format!("\n-- {name} is: {}", prepared.sql));
                        self.spell_out(&prepared.text, depth + 1, out);
                    }
                }
                Kind::Fetch { cursor } => {
                    if let Some(portal) = self.portals.find(cursor, u64::MAX).one() {
                        out.to_mut().push_str(&format!("\n-- {cursor} is: {}", portal.prepared.sql));
                        for (index, value) in portal.values.iter().enumerate() {
                            let value = value.as_ref().map_or("NULL".to_owned(), |value| format!("{value:?}"));
                            out.to_mut().push_str(&format!("\n-- ${} is: {value}", index + 1));
                        }
                    }
                }
                _ => {}
            }
        }
    }
}
