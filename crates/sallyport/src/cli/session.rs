//! `sessions`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Subcommand, ValueEnum};

use crate::config::duration::Span;

/// Reads a factor of time between a hundredth and a thousand.
fn speed(text: &str) -> Result<f64, String> {
    let speed: Option<f64> = text.parse().ok();
    speed.filter(|speed| (0.01..=1000.0).contains(speed)).ok_or_else(|| "expected a number such as 2 or 0.5".to_owned())
}

/// Reads a time such as `90s`, `1m30s` or `500ms`: durations one after the other.
fn moment(text: &str) -> Result<Duration, String> {
    let mut rest = text;
    let mut sum = Duration::ZERO;
    while !rest.is_empty() {
        let unit = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
        let after = rest.get(unit..).unwrap_or_default();
        let end = after.find(|char: char| char.is_ascii_digit()).map_or(rest.len(), |length| unit + length);
        let (part, more) = rest.split_at_checked(end).unwrap_or((rest, ""));
        sum += Span::parse(part)?.get();
        rest = more;
    }
    if text.is_empty() { Err("expected a time such as 90s or 1m30s".to_owned()) } else { Ok(sum) }
}

/// Form of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object per event
    Jsonl,
    /// OCSF events, one JSON object per line
    Ocsf,
    /// What a terminal showed, with its timing: asciicast v2
    Asciicast,
    /// The same as asciicast v3
    AsciicastV3,
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
    /// Play what a session's terminal showed, or read the session as a person does: commands, verdicts, results as the client saw them
    #[command(
        after_help = "A session with a terminal is played with its own timing; any other, or --text, is read.\n\n\
        Keys: space pause, left and right 5 s back and on, + and - speed, . the next step, q quit.\n\
        What a terminal would act on beyond showing something (clipboard, title, queries) is left out.\n\n\
        Examples:\n  sallyport sessions replay last --rows 5\n  sallyport sessions replay ses_0199… --speed 2 --idle 2s --from 1m30s\n  sallyport sessions replay last | less -R"
    )]
    Replay {
        /// `ses_…` or `last`
        id: String,
        /// Rows shown per result, lines per command's output, when it is read
        #[arg(long, default_value_t = 20)]
        rows: usize,
        /// Read it, even if it had a terminal
        #[arg(long, conflicts_with_all = ["speed", "idle", "from", "command"])]
        text: bool,
        /// How many times as fast
        #[arg(long, default_value = "1", value_parser = speed)]
        speed: f64,
        /// The longest pause, such as 2s
        #[arg(long, value_name = "TIME", value_parser = moment)]
        idle: Option<Duration>,
        /// Where to begin, such as 1m30s
        #[arg(long, value_name = "TIME", value_parser = moment)]
        from: Option<Duration>,
        /// Which command; the first with a terminal when absent
        #[arg(long, value_name = "N")]
        command: Option<u64>,
    },
    /// Watch a live session until it ends: its terminal, or its commands line by line
    #[command(after_help = "Example:\n  sallyport sessions tail ses_0199… --json")]
    Tail {
        /// `ses_…` or `last`
        id: String,
        /// Rows shown per result, lines per command's output
        #[arg(long, default_value_t = 20)]
        rows: usize,
        /// The command whose terminal or output is shown; the first with a terminal when absent
        #[arg(long, value_name = "N", conflicts_with = "json")]
        command: Option<u64>,
        /// Line by line, even if it has a terminal
        #[arg(long, conflicts_with_all = ["json", "command"])]
        text: bool,
        /// As JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// List what a session did to files, or write the content of one, where the policy has it recorded (`results: full`)
    #[command(
        after_help = "Examples:\n  sallyport sessions files last\n  sallyport sessions files ses_0199… --extract 4 -o report.csv"
    )]
    Files {
        /// `ses_…` or `last`
        id: String,
        /// The operation whose content is written: its number in the list
        #[arg(long, value_name = "N", requires = "output", conflicts_with = "json")]
        extract: Option<u64>,
        /// The file to write
        #[arg(long, short, value_name = "FILE", requires = "extract")]
        output: Option<PathBuf>,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Write a session's events for other programs
    #[command(
        after_help = "Examples:\n  sallyport sessions export ses_0199… > session.jsonl\n  sallyport sessions export --all --format ocsf -o events.jsonl\n  sallyport sessions export last --format asciicast -o last.cast"
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
        /// The command that an asciicast is of; the first with a terminal, or else with output, when absent
        #[arg(long, value_name = "N")]
        command: Option<u64>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_durations_one_after_the_other() {
        assert_eq!(moment("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(moment("500ms"), Ok(Duration::from_millis(500)));
        for wrong in ["", "1", "m", "1m3", "-1s", "1.5s"] {
            assert!(moment(wrong).is_err(), "{wrong}");
        }
        assert_eq!(speed("0.5"), Ok(0.5));
        for wrong in ["0", "-1", "NaN", "inf", "x"] {
            assert!(speed(wrong).is_err(), "{wrong}");
        }
    }
}
