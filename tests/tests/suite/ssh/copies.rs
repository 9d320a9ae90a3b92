//! scp's old protocol (`scp -O`), file by file, and what recordings keep of files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::world::{Said, World};

const POLICY: &str = r#"
rules:
  - { name: in, who: { groups: [agents] }, do: [connect, session], then: allow }
  - { name: reads, who: { groups: [agents] }, do: [read], objects: ["path:FILES/*", "path:FILES"], then: allow }
  - { name: writes, who: { groups: [agents] }, do: [write, create, alter], objects: ["path:FILES/up/*", "path:FILES/up"], then: allow }
  - { name: keys, who: { groups: [agents] }, do: [read, write, create], objects: ["path:FILES/*key*"], then: deny, message: "Ask in #ops." }
  - { name: human, who: { groups: [agents] }, do: [write], objects: ["path:FILES/up/held"], then: approve, approval: { by: { groups: [dba] }, expires: 60s } }
"#;

fn world(more: &str) -> World {
    let world = World::new(&format!("{POLICY}{more}"));
    fs::create_dir(world.file("up")).unwrap();
    world
}

fn bytes(length: u32) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at ^ (at >> 9) ^ (at >> 17)) & 0xff).unwrap()).collect()
}

/// A tree with empty files, blanks, other alphabets, an empty folder.
fn tree(root: &Path) {
    for (path, content) in [
        ("a", bytes(70_000)),
        ("empty", Vec::new()),
        ("with space/b c", b"x".to_vec()),
        ("with space/grüße 世界", bytes(5)),
        ("z/y/x/deep", bytes(32_768)),
    ] {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }
    fs::create_dir(root.join("nothing in it")).unwrap();
}

fn scp(world: &World, args: &[&str]) -> Said {
    world.run("scp", &[&["-O"], args].concat())
}

fn same(one: &Path, two: &Path) {
    let diff = std::process::Command::new("diff").arg("-r").arg(one).arg(two).output().unwrap();
    assert!(diff.status.success(), "{}", String::from_utf8_lossy(&diff.stdout));
}

/// `sessions files last`, as JSON.
fn files(world: &World) -> Vec<Value> {
    std::thread::sleep(Duration::from_millis(300));
    serde_json::from_str(&world.gateway.cli(&["sessions", "files", "last", "--json"]).unwrap()).unwrap()
}

fn find<'a>(files: &'a [Value], operation: &str, path: &Path) -> &'a Value {
    let path = path.display().to_string();
    let found = files.iter().find(|file| file["operation"] == operation && file["path"] == path.as_str());
    found.unwrap_or_else(|| panic!("no {operation} of {path}: {files:#?}"))
}

/// What the gateway calls a folder `tree` that goes to `up`: that one, or one in it.
fn tree_in(up: &Path) -> std::path::PathBuf {
    format!("{}[/tree]", up.display()).into()
}

