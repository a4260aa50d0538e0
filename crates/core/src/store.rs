//! What Billfold needs of a database: reads, four kinds of claim, and one atomic [`Store::commit`].
//!
//! Every change of state is a [`Changes`] value that is applied completely or not at all. Rows carry
//! a version; a row that moved on in the meantime, or a unique constraint that already holds a
//! value, makes the whole commit [`Commit::Stale`], and the caller reads again. That one rule
//! decides every race.

mod charges;
mod idempotency;
pub mod memory;
mod outgoing;
mod records;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use charges::{ChargeFilter, ChargeStore};
pub use idempotency::IdempotencyStore;
pub use outgoing::{OutgoingStore, ReplayFilter};
pub use records::{ApiKey, Delivery, DeliveryState, Event, Page, Removal};

use crate::audit::{AuditDraft, AuditEntry};
use crate::capability::Usage;
use crate::charge::Charge;
use crate::clock::Timestamp;
use crate::customer::{Customer, GatewayCustomer};
use crate::erasure::{Erasure, Shred};
use crate::error::{Error, ErrorKind, Retry};
use crate::id::{
    ApiKeyId, CustomerId, DeliveryId, ErasureId, PaymentMethodId, SessionId, VaultRecordId, WebhookEndpointId,
};
use crate::idempotency::IdempotencyKey;
use crate::name::{GatewayName, TenantId};
use crate::outgoing::{EndpointDelivery, WebhookEndpoint};
use crate::payment_method::PaymentMethod;
use crate::session::Session;
use crate::vault::{Fingerprint, KeyCount, KeyId, KeyPurpose, Suite, VaultKey, VaultRecord, WrapperId};

/// The database could not do what was asked. `message` is for logs; it holds no row's values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// What the database or the driver said.
    pub message: String,
    /// Whether the same call may succeed later: pool empty, connection lost, database locked.
    pub transient: bool,
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        let retry = if error.transient {
            Retry::SameKey { after: Some(Duration::from_secs(1)) }
        } else {
            Retry::Never
        };
        Self::new(ErrorKind::Store, "the database could not serve the request")
            .with_retry(retry)
            .with_source(error)
    }
}

/// What is left of an event about an erased customer: its place in the stream.
pub const ERASED: &str = r#"{"erased":true}"#;

/// The result of a store call.
pub type StoreResult<T> = Result<T, StoreError>;

/// A row to write. Updates replace every column of the row whose version is one less than the
/// given row's version; an insert's version is 1.
#[derive(Debug, Clone)]
pub enum Write<T> {
    /// A new row.
    Insert(T),
    /// The next version of a row.
    Update(T),
}

