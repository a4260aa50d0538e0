//! The vault's keys: what only the operator does, on the configured database.

use std::time::Duration;

use anyhow::{Context as _, bail};
use billfold_core::erasure::{ErasureLedger as _, FileLedger};
use billfold_core::store::RecordFilter;
use billfold_core::vault::{KeyId, KeyPurpose, KeyState, Vault};
use serde_json::{Value, json};

use super::jobs::{self, Totals};
use crate::args::{BatchArgs, Global, VaultCommand};
use crate::operator::Operator;
use crate::output::{self, Column};

const KEYS: &[Column] = &[
    ("root key", "/wrapper"),
    ("purpose", "/purpose"),
    ("state", "/state"),
    ("keys", "/keys"),
    ("records", "/records"),
];
const RETIRED_AT_ONCE: u32 = 100;

pub(crate) async fn run(global: &Global, command: VaultCommand) -> anyhow::Result<()> {
    let operator = Operator::open(global).await?;
    match command {
        VaultCommand::Status => status(global, &operator).await,
        VaultCommand::Verify(batch) => verify(global, &operator, &batch).await,
        VaultCommand::RotateRoot(batch) => rotate_root(global, &operator, &batch).await,
        VaultCommand::RotateData { older_than_days, batch } => {
            rotate_data(global, &operator, older_than_days, &batch).await
        }
        VaultCommand::Compromise { key_id } => compromise(global, &operator, &key_id).await,
        VaultCommand::Reseal(batch) => reseal(global, &operator, &batch).await,
        VaultCommand::Scrub => scrub(global, &operator).await,
        VaultCommand::ErasuresExport => erasures_export(global, &operator).await,
        VaultCommand::ErasuresApply { file } => erasures_apply(global, &operator, &file).await,
        VaultCommand::Put(_)
        | VaultCommand::Get { .. }
        | VaultCommand::List { .. }
        | VaultCommand::Reveal { .. }
        | VaultCommand::Replace(_)
        | VaultCommand::Delete { .. } => bail!("this command speaks the REST API"),
    }
}

fn vault(operator: &Operator) -> &Vault {
    operator.app.billfold().vault()
}

async fn status(global: &Global, operator: &Operator) -> anyhow::Result<()> {
    let status = vault(operator).status().await?;
    let mut answer = serde_json::to_value(&status)?;
    if global.json {
        output::json(&answer);
        return Ok(());
    }
    let keys = answer.as_object_mut().and_then(|fields| fields.remove("keys"));
    output::object(false, &answer);
    output::say!(
        "{}",
        output::table(keys.as_ref().and_then(Value::as_array).map_or(&[], Vec::as_slice), KEYS)
    );
    Ok(())
}

async fn verify(global: &Global, operator: &Operator, batch: &BatchArgs) -> anyhow::Result<()> {
    // It changes nothing, and is what helps when the key of the audit trail itself is damaged.
    if let Err(error) = operator.record("vault.verify", json!({})).await {
        output::tell!("the audit trail has no entry of this: {error:#}");
    }
    let expected = operator.app.billfold().store().count_vault_records(&RecordFilter::All).await?;
    let bar = jobs::bar("opening records", expected);
    let (mut opened, mut refused, mut after) = (0, Vec::new(), None);
    loop {
        let step = vault(operator).verify_step(after, batch.batch).await?;
        bar.inc(u64::try_from(step.opened + step.refused.len()).unwrap_or(u64::MAX));
        opened += step.opened;
        refused.extend(step.refused);
        after = step.next;
        if after.is_none() {
            break;
        }
        jobs::rest(batch).await;
    }
    bar.finish_and_clear();
    output::object(global.json, &json!({"opened": opened, "refused": refused}));
    if !refused.is_empty() {
        bail!("{} of {} records do not open", refused.len(), opened + refused.len());
    }
    Ok(())
}

async fn rotate_root(global: &Global, operator: &Operator, batch: &BatchArgs) -> anyhow::Result<()> {
    let vault = vault(operator);
    let status = vault.status().await?;
    operator.record("vault.rotate_root", json!({"root": status.root.as_str()})).await?;
    let step = async |after| vault.rotate_root_step(after, batch.batch).await;
    let totals = jobs::run("wrapping data keys", status.keys_to_rewrap, batch, step).await?;
    let left = vault.status().await?.keys_to_rewrap;
    report(global, totals, &[("keys_to_rewrap", left)]);
    totals.check("data keys")?;
    if left > 0 {
        output::tell!(
            "{left} keys are still under another root key: a server that has it was writing; run this again"
        );
    }
    Ok(())
}

