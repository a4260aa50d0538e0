//! API keys: 256 random bits that name their own row. Only a SHA-256 of the secret is stored; it is
//! long enough that a slow hash would protect nothing and cost every request.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::{MAX_ROUNDS, contended};
use crate::audit::Actor;
use crate::billfold::Billfold;
use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::id::ApiKeyId;
use crate::idempotency::Intent;
use crate::name::TenantId;
use crate::scope::{InvalidScope, Scopes};
use crate::secret::{constant_time_eq, random_token, sha256};
use crate::store::{ApiKey, Changes, Commit, Write};

const SCHEME: &str = "bf_";

/// Who calls: a tenant's API key, or whoever has the database and the keys at hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// For which tenant.
    pub tenant: TenantId,
    /// What they may do.
    pub scopes: Scopes,
    /// Their name in the audit trail.
    pub actor: Actor,
}

impl Principal {
    /// The operator, inside this process.
    pub fn operator(tenant: TenantId, name: &str) -> Self {
        Self { tenant, scopes: Scopes::all(), actor: Actor::new(format!("cli:{name}")) }
    }
}

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
    /// What its bearer may do.
    pub scopes: Scopes,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when it is refused.
    pub revoked_at: Option<Timestamp>,
}

impl From<&ApiKey> for ApiKeyView {
    fn from(key: &ApiKey) -> Self {
        let ApiKey { id, tenant, name, scopes, created_at, revoked_at, .. } = key.clone();
        Self { id, object: "api_key", tenant, name, scopes, created_at, revoked_at }
    }
}

impl Billfold {
    /// Makes a key for the caller's tenant. Nobody hands out more than they may do themselves.
    pub async fn issue_api_key(&self, by: &Principal, name: &str, scopes: Scopes) -> Result<IssuedApiKey> {
        self.issue_api_key_for(by, name, scopes, None).await
    }

    /// The same; calls with one intent make one key. Its secret is not stored, so each call gives it another, and the
    /// one before, which nobody was told, opens nothing any more.
    pub async fn issue_api_key_for(
        &self,
        by: &Principal,
        name: &str,
        scopes: Scopes,
        intent: Option<&Intent>,
    ) -> Result<IssuedApiKey> {
        let tenant = &by.tenant;
        if name.is_empty() || name.chars().count() > 100 || name.chars().any(char::is_control) {
            return Err(Error::invalid("/name", "expected 1 to 100 printable characters"));
        }
        if scopes.is_empty() {
            return Err(Error::invalid("/scopes", InvalidScope.to_string()));
        }
        if !by.scopes.covers(&scopes) {
            let message = format!("you may hand out only what you may do yourself: {}", by.scopes);
            return Err(Error::new(ErrorKind::Forbidden, message));
        }
        let now = self.now();
        let id = match intent {
            Some(intent) => intent.id(),
            None => ApiKeyId::generate(now, self.entropy().as_ref())?,
        };
        let made = if intent.is_some() { self.store().api_key(id).await? } else { None };
        let random = random_token(self.entropy().as_ref())?;
        let digits = id.to_string().split_off("key_".len());
        let key = ApiKey {
            id,
            tenant: tenant.clone(),
            name: name.to_owned(),
            scopes,
            secret_hash: sha256(random.expose_secret().as_bytes()).to_vec(),
            created_at: made.as_ref().map_or(now, |made| made.created_at),
            revoked_at: made.as_ref().and_then(|made| made.revoked_at),
            version: made.as_ref().map_or(1, |made| made.version + 1),
        };
        let view = ApiKeyView::from(&key);
        let details = serde_json::json!({"name": view.name, "scopes": view.scopes});
        let object = id.to_string();
        let entry = self.vault().audit_entry(tenant, &by.actor, "api_key.create", &object, &details);
        let audit = vec![entry.await?];
        let write = if made.is_some() { Write::Update(key) } else { Write::Insert(key) };
        self.insert(Changes { api_keys: vec![write], audit, ..Changes::default() }).await?;
        Ok(IssuedApiKey {
            key: view,
            secret: SecretString::from(format!("{SCHEME}{digits}_{}", random.expose_secret())),
        })
    }

    /// Whose a presented key is. Unknown, revoked and wrong keys are one error. A key that was looked up a
    /// moment ago is believed as it was then ([`crate::BillfoldBuilder::api_key_cache`]).
    pub async fn authenticate(&self, presented: &str) -> Result<Principal> {
        let refused = || Error::new(ErrorKind::Unauthenticated, "the API key is missing, wrong or revoked");
        let parts = presented.strip_prefix(SCHEME).and_then(|rest| rest.split_once('_'));
        let (digits, random) = parts.ok_or_else(refused)?;
        let id: ApiKeyId = format!("key_{digits}").parse().map_err(|_| refused())?;
        let now = self.now();
        let stored = match self.known_keys().get(id, now) {
            Some(known) => Some(known),
            None => self.store().api_key(id).await?.inspect(|key| self.known_keys().keep(key, now)),
        };
        // An unknown key is compared too, so that its answer takes as long.
        let expected = stored.as_ref().map_or_else(|| vec![0; 32], |key| key.secret_hash.clone());
        let equal = constant_time_eq(&expected, &sha256(random.as_bytes()));
        match stored {
            Some(key) if equal && key.revoked_at.is_none() => {
                Ok(Principal { tenant: key.tenant, scopes: key.scopes, actor: Actor::new(id.to_string()) })
            }
            _ => Err(refused()),
        }
    }

    /// A tenant's keys, oldest first, revoked ones included.
    pub async fn list_api_keys(&self, tenant: &TenantId) -> Result<Vec<ApiKeyView>> {
        Ok(self.store().api_keys(tenant).await?.iter().map(ApiKeyView::from).collect())
    }

    /// Refuses a key from now on; other processes may believe it a moment longer
    /// ([`crate::BillfoldBuilder::api_key_cache`]). Doing it twice changes nothing.
    pub async fn revoke_api_key(&self, by: &Principal, id: ApiKeyId) -> Result<ApiKeyView> {
        let tenant = &by.tenant;
        for _ in 0..MAX_ROUNDS {
            let stored = self.store().api_key(id).await?.filter(|key| key.tenant == *tenant);
            let mut key = stored.ok_or_else(|| Error::not_found("API key"))?;
            if key.revoked_at.is_some() {
                return Ok(ApiKeyView::from(&key));
            }
            key.revoked_at = Some(self.now());
            key.version += 1;
            let view = ApiKeyView::from(&key);
            let details = serde_json::json!({"name": view.name});
            let text = id.to_string();
            let entry = self.vault().audit_entry(tenant, &by.actor, "api_key.revoke", &text, &details);
            let audit = vec![entry.await?];
            let changes = Changes { api_keys: vec![Write::Update(key)], audit, ..Changes::default() };
            let commit = self.store().commit(changes).await;
            self.known_keys().forget(id);
            if commit? == Commit::Applied {
                return Ok(view);
            }
        }
        Err(contended())
    }
}