/// Changes that happen together or not at all. Written in the order of the fields, and within a
/// field in the order of the list.
#[derive(Debug, Clone, Default)]
pub struct Changes {
    /// Customers; unique by (tenant, reference).
    pub customers: Vec<Write<Customer>>,
    /// Customers at gateways; insert only, unique by (tenant, gateway, customer).
    pub gateway_customers: Vec<GatewayCustomer>,
    /// Sessions; unique by (tenant, gateway, provider reference).
    pub sessions: Vec<Write<Session>>,
    /// Data keys; one primary key for each (tenant, subject, purpose).
    pub vault_keys: Vec<Write<VaultKey>>,
    /// Sealed values; unique by (tenant, owner, kind, fingerprint). Each names a stored key of its tenant.
    pub vault: Vec<Write<VaultRecord>>,
    /// Methods; among those that are not deleted, unique by (tenant, gateway, token fingerprint),
    /// by (tenant, gateway, customer, instrument fingerprint, usage), and one default per customer.
    pub methods: Vec<Write<PaymentMethod>>,
    /// Charges, each of a stored method's customer; unique by (tenant, gateway, provider reference).
    pub charges: Vec<Write<Charge>>,
    /// Tokens to delete at their gateway.
    pub removals: Vec<Write<Removal>>,
    /// Sealed values to destroy, by tenant and id.
    pub vault_deletes: Vec<(TenantId, VaultRecordId)>,
    /// Data keys to destroy, by tenant and id. One that sealed a stored value makes the commit stale.
    pub vault_key_deletes: Vec<(TenantId, KeyId)>,
    /// Webhooks; unique by (gateway, key). A customer that one names must exist.
    pub deliveries: Vec<Write<Delivery>>,
    /// API keys.
    pub api_keys: Vec<Write<ApiKey>>,
    /// Webhook endpoints.
    pub webhook_endpoints: Vec<Write<WebhookEndpoint>>,
    /// Deliveries to webhook endpoints, each of a stored endpoint; unique by (endpoint, event).
    pub endpoint_deliveries: Vec<Write<EndpointDelivery>>,
    /// Webhook endpoints to delete, by tenant and id, and their deliveries with them.
    pub webhook_endpoint_deletes: Vec<(TenantId, WebhookEndpointId)>,
    /// Idempotency keys; unique by (tenant, key).
    pub idempotency_keys: Vec<Write<IdempotencyKey>>,
    /// Erasures; unique by (tenant, subject).
    pub erasures: Vec<Write<Erasure>>,
    /// Owners whose rows, values and keys are destroyed.
    pub shreds: Vec<Shred>,
    /// Audit entries; each gets the next place of its tenant's trail.
    pub audit: Vec<AuditDraft>,
    /// What the merchant is told; each gets the next sequence number of the database.
    pub events: Vec<Event>,
}

/// How a put ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultPut {
    /// The record is stored; one that had ended gave way to it.
    Created,
    /// The owner has this value already.
    Exists(Box<VaultRecord>),
    /// The record's key is gone, or the record that was in the way. Seal anew.
    Stale,
}

/// Which data keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFilter {
    /// Those of another root key.
    NotWrappedBy(WrapperId),
    /// Those of this root key.
    WrappedBy(WrapperId),
    /// Primary keys for data, of one tenant if named, made before a moment.
    PrimaryDataMadeBefore(Option<TenantId>, Timestamp),
    /// Keys for data that sealed nothing that is still there, and have not changed since.
    UnusedSince(Timestamp),
    /// Every key for data.
    Data,
}

/// Which sealed values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordFilter {
    /// All of them.
    All,
    /// Those whose key is not primary, or whose suite is another than this.
    ToReseal(Suite),
}

/// How a commit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Commit {
    /// Everything is durably stored.
    Applied,
    /// Nothing was changed: a row moved on or a unique value exists. Read again.
    Stale,
}

/// A database. Implementations are proven by the contract suite in `billfold-testkit`.
#[async_trait]
pub trait Store: OutgoingStore + IdempotencyStore + ChargeStore + fmt::Debug + Send + Sync {
    /// Brings the schema up to date; does nothing when it is. Refuses a schema newer than this
    /// program.
    async fn migrate(&self) -> StoreResult<()>;

    /// Proves that the database answers and that its schema is the one this program knows.
    async fn ping(&self) -> StoreResult<()>;

    /// Overwrites whatever shredded rows ([`Changes::shreds`]) may have left behind in parts of the database's own
    /// files that it does not use, where that takes a step of its own. Others may have to wait meanwhile for as long
    /// as it takes to write everything anew. `false` when nothing was shredded since the last time, or the database
    /// needs no such step.
    async fn scrub(&self) -> StoreResult<bool>;

    /// Applies changes, all or none.
    async fn commit(&self, changes: Changes) -> StoreResult<Commit>;

    /// One customer.
    async fn customer(&self, tenant: &TenantId, id: CustomerId) -> StoreResult<Option<Customer>>;

    /// The customer with the merchant's reference.
    async fn customer_by_reference(
        &self,
        tenant: &TenantId,
        reference: &str,
    ) -> StoreResult<Option<Customer>>;

