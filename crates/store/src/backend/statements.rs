//! Every statement, for the `Conn` of the module around it.

use billfold_core::capability::Usage;
use billfold_core::clock::Timestamp;
use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::id::{ApiKeyId, CustomerId, DeliveryId, PaymentMethodId, SessionId, VaultRecordId};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::payment_method::PaymentMethod;
use billfold_core::session::Session;
use billfold_core::store::{
    ApiKey, Changes, Delivery, DeliveryState, Event, Page, Removal, StoreError, StoreResult, Write,
};
use billfold_core::vault::{Fingerprint, VaultRecord};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::backend::{Abort, store_error};
use crate::rows::{
    ApiKeyRow, CustomerRow, DeliveryRow, EventRow, GatewayCustomerRow, MethodRow, NewEventRow, RemovalRow,
    SessionRow, VaultRow,
};
use crate::schema::{
    api_keys, customers, deliveries, events, gateway_customers, payment_methods, removals, sessions,
    vault_records,
};

fn one<R, T: TryFrom<R, Error = StoreError>>(row: QueryResult<Option<R>>) -> StoreResult<Option<T>> {
    row.map_err(|error| store_error(&error))?.map(T::try_from).transpose()
}

fn many<R, T: TryFrom<R, Error = StoreError>>(rows: QueryResult<Vec<R>>) -> StoreResult<Vec<T>> {
    rows.map_err(|error| store_error(&error))?.into_iter().map(T::try_from).collect()
}

fn moved_on(updated: usize) -> Result<(), Abort> {
    if updated == 1 { Ok(()) } else { Err(Abort::Stale) }
}

/// Applies changes inside a transaction that the caller began.
pub(super) async fn apply(conn: &mut Conn, changes: &Changes) -> Result<(), Abort> {
    people(conn, changes).await?;
    for write in &changes.sessions {
        let (Write::Insert(session) | Write::Update(session)) = write;
        let row = SessionRow::try_from(session)?;
        match write {
            Write::Insert(_) => {
                moved_on(diesel::insert_into(sessions::table).values(&row).execute(conn).await?)?;
            }
            Write::Update(_) => {
                let target =
                    sessions::table.filter(sessions::id.eq(&row.id)).filter(sessions::tenant.eq(&row.tenant));
                let target = target.filter(sessions::version.eq(row.version - 1));
                moved_on(diesel::update(target).set(&row).execute(conn).await?)?;
            }
        }
    }
    for record in &changes.vault_inserts {
        diesel::insert_into(vault_records::table).values(&VaultRow::from(record)).execute(conn).await?;
    }
    methods_and_removals(conn, changes).await?;
    for (tenant, id) in &changes.vault_deletes {
        let target = vault_records::table.filter(vault_records::id.eq(id.to_string()));
        diesel::delete(target.filter(vault_records::tenant.eq(tenant.as_str()))).execute(conn).await?;
    }
    deliveries_and_keys(conn, changes).await?;
    if !changes.events.is_empty() {
        super::before_events(conn).await?;
    }
    for event in &changes.events {
        diesel::insert_into(events::table).values(&NewEventRow::from(event)).execute(conn).await?;
    }
    Ok(())
}

async fn people(conn: &mut Conn, changes: &Changes) -> Result<(), Abort> {
    for write in &changes.customers {
        let (Write::Insert(customer) | Write::Update(customer)) = write;
        let row = CustomerRow::from(customer);
        match write {
            Write::Insert(_) => {
                moved_on(diesel::insert_into(customers::table).values(&row).execute(conn).await?)?;
            }
            Write::Update(_) => {
                let target = customers::table
                    .filter(customers::id.eq(&row.id))
                    .filter(customers::tenant.eq(&row.tenant));
                let target = target.filter(customers::version.eq(row.version - 1));
                moved_on(diesel::update(target).set(&row).execute(conn).await?)?;
            }
        }
    }
    for customer in &changes.gateway_customers {
        let row = GatewayCustomerRow::from(customer);
        diesel::insert_into(gateway_customers::table).values(&row).execute(conn).await?;
    }
    Ok(())
}

