//! What the contract's trials do not see: the page in the browser's own words, what it brings back, and the sandbox's
//! strictness.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::{Trust, Usage};
use billfold_core::clock::{Clock as _, SystemClock, Timestamp};
use billfold_core::provider::{
    CallContext, CreateSession, NextAction, ProviderSession, ProviderSessionStatus, ReturnRequest,
    SessionRef, TokenizationProvider, WebhookDelivery,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::transport::Transport as _;
use billfold_sandbox::{CompleteSession, Sandbox};
use http::{HeaderMap, HeaderValue};
use serde_json::{Value, json};
use url::Url;

use crate::support::{API_KEY, TOKEN_KEY, provider, sandbox, settings, transport};

const SESSION: &str = "ses_018f0000000070008000000000000001";
const OTHER: &str = "ses_018f0000000070008000000000000002";

/// A merchant's program and its customers' browsers.
struct Shop {
    sandbox: Sandbox,
    provider: Arc<dyn TokenizationProvider>,
}

impl Shop {
    async fn open() -> Self {
        let sandbox = sandbox().await;
        let provider = provider(settings(&sandbox, TOKEN_KEY));
        Self { sandbox, provider }
    }

    fn context(key: &str) -> CallContext {
        CallContext::new(transport(), Arc::new(SystemClock), "main", key)
    }

    /// Opens a session; says where its page is.
    async fn start(&self, reference: &str, flow: &str) -> Url {
        let back: Url = "https://pay.shop.example/return/1".parse().unwrap();
        let (currency, country) = ("EUR".parse().unwrap(), "NL".parse().unwrap());
        let until = SystemClock.now().plus(Duration::from_mins(10));
        let mut request = CreateSession::new(
            reference,
            "c",
            Usage::Recurring,
            currency,
            country,
            back.clone(),
            back,
            until,
        );
        request.provider_options = Some(json!({"flow": flow}));
        let made = self.provider.create_session(&Self::context(reference), request).await.unwrap();
        let sessions = self.sandbox.control().sessions();
        let page = sessions.last().unwrap()["page"].as_str().unwrap();
        let page = self.sandbox.base_url().join(page).unwrap();
        if let Some(NextAction::Redirect(url)) = made.next {
            assert_eq!(url.expose_secret(), page.as_str());
        }
        page
    }

    /// Sends a form of a page; says where it leads, or nowhere.
    async fn send(&self, page: &Url, path: &str, field: &str, value: &str) -> Option<Url> {
        let form = url::form_urlencoded::Serializer::new(String::new()).append_pair(field, value).finish();
        let request = http::Request::post(format!("{page}{path}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form.into())
            .unwrap();
        let answer = transport().send(request, Duration::from_secs(10)).await.unwrap();
        let location = answer.headers().get("location")?.to_str().unwrap();
        Some(page.join(location).unwrap())
    }

    async fn enter(&self, page: &Url, number: &str) -> Option<Url> {
        self.send(page, "/submit", "card-number", number).await
    }

    /// The browser comes to the return address with this.
    async fn come_back(&self, reference: &str, address: &Url) -> ProviderSession {
        let hint = self.provider.read_return(&ReturnRequest::new(address.query().unwrap_or_default()));
        assert!(hint.evidence.is_some(), "{address}");
        let mut session = SessionRef::new(reference);
        session.evidence = hint.evidence;
        self.provider.fetch_session(&Self::context(reference), session).await.unwrap()
    }

    fn events(&self) -> Vec<String> {
        self.sandbox.control().deliveries().into_iter().map(|sent| sent.event).collect()
    }
}

#[tokio::test]
async fn the_hosted_page_saves_declines_and_asks() {
    let shop = Shop::open().await;
    let page = shop.start(SESSION, "hosted").await;
    assert_eq!(
        shop.enter(&page, "4000 0000 0000 0002").await.as_ref(),
        Some(&page),
        "declined: the page again"
    );
    let challenge = shop.enter(&page, "5201 2815 0512 9736").await.unwrap();
    assert!(challenge.path().contains("/challenge/"), "{challenge}");
    assert_eq!(shop.send(&challenge, "", "decision", "fail").await.as_ref(), Some(&page), "the page again");
    assert_eq!(shop.enter(&page, "1234").await, None, "no such card: the page itself");
    let left = shop.send(&page, "/cancel", "", "").await.unwrap();
    assert!(left.as_str().starts_with("https://pay.shop.example/return/1?sessionId=CS"), "{left}");
    assert_eq!(
        shop.come_back(SESSION, &left).await.status,
        ProviderSessionStatus::Active,
        "they may come again"
    );
    let challenge = shop.enter(&page, "5201281505129736").await.unwrap();
    let back = shop.send(&challenge, "", "decision", "approve").await.unwrap();
    let saved = shop.come_back(SESSION, &back).await;
    assert_eq!((saved.status, saved.methods.len()), (ProviderSessionStatus::Completed, 1));
    assert_eq!(saved.methods[0].display.last4.as_deref(), Some("9736"));
    let refused = ["AUTHORISATION"; 2];
    assert_eq!(shop.events(), [&refused[..], &["AUTHORISATION", "recurring.token.created"]].concat());
}

#[tokio::test]
async fn too_many_refusals_end_a_session_and_its_result_says_so() {
    let shop = Shop::open().await;
    let page = shop.start(SESSION, "hosted").await;
    let (mut attempts, mut left) = (0, None);
    while attempts < 20 && shop.enter(&page, "4000000000000002").await.is_some() {
        attempts += 1;
        left = shop.send(&page, "/cancel", "", "").await;
    }
    assert!((1..20).contains(&attempts), "{attempts}");
    let session = shop.come_back(SESSION, &left.unwrap()).await;
    assert_eq!((session.status, session.methods.len()), (ProviderSessionStatus::Failed, 0));
}

#[tokio::test]
async fn time_ends_a_session_and_its_result_says_so() {
    let shop = Shop::open().await;
    let page = shop.start(SESSION, "hosted").await;
    shop.sandbox.control().advance(11 * 60);
    assert_eq!(shop.enter(&page, "4111111111111111").await, None, "over");
    let left = shop.send(&page, "/cancel", "", "").await.unwrap();
    assert_eq!(shop.come_back(SESSION, &left).await.status, ProviderSessionStatus::Expired);
    let asked = shop.provider.fetch_session(&Shop::context("k"), SessionRef::new(SESSION)).await.unwrap();
    assert_eq!(asked.status, ProviderSessionStatus::Active, "without a result nobody can tell");
}

/// The bank's page sends the browser to our address instead of the merchant's page: we finish what it began.
#[tokio::test]
async fn a_redirect_of_an_embedded_session_is_finished_here() {
    let shop = Shop::open().await;
    let page = shop.start(SESSION, "embedded").await;
    for (decision, status) in
        [("fail", ProviderSessionStatus::Active), ("approve", ProviderSessionStatus::Completed)]
    {
        let challenge = shop.enter(&page, "5201281505129736").await.unwrap();
        let back = shop.send(&challenge, "", "decision", decision).await.unwrap();
        assert!(back.query().unwrap().contains("redirectResult="), "{back}");
        assert_eq!(shop.sandbox.control().tokens().len(), 0, "nothing is saved yet");
        assert_eq!(shop.come_back(SESSION, &back).await.status, status, "{decision}");
        assert_eq!(shop.come_back(SESSION, &back).await.status, status, "{decision}, reloaded");
    }
    assert_eq!(shop.sandbox.control().tokens().len(), 1);
}

/// Two customers, one of whom brings the other's results.
#[tokio::test]
async fn nobody_is_given_what_another_session_did() {
    let shop = Shop::open().await;
    let page = shop.start(SESSION, "hosted").await;
    let back = shop.enter(&page, "4111111111111111").await.unwrap();
    let embedded = shop.start(OTHER, "embedded").await;
    let session = shop.come_back(OTHER, &back).await;
    assert_eq!((session.status, session.methods.len()), (ProviderSessionStatus::Active, 0));
    let challenge = shop.enter(&embedded, "5201281505129736").await.unwrap();
    let redirected = shop.send(&challenge, "", "decision", "approve").await.unwrap();
    let third = "ses_018f0000000070008000000000000003";
    let session = shop.come_back(third, &redirected).await;
    assert_eq!((session.status, session.methods.len()), (ProviderSessionStatus::Active, 0));
}

/// The card was replaced: the webhook names the method, and the gateway's list shows the new date.
#[tokio::test]
async fn a_replaced_card_is_seen() {
    let shop = Shop::open().await;
    shop.start(SESSION, "hosted").await;
    let control = shop.sandbox.control();
    let token = control.complete(SESSION, &CompleteSession::default()).unwrap();
    let asked = SessionRef::new(SESSION);
    let saved = shop.provider.fetch_session(&Shop::context("k"), asked).await.unwrap().methods.remove(0);
    assert_eq!(saved.display.expiry_year, Some(2034));
    assert!(control.set_token_status(&token, "updated", None));
    let sent = control.deliveries().pop().unwrap();
    assert_eq!(
        (sent.event.as_str(), &sent.data["data"]["storedPaymentMethodId"]),
        ("recurring.token.updated", &json!(token))
    );
    let seen = shop.provider.fetch_method(&Shop::context("k"), saved.token).await.unwrap();
    assert_eq!(seen.display.expiry_year, Some(2040));
}

/// A webhook as it left the gateway, read by the provider.
#[tokio::test]
async fn each_webhook_proves_itself_in_its_own_way_by_its_own_key() {
    let shop = Shop::open().await;
    shop.start(SESSION, "hosted").await;
    let control = shop.sandbox.control();
    control.complete(SESSION, &CompleteSession::default()).unwrap();
    control.send_test_webhook(false);
    control.send_test_webhook(true);
    let swapped = {
        let mut values = settings(&shop.sandbox, TOKEN_KEY);
        values["token_webhook_hmac_key"] = values["standard_webhook_hmac_key"].clone();
        values["standard_webhook_hmac_key"] = TOKEN_KEY.into();
        provider(values)
    };
    let mut trusts = Vec::new();
    for sent in control.deliveries() {
        let wire = control.wire(&sent, None);
        let headers = wire
            .headers
            .iter()
            .map(|(name, value)| ((*name).parse().unwrap(), HeaderValue::from_str(value).unwrap()));
        let headers: HeaderMap = headers.collect();
        let delivery = WebhookDelivery::new(wire.body.into(), headers, "", Timestamp::from_millis(0));
        assert!(swapped.read_webhook(&delivery).is_err(), "{} by the other's key", sent.event);
        let batch = shop.provider.read_webhook(&delivery).unwrap();
        assert_eq!(batch.acknowledge.body, if batch.trust == Trust::Hint { "[accepted]" } else { "" });
        trusts.push(batch.trust);
    }
    assert_eq!(trusts, [Trust::Hint, Trust::Signed, Trust::Hint, Trust::Signed]);
}

async fn call(sandbox: &Sandbox, method: &str, path: &str, key: &str, body: &Value) -> (u16, Value) {
    let url = sandbox.base_url().join(path).unwrap();
    let request = http::Request::builder().method(method).uri(url.as_str()).header("x-api-key", API_KEY);
    let request = request.header("idempotency-key", key).body(body.to_string().into()).unwrap();
    let answer = transport().send(request, Duration::from_secs(10)).await.unwrap();
    (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
}

#[tokio::test]
async fn wrong_requests_are_refused_in_the_gateways_words() {
    let sandbox = sandbox().await;
    let good = json!({"merchantAccount": "SandboxECOM", "amount": {"value": 0, "currency": "EUR"}, "reference": SESSION,
        "shopperReference": SESSION, "returnUrl": "https://shop.example/", "storePaymentMethodMode": "enabled",
        "recurringProcessingModel": "CardOnFile", "shopperInteraction": "Ecommerce"});
    for (number, (field, value, status, code)) in [
        ("colour", json!("red"), 422, "702"),
        ("merchantAccount", json!("OtherECOM"), 403, "901"),
        ("amount", Value::Null, 422, "138"),
        ("amount", json!({"value": 100, "currency": "EUR"}), 422, "702"),
        ("shopperReference", json!("ab"), 422, "702"),
        ("storePaymentMethodMode", json!("askForConsent"), 422, "702"),
        ("recurringProcessingModel", Value::Null, 422, "702"),
        ("expiresAt", json!("2020-01-01T00:00:00Z"), 422, "702"),
        ("expiresAt", json!("2999-01-01T00:00:00Z"), 422, "702"),
        ("metadata", json!({"a-key-of-21-characters": "v"}), 422, "178"),
        ("allowedPaymentMethods", json!(["ideal"]), 422, "702"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut wrong = good.clone();
        wrong[field] = value.clone();
        let (answered, body) = call(&sandbox, "POST", "v72/sessions", &format!("k{number}"), &wrong).await;
        assert_eq!((answered, body["errorCode"].as_str()), (status, Some(code)), "{field} {value}: {body}");
    }
    let (status, made) = call(&sandbox, "POST", "v72/sessions", "once", &good).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(call(&sandbox, "POST", "v72/sessions", "once", &good).await, (201, made.clone()));
    let mut other = good.clone();
    other["reference"] = OTHER.into();
    assert_eq!(call(&sandbox, "POST", "v72/sessions", "once", &other).await.1["errorCode"], "704");
    assert_eq!(call(&sandbox, "POST", "v72/sessions", &"k".repeat(65), &good).await.0, 422);
    let id = made["id"].as_str().unwrap();
    let invented = format!("v72/sessions/{id}?sessionResult=Ab02b4c0!invented");
    assert_eq!(call(&sandbox, "GET", &invented, "", &Value::Null).await.0, 422);
    let nobodys =
        format!("v72/storedPaymentMethods/B0B0?merchantAccount=SandboxECOM&shopperReference={SESSION}");
    assert_eq!(call(&sandbox, "DELETE", &nobodys, "", &Value::Null).await.1["errorCode"], "803");
    let requests = sandbox.control().requests();
    assert!(requests.iter().all(|request| request.headers["x-api-key"] == "(the right key)"), "{requests:?}");
}
