//! The hosted pages: the customer's details and bank account, and a confirmation of both.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde_json::Value;
use url::Url;

use super::books::{Entered, Flow, is_open, new_id};
use super::{fulfil, tell};
use crate::gateway::Gateway as _;
use crate::page::page;
use crate::server::World;

pub(crate) fn routes() -> Router<Arc<World>> {
    Router::new()
        .route("/flow/{link}", get(show))
        .route("/flow/{link}/submit", post(submit))
        .route("/flow/{link}/challenge/{attempt}", get(confirm).post(decide))
        .route("/flow/{link}/exit", post(exit))
}

/// A flow with its billing request.
struct Visit {
    flow: Flow,
    request: Value,
    /// The names that the gateway knows, or was given beforehand.
    names: [String; 2],
    open: bool,
}

fn visit(world: &World, link: &str) -> Option<Visit> {
    world.pass_time();
    world.with(|state, now| {
        let books = &mut state.books.gocardless;
        let flow = books.flow_by_link(link)?.clone();
        let request = books.request(flow.billing_request())?.clone();
        let customer = request["links"]["customer"].as_str().and_then(|id| books.customer(id));
        let known = customer.unwrap_or(&flow.object["prefilled_customer"]);
        let names =
            ["given_name", "family_name"].map(|name| known[name].as_str().unwrap_or_default().to_owned());
        let open = is_open(&request) && flow.expires_at > now;
        Some(Visit { flow, request, names, open })
    })
}

async fn show(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    match visit(&world, &link) {
        None => unknown(),
        Some(visit) if !visit.open => over(&visit),
        Some(visit) => form(&visit, visit.flow.problem.as_deref()),
    }
}

async fn submit(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let Some(visit) = visit(&world, &link) else { return unknown() };
    if !visit.open {
        return over(&visit);
    }
    let field = |name: &str| fields.get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
    let plain = |name: &str| field(name).replace([' ', '-'], "");
    let [given, family] = &visit.names;
    let or_known = |name: &str, known: &str| {
        Some(field(name)).filter(|it| !it.is_empty()).unwrap_or_else(|| known.to_owned())
    };
    let (given, family) = (or_known("given-name", given), or_known("family-name", family));
    let number = plain("account-number");
    let good = (6..=34).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let problem = match (given.is_empty() || family.is_empty(), good) {
        (true, _) => "Your name is needed.",
        (_, false) => "This is not an account number.",
        _ => {
            let attempt = new_id("");
            let entered = Entered {
                given_name: Some(given),
                family_name: Some(family),
                branch_code: plain("branch-code"),
                account_number: number,
            };
            world.with(|state, _| {
                if let Some(flow) = state.books.gocardless.flow_by_link(&link) {
                    flow.problem = None;
                    flow.attempts.insert(attempt.clone(), entered);
                }
            });
            return Redirect::to(&format!("/flow/{link}/challenge/{attempt}")).into_response();
        }
    };
    world.with(|state, _| {
        if let Some(flow) = state.books.gocardless.flow_by_link(&link) {
            flow.problem = Some(problem.to_owned());
        }
    });
    Redirect::to(&format!("/flow/{link}")).into_response()
}

async fn confirm(State(world): State<Arc<World>>, Path((link, attempt)): Path<(String, String)>) -> Response {
    let Some(visit) = visit(&world, &link) else { return unknown() };
    let Some(entered) = visit.flow.attempts.get(&attempt).filter(|_| visit.open) else { return over(&visit) };
    let names = [&entered.given_name, &entered.family_name].map(|name| name.as_deref().unwrap_or_default());
    let body = html! {
        h1 { "Confirm your details" }
        p.sub { "You allow this merchant to collect payments by " (scheme(&visit.request)) "." }
        table {
            tr { td { "Name" } td { (names.join(" ")) } }
            @if !entered.branch_code.is_empty() { tr { td { "Bank" } td { code { (entered.branch_code) } } } }
            tr { td { "Account" } td { code { (entered.account_number) } } }
        }
        form method="post" action={ "/flow/" (link) "/challenge/" (attempt) } {
            button.primary type="submit" id="approve" name="decision" value="approve" { "Confirm" }
            button.link type="submit" id="fail" name="decision" value="fail" { "Change the details" }
        }
        (footer(&visit))
    };
    page(StatusCode::OK, "Confirm", &body)
}

