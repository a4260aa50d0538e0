//! Erasing a customer, or any other owner of sealed values.

use std::collections::BTreeMap;

use crate::audit::Actor;
use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::erasure::{Erasure, ErasureState, ErasureView, GatewayDeletion, LedgerEntry, Shred};
use crate::error::{Error, ErrorKind, Result};
use crate::id::{CustomerId, ErasureId};
use crate::name::TenantId;
use crate::session::{Session, SessionStatus, Via};
use crate::store::{Changes, Commit, KeyFilter, Page, Write};
use crate::vault::{Fingerprint, owner_problem};

use super::{MAX_ROUNDS, contended, purpose, sealed_kind};

const PAGE: u32 = 100;

impl Billfold {
    /// Erases a customer: from now on nobody is shown them; open sessions are canceled, tokens are deleted at
    /// their gateways; then keys, values, fingerprints and rows are destroyed. While a gateway does not let go,
    /// the erasure stays `pending` and is tried again, and after
    /// [`crate::schedule::Schedule::erasure_deadline`] everything here is destroyed all the same. Erasing twice
    /// gives the same erasure.
    pub async fn erase_customer(&self, tenant: &TenantId, id: CustomerId, by: &Actor) -> Result<ErasureView> {
        let owner = id.to_string();
        let subject = self.erasure_subject(tenant, &owner).await?;
        for _ in 0..MAX_ROUNDS {
            if let Some(known) = self.store().erasure_of(tenant, &subject).await? {
                if known.owner.is_none() && self.has_values(tenant, &owner).await? {
                    // Whoever stored a value in the moment of the erasure died before it was taken back.
                    self.note_again(&known, "customer.erase", by).await?;
                    return self.shred_owner(known, owner).await;
                }
                return self.advance(known).await;
            }
            let customer = self.store().customer(tenant, id).await?;
            let mut customer = customer.ok_or_else(|| Error::not_found("customer"))?;
            let erasure = self.new_erasure(tenant, &owner, subject.clone())?;
            customer.erasure = Some(erasure.id);
            // The merchant may make a customer of this reference anew at once.
            customer.reference = erasure.id.to_string();
            customer.updated_at = self.now();
            customer.version += 1;
            let changes = Changes {
                customers: vec![Write::Update(customer)],
                erasures: vec![Write::Insert(erasure.clone())],
                audit: vec![self.erasure_entry(&erasure, "customer.erase", by).await?],
                ..Changes::default()
            };
            if self.store().commit(changes).await? == Commit::Applied {
                return self.advance(erasure).await;
            }
        }
        Err(contended())
    }

    /// Erases an owner of vault records that is no customer of Billfold's, at once.
    pub async fn erase_owner(&self, tenant: &TenantId, owner: &str, by: &Actor) -> Result<ErasureView> {
        if let Some(problem) = owner_problem(owner) {
            return Err(Error::invalid_fields(vec![problem]));
        }
        self.check_owner(tenant, owner).await?;
        if let Ok(customer) = owner.parse() {
            return self.erase_customer(tenant, customer, by).await;
        }
        let subject = self.erasure_subject(tenant, owner).await?;
        let erasure = self.erasure_for(tenant, owner, subject, "vault.erase", by).await?;
        // An owner may come back after an erasure; whatever is there now goes.
        self.shred_owner(erasure, owner.to_owned()).await
    }

    /// One erasure.
    pub async fn get_erasure(&self, tenant: &TenantId, id: ErasureId) -> Result<ErasureView> {
        let found = self.store().erasure(tenant, id).await?;
        found.as_ref().map(ErasureView::from).ok_or_else(|| Error::not_found("erasure"))
    }

    /// A tenant's erasures, oldest first.
    pub async fn list_erasures(&self, tenant: &TenantId, page: Page<ErasureId>) -> Result<Vec<ErasureView>> {
        Ok(self.store().erasures(tenant, page).await?.iter().map(ErasureView::from).collect())
    }

    /// A tenant's ledger, to be kept outside of the database.
    pub async fn erasure_ledger(&self, tenant: &TenantId) -> Result<Vec<LedgerEntry>> {
        let mut entries = Vec::new();
        let mut page = Page::first(PAGE);
        loop {
            let erasures = self.store().erasures(tenant, page).await?;
            let Some(last) = erasures.last() else { return Ok(entries) };
            page.after = Some(last.id);
            entries.extend(erasures.iter().filter_map(ledger_entry));
        }
    }

