//! `lineage-fuzz`: random queries over tables whose masked columns hold planted secrets. No byte that a client receives through the
//! gateway may hold a piece of one, in any spelling; where nothing masked is touched, no byte may differ.
//!
//! - `dice`: chance from a seed and a number.
//! - `secrets`, `needles`: what is planted, and how it is found again.
//! - `world`: schema, server, gateway.
//! - `grammar`: the queries.
//! - `play`: a query over each protocol. `judge`: what its answer means. `report`: counts.

mod dice;
mod grammar;
mod judge;
mod needles;
mod play;
mod report;
mod secrets;
mod world;

use std::time::Instant;

use anyhow::{Result, bail};

use crate::kit::args::Args;
use crate::kit::dsn::Dsn;
use crate::kit::wire::Wire;
use grammar::Query;
use judge::Wrong;
use play::{Answer, MODES, Mode};
use report::{Fault, Report};
use world::{STYLES, World};

/// What `suite lineage-fuzz --help` prints.
pub const HELP: &str = "\
suite lineage-fuzz [--queries N] [--seed S] [--only NUMBER] [--sql TEXT] [--json]

Makes N queries (default 10000) from a grammar over tables whose masked columns hold planted secrets, runs each directly and through
the gateway (simple protocol; extended with text and binary results, described and not), with the mask style that its number says, and
searches every byte that the gateway gave for a piece of a secret in any spelling. Queries over tables without secrets must give the
server's own bytes. Status 0 only without a fault, when the server itself rejected at most 40 % of the queries, and when some of them show
a secret without the gateway.

  --queries N     how many
  --seed S        of queries and secrets (default: 1)
  --only NUMBER   this query alone, with everything that came back
  --sql TEXT      this text instead of a query of the grammar, with everything that came back
  --json          one JSON object instead of the table";

/// Queries on their way at once per connection.
const BATCH: u64 = 12;
/// More rejected by the server than this, in percent, and the grammar is no test.
const MOST_FAILED: u64 = 40;

/// Runs `suite lineage-fuzz` and gives the status to exit with.
///
/// # Errors
/// When server or gateway do not start, or a connection cannot be made.
pub fn main(mut args: Args) -> Result<i32> {
    let (queries, seed) = (args.number("--queries", 10_000)?, args.number("--seed", 1)?);
    let only = args.option("--only")?.map(|text| text.parse::<u64>()).transpose()?;
    let sql = args.option("--sql")?;
    let as_json = args.flag("--json");
    args.finish()?;
    let world = World::start(seed)?;
    if let Some(sql) = sql {
        return show(&world, seed, Query { body: sql, ..Query::empty(only.unwrap_or(0)) });
    }
    if let Some(number) = only {
        return show(&world, seed, Query::new(seed, number));
    }
    let start = Instant::now();
    let report = run(&world, seed, queries)?;
    let seconds = start.elapsed().as_secs_f64();
    if as_json {
        report.json(seed, seconds);
    } else {
        report.print(seed, seconds);
    }
    if report.failed_percent() > MOST_FAILED {
        bail!("the server rejected {} % of the queries: the grammar is no test", report.failed_percent());
    }
    if queries >= 1000 && report.exposed == 0 {
        bail!("no query shows a secret even without the gateway: there was nothing to find");
    }
    Ok(i32::from(report.faults() > 0))
}

/// Every style's connection takes the queries whose numbers are its own, a batch at a time.
fn run(world: &World, seed: u64, queries: u64) -> Result<Report> {
    let mut report = Report::default();
    let parts: Vec<Result<Report>> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..STYLES.len()).map(|style| scope.spawn(move || Worker::new(world, seed, style)?.all(queries))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| bail!("a worker panicked"))).collect()
    });
    for part in parts {
        report.add(part?);
    }
    Ok(report)
}

/// One connection through the gateway and one to the server.
struct Worker<'w> {
    world: &'w World,
    seed: u64,
    style: usize,
    through: Wire,
    direct: Wire,
    report: Report,
}

impl<'w> Worker<'w> {
    fn new(world: &'w World, seed: u64, style: usize) -> Result<Self> {
        let through = Wire::login(&dsn(world, style))?;
        let direct = Wire::login(&world.server.app("app"))?;
        Ok(Self { world, seed, style, through, direct, report: Report::default() })
    }

