//! The ledger outside of the database: a backup that is restored brings back whom it held, and the ledger
//! says who has to go again.

use std::fmt;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::name::TenantId;

/// One erased subject.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LedgerEntry {
    /// Whose.
    pub tenant: TenantId,
    /// The subject's keyed fingerprint, in hexadecimal.
    pub subject: String,
    /// When they were erased.
    pub erased_at: Timestamp,
}

/// Keeps entries where a restore of the database does not reach.
#[async_trait]
pub trait ErasureLedger: fmt::Debug + Send + Sync {
    /// Stores an entry durably. Called before the subject is erased: an entry too many does no harm.
    async fn append(&self, entry: &LedgerEntry) -> Result<()>;

    /// Every entry.
    async fn entries(&self) -> Result<Vec<LedgerEntry>>;
}

/// A file of JSON lines, flushed to the disk after every line.
#[derive(Debug, Clone)]
pub struct FileLedger {
    path: PathBuf,
}

impl FileLedger {
    /// The ledger in this file, made with the first entry.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    fn problem(&self, error: &std::io::Error) -> Error {
        let message = format!("the erasure ledger {} cannot be used", self.path.display());
        Error::new(ErrorKind::Configuration, message).with_context("problem", error.to_string())
    }
}

#[async_trait]
impl ErasureLedger for FileLedger {
    async fn append(&self, entry: &LedgerEntry) -> Result<()> {
        let mut line =
            serde_json::to_vec(entry).map_err(|_| Error::internal("a ledger entry is not JSON"))?;
        line.push(b'\n');
        let path = self.path.clone();
        let write = move || {
            use std::os::unix::fs::OpenOptionsExt as _;
            let mut options = std::fs::OpenOptions::new();
            let mut file = options.create(true).read(true).append(true).mode(0o600).open(path)?;
            end_last_line(&mut file)?;
            file.write_all(&line)?;
            file.sync_all()
        };
        let done =
            tokio::task::spawn_blocking(write).await.map_err(|error| Error::internal(error.to_string()))?;
        done.map_err(|error| self.problem(&error))
    }

    async fn entries(&self) -> Result<Vec<LedgerEntry>> {
        let path = self.path.clone();
        let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(path)).await;
        let text = match read.map_err(|error| Error::internal(error.to_string()))? {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(self.problem(&error)),
        };
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            // A crash may have torn the last line; whoever it names was not erased yet.
            match serde_json::from_str(line) {
                Ok(entry) => entries.push(entry),
                Err(_) if index + 1 == text.lines().count() && !text.ends_with('\n') => {}
                Err(_) => {
                    let message = format!(
                        "the erasure ledger {} has an unreadable line {}",
                        self.path.display(),
                        index + 1
                    );
                    return Err(Error::new(ErrorKind::Configuration, message));
                }
            }
        }
        Ok(entries)
    }
}

/// A crash may have torn the last line. What can be read of it gets its end; a fragment goes, for whoever it
/// names was not erased yet, and the next entry would be unreadable behind it.
fn end_last_line(file: &mut std::fs::File) -> std::io::Result<()> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let torn = text.get(whole..).unwrap_or_default();
    if torn.is_empty() {
        Ok(())
    } else if serde_json::from_slice::<LedgerEntry>(torn).is_ok() {
        file.write_all(b"\n")
    } else {
        file.set_len(u64::try_from(whole).unwrap_or(0))
    }
}
