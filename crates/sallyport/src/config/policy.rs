//! The policy files: found, read, parsed and checked together.

use std::path::{Path, PathBuf};

use model::Target;
use policy::{Finding, Policy, PolicyError, Source};
use shell::Tools;

use super::load::{read_text, yaml_files};
use super::problem::{Problem, Problems};

/// Reads and parses the policy.
///
/// # Errors
/// Every problem that was found, with its place.
pub(crate) fn load(paths: &[PathBuf]) -> Result<Policy, Problems> {
    let texts = texts(paths)?;
    let sources: Vec<Source<'_>> = texts.iter().map(|(name, text)| Source { name, text }).collect();
    let policy = Policy::parse(&sources).map_err(problems)?;
    // What a policy says of programs is checked by what reads command lines: a policy that it cannot use does not come into force.
    Tools::new(policy.tools())
        .map_err(|faults| problems(faults.iter().map(|fault| policy.tool_error(fault)).collect()))?;
    Ok(policy)
}

fn problems(errors: Vec<PolicyError>) -> Problems {
    let problem = |error: PolicyError| Problem {
        file: PathBuf::from(error.file),
        at: (error.line > 0).then_some((u64::from(error.line), u64::from(error.column))),
        message: error.message,
    };
    Problems(errors.into_iter().map(problem).collect())
}

/// What is allowed in a policy but hardly meant, its tools included.
pub(crate) fn lint(policy: &Policy, targets: &[Target]) -> Vec<Finding> {
    let mut findings = policy.lint(targets);
    if let Ok(tools) = Tools::new(policy.tools()) {
        findings.extend(tools.remarks().iter().map(|remark| policy.tool_finding(remark)));
    }
    findings
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
