//! Logging set-up.

use billfold_core::{Error, ErrorKind, Result};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt;

use crate::config::{LogConfig, LogFormat};

/// Logs to standard error from now on, as configured. A second call in one process changes nothing.
pub fn init_tracing(config: &LogConfig) -> Result<()> {
    let filter = EnvFilter::try_new(&config.filter).map_err(|error| {
        Error::new(ErrorKind::Configuration, format!("configuration: log.filter: {error}"))
    })?;
    // Nobody may read the log, or its disk may be full: to say so in the same place would panic, in every request.
    let subscriber = fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false);
    // An embedder's own subscriber stays.
    let _ = match config.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    };
    Ok(())
}
