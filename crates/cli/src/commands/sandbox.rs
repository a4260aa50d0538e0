//! `sandbox`

use billfold_core::secret::{ExposeSecret as _, SecretString};
use billfold_sandbox::{Kind, Sandbox, SandboxConfig};
use serde_json::json;

use crate::args::{Global, SandboxArgs};
use crate::commands::serve::told_to_stop;
use crate::output;

pub(crate) async fn run(global: &Global, args: SandboxArgs) -> anyhow::Result<()> {
    let provider = args.gateway.stage().provider;
    let defaults = SandboxConfig::of(args.gateway);
    let config = SandboxConfig {
        listen: args.listen,
        secret_key: args.secret_key.map_or(defaults.secret_key.clone(), SecretString::from),
        callback_token: args.webhook_secret.map_or(defaults.callback_token.clone(), SecretString::from),
        webhook_url: args.webhook_url.clone(),
        ..defaults
    };
    let (secret_key, webhook_secret) =
        (config.secret_key.expose_secret().to_owned(), config.callback_token.expose_secret().to_owned());
    let sandbox = Sandbox::start(config).await?;
    let base = sandbox.base_url();
    let settings = args.gateway.settings(&base, &secret_key, &webhook_secret);
    if global.json {
        output::json(&json!({
            "base_url": base, "secret_key": secret_key, "callback_token": webhook_secret,
            "webhook_url": args.webhook_url, "provider": provider, "settings": settings,
        }));
    } else {
        output::say!("the sandbox gateway is at {base}");
        output::say!("\nIn billfold.toml, with `development = true` under [server]:\n");
        output::say!("[gateways.sandbox]\nprovider = \"{provider}\"\nmode = \"test\"\n");
        output::say!(
            "[gateways.sandbox.settings]\n{}",
            settings_toml(args.gateway, &sandbox, &secret_key, &webhook_secret)?
        );
        match args.webhook_url {
            Some(url) => output::say!("webhooks go to {url}"),
            None => {
                output::say!(
                    "webhooks go nowhere; give --webhook-url http://127.0.0.1:8080/webhooks/sandbox"
                );
            }
        }
    }
    told_to_stop().await;
    sandbox.shutdown().await;
    Ok(())
}

/// The settings table of a gateway at `sandbox`, as it stands in a configuration file.
pub(crate) fn settings_toml(
    gateway: Kind,
    sandbox: &Sandbox,
    secret_key: &str,
    webhook_secret: &str,
) -> anyhow::Result<String> {
    Ok(toml::to_string(&gateway.settings(&sandbox.base_url(), secret_key, webhook_secret))?)
}
