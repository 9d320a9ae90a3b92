//! Installs what a suite needs and says so: Debian packages as root, Python and node packages below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::run::{output, run, target, works};

const HELP: &str = "\
cargo xtask ensure SET...

Sets: build, postgres, ssh, clients, regress, bench. Debian packages need root; elsewhere they are only named.
Python packages go to a virtual environment and node packages to a folder, both below the target directory.";

/// What compiling the gateway needs beside Rust: a C compiler, and libclang for the grammar's bindings.
pub(crate) const BUILD: &[&str] = &["build-essential", "cmake", "libclang-dev"];
/// A server, its extensions and programs.
pub(crate) const POSTGRES: &[&str] = &["postgresql", "postgresql-contrib", "postgresql-client"];
/// An SSH server, its clients, and what speaks through them.
pub(crate) const SSH: &[&str] = &["openssh-server", "openssh-client", "openssl", "rsync", "git"];
/// What the stock clients need.
pub(crate) const CLIENTS: &[&str] = &["default-jdk-headless", "libpostgresql-jdbc-java", "nodejs", "python3-venv"];
/// What SSH's clients need.
pub(crate) const SSH_CLIENTS: &[&str] = &["python3-venv"];
/// What upstream suites need to be fetched and compiled.
pub(crate) const REGRESS: &[&str] = &["build-essential", "dpkg-dev", "postgresql-server-dev-15", "python3-venv"];
/// OpenSSH's own tests, and what some of them start.
pub(crate) const OPENSSH: &[&str] = &["openssh-tests", "openssh-server", "openssh-client", "inetutils-telnet"];
/// Peers to compare with.
pub(crate) const BENCH: &[&str] = &["pgbouncer"];

/// Python clients: one environment for all of them.
const PYTHON: &[&str] = &[
    "psycopg[binary]==3.*",
    "psycopg2-binary==2.9.*",
    "asyncpg",
    "SQLAlchemy==2.*",
    "Django==5.*",
    "paramiko==5.*",
    "scp==0.15.*",
    "asyncssh==2.*",
    "ansible-core==2.19.*",
    "asciinema==2.*",
];
/// Node clients, and an identity provider.
const NODE: &[&str] = &["pg@8", "pg-cursor@2", "pg-query-stream@4", "pg-copy-streams@6", "oidc-provider@9"];

pub(crate) fn main(args: &[String]) -> Result<()> {
    if args.is_empty() || args.iter().any(|arg| arg == "--help" || arg == "-h") {
        println!("{HELP}");
        return Ok(());
    }
    for set in args {
        match set.as_str() {
            "build" => packages(BUILD)?,
            "postgres" => packages(POSTGRES)?,
            "ssh" => packages(SSH)?,
            "bench" => packages(&[POSTGRES, BENCH].concat())?,
            "clients" => {
                packages(&[POSTGRES, SSH, CLIENTS].concat())?;
                python()?;
                node()?;
            }
            "regress" => {
                packages(&[POSTGRES, REGRESS, OPENSSH].concat())?;
                python()?;
            }
            other => bail!("no set {other:?}\n\n{HELP}"),
        }
    }
    Ok(())
}

/// Makes sure that Debian packages are installed. What the machine has by other means (another distribution, a
/// server in PATH) is not looked for: without dpkg this only says what is needed.
pub(crate) fn packages(names: &[&str]) -> Result<()> {
    if !works("dpkg-query", &["--version"]) {
        eprintln!("not Debian: taking for granted what {} bring", names.join(", "));
        return Ok(());
    }
    let missing: Vec<&str> = names.iter().copied().filter(|name| !installed(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if output(Command::new("id").arg("-u"))?.trim() != "0" {
        bail!("missing packages, and not root to install them: apt-get install --no-install-recommends {list}");
    }
    eprintln!("installing: {list}");
    let apt = |args: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "Dpkg::Use-Pty=0"]).args(args);
        command
    };
    run(&mut apt(&["update"])).context("no package lists: is there a network and a Debian mirror?")?;
    run(apt(&["install", "-y", "--no-install-recommends"]).args(&missing)).with_context(|| format!("install {list}"))
}

fn installed(name: &str) -> bool {
    // A virtual package such as default-jdk-headless has a real one of its own name; others are provided.
    let provided = match name {
        "nodejs" => works("node", &["--version"]),
        "default-jdk-headless" => works("javac", &["-version"]),
        "build-essential" => works("cc", &["--version"]) && works("make", &["--version"]),
        "cmake" => works("cmake", &["--version"]),
        _ => false,
    };
    if provided {
        return true;
    }
    let query = Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", name]).output();
    query.is_ok_and(|out| out.stdout == b"installed")
}

/// The Python environment of the client suites; its `bin/python` is the interpreter to use.
pub(crate) fn python() -> Result<PathBuf> {
    let home = target().join("suite-python");
    let interpreter = home.join("bin/python");
    once(&home, &PYTHON.join("\n"), || {
        eprintln!("installing for Python: {}", PYTHON.join(", "));
        let base = if Path::new("/usr/bin/python3").is_file() { "/usr/bin/python3" } else { "python3" };
        run(Command::new(base).args(["-m", "venv", "--clear"]).arg(&home))?;
        let mut pip = Command::new(&interpreter);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(PYTHON);
        run(&mut pip).context("no Python packages: is there a network and a package index?")
    })?;
    Ok(interpreter)
}

/// The folder with the node packages of the client suites.
pub(crate) fn node() -> Result<PathBuf> {
    let home = target().join("suite-node");
    once(&home, &NODE.join("\n"), || {
        eprintln!("installing for node: {}", NODE.join(", "));
        fs::create_dir_all(&home)?;
        fs::write(home.join("package.json"), "{\"private\": true}\n")?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--loglevel=error", "--prefix"]).arg(&home).args(NODE);
        run(&mut npm).context("no node packages: is there a network and a package registry?")
    })?;
    Ok(home)
}

/// Does `make` unless `home` was made from the same list before.
fn once(home: &Path, list: &str, make: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp = home.join("made-from.txt");
    if fs::read_to_string(&stamp).is_ok_and(|made| made == list) {
        return Ok(());
    }
    make()?;
    fs::write(&stamp, list).with_context(|| format!("write {}", stamp.display()))
}
