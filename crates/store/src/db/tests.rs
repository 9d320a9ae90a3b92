//! Opening, refusing to open, surviving.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use gate::ports::Audit;
use model::TokenId;
use tempfile::TempDir;
use uuid::Uuid;

use super::testing::{entry, fixture, token};
use super::*;

async fn opened(path: &Path) -> Result<Store, OpenError> {
    Store::open(path, Handle::current()).await
}

async fn raw(path: &Path) -> sqlx::SqliteConnection {
    use sqlx::Connection;
    let options = SqliteConnectOptions::new().filename(path);
    sqlx::SqliteConnection::connect_with(&options).await.unwrap()
}

#[tokio::test]
async fn makes_directory_and_files_for_the_owner_alone() {
    let fixture = fixture().await;
    fixture.store.write(&entry("test")).await.unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(fixture.path.parent().unwrap()), 0o700);
    let mut seen = 0;
    for file in std::fs::read_dir(fixture.path.parent().unwrap()).unwrap() {
        let file = file.unwrap().path();
        assert_eq!(mode(&file), 0o600, "{}", file.display());
        seen += 1;
    }
    assert!(seen >= 2, "the database and its write-ahead log");
}

#[tokio::test]
async fn takes_an_open_file_away_from_others() {
    let fixture = fixture().await;
    fixture.store.close().await;
    std::fs::set_permissions(&fixture.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    opened(&fixture.path).await.unwrap();
    assert_eq!(std::fs::metadata(&fixture.path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let fixture = fixture().await;
    let (row, keys) = token(1, 100, Some(&["orders-db"]));
    fixture.store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
    fixture.store.close().await;
    assert!(fixture.store.find_token(row.id).await.is_err(), "a closed store answers nothing");
    let again = opened(&fixture.path).await.unwrap();
    assert_eq!(again.find_token_by_hash([1; 32]).await.unwrap(), Some(row));
}

#[tokio::test]
async fn two_processes_may_make_the_file_at_once() {
    let directory = TempDir::new().unwrap();
    // They meet at the change to write-ahead logging once in some hundred times.
    for round in 0..60 {
        let path = directory.path().join(format!("{round}.db"));
        let all = futures_util::future::join_all((0..6).map(|_| opened(&path))).await;
        for store in all {
            store.unwrap().write(&entry("test")).await.unwrap();
        }
    }
}

#[test]
fn answers_any_runtime_and_none() {
    let control = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let directory = TempDir::new().unwrap();
    let store = control.block_on(Store::open(directory.path().join("a.db"), control.handle().clone())).unwrap();
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            std::thread::spawn(move || {
                let own = tokio::runtime::Builder::new_current_thread().build().unwrap();
                own.block_on(async { store.write(&entry("test")).await.unwrap() });
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let head = control.block_on(store.audit_head()).unwrap();
    assert_eq!(head.seq, 4);
    drop(control);
    let own = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let away = own.block_on(store.audit_head()).unwrap_err();
    assert_eq!(away.0, "the control runtime has stopped");
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_half_done() {
    let fixture = fixture().await;
    for number in 1..=20 {
        let (row, keys) = token(number, 100, None);
        let entry = entry("token.issue");
        let mut writing = Box::pin(fixture.store.create_token(&row, &keys, &entry));
        // Polled once, so that it has begun, and dropped.
        assert!(futures_util::future::poll_immediate(writing.as_mut()).await.is_none());
    }
    // The writer is one: when this is through, so is everything before it.
    fixture.store.write(&entry("last")).await.unwrap();
    let tokens = fixture.store.list_tokens(false, Micros(0), 100).await.unwrap().len();
    let entries = fixture.store.audit_head().await.unwrap().seq;
    assert_eq!((tokens, entries), (20, 21));
}

#[tokio::test]
async fn says_that_another_process_has_it() {
    let fixture = fixture().await;
    fixture.store.close().await;
    let mut other = raw(&fixture.path).await;
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let error = opened(&fixture.path).await.unwrap_err();
    assert!(matches!(error, OpenError::Locked { .. }), "{error}");
    assert!(error.to_string().contains("sallyport.db: locked by another process"));
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    opened(&fixture.path).await.unwrap();
}

#[tokio::test]
async fn an_operation_that_meets_a_lock_says_so_and_works_later() {
    let fixture = fixture().await;
    let mut other = raw(&fixture.path).await;
    sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    let away = fixture.store.write(&entry("test")).await.unwrap_err();
    assert_eq!(away.0, "the database is locked by another process");
    assert_eq!(fixture.store.healthy().await.unwrap_err().0, "the database is locked by another process");
    fixture.store.audit_head().await.unwrap();
    sqlx::query("COMMIT").execute(&mut other).await.unwrap();
    fixture.store.write(&entry("test")).await.unwrap();
    fixture.store.healthy().await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_named_and_loses_nothing() {
    let fixture = fixture().await;
    fixture.store.write(&entry("before")).await.unwrap();
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&fixture.store.inner.write).await.unwrap();
    // The same result code as a file system without room.
    let limit = format!("PRAGMA max_page_count = {}", pages + 1);
    sqlx::raw_sql(sqlx::AssertSqlSafe(limit)).execute(&fixture.store.inner.write).await.unwrap();
    let mut large = entry("large");
    large.detail = "x".repeat(100_000);
    let away = fixture.store.write(&large).await.unwrap_err();
    assert_eq!(away.0, "the disk is full");
    let report = fixture.store.verify_audit(None).await.unwrap();
    assert_eq!(report.to_string(), "audit log intact: 1 entries");
    sqlx::raw_sql("PRAGMA max_page_count = 1000000").execute(&fixture.store.inner.write).await.unwrap();
    fixture.store.write(&large).await.unwrap();
}

#[tokio::test]
async fn refuses_a_file_that_is_no_database_and_leaves_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sallyport.db");
    let text = "these are my notes, not a database\n".repeat(100);
    std::fs::write(&path, &text).unwrap();
    let error = opened(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn refuses_a_damaged_file() {
    let fixture = fixture().await;
    for _ in 0..200 {
        fixture.store.write(&entry("test")).await.unwrap();
    }
    fixture.store.close().await;
    let mut bytes = std::fs::read(&fixture.path).unwrap();
    let end = bytes.len();
    assert!(end > 4096 * 8, "{end}");
    bytes[4096 * 2..end].fill(0xa5);
    std::fs::write(&fixture.path, bytes).unwrap();
    let error = opened(&fixture.path).await.unwrap_err();
    assert!(matches!(error, OpenError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn refuses_the_database_of_another_program() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sallyport.db");
    std::fs::write(&path, "").unwrap();
    let mut other = raw(&path).await;
    sqlx::query("CREATE TABLE theirs (x)").execute(&mut other).await.unwrap();
    let error = opened(&path).await.unwrap_err();
    assert!(matches!(error, OpenError::Foreign { .. }), "{error}");
    let tables: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema").fetch_one(&mut other).await.unwrap();
    assert_eq!(tables, 1);
}

#[tokio::test]
async fn refuses_a_newer_schema() {
    let fixture = fixture().await;
    sqlx::raw_sql("PRAGMA user_version = 99").execute(&fixture.store.inner.write).await.unwrap();
    fixture.store.close().await;
    let error = opened(&fixture.path).await.unwrap_err();
    assert!(error.to_string().contains("has schema 99, and this binary knows up to 2"), "{error}");
}

#[tokio::test]
async fn brings_an_older_schema_up() {
    let fixture = fixture().await;
    let back =
        "ALTER TABLE approvals DROP COLUMN preview; ALTER TABLE approvals DROP COLUMN outcome; PRAGMA user_version = 1";
    sqlx::raw_sql(back).execute(&fixture.store.inner.write).await.unwrap();
    fixture.store.close().await;
    let store = opened(&fixture.path).await.unwrap();
    let columns = "SELECT count(*) FROM pragma_table_info('approvals') WHERE name IN ('preview', 'outcome')";
    let found: i64 = sqlx::query_scalar(columns).fetch_one(&store.inner.write).await.unwrap();
    assert_eq!(found, 2);
}

/// Opens the path that it is given and prints what comes of it. Run by the test below as another user.
#[tokio::test]
async fn child_opens() {
    // Nothing to do unless it was started as the helper process that it is.
    let Ok(path) = std::env::var("STORE_CHILD_PATH") else {
        return;
    };
    match opened(Path::new(&path)).await {
        Ok(_) => println!("opened"),
        Err(error) => println!("refused: {error}"),
    }
}

#[tokio::test]
async fn says_that_it_cannot_write() {
    const NOBODY: u32 = 65534;
    let fixture = fixture().await;
    fixture.store.close().await;
    // Permissions do not bind root, so a copy of this program asks as somebody else.
    let open_to_all = std::fs::Permissions::from_mode(0o755);
    let directory = TempDir::new().unwrap();
    std::fs::set_permissions(directory.path(), open_to_all.clone()).unwrap();
    let program = directory.path().join("child");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, open_to_all.clone()).unwrap();
    let locked = directory.path().join("locked");
    std::fs::create_dir(&locked).unwrap();
    let existing = locked.join("sallyport.db");
    std::fs::copy(&fixture.path, &existing).unwrap();
    let root = rustix::process::geteuid().is_root();
    if root {
        std::os::unix::fs::chown(&existing, Some(NOBODY), None).unwrap();
    }
    std::fs::set_permissions(&locked, std::fs::Permissions::from_mode(0o555)).unwrap();
    let try_open = |path: &Path| {
        let mut command = Command::new(&program);
        command.args(["--exact", "db::tests::child_opens", "--nocapture"]).env("STORE_CHILD_PATH", path);
        if root {
            command.uid(NOBODY);
        }
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    for path in [existing, locked.join("new.db"), locked.join("deeper/new.db")] {
        let said = try_open(&path);
        assert!(said.contains("cannot be written (permission denied); give this user write permission"), "{said}");
        assert!(said.contains(locked.to_str().unwrap()), "{said}");
    }
    std::fs::set_permissions(&locked, open_to_all).unwrap();
}

/// Issues and revokes tokens as fast as it can and prints each id once its revocation was acknowledged.
#[tokio::test]
async fn child_revokes() {
    // Nothing to do unless it was started as the helper process that it is.
    let Ok(path) = std::env::var("STORE_CHILD_PATH") else {
        return;
    };
    let store = opened(Path::new(&path)).await.unwrap();
    loop {
        let (mut row, mut keys) = token(1, 100, None);
        row.id = TokenId(Uuid::now_v7());
        keys.hash[..16].copy_from_slice(row.id.0.as_bytes());
        store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
        store.revoke_token(row.id, Micros(5), &entry("token.revoke")).await.unwrap();
        println!("revoked {}", row.id);
    }
}

#[tokio::test]
async fn a_revocation_survives_kill_9() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("sallyport.db");
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "db::tests::child_revokes", "--nocapture"])
            .env("STORE_CHILD_PATH", &path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The harness prints the test's name on the first of these lines, without ending it.
        let acknowledged = |line: String| Some(line.rsplit_once("revoked ")?.1.parse::<TokenId>().unwrap());
        let mut acknowledged: Vec<TokenId> =
            lines.map_while(Result::ok).filter_map(acknowledged).take(10 * round).collect();
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(acknowledged.len(), 10 * round);
        let store = opened(&path).await.unwrap();
        for id in acknowledged.drain(..) {
            let row = store.find_token(id).await.unwrap().unwrap();
            assert_eq!(row.revoked, Some(Micros(5)));
        }
        assert!(matches!(store.verify_audit(None).await.unwrap(), crate::AuditReport::Intact(_)));
        store.close().await;
    }
}
