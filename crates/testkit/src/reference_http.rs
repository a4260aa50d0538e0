//! A reference gateway that speaks HTTP, in memory, and its provider: what the contract suite for providers
//! is tried on, and an example for authors. Nothing of it listens on a port.
//!
//! An account proves its webhooks in one of three ways, as real gateways do ([`Proof`]).

mod api;
mod charge_driver;
mod charges;
mod charging;
mod driver;
mod gateway;
mod provider;
mod sending;
mod webhook;

pub use driver::HttpReference;
pub use gateway::HttpGateway;
pub use provider::{HttpProvider, build};
pub use webhook::Proof;
