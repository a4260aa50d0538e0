//! Webhook endpoints: no event is passed over, one object's are sent in their order, and nobody sends twice.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::clock::Timestamp;
use billfold_core::id::WebhookEndpointId;
use billfold_core::outgoing::{
    AttemptError, DeliveryAttempt, DisabledReason, EndpointDelivery, EndpointDeliveryState, PreviousSecret,
    WebhookEndpoint,
};
use billfold_core::store::{Changes, Commit, Page, ReplayFilter, Store, Write};
use futures::future::join_all;

use super::Trial;
use super::samples::{NOW, apply, endpoint, endpoint_delivery, event, id, other_tenant, tenant};

const LEASE: Duration = Duration::from_mins(1);

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("webhook endpoints come back as they were", |store| Box::pin(round_trip(store))),
        ("an endpoint is behind until its cursor is at the last event", |store| Box::pin(behind(store))),
        ("one object's deliveries are claimed in their order", |store| Box::pin(order(store))),
        ("an endpoint's claims leave other endpoints alone", |store| Box::pin(others(store))),
        ("no two workers claim the same delivery to an endpoint", |store| Box::pin(together(store))),
        ("an event is delivered to an endpoint once", |store| Box::pin(once(store))),
        ("finished deliveries are found, and swept by age", |store| Box::pin(finished(store))),
        ("an endpoint goes with its deliveries", |store| Box::pin(deleted(store))),
    ]
}

fn later(by: Duration) -> Timestamp {
    NOW.plus(by)
}

fn endpoints(rows: &[&WebhookEndpoint]) -> Changes {
    let webhook_endpoints = rows.iter().map(|row| Write::Insert((*row).clone())).collect();
    Changes { webhook_endpoints, ..Changes::default() }
}

fn deliveries(rows: &[EndpointDelivery]) -> Changes {
    let endpoint_deliveries = rows.iter().cloned().map(Write::Insert).collect();
    Changes { endpoint_deliveries, ..Changes::default() }
}

fn update(row: &EndpointDelivery) -> Changes {
    Changes { endpoint_deliveries: vec![Write::Update(row.clone())], ..Changes::default() }
}

async fn claim(store: &dyn Store, endpoint: &WebhookEndpoint, now: Timestamp) -> Vec<EndpointDelivery> {
    store.claim_endpoint_deliveries(endpoint.id, now, now.plus(LEASE), 10).await.unwrap()
}

fn sequences(rows: &[EndpointDelivery]) -> Vec<i64> {
    rows.iter().map(|row| row.sequence).collect()
}

async fn round_trip(store: Arc<dyn Store>) {
    let mut one = endpoint(tenant());
    let foreign = endpoint(other_tenant());
    apply(&*store, endpoints(&[&one, &foreign])).await;
    assert_eq!(store.webhook_endpoint(&tenant(), one.id).await.unwrap(), Some(one.clone()));
    assert_eq!(store.webhook_endpoint(&tenant(), foreign.id).await.unwrap(), None);
    one.description = None;
    one.disabled = Some(DisabledReason::Failing);
    one.failing_since = Some(NOW);
    one.previous_secret = Some(PreviousSecret { record: id(), until: later(LEASE) });
    one.cursor = 17;
    one.version = 2;
    let change = |row: &WebhookEndpoint| Changes {
        webhook_endpoints: vec![Write::Update(row.clone())],
        ..Changes::default()
    };
    apply(&*store, change(&one)).await;
    assert_eq!(store.commit(change(&one)).await.unwrap(), Commit::Stale, "the same version twice");
    assert_eq!(store.webhook_endpoint(&tenant(), one.id).await.unwrap(), Some(one.clone()));
    let mut stolen = foreign.clone();
    (stolen.tenant, stolen.version) = (tenant(), 2);
    assert_eq!(store.commit(change(&stolen)).await.unwrap(), Commit::Stale, "another tenant's");
    let second = endpoint(tenant());
    apply(&*store, endpoints(&[&second])).await;
    let mut ids = [one.id, second.id];
    ids.sort();
    let all = store.webhook_endpoints(&tenant(), Page::first(10)).await.unwrap();
    assert_eq!(all.iter().map(|row| row.id).collect::<Vec<_>>(), ids);
    let rest = Page { after: Some(ids[0]), limit: 10 };
    let rest = store.webhook_endpoints(&tenant(), rest).await.unwrap();
    assert_eq!(rest.iter().map(|row| row.id).collect::<Vec<_>>(), [ids[1]]);

    let mut sent = endpoint_delivery(&one, 3, "ses-1", Some(0));
    apply(&*store, deliveries(std::slice::from_ref(&sent))).await;
    sent.state = EndpointDeliveryState::Failed;
    sent.next_attempt_at = None;
    sent.last_attempt_at = Some(NOW);
    sent.last_status = Some(599);
    sent.last_error = Some(AttemptError::ForbiddenAddress);
    sent.history = [(Some(599), AttemptError::Status), (None, AttemptError::ForbiddenAddress)]
        .into_iter()
        .zip(1..)
        .map(|((status, error), number)| DeliveryAttempt {
            number,
            at: NOW,
            status,
            error: Some(error),
            duration_ms: u64::MAX,
        })
        .collect();
    sent.version = 2;
    apply(&*store, update(&sent)).await;
    assert_eq!(store.endpoint_delivery(&tenant(), sent.id).await.unwrap(), Some(sent.clone()));
    assert_eq!(store.endpoint_delivery(&other_tenant(), sent.id).await.unwrap(), None);
}

