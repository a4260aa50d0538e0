//! Webhook endpoints in memory.

use async_trait::async_trait;

use super::tables::Tables;
use super::{MemoryStore, take};
use crate::clock::Timestamp;
use crate::id::{EndpointDeliveryId, WebhookEndpointId};
use crate::name::TenantId;
use crate::outgoing::{EndpointDelivery, EndpointDeliveryState, WebhookEndpoint};
use crate::store::{OutgoingStore, Page, ReplayFilter, StoreResult};

impl Tables {
    /// An endpoint's deliveries that may be sent, earliest first.
    fn due_of(&self, endpoint: &WebhookEndpoint, now: Timestamp) -> Vec<EndpointDelivery> {
        let mine = || self.endpoint_deliveries.values().filter(|row| row.endpoint_id == endpoint.id);
        let due = mine().filter(|row| row.next_attempt_at.is_some_and(|at| at <= now));
        let free = due.filter(|row| {
            !mine().any(|earlier| {
                earlier.object_id == row.object_id
                    && earlier.sequence < row.sequence
                    && earlier.next_attempt_at.is_some()
            })
        });
        let mut free: Vec<EndpointDelivery> = free.cloned().collect();
        free.sort_by_key(|row| (row.next_attempt_at, row.sequence));
        free
    }

    fn last_sequence(&self, tenant: &TenantId) -> i64 {
        self.events.iter().rfind(|event| event.tenant == *tenant).map_or(0, |event| event.sequence)
    }

    fn enabled(&self) -> impl Iterator<Item = &WebhookEndpoint> {
        self.webhook_endpoints.values().filter(|row| row.disabled.is_none())
    }
}

#[async_trait]
impl OutgoingStore for MemoryStore {
    async fn webhook_endpoint(
        &self,
        tenant: &TenantId,
        id: WebhookEndpointId,
    ) -> StoreResult<Option<WebhookEndpoint>> {
        Ok(self.tables().webhook_endpoints.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn webhook_endpoints(
        &self,
        tenant: &TenantId,
        page: Page<WebhookEndpointId>,
    ) -> StoreResult<Vec<WebhookEndpoint>> {
        let tables = self.tables();
        let rows = tables.webhook_endpoints.values().filter(|row| row.tenant == *tenant);
        Ok(take(rows.filter(|row| page.after.is_none_or(|id| row.id > id)).cloned(), page.limit))
    }

    async fn webhook_endpoints_behind(&self, limit: u32) -> StoreResult<Vec<WebhookEndpoint>> {
        let tables = self.tables();
        let behind = tables.enabled().filter(|row| row.cursor < tables.last_sequence(&row.tenant));
        Ok(take(behind.cloned(), limit))
    }

    async fn webhook_endpoints_due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(TenantId, WebhookEndpointId)>> {
        let tables = self.tables();
        let due = tables.enabled().filter(|row| !tables.due_of(row, now).is_empty());
        Ok(take(due.map(|row| (row.tenant.clone(), row.id)), limit))
    }

    async fn last_event_sequence(&self, tenant: &TenantId) -> StoreResult<i64> {
        Ok(self.tables().last_sequence(tenant))
    }

    async fn endpoint_delivery(
        &self,
        tenant: &TenantId,
        id: EndpointDeliveryId,
    ) -> StoreResult<Option<EndpointDelivery>> {
        Ok(self.tables().endpoint_deliveries.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn endpoint_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        state: Option<EndpointDeliveryState>,
        page: Page<EndpointDeliveryId>,
    ) -> StoreResult<Vec<EndpointDelivery>> {
        let tables = self.tables();
        let rows = tables.endpoint_deliveries.values().rev();
        let rows = rows.filter(|row| row.tenant == *tenant && row.endpoint_id == endpoint);
        let rows = rows.filter(|row| {
            state.is_none_or(|state| row.state == state) && page.after.is_none_or(|id| row.id < id)
        });
        Ok(take(rows.cloned(), page.limit))
    }

    async fn endpoint_deliveries_to_replay(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        filter: ReplayFilter,
        limit: u32,
    ) -> StoreResult<Vec<EndpointDelivery>> {
        let tables = self.tables();
        let rows = tables.endpoint_deliveries.values();
        let rows = rows.filter(|row| row.tenant == *tenant && row.endpoint_id == endpoint);
        let rows = rows.filter(|row| {
            row.sequence > filter.after_sequence
                && filter.since.is_none_or(|since| row.created_at >= since)
                && match row.state {
                    EndpointDeliveryState::Pending => false,
                    EndpointDeliveryState::Delivered => filter.delivered_too,
                    EndpointDeliveryState::Failed => true,
                }
        });
        let mut rows: Vec<EndpointDelivery> = rows.cloned().collect();
        rows.sort_by_key(|row| row.sequence);
        Ok(take(rows.into_iter(), limit))
    }

    async fn claim_endpoint_deliveries(
        &self,
        endpoint: WebhookEndpointId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<EndpointDelivery>> {
        let mut tables = self.tables();
        let enabled = tables.enabled().find(|row| row.id == endpoint);
        let due = enabled.map(|row| tables.due_of(row, now)).unwrap_or_default();
        let mut due = take(due.into_iter(), limit);
        for row in &mut due {
            row.next_attempt_at = Some(lease_until);
            row.attempts += 1;
            row.version += 1;
            tables.endpoint_deliveries.insert(row.id, row.clone());
        }
        Ok(due)
    }

    async fn sweep_endpoint_deliveries(&self, before: Timestamp, limit: u32) -> StoreResult<usize> {
        let mut tables = self.tables();
        let old = tables.endpoint_deliveries.values();
        let old =
            old.filter(|row| row.next_attempt_at.is_none() && row.updated_at < before).map(|row| row.id);
        let old = take(old, limit);
        for id in &old {
            tables.endpoint_deliveries.remove(id);
        }
        Ok(old.len())
    }
}
