//! Programs, shells and tunnels: run, refused, held, fed, masked, stopped.

#![expect(clippy::disallowed_methods, reason = "clients of the tests, which no grant is for")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::world::{TARGET, World};

const POLICY: &str = r#"
rules:
  - { name: in, who: { groups: [agents] }, do: [connect, session], then: allow }
  - { name: looks, who: { groups: [agents] }, do: [read], commands: ["cat *", "ls *", "wc *", "uptime", "head *", "echo *", "sleep *", "true"], then: allow }
  - { name: runs, who: { groups: [agents] }, do: [execute], commands: ["sh-of-ours *"], then: allow }
  - { name: never, who: any, do: [delete, destroy], commands: ["rm *"], then: deny, message: "Ask in #ops." }
  - { name: human, who: { groups: [agents] }, do: [create, alter], commands: ["touch *"], then: approve, approval: { by: { groups: [dba] }, expires: 60s } }
  - { name: tunnel, who: { groups: [agents] }, do: [tunnel], objects: ["host:127.0.0.1:PORT"], then: allow }
  - { name: any tunnel, who: { groups: [agents] }, do: [tunnel], then: allow }
"#;

#[test]
fn a_program_runs_as_it_would_without_the_gateway() {
    let world = World::new(POLICY);
    std::fs::write(world.file("a"), "one\ntwo\n").unwrap();
    let said = world.ssh(&format!(
        "cat {}; cat /none; ls -d {} | wc -l",
        world.file("a").display(),
        world.file("a").display()
    ));
    assert_eq!((said.out.as_str(), said.code), ("one\ntwo\n1\n", Some(0)), "{said:?}");
    assert!(said.err.contains("/none"), "{said:?}");
    assert_eq!(world.ssh("cat /none").code, Some(1));
    let replay = world.replay();
    assert!(replay.contains("cat /none") && replay.contains("exit 1"), "{replay}");
}

#[test]
fn what_is_not_allowed_never_runs() {
    let world = World::new(POLICY);
    let kept = world.file("kept");
    std::fs::write(&kept, "x").unwrap();
    let path = kept.display();
    for (command, rule) in [
        (format!("rm {path}"), "never"),
        (format!("r''m {path}"), "never"),
        (format!("cat {path} && rm -f {path}"), "never"),
        (format!("cat {path}; $(echo rm) {path}"), ""),
        (format!("echo {path} | xargs rm"), ""),
        (format!("cat {path} > {path}.copy"), ""),
        (format!("eval 'rm {path}'"), ""),
        (format!("unlink {path}"), ""),
        (format!("python3 -c 'import os; os.remove(\"{path}\")'"), ""),
        (String::new(), ""),
    ] {
        let said =
            if command.is_empty() { world.feed("ssh", &["gw"], b"rm FILES\nexit\n") } else { world.ssh(&command) };
        assert_eq!(said.code, Some(126), "{command}: {said:?}");
        assert!(said.err.contains("sallyport: denied") && said.err.contains(rule), "{command}: {said:?}");
        assert!(kept.exists() && !world.file("kept.copy").exists(), "{command}");
    }
    assert!(world.ssh(&format!("rm {path}")).err.contains("Ask in #ops."));
    // With a terminal, what only shows something may start a pager.
    let said = world.run("ssh", &["-tt", "gw", &format!("cat {path}")]);
    assert!(said.code == Some(126) && said.err.contains("other:terminal"), "{said:?}");
}

#[test]
fn both_directions_flow_at_once_and_whole() {
    let world = World::new(POLICY);
    let input: Vec<u8> = (0..20_000_000_u32).map(|at| u8::try_from((at ^ (at >> 11)) & 0xff).unwrap()).collect();
    let said = world.feed("ssh", &["gw", "cat -"], &input);
    assert!(said.bytes == input && said.code == Some(0), "{} bytes came back: {}", said.bytes.len(), said.err);
    assert_eq!(world.feed("ssh", &["gw", "wc -c"], &input).out.trim(), "20000000");
}

