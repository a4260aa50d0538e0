//! The page: what the customer's browser does, and what comes of it. An embedded session has one too, in place of the
//! merchant's own; nothing but the control API names it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use url::Url;

use super::books::{Session, new_id};
use super::cards::{Bank, Chosen, SCHEME, TEST_CARDS, choose};
use super::{refuse, save};
use crate::page::page;
use crate::server::World;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/pay/{link}", get(show))
        .route("/pay/{link}/submit", post(submit))
        .route("/pay/{link}/challenge/{attempt}", get(challenge).post(decide))
        .route("/pay/{link}/cancel", post(leave))
        .route("/pay/{link}/expire", post(expire))
}

fn find(world: &World, link: &str) -> Option<Session> {
    world.pass_time();
    world.with(|state, _| state.books.adyen.session_by_link(link).cloned())
}

async fn show(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    match find(&world, &link) {
        Some(session) if session.is_open() => form(&session),
        Some(session) => over(&session),
        None => unknown(),
    }
}

async fn submit(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let Some(mut session) = find(&world, &link) else { return unknown() };
    if !session.is_open() {
        return over(&session);
    }
    let Some(chosen) = choose(fields.get("card-number").map(String::as_str).or(Some(""))) else {
        session.last_failure = Some("This is not one of the test cards below".to_owned());
        return form(&session);
    };
    match chosen.bank {
        Bank::Declines => {
            world.with(|state, now| refuse(state, session.text("id"), "Refused", now));
            Redirect::to(&format!("/pay/{link}")).into_response()
        }
        Bank::AsksTheCustomer => {
            let attempt = new_id(24);
            world.with(|state, _| {
                if let Some(session) = state.books.adyen.session_by_link(&link) {
                    session.challenges.insert(attempt.clone(), chosen);
                }
            });
            Redirect::to(&format!("/pay/{link}/challenge/{attempt}")).into_response()
        }
        Bank::Accepts => finish(&world, &session, &chosen),
    }
}

/// Saved: webhooks go out, and a hosted page sends the browser back.
fn finish(world: &World, session: &Session, chosen: &Chosen) -> Response {
    let saved = world.with(|state, now| save(state, session.text("id"), chosen, now));
    match find(world, &session.link) {
        Some(session) if saved.is_some() && session.is_hosted() => back(world, &session),
        Some(session) => over(&session),
        None => unknown(),
    }
}

/// To the return address, with the encrypted result of the session as it is now.
fn back(world: &World, session: &Session) -> Response {
    let result = world.with(|state, _| state.books.adyen.result(session.text("id")));
    to_the_shop(session, "sessionResult", &result.unwrap_or_default())
}

fn to_the_shop(session: &Session, name: &str, value: &str) -> Response {
    let Ok(mut address) = Url::parse(session.text("returnUrl")) else { return unknown() };
    address.query_pairs_mut().append_pair("sessionId", session.text("id")).append_pair(name, value);
    Redirect::to(address.as_str()).into_response()
}

async fn challenge(
    State(world): State<Arc<World>>,
    Path((link, attempt)): Path<(String, String)>,
) -> Response {
    let Some(session) = find(&world, &link) else { return unknown() };
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
    let Some(session) = find(&world, &link) else { return unknown() };
    let chosen = world.with(|state, _| {
        state.books.adyen.session_by_link(&link).and_then(|session| session.challenges.remove(&attempt))
    });
    let Some(chosen) = chosen.filter(|_| session.is_open()) else { return over(&session) };
    let approved = fields.get("decision").map(String::as_str) == Some("approve");
    if !session.is_hosted() {
        return redirected(&world, &session, approved.then_some(chosen));
    }
    if approved {
        return finish(&world, &session, &chosen);
    }
    world.with(|state, now| refuse(state, session.text("id"), "3D Not Authenticated", now));
    Redirect::to(&format!("/pay/{link}")).into_response()
}

/// The bank sends an embedded session's browser to the return address; the payment goes on when its result is
/// submitted.
fn redirected(world: &World, session: &Session, outcome: Option<Chosen>) -> Response {
    let result = format!("X6XtfGC3!{}", new_id(60));
    world.with(|state, _| {
        if let Some(session) = state.books.adyen.session_by_link(&session.link) {
            session.redirects.insert(result.clone(), outcome);
        }
    });
    to_the_shop(session, "redirectResult", &result)
}

async fn leave(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    find(&world, &link).map_or_else(unknown, |session| back(&world, &session))
}

async fn expire(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    world.with(|state, now| {
        if let Some(session) = state.books.adyen.session_by_link(&link) {
            session.expires_at = now;
        }
    });
    Redirect::to(&format!("/pay/{link}")).into_response()
}

fn form(session: &Session) -> Response {
    let body = html! {
        h1 { "Save a card" }
        p.sub { "It will be saved for later payments. Nothing is charged now." }
        @if let Some(problem) = &session.last_failure { p.error id="error" role="alert" { (problem) } }
        form method="post" action={ "/pay/" (session.link) "/submit" } {
            input type="hidden" name="channel" value=(SCHEME);
            label for="card-number" { "Card number" }
            input id="card-number" name="card-number" placeholder="4111 1111 1111 1111" autocomplete="off" required;
            button.primary type="submit" id="pay-submit" { "Save card" }
        }
        (footer(session))
        (test_cards())
    };
    page(StatusCode::OK, "Save a card", &body)
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

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", &html! { h1 { "There is no such payment page" } })
}
