//! PostgreSQL's regression suite under narrow policies, on the database that a direct run of it leaves.
//!
//! - [`read_only`]: the whole schedule again where only reads are allowed. A dump of everything before and after is the judge.
//! - [`masked`]: its SELECTs, directly and behind masks. Cells are the judge: only what holds a masked value may differ.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::pg::Pg;
use super::{Run, Suite};
use crate::clients::ALLOW_ALL;
use crate::corpus::report::aligned;
use crate::honest::answer::{self, Answer, Cell};
use crate::kit::gateway::{self, Gateway, Who};
use crate::kit::postgres::{Options, SUPERUSER, Server};
use crate::kit::process::output;
use crate::kit::wire::Wire;

const READ_ONLY: &str =
    "rules:\n  - name: reads\n    who: { groups: [agents] }\n    do: [connect, session, read]\n    then: allow\n";

const MASKS: &str = "masks:\n  - name: words\n    who: any\n    columns: [public.onek.stringu1, public.onek.stringu2, \
                     public.onek.string4]\n    with: redact\n";

/// The values of the masked columns, beside those of other tables that are the same words.
const WORDS: &str =
    "SELECT stringu1::text FROM onek UNION SELECT stringu2::text FROM onek UNION SELECT string4::text FROM onek";

/// What a dump does not show: what `postgresql.conf` and ALTER SYSTEM say, and large objects' owners.
const BESIDE: &str = "SELECT name || '=' || setting FROM pg_file_settings UNION ALL SELECT name || '=' || coalesce(reset_val, '') FROM pg_settings \
     WHERE source NOT IN ('client', 'session', 'override') UNION ALL SELECT oid || ' ' || lomowner FROM pg_largeobject_metadata \
     UNION ALL SELECT slot_name::text FROM pg_replication_slots ORDER BY 1";

/// A statement that the suite sent.
struct Sent {
    text: String,
    refused: bool,
    select: bool,
    /// What it would do beside reading, as effect and object.
    acts: BTreeSet<String>,
}

/// Runs `suite regress pg --read-only` or `--masked` and gives the status to exit with.
pub(super) fn main(suite: &Pg, masks: bool, keep: Option<PathBuf>) -> Result<i32> {
    let server = Server::start(&Options::default())?;
    suite.prepare(&server)?;
    let direct = server.superuser(suite.database());
    let results = suite.run(&Run { label: "direct", server: &server, dsn: &direct, keep: keep.clone() })?;
    super::summary("direct", &results);
    let before = state(&server)?;
    let sent = again(suite, &server, keep)?;
    let after = state(&server)?;
    if masks { masked(suite, &server, &sent) } else { read_only(suite, &server, &sent, &before, &after) }
}

/// The suite once more, through a policy that allows reading; gives what it sent.
fn again(suite: &Pg, server: &Server, keep: Option<PathBuf>) -> Result<Vec<Sent>> {
    let gateway = start(suite, server, READ_ONLY)?;
    let dsn = dsn(suite, &gateway)?;
    suite.run(&Run { label: "read-only", server, dsn: &dsn, keep })?;
    let file = server.home().join("sessions.jsonl");
    gateway.cli(&["sessions", "export", "--all", "-o", file.to_str().context("a path of text")?])?;
    let text = std::fs::read_to_string(&file).context("read the sessions")?;
    text.lines()
        .map(|line| Ok(serde_json::from_str::<Value>(line)?))
        .filter_map(|event| event.map(sent).transpose())
        .collect()
}

fn start(suite: &Pg, server: &Server, policy: &str) -> Result<Gateway> {
    Gateway::start(&gateway::Options {
        target: suite.database().to_owned(),
        tls: false,
        ..gateway::Options::new(server.port(), suite.database(), policy)
    })
}

fn dsn(suite: &Pg, gateway: &Gateway) -> Result<crate::kit::dsn::Dsn> {
    let token = gateway.token(&Who::agent("regress"))?;
    let dsn = gateway.dsn_with(&token, SUPERUSER, "");
    Ok(crate::kit::dsn::Dsn { database: suite.database().to_owned(), ..dsn })
}

