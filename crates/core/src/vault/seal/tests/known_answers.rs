//! Blobs made by `crates/core/tests/vectors/make_vectors.py`: another language, other libraries, and a second
//! reading of the format's description.

use std::fs;

use super::super::{header, open, seal};
use super::example::{Example, beside, hex_at};
use super::support::Scripted;
use crate::vault::Suite;

#[test]
fn another_implementations_blobs_open_and_are_made_again() {
    let text = fs::read_to_string(beside("vectors/sealed.json")).unwrap();
    let vectors: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    for vector in &vectors {
        let known = Example::read(vector);
        let label = hex::encode(&known.blob[..24]);
        let opened = open(&known.key, &known.context, &known.blob).unwrap();
        assert_eq!(*opened, known.plaintext, "{label}");
        let header = header(&known.blob).unwrap();
        assert_eq!((header.suite, header.key_id), (known.suite, known.key_id), "{label}");

        let script = Scripted::new(&[&hex_at(vector, "salt"), &hex_at(vector, "nonce")]);
        let made = seal(known.suite, known.key_id, &known.key, &known.context, &known.plaintext, &script);
        assert_eq!(made, Ok(known.blob), "{label}");
        assert!(script.is_used_up(), "{label}");
    }
    for suite in Suite::ALL {
        let of_suite = vectors.iter().filter(|vector| vector["suite"] == suite.as_str());
        assert_eq!(of_suite.count(), 64, "{}", suite.as_str());
    }
}
