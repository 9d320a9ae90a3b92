//! From files to a checked `Config`: one file, or a directory whose files are merged by top-level key.

use std::path::{Path, PathBuf};

use serde::de::IgnoredAny;

use super::document::Document;
use super::problem::{Problem, Problems};

/// Largest configuration or policy file.
const MAX_FILE: u64 = 4 << 20;

/// A document with the file that each key came from.
pub(crate) struct Loaded {
    /// All keys.
    pub(crate) document: Document,
    /// The directory that relative paths start from.
    pub(crate) base: PathBuf,
    /// The file to name for a problem that has no better place.
    pub(crate) main: PathBuf,
    /// The file that holds the targets.
    pub(crate) targets_file: PathBuf,
    /// The file that names the policy.
    pub(crate) policy_file: PathBuf,
    /// Policy files found in a configuration directory, when no `policy:` names any.
    pub(crate) policy_found: Vec<PathBuf>,
}

/// Reads a configuration file or directory.
pub(crate) fn load(path: &Path) -> Result<Loaded, Problems> {
    let kind = std::fs::metadata(path).map_err(|error| Problem::of(path, unreadable(&error)))?;
    if kind.is_dir() { load_directory(path) } else { load_file(path) }
}

/// Reads a text file of bounded size.
pub(crate) fn read_text(path: &Path) -> Result<String, Problem> {
    let size = std::fs::metadata(path).map_err(|error| Problem::of(path, unreadable(&error)))?.len();
    if size > MAX_FILE {
        return Err(Problem::of(path, "the file is larger than 4 MiB; split it"));
    }
    std::fs::read_to_string(path).map_err(|error| Problem::of(path, unreadable(&error)))
}

/// The YAML files of a directory, by name.
pub(crate) fn yaml_files(directory: &Path) -> Result<Vec<PathBuf>, Problem> {
    let entries = std::fs::read_dir(directory).map_err(|error| Problem::of(directory, unreadable(&error)))?;
    let mut files: Vec<PathBuf> = entries
        .filter_map(Result::ok)
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml"))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(|name| !name.starts_with('.')))
        .collect();
    files.sort();
    Ok(files)
}

/// What to do about a file that cannot be read.
pub(crate) fn unreadable(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".to_owned(),
        std::io::ErrorKind::PermissionDenied => "it may not be read by this user; change its owner or mode".to_owned(),
        std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_owned(),
        _ => format!("it cannot be read: {error}"),
    }
}

fn load_file(path: &Path) -> Result<Loaded, Problems> {
    let document = parse(path, &read_text(path)?)?;
    Ok(Loaded {
        document,
        base: parent(path),
        main: path.to_owned(),
        targets_file: path.to_owned(),
        policy_file: path.to_owned(),
        policy_found: Vec::new(),
    })
}

fn load_directory(directory: &Path) -> Result<Loaded, Problems> {
    let files = yaml_files(directory)?;
    if files.is_empty() {
        return Err(Problem::of(directory, "no .yaml file is in this directory").into());
    }
    let mut texts = Vec::new();
    for file in files {
        let text = read_text(&file)?;
        let keys = top_level(&file, &text)?;
        texts.push((file, text, keys));
    }
    let mut loaded = Loaded {
        document: Document::default(),
        base: directory.to_owned(),
        main: directory.to_owned(),
        targets_file: directory.to_owned(),
        policy_file: directory.to_owned(),
        policy_found: Vec::new(),
    };
    let named = policy_named(directory, &texts)?;
    let mut problems = Vec::new();
    for (file, text, keys) in texts {
        let is_policy = named.contains(&file) || (named.is_empty() && is_policy(&keys));
        if is_policy {
            if named.is_empty() {
                loaded.policy_found.push(file);
            }
            continue;
        }
        match parse(&file, &text) {
            Ok(document) => merge(&mut loaded, &file, document, &mut problems),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(loaded) } else { Err(Problems(problems)) }
}

fn policy_named(directory: &Path, texts: &[(PathBuf, String, Vec<String>)]) -> Result<Vec<PathBuf>, Problems> {
    for (file, text, keys) in texts {
        if keys.iter().any(|key| key == "policy") {
            let document = parse(file, text)?;
            let paths = document.policy.map(|policy| policy.value.paths()).unwrap_or_default();
            return Ok(paths.iter().map(|path| directory.join(path)).collect());
        }
    }
    Ok(Vec::new())
}

/// Keys that only a policy has; `limits` is a word of both.
fn is_policy(keys: &[String]) -> bool {
    keys.iter().any(|key| matches!(key.as_str(), "rules" | "masks" | "records"))
}

fn top_level(file: &Path, text: &str) -> Result<Vec<String>, Problem> {
    let map: std::collections::BTreeMap<String, IgnoredAny> =
        serde_saphyr::from_str_with_options(text, options()).map_err(|error| Problem::of_yaml(file, &error))?;
    Ok(map.into_keys().collect())
}

fn parse(file: &Path, text: &str) -> Result<Document, Problem> {
    serde_saphyr::from_str_with_options(text, options()).map_err(|error| Problem::of_yaml(file, &error))
}

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! { with_snippet: false }
}

fn merge(into: &mut Loaded, file: &Path, from: Document, problems: &mut Vec<Problem>) {
    if from.targets.is_some() {
        into.targets_file = file.to_owned();
    }
    if from.policy.is_some() {
        into.policy_file = file.to_owned();
    }
    macro_rules! take {
        ($($field:ident),*) => {
            $(
                if let Some(value) = from.$field {
                    if into.document.$field.is_some() {
                        problems.push(Problem::of(file, concat!("`", stringify!($field), "` is in another file of this directory too; keep one")));
                    }
                    into.document.$field = Some(value);
                }
            )*
        };
    }
    take!(
        data_dir, listen, tls, auth, targets, issuers, ssh, policy, limits, log, otlp, approvals, recordings, tokens,
        metrics, drain
    );
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}
