//! `audit` and `erasures`

use anyhow::bail;
use serde_json::json;

use super::resources::{id, query};
use crate::args::{AuditCommand, ErasuresCommand, Global};
use crate::client::ApiClient;
use crate::operator::Operator;
use crate::output::{self, Column};

const ENTRY: &[Column] = &[
    ("sequence", "/sequence"),
    ("at", "/at"),
    ("actor", "/actor"),
    ("action", "/action"),
    ("target", "/target"),
];
const ERASURE: &[Column] = &[
    ("id", "/id"),
    ("state", "/state"),
    ("requested", "/requested_at"),
    ("done", "/done_at"),
    ("gateways", "/gateway_deletions"),
];
const PAGE: u32 = 500;

pub(crate) async fn erasures(global: &Global, command: ErasuresCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        ErasuresCommand::List { page } => {
            let path = format!("/v1/erasures{}", query(&page, &[]));
            output::list(global.json, &api.get(&path).await?, ERASURE);
        }
        ErasuresCommand::Show { id: erasure } => {
            output::object(global.json, &api.get(&format!("/v1/erasures/{}", id(&erasure)?)).await?);
        }
    }
    Ok(())
}

pub(crate) async fn audit(global: &Global, command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::List { page } => {
            let api = ApiClient::connect(global).await?;
            let path = format!("/v1/audit{}", query(&page, &[]));
            output::list(global.json, &api.get(&path).await?, ENTRY);
            Ok(())
        }
        AuditCommand::Verify { head } => verify(global, head.as_deref()).await,
        AuditCommand::Export => export(global).await,
    }
}

async fn verify(global: &Global, head: Option<&str>) -> anyhow::Result<()> {
    let operator = Operator::open(global).await?;
    let verdict = operator.app.billfold().verify_audit(&global.tenant()?, head).await?;
    output::object(global.json, &serde_json::to_value(&verdict)?);
    if let Some(place) = verdict.broken_at {
        bail!("the audit trail was changed: entry {place} is not what was written there");
    }
    Ok(())
}

async fn export(global: &Global) -> anyhow::Result<()> {
    let operator = Operator::open(global).await?;
    let (billfold, tenant) = (operator.app.billfold(), global.tenant()?);
    billfold.vault().append_audit(&tenant, &operator.actor, "audit.export", "audit", &json!({})).await?;
    let mut after = 0;
    loop {
        let entries = billfold.list_audit(&tenant, after, PAGE).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        after = last.sequence;
        for entry in &entries {
            output::say!("{}", serde_json::to_string(entry)?);
        }
    }
}
