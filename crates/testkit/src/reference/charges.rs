//! The gateway's side of charges: a ledger, and how the next ones end.

use std::collections::{BTreeMap, VecDeque};

use billfold_core::charge::{Decline, DeclineClass, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{CreateCharge, ProviderChargeStatus};
use billfold_core::secret::ExposeSecret;

use super::ReferenceGateway;

/// How a charge ends, or where it stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargeOutcome {
    /// The money is taken, whatever was said about capturing.
    Succeeded,
    /// The money is held.
    Authorized,
    /// The customer has to act.
    RequiresAction,
    /// It is being worked on.
    Processing,
    /// It is refused for a reason of this class.
    Declined(DeclineClass),
}

/// A charge in the gateway's books.
#[derive(Debug, Clone)]
pub struct LedgerCharge {
    /// The gateway's id.
    pub id: String,
    /// Our reference.
    pub reference: String,
    /// The token that was charged.
    pub token: String,
    /// How much was asked for.
    pub money: Money,
    /// Where it stands.
    pub status: ProviderChargeStatus,
    /// How much was taken, in minor units; what was given back since is among the refunds.
    pub captured: i64,
    /// Why it was refused.
    pub decline: Option<Decline>,
    /// Everything that was asked for.
    pub asked: CreateCharge,
    /// Money given back.
    pub refunds: Vec<LedgerRefund>,
}

/// A refund in the gateway's books.
#[derive(Debug, Clone)]
pub struct LedgerRefund {
    /// The gateway's id.
    pub id: String,
    /// Our reference.
    pub reference: String,
    /// How much.
    pub money: Money,
    /// Where it stands.
    pub status: RefundStatus,
}

/// The gateway's books, and what a test ordered of them.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    pub(super) charges: Vec<LedgerCharge>,
    /// The charges that were made under an idempotency key.
    pub(super) by_key: BTreeMap<String, String>,
    /// With which keys money was asked to move, oldest first.
    pub(super) keys: Vec<String>,
    pub(super) outcomes: VecDeque<ChargeOutcome>,
    pub(super) refunds: VecDeque<RefundStatus>,
    pub(super) remember: BTreeMap<String, String>,
}

impl Ledger {
    /// A charge by the gateway's id where it is known, and by ours otherwise.
    pub(super) fn find(&mut self, id: Option<&str>, reference: &str) -> Option<&mut LedgerCharge> {
        self.charges.iter_mut().find(|charge| match id {
            Some(id) => charge.id == id,
            None => charge.reference == reference,
        })
    }

    /// Enters a charge.
    pub(super) fn enter(&mut self, asked: CreateCharge, outcome: ChargeOutcome) -> &LedgerCharge {
        let (status, decline) = match outcome {
            ChargeOutcome::Succeeded => (ProviderChargeStatus::Succeeded, None),
            ChargeOutcome::Authorized => (ProviderChargeStatus::Authorized, None),
            ChargeOutcome::RequiresAction => (ProviderChargeStatus::RequiresAction, None),
            ChargeOutcome::Processing => (ProviderChargeStatus::Processing, None),
            ChargeOutcome::Declined(class) => {
                let code = format!("refused_{}", class.as_str());
                (ProviderChargeStatus::Declined, Some(Decline::new(class, code)))
            }
        };
        let taken = status == ProviderChargeStatus::Succeeded;
        self.charges.push(LedgerCharge {
            id: format!("ch-{:04}", self.charges.len() + 1),
            reference: asked.reference.clone(),
            token: asked.token.token.expose_secret().to_owned(),
            money: asked.money,
            status,
            captured: if taken { asked.money.amount } else { 0 },
            decline,
            asked,
            refunds: Vec::new(),
        });
        &self.charges[self.charges.len() - 1]
    }
}

impl ReferenceGateway {
    /// How the next charge ends for which nothing was said yet. Without it a charge succeeds, or is authorized where
    /// that was asked for.
    pub fn next_charge(&self, outcome: ChargeOutcome) {
        self.state().ledger.outcomes.push_back(outcome);
    }

    /// Where the next refund stands after the call; without it, it succeeded.
    pub fn next_refund(&self, status: RefundStatus) {
        self.state().ledger.refunds.push_back(status);
    }

    /// Forgets how the next charges and refunds were to end.
    pub fn forget_orders(&self) {
        let mut state = self.state();
        state.ledger.outcomes.clear();
        state.ledger.refunds.clear();
    }

    /// What charges that are paid from now on ask to be remembered for later ones.
    pub fn remember(&self, key: &str, value: &str) {
        self.state().ledger.remember.insert(key.to_owned(), value.to_owned());
    }

    /// The idempotency keys of all charges, captures and refunds that were asked for, oldest first.
    pub fn idempotency_keys(&self) -> Vec<String> {
        self.state().ledger.keys.clone()
    }

    /// Every charge, oldest first; one that was made twice is there twice.
    pub fn ledger(&self) -> Vec<LedgerCharge> {
        self.state().ledger.charges.clone()
    }

    /// Puts a charge (the gateway's id) into a status. What succeeds is taken whole, what is returned not at all.
    pub fn set_charge(&self, charge: &str, status: ProviderChargeStatus) {
        self.change_charge(charge, |charge| {
            charge.status = status;
            charge.captured = match status {
                ProviderChargeStatus::Succeeded => charge.money.amount,
                _ => 0,
            };
        });
    }

    /// Changes anything about a charge (the gateway's id), as a gateway that makes mistakes might.
    pub fn change_charge(&self, charge: &str, change: impl FnOnce(&mut LedgerCharge)) {
        if let Some(charge) = self.state().ledger.find(Some(charge), "") {
            change(charge);
        }
    }

    /// Puts every refund of a charge (the gateway's id) into a status.
    pub fn set_refunds(&self, charge: &str, status: RefundStatus) {
        self.change_charge(charge, |charge| {
            charge.refunds.iter_mut().for_each(|refund| refund.status = status);
        });
    }

    /// The gateway forgets a charge (its own id).
    pub fn forget_charge(&self, charge: &str) {
        self.state().ledger.charges.retain(|known| known.id != charge);
    }
}
