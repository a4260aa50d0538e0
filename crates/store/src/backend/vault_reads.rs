//! Questions about the vault, the audit trail and erasures, for the `Conn` of the module around it.

use billfold_core::audit::AuditEntry;
use billfold_core::erasure::Erasure;
use billfold_core::id::{CustomerId, ErasureId, VaultRecordId};
use billfold_core::name::TenantId;
use billfold_core::store::{KeyFilter, Page, RecordFilter, Removal, StoreResult};
use billfold_core::vault::{Fingerprint, KeyCount, KeyId, KeyPurpose, VaultKey, VaultRecord, WrapperId};
use diesel::dsl::{count_star, exists, not};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Conn;
use super::reads::{many, one};
use crate::backend::store_error;
use crate::convert::named;
use crate::rows::{AuditRow, ErasureRow, RemovalRow, VaultKeyRow, VaultRow};
use crate::schema::{audit_entries, erasures, payment_methods, removals, vault_keys, vault_records};

const PRIMARY: &str = "primary";

pub(super) async fn record(
    conn: &mut Conn,
    tenant: &TenantId,
    id: VaultRecordId,
) -> StoreResult<Option<VaultRecord>> {
    let query = vault_records::table.filter(vault_records::id.eq(id.to_string()));
    let query = query.filter(vault_records::tenant.eq(tenant.as_str()));
    one(query.select(VaultRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn records(
    conn: &mut Conn,
    tenant: &TenantId,
    ids: &[VaultRecordId],
) -> StoreResult<Vec<VaultRecord>> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let query = vault_records::table.filter(vault_records::id.eq_any(ids));
    let query = query.filter(vault_records::tenant.eq(tenant.as_str()));
    many(query.select(VaultRow::as_select()).load(conn).await)
}

pub(super) async fn records_of(
    conn: &mut Conn,
    tenant: &TenantId,
    owner: &str,
    kind: Option<&str>,
    page: Page<VaultRecordId>,
) -> StoreResult<Vec<VaultRecord>> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let mut query = vault_records::table
        .filter(vault_records::tenant.eq(tenant.as_str()))
        .filter(vault_records::owner.eq(owner))
        .filter(vault_records::id.gt(after))
        .order(vault_records::id)
        .limit(page.limit.into())
        .select(VaultRow::as_select())
        .into_boxed();
    if let Some(kind) = kind {
        query = query.filter(vault_records::kind.eq(kind));
    }
    many(query.load(conn).await)
}

pub(super) async fn record_by_fingerprint(
    conn: &mut Conn,
    tenant: &TenantId,
    owner: &str,
    kind: &str,
    fingerprint: &Fingerprint,
) -> StoreResult<Option<VaultRecord>> {
    let query = vault_records::table
        .filter(vault_records::tenant.eq(tenant.as_str()))
        .filter(vault_records::owner.eq(owner))
        .filter(vault_records::kind.eq(kind))
        .filter(vault_records::fingerprint.eq(fingerprint.as_str()));
    one(query.select(VaultRow::as_select()).get_result(conn).await.optional())
}

/// The records of a filter, as a boxed query that begins with `$select`.
macro_rules! filtered {
    ($filter:expr, $query:expr) => {{
        let query = $query.into_boxed();
        match $filter {
            RecordFilter::All => query,
            RecordFilter::ToReseal(suite) => {
                let superseded = vault_keys::table
                    .filter(vault_keys::id.eq(vault_records::key_id))
                    .filter(vault_keys::state.ne(PRIMARY));
                query.filter(exists(superseded).or(vault_records::suite.ne(i64::from(suite.number()))))
            }
        }
    }};
}

pub(super) async fn all_records(
    conn: &mut Conn,
    filter: RecordFilter,
    after: Option<VaultRecordId>,
    limit: u32,
) -> StoreResult<Vec<VaultRecord>> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let query = vault_records::table
        .filter(vault_records::id.gt(after))
        .order(vault_records::id)
        .limit(limit.into())
        .select(VaultRow::as_select());
    many(filtered!(filter, query).load(conn).await)
}

pub(super) async fn count_records(conn: &mut Conn, filter: RecordFilter) -> StoreResult<i64> {
    let query = filtered!(filter, vault_records::table.select(count_star()));
    query.get_result(conn).await.map_err(|error| store_error(&error))
}

