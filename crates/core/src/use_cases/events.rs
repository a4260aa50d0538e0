//! What the merchant's system can read about changes and about webhooks.

use serde::Serialize;

use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{DeliveryId, EventId};
use crate::name::{GatewayName, TenantId};
use crate::outgoing::EVENT_TYPES;
use crate::payment_method::PaymentMethod;
use crate::session::Session;
use crate::store::{Delivery, DeliveryState, Event, Page};
use crate::view::{PaymentMethodView, SessionView};

/// Something that changed.
#[derive(Debug, Clone, Serialize)]
pub struct EventView {
    /// `evt_…`.
    pub id: EventId,
    /// Always `event`.
    pub object: &'static str,
    /// Ascending; pass the last one seen as `after`.
    pub sequence: i64,
    /// `session.completed`, `payment_method.saved`.
    #[serde(rename = "type")]
    pub name: String,
    /// What changed.
    pub object_id: String,
    /// The object after the change.
    pub data: serde_json::Value,
    /// When.
    pub created_at: Timestamp,
}

/// A webhook, without its body.
#[derive(Debug, Clone, Serialize)]
pub struct DeliveryView {
    /// `whd_…`.
    pub id: DeliveryId,
    /// Always `delivery`.
    pub object: &'static str,
    /// Which gateway sent it.
    pub gateway: GatewayName,
    /// The events' names.
    pub summary: String,
    /// Where it stands.
    pub state: DeliveryState,
    /// How often it came.
    pub received_count: i64,
    /// How often it was worked on.
    pub attempts: i64,
    /// When it is worked on next.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it is where it is.
    pub note: Option<String>,
    /// The delivery that came before under the same event id and told something else.
    pub conflicts_with: Option<DeliveryId>,
    /// When it first came.
    pub received_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let Delivery { id, gateway, summary, state, received_count, attempts, next_attempt_at, note, .. } =
            delivery;
        let Delivery { conflicts_with, received_at, updated_at, .. } = delivery;
        Self {
            id,
            object: "delivery",
            gateway,
            summary,
            state,
            received_count,
            attempts,
            next_attempt_at,
            note,
            conflicts_with,
            received_at,
            updated_at,
        }
    }
}

impl Billfold {
    /// A tenant's events after a sequence number, oldest first.
    pub async fn list_events(&self, tenant: &TenantId, after: i64, limit: u32) -> Result<Vec<EventView>> {
        let events = self.store().events_after(tenant, after, limit).await?;
        events.into_iter().map(event_view).collect()
    }

    /// A tenant's webhooks, newest first; parked and dead ones are those that matched nothing.
    pub async fn list_deliveries(
        &self,
        tenant: &TenantId,
        state: Option<DeliveryState>,
        page: Page<DeliveryId>,
    ) -> Result<Vec<DeliveryView>> {
        Ok(self.store().deliveries(tenant, state, page).await?.into_iter().map(DeliveryView::from).collect())
    }

    pub(super) fn session_event(&self, name: &str, session: &Session) -> Result<Event> {
        self.event(name, &session.tenant, session.id.to_string(), &SessionView::new(session, None))
    }

    pub(super) fn method_event(&self, name: &str, method: &PaymentMethod) -> Result<Event> {
        self.event(name, &method.tenant, method.id.to_string(), &PaymentMethodView::from(method))
    }

    /// An event of a type that endpoints can ask for.
    pub(super) fn event<T: Serialize>(
        &self,
        name: &str,
        tenant: &TenantId,
        object_id: String,
        data: &T,
    ) -> Result<Event> {
        debug_assert!(EVENT_TYPES.contains(&name), "{name} is missing in EVENT_TYPES");
        self.event_unlisted(name, tenant, object_id, data)
    }

    pub(super) fn event_unlisted<T: Serialize>(
        &self,
        name: &str,
        tenant: &TenantId,
        object_id: String,
        data: &T,
    ) -> Result<Event> {
        let now = self.now();
        Ok(Event {
            id: EventId::generate(now, self.entropy().as_ref())?,
            sequence: 0,
            tenant: tenant.clone(),
            name: name.to_owned(),
            object_id,
            data: serde_json::to_string(data)
                .map_err(|_| Error::internal("an event could not be written as JSON"))?,
            created_at: now,
        })
    }
}

pub(super) fn event_view(event: Event) -> Result<EventView> {
    let data =
        serde_json::from_str(&event.data).map_err(|_| Error::internal("a stored event is not JSON"))?;
    let Event { id, sequence, name, object_id, created_at, .. } = event;
    Ok(EventView { id, object: "event", sequence, name, object_id, data, created_at })
}
