//! `cargo xtask ci`: the checks in order, the quick ones first, the tests last so that their summary
//! is the end of the output.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use crate::{metadata, migrations, scaffold, tidy};

struct Step {
    name: &'static str,
    run: fn(&Path) -> anyhow::Result<()>,
}

const STEPS: &[Step] = &[
    Step { name: "fmt", run: |root| cargo(root, &["fmt", "--all", "--check"]) },
    Step { name: "tidy", run: tidy::run },
    Step { name: "migrations", run: migrations::run },
    Step { name: "clippy", run: clippy },
    Step { name: "production", run: production },
    Step { name: "providers", run: providers },
    Step { name: "docs", run: docs },
    Step { name: "deny", run: deny },
    Step { name: "torture", run: |root| torture(root, true, &[]) },
    Step { name: "out-of-tree", run: out_of_tree },
    Step { name: "demo", run: |root| cargo(root, &["run", "--locked", "--", "demo", "--once"]) },
    Step { name: "scaffold", run: scaffold::run },
    Step { name: "tests", run: tests },
];

pub(crate) fn run(root: &Path, only: Option<&str>, from: Option<&str>) -> anyhow::Result<()> {
    let known = |name: &str| STEPS.iter().position(|step| step.name == name);
    let names = || STEPS.iter().map(|step| step.name).collect::<Vec<_>>().join(", ");
    let position =
        |name: &str| known(name).with_context(|| format!("no step `{name}`; there are {}", names()));
    let steps = match (only, from) {
        (Some(name), _) => {
            let at = position(name)?;
            &STEPS[at..=at]
        }
        (None, Some(name)) => &STEPS[position(name)?..],
        (None, None) => STEPS,
    };
    let mut report = String::new();
    for (index, step) in steps.iter().enumerate() {
        if index + 1 == steps.len() && !report.is_empty() {
            // The last step ends the output with its own summary.
            println!("\nsteps so far:\n{report}");
        }
        println!("=== {} ===", step.name);
        let began = Instant::now();
        (step.run)(root).with_context(|| format!("step `{}` failed", step.name))?;
        writeln!(report, "  {:<12} {:>4} s", step.name, began.elapsed().as_secs())?;
    }
    Ok(())
}

pub(crate) fn cargo(root: &Path, args: &[&str]) -> anyhow::Result<()> {
    execute(Command::new("cargo").args(args).current_dir(root))
}

/// Builds the program and what tortures it, and lets it begin.
pub(crate) fn torture(root: &Path, quick: bool, more: &[String]) -> anyhow::Result<()> {
    let mut build = vec!["build", "--locked", "-p", "billfold-cli", "-p", "billfold-torture"];
    if !quick {
        build.push("--release");
    }
    cargo(root, &build)?;
    let mut torture = Command::new(root.join(if quick {
        "target/debug/billfold-torture"
    } else {
        "target/release/billfold-torture"
    }));
    if quick {
        torture.arg("--quick");
    }
    execute(torture.args(more).current_dir(root))
}

/// Runs a measurement that was built.
pub(crate) fn run_bench(root: &Path, name: &str, database: Option<&str>) -> anyhow::Result<()> {
    let mut bench = Command::new(root.join("target/release/billfold-bench"));
    execute(bench.arg(name).args(database).current_dir(root))
}

/// The provider that stands outside the workspace builds, keeps the contract, and is in its program. What both
/// workspaces depend on is compiled once, for they share a target folder.
fn out_of_tree(root: &Path) -> anyhow::Result<()> {
    let folder = root.join("examples/out-of-tree-provider");
    let cargo = |args: &[&str]| {
        let mut cargo = Command::new("cargo");
        cargo.args(args).current_dir(&folder).env("CARGO_TARGET_DIR", root.join("target"));
        cargo
    };
    execute(&mut cargo(&["fmt", "--all", "--check"]))?;
    execute(&mut cargo(&["test", "--locked"]))?;
    let providers = cargo(&["run", "--locked", "--", "providers"]).output().context("cargo did not start")?;
    let listed = String::from_utf8_lossy(&providers.stdout);
    let said = String::from_utf8_lossy(&providers.stderr);
    ensure!(providers.status.success(), "billfold-acme ended with {}: {said}", providers.status);
    ensure!(listed.contains("acme"), "billfold-acme lists no acme among its providers:\n{listed}");
    Ok(())
}

