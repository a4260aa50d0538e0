//! A transport that gives prepared answers and keeps the requests, and what calls begin with.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::clock::SystemClock;
use billfold_core::provider::{CallContext, TokenizationProvider};
use billfold_core::transport::{Reached, Transport, TransportError};
use bytes::Bytes;
use serde_json::{Value, json};

pub(crate) const SESSION: &str = "ses_018f0000000070008000000000000001";
pub(crate) const TOKEN: &str = "M5N7TQ4TG5PFWR50";

/// Answers each request with the next of these; when none is left, the answer is lost.
#[derive(Debug, Default)]
pub(crate) struct Script {
    answers: Mutex<VecDeque<http::Response<Bytes>>>,
    seen: Mutex<Vec<http::Request<Bytes>>>,
}

#[async_trait]
impl Transport for Script {
    async fn send(
        &self,
        request: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        self.seen.lock().unwrap().push(request);
        let lost = || TransportError { reached: Reached::OutcomeUnknown, message: "timed out".to_owned() };
        self.answers.lock().unwrap().pop_front().ok_or_else(lost)
    }
}

impl Script {
    pub(crate) fn of(answers: impl IntoIterator<Item = (u16, Value)>) -> Arc<Self> {
        let script = Self::default();
        for (status, body) in answers {
            script.then(status, &[], &body.to_string());
        }
        Arc::new(script)
    }

    pub(crate) fn then(&self, status: u16, headers: &[(&str, &str)], body: &str) {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        self.answers.lock().unwrap().push_back(response.body(Bytes::from(body.to_owned())).unwrap());
    }

    /// The requests as text: all that was sent, the credentials aside.
    pub(crate) fn seen(&self) -> Vec<String> {
        let text = |request: &http::Request<Bytes>| {
            let mut lines = vec![format!("{} {}", request.method(), request.uri())];
            for (name, value) in request.headers() {
                let value = if value.is_sensitive() { "(sensitive)" } else { value.to_str().unwrap() };
                lines.push(format!("{name}: {value}"));
            }
            if let Ok(mut body) = serde_json::from_slice::<Value>(request.body()) {
                // Whether objects keep their order depends on what else is built.
                body.sort_all_objects();
                lines.push(serde_json::to_string_pretty(&body).unwrap());
            }
            lines.join("\n")
        };
        self.seen.lock().unwrap().iter().map(text).collect()
    }
}

pub(crate) fn context(script: &Arc<Script>) -> CallContext {
    CallContext::new(script.clone(), Arc::new(SystemClock), "main", SESSION)
}

/// The provider of an account in test mode at the gateway itself.
pub(crate) fn provider() -> Arc<dyn TokenizationProvider> {
    crate::support::provider(json!({
        "api_key": "AQEk", "merchant_account": "ShopECOM", "theme_id": "theme-1",
        "token_webhook_hmac_key": crate::support::TOKEN_KEY,
    }))
}

/// The session's list with these tokens.
pub(crate) fn list(tokens: &[&str]) -> Value {
    let card = |token: &&str| json!({"id": token, "type": "scheme", "brand": "visa", "lastFour": "1111"});
    let methods: Vec<Value> = tokens.iter().map(card).collect();
    json!({"merchantAccount": "ShopECOM", "shopperReference": SESSION, "storedPaymentMethods": methods})
}

/// A refusal in the gateway's words.
pub(crate) fn refusal(code: &str) -> Value {
    json!({"status": 422, "errorCode": code, "message": "CANARY", "errorType": "validation", "pspReference": "P1"})
}
