//! The bank's page of a payment: the customer proves that it is them, or does not.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::html;

use super::payments::{Stage, act};
use crate::page::page;
use crate::server::World;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/redirect/{link}", get(show).post(decide))
}

async fn show(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    let found = world.with(|state, _| state.books.adyen.payment_by_link(&link).cloned());
    let Some(payment) = found else { return unknown() };
    if payment.stage != Stage::Redirected {
        return over();
    }
    let amount = format!("{} {} (minor units)", payment.value, payment.currency);
    let body = html! {
        h1 { "Confirm with your bank" }
        p.sub { "Your bank asks whether it is really you who pays " (amount) "." }
        form method="post" action={ "/redirect/" (link) } {
            button.primary type="submit" id="approve" name="decision" value="approve" { "Approve" }
            button.danger type="submit" id="fail" name="decision" value="fail" { "Fail" }
        }
    };
    page(StatusCode::OK, "Confirm", &body)
}

async fn decide(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Form(fields): Form<HashMap<String, String>>,
) -> Response {
    let passes = fields.get("decision").map(String::as_str) == Some("approve");
    let address =
        world.with(|state, _| state.books.adyen.payment_by_link(&link).map(|payment| act(payment, passes)));
    match address {
        Some(Some(address)) => Redirect::to(&address).into_response(),
        Some(None) => over(),
        None => unknown(),
    }
}

fn over() -> Response {
    let body = html! {
        h1 id="over" { "This payment is over" }
        p.sub { "There is nothing to confirm any more." }
    };
    page(StatusCode::OK, "Payment over", &body)
}

fn unknown() -> Response {
    page(StatusCode::NOT_FOUND, "Not found", &html! { h1 { "There is no such payment page" } })
}
