//! Charges and refunds: the requests, byte for byte, and what the gateway's answers mean.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::capability::{MethodKind, Usage};
use billfold_core::charge::{CaptureMode, DeclineClass, Initiator, RefundReason, RefundStatus};
use billfold_core::clock::{SystemClock, Timestamp};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, NextAction, ProviderCharge,
    ProviderChargeStatus, RefundRef, TokenRef,
};
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::{Transport, TransportError};
use billfold_core::{ErrorKind, Result};
use billfold_provider_stripe::KIND;
use bytes::Bytes;
use serde_json::{Value, json};

const CHARGE: &str = "chg_018f0000000070008000000000000003";
const BACK: &str = "https://pay.shop.example/return/chg_018f/nonce";

/// Keeps requests as text, and gives its answers in their order, the last one again and again.
#[derive(Debug)]
struct Script {
    answers: Vec<(u16, String)>,
    seen: Mutex<Vec<String>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let key = request.headers().get("idempotency-key").map_or("", |key| key.to_str().unwrap());
        let body = String::from_utf8(request.body().to_vec()).unwrap();
        let lines = body.split('&').map(|pair| format!("\n{pair}")).collect::<String>();
        let target = request.uri().path_and_query().unwrap();
        let mut seen = self.seen.lock().unwrap();
        seen.push(format!("{} {target} {key}{lines}", request.method()).trim_end().to_owned());
        let (status, body) = &self.answers[(seen.len() - 1).min(self.answers.len() - 1)];
        Ok(http::Response::builder().status(*status).body(body.clone().into()).unwrap())
    }
}

/// What was asked, and the outcome.
async fn asked<T>(
    answers: &[(u16, Value)],
    call: impl AsyncFnOnce(&dyn ChargeProvider, CallContext) -> T,
) -> (Vec<String>, T) {
    let answers = answers
        .iter()
        .map(|(status, body)| (*status, body.as_str().map_or_else(|| body.to_string(), str::to_owned)));
    let script = Arc::new(Script { answers: answers.collect(), seen: Mutex::default() });
    let values = json!({"secret_key": "sk_test_k", "webhook_secret": "whsec_s"});
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    let settings = Settings { gateway, mode: Mode::Test, origin, development: false, values };
    let provider = Registry::linked().unwrap().build(KIND, &settings).unwrap();
    let cx = CallContext::new(script.clone(), Arc::new(SystemClock), "main", "key-1");
    let outcome = call(provider.charging().unwrap(), cx).await;
    let seen = script.seen.lock().unwrap().clone();
    (seen, outcome)
}

fn money(amount: i64, currency: &str) -> Money {
    Money { amount, currency: currency.parse().unwrap() }
}

fn create() -> CreateCharge {
    let mut token = TokenRef::new("pm_1");
    token.customer = Some("cus_1".to_owned());
    CreateCharge::new(
        CHARGE,
        token,
        (MethodKind::Card, "card"),
        money(1_099, "EUR"),
        "DE".parse().unwrap(),
        Usage::UnscheduledCustomer,
        BACK.parse().unwrap(),
    )
}

fn named() -> ChargeRef {
    let mut charge = ChargeRef::new(CHARGE, money(1_099, "EUR"), Timestamp::from_millis(1_780_000_000_000));
    charge.reference = Some("pi_1".to_owned());
    charge
}

fn intent(status: &str) -> Value {
    json!({"id": "pi_1", "object": "payment_intent", "status": status, "amount": 1_099, "amount_received": 0,
        "currency": "eur", "customer": "cus_1", "client_secret": "pi_1_secret_CANARY",
        "metadata": {"billfold_charge": CHARGE}})
}

async fn charge(status: u16, body: Value) -> Result<ProviderCharge> {
    asked(&[(status, body)], async |it, cx| it.charge(&cx, create()).await).await.1
}

fn refusal(code: &str, decline_code: Option<&str>, intent: Option<Value>) -> Value {
    json!({"error": {"type": "card_error", "code": code, "decline_code": decline_code, "message": "CANARY",
        "payment_intent": intent}})
}

