//! `secrets`: the sealed store of credentials. There is no way to show one.

use std::io::{IsTerminal, Read, Write};
use std::path::Path;

use ::secrets::SecretInfo;
use anyhow::{Context, Result, bail};
use gate::Secret;

use super::Outcome;
use crate::cli::Global;
use crate::cli::secret::Secrets;
use crate::data::Layout;
use crate::{local, output};

/// Largest secret: a private key with its chain fits.
const MAX: u64 = 64 << 10;

/// Runs a `secrets` command.
///
/// # Errors
/// When the store cannot be opened or written.
pub(crate) async fn run(global: &Global, command: Secrets) -> Result<Outcome> {
    let layout = Layout::new(global.places().data_dir()?);
    match command {
        Secrets::Set { name } => {
            layout.prepare()?;
            let value = read_secret(&name)?;
            let sealed = local::sealed(&layout)?;
            local::audited(&layout, "secret.set", &name, || Ok(sealed.set(&name, &value)?)).await?;
            output::line(&format!("{name} is stored"))?;
        }
        Secrets::Ls { json } => {
            layout.require()?;
            show(&local::sealed(&layout)?.ls()?, json)?;
        }
        Secrets::Rm { name } => {
            layout.require()?;
            let sealed = local::sealed(&layout)?;
            let gone = local::audited(&layout, "secret.rm", &name, || Ok(sealed.rm(&name)?)).await?;
            if !gone {
                bail!("there is no secret {name}; `sallyport secrets ls` lists them");
            }
            output::line(&format!("{name} is removed"))?;
        }
        Secrets::Rotate { to } => rotate(&layout, to.as_deref()).await?,
    }
    Ok(Outcome::Done)
}

fn read_secret(name: &str) -> Result<Secret> {
    let stdin = std::io::stdin();
    let bytes = if stdin.is_terminal() { ask(name)? } else { read_all(&mut stdin.lock())? };
    if bytes.is_empty() {
        bail!("nothing was given: write the secret to standard input, or type it when asked");
    }
    Ok(Secret::new(bytes))
}

fn read_all(from: &mut impl Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX + 1).read_to_end(&mut bytes).context("read the secret from standard input")?;
    if bytes.len() as u64 > MAX {
        bail!("the secret is larger than 64 KiB");
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

/// Asks on the terminal, without echo.
fn ask(name: &str) -> Result<Vec<u8>> {
    let stdin = std::io::stdin();
    let mut err = std::io::stderr();
    write!(err, "{name}: ").and_then(|()| err.flush()).context("ask on the terminal")?;
    let before = rustix::termios::tcgetattr(&stdin).context("ask the terminal for its settings")?;
    let mut quiet = before.clone();
    quiet.local_modes.remove(rustix::termios::LocalModes::ECHO);
    rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &quiet).context("turn echo off")?;
    let mut line = String::new();
    let read = stdin.read_line(&mut line);
    rustix::termios::tcsetattr(&stdin, rustix::termios::OptionalActions::Now, &before).context("turn echo on again")?;
    output::note("");
    read.context("read the secret from the terminal")?;
    Ok(line.trim_end_matches(['\r', '\n']).as_bytes().to_vec())
}

fn show(secrets: &[SecretInfo], json: bool) -> Result<()> {
    let set = |info: &SecretInfo| console::view::rfc3339(record::Micros(info.set));
    if json {
        let list: Vec<_> = secrets
            .iter()
            .map(|info| serde_json::json!({ "name": info.name, "version": info.version, "set": set(info), "key": info.key }))
            .collect();
        return output::json(&list);
    }
    let rows = secrets
        .iter()
        .map(|info| vec![info.name.clone(), info.version.to_string(), output::when(&set(info)), info.key.clone()])
        .collect();
    output::table(
        &["name", "version", "set", "key"],
        rows,
        "no secret is stored; `sallyport secrets set NAME` stores one",
    )
}

async fn rotate(layout: &Layout, to: Option<&Path>) -> Result<()> {
    layout.require()?;
    let count = local::audited(layout, "secret.rotate", "master key", || local::rotate(layout, to)).await?;
    output::line(&format!("{count} secrets are sealed with the new master key"))?;
    if to.is_some() {
        output::note("set SALLYPORT_MASTER_KEY to the new key before the gateway starts again");
    }
    Ok(())
}
