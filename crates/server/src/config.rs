//! Configuration: embedded defaults, then a file, then the environment, then flags. Whatever is wrong
//! is said in one line that names the source, the key and the mend, and no value.

mod secrets;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use billfold_core::secret::SecretString;
use billfold_core::settings::{Mode, without_values};
use billfold_core::{Error, ErrorKind, Result};
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

/// The embedded defaults, with comments: the documentation of every key.
pub const DEFAULTS: &str = include_str!("../billfold.default.toml");

/// Where configuration comes from, beside the defaults and the environment.
#[derive(Debug, Clone, Default)]
pub struct ConfigSources {
    /// The file; `billfold.toml` in the working directory, if there is one, when left out.
    pub file: Option<PathBuf>,
    /// Flags, as `("server.listen", "127.0.0.1:80")`.
    pub overrides: Vec<(String, Value)>,
}

/// The whole configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `[server]`
    pub server: ServerConfig,
    /// `[database]`
    pub database: DatabaseConfig,
    /// `[vault]`
    pub vault: VaultConfig,
    /// `[log]`
    pub log: LogConfig,
    /// `[workers]`
    pub workers: WorkersConfig,
    /// `[gateways.<name>]`
    pub gateways: BTreeMap<String, GatewayConfig>,
    /// Where each key was set.
    #[serde(skip)]
    origins: Origins,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: SocketAddr,
    /// Where browsers and gateways reach the server.
    pub public_url: Url,
    /// Whether plain HTTP to this machine is allowed.
    pub development: bool,
    /// Connections at the same time.
    pub max_connections: usize,
}

/// `[database]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// The URL; may hold a password.
    #[serde(deserialize_with = "secret")]
    pub url: SecretString,
    /// Connections, or readers.
    pub pool_size: usize,
}

/// `[vault]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// The root key, base64 of 32 bytes.
    #[serde(default, deserialize_with = "optional_secret")]
    pub root_key: Option<SecretString>,
    /// Older root keys, newest first.
    #[serde(deserialize_with = "secrets_list")]
    pub previous_root_keys: Vec<SecretString>,
}

/// `[log]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// How lines look.
    pub format: LogFormat,
    /// What is logged.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// `[workers]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WorkersConfig {
    /// Whether this process works in the background.
    pub enabled: bool,
    /// How often it looks for work, in milliseconds.
    pub interval_ms: u64,
    /// When to ask about open sessions, in seconds after their start.
    pub ask_after_seconds: Vec<u64>,
    /// How long a worker owns what it took, in seconds.
    pub lease_seconds: u64,
}

/// `[gateways.<name>]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The kind of provider.
    pub provider: String,
    /// Test or live.
    pub mode: Mode,
    /// Whose gateway.
    #[serde(default = "default_tenant")]
    pub tenant: String,
    /// The provider's own table.
    #[serde(default)]
    settings: Hidden,
}

/// A table that may hold secrets and is therefore never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
struct Hidden(Value);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not printed)")
    }
}

impl GatewayConfig {
    /// The provider's own table.
    pub fn settings(&self) -> Value {
        if self.settings.0.is_null() {
            Value::Object(serde_json::Map::new())
        } else {
            self.settings.0.clone()
        }
    }
}

/// One key as it is in force.
#[derive(Debug, Clone, serde::Serialize)]
pub struct ExplainedKey {
    /// `server.listen`
    pub key: String,
    /// Its value as JSON; `(set)` where it may be secret.
    pub value: String,
    /// Where it was set: `defaults`, a file, `environment`, `flag`.
    pub origin: String,
}

#[derive(Debug, Clone, Default)]
struct Origins(Figment);

fn default_tenant() -> String {
    "default".to_owned()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn optional_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    Option::<String>::deserialize(deserializer).map(|text| text.map(SecretString::from))
}

fn secrets_list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<SecretString>, D::Error> {
    Vec::<String>::deserialize(deserializer).map(|list| list.into_iter().map(SecretString::from).collect())
}

