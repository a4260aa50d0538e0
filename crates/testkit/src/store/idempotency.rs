//! Idempotency keys: one of many that come together takes a key.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::idempotency::IdempotencyKey;
use billfold_core::store::{Changes, Commit, Store, Write};
use futures::future::join_all;

use super::Trial;
use super::samples::{NOW, apply, fingerprint, id, idempotency_key, other_tenant, tenant};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("idempotency keys come back as they were", |store| Box::pin(round_trip(store))),
        ("one of many takes an idempotency key", |store| Box::pin(race(store))),
        ("idempotency keys end", |store| Box::pin(sweep(store))),
    ]
}

fn insert(row: &IdempotencyKey) -> Changes {
    Changes { idempotency_keys: vec![Write::Insert(row.clone())], ..Changes::default() }
}

fn update(row: &IdempotencyKey) -> Changes {
    Changes { idempotency_keys: vec![Write::Update(row.clone())], ..Changes::default() }
}

async fn round_trip(store: Arc<dyn Store>) {
    let mut row = idempotency_key(tenant(), "k");
    apply(&*store, insert(&row)).await;
    assert_eq!(store.idempotency_key(&tenant(), &row.key).await.unwrap(), Some(row.clone()));
    assert_eq!(store.idempotency_key(&tenant(), &fingerprint("other")).await.unwrap(), None);
    let foreign = idempotency_key(other_tenant(), "k");
    assert_eq!(store.idempotency_key(&other_tenant(), &foreign.key).await.unwrap(), None);
    apply(&*store, insert(&foreign)).await;
    row.answer = Some(id());
    row.version = 2;
    apply(&*store, update(&row)).await;
    assert_eq!(store.idempotency_key(&tenant(), &row.key).await.unwrap(), Some(row.clone()));
    row.answer = None;
    row.version = 3;
    apply(&*store, update(&row)).await;
    assert_eq!(store.idempotency_key(&tenant(), &row.key).await.unwrap(), Some(row));
    assert_eq!(store.idempotency_key(&other_tenant(), &foreign.key).await.unwrap(), Some(foreign));
}

async fn race(store: Arc<dyn Store>) {
    let all = (0..32).map(|_| {
        let store = store.clone();
        async move {
            let row = idempotency_key(tenant(), "k");
            (store.commit(insert(&row)).await.unwrap() == Commit::Applied).then_some(row)
        }
    });
    let taken: Vec<IdempotencyKey> = join_all(all).await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 1);
    assert_eq!(store.idempotency_key(&tenant(), &fingerprint("k")).await.unwrap(), Some(taken[0].clone()));
    // Taking over one whose holder died is decided in the same way.
    let all = (0..32).map(|_| {
        let (store, mut row) = (store.clone(), taken[0].clone());
        row.version += 1;
        async move { store.commit(update(&row)).await.unwrap() }
    });
    let taken = join_all(all).await;
    assert_eq!(taken.iter().filter(|commit| **commit == Commit::Applied).count(), 1);
}

async fn sweep(store: Arc<dyn Store>) {
    let later = |hours: u64| NOW.plus(Duration::from_hours(hours));
    for (index, hours) in [3, 1, 2, 9].into_iter().enumerate() {
        let mut row = idempotency_key(tenant(), &index.to_string());
        row.expires_at = later(hours);
        apply(&*store, insert(&row)).await;
    }
    assert_eq!(store.sweep_idempotency_keys(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.sweep_idempotency_keys(later(3), 1).await.unwrap(), 1);
    assert_eq!(
        store.idempotency_key(&tenant(), &fingerprint("1")).await.unwrap(),
        None,
        "the earliest first"
    );
    assert_eq!(store.sweep_idempotency_keys(later(3), 10).await.unwrap(), 2);
    assert!(store.idempotency_key(&tenant(), &fingerprint("3")).await.unwrap().is_some());
}
