//! The part of a database that idempotency keys need.

use async_trait::async_trait;

use super::StoreResult;
use crate::clock::Timestamp;
use crate::idempotency::IdempotencyKey;
use crate::name::TenantId;
use crate::vault::Fingerprint;

/// Idempotency keys. A key is taken by inserting it: the second insert is stale.
#[async_trait]
pub trait IdempotencyStore {
    /// A tenant's key by its fingerprint, also when its time is over.
    async fn idempotency_key(
        &self,
        tenant: &TenantId,
        key: &Fingerprint,
    ) -> StoreResult<Option<IdempotencyKey>>;

    /// Deletes up to `limit` keys whose time was over by `now`; says how many. Their answers are vault records that
    /// end by themselves.
    async fn sweep_idempotency_keys(&self, now: Timestamp, limit: u32) -> StoreResult<usize>;
}
