//! Many connections at the same moment.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// More than the 128 that a listener usually lets wait.
const AT_ONCE: usize = 300;

#[tokio::test]
async fn connections_wait_for_a_server_that_is_busy() {
    let most =
        fs::read_to_string("/proc/sys/net/core/somaxconn").ok().and_then(|most| most.trim().parse().ok());
    let at_once = most.map_or(AT_ONCE, |most: usize| most.min(AT_ONCE));
    let listener = billfold_server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr().unwrap();
    // Nobody accepts them: the system has to keep them.
    let connected = (0..at_once).map(|_| TcpStream::connect_timeout(&address, Duration::from_secs(3)));
    let connected: Result<Vec<_>, _> = connected.collect();
    assert_eq!(connected.unwrap().len(), at_once);
    for _ in 0..at_once {
        tokio::time::timeout(Duration::from_secs(3), listener.accept()).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_port_that_is_taken_is_an_error() {
    let listener = billfold_server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    assert!(billfold_server::listen(listener.local_addr().unwrap()).is_err());
}
