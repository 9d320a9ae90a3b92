//! Runs the lines that are printed: what is seen is what was done.

use std::fs;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::kit::process::{Running, TERM, bounded, tail};

/// The longest that a line may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the caller's own environment must not decide.
const FOREIGN: [&str; 10] = [
    "PGHOSTADDR",
    "PGOPTIONS",
    "PGSERVICE",
    "PGPASSFILE",
    "PGCHANNELBINDING",
    "PGREQUIREAUTH",
    "PGSSLNEGOTIATION",
    "SALLYPORT_API",
    "SALLYPORT_CONFIG",
    "SALLYPORT_TOKEN",
];

/// A shell with the demo's environment.
pub(super) struct Shell {
    env: Vec<(String, String)>,
    home: TempDir,
}

/// What a line said, and whether it succeeded.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) good: bool,
}

impl Said {
    /// Fails unless all of `parts` were said.
    pub(super) fn has(&self, parts: &[&str]) -> Result<()> {
        for part in parts {
            if !self.text.contains(part) {
                bail!("the answer does not say {part:?}");
            }
        }
        Ok(())
    }

    /// Fails when one of `secrets` was said. The error does not repeat it.
    pub(super) fn lacks(&self, secrets: &[String]) -> Result<()> {
        if secrets.is_empty() {
            bail!("there is nothing to compare with: the demo's own data is missing");
        }
        let shown = secrets.iter().filter(|secret| self.text.contains(secret.as_str())).count();
        if shown > 0 {
            bail!("the answer shows {shown} value(s) of customers in clear");
        }
        Ok(())
    }

    /// Fails unless the line succeeded.
    pub(super) fn good(self) -> Result<Self> {
        if !self.good {
            bail!("the command failed");
        }
        Ok(self)
    }
}

impl Shell {
    /// A shell in whose PATH `home` comes first.
    pub(super) fn new(mut env: Vec<(String, String)>, home: TempDir) -> Self {
        let path = std::env::var("PATH").unwrap_or_default();
        env.push(("PATH".to_owned(), format!("{}:{path}", home.path().display())));
        // Nobody's ~/.psqlrc takes part.
        env.push(("PSQLRC".to_owned(), "/dev/null".to_owned()));
        Self { env, home }
    }

    /// The directory that holds `sallyport`.
    pub(super) fn home(&self) -> &std::path::Path {
        self.home.path()
    }

    /// Prints a line, runs it, prints what it says.
    pub(super) fn run(&self, line: &str) -> Result<Said> {
        prompt(line);
        let (status, text) = bounded(&mut self.command(line), PATIENCE, line)?;
        show(&text);
        let status = status.with_context(|| format!("it took longer than {PATIENCE:?}"))?;
        Ok(Said { text, good: status.success() })
    }

    /// Runs a line without printing anything.
    pub(super) fn quiet(&self, line: &str) -> Result<Said> {
        let (status, text) = bounded(&mut self.command(line), PATIENCE, line)?;
        Ok(Said { text, good: status.is_some_and(|status| status.success()) })
    }

    /// Prints a line and starts it; what it says is shown as it comes.
    pub(super) fn start(&self, line: &str) -> Result<Waiting> {
        prompt(&format!("{line} &"));
        let log = self.home.path().join("background.log");
        let running = Running::start(self.command(line), &log, TERM, "the client")?;
        Ok(Waiting { running, log, shown: 0 })
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new("sh");
        command.arg("-c").arg(line).current_dir(self.home.path());
        for name in FOREIGN {
            command.env_remove(name);
        }
        command.envs(self.env.iter().cloned());
        command
    }
}

/// A line that still runs.
pub(super) struct Waiting {
    running: Running,
    log: PathBuf,
    shown: usize,
}

impl Waiting {
    /// All that it said so far; what is new is shown.
    pub(super) fn said(&mut self) -> Result<String> {
        let text = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        // Whole lines, so that none is torn.
        let end = text.rfind('\n').map_or(0, |at| at + 1);
        if let Some(new) = text.get(self.shown..end).filter(|new| !new.is_empty()) {
            show(new);
            self.shown = end;
        }
        Ok(text)
    }

    /// Whether it has ended, and if so, whether well.
    pub(super) fn ended(&mut self) -> Result<Option<bool>> {
        Ok(self.running.ended()?.map(|status| status.success()))
    }
}

/// Prints a line of explanation.
pub(super) fn explain(text: &str) {
    println!("\n{}", styled("36", &format!("# {text}")));
}

fn prompt(line: &str) {
    println!("{}", styled("1", &format!("$ {line}")));
}

fn show(text: &str) {
    print!("{}", tail(text, 80));
}

/// A value as a word of a shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn styled(code: &str, text: &str) -> String {
    if std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() {
        format!("\x1b[{code}m{text}\x1b[0m")
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clear_value_is_found_and_not_repeated() {
        let said = Said { text: " 1 | a***@example.com\n 2 | bruno@example.com\n".to_owned(), good: true };
        let secrets = ["alice@example.com".to_owned(), "bruno@example.com".to_owned()];
        let error = said.lacks(&secrets).unwrap_err().to_string();
        assert!(error.contains("1 value") && !error.contains("bruno"), "{error}");
        assert!(said.lacks(&secrets[..1]).is_ok());
        assert!(said.lacks(&[]).is_err(), "no secrets is no proof");
        assert!(said.has(&["a***@"]).is_ok() && said.has(&["SP-DENIED"]).is_err());
    }

    #[test]
    fn words_of_a_shell() {
        assert_eq!(quoted("/tmp/x-1"), "/tmp/x-1");
        assert_eq!(quoted("it's"), r"'it'\''s'");
        assert_eq!(quoted(""), "''");
    }

    #[test]
    fn a_line_runs_as_it_is_printed() {
        let shell = Shell::new(vec![("WHO".to_owned(), "agent-7".to_owned())], TempDir::new().unwrap());
        let said = shell.run("echo \"$WHO\"; echo problem >&2; exit 3").unwrap();
        assert_eq!((said.text.as_str(), said.good), ("agent-7\nproblem\n", false));
        assert!(said.good().is_err());
    }
}
