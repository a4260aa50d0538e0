//! What the fake key services share: a loopback port, encryption, and faults on order.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use bytes::Bytes;
use futures::stream;
use http::{Request, Response, StatusCode};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What a fake does instead of, or with, its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Closes the connection without an answer.
    Hangup,
    /// Takes the request and never answers.
    Silence,
    /// Answers this status, these headers and this body.
    Answer(StatusCode, Vec<(&'static str, String)>, String),
    /// Sends half of the real answer and closes the connection.
    Half,
    /// Sends the real answer, and four mebibytes of blanks.
    Oversize,
}

impl Fault {
    /// A page such as proxies send.
    pub fn page(status: StatusCode) -> Self {
        let headers = vec![("content-type", "text/html".to_owned())];
        Self::Answer(status, headers, "<html><body><h1>Something is wrong</h1></body></html>".to_owned())
    }
}

/// A request as the fake received it.
#[derive(Debug, Clone)]
pub struct Received {
    /// Method, path and headers.
    pub head: Arc<http::request::Parts>,
    /// The body.
    pub body: Bytes,
}

impl Received {
    /// A header as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// How a service answers.
pub(crate) trait Service: Send + Sync + 'static {
    fn answer(&self, request: &Received) -> Response<String>;
}

/// A service on a loopback port, until it is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    _tasks: JoinSet<()>,
}

#[derive(Debug, Default)]
struct Shared {
    fault: Mutex<Option<Fault>>,
    received: Mutex<Vec<Received>>,
}

/// Tests that fail while they hold a lock shall fail for their own reason.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Server {
    pub(crate) async fn start(service: Arc<dyn Service>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a loopback port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let mut tasks = JoinSet::new();
        tasks.spawn(serve(listener, service, shared.clone()));
        Self { address, shared, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn set_fault(&self, fault: Option<Fault>) {
        *lock(&self.shared.fault) = fault;
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.shared.received).clone()
    }
}

async fn serve(listener: TcpListener, service: Arc<dyn Service>, shared: Arc<Shared>) {
    // Dropped with this task, which ends every connection.
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        connections.spawn(connection(stream, service.clone(), shared.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, service: Arc<dyn Service>, shared: Arc<Shared>) {
    let respond = |request| respond(request, service.clone(), shared.clone());
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), hyper::service::service_fn(respond));
    // Broken connections are what faults are for.
    let _ = served.await;
}

type Answer = Response<BoxBody<Bytes, Broken>>;

/// Ends a connection.
#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on order")
    }
}

impl std::error::Error for Broken {}

async fn respond(
    request: Request<Incoming>,
    service: Arc<dyn Service>,
    shared: Arc<Shared>,
) -> Result<Answer, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let received = Received { head: Arc::new(head), body };
    lock(&shared.received).push(received.clone());
    let fault = lock(&shared.fault).clone();
    match fault {
        None => Ok(service.answer(&received).map(whole)),
        Some(Fault::Hangup) => Err(Broken),
        Some(Fault::Silence) => {
            // Longer than any client waits; the end of the fake ends it.
            tokio::time::sleep(Duration::from_mins(2)).await;
            Err(Broken)
        }
        Some(Fault::Answer(status, headers, body)) => {
            let builder = Response::builder().status(status);
            let builder =
                headers.into_iter().fold(builder, |builder, (name, value)| builder.header(name, value));
            Ok(builder.body(whole(body)).expect("an answer"))
        }
        Some(Fault::Half) => Ok(service.answer(&received).map(half)),
        Some(Fault::Oversize) => {
            Ok(service.answer(&received).map(|body| whole(body + &" ".repeat(4 * 1024 * 1024))))
        }
    }
}

fn whole(body: String) -> BoxBody<Bytes, Broken> {
    Full::new(Bytes::from(body)).map_err(|never: Infallible| match never {}).boxed()
}

fn half(body: String) -> BoxBody<Bytes, Broken> {
    let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
    StreamBody::new(stream::iter([Ok(Frame::data(half)), Err(Broken)])).boxed()
}

/// 256 bits that encrypt.
pub(crate) struct Cipher(LessSafeKey);

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cipher")
    }
}

impl Cipher {
    pub(crate) fn generate() -> Self {
        let key = UnboundKey::new(&AES_256_GCM, &random::<32>()).expect("a key");
        Self(LessSafeKey::new(key))
    }

    /// Nonce, ciphertext, tag.
    pub(crate) fn seal(&self, associated: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let nonce = random::<NONCE_LEN>();
        let mut body = plaintext.to_vec();
        let unique = Nonce::assume_unique_for_key(nonce);
        self.0.seal_in_place_append_tag(unique, Aad::from(associated), &mut body).expect("encryption");
        [nonce.as_slice(), &body].concat()
    }

    pub(crate) fn open(&self, associated: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut body = body.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        self.0.open_in_place(nonce, Aad::from(associated), &mut body).ok().map(|opened| opened.to_vec())
    }
}

pub(crate) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    aws_lc_rs::rand::fill(&mut bytes).expect("random bytes");
    bytes
}
