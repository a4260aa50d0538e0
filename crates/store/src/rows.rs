//! Rows as the databases hold them, and their conversions to and from the core types.

mod audit;
mod charges;
mod customers;
mod idempotency;
mod methods;
mod others;
mod outgoing;
mod sessions;
mod vault;

pub(crate) use audit::{AuditRow, ErasureRow};
pub(crate) use charges::ChargeRow;
pub(crate) use customers::{CustomerRow, GatewayCustomerRow};
pub(crate) use idempotency::IdempotencyKeyRow;
pub(crate) use methods::{MethodRow, RemovalRow};
pub(crate) use others::{ApiKeyRow, DeliveryRow, EventRow, NewEventRow};
pub(crate) use outgoing::{EndpointDeliveryRow, WebhookEndpointRow};
pub(crate) use sessions::SessionRow;
pub(crate) use vault::{VaultKeyRow, VaultRow};
