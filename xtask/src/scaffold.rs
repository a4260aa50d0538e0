//! What `cargo xtask new-provider` makes is built and tested as a newcomer would: in a workspace of its own that has
//! nothing but the new crate, and takes the others from where they are, already built.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::{ci, new_provider};

/// No gateway is called like this.
const KIND: &str = "newcomer";
/// The pages that a new provider changes or is compared with.
const PAGES: &str = "docs/providers";

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let target = ci::target_folder(root)?;
    // Inside the target folder, so that the toolchain and the rules of format are those of the project.
    let folder = root.join("target").join("scaffold");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    let outcome = prepare(root, &folder)
        .and_then(|()| new_provider::run(&folder, KIND))
        .and_then(|()| test(&folder, &target));
    fs::remove_dir_all(&folder).context("the scaffold cannot be thrown away")?;
    outcome
}

fn prepare(root: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(folder)?;
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let home = root.to_str().context("the project's folder is not UTF-8")?;
    fs::write(folder.join("Cargo.toml"), alone(&manifest, home)?)?;
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock"))?;
    copy(&root.join(PAGES), &folder.join(PAGES))
}

/// The workspace's manifest for the new crate alone; the others are dependencies, wherever they are.
fn alone(manifest: &str, home: &str) -> anyhow::Result<String> {
    let mut text = String::new();
    let mut members = 0;
    for line in manifest.lines() {
        if line.starts_with("default-members") {
            continue;
        }
        if line.starts_with("members = ") {
            members += 1;
            text.push_str("members = [\"crates/*\"]\n");
            continue;
        }
        text.push_str(&line.replace("path = \"crates/", &format!("path = \"{home}/crates/")));
        text.push('\n');
    }
    ensure!(members == 1, "the workspace's manifest has no line `members = …`");
    Ok(text)
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("{} cannot be read", from.display()))? {
        let path = entry?.path();
        let there = to.join(path.file_name().context("an entry has a name")?);
        if path.is_dir() {
            copy(&path, &there)?;
        } else {
            fs::copy(&path, &there)?;
        }
    }
    Ok(())
}

fn test(folder: &Path, target: &str) -> anyhow::Result<()> {
    let mut test = Command::new("cargo");
    // Its lock file is the project's, less what the new crate does not need.
    test.args(["test", "--offline", "-p", &format!("billfold-provider-{KIND}")])
        .env("CARGO_TARGET_DIR", target)
        .current_dir(folder);
    ci::execute(&mut test)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_names_the_others_where_they_are() {
        let manifest = "[workspace]\nmembers = [\"crates/*\", \"xtask\"]\ndefault-members = [\"crates/cli\"]\n\n\
                        [workspace.dependencies]\na = { path = \"crates/a\" }\nb = \"1\"\n";
        let expected = "[workspace]\nmembers = [\"crates/*\"]\n\n[workspace.dependencies]\n\
                        a = { path = \"/home/crates/a\" }\nb = \"1\"\n";
        assert_eq!(alone(manifest, "/home").unwrap(), expected);
        assert!(alone("[workspace]\n", "/home").is_err());
    }
}
