//! Names whose meaning changed where the catalogue snapshot cannot see it yet: by earlier statements of the same text, or of a
//! transaction that is still open.

use std::collections::{BTreeMap, BTreeSet};

use model::{Action, Effect, Object, ObjectKind};

/// More names than this are taken for all names.
const LIMIT: usize = 1024;

/// Names made or changed just now. A name here is its last part, without a schema: `orders`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fresh {
    /// New tables that are nothing but a table, with their full names.
    made: BTreeMap<String, String>,
    /// Names that may stand for anything by now.
    doubtful: BTreeSet<String>,
    /// Code of unknown effect ran: every name may.
    all: bool,
}

impl Fresh {
    /// After something of which nothing is known.
    #[must_use]
    pub fn unknown() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// Whether the snapshot has the last word on every name.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        !self.all && self.made.is_empty() && self.doubtful.is_empty()
    }

    /// What `later` changed, on top of this.
    pub fn add(&mut self, later: &Self) {
        self.all |= later.all;
        for name in &later.doubtful {
            self.doubt(name);
        }
        for (name, full) in &later.made {
            self.made.insert(name.clone(), full.clone());
        }
        self.bound();
    }

    /// Feeds everything to a hash: equal only for equal names.
    pub fn hash_into(&self, mut put: impl FnMut(&[u8])) {
        put(&[u8::from(self.all)]);
        for name in &self.doubtful {
            put(name.as_bytes());
            put(&[0]);
        }
        put(&[1]);
        for (name, full) in &self.made {
            put(name.as_bytes());
            put(&[0]);
            put(full.as_bytes());
            put(&[0]);
        }
    }

    /// Whether the name may stand for anything.
    pub(crate) fn doubts(&self, name: &str) -> bool {
        self.all || self.doubtful.contains(name)
    }

    /// Whether the name may stand for something else than it did.
    pub(crate) fn touches(&self, name: &str) -> bool {
        self.doubts(name) || self.made.contains_key(name)
    }

    /// The full name of the new table that the name stands for.
    pub(crate) fn made(&self, schema: &str, name: &str) -> Option<&str> {
        let full = self.made.get(name).map(String::as_str)?;
        let fits = schema.is_empty() || full.strip_suffix(name).and_then(|rest| rest.strip_suffix('.')) == Some(schema);
        (fits && !self.doubts(name)).then_some(full)
    }

    pub(crate) fn doubt(&mut self, name: &str) {
        self.made.remove(name);
        if !self.doubtful.contains(name) {
            self.doubtful.insert(name.to_owned());
        }
        self.bound();
    }

    pub(crate) const fn doubt_all(&mut self) {
        self.all = true;
    }

    /// A table that is nothing but a table: it has its own rows, no rule, no trigger, no parent.
    pub(crate) fn make(&mut self, name: &str, full: String) {
        if !self.doubts(name) && !full.starts_with('?') {
            self.made.insert(name.to_owned(), full);
            self.bound();
        }
    }

    /// A statement acted on objects. `plain` says that what it did to tables leaves their names' meaning as it was.
    pub(crate) fn after(&mut self, actions: &[Action], plain: bool) {
        for action in actions {
            match action.effect {
                Effect::Unknown => self.all = true,
                // Code that no rule could name: DO, a function that is not known.
                Effect::Execute => self.all |= action.object.as_ref().is_none_or(Object::is_unresolved),
                Effect::Create | Effect::Alter | Effect::Import => {}
                Effect::Connect
                | Effect::Session
                | Effect::Read
                | Effect::Write
                | Effect::Delete
                | Effect::Destroy
                | Effect::Grant
                | Effect::Admin
                | Effect::Export
                | Effect::Tunnel => continue,
            }
            let Some(object) = &action.object else { continue };
            let relation = matches!(object.kind, ObjectKind::Relation | ObjectKind::Sequence);
            let routine = matches!(object.kind, ObjectKind::Function | ObjectKind::Type);
            if routine || (relation && !plain) {
                // A dot may stand between the parts of a name or in one of them.
                for (at, _) in object.name.match_indices('.') {
                    self.doubt(object.name.get(at + 1..).unwrap_or_default());
                }
            }
        }
    }

    fn bound(&mut self) {
        if self.made.len() + self.doubtful.len() > LIMIT {
            *self = Self { all: true, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on(effect: Effect, kind: ObjectKind, name: &str) -> Action {
        Action::on(effect, Object::new(kind, name))
    }

    #[test]
    fn a_new_table_is_itself_until_something_else_happens_to_its_name() {
        let mut fresh = Fresh::default();
        fresh.make("m", "public.m".to_owned());
        assert_eq!(
            (fresh.made("", "m"), fresh.made("public", "m"), fresh.made("other", "m")),
            (Some("public.m"), Some("public.m"), None)
        );
        fresh.after(&[on(Effect::Alter, ObjectKind::Relation, "public.m")], true);
        assert!(fresh.made("", "m").is_some() && !fresh.doubts("m"));
        fresh.after(&[on(Effect::Alter, ObjectKind::Relation, "public.m")], false);
        assert!(fresh.made("", "m").is_none() && fresh.doubts("m") && !fresh.doubts("n"));
        fresh.make("m", "public.m".to_owned());
        assert!(fresh.made("", "m").is_none(), "a doubt stays");
    }

    #[test]
    fn unknown_code_and_too_many_names_leave_nothing_certain() {
        let mut fresh = Fresh::default();
        fresh.after(&[Action::bare(Effect::Unknown)], true);
        assert!(fresh.doubts("anything"));
        let mut fresh = Fresh::default();
        for at in 0..=LIMIT {
            fresh.doubt(&format!("t{at}"));
        }
        assert!(fresh.doubts("anything"));
    }

    #[test]
    fn dots_inside_names_do_not_hide_them() {
        let mut fresh = Fresh::default();
        fresh.after(&[on(Effect::Create, ObjectKind::Relation, "public.a.b")], false);
        assert!(fresh.doubts("a.b") && fresh.doubts("b"));
    }
}
