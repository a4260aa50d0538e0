//! What is stored comes back as it was, to its own tenant alone.

use std::sync::Arc;

use billfold_core::capability::Usage;
use billfold_core::customer::GatewayCustomer;
use billfold_core::payment_method::PaymentMethodStatus;
use billfold_core::scope::{Scope, Scopes};
use billfold_core::session::Via;
use billfold_core::store::{ApiKey, Changes, Delivery, DeliveryState, Event, Page, Store, Write};

use super::Trial;
use super::samples::{
    NOW, apply, customer, customer_and_session, delivery, fingerprint, gateway, id, method, other_tenant,
    session, tenant,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("customers come back", |store| Box::pin(customers(store))),
        ("sessions come back, full and empty", |store| Box::pin(sessions(store))),
        ("methods come back, full and empty", |store| Box::pin(methods(store))),
        ("deliveries come back by key and state", |store| Box::pin(deliveries(store))),
        ("API keys come back", |store| Box::pin(api_keys(store))),
        ("events come back in order", |store| Box::pin(events(store))),
        ("pages follow each other", |store| Box::pin(pages(store))),
    ]
}

async fn customers(store: Arc<dyn Store>) {
    for reference in ["plain", "it's \"quoted\" \\ %_", "日本語 \u{1F4B3}", &"x".repeat(255)] {
        let row = customer(tenant(), reference);
        apply(&*store, Changes { customers: vec![Write::Insert(row.clone())], ..Changes::default() }).await;
        assert_eq!(store.customer(&tenant(), row.id).await.unwrap(), Some(row.clone()));
        assert_eq!(store.customer_by_reference(&tenant(), reference).await.unwrap(), Some(row.clone()));
        assert_eq!(store.customer(&other_tenant(), row.id).await.unwrap(), None);
        assert_eq!(store.customer_by_reference(&other_tenant(), reference).await.unwrap(), None);
    }
    let row = store.customer_by_reference(&tenant(), "plain").await.unwrap().unwrap();
    let known = GatewayCustomer {
        tenant: tenant(),
        gateway: gateway(),
        customer_id: row.id,
        reference: "cust-1".to_owned(),
        created_at: NOW,
    };
    apply(&*store, Changes { gateway_customers: vec![known.clone()], ..Changes::default() }).await;
    assert_eq!(store.gateway_customer(&tenant(), &gateway(), row.id).await.unwrap(), Some(known));
    assert_eq!(store.gateway_customer(&other_tenant(), &gateway(), row.id).await.unwrap(), None);
    assert_eq!(store.gateway_customer(&tenant(), &"else".parse().unwrap(), row.id).await.unwrap(), None);
}

async fn sessions(store: Arc<dyn Store>) {
    let (owner, empty) = customer_and_session(&*store).await;
    let mut full = session(&owner);
    full.provider_reference = Some("ref-1".to_owned());
    full.next = Some(id());
    full.next_check_at = Some(NOW);
    full.details.payment_methods = vec![id()];
    full.details.settled_via = Some(Via::Webhook);
    full.details.returned_at = Some(NOW);
    apply(&*store, Changes { sessions: vec![Write::Insert(full.clone())], ..Changes::default() }).await;
    for row in [&empty, &full] {
        assert_eq!(store.session(&tenant(), row.id).await.unwrap().as_ref(), Some(row));
        assert_eq!(store.session(&other_tenant(), row.id).await.unwrap(), None);
        assert_eq!(store.session_of_any_tenant(row.id).await.unwrap().as_ref(), Some(row));
    }
    let found = store.session_by_provider_reference(&tenant(), &gateway(), "ref-1").await.unwrap();
    assert_eq!(found, Some(full.clone()));
    assert_eq!(
        store.session_by_provider_reference(&other_tenant(), &gateway(), "ref-1").await.unwrap(),
        None
    );
    // An update can also take values away.
    let cleared =
        billfold_core::session::Session { next: None, next_check_at: None, version: 2, ..full.clone() };
    apply(&*store, Changes { sessions: vec![Write::Update(cleared.clone())], ..Changes::default() }).await;
    assert_eq!(store.session(&tenant(), full.id).await.unwrap(), Some(cleared));
}

