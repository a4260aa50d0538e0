//! SQLite: one writer that commits concurrent requests in groups, several readers, WAL, and a flush
//! for every commit.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backon::{BlockingRetryable as _, ConstantBuilder};
use billfold_core::clock::Timestamp;
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::store::{Changes, Commit, StoreError, StoreResult, VaultPut};
use billfold_core::vault::VaultRecord;
use diesel::Connection as _;
use diesel::connection::AnsiTransactionManager;
use diesel::connection::SimpleConnection as _;
use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection, TransactionManager as _};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures::FutureExt as _;
use futures::executor::block_on;
use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::lane::Lane;
use super::{Abort, outcome, put_outcome, store_error};
use crate::{ConnectError, StoreOptions};

/// One writer at a time: nobody else could take a row meanwhile.
macro_rules! lock {
    ($query:expr) => {
        $query
    };
}

macro_rules! share {
    ($query:expr) => {
        $query
    };
}

macro_rules! hold {
    ($query:expr) => {
        $query
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
#[path = "scrub.rs"]
mod scrub;
#[expect(clippy::duplicate_mod, reason = "the same store, compiled for this database")]
#[path = "store.rs"]
mod store;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "vault_reads.rs"]
mod vault_reads;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "writes.rs"]
mod writes;

type Conn = SyncConnectionWrapper<SqliteConnection, Lane>;
type Transactions = <Conn as AsyncConnection>::TransactionManager;
type Database = SqliteStore;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// The most requests that share one commit.
const GROUP: usize = 64;
/// How many may read much at the same time.
const SCANNERS: usize = 2;
/// While somebody reads an older state for long, as a backup does, the log is not tried to be truncated more often.
const TRY_AGAIN: Duration = Duration::from_secs(2);
/// How long a statement waits for another process.
const BUSY: Duration = Duration::from_secs(5);
/// `secure_delete` overwrites what is deleted: destroyed tokens do not linger in free pages.
const PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

/// A SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    readers: Pool<Conn>,
    scanners: Pool<Conn>,
    writer: mpsc::Sender<Job>,
}

/// What the writer is asked to do inside the group's transaction, or why there is none.
type Act = Box<dyn for<'c> FnOnce(Result<&'c mut Conn, StoreError>) -> BoxFuture<'c, Answer> + Send>;
/// Tells whoever asked what came of it, once the group is committed, or why it could not be.
type Answer = Box<dyn FnOnce(Option<StoreError>) + Send>;

enum Job {
    Write {
        act: Act,
        erases: bool,
    },
    /// Outside of every transaction.
    Scrub(oneshot::Sender<StoreResult<bool>>),
}

impl SqliteStore {
    /// Opens the file, made if there is none; its folder must exist.
    pub async fn open(path: &str, options: &StoreOptions) -> Result<Self, ConnectError> {
        let path = PathBuf::from(path);
        prepare_file(&path)?;
        let text =
            path.to_str().ok_or_else(|| ConnectError::Url("the path is not UTF-8".to_owned()))?.to_owned();
        let conn = establish(text.clone(), Lane::Here).await;
        let conn = conn.map_err(|error| ConnectError::Open(error.to_string()))?;
        let readers = pool(&text, Lane::Here, options.pool_size.clamp(1, 16), options)?;
        let scanners = pool(&text, Lane::Elsewhere, SCANNERS, options)?;
        let (writer, jobs) = mpsc::channel(4 * GROUP);
        std::thread::Builder::new()
            .name("billfold-writer".to_owned())
            .spawn(move || write_in_groups(conn, jobs))
            .map_err(|error| ConnectError::Open(format!("the writer's thread: {error}")))?;
        Ok(Self { path, readers, scanners, writer })
    }

    /// For look-ups.
    async fn reader(&self) -> StoreResult<Object<Conn>> {
        pooled(&self.readers).await
    }

    /// For what reads much.
    async fn scanner(&self) -> StoreResult<Object<Conn>> {
        pooled(&self.scanners).await
    }

    async fn write(&self, changes: Changes) -> StoreResult<Commit> {
        let erases = !changes.shreds.is_empty();
        let apply = self.queue(erases, move |conn| {
            savepoint(conn, move |conn| {
                async move {
                    if erases {
                        scrub::ask(&mut *conn).await?;
                    }
                    writes::apply(conn, &changes).await
                }
                .boxed()
            })
        });
        outcome(apply.await)
    }

