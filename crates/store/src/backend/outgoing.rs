//! Webhook endpoints and deliveries to them, for the `Conn` of the module around it.

use async_trait::async_trait;
use billfold_core::clock::Timestamp;
use billfold_core::id::{EndpointDeliveryId, WebhookEndpointId};
use billfold_core::name::TenantId;
use billfold_core::outgoing::{EndpointDelivery, EndpointDeliveryState, WebhookEndpoint};
use billfold_core::store::{OutgoingStore, Page, ReplayFilter, StoreResult};
use diesel::dsl::{exists, max, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;

use super::claims::{claimed, in_order};
use super::reads::{many, one};
use super::{Conn, Database};
use crate::backend::{Abort, store_error};
use crate::convert::parsed;
use crate::rows::{EndpointDeliveryRow, WebhookEndpointRow};
use crate::schema::{endpoint_deliveries as deliveries, events, webhook_endpoints as endpoints};

diesel::alias!(deliveries as earlier: Earlier);

/// A delivery that is due, and none of an earlier event of the same object is pending.
macro_rules! due {
    ($now:expr) => {
        deliveries::next_attempt_at.le($now.as_millis()).and(not(exists(
            earlier
                .filter(earlier.field(deliveries::endpoint_id).eq(deliveries::endpoint_id))
                .filter(earlier.field(deliveries::object_id).eq(deliveries::object_id))
                .filter(earlier.field(deliveries::sequence).lt(deliveries::sequence))
                .filter(earlier.field(deliveries::next_attempt_at).is_not_null()),
        )))
    };
}

#[async_trait]
impl OutgoingStore for Database {
    async fn webhook_endpoint(
        &self,
        tenant: &TenantId,
        id: WebhookEndpointId,
    ) -> StoreResult<Option<WebhookEndpoint>> {
        let query = endpoints::table.filter(endpoints::id.eq(id.to_string()));
        let query = query.filter(endpoints::tenant.eq(tenant.as_str()));
        let conn = &mut *self.reader().await?;
        one(query.select(WebhookEndpointRow::as_select()).get_result(conn).await.optional())
    }

    async fn webhook_endpoints(
        &self,
        tenant: &TenantId,
        page: Page<WebhookEndpointId>,
    ) -> StoreResult<Vec<WebhookEndpoint>> {
        let after = page.after.map(|id| id.to_string()).unwrap_or_default();
        let query = endpoints::table.filter(endpoints::tenant.eq(tenant.as_str()));
        let query = query.filter(endpoints::id.gt(after)).order(endpoints::id).limit(page.limit.into());
        let conn = &mut *self.reader().await?;
        many(query.select(WebhookEndpointRow::as_select()).load(conn).await)
    }

    async fn webhook_endpoints_behind(&self, limit: u32) -> StoreResult<Vec<WebhookEndpoint>> {
        let ahead = events::table
            .filter(events::tenant.eq(endpoints::tenant))
            .filter(events::sequence.gt(endpoints::event_cursor));
        let query = endpoints::table.filter(endpoints::disabled.is_null()).filter(exists(ahead));
        let conn = &mut *self.reader().await?;
        let query = query.order(endpoints::id).limit(limit.into());
        many(query.select(WebhookEndpointRow::as_select()).load(conn).await)
    }

    async fn webhook_endpoints_due(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(TenantId, WebhookEndpointId)>> {
        let waiting = deliveries::table.filter(deliveries::endpoint_id.eq(endpoints::id)).filter(due!(now));
        let query = endpoints::table.filter(endpoints::disabled.is_null()).filter(exists(waiting));
        let query = query.order(endpoints::id).limit(limit.into()).select((endpoints::tenant, endpoints::id));
        let rows: QueryResult<Vec<(String, String)>> = query.load(&mut *self.reader().await?).await;
        let rows = rows.map_err(|error| store_error(&error))?;
        let each = rows.iter().map(|(tenant, id)| {
            Ok((parsed(tenant, "webhook_endpoints.tenant")?, parsed(id, "webhook_endpoints.id")?))
        });
        each.collect()
    }

    async fn last_event_sequence(&self, tenant: &TenantId) -> StoreResult<i64> {
        let query = events::table.filter(events::tenant.eq(tenant.as_str())).select(max(events::sequence));
        let last: QueryResult<Option<i64>> = query.get_result(&mut *self.reader().await?).await;
        Ok(last.map_err(|error| store_error(&error))?.unwrap_or(0))
    }

    async fn endpoint_delivery(
        &self,
        tenant: &TenantId,
        id: EndpointDeliveryId,
    ) -> StoreResult<Option<EndpointDelivery>> {
        let query = deliveries::table.filter(deliveries::id.eq(id.to_string()));
        let query = query.filter(deliveries::tenant.eq(tenant.as_str()));
        let conn = &mut *self.reader().await?;
        one(query.select(EndpointDeliveryRow::as_select()).get_result(conn).await.optional())
    }

    async fn endpoint_deliveries(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        state: Option<EndpointDeliveryState>,
        page: Page<EndpointDeliveryId>,
    ) -> StoreResult<Vec<EndpointDelivery>> {
        let mut query = deliveries::table
            .filter(deliveries::endpoint_id.eq(endpoint.to_string()))
            .filter(deliveries::tenant.eq(tenant.as_str().to_owned()))
            .order(deliveries::id.desc())
            .limit(page.limit.into())
            .select(EndpointDeliveryRow::as_select())
            .into_boxed();
        if let Some(state) = state {
            query = query.filter(deliveries::state.eq(state.as_str()));
        }
        if let Some(after) = page.after {
            query = query.filter(deliveries::id.lt(after.to_string()));
        }
        many(query.load(&mut *self.reader().await?).await)
    }

    async fn endpoint_deliveries_to_replay(
        &self,
        tenant: &TenantId,
        endpoint: WebhookEndpointId,
        filter: ReplayFilter,
        limit: u32,
    ) -> StoreResult<Vec<EndpointDelivery>> {
        let mut query = deliveries::table
            .filter(deliveries::endpoint_id.eq(endpoint.to_string()))
            .filter(deliveries::tenant.eq(tenant.as_str().to_owned()))
            .filter(deliveries::sequence.gt(filter.after_sequence))
            .filter(deliveries::next_attempt_at.is_null())
            .order(deliveries::sequence)
            .limit(limit.into())
            .select(EndpointDeliveryRow::as_select())
            .into_boxed();
        if let Some(since) = filter.since {
            query = query.filter(deliveries::created_at.ge(since.as_millis()));
        }
        if !filter.delivered_too {
            query = query.filter(deliveries::state.eq(EndpointDeliveryState::Failed.as_str()));
        }
        many(query.load(&mut *self.reader().await?).await)
    }

    async fn claim_endpoint_deliveries(
        &self,
        endpoint: WebhookEndpointId,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<EndpointDelivery>> {
        let id = endpoint.to_string();
        let due =
            self.claim(move |conn| async move { claim(conn, &id, now, lease_until, limit).await }.boxed());
        due.await
    }

    async fn sweep_endpoint_deliveries(&self, before: Timestamp, limit: u32) -> StoreResult<usize> {
        self.claim(move |conn| sweep(conn, before, limit).boxed()).await
    }
}

async fn claim(
    conn: &mut Conn,
    endpoint: &str,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<EndpointDelivery>, Abort> {
    let enabled = endpoints::table.filter(endpoints::id.eq(endpoint)).filter(endpoints::disabled.is_null());
    let due = deliveries::table.filter(deliveries::endpoint_id.eq(endpoint)).filter(exists(enabled));
    let due = due.filter(due!(now)).order((deliveries::next_attempt_at, deliveries::sequence));
    let due = due.limit(limit.into());
    take!(conn, deliveries, due, next_attempt_at = lease_until, EndpointDeliveryRow, attempts)
}

async fn sweep(conn: &mut Conn, before: Timestamp, limit: u32) -> Result<usize, Abort> {
    let old = deliveries::table.filter(deliveries::next_attempt_at.is_null());
    let old = old.filter(deliveries::updated_at.lt(before.as_millis())).order(deliveries::updated_at);
    let old: Vec<String> = lock!(old.limit(limit.into()).select(deliveries::id)).load(conn).await?;
    Ok(diesel::delete(deliveries::table.filter(deliveries::id.eq_any(old))).execute(conn).await?)
}
