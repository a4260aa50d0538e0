//! The page on which the customer confirms a charge, and where their browser goes from there.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Form, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use maud::html;

use super::charges::{Charge, Control, DIGITS};
use super::pages;
use crate::charging::Charging as _;
use crate::decimal::decimal;
use crate::page::page;
use crate::server::World;

pub(super) fn routes() -> Router<Arc<World>> {
    Router::new().route("/confirm/{link}", get(ask).post(answer))
}

fn find(world: &World, link: &str) -> Option<Charge> {
    world.with(|state, _| {
        state.books.xendit.charges.charges.iter().find(|charge| charge.link == link).cloned()
    })
}

async fn ask(State(world): State<Arc<World>>, Path(link): Path<String>) -> Response {
    let Some(charge) = find(&world, &link) else { return pages::unknown() };
    if charge.status != "REQUIRES_ACTION" {
        return back(&charge);
    }
    let body = html! {
        h1 { "Confirm with your bank" }
        p.sub { "The shop asks for " b { (charge.text("currency")) " " (decimal(charge.amount, DIGITS)) } "." }
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
    let Some(charge) = find(&world, &link) else { return pages::unknown() };
    let passes = form.get("decision").map(String::as_str) == Some("approve");
    Control.act(&world, &charge.id, passes);
    find(&world, &link).map_or_else(pages::unknown, |charge| back(&charge))
}

/// A 303, so that the browser comes with GET.
fn back(charge: &Charge) -> Response {
    charge.way_back().map_or_else(pages::nowhere, |url| Redirect::to(url).into_response())
}
