//! Whether one rule means everything that another does. May say no where it is yes, never the reverse.

use crate::pattern::Glob;
use crate::rule::{Chain, On, Rule, Scope, Who};

/// Whether `wide` means all subjects, targets and objects of `narrow`.
pub(super) fn scope_includes(wide: &Rule, narrow: &Rule) -> bool {
    sessions_include(&wide.scope, &narrow.scope) && objects_include(wide, narrow)
}

/// Whether `wide` means all subjects and targets of `narrow`.
pub(super) fn sessions_include(wide: &Scope, narrow: &Scope) -> bool {
    who_includes(&wide.who, &narrow.who) && on_includes(&wide.on, &narrow.on)
}

/// Whether `wide` means all effects of `narrow`.
pub(super) fn effects_include(wide: &Rule, narrow: &Rule) -> bool {
    narrow.effects.iter().all(|effect| wide.effects.contains(effect))
}

fn objects_include(wide: &Rule, narrow: &Rule) -> bool {
    match (&wide.objects, &narrow.objects) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|pattern| wide.iter().any(|other| other.includes(pattern))),
    }
}

fn who_includes(wide: &Who, narrow: &Who) -> bool {
    globs(wide.users.as_deref(), narrow.users.as_deref())
        && names(wide.groups.as_deref(), narrow.groups.as_deref())
        && names(wide.kinds.as_deref(), narrow.kinds.as_deref())
        && globs(wide.issuers.as_deref(), narrow.issuers.as_deref())
        && pairs(&wide.claims, &narrow.claims)
        && match (&wide.on_behalf_of, &narrow.on_behalf_of) {
            (None, _)
            | (Some(Chain::Any), Some(Chain::Any | Chain::Of(_)))
            | (Some(Chain::None), Some(Chain::None)) => true,
            (Some(Chain::Of(wide)), Some(Chain::Of(narrow))) => globs(Some(wide), Some(narrow)),
            (Some(Chain::Any), Some(Chain::None) | None)
            | (Some(Chain::None), Some(Chain::Any | Chain::Of(_)) | None)
            | (Some(Chain::Of(_)), Some(Chain::Any | Chain::None) | None) => false,
        }
}

fn on_includes(wide: &On, narrow: &On) -> bool {
    globs(wide.targets.as_deref(), narrow.targets.as_deref())
        && pairs(&wide.labels, &narrow.labels)
        && globs(wide.roles.as_deref(), narrow.roles.as_deref())
        && names(wide.kinds.as_deref(), narrow.kinds.as_deref())
}

fn globs(wide: Option<&[Glob]>, narrow: Option<&[Glob]>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|glob| wide.iter().any(|other| other.covers(glob))),
    }
}

fn names<T: PartialEq>(wide: Option<&[T]>, narrow: Option<&[T]>) -> bool {
    match (wide, narrow) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(wide), Some(narrow)) => narrow.iter().all(|name| wide.contains(name)),
    }
}

/// Keys that must all fit: each of `wide` is asked by `narrow` too, for no other values.
fn pairs<T: PartialEq>(wide: &[(String, Vec<T>)], narrow: &[(String, Vec<T>)]) -> bool {
    wide.iter().all(|(key, values)| {
        let mut same = narrow.iter().filter(|(other, _)| other == key);
        same.any(|(_, others)| others.iter().all(|value| values.contains(value)))
    })
}
