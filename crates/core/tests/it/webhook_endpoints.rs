//! What is sent to the merchant's endpoints: everything, in the order of each object, until it is taken or given up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::audit::Actor;
use billfold_core::clock::{Clock as _, ManualClock};
use billfold_core::erasure::Shred;
use billfold_core::idempotency::Intent;
use billfold_core::outgoing::{
    AttemptError, DeliveryAttempt, DisabledReason, EndpointDeliveryState, EndpointDeliveryView,
    EndpointState, SendError, SentAnswer, WebhookEndpointView, WebhookSender,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::store::{Changes, Commit, OutgoingStore as _, Page, ReplayFilter, Store as _};
use billfold_core::{ChangeEndpoint, CreateEndpoint, ErrorKind, Principal};
use billfold_testkit::reference::Instrument;
use bytes::Bytes;
use serde_json::Value;
use standardwebhooks::Webhook;
use url::Url;

use crate::support::World;
use crate::vault::{put, text};

type Outcome = Result<SentAnswer, SendError>;

/// A receiver as a test wants it, and what it got.
#[derive(Debug, Default)]
struct Receiver {
    got: Mutex<Vec<http::Request<Bytes>>>,
    /// What is answered next; 204 when there is nothing.
    answers: Mutex<VecDeque<Outcome>>,
    /// What is answered when there is nothing else.
    always: Mutex<Option<Outcome>>,
    /// Whose clock moves on by how much while it answers.
    takes: Mutex<Option<(Arc<ManualClock>, Duration)>>,
}

#[expect(clippy::unnecessary_wraps, reason = "tests list it beside failures")]
fn status(status: u16) -> Outcome {
    Ok(SentAnswer { status, retry_after: None })
}

#[async_trait]
impl WebhookSender for Receiver {
    fn check_url(&self, url: &Url) -> Result<(), String> {
        if url.scheme() == "https" { Ok(()) } else { Err("expected an https URL".to_owned()) }
    }

    async fn send(&self, request: http::Request<Bytes>) -> Outcome {
        self.got.lock().unwrap().push(request);
        if let Some((clock, time)) = &*self.takes.lock().unwrap() {
            clock.advance(*time);
        }
        let next = self.answers.lock().unwrap().pop_front();
        next.or_else(|| self.always.lock().unwrap().clone()).unwrap_or_else(|| status(204))
    }
}

impl Receiver {
    fn answer(&self, outcomes: impl IntoIterator<Item = Outcome>) {
        self.answers.lock().unwrap().extend(outcomes);
    }

    fn always(&self, outcome: Outcome) {
        *self.always.lock().unwrap() = Some(outcome);
    }

    /// What came since the last look: `webhook-id` and body.
    fn take(&self) -> Vec<(String, Value)> {
        let got = std::mem::take(&mut *self.got.lock().unwrap());
        got.iter().map(|request| (header(request, "webhook-id"), body(request))).collect()
    }

    fn types(&self) -> Vec<String> {
        self.take().into_iter().map(|(_, body)| body["type"].as_str().unwrap().to_owned()).collect()
    }
}

fn header(request: &http::Request<Bytes>, name: &str) -> String {
    request.headers()[name].to_str().unwrap().to_owned()
}

fn body(request: &http::Request<Bytes>) -> Value {
    serde_json::from_slice(request.body()).unwrap()
}

fn world() -> (World, Arc<Receiver>) {
    let receiver = Arc::new(Receiver::default());
    let sender: Arc<dyn WebhookSender> = receiver.clone();
    (World::with(|setup| setup.sender = Some(sender)), receiver)
}

fn operator(world: &World) -> Principal {
    Principal::operator(world.tenant.clone(), "test")
}

impl World {
    async fn listen(&self, events: &[&str]) -> (WebhookEndpointView, String) {
        let create = CreateEndpoint {
            url: "https://shop.example/hooks".to_owned(),
            events: Some(events.iter().map(|&name| name.to_owned()).collect()),
            description: None,
            intent: None,
        };
        let made = self.billfold.create_webhook_endpoint(&operator(self), create).await.unwrap();
        (made.endpoint, made.secret.expose_secret().to_owned())
    }

    /// Makes deliveries and sends what is due now, until nothing is.
    async fn send(&self) -> usize {
        let mut sent = 0;
        loop {
            let mut done = self.billfold.fan_out_events(10).await.unwrap();
            for (tenant, id) in self.billfold.webhook_endpoints_due(10).await.unwrap() {
                let count = self.billfold.send_webhooks(&tenant, id, 8).await.unwrap();
                (sent, done) = (sent + count, done + count);
            }
            if done == 0 {
                return sent;
            }
        }
    }

    async fn deliveries(&self, endpoint: &WebhookEndpointView) -> Vec<EndpointDeliveryView> {
        let page = Page::first(100);
        self.billfold.list_endpoint_deliveries(&self.tenant, endpoint.id, None, page).await.unwrap()
    }

    async fn endpoint(&self, endpoint: &WebhookEndpointView) -> WebhookEndpointView {
        self.billfold.get_webhook_endpoint(&self.tenant, endpoint.id).await.unwrap()
    }

    async fn set(&self, endpoint: &WebhookEndpointView, state: EndpointState) {
        let change = ChangeEndpoint { state: Some(state), ..ChangeEndpoint::default() };
        self.billfold.change_webhook_endpoint(&operator(self), endpoint.id, change).await.unwrap();
    }

    /// One event: a customer's default becomes another.
    async fn saved(&self, customer: &str, card: &str) {
        self.save(customer, Instrument::card(&format!("tok-{card}"), &format!("fp-{card}"))).await;
    }

    async fn audited(&self) -> Vec<String> {
        let entries = self.billfold.list_audit(&self.tenant, 0, 100).await.unwrap();
        entries.into_iter().map(|entry| entry.action).filter(|action| action.starts_with("webhook")).collect()
    }
}

#[tokio::test]
async fn every_wanted_event_is_sent_once_and_signed() {
    let (world, receiver) = world();
    world.saved("c-0", "before").await;
    let (all, secret) = world.listen(&["*"]).await;
    let (some, _) = world.listen(&["payment_method.*"]).await;
    world.saved("c-1", "one").await;
    assert_eq!(world.send().await, 3, "two events to one, one to the other; none from before");
    assert_eq!(world.send().await, 0);
    assert_eq!(world.deliveries(&some).await.len(), 1);

    // The body is what polling shows, and the signature is the specification's.
    let polled = world.billfold.list_events(&world.tenant, 2, 10).await.unwrap();
    let got: Vec<_> = receiver.got.lock().unwrap().drain(..).collect();
    assert_eq!(got.len(), 3);
    for request in &got {
        let event =
            polled.iter().find(|event| event.id.to_string() == header(request, "webhook-id")).unwrap();
        assert_eq!(body(request), serde_json::to_value(event).unwrap());
        let seconds = world.billfold.clock().now().as_millis() / 1000;
        assert_eq!(header(request, "webhook-timestamp"), seconds.to_string());
        assert_eq!(header(request, "content-type"), "application/json");
    }
    let signed = got.iter().filter(|request| signed_by(request, &secret)).count();
    assert_eq!(signed, 2, "each endpoint has a secret of its own");
    let row = &world.deliveries(&all).await[0];
    assert_eq!((row.state, row.attempts, row.last_status), (EndpointDeliveryState::Delivered, 1, Some(204)));
    assert!(row.next_attempt_at.is_none() && row.last_error.is_none());
}

/// The crate compares times with the machine's clock, so the signature is recomputed here.
fn signed_by(request: &http::Request<Bytes>, secret: &str) -> bool {
    let seconds = header(request, "webhook-timestamp").parse().unwrap();
    let expected = Webhook::new(secret).unwrap();
    let expected = expected.sign(&header(request, "webhook-id"), seconds, request.body()).unwrap();
    header(request, "webhook-signature").split(' ').any(|signature| signature == expected)
}

#[tokio::test]
async fn what_fails_is_sent_again_later_under_the_same_id_and_holds_up_its_object_alone() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.*"]).await;
    world.saved("c-1", "one").await;
    receiver.answer([status(500)]);
    assert_eq!(world.send().await, 1);
    let first = receiver.take();
    let row = &world.deliveries(&endpoint).await[0];
    assert_eq!((row.state, row.attempts, row.last_status), (EndpointDeliveryState::Pending, 1, Some(500)));
    let wait = row.next_attempt_at.unwrap().since(world.billfold.clock().now());
    assert!(wait >= Duration::from_secs(4) && wait <= Duration::from_secs(6), "{wait:?}");
    assert!(world.endpoint(&endpoint).await.failing_since.is_some());

    // The same method changes again, and another one is saved.
    let methods = world.store.events_after(&world.tenant, 0, 100).await.unwrap();
    let method = methods.iter().find(|event| event.name == "payment_method.saved").unwrap();
    world.billfold.delete_method(&world.tenant, method.object_id.parse().unwrap()).await.unwrap();
    world.saved("c-2", "two").await;
    assert_eq!(world.send().await, 1, "the deletion waits for its turn");
    assert_eq!(receiver.types(), ["payment_method.saved"]);
    assert!(world.endpoint(&endpoint).await.failing_since.is_none(), "it took one");

    world.clock.advance(Duration::from_secs(6));
    assert_eq!(world.send().await, 2);
    let rest = receiver.take();
    assert_eq!(rest[0], first[0], "the same id and the same body");
    assert_eq!(
        (rest[1].1["type"].as_str(), &rest[1].1["object_id"]),
        (Some("payment_method.deleted"), &first[0].1["object_id"])
    );
    assert!(rest[1].1["sequence"].as_i64() > rest[0].1["sequence"].as_i64());
}