    /// One statement, so no savepoint is needed around it.
    async fn put(&self, record: &VaultRecord, now: Timestamp) -> StoreResult<VaultPut> {
        let record = record.clone();
        let put =
            self.queue(false, move |conn| async move { writes::put_value(conn, &record, now).await }.boxed());
        put_outcome(put.await)
    }

    async fn vault_record_of(
        &self,
        tenant: &TenantId,
        id: VaultRecordId,
    ) -> StoreResult<Option<VaultRecord>> {
        vault_reads::record(&mut *self.reader().await?, tenant, id).await
    }

    async fn claim<T: Send + 'static>(
        &self,
        act: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Abort>> + Send + 'static,
    ) -> StoreResult<T> {
        self.queue(false, |conn| savepoint(conn, act)).await.map_err(super::abandoned)
    }

    /// Waits for the writer's turn, and for the commit.
    async fn queue<T: Send + 'static>(
        &self,
        erases: bool,
        act: impl for<'c> FnOnce(&'c mut Conn) -> BoxFuture<'c, Result<T, Abort>> + Send + 'static,
    ) -> Result<T, Abort> {
        let (reply, answer) = oneshot::channel();
        let act: Act = Box::new(|conn| {
            async move {
                let result = match conn {
                    Ok(conn) => act(conn).await,
                    Err(error) => Err(Abort::Store(error)),
                };
                // Whoever asked may have gone away; the change is stored all the same.
                let answer: Answer = Box::new(|failed| {
                    drop(reply.send(failed.map_or(result, |error| Err(Abort::Store(error)))));
                });
                answer
            }
            .boxed()
        });
        self.writer.send(Job::Write { act, erases }).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// On the writer, so that writes of this process wait for their turn instead of running out of time.
    async fn overwrite_unused(&self) -> StoreResult<bool> {
        let (reply, answer) = oneshot::channel();
        self.writer.send(Job::Scrub(reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn run_migrations(&self) -> StoreResult<()> {
        let path = self.path.clone();
        let run = move || -> Result<(), String> {
            let path = path.to_str().unwrap_or_default();
            let mut conn = open(path).map_err(|error| error.to_string())?;
            // Another process may be starting at the same moment.
            let applied = conn.immediate_transaction(|conn| {
                Ok::<_, diesel::result::Error>(super::run_migrations(conn, MIGRATIONS))
            });
            applied.map_err(|error| error.to_string())?
        };
        let done =
            tokio::task::spawn_blocking(run).await.map_err(|error| error.to_string()).and_then(|done| done);
        done.map_err(|message| StoreError { message, transient: false })
    }

    async fn check_schema(&self) -> StoreResult<()> {
        super::newest_is_applied(reads::newest_migration(&mut *self.reader().await?).await?, MIGRATIONS)
    }
}

/// SQLite needs nothing before events: its one writer numbers them in the order of commits.
#[expect(clippy::unused_async, reason = "the other database has something to do here")]
async fn before_events(_: &mut Conn) -> Result<(), Abort> {
    Ok(())
}

/// Nor before audit entries, for the same reason.
#[expect(clippy::unused_async, reason = "the other database has something to do here")]
async fn before_audit(_: &mut Conn, _: &str) -> Result<(), Abort> {
    Ok(())
}

fn prepare_file(path: &Path) -> Result<(), ConnectError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !folder.is_dir() {
        return Err(ConnectError::Open(format!("the folder {} does not exist", folder.display())));
    }
    // Readable by nobody else: it holds personal data, even if sealed.
    let opened = std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    opened.map(|_| ()).map_err(|error| ConnectError::Open(format!("{}: {error}", path.display())))
}

fn pool(path: &str, lane: Lane, size: usize, options: &StoreOptions) -> Result<Pool<Conn>, ConnectError> {
    let mut manager = ManagerConfig::<Conn>::default();
    manager.custom_setup = Box::new(move |path| establish(path.to_owned(), lane).boxed());
    manager.recycling_method = RecyclingMethod::Fast;
    Pool::builder(AsyncDieselConnectionManager::new_with_config(path, manager))
        .max_size(size)
        .wait_timeout(Some(options.acquire_timeout))
        .runtime(deadpool::Runtime::Tokio1)
        .build()
        .map_err(|error| ConnectError::Open(error.to_string()))
}

async fn pooled(pool: &Pool<Conn>) -> StoreResult<Object<Conn>> {
    pool.get().await.map_err(|error| StoreError { message: error.to_string(), transient: true })
}

fn open(path: &str) -> diesel::ConnectionResult<SqliteConnection> {
    let mut conn = SqliteConnection::establish(path)?;
    set_up(&mut conn).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// The write-ahead log is switched on by whoever opens a file first that is new, or was restored from a copy. SQLite
/// does not wait for others when the mode is set, whatever its time-out is, so the waiting is done here.
fn set_up(conn: &mut SqliteConnection) -> diesel::QueryResult<()> {
    const PAUSE: Duration = Duration::from_millis(10);
    let pauses = ConstantBuilder::new().with_delay(PAUSE).without_max_times().with_jitter();
    let began = Instant::now();
    let log = || conn.batch_execute("PRAGMA journal_mode = WAL");
    log.retry(pauses).when(|error| store_error(error).transient && began.elapsed() < BUSY).call()?;
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}; {PRAGMAS}", BUSY.as_millis()))
}

async fn establish(path: String, lane: Lane) -> diesel::ConnectionResult<Conn> {
    let opened = tokio::task::spawn_blocking(move || open(&path)).await;
    let opened = opened.map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?;
    opened.map(|conn| Conn::with_runtime(conn, lane))
}

/// The writer's thread: takes whatever waits, up to [`GROUP`] requests, and commits it as one transaction. All
/// are answered after the commit.
fn write_in_groups(mut conn: Conn, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    // Whoever wrote before may have died between an erasure and its end: then the log holds what was erased.
    let (mut erased, mut tried) = (true, None::<Instant>);
    while jobs.blocking_recv_many(&mut group, GROUP) > 0 {
        let (mut acts, mut scrubs) = (Vec::with_capacity(GROUP), Vec::new());
        for job in group.drain(..) {
            match job {
                Job::Write { act, erases } => {
                    if erases {
                        (erased, tried) = (true, None);
                    }
                    acts.push(act);
                }
                Job::Scrub(reply) => scrubs.push(reply),
            }
        }
        if !acts.is_empty() {
            let (answers, failed) = block_on(write_group(&mut conn, acts));
            if erased && tried.is_none_or(|tried| tried.elapsed() > TRY_AGAIN) {
                erased = !block_on(scrub::truncate_log(&mut conn, scrub::WRITERS_WAIT));
                tried = erased.then(Instant::now);
                if erased {
                    tracing::warn!("the write-ahead log could not be truncated after an erasure; it will be");
                }
            }
            for answer in answers {
                answer(failed.clone());
            }
        }
        for reply in scrubs {
            let _ = reply.send(block_on(scrub::scrub(&mut conn)));
        }
    }
}

async fn write_group(conn: &mut Conn, group: Vec<Act>) -> (Vec<Answer>, Option<StoreError>) {
    let begun =
        conn.spawn_blocking(|conn| AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE"));
    let begun = begun.await.map_err(|error| store_error(&error));
    let mut answers = Vec::with_capacity(GROUP);
    for act in group {
        let turn = begun.as_ref().map(|()| &mut *conn).map_err(Clone::clone);
        answers.push(act(turn).await);
    }
    if begun.is_err() {
        return (answers, None);
    }
    let committed = Transactions::commit_transaction(conn).await;
    let failed = committed.err().map(|error| store_error(&error));
    if failed.is_some() {
        // Whether or not the database took it back by itself: the next group begins anew.
        let _ = Transactions::rollback_transaction(conn).await;
    }
    (answers, failed)
}

/// Takes back what a request did if it cannot do all of it, and leaves the others of its group alone.
fn savepoint<'c, T: Send + 'static>(
    conn: &'c mut Conn,
    act: impl for<'a> FnOnce(&'a mut Conn) -> BoxFuture<'a, Result<T, Abort>> + Send + 'c,
) -> BoxFuture<'c, Result<T, Abort>> {
    conn.transaction(async |conn| act(conn).await).boxed()
}

fn stopped() -> StoreError {
    StoreError { message: "the writer has stopped".to_owned(), transient: false }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}
