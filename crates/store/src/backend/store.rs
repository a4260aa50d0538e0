//! The `Store` of the module around it: every read takes a connection and runs one statement, every
//! write goes through that module's transaction.

use async_trait::async_trait;
use billfold_core::audit::AuditEntry;
use billfold_core::capability::Usage;
use billfold_core::clock::Timestamp;
use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::erasure::Erasure;
use billfold_core::id::{
    ApiKeyId, CustomerId, DeliveryId, ErasureId, PaymentMethodId, SessionId, VaultRecordId,
};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::payment_method::PaymentMethod;
use billfold_core::session::Session;
use billfold_core::store::{
    ApiKey, Changes, Commit, Delivery, DeliveryState, Event, KeyFilter, Page, RecordFilter, Removal, Store,
    StoreResult, VaultPut,
};
use billfold_core::vault::{Fingerprint, KeyCount, KeyId, KeyPurpose, VaultKey, VaultRecord};

use futures::FutureExt as _;

use super::{Database, claims, reads, vault_reads};
use crate::backend::refuse_nul;

#[async_trait]
impl Store for Database {
    async fn migrate(&self) -> StoreResult<()> {
        self.run_migrations().await
    }

    async fn ping(&self) -> StoreResult<()> {
        self.check_schema().await
    }

    async fn scrub(&self) -> StoreResult<bool> {
        self.overwrite_unused().await
    }

    async fn commit(&self, changes: Changes) -> StoreResult<Commit> {
        refuse_nul(&changes)?;
        self.write(changes).await
    }

    async fn customer(&self, tenant: &TenantId, id: CustomerId) -> StoreResult<Option<Customer>> {
        reads::customer(&mut *self.reader().await?, tenant, id).await
    }

    async fn customer_by_reference(
        &self,
        tenant: &TenantId,
        reference: &str,
    ) -> StoreResult<Option<Customer>> {
        reads::customer_by_reference(&mut *self.reader().await?, tenant, reference).await
    }

    async fn customers(&self, tenant: &TenantId, page: Page<CustomerId>) -> StoreResult<Vec<Customer>> {
        reads::customers_page(&mut *self.reader().await?, tenant, page).await
    }

    async fn gateway_customer(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        customer: CustomerId,
    ) -> StoreResult<Option<GatewayCustomer>> {
        reads::gateway_customer(&mut *self.reader().await?, tenant, gateway, customer).await
    }

    async fn session(&self, tenant: &TenantId, id: SessionId) -> StoreResult<Option<Session>> {
        reads::session(&mut *self.reader().await?, tenant, id).await
    }

    async fn session_of_any_tenant(&self, id: SessionId) -> StoreResult<Option<Session>> {
        reads::session_of_any_tenant(&mut *self.reader().await?, id).await
    }

    async fn session_by_provider_reference(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        reference: &str,
    ) -> StoreResult<Option<Session>> {
        reads::session_by_provider_reference(&mut *self.reader().await?, tenant, gateway, reference).await
    }

    async fn sessions(
        &self,
        tenant: &TenantId,
        customer: Option<CustomerId>,
        page: Page<SessionId>,
    ) -> StoreResult<Vec<Session>> {
        reads::sessions_page(&mut *self.reader().await?, tenant, customer, page).await
    }

