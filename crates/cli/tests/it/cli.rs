//! The commands, and what they say about a wrong configuration.

use std::path::Path;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::support::{Options, ROOT_KEY, World, billfold, config_file, eventually};

fn stdout_json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_resource_in_process_and_over_http() {
    let mut world = World::start(Options::default(), None).await;
    let server = format!("http://127.0.0.1:{}", world.port);
    let issued = world.ok(&["keys", "create", "--name", "cli", "--scope", "payments", "--scope", "admin"]);
    let key = issued["secret"].as_str().unwrap().to_owned();
    for remote in [true, false] {
        let run = |args: &[&str]| {
            let mut args = args.to_vec();
            args.push("--json");
            if remote {
                args.extend(["--server", &server, "--api-key", &key]);
            }
            world.run(&args)
        };
        let session = stdout_json(&run(&[
            "sessions",
            "create",
            "--customer",
            "cli-1",
            "--given-names",
            "Lorem",
            "--currency",
            "IDR",
            "--country",
            "ID",
            "--return-url",
            "https://shop.example/done",
        ]));
        let id = session["id"].as_str().unwrap();
        let customer = session["customer_id"].as_str().unwrap();
        assert_eq!(stdout_json(&run(&["sessions", "get", id]))["status"], "active");
        assert_eq!(stdout_json(&run(&["sessions", "cancel", id]))["status"], "canceled");
        assert_eq!(stdout_json(&run(&["customers", "show", customer]))["reference"], "cli-1");
        for list in [
            &["sessions", "list", "--customer-id", customer][..],
            &["customers", "list", "--reference", "cli-1"],
            &["keys", "list"],
            &["gateways", "list"],
            &["gateways", "check"],
            &["events", "list"],
        ] {
            let answer = stdout_json(&run(list));
            assert!(!answer["data"].as_array().unwrap().is_empty(), "{list:?}");
        }
        assert!(stdout_json(&run(&["methods", "list", customer]))["data"].as_array().unwrap().is_empty());
        assert!(stdout_json(&run(&["deliveries", "list"]))["data"].is_array());
        let missing = run(&["methods", "show", "pm_00000000000070008000000000000000"]);
        assert_eq!(missing.status.code(), Some(1));
        assert!(
            String::from_utf8_lossy(&missing.stderr).contains("there is no such payment method (not_found)")
        );
    }
    let revoked = stdout_json(&world.run(&["keys", "revoke", issued["id"].as_str().unwrap(), "--json"]));
    assert!(revoked["revoked_at"].is_string());
    eventually("the server refuses a key that another process revoked", || async {
        let answer = world.run(&["keys", "list", "--server", &server, "--api-key", &key]);
        String::from_utf8_lossy(&answer.stderr).contains("unauthenticated")
    })
    .await;
    world.kill9();
}

#[test]
fn what_needs_no_database() {
    let providers = stdout_json(&billfold().args(["providers", "--json"]).output().unwrap());
    let kinds: Vec<&Value> =
        providers["data"].as_array().unwrap().iter().map(|provider| &provider["provider"]).collect();
    assert_eq!(kinds, ["adyen", "gocardless", "stripe", "xendit"]);
    let key = stdout_json(&billfold().args(["keys", "generate-root", "--json"]).output().unwrap());
    assert_eq!(key["root_key"].as_str().unwrap().len(), 44);
    let completions = billfold().args(["completions", "bash"]).output().unwrap();
    assert!(String::from_utf8_lossy(&completions.stdout).contains("_billfold()"));
    let help = billfold().arg("--help").output().unwrap();
    for command in
        ["demo", "serve", "sandbox", "migrate", "sessions", "methods", "customers", "keys", "config"]
    {
        assert!(String::from_utf8_lossy(&help.stdout).contains(command), "{command}");
    }
    assert_eq!(billfold().arg("nonsense").output().unwrap().status.code(), Some(2));
}

