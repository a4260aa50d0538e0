//! Saved tokens: what is shown of each kind, and what never leaves.

use billfold_core::capability::MethodKind;
use billfold_core::payment_method::Display;
use billfold_core::provider::{ProviderMethod, ProviderMethodStatus, TokenRef};
use billfold_core::secret::ExposeSecret as _;
use billfold_sandbox::CompleteSession;
use serde_json::{Value, json};

use crate::calls::TOKEN;
use crate::scripted::{Answer, Scripted};
use crate::support::{World, changed, context, provider};

async fn fetched(changes: &Value) -> ProviderMethod {
    let body =
        changed(json!({"payment_token_id": TOKEN, "status": "ACTIVE", "channel_code": "CARDS"}), changes);
    let server = Scripted::start(vec![Answer::json(200, &body)]).await;
    let provider = provider(&server.url(), &json!({}));
    let method = provider.fetch_method(&context("key-1"), TokenRef::new(TOKEN)).await.unwrap();
    // Nothing that was sent as a secret is printed, whatever the case.
    let display = serde_json::to_string(&method.display).unwrap();
    let printed = format!("{method:?} {method:#?} {display}");
    assert!(!printed.contains("CANARY") && !printed.contains(TOKEN), "{printed}");
    method
}

async fn card(details: Value) -> Display {
    fetched(&json!({"channel_properties": {"card_details": details}})).await.display
}

#[tokio::test]
async fn any_mask_leaves_the_last_four_digits() {
    for (mask, last4) in [
        ("5200****1005", Some("1005")),
        ("400000XXXXXX1091", Some("1091")),
        ("2222XXXXXXXX8888", Some("8888")),
        ("XXXX-XXXX-XXXX-1234", Some("1234")),
        ("************1234 ", Some("1234")),
        // Should the gateway ever forget to mask it.
        ("4000000000001091", Some("1091")),
        ("400000XXXXXXXXXX", None),
        ("XXXX", None),
        ("", None),
    ] {
        let display = card(json!({"masked_card_number": mask})).await;
        assert_eq!(display.last4.as_deref(), last4, "{mask}");
        assert_eq!(display, Display { last4: display.last4.clone(), ..Display::default() }, "{mask}");
    }
}

#[tokio::test]
async fn of_a_card_is_shown_what_is_printed_on_it() {
    for (details, expected) in [
        (json!({"network": "VISA"}), json!({"brand": "Visa"})),
        (json!({"network": "MASTERCARD"}), json!({"brand": "Mastercard"})),
        (json!({"network": "AMEX"}), json!({"brand": "American Express"})),
        (json!({"network": "JCB"}), json!({"brand": "JCB"})),
        (json!({"network": "NEW_SCHEME"}), json!({"brand": "New Scheme"})),
        (
            json!({"expiry_month": "09", "expiry_year": "2028"}),
            json!({"expiry_month": 9, "expiry_year": 2028}),
        ),
        (json!({"expiry_month": 9, "expiry_year": 2028}), json!({"expiry_month": 9, "expiry_year": 2028})),
        (
            json!({"expiry_month": "12", "expiry_year": "28"}),
            json!({"expiry_month": 12, "expiry_year": 2028}),
        ),
        (json!({"expiry_month": "13", "expiry_year": "208"}), json!({})),
        (json!({"expiry_month": "0", "expiry_year": "MMXX"}), json!({})),
        (json!({"type": "CREDIT"}), json!({"funding": "credit"})),
        (json!({"type": "DEBIT"}), json!({"funding": "debit"})),
        (json!({"issuer": " PT BANK EXAMPLE\n"}), json!({"issuer": "PT BANK EXAMPLE"})),
        (json!({"country": "ID"}), json!({"country": "ID"})),
        (json!({"country": "IDN"}), json!({})),
        (json!({"network": null, "issuer": {}, "type": []}), json!({})),
    ] {
        assert_eq!(serde_json::to_value(card(details.clone()).await).unwrap(), expected, "{details}");
    }
}

/// Who holds the card, and how the bank answered, is nobody's business here.
#[tokio::test]
async fn a_cardholder_is_not_kept() {
    let method = fetched(&json!({
        "channel_properties": {"card_details": {
            "cardholder_first_name": "CANARY", "cardholder_last_name": "CANARY", "cardholder_email": "CANARY@x.co",
            "cardholder_phone_number": "+62CANARY", "fingerprint": "CANARY64bb", "masked_card_number": "5200****1005",
        }},
        "token_details": {"authorization_data": {"authorization_code": "CANARY"}},
    }))
    .await;
    assert_eq!(method.fingerprint.unwrap().expose_secret(), "CANARY64bb");
    assert_eq!(method.display, Display { last4: Some("1005".to_owned()), ..Display::default() });
}

