//! Customers: found by the merchant's reference, their personal data sealed.

use super::{MAX_ROUNDS, contended, sealed_kind, validate};
use crate::billfold::Billfold;
use crate::customer::Customer;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CustomerId, VaultRecordId};
use crate::name::TenantId;
use crate::provider::CustomerProfile;
use crate::store::{Changes, Commit, Page, Write};
use crate::use_cases::CustomerSelector;
use crate::vault::{Place, VaultRecord};
use crate::view::CustomerView;

impl Billfold {
    /// The customer with this reference: made if there is none, updated if `profile` says something
    /// else than before. An empty profile leaves the stored one as it is.
    pub async fn save_customer(
        &self,
        tenant: &TenantId,
        reference: &str,
        profile: CustomerProfile,
    ) -> Result<CustomerView> {
        validate::customer_reference("/reference", reference)?;
        let customer = self.upsert_customer(tenant, reference, &profile).await?;
        self.customer_view(&customer).await
    }

    /// One customer.
    pub async fn get_customer(&self, tenant: &TenantId, id: CustomerId) -> Result<CustomerView> {
        let customer = self.visible_customer(tenant, id).await?;
        self.customer_view(&customer.ok_or_else(|| Error::not_found("customer"))?).await
    }

    /// The customer with the merchant's reference.
    pub async fn find_customer(&self, tenant: &TenantId, reference: &str) -> Result<CustomerView> {
        let found = self.visible_by_reference(tenant, reference).await?;
        self.customer_view(&found.ok_or_else(|| Error::not_found("customer"))?).await
    }

    /// Customers, oldest first.
    pub async fn list_customers(
        &self,
        tenant: &TenantId,
        page: Page<CustomerId>,
    ) -> Result<Vec<CustomerView>> {
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (mut views, mut rest) = (Vec::new(), page);
        // Those that are being erased are passed over, so a page may take more than one look.
        while views.len() < wanted {
            let customers = self.store().customers(tenant, rest).await?;
            let Some(last) = customers.last() else { break };
            rest.after = Some(last.id);
            views.extend(self.customer_views(tenant, &customers).await?);
            if customers.len() < wanted {
                break;
            }
        }
        views.truncate(wanted);
        Ok(views)
    }

    async fn customer_views(&self, tenant: &TenantId, customers: &[Customer]) -> Result<Vec<CustomerView>> {
        let ids: Vec<VaultRecordId> = customers.iter().map(|customer| customer.profile).collect();
        let profiles = self.store().vault_records(tenant, &ids).await?;
        let mut views = Vec::with_capacity(customers.len());
        for customer in customers.iter().filter(|customer| customer.erasure.is_none()) {
            let profile = profiles.iter().find(|record| record.id == customer.profile);
            let profile = profile.ok_or_else(|| lost(customer))?;
            views.push(CustomerView::new(customer, self.open_profile(customer, profile).await?));
        }
        Ok(views)
    }

    /// A customer that is not being erased.
    pub(super) async fn visible_customer(
        &self,
        tenant: &TenantId,
        id: CustomerId,
    ) -> Result<Option<Customer>> {
        Ok(self.store().customer(tenant, id).await?.filter(|customer| customer.erasure.is_none()))
    }

    /// One that is being erased has its erasure's id for a reference, which somebody may ask for.
    async fn visible_by_reference(&self, tenant: &TenantId, reference: &str) -> Result<Option<Customer>> {
        let found = self.store().customer_by_reference(tenant, reference).await?;
        Ok(found.filter(|customer| customer.erasure.is_none()))
    }

    /// Refuses a selector that names nobody, or two people; changes nothing.
    pub(super) async fn check_selector(&self, tenant: &TenantId, selector: &CustomerSelector) -> Result<()> {
        match (&selector.id, &selector.reference) {
            (Some(id), None) if selector.profile() == CustomerProfile::default() => {
                let found = self.visible_customer(tenant, *id).await?;
                found.map(|_| ()).ok_or_else(|| Error::invalid("/customer/id", "there is no such customer"))
            }
            (None, Some(reference)) => validate::customer_reference("/customer/reference", reference),
            (Some(_), _) => {
                Err(Error::invalid("/customer", "an id stands alone; change the customer by its reference"))
            }
            (None, None) => Err(Error::invalid("/customer", "expected an id or a reference")),
        }
    }

