//! sqlx as a client suite: pool, statement cache, transactions, streams, COPY, arrays, listener.
//! The way in comes from PG* variables; prints `ok NAME` / `not ok NAME: why`.
#![expect(clippy::print_stdout, reason = "the suite reads the lines")]

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions, PgSslMode};
use sqlx::{Connection, Executor, PgConnection, PgPool, Row, ValueRef};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let results = [
        check("transactions", transactions()).await,
        check("statement_cache", statement_cache()).await,
        check("pool", pool()).await,
        check("errors_and_recovery", errors_and_recovery()).await,
        check("large_result", large_result()).await,
        check("given_up_stream", given_up_stream()).await,
        check("types", types()).await,
        check("copies", copies()).await,
        check("listener", listener()).await,
        check("describes", describes()).await,
        check("masks_and_rules", masks_and_rules()).await,
    ];
    ExitCode::from(u8::from(results.contains(&false)))
}

async fn check(name: &str, work: impl Future<Output = Result<()>>) -> bool {
    let result =
        tokio::time::timeout(Duration::from_secs(60), work).await.unwrap_or_else(|_| bail!("no end within 60 s"));
    match &result {
        Ok(()) => println!("ok {name}"),
        Err(error) => println!("not ok {name}: {}", format!("{error:#}").replace('\n', " ")),
    }
    result.is_ok()
}

fn options() -> Result<PgConnectOptions> {
    let var = |name: &str| std::env::var(name).with_context(|| name.to_owned());
    let options = PgConnectOptions::new_without_pgpass().host(&var("PGHOST")?).port(var("PGPORT")?.parse()?);
    let options = options.username(&var("PGUSER")?).password(&var("PGPASSWORD")?).database(&var("PGDATABASE")?);
    Ok(options.ssl_mode(PgSslMode::Disable))
}

async fn connect() -> Result<PgConnection> {
    Ok(PgConnection::connect_with(&options()?).await?)
}

async fn transactions() -> Result<()> {
    let mut conn = connect().await?;
    conn.execute("CREATE TABLE tx(n int)").await?;
    let mut outer = conn.begin().await?;
    sqlx::query("INSERT INTO tx VALUES ($1)").bind(1_i32).execute(&mut *outer).await?;
    let mut inner = outer.begin().await?;
    sqlx::query("INSERT INTO tx VALUES ($1)").bind(2_i32).execute(&mut *inner).await?;
    inner.rollback().await?;
    outer.commit().await?;
    let sum: i64 = sqlx::query_scalar("SELECT sum(n) FROM tx").fetch_one(&mut conn).await?;
    ensure!(sum == 1, "sum is {sum}");
    Ok(())
}

async fn statement_cache() -> Result<()> {
    let mut conn = connect().await?;
    for n in 0..500_i32 {
        let got: i32 = sqlx::query_scalar("SELECT $1 + 1").bind(n).fetch_one(&mut conn).await?;
        ensure!(got == n + 1, "{n} gave {got}");
    }
    // More statements than the cache holds: the oldest are closed on the server.
    for n in 0..150_i32 {
        let sql = format!("SELECT $1::int + {n}");
        let got: i32 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).bind(n).fetch_one(&mut conn).await?;
        ensure!(got == 2 * n, "{n} gave {got}");
    }
    Ok(())
}

async fn pool() -> Result<()> {
    let pool: PgPool = PgPoolOptions::new().max_connections(4).connect_with(options()?).await?;
    let one = |n: i32| {
        let pool = pool.clone();
        async move { sqlx::query_scalar::<_, i32>("SELECT $1").bind(n).fetch_one(&pool).await }
    };
    let got = futures_util::future::try_join_all((0..100).map(one)).await?;
    ensure!(got == (0..100).collect::<Vec<_>>(), "wrong answers");
    pool.close().await;
    Ok(())
}

async fn errors_and_recovery() -> Result<()> {
    let mut conn = connect().await?;
    let state = |error: sqlx::Error| error.as_database_error().and_then(|e| e.code().map(|code| code.into_owned()));
    let error = sqlx::query("SELECT 1 / $1").bind(0_i32).execute(&mut conn).await.err().context("no error")?;
    ensure!(state(error).as_deref() == Some("22012"), "not 22012");
    let mut transaction = conn.begin().await?;
    let error = sqlx::query("SELECT nothing").execute(&mut *transaction).await.err().context("no error")?;
    ensure!(state(error).as_deref() == Some("42703"), "not 42703");
    let error = sqlx::query("SELECT 1").execute(&mut *transaction).await.err().context("no error")?;
    ensure!(state(error).as_deref() == Some("25P02"), "not 25P02");
    transaction.rollback().await?;
    sqlx::query("SELECT 1").execute(&mut conn).await?;
    Ok(())
}

