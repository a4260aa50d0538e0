//! `cargo xtask ci`: the checks in order, the quick ones first, the tests last so that their summary
//! is the end of the output.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail, ensure};

use crate::{migrations, tidy};

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
    Step { name: "docs", run: docs },
    Step { name: "deny", run: deny },
    Step { name: "demo", run: |root| cargo(root, &["run", "--locked", "--", "demo", "--once"]) },
    Step { name: "tests", run: |root| cargo(root, &["test", "--locked", "--workspace"]) },
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

fn execute(command: &mut Command) -> anyhow::Result<()> {
    let status =
        command.status().with_context(|| format!("{} did not start", command.get_program().display()))?;
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(())
}

fn clippy(root: &Path) -> anyhow::Result<()> {
    cargo(root, &["clippy", "--locked", "--workspace", "--all-targets", "--", "-D", "warnings"])
}

/// The binary meant for production has no sandbox in it.
fn production(root: &Path) -> anyhow::Result<()> {
    let features = ["--no-default-features", "--features", "xendit"];
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
