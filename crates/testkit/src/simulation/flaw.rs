//! Billfold with something wrong on purpose, to show that a simulation sees it.

use billfold_core::entropy::Entropy as _;
use billfold_core::id::EventId;
use billfold_core::session::Session;
use billfold_core::store::{Changes, Commit, Store, StoreResult, Write};
use billfold_core::vault::Fingerprint;

use super::scene::Scene;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// A webhook is acknowledged that was not stored.
    AcknowledgesBeforeStoring,
    /// A commit that saves a method is acknowledged, and gone.
    LosesCommits,
    /// A session is written over whatever happened to it meanwhile.
    IgnoresVersions,
    /// A token or an instrument that is stored already is stored again.
    IgnoresUniqueness,
    /// The secret of a webhook is not looked at.
    IgnoresTheSecret,
    /// A gateway that did not answer counts as one that said no.
    TimeOutIsFailure,
    /// Sessions are never asked about by themselves.
    SweeperNeverAsks,
    /// A token is said to be deleted and is not.
    KeepsTokens,
    /// An erasure is done and destroys nothing.
    ShredsNothing,
    /// A token is shown among the display data.
    ShowsTokens,
    /// A gateway's answer about one customer is believed about another.
    MixesCustomers,
    /// Changes are not told.
    DropsEvents,
    /// Changes are told twice.
    DoublesEvents,
    /// Erasures are not in the audit trail.
    ForgetsAudit,
    /// A charge whose answer was lost is made once more.
    ChargesAnew,
    /// Whoever repeats a charge does not say that it is the same.
    ForgetsIntents,
    /// What a webhook tells of a charge is believed though nobody signed it.
    BelievesHints,
    /// A refund is made once more, under another reference.
    RefundsTwice,
    /// A charge whose answer was lost counts as declined.
    SilenceIsDecline,
    /// Another amount is charged than was asked for, and the answer does not show it.
    MistakesAmounts,
}

impl Flaw {
    /// Every flaw.
    pub const ALL: [Self; 20] = [
        Self::AcknowledgesBeforeStoring,
        Self::LosesCommits,
        Self::IgnoresVersions,
        Self::IgnoresUniqueness,
        Self::IgnoresTheSecret,
        Self::TimeOutIsFailure,
        Self::SweeperNeverAsks,
        Self::KeepsTokens,
        Self::ShredsNothing,
        Self::ShowsTokens,
        Self::MixesCustomers,
        Self::DropsEvents,
        Self::DoublesEvents,
        Self::ForgetsAudit,
        Self::ChargesAnew,
        Self::ForgetsIntents,
        Self::BelievesHints,
        Self::RefundsTwice,
        Self::SilenceIsDecline,
        Self::MistakesAmounts,
    ];
}

/// What a flaw makes of a commit.
pub(super) enum Distorted {
    /// Something else is committed.
    Changes(Box<Changes>),
    /// Nothing is, and this is the answer.
    Answer(Commit),
}

pub(super) async fn distort(
    scene: &Scene,
    store: &dyn Store,
    mut changes: Changes,
) -> StoreResult<Distorted> {
    let inserts = |is_insert: bool| is_insert && scene.dice.chance(500);
    match scene.flaw {
        Some(Flaw::AcknowledgesBeforeStoring)
            if inserts(matches!(changes.deliveries.as_slice(), [Write::Insert(_)])) =>
        {
            return Ok(Distorted::Answer(Commit::Applied));
        }
        Some(Flaw::LosesCommits) if inserts(matches!(changes.methods.as_slice(), [.., Write::Insert(_)])) => {
            return Ok(Distorted::Answer(Commit::Applied));
        }
        Some(Flaw::IgnoresVersions) => {
            for write in &mut changes.sessions {
                if let Write::Update(session) = write {
                    session.version = version(store, session).await?.unwrap_or(session.version);
                }
            }
        }
        Some(Flaw::IgnoresUniqueness) => {
            for write in &mut changes.methods {
                if let Write::Insert(method) = write {
                    let (token, instrument) = (unlike_any(scene), unlike_any(scene));
                    method.token_fingerprint = token;
                    method.instrument_fingerprint = instrument;
                }
            }
        }
        Some(Flaw::ShredsNothing) => changes.shreds.clear(),
        Some(Flaw::DropsEvents) => changes.events.clear(),
        Some(Flaw::DoublesEvents) => {
            for mut event in changes.events.clone() {
                event.id = EventId::generate(event.created_at, scene.entropy.as_ref()).unwrap();
                changes.events.push(event);
            }
        }
        Some(Flaw::ForgetsAudit) => changes.audit.clear(),
        _ => {}
    }
    Ok(Distorted::Changes(Box::new(changes)))
}

async fn version(store: &dyn Store, session: &Session) -> StoreResult<Option<i64>> {
    let stored = store.session(&session.tenant, session.id).await?;
    Ok(stored.map(|stored| stored.version + 1))
}

fn unlike_any(scene: &Scene) -> Fingerprint {
    let mut bytes = [0; 32];
    scene.entropy.fill(&mut bytes).unwrap();
    Fingerprint::from_text(hex::encode(bytes))
}
