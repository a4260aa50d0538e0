//! What is sent to the engine, and what its keys and tokens allow.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::vault::{WrapError, WrapperRegistry, WrapperSettings};
use serde_json::{Value, json};

use crate::support::{KEY, build, context, engine, key, settings, wrapper};

fn denied(error: Option<WrapError>, part: &str) {
    match error {
        Some(WrapError::Denied(reason)) => assert!(reason.contains(part), "{reason} should contain {part}"),
        other => panic!("{other:?}, not denied"),
    }
}

#[tokio::test]
async fn the_context_is_the_associated_data_and_the_ciphertext_is_stored_as_it_came() {
    let fake = engine().await;
    let wrapper = wrapper(&fake);
    let (key, context) = (key(), context());
    let wrapped = wrapper.wrap(&key, &context).await.unwrap();
    assert!(wrapped.starts_with(b"vault:v1:"));
    wrapper.unwrap(&wrapped, &context).await.unwrap();

    let received = fake.received();
    let [encrypt, decrypt] = received.as_slice() else { panic!("{} requests", received.len()) };
    let associated = STANDARD.encode(context.to_bytes());
    for (request, path) in
        [(encrypt, "/v1/transit/encrypt/billfold"), (decrypt, "/v1/transit/decrypt/billfold")]
    {
        assert_eq!((request.head.method.as_str(), request.head.uri.path()), ("POST", path));
        assert_eq!(request.header("x-vault-token"), Some(fake.token().as_str()));
        assert_eq!(request.header("x-vault-request"), Some("true"));
        assert_eq!(request.header("x-vault-namespace"), None);
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        assert_eq!(body["associated_data"], json!(associated));
    }
    let body: Value = serde_json::from_slice(&encrypt.body).unwrap();
    assert_eq!(body["plaintext"], json!(STANDARD.encode(key.expose())));
    let body: Value = serde_json::from_slice(&decrypt.body).unwrap();
    assert_eq!(body["ciphertext"], json!(String::from_utf8(wrapped).unwrap()));
}

#[tokio::test]
async fn a_root_key_is_named_by_its_path_and_host() {
    let fake = engine().await;
    let id = |changes| build(&settings(&fake, &changes)).id().to_string();
    assert_eq!(id(json!({})), "transit:transit/billfold@127.0.0.1");
    assert_eq!(id(json!({"namespace": "acme", "mount": "eu", "key": "k"})), "transit:acme/eu/k@127.0.0.1");
    let namespaced = build(&settings(&fake, &json!({"namespace": "acme"})));
    namespaced.wrap(&key(), &context()).await.unwrap();
    assert_eq!(fake.received().last().unwrap().header("x-vault-namespace"), Some("acme"));
}

#[tokio::test]
async fn an_agent_may_replace_the_token_in_its_sink() {
    let (fake, folder) = (engine().await, tempfile::tempdir().unwrap());
    let sink = folder.path().join("token");
    let wrapper = build(&settings(&fake, &json!({"token": null, "token_sink": sink})));
    let ask = || async { wrapper.check().await.err() };
    assert!(matches!(ask().await, Some(WrapError::Unavailable { .. })), "the agent is about to write it");
    std::fs::write(&sink, fake.token()).unwrap();
    assert_eq!(ask().await, None);
    let newer = fake.replace_token();
    denied(ask().await, "403");
    std::fs::write(&sink, format!("{newer}\n")).unwrap();
    assert_eq!(ask().await, None);
    std::fs::write(&sink, "\n").unwrap();
    denied(ask().await, "the token sink holds no token");
}

