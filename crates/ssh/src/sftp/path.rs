//! Paths as the target sees them.

use std::borrow::Cow;

/// Whether a path says all of where it is.
pub(crate) fn is_absolute(path: &str) -> bool {
    path.starts_with('/')
}

/// A path in the directory `directory`, which the target has resolved: the last name of `path` is not followed if it is a link.
pub(crate) fn beside(directory: &str, path: &str) -> Option<String> {
    let name = last(path)?;
    Some(format!("{}/{name}", directory.trim_end_matches('/')))
}

/// The last name of a path; `None` when it is none that a directory could hold.
fn last(path: &str) -> Option<&str> {
    let name = path.trim_end_matches('/').rsplit('/').next()?;
    if name.is_empty() || name == "." || name == ".." { None } else { Some(name) }
}

/// The directory that a path names something in.
pub(crate) fn parent(path: &str) -> &str {
    let trimmed = path.trim_end_matches('/');
    match trimmed.rfind('/') {
        Some(0) => "/",
        Some(at) => trimmed.get(..at).unwrap_or("/"),
        None if trimmed.is_empty() && path.starts_with('/') => "/",
        None => ".",
    }
}

/// What a link says, as seen from the directory that it is in.
pub(crate) fn led<'p>(directory: &str, says: &'p str) -> Cow<'p, str> {
    if is_absolute(says) { says.into() } else { format!("{}/{says}", directory.trim_end_matches('/')).into() }
}

/// Whether a path goes up again after a name. Where that ends changes with what the name stands for.
pub(crate) fn leads_back(path: &str) -> bool {
    let mut down = false;
    path.split('/').any(|part| {
        down |= !matches!(part, "" | "." | "..");
        down && part == ".."
    })
}

/// Whether a path names something in a directory, rather than `/`, `.` or what is above.
pub(super) fn has_name(path: &str) -> bool {
    last(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_their_directories() {
        for (path, directory, named) in [
            ("/a/b", "/a", true),
            ("b", ".", true),
            ("/b/", "/", true),
            ("/", "/", false),
            ("a/..", "a", false),
            (".", ".", false),
        ] {
            assert_eq!((parent(path), has_name(path)), (directory, named), "{path}");
        }
        assert_eq!(beside("/srv/data/", "x/link"), Some("/srv/data/link".to_owned()));
        assert_eq!(beside("/", "link"), Some("/link".to_owned()));
        assert_eq!(beside("/", ".."), None);
        assert_eq!(
            (led("/srv/a", "b"), led("/", "b"), led("/srv", "/etc")),
            ("/srv/a/b".into(), "/b".into(), "/etc".into())
        );
        assert!(leads_back("a/../b") && leads_back("/a/..") && leads_back("../a/../../b"));
        assert!(!leads_back("../../a") && !leads_back("./a..b") && !leads_back("/.."));
    }
}
