//! Idempotency keys in memory.

use async_trait::async_trait;

use super::{MemoryStore, earliest};
use crate::clock::Timestamp;
use crate::idempotency::IdempotencyKey;
use crate::name::TenantId;
use crate::store::{IdempotencyStore, StoreResult};
use crate::vault::Fingerprint;

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn idempotency_key(
        &self,
        tenant: &TenantId,
        key: &Fingerprint,
    ) -> StoreResult<Option<IdempotencyKey>> {
        let tables = self.tables();
        let mut rows = tables.idempotency_keys.values();
        Ok(rows.find(|row| row.tenant == *tenant && row.key == *key).cloned())
    }

    async fn sweep_idempotency_keys(&self, now: Timestamp, limit: u32) -> StoreResult<usize> {
        let mut tables = self.tables();
        let rows = tables.idempotency_keys.values().cloned();
        let over = earliest(rows, |row| Some(row.expires_at), now, limit);
        for row in &over {
            tables.idempotency_keys.remove(&row.id);
        }
        Ok(over.len())
    }
}
