//! The one binary: command line, configuration, `serve`, and the table of protocols.
//!
//! ```text
//! cli → commands ─┬─ client ──── the API of a running gateway
//!                 └─ local ───── the data directory, when none runs
//!     → serve: config → build → banner → (reload | drain)
//! ```
//!
//! - [`cli`]: what may be typed; [`commands`]: what it does
//! - [`config`]: from YAML to checked values
//! - [`data`]: the data directory: layout, lock, `listen.json`, key files
//! - [`serve`]: the running gateway
//! - [`probe`]: logs in to a target for `targets check`
//! - [`protocols`]: the table of protocols; adding one is one row
//! - [`client`], [`local`]: the two ways to the state; [`recordings`]: reading recordings for both
//! - [`replay`]: plays what a terminal showed
//! - [`past`]: what recorded sessions did, for judging policies by it
//! - [`output`]: tables, JSON, lines

mod cli;
mod client;
mod commands;
mod config;
mod data;
mod local;
mod output;
mod past;
mod probe;
mod protocols;
mod recordings;
mod replay;
mod serve;

use std::process::ExitCode;

use clap::Parser;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Something was wrong with what was asked for or with the state of things; 2 is a wrong command line.
const FAILED: u8 = 1;
/// A comparison could not be made: neither the same nor different.
const UNABLE: u8 = 3;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match commands::run(cli) {
        Ok(commands::Outcome::Done) => ExitCode::SUCCESS,
        Ok(commands::Outcome::Bad) => ExitCode::from(FAILED),
        Ok(commands::Outcome::Unable) => ExitCode::from(UNABLE),
        Err(error) => {
            report(&error);
            ExitCode::from(FAILED)
        }
    }
}

/// `error: WHAT`, then each cause on its own line.
fn report(error: &anyhow::Error) {
    let mut causes = error.chain().map(ToString::to_string);
    let mut shown = causes.next().unwrap_or_default();
    output::note(&format!("error: {shown}"));
    for cause in causes {
        // Some errors repeat the text of their cause.
        if !shown.contains(&cause) {
            output::note(&format!("  {cause}"));
            shown = cause;
        }
    }
}
