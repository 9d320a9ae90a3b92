//! Names with `*`: subjects, objects and columns.

use model::{ColumnRef, MaskRule, Object, ObjectKind};

/// A name in which `*` stands for any run of characters, dots included. Compared as stored: case matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Glob {
    text: Box<str>,
    shape: Shape,
}

/// The frequent shapes need no search.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Shape {
    Any,
    Exact,
    Prefix,
    Suffix,
    General,
}

impl Glob {
    pub(crate) fn new(text: &str) -> Self {
        let stars = text.bytes().filter(|byte| *byte == b'*').count();
        let shape = match stars {
            0 => Shape::Exact,
            _ if stars == text.len() => Shape::Any,
            1 if text.ends_with('*') => Shape::Prefix,
            1 if text.starts_with('*') => Shape::Suffix,
            _ => Shape::General,
        };
        Self { text: text.into(), shape }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn is_any(&self) -> bool {
        self.shape == Shape::Any
    }

    pub(crate) fn matches(&self, name: &str) -> bool {
        match self.shape {
            Shape::Any => true,
            Shape::Exact => *self.text == *name,
            Shape::Prefix => self.text.strip_suffix('*').is_some_and(|start| name.starts_with(start)),
            Shape::Suffix => self.text.strip_prefix('*').is_some_and(|end| name.ends_with(end)),
            Shape::General => glob(self.text.as_bytes(), name.as_bytes()),
        }
    }

    /// Whether everything that `other` matches is matched here too. May say no where it is yes, never the reverse: a
    /// star of `other` is only swallowed by a star of this one, because this one has no other way to match it.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.matches(&other.text)
    }
}

/// `*` is any run; the last star takes back what it must, so the work is at most pattern times name.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(byte) = name.get(from) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(want) if want == byte => {
                at += 1;
                from += 1;
            }
            Some(_) | None => match star {
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    at = star_at + 1;
                    from = star_from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == b'*'))
}

/// Whether `text` can be the beginning of a name that matches, with at least one more character behind it.
fn begins(pattern: impl Iterator<Item = u8>, mut text: impl Iterator<Item = u8>) -> bool {
    for want in pattern {
        // A star takes what is left, and one more.
        if want == b'*' {
            return true;
        }
        match text.next() {
            None => return true,
            Some(byte) if byte == want => {}
            Some(_) => return false,
        }
    }
    false
}

/// Whether the beginnings agree, up to the first star of the pattern. Said for every column of every result, so without an allocation.
fn agrees(pattern: impl Iterator<Item = u8>, mut name: impl Iterator<Item = u8>) -> bool {
    for want in pattern {
        if want == b'*' {
            return true;
        }
        if name.next() != Some(want) {
            return false;
        }
    }
    name.next().is_none()
}

/// `[kind:]name` of a rule's `objects`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ObjectPattern {
    kind: Option<ObjectKind>,
    glob: Glob,
    /// Of a pattern for commands.
    words: Option<Words>,
}

impl ObjectPattern {
    /// Whether it names a kind, and this one.
    pub(crate) fn names_kind(&self, kind: ObjectKind) -> bool {
        self.kind == Some(kind)
    }

