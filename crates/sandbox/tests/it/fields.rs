//! `POST /sessions`, its schema: every field that is wrong is named by its place.

use billfold_sandbox::SandboxConfig;
use serde_json::{Value, json};

use crate::support::{World, body, config, merge};

const CARDS: &str = "/body/channel_properties/cards";
const TERMS: &str = "/body/channel_properties/cards/recurring_configuration";
const PERSON: &str = "/body/customer/individual_detail";

async fn assert_paths(world: &World, changes: &Value, expected: &[&str]) {
    let answer = world.post("/sessions", &body(changes)).await;
    answer.assert_error(400, "API_VALIDATION_ERROR", &changes.to_string());
    let errors = answer.body["errors"].as_array().unwrap();
    let mut paths: Vec<_> = errors.iter().map(|error| error["path"].as_str().unwrap()).collect();
    paths.sort_unstable();
    assert_eq!(paths, expected, "{changes}");
    assert!(errors.iter().all(|error| error["message"].as_str().is_some_and(|message| !message.is_empty())));
}

#[tokio::test]
async fn what_is_required_is_missed() {
    let world = World::start().await;
    for field in ["reference_id", "session_type", "mode", "amount", "currency", "country"] {
        for missing in [json!("absent"), Value::Null] {
            assert_paths(&world, &json!({field: missing}), &[&format!("/body/{field}")]).await;
        }
    }
    let answer = world.post("/sessions", &body(&json!({"session_type": "absent"}))).await.ok(400);
    let expected = json!({
        "error_code": "API_VALIDATION_ERROR",
        "message": "request/body must have required property 'session_type'",
        "errors": [{"message": "must have required property 'session_type'", "path": "/body/session_type"}],
    });
    assert_eq!(answer, expected);
}

#[tokio::test]
async fn fields_that_do_not_exist_are_refused() {
    let world = World::start().await;
    for field in ["internal_metadata", "api_version", "type", "payment_methods", "webhook_url"] {
        assert_paths(&world, &json!({field: "x"}), &[&format!("/body/{field}")]).await;
    }
    for field in ["addresses", "phone_number", "metadata"] {
        assert_paths(&world, &json!({"customer": {field: []}}), &[&format!("/body/customer/{field}")]).await;
    }
    for field in ["card_details", "allowed_bins"] {
        let changes = json!({"channel_properties": {"cards": {field: {}}}});
        assert_paths(&world, &changes, &[&format!("{CARDS}/{field}")]).await;
    }
}

#[tokio::test]
async fn texts_have_their_lengths() {
    let world = World::start().await;
    for (field, wrong) in [
        ("reference_id", vec![json!(""), json!("x".repeat(65)), json!(7)]),
        ("description", vec![json!(""), json!("x".repeat(1001)), json!([])]),
        ("locale", vec![json!("english"), json!(""), json!(7)]),
        ("amount", vec![json!("0"), json!({}), json!(false)]),
        ("channel_properties", vec![json!("x"), json!([])]),
        ("allowed_payment_channels", vec![json!("CARDS"), json!({})]),
        ("notification_channels", vec![json!("EMAIL"), json!(7)]),
        ("customer", vec![json!("x"), json!([])]),
    ] {
        for value in wrong {
            assert_paths(&world, &json!({field: value}), &[&format!("/body/{field}")]).await;
        }
    }
    for (field, value) in [
        ("allowed_payment_channels", json!(["CARDS", 7])),
        ("notification_channels", json!(["EMAIL", "SMS"])),
    ] {
        assert_paths(&world, &json!({field: value}), &[&format!("/body/{field}/1")]).await;
    }
}

#[tokio::test]
async fn a_customer_is_a_person_with_a_name() {
    let world = World::start().await;
    for (changes, path) in [
        (json!({"type": "BUSINESS"}), "/body/customer/type"),
        (json!({"type": "absent"}), "/body/customer/type"),
        (json!({"reference_id": "absent"}), "/body/customer/reference_id"),
        (json!({"reference_id": ""}), "/body/customer/reference_id"),
        (json!({"reference_id": "x".repeat(256)}), "/body/customer/reference_id"),
        (json!({"email": format!("{}@x.example", "a".repeat(41))}), "/body/customer/email"),
        (json!({"email": "nobody"}), "/body/customer/email"),
        (json!({"email": 7}), "/body/customer/email"),
        (json!({"mobile_number": "08123456789"}), "/body/customer/mobile_number"),
        (json!({"mobile_number": "+1"}), "/body/customer/mobile_number"),
        (json!({"mobile_number": 628_123_456_789_u64}), "/body/customer/mobile_number"),
    ] {
        assert_paths(&world, &json!({"customer": changes}), &[path]).await;
    }
    for (field, wrong) in [
        ("given_names", vec![json!("absent"), json!(""), json!("x".repeat(51)), json!(7)]),
        ("nationality", vec![json!("IDN"), json!(7)]),
        ("place_of_birth", vec![json!("x".repeat(61))]),
        ("date_of_birth", vec![json!("1990-13-01"), json!("01/02/1990")]),
        ("gender", vec![json!("X"), json!("male")]),
    ] {
        for value in wrong {
            let changes = json!({"customer": {"individual_detail": {field: value}}});
            assert_paths(&world, &changes, &[&format!("{PERSON}/{field}")]).await;
        }
    }
}

