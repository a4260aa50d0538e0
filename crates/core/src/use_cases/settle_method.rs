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
        mut method: PaymentMethod,
    ) -> Result<PaymentMethod> {
        let Some(record) = method.token else { return Ok(method) };
        let Some(token) = self.open_token(&method, record).await? else { return Ok(method) };
        let cx = gateway.context(self.clock(), method.id.to_string());
        let observed = gateway.guard("fetch_method", gateway.provider.fetch_method(&cx, token)).await?;
        for _ in 0..MAX_ROUNDS {
            let Some(changed) = self.changed_method(&method, &observed) else { return Ok(method) };
            let events = if changed.status == method.status && changed.display == method.display {
                Vec::new()
            } else {
                vec![self.method_event(event_name(changed.status), &changed)?]
            };
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

    fn changed_method(&self, method: &PaymentMethod, observed: &ProviderMethod) -> Option<PaymentMethod> {
        let status = next_status(method.status, observed.status);
        let mut changed = method.clone();
        changed.status = status;
        if status == PaymentMethodStatus::Active {
            changed.display = observed.display.clone();
        }
        changed.next_check_at = self.next_method_check(&changed);
        let same = changed.status == method.status
            && changed.display == method.display
            && changed.next_check_at.is_some() == method.next_check_at.is_some();
        if same {
            return None;
        }
        changed.updated_at = self.now();
        changed.version += 1;
        Some(changed)
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
        PaymentMethodStatus::Revoked | PaymentMethodStatus::Failed => "payment_method.revoked",
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
