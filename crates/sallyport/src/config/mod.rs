//! Configuration: from YAML to checked values.
//!
//! - [`document`]: what may be written, strictly
//! - [`load`]: files and directories
//! - [`target`]: targets, their roles and their protocol's options
//! - [`policy`](mod@policy): the policy files
//! - [`find`]: which configuration and which data directory a command means
//! - [`duration`], [`problem`]: small words

pub(crate) mod document;
pub(crate) mod duration;
pub(crate) mod find;
pub(crate) mod load;
pub(crate) mod policy;
pub(crate) mod problem;
pub(crate) mod target;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

use document::{ApprovalsDoc, AuthMethod, LimitsDoc, Log, MetricsDoc, Otlp, RecordingsDoc, Tls, TokensDoc};
use duration::Span;
use problem::{Problem, Problems};
use target::TargetConfig;

/// A configuration that makes sense in itself. Whether files, secrets and the network agree is for `config check`.
#[derive(Debug)]
pub(crate) struct Config {
    /// The file or directory it was read from.
    pub(crate) source: PathBuf,
    /// Where state is kept, when the configuration says.
    pub(crate) data_dir: Option<PathBuf>,
    /// Where PostgreSQL clients connect.
    pub(crate) postgres: SocketAddr,
    /// Where SSH clients connect, when any target is theirs.
    pub(crate) ssh: Option<SocketAddr>,
    /// Where the API listens.
    pub(crate) api: SocketAddr,
    /// Networks whose connections start with a PROXY header.
    pub(crate) proxy_from: Vec<String>,
    /// The gateway's certificate.
    pub(crate) tls: Tls,
    /// What clients may prove themselves with; empty is the default of the protocol.
    pub(crate) auth: Vec<AuthMethod>,
    /// The targets, by name.
    pub(crate) targets: Vec<TargetConfig>,
    /// Identity providers.
    pub(crate) issuers: Vec<identity::config::IssuerConfig>,
    /// SSH keys that prove identities.
    pub(crate) keys: identity::config::SshConfig,
    /// Files and directories of the policy.
    pub(crate) policy: Vec<PathBuf>,
    /// Bounds on clients.
    pub(crate) limits: LimitsDoc,
    /// Logging.
    pub(crate) log: Log,
    /// Traces.
    pub(crate) otlp: Option<Otlp>,
    /// Held commands.
    pub(crate) approvals: ApprovalsDoc,
    /// Recordings.
    pub(crate) recordings: RecordingsDoc,
    /// Tokens.
    pub(crate) tokens: TokensDoc,
    /// Health and metrics.
    pub(crate) metrics: MetricsDoc,
    /// How long sessions get to end.
    pub(crate) drain: Span,
}

/// Where SSH clients connect unless the configuration says otherwise.
const DEFAULT_SSH: &str = "127.0.0.1:6422";

