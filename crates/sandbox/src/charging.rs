//! Charges, where a gateway makes them: what the control API plays of banks and customers.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::server::{SandboxState, World};

/// How the charges of a token end from now on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChargePlay {
    /// As the amount and the method say; well, when they say nothing.
    #[default]
    Approve,
    /// They are refused, for a reason in the gateway's own words.
    Decline(String),
    /// The customer has to act first, where they are there.
    StepUp,
    /// They, and what changes them, are under way until they are finished by order.
    Slow,
}

/// A gateway's charges. One is named by its id or by the merchant's reference.
pub(crate) trait Charging: fmt::Debug + Sync {
    /// Every charge, oldest first, with what was taken and given back.
    fn charges(&self, state: &SandboxState) -> Vec<Value>;

    /// Says how charges of a token end; `false` when there is no such token.
    fn play(&self, state: &mut SandboxState, token: &str, play: ChargePlay) -> bool;

    /// The customer passes or fails the step that a charge waits for, as on its page; says where the browser is sent.
    /// `None` when no such charge waits.
    fn act(&self, world: &World, charge: &str, passes: bool) -> Option<String>;

    /// A charge that is under way, and what was asked for to change it, ends well or is refused. `false` when nothing
    /// is under way.
    fn finish(&self, world: &World, charge: &str, well: bool) -> bool;

    /// What had succeeded is taken back, in one of the gateway's ways or its usual one. `false` when it had not.
    fn take_back(&self, world: &World, charge: &str, how: Option<&str>) -> bool;

    /// Refunds that are under way end well.
    fn finish_refunds(&self, world: &World);
}
