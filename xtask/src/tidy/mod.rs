//! `cargo xtask tidy`: what a compiler does not check. Rules are few and every one is checked by machine.
//!
//! - [`rust`]: one Rust file: module docs, sizes of the file and of its functions.
//! - [`text`]: any text file: leftovers, paths of a machine.

mod rust;
mod text;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::run::root;

const HELP: &str = "\
cargo xtask tidy

  - every Rust file starts with a `//!` line
  - files: at most 800 lines without tests (a note from 500); functions: at most 100 lines
  - modules are folders with a mod.rs, not `foo.rs` beside `foo/`
  - no leftovers (to-do macros, fix-me marks, ignored tests)
  - no path of a particular machine";

/// What is looked at; build results and other people's code are not in it.
const PLACES: [&str; 8] = ["crates", "tests", "bench", "xtask", "fuzz", "docs", "deploy", ".ci"];
/// Folders that hold build results, or text that is data (attacks name paths on purpose).
const SKIP: [&str; 6] = ["target", "node_modules", "__pycache__", "corpus", "artifacts", ".git"];

/// One fault or note.
pub(crate) struct Fault {
    /// Where: `path:line`.
    place: String,
    /// What is wrong, and what to do.
    what: String,
    /// Whether it fails the check.
    hard: bool,
}

pub(crate) fn main(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    let mut files = Vec::new();
    for place in PLACES {
        walk(&root().join(place), &mut files)?;
    }
    files.extend(fs::read_dir(root())?.flatten().map(|entry| entry.path()).filter(|path| path.is_file()));
    let mut faults = Vec::new();
    for file in &files {
        let Ok(content) = fs::read_to_string(file) else {
            continue; // not text
        };
        let name = file.strip_prefix(root()).unwrap_or(file);
        text::check(name, &content, &mut faults);
        if name.extension().is_some_and(|extension| extension == "rs") {
            rust::check(name, &content, &mut faults);
            beside(file, name, &mut faults);
        }
    }
    report(&faults, files.len())
}

fn report(faults: &[Fault], files: usize) -> Result<()> {
    for fault in faults {
        println!("{}{}: {}", if fault.hard { "" } else { "note: " }, fault.place, fault.what);
    }
    let hard = faults.iter().filter(|fault| fault.hard).count();
    if hard > 0 {
        bail!("{hard} fault(s) in {files} files");
    }
    println!("tidy: {files} files, {} note(s)", faults.len());
    Ok(())
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry.with_context(|| format!("read {}", dir.display()))?.path();
        let skipped = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| SKIP.contains(&name));
        if path.is_dir() && !skipped {
            walk(&path, files)?;
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// `foo.rs` beside `foo/` splits a module over two places.
fn beside(file: &Path, name: &Path, faults: &mut Vec<Fault>) {
    let has_modules = |folder: &Path| {
        fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .any(|entry| entry.path().extension().is_some_and(|end| end == "rs"))
    };
    let folder = file.with_extension("");
    if folder.is_dir() && has_modules(&folder) {
        let what = format!("move it to {}/mod.rs", name.with_extension("").display());
        faults.push(Fault { place: name.display().to_string(), what, hard: true });
    }
}
