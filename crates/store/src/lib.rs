//! SQLite and PostgreSQL behind [`billfold_core::store::Store`].
//!
//! [`connect`] takes a URL, `sqlite://billfold.db` or `postgres://user@host/database`, and gives a
//! store; call its `migrate` once at start. Both databases run the same queries (`backend/reads.rs` and its neighbours,
//! compiled once for each) and are held to the same contract by `billfold-testkit`.

mod backend;
mod convert;
mod rows;
mod schema;

use std::sync::Arc;
use std::time::Duration;

use billfold_core::store::Store;

pub use backend::postgres::PostgresStore;
pub use backend::sqlite::SqliteStore;

/// How a store uses its database.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections to PostgreSQL, or readers of a SQLite file.
    pub pool_size: usize,
    /// How long a request waits for a free connection before it fails, to be tried again later.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL works on one statement.
    pub statement_timeout: Duration,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            pool_size: 8,
            acquire_timeout: Duration::from_secs(2),
            statement_timeout: Duration::from_secs(10),
        }
    }
}

/// Why a database could not be opened. Never holds the URL's password.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL names no database that is supported.
    #[error("expected a URL such as sqlite://billfold.db or postgres://user@host/database")]
    Scheme,
    /// The URL cannot be read.
    #[error("the database URL is malformed: {0}")]
    Url(String),
    /// PostgreSQL on another machine without TLS.
    #[error(
        "sslmode={0} would send everything to another machine unprotected; use sslmode=require, or sslmode=disable if you mean it"
    )]
    Unprotected(&'static str),
    /// The database does not answer, or not as expected.
    #[error("the database cannot be opened: {0}")]
    Open(String),
}

/// Opens the database that a URL names; the scheme decides which kind.
pub async fn connect(url: &str, options: &StoreOptions) -> Result<Arc<dyn Store>, ConnectError> {
    match url.split_once("://") {
        Some(("sqlite", path)) => Ok(Arc::new(SqliteStore::open(path, options).await?)),
        Some(("postgres" | "postgresql", _)) => Ok(Arc::new(PostgresStore::open(url, options).await?)),
        _ => Err(ConnectError::Scheme),
    }
}
