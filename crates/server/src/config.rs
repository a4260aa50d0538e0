//! Configuration: embedded defaults, then a file, then the environment, then flags. Whatever is wrong
//! is said in one line that names the source, the key and the mend, and no value.

mod layers;
mod secrets;
mod vault;
mod webhooks;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use billfold_core::gateway::Gateway;
use billfold_core::routing::{RoutingRule, check_rules};
use billfold_core::secret::SecretString;
use billfold_core::settings::{Mode, without_values};
use billfold_core::{Error, ErrorKind, Result};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use url::Url;

use layers::Layers;
use secrets::ReadFrom;
pub use vault::VaultConfig;
pub use webhooks::WebhooksConfig;

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
    /// `[webhooks]`
    pub webhooks: WebhooksConfig,
    /// `[gateways.<name>]`
    pub gateways: BTreeMap<String, GatewayConfig>,
    /// `[[routing]]`
    #[serde(default)]
    pub routing: Vec<RoutingRule>,
    /// Where each key was set.
    #[serde(skip)]
    layers: Layers,
    /// Which keys were read from files.
    #[serde(skip)]
    read_from: BTreeMap<String, ReadFrom>,
    /// Every key and its value.
    #[serde(skip)]
    effective: Vec<(String, SecretString)>,
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
    /// How many of them one address may hold; 0 for any number.
    pub max_connections_per_source: usize,
    /// For how long an API key is believed after it was looked up, in milliseconds.
    pub api_key_cache_ms: u64,
    /// How many requests one address may make in a minute; 0 for any number.
    pub source_requests_per_minute: u32,
    /// Proxies whose `x-forwarded-for` says who asks.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether `/metrics` answers.
    pub metrics: bool,
    /// How long the answers to requests with an idempotency key are kept.
    pub idempotency_hours: u32,
    /// For how long a request that came with an `Idempotency-Key` is believed to be running, in seconds. Whoever repeats
    /// it later goes on with what it had stored.
    pub idempotency_lease_seconds: u32,
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
    /// After which a charge that its gateway never heard of is declined: the request cannot arrive any more. In
    /// seconds.
    pub charge_lost_after_seconds: u64,
    /// How long a worker owns what it took, in seconds.
    pub lease_seconds: u64,
    /// How many questions each gateway is asked in the background in a second; 0 for any number.
    pub background_calls_per_second: u32,
    /// How often gateways are asked about active methods, in days; 0 for never.
    pub recheck_days: u32,
    /// How many days before a card ends its merchant is told.
    pub expiring_days: u32,
    /// How often what erased customers left in the database's file is looked for, in seconds; 0 for never.
    pub scrub_seconds: u32,
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
    /// How many questions it is asked in the background in a second, if not as many as the others; 0 for any number.
    #[serde(default)]
    pub background_calls_per_second: Option<u32>,
    /// The provider's own table.
    #[serde(default)]
    settings: Hidden,
}

/// A table that may hold secrets and is therefore never printed.
#[derive(Clone, Default, Deserialize)]
#[serde(transparent)]
pub(crate) struct Hidden(Value);

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(not printed)")
    }
}

impl Hidden {
    /// The table, for whoever owns it.
    pub(crate) fn table(&self) -> Value {
        if self.0.is_null() { Value::Object(serde_json::Map::new()) } else { self.0.clone() }
    }
}

