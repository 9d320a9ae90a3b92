//! `sessions`.

use std::path::PathBuf;

use clap::{Subcommand, ValueEnum};

/// Form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object per event
    Jsonl,
    /// OCSF events, one JSON object per line
    Ocsf,
}

/// What can be done with sessions.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List sessions, newest first
    #[command(
        after_help = "Examples:\n  sallyport sessions ls --live\n  sallyport sessions ls --as agent-7 --target orders-db --json"
    )]
    Ls {
        /// Only those that are open now
        #[arg(long)]
        live: bool,
        /// Only of this subject
        #[arg(long = "as", value_name = "SUBJECT")]
        subject: Option<String>,
        /// Only of this target
        #[arg(long, value_name = "NAME")]
        target: Option<String>,
        /// Only opened at or after this time (RFC 3339)
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most this many
        #[arg(long, default_value_t = 50)]
        limit: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what one session is: who, where, when, how much
    #[command(after_help = "Example:\n  sallyport sessions show ses_0199…")]
    Show {
        /// `ses_…`, from `sessions ls`; `last` is the newest
        id: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Read a session as a person does: commands, verdicts, approvals, results as the client saw them
    #[command(after_help = "Example:\n  sallyport sessions replay last --rows 5")]
    Replay {
        /// `ses_…` or `last`
        id: String,
        /// Rows shown per result
        #[arg(long, default_value_t = 20)]
        rows: usize,
    },
    /// Watch a live session
    #[command(after_help = "Example:\n  sallyport sessions tail ses_0199… --json")]
    Tail {
        /// `ses_…` or `last`
        id: String,
        /// Rows shown per result
        #[arg(long, default_value_t = 20)]
        rows: usize,
        /// As JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Write a session's events for other programs
    #[command(
        after_help = "Examples:\n  sallyport sessions export ses_0199… > session.jsonl\n  sallyport sessions export --all --format ocsf -o events.jsonl"
    )]
    Export {
        /// `ses_…` or `last`
        #[arg(required_unless_present = "all")]
        id: Option<String>,
        /// Every session
        #[arg(long, conflicts_with = "id")]
        all: bool,
        /// Form
        #[arg(long, value_enum, default_value_t = ExportFormat::Jsonl)]
        format: ExportFormat,
        /// File instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Verify recordings: nothing changed, removed or missing; names the first bad byte
    #[command(
        after_help = "Examples:\n  sallyport sessions verify\n  sallyport sessions verify ses_0199…\n\nNeeds only the recordings and their public key. Exit status: 0 whole, 1 not."
    )]
    Verify {
        /// `ses_…`; all when absent
        id: Option<String>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// End a live session; its client is told the reason
    #[command(after_help = "Example:\n  sallyport sessions kill ses_0199… --reason 'wrong host'")]
    Kill {
        /// `ses_…`
        id: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}
