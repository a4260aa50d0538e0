//! API keys at the door: every key that is not exactly right is refused with one and the same answer.

use crate::support::{Answer, TestApp, id, issue, rival, tenant};

async fn with_header(app: &TestApp, value: &[u8]) -> Answer {
    app.call("GET", "/v1/sessions").raw_header("authorization", value).send().await
}

/// Refused like a request without any key.
async fn check_refused(app: &TestApp, value: impl AsRef<[u8]>) {
    let bare = app.call("GET", "/v1/sessions").send().await;
    let answer = with_header(app, value.as_ref()).await;
    let shown = String::from_utf8_lossy(value.as_ref());
    assert_eq!(answer.problem(401, "unauthenticated"), bare.problem(401, "unauthenticated"), "{shown}");
    assert_eq!(answer.header("www-authenticate"), "Bearer", "{shown}");
    assert!(answer.text().contains("Authorization: Bearer bf_"), "how to send a key is said: {answer:?}");
    let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(names(&answer), names(&bare), "{shown}");
}

#[tokio::test]
async fn another_scheme_or_garbage_is_refused() {
    let app = TestApp::new().await;
    let key = app.key.clone();
    with_header(&app, format!("Bearer {key}").as_bytes()).await.expect(200);
    for value in [
        String::new(),
        key.clone(),
        "Bearer".into(),
        "Bearer ".into(),
        format!("Bearer{key}"),
        format!("Bearer\t{key}"),
        format!("Bearer  {key}"),
        format!("Bearer \"{key}\""),
        format!("Bearer {key},{key}"),
        format!("Basic {key}"),
        format!("Token {key}"),
        format!("Digest {key}"),
        "Bearer bf_".into(),
        "Bearer bf__".into(),
        "Bearer null".into(),
        format!("Bearer {}", "bf_".repeat(2000)),
        format!("Bearer {}", key.to_uppercase()),
        format!("Bearer {}", key.trim_start_matches("bf_")),
        format!("Bearer key_{}", &key[3..]),
    ] {
        check_refused(&app, &value).await;
    }
    check_refused(&app, b"Bearer \xff\xfe").await;
    check_refused(&app, [b"Bearer ".as_slice(), key.as_bytes(), b"\xc3\xa4"].concat()).await;
}

#[tokio::test]
async fn one_changed_character_anywhere_is_refused() {
    let app = TestApp::new().await;
    for at in 0..app.key.len() {
        let mut changed = app.key.clone().into_bytes();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        check_refused(&app, [b"Bearer ".as_slice(), &changed].concat()).await;
    }
    let short = &app.key[..app.key.len() - 1];
    for near in [short.to_owned(), format!("{}0", app.key), format!("{}=", app.key)] {
        check_refused(&app, format!("Bearer {near}")).await;
    }
}

#[tokio::test]
async fn the_halves_of_two_keys_make_no_key() {
    let app = TestApp::new().await;
    let second = issue(&app.app, &tenant()).await;
    let foreign = issue(&app.app, &rival()).await;
    for (one, two) in [(&app.key, &second), (&app.key, &foreign), (&foreign, &app.key)] {
        let digits = "bf_".len() + 32;
        check_refused(&app, format!("Bearer {}{}", &one[..digits], &two[digits..])).await;
    }
}

#[tokio::test]
async fn a_revoked_key_is_refused_and_no_other() {
    let app = TestApp::new().await;
    let issued = app
        .post("/v1/api-keys", &serde_json::json!({"name": "to be revoked", "scopes": ["payments", "admin"]}))
        .await
        .ok(201);
    let secret = issued["secret"].as_str().unwrap().to_owned();
    with_header(&app, format!("Bearer {secret}").as_bytes()).await.expect(200);
    let path = format!("/v1/api-keys/{}/revoke", id(&issued));
    // A key may revoke itself, once.
    let revoked = app.call("POST", &path).key(&secret).send().await.ok(200);
    assert!(revoked["revoked_at"].is_string());
    check_refused(&app, format!("Bearer {secret}")).await;
    app.get("/v1/sessions").await.expect(200);
    // Revoking again, by another key, gives the same answer.
    assert_eq!(app.call("POST", &path).key(&app.key).send().await.ok(200), revoked);
}

#[tokio::test]
async fn a_key_in_the_query_or_a_cookie_is_no_key() {
    let app = TestApp::new().await;
    let path = format!("/v1/sessions?api_key={0}&key={0}&access_token={0}", app.key);
    app.call("GET", &path).send().await.problem(401, "unauthenticated");
    let cookie = format!("Authorization=Bearer {0}; key={0}", app.key);
    app.call("GET", "/v1/sessions").header("cookie", &cookie).send().await.problem(401, "unauthenticated");
}