    /// Reads one. The error says what to write instead.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        check_pattern(text)?;
        if let Some((word, name)) = text.split_once(':') {
            if let Some(kind) = ObjectKind::parse(word) {
                if name.is_empty() {
                    return Err(format!("`{text}` names no object: write `{text}*` for all of that kind"));
                }
                return match kind {
                    ObjectKind::Command => Self::command(name),
                    _ => Ok(Self { kind: Some(kind), glob: Glob::new(name), words: None }),
                };
            }
            if let Some(kind) = ObjectKind::ALL.into_iter().find(|kind| close_to(word, kind.as_str())) {
                return Err(format!(
                    "`{word}` is not a kind of object; did you mean `{kind}:{name}`? If the name itself starts so, write `*:` in its place",
                    kind = kind.as_str()
                ));
            }
        }
        Ok(Self { kind: None, glob: Glob::new(text), words: None })
    }

    /// Reads a pattern for commands. The error says what to write instead.
    pub(crate) fn command(text: &str) -> Result<Self, String> {
        check_pattern(text)?;
        let words = Words::parse(text)?;
        Ok(Self { kind: Some(ObjectKind::Command), glob: Glob::new(text), words: Some(words) })
    }

    /// Whether it stands for everything, what could not be resolved included.
    pub(crate) fn is_all(&self) -> bool {
        self.kind.is_none() && self.glob.is_any()
    }

    /// Whether the object is one of those meant. An unresolved object is meant by a bare `*` alone.
    pub(crate) fn covers(&self, object: &Object) -> bool {
        if object.is_unresolved() {
            return self.is_all();
        }
        self.names(object, true)
    }

    /// Whether the name is meant. `strictly`: a star means nothing that could be more than it looks like.
    fn names(&self, object: &Object, strictly: bool) -> bool {
        match (&self.words, object.kind) {
            (Some(words), ObjectKind::Command) => words.match_command(&object.name, strictly),
            // Stars of other names go over blanks: a list of tables must not speak of commands by accident.
            (None, ObjectKind::Command) => self.is_all(),
            _ => self.kind.is_none_or(|kind| kind == object.kind) && self.glob.matches(&object.name),
        }
    }

    /// Whether the object is, or may be, one of those meant. One that the target does not have (`?.orders`) can only be what others
    /// make of that very name, so a pattern for all of a schema (`secrets.*`) does not mean it; of one whose name may stand for
    /// anything, nothing is certain.
    pub(crate) fn may_mean(&self, object: &Object) -> bool {
        if !object.is_unresolved() {
            return self.names(object, false);
        }
        let Some(name) = object.missing_name() else {
            return true;
        };
        let pattern = self.glob.as_str();
        let whole_schema = pattern.rsplit_once('.').is_some_and(|(_, last)| last.bytes().all(|byte| byte == b'*'));
        self.kind.is_none_or(|kind| kind == object.kind)
            && (glob(pattern.as_bytes(), name.as_bytes())
                || !whole_schema && begins(pattern.bytes().rev(), name.bytes().rev().chain([b'.'])))
    }

    /// Whether everything that `other` covers is covered here too.
    pub(crate) fn includes(&self, other: &Self) -> bool {
        match (&self.words, &other.words) {
            (Some(words), Some(others)) => words.includes(others),
            (None, Some(_)) => self.is_all(),
            (Some(_), None) => false,
            (None, None) => (self.kind.is_none() || self.kind == other.kind) && self.glob.covers(&other.glob),
        }
    }
}

/// The words of a command, each with `*`: `kubectl get *`.
///
/// A last word `*` stands for any words, none included; one before it for any one word. A star inside a word stands for any characters of that
/// word, but not for a way out of where it is: `/var/log/*` allows no `/var/log/../../etc/shadow`.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Words {
    words: Box<[Glob]>,
    /// The last word is `*`.
    any_rest: bool,
}

impl Words {
    fn parse(text: &str) -> Result<Self, String> {
        let words = model::argv::split(text).filter(|words| !words.is_empty()).ok_or_else(|| {
            format!("`{text}` is no command: write its words with blanks between them, such as `kubectl get *`")
        })?;
        let mut words: Vec<Glob> = words.iter().map(|word| Glob::new(word)).collect();
        let any_rest = words.last().is_some_and(Glob::is_any);
        if any_rest {
            words.pop();
        }
        Ok(Self { words: words.into(), any_rest })
    }

    fn match_command(&self, command: &str, strictly: bool) -> bool {
        let Some(words) = model::argv::split(command) else { return false };
        if !strictly && self.may_mean(&words) {
            return true;
        }
        let enough = if self.any_rest { words.len() >= self.words.len() } else { words.len() == self.words.len() };
        let (Some((name, globs)), Some((program, words))) = (self.words.split_first(), words.split_first()) else {
            return enough;
        };
        // A bare name means the program of that name in the folders where names are looked up.
        let bare = |glob: &Glob| !glob.as_str().contains('/') && !glob.is_any();
        let named = model::argv::name_in_path(program).is_some_and(|last| bare(name) && fits(name, last, strictly));
        enough
            && (named || fits(name, program, strictly))
            && globs.iter().zip(words).all(|(glob, word)| fits(glob, word, strictly))
    }

