//! Merchants and their customers: sessions are started, methods are saved on the gateway's page, browsers come back
//! or do not. What was promised to them is noted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::installation::{Installation, text};

/// What a merchant wanted, and what it was told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Intent {
    /// The merchant's reference of the customer; each intent has its own.
    pub(crate) reference: String,
    /// How many requests to start it were sent.
    pub(crate) requests: u32,
    /// The session, once a 201 named it.
    pub(crate) session: Option<String>,
    /// Whether the gateway told the customer's browser that the method is saved.
    pub(crate) saved: bool,
}

/// Everything that was wanted so far.
pub(crate) type Intents = Arc<Mutex<Vec<Intent>>>;

/// What the people of a load need to know.
#[derive(Debug, Clone)]
pub(crate) struct People {
    http: reqwest::Client,
    /// The addresses of all servers, without a path.
    servers: Vec<String>,
    api_key: String,
    pub(crate) intents: Intents,
    pub(crate) stop: Arc<AtomicBool>,
}

/// A load under way.
#[derive(Debug)]
pub(crate) struct Load {
    pub(crate) people: People,
    tasks: JoinSet<anyhow::Result<()>>,
}

const PAGE: [(&str, &str); 2] = [("channel", "BRI_DIRECT_DEBIT"), ("account-number", "1234567890")];
/// How long a merchant goes on asking for one session when a customer waits; one that is asked for while its first
/// request is still marked as running has to wait for longer.
const IMPATIENCE: Duration = Duration::from_millis(500);
/// How long when nobody waits.
pub(crate) const PERSISTENCE: Duration = Duration::from_mins(2);

impl People {
    pub(crate) fn of(here: &Installation) -> Self {
        let servers = (0..here.server_count()).map(|server| here.url(server, "")).collect();
        let (http, api_key) = (here.http.clone(), here.api_key.clone());
        Self { http, servers, api_key, intents: Intents::default(), stop: Arc::default() }
    }

    pub(crate) fn intents(&self) -> Vec<Intent> {
        self.intents.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, intent: usize, change: impl FnOnce(&mut Intent)) {
        let mut intents = self.intents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(intent) = intents.get_mut(intent) {
            change(intent);
        }
    }

    /// A customer of its own wants to save a method; its number, and the merchant's reference of the customer.
    pub(crate) fn new_intent(&self) -> (usize, String) {
        let mut intents = self.intents.lock().unwrap_or_else(PoisonError::into_inner);
        let index = intents.len();
        let reference = format!("customer-{index}");
        intents.push(Intent { reference: reference.clone(), ..Intent::default() });
        (index, reference)
    }

    fn server(&self, dice: &mut StdRng) -> &str {
        &self.servers[dice.random_range(0..self.servers.len())]
    }

    /// One request to start a session; `None` when it has to be asked again.
    pub(crate) async fn ask_once(
        &self,
        intent: usize,
        reference: &str,
        dice: &mut StdRng,
    ) -> anyhow::Result<Option<Value>> {
        let body = json!({
            "customer": {"reference": reference, "given_names": "Lorem", "email": "CANARY@example.com"},
            "usage": "unscheduled_customer", "currency": "IDR", "country": "ID",
            "return_url": "https://shop.example/done",
        });
        self.note(intent, |intent| intent.requests += 1);
        let url = format!("{}/v1/sessions", self.server(dice));
        let request = self.http.post(url).bearer_auth(&self.api_key).header("idempotency-key", reference);
        let Ok(answer) = request.json(&body).send().await else { return Ok(None) };
        let status = answer.status().as_u16();
        match (status, answer.json::<Value>().await) {
            (201, Ok(session)) => {
                let id = text(&session, "id")?;
                self.note(intent, |intent| intent.session = Some(id));
                Ok(Some(session))
            }
            // Its answer got lost on the way; or the server is in trouble, or still at it.
            (201, Err(_)) | (409 | 429 | 500..=599, _) => Ok(None),
            (status, shown) => bail!("POST /v1/sessions answered {status}: {shown:?}"),
        }
    }