#[tokio::test]
async fn an_event_is_given_up_after_the_last_attempt_and_can_be_replayed() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    world.saved("c-1", "one").await;
    receiver.always(Err(SendError::Timeout));
    let mut attempts = world.send().await;
    // The schedule in full, at the longest that chance makes it.
    for _ in 0..9 {
        let next = world.deliveries(&endpoint).await[0].next_attempt_at.unwrap();
        world.clock.set(next);
        attempts += world.send().await;
    }
    let row = &world.deliveries(&endpoint).await[0];
    assert_eq!((attempts, row.attempts, row.state), (10, 10, EndpointDeliveryState::Failed));
    assert_eq!(row.last_error.unwrap().as_str(), "timeout");
    assert!(
        world.endpoint(&endpoint).await.state == EndpointState::Enabled,
        "it failed for less than five days"
    );
    let ids: Vec<String> = receiver.take().into_iter().map(|(id, _)| id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");

    receiver.always(status(200));
    let since = world.billfold.clock().now();
    let filter = ReplayFilter { after_sequence: 0, since: Some(since), delivered_too: false };
    let again = |filter| world.billfold.replay_endpoint_deliveries(&world.tenant, endpoint.id, filter);
    assert_eq!(again(filter).await.unwrap(), 0, "it was made before");
    let filter = ReplayFilter { since: None, ..filter };
    assert_eq!(again(filter).await.unwrap(), 1);
    assert_eq!(world.send().await, 1);
    assert_eq!(receiver.take()[0].0, ids[0]);
    assert_eq!(again(filter).await.unwrap(), 0, "it was delivered");
    assert_eq!(again(ReplayFilter { delivered_too: true, ..filter }).await.unwrap(), 1);
    assert_eq!(world.send().await, 1);
    let row = world.deliveries(&endpoint).await.remove(0);
    let one = world.billfold.replay_endpoint_delivery(&world.tenant, endpoint.id, row.id).await.unwrap();
    assert_eq!(one.state, EndpointDeliveryState::Pending);
    assert_eq!(world.send().await, 1);
    let (other, _) = world.listen(&["*"]).await;
    let wrong = world.billfold.replay_endpoint_delivery(&world.tenant, other.id, row.id).await.unwrap_err();
    assert_eq!(wrong.kind(), ErrorKind::NotFound, "another endpoint's");
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_called_no_more_and_misses_nothing() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    let (watcher, _) = world.listen(&["webhook_endpoint.disabled"]).await;
    world.saved("c-1", "one").await;
    receiver.answer([status(410)]);
    assert_eq!(world.send().await, 2);
    assert_eq!(receiver.types(), ["payment_method.saved", "webhook_endpoint.disabled"]);
    let told = world.billfold.list_events(&world.tenant, 0, 100).await.unwrap().pop().unwrap();
    let url = url::Url::parse(told.data["url"].as_str().unwrap()).unwrap();
    assert_eq!(url.path(), "/", "the path may hold a secret of the receiver's");
    assert_eq!(url.origin(), world.endpoint(&endpoint).await.url.origin());
    let gone = world.endpoint(&endpoint).await;
    assert_eq!((gone.state, gone.disabled_reason), (EndpointState::Disabled, Some(DisabledReason::Gone)));
    assert_eq!(world.event_names().await.pop().unwrap(), "webhook_endpoint.disabled");
    assert_eq!(world.deliveries(&watcher).await.len(), 1);
    world.saved("c-2", "two").await;
    assert_eq!(world.send().await, 0);

    world.set(&endpoint, EndpointState::Enabled).await;
    assert_eq!(world.send().await, 2, "the one that was refused, and the one that happened meanwhile");
    assert_eq!(receiver.types(), ["payment_method.saved"; 2]);
    let expected =
        ["create", "create", "disable", "update"].map(|action| format!("webhook_endpoint.{action}"));
    assert_eq!(world.audited().await, expected);
}

