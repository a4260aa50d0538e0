//! The table of contract trials and providers in `docs/providers/README.md`: assembled from the column that each
//! provider's own contract test compares with what it did (`docs/providers/trials`).

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, ensure};

const FOLDER: &str = "docs/providers/trials";
const PAGE: &str = "docs/providers/README.md";
const BEGIN: &str = "<!-- The table begins; `cargo xtask trials` writes it. -->\n";
const END: &str = "<!-- The table ends. -->\n";
/// The column of the test kit's own reference, which is always there.
const REFERENCE: &str = "reference";

/// One provider in one of its ways.
#[derive(Debug)]
struct Column {
    /// `acme`, or `acme-hosted`.
    name: String,
    /// Each trial, and the reason why its gateway has no use for it.
    trials: Vec<(String, Option<String>)>,
}

impl Column {
    fn read(name: &str, text: &str) -> anyhow::Result<Self> {
        let read = |line: &str| {
            if let Some(trial) = line.strip_prefix("+ ") {
                return Some((trial.to_owned(), None));
            }
            let (trial, reason) = line.strip_prefix("- ")?.split_once(": ")?;
            Some((trial.to_owned(), Some(reason.to_owned())))
        };
        let trials: Option<Vec<_>> = text.lines().map(read).collect();
        let trials = trials.with_context(|| format!("{FOLDER}/{name}.txt is not what the suite writes"))?;
        Ok(Self { name: name.to_owned(), trials })
    }

    /// Whether it is a provider's.
    fn is_of(&self, provider: &str) -> bool {
        self.name.strip_prefix(provider).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.trials.iter().map(|(name, _)| name)
    }
}

/// Runs the contract tests of every provider, writes their columns, and assembles the table.
pub(crate) fn run(root: &Path, providers: &BTreeSet<String>) -> anyhow::Result<()> {
    let folder = root.join(FOLDER);
    fs::create_dir_all(&folder)?;
    for entry in fs::read_dir(&folder)? {
        // A way that a provider no longer has leaves no column.
        fs::remove_file(entry?.path())?;
    }
    let mut test = Command::new("cargo");
    test.args(["test", "--locked", "-p", "billfold-testkit"]);
    for provider in providers {
        test.args(["-p", &format!("billfold-provider-{provider}")]);
    }
    // The tests that run the suite are those of the contract.
    test.args(["--test", "it", "contract"]).env("BILLFOLD_WRITE_TRIALS", "1").current_dir(root);
    let status = test.status().context("cargo did not start")?;
    ensure!(status.success(), "a provider does not keep the contract, or its test could not be built");
    assemble(root)
}

/// Writes the table from the columns that there are.
pub(crate) fn assemble(root: &Path) -> anyhow::Result<()> {
    let path = root.join(PAGE);
    let page = fs::read_to_string(&path).with_context(|| format!("{PAGE} cannot be read"))?;
    let table = table(&columns(root)?);
    fs::write(&path, replaced(&page, &table)?).with_context(|| format!("{PAGE} cannot be written"))
}

/// What is not true in the columns and the table.
pub(crate) fn problems(root: &Path, providers: &BTreeSet<String>) -> anyhow::Result<Vec<String>> {
    let columns = columns(root)?;
    let mut problems = column_problems(&columns, providers);
    let page = fs::read_to_string(root.join(PAGE)).with_context(|| format!("{PAGE} cannot be read"))?;
    if replaced(&page, &table(&columns))? != page {
        problems.push(format!("{PAGE} is not what {FOLDER} makes; run `cargo xtask trials`"));
    }
    Ok(problems)
}

fn columns(root: &Path) -> anyhow::Result<Vec<Column>> {
    let mut columns = Vec::new();
    for entry in fs::read_dir(root.join(FOLDER)).with_context(|| format!("{FOLDER} cannot be read"))? {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        columns.push(Column::read(&name, &fs::read_to_string(&path)?)?);
    }
    columns.sort_by(|a, b| (a.is_of(REFERENCE), &a.name).cmp(&(b.is_of(REFERENCE), &b.name)));
    Ok(columns)
}