    /// Starts a session as a careful merchant does: again with the same key until there is an answer, or its patience
    /// is at its end. The session as it was shown.
    pub(crate) async fn start_session(
        &self,
        intent: usize,
        reference: &str,
        dice: &mut StdRng,
        patience: Duration,
    ) -> anyhow::Result<Option<Value>> {
        let began = Instant::now();
        loop {
            if let Some(session) = self.ask_once(intent, reference, dice).await? {
                return Ok(Some(session));
            }
            if began.elapsed() > patience {
                return Ok(None);
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Charges a method as a careful merchant does: again with the same key until there is an answer. The charge as it
    /// was shown.
    pub(crate) async fn charge(
        &self,
        method: &str,
        key: &str,
        amount: i64,
        dice: &mut StdRng,
    ) -> anyhow::Result<Value> {
        let body = json!({"amount": amount, "currency": "IDR", "initiator": "customer", "reference": key});
        let began = Instant::now();
        while began.elapsed() < PERSISTENCE {
            let url = format!("{}/v1/payment-methods/{method}/charges", self.server(dice));
            let request = self.http.post(url).bearer_auth(&self.api_key).header("idempotency-key", key);
            let Ok(answer) = request.json(&body).send().await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let status = answer.status().as_u16();
            match (status, answer.json::<Value>().await) {
                (201, Ok(charge)) => return Ok(charge),
                // Its answer got lost on the way; or the server is in trouble, or still at it.
                (201, Err(_)) | (409 | 429 | 500..=599, _) => {}
                (status, shown) => bail!("a charge was answered with {status}: {shown:?}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the charge {key} never got an answer")
    }

    /// The customer saves a bank account on the gateway's page; where the gateway sends the browser then. `None` when
    /// the page is over.
    pub(crate) async fn save(&self, intent: usize, session: &Value) -> anyhow::Result<Option<String>> {
        let Some(link) = session["next"]["url"].as_str() else { return Ok(None) };
        let submit = self.http.post(format!("{link}/submit")).form(&PAGE).send().await?;
        let Some(challenge) = location(&submit) else { return Ok(None) };
        let challenge = submit.url().join(&challenge)?;
        let decision = self.http.post(challenge).form(&[("decision", "approve")]).send().await?;
        let Some(back) = location(&decision) else { return Ok(None) };
        self.note(intent, |intent| intent.saved = true);
        Ok(Some(back))
    }

    /// The browser comes back, if anybody is there.
    pub(crate) async fn come_back(&self, address: &str) {
        let _ = self.http.get(address).send().await;
    }

    async fn live(self, seed: u64, pause: Duration) -> anyhow::Result<()> {
        let mut dice = StdRng::seed_from_u64(seed);
        while !self.stop.load(Ordering::Relaxed) {
            let (intent, reference) = self.new_intent();
            let session = self.start_session(intent, &reference, &mut dice, IMPATIENCE).await?;
            // One in ten leaves the page as it is.
            if let Some(session) = session
                && dice.random_ratio(9, 10)
                && let Some(back) = self.save(intent, &session).await?
                && dice.random_ratio(1, 2)
            {
                self.come_back(&back).await;
            }
            sleep(pause).await;
        }
        Ok(())
    }
}

impl Load {
    /// So many people, each doing one thing after the other with a pause in between.
    pub(crate) fn begin(here: &Installation, people: u64, pause: Duration, seed: u64) -> Self {
        let known = People::of(here);
        let mut tasks = JoinSet::new();
        for person in 0..people {
            tasks.spawn(known.clone().live(seed.wrapping_add(person), pause));
        }
        Self { people: known, tasks }
    }

    /// Nobody begins anything new; what was wanted.
    pub(crate) async fn end(mut self) -> anyhow::Result<Vec<Intent>> {
        self.people.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a person of the load panicked")??;
        }
        Ok(self.people.intents())
    }

    /// As [`Self::end`], and whoever got no answer asks until there is one: the same key, the same session.
    pub(crate) async fn end_and_ask_again(self) -> anyhow::Result<Vec<Intent>> {
        let people = self.people.clone();
        let mut asking = JoinSet::new();
        for (number, intent) in self.end().await?.into_iter().enumerate() {
            if intent.session.is_none() {
                let people = people.clone();
                asking.spawn(async move {
                    let mut dice = StdRng::seed_from_u64(number as u64);
                    let answer =
                        people.start_session(number, &intent.reference, &mut dice, PERSISTENCE).await?;
                    answer.with_context(|| format!("I8: {} never got an answer", intent.reference))
                });
            }
        }
        while let Some(answered) = asking.join_next().await {
            answered??;
        }
        Ok(people.intents())
    }
}

/// So many sessions, one after the other in a few lanes, started but not saved; with their intents.
pub(crate) async fn open_sessions(
    people: &People,
    count: u32,
    seed: u64,
) -> anyhow::Result<Vec<(usize, Value)>> {
    const LANES: u32 = 8;
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let people = people.clone();
        let share = count / LANES + u32::from(lane < count % LANES);
        lanes.spawn(async move {
            let mut dice = StdRng::seed_from_u64(seed.wrapping_add(u64::from(lane)));
            let mut sessions = Vec::new();
            for _ in 0..share {
                let (intent, reference) = people.new_intent();
                let session = people.start_session(intent, &reference, &mut dice, PERSISTENCE).await?;
                sessions.push((intent, session.context("a session could not be started")?));
            }
            anyhow::Ok(sessions)
        });
    }
    let mut sessions = Vec::new();
    while let Some(lane) = lanes.join_next().await {
        sessions.extend(lane??);
    }
    Ok(sessions)
}

fn location(answer: &reqwest::Response) -> Option<String> {
    answer.headers().get(LOCATION)?.to_str().ok().map(str::to_owned)
}
