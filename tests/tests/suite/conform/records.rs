//! What clients are told, and what recordings hold.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use sallyport_tests::kit::gateway::Who;
use sallyport_tests::kit::process::{output, wait_for};

use super::{Client, End, Heard, PATIENCE, Protocol, Verb, World};

pub(super) fn clients_are_told_nothing_but_what_is_theirs<P: Protocol>() {
    let world = World::<P>::new();
    let stranger = Who { groups: vec!["strangers".to_owned()], ..Who::agent("stranger") };
    let stranger = world.gateway.token_for(&stranger, P::TARGET).unwrap();
    let mut told = vec![
        ("an unknown token", world.refused("spt_ThisIsNoTokenAtAllButLooksLikeOne", P::TARGET)),
        ("an unknown target", world.refused(&world.token, "nowhere")),
        ("no way in", world.refused(&stranger, P::TARGET)),
    ];
    let mut client = world.connect();
    client.say(Verb::Denied, "marker");
    let denied = Heard::whole(&mut client).text;
    for word in ["never", "SP-DENIED", "ses_", "Ask in #ops."] {
        assert!(denied.contains(word), "{word} in {denied:?}");
    }
    told.push(("a denial", denied));
    client.say(Verb::Held, "marker");
    let id = world.waiting();
    world.answer("deny", &id);
    let held = Heard::whole(&mut client).text;
    assert!(held.contains(&id) && held.contains("SP-APPROVAL-DENIED"), "{held:?}");
    told.push(("a hold", held));
    client.say(Verb::Endless, "ends-soon");
    world.reaches("ends-soon");
    world.gateway.cli(&["sessions", "kill", &world.session(), "--reason", "enough"]).unwrap();
    told.push(("a kill", Heard::whole(&mut client).text));
    let mut secrets = P::secrets();
    secrets.extend([world.token.clone(), stranger, "127.0.0.1".to_owned(), world.target.port.to_string()]);
    secrets.extend(Some(world.target.about.trim().to_owned()).filter(|about| !about.is_empty()));
    for (when, text) in told {
        println!("{when}: {text:?}");
        for secret in &secrets {
            assert!(!text.contains(secret.as_str()), "{when}: {secret:?} in {text:?}");
        }
    }
}

/// What a mask means is not shown, however the target cuts it into pieces.
pub(super) fn a_reply_is_masked_before_it_is_shown<P: Protocol>() {
    let world = World::<P>::new();
    let mut client = world.connect();
    for round in 0..20 {
        let hidden = format!("alice{round}@example.com");
        client.say(Verb::Allowed, &hidden);
        let heard = Heard::whole(&mut client);
        assert!(world.target.has(&hidden) && heard.end == End::Done, "{heard:?}");
        assert!(!heard.text.contains(&hidden) && !heard.text.contains("@example"), "{heard:?}");
    }
    client.say(Verb::Allowed, "in-clear");
    assert!(Heard::whole(&mut client).text.contains("in-clear"));
    drop(client);
    verified(&world);
}

pub(super) fn every_command_is_in_a_recording_that_verifies<P: Protocol>() {
    let world = World::<P>::new();
    let mut client = world.connect();
    let mut markers = Vec::new();
    for round in 0..20 {
        for verb in [Verb::Allowed, Verb::Denied] {
            let marker = format!("mark-{round}-{verb:?}-x");
            client.say(verb, &marker);
            assert_eq!(Heard::whole(&mut client).end, End::Done);
            markers.push(marker);
        }
    }
    client.say(Verb::Held, "mark-held");
    let id = world.waiting();
    world.answer("approve", &id);
    Heard::whole(&mut client);
    client.say(Verb::Endless, "mark-endless");
    world.reaches("mark-endless");
    world.gateway.cli(&["sessions", "kill", &world.session()]).unwrap();
    assert_eq!(Heard::whole(&mut client).end, End::Closed);
    markers.extend(["mark-held".to_owned(), "mark-endless".to_owned()]);
    let said = verified(&world);
    let all = world.gateway.cli(&["sessions", "export", "--all", "--format", "jsonl"]).unwrap();
    let missing: Vec<&String> = markers.iter().filter(|marker| !all.contains(marker.as_str())).collect();
    assert!(missing.is_empty(), "not recorded: {missing:?}");
    println!("{} commands recorded; {}", markers.len(), said.trim());
}

