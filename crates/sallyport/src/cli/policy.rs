//! `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::token::Kind;

/// What can be done with the policy.
#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check the policy: syntax, unreachable rules, names that no target has
    #[command(
        after_help = "Examples:\n  sallyport policy check\n  sallyport policy check policy.yaml more.yaml\n\nExit status: 0 good (warnings possible), 1 problems."
    )]
    Check {
        /// Policy files [default: the configuration's]
        files: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Run test cases against the policy
    #[command(
        after_help = "Example:\n  sallyport policy test policy-cases.yaml\n\nExit status: 0 all as expected, 1 not."
    )]
    Test {
        /// Files with `cases:`
        #[arg(required = true)]
        cases: Vec<PathBuf>,
        /// Policy files [default: the configuration's]
        #[arg(long = "policy", value_name = "FILE")]
        policy: Vec<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Say what the policy decides about a statement, and why
    Explain(Explain),
    /// Judge recorded sessions by a policy: what it would decide otherwise
    Backtest(Backtest),
    /// Write the narrowest rules that would have allowed recorded sessions
    Suggest(Suggest),
}

/// Which recorded sessions.
#[derive(Debug, Args)]
pub(crate) struct Which {
    /// Only this session, `ses_…` or `last`; may be repeated
    #[arg(long = "session", value_name = "ID")]
    pub(crate) sessions: Vec<String>,
    /// Only sessions opened since: a duration such as 24h, or a time (RFC 3339)
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// Recordings of another place: a data directory, or its directory `recordings`
    #[arg(long, value_name = "DIR")]
    pub(crate) recordings: Option<PathBuf>,
}

/// Arguments of `policy backtest`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sallyport policy backtest
  sallyport policy backtest new-policy.yaml --since 24h
  sallyport policy backtest new-policy.yaml --session last --json

Nothing is run and nobody is asked: what was recorded of each command is judged again, with the target's labels of today.
Exit status: 0 nothing would change, 1 something would, 3 something could not be judged, 2 a wrong command line.")]
pub(crate) struct Backtest {
    /// Policy files [default: the configuration's]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) which: Which,
    /// A file with `targets:` (name, labels) instead of the configuration's
    #[arg(long, value_name = "FILE")]
    pub(crate) targets: Option<PathBuf>,
    /// Examples shown of each change
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub(crate) examples: usize,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `policy suggest`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  sallyport policy suggest --since 7d > suggested.yaml
  sallyport policy check suggested.yaml && sallyport policy backtest suggested.yaml --since 7d

Rules are for exactly the targets, roles and objects that were seen. Commands that were denied or held are not suggested.
Exit status: 0 done, 1 a recording could not be read.")]
pub(crate) struct Suggest {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Suggest `schema.*` for more than N objects of one schema
    #[arg(long, value_name = "N")]
    pub(crate) fold: Option<usize>,
    /// Suggest commands that were denied or held, too
    #[arg(long)]
    pub(crate) include_denied: bool,
    /// Also what a rule should hardly allow: unresolved names (a rule on all objects), grant, admin, unknown
    #[arg(long)]
    pub(crate) complete: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `policy explain`.
#[derive(Debug, Args)]
#[command(after_help = "Example:
  sallyport policy explain --as agent-7 --groups agents --target orders-db \"DELETE FROM orders\"
  sallyport policy explain --as agent-7 --groups agents --target web-1 \"systemctl status nginx | head\"

Nothing is sent to the target: names without a schema are taken as public.NAME, and functions of the target's own are not
known, so a live session may be judged by more than is shown here.")]
pub(crate) struct Explain {
    /// The subject
    #[arg(long = "as", value_name = "SUBJECT")]
    pub(crate) subject: String,
    /// What sort of caller
    #[arg(long, value_enum, default_value_t = Kind::Agent)]
    pub(crate) kind: Kind,
    /// Groups, separated by commas
    #[arg(long, value_name = "GROUP", value_delimiter = ',')]
    pub(crate) groups: Vec<String>,
    /// The issuer
    #[arg(long, default_value = "sallyport")]
    pub(crate) issuer: String,
    /// For whom it acts, nearest first
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) on_behalf_of: Vec<String>,
    /// A claim, NAME=VALUE; VALUE may be JSON
    #[arg(long = "claim", value_name = "NAME=VALUE")]
    pub(crate) claims: Vec<String>,
    /// The target
    #[arg(long, value_name = "NAME")]
    pub(crate) target: String,
    /// The role [default: the target's default role]
    #[arg(long)]
    pub(crate) role: Option<String>,
    /// The client's address
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) from: Option<std::net::IpAddr>,
    /// The time to judge at, RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<String>,
    /// What an SSH client asks for: its statement is a command line, HOST:PORT, an operation such as `get /etc/hosts`, or a name
    #[arg(long, value_name = "REQUEST", value_parser = ["exec", "terminal", "shell", "sftp", "tunnel", "subsystem", "env"], default_value = "exec")]
    pub(crate) request: String,
    /// Judge as inside a transaction
    #[arg(long)]
    pub(crate) in_transaction: bool,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// The statement; `-` reads standard input
    pub(crate) statement: String,
}
