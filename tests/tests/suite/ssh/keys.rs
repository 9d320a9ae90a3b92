//! Clients that prove themselves by key or certificate, targets that are opened by a certificate of minutes, and host keys that are accepted.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sallyport_tests::kit::process::output;
use sallyport_tests::kit::sshd::user;
use tempfile::TempDir;

use super::world::{Said, TARGET, World};

/// `deploy` by key and `alice` by certificate may run `id`, and nobody else anything.
const POLICY: &str = r#"
rules:
  - { name: may-come, who: { users: [deploy, alice] }, do: [connect, session], then: allow }
  - { name: id, who: { users: [deploy] }, commands: ["id", "sleep *"], do: [read, execute], then: allow }
  - { name: staff, who: { groups: [staff] }, commands: ["id"], do: [read, execute], then: allow }
"#;

/// A security key without hardware, of OpenSSH's own tests (Debian: `openssh-tests`).
pub(super) const SECURITY_KEYS: &str = "/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so";

/// Keys of clients, made by `ssh-keygen`.
pub(super) struct Keys(TempDir);

impl Keys {
    pub(super) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(super) fn keygen(&self, args: &[&str]) {
        let mut command = Command::new("ssh-keygen");
        command.env("SSH_SK_PROVIDER", SECURITY_KEYS);
        output(command.arg("-q").args(args).current_dir(self.0.path()), "ssh-keygen").unwrap();
    }

    /// Makes a key; its public line.
    fn make(&self, name: &str, kind: &str) -> String {
        self.make_with(name, &["-t", kind])
    }

    /// The same with other options of `ssh-keygen`.
    pub(super) fn make_with(&self, name: &str, args: &[&str]) -> String {
        self.keygen(&[args, &["-N", "", "-f", name]].concat());
        self.text(&format!("{name}.pub"))
    }

    /// What is in a file.
    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap().trim().to_owned()
    }

    /// Certifies the key `name` by the key `authority`.
    pub(super) fn certify(&self, authority: &str, name: &str, args: &[&str]) {
        let public = format!("{name}.pub");
        let mut all = vec!["-s", authority, "-I", "laptop"];
        all.extend(args);
        all.push(&public);
        self.keygen(&all);
    }

    pub(super) fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

/// `id` with this key and no password.
pub(super) fn by_key(world: &World, key: &str) -> Said {
    let options =
        ["-o", "PubkeyAuthentication=yes", "-o", "IdentitiesOnly=yes", "-o", "PreferredAuthentications=publickey"];
    let mut args = vec!["-i", key];
    args.extend(options);
    args.extend(["gw", "id"]);
    world.run("ssh", &args)
}

#[test]
fn known_keys_prove_who_they_are_of_until_they_are_removed() {
    let keys = Keys::new();
    let lines: Vec<String> =
        ["ed25519", "ecdsa", "rsa"].iter().map(|kind| keys.make(&format!("key-{kind}"), kind)).collect();
    keys.make("stranger", "ed25519");
    let known: String = lines
        .iter()
        .map(|line| format!("    - {{ key: \"{line}\", subject: deploy, kind: ci, targets: [{TARGET}] }}\n"))
        .collect();
    let world = World::with(POLICY, |_, options| options.extra = format!("ssh:\n  keys:\n{known}"));
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let said = by_key(&world, &keys.path(&format!("key-{kind}")));
        assert!(said.out.contains("uid=") && said.code == Some(0), "{kind}: {said:?}");
    }
    let said = by_key(&world, &keys.path("stranger"));
    assert!(said.out.is_empty() && said.code == Some(255), "{said:?}");
    assert!(world.replay().contains("deploy"), "{}", world.replay());

    // Whoever has a removed key is out, within the time that a change of a file takes to be noticed.
    let key = keys.path("key-ed25519");
    let config = world.home.path().join("config");
    let mut command = Command::new("ssh");
    command.arg("-F").arg(&config).args(["-i", &key, "-o", "PubkeyAuthentication=yes", "-o", "IdentitiesOnly=yes"]);
    let mut running = command.args(["gw", "sleep 60"]).stdin(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(700));
    assert!(running.try_wait().unwrap().is_none(), "the program has ended by itself");
    world
        .gateway
        .edit_config(|text| {
            text.replace(&lines[0], "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ")
        })
        .unwrap();
    let start = Instant::now();
    while running.try_wait().unwrap().is_none() {
        assert!(start.elapsed() < Duration::from_secs(8), "the session goes on without its key");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(by_key(&world, &key).code, Some(255));
    assert!(by_key(&world, &keys.path("key-rsa")).out.contains("uid="));
}

