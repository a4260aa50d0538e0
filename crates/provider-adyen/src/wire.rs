//! The gateway's own types. Of its answers only what Billfold uses is read, and everything is optional. Nothing
//! here prints itself, because links, session data and ids of stored payment methods are secrets.

pub(crate) mod payment;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// `POST /sessions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreateSession<'a> {
    pub(crate) merchant_account: &'a str,
    pub(crate) amount: Amount<'a>,
    pub(crate) reference: &'a str,
    pub(crate) shopper_reference: &'a str,
    pub(crate) return_url: &'a str,
    pub(crate) country_code: &'a str,
    pub(crate) mode: &'static str,
    pub(crate) store_payment_method_mode: &'static str,
    pub(crate) recurring_processing_model: &'static str,
    pub(crate) shopper_interaction: &'static str,
    pub(crate) expires_at: String,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub(crate) allowed_payment_methods: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shopper_locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shopper_email: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) shopper_name: Option<Name<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) telephone_number: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) theme_id: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: &'a BTreeMap<String, String>,
}

/// An amount in minor units.
#[derive(Serialize)]
pub(crate) struct Amount<'a> {
    pub(crate) value: i64,
    pub(crate) currency: &'a str,
}

/// A name; the gateway wants both parts or none.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Name<'a> {
    pub(crate) first_name: &'a str,
    pub(crate) last_name: &'a str,
}

/// `POST /payments/details`.
#[derive(Serialize)]
pub(crate) struct SubmitDetails<'a> {
    pub(crate) details: Details<'a>,
}

/// What a redirect brought back.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Details<'a> {
    pub(crate) redirect_result: &'a str,
}

/// The part of an embedded session that the gateway's script is given, under the names that it wants.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ForTheScript<'a> {
    pub(crate) id: &'a str,
    pub(crate) session_data: &'a str,
}

/// What an answer is read as.
pub(crate) trait Answer: DeserializeOwned {}

impl Answer for Session {}
impl Answer for SessionResult {}
impl Answer for DetailsResult {}
impl Answer for StoredMethods {}

/// A session that was made.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Session {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) reference: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) session_data: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expires_at: Option<String>,
}

/// How a session stands, by `GET /sessions/{id}`.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct SessionResult {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) reference: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
}

/// What became of submitted details.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct DetailsResult {
    #[serde(deserialize_with = "text")]
    pub(crate) result_code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) merchant_reference: Option<String>,
}

/// The stored methods of one shopper.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct StoredMethods {
    #[serde(deserialize_with = "text")]
    pub(crate) shopper_reference: Option<String>,
    /// Not read into a list here: an answer without one is another thing than an empty list.
    pub(crate) stored_payment_methods: Value,
}

/// One stored method. Names, addresses and whole account numbers are not kept.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct StoredMethod {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) shopper_reference: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) brand: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) last_four: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) iban: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expiry_month: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expiry_year: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) issuer_name: Option<String>,
    /// The gateway's stand-in for the card's number.
    #[serde(deserialize_with = "text")]
    pub(crate) alias: Option<String>,
}

/// A token webhook.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TokenEvent {
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) event_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) environment: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(crate) data: TokenEventData,
}

/// What it is about.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct TokenEventData {
    #[serde(deserialize_with = "text")]
    pub(crate) merchant_account: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) shopper_reference: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) stored_payment_method_id: Option<String>,
}

/// Text, or a number as text; anything else, and the empty text, counts as absent.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    })
}

/// An object; anything else counts as one without fields.
fn object<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: Default + DeserializeOwned,
    D: Deserializer<'de>,
{
    Ok(from_object(Value::deserialize(deserializer)?).unwrap_or_default())
}

/// Reads an object and nothing else: serde would also fill a struct from an array.
pub(crate) fn from_object<T: DeserializeOwned>(value: Value) -> Option<T> {
    if !value.is_object() {
        return None;
    }
    serde_json::from_value(value).ok()
}