#[tokio::test]
async fn an_endpoint_that_failed_for_five_days_is_disabled() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    receiver.always(Err(SendError::Connect));
    for day in 0..5 {
        world.saved(&format!("c-{day}"), &format!("card-{day}")).await;
        world.send().await;
        assert_eq!(world.endpoint(&endpoint).await.state, EndpointState::Enabled, "day {day}");
        world.clock.advance(Duration::from_hours(24));
    }
    world.send().await;
    let failed = world.endpoint(&endpoint).await;
    assert_eq!(
        (failed.state, failed.disabled_reason),
        (EndpointState::Disabled, Some(DisabledReason::Failing))
    );
    receiver.take();
    receiver.always(status(200));
    world.set(&endpoint, EndpointState::Enabled).await;
    assert!(world.endpoint(&endpoint).await.failing_since.is_none());
    world.clock.advance(Duration::from_hours(24));
    world.send().await;
    let delivered = world.deliveries(&endpoint).await;
    assert!(delivered.iter().all(|row| row.state == EndpointDeliveryState::Delivered), "{delivered:?}");
    assert_eq!(delivered.len(), 5);
}

#[tokio::test]
async fn one_that_works_now_and_then_is_not_disabled() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    for day in 0..8 {
        world.saved(&format!("c-{day}"), &format!("card-{day}")).await;
        receiver.answer([if day == 4 { status(200) } else { status(503) }]);
        receiver.always(status(503));
        world.send().await;
        world.clock.advance(Duration::from_hours(24));
    }
    assert_eq!(world.endpoint(&endpoint).await.state, EndpointState::Enabled);
}

