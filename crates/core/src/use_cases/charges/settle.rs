//! `settle_charge`: the one place where news about a charge becomes state. The answer to the call, the customer's
//! return, webhook and sweep all end here; each commit compares and sets, so the loser of a race finds nothing left
//! to do.

use super::{MAX_ROUNDS, charging, contended};
use crate::billfold::Billfold;
use crate::charge::decline::kept_code;
use crate::charge::state::transition;
use crate::charge::{Charge, ChargeStatus, Decline, DeclineClass, RefundStatus};
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::id::RefundId;
use crate::money::Money;
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::provider::{Lookup, ProviderCharge, ProviderChargeStatus, ProviderRefund};
use crate::session::Via;
use crate::store::{Changes, Commit, Write};
use crate::use_cases::start::stored_next;

impl Billfold {
    /// Brings a charge to where the gateway says that it is. `observed` must come from the gateway itself. Returns
    /// the charge as it then stands.
    ///
    /// An answer about another charge, amount, currency or customer than what was asked is an incident: it changes
    /// nothing but [`crate::charge::ChargeDetails::incident`], and is an error.
    pub(in crate::use_cases) async fn settle_charge(
        &self,
        gateway: &Gateway,
        mut charge: Charge,
        observed: &ProviderCharge,
        via: Via,
    ) -> Result<Charge> {
        if let Some(problem) = self.contradiction(&charge, observed).await? {
            return Err(self.charge_incident(charge, problem).await?);
        }
        let mut newer = None;
        for _ in 0..MAX_ROUNDS {
            let observed = newer.as_ref().unwrap_or(observed);
            let next = transition(charge.status, observed.status);
            let learnt = learns(&charge, observed);
            if next.is_none() && !learnt {
                return Ok(charge);
            }
            let (changes, settled) = self.charge_settlement(&charge, observed, next, via).await?;
            if self.commit(changes).await? == Commit::Applied {
                if next.is_some() {
                    tell(gateway, &settled, via);
                }
                return Ok(settled);
            }
            self.vault().forget(&charge.tenant, &charge.customer_id.to_string());
            charge = self.reload_charge(&charge).await?;
            // The row has moved on since the gateway gave its answer. One that would reopen what is over now may be
            // older than what ended it, such as the success that a bank took back meanwhile.
            if charge.status.is_final() && transition(charge.status, observed.status).is_some() {
                match self.ask_anew(gateway, &charge).await {
                    Ok(Lookup::Found(said)) if self.contradiction(&charge, &said).await?.is_none() => {
                        newer = Some(said);
                    }
                    Ok(Lookup::CannotTell) => {}
                    _ => return Ok(charge),
                }
            }
        }
        Err(contended())
    }

    async fn ask_anew(&self, gateway: &Gateway, charge: &Charge) -> Result<Lookup<ProviderCharge>> {
        let named = self.charge_ref(charge).await?;
        let cx = gateway.context(self.clock(), charge.id.to_string());
        self.call(gateway, "fetch_charge", charging(gateway)?.fetch_charge(&cx, named)).await
    }

    async fn charge_settlement(
        &self,
        charge: &Charge,
        observed: &ProviderCharge,
        status: Option<ChargeStatus>,
        via: Via,
    ) -> Result<(Changes, Charge)> {
        let (mut changes, mut settled) = (Changes::default(), charge.clone());
        if settled.provider_reference.is_none() && !observed.reference.is_empty() {
            settled.provider_reference = Some(observed.reference.clone());
        }
        settled.details.extra.extend(observed.extra.clone());
        let Some(status) = status else {
            note_captured(&mut settled, observed);
            settled.updated_at = self.now();
            settled.version += 1;
            settled.next_check_at = self.schedule().next_charge_check(&settled, settled.updated_at);
            changes.charges.push(Write::Update(settled.clone()));
            return Ok((changes, settled));
        };
        self.step(&mut settled, status, via);
        let waits = status == ChargeStatus::RequiresAction;
        if let Some(old) = settled.next.take() {
            changes.vault_deletes.push((settled.tenant.clone(), old));
        }
        if let Some(next) = observed.next.as_ref().filter(|_| waits) {
            let (owner, object) = (settled.customer_id.to_string(), settled.id.to_string());
            let record = self.seal_next(&settled.tenant, &owner, &object, &stored_next(next)).await?;
            settled.next = Some(record.id);
            changes.vault.push(Write::Insert(record));
        }
        match status {
            ChargeStatus::Succeeded => {
                settled.details.captured =
                    observed.captured.or(settled.details.capturing).unwrap_or(settled.money.amount);
                settled.details.capturing = None;
                settled.details.decline = None;
            }
            ChargeStatus::Declined => {
                settled.details.captured = 0;
                settled.details.capturing = None;
                let unsaid = || Decline::new(DeclineClass::DoNotRetry, None);
                let Decline { class, code } = observed.decline.clone().unwrap_or_else(unsaid);
                settled.details.decline = Some(Decline::new(class, code));
            }
            ChargeStatus::Canceled => settled.details.capturing = None,
            _ => {}
        }
        if status.is_final() {
            settled.details.settled_via = Some(via);
        }
        settled.next_check_at = self.schedule().next_charge_check(&settled, settled.updated_at);
        changes.events.push(self.charge_event(&format!("charge.{}", status.as_str()), &settled)?);
        self.follow_charged_method(&settled, observed, &mut changes).await?;
        changes.charges.push(Write::Update(settled.clone()));
        Ok((changes, settled))
    }

