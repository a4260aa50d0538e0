//! What the contract's trials do not see: the page in the browser's own words, and the sandbox's strictness.

use billfold_sandbox::Sandbox;
use serde_json::Value;

use crate::support::{SECRET_KEY, sandbox};

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// A request over core's transport, with or without what every call needs.
async fn call(
    sandbox: &Sandbox,
    method: &str,
    path: &str,
    key: &str,
    fields: &[(&str, &str)],
) -> (u16, Value) {
    use billfold_core::transport::Transport as _;
    let url = sandbox.base_url().join(path).unwrap();
    let mut request = http::Request::builder().method(method).uri(url.as_str());
    request = request.header("authorization", format!("Bearer {SECRET_KEY}"));
    request = request.header("stripe-version", "2026-10-28.endive").header("idempotency-key", key);
    request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.body(form(fields).into()).unwrap();
    let answer = crate::support::transport().send(request, std::time::Duration::from_secs(10)).await.unwrap();
    let location = answer.headers().get("location").map(|to| Value::String(to.to_str().unwrap().to_owned()));
    let body = location.unwrap_or_else(|| serde_json::from_slice(answer.body()).unwrap_or_default());
    (answer.status().as_u16(), body)
}

const SETUP: [(&str, &str); 4] = [
    ("mode", "setup"),
    ("currency", "eur"),
    ("success_url", "https://shop.example/done?session={CHECKOUT_SESSION_ID}"),
    ("cancel_url", "https://shop.example/left"),
];

#[tokio::test]
async fn the_hosted_page_saves_declines_and_asks() {
    let sandbox = sandbox().await;
    let (status, session) = call(&sandbox, "POST", "v1/checkout/sessions", "k", &SETUP).await;
    assert_eq!(status, 200, "{session}");
    let link = session["url"].as_str().unwrap().to_owned();
    let link = link.strip_prefix(sandbox.base_url().as_str()).unwrap();
    let submit = format!("{link}/submit");
    let card = |number| [("channel", "card"), ("card-number", number)];
    let (_, back) = call(&sandbox, "POST", &submit, "", &card("4000 0000 0000 0002")).await;
    assert!(back.as_str().unwrap().contains("channel=card"), "declined: the page again, not {back}");
    let (_, challenge) = call(&sandbox, "POST", &submit, "", &card("4000002500003155")).await;
    let challenge = challenge.as_str().unwrap().trim_start_matches('/').to_owned();
    let (_, failed) = call(&sandbox, "POST", &challenge, "", &[("decision", "fail")]).await;
    assert!(failed.as_str().unwrap().contains("channel=card"), "failed: the page again, not {failed}");
    let (_, left) = call(&sandbox, "POST", &format!("{link}/cancel"), "", &[]).await;
    assert_eq!(left, "https://shop.example/left");
    let (_, done) = call(&sandbox, "POST", &submit, "", &card("4242424242424242")).await;
    let id = session["id"].as_str().unwrap();
    assert_eq!(done, format!("https://shop.example/done?session={id}"));
    let events: Vec<String> = sandbox.control().deliveries().into_iter().map(|sent| sent.event).collect();
    let failures = ["setup_intent.setup_failed"; 2];
    assert_eq!(events, [&failures[..], &["setup_intent.succeeded", "checkout.session.completed"]].concat());
}

#[tokio::test]
async fn wrong_requests_are_refused_in_the_gateways_words() {
    let sandbox = sandbox().await;
    let code =
        |answer: (u16, Value)| (answer.0, answer.1["error"]["code"].as_str().unwrap_or_default().to_owned());
    let refused = |status, code: &str| (status, code.to_owned());
    let sessions = "v1/checkout/sessions";
    let strange = [&SETUP[..], &[("colour", "red")]].concat();
    assert_eq!(
        code(call(&sandbox, "POST", sessions, "1", &strange).await),
        refused(400, "parameter_unknown")
    );
    let short = [&SETUP[..], &[("expires_at", "1780000000")]].concat();
    assert_eq!(code(call(&sandbox, "POST", sessions, "2", &short).await), refused(400, "parameter_invalid"));
    assert_eq!(
        code(call(&sandbox, "POST", sessions, "3", &SETUP[1..]).await),
        refused(400, "parameter_missing")
    );
    let nobody = [&SETUP[..], &[("customer", "cus_nobody")]].concat();
    assert_eq!(code(call(&sandbox, "POST", sessions, "4", &nobody).await), refused(400, "resource_missing"));
    assert_eq!(call(&sandbox, "POST", sessions, "5", &SETUP).await.0, 200);
    assert_eq!(code(call(&sandbox, "POST", sessions, "5", &nobody).await), refused(400, "idempotency_error"));
    assert_eq!(
        code(call(&sandbox, "GET", "v1/payment_methods/pm_x", "", &[]).await),
        refused(404, "resource_missing")
    );
    // The version of the API that this crate asks for has renamed it.
    let removed = [("payment_method_types[0]", "card")];
    assert_eq!(
        code(call(&sandbox, "POST", "v1/setup_intents", "6", &removed).await),
        refused(400, "parameter_unknown")
    );
    let renamed = [("allowed_payment_method_types[0]", "sepa_debit")];
    let (status, intent) = call(&sandbox, "POST", "v1/setup_intents", "7", &renamed).await;
    assert_eq!((status, &intent["payment_method_types"]), (200, &serde_json::json!(["sepa_debit"])));
}

