//! Charges, refunds and what is between: the requests as the gateway documents them, and what its answers mean.

use std::time::Duration;

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::charge::{CaptureMode, DeclineClass, Initiator, RefundReason, RefundStatus};
use billfold_core::clock::Timestamp;
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    ChargeRef, CreateCharge, CreateRefund, Lookup, ProviderCharge, ProviderChargeStatus, RecurringTerms,
    RefundRef, TokenRef,
};
use billfold_core::{Error, ErrorKind, Result};
use serde_json::{Value, json};

use crate::calls::TOKEN;
use crate::scripted::{Answer, Scripted};
use crate::support::{assert_error_is_quiet, context, provider};

const CHARGE: &str = "chg_018f0000000070008000000000000003";
const REQUEST: &str = "pr-00000000-0000-4000-8000-000000000004";
const PAYMENT: &str = "py-00000000-0000-4000-8000-000000000003";
const BACK: &str = "https://pay.shop.example/return/chg_018f/nonce";

fn money(amount: i64, currency: &str) -> Money {
    Money { amount, currency: currency.parse().unwrap() }
}

fn card_charge() -> CreateCharge {
    CreateCharge::new(
        CHARGE,
        TokenRef::new(TOKEN),
        (MethodKind::Card, "CARDS"),
        money(1_050, "PHP"),
        "PH".parse().unwrap(),
        Usage::UnscheduledCustomer,
        BACK.parse().unwrap(),
    )
}

fn named() -> ChargeRef {
    let mut charge = ChargeRef::new(CHARGE, money(1_050, "PHP"), Timestamp::from_millis(0));
    charge.reference = Some(REQUEST.to_owned());
    charge.extra.insert("latest_payment_id".to_owned(), PAYMENT.to_owned());
    charge
}

fn succeeded() -> Value {
    json!({"payment_request_id": REQUEST, "latest_payment_id": PAYMENT, "payment_token_id": TOKEN,
        "reference_id": CHARGE, "type": "PAY", "country": "PH", "currency": "PHP", "request_amount": 10.5,
        "capture_method": "AUTOMATIC", "channel_code": "CARDS", "actions": [], "status": "SUCCEEDED"})
}

fn changed(changes: Value) -> Value {
    crate::support::changed(succeeded(), &changes)
}

async fn charge_at(server: &Scripted, request: CreateCharge) -> Result<ProviderCharge> {
    let (provider, cx) = (provider(&server.url(), &json!({})), context("key-1"));
    let outcome = provider.charging().unwrap().charge(&cx, request).await;
    if let Err(error) = &outcome {
        assert_error_is_quiet(error, &"a charge");
    }
    outcome
}

async fn answered(answer: Answer) -> Result<ProviderCharge> {
    charge_at(&Scripted::start(vec![answer]).await, card_charge()).await
}

/// The text of the only request.
async fn sent(request: CreateCharge) -> String {
    let server = Scripted::start(vec![Answer::json(201, &succeeded())]).await;
    charge_at(&server, request).await.unwrap();
    let seen = server.seen().pop().unwrap();
    assert_eq!((seen.method.as_str(), seen.target.as_str()), ("POST", "/v3/payment_requests"));
    assert_eq!(seen.headers["api-version"], "2024-11-11");
    assert!(!seen.headers.contains_key("idempotency-key"), "none is documented");
    String::from_utf8(seen.body).unwrap()
}

#[tokio::test]
async fn a_customers_charge_is_written_as_documented() {
    let mut request = card_charge();
    request.description = Some("Order 7".to_owned());
    request.metadata.insert("order".to_owned(), "7".to_owned());
    request.capture = CaptureMode::Manual;
    let expected = format!(
        r#"{{"reference_id":"{CHARGE}","type":"PAY","payment_token_id":"{TOKEN}","country":"PH","currency":"PHP","request_amount":10.50,"capture_method":"MANUAL","channel_properties":{{"card_on_file_type":"CUSTOMER_UNSCHEDULED","transaction_sequence":"INITIAL","success_return_url":"{BACK}","failure_return_url":"{BACK}"}},"description":"Order 7","metadata":{{"order":"7"}}}}"#
    );
    assert_eq!(sent(request).await, expected);
}