impl Config {
    /// Reads and checks a configuration file or directory.
    ///
    /// # Errors
    /// Every problem that was found, with its place.
    pub(crate) fn load(source: &Path) -> Result<Self, Problems> {
        let loaded = load::load(source)?;
        let mut problems = Vec::new();
        let document = loaded.document;
        let listen = document.listen.unwrap_or_default();
        let targets =
            target::read(&loaded.targets_file, &loaded.base, document.targets.unwrap_or_default(), &mut problems);
        let policy = match document.policy {
            Some(policy) => policy.value.paths().iter().map(|path| loaded.base.join(path)).collect(),
            None => loaded.policy_found,
        };
        if policy.is_empty() {
            problems.push(Problem::of(
                &loaded.main,
                "`policy` is missing: without rules everything is denied; write `policy: policy.yaml`",
            ));
        }
        let tls = resolve_tls(&loaded.base, document.tls.unwrap_or_default(), &loaded.main, &mut problems);
        let tokens = document.tokens.unwrap_or_default();
        if tokens.ttl > tokens.max_ttl {
            problems.push(Problem::of(&loaded.main, "`tokens.ttl` is longer than `tokens.max_ttl`"));
        }
        let wants_ssh = targets.iter().any(|target| target.target.kind == ssh::PROTOCOL.0);
        let ssh = listen.ssh.as_deref().unwrap_or(DEFAULT_SSH);
        let ssh = wants_ssh.then(|| address(ssh, "listen.ssh", &loaded.main, &mut problems));
        let config = Self {
            source: source.to_owned(),
            data_dir: document.data_dir.map(|path| loaded.base.join(path)),
            postgres: address(&listen.postgres, "listen.postgres", &loaded.main, &mut problems),
            ssh,
            api: address(&listen.api, "listen.api", &loaded.main, &mut problems),
            proxy_from: listen.proxy_from,
            tls,
            auth: document.auth.unwrap_or_default(),
            targets,
            issuers: document
                .issuers
                .unwrap_or_default()
                .into_iter()
                .map(|issuer| issuer.relative_to(&loaded.base))
                .collect(),
            keys: document.ssh.unwrap_or_default(),
            policy,
            limits: document.limits.unwrap_or_default(),
            log: document.log.unwrap_or_default(),
            otlp: document.otlp,
            approvals: document.approvals.unwrap_or_default(),
            recordings: document.recordings.unwrap_or_default(),
            tokens,
            metrics: document.metrics.unwrap_or_default(),
            drain: document.drain.unwrap_or(Span::seconds(30)),
        };
        config.check_values(&loaded.main, &mut problems);
        if problems.is_empty() { Ok(config) } else { Err(Problems(problems)) }
    }

    /// The targets as the gate takes them.
    ///
    /// # Errors
    /// When two have one name.
    pub(crate) fn gate_targets(&self) -> Result<gate::Targets, String> {
        gate::Targets::new(self.targets.iter().map(|target| (target.target.clone(), target.endpoint.clone())).collect())
    }

    /// The targets as policy sees them.
    pub(crate) fn policy_targets(&self) -> Vec<model::Target> {
        self.targets.iter().map(|target| target.target.clone()).collect()
    }

    fn check_values(&self, file: &Path, problems: &mut Vec<Problem>) {
        if let Some(otlp) = &self.otlp
            && !(otlp.endpoint.starts_with("http://") || otlp.endpoint.starts_with("https://"))
        {
            problems.push(Problem::of(file, "`otlp.endpoint` must start with http:// or https://"));
        }
        if let Err(error) = identity::Keys::new(&self.keys) {
            problems.push(Problem::of(file, error.to_string()));
        }
        if let Some(url) = &self.approvals.url
            && !(url.starts_with("http://") || url.starts_with("https://"))
        {
            problems.push(Problem::of(file, "`approvals.url` must start with http:// or https://"));
        }
        if self.limits.max_connections == 0 || self.limits.max_logins_per_address == 0 {
            problems.push(Problem::of(file, "`limits`: a bound of 0 connections lets nobody in"));
        }
        if self.limits.max_message < 8192 {
            problems.push(Problem::of(file, "`limits.max_message` must be at least 8192 bytes"));
        }
        if tracing_subscriber::EnvFilter::try_new(&self.log.level).is_err() {
            problems.push(Problem::of(
                file,
                "`log.level` must be error, warn, info, debug, trace, or directives such as info,sallyport_gate=debug",
            ));
        }
        if self.log.level.is_empty() {
            problems.push(Problem::of(file, "`log.level` must not be empty"));
        }
    }
}

fn address(text: &str, key: &str, file: &Path, problems: &mut Vec<Problem>) -> SocketAddr {
    let found = text.to_socket_addrs().ok().and_then(|mut list| list.next());
    found.unwrap_or_else(|| {
        problems.push(Problem::of(
            file,
            format!("`{key}` must be an address and a port of this machine, such as 127.0.0.1:6432"),
        ));
        SocketAddr::from(([127, 0, 0, 1], 0))
    })
}

fn resolve_tls(base: &Path, mut tls: Tls, file: &Path, problems: &mut Vec<Problem>) -> Tls {
    if tls.cert.is_some() != tls.key.is_some() {
        problems.push(Problem::of(file, "`tls` needs both `cert` and `key`, or neither"));
    }
    tls.cert = tls.cert.map(|path| base.join(path));
    tls.key = tls.key.map(|path| base.join(path));
    tls
}
