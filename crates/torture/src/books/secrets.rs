//! What is sealed opens, the audit trail is whole, and no secret lies about.

use std::path::Path;

use crate::canary::{Canaries, Search};
use crate::installation::{CALLBACK_TOKEN, Installation, SECRET_KEY};
use crate::rows::{rows, tables};

use super::{Check, Problem};

/// Tokens that are looked for in clear: all of them would make the search slow.
const TOKENS: usize = 200;

/// I9, I10 and I11.
pub(super) async fn problems(here: &Installation) -> anyhow::Result<Vec<Problem>> {
    let mut problems = sealed(here);
    problems.extend(in_clear(here).await?);
    Ok(problems)
}

/// Everything sealed opens in its place (I9), and the audit trail is whole (I10).
fn sealed(here: &Installation) -> Vec<Problem> {
    std::thread::scope(|scope| {
        let vault = scope.spawn(|| here.cli(&["vault", "verify"]));
        let trail = here.cli(&["audit", "verify"]);
        let vault = vault.join().unwrap_or_else(|_| Err(anyhow::anyhow!("`vault verify` could not be run")));
        let failed = [(Check::Sealed, vault.err()), (Check::Audited, trail.err())];
        let failed = failed.into_iter().filter_map(|(check, error)| Some((check, error?)));
        failed.map(|(check, error)| Problem::new(check, format!("{error:#}"))).collect()
    })
}

/// Looks for everything that is secret in an installation.
pub(crate) fn secrets(here: &Installation) -> anyhow::Result<Search> {
    let mut canaries = Canaries::default();
    canaries.add("the gateway's key", SECRET_KEY);
    canaries.add("the webhook secret", CALLBACK_TOKEN);
    canaries.add("the API key", &here.api_key);
    canaries.add("a customer's address", "CANARY@example.com");
    canaries.add("an account number", "1234567890");
    for token in here.control().tokens().iter().take(TOKENS) {
        canaries.add("a token", token["payment_token_id"].as_str().unwrap_or_default());
    }
    canaries.search()
}

/// No secret in any row, file or log (I11).
async fn in_clear(here: &Installation) -> anyhow::Result<Vec<Problem>> {
    let mut problems = Vec::new();
    let search = secrets(here)?;
    for table in tables(&here.database).await? {
        for row in rows(&here.database, &table).await? {
            if let Some(what) = search.find(row.to_string().as_bytes()) {
                problems.push(Problem::new(Check::SecretInRow, format!("{what} is in a row of {table}")));
            }
        }
    }
    let database = here.database.strip_prefix("sqlite://").and_then(|path| Path::new(path).parent());
    let own = here.folder.path();
    for folder in [Some(own), database.filter(|folder| *folder != own)].into_iter().flatten() {
        for entry in std::fs::read_dir(folder)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            // The configuration is where the secrets come from.
            if entry.path().extension().is_some_and(|kind| kind == "toml") || !entry.file_type()?.is_file() {
                continue;
            }
            let bytes = std::fs::read(entry.path())?;
            if let Some(what) = search.find(&bytes) {
                problems.push(Problem::new(Check::SecretInFile, format!("{what} is in the file {name}")));
            }
        }
    }
    Ok(problems)
}
