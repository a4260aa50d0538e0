//! The accept loop: time-outs for slow clients, a cap on connections, and a graceful end.

mod patience;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::util::MapRequest;

use crate::source::{Connections, Peer};
use patience::Patience;

/// For a request's head, and for a connection that is kept between requests.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// For a client to take all that it was sent. Reading has limits of its own: that of the head above, and that of
/// bodies where they are read.
const TAKE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests under way may take once the server is told to stop.
const GRACE: Duration = Duration::from_secs(25);
/// How many connections may wait to be accepted; the system may hold it lower (`net.core.somaxconn`). With the 128 that
/// are usual, a burst of gateways' webhooks meets a queue that is full, and connections that only one side knows of.
const BACKLOG: u32 = 4096;

/// Listens where [`crate::App::serve`] shall serve.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A restart must not wait for the connections of the process before it.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts connections until `stop`, then lets those under way finish.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    max_connections: usize,
    sources: Connections,
    stop: CancellationToken,
) {
    let slots = Arc::new(Semaphore::new(max_connections.max(1)));
    let sources = Arc::new(sources);
    let graceful = GracefulShutdown::new();
    let connections = TaskTracker::new();
    loop {
        let Some(Ok(slot)) = stop.run_until_cancelled(slots.clone().acquire_owned()).await else { break };
        let Some(accepted) = stop.run_until_cancelled(listener.accept()).await else { break };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting lets others close.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let Some(held) = sources.hold(peer.ip()) else {
            tracing::debug!(source = %peer.ip(), "a connection was closed: its source has as many as it may have");
            continue;
        };
        let _ = stream.set_nodelay(true);
        let service = MapRequest::new(router.clone(), move |mut request: http::Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer.ip()));
            request
        });
        let service = TowerToHyperService::new(service);
        let connection = hyper::server::conn::http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .serve_connection(TokioIo::new(Patience::new(stream, TAKE_TIMEOUT)), service);
        let connection = graceful.watch(connection);
        connections.spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop((slot, held));
        });
    }
    drop(listener);
    connections.close();
    if tokio::time::timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections were still open at the end");
    }
}