#[tokio::test]
async fn a_merchants_charge_names_its_terms_and_asks_for_no_challenge() {
    let mut request = card_charge();
    (request.usage, request.initiator, request.first) = (Usage::Recurring, Initiator::Merchant, false);
    request.recurring = Some(RecurringTerms { frequency_days: 30, ends_on: "2030-12-31".to_owned() });
    request.token.extra.insert("network_transaction_id".to_owned(), "016153570198200".to_owned());
    let body: Value = serde_json::from_str(&sent(request.clone()).await).unwrap();
    let expected = json!({"card_on_file_type": "RECURRING",
        "recurring_configuration": {"recurring_frequency": 30, "recurring_expiry": "2030-12-31"},
        "transaction_sequence": "SUBSEQUENT", "network_transaction_id": "016153570198200", "skip_three_ds": true,
        "success_return_url": BACK, "failure_return_url": BACK});
    assert_eq!(body["channel_properties"], expected);
    request.usage = Usage::UnscheduledMerchant;
    let body: Value = serde_json::from_str(&sent(request).await).unwrap();
    assert_eq!(body["channel_properties"]["card_on_file_type"], "MERCHANT_UNSCHEDULED");
}

#[tokio::test]
async fn only_cards_have_what_is_of_cards() {
    let mut request = card_charge();
    (request.kind, request.channel) = (MethodKind::Wallet, "OVO".to_owned());
    (request.money, request.initiator) = (money(50_000_000, "IDR"), Initiator::Merchant);
    let text = sent(request).await;
    assert!(text.contains(r#""request_amount":500000,"#), "{text}");
    let body: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(body["channel_properties"], json!({"success_return_url": BACK, "failure_return_url": BACK}));
}

#[tokio::test]
async fn the_way_back_is_within_the_gateways_limits() {
    let server = Scripted::start(vec![Answer::json(201, &succeeded())]).await;
    let mut request = card_charge();
    request.return_url = format!("https://pay.shop.example/{}", "x".repeat(231)).parse().unwrap();
    let error = charge_at(&server, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn answers_are_read_exactly() {
    let charge = answered(Answer::json(201, &succeeded())).await.unwrap();
    assert_eq!((charge.reference.as_str(), charge.status), (REQUEST, ProviderChargeStatus::Succeeded));
    assert_eq!(charge.money, Some(money(1_050, "PHP")));
    assert_eq!(charge.echo.reference.as_deref(), Some(CHARGE));
    assert_eq!(charge.extra["latest_payment_id"], PAYMENT);
    let suffixed = changed(json!({"reference_id": format!("{CHARGE}_Ab3_xY-9zQ")}));
    assert_eq!(answered(Answer::json(201, &suffixed)).await.unwrap().echo.reference.as_deref(), Some(CHARGE));
    let details = json!({"payment_details": {"authorization_data": {"network_transaction_id": "0161"}}});
    let remembered = answered(Answer::json(201, &changed(details))).await.unwrap().remember;
    assert_eq!(remembered["network_transaction_id"], "0161");
    // More digits than a floating-point number has.
    let text = succeeded().to_string().replace("10.5", "90071992547409.93");
    let charge = answered(Answer::text(201, "application/json", &text)).await.unwrap();
    assert_eq!(charge.money, Some(money(9_007_199_254_740_993, "PHP")));
}

#[tokio::test]
async fn an_answer_that_cannot_be_meant_is_not_known_to_have_charged_nothing() {
    for body in [
        json!({}),
        json!({"status": "SUCCEEDED"}),
        changed(json!({"request_amount": "10.505"})),
        changed(json!({"currency": "pesos"})),
    ] {
        let error = answered(Answer::json(201, &body)).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.retry()),
            (ErrorKind::GatewayProtocol, Retry::OutcomeUnknown),
            "{body}"
        );
    }
    let error_of =
        |status, code: &str| Answer::json(status, &json!({"error_code": code, "message": "CANARY"}));
    for answer in [
        error_of(500, "SERVER_ERROR"),
        error_of(503, "SOMETHING_ELSE"),
        error_of(409, "DUPLICATE_ERROR"),
        error_of(400, "TEMPORARILY_UNAVAILABLE"),
        Answer::empty(408),
        Answer::text(502, "text/html", "<html>"),
        Answer::text(201, "application/json", "{\"payment_request_id\":"),
        Answer::empty(302).header("location", "https://elsewhere.example"),
        Answer::json(201, &succeeded()).broken_off(),
    ] {
        let what = format!("{answer:?}");
        assert_eq!(answered(answer).await.unwrap_err().retry(), Retry::OutcomeUnknown, "{what}");
    }
}

#[tokio::test]
async fn a_refusal_that_charged_nothing_is_a_decline() {
    for (status, code, class) in [
        (400, "INVALID_TOKEN", DeclineClass::Revoked),
        (400, "CARD_EXPIRED", DeclineClass::Expired),
        (403, "SKIP_3DS_FORBIDDEN", DeclineClass::AuthenticationRequired),
        (503, "CHANNEL_UNAVAILABLE", DeclineClass::TryAgainLater),
    ] {
        let answer = Answer::json(status, &json!({"error_code": code, "message": "CANARY"}));
        let charge = answered(answer).await.unwrap();
        assert_eq!((charge.reference.as_str(), charge.status), ("", ProviderChargeStatus::Declined));
        let decline = charge.decline.unwrap();
        assert_eq!((decline.class, decline.code.as_deref()), (class, Some(code)));
    }
    let failed = changed(json!({"status": "FAILED", "failure_code": "INSUFFICIENT_BALANCE"}));
    let charge = answered(Answer::json(201, &failed)).await.unwrap();
    assert_eq!((charge.reference.as_str(), charge.status), (REQUEST, ProviderChargeStatus::Declined));
    assert_eq!(charge.decline.unwrap().class, DeclineClass::InsufficientFunds);
}

#[tokio::test]
async fn too_many_requests_are_no_decline() {
    for answer in [
        Answer::json(429, &json!({"error_code": "RATE_LIMIT_EXCEEDED"})).header("rate-limit-reset", "7"),
        Answer::json(400, &json!({"error_code": "PAYMENT_REQUEST_RATE_LIMITED"}))
            .header("rate-limit-reset", "7"),
    ] {
        let error = answered(answer).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::GatewayRateLimited);
        assert_eq!(error.retry(), Retry::SameKey { after: Some(Duration::from_secs(7)) });
    }
}

/// The targets and bodies of what was asked, and the outcome.
async fn asked<T, F>(answers: Vec<Answer>, call: F) -> (Vec<(String, String)>, T)
where
    F: AsyncFnOnce(&dyn billfold_core::provider::ChargeProvider, billfold_core::provider::CallContext) -> T,
{
    let server = Scripted::start(answers).await;
    let provider = provider(&server.url(), &json!({}));
    let outcome = call(provider.charging().unwrap(), context("key-1")).await;
    let seen = server.seen().into_iter();
    let line = |seen: crate::scripted::Seen| {
        let key = seen.headers.get("idempotency-key").map_or("", |key| key.to_str().unwrap());
        let line = format!("{} {} {key}", seen.method, seen.target).trim_end().to_owned();
        (line, String::from_utf8(seen.body).unwrap())
    };
    (seen.map(line).collect(), outcome)
}

fn paid(changes: Value) -> Value {
    let payment = json!({"payment_id": PAYMENT, "payment_request_id": REQUEST, "reference_id": CHARGE,
        "currency": "PHP", "request_amount": 10.5, "status": "SUCCEEDED",
        "captures": [{"capture_id": "cptr-1", "capture_amount": 5.25}]});
    crate::support::changed(payment, &changes)
}

async fn found(answers: Vec<Answer>) -> (Vec<(String, String)>, ProviderCharge) {
    let (seen, outcome) =
        asked(answers, async |charging, cx| charging.fetch_charge(&cx, named()).await).await;
    match outcome.unwrap() {
        Lookup::Found(charge) => (seen, charge),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_charge_is_asked_about_and_its_payment_where_that_knows_more() {
    let (seen, charge) = found(vec![Answer::json(200, &succeeded())]).await;
    assert_eq!(seen, [(format!("GET /v3/payment_requests/{REQUEST}"), String::new())]);
    assert_eq!((charge.status, charge.captured), (ProviderChargeStatus::Succeeded, None));
    let manual = changed(json!({"capture_method": "MANUAL"}));
    let (seen, charge) = found(vec![Answer::json(200, &manual), Answer::json(200, &paid(json!({})))]).await;
    assert_eq!(seen[1].0, format!("GET /v3/payments/{PAYMENT}"));
    assert_eq!((charge.status, charge.captured), (ProviderChargeStatus::Succeeded, Some(525)));
    // A request stays expired when its money comes late.
    let expired = changed(json!({"status": "EXPIRED"}));
    let late = paid(json!({"captures": []}));
    let (_, charge) = found(vec![Answer::json(200, &expired), Answer::json(200, &late)]).await;
    assert_eq!(charge.status, ProviderChargeStatus::Succeeded);
    let never = Answer::json(200, &paid(json!({"status": "EXPIRED", "captures": []})));
    let (_, charge) = found(vec![Answer::json(200, &expired), never]).await;
    assert_eq!(charge.status, ProviderChargeStatus::Canceled);
}

#[tokio::test]
async fn what_cannot_be_asked_is_not_missing() {
    let unknown = || {
        let mut charge = named();
        charge.reference = None;
        charge
    };
    let nothing = vec![Answer::json(200, &succeeded())];
    let (seen, outcome) = asked(nothing, async |it, cx| it.fetch_charge(&cx, unknown()).await).await;
    assert!(matches!(outcome, Ok(Lookup::CannotTell)) && seen.is_empty());
    let gone = vec![Answer::json(404, &json!({"error_code": "DATA_NOT_FOUND"}))];
    let (_, outcome) = asked(gone, async |it, cx| it.fetch_charge(&cx, named()).await).await;
    assert!(matches!(outcome, Ok(Lookup::Missing)));
    let other = vec![Answer::json(200, &changed(json!({"payment_request_id": "pr-2"})))];
    let (_, outcome) = asked(other, async |it, cx| it.fetch_charge(&cx, named()).await).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::GatewayProtocol);
}

#[tokio::test]
async fn capturing_and_letting_go_is_of_the_payment() {
    let answers = vec![Answer::json(200, &paid(json!({})))];
    let part = money(525, "PHP");
    let (seen, captured) = asked(answers, async |it, cx| it.capture_charge(&cx, named(), part).await).await;
    assert_eq!(
        seen,
        [(format!("POST /v3/payments/{PAYMENT}/capture"), r#"{"capture_amount":5.25}"#.to_owned())]
    );
    let captured = captured.unwrap();
    assert_eq!((captured.reference.as_str(), captured.captured), (REQUEST, Some(525)));
    for unsure in [Answer::empty(408), Answer::json(409, &json!({"error_code": "DUPLICATE_ERROR"}))] {
        let (_, outcome) =
            asked(vec![unsure], async |it, cx| it.capture_charge(&cx, named(), part).await).await;
        assert_eq!(outcome.unwrap_err().retry(), Retry::OutcomeUnknown, "it may have been captured");
    }
    let authorized = Answer::json(200, &changed(json!({"status": "AUTHORIZED"})));
    let canceled = Answer::json(200, &paid(json!({"status": "CANCELED", "captures": []})));
    let (seen, outcome) =
        asked(vec![authorized, canceled], async |it, cx| it.cancel_charge(&cx, named()).await).await;
    assert_eq!(seen[1].0, format!("POST /v3/payments/{PAYMENT}/cancel"));
    assert_eq!(outcome.unwrap().status, ProviderChargeStatus::Canceled);
    let waits = Answer::json(200, &changed(json!({"status": "REQUIRES_ACTION"})));
    let canceled = Answer::json(200, &changed(json!({"status": "CANCELED"})));
    let (seen, outcome) =
        asked(vec![waits, canceled], async |it, cx| it.cancel_charge(&cx, named()).await).await;
    assert_eq!(seen[1].0, format!("POST /v3/payment_requests/{REQUEST}/cancel"));
    assert_eq!(outcome.unwrap().status, ProviderChargeStatus::Canceled);
    let (seen, outcome) =
        asked(vec![Answer::json(200, &succeeded())], async |it, cx| it.cancel_charge(&cx, named()).await)
            .await;
    assert_eq!((seen.len(), outcome.unwrap().status), (1, ProviderChargeStatus::Succeeded));
}

#[tokio::test]
async fn refunds_are_asked_for_once_and_found_by_either_id() {
    let refund = json!({"id": "rfd-1", "payment_request_id": REQUEST, "reference_id": "rfd_ours", "currency": "PHP",
        "amount": 2.5, "status": "PENDING"});
    let create = CreateRefund::new(named(), "rfd_ours", money(250, "PHP"), RefundReason::Other);
    let answers = vec![Answer::json(200, &refund)];
    let (seen, made) = asked(answers, async |it, cx| it.refund_charge(&cx, create).await).await;
    let body = format!(
        r#"{{"payment_request_id":"{REQUEST}","reference_id":"rfd_ours","currency":"PHP","amount":2.50,"reason":"OTHERS"}}"#
    );
    assert_eq!(seen, [("POST /refunds key-1".to_owned(), body)]);
    let made = made.unwrap();
    assert_eq!((made.reference.as_str(), made.status), ("rfd-1", RefundStatus::Processing));
    assert_eq!(made.money, Some(money(250, "PHP")));

    let named_refund = |reference: Option<&str>| {
        let mut named = RefundRef::new(named(), "rfd_ours", money(250, "PHP"));
        named.reference = reference.map(str::to_owned);
        named
    };
    let ask = async |answer: Answer, reference: Option<&str>| {
        let refund = named_refund(reference);
        asked(vec![answer], async |it, cx| it.fetch_refund(&cx, refund).await).await
    };
    let (seen, outcome) = ask(Answer::json(200, &refund), Some("rfd-1")).await;
    assert_eq!(seen[0].0, "GET /refunds/rfd-1");
    assert!(matches!(outcome, Ok(Lookup::Found(_))));
    let of_another = json!({"id": "rfd-0", "reference_id": "rfd_ours", "payment_request_id": "pr-2"});
    let list = json!({"data": [of_another, refund], "has_more": false});
    let (seen, outcome) = ask(Answer::json(200, &list), None).await;
    assert_eq!(seen[0].0, "GET /refunds");
    assert!(matches!(outcome, Ok(Lookup::Found(found)) if found.reference == "rfd-1"));
    let empty = Answer::json(200, &json!({"data": [], "has_more": false}));
    assert!(matches!(ask(empty, None).await.1, Ok(Lookup::CannotTell)), "an empty list proves nothing");
    let gone = Answer::json(404, &json!({"error_code": "DATA_NOT_FOUND"}));
    assert!(matches!(ask(gone, Some("rfd-1")).await.1, Ok(Lookup::CannotTell)));
}

#[tokio::test]
async fn a_refund_that_is_not_possible_is_refused() {
    let outcome = async |status, code: &str| -> Error {
        let create = CreateRefund::new(named(), "rfd_ours", money(250, "PHP"), RefundReason::Duplicate);
        let answer = Answer::json(status, &json!({"error_code": code}));
        asked(vec![answer], async |it, cx| it.refund_charge(&cx, create).await).await.1.unwrap_err()
    };
    for (status, code) in [
        (400, "REFUND_AMOUNT_EXCEEDED"),
        (403, "REFUND_NOT_SUPPORTED"),
        (403, "PARTIAL_REFUND_NOT_SUPPORTED"),
    ] {
        let error = outcome(status, code).await;
        assert_eq!((error.kind(), error.retry()), (ErrorKind::GatewayRejected, Retry::Never), "{code}");
    }
    assert_eq!(outcome(409, "DUPLICATE_ERROR").await.retry(), Retry::OutcomeUnknown);
    assert_eq!(outcome(500, "SERVER_ERROR").await.retry(), Retry::OutcomeUnknown);
}
