//! The settings table, read once.

use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::settings::{Mode, Settings};
use serde::Deserialize;

/// `[gateways.<name>.settings]`. Everything in it is secret, so it has no `Debug`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) api_key: SecretString,
    webhook_secret: SecretString,
    previous_webhook_secret: Option<SecretString>,
}

impl Config {
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let config: Self = settings.parse()?;
        let prefix = match settings.mode {
            Mode::Test => "test_",
            Mode::Live => "live_",
        };
        if !config.api_key.expose_secret().starts_with(prefix) {
            let problem = format!("expected a key of mode {}, {prefix}...", settings.mode.as_str());
            return Err(settings.wrong(".api_key", &problem));
        }
        let secrets = [
            (".webhook_secret", Some(&config.webhook_secret)),
            (".previous_webhook_secret", config.previous_webhook_secret.as_ref()),
        ];
        for (key, secret) in secrets {
            // Anybody can sign with an empty key.
            if secret.is_some_and(|secret| secret.expose_secret().trim().is_empty()) {
                return Err(settings.wrong(key, "must not be empty"));
            }
        }
        Ok(config)
    }

    /// The secrets by which a webhook may prove itself.
    pub(crate) fn webhook_secrets(&self) -> impl Iterator<Item = &SecretString> {
        [&self.webhook_secret].into_iter().chain(&self.previous_webhook_secret)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(mode: Mode, values: Value, expected: &str) {
        let origin = "billfold.toml".to_owned();
        let settings = Settings { gateway: "acme-de".to_owned(), mode, origin, development: false, values };
        let error = Config::read(&settings).err().unwrap().to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("CANARY"), "{error}");
    }

    #[test]
    fn a_wrong_table_is_refused_with_its_key_and_without_its_values() {
        let good = json!({"api_key": "test_CANARY", "webhook_secret": "CANARY"});
        check(Mode::Live, good.clone(), "settings.api_key: expected a key of mode live, live_...");
        check(Mode::Test, json!({"webhook_secret": "CANARY"}), "settings: missing field `api_key`");
        for (key, value, expected) in [
            ("webhook_secret", json!(" "), "settings.webhook_secret: must not be empty"),
            ("previous_webhook_secret", json!(""), "settings.previous_webhook_secret: must not be empty"),
            ("api_key", json!(["CANARY"]), "settings.api_key: invalid type"),
            ("webhook_secre", json!("CANARY"), "settings.webhook_secre: unknown field"),
        ] {
            let mut table = good.clone();
            table[key] = value;
            check(Mode::Test, table, expected);
        }
    }
}
