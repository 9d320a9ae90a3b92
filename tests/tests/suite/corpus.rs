//! The bypass corpus: nothing is let through, nothing benign is blocked.

use sallyport_tests::corpus;

use crate::passes;

/// Without a gateway every attack works: else its case would prove nothing.
#[test]
fn every_oracle_fires_without_a_gateway() {
    passes(corpus::main, &["--protocol", "postgres", "--direct"]);
}

#[test]
fn read_only() {
    passes(corpus::main, &["--key", "ro"]);
}

#[test]
fn bounded_writes() {
    passes(corpus::main, &["--key", "rw"]);
}

#[test]
fn session_identity() {
    passes(corpus::main, &["--key", "id"]);
}

#[test]
fn some_tables() {
    passes(corpus::main, &["--key", "tables"]);
}

#[test]
fn masks() {
    passes(corpus::main, &["--key", "mask"]);
}

#[test]
fn masks_with_predicates() {
    passes(corpus::main, &["--key", "mask-strict"]);
}

#[test]
fn budgets() {
    passes(corpus::main, &["--key", "budget"]);
}

#[test]
fn open_reads() {
    passes(corpus::main, &["--key", "open"]);
}

#[test]
fn every_attack_works_on_a_host_without_a_gateway() {
    passes(corpus::main, &["--protocol", "ssh", "--direct"]);
}

/// A path of a credential that stands in the words of a program that may look is a read like any other so far.
#[test]
fn programs_by_their_words() {
    passes(corpus::main, &["--key", "ssh"]);
}

/// Variations on the cases of SSH.
#[test]
fn more_of_the_same_families() {
    more(&["ssh"]);
}

#[test]
fn more_about_files_masks_and_humans() {
    more(&["sftp", "ssh-mask", "ssh-appr"]);
}

fn more(keys: &[&str]) {
    let mut args = vec!["--file", concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/more-ssh.jsonl")];
    args.extend(keys.iter().flat_map(|key| ["--key", key]));
    args.extend(KNOWN.iter().flat_map(|id| ["--known", id]));
    passes(corpus::main, &args);
}

/// What a text cannot tell: whether there is a credential below a folder, or at the end of a link. And a file that is opened, as it may be, before the
/// change of it is refused.
const KNOWN: [&str; 3] = ["more-cred-grep-r-home", "more-cred-cat-link", "more-sftp-fsetstat"];

#[test]
fn programs_that_need_a_human() {
    passes(corpus::main, &["--key", "ssh-appr"]);
}

#[test]
fn masks_of_what_programs_print() {
    passes(corpus::main, &["--key", "ssh-mask"]);
}

#[test]
fn files_below_one_directory() {
    passes(corpus::main, &["--key", "sftp"]);
}
