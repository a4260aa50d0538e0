//! Erasure: what is shredded is gone, and nothing of anybody else.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::erasure::{Erasure, ErasureState, GatewayDeletion, Shred};
use billfold_core::name::TenantId;
use billfold_core::payment_method::PaymentMethod;
use billfold_core::session::Session;
use billfold_core::store::{
    Changes, Commit, Delivery, ERASED, Event, KeyFilter, Page, RecordFilter, Removal, Store, VaultPut, Write,
};
use billfold_core::vault::{VaultKey, VaultRecord};
use futures::future::join_all;

use super::Trial;
use super::samples::{
    NOW, apply, customer, delivery, erasure, fingerprint, gateway, id, method, other_tenant, removal,
    session, stored_key, tenant, vault_key, vault_record,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("erasures come back, one for each subject", |store| Box::pin(come_back(store))),
        ("erasures are claimed, each by one", |store| Box::pin(claims(store))),
        ("a shredded customer is gone, and nobody else", |store| Box::pin(customers(store))),
        ("a shredded owner is gone, and nobody else", |store| Box::pin(owners(store))),
        ("a shred is undone with its commit", |store| Box::pin(together(store))),
        ("puts during a shred leave no value without a key", |store| Box::pin(during_puts(store))),
        ("a customer's removals are found", |store| Box::pin(removals(store))),
    ]
}

fn erasures(writes: Vec<Write<Erasure>>) -> Changes {
    Changes { erasures: writes, ..Changes::default() }
}

fn shred(tenant: TenantId, owner: &str) -> Changes {
    Changes { shreds: vec![Shred { tenant, owner: owner.to_owned() }], ..Changes::default() }
}

async fn come_back(store: Arc<dyn Store>) {
    let first = erasure(tenant(), "s-1", Some(NOW));
    let foreign = erasure(other_tenant(), "s-1", None);
    let third = erasure(tenant(), "s-2", None);
    for row in [&first, &foreign, &third] {
        apply(&*store, erasures(vec![Write::Insert(row.clone())])).await;
    }
    let again = erasure(tenant(), "s-1", None);
    assert_eq!(store.commit(erasures(vec![Write::Insert(again)])).await.unwrap(), Commit::Stale);
    let subject = fingerprint("s-1");
    assert_eq!(store.erasure_of(&tenant(), &subject).await.unwrap(), Some(first.clone()));
    assert_eq!(store.erasure_of(&other_tenant(), &subject).await.unwrap(), Some(foreign.clone()));
    assert_eq!(store.erasure(&tenant(), foreign.id).await.unwrap(), None);
    let mut mine = vec![first.clone(), third.clone()];
    mine.sort_by_key(|row| row.id);
    assert_eq!(store.erasures(&tenant(), Page::first(10)).await.unwrap(), mine);
    let rest = Page { after: Some(mine[0].id), limit: 10 };
    assert_eq!(store.erasures(&tenant(), rest).await.unwrap(), mine[1..]);

    let deletion = GatewayDeletion { gateway: gateway(), outcome: "deleted".to_owned() };
    let done = Erasure {
        owner: None,
        state: ErasureState::Done,
        gateway_deletions: vec![deletion],
        done_at: Some(NOW),
        next_attempt_at: None,
        version: 2,
        ..first.clone()
    };
    apply(&*store, erasures(vec![Write::Update(done.clone())])).await;
    assert_eq!(store.commit(erasures(vec![Write::Update(done.clone())])).await.unwrap(), Commit::Stale);
    assert_eq!(store.erasure(&tenant(), first.id).await.unwrap(), Some(done));
    let tries =
        (0..50).map(|_| store.commit(erasures(vec![Write::Insert(erasure(tenant(), "racing", None))])));
    let outcomes = join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|outcome| matches!(outcome, Ok(Commit::Applied))).count(), 1);
}

async fn claims(store: Arc<dyn Store>) {
    let lease = NOW.plus(Duration::from_mins(1));
    let due = |index: u64| Some(NOW.minus(Duration::from_secs(index)));
    let rows: Vec<Erasure> =
        (0..20).map(|index| erasure(tenant(), &format!("s-{index}"), due(index))).collect();
    let late = erasure(tenant(), "late", Some(lease));
    let never = erasure(tenant(), "never", None);
    let all = rows.iter().chain([&late, &never]).cloned().map(Write::Insert).collect();
    apply(&*store, erasures(all)).await;
    let first = store.claim_erasures(NOW, lease, 1).await.unwrap();
    assert_eq!((first[0].id, first[0].version), (rows[19].id, 2), "the earliest comes first");
    let workers = (0..8).map(|_| async {
        let mut mine = Vec::new();
        loop {
            let claimed = store.claim_erasures(NOW, lease, 3).await.unwrap();
            if claimed.is_empty() {
                return mine;
            }
            mine.extend(claimed.into_iter().map(|row| row.id));
        }
    });
    let claimed: Vec<_> = join_all(workers).await.concat();
    let apart: BTreeSet<_> = claimed.iter().copied().collect();
    assert_eq!((claimed.len(), apart.len()), (19, 19), "something was claimed twice");
    assert!(!apart.contains(&late.id) && !apart.contains(&never.id));
    assert_eq!(store.claim_erasures(lease, lease, 50).await.unwrap().len(), 21);
}

