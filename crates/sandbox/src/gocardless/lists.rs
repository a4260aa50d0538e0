//! Lists: the newest first, by filters, in pages.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::books::Books;
use super::error::{Answer, field};

/// The query of a request.
pub(super) type Query = HashMap<String, String>;

const LONGEST_PAGE: usize = 500;
const USUAL_PAGE: usize = 50;

/// Payments of a mandate or a customer, made in a time.
pub(super) fn payments(books: &Books, query: &Query) -> Result<Answer, Answer> {
    known(query, &["mandate", "customer", "created_at[gte]", "created_at[lte]"])?;
    let (from, until) = (time(query, "created_at[gte]")?, time(query, "created_at[lte]")?);
    let customer = |payment: &Value| {
        let mandate =
            books.mandates.iter().find(|mandate| mandate.object["id"] == payment["links"]["mandate"]);
        mandate.map(|mandate| mandate.object["links"]["customer"].clone()).unwrap_or_default()
    };
    let wanted = books.payments.iter().filter(|payment| {
        query.get("mandate").is_none_or(|mandate| payment.object["links"]["mandate"] == mandate.as_str())
            && query.get("customer").is_none_or(|wanted| customer(&payment.object) == wanted.as_str())
            && from.is_none_or(|from| payment.created_at >= from)
            && until.is_none_or(|until| payment.created_at <= until)
    });
    page("payments", wanted.map(|payment| payment.object.clone()).collect(), query)
}

/// Refunds of a payment.
pub(super) fn refunds(books: &Books, query: &Query) -> Result<Answer, Answer> {
    known(query, &["payment"])?;
    let wanted = books.refunds.iter().filter(|refund| {
        query.get("payment").is_none_or(|payment| refund.object["links"]["payment"] == payment.as_str())
    });
    page("refunds", wanted.map(|refund| refund.object.clone()).collect(), query)
}

/// Events of a kind, or about a payment.
pub(super) fn events(books: &Books, query: &Query) -> Result<Answer, Answer> {
    known(query, &["payment", "resource_type"])?;
    let is = |event: &Value, pointer: &str, name: &str| {
        query
            .get(name)
            .is_none_or(|wanted| event.pointer(pointer).and_then(Value::as_str) == Some(wanted.as_str()))
    };
    let wanted = books.events.iter().filter(|event| {
        is(event, "/links/payment", "payment") && is(event, "/resource_type", "resource_type")
    });
    page("events", wanted.cloned().collect(), query)
}

fn known(query: &Query, filters: &[&str]) -> Result<(), Answer> {
    let is_known =
        |name: &&String| ["limit", "after"].contains(&name.as_str()) || filters.contains(&name.as_str());
    match query.keys().find(|name| !is_known(name)) {
        Some(unknown) => Err(field(unknown, "is not a known filter")),
        None => Ok(()),
    }
}

fn time(query: &Query, name: &str) -> Result<Option<i64>, Answer> {
    let Some(text) = query.get(name) else { return Ok(None) };
    crate::clock::parse(text).map(Some).ok_or_else(|| field(name, "is not a time in ISO 8601"))
}

fn page(envelope: &str, mut listed: Vec<Value>, query: &Query) -> Result<Answer, Answer> {
    listed.reverse();
    if let Some(after) = query.get("after") {
        let at = listed.iter().position(|object| object["id"] == after.as_str());
        let at = at.ok_or_else(|| field("after", "is no cursor"))?;
        listed.drain(..=at);
    }
    let limit = query.get("limit").map_or(Ok(USUAL_PAGE), |limit| limit.parse());
    let limit = limit.ok().filter(|limit| (1..=LONGEST_PAGE).contains(limit));
    let limit = limit.ok_or_else(|| field("limit", "must be 1 to 500"))?;
    let more = listed.len() > limit;
    listed.truncate(limit);
    let after = listed.last().filter(|_| more).map(|last| last["id"].clone());
    Ok((
        200,
        json!({envelope: listed, "meta": {"cursors": {"before": null, "after": after}, "limit": limit}}),
    ))
}
