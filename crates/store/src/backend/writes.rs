//! Applying changes, for the `Conn` of the module around it.

use billfold_core::audit::AuditDraft;
use billfold_core::clock::Timestamp;
use billfold_core::erasure::Shred;
use billfold_core::store::{Changes, ERASED, VaultPut, Write};
use billfold_core::vault::VaultRecord;
use diesel::prelude::*;
use diesel::upsert::excluded;
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::backend::Abort;
use crate::backend::kept::Kept;
use crate::rows::{
    ApiKeyRow, AuditRow, ChargeRow, CustomerRow, DeliveryRow, EndpointDeliveryRow, ErasureRow,
    GatewayCustomerRow, IdempotencyKeyRow, MethodRow, NewEventRow, RemovalRow, SessionRow, VaultKeyRow,
    VaultRow, WebhookEndpointRow,
};
use crate::schema::{
    api_keys, audit_entries, charges, customers, deliveries, endpoint_deliveries, erasures, events,
    gateway_customers, idempotency_keys, payment_methods, removals, sessions, vault_keys, vault_records,
    webhook_endpoints,
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
                Write::Insert(_) => {
                    Kept(diesel::insert_into($table::table).values(&row)).execute($conn).await?
                }
                Write::Update(_) => {
                    let target = $table::table
                        .filter($table::id.eq(&row.id))
                        .filter($table::tenant.eq(&row.tenant))
                        .filter($table::version.eq(row.version - 1));
                    Kept(diesel::update(target).set(&row)).execute($conn).await?
                }
            };
            moved_on(written)?;
        }
    };
}

/// Applies changes inside a transaction that the caller began.
pub(super) async fn apply(conn: &mut Conn, changes: &Changes) -> Result<(), Abort> {
    put!(conn, vault_keys, &changes.vault_keys, |value| Ok::<_, Abort>(VaultKeyRow::from(value)));
    put!(conn, customers, &changes.customers, |value| Ok::<_, Abort>(CustomerRow::from(value)));
    for customer in &changes.gateway_customers {
        let row = GatewayCustomerRow::from(customer);
        Kept(diesel::insert_into(gateway_customers::table).values(&row)).execute(conn).await?;
    }
    put!(conn, sessions, &changes.sessions, SessionRow::try_from);
    put!(conn, vault_records, &changes.vault, VaultRow::try_from);
    put!(conn, payment_methods, &changes.methods, MethodRow::try_from);
    put!(conn, charges, &changes.charges, ChargeRow::try_from);
    put!(conn, removals, &changes.removals, |value| Ok::<_, Abort>(RemovalRow::from(value)));
    for (tenant, id) in &changes.vault_deletes {
        let target = vault_records::table.filter(vault_records::id.eq(id.to_string()));
        diesel::delete(target.filter(vault_records::tenant.eq(tenant.as_str()))).execute(conn).await?;
    }
    for (tenant, id) in &changes.vault_key_deletes {
        let target = vault_keys::table.filter(vault_keys::id.eq(id.to_string()));
        diesel::delete(target.filter(vault_keys::tenant.eq(tenant.as_str()))).execute(conn).await?;
    }
    for write in &changes.deliveries {
        let (Write::Insert(delivery) | Write::Update(delivery)) = write;
        if let Some(customer) = delivery.customer_id {
            stays(conn, delivery.tenant.as_str(), &customer.to_string()).await?;
        }
    }
    put!(conn, deliveries, &changes.deliveries, |value| Ok::<_, Abort>(DeliveryRow::from(value)));
    put!(conn, api_keys, &changes.api_keys, |value| Ok::<_, Abort>(ApiKeyRow::from(value)));
    put!(conn, webhook_endpoints, &changes.webhook_endpoints, WebhookEndpointRow::try_from);
    put!(conn, endpoint_deliveries, &changes.endpoint_deliveries, EndpointDeliveryRow::try_from);
    for (tenant, id) in &changes.webhook_endpoint_deletes {
        let (tenant, id) = (tenant.as_str(), id.to_string());
        let theirs = endpoint_deliveries::table.filter(endpoint_deliveries::endpoint_id.eq(&id));
        diesel::delete(theirs.filter(endpoint_deliveries::tenant.eq(tenant))).execute(conn).await?;
        let target = webhook_endpoints::table.filter(webhook_endpoints::id.eq(&id));
        diesel::delete(target.filter(webhook_endpoints::tenant.eq(tenant))).execute(conn).await?;
    }
    put!(conn, idempotency_keys, &changes.idempotency_keys, |value| {
        Ok::<_, Abort>(IdempotencyKeyRow::from(value))
    });
    put!(conn, erasures, &changes.erasures, ErasureRow::try_from);
    for owner in &changes.shreds {
        shred(conn, owner).await?;
    }
    for draft in &changes.audit {
        append(conn, draft).await?;
    }
    if !changes.events.is_empty() {
        super::before_events(conn).await?;
    }
    for event in &changes.events {
        Kept(diesel::insert_into(events::table).values(&NewEventRow::from(event))).execute(conn).await?;
    }
    Ok(())
}

/// Makes sure that a customer is there, and stays until this transaction ends.
async fn stays(conn: &mut Conn, tenant: &str, id: &str) -> Result<(), Abort> {
    let customer = customers::table.filter(customers::id.eq(id)).filter(customers::tenant.eq(tenant));
    let found: Option<String> = share!(customer.select(customers::id)).get_result(conn).await.optional()?;
    found.map(|_| ()).ok_or(Abort::Stale)
}

