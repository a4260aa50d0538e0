//! A merchant's system that webhooks are sent to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Never answers.
pub(crate) const SILENCE: u16 = 0;

/// A webhook as it came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn name(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// Whether a Standard Webhooks library takes it with this secret.
    pub(crate) fn verifies(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

#[derive(Debug, Clone, Default)]
struct Book {
    received: Arc<Mutex<Vec<Received>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
}

/// Where a receiver takes webhooks.
pub(crate) fn url_at(address: SocketAddr) -> String {
    format!("http://{address}/hooks")
}

/// Ends with the value.
pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    book: Book,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Answers with these statuses, and then with 204.
    pub(crate) async fn start(answers: &[u16]) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), answers)
    }

    /// Where somebody listens already.
    pub(crate) fn on(listener: TcpListener, answers: &[u16]) -> Self {
        let book = Book::default();
        book.answers.lock().unwrap().extend(answers);
        let address = listener.local_addr().unwrap();
        let app = Router::new().fallback(receive).with_state(book.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { address, book, _serving: serving }
    }

    pub(crate) fn url(&self) -> String {
        url_at(self.address)
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.book.received.lock().unwrap().clone()
    }
}

async fn receive(State(book): State<Book>, headers: HeaderMap, body: Bytes) -> StatusCode {
    book.received.lock().unwrap().push(Received { headers, body });
    let next = book.answers.lock().unwrap().pop_front().unwrap_or(204);
    if next == SILENCE {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(next).unwrap()
}
