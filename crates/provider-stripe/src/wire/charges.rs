//! The types of PaymentIntents and refunds.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::{Answer, from_object, id, object, seconds, text, texts};

impl Answer for PaymentIntent {}
impl Answer for Refund {}
impl Answer for List<PaymentIntent> {}
impl Answer for List<Refund> {}

/// A charge.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PaymentIntent {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "seconds")]
    pub(crate) amount: Option<i64>,
    #[serde(deserialize_with = "seconds")]
    pub(crate) amount_received: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "id")]
    pub(crate) customer: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) client_secret: Option<String>,
    #[serde(deserialize_with = "object")]
    pub(crate) next_action: Action,
    #[serde(deserialize_with = "object")]
    pub(crate) last_payment_error: PaymentError,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// What the customer has to do.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Action {
    #[serde(deserialize_with = "object")]
    pub(crate) redirect_to_url: Redirect,
}

/// A page that they have to go to.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Redirect {
    #[serde(deserialize_with = "text")]
    pub(crate) url: Option<String>,
}

/// Why an attempt failed: a part of a PaymentIntent, and the body of an answer that refuses.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct PaymentError {
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) decline_code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) param: Option<String>,
    /// The PaymentIntent as it then stands. Absent in one that is itself a part of it.
    pub(crate) payment_intent: Value,
}

/// The body of an answer that refuses.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Refusal {
    #[serde(deserialize_with = "object")]
    pub(crate) error: PaymentError,
}

/// Money that goes back.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Refund {
    #[serde(deserialize_with = "text")]
    pub(crate) id: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) status: Option<String>,
    #[serde(deserialize_with = "seconds")]
    pub(crate) amount: Option<i64>,
    #[serde(deserialize_with = "text")]
    pub(crate) currency: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) failure_reason: Option<String>,
    #[serde(deserialize_with = "id")]
    pub(crate) payment_intent: Option<String>,
    #[serde(deserialize_with = "texts")]
    pub(crate) metadata: BTreeMap<String, String>,
}

/// A page of a list, newest first.
#[derive(Deserialize)]
#[serde(default, bound(deserialize = "T: DeserializeOwned"))]
pub(crate) struct List<T> {
    #[serde(deserialize_with = "objects")]
    pub(crate) data: Vec<T>,
    /// Whether others follow; they do when nothing is said.
    pub(crate) has_more: Value,
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self { data: Vec::new(), has_more: Value::Null }
    }
}

fn objects<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    let Value::Array(items) = Value::deserialize(deserializer)? else { return Ok(Vec::new()) };
    Ok(items.into_iter().filter_map(from_object).collect())
}