#[tokio::test]
async fn a_disabled_endpoint_goes_on_where_it_stopped() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    world.set(&endpoint, EndpointState::Disabled).await;
    for number in 0..3 {
        world.saved(&format!("c-{number}"), &format!("card-{number}")).await;
    }
    assert_eq!(world.send().await, 0);
    assert_eq!(world.endpoint(&endpoint).await.disabled_reason, Some(DisabledReason::Requested));
    world.set(&endpoint, EndpointState::Enabled).await;
    assert_eq!(world.send().await, 3);
    let numbers: Vec<i64> =
        receiver.take().iter().map(|(_, body)| body["sequence"].as_i64().unwrap()).collect();
    assert_eq!(numbers.len(), 3);
}

#[tokio::test]
async fn two_secrets_sign_while_one_follows_the_other() {
    let (world, receiver) = world();
    let (endpoint, first) = world.listen(&["payment_method.saved"]).await;
    let rotate = async |overlap| {
        let by = operator(&world);
        let rotated = world.billfold.rotate_webhook_secret(&by, endpoint.id, overlap, None).await.unwrap();
        rotated.secret.expose_secret().to_owned()
    };
    let signers = async |card: &str, secrets: &[&String]| -> Vec<bool> {
        world.saved(card, card).await;
        world.send().await;
        let got: Vec<_> = receiver.got.lock().unwrap().drain(..).collect();
        assert_eq!(got.len(), 1);
        let count = header(&got[0], "webhook-signature").split(' ').count();
        let signed: Vec<bool> = secrets.iter().map(|secret| signed_by(&got[0], secret)).collect();
        assert_eq!(count, signed.iter().filter(|signed| **signed).count());
        signed
    };
    let second = rotate(None).await;
    let both = world.endpoint(&endpoint).await;
    assert_eq!(both.previous_secret_until, Some(world.billfold.clock().now().plus(Duration::from_hours(24))));
    assert_eq!(signers("a", &[&first, &second]).await, [true, true]);
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(signers("b", &[&first, &second]).await, [false, true], "its time is over");
    assert_eq!(world.billfold.vault().sweep_expired(10).await.unwrap(), 1, "the old secret is destroyed");

    // Two rotations in a row: the oldest signs no more. Without overlap only the newest does.
    let third = rotate(Some(Duration::from_hours(1))).await;
    let fourth = rotate(Some(Duration::from_hours(1))).await;
    assert_eq!(signers("c", &[&second, &third, &fourth]).await, [false, true, true]);
    let fifth = rotate(Some(Duration::ZERO)).await;
    assert_eq!(signers("d", &[&third, &fourth, &fifth]).await, [false, false, true]);
    let owner = endpoint.id.to_string();
    let records = world.store.vault_records_of(&world.tenant, &owner, None, Page::first(10)).await.unwrap();
    assert_eq!(records.len(), 1, "no secret is left over");
    let (by, week) = (operator(&world), Some(Duration::from_hours(169)));
    let too_long = world.billfold.rotate_webhook_secret(&by, endpoint.id, week, None).await.unwrap_err();
    assert_eq!(too_long.fields()[0].pointer, "/overlap_seconds");
}

