//! The rows, and the one place that changes them.

use std::collections::BTreeMap;

use crate::audit::AuditEntry;
use crate::charge::Charge;
use crate::customer::{Customer, GatewayCustomer};
use crate::erasure::{Erasure, Shred};
use crate::id::{
    ApiKeyId, ChargeId, CustomerId, DeliveryId, EndpointDeliveryId, ErasureId, IdempotencyKeyId,
    PaymentMethodId, RemovalId, SessionId, VaultRecordId, WebhookEndpointId,
};
use crate::idempotency::IdempotencyKey;
use crate::name::{GatewayName, TenantId};
use crate::outgoing::{EndpointDelivery, WebhookEndpoint};
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::session::Session;
use crate::store::{ApiKey, Changes, Delivery, ERASED, Event, KeyFilter, RecordFilter, Removal, Write};
use crate::vault::{KeyCount, KeyId, KeyPurpose, KeyState, VaultKey, VaultRecord};

#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) customers: BTreeMap<CustomerId, Customer>,
    pub(super) gateway_customers: BTreeMap<(TenantId, GatewayName, CustomerId), GatewayCustomer>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) vault: BTreeMap<VaultRecordId, VaultRecord>,
    pub(super) methods: BTreeMap<PaymentMethodId, PaymentMethod>,
    pub(super) charges: BTreeMap<ChargeId, Charge>,
    pub(super) removals: BTreeMap<RemovalId, Removal>,
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    pub(super) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    pub(super) events: Vec<Event>,
    pub(super) keys: BTreeMap<KeyId, VaultKey>,
    pub(super) erasures: BTreeMap<ErasureId, Erasure>,
    pub(super) audit: Vec<AuditEntry>,
    pub(super) webhook_endpoints: BTreeMap<WebhookEndpointId, WebhookEndpoint>,
    pub(super) idempotency_keys: BTreeMap<IdempotencyKeyId, IdempotencyKey>,
    pub(super) endpoint_deliveries: BTreeMap<EndpointDeliveryId, EndpointDelivery>,
}

