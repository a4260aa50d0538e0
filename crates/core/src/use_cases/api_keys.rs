//! API keys: 256 random bits that name their own row. Only a SHA-256 of the secret is stored; it is
//! long enough that a slow hash would protect nothing and cost every request.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ApiKeyId;
use crate::name::TenantId;
use crate::secret::{constant_time_eq, random_token, sha256};
use crate::store::{ApiKey, Changes, Commit, Write};

const SCHEME: &str = "bf_";

/// A new key; its secret is shown this once.
#[derive(Debug)]
pub struct IssuedApiKey {
    /// The key.
    pub key: ApiKeyView,
    /// What clients send: `bf_`, 32 hexadecimal digits of the id, `_`, 43 characters.
    pub secret: SecretString,
}

/// An API key without its secret.
#[derive(Debug, Clone, Serialize)]
pub struct ApiKeyView {
    /// `key_…`.
    pub id: ApiKeyId,
    /// Always `api_key`.
    pub object: &'static str,
    /// For which tenant.
    pub tenant: TenantId,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
}

impl From<&ApiKey> for ApiKeyView {
    fn from(key: &ApiKey) -> Self {
        let ApiKey { id, tenant, name, created_at, revoked_at, .. } = key.clone();
        Self { id, object: "api_key", tenant, name, created_at, revoked_at }
    }
}

impl Billfold {
    /// Makes a key for a tenant.
    pub async fn issue_api_key(&self, tenant: &TenantId, name: &str) -> Result<IssuedApiKey> {
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(Error::invalid("/name", "expected 1 to 100 printable characters"));
        }
        let now = self.now();
        let id = ApiKeyId::generate(now, self.entropy().as_ref())?;
        let random = random_token(self.entropy().as_ref())?;
        let digits = id.to_string().split_off("key_".len());
        let key = ApiKey {
            id,
            tenant: tenant.clone(),
            name: name.to_owned(),
            secret_hash: sha256(random.expose_secret().as_bytes()).to_vec(),
            created_at: now,
            revoked_at: None,
            version: 1,
        };
        let view = ApiKeyView::from(&key);
        self.insert(Changes { api_keys: vec![Write::Insert(key)], ..Changes::default() }).await?;
        Ok(IssuedApiKey {
            key: view,
            secret: SecretString::from(format!("{SCHEME}{digits}_{}", random.expose_secret())),
        })
    }

    /// The tenant of a presented key. Unknown, revoked and wrong keys are one error.
    pub async fn authenticate(&self, presented: &str) -> Result<TenantId> {
        let refused = || Error::new(ErrorKind::Unauthenticated, "the API key is missing, wrong or revoked");
        let parts = presented.strip_prefix(SCHEME).and_then(|rest| rest.split_once('_'));
        let (digits, random) = parts.ok_or_else(refused)?;
        let id: ApiKeyId = format!("key_{digits}").parse().map_err(|_| refused())?;
        let stored = self.store().api_key(id).await?;
        // An unknown key is compared too, so that its answer takes as long.
        let expected = stored.as_ref().map_or_else(|| vec![0; 32], |key| key.secret_hash.clone());
        let equal = constant_time_eq(&expected, &sha256(random.as_bytes()));
        match stored {
            Some(key) if equal && key.revoked_at.is_none() => Ok(key.tenant),
            _ => Err(refused()),
        }
    }

    /// A tenant's keys, oldest first, revoked ones included.
    pub async fn list_api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKeyView>> {
        Ok(self.store().api_keys(tenant).await?.iter().map(ApiKeyView::from).collect())
    }

    /// Refuses a key from now on. Doing it twice changes nothing.
    pub async fn revoke_api_key(&self, tenant: &TenantId, id: ApiKeyId) -> Result<ApiKeyView> {
        for _ in 0..MAX_ROUNDS {
            let stored = self.store().api_key(id).await?.filter(|key| key.tenant == *tenant);
            let mut key = stored.ok_or_else(|| Error::not_found("API key"))?;
            if key.revoked_at.is_some() {
                return Ok(ApiKeyView::from(&key));
            }
            key.revoked_at = Some(self.now());
            key.version += 1;
            let view = ApiKeyView::from(&key);
            let changes = Changes { api_keys: vec![Write::Update(key)], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(view);
            }
        }
        Err(contended())
    }
}
