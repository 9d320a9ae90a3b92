//! Logins with the browser: stock `ssh` before a real sshd, and a client that keeps every byte.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::Who;
use sallyport_tests::kit::idp::{Idp, People};
use sallyport_tests::kit::process::wait_for;
use sallyport_tests::kit::ssh_wire::{Next, SshWire};
use serde_json::Value;
use ssh::wire::{Cursor, encode, number};

use super::world::{Said, TARGET, World};

pub(super) const POLICY: &str = r#"
rules:
  - { name: in, who: any, do: [connect, session], then: allow }
  - { name: staff, who: { groups: [staff], kinds: [human] }, do: [read], commands: ["id", "echo *"], then: allow }
  - { name: agents, who: { groups: [agents] }, do: [read], commands: ["echo *"], then: allow }
"#;

/// The words before which a person presses Enter or types a token.
const FIRST: &str = "Password (a token), or Enter to log in with the browser: ";
const SECOND: &str = "Password (a token), or Enter once you are logged in: ";

fn world(idp: &Idp) -> World {
    World::with(POLICY, |_, options| {
        options.extra = idp.config();
        options.env.push(("IDP_SECRET".to_owned(), "s3cret".to_owned()));
    })
}

/// `ssh` whose questions are answered by these lines, one after the other, the last one again and again; and what it was asked.
pub(super) fn ssh(world: &World, answers: &[&str], args: &[&str]) -> (Said, String) {
    let home = world.home.path();
    let (script, lines, asked) = (home.join("answer"), home.join("answers"), home.join("asked"));
    fs::write(&lines, answers.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let _none = fs::remove_file(&asked);
    let text = format!(
        "#!/bin/sh\nprintf '%s\\n--\\n' \"$1\" >> '{}'\nhead -n 1 '{lines}'\n[ $(wc -l < '{lines}') -gt 1 ] && sed -i 1d '{lines}'\nexit 0\n",
        asked.display(),
        lines = lines.display(),
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    let mut command = world.client("ssh", args);
    let said = Said::of(command.env("SSH_ASKPASS", &script).stdin(Stdio::null()).output().unwrap());
    (said, fs::read_to_string(asked).unwrap_or_default())
}

/// None of what the provider gave out is in the text, nor the secret of the gateway's client.
fn holds_no_secret(idp: &Idp, text: &str) {
    for secret in idp.secrets().iter().map(String::as_str).chain(["s3cret", "opaque-access"]) {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

#[test]
fn a_person_logs_in_with_the_browser_and_the_recording_says_who() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    idp.people(People::LogIn);
    let (said, asked) = ssh(&world, &[""], &["gw", "echo in"]);
    assert_eq!((said.out.as_str(), said.code), ("in\n", Some(0)), "{said:?}\n{asked}\n{}", world.gateway.log());
    assert!(asked.contains(FIRST) && asked.contains(SECOND), "{asked}");
    for part in
        [&format!("{}/activate?user_code=CODE-0001", idp.url()), "code CODE-0001", "log in to web-1 from 127.0.0.1"]
    {
        assert!(asked.contains(part), "{part}: {asked}");
    }
    assert!(asked.contains("UTC") && asked.contains("begun yourself"), "{asked}");
    holds_no_secret(&idp, &format!("{asked}{said:?}"));
    assert_eq!(idp.shown(), ["Basic c2FsbHlwb3J0OnMzY3JldA=="], "the gateway proves which client it is");
    let replay = world.replay();
    assert!(replay.contains("alice"), "{replay}");
    let json = world.gateway.cli(&["sessions", "export", "last", "--format", "jsonl"]).unwrap();
    assert!(json.contains("alice") && json.contains(idp.url()), "{json}");
    assert!(json.contains("sallyport_login") && json.contains("127.0.0.1"), "{json}");
    let audit = world.gateway.cli(&["audit", "ls", "--json"]).unwrap();
    let mut entries = audit.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let entry = entries.find(|one| one["action"] == "login.device").unwrap();
    assert_eq!((entry["actor"].as_str(), entry["object"].as_str()), (Some("alice"), Some(TARGET)));
    assert!(entry["detail"].as_str().unwrap().contains("device login from 127.0.0.1"), "{entry}");
    for text in [replay, json, audit, world.gateway.log()] {
        holds_no_secret(&idp, &text);
    }
}

#[test]
fn the_login_goes_on_when_somebody_logs_in_later() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    let (said, asked) = std::thread::scope(|scope| {
        let running = scope.spawn(|| ssh(&world, &[""], &["-o", "LogLevel=INFO", "gw", "echo in"]));
        // Longer than the gateway gives to a login otherwise.
        wait_for("several polls", Duration::from_secs(40), || Ok(idp.polls() > 11)).unwrap();
        idp.people(People::LogIn);
        running.join().unwrap()
    });
    assert_eq!((said.out.as_str(), said.code), ("in\n", Some(0)), "{said:?}\n{asked}");
    assert!(said.err.contains("Waiting for the login"), "{said:?}");
    assert_eq!(idp.begun(), 1);
}

#[test]
fn who_says_no_is_not_let_in() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    idp.people(People::SayNo);
    let (said, asked) = ssh(&world, &[""], &["-o", "LogLevel=INFO", "gw", "echo in"]);
    assert!(said.code == Some(255) && said.out.is_empty(), "{said:?} {asked}");
    assert!(said.err.contains("denied at the identity provider"), "{said:?}");
    holds_no_secret(&idp, &format!("{asked}{said:?}"));
    assert!(!world.gateway.cli(&["audit", "ls", "--json"]).unwrap().contains("login.device"));
}

#[test]
fn a_token_is_taken_at_either_question_and_asks_nobody() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    let token = world.gateway.token_for(&Who::agent("agent-7"), TARGET).unwrap();
    let start = Instant::now();
    let (said, asked) = ssh(&world, &[&token], &["gw", "echo in"]);
    assert_eq!((said.out.as_str(), said.code), ("in\n", Some(0)), "{said:?}");
    assert!(start.elapsed() < Duration::from_secs(3), "{:?}", start.elapsed());
    assert!(asked.contains(FIRST) && !asked.contains(SECOND), "{asked}");
    assert_eq!(idp.begun(), 0, "whoever has a token makes the provider do nothing");
    let (said, asked) = ssh(&world, &["", &token], &["gw", "echo in"]);
    assert_eq!((said.out.as_str(), said.code), ("in\n", Some(0)), "{said:?}");
    assert!(asked.contains(SECOND), "{asked}");
    assert_eq!((idp.begun(), idp.polls()), (1, 0));
    let batch = world.run("ssh", &["-o", "BatchMode=yes", "gw", "echo in"]);
    assert_eq!(batch.code, Some(255));
    let (said, _) = ssh(&world, &[&token], &["-o", "PreferredAuthentications=password", "gw", "echo in"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(idp.begun(), 1);
}

#[test]
fn a_provider_that_is_away_leaves_tokens() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    idp.away(true);
    let token = world.gateway.token_for(&Who::agent("agent-7"), TARGET).unwrap();
    let (said, asked) = ssh(&world, &["", &token], &["gw", "echo in"]);
    assert_eq!((said.out.as_str(), said.code), ("in\n", Some(0)), "{said:?}\n{asked}");
    assert!(asked.contains("the identity provider cannot be asked right now.\nPassword (a token): "), "{asked}");
    // Back again, it is asked again.
    idp.away(false);
    idp.people(People::LogIn);
    std::thread::sleep(Duration::from_millis(2500));
    let (said, asked) = ssh(&world, &[""], &["gw", "echo in"]);
    assert_eq!(said.code, Some(0), "{said:?}\n{asked}");
}

#[test]
fn without_a_client_at_the_provider_the_question_is_for_a_token_alone() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    world
        .gateway
        .edit_config(|text| text.lines().filter(|line| !line.contains("device:")).collect::<Vec<_>>().join("\n"))
        .unwrap();
    wait_for("the reload", Duration::from_secs(10), || Ok(world.gateway.log().contains("issuers_changed=true")))
        .unwrap();
    let token = world.gateway.token_for(&Who::agent("agent-7"), TARGET).unwrap();
    let (said, asked) = ssh(&world, &[&token], &["gw", "echo in"]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(asked.contains("Password (a token): ") && !asked.contains("browser"), "{asked}");
}

/// A client in the middle of keyboard-interactive, which keeps all that it was sent.
struct Asked {
    wire: SshWire,
    seen: Vec<u8>,
}

impl Asked {
    fn new(world: &World) -> Self {
        let mut wire = SshWire::connect(world.gateway.ssh().unwrap()).unwrap();
        wire.send(&encode::message(number::SERVICE_REQUEST, |out| encode::string(out, b"ssh-userauth"))).unwrap();
        let mut asked = Self { wire, seen: Vec::new() };
        assert_eq!(asked.next()[0], number::SERVICE_ACCEPT);
        asked.begin();
        asked
    }

    fn begin(&mut self) {
        let request = encode::message(number::USERAUTH_REQUEST, |out| {
            for text in [TARGET, "ssh-connection", "keyboard-interactive", "", ""] {
                encode::string(out, text.as_bytes());
            }
        });
        self.wire.send(&request).unwrap();
    }

    fn next(&mut self) -> Vec<u8> {
        match self.wire.next(Instant::now() + Duration::from_secs(15)).unwrap() {
            Next::Message(message) => {
                self.seen.extend_from_slice(&message);
                message
            }
            other => panic!("{other:?}: {}", self.wire.last_words()),
        }
    }

    /// The next question.
    fn question(&mut self) -> String {
        let message = self.next();
        let mut cursor = Cursor::new(&message);
        assert_eq!(cursor.byte().unwrap(), number::USERAUTH_INFO_REQUEST, "{}", String::from_utf8_lossy(&message));
        for _ in 0..3 {
            assert_eq!(cursor.text().unwrap(), "", "nothing stands beside the question");
        }
        assert_eq!(cursor.u32().unwrap(), 1);
        cursor.text().unwrap().to_owned()
    }

    fn answer(&mut self, answers: &[&str]) {
        let response = encode::message(number::USERAUTH_INFO_RESPONSE, |out| {
            encode::u32(out, u32::try_from(answers.len()).unwrap());
            for answer in answers {
                encode::string(out, answer.as_bytes());
            }
        });
        self.wire.send(&response).unwrap();
    }
}

#[test]
fn only_so_many_may_be_under_way_and_the_rest_have_tokens() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    let mut begun: Vec<Asked> = (0..8).map(|_| Asked::new(&world)).collect();
    for asked in &mut begun {
        assert_eq!(asked.question(), FIRST);
        asked.answer(&[""]);
        assert!(asked.question().ends_with(SECOND));
    }
    let mut ninth = Asked::new(&world);
    assert_eq!(ninth.question(), FIRST);
    ninth.answer(&[""]);
    let question = ninth.question();
    assert!(
        question.contains("too many of them are under way") && question.ends_with("Password (a token): "),
        "{question}"
    );
    ninth.answer(&[&world.gateway.token_for(&Who::agent("agent-7"), TARGET).unwrap()]);
    assert_eq!(ninth.next()[0], number::USERAUTH_SUCCESS);
    assert_eq!(idp.begun(), 8);
    // Others are served as ever, and a place is free again once its time is over.
    let token = world.gateway.token_for(&Who::agent("agent-8"), TARGET).unwrap();
    assert_eq!(ssh(&world, &[&token], &["gw", "echo in"]).0.code, Some(0));
    drop(begun);
    std::thread::sleep(Duration::from_secs(11));
    idp.people(People::LogIn);
    let mut next = Asked::new(&world);
    next.question();
    next.answer(&[""]);
    assert!(next.question().ends_with(SECOND));
    next.answer(&[""]);
    assert_eq!(next.next()[0], number::USERAUTH_SUCCESS);
    holds_no_secret(&idp, &String::from_utf8_lossy(&next.seen));
}

