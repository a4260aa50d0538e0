//! Which gateway saves a payment method when the request names none: the tenant's ordered rules, the gateways'
//! declared capabilities, and of every gateway the reason why it was taken or not.

mod choose;
mod reason;
mod rule;

use serde::{Deserialize, Serialize};

use crate::capability::{Capabilities, MethodKind, Usage};
use crate::money::{Country, Currency};
use crate::name::GatewayName;
use crate::settings::Mode;

pub use choose::choose;
pub use reason::Reason;
pub use rule::{RoutingRule, RuleProblem, check_rules};

/// What a request wants of its gateway, as far as the choice looks at it. Everything else that is wrong with a request
/// is an error, and leads to no other gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Country of the merchant's activation.
    pub country: Country,
    /// Currency of later charges.
    pub currency: Currency,
    /// What the method will be used for.
    pub usage: Usage,
    /// The kinds to offer, each of which the gateway must have; empty means whatever it has.
    pub kinds: Vec<MethodKind>,
    /// Channel codes to offer, each of which the gateway must have; empty means whatever it has.
    pub channels: Vec<String>,
    /// Test or live, where the request says so.
    pub mode: Option<Mode>,
}

/// A gateway that may be chosen.
#[derive(Debug, Clone, Copy)]
pub struct Candidate<'a> {
    /// Its name.
    pub name: &'a GatewayName,
    /// Test or live.
    pub mode: Mode,
    /// What it declares.
    pub capabilities: &'a Capabilities,
}

/// A gateway, and why it was taken or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Considered {
    /// Its name.
    pub gateway: GatewayName,
    /// For programs.
    pub reason: Reason,
    /// For people.
    pub message: String,
}

/// Why a gateway was chosen; stored with the session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GatewayChoice {
    /// The rule that decided; `None` when none did.
    pub rule: Option<String>,
    /// Why the gateway was taken, or why none was.
    pub reason: Reason,
    /// Every gateway of the tenant, by name.
    pub considered: Vec<Considered>,
}

/// What became of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// Its conditions hold, and the gateway is one of its own.
    Decides,
    /// It is not for this country.
    Country,
    /// It is not for this currency.
    Currency,
    /// It is not for the kinds wanted.
    Kind,
    /// It is not for this usage.
    Usage,
    /// Its conditions hold, and none of its gateways is able.
    NoneAble,
    /// A rule before it decided.
    NotReached,
}

/// A rule, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ConsideredRule {
    /// Its name.
    pub rule: String,
    /// For programs.
    pub outcome: RuleOutcome,
    /// Its gateways, in its order.
    pub gateways: Vec<GatewayName>,
}

/// A choice with everything that led to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Explanation {
    /// Always `gateway_choice`.
    pub object: &'static str,
    /// The gateway; `None` when none can or may be chosen.
    pub gateway: Option<GatewayName>,
    /// Why.
    #[serde(flatten)]
    pub choice: GatewayChoice,
    /// The tenant's rules, in their order.
    pub rules: Vec<ConsideredRule>,
}
