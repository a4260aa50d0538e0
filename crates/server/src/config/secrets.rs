//! Secrets kept in files of their own: `root_key_file = "…"` stands for `root_key`, and
//! `previous_root_key_files = ["…"]` for `previous_root_keys`.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;

use billfold_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

use super::layers::{Layers, joined};

/// Keys that end like a file form and are what they say: the path of a file.
const PATHS: [&str; 1] = ["vault.erasure_ledger_file"];
/// Whose files nobody else may read: they hold root keys, and what asks for them.
const PRIVATE: &str = "vault.";
/// Certificates are for everybody.
const PUBLIC: &str = ".ca_file";

/// Where a key's value was read from: the key in its file form, and the files.
#[derive(Debug, Clone)]
pub(super) struct ReadFrom {
    pub(super) key: String,
    pub(super) files: Vec<String>,
}

/// The last part of the key that a key in file form stands for; `None` for every other key.
pub(super) fn plain_key(full: &str, value: &Value) -> Option<String> {
    if PATHS.contains(&full) {
        return None;
    }
    let key = full.rsplit('.').next()?;
    match value {
        Value::String(_) => key.strip_suffix("_file").map(str::to_owned),
        Value::Array(_) => key.strip_suffix("_files").map(|plain| format!("{plain}s")),
        _ => None,
    }
}

/// Replaces every key in file form by the key that it stands for, holding what the files hold.
pub(super) fn read_files(layers: &Layers) -> Result<(Value, BTreeMap<String, ReadFrom>)> {
    let mut read = BTreeMap::new();
    let tree = walk("", &layers.tree, layers, &mut read)?;
    Ok((tree, read))
}

fn walk(
    path: &str,
    table: &Map<String, Value>,
    layers: &Layers,
    read: &mut BTreeMap<String, ReadFrom>,
) -> Result<Value> {
    let mut out = Map::new();
    for (key, value) in table {
        let full = joined(path, key);
        let content = |file: &str| {
            content(file, full.starts_with(PRIVATE) && !full.ends_with(PUBLIC)).map(Value::String).map_err(
                |problem| {
                    let message = format!("{}: {full}: {file}: {problem}", layers.origin(&full));
                    Error::new(ErrorKind::Configuration, message)
                },
            )
        };
        let Some(plain) = plain_key(&full, value) else {
            let value = match value {
                Value::Object(table) => walk(&full, table, layers, read)?,
                leaf => leaf.clone(),
            };
            out.insert(key.clone(), value);
            continue;
        };
        let (files, value) = match value {
            Value::Array(list) => {
                let files: Vec<String> = list.iter().filter_map(Value::as_str).map(str::to_owned).collect();
                let values = files.iter().map(|file| content(file)).collect::<Result<Vec<_>>>()?;
                (files, Value::Array(values))
            }
            other => {
                let file = other.as_str().unwrap_or_default();
                (vec![file.to_owned()], content(file)?)
            }
        };
        read.insert(joined(path, &plain), ReadFrom { key: full, files });
        out.insert(plain, value);
    }
    Ok(Value::Object(out))
}

/// What a file holds, without the blanks around it.
fn content(file: &str, private: bool) -> Result<String, String> {
    let mut open = std::fs::File::open(file).map_err(|error| error.to_string())?;
    let mode = open.metadata().map_err(|error| error.to_string())?.permissions().mode();
    if private && mode & 0o077 != 0 {
        let mode = mode & 0o777;
        return Err(format!("others than its owner may use it (mode {mode:o}); run `chmod 600 {file}`"));
    }
    let mut text = String::new();
    open.read_to_string(&mut text).map_err(|error| error.to_string())?;
    Ok(text.trim().to_owned())
}
