//! Webhooks: `reference-proof: t=TIME,v1=HEX`, where HEX is the HMAC-SHA-256 of `TIME.BODY`. Pure.

use std::time::Duration;

use aws_lc_rs::hmac;
use billfold_core::capability::Trust;
use billfold_core::provider::{EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection};
use billfold_core::secret::{ExposeSecret, SecretString};
use http::HeaderMap;

use crate::wire::{Event, Notification};

const HEADER: &str = "reference-proof";
/// How old a webhook may be, and how far its clock may be ahead of ours.
const TOLERANCE: Duration = Duration::from_mins(5);

/// Verifies a delivery by one of the secrets, and reads it.
pub(crate) fn read<'a>(
    mut secrets: impl Iterator<Item = &'a SecretString>,
    delivery: &WebhookDelivery,
) -> Result<WebhookBatch, WebhookRejection> {
    let proof = Proof::of(&delivery.headers).ok_or(WebhookRejection::Unauthentic)?;
    let now = delivery.received_at.as_millis() / 1000;
    let is_recent = Duration::from_secs(now.abs_diff(proof.at)) <= TOLERANCE;
    if !is_recent || !secrets.any(|secret| proof.covers(&delivery.body, secret)) {
        return Err(WebhookRejection::Unauthentic);
    }
    let notification: Notification =
        serde_json::from_slice(&delivery.body).map_err(|_| WebhookRejection::Unreadable)?;
    Ok(WebhookBatch::new(Trust::Signed, notification.events.into_iter().map(event).collect()))
}

struct Proof<'a> {
    time: &'a str,
    at: i64,
    mac: Vec<u8>,
}

impl<'a> Proof<'a> {
    /// The header, which must be there exactly once.
    fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut given = headers.get_all(HEADER).iter();
        let (only, None) = (given.next()?, given.next()) else { return None };
        let (time, mac) = only.to_str().ok()?.strip_prefix("t=")?.split_once(",v1=")?;
        Some(Self { time, at: time.parse().ok()?, mac: hex::decode(mac).ok()? })
    }

    fn covers(&self, body: &[u8], secret: &SecretString) -> bool {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        hmac::verify(&key, &[self.time.as_bytes(), b".", body].concat(), &self.mac).is_ok()
    }
}

/// Acme Pay's events have no id: name, objects and status together tell one from another.
fn event(event: Event) -> ProviderEvent {
    let parts = [&event.session, &event.token, &event.reference, &event.status];
    let parts = parts.map(|part| part.as_deref().unwrap_or_default());
    let dedupe_key = format!("{}|{}", event.name, parts.join("|"));
    let subject = if let Some(token) = event.token {
        EventSubject::Method { token, merchant_reference: event.reference }
    } else if event.session.is_some() {
        EventSubject::Session { reference: event.session, merchant_reference: event.reference }
    } else {
        EventSubject::Other
    };
    ProviderEvent::new(event.name, dedupe_key, subject)
}
