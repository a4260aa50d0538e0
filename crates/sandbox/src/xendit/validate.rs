//! What `POST /sessions` refuses: first what breaks the schema, then each broken rule by its own code.

pub(super) mod payments;
mod schema;

use serde_json::{Map, Value};

use super::channels::{self, CURRENCIES};
use super::error::ApiError;
use crate::clock::parse;

const MIN_LIFETIME: i64 = 10 * 60_000;
/// The documentation names no maximum; a year refuses what is surely a mistake.
const MAX_LIFETIME: i64 = 366 * 24 * 3_600_000;

pub(super) struct Rules {
    pub(super) strict_recurring: bool,
    pub(super) now: i64,
}

/// Checks a whole request; schema problems come first and together, then the first broken rule.
pub(super) fn session(body: &Map<String, Value>, rules: &Rules) -> Result<(), ApiError> {
    schema::check(body, rules.strict_recurring)?;
    let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
    if text("session_type") != "SAVE" {
        return Err(ApiError::new(
            400,
            "SESSION_TYPE_NOT_SUPPORTED",
            "The session_type is not supported by this sandbox, which saves payment methods",
        ));
    }
    if text("mode") != "PAYMENT_LINK" {
        return Err(ApiError::new(
            400,
            "MODE_NOT_SUPPORTED",
            "The mode is not supported by this sandbox, which hosts payment links",
        ));
    }
    if body.get("amount").and_then(Value::as_f64) != Some(0.0) {
        return Err(ApiError::new(400, "INVALID_AMOUNT", "The amount must be 0 when session_type is SAVE"));
    }
    if !CURRENCIES.contains(&text("currency")) {
        return Err(ApiError::new(400, "INVALID_CURRENCY", "The currency is not supported"));
    }
    let Some(channels) = channels::of_country(text("country")) else {
        return Err(ApiError::new(400, "INVALID_COUNTRY", "The country is not supported"));
    };
    if !is_null(body.get("items")) && body.get("items") != Some(&Value::Array(Vec::new())) {
        return Err(ApiError::new(
            400,
            "ITEMS_NOT_SUPPORTED",
            "items is only supported when session_type is PAY",
        ));
    }
    if !is_null(body.get("capture_method")) {
        return Err(ApiError::new(
            400,
            "DISALLOWED_CAPTURE_METHOD",
            "capture_method is not allowed when session_type is SAVE",
        ));
    }
    if let Some(id) = body.get("customer_id").filter(|id| !id.is_null())
        && id.as_str().is_none_or(|id| id.len() != 41 || !id.starts_with("cust-"))
    {
        return Err(ApiError::new(
            400,
            "INVALID_CUSTOMER_ID",
            "The customer_id must have 41 characters and begin with cust-",
        ));
    }
    if is_null(body.get("customer")) && is_null(body.get("customer_id")) {
        return Err(ApiError::new(
            400,
            "MISSING_CUSTOMER",
            "customer or customer_id is required when session_type is SAVE",
        ));
    }
    allowed(body, channels)?;
    urls(body)?;
    metadata(body)?;
    expiry(body, rules.now)
}

fn is_null(value: Option<&Value>) -> bool {
    value.is_none_or(Value::is_null)
}

fn allowed(body: &Map<String, Value>, channels: &[channels::Channel]) -> Result<(), ApiError> {
    let listed = body.get("allowed_payment_channels").and_then(Value::as_array).cloned().unwrap_or_default();
    for code in &listed {
        if !channels.iter().any(|channel| Some(channel.code) == code.as_str()) {
            let message = format!(
                "The payment channel {code} cannot save payment methods in this country or is not activated"
            );
            return Err(ApiError::new(400, "INVALID_PAYMENT_CHANNEL", message));
        }
    }
    let primary =
        body.get("payment_link_configuration").and_then(|link| link.get("primary_payment_channels"));
    for code in primary.and_then(Value::as_array).into_iter().flatten() {
        if !listed.contains(code) {
            let message = "primary_payment_channels must be a subset of allowed_payment_channels";
            return Err(ApiError::new(400, "INVALID_PRIMARY_PAYMENT_CHANNEL", message));
        }
    }
    Ok(())
}

fn urls(body: &Map<String, Value>) -> Result<(), ApiError> {
    for field in ["success_return_url", "cancel_return_url"] {
        let Some(value) = body.get(field).filter(|value| !value.is_null()) else { continue };
        if !value.as_str().is_some_and(is_https_or_local) {
            return Err(ApiError::new(400, "INVALID_URL", format!("{field} must be a valid HTTPS URL")));
        }
    }
    Ok(())
}

fn is_https_or_local(text: &str) -> bool {
    let loopback = |url: &url::Url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let parsed = url::Url::parse(text).ok();
    parsed.is_some_and(|url| url.scheme() == "https" || (url.scheme() == "http" && loopback(&url)))
}

fn metadata(body: &Map<String, Value>) -> Result<(), ApiError> {
    let refused = || {
        ApiError::new(
            400,
            "INVALID_METADATA",
            "metadata holds up to 20 keys of up to 40 characters with string values of up to 80",
        )
    };
    match body.get("metadata") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::Object(pairs)) => {
            let fits = |(key, value): (&String, &Value)| {
                key.chars().count() <= 40 && value.as_str().is_some_and(|value| value.chars().count() <= 80)
            };
            if pairs.len() <= 20 && pairs.iter().all(fits) { Ok(()) } else { Err(refused()) }
        }
        Some(_) => Err(refused()),
    }
}

fn expiry(body: &Map<String, Value>, now: i64) -> Result<(), ApiError> {
    let Some(value) = body.get("expires_at").filter(|value| !value.is_null()) else { return Ok(()) };
    let at = value.as_str().and_then(parse);
    // A request takes its time; what was ten minutes ahead when it was sent is accepted.
    if at.is_some_and(|at| at >= now + MIN_LIFETIME - 2_000 && at <= now + MAX_LIFETIME) {
        return Ok(());
    }
    Err(ApiError::new(
        400,
        "INVALID_EXPIRY_DATE",
        "expires_at must be at least 10 minutes from now and not beyond the maximum",
    ))
}
