//! Webhooks. An input that begins with `+` is a body that the gateway signs; any other is a delivery as it came:
//! header lines, an empty line, the body.
//!
//! Whoever does not know the secret is never believed; what proves itself is read the same way each time, and every
//! event of it has a key.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::capability::Trust;
use billfold_core::clock::Timestamp;
use billfold_core::provider::{
    EventSubject, ProviderEvent, TokenizationProvider, WebhookBatch, WebhookDelivery, WebhookRejection,
};
use bytes::Bytes;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sha2::Sha256;

use crate::accounts::{Account, NOW};

/// How old a signed time may be.
const TOLERANCE: u64 = 5 * 60;
/// A secret of nobody's, of a form that every gateway's may have.
const STRANGER: &str = "4444444444444444444444444444444444444444444444444444444444444444";

/// Checks one delivery.
pub fn check(account: &Account, provider: &dyn TokenizationProvider, data: &[u8]) {
    match data.strip_prefix(b"+") {
        Some(body) => check_signed(account, provider, body),
        None => check_as_it_came(account, provider, data),
    }
}

fn check_as_it_came(account: &Account, provider: &dyn TokenizationProvider, data: &[u8]) {
    let end = data.windows(2).position(|two| two == b"\n\n").unwrap_or(data.len());
    let (head, body) = data.split_at(end);
    let mut headers = HeaderMap::new();
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        let value = HeaderValue::from_bytes(line[colon + 1..].trim_ascii());
        if let (Ok(name), Ok(value)) = (name, value) {
            // A request with more is refused before a provider sees it.
            if headers.len() < 64 {
                headers.append(name, value);
            }
        }
    }
    let body = body.strip_prefix(b"\n\n").unwrap_or_default();
    let read = read(account, provider, &headers, body, NOW);
    let believed = !matches!(read, Err(WebhookRejection::Unauthentic));
    assert!(!believed || is_proven(account, &headers, body), "an unproven webhook is believed: {read:?}");
}

fn check_signed(account: &Account, provider: &dyn TokenizationProvider, body: &[u8]) {
    let (headers, signed) = sign(account, account.webhook_secret, body, NOW);
    let first = read(account, provider, &headers, &signed, NOW);
    let whole = covers_body(account, &signed);
    assert!(
        !whole || !matches!(first, Err(WebhookRejection::Unauthentic)),
        "a webhook of the gateway's own is refused"
    );

    // The next attempt at the same thing.
    let later = NOW.plus(Duration::from_mins(1));
    let (again, resigned) = sign(account, account.webhook_secret, body, later);
    let second = read(account, provider, &again, &resigned, later);
    assert_eq!(told(&first), told(&second), "another attempt tells something else");

    // Somebody else's.
    let (headers_of_stranger, forged) = sign(account, STRANGER, body, NOW);
    let refused = read(account, provider, &headers_of_stranger, &forged, NOW);
    assert!(matches!(refused, Err(WebhookRejection::Unauthentic)), "anybody's signature counts: {refused:?}");

    // One bit on the way. Where it falls, the body says.
    let bits = signed.len() * 8;
    let sum = signed.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
    if let Some(bit) = sum.checked_rem(bits) {
        let mut altered = signed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let read = read(account, provider, &headers, &altered, NOW);
        let believed = !matches!(read, Err(WebhookRejection::Unauthentic));
        let proven = is_proven(account, &headers, &altered);
        assert!(!believed || proven, "a webhook that was altered is believed: {read:?}");
    }
}

/// Reads a delivery, twice, and checks what every batch must have.
fn read(
    account: &Account,
    provider: &dyn TokenizationProvider,
    headers: &HeaderMap,
    body: &[u8],
    at: Timestamp,
) -> Result<WebhookBatch, WebhookRejection> {
    let delivery = WebhookDelivery::new(Bytes::copy_from_slice(body), headers.clone(), "", at);
    let read = provider.read_webhook(&delivery);
    assert_eq!(told(&read), told(&provider.read_webhook(&delivery)), "one delivery is read in two ways");
    if let Ok(batch) = &read {
        let declared = provider.capabilities().webhook_trust;
        assert!(batch.trust == declared || declared == Trust::Hint, "less proven than declared");
        assert!((200..300).contains(&batch.acknowledge.status), "the acknowledgement acknowledges");
        for event in &batch.events {
            assert!(!event.dedupe_key.is_empty() && !event.name.is_empty(), "an event has no key or no name");
            if let EventSubject::Method { token, .. } = &event.subject {
                assert!(!token.is_empty(), "an event is about a token without a name");
                let printed = format!("{event:?}");
                assert!(event.name.contains(token) || !printed.contains(token), "an event prints its token");
            }
        }
    }
    let printed = format!("{delivery:?} {read:?}");
    if !account.is_marked(body) {
        account.assert_quiet(&printed, "a webhook");
    }
    read
}

/// What a reading tells, to be compared.
fn told(read: &Result<WebhookBatch, WebhookRejection>) -> Result<&[ProviderEvent], WebhookRejection> {
    read.as_ref().map(|batch| batch.events.as_slice()).map_err(|rejection| *rejection)
}

