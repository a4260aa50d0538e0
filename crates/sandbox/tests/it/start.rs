//! Starting and stopping.

use std::net::SocketAddr;

use billfold_sandbox::{Sandbox, SandboxConfig, SandboxError};

use crate::support::{KEY, World, config};

#[tokio::test]
async fn it_listens_on_this_machine_only() {
    for address in ["0.0.0.0:0", "192.0.2.1:0", "[::]:0"] {
        let listen: SocketAddr = address.parse().unwrap();
        let error = Sandbox::start(SandboxConfig { listen, ..config() }).await.unwrap_err();
        assert!(matches!(error, SandboxError::NotLoopback(found) if found == listen), "{error}");
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let world = World::start().await;
    let url = world.sandbox.base_url();
    let listen: SocketAddr = format!("127.0.0.1:{}", url.port().unwrap()).parse().unwrap();
    let error = Sandbox::start(SandboxConfig { listen, ..config() }).await.unwrap_err();
    assert!(matches!(error, SandboxError::Bind(found, _) if found == listen), "{error}");
    assert!(error.to_string().contains(&listen.to_string()));
}

#[tokio::test]
async fn it_stops_when_told_and_its_address_is_free() {
    let world = World::start().await;
    let url = world.sandbox.base_url();
    world.sandbox.shutdown().await;
    let listen: SocketAddr = format!("127.0.0.1:{}", url.port().unwrap()).parse().unwrap();
    let again = Sandbox::start(SandboxConfig { listen, ..config() }).await.unwrap();
    assert_eq!(again.base_url(), url);
}

#[tokio::test]
async fn nothing_prints_its_secrets() {
    let world = World::start().await;
    let printed = format!("{:?} {:?} {:?}", config(), world.sandbox, world.control());
    assert!(!printed.contains("CANARY"), "{KEY} is printed");
}
