//! Webhooks: an HMAC over time and body, so nobody else can have written them. Pure.

use std::time::Duration;

use aws_lc_rs::hmac;
use billfold_core::capability::Trust;
use billfold_core::provider::{EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection};
use billfold_core::secret::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::map::{CHARGE, FLOW, REFUND, SESSION};
use crate::wire::charges::{PaymentIntent, Refund};
use crate::wire::{self, Event, Session, SetupIntent};

/// The header that carries time and signatures.
const SIGNATURE_HEADER: &str = "stripe-signature";
/// How old a webhook may be, and how far in the future: the gateway's helper lets any future in, we do not.
const TOLERANCE: Duration = Duration::from_mins(5);
/// More signatures than secrets are never sent; a header full of them costs time.
const MOST_SIGNATURES: usize = 16;

/// Verifies and reads a delivery. `secrets` are the current one and, while it is rolled, the previous.
pub(crate) fn read(
    secrets: &[SecretString],
    delivery: &WebhookDelivery,
) -> Result<WebhookBatch, WebhookRejection> {
    if !is_authentic(secrets, delivery) {
        return Err(WebhookRejection::Unauthentic);
    }
    let body = serde_json::from_slice(&delivery.body).map_err(|_| WebhookRejection::Unreadable)?;
    let event: Event = wire::from_object(body).ok_or(WebhookRejection::Unreadable)?;
    let (Some(id), Some(kind)) = (event.id, event.kind) else { return Err(WebhookRejection::Unreadable) };
    let subject = subject(&kind, event.data.object);
    Ok(WebhookBatch::new(Trust::Signed, vec![ProviderEvent::new(kind, id, subject)]))
}

fn is_authentic(secrets: &[SecretString], delivery: &WebhookDelivery) -> bool {
    let mut given = delivery.headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return false };
    let Some((time, signatures)) = only.to_str().ok().and_then(parse) else { return false };
    let now = delivery.received_at.as_millis().div_euclid(1000);
    let Ok(signed_at) = time.parse::<i64>() else { return false };
    if Duration::from_secs(now.abs_diff(signed_at)) > TOLERANCE {
        return false;
    }
    let message = [time.as_bytes(), b".", &delivery.body].concat();
    let matching = secrets.iter().filter(|secret| {
        // The secret is the text as it is shown, prefix and all.
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        signatures.iter().any(|signature| hmac::verify(&key, &message, signature).is_ok())
    });
    matching.count() > 0
}

/// `t=…,v1=…[,v1=…][,v0=…]`: the time as it is written, and the signatures of the one scheme that counts.
fn parse(header: &str) -> Option<(&str, Vec<Vec<u8>>)> {
    let (mut time, mut signatures) = (None, Vec::new());
    for part in header.split(',') {
        match part.trim().split_once('=')? {
            ("t", value) if time.is_none() => time = Some(value),
            ("t", _) => return None,
            ("v1", value) if signatures.len() < MOST_SIGNATURES => signatures.extend(hex::decode(value)),
            _ => {}
        }
    }
    Some((time?, signatures))
}

fn subject(kind: &str, object: Value) -> EventSubject {
    match kind.split_once('.').unwrap_or((kind, "")) {
        ("checkout", _) => {
            let session: Session = wire::from_object(object).unwrap_or_default();
            let (reference, merchant_reference) = (session.id, session.client_reference_id);
            EventSubject::Session { reference, merchant_reference }
        }
        ("setup_intent", _) => {
            let intent: SetupIntent = wire::from_object(object).unwrap_or_default();
            // That of a Checkout Session is only a part of it: the session is found by our own reference.
            let alone = intent.metadata.get(FLOW).is_none_or(|flow| flow != "checkout");
            let reference = intent.id.filter(|_| alone);
            EventSubject::Session { reference, merchant_reference: intent.metadata.get(SESSION).cloned() }
        }
        ("payment_intent", _) => {
            let intent: PaymentIntent = wire::from_object(object).unwrap_or_default();
            charge(intent.id, intent.metadata.get(CHARGE).cloned())
        }
        // The charge of a PaymentIntent carries its metadata.
        ("charge", "refunded") => {
            let of: Refund = wire::from_object(object).unwrap_or_default();
            charge(of.payment_intent, of.metadata.get(CHARGE).cloned())
        }
        ("refund", _) | ("charge", "refund.updated") => {
            let refund: Refund = wire::from_object(object).unwrap_or_default();
            // One that was made elsewhere is none of ours.
            let ours = refund.metadata.contains_key(REFUND);
            match refund.payment_intent.filter(|_| ours) {
                None => EventSubject::Other,
                reference => EventSubject::Charge { reference, merchant_reference: None, told: None },
            }
        }
        ("payment_method", "updated" | "automatically_updated" | "detached") => method(object.get("id")),
        ("mandate", _) => {
            let method_of = object.get("payment_method");
            method(method_of.and_then(|method| method.get("id")).or(method_of))
        }
        _ => EventSubject::Other,
    }
}

