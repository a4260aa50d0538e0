//! The part of a database that webhook endpoints need.

use async_trait::async_trait;

use super::{Page, StoreResult};
use crate::clock::Timestamp;
use crate::id::{EndpointDeliveryId, WebhookEndpointId};
use crate::name::TenantId;
use crate::outgoing::{EndpointDelivery, EndpointDeliveryState, WebhookEndpoint};

/// Which finished deliveries are sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayFilter {
    /// Only those of later events.
    pub after_sequence: i64,
    /// Only those made at this moment or later.
    pub since: Option<Timestamp>,
    /// Whether those that were delivered are sent again as well.
    pub delivered_too: bool,
}

/// Webhook endpoints and deliveries to them.
#[async_trait]
pub trait OutgoingStore {
    /// One endpoint.
    async fn webhook_endpoint(
        &self,
        tenant: &TenantId,
        id: WebhookEndpointId,
    ) -> StoreResult<Option<WebhookEndpoint>>;

    /// A tenant's endpoints by id, ascending.
    async fn webhook_endpoints(
        &self,
        tenant: &TenantId,
        page: Page<WebhookEndpointId>,
    ) -> StoreResult<Vec<WebhookEndpoint>>;

    /// Endpoints of all tenants that are enabled and whose cursor is behind the last event of their tenant.
    async fn webhook_endpoints_behind(&self, limit: u32) -> StoreResult<Vec<WebhookEndpoint>>;

    /// Endpoints of all tenants that are enabled and have deliveries which [`Self::claim_endpoint_deliveries`] would
    /// give.
    async fn webhook_endpoints_due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(TenantId, WebhookEndpointId)>>;

    /// The sequence number of a tenant's last event; 0 when there is none.
    async fn last_event_sequence(&self, tenant: &TenantId) -> StoreResult<i64>;

    /// One delivery.
    async fn endpoint_delivery(
        &self,
        tenant: &TenantId,
        id: EndpointDeliveryId,
    ) -> StoreResult<Option<EndpointDelivery>>;

    /// An endpoint's deliveries by id, descending; in one state if named.
    async fn endpoint_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        state: Option<EndpointDeliveryState>,
        page: Page<EndpointDeliveryId>,
    ) -> StoreResult<Vec<EndpointDelivery>>;

    /// An endpoint's finished deliveries by sequence number, ascending.
    async fn endpoint_deliveries_to_replay(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        filter: ReplayFilter,
        limit: u32,
    ) -> StoreResult<Vec<EndpointDelivery>>;

    /// Takes an enabled endpoint's deliveries that are due, as [`super::Store::claim_deliveries`] does, but none while
    /// one of an earlier event of the same object is pending.
    async fn claim_endpoint_deliveries(
        &self,
        endpoint: WebhookEndpointId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<EndpointDelivery>>;

    /// Deletes up to `limit` deliveries that are finished and have not changed since `before`; says how many.
    async fn sweep_endpoint_deliveries(&self, before: Timestamp, limit: u32) -> StoreResult<usize>;
}
