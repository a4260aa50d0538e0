//! What the provider says of itself, and how it is configured.

use std::collections::BTreeSet;

use billfold_core::ErrorKind;
use billfold_core::capability::{Trust, Usage};
use billfold_core::provider::{Deletion, RecurringTerms, WebhookDelivery};
use billfold_core::settings::Mode;
use serde_json::Value;

use super::Trial;
use super::driver::Card;
use super::world::{World, settings};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("what is declared is well formed", |world| Box::pin(async move { well_formed(&world) })),
        Trial::new("every declared channel is accepted", |world| Box::pin(channels(world))),
        Trial::new("declared limits are accepted", |world| Box::pin(limits(world))),
        Trial::new("webhooks prove what is declared", |world| Box::pin(trust(world))),
        Trial::new("deletion is as declared", |world| Box::pin(deletion(world))),
        Trial::new("settings are strict and errors show no value", |world| {
            Box::pin(async move { strict(&world) })
        }),
        Trial::new("empty secrets are refused", |world| Box::pin(async move { empty_secrets(&world) })),
        Trial::new("test and live are not mixed up", |world| Box::pin(async move { modes(&world) })),
        Trial::new("unknown provider options are refused", |world| Box::pin(options(world))),
        Trial::new("the check tells a right key from a wrong one", |world| Box::pin(check(world))),
    ]
}

fn well_formed(world: &World) {
    let declared = world.provider.capabilities();
    assert!(!declared.name.trim().is_empty(), "the gateway has no name");
    assert!(!declared.channels.is_empty(), "nothing can be saved");
    let mut known = BTreeSet::new();
    for channel in &declared.channels {
        assert!(!channel.code.is_empty() && !channel.currencies.is_empty(), "{channel:?} is incomplete");
        let place = (channel.code.clone(), channel.country.to_string());
        assert!(known.insert(place), "{} is declared twice for {}", channel.code, channel.country);
    }
    let refusal = declared.webhook_refusal;
    assert!((400..500).contains(&refusal), "{refusal} does not refuse an unproven webhook");
    let life = declared.session_lifetime;
    assert!(life.min <= life.default && life.default <= life.max, "lifetimes contradict each other");
    let request = world.driver.request("c-1");
    let served = declared.channels_for(request.country, request.currency, request.usage).count();
    assert!(served > 0, "the driver's own request is not served");
}

async fn channels(world: World) {
    for channel in world.provider.capabilities().channels.clone() {
        for currency in channel.currencies {
            for usage in Usage::ALL
                .into_iter()
                .filter(|usage| channel.merchant_initiated || !usage.is_merchant_initiated())
            {
                let mut request = world.driver.request("c-1");
                request.channels = vec![channel.code.clone()];
                (request.country, request.currency, request.usage) = (channel.country, currency, usage);
                if usage.is_merchant_initiated() {
                    request.recurring =
                        Some(RecurringTerms { frequency_days: 30, ends_on: "2035-12-31".to_owned() });
                }
                let started = world.billfold.start_session(&world.tenant, request).await;
                assert!(
                    started.is_ok(),
                    "{} in {} with {currency} for {usage:?} is declared, but: {started:?}",
                    channel.code,
                    channel.country
                );
            }
        }
    }
}

async fn limits(world: World) {
    let declared = world.provider.capabilities().clone();
    for life in [declared.session_lifetime.min, declared.session_lifetime.max] {
        let mut request = world.driver.request("c-1");
        request.expires_at = Some(world.billfold.clock().now().plus(life));
        let started = world.billfold.start_session(&world.tenant, request).await;
        assert!(started.is_ok(), "a lifetime of {life:?} is declared, but: {started:?}");
    }
    let mut request = world.driver.request("c-1");
    for number in 0..declared.metadata.keys {
        let mut key = format!("k{number}");
        key.extend(std::iter::repeat_n('x', declared.metadata.key_length.saturating_sub(key.len())));
        request.metadata.insert(key, "v".repeat(declared.metadata.value_length));
    }
    let started = world.billfold.start_session(&world.tenant, request).await;
    assert!(started.is_ok(), "metadata of the declared size is refused: {started:?}");
}

