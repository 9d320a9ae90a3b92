//! What holds for every protocol, shown with real gateway processes: `conformance!(Protocol)` makes the tests of one.
//!
//! - [`postgres`], [`ssh`]: what a protocol brings: its target, its client, and its words for the same few commands.
//! - [`target`]: what a target saw: every byte, every connection.
//! - [`bytes`]: what may not reach the target, or not yet, or not the client.
//! - [`ends`]: sessions that are ended, from outside or by time.
//! - [`peers`]: garbage, oversize, slow peers.
//! - [`records`]: what clients are told, and what recordings hold.

mod bytes;
mod ends;
mod peers;
mod postgres;
mod records;
mod ssh;
mod ssh_target;
mod target;

use std::time::{Duration, Instant};

use sallyport_tests::kit::gateway::{Gateway, Options, Who};
use sallyport_tests::kit::process::wait_for;
use serde_json::Value;

use target::Target;

/// Longer than anything that is waited for takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// The same few commands in every protocol. Each carries a marker, which is then looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    /// Runs at once, and its result shows the marker.
    Allowed,
    /// Is refused by the rule `never`.
    Denied,
    /// Waits for an approval by the rule `asks`.
    Held,
    /// Runs, and does not end by itself.
    Endless,
}

/// What a client heard.
#[derive(Debug, Default)]
struct Heard {
    text: String,
    end: End,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    /// The answer is whole.
    Done,
    /// The connection is over.
    Closed,
    /// Neither, yet.
    #[default]
    Open,
}

/// Says whether the gateway closes a connection within this time.
type Closes = Box<dyn FnMut(Duration) -> bool>;

/// What a protocol brings.
trait Protocol {
    /// The target's name.
    const TARGET: &'static str;
    /// `ROLE:TARGET`, with a role that the target has and policy lets nobody use.
    const NOT_THEIRS: &'static str;
    /// The policy; `EXPIRES` stands for how long the rule `asks` waits.
    const POLICY: &'static str;
    type Client: Client;
    /// A target that notes what it gets.
    fn target() -> Target;
    /// A gateway's options with this target.
    fn options(target: &Target, policy: &str) -> Options;
    /// What nobody but the gateway may know.
    fn secrets() -> Vec<String>;
    /// Logs in to `TARGET` or `ROLE:TARGET`; else what it was told.
    fn connect(gateway: &Gateway, token: &str, target: &str) -> Result<Self::Client, String>;
    /// Random bytes at every stage of the protocol, sent; each with the stage's name.
    fn garbage(gateway: &Gateway, token: &str, noise: &[u8]) -> Vec<(&'static str, Closes)>;
    /// A length of a gigabyte wherever a length may stand, sent.
    fn oversize(gateway: &Gateway, token: &str) -> Vec<(&'static str, Closes)>;
    /// Connections that stop before they are logged in.
    fn halves(gateway: &Gateway) -> Vec<std::net::TcpStream>;
}

/// A client that is logged in.
trait Client {
    /// Sends a command and waits for nothing.
    fn say(&mut self, verb: Verb, marker: &str);
    /// Sends what a client may send while its command is held.
    fn say_behind(&mut self, marker: &str);
    /// Reads until the answer to the newest command is whole, or as long as this.
    fn hear(&mut self, limit: Duration) -> Heard;
}

/// A gateway before a target.
struct World<P: Protocol> {
    target: Target,
    gateway: Gateway,
    token: String,
    _protocol: std::marker::PhantomData<P>,
}

impl<P: Protocol> World<P> {
    fn new() -> Self {
        Self::with("60s", "")
    }

    /// With this life of approvals, and more of the configuration.
    fn with(expires: &str, extra: &str) -> Self {
        let target = P::target();
        let mut options = P::options(&target, &P::POLICY.replace("EXPIRES", expires));
        options.tls = false;
        options.extra = extra.to_owned();
        let gateway = Gateway::start(&options).unwrap();
        let token = gateway.token_for(&Who::agent("agent-7"), P::TARGET).unwrap();
        Self { target, gateway, token, _protocol: std::marker::PhantomData }
    }

    fn connect(&self) -> P::Client {
        P::connect(&self.gateway, &self.token, P::TARGET).unwrap()
    }

    fn refused(&self, token: &str, target: &str) -> String {
        P::connect(&self.gateway, token, target).err().expect("a refusal")
    }

    /// Waits until the target has seen this.
    fn reaches(&self, marker: &str) {
        wait_for(&format!("{marker} at the target"), PATIENCE, || Ok(self.target.has(marker))).unwrap();
    }

    /// The one request that waits.
    fn waiting(&self) -> String {
        let mut id = None;
        wait_for("a request for approval", PATIENCE, || {
            let list: Value = serde_json::from_str(&self.gateway.cli(&["approvals", "ls", "--json"])?)?;
            let all = list.as_array().cloned().unwrap_or_default();
            let pending = all.iter().find(|one| one["state"] == "pending");
            id = pending.and_then(|one| one["id"].as_str()).map(str::to_owned);
            Ok(id.is_some())
        })
        .unwrap();
        id.unwrap()
    }

    fn answer(&self, how: &str, id: &str) {
        let human = Who { subject: "dana".to_owned(), kind: "human".to_owned(), groups: vec!["dba".to_owned()] };
        let token = self.gateway.token_for(&human, "sallyport").unwrap();
        self.gateway.cli(&["--token", &token, "approvals", how, id, "--reason", "looked at it"]).unwrap();
    }

    /// The id of the newest session.
    fn session(&self) -> String {
        let list: Value = serde_json::from_str(&self.gateway.cli(&["sessions", "ls", "--json"]).unwrap()).unwrap();
        list[0]["id"].as_str().or_else(|| list[0]["session"].as_str()).unwrap().to_owned()
    }
}

impl Heard {
    /// The whole answer to the newest command of a client.
    fn whole(client: &mut impl Client) -> Self {
        let (until, mut all) = (Instant::now() + PATIENCE, Self::default());
        while all.end == End::Open && Instant::now() < until {
            let more = client.hear(Duration::from_millis(500));
            all.text.push_str(&more.text);
            all.end = more.end;
        }
        all
    }
}

macro_rules! conformance {
    ($name:ident, $protocol:ty, [$($module:ident :: $check:ident),* $(,)?]) => {
        mod $name {
            $(#[test]
            fn $check() {
                super::$module::$check::<$protocol>();
            })*
        }
    };
    ($name:ident, $protocol:ty) => {
        conformance!($name, $protocol, [
            bytes::denied_bytes_never_reach_the_target,
            bytes::nothing_is_dialled_before_the_grant,
            bytes::a_held_action_leaks_nothing_before_its_answer,
            bytes::a_held_action_that_nobody_answers_never_runs,
            ends::a_kill_closes_both_sides_at_once,
            ends::a_revoked_token_closes_both_sides_at_once,
            ends::a_token_that_expires_closes_both_sides_at_once,
            ends::a_policy_that_lets_nobody_in_closes_both_sides_at_once,
            peers::garbage_at_any_stage_ends_and_disturbs_nobody,
            peers::slow_and_oversized_peers_are_bounded,
            records::clients_are_told_nothing_but_what_is_theirs,
            records::a_reply_is_masked_before_it_is_shown,
            records::every_command_is_in_a_recording_that_verifies,
            records::nothing_is_shown_that_a_full_disk_does_not_hold,
        ]);
    };
}

conformance!(of_postgres, super::postgres::Postgres);
conformance!(of_ssh, super::ssh::Ssh);
