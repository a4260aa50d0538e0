//! The control API: the same functions as Rust methods and, below `/_sandbox/`, over HTTP.

mod charges;

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
use crate::gateway::Gateway;
use crate::record::RecordedRequest;
use crate::server::World;

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
    /// The token's status; the one that tokens of this gateway begin with when left out.
    pub token_status: Option<String>,
}

impl SandboxControl {
    pub(crate) fn new(world: Arc<World>) -> Self {
        Self { world }
    }

    fn gateway(&self) -> &'static dyn Gateway {
        self.world.gateway()
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
        self.gateway().webhook(delivery, &secret, self.world.now())
    }

    /// Sends a webhook again; `false` when there is no such one.
    pub fn resend(&self, id: u64) -> bool {
        self.world.with(|state, now| state.outbox.resend(id, now))
    }

    /// The dashboard's test button: an event about a session that nobody knows; in its other form where the
    /// gateway has two.
    pub fn send_test_webhook(&self, other_form: bool) {
        self.gateway().push_test(&self.world, other_form);
    }

    /// Sends any webhook.
    pub fn send_webhook(&self, event: &str, data: &Value) {
        self.gateway().push(&self.world, event, data);
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
        self.gateway().complete(&self.world, session, complete)
    }

    /// One attempt fails; the session stays open. `false` when it is not open.
    pub fn fail(&self, session: &str, failure_code: &str) -> bool {
        self.gateway().decline(&self.world, session, failure_code)
    }

    /// The session's time is up. `false` when there is no such session.
    pub fn expire(&self, session: &str) -> bool {
        let found = self.world.with(|state, now| self.gateway().expire_at(state, session, now));
        self.world.pass_time();
        found
    }

    /// Sessions created from now on are completed, and their webhooks sent, before the answer to
    /// the creating call is.
    pub fn complete_on_create(&self, on: bool) {
        self.world.with(|state, _| self.gateway().complete_on_create(state, on));
    }

    /// Every session as the API shows it, oldest first.
    pub fn sessions(&self) -> Vec<Value> {
        self.world.with(|state, _| self.gateway().sessions(state))
    }

    /// Every token as the API shows it, oldest first.
    pub fn tokens(&self) -> Vec<Value> {
        self.world.with(|state, _| self.gateway().tokens(state))
    }

    /// The tokens that are not usable any more.
    pub fn gone_tokens(&self) -> Vec<Value> {
        self.tokens().into_iter().filter(|token| self.gateway().is_gone(token)).collect()
    }

    /// Puts a token into a status of the gateway's own and sends the webhook for it, if there is one. `false` when
    /// there is no such token or status.
    pub fn set_token_status(&self, token: &str, status: &str, failure_code: Option<&str>) -> bool {
        self.gateway().set_token_status(&self.world, token, status, failure_code)
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
        .merge(charges::routes())
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
    control.send_test_webhook(false);
    control.send_test_webhook(true);
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
