//! `serve` and `migrate`

use billfold_core::registry::Registry;
use billfold_server::{App, Config, ConfigSources, init_tracing, listen};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::args::{Global, ServeArgs};
use crate::client::sources;
use crate::output;

pub(crate) async fn run(global: &Global, args: ServeArgs) -> anyhow::Result<()> {
    let mut sources = sources(global);
    override_with(&mut sources, "server.listen", args.listen.map(|listen| json!(listen)));
    override_with(&mut sources, "database.url", args.database_url.map(|url| json!(url)));
    let config = Config::load(&sources)?;
    init_tracing(&config.log)?;
    let address = config.server.listen;
    let wrong = config.clone();
    let app = App::build(config, Registry::linked()?).await?;
    let listener = listen(address)
        .map_err(|error| wrong.wrong("server.listen", &format!("cannot listen on {address}: {error}")))?;
    let address = listener.local_addr()?;
    if global.json {
        output::json(&json!({"listening": address}));
    } else {
        output::say!("listening on http://{address}");
    }
    let stop = CancellationToken::new();
    let serving = app.serve(listener, stop.clone());
    tokio::pin!(serving);
    tokio::select! {
        served = &mut serving => return Ok(served?),
        () = told_to_stop() => stop.cancel(),
    }
    Ok(serving.await?)
}

fn override_with(sources: &mut ConfigSources, key: &str, value: Option<serde_json::Value>) {
    sources.overrides.extend(value.map(|value| (key.to_owned(), value)));
}

/// Ctrl-C, or the signal of service managers.
pub(crate) async fn told_to_stop() {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

pub(crate) async fn migrate(global: &Global) -> anyhow::Result<()> {
    let config = Config::load(&sources(global))?;
    App::migrate(&config).await?;
    if global.json {
        output::json(&json!({"migrated": true}));
    } else {
        output::say!("the database's schema is up to date");
    }
    Ok(())
}
