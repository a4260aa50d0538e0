//! Which kinds of key wrapper this program links, and the settings table of the one that it uses.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::local::LocalWrapper;
use super::wrapper::KeyWrapper;
use crate::error::{Error, ErrorKind, Result};
use crate::settings;

/// The table of a key wrapper: everything in it belongs to the wrapper, which reads it with
/// `deny_unknown_fields` so that a misspelt key is named.
pub struct WrapperSettings {
    /// Where the table was written, for error messages: `billfold.toml`.
    pub origin: String,
    /// Where the table stands in it: `vault.settings`.
    pub key: String,
    /// Whether development liberties are taken: plain HTTP to loopback addresses.
    pub development: bool,
    /// The table.
    pub values: serde_json::Value,
}

impl WrapperSettings {
    /// Reads the table as `T`. The error names file, key and what was expected, and never a value.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T> {
        settings::parse(&self.values, |key, problem| self.wrong(key, problem))
    }

    /// An error about one key of the table, such as `.address`.
    pub fn wrong(&self, key: &str, problem: &str) -> Error {
        settings::wrong(&self.origin, &self.key, key, problem)
    }
}

impl fmt::Debug for WrapperSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WrapperSettings").field("key", &self.key).finish_non_exhaustive()
    }
}

/// Builds a key wrapper from its settings table. It reads the table and calls nobody; whether the root key
/// can be used is what [`KeyWrapper::check`] finds out.
pub type BuildWrapper = fn(&WrapperSettings) -> Result<Arc<dyn KeyWrapper>>;

/// One kind of key wrapper, as its crate registers it.
#[derive(Debug, Clone, Copy)]
pub struct WrapperRegistration {
    /// The name in the configuration, and the first part of each [`WrapperId`](super::WrapperId).
    pub kind: &'static str,
    /// The service's name for people.
    pub name: &'static str,
    /// Makes a wrapper from settings.
    pub build: BuildWrapper,
    /// A commented TOML example of the settings table.
    pub settings_example: &'static str,
}

inventory::collect!(WrapperRegistration);

/// Registers a key wrapper with every program that names its crate: `use billfold_wrapper_acme as _;`.
///
/// ```ignore
/// register_key_wrapper!(kind: "acme", name: "Acme KMS", build: build, settings_example: include_str!("settings.toml"));
/// ```
#[macro_export]
macro_rules! register_key_wrapper {
    (kind: $kind:expr, name: $name:expr, build: $build:expr, settings_example: $example:expr $(,)?) => {
        $crate::registry::inventory::submit! {
            $crate::vault::WrapperRegistration {
                kind: $kind,
                name: $name,
                build: $build,
                settings_example: $example,
            }
        }
    };
}

/// The kinds of key wrapper to choose from, beside core's own [`LocalWrapper`].
#[derive(Debug, Clone, Default)]
pub struct WrapperRegistry {
    kinds: BTreeMap<&'static str, WrapperRegistration>,
}

impl WrapperRegistry {
    /// Every key wrapper that the program links. Two of one kind are a configuration error.
    pub fn linked() -> Result<Self> {
        Self::with(inventory::iter::<WrapperRegistration>.into_iter().copied())
    }

    /// Exactly these.
    pub fn with(registrations: impl IntoIterator<Item = WrapperRegistration>) -> Result<Self> {
        let mut kinds = BTreeMap::new();
        for registration in registrations {
            let kind = registration.kind;
            if kind == LocalWrapper::KIND || kinds.insert(kind, registration).is_some() {
                let message = format!("two linked crates both register the key wrapper `{kind}`");
                return Err(Error::new(ErrorKind::Configuration, message));
            }
        }
        Ok(Self { kinds })
    }

    /// The registrations, sorted by kind.
    pub fn iter(&self) -> impl Iterator<Item = &WrapperRegistration> {
        self.kinds.values()
    }

    /// Builds the wrapper of one kind. An unknown kind is answered with those there are. The kind `local` is
    /// not built here: its root key is no table.
    pub fn build(&self, kind: &str, settings: &WrapperSettings) -> Result<Arc<dyn KeyWrapper>> {
        let Some(registration) = self.kinds.get(kind) else {
            let known = std::iter::once(LocalWrapper::KIND).chain(self.kinds.keys().copied());
            let known = known.collect::<Vec<_>>().join(", ");
            let problem = format!("unknown key wrapper `{kind}`; this program has {known}");
            return Err(settings.wrong("", &problem));
        };
        (registration.build)(settings)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Table {
        #[expect(dead_code, reason = "only parsed")]
        address: String,
    }

    fn refuse(settings: &WrapperSettings) -> Result<Arc<dyn KeyWrapper>> {
        settings.parse::<Table>()?;
        Err(settings.wrong(".address", "not today"))
    }

    fn registration(kind: &'static str) -> WrapperRegistration {
        WrapperRegistration { kind, name: kind, build: refuse, settings_example: "" }
    }

    fn settings(values: serde_json::Value) -> WrapperSettings {
        let key = "vault.settings".to_owned();
        WrapperSettings { origin: "billfold.toml".to_owned(), key, development: false, values }
    }

    fn check(kind: &str, values: serde_json::Value, expected: &str) {
        let registry = WrapperRegistry::with([registration("beta"), registration("alpha")]).unwrap();
        let error = registry.build(kind, &settings(values)).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }

    #[test]
    fn errors_name_file_and_key_and_what_there_is() {
        let unknown =
            "billfold.toml: vault.settings: unknown key wrapper `gamma`; this program has local, alpha, beta";
        check("gamma", json!({}), unknown);
        check("alpha", json!({"address": "CANARY"}), "billfold.toml: vault.settings.address: not today");
        let misspelt = "billfold.toml: vault.settings.adress: unknown field `adress`, expected `address`";
        check("alpha", json!({"adress": "CANARY"}), misspelt);
        let typed = "billfold.toml: vault.settings.address: invalid type, expected a string";
        check("alpha", json!({"address": 7}), typed);
    }

    #[test]
    fn one_kind_is_registered_once_and_local_never() {
        assert!(WrapperRegistry::with([registration("a"), registration("a")]).is_err());
        assert!(WrapperRegistry::with([registration("local")]).is_err());
        assert!(!format!("{:?}", settings(json!({"token": "CANARY"}))).contains("CANARY"));
    }
}
