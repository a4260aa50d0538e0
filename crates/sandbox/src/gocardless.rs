//! GoCardless's sandbox: billing requests for mandates, their flows, mandates and the bank accounts behind them,
//! payments by mandates and refunds of them.
//!
//! Beyond what every gateway here does: a mandate is submitted to its bank after a day of the sandbox's clock and
//! active after three, and what happens at one moment is told in one delivery, as the real one batches its events.
//! Of the events about a billing request only those are sent that end it, or an exit.

mod api;
mod books;
mod error;
mod hosted;
mod lists;
mod mandates;
mod payments;
mod refunds;
mod validate;

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::Router;
use axum::http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use url::Url;

use crate::CompleteSession;
use crate::charging::{ChargePlay, Charging};
use crate::delivery::{Delivery, WireWebhook};
use crate::gateway::Gateway;
use crate::server::{SandboxState, World};
use crate::stage::{Offer, Purchase, Stage};
pub(crate) use books::Books;
use books::Entered;

/// GoCardless's sandbox.
#[derive(Debug)]
pub(crate) struct GoCardless;

static STAGE: Stage = Stage {
    provider: "gocardless",
    secret_key: "sandbox_billfold",
    webhook_secret: "gocardless-sandbox-secret",
    secret_prefix: "",
    country: "GB",
    currency: "GBP",
    creation: "/billing_requests",
    describes: true,
    purchases: &[Purchase::pay(1_990), Purchase::alone(499)],
    offers: &[
        Offer {
            id: "bank-debit",
            label: "a bank account",
            channels: &["bacs"],
            form: &[("branch-code", "200000"), ("account-number", "55779911")],
        },
        Offer {
            id: "other-bank-debit",
            label: "another bank account",
            channels: &["bacs"],
            form: &[("branch-code", "040004"), ("account-number", "31926819")],
        },
    ],
};

impl Gateway for GoCardless {
    fn stage(&self) -> &'static Stage {
        &STAGE
    }

    fn settings(&self, base_url: &Url, secret_key: &str, webhook_secret: &str) -> Map<String, Value> {
        let settings = [
            ("base_url", base_url.as_str()),
            ("access_token", secret_key),
            ("webhook_secret", webhook_secret),
        ];
        settings.map(|(key, value)| (key.to_owned(), value.into())).into_iter().collect()
    }

    fn api(&self, _: &Arc<World>) -> Router<Arc<World>> {
        api::routes()
    }

    fn pages(&self) -> Router<Arc<World>> {
        hosted::routes()
    }

    fn is_authorized(&self, world: &World, headers: &HeaderMap) -> bool {
        is_authorized(world, headers)
    }

    fn error(&self, code: &str, message: &str) -> Value {
        error::body(500, "gocardless", json!({"reason": code.to_lowercase(), "message": message}))
    }

    /// Every attempt has the same body and signature.
    fn webhook(&self, delivery: &Delivery, secret: &SecretString, _: i64) -> WireWebhook {
        let body = delivery.data.to_string().into_bytes();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        let signature = hex::encode(hmac::sign(&key, &body));
        let origin = "https://api-sandbox.gocardless.com".to_owned();
        WireWebhook { headers: vec![("webhook-signature", signature), ("origin", origin)], body }
    }

    fn push(&self, world: &World, event: &str, object: &Value) {
        let (kind, action) = event.split_once('.').unwrap_or((event, ""));
        let links = json!({kind.trim_end_matches('s'): object["id"]});
        world
            .with(|state, now| tell(state, &[happened(kind, action, &links, &object["metadata"], now)], now));
    }

    fn push_test(&self, world: &World, _: bool) {
        self.push(world, "billing_requests.fulfilled", &json!({"id": "BRQ0000NOBODY"}));
    }

    fn complete(&self, world: &World, session: &str, complete: &CompleteSession) -> Option<String> {
        world.with(|state, now| complete_in(state, session, complete, now))
    }

    /// The customer leaves the flow by its exit.
    fn decline(&self, world: &World, session: &str, _: &str) -> bool {
        world.with(|state, now| {
            let Some(request) = state.books.gocardless.request(session).filter(|it| books::is_open(it))
            else {
                return false;
            };
            let (links, metadata) = (json!({"billing_request": session}), request["metadata"].clone());
            tell(state, &[happened("billing_requests", "flow_exited", &links, &metadata, now)], now);
            true
        })
    }

    /// A billing request does not end by time; the links to its pages do.
    fn expire_at(&self, state: &mut SandboxState, session: &str, now: i64) -> bool {
        state.books.gocardless.expire_flows(session, now)
    }

    fn pass_time(&self, world: &World) {
        world.with(|state, now| {
            let books = &mut state.books.gocardless;
            let mut events = mandates::pass_time(books, now);
            events.extend(payments::pass_time(books, now));
            events.extend(refunds::pay(books, false, now));
            tell(state, &events, now);
        });
    }

    fn complete_on_create(&self, state: &mut SandboxState, on: bool) {
        state.books.gocardless.complete_on_create = on;
    }

    fn sessions(&self, state: &SandboxState) -> Vec<Value> {
        state.books.gocardless.shown_requests()
    }

    fn tokens(&self, state: &SandboxState) -> Vec<Value> {
        state.books.gocardless.mandates.iter().map(|mandate| mandate.object.clone()).collect()
    }

    /// `submitted`, `active`, `failed`, `cancelled`, `expired`, `consumed`, `blocked`, `suspended_by_payer`,
    /// `reinstated`; `transferred` to another account, or `replaced` by another mandate.
    fn set_token_status(&self, world: &World, token: &str, status: &str, _: Option<&str>) -> bool {
        world.with(|state, now| {
            let Some(events) = mandates::happen(&mut state.books.gocardless, token, status, now) else {
                return false;
            };
            tell(state, &events, now);
            true
        })
    }

    fn is_gone(&self, token: &Value) -> bool {
        token["status"].as_str().is_some_and(mandates::is_over)
    }

    fn charging(&self) -> Option<&'static dyn Charging> {
        Some(&Self)
    }
}

