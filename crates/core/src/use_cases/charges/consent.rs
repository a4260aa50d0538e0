//! What the customer agreed to, what the gateway can do, and what the method is worth now: all checked before anything
//! is stored or sent.

use std::time::Duration;

use url::Url;

use super::{StartCharge, charging};
use crate::billfold::Billfold;
use crate::capability::Usage;
use crate::charge::{CaptureMode, Charge, ChargeReason, ChargeStatus, Initiator};
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::id::PaymentMethodId;
use crate::money::Country;
use crate::name::TenantId;
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::provider::RecurringTerms;
use crate::session::Session;
use crate::store::{ChargeFilter, Page};
use crate::use_cases::validate::Problems;

const DAY: Duration = Duration::from_hours(24);
/// How many of a method's latest charges are looked at for the terms; more lie before them only if all were declined.
const LOOK_BACK: u32 = 50;
const MAX_REFERENCE: usize = 255;
const MAX_DESCRIPTION: usize = 1000;

/// A method that may be charged, with what was agreed when it was saved.
pub(super) struct Charged {
    pub(super) method: PaymentMethod,
    pub(super) country: Country,
    pub(super) recurring: Option<RecurringTerms>,
    pub(super) return_url: Url,
    pub(super) first: bool,
}

impl Billfold {
    /// The method, if it may be charged as asked.
    pub(super) async fn chargeable(
        &self,
        tenant: &TenantId,
        id: PaymentMethodId,
        request: &StartCharge,
    ) -> Result<Charged> {
        let method = self.store().method(tenant, id).await?;
        let method = method.filter(|method| method.status != PaymentMethodStatus::Deleted);
        let method = method.ok_or_else(|| Error::not_found("payment method"))?;
        if self.visible_customer(tenant, method.customer_id).await?.is_none() {
            return Err(Error::not_found("payment method"));
        }
        let gateway = self.gateway_of(tenant, &method.gateway)?;
        usable(gateway, &method)?;
        let session = self.store().session(tenant, method.session_id).await?;
        let session = session.ok_or_else(|| Error::internal("a saved method has no session"))?;
        self.check_request(gateway, &method, &session, request)?;
        let first = self.check_terms(&method, &session, request).await?;
        Ok(Charged {
            country: session.details.country,
            recurring: session.details.recurring.clone(),
            return_url: request.return_url.clone().unwrap_or(session.details.return_url),
            first,
            method,
        })
    }

    fn check_request(
        &self,
        gateway: &Gateway,
        method: &PaymentMethod,
        session: &Session,
        request: &StartCharge,
    ) -> Result<()> {
        let mut problems = Problems::default();
        if request.amount <= 0 {
            problems.add("/amount", "expected a number of minor units above 0");
        }
        let (initiator, reason) = (request.initiator, request.reason());
        if let Some((pointer, message)) = refused_use(method.usage, initiator, reason) {
            problems.add(pointer, message);
        }
        let capabilities = gateway.capabilities();
        let channel = capabilities
            .channels
            .iter()
            .find(|channel| channel.code == method.channel && channel.country == session.details.country);
        if let Some(channel) = channel {
            if !channel.currencies.contains(&request.currency) {
                let known: Vec<&str> = channel.currencies.iter().map(|currency| currency.code()).collect();
                let message = format!("{} is charged in {}", channel.name, known.join(", "));
                problems.add("/currency", message);
            }
            if initiator == Initiator::Merchant && !channel.merchant_initiated {
                let message =
                    format!("{} does not charge {} without the customer", capabilities.name, channel.name);
                problems.add("/initiator", message);
            }
        }
        let abilities = charging(gateway)?.abilities();
        if request.capture == CaptureMode::Manual && !abilities.manual_capture.contains(&method.kind) {
            let message = format!("{} captures a {} at once", capabilities.name, method.kind.as_str());
            problems.add("/capture", message);
        }
        texts(&mut problems, request);
        super::super::validate::metadata(&mut problems, gateway, &request.metadata);
        if let Some(url) = &request.return_url {
            super::super::validate::return_url(&mut problems, self, url);
        }
        problems.into_result()
    }

