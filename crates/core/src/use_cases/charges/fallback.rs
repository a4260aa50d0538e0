//! Charging a customer: the default method, and the others in their order where the merchant asked for that.

use serde::Serialize;

use super::{Place, StartCharge};
use crate::billfold::Billfold;
use crate::charge::{Charge, ChargeStatus, DeclineClass};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ChargeId, CustomerId, PaymentMethodId};
use crate::name::TenantId;
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::store::Page;
use crate::view::ChargeView;

/// How many methods of a customer are tried.
const MAX_ATTEMPTS: usize = 5;
/// How many are looked through.
const MAX_METHODS: u32 = 100;

/// One charge among those that a request led to.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// Which charge.
    pub charge_id: ChargeId,
    /// With which method.
    pub payment_method_id: PaymentMethodId,
    /// How it ended.
    pub status: ChargeStatus,
    /// Why it was declined.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<DeclineClass>,
}

impl From<&Charge> for Attempt {
    fn from(charge: &Charge) -> Self {
        Self {
            charge_id: charge.id,
            payment_method_id: charge.payment_method_id,
            status: charge.status,
            class: charge.details.decline.as_ref().map(|decline| decline.class),
        }
    }
}

impl Billfold {
    /// Charges a customer's default method. With [`StartCharge::fallback`], a decline whose class allows it leads to
    /// the customer's next method that may be charged as asked, oldest first; each attempt is a charge of its own, and
    /// the answer is the last of them with all in their order.
    ///
    /// Errors are those of [`Billfold::charge_method`], and [`ErrorKind::Conflict`] without a default method.
    pub async fn charge_customer(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        request: StartCharge,
    ) -> Result<(ChargeView, Vec<Attempt>)> {
        if self.visible_customer(tenant, customer).await?.is_none() {
            return Err(Error::not_found("customer"));
        }
        let default = self.store().default_method(tenant, customer).await?;
        let default = default
            .ok_or_else(|| Error::conflict("the customer has no default payment method; save one first"))?;
        let mut charge = self.charge_once(tenant, default.id, &request, Place::FIRST).await?;
        let first = charge.id;
        let mut attempts = vec![Attempt::from(&charge)];
        if request.fallback {
            for method in self.other_methods(tenant, customer, &default).await? {
                let declined =
                    charge.details.decline.as_ref().filter(|_| charge.status == ChargeStatus::Declined);
                let goes_on = declined.is_some_and(|decline| decline.class.allows_fallback());
                if !goes_on || attempts.len() >= MAX_ATTEMPTS {
                    break;
                }
                let place = Place { index: attempts.len(), fallback_of: Some(first) };
                match self.charge_once(tenant, method.id, &request, place).await {
                    Ok(next) => charge = next,
                    // Not agreed to, or not usable: it was not tried.
                    Err(error) if matches!(error.kind(), ErrorKind::InvalidRequest | ErrorKind::Conflict) => {
                        continue;
                    }
                    Err(error) => return Err(error),
                }
                attempts.push(Attempt::from(&charge));
            }
        }
        Ok((self.charge_view(&charge).await?, attempts))
    }

    async fn other_methods(
        &self,
        tenant: &TenantId,
        customer: CustomerId,
        default: &PaymentMethod,
    ) -> Result<Vec<PaymentMethod>> {
        let mut methods = self.store().methods(tenant, customer, Page::first(MAX_METHODS)).await?;
        methods.retain(|method| {
            let usable = matches!(method.status, PaymentMethodStatus::Active | PaymentMethodStatus::Pending);
            method.id != default.id && method.mode == default.mode && usable
        });
        Ok(methods)
    }
}
