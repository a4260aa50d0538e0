//! Which gateway is chosen, and what is said of the others: as tables, and as properties of any configuration.

use std::time::Duration;

use billfold_core::capability::{
    Capabilities, Channel, MetadataLimits, MethodKind, SessionLifetime, Trust, Usage,
};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::routing::{
    Candidate, Explanation, Reason, RoutingRule, RuleOutcome, Wanted, check_rules, choose,
};
use billfold_core::settings::Mode;
use proptest::prelude::*;

/// A gateway as these tests describe it.
#[derive(Debug, Clone)]
struct Declared {
    name: GatewayName,
    mode: Mode,
    capabilities: Capabilities,
}

/// A gateway with channels such as `CARD card DE EUR yes`.
fn gateway(name: &str, mode: Mode, channels: &[&str]) -> Declared {
    let channels = channels.iter().map(|channel| {
        let parts: Vec<&str> = channel.split(' ').collect();
        let [code, kind, country, currency, merchant] = parts.as_slice() else { panic!("{channel}") };
        Channel {
            code: (*code).to_owned(),
            name: (*code).to_owned(),
            kind: kind.parse().unwrap(),
            country: country.parse().unwrap(),
            currencies: vec![currency.parse().unwrap()],
            merchant_initiated: *merchant == "yes",
        }
    });
    let capabilities = Capabilities {
        name: name.to_owned(),
        channels: channels.collect(),
        webhook_trust: Trust::Signed,
        session_lifetime: SessionLifetime {
            min: Duration::from_mins(10),
            default: Duration::from_mins(30),
            max: Duration::from_hours(24),
        },
        metadata: MetadataLimits { keys: 1, key_length: 1, value_length: 1 },
        merchant_initiated_needs_terms: false,
        remote_deletion: false,
        webhook_refusal: Capabilities::WEBHOOK_REFUSAL,
    };
    Declared { name: name.parse().unwrap(), mode, capabilities }
}

fn candidates(gateways: &[Declared]) -> Vec<Candidate<'_>> {
    let of = gateways.iter().map(|gateway| Candidate {
        name: &gateway.name,
        mode: gateway.mode,
        capabilities: &gateway.capabilities,
    });
    of.collect()
}

fn explain(wanted: &Wanted, gateways: &[Declared], rules: &[RoutingRule]) -> Explanation {
    choose(wanted, &candidates(gateways), &rules.iter().collect::<Vec<_>>())
}

fn rule(name: &str, gateways: &[&str]) -> RoutingRule {
    let gateways = gateways.iter().map(|name| name.parse().unwrap()).collect();
    RoutingRule::new(name, TenantId::default_tenant(), gateways)
}

/// Cards in Germany, for whatever the customer starts.
fn wanted() -> Wanted {
    Wanted {
        country: "DE".parse().unwrap(),
        currency: "EUR".parse().unwrap(),
        usage: Usage::UnscheduledCustomer,
        kinds: Vec::new(),
        channels: Vec::new(),
        mode: None,
    }
}

/// Three that save something in Germany, and one that does not.
fn gateways() -> Vec<Declared> {
    vec![
        gateway(
            "cards",
            Mode::Test,
            &["CARD card DE EUR yes", "CARD card FR EUR yes", "CARD card CH CHF yes"],
        ),
        gateway("both", Mode::Test, &["card card DE EUR yes", "debit bank_debit DE EUR yes"]),
        gateway("purses", Mode::Test, &["PURSE wallet DE EUR no"]),
        gateway("far", Mode::Test, &["CARD card ID IDR yes"]),
    ]
}

/// What was taken, by which rule, and what is said of each, as one line.
fn line(explanation: &Explanation) -> String {
    let taken = explanation.gateway.as_ref().map_or("none", |name| name.as_str());
    let rule = explanation.choice.rule.as_deref().unwrap_or("-");
    let each = explanation.choice.considered.iter().map(|gateway| {
        let reason = serde_json::to_value(gateway.reason).unwrap();
        format!("{}={}", gateway.gateway, reason.as_str().unwrap())
    });
    format!("{taken} {rule} {}", each.collect::<Vec<_>>().join(" "))
}

