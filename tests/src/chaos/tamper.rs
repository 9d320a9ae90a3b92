//! Changes to recordings that `sessions verify` has to find and name.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::kit::gateway::Gateway;

/// How many places of a recording are changed, one after the other.
const FLIPS: u64 = 12;

/// Stops the gateway, changes recordings in several ways, and gives what `sessions verify` did not notice or name.
pub(super) fn check(gateway: &mut Gateway) -> Result<Vec<String>> {
    gateway.stop();
    let mut faults = Vec::new();
    if let Some(fault) = verify(gateway, None)? {
        faults.push(format!("the untouched recordings: {fault}"));
        return Ok(faults);
    }
    let mut files = Vec::new();
    recordings(&gateway.data().join("recordings"), &mut files)?;
    files.sort_by_key(|file| fs::metadata(file).map(|data| data.len()).unwrap_or(0));
    let Some(victim) = files.last() else {
        bail!("the gateway left no recordings (*.spr)");
    };
    let name = victim.file_stem().and_then(|name| name.to_str()).context("a recording without a name")?.to_owned();
    let whole = fs::read(victim)?;
    let length = u64::try_from(whole.len())?;
    println!("changing {name}, {length} bytes, one of {} recordings", files.len());
    for flip in 0..FLIPS {
        let at = usize::try_from(flip * length / FLIPS + length / (FLIPS * 2))?;
        let mut changed = whole.clone();
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1;
        }
        fs::write(victim, &changed)?;
        faults.extend(verify(gateway, Some(&name))?.map(|fault| format!("byte {at} flipped: {fault}")));
    }
    for cut in [1, length / 2] {
        fs::write(victim, whole.get(..usize::try_from(length - cut)?).unwrap_or_default())?;
        faults.extend(verify(gateway, Some(&name))?.map(|fault| format!("{cut} bytes cut off: {fault}")));
    }
    fs::remove_file(victim)?;
    faults.extend(verify(gateway, Some(&name))?.map(|fault| format!("deleted: {fault}")));
    if let Some(other) = files.first().filter(|other| *other != victim) {
        fs::copy(other, victim)?;
        faults.extend(verify(gateway, Some(&name))?.map(|fault| format!("replaced by another session: {fault}")));
    }
    fs::write(victim, &whole)?;
    faults.extend(verify(gateway, None)?.map(|fault| format!("after putting it back: {fault}")));
    Ok(faults)
}

/// Runs `sessions verify`; `bad` is the session that it has to name, or `None` when all is well. Gives what is wrong with that.
fn verify(gateway: &Gateway, bad: Option<&str>) -> Result<Option<String>> {
    let out = gateway.command(&["sessions", "verify"]).output().context("start sessions verify")?;
    let text = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    let said = text.lines().take(6).collect::<Vec<_>>().join(" | ");
    Ok(match (bad, out.status.code()) {
        (None, Some(0)) => None,
        (None, status) => Some(format!("`sessions verify` ended with {status:?}: {said}")),
        (Some(_), Some(0)) => Some("`sessions verify` found nothing".to_owned()),
        (Some(_), None) => Some(format!("`sessions verify` crashed: {said}")),
        (Some(name), Some(_)) if !text.contains(name) => Some(format!("`sessions verify` did not name {name}: {said}")),
        (Some(_), Some(_)) => None,
    })
}

fn recordings(folder: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            recordings(&path, files)?;
        } else if path.extension().is_some_and(|end| end == "spr") {
            files.push(path);
        }
    }
    Ok(())
}
