//! The control API: the same functions as Rust methods and, below `/_sandbox/`, over HTTP.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::delivery::{Channel, Delivery, WireWebhook};
use crate::fault::FaultOrder;
use crate::record::RecordedRequest;
use crate::server::World;
use crate::{Kind, delivery, stripe, xendit};

/// Plays the customer and the gateway's operator. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SandboxControl {
    world: Arc<World>,
}

/// What the customer saves.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CompleteSession {
    /// The channel, or type of payment method; the first that the session offers when left out.
    pub channel_code: Option<String>,
    /// A test card's number, or the account number of a bank debit.
    pub card_number: Option<String>,
    /// The token's status; `ACTIVE` when left out.
    pub token_status: Option<String>,
}

impl SandboxControl {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    fn gateway(&self) -> Kind {
        self.world.config.gateway
    }

    /// Every request that the API received, oldest first.
    pub fn requests(&self) -> Vec<RecordedRequest> {
        self.world.with(|state, _| state.requests.clone())
    }

    /// Forgets the requests.
    pub fn clear_requests(&self) {
        self.world.with(|state, _| state.requests.clear());
    }

    /// Where webhooks go from now on, and the token that they carry.
    pub fn set_webhook(&self, url: Option<Url>, callback_token: Option<&str>) {
        self.world.with(|state, _| {
            state.webhook_url = url;
            if let Some(token) = callback_token {
                state.callback_token = Some(SecretString::from(token));
            }
        });
    }

    /// How the webhook channel treats what comes from now on.
    pub fn set_channel(&self, channel: Channel) {
        self.world.with(|state, _| state.outbox.channel = channel);
    }

    /// Sends everything that was held back.
    pub fn release(&self) {
        self.world.with(|state, _| state.outbox.release());
    }

    /// Every webhook, oldest first.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.world.with(|state, _| state.outbox.deliveries.clone())
    }

    /// A webhook as it would be sent now, proven by `secret` or else by the gateway's own.
    pub fn wire(&self, delivery: &Delivery, secret: Option<&str>) -> WireWebhook {
        let own = || self.world.with(|state, _| state.callback_token.clone()).unwrap_or_default();
        let secret = secret.map_or_else(own, SecretString::from);
        delivery::wire(self.gateway(), delivery, &secret, self.world.now())
    }

    /// Sends a webhook again; `false` when there is no such one.
    pub fn resend(&self, id: u64) -> bool {
        self.world.with(|state, now| state.outbox.resend(id, now))
    }

    /// The dashboard's "Test & Save": an event about a session that nobody knows. With `with_id` it
    /// calls the session `id` instead of `payment_session_id`, as the real one mostly does.
    pub fn send_test_webhook(&self, with_id: bool) {
        if self.gateway() == Kind::Stripe {
            let object = json!({"id": "cs_test_nobody", "object": "checkout.session", "status": "complete"});
            return self.send_webhook("checkout.session.completed", &object);
        }
        let field = if with_id { "id" } else { "payment_session_id" };
        let data = json!({
            field: "ps-579c8d61f23fa4ca35e52da4", "allowed_payment_channels": ["CARD", "OVO", "DANA"], "amount": 100_000,
            "country": "ID", "currency": "IDR", "mode": "PAYMENT_LINK", "reference_id": "test_session",
            "session_type": "SAVE", "status": "COMPLETED",
        });
        let business = Some("5781d19b2e2385880609791c".to_owned());
        self.world.with(|state, now| state.outbox.push("payment_session.completed", &data, business, now));
    }

    /// Sends any webhook.
    pub fn send_webhook(&self, event: &str, data: &Value) {
        let business = Some(self.world.config.business_id.clone());
        self.world.with(|state, now| match self.gateway() {
            Kind::Xendit => state.outbox.push(event, data, business, now),
            Kind::Stripe => stripe::push(state, event, data, now),
        });
    }

    /// Orders a fault.
    pub fn order(&self, order: FaultOrder) {
        self.world.with(|state, _| state.faults.push(order));
    }

    /// Forgets the faults that did not happen yet.
    pub fn clear_faults(&self) {
        self.world.with(|state, _| state.faults.clear());
    }

    /// The customer saves a payment method; says the token's id, `None` when the session is not open
    /// or does not offer the channel.
    pub fn complete(&self, session: &str, complete: &CompleteSession) -> Option<String> {
        let number = complete.card_number.as_deref();
        if self.gateway() == Kind::Stripe {
            return stripe::complete(&self.world, session, complete.channel_code.as_deref(), number);
        }
        let choice = complete.channel_code.as_deref().map(|code| (code, number));
        let choice = choice.or(number.map(|number| ("CARDS", Some(number))));
        xendit::complete_session(&self.world, session, None, choice, complete.token_status.as_deref())
    }

    /// One attempt fails; the session stays open. `false` when it is not open.
    pub fn fail(&self, session: &str, failure_code: &str) -> bool {
        match self.gateway() {
            Kind::Xendit => xendit::decline_session(&self.world, session, failure_code),
            Kind::Stripe => stripe::decline(&self.world, session, failure_code),
        }
    }

    /// The session's time is up. `false` when there is no such session.
    pub fn expire(&self, session: &str) -> bool {
        let found = self.world.with(|state, now| match self.gateway() {
            Kind::Xendit => state.xendit.expire_at(session, now),
            Kind::Stripe => state.stripe.expire_at(session, now),
        });
        self.world.expire_sessions();
        found
    }

    /// Sessions created from now on are completed, and their webhooks sent, before the answer to
    /// the creating call is.
    pub fn complete_on_create(&self, on: bool) {
        self.world.with(|state, _| {
            state.xendit.complete_on_create = on;
            state.stripe.complete_on_create = on;
        });
    }

    /// Every session as the API shows it, oldest first.
    pub fn sessions(&self) -> Vec<Value> {
        self.world.with(|state, _| match self.gateway() {
            Kind::Xendit => {
                state.xendit.sessions.iter().map(|session| session.object.clone().into()).collect()
            }
            Kind::Stripe => state.stripe.shown_sessions(),
        })
    }

    /// Every token as the API shows it, oldest first.
    pub fn tokens(&self) -> Vec<Value> {
        self.world.with(|state, _| match self.gateway() {
            Kind::Xendit => state.xendit.tokens.iter().map(|(_, token)| token.clone().into()).collect(),
            Kind::Stripe => state.stripe.methods.clone(),
        })
    }

    /// Puts a token into a status (Stripe's know `detached` and `updated`) and sends the webhook for it, if there is one. `false` when there is no
    /// such token.
    pub fn set_token_status(&self, token: &str, status: &str, failure_code: Option<&str>) -> bool {
        match self.gateway() {
            Kind::Xendit => xendit::set_token_status(&self.world, token, status, failure_code),
            Kind::Stripe => stripe::set_method_status(&self.world, token, status),
        }
    }

    /// Moves the sandbox's clock forward; what becomes due happens.
    pub fn advance(&self, seconds: u32) {
        self.world.advance(seconds);
    }
}

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/_sandbox/requests", get(requests).delete(clear_requests))
        .route("/_sandbox/webhook", put(set_webhook))
        .route("/_sandbox/webhook/test", post(test_webhook))
        .route("/_sandbox/channel", put(set_channel))
        .route("/_sandbox/channel/release", post(release))
        .route("/_sandbox/deliveries", get(deliveries))
        .route("/_sandbox/deliveries/{id}/resend", post(resend))
        .route("/_sandbox/faults", post(order).delete(clear_faults))
        .route("/_sandbox/behaviour", put(behaviour))
        .route("/_sandbox/sessions", get(sessions))
        .route("/_sandbox/sessions/{id}/complete", post(complete))
        .route("/_sandbox/sessions/{id}/fail", post(fail))
        .route("/_sandbox/sessions/{id}/expire", post(expire))
        .route("/_sandbox/tokens", get(tokens))
        .route("/_sandbox/tokens/{id}/status", post(token_status))
        .route("/_sandbox/clock/advance", post(advance))
}

