//! Events on their way to a merchant's system, over real HTTP: signed, repeated, in order, and not lost.

use std::net::SocketAddr;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::receiver::{Receiver, SILENCE, url_at};
use crate::support::{Options, World, eventually, on_both};

/// More attempts, a second apart, than any test waits for.
const ENOUGH: usize = 120;

impl World {
    /// Tries again so many times, after seconds instead of hours.
    async fn quick(&mut self, retries: usize) {
        let seconds = vec![1; retries];
        self.configure(|text| format!("{text}\n[webhooks]\nretry_after_seconds = {seconds:?}\n"));
        assert_eq!(self.terminate(), Some(0));
        self.start_server().await;
    }

    /// A new endpoint: its id and its secret.
    fn endpoint(&self, receiver: &Receiver, events: &str) -> (String, String) {
        self.endpoint_at(receiver.address, events)
    }

    fn endpoint_at(&self, address: SocketAddr, events: &str) -> (String, String) {
        let made = self.ok(&["webhooks", "create", &url_at(address), "--event", events]);
        let text = |key: &str| made[key].as_str().unwrap().to_owned();
        (text("id"), text("secret"))
    }

    /// The customer saves a card; gives the method's id.
    async fn card(&self, customer: &str) -> String {
        let session = self.start_session(customer).await;
        self.complete();
        self.until(&session, "completed").await;
        self.methods(session["customer_id"].as_str().unwrap()).await[0]["id"].as_str().unwrap().to_owned()
    }

    fn sent(&self, endpoint: &str) -> Vec<Value> {
        self.ok(&["webhooks", "deliveries", endpoint])["data"].as_array().unwrap().clone()
    }

    async fn sent_states(&self, endpoint: &str) -> Vec<String> {
        let path = format!("/v1/webhook-endpoints/{endpoint}/deliveries?limit=100");
        let list = self.get(&path).await;
        list["data"].as_array().unwrap().iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect()
    }

    async fn all_delivered(&self, endpoint: &str, count: usize) {
        eventually("everything is delivered", || async {
            let states = self.sent_states(endpoint).await;
            states.len() == count && states.iter().all(|state| state == "delivered")
        })
        .await;
    }

