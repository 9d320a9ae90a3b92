//! What a name may stand for on the target right now.
//!
//! Statements and portals are named by the client, in the protocol and in SQL, and the target may skip what it was sent
//! (after an error, up to Sync). So a name has candidates: everything it could stand for. A command on a name that has several waits
//! until the target's own answers have narrowed them down to one: what is judged, shown and masked is what runs.

use std::collections::HashMap;

/// Names that one session may keep; the target keeps as many, and they are its memory too.
const LIMIT: usize = 20_000;
/// Candidates of one name; a client that sends more without waiting for answers must wait.
const CANDIDATES: usize = 1024;
/// Bytes of texts and values behind the names of one session; above it nothing more is taken.
const BYTES: usize = 64 * 1024 * 1024;

/// Something that a name stands for, with the memory it takes.
pub(crate) trait Named {
    /// Bytes of texts and values, roughly.
    fn bytes(&self) -> usize;
}

/// Candidates by name. Each carries the number of the message that made it.
#[derive(Debug)]
pub(crate) struct Names<T> {
    map: HashMap<String, Vec<(u64, T)>>,
    bytes: usize,
}

impl<T> Default for Names<T> {
    fn default() -> Self {
        Self { map: HashMap::new(), bytes: 0 }
    }
}

/// There is no room for another name or candidate.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

impl<T: Named> Names<T> {
    /// Whether a value may be added under `name`.
    pub(crate) fn has_room(&self, name: &str) -> bool {
        self.bytes <= BYTES
            && self.map.get(name).map_or(self.map.len() < LIMIT, |candidates| candidates.len() < CANDIDATES)
    }

    /// Message `seq` may make `name` stand for `value`.
    pub(crate) fn add(&mut self, name: &str, seq: u64, value: T) -> Result<(), Full> {
        if !self.has_room(name) {
            return Err(Full);
        }
        self.bytes += value.bytes();
        match self.map.get_mut(name) {
            Some(candidates) => candidates.push((seq, value)),
            None => {
                self.map.insert(name.to_owned(), vec![(seq, value)]);
            }
        }
        Ok(())
    }

    /// Message `seq` took effect: what came before it is gone.
    pub(crate) fn confirm(&mut self, name: &str, seq: u64) {
        self.narrow(name, |made| made >= seq);
    }

    /// Message `seq` did not take effect.
    pub(crate) fn reject(&mut self, name: &str, seq: u64) {
        self.narrow(name, |made| made != seq);
    }

    /// Message `seq` removed the name: what came before it is gone.
    pub(crate) fn removed(&mut self, name: &str, seq: u64) {
        self.narrow(name, |made| made > seq);
    }

    /// Message `seq` removed all names.
    pub(crate) fn removed_all(&mut self, seq: u64) {
        self.keep(|made, _| made > seq);
    }

    /// Keeps what a condition holds for.
    pub(crate) fn keep(&mut self, mut condition: impl FnMut(u64, &T) -> bool) {
        let bytes = &mut self.bytes;
        self.map.retain(|name, candidates| {
            retain(candidates, bytes, &mut condition);
            // The unnamed one comes back with the next message.
            !candidates.is_empty() || name.is_empty()
        });
    }

    fn narrow(&mut self, name: &str, keep: impl Fn(u64) -> bool) {
        if let Some(candidates) = self.map.get_mut(name) {
            retain(candidates, &mut self.bytes, &mut |made, _: &T| keep(made));
            if candidates.is_empty() && !name.is_empty() {
                self.map.remove(name);
            }
        }
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

fn retain<T: Named>(candidates: &mut Vec<(u64, T)>, bytes: &mut usize, keep: &mut impl FnMut(u64, &T) -> bool) {
    candidates.retain(|(made, value)| {
        let kept = keep(*made, value);
        if !kept {
            *bytes = bytes.saturating_sub(value.bytes());
        }
        kept
    });
}

/// What a name may stand for.
#[derive(Debug)]
pub(crate) enum Found<'a, T> {
    /// Nothing that was made here.
    None,
    /// This.
    One(&'a T),
    /// One of these; the target's answers will tell which.
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

    /// Whether it is not known yet which.
    pub(crate) const fn is_uncertain(&self) -> bool {
        matches!(self, Self::Many(_))
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

    impl Named for &str {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

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
        names.add("a", 1, "one").unwrap();
        names.add("a", 5, "five").unwrap();
        names.removed("a", 3);
        assert_eq!(names.find("a", 99).one(), Some(&"five"));
        names.removed_all(9);
        assert_eq!(names.find("a", 99).iter().count(), 0);
    }

    #[test]
    fn candidates_are_bounded() {
        let mut names = Names::default();
        for seq in 0..CANDIDATES as u64 {
            names.add("", seq, "x").unwrap();
        }
        assert!(names.find("", 0).one().is_some() && names.find("", 9999).is_uncertain());
        assert_eq!(names.add("", 9999, "x"), Err(Full));
        names.confirm("", CANDIDATES as u64 - 1);
        assert!(names.has_room("") && !names.find("", 9999).is_uncertain());
    }

    #[test]
    fn memory_is_bounded_and_given_back() {
        let large = "x".repeat(BYTES / 2 + 1);
        let mut names = Names::default();
        for (seq, name) in [(1, "a"), (2, "b")] {
            names.add(name, seq, large.as_str()).unwrap();
        }
        assert_eq!(names.add("c", 3, "x"), Err(Full));
        names.removed("a", 4);
        names.add("c", 5, "x").unwrap();
        names.keep(|_, _| false);
        assert_eq!(names.bytes, 0);
    }
}
