//! What a policy says of programs, before a real sshd: taken over with the policy, gone with it, for what runs as well.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use super::world::{Said, World};

const RULES: &str = r#"
rules:
  - { name: in, who: { groups: [agents] }, do: [connect, session], then: allow }
  - { name: looks, who: { groups: [agents] }, do: [read], commands: ["deployctl *", "cat *"], then: allow }
  - { name: never, who: any, do: [admin], then: deny, message: "Ask in #ops." }
"#;

const TOOLS: &str = r#"
tools:
  - { command: "deployctl status", does: read, options: "-v --env=" }
  - { command: "deployctl follow", does: read, options: any }
  - { command: "deployctl restart|stop", does: admin, why: "stops what serves customers" }
"#;

/// A house's own program on the server, and a policy that says what it does.
fn world() -> World {
    let world = World::new(&policy(TOOLS));
    let program = world.sshd.programs().join("deployctl");
    fs::write(
        &program,
        "#!/bin/sh\ncase \"$1\" in\nfollow) echo following; exec cat ;;\n*) echo \"did $*\" ;;\nesac\n",
    )
    .unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    world
}

fn policy(tools: &str) -> String {
    format!("{RULES}{tools}")
}

/// Waits until a command is answered otherwise.
fn becomes(world: &World, command: &str, code: i32) -> Said {
    let start = Instant::now();
    loop {
        let said = world.ssh(command);
        if said.code == Some(code) {
            return said;
        }
        assert!(start.elapsed() < Duration::from_secs(20), "{command}: {said:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_policy_says_what_programs_do() {
    let world = world();
    for command in
        ["deployctl status web", "deployctl status -v --env=prod", "d''eployctl status; deployctl status -v | cat -"]
    {
        let said = world.ssh(command);
        assert!(said.code == Some(0) && said.out.starts_with("did status"), "{command}: {said:?}");
    }
    for (command, says) in [
        ("deployctl restart web", "Ask in #ops."),
        ("deployctl status && deployctl stop web", "Ask in #ops."),
        ("sh -c 'deployctl stop web'", "Ask in #ops."),
        ("deployctl status --prune", "execute on command:deployctl status --prune"),
        ("deployctl rollback", "execute on command:deployctl rollback"),
        ("deployctl", "execute on command:deployctl"),
        ("./bin/deployctl status", "execute on command:./bin/deployctl status"),
    ] {
        let said = world.ssh(command);
        assert!(said.code == Some(126) && said.out.is_empty() && said.err.contains(says), "{command}: {said:?}");
    }
    let replay = world.replay();
    assert!(replay.contains("deployctl"), "{replay}");
}

#[test]
fn tools_come_and_go_with_the_policy() {
    let world = world();
    assert_eq!(world.ssh("deployctl status").code, Some(0));
    // Gone, with the rules as they were.
    world.gateway.set_policy(&policy("")).unwrap();
    becomes(&world, "deployctl status", 126);
    // Back, and something else is read by it.
    world.gateway.set_policy(&policy(&TOOLS.replace("deployctl status", "deployctl status|rollback"))).unwrap();
    assert_eq!(becomes(&world, "deployctl rollback", 0).out, "did rollback\n");
    // What cannot be meant does not come into force: the policy stays as it is.
    world.gateway.set_policy(&policy("tools: [{ command: sh, does: read }]\n")).unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(world.ssh("deployctl rollback").code, Some(0));
    assert_eq!(world.ssh("sh").code, Some(126));
    world.gateway.set_policy(&policy("tools: [{ command: deployctl, does: read }]\n")).unwrap();
    // Options are none that are listed: with one, it is `execute`.
    becomes(&world, "deployctl rollback -v", 126);
    assert_eq!(world.ssh("deployctl rollback").code, Some(0));
}

#[test]
fn what_runs_is_judged_by_the_tools_of_the_moment() {
    let world = world();
    let mut child = world.start("ssh", &["gw", "deployctl follow"]);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "following\n");
    let mut input = child.stdin.take().unwrap();
    // Another policy that says the same of it: it goes on.
    world.gateway.set_policy(&policy(&TOOLS.replace("-v --env=", "-v"))).unwrap();
    becomes(&world, "deployctl status --env=x", 126);
    std::thread::sleep(Duration::from_millis(1500));
    input.write_all(b"still here\n").unwrap();
    line.clear();
    out.read_line(&mut line).unwrap();
    assert_eq!(line, "still here\n");
    // One that knows nothing of it, with the same rules: it is ended.
    world.gateway.set_policy(&policy("")).unwrap();
    let start = Instant::now();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(126));
    assert!(start.elapsed() < Duration::from_secs(20));
}