    /// What is known of the selected customer: what the request says, else what is stored.
    pub(super) async fn profile_for(
        &self,
        tenant: &TenantId,
        selector: &CustomerSelector,
    ) -> Result<CustomerProfile> {
        let given = selector.profile();
        if given != CustomerProfile::default() {
            return Ok(given);
        }
        let stored = match (selector.id, &selector.reference) {
            (Some(id), _) => self.visible_customer(tenant, id).await?,
            (None, Some(reference)) => self.visible_by_reference(tenant, reference).await?,
            (None, None) => None,
        };
        match stored {
            Some(customer) => self.profile_of(&customer).await,
            None => Ok(given),
        }
    }

    pub(super) async fn resolve_customer(
        &self,
        tenant: &TenantId,
        selector: &CustomerSelector,
    ) -> Result<Customer> {
        if let Some(id) = selector.id {
            let found = self.visible_customer(tenant, id).await?;
            return found.ok_or_else(|| Error::not_found("customer"));
        }
        let reference = selector.reference.as_deref().unwrap_or_default();
        self.upsert_customer(tenant, reference, &selector.profile()).await
    }

    async fn upsert_customer(
        &self,
        tenant: &TenantId,
        reference: &str,
        profile: &CustomerProfile,
    ) -> Result<Customer> {
        for _ in 0..MAX_ROUNDS {
            let (customer, changes) = match self.visible_by_reference(tenant, reference).await? {
                Some(stored) => {
                    let unchanged =
                        *profile == CustomerProfile::default() || self.profile_of(&stored).await? == *profile;
                    if unchanged {
                        return Ok(stored);
                    }
                    self.with_profile(stored, profile).await?
                }
                None => self.new_customer(tenant, reference, profile).await?,
            };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(customer);
            }
            self.vault().forget(tenant, &customer.id.to_string());
        }
        Err(contended())
    }

    async fn new_customer(
        &self,
        tenant: &TenantId,
        reference: &str,
        profile: &CustomerProfile,
    ) -> Result<(Customer, Changes)> {
        let now = self.now();
        let id = CustomerId::generate(now, self.entropy().as_ref())?;
        let owner = id.to_string();
        let place = Place { tenant, owner: &owner, kind: sealed_kind::CUSTOMER_PROFILE, object: &owner };
        let record = self.vault().seal_json(place, profile).await?;
        let customer = Customer {
            id,
            tenant: tenant.clone(),
            reference: reference.to_owned(),
            profile: record.id,
            erasure: None,
            created_at: now,
            updated_at: now,
            version: 1,
        };
        let changes = Changes {
            customers: vec![Write::Insert(customer.clone())],
            vault: vec![Write::Insert(record)],
            ..Changes::default()
        };
        Ok((customer, changes))
    }

    async fn with_profile(
        &self,
        mut customer: Customer,
        profile: &CustomerProfile,
    ) -> Result<(Customer, Changes)> {
        let record = self.profile_record(&customer).await?;
        let record = self.vault().reseal_json(record, profile).await?;
        customer.updated_at = self.now();
        customer.version += 1;
        let changes = Changes {
            customers: vec![Write::Update(customer.clone())],
            vault: vec![Write::Update(record)],
            ..Changes::default()
        };
        Ok((customer, changes))
    }

    async fn profile_record(&self, customer: &Customer) -> Result<VaultRecord> {
        let found = self.store().vault_record(&customer.tenant, customer.profile).await?;
        match found {
            Some(record) => Ok(record),
            None => Err(self.gone_or_lost(customer).await?),
        }
    }

    /// A profile that is missing is lost, unless its customer was erased since they were looked up.
    async fn gone_or_lost(&self, customer: &Customer) -> Result<Error> {
        let now = self.visible_customer(&customer.tenant, customer.id).await?;
        Ok(if now.is_some() { lost(customer) } else { Error::not_found("customer") })
    }

    async fn profile_of(&self, customer: &Customer) -> Result<CustomerProfile> {
        let record = self.profile_record(customer).await?;
        self.open_profile(customer, &record).await
    }

    /// The record must be this customer's: a row may have been made to point at somebody else's.
    async fn open_profile(&self, customer: &Customer, record: &VaultRecord) -> Result<CustomerProfile> {
        if record.owner != customer.id.to_string() || record.kind != sealed_kind::CUSTOMER_PROFILE {
            return Err(lost(customer));
        }
        self.vault().open_json_if_kept(record).await?.ok_or_else(|| Error::not_found("customer"))
    }

    async fn customer_view(&self, customer: &Customer) -> Result<CustomerView> {
        Ok(CustomerView::new(customer, self.profile_of(customer).await?))
    }
}

fn lost(customer: &Customer) -> Error {
    Error::new(ErrorKind::Vault, "a stored value could not be sealed or opened")
        .with_context("customer", customer.id.to_string())
}
