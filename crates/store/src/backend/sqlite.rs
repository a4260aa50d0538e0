//! SQLite: one writer that commits concurrent requests in groups, several readers, WAL, and a flush
//! for every commit.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use billfold_core::clock::Timestamp;
use billfold_core::store::{Changes, Commit, StoreError, StoreResult, VaultPut};
use billfold_core::vault::VaultRecord;
use diesel::Connection as _;
use diesel::connection::SimpleConnection as _;
use diesel::sqlite::SqliteConnection;
use diesel_async::pooled_connection::deadpool::{Object, Pool};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures::FutureExt as _;
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc, oneshot};

use super::{Abort, outcome, put_outcome};
use crate::{ConnectError, StoreOptions};

/// One writer at a time: `BEGIN IMMEDIATE` is the lock.
macro_rules! lock {
    ($query:expr) => {
        $query
    };
}

macro_rules! begin {
    ($conn:expr, $act:expr) => {
        $conn.immediate_transaction($act).await
    };
}

#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "claims.rs"]
mod claims;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "reads.rs"]
mod reads;
#[expect(clippy::duplicate_mod, reason = "the same store, compiled for this database")]
#[path = "store.rs"]
mod store;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "vault_reads.rs"]
mod vault_reads;
#[expect(clippy::duplicate_mod, reason = "the same statements, compiled for this database's connection")]
#[path = "writes.rs"]
mod writes;

type Conn = SyncConnectionWrapper<SqliteConnection>;
type Database = SqliteStore;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
/// The most requests that share one commit.
const GROUP: usize = 64;
/// `secure_delete` overwrites what is deleted: destroyed tokens do not linger in free pages.
const PRAGMAS: &str = "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                       PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

/// A SQLite file.
pub struct SqliteStore {
    path: PathBuf,
    readers: Pool<Conn>,
    writer: Arc<Mutex<Conn>>,
    queue: mpsc::Sender<Job>,
}

/// What the writer is asked, and where the answer goes.
enum Job {
    Commit(Box<Changes>, oneshot::Sender<StoreResult<Commit>>),
    Put(Box<VaultRecord>, Timestamp, oneshot::Sender<StoreResult<VaultPut>>),
}

impl Job {
    fn erases(&self) -> bool {
        matches!(self, Self::Commit(changes, _) if !changes.shreds.is_empty())
    }
}

/// An answer that waits for the group's commit.
enum Answer {
    Commit(StoreResult<Commit>, oneshot::Sender<StoreResult<Commit>>),
    Put(StoreResult<VaultPut>, oneshot::Sender<StoreResult<VaultPut>>),
}

impl SqliteStore {
    /// Opens the file, made if there is none; its folder must exist.
    #[expect(clippy::disallowed_methods, reason = "the writer ends with the store: its queue closes")]
    pub async fn open(path: &str, options: &StoreOptions) -> Result<Self, ConnectError> {
        let path = PathBuf::from(path);
        prepare_file(&path)?;
        let text =
            path.to_str().ok_or_else(|| ConnectError::Url("the path is not UTF-8".to_owned()))?.to_owned();
        let writer = Arc::new(Mutex::new(
            establish(text.clone()).await.map_err(|error| ConnectError::Open(error.to_string()))?,
        ));

        let mut manager = ManagerConfig::<Conn>::default();
        manager.custom_setup = Box::new(|path| establish(path.to_owned()).boxed());
        manager.recycling_method = RecyclingMethod::Fast;
        let manager = AsyncDieselConnectionManager::new_with_config(text, manager);
        let readers = Pool::builder(manager)
            .max_size(options.pool_size.clamp(1, 16))
            .wait_timeout(Some(options.acquire_timeout))
            .runtime(deadpool::Runtime::Tokio1)
            .build()
            .map_err(|error| ConnectError::Open(error.to_string()))?;

        let (queue, jobs) = mpsc::channel(4 * GROUP);
        tokio::spawn(write_in_groups(writer.clone(), jobs));
        Ok(Self { path, readers, writer, queue })
    }

    async fn reader(&self) -> StoreResult<Object<Conn>> {
        self.readers.get().await.map_err(|error| StoreError { message: error.to_string(), transient: true })
    }

