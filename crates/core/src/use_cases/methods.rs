//! Listing, choosing and deleting saved methods. No token is opened here.

use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{CustomerId, PaymentMethodId};
use crate::name::TenantId;
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::store::{Changes, Commit, Page, Removal, Write};
use crate::view::PaymentMethodView;

impl Billfold {
    /// A customer's methods, oldest first.
    pub async fn list_methods(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        page: Page<PaymentMethodId>,
    ) -> Result<Vec<PaymentMethodView>> {
        if self.visible_customer(tenant, customer).await?.is_none() {
            return Err(Error::not_found("customer"));
        }
        let methods = self.store().methods(tenant, customer, page).await?;
        Ok(methods.iter().map(PaymentMethodView::from).collect())
    }

    /// One method; a deleted one is not found.
    pub async fn get_method(&self, tenant: &TenantId, id: PaymentMethodId) -> Result<PaymentMethodView> {
        let method = self.stored_method(tenant, id).await?;
        if method.status == PaymentMethodStatus::Deleted {
            return Err(Error::not_found("payment method"));
        }
        Ok(PaymentMethodView::from(&method))
    }

    /// Makes a method its customer's default. Only one that is usable, or about to be, can be it.
    pub async fn set_default(&self, tenant: &TenantId, id: PaymentMethodId) -> Result<PaymentMethodView> {
        for _ in 0..MAX_ROUNDS {
            let mut method = self.stored_method(tenant, id).await?;
            match method.status {
                PaymentMethodStatus::Active | PaymentMethodStatus::Pending => {}
                PaymentMethodStatus::Deleted => return Err(Error::not_found("payment method")),
                PaymentMethodStatus::Failed | PaymentMethodStatus::Expired | PaymentMethodStatus::Revoked => {
                    let message =
                        format!("the payment method is {} and cannot be the default", method.status.as_str());
                    return Err(Error::conflict(message));
                }
            }
            if method.is_default {
                return Ok(PaymentMethodView::from(&method));
            }
            let mut changes = Changes::default();
            if let Some(current) = self.store().default_method(tenant, method.customer_id).await? {
                changes.methods.push(Write::Update(self.without_default(current)));
            }
            method.is_default = true;
            method.updated_at = self.now();
            method.version += 1;
            changes.events.push(self.method_event("payment_method.default_changed", &method)?);
            changes.methods.push(Write::Update(method.clone()));
            if self.commit(changes).await? == Commit::Applied {
                return Ok(PaymentMethodView::from(&method));
            }
        }
        Err(contended())
    }

    /// Deletes a method: at once here, and at the gateway as soon as it answers. Its token is
    /// destroyed once the gateway let go of it. Deleting twice gives the same answer.
    pub async fn delete_method(&self, tenant: &TenantId, id: PaymentMethodId) -> Result<PaymentMethodView> {
        let deleted = self.delete_method_and_token_at(tenant, id, self.now()).await?;
        self.announce_work();
        Ok(deleted)
    }

    /// Deletes a method here; its token is deleted at its gateway by whoever comes first after `due`.
    pub(super) async fn delete_method_and_token_at(
        &self,
        tenant: &TenantId,
        id: PaymentMethodId,
        due: Timestamp,
    ) -> Result<PaymentMethodView> {
        for _ in 0..MAX_ROUNDS {
            let mut method = self.stored_method(tenant, id).await?;
            if method.status == PaymentMethodStatus::Deleted {
                return Ok(PaymentMethodView::from(&method));
            }
            let mut changes = Changes::default();
            if let Some(token) = method.token.take() {
                let removal = Removal { next_attempt_at: Some(due), ..self.removal(&method, token)? };
                changes.removals.push(Write::Insert(removal));
            }
            method.status = PaymentMethodStatus::Deleted;
            method.is_default = false;
            method.next_check_at = None;
            method.updated_at = self.now();
            method.version += 1;
            changes.events.push(self.method_event("payment_method.deleted", &method)?);
            changes.methods.push(Write::Update(method.clone()));
            if self.commit(changes).await? == Commit::Applied {
                return Ok(PaymentMethodView::from(&method));
            }
        }
        Err(contended())
    }

    async fn stored_method(&self, tenant: &TenantId, id: PaymentMethodId) -> Result<PaymentMethod> {
        self.store().method(tenant, id).await?.ok_or_else(|| Error::not_found("payment method"))
    }
}
