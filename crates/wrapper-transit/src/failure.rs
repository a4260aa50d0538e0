//! What goes wrong, by HTTP status. The engine's own words are looked at and never repeated: they may quote
//! what was sent.
//!
//! 400 stands for many things. On `decrypt` it is how the engine says that ciphertext, associated data and key
//! do not belong together, whatever the words of its version. The few texts that blame the key or its policy
//! instead are known and mean that somebody has to act, as does a 400 that is not in the engine's form: then
//! something else answered.

use std::time::Duration;

use billfold_core::transport::TransportError;
use billfold_core::vault::WrapError;
use bytes::Bytes;
use http::{HeaderMap, Response};
use serde::Deserialize;

use crate::client::Call;

/// The longest time that the server can make us wait.
const LONGEST_WAIT: Duration = Duration::from_hours(1);

/// The engine's form of an error.
#[derive(Deserialize)]
struct Errors {
    errors: Vec<String>,
}

/// What blames the key rather than the ciphertext, and what to say of it.
const ABOUT_THE_KEY: [(&str, &str); 6] = [
    ("encryption key not found", "there is no such key"),
    ("policy not found", "there is no such key"),
    ("non-AEAD cipher", "the key's type takes no associated data; use aes256-gcm96"),
    ("not supported for key type", "the key's type does not encrypt and decrypt; use aes256-gcm96"),
    ("key derivation", "the key is a derived one; make one without `derived`"),
    ("disallowed by policy", "the key's min_decryption_version forbids the version that wrapped this"),
];

/// The error of an answer that is not 200.
pub(crate) fn from_response(call: Call, response: &Response<Bytes>) -> WrapError {
    let status = response.status().as_u16();
    match status {
        400 => bad_request(call, response.body()),
        403 => denied("it refuses our token or what its policies allow (403)"),
        404 => denied("there is no such mount or namespace (404)"),
        412 | 429 => unavailable(&format!("it asks to wait ({status})"), wait(response.headers())),
        503 => unavailable("it is sealed or in maintenance (503)", wait(response.headers())),
        500.. => unavailable(&format!("it had an error of its own ({status})"), wait(response.headers())),
        // Standby nodes that do not forward send clients to the active one. Our token goes where it was meant to.
        300..=399 => unavailable(&format!("it redirects ({status}): is this a standby node?"), None),
        401..=499 => denied(&format!("it refuses the request ({status})")),
        _ => unreadable(),
    }
}

fn bad_request(call: Call, body: &[u8]) -> WrapError {
    let Ok(Errors { errors }) = serde_json::from_slice(body) else {
        return denied("something that is no transit engine refuses the request (400)");
    };
    let known = ABOUT_THE_KEY.iter().find(|(words, _)| errors.iter().any(|error| error.contains(words)));
    match (known, call) {
        (Some((_, problem)), _) => denied(problem),
        (None, Call::Decrypt) => WrapError::Refused,
        (None, Call::Encrypt) => denied("it does not encrypt what we send (400)"),
    }
}

/// The error of a request that brought no answer.
pub(crate) fn from_transport(error: &TransportError) -> WrapError {
    unavailable(&error.message, None)
}

/// A 200 that does not hold what it should.
pub(crate) fn unreadable() -> WrapError {
    unavailable("its answer could not be read", None)
}

pub(crate) fn denied(problem: &str) -> WrapError {
    WrapError::Denied(format!("transit: {problem}"))
}

pub(crate) fn unavailable(problem: &str, retry_after: Option<Duration>) -> WrapError {
    WrapError::Unavailable { reason: format!("transit: {problem}"), retry_after }
}

/// `Retry-After` in seconds; the servers do not send dates.
fn wait(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(http::header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, retry_after: Option<&str>, body: &'static str) -> Response<Bytes> {
        let builder = Response::builder().status(status);
        let builder =
            retry_after.into_iter().fold(builder, |builder, value| builder.header("retry-after", value));
        builder.body(Bytes::from_static(body.as_bytes())).unwrap()
    }

    fn check(call: Call, status: u16, body: &'static str, expected: &str) {
        let error = from_response(call, &answer(status, None, body));
        let class = match &error {
            WrapError::Refused => "refused".to_owned(),
            WrapError::Denied(reason) => format!("denied {reason}"),
            WrapError::Unavailable { reason, .. } => format!("unavailable {reason}"),
        };
        assert!(class.contains(expected), "{status} {body}: {class}, not {expected}");
        assert!(!error.to_string().contains("CANARY"), "{error}");
    }

    #[test]
    fn decryption_is_refused_unless_the_key_is_to_blame() {
        for words in [
            r#"{"errors":["cipher: message authentication failed"]}"#,
            r#"{"errors":["invalid ciphertext: version is too new"]}"#,
            r#"{"errors":["invalid ciphertext: could not decode base64"]}"#,
            r#"{"errors":["1 error occurred:\n\t* cipher: CANARY\n\n"]}"#,
            r#"{"errors":["words of a later version CANARY"]}"#,
            r#"{"errors":[]}"#,
        ] {
            check(Call::Decrypt, 400, words, "refused");
            check(Call::Encrypt, 400, words, "denied");
        }
        let derived =
            r#"{"errors":["missing 'context' for key derivation; the key was created using a derived key"]}"#;
        for (words, said) in [
            (r#"{"errors":["encryption key not found"]}"#, "no such key"),
            (
                r#"{"errors":["'[0].associated_data' provided for non-AEAD cipher suite rsa-2048"]}"#,
                "associated",
            ),
            (r#"{"errors":["message decryption not supported for key type ed25519"]}"#, "type"),
            (derived, "derived"),
            (
                r#"{"errors":["ciphertext or signature version is disallowed by policy (too old)"]}"#,
                "min_decryption_version",
            ),
            ("<html>CANARY</html>", "no transit engine"),
            ("Client sent an HTTP request to an HTTPS server. CANARY", "no transit engine"),
            (r#"{"message":"CANARY"}"#, "no transit engine"),
            ("", "no transit engine"),
        ] {
            check(Call::Decrypt, 400, words, said);
            check(Call::Encrypt, 400, words, "denied");
        }
    }

    #[test]
    fn other_statuses_say_who_has_to_act() {
        for (status, expected) in [
            (401, "denied"),
            (403, "denied"),
            (404, "denied"),
            (405, "denied"),
            (413, "denied"),
            (301, "unavailable"),
            (307, "unavailable"),
            (412, "unavailable"),
            (429, "unavailable"),
            (500, "unavailable"),
            (502, "unavailable"),
            (503, "unavailable"),
            (599, "unavailable"),
            (204, "unavailable"),
        ] {
            for call in [Call::Encrypt, Call::Decrypt] {
                check(call, status, r#"{"errors":["CANARY"]}"#, expected);
                check(call, status, "CANARY", expected);
            }
        }
    }

    #[test]
    fn waiting_is_bounded() {
        for (value, expected) in [
            (None, None),
            (Some("7"), Some(7)),
            (Some("99999999"), Some(3600)),
            (Some("soon"), None),
            (Some("-1"), None),
        ] {
            let error = from_response(Call::Decrypt, &answer(429, value, ""));
            let WrapError::Unavailable { retry_after, .. } = error else { panic!("{error:?}") };
            assert_eq!(retry_after, expected.map(Duration::from_secs), "{value:?}");
        }
    }
}
