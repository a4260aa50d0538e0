//! The commands, one file per group.

mod audit;
mod charges;
mod config;
mod explain;
mod jobs;
mod maintenance;
mod resources;
#[cfg(feature = "sandbox")]
mod sandbox;
mod serve;
mod vault;
mod webhooks;

use clap::CommandFactory as _;
#[cfg(feature = "sandbox")]
pub(crate) use resources::METHOD;
#[cfg(feature = "sandbox")]
pub(crate) use sandbox::settings_toml;
#[cfg(feature = "sandbox")]
pub(crate) use serve::told_to_stop;

use crate::args::{Args, Command, KeysCommand};
use crate::output;

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let global = args.global;
    match args.command {
        #[cfg(feature = "sandbox")]
        Command::Demo(demo) => crate::demo::run(&global, demo).await,
        #[cfg(feature = "sandbox")]
        Command::Sandbox(sandbox) => sandbox::run(&global, sandbox).await,
        Command::Serve(serve) => serve::run(&global, serve).await,
        Command::Migrate => serve::migrate(&global).await,
        Command::Config(command) => config::run(&global, &command),
        Command::Providers => config::providers(&global),
        Command::Completions { shell } => {
            let mut command = Args::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "billfold", &mut script);
            output::bytes(&script);
            Ok(())
        }
        Command::Keys(KeysCommand::GenerateRoot) => crate::root_key::generate(&global),
        Command::Keys(KeysCommand::Init { file }) => crate::root_key::init(&global, &file),
        Command::Gateways(command) => resources::gateways(&global, command).await,
        Command::Sessions(command) => resources::sessions(&global, command).await,
        Command::Charges(command) => charges::run(&global, command).await,
        Command::Methods(command) => resources::methods(&global, command).await,
        Command::Customers(command) => resources::customers(&global, command).await,
        Command::Keys(command) => resources::keys(&global, command).await,
        Command::Vault(command) => vault::run(&global, command).await,
        Command::Erasures(command) => audit::erasures(&global, command).await,
        Command::Audit(command) => audit::audit(&global, command).await,
        Command::Webhooks(command) => webhooks::run(&global, command).await,
        Command::Deliveries(command) => resources::deliveries(&global, command).await,
        Command::Events(command) => resources::events(&global, command).await,
    }
}
