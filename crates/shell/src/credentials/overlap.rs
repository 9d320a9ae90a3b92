//! Whether a glob and a pattern may mean one path, and how much of the pattern the glob says itself.

use crate::globs::{Set, set};

#[cfg(test)]
thread_local! {
    /// How often a place of a glob met one of a pattern.
    pub(super) static STEPS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// What a place of a glob or of a pattern may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    Letter(u8),
    /// Any letter but a slash.
    Any,
    Set(Set),
    /// Any letters but slashes.
    Run,
    /// Any letters.
    Deep,
    /// What follows, or what is so many places further.
    Either(usize),
    /// What is so many places further.
    Jump(usize),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Piece {
    what: What,
    /// The first letter of a name.
    first: bool,
    /// Of a pattern: letters that say something. Of a glob: of a name that is not constant.
    counts: bool,
}

impl Piece {
    const fn of(what: What) -> Self {
        Self { what, first: false, counts: false }
    }

    /// Whether one letter may be both. The dot of a hidden file is none to a wild card of a shell.
    const fn meets(self, pattern: Self, Wild { hidden, slashes }: Wild) -> bool {
        match (self.what, pattern.what) {
            (What::Letter(one), What::Letter(b'.')) if pattern.first && !hidden => one == b'.' && self.first,
            (What::Letter(one), What::Letter(other)) => one == other,
            (What::Either(_) | What::Jump(_), _) | (_, What::Either(_) | What::Jump(_)) => false,
            (What::Any | What::Set(Set::Letters | Set::Others), What::Letter(b'/')) => slashes,
            (one, What::Letter(letter)) => (!pattern.first || letter != b'.' || hidden) && is(one, letter),
            (What::Letter(letter), other) => is(other, letter),
            _ => true,
        }
    }

    const fn repeats(self) -> bool {
        matches!(self.what, What::Run | What::Deep)
    }
}

/// Whether a wild card may be a letter.
const fn is(wild: What, letter: u8) -> bool {
    match wild {
        What::Deep => true,
        What::Set(set) => set.may_be(letter),
        _ => letter != b'/',
    }
}

/// Paths that are looked for.
#[derive(Debug)]
pub(super) struct Pattern(Vec<Piece>);

impl Pattern {
    /// Paths that end with one of these, and with one of `tails`. `*` is any name or part of one, `**` any path; what an alternative begins with
    /// is the beginning of a name.
    pub(super) fn anywhere(list: &[String], tails: &[&str]) -> Self {
        let mut pieces = vec![Piece::of(What::Deep)];
        pieces.extend(alternatives(list.iter().map(|text| named(&format!("/{text}"))).collect()));
        pieces.extend(ends(tails));
        Self(pieces)
    }

    /// Files whose names end with one of these, and with one of `tails`.
    pub(super) fn ending(list: &[&str], tails: &[&str]) -> Self {
        let mut pieces: Vec<Piece> = [What::Deep, What::Letter(b'/'), What::Run].map(Piece::of).into();
        let ending = |text: &&str| {
            let mut pieces = named(text);
            pieces.iter_mut().for_each(|piece| piece.first = false);
            pieces
        };
        pieces.extend(alternatives(list.iter().map(ending).collect()));
        pieces.extend(ends(tails));
        Self(pieces)
    }

    /// One of these paths.
    pub(super) fn at(list: &[String]) -> Self {
        Self(alternatives(list.iter().map(|text| named(text)).collect()))
    }
}

/// One of these, or nothing; what they say does not count. `#` is a digit.
fn ends(tails: &[&str]) -> Vec<Piece> {
    let piece = |byte| match byte {
        b'#' => What::Set(Set::Digits),
        b'*' => What::Run,
        byte => What::Letter(byte),
    };
    let mut list: Vec<Vec<Piece>> = tails.iter().map(|tail| tail.bytes().map(piece).map(Piece::of).collect()).collect();
    list.push(Vec::new());
    alternatives(list)
}

fn alternatives(list: Vec<Vec<Piece>>) -> Vec<Piece> {
    // From the end: each knows how long what follows is.
    let mut all: Vec<Piece> = Vec::new();
    for (at, one) in list.into_iter().rev().enumerate() {
        let rest = std::mem::take(&mut all);
        if at == 0 {
            all = one;
            continue;
        }
        all.push(Piece::of(What::Either(one.len() + 2)));
        all.extend(one);
        all.push(Piece::of(What::Jump(rest.len() + 1)));
        all.extend(rest);
    }
    all
}

/// A path of a pattern. How its name ends says what kind of file it is, not which.
fn named(text: &str) -> Vec<Piece> {
    let name = text.rfind('/').map_or(0, |at| at + 1);
    let kind = text.rfind('.').filter(|dot| *dot > name).unwrap_or(text.len());
    let mut list: Vec<Piece> = Vec::new();
    let mut before = b'/';
    for (at, byte) in text.bytes().enumerate() {
        let what = match byte {
            b'*' if list.last().is_some_and(|last| last.what == What::Run) => {
                list.pop();
                What::Deep
            }
            b'*' => What::Run,
            b'#' => What::Set(Set::Digits),
            byte => What::Letter(byte),
        };
        list.push(Piece { what, first: before == b'/', counts: at < kind && byte != b'/' });
        before = byte;
    }
    list
}

/// A glob of a path: names that a shell, or a tool, fills in.
pub(super) struct Glob {
    pieces: Vec<Piece>,
    /// Those who read it may read other pieces: whatever it may be is meant.
    unsure: bool,
    wild: Wild,
}

/// What wild cards may be, beside letters.
#[derive(Clone, Copy, Default)]
struct Wild {
    /// The dots of hidden files.
    hidden: bool,
    slashes: bool,
}

impl Glob {
    /// Of a shell's.
    pub(super) fn of(names: &[&str]) -> Self {
        let mut pieces = Vec::new();
        let (mut slash, mut unsure) = (true, false);
        for name in names {
            if slash {
                pieces.push(Piece::of(What::Letter(b'/')));
            }
            // In zsh `**/` is any folders, or none.
            slash = !(name.len() > 1 && name.bytes().all(|byte| byte == b'*'));
            unsure |= !component(name, &mut pieces);
        }
        Self { pieces, unsure, wild: Wild::default() }
    }

    /// Of one name, to a tool that looks for files.
    pub(super) fn searched(name: &str) -> Self {
        Self { wild: Wild { hidden: true, slashes: false }, ..Self::of(&[name]) }
    }

    /// Of a path, to a tool to which a slash is a letter.
    pub(super) fn searched_path(path: &str) -> Self {
        let mut pieces = Vec::new();
        if !path.starts_with('/') {
            pieces.push(Piece::of(What::Letter(b'/')));
        }
        let unsure = !component(path, &mut pieces);
        for name in pieces.split_mut(|piece| piece.what == What::Letter(b'/')) {
            let counts = name.iter().any(|piece| !matches!(piece.what, What::Letter(_)));
            for piece in name {
                piece.counts = counts;
                if piece.what == What::Run {
                    piece.what = What::Deep;
                }
            }
        }
        Self { pieces, unsure, wild: Wild { hidden: true, slashes: true } }
    }

    /// How they overlap; `None` if nothing is both.
    pub(super) fn overlap(&self, pattern: &Pattern) -> Option<Overlap> {
        let width = pattern.0.len() + 1;
        let (mut row, mut next) = (vec![None; width], vec![None; width]);
        relax(&mut row, 0, Overlap::default());
        for at in 0..=self.pieces.len() {
            let own = self.pieces.get(at).copied();
            for place in 0..width {
                if let Some(found) = row.get(place).copied().flatten() {
                    #[cfg(test)]
                    STEPS.set(STEPS.get() + 1);
                    self.step(own, pattern.0.get(place).copied(), place, found, &mut row, &mut next);
                }
            }
            if own.is_some() {
                std::mem::swap(&mut row, &mut next);
                next.fill(None);
            }
        }
        let found = row.pop().flatten()?;
        Some(if self.unsure { Overlap { same: Overlap::TELLING, ..found } } else { found })
    }

    /// From a place in both to all places that may follow: `row` is of the same place in the glob, `next` of the next.
    fn step(
        &self,
        own: Option<Piece>,
        wanted: Option<Piece>,
        place: usize,
        found: Overlap,
        row: &mut [Option<Overlap>],
        next: &mut [Option<Overlap>],
    ) {
        match wanted.map(|piece| piece.what) {
            Some(What::Run | What::Deep) => relax(row, place + 1, found),
            Some(What::Either(further)) => {
                relax(row, place + 1, found);
                relax(row, place + further, found);
            }
            Some(What::Jump(further)) => relax(row, place + further, found),
            _ => {}
        }
        let Some(own) = own else { return };
        if own.repeats() {
            relax(next, place, found);
        }
        let Some(wanted) = wanted.filter(|wanted| own.meets(*wanted, self.wild)) else { return };
        let found = found.with(own, wanted);
        let place = if wanted.repeats() { place } else { place + 1 };
        relax(if own.repeats() { row } else { next }, place, found);
    }
}

/// One name of a glob. Whether it is the same to all who may read it.
fn component(name: &str, pieces: &mut Vec<Piece>) -> bool {
    let wild = name.contains(['*', '?', '[']);
    let mut rest = name.as_bytes();
    let (mut first, mut sure) = (true, true);
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        let what = match byte {
            b'*' if after.first() == Some(&b'*') => {
                while let Some((b'*', after)) = rest.split_first() {
                    rest = after;
                }
                What::Deep
            }
            b'*' => What::Run,
            b'?' => What::Any,
            b'[' => match set(after) {
                Some((set, length)) => {
                    rest = after.get(length..).unwrap_or_default();
                    What::Set(set)
                }
                None => {
                    // A bracket that nothing closes is a letter to all of them, and what follows may be.
                    sure &=
                        !after.iter().enumerate().any(|(at, byte)| at > 0 && *byte == b']' || b"*?[\\".contains(byte));
                    rest = &[];
                    What::Run
                }
            },
            letter => What::Letter(*letter),
        };
        pieces.push(Piece { what, first, counts: wild });
        first = false;
    }
    sure
}

