//! A sandbox, a client of its API, and the requests that tests begin with.

use std::time::Duration;

use base64::Engine as _;
use billfold_sandbox::{CompleteSession, Sandbox, SandboxConfig, SandboxControl};
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

pub(crate) const KEY: &str = "xnd_development_CANARY-key";
pub(crate) const CALLBACK_TOKEN: &str = "CANARY-callback-token";
pub(crate) const BUSINESS: &str = "64aa00000000000000000001";
pub(crate) const SUCCESS_URL: &str = "https://shop.example/saved";
pub(crate) const CANCEL_URL: &str = "https://shop.example/gave-up";

/// The version header of the token endpoints.
pub(crate) const TOKENS: (&str, &str) = ("api-version", "2024-11-11");

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) http: reqwest::Client,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// The body if it is JSON, else null.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// An error of the gateway's form.
    pub(crate) fn assert_error(&self, status: u16, code: &str, what: &str) {
        assert_eq!((self.status, self.body["error_code"].as_str()), (status, Some(code)), "{what}: {self:?}");
        assert!(self.body["message"].as_str().is_some_and(|message| !message.is_empty()), "{what}");
        let fields: Vec<_> = self.body.as_object().unwrap().keys().map(String::as_str).collect();
        assert!(fields.iter().all(|field| ["error_code", "errors", "message"].contains(field)), "{fields:?}");
    }

    pub(crate) fn ok(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        self.body
    }
}

pub(crate) fn config() -> SandboxConfig {
    SandboxConfig {
        secret_key: KEY.into(),
        callback_token: CALLBACK_TOKEN.into(),
        business_id: BUSINESS.to_owned(),
        retry_scale: 1,
        ..SandboxConfig::default()
    }
}

pub(crate) fn basic(key: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{key}:")))
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(config()).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::start(config).await.unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        Self { sandbox, http: http.build().unwrap() }
    }

    pub(crate) fn control(&self) -> SandboxControl {
        self.sandbox.control()
    }

    /// A request without authentication.
    pub(crate) fn bare(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let url = self.sandbox.base_url().join(path).unwrap();
        self.http.request(method.parse().unwrap(), url)
    }

    /// A request of a client that has the key.
    pub(crate) fn call(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.bare(method, path).header("authorization", basic(KEY))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        send(self.call("GET", path)).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        send(self.call("POST", path).json(body)).await
    }

    pub(crate) async fn token(&self, id: &str) -> Answer {
        send(self.call("GET", &format!("/v3/payment_tokens/{id}")).header(TOKENS.0, TOKENS.1)).await
    }

    pub(crate) async fn cancel_token(&self, id: &str) -> Answer {
        send(self.call("POST", &format!("/v3/payment_tokens/{id}/cancel")).header(TOKENS.0, TOKENS.1)).await
    }

    /// A new session, as the API shows it.
    pub(crate) async fn create(&self, changes: &Value) -> Value {
        self.post("/sessions", &body(changes)).await.ok(201)
    }

    pub(crate) async fn status(&self, session: &Value) -> String {
        let found = self.get(&format!("/sessions/{}", id(session))).await.ok(200);
        found["status"].as_str().unwrap().to_owned()
    }

    /// A new session that was completed like this, and its token's id.
    pub(crate) async fn completed(&self, complete: &CompleteSession) -> (Value, String) {
        let session = self.create(&json!({})).await;
        let token = self.control().complete(&id(&session), complete).unwrap();
        (session, token)
    }
}

pub(crate) async fn send(request: reqwest::RequestBuilder) -> Answer {
    let answer = request.send().await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let text = answer.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_default();
    Answer { status, headers, text, body }
}

pub(crate) fn id(session: &Value) -> String {
    session["payment_session_id"].as_str().unwrap().to_owned()
}

/// A request that is accepted, with these changes.
pub(crate) fn body(changes: &Value) -> Value {
    // A reference of its own, because the gateway refuses one that it has seen.
    let reference = uuid::Uuid::new_v4().to_string();
    let mut body = json!({
        "reference_id": reference, "session_type": "SAVE", "mode": "PAYMENT_LINK", "amount": 0, "currency": "IDR",
        "country": "ID", "success_return_url": SUCCESS_URL, "cancel_return_url": CANCEL_URL,
        "customer": {
            "reference_id": reference, "type": "INDIVIDUAL", "individual_detail": {"given_names": "Lorem"},
        },
        "channel_properties": {"cards": {"card_on_file_type": "CUSTOMER_UNSCHEDULED"}},
    });
    merge(&mut body, changes);
    body
}

/// Puts `changes` over `value`, objects member by member; the word "absent" takes away.
pub(crate) fn merge(value: &mut Value, changes: &Value) {
    let (Value::Object(changes), Value::Object(fields)) = (changes, &mut *value) else {
        *value = changes.clone();
        return;
    };
    for (key, change) in changes {
        if change == "absent" {
            fields.remove(key);
        } else {
            merge(fields.entry(key).or_insert(Value::Null), change);
        }
    }
}

/// Waits until it is so.
pub(crate) async fn eventually(what: &str, so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(so(), "in vain: {what}");
}