fn sent(event: Value) -> Option<Sent> {
    if event.get("event")?.as_str()? != "command" {
        return None;
    }
    let outcome = event.get("outcome")?.as_str()?;
    let actions = event.get("actions")?.as_array()?.iter().filter_map(|action| {
        let effect = action.get("effect")?.as_str()?;
        let object = action.get("object").and_then(Value::as_str).unwrap_or_default();
        (!matches!(effect, "read" | "session")).then(|| format!("{effect} {object}"))
    });
    Some(Sent {
        text: event.get("text")?.as_str()?.to_owned(),
        refused: outcome != "allow",
        select: event.get("label")?.as_str()? == "SELECT",
        acts: actions.collect(),
    })
}

/// Everything that a statement could have changed for others, as lines.
fn state(server: &Server) -> Result<Vec<String>> {
    let mut command = Command::new(server.bin().join("pg_dumpall"));
    command.envs(server.superuser("postgres").env());
    let dump = output(&mut command, "pg_dumpall")?;
    let beside = server.sql("regression", BESIDE)?;
    let beside = beside.into_iter().flatten().flatten();
    Ok(dump.lines().filter(|line| !volatile(line)).map(str::to_owned).chain(beside).collect())
}

/// Lines of a dump that are different each time.
fn volatile(line: &str) -> bool {
    ["-- Started on", "-- Completed on", "\\restrict ", "\\unrestrict "].iter().any(|start| line.starts_with(start))
}

fn read_only(suite: &Pg, server: &Server, sent: &[Sent], before: &[String], after: &[String]) -> Result<i32> {
    let refused = sent.iter().filter(|one| one.refused).count();
    println!("{} statements ran through the policy, {refused} of them refused", sent.len());
    let changed = changes(before, after);
    println!("the dump has {} lines, {} of them changed", before.len(), changed.len());
    changed.iter().take(20).for_each(|line| println!("  {line:.160}"));
    by_reason(suite, server, sent)?;
    Ok(i32::from(!changed.is_empty() || sent.is_empty()))
}

/// Lines that are in one and not in the other.
fn changes(before: &[String], after: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, i64> = BTreeMap::new();
    before.iter().for_each(|line| *counts.entry(line).or_default() -= 1);
    after.iter().for_each(|line| *counts.entry(line).or_default() += 1);
    let sign = |count: i64| if count < 0 { '-' } else { '+' };
    counts.into_iter().filter(|(_, count)| *count != 0).map(|(line, count)| format!("{} {line}", sign(count))).collect()
}

/// Of the refused SELECTs, those that work directly, by what refused them. Runs them, so nothing may be asked of the server afterwards.
fn by_reason(suite: &Pg, server: &Server, sent: &[Sent]) -> Result<()> {
    let refused: BTreeMap<&str, &Sent> =
        sent.iter().filter(|one| one.refused && one.select).map(|one| (one.text.as_str(), one)).collect();
    let mut works = 0;
    let mut reasons: BTreeMap<String, (usize, String)> = BTreeMap::new();
    let mut wire = None;
    for (text, one) in &refused {
        if alone(suite, server, &mut wire, text)?.is_none_or(|answer| answer.error.is_some()) {
            continue;
        }
        works += 1;
        for act in one.acts.iter().map(|act| shown(act)).collect::<BTreeSet<_>>() {
            reasons.entry(act).or_insert_with(|| (0, text.replace('\n', " "))).0 += 1;
        }
    }
    println!("{} different SELECTs refused; {works} of them work directly:", refused.len());
    let mut rows = vec![["refused by", "statements", "for example"].map(str::to_owned).to_vec()];
    let mut sorted: Vec<_> = reasons.into_iter().collect();
    sorted.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
    rows.extend(sorted.into_iter().map(|(act, (count, text))| vec![act, count.to_string(), format!("{text:.70}")]));
    aligned(&rows);
    Ok(())
}

/// Functions of the database's own are one reason; the server's are one each.
fn shown(act: &str) -> String {
    match act.split_once("function:") {
        Some((effect, name)) if !name.starts_with("pg_catalog.") => format!("{effect}a function of the database's own"),
        _ => act.to_owned(),
    }
}

/// A statement in a transaction of its own that is rolled back; `None` when the server ended the connection or waits.
fn alone(suite: &Pg, server: &Server, wire: &mut Option<Wire>, text: &str) -> Result<Option<Answer>> {
    played(wire, text, || Wire::login(&server.superuser(suite.database())))
}

