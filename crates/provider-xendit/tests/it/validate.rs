//! What is refused before anything is stored, each with its place in the request; and settings.

use billfold_core::ErrorKind;
use billfold_core::capability::Usage;
use billfold_core::provider::CreateSession;
use billfold_core::settings::Mode;
use serde_json::{Value, json};

use crate::support::{REFERENCE, assert_error_is_quiet, build, provider, request};

const SANDBOX: &str = "http://127.0.0.1:4010";

/// The pointers of everything that is wrong with a request.
fn problems(change: impl FnOnce(&mut CreateSession)) -> Vec<String> {
    let mut request = request(REFERENCE, Usage::OnSession);
    change(&mut request);
    match provider(SANDBOX, &json!({})).validate(&request) {
        Ok(()) => Vec::new(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidRequest);
            assert_error_is_quiet(&error, &"a request");
            error.fields().iter().map(|field| field.pointer.clone()).collect()
        }
    }
}

#[test]
fn names_are_wanted_and_limited() {
    let long = "é".repeat(51);
    let given_names =
        |value: Option<&str>| problems(|request| request.customer.given_names = value.map(str::to_owned));
    for wrong in [None, Some(""), Some(" \t"), Some(&*long)] {
        assert_eq!(given_names(wrong), ["/customer/given_names"], "{wrong:?}");
    }
    for good in ["L", " Lorem ", &long[2..]] {
        assert!(given_names(Some(good)).is_empty(), "{good}");
    }
    let surname =
        |value: Option<&str>| problems(|request| request.customer.surname = value.map(str::to_owned));
    assert_eq!(surname(Some(&long)), ["/customer/surname"]);
    for good in [None, Some(""), Some(&long[2..])] {
        assert!(surname(good).is_empty(), "{good:?}");
    }
}

#[test]
fn contact_details_have_their_forms() {
    let email = |value: &str| problems(|request| request.customer.email = Some(value.to_owned()));
    let long = format!("{}@x.co", "a".repeat(46));
    for wrong in ["", "CANARY", "a@b", "@b.co", "a b@c.co", "a@b@c.co", "a@b.co\n", &long] {
        assert_eq!(email(wrong), ["/customer/email"], "{wrong}");
    }
    for good in ["a@b.co", &long[1..]] {
        assert!(email(good).is_empty(), "{good}");
    }
    let number = |value: &str| problems(|request| request.customer.mobile_number = Some(value.to_owned()));
    for wrong in ["", "CANARY", "08123456789", "+0812345678", "+123456", "+1234567890123456", "+62 812 3456"]
    {
        assert_eq!(number(wrong), ["/customer/mobile_number"], "{wrong}");
    }
    for good in ["+1234567", "+628123456789", "+123456789012345"] {
        assert!(number(good).is_empty(), "{good}");
    }
}

#[test]
fn what_the_page_shows_has_its_limits() {
    for (description, good) in
        [("", false), (&*"x".repeat(1001), false), ("x", true), (&*"é".repeat(1000), true)]
    {
        let found = problems(|request| request.description = Some(description.to_owned()));
        assert_eq!(found.is_empty(), good, "{} characters: {found:?}", description.chars().count());
    }
    for (locale, good) in
        [("en", true), ("EN", false), ("eng", false), ("", false), ("é", false), ("en-US", false)]
    {
        assert_eq!(problems(|request| request.locale = Some(locale.to_owned())).is_empty(), good, "{locale}");
    }
}

#[test]
fn options_are_known_or_refused() {
    let options = |value: &Value| {
        problems(|request| {
            request.channels = vec!["CARDS".into(), "OVO".into()];
            request.provider_options = Some(value.clone());
        })
    };
    for good in [
        json!({}),
        json!({"skip_three_ds": null, "mid_label": null}),
        json!({"skip_three_ds": true, "mid_label": "MID-1"}),
        json!({"primary_payment_channels": ["OVO"], "notification_channels": ["EMAIL"]}),
    ] {
        assert!(options(&good).is_empty(), "{good}");
    }
    for (wrong, pointer) in [
        (json!({"items": []}), "/provider_options/items"),
        (json!({"internal_metadata": {}}), "/provider_options/internal_metadata"),
        (json!({"capture_method": "MANUAL"}), "/provider_options/capture_method"),
        (json!({"skip_three_ds": "CANARY"}), "/provider_options"),
        (json!({"mid_label": 7}), "/provider_options"),
        (json!("CANARY"), "/provider_options"),
        (json!({"primary_payment_channels": ["DANA"]}), "/provider_options/primary_payment_channels"),
        (json!({"notification_channels": ["SMS"]}), "/provider_options/notification_channels"),
    ] {
        assert_eq!(options(&wrong), [pointer], "{wrong}");
    }
}

#[test]
fn everything_wrong_is_named_at_once() {
    let found = problems(|request| {
        request.customer.given_names = None;
        request.customer.email = Some("CANARY".to_owned());
        request.locale = Some("CANARY".to_owned());
        request.provider_options = Some(json!({"zzz": 1, "primary_payment_channels": 7}));
    });
    assert_eq!(found.len(), 4, "{found:?}");
}

/// The gateway sends customers back over https, in test mode too; only the local sandbox is not so strict.
#[test]
fn return_addresses_are_https() {
    let mut plain = request(REFERENCE, Usage::OnSession);
    plain.cancel_url = "http://127.0.0.1:8080/return/1".parse().unwrap();
    provider(SANDBOX, &json!({})).validate(&plain).unwrap();
    for (development, base_url) in [(false, "https://api.xendit.co"), (true, "https://proxy.example")] {
        let provider = build(Mode::Test, development, base_url, &json!({})).unwrap();
        let error = provider.validate(&plain).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.message().contains("server.public_url"), "{error}");
        provider.validate(&request(REFERENCE, Usage::OnSession)).unwrap();
    }
}

/// Wrong settings are named by file and key; a value, which may hold a secret, is not repeated.
#[test]
fn settings_are_refused_by_name_and_without_their_values() {
    for (changes, key) in [
        (json!({"secret_key": "xnd_production_CANARY"}), ".secret_key"),
        (json!({"secret_key": "xnd_public_development_CANARY"}), ".secret_key"),
        (json!({"secret_key": ["CANARY"]}), ".secret_key"),
        (json!({"callback_token": "CANARY token"}), ".callback_token"),
        (json!({"previous_callback_token": ""}), ".previous_callback_token"),
        (json!({"customers": "CANARY"}), ".customers"),
        (json!({"business_id": ""}), ".business_id"),
        (json!({"for_user_id": "CANARY\n"}), ".for_user_id"),
        (json!({"base_url": "CANARY"}), ".base_url"),
        (json!({"base_url": "https://user:CANARY@[bad"}), ".base_url"),
        (json!({"base_url": "https://user:CANARY@proxy.example"}), ".base_url"),
        (json!({"base_url": "https://proxy.example/?key=CANARY"}), ".base_url"),
        (json!({"base_url": "https://proxy.example/#CANARY"}), ".base_url"),
        (json!({"base_url": "ftp://CANARY.example"}), ".base_url"),
        (json!({"base_url": 7}), ".base_url"),
    ] {
        let error = build(Mode::Test, true, SANDBOX, &changes).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        let start = format!("billfold.toml: gateways.main.settings{key}: ");
        assert!(error.message().starts_with(&start), "{changes}: {error}");
        assert_error_is_quiet(&error, &key);
    }
    let printed = format!("{:?}", provider(SANDBOX, &json!({"previous_callback_token": "CANARY-old"})));
    assert!(!printed.contains("CANARY"), "{printed}");
}
