//! The steps. Each one says what should happen, does it, and checks that it happened.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use regex::Regex;

use super::Stop;
use super::shell::{Shell, Waiting, explain};
use super::stage::Stage;

/// How long a held command, an approval or a closing session may take to show.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked for.
const LOOK: Duration = Duration::from_millis(50);

/// Walks through all of it.
pub(super) fn walk(stage: &Stage, stop: &Stop) -> Result<()> {
    explain(
        "agent-7 has a token of the gateway instead of a database password. Its environment, and the token of alice, a DBA:",
    );
    stage.print_exports();
    let secrets = stage.secrets()?;
    let steps: [(&str, Step); 4] = [
        ("a masked read", masked_read),
        ("a denied DROP", denied_drop),
        ("an approved DELETE", approved_delete),
        ("the recordings", recordings),
    ];
    for (name, step) in steps {
        stop.check()?;
        step(stage, stop, &secrets).with_context(|| format!("step: {name}"))?;
    }
    println!();
    Ok(())
}

type Step = fn(&Stage, &Stop, &[String]) -> Result<()>;

fn masked_read(stage: &Stage, _stop: &Stop, secrets: &[String]) -> Result<()> {
    explain("The agent may read customers. What identifies them is masked before it leaves the gateway:");
    let said =
        stage.shell.run("psql -c \"SELECT id, name, email, ssn, card FROM customers ORDER BY id LIMIT 5\"")?.good()?;
    said.lacks(secrets)?;
    said.has(&["***@example.com", "***-**-", "(5 rows)"])?;
    explain("Joins, expressions and other spellings change nothing:");
    let said = stage
        .shell
        .run("psql -c \"SELECT lower(c.email) AS mail, count(*) FROM customers c JOIN orders o ON o.customer_id = c.id GROUP BY 1 LIMIT 3\"")?
        .good()?;
    said.lacks(secrets)
}

fn denied_drop(stage: &Stage, _stop: &Stop, _secrets: &[String]) -> Result<()> {
    explain(
        "DROP is denied. The agent is told which rule decided and what to do; the database never sees the statement:",
    );
    let said = stage.shell.run("psql -c \"DROP TABLE customers\"")?;
    if said.good {
        bail!("the DROP succeeded");
    }
    said.has(&["ERROR:  sallyport: denied by policy", "SP-DENIED", "never", "Ask in #dba"])?;
    if stage.truth("SELECT count(*) FROM customers")? != "300" {
        bail!("customers are missing");
    }
    Ok(())
}

fn approved_delete(stage: &Stage, stop: &Stop, _secrets: &[String]) -> Result<()> {
    let left = || stage.truth("SELECT count(*) FROM orders WHERE id = 7");
    explain("A DELETE needs a human. psql waits, as it would wait for a slow database:");
    let mut client = stage.shell.start("psql -c \"DELETE FROM orders WHERE id = 7\"")?;
    let id = held(&mut client, stop)?;
    if left()? != "1" {
        bail!("the row went before anyone approved");
    }
    explain("The DBA sees who wants what, and decides on that exact command:");
    let alice = "sallyport --token \"$ALICE\"";
    let list = stage.shell.run(&format!("{alice} approvals ls"))?.good()?;
    list.has(&[&id, "agent-7", "DELETE FROM orders WHERE id = 7"])?;
    if client.ended()?.is_some() || left()? != "1" {
        bail!("the command did not wait");
    }
    stage.shell.run(&format!("{alice} approvals approve {id} --reason \"ticket 4711\""))?.good()?.has(&["approved"])?;
    explain("And psql goes on by itself:");
    let until = Instant::now() + PATIENCE;
    let good = loop {
        if let Some(good) = client.ended()? {
            break good;
        }
        pause(until, stop, "psql did not go on after the approval")?;
    };
    let said = client.said()?;
    if !good || !said.contains("DELETE 1") || left()? != "0" {
        bail!("the approved command was not carried out");
    }
    Ok(())
}

/// Waits until the client was told that its command is held, and gives the request's id.
fn held(client: &mut Waiting, stop: &Stop) -> Result<String> {
    let id = Regex::new("waits for approval (apr_[0-9A-Za-z_-]+)").context("the pattern of ids")?;
    let until = Instant::now() + PATIENCE;
    loop {
        let said = client.said()?;
        // The hint is the last line of the notice: after it nothing of it is shown later.
        let told = id.captures(&said).filter(|_| said.contains("HINT:"));
        if let Some(found) = told.and_then(|found| Some(found.get(1)?.as_str().to_owned())) {
            client.said()?;
            return Ok(found);
        }
        if client.ended()?.is_some() {
            bail!("psql did not wait for an approval");
        }
        pause(until, stop, "psql was not told that its command waits")?;
    }
}

fn recordings(stage: &Stage, stop: &Stop, secrets: &[String]) -> Result<()> {
    let alice = "sallyport --token \"$ALICE\"";
    closed(&stage.shell, stop)?;
    explain("Everything was recorded, as the agent saw it:");
    let list = stage.shell.run(&format!("{alice} sessions ls"))?.good()?;
    list.has(&["agent-7", "orders-db"])?;
    let ids = sessions(&stage.shell)?;
    let (Some(newest), Some(oldest)) = (ids.first(), ids.last()) else {
        bail!("no session is recorded");
    };
    list.has(&[newest, oldest])?;
    explain("A session can be read again: the command, who approved it and why, and what came back:");
    let said = stage.shell.run(&format!("{alice} sessions replay {newest}"))?.good()?;
    said.has(&["DELETE FROM orders WHERE id = 7", "alice", "ticket 4711"])?;
    explain("Recordings hold what the client saw, so they hold no customer data in clear either:");
    let said = stage.shell.run(&format!("{alice} sessions replay {oldest}"))?.good()?;
    said.has(&["FROM customers", "***@example.com"])?;
    said.lacks(secrets)?;
    explain("They are chained and signed: a changed, cut or missing one would be named here:");
    let said = stage.shell.run("sallyport sessions verify")?.good()?;
    said.has(&["all whole"])
}

/// Waits until no session is open, so that the recordings are complete.
pub(super) fn closed(shell: &Shell, stop: &Stop) -> Result<()> {
    let until = Instant::now() + PATIENCE;
    while shell.quiet("sallyport sessions ls --live --json")?.good()?.text.trim() != "[]" {
        pause(until, stop, "a session does not close")?;
    }
    Ok(())
}

/// The sessions' ids, newest first.
pub(super) fn sessions(shell: &Shell) -> Result<Vec<String>> {
    let said = shell.quiet("sallyport sessions ls --json")?.good()?;
    let list: Vec<serde_json::Value> = serde_json::from_str(&said.text).context("read the list of sessions")?;
    let id = |session: &serde_json::Value| Some(session.get("id")?.as_str()?.to_owned());
    list.iter().map(id).collect::<Option<_>>().context("a session without an id")
}

pub(super) fn pause(until: Instant, stop: &Stop, otherwise: &str) -> Result<()> {
    stop.check()?;
    if Instant::now() > until {
        bail!("{otherwise} within {PATIENCE:?}");
    }
    std::thread::sleep(LOOK);
    Ok(())
}
