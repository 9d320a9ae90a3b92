//! `audit`: the gateway's own log of admin actions, read from the store.

use anyhow::Result;
use console::view::rfc3339;
use store::AuditReport;

use super::Outcome;
use crate::cli::{AuditCommand, Global};
use crate::local::Local;
use crate::output;

/// Runs an `audit` command.
///
/// # Errors
/// When the store cannot be read.
pub(crate) async fn run(global: &Global, command: AuditCommand) -> Result<Outcome> {
    let local = Local::open(global).await?;
    match command {
        AuditCommand::Ls { limit, json } => ls(&local, limit, json).await,
        AuditCommand::Verify { json } => verify(&local, json).await,
    }
}

async fn ls(local: &Local, limit: u32, json: bool) -> Result<Outcome> {
    let rows = local.store.audit_list(None, limit).await?;
    if json {
        for row in &rows {
            let value = serde_json::json!({
                "seq": row.seq, "at": rfc3339(row.at), "actor": row.actor, "action": row.action,
                "object": row.object, "detail": row.detail,
            });
            output::line(&value.to_string())?;
        }
        return Ok(Outcome::Done);
    }
    let rows = rows
        .into_iter()
        .map(|row| {
            vec![
                row.seq.to_string(),
                output::when(&rfc3339(row.at)),
                row.actor,
                row.action,
                row.object,
                output::short(&row.detail, 60),
            ]
        })
        .collect();
    output::table(&["seq", "at", "actor", "action", "object", "detail"], rows, "the audit log is empty")?;
    Ok(Outcome::Done)
}

async fn verify(local: &Local, json: bool) -> Result<Outcome> {
    let report = local.store.verify_audit(None).await?;
    let good = matches!(report, AuditReport::Intact(_));
    let text = report.to_string();
    if json {
        output::json(&serde_json::json!({ "whole": good, "detail": text }))?;
    } else {
        output::line(&text)?;
    }
    Ok(Outcome::of(good))
}