    /// Erases again whom a restored backup brought back: every owner whose fingerprint is in `ledger` and
    /// whose key was made before they were erased. One that was made since is of an owner who came back, and
    /// stays. Says how many there were.
    pub async fn reapply_erasures(&self, ledger: &[LedgerEntry], by: &Actor) -> Result<usize> {
        let mut erased: BTreeMap<(&TenantId, &str), Timestamp> = BTreeMap::new();
        for entry in ledger {
            let last = erased.entry((&entry.tenant, &entry.subject)).or_insert(entry.erased_at);
            *last = entry.erased_at.max(*last);
        }
        // What this database has done already need not be looked for among all keys.
        for ((tenant, subject), at) in erased.clone() {
            let known = self.store().erasure_of(tenant, &Fingerprint::from_text(subject.to_owned())).await?;
            if known.is_some_and(|known| known.done_at.is_some_and(|done| done >= at)) {
                erased.remove(&(tenant, subject));
            }
        }
        if erased.is_empty() {
            return Ok(0);
        }
        let (mut after, mut count) = (None, 0);
        loop {
            let keys = self.store().vault_keys(&KeyFilter::Data, after, PAGE).await?;
            let Some(last) = keys.last() else { break };
            after = Some(last.id);
            for key in &keys {
                let subject = self.erasure_subject(&key.tenant, &key.subject).await?;
                let at = erased.get(&(&key.tenant, subject.as_str()));
                if at.is_some_and(|at| key.created_at <= *at) {
                    let (tenant, owner) = (&key.tenant, &key.subject);
                    let erasure =
                        self.erasure_for(tenant, owner, subject, "customer.erase_again", by).await?;
                    self.shred_owner(erasure, owner.clone()).await?;
                    count += 1;
                }
            }
        }
        // They are erased all the same; whoever scrubs next does it.
        if let Err(error) = self.vault().scrub().await {
            tracing::warn!(error = %error.log_line(), "what they left in the database's files is not overwritten yet");
        }
        Ok(count)
    }

    /// The erasure of an owner, begun if there is none.
    async fn erasure_for(
        &self,
        tenant: &TenantId,
        owner: &str,
        subject: Fingerprint,
        action: &str,
        by: &Actor,
    ) -> Result<Erasure> {
        for _ in 0..MAX_ROUNDS {
            if let Some(known) = self.store().erasure_of(tenant, &subject).await? {
                if known.state == ErasureState::Done {
                    self.note_again(&known, action, by).await?;
                }
                return Ok(known);
            }
            let erasure = self.new_erasure(tenant, owner, subject.clone())?;
            let audit = vec![self.erasure_entry(&erasure, action, by).await?];
            let erasures = vec![Write::Insert(erasure.clone())];
            if self.store().commit(Changes { erasures, audit, ..Changes::default() }).await?
                == Commit::Applied
            {
                return Ok(erasure);
            }
        }
        Err(contended())
    }

    /// Writes into the audit trail who had an owner erased once more.
    async fn note_again(&self, known: &Erasure, action: &str, by: &Actor) -> Result<()> {
        let details = serde_json::json!({"again": true});
        self.vault().append_audit(&known.tenant, by, action, &known.id.to_string(), &details).await
    }

    /// Goes on with up to `limit` erasures that are due; says how many there were.
    pub async fn continue_erasures(&self, limit: u32) -> Result<usize> {
        let now = self.now();
        let claimed = self.store().claim_erasures(now, now.plus(self.schedule().lease), limit).await?;
        let count = claimed.len();
        for erasure in claimed {
            let id = erasure.id;
            if let Err(error) = self.advance(erasure).await {
                tracing::warn!(erasure = %id, error = %error.log_line(), "an erasure could not go on");
            }
        }
        Ok(count)
    }