/// How much a glob says of what it overlaps with, in names that are not constant, on the best of all ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Overlap {
    /// Letters that both have.
    same: i32,
    /// Those, less the letters that a star has to be; `None` where only constant names have met letters.
    ahead: Option<i32>,
    /// So far only constant names have, on one way.
    constant: bool,
}

impl Default for Overlap {
    fn default() -> Self {
        Self { same: 0, ahead: None, constant: true }
    }
}

impl Overlap {
    /// How many letters make a name no chance.
    const TELLING: i32 = 3;

    /// The glob means such a path, as more than "anything in here".
    pub(super) fn is_particular(self) -> bool {
        self.same >= Self::TELLING || self.ahead.is_some_and(|ahead| ahead >= 0)
    }

    /// The same, where some letter has to be said.
    pub(super) fn is_said(self) -> bool {
        self.same > 0 && self.is_particular()
    }

    fn with(self, own: Piece, wanted: Piece) -> Self {
        if !own.counts || !wanted.counts || !matches!(wanted.what, What::Letter(_) | What::Set(_)) {
            return self;
        }
        let more = match own.what {
            // `[k]` says as much as `k`.
            What::Letter(_) | What::Set(Set::Letters) => 1,
            What::Run | What::Deep => -1,
            _ => 0,
        };
        let before = self.ahead.max(self.constant.then_some(0));
        Self { same: self.same + more.max(0), ahead: before.map(|ahead| ahead + more), constant: false }
    }
}

