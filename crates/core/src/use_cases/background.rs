//! Questions that nobody waits for, within the budgets of their gateways. What finds no place is put back, to be due
//! again when there should be one; it has not been looked at, and counts as no attempt.

use std::collections::{BTreeMap, VecDeque};

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::each_by_itself;
use crate::billfold::Billfold;
use crate::budget::{Asking, Wait};
use crate::charge::Charge;
use crate::clock::Timestamp;
use crate::error::Result;
use crate::name::{GatewayName, TenantId};
use crate::payment_method::PaymentMethod;
use crate::schedule::scattered;
use crate::session::Session;
use crate::store::{Changes, Commit, Write};

/// What the sweeper asks gateways about.
pub(super) trait Swept: Clone + Send {
    /// Whose it is, and at which gateway.
    fn place(&self) -> (&TenantId, &GatewayName);

    /// Whether looking at it means a call of its gateway.
    fn asks(&self) -> bool;

    /// The same, due at another time.
    fn put_off(self, until: Timestamp, changes: &mut Changes);
}

impl Swept for Session {
    fn place(&self) -> (&TenantId, &GatewayName) {
        (&self.tenant, &self.gateway)
    }

    fn asks(&self) -> bool {
        self.provider_reference.is_some()
    }

    fn put_off(mut self, until: Timestamp, changes: &mut Changes) {
        self.next_check_at = Some(until);
        self.version += 1;
        changes.sessions.push(Write::Update(self));
    }
}

impl Swept for Charge {
    fn place(&self) -> (&TenantId, &GatewayName) {
        (&self.tenant, &self.gateway)
    }

    fn asks(&self) -> bool {
        true
    }

    fn put_off(mut self, until: Timestamp, changes: &mut Changes) {
        self.next_check_at = Some(until);
        self.version += 1;
        changes.charges.push(Write::Update(self));
    }
}

impl Swept for PaymentMethod {
    fn place(&self) -> (&TenantId, &GatewayName) {
        (&self.tenant, &self.gateway)
    }

    fn asks(&self) -> bool {
        self.token.is_some()
    }

    fn put_off(mut self, until: Timestamp, changes: &mut Changes) {
        self.next_check_at = Some(until);
        self.version += 1;
        changes.methods.push(Write::Update(self));
    }
}

impl Billfold {
    /// Works on those of a batch whose gateways have a place for them and puts the others off. Each gateway has places
    /// of its own, so that one that is slow holds up no other.
    pub(super) async fn within_budgets<'a, T: Swept + 'a>(
        &'a self,
        batch: Vec<T>,
        work: impl Fn(T) -> BoxFuture<'a, Result<()>>,
    ) -> Result<()> {
        let mut waiting = Vec::new();
        let mut going: BTreeMap<GatewayName, Vec<BoxFuture<'a, Result<()>>>> = BTreeMap::new();
        let mut busy = BTreeMap::new();
        for item in batch {
            let name = item.place().1.clone();
            // Whether earlier batches keep the gateway busy: this one does not keep out itself.
            let at_once = self.schedule().at_once;
            let is_busy = || self.budgets().of(&name).is_some_and(|budget| budget.is_busy(at_once));
            let busy = *busy.entry(name.clone()).or_insert_with(is_busy);
            match self.place_for(&item, busy)? {
                Ok(asking) => {
                    let working = work(item);
                    let counted = async move {
                        let _asking = asking;
                        working.await
                    };
                    going.entry(name).or_default().push(counted.boxed());
                }
                Err(until) => waiting.push((item, until)),
            }
        }
        let put_off = self.put_off_all(waiting).await;
        put_off.and(each_by_itself(self.schedule().at_once, going).await)
    }

    /// Takes a place at its gateway for something that needs one; the time until which it has to wait if there is
    /// none.
    fn place_for<T: Swept>(&self, item: &T, busy: bool) -> Result<Result<Option<Asking>, Timestamp>> {
        if !item.asks() {
            return Ok(Ok(None));
        }
        let ((tenant, name), now) = (item.place(), self.now());
        let configured = self.gateway_of(tenant, name).ok().and_then(|_| self.budgets().of(name));
        let Some(budget) = configured else {
            if self.budgets().is_newly_missing(tenant, name) {
                tracing::warn!(%tenant, gateway = %name, "sessions, charges or payment methods wait for a gateway that is not configured");
            }
            count(name, Wait::NotConfigured);
            let until = self.schedule().next_look_for_gateway(now, self.entropy().as_ref())?;
            return Ok(Err(until));
        };
        Ok(match budget.take(busy, now) {
            Ok(asking) => Ok(Some(asking)),
            Err((why, place)) => {
                count(name, why);
                Err(scattered(place, self.entropy().as_ref())?)
            }
        })
    }

    /// Puts off what its gateway answered with the wish to be left alone.
    pub(super) async fn put_off_as_asked<T: Swept>(&self, item: T) -> Result<()> {
        let name = item.place().1;
        let Some(budget) = self.budgets().of(name) else { return Ok(()) };
        count(name, Wait::RateLimited);
        let until = scattered(budget.later(self.now()), self.entropy().as_ref())?;
        self.put_off_all(vec![(item, until)]).await
    }

    /// All in one commit; when somebody else has moved one of them on meanwhile, each by itself, and that one not.
    async fn put_off_all<T: Swept>(&self, waiting: Vec<(T, Timestamp)>) -> Result<()> {
        let mut parts = VecDeque::from([waiting]);
        while let Some(part) = parts.pop_front().filter(|part| !part.is_empty()) {
            let mut changes = Changes::default();
            for (item, until) in part.iter().cloned() {
                item.put_off(until, &mut changes);
            }
            let commit = self.store().commit(changes).await?;
            if commit == Commit::Stale && part.len() > 1 {
                parts.extend(part.into_iter().map(|one| vec![one]));
            }
        }
        Ok(())
    }
}

fn count(gateway: &GatewayName, why: Wait) {
    metrics::counter!(
        "billfold_background_calls_put_off_total",
        "gateway" => gateway.to_string(), "reason" => why.as_str()
    )
    .increment(1);
}
