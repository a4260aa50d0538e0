//! Webhooks: an HMAC over the body, so nobody else can have written them. Many events in one. Pure.

use aws_lc_rs::hmac;
use billfold_core::capability::Trust;
use billfold_core::provider::{
    Acknowledgement, EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::secret::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::map::SESSION;
use crate::payment::CHARGE;
use crate::wire::{self, Event};

/// The header that carries the signature.
const SIGNATURE_HEADER: &str = "webhook-signature";
/// What the gateway wants to hear when there is nothing to do.
const NOTHING_TO_DO: u16 = 204;

/// Verifies and reads a delivery. `secrets` are the current one and, while it is changed, the previous.
pub(crate) fn read(
    secrets: &[SecretString],
    delivery: &WebhookDelivery,
) -> Result<WebhookBatch, WebhookRejection> {
    if !is_authentic(secrets, delivery) {
        return Err(WebhookRejection::Unauthentic);
    }
    let body: Value = serde_json::from_slice(&delivery.body).map_err(|_| WebhookRejection::Unreadable)?;
    let events = body.get("events").and_then(Value::as_array).ok_or(WebhookRejection::Unreadable)?;
    let events = events.iter().map(event).collect::<Option<Vec<_>>>().ok_or(WebhookRejection::Unreadable)?;
    let idle = events.iter().all(|event| event.subject == EventSubject::Other);
    let mut batch = WebhookBatch::new(Trust::Signed, events);
    if idle {
        batch.acknowledge = Acknowledgement { status: NOTHING_TO_DO, ..Acknowledgement::default() };
    }
    Ok(batch)
}

fn is_authentic(secrets: &[SecretString], delivery: &WebhookDelivery) -> bool {
    let mut given = delivery.headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return false };
    let Ok(signature) = hex::decode(only.as_bytes()) else { return false };
    let matching = secrets.iter().filter(|secret| {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose_secret().as_bytes());
        hmac::verify(&key, &delivery.body, &signature).is_ok()
    });
    // Counted to the end, so that the time does not tell which it was.
    matching.count() > 0
}

/// An event; `None` for what has no id, of which nobody could tell whether it came before.
fn event(value: &Value) -> Option<ProviderEvent> {
    let event: Event = wire::from_object(value.clone())?;
    let kind = event.resource_type.as_deref().unwrap_or("unknown");
    let name = format!("{kind}.{}", event.action.as_deref().unwrap_or("unknown"));
    let tells_metadata = value.get("resource_metadata").is_some_and(Value::is_object);
    let subject = subject(&event, tells_metadata);
    Some(ProviderEvent::new(name, event.id?, subject))
}

fn subject(event: &Event, tells_metadata: bool) -> EventSubject {
    let link = |name: &str| event.links.get(name).filter(|id| !id.is_empty()).cloned();
    let merchant_reference = event.resource_metadata.get(SESSION).cloned();
    let action = event.action.as_deref().unwrap_or_default();
    match (event.resource_type.as_deref(), action) {
        (Some("billing_requests"), "fulfilled" | "cancelled" | "failed") => {
            let reference = link("billing_request");
            EventSubject::Session { reference, merchant_reference }
        }
        // What happens on the way to these says nothing that the billing request does not.
        (
            Some("mandates"),
            "active" | "reinstated" | "transferred" | "replaced" | "cancelled" | "failed" | "expired"
            | "consumed" | "blocked" | "suspended_by_payer",
        ) => match link("mandate") {
            Some(token) => EventSubject::Method { token, merchant_reference },
            None => EventSubject::Other,
        },
        // The ways to an end, and from one end to another; what is on the way to the bank is not news.
        (
            Some("payments"),
            "confirmed"
            | "paid_out"
            | "failed"
            | "cancelled"
            | "customer_approval_denied"
            | "charged_back"
            | "chargeback_cancelled",
        ) => charge(event, link("payment"), tells_metadata),
        // An event about a refund names no payment, but its metadata is that of the refund, with our charge id.
        (Some("refunds"), "paid" | "failed" | "funds_returned") => charge(event, None, tells_metadata),
        _ => EventSubject::Other,
    }
}

/// News of a charge. Whoever collects by the same account in another way has payments without our metadata.
fn charge(event: &Event, reference: Option<String>, tells_metadata: bool) -> EventSubject {
    let merchant_reference = event.resource_metadata.get(CHARGE).cloned();
    let others = merchant_reference.is_none() && (tells_metadata || reference.is_none());
    if others {
        return EventSubject::Other;
    }
    EventSubject::Charge { reference, merchant_reference, told: None }
}

