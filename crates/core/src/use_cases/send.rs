//! Sending events to an endpoint: signed, one object's in their order, again and again until the receiver took them
//! or they are given up. An endpoint that is gone, or has failed for days, is disabled.

use std::time::Duration;

use bytes::Bytes;
use futures::future::join_all;
use http::header::CONTENT_TYPE;
use secrecy::ExposeSecret;
use secrecy::SecretString;
use serde::Serialize;
use standardwebhooks::{HEADER_WEBHOOK_ID, HEADER_WEBHOOK_SIGNATURE, HEADER_WEBHOOK_TIMESTAMP, Webhook};

use super::events::{EventView, event_view};
use super::{MAX_ROUNDS, contended};
use crate::audit::Actor;
use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::id::{EventId, WebhookEndpointId};
use crate::name::TenantId;
use crate::outgoing::{
    AttemptError, DeliveryAttempt, DisabledReason, EndpointDelivery, EndpointDeliveryState, SentAnswer,
    WebhookEndpoint, WebhookEndpointView,
};
use crate::store::{Changes, Commit, Write};

const GONE: u16 = 410;

/// What came of a test.
#[derive(Debug, Clone, Serialize)]
pub struct EndpointTest {
    /// Always `webhook_test`.
    pub object: &'static str,
    /// To which endpoint.
    pub endpoint_id: WebhookEndpointId,
    /// `webhook-id` of what was sent.
    pub event_id: EventId,
    /// Whether the receiver answered 2xx.
    pub ok: bool,
    /// The HTTP status, if there was an answer.
    pub status: Option<u16>,
    /// What went wrong.
    pub error: Option<AttemptError>,
}

/// What an attempt tells of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    Well,
    Failed,
    Gone,
}

impl Billfold {
    /// Endpoints that have something to send now.
    pub async fn webhook_endpoints_due(&self, limit: u32) -> Result<Vec<(TenantId, WebhookEndpointId)>> {
        Ok(self.store().webhook_endpoints_due(self.now(), limit).await?)
    }

    /// Sends up to `limit` of an endpoint's deliveries that are due, side by side; says how many there were. At most
    /// one of each object is among them.
    pub async fn send_webhooks(&self, tenant: &TenantId, id: WebhookEndpointId, limit: u32) -> Result<usize> {
        let Some(endpoint) = self.store().webhook_endpoint(tenant, id).await? else { return Ok(0) };
        // Opened before anything is claimed: while the keys cannot be had, no attempt is counted.
        let secrets = self.signing_secrets(&endpoint).await?;
        let now = self.now();
        let lease = now.plus(self.schedule().lease);
        let claimed = self.store().claim_endpoint_deliveries(id, now, lease, limit).await?;
        let count = claimed.len();
        let each = claimed.into_iter().map(|delivery| self.deliver(&endpoint, &secrets, delivery));
        join_all(each).await.into_iter().collect::<Result<Vec<()>>>()?;
        Ok(count)
    }

    /// Sends an event of the type `webhook_endpoint.test`, which is stored nowhere, and says what came of it. A
    /// disabled endpoint can be tested too.
    pub async fn test_webhook_endpoint(
        &self,
        tenant: &TenantId,
        id: WebhookEndpointId,
    ) -> Result<EndpointTest> {
        let endpoint = self.endpoint(tenant, id).await?;
        let secrets = self.signing_secrets(&endpoint).await?;
        let data = WebhookEndpointView::from(&endpoint);
        let event =
            event_view(self.event_unlisted("webhook_endpoint.test", tenant, id.to_string(), &data)?)?;
        let outcome = self.post(&endpoint, &secrets, &event).await?;
        let (status, error) = result_of(&outcome);
        let (object, ok) = ("webhook_test", error.is_none());
        Ok(EndpointTest { object, endpoint_id: id, event_id: event.id, ok, status, error })
    }

    /// Deletes up to `limit` finished deliveries that are older than they are kept; says how many.
    pub async fn sweep_webhook_deliveries(&self, limit: u32) -> Result<usize> {
        let before = self.now().minus(self.schedule().endpoint_delivery_retention);
        Ok(self.store().sweep_endpoint_deliveries(before, limit).await?)
    }

