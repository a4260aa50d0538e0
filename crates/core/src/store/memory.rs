//! A store in memory, for tests and for trying things out. It holds to the same contract as the
//! databases; everything is gone when it is dropped.

mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{ApiKey, Changes, Commit, Delivery, DeliveryState, Event, Page, Removal, Store, StoreResult};
use crate::capability::Usage;
use crate::clock::Timestamp;
use crate::customer::{Customer, GatewayCustomer};
use crate::id::{ApiKeyId, CustomerId, DeliveryId, PaymentMethodId, SessionId, VaultRecordId};
use crate::name::{GatewayName, TenantId};
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::session::Session;
use crate::vault::{Fingerprint, VaultRecord};
use tables::Tables;

/// Everything in maps, behind one lock.
#[derive(Debug, Default)]
pub struct MemoryStore {
    tables: Mutex<Tables>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A commit replaces the tables only when it is complete, so they are whole even if a
        // holder of the lock panicked.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn take<T>(rows: impl Iterator<Item = T>, limit: u32) -> Vec<T> {
    rows.take(usize::try_from(limit).unwrap_or(usize::MAX)).collect()
}

fn earliest<T: Clone>(
    rows: impl Iterator<Item = T>,
    due: impl Fn(&T) -> Option<Timestamp>,
    now: Timestamp,
    limit: u32,
) -> Vec<T> {
    let mut rows: Vec<T> = rows.filter(|row| due(row).is_some_and(|at| at <= now)).collect();
    rows.sort_by_key(|row| due(row));
    rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    rows
}

