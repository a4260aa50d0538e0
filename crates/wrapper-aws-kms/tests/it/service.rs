//! What is sent to the service, and what its keys and policies allow.

use billfold_core::vault::{WrapError, WrapperRegistry, WrapperSettings};
use billfold_testkit::fake_kms::KeyState;
use serde_json::{Value, json};

use crate::support::{ALIAS, context, key, service, wrapper_with};
use crate::wrapper;

fn denied(error: Option<WrapError>, part: &str) {
    match error {
        Some(WrapError::Denied(reason)) => assert!(reason.contains(part), "{reason} should contain {part}"),
        other => panic!("{other:?}, not denied"),
    }
}

#[tokio::test]
async fn the_context_is_sent_as_a_digest() {
    let (fake, arn) = service().await;
    let wrapper = wrapper(&fake, &arn);
    assert_eq!(wrapper.id().as_str(), format!("aws-kms:{arn}"));
    let context = context();
    let wrapped = wrapper.wrap(&key(), &context).await.unwrap();
    wrapper.unwrap(&wrapped, &context).await.unwrap();
    let received = fake.received();
    let [encrypt, decrypt] = received.as_slice() else { panic!("{} requests", received.len()) };
    for (request, target) in [(encrypt, "TrentService.Encrypt"), (decrypt, "TrentService.Decrypt")] {
        assert_eq!(request.header("x-amz-target"), Some(target));
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["KeyId"], json!(arn));
        assert_eq!(body["EncryptionContext"], json!({"billfold": context.digest()}));
        assert!(!String::from_utf8_lossy(&request.body).contains(&context.subject));
    }
}

#[tokio::test]
async fn ids_and_aliases_name_keys_too() {
    let (fake, arn) = service().await;
    let id = arn.rsplit_once('/').unwrap().1;
    for name in [id, "alias/billfold"] {
        let wrapper = wrapper(&fake, name);
        wrapper.check().await.unwrap();
        assert_eq!(wrapper.id().as_str(), format!("aws-kms:{name}"));
    }
    denied(wrapper(&fake, "alias/none").check().await.err(), "no such key (400 NotFoundException)");
}

#[tokio::test]
async fn an_alias_that_moved_refuses_what_the_old_key_wrapped() {
    let (fake, arn) = service().await;
    let (by_alias, context) = (wrapper(&fake, "alias/billfold"), context());
    let wrapped = by_alias.wrap(&key(), &context).await.unwrap();
    fake.add_key(ALIAS);
    assert_eq!(by_alias.unwrap(&wrapped, &context).await.err(), Some(WrapError::Refused));
    wrapper(&fake, &arn).unwrap(&wrapped, &context).await.unwrap();
}

#[tokio::test]
async fn a_key_that_is_not_in_use_is_denied_until_it_is() {
    let (fake, arn) = service().await;
    let (wrapper, context) = (wrapper(&fake, &arn), context());
    let wrapped = wrapper.wrap(&key(), &context).await.unwrap();
    for (state, part) in [
        (KeyState::Disabled, "not in use (400 DisabledException)"),
        (KeyState::PendingDeletion, "not in use (400 KMSInvalidStateException)"),
        (KeyState::SignVerify, "not one for encryption (400 InvalidKeyUsageException)"),
    ] {
        fake.set_state(ALIAS, state);
        denied(wrapper.wrap(&key(), &context).await.err(), part);
        denied(wrapper.unwrap(&wrapped, &context).await.err(), part);
    }
    fake.set_state(ALIAS, KeyState::Enabled);
    wrapper.unwrap(&wrapped, &context).await.unwrap();
}

#[tokio::test]
async fn wrong_credentials_are_denied() {
    let (fake, arn) = service().await;
    let ask = async |changes| wrapper_with(&fake, &arn, &changes).check().await.err();
    assert_eq!(ask(json!({})).await, None);
    denied(ask(json!({"access_key_id": "AKIAANOTHER"})).await, "UnrecognizedClientException");
    denied(ask(json!({"session_token": "expired"})).await, "UnrecognizedClientException");
    denied(ask(json!({"region": "us-east-1"})).await, "InvalidSignatureException");
    fake.set_allowed(false);
    denied(ask(json!({})).await, "AccessDeniedException");
}

#[test]
fn the_example_in_the_documentation_is_read() {
    let registry = WrapperRegistry::linked().unwrap();
    let registration = registry.iter().find(|registration| registration.kind == "aws-kms").unwrap();
    let build = |values: Value| {
        let (origin, key) = ("billfold.toml".to_owned(), "vault.settings".to_owned());
        registry.build("aws-kms", &WrapperSettings { origin, key, development: false, values })
    };
    let example: Value = toml::from_str(registration.settings_example).unwrap();
    let arn = "aws-kms:arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    assert_eq!(build(example.clone()).unwrap().id().as_str(), arn);
    // Every key that is only mentioned exists.
    for line in registration.settings_example.lines().filter_map(|line| line.strip_prefix("# ")) {
        let Some((name, _)) = line.split_once(" = ").filter(|(name, _)| !name.contains(' ')) else {
            continue;
        };
        let mut values = example.clone();
        values[name] = json!([]);
        let error = build(values).unwrap_err().to_string();
        assert!(error.contains(&format!(".{name}: invalid type")), "{error}");
    }
}
