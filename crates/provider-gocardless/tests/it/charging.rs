//! Charges: the requests as they are sent, what is made of answers, and days that pass.

use std::sync::Arc;

use billfold_core::capability::{MethodKind, Usage};
use billfold_core::charge::{DeclineClass, RefundReason, RefundStatus};
use billfold_core::clock::{SystemClock, Timestamp};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, ProviderCharge,
    ProviderChargeStatus, RefundRef, TokenRef, TokenizationProvider,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::{ErrorKind, Result};
use billfold_sandbox::{CompleteSession, Sandbox};
use serde_json::{Value, json};

use crate::contract::values;
use crate::support::{
    Scripted, build, missing, not_cancelled, provider, refusal, replaced, request, sandbox, transport,
};

const CHARGE: &str = "chg_018f0000000070008000000000000001";
const REFUND: &str = "rfd_018f0000000070008000000000000001";
const DAY: u32 = 24 * 60 * 60;

fn charging(provider: &Arc<dyn TokenizationProvider>) -> &dyn ChargeProvider {
    provider.charging().unwrap()
}

fn pounds(amount: i64) -> Money {
    Money { amount, currency: "GBP".parse().unwrap() }
}

fn token(mandate: &str, customer: Option<&str>) -> TokenRef {
    let mut token = TokenRef::new(mandate.to_owned());
    token.customer = customer.map(str::to_owned);
    token
}

fn charge_of(token: TokenRef) -> CreateCharge {
    let back = "https://pay.shop.example/return/chg_1/nonce".parse().unwrap();
    let kind = (MethodKind::BankDebit, "bacs");
    CreateCharge::new(CHARGE, token, kind, pounds(1050), "GB".parse().unwrap(), Usage::Recurring, back)
}

fn named(reference: Option<&str>, token: Option<TokenRef>) -> ChargeRef {
    let mut charge = ChargeRef::new(CHARGE, pounds(1050), Timestamp::from_millis(1_780_000_000_000));
    charge.reference = reference.map(str::to_owned);
    charge.token = token;
    charge
}

fn payment(status: &str) -> Value {
    json!({"id": "PM1", "status": status, "amount": 1050, "amount_refunded": 300, "currency": "GBP",
        "metadata": {"billfold_charge": CHARGE}, "links": {"mandate": "MD1"}})
}

fn refund(id: &str) -> Value {
    json!({"id": id, "status": "created", "amount": 250, "currency": "GBP", "metadata": {"billfold_refund": REFUND},
        "links": {"payment": "PM1"}})
}

fn invalid(reason: &str) -> (u16, Value) {
    (422, refusal("invalid_state", json!({"reason": reason, "message": "CANARY"})))
}

fn give_back(amount: i64) -> CreateRefund {
    CreateRefund::new(named(Some("PM1"), None), REFUND, pounds(amount), RefundReason::RequestedByCustomer)
}

#[tokio::test]
async fn charges_are_requested_as_they_were() {
    let (script, provider) = (Scripted::new([]), provider());
    let (charging, cx) = (charging(&provider), script.cx());
    let mut create = charge_of(token("MD1", Some("CU1")));
    create.description = Some("May".to_owned());
    create.metadata.insert("order".to_owned(), "a&b=c \"d\"".to_owned());
    let _ = charging.charge(&cx, create).await;
    let _ = charging.fetch_charge(&cx, named(Some("PM1"), None)).await;
    let _ = charging.fetch_charge(&cx, named(None, Some(token("MD1", Some("CU1"))))).await;
    let _ = charging.fetch_charge(&cx, named(None, Some(token("MD1", None)))).await;
    let _ = charging.cancel_charge(&cx, named(Some("PM1"), None)).await;
    let _ = charging.refund_charge(&cx, give_back(250)).await;
    let mut asked = RefundRef::new(named(Some("PM1"), None), REFUND, pounds(250));
    let _ = charging.fetch_refund(&cx, asked.clone()).await;
    asked.reference = Some("RF1".to_owned());
    let _ = charging.fetch_refund(&cx, asked).await;
    let sent = script.sent.lock().unwrap().join("\n\n") + "\n";
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/charges.txt");
    let known = std::fs::read_to_string(file).unwrap_or_default();
    assert!(sent == known, "the requests differ from {file}; they are now:\n{sent}");
}

