//! One effect for a request that is sent twice: the first takes its key, and whoever comes with the same key gets the
//! answer that the first one got. A row decides the race; the answer lies sealed in the vault.

use super::{MAX_ROUNDS, contended, purpose, sealed_kind};
use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, Result};
use crate::id::IdempotencyKeyId;
use crate::idempotency::{Claim, IdempotencyKey, KeyedRequest};
use crate::name::TenantId;
use crate::store::{Changes, Commit, Write};
use crate::vault::{Fingerprint, Place, VaultRecord, owner_problem};

/// The owner of a tenant's kept answers that are about nobody. The control character keeps it apart from owners that users may
/// name.
const OWNER: &str = "idempotency\u{1}";

impl Billfold {
    /// Takes the key of a request, or says what is known of it.
    ///
    /// Errors: [`ErrorKind::Gone`] when the request was answered and the answer cannot be given any more.
    pub async fn claim_idempotency_key(&self, tenant: &TenantId, request: KeyedRequest<'_>) -> Result<Claim> {
        let KeyedRequest { method, path, key, parts } = request;
        let place = [purpose::IDEMPOTENCY_KEY, method.as_bytes(), path.as_bytes(), key.as_bytes()];
        let key = self.vault().fingerprint(tenant, &place).await?;
        let parts: Vec<&[u8]> =
            [purpose::IDEMPOTENT_REQUEST].into_iter().chain(parts.iter().copied()).collect();
        let request = self.vault().fingerprint(tenant, &parts).await?;
        for _ in 0..MAX_ROUNDS {
            let known = self.store().idempotency_key(tenant, &key).await?;
            let (claimed, changes) = match known {
                None => self.first(tenant, &key, &request)?,
                Some(known) if known.expires_at <= self.now() => self.renewed(known, &request),
                Some(known) if known.request != request => return Ok(Claim::Reused),
                Some(IdempotencyKey { answer: Some(answer), .. }) => {
                    let record = self.store().vault_record(tenant, answer).await?.ok_or_else(gone)?;
                    return Ok(Claim::Answered(self.vault().open(&record).await?));
                }
                Some(known) if known.lease_until > self.now() => return Ok(Claim::Running),
                // Whoever ran it has died, or could not say how it ended.
                Some(known) => self.taken_over(known),
            };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(Claim::First(Box::new(claimed)));
            }
        }
        Err(contended())
    }

    /// Keeps the answer of a request for whoever repeats it. An answer about a data subject (a customer's id, the
    /// owner of a vault record) is sealed under their key, and erased with them. Does nothing when the key was taken
    /// over meanwhile.
    pub async fn keep_answer(
        &self,
        claimed: IdempotencyKey,
        subject: Option<&str>,
        answer: &[u8],
    ) -> Result<()> {
        let tenant = claimed.tenant.clone();
        let owner = subject.filter(|subject| owner_problem(subject).is_none()).unwrap_or(OWNER);
        for _ in 0..MAX_ROUNDS {
            let record = self.sealed_answer(&claimed, owner, answer).await?;
            let mut row = claimed.clone();
            row.answer = Some(record.id);
            row.version += 1;
            let changes = Changes {
                vault: vec![Write::Insert(record)],
                idempotency_keys: vec![Write::Update(row)],
                ..Changes::default()
            };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(());
            }
            let stored = self.store().idempotency_key(&tenant, &claimed.key).await?;
            if stored.is_none_or(|stored| stored.version != claimed.version) {
                return Ok(());
            }
            // The key that sealed the answer was destroyed meanwhile: it is sealed anew.
            self.vault().forget(&tenant, owner);
        }
        Err(contended())
    }

    /// Lets go of the key of a request whose answer is not kept: the client may try again, with the same request. The
    /// intent stays, for what the request had stored by then may have had an effect.
    pub async fn release_idempotency_key(&self, mut claimed: IdempotencyKey) -> Result<()> {
        claimed.lease_until = self.now();
        claimed.version += 1;
        // Stale means that it was taken over.
        let idempotency_keys = vec![Write::Update(claimed)];
        self.store().commit(Changes { idempotency_keys, ..Changes::default() }).await?;
        Ok(())
    }

    /// Deletes up to `limit` keys whose time is over; says how many.
    pub async fn sweep_idempotency_keys(&self, limit: u32) -> Result<usize> {
        Ok(self.store().sweep_idempotency_keys(self.now(), limit).await?)
    }

    fn first(
        &self,
        tenant: &TenantId,
        key: &Fingerprint,
        request: &Fingerprint,
    ) -> Result<(IdempotencyKey, Changes)> {
        let now = self.now();
        let row = IdempotencyKey {
            id: IdempotencyKeyId::generate(now, self.entropy().as_ref())?,
            tenant: tenant.clone(),
            key: key.clone(),
            request: request.clone(),
            answer: None,
            lease_until: now.plus(self.schedule().idempotency_lease),
            expires_at: now.plus(self.schedule().idempotency_retention),
            created_at: now,
            version: 1,
        };
        let idempotency_keys = vec![Write::Insert(row.clone())];
        Ok((row, Changes { idempotency_keys, ..Changes::default() }))
    }

    /// A key whose request goes on with the same intent.
    fn taken_over(&self, mut row: IdempotencyKey) -> (IdempotencyKey, Changes) {
        row.lease_until = self.now().plus(self.schedule().idempotency_lease);
        row.version += 1;
        let idempotency_keys = vec![Write::Update(row.clone())];
        (row, Changes { idempotency_keys, ..Changes::default() })
    }

    /// A key that is free again, for another request or the same one.
    fn renewed(&self, mut row: IdempotencyKey, request: &Fingerprint) -> (IdempotencyKey, Changes) {
        let now = self.now();
        let old = row.answer.take().map(|answer| (row.tenant.clone(), answer));
        row.request = request.clone();
        row.lease_until = now.plus(self.schedule().idempotency_lease);
        row.expires_at = now.plus(self.schedule().idempotency_retention);
        row.created_at = now;
        row.version += 1;
        let idempotency_keys = vec![Write::Update(row.clone())];
        let vault_deletes = old.into_iter().collect();
        (row, Changes { vault_deletes, idempotency_keys, ..Changes::default() })
    }

    async fn sealed_answer(
        &self,
        claimed: &IdempotencyKey,
        owner: &str,
        answer: &[u8],
    ) -> Result<VaultRecord> {
        let object = claimed.id.to_string();
        let kind = sealed_kind::IDEMPOTENT_ANSWER;
        let place = Place { tenant: &claimed.tenant, owner, kind, object: &object };
        let mut record = self.vault().seal(place, answer).await?;
        record.expires_at = Some(claimed.expires_at);
        Ok(record)
    }
}

fn gone() -> Error {
    let message = "the request was answered, but its answer is no longer kept; look whether it had its effect, and \
                   use another Idempotency-Key for the next one";
    Error::new(ErrorKind::Gone, message)
}
