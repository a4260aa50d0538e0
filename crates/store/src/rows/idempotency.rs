//! Idempotency keys.

use billfold_core::idempotency::IdempotencyKey;
use billfold_core::store::StoreError;
use billfold_core::vault::Fingerprint;
use diesel::prelude::*;

use crate::convert::{parsed, time};
use crate::schema::idempotency_keys;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = idempotency_keys, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct IdempotencyKeyRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    request_key: String,
    request: String,
    answer: Option<String>,
    lease_until: i64,
    expires_at: i64,
    created_at: i64,
    pub(crate) version: i64,
}

impl From<&IdempotencyKey> for IdempotencyKeyRow {
    fn from(key: &IdempotencyKey) -> Self {
        Self {
            id: key.id.to_string(),
            tenant: key.tenant.to_string(),
            request_key: key.key.as_str().to_owned(),
            request: key.request.as_str().to_owned(),
            answer: key.answer.map(|answer| answer.to_string()),
            lease_until: key.lease_until.as_millis(),
            expires_at: key.expires_at.as_millis(),
            created_at: key.created_at.as_millis(),
            version: key.version,
        }
    }
}

impl TryFrom<IdempotencyKeyRow> for IdempotencyKey {
    type Error = StoreError;

    fn try_from(row: IdempotencyKeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "idempotency_keys.id")?,
            tenant: parsed(&row.tenant, "idempotency_keys.tenant")?,
            key: Fingerprint::from_text(row.request_key),
            request: Fingerprint::from_text(row.request),
            answer: row.answer.map(|answer| parsed(&answer, "idempotency_keys.answer")).transpose()?,
            lease_until: time(row.lease_until),
            expires_at: time(row.expires_at),
            created_at: time(row.created_at),
            version: row.version,
        })
    }
}
