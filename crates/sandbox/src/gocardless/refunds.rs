//! Refunds of payments: made at once, paid two days later.

use serde_json::{Map, Value, json};

use super::books::{Books, new_id};
use super::error::{Answer, conflict, field, state as wrong_state};
use super::{happened, validate};
use crate::clock::iso;

const PAID_AFTER: i64 = 2 * 24 * 60 * 60 * 1000;

/// Money given back.
#[derive(Debug, Clone)]
pub(super) struct Refund {
    /// As the API shows it.
    pub(super) object: Value,
    /// Milliseconds.
    created_at: i64,
}

impl Refund {
    fn tell(&self, action: &str, now: i64) -> Value {
        let links = json!({"refund": self.object["id"]});
        happened("refunds", action, &links, &self.object["metadata"], now)
    }
}

/// Makes a refund, and says what there is to tell.
pub(super) fn create(
    books: &mut Books,
    fields: &Map<String, Value>,
    key: Option<&str>,
    now: i64,
) -> Result<(Answer, Vec<Value>), Answer> {
    let known = key.map(|key| format!("refunds {key}"));
    if let Some(made) = known.as_ref().and_then(|key| books.made.get(key)) {
        return Err(conflict(made));
    }
    let number = |name: &str| fields.get(name).and_then(Value::as_i64).filter(|number| *number > 0);
    let amount = number("amount").ok_or_else(|| field("amount", "must be a number of pence above 0"))?;
    let total = number("total_amount_confirmation");
    let total = total.ok_or_else(|| field("total_amount_confirmation", "is required"))?;
    let links = validate::object(&Value::Object(fields.clone()), "links", &["payment"])?;
    let metadata = validate::metadata(fields)?;
    let payment = validate::text(&links, "payment")?.unwrap_or_default().to_owned();
    let found = books.payment(&payment).filter(|found| found.object["id"] == payment.as_str());
    let found = found.ok_or_else(|| field("links.payment", "is no payment"))?;
    if !found.is_collected() {
        return Err(wrong_state("refund_payment_invalid_state", "The payment is not collected"));
    }
    let refunded = found.number("amount_refunded") + amount;
    if refunded != total {
        let message = "The total does not match what is refunded of the payment";
        return Err(wrong_state("total_amount_confirmation_invalid", message));
    }
    if refunded > found.number("amount") {
        return Err(field("amount", "is more than is left of the payment"));
    }
    found.object["amount_refunded"] = refunded.into();
    let id = new_id("RF");
    let object = json!({
        "id": id, "created_at": iso(now), "amount": amount, "currency": found.object["currency"], "reference": null,
        "status": "created", "metadata": metadata,
        "links": {"payment": payment, "mandate": found.object["links"]["mandate"]},
    });
    let refund = Refund { object: object.clone(), created_at: now };
    let event = refund.tell("created", now);
    books.refunds.push(refund);
    books.made.extend(known.map(|key| (key, id)));
    Ok(((201, json!({"refunds": object})), vec![event]))
}

/// Pays the refunds that are due, or all of them, and says what there is to tell.
pub(super) fn pay(books: &mut Books, all: bool, now: i64) -> Vec<Value> {
    let open = books.refunds.iter_mut().filter(|refund| refund.object["status"] == "created");
    let due = open.filter(|refund| all || refund.created_at + PAID_AFTER <= now);
    let paid = due.map(|refund| {
        refund.object["status"] = "paid".into();
        refund.tell("paid", now)
    });
    paid.collect()
}
