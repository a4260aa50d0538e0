//! Merchants and their customers: sessions are started, methods are saved on the gateway's page, browsers come back
//! or do not. What was promised to them is noted.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use reqwest::header::LOCATION;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::installation::{Installation, text};
use crate::notes::{Charge, Erased, Intent, Notes};

/// What the people of a load need to know.
#[derive(Debug, Clone)]
pub(crate) struct People {
    http: reqwest::Client,
    /// The addresses of all servers, without a path.
    servers: Vec<String>,
    api_key: String,
    notes: Arc<Mutex<Notes>>,
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
        Self { http, servers, api_key, notes: Arc::default(), stop: Arc::default() }
    }

    fn write(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was wanted and told so far.
    pub(crate) fn notes(&self) -> Notes {
        self.write().clone()
    }

    fn note(&self, intent: usize, change: impl FnOnce(&mut Intent)) {
        if let Some(intent) = self.write().intents.get_mut(intent) {
            change(intent);
        }
    }

    /// A customer of its own wants to save a method; its number, and the merchant's reference of the customer. None of
    /// these references is a part of another.
    pub(crate) fn new_intent(&self) -> (usize, String) {
        let mut notes = self.write();
        let index = notes.intents.len();
        let reference = format!("customer-{index}-of-the-load");
        notes.intents.push(Intent { reference: reference.clone(), ..Intent::default() });
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
            "gateway": "main",
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
                let (id, status) = (text(&session, "id")?, text(&session, "status")?);
                // A request that is repeated gets the first answer again, however long ago that was.
                self.note(intent, |intent| {
                    intent.answered(&id, session["customer_id"].as_str());
                    intent.completed |= status == "completed";
                });
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

    /// Charges a method as a careful merchant does: again with the same key until there is an answer.
    pub(crate) async fn charge(
        &self,
        method: &str,
        key: &str,
        amount: i64,
        dice: &mut StdRng,
    ) -> anyhow::Result<()> {
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
                (201, Ok(charge)) => {
                    let id = text(&charge, "id")?;
                    self.write().charges.insert(key.to_owned(), Charge { id, amount });
                    return Ok(());
                }
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

    /// The browser comes back, if anybody is there; the shop's address that it is sent to says how it went.
    pub(crate) async fn come_back(&self, intent: usize, address: &str) {
        let answer = self.http.get(address).send().await;
        let shop = answer.ok().and_then(|answer| location(&answer)?.parse::<url::Url>().ok());
        let status = shop.and_then(|shop| {
            shop.query_pairs().find(|(name, _)| name == "status").map(|(_, status)| status.into_owned())
        });
        if let Some(status) = status {
            self.note(intent, |intent| intent.told(&status));
        }
    }

    /// The merchant asks how a session stands, if anybody is there.
    pub(crate) async fn ask_about(&self, intent: usize, session: &Value, dice: &mut StdRng) {
        let url = format!("{}/v1/sessions/{}", self.server(dice), session["id"].as_str().unwrap_or_default());
        let Ok(answer) = self.http.get(url).bearer_auth(&self.api_key).send().await else { return };
        if let Ok(shown) = answer.json::<Value>().await
            && shown["object"] == "session"
            && let Some(status) = shown["status"].as_str()
        {
            self.note(intent, |intent| intent.told(status));
        }
    }

    /// The merchant erases whom an intent is about: again until it is taken.
    pub(crate) async fn erase(
        &self,
        database: &str,
        intent: &Intent,
        dice: &mut StdRng,
    ) -> anyhow::Result<()> {
        let mut erased = Erased::about(database, intent).await?;
        let began = Instant::now();
        while began.elapsed() < PERSISTENCE {
            let url = format!("{}/v1/customers/{}", self.server(dice), erased.customer);
            let Ok(answer) = self.http.delete(url).bearer_auth(&self.api_key).send().await else {
                sleep(Duration::from_millis(20)).await;
                continue;
            };
            let status = answer.status().as_u16();
            match (status, answer.json::<Value>().await) {
                (200 | 202, Ok(erasure)) => {
                    erased.erasure = text(&erasure, "id")?;
                    self.write().erased.push(erased);
                    return Ok(());
                }
                (200 | 202, Err(_)) | (409 | 429 | 500..=599, _) => {}
                (status, shown) => bail!("an erasure was answered with {status}: {shown:?}"),
            }
            sleep(Duration::from_millis(50)).await;
        }
        bail!("the erasure of {} never got an answer", erased.customer)
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
            {
                if dice.random_ratio(1, 2) {
                    self.come_back(intent, &back).await;
                }
                for _ in 0..dice.random_range(0..3) {
                    self.ask_about(intent, &session, &mut dice).await;
                }
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

    /// Nobody begins anything new; what was wanted and told.
    pub(crate) async fn end(mut self) -> anyhow::Result<Notes> {
        self.people.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.tasks.join_next().await {
            ended.context("a person of the load panicked")??;
        }
        Ok(self.people.notes())
    }

    /// As [`Self::end`], and whoever got no answer asks until there is one: the same key, the same session.
    pub(crate) async fn end_and_ask_again(self) -> anyhow::Result<Notes> {
        let people = self.people.clone();
        let mut asking = JoinSet::new();
        for (number, intent) in self.end().await?.intents.into_iter().enumerate() {
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
        Ok(people.notes())
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
