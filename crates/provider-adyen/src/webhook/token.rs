//! Token webhooks: created, updated, disabled, already existing. Signed as a whole.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::capability::Trust;
use billfold_core::provider::{EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection};
use http::HeaderMap;
use serde_json::Value;

use super::session;
use crate::config::Config;
use crate::provider::is_ours;
use crate::wire::{self, TokenEvent};

/// The header that carries the signature.
const SIGNATURE_HEADER: &str = "hmacsignature";
/// The header that names how it was made.
const PROTOCOL_HEADER: &str = "protocol";
const PROTOCOL: &str = "HmacSHA256";

pub(super) fn read(
    config: &Config,
    delivery: &WebhookDelivery,
    body: Option<Value>,
) -> Result<WebhookBatch, WebhookRejection> {
    if !is_authentic(&config.token_keys, &delivery.headers, &delivery.body) {
        return Err(WebhookRejection::Unauthentic);
    }
    let event: TokenEvent = body.and_then(wire::from_object).ok_or(WebhookRejection::Unreadable)?;
    let (Some(kind), Some(id)) = (event.kind, event.event_id) else {
        return Err(WebhookRejection::Unreadable);
    };
    let data = event.data;
    // The id is that of the payment behind the event, which may be behind another one too.
    let key = [&kind, &id, data.stored_payment_method_id.as_deref().unwrap_or_default()].join(":");
    let ours = event.environment.as_deref() == Some(config.mode.as_str())
        && data.merchant_account.as_deref() == Some(&config.merchant_account);
    let shopper = data.shopper_reference.filter(|shopper| ours && is_ours(shopper));
    let subject = match (kind.as_str(), shopper, data.stored_payment_method_id) {
        ("recurring.token.created" | "recurring.token.alreadyExisting", Some(shopper), _) => {
            session(&shopper)
        }
        ("recurring.token.updated" | "recurring.token.disabled", Some(shopper), Some(token)) => {
            EventSubject::Method { token, merchant_reference: Some(shopper) }
        }
        _ => EventSubject::Other,
    };
    Ok(WebhookBatch::new(Trust::Signed, vec![ProviderEvent::new(kind, key, subject)]))
}

fn is_authentic(keys: &[hmac::Key], headers: &HeaderMap, body: &[u8]) -> bool {
    let mut protocols = headers.get_all(PROTOCOL_HEADER).iter();
    if protocols.any(|protocol| !protocol.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes())) {
        return false;
    }
    let mut given = headers.get_all(SIGNATURE_HEADER).iter();
    let (Some(only), None) = (given.next(), given.next()) else { return false };
    let Ok(signature) = STANDARD.decode(only.as_bytes()) else { return false };
    // Every key is tried, so that the time taken does not tell which one it was.
    keys.iter().filter(|key| hmac::verify(key, body, &signature).is_ok()).count() > 0
}

#[cfg(test)]
mod tests {
    use billfold_core::clock::Timestamp;
    use billfold_core::settings::{Mode, Settings};
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    const PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000001";
    const SESSION: &str = "ses_018f0000000070008000000000000001";

    fn config(mode: Mode) -> Config {
        let mut values = json!({"api_key": "k", "merchant_account": "ShopECOM", "token_webhook_hmac_key": KEY,
            "previous_token_webhook_hmac_key": PREVIOUS});
        if mode == Mode::Live {
            values["live_url_prefix"] = "1797-Shop".into();
        }
        let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
        Config::read(&Settings { gateway, mode, origin, development: false, values }).unwrap()
    }

