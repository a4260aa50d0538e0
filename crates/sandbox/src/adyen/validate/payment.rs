//! Which payments and modifications the gateway takes.

use serde_json::{Map, Value};

use super::{Answer, error, merchant_account, metadata, missing, return_url, wrong};
use crate::adyen::cards::SCHEME;
use crate::adyen::payments::Asked;

/// The fields that this sandbox knows.
const KNOWN: [&str; 14] = [
    "merchantAccount",
    "amount",
    "reference",
    "paymentMethod",
    "shopperReference",
    "shopperInteraction",
    "recurringProcessingModel",
    "countryCode",
    "returnUrl",
    "redirectToIssuerMethod",
    "redirectFromIssuerMethod",
    "captureDelayHours",
    "additionalData",
    "metadata",
];
const LONGEST_REFERENCE: usize = 80;

fn text<'a>(fields: &'a Map<String, Value>, field: &str) -> Option<&'a str> {
    fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn known(fields: &Map<String, Value>, known: &[&str]) -> Result<(), Answer> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        Some(unknown) => Err(wrong(&format!("Unrecognized field: {unknown}"))),
        None => Ok(()),
    }
}

fn one_of(fields: &Map<String, Value>, field: &str, values: &[&str]) -> Result<(), Answer> {
    if text(fields, field).is_some_and(|value| values.contains(&value)) {
        return Ok(());
    }
    Err(wrong(&format!("{field} must be one of {}", values.join(", "))))
}

/// Value and currency, above nothing.
fn amount(fields: &Map<String, Value>) -> Result<(i64, String), Answer> {
    let amount = fields.get("amount").ok_or_else(|| error(422, "100", "No amount specified"))?;
    let currency = amount["currency"].as_str().unwrap_or_default();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(error(422, "138", "Unsupported currency specified"));
    }
    let value = amount["value"].as_i64().filter(|value| *value > 0);
    let value = value.ok_or_else(|| error(422, "137", "Invalid amount specified"))?;
    Ok((value, currency.to_owned()))
}

fn reference(fields: &Map<String, Value>) -> Result<Option<&str>, Answer> {
    match text(fields, "reference") {
        Some(reference) if reference.len() > LONGEST_REFERENCE => {
            Err(wrong("reference must have at most 80 characters"))
        }
        reference => Ok(reference),
    }
}

/// A request for a payment with a stored method, checked; with the shopper that it names.
pub(in crate::adyen) fn payment(body: &Value) -> Result<(Asked, String), Answer> {
    let fields = body.as_object().ok_or_else(|| wrong("Unable to parse the request"))?;
    known(fields, &KNOWN)?;
    merchant_account(text(fields, "merchantAccount"))?;
    let (value, currency) = amount(fields)?;
    let reference = reference(fields)?.ok_or_else(|| missing("reference"))?;
    let address = text(fields, "returnUrl").ok_or_else(|| missing("returnUrl"))?;
    return_url(address)?;
    let shopper = text(fields, "shopperReference").ok_or_else(|| missing("shopperReference"))?;
    one_of(fields, "shopperInteraction", &["Ecommerce", "ContAuth"])?;
    one_of(fields, "recurringProcessingModel", &["CardOnFile", "Subscription", "UnscheduledCardOnFile"])?;
    let method = fields.get("paymentMethod").and_then(Value::as_object);
    let method =
        method.ok_or_else(|| error(422, "14_002", "Required object 'paymentMethod' is not provided."))?;
    known(method, &["type", "storedPaymentMethodId"])?;
    if text(method, "type") != Some(SCHEME) {
        return Err(wrong("This sandbox charges cards: the one type that it knows is scheme"));
    }
    let token = text(method, "storedPaymentMethodId").ok_or_else(|| missing("storedPaymentMethodId"))?;
    if fields.get("captureDelayHours").is_some_and(|hours| *hours != 0) {
        return Err(wrong("This sandbox captures at once or by a call: captureDelayHours must be 0"));
    }
    let additional = match fields.get("additionalData") {
        None => Map::new(),
        Some(Value::Object(pairs)) => pairs.clone(),
        Some(_) => return Err(wrong("additionalData must be an object")),
    };
    known(&additional, &["manualCapture"])?;
    metadata(fields.get("metadata"))?;
    let asked = Asked {
        reference: reference.to_owned(),
        value,
        currency,
        token: token.to_owned(),
        return_url: address.to_owned(),
        held: additional.get("manualCapture").is_some_and(|value| value == "true"),
        present: text(fields, "shopperInteraction") == Some("Ecommerce"),
    };
    Ok((asked, shopper.to_owned()))
}

/// A request that changes a payment, checked; with its amount, where it has one.
pub(in crate::adyen) fn modification(
    body: &Value,
    with_amount: bool,
    with_reason: bool,
) -> Result<Option<(i64, String)>, Answer> {
    let fields = body.as_object().ok_or_else(|| wrong("Unable to parse the request"))?;
    let mut known_here = vec!["merchantAccount", "reference"];
    if with_amount {
        known_here.push("amount");
    }
    if with_reason {
        known_here.push("merchantRefundReason");
    }
    known(fields, &known_here)?;
    merchant_account(text(fields, "merchantAccount"))?;
    reference(fields)?;
    if fields.contains_key("merchantRefundReason") {
        one_of(
            fields,
            "merchantRefundReason",
            &["FRAUD", "CUSTOMER REQUEST", "RETURN", "DUPLICATE", "OTHER"],
        )?;
    }
    if with_amount { amount(fields).map(Some) } else { Ok(None) }
}
