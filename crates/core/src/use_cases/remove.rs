//! Deleting tokens at their gateways, until the gateway let go of them.

use futures::FutureExt as _;
use secrecy::ExposeSecret;

use super::side_by_side;
use crate::billfold::Billfold;
use crate::error::{Error, Result};
use crate::provider::Deletion;
use crate::store::{Changes, Removal, Write};

impl Billfold {
    /// Works on up to `limit` deletions that are due; says how many there were.
    pub async fn remove_tokens(&self, limit: u32) -> Result<usize> {
        let now = self.now();
        let claimed = self.store().claim_removals(now, now.plus(self.schedule().lease), limit).await?;
        let count = claimed.len();
        let work = claimed.into_iter().map(|removal| {
            async move {
                let outcome = self.remove(&removal).await;
                self.finish_removal(removal, outcome).await
            }
            .boxed()
        });
        side_by_side(self.schedule().at_once, work.collect()).await?;
        Ok(count)
    }

    pub(super) async fn remove(&self, removal: &Removal) -> Result<&'static str> {
        let method = self.store().method(&removal.tenant, removal.payment_method_id).await?;
        let method = method.ok_or_else(|| Error::not_found("payment method"))?;
        let Some(token) = self.open_token(&method, removal.token).await? else { return Ok("already_gone") };
        let gateway = self.gateway_of(&removal.tenant, &removal.gateway)?;
        // The customer may have saved the same token anew since: then it must stay.
        let fingerprint = self.token_fingerprint(gateway, token.token.expose_secret()).await?;
        if self.store().method_by_token(&gateway.tenant, &gateway.name, &fingerprint).await?.is_some() {
            return Ok("superseded");
        }
        let cx = gateway.context(self.clock(), removal.id.to_string());
        let deletion =
            self.call(gateway, "delete_method", gateway.provider.delete_method(&cx, token)).await?;
        // Or just now, while it was being deleted: then its method is of no use, and must not look usable.
        if let Some(saved) =
            self.store().method_by_token(&gateway.tenant, &gateway.name, &fingerprint).await?
        {
            self.refresh_method(gateway, saved).await?;
        }
        Ok(match deletion {
            Deletion::Deleted => "deleted",
            Deletion::AlreadyGone => "already_gone",
            Deletion::LocalOnly => "local_only",
        })
    }

    pub(super) async fn finish_removal(
        &self,
        mut removal: Removal,
        outcome: Result<&'static str>,
    ) -> Result<()> {
        let now = self.now();
        let mut changes = Changes::default();
        match outcome {
            Ok(outcome) => {
                removal.outcome = Some(outcome.to_owned());
                removal.next_attempt_at = None;
                changes.vault_deletes.push((removal.tenant.clone(), removal.token));
            }
            Err(error) => {
                tracing::warn!(removal = %removal.id, error = %error.log_line(), "a token could not be deleted at its gateway");
                removal.next_attempt_at = self.schedule().next_removal_attempt(removal.attempts, now);
                if removal.next_attempt_at.is_none() {
                    removal.outcome = Some("gave_up".to_owned());
                    tracing::error!(removal = %removal.id, "deleting a token at its gateway is given up; its sealed copy is kept");
                }
            }
        }
        removal.updated_at = now;
        removal.version += 1;
        changes.removals.push(Write::Update(removal));
        self.store().commit(changes).await?;
        Ok(())
    }
}