/// One line that names the file, the key and the mend, and no secret.
/// A pipe that nobody reads, as after `| head`.
fn closed_pipe() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A disk without room.
fn full_disk() -> Stdio {
    std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

#[test]
fn whoever_reads_no_further_is_no_failure_and_a_full_disk_is_one() {
    for args in [&["providers"][..], &["completions", "bash"], &["keys", "generate-root"]] {
        let unread = billfold().args(args).stdout(closed_pipe()).output().unwrap();
        let said = String::from_utf8_lossy(&unread.stderr);
        assert!(unread.status.success() && said.is_empty(), "{args:?}: {said}");
        let full = billfold().args(args).stdout(full_disk()).output().unwrap();
        let said = String::from_utf8_lossy(&full.stderr);
        assert_eq!(full.status.code(), Some(1), "{args:?}: {said}");
        assert!(
            said.starts_with("error: standard output: ") && said.lines().count() == 1,
            "{args:?}: {said}"
        );
    }
}

/// The reader of the log goes away, or its disk is full.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_log_cannot_be_written_serves_on() {
    let mut world = World::start(Options::default(), None).await;
    for log in [closed_pipe, full_disk] {
        assert_eq!(world.terminate(), Some(0));
        world.start_server_that_prints(closed_pipe(), log()).await;
        let session = world.start_session("c-1").await;
        world.complete();
        world.until(&session, "completed").await;
    }
}

fn refused(folder: &Path, text: &str, expected: &str) {
    let file = config_file(folder, text);
    let output = billfold().args(["config", "check", "--config"]).arg(file).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(said.contains(expected), "expected {expected:?} in {said:?}");
    assert_eq!(said.trim().lines().count(), 1, "{said}");
    assert!(!said.contains("CANARY"), "{said}");
}

#[test]
fn a_wrong_configuration_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let gateway = |settings: &str| {
        format!(
            "[server]\npublic_url = \"https://pay.example\"\n[vault]\nroot_key = \"{ROOT_KEY}\"\n[gateways.main]\nprovider = \"xendit\"\n\
             mode = \"test\"\n[gateways.main.settings]\n{settings}\n"
        )
    };
    refused(
        folder,
        "[server]\nlisen = 1\n",
        "billfold.toml: server.lisen: unknown field `lisen`, expected one of `listen`",
    );
    refused(
        folder,
        "[server]\nlisten = \"nowhere\"\n",
        "billfold.toml: server.listen: invalid socket address syntax",
    );
    refused(folder, "[server\n", "billfold.toml: ");
    refused(
        folder,
        "",
        "vault.root_key: is missing; make one with `billfold keys init` and set vault.root_key_file",
    );
    refused(
        folder,
        "[vault]\nroot_key = \"CANARY\"\n",
        "billfold.toml: vault.root_key: expected base64 of exactly 32 bytes",
    );
    refused(
        folder,
        "[vault]\nroot_key_file = \"/no/such\"\n",
        "billfold.toml: vault.root_key_file: /no/such:",
    );
    refused(
        folder,
        &gateway("secret_key = \"xnd_development_CANARY\"\ncallback_token = \"\""),
        "callback_token",
    );
    refused(
        folder,
        &gateway("secret_key = \"xnd_development_CANARY\"\ncallback_token = \"  \""),
        "callback_token",
    );
    refused(folder, &gateway("secret_key = \"xnd_development_CANARY\""), "missing field `callback_token`");
    refused(
        folder,
        &gateway("secretkey = \"CANARY\"\ncallback_token = \"t\""),
        "billfold.toml: gateways.main.settings.secretkey: unknown field",
    );
    refused(
        folder,
        &gateway(
            "secret_key = \"xnd_development_CANARY\"\ncallback_token = \"t\"\nbase_url = \"http://127.0.0.1:1\"",
        ),
        "base_url: plain HTTP needs development mode",
    );
    let unknown = gateway("").replace("\"xendit\"", "\"acme\"");
    refused(
        folder,
        &unknown,
        "unknown provider `acme`; this program links adyen, gocardless, stripe, xendit",
    );
    let plain =
        gateway("secret_key = \"xnd_development_k\"\ncallback_token = \"t\"").replace("https://", "http://");
    refused(folder, &plain, "billfold.toml: server.public_url: expected the https URL");
}

