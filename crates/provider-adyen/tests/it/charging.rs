//! Charges: the requests as they are sent, what is made of answers, and the bank's page.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::charge::{CaptureMode, ChargeReason, DeclineClass, Initiator, RefundReason, RefundStatus};
use billfold_core::clock::{SystemClock, Timestamp};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, NextAction, ProviderCharge,
    ProviderChargeStatus, RefundRef, ReturnRequest, TokenRef, TokenizationProvider,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::transport::Transport as _;
use billfold_core::{Error, ErrorKind};
use billfold_sandbox::{ChargePlay, CompleteSession, Sandbox};
use serde_json::{Value, json};
use url::Url;

use crate::charges::code;
use crate::script::{SESSION, Script, TOKEN, refusal};
use crate::support::{API_KEY, TOKEN_KEY, sandbox, settings, transport};

const CHARGE: &str = "chg_018f0000000070008000000000000001";
const OTHER: &str = "chg_018f0000000070008000000000000002";
const REFUND: &str = "rfd_018f0000000070008000000000000001";
const PAYMENT: &str = "QFQTPCQ8HXSKGK82";

/// An account at the gateway itself that has the standard webhook.
fn provider() -> Arc<dyn TokenizationProvider> {
    crate::support::provider(json!({
        "api_key": "AQEk", "merchant_account": "ShopECOM", "token_webhook_hmac_key": TOKEN_KEY,
        "standard_webhook_hmac_key": TOKEN_KEY,
    }))
}

fn charging(provider: &Arc<dyn TokenizationProvider>) -> &dyn ChargeProvider {
    provider.charging().unwrap()
}

fn context(script: &Arc<Script>, key: &str) -> CallContext {
    CallContext::new(script.clone(), Arc::new(SystemClock), "main", key)
}

fn euros(amount: i64) -> Money {
    Money { amount, currency: "EUR".parse().unwrap() }
}

fn token(id: &str, shopper: &str) -> TokenRef {
    let mut token = TokenRef::new(id.to_owned());
    token.customer = Some(shopper.to_owned());
    token
}

fn request(reference: &str, token: TokenRef) -> CreateCharge {
    let back = "https://pay.shop.example/return/chg_1/nonce".parse().unwrap();
    let kind = (MethodKind::Card, "scheme");
    CreateCharge::new(reference, token, kind, euros(1050), "NL".parse().unwrap(), Usage::OnSession, back)
}

fn named(reference: Option<&str>) -> ChargeRef {
    let mut charge = ChargeRef::new(CHARGE, euros(1050), Timestamp::from_millis(0));
    charge.reference = reference.map(str::to_owned);
    charge
}

fn received(payment: &str) -> Value {
    json!({"merchantAccount": "ShopECOM", "paymentPspReference": payment, "pspReference": "LQWDDLKTSV2GGS82",
        "status": "received", "amount": {"value": 250, "currency": "EUR"}})
}

#[tokio::test]
async fn charges_are_requested_as_they_were() {
    let (script, provider) = (Script::of([]), provider());
    let charging = charging(&provider);
    let mut at_once = request(CHARGE, token(TOKEN, SESSION));
    at_once.metadata.insert("order".to_owned(), "7".to_owned());
    let _ = charging.charge(&context(&script, CHARGE), at_once).await;
    let mut held = request(OTHER, token(TOKEN, SESSION));
    held.initiator = Initiator::Merchant;
    held.reason = ChargeReason::Recurring;
    held.capture = CaptureMode::Manual;
    let _ = charging.charge(&context(&script, OTHER), held).await;
    let mut back = named(None);
    back.evidence = provider.read_return(&ReturnRequest::new("redirectResult=X6XtfGC3%21Y")).evidence;
    let _ = charging.fetch_charge(&context(&script, CHARGE), back).await;
    let part = euros(250);
    let key = format!("{CHARGE}-capture");
    let _ = charging.capture_charge(&context(&script, &key), named(Some(PAYMENT)), part).await;
    let key = format!("{CHARGE}-cancel");
    let _ = charging.cancel_charge(&context(&script, &key), named(Some(PAYMENT))).await;
    let refund = CreateRefund::new(named(Some(PAYMENT)), REFUND, part, RefundReason::RequestedByCustomer);
    let _ = charging.refund_charge(&context(&script, REFUND), refund).await;
    let sent = script.seen().join("\n\n") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/charges.txt");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(sent == known, "the requests differ from {file}; they are now:\n{sent}");
}

