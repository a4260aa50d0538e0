//! What `POST /v3/payment_requests` and `POST /refunds` refuse.

use serde_json::{Map, Value};

use super::schema::{Problems, is_return_url};
use crate::xendit::channels::{self, CURRENCIES};
use crate::xendit::charges::hundredths;
use crate::xendit::error::ApiError;

const FIELDS: [&str; 10] = [
    "reference_id",
    "type",
    "payment_token_id",
    "country",
    "currency",
    "request_amount",
    "capture_method",
    "channel_properties",
    "description",
    "metadata",
];
const PROPERTIES: [&str; 12] = [
    "card_on_file_type",
    "recurring_configuration",
    "transaction_sequence",
    "skip_three_ds",
    "mid_label",
    "statement_descriptor",
    "network_transaction_id",
    "billing_information",
    "success_return_url",
    "failure_return_url",
    "cancel_return_url",
    "expires_at",
];
const REFUND: [&str; 6] = ["payment_request_id", "reason", "reference_id", "currency", "amount", "metadata"];
const REASONS: [&str; 5] = ["FRAUDULENT", "DUPLICATE", "REQUESTED_BY_CUSTOMER", "CANCELLATION", "OTHERS"];

/// Checks a charge of a token; says its amount in hundredths.
pub(in crate::xendit) fn payment_request(
    body: &Map<String, Value>,
    strict_recurring: bool,
) -> Result<i64, ApiError> {
    let mut problems = Problems::default();
    for field in ["reference_id", "type", "payment_token_id", "country", "currency", "request_amount"] {
        if super::is_null(body.get(field)) {
            problems.missing("/body", field);
        }
    }
    problems.unknown("/body", body, &FIELDS);
    problems.text("/body", body, "reference_id", 1, 255);
    problems.text("/body", body, "description", 1, 1000);
    problems.one_of("/body", body, "type", &["PAY"]);
    problems.one_of("/body", body, "currency", &CURRENCIES);
    problems.one_of("/body", body, "capture_method", &["AUTOMATIC", "MANUAL"]);
    problems.form("/body", body, "country", "must be equal to one of the allowed values", |country| {
        channels::of_country(country).is_some()
    });
    if let Some(properties) = problems.object("/body", body, "channel_properties") {
        let path = "/body/channel_properties";
        problems.unknown(path, properties, &PROPERTIES);
        problems.one_of(path, properties, "transaction_sequence", &["INITIAL", "SUBSEQUENT"]);
        for field in ["success_return_url", "failure_return_url", "cancel_return_url"] {
            problems.form(
                path,
                properties,
                field,
                "must be an HTTPS URL of 11 to 255 characters",
                is_return_url,
            );
        }
        problems.form(path, properties, "network_transaction_id", "must be numeric in test mode", |id| {
            !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())
        });
        problems.usage(path, properties, strict_recurring);
    }
    problems.end()?;
    let amount = body.get("request_amount").and_then(hundredths).filter(|amount| *amount > 0);
    let whole = body.get("currency").and_then(Value::as_str) == Some("VND");
    amount.filter(|amount| !whole || amount % 100 == 0).ok_or_else(|| {
        let message = "request_amount must be above 0 and have no more decimals than its currency";
        ApiError::new(400, "INVALID_VALUE_ERROR", message)
    })
}

/// Checks the form of a refund.
pub(in crate::xendit) fn refund(body: &Map<String, Value>) -> Result<(), ApiError> {
    let mut problems = Problems::default();
    for field in ["payment_request_id", "reason"] {
        if super::is_null(body.get(field)) {
            problems.missing("/body", field);
        }
    }
    problems.unknown("/body", body, &REFUND);
    problems.one_of("/body", body, "reason", &REASONS);
    problems.one_of("/body", body, "currency", &CURRENCIES);
    problems.text("/body", body, "reference_id", 1, 255);
    problems.end()
}
