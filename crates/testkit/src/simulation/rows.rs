//! What is in a database at the end, read row by row and without any of Billfold's use cases.

use std::collections::BTreeMap;
use std::sync::Arc;

use billfold_core::audit::AuditEntry;
use billfold_core::charge::Charge;
use billfold_core::customer::Customer;
use billfold_core::erasure::Erasure;
use billfold_core::id::{ChargeId, CustomerId, PaymentMethodId, SessionId};
use billfold_core::name::TenantId;
use billfold_core::payment_method::{PaymentMethod, PaymentMethodStatus};
use billfold_core::session::Session;
use billfold_core::store::{
    ChargeFilter, Delivery, Event, KeyFilter, Page, RecordFilter, Store, StoreResult,
};
use billfold_core::vault::{VaultKey, VaultRecord};

const ALL: u32 = 100_000;

/// The rows of one tenant.
#[derive(Debug)]
pub(super) struct TenantRows {
    pub(super) tenant: TenantId,
    pub(super) customers: BTreeMap<CustomerId, Customer>,
    pub(super) sessions: BTreeMap<SessionId, Session>,
    /// Deleted ones too, as far as a session names them.
    pub(super) methods: BTreeMap<PaymentMethodId, PaymentMethod>,
    pub(super) charges: BTreeMap<ChargeId, Charge>,
    pub(super) deliveries: Vec<Delivery>,
    pub(super) events: Vec<Event>,
    pub(super) erasures: Vec<Erasure>,
    pub(super) audit: Vec<AuditEntry>,
}

/// The vault's rows, of all tenants.
#[derive(Debug)]
pub(super) struct VaultRows {
    pub(super) records: Vec<VaultRecord>,
    pub(super) keys: Vec<VaultKey>,
}

impl TenantRows {
    pub(super) async fn read(store: &Arc<dyn Store>, tenant: &TenantId) -> StoreResult<Self> {
        let mut methods = BTreeMap::new();
        let sessions = store.sessions(tenant, None, Page::first(ALL)).await?;
        let customers = store.customers(tenant, Page::first(ALL)).await?;
        for customer in &customers {
            for method in store.methods(tenant, customer.id, Page::first(ALL)).await? {
                methods.insert(method.id, method);
            }
        }
        for id in sessions.iter().flat_map(|session| &session.details.payment_methods) {
            if let Some(method) = store.method(tenant, *id).await? {
                methods.insert(*id, method);
            }
        }
        let charges = store.charges(tenant, ChargeFilter::default(), Page::first(ALL)).await?;
        Ok(Self {
            tenant: tenant.clone(),
            customers: customers.into_iter().map(|customer| (customer.id, customer)).collect(),
            sessions: sessions.into_iter().map(|session| (session.id, session)).collect(),
            methods,
            charges: charges.into_iter().map(|charge| (charge.id, charge)).collect(),
            deliveries: store.deliveries(tenant, None, Page::first(ALL)).await?,
            events: store.events_after(tenant, 0, ALL).await?,
            erasures: store.erasures(tenant, Page::first(ALL)).await?,
            audit: store.audit_entries(tenant, 0, ALL).await?,
        })
    }

    /// Whether this is a customer whom nobody erased.
    pub(super) fn is_live(&self, customer: CustomerId) -> bool {
        self.customers.get(&customer).is_some_and(|customer| customer.erasure.is_none())
    }

    pub(super) fn live_methods(&self) -> impl Iterator<Item = &PaymentMethod> {
        self.methods.values().filter(|method| method.status != PaymentMethodStatus::Deleted)
    }
}

impl VaultRows {
    pub(super) async fn read(store: &Arc<dyn Store>) -> StoreResult<Self> {
        Ok(Self {
            records: store.vault_records_all(&RecordFilter::All, None, ALL).await?,
            keys: store.vault_keys(&KeyFilter::Data, None, ALL).await?,
        })
    }
}
