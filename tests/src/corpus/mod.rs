//! The bypass corpus: ways in which a statement hides what it does, and look-alikes that must not be refused.
//!
//! Each case gets a fresh world, is played byte by byte over a raw connection, and is judged by what happened: a query on
//! the server, a file, the text that reached the client. The gateway's own word counts only where nothing else can tell.
//!
//! - [`case`]: the JSON form of a case.
//! - [`world`]: the server with the fixture, made anew for each case, and the gateway with the policy of a key.
//! - [`play`]: the input as messages on a connection, and everything that came back.
//! - [`judge`]: from what happened to an outcome.
//! - [`report`]: the table and the JSON.

pub mod case;
pub mod judge;
pub mod play;
pub mod report;
pub mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kit::args::Args;
use case::Case;
use judge::{Judged, Outcome};
use world::World;

/// What `suite corpus --help` prints.
pub const HELP: &str = "\
suite corpus [--file JSONL] [--protocol postgres] [--key KEY]... [--id ID]... [--direct] [--policies DIR] [--json]

Plays the bypass corpus through the gateway (or, with --direct, against the bare server, to prove that the oracles fire).
Prints a table per policy key. Status 0 only when nothing was let through, no benign case was blocked, and no case failed to run;
with --direct, when every oracle fired and every benign case worked.

  --file JSONL      the corpus (default: tests/corpus/bypass.jsonl)
  --protocol NAME   only cases of this protocol (default and so far: postgres)
  --key KEY         only cases of this policy key; may be repeated (default: all)
  --id ID           only this case; may be repeated
  --direct          no gateway: say which oracles fire
  --policies DIR    one KEY.yaml per policy key (default: tests/corpus/policies)
  --json            one JSON object per case instead of the table
  --verbose         print every case as it is judged";

struct Options {
    file: PathBuf,
    policies: PathBuf,
    keys: Vec<String>,
    ids: Vec<String>,
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
    let cases = case::read(&options.file)?;
    let cases: Vec<Case> = cases.into_iter().filter(|case| wanted(case, &options)).collect();
    if cases.is_empty() {
        bail!("no case matches");
    }
    let mut world = World::start(&fixture_path())?;
    let judged = run_all(&mut world, &cases, &options)?;
    if options.json {
        report::json(&judged);
    } else if options.direct {
        report::direct(&judged);
    } else {
        report::table(&judged);
    }
    Ok(i32::from(judged.iter().any(|one| is_bad(one, options.direct))))
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

fn run_all(world: &mut World, cases: &[Case], options: &Options) -> Result<Vec<Judged>> {
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
    if let Some(protocol) = args.option("--protocol")?
        && protocol != "postgres"
    {
        bail!("only the PostgreSQL cases can be played so far, not {protocol:?}");
    }
    let mut keys = Vec::new();
    while let Some(key) = args.option("--key")? {
        keys.push(key);
    }
    let mut ids = Vec::new();
    while let Some(id) = args.option("--id")? {
        ids.push(id);
    }
    Ok(Options {
        file: args.option("--file")?.map_or_else(|| root().join("corpus/bypass.jsonl"), PathBuf::from),
        policies: args.option("--policies")?.map_or_else(|| root().join("corpus/policies"), PathBuf::from),
        keys,
        ids,
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
