//! Every target for a fixed number of inputs, as its program runs it: a process of its own, whose memory is counted alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "helpers of tests fail by panicking, and say what they saw"
)]

use std::process::Command;

fn runs(program: &str, name: &str) -> std::io::Result<()> {
    let out = Command::new(program).args(["--runs", "2000", "--seed", "20"]).output()?;
    let text = String::from_utf8_lossy(&out.stdout);
    let end = format!("fuzz {name}: 2000 runs, 0 findings");
    assert!(out.status.success(), "{text}{}", String::from_utf8_lossy(&out.stderr));
    assert_eq!(text.lines().last(), Some(end.as_str()));
    Ok(())
}

#[test]
fn startup() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_startup"), "startup")
}

#[test]
fn frontend() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_frontend"), "frontend")
}

#[test]
fn backend() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_backend"), "backend")
}

#[test]
fn recording() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_recording"), "recording")
}

#[test]
fn analyze() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_analyze"), "analyze")
}

#[test]
fn shape() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_shape"), "shape")
}

#[test]
fn scp() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_scp"), "scp")
}

#[test]
fn terminal() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_terminal"), "terminal")
}

#[test]
fn shell() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_shell"), "shell")
}

#[test]
fn a_wrong_argument_is_no_success() {
    let out = Command::new(env!("CARGO_BIN_EXE_startup")).arg("--runs").output().unwrap();
    assert_eq!(out.status.code(), Some(2));
}

#[test]
fn sftp() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_sftp"), "sftp")
}

#[test]
fn ssh_session() -> std::io::Result<()> {
    runs(env!("CARGO_BIN_EXE_ssh_session"), "ssh_session")
}
