//! Tokens: born of sessions, read and canceled by their own API version.

use billfold_sandbox::CompleteSession;
use serde_json::json;

use crate::support::{BUSINESS, TOKENS, World, id, send};

fn choose(channel: &str, number: Option<&str>) -> CompleteSession {
    CompleteSession {
        channel_code: Some(channel.to_owned()),
        card_number: number.map(str::to_owned),
        ..CompleteSession::default()
    }
}

fn with_status(status: &str) -> CompleteSession {
    CompleteSession { token_status: Some(status.to_owned()), ..CompleteSession::default() }
}

#[tokio::test]
async fn a_token_belongs_to_what_its_session_belongs_to() {
    let world = World::start().await;
    let (session, number) = world.completed(&CompleteSession::default()).await;
    assert!(number.len() == 39 && number.starts_with("pt-"), "{number}");
    let token = world.token(&number).await.ok(200);
    assert_eq!((&token["payment_token_id"], &token["status"]), (&json!(number), &json!("ACTIVE")));
    assert_eq!(token["business_id"], BUSINESS);
    for field in ["customer_id", "country", "currency"] {
        assert_eq!(token[field], session[field], "{field}");
    }
    assert!(token.as_object().unwrap().values().all(|value| !value.is_null()));
}

/// A session appends `_` and ten characters to the reference of what it makes.
#[tokio::test]
async fn references_of_tokens_have_a_suffix() {
    let world = World::start().await;
    let mut suffixes = std::collections::BTreeSet::new();
    for _ in 0..20 {
        let (session, number) = world.completed(&CompleteSession::default()).await;
        let token = world.token(&number).await.ok(200);
        let ours = session["reference_id"].as_str().unwrap();
        let suffix = token["reference_id"].as_str().unwrap().strip_prefix(ours).unwrap().to_owned();
        assert!(suffix.len() == 11 && suffix.starts_with('_'), "{suffix}");
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(suffix.chars().all(allowed), "{suffix}");
        suffixes.insert(suffix);
    }
    assert_eq!(suffixes.len(), 20);
}

#[tokio::test]
async fn a_card_has_its_details_and_no_number() {
    let world = World::start().await;
    for (number, network, mask) in [
        ("4000000000001091", "VISA", "400000XXXXXX1091"),
        ("5200000000001005", "MASTERCARD", "520000XXXXXX1005"),
        ("378282246310005", "AMEX", "378282XXXXX0005"),
    ] {
        let (_, token) = world.completed(&choose("CARDS", Some(number))).await;
        let answer = world.token(&token).await;
        assert!(!answer.text.contains(number), "{number}");
        let token = answer.ok(200);
        let card = &token["channel_properties"]["card_details"];
        assert_eq!((&card["network"], &card["masked_card_number"]), (&json!(network), &json!(mask)));
        for field in ["type", "issuer", "country", "expiry_month", "expiry_year"] {
            assert!(card[field].is_string(), "{field}");
        }
        let fingerprint = card["fingerprint"].as_str().unwrap();
        assert!(fingerprint.len() == 24 && fingerprint.bytes().all(|byte| byte.is_ascii_hexdigit()));
        assert_eq!(token["channel_code"], "CARDS");
    }
}

#[tokio::test]
async fn wallets_and_banks_have_theirs_elsewhere() {
    let world = World::start().await;
    let (_, wallet) = world.completed(&choose("OVO", None)).await;
    let wallet = world.token(&wallet).await.ok(200);
    assert_eq!(wallet["channel_properties"].get("card_details"), None);
    assert!(wallet["token_details"]["account_balance"].is_string());
    let (_, bank) = world.completed(&choose("BRI_DIRECT_DEBIT", Some("9876543210"))).await;
    let bank = world.token(&bank).await.ok(200);
    assert_eq!(bank["token_details"]["account_number"], "9876543210");
}

#[tokio::test]
async fn the_version_header_is_wanted() {
    let world = World::start().await;
    let (_, number) = world.completed(&CompleteSession::default()).await;
    for (method, path) in [
        ("GET", format!("/v3/payment_tokens/{number}")),
        ("POST", format!("/v3/payment_tokens/{number}/cancel")),
    ] {
        for version in [None, Some("2020-10-31"), Some("")] {
            let mut request = world.call(method, &path);
            if let Some(version) = version {
                request = request.header(TOKENS.0, version);
            }
            let answer = send(request).await;
            answer.assert_error(400, "API_VALIDATION_ERROR", &format!("{method} {version:?}"));
        }
    }
    assert_eq!(world.token(&number).await.ok(200)["status"], "ACTIVE");
}

#[tokio::test]
async fn an_active_token_is_canceled_once() {
    let world = World::start().await;
    let (_, number) = world.completed(&CompleteSession::default()).await;
    assert_eq!(world.cancel_token(&number).await.ok(200)["status"], "CANCELED");
    assert_eq!(world.token(&number).await.ok(200)["status"], "CANCELED");
    world.cancel_token(&number).await.assert_error(400, "INELIGIBLE_TRANSACTION_STATUS", "twice");
    for status in ["PENDING", "REQUIRES_ACTION", "FAILED", "EXPIRED"] {
        let (_, number) = world.completed(&with_status(status)).await;
        let answer = world.cancel_token(&number).await;
        answer.assert_error(400, "INELIGIBLE_TRANSACTION_STATUS", status);
        assert_eq!(world.token(&number).await.ok(200)["status"], status);
    }
}

#[tokio::test]
async fn tokens_that_do_not_exist_are_not_found() {
    let world = World::start().await;
    for number in ["pt-00000000-0000-4000-8000-000000000002", "pt-1", "ps-1"] {
        world.token(number).await.assert_error(404, "DATA_NOT_FOUND", number);
        world.cancel_token(number).await.assert_error(404, "DATA_NOT_FOUND", number);
    }
}

/// A failed attempt leaves a failed token that says why, and an open session.
#[tokio::test]
async fn a_failed_attempt_leaves_a_failed_token() {
    let world = World::start().await;
    let session = world.create(&json!({})).await;
    assert!(world.control().fail(&id(&session), "CARD_DECLINED"));
    assert_eq!(world.status(&session).await, "ACTIVE");
    let number = world.control().tokens()[0]["payment_token_id"].as_str().unwrap().to_owned();
    let token = world.token(&number).await.ok(200);
    assert_eq!((&token["status"], &token["failure_code"]), (&json!("FAILED"), &json!("CARD_DECLINED")));
    assert!(world.control().complete(&id(&session), &CompleteSession::default()).is_some());
    assert_eq!(world.control().tokens().len(), 2);
}
