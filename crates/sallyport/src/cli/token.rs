//! `token` and `tokens`.

use clap::{Args, Subcommand, ValueEnum};

use crate::config::duration::Span;

/// What sort of caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// An AI agent
    Agent,
    /// A person
    Human,
    /// A job of a build or deployment system
    Ci,
    /// Any other program
    Service,
}

impl From<Kind> for model::IdentityKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Agent => Self::Agent,
            Kind::Human => Self::Human,
            Kind::Ci => Self::Ci,
            Kind::Service => Self::Service,
        }
    }
}

/// Arguments of `token`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sallyport token --as agent-7 --groups agents --target orders-db
  PGPASSWORD=$(sallyport token --as agent-7 --target orders-db --quiet) psql -h 127.0.0.1 -p 6432 -U app orders-db
  sallyport token --as alice --kind human --groups dba --target sallyport --ttl 8h   # to answer approvals")]
pub(crate) struct Token {
    /// For whom: the subject that policy, approvals and recordings name
    #[arg(long = "as", value_name = "SUBJECT")]
    pub(crate) subject: String,
    /// Target for which it is good; again for more. `sallyport` is the API
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',', required_unless_present = "all_targets")]
    pub(crate) targets: Vec<String>,
    /// Good for every target that policy permits
    #[arg(long, conflicts_with = "targets")]
    pub(crate) all_targets: bool,
    /// How long it lives, such as 15m or 8h [default: 15m, or the configuration's `tokens.ttl`]
    #[arg(long, value_name = "DURATION")]
    pub(crate) ttl: Option<Span>,
    /// What sort of caller
    #[arg(long, value_enum, default_value_t = Kind::Agent)]
    pub(crate) kind: Kind,
    /// Groups, separated by commas
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,
    /// What it is for; recorded with every session
    #[arg(long, value_name = "TEXT")]
    pub(crate) task: Option<String>,
    /// For whom it acts, nearest first; again for a longer chain
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) on_behalf_of: Vec<String>,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The token alone
    #[arg(long, short, conflicts_with = "json")]
    pub(crate) quiet: bool,
}

/// What can be done with tokens.
#[derive(Debug, Subcommand)]
pub(crate) enum Tokens {
    /// List tokens, newest first; never a token itself
    #[command(after_help = "Example:\n  sallyport tokens ls --all --json")]
    Ls {
        /// Expired and revoked ones too
        #[arg(long)]
        all: bool,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token at once and end the sessions that it opened
    #[command(after_help = "Example:\n  sallyport tokens revoke tok_0199…")]
    Revoke {
        /// `tok_…`, from `tokens ls`
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
