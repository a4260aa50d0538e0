//! The rules that neither the compiler nor clippy know. Each returns what it found, so that each can
//! be shown to find something.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::{metadata, trials};

/// Lines of production code in one file; more wants a seam.
const MAX_LINES: usize = 500;
const MAX_ARCHITECTURE_LINES: usize = 200;
/// Folders that must not know any provider's name.
const NAMELESS: [&str; 4] = ["crates/core", "crates/store", "crates/server", "crates/testkit"];

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let mut problems = Vec::new();
    let providers = providers(root)?;
    for path in rust_files(root)? {
        let text = fs::read_to_string(&path).with_context(|| format!("{} cannot be read", path.display()))?;
        let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
        problems.extend(file_problems(&name, &text));
    }
    for folder in NAMELESS {
        for path in all_files(&root.join(folder))? {
            let Ok(text) = fs::read_to_string(&path) else { continue };
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            problems.extend(provider_names(&name, &text, &providers));
        }
    }
    problems.extend(trials::problems(root, &providers)?);
    problems.extend(dependency_problems(&metadata::dependencies(root)?));
    for page in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = fs::read_to_string(root.join(page)).with_context(|| format!("{page} is missing"))?;
        problems.extend(
            paths_in(&text)
                .into_iter()
                .filter(|path| !root.join(path).exists())
                .map(|path| format!("{page} names {path}, which does not exist")),
        );
        if page == "ARCHITECTURE.md" && text.lines().count() >= MAX_ARCHITECTURE_LINES {
            problems.push(format!("{page} has {MAX_ARCHITECTURE_LINES} lines or more"));
        }
    }
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{} problem(s):\n  {}", problems.len(), problems.join("\n  "))
}

/// The kinds of provider in the tree, by the names of their folders.
pub(crate) fn providers(root: &Path) -> anyhow::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(root.join("crates"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_prefix("provider-").map(str::to_owned));
    }
    Ok(names)
}

fn rust_files(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for folder in ["crates", "xtask", "examples"] {
        files.extend(all_files(&root.join(folder))?);
    }
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    Ok(files)
}

fn all_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        let link = path.is_symlink();
        if path.is_dir() && !link && path.file_name().is_some_and(|name| name != "target") {
            files.extend(all_files(&path)?);
        } else if path.is_file() {
            files.push(path);
        }
    }
    Ok(files)
}

fn file_problems(name: &str, text: &str) -> Vec<String> {
    let mut problems = Vec::new();
    if !text.starts_with("//!") {
        problems.push(format!("{name} does not open with a //! line"));
    }
    let production = text.split("#[cfg(test)]").next().unwrap_or_default().lines().count();
    if production > MAX_LINES && !name.contains("/tests/") {
        problems.push(format!("{name} has {production} lines; split it at a seam"));
    }
    // Built at run time, so that this file does not contain what it looks for.
    let banned = [
        format!("#[{}(", "allow"),
        format!("#![{}(", "allow"),
        format!("{}!(", "todo"),
        format!("FIX{}", "ME"),
    ];
    for (number, line) in text.lines().enumerate() {
        for word in &banned {
            if line.contains(word.as_str()) {
                problems.push(format!("{name}:{}: {word}", number + 1));
            }
        }
    }
    problems
}

fn provider_names(name: &str, text: &str, providers: &BTreeSet<String>) -> Vec<String> {
    let lower = text.to_lowercase();
    let found = providers.iter().filter(|provider| lower.contains(provider.as_str()));
    found.map(|provider| format!("{name} names the provider {provider}")).collect()
}

fn dependency_problems(dependencies: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut problems = Vec::new();
    for (package, needs) in dependencies {
        for need in needs {
            if is_forbidden(package, need) {
                problems.push(format!("{package} must not depend on {need}"));
            }
        }
    }
    problems
}

fn is_forbidden(package: &str, need: &str) -> bool {
    let ours = need.starts_with("billfold-");
    let plug_in = is_plug_in(need);
    match package {
        "billfold-core" => ours || ["diesel", "diesel-async", "axum"].contains(&need),
        "billfold-store" => need == "axum" || (ours && need != "billfold-core"),
        "billfold-sandbox" => ours,
        "billfold-server" | "billfold-testkit" => plug_in || need == "billfold-sandbox",
        // Their tests may use the testkit: dependencies for tests are not looked at.
        _ if is_plug_in(package) => ours && need != "billfold-core",
        _ => false,
    }
}

/// A provider or a key wrapper.
fn is_plug_in(package: &str) -> bool {
    package.starts_with("billfold-provider-") || package.starts_with("billfold-wrapper-")
}

/// Paths in backticks that look like places in this repository.
fn paths_in(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<Vec<_>>().join(" ");
    let quoted = prose.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>();
    let places = ["crates/", "docs/", "examples/", "migrations", "xtask", ".ci/"];
    let plain = |path: &&String| !path.contains([' ', '*', '{', '<']);
    quoted
        .iter()
        .filter(|path| places.iter().any(|place| path.starts_with(place)))
        .filter(plain)
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_project_is_tidy() {
        run(&crate::root()).unwrap();
    }

    #[test]
    fn files_are_looked_at() {
        assert!(file_problems("a.rs", "//! Good.\nfn main() {}\n").is_empty());
        assert_eq!(file_problems("a.rs", "fn main() {}\n").len(), 1);
        let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(MAX_LINES));
        assert_eq!(file_problems("a.rs", &long).len(), 1);
        let banned = format!("//! Banned.\n#[{}(dead_code)]\nfn f() {{ {}!() }}\n", "allow", "todo");
        assert_eq!(file_problems("a.rs", &banned).len(), 2);
    }

    #[test]
    fn a_providers_name_is_seen_in_any_case() {
        let providers = BTreeSet::from(["acme".to_owned()]);
        assert_eq!(provider_names("core/a.rs", "// like AcmePay does", &providers).len(), 1);
        assert!(provider_names("core/a.rs", "// like others do", &providers).is_empty());
    }

    #[test]
    fn forbidden_edges_are_seen() {
        for (package, need, forbidden) in [
            ("billfold-core", "diesel", true),
            ("billfold-core", "billfold-store", true),
            ("billfold-core", "serde", false),
            ("billfold-provider-acme", "billfold-server", true),
            ("billfold-provider-acme", "billfold-core", false),
            ("billfold-server", "billfold-provider-acme", true),
            ("billfold-wrapper-acme", "billfold-testkit", true),
            ("billfold-wrapper-acme", "billfold-server", true),
            ("billfold-wrapper-acme", "billfold-core", false),
            ("billfold-server", "billfold-wrapper-acme", true),
            ("billfold-testkit", "billfold-wrapper-acme", true),
            ("billfold-core", "billfold-wrapper-acme", true),
            ("billfold-cli", "billfold-wrapper-acme", false),
            ("billfold-server", "billfold-store", false),
            ("billfold-store", "axum", true),
        ] {
            assert_eq!(is_forbidden(package, need), forbidden, "{package} → {need}");
        }
    }

    #[test]
    fn paths_are_found_in_prose_and_not_in_code() {
        let text = "See `crates/core/src/lib.rs` and `Billfold`.\n```\n`crates/none`\n```\nAnd `docs/x.md`.";
        assert_eq!(paths_in(text), ["crates/core/src/lib.rs", "docs/x.md"]);
    }
}