/// Without the standard webhook nothing would tell of a charge whose answer was lost.
#[test]
fn an_account_without_the_standard_webhook_does_not_charge() {
    assert!(crate::script::provider().charging().is_none());
    assert!(provider().charging().is_some());
}

async fn charged(answers: Vec<(u16, Value)>) -> billfold_core::Result<ProviderCharge> {
    let (script, provider) = (Script::of(answers), provider());
    charging(&provider).charge(&context(&script, CHARGE), request(CHARGE, token(TOKEN, SESSION))).await
}

#[tokio::test]
async fn a_token_that_is_gone_is_a_decline_and_a_strange_answer_is_not() {
    for gone in ["800", "803"] {
        let declined = charged(vec![(422, refusal(gone))]).await.unwrap();
        let decline = declined.decline.unwrap();
        assert_eq!((decline.class, decline.code.as_deref()), (DeclineClass::Revoked, Some(gone)));
    }
    let refused = charged(vec![(422, refusal("702"))]).await.unwrap_err();
    assert_eq!((refused.kind(), refused.retry()), (ErrorKind::GatewayRejected, Retry::Never));
    for strange in
        [json!({}), json!({"resultCode": "Authorised"}), json!({"resultCode": [], "pspReference": "P1"})]
    {
        let error = charged(vec![(200, strange.clone())]).await.unwrap_err();
        assert_eq!(error.retry(), Retry::OutcomeUnknown, "{strange}");
    }
    let lost: Error = charged(vec![(500, json!({}))]).await.unwrap_err();
    assert_eq!(lost.retry(), Retry::OutcomeUnknown);
}

/// What a browser brings may be another charge's, used up, or invented.
#[tokio::test]
async fn only_an_answer_about_this_charge_counts() {
    let provider = provider();
    let asked = async |evidence: Option<&str>, answers: Vec<(u16, Value)>| {
        let script = Script::of(answers);
        let mut charge = named(None);
        let query = evidence.unwrap_or_default();
        charge.evidence = provider.read_return(&ReturnRequest::new(query)).evidence;
        charging(&provider).fetch_charge(&context(&script, "k"), charge).await
    };
    let answer = |name: &str| {
        let body = json!({"pspReference": PAYMENT, "resultCode": "Authorised", "merchantReference": name});
        vec![(200, body)]
    };
    let query = Some("redirectResult=X6X");
    assert!(matches!(asked(None, vec![]).await, Ok(Lookup::CannotTell)), "nobody is asked");
    for others in [answer(OTHER), answer("order-7"), vec![(422, refusal("14_006"))]] {
        assert!(matches!(asked(query, others.clone()).await, Ok(Lookup::CannotTell)), "{others:?}");
    }
    for (name, status) in [
        (CHARGE.to_owned(), ProviderChargeStatus::Succeeded),
        (format!("{CHARGE}-held"), ProviderChargeStatus::Authorized),
    ] {
        let Ok(Lookup::Found(found)) = asked(query, answer(&name)).await else { panic!("{name} is ours") };
        assert_eq!((found.status, found.reference.as_str()), (status, PAYMENT));
        assert_eq!(found.echo.reference.as_deref(), Some(CHARGE));
    }
    assert!(asked(query, vec![(500, json!({}))]).await.is_err());
}

#[tokio::test]
async fn a_change_is_taken_in_and_told_of_later() {
    let provider = provider();
    let charging = charging(&provider);
    let script = Script::of((0..4).map(|_| (201, received(PAYMENT))));
    let cx = context(&script, "k");
    let held = charging.capture_charge(&cx, named(Some(PAYMENT)), euros(250)).await.unwrap();
    assert_eq!((held.status, held.reference.as_str()), (ProviderChargeStatus::Authorized, PAYMENT));
    let open = charging.cancel_charge(&cx, named(Some(PAYMENT))).await.unwrap();
    assert_eq!(open.status, ProviderChargeStatus::Unknown);
    let refund = CreateRefund::new(named(Some(PAYMENT)), REFUND, euros(250), RefundReason::Fraudulent);
    let refund = charging.refund_charge(&cx, refund).await.unwrap();
    assert_eq!((refund.status, refund.reference.as_str()), (RefundStatus::Processing, "LQWDDLKTSV2GGS82"));
    assert_eq!(refund.money, Some(euros(250)));
    let asked = RefundRef::new(named(Some(PAYMENT)), REFUND, euros(250));
    assert!(matches!(charging.fetch_refund(&cx, asked).await, Ok(Lookup::CannotTell)));
    let others = Script::of([(201, received("ANOTHER1"))]);
    let error = charging.capture_charge(&context(&others, "k"), named(Some(PAYMENT)), euros(250)).await;
    assert_eq!(error.unwrap_err().retry(), Retry::OutcomeUnknown);
    for id in [None, Some(""), Some("../x"), Some("a/b")] {
        assert!(charging.cancel_charge(&cx, named(id)).await.is_err(), "{id:?}");
    }
    assert_eq!(script.seen().len(), 3, "nothing of that was sent");
}

