//! `approvals`.

use clap::Subcommand;

/// What can be done with held commands. The gateway must run.
#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// List held commands that wait for an answer
    #[command(after_help = "Example:\n  sallyport approvals ls")]
    Ls {
        /// Answered and expired ones too
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show one held command: who, where, the exact text and values, why
    #[command(after_help = "Example:\n  sallyport approvals show apr_0199…")]
    Show {
        /// `apr_…`, from `approvals ls` or from the waiting client's notice
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Approve a held command; it runs once
    #[command(
        after_help = "Examples:\n  sallyport approvals approve apr_0199… --reason 'ticket 4711'\n  SALLYPORT_TOKEN=$ALICE sallyport approvals approve apr_0199… --reason ok\n\nThe rule says who may: as the operator of this machine you are in the group sallyport-operators."
    )]
    Approve {
        /// `apr_…`
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Deny a held command
    #[command(after_help = "Example:\n  sallyport approvals deny apr_0199… --reason 'use the archive job'")]
    Deny {
        /// `apr_…`
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
