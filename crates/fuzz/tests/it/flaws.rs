//! Providers with a flaw, each of which its target sees.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::capability::Capabilities;
use billfold_core::provider::{
    CallContext, CreateSession, Deletion, ProviderMethod, ProviderMethodStatus, ProviderSession,
    ProviderSessionStatus, ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider,
    WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::{Error, ErrorKind, Result};
use billfold_fuzz::accounts::{STRIPE, XENDIT};
use billfold_fuzz::{answers, webhooks};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Nothing.
    None,
    /// Webhooks are believed without their proof.
    Gullible,
    /// Events have no key.
    Keyless,
    /// Only the time of a webhook's arrival tells events apart.
    Timely,
    /// Errors repeat the gateway's words.
    Talkative,
    /// A session is made up when the answer says nothing.
    Inventive,
    /// Ids go into paths as they are.
    Trusting,
    /// A session whose creation was answered unclearly is given up.
    Forgetful,
    /// Display data is handed on as it comes.
    Raw,
}

/// A provider with a flaw.
#[derive(Debug)]
struct Flawed(Arc<dyn TokenizationProvider>, Flaw);

impl Flawed {
    async fn ask(&self, cx: &CallContext, path: &str) -> Result<String> {
        let request = http::Request::builder().uri(format!("https://{}{path}", STRIPE.host));
        let response = cx.send(request.body(bytes::Bytes::new()).unwrap()).await?;
        Ok(String::from_utf8_lossy(response.body()).into_owned())
    }
}

#[async_trait]
impl TokenizationProvider for Flawed {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        self.0.validate(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        let made = self.0.create_session(cx, request).await;
        match self.1 {
            Flaw::Forgetful => made.map_err(|error| Error::new(error.kind(), error.message())),
            _ => made,
        }
    }

    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        match self.1 {
            Flaw::Talkative => {
                let words = self.ask(cx, "/v1/checkout/sessions/1").await?;
                Err(Error::new(ErrorKind::GatewayRejected, format!("the gateway says {words}")))
            }
            Flaw::Inventive => Ok(ProviderSession::new("cs_test_1", ProviderSessionStatus::Active)),
            Flaw::Trusting => {
                self.ask(cx, &format!("/v1/checkout/sessions/{}", session.reference)).await?;
                Err(Error::new(ErrorKind::GatewayRejected, "no"))
            }
            _ => self.0.fetch_session(cx, session).await,
        }
    }

    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession> {
        self.0.cancel_session(cx, session).await
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        self.0.read_return(request)
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        let read = self.0.read_webhook(delivery);
        match self.1 {
            Flaw::Gullible if read.is_err() => {
                Ok(WebhookBatch::new(self.capabilities().webhook_trust, Vec::new()))
            }
            Flaw::Keyless | Flaw::Timely => read.map(|mut batch| {
                for event in &mut batch.events {
                    event.dedupe_key =
                        if self.1 == Flaw::Timely { delivery.received_at.to_string() } else { String::new() };
                }
                batch
            }),
            _ => read,
        }
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        if self.1 != Flaw::Raw {
            return self.0.fetch_method(cx, token).await;
        }
        let said = self.ask(cx, "/v1/payment_methods/pm_1").await?;
        let kind = billfold_core::capability::MethodKind::Card;
        let mut method = ProviderMethod::new(token, kind, "card", ProviderMethodStatus::Active);
        method.display.brand = Some(said);
        Ok(method)
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        self.0.delete_method(cx, token).await
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        self.0.check(cx).await
    }
}

fn holds(check: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(check)).is_ok()
}

fn webhook(flaw: Flaw, input: &str) -> bool {
    let provider = Flawed(STRIPE.build(), flaw);
    holds(|| webhooks::check(STRIPE, &provider, input.as_bytes()))
}

fn answer(flaw: Flaw, input: &str) -> bool {
    let provider = Flawed(STRIPE.build(), flaw);
    holds(|| answers::check(STRIPE, &provider, input.as_bytes()))
}

#[test]
fn flawed_readers_of_webhooks_are_seen() {
    let event = r#"+{"id":"evt_1","type":"checkout.session.completed","data":{"object":{"id":"cs_test_1"}}}"#;
    let unsigned = "stripe-signature: t=1780000000,v1=00\n\n{}";
    for input in [event, unsigned] {
        assert!(webhook(Flaw::None, input));
        assert!(!webhook(Flaw::Gullible, input), "{input}");
    }
    assert!(!webhook(Flaw::Keyless, event));
    assert!(!webhook(Flaw::Timely, event));
}

/// One whose webhooks prove nothing of the body is seen to be gullible by the header alone.
#[test]
fn a_flawed_token_is_seen() {
    let input = b"x-callback-token: CANARY\n\n{\"event\":\"payment_session.completed\"}";
    assert!(holds(|| webhooks::check(XENDIT, XENDIT.build().as_ref(), input)));
    let gullible = Flawed(XENDIT.build(), Flaw::Gullible);
    assert!(!holds(|| webhooks::check(XENDIT, &gullible, input)));
}

#[test]
fn flawed_readers_of_answers_are_seen() {
    for (flaw, input) in [
        (Flaw::Talkative, "session cs_test_1\n%%\n400\n{\"error\":{}}"),
        (Flaw::Inventive, "session cs_test_1\n%%\n500\n"),
        (Flaw::Trusting, "session cs_test_1/../../customers\n%%\n200\n{}"),
        (Flaw::Forgetful, "create\n%%\n200\n{}"),
        (Flaw::Forgetful, "create"),
        (Flaw::Raw, "method pm_1\n%%\n200\n\u{1b}[31m"),
    ] {
        assert!(answer(Flaw::None, input), "{input}");
        assert!(!answer(flaw, input), "{flaw:?} is not seen with {input}");
    }
}
