//! Every command explains itself with an example; a wrong command line ends with 2.

use crate::world::World;

/// All commands, from the help itself.
fn commands(world: &World, path: &[&str]) -> Vec<String> {
    let mut args = path.to_vec();
    args.push("--help");
    let help = world.good(&args);
    let Some((_, rest)) = help.split_once("Commands:\n") else { return Vec::new() };
    rest.lines()
        .take_while(|line| line.starts_with("  "))
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next().map(str::to_owned))
        .collect()
}

#[test]
fn every_command_has_help_with_an_example() {
    let world = World::new();
    let mut seen = 0;
    for first in commands(&world, &[]) {
        let below = commands(&world, &[&first]);
        let leaves = if below.is_empty() {
            vec![vec![first.clone()]]
        } else {
            below.into_iter().map(|second| vec![first.clone(), second]).collect()
        };
        for leaf in leaves {
            let mut args: Vec<&str> = leaf.iter().map(String::as_str).collect();
            args.push("--help");
            let help = world.good(&args);
            assert!(help.contains("Example"), "{leaf:?} has no example:\n{help}");
            assert!(help.contains("--data-dir"), "{leaf:?} does not take the global options");
            seen += 1;
        }
    }
    assert!(seen >= 30, "only {seen} commands were found");
}

#[test]
fn a_wrong_command_line_ends_with_two() {
    let world = World::new();
    for args in [
        &["frobnicate"][..],
        &["token"],
        &["token", "--as", "a"],
        &["approvals", "approve"],
        &["secrets", "set", "a", "value-in-argv"],
    ] {
        assert_eq!(world.run(args).code, Some(2), "{args:?}");
    }
}

#[test]
fn the_version_is_told_for_people_and_programs() {
    let world = World::new();
    assert!(world.good(&["version"]).starts_with("sallyport "));
    let json: serde_json::Value = serde_json::from_str(&world.good(&["version", "--json"])).unwrap();
    assert_eq!(json["protocols"][0], "postgres");
}

#[test]
fn tokens_in_the_environment_are_not_shown_by_help() {
    let world = World::new();
    let output = world.command(&["token", "--help"]).env("SALLYPORT_TOKEN", "sp_verysecret").output().unwrap();
    assert!(!String::from_utf8(output.stdout).unwrap().contains("verysecret"));
}
