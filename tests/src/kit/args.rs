//! Command-line arguments of the `suite` binary: flags, options with a value, and free words.

use anyhow::{Result, bail};

/// The arguments after the subcommand, taken out one by one; what is left at the end is a mistake.
pub struct Args {
    left: Vec<String>,
}

impl Args {
    /// Wraps the arguments of one subcommand.
    pub fn new(args: impl IntoIterator<Item = String>) -> Self {
        Self { left: args.into_iter().collect() }
    }

    /// Takes `--name` out and says whether it was there.
    pub fn flag(&mut self, name: &str) -> bool {
        let before = self.left.len();
        self.left.retain(|arg| arg != name);
        self.left.len() != before
    }

    /// Takes `--name VALUE` (or `--name=VALUE`) out.
    ///
    /// # Errors
    /// When the option stands last, without a value.
    pub fn option(&mut self, name: &str) -> Result<Option<String>> {
        let joined = format!("{name}=");
        let Some(at) = self.left.iter().position(|arg| arg == name || arg.starts_with(&joined)) else {
            return Ok(None);
        };
        let arg = self.left.remove(at);
        if let Some(value) = arg.strip_prefix(&joined) {
            return Ok(Some(value.to_owned()));
        }
        if at >= self.left.len() {
            bail!("{name} needs a value");
        }
        Ok(Some(self.left.remove(at)))
    }

    /// Takes `--name NUMBER` out, or gives `default`.
    ///
    /// # Errors
    /// When the value is missing or is not a number.
    pub fn number(&mut self, name: &str, default: u64) -> Result<u64> {
        match self.option(name)? {
            None => Ok(default),
            Some(text) => text.parse().map_err(|_| anyhow::anyhow!("{name} needs a whole number, not {text:?}")),
        }
    }

    /// Takes the next free word out.
    pub fn word(&mut self) -> Option<String> {
        let at = self.left.iter().position(|arg| !arg.starts_with('-'))?;
        Some(self.left.remove(at))
    }

    /// Refuses what nobody took.
    ///
    /// # Errors
    /// Names the arguments that are left.
    pub fn finish(self) -> Result<()> {
        if self.left.is_empty() {
            return Ok(());
        }
        bail!("not understood: {} (see --help)", self.left.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_options_in_either_form_and_names_the_rest() {
        let mut args = Args::new(["--a", "1", "--b=2", "word", "--odd"].map(str::to_owned));
        assert_eq!(args.option("--a").unwrap().as_deref(), Some("1"));
        assert_eq!(args.number("--b", 7).unwrap(), 2);
        assert_eq!(args.number("--c", 7).unwrap(), 7);
        assert_eq!(args.word().as_deref(), Some("word"));
        assert!(args.finish().unwrap_err().to_string().contains("--odd"));
    }

    #[test]
    fn an_option_without_a_value_is_an_error() {
        assert!(Args::new(["--a".to_owned()]).option("--a").is_err());
    }
}
