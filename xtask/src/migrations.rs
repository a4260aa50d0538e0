//! Both databases have the same migrations, tables and columns.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

type Tables = BTreeMap<String, BTreeSet<String>>;

pub(crate) fn run(root: &Path) -> anyhow::Result<()> {
    let (sqlite, postgres) = (root.join("migrations/sqlite"), root.join("migrations/postgres"));
    let names = folders(&sqlite)?;
    ensure!(!names.is_empty(), "there are no migrations");
    ensure!(names == folders(&postgres)?, "the two databases have different migrations");
    for name in &names {
        for direction in ["up.sql", "down.sql"] {
            let read = |base: &Path| {
                let path = base.join(name).join(direction);
                fs::read_to_string(&path).with_context(|| format!("{} is missing", path.display()))
            };
            let (one, other) = (read(&sqlite)?, read(&postgres)?);
            ensure!(
                tables(&one) == tables(&other),
                "{name}/{direction}: the databases differ in tables or columns"
            );
            ensure!(drops(&one) == drops(&other), "{name}/{direction}: the databases drop different tables");
        }
    }
    Ok(())
}

fn folders(base: &Path) -> anyhow::Result<BTreeSet<String>> {
    let entries = fs::read_dir(base).with_context(|| format!("{} cannot be read", base.display()))?;
    entries.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

/// Columns by table, from `CREATE TABLE` statements written one column a line.
fn tables(sql: &str) -> Tables {
    let mut tables = Tables::new();
    for statement in sql.split(';') {
        let Some(rest) = statement.trim().strip_prefix("CREATE TABLE ") else { continue };
        let Some((name, body)) = rest.split_once('(') else { continue };
        let lines = body.lines().map(str::trim);
        let first_words = lines.filter_map(|line| line.split_whitespace().next());
        // Columns are lower case, keywords of constraints upper case.
        let columns = first_words.filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
        tables.insert(name.trim().to_owned(), columns.map(str::to_owned).collect());
    }
    tables
}

fn drops(sql: &str) -> BTreeSet<String> {
    let statements = sql.split(';').map(str::trim);
    statements.filter_map(|statement| statement.strip_prefix("DROP TABLE ")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_projects_own_migrations_agree() {
        run(&crate::root()).unwrap();
    }

    #[test]
    fn a_missing_column_is_seen() {
        let one =
            tables("CREATE TABLE a (\n  id TEXT,\n  b BLOB,\n  UNIQUE (id)\n);\nCREATE INDEX i ON a (id);");
        let other = tables("CREATE TABLE a (\n  id TEXT,\n  UNIQUE (id)\n);");
        assert_eq!(one["a"], BTreeSet::from(["id".to_owned(), "b".to_owned()]));
        assert_ne!(one, other);
    }
}
