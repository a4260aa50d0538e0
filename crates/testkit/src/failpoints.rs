//! Every step of a story fails, crashes, or happens twice, one after the other: the end is the same as if nothing had
//! happened.
//!
//! The story is everything that changes something: two methods are saved, one by webhook and one by the browser's
//! return, the first is charged by its customer and by the merchant, an amount is held, captured and given back in part,
//! one is deleted, a value of the merchant's own is put and replaced, data keys are rotated and values sealed
//! anew, a customer is erased. A step is one call to the store or to the gateway. Whoever meets an error or a crash does
//! what such people do: clients and gateways ask again, a process starts again over the same database, workers work.

mod orders;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::audit::Actor;
use billfold_core::capability::Usage;
use billfold_core::clock::{ManualClock, Timestamp};
use billfold_core::gateway::Gateway;
use billfold_core::id::{ChargeId, CustomerId, PaymentMethodId, SessionId, VaultRecordId};
use billfold_core::name::TenantId;
use billfold_core::provider::{CustomerProfile, RecurringTerms, ReturnRequest, WebhookDelivery};
use billfold_core::schedule::Schedule;
use billfold_core::settings::Mode;
use billfold_core::store::{Page, Store, StoreError, StoreResult};
use billfold_core::vault::{KeyWrapper, OnConflict, PutRecord, ReplaceRecord, SecretValue, Vault};
use billfold_core::{Billfold, CustomerSelector, ErrorKind, Result, StartSession};
use tokio::sync::Notify;

use self::orders::{BY_CUSTOMER, BY_MERCHANT, HELD};
use crate::between::{Behind, Between};
use crate::reference::{
    Instrument, NoTransport, ReferenceGateway, ReferenceProvider, SECRET_HEADER, Trouble,
};
use crate::simulation::Database;
use crate::vault::test_root;

const BEGINNING: Timestamp = Timestamp::from_millis(1_780_000_000_000);
const SECRET: &str = "CANARY-webhook-secret";
/// How often somebody who meets an error asks again.
const TRIES: usize = 4;

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The store says no, and did nothing.
    FailsBefore,
    /// The store did it, and its answer is lost.
    FailsAfter,
    /// The process dies before it.
    DiesBefore,
    /// The process dies after it.
    DiesAfter,
}

const HOW: [How; 4] = [How::FailsBefore, How::FailsAfter, How::DiesBefore, How::DiesAfter];

/// What the gateway is asked.
const CALLS: [&str; 8] = [
    "create_session",
    "fetch_session",
    "fetch_method",
    "delete_method",
    "charge",
    "fetch_charge",
    "capture_charge",
    "refund_charge",
];

const TROUBLES: [Trouble; 3] = [Trouble::LostBefore, Trouble::LostAfter, Trouble::Panic];

/// What goes wrong in one telling of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    Store(usize, How),
    /// The gateway's next call of a kind, from an act on.
    Gateway(usize, &'static str, Trouble),
    /// An act is done twice.
    Twice(usize),
}

/// Stands before the store and counts.
#[derive(Debug)]
struct Point {
    calls: AtomicUsize,
    fault: Fault,
    died: Notify,
}

impl Point {
    fn lost() -> StoreError {
        StoreError { message: "the connection was lost, says the test".to_owned(), transient: true }
    }

