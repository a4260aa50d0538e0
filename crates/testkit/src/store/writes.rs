//! One commit happens completely or not at all, and one of many wins.

use std::sync::Arc;

use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::payment_method::{PaymentMethod, PaymentMethodStatus};
use billfold_core::session::Session;
use billfold_core::store::{Changes, Commit, Delivery, Page, Store, Write};
use futures::future::join_all;

use super::Trial;
use super::samples::{
    NOW, customer, customer_and_session, delivery, fingerprint, gateway, method, other_tenant, session,
    tenant, vault_key, vault_record,
};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        ("a stale version changes nothing", |store| Box::pin(stale(store))),
        ("what must be unique is", |store| Box::pin(unique(store))),
        ("a refused commit leaves nothing behind", |store| Box::pin(atomic(store))),
        ("a row about somebody who is gone is refused", |store| Box::pin(orphans(store))),
        ("a deleted method frees its place", |store| Box::pin(freed(store))),
        ("a method moves to another token in one commit", |store| Box::pin(moved(store))),
        ("one default moves in one commit", |store| Box::pin(default_moves(store))),
        ("one of fifty equal inserts wins", |store| Box::pin(racing_inserts(store))),
        ("one of fifty equal updates wins", |store| Box::pin(racing_updates(store))),
        ("one of two commits in opposite order wins", |store| Box::pin(opposed(store))),
        ("unequal commits all succeed at once", |store| Box::pin(many(store))),
    ]
}

async fn commit(store: &dyn Store, changes: Changes) -> Commit {
    store.commit(changes).await.unwrap()
}

fn methods(writes: Vec<Write<PaymentMethod>>) -> Changes {
    Changes { methods: writes, ..Changes::default() }
}

async fn stale(store: Arc<dyn Store>) {
    let (_, session) = customer_and_session(&*store).await;
    for version in [1, 3, 0] {
        let mut late = session.clone();
        late.version = version;
        late.provider_reference = Some("late".to_owned());
        let changes = Changes { sessions: vec![Write::Update(late)], ..Changes::default() };
        assert_eq!(commit(&*store, changes).await, Commit::Stale, "version {version}");
    }
    let mut foreign = session.clone();
    foreign.tenant = other_tenant();
    foreign.version = 2;
    let changes = Changes { sessions: vec![Write::Update(foreign)], ..Changes::default() };
    assert_eq!(commit(&*store, changes).await, Commit::Stale, "another tenant's update");
    assert_eq!(store.session(&tenant(), session.id).await.unwrap(), Some(session));
}

async fn unique(store: Arc<dyn Store>) {
    let (owner, first) = customer_and_session(&*store).await;
    let insert = |row| Changes { customers: vec![Write::Insert(row)], ..Changes::default() };
    assert_eq!(commit(&*store, insert(customer(tenant(), "c-1"))).await, Commit::Stale, "reference");
    assert_eq!(
        commit(&*store, insert(customer(other_tenant(), "c-1"))).await,
        Commit::Applied,
        "another tenant's"
    );

    let with_reference = |reference: &str| {
        let mut row = session(&owner);
        row.provider_reference = Some(reference.to_owned());
        Changes { sessions: vec![Write::Insert(row)], ..Changes::default() }
    };
    assert_eq!(commit(&*store, with_reference("ref-1")).await, Commit::Applied);
    assert_eq!(commit(&*store, with_reference("ref-1")).await, Commit::Stale, "provider reference");

    let mut default = method(&first, "t-1", "i-1");
    default.is_default = true;
    assert_eq!(commit(&*store, methods(vec![Write::Insert(default)])).await, Commit::Applied);
    assert_eq!(
        commit(&*store, methods(vec![Write::Insert(method(&first, "t-1", "i-2"))])).await,
        Commit::Stale,
        "token"
    );
    assert_eq!(
        commit(&*store, methods(vec![Write::Insert(method(&first, "t-2", "i-1"))])).await,
        Commit::Stale,
        "instrument"
    );
    let mut second_default = method(&first, "t-3", "i-3");
    second_default.is_default = true;
    assert_eq!(commit(&*store, methods(vec![Write::Insert(second_default)])).await, Commit::Stale, "default");

    let insert =
        |key: &str| Changes { deliveries: vec![Write::Insert(delivery(key, None))], ..Changes::default() };
    assert_eq!(commit(&*store, insert("k")).await, Commit::Applied);
    assert_eq!(commit(&*store, insert("k")).await, Commit::Stale, "delivery key");
}