#[tokio::test]
async fn a_wrong_token_mount_or_key_is_denied() {
    let fake = engine().await;
    for (changes, part) in [
        (json!({"token": "hvs.another"}), "403"),
        (json!({"mount": "elsewhere"}), "no such mount"),
        (json!({"key": "another"}), "no such key"),
    ] {
        let wrapper = build(&settings(&fake, &changes));
        denied(wrapper.wrap(&key(), &context()).await.err(), part);
        denied(wrapper.check().await.err(), part);
    }
    let wrapper = wrapper(&fake);
    let context = context();
    let wrapped = wrapper.wrap(&key(), &context).await.unwrap();
    fake.remove_key(KEY);
    denied(wrapper.unwrap(&wrapped, &context).await.err(), "no such key");
    fake.add_key(KEY);
    assert_eq!(wrapper.unwrap(&wrapped, &context).await.err(), Some(WrapError::Refused));
}

#[tokio::test]
async fn a_key_of_the_wrong_type_is_denied() {
    let fake = engine().await;
    fake.add_key_without_associated_data("rsa");
    let wrapper = build(&settings(&fake, &json!({"key": "rsa"})));
    denied(wrapper.wrap(&key(), &context()).await.err(), "associated data");
}

#[tokio::test]
async fn a_version_below_the_minimum_is_denied_until_it_is_allowed_again() {
    let fake = engine().await;
    let wrapper = wrapper(&fake);
    let context = context();
    let wrapped = wrapper.wrap(&key(), &context).await.unwrap();
    fake.rotate(KEY);
    fake.set_min_decryption_version(KEY, 2);
    denied(wrapper.unwrap(&wrapped, &context).await.err(), "min_decryption_version");
    fake.set_min_decryption_version(KEY, 1);
    wrapper.unwrap(&wrapped, &context).await.unwrap();
}

/// Everything seems to work at such a server, but for the context.
#[tokio::test]
async fn a_server_that_ignores_the_context_fails_the_check() {
    let fake = engine().await;
    fake.ignore_associated_data();
    let wrapper = wrapper(&fake);
    let wrapped = wrapper.wrap(&key(), &context()).await.unwrap();
    assert!(wrapper.unwrap(&wrapped, &context()).await.is_ok(), "this is why it is checked");
    denied(wrapper.check().await.err(), "ignores associated_data");
}

#[tokio::test]
async fn what_the_engine_encrypted_for_others_is_no_key() {
    let fake = engine().await;
    let (wrapper, context) = (wrapper(&fake), context());
    let body = json!({"plaintext": STANDARD.encode([1; 40]),
        "associated_data": STANDARD.encode(context.to_bytes())});
    let sent = reqwest::Client::builder().no_proxy().build().unwrap();
    let sent = sent.post(format!("{}/v1/transit/encrypt/{KEY}", fake.address()));
    let answer = sent.header("x-vault-token", fake.token()).json(&body).send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let ciphertext = answer["data"]["ciphertext"].as_str().unwrap();
    let outcome = wrapper.unwrap(ciphertext.as_bytes(), &context).await;
    assert_eq!(outcome.err(), Some(WrapError::Refused));
}

#[test]
fn the_example_in_the_documentation_is_read() {
    let registry = WrapperRegistry::linked().unwrap();
    let registration = registry.iter().find(|registration| registration.kind == "transit").unwrap();
    let values: Value = toml::from_str(registration.settings_example).unwrap();
    let (origin, key) = ("billfold.toml".to_owned(), "vault.settings".to_owned());
    let settings = WrapperSettings { origin, key, development: false, values };
    assert_eq!(
        registry.build("transit", &settings).unwrap().id().as_str(),
        "transit:transit/billfold@vault.example.com"
    );
    // Every key that is only mentioned exists.
    for line in registration.settings_example.lines().filter_map(|line| line.strip_prefix("# ")) {
        let Some((name, _)) = line.split_once(" = ").filter(|(name, _)| !name.contains(' ')) else {
            continue;
        };
        let mut values = settings.values.clone();
        values[name] = json!([]);
        let settings =
            WrapperSettings { values, origin: String::new(), key: String::new(), development: false };
        let error = registry.build("transit", &settings).unwrap_err().to_string();
        assert!(error.contains(&format!(".{name}: invalid type")), "{error}");
    }
}
