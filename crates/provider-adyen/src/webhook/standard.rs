//! Standard webhooks: a list of items, each with a signature over eight of its fields. What a signature does not
//! cover, such as `additionalData` with a token in it, is not read.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::capability::Trust;
use billfold_core::provider::{Acknowledgement, EventSubject, ProviderEvent, WebhookBatch, WebhookRejection};
use billfold_core::settings::Mode;
use serde_json::Value;

use super::{charge, session};
use crate::config::Config;
use crate::provider::is_ours;

/// The member that tells such a webhook from others.
pub(super) const ITEMS: &str = "notificationItems";
/// The answer that ends the gateway's attempts.
const ACCEPTED: Acknowledgement = Acknowledgement { status: 200, body: "[accepted]" };

/// The fields that a signature covers, as they are signed.
pub(super) struct Signed<'a> {
    pub(super) psp_reference: &'a str,
    pub(super) original_reference: &'a str,
    pub(super) merchant_account: &'a str,
    pub(super) merchant_reference: &'a str,
    pub(super) value: String,
    pub(super) currency: &'a str,
    pub(super) event_code: &'a str,
    pub(super) success: &'a str,
}

/// Every item must prove itself: one that does not spoils the delivery.
pub(super) fn read(config: &Config, body: &Value, items: &[Value]) -> Result<WebhookBatch, WebhookRejection> {
    let proven: Option<Vec<Signed<'_>>> = items
        .iter()
        .map(|item| proven(&config.standard_keys, item.get("NotificationRequestItem")?))
        .collect();
    let proven = proven.filter(|proven| !proven.is_empty()).ok_or(WebhookRejection::Unauthentic)?;
    let live = match config.mode {
        Mode::Live => "true",
        Mode::Test => "false",
    };
    let of_our_mode = body.get("live").and_then(Value::as_str) == Some(live);
    let events: Vec<_> = proven.iter().map(|item| event(config, of_our_mode, item)).collect();
    // Of a charge nothing is told that is not signed, and a session is asked about whatever is told.
    let charges = events.iter().any(|event| matches!(event.subject, EventSubject::Charge { .. }));
    let trust = if charges { Trust::Signed } else { Trust::Hint };
    let mut batch = WebhookBatch::new(trust, events);
    batch.acknowledge = ACCEPTED;
    Ok(batch)
}

fn event(config: &Config, of_our_mode: bool, item: &Signed<'_>) -> ProviderEvent {
    let ours = of_our_mode && item.merchant_account == config.merchant_account;
    let subject = match item.event_code {
        // The second is how older accounts tell of a token.
        "AUTHORISATION" | "RECURRING_CONTRACT" if ours && is_ours(item.merchant_reference) => {
            session(item.merchant_reference)
        }
        _ if ours => charge::subject(item).unwrap_or(EventSubject::Other),
        _ => EventSubject::Other,
    };
    let key = [item.psp_reference, item.event_code, item.success].join(":");
    ProviderEvent::new(item.event_code, key, subject)
}

/// An item that one of the keys signed.
fn proven<'a>(keys: &[hmac::Key], item: &'a Value) -> Option<Signed<'a>> {
    let signature = item.pointer("/additionalData/hmacSignature")?.as_str()?;
    let signature = STANDARD.decode(signature).ok()?;
    let signed = Signed::of(item)?;
    let message = signed.message();
    let matching = keys.iter().filter(|key| hmac::verify(key, message.as_bytes(), &signature).is_ok());
    (matching.count() > 0).then_some(signed)
}

impl<'a> Signed<'a> {
    /// `None` for an item that the gateway does not write: a field of another type, or an outcome that is neither
    /// `true` nor `false`.
    fn of(item: &'a Value) -> Option<Self> {
        let text = |pointer: &str| match item.pointer(pointer) {
            None | Some(Value::Null) => Some(""),
            Some(value) => value.as_str(),
        };
        let value = match item.pointer("/amount/value") {
            None | Some(Value::Null) => String::new(),
            Some(value) => value.as_i64()?.to_string(),
        };
        Some(Self {
            psp_reference: text("/pspReference")?,
            original_reference: text("/originalReference")?,
            merchant_account: text("/merchantAccountCode")?,
            merchant_reference: text("/merchantReference")?,
            value,
            currency: text("/amount/currency")?,
            event_code: text("/eventCode")?,
            success: text("/success")?,
        })
        .filter(|signed| ["true", "false"].contains(&signed.success) && !signed.event_code.is_empty())
    }

