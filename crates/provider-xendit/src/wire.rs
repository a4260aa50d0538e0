//! The gateway's own types. Of its answers only what Billfold uses is read, and everything is
//! optional: fields come absent or null, and numbers sometimes as text. Nothing here prints itself,
//! because links and token ids are secrets.

pub(crate) mod charges;

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The version header of the token and payment endpoints.
pub(crate) const TOKENS_VERSION: &str = "2024-11-11";
/// The version header of the customer endpoints.
pub(crate) const CUSTOMERS_VERSION: &str = "2020-10-31";

/// `POST /sessions`.
#[derive(Serialize)]
pub(crate) struct CreateSession {
    pub(crate) reference_id: String,
    pub(crate) session_type: &'static str,
    pub(crate) mode: &'static str,
    pub(crate) amount: u8,
    pub(crate) currency: String,
    pub(crate) country: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) customer: Option<CreateCustomer>,
    pub(crate) channel_properties: ChannelProperties,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) allowed_payment_channels: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) payment_link_configuration: Option<PaymentLinkConfiguration>,
    pub(crate) expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) notification_channels: Vec<String>,
    pub(crate) success_return_url: String,
    pub(crate) cancel_return_url: String,
}

/// Settings by kind of channel.
#[derive(Serialize)]
pub(crate) struct ChannelProperties {
    pub(crate) cards: CardProperties,
}

/// What a saved card will be used for.
#[derive(Serialize)]
pub(crate) struct CardProperties {
    pub(crate) card_on_file_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recurring_configuration: Option<RecurringConfiguration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) skip_three_ds: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mid_label: Option<String>,
}

/// The terms of merchant-initiated charges.
#[derive(Serialize)]
pub(crate) struct RecurringConfiguration {
    /// In days.
    pub(crate) recurring_frequency: u32,
    /// `YYYY-MM-DD`.
    pub(crate) recurring_expiry: String,
}

/// How the hosted page looks.
#[derive(Serialize)]
pub(crate) struct PaymentLinkConfiguration {
    pub(crate) primary_payment_channels: Vec<String>,
}

/// `POST /customers`, and the customer inside a session's request.
#[derive(Serialize)]
pub(crate) struct CreateCustomer {
    pub(crate) reference_id: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) mobile_number: Option<String>,
    pub(crate) individual_detail: IndividualDetail,
}

/// A person.
#[derive(Serialize)]
pub(crate) struct IndividualDetail {
    pub(crate) given_names: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) surname: Option<String>,
}

/// What an answer is read as.
pub(crate) trait Answer: DeserializeOwned {
    /// Whether it may be a list; serde would fill any struct from one.
    const MAY_BE_LIST: bool = false;
}

impl Answer for Session {}
impl Answer for Token {}
impl Answer for Customer {}
impl Answer for CustomerList {
    const MAY_BE_LIST: bool = true;
}

/// A session: the answer to create, get and cancel, and the `data` of its webhooks.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Session {
    #[serde(deserialize_with = "text")]
    pub(crate) payment_session_id: Option<String>,
    /// What some webhooks say instead of `payment_session_id`.
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
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
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expires_at: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) payment_link_url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) payment_token_id: Option<String>,
}

/// A saved token: the answer to get and cancel, and the `data` of its webhooks.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Token {
    #[serde(deserialize_with = "text")]
    pub(crate) payment_token_id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
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
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) channel_code: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(crate) channel_properties: TokenProperties,
    #[serde(deserialize_with = "object")]
    pub(crate) token_details: TokenDetails,
}

/// Where cards have their details.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct TokenProperties {
    #[serde(deserialize_with = "object")]
    pub(crate) card_details: CardDetails,
}

/// A card, without the cardholder's name and address, which Billfold does not keep.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct CardDetails {
    #[serde(deserialize_with = "text")]
    pub(crate) masked_card_number: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expiry_month: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) expiry_year: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) fingerprint: Option<String>,
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) funding: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) network: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) country: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) issuer: Option<String>,
}

/// Where wallets and bank accounts have theirs. Names and balances are not read at all.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct TokenDetails {
    #[serde(deserialize_with = "text")]
    pub(crate) account_number: Option<String>,
}

/// A customer.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Customer {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) reference_id: Option<String>,
}

/// The answer to a search for customers: a page, or in older versions a bare list.
#[derive(Deserialize)]
#[serde(untagged)]
pub(crate) enum CustomerList {
    /// Today's form.
    Page {
        /// The matches.
        data: Vec<Customer>,
    },
    /// The older form.
    Bare(Vec<Customer>),
}

/// The body of an error.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct ErrorBody {
    #[serde(deserialize_with = "text")]
    pub(crate) error_code: Option<String>,
    pub(crate) errors: Value,
}

/// The envelope of every webhook.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Envelope {
    #[serde(deserialize_with = "text")]
    pub(crate) event: Option<String>,
    pub(crate) data: Value,
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