    async fn deliver(
        &self,
        endpoint: &WebhookEndpoint,
        secrets: &[SecretString],
        delivery: EndpointDelivery,
    ) -> Result<()> {
        let events = self.store().events_after(&delivery.tenant, delivery.sequence - 1, 1).await?;
        let event = events.into_iter().find(|event| event.id == delivery.event_id);
        let event = event.ok_or_else(|| Error::internal("a delivery's event is gone"))?;
        let began = self.now();
        let outcome = self.post(endpoint, secrets, &event_view(event)?).await?;
        self.finish_delivery(endpoint, delivery, began, outcome).await
    }

    /// The body is the event as `GET /v1/events` shows it; the id is the event's, in every attempt.
    async fn post(
        &self,
        endpoint: &WebhookEndpoint,
        secrets: &[SecretString],
        event: &EventView,
    ) -> Result<Result<SentAnswer, AttemptError>> {
        let unwritable = |_| Error::internal("an event could not be written as JSON");
        let body = serde_json::to_vec(event).map_err(unwritable)?;
        let id = event.id.to_string();
        let seconds = self.now().as_millis().div_euclid(1000);
        let request = http::Request::post(endpoint.url.as_str())
            .header(CONTENT_TYPE, "application/json")
            .header(HEADER_WEBHOOK_ID, &id)
            .header(HEADER_WEBHOOK_TIMESTAMP, seconds)
            .header(HEADER_WEBHOOK_SIGNATURE, signatures(secrets, &id, seconds, &body)?)
            .body(Bytes::from(body))
            .map_err(|_| Error::internal("a webhook could not be put together"))?;
        let sent = self.sender()?.send(request).await;
        let result = sent.as_ref().map_or_else(
            |error| AttemptError::from(*error).as_str(),
            |answer| if (200..300).contains(&answer.status) { "delivered" } else { "status" },
        );
        metrics::counter!("billfold_webhook_attempts_total", "result" => result).increment(1);
        Ok(sent.map_err(AttemptError::from))
    }

    async fn finish_delivery(
        &self,
        endpoint: &WebhookEndpoint,
        mut delivery: EndpointDelivery,
        began: Timestamp,
        outcome: Result<SentAnswer, AttemptError>,
    ) -> Result<()> {
        let now = self.now();
        (delivery.last_status, delivery.last_error) = result_of(&outcome);
        delivery.remember(DeliveryAttempt {
            number: delivery.attempts,
            at: began,
            status: delivery.last_status,
            error: delivery.last_error,
            duration_ms: u64::try_from(now.since(began).as_millis()).unwrap_or(u64::MAX),
        });
        let health = match (delivery.last_error, delivery.last_status) {
            (None, _) => Health::Well,
            (Some(_), Some(GONE)) => Health::Gone,
            (Some(_), _) => Health::Failed,
        };
        match health {
            Health::Well => {
                delivery.state = EndpointDeliveryState::Delivered;
                delivery.next_attempt_at = None;
            }
            // It waits until somebody enables the endpoint again.
            Health::Gone => delivery.next_attempt_at = Some(now),
            Health::Failed => {
                let asked = outcome.ok().and_then(|answer| retry_after(&answer.retry_after?, now));
                let entropy = self.entropy().as_ref();
                let next = self.schedule().next_endpoint_attempt(delivery.attempts, asked, now, entropy)?;
                delivery.next_attempt_at = next;
                if next.is_none() {
                    delivery.state = EndpointDeliveryState::Failed;
                    tracing::warn!(endpoint = %endpoint.id, delivery = %delivery.id, "an event is given up; it can be replayed");
                }
            }
        }
        delivery.last_attempt_at = Some(now);
        delivery.updated_at = now;
        delivery.version += 1;
        let endpoint_deliveries = vec![Write::Update(delivery)];
        // Stale: its lease ran out and another worker has it, it was replayed meanwhile, or its endpoint is deleted.
        self.store().commit(Changes { endpoint_deliveries, ..Changes::default() }).await?;
        if health != Health::Well || endpoint.failing_since.is_some() {
            self.note_health(&endpoint.tenant, endpoint.id, health).await?;
        }
        Ok(())
    }