async fn behind(store: Arc<dyn Store>) {
    let mut one = endpoint(tenant());
    let foreign = endpoint(other_tenant());
    apply(&*store, endpoints(&[&one, &foreign])).await;
    let ids = async || -> Vec<WebhookEndpointId> {
        store.webhook_endpoints_behind(10).await.unwrap().iter().map(|row| row.id).collect()
    };
    assert!(ids().await.is_empty());
    assert_eq!(store.last_event_sequence(&tenant()).await.unwrap(), 0);
    let events = vec![event(tenant(), "ses-1"), event(tenant(), "ses-2")];
    apply(&*store, Changes { events, ..Changes::default() }).await;
    assert_eq!(ids().await, [one.id], "the other tenant has no events");
    one.cursor = store.last_event_sequence(&tenant()).await.unwrap();
    one.version = 2;
    let change = Changes { webhook_endpoints: vec![Write::Update(one.clone())], ..Changes::default() };
    apply(&*store, change).await;
    assert!(ids().await.is_empty());
    let events = vec![event(tenant(), "ses-1")];
    apply(&*store, Changes { events, ..Changes::default() }).await;
    assert_eq!(ids().await, [one.id]);
    one.disabled = Some(DisabledReason::Requested);
    one.version = 3;
    let change = Changes { webhook_endpoints: vec![Write::Update(one)], ..Changes::default() };
    apply(&*store, change).await;
    assert!(ids().await.is_empty(), "a disabled endpoint waits");
}

async fn order(store: Arc<dyn Store>) {
    let one = endpoint(tenant());
    apply(&*store, endpoints(&[&one])).await;
    let rows = [
        endpoint_delivery(&one, 1, "a", Some(60_000)),
        endpoint_delivery(&one, 2, "a", Some(-5)),
        endpoint_delivery(&one, 3, "b", Some(0)),
        endpoint_delivery(&one, 4, "b", Some(0)),
        endpoint_delivery(&one, 5, "c", None),
        endpoint_delivery(&one, 6, "c", Some(-9)),
    ];
    apply(&*store, deliveries(&rows)).await;
    let due = async |now| store.webhook_endpoints_due(now, 10).await.unwrap();
    assert_eq!(due(NOW).await, [(tenant(), one.id)]);
    // The first of `a` is not due, so the second waits; the first of `c` is finished.
    let mut claimed = claim(&*store, &one, NOW).await;
    assert_eq!(sequences(&claimed), [6, 3]);
    assert_eq!((claimed[1].attempts, claimed[1].version), (1, 2), "the attempt is counted before the work");
    assert!(due(NOW).await.is_empty(), "what waits for another is not due");
    assert!(claim(&*store, &one, NOW).await.is_empty());
    let first = &mut claimed[1];
    first.state = EndpointDeliveryState::Delivered;
    first.next_attempt_at = None;
    first.version += 1;
    apply(&*store, update(first)).await;
    assert_eq!(sequences(&claim(&*store, &one, NOW).await), [4]);
    // A lease that is over gives back what it held; an object's first stays before its second.
    let again = claim(&*store, &one, later(LEASE)).await;
    assert_eq!(
        again.iter().map(|row| (row.sequence, row.attempts)).collect::<Vec<_>>(),
        [(1, 1), (4, 2), (6, 2)]
    );
}

async fn others(store: Arc<dyn Store>) {
    let (one, two) = (endpoint(tenant()), endpoint(other_tenant()));
    apply(&*store, endpoints(&[&one, &two])).await;
    let rows = [endpoint_delivery(&one, 1, "a", Some(9)), endpoint_delivery(&two, 2, "a", Some(0))];
    apply(&*store, deliveries(&rows)).await;
    assert_eq!(store.webhook_endpoints_due(NOW, 10).await.unwrap(), [(other_tenant(), two.id)]);
    assert!(claim(&*store, &one, NOW).await.is_empty());
    assert_eq!(
        sequences(&claim(&*store, &two, NOW).await),
        [2],
        "another endpoint's earlier one is no obstacle"
    );
    let mut off = one.clone();
    (off.disabled, off.version) = (Some(DisabledReason::Gone), 2);
    let change = Changes { webhook_endpoints: vec![Write::Update(off)], ..Changes::default() };
    apply(&*store, change).await;
    assert!(store.webhook_endpoints_due(later(LEASE / 2), 10).await.unwrap().is_empty());
    assert!(claim(&*store, &one, later(LEASE)).await.is_empty(), "a disabled endpoint gets nothing");
}

