//! What webhooks alone tell, under the real use cases: nobody can be asked, so their word has to be enough, and no
//! more than it says.

use std::sync::Arc;

use billfold_core::capability::Usage;
use billfold_core::charge::{CaptureMode, ChargeStatus, Initiator, RefundStatus};
use billfold_core::clock::SystemClock;
use billfold_core::gateway::Gateway;
use billfold_core::id::PaymentMethodId;
use billfold_core::money::Money;
use billfold_core::name::TenantId;
use billfold_core::provider::WebhookDelivery;
use billfold_core::settings::Mode;
use billfold_core::store::Page;
use billfold_core::store::memory::MemoryStore;
use billfold_core::vault::Vault;
use billfold_core::view::ChargeView;
use billfold_core::{Billfold, CustomerSelector, StartCharge, StartRefund, StartSession};
use billfold_sandbox::{ChargePlay, CompleteSession, Delivery, Sandbox};
use billfold_testkit::vault::test_root;
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};

use crate::support::{TOKEN_KEY, profile, provider, sandbox, settings, transport};

/// A merchant's program, its gateway, and a saved card.
struct Shop {
    sandbox: Sandbox,
    billfold: Billfold,
    tenant: TenantId,
    method: PaymentMethodId,
    told: usize,
}

impl Shop {
    async fn open() -> Self {
        let sandbox = sandbox().await;
        let (store, clock) = (Arc::new(MemoryStore::new()), Arc::new(SystemClock));
        let tenant = TenantId::default_tenant();
        let vault = Vault::builder(store.clone(), test_root()).clock(clock.clone()).build();
        let gateway = Gateway {
            name: "main".parse().unwrap(),
            tenant: tenant.clone(),
            kind: billfold_provider_adyen::KIND.to_owned(),
            mode: Mode::Test,
            provider: provider(settings(&sandbox, TOKEN_KEY)),
            transport: transport(),
        };
        let public_url = "https://pay.shop.example/".parse().unwrap();
        let billfold = Billfold::builder(store, vault, public_url).clock(clock).gateway(gateway);
        let billfold = billfold.build().unwrap();
        let request = StartSession::new(
            CustomerSelector::reference("c-1", profile()),
            Usage::UnscheduledCustomer,
            "EUR".parse().unwrap(),
            "NL".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        );
        let session = billfold.start_session(&tenant, request).await.unwrap();
        sandbox.control().complete(&session.id.to_string(), &CompleteSession::default()).unwrap();
        let nothing_yet = "pm_018f0000000070008000000000000001".parse().unwrap();
        let mut shop = Self { sandbox, billfold, tenant, method: nothing_yet, told: 0 };
        shop.deliver().await;
        let page = Page::first(10);
        let methods = shop.billfold.list_methods(&shop.tenant, session.customer_id, page).await.unwrap();
        shop.method = methods[0].id;
        shop
    }

    async fn receive(&self, delivery: &Delivery) {
        let wire = self.sandbox.control().wire(delivery, None);
        let headers = wire.headers.iter();
        let headers: HeaderMap = headers
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect();
        let now = self.billfold.clock().now();
        let delivery = WebhookDelivery::new(wire.body.into(), headers, "", now);
        self.billfold.receive(&"main".parse().unwrap(), delivery).await.unwrap();
        while self.billfold.process(10).await.unwrap() > 0 {}
    }

    /// Everything that was not told yet, in one webhook for each.
    async fn deliver(&mut self) {
        let sent = self.sandbox.control().deliveries();
        for delivery in &sent[self.told..] {
            self.receive(delivery).await;
        }
        self.told = sent.len();
    }

    async fn hold(&self) -> ChargeView {
        let money = Money { amount: 1000, currency: "EUR".parse().unwrap() };
        let mut request = StartCharge::new(money, Initiator::Customer, None);
        request.capture = CaptureMode::Manual;
        let charge = self.billfold.charge_method(&self.tenant, self.method, request).await.unwrap();
        assert_eq!(charge.status, ChargeStatus::Authorized);
        charge
    }

