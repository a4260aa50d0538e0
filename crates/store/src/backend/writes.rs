//! Applying changes, for the `Conn` of the module around it.

use billfold_core::store::{Changes, Write};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::backend::Abort;
use crate::rows::{
    ApiKeyRow, CustomerRow, DeliveryRow, GatewayCustomerRow, MethodRow, NewEventRow, RemovalRow, SessionRow,
    VaultRow,
};
use crate::schema::{
    api_keys, customers, deliveries, events, gateway_customers, payment_methods, removals, sessions,
    vault_records,
};

fn moved_on(updated: usize) -> Result<(), Abort> {
    if updated == 1 { Ok(()) } else { Err(Abort::Stale) }
}

/// Inserts a row, or replaces the version before it: the same rule for every versioned table.
macro_rules! put {
    ($conn:expr, $table:ident, $writes:expr, $row:expr) => {
        for write in $writes {
            let (Write::Insert(value) | Write::Update(value)) = write;
            let row = $row(value)?;
            let written = match write {
                Write::Insert(_) => diesel::insert_into($table::table).values(&row).execute($conn).await?,
                Write::Update(_) => {
                    let target = $table::table
                        .filter($table::id.eq(&row.id))
                        .filter($table::tenant.eq(&row.tenant))
                        .filter($table::version.eq(row.version - 1));
                    diesel::update(target).set(&row).execute($conn).await?
                }
            };
            moved_on(written)?;
        }
    };
}

/// Applies changes inside a transaction that the caller began.
pub(super) async fn apply(conn: &mut Conn, changes: &Changes) -> Result<(), Abort> {
    put!(conn, customers, &changes.customers, |value| Ok::<_, Abort>(CustomerRow::from(value)));
    for customer in &changes.gateway_customers {
        let row = GatewayCustomerRow::from(customer);
        diesel::insert_into(gateway_customers::table).values(&row).execute(conn).await?;
    }
    put!(conn, sessions, &changes.sessions, SessionRow::try_from);
    for record in &changes.vault_inserts {
        diesel::insert_into(vault_records::table).values(&VaultRow::from(record)).execute(conn).await?;
    }
    put!(conn, payment_methods, &changes.methods, MethodRow::try_from);
    put!(conn, removals, &changes.removals, |value| Ok::<_, Abort>(RemovalRow::from(value)));
    for (tenant, id) in &changes.vault_deletes {
        let target = vault_records::table.filter(vault_records::id.eq(id.to_string()));
        diesel::delete(target.filter(vault_records::tenant.eq(tenant.as_str()))).execute(conn).await?;
    }
    put!(conn, deliveries, &changes.deliveries, |value| Ok::<_, Abort>(DeliveryRow::from(value)));
    put!(conn, api_keys, &changes.api_keys, |value| Ok::<_, Abort>(ApiKeyRow::from(value)));
    if !changes.events.is_empty() {
        super::before_events(conn).await?;
    }
    for event in &changes.events {
        diesel::insert_into(events::table).values(&NewEventRow::from(event)).execute(conn).await?;
    }
    Ok(())
}