#[test]
fn a_tree_goes_up_and_comes_back_as_it_was() {
    let world = world("");
    let here = world.home.path().join("tree");
    tree(&here);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(here.join("a")).unwrap().set_modified(old).unwrap();
    fs::set_permissions(here.join("a"), fs::Permissions::from_mode(0o640)).unwrap();
    let up = world.file("up");
    let said = scp(&world, &["-r", "-p", "tree", &format!("gw:{}/", up.display())]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    same(&here, &up.join("tree"));
    let kept = fs::metadata(up.join("tree/a")).unwrap();
    assert_eq!((kept.modified().unwrap(), kept.permissions().mode() & 0o777), (old, 0o640));
    let done = files(&world);
    // Only the target knows whether the folder of the command was there.
    let put = find(&done, "put", &tree_in(&up).join("with space/grüße 世界"));
    assert_eq!((&put["size"], &put["outcome"], &put["kept"]), (&5.into(), &"ok".into(), &0.into()), "{put}");
    assert_eq!(find(&done, "put", &tree_in(&up).join("a"))["digest"], blake3::hash(&bytes(70_000)).to_hex().as_str());
    assert_eq!(find(&done, "put", &tree_in(&up).join("empty"))["size"], 0);

    let said = scp(&world, &["-r", "-p", &format!("gw:{}/tree", up.display()), "back"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said:?}");
    same(&here, &world.home.path().join("back"));
    assert_eq!(fs::metadata(world.home.path().join("back/a")).unwrap().modified().unwrap(), old);
    find(&files(&world), "get", &up.join("tree/z/y/x/deep"));
}

#[test]
fn what_is_refused_in_a_tree_stays_where_it_is_and_the_rest_goes_on() {
    let world = world("");
    let here = world.home.path().join("tree");
    tree(&here);
    fs::write(here.join("b.key"), "SECRET").unwrap();
    fs::create_dir(here.join("keys")).unwrap();
    fs::write(here.join("keys/one"), "SECRET").unwrap();
    let up = world.file("up");
    let said = scp(&world, &["-r", "-p", "tree", &format!("gw:{}", up.display())]);
    assert!(said.code == Some(1) && said.err.contains("up[/tree]/b.key: sallyport: denied"), "{said:?}");
    assert!(!up.join("tree/b.key").exists() && !up.join("tree/keys").exists());
    fs::remove_file(here.join("b.key")).unwrap();
    fs::remove_dir_all(here.join("keys")).unwrap();
    same(&here, &up.join("tree"));

    // The other way.
    fs::write(up.join("tree/a.key"), "SECRET").unwrap();
    fs::create_dir(up.join("tree/keys")).unwrap();
    fs::write(up.join("tree/keys/one"), "SECRET").unwrap();
    let said = scp(&world, &["-r", "-p", &format!("gw:{}/tree", up.display()), "back"]);
    assert!(said.code == Some(1) && said.err.contains("tree/a.key: sallyport: denied"), "{said:?}");
    same(&here, &world.home.path().join("back"));
    let replay = world.replay();
    assert!(!replay.contains("SECRET") && replay.contains("denied"), "{replay}");
}

#[test]
fn a_held_file_waits_for_a_human() {
    let world = world("");
    fs::write(world.home.path().join("held"), bytes(300_000)).unwrap();
    fs::write(world.home.path().join("free"), "free").unwrap();
    let to = world.file("up");
    for (answer, code) in [("deny", Some(1)), ("approve", Some(0))] {
        let child = world.start("scp", &["-O", "held", "free", &format!("gw:{}", to.display())]);
        let id = world.waiting();
        assert!(!to.join("held").exists() && !to.join("free").exists());
        world.answer(&id, answer);
        let said = Said::of(child.wait_with_output().unwrap());
        assert_eq!((said.code, to.join("held").exists()), (code, answer == "approve"), "{said:?}");
        assert_eq!(fs::read(to.join("free")).unwrap(), b"free");
        fs::remove_file(to.join("free")).unwrap();
    }
    assert_eq!(fs::read(to.join("held")).unwrap(), bytes(300_000));
}

#[test]
fn large_files_globs_and_what_is_not_there() {
    let world = world("");
    let big = bytes(50_000_000);
    fs::write(world.home.path().join("big"), &big).unwrap();
    let up = world.file("up");
    let said = scp(&world, &["-q", "big", &format!("gw:{}/big", up.display())]);
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(fs::read(up.join("big")).unwrap() == big);
    for name in ["one.log", "two.log", "b.key"] {
        fs::write(up.join(name), name).unwrap();
    }
    fs::create_dir(world.home.path().join("here")).unwrap();
    let said = scp(&world, &[&format!("gw:{}/*", up.display()), "here"]);
    assert!(said.code == Some(1) && said.err.contains("b.key: sallyport: denied"), "{said:?}");
    let mut names: Vec<_> =
        fs::read_dir(world.home.path().join("here")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["big", "one.log", "two.log"]);
    assert!(fs::read(world.home.path().join("here/big")).unwrap() == big);
    let said = scp(&world, &[&format!("gw:{}/none", up.display()), "here"]);
    assert!(said.code == Some(1) && said.err.contains("No such file"), "{said:?}");
    let said = scp(&world, &["none", "big", &format!("gw:{}", up.display())]);
    assert!(said.code == Some(1) && said.err.contains("No such file"), "{said:?}");
    fs::create_dir(up.join("taken")).unwrap();
    fs::create_dir(up.join("taken/big")).unwrap();
    let said = scp(&world, &["big", &format!("gw:{}/taken", up.display())]);
    assert!(said.code == Some(1) && said.err.contains("Is a directory"), "{said:?}");
    let said = scp(&world, &["big", &format!("gw:{}/nowhere/", up.display())]);
    assert_ne!(said.code, Some(0), "{said:?}");
}

#[test]
fn a_name_is_judged_whatever_the_command_says() {
    let world = world("");
    let up = world.file("up").display().to_string();
    let session = |command: &str, input: &[u8]| world.feed("ssh", &["gw", command], input);
    // Without waiting for any answer.
    session(&format!("scp -t {up}"), b"C0644 3 b.key\nabc\0C0644 3 fine\nabc\0");
    assert!(!world.file("up/b.key").exists());
    for input in ["C0644 3 ../x\nabc\0", "C0644 3 /tmp/x\nabc\0", "C0644 3 a\0/../../x\nabc\0", "hello\n", "E\nE\n"] {
        let said = session(&format!("scp -t {up}"), input.as_bytes());
        assert!(said.code == Some(126) && said.err.contains("sallyport: the message breaks the protocol"), "{said:?}");
        assert!(!world.file("x").exists());
    }
    for command in [format!("true; scp -t {up}"), format!("sh -c 'scp -t {up}'"), format!("(scp -t {up})")] {
        let said = session(&command, b"C0644 3 fine\nabc\0");
        assert!(said.code == Some(126) && said.err.contains("denied"), "{command}: {said:?}");
    }
    assert_eq!(fs::read_dir(world.file("up")).unwrap().count(), 0);
}

#[test]
fn content_is_in_the_recording_where_a_rule_says_so() {
    let world = world("records:\n  - { name: all, who: any, results: full }\n");
    let up = world.file("up");
    let content = bytes(1_500_000);
    fs::write(world.home.path().join("one"), &content).unwrap();
    let extract = |number: &Value, name: &str| {
        let out = world.home.path().join(name);
        let number = number.as_u64().unwrap().to_string();
        let said = world.gateway.cli(&["sessions", "files", "last", "--extract", &number, "-o", out.to_str().unwrap()]);
        (fs::read(out).unwrap_or_default(), said.unwrap())
    };
    let rounds = [
        ("scp", vec!["-O", "one", "gw:UP/one"], ""),
        ("scp", vec!["-O", "gw:UP/one", "two"], ""),
        ("sftp", vec!["gw"], "put one UP/three\nget UP/three four\n"),
    ];
    for (program, args, input) in rounds {
        let args: Vec<String> = args.iter().map(|arg| arg.replace("UP", &up.display().to_string())).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = world.feed(program, &args, input.replace("UP", &up.display().to_string()).as_bytes());
        assert_eq!(said.code, Some(0), "{said:?}");
        let done = files(&world);
        let mut found = 0;
        for file in done.iter().filter(|file| file["operation"] == "put" || file["operation"] == "get") {
            assert_eq!((&file["size"], &file["kept"]), (&1_500_000.into(), &1_500_000.into()), "{file}");
            let (got, said) = extract(&file["number"], "extracted");
            assert!(got == content && said.contains("its digest is the recorded one"), "{said}");
            found += 1;
        }
        assert_eq!(found, if program == "sftp" { 2 } else { 1 }, "{done:#?}");
        let table = world.gateway.cli(&["sessions", "files", "last"]).unwrap();
        assert!(table.contains("OUTCOME") && table.contains("all"), "{table}");
    }
    assert!(world.gateway.cli(&["sessions", "verify"]).unwrap().contains("all whole"));
}

/// Writes and reads that jump about, as paramiko lets programs do.
#[test]
fn content_that_came_in_any_order_is_put_together() {
    let Ok(python) = std::env::var("SUITE_PYTHON") else { return };
    let world = world("records:\n  - { name: all, who: any, results: full }\n");
    let up = world.file("up").display().to_string();
    let token = world.gateway.token_for(&sallyport_tests::kit::gateway::Who::agent("agent-7"), "web-1").unwrap();
    let script = format!(
        r#"
import paramiko
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", {port}, "web-1", password="{token}", allow_agent=False, look_for_keys=False)
sftp = client.open_sftp()
parts = [(at * 40000, bytes([at]) * 40000) for at in (3, 0, 4, 1, 2)]
with sftp.open("{up}/jumps", "w") as file:
    for at, part in parts:
        file.seek(at)
        file.write(part)
    file.seek(5)
    file.write(b"again")
with sftp.open("{up}/jumps") as file:
    data = {{at: part for at, part in zip((150000, 0, 100000, 50000), file.readv([(150000, 50000), (0, 50000), (100000, 50000), (50000, 50000)]))}}
open("back", "wb").write(b"".join(data[at] for at in sorted(data)))
"#,
        port = world.gateway.ssh().unwrap(),
    );
    let mut command = std::process::Command::new(python);
    command.arg("-c").arg(script).current_dir(world.home.path()).stdin(Stdio::null());
    let said = Said::of(command.output().unwrap());
    assert_eq!(said.code, Some(0), "{said:?}");
    let content = fs::read(world.file("up/jumps")).unwrap();
    assert!(content.len() == 200_000 && content == fs::read(world.home.path().join("back")).unwrap());
    for operation in ["put", "get"] {
        let done = files(&world);
        let number = find(&done, operation, &world.file("up/jumps"))["number"].as_u64().unwrap().to_string();
        let out = world.home.path().join(operation);
        let args = ["sessions", "files", "last", "--extract", &number, "-o", out.to_str().unwrap()];
        world.gateway.cli(&args).unwrap();
        assert!(fs::read(out).unwrap() == content, "{operation}");
    }
}

#[test]
fn by_default_recordings_have_size_and_digest_only() {
    let world = world("");
    fs::write(world.home.path().join("one"), "PLAINTEXT of a file\n".repeat(1000)).unwrap();
    let up = world.file("up").display().to_string();
    for (program, args, input) in [
        ("scp", vec!["-O".to_owned(), "one".to_owned(), format!("gw:{up}/one")], String::new()),
        ("scp", vec!["-O".to_owned(), format!("gw:{up}/one"), "two".to_owned()], String::new()),
        ("sftp", vec!["gw".to_owned()], format!("put one {up}/three\nget {up}/three four\n")),
    ] {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let said = world.feed(program, &args, input.as_bytes());
        assert_eq!(said.code, Some(0), "{said:?}");
        let done = files(&world);
        let file = done.iter().find(|file| file["size"] == 20_000).unwrap();
        assert!(file["kept"] == 0 && file["digest"].is_string(), "{file}");
        let events = world.gateway.cli(&["sessions", "export", "last"]).unwrap();
        assert!(!events.contains("PLAINTEXT") && !events.contains("\"content\"") && !events.contains("base64"));
        let number = file["number"].as_u64().unwrap().to_string();
        let out = world.home.path().join("none");
        let args = ["sessions", "files", "last", "--extract", &number, "-o", out.to_str().unwrap()];
        assert!(world.gateway.cli(&args).is_err() && !out.exists());
    }
}

/// The package `scp` over paramiko.
#[test]
fn the_scp_of_python() {
    let Ok(python) = std::env::var("SUITE_PYTHON") else { return };
    let world = world("");
    let up = world.file("up").display().to_string();
    tree(&world.home.path().join("tree"));
    fs::write(world.home.path().join("tree/b.key"), "SECRET").unwrap();
    let token = world.gateway.token_for(&sallyport_tests::kit::gateway::Who::agent("agent-7"), "web-1").unwrap();
    let script = format!(
        r#"
import sys
import paramiko
import scp
client = paramiko.SSHClient()
client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
client.connect("127.0.0.1", {port}, "web-1", password="{token}", allow_agent=False, look_for_keys=False)
with scp.SCPClient(client.get_transport()) as copy:
    copy.put("tree/a", "{up}/a")
    copy.get("{up}/a", "a.back")
    copy.put("tree/with space", "{up}", recursive=True, preserve_times=True)
    copy.get("{up}/with space", "back", recursive=True)
try:
    with scp.SCPClient(client.get_transport()) as copy:
        copy.put("tree/b.key", "{up}/b.key")
    sys.exit("a file that is denied")
except scp.SCPException as error:
    print(error)
"#,
        port = world.gateway.ssh().unwrap(),
    );
    let mut command = std::process::Command::new(python);
    command.arg("-c").arg(script).current_dir(world.home.path()).stdin(Stdio::null());
    let said = Said::of(command.output().unwrap());
    assert!(said.code == Some(0) && said.out.contains("sallyport: denied"), "{said:?}");
    assert_eq!(fs::read(world.home.path().join("a.back")).unwrap(), bytes(70_000));
    same(&world.home.path().join("tree/with space"), &world.file("up/with space"));
    same(&world.home.path().join("tree/with space"), &world.home.path().join("back"));
    assert!(!world.file("up/b.key").exists());
}