async fn charged(answers: Vec<(u16, Value)>) -> (Result<ProviderCharge>, Vec<String>) {
    let (script, provider) = (Scripted::new(answers), provider());
    let outcome = charging(&provider).charge(&script.cx(), charge_of(token("MD1", None))).await;
    (outcome, script.paths())
}

/// The same key came before: what it made is the same charge.
#[tokio::test]
async fn a_repeated_charge_is_the_one_that_was_made() {
    let conflict =
        json!({"reason": "idempotent_creation_conflict", "links": {"conflicting_resource_id": "PM1"}});
    let conflict = (409, refusal("invalid_state", conflict));
    let there = (200, json!({"payments": payment("confirmed")}));
    let (outcome, paths) = charged(vec![conflict.clone(), there]).await;
    let found = outcome.unwrap();
    assert_eq!((found.status, found.reference.as_str()), (ProviderChargeStatus::Succeeded, "PM1"));
    assert_eq!(found.echo.reference.as_deref(), Some(CHARGE));
    assert_eq!(paths, ["POST /payments", "GET /payments/PM1"]);
    let (lost, _) = charged(vec![conflict, (500, json!({}))]).await;
    assert_eq!(lost.unwrap_err().retry(), Retry::OutcomeUnknown, "it was made");
}

#[tokio::test]
async fn a_mandate_that_is_over_is_a_decline() {
    let (outcome, _) = charged(vec![invalid("mandate_is_inactive"), missing()]).await;
    let decline = outcome.unwrap().decline.unwrap();
    assert_eq!(
        (decline.class, decline.code.as_deref()),
        (DeclineClass::Revoked, Some("mandate_is_inactive"))
    );
    let successor = (200, crate::support::mandate("MD2", "active"));
    let account = (200, crate::support::account());
    let (outcome, _) =
        charged(vec![invalid("mandate_is_inactive"), (200, replaced("MD1", "MD2")), successor, account])
            .await;
    assert_eq!(
        outcome.unwrap().decline.unwrap().class,
        DeclineClass::TryAgainLater,
        "another is in its place"
    );
    let (refused, _) = charged(vec![invalid("something_else")]).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::GatewayRejected);
}

/// A failed payment's events are asked for; when they cannot be had, what was made is not taken for nothing.
#[tokio::test]
async fn why_a_payment_failed_is_asked_for() {
    let failed = (201, json!({"payments": payment("failed")}));
    let events = (
        200,
        json!({"events": [
        {"action": "failed", "created_at": "2026-05-09T10:00:00Z", "details": {"cause": "refer_to_payer"}},
        {"action": "confirmed", "created_at": "2026-05-05T10:00:00Z", "details": {"cause": "payment_confirmed"}},
    ], "meta": {"cursors": {"after": null}}}),
    );
    let (outcome, paths) = charged(vec![failed.clone(), events]).await;
    let late = outcome.unwrap();
    assert_eq!(late.status, ProviderChargeStatus::Returned);
    assert_eq!(late.decline.unwrap().class, DeclineClass::InsufficientFunds);
    assert_eq!(paths[1], "GET /events?payment=PM1&resource_type=payments&limit=100");
    let (lost, _) = charged(vec![failed.clone(), (500, json!({}))]).await;
    assert_eq!(lost.unwrap_err().retry(), Retry::OutcomeUnknown);
    let (silent, _) = charged(vec![failed, missing()]).await;
    assert_eq!(silent.unwrap().decline.unwrap().code.as_deref(), Some("failed"));
}

