//! The HTTP server: authentication, faults and the record around the gateway's routes.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::SandboxConfig;
use crate::clock::{SandboxClock, iso};
use crate::delivery::Outbox;
use crate::fault::FaultOrder;
use crate::gateway::{Books, Gateway};
use crate::record::{RecordedRequest, body_value, header_map};

/// Everything that changes.
#[derive(Debug, Default)]
pub(crate) struct SandboxState {
    pub(crate) books: Books,
    pub(crate) outbox: Outbox,
    pub(crate) requests: Vec<RecordedRequest>,
    pub(crate) faults: Vec<FaultOrder>,
    pub(crate) webhook_url: Option<Url>,
    pub(crate) callback_token: Option<SecretString>,
}

/// The sandbox as its tasks share it.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) config: SandboxConfig,
    pub(crate) base_url: Url,
    clock: SandboxClock,
    state: Mutex<SandboxState>,
}

impl World {
    pub(crate) fn new(config: SandboxConfig, address: SocketAddr) -> Self {
        let state = SandboxState {
            webhook_url: config.webhook_url.clone(),
            callback_token: Some(config.callback_token.clone()),
            ..SandboxState::default()
        };
        Self { base_url: base_url(address), config, clock: SandboxClock::default(), state: Mutex::new(state) }
    }

    pub(crate) fn now(&self) -> i64 {
        self.clock.now()
    }

    pub(crate) fn advance(&self, seconds: u32) {
        self.clock.advance(i64::from(seconds) * 1000);
        self.pass_time();
    }

    fn lock(&self) -> MutexGuard<'_, SandboxState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at or changes the state, at one moment of the sandbox's clock.
    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut SandboxState, i64) -> T) -> T {
        let now = self.now();
        act(&mut self.lock(), now)
    }

    pub(crate) fn webhook_target(&self) -> Option<(Url, SecretString)> {
        let state = self.lock();
        Some((state.webhook_url.clone()?, state.callback_token.clone()?))
    }

    pub(crate) fn gateway(&self) -> &'static dyn Gateway {
        self.config.gateway.gateway()
    }

    /// Does what the clock makes due.
    pub(crate) fn pass_time(&self) {
        self.gateway().pass_time(self);
    }

    fn take_fault(&self, method: &str, path: &str) -> Option<crate::fault::Fault> {
        self.with(|state, _| {
            let order =
                state.faults.iter_mut().find(|order| order.times > 0 && order.matches(method, path))?;
            order.times -= 1;
            Some(order.fault)
        })
    }
}

pub(crate) fn base_url(address: SocketAddr) -> Url {
    let mut url = LOOPBACK.clone();
    // Neither can fail for an http URL and an address.
    let _ = url.set_ip_host(address.ip());
    let _ = url.set_port(Some(address.port()));
    url
}

#[expect(clippy::expect_used, reason = "a constant that is a URL")]
static LOOPBACK: std::sync::LazyLock<Url> =
    std::sync::LazyLock::new(|| Url::parse("http://127.0.0.1/").expect("a URL"));

/// Serves until the sandbox stops.
pub(crate) async fn serve(listener: tokio::net::TcpListener, world: Arc<World>, stop: CancellationToken) {
    let (api, pages) = (world.gateway().api(&world), world.gateway().pages());
    let api = api.layer(axum::middleware::from_fn_with_state(world.clone(), observe));
    let app: Router<Arc<World>> = api.merge(pages).merge(crate::control::routes());
    let app = app.with_state(world);
    // No graceful wait: a fault may hold a request for minutes, and the sandbox keeps nothing.
    let serving = axum::serve(listener, app).into_future();
    if let Some(Err(error)) = stop.run_until_cancelled(serving).await {
        tracing::error!(%error, "the sandbox stopped serving");
    }
}

/// Records every request and applies the faults that were ordered.
async fn observe(State(world): State<Arc<World>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let bytes = axum::body::to_bytes(body, 1024 * 1024).await.unwrap_or_default();
    let path = parts.uri.path().to_owned();
    let gateway = world.gateway();
    let authorized = gateway.is_authorized(&world, &parts.headers);
    let index = world.with(|state, now| {
        state.requests.push(RecordedRequest {
            at: iso(now),
            method: parts.method.to_string(),
            path: path.clone(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            headers: header_map(&parts.headers, authorized),
            body: body_value(&parts.headers, &bytes),
            status: 0,
        });
        state.requests.len() - 1
    });
    let fault = world.take_fault(parts.method.as_str(), &path);
    let request = Request::from_parts(parts, Body::from(bytes));
    let mut response = match fault {
        None => next.run(request).await,
        Some(fault) if fault.acts() => fault.answer(gateway, Some(next.run(request).await)).await,
        Some(fault) => fault.answer(gateway, None).await,
    };
    if let Ok(id) = HeaderValue::from_str(&format!("sbx-{index:06}")) {
        response.headers_mut().insert("request-id", id);
    }
    world.with(|state, _| {
        if let Some(record) = state.requests.get_mut(index) {
            record.status = response.status().as_u16();
        }
    });
    response
}
