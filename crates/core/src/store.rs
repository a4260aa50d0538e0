//! What Billfold needs of a database: reads, four kinds of claim, and one atomic [`Store::commit`].
//!
//! Every change of state is a [`Changes`] value that is applied completely or not at all. Rows carry
//! a version; a row that moved on in the meantime, or a unique constraint that already holds a
//! value, makes the whole commit [`Commit::Stale`], and the caller reads again. That one rule
//! decides every race.

pub mod memory;
mod records;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use records::{ApiKey, Delivery, DeliveryState, Event, Page, Removal};

use crate::capability::Usage;
use crate::clock::Timestamp;
use crate::customer::{Customer, GatewayCustomer};
use crate::error::{Error, ErrorKind, Retry};
use crate::id::{ApiKeyId, CustomerId, PaymentMethodId, SessionId, VaultRecordId};
use crate::name::{GatewayName, TenantId};
use crate::payment_method::PaymentMethod;
use crate::session::Session;
use crate::vault::{Fingerprint, VaultRecord};

/// The database could not do what was asked. `message` is for logs; it holds no row's values.
#[derive(Debug, thiserror::Error)]
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
    /// New sealed values.
    pub vault_inserts: Vec<VaultRecord>,
    /// Methods; among those that are not deleted, unique by (tenant, gateway, token fingerprint),
    /// by (tenant, gateway, customer, instrument fingerprint, usage), and one default per customer.
    pub methods: Vec<Write<PaymentMethod>>,
    /// Tokens to delete at their gateway.
    pub removals: Vec<Write<Removal>>,
    /// Sealed values to destroy, by tenant and id.
    pub vault_deletes: Vec<(TenantId, VaultRecordId)>,
    /// Webhooks; unique by (gateway, key).
    pub deliveries: Vec<Write<Delivery>>,
    /// API keys.
    pub api_keys: Vec<Write<ApiKey>>,
    /// What the merchant is told; each gets the next sequence number of the database.
    pub events: Vec<Event>,
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
pub trait Store: fmt::Debug + Send + Sync {
    /// Brings the schema up to date; does nothing when it is. Refuses a schema newer than this
    /// program.
    async fn migrate(&self) -> StoreResult<()>;

    /// Proves that the database answers and that its schema is the one this program knows.
    async fn ping(&self) -> StoreResult<()>;

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

    /// The webhook that was stored under this key.
    async fn delivery_by_key(
        &self,
        gateway: &GatewayName,
        key: &Fingerprint,
    ) -> StoreResult<Option<Delivery>>;

    /// Webhooks of a tenant by id, descending; in one state if named. The sealed body is left in.
    async fn deliveries(
        &self,
        tenant: &TenantId,
        state: Option<DeliveryState>,
        page: Page<crate::id::DeliveryId>,
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