/// Everything that there can be about a customer.
struct Everything {
    customer: Customer,
    session: Session,
    method: PaymentMethod,
    removal: Removal,
    delivery: Delivery,
    key: VaultKey,
    records: Vec<VaultRecord>,
}

async fn everything(store: &dyn Store, tenant: &TenantId, reference: &str) -> Everything {
    let mut customer = customer(tenant.clone(), reference);
    let key = vault_key(tenant.clone(), &customer.id.to_string());
    let gateways_key = vault_key(tenant.clone(), &format!("gateway-{reference}"));
    let profile = vault_record(&key, "billfold.customer_profile", "profile");
    let token = vault_record(&key, "billfold.gateway_token", "token");
    let own = vault_record(&key, "card", "v-1");
    let body = vault_record(&gateways_key, "billfold.webhook", reference);
    customer.profile = profile.id;
    let session = session(&customer);
    let mut method = method(&session, &format!("token-{reference}"), "instrument");
    method.token = Some(token.id);
    let removal = removal(&method);
    let mut delivery = delivery(&format!("{tenant}-{reference}"), None);
    delivery.tenant = tenant.clone();
    delivery.customer_id = Some(customer.id);
    delivery.body = body.id;
    let records = vec![profile, token, own, body];
    let told = |object_id: String| Event {
        id: id(),
        sequence: 0,
        tenant: tenant.clone(),
        name: "told".to_owned(),
        object_id,
        data: r#"{"secret":"yes"}"#.to_owned(),
        created_at: NOW,
    };
    let changes = Changes {
        customers: vec![Write::Insert(customer.clone())],
        gateway_customers: vec![GatewayCustomer {
            tenant: tenant.clone(),
            gateway: gateway(),
            customer_id: customer.id,
            reference: "cust-1".to_owned(),
            created_at: NOW,
        }],
        sessions: vec![Write::Insert(session.clone())],
        vault_keys: vec![Write::Insert(key.clone()), Write::Insert(gateways_key)],
        vault: records.iter().cloned().map(Write::Insert).collect(),
        methods: vec![Write::Insert(method.clone())],
        removals: vec![Write::Insert(removal.clone())],
        deliveries: vec![Write::Insert(delivery.clone())],
        events: vec![
            told(customer.id.to_string()),
            told(session.id.to_string()),
            told(method.id.to_string()),
            told("something else".to_owned()),
        ],
        ..Changes::default()
    };
    apply(store, changes).await;
    Everything { customer, session, method, removal, delivery, key, records }
}

/// What is there of a customer, as a list of words.
async fn present(store: &dyn Store, tenant: &TenantId, of: &Everything) -> Vec<&'static str> {
    let customer = of.customer.id;
    let mut found = Vec::new();
    let mut note = |is_there: bool, word| found.extend(is_there.then_some(word));
    note(store.customer(tenant, customer).await.unwrap().is_some(), "customer");
    note(
        store.gateway_customer(tenant, &gateway(), customer).await.unwrap().is_some(),
        "customer at the gateway",
    );
    note(store.session(tenant, of.session.id).await.unwrap().is_some(), "session");
    note(store.method(tenant, of.method.id).await.unwrap().is_some(), "method");
    note(store.removals_of(tenant, customer).await.unwrap().contains(&of.removal), "removal");
    note(store.vault_key(tenant, of.key.id).await.unwrap().is_some(), "key");
    for record in &of.records {
        note(store.vault_record(tenant, record.id).await.unwrap().is_some(), "record");
    }
    let delivery = store.delivery_by_key(&gateway(), &of.delivery.key).await.unwrap().unwrap();
    note(delivery.customer_id.is_some(), "customer of the delivery");
    found
}

const ALL: [&str; 11] = [
    "customer",
    "customer at the gateway",
    "session",
    "method",
    "removal",
    "key",
    "record",
    "record",
    "record",
    "record",
    "customer of the delivery",
];

async fn customers(store: Arc<dyn Store>) {
    let erased = everything(&*store, &tenant(), "c-1").await;
    let neighbour = everything(&*store, &tenant(), "c-2").await;
    let foreign = everything(&*store, &other_tenant(), "c-1").await;
    let before = store.events_after(&tenant(), 0, 100).await.unwrap();
    let owner = erased.customer.id.to_string();

    apply(&*store, shred(other_tenant(), &owner)).await;
    assert_eq!(present(&*store, &tenant(), &erased).await, ALL, "another tenant shredded it");
    apply(&*store, shred(tenant(), &owner)).await;
    assert!(present(&*store, &tenant(), &erased).await.is_empty());
    assert_eq!(present(&*store, &tenant(), &neighbour).await, ALL);
    assert_eq!(present(&*store, &other_tenant(), &foreign).await, ALL);
    let delivery = store.delivery_by_key(&gateway(), &erased.delivery.key).await.unwrap().unwrap();
    assert_eq!(delivery, Delivery { customer_id: None, ..erased.delivery }, "the rest of it stays");

    // The stream keeps its places; what was said of the customer is blank.
    let after = store.events_after(&tenant(), 0, 100).await.unwrap();
    let objects = [owner.clone(), erased.session.id.to_string(), erased.method.id.to_string()];
    for (was, is) in before.iter().zip(&after) {
        let data = if objects.contains(&was.object_id) { ERASED } else { was.data.as_str() };
        assert_eq!(*is, Event { data: data.to_owned(), ..was.clone() });
    }
    assert_eq!((before.len(), after.len()), (8, 8));
    let foreign = store.events_after(&other_tenant(), 0, 100).await.unwrap();
    assert!(foreign.iter().all(|event| event.data != ERASED));
    // Once more changes nothing.
    apply(&*store, shred(tenant(), &owner)).await;
    assert_eq!(store.events_after(&tenant(), 0, 100).await.unwrap(), after);
}