    /// None of these is in the log or in a database file.
    fn nowhere(&self, secrets: &[&str]) {
        for file in ["billfold.db", "billfold.db-wal", "server.log"] {
            let Ok(bytes) = std::fs::read(self.folder.path().join(file)) else { continue };
            for secret in secrets {
                let bare = secret.strip_prefix("whsec_").unwrap();
                let found = bytes.windows(bare.len()).any(|window| window == bare.as_bytes());
                assert!(!found, "{file} contains a webhook secret");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_signed_and_are_repeated_after_a_failure_in_the_order_of_their_object() {
    on_both(Options::default, |mut world: World| async move {
        world.quick(ENOUGH).await;
        let receiver = Receiver::start(&[500, 503]).await;
        let (endpoint, secret) = world.endpoint(&receiver, "payment_method.*");
        let method = world.card("c-1").await;
        let (status, _) = world.api(Method::DELETE, &format!("/v1/payment-methods/{method}"), None).await;
        assert_eq!(status, 200);
        world.all_delivered(&endpoint, 2).await;
        let got = receiver.received();
        let names: Vec<String> = got.iter().map(crate::receiver::Received::name).collect();
        let saved = "payment_method.saved";
        assert_eq!(names, [saved, saved, saved, "payment_method.deleted"], "the deletion waits");
        assert!(got.iter().all(|one| one.verifies(&secret)));
        assert!(got[..3].iter().all(|one| one.id() == got[0].id() && one.body == got[0].body));
        let polled = world.get("/v1/events?limit=100").await;
        let polled = polled["data"].as_array().unwrap();
        assert!(got.iter().all(|one| polled.contains(&one.json())), "the body is what polling gives");
        let rows = world.sent(&endpoint);
        assert_eq!(rows.iter().map(|row| row["attempts"].as_i64().unwrap()).sum::<i64>(), 4);
        let repeated = rows.iter().find(|row| row["attempts"] == 3).unwrap();
        let show = ["webhooks", "show", &endpoint, "--delivery", repeated["id"].as_str().unwrap()];
        let shown = world.ok(&show);
        let came = shown["history"].as_array().unwrap().iter();
        let came: Vec<_> =
            came.map(|it| (it["number"].clone(), it["status"].clone(), it["error"].clone())).collect();
        let (failed, last) = (json!("status"), repeated["last_status"].clone());
        let expected = [(1, json!(500), failed.clone()), (2, json!(503), failed), (3, last, Value::Null)];
        assert_eq!(came, expected.map(|(number, status, error)| (json!(number), status, error)));
        assert!(shown["history"][0]["duration_ms"].is_u64());
        let printed = String::from_utf8(world.run(&show).stdout).unwrap();
        assert!(
            printed.contains("attempt") && printed.contains("503") && !printed.contains("history"),
            "{printed}"
        );
        world.nowhere(&[&secret]);
        world.no_canaries();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_is_down_gets_everything_once_it_is_up_again() {
    on_both(Options::default, |mut world: World| async move {
        world.quick(ENOUGH).await;
        // Bound and not listening: nobody else can take the port, and connections are refused.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (endpoint, secret) = world.endpoint_at(socket.local_addr().unwrap(), "session.completed");
        world.card("c-1").await;
        world.card("c-2").await;
        eventually("both were tried", || async {
            let list = world.get(&format!("/v1/webhook-endpoints/{endpoint}/deliveries")).await;
            let rows = list["data"].as_array().unwrap();
            rows.len() == 2 && rows.iter().all(|row| row["last_error"] == "connect")
        })
        .await;
        assert!(world.get(&format!("/v1/webhook-endpoints/{endpoint}")).await["failing_since"].is_string());
        let receiver = Receiver::on(socket.listen(16).unwrap(), &[]);
        world.all_delivered(&endpoint, 2).await;
        let got = receiver.received();
        assert!(got.len() == 2 && got.iter().all(|one| one.verifies(&secret)));
        assert!(world.get(&format!("/v1/webhook-endpoints/{endpoint}")).await["failing_since"].is_null());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_while_sending_it_sends_after_a_restart() {
    on_both(Options::default, |mut world: World| async move {
        let receiver = Receiver::start(&[SILENCE]).await;
        let (endpoint, secret) = world.endpoint(&receiver, "session.completed");
        world.card("c-1").await;
        eventually("it is being sent", || async { receiver.received().len() == 1 }).await;
        world.kill9();
        world.start_server().await;
        world.all_delivered(&endpoint, 1).await;
        let got = receiver.received();
        assert_eq!(got.len(), 2);
        assert!(got[0].id() == got[1].id() && got[1].verifies(&secret));
        assert_eq!(world.sent(&endpoint)[0]["attempts"], 2, "the attempt that was killed counts");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gone_disables_and_enabling_goes_on() {
    on_both(Options::default, |world: World| async move {
        let receiver = Receiver::start(&[410]).await;
        let watcher = Receiver::start(&[]).await;
        let (endpoint, _) = world.endpoint(&receiver, "session.*");
        world.endpoint(&watcher, "webhook_endpoint.*");
        world.card("c-1").await;
        let path = format!("/v1/webhook-endpoints/{endpoint}");
        eventually("it is disabled", || async { world.get(&path).await["disabled_reason"] == "gone" }).await;
        let told = |events: &Value| {
            let events = events["data"].as_array().unwrap();
            events
                .iter()
                .any(|event| event["type"] == "webhook_endpoint.disabled" && event["object_id"] == endpoint)
        };
        assert!(told(&world.get("/v1/events?limit=100").await));
        eventually("the other endpoint is told", || async { watcher.received().len() == 1 }).await;
        world.card("c-2").await;
        assert_eq!(receiver.received().len(), 1, "nobody calls it any more");
        let enabled = world.ok(&["webhooks", "update", &endpoint, "--enable"]);
        assert_eq!(enabled["state"], "enabled");
        world.all_delivered(&endpoint, 2).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_secrets_verify_while_one_follows_the_other() {
    on_both(Options::default, |world: World| async move {
        let receiver = Receiver::start(&[]).await;
        let (endpoint, first) = world.endpoint(&receiver, "session.completed");
        let rotated = world.ok(&["webhooks", "rotate-secret", &endpoint]);
        let second = rotated["secret"].as_str().unwrap();
        world.card("c-1").await;
        world.all_delivered(&endpoint, 1).await;
        let got = receiver.received().remove(0);
        assert!(got.verifies(&first) && got.verifies(second));
        let rotated = world.ok(&["webhooks", "rotate-secret", &endpoint, "--overlap", "0"]);
        let third = rotated["secret"].as_str().unwrap();
        let test = world.ok(&["webhooks", "test", &endpoint]);
        assert_eq!((&test["ok"], &test["status"]), (&json!(true), &json!(204)));
        let got = receiver.received().remove(1);
        assert_eq!(got.id(), test["event_id"].as_str().unwrap());
        assert!(got.verifies(third) && !got.verifies(second) && !got.verifies(&first));
        world.nowhere(&[&first, second, third]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_receiver_holds_up_no_other() {
    let world = World::start(Options::default(), None).await;
    let slow = Receiver::start(&[SILENCE; 30]).await;
    let quick = Receiver::start(&[]).await;
    world.endpoint(&slow, "*");
    let (endpoint, _) = world.endpoint(&quick, "session.completed");
    for number in 0..10 {
        world.card(&format!("c-{number}")).await;
    }
    world.all_delivered(&endpoint, 10).await;
    assert!(!slow.received().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_given_up_is_replayed_from_the_command_line() {
    on_both(Options::default, |mut world: World| async move {
        world.quick(4).await;
        let receiver = Receiver::start(&[400; 5]).await;
        let (endpoint, _) = world.endpoint(&receiver, "session.completed");
        world.card("c-1").await;
        eventually("it is given up", || async { world.sent_states(&endpoint).await == ["failed"] }).await;
        let listed = world.ok(&["webhooks", "deliveries", &endpoint, "--state", "failed"]);
        let row = &listed["data"][0];
        assert_eq!(
            (&row["attempts"], &row["last_status"], &row["last_error"]),
            (&json!(5), &json!(400), &json!("status"))
        );
        let replay = |args: &[&str]| world.ok(&[&["webhooks", "replay", &endpoint], args].concat());
        assert_eq!(replay(&["--after-sequence", "0"])["replayed"], 1);
        world.all_delivered(&endpoint, 1).await;
        assert_eq!(replay(&["--since", "2026-01-01T00:00:00Z"])["replayed"], 0, "it was delivered");
        let again = replay(&["--delivery", row["id"].as_str().unwrap()]);
        assert_eq!(again["state"], "pending");
        eventually("it was sent again", || async { receiver.received().len() == 7 }).await;
        let ids: Vec<String> = receiver.received().iter().map(crate::receiver::Received::id).collect();
        assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        let listed = world.ok(&["webhooks", "list"]);
        assert_eq!(listed["data"][0]["id"], json!(endpoint));
        assert!(listed["data"][0].get("secret").is_none());
        world.ok(&["webhooks", "delete", &endpoint]);
        world.fails(&["webhooks", "show", &endpoint], "there is no such webhook endpoint");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_inside_are_refused_without_development() {
    let mut world = World::start(Options::default(), None).await;
    let receiver = Receiver::start(&[]).await;
    let (endpoint, _) = world.endpoint(&receiver, "*");
    world.terminate();
    // The endpoint is from before; what it leads to is asked again at every attempt.
    world.configure(|text| {
        let gateways = text.find("[gateways.main]").unwrap();
        text[..gateways].replace("development = true", "development = false")
    });
    world.fails(&["webhooks", "create", &receiver.url()], "/url: expected");
    let test = world.run(&["webhooks", "test", &endpoint, "--json"]);
    assert_eq!(test.status.code(), Some(1));
    let said: Value = serde_json::from_slice(&test.stdout).unwrap();
    assert_eq!((&said["ok"], &said["error"]), (&json!(false), &json!("forbidden_address")));
    assert!(receiver.received().is_empty());
}
