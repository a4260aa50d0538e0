//! Key wrappers with one flaw each, over a service that is only played.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::entropy::SystemEntropy;
use billfold_core::name::TenantId;
use billfold_core::vault::{
    DataKey, KeyId, KeyPurpose, KeyWrapper, LocalWrapper, WrapContext, WrapError, WrapperId,
};
use billfold_testkit::key_wrapper::{Bench, Trouble};

/// What is wrong with a wrapper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    None,
    IgnoresKeyId,
    IgnoresTenant,
    IgnoresSubject,
    IgnoresPurpose,
    JoinsTenantAndSubject,
    IgnoresRootKey,
    OpensToAConstant,
    WrapsAlike,
    ShowsTheKey,
    ForgetsOlderVersions,
    MixesCallers,
    ChangesItsId,
    PadsWhatIsTruncated,
    IgnoresTheLastByte,
    IgnoresTrailingBytes,
    PanicsOnShortInput,
    HopesForGarbage,
    DeniesWhenDown,
    RefusesWhenDown,
    HopesWhenDenied,
    ChecksNothing,
    FailsItsCheck,
    StaysDown,
    StaysBusyWhenGivenUp,
    WaitsForEver,
    PrintsTheLastKey,
    PrintsTheTokenInErrors,
    PrintsTheTokenInItsId,
}

const TOKEN: &str = "played-service-token";
const TRAILER: u8 = 1;

/// The length of what [`LocalWrapper`] makes of a key, once it has made something.
static LENGTH: AtomicUsize = AtomicUsize::new(0);

/// The service: the versions of a root key, and its trouble.
struct Service {
    versions: Mutex<Vec<Arc<LocalWrapper>>>,
    trouble: Mutex<Trouble>,
}

impl Service {
    fn new() -> Arc<Self> {
        let versions = Mutex::new(vec![version()]);
        Arc::new(Self { versions, trouble: Mutex::new(Trouble::None) })
    }
}

fn version() -> Arc<LocalWrapper> {
    let key = LocalWrapper::generate(&SystemEntropy).unwrap();
    Arc::new(LocalWrapper::from_base64(&key).unwrap())
}

pub(crate) struct MutantBench {
    flaw: Flaw,
    service: Arc<Service>,
    other: Arc<Service>,
    built: AtomicU32,
}

impl MutantBench {
    pub(crate) fn new(flaw: Flaw) -> Self {
        Self { flaw, service: Service::new(), other: Service::new(), built: AtomicU32::new(0) }
    }

    fn mutant(&self, name: &str, service: &Arc<Service>) -> Arc<dyn KeyWrapper> {
        let built = self.built.fetch_add(1, Ordering::SeqCst);
        let name = match self.flaw {
            Flaw::ChangesItsId => format!("{name}-{built}"),
            Flaw::PrintsTheTokenInItsId => format!("{name}-{TOKEN}"),
            _ => name.to_owned(),
        };
        Arc::new(Mutant {
            flaw: self.flaw,
            id: WrapperId::new("played", &name),
            service: service.clone(),
            alike: Mutex::default(),
            slot: Mutex::default(),
            broken: AtomicBool::new(false),
            busy: AtomicBool::new(false),
        })
    }
}

#[async_trait]
impl Bench for MutantBench {
    async fn wrapper(&self) -> Arc<dyn KeyWrapper> {
        self.mutant("one", &self.service)
    }

    async fn other_root_key(&self) -> Arc<dyn KeyWrapper> {
        let same = self.flaw == Flaw::IgnoresRootKey;
        self.mutant("two", if same { &self.service } else { &self.other })
    }

    async fn trouble(&self, trouble: Trouble) -> bool {
        *self.service.trouble.lock().unwrap() = trouble;
        true
    }

    async fn rotate(&self) -> bool {
        self.service.versions.lock().unwrap().push(version());
        true
    }

    fn canaries(&self) -> Vec<String> {
        vec![TOKEN.to_owned()]
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(3)
    }
}

struct Mutant {
    flaw: Flaw,
    id: WrapperId,
    service: Arc<Service>,
    alike: Mutex<HashMap<Vec<u8>, Vec<u8>>>,
    slot: Mutex<Option<DataKey>>,
    broken: AtomicBool,
    busy: AtomicBool,
}

impl Mutant {
    fn unavailable(&self) -> WrapError {
        self.broken.store(true, Ordering::SeqCst);
        match self.flaw {
            Flaw::DeniesWhenDown => WrapError::Denied("no connection".to_owned()),
            Flaw::RefusesWhenDown => WrapError::Refused,
            Flaw::PrintsTheTokenInErrors => unavailable(format!("no answer to {TOKEN}")),
            _ => unavailable("no connection".to_owned()),
        }
    }

