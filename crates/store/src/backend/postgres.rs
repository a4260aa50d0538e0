//! PostgreSQL, without libpq: any number of servers share one database.

use std::fmt;
use std::str::FromStr as _;
use std::sync::Arc;

use billfold_core::clock::Timestamp;
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::store::{Changes, Commit, StoreError, StoreResult, VaultPut};
use billfold_core::vault::VaultRecord;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::{AsyncConnection as _, AsyncMigrationHarness, AsyncPgConnection, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use tokio_postgres::config::{Host, SslMode};

use super::{Abort, outcome};
use crate::{ConnectError, StoreOptions};

/// Several workers claim at once; each skips what another has just taken.
macro_rules! lock {
    ($query:expr) => {
        $query.for_update().skip_locked()
    };
}

/// Nobody deletes the row until the transaction ends.
macro_rules! share {
    ($query:expr) => {
        $query.for_key_share()
    };
}

/// Nobody else has the row, in any way, until the transaction ends.
macro_rules! hold {
    ($query:expr) => {
        $query.for_update()
    };
}

#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "charges.rs"]
mod charges;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "claims.rs"]
mod claims;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "idempotency.rs"]
mod idempotency;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "outgoing.rs"]
mod outgoing;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "reads.rs"]
mod reads;
#[expect(clippy::duplicate_mod, reason = "the same store, compiled for this database")]
#[path = "store.rs"]
mod store;
mod vault;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "vault_reads.rs"]
mod vault_reads;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "writes.rs"]
mod writes;

type Conn = AsyncPgConnection;
type Database = PostgresStore;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");
/// Any constant will do, as long as nothing else in the database locks it.
const EVENTS_LOCK: i64 = 0x6269_6c6c_666f_6c64;
const MIGRATIONS_LOCK: i64 = 0x6269_6c6c_6d69_6772;
const AUDIT_LOCK: i32 = 0x6175_6474;

/// A PostgreSQL database.
pub struct PostgresStore {
    target: Target,
    pool: Pool<Conn>,
    lookups: vault::Lookups,
    puts: vault::Puts,
    new_keys: vault::NewKeys,
}

/// Where and how to connect.
#[derive(Clone)]
struct Target {
    config: tokio_postgres::Config,
    tls: Option<tokio_postgres_rustls::MakeRustlsConnect>,
}

impl PostgresStore {
    /// Prepares a pool for the database that the URL names; the first connection is made at once,
    /// so that a wrong URL is known at start.
    ///
    /// Off this machine the connection is encrypted and the server's certificate verified against
    /// the system's roots, unless the URL says `sslmode=disable`.
    pub async fn open(url: &str, options: &StoreOptions) -> Result<Self, ConnectError> {
        let target = Target::parse(url, options)?;
        let dial = target.clone();
        let mut manager = ManagerConfig::<Conn>::default();
        manager.custom_setup = Box::new(move |_| {
            let dial = dial.clone();
            async move { dial.connect().await }.boxed()
        });
        manager.recycling_method = RecyclingMethod::Fast;
        // The manager's own URL is not used: it could carry the password into a Debug output.
        let manager = AsyncDieselConnectionManager::new_with_config("", manager);
        let pool = Pool::builder(manager)
            .max_size(options.pool_size.max(1))
            .wait_timeout(Some(options.acquire_timeout))
            .create_timeout(Some(options.acquire_timeout * 2))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| ConnectError::Open(error.to_string()))?;
        let (lookups, puts, new_keys) = (vault::lookups(&pool), vault::puts(&pool), vault::new_keys(&pool));
        let store = Self { target, pool, lookups, puts, new_keys };
        let _proof = store.reader().await.map_err(|error| ConnectError::Open(error.message))?;
        Ok(store)
    }

    async fn reader(&self) -> StoreResult<Object<Conn>> {
        checked_out(&self.pool).await
    }

    async fn scanner(&self) -> StoreResult<Object<Conn>> {
        self.reader().await
    }

    async fn claim<T: Send + 'static>(
        &self,
        act: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Abort>> + Send + 'static,
    ) -> StoreResult<T> {
        let mut conn = self.reader().await?;
        conn.transaction(async |conn| act(conn).await).await.map_err(super::abandoned)
    }

    async fn write(&self, changes: Changes) -> StoreResult<Commit> {
        if let Some(key) = vault::only_a_new_key(&changes) {
            return self.new_keys.ask(key.clone()).await;
        }
        let mut conn = self.reader().await?;
        outcome(conn.transaction(async |conn| writes::apply(conn, &changes).await).await)
    }

    /// One statement, so no transaction is needed around it.
    async fn put(&self, record: &VaultRecord, now: Timestamp) -> StoreResult<VaultPut> {
        self.puts.ask((record.clone(), now)).await
    }

    async fn vault_record_of(
        &self,
        tenant: &TenantId,
        id: VaultRecordId,
    ) -> StoreResult<Option<VaultRecord>> {
        self.lookups.ask((tenant.clone(), id)).await
    }

    async fn run_migrations(&self) -> StoreResult<()> {
        let conn = self.target.connect().await;
        let mut conn = conn.map_err(|error| StoreError { message: error.to_string(), transient: true })?;
        // Another server may be starting at the same moment; the lock ends with the connection.
        let lock = diesel::sql_query("SELECT pg_advisory_lock($1)");
        let lock = lock.bind::<diesel::sql_types::BigInt, _>(MIGRATIONS_LOCK);
        lock.execute(&mut conn).await.map_err(|error| super::store_error(&error))?;
        let runtime = tokio::runtime::Handle::current();
        let run = move || {
            // Its own thread, for the harness blocks on the connection.
            let _inside = runtime.enter();
            let mut harness = AsyncMigrationHarness::new(conn);
            super::run_migrations(&mut harness, MIGRATIONS)
        };
        let done =
            tokio::task::spawn_blocking(run).await.map_err(|error| error.to_string()).and_then(|done| done);
        done.map_err(|message| StoreError { message, transient: false })
    }

    async fn check_schema(&self) -> StoreResult<()> {
        super::newest_is_applied(reads::newest_migration(&mut *self.reader().await?).await?, MIGRATIONS)
    }

    /// The database's own `VACUUM` goes over dead rows, and only whoever owns it decides when.
    #[expect(clippy::unused_async, reason = "the other database has something to do here")]
    async fn overwrite_unused(&self) -> StoreResult<bool> {
        Ok(false)
    }
}