    /// The fields are joined as they are. Those of ours hold no colon, so that none of our signatures fits another
    /// split; one of another system's might, and is a hint all the same.
    fn message(&self) -> String {
        [
            self.psp_reference,
            self.original_reference,
            self.merchant_account,
            self.merchant_reference,
            &self.value,
            self.currency,
            self.event_code,
            self.success,
        ]
        .join(":")
    }
}

#[cfg(test)]
mod tests {
    use billfold_core::clock::Timestamp;
    use billfold_core::provider::WebhookDelivery;
    use billfold_core::settings::Settings;
    use http::HeaderMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";
    const PREVIOUS: &str = "0000000000000000000000000000000000000000000000000000000000000001";
    const SESSION: &str = "ses_018f0000000070008000000000000001";

    fn config(keys: &Value) -> Config {
        let mut values =
            json!({"api_key": "k", "merchant_account": "ShopECOM", "token_webhook_hmac_key": PREVIOUS});
        for (key, value) in keys.as_object().unwrap() {
            values[key] = value.clone();
        }
        let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
        Config::read(&Settings { gateway, mode: Mode::Test, origin, development: false, values }).unwrap()
    }

    fn outcome_for(config: &Config, body: &Value) -> Result<WebhookBatch, WebhookRejection> {
        let body = body.to_string();
        let delivery = WebhookDelivery::new(body.into(), HeaderMap::new(), "", Timestamp::from_millis(0));
        crate::webhook::read(config, &delivery)
    }

    fn outcome(body: &Value) -> Result<WebhookBatch, WebhookRejection> {
        let keys = json!({"standard_webhook_hmac_key": KEY, "previous_standard_webhook_hmac_key": PREVIOUS});
        outcome_for(&config(&keys), body)
    }

    fn item(code: &str) -> Value {
        json!({"pspReference": "7914073381342284", "originalReference": "", "merchantAccountCode": "ShopECOM",
            "merchantReference": SESSION, "amount": {"value": 0, "currency": "EUR"}, "eventCode": code,
            "success": "true", "eventDate": "2026-05-01T10:00:00+02:00", "paymentMethod": "visa",
            "additionalData": {"recurring.recurringDetailReference": "CANARYCANARYCANA"}})
    }