#[test]
fn a_good_configuration_is_explained_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "CANARY-token\n").unwrap();
    let file = config_file(
        folder.path(),
        &format!(
            "[server]\npublic_url = \"https://pay.example\"\n[vault]\nroot_key = \"{ROOT_KEY}\"\n[gateways.main]\nprovider = \"xendit\"\n\
             mode = \"test\"\n[gateways.main.settings]\nsecret_key = \"xnd_development_CANARY\"\ncallback_token_file = \"{}\"\n",
            token.display()
        ),
    );
    let check = billfold().args(["config", "check", "--json", "--config"]).arg(&file).output().unwrap();
    assert_eq!(stdout_json(&check)["gateways"][0], "main");
    let explained = billfold()
        .args(["config", "explain", "--json", "--config"])
        .arg(&file)
        .env("BILLFOLD__LOG__FILTER", "debug")
        .output();
    let explained = explained.unwrap();
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(!text.contains("CANARY") && !text.contains(ROOT_KEY), "{text}");
    let keys = stdout_json(&explained);
    let origin = |key: &str| {
        let rows = keys["data"].as_array().unwrap();
        rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key}"))["origin"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(origin("server.public_url"), "billfold.toml");
    assert_eq!(origin("log.filter"), "environment");
    assert_eq!(origin("database.url"), "defaults");
}

/// Whoever asks what is wrong with a configuration may have written a secret where none was expected.
#[test]
fn what_no_key_is_known_for_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = config_file(
        folder.path(),
        "[database]\nulr = \"postgres://user:CANARY@db.example/b\"\n[gatewais.main.settings]\nsecret_key = \"CANARY\"\n\
         [gateways.main]\nsecret_key = \"CANARY\"\nmode = \"test\"\n",
    );
    let explained = billfold().args(["config", "explain", "--json", "--config"]).arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(text.contains("gatewais.main.settings.secret_key") && text.contains("database.ulr"), "{text}");
    assert!(!text.contains("CANARY"), "{text}");
    let keys = stdout_json(&explained);
    let value = |key: &str| {
        let rows = keys["data"].as_array().unwrap();
        rows.iter().find(|row| row["key"] == key).unwrap_or_else(|| panic!("{key}"))["value"].clone()
    };
    assert_eq!(
        (value("gateways.main.mode"), value("gateways.main.secret_key")),
        ("\"test\"".into(), "(set)".into())
    );
    assert_eq!(value("log.filter"), "\"info\"", "a key with a default is shown");
}

#[test]
fn the_demo_plays_itself() {
    let output = billfold().args(["demo", "--once", "--json"]).output().unwrap();
    let answer = stdout_json(&output);
    assert_eq!(answer["ok"], true);
    // At every gateway all but one of what was saved is left.
    let left = answer["payment_methods"].as_array().unwrap();
    let at = |gateway: &str| left.iter().filter(|method| method["gateway"] == gateway).count();
    assert_eq!(["xendit", "stripe", "adyen", "gocardless"].map(at), [2, 1, 1, 1]);
    let steps: Vec<&str> =
        answer["steps"].as_array().unwrap().iter().map(|step| step.as_str().unwrap()).collect();
    for told in [
        "the bank asks the customer first",
        "the shop charges",
        "declined insufficient_funds",
        "is given back",
    ] {
        assert!(steps.iter().any(|step| step.contains(told)), "{told}: {steps:#?}");
    }
}

#[test]
fn the_demo_plays_itself_at_another_gateway() {
    for (gateway, kind) in [("stripe", "bank_debit"), ("adyen", "card"), ("gocardless", "bank_debit")] {
        let output = billfold().args(["demo", "--once", "--json", "--gateway", gateway]).output().unwrap();
        let answer = stdout_json(&output);
        assert_eq!(answer["ok"], true);
        let left = answer["payment_methods"].as_array().unwrap();
        assert_eq!(left.len(), 1, "two were saved and one removed");
        assert_eq!((&left[0]["provider"], &left[0]["kind"]), (&gateway.into(), &kind.into()));
    }
}

/// The gateway forgets its customers at the end of a run; a database that is kept does not.
#[test]
fn the_demo_plays_itself_again_on_the_same_database() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("demo.db");
    for _ in 0..2 {
        let output = billfold().args(["demo", "--once", "--json", "--database"]).arg(&file).output().unwrap();
        assert_eq!(stdout_json(&output)["ok"], true);
    }
}
