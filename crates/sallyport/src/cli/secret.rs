//! `secrets`.

use std::path::PathBuf;

use clap::Subcommand;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Store a secret, read from standard input or asked for; never from the command line
    #[command(
        after_help = "Examples:\n  sallyport secrets set app-pw                     # asks\n  vault read -field=pw db/app | sallyport secrets set app-pw\n\nA trailing newline is not part of the secret."
    )]
    Set {
        /// Its name, as `password: { secret: NAME }` uses it
        name: String,
    },
    /// List the names of secrets; there is no way to show one
    #[command(after_help = "Example:\n  sallyport secrets ls --json")]
    Ls {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Remove a secret
    #[command(after_help = "Example:\n  sallyport secrets rm app-pw")]
    Rm {
        /// Its name
        name: String,
    },
    /// Seal all secrets with a new master key
    #[command(
        after_help = "Example:\n  sallyport secrets rotate\n\nMakes a new master key beside the old one, seals every secret with it and replaces the old key file.\nWith SALLYPORT_MASTER_KEY, put the new key (base64, 32 bytes) in a file and pass --to."
    )]
    Rotate {
        /// A file with the new master key (base64, 32 bytes), when the key comes from the environment
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
    },
}
