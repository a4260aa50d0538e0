//! Charges in memory.

use async_trait::async_trait;

use super::{MemoryStore, earliest, take};
use crate::charge::Charge;
use crate::clock::Timestamp;
use crate::id::ChargeId;
use crate::name::{GatewayName, TenantId};
use crate::store::{ChargeFilter, ChargeStore, Page, StoreResult};

#[async_trait]
impl ChargeStore for MemoryStore {
    async fn charge(&self, tenant: &TenantId, id: ChargeId) -> StoreResult<Option<Charge>> {
        Ok(self.tables().charges.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn charge_of_any_tenant(&self, id: ChargeId) -> StoreResult<Option<Charge>> {
        Ok(self.tables().charges.get(&id).cloned())
    }

    async fn charge_by_provider_reference(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        reference: &str,
    ) -> StoreResult<Option<Charge>> {
        let tables = self.tables();
        let mut rows = tables.charges.values().filter(|row| row.tenant == *tenant && row.gateway == *gateway);
        Ok(rows.find(|row| row.provider_reference.as_deref() == Some(reference)).cloned())
    }

    async fn charges(
        &self,
        tenant: &TenantId,
        filter: ChargeFilter,
        page: Page<ChargeId>,
    ) -> StoreResult<Vec<Charge>> {
        let tables = self.tables();
        let wanted = |row: &&Charge| {
            row.tenant == *tenant
                && filter.customer.is_none_or(|id| row.customer_id == id)
                && filter.method.is_none_or(|id| row.payment_method_id == id)
                && page.after.is_none_or(|id| row.id < id)
        };
        Ok(take(tables.charges.values().rev().filter(wanted).cloned(), page.limit))
    }

    async fn claim_charges(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Charge>> {
        let mut tables = self.tables();
        let mut due = earliest(tables.charges.values().cloned(), |row| row.next_check_at, now, limit);
        for row in &mut due {
            row.next_check_at = Some(lease_until);
            row.version += 1;
            tables.charges.insert(row.id, row.clone());
        }
        Ok(due)
    }
}
