//! Webhooks: a static token in a header and nothing that covers the body, so what they tell is a
//! hint. Pure.

use billfold_core::capability::Trust;
use billfold_core::entropy::SystemEntropy;
use billfold_core::provider::{EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection};
use billfold_core::secret::{SecretString, matches_secret};
use http::HeaderMap;

use crate::map::without_suffix;
use crate::wire::{self, Envelope};

/// The header that carries the token.
pub(crate) const TOKEN_HEADER: &str = "x-callback-token";

/// Verifies and reads a delivery. `tokens` are the current one and, during rotation, the previous.
pub(crate) fn read(
    tokens: &[SecretString],
    delivery: &WebhookDelivery,
) -> Result<WebhookBatch, WebhookRejection> {
    if !is_authentic(tokens, &delivery.headers) {
        return Err(WebhookRejection::Unauthentic);
    }
    let body = serde_json::from_slice(&delivery.body).map_err(|_| WebhookRejection::Unreadable)?;
    let envelope: Envelope = wire::from_object(body).ok_or(WebhookRejection::Unreadable)?;
    let event = envelope.event.clone().ok_or(WebhookRejection::Unreadable)?;
    Ok(WebhookBatch::new(Trust::Hint, vec![read_event(&event, envelope, &delivery.body)]))
}

/// Every token is compared, so that the time taken does not tell which one it was.
fn is_authentic(tokens: &[SecretString], headers: &HeaderMap) -> bool {
    let mut given = headers.get_all(TOKEN_HEADER).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return false };
    let matching =
        tokens.iter().filter(|token| matches_secret(token, only.as_bytes(), &SystemEntropy).unwrap_or(false));
    matching.count() > 0
}

fn read_event(name: &str, envelope: Envelope, body: &[u8]) -> ProviderEvent {
    let data = envelope.data;
    let (family, kind) = name.split_once('.').unwrap_or((name, ""));
    match family {
        "payment_session" => {
            let session: wire::Session = wire::from_object(data).unwrap_or_default();
            let reference = session.payment_session_id.or(session.id);
            let key = key(family, kind, reference.as_deref(), session.status.as_deref(), body);
            let subject = EventSubject::Session { reference, merchant_reference: session.reference_id };
            ProviderEvent::new(name, key, subject)
        }
        "payment_token" => {
            let token: wire::Token = wire::from_object(data).unwrap_or_default();
            let id = token.payment_token_id.or(token.id);
            let key = key(family, kind, id.as_deref(), token.status.as_deref(), body);
            let merchant_reference = token.reference_id.as_deref().map(without_suffix);
            let subject =
                id.map_or(EventSubject::Other, |token| EventSubject::Method { token, merchant_reference });
            ProviderEvent::new(name, key, subject)
        }
        "payment" | "payment_request" => {
            let payment: wire::charges::Payment = wire::from_object(data).unwrap_or_default();
            let id = payment.payment_id.as_deref().or(payment.payment_request_id.as_deref());
            let key = key(family, kind, id, payment.status.as_deref(), body);
            let merchant_reference = payment.reference_id.as_deref().map(without_suffix);
            ProviderEvent::new(name, key, charge(payment.payment_request_id, merchant_reference))
        }
        "refund" => {
            // The gateway's example nests event and data twice, its own programs once.
            let data = data.get("data").filter(|inner| inner.is_object()).unwrap_or(&data).clone();
            let refund: wire::charges::Refund = wire::from_object(data).unwrap_or_default();
            let key = key(family, kind, refund.id.as_deref(), refund.status.as_deref(), body);
            ProviderEvent::new(name, key, charge(refund.payment_request_id, None))
        }
        _ => {
            let text = |field: &str| data.get(field).and_then(serde_json::Value::as_str).map(str::to_owned);
            let key = key(family, kind, text("id").as_deref(), text("status").as_deref(), body);
            ProviderEvent::new(name, key, EventSubject::Other)
        }
    }
}