impl Charging for GoCardless {
    fn charges(&self, state: &SandboxState) -> Vec<Value> {
        state.books.gocardless.payments.iter().map(payments::Payment::shown).collect()
    }

    /// A decline is a cause of a failure, which then comes as soon as the payment is made.
    fn play(&self, state: &mut SandboxState, token: &str, play: ChargePlay) -> bool {
        let books = &mut state.books.gocardless;
        if !books.mandates.iter().any(|mandate| mandate.object["id"] == token) {
            return false;
        }
        books.plays.insert(token.to_owned(), play);
        true
    }

    /// Nobody is asked about a payment.
    fn act(&self, _: &World, _: &str, _: bool) -> Option<String> {
        None
    }

    fn finish(&self, world: &World, charge: &str, well: bool) -> bool {
        happens(world, charge, if well { "confirmed" } else { "failed" }, true)
    }

    /// `charged_back` (when nothing is said), `failed`, when the bank is late with its news, and
    /// `chargeback_cancelled`, which gives it back again.
    fn take_back(&self, world: &World, charge: &str, how: Option<&str>) -> bool {
        let how = how.unwrap_or("charged_back");
        ["charged_back", "failed", "chargeback_cancelled"].contains(&how)
            && happens(world, charge, how, false)
    }

    fn finish_refunds(&self, world: &World) {
        world.with(|state, now| {
            let events = refunds::pay(&mut state.books.gocardless, true, now);
            tell(state, &events, now);
        });
    }
}

/// Has something happen to a payment that is under way, or that is not any more.
fn happens(world: &World, charge: &str, action: &str, under_way: bool) -> bool {
    world.with(|state, now| {
        let books = &mut state.books.gocardless;
        if books.payment(charge).is_none_or(|payment| payment.is_under_way() != under_way) {
            return false;
        }
        let Some(events) = payments::happen(books, charge, action, now) else { return false };
        tell(state, &events, now);
        true
    })
}

/// `Bearer` with the access token.
fn is_authorized(world: &World, headers: &HeaderMap) -> bool {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    given.and_then(|value| value.strip_prefix("Bearer ")) == Some(world.config.secret_key.expose_secret())
}

/// The most events that are told in one delivery.
const MOST_EVENTS: usize = 250;

/// An event of a webhook.
fn happened(kind: &str, action: &str, links: &Value, metadata: &Value, now: i64) -> Value {
    let origin = if action == "cancelled" || action == "transferred" { "bank" } else { "gocardless" };
    let cause = format!("{}_{action}", kind.trim_end_matches('s'));
    json!({
        "id": books::new_id("EV"), "created_at": crate::clock::iso(now), "resource_type": kind, "action": action,
        "links": links, "details": {"origin": origin, "cause": cause, "description": "In the sandbox."},
        "metadata": {}, "resource_metadata": metadata,
    })
}

/// Sends what happened at one moment, many events in a delivery.
fn tell(state: &mut SandboxState, events: &[Value], now: i64) {
    state.books.gocardless.events.extend(events.iter().cloned());
    for batch in events.chunks(MOST_EVENTS) {
        let names: Vec<String> = batch.iter().map(name).collect();
        let body = json!({"events": batch, "meta": {"webhook_id": books::new_id("WB")}});
        state.outbox.push(&names.join(", "), &body, None, now);
    }
}

fn name(event: &Value) -> String {
    let text = |field: &str| event[field].as_str().unwrap_or_default().to_owned();
    format!("{}.{}", text("resource_type"), text("action"))
}

/// The customer goes through the pages; says the mandate.
fn complete_in(
    state: &mut SandboxState,
    session: &str,
    complete: &CompleteSession,
    now: i64,
) -> Option<String> {
    let entered = Entered {
        account_number: complete.card_number.clone().unwrap_or_else(|| "55779911".to_owned()),
        ..Entered::default()
    };
    let (mandate, mut events) = fulfil(state, session, complete.channel_code.as_deref(), &entered, now)?;
    if let Some(status) = &complete.token_status {
        events.extend(mandates::happen(&mut state.books.gocardless, &mandate, &status.to_lowercase(), now)?);
    }
    tell(state, &events, now);
    Some(mandate)
}

/// Fulfils an open billing request; says its mandate and what there is to tell.
fn fulfil(
    state: &mut SandboxState,
    session: &str,
    scheme: Option<&str>,
    entered: &Entered,
    now: i64,
) -> Option<(String, Vec<Value>)> {
    let books = &mut state.books.gocardless;
    let mandate = books.fulfil(session, scheme, entered, now)?;
    let request = books.request(session)?;
    let links = json!({
        "billing_request": session, "mandate_request_mandate": mandate, "customer": request["links"]["customer"],
    });
    let metadata = request["metadata"].clone();
    let fulfilled = happened("billing_requests", "fulfilled", &links, &metadata, now);
    let created = mandates::event(books, &mandate, "created", now)?;
    Some((mandate, vec![fulfilled, created]))
}