    async fn die(&self) {
        self.died.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Between for Point {
    async fn before(&self, _: &'static str) -> StoreResult<()> {
        let call = self.calls.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::Store(at, How::FailsBefore) if at == call => Err(Self::lost()),
            Fault::Store(at, How::DiesBefore) if at == call => {
                self.die().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    async fn after(&self, _: &'static str) -> StoreResult<()> {
        // One thing after the other: this is the call that was counted last.
        let call = self.calls.load(Ordering::SeqCst);
        match self.fault {
            Fault::Store(at, How::FailsAfter) if at == call => Err(Self::lost()),
            Fault::Store(at, How::DiesAfter) if at == call => {
                self.die().await;
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

/// What people remember between the acts.
#[derive(Debug, Default)]
struct Memory {
    session: Option<SessionId>,
    customer: Option<CustomerId>,
    method: Option<PaymentMethodId>,
    record: Option<VaultRecordId>,
    saved: usize,
    /// How often each order was made anew, because nothing came of it.
    anew: BTreeMap<&'static str, usize>,
    held: Option<ChargeId>,
}

/// The acts; each is what one person or worker does, and may be done again.
const ACTS: [&str; 16] = [
    "start a session",
    "save by webhook",
    "start another session",
    "save by return",
    "charge by the customer",
    "charge by the merchant",
    "hold an amount",
    "capture what is held",
    "give a part back",
    "delete the first",
    "put a value",
    "replace the value",
    "rotate data keys",
    "seal anew",
    "erase the customer of the first",
    "work",
];

struct Stage {
    store: Arc<dyn Store>,
    point: Arc<Point>,
    gateway: Arc<ReferenceGateway>,
    clock: Arc<ManualClock>,
    root: Arc<dyn KeyWrapper>,
    tenant: TenantId,
    memory: Memory,
}

impl Stage {
    fn process(&self, store: Arc<dyn Store>) -> Billfold {
        let vault = Vault::builder(store.clone(), self.root.clone()).clock(self.clock.clone()).build();
        let url = "https://pay.merchant.example/".parse().unwrap();
        Billfold::builder(store, vault, url)
            .clock(self.clock.clone())
            .schedule(Schedule { at_once: 1, ..Schedule::default() })
            .gateway(Gateway {
                name: "reference".parse().unwrap(),
                tenant: self.tenant.clone(),
                kind: "reference".to_owned(),
                mode: Mode::Test,
                provider: Arc::new(ReferenceProvider::new(self.gateway.clone(), SECRET)),
                transport: Arc::new(NoTransport),
            })
            .build()
            .unwrap()
    }

    /// Does an act until it succeeded, starting again after a crash.
    async fn act(&mut self, act: usize) {
        let mut last = String::new();
        for _ in 0..TRIES {
            let watched: Arc<dyn Store> = Behind::new(self.store.clone(), self.point.clone());
            let billfold = self.process(watched);
            let point = self.point.clone();
            let done = tokio::select! {
                done = self.try_act(&billfold, act) => done,
                () = point.died.notified() => continue,
            };
            match done {
                Ok(()) => return,
                Err(error) => last = error.log_line(),
            }
            // Leases of those who died run out, and whatever waits for a next attempt is due.
            self.clock.advance(Duration::from_mins(2));
        }
        panic!("{:?}: `{}` does not succeed in {TRIES} tries: {last}", self.point.fault, ACTS[act]);
    }

    async fn try_act(&mut self, billfold: &Billfold, act: usize) -> Result<()> {
        match ACTS[act] {
            "start a session" => self.start(billfold, "first").await,
            "start another session" => self.start(billfold, "second").await,
            "save by webhook" => {
                let session = self.gateway_session();
                self.gateway.complete(&session, Instrument::card("tok-first", "fp-first"));
                self.webhook(billfold, &session).await?;
                work(billfold).await?;
                self.remember(billfold).await
            }
            "save by return" => {
                let session = self.gateway_session();
                self.gateway.complete(&session, Instrument::card("tok-second", "fp-second"));
                let address = self.gateway.return_address(&session).unwrap();
                let nonce = address.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
                let id = self.memory.session.unwrap();
                match billfold.on_return(id, &nonce, ReturnRequest::new("")).await {
                    // The first visit was half done: the browser is told so, and the sweep does the rest.
                    Err(error) if error.kind() == ErrorKind::Gone => Ok(()),
                    answer => answer.map(|_| ()),
                }
            }
            "charge by the customer" => self.charge(billfold, BY_CUSTOMER).await.map(|_| ()),
            "charge by the merchant" => {
                let charge = self.charge(billfold, BY_MERCHANT).await?;
                let told =
                    self.gateway.ledger().into_iter().find(|known| known.reference == charge.to_string());
                self.deliver(billfold, &told.unwrap().news("charge.succeeded")).await?;
                work(billfold).await
            }
            "hold an amount" => {
                self.memory.held = Some(self.charge(billfold, HELD).await?);
                Ok(())
            }
            "capture what is held" => self.capture(billfold).await,
            "give a part back" => self.give_back(billfold).await,
            "delete the first" => {
                let method = self.memory.method.unwrap();
                billfold.delete_method(&self.tenant, method).await?;
                work(billfold).await
            }
            "put a value" => {
                let mut put = PutRecord::new("owner", "note", SecretValue::json(&"a value of our own")?);
                // Whoever got no answer puts it again and wants the one that is there.
                put.on_conflict = OnConflict::Keep;
                let put = billfold.vault().put(&self.tenant, put).await?;
                self.memory.record = Some(put.record.id);
                Ok(())
            }
            "replace the value" => {
                let value = ReplaceRecord::new(SecretValue::json(&"another value of our own")?);
                let record = self.memory.record.unwrap();
                billfold.vault().replace(&self.tenant, record, value).await.map(|_| ())
            }
            "rotate data keys" => {
                let now = billfold.clock().now();
                billfold.vault().rotate_data_step(None, now, None, 10_000).await.map(|_| ())
            }
            "seal anew" => billfold.vault().reseal_step(None, 10_000).await.map(|_| ()),
            "erase the customer of the first" => {
                let customer = self.memory.customer.unwrap();
                billfold.erase_customer(&self.tenant, customer, &Actor::new("test")).await?;
                work(billfold).await
            }
            _ => work(billfold).await,
        }
    }

    async fn start(&mut self, billfold: &Billfold, customer: &str) -> Result<()> {
        let mut request = StartSession::new(
            CustomerSelector::reference(customer, CustomerProfile::default()),
            Usage::UnscheduledMerchant,
            "IDR".parse().unwrap(),
            "ID".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        );
        let ends_on = "2030-12-31".to_owned();
        request.recurring = Some(RecurringTerms { frequency_days: 1, ends_on });
        let session = billfold.start_session(&self.tenant, request).await?;
        self.memory.session = Some(session.id);
        if self.memory.saved == 0 {
            self.memory.customer = Some(session.customer_id);
        }
        Ok(())
    }

    /// The gateway's id of the session that was answered last.
    fn gateway_session(&self) -> String {
        self.gateway.sessions().pop().unwrap()
    }

    async fn webhook(&self, billfold: &Billfold, session: &str) -> Result<()> {
        let reference = self.memory.session.unwrap().to_string();
        let body =
            serde_json::json!({"event": "session.completed", "session": session, "reference": reference});
        self.deliver(billfold, &body).await
    }

    async fn deliver(&self, billfold: &Billfold, body: &serde_json::Value) -> Result<()> {
        let body = body.to_string();
        let mut headers = http::HeaderMap::new();
        headers.append(SECRET_HEADER, SECRET.parse().unwrap());
        let delivery = WebhookDelivery::new(body.into_bytes().into(), headers, "", billfold.clock().now());
        billfold.receive(&"reference".parse().unwrap(), delivery).await.map(|_| ())
    }

    /// The merchant looks what was saved.
    async fn remember(&mut self, billfold: &Billfold) -> Result<()> {
        let customer = self.memory.customer.unwrap();
        let methods = billfold.list_methods(&self.tenant, customer, Page::first(10)).await?;
        if let Some(method) = methods.first() {
            (self.memory.method, self.memory.saved) = (Some(method.id), 1);
            return Ok(());
        }
        // The worker that had it died or failed: somebody looks again later.
        Err(billfold_core::Error::not_found("payment method"))
    }

    /// Time goes past every schedule, and everybody works.
    async fn rest(&self) {
        let billfold = self.process(self.store.clone());
        for _ in 0..40 {
            self.clock.advance(Duration::from_hours(1));
            work(&billfold).await.unwrap();
        }
    }

    /// What is left in the end, in words: the same whatever happened on the way.
    async fn end(&self) -> String {
        let store = &self.store;
        let sessions = store.sessions(&self.tenant, None, Page::first(100)).await.unwrap();
        let completed = sessions.iter().filter(|session| session.status.as_str() == "completed").count();
        let mut events: BTreeMap<String, usize> = BTreeMap::new();
        for event in store.events_after(&self.tenant, 0, 1000).await.unwrap() {
            // A session whose creation failed or died ends somehow; whether there was one depends on the fault.
            // So does how often a charge was ordered; what is left of an erased customer's are names.
            let depends = [
                "session.expired",
                "session.failed",
                "session.canceled",
                "charge.unknown",
                "charge.declined",
                "charge.refund_failed",
            ];
            if !depends.contains(&event.name.as_str()) {
                *events.entry(event.name).or_default() += 1;
            }
        }
        let mut methods = Vec::new();
        for customer in store.customers(&self.tenant, Page::first(100)).await.unwrap() {
            for method in store.methods(&self.tenant, customer.id, Page::first(100)).await.unwrap() {
                methods.push((customer.reference.clone(), method.status.as_str(), method.token.is_some()));
            }
        }
        let due = store.claim_deliveries(Timestamp::from_millis(i64::MAX / 2), BEGINNING, 100).await.unwrap();
        let billfold = self.process(store.clone());
        let verified = billfold.vault().verify_step(None, 10_000).await.unwrap();
        let record = self.memory.record.unwrap();
        let actor = Actor::new("test");
        let value = billfold.vault().reveal(&self.tenant, record, &actor).await.unwrap();
        let tokens: Vec<_> =
            ["tok-first", "tok-second"].iter().map(|token| self.gateway.token_status(token)).collect();
        let books = self.books();
        format!(
            "{completed} completed sessions, methods {methods:?}, events {events:?}, {} webhooks wait, tokens {tokens:?}, \
             {} values refused, value {:?}, charged {books}",
            due.len(),
            verified.refused.len(),
            value.value.read::<String>().unwrap(),
        )
    }
}

/// Works until nothing is due.
async fn work(billfold: &Billfold) -> Result<()> {
    loop {
        let done = billfold.process(10).await?
            + billfold.remove_tokens(10).await?
            + billfold.continue_erasures(10).await?
            + billfold.reconcile(10).await?
            + billfold.reconcile_charges(10).await?;
        if done == 0 {
            return Ok(());
        }
    }
}

/// Tells the story once: how it ends, how many calls to the store it took, and which calls to the gateway in which act.
async fn tell(database: &Database, fault: Fault) -> (String, usize, BTreeSet<(usize, &'static str)>) {
    let mut stage = Stage {
        store: database.store.clone(),
        point: Arc::new(Point { calls: AtomicUsize::new(0), fault, died: Notify::new() }),
        gateway: Arc::new(ReferenceGateway::new()),
        clock: Arc::new(ManualClock::new(BEGINNING)),
        root: test_root(),
        tenant: TenantId::default_tenant(),
        memory: Memory::default(),
    };
    let mut asked = BTreeSet::new();
    for (act, name) in ACTS.into_iter().enumerate() {
        let before = stage.gateway.calls().len();
        if let Fault::Gateway(at, call, trouble) = fault
            && at == act
        {
            stage.gateway.order(call, trouble);
        }
        stage.act(act).await;
        if fault == Fault::Twice(act) && act != 0 && act != 2 {
            stage.act(act).await;
        }
        let calls = stage.gateway.calls();
        asked.extend(
            CALLS
                .into_iter()
                .filter(|call| calls[before..].contains(&(*call).to_owned()))
                .map(|call| (act, call)),
        );
        if name == "give a part back" {
            stage.compare().await;
        }
    }
    stage.rest().await;
    let calls = stage.point.calls.load(Ordering::SeqCst);
    (stage.end().await, calls, asked)
}

/// Tells the story with every fault at every step, over a database of its own each time; with only every `stride`-th of
/// them where a database takes its time. Says how many tellings there were. Panics at the first that ends
/// otherwise than the story without faults.
pub async fn hold<F>(stride: usize, fresh: impl Fn() -> F) -> usize
where
    F: Future<Output = Database>,
{
    let (expected, calls, asked) = tell(&fresh().await, Fault::Nothing).await;
    let mut faults = Vec::new();
    for how in HOW {
        faults.extend((1..=calls).map(|call| Fault::Store(call, how)));
    }
    for (act, call) in asked {
        faults.extend(TROUBLES.map(|trouble| Fault::Gateway(act, call, trouble)));
    }
    faults.extend((0..ACTS.len()).map(Fault::Twice));
    let mut count = 0;
    for fault in faults.into_iter().step_by(stride.max(1)) {
        count += 1;
        let (end, ..) = tell(&fresh().await, fault).await;
        assert_eq!(end, expected, "{fault:?}");
    }
    count
}
