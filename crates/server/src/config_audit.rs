//! Changes of the configuration are entries of the audit trail: which keys, never which values. Of every
//! value a keyed digest is kept, so that the next start can tell what is different.

use std::collections::BTreeMap;

use billfold_core::audit::Actor;
use billfold_core::name::TenantId;
use billfold_core::secret::ExposeSecret as _;
use billfold_core::{Billfold, Error, Result};
use serde::{Deserialize, Serialize};

use crate::config::Config;

const ACTION: &str = "configuration.changed";
/// 128 bits of each digest: enough to tell values apart, and half the size of the entry.
const DIGITS: usize = 32;

/// What an entry says.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Details {
    added: Vec<String>,
    changed: Vec<String>,
    removed: Vec<String>,
    /// The digest of every value in force.
    snapshot: BTreeMap<String, String>,
}

impl Details {
    fn between(before: &BTreeMap<String, String>, now: BTreeMap<String, String>) -> Self {
        let absent = |from: &BTreeMap<String, String>, other: &BTreeMap<String, String>| {
            from.keys().filter(|key| !other.contains_key(*key)).cloned().collect()
        };
        let differs =
            |(key, digest): &(&String, &String)| before.get(*key).is_some_and(|known| known != *digest);
        Self {
            added: absent(&now, before),
            changed: now.iter().filter(differs).map(|(key, _)| key.clone()).collect(),
            removed: absent(before, &now),
            snapshot: now,
        }
    }
}

/// Appends an entry if the configuration is not the one that the last entry tells of.
pub(crate) async fn record(billfold: &Billfold, config: &Config) -> Result<()> {
    let tenant = TenantId::default_tenant();
    let mut now = BTreeMap::new();
    for (key, value) in config.effective() {
        let parts = [b"configuration".as_slice(), key.as_bytes(), value.expose_secret().as_bytes()];
        let digest = billfold.vault().fingerprint(&tenant, &parts).await?;
        now.insert(key.clone(), digest.as_str().chars().take(DIGITS).collect());
    }
    let last = billfold.store().last_audit_entry(&tenant, ACTION).await?;
    let before: Details =
        last.and_then(|entry| serde_json::from_str(&entry.details).ok()).unwrap_or_default();
    if before.snapshot == now {
        return Ok(());
    }
    let details = serde_json::to_value(Details::between(&before.snapshot, now));
    let details = details.map_err(|_| Error::internal("a change of the configuration is not JSON"))?;
    billfold.vault().append_audit(&tenant, &Actor::system(), ACTION, "configuration", &details).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_added_changed_and_removed() {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, digest)| ((*key).to_owned(), (*digest).to_owned())).collect()
        };
        let now = map(&[("a", "1"), ("b", "3"), ("d", "4")]);
        let details = Details::between(&map(&[("a", "1"), ("b", "2"), ("c", "3")]), now.clone());
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected =
            Details { added: names(&["d"]), changed: names(&["b"]), removed: names(&["c"]), snapshot: now };
        assert_eq!(details, expected);
    }
}