async fn methods_and_removals(conn: &mut Conn, changes: &Changes) -> Result<(), Abort> {
    for write in &changes.methods {
        let (Write::Insert(method) | Write::Update(method)) = write;
        let row = MethodRow::try_from(method)?;
        match write {
            Write::Insert(_) => {
                moved_on(diesel::insert_into(payment_methods::table).values(&row).execute(conn).await?)?;
            }
            Write::Update(_) => {
                let target = payment_methods::table.filter(payment_methods::id.eq(&row.id));
                let target = target.filter(payment_methods::tenant.eq(&row.tenant));
                let target = target.filter(payment_methods::version.eq(row.version - 1));
                moved_on(diesel::update(target).set(&row).execute(conn).await?)?;
            }
        }
    }
    for write in &changes.removals {
        let (Write::Insert(removal) | Write::Update(removal)) = write;
        let row = RemovalRow::from(removal);
        match write {
            Write::Insert(_) => {
                moved_on(diesel::insert_into(removals::table).values(&row).execute(conn).await?)?;
            }
            Write::Update(_) => {
                let target =
                    removals::table.filter(removals::id.eq(&row.id)).filter(removals::tenant.eq(&row.tenant));
                let target = target.filter(removals::version.eq(row.version - 1));
                moved_on(diesel::update(target).set(&row).execute(conn).await?)?;
            }
        }
    }
    Ok(())
}

async fn deliveries_and_keys(conn: &mut Conn, changes: &Changes) -> Result<(), Abort> {
    for write in &changes.deliveries {
        let (Write::Insert(delivery) | Write::Update(delivery)) = write;
        let row = DeliveryRow::from(delivery);
        match write {
            Write::Insert(_) => {
                moved_on(diesel::insert_into(deliveries::table).values(&row).execute(conn).await?)?;
            }
            Write::Update(_) => {
                let target = deliveries::table
                    .filter(deliveries::id.eq(&row.id))
                    .filter(deliveries::tenant.eq(&row.tenant));
                let target = target.filter(deliveries::version.eq(row.version - 1));
                moved_on(diesel::update(target).set(&row).execute(conn).await?)?;
            }
        }
    }
    for write in &changes.api_keys {
        let (Write::Insert(key) | Write::Update(key)) = write;
        let row = ApiKeyRow::from(key);
        match write {
            Write::Insert(_) => {
                moved_on(diesel::insert_into(api_keys::table).values(&row).execute(conn).await?)?;
            }
            Write::Update(_) => {
                let target =
                    api_keys::table.filter(api_keys::id.eq(&row.id)).filter(api_keys::tenant.eq(&row.tenant));
                let target = target.filter(api_keys::version.eq(row.version - 1));
                moved_on(diesel::update(target).set(&row).execute(conn).await?)?;
            }
        }
    }
    Ok(())
}

pub(super) async fn customer(
    conn: &mut Conn,
    tenant: &TenantId,
    id: CustomerId,
) -> StoreResult<Option<Customer>> {
    let query = customers::table
        .filter(customers::id.eq(id.to_string()))
        .filter(customers::tenant.eq(tenant.as_str()));
    one(query.select(CustomerRow::as_select()).first(conn).await.optional())
}

pub(super) async fn customer_by_reference(
    conn: &mut Conn,
    tenant: &TenantId,
    reference: &str,
) -> StoreResult<Option<Customer>> {
    let query = customers::table
        .filter(customers::tenant.eq(tenant.as_str()))
        .filter(customers::reference.eq(reference));
    one(query.select(CustomerRow::as_select()).first(conn).await.optional())
}

pub(super) async fn customers_page(
    conn: &mut Conn,
    tenant: &TenantId,
    page: Page<CustomerId>,
) -> StoreResult<Vec<Customer>> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let query =
        customers::table.filter(customers::tenant.eq(tenant.as_str())).filter(customers::id.gt(after));
    many(
        query.order(customers::id).limit(page.limit.into()).select(CustomerRow::as_select()).load(conn).await,
    )
}

