//! Capturing, canceling and refunding: each is noted before the gateway is asked, so that nothing is asked twice.

use serde::Deserialize;

use super::{MAX_ROUNDS, charging, contended, nothing_happened};
use crate::billfold::Billfold;
use crate::charge::{CAPTURING, Charge, ChargeStatus, Refund, RefundReason, RefundStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{ChargeId, RefundId};
use crate::idempotency::Intent;
use crate::money::Money;
use crate::name::TenantId;
use crate::provider::{CreateRefund, ProviderRefund};
use crate::session::Via;
use crate::store::{Changes, Commit, Write};
use crate::view::ChargeView;

/// A request to give money back.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartRefund {
    /// How much, in minor units; all that is left when nothing is said.
    #[serde(default)]
    pub amount: Option<i64>,
    /// Why.
    #[serde(default)]
    pub reason: RefundReason,
    /// The same in every attempt at this request: whoever tries again finds the refund of the attempt before.
    #[serde(skip)]
    pub intent: Option<Intent>,
}

impl Billfold {
    /// Takes what was authorized, or a part of it where the gateway can; the rest is let go.
    pub async fn capture_charge(
        &self,
        tenant: &TenantId,
        id: ChargeId,
        amount: Option<i64>,
    ) -> Result<ChargeView> {
        let (charge, money) = self.begin_capture(tenant, id, amount).await?;
        let gateway = self.gateway_of(tenant, &charge.gateway)?;
        // A capture that failed may be followed by one of another amount, which no gateway takes for the same.
        let key = format!("{}-capture-{}", charge.id, charge.captures());
        let cx = gateway.context(self.clock(), key);
        let named = self.charge_ref(&charge).await?;
        let captured = charging(gateway)?.capture_charge(&cx, named, money);
        match self.call(gateway, "capture_charge", captured).await {
            Ok(observed) => {
                let settled = self.settle_charge(gateway, charge, &observed, Via::Create).await?;
                self.charge_view(&settled).await
            }
            Err(error) if nothing_happened(&error).is_some() => {
                self.capture_failed(charge).await?;
                Err(error)
            }
            // It may have been captured: the charge is asked about.
            Err(_) => self.charge_view(&self.reload_charge(&charge).await?).await,
        }
    }

    async fn begin_capture(
        &self,
        tenant: &TenantId,
        id: ChargeId,
        amount: Option<i64>,
    ) -> Result<(Charge, Money)> {
        for _ in 0..MAX_ROUNDS {
            let mut charge = self.visible_charge(tenant, id).await?;
            let gateway = self.gateway_of(tenant, &charge.gateway)?;
            let abilities = charging(gateway)?.abilities();
            if charge.status != ChargeStatus::Authorized {
                let status = charge.status.as_str();
                return Err(Error::conflict(format!(
                    "the charge is {status}; only an authorized one is captured"
                )));
            }
            if let Some(before) = charge.details.capturing {
                return Err(Error::conflict(format!("{before} minor units are being captured already")));
            }
            let amount = amount.unwrap_or(charge.money.amount);
            if amount <= 0 || amount > charge.money.amount {
                let message = format!("expected 1 to {} minor units", charge.money.amount);
                return Err(Error::invalid("/amount", message));
            }
            if amount != charge.money.amount && !abilities.partial_capture {
                let message = format!("{} captures all or nothing", gateway.capabilities().name);
                return Err(Error::invalid("/amount", message));
            }
            charge.details.capturing = Some(amount);
            self.note(&mut charge, CAPTURING, None);
            charge.next_check_at = self.schedule().next_charge_check(&charge, charge.updated_at);
            let changes = Changes { charges: vec![Write::Update(charge.clone())], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                let currency = charge.money.currency;
                return Ok((charge, Money { amount, currency }));
            }
        }
        Err(contended())
    }

    pub(super) async fn capture_failed(&self, mut charge: Charge) -> Result<()> {
        for _ in 0..MAX_ROUNDS {
            if charge.details.capturing.is_none() {
                return Ok(());
            }
            let mut failed = charge.clone();
            failed.details.capturing = None;
            self.note(&mut failed, "capture_failed", None);
            let changes = Changes { charges: vec![Write::Update(failed)], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(());
            }
            charge = self.reload_charge(&charge).await?;
        }
        Err(contended())
    }

    /// Ends a charge before its money is taken. Canceling one that was canceled answers it; one that ended otherwise,
    /// or ends while it is being canceled, is a conflict that names its status.
    pub async fn cancel_charge(&self, tenant: &TenantId, id: ChargeId) -> Result<ChargeView> {
        let charge = self.visible_charge(tenant, id).await?;
        if charge.status.is_final() {
            return self.canceled_charge(&charge).await;
        }
        let gateway = self.gateway_of(tenant, &charge.gateway)?;
        let charging = charging(gateway)?;
        if !charging.abilities().cancel {
            let message = format!("{} does not end charges that have begun", gateway.capabilities().name);
            return Err(Error::new(ErrorKind::Unsupported, message));
        }
        if charge.provider_reference.is_none() {
            return Err(Error::conflict("the gateway has not confirmed the charge yet"));
        }
        let cx = gateway.context(self.clock(), format!("{}-cancel", charge.id));
        let named = self.charge_ref(&charge).await?;
        let observed = self.call(gateway, "cancel_charge", charging.cancel_charge(&cx, named)).await?;
        let settled = self.settle_charge(gateway, charge, &observed, Via::Cancel).await?;
        self.canceled_charge(&settled).await
    }

