//! The bypass corpus: ways in which a statement hides what it does, and look-alikes that must not be refused.
//!
//! Each case gets a fresh world, is played byte by byte over a raw connection, and is judged by what happened: a query on
//! the server, a file, the text that reached the client. The gateway's own word counts only where nothing else can tell.
//!
//! - [`case`]: the JSON form of a case.
//! - [`world`]: the server with the fixture, made anew for each case, and the gateway with the policy of a key.
//! - [`play`]: the input as messages on a connection, and everything that came back.
//! - [`judge`]: from what happened to an outcome.
//! - [`ssh`]: the same for SSH: its host, its players, its judge.
//! - [`report`]: the table and the JSON.

pub mod case;
pub mod judge;
pub mod play;
pub mod report;
pub mod ssh;
pub mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kit::args::Args;
use case::{Case, Protocol};
use judge::{Judged, Outcome};
use world::World;

/// What `suite corpus --help` prints.
pub const HELP: &str = "\
suite corpus [--file JSONL] [--protocol postgres|ssh] [--key KEY]... [--id ID]... [--known ID]... [--direct]
             [--policies DIR] [--json]

Plays the bypass corpus through the gateway (or, with --direct, against the bare server, to prove that the oracles fire).
Prints a table per policy key. Status 0 only when nothing was let through, no benign case was blocked, and no case failed to run;
with --direct, when every oracle fired and every benign case worked.

  --file JSONL      the corpus (default: tests/corpus/bypass.jsonl)
  --protocol NAME   only cases of this protocol: postgres or ssh (default: both)
  --key KEY         only cases of this policy key; may be repeated (default: all)
  --id ID           only this case; may be repeated
  --known ID        a case that is let through so far: it does not count for the status; may be repeated
  --direct          no gateway: say which oracles fire
  --policies DIR    one KEY.yaml per policy key (default: tests/corpus/policies)
  --json            one JSON object per case instead of the table
  --verbose         print every case as it is judged";

struct Options {
    file: PathBuf,
    policies: PathBuf,
    keys: Vec<String>,
    ids: Vec<String>,
    known: Vec<String>,
    protocol: Option<Protocol>,
    direct: bool,
    json: bool,
    verbose: bool,
}

/// Runs `suite corpus` and gives the status to exit with.
///
/// # Errors
/// When the corpus cannot be read or the world cannot be made. Errors of single cases are in the table.
pub fn main(mut args: Args) -> Result<i32> {
    let options = options(&mut args)?;
    args.finish()?;
    let mut judged = Vec::new();
    for protocol in Protocol::ALL.into_iter().filter(|one| options.protocol.is_none_or(|wanted| wanted == *one)) {
        let cases = case::read(&options.file, protocol)?;
        let cases: Vec<Case> = cases.into_iter().filter(|case| wanted(case, &options)).collect();
        if !cases.is_empty() {
            judged.extend(run_all(stage(protocol)?.as_mut(), &cases, &options)?);
        }
    }
    if judged.is_empty() {
        bail!("no case matches");
    }
    if options.json {
        report::json(&judged);
    } else if options.direct {
        report::direct(&judged);
    } else {
        report::table(&judged);
    }
    Ok(i32::from(judged.iter().any(|one| is_bad(one, options.direct) && !options.known.contains(&one.id))))
}

/// Through the gateway, what was let through or blocked; without it, an oracle that does not fire or a case that does not work.
fn is_bad(one: &Judged, direct: bool) -> bool {
    match one.outcome {
        Outcome::Blocked | Outcome::Broken => true,
        Outcome::LetThrough => !direct,
        Outcome::Refused | Outcome::Masked | Outcome::Harmless => direct && one.oracle,
        Outcome::Worked => false,
    }
}

/// What a protocol's cases are played on.
trait Stage {
    /// From now on cases are played against the bare server.
    fn behind_nothing(&mut self);
    /// From now on cases are played through a gateway with this policy.
    fn behind(&mut self, policy: &str) -> Result<()>;
    /// Plays one case in a fresh world and judges it.
    fn run(&mut self, case: &Case) -> Result<Judged>;
}

macro_rules! stage {
    ($world:ty) => {
        impl Stage for $world {
            fn behind_nothing(&mut self) {
                Self::behind_nothing(self);
            }

            fn behind(&mut self, policy: &str) -> Result<()> {
                Self::behind(self, policy)
            }

            fn run(&mut self, case: &Case) -> Result<Judged> {
                Self::run(self, case)
            }
        }
    };
}

stage!(World);
stage!(ssh::World);

fn stage(protocol: Protocol) -> Result<Box<dyn Stage>> {
    Ok(match protocol {
        Protocol::Postgres => Box::new(World::start(&fixture_path())?),
        Protocol::Ssh => Box::new(ssh::World::start()?),
    })
}

fn run_all(world: &mut dyn Stage, cases: &[Case], options: &Options) -> Result<Vec<Judged>> {
    let mut keys: Vec<&str> = cases.iter().map(|case| case.key.as_str()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut judged = Vec::new();
    for key in keys {
        if options.direct {
            world.behind_nothing();
        } else {
            let path = options.policies.join(format!("{key}.yaml"));
            let policy = std::fs::read_to_string(&path).with_context(|| {
                format!("the corpus has cases of key {key:?}; write its policy: {}", path.display())
            })?;
            world.behind(&policy)?;
        }
        for case in cases.iter().filter(|case| case.key == key) {
            let one = world.run(case).unwrap_or_else(|error| Judged::broken(case, &format!("{error:#}")));
            if options.verbose {
                report::line(&one);
            }
            judged.push(one);
        }
    }
    Ok(judged)
}

fn options(args: &mut Args) -> Result<Options> {
    let protocol = match args.option("--protocol")? {
        None => None,
        Some(name) => Some(
            Protocol::ALL
                .into_iter()
                .find(|one| one.as_str() == name)
                .with_context(|| format!("cases of {name:?} cannot be played: postgres and ssh can"))?,
        ),
    };
    let mut keys = Vec::new();
    while let Some(key) = args.option("--key")? {
        keys.push(key);
    }
    let mut ids = Vec::new();
    while let Some(id) = args.option("--id")? {
        ids.push(id);
    }
    let mut known = Vec::new();
    while let Some(id) = args.option("--known")? {
        known.push(id);
    }
    Ok(Options {
        file: args.option("--file")?.map_or_else(|| root().join("corpus/bypass.jsonl"), PathBuf::from),
        policies: args.option("--policies")?.map_or_else(|| root().join("corpus/policies"), PathBuf::from),
        keys,
        ids,
        known,
        protocol,
        direct: args.flag("--direct"),
        json: args.flag("--json"),
        verbose: args.flag("--verbose"),
    })
}

fn wanted(case: &Case, options: &Options) -> bool {
    if !options.ids.is_empty() {
        return options.ids.contains(&case.id);
    }
    options.keys.is_empty() || options.keys.contains(&case.key)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The SQL that makes the world of the PostgreSQL cases.
pub fn fixture_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/fixture-postgres.sql")
}
