//! Configuration. The first byte of an input chooses a line, the second a key and a form, the rest is a TOML file. A
//! secret is written into the file, in that line.
//!
//! Whatever the file is, it is read or refused in one line that does not tell the secret; and what is read does not print
//! it. Files that name other files are left out: they would have the target read whatever the machine has.

use std::io::Write as _;

use billfold_core::registry::Registry;
use billfold_core::settings::Settings;
use billfold_core::vault::LocalWrapper;
use billfold_core::{Error, ErrorKind};
use billfold_server::{Config, ConfigSources};

use crate::accounts::CANARY;

const SECRET: &str = "CANARY-of-a-file";
/// Keys that may hold a secret, and some that are read by parsers of their own, which might repeat what they were given.
const KEYS: [&str; 16] = [
    "api_key",
    "secret_key",
    "access_token",
    "webhook_secret",
    "callback_token",
    "token_webhook_hmac_key",
    "root_key",
    "previous_root_keys",
    "url",
    "public_url",
    "base_url",
    "mode",
    "listen",
    "suite",
    "interval_ms",
    "password",
];

/// Reads one file.
pub fn check(data: &[u8]) {
    let [line, key, text @ ..] = data else { return };
    let Ok(text) = std::str::from_utf8(text) else { return };
    if text.contains(CANARY) || names_a_file(text) {
        return;
    }
    let key = usize::from(*key);
    let written = with_secret(text, usize::from(*line), KEYS[key % KEYS.len()], key / KEYS.len());
    if names_a_file(&written) {
        return;
    }
    let mut file = tempfile::NamedTempFile::new().expect("a file");
    file.write_all(written.as_bytes()).expect("written");
    let sources = ConfigSources { file: Some(file.path().to_owned()), overrides: Vec::new() };
    match Config::load(&sources) {
        Ok(config) => check_loaded(&config, text),
        Err(error) => check_error(&error),
    }
    match Config::explain(&sources) {
        Ok(keys) => {
            for key in keys {
                // Wherever a table of settings was meant to be.
                let secret = (key.key.contains("settings.") && !is_plain(&key.key))
                    || ["database.url", "vault.root_key"].contains(&&*key.key);
                assert!(!secret || !key.value.contains(CANARY), "{} is explained with its value", key.key);
            }
        }
        Err(error) => check_error(&error),
    }
}

/// Whether a key is one of a gateway or of a key wrapper that holds no secret, whatever their names are.
fn is_plain(key: &str) -> bool {
    match key.split('.').collect::<Vec<_>>()[..] {
        ["gateways", _, key] => ["provider", "mode", "tenant", "background_calls_per_second"].contains(&key),
        ["vault", "previous_wrappers", _, key] => key == "wrapper",
        _ => false,
    }
}

fn check_error(error: &Error) {
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
    let texts = format!("{error} {error:?} {:?}", error.context());
    assert!(!texts.contains(CANARY), "an error tells a value: {texts}");
    assert!(!error.message().contains('\n'), "an error has several lines: {error}");
    assert!(error.message().contains(": "), "an error names no source: {error}");
}

fn check_loaded(config: &Config, text: &str) {
    // In a text of several lines the secret may have become a part of something that is none. Whoever starts a server
    // with a password in its own address is refused.
    let lines = text.contains("\"\"\"") || text.contains("'''");
    let plain = !lines && config.server.public_url.password().is_none();
    let printed = format!("{config:?}");
    assert!(!plain || !printed.contains(CANARY), "a configuration prints a value: {printed}");
    if let Some(key) = &config.vault.root_key {
        let _ = LocalWrapper::from_base64(key).map_err(|error| assert!(!error.to_string().contains(CANARY)));
    }
    let registry = Registry::linked().expect("providers");
    for (name, gateway) in &config.gateways {
        if gateway.provider.contains(CANARY) {
            continue;
        }
        let settings = Settings {
            gateway: name.clone(),
            mode: gateway.mode,
            origin: config.origin(&format!("gateways.{name}")),
            development: config.server.development,
            values: gateway.settings(),
        };
        match registry.build(&gateway.provider, &settings) {
            Ok(provider) => {
                let printed = format!("{provider:?}");
                assert!(!printed.contains(CANARY), "a provider prints a value: {printed}");
            }
            Err(error) => {
                // A key may hold what it likes; the value never shows.
                assert_eq!(error.kind(), ErrorKind::Configuration, "{error:?}");
                assert!(!format!("{error} {error:?}").contains(CANARY), "an error tells a value: {error}");
            }
        }
    }
}

/// The text with one more line, in which a key has the secret for its value.
fn with_secret(text: &str, line: usize, key: &str, form: usize) -> String {
    let value = match form {
        0 | 1 => format!("\"{SECRET}\""),
        2 | 3 => format!("[\"{SECRET}\"]"),
        4 => format!("\"{SECRET}"),
        5 => format!("{{ inner = \"{SECRET}\" }}"),
        6 => SECRET.to_owned(),
        7 => format!("\"\"\"{SECRET}\nand more\"\"\""),
        8 => format!("\"https://user:{SECRET}@shop.example/\""),
        9 => format!("\"postgres://user:{SECRET}@db.example/x\""),
        10 => format!("\"sk_test_{SECRET}\""),
        11 => format!("\"whsec_{SECRET}\\n\""),
        12 => format!("\"xnd_production_{SECRET}\""),
        13 => format!("[1, \"{SECRET}\"]"),
        14 => format!("\"{SECRET}\" trailing"),
        _ => format!("'{SECRET}'"),
    };
    let lines: Vec<&str> = text.split('\n').collect();
    let at = line % (lines.len() + 1);
    let added = format!("{key} = {value}");
    let (before, after) = lines.split_at(at);
    [before, &[added.as_str()], after].concat().join("\n")
}

/// Whether a key stands for a file's content. What cannot be parsed names nothing.
fn names_a_file(text: &str) -> bool {
    fn named(value: &toml::Value) -> bool {
        match value {
            toml::Value::Table(table) => table
                .iter()
                .any(|(key, value)| key.ends_with("_file") || key.ends_with("_files") || named(value)),
            toml::Value::Array(list) => list.iter().any(named),
            _ => false,
        }
    }
    text.parse::<toml::Table>().is_ok_and(|table| named(&toml::Value::Table(table)))
}
