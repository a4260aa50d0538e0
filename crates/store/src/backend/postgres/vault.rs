//! The vault's busiest statements, each for many rows at once. A round trip, a flush and the planning of a
//! statement cost as much for one row as for thirty.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use billfold_core::clock::Timestamp;
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::store::{Changes, Commit, StoreResult, VaultPut, Write};
use billfold_core::vault::{VaultKey, VaultRecord};
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};
use diesel_async::RunQueryDsl as _;
use diesel_async::pooled_connection::deadpool::Pool;

use super::{Conn, checked_out, vault_reads, writes};
use crate::backend::gather::Gather;
use crate::backend::kept::Kept;
use crate::backend::{Abort, put_outcome};
use crate::rows::{VaultKeyRow, VaultRow};

/// The most that one statement asks for or stores.
const LARGEST: usize = 32;
/// How many statements of one kind are under way at the same time before others are gathered for the next.
const PLACES: usize = 3;

type Lookup = (TenantId, VaultRecordId);
type Put = (VaultRecord, Timestamp);

pub(super) type Lookups = Gather<Lookup, Option<VaultRecord>>;
pub(super) type Puts = Gather<Put, VaultPut>;
pub(super) type NewKeys = Gather<VaultKey, Commit>;

pub(super) fn lookups(pool: &Pool<Conn>) -> Lookups {
    gather(pool, look_up)
}

pub(super) fn puts(pool: &Pool<Conn>) -> Puts {
    gather(pool, put)
}

pub(super) fn new_keys(pool: &Pool<Conn>) -> NewKeys {
    gather(pool, keep_keys)
}

fn gather<Ask, Answer, R>(
    pool: &Pool<Conn>,
    serve: impl Fn(Pool<Conn>, Vec<Ask>) -> R + Clone + Send + 'static,
) -> Gather<Ask, Answer>
where
    Ask: Send + 'static,
    Answer: Send + 'static,
    R: Future<Output = Vec<StoreResult<Answer>>> + Send,
{
    let pool = pool.clone();
    Gather::start(PLACES, LARGEST, move |asked| serve(pool.clone(), asked))
}

/// The key of changes that are nothing but a new key: what each first value of an owner begins with.
pub(super) fn only_a_new_key(changes: &Changes) -> Option<&VaultKey> {
    // Taken apart by name, so that a new kind of change cannot be overlooked.
    let Changes {
        vault_keys,
        customers,
        gateway_customers,
        sessions,
        vault,
        methods,
        charges,
        removals,
        vault_deletes,
        vault_key_deletes,
        deliveries,
        api_keys,
        webhook_endpoints,
        endpoint_deliveries,
        webhook_endpoint_deletes,
        idempotency_keys,
        erasures,
        shreds,
        audit,
        events,
    } = changes;
    let nothing_else = customers.is_empty()
        && gateway_customers.is_empty()
        && sessions.is_empty()
        && vault.is_empty()
        && methods.is_empty()
        && charges.is_empty()
        && removals.is_empty()
        && vault_deletes.is_empty()
        && vault_key_deletes.is_empty()
        && deliveries.is_empty()
        && api_keys.is_empty()
        && webhook_endpoints.is_empty()
        && endpoint_deliveries.is_empty()
        && webhook_endpoint_deletes.is_empty()
        && idempotency_keys.is_empty()
        && erasures.is_empty()
        && shreds.is_empty()
        && audit.is_empty()
        && events.is_empty();
    match vault_keys.as_slice() {
        [Write::Insert(key)] if nothing_else => Some(key),
        _ => None,
    }
}

async fn look_up(pool: Pool<Conn>, asked: Vec<Lookup>) -> Vec<StoreResult<Option<VaultRecord>>> {
    let mut conn = match checked_out(&pool).await {
        Ok(conn) => conn,
        Err(error) => return vec![Err(error); asked.len()],
    };
    if let [(tenant, id)] = asked.as_slice() {
        return vec![vault_reads::record(&mut conn, tenant, *id).await];
    }
    let mut of_tenant: BTreeMap<&TenantId, Vec<VaultRecordId>> = BTreeMap::new();
    for (tenant, id) in &asked {
        of_tenant.entry(tenant).or_default().push(*id);
    }
    let mut found = BTreeMap::new();
    for (tenant, ids) in of_tenant {
        found.insert(tenant.clone(), vault_reads::records(&mut conn, tenant, &ids).await.map(by_id));
    }
    let answer = |(tenant, id): &Lookup| match found.get(tenant) {
        Some(Ok(records)) => Ok(records.get(id).cloned()),
        Some(Err(error)) => Err(error.clone()),
        None => Ok(None),
    };
    asked.iter().map(answer).collect()
}

