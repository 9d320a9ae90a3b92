//! Who may do what, as a golden file: every effect for every kind of identity and protocol, through the gate's own doors.
//!
//! `tests/golden/authorisation.txt` is the expectation; `SALLYPORT_UPDATE=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;

use gate::ports::Proven;
use gate::{Asked, Gate, Micros, OpenRequest, RefusalKind, Session};
use model::{Action, Command, Effect, Identity, IdentityKind, Intent, Object, ObjectKind};

const HEAD: &str = "\
Who may do what under authorisation.yaml, as the gate decides it.

  allow  a rule allows it, and none is against it
  hold   a rule wants an approval
  deny   a rule denies it; of `connect` also that none covers it
  none   no rule covers it, so it is denied
  out    there is no session: the identity may not connect, or asks by the wrong protocol
";

/// The columns: a kind of identity, and for whom it acts.
const WHO: [(IdentityKind, Option<&str>); 5] = [
    (IdentityKind::Human, None),
    (IdentityKind::Agent, None),
    (IdentityKind::Ci, None),
    (IdentityKind::Service, None),
    (IdentityKind::Agent, Some("alice")),
];

/// A protocol, its target, and what stands for each effect.
const PROTOCOLS: [(&str, &str, fn(Effect) -> Option<Object>); 2] =
    [("postgres", "orders-db", in_postgres), ("ssh", "web-1", in_ssh)];

/// What the effect is on in a database.
fn in_postgres(effect: Effect) -> Option<Object> {
    let (kind, name) = match effect {
        Effect::Connect | Effect::Session => return None,
        Effect::Read
        | Effect::Write
        | Effect::Delete
        | Effect::Create
        | Effect::Alter
        | Effect::Destroy
        | Effect::Grant => (ObjectKind::Relation, "public.orders"),
        Effect::Admin => (ObjectKind::Setting, "shared_buffers"),
        Effect::Execute => (ObjectKind::Function, "public.f"),
        Effect::Export | Effect::Import => (ObjectKind::File, "/tmp/orders.csv"),
        Effect::Tunnel => (ObjectKind::Host, "10.0.0.9:5432"),
        Effect::Unknown => (ObjectKind::Other, "?."),
    };
    Some(Object::new(kind, name))
}

/// What it is on at a host.
fn in_ssh(effect: Effect) -> Option<Object> {
    let command = |name: &str| Some(Object::new(ObjectKind::Command, name));
    match effect {
        Effect::Connect | Effect::Session => None,
        Effect::Read => command("cat /srv/notes.txt"),
        Effect::Write => Some(Object::new(ObjectKind::Path, "/srv/notes.txt")),
        Effect::Delete => command("rm /srv/notes.txt"),
        Effect::Create => command("mkdir /srv/new"),
        Effect::Alter => command("chmod 600 /srv/notes.txt"),
        Effect::Destroy => command("rm -rf /srv"),
        Effect::Grant => command("usermod -aG sudo eve"),
        Effect::Admin => command("systemctl restart nginx"),
        Effect::Execute => Some(Object::new(ObjectKind::Other, "shell")),
        Effect::Export => command("pg_dump -f /tmp/x"),
        Effect::Import => command("pg_restore /tmp/x"),
        Effect::Tunnel => Some(Object::new(ObjectKind::Host, "10.0.0.9:5432")),
        Effect::Unknown => command("?."),
    }
}

#[tokio::test]
async fn every_effect_is_decided_as_the_golden_file_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let policy = std::fs::read_to_string(folder.join("authorisation.yaml")).unwrap();
    let gate = gate(&policy);
    let mut table = HEAD.to_owned();
    for (protocol, target, object) in PROTOCOLS {
        table.push('\n');
        table.push_str(&row(protocol, "", &WHO.map(|who| named(&who))));
        for effect in Effect::ALL {
            let object = object(*effect);
            let about =
                object.as_ref().map(|object| format!("{}:{}", object.kind.as_str(), object.name)).unwrap_or_default();
            let mut cells = Vec::new();
            for who in &WHO {
                cells.push(decide(&gate, protocol, target, who, *effect, object.clone()).await.to_owned());
            }
            table.push_str(&row(effect.as_str(), &about, &cells));
        }
    }
    let path = folder.join("authorisation.txt");
    if std::env::var_os("SALLYPORT_UPDATE").is_some() {
        std::fs::write(&path, &table).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(table, golden, "other than {}; SALLYPORT_UPDATE=1 writes it anew", path.display());
}