#[test]
fn capabilities_decide_where_no_rule_does() {
    type Change = fn(&mut Wanted);
    let table: &[(Change, &str)] = &[
        (|_| {}, "both - both=first_by_name cards=later_by_name far=country purses=later_by_name"),
        (
            |w| w.country = "FR".parse().unwrap(),
            "cards - both=country cards=first_by_name far=country purses=country",
        ),
        (
            |w| w.country = "CH".parse().unwrap(),
            "none - both=country cards=currency far=country purses=country",
        ),
        (
            |w| w.usage = Usage::Recurring,
            "both - both=first_by_name cards=later_by_name far=country purses=usage",
        ),
        (
            |w| w.kinds = vec![MethodKind::Wallet],
            "purses - both=kind cards=kind far=country purses=first_by_name",
        ),
        (
            |w| w.kinds = vec![MethodKind::Card, MethodKind::BankDebit],
            "both - both=first_by_name cards=kind far=country purses=kind",
        ),
        (
            |w| {
                w.kinds = vec![MethodKind::Wallet];
                w.usage = Usage::Recurring;
            },
            "none - both=kind cards=kind far=country purses=usage",
        ),
        (
            |w| w.channels = vec!["CARD".to_owned()],
            "cards - both=channel cards=first_by_name far=country purses=channel",
        ),
        (|w| w.mode = Some(Mode::Live), "none - both=mode cards=mode far=mode purses=mode"),
        (
            |w| w.mode = Some(Mode::Test),
            "both - both=first_by_name cards=later_by_name far=country purses=later_by_name",
        ),
    ];
    for (change, expected) in table {
        let mut wanted = wanted();
        change(&mut wanted);
        assert_eq!(line(&explain(&wanted, &gateways(), &[])), *expected, "{wanted:?}");
    }
}

#[test]
fn messages_say_what_is_lacking() {
    let mut wanted = wanted();
    wanted.usage = Usage::Recurring;
    wanted.channels = vec!["C\u{7}ARD".to_owned() + &"x".repeat(100)];
    let explanation = explain(&wanted, &gateways(), &[]);
    let said: Vec<_> = explanation.choice.considered.iter().map(|gateway| gateway.message.as_str()).collect();
    let cut = format!("has no channel `C\\u{{7}}ARD{}` for DE, EUR and recurring", "x".repeat(59));
    assert_eq!(said, [&cut, &cut, "saves nothing in DE", "has nothing for DE, EUR and recurring"]);
}

#[test]
fn the_first_rule_with_an_able_gateway_decides() {
    let germany = RoutingRule { countries: Some(vec!["DE".parse().unwrap()]), ..rule("germany", &["cards"]) };
    let euros = RoutingRule { currencies: Some(vec!["EUR".parse().unwrap()]), ..rule("euros", &["purses"]) };
    let debits = RoutingRule {
        kinds: Some(vec![MethodKind::BankDebit, MethodKind::Card]),
        ..rule("debits", &["purses", "both"])
    };
    let schedules = RoutingRule { usages: Some(vec![Usage::Recurring]), ..rule("schedules", &["purses"]) };
    let any = rule("any", &["far", "purses", "cards"]);

    let check = |wanted: &Wanted, rules: &[&RoutingRule], expected: &str| {
        let rules: Vec<_> = rules.iter().map(|rule| (*rule).clone()).collect();
        let explanation = explain(wanted, &gateways(), &rules);
        assert_eq!(line(&explanation), expected);
        explanation.rules.iter().map(|rule| rule.outcome).collect::<Vec<_>>()
    };
    let here = wanted();
    let by = |rule| format!("{rule} both=not_in_rule cards=first_in_rule far=country purses=not_in_rule");
    let outcomes = check(&here, &[&germany, &euros], &by("cards germany"));
    assert_eq!(outcomes, [RuleOutcome::Decides, RuleOutcome::NotReached]);

    let second = "purses euros both=not_in_rule cards=not_in_rule far=country purses=first_in_rule";
    let outcomes = check(&here, &[&debits, &euros, &germany], second);
    // Nothing was said of kinds, so a rule about kinds does not hold.
    assert_eq!(outcomes, [RuleOutcome::Kind, RuleOutcome::Decides, RuleOutcome::NotReached]);

    let order = "purses any both=not_in_rule cards=later_in_rule far=country purses=first_in_rule";
    assert_eq!(check(&here, &[&any], order), [RuleOutcome::Decides]);

    let kinds = Wanted { kinds: vec![MethodKind::BankDebit], ..wanted() };
    let outcomes =
        check(&kinds, &[&debits], "both debits both=first_in_rule cards=kind far=country purses=kind");
    assert_eq!(outcomes, [RuleOutcome::Decides]);
    let more = Wanted { kinds: vec![MethodKind::Card, MethodKind::Wallet], ..wanted() };
    let outcomes = check(&more, &[&debits], "none - both=kind cards=kind far=country purses=kind");
    assert_eq!(outcomes, [RuleOutcome::Kind]);

    // A rule whose conditions hold and whose gateways are not able is passed over.
    let recurring = Wanted { usage: Usage::Recurring, ..wanted() };
    let outcomes = check(
        &recurring,
        &[&schedules, &germany],
        "cards germany both=not_in_rule cards=first_in_rule far=country purses=usage",
    );
    assert_eq!(outcomes, [RuleOutcome::NoneAble, RuleOutcome::Decides]);
    let outcomes = check(
        &recurring,
        &[&schedules],
        "both - both=first_by_name cards=later_by_name far=country purses=usage",
    );
    assert_eq!(outcomes, [RuleOutcome::NoneAble]);

    let switzerland = Wanted { country: "CH".parse().unwrap(), currency: "CHF".parse().unwrap(), ..wanted() };
    let outcomes = check(
        &switzerland,
        &[&germany, &euros, &schedules],
        "cards - both=country cards=first_by_name far=country purses=country",
    );
    assert_eq!(outcomes, [RuleOutcome::Country, RuleOutcome::Currency, RuleOutcome::Usage]);
}