    /// The terms of charges that the merchant starts. Says whether this is the first charge with the method.
    async fn check_terms(
        &self,
        method: &PaymentMethod,
        session: &Session,
        request: &StartCharge,
    ) -> Result<bool> {
        let filter = ChargeFilter { method: Some(method.id), ..ChargeFilter::default() };
        let recent = self.store().charges(&method.tenant, filter, Page::first(LOOK_BACK)).await?;
        let paid = |status| matches!(status, ChargeStatus::Succeeded | ChargeStatus::Authorized);
        let first = !recent.iter().any(|charge| paid(charge.status));
        let terms = session.details.recurring.as_ref();
        let Some(terms) = terms.filter(|_| request.initiator == Initiator::Merchant) else {
            return Ok(first);
        };
        let now = self.now();
        if Timestamp::end_of_day(&terms.ends_on).is_some_and(|end| now >= end) {
            let message = format!(
                "the customer agreed to charges until {}; save the payment method anew for more",
                terms.ends_on
            );
            return Err(Error::conflict(message));
        }
        let counts = |charge: &&Charge| {
            let over = matches!(charge.status, ChargeStatus::Declined | ChargeStatus::Canceled);
            charge.details.initiator == Initiator::Merchant && !over
        };
        // Not the newest by id: the id of a request that was repeated tells when it was made first.
        let before = recent.iter().filter(counts).max_by_key(|charge| charge.created_at);
        if let Some(before) = before {
            let next = before.created_at.plus(DAY * terms.frequency_days);
            if next > now {
                let message = format!(
                    "the customer agreed to at least {} days between charges, and {} began at {}: the next may begin at {next}",
                    terms.frequency_days, before.id, before.created_at
                );
                return Err(Error::conflict(message));
            }
        }
        Ok(first)
    }
}

fn usable(gateway: &Gateway, method: &PaymentMethod) -> Result<()> {
    let pending = charging(gateway)?.abilities().pending_methods;
    match method.status {
        PaymentMethodStatus::Active => Ok(()),
        PaymentMethodStatus::Pending if pending => Ok(()),
        status => Err(Error::conflict(format!(
            "the payment method is {} and cannot be charged{}",
            status.as_str(),
            if status == PaymentMethodStatus::Pending { " yet" } else { "; save one anew" }
        ))),
    }
}

/// Which field asks for a use that the customer did not agree to, and what would be right.
fn refused_use(usage: Usage, initiator: Initiator, reason: ChargeReason) -> Option<(&'static str, String)> {
    if initiator == Initiator::Customer {
        return None;
    }
    let agreed = match usage {
        Usage::Recurring => matches!(reason, ChargeReason::Recurring | ChargeReason::Installment),
        Usage::UnscheduledMerchant => reason == ChargeReason::Unscheduled,
        Usage::OnSession | Usage::UnscheduledCustomer => {
            let message = format!(
                "the customer agreed to {}, which means that they start each charge; save the method anew for usage recurring or unscheduled_merchant",
                usage.as_str()
            );
            return Some(("/initiator", message));
        }
    };
    let may = if usage == Usage::Recurring { "recurring or installment" } else { "unscheduled" };
    (!agreed).then(|| {
        let message = format!("the customer agreed to {}: expected {may}", usage.as_str());
        ("/reason", message)
    })
}

fn texts(problems: &mut Problems, request: &StartCharge) {
    let long = |text: &Option<String>, most: usize| {
        text.as_ref().is_some_and(|text| {
            let length = text.chars().count();
            length == 0 || length > most || text.chars().any(char::is_control)
        })
    };
    if long(&request.reference, MAX_REFERENCE) {
        problems.add("/reference", format!("expected 1 to {MAX_REFERENCE} printable characters"));
    }
    if long(&request.description, MAX_DESCRIPTION) {
        problems.add("/description", format!("expected 1 to {MAX_DESCRIPTION} printable characters"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merchant_charges_only_as_the_customer_agreed() {
        use ChargeReason as R;
        let reasons = [R::OneOff, R::Recurring, R::Installment, R::Unscheduled];
        for usage in Usage::ALL {
            for reason in reasons {
                assert_eq!(refused_use(usage, Initiator::Customer, reason), None);
                let allowed = matches!(
                    (usage, reason),
                    (Usage::Recurring, R::Recurring | R::Installment)
                        | (Usage::UnscheduledMerchant, R::Unscheduled)
                );
                let refused = refused_use(usage, Initiator::Merchant, reason);
                assert_eq!(refused.is_none(), allowed, "{usage:?} {reason:?}");
            }
        }
    }
}