    async fn write(&self, changes: Changes) -> StoreResult<Commit> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Commit(Box::new(changes), reply)).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn put(&self, record: &VaultRecord, now: Timestamp) -> StoreResult<VaultPut> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Put(Box::new(record.clone()), now, reply);
        self.queue.send(job).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    async fn claimer(&self) -> StoreResult<OwnedMutexGuard<Conn>> {
        Ok(self.writer.clone().lock_owned().await)
    }

    async fn run_migrations(&self) -> StoreResult<()> {
        let path = self.path.clone();
        let run = move || -> Result<(), String> {
            let path = path.to_str().unwrap_or_default();
            let mut conn = SqliteConnection::establish(path).map_err(|error| error.to_string())?;
            conn.batch_execute(PRAGMAS).map_err(|error| error.to_string())?;
            super::run_migrations(&mut conn, MIGRATIONS)
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

async fn establish(path: String) -> diesel::ConnectionResult<Conn> {
    let open = move || {
        let mut conn = SqliteConnection::establish(&path)?;
        conn.batch_execute(PRAGMAS).map_err(diesel::ConnectionError::CouldntSetupConfiguration)?;
        Ok(conn)
    };
    let opened = tokio::task::spawn_blocking(open).await;
    let opened = opened.map_err(|error| diesel::ConnectionError::BadConnection(error.to_string()))?;
    opened.map(Conn::new)
}

/// Takes whatever waits, up to [`GROUP`] requests, and commits it as one transaction. Each request
/// has a savepoint, so that a stale one does not take the others with it; all are answered after
/// the commit.
async fn write_in_groups(writer: Arc<Mutex<Conn>>, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(GROUP);
    let mut erased = false;
    while jobs.recv_many(&mut group, GROUP).await > 0 {
        erased |= group.iter().any(Job::erases);
        let mut answers = Vec::with_capacity(group.len());
        let mut conn = writer.lock().await;
        let committed = conn
            .immediate_transaction(async |conn| {
                for job in group.drain(..) {
                    answers.push(write_one(conn, job).await);
                }
                Ok::<(), Abort>(())
            })
            .await;
        if erased {
            erased = !truncate_log(&mut conn).await;
        }
        drop(conn);
        let failed = committed.err().map(super::abandoned);
        for job in group.drain(..) {
            // The transaction did not even begin.
            answers.push(unanswered(job));
        }
        for answer in answers {
            reply(answer, failed.as_ref());
        }
    }
}

/// What was erased must not linger in the write-ahead log. Says whether it is gone; somebody who is still
/// reading an older state may keep it, and then the next write tries again.
async fn truncate_log(conn: &mut Conn) -> bool {
    let checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)");
    let done: diesel::QueryResult<Checkpoint> = checkpoint.get_result(conn).await;
    let gone = done.is_ok_and(|done| done.busy == 0);
    if !gone {
        tracing::warn!("the write-ahead log could not be truncated after an erasure; it will be");
    }
    gone
}

#[derive(diesel::QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

async fn write_one(conn: &mut Conn, job: Job) -> Answer {
    match job {
        Job::Commit(changes, reply) => {
            let result = conn.transaction(async |conn| writes::apply(conn, &changes).await).await;
            Answer::Commit(outcome(result), reply)
        }
        // One statement: SQLite takes back what a failed one did.
        Job::Put(record, now, reply) => {
            Answer::Put(put_outcome(writes::put_value(conn, &record, now).await), reply)
        }
    }
}

fn unanswered(job: Job) -> Answer {
    match job {
        Job::Commit(_, reply) => Answer::Commit(Err(stopped()), reply),
        Job::Put(_, _, reply) => Answer::Put(Err(stopped()), reply),
    }
}

/// Whoever asked may have gone away; the change is stored all the same.
fn reply(answer: Answer, failed: Option<&StoreError>) {
    let failed = failed.map(|StoreError { message, transient }| StoreError {
        message: message.clone(),
        transient: *transient,
    });
    match answer {
        Answer::Commit(result, reply) => drop(reply.send(failed.map_or(result, Err))),
        Answer::Put(result, reply) => drop(reply.send(failed.map_or(result, Err))),
    }
}

fn stopped() -> StoreError {
    StoreError { message: "the writer has stopped".to_owned(), transient: false }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}