#[test]
fn who_leaves_or_does_not_wait_ends_the_login() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    let mut asked = Asked::new(&world);
    asked.question();
    asked.answer(&[""]);
    asked.question();
    asked.answer(&[""]);
    wait_for("a poll", Duration::from_secs(10), || Ok(idp.polls() > 0)).unwrap();
    holds_no_secret(&idp, &String::from_utf8_lossy(&asked.seen));
    drop(asked);
    std::thread::sleep(Duration::from_millis(1500));
    let polls = idp.polls();
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(idp.polls(), polls, "nobody waits any more, and nobody is asked");
    // Another request takes the place of the one under way, and nobody is asked for that any more.
    let token = world.gateway.token_for(&Who::agent("agent-7"), TARGET).unwrap();
    let mut hasty = Asked::new(&world);
    hasty.begin();
    assert_eq!((hasty.question(), hasty.question()), (FIRST.to_owned(), FIRST.to_owned()));
    hasty.answer(&[""]);
    assert!(hasty.question().ends_with(SECOND));
    hasty.answer(&[""]);
    wait_for("a poll", Duration::from_secs(10), || Ok(idp.polls() > polls)).unwrap();
    hasty.begin();
    assert_eq!(hasty.question(), FIRST);
    let polls = idp.polls();
    std::thread::sleep(Duration::from_millis(2500));
    assert!(idp.polls() <= polls + 1, "the provider is still asked");
    hasty.answer(&[&token]);
    assert_eq!(hasty.next()[0], number::USERAUTH_SUCCESS);
    // Nor does anything else end it: an answer too many or too few proves nothing.
    for answers in [&["", ""][..], &[&token, &token], &[]] {
        let mut wrong = Asked::new(&world);
        wrong.question();
        wrong.answer(answers);
        assert_eq!((wrong.next()[0], wrong.next()[0]), (number::USERAUTH_BANNER, number::USERAUTH_FAILURE));
        wrong.begin();
        wrong.question();
        wrong.answer(&[&token]);
        assert_eq!(wrong.next()[0], number::USERAUTH_SUCCESS);
    }
    // And whoever goes on for ever is sent away.
    let mut restless = Asked::new(&world);
    let closed = (0..50).any(|_| {
        restless.begin();
        restless.wire.next(Instant::now() + Duration::from_secs(10)).unwrap() == Next::Closed
    });
    assert!(closed, "there is no end of requests");
}

