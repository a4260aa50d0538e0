//! The server: REST API, webhooks, returns, workers and configuration, as a library. It names no
//! provider; whoever builds a program links those.
//!
//! [`Config::load`] reads the configuration, [`App::build`] opens the store and the gateways, and
//! [`App::serve`] serves until it is told to stop. [`App::router_as`] is the same API in process.

mod app;
mod auth;
pub mod config;
mod extract;
mod http;
mod logging;
mod observe;
mod problem;
mod routes;
mod workers;

pub use app::App;
pub use auth::Principal;
pub use config::{Config, ConfigSources};
pub use logging::init_tracing;
pub use routes::{Access, ROUTES, Route};
