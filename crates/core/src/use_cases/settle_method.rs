//! The same for a saved method that the gateway activates, renews, replaces, expires or takes back later.

use secrecy::ExposeSecret;

use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::provider::{ProviderMethod, ProviderMethodStatus, TokenRef};
use crate::store::{Changes, Commit, Write};
use crate::use_cases::settle::saved_status;

/// What became of a method's token at its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    /// It is the one that we have.
    Same,
    /// Another is in its place now.
    Replaced,
    /// The one in its place is another method's of the same customer.
    Elsewhere,
}

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
        let fetch = gateway.provider.fetch_method(&cx, token.clone());
        let observed = self.call(gateway, "fetch_method", fetch).await?;
        check_answers(method, &token, &observed)?;
        Ok(Some(observed))
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
            let changed = self.changed_method(gateway, &method, observed.as_ref()).await?;
            let Some((changes, changed)) = changed else { return Ok(method) };
            if self.commit(changes).await? == Commit::Applied {
                return Ok(changed);
            }
            self.vault().forget(&method.tenant, &method.customer_id.to_string());
            let stored = self.store().method(&method.tenant, method.id).await?;
            method = stored.ok_or_else(|| Error::not_found("payment method"))?;
        }
        Err(contended())
    }

    /// The method as it is now, with what its merchant has to be told; `None` when nothing changes.
    async fn changed_method(
        &self,
        gateway: &Gateway,
        method: &PaymentMethod,
        observed: Option<&ProviderMethod>,
    ) -> Result<Option<(Changes, PaymentMethod)>> {
        let (mut changes, mut changed) = (Changes::default(), method.clone());
        if let Some(observed) = observed {
            let token = self.follow_token(gateway, &mut changed, observed, &mut changes).await?;
            changed.status = next_status(method.status, observed.status, token);
            if matches!(changed.status, PaymentMethodStatus::Active | PaymentMethodStatus::Pending) {
                changed.display = observed.display.clone();
                self.follow_instrument(gateway, &mut changed, observed, token).await?;
            }
        }
        if changed.status == PaymentMethodStatus::Pending && method.status != changed.status {
            // It is asked about by the time since it became so.
            changed.updated_at = self.now();
        }
        let expiring = self.look_at_the_clock(&mut changed);
        let told = changed.status != method.status
            || changed.display != method.display
            || changed.token_fingerprint != method.token_fingerprint;
        let same = !told
            && changed.instrument_fingerprint == method.instrument_fingerprint
            && changed.expiring_since == method.expiring_since
            && changed.next_check_at.is_some() == method.next_check_at.is_some();
        if same {
            return Ok(None);
        }
        changed.updated_at = self.now();
        changed.version += 1;
        if told {
            changes.events.push(self.method_event(event_name(changed.status), &changed)?);
        }
        if expiring {
            changes.events.push(self.method_event("payment_method.expiring", &changed)?);
        }
        changes.methods.push(Write::Update(changed.clone()));
        Ok(Some((changes, changed)))
    }

    /// Puts the token that the gateway has now in the place of ours. What it replaced is of no use there any more:
    /// it is destroyed here, and not deleted at the gateway, where that could reach the new one.
    async fn follow_token(
        &self,
        gateway: &Gateway,
        changed: &mut PaymentMethod,
        observed: &ProviderMethod,
        changes: &mut Changes,
    ) -> Result<Token> {
        if observed.replaces.is_none() {
            return Ok(Token::Same);
        }
        let fingerprint = self.token_fingerprint(gateway, observed.token.token.expose_secret()).await?;
        if fingerprint == changed.token_fingerprint {
            return Ok(Token::Same);
        }
        let (tenant, name) = (&changed.tenant, &changed.gateway);
        if let Some(other) = self.store().method_by_token(tenant, name, &fingerprint).await? {
            if other.customer_id != changed.customer_id {
                return Err(incident(changed, "the token in its place belongs to another customer"));
            }
            if other.id != changed.id {
                // Deleting this method must not reach the other's token by way of its own.
                changes.vault_deletes.extend(changed.token.take().map(|old| (changed.tenant.clone(), old)));
                return Ok(Token::Elsewhere);
            }
        }
        changes.vault_deletes.extend(changed.token.take().map(|old| (changed.tenant.clone(), old)));
        changed.token = Some(self.seal_token(changed, &observed.token, changes).await?);
        changed.token_fingerprint = fingerprint;
        tracing::info!(payment_method = %changed.id, "the gateway replaced the token");
        Ok(Token::Replaced)
    }

    /// What is behind a token may become another account, and saving that one again must find this method; unless
    /// the customer has saved it as a method of its own already, which then stays the one that is found.
    async fn follow_instrument(
        &self,
        gateway: &Gateway,
        changed: &mut PaymentMethod,
        observed: &ProviderMethod,
        token: Token,
    ) -> Result<()> {
        if observed.fingerprint.is_none() && token == Token::Same {
            return Ok(());
        }
        let fingerprint = self.instrument_fingerprint(gateway, observed).await?;
        if fingerprint == changed.instrument_fingerprint {
            return Ok(());
        }
        let PaymentMethod { tenant, gateway, customer_id, usage, .. } = &*changed;
        let taken = self.store().method_by_instrument(tenant, gateway, *customer_id, &fingerprint, *usage);
        if taken.await?.is_none() {
            changed.instrument_fingerprint = fingerprint;
        }
        Ok(())
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

/// Refuses an answer about another token than the one that was asked about, unless it says that it replaced it.
fn check_answers(method: &PaymentMethod, asked: &TokenRef, observed: &ProviderMethod) -> Result<()> {
    let asked = asked.token.expose_secret();
    let said = observed.replaces.as_ref().unwrap_or(&observed.token.token).expose_secret();
    if said == asked { Ok(()) } else { Err(incident(method, "the gateway answered about another token")) }
}

fn incident(method: &PaymentMethod, problem: &str) -> Error {
    tracing::error!(payment_method = %method.id, gateway = %method.gateway, problem, "the gateway's answer contradicts what is known");
    Error::new(ErrorKind::GatewayProtocol, "the gateway's answer does not match what was asked")
        .with_context("problem", problem)
}

/// The gateway's word is followed, except that a deleted method stays deleted, a method that was
/// ever usable does not become pending again by the same token, and an unknown status changes nothing.
pub(super) fn next_status(
    current: PaymentMethodStatus,
    observed: ProviderMethodStatus,
    token: Token,
) -> PaymentMethodStatus {
    match (current, observed, token) {
        (PaymentMethodStatus::Deleted, _, _) => current,
        (_, _, Token::Elsewhere) => PaymentMethodStatus::Revoked,
        (_, ProviderMethodStatus::Unknown, _) | (_, ProviderMethodStatus::Pending, Token::Same) => current,
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
        for (current, observed, token, expected) in [
            (M::Pending, P::Active, Token::Same, M::Active),
            (M::Pending, P::Failed, Token::Same, M::Failed),
            (M::Active, P::Pending, Token::Same, M::Active),
            (M::Active, P::Unknown, Token::Same, M::Active),
            (M::Active, P::Revoked, Token::Same, M::Revoked),
            (M::Active, P::Expired, Token::Same, M::Expired),
            (M::Expired, P::Active, Token::Same, M::Active),
            (M::Revoked, P::Active, Token::Same, M::Active),
            (M::Revoked, P::Pending, Token::Same, M::Revoked),
            (M::Deleted, P::Active, Token::Same, M::Deleted),
            (M::Active, P::Pending, Token::Replaced, M::Pending),
            (M::Revoked, P::Pending, Token::Replaced, M::Pending),
            (M::Revoked, P::Active, Token::Replaced, M::Active),
            (M::Active, P::Unknown, Token::Replaced, M::Active),
            (M::Deleted, P::Active, Token::Replaced, M::Deleted),
            (M::Active, P::Active, Token::Elsewhere, M::Revoked),
            (M::Deleted, P::Active, Token::Elsewhere, M::Deleted),
        ] {
            assert_eq!(next_status(current, observed, token), expected, "{current:?} {observed:?} {token:?}");
        }
    }
}