    /// Asks the service, which may be in trouble.
    async fn ask(&self) -> Result<(), WrapError> {
        let stays_down = self.flaw == Flaw::StaysDown && self.broken.load(Ordering::SeqCst);
        let stays_busy = self.flaw == Flaw::StaysBusyWhenGivenUp && self.busy.load(Ordering::SeqCst);
        if stays_down || stays_busy {
            return Err(self.unavailable());
        }
        tokio::task::yield_now().await;
        let trouble = *self.service.trouble.lock().unwrap();
        match trouble {
            Trouble::None => Ok(()),
            Trouble::Denying if self.flaw == Flaw::HopesWhenDenied => Err(self.unavailable()),
            Trouble::Denying => Err(WrapError::Denied("permission denied".to_owned())),
            Trouble::Unreachable | Trouble::Failing => Err(self.unavailable()),
            Trouble::Silent => {
                // Known to be silent from now on, whether the caller waits for the end or not.
                self.broken.store(true, Ordering::SeqCst);
                self.busy.store(true, Ordering::SeqCst);
                if self.flaw == Flaw::WaitsForEver {
                    std::future::pending::<()>().await;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
                self.busy.store(false, Ordering::SeqCst);
                Err(self.unavailable())
            }
        }
    }

    /// The context as a flawed wrapper sees it.
    fn seen(&self, context: &WrapContext) -> WrapContext {
        let mut seen = context.clone();
        match self.flaw {
            Flaw::IgnoresKeyId => seen.key_id = KeyId::from_bytes([0; 16]),
            Flaw::IgnoresTenant => seen.tenant = TenantId::default_tenant(),
            Flaw::IgnoresSubject => seen.subject.clear(),
            Flaw::IgnoresPurpose => seen.purpose = KeyPurpose::Data,
            Flaw::JoinsTenantAndSubject => {
                seen.subject = format!("{}{}", context.tenant.as_str(), context.subject);
                seen.tenant = TenantId::default_tenant();
            }
            _ => {}
        }
        seen
    }

    /// What is left of the wrapped bytes for the service to open.
    fn inner<'a>(&self, wrapped: &'a [u8]) -> Result<&'a [u8], WrapError> {
        let expected = LENGTH.load(Ordering::SeqCst);
        let refused = match self.flaw {
            Flaw::HopesForGarbage => unavailable("the service did not understand".to_owned()),
            _ => WrapError::Refused,
        };
        if self.flaw == Flaw::PanicsOnShortInput {
            let _ = &wrapped[..24];
        }
        if self.flaw == Flaw::PadsWhatIsTruncated && wrapped.len() == expected {
            return Ok(wrapped);
        }
        let (inner, rest) = wrapped.split_at_checked(expected).ok_or(refused.clone())?;
        let good = match (self.flaw, rest) {
            (Flaw::IgnoresTheLastByte, [_]) | (Flaw::IgnoresTrailingBytes, [TRAILER, ..]) => true,
            (_, rest) => rest == [TRAILER],
        };
        if good { Ok(inner) } else { Err(refused) }
    }
}

fn unavailable(reason: String) -> WrapError {
    WrapError::Unavailable { reason, retry_after: None }
}

#[async_trait]
impl KeyWrapper for Mutant {
    fn id(&self) -> &WrapperId {
        &self.id
    }

    async fn wrap(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        *self.slot.lock().unwrap() = Some(key.clone());
        self.ask().await?;
        let last = self.slot.lock().unwrap().clone().unwrap();
        let key = if self.flaw == Flaw::MixesCallers { &last } else { key };
        let version = self.service.versions.lock().unwrap().last().unwrap().clone();
        let mut wrapped = version.wrap(key, &self.seen(context)).await?;
        LENGTH.store(wrapped.len(), Ordering::SeqCst);
        wrapped.push(TRAILER);
        if self.flaw == Flaw::ShowsTheKey {
            wrapped.splice(0..0, *key.expose());
        }
        if self.flaw == Flaw::WrapsAlike {
            let place = [key.expose().as_slice(), &context.to_bytes()].concat();
            return Ok(self.alike.lock().unwrap().entry(place).or_insert(wrapped).clone());
        }
        Ok(wrapped)
    }

    async fn unwrap(&self, wrapped: &[u8], context: &WrapContext) -> Result<DataKey, WrapError> {
        self.ask().await?;
        if self.flaw == Flaw::OpensToAConstant {
            let inner = self.inner(wrapped)?;
            open(&self.service, inner, &self.seen(context), false).await?;
            return Ok(DataKey::from_slice(&[9; 32]).unwrap());
        }
        let wrapped = match self.flaw {
            Flaw::ShowsTheKey => wrapped.get(32..).ok_or(WrapError::Refused)?,
            _ => wrapped,
        };
        let inner = self.inner(wrapped)?;
        let only_newest = self.flaw == Flaw::ForgetsOlderVersions;
        open(&self.service, inner, &self.seen(context), only_newest).await
    }

    async fn check(&self) -> Result<(), WrapError> {
        match self.flaw {
            Flaw::ChecksNothing => Ok(()),
            Flaw::FailsItsCheck => Err(self.unavailable()),
            _ => self.ask().await,
        }
    }
}

async fn open(
    service: &Service,
    wrapped: &[u8],
    context: &WrapContext,
    only_newest: bool,
) -> Result<DataKey, WrapError> {
    let mut versions = service.versions.lock().unwrap().clone();
    versions.reverse();
    if only_newest {
        versions.truncate(1);
    }
    for version in versions {
        if let Ok(key) = version.unwrap(wrapped, context).await {
            return Ok(key);
        }
    }
    Err(WrapError::Refused)
}

impl fmt::Debug for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mutant({})", self.id)?;
        let last = self.slot.lock().unwrap();
        match &*last {
            Some(key) if self.flaw == Flaw::PrintsTheLastKey => write!(f, " saw {:?}", key.expose()),
            _ => Ok(()),
        }
    }
}
