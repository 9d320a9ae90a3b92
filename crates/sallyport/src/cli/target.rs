//! `targets`.

use clap::Subcommand;

/// What can be done with targets.
#[derive(Debug, Subcommand)]
pub(crate) enum Targets {
    /// List the configured targets
    #[command(after_help = "Example:\n  sallyport targets ls")]
    Ls {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Connect and log in to a target with its own credential, and say what is wrong
    #[command(
        after_help = "Example:\n  sallyport targets check orders-db --role readonly\n\nExit status: 0 every role logged in, 1 one did not."
    )]
    Check {
        /// The target's name
        name: String,
        /// Only this role [default: all]
        #[arg(long)]
        role: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
