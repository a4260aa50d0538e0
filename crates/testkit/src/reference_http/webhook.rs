//! Webhooks: verified and read. Pure.

use std::time::Duration;

use aws_lc_rs::hmac;
use billfold_core::capability::Trust;
use billfold_core::entropy::SystemEntropy;
use billfold_core::provider::{EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection};
use billfold_core::secret::{ExposeSecret, SecretString, matches_secret};
use http::{HeaderMap, HeaderName};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::api::{Charge, Refund};
use super::charging::charge_subject;

/// The header of a shared token or a signature.
pub(super) const PROOF_HEADER: HeaderName = HeaderName::from_static("reference-proof");
/// How old or how early a signed webhook may be.
pub(super) const TOLERANCE: Duration = Duration::from_mins(5);

/// How webhooks prove their origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    /// A shared token in a header, and nothing that covers the body.
    Token,
    /// A signature over time and body in a header.
    Signature,
    /// A signature in each event of the body.
    Items,
}

/// A delivery's body.
#[derive(Serialize, Deserialize)]
pub(super) struct Body {
    pub(super) events: Vec<Event>,
}

/// One event. Everything but the proof is what the proof covers.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) name: String,
    #[serde(default)]
    pub(super) session: Option<String>,
    #[serde(default)]
    pub(super) token: Option<String>,
    #[serde(default)]
    pub(super) reference: Option<String>,
    #[serde(default)]
    pub(super) status: Option<String>,
    /// The charge that it is about, as it is now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) charge: Option<Charge>,
    /// The refund of that charge that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) refund: Option<Refund>,
    /// Counts the attempts at the delivery.
    #[serde(default)]
    pub(super) attempt: u32,
    #[serde(default)]
    pub(super) mac: Option<String>,
}

impl Event {
    /// What the proof in the event covers.
    pub(super) fn covered(&self) -> String {
        let parts = [&self.session, &self.token, &self.reference, &self.status];
        let parts: Vec<&str> = parts.iter().map(|part| part.as_deref().unwrap_or_default()).collect();
        let charge = serde_json::to_string(&(&self.charge, &self.refund)).unwrap_or_default();
        format!("{}|{}|{charge}", self.name, parts.join("|"))
    }
}

/// Verifies and reads a delivery.
pub(super) fn read(
    proof: Proof,
    secrets: &[SecretString],
    delivery: &WebhookDelivery,
) -> Result<WebhookBatch, WebhookRejection> {
    let header = match proof {
        Proof::Items => None,
        _ => Some(only(&delivery.headers).ok_or(WebhookRejection::Unauthentic)?),
    };
    let authentic = secrets.iter().any(|secret| match (proof, header) {
        (Proof::Token, Some(given)) => {
            matches_secret(secret, given.as_bytes(), &SystemEntropy).unwrap_or(false)
        }
        (Proof::Signature, Some(given)) => signed(secret, given, delivery),
        _ => true,
    });
    if !authentic {
        return Err(WebhookRejection::Unauthentic);
    }
    let body = serde_json::from_slice::<Value>(&delivery.body).ok().filter(Value::is_object);
    let Some(body) = body.and_then(|body| serde_json::from_value::<Body>(body).ok()) else {
        // Where the proof is in the body, what cannot be read proves nothing.
        let unproven = proof == Proof::Items;
        return Err(if unproven { WebhookRejection::Unauthentic } else { WebhookRejection::Unreadable });
    };
    let trust = if proof == Proof::Token { Trust::Hint } else { Trust::Signed };
    let sealed = |event: &Event| secrets.iter().any(|secret| item_is_sealed(secret, event));
    if proof == Proof::Items && !body.events.iter().all(sealed) {
        return Err(WebhookRejection::Unauthentic);
    }
    let read = |one: Event| event(one, trust);
    Ok(WebhookBatch::new(trust, body.events.into_iter().map(read).collect()))
}

fn only(headers: &HeaderMap) -> Option<&str> {
    let mut given = headers.get_all(PROOF_HEADER).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return None };
    only.to_str().ok().filter(|value| !value.is_empty())
}

fn signed(secret: &SecretString, header: &str, delivery: &WebhookDelivery) -> bool {
    let Some((time, given)) = header.strip_prefix("t=").and_then(|rest| rest.split_once(",v1=")) else {
        return false;
    };
    let (Ok(at), Ok(given)) = (time.parse::<i64>(), hex::decode(given)) else { return false };
    let now = delivery.received_at.as_millis() / 1000;
    if Duration::from_secs(now.abs_diff(at)) > TOLERANCE {
        return false;
    }
    let message = [format!("{time}.").as_bytes(), &delivery.body[..]].concat();
    verify(secret, &message, &given)
}

fn item_is_sealed(secret: &SecretString, event: &Event) -> bool {
    let given = event.mac.as_deref().and_then(|mac| hex::decode(mac).ok());
    given.is_some_and(|given| verify(secret, event.covered().as_bytes(), &given))
}

fn verify(secret: &SecretString, message: &[u8], given: &[u8]) -> bool {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
    !secret.expose_secret().is_empty() && hmac::verify(&key, message, given).is_ok()
}

fn event(event: Event, trust: Trust) -> ProviderEvent {
    // The attempt has no part in it: each attempt at one event has the same key.
    let key = event.covered();
    if event.charge.is_some() {
        let subject = charge_subject(&event, trust);
        return ProviderEvent::new(event.name, key, subject);
    }
    let subject = match (event.token, event.session) {
        (Some(token), _) => EventSubject::Method { token, merchant_reference: event.reference },
        (None, Some(session)) => {
            EventSubject::Session { reference: Some(session), merchant_reference: event.reference }
        }
        (None, None) => EventSubject::Other,
    };
    ProviderEvent::new(event.name, key, subject)
}
