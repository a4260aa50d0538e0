//! Who runs this program, and the configured database for what only they may do.

use anyhow::bail;
use billfold_core::audit::Actor;
use billfold_core::registry::Registry;
use billfold_core::{Principal, Result};
use billfold_server::config::LogConfig;
use billfold_server::{App, Config, init_tracing};

use crate::args::Global;
use crate::client::sources;

/// The operating system's user, as the audit trail calls them. The environment is not asked, for anybody
/// may write into their own.
pub(crate) fn name() -> String {
    let id = rustix::process::getuid().as_raw();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let known = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, uid) = (fields.next()?, fields.nth(1)?);
        (uid.parse() == Ok(id)).then(|| name.to_owned())
    });
    known.unwrap_or_else(|| format!("uid-{id}"))
}

/// The program on the configured database, for commands that no server offers.
pub(crate) struct Operator {
    pub(crate) app: App,
    pub(crate) actor: Actor,
}

impl Operator {
    pub(crate) async fn open(global: &Global) -> anyhow::Result<Self> {
        if global.server.is_some() {
            bail!("this works on the configured database; leave --server out");
        }
        let config = Config::load(&sources(global))?;
        init_tracing(&LogConfig { filter: "warn".to_owned(), ..config.log.clone() })?;
        let app = App::build(config, Registry::linked()?).await?;
        Ok(Self { app, actor: Principal::operator(global.tenant()?, &name()).actor })
    }

    /// Writes into the audit trail what is about to be done.
    pub(crate) async fn record(&self, action: &str, details: serde_json::Value) -> Result<()> {
        let tenant = billfold_core::name::TenantId::default_tenant();
        self.app.billfold().vault().record_job(&tenant, &self.actor, action, &details).await
    }
}
