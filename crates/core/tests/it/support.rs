//! A world in memory: a store, a reference gateway, a clock that tests move.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::Usage;
use billfold_core::clock::{ManualClock, Timestamp};
use billfold_core::entropy::SystemEntropy;
use billfold_core::gateway::Gateway;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::provider::{CustomerProfile, ReturnRequest, WebhookDelivery};
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Mode;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Page, Store};
use billfold_core::transport::{Reached, Transport, TransportError};
use billfold_core::vault::{KeyRing, RootKey, Vault};
use billfold_core::view::{Next, PaymentMethodView, SessionView};
use billfold_core::{Billfold, CustomerSelector, Result, StartSession};
use billfold_testkit::reference::{ReferenceGateway, ReferenceProvider, SECRET_HEADER};
use bytes::Bytes;

pub(crate) const SECRET: &str = "CANARY-webhook-secret";

/// The reference provider needs no transport; one that is used anyway is a defect.
#[derive(Debug)]
struct NoTransport;

#[async_trait::async_trait]
impl Transport for NoTransport {
    async fn send(
        &self,
        _: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        Err(TransportError { reached: Reached::NotSent, message: "there is no network here".into() })
    }
}

pub(crate) struct World {
    pub(crate) billfold: Billfold,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) gateway: Arc<ReferenceGateway>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tenant: TenantId,
}

pub(crate) fn gateway_name() -> GatewayName {
    "reference".parse().unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::new(Timestamp::from_millis(1_780_000_000_000)));
        let gateway = Arc::new(ReferenceGateway::new());
        let key = RootKey::generate(&SystemEntropy).unwrap();
        let ring = KeyRing::new(RootKey::from_base64(&key).unwrap());
        let vault = Vault::new(ring, Arc::new(SystemEntropy));
        let tenant = TenantId::default_tenant();
        let billfold = Billfold::builder(
            store.clone(),
            vault,
            "https://pay.merchant.example/billfold/".parse().unwrap(),
        )
        .clock(clock.clone())
        .gateway(Gateway {
            name: gateway_name(),
            tenant: tenant.clone(),
            kind: "reference".into(),
            mode: Mode::Test,
            provider: Arc::new(ReferenceProvider::new(gateway.clone(), SECRET)),
            transport: Arc::new(NoTransport),
        })
        .build()
        .unwrap();
        Self { billfold, store, gateway, clock, tenant }
    }

    pub(crate) async fn start(&self, customer: &str) -> SessionView {
        self.billfold.start_session(&self.tenant, request(customer)).await.unwrap()
    }

    pub(crate) async fn session(&self, id: billfold_core::id::SessionId) -> SessionView {
        self.billfold.get_session(&self.tenant, id).await.unwrap()
    }

    pub(crate) async fn methods(&self, session: &SessionView) -> Vec<PaymentMethodView> {
        self.billfold.list_methods(&self.tenant, session.customer_id, Page::first(100)).await.unwrap()
    }

    /// Delivers a webhook as the gateway would, and says how it was answered.
    pub(crate) async fn deliver(&self, body: serde_json::Value) -> Result<()> {
        self.deliver_raw(body.to_string().into_bytes(), &[SECRET]).await
    }

    pub(crate) async fn deliver_raw(&self, body: Vec<u8>, secrets: &[&str]) -> Result<()> {
        let mut headers = http::HeaderMap::new();
        for secret in secrets {
            headers.append(SECRET_HEADER, secret.parse().unwrap());
        }
        let delivery = WebhookDelivery::new(body.into(), headers, "", self.billfold.clock().now());
        self.billfold.receive(&gateway_name(), delivery).await.map(|_| ())
    }

    pub(crate) async fn completed(&self, gateway_session: &str) {
        self.deliver(serde_json::json!({"event": "session.completed", "session": gateway_session}))
            .await
            .unwrap();
    }

    /// Works until nothing is due.
    pub(crate) async fn work(&self) {
        while self.billfold.process(10).await.unwrap() + self.billfold.remove_tokens(10).await.unwrap() > 0 {}
    }

    pub(crate) async fn sweep(&self) {
        while self.billfold.reconcile(10).await.unwrap() + self.billfold.recheck_methods(10).await.unwrap()
            > 0
        {}
    }

    /// The nonce of a session's return address, as the gateway was given it. Stored only as a hash,
    /// so the test replays the browser with the address that the gateway got.
    pub(crate) async fn come_back(&self, session: &SessionView, nonce: &str) -> Result<url::Url> {
        self.billfold.on_return(session.id, nonce, ReturnRequest::new("status=COMPLETED&token=forged")).await
    }

    pub(crate) async fn event_names(&self) -> Vec<String> {
        let events = self.store.events_after(&self.tenant, 0, 1000).await.unwrap();
        events.into_iter().map(|event| event.name).collect()
    }
}

pub(crate) fn request(customer: &str) -> StartSession {
    let profile = CustomerProfile { given_names: Some("Lorem".into()), ..CustomerProfile::default() };
    StartSession {
        gateway: None,
        customer: CustomerSelector::reference(customer, profile),
        usage: Usage::UnscheduledCustomer,
        recurring: None,
        currency: "IDR".parse().unwrap(),
        country: "ID".parse().unwrap(),
        channels: Vec::new(),
        locale: None,
        description: None,
        metadata: std::collections::BTreeMap::new(),
        return_url: "https://shop.example/done?cart=7".parse().unwrap(),
        expires_at: None,
        make_default: false,
        provider_options: None,
    }
}

pub(crate) fn link(session: &SessionView) -> String {
    match session.next.as_ref() {
        Some(Next::Redirect { url }) => url.expose_secret().to_owned(),
        _ => panic!("a redirect was expected"),
    }
}