/// A charge by what an event says of it; nothing to act on when it says neither.
fn charge(reference: Option<String>, merchant_reference: Option<String>) -> EventSubject {
    if reference.is_none() && merchant_reference.is_none() {
        return EventSubject::Other;
    }
    EventSubject::Charge { reference, merchant_reference, told: None }
}

/// Object and status tell one event from another, whatever its name is spelt like; the time in the
/// envelope is that of the attempt and has no part in it. An object without an id is known by its
/// body alone.
fn key(family: &str, kind: &str, id: Option<&str>, status: Option<&str>, body: &[u8]) -> String {
    match id {
        Some(id) => format!("{family}:{id}:{}", status.unwrap_or(kind)),
        None => format!("{family}:{kind}:{}", hex(&billfold_core::secret::sha256(body))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use billfold_core::clock::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const TOKEN: &str = "CANARY-callback";

    fn delivery(body: &[u8], tokens: &[&str]) -> WebhookDelivery {
        let mut headers = HeaderMap::new();
        for token in tokens {
            headers.append(TOKEN_HEADER, token.parse().unwrap());
        }
        WebhookDelivery::new(body.to_vec().into(), headers, "", Timestamp::from_millis(0))
    }

    fn tokens() -> Vec<SecretString> {
        vec![SecretString::from(TOKEN), SecretString::from("previous")]
    }

    fn event(body: &Value) -> ProviderEvent {
        let batch = read(&tokens(), &delivery(body.to_string().as_bytes(), &[TOKEN])).unwrap();
        assert_eq!(batch.trust, Trust::Hint);
        assert_eq!(batch.events.len(), 1);
        batch.events.into_iter().next().unwrap()
    }

    #[test]
    fn only_one_right_token_is_authentic() {
        let body = br#"{"event":"payment_session.completed","data":{}}"#;
        for good in [TOKEN, "previous"] {
            assert!(read(&tokens(), &delivery(body, &[good])).is_ok(), "{good}");
        }
        let wrong: [&[&str]; 7] = [
            &[],
            &[""],
            &["wrong"],
            &[TOKEN, TOKEN],
            &["wrong", TOKEN],
            &["canary-callback"],
            &["CANARY-callback "],
        ];
        for given in wrong {
            // HTTP strips blanks around values before we see them; here they are seen.
            assert_eq!(
                read(&tokens(), &delivery(body, given)).unwrap_err(),
                WebhookRejection::Unauthentic,
                "{given:?}"
            );
        }
    }

    #[test]
    fn the_dashboards_test_call_is_read_in_both_spellings() {
        for field in ["id", "payment_session_id"] {
            let body = json!({"event": "payment_session.completed", "business_id": "5781d19b2e2385880609791c",
                "created": "2020-04-20T16:25:52Z", "data": {field: "ps-579c8d61f23fa4ca35e52da4", "status": "COMPLETED",
                "reference_id": "test_session", "amount": 100_000, "allowed_payment_channels": ["CARD"]}});
            let subject = EventSubject::Session {
                reference: Some("ps-579c8d61f23fa4ca35e52da4".into()),
                merchant_reference: Some("test_session".into()),
            };
            assert!(event(&body).subject == subject, "{field}");
        }
    }

    #[test]
    fn spellings_and_attempts_of_one_event_have_one_key() {
        let token = |name: &str, created: &str, status: &str| {
            let data =
                json!({"payment_token_id": "pt-1", "status": status, "reference_id": "ses_01_Ab3_xY-9zQ"});
            event(&json!({"event": name, "created": created, "data": data})).dedupe_key
        };
        let key = token("payment_token.activation", "2026-03-01T08:05:02Z", "ACTIVE");
        assert_eq!(key, token("payment_token.activated", "2026-03-01T09:00:00Z", "ACTIVE"));
        assert_ne!(key, token("payment_token.expiry", "2026-03-01T08:05:02Z", "EXPIRED"));
    }

    #[test]
    fn tokens_name_the_session_that_made_them() {
        let data = json!({"payment_token_id": "pt-1", "status": "ACTIVE",
            "reference_id": "ses_018f0000000070008000000000000001_uYdW_2A7-t"});
        let subject = EventSubject::Method {
            token: "pt-1".into(),
            merchant_reference: Some("ses_018f0000000070008000000000000001".into()),
        };
        assert!(event(&json!({"event": "payment_token.activation", "data": data})).subject == subject);
    }

    #[test]
    fn what_is_not_ours_is_kept_and_ignored() {
        for name in ["payment.capture", "refund.succeeded", "something.new", "nodot"] {
            let event = event(&json!({"event": name, "data": {"payment_id": "py-1", "status": "SUCCEEDED"}}));
            assert!(event.subject == EventSubject::Other, "{name}");
        }
        let nested = json!({"event": "refund.succeeded", "data": {"data": {"id": "rfd-1"}}});
        assert!(event(&nested).subject == EventSubject::Other);
    }

    #[test]
    fn payments_name_their_charge_in_every_spelling() {
        let ours = "chg_018f0000000070008000000000000001";
        let charge = EventSubject::Charge {
            reference: Some("pr-1".into()),
            merchant_reference: Some(ours.into()),
            told: None,
        };
        let payment = |name: &str, status: &str, reference: &str| {
            let data = json!({"payment_id": "py-1", "payment_request_id": "pr-1", "status": status,
                "reference_id": reference, "request_amount": 10_000.01});
            event(&json!({"event": name, "data": data}))
        };
        let longer = format!("{ours}_Ab3_xY-9zQ");
        for (name, status) in [
            ("payment.capture", "SUCCEEDED"),
            ("payment.authorization", "AUTHORIZED"),
            ("payment.failure", "FAILED"),
            ("payment.expiry", "EXPIRED"),
            ("payment_request.expiry", "EXPIRED"),
        ] {
            assert!(payment(name, status, ours).subject == charge, "{name}");
            assert!(payment(name, status, &longer).subject == charge, "{name}");
        }
        let key = payment("payment.capture", "SUCCEEDED", ours).dedupe_key;
        assert_eq!(key, payment("payment.succeeded", "SUCCEEDED", ours).dedupe_key);
        assert_ne!(key, payment("payment.failure", "FAILED", ours).dedupe_key);
    }

    #[test]
    fn refunds_name_their_charge_nested_once_or_twice() {
        let refund = json!({"id": "rfd-1", "payment_request_id": "pr-1", "status": "SUCCEEDED", "reference_id": "ref_1"});
        let once = event(&json!({"event": "refund.succeeded", "data": refund}));
        let twice = event(
            &json!({"event": "refund.succeeded", "data": {"event": "refund.succeeded", "data": refund}}),
        );
        let charge =
            EventSubject::Charge { reference: Some("pr-1".into()), merchant_reference: None, told: None };
        assert!(once.subject == charge && twice.subject == charge);
        assert_eq!(once.dedupe_key, twice.dedupe_key);
    }

    #[test]
    fn what_cannot_be_read_is_unreadable() {
        for body in ["", "{", "[]", "7", "{}", r#"{"event":7}"#, r#"{"event":""}"#, "\u{0}"] {
            let outcome = read(&tokens(), &delivery(body.as_bytes(), &[TOKEN]));
            let numeric = body == r#"{"event":7}"#;
            assert!(numeric || outcome.unwrap_err() == WebhookRejection::Unreadable, "{body}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&tokens(), &delivery(&body, &[TOKEN]));
        }

        #[test]
        fn no_data_panics(event in "[a-z_.]{0,30}", id in any::<Option<u64>>(), text in ".{0,40}") {
            for data in [json!(null), json!([1]), json!(text), json!({"payment_token_id": id, "reference_id": text}), json!({"payment_session_id": {"a": text}})] {
                let body = json!({"event": event, "data": data}).to_string();
                let _ = read(&tokens(), &delivery(body.as_bytes(), &[TOKEN]));
            }
        }
    }
}
