//! Counters, in the text format of Prometheus.

use std::fmt;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// Counts from now on. A recorder that the embedding program has installed stays, and nothing is
/// counted here.
static RECORDED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// What was counted in this process.
#[derive(Clone)]
pub(crate) struct Metrics(PrometheusHandle);

impl Metrics {
    /// Begins to count, once for the process.
    pub(crate) fn install() -> Option<Self> {
        let handle = RECORDED.get_or_init(|| PrometheusBuilder::new().install_recorder().ok());
        if handle.is_none() {
            tracing::warn!("this program counts elsewhere; /metrics does not answer");
        }
        handle.clone().map(Self)
    }

    /// Everything, as text.
    pub(crate) fn render(&self) -> String {
        self.0.render()
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics(..)")
    }
}