async fn rotate_data(
    global: &Global,
    operator: &Operator,
    older_than_days: u32,
    batch: &BatchArgs,
) -> anyhow::Result<()> {
    let (vault, tenant) = (vault(operator), global.named_tenant()?);
    let age = Duration::from_secs(u64::from(older_than_days) * 24 * 60 * 60);
    let cutoff = operator.app.billfold().clock().now().minus(age);
    operator.record("vault.rotate_data", json!({"tenant": tenant, "made_before": cutoff})).await?;
    let counts = vault.status().await?.keys;
    let primary =
        counts.iter().filter(|count| count.purpose == KeyPurpose::Data && count.state == KeyState::Primary);
    let expected = primary.map(|count| count.keys).sum();
    let step = async |after| vault.rotate_data_step(tenant.as_ref(), cutoff, after, batch.batch).await;
    let totals = jobs::run("replacing data keys", expected, batch, step).await?;
    let left = vault.status().await?.records_to_reseal;
    report(global, totals, &[("records_to_reseal", left)]);
    totals.check("data keys")
}

async fn compromise(global: &Global, operator: &Operator, key_id: &str) -> anyhow::Result<()> {
    let id = KeyId::from_hex(key_id).context("KEY_ID: expected 32 hexadecimal digits")?;
    let tenant = global.tenant()?;
    operator.record("vault.compromise", json!({"key": id.to_string(), "tenant": tenant})).await?;
    vault(operator).compromise_key(&tenant, id).await?;
    output::object(global.json, &json!({"key": id.to_string(), "state": KeyState::Compromised}));
    output::tell!("what it sealed is opened only to be sealed anew: run `billfold vault reseal`");
    Ok(())
}

async fn reseal(global: &Global, operator: &Operator, batch: &BatchArgs) -> anyhow::Result<()> {
    let vault = vault(operator);
    let status = vault.status().await?;
    operator.record("vault.reseal", json!({"suite": status.suite})).await?;
    let step = async |after| vault.reseal_step(after, batch.batch).await;
    let totals = jobs::run("sealing records anew", status.records_to_reseal, batch, step).await?;
    let mut retired = 0;
    loop {
        match vault.retire_keys(RETIRED_AT_ONCE).await? {
            0 => break,
            some => retired += some,
        }
    }
    let left = vault.status().await?.records_to_reseal;
    let retired = i64::try_from(retired).unwrap_or(i64::MAX);
    report(global, totals, &[("keys_destroyed", retired), ("records_to_reseal", left)]);
    totals.check("records")?;
    if left > 0 {
        output::tell!(
            "{left} records were written under superseded keys meanwhile; run this again in some minutes"
        );
    }
    Ok(())
}

async fn scrub(global: &Global, operator: &Operator) -> anyhow::Result<()> {
    let scrubbed = vault(operator).scrub().await?;
    output::object(global.json, &json!({"scrubbed": scrubbed}));
    Ok(())
}

async fn erasures_export(global: &Global, operator: &Operator) -> anyhow::Result<()> {
    for entry in operator.app.billfold().erasure_ledger(&global.tenant()?).await? {
        output::say!("{}", serde_json::to_string(&entry)?);
    }
    Ok(())
}

async fn erasures_apply(global: &Global, operator: &Operator, file: &std::path::Path) -> anyhow::Result<()> {
    // A ledger that is not there is an empty one to who writes it, and a mistake of who reads it.
    std::fs::metadata(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let entries = FileLedger::new(file).entries().await?;
    operator.record("vault.erasures_apply", json!({"entries": entries.len()})).await?;
    let erased = operator.app.billfold().reapply_erasures(&entries, &operator.actor).await?;
    output::object(global.json, &json!({"entries": entries.len(), "erased": erased}));
    Ok(())
}

fn report(global: &Global, totals: Totals, more: &[(&str, i64)]) {
    let Totals { seen, changed, failed } = totals;
    let mut answer = json!({"seen": seen, "changed": changed, "failed": failed});
    for (key, count) in more {
        answer[*key] = json!(count);
    }
    output::object(global.json, &answer);
}
