//! The settings table, read strictly and checked as a whole.

use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::{check_address, is_loopback};
use serde::{Deserialize, Deserializer};
use url::Url;

const LIVE_URL: &str = "https://api.gocardless.com";
const SANDBOX_URL: &str = "https://api-sandbox.gocardless.com";

/// One account, as configured.
pub(crate) struct Config {
    pub(crate) base_url: Url,
    pub(crate) access_token: SecretString,
    /// Any of these proves a webhook: the current secret, and the previous one while it is changed.
    pub(crate) webhook_secrets: Vec<SecretString>,
    /// Whether the account is a sandbox on this machine, to which plain HTTP is spoken.
    pub(crate) local: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(deserialize_with = "secret")]
    access_token: SecretString,
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
        check_token(settings, &table.access_token)?;
        let secrets = [
            (".webhook_secret", Some(table.webhook_secret)),
            (".previous_webhook_secret", table.previous_webhook_secret),
        ];
        let mut webhook_secrets = Vec::new();
        for (key, secret) in secrets {
            let Some(secret) = secret else { continue };
            check_printable(settings, key, &secret)?;
            webhook_secrets.push(secret);
        }
        Ok(Self { base_url, access_token: table.access_token, webhook_secrets, local })
    }
}

/// Read here and not by serde, whose error would repeat the text: it may hold a password.
fn base_url(settings: &Settings, text: Option<&str>) -> Result<Url> {
    let wrong = |problem: &str| settings.wrong(".base_url", problem);
    let (own, other) = match settings.mode {
        Mode::Live => (LIVE_URL, SANDBOX_URL),
        Mode::Test => (SANDBOX_URL, LIVE_URL),
    };
    let url = Url::parse(text.unwrap_or(own));
    let url = url.map_err(|_| wrong("expected a URL, such as https://api-sandbox.gocardless.com"))?;
    check_address(&url, settings.development).map_err(wrong)?;
    if url.host_str().is_some_and(|host| other.strip_prefix("https://") == Some(host)) {
        return Err(wrong("this is the address of the other mode; leave it out, `mode` decides"));
    }
    Ok(url)
}

/// Tokens made in the dashboard begin with their mode; those of partner apps say nothing.
fn check_token(settings: &Settings, token: &SecretString) -> Result<()> {
    check_printable(settings, ".access_token", token)?;
    let token = token.expose_secret();
    let wrong = |problem: &str| Err(settings.wrong(".access_token", problem));
    match settings.mode {
        Mode::Test if token.starts_with("live_") => {
            wrong("a live token in test mode; use a sandbox token or set mode = \"live\"")
        }
        Mode::Live if token.starts_with("sandbox_") => {
            wrong("a sandbox token in live mode; use a live token or set mode = \"test\"")
        }
        _ => Ok(()),
    }
}

/// Secrets are pasted and read from files: a blank one, or one with a line end, never works.
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

    fn read(mode: Mode, development: bool, changes: &Value) -> Result<Config> {
        let token = if mode == Mode::Live { "live_t" } else { "sandbox_t" };
        let mut values = json!({"access_token": token, "webhook_secret": "s"});
        for (key, value) in changes.as_object().unwrap() {
            values[key] = value.clone();
        }
        let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
        Config::read(&Settings { gateway, mode, origin, development, values })
    }

    fn check(mode: Mode, development: bool, changes: Value, expected: Option<&str>) {
        let problem = read(mode, development, &changes).err().map(|error| error.to_string());
        match (&problem, expected) {
            (Some(problem), Some(part)) => assert!(problem.contains(part), "{problem} should contain {part}"),
            _ => assert_eq!(problem.is_some(), expected.is_some(), "{changes}: {problem:?}"),
        }
        assert!(!problem.unwrap_or_default().contains("CANARY"));
    }

    #[test]
    fn the_mode_decides_where_to_and_with_what() {
        for (mode, url) in [(Mode::Test, SANDBOX_URL), (Mode::Live, LIVE_URL)] {
            let config = read(mode, false, &json!({})).unwrap();
            assert_eq!(config.base_url.as_str(), format!("{url}/"));
        }
        check(Mode::Test, false, json!({"access_token": "partner-token"}), None);
        check(Mode::Live, false, json!({"access_token": "sandbox_CANARY"}), Some(".access_token: a sandbox"));
        check(Mode::Test, false, json!({"access_token": "live_CANARY"}), Some(".access_token: a live token"));
        check(Mode::Test, false, json!({"access_token": "sandbox_CANARY\n"}), Some("a line end"));
        check(
            Mode::Test,
            false,
            json!({"base_url": LIVE_URL}),
            Some(".base_url: this is the address of the other"),
        );
        check(Mode::Live, false, json!({"base_url": SANDBOX_URL}), Some(".base_url: this is the address"));
        check(Mode::Test, false, json!({"base_url": SANDBOX_URL}), None);
    }

    #[test]
    fn secrets_are_whole_and_addresses_safe() {
        check(Mode::Test, false, json!({"webhook_secret": " "}), Some(".webhook_secret: must not"));
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
