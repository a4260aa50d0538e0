//! The façade: one value that knows the store, the vault and the gateways, and offers the use cases.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use url::Url;

use crate::budget::Budgets;
use crate::clock::{Clock, SystemClock, Timestamp};
use crate::entropy::{Entropy, SystemEntropy};
use crate::erasure::ErasureLedger;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::name::{GatewayName, TenantId};
use crate::outgoing::WebhookSender;
use crate::routing::{RoutingRule, check_rules};
use crate::schedule::Schedule;
use crate::store::{Changes, Commit, Store, StoreResult};
use crate::use_cases::KnownKeys;
use crate::vault::Vault;

/// Saves payment methods and keeps them. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Billfold {
    inner: Arc<Inner>,
}

struct Inner {
    store: Arc<dyn Store>,
    vault: Vault,
    gateways: BTreeMap<GatewayName, Gateway>,
    rules: Vec<RoutingRule>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    public_url: Url,
    schedule: Schedule,
    work: Notify,
    events: Notify,
    sender: Option<Arc<dyn WebhookSender>>,
    development: bool,
    ledger: Option<Arc<dyn ErasureLedger>>,
    known_keys: KnownKeys,
    budgets: Budgets,
}

/// Puts a [`Billfold`] together.
pub struct BillfoldBuilder {
    store: Arc<dyn Store>,
    vault: Vault,
    gateways: Vec<Gateway>,
    rules: Vec<RoutingRule>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    public_url: Url,
    schedule: Schedule,
    development: bool,
    ledger: Option<Arc<dyn ErasureLedger>>,
    api_key_cache: Duration,
    sender: Option<Arc<dyn WebhookSender>>,
    background_calls: BTreeMap<GatewayName, u32>,
}

impl Billfold {
    /// Begins with what is required. `public_url` is where customers' browsers and gateways reach
    /// this program; return URLs are made from it.
    pub fn builder(store: Arc<dyn Store>, vault: Vault, public_url: Url) -> BillfoldBuilder {
        BillfoldBuilder {
            store,
            vault,
            gateways: Vec::new(),
            rules: Vec::new(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            public_url,
            schedule: Schedule::default(),
            development: false,
            ledger: None,
            api_key_cache: Duration::from_secs(1),
            sender: None,
            background_calls: BTreeMap::new(),
        }
    }

    /// The store, for what belongs to the program around the use cases: API keys, readiness.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.inner.store
    }

    /// The clock that every use case asks.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The source of randomness.
    pub fn entropy(&self) -> &Arc<dyn Entropy> {
        &self.inner.entropy
    }

    /// The gateways of a tenant, by name.
    pub fn gateways<'a, 't>(
        &'a self,
        tenant: &'t TenantId,
    ) -> impl Iterator<Item = &'a Gateway> + use<'a, 't> {
        self.inner.gateways.values().filter(move |gateway| gateway.tenant == *tenant)
    }

    /// Every gateway of every tenant, by name.
    pub fn all_gateways(&self) -> impl Iterator<Item = &Gateway> {
        self.inner.gateways.values()
    }

    /// A tenant's rules for choosing a gateway, in their order.
    pub(crate) fn rules(&self, tenant: &TenantId) -> Vec<&RoutingRule> {
        self.inner.rules.iter().filter(|rule| rule.tenant == *tenant).collect()
    }

    /// Waits until a webhook or a deletion left work for [`Billfold::process`] or
    /// [`Billfold::remove_tokens`].
    pub async fn work_arrived(&self) {
        self.inner.work.notified().await;
    }

    pub(crate) fn announce_work(&self) {
        self.inner.work.notify_one();
    }

    /// Waits until there are events for [`Billfold::fan_out_events`], or deliveries to webhook endpoints were asked
    /// for.
    pub async fn events_arrived(&self) {
        self.inner.events.notified().await;
    }

    pub(crate) fn announce_events(&self) {
        self.inner.events.notify_one();
    }

    /// Commits changes that have events, and announces these.
    pub(crate) async fn commit(&self, changes: Changes) -> StoreResult<Commit> {
        let told = !changes.events.is_empty();
        let commit = self.inner.store.commit(changes).await?;
        if told && commit == Commit::Applied {
            self.announce_events();
        }
        Ok(commit)
    }

    /// How webhooks are sent; an embedder that gave no sender has no endpoints.
    pub(crate) fn sender(&self) -> Result<&Arc<dyn WebhookSender>> {
        let message = "this program does not send webhooks; its events can be read";
        self.inner.sender.as_ref().ok_or_else(|| Error::new(ErrorKind::Unsupported, message))
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The vault: for the merchant's own values, and for rotation and verification.
    pub fn vault(&self) -> &Vault {
        &self.inner.vault
    }

    pub(crate) fn known_keys(&self) -> &KnownKeys {
        &self.inner.known_keys
    }

    pub(crate) fn ledger(&self) -> Option<&Arc<dyn ErasureLedger>> {
        self.inner.ledger.as_ref()
    }

    pub(crate) fn public_url(&self) -> &Url {
        &self.inner.public_url
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.inner.schedule
    }

    pub(crate) fn is_development(&self) -> bool {
        self.inner.development
    }

    pub(crate) fn budgets(&self) -> &Budgets {
        &self.inner.budgets
    }

    /// Calls a gateway. One that asks to slow down is left alone in the background until then.
    pub(crate) async fn call<T>(
        &self,
        gateway: &Gateway,
        call: &'static str,
        future: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let outcome = gateway.guard(call, future).await;
        if let Err(error) = &outcome
            && let Some(until) = self.budgets().of(&gateway.name).and_then(|it| it.hear(error, self.now()))
        {
            tracing::warn!(gateway = %gateway.name, %until, "the gateway asks to slow down; background calls wait");
        }
        outcome
    }

    pub(crate) fn gateway_named(&self, name: &GatewayName) -> Option<&Gateway> {
        self.inner.gateways.get(name)
    }

    /// The gateway that a stored row names; its absence is the operator's to mend.
    pub(crate) fn gateway_of(&self, tenant: &TenantId, name: &GatewayName) -> Result<&Gateway> {
        self.gateway_named(name).filter(|gateway| gateway.tenant == *tenant).ok_or_else(|| {
            let message = format!("the gateway `{name}` is no longer configured for this tenant");
            Error::new(ErrorKind::Configuration, message)
        })
    }
}

