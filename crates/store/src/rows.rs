//! Rows as the databases hold them, and their conversions to and from the core types.

mod customers;
mod methods;
mod others;
mod sessions;

pub(crate) use customers::{CustomerRow, GatewayCustomerRow};
pub(crate) use methods::{MethodRow, RemovalRow, VaultRow};
pub(crate) use others::{ApiKeyRow, DeliveryRow, EventRow, NewEventRow};
pub(crate) use sessions::SessionRow;