#[test]
fn a_held_program_waits_for_a_human_and_reads_nothing_meanwhile() {
    let world = World::new(POLICY);
    for (answer, code) in [("approve", Some(0)), ("deny", Some(126))] {
        let made = world.file(answer);
        let child = world.start("ssh", &["gw", &format!("touch {}", made.display())]);
        let id = world.waiting();
        assert!(!made.exists());
        world.answer(&id, answer);
        let said = super::world::Said::of(child.wait_with_output().unwrap());
        assert_eq!((said.code, made.exists()), (code, answer == "approve"), "{said:?}");
        assert!(said.err.contains(&id), "{said:?}");
    }
    // A client that goes away takes its request along.
    let mut child = world.start("ssh", &["gw", "touch /tmp/never-made-by-anyone"]);
    let id = world.waiting();
    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(world.gateway.cli(&["approvals", "show", &id]).unwrap().contains("cancelled"));
}

#[test]
fn many_programs_share_a_connection() {
    let world = World::new(POLICY);
    let path = world.home.path().join("control");
    let control = format!("ControlPath={}", path.display());
    let mut master = world.start("ssh", &["-M", "-N", "-o", &control, "gw"]);
    sallyport_tests::kit::process::wait_for("the master", Duration::from_secs(10), || Ok(path.exists())).unwrap();
    let children: Vec<_> = (0..20)
        .map(|at| {
            (at, world.start("ssh", &["-o", &control, "gw", &format!("head -c 300000 /dev/zero | wc -c; echo {at}")]))
        })
        .collect();
    for (at, child) in children {
        let said = super::world::Said::of(child.wait_with_output().unwrap());
        assert_eq!(said.out, format!("300000\n{at}\n"), "{said:?}");
    }
    assert_eq!(world.run("ssh", &["-O", "exit", "-o", &control, "gw"]).code, Some(0));
    master.wait().unwrap();
}

#[test]
fn what_detectors_find_is_not_shown() {
    let masks = "masks:\n  - { name: secrets, who: any, detect: [email, card], with: redact }\n";
    let world = World::new(&format!("{POLICY}{masks}"));
    std::fs::write(
        world.file("m"),
        "to o.hara@example.com, card 4111 1111 1111 1111, \x1b[1mo.h\x1b[0mara@example.com\n",
    )
    .unwrap();
    let path = world.file("m").display().to_string();
    for command in
        [format!("cat {path}"), format!("cat {path} {path} | head -n 1"), format!("head -c 20 {path}; ls {path}")]
    {
        let said = world.ssh(&command);
        assert!(!said.out.contains("hara@example") && !said.out.contains("4111"), "{command}: {said:?}");
        assert!(said.out.starts_with("to [redacted]") || said.out.starts_with("to *"), "{command}: {said:?}");
    }
    // Nor is it kept of what is sent.
    assert!(!world.feed("ssh", &["gw", "wc -c"], b"from o.hara@example.com\n").out.is_empty());
    let all = world.gateway.cli(&["sessions", "export", "--all", "--format", "jsonl"]).unwrap();
    assert!(all.contains("\"from ") && !all.contains("hara@example"), "{all}");
    let replay = world.replay();
    assert!(!replay.contains("hara@example"), "{replay}");
}

#[test]
fn tunnels_go_where_a_rule_says_and_nowhere_else() {
    let world = World::new("rules: [{ name: in, who: any, do: [connect, session, tunnel, read], then: allow }]");
    let port = world.sshd.port();
    let there = format!("127.0.0.1:{port}");
    assert!(banner(&world, &there).is_none(), "a rule that names no place opens none");
    let named = POLICY.replace("PORT", &port.to_string());
    world.gateway.set_policy(&named).unwrap();
    let until = Instant::now() + Duration::from_secs(10);
    let mut found = None;
    while found.is_none() && Instant::now() < until {
        found = banner(&world, &there);
    }
    assert!(found.unwrap().starts_with("SSH-2.0-OpenSSH"));
    assert!(banner(&world, &format!("localhost:{port}")).is_none(), "another name is another place");
    let back = world.run("ssh", &["-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:1", "gw"]);
    assert_ne!(back.code, Some(0), "{back:?}");
}