#[tokio::test]
async fn charges_are_asked_for_as_documented() {
    let mut request = create();
    request.description = Some("Order 7".to_owned());
    request.metadata.insert("order".to_owned(), "7".to_owned());
    let customer =
        asked(&[(200, intent("succeeded"))], async |it, cx| it.charge(&cx, request.clone()).await).await;
    let head = "POST /v1/payment_intents key-1\namount=1099\ncurrency=eur\ncustomer=cus_1\npayment_method=pm_1\n\
        allowed_payment_method_types%5B0%5D=card\nconfirm=true\n";
    let tail = "return_url=https%3A%2F%2Fpay.shop.example%2Freturn%2Fchg_018f%2Fnonce\ndescription=Order+7\n\
        metadata%5Border%5D=7\nmetadata%5Bbillfold_charge%5D=chg_018f0000000070008000000000000003";
    assert_eq!(customer.0, [format!("{head}capture_method=automatic\n{tail}")]);
    request.initiator = Initiator::Merchant;
    request.capture = CaptureMode::Manual;
    let merchant = asked(&[(200, intent("succeeded"))], async |it, cx| it.charge(&cx, request).await).await;
    assert_eq!(merchant.0, [format!("{head}off_session=true\ncapture_method=manual\n{tail}")]);
}

#[tokio::test]
async fn an_amount_that_cannot_be_expressed_is_not_sent() {
    let mut request = create();
    request.money = money(5_124, "KWD");
    let (seen, outcome) =
        asked(&[(200, intent("succeeded"))], async |it, cx| it.charge(&cx, request).await).await;
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::InvalidRequest);
    assert!(seen.is_empty());
}

#[tokio::test]
async fn a_refusal_is_a_decline_with_its_reason() {
    let failed = || Some(intent("requires_payment_method"));
    for (code, bank, intent, class, kept) in [
        (
            "card_declined",
            Some("insufficient_funds"),
            failed(),
            DeclineClass::InsufficientFunds,
            "insufficient_funds",
        ),
        (
            "authentication_required",
            Some("authentication_required"),
            failed(),
            DeclineClass::AuthenticationRequired,
            "authentication_required",
        ),
        ("expired_card", None, failed(), DeclineClass::Expired, "expired_card"),
        ("card_declined", None, None, DeclineClass::DoNotRetry, "card_declined"),
    ] {
        let reference = if intent.is_some() { "pi_1" } else { "" };
        let charge = charge(402, refusal(code, bank, intent)).await.unwrap();
        assert_eq!((charge.reference.as_str(), charge.status), (reference, ProviderChargeStatus::Declined));
        let decline = charge.decline.unwrap();
        assert_eq!((decline.class, decline.code.as_deref()), (class, Some(kept)));
    }
    let gone = json!({"error": {"type": "invalid_request_error", "code": "resource_missing", "param": "payment_method"}});
    assert_eq!(charge(400, gone).await.unwrap().decline.unwrap().class, DeclineClass::Revoked);
    // Stripe lets the customer go on with this one.
    let mut waits = intent("requires_action");
    waits["next_action"] =
        json!({"type": "redirect_to_url", "redirect_to_url": {"url": "https://hooks.example/3ds"}});
    let charge = charge(402, refusal("authentication_required", None, Some(waits))).await.unwrap();
    assert_eq!(charge.status, ProviderChargeStatus::RequiresAction);
    assert!(matches!(charge.next, Some(NextAction::Redirect(_))));
}

#[tokio::test]
async fn what_is_not_known_to_have_charged_nothing_is_unknown() {
    let used = |code: &str| json!({"error": {"type": "idempotency_error", "code": code}});
    let mut strange = intent("succeeded");
    strange["currency"] = "euros".into();
    for (status, body) in [
        (500, json!({"error": {"type": "api_error"}})),
        (502, json!("<html>")),
        (200, json!("{\"id\":")),
        (200, json!({})),
        (200, strange),
        (302, json!("")),
        (402, json!("<html>")),
        (408, json!("")),
        (409, used("idempotency_key_in_use")),
        (400, json!({"error": {"type": "idempotency_error"}})),
    ] {
        let error = charge(status, body.clone()).await.unwrap_err();
        assert_eq!(error.retry(), Retry::OutcomeUnknown, "{status} {body}: {error:?}");
        assert!(!format!("{error:?} {error}").contains("CANARY"));
    }
    let slow = charge(429, json!({"error": {"code": "rate_limit"}})).await.unwrap_err();
    assert_eq!(slow.kind(), ErrorKind::GatewayRateLimited);
    let wrong =
        charge(400, json!({"error": {"type": "invalid_request_error", "code": "amount_too_small"}})).await;
    assert_eq!(wrong.unwrap_err().retry(), Retry::Never);
}

