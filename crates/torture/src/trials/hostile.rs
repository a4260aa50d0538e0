//! A provider that does what no provider may, linked beside a good one: the process goes on, whoever asks the bad one
//! is told so in time, and whoever asks the good one notices nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::books::at_rest;
use crate::installation::{Installation, Options, text};
use crate::load::Load;
use crate::trial::{Backend, Plan, Verdict};

/// Core's own limit for one call to a gateway, and some.
const ENDS: Duration = Duration::from_secs(25);
/// What a good client waits at most, 99 times of 100: a small part of what the bad provider takes.
const GOOD: Duration = Duration::from_secs(2);

/// Objects at the bad gateway, made while it behaved.
struct Objects {
    /// What its browser comes back to.
    back: String,
    open: String,
    customer: String,
    method: String,
    held: [String; 2],
    paid: String,
}

/// Every way of misbehaving at every call.
pub(super) async fn provider(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let mut here = Installation::start(&backend, Options { hostile: true, ..Options::default() }).await?;
    let load = Load::begin(&here, 2, Duration::from_millis(100), plan.seed);
    let over = Arc::new(AtomicBool::new(false));
    let mut good = JoinSet::new();
    good.spawn(good_client(here.http.clone(), here.url(0, "/v1"), here.api_key.clone(), over.clone()));
    let (mut calls, mut refused, mut slowest) = (0, 0, Duration::ZERO);
    // The time-out is the same whatever the database is: the quick tier waits for it once.
    let all = ["panic", "garbage", "hang"];
    let moods = if plan.quick && matches!(backend, Backend::Postgres(_)) { &all[..2] } else { &all[..] };
    for mood in moods {
        std::fs::write(here.orders(), "behave")?;
        let objects = objects(&here).await.with_context(|| format!("before {mood}"))?;
        std::fs::write(here.orders(), mood)?;
        let mut asked = JoinSet::new();
        for (method, path, body) in requests(&objects) {
            asked.spawn(ask(here.http.clone(), here.url(0, &path), here.api_key.clone(), method, body));
        }
        while let Some(answer) = asked.join_next().await {
            let Answer { what, status, typed, took } = answer??;
            ensure!(took < plan.within(ENDS), "{mood}: {what} took {took:?}");
            ensure!(status < 400 || typed, "{mood}: {what} was answered with {status} and no problem");
            (calls, refused, slowest) = (calls + 1, refused + usize::from(status >= 400), slowest.max(took));
        }
        // What the workers do by themselves: they ask about what is open and what has to be deleted.
        sleep(Duration::from_secs(2)).await;
        ensure!(here.is_alive(0), "{mood}: the process ended");
    }
    std::fs::write(here.orders(), "behave")?;
    over.store(true, Ordering::Relaxed);
    let mut waits = good.join_next().await.context("no good client")???;
    waits.sort();
    let p99 = waits.get(waits.len() * 99 / 100).or(waits.last()).copied().unwrap_or_default();
    ensure!(p99 < plan.within(GOOD), "a good client waited {p99:?}");
    let found = at_rest(&here, &load.end().await?).await?;
    ensure!(here.is_alive(0), "the process ended");
    Ok(Verdict::Held(format!(
        "{calls} requests in {} moods, {refused} refused, slowest {} ms, 0 exits; {} good requests, p99 {} ms; {}",
        moods.len(),
        slowest.as_millis(),
        waits.len(),
        p99.as_millis(),
        found.told()
    )))
}