pub(super) async fn gateway_customer(
    conn: &mut Conn,
    tenant: &TenantId,
    gateway: &GatewayName,
    customer: CustomerId,
) -> StoreResult<Option<GatewayCustomer>> {
    let query = gateway_customers::table
        .filter(gateway_customers::tenant.eq(tenant.as_str()))
        .filter(gateway_customers::gateway.eq(gateway.as_str()))
        .filter(gateway_customers::customer_id.eq(customer.to_string()));
    one(query.select(GatewayCustomerRow::as_select()).first(conn).await.optional())
}

pub(super) async fn session(
    conn: &mut Conn,
    tenant: &TenantId,
    id: SessionId,
) -> StoreResult<Option<Session>> {
    let query =
        sessions::table.filter(sessions::id.eq(id.to_string())).filter(sessions::tenant.eq(tenant.as_str()));
    one(query.select(SessionRow::as_select()).first(conn).await.optional())
}

pub(super) async fn session_of_any_tenant(conn: &mut Conn, id: SessionId) -> StoreResult<Option<Session>> {
    let query = sessions::table.filter(sessions::id.eq(id.to_string()));
    one(query.select(SessionRow::as_select()).first(conn).await.optional())
}

pub(super) async fn session_by_provider_reference(
    conn: &mut Conn,
    tenant: &TenantId,
    gateway: &GatewayName,
    reference: &str,
) -> StoreResult<Option<Session>> {
    let query = sessions::table
        .filter(sessions::tenant.eq(tenant.as_str()))
        .filter(sessions::gateway.eq(gateway.as_str()))
        .filter(sessions::provider_reference.eq(reference));
    one(query.select(SessionRow::as_select()).first(conn).await.optional())
}

pub(super) async fn sessions_page(
    conn: &mut Conn,
    tenant: &TenantId,
    customer: Option<CustomerId>,
    page: Page<SessionId>,
) -> StoreResult<Vec<Session>> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let mut query = sessions::table
        .filter(sessions::tenant.eq(tenant.as_str().to_owned()))
        .filter(sessions::id.gt(after))
        .order(sessions::id)
        .limit(page.limit.into())
        .select(SessionRow::as_select())
        .into_boxed();
    if let Some(customer) = customer {
        query = query.filter(sessions::customer_id.eq(customer.to_string()));
    }
    many(query.load(conn).await)
}

pub(super) async fn method(
    conn: &mut Conn,
    tenant: &TenantId,
    id: PaymentMethodId,
) -> StoreResult<Option<PaymentMethod>> {
    let query = payment_methods::table.filter(payment_methods::id.eq(id.to_string()));
    let query = query.filter(payment_methods::tenant.eq(tenant.as_str()));
    one(query.select(MethodRow::as_select()).first(conn).await.optional())
}

pub(super) async fn methods_page(
    conn: &mut Conn,
    tenant: &TenantId,
    customer: CustomerId,
    page: Page<PaymentMethodId>,
) -> StoreResult<Vec<PaymentMethod>> {
    let after = page.after.map(|id| id.to_string()).unwrap_or_default();
    let query = payment_methods::table
        .filter(payment_methods::tenant.eq(tenant.as_str()))
        .filter(payment_methods::customer_id.eq(customer.to_string()))
        .filter(payment_methods::id.gt(after))
        .filter(payment_methods::status.ne("deleted"));
    many(
        query
            .order(payment_methods::id)
            .limit(page.limit.into())
            .select(MethodRow::as_select())
            .load(conn)
            .await,
    )
}

pub(super) async fn default_method(
    conn: &mut Conn,
    tenant: &TenantId,
    customer: CustomerId,
) -> StoreResult<Option<PaymentMethod>> {
    let query = payment_methods::table
        .filter(payment_methods::tenant.eq(tenant.as_str()))
        .filter(payment_methods::customer_id.eq(customer.to_string()))
        .filter(payment_methods::is_default)
        .filter(payment_methods::status.ne("deleted"));
    one(query.select(MethodRow::as_select()).first(conn).await.optional())
}

