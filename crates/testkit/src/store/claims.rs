//! Work is claimed by one worker at a time, earliest first, and comes back when its lease is over.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::clock::Timestamp;
use billfold_core::store::{Changes, Commit, Delivery, DeliveryState, Store, Write};
use futures::future::join_all;

use super::Trial;
use super::samples::{NOW, apply, customer_and_session, delivery, id, method, removal, session};

const LEASE: Duration = Duration::from_mins(1);

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("deliveries that are due are claimed, earliest first", |store| Box::pin(due(store))),
        ("a claim lasts as long as its lease", |store| Box::pin(lease(store))),
        ("no two workers claim the same", |store| Box::pin(together(store))),
        ("sessions, methods and removals are claimed alike", |store| Box::pin(others(store))),
        ("a claim makes older copies stale", |store| Box::pin(stale_copy(store))),
        ("copies of a delivery are all counted", |store| Box::pin(copies(store))),
    ]
}

fn later(by: Duration) -> Timestamp {
    NOW.plus(by)
}

async fn due(store: Arc<dyn Store>) {
    let rows = [
        delivery("late", Some(5)),
        delivery("second", Some(-1)),
        delivery("first", Some(-9)),
        delivery("done", None),
    ];
    let writes = rows.iter().cloned().map(Write::Insert).collect();
    apply(&*store, Changes { deliveries: writes, ..Changes::default() }).await;
    let claimed = store.claim_deliveries(NOW, later(LEASE), 1).await.unwrap();
    assert_eq!(claimed.iter().map(|row| row.id).collect::<Vec<_>>(), [rows[2].id]);
    assert_eq!((claimed[0].attempts, claimed[0].version), (1, 2), "the attempt is counted before the work");
    let rest = store.claim_deliveries(NOW, later(LEASE), 10).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.id).collect::<Vec<_>>(), [rows[1].id]);
}

async fn lease(store: Arc<dyn Store>) {
    let row = delivery("k", Some(0));
    apply(&*store, Changes { deliveries: vec![Write::Insert(row)], ..Changes::default() }).await;
    assert_eq!(store.claim_deliveries(NOW, later(LEASE), 10).await.unwrap().len(), 1);
    assert_eq!(store.claim_deliveries(later(LEASE / 2), later(2 * LEASE), 10).await.unwrap().len(), 0);
    let again = store.claim_deliveries(later(LEASE), later(2 * LEASE), 10).await.unwrap();
    assert_eq!(again[0].attempts, 2);
}

/// However many come at once; one that matched nothing is due again, one that is done is not.
async fn copies(store: Arc<dyn Store>) {
    let rows = [
        delivery("received", Some(5)),
        Delivery { state: DeliveryState::Parked, ..delivery("parked", Some(9)) },
        Delivery { state: DeliveryState::Dead, ..delivery("dead", None) },
        Delivery { state: DeliveryState::Done, ..delivery("done", None) },
    ];
    let writes = rows.iter().cloned().map(Write::Insert).collect();
    apply(&*store, Changes { deliveries: writes, ..Changes::default() }).await;
    for row in &rows {
        let counted = join_all((0..32).map(|_| store.delivery_came_again(row.id, later(LEASE)))).await;
        assert!(counted.into_iter().all(|counted| counted.unwrap()));
        let now = store.delivery(&row.tenant, row.id).await.unwrap().unwrap();
        assert_eq!((now.received_count, now.version), (33, 33), "{:?}", row.state);
        let again = matches!(row.state, DeliveryState::Parked | DeliveryState::Dead);
        let expected = if again { DeliveryState::Received } else { row.state };
        let due = if again { Some(later(LEASE)) } else { row.next_attempt_at };
        assert_eq!((now.state, now.next_attempt_at), (expected, due), "{:?}", row.state);
        assert_eq!(now.updated_at, later(LEASE));
    }
    assert!(!store.delivery_came_again(id(), NOW).await.unwrap());
}

async fn together(store: Arc<dyn Store>) {
    let writes = (0..40).map(|index| Write::Insert(delivery(&format!("k-{index}"), Some(-index)))).collect();
    apply(&*store, Changes { deliveries: writes, ..Changes::default() }).await;
    let workers = (0..16).map(|_| {
        let store = store.clone();
        async move {
            let mut mine = Vec::new();
            loop {
                let claimed = store.claim_deliveries(NOW, later(LEASE), 3).await.unwrap();
                if claimed.is_empty() {
                    return mine;
                }
                mine.extend(claimed.into_iter().map(|row| row.id));
            }
        }
    });
    let claimed: Vec<_> = join_all(workers).await.concat();
    assert_eq!(claimed.len(), 40);
    assert_eq!(claimed.iter().collect::<BTreeSet<_>>().len(), 40, "something was claimed twice");
}

async fn others(store: Arc<dyn Store>) {
    let (owner, first) = customer_and_session(&*store).await;
    let mut waiting = session(&owner);
    waiting.next_check_at = Some(NOW);
    let mut pending = method(&first, "t-1", "i-1");
    pending.next_check_at = Some(NOW);
    let gone = removal(&pending);
    let changes = Changes {
        sessions: vec![Write::Insert(waiting.clone())],
        methods: vec![Write::Insert(pending.clone())],
        removals: vec![Write::Insert(gone.clone())],
        ..Changes::default()
    };
    apply(&*store, changes).await;
    let sessions = store.claim_sessions(NOW, later(LEASE), 10).await.unwrap();
    assert_eq!(sessions.iter().map(|row| (row.id, row.version)).collect::<Vec<_>>(), [(waiting.id, 2)]);
    let methods = store.claim_methods(NOW, later(LEASE), 10).await.unwrap();
    assert_eq!(methods.iter().map(|row| (row.id, row.version)).collect::<Vec<_>>(), [(pending.id, 2)]);
    let removals = store.claim_removals(NOW, later(LEASE), 10).await.unwrap();
    assert_eq!(removals.iter().map(|row| (row.id, row.attempts)).collect::<Vec<_>>(), [(gone.id, 1)]);
    let mut finished = removals[0].clone();
    finished.next_attempt_at = None;
    finished.outcome = Some("deleted".to_owned());
    finished.version += 1;
    apply(&*store, Changes { removals: vec![Write::Update(finished)], ..Changes::default() }).await;
    assert!(store.claim_sessions(NOW, later(LEASE), 10).await.unwrap().is_empty());
    assert!(store.claim_methods(NOW, later(LEASE), 10).await.unwrap().is_empty());
    assert!(store.claim_removals(later(9 * LEASE), later(10 * LEASE), 10).await.unwrap().is_empty());
}

async fn stale_copy(store: Arc<dyn Store>) {
    let row = delivery("k", Some(0));
    apply(&*store, Changes { deliveries: vec![Write::Insert(row.clone())], ..Changes::default() }).await;
    store.claim_deliveries(NOW, later(LEASE), 1).await.unwrap();
    let mut copy = row;
    copy.version = 2;
    let outcome =
        store.commit(Changes { deliveries: vec![Write::Update(copy)], ..Changes::default() }).await.unwrap();
    assert_eq!(outcome, Commit::Stale);
}