impl Tables {
    pub(super) fn live_methods<'a>(
        &'a self,
        tenant: &'a TenantId,
    ) -> impl Iterator<Item = &'a PaymentMethod> {
        self.methods
            .values()
            .filter(move |row| row.tenant == *tenant && row.status != PaymentMethodStatus::Deleted)
    }

    /// Applies everything; `None`, with the tables half changed, when something is stale.
    pub(super) fn apply(&mut self, changes: Changes) -> Option<()> {
        for write in changes.vault_keys {
            put(&mut self.keys, write, |row| (row.id, &row.tenant, row.version), same_role)?;
        }
        for write in changes.customers {
            let same = |a: &Customer, b: &Customer| a.tenant == b.tenant && a.reference == b.reference;
            put(&mut self.customers, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for row in changes.gateway_customers {
            self.has_customer(&row.tenant, row.customer_id)?;
            let key = (row.tenant.clone(), row.gateway.clone(), row.customer_id);
            if self.gateway_customers.insert(key, row).is_some() {
                return None;
            }
        }
        for write in changes.sessions {
            let (Write::Insert(row) | Write::Update(row)) = &write;
            self.has_customer(&row.tenant, row.customer_id)?;
            put(&mut self.sessions, write, |row| (row.id, &row.tenant, row.version), same_at_gateway)?;
        }
        for write in changes.vault {
            let (Write::Insert(row) | Write::Update(row)) = &write;
            self.keys.get(&row.key_id).filter(|key| key.tenant == row.tenant)?;
            put(&mut self.vault, write, |row| (row.id, &row.tenant, row.version), same_value)?;
        }
        for write in changes.methods {
            let (Write::Insert(row) | Write::Update(row)) = &write;
            self.has_customer(&row.tenant, row.customer_id)?;
            self.sessions.get(&row.session_id).filter(|session| session.tenant == row.tenant)?;
            put(&mut self.methods, write, |row| (row.id, &row.tenant, row.version), same_method)?;
        }
        for write in changes.charges {
            let (Write::Insert(row) | Write::Update(row)) = &write;
            self.has_customer(&row.tenant, row.customer_id)?;
            let same = |a: &Charge, b: &Charge| {
                let same_reference =
                    a.provider_reference.is_some() && a.provider_reference == b.provider_reference;
                same_reference && a.tenant == b.tenant && a.gateway == b.gateway
            };
            put(&mut self.charges, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for write in changes.removals {
            put(&mut self.removals, write, |row| (row.id, &row.tenant, row.version), |_, _| false)?;
        }
        for (tenant, id) in changes.vault_deletes {
            if self.vault.get(&id).is_some_and(|row| row.tenant == tenant) {
                self.vault.remove(&id);
            }
        }
        for (tenant, id) in changes.vault_key_deletes {
            if self.keys.get(&id).is_none_or(|row| row.tenant != tenant) {
                continue;
            }
            if self.vault.values().any(|row| row.key_id == id) {
                return None;
            }
            self.keys.remove(&id);
        }
        for write in changes.deliveries {
            let (Write::Insert(row) | Write::Update(row)) = &write;
            if let Some(customer) = row.customer_id {
                self.has_customer(&row.tenant, customer)?;
            }
            let same = |a: &Delivery, b: &Delivery| a.gateway == b.gateway && a.key == b.key;
            put(&mut self.deliveries, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for write in changes.api_keys {
            put(&mut self.api_keys, write, |row| (row.id, &row.tenant, row.version), |_, _| false)?;
        }
        for write in changes.webhook_endpoints {
            put(&mut self.webhook_endpoints, write, |row| (row.id, &row.tenant, row.version), |_, _| false)?;
        }
        for write in changes.endpoint_deliveries {
            let (Write::Insert(row) | Write::Update(row)) = &write;
            self.webhook_endpoints.get(&row.endpoint_id).filter(|endpoint| endpoint.tenant == row.tenant)?;
            let same = |a: &EndpointDelivery, b: &EndpointDelivery| {
                a.endpoint_id == b.endpoint_id && a.event_id == b.event_id
            };
            put(&mut self.endpoint_deliveries, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for (tenant, id) in changes.webhook_endpoint_deletes {
            if self.webhook_endpoints.get(&id).is_some_and(|row| row.tenant == tenant) {
                self.webhook_endpoints.remove(&id);
                self.endpoint_deliveries.retain(|_, row| row.endpoint_id != id);
            }
        }
        for write in changes.idempotency_keys {
            let same = |a: &IdempotencyKey, b: &IdempotencyKey| a.tenant == b.tenant && a.key == b.key;
            put(&mut self.idempotency_keys, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for write in changes.erasures {
            let same = |a: &Erasure, b: &Erasure| a.tenant == b.tenant && a.subject == b.subject;
            put(&mut self.erasures, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for shred in &changes.shreds {
            self.shred(shred);
        }
        for draft in &changes.audit {
            let last = self.audit.iter().rfind(|entry| entry.tenant == *draft.tenant());
            let entry = draft.after(last.map(|entry| (entry.sequence, entry.hash.as_slice())));
            self.audit.push(entry);
        }
        for mut event in changes.events {
            event.sequence = self.events.last().map_or(0, |last| last.sequence) + 1;
            self.events.push(event);
        }
        Some(())
    }

    /// A row about a customer needs one: they may have been erased meanwhile.
    fn has_customer(&self, tenant: &TenantId, id: CustomerId) -> Option<()> {
        self.customers.get(&id).filter(|customer| customer.tenant == *tenant).map(|_| ())
    }

    /// Destroys an owner's values and keys and, if it is a customer, every row about them.
    fn shred(&mut self, shred: &Shred) {
        let Shred { tenant, owner } = shred;
        self.vault.retain(|_, row| row.tenant != *tenant || row.owner != *owner);
        self.keys.retain(|_, row| row.tenant != *tenant || row.subject != *owner);
        let Some(customer) = shred.customer() else { return };
        let mut objects = vec![owner.clone()];
        objects.extend(self.sessions_of(tenant, customer).map(|row| row.id.to_string()));
        objects.extend(self.methods_of(tenant, customer).map(|row| row.id.to_string()));
        let charges =
            self.charges.values().filter(|row| row.tenant == *tenant && row.customer_id == customer);
        objects.extend(charges.map(|row| row.id.to_string()));
        for event in self.events.iter_mut().filter(|event| event.tenant == *tenant) {
            if objects.contains(&event.object_id) {
                ERASED.clone_into(&mut event.data);
            }
        }
        let methods: Vec<PaymentMethodId> = self.methods_of(tenant, customer).map(|row| row.id).collect();
        self.removals.retain(|_, row| !methods.contains(&row.payment_method_id));
        let about = |row: &&mut Delivery| row.tenant == *tenant && row.customer_id == Some(customer);
        for row in self.deliveries.values_mut().filter(about) {
            self.vault.remove(&row.body);
            row.customer_id = None;
        }
        self.charges.retain(|_, row| row.tenant != *tenant || row.customer_id != customer);
        self.methods.retain(|_, row| row.tenant != *tenant || row.customer_id != customer);
        self.sessions.retain(|_, row| row.tenant != *tenant || row.customer_id != customer);
        self.gateway_customers.retain(|(of, _, id), _| of != tenant || *id != customer);
        self.customers.retain(|id, row| row.tenant != *tenant || *id != customer);
    }

    pub(super) fn filtered(&self, filter: &RecordFilter) -> impl Iterator<Item = &VaultRecord> {
        self.vault.values().filter(move |row| match filter {
            RecordFilter::All => true,
            RecordFilter::ToReseal(suite) => {
                let primary = self.keys.get(&row.key_id).is_some_and(|key| key.state == KeyState::Primary);
                !primary || row.suite != *suite
            }
        })
    }

    pub(super) fn matches(&self, row: &VaultKey, filter: &KeyFilter) -> bool {
        let is_data = row.purpose == KeyPurpose::Data;
        let is_primary = row.state == KeyState::Primary;
        match filter {
            KeyFilter::NotWrappedBy(wrapper) => row.wrapper != *wrapper,
            KeyFilter::WrappedBy(wrapper) => row.wrapper == *wrapper,
            KeyFilter::PrimaryDataMadeBefore(tenant, cutoff) => {
                let of_tenant = tenant.as_ref().is_none_or(|tenant| row.tenant == *tenant);
                is_data && is_primary && of_tenant && row.created_at < *cutoff
            }
            KeyFilter::UnusedSince(since) => {
                let unused = !self.vault.values().any(|record| record.key_id == row.id);
                is_data && unused && row.updated_at <= *since
            }
            KeyFilter::Data => is_data,
        }
    }

    pub(super) fn key_counts(&self) -> Vec<KeyCount> {
        let mut counts: BTreeMap<_, (i64, i64)> = BTreeMap::new();
        for row in self.keys.values() {
            let records = self.vault.values().filter(|record| record.key_id == row.id).count();
            let count = counts.entry((row.wrapper.clone(), row.purpose, row.state)).or_default();
            count.0 += 1;
            count.1 += i64::try_from(records).unwrap_or(i64::MAX);
        }
        let each = counts.into_iter().map(|((wrapper, purpose, state), (keys, records))| KeyCount {
            wrapper,
            purpose,
            state,
            keys,
            records,
        });
        each.collect()
    }

    fn sessions_of<'a>(
        &'a self,
        tenant: &'a TenantId,
        customer: CustomerId,
    ) -> impl Iterator<Item = &'a Session> {
        self.sessions.values().filter(move |row| row.tenant == *tenant && row.customer_id == customer)
    }

    pub(super) fn methods_of<'a>(
        &'a self,
        tenant: &'a TenantId,
        customer: CustomerId,
    ) -> impl Iterator<Item = &'a PaymentMethod> {
        self.methods.values().filter(move |row| row.tenant == *tenant && row.customer_id == customer)
    }
}

fn same_role(a: &VaultKey, b: &VaultKey) -> bool {
    let both_primary = a.state == KeyState::Primary && b.state == KeyState::Primary;
    both_primary && a.tenant == b.tenant && a.subject == b.subject && a.purpose == b.purpose
}

pub(super) fn same_value(a: &VaultRecord, b: &VaultRecord) -> bool {
    a.tenant == b.tenant && a.owner == b.owner && a.kind == b.kind && a.fingerprint == b.fingerprint
}

/// Inserts or replaces a row, unless its version is not the next of the same tenant's row or another
/// row holds its place.
fn put<K: Ord + Copy, T>(
    rows: &mut BTreeMap<K, T>,
    write: Write<T>,
    key: impl Fn(&T) -> (K, &TenantId, i64),
    same_place: impl Fn(&T, &T) -> bool,
) -> Option<()> {
    let (row, update) = match write {
        Write::Insert(row) => (row, false),
        Write::Update(row) => (row, true),
    };
    let (id, tenant, version) = key(&row);
    let stored = rows.get(&id).map(&key).map(|(_, tenant, version)| (tenant, version));
    let expected = update.then_some((tenant, version - 1));
    let taken = rows.iter().any(|(other, stored)| *other != id && same_place(stored, &row));
    if stored != expected || taken {
        return None;
    }
    rows.insert(id, row);
    Some(())
}

fn same_at_gateway(a: &Session, b: &Session) -> bool {
    let same_reference = a.provider_reference.is_some() && a.provider_reference == b.provider_reference;
    same_reference && a.tenant == b.tenant && a.gateway == b.gateway
}

fn same_method(a: &PaymentMethod, b: &PaymentMethod) -> bool {
    let live = a.status != PaymentMethodStatus::Deleted && b.status != PaymentMethodStatus::Deleted;
    let same_customer = a.tenant == b.tenant && a.customer_id == b.customer_id;
    let same_gateway = a.tenant == b.tenant && a.gateway == b.gateway;
    let same_token = same_gateway && a.token_fingerprint == b.token_fingerprint;
    let same_instrument = same_gateway
        && same_customer
        && a.usage == b.usage
        && a.instrument_fingerprint == b.instrument_fingerprint;
    let both_default = same_customer && a.is_default && b.is_default;
    live && (same_token || same_instrument || both_default)
}
