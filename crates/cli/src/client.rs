//! The REST API, over HTTP or in process, by the same code.

use anyhow::{Context as _, bail};
use axum::Router;
use axum::body::Body;
use billfold_core::registry::Registry;
use billfold_server::{App, Config, ConfigSources};
use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use url::Url;

use crate::args::Global;

/// Where requests go.
pub(crate) enum ApiClient {
    /// A server.
    Remote { base: Url, key: String, http: reqwest::Client },
    /// The server's own router, in this process.
    Local(Router),
}

impl ApiClient {
    /// As the global flags say.
    pub(crate) async fn connect(global: &Global) -> anyhow::Result<Self> {
        if let Some(base) = &global.server {
            let key = global.api_key.clone().context("--server needs --api-key or BILLFOLD_API_KEY")?;
            return Self::remote(base.clone(), key);
        }
        let config = Config::load(&sources(global))?;
        let app = App::build(config, Registry::linked()?).await?;
        Ok(Self::Local(app.router_as(global.tenant()?, &crate::operator::name())))
    }

    /// A server at `base`, called with an API key.
    pub(crate) fn remote(base: Url, key: String) -> anyhow::Result<Self> {
        let http =
            reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build()?;
        Ok(Self::Remote { base, key, http })
    }

    pub(crate) async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.call(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Option<Value>) -> anyhow::Result<Value> {
        self.call(Method::POST, path, body).await
    }

    /// Sends what has one effect however often it is sent with one key.
    pub(crate) async fn post_once(
        &self,
        path: &str,
        body: Value,
        key: Option<&str>,
    ) -> anyhow::Result<Value> {
        self.send(Method::POST, path, Some(body), key).await
    }

    /// Sends a request; an answer that is not 2xx is an error that says what the problem details say.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        self.send(method, path, body, None).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        idempotency_key: Option<&str>,
    ) -> anyhow::Result<Value> {
        let (status, bytes) = match self {
            Self::Remote { base, key, http } => {
                let url = format!("{}{path}", base.as_str().trim_end_matches('/'));
                let mut request = http.request(method, url).bearer_auth(key);
                if let Some(body) = &body {
                    request = request.json(body);
                }
                if let Some(key) = idempotency_key {
                    request = request.header("idempotency-key", key);
                }
                let response = request.send().await.with_context(|| format!("{base} cannot be reached"))?;
                (response.status(), response.bytes().await?)
            }
            Self::Local(router) => {
                let mut request = http::Request::builder().method(method).uri(path);
                if body.is_some() {
                    request = request.header("content-type", "application/json");
                }
                if let Some(key) = idempotency_key {
                    request = request.header("idempotency-key", key);
                }
                let request =
                    request.body(body.map_or_else(Body::empty, |body| Body::from(body.to_string())))?;
                let response = router.clone().oneshot(request).await?;
                (response.status(), response.into_body().collect().await?.to_bytes())
            }
        };
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if !status.is_success() {
            bail!("{}", problem(status, &answer));
        }
        Ok(answer)
    }
}

/// Where the configuration comes from.
pub(crate) fn sources(global: &Global) -> ConfigSources {
    ConfigSources { file: global.config.clone(), overrides: Vec::new() }
}

fn problem(status: http::StatusCode, answer: &Value) -> String {
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let Some(detail) = text("detail") else { return format!("the server answered {status}") };
    let code = text("code").unwrap_or("error");
    let fields = answer.get("errors").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    match fields {
        [] | [_] => format!("{detail} ({code})"),
        several => {
            let lines = several.iter().map(|field| {
                let part = |key: &str| field.get(key).and_then(Value::as_str).unwrap_or_default();
                format!("\n  {}: {}", part("pointer"), part("message"))
            });
            format!("{detail} ({code}){}", lines.collect::<String>())
        }
    }
}
