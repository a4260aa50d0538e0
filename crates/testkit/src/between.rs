//! A store with somebody in between who changes what is asked or answered: for faults, for forgeries, and to
//! show that a check sees what it is there to see.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::audit::AuditEntry;
use billfold_core::capability::Usage;
use billfold_core::charge::Charge;
use billfold_core::clock::Timestamp;
use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::erasure::Erasure;
use billfold_core::id::{
    ApiKeyId, ChargeId, CustomerId, DeliveryId, EndpointDeliveryId, ErasureId, PaymentMethodId, SessionId,
    VaultRecordId, WebhookEndpointId,
};
use billfold_core::idempotency::IdempotencyKey;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::outgoing::{EndpointDelivery, EndpointDeliveryState, WebhookEndpoint};
use billfold_core::payment_method::PaymentMethod;
use billfold_core::session::Session;
use billfold_core::store::{
    ApiKey, Changes, ChargeFilter, ChargeStore, Commit, Delivery, DeliveryState, Event, IdempotencyStore,
    KeyFilter, OutgoingStore, Page, RecordFilter, Removal, ReplayFilter, Store, StoreError, StoreResult,
    VaultPut,
};
use billfold_core::vault::{Fingerprint, KeyCount, KeyId, KeyPurpose, VaultKey, VaultRecord};

/// Who is in between; whatever is not written passes through.
#[async_trait]
pub trait Between: fmt::Debug + Send + Sync {
    /// Before every call; an error is answered instead of making it.
    async fn before(&self, _call: &'static str) -> StoreResult<()> {
        Ok(())
    }

    /// After every call that was made, before its answer is given; an error is answered instead.
    async fn after(&self, _call: &'static str) -> StoreResult<()> {
        Ok(())
    }

    /// Instead of [`Store::commit`].
    async fn commit(&self, store: &dyn Store, changes: Changes) -> StoreResult<Commit> {
        store.commit(changes).await
    }

    /// Instead of [`Store::vault_put`].
    async fn vault_put(
        &self,
        store: &dyn Store,
        record: &VaultRecord,
        now: Timestamp,
    ) -> StoreResult<VaultPut> {
        store.vault_put(record, now).await
    }

    /// Instead of [`Store::vault_record`].
    async fn vault_record(
        &self,
        store: &dyn Store,
        tenant: &TenantId,
        id: VaultRecordId,
    ) -> StoreResult<Option<VaultRecord>> {
        store.vault_record(tenant, id).await
    }