    fn signature(key: &str, body: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &hex::decode(key).unwrap());
        STANDARD.encode(hmac::sign(&key, body))
    }

    fn outcome(headers: &[(&'static str, &str)], body: &[u8]) -> Result<WebhookBatch, WebhookRejection> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(*name, value.parse().unwrap());
        }
        let delivery = WebhookDelivery::new(body.to_vec().into(), map, "", Timestamp::from_millis(0));
        crate::webhook::read(&config(Mode::Test), &delivery)
    }

    fn event(kind: &str) -> Value {
        json!({"type": kind, "eventId": "QBQQ9DLNRHHKGK38", "environment": "test", "createdAt": "2025-06-30T16:40:23+02:00",
            "data": {"merchantAccount": "ShopECOM", "shopperReference": SESSION, "storedPaymentMethodId": "M5N7TQ4TG5PFWR50",
            "type": "visastandarddebit", "operation": "created"}})
    }

    fn signed(event: &Value) -> ProviderEvent {
        let body = event.to_string();
        let batch =
            outcome(&[(SIGNATURE_HEADER, &signature(KEY, body.as_bytes()))], body.as_bytes()).unwrap();
        assert_eq!((batch.trust, batch.acknowledge.status, batch.events.len()), (Trust::Signed, 200, 1));
        batch.events.into_iter().next().unwrap()
    }

    #[test]
    fn one_right_signature_is_enough_and_nothing_less() {
        let body = event("recurring.token.created").to_string();
        let body = body.as_bytes();
        let (right, old) = (signature(KEY, body), signature(PREVIOUS, body));
        for good in [
            vec![(SIGNATURE_HEADER, right.as_str())],
            vec![(SIGNATURE_HEADER, right.as_str()), (PROTOCOL_HEADER, "HmacSHA256")],
            vec![(SIGNATURE_HEADER, right.as_str()), (PROTOCOL_HEADER, "hmacsha256")],
            vec![(SIGNATURE_HEADER, old.as_str())],
        ] {
            assert!(outcome(&good, body).is_ok(), "{good:?}");
        }
        let stranger = signature(&KEY.replace('4', "5"), body);
        // The key's text is not the key.
        let as_text = STANDARD.encode(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes()), body));
        let in_hex = hex::encode(STANDARD.decode(&right).unwrap());
        for wrong in [
            vec![],
            vec![(SIGNATURE_HEADER, "")],
            vec![(SIGNATURE_HEADER, stranger.as_str())],
            vec![(SIGNATURE_HEADER, as_text.as_str())],
            vec![(SIGNATURE_HEADER, in_hex.as_str())],
            vec![(SIGNATURE_HEADER, &right[..43])],
            vec![(SIGNATURE_HEADER, right.as_str()), (SIGNATURE_HEADER, right.as_str())],
            vec![(SIGNATURE_HEADER, right.as_str()), (PROTOCOL_HEADER, "HmacSHA1")],
        ] {
            assert_eq!(outcome(&wrong, body).unwrap_err(), WebhookRejection::Unauthentic, "{wrong:?}");
        }
        assert!(outcome(&[(SIGNATURE_HEADER, &right)], &[body, b" "].concat()).is_err());
    }

    #[test]
    fn events_name_their_session_or_method() {
        let session = || EventSubject::Session {
            reference: Some(SESSION.to_owned()),
            merchant_reference: Some(SESSION.to_owned()),
        };
        let method = || EventSubject::Method {
            token: "M5N7TQ4TG5PFWR50".to_owned(),
            merchant_reference: Some(SESSION.to_owned()),
        };
        assert!(signed(&event("recurring.token.created")).subject == session());
        assert!(signed(&event("recurring.token.alreadyExisting")).subject == session());
        assert!(signed(&event("recurring.token.updated")).subject == method());
        assert!(signed(&event("recurring.token.disabled")).subject == method());
        assert!(signed(&event("recurring.token.new")).subject == EventSubject::Other);
    }

    #[test]
    fn what_is_not_ours_is_left_alone() {
        for kind in ["recurring.token.created", "recurring.token.disabled"] {
            for (pointer, value) in [
                ("/environment", json!("live")),
                ("/environment", Value::Null),
                ("/data/merchantAccount", json!("OtherECOM")),
                ("/data/merchantAccount", Value::Null),
                ("/data/shopperReference", json!("shopper-of-another-system")),
                ("/data/shopperReference", json!(7)),
                ("/data", json!([])),
            ] {
                let mut other = event(kind);
                *other.pointer_mut(pointer).unwrap() = value;
                assert!(signed(&other).subject == EventSubject::Other, "{kind} {pointer}");
            }
        }
        let body = event("recurring.token.created").to_string();
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(SIGNATURE_HEADER),
            signature(KEY, body.as_bytes()).parse().unwrap(),
        )]);
        let delivery = WebhookDelivery::new(body.into(), headers, "", Timestamp::from_millis(0));
        let live = crate::webhook::read(&config(Mode::Live), &delivery).unwrap();
        assert!(live.events[0].subject == EventSubject::Other, "a test webhook at a live account");
    }

    #[test]
    fn one_event_has_one_key() {
        let created = signed(&event("recurring.token.created"));
        let mut later = event("recurring.token.created");
        later["createdAt"] = "2025-07-01T00:00:00Z".into();
        assert_eq!(signed(&later).dedupe_key, created.dedupe_key);
        let mut other = event("recurring.token.created");
        other["eventId"] = "QBQQ9DLNRHHKGK39".into();
        assert_ne!(signed(&other).dedupe_key, created.dedupe_key);
        assert_ne!(signed(&event("recurring.token.updated")).dedupe_key, created.dedupe_key);
    }

    #[test]
    fn what_is_signed_but_says_nothing_is_unreadable() {
        for body in
            ["{}", "[]", "null", "{\"type\":\"a\"}", "{\"eventId\":\"a\"}", "{\"notificationItems\":7}", "{"]
        {
            let signature = signature(KEY, body.as_bytes());
            let outcome = outcome(&[(SIGNATURE_HEADER, &signature)], body.as_bytes());
            assert_eq!(outcome.unwrap_err(), WebhookRejection::Unreadable, "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(header in "[ -~]{0,80}", body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = outcome(&[(SIGNATURE_HEADER, &header)], &body);
            let _ = outcome(&[(SIGNATURE_HEADER, &signature(KEY, &body))], &body);
        }

        #[test]
        fn no_member_panics(kind in "recurring\\.token\\.[a-zA-Z]{0,20}", text in ".{0,40}", number in any::<i64>()) {
            for value in [json!(null), json!(text), json!(number), json!([text]), json!({text.clone(): number})] {
                for pointer in ["/eventId", "/environment", "/data", "/data/shopperReference", "/data/storedPaymentMethodId"] {
                    let mut strange = event(&kind);
                    *strange.pointer_mut(pointer).unwrap() = value.clone();
                    let body = strange.to_string();
                    let _ = outcome(&[(SIGNATURE_HEADER, &signature(KEY, body.as_bytes()))], body.as_bytes());
                }
            }
        }
    }
}
