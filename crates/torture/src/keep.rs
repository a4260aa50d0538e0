//! A copy of an installation's database, to be put in its place again. No server may be running meanwhile.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::connection::SimpleConnection as _;
use diesel::{Connection as _, SqliteConnection};

use crate::installation::Installation;
use crate::postgres::Cluster;
use crate::trial::Backend;

/// What was kept.
#[derive(Debug)]
pub(crate) enum Kept {
    /// A file, and where it came from.
    File { copy: PathBuf, database: PathBuf, _folder: tempfile::TempDir },
    /// A database beside the other.
    Database { copy: String, database: String, cluster: Arc<Cluster> },
}

impl Kept {
    /// Copies the database as it is now.
    pub(crate) fn of(here: &Installation, backend: &Backend) -> anyhow::Result<Self> {
        match backend {
            Backend::Sqlite => {
                let database = here.database.trim_start_matches("sqlite://");
                let folder = tempfile::Builder::new().prefix("billfold-torture-kept-").tempdir()?;
                let copy = folder.path().join("kept.db");
                let mut conn = SqliteConnection::establish(database)?;
                // As `docs/operations.md` says: otherwise copies of values lie in unused parts of pages, where deleting
                // them does not reach.
                conn.batch_execute(&format!(
                    "PRAGMA busy_timeout = 10000; PRAGMA secure_delete = ON; VACUUM INTO '{}'",
                    copy.display()
                ))?;
                Ok(Self::File { copy, database: PathBuf::from(database), _folder: folder })
            }
            Backend::Postgres(cluster) => {
                let database = here.database.rsplit('/').next().unwrap_or_default().to_owned();
                let copy = format!("{database}_kept");
                cluster.copy_database(&database, &copy)?;
                Ok(Self::Database { copy, database, cluster: cluster.clone() })
            }
        }
    }

    /// Puts the copy in the database's place.
    pub(crate) fn put_back(&self) -> anyhow::Result<()> {
        match self {
            Self::File { copy, database, .. } => {
                for ending in ["-wal", "-shm"] {
                    let _ = std::fs::remove_file(with_ending(database, ending));
                }
                std::fs::copy(copy, database)?;
                Ok(())
            }
            Self::Database { copy, database, cluster } => cluster.copy_database(copy, database),
        }
    }
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}