fn played(wire: &mut Option<Wire>, text: &str, login: impl Fn() -> Result<Wire>) -> Result<Option<Answer>> {
    let mut open = match wire.take() {
        Some(open) => open,
        None => login()?,
    };
    open.query("BEGIN; SET LOCAL statement_timeout = '5s'")?;
    // Several statements in one text may wait for COPY data, which never comes.
    let Ok(answer) = answer::ask(&mut open, text, &[]) else {
        return Ok(None);
    };
    open.query("ROLLBACK")?;
    if open.closed() {
        return Ok(None);
    }
    *wire = Some(open);
    Ok(Some(answer))
}

fn masked(suite: &Pg, server: &Server, sent: &[Sent]) -> Result<i32> {
    let gateway = start(suite, server, &format!("{ALLOW_ALL}{MASKS}"))?;
    let dsn = dsn(suite, &gateway)?;
    let words: Vec<String> = server.sql(suite.database(), WORDS)?.into_iter().flatten().flatten().collect();
    // Those that do more than read and call the suite's own functions say nothing about masks.
    let plain = |one: &&Sent| one.acts.iter().all(|act| shown(act).ends_with("database's own"));
    let texts: BTreeMap<&str, &Sent> =
        sent.iter().filter(|one| one.select).filter(plain).map(|one| (one.text.as_str(), one)).collect();
    let (mut compared, mut with_masks, mut hidden, mut unsteady) = (0, 0, 0, 0);
    let mut faults = Vec::new();
    let (mut direct, mut through) = (None, None);
    for (text, one) in &texts {
        let login = || Wire::login(&server.superuser(suite.database()));
        let Some(real) = played(&mut direct, text, login)?.filter(|answer| answer.error.is_none()) else {
            continue;
        };
        // What is not the same twice says nothing: clocks, dice, the session's own state.
        if played(&mut direct, text, login)?.as_ref() != Some(&real) {
            unsteady += 1;
            continue;
        }
        let Some(seen) = played(&mut through, text, || Wire::login(&dsn))? else {
            faults.push(("no answer".to_owned(), *text));
            continue;
        };
        compared += 1;
        match verdict(&real, &seen, &words) {
            Ok(Seen::Equal) => {}
            Ok(Seen::Masked) => with_masks += 1,
            // What a function of the database's own gives may be anything, so all of it is hidden.
            Ok(Seen::Hidden(_)) if !one.acts.is_empty() => hidden += 1,
            Ok(Seen::Hidden(why)) | Err(why) => faults.push((why, *text)),
        }
    }
    println!("{compared} SELECTs compared, {with_masks} of them with masked values, {} differ otherwise", faults.len());
    println!("{hidden} of them hide more, because functions of the database's own run in them");
    println!("{unsteady} more differ from one time to the next");
    faults.iter().for_each(|(why, text)| println!("  {why}: {:.200}", text.replace('\n', " ")));
    Ok(i32::from(compared == 0 || with_masks == 0 || !faults.is_empty()))
}

/// How a result looks behind the masks.
enum Seen {
    Equal,
    Masked,
    /// A cell differs in which no masked value is.
    Hidden(String),
}

/// Compares a result with that behind the masks; `Err` when more than cells differs.
fn verdict(direct: &Answer, through: &Answer, words: &[String]) -> std::result::Result<Seen, String> {
    if let Some(error) = &through.error {
        return Err(format!("fails through the gateway: {error}"));
    }
    let cells = answer::changed_cells(direct, through)?;
    let holds = |cell: &Cell| {
        let text = String::from_utf8_lossy(cell.as_deref().unwrap_or_default());
        words.iter().any(|word| text.contains(word.as_str()))
    };
    match cells.iter().find(|(real, _)| !holds(real)) {
        Some((real, seen)) => {
            let show = |cell: &Cell| cell.as_ref().map(|cell| String::from_utf8_lossy(cell).into_owned());
            Ok(Seen::Hidden(format!("{:?} instead of {:?}", show(seen), show(real))))
        }
        None if cells.is_empty() => Ok(Seen::Equal),
        None => Ok(Seen::Masked),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_one_dump_only_is_a_change() {
        let lines = |list: &[&str]| list.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert!(changes(&lines(&["a", "b", "b"]), &lines(&["b", "a", "b"])).is_empty());
        assert_eq!(changes(&lines(&["a", "b", "b"]), &lines(&["b", "c"])), ["- a", "- b", "+ c"]);
    }

    #[test]
    fn functions_of_users_are_one_reason() {
        assert_eq!(shown("execute function:public.f"), "execute a function of the database's own");
        assert_eq!(shown("execute function:pg_catalog.f"), "execute function:pg_catalog.f");
        assert_eq!(shown("admin server"), "admin server");
    }
}
