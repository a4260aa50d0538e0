//! `sandbox`

use billfold_sandbox::{Sandbox, SandboxConfig};
use serde_json::json;

use crate::args::{Global, SandboxArgs};
use crate::commands::serve::told_to_stop;
use crate::output;

pub(crate) async fn run(global: &Global, args: SandboxArgs) -> anyhow::Result<()> {
    let config = SandboxConfig {
        listen: args.listen,
        secret_key: args.secret_key.clone().into(),
        callback_token: args.callback_token.clone().into(),
        webhook_url: args.webhook_url.clone(),
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::start(config).await?;
    let base = sandbox.base_url();
    if global.json {
        output::json(&json!({
            "base_url": base, "secret_key": args.secret_key, "callback_token": args.callback_token,
            "webhook_url": args.webhook_url,
        }));
    } else {
        println!("the sandbox gateway is at {base}");
        println!("\nIn billfold.toml, with `development = true` under [server]:\n");
        println!("[gateways.sandbox]\nprovider = \"xendit\"\nmode = \"test\"\n");
        println!("[gateways.sandbox.settings]\nbase_url = \"{base}\"");
        println!("secret_key = \"{}\"\ncallback_token = \"{}\"\n", args.secret_key, args.callback_token);
        match args.webhook_url {
            Some(url) => println!("webhooks go to {url}"),
            None => {
                println!("webhooks go nowhere; give --webhook-url http://127.0.0.1:8080/webhooks/sandbox");
            }
        }
    }
    told_to_stop().await;
    sandbox.shutdown().await;
    Ok(())
}
