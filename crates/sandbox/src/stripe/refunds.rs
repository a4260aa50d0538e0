//! Refunds of PaymentIntents. Those of cards end at once, those of debits a little later.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{Call, no_such};
use super::books::new_id;
use super::form::{Answer, Fields, error};
use super::payments::{find, page};
use super::push;
use crate::server::SandboxState;

/// Refunds of debits end by themselves after this long.
const DEBIT: i64 = 3_000;

/// Money that goes back.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    object: Value,
    due_at: i64,
}

/// Answers what is asked of `/v1/refunds`.
pub(super) fn handle(
    state: &mut SandboxState,
    now: i64,
    call: &Call,
    path: &[&str],
) -> Result<Answer, Answer> {
    match (&call.method, path) {
        (&Method::POST, []) => create(state, now, call),
        (&Method::GET, []) => {
            let fields = Fields::read(call.query.as_bytes(), &["payment_intent", "limit", "starting_after"])?;
            let of = fields.get("payment_intent");
            let all = state.books.stripe.refunds.iter().rev().map(|refund| &refund.object);
            let all: Vec<Value> =
                all.filter(|object| of.is_none_or(|of| object["payment_intent"] == of)).cloned().collect();
            Ok((200, page("/v1/refunds", &all, &fields)))
        }
        (&Method::GET, [id]) => {
            let mut refunds = state.books.stripe.refunds.iter();
            let found = refunds.find(|refund| refund.object["id"] == **id).ok_or_else(no_such)?;
            Ok((200, found.object.clone()))
        }
        _ => Err(error(404, "url_invalid", "Unrecognized request URL")),
    }
}

fn create(state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let fields = Fields::read(&call.body, &["payment_intent", "amount", "reason", "metadata[]"])?;
    let reasons = ["duplicate", "fraudulent", "requested_by_customer"];
    if fields.get("reason").is_some_and(|reason| !reasons.contains(&reason)) {
        return Err(error(400, "parameter_invalid", "The reason is not known"));
    }
    let id = fields.need("payment_intent")?.to_owned();
    let payment = find(state, &id)?;
    if payment.text("status") != "succeeded" {
        let message = "This PaymentIntent does not have a successful charge to refund";
        return Err(error(400, "payment_intent_unexpected_state", message));
    }
    let left = payment.number("amount_received") - payment.refunded;
    if left == 0 {
        return Err(error(400, "charge_already_refunded", "The charge has already been refunded"));
    }
    let amount = fields.get("amount").map_or(left, |text| text.parse().unwrap_or(0));
    if amount <= 0 || amount > left {
        return Err(error(400, "parameter_invalid_integer", "The amount is above what is left"));
    }
    payment.refunded += amount;
    let at_once = payment.object["payment_method_types"][0] == "card";
    let charge = json!({
        "id": payment.object["latest_charge"], "object": "charge", "payment_intent": id,
        "amount": payment.object["amount"], "amount_refunded": payment.refunded,
        "currency": payment.object["currency"], "metadata": payment.object["metadata"],
        "refunded": payment.refunded == payment.number("amount_received"), "status": "succeeded",
        "amount_captured": payment.object["amount_received"], "captured": true, "paid": true, "disputed": false,
        "created": payment.object["created"], "livemode": false,
        "billing_details": {"address": null, "email": null, "name": null, "phone": null, "tax_id": null},
    });
    let object = json!({
        "id": new_id("re_"), "object": "refund", "amount": amount, "currency": charge["currency"],
        "charge": charge["id"], "payment_intent": id, "reason": fields.get("reason"), "created": now / 1000,
        "status": if at_once { "succeeded" } else { "pending" }, "metadata": fields.metadata("metadata")?,
    });
    state.books.stripe.refunds.push(Refund { object: object.clone(), due_at: now + DEBIT });
    push(state, "refund.created", &object, now);
    push(state, "charge.refunded", &charge, now);
    Ok((200, object))
}

/// Ends the refunds that are due by `until`.
pub(super) fn end(state: &mut SandboxState, until: i64, now: i64) {
    let mut ended = Vec::new();
    for refund in &mut state.books.stripe.refunds {
        if refund.object["status"] == "pending" && refund.due_at <= until {
            refund.object["status"] = "succeeded".into();
            ended.push(refund.object.clone());
        }
    }
    for object in ended {
        push(state, "refund.updated", &object, now);
    }
}
