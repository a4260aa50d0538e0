//! The server: REST API, webhooks, returns, workers and configuration, as a library. It names no
//! provider; whoever builds a program links those.
//!
//! [`Config::load`] reads the configuration, [`App::build`] opens the store and the gateways, and
//! [`App::serve`] serves until it is told to stop. [`App::router_as`] is the same API in process.

mod app;
mod auth;
pub mod config;
mod config_audit;
mod extract;
mod hooks;
mod http;
mod idempotency;
mod limit;
mod logging;
mod metrics;
mod observe;
mod problem;
mod routes;
mod secret;
mod source;
mod vault;
mod workers;

pub use app::App;
pub use config::{Config, ConfigSources};
pub use http::listen;
pub use logging::init_tracing;
pub use routes::{Access, ROUTES, Repetition, Route};
