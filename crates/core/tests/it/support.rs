//! A world in memory: a store, a reference gateway, a clock that tests move.

use std::sync::Arc;

use billfold_core::capability::Usage;
use billfold_core::clock::{ManualClock, Timestamp};
use billfold_core::erasure::ErasureLedger;
use billfold_core::gateway::Gateway;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::outgoing::WebhookSender;
use billfold_core::provider::{CustomerProfile, ReturnRequest, WebhookDelivery};
use billfold_core::schedule::Schedule;
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Mode;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Page, Store};
use billfold_core::vault::{KeyWrapper, Vault};
use billfold_core::view::{Next, PaymentMethodView, SessionView};
use billfold_core::{Billfold, CustomerSelector, Result, StartSession};
use billfold_testkit::between::{Behind, Between};
use billfold_testkit::reference::{
    Instrument, NoTransport, ReferenceGateway, ReferenceProvider, SECRET_HEADER,
};
use billfold_testkit::vault::test_root;
use tokio::task::JoinSet;

pub(crate) const SECRET: &str = "CANARY-webhook-secret";

/// What a world is made of; a test changes a part of it.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) store: Arc<MemoryStore>,
    /// Stands between the store and everything else.
    pub(crate) between: Option<Arc<dyn Between>>,
    pub(crate) wrapper: Arc<dyn KeyWrapper>,
    pub(crate) gateway: Arc<ReferenceGateway>,
    /// Whether the gateway is in the configuration.
    pub(crate) configured: bool,
    /// Another gateway of the tenant, called [`other_name`].
    pub(crate) other: Option<Arc<ReferenceGateway>>,
    /// What [`gateway_name`] is asked in the background in a second, when not what is usual.
    pub(crate) own_budget: Option<u32>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) ledger: Option<Arc<dyn ErasureLedger>>,
    pub(crate) schedule: Schedule,
    pub(crate) sender: Option<Arc<dyn WebhookSender>>,
}

pub(crate) struct World {
    pub(crate) billfold: Billfold,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) gateway: Arc<ReferenceGateway>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) tenant: TenantId,
    setup: Setup,
}

pub(crate) fn gateway_name() -> GatewayName {
    "reference".parse().unwrap()
}

pub(crate) fn other_name() -> GatewayName {
    "second".parse().unwrap()
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = Setup {
            store: Arc::new(MemoryStore::new()),
            between: None,
            wrapper: test_root(),
            gateway: Arc::new(ReferenceGateway::new()),
            configured: true,
            other: None,
            own_budget: None,
            clock: Arc::new(ManualClock::new(Timestamp::from_millis(1_780_000_000_000))),
            ledger: None,
            schedule: Schedule::default(),
            sender: None,
        };
        change(&mut setup);
        Self::of(setup)
    }

    /// Another program in the same world, but for what the test changes.
    pub(crate) fn again(&self, change: impl FnOnce(&mut Setup)) -> Self {
        let mut setup = self.setup.clone();
        change(&mut setup);
        Self::of(setup)
    }

    fn of(setup: Setup) -> Self {
        let tenant = TenantId::default_tenant();
        let store: Arc<dyn Store> = match &setup.between {
            Some(between) => Behind::new(setup.store.clone(), between.clone()),
            None => setup.store.clone(),
        };
        let vault = Vault::builder(store.clone(), setup.wrapper.clone()).clock(setup.clock.clone()).build();
        let public_url = "https://pay.merchant.example/billfold/".parse().unwrap();
        let mut builder = Billfold::builder(store, vault, public_url)
            .clock(setup.clock.clone())
            .schedule(setup.schedule.clone());
        let gateway = |name, gateway: &Arc<ReferenceGateway>| Gateway {
            name,
            tenant: tenant.clone(),
            kind: "reference".into(),
            mode: Mode::Test,
            provider: Arc::new(ReferenceProvider::new(gateway.clone(), SECRET)),
            transport: Arc::new(NoTransport),
        };
        if setup.configured {
            builder = builder.gateway(gateway(gateway_name(), &setup.gateway));
        }
        if let Some(other) = &setup.other {
            builder = builder.gateway(gateway(other_name(), other));
        }
        if let Some(calls) = setup.own_budget {
            builder = builder.background_calls_per_second(gateway_name(), calls);
        }
        if let Some(ledger) = &setup.ledger {
            builder = builder.erasure_ledger(ledger.clone());
        }
        if let Some(sender) = &setup.sender {
            builder = builder.webhook_sender(sender.clone());
        }
        Self {
            billfold: builder.build().unwrap(),
            store: setup.store.clone(),
            gateway: setup.gateway.clone(),
            clock: setup.clock.clone(),
            tenant,
            setup,
        }
    }

    /// A customer's method, saved from beginning to end.
    pub(crate) async fn save(&self, customer: &str, instrument: Instrument) -> SessionView {
        self.save_with(request(customer), instrument).await
    }

    pub(crate) async fn save_with(&self, request: StartSession, instrument: Instrument) -> SessionView {
        let session = self.billfold.start_session(&self.tenant, request).await.unwrap();
        let gateway_session = self.gateway.sessions().pop().unwrap();
        self.gateway.complete(&gateway_session, instrument);
        self.completed(&gateway_session).await;
        self.work().await;
        self.session(session.id).await
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
        loop {
            let processed = self.billfold.process(10).await.unwrap();
            let removed = self.billfold.remove_tokens(10).await.unwrap();
            if processed + removed + self.billfold.continue_erasures(10).await.unwrap() == 0 {
                break;
            }
        }
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
    StartSession::new(
        CustomerSelector::reference(customer, profile),
        Usage::UnscheduledCustomer,
        "IDR".parse().unwrap(),
        "ID".parse().unwrap(),
        "https://shop.example/done?cart=7".parse().unwrap(),
    )
}

pub(crate) fn link(session: &SessionView) -> String {
    match session.next.as_ref() {
        Some(Next::Redirect { url }) => url.expose_secret().to_owned(),
        _ => panic!("a redirect was expected"),
    }
}

/// Runs tasks at the same time, on the runtime's threads; their answers in the order of the tasks.
pub(crate) async fn at_once<T, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut set = JoinSet::new();
    for (index, task) in tasks.into_iter().enumerate() {
        set.spawn(async move { (index, task.await) });
    }
    let mut answers = set.join_all().await;
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}
