//! `ca`: the certificate authority that clients need for `sslmode=verify-full`, and the one that SSH targets need.

use anyhow::{Context, Result, bail};

use super::Outcome;
use crate::cli::{Ca, Global};
use crate::data::Layout;
use crate::data::listen::Listen;
use crate::{local, output};

/// Prints the authority's certificate, or where it is.
///
/// # Errors
/// When the gateway has not made it yet.
pub(crate) fn run(global: &Global, ca: &Ca) -> Result<Outcome> {
    let layout = Layout::new(global.places().data_dir()?);
    layout.require()?;
    if ca.ssh {
        return ssh(&layout, ca);
    }
    let path = layout.ca();
    if !path.exists() {
        bail!(
            "{}: not made yet; it is made at the first start (`sallyport serve`). With `tls: {{ cert, key }}` clients need the authority of that certificate instead",
            path.display()
        );
    }
    let path = path.canonicalize().with_context(|| format!("{}: find it", path.display()))?;
    let listen = Listen::read(&layout.listen())?;
    let port = listen.as_ref().and_then(|listen| listen.postgres.rsplit_once(':')).map_or("6432", |(_, port)| port);
    let line = format!(
        "PGPASSWORD=$TOKEN psql \"host=localhost port={port} dbname=TARGET user=ROLE sslmode=verify-full sslrootcert={}\"",
        path.display()
    );
    if ca.json {
        let pem = std::fs::read_to_string(&path).with_context(|| format!("{}: read it", path.display()))?;
        output::json(&serde_json::json!({ "path": path, "pem": pem, "psql": line }))?;
    } else if ca.path {
        output::line(&path.display().to_string())?;
    } else {
        output::write_out(&std::fs::read(&path).with_context(|| format!("{}: read it", path.display()))?)?;
        output::note(&format!("# {}\n# {line}", path.display()));
    }
    Ok(Outcome::Done)
}

/// The SSH authority's public key. It is made when there is none: hosts can be told of it before the gateway starts.
fn ssh(layout: &Layout, ca: &Ca) -> Result<Outcome> {
    let line = local::ssh_authority(layout, &local::sealed(layout)?)?;
    let path = layout.ssh_authority();
    if ca.json {
        output::json(&serde_json::json!({ "path": path, "key": line }))?;
    } else if ca.path {
        output::line(&path.display().to_string())?;
    } else {
        output::line(&line)?;
        output::note(
            "# On the target: this line in /etc/ssh/sallyport_ca.pub, `TrustedUserCAKeys /etc/ssh/sallyport_ca.pub` in sshd_config\n# Here: `ssh_certificate: {}` beside the role's `user`",
        );
    }
    Ok(Outcome::Done)
}
