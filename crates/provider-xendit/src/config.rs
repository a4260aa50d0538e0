//! The settings table, read strictly and checked as a whole.

use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::is_loopback;
use http::HeaderValue;
use serde::{Deserialize, Deserializer};
use url::Url;

const DEFAULT_BASE_URL: &str = "https://api.xendit.co";
const TEST_PREFIX: &str = "xnd_development_";
const LIVE_PREFIX: &str = "xnd_production_";
const PUBLIC_PREFIX: &str = "xnd_public_";

/// One account, as configured.
pub(crate) struct Config {
    pub(crate) base_url: Url,
    pub(crate) secret_key: SecretString,
    /// Any of these proves a webhook: the current token, and the previous one during rotation.
    pub(crate) callback_tokens: Vec<SecretString>,
    pub(crate) business_id: Option<String>,
    pub(crate) for_user_id: Option<HeaderValue>,
    pub(crate) customers: Customers,
    pub(crate) mode: Mode,
    /// Whether the account is a sandbox on this machine, to which plain HTTP is spoken.
    pub(crate) local: bool,
}

/// Who keeps the customers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Customers {
    /// One gateway customer per customer of ours, made before the first session. Sending the same
    /// inline customer twice is answered with 409.
    #[default]
    Directory,
    /// A new one in every session, described in the session's request.
    Inline,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(deserialize_with = "secret")]
    secret_key: SecretString,
    #[serde(deserialize_with = "secret")]
    callback_token: SecretString,
    #[serde(default, deserialize_with = "optional_secret")]
    previous_callback_token: Option<SecretString>,
    #[serde(default)]
    business_id: Option<String>,
    #[serde(default)]
    for_user_id: Option<String>,
    #[serde(default)]
    customers: Customers,
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
        let (base_url, local) = base_url(settings, table.base_url)?;
        check_key(settings, &table.secret_key, local)?;
        check_printable(settings, ".callback_token", &table.callback_token)?;
        if let Some(previous) = &table.previous_callback_token {
            check_printable(settings, ".previous_callback_token", previous)?;
        }
        let callback_tokens =
            std::iter::once(table.callback_token).chain(table.previous_callback_token).collect();
        Ok(Self {
            base_url,
            secret_key: table.secret_key,
            callback_tokens,
            business_id: not_blank(settings, ".business_id", table.business_id)?,
            for_user_id: for_user_id(settings, table.for_user_id)?,
            customers: table.customers,
            mode: settings.mode,
            local,
        })
    }
}

/// Read here and not by serde, whose error would repeat the text: it may hold a password.
fn base_url(settings: &Settings, text: Option<String>) -> Result<(Url, bool)> {
    let wrong = |problem: &str| settings.wrong(".base_url", problem);
    let text = text.as_deref().unwrap_or(DEFAULT_BASE_URL);
    let url = Url::parse(text).map_err(|_| wrong("expected a URL, such as https://api.xendit.co"))?;
    let loopback = url.host_str().is_some_and(is_loopback);
    let bare = url.username().is_empty() && url.password().is_none();
    let bare = bare && url.query().is_none() && url.fragment().is_none();
    if url.cannot_be_a_base() || !bare {
        return Err(wrong("expected scheme, host and nothing secret, such as https://api.xendit.co"));
    }
    match url.scheme() {
        "https" => {}
        "http" if loopback && settings.development => {}
        "http" if loopback => {
            return Err(wrong("plain HTTP needs development mode, even to this machine"));
        }
        _ => return Err(wrong("expected an https URL")),
    }
    Ok((url, loopback && settings.development))
}

fn check_key(settings: &Settings, key: &SecretString, local: bool) -> Result<()> {
    check_printable(settings, ".secret_key", key)?;
    let wrong = |problem: &str| Err(settings.wrong(".secret_key", problem));
    let key = key.expose_secret();
    if key.starts_with(PUBLIC_PREFIX) {
        return wrong(
            "this is a public key; sessions need the secret key (xnd_development_... or xnd_production_...)",
        );
    }
    match settings.mode {
        Mode::Test if key.starts_with(LIVE_PREFIX) => {
            wrong("a live key (xnd_production_...) in test mode; use the test key or set mode = \"live\"")
        }
        Mode::Live if key.starts_with(TEST_PREFIX) => {
            wrong("a test key (xnd_development_...) in live mode; use the live key or set mode = \"test\"")
        }
        _ if local || key.starts_with(TEST_PREFIX) || key.starts_with(LIVE_PREFIX) => Ok(()),
        _ => wrong("expected a key that starts with xnd_development_ or xnd_production_"),
    }
}

