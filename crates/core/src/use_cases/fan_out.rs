//! From events to deliveries: each endpoint has a cursor in the stream of events, and everything between the cursor
//! and the end becomes deliveries in the commit that moves the cursor. An event that was stored is therefore
//! delivered, whatever dies in between, and an endpoint that was disabled goes on where it stopped.

use crate::billfold::Billfold;
use crate::error::Result;
use crate::id::EndpointDeliveryId;
use crate::outgoing::{EndpointDelivery, EndpointDeliveryState, WebhookEndpoint};
use crate::store::{Changes, Commit, Event, Write};

/// Events that one commit turns into deliveries.
const EVENTS_AT_ONCE: u32 = 100;

impl Billfold {
    /// Makes the deliveries of up to `limit` endpoints that have not seen all events; says how many events they saw.
    pub async fn fan_out_events(&self, limit: u32) -> Result<usize> {
        let mut seen = 0;
        for endpoint in self.store().webhook_endpoints_behind(limit).await? {
            seen += self.fan_out(endpoint).await?;
        }
        Ok(seen)
    }

    async fn fan_out(&self, mut endpoint: WebhookEndpoint) -> Result<usize> {
        let events = self.store().events_after(&endpoint.tenant, endpoint.cursor, EVENTS_AT_ONCE).await?;
        let Some(last) = events.last() else { return Ok(0) };
        endpoint.cursor = last.sequence;
        endpoint.version += 1;
        let wanted = events.iter().filter(|event| endpoint.events.wants(&event.name));
        let deliveries = wanted.map(|event| self.delivery_of(&endpoint, event).map(Write::Insert));
        let endpoint_deliveries = deliveries.collect::<Result<Vec<_>>>()?;
        let webhook_endpoints = vec![Write::Update(endpoint)];
        let changes = Changes { webhook_endpoints, endpoint_deliveries, ..Changes::default() };
        // Another server was quicker, or the endpoint was changed: whoever looks next sees what is left.
        let applied = self.store().commit(changes).await? == Commit::Applied;
        Ok(if applied { events.len() } else { 0 })
    }

    fn delivery_of(&self, endpoint: &WebhookEndpoint, event: &Event) -> Result<EndpointDelivery> {
        let now = self.now();
        Ok(EndpointDelivery {
            id: EndpointDeliveryId::generate(now, self.entropy().as_ref())?,
            tenant: endpoint.tenant.clone(),
            endpoint_id: endpoint.id,
            event_id: event.id,
            sequence: event.sequence,
            event_name: event.name.clone(),
            object_id: event.object_id.clone(),
            state: EndpointDeliveryState::Pending,
            attempts: 0,
            next_attempt_at: Some(now),
            last_attempt_at: None,
            last_status: None,
            last_error: None,
            created_at: now,
            updated_at: now,
            version: 1,
            history: Vec::new(),
        })
    }
}