fn cards(cards: &Value) -> Value {
    json!({"channel_properties": {"cards": cards}})
}

#[tokio::test]
async fn what_a_card_is_kept_for_has_its_terms() {
    let world = World::start().await;
    assert_paths(
        &world,
        &cards(&json!({"card_on_file_type": "SOMETIMES"})),
        &[&format!("{CARDS}/card_on_file_type")],
    )
    .await;
    assert_paths(&world, &cards(&json!("x")), &[CARDS]).await;
    for usage in ["RECURRING", "MERCHANT_UNSCHEDULED"] {
        for missing in [json!("absent"), Value::Null] {
            let without = json!({"card_on_file_type": usage, "recurring_configuration": missing});
            assert_paths(&world, &cards(&without), &[TERMS]).await;
        }
        let with = |changes: Value| {
            let mut terms = json!({"recurring_frequency": 30, "recurring_expiry": "2030-12-31"});
            merge(&mut terms, &changes);
            cards(&json!({"card_on_file_type": usage, "recurring_configuration": terms}))
        };
        world.create(&with(json!({}))).await;
        for frequency in [json!("absent"), json!(0), json!(-1), json!(1.5), json!("30")] {
            let path = format!("{TERMS}/recurring_frequency");
            assert_paths(&world, &with(json!({"recurring_frequency": frequency})), &[&path]).await;
        }
        for expiry in [json!("absent"), json!("2028"), json!("2030-02-30"), json!(2030)] {
            let path = format!("{TERMS}/recurring_expiry");
            assert_paths(&world, &with(json!({"recurring_expiry": expiry})), &[&path]).await;
        }
    }
}

#[tokio::test]
async fn everything_wrong_is_named_at_once() {
    let changes = json!({"mode": "absent", "locale": "english", "customer": {"type": "X"}, "zzz": 1});
    let paths = ["/body/customer/type", "/body/locale", "/body/mode", "/body/zzz"];
    assert_paths(&World::start().await, &changes, &paths).await;
}

/// What the documents allow, and clients that send nulls.
#[tokio::test]
async fn what_is_right_is_accepted() {
    let world = World::start().await;
    let full: Value = (0..20).map(|key| (format!("{key:040}"), json!("é".repeat(80)))).collect();
    for changes in [
        json!({"amount": 0.0}),
        json!({"description": "é".repeat(1000), "locale": "id", "metadata": full}),
        json!({"items": [], "capture_method": null, "metadata": null, "expires_at": null, "description": null}),
        json!({"channel_properties": null, "allowed_payment_channels": null, "notification_channels": null}),
        json!({"channel_properties": {"cards": null}}),
        json!({"channel_properties": {"cards": {"recurring_configuration": null, "skip_three_ds": true, "mid_label": "x"}}}),
        json!({"success_return_url": "absent", "cancel_return_url": null}),
        json!({"notification_channels": ["EMAIL"], "allow_save_payment_method": null}),
        json!({"allowed_payment_channels": []}),
        json!({
            "allowed_payment_channels": ["CARDS", "OVO"],
            "payment_link_configuration": {"primary_payment_channels": ["OVO"]},
        }),
        json!({"customer": {
            "email": "test@yourdomain.com", "mobile_number": "+6212345678", "individual_detail": {
                "surname": "Ipsum", "nationality": "ID", "place_of_birth": "Jakarta", "date_of_birth": "1990-12-31",
                "gender": "OTHER",
            },
        }}),
    ] {
        let session = world.create(&changes).await;
        assert_eq!(session["status"], "ACTIVE", "{changes}");
    }
}

/// The guide's own example lacks the terms that the reference page wants.
#[tokio::test]
async fn the_guides_example_is_accepted_where_terms_are_not_wanted() {
    let changes = json!({"channel_properties": {"cards": {"card_on_file_type": "RECURRING"}}});
    assert_paths(&World::start().await, &changes, &[TERMS]).await;
    let world = World::with(SandboxConfig { strict_recurring: false, ..config() }).await;
    let session = world.create(&changes).await;
    assert_eq!(session["channel_properties"], json!({"cards": {"card_on_file_type": "RECURRING"}}));
}
