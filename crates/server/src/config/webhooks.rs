//! `[webhooks]`: what is sent to the merchant's system.

use serde::Deserialize;

/// `[webhooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// Whether endpoints may be on private networks.
    pub allow_private_networks: bool,
    /// Between attempts, in seconds.
    pub retry_after_seconds: Vec<u64>,
    /// An endpoint that fails for this long is disabled.
    pub disable_after_days: u32,
    /// How long finished deliveries are kept.
    pub delivery_retention_days: u32,
    /// Endpoints that are served at the same time.
    pub max_endpoints_at_once: usize,
}
