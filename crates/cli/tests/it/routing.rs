//! `billfold gateways explain` and `[[routing]]`: in process, over HTTP, and refused when it could not work.

use std::process::Output;

use serde_json::Value;

use crate::support::{Options, World, billfold};

/// A second gateway beside `main`, at another provider, and a rule.
const MORE: &str = r#"
[gateways.a-stripe]
provider = "stripe"
mode = "test"

[gateways.a-stripe.settings]
secret_key = "sk_test_CANARY"
webhook_secret = "whsec_CANARY"

[[routing]]
name = "home"
countries = ["ID"]
usages = ["unscheduled_customer", "recurring"]
gateways = ["main", "a-stripe"]
"#;

fn said(output: &Output) -> String {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(!text.contains("CANARY"), "{text}");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_choice_is_explained_in_process_and_over_http() {
    let mut world = World::start(Options::default(), None).await;
    world.kill9();
    world.configure(|text| text + MORE);
    world.start_server().await;
    let server = format!("http://127.0.0.1:{}", world.port);
    let key = world.issue(&["payments"]);
    let mut told = Vec::new();
    for remote in [&[][..], &["--server", &server, "--api-key", &key]] {
        let explain = |args: &[&str]| world.run(&[&["gateways", "explain"], args, remote].concat());
        let json = |args: &[&str]| -> Value {
            let output = explain(&[args, &["--json"]].concat());
            serde_json::from_str(&String::from_utf8_lossy(&output.stdout)).unwrap()
        };
        let home = json(&["--country", "ID", "--currency", "IDR", "--kind", "card,wallet"]);
        assert_eq!((&home["gateway"], &home["rule"]), (&"main".into(), &"home".into()));
        let germany =
            json(&["--country", "DE", "--currency", "EUR", "--kind", "card", "--kind", "bank_debit"]);
        assert_eq!((&germany["gateway"], &germany["reason"]), (&"a-stripe".into(), &"first_by_name".into()));
        let usage = json(&["--country", "ID", "--currency", "IDR", "--usage", "on_session"]);
        assert_eq!(usage["rules"][0]["outcome"], "usage");
        told.push((home, germany, usage));

        let table = explain(&["--country", "ID", "--currency", "IDR"]);
        assert!(table.status.success());
        let text = said(&table);
        for part in ["main", "first_in_rule", "is the first able gateway of rule `home`", "decides"] {
            assert!(text.contains(part), "{part} is not in:\n{text}");
        }
        let none = explain(&["--country", "ID", "--currency", "IDR", "--mode", "live"]);
        assert_eq!(none.status.code(), Some(1));
        let text = said(&none);
        assert!(text.contains("is in test mode") && text.contains("no gateway serves this"), "{text}");
        let wrong = explain(&["--country", "Germany", "--currency", "EUR"]);
        assert_eq!(wrong.status.code(), Some(1));
        assert!(said(&wrong).contains("/country: expected an ISO 3166-1 country code"), "{}", said(&wrong));
    }
    assert_eq!(told[0], told[1]);

    // It is what a session gets.
    let args = ["--customer", "c-1", "--given-names", "Lorem", "--return-url", "https://shop.example/done"];
    let place = ["sessions", "create", "--country", "ID", "--currency", "IDR", "--kind", "wallet"];
    let session = world.ok(&[&place[..], &args].concat());
    assert_eq!((&session["gateway"], &session["gateway_choice"]["rule"]), (&"main".into(), &"home".into()));
    assert!(session["channels"].as_array().unwrap().iter().any(|code| code == "OVO"), "{session}");
    assert!(session["channels"].as_array().unwrap().iter().all(|code| code != "CARDS"), "{session}");
    // Nothing of another tenant is looked at.
    let nobody =
        world.run(&["gateways", "explain", "--country", "ID", "--currency", "IDR", "--tenant", "nobody"]);
    assert!(said(&nobody).contains("no gateway is configured for this tenant"), "{}", said(&nobody));
    world.kill9();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rules_that_cannot_work_are_refused_in_one_line() {
    let world = World::start(Options::default(), None).await;
    let good = std::fs::read_to_string(world.config()).unwrap() + MORE;
    let check = |text: &str| {
        std::fs::write(world.config(), text).unwrap();
        let output = billfold().args(["config", "check", "--config"]).arg(world.config()).output().unwrap();
        (output.status.code(), said(&output))
    };
    assert_eq!(check(&good).0, Some(0));
    for (from, to, expected) in [
        ("countries = [\"ID\"]", "countrys = [\"ID\"]", "routing[0].countrys: unknown field `countrys`"),
        ("countries = [\"ID\"]", "countries = [\"id\"]", "routing[0].countries[0]: expected an ISO 3166-1"),
        ("countries = [\"ID\"]", "countries = []", "routing[0].countries: an empty list matches nothing"),
        (
            "countries = [\"ID\"]",
            "kinds = [\"cards\"]",
            "routing[0].kinds[0]: unknown value, expected one of",
        ),
        ("\"recurring\"]", "7]", "routing[0].usages[1]: "),
        ("[\"main\", \"a-stripe\"]", "[]", "routing[0].gateways: name at least one gateway"),
        (
            "[\"main\", \"a-stripe\"]",
            "[\"mian\"]",
            "routing[0].gateways: there is no gateway `mian`; tenant `default` has: a-stripe, main",
        ),
        ("name = \"home\"", "name = \"Home\"", "routing[0].name: expected 1 to 63"),
        ("name = \"home\"", "", "routing[0]: missing field `name`"),
        (
            "name = \"home\"",
            "name = \"home\"\ntenant = \"other\"",
            "routing[0].gateways: gateway `main` is of tenant `default`, and this rule of `other`",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let (code, said) = check(&good.replace(from, to));
        assert_eq!(code, Some(1), "{to}: {said}");
        assert!(said.contains(&format!("error: billfold.toml: {expected}")), "{to}: {said}");
        assert_eq!(said.trim().lines().count(), 1, "{said}");
    }
}