#[test]
fn the_mode_is_never_left_to_chance() {
    let cards = |name, mode| gateway(name, mode, &["CARD card DE EUR yes"]);
    let both = [cards("a-live", Mode::Live), cards("b-test", Mode::Test)];
    let check = |wanted: &Wanted, gateways: &[Declared], rules: &[RoutingRule], expected: &str| {
        assert_eq!(line(&explain(wanted, gateways, rules)), expected);
    };
    let live = Wanted { mode: Some(Mode::Live), ..wanted() };
    let test = Wanted { mode: Some(Mode::Test), ..wanted() };
    check(&wanted(), &both, &[], "none - a-live=mode_undecided b-test=mode_undecided");
    check(&live, &both, &[], "a-live - a-live=first_by_name b-test=mode");
    check(&test, &both, &[], "b-test - a-live=mode b-test=first_by_name");

    // A rule that holds says it, and another mode than the request's is passed over.
    let rules = [rule("trial", &["b-test"]), rule("real", &["a-live"])];
    check(&wanted(), &both, &rules, "b-test trial a-live=mode b-test=first_in_rule");
    check(&live, &both, &rules, "a-live real a-live=first_in_rule b-test=mode");

    // One whose gateway is not able does not lead to the other mode.
    let unable = [gateway("a-live", Mode::Live, &["CARD card FR EUR yes"]), cards("b-test", Mode::Test)];
    let rules = [rule("real", &["a-live"]), rule("trial", &["b-test"])];
    check(&wanted(), &unable, &rules, "none - a-live=country b-test=mode");
    // Nor does it where no rule holds: that only one of them is able is chance as well.
    check(&wanted(), &unable, &[], "none - a-live=country b-test=mode_undecided");
}

#[test]
fn the_only_gateway_and_no_gateway() {
    let only = [gateway("only", Mode::Live, &["CARD card DE EUR yes"])];
    assert_eq!(line(&explain(&wanted(), &only, &[rule("r", &["only"])])), "only - only=only_gateway");
    let none = explain(&wanted(), &[], &[]);
    assert_eq!((none.gateway, none.choice.reason), (None, Reason::NoGateway));
    let elsewhere = [gateway("only", Mode::Live, &["CARD card FR EUR yes"])];
    let none = explain(&wanted(), &elsewhere, &[]);
    assert_eq!((none.gateway, none.choice.reason), (None, Reason::NoneAble));
}

