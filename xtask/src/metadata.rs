//! Who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// The normal and build dependencies of each workspace crate, by name; those for tests left out.
pub(crate) fn dependencies(root: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata did not start")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout)?;
    let packages =
        metadata.get("packages").and_then(Value::as_array).context("cargo metadata lists no packages")?;
    let mut map = BTreeMap::new();
    for package in packages {
        let name = text(package, "name").to_owned();
        let all =
            package.get("dependencies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let normal = all.iter().filter(|dependency| text(dependency, "kind") != "dev");
        map.insert(name, normal.map(|dependency| text(dependency, "name").to_owned()).collect());
    }
    Ok(map)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}
