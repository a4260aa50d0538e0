//! Payments by mandates: by the clock, by the bank, and by order.
//!
//! A payment goes to the bank after a day of the sandbox's clock, if its mandate did, is collected after four and paid
//! out after six. Test amounts, the sandbox's own: of one that ends in `99NN` the cause with the number `NN` of
//! [`CAUSES`] is why it fails on the fourth day; one that ends in `9990` is collected and fails on the eighth day, and
//! one that ends in `9991` is charged back on the eighth.

use serde_json::{Value, json};

use super::books::{Books, new_id};
use super::error::{Answer, conflict, field, no_such, state as wrong_state};
use super::{happened, validate};
use crate::charging::ChargePlay;
use crate::clock::iso;

const DAY: i64 = 24 * 60 * 60 * 1000;
const SUBMITTED_AFTER: i64 = DAY;
const COLLECTED_AFTER: i64 = 4 * DAY;
const PAID_OUT_AFTER: i64 = 6 * DAY;
const TAKEN_BACK_AFTER: i64 = 8 * DAY;

/// Causes of failures, by the number in a test amount.
const CAUSES: [(i64, &str); 10] = [
    (1, "insufficient_funds"),
    (2, "refer_to_payer"),
    (3, "mandate_cancelled"),
    (4, "bank_account_closed"),
    (5, "authorisation_disputed"),
    (6, "insufficient_payment_permissions"),
    (7, "daily_payment_limit_reached"),
    (8, "bank_account_transferred"),
    (9, "direct_debit_not_enabled"),
    (10, "other"),
];

/// A payment.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    /// As the API shows it.
    pub(super) object: Value,
    /// Milliseconds.
    pub(super) created_at: i64,
    /// Whether a bank took it back once; none does so twice by itself.
    taken_back: bool,
}

impl Payment {
    fn status(&self) -> &str {
        self.object["status"].as_str().unwrap_or_default()
    }

    pub(super) fn number(&self, field: &str) -> i64 {
        self.object[field].as_i64().unwrap_or_default()
    }

    pub(super) fn is_collected(&self) -> bool {
        ["confirmed", "paid_out"].contains(&self.status())
    }

    pub(super) fn is_under_way(&self) -> bool {
        ["pending_customer_approval", "pending_submission", "submitted"].contains(&self.status())
    }

    /// What the control API shows of it.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.object.clone();
        let taken =
            if self.is_collected() { self.number("amount") - self.number("amount_refunded") } else { 0 };
        shown["taken"] = taken.into();
        shown
    }

    /// It moves on; an event for what there is to tell. `cause` is the bank's, where it has one.
    fn moved_on(&mut self, status: &str, action: &str, cause: Option<&str>, now: i64) -> Value {
        self.taken_back |= self.is_collected() && ["failed", "charged_back"].contains(&status);
        self.object["status"] = status.into();
        let links = json!({"payment": self.object["id"]});
        let mut event = happened("payments", action, &links, &self.object["metadata"], now);
        if let Some(cause) = cause {
            event["details"]["origin"] = "bank".into();
            event["details"]["cause"] = cause.into();
            event["details"]["scheme"] = "bacs".into();
            event["details"]["reason_code"] = "ARUDD-0".into();
        }
        event
    }
}

/// Makes a payment, and says what there is to tell.
pub(super) fn create(
    books: &mut Books,
    fields: &serde_json::Map<String, Value>,
    key: Option<&str>,
    now: i64,
) -> Result<(Answer, Vec<Value>), Answer> {
    let known = key.map(|key| format!("payments {key}"));
    if let Some(made) = known.as_ref().and_then(|key| books.made.get(key)) {
        return Err(conflict(made));
    }
    let amount = fields.get("amount").and_then(Value::as_i64).filter(|amount| *amount > 0);
    let amount = amount.ok_or_else(|| field("amount", "must be a number of pence above 0"))?;
    let currency = validate::text(fields, "currency")?.unwrap_or_default();
    let links = validate::object(&Value::Object(fields.clone()), "links", &["mandate"])?;
    let mandate = validate::text(&links, "mandate")?.unwrap_or_default().to_owned();
    let found = books.mandates.iter().find(|known| known.object["id"] == mandate.as_str());
    let found = found.ok_or_else(|| field("links.mandate", "is no mandate"))?;
    if found.object["status"].as_str().is_none_or(super::mandates::is_over) {
        return Err(wrong_state("mandate_is_inactive", "The mandate is cancelled or has failed"));
    }
    validate::scheme(found.object["scheme"].as_str(), Some(currency))
        .map_err(|_| field("currency", "is not that of the mandate's scheme"))?;
    let id = new_id("PM");
    let object = json!({
        "id": id, "created_at": iso(now), "charge_date": iso(now + COLLECTED_AFTER)[..10], "amount": amount,
        "amount_refunded": 0, "currency": currency, "description": validate::text(fields, "description")?,
        "reference": null, "retry_if_possible": false, "status": "pending_submission",
        "metadata": validate::metadata(fields)?, "links": {"mandate": mandate, "creditor": "CR0000SANDBOX"},
    });
    let mut payment = Payment { object: object.clone(), created_at: now, taken_back: false };
    let mut events = vec![payment.moved_on("pending_submission", "created", None, now)];
    if let Some(ChargePlay::Decline(cause)) = books.plays.get(&mandate) {
        events.push(payment.moved_on("failed", "failed", Some(cause), now));
    }
    books.payments.push(payment);
    books.made.extend(known.map(|key| (key, id)));
    Ok(((201, json!({"payments": object})), events))
}