async fn large_result() -> Result<()> {
    let mut conn = connect().await?;
    let rows = sqlx::query("SELECT n, repeat('x', 40) FROM generate_series(1, 100000) n").fetch(&mut conn);
    let count = rows.try_fold(0, |count, _| async move { Ok(count + 1) }).await?;
    ensure!(count == 100_000, "{count} rows");
    Ok(())
}

async fn given_up_stream() -> Result<()> {
    let mut conn = connect().await?;
    {
        let mut rows = sqlx::query("SELECT n FROM generate_series(1, 50000) n").fetch(&mut conn);
        rows.try_next().await?;
    }
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut conn).await?;
    ensure!(one == 1, "{one}");
    Ok(())
}

async fn types() -> Result<()> {
    let mut conn = connect().await?;
    let array = vec![Some(1_i32), None, Some(3)];
    let sql = "SELECT $1::text, $2::bool, $3::int8, $4::float8, $5::bytea, $6::int[]";
    let query = sqlx::query(sql).bind(None::<String>).bind(true).bind(1_i64 << 40).bind(1.5_f64);
    let row = query.bind(vec![0_u8, 255]).bind(array.clone()).fetch_one(&mut conn).await?;
    ensure!(
        row.get::<Option<String>, _>(0).is_none() && row.get::<bool, _>(1) && row.get::<i64, _>(2) == 1 << 40,
        "scalars"
    );
    ensure!(row.get::<Vec<u8>, _>(4) == [0, 255] && row.get::<Vec<Option<i32>>, _>(5) == array, "bytes and arrays");
    Ok(())
}

async fn copies() -> Result<()> {
    let mut conn = connect().await?;
    conn.execute("CREATE TABLE c(n int, s text)").await?;
    let mut copy = conn.copy_in_raw("COPY c FROM STDIN").await?;
    let text: String = (0..5000).map(|n| format!("{n}\tline {n}\n")).collect();
    copy.send(text.as_bytes()).await?;
    let count = copy.finish().await?;
    ensure!(count == 5000, "{count} rows in");
    let copy = conn.copy_in_raw("COPY c FROM STDIN").await?;
    copy.abort("given up").await?;
    let mut bytes = 0;
    let mut out = conn.copy_out_raw("COPY (SELECT * FROM c ORDER BY n) TO STDOUT").await?;
    while let Some(chunk) = out.try_next().await? {
        bytes += chunk.len();
    }
    ensure!(bytes == text.len(), "{bytes} bytes out of {}", text.len());
    Ok(())
}

async fn listener() -> Result<()> {
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options()?).await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.listen("ch").await?;
    sqlx::query("SELECT pg_notify('ch', 'paid')").execute(&pool).await?;
    let got = listener.recv().await?;
    ensure!(got.payload() == "paid", "{}", got.payload());
    Ok(())
}

async fn describes() -> Result<()> {
    let mut conn = connect().await?;
    conn.execute("CREATE TABLE d(id int PRIMARY KEY, name text NOT NULL)").await?;
    let described = conn.describe(sqlx::SqlSafeStr::into_sql_str("SELECT id, name FROM d WHERE id = $1")).await?;
    ensure!(described.columns().len() == 2, "{} columns", described.columns().len());
    Ok(())
}

async fn masks_and_rules() -> Result<()> {
    let want = ["SUITE_EMAIL", "SUITE_BORN", "SUITE_NOTE"].map(|name| std::env::var(name).unwrap_or_default());
    let mut conn = connect().await?;
    for _ in 0..3 {
        let row = sqlx::query("SELECT name, email, born, note FROM people WHERE id = $1").bind(2_i32);
        let row = row.fetch_one(&mut conn).await?;
        let born = match row.try_get_raw("born")? {
            value if value.is_null() => String::new(),
            value => {
                // Binary: days since 2000-01-01.
                let days = i32::from_be_bytes(value.as_bytes().map_err(anyhow::Error::from_boxed)?.try_into()?);
                ensure!(days == -3651, "{days} days");
                "1990-01-02".to_owned()
            }
        };
        let got = [row.try_get::<String, _>("email")?, born, row.try_get("note")?];
        ensure!(row.try_get::<&str, _>("name")? == "name 2" && got == want, "{got:?} is not {want:?}");
        let error = conn.execute("SELECT * FROM payroll").await.err().context("no error")?;
        let code = error.as_database_error().and_then(|error| error.code()).unwrap_or_default();
        ensure!(code == "42501", "{code}");
    }
    Ok(())
}