async fn atomic(store: Arc<dyn Store>) {
    let (owner, session) = customer_and_session(&*store).await;
    let key = vault_key(tenant(), "c-1");
    let record = vault_record(&key, "card", "v-1");
    let newcomer = customer(tenant(), "newcomer");
    let mut late = session.clone();
    late.version = 9;
    let changes = Changes {
        customers: vec![Write::Insert(newcomer.clone())],
        vault_keys: vec![Write::Insert(key.clone())],
        vault: vec![Write::Insert(record.clone())],
        methods: vec![Write::Insert(method(&session, "t-1", "i-1"))],
        deliveries: vec![Write::Insert(delivery("k-1", None))],
        sessions: vec![Write::Update(late)],
        ..Changes::default()
    };
    assert_eq!(commit(&*store, changes).await, Commit::Stale);
    assert_eq!(store.customer(&tenant(), newcomer.id).await.unwrap(), None);
    assert_eq!(store.vault_record(&tenant(), record.id).await.unwrap(), None);
    assert_eq!(store.vault_key(&tenant(), key.id).await.unwrap(), None);
    assert!(store.methods(&tenant(), owner.id, Page::first(10)).await.unwrap().is_empty());
    assert!(store.deliveries(&tenant(), None, Page::first(10)).await.unwrap().is_empty());
}

async fn orphans(store: Arc<dyn Store>) {
    let (owner, first) = customer_and_session(&*store).await;
    let nobody = customer(tenant(), "never stored");
    let foreign = Customer { tenant: other_tenant(), ..owner.clone() };
    for gone in [&nobody, &foreign] {
        let changes = Changes { sessions: vec![Write::Insert(session(gone))], ..Changes::default() };
        assert_eq!(commit(&*store, changes).await, Commit::Stale, "a session");
        let row = GatewayCustomer {
            tenant: gone.tenant.clone(),
            gateway: gateway(),
            customer_id: gone.id,
            reference: "cust-1".to_owned(),
            created_at: NOW,
        };
        let changes = Changes { gateway_customers: vec![row], ..Changes::default() };
        assert_eq!(commit(&*store, changes).await, Commit::Stale, "a customer at a gateway");
        let about =
            Delivery { tenant: gone.tenant.clone(), customer_id: Some(gone.id), ..delivery("k-1", None) };
        let changes = Changes { deliveries: vec![Write::Insert(about)], ..Changes::default() };
        assert_eq!(commit(&*store, changes).await, Commit::Stale, "a webhook about them");
    }
    let unknown_session = method(&session(&owner), "t-1", "i-1");
    let unknown_customer = PaymentMethod { session_id: first.id, ..method(&session(&nobody), "t-1", "i-1") };
    for orphan in [unknown_session, unknown_customer] {
        assert_eq!(commit(&*store, methods(vec![Write::Insert(orphan)])).await, Commit::Stale, "a method");
    }
}

async fn freed(store: Arc<dyn Store>) {
    let (_, session) = customer_and_session(&*store).await;
    let first = method(&session, "t-1", "i-1");
    let deleted = PaymentMethod { status: PaymentMethodStatus::Deleted, version: 2, ..first.clone() };
    assert_eq!(commit(&*store, methods(vec![Write::Insert(first)])).await, Commit::Applied);
    assert_eq!(commit(&*store, methods(vec![Write::Update(deleted)])).await, Commit::Applied);
    assert_eq!(
        commit(&*store, methods(vec![Write::Insert(method(&session, "t-1", "i-1"))])).await,
        Commit::Applied
    );
}

