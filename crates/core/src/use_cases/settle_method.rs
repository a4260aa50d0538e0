//! The same for a saved method that the gateway activates, renews, expires or takes back later.

use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::provider::{ProviderMethod, ProviderMethodStatus};
use crate::store::{Changes, Commit, Write};
use crate::use_cases::settle::saved_status;

impl Billfold {
    /// Asks the gateway about a method and brings it to where the gateway says that it is.
    pub(super) async fn refresh_method(
        &self,
        gateway: &Gateway,
        method: PaymentMethod,
    ) -> Result<PaymentMethod> {
        self.settle_method(gateway, method, false).await
    }

    /// The same by the clock: whatever the gateway answers or does not, a card ends when it ends.
    pub(super) async fn recheck_method(
        &self,
        gateway: &Gateway,
        method: PaymentMethod,
    ) -> Result<PaymentMethod> {
        self.settle_method(gateway, method, true).await
    }

    async fn ask_about_method(
        &self,
        gateway: &Gateway,
        method: &PaymentMethod,
    ) -> Result<Option<ProviderMethod>> {
        let Some(record) = method.token else { return Ok(None) };
        let Some(token) = self.open_token(method, record).await? else { return Ok(None) };
        let cx = gateway.context(self.clock(), method.id.to_string());
        gateway.guard("fetch_method", gateway.provider.fetch_method(&cx, token)).await.map(Some)
    }

    /// What the gateway says counts for the row as it was when the gateway was asked: when that has moved on
    /// meanwhile, an older answer could undo a newer one, so the gateway is asked again.
    async fn settle_method(
        &self,
        gateway: &Gateway,
        mut method: PaymentMethod,
        without_an_answer_too: bool,
    ) -> Result<PaymentMethod> {
        for _ in 0..MAX_ROUNDS {
            let observed = match self.ask_about_method(gateway, &method).await {
                Err(error) if without_an_answer_too => {
                    tracing::warn!(payment_method = %method.id, error = %error.log_line(), "the gateway could not be asked");
                    None
                }
                asked => asked?,
            };
            let changed = self.changed_method(&method, observed.as_ref());
            let Some((changed, expiring)) = changed else { return Ok(method) };
            let mut events = Vec::new();
            if changed.status != method.status || changed.display != method.display {
                events.push(self.method_event(event_name(changed.status), &changed)?);
            }
            if expiring {
                events.push(self.method_event("payment_method.expiring", &changed)?);
            }
            let changes =
                Changes { methods: vec![Write::Update(changed.clone())], events, ..Changes::default() };
            if self.commit(changes).await? == Commit::Applied {
                return Ok(changed);
            }
            let stored = self.store().method(&method.tenant, method.id).await?;
            method = stored.ok_or_else(|| Error::not_found("payment method"))?;
        }
        Err(contended())
    }

    /// The method as it is now, and whether its merchant has to be told that it ends soon; `None` when nothing
    /// changes.
    fn changed_method(
        &self,
        method: &PaymentMethod,
        observed: Option<&ProviderMethod>,
    ) -> Option<(PaymentMethod, bool)> {
        let mut changed = method.clone();
        if let Some(observed) = observed {
            changed.status = next_status(method.status, observed.status);
            if changed.status == PaymentMethodStatus::Active {
                changed.display = observed.display.clone();
            }
        }
        let expiring = self.look_at_the_clock(&mut changed);
        let same = changed.status == method.status
            && changed.display == method.display
            && changed.expiring_since == method.expiring_since
            && changed.next_check_at.is_some() == method.next_check_at.is_some();
        if same {
            return None;
        }
        changed.updated_at = self.now();
        changed.version += 1;
        Some((changed, expiring))
    }

    /// What the card's own date says, which gateways do not tell: some call a card active long after its end.
    /// Says whether it is news that the method ends soon.
    pub(super) fn look_at_the_clock(&self, method: &mut PaymentMethod) -> bool {
        let now = self.now();
        let before = method.expiring_since.take();
        if method.status == PaymentMethodStatus::Active {
            if method.display.ends_at().is_some_and(|end| end <= now) {
                method.status = PaymentMethodStatus::Expired;
            } else if self.schedule().is_expiring(&method.display, now) {
                method.expiring_since = before.or(Some(now));
            }
        }
        method.next_check_at = self.schedule().next_method_check(method, now);
        method.expiring_since.is_some() && before.is_none()
    }
}

/// The gateway's word is followed, except that a deleted method stays deleted, a method that was
/// ever usable does not become pending again, and an unknown status changes nothing.
fn next_status(current: PaymentMethodStatus, observed: ProviderMethodStatus) -> PaymentMethodStatus {
    match (current, observed) {
        (PaymentMethodStatus::Deleted, _)
        | (_, ProviderMethodStatus::Unknown | ProviderMethodStatus::Pending) => current,
        _ => saved_status(observed),
    }
}

fn event_name(status: PaymentMethodStatus) -> &'static str {
    match status {
        PaymentMethodStatus::Expired => "payment_method.expired",
        PaymentMethodStatus::Revoked => "payment_method.revoked",
        PaymentMethodStatus::Failed => "payment_method.needs_attention",
        PaymentMethodStatus::Deleted => "payment_method.deleted",
        PaymentMethodStatus::Pending | PaymentMethodStatus::Active => "payment_method.updated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use PaymentMethodStatus as M;
    use ProviderMethodStatus as P;

    #[test]
    fn the_gateways_word_is_followed_where_it_is_final() {
        for (current, observed, expected) in [
            (M::Pending, P::Active, M::Active),
            (M::Pending, P::Failed, M::Failed),
            (M::Active, P::Pending, M::Active),
            (M::Active, P::Unknown, M::Active),
            (M::Active, P::Revoked, M::Revoked),
            (M::Active, P::Expired, M::Expired),
            (M::Expired, P::Active, M::Active),
            (M::Deleted, P::Active, M::Deleted),
        ] {
            assert_eq!(next_status(current, observed), expected, "{current:?} on {observed:?}");
        }
    }
}
