//! The two databases. Each backend module says how a connection is made and how a transaction
//! begins; `reads.rs`, `writes.rs` and `claims.rs` are compiled once inside each of them, with that module's `Conn`.

/// Takes what is due: moves its time `$at` to the end of the lease, counts an attempt where attempts are
/// counted, and gives the rows in the order in which they were due.
macro_rules! take {
    ($conn:expr, $table:ident, $due:expr, $at:ident = $until:expr, $row:ty $(, $counted:ident)?) => {{
        let due: Vec<String> = lock!($due.select($table::id)).load($conn).await?;
        if due.is_empty() {
            return Ok(Vec::new());
        }
        let rows: Vec<$row> = diesel::update($table::table.filter($table::id.eq_any(&due)))
            .set((
                $table::$at.eq($until.as_millis()),
                $($table::$counted.eq($table::$counted + 1),)?
                $table::version.eq($table::version + 1),
            ))
            .returning(<$row>::as_returning())
            .get_results($conn)
            .await?;
        claimed(in_order(rows, &due, |row| &row.id))
    }};
}

mod gather;
mod kept;
mod lane;
pub(crate) mod postgres;
pub(crate) mod sqlite;

use billfold_core::store::{Changes, Commit, StoreError, StoreResult, VaultPut};
use diesel::migration::MigrationSource;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness};

/// Why a transaction is rolled back.
#[derive(Debug)]
pub(crate) enum Abort {
    /// A row moved on, a unique value exists, or a row that is referred to is gone.
    Stale,
    /// Anything else.
    Store(StoreError),
}

impl From<StoreError> for Abort {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<DieselError> for Abort {
    fn from(error: DieselError) -> Self {
        match error {
            DieselError::DatabaseError(
                DatabaseErrorKind::UniqueViolation
                | DatabaseErrorKind::ForeignKeyViolation
                | DatabaseErrorKind::SerializationFailure,
                _,
            ) => Self::Stale,
            // PostgreSQL ends one of two transactions that wait for each other; whoever reads again wins or sees
            // why not. The driver tells this error from others by its text alone.
            DieselError::DatabaseError(_, ref information)
                if information.message().contains("deadlock detected") =>
            {
                Self::Stale
            }
            other => Self::Store(store_error(&other)),
        }
    }
}

/// What the driver said, without the rows' values: PostgreSQL puts those into `detail`, which is
/// left out.
pub(crate) fn store_error(error: &DieselError) -> StoreError {
    let transient = matches!(
        error,
        DieselError::DatabaseError(
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand,
            _
        ) | DieselError::BrokenTransactionManager
    );
    let message = match error {
        DieselError::DatabaseError(kind, information) => format!("{kind:?}: {}", information.message()),
        other => other.to_string(),
    };
    let locked = message.contains("database is locked") || message.contains("statement timeout");
    StoreError { message, transient: transient || locked }
}

pub(crate) fn outcome(result: Result<(), Abort>) -> Result<Commit, StoreError> {
    match result {
        Ok(()) => Ok(Commit::Applied),
        Err(Abort::Stale) => Ok(Commit::Stale),
        Err(Abort::Store(error)) => Err(error),
    }
}

pub(crate) fn put_outcome(result: Result<VaultPut, Abort>) -> StoreResult<VaultPut> {
    match result {
        Ok(put) => Ok(put),
        Err(Abort::Stale) => Ok(VaultPut::Stale),
        Err(Abort::Store(error)) => Err(error),
    }
}

/// A claim that was rolled back; whoever asks again gets the rows.
pub(crate) fn abandoned(abort: Abort) -> StoreError {
    match abort {
        Abort::Stale => StoreError { message: "another transaction was quicker".to_owned(), transient: true },
        Abort::Store(error) => error,
    }
}

/// Text that PostgreSQL cannot hold is refused for both, so that they behave alike.
pub(crate) fn refuse_nul(changes: &Changes) -> Result<(), StoreError> {
    use billfold_core::store::Write;
    let customers =
        changes.customers.iter().map(|(Write::Insert(row) | Write::Update(row))| row.reference.as_str());
    let keys = changes.api_keys.iter().map(|(Write::Insert(row) | Write::Update(row))| row.name.as_str());
    let summaries =
        changes.deliveries.iter().map(|(Write::Insert(row) | Write::Update(row))| row.summary.as_str());
    let endpoints = changes.webhook_endpoints.iter();
    let descriptions =
        endpoints.filter_map(|(Write::Insert(row) | Write::Update(row))| row.description.as_deref());
    if customers.chain(keys).chain(summaries).chain(descriptions).any(|text| text.contains('\0')) {
        return Err(StoreError {
            message: "text must not contain the character NUL".to_owned(),
            transient: false,
        });
    }
    Ok(())
}

/// Applies what is missing. A schema that is newer than this program is refused, for it would be
/// misread.
pub(crate) fn run_migrations<C, D>(conn: &mut C, known: EmbeddedMigrations) -> Result<(), String>
where
    D: diesel::backend::Backend,
    C: MigrationHarness<D>,
    EmbeddedMigrations: MigrationSource<D>,
{
    let applied = conn.applied_migrations().map_err(|error| error.to_string())?;
    let newest = newest_known::<D>(&known)?;
    if let Some(newer) = applied.iter().map(ToString::to_string).find(|version| *version > newest) {
        return Err(format!(
            "the database has the newer schema {newer}; this program knows {newest}. Run the newer program"
        ));
    }
    conn.run_pending_migrations(known).map(|_| ()).map_err(|error| error.to_string())
}

fn newest_known<D: diesel::backend::Backend>(known: &EmbeddedMigrations) -> Result<String, String>
where
    EmbeddedMigrations: MigrationSource<D>,
{
    let migrations = MigrationSource::<D>::migrations(known).map_err(|error| error.to_string())?;
    Ok(migrations.iter().map(|migration| migration.name().version().to_string()).max().unwrap_or_default())
}

/// Whether the database is at the schema that this program knows.
pub(crate) fn newest_is_applied(applied: Option<String>, known: EmbeddedMigrations) -> StoreResult<()> {
    let newest = newest_known::<diesel::sqlite::Sqlite>(&known);
    let newest = newest.map_err(|message| StoreError { message, transient: false })?;
    if applied.as_deref() == Some(newest.as_str()) {
        return Ok(());
    }
    let applied = applied.unwrap_or_else(|| "none".to_owned());
    let message = format!("the schema is {applied}, this program needs {newest}; run `billfold migrate`");
    Err(StoreError { message, transient: false })
}
