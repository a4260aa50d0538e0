//! The layers of the configuration, laid on each other key by key: what a later one says wins.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::OnceLock;

use billfold_core::settings::without_values;
use billfold_core::{Error, ErrorKind, Result};
use figment::providers::{Env, Format as _, Toml};
use figment::{Figment, Provider};
use serde_json::{Map, Value};

use super::secrets::plain_key;
use super::{ConfigSources, DEFAULTS};

/// What is in force, and where each key and table was set last.
#[derive(Clone, Default)]
pub(super) struct Layers {
    /// Every key.
    pub(super) tree: Map<String, Value>,
    origins: BTreeMap<String, String>,
}

/// It holds secrets.
impl std::fmt::Debug for Layers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Layers(..)")
    }
}

impl Layers {
    /// The defaults alone. Their text never changes, so it is parsed once.
    pub(super) fn defaults() -> Result<Self> {
        static PARSED: OnceLock<Layers> = OnceLock::new();
        if let Some(layers) = PARSED.get() {
            return Ok(layers.clone());
        }
        let mut layers = Self::default();
        layers.lay("defaults", table("defaults", Toml::string(DEFAULTS))?)?;
        Ok(PARSED.get_or_init(|| layers).clone())
    }

    /// The defaults, a file, the environment, flags.
    pub(super) fn read(sources: &ConfigSources) -> Result<Self> {
        let mut layers = Self::defaults()?;
        let file = match &sources.file {
            Some(file) if !file.is_file() => {
                let message = format!("{}: there is no such configuration file", file.display());
                return Err(Error::new(ErrorKind::Configuration, message));
            }
            Some(file) => Some(file.as_path()),
            None => Some(Path::new("billfold.toml")).filter(|file| file.is_file()),
        };
        if let Some(file) = file {
            let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
            layers.lay(&name, table(&name, Toml::file_exact(file))?)?;
        }
        layers.lay("environment", table("environment", Env::prefixed("BILLFOLD__").split("__"))?)?;
        for (key, value) in &sources.overrides {
            let nested = key.rsplit('.').fold(value.clone(), |value, part| {
                Value::Object(std::iter::once((part.to_owned(), value)).collect())
            });
            let Value::Object(nested) = nested else { continue };
            layers.lay("flag", nested)?;
        }
        Ok(layers)
    }

    /// The source of a key, or of the nearest table around it.
    pub(super) fn origin(&self, key: &str) -> &str {
        let mut key = key;
        loop {
            if let Some(origin) = self.origins.get(key) {
                return origin;
            }
            // An item of a list, `routing[0]`, is where the list is.
            match key.rfind(['.', '[']) {
                Some(end) => key = &key[..end],
                None => return "configuration",
            }
        }
    }

    fn lay(&mut self, name: &str, above: Map<String, Value>) -> Result<()> {
        lay("", name, &mut self.tree, above, &mut self.origins)
    }
}

fn lay(
    path: &str,
    name: &str,
    below: &mut Map<String, Value>,
    above: Map<String, Value>,
    origins: &mut BTreeMap<String, String>,
) -> Result<()> {
    for (key, value) in &above {
        if let Some(plain) = plain_key(&joined(path, key), value).filter(|plain| above.contains_key(plain)) {
            let key = joined(path, key);
            let message = format!("{name}: {key}: `{plain}` is set as well; keep one of the two");
            return Err(Error::new(ErrorKind::Configuration, message));
        }
    }
    for (key, value) in above {
        let full = joined(path, &key);
        // A key and its file form are one key: the later layer's form is the one that counts.
        let plain = plain_key(&full, &value);
        below.retain(|other, held| {
            plain.as_ref() != Some(other) && plain_key(&joined(path, other), held).as_ref() != Some(&key)
        });
        origins.insert(full.clone(), name.to_owned());
        match (below.get_mut(&key), value) {
            (Some(Value::Object(below)), Value::Object(above)) => lay(&full, name, below, above, origins)?,
            (_, Value::Object(above)) => {
                let mut table = Map::new();
                lay(&full, name, &mut table, above, origins)?;
                below.insert(key, Value::Object(table));
            }
            (_, value) => drop(below.insert(key, value)),
        }
    }
    Ok(())
}

/// `server` and `listen` are `server.listen`.
pub(super) fn joined(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

fn table(name: &str, provider: impl Provider) -> Result<Map<String, Value>> {
    Figment::from(provider).extract().map_err(|error| {
        // A TOML error spans several lines and quotes the line, which may hold a secret.
        let first = error.kind.to_string();
        let first = first.lines().next().unwrap_or_default().to_owned();
        Error::new(ErrorKind::Configuration, format!("{name}: {}", without_values(&first)))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn laid(layers: &[Value]) -> Result<Layers> {
        let mut all = Layers::default();
        for (index, layer) in layers.iter().enumerate() {
            all.lay(&format!("layer {index}"), layer.as_object().unwrap().clone())?;
        }
        Ok(all)
    }

    #[test]
    fn the_later_form_of_a_key_wins() {
        let file = json!({"vault": {"root_key_file": "/a", "previous_root_key_files": ["/b"]}});
        let plain = json!({"vault": {"root_key": "k", "previous_root_keys": ["l"]}});
        let all = laid(&[file.clone(), plain.clone()]).unwrap();
        assert_eq!(Value::Object(all.tree), plain);
        let all = laid(&[plain, file.clone()]).unwrap();
        assert_eq!(all.origin("vault.root_key_file"), "layer 1");
        assert_eq!(Value::Object(all.tree), file);
    }

    #[test]
    fn both_forms_in_one_layer_are_refused() {
        let both = json!({"vault": {"root_key_file": "/a", "root_key": "CANARY"}});
        let error = laid(&[json!({}), both]).unwrap_err().to_string();
        assert_eq!(error, "layer 1: vault.root_key_file: `root_key` is set as well; keep one of the two");
    }

    #[test]
    fn tables_are_joined_and_lists_replaced() {
        let all = laid(&[
            json!({"log": {"format": "text", "filter": "info"}, "w": {"a": [1, 2]}}),
            json!({"log": {"filter": "debug"}, "w": {"a": [3]}}),
        ])
        .unwrap();
        let expected = json!({"log": {"format": "text", "filter": "debug"}, "w": {"a": [3]}});
        assert_eq!(all.origin("log.format"), "layer 0");
        assert_eq!(all.origin("log.filter"), "layer 1");
        assert_eq!(all.origin("log.other"), "layer 1", "the table's");
        assert_eq!(all.origin("w.a[0].b"), "layer 1", "the list's");
        assert_eq!(all.origin("other"), "configuration");
        assert_eq!(Value::Object(all.tree), expected);
    }

    #[test]
    fn a_path_that_is_no_secret_stays_a_path() {
        let all = laid(&[json!({"vault": {"erasure_ledger_file": "/a"}})]).unwrap();
        assert_eq!(Value::Object(all.tree), json!({"vault": {"erasure_ledger_file": "/a"}}));
    }
}
