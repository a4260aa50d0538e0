//! What becomes of a charge after its call: webhooks, the customer's return, and the sweeper. All of them ask the
//! gateway and settle its answer.

use futures::FutureExt as _;
use url::Url;

use super::{MAX_ROUNDS, charging, contended};
use crate::billfold::Billfold;
use crate::charge::{Charge, ChargeStatus, Decline, DeclineClass, RefundStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::id::ChargeId;
use crate::money::Money;
use crate::provider::{
    Lookup, ProviderCharge, ProviderChargeStatus, ProviderRefund, RefundRef, ReturnRequest, SignedCharge,
};
use crate::session::Via;
use crate::store::{Changes, Commit, Write};
use crate::use_cases::returns;

impl Billfold {
    /// Asks about up to `limit` charges that are due and settles the answers; says how many there were.
    pub async fn reconcile_charges(&self, limit: u32) -> Result<usize> {
        let now = self.now();
        let claimed = self.store().claim_charges(now, now.plus(self.schedule().lease), limit).await?;
        let count = claimed.len();
        let work = |charge: Charge| {
            async move {
                let id = charge.id;
                if let Err(error) = self.sweep_charge(charge).await {
                    tracing::warn!(charge = %id, error = %error.log_line(), "a charge could not be swept");
                }
                Ok(())
            }
            .boxed()
        };
        self.within_budgets(claimed, work).await?;
        Ok(count)
    }

    async fn sweep_charge(&self, charge: Charge) -> Result<()> {
        let gateway = self.gateway_of(&charge.tenant, &charge.gateway);
        let asked = match gateway {
            Ok(gateway) => self.refresh_charge(gateway, charge.clone(), None, Via::Sweep).await,
            Err(error) => Err(error),
        };
        let mut charge = self.reload_charge(&charge).await?;
        let limited = asked.as_ref().is_err_and(|error| error.kind() == ErrorKind::GatewayRateLimited);
        if limited && charge.is_open() {
            return self.put_off_as_asked(charge).await;
        }
        charge.next_check_at = self.schedule().next_charge_check(&charge, self.now());
        charge.version += 1;
        // Stale means that something happened meanwhile, which set its own next check.
        self.store().commit(Changes { charges: vec![Write::Update(charge)], ..Changes::default() }).await?;
        asked.map(|_| ())
    }

    /// Asks the gateway about a charge and its open refunds.
    pub(in crate::use_cases) async fn refresh_charge(
        &self,
        gateway: &Gateway,
        charge: Charge,
        evidence: Option<String>,
        via: Via,
    ) -> Result<Charge> {
        let charging = charging(gateway)?;
        let mut named = self.charge_ref(&charge).await?;
        named.evidence = evidence;
        let cx = gateway.context(self.clock(), charge.id.to_string());
        let fetch = charging.fetch_charge(&cx, named.clone());
        let settled = match self.call(gateway, "fetch_charge", fetch).await? {
            Lookup::Found(observed) => {
                let echoed = observed.echo.reference.as_deref() == Some(&charge.id.to_string());
                if charge.provider_reference.is_none() && !echoed {
                    return Err(self
                        .charge_incident(charge, "the gateway's charge carries no reference")
                        .await?);
                }
                let settled = self.settle_charge(gateway, charge, &observed, via).await?;
                self.release_capture(settled).await?
            }
            Lookup::Missing => self.charge_missing(gateway, charge, via).await?,
            Lookup::CannotTell => charge,
        };
        self.refresh_refunds(gateway, settled, via).await
    }

    /// A capture whose answer was lost, and of which its gateway knows nothing when it must be done, never arrived.
    async fn release_capture(&self, charge: Charge) -> Result<Charge> {
        let began = charge.capture_began().filter(|_| charge.status == ChargeStatus::Authorized);
        if began.is_none_or(|began| self.now().since(began) < self.schedule().charge_lost_after) {
            return Ok(charge);
        }
        self.capture_failed(charge.clone()).await?;
        self.reload_charge(&charge).await
    }

    /// The gateway never heard of a charge: nothing was charged, once the request cannot arrive any more.
    async fn charge_missing(&self, gateway: &Gateway, charge: Charge, via: Via) -> Result<Charge> {
        if charge.provider_reference.is_some() {
            return Err(self
                .charge_incident(charge, "the gateway does not know its own charge any more")
                .await?);
        }
        let waiting = matches!(charge.status, ChargeStatus::Processing | ChargeStatus::Unknown);
        if !waiting || self.now().since(charge.created_at) < self.schedule().charge_lost_after {
            return Ok(charge);
        }
        let observed = ProviderCharge::declined("", Decline::new(DeclineClass::TryAgainLater, None));
        self.settle_charge(gateway, charge, &observed, via).await
    }

    async fn refresh_refunds(&self, gateway: &Gateway, mut charge: Charge, via: Via) -> Result<Charge> {
        let charging = charging(gateway)?;
        let open: Vec<_> =
            charge.details.refunds.iter().filter(|refund| refund.status.is_open()).cloned().collect();
        for refund in open {
            let money = Money { amount: refund.amount, currency: charge.money.currency };
            let mut named = RefundRef::new(self.charge_ref(&charge).await?, refund.id.to_string(), money);
            named.reference.clone_from(&refund.provider_reference);
            let cx = gateway.context(self.clock(), refund.id.to_string());
            let fetch = charging.fetch_refund(&cx, named);
            let observed = match self.call(gateway, "fetch_refund", fetch).await? {
                Lookup::Found(observed) => observed,
                Lookup::Missing
                    if self.now().since(refund.created_at) >= self.schedule().charge_lost_after =>
                {
                    ProviderRefund::new("", RefundStatus::Failed)
                }
                Lookup::Missing | Lookup::CannotTell => continue,
            };
            charge = self.settle_refund(charge, refund.id, &observed, via).await?;
        }
        Ok(charge)
    }

    /// The charge that a webhook is about.
    pub(in crate::use_cases) async fn find_charge(
        &self,
        gateway: &Gateway,
        reference: Option<&str>,
        merchant_reference: Option<&str>,
    ) -> Result<Option<Charge>> {
        if let Some(reference) = reference {
            let found =
                self.store().charge_by_provider_reference(&gateway.tenant, &gateway.name, reference).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let Some(id) = merchant_reference.and_then(|text| text.parse::<ChargeId>().ok()) else {
            return Ok(None);
        };
        let found = self.store().charge(&gateway.tenant, id).await?;
        Ok(found.filter(|charge| charge.gateway == gateway.name))
    }

    /// Settles what a webhook tells of a charge: by its own signed word, or by asking.
    pub(in crate::use_cases) async fn act_on_charge(
        &self,
        gateway: &Gateway,
        mut charge: Charge,
        reference: Option<&str>,
        told: Option<&SignedCharge>,
    ) -> Result<()> {
        if let Some(told) = told {
            return self.believe(gateway, charge, reference, told).await;
        }
        if charge.provider_reference.is_none() {
            // The webhook came before the answer: its id is a hint, and what is found there must name our charge.
            charge.provider_reference = reference.map(str::to_owned);
            let named = self.charge_ref(&charge).await?;
            charge.provider_reference = None;
            let cx = gateway.context(self.clock(), charge.id.to_string());
            let fetch = charging(gateway)?.fetch_charge(&cx, named);
            if let Lookup::Found(observed) = self.call(gateway, "fetch_charge", fetch).await?
                && observed.echo.reference.as_deref() == Some(&charge.id.to_string())
            {
                self.settle_charge(gateway, charge, &observed, Via::Webhook).await?;
            }
            return Ok(());
        }
        self.refresh_charge(gateway, charge, None, Via::Webhook).await.map(|_| ())
    }

    async fn believe(
        &self,
        gateway: &Gateway,
        charge: Charge,
        reference: Option<&str>,
        told: &SignedCharge,
    ) -> Result<()> {
        let mut charge = charge;
        if told.status != ProviderChargeStatus::Unknown {
            let mut observed = ProviderCharge::new(reference.unwrap_or_default(), told.status);
            observed.echo.reference = Some(charge.id.to_string());
            // News of a capture carries what was captured, and not what was asked for.
            observed.money = told.captured.is_none().then_some(told.money);
            observed.captured = told.captured;
            observed.decline.clone_from(&told.decline);
            if told.captured.is_some() && told.money.currency != charge.money.currency {
                return Err(self.charge_incident(charge, "the gateway took another currency").await?);
            }
            charge = self.settle_charge(gateway, charge, &observed, Via::Webhook).await?;
            // The money is still held, and the capture that was asked for came to nothing.
            let nothing_taken = told.status == ProviderChargeStatus::Authorized && told.captured == Some(0);
            if nothing_taken && charge.status == ChargeStatus::Authorized {
                self.capture_failed(charge.clone()).await?;
                charge = self.reload_charge(&charge).await?;
            }
        }
        if let Some((id, refund)) = &told.refund {
            let known = charge.details.refunds.iter().find(|known| {
                known.id.to_string() == *id || known.provider_reference.as_deref() == Some(&refund.reference)
            });
            if let Some(id) = known.map(|known| known.id) {
                self.settle_refund(charge, id, refund, Via::Webhook).await?;
            }
        }
        Ok(())
    }

    /// Where to send a browser that came back after a step that only the customer could take: the merchant's return
    /// URL with `charge_id` and `status` in its query. As for a session, nothing that it says is believed, and the
    /// nonce is used up by the first return that finds the charge over.
    pub async fn on_charge_return(&self, id: ChargeId, nonce: &str, request: ReturnRequest) -> Result<Url> {
        let charge = self.store().charge_of_any_tenant(id).await?;
        let proven = returns::proves(charge.as_ref().map(|charge| &*charge.nonce_hash), id, nonce);
        let charge = charge.filter(|_| proven).ok_or_else(|| Error::not_found("return address"))?;
        if charge.details.returned_at.is_some() {
            return Err(returns::used());
        }
        let charge =
            if charge.status.is_final() { charge } else { self.ask_on_return(charge, &request).await };
        let charge = if charge.status.is_final() { self.use_up_charge(charge).await? } else { charge };
        let address = charge.details.return_url.clone();
        let address = address.ok_or_else(|| Error::new(ErrorKind::Gone, "this charge leads nowhere"))?;
        Ok(returns::with_outcome(address, "charge_id", id, charge.status.as_str()))
    }

    async fn ask_on_return(&self, charge: Charge, request: &ReturnRequest) -> Charge {
        let asked = async {
            let gateway = self.gateway_of(&charge.tenant, &charge.gateway)?;
            let evidence = returns::evidence(gateway, request);
            self.refresh_charge(gateway, charge.clone(), evidence, Via::Return).await
        };
        match asked.await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::warn!(charge = %charge.id, error = %error.log_line(), "the gateway could not be asked on return");
                charge
            }
        }
    }

    async fn use_up_charge(&self, mut charge: Charge) -> Result<Charge> {
        for _ in 0..MAX_ROUNDS {
            if charge.details.returned_at.is_some() {
                return Err(returns::used());
            }
            let mut used_up = charge.clone();
            used_up.details.returned_at = Some(self.now());
            used_up.updated_at = self.now();
            used_up.version += 1;
            let changes = Changes { charges: vec![Write::Update(used_up.clone())], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(used_up);
            }
            charge = self.reload_charge(&charge).await?;
        }
        Err(contended())
    }
}
