//! Charges.

use billfold_core::charge::Charge;
use billfold_core::money::Money;
use billfold_core::store::StoreError;
use diesel::prelude::*;

use crate::convert::{json, millis, named, parsed, time, to_json};
use crate::schema::charges;

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = charges, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct ChargeRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    gateway: String,
    provider: String,
    mode: String,
    customer_id: String,
    payment_method_id: String,
    status: String,
    amount: i64,
    currency: String,
    provider_reference: Option<String>,
    next_action: Option<String>,
    nonce_hash: Vec<u8>,
    next_check_at: Option<i64>,
    details: String,
    created_at: i64,
    updated_at: i64,
    pub(crate) version: i64,
}

impl TryFrom<&Charge> for ChargeRow {
    type Error = StoreError;

    fn try_from(charge: &Charge) -> Result<Self, StoreError> {
        Ok(Self {
            id: charge.id.to_string(),
            tenant: charge.tenant.to_string(),
            gateway: charge.gateway.to_string(),
            provider: charge.provider.clone(),
            mode: charge.mode.as_str().to_owned(),
            customer_id: charge.customer_id.to_string(),
            payment_method_id: charge.payment_method_id.to_string(),
            status: charge.status.as_str().to_owned(),
            amount: charge.money.amount,
            currency: charge.money.currency.code().to_owned(),
            provider_reference: charge.provider_reference.clone(),
            next_action: charge.next.map(|id| id.to_string()),
            nonce_hash: charge.nonce_hash.clone(),
            next_check_at: millis(charge.next_check_at),
            details: to_json(&charge.details, "charges.details")?,
            created_at: charge.created_at.as_millis(),
            updated_at: charge.updated_at.as_millis(),
            version: charge.version,
        })
    }
}

impl TryFrom<ChargeRow> for Charge {
    type Error = StoreError;

    fn try_from(row: ChargeRow) -> Result<Self, StoreError> {
        let currency = parsed(&row.currency, "charges.currency")?;
        Ok(Self {
            id: parsed(&row.id, "charges.id")?,
            tenant: parsed(&row.tenant, "charges.tenant")?,
            gateway: parsed(&row.gateway, "charges.gateway")?,
            provider: row.provider,
            mode: named(&row.mode, "charges.mode")?,
            customer_id: parsed(&row.customer_id, "charges.customer_id")?,
            payment_method_id: parsed(&row.payment_method_id, "charges.payment_method_id")?,
            status: named(&row.status, "charges.status")?,
            money: Money { amount: row.amount, currency },
            provider_reference: row.provider_reference,
            next: row.next_action.map(|id| parsed(&id, "charges.next_action")).transpose()?,
            nonce_hash: row.nonce_hash,
            next_check_at: row.next_check_at.map(time),
            details: json(&row.details, "charges.details")?,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}
