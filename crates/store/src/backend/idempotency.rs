//! Idempotency keys, for the `Conn` of the module around it.

use async_trait::async_trait;
use billfold_core::clock::Timestamp;
use billfold_core::idempotency::IdempotencyKey;
use billfold_core::name::TenantId;
use billfold_core::store::{IdempotencyStore, StoreResult};
use billfold_core::vault::Fingerprint;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use futures::FutureExt as _;

use super::reads::one;
use super::{Conn, Database};
use crate::backend::Abort;
use crate::rows::IdempotencyKeyRow;
use crate::schema::idempotency_keys as keys;

#[async_trait]
impl IdempotencyStore for Database {
    async fn idempotency_key(
        &self,
        tenant: &TenantId,
        key: &Fingerprint,
    ) -> StoreResult<Option<IdempotencyKey>> {
        let query = keys::table.filter(keys::tenant.eq(tenant.as_str()));
        let query = query.filter(keys::request_key.eq(key.as_str()));
        let conn = &mut *self.reader().await?;
        one(query.select(IdempotencyKeyRow::as_select()).get_result(conn).await.optional())
    }

    async fn sweep_idempotency_keys(&self, now: Timestamp, limit: u32) -> StoreResult<usize> {
        self.claim(move |conn| sweep(conn, now, limit).boxed()).await
    }
}

/// Locked before they are deleted, so that nobody takes one over meanwhile.
async fn sweep(conn: &mut Conn, now: Timestamp, limit: u32) -> Result<usize, Abort> {
    let over = keys::table.filter(keys::expires_at.le(now.as_millis())).order(keys::expires_at);
    let over: Vec<String> = lock!(over.limit(limit.into()).select(keys::id)).load(conn).await?;
    Ok(diesel::delete(keys::table.filter(keys::id.eq_any(over))).execute(conn).await?)
}