    async fn claim_sessions(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Session>> {
        self.claim(move |conn| claims::claim_sessions(conn, now, lease_until, limit).boxed()).await
    }

    async fn method(&self, tenant: &TenantId, id: PaymentMethodId) -> StoreResult<Option<PaymentMethod>> {
        reads::method(&mut *self.reader().await?, tenant, id).await
    }

    async fn methods(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        page: Page<PaymentMethodId>,
    ) -> StoreResult<Vec<PaymentMethod>> {
        reads::methods_page(&mut *self.reader().await?, tenant, customer, page).await
    }

    async fn default_method(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
    ) -> StoreResult<Option<PaymentMethod>> {
        reads::default_method(&mut *self.reader().await?, tenant, customer).await
    }

    async fn method_by_token(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        token: &Fingerprint,
    ) -> StoreResult<Option<PaymentMethod>> {
        reads::method_by_token(&mut *self.reader().await?, tenant, gateway, token).await
    }

    async fn method_by_instrument(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        customer: CustomerId,
        instrument: &Fingerprint,
        usage: Usage,
    ) -> StoreResult<Option<PaymentMethod>> {
        let conn = &mut *self.reader().await?;
        reads::method_by_instrument(conn, tenant, gateway, customer, instrument, usage).await
    }

    async fn token_was_deleted(
        &self,
        tenant: &TenantId,
        gateway: &GatewayName,
        token: &Fingerprint,
    ) -> StoreResult<bool> {
        reads::token_was_deleted(&mut *self.reader().await?, tenant, gateway, token).await
    }

    async fn claim_methods(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<PaymentMethod>> {
        self.claim(move |conn| claims::claim_methods(conn, now, lease_until, limit).boxed()).await
    }

    async fn vault_record(&self, tenant: &TenantId, id: VaultRecordId) -> StoreResult<Option<VaultRecord>> {
        self.vault_record_of(tenant, id).await
    }

    async fn vault_records(&self, tenant: &TenantId, ids: &[VaultRecordId]) -> StoreResult<Vec<VaultRecord>> {
        vault_reads::records(&mut *self.reader().await?, tenant, ids).await
    }

    async fn vault_records_of(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: Option<&str>,
        page: Page<VaultRecordId>,
    ) -> StoreResult<Vec<VaultRecord>> {
        vault_reads::records_of(&mut *self.reader().await?, tenant, owner, kind, page).await
    }

    async fn vault_record_by_fingerprint(
        &self,
        tenant: &TenantId,
        owner: &str,
        kind: &str,
        fingerprint: &Fingerprint,
    ) -> StoreResult<Option<VaultRecord>> {
        let conn = &mut *self.reader().await?;
        vault_reads::record_by_fingerprint(conn, tenant, owner, kind, fingerprint).await
    }

    async fn vault_put(&self, record: &VaultRecord, now: Timestamp) -> StoreResult<VaultPut> {
        self.put(record, now).await
    }

    async fn sweep_vault_records(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<(TenantId, VaultRecordId)>> {
        self.claim(move |conn| claims::sweep_vault_records(conn, now, limit).boxed()).await
    }

    async fn vault_records_all(
        &self,
        filter: &RecordFilter,
        after: Option<VaultRecordId>,
        limit: u32,
    ) -> StoreResult<Vec<VaultRecord>> {
        vault_reads::all_records(&mut *self.scanner().await?, *filter, after, limit).await
    }

    async fn count_vault_records(&self, filter: &RecordFilter) -> StoreResult<i64> {
        vault_reads::count_records(&mut *self.scanner().await?, *filter).await
    }

    async fn vault_key(&self, tenant: &TenantId, id: KeyId) -> StoreResult<Option<VaultKey>> {
        vault_reads::key(&mut *self.reader().await?, tenant, id).await
    }

    async fn primary_vault_key(
        &self,
        tenant: &TenantId,
        subject: &str,
        purpose: KeyPurpose,
    ) -> StoreResult<Option<VaultKey>> {
        vault_reads::primary_key(&mut *self.reader().await?, tenant, subject, purpose).await
    }

    async fn vault_keys(
        &self,
        filter: &KeyFilter,
        after: Option<KeyId>,
        limit: u32,
    ) -> StoreResult<Vec<VaultKey>> {
        vault_reads::keys(&mut *self.scanner().await?, filter, after, limit).await
    }

    async fn vault_key_counts(&self) -> StoreResult<Vec<KeyCount>> {
        vault_reads::key_counts(&mut *self.scanner().await?).await
    }

    async fn erasure(&self, tenant: &TenantId, id: ErasureId) -> StoreResult<Option<Erasure>> {
        vault_reads::erasure(&mut *self.reader().await?, tenant, id).await
    }

    async fn erasure_of(&self, tenant: &TenantId, subject: &Fingerprint) -> StoreResult<Option<Erasure>> {
        vault_reads::erasure_of(&mut *self.reader().await?, tenant, subject).await
    }

    async fn erasures(&self, tenant: &TenantId, page: Page<ErasureId>) -> StoreResult<Vec<Erasure>> {
        vault_reads::erasures_page(&mut *self.reader().await?, tenant, page).await
    }

    async fn claim_erasures(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Erasure>> {
        self.claim(move |conn| claims::claim_erasures(conn, now, lease_until, limit).boxed()).await
    }

    async fn audit_entries(&self, tenant: &TenantId, after: i64, limit: u32) -> StoreResult<Vec<AuditEntry>> {
        vault_reads::audit_after(&mut *self.scanner().await?, tenant, after, limit).await
    }

    async fn last_audit_entry(&self, tenant: &TenantId, action: &str) -> StoreResult<Option<AuditEntry>> {
        vault_reads::last_audit(&mut *self.scanner().await?, tenant, action).await
    }

    async fn removals_of(&self, tenant: &TenantId, customer: CustomerId) -> StoreResult<Vec<Removal>> {
        vault_reads::removals_of(&mut *self.reader().await?, tenant, customer).await
    }

    async fn delivery(&self, tenant: &TenantId, id: DeliveryId) -> StoreResult<Option<Delivery>> {
        reads::delivery(&mut *self.reader().await?, tenant, id).await
    }

    async fn delivery_by_key(
        &self,
        gateway: &GatewayName,
        key: &Fingerprint,
    ) -> StoreResult<Option<Delivery>> {
        reads::delivery_by_key(&mut *self.reader().await?, gateway, key).await
    }

    async fn delivery_came_again(&self, id: DeliveryId, now: Timestamp) -> StoreResult<bool> {
        self.claim(move |conn| claims::delivery_came_again(conn, id, now).boxed()).await
    }

    async fn deliveries(
        &self,
        tenant: &TenantId,
        state: Option<DeliveryState>,
        page: Page<DeliveryId>,
    ) -> StoreResult<Vec<Delivery>> {
        reads::deliveries_page(&mut *self.reader().await?, tenant, state, page).await
    }

    async fn claim_deliveries(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Delivery>> {
        self.claim(move |conn| claims::claim_deliveries(conn, now, lease_until, limit).boxed()).await
    }

    async fn claim_removals(
        &self,
        now: Timestamp,
        lease_until: Timestamp,
        limit: u32,
    ) -> StoreResult<Vec<Removal>> {
        self.claim(move |conn| claims::claim_removals(conn, now, lease_until, limit).boxed()).await
    }

    async fn events_after(&self, tenant: &TenantId, after: i64, limit: u32) -> StoreResult<Vec<Event>> {
        reads::events_after(&mut *self.reader().await?, tenant, after, limit).await
    }

    async fn api_key(&self, id: ApiKeyId) -> StoreResult<Option<ApiKey>> {
        reads::api_key(&mut *self.reader().await?, id).await
    }

    async fn api_keys(&self, tenant: &TenantId) -> StoreResult<Vec<ApiKey>> {
        reads::api_keys_of(&mut *self.reader().await?, tenant).await
    }
}
