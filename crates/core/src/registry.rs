//! Which kinds of provider this program links.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::provider::TokenizationProvider;
use crate::settings::Settings;

#[doc(hidden)]
pub use inventory;

/// Builds a provider from its settings table.
pub type BuildProvider = fn(&Settings) -> Result<Arc<dyn TokenizationProvider>>;

/// One kind of provider, as its crate registers it.
#[derive(Debug, Clone, Copy)]
pub struct Registration {
    /// What `[gateways.<name>] provider = "…"` names.
    pub kind: &'static str,
    /// The gateway's name for people.
    pub name: &'static str,
    /// Makes a provider from settings.
    pub build: BuildProvider,
    /// A commented TOML example of the settings table.
    pub settings_example: &'static str,
}

inventory::collect!(Registration);

/// Registers a provider with every program that names its crate: `use billfold_provider_acme as _;`.
///
/// ```ignore
/// register_provider!(kind: "acme", name: "Acme Pay", build: build, settings_example: include_str!("settings.toml"));
/// ```
#[macro_export]
macro_rules! register_provider {
    (kind: $kind:expr, name: $name:expr, build: $build:expr, settings_example: $example:expr $(,)?) => {
        $crate::registry::inventory::submit! {
            $crate::registry::Registration { kind: $kind, name: $name, build: $build, settings_example: $example }
        }
    };
}

/// The kinds of provider to choose from.
#[derive(Debug, Clone, Default)]
pub struct Registry {
    kinds: BTreeMap<&'static str, Registration>,
}

impl Registry {
    /// Every provider that the program links. Two of one kind are a configuration error.
    pub fn linked() -> Result<Self> {
        Self::with(inventory::iter::<Registration>.into_iter().copied())
    }

    /// Exactly these.
    pub fn with(registrations: impl IntoIterator<Item = Registration>) -> Result<Self> {
        let mut kinds = BTreeMap::new();
        for registration in registrations {
            if kinds.insert(registration.kind, registration).is_some() {
                let message = format!("two linked crates both register the provider `{}`", registration.kind);
                return Err(Error::new(ErrorKind::Configuration, message));
            }
        }
        Ok(Self { kinds })
    }

    /// The registrations, sorted by kind.
    pub fn iter(&self) -> impl Iterator<Item = &Registration> {
        self.kinds.values()
    }

    /// Builds the provider of one gateway. An unknown kind is answered with those that are linked.
    pub fn build(&self, kind: &str, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        let Some(registration) = self.kinds.get(kind) else {
            let linked = self.kinds.keys().copied().collect::<Vec<_>>().join(", ");
            let linked = if linked.is_empty() { "no provider".to_owned() } else { linked };
            let Settings { origin, gateway, .. } = settings;
            let message = format!(
                "{origin}: gateways.{gateway}.provider: unknown provider `{kind}`; this program links {linked}"
            );
            return Err(Error::new(ErrorKind::Configuration, message));
        };
        (registration.build)(settings)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Mode;

    fn refuse(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
        Err(settings.wrong("", "not today"))
    }

    fn registration(kind: &'static str) -> Registration {
        Registration { kind, name: kind, build: refuse, settings_example: "" }
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_linked_ones() {
        let registry = Registry::with([registration("beta"), registration("alpha")]).unwrap();
        let settings = Settings {
            gateway: "main".into(),
            mode: Mode::Test,
            origin: "billfold.toml".into(),
            development: false,
            values: serde_json::Value::Null,
        };
        let message = registry.build("gamma", &settings).unwrap_err().to_string();
        assert_eq!(
            message,
            "billfold.toml: gateways.main.provider: unknown provider `gamma`; this program links alpha, beta"
        );
        assert!(registry.build("alpha", &settings).unwrap_err().to_string().contains("not today"));
    }

    #[test]
    fn two_of_one_kind_are_refused() {
        assert!(Registry::with([registration("a"), registration("a")]).is_err());
    }
}
