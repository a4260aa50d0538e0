//! A provider's column of the table of trials: which it passes, and which its gateway has no use for. Providers of
//! this repository have it as a file in `docs/providers/trials`, and the suite says when that is not true any more.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{Driver, Outcome, Trial};

/// Where the columns are, from the folder of a crate.
const FOLDER: &str = "../../docs/providers/trials";
/// Set by `cargo xtask trials`: columns are written instead of compared.
const WRITE: &str = "BILLFOLD_WRITE_TRIALS";

/// A column as it comes about.
pub(super) struct Column {
    variant: &'static str,
    text: String,
}

impl Column {
    pub(super) fn of(driver: &dyn Driver) -> Self {
        Self { variant: driver.variant(), text: String::new() }
    }

    pub(super) fn add(&mut self, trial: &Trial, outcome: Outcome) {
        let name = trial.name();
        let written = match outcome {
            Outcome::Passed => writeln!(self.text, "+ {name}"),
            Outcome::Ignored(reason) => writeln!(self.text, "- {name}: {reason}"),
        };
        written.expect("a text takes all that is written");
    }

    /// Compares it with the file that has it, or writes that. A provider of another repository has none.
    pub(super) fn keep(self) {
        // Told by cargo to every test that it runs: the crate whose test this is.
        let told = |key: &str| std::env::var_os(key).and_then(|value| value.into_string().ok());
        let Some((package, folder)) = told("CARGO_PKG_NAME").zip(told("CARGO_MANIFEST_DIR")) else { return };
        let folder = Path::new(&folder).join(FOLDER);
        let Some(file) = file(&package, self.variant).map(|file| folder.join(file)) else { return };
        if !folder.is_dir() {
            return;
        }
        if std::env::var_os(WRITE).is_some() {
            std::fs::write(&file, self.text).expect("the file of the trials can be written");
            return;
        }
        let written = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(
            written == self.text,
            "{} does not say what the trials gave; run `cargo xtask trials`. It would be:\n{}",
            file.display(),
            self.text
        );
    }
}

/// The file of a crate's column; `None` for a crate that is no provider of ours.
fn file(package: &str, variant: &str) -> Option<PathBuf> {
    let own = (package == env!("CARGO_PKG_NAME")).then_some("reference");
    let name = package.strip_prefix("billfold-provider-").or(own)?;
    let name = if variant.is_empty() { name.to_owned() } else { format!("{name}-{variant}") };
    Some(format!("{name}.txt").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_after_provider_and_variant() {
        let name = |package, variant| file(package, variant).map(|file| file.display().to_string());
        assert_eq!(name("billfold-provider-acme", "").as_deref(), Some("acme.txt"));
        assert_eq!(name("billfold-provider-acme", "hosted").as_deref(), Some("acme-hosted.txt"));
        assert_eq!(name("billfold-testkit", "token").as_deref(), Some("reference-token.txt"));
        assert_eq!(name("somebodys-provider", ""), None);
    }
}
