//! The merchant's system: takes Billfold's webhooks and keeps a log of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// Every event that was taken, by the id in its header.
pub(crate) type Log = BTreeMap<String, Heard>;

/// What came under one id.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    /// What it said when it came first.
    pub(crate) body: Value,
    /// What else it said when it came again.
    pub(crate) others: Vec<Value>,
}

#[derive(Debug)]
pub(crate) struct Merchant {
    port: u16,
    log: Arc<Mutex<Log>>,
    _serving: JoinSet<()>,
}

impl Merchant {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        let log = Arc::<Mutex<Log>>::default();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let app = Router::new().fallback(take).with_state(log.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            let _ = axum::serve(listener, app).await;
        });
        Ok(Self { port, log, _serving: serving })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/hooks", self.port)
    }

    pub(crate) fn log(&self) -> Log {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn take(State(log): State<Arc<Mutex<Log>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let id = headers.get("webhook-id").and_then(|value| value.to_str().ok());
    let (Some(id), Ok(body)) = (id, serde_json::from_slice::<Value>(&body)) else {
        return StatusCode::BAD_REQUEST;
    };
    let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
    match log.get_mut(id) {
        None => {
            log.insert(id.to_owned(), Heard { body, others: Vec::new() });
        }
        Some(heard) if heard.body == body => {}
        Some(heard) => heard.others.push(body),
    }
    StatusCode::NO_CONTENT
}
