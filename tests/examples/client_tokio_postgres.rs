//! tokio-postgres as a client suite: pipelined queries, prepared statements, portals, COPY, cancel, notifications.
//! The way in comes from PG* variables; prints `ok NAME` / `not ok NAME: why`.
#![expect(clippy::print_stdout, reason = "the suite reads the lines")]

use std::future::Future;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use futures_util::{SinkExt, StreamExt, TryStreamExt, future, stream};
use tokio::sync::mpsc;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Config, NoTls};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let results = [
        check("transactions", transactions()).await,
        check("prepared_many_times", prepared_many_times()).await,
        check("pipelined", pipelined()).await,
        check("errors_and_recovery", errors_and_recovery()).await,
        check("large_result", large_result()).await,
        check("portals", portals()).await,
        check("types", types()).await,
        check("copies", copies()).await,
        check("cancel", cancel()).await,
        check("notifications", notifications()).await,
        check("batch", batch()).await,
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

fn config() -> Result<Config> {
    let var = |name: &str| std::env::var(name).with_context(|| name.to_owned());
    let mut config = Config::new();
    config.host(var("PGHOST")?).port(var("PGPORT")?.parse()?).user(var("PGUSER")?).password(var("PGPASSWORD")?);
    config.dbname(var("PGDATABASE")?);
    Ok(config)
}

async fn connect() -> Result<Client> {
    let (client, connection) = config()?.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

async fn transactions() -> Result<()> {
    let mut client = connect().await?;
    client.batch_execute("CREATE TABLE tx(n int)").await?;
    let mut outer = client.transaction().await?;
    outer.execute("INSERT INTO tx VALUES ($1)", &[&1_i32]).await?;
    let inner = outer.transaction().await?;
    inner.execute("INSERT INTO tx VALUES ($1)", &[&2_i32]).await?;
    inner.rollback().await?;
    outer.commit().await?;
    // A transaction that is dropped rolls back by itself.
    drop(client.transaction().await?);
    let sum: i64 = client.query_one("SELECT sum(n) FROM tx", &[]).await?.get(0);
    ensure!(sum == 1, "sum is {sum}");
    Ok(())
}

async fn prepared_many_times() -> Result<()> {
    let client = connect().await?;
    let statement = client.prepare_typed("SELECT $1 + 1", &[Type::INT4]).await?;
    for n in 0..500_i32 {
        let got: i32 = client.query_one(&statement, &[&n]).await?.get(0);
        ensure!(got == n + 1, "{n} gave {got}");
    }
    for n in 0..100_i32 {
        let got: i32 = client.query_one(&format!("SELECT $1::int + {n}"), &[&n]).await?.get(0);
        ensure!(got == 2 * n, "{n} gave {got}");
    }
    Ok(())
}

async fn pipelined() -> Result<()> {
    let client = connect().await?;
    let statement = client.prepare("SELECT $1::int").await?;
    let one = async |n: i32| -> Result<i32> { Ok(client.query_one(&statement, &[&n]).await?.get(0)) };
    let got = future::try_join_all((0..200).map(one)).await?;
    ensure!(got == (0..200).collect::<Vec<_>>(), "out of order");
    let (bad, good) = future::join(client.query("SELECT 1 / 0", &[]), client.query_one("SELECT 7", &[])).await;
    ensure!(bad.is_err(), "no error");
    ensure!(good?.get::<_, i32>(0) == 7, "wrong answer after an error");
    Ok(())
}

async fn errors_and_recovery() -> Result<()> {
    let client = connect().await?;
    let error = client.query("SELECT 1 / $1::int", &[&0_i32]).await.err().context("no error")?;
    ensure!(error.code() == Some(&SqlState::DIVISION_BY_ZERO), "{error}");
    client.batch_execute("BEGIN").await?;
    let error = client.query("SELECT nothing", &[]).await.err().context("no error")?;
    ensure!(error.code() == Some(&SqlState::UNDEFINED_COLUMN), "{error}");
    let error = client.query("SELECT 1", &[]).await.err().context("no error")?;
    ensure!(error.code() == Some(&SqlState::IN_FAILED_SQL_TRANSACTION), "{error}");
    client.batch_execute("ROLLBACK").await?;
    client.query_one("SELECT 1", &[]).await?;
    Ok(())
}

async fn large_result() -> Result<()> {
    let client = connect().await?;
    let rows =
        client.query_raw("SELECT n, repeat('x', 40) FROM generate_series(1, 100000) n", Vec::<i32>::new()).await?;
    let count = pin!(rows).try_fold(0, |count, _| future::ok(count + 1)).await?;
    ensure!(count == 100_000, "{count} rows");
    Ok(())
}

async fn portals() -> Result<()> {
    let mut client = connect().await?;
    let transaction = client.transaction().await?;
    let portal = transaction.bind("SELECT n FROM generate_series(1, 100) n", &[]).await?;
    let mut seen = 0;
    loop {
        let rows = transaction.query_portal(&portal, 30).await?;
        if rows.is_empty() {
            break;
        }
        seen += rows.len();
    }
    ensure!(seen == 100, "{seen} rows");
    transaction.commit().await?;
    Ok(())
}

async fn types() -> Result<()> {
    let client = connect().await?;
    let sql = "SELECT $1::text, $2::bool, $3::int8, $4::float8, $5::bytea, $6::int[]";
    let array = vec![Some(1_i32), None, Some(3)];
    let bytes: &[u8] = &[0, 255];
    let row = client.query_one(sql, &[&None::<String>, &true, &(1_i64 << 40), &1.5_f64, &bytes, &array]).await?;
    ensure!(
        row.get::<_, Option<String>>(0).is_none() && row.get::<_, bool>(1) && row.get::<_, i64>(2) == 1 << 40,
        "scalars"
    );
    ensure!(row.get::<_, &[u8]>(4) == bytes && row.get::<_, Vec<Option<i32>>>(5) == array, "bytes and arrays");
    client.batch_execute("CREATE TYPE mood AS ENUM ('sad', 'ok')").await?;
    let statement = client.prepare("SELECT 'ok'::mood").await?;
    ensure!(statement.columns().first().is_some_and(|column| column.type_().name() == "mood"), "the type's name");
    Ok(())
}

async fn copies() -> Result<()> {
    let client = connect().await?;
    client.batch_execute("CREATE TABLE c(n int, s text)").await?;
    let mut sink = pin!(client.copy_in("COPY c FROM STDIN").await?);
    let lines = (0..5000).map(|n| Ok::<_, tokio_postgres::Error>(bytes::Bytes::from(format!("{n}\tline {n}\n"))));
    sink.send_all(&mut stream::iter(lines)).await?;
    let count = sink.finish().await?;
    ensure!(count == 5000, "{count} rows in");
    let out: Vec<bytes::Bytes> =
        client.copy_out("COPY (SELECT * FROM c ORDER BY n) TO STDOUT").await?.try_collect().await?;
    let text = out.concat();
    ensure!(text.iter().filter(|byte| **byte == b'\n').count() == 5000, "rows out");
    // A sink that is dropped ends the COPY without a row.
    drop(client.copy_in::<_, bytes::Bytes>("COPY c FROM STDIN").await?);
    let count: i64 = client.query_one("SELECT count(*) FROM c", &[]).await?.get(0);
    ensure!(count == 5000, "{count} rows after a COPY that was given up");
    Ok(())
}

async fn cancel() -> Result<()> {
    let client = connect().await?;
    let token = client.cancel_token();
    let later = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        token.cancel_query(NoTls).await
    };
    let (slept, sent) = future::join(client.query("SELECT pg_sleep(30)", &[]), later).await;
    sent?;
    let error = slept.err().context("not cancelled")?;
    ensure!(error.code() == Some(&SqlState::QUERY_CANCELED), "{error}");
    client.query_one("SELECT 1", &[]).await?;
    Ok(())
}

async fn notifications() -> Result<()> {
    let (listener, mut connection) = config()?.connect(NoTls).await?;
    let (sender, mut receiver) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        let mut messages = stream::poll_fn(move |context| connection.poll_message(context));
        while let Some(Ok(message)) = messages.next().await {
            if let AsyncMessage::Notification(note) = message {
                let _ = sender.send((note.channel().to_owned(), note.payload().to_owned()));
            }
        }
    });
    listener.batch_execute("LISTEN ch").await?;
    connect().await?.batch_execute("NOTIFY ch, 'paid'").await?;
    let got = receiver.recv().await.context("the connection ended")?;
    ensure!(got == ("ch".to_owned(), "paid".to_owned()), "{got:?}");
    Ok(())
}

async fn batch() -> Result<()> {
    let client = connect().await?;
    let messages = client.simple_query("SELECT 1; SELECT 'two', NULL; SELECT").await?;
    ensure!(messages.len() >= 6, "{} messages", messages.len());
    Ok(())
}

async fn masks_and_rules() -> Result<()> {
    let want = ["SUITE_EMAIL", "SUITE_BORN", "SUITE_NOTE"].map(|name| std::env::var(name).unwrap_or_default());
    let client = connect().await?;
    for _ in 0..3 {
        let person = "SELECT email, born::text, note FROM people WHERE id = $1";
        let row = client.query_one(person, &[&2_i32]).await?;
        let got = [row.try_get(0)?, row.try_get::<_, Option<String>>(1)?.unwrap_or_default(), row.try_get(2)?];
        ensure!(got == want, "{got:?} is not {want:?}");
        let error = client.query("SELECT * FROM payroll WHERE id = $1", &[&1_i32]).await.err().context("no error")?;
        ensure!(error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{error}");
    }
    Ok(())
}
