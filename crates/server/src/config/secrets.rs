//! Secrets kept in files of their own: `root_key_file = "…"` stands for `root_key`.

use billfold_core::{Error, ErrorKind, Result};
use serde_json::{Map, Value};

/// Replaces every key that ends in `_file` by the key without it, holding what the file holds.
pub(super) fn read_files(tree: Value, origin: &dyn Fn(&str) -> String) -> Result<Value> {
    walk("", tree, origin)
}

fn walk(path: &str, value: Value, origin: &dyn Fn(&str) -> String) -> Result<Value> {
    let Value::Object(table) = value else { return Ok(value) };
    let mut out = Map::new();
    for (key, value) in table {
        let full = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        match (key.strip_suffix("_file"), value) {
            (Some(plain), Value::String(file)) => {
                let wrong = |problem: String| {
                    Error::new(ErrorKind::Configuration, format!("{}: {full}: {problem}", origin(&full)))
                };
                let content =
                    std::fs::read_to_string(&file).map_err(|error| wrong(format!("{file}: {error}")))?;
                // A key set both ways is read from the file: defaults and environments may set the other.
                out.insert(plain.to_owned(), Value::String(content.trim().to_owned()));
            }
            (_, value) => {
                let value = walk(&full, value, origin)?;
                out.entry(key).or_insert(value);
            }
        }
    }
    Ok(Value::Object(out))
}
