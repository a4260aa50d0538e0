//! The server in this process: two tenants with a gateway each, and a client that checks of every
//! answer what every answer must have.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, Method, Request, header};
use billfold_core::Principal;
use billfold_core::capability::Capabilities;
use billfold_core::gateway::Gateway;
use billfold_core::name::TenantId;
use billfold_core::registry::{Registration, Registry};
use billfold_core::scope::Scopes;
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::{Reached, Transport, TransportError};
use billfold_server::{App, Config, ConfigSources};
use billfold_testkit::reference::{Instrument, ReferenceGateway, ReferenceProvider};
use billfold_testkit::vault::test_vault;
use bytes::Bytes;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::hostile::{HostileProvider, MoodyStore};

pub(crate) const SECRET: &str = "CANARY-webhook-secret";
pub(crate) const RIVAL_SECRET: &str = "CANARY-webhook-secret-of-the-rival";
/// The gateways of the two tenants.
pub(crate) const GATEWAY: &str = "shop-cards";
pub(crate) const RIVAL_GATEWAY: &str = "rival-cards";
const TYPE_BASE: &str = "https://docs.billfold.dev/errors#";

/// The reference provider needs no transport; one that is used anyway is a defect.
#[derive(Debug)]
struct NoTransport;

#[async_trait::async_trait]
impl Transport for NoTransport {
    async fn send(
        &self,
        _: http::Request<Bytes>,
        _: Duration,
    ) -> Result<http::Response<Bytes>, TransportError> {
        Err(TransportError { reached: Reached::NotSent, message: "there is no network here".into() })
    }
}

/// The program, and the hands to move what surrounds it. The first tenant is the one under test; the
/// second one is whoever must not see it.
pub(crate) struct TestApp {
    pub(crate) app: App,
    router: Router,
    pub(crate) store: Arc<MoodyStore>,
    pub(crate) gateway: Arc<ReferenceGateway>,
    pub(crate) provider: Arc<HostileProvider>,
    pub(crate) key: String,
    pub(crate) rival_key: String,
}

pub(crate) fn tenant() -> TenantId {
    "shop".parse().unwrap()
}

pub(crate) fn rival() -> TenantId {
    "rival".parse().unwrap()
}

pub(crate) fn gateway(tenant: TenantId, name: &str, provider: Arc<HostileProvider>) -> Gateway {
    Gateway {
        name: name.parse().unwrap(),
        tenant,
        kind: "reference".into(),
        mode: Mode::Test,
        provider,
        transport: Arc::new(NoTransport),
    }
}

/// One more gateway of the tenant, with capabilities of its own.
pub(crate) fn another(name: &str, mode: Mode, change: impl FnOnce(&mut Capabilities)) -> Gateway {
    let provider = ReferenceProvider::new(Arc::new(ReferenceGateway::new()), SECRET).declaring(change);
    Gateway { mode, ..gateway(tenant(), name, Arc::new(HostileProvider::new(provider))) }
}

fn registry() -> Registry {
    let build = |settings: &Settings| Err(settings.wrong("", "the tests bring their own gateways"));
    Registry::with([Registration {
        kind: "reference",
        name: "Reference",
        build,
        settings_example: "# nothing to set\n",
    }])
    .unwrap()
}

impl TestApp {
    pub(crate) async fn new() -> Self {
        Self::with(Vec::new(), Vec::new()).await
    }

    /// With more gateways, and more of the configuration.
    pub(crate) async fn with(more: Vec<Gateway>, overrides: Vec<(String, Value)>) -> Self {
        Self::of(|_| {}, more, overrides).await
    }

    /// The same with a gateway that wants unproven webhooks refused with this status.
    pub(crate) async fn refusing_webhooks_with(status: u16) -> Self {
        Self::of(|capabilities| capabilities.webhook_refusal = status, Vec::new(), Vec::new()).await
    }

