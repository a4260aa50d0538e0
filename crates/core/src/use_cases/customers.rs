//! Customers: found by the merchant's reference, their personal data sealed.

use super::{MAX_ROUNDS, contended, sealed_kind, validate};
use crate::billfold::Billfold;
use crate::customer::Customer;
use crate::error::{Error, Result};
use crate::id::CustomerId;
use crate::name::TenantId;
use crate::provider::CustomerProfile;
use crate::store::{Changes, Commit, Page, Write};
use crate::use_cases::CustomerSelector;
use crate::vault::Place;
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
        self.customer_view(&customer)
    }

    /// One customer.
    pub async fn get_customer(&self, tenant: &TenantId, id: CustomerId) -> Result<CustomerView> {
        let customer =
            self.store().customer(tenant, id).await?.ok_or_else(|| Error::not_found("customer"))?;
        self.customer_view(&customer)
    }

    /// The customer with the merchant's reference.
    pub async fn find_customer(&self, tenant: &TenantId, reference: &str) -> Result<CustomerView> {
        let found = self.store().customer_by_reference(tenant, reference).await?;
        self.customer_view(&found.ok_or_else(|| Error::not_found("customer"))?)
    }

    /// Customers, oldest first.
    pub async fn list_customers(
        &self,
        tenant: &TenantId,
        page: Page<CustomerId>,
    ) -> Result<Vec<CustomerView>> {
        let customers = self.store().customers(tenant, page).await?;
        customers.iter().map(|customer| self.customer_view(customer)).collect()
    }

    /// Refuses a selector that names nobody, or two people; changes nothing.
    pub(super) async fn check_selector(&self, tenant: &TenantId, selector: &CustomerSelector) -> Result<()> {
        match (&selector.id, &selector.reference) {
            (Some(id), None) if selector.profile() == CustomerProfile::default() => {
                let found = self.store().customer(tenant, *id).await?;
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
            (Some(id), _) => self.store().customer(tenant, id).await?,
            (None, Some(reference)) => self.store().customer_by_reference(tenant, reference).await?,
            (None, None) => None,
        };
        stored.map_or(Ok(given), |customer| self.profile_of(&customer))
    }

    pub(super) async fn resolve_customer(
        &self,
        tenant: &TenantId,
        selector: &CustomerSelector,
    ) -> Result<Customer> {
        if let Some(id) = selector.id {
            return self.store().customer(tenant, id).await?.ok_or_else(|| Error::not_found("customer"));
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
            let write = match self.store().customer_by_reference(tenant, reference).await? {
                Some(stored) => {
                    let unchanged =
                        *profile == CustomerProfile::default() || self.profile_of(&stored)? == *profile;
                    if unchanged {
                        return Ok(stored);
                    }
                    Write::Update(self.with_profile(stored, profile)?)
                }
                None => Write::Insert(self.new_customer(tenant, reference, profile)?),
            };
            let (Write::Insert(customer) | Write::Update(customer)) = write.clone();
            let changes = Changes { customers: vec![write], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(customer);
            }
        }
        Err(contended())
    }

    fn new_customer(
        &self,
        tenant: &TenantId,
        reference: &str,
        profile: &CustomerProfile,
    ) -> Result<Customer> {
        let now = self.now();
        let id = CustomerId::generate(now, self.entropy().as_ref())?;
        let text = id.to_string();
        let profile = self.vault().seal_json(&profile_place(tenant, &text), profile)?;
        let reference = reference.to_owned();
        Ok(Customer {
            id,
            tenant: tenant.clone(),
            reference,
            profile,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    fn with_profile(&self, mut customer: Customer, profile: &CustomerProfile) -> Result<Customer> {
        let text = customer.id.to_string();
        customer.profile = self.vault().seal_json(&profile_place(&customer.tenant, &text), profile)?;
        customer.updated_at = self.now();
        customer.version += 1;
        Ok(customer)
    }

    fn profile_of(&self, customer: &Customer) -> Result<CustomerProfile> {
        let text = customer.id.to_string();
        self.vault().open_json(&profile_place(&customer.tenant, &text), &customer.profile)
    }

    fn customer_view(&self, customer: &Customer) -> Result<CustomerView> {
        Ok(CustomerView::new(customer, self.profile_of(customer)?))
    }
}

fn profile_place<'a>(tenant: &'a TenantId, id: &'a str) -> Place<'a> {
    Place { tenant, kind: sealed_kind::CUSTOMER_PROFILE, record: id, owner: id }
}
