//! What becomes of a mandate after it was saved, from the bank's side to the merchant's events.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use billfold_core::clock::{Clock as _, ManualClock, SystemClock};
use billfold_core::gateway::Gateway;
use billfold_core::id::PaymentMethodId;
use billfold_core::name::TenantId;
use billfold_core::payment_method::PaymentMethodStatus as Status;
use billfold_core::provider::WebhookDelivery;
use billfold_core::settings::Mode;
use billfold_core::store::DeliveryState;
use billfold_core::store::Page;
use billfold_core::store::memory::MemoryStore;
use billfold_core::vault::Vault;
use billfold_core::view::{PaymentMethodView, SessionView};
use billfold_core::{Billfold, CustomerSelector, StartSession};
use billfold_sandbox::{CompleteSession, Sandbox};
use billfold_testkit::vault::test_root;
use serde_json::Value;

use crate::contract::{values, wire};
use crate::support::{build, profile, sandbox, transport};

const DAY: u32 = 24 * 60 * 60;

struct World {
    sandbox: Sandbox,
    billfold: Billfold,
    clock: Arc<ManualClock>,
    tenant: TenantId,
    taken: AtomicUsize,
}

impl World {
    async fn new() -> Self {
        let (sandbox, tenant) = (sandbox().await, TenantId::default_tenant());
        let clock = Arc::new(ManualClock::new(SystemClock.now()));
        let store = Arc::new(MemoryStore::new());
        let vault = Vault::builder(store.clone(), test_root()).clock(clock.clone()).build();
        let gateway = Gateway {
            name: "main".parse().unwrap(),
            tenant: tenant.clone(),
            kind: "gocardless".to_owned(),
            mode: Mode::Test,
            provider: build(values(&sandbox), true),
            transport: transport(),
        };
        let public_url = "https://pay.merchant.example/".parse().unwrap();
        let billfold = Billfold::builder(store, vault, public_url).clock(clock.clone()).gateway(gateway);
        Self { sandbox, billfold: billfold.build().unwrap(), clock, tenant, taken: AtomicUsize::new(0) }
    }

    async fn start(&self, customer: &str) -> (SessionView, String) {
        let request = StartSession::new(
            CustomerSelector::reference(customer, profile()),
            billfold_core::capability::Usage::Recurring,
            "GBP".parse().unwrap(),
            "GB".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        );
        let session = self.billfold.start_session(&self.tenant, request).await.unwrap();
        let theirs = self.sandbox.control().sessions().pop().unwrap();
        (session, theirs["id"].as_str().unwrap().to_owned())
    }

    /// A method that was just saved, and its mandate.
    async fn save(&self, customer: &str, number: &str) -> (SessionView, String) {
        let (session, theirs) = self.start(customer).await;
        let complete = CompleteSession { card_number: Some(number.to_owned()), ..CompleteSession::default() };
        let mandate = self.sandbox.control().complete(&theirs, &complete).unwrap();
        self.deliver().await;
        (session, mandate)
    }

    /// Delivers what the gateway sent, and works on it; says the names of the events of each delivery.
    async fn deliver(&self) -> Vec<String> {
        let sent = self.sandbox.control().deliveries();
        let taken = self.taken.swap(sent.len(), Ordering::SeqCst);
        for delivery in &sent[taken..] {
            let (headers, body) = wire(&self.sandbox.control(), delivery);
            let delivery = WebhookDelivery::new(body, headers, "", self.clock.now());
            self.billfold.receive(&"main".parse().unwrap(), delivery).await.unwrap();
        }
        while self.billfold.process(10).await.unwrap() > 0 {}
        sent[taken..].iter().map(|delivery| delivery.event.clone()).collect()
    }

    async fn only(&self, session: &SessionView) -> PaymentMethodView {
        let methods =
            self.billfold.list_methods(&self.tenant, session.customer_id, Page::first(9)).await.unwrap();
        assert_eq!(methods.len(), 1, "one method");
        methods[0].clone()
    }

