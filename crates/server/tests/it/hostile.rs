//! A provider and a store that do as they are told: fail, panic or never answer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use billfold_core::audit::AuditEntry;
use billfold_core::capability::{Capabilities, Usage};
use billfold_core::charge::Charge;
use billfold_core::clock::Timestamp;
use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::erasure::Erasure;
use billfold_core::error::{Fault, Retry};
use billfold_core::id::{
    ApiKeyId, ChargeId, CustomerId, DeliveryId, EndpointDeliveryId, ErasureId, PaymentMethodId, SessionId,
    VaultRecordId, WebhookEndpointId,
};
use billfold_core::idempotency::IdempotencyKey;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::outgoing::{EndpointDelivery, EndpointDeliveryState, WebhookEndpoint};
use billfold_core::payment_method::PaymentMethod;
use billfold_core::provider::{
    CallContext, ChargeProvider, CreateSession, Deletion, ProviderMethod, ProviderSession, ReturnHint,
    ReturnRequest, SessionRef, TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery,
    WebhookRejection,
};
use billfold_core::session::Session;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{
    ApiKey, Changes, ChargeFilter, ChargeStore, Commit, Delivery, DeliveryState, Event, IdempotencyStore,
    KeyFilter, OutgoingStore, Page, RecordFilter, Removal, ReplayFilter, Store, StoreError, StoreResult,
    VaultPut,
};
use billfold_core::vault::{Fingerprint, KeyCount, KeyId, KeyPurpose, VaultKey, VaultRecord};
use billfold_core::{Error, ErrorKind, Result};
use billfold_testkit::reference::ReferenceProvider;

/// The public half of every error that [`HostileProvider`] makes up; everything private in it says CANARY.
pub(crate) const PUBLIC: &str = "the gateway says no";

/// What becomes of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Act {
    /// It fails like this.
    Fail(ErrorKind, Retry),
    /// It panics.
    Panic,
    /// It never ends. Calls that are not asynchronous panic instead.
    Hang,
}

/// The reference provider, until told otherwise.
#[derive(Debug)]
pub(crate) struct HostileProvider {
    inner: ReferenceProvider,
    order: Mutex<Option<(&'static str, Act)>>,
    /// How many calls never ended.
    hung: AtomicUsize,
}

impl HostileProvider {
    pub(crate) fn new(inner: ReferenceProvider) -> Self {
        Self { inner, order: Mutex::new(None), hung: AtomicUsize::new(0) }
    }

    /// How many calls came that never end.
    pub(crate) fn hung(&self) -> usize {
        self.hung.load(Ordering::SeqCst)
    }

    /// From now on, calls of this name end like that.
    pub(crate) fn order(&self, call: &'static str, act: Act) {
        *self.order.lock().unwrap() = Some((call, act));
    }

    /// From now on, all is well.
    pub(crate) fn behave(&self) {
        *self.order.lock().unwrap() = None;
    }

    fn ordered(&self, call: &str) -> Option<Act> {
        let order = *self.order.lock().unwrap_or_else(PoisonError::into_inner);
        order.filter(|(name, _)| *name == call).map(|(_, act)| act)
    }

    async fn obey(&self, call: &str) -> Result<()> {
        match self.ordered(call) {
            None => Ok(()),
            Some(Act::Fail(kind, retry)) => Err(failure(kind, retry)),
            Some(Act::Panic) => panic!("CANARY: ordered by the test"),
            Some(Act::Hang) => {
                self.hung.fetch_add(1, Ordering::SeqCst);
                std::future::pending().await
            }
        }
    }

    fn obey_at_once(&self, call: &str) -> Result<()> {
        match self.ordered(call) {
            None => Ok(()),
            Some(Act::Fail(kind, retry)) => Err(failure(kind, retry)),
            Some(Act::Panic | Act::Hang) => panic!("CANARY: ordered by the test"),
        }
    }
}

/// An error whose every private part would be recognised in an answer.
fn failure(kind: ErrorKind, retry: Retry) -> Error {
    let fault = Fault {
        gateway: "CANARY-gateway".into(),
        http_status: Some(418),
        code: Some("CANARY_CODE".into()),
        request_id: Some("CANARY-request".into()),
    };
    Error::new(kind, PUBLIC)
        .with_retry(retry)
        .with_context("detail", "CANARY-context")
        .with_fault(fault)
        .with_source("CANARY-source")
}

#[async_trait]
impl TokenizationProvider for HostileProvider {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        self.obey_at_once("validate")?;
        self.inner.validate(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        self.obey("create_session").await?;
        self.inner.create_session(cx, request).await
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.obey("fetch_session").await?;
        self.inner.fetch_session(cx, session).await
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.obey("cancel_session").await?;
        self.inner.cancel_session(cx, session).await
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        match self.obey_at_once("read_return") {
            Ok(()) => self.inner.read_return(request),
            Err(_) => ReturnHint::default(),
        }
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        self.obey_at_once("read_webhook").map_err(|_| WebhookRejection::Unreadable)?;
        self.inner.read_webhook(delivery)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        self.inner.fetch_method(cx, token).await
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        self.inner.delete_method(cx, token).await
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        self.inner.charging()
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.obey("check").await?;
        self.inner.check(cx).await
    }
}

/// How a database feels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// Fails, and may be well again soon.
    Down,
    /// Fails, and will.
    Broken,
    Panics,
    /// Never answers.
    Hangs,
}

