//! `[vault]`

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use billfold_core::secret::SecretString;
use billfold_core::vault::Suite;
use serde::{Deserialize, Deserializer};

use super::Hidden;
use crate::secret::optional_secret;

/// `[vault]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// The kind of key wrapper that keeps the root key.
    pub wrapper: String,
    /// The root key of the wrapper `local`, base64 of 32 bytes.
    #[serde(default, deserialize_with = "optional_secret")]
    pub root_key: Option<SecretString>,
    /// The wrapper's own table, where it is not `local`.
    #[serde(default)]
    pub(crate) settings: Hidden,
    /// Root keys in key services that still open what they wrapped, by a name of your own.
    #[serde(default)]
    pub(crate) previous_wrappers: BTreeMap<String, WrapperConfig>,
    /// Older root keys of the wrapper `local`, newest first.
    #[serde(default, deserialize_with = "secrets_list")]
    pub previous_root_keys: Vec<SecretString>,
    /// How new values are encrypted.
    pub suite: Suite,
    /// For how long unwrapped data keys are kept.
    pub key_cache_seconds: u64,
    /// The ledger of erasures outside of the database.
    #[serde(default)]
    pub erasure_ledger_file: Option<PathBuf>,
    /// How often one API key may reveal a value.
    pub reveals_per_minute: NonZeroU32,
    /// How long webhooks' bodies are kept.
    pub webhook_retention_days: u32,
}

/// A root key in a key service.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrapperConfig {
    /// The kind of key wrapper.
    pub(crate) wrapper: String,
    /// The wrapper's own table.
    #[serde(default)]
    pub(crate) settings: Hidden,
}

fn secrets_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretString>, D::Error> {
    Vec::<String>::deserialize(deserializer).map(|list| list.into_iter().map(SecretString::from).collect())
}
