//! The settings table, read strictly and checked as a whole.

use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::{check_address, is_loopback};
use serde::{Deserialize, Deserializer};
use url::Url;

const DEFAULT_BASE_URL: &str = "https://api.stripe.com";
const WEBHOOK_PREFIX: &str = "whsec_";

/// One account, as configured.
pub(crate) struct Config {
    pub(crate) base_url: Url,
    pub(crate) secret_key: SecretString,
    /// Any of these proves a webhook: the current secret, and the previous one while it is rolled.
    pub(crate) webhook_secrets: Vec<SecretString>,
    /// Whether the account is a sandbox on this machine, to which plain HTTP is spoken.
    pub(crate) local: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(deserialize_with = "secret")]
    secret_key: SecretString,
    #[serde(deserialize_with = "secret")]
    webhook_secret: SecretString,
    #[serde(default, deserialize_with = "optional_secret")]
    previous_webhook_secret: Option<SecretString>,
    #[serde(default)]
    base_url: Option<String>,
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn optional_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(SecretString::from))
}

impl Config {
    pub(crate) fn read(settings: &Settings) -> Result<Self> {
        let table: Table = settings.parse()?;
        let base_url = base_url(settings, table.base_url.as_deref())?;
        let local = settings.development && base_url.host_str().is_some_and(is_loopback);
        check_key(settings, &table.secret_key)?;
        let secrets = [
            (".webhook_secret", Some(table.webhook_secret)),
            (".previous_webhook_secret", table.previous_webhook_secret),
        ];
        let mut webhook_secrets = Vec::new();
        for (key, secret) in secrets {
            let Some(secret) = secret else { continue };
            check_printable(settings, key, &secret)?;
            if !secret.expose_secret().starts_with(WEBHOOK_PREFIX) {
                return Err(settings.wrong(key, "expected a signing secret that starts with whsec_"));
            }
            webhook_secrets.push(secret);
        }
        Ok(Self { base_url, secret_key: table.secret_key, webhook_secrets, local })
    }
}

/// Read here and not by serde, whose error would repeat the text: it may hold a password.
fn base_url(settings: &Settings, text: Option<&str>) -> Result<Url> {
    let wrong = |problem: &str| settings.wrong(".base_url", problem);
    let url = Url::parse(text.unwrap_or(DEFAULT_BASE_URL));
    let url = url.map_err(|_| wrong("expected a URL, such as https://api.stripe.com"))?;
    check_address(&url, settings.development).map_err(wrong)?;
    Ok(url)
}

/// Secret keys begin with `sk_`, restricted ones with `rk_`, public ones with `pk_`; the mode follows.
fn check_key(settings: &Settings, key: &SecretString) -> Result<()> {
    check_printable(settings, ".secret_key", key)?;
    let wrong = |problem: &str| Err(settings.wrong(".secret_key", problem));
    let (kind, rest) = key.expose_secret().split_once('_').unwrap_or_default();
    let mode = rest.split_once('_').map(|(mode, _)| mode);
    match (kind, mode, settings.mode) {
        ("pk", _, _) => wrong("this is a publishable key; sessions need the secret key (sk_...)"),
        ("sk" | "rk", Some("test"), Mode::Test) | ("sk" | "rk", Some("live"), Mode::Live) => Ok(()),
        ("sk" | "rk", Some("live"), Mode::Test) => {
            wrong("a live key in test mode; use the test key or set mode = \"live\"")
        }
        ("sk" | "rk", Some("test"), Mode::Live) => {
            wrong("a test key in live mode; use the live key or set mode = \"test\"")
        }
        _ => wrong("expected a key that starts with sk_test_, sk_live_, rk_test_ or rk_live_"),
    }
}

/// Keys are pasted and read from files: a blank one, or one with a line end, never works.
fn check_printable(settings: &Settings, key: &str, secret: &SecretString) -> Result<()> {
    let secret = secret.expose_secret();
    if secret.trim().is_empty() {
        return Err(settings.wrong(key, "must not be empty"));
    }
    if !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(settings.wrong(key, "contains a blank, a line end or a character outside ASCII"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(mode: Mode, development: bool, changes: Value, expected: Option<&str>) {
        let mut values = json!({"secret_key": "sk_test_k", "webhook_secret": "whsec_s"});
        for (key, value) in changes.as_object().unwrap() {
            values[key] = value.clone();
        }
        let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
        let outcome = Config::read(&Settings { gateway, mode, origin, development, values });
        let problem = outcome.err().map(|error| error.to_string());
        match (&problem, expected) {
            (Some(problem), Some(part)) => assert!(problem.contains(part), "{problem} should contain {part}"),
            _ => assert_eq!(problem.is_some(), expected.is_some(), "{changes}: {problem:?}"),
        }
        assert!(!problem.unwrap_or_default().contains("CANARY"));
    }

    #[test]
    fn keys_belong_to_the_mode() {
        check(Mode::Test, false, json!({}), None);
        check(Mode::Test, false, json!({"secret_key": "rk_test_k"}), None);
        check(Mode::Live, false, json!({"secret_key": "sk_live_k"}), None);
        check(Mode::Live, false, json!({"secret_key": "sk_test_CANARY"}), Some(".secret_key: a test key"));
        check(Mode::Test, false, json!({"secret_key": "rk_live_CANARY"}), Some(".secret_key: a live key"));
        check(Mode::Test, false, json!({"secret_key": "pk_test_CANARY"}), Some("publishable"));
        check(Mode::Test, false, json!({"secret_key": "CANARY"}), Some("starts with sk_test_"));
        check(Mode::Test, false, json!({"secret_key": "sk_test_CANARY\n"}), Some("a line end"));
    }

    #[test]
    fn signing_secrets_are_whole_and_addresses_safe() {
        check(
            Mode::Test,
            false,
            json!({"webhook_secret": "CANARY"}),
            Some(".webhook_secret: expected a signing"),
        );
        check(
            Mode::Test,
            false,
            json!({"previous_webhook_secret": ""}),
            Some(".previous_webhook_secret: must"),
        );
        check(Mode::Test, false, json!({"base_url": "http://127.0.0.1:4000"}), Some(".base_url: plain HTTP"));
        check(Mode::Test, true, json!({"base_url": "http://127.0.0.1:4000"}), None);
        check(Mode::Test, true, json!({"base_url": "https://u:CANARY@proxy.example"}), Some(".base_url"));
        check(Mode::Test, true, json!({"base_url": "CANARY"}), Some(".base_url"));
        check(Mode::Test, true, json!({"webhook_secrt": "CANARY"}), Some("unknown field `webhook_secrt`"));
    }
}