    /// What the merchant was told of a method, with the status that it had then.
    async fn told(&self, method: PaymentMethodId) -> Vec<(String, String)> {
        let events = self.billfold.list_events(&self.tenant, 0, 100).await.unwrap();
        let about = events.into_iter().filter(|event| event.data["id"] == method.to_string());
        let status = |data: &Value| data["status"].as_str().unwrap().to_owned();
        about.map(|event| (event.name, status(&event.data))).collect()
    }
}

fn told(events: &[(&str, &str)]) -> Vec<(String, String)> {
    let events = events.iter().map(|(name, status)| (format!("payment_method.{name}"), (*status).to_owned()));
    events.collect()
}

#[tokio::test]
async fn days_later_it_is_active_and_then_the_bank_cancels_it() {
    let world = World::new().await;
    let (session, mandate) = world.save("c-1", "55779911").await;
    let saved = world.only(&session).await;
    assert_eq!((saved.status, saved.channel.as_str(), saved.is_default), (Status::Pending, "bacs", true));
    assert_eq!(saved.display.last4.as_deref(), Some("11"));
    world.sandbox.control().advance(2 * DAY);
    assert_eq!(world.deliver().await, ["mandates.submitted"]);
    assert_eq!(world.only(&session).await.status, Status::Pending);
    world.sandbox.control().advance(DAY);
    assert_eq!(world.deliver().await, ["mandates.active"]);
    assert_eq!(world.only(&session).await.status, Status::Active);
    assert!(world.sandbox.control().set_token_status(&mandate, "cancelled", None));
    world.deliver().await;
    // The bank took it back by mistake.
    assert!(world.sandbox.control().set_token_status(&mandate, "reinstated", None));
    world.deliver().await;
    assert!(world.sandbox.control().set_token_status(&mandate, "suspended_by_payer", None));
    world.deliver().await;
    assert!(world.sandbox.control().set_token_status(&mandate, "active", None));
    world.deliver().await;
    assert!(world.sandbox.control().set_token_status(&mandate, "expired", None));
    world.deliver().await;
    assert_eq!(world.only(&session).await.id, saved.id);
    let expected = [
        ("saved", "pending"),
        ("updated", "active"),
        ("revoked", "revoked"),
        ("updated", "active"),
        ("revoked", "revoked"),
        ("updated", "active"),
        ("expired", "expired"),
    ];
    assert_eq!(world.told(saved.id).await, told(&expected));
}

#[tokio::test]
async fn an_activation_that_the_bank_refuses_needs_attention() {
    let world = World::new().await;
    let (session, mandate) = world.save("c-1", "55779911").await;
    assert!(world.sandbox.control().set_token_status(&mandate, "failed", None));
    world.deliver().await;
    let method = world.only(&session).await;
    assert_eq!(world.told(method.id).await, told(&[("saved", "pending"), ("needs_attention", "failed")]));
}

/// The customer moved to another bank: the same mandate, another account.
#[tokio::test]
async fn a_transferred_mandate_shows_its_new_account() {
    let world = World::new().await;
    let (session, mandate) = world.save("c-1", "55779911").await;
    let before = world.only(&session).await;
    assert!(world.sandbox.control().set_token_status(&mandate, "transferred", None));
    assert_eq!(world.deliver().await, ["mandates.transferred"]);
    let after = world.only(&session).await;
    assert_eq!((after.id, after.display.last4.as_deref()), (before.id, Some("90")));
    assert_eq!(world.told(before.id).await, told(&[("saved", "pending"), ("updated", "pending")]));
    // Saving that account again finds the method.
    let (again, _) = world.save("c-1", "70872490").await;
    assert_eq!(world.only(&again).await.id, before.id);
}

