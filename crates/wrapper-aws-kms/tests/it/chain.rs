//! Credentials from the standard places. The environment of a running process cannot be changed, so each case
//! is this program again, with an environment of its own.

use std::process::Command;
use std::time::{Duration, Instant};

use billfold_testkit::fake::Fault;
use billfold_testkit::fake_kms::FakeKms;
use serde_json::json;

use crate::support::{SECRET, service, wrapper_with};

const ENDPOINT: &str = "BILLFOLD_TEST_ENDPOINT";
const KEY: &str = "BILLFOLD_TEST_KEY";

/// The outcome of a check in a process with exactly these variables.
fn outcome(fake: &FakeKms, arn: &str, variables: &[(&str, &str)]) -> String {
    let home = tempfile::tempdir().unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "chain::child", "--ignored", "--nocapture"])
        .env_clear()
        .env("HOME", home.path())
        .env(ENDPOINT, fake.endpoint())
        .env(KEY, arn)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout).into_owned();
    assert!(child.status.success(), "{said}{}", String::from_utf8_lossy(&child.stderr));
    assert!(!said.contains(SECRET));
    said.split_once("OUTCOME ").unwrap().1.lines().next().unwrap().to_owned()
}

#[tokio::test]
#[ignore = "the other tests here start it, with an environment of its own"]
async fn child() {
    let variable = |name| std::env::var_os(name).unwrap().into_string().unwrap();
    let fake = FakeKms::start().await;
    let settings =
        json!({"endpoint_url": variable(ENDPOINT), "access_key_id": null, "secret_access_key": null});
    let wrapper = wrapper_with(&fake, &variable(KEY), &settings);
    println!("OUTCOME {:?}", wrapper.check().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_come_from_the_environment() {
    let (fake, arn) = service().await;
    let id = fake.access_key_id();
    let variables = [("AWS_ACCESS_KEY_ID", id.as_str()), ("AWS_SECRET_ACCESS_KEY", SECRET)];
    assert_eq!(outcome(&fake, &arn, &variables), "Ok(())");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_come_from_a_profile() {
    let (fake, arn) = service().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials");
    let id = fake.access_key_id();
    let profile = format!("[billfold]\naws_access_key_id = {id}\naws_secret_access_key = {SECRET}\n");
    std::fs::write(&file, profile).unwrap();
    let file = file.to_str().unwrap();
    let variables = [("AWS_SHARED_CREDENTIALS_FILE", file), ("AWS_PROFILE", "billfold")];
    assert_eq!(outcome(&fake, &arn, &variables), "Ok(())");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_any_it_is_denied() {
    let (fake, arn) = service().await;
    let said = outcome(&fake, &arn, &[("AWS_EC2_METADATA_DISABLED", "true")]);
    assert!(said.contains("Denied") && said.contains("no credentials were found"), "{said}");
    assert!(fake.received().is_empty());
}

/// Networks without an instance's metadata service often drop what is sent to its address.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_place_that_is_silent_is_given_up_in_time() {
    let ((fake, arn), (silent, _)) = (service().await, service().await);
    silent.set_fault(Some(Fault::Silence));
    let (endpoint, began) = (silent.endpoint(), Instant::now());
    let said = outcome(&fake, &arn, &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint)]);
    // Long before the place itself ends its silence.
    assert!(began.elapsed() < Duration::from_mins(1), "{:?}", began.elapsed());
    assert!(said.contains("Err("), "{said}");
    assert!(!silent.received().is_empty() && fake.received().is_empty());
}

/// The address is the one that was configured and checked, whatever the environment says.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_environment_changes_neither_address_nor_proxy() {
    let ((fake, arn), (other, _)) = (service().await, service().await);
    let (id, elsewhere) = (fake.access_key_id(), other.endpoint());
    let variables = [
        ("AWS_ACCESS_KEY_ID", id.as_str()),
        ("AWS_SECRET_ACCESS_KEY", SECRET),
        ("AWS_ENDPOINT_URL", &elsewhere),
        ("AWS_ENDPOINT_URL_KMS", &elsewhere),
        ("AWS_REGION", "us-east-1"),
        ("HTTP_PROXY", &elsewhere),
        ("http_proxy", &elsewhere),
        ("ALL_PROXY", &elsewhere),
    ];
    assert_eq!(outcome(&fake, &arn, &variables), "Ok(())");
    assert!(other.received().is_empty());
}
