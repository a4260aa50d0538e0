//! Ordered rules, as the configuration writes them, and what is refused in them.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{RuleOutcome, Wanted};
use crate::capability::{MethodKind, Usage};
use crate::money::{Country, Currency};
use crate::name::{self, GatewayName, TenantId};
use crate::settings::Mode;

/// One of a tenant's ordered preferences. A condition that is left out holds for every request.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoutingRule {
    /// What answers call it.
    pub name: String,
    /// Whose rule.
    #[serde(default = "TenantId::default_tenant")]
    pub tenant: TenantId,
    /// Only for these countries.
    pub countries: Option<Vec<Country>>,
    /// Only for these currencies.
    pub currencies: Option<Vec<Currency>>,
    /// Only for requests that say which kinds to offer, and no other kinds than these.
    pub kinds: Option<Vec<MethodKind>>,
    /// Only for these usages.
    pub usages: Option<Vec<Usage>>,
    /// The gateways, the preferred one first; all of one mode.
    pub gateways: Vec<GatewayName>,
}

impl RoutingRule {
    /// A rule for every request of a tenant.
    pub fn new(name: impl Into<String>, tenant: TenantId, gateways: Vec<GatewayName>) -> Self {
        let (countries, currencies, kinds, usages) = (None, None, None, None);
        Self { name: name.into(), tenant, countries, currencies, kinds, usages, gateways }
    }

    /// Which of its conditions does not hold; `None` when all do.
    pub(super) fn misses(&self, wanted: &Wanted) -> Option<RuleOutcome> {
        let kinds = |known: &Vec<MethodKind>| {
            !wanted.kinds.is_empty() && wanted.kinds.iter().all(|kind| known.contains(kind))
        };
        if self.countries.as_ref().is_some_and(|known| !known.contains(&wanted.country)) {
            Some(RuleOutcome::Country)
        } else if self.currencies.as_ref().is_some_and(|known| !known.contains(&wanted.currency)) {
            Some(RuleOutcome::Currency)
        } else if self.usages.as_ref().is_some_and(|known| !known.contains(&wanted.usage)) {
            Some(RuleOutcome::Usage)
        } else if self.kinds.as_ref().is_some_and(|known| !kinds(known)) {
            Some(RuleOutcome::Kind)
        } else {
            None
        }
    }

    fn empty_condition(&self) -> Option<(&'static str, &'static str)> {
        let empty = |key, what, is_empty: Option<bool>| is_empty.unwrap_or(false).then_some((key, what));
        empty("countries", "country", self.countries.as_ref().map(Vec::is_empty))
            .or(empty("currencies", "currency", self.currencies.as_ref().map(Vec::is_empty)))
            .or(empty("kinds", "kind", self.kinds.as_ref().map(Vec::is_empty)))
            .or(empty("usages", "usage", self.usages.as_ref().map(Vec::is_empty)))
    }
}

/// What is wrong with a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleProblem {
    /// Which rule, counted from 0.
    pub index: usize,
    /// Which of its keys.
    pub key: &'static str,
    /// What is wrong, and what would be right.
    pub problem: String,
}

/// Refuses rules that could not work as they are written. `gateways` are those of every tenant.
pub fn check_rules<'a>(
    rules: &[RoutingRule],
    gateways: impl IntoIterator<Item = (&'a GatewayName, &'a TenantId, Mode)>,
) -> Result<(), RuleProblem> {
    let gateways: Vec<_> = gateways.into_iter().collect();
    let mut names = BTreeSet::new();
    for (index, rule) in rules.iter().enumerate() {
        let wrong = |key, problem: String| Err(RuleProblem { index, key, problem });
        if let Err(error) = name::check(&rule.name) {
            return wrong("name", error.to_string());
        }
        if !names.insert((&rule.tenant, &rule.name)) {
            return wrong("name", format!("two rules of one tenant are named `{}`; rename one", rule.name));
        }
        if let Some((key, what)) = rule.empty_condition() {
            return wrong(
                key,
                format!("an empty list matches nothing; leave the key out to match every {what}"),
            );
        }
        if let Err(problem) = check_gateways(rule, &gateways) {
            return wrong("gateways", problem);
        }
    }
    Ok(())
}

fn check_gateways(rule: &RoutingRule, known: &[(&GatewayName, &TenantId, Mode)]) -> Result<(), String> {
    let mut named: Vec<(&GatewayName, Mode)> = Vec::new();
    for name in &rule.gateways {
        let Some((_, tenant, mode)) = known.iter().find(|(known, ..)| *known == name) else {
            let ours = known.iter().filter(|(_, tenant, _)| **tenant == rule.tenant);
            let ours: Vec<&str> = ours.map(|(name, ..)| name.as_str()).collect();
            let there_are = if ours.is_empty() { "none".to_owned() } else { ours.join(", ") };
            return Err(format!("there is no gateway `{name}`; tenant `{}` has: {there_are}", rule.tenant));
        };
        if **tenant != rule.tenant {
            return Err(format!(
                "gateway `{name}` is of tenant `{tenant}`, and this rule of `{}`; set the rule's tenant, or name a \
                 gateway of its own",
                rule.tenant
            ));
        }
        if named.iter().any(|(other, _)| *other == name) {
            return Err(format!("gateway `{name}` is named twice; keep one"));
        }
        if let Some((other, _)) = named.iter().find(|(_, other)| other != mode) {
            return Err(format!(
                "gateways `{other}` and `{name}` are in different modes; make a rule for test and another for live"
            ));
        }
        named.push((name, *mode));
    }
    if named.is_empty() { Err("name at least one gateway".to_owned()) } else { Ok(()) }
}