    async fn of(
        change: impl FnOnce(&mut Capabilities),
        more: Vec<Gateway>,
        mut overrides: Vec<(String, Value)>,
    ) -> Self {
        overrides.push(("server.public_url".to_owned(), json!("https://pay.merchant.example")));
        let config = Config::load(&ConfigSources { file: None, overrides }).unwrap();
        let store = Arc::new(MoodyStore::new());
        let vault = test_vault(store.clone());
        let reference = Arc::new(ReferenceGateway::new());
        let hostile =
            |gateway, secret| Arc::new(HostileProvider::new(ReferenceProvider::new(gateway, secret)));
        let usual = ReferenceProvider::new(reference.clone(), SECRET).declaring(change);
        let provider = Arc::new(HostileProvider::new(usual));
        let rivals = hostile(Arc::new(ReferenceGateway::new()), RIVAL_SECRET);
        let mut gateways =
            vec![gateway(tenant(), GATEWAY, provider.clone()), gateway(rival(), RIVAL_GATEWAY, rivals)];
        gateways.extend(more);
        let app = App::assemble(config, registry(), store.clone(), vault, gateways).unwrap();
        let key = issue(&app, &tenant()).await;
        let rival_key = issue(&app, &rival()).await;
        Self { router: app.router(), app, store, gateway: reference, provider, key, rival_key }
    }

    /// A request without a key.
    pub(crate) fn call(&self, method: &str, path: &str) -> Call {
        Call::new(&self.router, method, path)
    }

    /// Asks as the tenant.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path).key(&self.key).send().await
    }

    /// Sends JSON as the tenant.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path).key(&self.key).json(body).send().await
    }

    /// Starts a session for a customer, and gives it as answered.
    pub(crate) async fn start(&self, customer: &str) -> Value {
        let mut body = session_body();
        body["customer"]["reference"] = json!(customer);
        self.post("/v1/sessions", &body).await.ok(201)
    }

    /// The gateway's id of the session that was started last.
    pub(crate) fn last_gateway_session(&self) -> String {
        self.gateway.sessions().pop().unwrap()
    }

    /// The path of the return address that the gateway was given with the last session.
    pub(crate) fn last_return_path(&self) -> String {
        self.gateway.return_address(&self.last_gateway_session()).unwrap().path().to_owned()
    }

    /// Starts a session and has the customer save a card in it; gives the session as it then is.
    pub(crate) async fn save_card(&self, customer: &str, card: &str) -> Value {
        let session = self.start(customer).await;
        self.gateway.complete(
            &self.last_gateway_session(),
            Instrument::card(&format!("tok-{card}"), &format!("fp-{card}")),
        );
        self.call("GET", &self.last_return_path()).send().await.expect(303);
        let settled = self.get(&format!("/v1/sessions/{}", id(&session))).await.ok(200);
        assert_eq!(settled["status"], "completed");
        settled
    }

    /// A webhook to a gateway, with any number of secrets.
    pub(crate) async fn webhook(&self, gateway: &str, secrets: &[&str], body: impl Into<Body>) -> Answer {
        let mut call = self.call("POST", &format!("/webhooks/{gateway}")).body("application/json", body);
        for secret in secrets {
            call = call.header(billfold_testkit::reference::SECRET_HEADER, secret);
        }
        call.send().await
    }

    /// The webhooks stored for the tenant, newest first.
    pub(crate) async fn deliveries(&self) -> Vec<Value> {
        rows(&self.get("/v1/deliveries?limit=100").await.ok(200)).clone()
    }

    /// Works on stored webhooks until nothing is due.
    pub(crate) async fn work(&self) {
        while self.app.billfold().process(10).await.unwrap() > 0 {}
    }
}

pub(crate) async fn issue(app: &App, tenant: &TenantId) -> String {
    issue_with(app, tenant, Scopes::all()).await
}

pub(crate) async fn issue_with(app: &App, tenant: &TenantId, scopes: Scopes) -> String {
    let operator = Principal::operator(tenant.clone(), "test");
    let issued = app.billfold().issue_api_key(&operator, "test", scopes).await.unwrap();
    issued.secret.expose_secret().to_owned()
}

/// A body that starts a session.
pub(crate) fn session_body() -> Value {
    json!({
        "gateway": GATEWAY,
        "customer": {"reference": "c-1", "given_names": "Lorem"},
        "usage": "unscheduled_customer",
        "currency": "IDR",
        "country": "ID",
        "return_url": "https://shop.example/done?cart=7",
    })
}

/// `body` with `value` at a pointer whose parent exists.
pub(crate) fn with(body: &Value, pointer: &str, value: Value) -> Value {
    let mut changed = body.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    changed.pointer_mut(parent).unwrap()[key] = value;
    changed
}

/// `body` without the member at a pointer.
pub(crate) fn without(body: &Value, pointer: &str) -> Value {
    let mut changed = body.clone();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let removed = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
    assert!(removed.is_some(), "there is no {pointer}");
    changed
}

pub(crate) fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

