//! That the tables are well written.

use std::collections::HashSet;

use super::*;

#[test]
fn every_row_is_understood() {
    for (path, row) in TABLE.iter() {
        assert!(row.spec.faults.is_empty(), "{path}: {:?}", row.spec.faults);
        if let What::Effects(effects) = row.what {
            assert!(!effects.is_empty(), "{path}");
        }
    }
}

#[test]
fn effects_are_words_and_rows_have_at_most_four_cells() {
    for line in FILES.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let cells: Vec<&str> = line.split('\t').collect();
        assert!((2..=4).contains(&cells.len()), "{line}");
        if !line.starts_with('=') && !cells[1].starts_with('@') {
            assert!(cells[1].split(',').all(|word| Effect::parse(word).is_some()), "{line}");
        }
    }
}

#[test]
fn no_row_is_written_twice_by_mistake() {
    // A later row for one name of an earlier list is meant; within one file the second of two equal first cells is not.
    let mut seen = HashSet::new();
    for line in FILES.iter().flat_map(|file| file.lines()).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let first = line.split('\t').next().unwrap_or_default();
        assert!(seen.insert(first), "{first}");
    }
}

#[test]
fn no_row_says_two_things_of_one_option() {
    for (path, row) in TABLE.iter() {
        let mut seen = HashSet::new();
        for (name, _) in row.spec.options() {
            assert!(seen.insert(name.clone()), "{path}: {name}");
        }
    }
}

#[test]
fn a_tool_that_no_option_makes_harmful_only_reads() {
    let odd = ["kill", "killall", "pkill", "skill", "snice", "renice", "logger", "wall", "write", "mesg", "zip"];
    for (path, row) in TABLE.iter().filter(|(path, row)| row.spec.any && !odd.contains(&path.as_str())) {
        assert_eq!(row.what, What::Effects(std::iter::once(Effect::Read).collect()), "{path}");
    }
}

#[test]
fn the_table_is_wide() {
    assert!(TABLE.len() > 900, "{}", TABLE.len());
}

#[test]
fn what_has_a_rule_of_its_own_has_no_subcommands() {
    for (path, row) in TABLE.iter().filter(|(_, row)| row.parent) {
        assert!(matches!(row.what, What::Effects(_)), "{path}");
    }
}