/// What the gateway's own library says is never null.
#[tokio::test]
async fn answers_and_webhooks_have_what_they_always_have() {
    let sandbox = sandbox().await;
    let has = |object: &Value, fields: &[&str]| {
        let missing: Vec<_> = fields.iter().filter(|field| object[**field].is_null()).collect();
        assert!(missing.is_empty(), "{missing:?} in {object}");
    };
    let (_, customer) = call(&sandbox, "POST", "v1/customers", "c", &[]).await;
    has(&customer, &["balance", "created", "invoice_settings"]);
    let (_, session) = call(&sandbox, "POST", "v1/checkout/sessions", "k", &SETUP).await;
    let always = ["automatic_tax", "custom_fields", "custom_text", "shipping_options"];
    has(&session, &[&always[..], &["payment_method_types", "payment_status"]].concat());
    let complete = billfold_sandbox::CompleteSession::default();
    let method = sandbox.control().complete(session["id"].as_str().unwrap(), &complete).unwrap();
    has(&call(&sandbox, "GET", &format!("v1/payment_methods/{method}"), "", &[]).await.1, &["created"]);
    let intent = format!("v1/setup_intents/{}", session["setup_intent"].as_str().unwrap());
    has(&call(&sandbox, "GET", &intent, "", &[]).await.1, &["created"]);
    has(&sandbox.control().deliveries().pop().unwrap().data, &["api_version", "pending_webhooks"]);
}

/// The version of the API that this crate asks for has renamed the parameter of PaymentIntents too.
#[tokio::test]
async fn a_charge_names_its_type_as_the_gateway_does_now() {
    let sandbox = sandbox().await;
    let (_, customer) = call(&sandbox, "POST", "v1/customers", "c", &[]).await;
    let customer = customer["id"].as_str().unwrap();
    let fields = [&SETUP[..], &[("customer", customer)]].concat();
    let (_, session) = call(&sandbox, "POST", "v1/checkout/sessions", "k", &fields).await;
    let complete = billfold_sandbox::CompleteSession::default();
    let method = sandbox.control().complete(session["id"].as_str().unwrap(), &complete).unwrap();
    let charge = [
        ("amount", "1099"),
        ("currency", "eur"),
        ("customer", customer),
        ("payment_method", &method),
        ("confirm", "true"),
    ];
    let old = [&charge[..], &[("payment_method_types[0]", "card")]].concat();
    let (status, answer) = call(&sandbox, "POST", "v1/payment_intents", "1", &old).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &"parameter_unknown".into()));
    let new = [&charge[..], &[("allowed_payment_method_types[0]", "card")]].concat();
    let (status, paid) = call(&sandbox, "POST", "v1/payment_intents", "2", &new).await;
    assert_eq!((status, &paid["confirmation_method"]), (200, &"automatic".into()), "{paid}");
    let refund = [("payment_intent", paid["id"].as_str().unwrap())];
    assert_eq!(call(&sandbox, "POST", "v1/refunds", "3", &refund).await.0, 200);
    let told = sandbox.control().deliveries().pop().unwrap().data["data"]["object"].clone();
    for always in
        ["amount_captured", "billing_details", "captured", "created", "disputed", "livemode", "paid"]
    {
        assert!(!told[always].is_null(), "{always} in {told}");
    }
}

/// The bank replaced the card: the webhook names the method, and the gateway's answer shows the new date.
#[tokio::test]
async fn a_replaced_card_is_seen() {
    use billfold_core::provider::{CallContext, TokenRef};
    let sandbox = sandbox().await;
    let (_, customer) = call(&sandbox, "POST", "v1/customers", "c", &[("name", "Lorem")]).await;
    let fields = [&SETUP[..], &[("customer", customer["id"].as_str().unwrap())]].concat();
    let (_, session) = call(&sandbox, "POST", "v1/checkout/sessions", "k", &fields).await;
    let complete = billfold_sandbox::CompleteSession::default();
    let method = sandbox.control().complete(session["id"].as_str().unwrap(), &complete).unwrap();
    assert!(sandbox.control().set_token_status(&method, "updated", None));
    let sent = sandbox.control().deliveries().pop().unwrap();
    assert_eq!(sent.event, "payment_method.updated");
    assert_eq!(sent.data["data"]["object"]["id"], method.as_str());
    let provider = crate::contract::provider(&sandbox);
    let clock = std::sync::Arc::new(billfold_core::clock::SystemClock);
    let cx = CallContext::new(crate::support::transport(), clock, "main", "fetch");
    let seen = provider.fetch_method(&cx, TokenRef::new(method)).await.unwrap();
    assert_eq!(seen.display.expiry_year, Some(2040));
}