fn relax(row: &mut [Option<Overlap>], place: usize, found: Overlap) {
    if let Some(cell) = row.get_mut(place) {
        let best = cell.unwrap_or(Overlap { constant: false, ..found });
        *cell = Some(Overlap {
            same: best.same.max(found.same),
            ahead: best.ahead.max(found.ahead),
            constant: best.constant || found.constant,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlap(glob: &str, pattern: &Pattern) -> Option<Overlap> {
        let names: Vec<&str> = glob.split('/').filter(|name| !name.is_empty()).collect();
        Glob::of(&names).overlap(pattern)
    }

    #[test]
    fn paths_that_are_both_are_found() {
        let pattern = Pattern::at(&["/etc/krb5.keytab".to_owned(), "/proc/#*/environ".to_owned()]);
        for glob in [
            "/etc/krb5.k*",
            "/e*/*",
            "/etc/[k]rb5.keytab",
            "/etc/k???.keytab",
            "/**/krb5.*",
            "/etc/**/krb5.keytab",
            "/pro?/1/environ",
            "/proc/[0-9]*/e*",
            "/proc/[[:digit:]]/environ",
            "/proc/*/envir[^x]n",
            "/etc/[k",
        ] {
            assert!(overlap(glob, &pattern).is_some(), "{glob}");
        }
        for glob in ["/etc/krb5*.k", "/*", "/etc/[0-9]rb5.keytab", "/etc/*/krb5.keytab", "/proc/net/e*", "/proc/*", ""]
        {
            assert!(overlap(glob, &pattern).is_none(), "{glob}");
        }
    }

    #[test]
    fn a_glob_is_particular_by_what_it_says() {
        let names = ["id_rsa", "secrets.yaml", "run/secrets/**", ".netrc"].map(str::to_owned);
        let pattern = Pattern::anywhere(&names, &["~", ".old", ".#"]);
        let is = |glob: &str| overlap(glob, &pattern).is_some_and(Overlap::is_particular);
        for glob in ["id_*", "srv/i?_rsa", "id_r*.old", "/x/id_rs[a].1", "secr*.yaml", "/run/secr*/x", "/r?n/secrets/x"]
        {
            assert!(is(glob), "{glob}");
        }
        for glob in ["*", "/srv/*", "i*", "*.yaml", "s*", "/run/*/x.pid", "?netrc", "*netrc", "/srv/*/x", "id_*.pub"] {
            assert!(!is(glob), "{glob}");
        }
        // What only constant names say is found without globs.
        assert!(!is("/run/secrets/*"));
        let searched = |glob: &str| Glob::searched(glob).overlap(&pattern).is_some_and(Overlap::is_particular);
        assert!(searched("*netrc") && searched("?netrc") && !searched("*c"));
    }

    #[test]
    fn endings_have_to_be_said() {
        let pattern = Pattern::ending(&[".key", "-key.pem"], &["~"]);
        let is = |glob: &str| overlap(glob, &pattern).is_some_and(Overlap::is_said);
        for glob in ["*.key", "*.k*", "site.????", "a-ke?.pem", "*.key~", "x/*.ke?"] {
            assert!(is(glob), "{glob}");
        }
        for glob in ["*", "app.*", "*.pem", "log????????", "*.yaml", "app-*", "*.*"] {
            assert!(!is(glob), "{glob}");
        }
    }
}