fn by_id(records: Vec<VaultRecord>) -> HashMap<VaultRecordId, VaultRecord> {
    records.into_iter().map(|record| (record.id, record)).collect()
}

/// Stores all that nobody has yet by one statement; what its owner has is looked at one by one.
async fn put(pool: Pool<Conn>, asked: Vec<Put>) -> Vec<StoreResult<VaultPut>> {
    let mut conn = match checked_out(&pool).await {
        Ok(conn) => conn,
        Err(error) => return vec![Err(error); asked.len()],
    };
    let created = if asked.len() > 1 { put_new(&mut conn, &asked).await } else { BTreeSet::new() };
    let mut answers = Vec::with_capacity(asked.len());
    for (record, now) in &asked {
        answers.push(if created.contains(&record.id.to_string()) {
            Ok(VaultPut::Created)
        } else {
            put_outcome(writes::put_value(&mut conn, record, *now).await)
        });
    }
    answers
}

/// The ids of those that were stored. When one of them cannot be, none is, and each has to be tried alone.
async fn put_new(conn: &mut Conn, asked: &[Put]) -> BTreeSet<String> {
    // All statements take the places of the same values in the same order, so none waits for another in a circle; and
    // one statement cannot decide twice about one place.
    let place = |record: &VaultRecord| {
        (record.tenant.clone(), record.owner.clone(), record.kind.clone(), record.fingerprint.clone())
    };
    let places: BTreeMap<_, _> = asked.iter().map(|(record, _)| (place(record), record)).collect();
    let rows: Result<Vec<VaultRow>, _> = places.into_values().map(VaultRow::try_from).collect();
    let now = asked.iter().map(|(_, now)| *now).min();
    match (rows, now) {
        (Ok(rows), Some(now)) => insert(conn, rows, now).await.unwrap_or_else(|abort| {
            if let Abort::Store(error) = abort {
                tracing::debug!(%error, "values are stored one by one");
            }
            BTreeSet::new()
        }),
        _ => BTreeSet::new(),
    }
}

/// Stores those whose place is free; a key whose subject has one is stale, as it would be alone.
async fn keep_keys(pool: Pool<Conn>, asked: Vec<VaultKey>) -> Vec<StoreResult<Commit>> {
    let stored = match checked_out(&pool).await {
        Ok(mut conn) => insert_keys(&mut conn, &asked).await,
        Err(error) => Err(error.into()),
    };
    match stored {
        Ok(stored) => {
            let kept = |key: &VaultKey| stored.contains(&key.id.to_string());
            let commit = |key| if kept(key) { Commit::Applied } else { Commit::Stale };
            asked.iter().map(|key| Ok(commit(key))).collect()
        }
        Err(Abort::Stale) => vec![Ok(Commit::Stale); asked.len()],
        Err(Abort::Store(error)) => vec![Err(error); asked.len()],
    }
}

const INSERT_KEYS: &str = "INSERT INTO vault_keys \
    (id, tenant, subject, purpose, wrapped, wrapper, state, created_at, updated_at, version) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING RETURNING id";

async fn insert_keys(conn: &mut Conn, keys: &[VaultKey]) -> Result<BTreeSet<String>, Abort> {
    // All statements take the places of the same keys in the same order.
    let mut rows: Vec<VaultKeyRow> = keys.iter().map(VaultKeyRow::from).collect();
    rows.sort_by(|one, other| one.place().cmp(&other.place()));
    let texts = |of: fn(&VaultKeyRow) -> &String| rows.iter().map(|row| of(row).clone()).collect::<Vec<_>>();
    let numbers = |of: fn(&VaultKeyRow) -> i64| rows.iter().map(of).collect::<Vec<_>>();
    let wrapped: Vec<Vec<u8>> = rows.iter().map(|row| row.wrapped.clone()).collect();
    let query = diesel::sql_query(INSERT_KEYS)
        .bind::<Array<Text>, _>(texts(|row| &row.id))
        .bind::<Array<Text>, _>(texts(|row| &row.tenant))
        .bind::<Array<Text>, _>(texts(|row| &row.subject))
        .bind::<Array<Text>, _>(texts(|row| &row.purpose))
        .bind::<Array<Binary>, _>(wrapped)
        .bind::<Array<Text>, _>(texts(|row| &row.wrapper))
        .bind::<Array<Text>, _>(texts(|row| &row.state))
        .bind::<Array<BigInt>, _>(numbers(|row| row.created_at))
        .bind::<Array<BigInt>, _>(numbers(|row| row.updated_at))
        .bind::<Array<BigInt>, _>(numbers(|row| row.version));
    let stored: Vec<Stored> = Kept(query).load(conn).await?;
    Ok(stored.into_iter().map(|row| row.id).collect())
}

