//! Who depends on whom.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What cargo knows of the workspace.
pub(crate) fn read(root: &Path) -> anyhow::Result<Value> {
    let output = Command::new("cargo")
        .args(["metadata", "--format-version", "1", "--no-deps", "--offline"])
        .current_dir(root)
        .output()
        .context("cargo metadata did not start")?;
    ensure!(output.status.success(), "cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// The features of the program that link one provider each, as its manifest names them.
pub(crate) fn provider_features(root: &Path) -> anyhow::Result<Vec<String>> {
    Ok(provider_features_in(&read(root)?))
}

fn provider_features_in(metadata: &Value) -> Vec<String> {
    let list =
        |value: &Value, key: &str| value.get(key).and_then(Value::as_array).cloned().unwrap_or_default();
    let packages = list(metadata, "packages");
    let program = packages.iter().find(|package| text(package, "name") == "billfold-cli");
    let needs = program.map(|package| list(package, "dependencies")).unwrap_or_default();
    let linked = needs.iter().filter(|need| {
        text(need, "name").starts_with("billfold-provider-")
            && need.get("optional") == Some(&Value::Bool(true))
    });
    linked.map(|need| text(need, "rename").to_owned()).collect()
}

/// The normal and build dependencies of each workspace crate, by name; those for tests left out.
pub(crate) fn dependencies(root: &Path) -> anyhow::Result<BTreeMap<String, BTreeSet<String>>> {
    let metadata = read(root)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_providers_feature_is_the_name_of_its_dependency() {
        let metadata = serde_json::json!({"packages": [
            {"name": "billfold-server", "dependencies": []},
            {"name": "billfold-cli", "dependencies": [
                {"name": "billfold-core", "optional": false, "rename": null},
                {"name": "billfold-provider-acme", "optional": true, "rename": "acme"},
                {"name": "billfold-wrapper-transit", "optional": true, "rename": null},
            ]},
        ]});
        assert_eq!(provider_features_in(&metadata), ["acme"]);
    }
}
