//! Erasing a data subject: the data key, the values and the fingerprints are destroyed, the gateways are
//! asked to let go, and a ledger entry remains that names nobody, so that a restored backup can be erased
//! again.

mod ledger;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::id::{CustomerId, ErasureId};
use crate::name::{GatewayName, TenantId};
use crate::vault::Fingerprint;

pub use ledger::{ErasureLedger, FileLedger, LedgerEntry};

/// Where an erasure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErasureState {
    /// Nothing is shown any more; a gateway has still to let go of a token.
    Pending,
    /// Keys, values and fingerprints are destroyed.
    Done,
}

impl ErasureState {
    /// The name in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Done => "done",
        }
    }
}

/// What became of one token at its gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayDeletion {
    /// Which gateway.
    pub gateway: GatewayName,
    /// `deleted`, `already_gone`, `local_only`, `superseded`, `gave_up`, `unfinished`.
    pub outcome: String,
}

/// An erasure as stored: a line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Stable id.
    pub id: ErasureId,
    /// Whose data subject.
    pub tenant: TenantId,
    /// The subject's keyed fingerprint: recognises them, names nobody.
    pub subject: Fingerprint,
    /// The subject, until they are erased.
    pub owner: Option<String>,
    /// Where it stands.
    pub state: ErasureState,
    /// What the gateways said.
    pub gateway_deletions: Vec<GatewayDeletion>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was done.
    pub done_at: Option<Timestamp>,
    /// When it is tried next; `None` when it is done.
    pub next_attempt_at: Option<Timestamp>,
    /// Counts changes, from 1.
    pub version: i64,
}

/// An owner whose keys and values are destroyed and, if it is a customer, every row about them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shred {
    /// Whose.
    pub tenant: TenantId,
    /// The owner in the vault.
    pub owner: String,
}

impl Shred {
    /// The customer that the owner is, if it is one.
    pub fn customer(&self) -> Option<CustomerId> {
        self.owner.parse().ok()
    }
}

/// An erasure as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct ErasureView {
    /// `ers_…`.
    pub id: ErasureId,
    /// Always `erasure`.
    pub object: &'static str,
    /// Where it stands.
    pub state: ErasureState,
    /// What the gateways said, one for each token.
    pub gateway_deletions: Vec<GatewayDeletion>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When it was done.
    pub done_at: Option<Timestamp>,
}

impl From<&Erasure> for ErasureView {
    fn from(erasure: &Erasure) -> Self {
        Self {
            id: erasure.id,
            object: "erasure",
            state: erasure.state,
            gateway_deletions: erasure.gateway_deletions.clone(),
            requested_at: erasure.requested_at,
            done_at: erasure.done_at,
        }
    }
}