#[tokio::test]
async fn a_lost_charge_is_found_among_its_customers() {
    let provider = provider();
    let found = async |answers: Vec<(u16, Value)>| {
        let script = Scripted::new(answers);
        let asked = named(None, Some(token("MD1", Some("CU1"))));
        (charging(&provider).fetch_charge(&script.cx(), asked).await, script.paths().len())
    };
    let mut other = payment("confirmed");
    other["metadata"] = json!({"billfold_charge": "chg_2"});
    let page = |listed: Value, after: Value| {
        (200, json!({"payments": listed, "meta": {"cursors": {"after": after}}}))
    };
    let pages = vec![page(json!([other]), json!("PM9")), page(json!([payment("submitted")]), Value::Null)];
    let (Ok(Lookup::Found(charge)), 2) = found(pages).await else { panic!("it is on the second page") };
    assert_eq!(charge.status, ProviderChargeStatus::Processing);
    assert!(matches!(found(vec![page(json!([other]), Value::Null)]).await, (Ok(Lookup::Missing), 1)));
    let endless = (0..20).map(|_| page(json!([other]), json!("PM9"))).collect();
    assert!(matches!(found(endless).await, (Ok(Lookup::CannotTell), 20)));
    for strange in [json!({}), json!({"payments": {}}), json!({"payments": [7]})] {
        let (outcome, _) = found(vec![(200, strange.clone())]).await;
        assert_eq!(outcome.unwrap_err().kind(), ErrorKind::GatewayProtocol, "{strange}");
    }
    let script = Scripted::new([]);
    let nobody = charging(&provider).fetch_charge(&script.cx(), named(None, None)).await;
    assert!(matches!(nobody, Ok(Lookup::CannotTell)));
    for id in ["", "XX1", "PM/1", "PM1/actions/cancel"] {
        assert!(charging(&provider).fetch_charge(&script.cx(), named(Some(id), None)).await.is_err(), "{id}");
        assert!(
            charging(&provider).cancel_charge(&script.cx(), named(Some(id), None)).await.is_err(),
            "{id}"
        );
    }
    assert!(script.paths().is_empty());
}

#[tokio::test]
async fn a_payment_that_ended_is_canceled_as_it_is() {
    let provider = provider();
    let canceled = async |status: &str| {
        let script = Scripted::new([not_cancelled(), (200, json!({"payments": payment(status)}))]);
        charging(&provider).cancel_charge(&script.cx(), named(Some("PM1"), None)).await
    };
    assert_eq!(canceled("cancelled").await.unwrap().status, ProviderChargeStatus::Canceled);
    assert_eq!(canceled("confirmed").await.unwrap().status, ProviderChargeStatus::Succeeded);
    assert_eq!(canceled("submitted").await.unwrap_err().kind(), ErrorKind::GatewayRejected);
}

/// The gateway wants the sum of all refunds; a wrong one makes none.
#[tokio::test]
async fn a_second_refund_says_the_sum_of_both() {
    let provider = provider();
    let script = Scripted::new([
        invalid("total_amount_confirmation_invalid"),
        (200, json!({"payments": payment("paid_out")})),
        (201, json!({"refunds": refund("RF2")})),
    ]);
    let made = charging(&provider).refund_charge(&script.cx(), give_back(250)).await.unwrap();
    assert_eq!((made.status, made.reference.as_str()), (RefundStatus::Processing, "RF2"));
    let sent = script.sent.lock().unwrap().clone();
    assert!(sent[0].contains("\"total_amount_confirmation\": 250"), "{}", sent[0]);
    assert!(sent[2].contains("\"total_amount_confirmation\": 550"), "{}", sent[2]);
    let lost =
        Scripted::new([(200, json!({"refunds": [refund("RF3")], "meta": {"cursors": {"after": null}}}))]);
    let asked = RefundRef::new(named(Some("PM1"), None), REFUND, pounds(250));
    let Ok(Lookup::Found(found)) = charging(&provider).fetch_refund(&lost.cx(), asked).await else {
        panic!("it is listed")
    };
    assert_eq!((found.reference.as_str(), found.money), ("RF3", Some(pounds(250))));
}

/// A sandbox with a mandate.
struct Shop {
    sandbox: Sandbox,
    provider: Arc<dyn TokenizationProvider>,
    token: TokenRef,
}

impl Shop {
    async fn open() -> Self {
        let sandbox = sandbox().await;
        let provider = build(values(&sandbox), true);
        let made = provider.create_session(&Self::context("session"), request()).await.unwrap();
        let mandate = sandbox.control().complete(&made.reference, &CompleteSession::default()).unwrap();
        let tokens = sandbox.control().tokens();
        let customer = tokens[0]["links"]["customer"].as_str();
        let token = token(&mandate, customer);
        Self { sandbox, provider, token }
    }

    fn context(key: &str) -> CallContext {
        CallContext::new(transport(), Arc::new(SystemClock), "main", key)
    }

    async fn charge(&self, key: &str, amount: i64) -> String {
        let mut create = charge_of(self.token.clone());
        (create.reference, create.money) = (key.to_owned(), pounds(amount));
        let charge = charging(&self.provider).charge(&Self::context(key), create).await.unwrap();
        assert_eq!(charge.status, ProviderChargeStatus::Processing);
        charge.reference
    }

