//! The settings table, read strictly and checked as a whole.

use std::path::PathBuf;
use std::time::Duration;

use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::transport::check_address;
use billfold_core::vault::WrapperSettings;
use http::HeaderValue;
use serde::Deserialize;
use url::Url;

const DEFAULT_MOUNT: &str = "transit";
const DEFAULT_TIMEOUT_MS: u64 = 5_000;

/// One key of one engine, as configured.
pub(crate) struct Config {
    pub(crate) address: Url,
    pub(crate) namespace: Option<HeaderValue>,
    pub(crate) mount: String,
    pub(crate) key: String,
    pub(crate) token: Token,
    pub(crate) authorities: Option<String>,
    pub(crate) timeout: Duration,
    pub(crate) development: bool,
    /// The path from the server's root to the key; in it, a namespace is a folder like any other.
    pub(crate) full_path: String,
}

/// Where the token comes from.
pub(crate) enum Token {
    /// The configuration.
    Given(HeaderValue),
    /// A file that somebody else keeps up to date.
    Sink(PathBuf),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// Read as text first: the errors of URLs quote them.
    address: String,
    key: String,
    #[serde(default)]
    mount: Option<String>,
    #[serde(default)]
    token: Option<SecretString>,
    #[serde(default)]
    token_sink: Option<PathBuf>,
    #[serde(default)]
    namespace: Option<String>,
    #[serde(default)]
    ca: Option<String>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

impl Config {
    pub(crate) fn read(settings: &WrapperSettings) -> Result<Self> {
        let table: Table = settings.parse()?;
        let address = address(settings, &table.address)?;
        let mount = path(settings, ".mount", table.mount.unwrap_or_else(|| DEFAULT_MOUNT.to_owned()))?;
        let key = path(settings, ".key", table.key)?;
        if key.contains('/') {
            return Err(settings.wrong(".key", "expected a name without `/`"));
        }
        let namespace =
            table.namespace.map(|namespace| path(settings, ".namespace", namespace)).transpose()?;
        let full_path = match &namespace {
            Some(namespace) => format!("{namespace}/{mount}/{key}"),
            None => format!("{mount}/{key}"),
        };
        let namespace = namespace
            .map(HeaderValue::try_from)
            .transpose()
            .map_err(|_| settings.wrong(".namespace", "cannot be sent"))?;
        let timeout_ms = table.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        if !(10..=60_000).contains(&timeout_ms) {
            return Err(settings.wrong(".timeout_ms", "expected 10 to 60000"));
        }
        Ok(Self {
            address,
            namespace,
            mount,
            key,
            token: token(settings, table.token, table.token_sink)?,
            authorities: table.ca,
            timeout: Duration::from_millis(timeout_ms),
            development: settings.development,
            full_path,
        })
    }
}

fn address(settings: &WrapperSettings, text: &str) -> Result<Url> {
    let wrong = |problem: &str| settings.wrong(".address", problem);
    let address =
        Url::parse(text).map_err(|_| wrong("expected a URL, such as https://vault.example.com:8200"))?;
    check_address(&address, settings.development).map_err(wrong)?;
    if address.path() != "/" {
        return Err(wrong("expected no path: the engine's is `mount`, the namespace's is `namespace`"));
    }
    Ok(address)
}

fn token(settings: &WrapperSettings, given: Option<SecretString>, sink: Option<PathBuf>) -> Result<Token> {
    match (given, sink) {
        (Some(token), None) => {
            let problem = "expected a token: letters, digits and signs, without blanks or line ends";
            header(token.expose_secret()).map(Token::Given).ok_or_else(|| settings.wrong(".token", problem))
        }
        (None, Some(sink)) => Ok(Token::Sink(sink)),
        (None, None) => Err(settings.wrong("", "expected `token` or `token_sink`")),
        (Some(_), Some(_)) => Err(settings.wrong("", "expected `token` or `token_sink`, not both")),
    }
}

/// A token as it is sent, if it can be one.
pub(crate) fn header(token: &str) -> Option<HeaderValue> {
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return None;
    }
    let mut header = HeaderValue::from_str(token).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// A path of plain names. What the server allows beyond that would have to be escaped, and nobody needs it.
fn path(settings: &WrapperSettings, key: &str, text: String) -> Result<String> {
    let text = text.trim_matches('/');
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let name = |name: &str| {
        !name.is_empty() && name.bytes().all(plain) && name.bytes().any(|byte| byte.is_ascii_alphanumeric())
    };
    if !text.split('/').all(name) {
        return Err(settings.wrong(key, "expected names of letters, digits and _ - . with / between them"));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    pub(crate) fn settings(development: bool, changes: &Value) -> WrapperSettings {
        let mut values =
            json!({"address": "https://vault.example.com:8200", "key": "billfold", "token": "hvs.t"});
        for (key, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => values.as_object_mut().unwrap().remove(key),
                value => values.as_object_mut().unwrap().insert(key.clone(), value.clone()),
            };
        }
        let (origin, key) = ("billfold.toml".to_owned(), "vault.settings".to_owned());
        WrapperSettings { origin, key, development, values }
    }

    fn check(development: bool, changes: &Value, expected: Result<&str, &str>) {
        match (Config::read(&settings(development, changes)), expected) {
            (Ok(config), Ok(full_path)) => assert_eq!(config.full_path, full_path),
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} should contain {part}");
                assert!(!error.to_string().contains("CANARY"), "{error}");
            }
            (outcome, expected) => panic!("{changes}: {:?}, not {expected:?}", outcome.map(|_| ())),
        }
    }

    #[test]
    fn a_key_has_one_path() {
        check(false, &json!({}), Ok("transit/billfold"));
        check(false, &json!({"mount": "/crypto/eu/"}), Ok("crypto/eu/billfold"));
        check(false, &json!({"namespace": "acme", "mount": "eu"}), Ok("acme/eu/billfold"));
        check(false, &json!({"mount": "acme/eu"}), Ok("acme/eu/billfold"));
        for (key, wrong) in
            [("key", "a/b"), ("key", ""), ("key", ".."), ("mount", "a/../b"), ("mount", "a//b"), ("key", "ä")]
        {
            check(false, &json!({key: wrong}), Err(&format!("vault.settings.{key}: expected")));
        }
        check(false, &json!({"key": "a?b"}), Err(".key: expected"));
        check(false, &json!({"namespace": "a\nb"}), Err(".namespace: expected"));
    }

    #[test]
    fn addresses_are_https_or_development() {
        check(true, &json!({"address": "http://127.0.0.1:8200"}), Ok("transit/billfold"));
        check(false, &json!({"address": "http://127.0.0.1:8200"}), Err(".address: plain HTTP"));
        check(true, &json!({"address": "http://vault.example.com"}), Err(".address: expected an https URL"));
        check(
            false,
            &json!({"address": "https://u:CANARY@vault.example.com"}),
            Err(".address: expected scheme"),
        );
        check(false, &json!({"address": "https://vault.example.com/v1"}), Err(".address: expected no path"));
        check(false, &json!({"address": "CANARY"}), Err(".address"));
    }

    #[test]
    fn there_is_one_token() {
        check(false, &json!({"token": null}), Err("expected `token` or `token_sink`"));
        check(false, &json!({"token_sink": "/run/token"}), Err("not both"));
        check(false, &json!({"token": null, "token_sink": "/run/token"}), Ok("transit/billfold"));
        check(false, &json!({"token": ""}), Err(".token: expected"));
        check(false, &json!({"token": "CANARY\n"}), Err(".token: expected"));
        check(false, &json!({"token": 7}), Err(".token: invalid type"));
        check(false, &json!({"tokne": "CANARY"}), Err("unknown field `tokne`"));
    }

    #[test]
    fn times_are_bounded() {
        check(false, &json!({"timeout_ms": 60_000}), Ok("transit/billfold"));
        for wrong in [json!(0), json!(60_001), json!("CANARY")] {
            check(false, &json!({"timeout_ms": wrong}), Err(".timeout_ms"));
        }
    }
}
