//! `ssh-config`: what SSH clients need to know of the gateway, in their own words.

use anyhow::{Result, bail};

use super::Outcome;
use crate::cli::{Global, SshConfig};
use crate::data::listen::Listen;
use crate::data::{Layout, key};
use crate::output;

/// The port when no gateway runs that could say another.
const USUAL_PORT: &str = "6422";

/// Prints lines for `~/.ssh/config`, one host for each target of kind `ssh`, or the line for `known_hosts`.
///
/// # Errors
/// When the gateway has not made its host key yet.
pub(crate) fn run(global: &Global, wanted: &SshConfig) -> Result<Outcome> {
    let places = global.places();
    let config = places.config_if_any()?;
    let layout = Layout::new(places.data_dir_of(config.as_ref())?);
    layout.require()?;
    let path = layout.ssh_host_key();
    if !path.exists() {
        bail!(
            "{}: not made yet; it is made at the first start with a target of kind ssh (`sallyport serve`)",
            path.display()
        );
    }
    let line = key::ssh_host(&path)?.public_line();
    let listen = Listen::read(&layout.listen())?;
    let configured = config.as_ref().and_then(|config| config.ssh).map(|address| address.port().to_string());
    let running =
        listen.and_then(|listen| listen.ssh).and_then(|ssh| ssh.rsplit_once(':').map(|(_, port)| port.to_owned()));
    let port = running.or(configured).unwrap_or_else(|| USUAL_PORT.to_owned());
    let host = &wanted.host;
    let known = if port == "22" { format!("{host} {line}") } else { format!("[{host}]:{port} {line}") };
    let targets =
        config.iter().flat_map(|config| &config.targets).filter(|target| target.target.kind == ssh::PROTOCOL.0);
    let mut names: Vec<&str> = targets.map(|target| target.target.name.as_str()).collect();
    if names.is_empty() {
        names.push("TARGET");
    }
    let block = |name: &&str| format!("Host {name}\n  HostName {host}\n  Port {port}\n  User {name}\n");
    let blocks: Vec<String> = names.iter().map(block).collect();
    if wanted.json {
        output::json(&serde_json::json!({ "config": blocks.concat(), "known_hosts": known, "port": port }))?;
    } else if wanted.known_hosts {
        output::line(&known)?;
    } else {
        output::line(blocks.join("\n").trim_end())?;
        output::note(
            "# The password is a token: sallyport token --as agent-7 --groups agents --target TARGET\n# known_hosts: sallyport ssh-config --known-hosts",
        );
    }
    Ok(Outcome::Done)
}
