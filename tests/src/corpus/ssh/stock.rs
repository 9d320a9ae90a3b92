//! Plays with OpenSSH's own `ssh` what it can say: one program, with variables and input.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::super::case::{Case, Step};
use super::play::{Answer, Done, Played, What, exec_text};

/// The longest text that fits into one argument of a program.
const LONGEST: usize = 100_000;
/// How long a client may take.
const LIMIT: &str = "20";

/// What a case says with a stock client.
pub struct Line {
    command: Vec<u8>,
    env: Vec<(String, String)>,
    input: Vec<u8>,
}

/// The case for a stock client; `None` when one cannot say it.
pub fn line(case: &Case) -> Option<Line> {
    let mut line = Line { command: Vec::new(), env: Vec::new(), input: Vec::new() };
    for (at, step) in case.steps.iter().enumerate() {
        let Step::Message(kind, fields) = step else { return None };
        let text = |name: &str| fields.get(name).and_then(serde_json::Value::as_str);
        let begun = !line.command.is_empty();
        match (kind.as_str(), text("type")) {
            ("channel-open", Some("session")) if at == 0 => {}
            ("channel-request", Some("env")) if !begun => {
                let (name, value) = (text("name")?.to_owned(), text("value")?.to_owned());
                if value
                    .chars()
                    .chain(name.chars())
                    .any(|c| c.is_whitespace() || c.is_control() || "\"'\\=#".contains(c))
                {
                    return None;
                }
                line.env.push((name, value));
            }
            ("channel-request", Some("exec")) if !begun => line.command = exec_text(fields).ok()?,
            ("channel-data", _) if begun => line.input.extend_from_slice(text("data")?.as_bytes()),
            _ => return None,
        }
    }
    let sayable = !line.command.is_empty() && line.command.len() < LONGEST && !line.command.contains(&0);
    (sayable && std::str::from_utf8(&line.command).is_ok()).then_some(line)
}

/// Plays it.
///
/// # Errors
/// When the client cannot be started.
pub fn play(line: &Line, port: u16, user: &str, password: &str) -> Result<Played> {
    let home = TempDir::new()?;
    let ask = home.path().join("askpass");
    fs::write(&ask, format!("#!/bin/sh\necho '{password}'\n"))?;
    fs::set_permissions(&ask, fs::Permissions::from_mode(0o700))?;
    let mut ssh = Command::new("timeout");
    ssh.args([LIMIT, "ssh", "-F", "none", "-T", "-p"]).arg(port.to_string());
    for option in [
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        "NumberOfPasswordPrompts=1",
        "PubkeyAuthentication=no",
    ] {
        ssh.args(["-o", option]);
    }
    if !line.env.is_empty() {
        let all: Vec<String> = line.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
        ssh.args(["-o", &format!("SetEnv={}", all.join(" "))]);
    }
    ssh.env("SSH_ASKPASS", &ask).env("SSH_ASKPASS_REQUIRE", "force").env_remove("SSH_AUTH_SOCK");
    ssh.arg(format!("{user}@127.0.0.1")).arg("--").arg(std::str::from_utf8(&line.command)?);
    ssh.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(home.path());
    let mut child = ssh.spawn().context("start ssh")?;
    let mut stdin = child.stdin.take().context("its input")?;
    let input = line.input.clone();
    let writer = std::thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output()?;
    let _closed = writer.join();
    // A login shell that goes on in the background has noted what it runs by now.
    std::thread::sleep(Duration::from_millis(50));
    Ok(played(line, &output))
}

fn played(line: &Line, output: &std::process::Output) -> Played {
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let exit = output.status.code().and_then(|code| u32::try_from(code).ok());
    let refused = said.contains("sallyport: ") && matches!(exit, Some(126 | 255));
    let mut steps: Vec<Done> = Vec::new();
    for (name, value) in &line.env {
        // No answer is asked for; the host says whether it came.
        steps.push(Done { what: What::Env(name.clone(), value.clone()), answer: Answer::Nothing });
    }
    let answer = match exit {
        _ if refused => Answer::Refused(said.trim().to_owned()),
        Some(255) | None => Answer::Nothing,
        Some(_) => Answer::Granted,
    };
    steps.push(Done { what: What::Exec(line.command.clone()), answer });
    if !line.input.is_empty() {
        steps.push(Done { what: What::Data, answer: Answer::Nothing });
    }
    Played { steps, received: [&output.stdout[..], b"\n", &output.stderr].concat(), exits: vec![exit] }
}