/// The in-memory store, until told otherwise.
#[derive(Debug)]
pub(crate) struct MoodyStore {
    inner: MemoryStore,
    mood: Mutex<Mood>,
}

impl MoodyStore {
    pub(crate) fn new() -> Self {
        Self { inner: MemoryStore::new(), mood: Mutex::new(Mood::Well) }
    }

    pub(crate) fn feel(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    async fn mood(&self) -> StoreResult<()> {
        let mood = *self.mood.lock().unwrap_or_else(PoisonError::into_inner);
        match mood {
            Mood::Well => Ok(()),
            Mood::Down => Err(StoreError { message: "CANARY: connection lost".into(), transient: true }),
            Mood::Broken => Err(StoreError { message: "CANARY: no such table".into(), transient: false }),
            Mood::Panics => panic!("CANARY: ordered by the test"),
            Mood::Hangs => std::future::pending().await,
        }
    }
}

/// Every method first shows the mood, then asks the store inside.
macro_rules! moody {
    ($store:ident { $($name:ident($($argument:ident: $type:ty),*) -> $row:ty;)* }) => {
        #[async_trait]
        impl $store for MoodyStore {
            $(async fn $name(&self, $($argument: $type),*) -> StoreResult<$row> {
                self.mood().await?;
                self.inner.$name($($argument),*).await
            })*
        }
    };
}

moody! {
    Store {
        migrate() -> ();
        ping() -> ();
        scrub() -> bool;
        commit(changes: Changes) -> Commit;
        customer(tenant: &TenantId, id: CustomerId) -> Option<Customer>;
        customer_by_reference(tenant: &TenantId, reference: &str) -> Option<Customer>;
        customers(tenant: &TenantId, page: Page<CustomerId>) -> Vec<Customer>;
        gateway_customer(tenant: &TenantId, gateway: &GatewayName, customer: CustomerId) -> Option<GatewayCustomer>;
        session(tenant: &TenantId, id: SessionId) -> Option<Session>;
        session_of_any_tenant(id: SessionId) -> Option<Session>;
        session_by_provider_reference(tenant: &TenantId, gateway: &GatewayName, reference: &str) -> Option<Session>;
        sessions(tenant: &TenantId, customer: Option<CustomerId>, page: Page<SessionId>) -> Vec<Session>;
        claim_sessions(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Session>;
        method(tenant: &TenantId, id: PaymentMethodId) -> Option<PaymentMethod>;
        methods(tenant: &TenantId, customer: CustomerId, page: Page<PaymentMethodId>) -> Vec<PaymentMethod>;
        default_method(tenant: &TenantId, customer: CustomerId) -> Option<PaymentMethod>;
        method_by_token(tenant: &TenantId, gateway: &GatewayName, token: &Fingerprint) -> Option<PaymentMethod>;
        method_by_instrument(
            tenant: &TenantId, gateway: &GatewayName, customer: CustomerId, instrument: &Fingerprint, usage: Usage
        ) -> Option<PaymentMethod>;
        token_was_deleted(tenant: &TenantId, gateway: &GatewayName, token: &Fingerprint) -> bool;
        claim_methods(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<PaymentMethod>;
        vault_record(tenant: &TenantId, id: VaultRecordId) -> Option<VaultRecord>;
        vault_records(tenant: &TenantId, ids: &[VaultRecordId]) -> Vec<VaultRecord>;
        vault_records_of(
            tenant: &TenantId, owner: &str, kind: Option<&str>, page: Page<VaultRecordId>
        ) -> Vec<VaultRecord>;
        vault_record_by_fingerprint(
            tenant: &TenantId, owner: &str, kind: &str, fingerprint: &Fingerprint
        ) -> Option<VaultRecord>;
        vault_put(record: &VaultRecord, now: Timestamp) -> VaultPut;
        sweep_vault_records(now: Timestamp, limit: u32) -> Vec<(TenantId, VaultRecordId)>;
        vault_records_all(filter: &RecordFilter, after: Option<VaultRecordId>, limit: u32) -> Vec<VaultRecord>;
        count_vault_records(filter: &RecordFilter) -> i64;
        vault_key(tenant: &TenantId, id: KeyId) -> Option<VaultKey>;
        primary_vault_key(tenant: &TenantId, subject: &str, purpose: KeyPurpose) -> Option<VaultKey>;
        vault_keys(filter: &KeyFilter, after: Option<KeyId>, limit: u32) -> Vec<VaultKey>;
        vault_key_counts() -> Vec<KeyCount>;
        erasure(tenant: &TenantId, id: ErasureId) -> Option<Erasure>;
        erasure_of(tenant: &TenantId, subject: &Fingerprint) -> Option<Erasure>;
        erasures(tenant: &TenantId, page: Page<ErasureId>) -> Vec<Erasure>;
        claim_erasures(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Erasure>;
        audit_entries(tenant: &TenantId, after: i64, limit: u32) -> Vec<AuditEntry>;
        last_audit_entry(tenant: &TenantId, action: &str) -> Option<AuditEntry>;
        removals_of(tenant: &TenantId, customer: CustomerId) -> Vec<Removal>;
        delivery(tenant: &TenantId, id: DeliveryId) -> Option<Delivery>;
        delivery_by_key(gateway: &GatewayName, key: &Fingerprint) -> Option<Delivery>;
        delivery_came_again(id: DeliveryId, now: Timestamp) -> bool;
        deliveries(tenant: &TenantId, state: Option<DeliveryState>, page: Page<DeliveryId>) -> Vec<Delivery>;
        claim_deliveries(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Delivery>;
        claim_removals(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Removal>;
        events_after(tenant: &TenantId, after: i64, limit: u32) -> Vec<Event>;
        api_key(id: ApiKeyId) -> Option<ApiKey>;
        api_keys(tenant: &TenantId) -> Vec<ApiKey>;
    }
}

moody! {
    OutgoingStore {
        webhook_endpoint(tenant: &TenantId, id: WebhookEndpointId) -> Option<WebhookEndpoint>;
        webhook_endpoints(tenant: &TenantId, page: Page<WebhookEndpointId>) -> Vec<WebhookEndpoint>;
        webhook_endpoints_behind(limit: u32) -> Vec<WebhookEndpoint>;
        webhook_endpoints_due(now: Timestamp, limit: u32) -> Vec<(TenantId, WebhookEndpointId)>;
        last_event_sequence(tenant: &TenantId) -> i64;
        endpoint_delivery(tenant: &TenantId, id: EndpointDeliveryId) -> Option<EndpointDelivery>;
        endpoint_deliveries(
            tenant: &TenantId, endpoint: WebhookEndpointId, state: Option<EndpointDeliveryState>,
            page: Page<EndpointDeliveryId>
        ) -> Vec<EndpointDelivery>;
        endpoint_deliveries_to_replay(
            tenant: &TenantId, endpoint: WebhookEndpointId, filter: ReplayFilter, limit: u32
        ) -> Vec<EndpointDelivery>;
        claim_endpoint_deliveries(
            endpoint: WebhookEndpointId, now: Timestamp, lease_until: Timestamp, limit: u32
        ) -> Vec<EndpointDelivery>;
        sweep_endpoint_deliveries(before: Timestamp, limit: u32) -> usize;
    }
}

moody! {
    ChargeStore {
        charge(tenant: &TenantId, id: ChargeId) -> Option<Charge>;
        charge_of_any_tenant(id: ChargeId) -> Option<Charge>;
        charge_by_provider_reference(
            tenant: &TenantId, gateway: &GatewayName, reference: &str
        ) -> Option<Charge>;
        charges(tenant: &TenantId, filter: ChargeFilter, page: Page<ChargeId>) -> Vec<Charge>;
        claim_charges(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Charge>;
    }
}

moody! {
    IdempotencyStore {
        idempotency_key(tenant: &TenantId, key: &Fingerprint) -> Option<IdempotencyKey>;
        sweep_idempotency_keys(now: Timestamp, limit: u32) -> usize;
    }
}
