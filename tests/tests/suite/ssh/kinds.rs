//! Keys of every kind: security keys of clients, and what the gateway opens targets with.

use std::process::Command;

use sallyport_tests::kit::process::output;
use sallyport_tests::kit::sshd::user;

use super::keys::{Keys, SECURITY_KEYS, by_key};
use super::world::{Said, TARGET, World};

/// Whoever is known may run `id`.
const POLICY: &str = r#"
rules:
  - { name: all, who: any, do: [connect, session, read, execute], then: allow }
"#;

/// `id` by a security key, which is touched as its file says.
fn by_security_key(world: &World, keys: &Keys, name: &str) -> Said {
    let provider = format!("SecurityKeyProvider={SECURITY_KEYS}");
    let path = keys.path(name);
    let args = [
        "-o",
        "LogLevel=INFO",
        "-o",
        &provider,
        "-o",
        "PubkeyAuthentication=yes",
        "-o",
        "IdentitiesOnly=yes",
        "-o",
        "PreferredAuthentications=publickey",
        "-i",
        &path,
        "gw",
        "id",
    ];
    world.run("ssh", &args)
}

#[test]
fn security_keys_prove_who_they_are_of_when_they_are_touched() {
    let keys = Keys::new();
    let mut known = String::new();
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        for (name, more, touch) in [
            ("touched", &[][..], "true"),
            ("untouched", &["-O", "no-touch-required"], "true"),
            ("lax", &["-O", "no-touch-required"], "false"),
        ] {
            let line = keys.make_with(&format!("{kind}-{name}"), &[&["-t", kind][..], more].concat());
            known += &format!("    - {{ key: \"{line}\", subject: deploy, touch: {touch} }}\n");
        }
        // A key of the same holder that was made for another place.
        keys.make_with(&format!("{kind}-elsewhere"), &["-t", kind, "-O", "application=ssh:elsewhere"]);
    }
    let world = World::with(POLICY, |_, options| options.extra = format!("ssh:\n  keys:\n{known}"));
    for kind in ["ed25519-sk", "ecdsa-sk"] {
        for (name, good) in [("touched", true), ("untouched", false), ("lax", true), ("elsewhere", false)] {
            let said = by_security_key(&world, &keys, &format!("{kind}-{name}"));
            assert_eq!((said.code == Some(0), said.out.contains("uid=")), (good, good), "{kind} {name}: {said:?}");
            if name == "untouched" {
                assert!(said.err.contains("was not touched"), "{said:?}");
            }
        }
    }
}

#[test]
fn certificates_of_security_keys_count_for_what_they_say() {
    let keys = Keys::new();
    let (ca, lax) = (keys.make_with("ca", &["-t", "ed25519"]), keys.make_with("lax", &["-t", "ecdsa"]));
    let held = keys.make_with("held", &["-t", "ecdsa-sk"]);
    let config = format!(
        "ssh:\n  authorities:\n    - {{ name: people, key: \"{ca}\" }}\n    - {{ name: lax, key: \"{lax}\", touch: false }}\n    \
         - {{ name: held, key: \"{held}\" }}\n"
    );
    let world = World::with(POLICY, |_, options| options.extra = config);
    let now = ["-n", "alice", "-V", "-1m:+5m"];
    let untouched = [&now[..], &["-O", "no-touch-required"]].concat();
    let verified = [&now[..], &["-O", "verify-required"]].concat();
    for (name, kind, more, by, args, good) in [
        ("one", "ed25519-sk", "", "ca", &now[..], true),
        ("two", "ecdsa-sk", "", "ca", &now, true),
        ("plain", "ed25519", "", "ca", &now, true),
        ("both-say", "ed25519-sk", "no-touch-required", "lax", &untouched, true),
        ("authority-says", "ed25519-sk", "no-touch-required", "lax", &now, false),
        ("certificate-says", "ecdsa-sk", "no-touch-required", "ca", &untouched, false),
        ("pin", "ed25519-sk", "verify-required", "ca", &verified, true),
        ("no-pin", "ed25519-sk", "", "ca", &verified, false),
        ("no-security-key", "ed25519", "", "ca", &verified, false),
        ("by-security-key", "ed25519", "", "held", &now, true),
    ] {
        let more = if more.is_empty() { vec![] } else { vec!["-O", more] };
        keys.make_with(name, &[&["-t", kind][..], &more].concat());
        keys.certify(by, name, args);
        let said =
            if kind.ends_with("-sk") { by_security_key(&world, &keys, name) } else { by_key(&world, &keys.path(name)) };
        assert_eq!((said.code == Some(0), said.out.contains("uid=")), (good, good), "{name}: {said:?}");
    }
}

/// `id` as this role.
fn as_role(world: &World, role: &str) -> Said {
    world.run("ssh", &["-l", &format!("{role}:{TARGET}"), "gw", "id"])
}

/// The kinds of keys, and how `ssh-keygen` makes them.
const KINDS: [(&str, &[&str]); 6] = [
    ("ed25519", &["-t", "ed25519"]),
    ("rsa2048", &["-t", "rsa", "-b", "2048"]),
    ("rsa4096", &["-t", "rsa", "-b", "4096"]),
    ("p256", &["-t", "ecdsa", "-b", "256"]),
    ("p384", &["-t", "ecdsa", "-b", "384"]),
    ("p521", &["-t", "ecdsa", "-b", "521"]),
];

