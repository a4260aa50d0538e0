//! The hosted page: what the customer's browser does, and what comes of it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};

use super::books::{Session, new_id};
use super::cards::{Bank, TEST_CARDS, choose};
use super::{decline, push};
use crate::page::page;
use crate::server::World;

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/pay/{link}", get(show))
        .route("/pay/{link}/submit", post(submit))
        .route("/pay/{link}/challenge/{attempt}", get(challenge).post(decide))
        .route("/pay/{link}/cancel", post(give_up))
        .route("/pay/{link}/expire", post(expire))
}

fn find(world: &World, link: &str) -> Option<(Session, Vec<String>)> {
    world.pass_time();
    world.with(|state, _| {
        let session = state.books.stripe.session_by_link(link)?.clone();
        let types = state.books.stripe.types(session.text("id"));
        Some((session, types))
    })
}

fn name(kind: &str) -> &str {
    match kind {
        "card" => "Card",
        "sepa_debit" => "SEPA Direct Debit",
        "us_bank_account" => "US bank account",
        "bacs_debit" => "Bacs Direct Debit",
        "au_becs_debit" => "BECS Direct Debit",
        other => other,
    }
}

async fn show(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let Some((session, types)) = find(&world, &link) else { return unknown() };
    if !session.is_open() {
        return over(&session);
    }
    match query.get("channel").or_else(|| types.first().filter(|_| types.len() == 1)) {
        Some(kind) if types.contains(kind) => form(&session, kind),
        _ => chooser(&session, &types),
    }
}

async fn submit(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let Some((session, types)) = find(&world, &link) else { return unknown() };
    if !session.is_open() {
        return over(&session);
    }
    let field = |name: &str| fields.get(name).map(|value| value.trim()).unwrap_or_default();
    let kind = field("channel");
    if !types.iter().any(|known| known == kind) {
        return chooser(&session, &types);
    }
    let number = field(if kind == "card" { "card-number" } else { "account-number" });
    let id = session.text("id").to_owned();
    let Some(chosen) = choose(kind, Some(number)) else {
        let problem = "This is not one of the test cards below, nor an account number";
        return form(&Session { last_failure: Some(problem.to_owned()), ..session }, kind);
    };
    match chosen.bank {
        Bank::Declines => {
            decline(&world, &id, "card_declined");
            Redirect::to(&format!("/pay/{link}?channel={kind}")).into_response()
        }
        Bank::AsksTheCustomer => {
            let attempt = new_id("");
            world.with(|state, _| {
                if let Some(session) = state.books.stripe.session_by_link(&link) {
                    session.challenges.insert(attempt.clone(), chosen);
                }
            });
            Redirect::to(&format!("/pay/{link}/challenge/{attempt}")).into_response()
        }
        Bank::Accepts => finish(&world, &session, &chosen),
    }
}

/// Saved: webhooks go out, and the browser goes back.
fn finish(world: &World, session: &Session, chosen: &super::cards::Chosen) -> Response {
    let id = session.text("id");
    let saved = world.with(|state, now| {
        state.books.stripe.save(id, chosen)?;
        let intent = state.books.stripe.intent_of(id)?.clone();
        let object = state.books.stripe.session(id)?.object.clone();
        push(state, "setup_intent.succeeded", &intent, now);
        push(state, "checkout.session.completed", &object, now);
        Some(())
    });
    if saved.is_none() {
        return over(session);
    }
    let back = session.text("success_url").replace("{CHECKOUT_SESSION_ID}", id);
    Redirect::to(&back).into_response()
}

async fn challenge(
    State(world): State<Arc<World>>,
    Path((link, attempt)): Path<(String, String)>,
) -> Response {
    let Some((session, _)) = find(&world, &link) else { return unknown() };
    if !session.is_open() || !session.challenges.contains_key(&attempt) {
        return over(&session);
    }
    let body = html! {
        h1 { "Confirm with your bank" }
        p.sub { "Your bank asks whether it is really you." }
        form method="post" action={ "/pay/" (link) "/challenge/" (attempt) } {
            button.primary type="submit" id="approve" name="decision" value="approve" { "Approve" }
            button.danger type="submit" id="fail" name="decision" value="fail" { "Fail" }
        }
    };
    page(StatusCode::OK, "Confirm", &body)
}