    async fn now(&self, charge: &ChargeView) -> ChargeView {
        self.billfold.get_charge(&self.tenant, charge.id).await.unwrap()
    }

    fn play(&self, play: &ChargePlay) {
        for token in self.sandbox.control().tokens() {
            assert!(self.sandbox.control().play_charges(token["id"].as_str().unwrap(), play.clone()));
        }
    }
}

/// The same amount again, even: it is another call to the gateway, and not the answer to the first.
#[tokio::test]
async fn a_capture_that_came_to_nothing_is_asked_for_again() {
    let mut shop = Shop::open().await;
    let charge = shop.hold().await;
    shop.play(&ChargePlay::Slow);
    shop.billfold.capture_charge(&shop.tenant, charge.id, None).await.unwrap();
    let twice = shop.billfold.capture_charge(&shop.tenant, charge.id, None).await;
    assert!(twice.is_err(), "it is being captured");
    assert!(shop.sandbox.control().finish_charge(&charge.id.to_string(), false));
    shop.deliver().await;
    assert_eq!(shop.now(&charge).await.status, ChargeStatus::Authorized, "the money is still held");
    shop.play(&ChargePlay::Approve);
    shop.billfold.capture_charge(&shop.tenant, charge.id, None).await.unwrap();
    shop.deliver().await;
    let captured = shop.now(&charge).await;
    assert_eq!((captured.status, captured.captured_amount), (ChargeStatus::Succeeded, 1000));
}

/// News that nothing more is taken is not news of what was taken.
#[tokio::test]
async fn the_end_of_what_was_not_captured_changes_nothing() {
    let mut shop = Shop::open().await;
    let charge = shop.hold().await;
    shop.billfold.capture_charge(&shop.tenant, charge.id, Some(400)).await.unwrap();
    shop.deliver().await;
    let payment = shop.sandbox.control().charges().pop().unwrap();
    for (event, success) in [("EXPIRE", "true"), ("CANCELLATION", "true"), ("CAPTURE", "false")] {
        let item = json!({"amount": {"currency": "EUR", "value": 600}, "merchantAccountCode": "SandboxECOM",
            "merchantReference": charge.id.to_string(), "originalReference": payment["pspReference"],
            "paymentMethod": "visa", "pspReference": "CHANGE1", "success": success, "additionalData": {}});
        shop.sandbox.control().send_webhook(event, &item);
        shop.deliver().await;
        let now = shop.now(&charge).await;
        assert_eq!((now.status, now.captured_amount), (ChargeStatus::Succeeded, 400), "{event}");
    }
}

/// One delivery about a session and a charge: of the one nothing is believed, of the other what is signed.
#[tokio::test]
async fn items_of_both_kinds_come_in_one_delivery() {
    let mut shop = Shop::open().await;
    let money = Money { amount: 1000, currency: "EUR".parse().unwrap() };
    let request = StartCharge::new(money, Initiator::Customer, None);
    let charge = shop.billfold.charge_method(&shop.tenant, shop.method, request).await.unwrap();
    shop.deliver().await;
    shop.billfold.refund_charge(&shop.tenant, charge.id, StartRefund::default()).await.unwrap();
    let sent = shop.sandbox.control().deliveries();
    let items: Vec<Value> =
        sent.iter().filter_map(|sent| sent.data.pointer("/notificationItems/0").cloned()).collect();
    assert_eq!(items.len(), 3, "of the session, the charge and the refund");
    let mut all = sent.last().unwrap().clone();
    all.data["notificationItems"] = items.into();
    shop.receive(&all).await;
    let ended = shop.now(&charge).await;
    assert_eq!(ended.refunds[0].status, RefundStatus::Succeeded);
    assert_eq!(ended.status, ChargeStatus::Succeeded);
}