/// A sandbox with a saved card.
struct Shop {
    sandbox: Sandbox,
    provider: Arc<dyn TokenizationProvider>,
    token: TokenRef,
}

impl Shop {
    async fn open(card: &str) -> Self {
        let sandbox = sandbox().await;
        let provider = crate::support::provider(settings(&sandbox, TOKEN_KEY));
        let body = json!({"merchantAccount": "SandboxECOM", "amount": {"value": 0, "currency": "EUR"},
            "reference": SESSION, "shopperReference": SESSION, "returnUrl": "https://shop.example/",
            "storePaymentMethodMode": "enabled", "recurringProcessingModel": "CardOnFile",
            "shopperInteraction": "Ecommerce"});
        assert_eq!(post(&sandbox, "v72/sessions", "session", &body).await.0, 201);
        let complete = CompleteSession { card_number: Some(card.to_owned()), ..CompleteSession::default() };
        let id = sandbox.control().complete(SESSION, &complete).unwrap();
        Self { sandbox, provider, token: token(&id, SESSION) }
    }

    fn context(key: &str) -> CallContext {
        CallContext::new(transport(), Arc::new(SystemClock), "main", key)
    }

    async fn charge(&self, reference: &str, change: impl FnOnce(&mut CreateCharge)) -> ProviderCharge {
        let mut request = request(reference, self.token.clone());
        change(&mut request);
        charging(&self.provider).charge(&Self::context(reference), request).await.unwrap()
    }
}