impl Config {
    /// Reads all layers. Fails with [`ErrorKind::Configuration`] in one line.
    pub fn load(sources: &ConfigSources) -> Result<Self> {
        let figment = layers(sources)?;
        let tree = secrets::read_files(tree(&figment)?, &|key| origin(&figment, key))?;
        let mut config: Self = serde_path_to_error::deserialize(&tree).map_err(|error| {
            let path = error.path().to_string();
            let (path, shown) = if path == "." {
                (String::new(), String::new())
            } else {
                (path.clone(), format!("{path}: "))
            };
            let origin = origin(&figment, &path);
            Error::new(
                ErrorKind::Configuration,
                format!("{origin}: {shown}{}", without_values(&error.inner().to_string())),
            )
        })?;
        config.origins = Origins(figment);
        Ok(config)
    }

    /// Every key in force, with its origin, without secrets.
    pub fn explain(sources: &ConfigSources) -> Result<Vec<ExplainedKey>> {
        let figment = layers(sources)?;
        let mut keys = Vec::new();
        flatten("", &tree(&figment)?, &mut |key, value| {
            let value = if is_secret(key) { "(set)".to_owned() } else { value.to_string() };
            keys.push(ExplainedKey { key: key.to_owned(), value, origin: origin(&figment, key) });
        });
        Ok(keys)
    }

    /// Where a key was set: `billfold.toml`, `environment`, `flag`, `defaults`.
    pub fn origin(&self, key: &str) -> String {
        origin(&self.origins.0, key)
    }

    /// An error about a key, in one line.
    pub fn wrong(&self, key: &str, problem: &str) -> Error {
        Error::new(ErrorKind::Configuration, format!("{}: {key}: {problem}", self.origin(key)))
    }
}

fn layers(sources: &ConfigSources) -> Result<Figment> {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    match &sources.file {
        Some(file) if !file.is_file() => {
            let message = format!("{}: there is no such configuration file", file.display());
            return Err(Error::new(ErrorKind::Configuration, message));
        }
        Some(file) => figment = figment.merge(Toml::file_exact(file)),
        None if Path::new("billfold.toml").is_file() => {
            figment = figment.merge(Toml::file_exact("billfold.toml"));
        }
        None => {}
    }
    figment = figment.merge(Env::prefixed("BILLFOLD__").split("__"));
    for (key, value) in &sources.overrides {
        figment = figment.merge(Serialized::default(key, value));
    }
    Ok(figment)
}

fn tree(figment: &Figment) -> Result<Value> {
    figment.extract().map_err(|error| {
        let source = error.metadata.as_ref().map_or_else(|| "configuration".to_owned(), describe);
        // A TOML error spans several lines and quotes the line, which may hold a secret.
        let first = error.kind.to_string();
        let first = first.lines().next().unwrap_or_default().to_owned();
        Error::new(ErrorKind::Configuration, format!("{source}: {}", without_values(&first)))
    })
}

fn describe(metadata: &figment::Metadata) -> String {
    match &metadata.source {
        Some(figment::Source::File(path)) => path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned()),
        Some(figment::Source::Code(_)) => "flag".to_owned(),
        _ if metadata.name.contains("environment") => "environment".to_owned(),
        _ => "defaults".to_owned(),
    }
}

/// The source of a key, or of the nearest table around it.
fn origin(figment: &Figment, key: &str) -> String {
    let mut key = key;
    loop {
        if let Some(metadata) = figment.find_metadata(key) {
            return describe(metadata);
        }
        if let Some(metadata) = figment.find_metadata(&format!("{key}_file")) {
            return describe(metadata);
        }
        match key.rsplit_once('.') {
            Some((table, _)) => key = table,
            None => return "configuration".to_owned(),
        }
    }
}

fn flatten(prefix: &str, value: &Value, visit: &mut dyn FnMut(&str, &Value)) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
                flatten(&key, value, visit);
            }
        }
        leaf => visit(prefix, leaf),
    }
}

/// Everything in a provider's table may be secret, and so may a database URL.
fn is_secret(key: &str) -> bool {
    let provider = key.starts_with("gateways.") && key.contains(".settings.");
    let ours = ["database.url", "vault.root_key", "vault.previous_root_keys"].contains(&key);
    (provider || ours) && !key.ends_with("_file")
}
