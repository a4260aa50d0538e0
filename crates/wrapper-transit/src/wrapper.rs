//! The key wrapper.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::Result;
use billfold_core::transport::Transport;
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_core::vault::{DataKey, KeyWrapper, WrapContext, WrapError, WrapperId, WrapperSettings, prove};

use crate::client::Client;
use crate::config::Config;
use crate::{KIND, ciphertext};

/// Wraps under a key of a transit engine.
pub struct TransitWrapper {
    id: WrapperId,
    client: Client,
}

impl TransitWrapper {
    /// From the settings table. Nothing is asked of the engine yet.
    pub fn new(settings: &WrapperSettings) -> Result<Self> {
        let config = Config::read(settings)?;
        let transport = match &config.authorities {
            Some(authorities) => ReqwestTransport::trusting_only(authorities)
                .map_err(|error| settings.wrong(".ca", &error.to_string()))?,
            None if config.development => ReqwestTransport::for_development()?,
            None => ReqwestTransport::new()?,
        };
        Ok(Self::over(config, Arc::new(transport)))
    }

    fn over(config: Config, transport: Arc<dyn Transport>) -> Self {
        let host = config.address.host_str().unwrap_or_default();
        let id = WrapperId::new(KIND, &format!("{}@{host}", config.full_path));
        Self { id, client: Client::new(config, transport) }
    }
}

/// Builds the wrapper of one settings table.
pub(crate) fn build(settings: &WrapperSettings) -> Result<Arc<dyn KeyWrapper>> {
    Ok(Arc::new(TransitWrapper::new(settings)?))
}

#[async_trait]
impl KeyWrapper for TransitWrapper {
    fn id(&self) -> &WrapperId {
        &self.id
    }

    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        self.client.encrypt(key, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError> {
        let ciphertext = ciphertext::parse(wrapped).ok_or(WrapError::Refused)?;
        self.client.decrypt(ciphertext, context).await
    }

    /// Servers older than `associated_data` ignore it, and everything seems to work: only a context that must
    /// not open shows it.
    async fn check(&self) -> Result<(), WrapError> {
        prove(self, "the server is too old: it ignores associated_data").await
    }
}

impl fmt::Debug for TransitWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TransitWrapper({})", self.id)
    }
}