#[derive(QueryableByName)]
struct Stored {
    #[diesel(sql_type = Text)]
    id: String,
}

/// As [`writes::put_value`], for many rows. The query builder would number each value of each row, and each count of
/// rows would be another statement; a column for each value is the same statement for all.
const INSERT: &str = "INSERT INTO vault_records \
    (id, tenant, owner, kind, object, key_id, suite, fingerprint, sealed, masked, metadata, expires_at, created_at, \
    updated_at, version) \
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15) \
    ON CONFLICT (tenant, owner, kind, fingerprint) DO UPDATE SET id = excluded.id, object = excluded.object, \
    key_id = excluded.key_id, suite = excluded.suite, sealed = excluded.sealed, masked = excluded.masked, \
    metadata = excluded.metadata, expires_at = excluded.expires_at, created_at = excluded.created_at, \
    updated_at = excluded.updated_at, version = excluded.version \
    WHERE vault_records.expires_at <= $16 RETURNING id";

async fn insert(conn: &mut Conn, rows: Vec<VaultRow>, now: Timestamp) -> Result<BTreeSet<String>, Abort> {
    let columns = rows.into_iter().fold(Columns::default(), Columns::with);
    let query = diesel::sql_query(INSERT)
        .bind::<Array<Text>, _>(columns.id)
        .bind::<Array<Text>, _>(columns.tenant)
        .bind::<Array<Text>, _>(columns.owner)
        .bind::<Array<Text>, _>(columns.kind)
        .bind::<Array<Text>, _>(columns.object)
        .bind::<Array<Text>, _>(columns.key_id)
        .bind::<Array<BigInt>, _>(columns.suite)
        .bind::<Array<Text>, _>(columns.fingerprint)
        .bind::<Array<Binary>, _>(columns.sealed)
        .bind::<Array<Nullable<Text>>, _>(columns.masked)
        .bind::<Array<Text>, _>(columns.metadata)
        .bind::<Array<Nullable<BigInt>>, _>(columns.expires_at)
        .bind::<Array<BigInt>, _>(columns.created_at)
        .bind::<Array<BigInt>, _>(columns.updated_at)
        .bind::<Array<BigInt>, _>(columns.version)
        .bind::<BigInt, _>(now.as_millis());
    let stored: Vec<Stored> = Kept(query).load(conn).await?;
    Ok(stored.into_iter().map(|row| row.id).collect())
}

#[derive(Default)]
struct Columns {
    id: Vec<String>,
    tenant: Vec<String>,
    owner: Vec<String>,
    kind: Vec<String>,
    object: Vec<String>,
    key_id: Vec<String>,
    suite: Vec<i64>,
    fingerprint: Vec<String>,
    sealed: Vec<Vec<u8>>,
    masked: Vec<Option<String>>,
    metadata: Vec<String>,
    expires_at: Vec<Option<i64>>,
    created_at: Vec<i64>,
    updated_at: Vec<i64>,
    version: Vec<i64>,
}

impl Columns {
    fn with(mut self, row: VaultRow) -> Self {
        // Taken apart by name, so that a new column cannot be forgotten.
        let VaultRow {
            id,
            tenant,
            owner,
            kind,
            object,
            key_id,
            suite,
            fingerprint,
            sealed,
            masked,
            metadata,
            expires_at,
            created_at,
            updated_at,
            version,
        } = row;
        self.id.push(id);
        self.tenant.push(tenant);
        self.owner.push(owner);
        self.kind.push(kind);
        self.object.push(object);
        self.key_id.push(key_id);
        self.suite.push(suite);
        self.fingerprint.push(fingerprint);
        self.sealed.push(sealed);
        self.masked.push(masked);
        self.metadata.push(metadata);
        self.expires_at.push(expires_at);
        self.created_at.push(created_at);
        self.updated_at.push(updated_at);
        self.version.push(version);
        self
    }
}