pub(super) async fn method_by_token(
    conn: &mut Conn,
    tenant: &TenantId,
    gateway: &GatewayName,
    token: &Fingerprint,
) -> StoreResult<Option<PaymentMethod>> {
    let query = payment_methods::table
        .filter(payment_methods::tenant.eq(tenant.as_str()))
        .filter(payment_methods::gateway.eq(gateway.as_str()))
        .filter(payment_methods::token_fingerprint.eq(token.as_str()))
        .filter(payment_methods::status.ne("deleted"));
    one(query.select(MethodRow::as_select()).first(conn).await.optional())
}

pub(super) async fn method_by_instrument(
    conn: &mut Conn,
    tenant: &TenantId,
    gateway: &GatewayName,
    customer: CustomerId,
    instrument: &Fingerprint,
    usage: Usage,
) -> StoreResult<Option<PaymentMethod>> {
    let query = payment_methods::table
        .filter(payment_methods::tenant.eq(tenant.as_str()))
        .filter(payment_methods::gateway.eq(gateway.as_str()))
        .filter(payment_methods::customer_id.eq(customer.to_string()))
        .filter(payment_methods::instrument_fingerprint.eq(instrument.as_str()))
        .filter(payment_methods::usage.eq(usage.as_str()))
        .filter(payment_methods::status.ne("deleted"));
    one(query.select(MethodRow::as_select()).first(conn).await.optional())
}

pub(super) async fn token_was_deleted(
    conn: &mut Conn,
    tenant: &TenantId,
    gateway: &GatewayName,
    token: &Fingerprint,
) -> StoreResult<bool> {
    let query = payment_methods::table
        .filter(payment_methods::tenant.eq(tenant.as_str()))
        .filter(payment_methods::gateway.eq(gateway.as_str()))
        .filter(payment_methods::token_fingerprint.eq(token.as_str()))
        .filter(payment_methods::status.eq("deleted"));
    diesel::select(diesel::dsl::exists(query)).get_result(conn).await.map_err(|error| store_error(&error))
}

pub(super) async fn vault_record(
    conn: &mut Conn,
    tenant: &TenantId,
    id: VaultRecordId,
) -> StoreResult<Option<VaultRecord>> {
    let query = vault_records::table.filter(vault_records::id.eq(id.to_string()));
    let query = query.filter(vault_records::tenant.eq(tenant.as_str()));
    one(query.select(VaultRow::as_select()).first(conn).await.optional())
}

pub(super) async fn delivery_by_key(
    conn: &mut Conn,
    gateway: &GatewayName,
    key: &Fingerprint,
) -> StoreResult<Option<Delivery>> {
    let query = deliveries::table.filter(deliveries::gateway.eq(gateway.as_str()));
    let query = query.filter(deliveries::delivery_key.eq(key.as_str()));
    one(query.select(DeliveryRow::as_select()).first(conn).await.optional())
}

pub(super) async fn deliveries_page(
    conn: &mut Conn,
    tenant: &TenantId,
    state: Option<DeliveryState>,
    page: Page<DeliveryId>,
) -> StoreResult<Vec<Delivery>> {
    let mut query = deliveries::table
        .filter(deliveries::tenant.eq(tenant.as_str().to_owned()))
        .order(deliveries::id.desc())
        .limit(page.limit.into())
        .select(DeliveryRow::as_select())
        .into_boxed();
    if let Some(state) = state {
        query = query.filter(deliveries::state.eq(state.as_str()));
    }
    if let Some(after) = page.after {
        query = query.filter(deliveries::id.lt(after.to_string()));
    }
    many(query.load(conn).await)
}

pub(super) async fn events_after(
    conn: &mut Conn,
    tenant: &TenantId,
    after: i64,
    limit: u32,
) -> StoreResult<Vec<Event>> {
    let query = events::table.filter(events::tenant.eq(tenant.as_str())).filter(events::sequence.gt(after));
    many(query.order(events::sequence).limit(limit.into()).select(EventRow::as_select()).load(conn).await)
}

pub(super) async fn api_key(conn: &mut Conn, id: ApiKeyId) -> StoreResult<Option<ApiKey>> {
    let query = api_keys::table.filter(api_keys::id.eq(id.to_string()));
    one(query.select(ApiKeyRow::as_select()).first(conn).await.optional())
}

