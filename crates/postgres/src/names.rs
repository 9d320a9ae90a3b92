//! What a name may stand for on the target right now.
//!
//! Statements and portals are named by the client, in the protocol and in SQL, and the target may skip what it was sent
//! (after an error, up to Sync). So a name has candidates: everything it could stand for. A command on a name is judged as all of
//! them together; the target's own answers narrow them down.

use std::collections::HashMap;

/// Names that one session may keep; the target keeps as many, and they are its memory too.
const LIMIT: usize = 20_000;
/// Candidates of one name; a client that sends more without waiting for answers must wait.
const CANDIDATES: usize = 16;

/// Candidates by name. Each carries the number of the message that made it.
#[derive(Debug)]
pub(crate) struct Names<T> {
    map: HashMap<String, Vec<(u64, T)>>,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { map: HashMap::new() }
    }
}

/// There is no room for another name or candidate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<T> Names<T> {
    /// Message `seq` may make `name` stand for `value`.
    pub(crate) fn add(&mut self, name: &str, seq: u64, value: T) -> Result<(), Full> {
        if let Some(candidates) = self.map.get_mut(name) {
            if candidates.len() >= CANDIDATES {
                return Err(Full);
            }
            candidates.push((seq, value));
            return Ok(());
        }
        if self.map.len() >= LIMIT {
            return Err(Full);
        }
        self.map.insert(name.to_owned(), vec![(seq, value)]);
        Ok(())
    }

    /// Message `seq` took effect: what came before it is gone.
    pub(crate) fn confirm(&mut self, name: &str, seq: u64) {
        if let Some(candidates) = self.map.get_mut(name) {
            candidates.retain(|(made, _)| *made >= seq);
        }
    }

    /// Message `seq` did not take effect.
    pub(crate) fn reject(&mut self, name: &str, seq: u64) {
        if let Some(candidates) = self.map.get_mut(name) {
            candidates.retain(|(made, _)| *made != seq);
            if candidates.is_empty() {
                self.map.remove(name);
            }
        }
    }

    /// Message `seq` removed the name: what came before it is gone.
    pub(crate) fn removed(&mut self, name: &str, seq: u64) {
        if let Some(candidates) = self.map.get_mut(name) {
            candidates.retain(|(made, _)| *made > seq);
            if candidates.is_empty() {
                self.map.remove(name);
            }
        }
    }

    /// Message `seq` removed all names.
    pub(crate) fn removed_all(&mut self, seq: u64) {
        self.map.retain(|_, candidates| {
            candidates.retain(|(made, _)| *made > seq);
            !candidates.is_empty()
        });
    }

    /// What the name may stand for. `batch` is the number of the last message at which the target stops skipping: a candidate made after
    /// it is the only one that counts, for if the target skipped it, it skips the question too.
    pub(crate) fn find(&self, name: &str, batch: u64) -> Found<'_, T> {
        match self.map.get(name).map(Vec::as_slice) {
            None | Some([]) => Found::None,
            Some([(_, only)]) => Found::One(only),
            Some([.., (seq, last)]) if *seq > batch => Found::One(last),
            Some(many) => Found::Many(many),
        }
    }
}

/// What a name may stand for.
#[derive(Debug)]
pub(crate) enum Found<'a, T> {
    /// Nothing that was made here.
    None,
    /// This.
    One(&'a T),
    /// One of these; a question is judged as all of them.
    Many(&'a [(u64, T)]),
}

impl<'a, T> Found<'a, T> {
    /// The one, or all.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'a T> {
        let (one, many) = match self {
            Self::None => (None, [].as_slice()),
            Self::One(one) => (Some(*one), [].as_slice()),
            Self::Many(many) => (None, *many),
        };
        one.into_iter().chain(many.iter().map(|(_, value)| value))
    }

    /// The one.
    pub(crate) const fn one(&self) -> Option<&'a T> {
        match self {
            Self::One(one) => Some(*one),
            Self::None | Self::Many(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unconfirmed_name_stands_for_old_and_new() {
        let mut names = Names::default();
        names.add("a", 1, "delete").unwrap();
        names.confirm("a", 1);
        names.add("a", 2, "select").unwrap();
        assert_eq!(names.find("a", 2).iter().collect::<Vec<_>>(), [&"delete", &"select"]);
        assert_eq!(names.find("a", 1).one(), Some(&"select"));
        names.reject("a", 2);
        assert_eq!(names.find("a", 99).one(), Some(&"delete"));
        names.add("a", 3, "select").unwrap();
        names.confirm("a", 3);
        assert_eq!(names.find("a", 99).one(), Some(&"select"));
    }

    #[test]
    fn removal_spares_what_was_made_later() {
        let mut names = Names::default();
        names.add("a", 1, 1).unwrap();
        names.add("a", 5, 5).unwrap();
        names.removed("a", 3);
        assert_eq!(names.find("a", 99).one(), Some(&5));
        names.removed_all(9);
        assert_eq!(names.find("a", 99).iter().count(), 0);
    }

    #[test]
    fn candidates_are_bounded() {
        let mut names = Names::default();
        for seq in 0..CANDIDATES as u64 {
            names.add("", seq, ()).unwrap();
        }
        assert_eq!(names.add("", 99, ()), Err(Full));
    }
}