async fn post(sandbox: &Sandbox, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let url = sandbox.base_url().join(path).unwrap();
    let request = http::Request::post(url.as_str()).header("x-api-key", API_KEY);
    let request = request.header("idempotency-key", key).body(body.to_string().into()).unwrap();
    let answer = transport().send(request, Duration::from_secs(10)).await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

/// The customer decides on the bank's page; says where the browser is sent.
async fn decide(page: &Url, decision: &str) -> Url {
    let request = http::Request::post(page.as_str())
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("decision={decision}").into())
        .unwrap();
    let answer = transport().send(request, Duration::from_secs(10)).await.unwrap();
    answer.headers().get("location").unwrap().to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn the_banks_page_is_passed_or_failed() {
    let shop = Shop::open("5201281505129736").await;
    for (reference, decision, expected) in [
        (CHARGE, "approve", ProviderChargeStatus::Succeeded),
        (OTHER, "fail", ProviderChargeStatus::Declined),
    ] {
        let waiting = shop.charge(reference, |_| {}).await;
        assert_eq!(waiting.status, ProviderChargeStatus::RequiresAction);
        let Some(NextAction::Redirect(page)) = waiting.next else { panic!("no page") };
        let back = decide(&page.expose_secret().parse().unwrap(), decision).await;
        assert_eq!(shop.sandbox.control().charges().last().unwrap()["captured"], 0, "not before we ask");
        let mut charge = ChargeRef::new(reference, euros(1050), Timestamp::from_millis(0));
        let hint = shop.provider.read_return(&ReturnRequest::new(back.query().unwrap()));
        charge.evidence = hint.evidence;
        for reloaded in [false, true] {
            let cx = Shop::context(reference);
            let found = charging(&shop.provider).fetch_charge(&cx, charge.clone()).await.unwrap();
            let Lookup::Found(found) = found else { panic!("{decision} {reloaded}") };
            assert_eq!((found.status, found.money), (expected, Some(euros(1050))), "{decision}");
            let class = found.decline.map(|decline| decline.class);
            let failed = expected == ProviderChargeStatus::Declined;
            assert_eq!(class, failed.then_some(DeclineClass::AuthenticationRequired));
        }
    }
    let alone = async |reference: &str| {
        let by_merchant = |request: &mut CreateCharge| {
            request.initiator = Initiator::Merchant;
            request.reason = ChargeReason::Recurring;
        };
        shop.charge(reference, by_merchant).await
    };
    let agreed = alone("chg_018f0000000070008000000000000003").await;
    assert_eq!(agreed.status, ProviderChargeStatus::Succeeded, "what was agreed to needs nobody");
    shop.sandbox.control().play_charges(shop.token.token.expose_secret(), ChargePlay::StepUp);
    let asked = alone("chg_018f0000000070008000000000000004").await;
    let class = asked.decline.unwrap().class;
    assert_eq!(class, DeclineClass::AuthenticationRequired, "nobody is there to be asked");
}

#[tokio::test]
async fn amounts_and_orders_decide_how_a_charge_ends() {
    let shop = Shop::open("4111111111111111").await;
    let mut number = 0;
    let mut reference = || {
        number += 1;
        format!("chg_018f00000000700080000000000001{number:02}")
    };
    for class in DeclineClass::ALL {
        let amount = 9900 + code(class).parse::<i64>().unwrap();
        let declined = shop.charge(&reference(), |request| request.money = euros(amount)).await;
        assert_eq!(declined.decline.unwrap().class, class, "{amount}");
    }
    let slow = shop.charge(&reference(), |request| request.money = euros(9901)).await;
    assert_eq!(slow.status, ProviderChargeStatus::Processing);
    let control = shop.sandbox.control();
    assert!(control.finish_charge(&slow.reference, true));
    assert!(!control.finish_charge(&slow.reference, true), "it is over");
    assert!(control.take_back_charge(&slow.reference, Some("CAPTURE_FAILED")));
    assert!(control.play_charges(shop.token.token.expose_secret(), ChargePlay::Decline("12".to_owned())));
    let declined = shop.charge(&reference(), |_| {}).await;
    assert_eq!(declined.decline.unwrap().class, DeclineClass::InsufficientFunds);
    let names: Vec<String> = control.deliveries().into_iter().map(|sent| sent.event).collect();
    assert_eq!(names.iter().filter(|name| *name == "AUTHORISATION").count(), 1 + 8 + 1 + 1);
    assert_eq!(names.iter().filter(|name| *name == "CAPTURE_FAILED").count(), 1);
}

#[tokio::test]
async fn wrong_payments_are_refused_in_the_gateways_words() {
    let shop = Shop::open("4111111111111111").await;
    let id = shop.token.token.expose_secret();
    let good = json!({"merchantAccount": "SandboxECOM", "amount": {"value": 100, "currency": "EUR"},
        "reference": CHARGE, "shopperReference": SESSION, "returnUrl": "https://shop.example/",
        "paymentMethod": {"type": "scheme", "storedPaymentMethodId": id}, "shopperInteraction": "ContAuth",
        "recurringProcessingModel": "Subscription"});
    for (number, (field, value, code)) in [
        ("colour", json!("red"), "702"),
        ("amount", json!({"value": 0, "currency": "EUR"}), "137"),
        ("amount", json!({"value": 100, "currency": "eur"}), "138"),
        ("reference", json!("r".repeat(81)), "702"),
        ("paymentMethod", json!({"type": "scheme", "storedPaymentMethodId": "B0B0"}), "803"),
        ("shopperReference", json!("ses_of_somebody_else"), "803"),
        ("shopperInteraction", json!("POS"), "702"),
        ("captureDelayHours", json!(24), "702"),
        ("additionalData", json!({"a": "b"}), "702"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wrong = good.clone();
        wrong[field] = value.clone();
        let (status, body) = post(&shop.sandbox, "v72/payments", &format!("w{number}"), &wrong).await;
        assert_eq!((status, body["errorCode"].as_str()), (422, Some(code)), "{field} {value}: {body}");
    }
    let (status, made) = post(&shop.sandbox, "v72/payments", "once", &good).await;
    assert_eq!((status, &made["resultCode"]), (200, &json!("Authorised")));
    assert_eq!(
        post(&shop.sandbox, "v72/payments", "once", &good).await.1,
        made,
        "the same key, the same payment"
    );
    let id = made["pspReference"].as_str().unwrap();
    let change = json!({"merchantAccount": "SandboxECOM", "amount": {"value": 101, "currency": "EUR"}, "reference": "r"});
    let path = format!("v72/payments/{id}/refunds");
    assert_eq!(post(&shop.sandbox, &path, "more", &change).await.0, 201, "taken in all the same");
    let told = shop.sandbox.control().deliveries().pop().unwrap();
    let item = &told.data["notificationItems"][0]["NotificationRequestItem"];
    assert_eq!((&item["eventCode"], &item["success"]), (&json!("REFUND"), &json!("false")));
    let path = "v72/payments/NOBODYS1/captures";
    assert_eq!(post(&shop.sandbox, path, "nobody", &change).await.1["errorCode"], "167");
}