impl BillfoldBuilder {
    /// Adds a gateway.
    pub fn gateway(mut self, gateway: Gateway) -> Self {
        self.gateways.push(gateway);
        self
    }

    /// Rules that choose a gateway for requests that name none, the first that counts first.
    pub fn routing(mut self, rules: Vec<RoutingRule>) -> Self {
        self.rules = rules;
        self
    }

    /// Replaces the machine's clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Replaces the system's randomness.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Replaces the times at which Billfold asks again by itself.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Takes development liberties: plain HTTP return URLs on loopback hosts.
    pub fn development(mut self, development: bool) -> Self {
        self.development = development;
        self
    }

    /// Keeps a ledger of erasures where a restore of the database does not reach.
    pub fn erasure_ledger(mut self, ledger: Arc<dyn ErasureLedger>) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// For how long an API key is believed after it was looked up; a second when not said. It is how long a
    /// key still works here that another process revoked. Zero looks it up for every request.
    pub fn api_key_cache(mut self, lifetime: Duration) -> Self {
        self.api_key_cache = lifetime;
        self
    }

    /// Sends events to webhook endpoints by this.
    pub fn webhook_sender(mut self, sender: Arc<dyn WebhookSender>) -> Self {
        self.sender = Some(sender);
        self
    }

    /// Asks one gateway in the background so many times in a second, and not as many as
    /// [`Schedule::background_calls_per_second`] says; 0 for any number.
    pub fn background_calls_per_second(mut self, gateway: GatewayName, calls: u32) -> Self {
        self.background_calls.insert(gateway, calls);
        self
    }

    /// The finished value. Two gateways of one name are a configuration error, and so are rules that cannot work.
    pub fn build(self) -> Result<Billfold> {
        let mut gateways = BTreeMap::new();
        for gateway in self.gateways {
            let name = gateway.name.clone();
            if gateways.insert(name.clone(), gateway).is_some() {
                return Err(Error::new(ErrorKind::Configuration, format!("two gateways are named `{name}`")));
            }
        }
        let known = gateways.values().map(|gateway| (&gateway.name, &gateway.tenant, gateway.mode));
        check_rules(&self.rules, known).map_err(|wrong| {
            let message = format!("routing[{}].{}: {}", wrong.index, wrong.key, wrong.problem);
            Error::new(ErrorKind::Configuration, message)
        })?;
        if self.public_url.cannot_be_a_base() {
            return Err(Error::new(ErrorKind::Configuration, "the public URL must be an http or https URL"));
        }
        let usual = self.schedule.background_calls_per_second;
        let budgets = Budgets::new(gateways.keys(), usual, &self.background_calls, &self.clock);
        let inner = Inner {
            store: self.store,
            vault: self.vault,
            gateways,
            rules: self.rules,
            clock: self.clock,
            entropy: self.entropy,
            public_url: self.public_url,
            schedule: self.schedule,
            work: Notify::new(),
            events: Notify::new(),
            sender: self.sender,
            development: self.development,
            ledger: self.ledger,
            known_keys: KnownKeys::new(self.api_key_cache),
            budgets,
        };
        Ok(Billfold { inner: Arc::new(inner) })
    }
}

impl fmt::Debug for Billfold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Billfold").field("gateways", &self.inner.gateways).finish_non_exhaustive()
    }
}
