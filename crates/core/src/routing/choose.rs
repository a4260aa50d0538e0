//! The choice itself: pure, total, and the same in whatever order gateways were configured.

use super::{Candidate, Considered, ConsideredRule, Explanation, GatewayChoice, Reason, RoutingRule};
use super::{RuleOutcome, Wanted};
use crate::capability::{Capabilities, Channel};
use crate::name::GatewayName;
use crate::settings::Mode;

/// Chooses one of a tenant's gateways, and says of each why it was taken or not.
///
/// First the mode: that of the request; else the one that all gateways have; else that of the first rule whose
/// conditions hold. Where none of these says it, nothing is chosen: whether money moves is not left to chance. Then the
/// first rule whose conditions hold and that names an able gateway of this mode decides, by its own order. Where no
/// rule decides, the first able gateway by name is taken.
pub fn choose(wanted: &Wanted, candidates: &[Candidate<'_>], rules: &[&RoutingRule]) -> Explanation {
    let mut candidates = candidates.to_vec();
    candidates.sort_unstable_by_key(|candidate| candidate.name);
    let mode = mode(wanted, &candidates, rules);
    let lacking: Vec<(Candidate<'_>, Option<Lack>)> =
        candidates.iter().map(|candidate| (*candidate, lack(wanted, mode, candidate))).collect();
    let able =
        |name: &GatewayName| lacking.iter().any(|(candidate, lack)| candidate.name == name && lack.is_none());
    let undecided = mode.is_none() && !candidates.is_empty();

    let mut decider: Option<&RoutingRule> = None;
    let mut considered_rules = Vec::with_capacity(rules.len());
    for rule in rules {
        let outcome = match rule.misses(wanted) {
            _ if decider.is_some() => RuleOutcome::NotReached,
            Some(missed) => missed,
            None if !undecided && rule.gateways.iter().any(able) => {
                decider = Some(rule);
                RuleOutcome::Decides
            }
            None => RuleOutcome::NoneAble,
        };
        let (rule, gateways) = (rule.name.clone(), rule.gateways.clone());
        considered_rules.push(ConsideredRule { rule, outcome, gateways });
    }

    let taken = match decider {
        _ if undecided => None,
        Some(rule) => rule.gateways.iter().find(|name| able(name)),
        None => candidates.iter().map(|candidate| candidate.name).find(|name| able(name)),
    };
    let alone = candidates.len() == 1;
    let considered: Vec<Considered> = lacking
        .iter()
        .map(|(candidate, lack)| {
            let name = candidate.name;
            let (reason, message) = match lack {
                Some(Lack { reason, message }) => (*reason, message.clone()),
                None if undecided => {
                    let mode = candidate.mode.as_str();
                    let message = format!("is in {mode} mode, and nothing says which mode is wanted");
                    (Reason::ModeUndecided, message)
                }
                None => standing(name, taken == Some(name), alone, decider),
            };
            Considered { gateway: name.clone(), reason, message }
        })
        .collect();
    let reason = match considered.iter().find(|gateway| gateway.reason.is_taken()) {
        Some(taken) => taken.reason,
        None if candidates.is_empty() => Reason::NoGateway,
        None if undecided => Reason::ModeUndecided,
        None => Reason::NoneAble,
    };
    let rule = decider.filter(|_| reason == Reason::FirstInRule).map(|rule| rule.name.clone());
    let choice = GatewayChoice { rule, reason, considered };
    Explanation { object: "gateway_choice", gateway: taken.cloned(), choice, rules: considered_rules }
}

/// The mode that gateways are chosen in; `None` when nothing says it.
fn mode(wanted: &Wanted, candidates: &[Candidate<'_>], rules: &[&RoutingRule]) -> Option<Mode> {
    let first = candidates.first()?.mode;
    let only = candidates.iter().all(|candidate| candidate.mode == first).then_some(first);
    let of = |rule: &&RoutingRule| {
        let known = |name: &GatewayName| candidates.iter().find(|candidate| candidate.name == name);
        rule.gateways.iter().find_map(known).map(|candidate| candidate.mode)
    };
    let by_rule = || rules.iter().find(|rule| rule.misses(wanted).is_none()).and_then(of);
    wanted.mode.or(only).or_else(by_rule)
}

/// What an able gateway is in comparison with the others.
fn standing(name: &GatewayName, taken: bool, alone: bool, decider: Option<&RoutingRule>) -> (Reason, String) {
    match decider {
        _ if alone => (Reason::OnlyGateway, "is the only gateway".to_owned()),
        Some(rule) if taken => {
            (Reason::FirstInRule, format!("is the first able gateway of rule `{}`", rule.name))
        }
        Some(rule) if rule.gateways.contains(name) => {
            (Reason::LaterInRule, format!("is able, and comes later in rule `{}`", rule.name))
        }
        Some(rule) => (Reason::NotInRule, format!("is able, and not in rule `{}`", rule.name)),
        None if taken => {
            (Reason::FirstByName, "is the first able gateway by name; no rule decides".to_owned())
        }
        None => (Reason::LaterByName, "is able, and comes later by name".to_owned()),
    }
}

/// What a gateway lacks.
struct Lack {
    reason: Reason,
    message: String,
}

/// The first thing that a gateway lacks.
fn lack(wanted: &Wanted, mode: Option<Mode>, candidate: &Candidate<'_>) -> Option<Lack> {
    let Wanted { country, currency, usage, kinds, channels, .. } = wanted;
    let lack = |reason, message| Some(Lack { reason, message });
    if mode.is_some_and(|mode| mode != candidate.mode) {
        return lack(Reason::Mode, format!("is in {} mode", candidate.mode.as_str()));
    }
    let capabilities: &Capabilities = candidate.capabilities;
    let in_country = || capabilities.channels.iter().filter(|channel| channel.country == *country);
    if in_country().next().is_none() {
        return lack(Reason::Country, format!("saves nothing in {country}"));
    }
    if !in_country().any(|channel| channel.currencies.contains(currency)) {
        return lack(Reason::Currency, format!("offers no {currency} in {country}"));
    }
    let usable: Vec<&Channel> = capabilities.channels_for(*country, *currency, *usage).collect();
    let place = format!("{country}, {currency} and {}", usage.as_str());
    if usable.is_empty() {
        return lack(Reason::Usage, format!("has nothing for {place}"));
    }
    if let Some(kind) = kinds.iter().find(|kind| !usable.iter().any(|channel| channel.kind == **kind)) {
        return lack(Reason::Kind, format!("has no {} for {place}", kind.as_str()));
    }
    let code = channels.iter().find(|code| !usable.iter().any(|channel| channel.code == **code));
    // The code is the client's text: it is told apart from ours, and cut.
    code.and_then(|code| {
        let shown: String = code.chars().take(MAX_SHOWN).flat_map(char::escape_debug).collect();
        lack(Reason::Channel, format!("has no channel `{shown}` for {place}"))
    })
}

/// The most characters of a channel's code that a message repeats.
const MAX_SHOWN: usize = 64;
