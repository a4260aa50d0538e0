//! Acting on stored webhooks: each event is a reason to ask the gateway, and the answer is settled.

use crate::billfold::Billfold;
use crate::error::Result;
use crate::gateway::Gateway;
use crate::id::{ChargeId, CustomerId, SessionId};
use crate::provider::{EventSubject, ProviderEvent, SessionRef};
use crate::session::{Session, SessionStatus, Via};
use crate::store::Delivery;

/// What came of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// Nothing that Billfold acts on.
    Ignored,
    /// Its truth is stored.
    Done,
    /// It matches nothing yet.
    Unmatched,
}

/// What came of a delivery, and whom it was about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    pub(super) effect: Effect,
    pub(super) customer: Option<CustomerId>,
}

impl Outcome {
    const fn nothing(effect: Effect) -> Self {
        Self { effect, customer: None }
    }

    const fn done(customer: CustomerId) -> Self {
        Self { effect: Effect::Done, customer: Some(customer) }
    }
}

impl Billfold {
    /// Acts on every event of a delivery that is leased. One that fails keeps no other from being acted on; then the
    /// first error is told, and the next attempt goes through all of them again.
    pub(super) async fn work_on(&self, delivery: &mut Delivery) -> Result<Outcome> {
        let gateway = self.gateway_of(&delivery.tenant, &delivery.gateway)?;
        let stored = self.open_webhook(gateway, delivery).await?;
        let mut outcome = Outcome::nothing(Effect::Ignored);
        let mut failed = Ok(());
        let mut asked_about = Vec::new();
        for event in &stored.events {
            // A delivery may tell of one object many times; its gateway is asked once.
            if asked_about.contains(&&event.subject) {
                continue;
            }
            asked_about.push(&event.subject);
            self.keep_lease(delivery).await?;
            match self.act_on(gateway, event).await {
                Ok(came) => {
                    outcome.effect = outcome.effect.max(came.effect);
                    outcome.customer = outcome.customer.or(came.customer);
                }
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        failed.map(|()| outcome)
    }

    async fn act_on(&self, gateway: &Gateway, event: &ProviderEvent) -> Result<Outcome> {
        match &event.subject {
            EventSubject::Other => Ok(Outcome::nothing(Effect::Ignored)),
            EventSubject::Session { reference, merchant_reference } => {
                let found =
                    self.find_session(gateway, reference.as_deref(), merchant_reference.as_deref()).await?;
                match found {
                    Some(session) => {
                        self.fetch_and_settle(gateway, session, reference.as_deref(), Via::Webhook).await
                    }
                    None => Ok(Outcome::nothing(Effect::Unmatched)),
                }
            }
            EventSubject::Charge { reference, merchant_reference, told } => {
                let found =
                    self.find_charge(gateway, reference.as_deref(), merchant_reference.as_deref()).await?;
                let Some(charge) = found else {
                    // What carries a reference that is not of our form is a payment that was not made here.
                    let foreign =
                        merchant_reference.as_ref().is_some_and(|text| text.parse::<ChargeId>().is_err());
                    return Ok(Outcome::nothing(if foreign { Effect::Ignored } else { Effect::Unmatched }));
                };
                let customer = charge.customer_id;
                self.act_on_charge(gateway, charge, reference.as_deref(), told.as_deref()).await?;
                Ok(Outcome::done(customer))
            }
            EventSubject::Method { token, merchant_reference } => {
                self.act_on_method(gateway, token, merchant_reference.as_deref()).await
            }
        }
    }

    async fn act_on_method(
        &self,
        gateway: &Gateway,
        token: &str,
        merchant_reference: Option<&str>,
    ) -> Result<Outcome> {
        let fingerprint = self.token_fingerprint(gateway, token).await?;
        if let Some(method) =
            self.store().method_by_token(&gateway.tenant, &gateway.name, &fingerprint).await?
        {
            let customer = method.customer_id;
            self.refresh_method(gateway, method).await?;
            return Ok(Outcome::done(customer));
        }
        if self.store().token_was_deleted(&gateway.tenant, &gateway.name, &fingerprint).await? {
            return Ok(Outcome::nothing(Effect::Ignored));
        }
        // A token event names no session but may come before the session's own: the session it was
        // made in is asked about, and whatever it saved is stored.
        match self.find_session(gateway, None, merchant_reference).await? {
            Some(session) => self.fetch_and_settle(gateway, session, None, Via::Webhook).await,
            None => Ok(Outcome::nothing(Effect::Unmatched)),
        }
    }

    async fn find_session(
        &self,
        gateway: &Gateway,
        reference: Option<&str>,
        merchant_reference: Option<&str>,
    ) -> Result<Option<Session>> {
        if let Some(reference) = reference {
            let found =
                self.store().session_by_provider_reference(&gateway.tenant, &gateway.name, reference).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        let Some(id) = merchant_reference.and_then(|text| text.parse::<SessionId>().ok()) else {
            return Ok(None);
        };
        let found = self.store().session(&gateway.tenant, id).await?;
        Ok(found.filter(|session| session.gateway == gateway.name))
    }

    /// Asks the gateway about a session and settles the answer. A session whose gateway id is not
    /// stored yet is asked about by the id in the webhook; the answer must carry our reference.
    async fn fetch_and_settle(
        &self,
        gateway: &Gateway,
        session: Session,
        hint: Option<&str>,
        via: Via,
    ) -> Result<Outcome> {
        let customer = session.customer_id;
        if session.status == SessionStatus::Completed {
            return Ok(Outcome::done(customer));
        }
        let reference = session.provider_reference.as_deref().or(hint).map(str::to_owned);
        let Some(reference) = reference else { return Ok(Outcome::nothing(Effect::Unmatched)) };
        if session.provider_reference.is_some() && hint.is_some_and(|hint| hint != reference) {
            return Ok(Outcome::nothing(Effect::Unmatched));
        }
        let cx = gateway.context(self.clock(), session.id.to_string());
        let fetch = gateway.provider.fetch_session(&cx, SessionRef::new(reference));
        let observed = self.call(gateway, "fetch_session", fetch).await?;
        if session.provider_reference.is_none()
            && observed.echo.reference.as_deref() != Some(&session.id.to_string())
        {
            return Ok(Outcome::nothing(Effect::Unmatched));
        }
        self.settle(gateway, session, observed, via).await?;
        Ok(Outcome::done(customer))
    }
}
