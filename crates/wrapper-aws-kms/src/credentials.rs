//! Who we are to the service.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::Region;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_kms::config::SharedHttpClient;
use aws_sdk_kms::config::timeout::TimeoutConfig;
use billfold_core::secret::ExposeSecret;
use tokio::sync::OnceCell;

use crate::config::AccessKey;

/// A fixed access key, or the standard places.
pub(crate) fn provider(
    access_key: Option<&AccessKey>,
    region: Region,
    http: SharedHttpClient,
    timeout: Duration,
) -> SharedCredentialsProvider {
    match access_key {
        Some(AccessKey { id, secret, session_token }) => {
            let session_token = session_token.as_ref().map(|token| token.expose_secret().to_owned());
            SharedCredentialsProvider::new(Credentials::new(
                id.expose_secret(),
                secret.expose_secret(),
                session_token,
                None,
                "settings",
            ))
        }
        None => SharedCredentialsProvider::new(Standard {
            region,
            http,
            timeout,
            chain: OnceCell::new(),
            found: AtomicBool::new(false),
        }),
    }
}

/// The standard places, looked up when they are first needed: that takes a runtime, and building a wrapper does
/// not have one.
#[derive(Debug)]
struct Standard {
    region: Region,
    http: SharedHttpClient,
    timeout: Duration,
    chain: OnceCell<DefaultCredentialsChain>,
    /// Whether there were any before.
    found: AtomicBool,
}

impl Standard {
    async fn chain(&self) -> DefaultCredentialsChain {
        let times =
            TimeoutConfig::builder().connect_timeout(self.timeout).operation_timeout(self.timeout).build();
        let config = ProviderConfig::without_region()
            .with_region(Some(self.region.clone()))
            .with_http_client(self.http.clone())
            .with_timeout_config(times);
        DefaultCredentialsChain::builder().region(self.region.clone()).configure(config).build().await
    }

    async fn find(&self) -> Result<Credentials, CredentialsError> {
        let found = self.chain.get_or_init(|| self.chain()).await.provide_credentials().await;
        match found {
            Ok(credentials) => {
                self.found.store(true, Ordering::Relaxed);
                Ok(credentials)
            }
            Err(error) => Err(explained(error, self.found.load(Ordering::Relaxed))),
        }
    }
}

/// A metadata service that does not answer counts as one that is not there, so the chain ends in "not loaded".
/// Where there were credentials before, that is a trouble which will pass.
fn explained(error: CredentialsError, found_before: bool) -> CredentialsError {
    match error {
        missing @ CredentialsError::CredentialsNotLoaded(_) if found_before => {
            CredentialsError::provider_error(missing)
        }
        error => error,
    }
}

impl ProvideCredentials for Standard {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.find())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_before_will_come_back() {
        let missing = || CredentialsError::not_loaded("nowhere");
        assert!(matches!(explained(missing(), false), CredentialsError::CredentialsNotLoaded(_)));
        assert!(matches!(explained(missing(), true), CredentialsError::ProviderError(_)));
        let wrong = CredentialsError::invalid_configuration("a loop");
        assert!(matches!(explained(wrong, true), CredentialsError::InvalidConfiguration(_)));
    }
}