/// A body as the gateway sends it, under a secret. This and [`is_proven`] are written from the gateways' documents and
/// use another library than the providers do.
fn sign(account: &Account, secret: &str, body: &[u8], at: Timestamp) -> (HeaderMap, Vec<u8>) {
    let header = |name: &'static str, value: String| {
        let value = HeaderValue::from_str(&value).expect("a header");
        HeaderMap::from_iter([(HeaderName::from_static(name), value)])
    };
    let whole = |name| header(name, hex::encode(mac(secret.as_bytes(), body)));
    match account.kind {
        "xendit" => (header("x-callback-token", secret.to_owned()), body.to_vec()),
        "stripe" => {
            let time = at.as_millis() / 1000;
            let mac = mac(secret.as_bytes(), &[format!("{time}.").as_bytes(), body].concat());
            (header("stripe-signature", format!("t={time},v1={}", hex::encode(mac))), body.to_vec())
        }
        "gocardless" => (whole("webhook-signature"), body.to_vec()),
        _ => match serde_json::from_slice::<Value>(body).ok().filter(|body| items(body).is_some()) {
            Some(mut body) => {
                sign_items(&key_of(secret), &mut body);
                (HeaderMap::new(), serde_json::to_vec(&body).expect("JSON"))
            }
            None => (header("hmacsignature", STANDARD.encode(mac(&key_of(secret), body))), body.to_vec()),
        },
    }
}

/// Whether whoever wrote a delivery knew the secret.
fn is_proven(account: &Account, headers: &HeaderMap, body: &[u8]) -> bool {
    let secret = account.webhook_secret;
    let only = |name: &str| {
        let mut given = headers.get_all(name).iter();
        given.next().filter(|_| given.next().is_none()).map(HeaderValue::as_bytes)
    };
    let is_hex = |text: &[u8], mac: &[u8]| hex::decode(text).is_ok_and(|bytes| bytes == mac);
    match account.kind {
        "xendit" => only("x-callback-token") == Some(secret.as_bytes()),
        "stripe" => only("stripe-signature").is_some_and(|header| {
            let header = String::from_utf8_lossy(header);
            let values = |name: &str| {
                let parts = header.split(',').filter_map(|part| part.trim().split_once('='));
                parts.filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()).collect::<Vec<_>>()
            };
            let [time] = &values("t")[..] else { return false };
            let now = NOW.as_millis() / 1000;
            let recent = time.parse::<i64>().is_ok_and(|at| now.abs_diff(at) <= TOLERANCE);
            let mac = mac(secret.as_bytes(), &[time.as_bytes(), b".", body].concat());
            recent && values("v1").iter().any(|value| is_hex(value.as_bytes(), &mac))
        }),
        "gocardless" => {
            let mac = mac(secret.as_bytes(), body);
            only("webhook-signature").is_some_and(|header| is_hex(header, &mac))
        }
        _ => {
            let key = key_of(secret);
            let parsed = serde_json::from_slice::<Value>(body).ok();
            if let Some(items) = parsed.as_ref().and_then(items) {
                return !items.is_empty() && items.iter().all(|item| is_signed(&key, item));
            }
            let given = only("hmacsignature").and_then(|given| STANDARD.decode(given).ok());
            given.is_some_and(|given| given == mac(&key, body))
        }
    }
}

/// Whether the proof is over the whole body, so that every body can be proven.
fn covers_body(account: &Account, body: &[u8]) -> bool {
    let parsed = serde_json::from_slice::<Value>(body).ok();
    account.kind != "adyen" || parsed.as_ref().and_then(items).is_none()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}

/// Adyen's keys are shown in hexadecimal.
fn key_of(secret: &str) -> Vec<u8> {
    hex::decode(secret).expect("a key")
}

/// The list of Adyen's standard webhooks.
fn items(body: &Value) -> Option<&Vec<Value>> {
    body.get("notificationItems")?.as_array()
}

fn sign_items(key: &[u8], body: &mut Value) {
    let items = body.get_mut("notificationItems").and_then(Value::as_array_mut);
    for item in items.into_iter().flatten() {
        let Some(item) = item.get_mut("NotificationRequestItem").filter(|item| item.is_object()) else {
            continue;
        };
        let Some(message) = message(item) else { continue };
        let data = &mut item["additionalData"];
        if data.is_object() || data.is_null() {
            data["hmacSignature"] = STANDARD.encode(mac(key, message.as_bytes())).into();
        }
    }
}

fn is_signed(key: &[u8], item: &Value) -> bool {
    let Some(item) = item.get("NotificationRequestItem") else { return false };
    let given = item.pointer("/additionalData/hmacSignature").and_then(Value::as_str);
    let given = given.and_then(|given| STANDARD.decode(given).ok());
    given.zip(message(item)).is_some_and(|(given, message)| given == mac(key, message.as_bytes()))
}

/// The eight fields that Adyen signs; `None` where one of them is of another type.
fn message(item: &Value) -> Option<String> {
    let fields = [
        "/pspReference",
        "/originalReference",
        "/merchantAccountCode",
        "/merchantReference",
        "/amount/value",
        "/amount/currency",
        "/eventCode",
        "/success",
    ];
    let texts = fields.map(|field| match item.pointer(field) {
        None | Some(Value::Null) => Some(String::new()),
        Some(Value::String(text)) if field != "/amount/value" => Some(text.clone()),
        Some(Value::Number(number)) if field == "/amount/value" => Some(number.to_string()),
        Some(_) => None,
    });
    Some(texts.into_iter().collect::<Option<Vec<_>>>()?.join(":"))
}
