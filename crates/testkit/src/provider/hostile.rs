//! Texts, ids and answers that nobody expects.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use billfold_core::ErrorKind;
use billfold_core::provider::{SessionRef, TokenRef};
use futures::FutureExt as _;
use serde_json::{Value, json};

use super::Trial;
use super::driver::{Ability, Card};
use super::world::World;

pub(super) fn trials() -> Vec<Trial> {
    vec![
        Trial::new("what the merchant says arrives as it is", |world| Box::pin(texts(world)))
            .unless(|world| world.driver.lacks(Ability::Metadata)),
        Trial::new("an id is never more than an id", |world| Box::pin(ids(world))),
        Trial::new("no answer makes the provider panic", |world| Box::pin(answers(world))),
    ]
}

async fn texts(world: World) {
    let most = world.provider.capabilities().metadata;
    let hostile = [
        "plain",
        "a&b=c[d]=e;f",
        "\"quoted\" \\ 'single'",
        "%00%2e%2e/+ ?#",
        "<script>alert(1)</script>",
        "Łódź, 東京, \u{202e}txt",
        "{{template}} ${x}",
        "100 %",
    ];
    for (number, text) in
        hostile.iter().enumerate().filter(|(_, text)| text.chars().count() <= most.value_length)
    {
        let mut request = world.driver.request("c-1");
        request.metadata.insert(format!("key{number}"), (*text).to_owned());
        let started = world.billfold.start_session(&world.tenant, request.clone()).await;
        assert!(started.is_ok(), "{text:?} is refused: {started:?}");
        let theirs = world.driver.sessions().await.pop().expect("a session");
        let stored = world.driver.metadata(&theirs).await.expect("a session");
        let came = stored.get(&format!("key{number}"));
        assert_eq!(came.map(String::as_str), Some(*text), "a text arrived changed");
    }
}

/// What is no id of any gateway.
pub(super) const HOSTILE_IDS: [&str; 11] =
    ["../account", "x/../../y", "a?b=c", "a#b", "a b", "", "%2e%2e", "é", "a\r\nb: c", ".", "a/cancel"];

async fn ids(world: World) {
    world.start("c-1").await;
    for id in HOSTILE_IDS {
        world.wire.take_seen();
        let cx = world.context("fetch");
        let fetched = world.provider.fetch_session(&cx, SessionRef::new(id)).await;
        assert!(fetched.is_err(), "there is no session {id:?}");
        let canceled = world.provider.cancel_session(&cx, SessionRef::new(id)).await;
        assert!(canceled.is_err(), "there is no session {id:?}");
        let method = world.provider.fetch_method(&cx, TokenRef::new(id.to_owned())).await;
        assert!(method.is_err(), "there is no token {id:?}");
        let _ = world.provider.delete_method(&cx, TokenRef::new(id.to_owned())).await;
        let seen = world.wire.take_seen();
        assert!(seen.is_empty(), "{id:?} was put into {seen:?}");
    }
}

/// Every member of the gateway's answers in turn is missing, null, or of another type.
async fn answers(world: World) {
    let (session, token) = world.save("c-1", Card::One).await;
    let saved = world.token(&session, &token).await;
    world.wire.take_answers();
    let cx = world.context("fetch");
    let first = world.provider.fetch_session(&cx, SessionRef::new(session.theirs.clone())).await;
    assert_eq!(first.expect("an answer").methods.len(), 1);
    let mut pointers = Vec::new();
    for answer in world.wire.take_answers() {
        collect(&answer, "", &mut pointers);
    }
    for pointer in pointers {
        for other in [Value::Null, json!(7), json!(-1.5), json!("\u{0}"), json!([]), json!({}), json!(true)] {
            let (pointer, value) = (pointer.clone(), other.clone());
            let change = move |mut answer: Value| {
                if let Some(found) = answer.pointer_mut(&pointer) {
                    *found = value.clone();
                }
                answer
            };
            world.wire.rewrite(Some(Arc::new(change)));
            let calls = async {
                let one = world.provider.fetch_session(&cx, SessionRef::new(session.theirs.clone())).await;
                let two = world.provider.fetch_method(&cx, saved.clone()).await;
                [one.err(), two.err()]
            };
            let outcome = AssertUnwindSafe(calls).catch_unwind().await;
            let errors = outcome.unwrap_or_else(|_| panic!("an answer makes the provider panic"));
            for error in errors.into_iter().flatten() {
                assert_ne!(error.kind(), ErrorKind::Internal, "an answer is no defect of ours: {error:?}");
            }
        }
    }
}

/// Pointers to every member of an answer.
pub(super) fn collect(value: &Value, at: &str, pointers: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(members) => {
            let escape = |key: &String| key.replace('~', "~0").replace('/', "~1");
            members.iter().map(|(key, value)| (escape(key), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => return,
    };
    for (key, member) in members {
        let pointer = format!("{at}/{key}");
        collect(member, &pointer, pointers);
        pointers.push(pointer);
    }
}