async fn decide(
    State(world): State<Arc<World>>,
    Path((link, attempt)): Path<(String, String)>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let Some((session, _)) = find(&world, &link) else { return unknown() };
    let chosen = world.with(|state, _| {
        state.books.stripe.session_by_link(&link).and_then(|session| session.challenges.remove(&attempt))
    });
    let Some(chosen) = chosen.filter(|_| session.is_open()) else { return over(&session) };
    if fields.get("decision").map(String::as_str) == Some("approve") {
        return finish(&world, &session, &chosen);
    }
    decline(&world, session.text("id"), "setup_intent_authentication_failure");
    Redirect::to(&format!("/pay/{link}?channel={}", chosen.kind)).into_response()
}

async fn give_up(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    let Some((session, _)) = find(&world, &link) else { return unknown() };
    Redirect::to(session.text("cancel_url")).into_response()
}

async fn expire(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    world.with(|state, now| {
        if let Some(session) = state.books.stripe.session_by_link(&link) {
            session.expires_at = now;
        }
    });
    Redirect::to(&format!("/pay/{link}")).into_response()
}

fn chooser(session: &Session, types: &[String]) -> Response {
    let body = html! {
        h1 { "Save a payment method" }
        p.sub { "Choose how you want to pay from now on." }
        (failure(session))
        @for kind in types {
            a.channel id={ "channel-" (kind) } href={ "/pay/" (session.link) "?channel=" (kind) } { b { (name(kind)) } }
        }
        (footer(session))
    };
    page(StatusCode::OK, "Save a payment method", &body)
}

fn form(session: &Session, kind: &str) -> Response {
    let (field, label, example) = match kind {
        "card" => ("card-number", "Card number", "4242 4242 4242 4242"),
        _ => ("account-number", "Account number or IBAN", "DE89370400440532013000"),
    };
    let body = html! {
        h1 { (name(kind)) }
        p.sub { "It will be saved for later payments. Nothing is charged now." }
        (failure(session))
        form method="post" action={ "/pay/" (session.link) "/submit" } {
            input type="hidden" name="channel" value=(kind);
            label for=(field) { (label) }
            input id=(field) name=(field) placeholder=(example) autocomplete="off" required;
            button.primary type="submit" id="pay-submit" { "Save " (name(kind)) }
        }
        (footer(session))
        @if kind == "card" { (test_cards()) }
    };
    page(StatusCode::OK, name(kind), &body)
}

fn test_cards() -> Markup {
    html! {
        details {
            summary { "Test cards" }
            table {
                @for (number, brand, bank) in TEST_CARDS {
                    tr {
                        td { code { (number) } }
                        td { (brand) }
                        td {
                            @match bank {
                                Bank::Accepts => "saved at once",
                                Bank::AsksTheCustomer => "asks for confirmation",
                                Bank::Declines => "declined",
                            }
                        }
                    }
                }
            }
        }
    }
}

fn failure(session: &Session) -> Markup {
    html! { @if let Some(problem) = &session.last_failure { p.error id="error" role="alert" { (problem) } } }
}

fn footer(session: &Session) -> Markup {
    html! {
        form method="post" action={ "/pay/" (session.link) "/cancel" } {
            button.link type="submit" id="cancel" { "Cancel and go back" }
        }
        form method="post" action={ "/pay/" (session.link) "/expire" } {
            button.link type="submit" id="expire" { "Developer: let this session expire now" }
        }
    }
}

fn over(session: &Session) -> Response {
    let body = html! {
        h1 id="over" { "This session is " (session.text("status")) }
        p.sub { "Nothing more can be saved here." }
        form method="post" action={ "/pay/" (session.link) "/cancel" } {
            button.primary type="submit" id="cancel" { "Back to the shop" }
        }
    };
    page(StatusCode::OK, "Session over", &body)
}

pub(super) fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", &html! { h1 { "There is no such payment page" } })
}
