//! Who stands between Billfold and its database: stops every call at the gate, makes some of them fail,
//! and looks at every row that is written.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use billfold_core::charge::{Charge, ChargeStatus, RefundStatus};
use billfold_core::id::{ChargeId, CustomerId, SessionId};
use billfold_core::session::{Session, SessionStatus};
use billfold_core::store::{Changes, Commit, Store, StoreError, StoreResult, VaultPut, Write};
use billfold_core::vault::VaultRecord;

use super::flaw::{self, Distorted};
use super::scene::{Scene, lock};
use super::told::short;
use crate::between::Between;

/// What is in every secret of a simulated world.
pub(super) const CANARY: &[u8] = b"CANARY";

/// What was written so far.
#[derive(Debug, Default)]
pub(super) struct Observer(Mutex<Seen>);

#[derive(Debug, Default)]
struct Seen {
    sessions: BTreeMap<SessionId, (CustomerId, SessionStatus)>,
    charges: BTreeMap<ChargeId, Charge>,
}

impl Observer {
    /// Every session that was ever stored, with its customer and its last status.
    pub(super) fn sessions(&self) -> BTreeMap<SessionId, (CustomerId, SessionStatus)> {
        lock(&self.0).sessions.clone()
    }

    /// Every charge that was ever stored, as it was stored last.
    pub(super) fn charges(&self) -> BTreeMap<ChargeId, Charge> {
        lock(&self.0).charges.clone()
    }

    /// Whom a charge of this id was of.
    pub(super) fn payer(&self, charge: &str) -> Option<CustomerId> {
        charge.parse().ok().and_then(|id| lock(&self.0).charges.get(&id).map(|charge| charge.customer_id))
    }

    fn look_at_charge(&self, charge: &Charge) -> Option<String> {
        let before = lock(&self.0).charges.insert(charge.id, charge.clone())?;
        let id = short(&charge.id.to_string());
        let asked = |charge: &Charge| (charge.customer_id, charge.payment_method_id, charge.money);
        if asked(&before) != asked(charge) {
            return Some(format!("I12: {id} changed its customer, method or amount"));
        }
        if before.provider_reference.is_some() && before.provider_reference != charge.provider_reference {
            return Some(format!("I12: {id} became another charge at its gateway"));
        }
        let allowed = match (before.status, charge.status) {
            (from, to) if from == to => true,
            // A success is real however late it is learnt, and a bank may take it back.
            (_, ChargeStatus::Succeeded | ChargeStatus::Declined) => true,
            (from, to) => {
                !from.is_final()
                    && to != ChargeStatus::Unknown
                    && (from != ChargeStatus::Authorized || to.is_final())
                    || (from, to) == (ChargeStatus::Processing, ChargeStatus::Unknown)
            }
        };
        let over = |status: RefundStatus, after: RefundStatus| {
            (status == RefundStatus::Succeeded && after != status)
                || (status == RefundStatus::Failed && after.is_open())
        };
        let refunds = before.details.refunds.iter().any(|known| {
            let now = charge.details.refunds.iter().find(|refund| refund.id == known.id);
            now.is_none_or(|now| now.amount != known.amount || over(known.status, now.status))
        });
        if refunds {
            return Some(format!("I6: a refund of {id} was over and is not any more"));
        }
        (!allowed)
            .then(|| format!("I6: {id} went from {} to {}", before.status.as_str(), charge.status.as_str()))
    }

    fn look(&self, session: &Session) -> Option<String> {
        let known = lock(&self.0).sessions.insert(session.id, (session.customer_id, session.status));
        let (customer, before) = known?;
        let after = session.status;
        let late = after == SessionStatus::Completed;
        let back = before != after
            && (before == SessionStatus::Completed
                || (before.is_final() && !late)
                || after == SessionStatus::Creating);
        let id = short(&session.id.to_string());
        if customer != session.customer_id {
            return Some(format!("I12: {id} changed its customer"));
        }
        back.then(|| format!("I6: {id} went from {} to {}", before.as_str(), after.as_str()))
    }
}

/// The one who stands between.
#[derive(Debug)]
pub(super) struct Watch(pub(super) Arc<Scene>);