    /// Customers by id, ascending.
    async fn customers(&self, tenant: &TenantId, page: Page<CustomerId>) -> StoreResult<Vec<Customer>>;

    /// A customer's id at a gateway.
    async fn gateway_customer(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        customer: CustomerId,
    ) -> StoreResult<Option<GatewayCustomer>>;

    /// One session of a tenant.
    async fn session(&self, tenant: &TenantId, id: SessionId) -> StoreResult<Option<Session>>;

    /// One session of whichever tenant: for the return route, which proves itself by a nonce.
    async fn session_of_any_tenant(&self, id: SessionId) -> StoreResult<Option<Session>>;

    /// The session that a gateway knows under `reference`.
    async fn session_by_provider_reference(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        reference: &str,
    ) -> StoreResult<Option<Session>>;

    /// Sessions by id, ascending; of one customer if named.
    async fn sessions(
        &self,
        tenant: &TenantId,
        customer: Option<CustomerId>,
        page: Page<SessionId>,
    ) -> StoreResult<Vec<Session>>;

    /// Takes up to `limit` sessions whose `next_check_at` has come, earliest first, and moves their
    /// `next_check_at` to `lease_until` so that no one else takes them meanwhile. Counts as a new
    /// version of each; the rows returned carry it.
    async fn claim_sessions(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Session>>;

    /// One method, deleted ones included.
    async fn method(&self, tenant: &TenantId, id: PaymentMethodId) -> StoreResult<Option<PaymentMethod>>;

    /// A customer's methods by id, ascending, deleted ones left out.
    async fn methods(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        page: Page<PaymentMethodId>,
    ) -> StoreResult<Vec<PaymentMethod>>;

    /// The customer's default method that is not deleted.
    async fn default_method(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> StoreResult<Option<PaymentMethod>>;

    /// The method of a token, deleted ones left out.
    async fn method_by_token(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        token: &Fingerprint,
    ) -> StoreResult<Option<PaymentMethod>>;

    /// The customer's method of an instrument and a usage, deleted ones left out.
    async fn method_by_instrument(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        customer: CustomerId,
        instrument: &Fingerprint,
        usage: Usage,
    ) -> StoreResult<Option<PaymentMethod>>;

    /// Whether a deleted method of this token exists: its late webhooks must not bring it back.
    async fn token_was_deleted(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        token: &Fingerprint,
    ) -> StoreResult<bool>;

    /// Takes methods that are due, as [`Store::claim_sessions`] does.
    async fn claim_methods(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<PaymentMethod>>;

    /// A sealed value.
    async fn vault_record(&self, tenant: &TenantId, id: VaultRecordId) -> StoreResult<Option<VaultRecord>>;

    /// Several sealed values, in no order; those that do not exist are left out.
    async fn vault_records(&self, tenant: &TenantId, ids: &[VaultRecordId]) -> StoreResult<Vec<VaultRecord>>;

    /// An owner's sealed values by id, ascending; of one kind if named.
    async fn vault_records_of(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: Option<&str>,
        page: Page<VaultRecordId>,
    ) -> StoreResult<Vec<VaultRecord>>;

    /// The sealed value with this fingerprint.
    async fn vault_record_by_fingerprint(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: &str,
        fingerprint: &Fingerprint,
    ) -> StoreResult<Option<VaultRecord>>;

    /// Stores a new sealed value unless its owner has it, in one statement. A record that ended by `now`
    /// gives way.
    async fn vault_put(&self, record: &VaultRecord, now: Timestamp) -> StoreResult<VaultPut>;

    /// Deletes up to `limit` sealed values that ended by `now`, the earliest first, and says which. A value
    /// that is given more time meanwhile is not among them.
    async fn sweep_vault_records(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(TenantId, VaultRecordId)>>;

    /// Sealed values of all tenants by id, ascending: for sealing anew and for verification.
    async fn vault_records_all(
        &self,
        filter: &RecordFilter,
        after: Option<VaultRecordId>,
        limit: u32,
    ) -> StoreResult<Vec<VaultRecord>>;

    /// How many of them there are.
    async fn count_vault_records(&self, filter: &RecordFilter) -> StoreResult<i64>;

    /// A data key.
    async fn vault_key(&self, tenant: &TenantId, id: KeyId) -> StoreResult<Option<VaultKey>>;

    /// The data key under which a subject's values are sealed now.
    async fn primary_vault_key(
        &self,
        tenant: &TenantId,
        subject: &str,
        purpose: KeyPurpose,
    ) -> StoreResult<Option<VaultKey>>;

    /// Data keys of all tenants by id, ascending.
    async fn vault_keys(
        &self,
        filter: &KeyFilter,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreResult<Vec<VaultKey>>;

    /// Data keys and what they sealed, by root key, purpose and state.
    async fn vault_key_counts(&self) -> StoreResult<Vec<KeyCount>>;

    /// One erasure.
    async fn erasure(&self, tenant: &TenantId, id: ErasureId) -> StoreResult<Option<Erasure>>;

    /// The erasure of a subject, by its keyed fingerprint.
    async fn erasure_of(&self, tenant: &TenantId, subject: &Fingerprint) -> StoreResult<Option<Erasure>>;

    /// A tenant's erasures by id, ascending.
    async fn erasures(&self, tenant: &TenantId, page: Page<ErasureId>) -> StoreResult<Vec<Erasure>>;

    /// Takes erasures that are due, as [`Store::claim_sessions`] does.
    async fn claim_erasures(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Erasure>>;

    /// A tenant's audit trail after a place, ascending.
    async fn audit_entries(&self, tenant: &TenantId, after: i64, limit: u32) -> StoreResult<Vec<AuditEntry>>;

    /// The last entry of a tenant's trail that tells of this action.
    async fn last_audit_entry(&self, tenant: &TenantId, action: &str) -> StoreResult<Option<AuditEntry>>;

    /// The removals of a customer's tokens.
    async fn removals_of(&self, tenant: &TenantId, customer: CustomerId) -> StoreResult<Vec<Removal>>;

    /// A tenant's webhook.
    async fn delivery(&self, tenant: &TenantId, id: DeliveryId) -> StoreResult<Option<Delivery>>;

    /// The webhook that was stored under this key.
    async fn delivery_by_key(
        &self,
        gateway: &GatewayName,
        key: &Fingerprint,
    ) -> StoreResult<Option<Delivery>>;

    /// Counts that a webhook came again, in one statement, however many come at the same time: `received_count` and
    /// the version grow by one, and one that had matched nothing ([`DeliveryState::Parked`],
    /// [`DeliveryState::Dead`]) is due now. `false` when there is no such row.
    async fn delivery_came_again(&self, id: DeliveryId, now: Timestamp) -> StoreResult<bool>;

    /// Webhooks of a tenant by id, descending; in one state if named. The sealed body is left in.
    async fn deliveries(
        &self,
        tenant: &TenantId,
        state: Option<DeliveryState>,
        page: Page<DeliveryId>,
    ) -> StoreResult<Vec<Delivery>>;

    /// Takes webhooks that are due (`next_attempt_at`), as [`Store::claim_sessions`] does, and counts
    /// the attempt in the same statement, so that a crash counts too.
    async fn claim_deliveries(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Delivery>>;

    /// Takes removals that are due, as [`Store::claim_deliveries`] does.
    async fn claim_removals(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Removal>>;

    /// Events after a sequence number, ascending.
    async fn events_after(&self, tenant: &TenantId, after: i64, limit: u32) -> StoreResult<Vec<Event>>;

    /// One API key of whichever tenant: authentication finds the tenant by it.
    async fn api_key(&self, id: ApiKeyId) -> StoreResult<Option<ApiKey>>;

    /// A tenant's API keys by id, ascending, revoked ones included.
    async fn api_keys(&self, tenant: &TenantId) -> StoreResult<Vec<ApiKey>>;
}
