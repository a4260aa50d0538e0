//! Reading charges, and collecting a method anew after a decline that says so.

use url::Url;

use crate::billfold::Billfold;
use crate::charge::{Charge, ChargeStatus};
use crate::error::{Error, Result};
use crate::id::ChargeId;
use crate::idempotency::Intent;
use crate::name::TenantId;
use crate::session::Session;
use crate::store::{ChargeFilter, Event, Page};
use crate::use_cases::{CustomerSelector, StartSession};
use crate::view::{ChargeView, SessionView};

impl Billfold {
    /// One charge, with what the customer has to do while it waits for them.
    pub async fn get_charge(&self, tenant: &TenantId, id: ChargeId) -> Result<ChargeView> {
        let charge = self.visible_charge(tenant, id).await?;
        self.charge_view(&charge).await
    }

    /// Charges, the newest first, of one customer or one method if named; without links.
    pub async fn list_charges(
        &self,
        tenant: &TenantId,
        filter: ChargeFilter,
        page: Page<ChargeId>,
    ) -> Result<Vec<ChargeView>> {
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (mut views, mut rest) = (Vec::new(), page);
        // Those of customers who are being erased are passed over, so a page may take more than one look.
        while views.len() < wanted {
            let charges = self.store().charges(tenant, filter, rest).await?;
            let Some(last) = charges.last() else { break };
            rest.after = Some(last.id);
            for charge in &charges {
                if self.visible_customer(tenant, charge.customer_id).await?.is_some() {
                    views.push(ChargeView::new(charge, None));
                }
            }
        }
        views.truncate(wanted);
        Ok(views)
    }

    /// Opens a session that saves a method in the place of the one whose charge was declined: for the same customer,
    /// use, currency and country, at the same gateway. The method that it saves becomes the default.
    pub async fn collect_anew(
        &self,
        tenant: &TenantId,
        id: ChargeId,
        return_url: Option<Url>,
        intent: Option<Intent>,
    ) -> Result<SessionView> {
        let charge = self.visible_charge(tenant, id).await?;
        if charge.status != ChargeStatus::Declined {
            let message =
                format!("the charge is {}; only a declined one asks for this", charge.status.as_str());
            return Err(Error::conflict(message));
        }
        let method = self.store().method(tenant, charge.payment_method_id).await?;
        let method = method.ok_or_else(|| Error::not_found("payment method"))?;
        let session = self.store().session(tenant, method.session_id).await?;
        let Session { gateway, details, .. } =
            session.ok_or_else(|| Error::internal("a saved method has no session"))?;
        let customer = CustomerSelector { id: Some(charge.customer_id), ..CustomerSelector::default() };
        let back = return_url.or(charge.details.return_url).unwrap_or(details.return_url);
        let mut request = StartSession::new(customer, details.usage, details.currency, details.country, back);
        request.gateway = Some(gateway);
        request.recurring = details.recurring;
        request.locale = details.locale;
        request.make_default = true;
        request.metadata = details.metadata;
        request.intent = intent;
        self.start_session(tenant, request).await
    }

    /// A charge whose customer is not being erased.
    pub(super) async fn visible_charge(&self, tenant: &TenantId, id: ChargeId) -> Result<Charge> {
        let charge = self.store().charge(tenant, id).await?.ok_or_else(|| Error::not_found("charge"))?;
        let customer = self.visible_customer(tenant, charge.customer_id).await?;
        customer.map(|_| charge).ok_or_else(|| Error::not_found("charge"))
    }

    pub(super) async fn charge_view(&self, charge: &Charge) -> Result<ChargeView> {
        let next = match charge.next {
            Some(record) if charge.status == ChargeStatus::RequiresAction => {
                self.open_next(&charge.tenant, &charge.id.to_string(), record).await?
            }
            _ => None,
        };
        Ok(ChargeView::new(charge, next))
    }

    pub(super) fn charge_event(&self, name: &str, charge: &Charge) -> Result<Event> {
        self.event(name, &charge.tenant, charge.id.to_string(), &ChargeView::new(charge, None))
    }
}
