//! SSH: files, streams, keystrokes, logins, sessions; directly and through the gateway.
//!
//! - [`world`]: a server, the gateway, and stock clients for both ways
//! - [`transfer`]: MB/s of files and streams
//! - [`echo`]: how long a keystroke takes to come back
//! - [`sessions`]: logins one after another, programs in one connection, and many sessions at once

mod echo;
mod sessions;
mod transfer;
mod world;

use anyhow::Result;

use crate::Plan;
use crate::figures::{Figure, median};

/// All scenarios.
pub(crate) fn names() -> Vec<String> {
    let all = ["scp/put", "scp/get", "exec/get", "echo/terminal", "echo/pipe", "login", "program", "sessions"];
    all.map(str::to_owned).to_vec()
}

/// Measures those that are wanted.
pub(crate) fn measure(plan: &Plan) -> Result<Vec<Figure>> {
    let world = world::World::start()?;
    let mut figures = Vec::new();
    for name in names().iter().filter(|name| plan.wants(name)) {
        eprintln!("{name} …");
        figures.extend(match name.as_str() {
            "scp/put" | "scp/get" | "exec/get" => transfer::measure(&world, plan, name)?,
            "echo/terminal" | "echo/pipe" => echo::measure(&world, plan, name)?,
            "sessions" => sessions::at_once(&world, plan)?,
            _ => sessions::one_by_one(&world, plan, name)?,
        });
    }
    Ok(figures)
}

/// What one way did in the rounds: its values, and the gateway's CPU time per unit in microseconds.
#[derive(Default)]
struct Rounds {
    values: Vec<f64>,
    cpu: Vec<f64>,
}

/// The figures of both ways: medians, and the median of the ratios round by round.
fn figures(world: &world::World, scenario: &str, unit: &'static str, rounds: &[Rounds; 2]) -> Result<Vec<Figure>> {
    let [direct, gateway] = rounds;
    let ratios: Vec<f64> = gateway.values.iter().zip(&direct.values).map(|(ours, theirs)| ours / theirs).collect();
    Ok(vec![
        Figure {
            scenario: scenario.to_owned(),
            way: "direct",
            unit,
            value: median(&direct.values),
            ratio: Some(1.0),
            cpu: None,
            peak: None,
        },
        Figure {
            scenario: scenario.to_owned(),
            way: "gateway",
            unit,
            value: median(&gateway.values),
            ratio: Some(median(&ratios)),
            cpu: Some(median(&gateway.cpu)),
            peak: Some(world.peak()?),
        },
    ])
}
