//! Sealed values in files beside the tests.

use std::path::PathBuf;

use crate::vault::{DataKey, KeyId, Suite};

/// A file or folder in `crates/core/tests`.
pub(super) fn beside(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)
}

/// A sealed value with everything that opens it, as the files beside the tests hold it.
pub(super) struct Example {
    pub(super) suite: Suite,
    pub(super) key_id: KeyId,
    pub(super) key: DataKey,
    pub(super) context: Vec<u8>,
    pub(super) plaintext: Vec<u8>,
    pub(super) blob: Vec<u8>,
}

impl Example {
    pub(super) fn read(from: &serde_json::Value) -> Self {
        Self {
            suite: Suite::from_name(from["suite"].as_str().unwrap()).unwrap(),
            key_id: KeyId::from_hex(from["key_id"].as_str().unwrap()).unwrap(),
            key: DataKey::from_slice(&hex_at(from, "key")).unwrap(),
            context: hex_at(from, "context"),
            plaintext: hex_at(from, "plaintext"),
            blob: hex_at(from, "blob"),
        }
    }
}

pub(super) fn hex_at(from: &serde_json::Value, name: &str) -> Vec<u8> {
    hex::decode(from[name].as_str().unwrap()).unwrap()
}
