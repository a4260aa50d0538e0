//! The settings table, read strictly and checked as a whole.

use aws_lc_rs::hmac;
use billfold_core::Result;
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::check_address;
use serde::{Deserialize, Deserializer};
use url::Url;

const TEST_BASE_URL: &str = "https://checkout-test.adyen.com";
/// The gateway's keys have 32 bytes.
const HMAC_KEY_DIGITS: usize = 64;

/// One merchant account, as configured.
pub(crate) struct Config {
    /// Without the version.
    pub(crate) base_url: Url,
    pub(crate) api_key: SecretString,
    pub(crate) merchant_account: String,
    pub(crate) mode: Mode,
    pub(crate) theme_id: Option<String>,
    /// Any of these proves a token webhook: the current key, and the previous one while it is replaced.
    pub(crate) token_keys: Vec<hmac::Key>,
    /// The same for standard webhooks; empty where there are none.
    pub(crate) standard_keys: Vec<hmac::Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(deserialize_with = "secret")]
    api_key: SecretString,
    merchant_account: String,
    #[serde(deserialize_with = "secret")]
    token_webhook_hmac_key: SecretString,
    #[serde(default, deserialize_with = "optional_secret")]
    previous_token_webhook_hmac_key: Option<SecretString>,
    #[serde(default, deserialize_with = "optional_secret")]
    standard_webhook_hmac_key: Option<SecretString>,
    #[serde(default, deserialize_with = "optional_secret")]
    previous_standard_webhook_hmac_key: Option<SecretString>,
    #[serde(default)]
    live_url_prefix: Option<String>,
    #[serde(default)]
    theme_id: Option<String>,
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
        check_plain(settings, ".api_key", table.api_key.expose_secret())?;
        check_plain(settings, ".merchant_account", &table.merchant_account)?;
        if let Some(theme_id) = &table.theme_id {
            check_plain(settings, ".theme_id", theme_id)?;
        }
        let token_keys = [
            (".token_webhook_hmac_key", Some(table.token_webhook_hmac_key)),
            (".previous_token_webhook_hmac_key", table.previous_token_webhook_hmac_key),
        ];
        if table.standard_webhook_hmac_key.is_none() && table.previous_standard_webhook_hmac_key.is_some() {
            let problem = "there is a previous key but no current one; set standard_webhook_hmac_key";
            return Err(settings.wrong(".previous_standard_webhook_hmac_key", problem));
        }
        let standard_keys = [
            (".standard_webhook_hmac_key", table.standard_webhook_hmac_key),
            (".previous_standard_webhook_hmac_key", table.previous_standard_webhook_hmac_key),
        ];
        Ok(Self {
            base_url: base_url(settings, table.live_url_prefix.as_deref(), table.base_url.as_deref())?,
            api_key: table.api_key,
            merchant_account: table.merchant_account,
            mode: settings.mode,
            theme_id: table.theme_id,
            token_keys: hmac_keys(settings, token_keys)?,
            standard_keys: hmac_keys(settings, standard_keys)?,
        })
    }
}

/// The URL is read here and not by serde, whose error would repeat the text: it may hold a password.
fn base_url(settings: &Settings, prefix: Option<&str>, text: Option<&str>) -> Result<Url> {
    let default = match (settings.mode, prefix) {
        (Mode::Test, None) => TEST_BASE_URL.to_owned(),
        (Mode::Test, Some(_)) => {
            let problem = "only live accounts have a prefix; leave it out or set mode = \"live\"";
            return Err(settings.wrong(".live_url_prefix", problem));
        }
        (Mode::Live, None) => {
            let problem = "required in live mode: the prefix that the live Customer Area shows under Developers, \
                           API URLs";
            return Err(settings.wrong(".live_url_prefix", problem));
        }
        (Mode::Live, Some(prefix)) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            if prefix.is_empty() || !prefix.bytes().all(plain) {
                let problem = "expected the prefix alone, such as 1797a841fbb37ca7-YourCompany";
                return Err(settings.wrong(".live_url_prefix", problem));
            }
            format!("https://{prefix}-checkout-live.adyenpayments.com/checkout")
        }
    };
    let wrong = |problem: &str| settings.wrong(".base_url", problem);
    let url = Url::parse(text.unwrap_or(&default));
    let url = url.map_err(|_| wrong("expected a URL, such as https://checkout-test.adyen.com"))?;
    check_address(&url, settings.development).map_err(wrong)?;
    Ok(url)
}

