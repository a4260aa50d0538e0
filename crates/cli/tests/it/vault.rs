//! Values in the vault: stored, found again, replaced, revealed; who may do what.

use std::io::Write as _;
use std::process::Stdio;

use billfold_sandbox::Channel;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Options, World, billfold, eventually, on_both};

const RECORDS: &str = "/v1/vault/records";

async fn put(world: &World, body: Value) -> (u16, Value) {
    world.api(Method::POST, RECORDS, Some(&body)).await
}

fn account(iban: &str) -> Value {
    json!({"owner": "user-1", "kind": "bank_account", "value": {"iban": iban}})
}

fn with(mut body: Value, more: Value) -> Value {
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn put_keep_replace_reject() {
    on_both(Options::default, |world: World| async move {
        let (status, first) = put(&world, account("DE01")).await;
        assert_eq!((status, text(&first, "outcome"), &first["generation"]), (201, "created", &json!(1)));
        let id = text(&first, "id").to_owned();
        assert!(first.get("value").is_none(), "{first}");

        let (status, problem) = put(&world, account("DE01")).await;
        assert_eq!((status, text(&problem, "code")), (409, "conflict"));
        assert!(text(&problem, "detail").contains(&id), "{problem}");

        let keep = with(account("DE01"), json!({"on_conflict": "keep"}));
        let (status, kept) = put(&world, keep.clone()).await;
        assert_eq!((status, text(&kept, "outcome"), text(&kept, "id")), (200, "kept", &*id));
        let (status, noted) = put(&world, with(keep, json!({"metadata": {"label": "salary"}}))).await;
        assert_eq!((status, text(&noted, "outcome")), (200, "metadata_updated"));

        let replace = json!({"identity": "DE01", "on_conflict": "replace"});
        let (_, named) = put(&world, with(account("DE02"), json!({"identity": "DE01"}))).await;
        assert_eq!(text(&named, "outcome"), "created", "another identity, another record");
        let (status, replaced) = put(&world, with(account("DE03"), replace)).await;
        assert_eq!((status, text(&replaced, "outcome")), (200, "replaced"));
        assert_eq!(replaced["id"], named["id"]);
        let revealed = world.ok(&["vault", "reveal", text(&named, "id")]);
        assert_eq!(revealed["value"]["iban"], "DE03");

        let twice = with(account("DE01"), json!({"allow_duplicates": true}));
        assert_eq!(put(&world, twice.clone()).await.0, 201);
        assert_eq!(put(&world, twice).await.0, 201);
        let list = world.get(&format!("{RECORDS}?owner=user-1&kind=bank_account&limit=3")).await;
        assert_eq!((list["data"].as_array().unwrap().len(), &list["has_more"]), (3, &json!(true)));
        assert_eq!(list["data"][0]["metadata"]["label"], "salary");
        let other = world.get(&format!("{RECORDS}?owner=user-2")).await;
        assert_eq!(other["data"], json!([]));

        let path = format!("{RECORDS}/{id}");
        let stale = json!({"value": 7, "expected_generation": 1});
        assert_eq!(world.api(Method::PUT, &path, Some(&stale)).await.0, 409);
        let seen = json!({"value": 7, "expected_generation": 2});
        let (status, changed) = world.api(Method::PUT, &path, Some(&seen)).await;
        assert_eq!((status, &changed["generation"]), (200, &json!(3)), "{changed}");
        let (status, deleted) = world.api(Method::DELETE, &path, None).await;
        assert_eq!((status, text(&deleted, "id")), (200, &*id));
        assert_eq!(world.api(Method::GET, &path, None).await.0, 404);
        assert_eq!(world.api(Method::POST, &format!("{path}/reveal"), None).await.0, 404);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_end_by_themselves() {
    on_both(Options::default, |world: World| async move {
        let short = with(account("DE01"), json!({"expires_in_seconds": 2}));
        let (_, first) = put(&world, short).await;
        let path = format!("{RECORDS}/{}", text(&first, "id"));
        assert!(first["expires_at"].is_string());
        eventually("the record is over", || async { world.api(Method::GET, &path, None).await.0 == 404 })
            .await;
        let (status, second) = put(&world, account("DE01")).await;
        assert_eq!((status, text(&second, "outcome")), (201, "created"));
        assert_ne!(first["id"], second["id"]);
        let short = json!({"owner": "user-2", "kind": "note", "value": "x", "expires_in_seconds": 1});
        put(&world, short).await;
        eventually("the sweeper deletes it", || async {
            world.query("SELECT count(*) FROM vault_records WHERE owner = 'user-2'").await == "0"
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reveal_is_in_the_audit_trail_and_nowhere_else() {
    on_both(Options::default, |world: World| async move {
        let secret = "CANARY-of-the-vault-7781";
        let body = json!({
            "owner": "user-1", "kind": "note", "value": secret, "mask": "last4",
            "identity": "CANARY-identity-7781",
        });
        let (_, stored) = put(&world, body).await;
        assert_eq!(text(&stored, "masked"), "••••7781");
        let id = text(&stored, "id").to_owned();
        let (status, revealed) = world.api(Method::POST, &format!("{RECORDS}/{id}/reveal"), None).await;
        assert_eq!((status, text(&revealed, "value"), text(&revealed, "id")), (200, secret, &*id));
        let output = world.run(&["vault", "reveal", &id]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{secret}\n"));

        let bytes = json!({"owner": "user-1", "kind": "key", "value_base64": "AP/+AQ=="});
        let (_, stored) = put(&world, bytes).await;
        let raw = world.run(&["vault", "reveal", text(&stored, "id")]);
        assert_eq!(raw.stdout, [0, 255, 254, 1]);
        assert_eq!(world.ok(&["vault", "reveal", text(&stored, "id")])["value_base64"], "AP/+AQ==");

        let trail = world.ok(&["audit", "list", "--limit", "100"]);
        let reveals: Vec<&Value> = trail["data"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["action"] == "vault.reveal")
            .collect();
        assert_eq!(reveals.len(), 4, "{trail}");
        assert_eq!(text(reveals[0], "target"), id);
        assert!(text(reveals[0], "actor").starts_with("key_"));
        assert!(text(reveals[1], "actor").starts_with("cli:"));
        assert_eq!(reveals[0]["details"], json!({"generation": 1, "kind": "note"}));

        let verdict = world.api(Method::POST, "/v1/audit/verify", Some(&json!({}))).await.1;
        assert_eq!(verdict["broken_at"], Value::Null);
        let log = world.server_log();
        assert!(!log.contains("CANARY-of-the-vault") && !log.contains("CANARY-identity-7781"));
        for file in ["billfold.db", "billfold.db-wal"] {
            let bytes = std::fs::read(world.folder.path().join(file)).unwrap_or_default();
            for canary in [secret, "CANARY-identity-7781"] {
                let found = bytes.windows(canary.len()).any(|window| window == canary.as_bytes());
                assert!(!found, "{file} contains {canary}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_key_does_what_its_scopes_say() {
    let world = World::start(Options::default(), None).await;
    let (_, stored) = put(&world, account("DE01")).await;
    let record = format!("{RECORDS}/{}", text(&stored, "id"));
    let reveal = format!("{record}/reveal");
    let calls: [(&str, Method, &str); 7] = [
        ("payments", Method::GET, "/v1/sessions"),
        ("vault", Method::GET, &record),
        ("vault_reveal", Method::POST, &reveal),
        ("erase", Method::GET, "/v1/erasures"),
        ("erase", Method::DELETE, "/v1/customers/cus_00000000000070008000000000000000"),
        ("admin", Method::GET, "/v1/audit"),
        ("admin", Method::GET, "/v1/api-keys"),
    ];
    for scope in ["payments", "vault", "vault_reveal", "erase", "admin"] {
        let key = world.issue(&[scope]);
        for (needed, method, path) in &calls {
            let (status, answer) = world.api_as(&key, method.clone(), path, None).await;
            if scope == *needed {
                assert!([200, 404].contains(&status), "{scope}: {path}: {answer}");
            } else {
                assert_eq!((status, text(&answer, "code")), (403, "forbidden"), "{scope}: {path}");
                assert!(text(&answer, "detail").contains(&format!("`{needed}`")), "{answer}");
            }
        }
    }
    // Nobody hands out more than they have.
    let admin = world.issue(&["admin"]);
    let more = json!({"name": "more", "scopes": ["admin", "vault_reveal"]});
    assert_eq!(world.api_as(&admin, Method::POST, "/v1/api-keys", Some(&more)).await.0, 403);
    let unknown = json!({"name": "x", "scopes": ["everything"]});
    let (status, problem) = world.api_as(&admin, Method::POST, "/v1/api-keys", Some(&unknown)).await;
    assert_eq!((status, &problem["errors"][0]["pointer"]), (400, &json!("/scopes/0")), "{problem}");
    let usual = world.ok(&["keys", "create", "--name", "usual"]);
    assert_eq!(usual["scopes"], json!(["payments"]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_reveals_so_many_values_in_a_minute() {
    let options = Options { vault: "reveals_per_minute = 2", ..Options::default() };
    let world = World::start(options, None).await;
    let (_, stored) = put(&world, account("DE01")).await;
    let path = format!("{RECORDS}/{}/reveal", text(&stored, "id"));
    for _ in 0..2 {
        assert_eq!(world.api(Method::POST, &path, None).await.0, 200);
    }
    let (status, problem) = world.api(Method::POST, &path, None).await;
    assert_eq!((status, text(&problem, "code")), (429, "rate_limited"), "{problem}");
    assert!((1..=31).contains(&problem["retry_after"].as_u64().unwrap()), "{problem}");
    let other = world.issue(&["vault_reveal"]);
    assert_eq!(world.api_as(&other, Method::POST, &path, None).await.0, 200, "each key has its own bound");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_bodies_are_named_and_large_values_fit() {
    on_both(Options::default, |world: World| async move {
        let wrong = |more: Value| with(account("CANARY"), more);
        for (body, pointer) in [
            (json!({"owner": "u", "kind": "k"}), "/value"),
            (json!({"owner": "u", "kind": "k", "value": null}), "/value"),
            (json!({"kind": "k", "value": 1}), "/owner"),
            (json!({"owner": "", "kind": "k", "value": 1}), "/owner"),
            (json!({"owner": "u", "kind": "billfold.x", "value": 1}), "/kind"),
            (json!({"owner": "u", "kind": "k", "value": {"card": [{"CVV": "123"}]}}), "/value/card/0/CVV"),
            (json!({"owner": "u", "kind": "k", "value_base64": "CANARY!"}), "/value_base64"),
            (wrong(json!({"value_base64": "AA=="})), "/value_base64"),
            (wrong(json!({"on_conflict": "CANARY"})), "/on_conflict"),
            (wrong(json!({"mask": "all"})), "/mask"),
            (wrong(json!({"metadata": {"": "x"}})), "/metadata/"),
            (wrong(json!({"expires_at": "2020-01-01T00:00:00Z"})), "/expires_at"),
            (wrong(json!({"expires_in_seconds": 0})), "/expires_in_seconds"),
            (
                wrong(json!({"expires_in_seconds": 5, "expires_at": "2090-01-01T00:00:00Z"})),
                "/expires_in_seconds",
            ),
            (wrong(json!({"ttl": 5})), "/ttl"),
        ] {
            let (status, problem) = put(&world, body.clone()).await;
            assert_eq!(
                (status, &problem["errors"][0]["pointer"]),
                (400, &json!(pointer)),
                "{body}: {problem}"
            );
            assert!(!problem.to_string().contains("CANARY"), "{problem}");
        }
        assert_eq!(world.api(Method::GET, RECORDS, None).await.1["errors"][0]["pointer"], "/owner");

        let largest = json!({"owner": "u", "kind": "k", "value": "x".repeat(1024 * 1024 - 3)});
        let (status, stored) = put(&world, largest.clone()).await;
        assert_eq!(status, 201, "{stored}");
        let (_, revealed) =
            world.api(Method::POST, &format!("{RECORDS}/{}/reveal", text(&stored, "id")), None).await;
        assert_eq!(revealed["value"], largest["value"]);
        for size in [1024 * 1024 - 2, 3 * 1024 * 1024] {
            let (status, problem) =
                put(&world, json!({"owner": "u", "kind": "k", "value": "x".repeat(size)})).await;
            assert_eq!((status, text(&problem, "code")), (413, "payload_too_large"), "{size}");
        }
    })
    .await;
}

/// Values come from files and standard input, so that no other user of the machine sees them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_read_values_from_files_and_standard_input() {
    let world = World::start(Options::default(), None).await;
    let file = world.folder.path().join("value");
    std::fs::write(&file, "{\"iban\": \"DE01\"}\n").unwrap();
    let file = file.to_str().unwrap();
    let put = ["vault", "put", "--owner", "user-1", "--kind", "note", "--value-file", file];
    let json = world.ok(&[&put[..], &["--format", "json", "--metadata", "label=salary"]].concat());
    let bytes = world.ok(&[&put[..], &["--format", "bytes"]].concat());
    let plain = world.ok(&put);
    let shown = |id: &Value| world.ok(&["vault", "reveal", id.as_str().unwrap()]);
    assert_eq!(shown(&json["id"])["value"]["iban"], "DE01");
    assert_eq!(shown(&plain["id"])["value"], "{\"iban\": \"DE01\"}", "the line end is left out");
    assert!(shown(&bytes["id"])["value_base64"].is_string());
    assert_eq!(json["metadata"]["label"], "salary");

    let mut child = billfold()
        .args(["vault", "replace", plain["id"].as_str().unwrap(), "--expected-generation", "1", "--json"])
        .args(["--value", "-", "--config"])
        .arg(world.config())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"from standard input\n").unwrap();
    let replaced: Value = serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap();
    assert_eq!(replaced["generation"], 2);
    assert_eq!(shown(&plain["id"])["value"], "from standard input");

    let list = world.ok(&["vault", "list", "--owner", "user-1"]);
    assert_eq!(list["data"].as_array().unwrap().len(), 3);
    assert_eq!(world.ok(&["vault", "get", plain["id"].as_str().unwrap()])["kind"], "note");
    world.ok(&["vault", "delete", plain["id"].as_str().unwrap()]);
    world
        .fails(&["vault", "get", plain["id"].as_str().unwrap()], "there is no such vault record (not_found)");

    // The same over HTTP; what only the operator may do is not offered there.
    let server = format!("http://127.0.0.1:{}", world.port);
    let remote = |args: &[&str]| {
        let own = ["--server", server.as_str(), "--api-key", world.api_key.as_str()];
        world.ok(&[args, &own].concat())
    };
    assert_eq!(remote(&["vault", "list", "--owner", "user-1"])["data"].as_array().unwrap().len(), 2);
    assert_eq!(remote(&["vault", "reveal", json["id"].as_str().unwrap()])["value"]["iban"], "DE01");
    world.fails(&["vault", "status", "--server", &server], "leave --server out");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_answer_when_they_are_asked_for() {
    let mut world = World::start(Options::default(), None).await;
    assert_eq!(world.api(Method::GET, "/metrics", None).await.0, 404);
    world.configure(|text| text.replace("development = true", "development = true\nmetrics = true"));
    world.terminate();
    world.start_server().await;
    let (_, stored) = put(&world, account("DE01")).await;
    world.sql("UPDATE vault_records SET version = version + 1 WHERE owner = 'user-1'").await;
    let path = format!("{RECORDS}/{}/reveal", text(&stored, "id"));
    let (status, problem) = world.api(Method::POST, &path, None).await;
    assert_eq!((status, text(&problem, "code")), (500, "vault"));
    let answer = world.text("/metrics").await;
    assert!(answer.contains("billfold_vault_refused_total{reason=\"sealed\"} 1"), "{answer}");
    let session = world.start_session("c-1").await;
    world.control().set_channel(Channel { drop: 10, ..Channel::default() });
    world.complete();
    world.come_back().await;
    world.until(&session, "completed").await;
    let counted = "billfold_sessions_settled_total{gateway=\"main\",status=\"completed\",via=\"return\"} 1";
    let answer = world.text("/metrics").await;
    assert!(answer.contains(counted), "{answer}");
}