#[tokio::test]
async fn a_secret_that_was_destroyed_is_mended_by_a_rotation() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    let shred = Shred { tenant: world.tenant.clone(), owner: endpoint.id.to_string() };
    let changes = Changes { shreds: vec![shred], ..Changes::default() };
    assert_eq!(world.store.commit(changes).await.unwrap(), Commit::Applied);
    world.saved("c-1", "one").await;
    world.billfold.fan_out_events(10).await.unwrap();
    let error = world.billfold.send_webhooks(&world.tenant, endpoint.id, 8).await.unwrap_err();
    assert!(error.message().contains("rotate"), "{error}");
    assert_eq!(world.deliveries(&endpoint).await[0].attempts, 0, "nothing is sent without a signature");
    world.billfold.rotate_webhook_secret(&operator(&world), endpoint.id, None, None).await.unwrap();
    assert_eq!(world.send().await, 1);
    assert_eq!(receiver.take().len(), 1);
}

#[tokio::test]
async fn a_deleted_endpoint_leaves_nothing() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["*"]).await;
    world.saved("c-1", "one").await;
    world.billfold.fan_out_events(10).await.unwrap();
    world.billfold.delete_webhook_endpoint(&operator(&world), endpoint.id).await.unwrap();
    assert_eq!(world.send().await, 0);
    assert!(receiver.take().is_empty());
    let owner = endpoint.id.to_string();
    let records = world.store.vault_records_of(&world.tenant, &owner, None, Page::first(10)).await.unwrap();
    assert!(records.is_empty());
    let gone = world.billfold.delete_webhook_endpoint(&operator(&world), endpoint.id).await.unwrap_err();
    assert_eq!(gone.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn an_erased_customers_events_are_sent_without_them() {
    let (world, receiver) = world();
    world.listen(&["*"]).await;
    let session = world.save("c-1", Instrument::card("tok-one", "fp-one")).await;
    world.billfold.fan_out_events(10).await.unwrap();
    world.billfold.erase_customer(&world.tenant, session.customer_id, &Actor::system()).await.unwrap();
    world.work().await;
    world.send().await;
    let got = receiver.take();
    let told = got.iter().filter(|(_, body)| body["type"] != "customer.erased");
    assert!(told.clone().count() >= 2);
    assert!(told.into_iter().all(|(_, body)| body["data"] == serde_json::json!({"erased": true})), "{got:?}");
}

#[tokio::test]
async fn a_worker_that_died_delays_by_its_lease_and_its_attempt_counts() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    world.saved("c-1", "one").await;
    world.billfold.fan_out_events(10).await.unwrap();
    let now = world.billfold.clock().now();
    let claimed =
        world.store.claim_endpoint_deliveries(endpoint.id, now, now.plus(Duration::from_mins(1)), 8);
    assert_eq!(claimed.await.unwrap().len(), 1);
    assert_eq!(world.send().await, 0);
    world.clock.advance(Duration::from_mins(1));
    assert_eq!(world.send().await, 1);
    assert_eq!(receiver.take().len(), 1);
    assert_eq!(world.deliveries(&endpoint).await[0].attempts, 2);
}