/// Roles of the one target, each with what opens it.
struct Roles {
    text: String,
    env: Vec<(String, String)>,
}

impl Roles {
    const fn new() -> Self {
        Self { text: String::new(), env: Vec::new() }
    }

    /// `option` is what the role says of the secret `NAME`.
    fn add(&mut self, name: &str, option: &str, secret: String) {
        let variable = format!("SSH_KEY_{}", name.to_uppercase());
        let option = option.replace("NAME", &format!("{{ env: {variable} }}"));
        self.text += &format!("      {name}: {{ user: {}, {option} }}\n", user().unwrap());
        self.env.push((variable, secret));
    }

    fn world(self) -> World {
        World::with(POLICY, |_, options| {
            let (head, _) = options.targets.split_once("    roles:\n").unwrap();
            let default = self.text.trim_start().split(':').next().unwrap();
            options.targets = format!("{head}    default_role: {default}\n    roles:\n{}", self.text);
            options.env = self.env;
        })
    }
}

#[test]
fn targets_are_opened_with_keys_of_every_kind_and_format() {
    let (keys, mut roles, mut lines, mut names) = (Keys::new(), Roles::new(), Vec::new(), Vec::new());
    for (kind, args) in KINDS {
        for format in ["RFC4716", "PEM", "PKCS8"] {
            // ssh-keygen writes ed25519 keys in its own format only.
            if kind == "ed25519" && format != "RFC4716" {
                continue;
            }
            let name = format!("{kind}_{}", format.to_lowercase());
            lines.push(keys.make_with(&name, &[args, &["-m", format]].concat()));
            roles.add(&name, "password: NAME", keys.text(&name));
            names.push(name);
        }
    }
    let openssl = output(Command::new("openssl").args(["genpkey", "-algorithm", "ed25519"]), "openssl").unwrap();
    roles.add("ed25519_pkcs8", "password: NAME", openssl);
    for (name, args) in [
        ("locked", &["-t", "ed25519", "-N", "words"][..]),
        ("locked_pem", &["-t", "rsa", "-m", "PEM", "-N", "words"]),
        ("locked_pkcs8", &["-t", "rsa", "-m", "PKCS8", "-N", "words"]),
        ("short", &["-t", "rsa", "-b", "1024", "-N", ""]),
    ] {
        keys.keygen(&[args, &["-f", name]].concat());
        roles.add(name, "password: NAME", keys.text(name));
    }
    let world = roles.world();
    lines.iter().for_each(|line| world.sshd.authorize(line).unwrap());
    for name in &names {
        let said = as_role(&world, name);
        assert!(said.code == Some(0) && said.out.contains("uid="), "{name}: {said:?}");
    }
    let log = world.sshd.log().unwrap();
    for kind in ["RSA", "ECDSA", "ED25519"] {
        assert!(log.contains(&format!("Accepted publickey for {} from 127.0.0.1", user().unwrap())), "{log}");
        assert!(log.contains(&format!("ssh2: {kind} SHA256:")), "{kind}");
    }
    for (name, word) in [
        ("locked", "has a passphrase"),
        ("locked_pem", "has a passphrase"),
        ("locked_pkcs8", "has a passphrase"),
        ("short", "2048 to 8192 bits"),
        // It is read, and nobody lets it in.
        ("ed25519_pkcs8", "does not accept the credential"),
    ] {
        let said = as_role(&world, name);
        assert!(said.code == Some(255) && said.err.contains("has no credential that opens"), "{name}: {said:?}");
        let log = world.gateway.log();
        let line = log.lines().find(|line| line.contains(&format!("of role {name}"))).unwrap_or_default();
        assert!(line.contains(word), "{name}: {line}");
    }
}

#[test]
fn targets_are_known_by_host_keys_of_every_kind() {
    let keys = Keys::new();
    for (kind, args) in [KINDS[1], KINDS[3], KINDS[4], KINDS[5]] {
        let line = keys.make_with(kind, args);
        let key = keys.path(kind);
        let world = World::with(POLICY, |sshd, options| {
            let known = sshd.host_key().unwrap();
            sshd.prove_by(&key).unwrap();
            options.targets = options.targets.replace(known.trim(), &line);
        });
        let said = world.ssh("id");
        assert!(said.code == Some(0) && said.out.contains("uid="), "{kind}: {said:?}");
    }
}

#[test]
fn authorities_of_every_kind_certify_for_targets() {
    let (keys, mut roles, mut lines, mut names) = (Keys::new(), Roles::new(), Vec::new(), Vec::new());
    for (kind, args) in KINDS {
        let name = format!("by_{kind}");
        lines.push(keys.make_with(&name, args));
        roles.add(&name, "ssh_certificate: { authority: NAME, valid_seconds: 60 }", keys.text(&name));
        names.push(name);
    }
    let world = roles.world();
    world.sshd.trust(&lines.join("\n")).unwrap();
    for name in &names {
        let said = as_role(&world, name);
        assert!(said.code == Some(0) && said.out.contains("uid="), "{name}: {said:?}");
    }
    let log = world.sshd.log().unwrap();
    for kind in ["RSA", "ECDSA", "ED25519"] {
        assert!(log.contains(&format!("CA {kind} SHA256:")), "{kind}: {log}");
    }
}
