//! The use cases in memory, over the provider on trial.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::clock::{ManualClock, Timestamp};
use billfold_core::gateway::Gateway;
use billfold_core::id::{CustomerId, SessionId};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::provider::{
    Acknowledgement, CallContext, ReturnRequest, SessionRef, TokenRef, TokenizationProvider, WebhookDelivery,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::session::SessionStatus;
use billfold_core::settings::{Mode, Settings};
use billfold_core::store::Page;
use billfold_core::store::memory::MemoryStore;
use billfold_core::vault::{KeyWrapper, Vault};
use billfold_core::view::{PaymentMethodView, SessionView};
use billfold_core::{Billfold, DeliveryView, Result, StartSession};
use serde_json::Value;
use url::Url;

use super::driver::{Card, Driver, SentWebhook};
use super::wire::Wire;
use crate::vault::test_root;

/// A program with one gateway.
#[derive(Clone)]
pub(super) struct World {
    pub(super) driver: Arc<dyn Driver>,
    pub(super) billfold: Billfold,
    pub(super) provider: Arc<dyn TokenizationProvider>,
    pub(super) wire: Arc<Wire>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) tenant: TenantId,
    store: Arc<MemoryStore>,
    root: Arc<dyn KeyWrapper>,
}

/// A session, known on both sides.
#[derive(Debug, Clone)]
pub(super) struct Started {
    pub(super) id: SessionId,
    /// The gateway's id.
    pub(super) theirs: String,
    pub(super) view: SessionView,
}

/// The settings of the gateway on trial.
pub(super) fn settings(mode: Mode, values: Value) -> Settings {
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    Settings { gateway, mode, origin, development: true, values }
}

fn name() -> GatewayName {
    "main".parse().expect("a name")
}

impl World {
    pub(super) fn new(driver: Arc<dyn Driver>) -> Self {
        let clock = Arc::new(ManualClock::new(driver.now()));
        let wire = Arc::new(Wire::new(driver.transport()));
        let values = driver.settings();
        Self::assemble(driver, wire, clock, Arc::new(MemoryStore::new()), test_root(), values)
    }

    /// The same after a restart, with other settings if there are any.
    pub(super) fn restarted(&self, values: Option<Value>) -> Self {
        let values = values.unwrap_or_else(|| self.driver.settings());
        let Self { driver, wire, clock, store, root, .. } = self.clone();
        Self::assemble(driver, wire, clock, store, root, values)
    }

    fn assemble(
        driver: Arc<dyn Driver>,
        wire: Arc<Wire>,
        clock: Arc<ManualClock>,
        store: Arc<MemoryStore>,
        root: Arc<dyn KeyWrapper>,
        values: Value,
    ) -> Self {
        let tenant = TenantId::default_tenant();
        let provider = driver.build(&settings(Mode::Test, values)).expect("the driver's own settings");
        let vault = Vault::builder(store.clone(), root.clone()).clock(clock.clone()).build();
        let public_url = "https://pay.merchant.example/billfold/".parse().expect("a URL");
        let gateway = Gateway {
            name: name(),
            tenant: tenant.clone(),
            kind: "on-trial".to_owned(),
            mode: Mode::Test,
            provider: provider.clone(),
            transport: wire.clone(),
        };
        let billfold =
            Billfold::builder(store.clone(), vault, public_url).clock(clock.clone()).gateway(gateway);
        let billfold = billfold.build().expect("a world");
        Self { driver, billfold, provider, wire, clock, tenant, store, root }
    }

    /// The surroundings of a call that a trial makes by itself.
    pub(super) fn context(&self, key: &str) -> CallContext {
        CallContext::new(self.wire.clone(), self.clock.clone(), "main", key)
    }

    /// Opens a session.
    pub(super) async fn start(&self, customer: &str) -> Started {
        self.start_as(self.driver.request(customer)).await
    }

    pub(super) async fn start_as(&self, request: StartSession) -> Started {
        let view = self.billfold.start_session(&self.tenant, request).await;
        let view = view.unwrap_or_else(|error| panic!("a session could not be started: {error:?}"));
        let theirs = self.driver.sessions().await.pop().expect("a session at the gateway");
        assert_eq!(view.status, SessionStatus::Active, "a new session waits for its customer");
        Started { id: view.id, theirs, view }
    }

    pub(super) async fn complete(&self, session: &Started, card: Card) -> String {
        self.driver.complete(&session.theirs, card).await.expect("an open session is completed")
    }

    /// A method saved from beginning to end, by webhook; its token.
    pub(super) async fn save(&self, customer: &str, card: Card) -> (Started, String) {
        self.save_as(self.driver.request(customer), card).await
    }

    pub(super) async fn save_as(&self, request: StartSession, card: Card) -> (Started, String) {
        let session = self.start_as(request).await;
        let token = self.complete(&session, card).await;
        self.deliver_all().await;
        let status = self.status(&session).await;
        assert_eq!(status, SessionStatus::Completed, "what the customer saved is saved here");
        (session, token)
    }