    async fn canceled_charge(&self, charge: &Charge) -> Result<ChargeView> {
        match charge.status {
            // Some gateways say later that it is done.
            ChargeStatus::Canceled | ChargeStatus::Processing | ChargeStatus::Authorized => {
                self.charge_view(charge).await
            }
            status => {
                Err(Error::conflict(format!("the charge is {} and cannot be canceled", status.as_str())))
            }
        }
    }

    /// Gives money back: all that is left, or a part of it where the gateway can. The refund is among the charge's.
    pub async fn refund_charge(
        &self,
        tenant: &TenantId,
        id: ChargeId,
        request: StartRefund,
    ) -> Result<ChargeView> {
        let refund = match &request.intent {
            Some(intent) => intent.id(),
            None => RefundId::generate(self.now(), self.entropy().as_ref())?,
        };
        let (charge, refund) = match self.begin_refund(tenant, id, refund, &request).await? {
            (charge, Some(refund)) => (charge, refund),
            (before, None) => return self.charge_view(&before).await,
        };
        let gateway = self.gateway_of(tenant, &charge.gateway)?;
        let cx = gateway.context(self.clock(), refund.id.to_string());
        let named = self.charge_ref(&charge).await?;
        let money = Money { amount: refund.amount, currency: charge.money.currency };
        let create = CreateRefund::new(named, refund.id.to_string(), money, refund.reason);
        let asked = charging(gateway)?.refund_charge(&cx, create);
        let settled = match self.call(gateway, "refund_charge", asked).await {
            Ok(observed) => self.settle_refund(charge, refund.id, &observed, Via::Create).await?,
            Err(error) if nothing_happened(&error).is_some() => {
                let mut failed = ProviderRefund::new("", RefundStatus::Failed);
                failed.code = error.fault().and_then(|fault| fault.code.clone());
                self.settle_refund(charge, refund.id, &failed, Via::Create).await?;
                return Err(error.with_context("refund", refund.id.to_string()));
            }
            // It may have been made: it is asked about, and never asked for again.
            Err(_) => self.refund_unknown(charge, refund.id).await?,
        };
        self.charge_view(&settled).await
    }

    /// Notes a refund, unless another attempt at the same request did: then there is none to ask for.
    async fn begin_refund(
        &self,
        tenant: &TenantId,
        id: ChargeId,
        refund: RefundId,
        request: &StartRefund,
    ) -> Result<(Charge, Option<Refund>)> {
        for _ in 0..MAX_ROUNDS {
            let mut charge = self.visible_charge(tenant, id).await?;
            if charge.details.refunds.iter().any(|known| known.id == refund) {
                return Ok((charge, None));
            }
            let gateway = self.gateway_of(tenant, &charge.gateway)?;
            let (name, abilities) = (&gateway.capabilities().name, charging(gateway)?.abilities());
            if !abilities.refunds {
                return Err(Error::new(ErrorKind::Unsupported, format!("{name} gives no money back")));
            }
            if charge.status != ChargeStatus::Succeeded {
                let status = charge.status.as_str();
                return Err(Error::conflict(format!(
                    "the charge is {status}; only one that succeeded is refunded"
                )));
            }
            let left = charge.details.captured - charge.refunded();
            if left <= 0 {
                return Err(Error::conflict("everything was given back already"));
            }
            let amount = request.amount.unwrap_or(left);
            if amount <= 0 || amount > left {
                return Err(Error::invalid("/amount", format!("expected 1 to {left} minor units")));
            }
            if amount != charge.details.captured && !abilities.partial_refunds {
                return Err(Error::invalid("/amount", format!("{name} gives back all or nothing")));
            }
            let now = self.now();
            let refund = Refund {
                id: refund,
                amount,
                status: RefundStatus::Processing,
                reason: request.reason,
                provider_reference: None,
                code: None,
                created_at: now,
                updated_at: now,
            };
            charge.details.refunds.push(refund.clone());
            self.note(&mut charge, "refund_processing", None);
            charge.next_check_at = self.schedule().next_charge_check(&charge, now);
            let changes = Changes { charges: vec![Write::Update(charge.clone())], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok((charge, Some(refund)));
            }
        }
        Err(contended())
    }

    async fn refund_unknown(&self, mut charge: Charge, id: RefundId) -> Result<Charge> {
        for _ in 0..MAX_ROUNDS {
            let mut unknown = charge.clone();
            let waits = |refund: &&mut Refund| refund.id == id && refund.status == RefundStatus::Processing;
            let Some(refund) = unknown.details.refunds.iter_mut().find(waits) else { return Ok(charge) };
            if refund.provider_reference.is_some() {
                return Ok(charge);
            }
            refund.status = RefundStatus::Unknown;
            refund.updated_at = self.now();
            self.note(&mut unknown, "refund_unknown", Some(Via::Create));
            unknown.next_check_at = self.schedule().next_charge_check(&unknown, unknown.updated_at);
            let changes = Changes { charges: vec![Write::Update(unknown.clone())], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(unknown);
            }
            charge = self.reload_charge(&charge).await?;
        }
        Err(contended())
    }
}