/// What a person sees at a terminal, where the questions are not for a program.
#[test]
fn a_terminal_shows_the_link_and_the_code_as_lines() {
    let idp = Idp::start().unwrap();
    let world = world(&idp);
    idp.people(People::LogIn);
    let config = world.home.path().join("config");
    let mut command = Command::new("script");
    let line = format!("ssh -F {} gw echo in", config.display());
    command.args(["-qec", &line, "/dev/null"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.env_remove("SSH_ASKPASS").env_remove("DISPLAY");
    let mut child = command.spawn().unwrap();
    let (mut keys, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let (mut seen, mut pressed, mut buffer) = (String::new(), 0, [0; 4096]);
    loop {
        let read = shown.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        seen.push_str(&String::from_utf8_lossy(&buffer[..read]));
        // Whatever is typed before a question stands there is thrown away by `ssh`.
        if pressed < [FIRST, SECOND].iter().filter(|question| seen.contains(**question)).count() {
            keys.write_all(b"\n").unwrap();
            pressed += 1;
        }
    }
    child.wait().unwrap();
    let page =
        format!("open {}/activate?user_code=CODE-0001\r\nand check that it shows the code CODE-0001.\r\n", idp.url());
    assert!(seen.contains(&page), "{seen:?}");
    assert!(seen.contains(SECOND) && seen.ends_with("in\r\n"), "{seen:?}");
}
