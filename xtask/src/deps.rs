//! `cargo xtask deps`: the direction of dependencies, and crates that may never be in the gateway.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::run::{cargo, output};

const HELP: &str = "\
cargo xtask deps

Checks who may depend on whom (normal and build dependencies), that nothing depends on xtask, tests, bench or fuzz, and that
crates the project does without are not in the gateway's tree.";

/// What each crate may depend on. A crate that is not listed is an error, so that a new one is placed on purpose.
const MAY: [(&str, &[&str]); 20] = [
    ("sallyport-model", &[]),
    ("sallyport-policy", &["sallyport-model"]),
    ("sallyport-sql", &["sallyport-model"]),
    ("sallyport-shell", &["sallyport-model"]),
    ("sallyport-terminal", &[]),
    ("sallyport-mask", &["sallyport-model", "sallyport-terminal"]),
    ("sallyport-record", &["sallyport-model", "sallyport-terminal"]),
    ("sallyport-gate", &["sallyport-model", "sallyport-policy", "sallyport-mask", "sallyport-record"]),
    // Of tests and fuzzers.
    (
        "sallyport-doubles",
        &["sallyport-model", "sallyport-policy", "sallyport-mask", "sallyport-record", "sallyport-gate"],
    ),
    ("sallyport-net", &["sallyport-gate"]),
    ("sallyport-postgres", &["sallyport-model", "sallyport-gate", "sallyport-net", "sallyport-sql"]),
    ("sallyport-ssh", &["sallyport-model", "sallyport-gate", "sallyport-net", "sallyport-shell"]),
    // The secret of the gateway's own client at an identity provider is named as every other one is.
    ("sallyport-identity", &["sallyport-model", "sallyport-gate", "sallyport-secrets", "sallyport-store"]),
    ("sallyport-secrets", &["sallyport-model", "sallyport-gate"]),
    ("sallyport-store", &["sallyport-model", "sallyport-gate", "sallyport-record"]),
    ("sallyport-console", &["sallyport-model", "sallyport-gate", "sallyport-policy", "sallyport-record"]),
    // Its raw client writes SSH's packets with the gateway's own link.
    ("sallyport-tests", &["sallyport-ssh"]),
    ("sallyport-bench", &["sallyport-tests"]),
    // What reads untrusted bytes, and the crates whose types those readers take.
    (
        "sallyport-fuzz",
        &[
            "sallyport-record",
            "sallyport-postgres",
            "sallyport-sql",
            "sallyport-shell",
            "sallyport-ssh",
            "sallyport-policy",
            "sallyport-mask",
            "sallyport-model",
            "sallyport-gate",
            "sallyport-doubles",
            "sallyport-terminal",
        ],
    ),
    ("xtask", &[]),
];

/// The one crate that may depend on all of the gateway's.
const BINARY: &str = "sallyport";
/// What nothing else may depend on (the benchmarks use the tests' kit).
const OUTER: [&str; 6] = ["xtask", "sallyport-tests", "sallyport-bench", "sallyport-fuzz", "sallyport-doubles", BINARY];
/// One provider of cryptography, and no C library of TLS.
const BANNED: [&str; 5] = ["ring", "openssl", "openssl-sys", "native-tls", "schannel"];

pub(crate) fn main(args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    let text = output(&mut cargo(&["metadata", "--format-version", "1", "--no-deps"]))?;
    let mut faults = directions(&serde_json::from_str(&text).context("read cargo metadata")?);
    let tree =
        output(&mut cargo(&["tree", "--package", BINARY, "--edges", "normal", "--prefix", "none", "--format", "{p}"]))?;
    faults.extend(banned(&tree));
    if faults.is_empty() {
        println!("dependencies: all in the right direction, nothing banned");
        return Ok(());
    }
    bail!("{} fault(s) of dependency:\n  {}", faults.len(), faults.join("\n  "))
}

fn directions(metadata: &Value) -> Vec<String> {
    let packages = || metadata.get("packages").and_then(Value::as_array).into_iter().flatten();
    let name = |value: &Value| value.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
    let ours: BTreeSet<String> = packages().map(name).collect();
    let mut faults = Vec::new();
    for package in packages() {
        let from = name(package);
        let deps = package.get("dependencies").and_then(Value::as_array).into_iter().flatten();
        let deps = deps.filter(|dep| dep.get("kind").and_then(Value::as_str) != Some("dev")).map(name);
        let allowed = MAY.iter().find(|(crate_name, _)| *crate_name == from).map(|(_, may)| *may);
        let placed = allowed.is_some() || from == BINARY;
        if !placed {
            faults.push(format!("{from} has no place in the table of xtask/src/deps.rs: say what it may depend on"));
        }
        for dep in deps.filter(|dep| ours.contains(dep)) {
            let fine = match allowed {
                Some(may) => may.contains(&dep.as_str()),
                None => placed && !OUTER.contains(&dep.as_str()),
            };
            if !fine {
                faults.push(format!("{from} may not depend on {dep}"));
            }
        }
    }
    faults
}

fn banned(tree: &str) -> Vec<String> {
    let names: BTreeSet<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let found = BANNED.iter().filter(|name| names.contains(*name));
    found
        .map(|name| {
            format!("{name} is in the gateway's tree: `cargo tree -p {BINARY} -e normal -i {name}` says by whom")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(from: &str, to: &str, kind: Option<&str>) -> Value {
        let dep = serde_json::json!({"name": to, "kind": kind});
        serde_json::json!({"packages": [
            {"name": from, "dependencies": [dep]},
            {"name": to, "dependencies": []},
        ]})
    }

    #[test]
    fn a_wrong_direction_is_named_and_a_test_dependency_is_none() {
        let wrong = directions(&metadata("sallyport-postgres", "sallyport-store", None));
        assert_eq!(wrong, ["sallyport-postgres may not depend on sallyport-store"]);
        assert!(directions(&metadata("sallyport-postgres", "sallyport-store", Some("dev"))).is_empty());
        assert!(directions(&metadata("sallyport-gate", "sallyport-model", None)).is_empty());
        assert_eq!(directions(&metadata("sallyport", "xtask", None)).len(), 1);
        assert_eq!(directions(&metadata("sallyport", "sallyport-fuzz", None)).len(), 1);
        assert_eq!(directions(&metadata("sallyport", "sallyport-doubles", None)).len(), 1);
        assert!(directions(&metadata("sallyport", "sallyport-store", None)).is_empty());
    }

    #[test]
    fn a_crate_without_a_place_is_a_fault() {
        assert_eq!(directions(&metadata("sallyport-mysql", "sallyport-model", None)).len(), 2);
    }

    #[test]
    fn banned_crates_are_found_by_whole_name() {
        assert_eq!(banned("ring v0.17.0\nstring v1.0.0").len(), 1);
        assert!(banned("bytestring v1.0.0").is_empty());
    }
}