/// The recordings are on a file system that becomes full: what a client was shown is in them all the same, and nothing was run that is not.
pub(super) fn nothing_is_shown_that_a_full_disk_does_not_hold<P: Protocol>() {
    let mut world = World::<P>::new();
    world.gateway.stop();
    let disk = Disk::mount(&world.gateway.data());
    world.gateway.start_again().unwrap();
    let mut client = world.connect();
    client.say(Verb::Allowed, "before-it-is-full");
    assert!(Heard::whole(&mut client).text.contains("before-it-is-full"));
    disk.fill();
    let (mut shown, mut closed) = (Vec::new(), false);
    // Long texts, to fill the recording sooner.
    let padding = "x".repeat(8000);
    for round in 0..1500 {
        let marker = format!("full-{round}-");
        client.say(Verb::Allowed, &format!("{marker}{padding}"));
        let heard = client.hear(Duration::from_secs(5));
        if heard.text.contains(&marker) {
            shown.push(marker);
        }
        if heard.end != End::Done {
            closed = true;
            println!("after {round} commands: {:?}", heard.end);
            break;
        }
    }
    let refused = P::connect(&world.gateway, &world.token, P::TARGET).is_err();
    println!(
        "{} were shown on a full disk; the session stopped: {closed}; new sessions refused: {refused}",
        shown.len()
    );
    assert!(closed, "a recorder without room does not go on");
    drop(client);
    disk.empty();
    let mut all = String::new();
    let missing = |all: &mut String| {
        *all = world.gateway.cli(&["sessions", "export", "--all", "--format", "jsonl"]).unwrap();
        shown.iter().filter(|marker| !all.contains(marker.as_str())).count()
    };
    // The spool is carried over once there is room.
    let whole = wait_for("the recording", PATIENCE, || Ok(missing(&mut all) == 0));
    assert!(whole.is_ok(), "shown, and in no recording: {} of {}", missing(&mut all), shown.len());
    verified(&world);
    let stopped = format!("full-{}-", shown.len());
    assert!(!world.target.has(&stopped) || all.contains(&stopped), "run, and in no recording");
    world.gateway.stop();
}

/// Waits until the sessions are closed, and has their recordings verified.
fn verified<P: Protocol>(world: &World<P>) -> String {
    let mut said = String::new();
    wait_for("recordings that verify", PATIENCE, || {
        said = world.gateway.cli(&["sessions", "verify"])?;
        Ok(said.contains("all whole") && said.contains(" 0 open"))
    })
    .unwrap_or_else(|error| panic!("{error:#}: {said}"));
    said
}

/// A small file system of its own over a directory, with what was in it, until it is dropped.
struct Disk {
    at: PathBuf,
}

impl Disk {
    fn mount(at: &Path) -> Self {
        let aside = tempfile::TempDir::new().unwrap();
        output(Command::new("cp").arg("-a").arg(at.join(".")).arg(aside.path()), "cp").unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=96m,mode=0700", "none"]).arg(at);
        output(&mut mount, "mount (which takes root)").unwrap();
        let disk = Self { at: at.to_owned() };
        output(Command::new("cp").arg("-a").arg(aside.path().join(".")).arg(at), "cp").unwrap();
        disk
    }

    fn fill(&self) {
        let mut filler = std::fs::File::create(self.at.join("filler")).unwrap();
        let block = vec![1; 4096];
        while std::io::Write::write_all(&mut filler, &block).is_ok() {}
    }

    fn empty(&self) {
        std::fs::remove_file(self.at.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _gone = Command::new("umount").arg("--lazy").arg(&self.at).status();
    }
}
