//! The chain of audit entries, and what breaks it.

use super::*;
use crate::db::testing::{Fixture, entry, fixture};

async fn written(count: usize) -> Fixture {
    let fixture = fixture().await;
    for _ in 0..count {
        fixture.store.write(&entry("token.issue")).await.unwrap();
    }
    fixture
}

/// Does to the file what somebody with write access could do.
async fn tamper(store: &Store, sql: &'static str) {
    let change = move |mut transaction: crate::db::Transaction| async move {
        sqlx::raw_sql(sql).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    };
    store.writing(change).await.unwrap();
}

#[tokio::test]
async fn an_empty_log_and_a_long_one_are_intact() {
    let fixture = written(0).await;
    let empty = AuditHead { seq: 0, hash: [0; 32] };
    assert_eq!(fixture.store.verify_audit(None).await.unwrap(), AuditReport::Intact(empty));
    // More than one page.
    let more = usize::try_from(PAGE).unwrap() + 10;
    for _ in 0..more {
        fixture.store.write(&entry("token.issue")).await.unwrap();
    }
    let head = fixture.store.audit_head().await.unwrap();
    assert_eq!(head.seq, more as u64);
    assert_eq!(fixture.store.verify_audit(Some(head)).await.unwrap(), AuditReport::Intact(head));
}

#[tokio::test]
async fn lists_newest_first_with_every_field() {
    let fixture = written(5).await;
    let rows = fixture.store.audit_list(None, 2).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [5, 4]);
    let older = fixture.store.audit_list(Some(4), 10).await.unwrap();
    assert_eq!(older.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 2, 1]);
    let row = &rows[0];
    assert_eq!((row.actor.as_str(), row.action.as_str(), row.at), ("dana", "token.issue", Micros(1)));
    assert_eq!((row.object.as_str(), row.detail.as_str()), ("thing", "why"));
}

#[tokio::test]
async fn names_the_first_entry_that_is_wrong() {
    let cases: [(&str, u64, &str); 9] = [
        ("UPDATE audit SET detail = 'nothing' WHERE seq = 3", 3, "the entry was changed"),
        ("UPDATE audit SET actor = 'dan', action = 'atoken.issue' WHERE seq = 3", 3, "the entry was changed"),
        ("UPDATE audit SET at = 0 WHERE seq = 1", 1, "the entry was changed"),
        ("UPDATE audit SET hash = zeroblob(32) WHERE seq = 5", 5, "the entry was changed"),
        ("DELETE FROM audit WHERE seq = 3", 3, "the entry is missing"),
        ("DELETE FROM audit WHERE seq = 1", 1, "the entry is missing"),
        ("DELETE FROM audit WHERE seq >= 4", 4, "the entry is missing, with all after it"),
        ("DELETE FROM audit", 1, "the entry is missing, with all after it"),
        (
            "UPDATE audit SET seq = seq + 100 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3",
            2,
            "the entry was changed",
        ),
    ];
    for (sql, seq, why) in cases {
        let fixture = written(5).await;
        tamper(&fixture.store, sql).await;
        assert_eq!(fixture.store.verify_audit(None).await.unwrap(), AuditReport::Broken { seq, why }, "{sql}");
    }
}

#[tokio::test]
async fn an_entry_added_by_hand_shows() {
    let fixture = written(2).await;
    tamper(
        &fixture.store,
        "INSERT INTO audit SELECT 3, at, actor, action, object, detail, hash FROM audit WHERE seq = 2",
    )
    .await;
    assert_eq!(
        fixture.store.verify_audit(None).await.unwrap(),
        AuditReport::Broken { seq: 3, why: "the entry was changed" }
    );
}

#[tokio::test]
async fn a_head_kept_elsewhere_shows_a_rewritten_log() {
    let fixture = written(5).await;
    let anchor = fixture.store.audit_head().await.unwrap();
    tamper(&fixture.store, "DELETE FROM audit; DELETE FROM meta WHERE key = 'audit_head'").await;
    for _ in 0..7 {
        fixture.store.write(&entry("token.revoke")).await.unwrap();
    }
    assert!(
        matches!(fixture.store.verify_audit(None).await.unwrap(), AuditReport::Intact(_)),
        "a new chain is a chain"
    );
    assert!(matches!(fixture.store.verify_audit(Some(anchor)).await.unwrap(), AuditReport::Broken { seq: 5, .. }));
    tamper(&fixture.store, "DELETE FROM audit; DELETE FROM meta WHERE key = 'audit_head'").await;
    assert!(matches!(fixture.store.verify_audit(Some(anchor)).await.unwrap(), AuditReport::Broken { seq: 1, .. }));
}

#[tokio::test]
async fn two_processes_write_one_chain() {
    let fixture = written(1).await;
    let other = Store::open(&fixture.path, tokio::runtime::Handle::current()).await.unwrap();
    let entry = entry("session.kill");
    let all = (0..40).map(|number| if number % 2 == 0 { &fixture.store } else { &other }.write(&entry));
    for written in futures_util::future::join_all(all).await {
        written.unwrap();
    }
    let report = other.verify_audit(None).await.unwrap();
    assert_eq!(report.to_string(), "audit log intact: 41 entries");
}