/// Sessions, methods and charges at the bad gateway, while it behaves.
async fn objects(here: &Installation) -> anyhow::Result<Objects> {
    let post = async |path: &str, body: Value| -> anyhow::Result<Value> {
        let request = here.http.post(here.url(0, path)).bearer_auth(&here.api_key).json(&body);
        let answer = request.send().await?;
        let status = answer.status();
        let shown = answer.json::<Value>().await?;
        ensure!(status.is_success(), "POST {path}: {status} {shown}");
        Ok(shown)
    };
    let start = async || post("/v1/sessions", session()).await;
    let (open, saved, returning) = (start().await?, start().await?, start().await?);
    let back = |session: &Value| session["next"]["url"].as_str().map(str::to_owned).context("no way back");
    here.http.get(back(&saved)?).send().await?;
    let shown = here.get(&format!("/v1/sessions/{}", text(&saved, "id")?)).await?;
    let method = shown["payment_methods"][0].as_str().with_context(|| format!("no method in {shown}"))?;
    let charge = async |capture: &str| {
        let body = json!({"amount": 100_000, "currency": "IDR", "initiator": "customer", "capture": capture});
        text(&post(&format!("/v1/payment-methods/{method}/charges"), body).await?, "id")
    };
    Ok(Objects {
        back: back(&returning)?,
        open: text(&open, "id")?,
        customer: text(&saved, "customer_id")?,
        method: method.to_owned(),
        held: [charge("manual").await?, charge("manual").await?],
        paid: charge("automatic").await?,
    })
}

fn session() -> Value {
    json!({
        "gateway": "hostile", "customer": {"reference": format!("somebody-{}", rand::random::<u64>())},
        "usage": "on_session", "currency": "IDR", "country": "ID", "return_url": "https://shop.example/done",
    })
}

/// Everything that makes the provider do something.
fn requests(objects: &Objects) -> Vec<(Method, String, Value)> {
    let Objects { back, open, customer, method, held: [one, other], paid } = objects;
    let back = back.parse::<url::Url>().map(|url| url[url::Position::BeforePath..].to_owned());
    let charge = json!({"amount": 100_000, "currency": "IDR", "initiator": "customer"});
    let post = |path: String, body: Value| (Method::POST, path, body);
    vec![
        post("/v1/sessions".to_owned(), session()),
        post(format!("/v1/sessions/{open}/cancel"), json!({})),
        (Method::GET, back.unwrap_or_default(), Value::Null),
        post("/webhooks/hostile".to_owned(), json!({"event": "session.completed"})),
        post("/v1/gateways/hostile/check".to_owned(), json!({})),
        post(format!("/v1/payment-methods/{method}/charges"), charge),
        post(format!("/v1/charges/{one}/capture"), json!({})),
        post(format!("/v1/charges/{other}/cancel"), json!({})),
        post(format!("/v1/charges/{paid}/refunds"), json!({})),
        (Method::GET, format!("/v1/charges/{paid}"), Value::Null),
        (Method::GET, "/v1/gateways".to_owned(), Value::Null),
        (Method::DELETE, format!("/v1/customers/{customer}"), Value::Null),
    ]
}

/// What came of a request.
struct Answer {
    what: String,
    status: u16,
    /// Whether it is a problem for programs, or a page for people.
    typed: bool,
    took: Duration,
}

async fn ask(
    http: reqwest::Client,
    url: String,
    api_key: String,
    method: Method,
    body: Value,
) -> anyhow::Result<Answer> {
    let what = format!("{method} {url}");
    let began = Instant::now();
    let mut request = http.request(method, &url).bearer_auth(api_key);
    if !body.is_null() {
        request = request.json(&body);
    }
    let answer = request.send().await.with_context(|| what.clone())?;
    let kind = answer.headers().get(reqwest::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default();
    let typed = kind.starts_with("application/problem+json") || kind.starts_with("text/html");
    let status = answer.status().as_u16();
    answer.bytes().await.with_context(|| what.clone())?;
    Ok(Answer { what, status, typed, took: began.elapsed() })
}

/// Asks what needs nothing but the database, and what needs the good gateway; how long each took.
async fn good_client(
    http: reqwest::Client,
    url: String,
    api_key: String,
    over: Arc<AtomicBool>,
) -> anyhow::Result<Vec<Duration>> {
    let mut waits = Vec::new();
    while !over.load(Ordering::Relaxed) {
        let list = http.get(format!("{url}/sessions?limit=1"));
        let check = http.post(format!("{url}/gateways/main/check"));
        for request in [list, check] {
            let asked = Instant::now();
            let answer = request.bearer_auth(&api_key).send().await?;
            ensure!(answer.status().is_success(), "a good client was answered with {}", answer.status());
            waits.push(asked.elapsed());
        }
        sleep(Duration::from_millis(25)).await;
    }
    Ok(waits)
}