async fn trust(world: World) {
    let session = world.start("c-1").await;
    world.complete(&session, Card::One).await;
    let sent = world.driver.webhooks().await;
    assert!(!sent.is_empty(), "a completion sends no webhook");
    let mut least = true;
    for webhook in sent {
        let delivery = WebhookDelivery::new(webhook.body.clone(), webhook.headers, "", world.driver.now());
        let batch = world.provider.read_webhook(&delivery).expect("a genuine webhook");
        let declared = world.provider.capabilities().webhook_trust;
        // Where webhooks are of several kinds, what is declared is the least.
        let enough = batch.trust == declared || batch.trust == Trust::Signed;
        assert!(enough, "a webhook proves less than declared");
        least &= batch.trust == Trust::Signed;
        assert!(!batch.events.is_empty(), "a webhook about a completion tells nothing");
    }
    let signed = world.provider.capabilities().webhook_trust == Trust::Signed;
    assert_eq!(least, signed, "every webhook proves more than declared");
    let body = world.driver.unknown_event();
    let webhook = world.driver.sign(body.to_string().as_bytes(), super::Signer::Current, world.driver.now());
    let altered = [&webhook.body[..], b" "].concat();
    let delivery = WebhookDelivery::new(altered.into(), webhook.headers, "", world.driver.now());
    let covered = world.provider.read_webhook(&delivery).is_err();
    let whole_body = world.driver.proof_header().is_some();
    assert_eq!(covered, signed && whole_body, "whether the proof covers the body is not as declared");
}

async fn deletion(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    let saved = world.token(&session, &token).await;
    world.wire.take_seen();
    let outcome = world.provider.delete_method(&world.context("delete-1"), saved).await;
    let outcome = outcome.expect("a saved token is deleted");
    let asked = !world.wire.take_seen().is_empty();
    if world.provider.capabilities().remote_deletion {
        assert_eq!(outcome, Deletion::Deleted, "remote deletion is declared");
        assert!(!world.driver.is_usable(&token).await, "the gateway still has the token");
    } else {
        assert_eq!(outcome, Deletion::LocalOnly, "remote deletion is not declared");
        assert!(!asked, "the gateway is asked to delete, though it is declared that it cannot");
    }
}

fn strict(world: &World) {
    let good = world.driver.settings();
    let mut misspelt = good.clone();
    misspelt["no_such_key"] = "CANARY-value".into();
    let error = world.driver.build(&settings(Mode::Test, misspelt)).expect_err("a key that nobody knows");
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let text = format!("{error} {error:?}");
    assert!(text.contains("no_such_key"), "the error does not name the key: {error}");
    assert!(!text.contains("CANARY"), "the error shows a value");
    for key in world.driver.secret_settings() {
        let mut without = good.clone();
        without.as_object_mut().expect("a table").remove(key);
        let error = world.driver.build(&settings(Mode::Test, without)).expect_err("a key is missing");
        assert!(error.to_string().contains(key), "the error does not name the missing key {key}: {error}");
        let mut wrong = good.clone();
        wrong[key] = serde_json::json!(["CANARY-value"]);
        let error = world.driver.build(&settings(Mode::Test, wrong)).expect_err("a list is no secret");
        let text = format!("{error} {error:?}");
        assert!(text.contains(key) && !text.contains("CANARY"), "the error about {key} is not right");
    }
}

fn empty_secrets(world: &World) {
    for key in world.driver.secret_settings() {
        for empty in ["", " ", "\t\n"] {
            let mut values = world.driver.settings();
            values[key] = empty.into();
            let outcome = world.driver.build(&settings(Mode::Test, values));
            let error = outcome.err().unwrap_or_else(|| panic!("{key} may be {empty:?}"));
            assert!(error.to_string().contains(key), "the error does not name {key}: {error}");
        }
    }
}

fn modes(world: &World) {
    let outcome = world.driver.build(&settings(Mode::Live, world.driver.settings()));
    let error = outcome.err().unwrap_or_else(|| panic!("a test account is taken for a live one"));
    assert_eq!(error.kind(), ErrorKind::Configuration, "{error}");
    for canary in world.driver.canaries() {
        assert!(!format!("{error} {error:?}").contains(&canary), "the error shows a secret");
    }
}

async fn options(world: World) {
    let mut request = world.driver.request("c-1");
    request.provider_options = Some(serde_json::json!({"no_such_option": "CANARY-value"}));
    let outcome = world.billfold.start_session(&world.tenant, request).await;
    let error = outcome.err().unwrap_or_else(|| panic!("an option that nobody knows is accepted"));
    assert_eq!(error.kind(), ErrorKind::InvalidRequest, "{error}");
    let field = error.fields().first().expect("a field");
    assert!(field.pointer.starts_with("/provider_options"), "the error points at {}", field.pointer);
    assert!(!format!("{error:?} {field:?}").contains("CANARY"), "the error shows a value");
    assert!(world.wire.take_seen().is_empty(), "the gateway was asked all the same");
}

async fn check(world: World) {
    let outcome = world.provider.check(&world.context("check")).await;
    assert!(outcome.is_ok(), "the right key is refused: {outcome:?}");
    assert!(!world.wire.take_seen().is_empty(), "the gateway was not asked");
    let (key, wrong) = world.driver.wrong_api_key();
    let mut values: Value = world.driver.settings();
    values[key] = wrong.into();
    let other = world.restarted(Some(values));
    let error = other.provider.check(&other.context("check")).await.expect_err("a wrong key");
    assert_eq!(error.kind(), ErrorKind::GatewayAuthentication, "a wrong key: {error:?}");
}