#[tokio::test]
async fn servers_that_work_side_by_side_send_each_event_once() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    for number in 0..30 {
        world.saved(&format!("c-{number}"), &format!("card-{number}")).await;
    }
    let others: Vec<World> = (0..4).map(|_| world.again(|_| {})).collect();
    futures::future::join_all(others.iter().map(World::send)).await;
    world.send().await;
    let mut ids: Vec<String> = receiver.take().into_iter().map(|(id, _)| id).collect();
    assert_eq!(ids.len(), 30);
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 30, "something was sent twice");
    assert_eq!(world.deliveries(&endpoint).await.len(), 30);
}

#[tokio::test]
async fn a_test_event_is_sent_at_once_and_stored_nowhere() {
    let (world, receiver) = world();
    let (endpoint, secret) = world.listen(&["session.*"]).await;
    let test = async || world.billfold.test_webhook_endpoint(&world.tenant, endpoint.id).await.unwrap();
    let good = test().await;
    assert!(good.ok && good.status == Some(204) && good.error.is_none());
    let got = receiver.got.lock().unwrap().pop().unwrap();
    assert!(signed_by(&got, &secret));
    assert_eq!(body(&got)["type"], "webhook_endpoint.test");
    assert_eq!(header(&got, "webhook-id"), good.event_id.to_string());
    receiver.answer([status(302), Err(SendError::Tls)]);
    let redirected = test().await;
    assert_eq!((redirected.ok, redirected.status), (false, Some(302)));
    assert_eq!(test().await.error.unwrap().as_str(), "tls");
    assert!(world.event_names().await.is_empty() && world.deliveries(&endpoint).await.is_empty());
}

#[tokio::test]
async fn a_program_without_a_sender_has_no_endpoints() {
    let world = World::new();
    let create = CreateEndpoint {
        url: "https://shop.example/".to_owned(),
        events: None,
        description: None,
        intent: None,
    };
    let error = world.billfold.create_webhook_endpoint(&operator(&world), create).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
}