pub(super) async fn api_keys_of(conn: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<ApiKey>> {
    let query = api_keys::table.filter(api_keys::tenant.eq(tenant.as_str())).order(api_keys::id);
    many(query.select(ApiKeyRow::as_select()).load(conn).await)
}

/// The rows of a claim, in the order of their ids in `due`.
fn in_order<T>(mut rows: Vec<T>, due: &[String], id: impl Fn(&T) -> &str) -> Vec<T> {
    rows.sort_by_key(|row| due.iter().position(|due| due == id(row)));
    rows
}

fn claimed<R, T: TryFrom<R, Error = StoreError>>(rows: Vec<R>) -> Result<Vec<T>, Abort> {
    rows.into_iter().map(|row| T::try_from(row).map_err(Abort::Store)).collect()
}

pub(super) async fn claim_sessions(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Session>, Abort> {
    let due =
        sessions::table.filter(sessions::next_check_at.le(now.as_millis())).order(sessions::next_check_at);
    let due: Vec<String> = lock!(due.limit(limit.into()).select(sessions::id)).load(conn).await?;
    let rows = diesel::update(sessions::table.filter(sessions::id.eq_any(&due)))
        .set((
            sessions::next_check_at.eq(lease_until.as_millis()),
            sessions::version.eq(sessions::version + 1),
        ))
        .returning(SessionRow::as_returning())
        .get_results(conn)
        .await?;
    claimed(in_order(rows, &due, |row| &row.id))
}

pub(super) async fn claim_methods(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<PaymentMethod>, Abort> {
    let due = payment_methods::table.filter(payment_methods::next_check_at.le(now.as_millis()));
    let due = due.order(payment_methods::next_check_at).limit(limit.into()).select(payment_methods::id);
    let due: Vec<String> = lock!(due).load(conn).await?;
    let next = payment_methods::next_check_at.eq(lease_until.as_millis());
    let rows = diesel::update(payment_methods::table.filter(payment_methods::id.eq_any(&due)))
        .set((next, payment_methods::version.eq(payment_methods::version + 1)))
        .returning(MethodRow::as_returning())
        .get_results(conn)
        .await?;
    claimed(in_order(rows, &due, |row| &row.id))
}

pub(super) async fn claim_deliveries(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Delivery>, Abort> {
    let due = deliveries::table.filter(deliveries::next_attempt_at.le(now.as_millis()));
    let due = due.order(deliveries::next_attempt_at).limit(limit.into()).select(deliveries::id);
    let due: Vec<String> = lock!(due).load(conn).await?;
    let next = deliveries::next_attempt_at.eq(lease_until.as_millis());
    let counted = deliveries::attempts.eq(deliveries::attempts + 1);
    let rows = diesel::update(deliveries::table.filter(deliveries::id.eq_any(&due)))
        .set((next, counted, deliveries::version.eq(deliveries::version + 1)))
        .returning(DeliveryRow::as_returning())
        .get_results(conn)
        .await?;
    claimed(in_order(rows, &due, |row| &row.id))
}

pub(super) async fn claim_removals(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    limit: u32,
) -> Result<Vec<Removal>, Abort> {
    let due = removals::table.filter(removals::next_attempt_at.le(now.as_millis()));
    let due = due.order(removals::next_attempt_at).limit(limit.into()).select(removals::id);
    let due: Vec<String> = lock!(due).load(conn).await?;
    let next = removals::next_attempt_at.eq(lease_until.as_millis());
    let counted = removals::attempts.eq(removals::attempts + 1);
    let rows = diesel::update(removals::table.filter(removals::id.eq_any(&due)))
        .set((next, counted, removals::version.eq(removals::version + 1)))
        .returning(RemovalRow::as_returning())
        .get_results(conn)
        .await?;
    claimed(in_order(rows, &due, |row| &row.id))
}

/// The newest migration that was applied; diesel keeps the list.
pub(super) async fn newest_migration(conn: &mut Conn) -> StoreResult<Option<String>> {
    let versions = crate::schema::__diesel_schema_migrations::table;
    let newest = diesel::dsl::max(crate::schema::__diesel_schema_migrations::version);
    versions.select(newest).first(conn).await.map_err(|error| store_error(&error))
}
