//! Customers.

use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::store::StoreError;
use diesel::prelude::*;

use crate::convert::{parsed, time};
use crate::schema::{customers, gateway_customers};

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = customers, treat_none_as_default_value = false, treat_none_as_null = true)]
pub(crate) struct CustomerRow {
    pub(crate) id: String,
    pub(crate) tenant: String,
    pub(crate) reference: String,
    pub(crate) profile: String,
    pub(crate) erasure: Option<String>,
    pub(crate) created_at: i64,
    pub(crate) updated_at: i64,
    pub(crate) version: i64,
}

impl From<&Customer> for CustomerRow {
    fn from(customer: &Customer) -> Self {
        Self {
            id: customer.id.to_string(),
            tenant: customer.tenant.to_string(),
            reference: customer.reference.clone(),
            profile: customer.profile.to_string(),
            erasure: customer.erasure.map(|id| id.to_string()),
            created_at: customer.created_at.as_millis(),
            updated_at: customer.updated_at.as_millis(),
            version: customer.version,
        }
    }
}

impl TryFrom<CustomerRow> for Customer {
    type Error = StoreError;

    fn try_from(row: CustomerRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: parsed(&row.id, "customers.id")?,
            tenant: parsed(&row.tenant, "customers.tenant")?,
            reference: row.reference,
            profile: parsed(&row.profile, "customers.profile")?,
            erasure: row.erasure.map(|id| parsed(&id, "customers.erasure")).transpose()?,
            created_at: time(row.created_at),
            updated_at: time(row.updated_at),
            version: row.version,
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = gateway_customers)]
pub(crate) struct GatewayCustomerRow {
    tenant: String,
    gateway: String,
    customer_id: String,
    reference: String,
    created_at: i64,
}

impl From<&GatewayCustomer> for GatewayCustomerRow {
    fn from(customer: &GatewayCustomer) -> Self {
        Self {
            tenant: customer.tenant.to_string(),
            gateway: customer.gateway.to_string(),
            customer_id: customer.customer_id.to_string(),
            reference: customer.reference.clone(),
            created_at: customer.created_at.as_millis(),
        }
    }
}

impl TryFrom<GatewayCustomerRow> for GatewayCustomer {
    type Error = StoreError;

    fn try_from(row: GatewayCustomerRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: parsed(&row.tenant, "gateway_customers.tenant")?,
            gateway: parsed(&row.gateway, "gateway_customers.gateway")?,
            customer_id: parsed(&row.customer_id, "gateway_customers.customer_id")?,
            reference: row.reference,
            created_at: time(row.created_at),
        })
    }
}
