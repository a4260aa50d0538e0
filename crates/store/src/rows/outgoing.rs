//! Webhook endpoints and deliveries to them.

use billfold_core::outgoing::{EndpointDelivery, PreviousSecret, WebhookEndpoint};
use billfold_core::store::StoreError;
use diesel::prelude::*;

use crate::convert::{json, millis, named, parsed, time, to_json, unreadable};
use crate::schema::{endpoint_deliveries, webhook_endpoints};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = webhook_endpoints, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct WebhookEndpointRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    url: String,
    events: String,
    description: Option<String>,
    disabled: Option<String>,
    failing_since: Option<i64>,
    secret: String,
    previous_secret: Option<String>,
    previous_secret_until: Option<i64>,
    event_cursor: i64,
    created_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
}

impl TryFrom<&WebhookEndpoint> for WebhookEndpointRow {
    type Error = StoreError;

    fn try_from(endpoint: &WebhookEndpoint) -> Result<Self, StoreError> {
        Ok(Self {
            id: endpoint.id.to_string(),
            tenant: endpoint.tenant.to_string(),
            url: endpoint.url.to_string(),
            events: to_json(&endpoint.events, "webhook_endpoints.events")?,
            description: endpoint.description.clone(),
            disabled: endpoint.disabled.map(|reason| reason.as_str().to_owned()),
            failing_since: millis(endpoint.failing_since),
            secret: endpoint.secret.to_string(),
            previous_secret: endpoint.previous_secret.map(|previous| previous.record.to_string()),
            previous_secret_until: endpoint.previous_secret.map(|previous| previous.until.as_millis()),
            event_cursor: endpoint.cursor,
            created_at: endpoint.created_at.as_millis(),
            updated_at: endpoint.updated_at.as_millis(),
            version: endpoint.version,
        })
    }
}

impl TryFrom<WebhookEndpointRow> for WebhookEndpoint {
    type Error = StoreError;

    fn try_from(row: WebhookEndpointRow) -> Result<Self, StoreError> {
        let previous = row.previous_secret.zip(row.previous_secret_until).map(|(record, until)| {
            let record = parsed(&record, "webhook_endpoints.previous_secret")?;
            Ok::<_, StoreError>(PreviousSecret { record, until: time(until) })
        });
        let disabled = row.disabled.map(|reason| named(&reason, "webhook_endpoints.disabled"));
        Ok(Self {
            id: parsed(&row.id, "webhook_endpoints.id")?,
            tenant: parsed(&row.tenant, "webhook_endpoints.tenant")?,
            url: parsed(&row.url, "webhook_endpoints.url")?,
            events: json(&row.events, "webhook_endpoints.events")?,
            description: row.description,
            disabled: disabled.transpose()?,
            failing_since: row.failing_since.map(time),
            secret: parsed(&row.secret, "webhook_endpoints.secret")?,
            previous_secret: previous.transpose()?,
            cursor: row.event_cursor,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = endpoint_deliveries, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct EndpointDeliveryRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    endpoint_id: String,
    event_id: String,
    sequence: i64,
    event_name: String,
    object_id: String,
    state: String,
    attempts: i64,
    next_attempt_at: Option<i64>,
    last_attempt_at: Option<i64>,
    last_status: Option<i64>,
    last_error: Option<String>,
    created_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
    history: String,
}

impl TryFrom<&EndpointDelivery> for EndpointDeliveryRow {
    type Error = StoreError;

    fn try_from(delivery: &EndpointDelivery) -> Result<Self, StoreError> {
        Ok(Self {
            id: delivery.id.to_string(),
            tenant: delivery.tenant.to_string(),
            endpoint_id: delivery.endpoint_id.to_string(),
            event_id: delivery.event_id.to_string(),
            sequence: delivery.sequence,
            event_name: delivery.event_name.clone(),
            object_id: delivery.object_id.clone(),
            state: delivery.state.as_str().to_owned(),
            attempts: delivery.attempts,
            next_attempt_at: millis(delivery.next_attempt_at),
            last_attempt_at: millis(delivery.last_attempt_at),
            last_status: delivery.last_status.map(i64::from),
            last_error: delivery.last_error.map(|error| error.as_str().to_owned()),
            created_at: delivery.created_at.as_millis(),
            updated_at: delivery.updated_at.as_millis(),
            version: delivery.version,
            history: to_json(&delivery.history, "endpoint_deliveries.history")?,
        })
    }
}

impl TryFrom<EndpointDeliveryRow> for EndpointDelivery {
    type Error = StoreError;

    fn try_from(row: EndpointDeliveryRow) -> Result<Self, StoreError> {
        let status = row.last_status.map(u16::try_from).transpose();
        let error = row.last_error.map(|error| named(&error, "endpoint_deliveries.last_error"));
        Ok(Self {
            id: parsed(&row.id, "endpoint_deliveries.id")?,
            tenant: parsed(&row.tenant, "endpoint_deliveries.tenant")?,
            endpoint_id: parsed(&row.endpoint_id, "endpoint_deliveries.endpoint_id")?,
            event_id: parsed(&row.event_id, "endpoint_deliveries.event_id")?,
            sequence: row.sequence,
            event_name: row.event_name,
            object_id: row.object_id,
            state: named(&row.state, "endpoint_deliveries.state")?,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at.map(time),
            last_attempt_at: row.last_attempt_at.map(time),
            last_status: status.map_err(|_| unreadable("endpoint_deliveries.last_status"))?,
            last_error: error.transpose()?,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
            history: json(&row.history, "endpoint_deliveries.history")?,
        })
    }
}