    /// Instead of [`Store::audit_entries`].
    async fn audit_entries(
        &self,
        store: &dyn Store,
        tenant: &TenantId,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<AuditEntry>> {
        store.audit_entries(tenant, after, limit).await
    }
}

/// The store behind somebody.
#[derive(Debug)]
pub struct Behind {
    store: Arc<dyn Store>,
    between: Arc<dyn Between>,
}

impl Behind {
    /// Puts `between` in front of `store`.
    pub fn new(store: Arc<dyn Store>, between: Arc<dyn Between>) -> Arc<Self> {
        Arc::new(Self { store, between })
    }
}

/// A failure for [`Between`] to answer with.
pub fn store_failure() -> StoreError {
    StoreError { message: "the disk is full, says the test".to_owned(), transient: false }
}

macro_rules! behind {
    (
        between { $(fn $between:ident($($b:ident: $bt:ty),*) -> $br:ty;)* }
        through { $(fn $through:ident($($t:ident: $tt:ty),*) -> $tr:ty;)* }
    ) => {
        #[async_trait]
        impl Store for Behind {
            $(async fn $between(&self, $($b: $bt),*) -> StoreResult<$br> {
                self.between.before(stringify!($between)).await?;
                let answer = self.between.$between(self.store.as_ref(), $($b),*).await;
                self.between.after(stringify!($between)).await?;
                answer
            })*
            $(async fn $through(&self, $($t: $tt),*) -> StoreResult<$tr> {
                self.between.before(stringify!($through)).await?;
                let answer = self.store.$through($($t),*).await;
                self.between.after(stringify!($through)).await?;
                answer
            })*
        }
    };
}

behind! {
    between {
        fn commit(changes: Changes) -> Commit;
        fn vault_put(record: &VaultRecord, now: Timestamp) -> VaultPut;
        fn vault_record(tenant: &TenantId, id: VaultRecordId) -> Option<VaultRecord>;
        fn audit_entries(tenant: &TenantId, after: i64, limit: u32) -> Vec<AuditEntry>;
    }
    through {
        fn migrate() -> ();
        fn ping() -> ();
        fn scrub() -> bool;
        fn customer(tenant: &TenantId, id: CustomerId) -> Option<Customer>;
        fn customer_by_reference(tenant: &TenantId, reference: &str) -> Option<Customer>;
        fn customers(tenant: &TenantId, page: Page<CustomerId>) -> Vec<Customer>;
        fn gateway_customer(tenant: &TenantId, gateway: &GatewayName, customer: CustomerId) -> Option<GatewayCustomer>;
        fn session(tenant: &TenantId, id: SessionId) -> Option<Session>;
        fn session_of_any_tenant(id: SessionId) -> Option<Session>;
        fn session_by_provider_reference(tenant: &TenantId, gateway: &GatewayName, reference: &str) -> Option<Session>;
        fn sessions(tenant: &TenantId, customer: Option<CustomerId>, page: Page<SessionId>) -> Vec<Session>;
        fn claim_sessions(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Session>;
        fn method(tenant: &TenantId, id: PaymentMethodId) -> Option<PaymentMethod>;
        fn methods(tenant: &TenantId, customer: CustomerId, page: Page<PaymentMethodId>) -> Vec<PaymentMethod>;
        fn default_method(tenant: &TenantId, customer: CustomerId) -> Option<PaymentMethod>;
        fn method_by_token(tenant: &TenantId, gateway: &GatewayName, token: &Fingerprint) -> Option<PaymentMethod>;
        fn method_by_instrument(tenant: &TenantId, gateway: &GatewayName, customer: CustomerId, instrument: &Fingerprint, usage: Usage) -> Option<PaymentMethod>;
        fn token_was_deleted(tenant: &TenantId, gateway: &GatewayName, token: &Fingerprint) -> bool;
        fn claim_methods(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<PaymentMethod>;
        fn vault_records(tenant: &TenantId, ids: &[VaultRecordId]) -> Vec<VaultRecord>;
        fn vault_records_of(tenant: &TenantId, owner: &str, kind: Option<&str>, page: Page<VaultRecordId>) -> Vec<VaultRecord>;
        fn vault_record_by_fingerprint(tenant: &TenantId, owner: &str, kind: &str, fingerprint: &Fingerprint) -> Option<VaultRecord>;
        fn sweep_vault_records(now: Timestamp, limit: u32) -> Vec<(TenantId, VaultRecordId)>;
        fn vault_records_all(filter: &RecordFilter, after: Option<VaultRecordId>, limit: u32) -> Vec<VaultRecord>;
        fn count_vault_records(filter: &RecordFilter) -> i64;
        fn vault_key(tenant: &TenantId, id: KeyId) -> Option<VaultKey>;
        fn primary_vault_key(tenant: &TenantId, subject: &str, purpose: KeyPurpose) -> Option<VaultKey>;
        fn vault_keys(filter: &KeyFilter, after: Option<KeyId>, limit: u32) -> Vec<VaultKey>;
        fn vault_key_counts() -> Vec<KeyCount>;
        fn erasure(tenant: &TenantId, id: ErasureId) -> Option<Erasure>;
        fn erasure_of(tenant: &TenantId, subject: &Fingerprint) -> Option<Erasure>;
        fn erasures(tenant: &TenantId, page: Page<ErasureId>) -> Vec<Erasure>;
        fn claim_erasures(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Erasure>;
        fn last_audit_entry(tenant: &TenantId, action: &str) -> Option<AuditEntry>;
        fn removals_of(tenant: &TenantId, customer: CustomerId) -> Vec<Removal>;
        fn delivery(tenant: &TenantId, id: DeliveryId) -> Option<Delivery>;
        fn delivery_by_key(gateway: &GatewayName, key: &Fingerprint) -> Option<Delivery>;
        fn delivery_came_again(id: DeliveryId, now: Timestamp) -> bool;
        fn deliveries(tenant: &TenantId, state: Option<DeliveryState>, page: Page<DeliveryId>) -> Vec<Delivery>;
        fn claim_deliveries(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Delivery>;
        fn claim_removals(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Removal>;
        fn events_after(tenant: &TenantId, after: i64, limit: u32) -> Vec<Event>;
        fn api_key(id: ApiKeyId) -> Option<ApiKey>;
        fn api_keys(tenant: &TenantId) -> Vec<ApiKey>;
    }
}

macro_rules! through {
    ($store:ident { $(fn $name:ident($($argument:ident: $type:ty),*) -> $row:ty;)* }) => {
        #[async_trait]
        impl $store for Behind {
            $(async fn $name(&self, $($argument: $type),*) -> StoreResult<$row> {
                self.between.before(stringify!($name)).await?;
                let answer = self.store.$name($($argument),*).await;
                self.between.after(stringify!($name)).await?;
                answer
            })*
        }
    };
}

through! {
    OutgoingStore {
        fn webhook_endpoint(tenant: &TenantId, id: WebhookEndpointId) -> Option<WebhookEndpoint>;
        fn webhook_endpoints(tenant: &TenantId, page: Page<WebhookEndpointId>) -> Vec<WebhookEndpoint>;
        fn webhook_endpoints_behind(limit: u32) -> Vec<WebhookEndpoint>;
        fn webhook_endpoints_due(now: Timestamp, limit: u32) -> Vec<(TenantId, WebhookEndpointId)>;
        fn last_event_sequence(tenant: &TenantId) -> i64;
        fn endpoint_delivery(tenant: &TenantId, id: EndpointDeliveryId) -> Option<EndpointDelivery>;
        fn endpoint_deliveries(tenant: &TenantId, endpoint: WebhookEndpointId, state: Option<EndpointDeliveryState>, page: Page<EndpointDeliveryId>) -> Vec<EndpointDelivery>;
        fn endpoint_deliveries_to_replay(tenant: &TenantId, endpoint: WebhookEndpointId, filter: ReplayFilter, limit: u32) -> Vec<EndpointDelivery>;
        fn claim_endpoint_deliveries(endpoint: WebhookEndpointId, now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<EndpointDelivery>;
        fn sweep_endpoint_deliveries(before: Timestamp, limit: u32) -> usize;
    }
}

through! {
    ChargeStore {
        fn charge(tenant: &TenantId, id: ChargeId) -> Option<Charge>;
        fn charge_of_any_tenant(id: ChargeId) -> Option<Charge>;
        fn charge_by_provider_reference(
            tenant: &TenantId,
            gateway: &GatewayName,
            reference: &str
        ) -> Option<Charge>;
        fn charges(tenant: &TenantId, filter: ChargeFilter, page: Page<ChargeId>) -> Vec<Charge>;
        fn claim_charges(now: Timestamp, lease_until: Timestamp, limit: u32) -> Vec<Charge>;
    }
}

through! {
    IdempotencyStore {
        fn idempotency_key(tenant: &TenantId, key: &Fingerprint) -> Option<IdempotencyKey>;
        fn sweep_idempotency_keys(now: Timestamp, limit: u32) -> usize;
    }
}