    async fn now(&self, payment: &str) -> ProviderCharge {
        let asked = named(Some(payment), None);
        let found = charging(&self.provider).fetch_charge(&Self::context("k"), asked).await.unwrap();
        let found = if let Lookup::Found(charge) = found { Some(charge) } else { None };
        found.unwrap()
    }
}

/// A mandate that is not active yet is charged; days pass, and each payment ends as its amount says.
#[tokio::test]
async fn days_decide_how_a_payment_ends() {
    use ProviderChargeStatus as P;
    let shop = Shop::open().await;
    let mut payments = Vec::new();
    for (number, amount) in [1050, 9901, 9903, 9907, 9990, 9991].into_iter().enumerate() {
        payments.push(shop.charge(&format!("chg_{number}"), amount).await);
    }
    let statuses = async || {
        let mut statuses = Vec::new();
        for payment in &payments {
            statuses.push(shop.now(payment).await.status);
        }
        statuses
    };
    shop.sandbox.control().advance(DAY);
    assert_eq!(statuses().await, [P::Processing; 6]);
    shop.sandbox.control().advance(3 * DAY);
    let failed = P::Declined;
    assert_eq!(statuses().await, [P::Succeeded, failed, failed, failed, P::Succeeded, P::Succeeded]);
    shop.sandbox.control().advance(4 * DAY);
    assert_eq!(statuses().await, [P::Succeeded, failed, failed, failed, P::Returned, P::Returned]);
    let class = async |at: usize| shop.now(&payments[at]).await.decline.unwrap().class;
    assert_eq!(class(1).await, DeclineClass::InsufficientFunds);
    assert_eq!(class(2).await, DeclineClass::Revoked);
    assert_eq!(class(3).await, DeclineClass::Limit);
    let back = shop.now(&payments[5]).await;
    assert_eq!(back.decline.unwrap().code.as_deref(), Some("refund_requested"));
    assert!(shop.sandbox.control().take_back_charge(&payments[5], Some("chargeback_cancelled")));
    assert_eq!(shop.now(&payments[5]).await.status, P::Succeeded);
}

#[tokio::test]
async fn what_is_with_the_banks_is_not_canceled_and_refunds_are_paid_later() {
    let shop = Shop::open().await;
    let provider = &shop.provider;
    let early = shop.charge("chg_1", 1050).await;
    let cx = Shop::context("k");
    let canceled = charging(provider).cancel_charge(&cx, named(Some(&early), None)).await.unwrap();
    assert_eq!(canceled.status, ProviderChargeStatus::Canceled);
    let late = shop.charge("chg_2", 1050).await;
    shop.sandbox.control().advance(DAY);
    assert!(charging(provider).cancel_charge(&cx, named(Some(&late), None)).await.is_err());
    shop.sandbox.control().advance(3 * DAY);
    let mut charge = named(Some(&late), None);
    charge.merchant_reference = "chg_2".to_owned();
    for (key, amount) in [("rfd_1", 300), ("rfd_2", 750)] {
        let refund = CreateRefund::new(charge.clone(), key, pounds(amount), RefundReason::Other);
        let made = charging(provider).refund_charge(&Shop::context(key), refund).await.unwrap();
        assert_eq!(made.status, RefundStatus::Processing);
    }
    let too_much = CreateRefund::new(charge.clone(), "rfd_3", pounds(1), RefundReason::Other);
    let refused = charging(provider).refund_charge(&Shop::context("rfd_3"), too_much).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::GatewayRejected);
    shop.sandbox.control().advance(2 * DAY);
    let asked = RefundRef::new(charge, "rfd_2", pounds(750));
    let Ok(Lookup::Found(paid)) = charging(provider).fetch_refund(&cx, asked).await else {
        panic!("it is listed")
    };
    assert_eq!(paid.status, RefundStatus::Succeeded);
}

#[tokio::test]
async fn a_cancelled_mandate_collects_nothing() {
    let shop = Shop::open().await;
    let mandate = shop.token.token.expose_secret();
    assert!(shop.sandbox.control().set_token_status(mandate, "cancelled", None));
    let create = charge_of(shop.token.clone());
    let declined = charging(&shop.provider).charge(&Shop::context(CHARGE), create).await.unwrap();
    assert_eq!(declined.decline.unwrap().class, DeclineClass::Revoked);
    assert!(shop.sandbox.control().charges().is_empty());
}