    async fn note_health(&self, tenant: &TenantId, id: WebhookEndpointId, health: Health) -> Result<()> {
        for _ in 0..MAX_ROUNDS {
            let now = self.now();
            let Some(mut endpoint) = self.store().webhook_endpoint(tenant, id).await? else { return Ok(()) };
            if endpoint.disabled.is_some() {
                return Ok(());
            }
            let too_long = |since: Timestamp| now.since(since) >= self.schedule().endpoint_disable_after;
            match (health, endpoint.failing_since) {
                (Health::Gone, _) => endpoint.disabled = Some(DisabledReason::Gone),
                (Health::Well, Some(_)) => endpoint.failing_since = None,
                (Health::Failed, None) => endpoint.failing_since = Some(now),
                (Health::Failed, Some(since)) if too_long(since) => {
                    endpoint.disabled = Some(DisabledReason::Failing);
                }
                (Health::Well, None) | (Health::Failed, Some(_)) => return Ok(()),
            }
            endpoint.updated_at = now;
            endpoint.version += 1;
            let mut changes =
                Changes { webhook_endpoints: vec![Write::Update(endpoint.clone())], ..Changes::default() };
            if endpoint.disabled.is_some() {
                let action = "webhook_endpoint.disable";
                changes.audit.push(self.endpoint_entry(&endpoint, action, &Actor::system()).await?);
                let told = WebhookEndpointView::from(&endpoint).told_to_others()?;
                changes.events.push(self.event(
                    "webhook_endpoint.disabled",
                    tenant,
                    id.to_string(),
                    &told,
                )?);
            }
            if self.commit(changes).await? == Commit::Applied {
                if let Some(reason) = endpoint.disabled {
                    metrics::counter!("billfold_webhook_endpoints_disabled_total", "reason" => reason.as_str())
                        .increment(1);
                    tracing::warn!(endpoint = %id, reason = reason.as_str(), "a webhook endpoint is disabled");
                }
                return Ok(());
            }
        }
        Err(contended())
    }

    /// The current secret, and the one before it while it still signs.
    async fn signing_secrets(&self, endpoint: &WebhookEndpoint) -> Result<Vec<SecretString>> {
        let now = self.now();
        let previous = endpoint.previous_secret.filter(|previous| previous.until > now);
        let mut secrets = Vec::new();
        for record in [Some(endpoint.secret), previous.map(|previous| previous.record)].into_iter().flatten()
        {
            let Some(record) = self.store().vault_record(&endpoint.tenant, record).await? else { continue };
            let opened = self.vault().open(&record).await?;
            let text =
                std::str::from_utf8(&opened).map_err(|_| Error::internal("a webhook secret is no text"))?;
            secrets.push(SecretString::from(text));
        }
        if secrets.is_empty() {
            return Err(Error::conflict("the endpoint's secret was destroyed; rotate it"));
        }
        Ok(secrets)
    }
}

fn result_of(outcome: &Result<SentAnswer, AttemptError>) -> (Option<u16>, Option<AttemptError>) {
    match outcome {
        Ok(answer) if (200..300).contains(&answer.status) => (Some(answer.status), None),
        Ok(answer) => (Some(answer.status), Some(AttemptError::Status)),
        Err(error) => (None, Some(*error)),
    }
}

/// One signature for each secret, the current one's first.
fn signatures(secrets: &[SecretString], id: &str, seconds: i64, body: &[u8]) -> Result<String> {
    let signed = secrets.iter().map(|secret| {
        let webhook = Webhook::new(secret.expose_secret());
        let signature = webhook.and_then(|webhook| webhook.sign(id, seconds, body));
        signature.map_err(|_| Error::internal("a webhook could not be signed"))
    });
    Ok(signed.collect::<Result<Vec<_>>>()?.join(" "))
}

/// Seconds, or a date of HTTP.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::parse(text.trim()).ok()?;
    Some(Timestamp::from_millis(date.timestamp().as_millisecond()).since(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_in_seconds_or_by_a_date() {
        let now: Timestamp = "2026-03-01T08:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("120", Some(120)),
            (" 0 ", Some(0)),
            ("Sun, 01 Mar 2026 08:01:00 GMT", Some(60)),
            ("Sun, 01 Mar 2026 07:00:00 GMT", Some(0)),
            ("-1", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(retry_after(text, now), seconds.map(Duration::from_secs), "{text:?}");
        }
    }

    /// The example of the Standard Webhooks specification's own test suite.
    #[test]
    fn signatures_are_those_of_the_specification() {
        let secrets = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), "whsec_AAAA".into()];
        let body = br#"{"test": 2432232314}"#;
        let signed = signatures(&secrets, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        let (first, second) = signed.split_once(' ').unwrap();
        assert_eq!(first, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(second.starts_with("v1,") && second != first);
    }
}