    /// Whether the command is, or may be, the one that is named, in other words: the program by a path of its own, and options, with a value or
    /// without, where the pattern has none (`/usr/bin/kubectl -n dev delete pods` for `kubectl delete *`).
    fn may_mean(&self, words: &[String]) -> bool {
        let (Some((name, globs)), Some((program, words))) = (self.words.split_first(), words.split_first()) else {
            return false;
        };
        if !fits(name, program, false) && !program.rsplit('/').next().is_some_and(|last| fits(name, last, false)) {
            return false;
        }
        // Which words may come next, once those before them are accounted for.
        let mut next = vec![false; words.len() + 1];
        next.first_mut().into_iter().for_each(|first| *first = true);
        let skip_options = |next: &mut Vec<bool>| {
            for (at, word) in words.iter().enumerate() {
                if next.get(at) == Some(&true) && word.starts_with('-') {
                    next.iter_mut().skip(at + 1).take(2).for_each(|after| *after = true);
                }
            }
        };
        for glob in globs {
            skip_options(&mut next);
            let here = |(at, word): (usize, &String)| next.get(at) == Some(&true) && fits(glob, word, false);
            let matched: Vec<bool> = words.iter().enumerate().map(here).collect();
            next = std::iter::once(false).chain(matched).collect();
        }
        if self.any_rest {
            return next.contains(&true);
        }
        next.last() == Some(&true)
    }

    fn includes(&self, other: &Self) -> bool {
        let len = self.words.len();
        let rest = if self.any_rest { other.words.len() >= len } else { other.words.len() == len && !other.any_rest };
        rest && self.words.iter().zip(&other.words).all(|(one, other)| one.covers(other))
    }
}

fn fits(glob: &Glob, word: &str, strictly: bool) -> bool {
    if !glob.matches(word) {
        return false;
    }
    let partly = glob.shape != Shape::Exact && !glob.is_any();
    let escapes = word.split('/').any(|part| part == "..");
    let option = word.starts_with('-') && glob.as_str().starts_with('*');
    !(strictly && partly && (escapes || option))
}

impl std::fmt::Display for ObjectPattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(kind) = self.kind {
            write!(f, "{}:", kind.as_str())?;
        }
        f.write_str(self.glob.as_str())
    }
}

/// The longest pattern; names of real objects are far shorter.
const MAX_PATTERN_BYTES: usize = 1024;

/// What holds for every pattern, whatever it names.
pub(crate) fn check_pattern(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("an empty name matches nothing: remove it, or write `*` for all".to_owned());
    }
    if text.len() > MAX_PATTERN_BYTES {
        return Err(format!("longer than {MAX_PATTERN_BYTES} bytes: shorten it with `*`"));
    }
    if text.trim() != text || text.chars().any(char::is_control) {
        return Err("blanks around a name, or control characters in it, match nothing: remove them".to_owned());
    }
    Ok(())
}

/// At most two letters off: a slip of the finger, not another word.
fn close_to(word: &str, known: &str) -> bool {
    if word.len() < 4 || word.len().abs_diff(known.len()) > 2 || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return false;
    }
    let word = word.to_ascii_lowercase();
    let known: Vec<u8> = known.bytes().collect();
    let mut row: Vec<usize> = (0..=known.len()).collect();
    for (line, letter) in word.bytes().enumerate() {
        let mut next = vec![line + 1];
        for (at, other) in known.iter().enumerate() {
            let above = row.get(at + 1).map_or(usize::MAX, |cost| cost + 1);
            let left = next.last().map_or(usize::MAX, |cost| cost + 1);
            let diagonal = row.get(at).map_or(usize::MAX, |cost| cost + usize::from(*other != letter));
            next.push(above.min(left).min(diagonal));
        }
        row = next;
    }
    row.last().is_some_and(|cost| *cost <= 2)
}

/// Whether a mask means a column of this name.
#[must_use]
pub fn covers(mask: &MaskRule, column: &ColumnRef) -> bool {
    mask.columns.iter().any(|pattern| column_matches(pattern, &column.relation, &column.column))
}

/// Whether every column that one pattern of a mask means is meant by the other, too. May say no where it is yes.
pub(crate) fn columns_include(wide: &str, narrow: &str) -> bool {
    glob(wide.as_bytes(), narrow.as_bytes())
}

