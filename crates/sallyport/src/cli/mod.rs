//! The command line: what may be typed. What it does is in [`crate::commands`] and [`crate::serve`].
//!
//! - [`token`], [`secret`], [`target`], [`approval`], [`session`], [`policy`]: the arguments by topic

pub(crate) mod approval;
pub(crate) mod policy;
pub(crate) mod secret;
pub(crate) mod session;
pub(crate) mod target;
pub(crate) mod token;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::find::Places;

/// A gateway between agents and production: every command is judged, masked and recorded.
#[derive(Debug, Parser)]
#[command(
    name = "sallyport",
    version,
    max_term_width = 100,
    propagate_version = false,
    disable_help_subcommand = true,
    after_help = "Start: write sallyport.yaml and policy.yaml, then\n  sallyport config check\n  sallyport serve\n  sallyport token --as agent-7 --target orders-db"
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Configuration file or directory [default: ./sallyport.yaml, then /etc/sallyport]
    #[arg(long, global = true, env = "SALLYPORT_CONFIG", value_name = "PATH")]
    pub(crate) config: Option<PathBuf>,
    /// Directory of the gateway's state [default: the configuration's `data_dir`]
    #[arg(long, global = true, env = "SALLYPORT_DATA_DIR", value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Act as the identity of this token instead of as the local operator
    #[arg(long, global = true, env = "SALLYPORT_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
    /// The gateway's API [default: the running gateway of the data directory]
    #[arg(long, global = true, env = "SALLYPORT_API", value_name = "URL")]
    pub(crate) api: Option<String>,
}

impl Global {
    /// Where configuration and data are.
    pub(crate) fn places(&self) -> Places {
        Places { config: self.config.clone(), data_dir: self.data_dir.clone() }
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the gateway
    #[command(
        after_help = "Example:\n  sallyport serve --config /etc/sallyport\n\nSIGHUP reloads policy and targets (so does saving the files); SIGTERM drains, a second one cuts."
    )]
    Serve,
    /// Check, show or describe the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Issue a token: the password of stock clients
    Token(token::Token),
    /// List and revoke tokens
    #[command(subcommand)]
    Tokens(token::Tokens),
    /// Keep the credentials of targets
    #[command(subcommand)]
    Secrets(secret::Secrets),
    /// List targets and try them
    #[command(subcommand)]
    Targets(target::Targets),
    /// See and answer held commands
    #[command(subcommand)]
    Approvals(approval::Approvals),
    /// See, replay, verify and end sessions
    #[command(subcommand)]
    Sessions(session::Sessions),
    /// Check, test and explain the policy
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// See and verify the log of admin actions
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Show the gateway's certificate authority, for clients
    #[command(after_help = "Example:\n  sallyport ca > ca.pem\n  sallyport ca --path")]
    Ca(Ca),
    /// Print what SSH clients need: lines for ~/.ssh/config and known_hosts
    #[command(
        after_help = "Example:\n  sallyport ssh-config >> ~/.ssh/config\n  sallyport ssh-config --known-hosts >> ~/.ssh/known_hosts"
    )]
    SshConfig(SshConfig),
    /// Show the version
    #[command(after_help = "Example:\n  sallyport version --json")]
    Version {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// What can be done with a configuration.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check everything without starting: files, permissions, policy, targets, secrets
    #[command(
        after_help = "Example:\n  sallyport config check --config /etc/sallyport\n\nExit status: 0 good (warnings possible), 1 problems."
    )]
    Check {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of the configuration, for editors
    #[command(
        after_help = "Example:\n  sallyport config schema > sallyport.schema.json\n  then, as first line of sallyport.yaml:  # yaml-language-server: $schema=sallyport.schema.json"
    )]
    Schema {
        /// The schema of the policy instead
        #[arg(long)]
        policy: bool,
    },
    /// Print the configuration in force with all defaults; secrets are named, never shown
    #[command(after_help = "Example:\n  sallyport config show --json | jq .listen")]
    Show {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// What can be done with the audit log.
#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List admin actions, newest first
    #[command(after_help = "Example:\n  sallyport audit ls --limit 20")]
    Ls {
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: u32,
        /// As JSON Lines
        #[arg(long)]
        json: bool,
    },
    /// Verify that no entry was changed or removed
    #[command(after_help = "Example:\n  sallyport audit verify\n\nExit status: 0 whole, 1 changed.")]
    Verify {
        /// As JSON
        #[arg(long)]
        json: bool,
    },
}

/// Arguments of `ssh-config`.
#[derive(Debug, Args)]
pub(crate) struct SshConfig {
    /// Print the line for known_hosts instead
    #[arg(long, conflicts_with = "json")]
    pub(crate) known_hosts: bool,
    /// How clients name the gateway's machine
    #[arg(long, value_name = "HOST", default_value = "localhost")]
    pub(crate) host: String,
    /// Both, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Arguments of `ca`.
#[derive(Debug, Args)]
pub(crate) struct Ca {
    /// The authority that certifies keys for SSH targets instead: the line for sshd's TrustedUserCAKeys
    #[arg(long)]
    pub(crate) ssh: bool,
    /// Print the path of the certificate instead of the certificate
    #[arg(long)]
    pub(crate) path: bool,
    /// Both, with a connection line, as JSON
    #[arg(long)]
    pub(crate) json: bool,
}
