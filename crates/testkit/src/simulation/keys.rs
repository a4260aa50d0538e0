//! Root keys whose service goes away now and then.

use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::vault::{DataKey, KeyWrapper, LocalWrapper, WrapContext, WrapError, WrapperId};

use super::scene::Scene;

/// A root key at a service.
#[derive(Debug)]
pub(super) struct RootKey {
    inner: LocalWrapper,
    scene: Arc<Scene>,
}

impl RootKey {
    pub(super) fn at_a_service(scene: &Arc<Scene>) -> Arc<dyn KeyWrapper> {
        let key = LocalWrapper::generate(scene.entropy.as_ref()).unwrap();
        Arc::new(Self { inner: LocalWrapper::from_base64(&key).unwrap(), scene: scene.clone() })
    }

    async fn ask(&self, call: &'static str) -> Result<(), WrapError> {
        self.scene.gate.pass(call).await;
        if self.scene.weather.keys_are_away() {
            return Err(WrapError::Unavailable { reason: "away".to_owned(), retry_after: None });
        }
        Ok(())
    }
}

#[async_trait]
impl KeyWrapper for RootKey {
    fn id(&self) -> &WrapperId {
        self.inner.id()
    }

    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        self.ask("wrap").await?;
        self.inner.wrap(key, context).await
    }

    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError> {
        self.ask("unwrap").await?;
        self.inner.unwrap(wrapped, context).await
    }
}