#[cfg(test)]
mod tests {
    use billfold_core::clock::Timestamp;
    use http::{HeaderMap, HeaderName, HeaderValue};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const SECRET: &str = "CANARY-secret";

    fn sign(secret: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        hex::encode(hmac::sign(&key, body))
    }

    fn outcome(signatures: &[&str], body: &[u8]) -> Result<WebhookBatch, WebhookRejection> {
        let mut headers = HeaderMap::new();
        for signature in signatures {
            let name = HeaderName::from_static(SIGNATURE_HEADER);
            headers.append(name, HeaderValue::from_bytes(signature.as_bytes()).unwrap());
        }
        let delivery = WebhookDelivery::new(body.to_vec().into(), headers, "", Timestamp::from_millis(0));
        read(&[SecretString::from(SECRET), SecretString::from("previous")], &delivery)
    }

    fn batch(body: &Value) -> Result<WebhookBatch, WebhookRejection> {
        let body = body.to_string();
        outcome(&[&sign(SECRET, body.as_bytes())], body.as_bytes())
    }

    /// Computed by another implementation: `printf '{"events":[]}' | openssl dgst -sha256 -hmac CANARY-secret`.
    #[test]
    fn the_signature_is_the_gateways() {
        let known = include_str!("../tests/golden/signature.txt").trim();
        assert_eq!(sign(SECRET, br#"{"events":[]}"#), known);
        assert!(outcome(&[known], br#"{"events":[]}"#).is_ok());
    }

    #[test]
    fn one_right_signature_and_no_other_counts() {
        let body = br#"{"events":[]}"#;
        let (right, old, wrong) = (sign(SECRET, body), sign("previous", body), sign("other", body));
        for signatures in [[right.as_str()], [&old], [&right.to_uppercase()]] {
            assert!(outcome(&signatures, body).is_ok(), "{signatures:?}");
        }
        let (cut, long) = (&right[..62], format!("{right}00"));
        let prefixed = format!("sha256={right}");
        let refused: [&[&str]; 9] = [
            &[],
            &[""],
            &[&wrong],
            &[cut],
            &[&right[..63]],
            &[&long],
            &[&prefixed],
            &[&right, &wrong],
            &[&right, &right],
        ];
        for signatures in refused {
            assert_eq!(
                outcome(signatures, body).unwrap_err(),
                WebhookRejection::Unauthentic,
                "{signatures:?}"
            );
        }
        assert_eq!(outcome(&[&right], br#"{"events":[] }"#).unwrap_err(), WebhookRejection::Unauthentic);
    }

    fn subject_of(resource: &str, action: &str, links: Value) -> EventSubject {
        let event = json!({"id": "EV1", "resource_type": resource, "action": action, "links": links,
            "resource_metadata": {SESSION: "ses_1"}});
        batch(&json!({"events": [event]})).unwrap().events.remove(0).subject
    }

    #[test]
    fn events_name_their_session_or_method() {
        let merchant_reference = Some("ses_1".to_owned());
        for action in ["fulfilled", "cancelled", "failed"] {
            let subject =
                subject_of("billing_requests", action, json!({"billing_request": "BRQ1", "customer": "CU1"}));
            let reference = Some("BRQ1".to_owned());
            let expected =
                EventSubject::Session { reference, merchant_reference: merchant_reference.clone() };
            assert!(subject == expected, "{action}");
        }
        for action in [
            "active",
            "reinstated",
            "transferred",
            "replaced",
            "cancelled",
            "failed",
            "expired",
            "consumed",
            "blocked",
            "suspended_by_payer",
        ] {
            let links = json!({"mandate": "MD1", "new_mandate": "MD2", "new_customer_bank_account": "BA2"});
            let token = "MD1".to_owned();
            let expected = EventSubject::Method { token, merchant_reference: merchant_reference.clone() };
            assert!(subject_of("mandates", action, links) == expected, "{action}");
        }
        for (resource, action, links) in [
            ("billing_requests", "flow_visited", json!({"billing_request": "BRQ1"})),
            ("mandates", "created", json!({"mandate": "MD1"})),
            ("mandates", "submitted", json!({"mandate": "MD1"})),
            ("mandates", "painted", json!({"mandate": "MD1"})),
            ("mandates", "active", json!({})),
            ("mandates", "active", json!({"mandate": ""})),
            ("mandates", "active", json!(["MD1"])),
            ("payments", "failed", json!({"payment": "PM1", "mandate": "MD1"})),
            ("gadgets", "active", json!({"mandate": "MD1"})),
        ] {
            assert!(subject_of(resource, action, links) == EventSubject::Other, "{resource}.{action}");
        }
    }

    #[test]
    fn events_name_their_charge() {
        let subject = |resource: &str, action: &str, links: Value, metadata: Value| {
            let event = json!({"id": "EV1", "resource_type": resource, "action": action, "links": links,
                "resource_metadata": metadata});
            batch(&json!({"events": [event]})).unwrap().events.remove(0).subject
        };
        let ours = json!({CHARGE: "chg_1"});
        let expected = |reference: Option<&str>, ours: bool| EventSubject::Charge {
            reference: reference.map(str::to_owned),
            merchant_reference: ours.then(|| "chg_1".to_owned()),
            told: None,
        };
        for action in [
            "confirmed",
            "paid_out",
            "failed",
            "cancelled",
            "customer_approval_denied",
            "charged_back",
            "chargeback_cancelled",
        ] {
            let links = json!({"payment": "PM1"});
            assert!(
                subject("payments", action, links, ours.clone()) == expected(Some("PM1"), true),
                "{action}"
            );
        }
        let links = json!({"payment": "PM1"});
        assert!(subject("payments", "failed", links.clone(), Value::Null) == expected(Some("PM1"), false));
        for action in ["paid", "failed", "funds_returned"] {
            let links = json!({"refund": "RF1"});
            assert!(subject("refunds", action, links, ours.clone()) == expected(None, true), "{action}");
        }
        for (resource, action, links, metadata) in [
            ("payments", "failed", links.clone(), json!({})),
            ("payments", "failed", json!({}), Value::Null),
            ("payments", "created", links.clone(), ours.clone()),
            ("payments", "submitted", links.clone(), ours.clone()),
            ("payments", "painted", links, ours.clone()),
            ("refunds", "paid", json!({"refund": "RF1"}), json!({})),
            ("refunds", "created", json!({"refund": "RF1"}), ours),
        ] {
            assert!(subject(resource, action, links, metadata) == EventSubject::Other, "{resource}.{action}");
        }
    }

    #[test]
    fn one_delivery_carries_any_number_of_events() {
        let event = |number: usize, action: &str| {
            json!({"id": format!("EV{number}"), "resource_type": "mandates", "action": action,
                "links": {"mandate": format!("MD{number}")}})
        };
        for count in [0, 1, 250] {
            let events: Vec<_> = (0..count).map(|number| event(number, "active")).collect();
            let batch = batch(&json!({"events": events, "meta": {"webhook_id": "WB1"}})).unwrap();
            assert_eq!(batch.events.len(), count);
            let keys: std::collections::BTreeSet<_> =
                batch.events.iter().map(|event| &event.dedupe_key).collect();
            assert_eq!(keys.len(), count, "each has its own id");
            assert_eq!(batch.acknowledge.status, if count == 0 { 204 } else { 200 });
        }
        let idle = batch(&json!({"events": [event(1, "created"), event(2, "painted")]})).unwrap();
        assert_eq!((idle.acknowledge.status, idle.events[1].name.as_str()), (204, "mandates.painted"));
        let mixed = batch(&json!({"events": [event(1, "created"), event(2, "active")]})).unwrap();
        assert_eq!(mixed.acknowledge.status, 200);
    }

    #[test]
    fn what_has_no_events_or_ids_is_not_read() {
        for body in [
            json!({}),
            json!([]),
            json!({"events": {}}),
            json!({"events": [7]}),
            json!({"events": [[]]}),
            json!({"events": [{}]}),
            json!({"events": [{"id": ""}]}),
            json!({"events": [{"id": 7}]}),
        ] {
            assert_eq!(batch(&body).unwrap_err(), WebhookRejection::Unreadable, "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(signature in "[ -~]{0,80}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = outcome(&[&signature], &body);
            let _ = outcome(&[&sign(SECRET, &body)], &body);
        }

        #[test]
        fn no_event_panics(resource in "(billing_requests|mandates|payments|refunds|x)", action in "[a-z_]{0,20}", id in any::<Option<u64>>(), text in ".{0,20}") {
            for links in [json!(null), json!([1]), json!(text), json!({"mandate": id}), json!({"mandate": [text], "billing_request": {"a": id}})] {
                subject_of(&resource, &action, links);
            }
        }
    }
}
