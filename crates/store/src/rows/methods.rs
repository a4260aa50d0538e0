//! Payment methods, and the tokens that await deletion.

use billfold_core::payment_method::PaymentMethod;
use billfold_core::store::{Removal, StoreError};
use billfold_core::vault::Fingerprint;
use diesel::prelude::*;

use crate::convert::{json, millis, named, parsed, time, to_json};
use crate::schema::{payment_methods, removals};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = payment_methods, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct MethodRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    customer_id: String,
    gateway: String,
    provider: String,
    mode: String,
    session_id: String,
    kind: String,
    channel: String,
    status: String,
    usage: String,
    is_default: bool,
    display: String,
    token: Option<String>,
    token_fingerprint: String,
    instrument_fingerprint: String,
    next_check_at: Option<i64>,
    created_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
    expiring_since: Option<i64>,
}

impl TryFrom<&PaymentMethod> for MethodRow {
    type Error = StoreError;

    fn try_from(method: &PaymentMethod) -> Result<Self, StoreError> {
        Ok(Self {
            id: method.id.to_string(),
            tenant: method.tenant.to_string(),
            customer_id: method.customer_id.to_string(),
            gateway: method.gateway.to_string(),
            provider: method.provider.clone(),
            mode: method.mode.as_str().to_owned(),
            session_id: method.session_id.to_string(),
            kind: method.kind.as_str().to_owned(),
            channel: method.channel.clone(),
            status: method.status.as_str().to_owned(),
            usage: method.usage.as_str().to_owned(),
            is_default: method.is_default,
            display: to_json(&method.display, "payment_methods.display")?,
            token: method.token.map(|id| id.to_string()),
            token_fingerprint: method.token_fingerprint.as_str().to_owned(),
            instrument_fingerprint: method.instrument_fingerprint.as_str().to_owned(),
            next_check_at: millis(method.next_check_at),
            created_at: method.created_at.as_millis(),
            updated_at: method.updated_at.as_millis(),
            version: method.version,
            expiring_since: millis(method.expiring_since),
        })
    }
}

impl TryFrom<MethodRow> for PaymentMethod {
    type Error = StoreError;

    fn try_from(row: MethodRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "payment_methods.id")?,
            tenant: parsed(&row.tenant, "payment_methods.tenant")?,
            customer_id: parsed(&row.customer_id, "payment_methods.customer_id")?,
            gateway: parsed(&row.gateway, "payment_methods.gateway")?,
            provider: row.provider,
            mode: named(&row.mode, "payment_methods.mode")?,
            session_id: parsed(&row.session_id, "payment_methods.session_id")?,
            kind: named(&row.kind, "payment_methods.kind")?,
            channel: row.channel,
            status: named(&row.status, "payment_methods.status")?,
            usage: named(&row.usage, "payment_methods.usage")?,
            is_default: row.is_default,
            display: json(&row.display, "payment_methods.display")?,
            token: row.token.map(|id| parsed(&id, "payment_methods.token")).transpose()?,
            token_fingerprint: Fingerprint::from_text(row.token_fingerprint),
            instrument_fingerprint: Fingerprint::from_text(row.instrument_fingerprint),
            next_check_at: row.next_check_at.map(time),
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
            expiring_since: row.expiring_since.map(time),
        })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = removals, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct RemovalRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    gateway: String,
    payment_method_id: String,
    token: String,
    attempts: i64,
    next_attempt_at: Option<i64>,
    outcome: Option<String>,
    created_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
}

impl From<&Removal> for RemovalRow {
    fn from(removal: &Removal) -> Self {
        Self {
            id: removal.id.to_string(),
            tenant: removal.tenant.to_string(),
            gateway: removal.gateway.to_string(),
            payment_method_id: removal.payment_method_id.to_string(),
            token: removal.token.to_string(),
            attempts: removal.attempts,
            next_attempt_at: millis(removal.next_attempt_at),
            outcome: removal.outcome.clone(),
            created_at: removal.created_at.as_millis(),
            updated_at: removal.updated_at.as_millis(),
            version: removal.version,
        }
    }
}

impl TryFrom<RemovalRow> for Removal {
    type Error = StoreError;

    fn try_from(row: RemovalRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "removals.id")?,
            tenant: parsed(&row.tenant, "removals.tenant")?,
            gateway: parsed(&row.gateway, "removals.gateway")?,
            payment_method_id: parsed(&row.payment_method_id, "removals.payment_method_id")?,
            token: parsed(&row.token, "removals.token")?,
            attempts: row.attempts,
            next_attempt_at: row.next_attempt_at.map(time),
            outcome: row.outcome,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}
