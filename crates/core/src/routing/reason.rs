//! Why a gateway was taken, why it was not, and why none was.

use serde::{Deserialize, Serialize};

/// Why a gateway was taken or not, or why none was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Taken: the tenant has no other.
    OnlyGateway,
    /// Taken: the first able gateway of the rule that decides.
    FirstInRule,
    /// Taken: no rule decides, and it is the first able gateway by name.
    FirstByName,
    /// Able, and the rule names it after the one that was taken.
    LaterInRule,
    /// Able, and the rule that decides does not name it.
    NotInRule,
    /// Able, and its name comes after that of the one that was taken.
    LaterByName,
    /// Able, and nothing says whether a gateway in test mode or one in live mode is wanted. Also why none was taken.
    ModeUndecided,
    /// It is in the other mode.
    Mode,
    /// It saves nothing in the country.
    Country,
    /// It saves nothing in the currency there.
    Currency,
    /// Nothing that it saves there may be used like this.
    Usage,
    /// It has no channel of a kind that is wanted.
    Kind,
    /// It does not have a channel that is wanted.
    Channel,
    /// Why none was taken: none is able.
    NoneAble,
    /// Why none was taken: the tenant has none.
    NoGateway,
}

impl Reason {
    /// Whether a gateway was taken for this reason.
    pub const fn is_taken(self) -> bool {
        matches!(self, Self::OnlyGateway | Self::FirstInRule | Self::FirstByName)
    }

    /// Whether a gateway of which this is said serves what is wanted.
    pub const fn is_able(self) -> bool {
        matches!(self, Self::LaterInRule | Self::NotInRule | Self::LaterByName | Self::ModeUndecided)
            || self.is_taken()
    }

    /// The field of a request that this is about.
    pub const fn pointer(self) -> &'static str {
        match self {
            Self::Mode | Self::ModeUndecided => "/mode",
            Self::Country => "/country",
            Self::Currency => "/currency",
            Self::Usage => "/usage",
            Self::Kind => "/kinds",
            Self::Channel => "/channels",
            _ => "/gateway",
        }
    }
}