pub(super) async fn key(conn: &mut Conn, tenant: &TenantId, id: KeyId) -> StoreResult<Option<VaultKey>> {
    let query = vault_keys::table.filter(vault_keys::id.eq(id.to_string()));
    let query = query.filter(vault_keys::tenant.eq(tenant.as_str()));
    one(query.select(VaultKeyRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn primary_key(
    conn: &mut Conn,
    tenant: &TenantId,
    subject: &str,
    purpose: KeyPurpose,
) -> StoreResult<Option<VaultKey>> {
    let query = vault_keys::table
        .filter(vault_keys::tenant.eq(tenant.as_str()))
        .filter(vault_keys::subject.eq(subject))
        .filter(vault_keys::purpose.eq(purpose.as_str()))
        .filter(vault_keys::state.eq(PRIMARY));
    one(query.select(VaultKeyRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn keys(
    conn: &mut Conn,
    filter: &KeyFilter,
    after: Option<KeyId>,
    limit: u32,
) -> StoreResult<Vec<VaultKey>> {
    let after = after.map(|id| id.to_string()).unwrap_or_default();
    let query = vault_keys::table
        .filter(vault_keys::id.gt(after))
        .order(vault_keys::id)
        .limit(limit.into())
        .select(VaultKeyRow::as_select())
        .into_boxed();
    let is_data = || vault_keys::purpose.eq(KeyPurpose::Data.as_str());
    let query = match filter {
        KeyFilter::Data => query.filter(is_data()),
        KeyFilter::NotWrappedBy(wrapper) => query.filter(vault_keys::wrapper.ne(wrapper.as_str())),
        KeyFilter::WrappedBy(wrapper) => query.filter(vault_keys::wrapper.eq(wrapper.as_str())),
        KeyFilter::PrimaryDataMadeBefore(tenant, cutoff) => {
            let query = query
                .filter(is_data())
                .filter(vault_keys::state.eq(PRIMARY))
                .filter(vault_keys::created_at.lt(cutoff.as_millis()));
            match tenant {
                Some(tenant) => query.filter(vault_keys::tenant.eq(tenant.as_str())),
                None => query,
            }
        }
        KeyFilter::UnusedSince(since) => {
            let sealed = vault_records::table
                .filter(vault_records::tenant.eq(vault_keys::tenant))
                .filter(vault_records::key_id.eq(vault_keys::id));
            query
                .filter(is_data())
                .filter(vault_keys::updated_at.le(since.as_millis()))
                .filter(not(exists(sealed)))
        }
    };
    many(query.load(conn).await)
}

/// A role (root key, purpose, state) and how many there are of it.
type Counted = ((String, String, String), i64);

pub(super) async fn key_counts(conn: &mut Conn) -> StoreResult<Vec<KeyCount>> {
    let role = (vault_keys::wrapper, vault_keys::purpose, vault_keys::state);
    let keys: Vec<Counted> = vault_keys::table
        .group_by(role)
        .select((role, count_star()))
        .order(role)
        .load(conn)
        .await
        .map_err(|error| store_error(&error))?;
    let records: Vec<Counted> = vault_records::table
        .inner_join(vault_keys::table)
        .group_by(role)
        .select((role, count_star()))
        .load(conn)
        .await
        .map_err(|error| store_error(&error))?;
    let each = keys.into_iter().map(|(role, keys)| {
        let records = records.iter().find(|(of, _)| *of == role).map_or(0, |(_, records)| *records);
        Ok(KeyCount {
            purpose: named(&role.1, "vault_keys.purpose")?,
            state: named(&role.2, "vault_keys.state")?,
            wrapper: WrapperId::from_text(role.0),
            keys,
            records,
        })
    });
    each.collect()
}

pub(super) async fn erasure(
    conn: &mut Conn,
    tenant: &TenantId,
    id: ErasureId,
) -> StoreResult<Option<Erasure>> {
    let query = erasures::table.filter(erasures::id.eq(id.to_string()));
    let query = query.filter(erasures::tenant.eq(tenant.as_str()));
    one(query.select(ErasureRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn erasure_of(
    conn: &mut Conn,
    tenant: &TenantId,
    subject: &Fingerprint,
) -> StoreResult<Option<Erasure>> {
    let query = erasures::table.filter(erasures::subject.eq(subject.as_str()));
    let query = query.filter(erasures::tenant.eq(tenant.as_str()));
    one(query.select(ErasureRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn erasures_page(
    conn: &mut Conn,
    tenant: &TenantId,
    page: Page<ErasureId>,
) -> StoreResult<Vec<Erasure>> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let query = erasures::table.filter(erasures::tenant.eq(tenant.as_str())).filter(erasures::id.gt(after));
    let query = query.order(erasures::id).limit(page.limit.into());
    many(query.select(ErasureRow::as_select()).load(conn).await)
}

pub(super) async fn audit_after(
    conn: &mut Conn,
    tenant: &TenantId,
    after: i64,
    limit: u32,
) -> StoreResult<Vec<AuditEntry>> {
    let query = audit_entries::table.filter(audit_entries::tenant.eq(tenant.as_str()));
    let query = query.filter(audit_entries::sequence.gt(after)).order(audit_entries::sequence);
    many(query.limit(limit.into()).select(AuditRow::as_select()).load(conn).await)
}

pub(super) async fn last_audit(
    conn: &mut Conn,
    tenant: &TenantId,
    action: &str,
) -> StoreResult<Option<AuditEntry>> {
    let query = audit_entries::table.filter(audit_entries::tenant.eq(tenant.as_str()));
    let query = query.filter(audit_entries::action.eq(action)).order(audit_entries::sequence.desc());
    one(query.select(AuditRow::as_select()).first(conn).await.optional())
}

pub(super) async fn removals_of(
    conn: &mut Conn,
    tenant: &TenantId,
    customer: CustomerId,
) -> StoreResult<Vec<Removal>> {
    let methods = payment_methods::table
        .filter(payment_methods::tenant.eq(tenant.as_str()))
        .filter(payment_methods::customer_id.eq(customer.to_string()))
        .select(payment_methods::id);
    let query = removals::table.filter(removals::tenant.eq(tenant.as_str()));
    let query = query.filter(removals::payment_method_id.eq_any(methods)).order(removals::id);
    many(query.select(RemovalRow::as_select()).load(conn).await)
}