impl Watch {
    fn look(&self, changes: &Changes) {
        for Write::Insert(session) | Write::Update(session) in &changes.sessions {
            if let Some(problem) = self.0.observer.look(session) {
                self.0.problem(problem);
            }
        }
        for Write::Insert(charge) | Write::Update(charge) in &changes.charges {
            if let Some(problem) = self.0.observer.look_at_charge(charge) {
                self.0.problem(problem);
            }
        }
        let rows = format!("{changes:?}");
        let sealed = changes.vault.iter().map(|(Write::Insert(row) | Write::Update(row))| row);
        if has_canary(rows.as_bytes()) || sealed.into_iter().any(|row| has_canary(row.sealed.as_bytes())) {
            self.0.problem("I11: a secret was written in clear".to_owned());
        }
    }

    fn fails(&self, call: &str) -> Option<StoreError> {
        let Scene { weather, dice, .. } = &*self.0;
        if weather.is_over() || !dice.chance(weather.rates.store_fails) {
            return None;
        }
        self.0.tell(format!("    database: {call} fails"));
        Some(unreachable())
    }
}

/// Whether a secret is among these bytes. Looks at every sixth byte first, for there are many.
pub(super) fn has_canary(bytes: &[u8]) -> bool {
    let mut end = CANARY.len();
    while let Some(last) = bytes.get(end - 1) {
        let at = CANARY.iter().rposition(|byte| byte == last);
        match at {
            Some(at) if at + 1 < CANARY.len() => end += CANARY.len() - 1 - at,
            Some(_) if bytes[end - CANARY.len()..end] == *CANARY => return true,
            Some(_) => end += 1,
            None => end += CANARY.len(),
        }
    }
    false
}

fn unreachable() -> StoreError {
    StoreError { message: "the connection was lost".to_owned(), transient: true }
}

#[async_trait]
impl Between for Watch {
    async fn before(&self, call: &'static str) -> StoreResult<()> {
        self.0.gate.pass(call).await;
        if let Some(error) = self.fails(call) {
            return Err(error);
        }
        self.0.gate.work(true);
        Ok(())
    }

    async fn after(&self, call: &'static str) -> StoreResult<()> {
        self.0.gate.work(false);
        // Reads change nothing, so whether a caller stops before or after them is the same.
        if call == "commit" || call == "vault_put" || call.starts_with("claim") {
            self.0.gate.pass("answer").await;
        }
        Ok(())
    }

    async fn commit(&self, store: &dyn Store, changes: Changes) -> StoreResult<Commit> {
        let Scene { weather, dice, .. } = &*self.0;
        let troubled = !weather.is_over();
        if troubled && dice.chance(weather.rates.stale) {
            self.0.tell("    database: a commit is made stale");
            return Ok(Commit::Stale);
        }
        let changes = match flaw::distort(&self.0, store, changes).await? {
            Distorted::Changes(changes) => *changes,
            Distorted::Answer(commit) => return Ok(commit),
        };
        let seen = changes.clone();
        let commit = store.commit(changes).await?;
        if commit == Commit::Applied {
            self.look(&seen);
            if troubled && dice.chance(weather.rates.commit_lost) {
                self.0.tell("    database: the answer to a commit is lost");
                return Err(unreachable());
            }
        }
        Ok(commit)
    }

    async fn vault_put(
        &self,
        store: &dyn Store,
        record: &VaultRecord,
        now: billfold_core::clock::Timestamp,
    ) -> StoreResult<VaultPut> {
        self.look(&Changes { vault: vec![Write::Insert(record.clone())], ..Changes::default() });
        store.vault_put(record, now).await
    }
}

#[cfg(test)]
mod tests {
    use super::has_canary;

    #[test]
    fn a_secret_is_found_wherever_it_is() {
        for before in 0..20 {
            for noise in ["x", "A", "CA", "Y", "NARY", "CANAR"] {
                let start: String = noise.chars().cycle().take(before).collect();
                assert!(has_canary(format!("{start}CANARY-1").as_bytes()), "{start}");
                assert!(!has_canary(format!("{start}CANAR").as_bytes()), "{start}");
            }
        }
        assert!(!has_canary(b""));
    }
}