/// Whether a column of a relation is meant by a mask's pattern: `schema.table.column` with `*` for any run of
/// characters, so `*.ssn` is the `ssn` of any relation.
///
/// `relation` is `schema.name`, `column` the column as stored. What is not known counts as meant whenever it may be:
/// the column `*` (all of them) is meant if the pattern can mean any column of the relation, and a relation that could
/// not be resolved (`?.name`) may be any relation.
#[must_use]
pub fn column_matches(pattern: &str, relation: &str, column: &str) -> bool {
    let unresolved = relation.starts_with('?');
    match (unresolved, column) {
        (true, "*") => true,
        // Read from the end: some relation must fit in front of `.column`.
        (true, column) => begins(pattern.bytes().rev(), column.bytes().rev().chain([b'.'])),
        (false, "*") => begins(pattern.bytes(), relation.bytes().chain([b'.'])),
        (false, column) => {
            let name = || relation.bytes().chain([b'.']).chain(column.bytes());
            if !agrees(pattern.bytes(), name()) || !agrees(pattern.bytes().rev(), name().rev()) {
                return false;
            }
            !pattern.contains('*') || glob(pattern.as_bytes(), &name().collect::<Vec<u8>>())
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn slow(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), None) => slow(rest, name),
            (Some((b'*', rest)), Some((_, tail))) => slow(rest, name) || slow(pattern, tail),
            (Some((want, rest)), Some((byte, tail))) => want == byte && slow(rest, tail),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    #[test]
    fn stars_stand_for_any_run() {
        for (pattern, name, expected) in [
            ("*", "", true),
            ("public.*", "public.orders", true),
            ("public.*", "public", false),
            ("public.*", "Public.orders", false),
            ("*.orders", "a.b.orders", true),
            ("p*c.*s", "public.orders", true),
            ("p*c.*s", "public.order", false),
            ("**a", "ba", true),
            ("orders", "orders", true),
            ("orders", "order", false),
        ] {
            assert_eq!(Glob::new(pattern).matches(name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn objects_by_kind_and_name() {
        let parse = |text: &str| ObjectPattern::parse(text).unwrap();
        let table = Object::relation("public", "orders");
        let function = Object::new(ObjectKind::Function, "public.f");
        let lost = Object::new(ObjectKind::Relation, "?.orders");
        assert!(parse("public.*").covers(&table));
        assert!(parse("public.*").covers(&function));
        assert!(!parse("function:public.*").covers(&table));
        assert!(parse("function:*").covers(&function));
        assert!(parse("*").covers(&lost));
        for narrow in ["?.orders", "?.*", "relation:*", "*.orders", "*orders"] {
            assert!(!parse(narrow).covers(&lost), "{narrow}");
        }
        assert!(parse("s3:GetObject arn:*").covers(&Object::new(ObjectKind::Other, "s3:GetObject arn:x")));
        assert!(ObjectPattern::parse("fucntion:public.*").unwrap_err().contains("did you mean `function:public.*`"));
        assert!(ObjectPattern::parse("function:").is_err());
        assert!(ObjectPattern::parse("").is_err());
        assert!(ObjectPattern::parse(" public.x").is_err());
    }

    #[test]
    fn a_denial_means_a_command_in_other_words_too() {
        let command = |text: &str| Object::new(ObjectKind::Command, text);
        for (pattern, text, denied) in [
            ("curl *", "/usr/bin/curl https://x", true),
            ("curl *", "./curl", true),
            ("curl *", "/opt/curl.d/other x", false),
            ("kubectl delete *", "kubectl -n dev delete pods x", true),
            ("kubectl delete *", "/usr/local/bin/kubectl --namespace=dev delete pods", true),
            ("kubectl delete *", "kubectl -A --now delete", true),
            ("kubectl delete *", "kubectl get pods delete", false),
            ("kubectl delete *", "kubectl -n dev get delete", false),
            ("git push", "git push", true),
            ("git push", "git push -f", false),
            ("git push", "git --no-pager push", true),
            ("git push", "git push origin main", false),
            ("rm -rf *", "rm -rf /srv", true),
            ("rm -rf *", "rm -f -r /srv", false),
            ("systemctl * nginx", "systemctl --no-block restart nginx", true),
            ("*", "anything at all", true),
        ] {
            let pattern = ObjectPattern::command(pattern).unwrap();
            assert_eq!(pattern.may_mean(&command(text)), denied, "{pattern} {text}");
        }
        // What is allowed is allowed in these words.
        for (pattern, text, allowed) in [
            ("curl *", "/usr/bin/curl x", true),
            ("cu* x", "/bin/curl x", true),
            ("curl *", "/opt/bin/curl x", false),
            ("curl *", "/bin/../tmp/curl x", false),
            ("/usr/bin/curl *", "curl x", false),
            ("kubectl get *", "kubectl -n dev get pods", false),
            ("ls", "/bin/ls", true),
            ("ls", "/bin/ls x", false),
            ("*", "/bin/ls x", true),
        ] {
            assert_eq!(ObjectPattern::command(pattern).unwrap().covers(&command(text)), allowed, "{pattern} {text}");
        }
    }

    #[test]
    fn columns() {
        for (pattern, relation, column, expected) in [
            ("public.customers.email", "public.customers", "email", true),
            ("public.customers.email", "public.customers", "Email", false),
            ("public.customers.email", "public.orders", "email", false),
            ("*.ssn", "hr.people", "ssn", true),
            ("*.ssn", "hr.people", "my_ssn", false),
            ("*ssn", "hr.people", "my_ssn", true),
            ("hr.*.name*", "hr.people", "name_first", true),
            ("hr.*", "hr.people", "x", true),
            // All columns of a relation: meant as soon as one can be.
            ("public.customers.email", "public.customers", "*", true),
            ("*.ssn", "anything.at_all", "*", true),
            ("public.customers.email", "public.orders", "*", false),
            ("public.customers", "public.customers", "*", false),
            // Any relation: only the column can be compared.
            ("public.customers.email", "?.customers", "email", true),
            ("public.customers.email", "?.customers", "phone", false),
            ("public.*", "?.customers", "phone", true),
            ("public.customers.email", "?.customers", "*", true),
        ] {
            assert_eq!(column_matches(pattern, relation, column), expected, "{pattern} {relation} {column}");
        }
    }

    proptest! {
        #[test]
        fn globs_agree_with_the_definition(pattern in "[ab*]{0,8}", name in "[ab]{0,10}") {
            prop_assert_eq!(Glob::new(&pattern).matches(&name), slow(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn columns_agree_with_the_definition(pattern in "[ab.*]{0,7}", relation in "[ab]{1,3}\\.[ab]{1,2}", column in "[ab]{1,3}") {
            let name = format!("{relation}.{column}");
            prop_assert_eq!(column_matches(&pattern, &relation, &column), slow(pattern.as_bytes(), name.as_bytes()));
        }

        #[test]
        fn what_begins_a_name_can_be_continued(pattern in "[ab*]{0,5}", text in "[ab]{0,4}") {
            // No more characters than the pattern has are ever needed behind the text.
            let longer = (1..=5_u32).flat_map(|len| (0..2_u32.pow(len)).map(move |bits| (len, bits)));
            let can = longer.into_iter().any(|(len, bits)| {
                let rest = (0..len).map(|at| if bits >> at & 1 == 0 { b'a' } else { b'b' });
                slow(pattern.as_bytes(), &text.bytes().chain(rest).collect::<Vec<u8>>())
            });
            prop_assert_eq!(begins(pattern.bytes(), text.bytes()), can);
        }

        #[test]
        fn covering_is_sound(wide in "[ab*]{0,6}", narrow in "[ab*]{0,6}", name in "[ab]{0,8}") {
            let (wide, narrow) = (Glob::new(&wide), Glob::new(&narrow));
            if wide.covers(&narrow) && narrow.matches(&name) {
                prop_assert!(wide.matches(&name));
            }
        }

        #[test]
        fn unknown_columns_and_relations_only_widen(pattern in "[ab.*]{1,8}", relation in "[ab]{1,3}\\.[ab]{1,3}", column in "[ab]{1,3}") {
            if column_matches(&pattern, &relation, &column) {
                prop_assert!(column_matches(&pattern, &relation, "*"));
                prop_assert!(column_matches(&pattern, "?.x", &column));
            }
        }
    }
}