/// A protocol's name opens only targets of its kind, whoever asks.
#[tokio::test]
async fn a_target_is_reached_by_its_own_protocol_only() {
    let gate = gate("rules: [{ name: all, who: any, do: [connect, session, read], then: allow }]");
    for (protocol, target) in
        [("ssh", "orders-db"), ("postgres", "web-1"), ("ssh", "sallyport"), ("postgres", "nothing")]
    {
        let refusal = open(&gate, protocol, target, &WHO[0]).await.err().unwrap();
        assert_eq!(refusal, RefusalKind::UnknownTarget, "{protocol} {target}");
    }
}

fn named((kind, behalf): &(IdentityKind, Option<&str>)) -> String {
    behalf.map_or_else(|| kind.to_string(), |behalf| format!("{kind} for {behalf}"))
}

fn row(first: &str, second: &str, cells: &[String]) -> String {
    let mut line = format!("{first:<9} {second:<34}");
    for cell in cells {
        write!(line, " {cell:<8}").unwrap();
    }
    line.trim_end().to_owned() + "\n"
}

async fn decide(
    gate: &Arc<Gate>,
    protocol: &'static str,
    target: &str,
    who: &(IdentityKind, Option<&str>),
    effect: Effect,
    object: Option<Object>,
) -> &'static str {
    let opened = open(gate, protocol, target, who).await;
    if effect == Effect::Connect {
        return match opened {
            Ok(_) => "allow",
            Err(RefusalKind::ConnectHeld) => "hold",
            Err(RefusalKind::ConnectDenied) => "deny",
            Err(other) => panic!("{other:?}"),
        };
    }
    let Ok(mut session) = opened else { return "out" };
    let intent = Arc::new(Intent::simple(effect as u128, effect.as_str(), Action { effect, object }));
    let command = Command { intent: &intent, text: effect.as_str(), values: &[], in_transaction: false, unmask: &[] };
    match session.ask(&command, "the message") {
        Asked::Allow(..) => "allow",
        Asked::Hold(_) => "hold",
        Asked::Deny(refusal) if refusal.kind == RefusalKind::Denied => "deny",
        // What is not understood is denied in words of its own when no rule names it.
        Asked::Deny(refusal) if matches!(refusal.kind, RefusalKind::NotCovered | RefusalKind::NotUnderstood) => "none",
        Asked::Deny(refusal) | Asked::Close(refusal) => panic!("{refusal:?}"),
    }
}

async fn open(
    gate: &Arc<Gate>,
    protocol: &'static str,
    target: &str,
    (kind, behalf): &(IdentityKind, Option<&str>),
) -> Result<Session, RefusalKind> {
    let identity = Identity {
        subject: format!("a-{kind}"),
        issuer: "sallyport".to_owned(),
        groups: Vec::new(),
        kind: *kind,
        on_behalf_of: behalf.iter().map(|one| (*one).to_owned()).collect(),
        task: None,
        claims: BTreeMap::new(),
    };
    let proven = Proven { identity, expires: Micros(i64::MAX), token: None, targets: None };
    let ask = OpenRequest { protocol, target, role: None, scope: "", from: None, client: "golden" };
    gate.open(proven, ask).await.map(|opened| opened.session).map_err(|refusal| refusal.kind)
}

fn gate(policy: &str) -> Arc<Gate> {
    let targets = PROTOCOLS.map(|(kind, name, _)| doubles::target(kind, name, "app", "127.0.0.1:1"));
    Gate::new(doubles::parts(policy, targets.to_vec()))
}