/// A customer's saved card, and the fields of a charge of it.
async fn saved(sandbox: &Sandbox, number: &str) -> Vec<(String, String)> {
    let (_, customer) = call(sandbox, "POST", "v1/customers", number, &[("name", "Lorem")]).await;
    let customer = customer["id"].as_str().unwrap().to_owned();
    let fields = [&SETUP[..], &[("customer", customer.as_str())]].concat();
    let (_, session) = call(sandbox, "POST", "v1/checkout/sessions", number, &fields).await;
    let card =
        billfold_sandbox::CompleteSession { card_number: Some(number.to_owned()), ..Default::default() };
    let method = sandbox.control().complete(session["id"].as_str().unwrap(), &card).unwrap();
    let fields = [
        ("amount", "1099"),
        ("currency", "eur"),
        ("customer", &customer),
        ("payment_method", &method),
        ("allowed_payment_method_types[0]", "card"),
        ("confirm", "true"),
        ("return_url", "https://shop.example/back"),
    ];
    fields.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec()
}

async fn charged(
    sandbox: &Sandbox,
    key: &str,
    fields: &[(String, String)],
    more: &[(&str, &str)],
) -> (u16, Value) {
    let mut all: Vec<(&str, &str)> =
        fields.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    all.retain(|(key, _)| more.iter().all(|(other, _)| other != key));
    all.extend(more);
    call(sandbox, "POST", "v1/payment_intents", key, &all).await
}

#[tokio::test]
async fn test_cards_and_amounts_decide_what_becomes_of_a_charge() {
    let sandbox = sandbox().await;
    let good = saved(&sandbox, "4242424242424242").await;
    let (status, paid) = charged(&sandbox, "1", &good, &[]).await;
    assert_eq!((status, &paid["status"], &paid["amount_received"]), (200, &"succeeded".into(), &1099.into()));
    assert_eq!(charged(&sandbox, "1", &good, &[]).await.1["id"], paid["id"], "one charge for each key");
    let (status, poor) = charged(&sandbox, "2", &good, &[("amount", "4002")]).await;
    assert_eq!((status, &poor["error"]["decline_code"]), (402, &"insufficient_funds".into()));
    assert_eq!(poor["error"]["payment_intent"]["status"], "requires_payment_method");
    let (_, asks) = charged(&sandbox, "3", &good, &[("amount", "4003")]).await;
    assert_eq!(asks["status"], "requires_action");
    let never = saved(&sandbox, "4000000000000341").await;
    assert_eq!(charged(&sandbox, "4", &never, &[]).await.1["error"]["code"], "card_declined");
    let always = saved(&sandbox, "4000002760003184").await;
    let (status, alone) = charged(&sandbox, "5", &always, &[("off_session", "true")]).await;
    assert_eq!((status, &alone["error"]["code"]), (402, &"authentication_required".into()));
    assert_eq!(sandbox.control().charges().len(), 5);
}

#[tokio::test]
async fn the_customer_confirms_a_charge_on_a_page() {
    let sandbox = sandbox().await;
    let fields = saved(&sandbox, "4000002760003184").await;
    for (key, decision, status) in [("1", "approve", "succeeded"), ("2", "fail", "requires_payment_method")] {
        let (_, asks) = charged(&sandbox, key, &fields, &[]).await;
        let page = asks["next_action"]["redirect_to_url"]["url"].as_str().unwrap();
        let path = page.strip_prefix(sandbox.base_url().as_str()).unwrap();
        let (_, back) = call(&sandbox, "POST", path, "", &[("decision", decision)]).await;
        let back: url::Url = back.as_str().unwrap().parse().unwrap();
        let told: std::collections::BTreeMap<_, _> = back.query_pairs().into_owned().collect();
        assert_eq!(told["payment_intent"], asks["id"].as_str().unwrap());
        assert_eq!(told["redirect_status"], if decision == "approve" { "succeeded" } else { "failed" });
        let path = format!("v1/payment_intents/{}", asks["id"].as_str().unwrap());
        assert_eq!(call(&sandbox, "GET", &path, "", &[]).await.1["status"], status);
    }
    let sent: Vec<String> = sandbox.control().deliveries().into_iter().map(|sent| sent.event).collect();
    let ends = ["requires_action", "succeeded", "requires_action", "payment_failed"];
    assert!(sent.ends_with(&ends.map(|end| format!("payment_intent.{end}"))), "{sent:?}");
}
