//! The use cases over the in-memory store and the reference gateway.

mod customers_and_keys;
mod flows;
mod lifecycle;
mod races;
mod returns;
mod support;
mod webhooks;