/// Its gateway replaced its token: the method is found by the new one, and the sealed old one is gone.
async fn moved(store: Arc<dyn Store>) {
    let (owner, session) = customer_and_session(&*store).await;
    let key = vault_key(tenant(), &owner.id.to_string());
    let (old, new) = (vault_record(&key, "token", "old"), vault_record(&key, "token", "new"));
    let before = PaymentMethod { token: Some(old.id), ..method(&session, "t-1", "i-1") };
    let saved = Changes {
        vault_keys: vec![Write::Insert(key)],
        vault: vec![Write::Insert(old.clone())],
        methods: vec![Write::Insert(before.clone())],
        ..Changes::default()
    };
    assert_eq!(commit(&*store, saved).await, Commit::Applied);
    let after = PaymentMethod {
        token: Some(new.id),
        token_fingerprint: fingerprint("t-2"),
        instrument_fingerprint: fingerprint("i-2"),
        version: 2,
        ..before.clone()
    };
    let changes = Changes {
        vault: vec![Write::Insert(new.clone())],
        methods: vec![Write::Update(after.clone())],
        vault_deletes: vec![(tenant(), old.id)],
        ..Changes::default()
    };
    assert_eq!(commit(&*store, changes).await, Commit::Applied);
    let by_token =
        async |text| store.method_by_token(&tenant(), &gateway(), &fingerprint(text)).await.unwrap();
    assert_eq!((by_token("t-1").await, by_token("t-2").await), (None, Some(after.clone())));
    let by_instrument = async |text| {
        let instrument = fingerprint(text);
        store.method_by_instrument(&tenant(), &gateway(), owner.id, &instrument, before.usage).await.unwrap()
    };
    assert_eq!((by_instrument("i-1").await, by_instrument("i-2").await), (None, Some(after)));
    assert_eq!(store.vault_record(&tenant(), old.id).await.unwrap(), None);
    assert_eq!(store.vault_record(&tenant(), new.id).await.unwrap(), Some(new));
}

async fn default_moves(store: Arc<dyn Store>) {
    let (owner, session) = customer_and_session(&*store).await;
    let mut one = method(&session, "t-1", "i-1");
    one.is_default = true;
    let other = method(&session, "t-2", "i-2");
    let both = vec![Write::Insert(one.clone()), Write::Insert(other.clone())];
    assert_eq!(commit(&*store, methods(both)).await, Commit::Applied);
    let unset = PaymentMethod { is_default: false, version: 2, ..one };
    let set = PaymentMethod { is_default: true, version: 2, ..other };
    assert_eq!(
        commit(&*store, methods(vec![Write::Update(unset), Write::Update(set.clone())])).await,
        Commit::Applied
    );
    assert_eq!(store.default_method(&tenant(), owner.id).await.unwrap(), Some(set));
}

async fn race(store: &Arc<dyn Store>, changes: impl Fn(usize) -> Changes) -> usize {
    let tasks = (0..50).map(|index| {
        let (store, changes) = (store.clone(), changes(index));
        async move { store.commit(changes).await.unwrap() }
    });
    join_all(tasks).await.into_iter().filter(|outcome| *outcome == Commit::Applied).count()
}

async fn racing_inserts(store: Arc<dyn Store>) {
    let (_, session) = customer_and_session(&*store).await;
    let won = race(&store, |_| methods(vec![Write::Insert(method(&session, "t-1", "i-1"))])).await;
    assert_eq!(won, 1);
}

async fn racing_updates(store: Arc<dyn Store>) {
    let (_, session) = customer_and_session(&*store).await;
    let won = race(&store, |index| {
        let mut next = session.clone();
        next.version = 2;
        next.provider_reference = Some(format!("ref-{index}"));
        Changes { sessions: vec![Write::Update(next)], ..Changes::default() }
    });
    assert_eq!(won.await, 1);
    assert_eq!(store.session(&tenant(), session.id).await.unwrap().map(|row| row.version), Some(2));
}

/// Each begins with the row that the other ends with: a database must not call that a failure.
async fn opposed(store: Arc<dyn Store>) {
    let (owner, one) = customer_and_session(&*store).await;
    let other = session(&owner);
    let insert = Changes { sessions: vec![Write::Insert(other.clone())], ..Changes::default() };
    assert_eq!(commit(&*store, insert).await, Commit::Applied);
    for version in 2..5 {
        let next = |row: &Session| Write::Update(Session { version, ..row.clone() });
        let changes =
            |rows: [&Session; 2]| Changes { sessions: rows.map(next).to_vec(), ..Changes::default() };
        let tries = (0..4).map(|index| {
            let rows = if index % 2 == 0 { [&one, &other] } else { [&other, &one] };
            store.commit(changes(rows))
        });
        let outcomes: Vec<Commit> = join_all(tries).await.into_iter().map(Result::unwrap).collect();
        let won = outcomes.iter().filter(|outcome| **outcome == Commit::Applied).count();
        assert_eq!(won, 1, "version {version}");
    }
}

async fn many(store: Arc<dyn Store>) {
    let won = race(&store, |index| {
        let row = customer(tenant(), &format!("c-{index}"));
        Changes { customers: vec![Write::Insert(row)], ..Changes::default() }
    });
    assert_eq!(won.await, 50);
    assert_eq!(store.customers(&tenant(), Page::first(100)).await.unwrap().len(), 50);
}