fn column_problems(columns: &[Column], providers: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    let known = || providers.iter().map(String::as_str).chain([REFERENCE]);
    for provider in known().filter(|provider| !columns.iter().any(|column| column.is_of(provider))) {
        problems.push(format!("{FOLDER} has nothing of {provider}; run `cargo xtask trials`"));
    }
    let first = columns.iter().find(|column| column.is_of(REFERENCE));
    for column in columns {
        let file = format!("{FOLDER}/{}.txt", column.name);
        if !known().any(|provider| column.is_of(provider)) {
            problems.push(format!("{file} is of a provider that is not there"));
        }
        if first.is_some_and(|first| !first.names().eq(column.names())) {
            problems.push(format!("{file} has other trials than the suite; run `cargo xtask trials`"));
        }
    }
    problems
}

/// A line for each trial; reasons are numbered and stand below.
fn table(columns: &[Column]) -> String {
    let mut text = String::from("| trial |");
    for column in columns {
        let _ = write!(text, " {} |", column.name.replacen('-', " ", 1));
    }
    text.push_str("\n|---|");
    text.push_str(&"---|".repeat(columns.len()));
    text.push('\n');
    let mut reasons: Vec<&str> = Vec::new();
    let rows = columns.iter().map(|column| column.trials.len()).max().unwrap_or(0);
    for row in 0..rows {
        let name = columns.iter().find_map(|column| column.trials.get(row)).map_or("", |(name, _)| name);
        let _ = write!(text, "| {name} |");
        for column in columns {
            let cell = match column.trials.get(row) {
                Some((_, None)) => "yes".to_owned(),
                Some((_, Some(reason))) => {
                    let known = reasons.iter().position(|known| known == reason);
                    let at = known.unwrap_or_else(|| {
                        reasons.push(reason);
                        reasons.len() - 1
                    });
                    format!("({})", at + 1)
                }
                None => String::new(),
            };
            let _ = write!(text, " {cell} |");
        }
        text.push('\n');
    }
    if !reasons.is_empty() {
        text.push('\n');
    }
    for (index, reason) in reasons.iter().enumerate() {
        let _ = writeln!(text, "{}. {reason}", index + 1);
    }
    text
}

fn replaced(page: &str, table: &str) -> anyhow::Result<String> {
    let marks = || format!("{PAGE} needs the lines {BEGIN}and {END}");
    let (head, rest) = page.split_once(BEGIN).with_context(marks)?;
    let (_, tail) = rest.split_once(END).with_context(marks)?;
    Ok(format!("{head}{BEGIN}\n{table}\n{END}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(name: &str, text: &str) -> Column {
        Column::read(name, text).unwrap()
    }

    #[test]
    fn columns_become_a_table_with_reasons_below() {
        let columns = [
            column("acme-hosted", "+ one\n- two: it: has none\n- three: other\n"),
            column("reference", "+ one\n+ two\n- three: it: has none\n"),
        ];
        let expected = "| trial | acme hosted | reference |\n|---|---|---|\n| one | yes | yes |\n| two | (1) | yes |\n\
                        | three | (2) | (1) |\n\n1. it: has none\n2. other\n";
        assert_eq!(table(&columns), expected);
        let page = format!("# Head\n{BEGIN}stale\n{END}tail\n");
        let written = replaced(&page, "| t |\n").unwrap();
        assert_eq!(written, format!("# Head\n{BEGIN}\n| t |\n\n{END}tail\n"));
        assert_eq!(replaced(&written, "| t |\n").unwrap(), written);
        assert!(replaced("# Head\n", "").is_err());
        assert!(Column::read("acme", "one\n").is_err());
    }

    #[test]
    fn missing_stale_and_strange_columns_are_seen() {
        let providers = BTreeSet::from(["acme".to_owned(), "beta".to_owned()]);
        let good = ["acme-hosted", "beta", "reference-token"].map(|name| column(name, "+ one\n"));
        assert!(column_problems(&good, &providers).is_empty());
        let wrong =
            [column("acme", "+ two\n"), column("acmes", "+ one\n"), column("reference-token", "+ one\n")];
        let problems = column_problems(&wrong, &providers).join("\n");
        for expected in [
            "has nothing of beta",
            "trials/acme.txt has other trials",
            "trials/acmes.txt is of a provider that is not there",
        ] {
            assert!(problems.contains(expected), "{expected}: {problems}");
        }
        assert_eq!(problems.lines().count(), 3, "{problems}");
    }
}
