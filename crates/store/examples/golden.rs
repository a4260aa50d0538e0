//! Makes the databases that every later release must open, in the folder of a release:
//!
//! `cargo run -p billfold-store --example golden -- crates/store/tests/golden/v0.1.0`
//!
//! Needs a PostgreSQL server's programs. Run it before a release, never for one that is out.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a development tool fails loudly")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use billfold_core::clock::Timestamp;
use billfold_core::entropy::SystemEntropy;
use billfold_core::secret::ExposeSecret;
use billfold_core::vault::LocalWrapper;
use billfold_store::{StoreOptions, connect};
use billfold_testkit::filled::{Expected, Filled};
use billfold_testkit::postgres::ThrowAwayPostgres;
use billfold_testkit::process::find_program;
use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;

#[tokio::main]
async fn main() {
    let folder = PathBuf::from(std::env::args().nth(1).expect("the folder of a release"));
    std::fs::create_dir_all(&folder).unwrap();
    let key = LocalWrapper::generate(&SystemEntropy).unwrap();
    std::fs::write(folder.join("root-key.txt"), format!("{}\n", key.expose_secret())).unwrap();
    let root = Arc::new(LocalWrapper::from_base64(&key).unwrap());

    let work = tempfile::tempdir().unwrap();
    let file = work.path().join("billfold.db");
    let postgres = ThrowAwayPostgres::database().await.expect("a PostgreSQL server");
    for (url, name) in
        [(format!("sqlite://{}", file.display()), "sqlite.json"), (postgres.url.clone(), "postgres.json")]
    {
        let store = connect(&url, &StoreOptions::default()).await.unwrap();
        store.migrate().await.unwrap();
        let at = Timestamp::from_millis(1_780_000_000_000);
        let expected = Filled::open(store, root.clone(), at).fill().await;
        write(&folder.join(name), &expected);
    }
    compact(&file, &folder.join("billfold.db"));
    std::fs::write(folder.join("postgres.sql"), dump(&postgres.url)).unwrap();
}

fn write(path: &Path, expected: &Expected) {
    let mut text = serde_json::to_string_pretty(expected).unwrap();
    text.push('\n');
    std::fs::write(path, text).unwrap();
}

/// A copy without a write-ahead log, in pages as small as the tables.
fn compact(file: &Path, copy: &Path) {
    let mut conn = diesel::SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    conn.batch_execute("PRAGMA journal_mode = DELETE; PRAGMA page_size = 1024; VACUUM;").unwrap();
    std::fs::copy(file, copy).unwrap();
}

/// The database as SQL that any client can run.
fn dump(url: &str) -> String {
    let folders: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .collect();
    let program = find_program(&["pg_dump"], &folders).expect("pg_dump");
    let output = Command::new(program).args(["--inserts", "--no-owner", "--no-acl", url]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    // What begins with a backslash is for psql alone. The search path goes back to what a connection begins with.
    let lines =
        text.lines().filter(|line| !line.starts_with('\\') && !line.starts_with("--") && !line.is_empty());
    let kept: Vec<&str> = lines.filter(|line| !line.contains("'search_path'")).collect();
    kept.join("\n") + "\n"
}
