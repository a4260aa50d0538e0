//! What happens to mandates: by the clock, by the bank, and by order.

use serde_json::{Value, json};

use super::books::Books;
use super::error::{Answer, field};
use super::happened;

const DAY: i64 = 24 * 60 * 60 * 1000;
/// When a mandate goes to its bank, and when the bank's time to refuse it is over.
const SUBMITTED_AFTER: i64 = DAY;
const ACTIVE_AFTER: i64 = 3 * DAY;
/// The account to which mandates are moved.
const OTHER_ACCOUNT: &str = "70872490";

/// A mandate.
#[derive(Debug, Clone)]
pub(super) struct Mandate {
    /// As the API shows it.
    pub(super) object: Value,
    /// Milliseconds; from then on its bank has its time.
    pub(super) created_at: i64,
}

/// Whether nothing can be collected by a mandate of this status any more.
pub(super) fn is_over(status: &str) -> bool {
    ["failed", "cancelled", "expired", "consumed", "blocked"].contains(&status)
}

/// An event about a mandate as it is now.
pub(super) fn event(books: &Books, id: &str, action: &str, now: i64) -> Option<Value> {
    let mandate = books.mandates.iter().find(|mandate| mandate.object["id"] == id)?;
    Some(happened("mandates", action, &json!({"mandate": id}), &mandate.object["metadata"], now))
}

/// Moves mandates on whose time has come, and says what there is to tell.
pub(super) fn pass_time(books: &mut Books, now: i64) -> Vec<Value> {
    let mut steps = Vec::new();
    for mandate in &mut books.mandates {
        for (from, after, to) in
            [("pending_submission", SUBMITTED_AFTER, "submitted"), ("submitted", ACTIVE_AFTER, "active")]
        {
            if mandate.object["status"] == from && mandate.created_at + after <= now {
                mandate.object["status"] = to.into();
                steps.push((mandate.object["id"].as_str().unwrap_or_default().to_owned(), to));
            }
        }
    }
    steps.iter().filter_map(|(id, action)| event(books, id, action, now)).collect()
}

/// Has something happen to a mandate, and says what there is to tell; `None` when there is no such mandate, or this
/// cannot happen to it.
pub(super) fn happen(books: &mut Books, id: &str, action: &str, now: i64) -> Option<Vec<Value>> {
    let mandate = books.mandates.iter_mut().find(|mandate| mandate.object["id"] == id)?;
    let over = mandate.object["status"].as_str().is_some_and(is_over);
    match action {
        "submitted" | "active" | "failed" | "cancelled" | "expired" | "consumed" | "blocked"
        | "suspended_by_payer"
            if !over =>
        {
            mandate.object["status"] = action.into();
            Some(vec![event(books, id, action, now)?])
        }
        "reinstated" if over && mandate.object["links"]["new_mandate"].is_null() => {
            mandate.object["status"] = "active".into();
            Some(vec![event(books, id, action, now)?])
        }
        "transferred" if !over => Some(vec![transfer(books, id, now)?]),
        "replaced" if !over => replace(books, id, now),
        _ => None,
    }
}

/// The mandates that a query asks for, newest first, by pages.
pub(super) fn list(books: &Books, query: &str) -> Result<Answer, Answer> {
    const MOST: usize = 500;
    let (mut customer, mut status, mut after, mut limit) = (None, None, None, 50);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        match name.as_ref() {
            "customer" => customer = Some(value),
            "status" => status = Some(value),
            "after" => after = Some(value),
            "limit" => {
                let given = value.parse().ok().filter(|limit| (1..=MOST).contains(limit));
                limit = given.ok_or_else(|| field("limit", "must be from 1 to 500"))?;
            }
            unknown => return Err(field(unknown, "is not a known parameter")),
        }
    }
    let wanted = |object: &&Value| {
        customer.as_ref().is_none_or(|id| object["links"]["customer"] == **id)
            && status.as_ref().is_none_or(|status| object["status"] == **status)
    };
    let found: Vec<&Value> =
        books.mandates.iter().rev().map(|mandate| &mandate.object).filter(wanted).collect();
    let from = match &after {
        None => 0,
        Some(id) => {
            1 + found
                .iter()
                .position(|object| object["id"] == **id)
                .ok_or_else(|| field("after", "is none"))?
        }
    };
    let page = found.iter().skip(from).take(limit).collect::<Vec<_>>();
    let more = found.len() > from + page.len();
    let next = page.last().filter(|_| more).map(|object| object["id"].clone());
    let meta = json!({"cursors": {"before": after, "after": next}, "limit": limit});
    Ok((200, json!({"mandates": page, "meta": meta})))
}

fn of(books: &Books, id: &str) -> Option<Value> {
    books.mandates.iter().find(|mandate| mandate.object["id"] == id).map(|mandate| mandate.object.clone())
}

/// The customer's account elsewhere, in the same currency.
fn other_account(books: &mut Books, mandate: &Value, now: i64) -> Option<String> {
    let currency =
        books.account(mandate["links"]["customer_bank_account"].as_str()?)?.object["currency"].clone();
    let customer = mandate["links"]["customer"].as_str()?;
    Some(books.account_of(customer, OTHER_ACCOUNT, &json!({"currency": currency}), now))
}

/// The bank moves the mandate to another account; it stays the same mandate.
fn transfer(books: &mut Books, id: &str, now: i64) -> Option<Value> {
    let before = of(books, id)?;
    let account = other_account(books, &before, now)?;
    let mandate = books.mandates.iter_mut().find(|mandate| mandate.object["id"] == id)?;
    mandate.object["links"]["customer_bank_account"] = account.clone().into();
    let links = json!({
        "mandate": id, "previous_customer_bank_account": before["links"]["customer_bank_account"],
        "new_customer_bank_account": account,
    });
    Some(happened("mandates", "transferred", &links, &before["metadata"], now))
}

/// Another mandate takes the place of one, as usable as that was.
fn replace(books: &mut Books, id: &str, now: i64) -> Option<Vec<Value>> {
    let old = of(books, id)?;
    let account = other_account(books, &old, now)?;
    let customer = old["links"]["customer"].as_str()?;
    // What the merchant said of the old one is not said of the new one.
    let new = books.new_mandate(customer, &account, &old["scheme"], &json!({}), now);
    for mandate in &mut books.mandates {
        if mandate.object["id"] == new.as_str() {
            mandate.object["status"] = old["status"].clone();
        } else if mandate.object["id"] == id {
            mandate.object["status"] = "cancelled".into();
            mandate.object["links"]["new_mandate"] = new.clone().into();
        }
    }
    let links = json!({"mandate": id, "new_mandate": new});
    let replaced = happened("mandates", "replaced", &links, &old["metadata"], now);
    Some(vec![event(books, id, "cancelled", now)?, replaced, event(books, &new, "created", now)?])
}
