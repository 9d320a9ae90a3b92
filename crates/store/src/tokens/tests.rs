//! Tokens at rest.

use super::*;
use crate::db::testing::{entry, fixture, token};
use gate::ports::Audit;

#[tokio::test]
async fn round_trips_and_lists() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let (all, all_keys) = token(1, 100, None);
    let (scoped, scoped_keys) = token(2, 200, Some(&["orders-db", "it's \"quoted\""]));
    store.create_token(&all, &all_keys, &entry("token.issue")).await.unwrap();
    store.create_token(&scoped, &scoped_keys, &entry("token.issue")).await.unwrap();
    assert_eq!(store.find_token(all.id).await.unwrap().as_ref(), Some(&all));
    assert_eq!(store.find_token_by_hash([2; 32]).await.unwrap().as_ref(), Some(&scoped));
    assert_eq!(store.find_token_by_hash([3; 32]).await.unwrap(), None);
    assert_eq!(store.list_tokens(false, Micros(150), 10).await.unwrap(), [scoped.clone(), all]);
    assert_eq!(store.list_tokens(true, Micros(150), 10).await.unwrap(), [scoped]);
    assert_eq!(store.audit_head().await.unwrap().seq, 2);
}

#[tokio::test]
async fn a_token_without_its_audit_entry_is_not_stored() {
    let fixture = fixture().await;
    let (row, keys) = token(1, 100, None);
    fixture.store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
    // The same hash again: the token is refused, so its entry is not written either.
    let (mut twin, _) = token(2, 100, None);
    twin.id = token(9, 0, None).0.id;
    assert!(fixture.store.create_token(&twin, &keys, &entry("token.issue")).await.is_err());
    assert_eq!(fixture.store.audit_head().await.unwrap().seq, 1);
}

#[tokio::test]
async fn revokes_once_and_tells_other_processes() {
    let fixture = fixture().await;
    let store = &fixture.store;
    let other = Store::open(&fixture.path, tokio::runtime::Handle::current()).await.unwrap();
    let start = store.revocation_head().await.unwrap();
    for number in 1..=3 {
        let (row, keys) = token(number, 100, None);
        store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
    }
    let generation = store.token_generation().await.unwrap();
    let ids = [1, 2, 3].map(|number| token(number, 0, None).0.id);
    assert_eq!(other.revoke_token(ids[1], Micros(50), &entry("token.revoke")).await.unwrap(), Revoked::Now);
    assert_eq!(store.revoke_token(ids[1], Micros(60), &entry("token.revoke")).await.unwrap(), Revoked::Before);
    let unknown = token(99, 0, None).0.id;
    assert_eq!(store.revoke_token(unknown, Micros(60), &entry("token.revoke")).await.unwrap(), Revoked::Unknown);
    assert_eq!(store.find_token(ids[1]).await.unwrap().unwrap().revoked, Some(Micros(50)));
    assert_ne!(store.token_generation().await.unwrap(), generation);

    let seen = store.watch_revocations(start).await.unwrap();
    assert_eq!(seen.ids, [ids[1]]);
    assert!(store.watch_revocations(seen.upto).await.unwrap().ids.is_empty());
    other.revoke_token(ids[2], Micros(1), &entry("token.revoke")).await.unwrap();
    let next = store.watch_revocations(seen.upto).await.unwrap();
    assert_eq!(next.ids, [ids[2]], "a clock that runs behind hides nothing");
}

#[tokio::test]
async fn candidates_are_the_newest_that_are_not_over() {
    let fixture = fixture().await;
    let store = &fixture.store;
    for number in 1..=5 {
        let (row, keys) = token(number, i64::from(number) * 100, Some(&["orders-db"]));
        store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
    }
    store.revoke_token(token(4, 0, None).0.id, Micros(1), &entry("token.revoke")).await.unwrap();
    let found = store.scram_candidates(Micros(200), 10).await.unwrap();
    let found: Vec<_> = found.iter().map(|candidate| (candidate.stored_key[0], candidate.revoked)).collect();
    assert_eq!(found, [(5, false), (4, true), (3, false)]);
    assert_eq!(store.scram_candidates(Micros(0), 2).await.unwrap().len(), 2);
}

#[tokio::test]
async fn purges_what_is_over() {
    let fixture = fixture().await;
    for number in 1..=3 {
        let (row, keys) = token(number, i64::from(number) * 100, None);
        fixture.store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
    }
    assert_eq!(fixture.store.purge_tokens(Micros(250)).await.unwrap(), 2);
    assert_eq!(fixture.store.list_tokens(false, Micros(0), 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_value_is_made_once() {
    let fixture = fixture().await;
    assert_eq!(fixture.store.value_once("salt", vec![1]).await.unwrap(), [1]);
    assert_eq!(fixture.store.value_once("salt", vec![2]).await.unwrap(), [1]);
}

#[tokio::test]
async fn a_scope_that_cannot_be_read_is_not_every_target() {
    let fixture = fixture().await;
    let (row, keys) = token(1, 100, Some(&["orders-db"]));
    fixture.store.create_token(&row, &keys, &entry("token.issue")).await.unwrap();
    let broken = |mut transaction: Transaction| async move {
        sqlx::query("UPDATE tokens SET targets = 'null and void'").execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(())
    };
    fixture.store.writing(broken).await.unwrap();
    let away = fixture.store.find_token(row.id).await.unwrap_err();
    assert_eq!(away.0, "a stored targets cannot be read; the database was changed by hand or is damaged");
    fixture.store.write(&entry("test")).await.unwrap();
}