#[test]
fn rules_that_cannot_work_are_refused() {
    let names = |name: &str, tenant: &str, mode| -> (GatewayName, TenantId, Mode) {
        (name.parse().unwrap(), tenant.parse().unwrap(), mode)
    };
    let known = [
        names("a", "default", Mode::Test),
        names("b", "default", Mode::Live),
        names("rivals", "rival", Mode::Test),
    ];
    let check = |rules: &[RoutingRule]| {
        let known = known.iter().map(|(name, tenant, mode)| (name, tenant, *mode));
        check_rules(rules, known).map_err(|wrong| format!("{} {}: {}", wrong.index, wrong.key, wrong.problem))
    };
    let good = rule("good", &["a"]);
    let rivals = RoutingRule { tenant: "rival".parse().unwrap(), ..rule("good", &["rivals"]) };
    assert_eq!(check(&[good.clone(), rule("other", &["b"]), rivals.clone()]), Ok(()));
    for (wrong, expected) in [
        (rule("", &["a"]), "1 name: expected 1 to 63"),
        (rule("Eu Cards", &["a"]), "1 name: expected 1 to 63"),
        (good.clone(), "1 name: two rules of one tenant are named `good`"),
        (rule("r", &[]), "1 gateways: name at least one gateway"),
        (rule("r", &["c"]), "1 gateways: there is no gateway `c`; tenant `default` has: a, b"),
        (rule("r", &["a", "a"]), "1 gateways: gateway `a` is named twice"),
        (rule("r", &["a", "b"]), "1 gateways: gateways `a` and `b` are in different modes"),
        (
            rule("r", &["rivals"]),
            "1 gateways: gateway `rivals` is of tenant `rival`, and this rule of `default`",
        ),
        (
            RoutingRule { tenant: "nobody".parse().unwrap(), ..rule("r", &["c"]) },
            "1 gateways: there is no gateway `c`; tenant `nobody` has: none",
        ),
        (RoutingRule { countries: Some(Vec::new()), ..rule("r", &["a"]) }, "1 countries: an empty list"),
        (RoutingRule { currencies: Some(Vec::new()), ..rule("r", &["a"]) }, "1 currencies: an empty list"),
        (RoutingRule { kinds: Some(Vec::new()), ..rule("r", &["a"]) }, "1 kinds: an empty list"),
        (RoutingRule { usages: Some(Vec::new()), ..rule("r", &["a"]) }, "1 usages: an empty list"),
    ] {
        let said = check(&[good.clone(), wrong.clone()]).unwrap_err();
        assert!(said.starts_with(expected), "{wrong:?}: {said}");
    }
}

const COUNTRIES: [&str; 3] = ["DE", "FR", "ID"];
const CURRENCIES: [&str; 3] = ["EUR", "IDR", "USD"];
const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

fn of<T: Clone + std::fmt::Debug + 'static>(values: &[T]) -> impl Strategy<Value = T> + use<T> {
    proptest::sample::select(values.to_vec())
}

fn any_mode() -> impl Strategy<Value = Mode> {
    of(&[Mode::Test, Mode::Live])
}

fn any_gateways() -> impl Strategy<Value = Vec<Declared>> {
    let kinds = MethodKind::ALL.map(MethodKind::as_str);
    let channel = (0_usize..3, of(&kinds), of(&COUNTRIES), of(&CURRENCIES), of(&["yes", "no"]));
    let channel = channel.prop_map(|(n, kind, country, currency, merchant)| {
        format!("CH{n} {kind} {country} {currency} {merchant}")
    });
    let each = (any_mode(), prop::collection::vec(channel, 0..6));
    let names = prop::sample::subsequence(NAMES.to_vec(), 0..=NAMES.len()).prop_shuffle();
    (names, prop::collection::vec(each, NAMES.len())).prop_map(|(names, each)| {
        let all = names.into_iter().zip(each);
        all.map(|(name, (mode, channels))| {
            gateway(name, mode, &channels.iter().map(String::as_str).collect::<Vec<_>>())
        })
        .collect()
    })
}

fn some<T: Clone + std::fmt::Debug + 'static>(
    values: &[T],
) -> impl Strategy<Value = Option<Vec<T>>> + use<T> {
    let many = prop::sample::subsequence(values.to_vec(), 1..=values.len());
    proptest::option::weighted(0.3, many)
}

fn any_rules() -> impl Strategy<Value = Vec<RoutingRule>> {
    let countries = COUNTRIES.map(|code| code.parse().unwrap());
    let currencies = CURRENCIES.map(|code| code.parse().unwrap());
    let gateways = prop::sample::subsequence(NAMES.to_vec(), 1..4).prop_shuffle();
    let each = (some(&countries), some(&currencies), some(&MethodKind::ALL), some(&Usage::ALL), gateways);
    prop::collection::vec(each, 0..4).prop_map(|all| {
        let made =
            all.into_iter().enumerate().map(|(n, (countries, currencies, kinds, usages, gateways))| {
                RoutingRule { countries, currencies, kinds, usages, ..rule(&format!("r{n}"), &gateways) }
            });
        made.collect()
    })
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    let channels = prop::sample::subsequence(vec!["CH0".to_owned(), "CH1".to_owned()], 0..=1);
    let kinds = prop::sample::subsequence(MethodKind::ALL.to_vec(), 0..=2);
    let mode = proptest::option::of(any_mode());
    (of(&COUNTRIES), of(&CURRENCIES), of(&Usage::ALL), kinds, channels, mode).prop_map(
        |(country, currency, usage, kinds, channels, mode)| Wanted {
            country: country.parse().unwrap(),
            currency: currency.parse().unwrap(),
            usage,
            kinds,
            channels,
            mode,
        },
    )
}

