//! What erased rows leave behind in a SQLite file, and how it is overwritten.
//!
//! `secure_delete` overwrites a row where it is. But whenever a page is divided, SQLite writes its rows anew at the end
//! of the page and does not clean the part that it does not use any more: a copy of a row may be there, where deleting
//! the row does not reach. Only `VACUUM` does, which writes the whole file anew.

use std::time::Duration;

use billfold_core::store::{StoreError, StoreResult};
use diesel_async::{AsyncConnection as _, RunQueryDsl as _};

use super::{Abort, BUSY, Conn};
use crate::backend::store_error;

/// How long the writer waits for readers after an erasure, while others wait for it.
pub(super) const WRITERS_WAIT: Duration = Duration::from_millis(200);
/// How long a scrub does.
const SCRUB_WAITS: Duration = Duration::from_secs(1);

/// `PRAGMA user_version` is 0 when no row was erased since the last `VACUUM`, and another number after every erasure:
/// whoever wrote the file anew sees whether one came meanwhile. It is part of the transaction that erases.
#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    user_version: i32,
}

#[derive(diesel::QueryableByName)]
struct Checkpoint {
    #[diesel(sql_type = diesel::sql_types::Integer)]
    busy: i32,
}

/// In the transaction that erases: the file has to be written anew.
pub(super) async fn ask(conn: &mut Conn) -> Result<(), Abort> {
    let next = version(conn).await?.checked_add(1).unwrap_or(1);
    set_version(conn, next).await?;
    Ok(())
}

/// Writes the file anew if somebody was erased since the last time. Says whether.
pub(super) async fn scrub(conn: &mut Conn) -> StoreResult<bool> {
    let failed = |error| store_error(&error);
    let asked = version(conn).await.map_err(failed)?;
    if asked == 0 {
        return Ok(false);
    }
    // Before as well: what is read for long would be there afterwards, too.
    end_log(conn).await?;
    diesel::sql_query("VACUUM").execute(conn).await.map_err(failed)?;
    end_log(conn).await?;
    let settled =
        conn.transaction(
            async |conn| {
                if version(conn).await? == asked { set_version(conn, 0).await } else { Ok(()) }
            },
        );
    settled.await.map_err(failed)?;
    Ok(true)
}

async fn end_log(conn: &mut Conn) -> StoreResult<()> {
    if truncate_log(conn, SCRUB_WAITS).await {
        return Ok(());
    }
    let message = "somebody reads an older state of the file, as a backup does".to_owned();
    Err(StoreError { message, transient: true })
}

async fn version(conn: &mut Conn) -> diesel::QueryResult<i32> {
    let read: Version = diesel::sql_query("PRAGMA user_version").get_result(conn).await?;
    Ok(read.user_version)
}

async fn set_version(conn: &mut Conn, version: i32) -> diesel::QueryResult<()> {
    diesel::sql_query(format!("PRAGMA user_version = {version}")).execute(conn).await?;
    Ok(())
}

/// What was erased must not linger in the write-ahead log. Says whether it is gone; somebody who is still
/// reading an older state may keep it, and then a later write tries again.
pub(super) async fn truncate_log(conn: &mut Conn, wait: Duration) -> bool {
    let gone = match set_time_out(conn, wait).await {
        Ok(()) => {
            let checkpoint = diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)");
            let done: diesel::QueryResult<Checkpoint> = checkpoint.get_result(conn).await;
            done.is_ok_and(|done| done.busy == 0)
        }
        Err(_) => false,
    };
    if let Err(error) = set_time_out(conn, BUSY).await {
        tracing::warn!(%error, "the writer waits for other processes for a shorter time than it should");
    }
    gone
}

async fn set_time_out(conn: &mut Conn, wait: Duration) -> diesel::QueryResult<()> {
    let set = diesel::sql_query(format!("PRAGMA busy_timeout = {}", wait.as_millis()));
    set.execute(conn).await.map(drop)
}