/// Keys and tokens are pasted and read from files: a blank one, or one with a line end, never works.
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

fn not_blank(settings: &Settings, key: &str, value: Option<String>) -> Result<Option<String>> {
    if value.as_ref().is_some_and(|value| value.trim().is_empty()) {
        return Err(settings.wrong(key, "must not be empty; leave it out instead"));
    }
    Ok(value)
}

fn for_user_id(settings: &Settings, value: Option<String>) -> Result<Option<HeaderValue>> {
    let Some(value) = not_blank(settings, ".for_user_id", value)? else { return Ok(None) };
    let header = HeaderValue::from_str(&value)
        .map_err(|_| settings.wrong(".for_user_id", "contains a character that no header may hold"))?;
    Ok(Some(header))
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn settings(mode: Mode, development: bool, values: Value) -> Settings {
        Settings { gateway: "main".into(), mode, origin: "billfold.toml".into(), development, values }
    }

    fn check(mode: Mode, development: bool, changes: Value, expected: Result<(), &str>) {
        let mut values = json!({"secret_key": "xnd_development_k", "callback_token": "t"});
        for (key, value) in changes.as_object().unwrap() {
            values[key] = value.clone();
        }
        let outcome = Config::read(&settings(mode, development, values)).map(|_| ());
        match (outcome, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} should contain {part}");
                assert!(!error.to_string().contains("CANARY"));
            }
            (outcome, expected) => assert!(outcome.is_ok() == expected.is_ok(), "{changes}: {outcome:?}"),
        }
    }

    #[test]
    fn keys_belong_to_the_mode() {
        check(Mode::Test, false, json!({}), Ok(()));
        check(Mode::Live, false, json!({"secret_key": "xnd_production_k"}), Ok(()));
        check(Mode::Live, false, json!({}), Err(".secret_key: a test key"));
        check(
            Mode::Test,
            false,
            json!({"secret_key": "xnd_production_CANARY"}),
            Err(".secret_key: a live key"),
        );
        check(Mode::Test, false, json!({"secret_key": "xnd_public_development_CANARY"}), Err("public key"));
        check(Mode::Test, false, json!({"secret_key": "CANARY"}), Err("starts with xnd_development_"));
        check(Mode::Test, false, json!({"secret_key": ""}), Err(".secret_key: must not be empty"));
        check(Mode::Test, false, json!({"secret_key": "xnd_development_CANARY\n"}), Err("a line end"));
    }

    #[test]
    fn other_addresses_are_for_https_or_development() {
        let sandbox = json!({"base_url": "http://127.0.0.1:4000", "secret_key": "sandbox"});
        check(Mode::Test, true, sandbox.clone(), Ok(()));
        check(Mode::Test, false, sandbox, Err(".base_url: plain HTTP needs development"));
        check(
            Mode::Test,
            true,
            json!({"base_url": "http://proxy.example"}),
            Err(".base_url: expected an https"),
        );
        check(Mode::Test, false, json!({"base_url": "https://proxy.example/xendit"}), Ok(()));
        check(Mode::Test, false, json!({"base_url": "https://u:CANARY@proxy.example"}), Err(".base_url"));
        check(Mode::Test, false, json!({"base_url": "CANARY"}), Err(".base_url"));
        check(
            Mode::Test,
            true,
            json!({"base_url": "https://proxy.example", "secret_key": "CANARY"}),
            Err("starts with"),
        );
    }

    #[test]
    fn tokens_are_never_blank_and_keys_never_misspelt() {
        check(Mode::Test, false, json!({"callback_token": ""}), Err(".callback_token: must not be empty"));
        check(Mode::Test, false, json!({"callback_token": " \t"}), Err(".callback_token: must not be empty"));
        check(Mode::Test, false, json!({"previous_callback_token": ""}), Err(".previous_callback_token"));
        check(Mode::Test, false, json!({"callback_tokn": "CANARY"}), Err("unknown field `callback_tokn`"));
        check(Mode::Test, false, json!({"customers": "CANARY"}), Err(".customers"));
        check(Mode::Test, false, json!({"business_id": " "}), Err(".business_id"));
        check(Mode::Test, false, json!({"for_user_id": "a\nCANARY"}), Err(".for_user_id"));
        check(
            Mode::Test,
            false,
            json!({"customers": "inline", "for_user_id": "5f", "business_id": "6a"}),
            Ok(()),
        );
    }

    #[test]
    fn both_tokens_count_during_rotation() {
        let values = json!({"secret_key": "xnd_development_k", "callback_token": "new", "previous_callback_token": "old"});
        assert_eq!(Config::read(&settings(Mode::Test, false, values)).unwrap().callback_tokens.len(), 2);
    }
}