    fn sign(key: &str, mut item: Value) -> Value {
        let message = Signed::of(&item).map(|signed| signed.message()).unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &hex::decode(key).unwrap());
        item["additionalData"]["hmacSignature"] =
            STANDARD.encode(hmac::sign(&key, message.as_bytes())).into();
        item
    }

    fn webhook(items: &[Value]) -> Value {
        let items: Vec<Value> = items.iter().map(|item| json!({"NotificationRequestItem": item})).collect();
        json!({"live": "false", "notificationItems": items})
    }

    /// The gateway's own example, computed by its own library.
    #[test]
    fn the_signature_is_the_gateways() {
        let golden: Value =
            serde_json::from_str(include_str!("../../tests/golden/notification.json")).unwrap();
        let item = golden.pointer("/notificationItems/0/NotificationRequestItem").unwrap();
        let message = "7914073381342284::TestMerchant:TestPayment-1407325143704:1130:EUR:AUTHORISATION:true";
        assert_eq!(Signed::of(item).unwrap().message(), message);
        assert_eq!(item["additionalData"]["hmacSignature"], "coqCmt/IZ4E3CzPvMY8zTjQVL5hYJUiBRg8UU+iCWo0=");
        let batch = outcome(&golden).unwrap();
        assert_eq!((batch.trust, batch.acknowledge), (Trust::Hint, ACCEPTED));
        assert!(batch.events[0].subject == EventSubject::Other, "another merchant account");
    }

    #[test]
    fn every_item_proves_itself() {
        let (right, old) = (sign(KEY, item("AUTHORISATION")), sign(PREVIOUS, item("CAPTURE")));
        let forged = sign(&KEY.replace('4', "5"), item("AUTHORISATION"));
        let mut altered = right.clone();
        altered["merchantReference"] = SESSION.replace('1', "2").into();
        let mut unsigned = item("AUTHORISATION");
        unsigned["additionalData"] = Value::Null;
        assert_eq!(outcome(&webhook(&[right.clone(), old])).unwrap().events.len(), 2);
        for wrong in [forged, altered, unsigned, json!({}), json!(7), Value::Null] {
            for items in
                [vec![wrong.clone()], vec![right.clone(), wrong.clone()], vec![wrong.clone(), right.clone()]]
            {
                let outcome = outcome(&webhook(&items));
                assert_eq!(outcome.unwrap_err(), WebhookRejection::Unauthentic, "{wrong}");
            }
        }
        assert_eq!(outcome(&webhook(&[])).unwrap_err(), WebhookRejection::Unauthentic);
        let without_a_key = outcome_for(&config(&json!({})), &webhook(&[right]));
        assert_eq!(without_a_key.unwrap_err(), WebhookRejection::Unauthentic);
    }

    #[test]
    fn the_outcome_is_a_text() {
        for success in [json!(true), json!("True"), json!("yes"), json!(""), Value::Null, json!(1)] {
            let mut strange = item("AUTHORISATION");
            strange["success"] = success.clone();
            assert!(Signed::of(&strange).is_none(), "{success}");
            assert!(outcome(&webhook(&[sign(KEY, strange)])).is_err(), "{success}");
        }
        for (pointer, value) in
            [("/pspReference", json!(7)), ("/amount/value", json!("0")), ("/amount/value", json!(0.5))]
        {
            let mut strange = item("AUTHORISATION");
            *strange.pointer_mut(pointer).unwrap() = value;
            assert!(Signed::of(&strange).is_none(), "{pointer}");
        }
    }

    #[test]
    fn a_payment_of_ours_is_a_hint_about_its_session() {
        let subject = |item: Value| outcome(&webhook(&[sign(KEY, item)])).unwrap().events.remove(0).subject;
        let ours = EventSubject::Session {
            reference: Some(SESSION.to_owned()),
            merchant_reference: Some(SESSION.to_owned()),
        };
        for code in ["AUTHORISATION", "RECURRING_CONTRACT"] {
            assert!(subject(item(code)) == ours, "{code}");
        }
        for code in ["CAPTURE", "REPORT_AVAILABLE", "NEW"] {
            assert!(subject(item(code)) == EventSubject::Other, "{code}");
        }
        for (field, value) in [
            ("merchantAccountCode", "OtherECOM"),
            ("merchantReference", "order-7"),
            ("merchantReference", &format!("{SESSION}:0")),
        ] {
            let mut other = item("AUTHORISATION");
            other[field] = value.into();
            assert!(subject(other) == EventSubject::Other, "{field} {value}");
        }
        let mut live = webhook(&[sign(KEY, item("AUTHORISATION"))]);
        live["live"] = "true".into();
        assert!(outcome(&live).unwrap().events[0].subject == EventSubject::Other, "of the other mode");
    }

    /// The signature does not cover what stands beside the eight fields: nothing of it comes through.
    #[test]
    fn no_token_is_taken_from_what_is_not_signed() {
        let mut swapped = sign(KEY, item("RECURRING_CONTRACT"));
        swapped["additionalData"]["recurring.recurringDetailReference"] = "ANOTHERANOTHERAN".into();
        let batch = outcome(&webhook(&[swapped])).unwrap();
        assert_eq!(batch.trust, Trust::Hint);
        let text = serde_json::to_string(&batch.events).unwrap();
        assert!(!text.contains("CANARY") && !text.contains("ANOTHER"), "{text}");
    }

    #[test]
    fn one_event_has_one_key() {
        let key = |item: Value| outcome(&webhook(&[sign(KEY, item)])).unwrap().events.remove(0).dedupe_key;
        let mut later = item("AUTHORISATION");
        later["eventDate"] = "2026-05-02T10:00:00+02:00".into();
        assert_eq!(key(later), key(item("AUTHORISATION")));
        let mut failed = item("AUTHORISATION");
        failed["success"] = "false".into();
        let mut other = item("AUTHORISATION");
        other["pspReference"] = "7914073381342285".into();
        let keys = [key(item("AUTHORISATION")), key(failed), key(other), key(item("CAPTURE"))];
        assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
    }

    proptest! {
        #[test]
        fn no_item_panics(text in ".{0,40}", number in any::<i64>()) {
            for value in [json!(null), json!(text), json!(number), json!([text]), json!({text.clone(): number})] {
                for pointer in ["/pspReference", "/amount", "/amount/value", "/merchantReference", "/eventCode", "/success", "/additionalData"] {
                    let mut strange = item("AUTHORISATION");
                    *strange.pointer_mut(pointer).unwrap() = value.clone();
                    if strange["additionalData"].is_object() {
                        strange = sign(KEY, strange);
                    }
                    let _ = outcome(&webhook(&[strange]));
                }
            }
        }
    }
}
