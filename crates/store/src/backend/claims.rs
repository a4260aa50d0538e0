//! Taking what is due, so that nobody else takes it meanwhile, for the `Conn` of the module around it.

use billfold_core::clock::Timestamp;
use billfold_core::erasure::Erasure;
use billfold_core::id::{DeliveryId, VaultRecordId};
use billfold_core::name::TenantId;
use billfold_core::payment_method::PaymentMethod;
use billfold_core::session::Session;
use billfold_core::store::{Delivery, DeliveryState, Removal, StoreError};
use diesel::dsl::case_when;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::backend::Abort;
use crate::convert::parsed;
use crate::rows::{DeliveryRow, ErasureRow, MethodRow, RemovalRow, SessionRow};
use crate::schema::{deliveries, erasures, payment_methods, removals, sessions, vault_records};

/// The rows of a claim, in the order of their ids in `due`.
pub(super) fn in_order<T>(mut rows: Vec<T>, due: &[String], id: impl Fn(&T) -> &str) -> Vec<T> {
    rows.sort_by_key(|row| due.iter().position(|due| due == id(row)));
    rows
}

pub(super) fn claimed<R, T: TryFrom<R, Error = StoreError>>(rows: Vec<R>) -> Result<Vec<T>, Abort> {
    rows.into_iter().map(|row| T::try_from(row).map_err(Abort::Store)).collect()
}

pub(super) async fn claim_sessions(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Session>, Abort> {
    let due = sessions::table.filter(sessions::next_check_at.le(now.as_millis()));
    let due = due.order(sessions::next_check_at).limit(limit.into());
    take!(conn, sessions, due, next_check_at = lease_until, SessionRow)
}

pub(super) async fn claim_methods(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<PaymentMethod>, Abort> {
    let due = payment_methods::table.filter(payment_methods::next_check_at.le(now.as_millis()));
    let due = due.order(payment_methods::next_check_at).limit(limit.into());
    take!(conn, payment_methods, due, next_check_at = lease_until, MethodRow)
}

pub(super) async fn claim_deliveries(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Delivery>, Abort> {
    let due = deliveries::table.filter(deliveries::next_attempt_at.le(now.as_millis()));
    let due = due.order(deliveries::next_attempt_at).limit(limit.into());
    take!(conn, deliveries, due, next_attempt_at = lease_until, DeliveryRow, attempts)
}

/// One statement, so that any number of copies at the same moment are all counted.
pub(super) async fn delivery_came_again(
    conn: &mut Conn,
    id: DeliveryId,
    now: Timestamp,
) -> Result<bool, Abort> {
    let waits = || deliveries::state.eq_any([DeliveryState::Parked.as_str(), DeliveryState::Dead.as_str()]);
    let due = case_when(waits(), Some(now.as_millis()).into_sql::<Nullable<BigInt>>());
    let counted = diesel::update(deliveries::table.find(id.to_string()))
        .set((
            deliveries::received_count.eq(deliveries::received_count + 1),
            deliveries::next_attempt_at.eq(due.otherwise(deliveries::next_attempt_at)),
            deliveries::state.eq(case_when(waits(), DeliveryState::Received.as_str().into_sql::<Text>())
                .otherwise(deliveries::state)),
            deliveries::updated_at.eq(now.as_millis()),
            deliveries::version.eq(deliveries::version + 1),
        ))
        .execute(conn)
        .await?;
    Ok(counted > 0)
}

pub(super) async fn claim_removals(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Removal>, Abort> {
    let due = removals::table.filter(removals::next_attempt_at.le(now.as_millis()));
    let due = due.order(removals::next_attempt_at).limit(limit.into());
    take!(conn, removals, due, next_attempt_at = lease_until, RemovalRow, attempts)
}

pub(super) async fn claim_erasures(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Erasure>, Abort> {
    let due = erasures::table.filter(erasures::next_attempt_at.le(now.as_millis()));
    let due = due.order(erasures::next_attempt_at).limit(limit.into());
    take!(conn, erasures, due, next_attempt_at = lease_until, ErasureRow)
}

/// Deletes what ended by `now`: locked before it is deleted, so that nobody prolongs it meanwhile.
pub(super) async fn sweep_vault_records(
    conn: &mut Conn,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(TenantId, VaultRecordId)>, Abort> {
    let due = vault_records::table.filter(vault_records::expires_at.le(now.as_millis()));
    let due = due.order(vault_records::expires_at).limit(limit.into());
    let due: Vec<(String, String)> =
        lock!(due.select((vault_records::tenant, vault_records::id))).load(conn).await?;
    if due.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = due.iter().map(|(_, id)| &**id).collect();
    diesel::delete(vault_records::table.filter(vault_records::id.eq_any(ids))).execute(conn).await?;
    let each = due.iter().map(|(tenant, id)| {
        let tenant = parsed(tenant, "vault_records.tenant").map_err(Abort::Store)?;
        Ok((tenant, parsed(id, "vault_records.id").map_err(Abort::Store)?))
    });
    each.collect()
}
