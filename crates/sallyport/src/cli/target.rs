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
    /// Look at an SSH target's host key and accept it
    #[command(
        after_help = "Example:\n  sallyport targets trust web-1 --fingerprint SHA256:…\n\nThe fingerprint is printed on the target by `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`. A key accepted here replaces the one accepted before; keys under `host_keys` in the configuration count beside it.\n\nExit status: 0 the key is known or was accepted, 1 it was not."
    )]
    Trust {
        /// The target's name
        name: String,
        /// Accept the key if it has this fingerprint
        #[arg(long)]
        fingerprint: Option<String>,
        /// Accept whatever key is there now
        #[arg(long, conflicts_with = "fingerprint")]
        yes: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