#[async_trait]
impl Store for MemoryStore {
    async fn migrate(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn ping(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn commit(&self, changes: Changes) -> StoreResult<Commit> {
        let mut tables = self.tables();
        let mut changed = tables.clone();
        if changed.apply(changes).is_none() {
            return Ok(Commit::Stale);
        }
        *tables = changed;
        Ok(Commit::Applied)
    }

    async fn customer(&self, tenant: &TenantId, id: CustomerId) -> StoreResult<Option<Customer>> {
        Ok(self.tables().customers.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn customer_by_reference(
        &self,
        tenant: &TenantId,
        reference: &str,
    ) -> StoreResult<Option<Customer>> {
        let tables = self.tables();
        Ok(tables.customers.values().find(|row| row.tenant == *tenant && row.reference == reference).cloned())
    }

    async fn customers(&self, tenant: &TenantId, page: Page<CustomerId>) -> StoreResult<Vec<Customer>> {
        let tables = self.tables();
        let rows = tables
            .customers
            .values()
            .filter(|row| row.tenant == *tenant && page.after.is_none_or(|id| row.id > id));
        Ok(take(rows.cloned(), page.limit))
    }

    async fn gateway_customer(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        customer: CustomerId,
    ) -> StoreResult<Option<GatewayCustomer>> {
        let tables = self.tables();
        Ok(tables.gateway_customers.get(&(tenant.clone(), gateway.clone(), customer)).cloned())
    }

    async fn session(&self, tenant: &TenantId, id: SessionId) -> StoreResult<Option<Session>> {
        Ok(self.tables().sessions.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn session_of_any_tenant(&self, id: SessionId) -> StoreResult<Option<Session>> {
        Ok(self.tables().sessions.get(&id).cloned())
    }

    async fn session_by_provider_reference(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        reference: &str,
    ) -> StoreResult<Option<Session>> {
        let tables = self.tables();
        let mut rows =
            tables.sessions.values().filter(|row| row.tenant == *tenant && row.gateway == *gateway);
        Ok(rows.find(|row| row.provider_reference.as_deref() == Some(reference)).cloned())
    }

    async fn sessions(
        &self,
        tenant: &TenantId,
        customer: Option<CustomerId>,
        page: Page<SessionId>,
    ) -> StoreResult<Vec<Session>> {
        let tables = self.tables();
        let rows = tables.sessions.values().filter(|row| row.tenant == *tenant);
        let rows = rows.filter(|row| {
            customer.is_none_or(|id| row.customer_id == id) && page.after.is_none_or(|id| row.id > id)
        });
        Ok(take(rows.cloned(), page.limit))
    }

    async fn claim_sessions(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Session>> {
        let mut tables = self.tables();
        let mut due = earliest(tables.sessions.values().cloned(), |row| row.next_check_at, now, limit);
        for row in &mut due {
            row.next_check_at = Some(lease_until);
            row.version += 1;
            tables.sessions.insert(row.id, row.clone());
        }
        Ok(due)
    }

    async fn method(&self, tenant: &TenantId, id: PaymentMethodId) -> StoreResult<Option<PaymentMethod>> {
        Ok(self.tables().methods.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn methods(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        page: Page<PaymentMethodId>,
    ) -> StoreResult<Vec<PaymentMethod>> {
        let tables = self.tables();
        let rows = tables.live_methods(tenant).filter(|row| row.customer_id == customer);
        let rows = rows.filter(|row| page.after.is_none_or(|id| row.id > id));
        Ok(take(rows.cloned(), page.limit))
    }

    async fn default_method(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> StoreResult<Option<PaymentMethod>> {
        let tables = self.tables();
        Ok(tables.live_methods(tenant).find(|row| row.customer_id == customer && row.is_default).cloned())
    }

    async fn method_by_token(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        token: &Fingerprint,
    ) -> StoreResult<Option<PaymentMethod>> {
        let tables = self.tables();
        let mut rows = tables.live_methods(tenant).filter(|row| row.gateway == *gateway);
        Ok(rows.find(|row| row.token_fingerprint == *token).cloned())
    }

    async fn method_by_instrument(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        customer: CustomerId,
        instrument: &Fingerprint,
        usage: Usage,
    ) -> StoreResult<Option<PaymentMethod>> {
        let tables = self.tables();
        let mut rows =
            tables.live_methods(tenant).filter(|row| row.gateway == *gateway && row.customer_id == customer);
        Ok(rows.find(|row| row.instrument_fingerprint == *instrument && row.usage == usage).cloned())
    }

    async fn token_was_deleted(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        token: &Fingerprint,
    ) -> StoreResult<bool> {
        let tables = self.tables();
        let mut rows = tables.methods.values().filter(|row| row.tenant == *tenant && row.gateway == *gateway);
        Ok(rows.any(|row| row.token_fingerprint == *token && row.status == PaymentMethodStatus::Deleted))
    }

    async fn claim_methods(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<PaymentMethod>> {
        let mut tables = self.tables();
        let mut due = earliest(tables.methods.values().cloned(), |row| row.next_check_at, now, limit);
        for row in &mut due {
            row.next_check_at = Some(lease_until);
            row.version += 1;
            tables.methods.insert(row.id, row.clone());
        }
        Ok(due)
    }

    async fn vault_record(&self, tenant: &TenantId, id: VaultRecordId) -> StoreResult<Option<VaultRecord>> {
        Ok(self.tables().vault.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn delivery_by_key(
        &self,
        gateway: &GatewayName,
        key: &Fingerprint,
    ) -> StoreResult<Option<Delivery>> {
        let tables = self.tables();
        Ok(tables.deliveries.values().find(|row| row.gateway == *gateway && row.key == *key).cloned())
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        state: Option<DeliveryState>,
        page: Page<DeliveryId>,
    ) -> StoreResult<Vec<Delivery>> {
        let tables = self.tables();
        let rows = tables.deliveries.values().rev().filter(|row| row.tenant == *tenant);
        let rows = rows.filter(|row| {
            state.is_none_or(|state| row.state == state) && page.after.is_none_or(|id| row.id < id)
        });
        Ok(take(rows.cloned(), page.limit))
    }

    async fn claim_deliveries(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Delivery>> {
        let mut tables = self.tables();
        let mut due = earliest(tables.deliveries.values().cloned(), |row| row.next_attempt_at, now, limit);
        for row in &mut due {
            row.next_attempt_at = Some(lease_until);
            row.attempts += 1;
            row.version += 1;
            tables.deliveries.insert(row.id, row.clone());
        }
        Ok(due)
    }

    async fn claim_removals(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Removal>> {
        let mut tables = self.tables();
        let mut due = earliest(tables.removals.values().cloned(), |row| row.next_attempt_at, now, limit);
        for row in &mut due {
            row.next_attempt_at = Some(lease_until);
            row.attempts += 1;
            row.version += 1;
            tables.removals.insert(row.id, row.clone());
        }
        Ok(due)
    }

    async fn events_after(&self, tenant: &TenantId, after: i64, limit: u32) -> StoreResult<Vec<Event>> {
        let tables = self.tables();
        let rows = tables.events.iter().filter(|row| row.tenant == *tenant && row.sequence > after);
        Ok(take(rows.cloned(), limit))
    }

    async fn api_key(&self, id: ApiKeyId) -> StoreResult<Option<ApiKey>> {
        Ok(self.tables().api_keys.get(&id).cloned())
    }

    async fn api_keys(&self, tenant: &TenantId) -> StoreResult<Vec<ApiKey>> {
        Ok(self.tables().api_keys.values().filter(|row| row.tenant == *tenant).cloned().collect())
    }
}