impl GatewayConfig {
    /// The provider's own table.
    pub fn settings(&self) -> Value {
        self.settings.table()
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

fn default_tenant() -> String {
    "default".to_owned()
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

impl Config {
    /// Reads all layers. Fails with [`ErrorKind::Configuration`] in one line.
    pub fn load(sources: &ConfigSources) -> Result<Self> {
        let layers = Layers::read(sources)?;
        let (tree, read_from) = secrets::read_files(&layers)?;
        let mut config: Self = serde_path_to_error::deserialize(&tree).map_err(|error| {
            let path = error.path().to_string();
            let (path, shown) = if path == "." {
                (String::new(), String::new())
            } else {
                (path.clone(), format!("{path}: "))
            };
            let origin = layers.origin(&path);
            Error::new(
                ErrorKind::Configuration,
                format!("{origin}: {shown}{}", without_values(&error.inner().to_string())),
            )
        })?;
        flatten("", &tree, &mut |key, value| {
            config.effective.push((key.to_owned(), SecretString::from(value.to_string())));
        });
        config.layers = layers;
        config.read_from = read_from;
        Ok(config)
    }

    /// The rules that choose among these gateways. Refuses those that could not work.
    pub(crate) fn routing(&self, gateways: &[Gateway]) -> Result<Vec<RoutingRule>> {
        let known = gateways.iter().map(|gateway| (&gateway.name, &gateway.tenant, gateway.mode));
        let wrong =
            |key: &str, index: usize, problem: &str| self.wrong(&format!("routing[{index}].{key}"), problem);
        check_rules(&self.routing, known).map_err(|it| wrong(it.key, it.index, &it.problem))?;
        Ok(self.routing.clone())
    }

    /// Every key in force, with its origin, without secrets.
    pub fn explain(sources: &ConfigSources) -> Result<Vec<ExplainedKey>> {
        let layers = Layers::read(sources)?;
        let defaults = Layers::defaults()?;
        let has_default = |key: &str| {
            let table = |tree: &Value, part| tree.get(part).cloned();
            key.split('.')
                .try_fold(Value::Object(defaults.tree.clone()), |tree, part| table(&tree, part))
                .is_some()
        };
        let mut keys = Vec::new();
        flatten("", &Value::Object(layers.tree.clone()), &mut |key, value| {
            let value =
                if may_be_shown(key, has_default(key)) { value.to_string() } else { "(set)".to_owned() };
            keys.push(ExplainedKey { key: key.to_owned(), value, origin: layers.origin(key).to_owned() });
        });
        Ok(keys)
    }

    /// Every key in force and its value as JSON, secrets included.
    pub(crate) fn effective(&self) -> &[(String, SecretString)] {
        &self.effective
    }

    /// Where a key was set: `billfold.toml`, `environment`, `flag`, `defaults`.
    pub fn origin(&self, key: &str) -> String {
        let key = self.read_from.get(key).map_or(key, |read| &read.key);
        self.layers.origin(key).to_owned()
    }

    /// An error about a key, in one line. One that was read from a file names the file.
    pub fn wrong(&self, key: &str, problem: &str) -> Error {
        self.wrong_item(key, 0, problem)
    }

    /// An error about one value of a list.
    pub fn wrong_item(&self, key: &str, index: usize, problem: &str) -> Error {
        let origin = self.origin(key);
        let read = self.read_from.get(key).and_then(|read| Some((&read.key, read.files.get(index)?)));
        let message = match read {
            Some((key, file)) => format!("{origin}: {key}: {file}: {problem}"),
            None => format!("{origin}: {key}: {problem}"),
        };
        Error::new(ErrorKind::Configuration, message)
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

/// What is known to hold no secret: keys that have a default, those of a gateway that are not its provider's, and paths
/// of files. Everything else may: the tables of providers and key wrappers, URLs of databases, and whatever was written
/// into a table whose name has a slip of the pen.
fn may_be_shown(key: &str, has_default: bool) -> bool {
    const GATEWAY: [&str; 4] = ["provider", "mode", "tenant", "background_calls_per_second"];
    let gateway = key.strip_prefix("gateways.").and_then(|rest| rest.rsplit_once('.'));
    let gateway = gateway.is_some_and(|(name, key)| !name.contains('.') && GATEWAY.contains(&key));
    let wrapper = key.starts_with("vault.previous_wrappers.") && key.ends_with(".wrapper");
    let secret = ["database.url", "vault.root_key", "vault.previous_root_keys"].contains(&key);
    let file = key.ends_with("_file") || key.ends_with("_files");
    (has_default && !secret) || gateway || wrapper || file || key == "routing"
}