async fn checked_out(pool: &Pool<Conn>) -> StoreResult<Object<Conn>> {
    pool.get().await.map_err(|error| StoreError { message: error.to_string(), transient: true })
}

/// Sequence numbers are taken when a row is inserted but seen when it is committed. One transaction
/// at a time inserts events, so a reader that saw a number has seen every smaller one.
async fn before_events(conn: &mut Conn) -> Result<(), Abort> {
    let lock = diesel::sql_query("SELECT pg_advisory_xact_lock($1)");
    lock.bind::<diesel::sql_types::BigInt, _>(EVENTS_LOCK).execute(conn).await?;
    Ok(())
}

/// One transaction at a time appends to a tenant's audit trail.
async fn before_audit(conn: &mut Conn, tenant: &str) -> Result<(), Abort> {
    let lock = diesel::sql_query("SELECT pg_advisory_xact_lock($1, hashtext($2))");
    let lock = lock.bind::<diesel::sql_types::Integer, _>(AUDIT_LOCK);
    lock.bind::<diesel::sql_types::Text, _>(tenant).execute(conn).await?;
    Ok(())
}

impl Target {
    fn parse(url: &str, options: &StoreOptions) -> Result<Self, ConnectError> {
        // The parser's own message may quote the URL, so only its kind is kept.
        let mut config = tokio_postgres::Config::from_str(url).map_err(|_| {
            ConnectError::Url("it is not a PostgreSQL URL, or has an unknown option".to_owned())
        })?;
        config.connect_timeout(options.acquire_timeout);
        let timeout = format!("-c statement_timeout={}", options.statement_timeout.as_millis());
        let given = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
        config.options(format!("{given}{timeout}"));
        let local = config.get_hosts().iter().all(is_local);
        let asked = url.contains("sslmode=");
        match config.get_ssl_mode() {
            SslMode::Disable => return Ok(Self { config, tls: None }),
            SslMode::Prefer if local => return Ok(Self { config, tls: None }),
            SslMode::Prefer if asked => return Err(ConnectError::Unprotected("prefer")),
            _ => {}
        }
        config.ssl_mode(SslMode::Require);
        Ok(Self { config, tls: Some(tls()?) })
    }

    async fn connect(&self) -> diesel::ConnectionResult<Conn> {
        let bad =
            |error: tokio_postgres::Error| diesel::ConnectionError::BadConnection(connection_problem(&error));
        let conn = if let Some(tls) = &self.tls {
            let (client, connection) = self.config.connect(tls.clone()).await.map_err(bad)?;
            Conn::try_from_client_and_connection(client, connection).await?
        } else {
            let (client, connection) = self.config.connect(tokio_postgres::NoTls).await.map_err(bad)?;
            Conn::try_from_client_and_connection(client, connection).await?
        };
        durable(conn).await
    }
}

/// What is acknowledged has to outlive a power cut, whatever the role or the database is set to.
async fn durable(mut conn: Conn) -> diesel::ConnectionResult<Conn> {
    let set = "SELECT set_config('synchronous_commit', 'on', false) \
               WHERE current_setting('synchronous_commit') = 'off'";
    let set = diesel::sql_query(set).execute(&mut conn).await;
    set.map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?;
    Ok(conn)
}

fn connection_problem(error: &tokio_postgres::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => billfold_core::transport::is_loopback(name),
        Host::Unix(_) => true,
    }
}

fn tls() -> Result<tokio_postgres_rustls::MakeRustlsConnect, ConnectError> {
    let failed = |error: rustls::Error| ConnectError::Open(format!("TLS could not start: {error}"));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(rustls_platform_verifier::BuilderVerifierExt::with_platform_verifier)
        .map_err(failed)?
        .with_no_client_auth();
    Ok(tokio_postgres_rustls::MakeRustlsConnect::new(config))
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore")
            .field("hosts", &self.target.config.get_hosts())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use billfold_testkit::postgres::ThrowAwayPostgres;

    use super::*;

    #[derive(diesel::QueryableByName)]
    struct Setting {
        #[diesel(sql_type = diesel::sql_types::Text)]
        synchronous_commit: String,
    }

    #[tokio::test]
    async fn commits_are_on_the_disk_whatever_the_database_is_set_to() {
        let Some(database) = ThrowAwayPostgres::database().await else { return };
        let target = Target::parse(&database.url, &StoreOptions::default()).unwrap();
        let name = target.config.get_dbname().unwrap();
        for (set, expected) in [("off", "on"), ("on", "on"), ("local", "local")] {
            let mut conn = target.connect().await.unwrap();
            let alter = format!("ALTER DATABASE \"{name}\" SET synchronous_commit = {set}");
            diesel::sql_query(alter).execute(&mut conn).await.unwrap();
            let mut conn = target.connect().await.unwrap();
            let shown: Setting =
                diesel::sql_query("SHOW synchronous_commit").get_result(&mut conn).await.unwrap();
            assert_eq!(shown.synchronous_commit, expected, "{set}");
        }
    }
}
