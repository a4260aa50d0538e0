//! The inbox: who works on which webhook, for how long, and what becomes of it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::process::{Effect, Outcome};
use super::{MAX_ROUNDS, contended, each_by_itself};
use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, Result};
use crate::name::GatewayName;
use crate::store::{Changes, Commit, Delivery, DeliveryState, Write};

/// When to look again whether a gateway has answered what earlier webhooks made us ask.
const BUSY: Duration = Duration::from_secs(1);

impl Billfold {
    /// Works on up to `limit` webhooks that are due; says how many there were. One that fails or
    /// matches nothing is tried again later and hurts no other. It may be called again before it has ended: webhooks of
    /// a gateway that does not answer then wait, and those of others are worked on.
    pub async fn process(&self, limit: u32) -> Result<usize> {
        let now = self.now();
        let claimed = self.store().claim_deliveries(now, now.plus(self.schedule().lease), limit).await?;
        let count = claimed.len();
        let at_once = self.schedule().at_once;
        let mut waiting = Vec::new();
        let mut going: BTreeMap<GatewayName, Vec<BoxFuture<'_, Result<()>>>> = BTreeMap::new();
        let mut busy = BTreeMap::new();
        for delivery in claimed {
            let name = delivery.gateway.clone();
            let budget = self.budgets().of(&name);
            // Whether earlier batches keep the gateway busy: this one does not keep out itself.
            let is_busy = || budget.is_some_and(|budget| budget.is_busy_with_webhooks(at_once));
            if *busy.entry(name.clone()).or_insert_with(is_busy) {
                waiting.push(delivery);
                continue;
            }
            let asking = budget.map(crate::budget::Budget::webhook);
            let working = async move {
                let _asking = asking;
                self.attempt(delivery).await
            };
            going.entry(name).or_default().push(working.boxed());
        }
        let put_off = self.let_wait(waiting).await;
        put_off.and(each_by_itself(at_once, going).await).map(|()| count)
    }

    async fn attempt(&self, mut delivery: Delivery) -> Result<()> {
        if delivery.attempts > self.schedule().most_delivery_attempts(delivery.received_count) {
            // An attempt that fails says so, and the last one ends the delivery: those before ended with their process.
            let message = "every attempt ended with the process that made it";
            return self.finish(delivery, Err(failure(message))).await;
        }
        let outcome = AssertUnwindSafe(self.work_on(&mut delivery)).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err(failure("working on it panicked")));
        self.finish(delivery, outcome).await
    }

    /// Gives back what has not been looked at, which counts as no attempt.
    async fn let_wait(&self, waiting: Vec<Delivery>) -> Result<()> {
        let until = self.now().plus(BUSY);
        for mut delivery in waiting {
            delivery.next_attempt_at = Some(until);
            delivery.attempts -= 1;
            delivery.version += 1;
            let deliveries = vec![Write::Update(delivery)];
            // Stale: it came again meanwhile, and is due when its lease is over.
            self.store().commit(Changes { deliveries, ..Changes::default() }).await?;
        }
        Ok(())
    }

    /// Prolongs the lease once half of it is over: one delivery may tell of hundreds of objects, each of which is asked
    /// about.
    ///
    /// Errors: a conflict when the lease was lost to somebody else, who goes through all of it.
    pub(super) async fn keep_lease(&self, delivery: &mut Delivery) -> Result<()> {
        let (now, lease) = (self.now(), self.schedule().lease);
        let half_over = now.plus(lease / 2);
        if delivery.next_attempt_at.is_some_and(|ends| ends > half_over) {
            return Ok(());
        }
        for _ in 0..MAX_ROUNDS {
            delivery.next_attempt_at = Some(now.plus(lease));
            delivery.version += 1;
            let deliveries = vec![Write::Update(delivery.clone())];
            if self.store().commit(Changes { deliveries, ..Changes::default() }).await? == Commit::Applied {
                return Ok(());
            }
            if !self.is_still_held(delivery).await? {
                return Err(Error::conflict("another process has taken over the webhook"));
            }
        }
        Err(contended())
    }

    /// Whether a delivery that moved on only came again: then it is brought up to date. Another attempt means that the
    /// lease ran out, and whoever holds it now finishes it.
    async fn is_still_held(&self, delivery: &mut Delivery) -> Result<bool> {
        let stored = self.store().delivery(&delivery.tenant, delivery.id).await?;
        let Some(stored) = stored.filter(|stored| stored.attempts == delivery.attempts) else {
            return Ok(false);
        };
        delivery.received_count = stored.received_count;
        delivery.version = stored.version;
        Ok(true)
    }

    async fn finish(&self, mut delivery: Delivery, outcome: Result<Outcome>) -> Result<()> {
        let now = self.now();
        if let Ok(Outcome { customer: Some(customer), .. }) = &outcome {
            delivery.customer_id = Some(*customer);
        }
        let (state, note) = match outcome.map(|outcome| outcome.effect) {
            Ok(Effect::Done) => (DeliveryState::Done, None),
            Ok(Effect::Ignored) => (DeliveryState::Ignored, None),
            Ok(Effect::Unmatched) => {
                (DeliveryState::Parked, Some("it matches no session or payment method".to_owned()))
            }
            Err(error) => {
                tracing::warn!(delivery = %delivery.id, error = %error.log_line(), "a webhook could not be processed");
                (DeliveryState::Parked, Some(error.message().to_owned()))
            }
        };
        delivery.state = state;
        delivery.note = note;
        delivery.next_attempt_at = None;
        if state == DeliveryState::Parked {
            delivery.next_attempt_at = self.schedule().next_delivery_attempt(delivery.attempts, now);
            if delivery.next_attempt_at.is_none() {
                delivery.state = DeliveryState::Dead;
                metrics::counter!(
                    "billfold_webhooks_given_up_total", "gateway" => delivery.gateway.to_string()
                )
                .increment(1);
                tracing::error!(delivery = %delivery.id, gateway = %delivery.gateway, "a webhook is given up");
            }
        }
        for _ in 0..MAX_ROUNDS {
            delivery.updated_at = now;
            delivery.version += 1;
            let mut changes = Changes::default();
            if let Some(customer) = delivery.customer_id
                && self.store().customer(&delivery.tenant, customer).await?.is_none()
            {
                // Erased while their webhook was worked on: nobody else destroys its body.
                delivery.customer_id = None;
                changes.vault_deletes.push((delivery.tenant.clone(), delivery.body));
            }
            changes.deliveries.push(Write::Update(delivery.clone()));
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(());
            }
            if !self.is_still_held(&mut delivery).await? {
                return Ok(());
            }
        }
        Err(contended())
    }
}

fn failure(message: &str) -> Error {
    Error::new(ErrorKind::Internal, message)
}
