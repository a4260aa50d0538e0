//! The customer's browser comes back: pages for people, and nothing that it says is believed.

use billfold_core::provider::ProviderSessionStatus;
use billfold_testkit::reference::{Instrument, Trouble};
use serde_json::json;

use crate::hostile::{Act, Mood};
use crate::support::{Answer, TestApp, id};

impl TestApp {
    async fn come_back(&self, path: &str) -> Answer {
        self.call("GET", path).send().await
    }
}

/// A page for a person: HTML of ours, nothing of the request, and no script, image or frame.
fn check_page(answer: &Answer, status: u16) {
    answer.expect(status);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert_eq!(
        answer.header("content-security-policy"),
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    );
    let page = answer.text().to_lowercase();
    assert!(page.starts_with("<!doctype html>") && page.contains("<h1>"), "{page}");
    for never in ["<script", "<img", "<iframe", "<form", "http", "ses_", "error", "panic"] {
        assert!(!page.contains(never), "{never} in {page}");
    }
    assert_eq!(answer.header("location"), "");
}

/// Sent on to the merchant, with the session and how it stands.
fn check_sent_on(answer: &Answer, session: &str, status: &str) {
    answer.expect(303);
    let expected = format!("https://shop.example/done?cart=7&session_id={session}&status={status}");
    assert_eq!(answer.header("location"), expected);
    assert!(answer.body.is_empty());
}

#[tokio::test]
async fn a_finished_customer_is_sent_on_once() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = app.last_return_path();
    app.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    check_sent_on(&app.come_back(&path).await, id(&session), "completed");
    let settled = app.get(&format!("/v1/sessions/{}", id(&session))).await.ok(200);
    assert_eq!((&settled["status"], &settled["settled_via"]), (&json!("completed"), &json!("return")));
    for query in ["", "?status=completed", "?again"] {
        check_page(&app.come_back(&format!("{path}{query}")).await, 410);
    }
}

#[tokio::test]
async fn a_customer_who_gave_up_may_come_back_again() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = app.last_return_path();
    for _ in 0..3 {
        check_sent_on(&app.come_back(&path).await, id(&session), "active");
    }
    app.gateway.set_session("ref-0001", ProviderSessionStatus::Expired);
    check_sent_on(&app.come_back(&path).await, id(&session), "expired");
    check_page(&app.come_back(&path).await, 410);
}

#[tokio::test]
async fn a_wrong_address_is_one_page_whatever_is_wrong() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let own = app.last_return_path();
    app.start("c-2").await;
    let other = app.last_return_path();
    let nonce = |path: &str| path.rsplit('/').next().unwrap().to_owned();
    let session = id(&session);
    let nobody = format!("ses_{:032x}", 7);
    let mut pages = Vec::new();
    for path in [
        format!("/return/{nobody}/{}", nonce(&own)),
        format!("/return/{session}/{}", nonce(&other)),
        format!("/return/{session}/{}x", nonce(&own)),
        format!("/return/{session}/{}", &nonce(&own)[1..]),
        format!("/return/{session}/{}", nonce(&own).to_lowercase() + "-"),
        format!("/return/{session}/{}%00", nonce(&own)),
        format!("/return/{session}/{}%2F", nonce(&own)),
        format!("/return/{session}/%FF%FE"),
        format!("/return/{session}/%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
        format!("/return/{session}/{}", "x".repeat(10_000)),
        format!("/return/{}/{}", session.to_uppercase(), nonce(&own)),
        format!("/return/cus_{}/{}", &session[4..], nonce(&own)),
        format!("/return/nonsense/{}", nonce(&own)),
        format!("/return/%FF/{}", nonce(&own)),
        format!("/return/%3Ch1%3E/{}", nonce(&own)),
        "/return/../..".to_owned(),
        "/return/a/b?session_id=x&status=completed".to_owned(),
    ] {
        let answer = app.come_back(&path).await;
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
        check_page(&answer, 404);
        pages.push(answer.text().to_owned());
    }
    pages.dedup();
    assert_eq!(pages.len(), 1, "the pages tell what was wrong");
    assert!(
        !app.gateway.calls().contains(&"fetch_session".to_owned()),
        "a stranger made the gateway be asked"
    );
    // Nothing was used up.
    check_sent_on(&app.come_back(&own).await, session, "active");
}

#[tokio::test]
async fn the_query_changes_nothing() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = app.last_return_path();
    let open = format!("/v1/sessions/{}", id(&session));
    let before = app.get(&open).await.ok(200);
    for query in [
        "status=completed",
        "status=COMPLETED&payment_session_id=ref-0002&token=tok-forged",
        "session_id=ses_00000000000000000000000000000007",
        "return_url=https://evil.example/&redirect=https://evil.example/&next=//evil.example",
        "cart=8#fragment",
        "%FF%FE",
        "a&b=&=c",
        "\"><script>",
    ] {
        let query = query.replace('#', "%23").replace(['"', '<', '>'], "%3C");
        check_sent_on(&app.come_back(&format!("{path}?{query}")).await, id(&session), "active");
        assert_eq!(app.get(&open).await.ok(200), before, "{query}");
    }
    // Nor does what else a browser sends.
    let call = app.call("GET", &path).header("cookie", "status=completed").header("host", "evil.example");
    let call = call.header("x-forwarded-host", "evil.example").header("referer", "https://evil.example/");
    check_sent_on(&call.send().await, id(&session), "active");
}

#[tokio::test]
async fn only_a_get_comes_back() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = app.last_return_path();
    for method in ["POST", "PUT", "DELETE"] {
        app.call(method, &path)
            .body("application/x-www-form-urlencoded", "status=completed")
            .send()
            .await
            .problem(405, "method_not_allowed");
    }
    check_sent_on(&app.come_back(&path).await, id(&session), "active");
}

/// A customer who did everything right is not stranded because somebody else is not well.
#[tokio::test]
async fn a_gateway_in_trouble_does_not_strand_the_customer() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = app.last_return_path();
    app.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    for trouble in [Trouble::Refuse, Trouble::LostBefore, Trouble::Panic] {
        app.gateway.order("fetch_session", trouble);
        check_sent_on(&app.come_back(&path).await, id(&session), "active");
    }
    // What the provider makes of the query is a hint at most: without it, the gateway is asked all the same.
    app.provider.order("read_return", Act::Panic);
    check_sent_on(&app.come_back(&path).await, id(&session), "completed");
}

#[tokio::test]
async fn a_database_in_trouble_asks_for_patience() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let path = app.last_return_path();
    for mood in [Mood::Down, Mood::Broken] {
        app.store.feel(mood);
        check_page(&app.come_back(&path).await, 503);
    }
    app.store.feel(Mood::Well);
    check_sent_on(&app.come_back(&path).await, id(&session), "active");
}