pub(crate) fn rows(list: &Value) -> &Vec<Value> {
    list["data"].as_array().unwrap()
}

/// A request being put together.
pub(crate) struct Call {
    router: Router,
    request: Request<Body>,
}

impl Call {
    pub(crate) fn new(router: &Router, method: &str, path: &str) -> Self {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = method.parse().unwrap();
        *request.uri_mut() = path.parse().unwrap();
        Self { router: router.clone(), request }
    }

    pub(crate) fn key(self, key: &str) -> Self {
        self.header("authorization", &format!("Bearer {key}"))
    }

    pub(crate) fn header(self, name: &'static str, value: &str) -> Self {
        self.raw_header(name, value.as_bytes())
    }

    pub(crate) fn raw_header(mut self, name: &'static str, value: &[u8]) -> Self {
        self.request.headers_mut().append(name, HeaderValue::from_bytes(value).unwrap());
        self
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    pub(crate) fn body(mut self, content_type: &str, body: impl Into<Body>) -> Self {
        *self.request.body_mut() = body.into();
        self.header("content-type", content_type)
    }

    pub(crate) async fn send(self) -> Answer {
        let what = format!("{} {}", self.request.method(), self.request.uri());
        let head = self.request.method() == Method::HEAD;
        let response = self.router.oneshot(self.request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        let answer = Answer { what, status: parts.status.as_u16(), headers: parts.headers, body };
        answer.check_headers();
        if answer.status >= 400 && !head && answer.header("content-type") != "text/html; charset=utf-8" {
            answer.check_problem();
        }
        answer
    }
}

/// An answer that has what every answer must have.
pub(crate) struct Answer {
    /// What was asked, for failures.
    what: String,
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, status, headers, body } = self;
        write!(f, "{what} gave {status} {headers:?} {}", String::from_utf8_lossy(body))
    }
}

impl Answer {
    /// Every answer: not cached, not sniffed, not framed, traceable, and without a secret.
    fn check_headers(&self) {
        for (name, expected) in [
            (header::CACHE_CONTROL, "no-store"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_FRAME_OPTIONS, "DENY"),
        ] {
            assert_eq!(self.header(name.as_str()), expected, "{name} of {self:?}");
        }
        let policy = self.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; "), "{self:?}");
        assert!(policy.ends_with("frame-ancestors 'none'"), "{self:?}");
        assert!(!self.header("x-request-id").is_empty(), "{self:?}");
        assert!(!format!("{:?}", self.headers).contains("CANARY"), "{self:?}");
        assert!(!self.text().contains("CANARY"), "{self:?}");
    }

    /// Every error: problem details that agree with the answer around them.
    fn check_problem(&self) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let problem = self.json();
        let code = problem["code"].as_str().unwrap();
        assert_eq!(problem["type"], format!("{TYPE_BASE}{code}"), "{self:?}");
        assert_eq!(problem["status"], self.status, "{self:?}");
        assert_eq!(problem["instance"], self.header("x-request-id"), "{self:?}");
        assert!(!problem["title"].as_str().unwrap().is_empty(), "{self:?}");
        assert!(
            problem["detail"].as_str().unwrap().starts_with(|c: char| c.is_alphanumeric() || c == '/'),
            "{self:?}"
        );
        let retry_after = problem.get("retry_after").map(ToString::to_string).unwrap_or_default();
        assert_eq!(retry_after, self.header("retry-after"), "{self:?}");
    }

    /// The one value of a header; empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next().map_or("", |value| value.to_str().unwrap());
        assert!(values.next().is_none(), "{name} comes twice: {self:?}");
        first
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> &Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// The body of an answer that went well.
    #[track_caller]
    pub(crate) fn ok(&self, status: u16) -> Value {
        self.expect(status);
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        self.json()
    }

    /// The problem of an answer that did not, without what differs from request to request.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        self.expect(status);
        let mut problem = self.json();
        assert_eq!(problem["code"], code, "{self:?}");
        problem.as_object_mut().unwrap().remove("instance");
        problem
    }

    /// The pointers of a request that was not valid.
    #[track_caller]
    pub(crate) fn pointers(&self) -> Vec<String> {
        let problem = self.problem(400, "invalid_request");
        let errors = problem["errors"].as_array().unwrap_or_else(|| panic!("no pointers: {self:?}"));
        assert!(errors.iter().all(|error| !error["message"].as_str().unwrap().is_empty()), "{self:?}");
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}
