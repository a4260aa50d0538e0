//! The vault as configured: who keeps its root key, and how it works.

use std::sync::Arc;
use std::time::Duration;

use billfold_core::audit::Actor;
use billfold_core::erasure::{ErasureLedger as _, FileLedger};
use billfold_core::store::Store;
use billfold_core::vault::{KeyWrapper, LocalWrapper, Vault, WrapperRegistry, WrapperSettings};
use billfold_core::{Billfold, Error, ErrorKind, Result};

use crate::config::{Config, VaultConfig};

/// Webhooks that match nothing are tried again for 31 hours.
const MIN_RETENTION_DAYS: u32 = 2;

/// The root keys of a configuration.
pub(crate) struct RootKeys {
    current: Arc<dyn KeyWrapper>,
    older: Vec<Arc<dyn KeyWrapper>>,
}

/// Reads `[vault]`, and calls nobody.
pub(crate) fn root_keys(config: &Config) -> Result<RootKeys> {
    if config.vault.webhook_retention_days < MIN_RETENTION_DAYS {
        let problem = format!("expected at least {MIN_RETENTION_DAYS}");
        return Err(config.wrong("vault.webhook_retention_days", &problem));
    }
    check_ledger(config)?;
    let older = config.vault.previous_root_keys.iter().enumerate().map(|(index, key)| {
        let wrapper = LocalWrapper::from_base64(key)
            .map_err(|error| config.wrong_item("vault.previous_root_keys", index, &error.to_string()));
        wrapper.map(|wrapper| Arc::new(wrapper) as Arc<dyn KeyWrapper>)
    });
    let mut older = older.collect::<Result<Vec<_>>>()?;
    let registry = WrapperRegistry::linked()?;
    for (name, previous) in &config.vault.previous_wrappers {
        let key = format!("vault.previous_wrappers.{name}.settings");
        older.push(elsewhere(config, &registry, &previous.wrapper, key, previous.settings.table())?);
    }
    Ok(RootKeys { older, current: root(config, &registry)? })
}

/// The current root key, by the kind of its wrapper.
fn root(config: &Config, registry: &WrapperRegistry) -> Result<Arc<dyn KeyWrapper>> {
    let VaultConfig { wrapper, settings, root_key, .. } = &config.vault;
    if wrapper == LocalWrapper::KIND {
        return local(config);
    }
    let root = elsewhere(config, registry, wrapper, "vault.settings".to_owned(), settings.table())?;
    if root_key.is_some() {
        let problem = format!(
            "the wrapper {wrapper} keeps its root key elsewhere; an older one of your own belongs into vault.previous_root_key_files"
        );
        return Err(config.wrong("vault.root_key", &problem));
    }
    Ok(root)
}

/// A root key in a key service, by a linked crate.
fn elsewhere(
    config: &Config,
    registry: &WrapperRegistry,
    kind: &str,
    key: String,
    values: serde_json::Value,
) -> Result<Arc<dyn KeyWrapper>> {
    let origin = config.origin(&key);
    registry.build(kind, &WrapperSettings { origin, key, development: config.server.development, values })
}

fn local(config: &Config) -> Result<Arc<dyn KeyWrapper>> {
    let key = config.vault.root_key.as_ref().ok_or_else(|| {
        let mend = "is missing; make one with `billfold keys init` and set vault.root_key_file";
        Error::new(ErrorKind::Configuration, format!("configuration: vault.root_key: {mend}"))
    })?;
    let wrapper = LocalWrapper::from_base64(key);
    let wrapper = wrapper.map_err(|error| config.wrong("vault.root_key", &error.to_string()))?;
    Ok(Arc::new(wrapper))
}

/// The vault over a store.
pub(crate) fn build(config: &Config, store: Arc<dyn Store>, keys: RootKeys) -> Vault {
    Vault::builder(store, keys.current)
        .older(keys.older)
        .suite(config.vault.suite)
        .key_cache(Duration::from_secs(config.vault.key_cache_seconds))
        .build()
}

/// Refuses to work with root keys that are not the database's.
pub(crate) async fn check(config: &Config, vault: &Vault) -> Result<()> {
    vault.check().await.map_err(|error| match error.kind() {
        ErrorKind::Configuration => config.wrong("vault.root_key", error.message()),
        _ => error,
    })
}

/// How long webhooks' bodies are kept.
pub(crate) fn webhook_retention(config: &Config) -> Duration {
    Duration::from_secs(u64::from(config.vault.webhook_retention_days) * 24 * 60 * 60)
}

/// The ledger of erasures, if there is one.
pub(crate) fn ledger(config: &Config) -> Option<FileLedger> {
    config.vault.erasure_ledger_file.as_ref().map(FileLedger::new)
}

/// Erases again whom an older copy of the database brought back.
pub(crate) async fn reapply_erasures(config: &Config, billfold: &Billfold) -> Result<()> {
    let Some(ledger) = ledger(config) else { return Ok(()) };
    let count = billfold.reapply_erasures(&ledger.entries().await?, &Actor::system()).await?;
    if count > 0 {
        tracing::warn!(count, "the database had brought back who was erased; they are erased again");
    }
    Ok(())
}

/// An erasure must not fail over a folder that was misspelt.
fn check_ledger(config: &Config) -> Result<()> {
    let Some(file) = &config.vault.erasure_ledger_file else { return Ok(()) };
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    if folder.is_some_and(|folder| !folder.is_dir()) {
        let problem = format!("the folder of {} does not exist", file.display());
        return Err(config.wrong("vault.erasure_ledger_file", &problem));
    }
    Ok(())
}
