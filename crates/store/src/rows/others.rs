//! Webhooks, API keys, events.

use billfold_core::store::{ApiKey, Delivery, Event, StoreError};
use billfold_core::vault::Fingerprint;
use diesel::prelude::*;

use crate::convert::{millis, named, parsed, time};
use crate::schema::{api_keys, deliveries, events};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct DeliveryRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    gateway: String,
    delivery_key: String,
    summary: String,
    body: String,
    customer_id: Option<String>,
    state: String,
    received_count: i64,
    attempts: i64,
    next_attempt_at: Option<i64>,
    note: Option<String>,
    received_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
    conflicts_with: Option<String>,
}

impl From<&Delivery> for DeliveryRow {
    fn from(delivery: &Delivery) -> Self {
        Self {
            id: delivery.id.to_string(),
            tenant: delivery.tenant.to_string(),
            gateway: delivery.gateway.to_string(),
            delivery_key: delivery.key.as_str().to_owned(),
            summary: delivery.summary.clone(),
            body: delivery.body.to_string(),
            customer_id: delivery.customer_id.map(|id| id.to_string()),
            state: delivery.state.as_str().to_owned(),
            received_count: delivery.received_count,
            attempts: delivery.attempts,
            next_attempt_at: millis(delivery.next_attempt_at),
            note: delivery.note.clone(),
            received_at: delivery.received_at.as_millis(),
            updated_at: delivery.updated_at.as_millis(),
            version: delivery.version,
            conflicts_with: delivery.conflicts_with.map(|id| id.to_string()),
        }
    }
}

impl TryFrom<DeliveryRow> for Delivery {
    type Error = StoreError;

    fn try_from(row: DeliveryRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "deliveries.id")?,
            tenant: parsed(&row.tenant, "deliveries.tenant")?,
            gateway: parsed(&row.gateway, "deliveries.gateway")?,
            key: Fingerprint::from_text(row.delivery_key),
            summary: row.summary,
            body: parsed(&row.body, "deliveries.body")?,
            customer_id: row.customer_id.map(|id| parsed(&id, "deliveries.customer_id")).transpose()?,
            state: named(&row.state, "deliveries.state")?,
            received_count: row.received_count,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at.map(time),
            note: row.note,
            received_at: time(row.received_at),
            updated_at: time(row.updated_at),
            version: row.version,
            conflicts_with: row
                .conflicts_with
                .map(|id| parsed(&id, "deliveries.conflicts_with"))
                .transpose()?,
        })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct ApiKeyRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    name: String,
    scopes: String,
    secret_hash: Vec<u8>,
    created_at: i64,
    revoked_at: Option<i64>,
    pub(crate) version: i64,
}

impl From<&ApiKey> for ApiKeyRow {
    fn from(key: &ApiKey) -> Self {
        Self {
            id: key.id.to_string(),
            tenant: key.tenant.to_string(),
            name: key.name.clone(),
            scopes: key.scopes.to_string(),
            secret_hash: key.secret_hash.clone(),
            created_at: key.created_at.as_millis(),
            revoked_at: millis(key.revoked_at),
            version: key.version,
        }
    }
}

impl TryFrom<ApiKeyRow> for ApiKey {
    type Error = StoreError;

    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "api_keys.id")?,
            tenant: parsed(&row.tenant, "api_keys.tenant")?,
            name: row.name,
            scopes: parsed(&row.scopes, "api_keys.scopes")?,
            secret_hash: row.secret_hash,
            created_at: time(row.created_at),
            revoked_at: row.revoked_at.map(time),
            version: row.version,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
pub(crate) struct EventRow {
    sequence: i64,
    id: String,
    tenant: String,
    name: String,
    object_id: String,
    data: String,
    created_at: i64,
}

/// An event before the database gave it its sequence number.
#[derive(Insertable)]
#[diesel(table_name = events)]
pub(crate) struct NewEventRow {
    id: String,
    tenant: String,
    name: String,
    object_id: String,
    data: String,
    created_at: i64,
}

impl From<&Event> for NewEventRow {
    fn from(event: &Event) -> Self {
        Self {
            id: event.id.to_string(),
            tenant: event.tenant.to_string(),
            name: event.name.clone(),
            object_id: event.object_id.clone(),
            data: event.data.clone(),
            created_at: event.created_at.as_millis(),
        }
    }
}

impl TryFrom<EventRow> for Event {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "events.id")?,
            sequence: row.sequence,
            tenant: parsed(&row.tenant, "events.tenant")?,
            name: row.name,
            object_id: row.object_id,
            data: row.data,
            created_at: time(row.created_at),
        })
    }
}
