//! What must hold when a world is at rest. Each problem begins with the invariant that it breaks:
//!
//! - I1 what was acknowledged is stored, once, and nothing else is
//! - I2 everything that was stored comes to an end
//! - I3 each token of a live customer is one method, or deleted at its gateway because nobody wants it
//! - I4 no method without a token at its gateway
//! - I5 a session is where its gateway is
//! - I6 what was over is not open again (seen by the observer)
//! - I7 each change is told once, in order
//! - I9 every sealed value opens
//! - I10 the audit trail is whole, and tells of every erasure
//! - I11 no secret is in clear anywhere
//! - I12 nothing of one customer or tenant is another's
//! - I13 no session stays open
//! - I16 whoever is erased stays erased
//! - I17 one order is at most one charge at its gateway, as it was ordered
//! - I18 a charge is where its gateway is, with as much taken and given back

mod charges;
mod deliveries;
mod erasures;
mod events;
mod methods;
mod sessions;
mod vault;

use std::path::Path;

use super::observer::has_canary;
use super::rows::{TenantRows, VaultRows};
use super::world::World;

/// What the checks look at.
pub(super) struct Evidence<'a> {
    pub(super) world: &'a World,
    pub(super) tenants: Vec<TenantRows>,
    pub(super) vault: VaultRows,
}

impl Evidence<'_> {
    fn problem(&self, what: String) {
        self.world.scene.problem(what);
    }

    /// The rows of an account's tenant.
    fn tenant_of(&self, account: usize) -> &TenantRows {
        let merchants = &self.world.merchants;
        let at = merchants.iter().position(|merchant| merchant.accounts.contains(&account)).unwrap();
        &self.tenants[at]
    }
}

/// Looks at everything.
pub(super) async fn check(world: &World, files: Option<&Path>) {
    let mut tenants = Vec::new();
    for merchant in &world.merchants {
        tenants.push(TenantRows::read(&world.store, &merchant.tenant).await.unwrap());
    }
    let vault = VaultRows::read(&world.store).await.unwrap();
    let evidence = Evidence { world, tenants, vault };
    sessions::check(&evidence);
    methods::check(&evidence).await;
    charges::check(&evidence);
    erasures::check(&evidence);
    deliveries::check(&evidence).await;
    events::check(&evidence);
    vault::check(&evidence).await;
    let rows = format!("{:?} {:?}", evidence.tenants, evidence.vault);
    if has_canary(rows.as_bytes()) || files.is_some_and(in_files) {
        evidence.problem("I11: a secret is in the database in clear".to_owned());
    }
}

fn in_files(folder: &Path) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    files.filter(|file| file.is_file()).any(|file| has_canary(&std::fs::read(file).unwrap()))
}