    fn all(mut self, queries: u64) -> Result<Report> {
        let styles = u64::try_from(STYLES.len())?;
        let mut next = u64::try_from(self.style)?;
        while next < queries {
            let last = queries.min(next + BATCH * styles);
            let numbers = (next..last).step_by(STYLES.len());
            let batch: Vec<Query> = numbers.map(|number| Query::new(self.seed, number)).collect();
            if self.batch(&batch).is_err() {
                // A connection broke somewhere in the batch: again one by one, to see in which query.
                self.one_by_one(&batch)?;
            }
            next += BATCH * styles;
        }
        Ok(self.report)
    }

    fn one_by_one(&mut self, batch: &[Query]) -> Result<()> {
        for query in batch {
            self.through = Wire::login(&dsn(self.world, self.style))?;
            self.direct = Wire::login(&self.world.server.app("app"))?;
            if let Err(error) = self.batch(std::slice::from_ref(query)) {
                let wrong = Wrong { what: "the connection broke".to_owned(), bytes: format!("{error:#}") };
                self.fault(query, MODES[0], wrong);
            }
        }
        self.through = Wire::login(&dsn(self.world, self.style))?;
        self.direct = Wire::login(&self.world.server.app("app"))?;
        Ok(())
    }

    fn batch(&mut self, batch: &[Query]) -> Result<()> {
        let through: Vec<(&Query, &[Mode])> = batch.iter().map(|query| (query, MODES.as_slice())).collect();
        let direct: Vec<(&Query, &[Mode])> = batch.iter().map(|query| (query, direct_modes(query))).collect();
        play::send(&mut self.direct, &direct)?;
        play::send(&mut self.through, &through)?;
        for (query, modes) in direct {
            let expected = modes.iter().map(|_| play::receive(&mut self.direct, query)).collect::<Result<Vec<_>>>()?;
            let given = MODES.iter().map(|_| play::receive(&mut self.through, query)).collect::<Result<Vec<_>>>()?;
            self.judge(query, &expected, &given);
        }
        Ok(())
    }

    fn judge(&mut self, query: &Query, expected: &[Answer], given: &[Answer]) {
        let style = STYLES[self.style];
        self.report.answers += u64::try_from(given.len()).unwrap_or(0);
        let shows = |answer: &Answer| judge::leak(&self.world.secrets, answer, query, MODES[0], style).is_some();
        self.report.exposed += u64::from(expected.first().is_some_and(shows));
        let nothing = Answer::default();
        if let Some(through) = given.first() {
            match judge::outcome(query, through, expected.first().unwrap_or(&nothing)) {
                Ok(outcome) => self.report.count(query, &outcome),
                Err(wrong) => return self.fault(query, MODES[0], wrong),
            }
        }
        for (at, (mode, answer)) in MODES.iter().zip(given).enumerate() {
            let direct = expected.get(at).filter(|_| query.clean);
            let wrong = judge::leak(&self.world.secrets, answer, query, *mode, style)
                .or_else(|| direct.and_then(|direct| judge::difference(answer, direct)));
            // One per query: the others are mostly the same again.
            if let Some(wrong) = wrong {
                return self.fault(query, *mode, wrong);
            }
        }
    }

    fn fault(&mut self, query: &Query, mode: Mode, wrong: Wrong) {
        self.report.fault(Fault { wrong, query: query.clone(), style: STYLES[self.style], mode: mode.name });
    }
}

/// Directly, a query is asked in every way only if every byte is compared, and not at all if it would tell others a secret.
fn direct_modes(query: &Query) -> &'static [Mode] {
    match (query.clean, query.hostile) {
        (_, true) => &[],
        (true, false) => &MODES,
        (false, false) => &MODES[..1],
    }
}

fn dsn(world: &World, style: usize) -> Dsn {
    world.gateway.dsn_with(&world.tokens[style], "app", "app")
}

/// One query with everything that came back.
fn show(world: &World, seed: u64, query: Query) -> Result<i32> {
    println!("{}\n", query.text());
    let style = usize::try_from(query.number % u64::try_from(STYLES.len())?)?;
    let mut worker = Worker::new(world, seed, style)?;
    let print = |wire: &mut Wire, what: &str, mode: Mode| -> Result<()> {
        play::send(wire, &[(&query, &[mode])])?;
        println!("-- {what}, {}", mode.name);
        for message in play::receive(wire, &query)?.all {
            println!("{}", judge::readable(&message));
        }
        Ok(())
    };
    print(&mut worker.direct, "directly", MODES[0])?;
    for mode in MODES {
        print(&mut worker.through, STYLES[style], mode)?;
    }
    worker.batch(std::slice::from_ref(&query))?;
    worker.report.print(seed, 0.0);
    Ok(i32::from(worker.report.faults() > 0))
}
