//! The types of payments and of what changes them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Amount, Answer, object, text};

/// `POST /payments` with a stored method.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CreatePayment<'a> {
    pub(crate) merchant_account: &'a str,
    pub(crate) amount: Amount<'a>,
    pub(crate) reference: String,
    pub(crate) payment_method: StoredMethodRef<'a>,
    pub(crate) shopper_reference: &'a str,
    pub(crate) shopper_interaction: &'static str,
    pub(crate) recurring_processing_model: &'static str,
    pub(crate) country_code: &'a str,
    pub(crate) return_url: &'a str,
    pub(crate) redirect_to_issuer_method: &'static str,
    pub(crate) redirect_from_issuer_method: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capture_delay_hours: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) additional_data: Option<AdditionalData>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) metadata: &'a BTreeMap<String, String>,
}

/// A stored method of the shopper.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoredMethodRef<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) stored_payment_method_id: &'a str,
}

/// What is said of a payment beside.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdditionalData {
    /// A text, as everything in there.
    pub(crate) manual_capture: &'static str,
}

/// `POST /payments/{id}/captures`, `…/cancels`, `…/refunds`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Modify<'a> {
    pub(crate) merchant_account: &'a str,
    pub(crate) reference: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) amount: Option<Amount<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) merchant_refund_reason: Option<&'static str>,
}

/// A payment, as it was made or as its details were submitted.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Payment {
    #[serde(deserialize_with = "text")]
    pub(crate) psp_reference: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) result_code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) refusal_reason_code: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) merchant_reference: Option<String>,
    pub(crate) amount: Value,
    #[serde(deserialize_with = "object")]
    pub(crate) action: Action,
}

/// What the customer has to do.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Action {
    #[serde(rename = "type", deserialize_with = "text")]
    pub(crate) kind: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) url: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) method: Option<String>,
}

/// A change that was taken in; how it ends is told later.
#[derive(Deserialize, Default)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Received {
    #[serde(deserialize_with = "text")]
    pub(crate) psp_reference: Option<String>,
    #[serde(deserialize_with = "text")]
    pub(crate) payment_psp_reference: Option<String>,
    pub(crate) amount: Value,
}

impl Answer for Payment {}
impl Answer for Received {}