fn control(world: Arc<World>) -> SandboxControl {
    SandboxControl { world }
}

fn done(found: bool) -> Response {
    if found { StatusCode::NO_CONTENT.into_response() } else { StatusCode::NOT_FOUND.into_response() }
}

async fn requests(State(world): State<Arc<World>>) -> Response {
    Json(control(world).requests()).into_response()
}

async fn clear_requests(State(world): State<Arc<World>>) -> Response {
    control(world).clear_requests();
    done(true)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Webhook {
    url: Option<Url>,
    callback_token: Option<String>,
}

async fn set_webhook(State(world): State<Arc<World>>, Json(webhook): Json<Webhook>) -> Response {
    control(world).set_webhook(webhook.url, webhook.callback_token.as_deref());
    done(true)
}

async fn test_webhook(State(world): State<Arc<World>>) -> Response {
    let control = control(world);
    control.send_test_webhook(true);
    control.send_test_webhook(false);
    done(true)
}

async fn set_channel(State(world): State<Arc<World>>, Json(channel): Json<Channel>) -> Response {
    control(world).set_channel(channel);
    done(true)
}

async fn release(State(world): State<Arc<World>>) -> Response {
    control(world).release();
    done(true)
}

async fn deliveries(State(world): State<Arc<World>>) -> Response {
    Json(control(world).deliveries()).into_response()
}

async fn resend(State(world): State<Arc<World>>, Path(id): Path<u64>) -> Response {
    done(control(world).resend(id))
}

async fn order(State(world): State<Arc<World>>, Json(order): Json<FaultOrder>) -> Response {
    control(world).order(order);
    done(true)
}

async fn clear_faults(State(world): State<Arc<World>>) -> Response {
    control(world).clear_faults();
    done(true)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Behaviour {
    complete_on_create: bool,
}

async fn behaviour(State(world): State<Arc<World>>, Json(behaviour): Json<Behaviour>) -> Response {
    control(world).complete_on_create(behaviour.complete_on_create);
    done(true)
}

async fn sessions(State(world): State<Arc<World>>) -> Response {
    Json(control(world).sessions()).into_response()
}

async fn complete(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Json(complete): Json<CompleteSession>,
) -> Response {
    match control(world).complete(&id, &complete) {
        Some(token) => Json(json!({"payment_token_id": token})).into_response(),
        None => done(false),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Fail {
    failure_code: String,
}

async fn fail(State(world): State<Arc<World>>, Path(id): Path<String>, Json(fail): Json<Fail>) -> Response {
    done(control(world).fail(&id, &fail.failure_code))
}

async fn expire(State(world): State<Arc<World>>, Path(id): Path<String>) -> Response {
    done(control(world).expire(&id))
}

async fn tokens(State(world): State<Arc<World>>) -> Response {
    Json(control(world).tokens()).into_response()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenStatus {
    status: String,
    failure_code: Option<String>,
}

async fn token_status(
    State(world): State<Arc<World>>,
    Path(id): Path<String>,
    Json(wanted): Json<TokenStatus>,
) -> Response {
    done(control(world).set_token_status(&id, &wanted.status, wanted.failure_code.as_deref()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    seconds: u32,
}

async fn advance(State(world): State<Arc<World>>, Json(by): Json<Advance>) -> Response {
    control(world).advance(by.seconds);
    done(true)
}
