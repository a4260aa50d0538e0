//! Billfold's domain: save a customer's payment methods through any payment gateway, and keep them
//! usable, safe and movable.
//!
//! [`Billfold`] is the way in. It needs a [`store::Store`], a [`vault::Vault`], a transport and at
//! least one gateway; see its builder. Gateways are added by crates that implement
//! [`provider::TokenizationProvider`]. This crate names no provider, no database and no web
//! framework.

pub mod audit;
pub mod billfold;
mod budget;
pub mod capability;
pub mod charge;
pub mod clock;
pub mod customer;
pub mod entropy;
pub mod erasure;
pub mod error;
pub mod gateway;
pub mod id;
pub mod idempotency;
pub mod money;
pub mod name;
pub mod outgoing;
pub mod payment_method;
pub mod provider;
pub mod registry;
pub mod routing;
pub mod schedule;
pub mod scope;
pub mod secret;
pub mod session;
pub mod settings;
pub mod store;
pub mod transport;
mod use_cases;
pub mod vault;
pub mod view;

pub use billfold::{Billfold, BillfoldBuilder};
pub use error::{Error, ErrorKind, Result};
pub use use_cases::{
    ApiKeyView, Attempt, ChangeEndpoint, CreateEndpoint, CustomerSelector, DeliveryView, EndpointSecret,
    EndpointTest, EventView, GivenConsent, IssuedApiKey, Principal, StartCharge, StartRefund, StartSession,
};