#[test]
fn certificates_of_a_known_authority_count_for_what_they_say() {
    let keys = Keys::new();
    let authority = keys.make("ca", "ed25519");
    keys.make("other-ca", "ed25519");
    let config =
        format!("ssh:\n  authorities:\n    - {{ name: people, key: \"{authority}\", kind: human, groups: [staff] }}\n");
    let world = World::with(POLICY, |_, options| options.extra = config);
    let now = ["-n", "alice", "-V", "-1m:+5m"];
    for (name, kind, by, args, good) in [
        ("good", "ed25519", "ca", now.to_vec(), true),
        ("rsa", "rsa", "ca", now.to_vec(), true),
        ("here", "ecdsa", "ca", [&now[..], &["-O", "source-address=127.0.0.0/8"]].concat(), true),
        ("elsewhere", "ed25519", "ca", [&now[..], &["-O", "source-address=10.0.0.0/8"]].concat(), false),
        ("forced", "ed25519", "ca", [&now[..], &["-O", "force-command=id"]].concat(), false),
        ("expired", "ed25519", "ca", vec!["-n", "alice", "-V", "-10m:-5m"], false),
        ("early", "ed25519", "ca", vec!["-n", "alice", "-V", "+1h:+2h"], false),
        ("nobody", "ed25519", "ca", vec!["-V", "-1m:+5m"], false),
        ("host", "ed25519", "ca", [&now[..], &["-h"]].concat(), false),
        ("unknown", "ed25519", "other-ca", now.to_vec(), false),
    ] {
        keys.make(name, kind);
        keys.certify(by, name, &args);
        let said = by_key(&world, &keys.path(name));
        assert_eq!((said.code == Some(0), said.out.contains("uid=")), (good, good), "{name}: {said:?}");
    }
    // The authority's key by itself is nobody's.
    assert_eq!(by_key(&world, &keys.path("ca")).code, Some(255));
}

/// The target without its key in the configuration, opened by the gateway's own authority.
fn certified_target(port: u16) -> String {
    let user = user().unwrap();
    format!(
        "  - name: {TARGET}\n    kind: ssh\n    address: 127.0.0.1:{port}\n    labels: {{ env: prod }}\n    roles:\n      ops: {{ user: \
         {user}, ssh_certificate: {{ valid_seconds: 60 }} }}\n"
    )
}

const ALL: &str =
    "rules: [{ name: all, who: { users: [agent-7] }, do: [connect, session, read, execute], then: allow }]";

#[test]
fn targets_are_opened_by_a_certificate_of_minutes_and_host_keys_are_accepted_once() {
    let world = World::with(ALL, |sshd, options| options.targets = certified_target(sshd.port()));
    world.sshd.trust(world.gateway.cli(&["ca", "--ssh"]).unwrap().trim()).unwrap();
    let said = world.ssh("id");
    assert!(said.code == Some(255) && said.err.contains("its host key is not known"), "{said:?}");

    let wrong = targets(&world, &["trust", TARGET, "--fingerprint", "SHA256:no"]);
    assert!(wrong.code == Some(1) && wrong.err.contains("nothing was accepted"), "{wrong:?}");
    let unsaid = targets(&world, &["trust", TARGET]);
    assert!(unsaid.code == Some(1) && unsaid.err.contains("--fingerprint SHA256:"), "{unsaid:?}");
    assert_eq!(world.ssh("id").code, Some(255));

    let found = targets(&world, &["trust", TARGET, "--yes", "--json"]).out;
    let found: serde_json::Value = serde_json::from_str(&found).unwrap();
    assert!(world.sshd.host_key().unwrap().starts_with(found["key"].as_str().unwrap()), "{found}");
    let said = world.ssh("id");
    assert!(said.out.contains("uid=") && said.code == Some(0), "{said:?}");
    // The target's log names the session, and so the recording.
    let log = world.sshd.log().unwrap();
    let accepted =
        log.lines().find(|line| line.contains("Accepted publickey") && line.contains("ED25519-CERT")).unwrap();
    let session = accepted.split("ID sallyport ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
    assert!(world.gateway.cli(&["sessions", "ls"]).unwrap().contains(session.trim()), "{accepted}");
    let check = targets(&world, &["check", TARGET]);
    assert!(check.code == Some(0) && check.out.contains("logged in as"), "{check:?}");

    // Another key at the same place.
    let accepted = world.gateway.data().join(format!("ssh_known/{TARGET}.keys"));
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ\n";
    replace(&accepted, other);
    let said = world.ssh("id");
    assert!(said.code == Some(255) && said.err.contains("HAS CHANGED"), "{said:?}");
    let check = targets(&world, &["check", TARGET]);
    assert!(
        check.code == Some(1) && check.out.contains("HAS CHANGED") && check.out.contains("targets trust"),
        "{check:?}"
    );
}

/// `sallyport targets …` on this gateway's files.
fn targets(world: &World, args: &[&str]) -> Said {
    let mut command = world.gateway.command(&["targets"]);
    command.args(args).env("SALLYPORT_CONFIG", world.gateway.config());
    Said::of(command.stdin(Stdio::null()).output().unwrap())
}

fn replace(path: &Path, text: &str) {
    assert!(path.exists(), "{}", path.display());
    fs::write(path, text).unwrap();
}
