//! What webhooks of the reference gateway tell about charges and refunds: believed where they are declared to be signed.

use billfold_core::charge::{CaptureMode, Decline, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{ProviderChargeStatus, ProviderRefund, SignedCharge};
use serde_json::{Value, json};

use super::charges::{LedgerCharge, LedgerRefund};

impl LedgerCharge {
    /// The body of a webhook that tells where the charge stands.
    pub fn news(&self, event: &str) -> Value {
        let mut body = json!({
            "event": event, "charge": self.id, "reference": self.reference,
            "status": self.status, "amount": self.money.amount, "currency": self.money.currency,
        });
        // News of a capture tells what was captured.
        if self.status == ProviderChargeStatus::Succeeded && self.asked.capture == CaptureMode::Manual {
            body["captured"] = json!(self.captured);
        }
        if let Some(decline) = &self.decline {
            body["decline"] = json!(decline);
        }
        body
    }

    /// The body of a webhook that tells where a refund of the charge stands.
    pub fn refund_news(&self, event: &str, refund: &LedgerRefund) -> Value {
        json!({
            "event": event, "charge": self.id, "reference": self.reference, "refund": refund.id,
            "refund_reference": refund.reference, "refund_status": refund.status,
            "amount": refund.money.amount, "currency": refund.money.currency,
        })
    }
}

pub(super) fn told(body: &Value) -> Option<SignedCharge> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let amount = body.get("amount")?.as_i64()?;
    let money = Money { amount, currency: text("currency")?.parse().ok()? };
    if let Some(reference) = text("refund_reference") {
        let status: RefundStatus = serde_json::from_value(body.get("refund_status")?.clone()).ok()?;
        let mut refund = ProviderRefund::new(text("refund")?, status);
        refund.money = Some(money);
        let mut told = SignedCharge::new(ProviderChargeStatus::Unknown, money);
        told.refund = Some((reference.to_owned(), refund));
        return Some(told);
    }
    let status: ProviderChargeStatus = serde_json::from_value(body.get("status")?.clone()).ok()?;
    let mut told = SignedCharge::new(status, money);
    told.captured = body.get("captured").and_then(Value::as_i64);
    told.decline =
        body.get("decline").and_then(|decline| serde_json::from_value::<Decline>(decline.clone()).ok());
    Some(told)
}