    /// A token that a session saved, with everything that the provider wants with it.
    pub(super) async fn token(&self, session: &Started, token: &str) -> TokenRef {
        let asked = SessionRef::new(session.theirs.clone());
        let observed = self.provider.fetch_session(&self.context("token"), asked).await.expect("the session");
        let mut tokens = observed.methods.into_iter().map(|method| method.token);
        tokens.find(|saved| saved.token.expose_secret() == token).expect("the session's token")
    }

    /// Delivers everything that the gateway sent, and works on it.
    pub(super) async fn deliver_all(&self) {
        for webhook in self.driver.webhooks().await {
            self.accept(&webhook).await;
        }
        self.work().await;
    }

    /// Delivers a webhook that must be acknowledged.
    pub(super) async fn accept(&self, webhook: &SentWebhook) {
        // What comes later is worked on later.
        self.clock.advance(Duration::from_millis(1));
        let outcome = self.deliver(webhook).await;
        let answer = outcome.unwrap_or_else(|error| panic!("a genuine webhook was refused: {error:?}"));
        assert!((200..300).contains(&answer.status), "a genuine webhook was answered with {}", answer.status);
    }

    pub(super) async fn deliver(&self, webhook: &SentWebhook) -> Result<Acknowledgement> {
        self.deliver_at(webhook, self.driver.now()).await
    }

    /// Delivers a webhook to a server whose clock says `now`.
    pub(super) async fn deliver_at(&self, webhook: &SentWebhook, now: Timestamp) -> Result<Acknowledgement> {
        let SentWebhook { headers, body } = webhook.clone();
        self.billfold.receive(&name(), WebhookDelivery::new(body, headers, "", now)).await
    }

    /// Works on what is due, until nothing is.
    pub(super) async fn work(&self) {
        while self.billfold.process(10).await.expect("work") + self.removals().await > 0 {}
    }

    pub(super) async fn removals(&self) -> usize {
        self.billfold.remove_tokens(10).await.expect("removals")
    }

    /// Lets time pass here, but not at the gateway, and asks about what is due.
    pub(super) async fn sweep_after(&self, time: Duration) {
        self.clock.advance(time);
        while self.billfold.reconcile(10).await.expect("a sweep")
            + self.billfold.recheck_methods(10).await.expect("a sweep")
            + self.billfold.reconcile_charges(10).await.expect("a sweep")
            > 0
        {}
    }

    pub(super) async fn view(&self, session: &Started) -> SessionView {
        self.billfold.get_session(&self.tenant, session.id).await.expect("the session")
    }

    pub(super) async fn status(&self, session: &Started) -> SessionStatus {
        self.view(session).await.status
    }

    pub(super) async fn methods(&self, session: &Started) -> Vec<PaymentMethodView> {
        let customer = session.view.customer_id;
        self.billfold.list_methods(&self.tenant, customer, Page::first(100)).await.expect("the methods")
    }

    pub(super) async fn methods_of(&self, customer: CustomerId) -> Vec<PaymentMethodView> {
        self.billfold.list_methods(&self.tenant, customer, Page::first(100)).await.expect("the methods")
    }

    /// How many events of this type the merchant was told.
    pub(super) async fn events_named(&self, name: &str) -> usize {
        let events = self.billfold.list_events(&self.tenant, 0, 1000).await.expect("the events");
        events.iter().filter(|event| event.name == name).count()
    }

    pub(super) async fn deliveries(&self) -> Vec<DeliveryView> {
        self.billfold.list_deliveries(&self.tenant, None, Page::first(100)).await.expect("the deliveries")
    }

    /// The customer's browser comes back by the address that the gateway was given; where it is sent.
    pub(super) async fn come_back(&self, session: &Started, success: bool, query: &str) -> Result<Url> {
        let address = self.driver.way_back(&session.theirs, success).await.expect("a way back");
        let (nonce, query) = way_back(&address, &session.id.to_string(), query);
        self.billfold.on_return(session.id, &nonce, ReturnRequest::new(query)).await
    }
}

/// The nonce in an address of ours for `id`, and the query with which a browser comes by it.
pub(super) fn way_back(address: &Url, id: &str, query: &str) -> (String, String) {
    let parts: Vec<&str> = address.path_segments().expect("a path").collect();
    let (named, nonce) = match parts.as_slice() {
        [.., "return", named, nonce] => (*named, *nonce),
        _ => panic!("the gateway sends customers to {}, which is not ours", address.path()),
    };
    assert_eq!(named, id, "the customer comes back to something else");
    let own = address.query().unwrap_or_default();
    let between = if own.is_empty() || query.is_empty() { "" } else { "&" };
    (nonce.to_owned(), format!("{own}{between}{query}"))
}

/// Runs these at the same time; the ends in their order.
pub(super) async fn at_once<T, F>(tasks: impl IntoIterator<Item = F>) -> Vec<T>
where
    F: Future<Output = T>,
{
    futures::future::join_all(tasks).await
}
