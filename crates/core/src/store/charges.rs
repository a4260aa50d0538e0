//! The part of a database that charges need.

use async_trait::async_trait;

use super::{Page, StoreResult};
use crate::charge::Charge;
use crate::clock::Timestamp;
use crate::id::{ChargeId, CustomerId, PaymentMethodId};
use crate::name::{GatewayName, TenantId};

/// Which charges of a tenant.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChargeFilter {
    /// Of one customer.
    pub customer: Option<CustomerId>,
    /// With one method.
    pub method: Option<PaymentMethodId>,
}

/// Charges; a charge is written by [`super::Changes::charges`].
#[async_trait]
pub trait ChargeStore {
    /// One charge of a tenant.
    async fn charge(&self, tenant: &TenantId, id: ChargeId) -> StoreResult<Option<Charge>>;

    /// One charge of whichever tenant: for the return route, which proves itself by a nonce.
    async fn charge_of_any_tenant(&self, id: ChargeId) -> StoreResult<Option<Charge>>;

    /// The charge that a gateway knows under `reference`.
    async fn charge_by_provider_reference(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        reference: &str,
    ) -> StoreResult<Option<Charge>>;

    /// Charges by id, descending: the newest first.
    async fn charges(
        &self,
        tenant: &TenantId,
        filter: ChargeFilter,
        page: Page<ChargeId>,
    ) -> StoreResult<Vec<Charge>>;

    /// Takes charges that are due, as [`super::Store::claim_sessions`] does.
    async fn claim_charges(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Charge>>;
}
