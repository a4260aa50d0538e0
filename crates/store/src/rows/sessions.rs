//! Sessions.

use billfold_core::session::Session;
use billfold_core::store::StoreError;
use diesel::prelude::*;

use crate::convert::{json, millis, named, parsed, time, to_json};
use crate::schema::sessions;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = sessions, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct SessionRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    gateway: String,
    provider: String,
    mode: String,
    customer_id: String,
    status: String,
    provider_reference: Option<String>,
    next_action: Option<String>,
    nonce_hash: Vec<u8>,
    expires_at: i64,
    next_check_at: Option<i64>,
    details: String,
    created_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
}

impl TryFrom<&Session> for SessionRow {
    type Error = StoreError;

    fn try_from(session: &Session) -> Result<Self, StoreError> {
        Ok(Self {
            id: session.id.to_string(),
            tenant: session.tenant.to_string(),
            gateway: session.gateway.to_string(),
            provider: session.provider.clone(),
            mode: session.mode.as_str().to_owned(),
            customer_id: session.customer_id.to_string(),
            status: session.status.as_str().to_owned(),
            provider_reference: session.provider_reference.clone(),
            next_action: session.next.map(|id| id.to_string()),
            nonce_hash: session.nonce_hash.clone(),
            expires_at: session.expires_at.as_millis(),
            next_check_at: millis(session.next_check_at),
            details: to_json(&session.details, "sessions.details")?,
            created_at: session.created_at.as_millis(),
            updated_at: session.updated_at.as_millis(),
            version: session.version,
        })
    }
}

impl TryFrom<SessionRow> for Session {
    type Error = StoreError;

    fn try_from(row: SessionRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "sessions.id")?,
            tenant: parsed(&row.tenant, "sessions.tenant")?,
            gateway: parsed(&row.gateway, "sessions.gateway")?,
            provider: row.provider,
            mode: named(&row.mode, "sessions.mode")?,
            customer_id: parsed(&row.customer_id, "sessions.customer_id")?,
            status: named(&row.status, "sessions.status")?,
            provider_reference: row.provider_reference,
            next: row.next_action.map(|id| parsed(&id, "sessions.next_action")).transpose()?,
            nonce_hash: row.nonce_hash,
            expires_at: time(row.expires_at),
            next_check_at: row.next_check_at.map(time),
            details: json(&row.details, "sessions.details")?,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}