    /// Does what can be done now.
    async fn advance(&self, mut erasure: Erasure) -> Result<ErasureView> {
        for _ in 0..MAX_ROUNDS {
            let Some(owner) = erasure.owner.clone() else { return Ok(ErasureView::from(&erasure)) };
            let Ok(customer) = owner.parse::<CustomerId>() else {
                return self.shred_owner(erasure, owner).await;
            };
            // Before anything else: what any of them saves from here on is seen by the last commit.
            let unsettled = self.unsettled_sessions(&erasure.tenant, customer).await?;
            self.cancel_open_sessions(&erasure.tenant, customer).await?;
            self.delete_values_of(&erasure.tenant, &owner).await?;
            self.delete_methods_of(&erasure.tenant, customer).await?;
            for removal in self.store().removals_of(&erasure.tenant, customer).await? {
                if removal.next_attempt_at.is_some() {
                    let outcome = self.remove(&removal).await;
                    self.finish_removal(removal, outcome).await?;
                }
            }
            let removals = self.store().removals_of(&erasure.tenant, customer).await?;
            let deletions: Vec<GatewayDeletion> = removals
                .iter()
                .map(|removal| GatewayDeletion {
                    gateway: removal.gateway.clone(),
                    outcome: removal.outcome.clone().unwrap_or_else(|| "unfinished".to_owned()),
                })
                .collect();
            let waiting = removals.iter().any(|removal| removal.next_attempt_at.is_some());
            let overdue = self.now().since(erasure.requested_at) >= self.schedule().erasure_deadline;
            if waiting && !overdue {
                return self.wait(erasure, deletions).await;
            }
            let id = erasure.id;
            let tenant = erasure.tenant.clone();
            if let Some(done) = self.shred(erasure, owner, deletions, unsettled).await? {
                return Ok(done);
            }
            erasure = self.store().erasure(&tenant, id).await?.ok_or_else(contended)?;
        }
        Err(contended())
    }

    /// A customer's sessions that may still save a method.
    async fn unsettled_sessions(&self, tenant: &TenantId, customer: CustomerId) -> Result<Vec<Session>> {
        let (mut unsettled, mut page) = (Vec::new(), Page::first(PAGE));
        loop {
            let sessions = self.store().sessions(tenant, Some(customer), page).await?;
            let Some(last) = sessions.last() else { return Ok(unsettled) };
            page.after = Some(last.id);
            let saves = |session: &Session| session.status != SessionStatus::Completed;
            unsettled.extend(sessions.into_iter().filter(saves));
        }
    }

    async fn wait(&self, mut erasure: Erasure, deletions: Vec<GatewayDeletion>) -> Result<ErasureView> {
        erasure.gateway_deletions = deletions;
        erasure.next_attempt_at = Some(self.now().plus(self.schedule().erasure_retry));
        erasure.version += 1;
        // Stale means that somebody else went on with it.
        let erasures = vec![Write::Update(erasure.clone())];
        self.store().commit(Changes { erasures, ..Changes::default() }).await?;
        Ok(ErasureView::from(&erasure))
    }

    /// The same for an owner that has no sessions, however often somebody else is quicker.
    async fn shred_owner(&self, mut erasure: Erasure, owner: String) -> Result<ErasureView> {
        let (tenant, id) = (erasure.tenant.clone(), erasure.id);
        for _ in 0..MAX_ROUNDS {
            if let Some(done) = self.shred(erasure, owner.clone(), Vec::new(), Vec::new()).await? {
                return Ok(done);
            }
            erasure = self.store().erasure(&tenant, id).await?.ok_or_else(contended)?;
        }
        Err(contended())
    }

    /// Destroys everything, unless one of the `unsettled` sessions moved on: it may have saved a method whose
    /// token nobody would ever delete. `None` when somebody else was quicker, and it is not done yet.
    async fn shred(
        &self,
        mut erasure: Erasure,
        owner: String,
        deletions: Vec<GatewayDeletion>,
        unsettled: Vec<Session>,
    ) -> Result<Option<ErasureView>> {
        let tenant = erasure.tenant.clone();
        let before = erasure.version;
        erasure.owner = None;
        erasure.state = ErasureState::Done;
        if !deletions.is_empty() {
            erasure.gateway_deletions = deletions;
        }
        erasure.done_at = Some(self.now());
        erasure.next_attempt_at = None;
        erasure.version += 1;
        if let (Some(ledger), Some(entry)) = (self.ledger(), ledger_entry(&erasure)) {
            ledger.append(&entry).await?;
        }
        let shred = Shred { tenant: tenant.clone(), owner: owner.clone() };
        let mut changes = Changes {
            sessions: unsettled.into_iter().map(next_version).collect(),
            erasures: vec![Write::Update(erasure.clone())],
            audit: vec![self.erasure_entry(&erasure, "erasure.done", &Actor::system()).await?],
            ..Changes::default()
        };
        if shred.customer().is_some() {
            let data = serde_json::json!({"id": owner, "object": "customer", "erased": true});
            changes.events.push(self.event("customer.erased", &tenant, owner.clone(), &data)?);
        }
        changes.shreds.push(shred);
        let commit = self.commit(changes).await?;
        self.vault().forget(&tenant, &owner);
        if commit == Commit::Applied {
            return Ok(Some(ErasureView::from(&erasure)));
        }
        let stored = self.store().erasure(&tenant, erasure.id).await?.ok_or_else(contended)?;
        // Somebody else was quicker: it is told once. One that was done all along is of an owner who came back,
        // and whose values are still there.
        let done = stored.state == ErasureState::Done && stored.version != before;
        Ok(done.then(|| ErasureView::from(&stored)))
    }