async fn methods(store: Arc<dyn Store>) {
    let (owner, session) = customer_and_session(&*store).await;
    let mut row = method(&session, "t-1", "i-1");
    row.is_default = true;
    row.next_check_at = Some(NOW);
    row.expiring_since = Some(NOW);
    apply(&*store, Changes { methods: vec![Write::Insert(row.clone())], ..Changes::default() }).await;
    let (ours, other) = (tenant(), other_tenant());
    assert_eq!(store.method(&ours, row.id).await.unwrap(), Some(row.clone()));
    assert_eq!(store.method(&other, row.id).await.unwrap(), None);
    assert_eq!(store.default_method(&ours, owner.id).await.unwrap(), Some(row.clone()));
    assert_eq!(store.default_method(&other, owner.id).await.unwrap(), None);
    let token = fingerprint("t-1");
    assert_eq!(store.method_by_token(&ours, &gateway(), &token).await.unwrap(), Some(row.clone()));
    assert_eq!(store.method_by_token(&other, &gateway(), &token).await.unwrap(), None);
    let instrument = fingerprint("i-1");
    let owner_gateway = gateway();
    let by = |usage| store.method_by_instrument(&ours, &owner_gateway, owner.id, &instrument, usage);
    assert_eq!(by(Usage::UnscheduledMerchant).await.unwrap(), Some(row.clone()));
    assert_eq!(by(Usage::Recurring).await.unwrap(), None);

    let mut deleted = row.clone();
    deleted.status = PaymentMethodStatus::Deleted;
    deleted.is_default = false;
    deleted.token = None;
    deleted.next_check_at = None;
    deleted.expiring_since = None;
    deleted.version = 2;
    assert!(!store.token_was_deleted(&ours, &gateway(), &token).await.unwrap());
    apply(&*store, Changes { methods: vec![Write::Update(deleted.clone())], ..Changes::default() }).await;
    assert_eq!(store.method(&ours, row.id).await.unwrap(), Some(deleted));
    assert_eq!(store.method_by_token(&ours, &gateway(), &token).await.unwrap(), None);
    assert!(store.token_was_deleted(&ours, &gateway(), &token).await.unwrap());
    assert!(!store.token_was_deleted(&other, &gateway(), &token).await.unwrap());
    assert!(store.methods(&ours, owner.id, Page::first(10)).await.unwrap().is_empty());
}

async fn deliveries(store: Arc<dyn Store>) {
    let (owner, _) = customer_and_session(&*store).await;
    let mut full = delivery("k-1", Some(5));
    full.note = Some("why".to_owned());
    full.customer_id = Some(owner.id);
    full.conflicts_with = Some(id());
    let done = Delivery { state: DeliveryState::Done, ..delivery("k-2", None) };
    let writes = vec![Write::Insert(full.clone()), Write::Insert(done.clone())];
    apply(&*store, Changes { deliveries: writes, ..Changes::default() }).await;
    assert_eq!(store.delivery_by_key(&gateway(), &fingerprint("k-1")).await.unwrap(), Some(full.clone()));
    assert_eq!(store.delivery(&tenant(), full.id).await.unwrap(), Some(full.clone()));
    assert_eq!(store.delivery(&other_tenant(), full.id).await.unwrap(), None);
    assert_eq!(store.delivery_by_key(&"else".parse().unwrap(), &fingerprint("k-1")).await.unwrap(), None);
    let page = Page::first(10);
    assert_eq!(store.deliveries(&tenant(), Some(DeliveryState::Done), page).await.unwrap(), vec![done]);
    assert_eq!(store.deliveries(&tenant(), None, page).await.unwrap().len(), 2);
    assert!(store.deliveries(&other_tenant(), None, page).await.unwrap().is_empty());
}

async fn api_keys(store: Arc<dyn Store>) {
    let key = ApiKey {
        id: id(),
        tenant: tenant(),
        name: "shop".to_owned(),
        scopes: [Scope::Vault, Scope::Erase].into_iter().collect(),
        secret_hash: vec![3; 32],
        created_at: NOW,
        revoked_at: None,
        version: 1,
    };
    apply(&*store, Changes { api_keys: vec![Write::Insert(key.clone())], ..Changes::default() }).await;
    let revoked = ApiKey { revoked_at: Some(NOW), scopes: Scopes::all(), version: 2, ..key.clone() };
    assert_eq!(store.api_key(key.id).await.unwrap(), Some(key));
    apply(&*store, Changes { api_keys: vec![Write::Update(revoked.clone())], ..Changes::default() }).await;
    assert_eq!(store.api_keys(&tenant()).await.unwrap(), vec![revoked]);
    assert!(store.api_keys(&other_tenant()).await.unwrap().is_empty());
}

async fn events(store: Arc<dyn Store>) {
    let event = |name: &str, tenant| Event {
        id: id(),
        sequence: 0,
        tenant,
        name: name.to_owned(),
        object_id: "x".to_owned(),
        data: "{}".to_owned(),
        created_at: NOW,
    };
    let all = vec![event("a", tenant()), event("foreign", other_tenant()), event("b", tenant())];
    apply(&*store, Changes { events: all, ..Changes::default() }).await;
    let events = store.events_after(&tenant(), 0, 10).await.unwrap();
    assert_eq!(events.iter().map(|event| event.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert!(events[0].sequence > 0 && events[0].sequence < events[1].sequence);
    let rest = store.events_after(&tenant(), events[0].sequence, 10).await.unwrap();
    assert_eq!(rest, events[1..]);
    assert_eq!(store.events_after(&tenant(), 0, 1).await.unwrap().len(), 1);
}

async fn pages(store: Arc<dyn Store>) {
    let rows: Vec<_> = (0..7).map(|index| customer(tenant(), &format!("c-{index}"))).collect();
    let writes = rows.iter().cloned().map(Write::Insert).collect();
    apply(&*store, Changes { customers: writes, ..Changes::default() }).await;
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = store.customers(&tenant(), Page { after, limit: 3 }).await.unwrap();
        assert!(page.len() <= 3);
        let Some(last) = page.last() else { break };
        after = Some(last.id);
        seen.extend(page.into_iter().map(|row| row.id));
    }
    let mut expected: Vec<_> = rows.iter().map(|row| row.id).collect();
    expected.sort();
    assert_eq!(seen, expected);
}