#[tokio::test]
async fn finished_deliveries_are_kept_for_thirty_days() {
    let (world, _receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    world.saved("c-1", "one").await;
    world.send().await;
    world.clock.advance(Duration::from_hours(30 * 24));
    assert_eq!(world.billfold.sweep_webhook_deliveries(10).await.unwrap(), 0);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(world.billfold.sweep_webhook_deliveries(10).await.unwrap(), 1);
    assert_eq!(world.send().await, 0, "what was swept is not made again");
    assert!(world.deliveries(&endpoint).await.is_empty());
}

#[tokio::test]
async fn each_attempt_is_remembered_with_what_came_of_it_and_how_long_it_took() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.*"]).await;
    let (other, _) = world.listen(&["session.failed"]).await;
    world.saved("c-1", "one").await;
    *receiver.takes.lock().unwrap() = Some((world.clock.clone(), Duration::from_millis(250)));
    receiver.answer([status(500), Err(SendError::Timeout), status(204)]);
    let mut began = Vec::new();
    for _ in 0..3 {
        began.push(world.billfold.clock().now());
        assert_eq!(world.send().await, 1);
        world.clock.advance(Duration::from_mins(10));
    }
    let listed = world.deliveries(&endpoint).await.remove(0);
    assert_eq!(listed.history, None, "a list has the last attempt alone");
    let get = async |tenant, endpoint: &WebhookEndpointView| {
        world.billfold.get_endpoint_delivery(tenant, endpoint.id, listed.id).await
    };
    let expected: Vec<DeliveryAttempt> =
        [(Some(500), Some(AttemptError::Status)), (None, Some(AttemptError::Timeout)), (Some(204), None)]
            .into_iter()
            .zip(began)
            .zip(1..)
            .map(|(((status, error), at), number)| DeliveryAttempt {
                number,
                at,
                status,
                error,
                duration_ms: 250,
            })
            .collect();
    let shown = get(&world.tenant, &endpoint).await.unwrap();
    assert_eq!((shown.attempts, shown.history.as_ref()), (3, Some(&expected)));
    let foreign = "foreign".parse().unwrap();
    for wrong in [get(&world.tenant, &other).await, get(&foreign, &endpoint).await] {
        assert_eq!(wrong.unwrap_err().kind(), ErrorKind::NotFound);
    }

    // A replay counts anew and forgets nothing, until there are twenty.
    receiver.always(status(503));
    for replay in 1..=3 {
        let replayed = world.billfold.replay_endpoint_delivery(&world.tenant, endpoint.id, listed.id);
        let replayed = replayed.await.unwrap();
        assert_eq!((replayed.attempts, replayed.history.unwrap().len()), (0, [3, 13, 20][replay - 1]));
        while world.send().await > 0 {
            world.clock.advance(Duration::from_hours(29));
            let state = EndpointState::Enabled;
            world.set(&endpoint, state).await;
        }
    }
    let shown = get(&world.tenant, &endpoint).await.unwrap();
    let numbers: Vec<i64> = shown.history.unwrap().iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, (1..=10).chain(1..=10).collect::<Vec<_>>());

    // With the delivery goes what was remembered of it.
    world.clock.advance(Duration::from_hours(31 * 24));
    assert_eq!(world.billfold.sweep_webhook_deliveries(10).await.unwrap(), 1);
    assert_eq!(get(&world.tenant, &endpoint).await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn the_secret_of_an_endpoint_is_nobodys_to_erase() {
    let (world, receiver) = world();
    let (endpoint, _) = world.listen(&["payment_method.saved"]).await;
    let owner = endpoint.id.to_string();
    let refused = world.billfold.erase_owner(&world.tenant, &owner, &Actor::new("tester")).await.unwrap_err();
    assert_eq!(refused.fields()[0].pointer, "/owner");
    let stored = world.billfold.put_vault_record(&world.tenant, put(&owner, "note", text("x"))).await;
    assert_eq!(stored.unwrap_err().fields()[0].pointer, "/owner");
    world.saved("c-1", "one").await;
    assert_eq!(world.send().await, 1);
    assert_eq!(receiver.types(), ["payment_method.saved"], "it still signs");
}

/// Whoever repeats a request whose answer was lost finds what it made, secret and all.
#[tokio::test]
async fn endpoints_and_secrets_of_one_intent_are_made_once() {
    let (world, _) = world();
    let by = operator(&world);
    let intent = |name: &str| Intent::new(world.clock.now(), name);
    let create = CreateEndpoint {
        url: "https://shop.example/hook".to_owned(),
        events: None,
        description: None,
        intent: Some(intent("one")),
    };
    let first = world.billfold.create_webhook_endpoint(&by, create.clone()).await.unwrap();
    let again = world.billfold.create_webhook_endpoint(&by, create.clone()).await.unwrap();
    assert_eq!(again.endpoint.id, first.endpoint.id);
    assert_eq!(again.secret.expose_secret(), first.secret.expose_secret());
    let other = CreateEndpoint { intent: Some(intent("two")), ..create };
    assert_ne!(
        world.billfold.create_webhook_endpoint(&by, other).await.unwrap().endpoint.id,
        first.endpoint.id
    );

    let id = first.endpoint.id;
    let rotate = async |name: &str| {
        let intent = intent(name);
        let rotated = world.billfold.rotate_webhook_secret(&by, id, None, Some(&intent)).await.unwrap();
        rotated.secret.expose_secret().to_owned()
    };
    let second = rotate("three").await;
    assert_eq!(rotate("three").await, second, "the secret that receivers know still signs");
    assert_ne!(rotate("four").await, second);
}