    /// A session that the customer could still complete would save what has just been erased.
    async fn cancel_open_sessions(&self, tenant: &TenantId, customer: CustomerId) -> Result<()> {
        let mut page = Page::first(PAGE);
        loop {
            let sessions = self.store().sessions(tenant, Some(customer), page).await?;
            let Some(last) = sessions.last() else { return Ok(()) };
            page.after = Some(last.id);
            for session in sessions.into_iter().filter(|session| !session.status.is_final()) {
                let Some(reference) = session.provider_reference.clone() else { continue };
                // One that is no longer configured must not keep the customer from being erased.
                let Ok(gateway) = self.gateway_of(tenant, &session.gateway) else { continue };
                // It ends by itself if the gateway cannot be asked now.
                let Ok(observed) = self.ask_to_cancel(gateway, &session, reference).await else { continue };
                let id = session.id;
                if let Err(error) = self.settle(gateway, session, observed, Via::Cancel).await {
                    // Nor must an answer that makes no sense, or a session that somebody else erased meanwhile.
                    tracing::warn!(session = %id, error = %error.log_line(), "a session could not be canceled");
                }
            }
        }
    }

    /// Only the tokens are needed any longer, to be deleted at their gateways.
    async fn delete_values_of(&self, tenant: &TenantId, owner: &str) -> Result<()> {
        let mut page = Page::first(PAGE);
        loop {
            let records = self.store().vault_records_of(tenant, owner, None, page).await?;
            let Some(last) = records.last() else { return Ok(()) };
            page.after = Some(last.id);
            let others = records.iter().filter(|record| record.kind != sealed_kind::GATEWAY_TOKEN);
            let vault_deletes = others.map(|record| (tenant.clone(), record.id)).collect();
            self.store().commit(Changes { vault_deletes, ..Changes::default() }).await?;
        }
    }

    /// Leaves the tokens to whoever erases, who asks the gateways at once, and to the workers if that fails.
    async fn delete_methods_of(&self, tenant: &TenantId, customer: CustomerId) -> Result<()> {
        let due = self.now().plus(self.schedule().lease);
        loop {
            let methods = self.store().methods(tenant, customer, Page::first(PAGE)).await?;
            if methods.is_empty() {
                return Ok(());
            }
            for method in methods {
                match self.delete_method_and_token_at(tenant, method.id, due).await {
                    Ok(_) => {}
                    // Somebody else erased the customer meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
    }

    pub(super) async fn erasure_subject(&self, tenant: &TenantId, owner: &str) -> Result<Fingerprint> {
        self.vault().fingerprint(tenant, &[purpose::ERASURE, owner.as_bytes()]).await
    }

    fn new_erasure(&self, tenant: &TenantId, owner: &str, subject: Fingerprint) -> Result<Erasure> {
        let now = self.now();
        Ok(Erasure {
            id: ErasureId::generate(now, self.entropy().as_ref())?,
            tenant: tenant.clone(),
            subject,
            owner: Some(owner.to_owned()),
            state: ErasureState::Pending,
            gateway_deletions: Vec::new(),
            requested_at: now,
            done_at: None,
            next_attempt_at: Some(now.plus(self.schedule().erasure_retry)),
            version: 1,
        })
    }

    async fn erasure_entry(
        &self,
        erasure: &Erasure,
        action: &str,
        by: &Actor,
    ) -> Result<crate::audit::AuditDraft> {
        let details = serde_json::json!({"gateway_deletions": erasure.gateway_deletions});
        self.vault().audit_entry(&erasure.tenant, by, action, &erasure.id.to_string(), &details).await
    }
}

fn next_version(mut session: Session) -> Write<Session> {
    session.version += 1;
    Write::Update(session)
}

fn ledger_entry(erasure: &Erasure) -> Option<LedgerEntry> {
    let erased_at = erasure.done_at?;
    let subject = erasure.subject.as_str().to_owned();
    Some(LedgerEntry { tenant: erasure.tenant.clone(), subject, erased_at })
}