pub(crate) fn execute(command: &mut Command) -> anyhow::Result<()> {
    let status =
        command.status().with_context(|| format!("{} did not start", command.get_program().display()))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn clippy(root: &Path) -> anyhow::Result<()> {
    cargo(root, &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// Runs the tests and ends with their sum: each test binary has a summary of its own, and the last one's
/// says little.
fn tests(root: &Path) -> anyhow::Result<()> {
    let mut child = Command::new("cargo")
        .args(["test", "--locked", "--workspace"])
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo did not start")?;
    let output = child.stdout.take().context("cargo has no output")?;
    let mut sum = Sum::default();
    for line in BufReader::new(output).lines() {
        let line = line?;
        println!("{line}");
        sum.add(&line);
    }
    let status = child.wait()?;
    println!("\n{} passed, {} failed, {} skipped", sum.passed, sum.failed, sum.ignored);
    ensure!(status.success(), "cargo test ended with {status}");
    Ok(())
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Sum {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Sum {
    /// Counts a line such as `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        let count = |what: &str| {
            let before = result.split_once(what).map(|(before, _)| before.trim_end());
            before.and_then(|before| before.rsplit(' ').next()?.parse::<u64>().ok()).unwrap_or(0)
        };
        self.passed += count("passed");
        self.failed += count("failed");
        self.ignored += count("ignored");
    }
}

/// The binary meant for production has no sandbox in it.
fn production(root: &Path) -> anyhow::Result<()> {
    let features = ["--no-default-features", "--features", "xendit,transit,aws-kms"];
    let mut check = vec!["clippy", "--locked", "-p", "billfold-cli"];
    check.extend(features);
    check.extend(["--", "-D", "warnings"]);
    cargo(root, &check)?;
    let tree = Command::new("cargo")
        .args(["tree", "--locked", "-p", "billfold-cli", "-e", "normal", "--prefix", "none"])
        .args(features)
        .current_dir(root)
        .output()?;
    ensure!(tree.status.success(), "cargo tree failed");
    let tree = String::from_utf8_lossy(&tree.stdout);
    ensure!(!tree.contains("billfold-sandbox"), "the production binary contains the sandbox");
    Ok(())
}

/// Each provider is linked without the others, and all of them without the sandbox.
fn providers(root: &Path) -> anyhow::Result<()> {
    let names = metadata::provider_features(root)?;
    ensure!(!names.is_empty(), "the program has no feature for any provider");
    for features in names.iter().cloned().chain([names.join(",")]) {
        println!("--features {features}");
        let check = ["clippy", "--locked", "-p", "billfold-cli", "--no-default-features", "--features"];
        cargo(root, &[&check[..], &[&features, "--", "-D", "warnings"]].concat())?;
    }
    Ok(())
}

/// Where cargo builds.
pub(crate) fn target_folder(root: &Path) -> anyhow::Result<String> {
    let metadata = metadata::read(root)?;
    let folder = metadata.get("target_directory").and_then(serde_json::Value::as_str);
    Ok(folder.context("cargo metadata names no target folder")?.to_owned())
}

fn docs(root: &Path) -> anyhow::Result<()> {
    let mut doc = Command::new("cargo");
    doc.args(["doc", "--locked", "--workspace", "--no-deps"])
        .env("RUSTDOCFLAGS", "-D warnings")
        .current_dir(root);
    execute(&mut doc)
}

/// Licences, bans and sources need no network. Advisories need a database that a closed network
/// does not have: they are checked where it is at hand, and said to be unchecked where it is not.
fn deny(root: &Path) -> anyhow::Result<()> {
    // What other systems would link is looked at as well; a new machine has not fetched it.
    cargo(root, &["fetch", "--locked"])?;
    cargo(root, &["deny", "--offline", "check", "licenses", "bans", "sources"])?;
    let advisories =
        Command::new("cargo").args(["deny", "check", "advisories"]).current_dir(root).output()?;
    if advisories.status.success() {
        println!("advisories: none apply");
        return Ok(());
    }
    let said = String::from_utf8_lossy(&advisories.stderr);
    if said.contains("failed to fetch")
        || said.contains("failed to load advisory database")
        || said.contains("unable to")
    {
        println!("ADVISORIES WERE NOT CHECKED: the advisory database cannot be fetched from here");
        return Ok(());
    }
    bail!("advisories apply:\n{said}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_are_added_up() {
        let mut sum = Sum::default();
        for line in [
            "running 3 tests",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.1s",
            "test result: FAILED. 20 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out",
        ] {
            sum.add(line);
        }
        assert_eq!(sum, Sum { passed: 23, failed: 2, ignored: 1 });
    }
}
