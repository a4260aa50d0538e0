//! The settings table, read strictly and checked as a whole.

use std::time::Duration;

use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::transport::check_address;
use billfold_core::vault::WrapperSettings;
use serde::Deserialize;
use url::Url;

const DEFAULT_TIMEOUT_MS: u64 = 5_000;

/// One key, as configured.
pub(crate) struct Config {
    pub(crate) key_id: String,
    pub(crate) region: String,
    pub(crate) endpoint_url: Option<String>,
    /// None: the standard places, in their order.
    pub(crate) access_key: Option<AccessKey>,
    pub(crate) timeout: Duration,
}

/// A fixed access key.
pub(crate) struct AccessKey {
    pub(crate) id: SecretString,
    pub(crate) secret: SecretString,
    pub(crate) session_token: Option<SecretString>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    key_id: String,
    region: String,
    #[serde(default)]
    access_key_id: Option<SecretString>,
    #[serde(default)]
    secret_access_key: Option<SecretString>,
    #[serde(default)]
    session_token: Option<SecretString>,
    /// Read as text first: the errors of URLs quote them.
    #[serde(default)]
    endpoint_url: Option<String>,
    #[serde(default)]
    timeout_ms: Option<u64>,
}

impl Config {
    pub(crate) fn read(settings: &WrapperSettings) -> Result<Self> {
        let table: Table = settings.parse()?;
        let printable = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        if !printable(&table.key_id) || table.key_id.len() > 2048 {
            let problem = "expected an ARN, an id, or an alias such as alias/billfold";
            return Err(settings.wrong(".key_id", problem));
        }
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if table.region.is_empty() || !table.region.bytes().all(plain) {
            return Err(settings.wrong(".region", "expected a region such as eu-central-1"));
        }
        for (key, secret) in [
            (".access_key_id", &table.access_key_id),
            (".secret_access_key", &table.secret_access_key),
            (".session_token", &table.session_token),
        ] {
            if secret.as_ref().is_some_and(|secret| !printable(secret.expose_secret())) {
                return Err(
                    settings.wrong(key, "is empty, or holds a blank, a line end or a letter beyond ASCII")
                );
            }
        }
        let access_key = match (table.access_key_id, table.secret_access_key, table.session_token) {
            (Some(id), Some(secret), session_token) => Some(AccessKey { id, secret, session_token }),
            (None, None, None) => None,
            _ => {
                let problem = "expected `access_key_id` and `secret_access_key`, or neither of them";
                return Err(settings.wrong("", problem));
            }
        };
        let timeout_ms = table.timeout_ms.unwrap_or(DEFAULT_TIMEOUT_MS);
        if !(10..=60_000).contains(&timeout_ms) {
            return Err(settings.wrong(".timeout_ms", "expected 10 to 60000"));
        }
        let endpoint_url = table.endpoint_url.map(|text| endpoint(settings, &text)).transpose()?;
        Ok(Self {
            key_id: table.key_id,
            region: table.region,
            endpoint_url,
            access_key,
            timeout: Duration::from_millis(timeout_ms),
        })
    }
}

fn endpoint(settings: &WrapperSettings, text: &str) -> Result<String> {
    let wrong = |problem: &str| settings.wrong(".endpoint_url", problem);
    let url = Url::parse(text).map_err(|_| wrong("expected a URL, such as https://kms.example.com"))?;
    check_address(&url, settings.development).map_err(wrong)?;
    Ok(url.to_string())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(development: bool, changes: &Value, expected: Result<(), &str>) {
        let mut values = json!({"key_id": "alias/billfold", "region": "eu-central-1"});
        for (key, value) in changes.as_object().unwrap() {
            values[key] = value.clone();
        }
        let (origin, key) = ("billfold.toml".to_owned(), "vault.settings".to_owned());
        let outcome = Config::read(&WrapperSettings { origin, key, development, values }).map(|_| ());
        match (outcome, expected) {
            (Ok(()), Ok(())) => {}
            (Err(error), Err(part)) => {
                assert!(error.to_string().contains(part), "{error} should contain {part}");
                assert!(!error.to_string().contains("CANARY"), "{error}");
            }
            (outcome, expected) => panic!("{changes}: {outcome:?}, not {expected:?}"),
        }
    }

    #[test]
    fn keys_and_regions_are_plain() {
        check(false, &json!({}), Ok(()));
        check(false, &json!({"key_id": "arn:aws:kms:eu-central-1:111122223333:key/1234"}), Ok(()));
        check(false, &json!({"key_id": ""}), Err(".key_id: expected an ARN"));
        check(false, &json!({"key_id": "a b"}), Err(".key_id: expected an ARN"));
        check(false, &json!({"region": ""}), Err(".region: expected a region"));
        // A region becomes a part of the address.
        check(false, &json!({"region": "x.example.com/"}), Err(".region: expected a region"));
        check(false, &json!({"keyid": "CANARY"}), Err("unknown field `keyid`"));
    }

    #[test]
    fn an_access_key_is_whole_or_left_out() {
        let whole = json!({"access_key_id": "AKIA", "secret_access_key": "s", "session_token": "t"});
        check(false, &whole, Ok(()));
        check(false, &json!({"access_key_id": "AKIA", "secret_access_key": "s"}), Ok(()));
        check(false, &json!({"access_key_id": "CANARY"}), Err("or neither of them"));
        check(false, &json!({"secret_access_key": "CANARY"}), Err("or neither of them"));
        check(false, &json!({"session_token": "CANARY"}), Err("or neither of them"));
        check(
            false,
            &json!({"access_key_id": "AKIA", "secret_access_key": "CANARY\n"}),
            Err(".secret_access_key: is empty"),
        );
        check(
            false,
            &json!({"access_key_id": "", "secret_access_key": "s"}),
            Err(".access_key_id: is empty"),
        );
        check(false, &json!({"access_key_id": 7}), Err(".access_key_id: invalid type"));
    }

    #[test]
    fn other_addresses_are_https_or_development() {
        check(false, &json!({"endpoint_url": "https://vpce-1.kms.eu-central-1.vpce.amazonaws.com"}), Ok(()));
        check(true, &json!({"endpoint_url": "http://127.0.0.1:4566"}), Ok(()));
        check(false, &json!({"endpoint_url": "http://127.0.0.1:4566"}), Err(".endpoint_url: plain HTTP"));
        check(
            true,
            &json!({"endpoint_url": "http://kms.example.com"}),
            Err(".endpoint_url: expected an https"),
        );
        check(false, &json!({"endpoint_url": "https://u:CANARY@kms.example.com"}), Err(".endpoint_url"));
        check(false, &json!({"endpoint_url": "CANARY"}), Err(".endpoint_url: expected a URL"));
        check(false, &json!({"timeout_ms": 0}), Err(".timeout_ms: expected"));
    }
}
