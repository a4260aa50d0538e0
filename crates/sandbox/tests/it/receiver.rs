//! A server that webhooks are sent to.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use billfold_sandbox::DeliveryState;
use serde_json::Value;
use tokio::task::JoinSet;
use url::Url;

use crate::support::{World, eventually};

/// A webhook that is answered with 200 and not counted.
const BARRIER: &str = "barrier";

#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

#[derive(Debug, Clone, Default)]
struct Book {
    received: Arc<Mutex<Vec<Received>>>,
    /// The statuses of the answers to come; 200 when there is none. 0 never answers.
    answers: Arc<Mutex<VecDeque<u16>>>,
}

/// Waits until everything was sent that was due: what is due goes out together with a webhook of now.
pub(crate) async fn everything_due_was_sent(world: &World) {
    let before = world.control().deliveries().len();
    world.control().send_webhook(BARRIER, &Value::Null);
    let sent = || world.control().deliveries()[before].state == DeliveryState::Delivered;
    eventually("the barrier is delivered", sent).await;
}

/// Ends with the value.
pub(crate) struct Receiver {
    pub(crate) url: Url,
    book: Book,
    _serving: JoinSet<()>,
}

impl Receiver {
    /// Answers with these statuses, and then with 200.
    pub(crate) async fn start(answers: &[u16]) -> Self {
        let book = Book::default();
        book.answers.lock().unwrap().extend(answers);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/webhooks/main", listener.local_addr().unwrap()).parse().unwrap();
        let app = Router::new().fallback(receive).with_state(book.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { url, book, _serving: serving }
    }

    /// A receiver that a sandbox sends to.
    pub(crate) async fn of(world: &World, answers: &[u16]) -> Self {
        let receiver = Self::start(answers).await;
        world.control().set_webhook(Some(receiver.url.clone()), None);
        receiver
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.book.received.lock().unwrap().clone()
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.received().iter().map(|received| received.body["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until that many have come, and wants no more.
    pub(crate) async fn count(&self, count: usize) -> Vec<Received> {
        eventually(&format!("{count} webhooks"), || self.received().len() >= count).await;
        let received = self.received();
        assert_eq!(received.len(), count, "{:?}", self.events());
        received
    }
}

async fn receive(State(book): State<Book>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let body: Value = serde_json::from_slice(&body).unwrap();
    if body["event"] == BARRIER {
        return StatusCode::OK;
    }
    book.received.lock().unwrap().push(Received { headers, body });
    let answer = book.answers.lock().unwrap().pop_front().unwrap_or(200);
    if answer == 0 {
        std::future::pending::<()>().await;
    }
    StatusCode::from_u16(answer).unwrap()
}