    /// What a charge says about its method: a token that is over, and what later charges need.
    async fn follow_charged_method(
        &self,
        charge: &Charge,
        observed: &ProviderCharge,
        changes: &mut Changes,
    ) -> Result<()> {
        let over = match (charge.status, &charge.details.decline) {
            (ChargeStatus::Declined, Some(Decline { class: DeclineClass::Expired, .. })) => {
                Some((PaymentMethodStatus::Expired, "payment_method.expired"))
            }
            (ChargeStatus::Declined, Some(Decline { class: DeclineClass::Revoked, .. })) => {
                Some((PaymentMethodStatus::Revoked, "payment_method.revoked"))
            }
            _ => None,
        };
        let paid = matches!(charge.status, ChargeStatus::Succeeded | ChargeStatus::Authorized);
        let remembers = paid && !observed.remember.is_empty();
        if over.is_none() && !remembers {
            return Ok(());
        }
        let method = self.store().method(&charge.tenant, charge.payment_method_id).await?;
        let usable = |method: &PaymentMethod| {
            matches!(method.status, PaymentMethodStatus::Active | PaymentMethodStatus::Pending)
        };
        let Some(mut method) = method.filter(usable) else { return Ok(()) };
        let changed = match over {
            Some((status, event)) => {
                method.status = status;
                method.next_check_at = None;
                method.updated_at = self.now();
                changes.events.push(self.method_event(event, &method)?);
                true
            }
            None => self.remember(&mut method, observed, changes).await?,
        };
        if changed {
            method.version += 1;
            changes.methods.push(Write::Update(method));
        }
        Ok(())
    }

    /// Seals the token anew with what the gateway gave for later charges.
    async fn remember(
        &self,
        method: &mut PaymentMethod,
        observed: &ProviderCharge,
        changes: &mut Changes,
    ) -> Result<bool> {
        let Some(record) = method.token else { return Ok(false) };
        let Some(mut token) = self.open_token(method, record).await? else { return Ok(false) };
        let known = |(key, value): (&String, &String)| token.extra.get(key) == Some(value);
        if observed.remember.iter().all(known) {
            return Ok(false);
        }
        token.extra.extend(observed.remember.clone());
        method.token = Some(self.seal_token(method, &token, changes).await?);
        changes.vault_deletes.push((method.tenant.clone(), record));
        Ok(true)
    }

    /// What became of a refund.
    pub(in crate::use_cases) async fn settle_refund(
        &self,
        mut charge: Charge,
        id: RefundId,
        observed: &ProviderRefund,
        via: Via,
    ) -> Result<Charge> {
        for _ in 0..MAX_ROUNDS {
            let mut settled = charge.clone();
            let Some(refund) = settled.details.refunds.iter_mut().find(|refund| refund.id == id) else {
                return Ok(charge);
            };
            let asked = Money { amount: refund.amount, currency: charge.money.currency };
            if observed.money.is_some_and(|said| said != asked) {
                return Err(self
                    .charge_incident(charge, "the gateway's refund is of another amount")
                    .await?);
            }
            let learns = refund.provider_reference.is_none() && !observed.reference.is_empty();
            // An end stays, except that a success is real however late it is learnt.
            let moves = match (refund.status, observed.status) {
                (_, RefundStatus::Unknown) | (RefundStatus::Succeeded, _) => false,
                (RefundStatus::Failed, said) => said == RefundStatus::Succeeded,
                (current, said) => said != current,
            };
            if !learns && !moves {
                return Ok(charge);
            }
            if learns {
                refund.provider_reference = Some(observed.reference.clone());
            }
            let mut changes = Changes::default();
            let now = self.now();
            if moves {
                refund.status = observed.status;
                refund.code = kept_code(observed.code.clone());
                refund.updated_at = now;
            }
            let status = refund.status;
            settled.updated_at = now;
            settled.version += 1;
            if moves && !status.is_open() {
                settled.version -= 1;
                let what = format!("refund_{}", status.as_str());
                self.note(&mut settled, &what, Some(via));
                changes.events.push(self.charge_event(&format!("charge.{what}"), &settled)?);
            }
            settled.next_check_at = self.schedule().next_charge_check(&settled, now);
            changes.charges.push(Write::Update(settled.clone()));
            if self.commit(changes).await? == Commit::Applied {
                return Ok(settled);
            }
            charge = self.reload_charge(&charge).await?;
        }
        Err(contended())
    }