#[tokio::test]
async fn a_charge_is_found_by_its_id_or_among_those_of_its_customer() {
    let (seen, found) =
        asked(&[(200, intent("processing"))], async |it, cx| it.fetch_charge(&cx, named()).await).await;
    assert_eq!(seen, ["GET /v1/payment_intents/pi_1"]);
    assert!(matches!(found, Ok(Lookup::Found(charge)) if charge.status == ProviderChargeStatus::Processing));
    let lost = || {
        let mut charge = named();
        charge.reference = None;
        charge.token = Some(create().token);
        charge
    };
    let other = json!({"id": "pi_0", "status": "succeeded", "metadata": {"billfold_charge": "chg_other"}});
    let pages = [
        (200, json!({"data": [other], "has_more": true})),
        (200, json!({"data": [intent("succeeded")], "has_more": false})),
    ];
    let (seen, found) = asked(&pages, async |it, cx| it.fetch_charge(&cx, lost()).await).await;
    let query = "GET /v1/payment_intents?customer=cus_1&created%5Bgte%5D=1779996400&created%5Blte%5D=1780003600&limit=100";
    assert_eq!(seen, [query.to_owned(), format!("{query}&starting_after=pi_0")]);
    assert!(matches!(found, Ok(Lookup::Found(charge)) if charge.reference == "pi_1"));
    let missing = async |body: Value| {
        asked(&[(200, body)], async |it, cx| it.fetch_charge(&cx, lost()).await).await.1.unwrap()
    };
    assert!(matches!(missing(json!({"data": [], "has_more": false})).await, Lookup::Missing));
    assert!(
        matches!(missing(json!({"data": []})).await, Lookup::CannotTell),
        "it does not say that this is all"
    );
    assert!(
        matches!(missing(json!({"data": [other], "has_more": true})).await, Lookup::CannotTell),
        "it never ends"
    );
    let gone = [(404, json!({"error": {"code": "resource_missing"}}))];
    assert!(matches!(
        asked(&gone, async |it, cx| it.fetch_charge(&cx, named()).await).await.1,
        Ok(Lookup::Missing)
    ));
}

#[tokio::test]
async fn capturing_canceling_and_giving_back() {
    let mut captured = intent("succeeded");
    captured["amount_received"] = 500.into();
    let part = money(500, "EUR");
    let (seen, outcome) =
        asked(&[(200, captured)], async |it, cx| it.capture_charge(&cx, named(), part).await).await;
    assert_eq!(seen, ["POST /v1/payment_intents/pi_1/capture key-1-500\namount_to_capture=500"]);
    assert_eq!(outcome.unwrap().captured, Some(500));
    let over =
        [(400, json!({"error": {"code": "payment_intent_unexpected_state"}})), (200, intent("succeeded"))];
    let (seen, outcome) = asked(&over, async |it, cx| it.cancel_charge(&cx, named()).await).await;
    assert_eq!(seen, ["POST /v1/payment_intents/pi_1/cancel", "GET /v1/payment_intents/pi_1"]);
    assert_eq!(outcome.unwrap().status, ProviderChargeStatus::Succeeded);

    let refund = json!({"id": "re_1", "status": "succeeded", "amount": 250, "currency": "eur",
        "payment_intent": "pi_1", "metadata": {"billfold_refund": "rfd_1"}});
    let asked_for = CreateRefund::new(named(), "rfd_1", money(250, "EUR"), RefundReason::Duplicate);
    let (seen, made) =
        asked(&[(200, refund.clone())], async |it, cx| it.refund_charge(&cx, asked_for).await).await;
    assert_eq!(
        seen,
        [
            "POST /v1/refunds key-1\npayment_intent=pi_1\namount=250\nreason=duplicate\nmetadata%5Bbillfold_refund%5D=rfd_1"
        ]
    );
    let made = made.unwrap();
    assert_eq!(
        (made.reference.as_str(), made.status, made.money),
        ("re_1", RefundStatus::Succeeded, Some(money(250, "EUR")))
    );
    let lost = RefundRef::new(named(), "rfd_1", money(250, "EUR"));
    let list = [(200, json!({"data": [refund], "has_more": false}))];
    let (seen, found) = asked(&list, async |it, cx| it.fetch_refund(&cx, lost.clone()).await).await;
    assert_eq!(seen, ["GET /v1/refunds?payment_intent=pi_1&limit=100"]);
    assert!(matches!(found, Ok(Lookup::Found(found)) if found.reference == "re_1"));
    let none = [(200, json!({"data": [], "has_more": false}))];
    assert!(matches!(
        asked(&none, async |it, cx| it.fetch_refund(&cx, lost).await).await.1,
        Ok(Lookup::Missing)
    ));
}
