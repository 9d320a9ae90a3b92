//! What a held command would change, for whoever decides: the planner's estimate, and where a rule permits it a run that is undone. Both go
//! over a connection of the gateway's own with the lease's rights, so that the session and its transaction stay as they are.

use std::sync::Arc;
use std::time::Duration;

use gate::Grant;

use crate::catalogue::{Answer, LoadError, exchange};
use crate::config::TargetOptions;
use crate::upstream::{self, StartupParams, Upstream};
use crate::wire::encode;

/// How long all of it may take: the client waits for it, and so does the approver.
const PATIENCE: Duration = Duration::from_secs(6);
/// A dry run waits for no lock longer than this, and takes no longer than that.
const BOUNDS: &str = "SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = '4s'";
/// What the transaction has changed so far, by table; every name has its schema.
const CHANGED: &str = "SELECT n.nspname, c.relname, pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid), \
     pg_catalog.pg_stat_get_xact_tuples_updated(c.oid), pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,m}'::pg_catalog.\"char\"[]) \
     AND c.oid OPERATOR(pg_catalog.>=) 16384::pg_catalog.oid \
     AND (pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid) OPERATOR(pg_catalog.+) \
     pg_catalog.pg_stat_get_xact_tuples_updated(c.oid) OPERATOR(pg_catalog.+) \
     pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)) OPERATOR(pg_catalog.>) 0 ORDER BY 1, 2";
/// Tables that one preview names.
const TABLES: usize = 50;

/// A command that is to be previewed.
#[derive(Debug)]
pub(crate) struct Wanted {
    /// One statement.
    pub(crate) sql: String,
    /// Types of its parameters, as far as they were said.
    pub(crate) types: Vec<u32>,
    /// Their values as text.
    pub(crate) values: Vec<Option<String>>,
    /// The session's path, or wider.
    pub(crate) path: Arc<[String]>,
    /// Whether it may be run and undone.
    pub(crate) dry_run: bool,
    /// Whether the client has a transaction open, of which nobody else sees anything.
    pub(crate) in_transaction: bool,
}

/// What can be said of it, as lines. What could not be asked is a line, too.
pub(crate) async fn look(
    grant: &Grant,
    options: &TargetOptions,
    database: Option<&str>,
    wanted: &Wanted,
) -> Vec<String> {
    let mut lines = Vec::new();
    if tokio::time::timeout(PATIENCE, ask(grant, options, database, wanted, &mut lines)).await.is_err() {
        lines.push("no preview in time: the target is busy, or a lock is in the way".to_owned());
    }
    if wanted.in_transaction {
        lines.push("what the open transaction has changed so far is not part of this".to_owned());
    }
    lines
}

async fn ask(grant: &Grant, options: &TargetOptions, database: Option<&str>, wanted: &Wanted, lines: &mut Vec<String>) {
    let startup = StartupParams {
        database: database.map(str::to_owned),
        application_name: "sallyport preview".to_owned(),
        settings: Vec::new(),
    };
    let estimated = match upstream::connect(grant, options, &startup).await {
        Ok(mut upstream) => estimate(grant, &mut upstream, wanted).await,
        Err(_) => return lines.push("no preview: the target cannot be reached".to_owned()),
    };
    lines.push(estimated.unwrap_or_else(|error| format!("no estimate: {}", words(&error))));
    if !wanted.dry_run {
        return;
    }
    match upstream::connect(grant, options, &startup).await {
        Ok(mut upstream) => match dry_run(grant, &mut upstream, wanted).await {
            Ok(found) => lines.extend(found),
            Err(error) => lines.push(format!("no dry run: {}", words(&error))),
        },
        Err(_) => lines.push("no dry run: the target cannot be reached".to_owned()),
    }
}

/// The target's own words stay with the target: they may hold data.
fn words(error: &LoadError) -> String {
    match error {
        LoadError::Refused(sqlstate) => format!("the target answers {sqlstate}"),
        _ => "the target cannot be asked".to_owned(),
    }
}

/// EXPLAIN, in a transaction that cannot write.
async fn estimate(grant: &Grant, upstream: &mut Upstream, wanted: &Wanted) -> Result<String, LoadError> {
    simple(grant, upstream, &format!("BEGIN READ ONLY; {BOUNDS}; {}", path(&wanted.path))).await?;
    let mut plan = String::new();
    let explain = format!("EXPLAIN (FORMAT JSON) {}", wanted.sql);
    exchange(grant, upstream, &run(&explain, wanted), |answer| {
        if let Answer::Row([Some(text)]) = answer {
            plan.push_str(text);
        }
        Ok(())
    })
    .await?;
    let rows = serde_json::from_str(&plan).ok().and_then(|plan| rows_of(&plan)).ok_or(LoadError::Broken)?;
    Ok(format!("about {rows} rows, by the planner's estimate"))
}

