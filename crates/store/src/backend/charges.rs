//! Charges, for the `Conn` of the module around it.

use async_trait::async_trait;
use billfold_core::charge::Charge;
use billfold_core::clock::Timestamp;
use billfold_core::id::ChargeId;
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::store::{ChargeFilter, ChargeStore, Page, StoreResult};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;

use super::claims::{claimed, in_order};
use super::reads::{many, one};
use super::{Conn, Database};
use crate::backend::Abort;
use crate::rows::ChargeRow;
use crate::schema::charges;

#[async_trait]
impl ChargeStore for Database {
    async fn charge(&self, tenant: &TenantId, id: ChargeId) -> StoreResult<Option<Charge>> {
        let query = charges::table.filter(charges::id.eq(id.to_string()));
        let query = query.filter(charges::tenant.eq(tenant.as_str()));
        let conn = &mut *self.reader().await?;
        one(query.select(ChargeRow::as_select()).get_result(conn).await.optional())
    }

    async fn charge_of_any_tenant(&self, id: ChargeId) -> StoreResult<Option<Charge>> {
        let query = charges::table.filter(charges::id.eq(id.to_string()));
        let conn = &mut *self.reader().await?;
        one(query.select(ChargeRow::as_select()).get_result(conn).await.optional())
    }

    async fn charge_by_provider_reference(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        reference: &str,
    ) -> StoreResult<Option<Charge>> {
        let query = charges::table
            .filter(charges::tenant.eq(tenant.as_str()))
            .filter(charges::gateway.eq(gateway.as_str()))
            .filter(charges::provider_reference.eq(reference));
        let conn = &mut *self.reader().await?;
        one(query.select(ChargeRow::as_select()).get_result(conn).await.optional())
    }

    async fn charges(
        &self,
        tenant: &TenantId,
        filter: ChargeFilter,
        page: Page<ChargeId>,
    ) -> StoreResult<Vec<Charge>> {
        let mut query = charges::table
            .filter(charges::tenant.eq(tenant.as_str().to_owned()))
            .order(charges::id.desc())
            .limit(page.limit.into())
            .select(ChargeRow::as_select())
            .into_boxed();
        if let Some(after) = page.after {
            query = query.filter(charges::id.lt(after.to_string()));
        }
        if let Some(customer) = filter.customer {
            query = query.filter(charges::customer_id.eq(customer.to_string()));
        }
        if let Some(method) = filter.method {
            query = query.filter(charges::payment_method_id.eq(method.to_string()));
        }
        many(query.load(&mut *self.reader().await?).await)
    }

    async fn claim_charges(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Charge>> {
        self.claim(move |conn| take_due(conn, now, lease_until, limit).boxed()).await
    }
}

async fn take_due(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Charge>, Abort> {
    let due = charges::table.filter(charges::next_check_at.le(now.as_millis()));
    let due = due.order(charges::next_check_at).limit(limit.into());
    take!(conn, charges, due, next_check_at = lease_until, ChargeRow)
}
