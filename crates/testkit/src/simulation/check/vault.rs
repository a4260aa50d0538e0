//! The vault: everything opens, is under current keys, and the audit trail is whole.

use super::Evidence;

pub(super) async fn check(evidence: &Evidence<'_>) {
    let billfold = &evidence.world.processes[0];
    match billfold.vault().verify_step(None, 100_000).await {
        Ok(verified) if verified.refused.is_empty() => {}
        other => evidence.problem(format!("I9: not every sealed value opens: {other:?}")),
    }
    match billfold.vault().status().await {
        Ok(status) if status.keys_to_rewrap == 0 && status.records_to_reseal == 0 => {}
        other => evidence.problem(format!("I9: not everything is under current keys: {other:?}")),
    }
    for rows in &evidence.tenants {
        match billfold.verify_audit(&rows.tenant, None).await {
            Ok(verdict) if verdict.broken_at.is_none() => {}
            other => evidence.problem(format!("I10: the audit trail is broken: {other:?}")),
        }
    }
}