/// Whether a gateway serves what is wanted, said in another way than the code under test says it.
fn serves(gateway: &Declared, wanted: &Wanted) -> bool {
    let usable: Vec<&Channel> =
        gateway.capabilities.channels_for(wanted.country, wanted.currency, wanted.usage).collect();
    !usable.is_empty()
        && wanted.mode.is_none_or(|mode| mode == gateway.mode)
        && wanted.kinds.iter().all(|kind| usable.iter().any(|channel| channel.kind == *kind))
        && wanted.channels.iter().all(|code| usable.iter().any(|channel| channel.code == *code))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn what_is_chosen_is_able_and_everything_is_explained(
        gateways in any_gateways(), rules in any_rules(), wanted in any_wanted(),
    ) {
        let explanation = explain(&wanted, &gateways, &rules);
        // Every gateway and every rule once, the gateways by name.
        let mut names: Vec<_> = gateways.iter().map(|gateway| gateway.name.clone()).collect();
        names.sort_unstable();
        let considered: Vec<_> =
            explanation.choice.considered.iter().map(|gateway| gateway.gateway.clone()).collect();
        prop_assert_eq!(considered, names);
        let told: Vec<_> = explanation.rules.iter().map(|told| &told.rule).collect();
        prop_assert_eq!(told, rules.iter().map(|rule| &rule.name).collect::<Vec<_>>());

        let find = |name: &GatewayName| gateways.iter().find(|gateway| gateway.name == *name).unwrap();
        for considered in &explanation.choice.considered {
            let serves = serves(find(&considered.gateway), &wanted);
            let able = considered.reason.is_able();
            // The other mode is the one reason beside the capabilities.
            prop_assert!(able == serves || (serves && considered.reason == Reason::Mode), "{considered:?}");
            let taken = explanation.gateway.as_ref() == Some(&considered.gateway);
            prop_assert_eq!(considered.reason.is_taken(), taken);
            prop_assert!(!considered.message.is_empty());
        }
        let decides = |told: &&billfold_core::routing::ConsideredRule| told.outcome == RuleOutcome::Decides;
        let decider = explanation.rules.iter().find(decides);
        if let Some(name) = &explanation.gateway {
            prop_assert!(serves(find(name), &wanted));
            if explanation.choice.reason == Reason::FirstInRule {
                let decider = decider.unwrap();
                prop_assert_eq!(Some(&decider.rule), explanation.choice.rule.as_ref());
                prop_assert!(decider.gateways.contains(name));
            } else {
                prop_assert_eq!(&explanation.choice.rule, &None);
            }
            return Ok(());
        }
        // Nothing is refused that could be done without choosing between modes: an able gateway is left only where
        // there are two modes and the request names none, and then it is not in the mode of the first rule that holds.
        let able: Vec<_> = gateways.iter().filter(|gateway| serves(gateway, &wanted)).collect();
        if able.is_empty() {
            return Ok(());
        }
        prop_assert_eq!(wanted.mode, None);
        prop_assert!(gateways.iter().any(|gateway| gateway.mode != gateways[0].mode));
        let holds = explanation.rules.iter().find(|told| told.outcome == RuleOutcome::NoneAble);
        let of_rule = holds.and_then(|told| {
            told.gateways.iter().find_map(|name| gateways.iter().find(|gateway| gateway.name == *name))
        });
        prop_assert!(of_rule.is_none_or(|first| able.iter().all(|gateway| gateway.mode != first.mode)));
    }

    #[test]
    fn the_order_of_the_configuration_changes_nothing(
        (gateways, shuffled) in any_gateways().prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle())),
        rules in any_rules(), wanted in any_wanted(),
    ) {
        prop_assert_eq!(explain(&wanted, &gateways, &rules), explain(&wanted, &shuffled, &rules));
    }

    #[test]
    fn a_rule_that_is_not_reached_changes_nothing(
        gateways in any_gateways(), rules in any_rules(), wanted in any_wanted(),
    ) {
        let before = explain(&wanted, &gateways, &rules);
        let reached = |told: &&billfold_core::routing::ConsideredRule| told.outcome != RuleOutcome::NotReached;
        let kept = before.rules.iter().filter(reached).count();
        let after = explain(&wanted, &gateways, &rules[..kept]);
        prop_assert_eq!((before.gateway, before.choice), (after.gateway, after.choice));
    }
}
