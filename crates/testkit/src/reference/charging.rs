//! The provider's side of charges.

use async_trait::async_trait;
use billfold_core::capability::MethodKind;
use billfold_core::charge::{CaptureMode, DeclineClass, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, NextAction,
    ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef,
};
use billfold_core::secret::{ExposeSecret as _, SecretString};
use billfold_core::{Error, ErrorKind, Result};

use super::ReferenceProvider;
use super::charges::{ChargeOutcome, Ledger, LedgerCharge, LedgerRefund};

/// Everything that a gateway can do with charges.
pub(super) fn abilities() -> ChargeAbilities {
    ChargeAbilities {
        manual_capture: MethodKind::ALL.to_vec(),
        partial_capture: true,
        cancel: true,
        refunds: true,
        partial_refunds: true,
        lookup: true,
        pending_methods: false,
    }
}

#[async_trait]
impl ChargeProvider for ReferenceProvider {
    fn abilities(&self) -> &ChargeAbilities {
        &self.abilities
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let key = self.key(cx);
        self.gateway
            .act("charge", |state| {
                let over = state.is_over(request.token.token.expose_secret());
                let ledger = &mut state.ledger;
                if let Some(id) = ledger.by_key.get(&key).cloned() {
                    let made = ledger.find(Some(&id), "").cloned().ok_or_else(unknown)?;
                    return Ok(observed(made, ledger));
                }
                let asked = match request.capture {
                    CaptureMode::Automatic => ChargeOutcome::Succeeded,
                    CaptureMode::Manual => ChargeOutcome::Authorized,
                };
                let outcome = ledger.outcomes.pop_front().unwrap_or(asked);
                // Nothing is taken by a token that was deleted, or that the bank took back.
                let outcome = if over { ChargeOutcome::Declined(DeclineClass::Revoked) } else { outcome };
                let made = ledger.enter(request, outcome).clone();
                ledger.by_key.insert(key, made.id.clone());
                Ok(observed(made, ledger))
            })
            .await
    }

    async fn fetch_charge(&self, _cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        if let Some(error) = self.gateway.take_trouble("fetch_charge").await {
            return Err(error);
        }
        if charge.reference.is_none() && !self.abilities.lookup {
            return Ok(Lookup::CannotTell);
        }
        let mut state = self.gateway.state();
        let found = state.ledger.find(charge.reference.as_deref(), &charge.merchant_reference).cloned();
        Ok(found.map_or(Lookup::Missing, |found| Lookup::Found(observed(found, &state.ledger))))
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        self.key(cx);
        self.change("capture_charge", charge, |charge| {
            if charge.status != ProviderChargeStatus::Authorized {
                return Err(refused("the gateway captures only what is authorized"));
            }
            charge.status = ProviderChargeStatus::Succeeded;
            charge.captured = money.amount;
            Ok(())
        })
        .await
    }

    async fn cancel_charge(&self, _cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        self.change("cancel_charge", charge, |charge| {
            use ProviderChargeStatus as P;
            if matches!(charge.status, P::Processing | P::RequiresAction | P::Authorized) {
                charge.status = P::Canceled;
            }
            Ok(())
        })
        .await
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        self.key(cx);
        let CreateRefund { charge, reference, money, .. } = request;
        self.gateway
            .act("refund_charge", |state| {
                let status = state.ledger.refunds.pop_front().unwrap_or(RefundStatus::Succeeded);
                let asked = (charge.reference.as_deref(), charge.merchant_reference.as_str());
                let charge = state.ledger.find(asked.0, asked.1).ok_or_else(unknown)?;
                if let Some(made) = charge.refunds.iter().find(|refund| refund.reference == reference) {
                    return Ok(told(made));
                }
                let counts = |refund: &&LedgerRefund| refund.status != RefundStatus::Failed;
                let back: i64 = charge.refunds.iter().filter(counts).map(|refund| refund.money.amount).sum();
                if charge.status != ProviderChargeStatus::Succeeded || back + money.amount > charge.captured {
                    return Err(refused("the gateway gives back no more than it took"));
                }
                let id = format!("{}-re-{:04}", charge.id, charge.refunds.len() + 1);
                let made = LedgerRefund { id, reference, money, status };
                charge.refunds.push(made.clone());
                Ok(told(&made))
            })
            .await
    }

    async fn fetch_refund(&self, _cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        if let Some(error) = self.gateway.take_trouble("fetch_refund").await {
            return Err(error);
        }
        let charge = (refund.charge.reference.as_deref(), refund.charge.merchant_reference.as_str());
        let mut state = self.gateway.state();
        let made = state.ledger.find(charge.0, charge.1).and_then(|charge| {
            charge.refunds.iter().find(|made| match &refund.reference {
                Some(id) => made.id == *id,
                None => made.reference == refund.merchant_reference,
            })
        });
        Ok(made.map_or(Lookup::Missing, |made| Lookup::Found(told(made))))
    }
}

impl ReferenceProvider {
    /// The call's key, which is kept for tests to look at.
    fn key(&self, cx: &CallContext) -> String {
        self.gateway.state().ledger.keys.push(cx.idempotency_key.clone());
        cx.idempotency_key.clone()
    }

    async fn change(
        &self,
        call: &'static str,
        charge: ChargeRef,
        change: impl FnOnce(&mut LedgerCharge) -> Result<()>,
    ) -> Result<ProviderCharge> {
        self.gateway
            .act(call, |state| {
                let found = state.ledger.find(charge.reference.as_deref(), &charge.merchant_reference);
                let found = found.ok_or_else(unknown)?;
                change(found)?;
                let changed = found.clone();
                Ok(observed(changed, &state.ledger))
            })
            .await
    }
}

fn unknown() -> Error {
    refused("the gateway does not know this charge")
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::GatewayRejected, message)
}

fn observed(charge: LedgerCharge, ledger: &Ledger) -> ProviderCharge {
    use ProviderChargeStatus as P;
    let mut observed = ProviderCharge::new(charge.id, charge.status);
    if charge.status == P::RequiresAction {
        let page = format!("https://pay.example/{}", observed.reference);
        observed.next = Some(NextAction::Redirect(SecretString::from(page)));
    }
    observed.money = Some(charge.money);
    observed.captured = (charge.status == P::Succeeded).then_some(charge.captured);
    observed.decline = charge.decline;
    observed.echo.reference = Some(charge.reference);
    if matches!(charge.status, P::Succeeded | P::Authorized) {
        observed.remember.clone_from(&ledger.remember);
    }
    observed
}

fn told(refund: &LedgerRefund) -> ProviderRefund {
    let mut told = ProviderRefund::new(refund.id.clone(), refund.status);
    told.money = Some(refund.money);
    told.code = (refund.status == RefundStatus::Failed).then(|| "refund_failed".to_owned());
    told
}
