//! The rows, and the one place that changes them.

use std::collections::BTreeMap;

use crate::customer::{Customer, GatewayCustomer};
use crate::id::{ApiKeyId, CustomerId, DeliveryId, PaymentMethodId, RemovalId, SessionId, VaultRecordId};
use crate::name::{GatewayName, TenantId};
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::session::Session;
use crate::store::{ApiKey, Changes, Delivery, Event, Removal, Write};
use crate::vault::VaultRecord;

#[derive(Debug, Clone, Default)]
pub(super) struct Tables {
    pub(super) customers: BTreeMap<CustomerId, Customer>,
    pub(super) gateway_customers: BTreeMap<(TenantId, GatewayName, CustomerId), GatewayCustomer>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    pub(super) vault: BTreeMap<VaultRecordId, VaultRecord>,
    pub(super) methods: BTreeMap<PaymentMethodId, PaymentMethod>,
    pub(super) removals: BTreeMap<RemovalId, Removal>,
    pub(super) deliveries: BTreeMap<DeliveryId, Delivery>,
    pub(super) api_keys: BTreeMap<ApiKeyId, ApiKey>,
    pub(super) events: Vec<Event>,
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
        for write in changes.customers {
            let same = |a: &Customer, b: &Customer| a.tenant == b.tenant && a.reference == b.reference;
            put(&mut self.customers, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for row in changes.gateway_customers {
            let key = (row.tenant.clone(), row.gateway.clone(), row.customer_id);
            if self.gateway_customers.insert(key, row).is_some() {
                return None;
            }
        }
        for write in changes.sessions {
            put(&mut self.sessions, write, |row| (row.id, &row.tenant, row.version), same_at_gateway)?;
        }
        for row in changes.vault_inserts {
            if self.vault.insert(row.id, row).is_some() {
                return None;
            }
        }
        for write in changes.methods {
            put(&mut self.methods, write, |row| (row.id, &row.tenant, row.version), same_method)?;
        }
        for write in changes.removals {
            put(&mut self.removals, write, |row| (row.id, &row.tenant, row.version), |_, _| false)?;
        }
        for (tenant, id) in changes.vault_deletes {
            if self.vault.get(&id).is_some_and(|row| row.tenant == tenant) {
                self.vault.remove(&id);
            }
        }
        for write in changes.deliveries {
            let same = |a: &Delivery, b: &Delivery| a.gateway == b.gateway && a.key == b.key;
            put(&mut self.deliveries, write, |row| (row.id, &row.tenant, row.version), same)?;
        }
        for write in changes.api_keys {
            put(&mut self.api_keys, write, |row| (row.id, &row.tenant, row.version), |_, _| false)?;
        }
        for mut event in changes.events {
            event.sequence = self.events.last().map_or(0, |last| last.sequence) + 1;
            self.events.push(event);
        }
        Some(())
    }
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
