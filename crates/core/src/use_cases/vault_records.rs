//! The merchant's own values in the vault. Whose they are has to be somebody who can be erased.

use crate::billfold::Billfold;
use crate::erasure::Shred;
use crate::error::{Error, Result};
use crate::id::{CustomerId, WebhookEndpointId};
use crate::name::TenantId;
use crate::store::{Changes, Page};
use crate::vault::{KeyPurpose, PutRecord, PutResult};

impl Billfold {
    /// Stores a value, as [`Vault::put`](crate::vault::Vault::put) does. An owner that looks like a customer's id has to
    /// be a customer of the tenant who is not being erased.
    ///
    /// Errors: [`ErrorKind::InvalidRequest`](crate::ErrorKind::InvalidRequest) with pointers, and those of the vault.
    pub async fn put_vault_record(&self, tenant: &TenantId, put: PutRecord) -> Result<PutResult> {
        self.check_owner(tenant, &put.owner).await?;
        let Ok(customer) = put.owner.parse::<CustomerId>() else {
            return self.vault().put(tenant, put).await;
        };
        let owner = put.owner.clone();
        self.refuse_unless_customer(tenant, customer).await?;
        let stored = self.vault().put(tenant, put).await?;
        let Err(refused) = self.refuse_unless_customer(tenant, customer).await else { return Ok(stored) };
        // Erased while the value was stored: it goes with all the others, or after them.
        let mut changes = Changes::default();
        if self.store().customer(tenant, customer).await?.is_some() {
            changes.vault_deletes.push((tenant.clone(), stored.record.id));
        } else {
            changes.shreds.push(Shred { tenant: tenant.clone(), owner: owner.clone() });
        }
        self.store().commit(changes).await?;
        self.vault().forget(tenant, &owner);
        Err(refused)
    }

    /// Refuses owners of Billfold's own values, which are nobody's data subject.
    pub(super) async fn check_owner(&self, tenant: &TenantId, owner: &str) -> Result<()> {
        if self.gateways(tenant).any(|gateway| gateway.name.as_str() == owner) {
            return Err(Error::invalid(
                "/owner",
                "this is the name of a gateway, whose webhooks are sealed under it",
            ));
        }
        if let Ok(endpoint) = owner.parse::<WebhookEndpointId>()
            && self.store().webhook_endpoint(tenant, endpoint).await?.is_some()
        {
            return Err(Error::invalid(
                "/owner",
                "this is a webhook endpoint; its secret goes when it is deleted",
            ));
        }
        Ok(())
    }

    async fn refuse_unless_customer(&self, tenant: &TenantId, id: CustomerId) -> Result<()> {
        let found = self.store().customer(tenant, id).await?;
        if found.is_some_and(|customer| customer.erasure.is_none()) {
            return Ok(());
        }
        Err(Error::invalid("/owner", "there is no such customer; other owners may have any other name"))
    }

    /// Whether anything is sealed for an owner, or could be.
    pub(super) async fn has_values(&self, tenant: &TenantId, owner: &str) -> Result<bool> {
        let key = self.store().primary_vault_key(tenant, owner, KeyPurpose::Data).await?;
        Ok(key.is_some()
            || !self.store().vault_records_of(tenant, owner, None, Page::first(1)).await?.is_empty())
    }
}
