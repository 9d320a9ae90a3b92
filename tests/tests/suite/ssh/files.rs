//! Files: sftp, scp by both protocols, rsync, git.

use std::fs;

use super::world::World;

const POLICY: &str = r#"
rules:
  - { name: in, who: { groups: [agents] }, do: [connect, session], then: allow }
  - { name: reads, who: { groups: [agents] }, do: [read], objects: ["path:FILES/*"], then: allow }
  - { name: writes, who: { groups: [agents] }, do: [write, create, alter], objects: ["path:FILES/up/*", "path:FILES/up"], then: allow }
"#;

fn world() -> World {
    let world = World::new(POLICY);
    fs::create_dir(world.file("up")).unwrap();
    let content: Vec<u8> = (0..3_000_000_u32).map(|at| u8::try_from((at * 7 + at / 253) & 0xff).unwrap()).collect();
    fs::write(world.file("big"), content).unwrap();
    world
}

#[test]
fn sftp_is_judged_operation_by_operation() {
    let world = world();
    let files = world.sshd.files().display().to_string();
    std::os::unix::fs::symlink("/etc/passwd", world.file("up/link")).unwrap();
    let batch = format!(
        "get {files}/big one\nput one {files}/up/two\nrename {files}/up/two {files}/up/three\nls -l {files}/up\nmkdir {files}/up/d\n-rm {files}/up/three\n\
         -get {files}/up/link secret\n-get /etc/passwd secret\n-get {files}/../../../etc/passwd secret\n-put one {files}/here\n-symlink /etc/passwd {files}/up/new\n\
         -ln {files}/big {files}/up/hard\n-symlink ../ok {files}/up/d/l\n-rename {files}/up/d/l {files}/up/l\n-ln {files}/up/d/l {files}/up/h\n\
         -mkdir {files}/up/d/e\n-rename {files}/up/d/e {files}/up/d/f\n-rename {files}/up/d/f {files}/up/f\n-rename {files}/up/d/l {files}/up/d/m\n"
    );
    let said = world.feed("sftp", &["gw"], batch.as_bytes());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert_eq!(fs::read(world.file("up/three")).unwrap(), fs::read(world.file("big")).unwrap());
    assert!(world.file("up/d").is_dir() && !world.home.path().join("secret").exists() && !world.file("here").exists());
    assert!(!world.file("up/new").exists() && !world.file("up/hard").exists());
    // In another folder a link leads elsewhere, and so may those in a folder.
    assert_eq!(fs::read_link(world.file("up/d/m")).unwrap().to_str(), Some("../ok"));
    assert!(["up/l", "up/h", "up/f"].iter().all(|gone| world.file(gone).symlink_metadata().is_err()));
    assert!(world.file("up/d/f").is_dir());
    let replay = world.replay();
    let digest = "3000000 bytes";
    assert!(replay.matches(digest).count() >= 2 && replay.contains("put ") && replay.contains("denied"), "{replay}");
}

/// A terminal changes what goes through it: with `IGNCR` the target would read other packets than were judged.
#[test]
fn files_do_not_go_through_a_terminal() {
    let world = world();
    let said = world.run("ssh", &["-tt", "-s", "gw", "sftp"]);
    assert!(said.code != Some(0) && said.out.is_empty() && said.err.contains("subsystem request failed"), "{said:?}");
    assert!(world.feed("sftp", &["gw"], b"pwd\n").code == Some(0));
}

#[test]
fn scp_speaks_both_protocols() {
    let world = world();
    let files = world.sshd.files().display().to_string();
    for (args, name) in [(&["-q"][..], "new"), (&["-q", "-O"], "old")] {
        let here = format!("{name}.here");
        let from = format!("gw:{files}/big");
        let to = format!("gw:{files}/up/{name}");
        let said = world.run("scp", &[args, &[&from, &here]].concat());
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        let said = world.run("scp", &[args, &[&here, &to]].concat());
        assert_eq!(said.code, Some(0), "{name}: {said:?}");
        assert_eq!(fs::read(world.file(&format!("up/{name}"))).unwrap(), fs::read(world.file("big")).unwrap());
        let said = world.run("scp", &[args, &["gw:/etc/passwd", "secret"]].concat());
        assert!(said.code != Some(0) && !world.home.path().join("secret").exists(), "{name}: {said:?}");
        let said = world.run("scp", &[args, &[&here, &format!("gw:{files}/here")]].concat());
        assert!(said.code != Some(0) && !world.file("here").exists(), "{name}: {said:?}");
    }
}

#[test]
fn rsync_carries_a_tree_both_ways() {
    let world = world();
    let tree = world.home.path().join("tree");
    for at in 0..500 {
        let directory = tree.join(format!("d{}", at % 25));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("f{at}")), format!("file {at}").repeat(at % 40)).unwrap();
    }
    let files = world.sshd.files().display().to_string();
    // A link that rsync makes leads wherever the client says, which this policy allows nobody.
    std::os::unix::fs::symlink("../../big", tree.join("link")).unwrap();
    let links = world.run("rsync", &["-a", "tree/", &format!("gw:{files}/up/tree")]);
    assert!(links.code != Some(0) && links.err.contains("create on other:links"), "{links:?}");
    assert!(!world.file("up/tree").exists());
    let up = world.run("rsync", &["-a", "--safe-links", "tree/", &format!("gw:{files}/up/tree")]);
    assert_eq!(up.code, Some(0), "{up:?}");
    assert!(world.file("up/tree/link").symlink_metadata().is_err());
    fs::remove_file(tree.join("link")).unwrap();
    let down = world.run("rsync", &["-a", &format!("gw:{files}/up/tree/"), "back"]);
    assert_eq!(down.code, Some(0), "{down:?}");
    let same = std::process::Command::new("diff").args(["-r", "tree", "back"]).current_dir(world.home.path()).status();
    assert!(same.unwrap().success());
    let out = world.run("rsync", &["-a", "gw:/etc/", "etc"]);
    assert!(out.code != Some(0) && !world.home.path().join("etc/passwd").exists(), "{out:?}");
    let over = world.run("rsync", &["-a", "tree/", &format!("gw:{files}/here")]);
    assert!(over.code != Some(0) && !world.file("here").exists(), "{over:?}");
}

#[test]
fn git_clones_and_pushes() {
    let world = world();
    let bare = world.file("up/repo.git");
    let git = |args: &[&str]| {
        let said = world.run(
            "git",
            &[&["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "init.defaultBranch=main"], args].concat(),
        );
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
    };
    git(&["init", "-q", "--bare", &bare.display().to_string()]);
    let url = format!("gw:{}", bare.display());
    git(&["clone", "-q", &url, "work"]);
    fs::write(world.home.path().join("work/a"), "a\n").unwrap();
    git(&["-C", "work", "add", "a"]);
    git(&["-C", "work", "commit", "-q", "-m", "one"]);
    git(&["-C", "work", "push", "-q", "origin", "HEAD:main"]);
    git(&["clone", "-q", "-b", "main", &url, "again"]);
    assert_eq!(fs::read_to_string(world.home.path().join("again/a")).unwrap(), "a\n");
    let said = world.run("git", &["clone", "-q", "gw:/srv/other.git", "none"]);
    assert!(said.code != Some(0) && said.err.contains("sallyport: denied"), "{said:?}");
}
