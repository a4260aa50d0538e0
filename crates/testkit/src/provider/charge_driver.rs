//! What the suite asks of a provider's author whose gateway charges what was saved.

use async_trait::async_trait;
use billfold_core::charge::DeclineClass;
use billfold_core::money::Money;
use url::Url;

use super::Card;

/// How the gateway treats the charges of a method from now on, until another is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChargePlay {
    /// They succeed, or are authorized when that was asked for.
    Approve,
    /// They are declined for a reason of this class.
    Decline(DeclineClass),
    /// The customer has to act first ([`ChargeDriver::pass_step_up`]).
    StepUp,
    /// They stay under way until [`ChargeDriver::finish`].
    Slow,
}

/// A charge in the gateway's own books.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booked {
    /// Our charge id.
    pub merchant_reference: String,
    /// How much was asked for.
    pub money: Money,
    /// How much was taken and not given back, in minor units.
    pub taken: i64,
}

/// A local gateway that charges. What it cannot play it says in [`ChargeDriver::lacks`], and the trials that need it
/// are listed as ignored.
#[async_trait]
pub trait ChargeDriver: Send + Sync {
    /// Whether the local gateway can play this, and why not; `None` when it can.
    fn lacks(&self, play: ChargePlay) -> Option<&'static str>;

    /// Whether the bank can take back what had succeeded ([`ChargeDriver::take_back`]), and why not.
    fn lacks_returns(&self) -> Option<&'static str>;

    /// Whether the local gateway shows the return address of a charge ([`ChargeDriver::return_url`]), and why not.
    fn lacks_return_url(&self) -> Option<&'static str> {
        Some("the local gateway does not show the return address of a charge")
    }

    /// Whether a call that is made again under the same key charges, and gives back, once; and why not.
    fn lacks_keys(&self) -> Option<&'static str> {
        None
    }

    /// An amount that every play works with, in a currency of the channel that [`super::Driver::complete`] saves.
    fn money(&self) -> Money;

    /// How charges of this card's method end from now on. `Card::One` is the card that the trials save.
    async fn play(&self, card: Card, play: ChargePlay);

    /// The customer does on the gateway's page what a charge waits for, and passes or fails. `charge` is ours. `false`
    /// when no such charge waits.
    async fn pass_step_up(&self, charge: &str, passes: bool) -> bool;

    /// Where the customer's browser is sent after [`ChargeDriver::pass_step_up`], with what the gateway appends, where
    /// that is how the gateway lets us learn what came of it.
    async fn way_back(&self, _charge: &str) -> Option<Url> {
        None
    }

    /// A charge that is under way ends well, or is refused. `false` when no such charge is under way.
    async fn finish(&self, charge: &str, well: bool) -> bool;

    /// The bank takes back what had succeeded.
    async fn take_back(&self, _charge: &str) -> bool {
        false
    }

    /// Refunds that are under way end well. Does nothing where they end at once.
    async fn finish_refunds(&self) {}

    /// The address of ours that the gateway was given for the customer's way back from a charge's step, with nothing
    /// appended.
    async fn return_url(&self, _charge: &str) -> Option<Url> {
        None
    }

    /// Every charge in the gateway's books, whatever became of it; one that was made twice is there twice.
    async fn books(&self) -> Vec<Booked>;

    /// JSON pointers to the amounts of a charge in the gateway's answers, in whatever unit they are. A trial changes
    /// them.
    fn amounts(&self) -> Vec<&'static str>;

    /// JSON pointers to the statuses of a charge in the gateway's answers.
    fn statuses(&self) -> Vec<&'static str> {
        vec!["/status"]
    }
}
