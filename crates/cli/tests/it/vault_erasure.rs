//! Erasing: nothing of a person opens any more, here, at the gateway, and after a restore.

use billfold_sandbox::{Fault, FaultOrder};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Options, World, eventually, on_both};

fn hits(world: &World, needle: &[u8]) -> usize {
    let mut hits = 0;
    for file in ["billfold.db", "billfold.db-wal"] {
        let bytes = std::fs::read(world.folder.path().join(file)).unwrap_or_default();
        hits += bytes.windows(needle.len()).filter(|window| *window == needle).count();
    }
    hits
}

fn from_hex(text: &str) -> Vec<u8> {
    let pairs = (0..text.len() / 2).map(|index| &text[2 * index..2 * index + 2]);
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

async fn put(world: &World, owner: &str, value: &str) -> String {
    let body = json!({"owner": owner, "kind": "note", "value": value});
    let (status, stored) = world.api(Method::POST, "/v1/vault/records", Some(&body)).await;
    assert_eq!(status, 201, "{stored}");
    stored["id"].as_str().unwrap().to_owned()
}

async fn status_of(world: &World, method: Method, path: &str) -> u16 {
    world.api(method, path, None).await.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_customer_with_a_saved_method_is_erased() {
    on_both(Options::default, |world: World| async move {
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        let open = world.start_session("c-1").await;
        let customer = session["customer_id"].as_str().unwrap();
        let method = world.methods(customer).await[0]["id"].as_str().unwrap().to_owned();
        let record = put(&world, customer, "of the customer").await;
        let other = put(&world, "user-2", "of somebody else").await;
        let wrapped = if world.database.starts_with("sqlite") {
            let query = format!("SELECT hex(wrapped) FROM vault_keys WHERE subject = '{customer}'");
            from_hex(&world.query(&query).await)
        } else {
            Vec::new()
        };
        if !wrapped.is_empty() {
            assert!(hits(&world, &wrapped) > 0, "the key is found where it is");
        }

        let path = format!("/v1/customers/{customer}");
        let (status, erasure) = world.api(Method::DELETE, &path, None).await;
        assert_eq!((status, erasure["state"].as_str()), (200, Some("done")), "{erasure}");
        assert_eq!(erasure["gateway_deletions"], json!([{"gateway": "main", "outcome": "deleted"}]));
        assert_eq!(world.control().tokens()[0]["status"], "CANCELED");
        let at_gateway = world.control().sessions();
        assert_eq!(at_gateway.last().unwrap()["status"], "CANCELED", "the open session is over");

        for path in [
            path.clone(),
            format!("/v1/payment-methods/{method}"),
            format!("/v1/sessions/{}", open["id"].as_str().unwrap()),
            format!("/v1/vault/records/{record}"),
        ] {
            assert_eq!(status_of(&world, Method::GET, &path).await, 404, "{path}");
        }
        assert_eq!(world.get("/v1/customers?reference=c-1").await["data"], json!([]));
        assert_eq!(world.get("/v1/customers").await["data"], json!([]));
        let (status, again) = world.api(Method::DELETE, &path, None).await;
        assert_eq!((status, &again["id"]), (200, &erasure["id"]), "erasing twice is one erasure");
        assert_eq!(status_of(&world, Method::POST, &format!("/v1/vault/records/{other}/reveal")).await, 200);

        let keys = format!("SELECT count(*) FROM vault_keys WHERE subject = '{customer}'");
        assert_eq!(world.query(&keys).await, "0");
        if !wrapped.is_empty() {
            world.ok_at_last(&["vault", "scrub"]).await;
            assert_eq!(hits(&world, &wrapped), 0, "the wrapped key is gone from the file and its log");
            assert_eq!(hits(&world, b"of the customer"), 0);
        }
        let events = world.get("/v1/events?limit=100").await;
        let told = events["data"].as_array().unwrap();
        assert_eq!(told.last().unwrap()["type"], "customer.erased");
        assert!(told.iter().any(|event| event["data"] == json!({"erased": true})), "{events}");
        let erasures = world.ok(&["erasures", "list"]);
        assert_eq!(erasures["data"][0]["id"], erasure["id"]);
        let shown = world.ok(&["erasures", "show", erasure["id"].as_str().unwrap()]);
        assert_eq!(shown["state"], "done");
        assert!(!shown.to_string().contains(customer), "an erasure names nobody");
        assert_eq!(world.ok(&["vault", "verify"])["refused"], json!([]));
        world.ok(&["audit", "verify"]);
        // The merchant may have a customer of this reference again at once.
        let anew = world.start_session("c-1").await;
        assert_ne!(anew["customer_id"], customer);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_erasure_waits_for_a_gateway_that_does_not_let_go() {
    let world = World::start(Options::default(), None).await;
    let session = world.start_session("c-1").await;
    world.complete();
    world.saved_once(&session).await;
    world.control().order(FaultOrder { times: 50, ..FaultOrder::once("POST", "/v3", Fault::Status(500)) });
    let customer = session["customer_id"].as_str().unwrap();
    let body = json!({"customer_id": customer});
    let (status, erasure) = world.api(Method::POST, "/v1/erasures", Some(&body)).await;
    assert_eq!((status, erasure["state"].as_str()), (202, Some("pending")), "{erasure}");
    assert_eq!(erasure["gateway_deletions"][0]["outcome"], "unfinished");
    // Nobody is shown them meanwhile.
    let path = format!("/v1/customers/{customer}");
    assert_eq!(status_of(&world, Method::GET, &path).await, 404);
    let by_reference = format!("/v1/customers?reference={}", erasure["id"].as_str().unwrap());
    assert_eq!(world.get(&by_reference).await["data"], json!([]));
    world.control().clear_faults();
    let (status, done) = world.api(Method::DELETE, &path, None).await;
    assert_eq!((status, done["state"].as_str()), (200, Some("done")), "{done}");
    assert_eq!(done["gateway_deletions"][0]["outcome"], "deleted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_who_is_no_customer_is_erased_and_may_come_back() {
    on_both(Options::default, |world: World| async move {
        let record = put(&world, "user-1", "first").await;
        let body = json!({"owner": "user-1"});
        let (status, erasure) = world.api(Method::POST, "/v1/erasures", Some(&body)).await;
        assert_eq!((status, erasure["state"].as_str()), (200, Some("done")), "{erasure}");
        assert_eq!(status_of(&world, Method::GET, &format!("/v1/vault/records/{record}")).await, 404);
        put(&world, "user-1", "second").await;
        // Keys of the whole tenant belong to the owner without a name, and webhooks to their gateway.
        for wrong in [json!({"owner": ""}), json!({"owner": "main"})] {
            let (status, problem) = world.api(Method::POST, "/v1/erasures", Some(&wrong)).await;
            assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/owner")), "{problem}");
        }
        for wrong in [json!({}), json!({"owner": "u", "customer_id": "cus_00000000000070008000000000000000"})]
        {
            assert_eq!(world.api(Method::POST, "/v1/erasures", Some(&wrong)).await.0, 400);
        }
        world.ok(&["audit", "verify"]);

        // A ledger does not touch who came back since.
        let ledger = world.folder.path().join("ledger.jsonl");
        std::fs::write(&ledger, world.run(&["vault", "erasures-export"]).stdout).unwrap();
        let applied = world.ok(&["vault", "erasures-apply", ledger.to_str().unwrap()]);
        assert_eq!((&applied["entries"], &applied["erased"]), (&json!(1), &json!(0)));
        let records = world.get("/v1/vault/records?owner=user-1").await;
        assert_eq!(records["data"].as_array().unwrap().len(), 1);
        world.fails(&["vault", "erasures-apply", "/no/such"], "/no/such cannot be read");
    })
    .await;
}

/// Whether the file has to be written anew, because of what erased owners left in it.
async fn is_to_be_scrubbed(world: &World) -> bool {
    world.query("SELECT user_version FROM pragma_user_version").await != "0"
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_erased_left_in_the_file_is_overwritten_by_hand_and_by_the_server() {
    let mut world = World::start(Options::default(), None).await;
    let switched = |world: &World, seconds: u32| {
        world.configure(|text| {
            let rest = text.lines().filter(|line| !line.starts_with("scrub_seconds"));
            rest.collect::<Vec<_>>()
                .join("\n")
                .replace("[workers]", &format!("[workers]\nscrub_seconds = {seconds}"))
        });
    };
    switched(&world, 0);
    world.terminate();
    world.start_server().await;
    let erase = async |world: &World, owner: &str| {
        put(world, owner, "4111").await;
        world.api(Method::POST, "/v1/erasures", Some(&json!({"owner": owner}))).await.0
    };
    assert_eq!(erase(&world, "user-1").await, 200);
    assert!(is_to_be_scrubbed(&world).await);
    assert_eq!(world.ok_at_last(&["vault", "scrub"]).await, json!({"scrubbed": true}));
    assert!(!is_to_be_scrubbed(&world).await);
    let again = world.ok_at_last(&["vault", "scrub"]).await;
    assert_eq!(again, json!({"scrubbed": false}), "nobody was erased since");

    assert_eq!(erase(&world, "user-2").await, 200);
    switched(&world, 1);
    world.terminate();
    world.start_server().await;
    eventually("the server wrote the file anew", || async { !is_to_be_scrubbed(&world).await }).await;
    assert_eq!(erase(&world, "user-3").await, 200);
    eventually("the server wrote it anew again", || async { !is_to_be_scrubbed(&world).await }).await;
    assert_eq!(world.ok(&["vault", "verify"])["refused"], json!([]));
}

/// Copies the database as a backup would, while nobody writes.
fn copy(world: &World, from: &str, to: &str) {
    for suffix in ["", "-wal", "-shm"] {
        let (from, to) = (format!("{from}{suffix}"), format!("{to}{suffix}"));
        let _ = std::fs::remove_file(world.folder.path().join(&to));
        if world.folder.path().join(&from).exists() {
            std::fs::copy(world.folder.path().join(from), world.folder.path().join(to)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restored_backup_is_erased_again() {
    for automatic in [true, false] {
        let mut world = World::start(Options::default(), None).await;
        let ledger = world.folder.path().join("ledger.jsonl").to_str().unwrap().to_owned();
        if automatic {
            let line = format!("[vault]\nerasure_ledger_file = \"{ledger}\"");
            world.configure(|text| text.replace("[vault]", &line));
            world.terminate();
            world.start_server().await;
        }
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        let customer = session["customer_id"].as_str().unwrap().to_owned();
        let record = put(&world, "user-1", "somebody's").await;
        let kept = put(&world, "user-2", "somebody else's").await;
        assert_eq!(world.terminate(), Some(0));
        copy(&world, "billfold.db", "backup.db");

        world.start_server().await;
        let path = format!("/v1/customers/{customer}");
        assert_eq!(status_of(&world, Method::DELETE, &path).await, 200);
        let (status, _) = world.api(Method::POST, "/v1/erasures", Some(&json!({"owner": "user-1"}))).await;
        assert_eq!(status, 200);
        if !automatic {
            std::fs::write(&ledger, world.run(&["vault", "erasures-export"]).stdout).unwrap();
        }
        let lines = std::fs::read_to_string(&ledger).unwrap();
        assert_eq!(lines.lines().count(), 2, "{lines}");
        assert!(!lines.contains("user-1") && !lines.contains(&customer), "the ledger names nobody");
        assert_eq!(world.terminate(), Some(0));

        copy(&world, "backup.db", "billfold.db");
        if !automatic {
            let applied = world.ok(&["vault", "erasures-apply", &ledger]);
            assert_eq!(applied["erased"], 2, "{applied}");
        }
        world.start_server().await;
        assert_eq!(status_of(&world, Method::GET, &path).await, 404);
        assert_eq!(status_of(&world, Method::GET, &format!("/v1/vault/records/{record}")).await, 404);
        assert_eq!(status_of(&world, Method::POST, &format!("/v1/vault/records/{kept}/reveal")).await, 200);
        for subject in [customer.as_str(), "user-1"] {
            let keys = format!("SELECT count(*) FROM vault_keys WHERE subject = '{subject}'");
            assert_eq!(world.query(&keys).await, "0", "{subject}");
        }
        let erasures = world.get("/v1/erasures").await;
        let states: Vec<&Value> =
            erasures["data"].as_array().unwrap().iter().map(|erasure| &erasure["state"]).collect();
        assert_eq!(states, ["done", "done"]);
        world.ok(&["audit", "verify"]);
    }
}