async fn owners(store: Arc<dyn Store>) {
    let erased = stored_key(&*store, tenant(), "owner-1").await;
    let old =
        VaultKey { state: billfold_core::vault::KeyState::DecryptOnly, ..vault_key(tenant(), "owner-1") };
    apply(&*store, Changes { vault_keys: vec![Write::Insert(old.clone())], ..Changes::default() }).await;
    let neighbour = stored_key(&*store, tenant(), "owner-10").await;
    let foreign = stored_key(&*store, other_tenant(), "owner-1").await;
    let records: Vec<VaultRecord> = [(&erased, "v-1"), (&old, "v-2"), (&neighbour, "v-1"), (&foreign, "v-1")]
        .map(|(key, value)| vault_record(key, "card", value))
        .to_vec();
    let vault = records.iter().cloned().map(Write::Insert).collect();
    apply(&*store, Changes { vault, ..Changes::default() }).await;
    apply(&*store, shred(tenant(), "owner-1")).await;
    let left = store.vault_records_all(&RecordFilter::All, None, 100).await.unwrap();
    let left: BTreeSet<_> = left.iter().map(|record| record.id).collect();
    assert_eq!(left, [records[2].id, records[3].id].into());
    let left = store.vault_keys(&KeyFilter::Data, None, 100).await.unwrap();
    let left: BTreeSet<_> = left.iter().map(|key| key.id).collect();
    assert_eq!(left, [neighbour.id, foreign.id].into());
}

async fn together(store: Arc<dyn Store>) {
    let all = everything(&*store, &tenant(), "c-1").await;
    let pending = erasure(tenant(), "s-1", Some(NOW));
    let changes =
        Changes { erasures: vec![Write::Update(pending)], ..shred(tenant(), &all.customer.id.to_string()) };
    assert_eq!(store.commit(changes).await.unwrap(), Commit::Stale, "there is no such erasure");
    assert_eq!(present(&*store, &tenant(), &all).await, ALL);
    let events = store.events_after(&tenant(), 0, 100).await.unwrap();
    assert!(events.iter().all(|event| event.data != ERASED));
}

async fn during_puts(store: Arc<dyn Store>) {
    for round in 0..10 {
        let owner = format!("owner-{round}");
        let key = stored_key(&*store, tenant(), &owner).await;
        let puts = join_all((0..10).map(|index| {
            let (store, record) = (store.clone(), vault_record(&key, "card", &format!("v-{index}")));
            async move { store.vault_put(&record, NOW).await.unwrap() }
        }));
        let (puts, shredded) = futures::join!(puts, store.commit(shred(tenant(), &owner)));
        let is_there = store.vault_key(&tenant(), key.id).await.unwrap().is_some();
        let stored = store.vault_records_of(&tenant(), &owner, None, Page::first(20)).await.unwrap();
        let created = puts.iter().filter(|put| **put == VaultPut::Created).count();
        // A put that came between the values and their key makes the shred stale; it is done again.
        match shredded.unwrap() {
            Commit::Applied => assert!(!is_there && stored.is_empty(), "round {round}"),
            Commit::Stale => assert!(is_there && stored.len() == created, "round {round}"),
        }
        apply(&*store, shred(tenant(), &owner)).await;
        assert_eq!(store.vault_key(&tenant(), key.id).await.unwrap(), None);
    }
}

async fn removals(store: Arc<dyn Store>) {
    let mine = everything(&*store, &tenant(), "c-1").await;
    let neighbour = everything(&*store, &tenant(), "c-2").await;
    let finished =
        Removal { next_attempt_at: None, outcome: Some("deleted".to_owned()), ..removal(&mine.method) };
    let inserted = Changes { removals: vec![Write::Insert(finished.clone())], ..Changes::default() };
    apply(&*store, inserted).await;
    let found = store.removals_of(&tenant(), mine.customer.id).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found.contains(&mine.removal) && found.contains(&finished));
    assert_eq!(store.removals_of(&tenant(), neighbour.customer.id).await.unwrap(), [neighbour.removal]);
    assert!(store.removals_of(&other_tenant(), mine.customer.id).await.unwrap().is_empty());
    assert!(store.removals_of(&tenant(), id()).await.unwrap().is_empty());
}
