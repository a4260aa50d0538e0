//! The vault's keys: root keys in files, their rotation and that of data keys, verification, and the
//! audit trail that tells of it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Options, ROOT_KEY, World, billfold, config_file, on_both};

/// Another root key than the worlds'.
const NEW_KEY: &str = "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=";

fn write_key(folder: &Path, name: &str, key: &str, mode: u32) -> String {
    let file = folder.join(name);
    std::fs::write(&file, key).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    file.to_str().unwrap().to_owned()
}

/// What `config check` says of `[vault]`, with variables in the environment.
fn check(folder: &Path, vault: &str, variables: &[(&str, &str)]) -> String {
    let file = config_file(folder, &format!("[vault]\n{vault}\n"));
    let mut command = billfold();
    command.args(["config", "check", "--config"]).arg(file).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(!said.contains(ROOT_KEY) && !said.contains(NEW_KEY) && !said.contains("CANARY"), "{said}");
    said
}

#[test]
fn a_key_file_is_its_owners_alone_and_holds_a_key() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let good = write_key(folder, "root.key", &format!("{ROOT_KEY}\n"), 0o600);
    let of = |file: &str| format!("root_key_file = \"{file}\"");
    let previous = |file: &str| format!("{}\nprevious_root_key_files = [\"{good}\", \"{file}\"]", of(&good));
    assert!(check(folder, &of(&good), &[]).contains("the configuration is good"));
    assert!(check(folder, &previous(&good), &[]).contains("the configuration is good"));
    for mode in [0o640, 0o604, 0o660, 0o666, 0o610] {
        let open = write_key(folder, "open.key", ROOT_KEY, mode);
        let said = check(folder, &of(&open), &[]);
        let expected = format!("billfold.toml: vault.root_key_file: {open}: others than its owner");
        assert!(said.contains(&expected) && said.contains(&format!("`chmod 600 {open}`")), "{said}");
        let said = check(folder, &previous(&open), &[]);
        assert!(said.contains(&format!("vault.previous_root_key_files: {open}: others")), "{said}");
    }
    let short = write_key(folder, "short.key", "CANARY", 0o600);
    let said = check(folder, &of(&short), &[]);
    let expected = format!("vault.root_key_file: {short}: expected base64 of exactly 32 bytes");
    assert!(said.contains(&expected), "{said}");
    let said = check(folder, &previous(&short), &[]);
    assert!(said.contains(&format!("vault.previous_root_key_files: {short}: expected base64")), "{said}");
    let zeros = write_key(folder, "zeros.key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", 0o600);
    assert!(check(folder, &of(&zeros), &[]).contains("a placeholder"));
    assert!(check(folder, &of("/no/such"), &[]).contains("vault.root_key_file: /no/such: No such file"));
    assert!(
        check(folder, "", &[]).contains("vault.root_key: is missing; make one with `billfold keys init`")
    );
}

#[test]
fn the_later_form_of_a_key_counts() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let short = write_key(folder, "short.key", "CANARY", 0o600);
    let in_file = format!("root_key_file = \"{short}\"");
    let environment = [("BILLFOLD__VAULT__ROOT_KEY", ROOT_KEY)];
    assert!(check(folder, &in_file, &environment).contains("the configuration is good"));
    let environment = [("BILLFOLD__VAULT__ROOT_KEY_FILE", short.as_str())];
    let said = check(folder, &format!("root_key = \"{ROOT_KEY}\""), &environment);
    assert!(said.contains(&format!("environment: vault.root_key_file: {short}: expected base64")), "{said}");
    let both = format!("root_key = \"{ROOT_KEY}\"\n{in_file}");
    assert!(check(folder, &both, &[]).contains("vault.root_key_file: `root_key` is set as well"));
}

