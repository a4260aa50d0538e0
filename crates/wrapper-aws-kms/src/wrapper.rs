//! The key wrapper.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_sdk_kms::Client;
use aws_sdk_kms::config::retry::RetryConfig;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use aws_sdk_kms::config::{BehaviorVersion, Region, StalledStreamProtectionConfig};
use aws_sdk_kms::primitives::Blob;
use aws_smithy_http_client::tls;
use billfold_core::Result;
use billfold_core::vault::{DataKey, KeyWrapper, WrapContext, WrapError, WrapperId, WrapperSettings};
use zeroize::Zeroizing;

use crate::config::Config;
use crate::{KIND, credentials, failure};

/// The name of the one pair in the encryption context.
const CONTEXT_NAME: &str = "billfold";
/// What the service takes; longer cannot have come from it.
const MAX_CIPHERTEXT: usize = 6144;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Wraps under a symmetric key of AWS KMS.
pub struct AwsKmsWrapper {
    id: WrapperId,
    key_id: String,
    client: Client,
}

impl AwsKmsWrapper {
    /// From the settings table. Nothing is asked of the service yet, and no credentials are looked for.
    pub fn new(settings: &WrapperSettings) -> Result<Self> {
        let config = Config::read(settings)?;
        // The SDK's own choice of client would take proxies from the environment.
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::AwsLc))
            .build_https();
        let region = Region::new(config.region);
        let credentials =
            credentials::provider(config.access_key.as_ref(), region.clone(), http.clone(), config.timeout);
        let times = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            .operation_timeout(config.timeout)
            .build();
        let mut sdk = aws_sdk_kms::Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(http)
            .region(region)
            .credentials_provider(credentials)
            .timeout_config(times)
            // The vault repeats what is worth repeating.
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        sdk.set_endpoint_url(config.endpoint_url);
        let client = Client::from_conf(sdk.build());
        Ok(Self { id: WrapperId::new(KIND, &config.key_id), key_id: config.key_id, client })
    }
}

/// Builds the wrapper of one settings table.
pub(crate) fn build(settings: &WrapperSettings) -> Result<Arc<dyn KeyWrapper>> {
    Ok(Arc::new(AwsKmsWrapper::new(settings)?))
}

#[async_trait]
impl KeyWrapper for AwsKmsWrapper {
    fn id(&self) -> &WrapperId {
        &self.id
    }

    /// The service logs the encryption context in clear, so it is given the context's digest.
    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        let call = self
            .client
            .encrypt()
            .key_id(&self.key_id)
            .encryption_context(CONTEXT_NAME, context.digest())
            .plaintext(Blob::new(*key.expose()));
        let output = call.send().await.map_err(|error| failure::from_sdk(&error))?;
        let wrapped = output.ciphertext_blob.ok_or_else(failure::unreadable)?.into_inner();
        let good = (1..=MAX_CIPHERTEXT).contains(&wrapped.len());
        if good { Ok(wrapped) } else { Err(failure::unreadable()) }
    }

    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError> {
        if wrapped.is_empty() || wrapped.len() > MAX_CIPHERTEXT {
            return Err(WrapError::Refused);
        }
        let call = self
            .client
            .decrypt()
            // Without it the service would use whichever of its keys the ciphertext names.
            .key_id(&self.key_id)
            .encryption_context(CONTEXT_NAME, context.digest())
            .ciphertext_blob(Blob::new(wrapped));
        let output = call.send().await.map_err(|error| failure::from_sdk(&error))?;
        let key = Zeroizing::new(output.plaintext.ok_or_else(failure::unreadable)?.into_inner());
        // Something that somebody encrypted for this context, but no key of ours.
        DataKey::from_slice(&key).ok_or(WrapError::Refused)
    }
}

impl fmt::Debug for AwsKmsWrapper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AwsKmsWrapper({})", self.id)
    }
}