fn hmac_keys<const N: usize>(
    settings: &Settings,
    texts: [(&str, Option<SecretString>); N],
) -> Result<Vec<hmac::Key>> {
    let given = texts.into_iter().filter_map(|(key, text)| Some((key, text?)));
    given.map(|(key, text)| hmac_key(settings, key, &text)).collect()
}

/// Keys are shown, and given, in hexadecimal; what is signed with is the bytes.
fn hmac_key(settings: &Settings, key: &str, text: &SecretString) -> Result<hmac::Key> {
    check_plain(settings, key, text.expose_secret())?;
    let bytes = hex::decode(text.expose_secret()).ok();
    let bytes = bytes.filter(|bytes| bytes.len() * 2 == HMAC_KEY_DIGITS).ok_or_else(|| {
        settings.wrong(key, "expected an HMAC key as the Customer Area shows it: 64 hexadecimal digits")
    })?;
    Ok(hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

/// Keys are pasted and read from files: a blank one, or one with a line end, never works.
fn check_plain(settings: &Settings, key: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(settings.wrong(key, "must not be empty"));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(settings.wrong(key, "contains a blank, a line end or a character outside ASCII"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056";

    fn read(mode: Mode, development: bool, changes: &Value) -> Result<Config> {
        let mut values =
            json!({"api_key": "AQEk", "merchant_account": "ShopECOM", "token_webhook_hmac_key": KEY});
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
    fn live_has_a_prefix_and_test_has_none() {
        let address = |mode, changes: Value| read(mode, false, &changes).unwrap().base_url.to_string();
        assert_eq!(address(Mode::Test, json!({})), "https://checkout-test.adyen.com/");
        assert_eq!(
            address(Mode::Live, json!({"live_url_prefix": "1797a841fbb37ca7-Shop"})),
            "https://1797a841fbb37ca7-shop-checkout-live.adyenpayments.com/checkout"
        );
        check(Mode::Live, false, json!({}), Some(".live_url_prefix: required in live mode"));
        check(
            Mode::Test,
            false,
            json!({"live_url_prefix": "1797-Shop"}),
            Some(".live_url_prefix: only live"),
        );
        for wrong in ["", "https://1797-CANARY.example", "a.CANARY", "a/CANARY", "a CANARY"] {
            check(Mode::Live, false, json!({"live_url_prefix": wrong}), Some("the prefix alone"));
        }
        check(
            Mode::Live,
            true,
            json!({"base_url": "http://127.0.0.1:4000"}),
            Some(".live_url_prefix: required"),
        );
    }

    #[test]
    fn hmac_keys_are_hexadecimal() {
        for key in ["token_webhook_hmac_key", "standard_webhook_hmac_key", "previous_token_webhook_hmac_key"]
        {
            check(Mode::Test, false, json!({key: KEY.to_lowercase()}), None);
            for wrong in ["CANARY", "ab12", &KEY[2..], &format!("{KEY}00")] {
                check(Mode::Test, false, json!({key: wrong}), Some("64 hexadecimal digits"));
            }
            check(
                Mode::Test,
                false,
                json!({key: format!("{KEY}\n")}),
                Some(&format!(".{key}: contains a blank")),
            );
            check(Mode::Test, false, json!({key: " "}), Some(&format!(".{key}: must not be empty")));
        }
        let previous = json!({"previous_standard_webhook_hmac_key": KEY});
        check(
            Mode::Test,
            false,
            previous,
            Some(".previous_standard_webhook_hmac_key: there is a previous key"),
        );
        let both = json!({"standard_webhook_hmac_key": KEY, "previous_standard_webhook_hmac_key": KEY});
        let config = read(Mode::Test, false, &both).unwrap();
        assert_eq!((config.token_keys.len(), config.standard_keys.len()), (1, 2));
    }

    #[test]
    fn the_rest_is_whole_and_safe() {
        check(Mode::Test, false, json!({"api_key": "CANARY\n"}), Some(".api_key: contains"));
        check(Mode::Test, false, json!({"merchant_account": ""}), Some(".merchant_account: must not"));
        check(Mode::Test, false, json!({"theme_id": ""}), Some(".theme_id: must not"));
        check(Mode::Test, false, json!({"base_url": "http://127.0.0.1:4000"}), Some(".base_url: plain HTTP"));
        check(Mode::Test, true, json!({"base_url": "http://127.0.0.1:4000"}), None);
        check(Mode::Test, true, json!({"base_url": "https://u:CANARY@proxy.example"}), Some(".base_url"));
        check(Mode::Test, true, json!({"base_url": "CANARY"}), Some(".base_url: expected a URL"));
        check(Mode::Test, true, json!({"hmac_key": "CANARY"}), Some("unknown field `hmac_key`"));
    }
}
