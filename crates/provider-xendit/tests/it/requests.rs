//! `POST /sessions`: the exact body for what can be asked, and that the gateway accepts it.

use std::collections::BTreeMap;

use billfold_core::capability::Usage;
use billfold_core::provider::{
    CreateSession, CustomerProfile, NextAction, ProviderSessionStatus, RecurringTerms,
};
use billfold_core::secret::ExposeSecret as _;
use serde_json::{Value, json};

use crate::scripted::{Answer, Scripted};
use crate::support::{
    CALLBACK_TOKEN, REFERENCE, RETURN_URL, World, changed, context, in_minutes, provider, request,
};

/// A part of a request, and what the body has more for it.
type Part = (&'static str, fn(&mut CreateSession), fn() -> Value);

const PARTS: &[Part] = &[
    ("nothing", |_| {}, || json!({})),
    (
        "channels",
        |request| request.channels = vec!["CARDS".into(), "OVO".into()],
        || json!({"allowed_payment_channels": ["CARDS", "OVO"]}),
    ),
    ("locale", |request| request.locale = Some("id".into()), || json!({"locale": "id"})),
    (
        "description",
        |request| request.description = Some("é".repeat(1000)),
        || json!({"description": "é".repeat(1000)}),
    ),
    ("metadata", |request| request.metadata = metadata(), || json!({"metadata": metadata()})),
    (
        "options of cards",
        |request| {
            request.provider_options = Some(json!({"skip_three_ds": false, "mid_label": "MID-1"}));
        },
        || json!({"channel_properties": {"cards": {"skip_three_ds": false, "mid_label": "MID-1"}}}),
    ),
    (
        "options of the page",
        |request| {
            request.channels = vec!["CARDS".into(), "OVO".into()];
            request.provider_options = Some(json!({
                "skip_three_ds": true, "primary_payment_channels": ["OVO"], "notification_channels": ["EMAIL"],
            }));
        },
        || {
            json!({
                "allowed_payment_channels": ["CARDS", "OVO"], "notification_channels": ["EMAIL"],
                "payment_link_configuration": {"primary_payment_channels": ["OVO"]},
                "channel_properties": {"cards": {"skip_three_ds": true}},
            })
        },
    ),
    ("no options", |request| request.provider_options = Some(json!({})), || json!({})),
    (
        "separate addresses",
        |request| request.cancel_url = "https://pay.shop.example/gave-up".parse().unwrap(),
        || json!({"cancel_return_url": "https://pay.shop.example/gave-up"}),
    ),
];

/// As much as the stricter of the gateway's two documents allows.
fn metadata() -> BTreeMap<String, String> {
    (0..20).map(|key| (format!("{key:040}"), "v".repeat(80))).collect()
}

fn cards(usage: Usage) -> Value {
    let kind = match usage {
        Usage::OnSession | Usage::UnscheduledCustomer => "CUSTOMER_UNSCHEDULED",
        Usage::UnscheduledMerchant => "MERCHANT_UNSCHEDULED",
        Usage::Recurring => "RECURRING",
    };
    let mut cards = json!({"card_on_file_type": kind});
    if usage.is_merchant_initiated() {
        cards["recurring_configuration"] =
            json!({"recurring_frequency": 30, "recurring_expiry": "2030-12-31"});
    }
    cards
}

/// The body of a request with nothing but what is required, without the customer.
fn body(request: &CreateSession) -> Value {
    json!({
        "reference_id": request.reference, "session_type": "SAVE", "mode": "PAYMENT_LINK", "amount": 0,
        "currency": "IDR", "country": "ID", "channel_properties": {"cards": cards(request.usage)},
        "expires_at": request.expires_at.to_string(), "success_return_url": RETURN_URL,
        "cancel_return_url": RETURN_URL,
    })
}

/// The bodies and headers of the sessions that were requested, and that each was accepted.
fn sent(world: &World) -> Vec<(Value, BTreeMap<String, String>)> {
    let requests = world.control().requests().into_iter().filter(|request| request.path == "/sessions");
    let sent = requests.inspect(|request| assert_eq!(request.status, 201, "{:?}", request.body));
    sent.map(|request| (request.body, request.headers)).collect()
}

#[tokio::test]
async fn every_part_for_every_usage_with_a_customer_of_the_directory() {
    let world = World::start(json!({})).await;
    for (number, usage) in Usage::ALL.into_iter().enumerate() {
        for (index, (name, change, expected)) in PARTS.iter().enumerate() {
            let mut request = request(&format!("ses_{number:016}{index:016}"), usage);
            change(&mut request);
            world.provider.validate(&request).unwrap();
            let mut expected = changed(body(&request), &expected());
            let session = world.create(request).await.unwrap();
            expected["customer_id"] = json!(session.echo.customer);
            let (body, headers) = sent(&world).pop().unwrap();
            assert_eq!(body, expected, "{name} for {usage:?}");
            assert!(!headers.contains_key("api-version") && !headers.contains_key("idempotency-key"));
        }
    }
}

#[tokio::test]
async fn every_part_for_every_usage_with_a_customer_inline() {
    let world = World::start(json!({"customers": "inline"})).await;
    assert!(world.provider.customers().is_none());
    for (number, usage) in Usage::ALL.into_iter().enumerate() {
        for (index, (name, change, expected)) in PARTS.iter().enumerate() {
            let mut request = request(&format!("ses_{number:016}{index:016}"), usage);
            change(&mut request);
            // A customer that is known at the gateway is described all the same.
            request.gateway_customer = Some("cust-00000000-0000-4000-8000-000000000001".to_owned());
            let mut expected = changed(body(&request), &expected());
            expected["customer"] = json!({
                "reference_id": request.reference, "type": "INDIVIDUAL",
                "individual_detail": {"given_names": "Lorem"},
            });
            world.create(request).await.unwrap();
            assert_eq!(sent(&world).pop().unwrap().0, expected, "{name} for {usage:?}");
        }
    }
}

#[tokio::test]
async fn a_customer_is_described_by_what_is_known() {
    let lorem = || CustomerProfile { given_names: Some(" Lorem ".to_owned()), ..CustomerProfile::default() };
    let text = |text: &str| Some(text.to_owned());
    let cases = [
        (lorem(), json!({"individual_detail": {"given_names": "Lorem"}})),
        (
            CustomerProfile { surname: text("Ipsum"), ..lorem() },
            json!({"individual_detail": {"given_names": "Lorem", "surname": "Ipsum"}}),
        ),
        // The gateway refuses a name that is empty.
        (
            CustomerProfile { surname: text("  "), ..lorem() },
            json!({"individual_detail": {"given_names": "Lorem"}}),
        ),
        (
            CustomerProfile {
                email: text("test@yourdomain.com"),
                mobile_number: text("+6212345678"),
                ..lorem()
            },
            json!({
                "email": "test@yourdomain.com", "mobile_number": "+6212345678",
                "individual_detail": {"given_names": "Lorem"},
            }),
        ),
    ];
    let world = World::start(json!({"customers": "inline"})).await;
    for (index, (profile, expected)) in cases.into_iter().enumerate() {
        let reference = format!("ses_{index:032}");
        let mut request = request(&reference, Usage::OnSession);
        request.customer = profile;
        world.provider.validate(&request).unwrap();
        world.create(request).await.unwrap();
        let expected = changed(json!({"reference_id": reference, "type": "INDIVIDUAL"}), &expected);
        assert_eq!(sent(&world).pop().unwrap().0["customer"], expected);
    }
}

/// Also with a directory, when no customer of it is given.
#[tokio::test]
async fn a_customer_that_the_directory_does_not_have_is_described() {
    let world = World::start(json!({})).await;
    world.provider.create_session(&world.cx, request(REFERENCE, Usage::OnSession)).await.unwrap();
    let (body, _) = sent(&world).pop().unwrap();
    assert_eq!(body["customer"]["reference_id"], REFERENCE);
    assert_eq!(body.get("customer_id"), None);
}

/// The guide's own example, field by field; its terms are missing, as they are there.
#[tokio::test]
async fn the_guides_example_can_be_said() {
    let server =
        Scripted::start(vec![Answer::json(201, &json!({"payment_session_id": "ps-1", "status": "ACTIVE"}))])
            .await;
    let provider = provider(&server.url(), &json!({"customers": "inline"}));
    let mut request = request(REFERENCE, Usage::Recurring);
    request.recurring = None;
    request.customer.surname = Some("Ipsum".to_owned());
    request.customer.email = Some("test@yourdomain.com".to_owned());
    request.customer.mobile_number = Some("+6212345678".to_owned());
    let url: url::Url = "https://yourcompany.com/example_item=my_example_item".parse().unwrap();
    (request.success_url, request.cancel_url) = (url.clone(), url.clone());
    let expires_at = request.expires_at.to_string();
    provider.create_session(&context("key-1"), request).await.unwrap();
    let body: Value = serde_json::from_slice(&server.seen()[0].body).unwrap();
    let expected = json!({
        "reference_id": REFERENCE, "session_type": "SAVE", "mode": "PAYMENT_LINK", "amount": 0, "currency": "IDR",
        "country": "ID", "expires_at": expires_at, "success_return_url": url, "cancel_return_url": url,
        "channel_properties": {"cards": {"card_on_file_type": "RECURRING"}},
        "customer": {
            "reference_id": REFERENCE, "type": "INDIVIDUAL", "email": "test@yourdomain.com",
            "mobile_number": "+6212345678", "individual_detail": {"given_names": "Lorem", "surname": "Ipsum"},
        },
    });
    assert_eq!(body, expected);
}

/// Everything that the capabilities declare is accepted: channels, currencies, lifetimes.
#[tokio::test]
async fn what_is_declared_is_accepted() {
    let world = World::start(json!({})).await;
    let capabilities = world.provider.capabilities().clone();
    let lifetime = capabilities.session_lifetime;
    let mut count = 0;
    for usage in Usage::ALL {
        for channel in
            capabilities.channels.iter().filter(|c| c.merchant_initiated || usage == Usage::OnSession)
        {
            for currency in &channel.currencies {
                let mut request = request(&format!("ses_{count:032}"), usage);
                (request.country, request.currency) = (channel.country, *currency);
                request.channels = vec![channel.code.clone()];
                let minutes = [lifetime.min, lifetime.default, lifetime.max][count % 3].as_secs() / 60;
                request.expires_at = in_minutes(minutes);
                let expires_at = request.expires_at;
                let session = world.create(request).await.unwrap();
                assert_eq!(session.expires_at, Some(expires_at));
                assert_eq!(session.echo.currency.as_deref(), Some(currency.code()));
                assert_eq!(session.echo.country.as_deref(), Some(channel.country.code()));
                count += 1;
            }
        }
    }
    assert_eq!(sent(&world).len(), count);
    let limits = capabilities.metadata;
    assert_eq!((limits.keys, limits.key_length, limits.value_length), (20, 40, 80));
}

#[tokio::test]
async fn the_answer_is_a_session_to_send_the_customer_to() {
    let world = World::start(json!({"business_id": "5f27a14a9bf05c73dd040bc8"})).await;
    let session = world.create(request(REFERENCE, Usage::OnSession)).await.unwrap();
    assert_eq!(session.reference.len(), 27);
    assert_eq!(session.status, ProviderSessionStatus::Active);
    assert_eq!(session.echo.reference.as_deref(), Some(REFERENCE));
    assert!(session.methods.is_empty());
    let Some(NextAction::Redirect(link)) = &session.next else { panic!("{session:?}") };
    assert!(link.expose_secret().starts_with(world.sandbox.base_url().as_str()));
    let printed = format!("{session:?}");
    assert!(!printed.contains(link.expose_secret()) && !printed.contains(CALLBACK_TOKEN), "{printed}");
}

/// The gateway answers 201; clients that want exactly that, or exactly 200, broke before.
#[tokio::test]
async fn any_2xx_with_a_session_is_a_session() {
    for status in [200, 201, 202] {
        let answer = json!({"payment_session_id": "ps-1", "status": "ACTIVE", "payment_link_url": null});
        let server = Scripted::start(vec![Answer::json(status, &answer)]).await;
        let provider = provider(&server.url(), &json!({}));
        let cx = context("key-1");
        let session = provider.create_session(&cx, request(REFERENCE, Usage::OnSession));
        let session = session.await.unwrap();
        assert_eq!((session.reference.as_str(), session.next.is_none()), ("ps-1", true), "{status}");
    }
}

/// What core refuses before is refused here too, should it ever come so far.
#[tokio::test]
async fn options_that_are_unknown_are_not_sent() {
    let world = World::start(json!({})).await;
    let mut request = request(REFERENCE, Usage::Recurring);
    request.recurring = Some(RecurringTerms { frequency_days: 7, ends_on: "2030-01-01".to_owned() });
    request.provider_options = Some(json!({"items": []}));
    let error = world.create(request).await.unwrap_err();
    assert_eq!(error.fields()[0].pointer, "/provider_options/items");
    assert!(sent(&world).is_empty());
}