/// Moves payments on whose time has come, and says what there is to tell.
pub(super) fn pass_time(books: &mut Books, now: i64) -> Vec<Value> {
    let with_the_bank = |mandate: &Value| {
        books.mandates.iter().any(|known| {
            known.object["id"] == *mandate
                && ["submitted", "active"].contains(&known.object["status"].as_str().unwrap_or_default())
        })
    };
    let mut events = Vec::new();
    for payment in &mut books.payments {
        let age = now - payment.created_at;
        let ending = payment.number("amount") % 10_000 - 9900;
        let cause = CAUSES.iter().find(|(number, _)| *number == ending).map(|(_, cause)| *cause);
        if payment.status() == "pending_submission"
            && age >= SUBMITTED_AFTER
            && with_the_bank(&payment.object["links"]["mandate"])
        {
            events.push(payment.moved_on("submitted", "submitted", None, now));
        }
        if payment.status() == "submitted" && age >= COLLECTED_AFTER {
            events.push(match cause {
                Some(cause) => payment.moved_on("failed", "failed", Some(cause), now),
                None => payment.moved_on("confirmed", "confirmed", None, now),
            });
        }
        if payment.status() == "confirmed" && age >= PAID_OUT_AFTER {
            events.push(payment.moved_on("paid_out", "paid_out", None, now));
        }
        if payment.status() == "paid_out"
            && age >= TAKEN_BACK_AFTER
            && [90, 91].contains(&ending)
            && !payment.taken_back
        {
            events.push(if ending == 90 {
                payment.moved_on("failed", "failed", Some("refer_to_payer"), now)
            } else {
                payment.moved_on("charged_back", "charged_back", Some("refund_requested"), now)
            });
        }
    }
    events
}

/// Ends a payment that is not with the bank yet.
pub(super) fn cancel(books: &mut Books, id: &str, now: i64) -> Result<(Answer, Vec<Value>), Answer> {
    let payment = books.payments.iter_mut().find(|payment| payment.object["id"] == id).ok_or_else(no_such)?;
    if payment.status() != "pending_submission" {
        return Err(wrong_state("cancellation_failed", "The payment cannot be cancelled any more"));
    }
    let event = payment.moved_on("cancelled", "cancelled", None, now);
    Ok(((200, json!({"payments": payment.object})), vec![event]))
}

/// Has something happen to a payment, and says what there is to tell; `None` when there is no such payment, or this
/// cannot happen to it.
pub(super) fn happen(books: &mut Books, name: &str, action: &str, now: i64) -> Option<Vec<Value>> {
    let payment = books.payment(name)?;
    let mut events = Vec::new();
    match action {
        "submitted" if payment.status() == "pending_submission" => {
            events.push(payment.moved_on("submitted", "submitted", None, now));
        }
        "confirmed" if payment.is_under_way() => {
            events.push(payment.moved_on("confirmed", "confirmed", None, now));
        }
        "paid_out" if payment.is_under_way() || payment.status() == "confirmed" => {
            events.push(payment.moved_on("paid_out", "paid_out", None, now));
        }
        "failed" if payment.is_under_way() => {
            events.push(payment.moved_on("failed", "failed", Some("insufficient_funds"), now));
        }
        // The bank is late with its news.
        "failed" | "late_failure" if payment.is_collected() => {
            events.push(payment.moved_on("failed", "failed", Some("refer_to_payer"), now));
        }
        "charged_back" if payment.is_collected() => {
            events.push(payment.moved_on("charged_back", "charged_back", Some("refund_requested"), now));
        }
        "chargeback_cancelled" if payment.status() == "charged_back" => {
            events.push(payment.moved_on("paid_out", "chargeback_cancelled", None, now));
        }
        "customer_approval_denied" if payment.is_under_way() => {
            events.push(payment.moved_on(action, action, None, now));
        }
        _ => return None,
    }
    Some(events)
}