    /// What in an answer cannot be about this charge.
    async fn contradiction(
        &self,
        charge: &Charge,
        observed: &ProviderCharge,
    ) -> Result<Option<&'static str>> {
        let differs = |said: &Option<String>, asked: &str| said.as_deref().is_some_and(|said| said != asked);
        if charge.provider_reference.as_ref().is_some_and(|known| *known != observed.reference)
            && !observed.reference.is_empty()
        {
            return Ok(Some("the gateway answered about another charge"));
        }
        if differs(&observed.echo.reference, &charge.id.to_string()) {
            return Ok(Some("the gateway's charge carries another reference"));
        }
        if observed.money.is_some_and(|said| said != charge.money) {
            return Ok(Some("the gateway's charge is of another amount or currency"));
        }
        if observed.captured.is_some_and(|captured| captured < 0 || captured > charge.money.amount) {
            return Ok(Some("the gateway took another amount than was asked for"));
        }
        if observed.echo.customer.is_some() {
            let (tenant, gateway) = (&charge.tenant, &charge.gateway);
            let known = self.store().gateway_customer(tenant, gateway, charge.customer_id).await?;
            if known.is_some_and(|known| differs(&observed.echo.customer, &known.reference)) {
                return Ok(Some("the gateway's charge is of another customer"));
            }
        }
        Ok(None)
    }

    /// Keeps a contradiction where it is seen, tells of it, and gives the error to answer with.
    pub(super) async fn charge_incident(&self, charge: Charge, problem: &'static str) -> Result<Error> {
        tracing::error!(charge = %charge.id, gateway = %charge.gateway, problem, "the gateway's answer contradicts what was asked");
        let mut current = charge;
        for _ in 0..MAX_ROUNDS {
            if current.details.incident.as_deref() == Some(problem) {
                break;
            }
            let mut noted = current.clone();
            noted.details.incident = Some(problem.to_owned());
            self.note(&mut noted, "incident", None);
            noted.next_check_at = self.schedule().next_charge_check(&noted, noted.updated_at);
            let events = vec![self.charge_event("charge.needs_attention", &noted)?];
            let charges = vec![Write::Update(noted)];
            if self.commit(Changes { charges, events, ..Changes::default() }).await? == Commit::Applied {
                break;
            }
            current = self.reload_charge(&current).await?;
        }
        Ok(Error::new(ErrorKind::GatewayProtocol, "the gateway's answer does not match what was asked")
            .with_context("problem", problem))
    }
}

fn note_captured(charge: &mut Charge, observed: &ProviderCharge) {
    if let Some(captured) = observed.captured.filter(|_| took(charge, observed)) {
        charge.details.captured = captured;
    }
}

/// Whether an answer tells something that is worth keeping though the status stays.
fn learns(charge: &Charge, observed: &ProviderCharge) -> bool {
    let names = charge.provider_reference.is_none() && !observed.reference.is_empty();
    let adds = observed.extra.iter().any(|(key, value)| charge.details.extra.get(key) != Some(value));
    names || adds || took(charge, observed)
}

/// Whether news of a success tells another amount than is known. News of anything else does not tell what was taken.
fn took(charge: &Charge, observed: &ProviderCharge) -> bool {
    charge.status == ChargeStatus::Succeeded
        && observed.status == ProviderChargeStatus::Succeeded
        && observed.captured.is_some_and(|captured| captured != charge.details.captured)
}

fn tell(gateway: &Gateway, charge: &Charge, via: Via) {
    let (status, way) = (charge.status.as_str(), via.as_str());
    tracing::info!(charge = %charge.id, status, via = way, "charge settled");
    if charge.status.is_final() {
        let class = charge.details.decline.as_ref().map_or("", |decline| decline.class.as_str());
        let gateway = gateway.name.to_string();
        metrics::counter!(
            "billfold_charges_settled_total",
            "gateway" => gateway, "status" => status, "class" => class, "via" => way
        )
        .increment(1);
    }
}
