//! Rules for one Rust file. It relies on rustfmt's layout: a function ends at a brace of its own indentation.

use std::path::Path;

use super::Fault;

const FILE_SOFT: usize = 500;
const FILE_HARD: usize = 800;
const FUNCTION_HARD: usize = 100;

pub(crate) fn check(name: &Path, content: &str, faults: &mut Vec<Fault>) {
    let fault = |line: usize, what: String, hard| Fault { place: format!("{}:{line}", name.display()), what, hard };
    if !content.starts_with("//!") {
        faults.push(fault(1, "starts without a `//!` line that says what the file is for".to_owned(), true));
    }
    let is_tests = name
        .components()
        .any(|part| ["tests", "tests.rs", "benches", "examples"].iter().any(|t| part.as_os_str() == *t));
    if is_tests && !name.starts_with("tests/src") {
        return;
    }
    let lines: Vec<&str> = content.lines().collect();
    let code = lines.iter().position(|line| line.starts_with("mod tests {")).unwrap_or(lines.len());
    if code > FILE_SOFT {
        let what =
            format!("{code} lines without tests (at most {FILE_HARD}, better {FILE_SOFT}): does it do one thing?");
        faults.push(fault(1, what, code > FILE_HARD));
    }
    for (start, length) in functions(lines.get(..code).unwrap_or_default()) {
        if length > FUNCTION_HARD {
            faults.push(fault(start + 1, format!("a function of {length} lines (at most {FUNCTION_HARD})"), true));
        }
    }
}

/// Start and length of every function, except those that expect `too_many_lines` and say why.
fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for (start, line) in lines.iter().enumerate() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if !is_function(code) || excused(lines.get(..start).unwrap_or_default()) {
            continue;
        }
        let closing = format!("{}}}", " ".repeat(indent));
        let rest = lines.get(start..).unwrap_or_default();
        let one_line = code.ends_with('}') || code.ends_with(';');
        let end = rest.iter().position(|line| {
            *line == closing || (line.trim_end().ends_with(';') && line.len() - line.trim_start().len() == indent)
        });
        if let Some(length) = end.filter(|_| !one_line) {
            found.push((start, length + 1));
        }
    }
    found
}

fn is_function(code: &str) -> bool {
    let mut words = code.split_whitespace().skip_while(|word| {
        ["pub", "async", "const", "unsafe", "extern", "\"C\""].contains(word)
            || word.starts_with("pub(")
            || *word == "super)"
    });
    words.next() == Some("fn")
}

fn excused(before: &[&str]) -> bool {
    let attributes = before.iter().rev().take_while(|line| {
        let line = line.trim_start();
        line.starts_with('#') || line.starts_with("///")
    });
    attributes.into_iter().any(|line| line.contains("too_many_lines"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_are_measured_from_head_to_closing_brace() {
        let text =
            "impl X {\n    pub(crate) async fn a(\n        x: u8,\n    ) {\n        b();\n    }\n    fn c() {}\n}";
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(functions(&lines), [(1, 5)]);
    }

    #[test]
    fn long_functions_and_files_without_docs_are_faults() {
        let body = "    x();\n".repeat(120);
        let mut faults = Vec::new();
        check(Path::new("a.rs"), &format!("fn long() {{\n{body}}}\n"), &mut faults);
        assert_eq!(faults.len(), 2);
        let mut faults = Vec::new();
        let excuse = "#[expect(clippy::too_many_lines, reason = \"a table\")]";
        check(Path::new("a.rs"), &format!("//! x\n{excuse}\nfn long() {{\n{body}}}\n"), &mut faults);
        assert!(faults.is_empty());
    }

    #[test]
    fn tests_do_not_count() {
        let body = "    x();\n".repeat(900);
        let mut faults = Vec::new();
        check(Path::new("a.rs"), &format!("//! x\nmod tests {{\n{body}}}\n"), &mut faults);
        assert!(faults.is_empty());
    }
}