/// Another mandate in its place, told in one delivery with the end of the old one.
#[tokio::test]
async fn a_replaced_mandate_is_the_same_method_to_its_end() {
    let world = World::new().await;
    let (session, mandate) = world.save("c-1", "55779911").await;
    world.sandbox.control().advance(3 * DAY);
    world.deliver().await;
    let before = world.only(&session).await;
    assert!(world.sandbox.control().set_token_status(&mandate, "replaced", None));
    assert_eq!(world.deliver().await, ["mandates.cancelled, mandates.replaced, mandates.created"]);
    let after = world.only(&session).await;
    assert_eq!((after.id, after.status, after.is_default), (before.id, Status::Active, true));
    assert_eq!(after.display.last4.as_deref(), Some("90"));
    let replaced = world.sandbox.control().tokens().pop().unwrap()["id"].as_str().unwrap().to_owned();
    assert!(world.sandbox.control().set_token_status(&replaced, "expired", None));
    world.deliver().await;
    let expected =
        [("saved", "pending"), ("updated", "active"), ("updated", "active"), ("expired", "expired")];
    assert_eq!(world.told(before.id).await, told(&expected));
    let deliveries = world.billfold.list_deliveries(&world.tenant, None, Page::first(99)).await.unwrap();
    let states: BTreeSet<_> = deliveries.iter().map(|delivery| delivery.state.as_str()).collect();
    assert_eq!(states, BTreeSet::from([DeliveryState::Done.as_str()]));
}

/// No webhook comes at all, and the old mandate cannot be told from one that was cancelled but by asking.
#[tokio::test]
async fn without_webhooks_the_gateway_is_asked() {
    let world = World::new().await;
    let (session, mandate) = world.save("c-1", "55779911").await;
    world.sandbox.control().advance(3 * DAY);
    world.clock.advance(Duration::from_hours(3 * 24));
    world.billfold.recheck_methods(10).await.unwrap();
    assert_eq!(world.only(&session).await.status, Status::Active);
    assert!(world.sandbox.control().set_token_status(&mandate, "replaced", None));
    world.clock.advance(Duration::from_hours(8 * 24));
    world.billfold.recheck_methods(10).await.unwrap();
    assert_eq!(world.only(&session).await.display.last4.as_deref(), Some("90"));
}

/// What happens to many at one moment is told at once.
#[tokio::test]
async fn many_mandates_become_active_by_one_delivery() {
    let world = World::new().await;
    let mut sessions = Vec::new();
    for number in 0..5 {
        sessions.push(world.save(&format!("c-{number}"), &format!("5577991{number}")).await.0);
    }
    world.sandbox.control().advance(3 * DAY);
    let told = world.deliver().await;
    assert_eq!(told.len(), 1, "one delivery: {told:?}");
    for session in &sessions {
        assert_eq!(world.only(session).await.status, Status::Active);
    }
}

/// The gateway's customer is that of the first session, and an account of theirs is one method.
#[tokio::test]
async fn a_customer_is_one_there_too() {
    let world = World::new().await;
    let (first, old) = world.save("c-1", "55779911").await;
    let (second, new) = world.save("c-1", "55779911").await;
    assert_eq!(world.only(&first).await.id, world.only(&second).await.id);
    while world.billfold.remove_tokens(10).await.unwrap() > 0 {}
    let gone: Vec<_> = world.sandbox.control().gone_tokens();
    assert_eq!(gone.iter().map(|mandate| &mandate["id"]).collect::<Vec<_>>(), [&old], "superseded");
    let mandates = world.sandbox.control().tokens();
    let customers: BTreeSet<_> =
        mandates.iter().map(|mandate| mandate["links"]["customer"].to_string()).collect();
    assert_eq!(customers.len(), 1);
    assert_ne!(old, new);
}

/// What did not come from the gateway is refused with the status that it wants.
#[tokio::test]
async fn an_unsigned_webhook_is_refused_with_498() {
    let world = World::new().await;
    let (gateway, body) = ("main".parse().unwrap(), bytes::Bytes::from_static(br#"{"events":[]}"#));
    let delivery = WebhookDelivery::new(body, http::HeaderMap::new(), "", world.clock.now());
    let refused = world.billfold.receive(&gateway, delivery).await.unwrap_err();
    assert_eq!(refused.kind(), billfold_core::ErrorKind::Unauthenticated);
    assert_eq!(world.billfold.webhook_refusal(&gateway), 498);
}
