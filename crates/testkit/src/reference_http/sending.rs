//! Webhooks as the HTTP reference's gateway sends them.

use aws_lc_rs::hmac;
use http::{HeaderMap, HeaderValue};

use super::webhook::{Event, PROOF_HEADER, Proof};

/// An event with its own proof.
pub(super) fn sealed(mut event: Event, secret: &str) -> Event {
    event.mac = Some(hex::encode(sign(secret, event.covered().as_bytes())));
    event
}

fn sign(secret: &str, message: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    hmac::sign(&key, message).as_ref().to_vec()
}

/// The headers with which a body is sent at `at` (Unix seconds).
pub(super) fn headers(proof: Proof, secret: &str, body: &[u8], at: i64) -> HeaderMap {
    let value = match proof {
        Proof::Token => secret.to_owned(),
        Proof::Signature => {
            let message = [format!("{at}.").as_bytes(), body].concat();
            format!("t={at},v1={}", hex::encode(sign(secret, &message)))
        }
        Proof::Items => return HeaderMap::new(),
    };
    let value = HeaderValue::from_str(&value).expect("a secret that a header can hold");
    HeaderMap::from_iter([(PROOF_HEADER, value)])
}
