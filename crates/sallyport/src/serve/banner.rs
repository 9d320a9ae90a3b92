//! What a person reads when the gateway starts. On a terminal; in a log it is one line.

use std::io::IsTerminal;

use super::build::Built;
use super::listeners::Running;
use crate::output;

/// Says where the gateway listens, by what it judges, and how to get in.
pub(super) fn show(built: &Built, running: &Running) {
    let listen = &running.listen;
    let config = built.config.load();
    let policy = built.gate.policy();
    let rules = policy.rule_names().count();
    let names: Vec<&str> = config.targets.iter().map(|target| target.target.name.as_str()).collect();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        postgres = listen.postgres,
        ssh = listen.ssh,
        api = listen.api_url,
        data_dir = %built.layout.root().display(),
        policy = policy.version(),
        rules,
        targets = names.len(),
        "the gateway is ready"
    );
    if !std::io::stderr().is_terminal() {
        return;
    }
    let first = names.first().copied().unwrap_or("TARGET");
    let (host, port) = listen.postgres.rsplit_once(':').unwrap_or(("127.0.0.1", "6432"));
    let host = if host == "0.0.0.0" || host == "[::]" { "localhost" } else { host.trim_matches(['[', ']']) };
    output::note(&format!(
        "
  Sallyport {version}
  postgres   {postgres}
  ssh        {ssh}
  api        {api}
  data       {data}
  policy     {policy}, {rules} rules from {files}
  targets    {targets}

  A token:   sallyport --data-dir {data} token --as agent-7 --groups agents --target {first}
  A client:  PGPASSWORD=TOKEN psql -h {host} -p {port} {first}
",
        version = env!("CARGO_PKG_VERSION"),
        postgres = listen.postgres,
        ssh = listen.ssh.as_deref().unwrap_or("no target of kind ssh"),
        api = listen.api_url,
        data = built.layout.root().display(),
        policy = policy.version(),
        files = config.policy.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", "),
        targets = names.join(", "),
    ));
}
