//! A store in memory, for tests and for trying things out. It holds to the same contract as the
//! databases; everything is gone when it is dropped.

mod charges;
mod idempotency;
mod outgoing;
mod select;
mod tables;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use super::{
    ApiKey, Changes, Commit, Delivery, DeliveryState, Event, KeyFilter, Page, RecordFilter, Removal, Store,
    StoreResult, VaultPut,
};
use crate::audit::AuditEntry;
use crate::capability::Usage;
use crate::clock::Timestamp;
use crate::customer::{Customer, GatewayCustomer};
use crate::erasure::Erasure;
use crate::id::{ApiKeyId, CustomerId, DeliveryId, ErasureId, PaymentMethodId, SessionId, VaultRecordId};
use crate::name::{GatewayName, TenantId};
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::session::Session;
use crate::vault::{Fingerprint, KeyCount, KeyId, KeyPurpose, KeyState, VaultKey, VaultRecord};
use select::{earliest, take};
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

    /// Another store with the same rows, as a backup would bring them back.
    pub fn snapshot(&self) -> Self {
        Self { tables: Mutex::new(self.tables().clone()) }
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        // A commit replaces the tables only when it is complete, so they are whole even if a
        // holder of the lock panicked.
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn migrate(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn ping(&self) -> StoreResult<()> {
        Ok(())
    }

    async fn scrub(&self) -> StoreResult<bool> {
        Ok(false)
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

    async fn vault_records(&self, tenant: &TenantId, ids: &[VaultRecordId]) -> StoreResult<Vec<VaultRecord>> {
        let tables = self.tables();
        let rows = ids.iter().filter_map(|id| tables.vault.get(id)).filter(|row| row.tenant == *tenant);
        Ok(rows.cloned().collect())
    }

    async fn vault_records_of(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: Option<&str>,
        page: Page<VaultRecordId>,
    ) -> StoreResult<Vec<VaultRecord>> {
        let tables = self.tables();
        let rows = tables.vault.values().filter(|row| row.tenant == *tenant && row.owner == owner);
        let rows = rows.filter(|row| {
            kind.is_none_or(|kind| row.kind == kind) && page.after.is_none_or(|id| row.id > id)
        });
        Ok(take(rows.cloned(), page.limit))
    }

    async fn vault_record_by_fingerprint(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: &str,
        fingerprint: &Fingerprint,
    ) -> StoreResult<Option<VaultRecord>> {
        let tables = self.tables();
        let mut rows = tables.vault.values().filter(|row| row.tenant == *tenant && row.owner == owner);
        Ok(rows.find(|row| row.kind == kind && row.fingerprint == *fingerprint).cloned())
    }

    async fn vault_put(&self, record: &VaultRecord, now: Timestamp) -> StoreResult<VaultPut> {
        let mut tables = self.tables();
        if tables.keys.get(&record.key_id).is_none_or(|key| key.tenant != record.tenant) {
            return Ok(VaultPut::Stale);
        }
        let known = tables.vault.values().find(|row| tables::same_value(row, record)).cloned();
        match known {
            Some(known) if known.expires_at.is_none_or(|end| end > now) => {
                return Ok(VaultPut::Exists(Box::new(known)));
            }
            Some(ended) => drop(tables.vault.remove(&ended.id)),
            None => {}
        }
        tables.vault.insert(record.id, record.clone());
        Ok(VaultPut::Created)
    }

    async fn sweep_vault_records(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(TenantId, VaultRecordId)>> {
        let mut tables = self.tables();
        let due = earliest(tables.vault.values().cloned(), |row| row.expires_at, now, limit);
        for row in &due {
            tables.vault.remove(&row.id);
        }
        Ok(due.into_iter().map(|row| (row.tenant, row.id)).collect())
    }

    async fn vault_records_all(
        &self,
        filter: &RecordFilter,
        after: Option<VaultRecordId>,
        limit: u32,
    ) -> StoreResult<Vec<VaultRecord>> {
        let tables = self.tables();
        let rows = tables.filtered(filter).filter(|row| after.is_none_or(|id| row.id > id));
        Ok(take(rows.cloned(), limit))
    }

    async fn count_vault_records(&self, filter: &RecordFilter) -> StoreResult<i64> {
        Ok(i64::try_from(self.tables().filtered(filter).count()).unwrap_or(i64::MAX))
    }

    async fn vault_key(&self, tenant: &TenantId, id: KeyId) -> StoreResult<Option<VaultKey>> {
        Ok(self.tables().keys.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn primary_vault_key(
        &self,
        tenant: &TenantId,
        subject: &str,
        purpose: KeyPurpose,
    ) -> StoreResult<Option<VaultKey>> {
        let tables = self.tables();
        let mut rows = tables.keys.values().filter(|row| row.tenant == *tenant && row.subject == subject);
        Ok(rows.find(|row| row.purpose == purpose && row.state == KeyState::Primary).cloned())
    }

    async fn vault_keys(
        &self,
        filter: &KeyFilter,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreResult<Vec<VaultKey>> {
        let tables = self.tables();
        let rows = tables.keys.values().filter(|row| tables.matches(row, filter));
        Ok(take(rows.filter(|row| after.is_none_or(|id| row.id > id)).cloned(), limit))
    }

    async fn vault_key_counts(&self) -> StoreResult<Vec<KeyCount>> {
        Ok(self.tables().key_counts())
    }

    async fn erasure(&self, tenant: &TenantId, id: ErasureId) -> StoreResult<Option<Erasure>> {
        Ok(self.tables().erasures.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn erasure_of(&self, tenant: &TenantId, subject: &Fingerprint) -> StoreResult<Option<Erasure>> {
        let tables = self.tables();
        let mut rows = tables.erasures.values();
        Ok(rows.find(|row| row.tenant == *tenant && row.subject == *subject).cloned())
    }

    async fn erasures(&self, tenant: &TenantId, page: Page<ErasureId>) -> StoreResult<Vec<Erasure>> {
        let tables = self.tables();
        let rows = tables.erasures.values().filter(|row| row.tenant == *tenant);
        Ok(take(rows.filter(|row| page.after.is_none_or(|id| row.id > id)).cloned(), page.limit))
    }

    async fn claim_erasures(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Erasure>> {
        let mut tables = self.tables();
        let mut due = earliest(tables.erasures.values().cloned(), |row| row.next_attempt_at, now, limit);
        for row in &mut due {
            row.next_attempt_at = Some(lease_until);
            row.version += 1;
            tables.erasures.insert(row.id, row.clone());
        }
        Ok(due)
    }

    async fn audit_entries(&self, tenant: &TenantId, after: i64, limit: u32) -> StoreResult<Vec<AuditEntry>> {
        let tables = self.tables();
        let rows = tables.audit.iter().filter(|row| row.tenant == *tenant && row.sequence > after);
        Ok(take(rows.cloned(), limit))
    }

    async fn last_audit_entry(&self, tenant: &TenantId, action: &str) -> StoreResult<Option<AuditEntry>> {
        let tables = self.tables();
        let mut rows = tables.audit.iter().rev().filter(|row| row.tenant == *tenant);
        Ok(rows.find(|row| row.action == action).cloned())
    }

    async fn removals_of(&self, tenant: &TenantId, customer: CustomerId) -> StoreResult<Vec<Removal>> {
        let tables = self.tables();
        let methods: Vec<PaymentMethodId> = tables.methods_of(tenant, customer).map(|row| row.id).collect();
        let rows = tables.removals.values().filter(|row| methods.contains(&row.payment_method_id));
        Ok(rows.cloned().collect())
    }

    async fn delivery(&self, tenant: &TenantId, id: DeliveryId) -> StoreResult<Option<Delivery>> {
        Ok(self.tables().deliveries.get(&id).filter(|row| row.tenant == *tenant).cloned())
    }

    async fn delivery_by_key(
        &self,
        gateway: &GatewayName,
        key: &Fingerprint,
    ) -> StoreResult<Option<Delivery>> {
        let tables = self.tables();
        Ok(tables.deliveries.values().find(|row| row.gateway == *gateway && row.key == *key).cloned())
    }

    async fn delivery_came_again(&self, id: DeliveryId, now: Timestamp) -> StoreResult<bool> {
        let mut tables = self.tables();
        let Some(row) = tables.deliveries.get_mut(&id) else { return Ok(false) };
        row.received_count += 1;
        if matches!(row.state, DeliveryState::Parked | DeliveryState::Dead) {
            row.state = DeliveryState::Received;
            row.next_attempt_at = Some(now);
        }
        row.updated_at = now;
        row.version += 1;
        Ok(true)
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
