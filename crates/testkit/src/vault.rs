//! A vault for tests, and a root key whose service comes and goes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::clock::Clock;
use billfold_core::entropy::SystemEntropy;
use billfold_core::store::Store;
use billfold_core::vault::{
    DataKey, KeyWrapper, LocalWrapper, Vault, VaultBuilder, WrapContext, WrapError, WrapperId,
};

/// A random root key.
pub fn test_root() -> Arc<dyn KeyWrapper> {
    let key = LocalWrapper::generate(&SystemEntropy).unwrap();
    Arc::new(LocalWrapper::from_base64(&key).unwrap())
}

/// A vault over `store` under a random root key.
pub fn test_vault(store: Arc<dyn Store>) -> Vault {
    Vault::new(store, test_root())
}

/// The same, under the tests' own clock, to be built further.
pub fn test_vault_at(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> VaultBuilder {
    Vault::builder(store, test_root()).clock(clock)
}

/// A root key whose service a test takes away, slows down or corrupts.
#[derive(Debug)]
pub struct FragileWrapper {
    inner: Arc<dyn KeyWrapper>,
    mood: Mutex<Mood>,
    calls: AtomicUsize,
}

/// How a [`FragileWrapper`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mood {
    /// As it should.
    Well,
    /// Cannot be reached; says for how long when it knows.
    Down(Option<Duration>),
    /// Refuses our credentials.
    Denying,
    /// Gives back other keys than it was given, and wraps into bytes that nobody can open.
    Garbage,
}

impl FragileWrapper {
    /// A random root key, well at first.
    pub fn new() -> Arc<Self> {
        Arc::new(Self { inner: test_root(), mood: Mutex::new(Mood::Well), calls: AtomicUsize::new(0) })
    }

    /// Changes how it answers.
    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap_or_else(PoisonError::into_inner) = mood;
    }

    /// How often it was asked.
    pub fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Counts the call; whether the answer is to be garbage.
    fn ask(&self) -> Result<bool, WrapError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        match self.mood.lock().unwrap_or_else(PoisonError::into_inner).clone() {
            Mood::Well => Ok(false),
            Mood::Garbage => Ok(true),
            Mood::Down(retry_after) => Err(WrapError::Unavailable { reason: "down".to_owned(), retry_after }),
            Mood::Denying => Err(WrapError::Denied("the test says so".to_owned())),
        }
    }
}

#[async_trait]
impl KeyWrapper for FragileWrapper {
    fn id(&self) -> &WrapperId {
        self.inner.id()
    }

    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        // A service is asked over a network: others go on meanwhile.
        tokio::task::yield_now().await;
        if self.ask()? { Ok(vec![0xAA; 7]) } else { self.inner.wrap(key, context).await }
    }

    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError> {
        tokio::task::yield_now().await;
        if self.ask()? {
            return DataKey::generate(&SystemEntropy).map_err(|_| WrapError::Refused);
        }
        self.inner.unwrap(wrapped, context).await
    }
}
