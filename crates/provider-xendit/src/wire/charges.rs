//! The types of payment requests, payments and refunds. Amounts are written and read digit by digit, as the decimals
//! that they are.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{Answer, RecurringConfiguration, object, text};

/// `POST /v3/payment_requests` with a token.
#[derive(Serialize)]
pub(crate) struct CreatePaymentRequest {
    pub(crate) reference_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    pub(crate) payment_token_id: String,
    pub(crate) country: String,
    pub(crate) currency: String,
    pub(crate) request_amount: Box<RawValue>,
    pub(crate) capture_method: &'static str,
    pub(crate) channel_properties: ChargeProperties,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// How a saved method is charged.
#[derive(Serialize, Default)]
pub(crate) struct ChargeProperties {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) card_on_file_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recurring_configuration: Option<RecurringConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transaction_sequence: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) network_transaction_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skip_three_ds: Option<bool>,
    pub(crate) success_return_url: String,
    pub(crate) failure_return_url: String,
}

/// `POST /v3/payments/{id}/capture`.
#[derive(Serialize)]
pub(crate) struct CreateCapture {
    pub(crate) capture_amount: Box<RawValue>,
}

/// `POST /refunds`.
#[derive(Serialize)]
pub(crate) struct CreateRefund {
    pub(crate) payment_request_id: String,
    pub(crate) reference_id: String,
    pub(crate) currency: String,
    pub(crate) amount: Box<RawValue>,
    pub(crate) reason: &'static str,
}

impl Answer for PaymentRequest {}
impl Answer for Payment {}
impl Answer for Refund {}
impl Answer for RefundList {}

/// A charge: the answer to create, get and cancel, and the `data` of `payment_request.*` webhooks.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PaymentRequest {
    #[serde(deserialize_with = "text")]
    pub(crate) payment_request_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) latest_payment_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) reference_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) customer_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) business_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) country: Option<String>,
    #[serde(deserialize_with = "decimal")]
    pub(crate) request_amount: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) capture_method: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) failure_code: Option<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) actions: Vec<Action>,
    #[serde(deserialize_with = "object")]
    pub(crate) payment_details: PaymentDetails,
}

/// What the customer has to do.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Action {
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) descriptor: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) value: Option<String>,
}

/// A movement of money that a payment request led to: the answer to get, capture and cancel, and the `data` of
/// `payment.*` webhooks.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Payment {
    #[serde(deserialize_with = "text")]
    pub(crate) payment_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) payment_request_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) reference_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) business_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "decimal")]
    pub(crate) request_amount: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) failure_code: Option<String>,
    #[serde(deserialize_with = "list")]
    pub(crate) captures: Vec<Capture>,
    #[serde(deserialize_with = "object")]
    pub(crate) payment_details: PaymentDetails,
}

/// What was taken of an authorized amount.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Capture {
    #[serde(deserialize_with = "decimal")]
    pub(crate) capture_amount: Option<String>,
}

/// What the card's network said.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PaymentDetails {
    #[serde(deserialize_with = "object")]
    pub(crate) authorization_data: AuthorizationData,
}

/// What later charges of the same card refer to.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct AuthorizationData {
    #[serde(deserialize_with = "text")]
    pub(crate) network_transaction_id: Option<String>,
}

/// A refund: the answer to create and get, and the `data` of its webhooks.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Refund {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) payment_request_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) reference_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "decimal")]
    pub(crate) amount: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) failure_code: Option<String>,
}

/// The latest refunds of the account.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct RefundList {
    #[serde(deserialize_with = "list")]
    pub(crate) data: Vec<Refund>,
}

/// A number as it is written, or a text; anything else, and the empty text, counts as absent.
fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let written = raw.get();
    Ok(match written.as_bytes().first() {
        Some(b'-' | b'0'..=b'9') => Some(written.to_owned()),
        Some(b'"') => serde_json::from_str(written).ok().filter(|text: &String| !text.is_empty()),
        _ => None,
    })
}

/// A list of objects; anything else counts as empty.
fn list<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let raw = Box::<RawValue>::deserialize(deserializer)?;
    let items: Vec<Box<RawValue>> = serde_json::from_str(raw.get()).unwrap_or_default();
    let objects = items.iter().filter(|item| item.get().starts_with('{'));
    Ok(objects.filter_map(|item| serde_json::from_str(item.get()).ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_they_are_written() {
        let amount = |written: &str| {
            let text = format!(r#"{{"request_amount":{written},"actions":[7,{{"value":"u"}}]}}"#);
            let read: PaymentRequest = serde_json::from_str(&text).unwrap();
            assert_eq!(read.actions.len(), 1);
            read.request_amount
        };
        for (written, read) in [
            ("90071992547409.93", "90071992547409.93"),
            ("10.50", "10.50"),
            ("\"10000.01\"", "10000.01"),
            ("1e3", "1e3"),
        ] {
            assert_eq!(amount(written).as_deref(), Some(read));
        }
        for nothing in ["null", "\"\"", "true", "{}", "[1]"] {
            assert_eq!(amount(nothing), None, "{nothing}");
        }
    }
}
