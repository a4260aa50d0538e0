//! The page on which the customer confirms a charge, and where their browser goes from there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::html;

use super::hosted::unknown;
use super::payments::{self, Payment, decimals};
use crate::decimal::decimal;
use crate::page::page;
use crate::server::World;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/confirm/{link}", get(ask).post(answer))
}

fn find(world: &World, link: &str) -> Option<Payment> {
    world.with(|state, _| state.books.stripe.payments.iter().find(|payment| payment.link == link).cloned())
}

async fn ask(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    let Some(payment) = find(&world, &link) else { return unknown() };
    if payment.text("status") != "requires_action" {
        return back(&payment);
    }
    let currency = payment.text("currency");
    let amount = decimal(payment.number("amount"), decimals(currency));
    let body = html! {
        h1 { "Confirm with your bank" }
        p.sub { "The shop asks for " b { (currency.to_uppercase()) " " (amount) } "." }
        form method="post" action={ "/confirm/" (link) } {
            button.primary type="submit" id="approve" name="decision" value="approve" { "Approve" }
            button.danger type="submit" id="fail" name="decision" value="fail" { "Fail" }
        }
    };
    page(StatusCode::OK, "Confirm the payment", &body)
}

async fn answer(
    State(world): State<Arc<World>>,
    Path(link): Path<String>,
    Form(form): Form<HashMap<String, String>>,
) -> Response {
    let Some(payment) = find(&world, &link) else { return unknown() };
    let passes = form.get("decision").map(String::as_str) == Some("approve");
    let acted = payments::act(&world, payment.text("id"), passes);
    back(&acted.unwrap_or(payment))
}

/// A 303, so that the browser comes with GET.
fn back(payment: &Payment) -> Response {
    payment.way_back().map_or_else(unknown, |url| Redirect::to(&url).into_response())
}
