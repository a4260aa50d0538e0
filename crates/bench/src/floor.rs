//! The floor: the same row into and out of the same database, with nothing of Billfold in between.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use tokio::time::Instant;

use crate::load::{CLIENTS, Rate, run};

const ROWS: u64 = 10_000;
const MEASURED: Duration = Duration::from_secs(5);
const COLUMNS: &str = "id TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, owner TEXT NOT NULL, kind TEXT NOT NULL, \
    object TEXT NOT NULL, key_id TEXT NOT NULL, suite BIGINT NOT NULL, fingerprint TEXT NOT NULL, sealed BYTES NOT NULL, \
    metadata TEXT NOT NULL, created_at BIGINT NOT NULL, updated_at BIGINT NOT NULL, version BIGINT NOT NULL, \
    UNIQUE (tenant, owner, kind, fingerprint)";

diesel::table! {
    raw_records (id) {
        id -> Text,
        tenant -> Text,
        owner -> Text,
        kind -> Text,
        object -> Text,
        key_id -> Text,
        suite -> BigInt,
        fingerprint -> Text,
        sealed -> Binary,
        metadata -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        version -> BigInt,
    }
}

/// What the floor does in a second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Floor {
    /// Inserts by one client, each with its own commit: what a durable commit takes.
    pub(crate) one: Rate,
    /// Inserts by all clients, each with its own commit.
    pub(crate) inserts: Rate,
    /// Selects by primary key by all clients.
    pub(crate) selects: Rate,
}

fn id(number: u64) -> String {
    format!("vlt_{number:032x}")
}

/// SQLite has one writer, so more clients do not insert faster; readers have a connection and a thread each.
pub(crate) async fn sqlite(folder: &Path) -> anyhow::Result<Floor> {
    let path = folder.join("floor.db");
    let open = {
        let path = path.to_str().context("the path is not UTF-8")?.to_owned();
        move || -> anyhow::Result<SqliteConnection> {
            let mut conn = SqliteConnection::establish(&path)?;
            conn.batch_execute(
                "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
                 PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;",
            )?;
            Ok(conn)
        }
    };
    open()?.batch_execute(&format!("CREATE TABLE raw_records ({})", COLUMNS.replace("BYTES", "BLOB")))?;
    let writer = open.clone();
    let inserts = tokio::task::spawn_blocking(move || -> anyhow::Result<Rate> {
        let mut conn = writer()?;
        let began = Instant::now();
        let mut number = 0;
        while began.elapsed() < MEASURED || number < ROWS {
            insert(&mut conn, number)?;
            number += 1;
        }
        Ok(Rate::new(number, began.elapsed()))
    });
    let inserts = inserts.await??;
    let mut readers = tokio::task::JoinSet::new();
    let conns = (0..CLIENTS).map(|_| open()).collect::<anyhow::Result<Vec<_>>>()?;
    let began = Instant::now();
    for (reader, mut conn) in (0_u64..).zip(conns) {
        readers.spawn_blocking(move || -> anyhow::Result<u64> {
            let mut done = 0;
            while began.elapsed() < MEASURED {
                let wanted = id((done * 7919 + reader) % ROWS);
                let found = raw_records::table.filter(raw_records::id.eq(wanted));
                let _: (String, Vec<u8>) =
                    found.select((raw_records::owner, raw_records::sealed)).first(&mut conn)?;
                done += 1;
            }
            Ok(done)
        });
    }
    let mut count = 0;
    while let Some(reader) = readers.join_next().await {
        count += reader??;
    }
    Ok(Floor { one: inserts, inserts, selects: Rate::new(count, began.elapsed()) })
}

fn insert(conn: &mut SqliteConnection, number: u64) -> anyhow::Result<()> {
    use raw_records as r;
    let (id, owner) = (id(number), format!("owner-{number}"));
    let fingerprint = format!("{number:064x}");
    diesel::insert_into(r::table)
        .values((
            r::id.eq(id),
            r::tenant.eq("default"),
            r::owner.eq(owner),
            r::kind.eq("bank_account"),
            r::object.eq(""),
            r::key_id.eq("00000000000000000000000000000000"),
            r::suite.eq(3_i64),
            r::fingerprint.eq(fingerprint),
            r::sealed.eq(vec![7_u8; 308]),
            r::metadata.eq("{}"),
            r::created_at.eq(1_i64),
            r::updated_at.eq(1_i64),
            r::version.eq(1_i64),
        ))
        .execute(conn)?;
    Ok(())
}

/// A connection of its own for each client, statements prepared once.
pub(crate) async fn postgres(url: &str) -> anyhow::Result<Floor> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Arc::new(PgClient::connect(url).await?));
    }
    let numbers = Arc::new(AtomicU64::new(0));
    let insert = {
        let numbers = numbers.clone();
        move |client: Arc<PgClient>| {
            let numbers = numbers.clone();
            async move {
                client.insert(numbers.fetch_add(1, Ordering::Relaxed)).await?;
                Ok(client)
            }
        }
    };
    let one = run(clients.iter().take(1).cloned().collect(), insert.clone()).await?;
    let inserts = run(clients.clone(), insert).await?;
    let next = Arc::new(AtomicU64::new(0));
    let rows = numbers.load(Ordering::Relaxed);
    let select = move |client: Arc<PgClient>| {
        let next = next.clone();
        async move {
            client.select(next.fetch_add(7919, Ordering::Relaxed) % rows).await?;
            Ok(client)
        }
    };
    let selects = run(clients, select).await?;
    Ok(Floor { one, inserts, selects })
}

struct PgClient {
    client: tokio_postgres::Client,
    insert: tokio_postgres::Statement,
    select: tokio_postgres::Statement,
}

impl PgClient {
    async fn connect(url: &str) -> anyhow::Result<Self> {
        let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await?;
        tokio_util::task::TaskTracker::new().spawn(connection);
        let table = COLUMNS.replace("BYTES", "BYTEA");
        client.batch_execute("SELECT pg_advisory_lock(7)").await?;
        client.batch_execute(&format!("CREATE TABLE IF NOT EXISTS raw_records ({table})")).await?;
        client.batch_execute("SELECT pg_advisory_unlock(7)").await?;
        let insert = client
            .prepare(
                "INSERT INTO raw_records (id, tenant, owner, kind, object, key_id, suite, fingerprint, sealed, metadata, \
                 created_at, updated_at, version) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
            )
            .await?;
        let select = client.prepare("SELECT owner, sealed FROM raw_records WHERE id = $1").await?;
        Ok(Self { client, insert, select })
    }

    async fn insert(&self, number: u64) -> anyhow::Result<()> {
        let (id, owner, fingerprint) = (id(number), format!("owner-{number}"), format!("{number:064x}"));
        let sealed = [7_u8; 308];
        let key = "00000000000000000000000000000000";
        self.client
            .execute(
                &self.insert,
                &[
                    &id,
                    &"default",
                    &owner,
                    &"bank_account",
                    &"",
                    &key,
                    &1_i64,
                    &fingerprint,
                    &sealed.as_slice(),
                    &"{}",
                    &1_i64,
                    &1_i64,
                    &1_i64,
                ],
            )
            .await?;
        Ok(())
    }

    async fn select(&self, number: u64) -> anyhow::Result<()> {
        self.client.query_one(&self.select, &[&id(number)]).await?;
        Ok(())
    }
}
