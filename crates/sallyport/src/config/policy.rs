//! The policy files: found, read and parsed together.

use std::path::{Path, PathBuf};

use policy::{Policy, Source};

use super::load::{read_text, yaml_files};
use super::problem::{Problem, Problems};

/// Reads and parses the policy.
///
/// # Errors
/// Every problem that was found, with its place.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Policy, Problems> {
    let texts = texts(paths)?;
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    Policy::parse(&sources).map_err(|errors| {
        Problems(
            errors
                .into_iter()
                .map(|error| Problem {
                    file: PathBuf::from(error.file),
                    at: (error.line > 0).then_some((u64::from(error.line), u64::from(error.column))),
                    message: error.message,
                })
                .collect(),
        )
    })
}

/// The files that the paths mean, directories opened.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            let found = yaml_files(path)?;
            if found.is_empty() {
                return Err(Problem::of(path, "no .yaml file is in this policy directory"));
            }
            files.extend(found);
        } else {
            files.push(path.clone());
        }
    }
    Ok(files)
}

fn texts(paths: &[PathBuf]) -> Result<Vec<(String, String)>, Problem> {
    files(paths)?.into_iter().map(|path| Ok((name(&path), read_text(&path)?))).collect()
}

fn name(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
