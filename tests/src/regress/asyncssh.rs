//! asyncssh's own test suite, from its source distribution: its clients before the gateway, its servers behind it.
//!
//! paramiko's suite has no such seam: most of its clients and servers hold the two ends of a pair in memory (`LoopSocket`), the others a
//! server that the test itself makes for one connection. So it is not run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::{Results, compare, failed, summary};
use crate::kit::gateway::{Gateway, Options, Who};
use crate::kit::process::{bounded, free_port, output, tail};

/// The modules in which a client asks a server for what SSH is for. Others test how asyncssh logs in, encrypts and keeps keys, by servers of
/// which nothing but that is real, or have none.
const MODULES: [&str; 2] = ["test_process", "test_stream"];
/// The modules take half a minute on an idle machine.
const LIMIT: Duration = Duration::from_secs(600);
/// Everything is allowed: what differs is the gateway's doing.
const POLICY: &str = crate::clients::ALLOW_ALL;

const BREAK: &str = "BREAK is not carried";
const SIZE: &str = "the size of a terminal is not carried where there is none";
const WORDS: &str = "a target's own words at the end of a connection are not the client's to read";
const NOT_CARRIED: &[(&str, &str)] = &[
    ("test_process._TestProcessBasic.test_break", BREAK),
    ("test_process._TestProcessRedirection.test_forward_break", BREAK),
    ("test_process._TestProcessBasic.test_change_terminal_size", SIZE),
    ("test_process._TestProcessRedirection.test_forward_terminal_size", SIZE),
    ("test_stream._TestStream.test_custom_disconnect", WORDS),
    ("test_stream._TestStream.test_read_exception", WORDS),
    ("test_stream._TestStream.test_readline_exception", WORDS),
    // These two pass mostly.
    (
        "test_stream._TestStream.test_async_iterator",
        "the end may arrive after the last line, which asyncssh then reads as an empty one",
    ),
    (
        "test_stream._TestStream.test_readuntil_bigger_than_window",
        "what is there when a window is full depends on the sizes of packets",
    ),
    ("test_stream._TestStream.test_shell_failure", "a channel is opened before the target is asked for one"),
];

/// Runs `suite regress asyncssh`; the status is 0 when nothing fails through the gateway alone that is not excepted.
pub(super) fn main(work: &Path, direct_only: bool) -> Result<i32> {
    let python = std::env::var_os("SUITE_PYTHON")
        .map(PathBuf::from)
        .context("SUITE_PYTHON names no interpreter: use `cargo xtask regress`")?;
    let source = fetch(work, &python)?;
    let home = tempfile::Builder::new().prefix("sallyport-asyncssh-").tempdir().context("make a directory")?;
    for name in ["host", "user"] {
        let mut keygen = Command::new("ssh-keygen");
        keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(home.path().join(name));
        output(&mut keygen, "ssh-keygen")?;
    }
    let own = free_port()?;
    let run = |port: u16, token: &str| -> Result<Results> {
        let mut command = Command::new(&python);
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/asyncssh_suite.py")).args(MODULES);
        command.env("PYTHONPATH", &source).env("PYTHONDONTWRITEBYTECODE", "1").current_dir(&source);
        command.env("SUITE_OWN", own.to_string()).env("SUITE_SSH_PORT", port.to_string()).env("SUITE_SSH_TOKEN", token);
        command.env("SUITE_HOST_KEY", home.path().join("host"));
        let (status, text) = bounded(&mut command, LIMIT, "asyncssh's suite")?;
        let results = parse(&text);
        if results.is_empty() || status.is_none() {
            bail!("asyncssh's suite did not run to its end:\n{}", tail(&text, 25));
        }
        Ok(results)
    };
    let direct = run(0, "")?;
    summary("direct", &direct);
    if direct_only {
        failed(&direct).iter().for_each(|name| println!("  fails directly: {name}"));
        return Ok(0);
    }
    let key = |name: &str| fs::read_to_string(home.path().join(name)).with_context(|| format!("read {name}"));
    let mut options = Options::new(1, "none", POLICY);
    // The suite's servers let a user of this name in without a question.
    options.targets = format!(
        "  - name: asyncssh\n    kind: ssh\n    address: 127.0.0.1:{own}\n    host_keys: [\"{}\"]\n    roles: {{ ops: {{ user: guest, password: \
         {{ env: SSH_KEY }} }} }}\n",
        key("host.pub")?.trim()
    );
    options.env = vec![("SSH_KEY".to_owned(), key("user")?)];
    let gateway = Gateway::start(&options)?;
    let through = run(gateway.ssh()?, &gateway.token_for(&Who::agent("regress"), "asyncssh")?)?;
    summary("through", &through);
    Ok(compare(&direct, &through, NOT_CARRIED))
}

/// Fetches the source of the installed version, once per work folder.
fn fetch(work: &Path, python: &Path) -> Result<PathBuf> {
    let ask = "from importlib.metadata import version; print(version('asyncssh'))";
    let version = output(Command::new(python).args(["-c", ask]), "ask for asyncssh's version")?;
    let version = version.trim();
    let home = work.join(format!("asyncssh-{version}"));
    let source = home.join("source");
    if source.join("tests").is_dir() {
        return Ok(source);
    }
    let _ = fs::remove_dir_all(&home);
    fs::create_dir_all(&source)?;
    println!("fetching the source of asyncssh {version}");
    let mut pip = Command::new(python);
    pip.args([
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
    ]);
    output(pip.arg(&home).arg(format!("asyncssh=={version}")), "pip download")?;
    let archive = fs::read_dir(&home)?
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|end| end == "gz"));
    let archive = archive.context("pip fetched no archive")?;
    let mut tar = Command::new("tar");
    output(tar.arg("-xzf").arg(archive).arg("--strip-components=1").arg("-C").arg(&source), "unpack asyncssh")?;
    Ok(source)
}

fn parse(text: &str) -> Results {
    let mut results = BTreeMap::new();
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("ok ") {
            results.insert(name.to_owned(), true);
        } else if let Some((name, _)) = line.strip_prefix("not ok ").and_then(|rest| rest.split_once(": ")) {
            results.insert(name.to_owned(), false);
        }
    }
    results
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_read_by_name() {
        let results = parse("ok test_a.T.one\nnoise\nnot ok test_a.T.two: AssertionError: 1 != 2\n");
        assert_eq!(results, BTreeMap::from([("test_a.T.one".to_owned(), true), ("test_a.T.two".to_owned(), false)]));
    }
}