#[test]
fn other_wrong_keys_of_the_vault_are_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (vault, expected) in [
        ("suite = \"rot13\"", "vault.suite: unknown value, expected one of `aes-256-gcm`, "),
        ("wrapper = \"hope\"", "vault.settings: unknown key wrapper `hope`; this program has local"),
        ("reveals_per_minute = 0", "vault.reveals_per_minute: invalid value, expected a nonzero u32"),
        ("webhook_retention_days = 1", "vault.webhook_retention_days: expected at least 2"),
        ("erasure_ledger_file = \"/no/such/ledger\"", "vault.erasure_ledger_file: the folder of"),
    ] {
        let said = check(folder.path(), &format!("root_key = \"{ROOT_KEY}\"\n{vault}"), &[]);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_new_key_file_is_private_and_never_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("root.key");
    let init = || billfold().args(["keys", "init", "--file"]).arg(&file).output().unwrap();
    let output = init();
    assert!(output.status.success());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let key = std::fs::read_to_string(&file).unwrap();
    assert!(said.contains(&format!("root_key_file = \"{}\"", file.display())) && !said.contains(key.trim()));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(check(folder.path(), &format!("root_key_file = \"{}\"", file.display()), &[]).contains("good"));
    let again = init();
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("cannot be made: File exists"));
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
}

fn root_keys(world: &World, lines: &str) {
    world.configure(|text| {
        let (head, rest) = text.split_once("[vault]\n").unwrap();
        let (_, tail) = rest.split_once("\n\n").unwrap();
        format!("{head}[vault]\n{lines}\n\n{tail}")
    });
}

async fn put(world: &World, owner: &str, value: &str) -> String {
    let body = json!({"owner": owner, "kind": "note", "value": value});
    let (status, stored) = world.api(Method::POST, "/v1/vault/records", Some(&body)).await;
    assert_eq!(status, 201, "{stored}");
    stored["id"].as_str().unwrap().to_owned()
}

async fn revealed(world: &World, id: &str) -> Value {
    let (status, answer) = world.api(Method::POST, &format!("/v1/vault/records/{id}/reveal"), None).await;
    assert_eq!(status, 200, "{answer}");
    answer["value"].clone()
}

