//! `cargo xtask fuzz`: the targets of `crates/fuzz` under libFuzzer, by cargo-fuzz. What libFuzzer finds interesting is
//! kept below `target/fuzz`, so that the next run goes on from there; the committed corpus is only read.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

/// The workspace of the instrumented programs.
const FOLDER: &str = "crates/fuzz/libfuzzer";
/// How much of libFuzzer's output is shown when something was found.
const LAST_LINES: usize = 40;

/// How one target ended.
struct Outcome {
    target: String,
    inputs: u64,
    seconds: u64,
    holds: bool,
}

/// Runs all targets or one: each for `runs` inputs or `seconds`, whatever comes first.
pub(crate) fn run(root: &Path, only: Option<&str>, runs: u64, seconds: u64) -> anyhow::Result<()> {
    let all = targets(root)?;
    let chosen: Vec<&String> = all.iter().filter(|name| only.is_none_or(|only| only == *name)).collect();
    ensure!(!chosen.is_empty(), "no target `{}`; there are {}", only.unwrap_or_default(), all.join(", "));
    let there = Command::new("cargo").args(["fuzz", "--version"]).output()?;
    ensure!(there.status.success(), "cargo-fuzz is missing; `cargo install --locked cargo-fuzz` brings it");
    let mut build = cargo_fuzz(root, "build");
    let status = build.args(only).status().context("cargo did not start")?;
    ensure!(status.success(), "the targets were not built: {status}");
    let outcomes = chosen
        .into_iter()
        .map(|target| one(root, target, runs, seconds))
        .collect::<anyhow::Result<Vec<_>>>()?;
    println!("\n  {:<20} {:>12} {:>8}  verdict", "target", "inputs", "seconds");
    for Outcome { target, inputs, seconds, holds } in &outcomes {
        println!(
            "  {target:<20} {inputs:>12} {seconds:>8}  {}",
            if *holds { "holds" } else { "DOES NOT HOLD" }
        );
    }
    let broken: Vec<_> = outcomes.iter().filter(|outcome| !outcome.holds).collect();
    if broken.is_empty() {
        return Ok(());
    }
    bail!("{} target(s) do not hold; the inputs are below {FOLDER}/artifacts", broken.len())
}

/// The names of the targets: each has a program.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FOLDER).join("targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn cargo_fuzz(root: &Path, command: &str) -> Command {
    let mut cargo = Command::new("cargo");
    // What is fuzzed has no unsafe code, so a memory sanitizer would mostly watch itself, at half the speed.
    // Overflows and debug assertions are checked all the same.
    cargo.args(["fuzz", command, "--sanitizer", "none", "--fuzz-dir", FOLDER, "--target-dir"]);
    cargo.arg(root.join("target/fuzz-build"));
    // Instrumentation needs flags that are not stable; the compiler is.
    cargo.current_dir(root).env("RUSTC_BOOTSTRAP", "1");
    cargo
}

fn one(root: &Path, target: &str, runs: u64, seconds: u64) -> anyhow::Result<Outcome> {
    println!("=== {target} ===");
    let found = root.join("target/fuzz").join(target);
    fs::create_dir_all(&found).with_context(|| format!("{} cannot be made", found.display()))?;
    let mut child = cargo_fuzz(root, "run")
        .arg(target)
        .arg(&found)
        .arg(root.join("crates/fuzz/corpus").join(target))
        .args(["--", "-print_final_stats=1", "-rss_limit_mb=1024", "-timeout=10", "-max_len=8192"])
        .arg(format!("-runs={runs}"))
        .arg(format!("-max_total_time={seconds}"))
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo did not start")?;
    let (mut inputs, mut took, mut lines) = (0, 0, Vec::new());
    for line in BufReader::new(child.stderr.take().context("cargo has no output")?).split(b'\n') {
        // What was found may be printed as it is, and need not be text.
        let line = String::from_utf8_lossy(&line?).into_owned();
        inputs = number(&line, "stat::number_of_executed_units:").unwrap_or(inputs);
        took = line
            .strip_prefix("Done ")
            .and_then(|done| number(done.split_once(" in ")?.1, ""))
            .unwrap_or(took);
        lines.push(line);
    }
    let holds = child.wait()?.success();
    if !holds {
        println!("{}", lines[lines.len().saturating_sub(LAST_LINES)..].join("\n"));
    }
    Ok(Outcome { target: target.to_owned(), inputs, seconds: took, holds })
}

/// The number at the beginning of what follows `label`.
fn number(line: &str, label: &str) -> Option<u64> {
    line.strip_prefix(label)?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read() {
        assert_eq!(
            number("stat::number_of_executed_units: 1234", "stat::number_of_executed_units:"),
            Some(1234)
        );
        assert_eq!(number("61 second(s)", ""), Some(61));
        assert_eq!(number("stat::new_units_added: 7", "stat::number_of_executed_units:"), None);
    }

    #[test]
    fn a_target_that_is_not_there_is_answered_with_those_that_are() {
        let error = run(&crate::root(), Some("nothing"), 1, 1).unwrap_err().to_string();
        assert!(error.contains("no target `nothing`; there are answers_adyen, "), "{error}");
    }
}
