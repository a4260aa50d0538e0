//! Which sessions the gateway opens, and its errors.

mod payment;

use serde_json::{Map, Value, json};
use url::Url;

use super::cards::SCHEME;
use super::{MERCHANT_ACCOUNT, books::new_id};

pub(super) use payment::{modification, payment};

const DAY: i64 = 24 * 60 * 60_000;
const HOUR: i64 = 60 * 60_000;
/// The fields that this sandbox knows; the real one knows more, and refuses others too.
const KNOWN: [&str; 18] = [
    "merchantAccount",
    "amount",
    "reference",
    "shopperReference",
    "returnUrl",
    "countryCode",
    "mode",
    "storePaymentMethodMode",
    "recurringProcessingModel",
    "shopperInteraction",
    "expiresAt",
    "allowedPaymentMethods",
    "shopperLocale",
    "shopperEmail",
    "shopperName",
    "telephoneNumber",
    "themeId",
    "metadata",
];

/// Status and body of an answer.
pub(super) type Answer = (u16, Value);

/// An error as the gateway words it.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    let kind = if status == 401 || status == 403 { "security" } else { "validation" };
    let body = json!({
        "status": status, "errorCode": code, "message": message, "errorType": kind, "pspReference": new_id(16),
    });
    (status, body)
}

fn missing(field: &str) -> Answer {
    error(422, "14_004", &format!("Missing required field: {field}"))
}

fn wrong(message: &str) -> Answer {
    error(422, "702", message)
}

/// Whether this is the account's merchant account.
pub(super) fn merchant_account(given: Option<&str>) -> Result<(), Answer> {
    match given {
        Some(MERCHANT_ACCOUNT) => Ok(()),
        Some(_) => Err(error(403, "901", "Invalid Merchant Account")),
        None => Err(missing("merchantAccount")),
    }
}

/// The request for a session, checked; gives the time at which it ends.
pub(super) fn session(body: &Value, now: i64) -> Result<i64, Answer> {
    let fields = body.as_object().ok_or_else(|| wrong("Unable to parse the request"))?;
    if let Some(unknown) = fields.keys().find(|field| !KNOWN.contains(&field.as_str())) {
        return Err(wrong(&format!("Unrecognized field: {unknown}")));
    }
    let text = |field: &str| fields.get(field).and_then(Value::as_str).filter(|text| !text.is_empty());
    merchant_account(text("merchantAccount"))?;
    amount(fields)?;
    text("reference").ok_or_else(|| missing("reference"))?;
    return_url(text("returnUrl").ok_or_else(|| missing("returnUrl"))?)?;
    let shopper = text("shopperReference").ok_or_else(|| missing("shopperReference"))?;
    if !(3..=256).contains(&shopper.len()) {
        return Err(wrong("shopperReference must have between 3 and 256 characters"));
    }
    let one_of = |field: &str, known: &[&str], required: bool| match text(field) {
        Some(value) if known.contains(&value) => Ok(()),
        None if !required && !fields.contains_key(field) => Ok(()),
        _ => Err(wrong(&format!("{field} must be one of {}", known.join(", ")))),
    };
    one_of("mode", &["embedded", "hosted"], false)?;
    one_of("storePaymentMethodMode", &["enabled"], true)?;
    one_of("recurringProcessingModel", &["CardOnFile", "Subscription", "UnscheduledCardOnFile"], true)?;
    one_of("shopperInteraction", &["Ecommerce"], true)?;
    if let Some(offered) = fields.get("allowedPaymentMethods") {
        let offered = offered.as_array().ok_or_else(|| wrong("allowedPaymentMethods must be a list"))?;
        if offered.iter().any(|kind| kind != SCHEME) {
            return Err(wrong("This sandbox saves cards: the one type that it knows is scheme"));
        }
    }
    metadata(fields.get("metadata"))?;
    expiry(fields.get("expiresAt"), now)
}

fn amount(fields: &Map<String, Value>) -> Result<(), Answer> {
    let amount = fields.get("amount").ok_or_else(|| error(422, "100", "No amount specified"))?;
    let currency = amount["currency"].as_str().unwrap_or_default();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(error(422, "138", "Unsupported currency specified"));
    }
    if amount["value"] == 0 {
        return Ok(());
    }
    Err(wrong("This sandbox saves payment methods: amount.value must be 0"))
}

fn return_url(text: &str) -> Result<(), Answer> {
    let good = Url::parse(text).is_ok_and(|url| ["http", "https"].contains(&url.scheme()));
    if good { Ok(()) } else { Err(wrong("returnUrl is not a URL of http or https")) }
}

fn metadata(metadata: Option<&Value>) -> Result<(), Answer> {
    let Some(metadata) = metadata else { return Ok(()) };
    let metadata = metadata.as_object().ok_or_else(|| wrong("metadata must be an object"))?;
    if metadata.len() > 20 {
        return Err(error(422, "177", "Metadata size exceeds limit"));
    }
    if metadata.keys().any(|key| key.chars().count() > 20) {
        return Err(error(422, "178", "Metadata key size exceeds limit"));
    }
    let fits = |value: &Value| value.as_str().is_some_and(|value| value.chars().count() <= 80);
    if metadata.values().all(fits) {
        Ok(())
    } else {
        Err(error(422, "179", "Metadata value size exceeds limit"))
    }
}

fn expiry(given: Option<&Value>, now: i64) -> Result<i64, Answer> {
    let Some(given) = given else { return Ok(now + HOUR) };
    let at = given.as_str().and_then(crate::clock::parse);
    let at = at.ok_or_else(|| wrong("expiresAt is not a time in ISO 8601"))?;
    if at > now && at <= now + DAY {
        Ok(at)
    } else {
        Err(wrong("expiresAt must be at most 24 hours from now"))
    }
}
