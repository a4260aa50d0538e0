//! Charges at a gateway: how they end is up to chance, and each change is told by a webhook.

use async_trait::async_trait;
use billfold_core::charge::{Decline, DeclineClass, Initiator, RefundStatus};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, NextAction,
    ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef, TokenizationProvider as _,
};
use billfold_core::secret::SecretString;
use billfold_core::{Error, Result};

use super::{Account, News};
use crate::reference::{ChargeOutcome, LedgerCharge};
use crate::simulation::Flaw;
use crate::simulation::scene::Scene;

impl Account {
    /// Whether this account cannot be asked about charges at all: it tells by signed webhooks.
    pub(in crate::simulation) const fn is_mute_at(index: usize) -> bool {
        index == 2
    }

    /// Whether this account finds a charge by our reference alone.
    pub(in crate::simulation) fn finds_by_reference(&self) -> bool {
        self.inner.charging().is_some_and(|charging| charging.abilities().lookup)
    }

    fn charger(&self) -> &dyn ChargeProvider {
        self.inner.charging().unwrap()
    }

    /// A charge by the gateway's id.
    pub(in crate::simulation) fn booked(&self, id: &str) -> Option<LedgerCharge> {
        self.gateway.ledger().into_iter().find(|charge| charge.id == id)
    }

    /// Tells where a charge stands.
    pub(in crate::simulation) fn tell_of_charge(&self, id: &str) {
        let Some(charge) = self.booked(id) else { return };
        let event = format!("charge.{}", format!("{:?}", charge.status).to_lowercase());
        self.send(&charge, charge.news(&event));
    }

    /// Tells where a refund of a charge stands.
    pub(in crate::simulation) fn tell_of_refund(&self, id: &str, refund: &str) {
        let Some(charge) = self.booked(id) else { return };
        let Some(refund) = charge.refunds.iter().find(|known| known.id == refund) else { return };
        let event = format!("refund.{}", refund.status.as_str());
        self.send(&charge, charge.refund_news(&event, refund));
    }

    fn send(&self, charge: &LedgerCharge, mut body: serde_json::Value) {
        let mute = Self::is_mute_at(self.index);
        if let Some(fields) = body.as_object_mut()
            && !mute
            && self.scene.dice.chance(200)
        {
            // Such webhooks carry the gateway's own id alone.
            fields.remove("reference");
        }
        let about = charge.reference.clone();
        self.scene.accounts.tell(News { account: self.index, about, body: body.to_string() });
    }

    /// How the next charge ends.
    fn decide(&self, request: &CreateCharge) {
        let Scene { weather, dice, .. } = &*self.scene;
        if weather.is_over() {
            return;
        }
        let outcome = match dice.below(20) {
            0 => ChargeOutcome::Declined(DeclineClass::InsufficientFunds),
            1 => ChargeOutcome::Declined(DeclineClass::DoNotRetry),
            2 => ChargeOutcome::Declined(DeclineClass::AuthenticationRequired),
            3..6 if request.initiator == Initiator::Customer => ChargeOutcome::RequiresAction,
            // Some money takes days.
            6..9 => ChargeOutcome::Processing,
            9..14 if self.index == 1 => ChargeOutcome::Processing,
            _ => return,
        };
        self.gateway.next_charge(outcome);
    }

    async fn make(&self, cx: &CallContext, mut request: CreateCharge) -> Result<ProviderCharge> {
        self.decide(&request);
        let asked = request.money;
        if self.scene.has(Flaw::MistakesAmounts) {
            request.money.amount *= 100;
        }
        let (name, amount) = (request.reference.clone(), request.money.amount);
        let mut made = self.charger().charge(cx, request).await?;
        self.scene.tell(format!(
            "    gateway {}: {} of {amount} is {:?} ({})",
            self.index,
            made.reference,
            made.status,
            crate::simulation::told::short(&name)
        ));
        if self.scene.has(Flaw::MistakesAmounts) {
            made.money = Some(asked);
            made.captured = made.captured.map(|_| asked.amount);
        }
        self.tell_of_charge(&made.reference);
        Ok(with_link(made))
    }

    async fn make_refund(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        if !self.scene.weather.is_over() && self.scene.dice.chance(300) {
            self.gateway.next_refund(RefundStatus::Processing);
        }
        let charge = request.charge.merchant_reference.clone();
        let made = self.charger().refund_charge(cx, request).await;
        if made.is_err() {
            // The order for a refund that was not made.
            self.gateway.forget_orders();
        }
        let made = made?;
        self.scene.tell(format!("    gateway {}: {} is {:?}", self.index, made.reference, made.status));
        if let Some(charge) = self.gateway.ledger().iter().find(|known| known.reference == charge) {
            self.tell_of_refund(&charge.id, &made.reference);
        }
        Ok(made)
    }

    async fn change(&self, change: impl Future<Output = Result<ProviderCharge>>) -> Result<ProviderCharge> {
        let changed = change.await?;
        self.scene.tell(format!("    gateway {}: {} is {:?}", self.index, changed.reference, changed.status));
        self.tell_of_charge(&changed.reference);
        Ok(with_link(changed))
    }
}

fn with_link(mut charge: ProviderCharge) -> ProviderCharge {
    if charge.status == ProviderChargeStatus::RequiresAction {
        let link = format!("https://pay.example/CANARY-link/{}", charge.reference);
        charge.next = Some(NextAction::Redirect(SecretString::from(link)));
    }
    charge
}

fn is_lost(error: &Error) -> bool {
    error.retry() == Retry::OutcomeUnknown
}

#[async_trait]
impl ChargeProvider for Account {
    fn abilities(&self) -> &ChargeAbilities {
        self.charger().abilities()
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let again = request.clone();
        match self.call("charge", self.make(cx, request)).await {
            Err(error) if is_lost(&error) && self.scene.has(Flaw::ChargesAnew) => {
                let mut other = cx.clone();
                other.idempotency_key.push_str("-again");
                self.call("charge", self.make(&other, again)).await
            }
            Err(error) if is_lost(&error) && self.scene.has(Flaw::SilenceIsDecline) => {
                Ok(ProviderCharge::declined("", Decline::new(DeclineClass::TryAgainLater, None)))
            }
            answer => answer,
        }
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        if Self::is_mute_at(self.index) {
            return Ok(Lookup::CannotTell);
        }
        let found = self.call("fetch_charge", self.charger().fetch_charge(cx, charge)).await?;
        Ok(match found {
            Lookup::Found(charge) => Lookup::Found(with_link(charge)),
            other => other,
        })
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        let captured = self.change(self.charger().capture_charge(cx, charge, money));
        self.call("capture_charge", captured).await
    }

    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        let canceled = self.change(self.charger().cancel_charge(cx, charge));
        self.call("cancel_charge", canceled).await
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let mut again = request.clone();
        let answer = self.call("refund_charge", self.make_refund(cx, request)).await;
        if !self.scene.has(Flaw::RefundsTwice) {
            return answer;
        }
        // Whatever was answered: refunds are rare, and lost answers to them more so.
        again.reference.push_str("-again");
        self.call("refund_charge", self.make_refund(cx, again)).await
    }

    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        if Self::is_mute_at(self.index) {
            return Ok(Lookup::CannotTell);
        }
        self.call("fetch_refund", self.charger().fetch_refund(cx, refund)).await
    }
}
