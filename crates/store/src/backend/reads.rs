//! Every question, one statement each, for the `Conn` of the module around it.

use billfold_core::capability::Usage;
use billfold_core::customer::{Customer, GatewayCustomer};
use billfold_core::id::{ApiKeyId, CustomerId, DeliveryId, PaymentMethodId, SessionId};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::payment_method::PaymentMethod;
use billfold_core::session::Session;
use billfold_core::store::{ApiKey, Delivery, DeliveryState, Event, Page, StoreError, StoreResult};
use billfold_core::vault::Fingerprint;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;

use super::Conn;
use crate::backend::store_error;
use crate::rows::{ApiKeyRow, CustomerRow, DeliveryRow, EventRow, GatewayCustomerRow, MethodRow, SessionRow};
use crate::schema::{api_keys, customers, deliveries, events, gateway_customers, payment_methods, sessions};

/// The row of a unique key. Such queries have no LIMIT: SQLite would prepare them anew for every bound limit.
pub(super) fn one<R, T: TryFrom<R, Error = StoreError>>(
    row: QueryResult<Option<R>>,
) -> StoreResult<Option<T>> {
    row.map_err(|error| store_error(&error))?.map(T::try_from).transpose()
}

pub(super) fn many<R, T: TryFrom<R, Error = StoreError>>(rows: QueryResult<Vec<R>>) -> StoreResult<Vec<T>> {
    rows.map_err(|error| store_error(&error))?.into_iter().map(T::try_from).collect()
}

pub(super) async fn customer(
    conn: &mut Conn,
    tenant: &TenantId,
    id: CustomerId,
) -> StoreResult<Option<Customer>> {
    let query = customers::table
        .filter(customers::id.eq(id.to_string()))
        .filter(customers::tenant.eq(tenant.as_str()));
    one(query.select(CustomerRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn customer_by_reference(
    conn: &mut Conn,
    tenant: &TenantId,
    reference: &str,
) -> StoreResult<Option<Customer>> {
    let query = customers::table
        .filter(customers::tenant.eq(tenant.as_str()))
        .filter(customers::reference.eq(reference));
    one(query.select(CustomerRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(GatewayCustomerRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn session(
    conn: &mut Conn,
    tenant: &TenantId,
    id: SessionId,
) -> StoreResult<Option<Session>> {
    let query =
        sessions::table.filter(sessions::id.eq(id.to_string())).filter(sessions::tenant.eq(tenant.as_str()));
    one(query.select(SessionRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn session_of_any_tenant(conn: &mut Conn, id: SessionId) -> StoreResult<Option<Session>> {
    let query = sessions::table.filter(sessions::id.eq(id.to_string()));
    one(query.select(SessionRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(SessionRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(MethodRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(MethodRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(MethodRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(MethodRow::as_select()).get_result(conn).await.optional())
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

pub(super) async fn delivery(
    conn: &mut Conn,
    tenant: &TenantId,
    id: DeliveryId,
) -> StoreResult<Option<Delivery>> {
    let query = deliveries::table.filter(deliveries::id.eq(id.to_string()));
    let query = query.filter(deliveries::tenant.eq(tenant.as_str()));
    one(query.select(DeliveryRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn delivery_by_key(
    conn: &mut Conn,
    gateway: &GatewayName,
    key: &Fingerprint,
) -> StoreResult<Option<Delivery>> {
    let query = deliveries::table.filter(deliveries::gateway.eq(gateway.as_str()));
    let query = query.filter(deliveries::delivery_key.eq(key.as_str()));
    one(query.select(DeliveryRow::as_select()).get_result(conn).await.optional())
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
    one(query.select(ApiKeyRow::as_select()).get_result(conn).await.optional())
}

pub(super) async fn api_keys_of(conn: &mut Conn, tenant: &TenantId) -> StoreResult<Vec<ApiKey>> {
    let query = api_keys::table.filter(api_keys::tenant.eq(tenant.as_str())).order(api_keys::id);
    many(query.select(ApiKeyRow::as_select()).load(conn).await)
}

/// The newest migration that was applied; diesel keeps the list.
pub(super) async fn newest_migration(conn: &mut Conn) -> StoreResult<Option<String>> {
    let versions = crate::schema::__diesel_schema_migrations::table;
    let newest = diesel::dsl::max(crate::schema::__diesel_schema_migrations::version);
    versions.select(newest).get_result(conn).await.map_err(|error| store_error(&error))
}