/// Gives an audit entry the next place of its tenant's trail.
async fn append(conn: &mut Conn, draft: &AuditDraft) -> Result<(), Abort> {
    let tenant = draft.tenant().as_str();
    super::before_audit(conn, tenant).await?;
    let trail = audit_entries::table.filter(audit_entries::tenant.eq(tenant));
    let last: Option<(i64, Vec<u8>)> = trail
        .order(audit_entries::sequence.desc())
        .select((audit_entries::sequence, audit_entries::hash))
        .first(conn)
        .await
        .optional()?;
    let entry = draft.after(last.as_ref().map(|(sequence, hash)| (*sequence, hash.as_slice())));
    Kept(diesel::insert_into(audit_entries::table).values(&AuditRow::from(entry))).execute(conn).await?;
    Ok(())
}

/// Destroys an owner's values and keys and, if it is a customer, every row about them.
async fn shred(conn: &mut Conn, shred: &Shred) -> Result<(), Abort> {
    let (tenant, owner) = (shred.tenant.as_str(), shred.owner.as_str());
    if shred.customer().is_some() {
        // Before anything is looked for: whoever is just writing about the customer ends first, or finds them gone.
        let customer = customers::table.filter(customers::tenant.eq(tenant)).filter(customers::id.eq(owner));
        let _held: Vec<String> = hold!(customer.select(customers::id)).load(conn).await?;
        let about = || {
            deliveries::table.filter(deliveries::tenant.eq(tenant)).filter(deliveries::customer_id.eq(owner))
        };
        let methods = || {
            payment_methods::table
                .filter(payment_methods::tenant.eq(tenant))
                .filter(payment_methods::customer_id.eq(owner))
        };
        let sessions =
            || sessions::table.filter(sessions::tenant.eq(tenant)).filter(sessions::customer_id.eq(owner));
        let charges =
            || charges::table.filter(charges::tenant.eq(tenant)).filter(charges::customer_id.eq(owner));
        let bodies: Vec<String> = about().select(deliveries::body).load(conn).await?;
        let records = vault_records::table.filter(vault_records::tenant.eq(tenant));
        diesel::delete(records.filter(vault_records::id.eq_any(bodies))).execute(conn).await?;
        diesel::update(about()).set(deliveries::customer_id.eq(None::<String>)).execute(conn).await?;

        let mut objects: Vec<String> = methods().select(payment_methods::id).load(conn).await?;
        let mine = removals::table.filter(removals::tenant.eq(tenant));
        diesel::delete(mine.filter(removals::payment_method_id.eq_any(&objects))).execute(conn).await?;
        objects.extend(sessions().select(sessions::id).load::<String>(conn).await?);
        objects.extend(charges().select(charges::id).load::<String>(conn).await?);
        objects.push(owner.to_owned());
        let told = events::table.filter(events::tenant.eq(tenant)).filter(events::object_id.eq_any(objects));
        diesel::update(told).set(events::data.eq(ERASED)).execute(conn).await?;

        diesel::delete(charges()).execute(conn).await?;
        diesel::delete(methods()).execute(conn).await?;
        diesel::delete(sessions()).execute(conn).await?;
        let elsewhere = gateway_customers::table.filter(gateway_customers::tenant.eq(tenant));
        diesel::delete(elsewhere.filter(gateway_customers::customer_id.eq(owner))).execute(conn).await?;
        let customer = customers::table.filter(customers::tenant.eq(tenant));
        diesel::delete(customer.filter(customers::id.eq(owner))).execute(conn).await?;
    }
    let values = vault_records::table.filter(vault_records::tenant.eq(tenant));
    diesel::delete(values.filter(vault_records::owner.eq(owner))).execute(conn).await?;
    let keys = vault_keys::table.filter(vault_keys::tenant.eq(tenant));
    diesel::delete(keys.filter(vault_keys::subject.eq(owner))).execute(conn).await?;
    Ok(())
}

/// Stores a value unless its owner has it. The one statement decides every race: whoever comes second finds
/// the row, and a row whose time is over gives way as a whole, its id with it.
pub(super) async fn put_value(
    conn: &mut Conn,
    record: &VaultRecord,
    now: Timestamp,
) -> Result<VaultPut, Abort> {
    use vault_records as v;
    let row = VaultRow::try_from(record)?;
    let ended = v::expires_at.le(now.as_millis());
    let upsert = diesel::insert_into(v::table)
        .values(&row)
        .on_conflict((v::tenant, v::owner, v::kind, v::fingerprint))
        .do_update()
        .set((
            v::id.eq(excluded(v::id)),
            v::object.eq(excluded(v::object)),
            v::key_id.eq(excluded(v::key_id)),
            v::suite.eq(excluded(v::suite)),
            v::sealed.eq(excluded(v::sealed)),
            v::masked.eq(excluded(v::masked)),
            v::metadata.eq(excluded(v::metadata)),
            v::expires_at.eq(excluded(v::expires_at)),
            v::created_at.eq(excluded(v::created_at)),
            v::updated_at.eq(excluded(v::updated_at)),
            v::version.eq(excluded(v::version)),
        ));
    // Only the trait's own name reaches the condition of DO UPDATE.
    let upsert = diesel::query_dsl::methods::FilterDsl::filter(upsert, ended);
    let stored: Option<String> = Kept(upsert.returning(v::id)).get_result(conn).await.optional()?;
    if stored.is_some() {
        return Ok(VaultPut::Created);
    }
    let same = v::table
        .filter(v::tenant.eq(&row.tenant))
        .filter(v::owner.eq(&row.owner))
        .filter(v::kind.eq(&row.kind))
        .filter(v::fingerprint.eq(&row.fingerprint));
    let known: Option<VaultRow> = same.select(VaultRow::as_select()).get_result(conn).await.optional()?;
    Ok(match known {
        Some(known) => VaultPut::Exists(Box::new(VaultRecord::try_from(known)?)),
        None => VaultPut::Stale,
    })
}
