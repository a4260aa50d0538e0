//! Captures, cancels and refunds: taken in at once, done after, and told by webhook; and what banks do later.

use serde_json::{Value, json};

use super::books::new_id;
use super::payments::{Payment, Stage, finish};
use super::validate::{self, Answer, error};
use super::{MERCHANT_ACCOUNT, push_item};
use crate::charging::ChargePlay;
use crate::server::SandboxState;

/// Something that was asked for.
#[derive(Debug, Clone)]
pub(super) struct Change {
    kind: Kind,
    id: String,
    reference: Option<String>,
    value: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Capture,
    Cancel,
    Refund,
}

impl Kind {
    fn of(collection: &str) -> Option<Self> {
        match collection {
            "captures" => Some(Self::Capture),
            "cancels" => Some(Self::Cancel),
            "refunds" => Some(Self::Refund),
            _ => None,
        }
    }
}

/// Takes a change in. Whether it can be done is not said here.
pub(super) fn ask(
    state: &mut SandboxState,
    (payment, collection): (&str, &str),
    body: &Value,
    now: i64,
) -> Result<Answer, Answer> {
    let not_found = || error(404, "000", "HTTP Status Response - Not Found");
    let kind = Kind::of(collection).ok_or_else(not_found)?;
    let amount = validate::modification(body, kind != Kind::Cancel, kind == Kind::Refund)?;
    let books = &mut state.books.adyen;
    let slow = |payment: &Payment, plays: &std::collections::HashMap<String, ChargePlay>| {
        plays.get(&payment.token) == Some(&ChargePlay::Slow)
    };
    let found = books.payments.iter_mut().find(|known| known.id == payment);
    let found =
        found.ok_or_else(|| error(422, "167", "Original pspReference required for this operation"))?;
    if amount.as_ref().is_some_and(|(_, currency)| *currency != found.currency) {
        return Err(error(422, "138", "Unsupported currency specified"));
    }
    let reference = body["reference"].as_str().map(str::to_owned);
    let value = amount.map_or(found.value, |(value, _)| value);
    let change = Change { kind, id: new_id(16), reference, value };
    let mut answer = json!({
        "merchantAccount": MERCHANT_ACCOUNT, "paymentPspReference": payment, "pspReference": change.id,
        "reference": body["reference"], "status": "received",
    });
    if kind != Kind::Cancel {
        answer["amount"] = body["amount"].clone();
    }
    found.changes.push(change);
    if !slow(found, &books.plays) {
        let items = settle(found, true, |_| true);
        for item in &items {
            push_item(state, item, now);
        }
    }
    Ok((201, answer))
}

/// Does what was asked for, as far as it can be done, and says what there is to tell.
fn settle(payment: &mut Payment, well: bool, which: impl Fn(&Change) -> bool) -> Vec<Value> {
    let (due, waiting) = std::mem::take(&mut payment.changes).into_iter().partition(which);
    payment.changes = waiting;
    let due: Vec<Change> = due;
    due.iter().map(|change| apply(payment, change, well)).collect()
}

fn apply(payment: &mut Payment, change: &Change, well: bool) -> Value {
    let authorised = payment.stage == Stage::Authorised;
    let untouched = authorised && payment.captured == 0;
    let (event, done) = match change.kind {
        Kind::Capture => ("CAPTURE", well && untouched && change.value <= payment.value),
        Kind::Cancel => ("CANCELLATION", well && (untouched || payment.stage == Stage::Received)),
        Kind::Refund => ("REFUND", well && authorised && change.value <= payment.captured - payment.refunded),
    };
    match change.kind {
        Kind::Capture if done => payment.captured = change.value,
        Kind::Cancel if done => payment.stage = Stage::Cancelled,
        Kind::Refund if done => payment.refunded += change.value,
        _ => {}
    }
    let mut item = payment.item(event, done, change.value);
    item["pspReference"] = change.id.clone().into();
    if let Some(reference) = &change.reference {
        item["merchantReference"] = reference.clone().into();
    }
    if !done {
        item["reason"] = "Transaction not possible".into();
    }
    item
}

/// A payment that is under way ends, and what was asked for to change it is done or not.
pub(super) fn finish_all(state: &mut SandboxState, charge: &str, well: bool, now: i64) -> bool {
    let Some(payment) = state.books.adyen.payment(charge) else { return false };
    let mut items: Vec<Value> = finish(payment, well).into_iter().collect();
    items.extend(settle(payment, well, |_| true));
    for item in &items {
        push_item(state, item, now);
    }
    !items.is_empty()
}

/// Refunds that wait are done.
pub(super) fn finish_refunds(state: &mut SandboxState, now: i64) {
    let payments = state.books.adyen.payments.iter_mut();
    let items: Vec<Value> =
        payments.flat_map(|payment| settle(payment, true, |change| change.kind == Kind::Refund)).collect();
    for item in &items {
        push_item(state, item, now);
    }
}

/// What banks do to money that was taken: `CHARGEBACK` (when nothing is said), `SECOND_CHARGEBACK`,
/// `CAPTURE_FAILED`, and `CHARGEBACK_REVERSED`, which gives it back again.
pub(super) fn take_back(state: &mut SandboxState, charge: &str, how: Option<&str>, now: i64) -> bool {
    let how = how.unwrap_or("CHARGEBACK");
    let Some(payment) = state.books.adyen.payment(charge).filter(|payment| payment.captured > 0) else {
        return false;
    };
    payment.stage = match (how, payment.stage) {
        ("CHARGEBACK" | "SECOND_CHARGEBACK" | "CAPTURE_FAILED", Stage::Authorised) => Stage::TakenBack,
        ("CHARGEBACK_REVERSED", Stage::TakenBack) => Stage::Authorised,
        _ => return false,
    };
    let item = payment.item(how, true, payment.captured);
    push_item(state, &item, now);
    true
}