async fn decide(
    State(world): State<Arc<World>>,
    Path((link, attempt)): Path<(String, String)>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let Some(visit) = visit(&world, &link) else { return unknown() };
    if fields.get("decision").map(String::as_str) != Some("approve") {
        return Redirect::to(&format!("/flow/{link}")).into_response();
    }
    let Some(entered) = visit.flow.attempts.get(&attempt).filter(|_| visit.open) else { return over(&visit) };
    let done = world.with(|state, now| {
        let (_, events) = fulfil(state, visit.flow.billing_request(), None, entered, now)?;
        tell(state, &events, now);
        Some(())
    });
    match done {
        Some(()) => back(&visit.flow, "redirect_uri", "success"),
        None => over(&visit),
    }
}

async fn exit(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    let Some(visit) = visit(&world, &link) else { return unknown() };
    crate::gocardless::GoCardless.decline(&world, visit.flow.billing_request(), "exited");
    back(&visit.flow, "exit_uri", "failure")
}

/// Back to the merchant, with what the real pages append.
fn back(flow: &Flow, to: &str, outcome: &str) -> Response {
    let Ok(mut url) = Url::parse(flow.text(to)) else { return unknown() };
    url.query_pairs_mut().append_pair("outcome", outcome).append_pair("id", flow.text("id"));
    Redirect::to(url.as_str()).into_response()
}

fn scheme(request: &Value) -> &str {
    match request["mandate_request"]["scheme"].as_str().unwrap_or_default() {
        "ach" => "ACH debit",
        "autogiro" => "Autogiro",
        "bacs" => "Bacs Direct Debit",
        "becs" => "BECS Direct Debit",
        "becs_nz" => "New Zealand Direct Debit",
        "betalingsservice" => "Betalingsservice",
        "pad" => "Pre-Authorized Debit",
        "sepa_core" => "SEPA Direct Debit",
        other => other,
    }
}

fn form(visit: &Visit, problem: Option<&str>) -> Response {
    let (bank, example) = match visit.request["mandate_request"]["scheme"].as_str() {
        Some("sepa_core") => (None, "DE89370400440532013000"),
        Some("bacs") => (Some(("Sort code", "20-00-00")), "55779911"),
        _ => (Some(("Bank or branch code", "")), "55779911"),
    };
    let description = visit.request["mandate_request"]["description"].as_str();
    let [given, family] = &visit.names;
    let body = html! {
        h1 { "Set up " (scheme(&visit.request)) }
        p.sub { @if let Some(text) = description { (text) ". " } "Nothing is collected now." }
        @if let Some(problem) = problem { p.error id="error" role="alert" { (problem) } }
        form method="post" action={ "/flow/" (visit.flow.link) "/submit" } {
            label for="given-name" { "First name" }
            input id="given-name" name="given-name" value=(given) autocomplete="off" required;
            label for="family-name" { "Last name" }
            input id="family-name" name="family-name" value=(family) autocomplete="off" required;
            @if let Some((label, example)) = bank {
                label for="branch-code" { (label) }
                input id="branch-code" name="branch-code" placeholder=(example) autocomplete="off";
            }
            label for="account-number" { @if bank.is_none() { "IBAN" } @else { "Account number" } }
            input id="account-number" name="account-number" placeholder=(example) autocomplete="off" required;
            button.primary type="submit" id="pay-submit" { "Continue" }
        }
        (footer(visit))
    };
    page(StatusCode::OK, "Set up a Direct Debit", &body)
}

fn footer(visit: &Visit) -> Markup {
    html! {
        form method="post" action={ "/flow/" (visit.flow.link) "/exit" } {
            button.link type="submit" id="cancel" { "Exit" }
        }
    }
}

fn over(visit: &Visit) -> Response {
    let status = visit.request["status"].as_str().unwrap_or_default();
    let status = if status == "pending" { "expired" } else { status };
    let body = html! {
        h1 id="over" { "This link is " (status) }
        p.sub { "Nothing more can be set up here." }
        (footer(visit))
    };
    page(StatusCode::OK, "Link over", &body)
}

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", &html! { h1 { "There is no such page" } })
}
