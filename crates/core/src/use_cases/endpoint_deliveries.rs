//! The log of what was sent to an endpoint, and sending it again.

use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::error::{Error, Result};
use crate::id::{EndpointDeliveryId, WebhookEndpointId};
use crate::name::TenantId;
use crate::outgoing::{EndpointDelivery, EndpointDeliveryState, EndpointDeliveryView};
use crate::store::{Changes, Commit, Page, ReplayFilter, Write};

const REPLAYED_AT_ONCE: u32 = 100;

impl Billfold {
    /// An endpoint's deliveries, newest first; in one state if named.
    pub async fn list_endpoint_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        state: Option<EndpointDeliveryState>,
        page: Page<EndpointDeliveryId>,
    ) -> Result<Vec<EndpointDeliveryView>> {
        self.endpoint(tenant, endpoint).await?;
        let rows = self.store().endpoint_deliveries(tenant, endpoint, state, page).await?;
        Ok(rows.into_iter().map(EndpointDeliveryView::from).collect())
    }

    /// One delivery, with its newest attempts.
    pub async fn get_endpoint_delivery(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        id: EndpointDeliveryId,
    ) -> Result<EndpointDeliveryView> {
        self.endpoint(tenant, endpoint).await?;
        self.delivery_of_endpoint(tenant, endpoint, id).await.map(EndpointDeliveryView::whole)
    }

    async fn delivery_of_endpoint(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        id: EndpointDeliveryId,
    ) -> Result<EndpointDelivery> {
        let found = self.store().endpoint_delivery(tenant, id).await?;
        found.filter(|row| row.endpoint_id == endpoint).ok_or_else(|| Error::not_found("delivery"))
    }

    /// Sends a delivery again, with the id it had and all its attempts before it. One that is pending is sent now.
    pub async fn replay_endpoint_delivery(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        id: EndpointDeliveryId,
    ) -> Result<EndpointDeliveryView> {
        self.endpoint(tenant, endpoint).await?;
        for _ in 0..MAX_ROUNDS {
            let row = self.again(self.delivery_of_endpoint(tenant, endpoint, id).await?);
            if self.commit_replay(vec![row.clone()]).await? {
                return Ok(EndpointDeliveryView::whole(row));
            }
        }
        Err(contended())
    }

    /// Sends an endpoint's finished deliveries again; says how many.
    pub async fn replay_endpoint_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        mut filter: ReplayFilter,
    ) -> Result<usize> {
        self.endpoint(tenant, endpoint).await?;
        let (mut count, mut stale) = (0, 0);
        while stale < MAX_ROUNDS {
            let rows = self
                .store()
                .endpoint_deliveries_to_replay(tenant, endpoint, filter, REPLAYED_AT_ONCE)
                .await?;
            let Some(last) = rows.last().map(|row| row.sequence) else { return Ok(count) };
            let rows: Vec<EndpointDelivery> = rows.into_iter().map(|row| self.again(row)).collect();
            let size = rows.len();
            if self.commit_replay(rows).await? {
                filter.after_sequence = last;
                count += size;
            } else {
                stale += 1;
            }
        }
        Err(contended())
    }

    fn again(&self, mut row: EndpointDelivery) -> EndpointDelivery {
        let now = self.now();
        row.state = EndpointDeliveryState::Pending;
        row.attempts = 0;
        row.next_attempt_at = Some(now);
        row.updated_at = now;
        row.version += 1;
        row
    }

    async fn commit_replay(&self, rows: Vec<EndpointDelivery>) -> Result<bool> {
        let endpoint_deliveries = rows.into_iter().map(Write::Update).collect();
        let commit = self.store().commit(Changes { endpoint_deliveries, ..Changes::default() }).await?;
        if commit == Commit::Applied {
            self.announce_events();
        }
        Ok(commit == Commit::Applied)
    }
}