async fn together(store: Arc<dyn Store>) {
    let one = endpoint(tenant());
    apply(&*store, endpoints(&[&one])).await;
    let rows: Vec<_> =
        (0..40).map(|n| endpoint_delivery(&one, n, &format!("o-{}", n % 20), Some(-n))).collect();
    apply(&*store, deliveries(&rows)).await;
    let workers = (0..16).map(|_| {
        let (store, id) = (store.clone(), one.id);
        async move {
            let mut mine = Vec::new();
            // Rows that another worker is just taking are passed over, so an empty claim is not the end.
            for _ in 0..20 {
                mine.extend(store.claim_endpoint_deliveries(id, NOW, later(LEASE), 3).await.unwrap());
            }
            mine
        }
    });
    let claimed = join_all(workers).await.concat();
    let numbers: BTreeSet<i64> = claimed.iter().map(|row| row.sequence).collect();
    assert_eq!(claimed.len(), 20, "something was claimed twice, or before its turn");
    assert_eq!(numbers, (0..20).collect());
}

async fn once(store: Arc<dyn Store>) {
    let (one, two) = (endpoint(tenant()), endpoint(tenant()));
    apply(&*store, endpoints(&[&one, &two])).await;
    let row = endpoint_delivery(&one, 1, "a", Some(0));
    apply(&*store, deliveries(std::slice::from_ref(&row))).await;
    let mut twin = endpoint_delivery(&one, 1, "a", Some(0));
    twin.event_id = row.event_id;
    assert_eq!(store.commit(deliveries(std::slice::from_ref(&twin))).await.unwrap(), Commit::Stale);
    twin.endpoint_id = two.id;
    apply(&*store, deliveries(std::slice::from_ref(&twin))).await;
    let mut foreign = endpoint_delivery(&one, 2, "a", Some(0));
    foreign.tenant = other_tenant();
    assert_eq!(store.commit(deliveries(&[foreign])).await.unwrap(), Commit::Stale, "of another tenant");
}

async fn finished(store: Arc<dyn Store>) {
    let one = endpoint(tenant());
    apply(&*store, endpoints(&[&one])).await;
    let mut rows: Vec<_> = (1..=4).map(|n| endpoint_delivery(&one, n, "a", (n == 4).then_some(0))).collect();
    rows[1].state = EndpointDeliveryState::Failed;
    rows[2].state = EndpointDeliveryState::Failed;
    rows[2].created_at = later(LEASE);
    rows[2].updated_at = later(LEASE);
    apply(&*store, deliveries(&rows)).await;
    let replay = async |after_sequence, since, delivered_too| {
        let filter = ReplayFilter { after_sequence, since, delivered_too };
        sequences(&store.endpoint_deliveries_to_replay(&tenant(), one.id, filter, 10).await.unwrap())
    };
    assert_eq!(replay(0, None, false).await, [2, 3]);
    assert_eq!(replay(0, None, true).await, [1, 2, 3]);
    assert_eq!(replay(2, None, true).await, [3]);
    assert_eq!(replay(0, Some(later(LEASE)), true).await, [3]);
    let listed = async |state, page| {
        let rows = store.endpoint_deliveries(&tenant(), one.id, state, page).await.unwrap();
        rows.iter().map(|row| row.id).collect::<Vec<_>>()
    };
    let mut newest: Vec<_> = rows.iter().map(|row| row.id).collect();
    newest.sort();
    newest.reverse();
    assert_eq!(listed(None, Page::first(10)).await, newest);
    assert_eq!(listed(None, Page { after: Some(newest[1]), limit: 1 }).await, [newest[2]]);
    assert_eq!(listed(Some(EndpointDeliveryState::Pending), Page::first(10)).await, [rows[3].id]);
    assert_eq!(store.sweep_endpoint_deliveries(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.sweep_endpoint_deliveries(later(LEASE), 1).await.unwrap(), 1);
    assert_eq!(store.sweep_endpoint_deliveries(later(LEASE), 10).await.unwrap(), 1);
    assert_eq!(listed(None, Page::first(10)).await.len(), 2, "the pending one and the later one stay");
}

async fn deleted(store: Arc<dyn Store>) {
    let (one, foreign) = (endpoint(tenant()), endpoint(other_tenant()));
    apply(&*store, endpoints(&[&one, &foreign])).await;
    let mut row = endpoint_delivery(&one, 1, "a", Some(0));
    apply(&*store, deliveries(&[row.clone(), endpoint_delivery(&foreign, 2, "a", Some(0))])).await;
    let gone = |row: &WebhookEndpoint| Changes {
        webhook_endpoint_deletes: vec![(tenant(), row.id)],
        ..Changes::default()
    };
    apply(&*store, gone(&foreign)).await;
    assert!(
        store.webhook_endpoint(&other_tenant(), foreign.id).await.unwrap().is_some(),
        "not this tenant's"
    );
    apply(&*store, gone(&one)).await;
    assert_eq!(store.webhook_endpoint(&tenant(), one.id).await.unwrap(), None);
    assert_eq!(store.endpoint_delivery(&tenant(), row.id).await.unwrap(), None);
    assert_eq!(claim(&*store, &foreign, NOW).await.len(), 1);
    // Whoever was just sending it finds nothing to finish.
    row.version = 2;
    assert_eq!(store.commit(update(&row)).await.unwrap(), Commit::Stale);
}
