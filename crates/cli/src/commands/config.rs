//! `config` and `providers`: what needs neither a database nor a server.

use billfold_core::registry::Registry;
use billfold_server::{App, Config};
use serde_json::json;

use crate::args::{ConfigCommand, Global};
use crate::client::sources;
use crate::output;

pub(crate) fn run(global: &Global, command: &ConfigCommand) -> anyhow::Result<()> {
    match command {
        ConfigCommand::Check => {
            let config = Config::load(&sources(global))?;
            App::check(&config, &Registry::linked()?)?;
            if global.json {
                output::json(&json!({"ok": true, "gateways": config.gateways.keys().collect::<Vec<_>>()}));
            } else {
                output::say!("the configuration is good; it has {} gateway(s)", config.gateways.len());
            }
        }
        ConfigCommand::Explain => {
            let keys = Config::explain(&sources(global))?;
            let answer = json!({"data": keys, "has_more": false});
            output::list(global.json, &answer, &[("key", "/key"), ("value", "/value"), ("from", "/origin")]);
        }
    }
    Ok(())
}

pub(crate) fn providers(global: &Global) -> anyhow::Result<()> {
    let registry = Registry::linked()?;
    let providers = registry.iter().map(|provider| {
        json!({"provider": provider.kind, "name": provider.name, "settings_example": provider.settings_example})
    });
    let answer = json!({"data": providers.collect::<Vec<_>>(), "has_more": false});
    output::list(
        global.json,
        &answer,
        &[("provider", "/provider"), ("name", "/name"), ("settings", "/settings_example")],
    );
    Ok(())
}
