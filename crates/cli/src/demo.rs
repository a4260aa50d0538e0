//! `billfold demo`: a sandbox gateway, the server on SQLite, and a merchant's page.

mod customer;
mod once;
mod page;
mod shop;
mod world;

use std::net::SocketAddr;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::args::{DemoArgs, Global};
use crate::commands::told_to_stop;
use crate::output;
use world::World;

pub(crate) async fn run(global: &Global, args: DemoArgs) -> anyhow::Result<()> {
    let shop = bind_or_free(args.port, args.once).await?;
    let address = shop.local_addr()?;
    let world = World::start(&args.gateways, args.database.as_deref(), address).await?;
    let stop = CancellationToken::new();
    let serving = shop::serve(shop, &world, stop.clone())?;
    if args.once {
        let outcome = once::run(global, &world).await;
        stop.cancel();
        serving.await?;
        world.shutdown().await;
        return outcome;
    }
    output::say!("Open this in your browser:\n\n    http://{address}/\n");
    output::tell!("the server:  {}   (API key {})", world.server, world.api_key);
    for gateway in &world.gateways {
        let (name, url) = (gateway.name(), gateway.sandbox.base_url());
        output::tell!("{name:<12} {url}   (everything it received: {url}_sandbox/requests)");
    }
    output::tell!("Ctrl-C ends the demo.");
    told_to_stop().await;
    stop.cancel();
    serving.await?;
    world.shutdown().await;
    Ok(())
}

/// The wanted port, or a free one when it is taken; nobody looks at the page of `--once`.
async fn bind_or_free(port: u16, any: bool) -> anyhow::Result<TcpListener> {
    let loopback = |port: u16| SocketAddr::from(([127, 0, 0, 1], port));
    if !any && let Ok(listener) = TcpListener::bind(loopback(port)).await {
        return Ok(listener);
    }
    Ok(TcpListener::bind(loopback(0)).await?)
}