/// Rows that the plan expects to change, or to return where it changes none.
fn rows_of(plan: &serde_json::Value) -> Option<u64> {
    let top = plan.get(0)?.get("Plan")?;
    let rows = |plan: &serde_json::Value| plan.get("Plan Rows").and_then(serde_json::Value::as_u64);
    if top.get("Node Type").and_then(serde_json::Value::as_str) != Some("ModifyTable") {
        return rows(top);
    }
    // Older servers have one part for each partition.
    let parts = top.get("Plans").and_then(serde_json::Value::as_array)?;
    let feeding = |part: &&serde_json::Value| {
        part.get("Parent Relationship").and_then(serde_json::Value::as_str).is_none_or(|how| how != "InitPlan")
    };
    parts.iter().filter(feeding).map(rows).sum()
}

/// Runs it, looks at what it changed where, and undoes it.
async fn dry_run(grant: &Grant, upstream: &mut Upstream, wanted: &Wanted) -> Result<Vec<String>, LoadError> {
    simple(grant, upstream, &format!("BEGIN; {BOUNDS}; {}", path(&wanted.path))).await?;
    let mut lines = Vec::new();
    exchange(grant, upstream, &run(&wanted.sql, wanted), |answer| {
        if let Answer::Tag(tag) = answer {
            lines.push(format!("dry run, undone: {tag}"));
        }
        Ok(())
    })
    .await?;
    let mut question = Vec::new();
    encode::query(&mut question, CHANGED);
    exchange(grant, upstream, &question, |answer| {
        if let Answer::Row([Some(schema), Some(table), Some(inserted), Some(updated), Some(deleted)]) = answer
            && lines.len() <= TABLES
        {
            let counts = [("inserted", inserted), ("updated", updated), ("deleted", deleted)];
            let counts: Vec<String> = counts
                .iter()
                .filter(|(_, count)| **count != "0")
                .map(|(word, count)| format!("{count} {word}"))
                .collect();
            lines.push(format!("  {schema}.{table}: {}", counts.join(", ")));
        }
        Ok(())
    })
    .await?;
    simple(grant, upstream, "ROLLBACK").await?;
    Ok(lines)
}

async fn simple(grant: &Grant, upstream: &mut Upstream, sql: &str) -> Result<(), LoadError> {
    let mut message = Vec::new();
    encode::query(&mut message, sql);
    exchange(grant, upstream, &message, |_| Ok(())).await
}

/// One statement with its values, by the extended protocol.
fn run(sql: &str, wanted: &Wanted) -> Vec<u8> {
    let values: Vec<Option<&[u8]>> = wanted.values.iter().map(|value| value.as_deref().map(str::as_bytes)).collect();
    let mut messages = Vec::new();
    encode::parse(&mut messages, "", sql, &wanted.types);
    encode::bind(&mut messages, "", "", &[], &values, &[]);
    encode::execute(&mut messages, "", 0);
    encode::sync(&mut messages);
    messages
}

fn path(schemas: &[String]) -> String {
    let quoted: Vec<String> = schemas.iter().map(|schema| format!("\"{}\"", schema.replace('"', "\"\""))).collect();
    if quoted.is_empty() { "SELECT".to_owned() } else { format!("SET LOCAL search_path = {}", quoted.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_estimate_is_of_the_rows_that_change() {
        let plan = |text: &str| rows_of(&serde_json::from_str(text).unwrap());
        assert_eq!(plan(r#"[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 7}}]"#), Some(7));
        let changes = r#"[{"Plan": {"Node Type": "ModifyTable", "Plan Rows": 0, "Plans": [
            {"Parent Relationship": "InitPlan", "Plan Rows": 90}, {"Parent Relationship": "Outer", "Plan Rows": 3},
            {"Parent Relationship": "Member", "Plan Rows": 4}]}}]"#;
        assert_eq!(plan(changes), Some(7));
        assert_eq!(plan("[]"), None);
    }

    #[test]
    fn schemas_are_quoted() {
        let schemas = ["a".to_owned(), "b\"; DROP".to_owned()];
        assert_eq!(path(&schemas), "SET LOCAL search_path = \"a\", \"b\"\"; DROP\"");
    }
}