#[tokio::test]
async fn wallets_and_banks_are_shown_by_name_without_balance_or_number() {
    for (channel, kind, brand) in [
        ("OVO", MethodKind::Wallet, "OVO"),
        ("TOUCHNGO", MethodKind::Wallet, "Touch 'n Go"),
        ("NEW_WALLET", MethodKind::Wallet, "New Wallet"),
        ("BRI_DIRECT_DEBIT", MethodKind::BankDebit, "BRI"),
        ("NEW_DIRECT_DEBIT", MethodKind::BankDebit, "New Direct Debit"),
    ] {
        for (number, last4) in [(Some("0099887766554"), Some("6554")), (Some("CANARY"), None), (None, None)] {
            let details = json!({
                "account_name": "CANARY", "account_number": number, "account_balance": "1000001CANARY",
                "account_point_balance": "50000CANARY",
            });
            let method = fetched(&json!({"channel_code": channel, "token_details": details})).await;
            assert_eq!((method.kind, method.channel.as_str()), (kind, channel));
            let expected = Display {
                brand: Some(brand.to_owned()),
                last4: last4.map(str::to_owned),
                ..Display::default()
            };
            assert_eq!(method.display, expected, "{channel}");
            assert!(!format!("{method:?}").contains("009988"), "{channel}");
            assert!(method.fingerprint.is_none(), "{channel}");
        }
    }
}

#[tokio::test]
async fn a_channel_that_is_not_named_is_unknown() {
    for code in [json!(null), json!(""), json!("  "), json!("\u{7}"), json!([])] {
        let mut body = json!({"payment_token_id": TOKEN, "status": "ACTIVE"});
        body["channel_code"] = code.clone();
        let server = Scripted::start(vec![Answer::json(200, &body)]).await;
        let provider = provider(&server.url(), &json!({}));
        let method = provider.fetch_method(&context("key-1"), TokenRef::new(TOKEN)).await.unwrap();
        assert_eq!((method.channel.as_str(), method.kind), ("UNKNOWN", MethodKind::Wallet), "{code}");
    }
    assert_eq!(fetched(&json!({"channel_code": "CARD"})).await.kind, MethodKind::Card);
}

/// What a session made has a longer reference than the session.
#[tokio::test]
async fn the_reference_loses_what_the_gateway_appended() {
    let ours = "ses_018f0000000070008000000000000001";
    for (reference, expected) in [
        (format!("{ours}_GiWjPj9h9K"), ours),
        (format!("{ours}_uYdW_2A7-t"), ours),
        (format!("{ours}_b8d18f2f-3"), ours),
        (format!("{ours}___________"), ours),
        (ours.to_owned(), ours),
        // Ten characters and no other number of them.
        (format!("{ours}_GiWjPj9h9"), "ses_018f0000000070008000000000000001_GiWjPj9h9"),
        ("short".to_owned(), "short"),
    ] {
        let method = fetched(&json!({"reference_id": reference})).await;
        assert_eq!(method.echo.reference.as_deref(), Some(expected), "{reference}");
    }
}

#[tokio::test]
async fn two_tokens_of_one_card_have_one_fingerprint() {
    let mut fingerprints = Vec::new();
    for number in ["4000000000001000", "4000000000001000", "5200000000001005"] {
        let world = World::start(json!({})).await;
        let complete = CompleteSession { card_number: Some(number.to_owned()), ..CompleteSession::default() };
        let (session, token) = world.completed(&complete).await;
        let method = world.provider.fetch_method(&world.cx, TokenRef::new(token)).await.unwrap();
        assert_eq!(method.display.last4.as_deref(), Some(&number[12..]));
        assert!(!format!("{method:?} {:?}", world.fetch(&session).await.unwrap()).contains(number));
        fingerprints.push(method.fingerprint.unwrap().expose_secret().to_owned());
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
    assert_ne!(fingerprints[0], fingerprints[2]);
}

#[tokio::test]
async fn a_token_says_whose_it_is() {
    let method = fetched(&json!({
        "reference_id": "r-1", "customer_id": "cust-1", "currency": "IDR", "country": "ID", "status": "PENDING",
    }))
    .await;
    assert_eq!(method.status, ProviderMethodStatus::Pending);
    assert_eq!(method.token.customer.as_deref(), Some("cust-1"));
    let echo = method.echo;
    let said = [echo.reference, echo.customer, echo.currency, echo.country].map(Option::unwrap);
    assert_eq!(said, ["r-1", "cust-1", "IDR", "ID"]);
}