fn actions(world: &World) -> Vec<String> {
    let trail = world.ok(&["audit", "list", "--limit", "100"]);
    let entries = trail["data"].as_array().unwrap();
    entries.iter().map(|entry| entry["action"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_root_key_that_is_not_the_databases_is_noticed_at_start() {
    on_both(Options::default, |mut world: World| async move {
        world.terminate();
        root_keys(&world, &format!("root_key = \"{NEW_KEY}\""));
        for command in [&["serve"][..], &["vault", "status"], &["customers", "list"]] {
            world
                .fails(command, "billfold.toml: vault.root_key: values are sealed under the root key local:");
        }
        // A key that claims to be under a root key that is there, but does not open.
        root_keys(&world, &format!("root_key = \"{ROOT_KEY}\""));
        world.ok(&["vault", "status"]);
        let mine = world.query("SELECT wrapper FROM vault_keys LIMIT 1").await;
        root_keys(&world, &format!("root_key = \"{NEW_KEY}\"\nprevious_root_keys = [\"{ROOT_KEY}\"]"));
        let new = world.ok(&["vault", "status"])["root"].as_str().unwrap().to_owned();
        world.sql(&format!("UPDATE vault_keys SET wrapper = '{new}' WHERE wrapper = '{mine}'")).await;
        world.fails(&["serve"], &format!("the root key {new} does not open the keys that name it"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_root_key_is_rotated_under_a_running_server() {
    on_both(Options::default, |mut world: World| async move {
        let session = world.start_session("c-1").await;
        world.complete();
        world.saved_once(&session).await;
        let id = put(&world, "user-1", "kept").await;
        let old = world.ok(&["vault", "status"])["root"].clone();

        root_keys(&world, &format!("root_key = \"{NEW_KEY}\"\nprevious_root_keys = [\"{ROOT_KEY}\"]"));
        assert_eq!(world.terminate(), Some(0));
        world.start_server().await;
        assert_eq!(revealed(&world, &id).await, "kept");
        let status = world.ok(&["vault", "status"]);
        assert_ne!(status["root"], old);
        let to_do = status["keys_to_rewrap"].as_i64().unwrap();
        assert!(to_do >= 4, "{status}");
        // In small steps, as a large vault would.
        let totals = world.ok(&["vault", "rotate-root", "--batch", "1"]);
        assert_eq!((&totals["changed"], &totals["failed"]), (&json!(to_do), &json!(0)), "{totals}");
        let status = world.ok(&["vault", "status"]);
        assert_eq!(status["keys_to_rewrap"], 0);
        assert!(!status["keys"].to_string().contains(old.as_str().unwrap()), "{status}");
        assert_eq!(world.ok(&["vault", "rotate-root"])["seen"], 0, "a second time there is nothing to do");

        root_keys(&world, &format!("root_key = \"{NEW_KEY}\""));
        assert_eq!(world.terminate(), Some(0));
        world.start_server().await;
        assert_eq!(revealed(&world, &id).await, "kept");
        let customer = session["customer_id"].as_str().unwrap();
        assert_eq!(world.methods(customer).await.len(), 1);
        assert_eq!(world.get(&format!("/v1/customers/{customer}")).await["profile"]["given_names"], "Lorem");
        let verified = world.ok(&["vault", "verify"]);
        assert_eq!(verified["refused"], json!([]));
        assert!(verified["opened"].as_i64().unwrap() >= 4, "{verified}");
        let actions = actions(&world);
        assert_eq!(actions.iter().filter(|action| *action == "vault.rotate_root").count(), 2);
        let changed = actions.iter().filter(|action| *action == "configuration.changed").count();
        assert_eq!(changed, 3, "{actions:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_keys_are_replaced_and_values_sealed_anew() {
    let options = || Options { vault: "key_cache_seconds = 0", ..Options::default() };
    on_both(options, |mut world: World| async move {
        let ids = [put(&world, "user-1", "one").await, put(&world, "user-2", "two").await];
        assert_eq!(world.ok(&["vault", "rotate-data", "--older-than-days", "1"])["seen"], 0);
        assert_eq!(world.ok(&["vault", "rotate-data", "--tenant", "other"])["seen"], 0);
        let rotated = world.ok(&["vault", "rotate-data"]);
        assert_eq!((&rotated["changed"], &rotated["records_to_reseal"]), (&json!(2), &json!(2)));
        let third = put(&world, "user-1", "three").await;
        let resealed = world.ok(&["vault", "reseal", "--batch", "1", "--pause-ms", "1"]);
        assert_eq!((&resealed["changed"], &resealed["records_to_reseal"]), (&json!(2), &json!(0)));
        assert_eq!(resealed["keys_destroyed"], 2, "without a cache nothing is waited for");
        for (id, value) in ids.iter().chain([&third]).zip(["one", "two", "three"]) {
            assert_eq!(revealed(&world, id).await, value);
        }

        let key = world.query("SELECT id FROM vault_keys WHERE subject = 'user-2'").await;
        world.fails(&["vault", "compromise", "nonsense"], "expected 32 hexadecimal digits");
        world.fails(&["vault", "compromise", &key, "--tenant", "other"], "there is no such data key");
        assert_eq!(world.ok(&["vault", "compromise", &key])["state"], "compromised");
        assert_eq!(world.ok(&["vault", "status"])["records_to_reseal"], 1);
        let resealed = world.ok(&["vault", "reseal"]);
        assert_eq!((&resealed["changed"], &resealed["keys_destroyed"]), (&json!(1), &json!(1)));
        assert_eq!(world.query(&format!("SELECT count(*) FROM vault_keys WHERE id = '{key}'")).await, "0");
        assert_eq!(revealed(&world, &ids[1]).await, "two");
        assert_eq!(world.ok(&["vault", "verify"])["opened"], 3);

        // What somebody changed in the database is found.
        world.sql("UPDATE vault_records SET kind = 'other' WHERE owner = 'user-2'").await;
        world.fails(&["vault", "verify"], "1 of 3 records do not open");
        let actions = actions(&world);
        for action in ["vault.rotate_data", "vault.reseal", "vault.compromise", "vault.verify"] {
            assert!(actions.iter().any(|done| done == action), "{action}: {actions:?}");
        }
        world.kill9();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_or_cut_audit_trail_is_found() {
    on_both(Options::default, |world: World| async move {
        let id = put(&world, "user-1", "one").await;
        revealed(&world, &id).await;
        let whole = world.ok(&["audit", "verify"]);
        assert_eq!(whole["broken_at"], Value::Null);
        let head = whole["head"].as_str().unwrap().to_owned();
        let export = world.run(&["audit", "export"]);
        let lines = String::from_utf8(export.stdout).unwrap();
        let entries: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(entries.last().unwrap()["action"], "audit.export");
        let count = i64::try_from(entries.len()).unwrap();
        assert_eq!(count, whole["entries"].as_i64().unwrap() + 1);
        world.ok(&["audit", "verify", "--head", &head]);
        world.fails(&["audit", "verify", "--head", "nonsense"], "expected a head such as");

        let reveal = entries.iter().find(|entry| entry["action"] == "vault.reveal").unwrap();
        let place = &reveal["sequence"];
        let sqlite = world.database.starts_with("sqlite");
        let edit = format!("UPDATE audit_entries SET actor = 'nobody' WHERE sequence = {place}");
        let drop = if sqlite {
            "DROP TRIGGER audit_entries_stay; DROP TRIGGER audit_entries_remain;".to_owned()
        } else {
            "ALTER TABLE audit_entries DISABLE TRIGGER ALL;".to_owned()
        };
        world.sql(&format!("{drop}{edit}")).await;
        world.fails(&["audit", "verify"], &format!("entry {place} is not what was written there"));
        let (_, verdict) = world.api(Method::POST, "/v1/audit/verify", Some(&json!({}))).await;
        assert_eq!(&verdict["broken_at"], place);

        let actor = reveal["actor"].as_str().unwrap();
        world.sql(&format!("UPDATE audit_entries SET actor = '{actor}' WHERE sequence = {place}")).await;
        world.ok(&["audit", "verify"]);
        world.sql(&format!("DELETE FROM audit_entries WHERE sequence >= {place}")).await;
        world.ok(&["audit", "verify"]);
        world.fails(&["audit", "verify", "--head", &head], "the audit trail was changed");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_configuration_is_in_the_audit_trail() {
    let mut world = World::start(Options::default(), None).await;
    let changes = |world: &World| -> Vec<Value> {
        let trail = world.ok(&["audit", "list", "--limit", "100"]);
        let entries = trail["data"].as_array().unwrap().iter();
        entries.filter(|entry| entry["action"] == "configuration.changed").cloned().collect()
    };
    assert_eq!(changes(&world).len(), 1, "the first start");
    world.terminate();
    world.start_server().await;
    assert_eq!(changes(&world).len(), 1, "nothing is different");
    world.configure(|text| {
        let text = text.replace("interval_ms = 100", "interval_ms = 110");
        text.replace("CANARY-callback-token", "CANARY-other-token")
            .replace("[log]", "[log]\nformat = \"json\"")
            .replace("mode = \"test\"", "mode = \"test\"\ntenant = \"default\"")
    });
    world.terminate();
    world.start_server().await;
    let changes = changes(&world);
    assert_eq!(changes.len(), 2);
    assert_eq!(changes[1]["actor"], "system");
    let details = &changes[1]["details"];
    assert_eq!(
        details["changed"],
        json!(["gateways.main.settings.callback_token", "log.format", "workers.interval_ms"])
    );
    assert_eq!(details["added"], json!(["gateways.main.tenant"]));
    assert_eq!(details["removed"], json!([]));
    assert!(!changes[1].to_string().contains("CANARY"));
}