/// What the far end of a tunnel says first.
fn banner(world: &World, place: &str) -> Option<String> {
    let local = sallyport_tests::kit::process::free_port().unwrap();
    let mut child = world.start("ssh", &["-N", "-L", &format!("{local}:{place}"), "gw"]);
    let mut text = vec![0; 15];
    let mut read = None;
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(100));
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", local)) {
            stream.set_read_timeout(Some(Duration::from_secs(3))).unwrap();
            let _sent = stream.write_all(b"SSH-2.0-x\r\n");
            read = stream.read_exact(&mut text).ok();
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    read.map(|()| String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn what_policy_no_longer_allows_is_stopped() {
    let world = World::new(POLICY);
    let mut child = world.start("ssh", &["gw", "cat -"]);
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = child.stdout.take().unwrap();
    stdin.write_all(b"ping\n").unwrap();
    let mut line = [0; 5];
    stdout.read_exact(&mut line).unwrap();
    world.gateway.set_policy(&POLICY.replace("\"cat *\", ", "")).unwrap();
    let since = Instant::now();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(126));
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    drop(stdin);
}

#[test]
fn a_killed_session_is_over_at_once() {
    let world = World::new(POLICY);
    let mut child = world.start("ssh", &["gw", "cat -"]);
    let stdin = child.stdin.take();
    std::thread::sleep(Duration::from_secs(1));
    let list: serde_json::Value =
        serde_json::from_str(&world.gateway.cli(&["sessions", "ls", "--json"]).unwrap()).unwrap();
    let id = list.get(0).and_then(|one| one.get("id")).and_then(serde_json::Value::as_str).unwrap().to_owned();
    world.gateway.cli(&["sessions", "kill", &id]).unwrap();
    let since = Instant::now();
    assert_ne!(child.wait().unwrap().code(), Some(0));
    assert!(since.elapsed() < Duration::from_secs(2), "{:?}", since.elapsed());
    drop(stdin);
    assert!(world.gateway.cli(&["sessions", "verify"]).unwrap().contains("all whole"));
}

#[test]
fn a_command_and_a_shell_take_no_longer_than_a_limit_allows() {
    let world = World::new(&format!("{POLICY}limits: [{{ name: short, who: any, statement_time: 2s }}]\n"));
    let since = Instant::now();
    let said = world.ssh("sleep 60");
    assert!(since.elapsed() < Duration::from_secs(20), "{:?}", since.elapsed());
    assert_eq!(said.code, Some(126), "{said:?}");
    assert!(
        said.err.contains("SP-LIMIT") && said.err.contains("rules: short; at most 2 seconds for one command"),
        "{said:?}"
    );
    assert_eq!(world.ssh("uptime").code, Some(0));
}

#[test]
fn a_role_that_the_target_does_not_have_opens_nothing() {
    let world = World::new(POLICY);
    let said = world.run("ssh", &["-l", &format!("root:{TARGET}"), "gw", "uptime"]);
    assert!(said.code != Some(0) && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains("the target has no role of this name"), "{said:?}");
}

#[test]
fn a_target_with_another_key_is_not_opened() {
    let world = World::new(POLICY);
    let other = sallyport_tests::kit::sshd::Sshd::start().unwrap();
    let mut options = sallyport_tests::kit::gateway::Options::new(1, "none", POLICY);
    let target = world.sshd.target(TARGET).unwrap();
    options.targets = target.replace(&world.sshd.port().to_string(), &other.port().to_string());
    options.env = vec![("SSH_KEY".to_owned(), other.user_key().unwrap())];
    let gateway = sallyport_tests::kit::gateway::Gateway::start(&options).unwrap();
    let world = world.before(gateway);
    let said = world.ssh("uptime");
    assert!(said.code != Some(0) && said.out.is_empty(), "{said:?}");
    assert!(said.err.contains("ITS HOST KEY HAS CHANGED"), "{said:?}");
    assert!(world.gateway.log().contains("HAS CHANGED"));
}