/// A charge that carries our reference; others of the account are none of ours.
fn charge(reference: Option<String>, ours: Option<String>) -> EventSubject {
    match ours {
        None => EventSubject::Other,
        merchant_reference => EventSubject::Charge { reference, merchant_reference, told: None },
    }
}

fn method(id: Option<&Value>) -> EventSubject {
    let token = id.and_then(Value::as_str).filter(|id| !id.is_empty()).map(str::to_owned);
    token.map_or(EventSubject::Other, |token| EventSubject::Method { token, merchant_reference: None })
}

#[cfg(test)]
mod tests {
    use billfold_core::clock::Timestamp;
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_780_000_000;
    const SECRET: &str = "whsec_CANARY";

    fn sign(secret: &str, time: i64, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hex::encode(hmac::sign(&key, &[format!("{time}.").as_bytes(), body].concat()))
    }

    fn outcome(header: &str, body: &[u8]) -> Result<WebhookBatch, WebhookRejection> {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(SIGNATURE_HEADER),
            header.parse().unwrap(),
        )]);
        let delivery =
            WebhookDelivery::new(body.to_vec().into(), headers, "", Timestamp::from_millis(NOW * 1000));
        read(&[SecretString::from(SECRET), SecretString::from("whsec_previous")], &delivery)
    }

    fn event(kind: &str, object: Value) -> EventSubject {
        let body = json!({"id": "evt_1", "type": kind, "data": {"object": object}}).to_string();
        let header = format!("t={NOW},v1={}", sign(SECRET, NOW, body.as_bytes()));
        outcome(&header, body.as_bytes()).unwrap().events.remove(0).subject
    }

    /// Computed by another implementation: `printf '1780000000.{}' | openssl dgst -sha256 -hmac whsec_CANARY`.
    #[test]
    fn the_signature_is_the_gateways() {
        let known = include_str!("../tests/golden/signature.txt").trim();
        assert_eq!(sign(SECRET, NOW, b"{}"), known);
    }

    #[test]
    fn any_right_signature_is_enough_and_no_other_counts() {
        let body = br#"{"id":"evt_1","type":"x.y","data":{"object":{}}}"#;
        let (right, old) = (sign(SECRET, NOW, body), sign("whsec_previous", NOW, body));
        let (wrong, stale) = (sign("whsec_x", NOW, body), sign(SECRET, NOW - 301, body));
        for header in [
            format!("t={NOW},v1={right}"),
            format!("t={NOW},v1={wrong},v1={right}"),
            format!("t={NOW},v1={old},v0={wrong}"),
            format!("v1={right}, t={NOW}"),
            format!("t={},v1={}", NOW - 300, sign(SECRET, NOW - 300, body)),
            format!("t={},v1={}", NOW + 300, sign(SECRET, NOW + 300, body)),
        ] {
            assert!(outcome(&header, body).is_ok(), "{header}");
        }
        for header in [
            String::new(),
            "t=,v1=".to_owned(),
            format!("t={NOW}"),
            format!("v1={right}"),
            format!("t={NOW},v0={right}"),
            format!("t={NOW},v1={wrong}"),
            format!("t={NOW},v1={}", &right[..62]),
            format!("t={NOW},v1={right}00"),
            format!("t={NOW},t={NOW},v1={right}"),
            format!("t={},v1={right}", NOW + 1),
            format!("t={NOW}.5,v1={right}"),
            format!("t={},v1={stale}", NOW - 301),
            format!("t={},v1={}", NOW + 301, sign(SECRET, NOW + 301, body)),
            format!("t={},v1={}", i64::MIN, sign(SECRET, i64::MIN, body)),
        ] {
            assert_eq!(outcome(&header, body).unwrap_err(), WebhookRejection::Unauthentic, "{header}");
        }
    }

    #[test]
    fn events_name_their_session_or_method() {
        let session = |reference: Option<&str>| EventSubject::Session {
            reference: reference.map(str::to_owned),
            merchant_reference: Some("ses_1".to_owned()),
        };
        let checkout = json!({"id": "cs_1", "client_reference_id": "ses_1"});
        assert!(event("checkout.session.completed", checkout) == session(Some("cs_1")));
        let metadata = |flow: &str| json!({"id": "seti_1", "metadata": {SESSION: "ses_1", FLOW: flow}});
        assert!(event("setup_intent.succeeded", metadata("checkout")) == session(None));
        assert!(event("setup_intent.setup_failed", metadata("setup_intent")) == session(Some("seti_1")));
        let method = EventSubject::Method { token: "pm_1".to_owned(), merchant_reference: None };
        for kind in ["updated", "automatically_updated", "detached"] {
            assert!(event(&format!("payment_method.{kind}"), json!({"id": "pm_1"})) == method, "{kind}");
        }
        assert!(event("mandate.updated", json!({"id": "mandate_1", "payment_method": "pm_1"})) == method);
        assert!(event("mandate.updated", json!({"payment_method": {"id": "pm_1"}})) == method);
        let charge = |merchant_reference: Option<&str>| EventSubject::Charge {
            reference: Some("pi_1".to_owned()),
            merchant_reference: merchant_reference.map(str::to_owned),
            told: None,
        };
        let intent = json!({"id": "pi_1", "metadata": {CHARGE: "chg_1"}});
        for kind in [
            "succeeded",
            "payment_failed",
            "requires_action",
            "processing",
            "canceled",
            "amount_capturable_updated",
        ] {
            assert!(
                event(&format!("payment_intent.{kind}"), intent.clone()) == charge(Some("chg_1")),
                "{kind}"
            );
        }
        let refunded = json!({"id": "ch_1", "payment_intent": "pi_1", "metadata": {CHARGE: "chg_1"}});
        assert!(event("charge.refunded", refunded) == charge(Some("chg_1")));
        let refund = json!({"id": "re_1", "payment_intent": {"id": "pi_1"}, "metadata": {REFUND: "rfd_1"}});
        for kind in ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"] {
            assert!(event(kind, refund.clone()) == charge(None), "{kind}");
        }
        for kind in ["payment_intent.succeeded", "charge.refunded", "refund.updated"] {
            let theirs = json!({"id": "pi_1", "payment_intent": "pi_1", "metadata": {"order": "7"}});
            assert!(event(kind, theirs) == EventSubject::Other, "{kind}");
        }
        for kind in ["payment_method.attached", "customer.deleted", "charge.succeeded", "new"] {
            assert!(event(kind, json!({"id": "pm_1"})) == EventSubject::Other, "{kind}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(header in "[ -~]{0,80}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = outcome(&header, &body);
            let header = format!("t={NOW},v1={}", sign(SECRET, NOW, &body));
            let _ = outcome(&header, &body);
        }

        #[test]
        fn no_object_panics(kind in "(checkout|setup_intent|payment_method|mandate)\\.[a-z_]{0,20}", id in any::<Option<u64>>(), text in ".{0,20}") {
            for object in [json!(null), json!([1]), json!(text), json!({"id": id, "metadata": text}), json!({"id": {"a": text}, "payment_method": [id]})] {
                event(&kind, object);
            }
        }
    }
}
