//! `approvals`: held commands, through the running gateway: only it can wake the client that waits.

use anyhow::Result;
use console::view::{ApprovalView, Reason};
use model::ApprovalId;

use super::Outcome;
use crate::cli::Global;
use crate::cli::approval::Approvals;
use crate::client::{Client, query};
use crate::output;

/// Runs an `approvals` command.
///
/// # Errors
/// When no gateway runs, or it refuses.
pub(crate) async fn run(global: &Global, command: Approvals) -> Result<Outcome> {
    let client = Client::find(global)?;
    match command {
        Approvals::Ls { all, json } => ls(&client, all, json).await,
        Approvals::Show { id, json } => {
            let id: ApprovalId = id.parse()?;
            let approval: ApprovalView = client.get(&format!("/api/v1/approvals/{id}")).await?;
            if json {
                output::json(&approval)?
            } else {
                show(&approval)?
            }
            Ok(Outcome::Done)
        }
        Approvals::Approve { id, reason, json } => answer(&client, &id, "approve", reason, json).await,
        Approvals::Deny { id, reason, json } => answer(&client, &id, "deny", reason, json).await,
    }
}

async fn ls(client: &Client, all: bool, json: bool) -> Result<Outcome> {
    let path = format!("/api/v1/approvals{}", query(&[("all", all.then(|| "true".to_owned()))]));
    let approvals: Vec<ApprovalView> = client.get(&path).await?;
    if json {
        output::json(&approvals)?;
        return Ok(Outcome::Done);
    }
    let rows = approvals
        .iter()
        .map(|approval| {
            vec![
                approval.id.clone(),
                approval.state.clone(),
                who(approval),
                format!("{} as {}", approval.target, approval.role),
                output::short(&approval.command, 60),
                output::when(&approval.expires),
            ]
        })
        .collect();
    output::table(&["id", "state", "who", "target", "command", "expires"], rows, "no command waits for an answer")?;
    Ok(Outcome::Done)
}

async fn answer(client: &Client, id: &str, word: &str, reason: String, json: bool) -> Result<Outcome> {
    let id: ApprovalId = id.parse()?;
    let approval: ApprovalView = client.post(&format!("/api/v1/approvals/{id}/{word}"), &Reason { reason }).await?;
    if json {
        output::json(&approval)?;
        return Ok(Outcome::Done);
    }
    let yes = approval.answers.iter().filter(|answer| answer.approve).count();
    let note = match approval.state.as_str() {
        "pending" => format!(" ({yes} of {} approvals)", approval.by.quorum),
        _ => String::new(),
    };
    output::line(&format!("{}: {}{note}", approval.id, approval.state))?;
    Ok(Outcome::Done)
}

fn show(approval: &ApprovalView) -> Result<()> {
    let values = approval.values.iter().enumerate().map(|(index, value)| {
        let value = value.as_ref().map_or_else(|| "NULL".to_owned(), |text| format!("'{text}'"));
        format!("${} = {value}", index + 1)
    });
    let mut fields = vec![
        ("id", approval.id.clone()),
        ("state", approval.state.clone()),
        ("who", format!("{} ({}, {})", who(approval), approval.identity.kind, approval.identity.issuer)),
        ("groups", approval.identity.groups.join(", ")),
        ("target", format!("{} as {}", approval.target, approval.role)),
        ("command", approval.command.clone()),
        ("values", values.collect::<Vec<_>>().join("\n")),
        ("would", approval.actions.join("\n")),
        ("preview", approval.preview.join("\n")),
        ("held by", approval.rules.join(", ")),
        ("because", approval.reasons.join("\n")),
        ("task", approval.identity.task.clone().unwrap_or_default()),
        ("session", format!("{}/{}", approval.session, approval.number)),
        ("policy", approval.policy.clone()),
        ("approvers", approvers(approval)),
        ("asked", output::when(&approval.created)),
        ("expires", output::when(&approval.expires)),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    output::fields(&fields)?;
    if let Some(outcome) = &approval.outcome {
        output::line(&output::plain(&format!("it ran: {outcome}")))?;
    }
    for answer in &approval.answers {
        let word = if answer.approve { "approved" } else { "denied" };
        output::line(&output::plain(&format!(
            "{} {word} at {}: {}",
            answer.by,
            output::when(&answer.at),
            answer.reason
        )))?;
    }
    Ok(())
}

fn approvers(approval: &ApprovalView) -> String {
    let users = approval.by.users.iter().cloned();
    let groups = approval.by.groups.iter().map(|group| format!("group {group}"));
    let who = users.chain(groups).collect::<Vec<_>>().join(" or ");
    let reason = if approval.by.reason_required { ", with a reason" } else { "" };
    format!("{} of {who}{reason}", approval.by.quorum)
}

fn who(approval: &ApprovalView) -> String {
    let mut names = vec![approval.identity.subject.clone()];
    names.extend(approval.identity.on_behalf_of.iter().cloned());
    names.join(" for ")
}
