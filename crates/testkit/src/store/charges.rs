//! Charges come back as they were, belong to one tenant, and go with their customer.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::charge::{Charge, ChargeStatus};
use billfold_core::erasure::Shred;
use billfold_core::payment_method::PaymentMethod;
use billfold_core::store::{Changes, ChargeFilter, Commit, ERASED, Page, Store, Write};
use futures::future::join_all;

use super::Trial;
use super::samples::{
    NOW, apply, charge, customer, customer_and_session, event, gateway, id, method, other_tenant, session,
    tenant,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("charges come back as they were", |store| Box::pin(round_trip(store))),
        ("a gateway's charge is one charge", |store| Box::pin(one_at_the_gateway(store))),
        ("charges are listed by customer and method, the newest first", |store| Box::pin(lists(store))),
        ("charges are claimed, each by one", |store| Box::pin(claims(store))),
        ("an erased customer's charges are gone", |store| Box::pin(erased(store))),
    ]
}

fn insert(row: &Charge) -> Changes {
    Changes { charges: vec![Write::Insert(row.clone())], ..Changes::default() }
}

fn update(row: &Charge) -> Changes {
    Changes { charges: vec![Write::Update(row.clone())], ..Changes::default() }
}

async fn saved(store: &dyn Store) -> PaymentMethod {
    let (_, session) = customer_and_session(store).await;
    let method = method(&session, "t-1", "i-1");
    apply(store, Changes { methods: vec![Write::Insert(method.clone())], ..Changes::default() }).await;
    method
}

async fn round_trip(store: Arc<dyn Store>) {
    let mut row = charge(&saved(&*store).await);
    apply(&*store, insert(&row)).await;
    assert_eq!(store.charge(&tenant(), row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(store.charge(&other_tenant(), row.id).await.unwrap(), None);
    assert_eq!(store.charge_of_any_tenant(row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(store.commit(insert(&row)).await.unwrap(), Commit::Stale, "an intent is stored once");
    for status in ChargeStatus::ALL {
        row.status = status;
        row.next = Some(id());
        row.provider_reference = Some("py-1".to_owned());
        row.version += 1;
        apply(&*store, update(&row)).await;
        assert_eq!(store.charge(&tenant(), row.id).await.unwrap(), Some(row.clone()));
    }
    assert_eq!(store.commit(update(&row)).await.unwrap(), Commit::Stale, "it moved on");
    let mut foreign = row.clone();
    foreign.tenant = other_tenant();
    foreign.version += 1;
    assert_eq!(store.commit(update(&foreign)).await.unwrap(), Commit::Stale);
    let nobody = Charge { id: id(), customer_id: id(), provider_reference: None, version: 1, ..row };
    assert_eq!(store.commit(insert(&nobody)).await.unwrap(), Commit::Stale, "a charge is some customer's");
}

async fn one_at_the_gateway(store: Arc<dyn Store>) {
    let method = saved(&*store).await;
    let (mut first, mut second) = (charge(&method), charge(&method));
    for row in [&first, &second] {
        apply(&*store, insert(row)).await;
    }
    first.provider_reference = Some("py-1".to_owned());
    first.version = 2;
    apply(&*store, update(&first)).await;
    second.provider_reference = Some("py-1".to_owned());
    second.version = 2;
    assert_eq!(store.commit(update(&second)).await.unwrap(), Commit::Stale);
    let found = |tenant, gateway| {
        let store = store.clone();
        async move { store.charge_by_provider_reference(&tenant, &gateway, "py-1").await.unwrap() }
    };
    assert_eq!(found(tenant(), gateway()).await, Some(first));
    assert_eq!(found(other_tenant(), gateway()).await, None);
    assert_eq!(found(tenant(), "other".parse().unwrap()).await, None);
}

async fn lists(store: Arc<dyn Store>) {
    let mine = saved(&*store).await;
    let stranger = customer(tenant(), "c-2");
    let theirs = session(&stranger);
    let other = method(&theirs, "t-2", "i-2");
    let changes = Changes {
        customers: vec![Write::Insert(stranger)],
        sessions: vec![Write::Insert(theirs)],
        methods: vec![Write::Insert(other.clone())],
        ..Changes::default()
    };
    apply(&*store, changes).await;
    let mut rows = vec![charge(&mine), charge(&other), charge(&mine), charge(&other)];
    for row in &rows {
        apply(&*store, insert(row)).await;
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.id));
    let list = |filter, page| {
        let store = store.clone();
        async move { store.charges(&tenant(), filter, page).await.unwrap() }
    };
    let all = ChargeFilter::default();
    assert_eq!(list(all, Page::first(10)).await, rows);
    assert_eq!(list(all, Page::first(1)).await, rows[..1]);
    assert_eq!(list(all, Page { after: Some(rows[1].id), limit: 10 }).await, rows[2..]);
    let of = |row: &&Charge| row.payment_method_id == mine.id;
    let expected: Vec<Charge> = rows.iter().filter(of).cloned().collect();
    let by_method = ChargeFilter { method: Some(mine.id), ..all };
    assert_eq!(list(by_method, Page::first(10)).await, expected);
    let by_customer = ChargeFilter { customer: Some(mine.customer_id), ..all };
    assert_eq!(list(by_customer, Page::first(10)).await, expected);
    let neither = ChargeFilter { customer: Some(mine.customer_id), method: Some(other.id) };
    assert_eq!(list(neither, Page::first(10)).await, Vec::new());
    assert_eq!(store.charges(&other_tenant(), all, Page::first(10)).await.unwrap(), Vec::new());
}

async fn claims(store: Arc<dyn Store>) {
    let method = saved(&*store).await;
    for due in [Some(0), Some(5), None, Some(9)] {
        let mut row = charge(&method);
        row.next_check_at = due.map(|seconds| NOW.plus(Duration::from_secs(seconds)));
        apply(&*store, insert(&row)).await;
    }
    let (now, until) = (NOW.plus(Duration::from_secs(6)), NOW.plus(Duration::from_mins(1)));
    let all = join_all((0..8).map(|_| store.claim_charges(now, until, 1))).await;
    let claimed: Vec<Charge> = all.into_iter().flat_map(Result::unwrap).collect();
    assert_eq!(claimed.len(), 2, "each is one worker's");
    for row in &claimed {
        assert_eq!((row.next_check_at, row.version), (Some(until), 2));
        assert_eq!(store.charge(&tenant(), row.id).await.unwrap().as_ref(), Some(row));
    }
}

async fn erased(store: Arc<dyn Store>) {
    let method = saved(&*store).await;
    let row = charge(&method);
    let told = event(tenant(), &row.id.to_string());
    apply(&*store, Changes { events: vec![told], ..insert(&row) }).await;
    let shreds = vec![Shred { tenant: tenant(), owner: method.customer_id.to_string() }];
    apply(&*store, Changes { shreds, ..Changes::default() }).await;
    assert_eq!(store.charge(&tenant(), row.id).await.unwrap(), None);
    let events = store.events_after(&tenant(), 0, 10).await.unwrap();
    assert!(events.iter().all(|event| event.data == ERASED), "{events:?}");
}
