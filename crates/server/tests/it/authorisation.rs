//! The authorisation table, asked route by route: who may call what, and by which methods.
//!
//! HEAD is GET without a body: a route that lists GET answers HEAD too, by the same access rule, and
//! names it in `Allow`. The table does not list it.

use std::collections::BTreeSet;

use billfold_core::scope::{Scope, Scopes};
use billfold_server::{Access, ROUTES, Repetition, Route};

use crate::support::{Answer, Call, TestApp, id, issue_with, rival, rows, tenant};

/// Every method of HTTP that has a path.
const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"];

/// A route's path with names of nothing for its parameters.
fn path_of(route: &Route) -> String {
    let segments = route.path.split('/');
    segments
        .map(|segment| if segment.starts_with('{') { "nothing" } else { segment })
        .collect::<Vec<_>>()
        .join("/")
}

/// The methods that a line of the table lets through: those listed, and HEAD beside GET.
fn listed(route: &Route) -> BTreeSet<&'static str> {
    let head = route.methods.contains(&"GET").then_some("HEAD");
    route.methods.iter().copied().chain(head).collect()
}

/// The methods that a path answers, by all lines that name it.
fn answered(path: &str) -> BTreeSet<&'static str> {
    ROUTES.iter().filter(|route| route.path == path).flat_map(listed).collect()
}

/// The code of a problem; an answer to HEAD need not have one.
fn code(method: &str, answer: &Answer) -> Option<String> {
    (method != "HEAD").then(|| answer.json()["code"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn without_a_key_only_public_routes_answer() {
    let app = TestApp::new().await;
    for route in ROUTES {
        for method in listed(route) {
            let answer = app.call(method, &path_of(route)).send().await;
            match route.access {
                Access::Tenant(_) => {
                    answer.expect(401);
                    assert!(code(method, &answer).is_none_or(|code| code == "unauthenticated"));
                }
                Access::Public => assert_ne!(answer.status, 401, "{method} {}", route.path),
            }
        }
    }
}

/// A route that becomes public has to be written down here as well.
#[test]
fn the_public_routes_are_few() {
    let public = ROUTES.iter().filter(|route| route.access == Access::Public).map(|route| route.path);
    let expected = ["/webhooks/{gateway}", "/return/{object}/{nonce}", "/healthz", "/readyz", "/metrics"];
    assert_eq!(public.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn the_table_lists_exactly_what_is_answered() {
    let app = TestApp::new().await;
    for route in ROUTES {
        let answered = answered(route.path);
        for method in METHODS {
            let answer = app.call(method, &path_of(route)).key(&app.key).send().await;
            if answered.contains(method) {
                assert!(![401, 405].contains(&answer.status), "{method} {}: {answer:?}", route.path);
                continue;
            }
            answer.expect(405);
            let allow: Vec<&str> = answer.header("allow").split(',').map(str::trim).collect();
            assert_eq!(allow.iter().copied().collect::<BTreeSet<_>>(), answered, "{method} {}", route.path);
            assert_eq!(allow.len(), answered.len(), "{method} {}: {allow:?}", route.path);
            // Which methods there are is no secret, so no key is needed to learn it.
            let answer = app.call(method, &path_of(route)).send().await;
            answer.expect(405);
            assert!(code(method, &answer).is_none_or(|code| code == "method_not_allowed"));
        }
    }
}

/// Whoever adds a POST says what becomes of one that is sent twice, and docs/api.md says so too.
#[test]
fn every_post_says_what_a_repeat_does() {
    for route in ROUTES {
        let posts = route.methods.contains(&"POST") && route.access != Access::Public;
        assert_eq!(route.repetition.is_some(), posts, "{}", route.path);
    }
    let keyed = ROUTES.iter().filter(|route| route.repetition == Some(Repetition::TakesKey));
    let expected = [
        "/v1/sessions",
        "/v1/payment-methods/{id}/charges",
        "/v1/customers/{id}/charges",
        "/v1/charges/{id}/capture",
        "/v1/charges/{id}/refunds",
        "/v1/charges/{id}/collect",
        "/v1/webhook-endpoints",
        "/v1/webhook-endpoints/{id}/rotate-secret",
        "/v1/api-keys",
        "/v1/vault/records",
    ];
    assert_eq!(keyed.map(|route| route.path).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn no_method_of_a_path_is_listed_twice() {
    let all = ROUTES.iter().flat_map(|route| route.methods.iter().map(|method| (route.path, *method)));
    let all: Vec<_> = all.collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}

/// Each line of the table is asked with a key that may do everything else, and with one that may do
/// nothing else.
#[tokio::test]
async fn a_key_does_what_its_scopes_say() {
    let app = TestApp::new().await;
    let mut keys = Vec::new();
    for scope in Scope::ALL {
        let others: Scopes = Scope::ALL.into_iter().filter(|other| *other != scope).collect();
        let lacking = issue_with(&app.app, &tenant(), others).await;
        keys.push((scope, issue_with(&app.app, &tenant(), [scope].into_iter().collect()).await, lacking));
    }
    for route in ROUTES {
        let Access::Tenant(needed) = route.access else { continue };
        let (_, only, lacking) = keys.iter().find(|(scope, ..)| *scope == needed).unwrap();
        for method in listed(route) {
            let refused = app.call(method, &path_of(route)).key(lacking).send().await;
            refused.expect(403);
            if method != "HEAD" {
                let problem = refused.problem(403, "forbidden");
                let named = format!("`{}`", needed.as_str());
                assert!(problem["detail"].as_str().unwrap().contains(&named), "{problem}");
            }
            let allowed = app.call(method, &path_of(route)).key(only).send().await;
            assert!(![401, 403, 405].contains(&allowed.status), "{method} {}: {allowed:?}", route.path);
        }
    }
}

#[tokio::test]
async fn other_paths_do_not_exist() {
    let app = TestApp::new().await;
    for path in [
        "/",
        "/v1",
        "/v1/",
        "/v1/sessions/",
        "//v1/sessions",
        "/V1/sessions",
        "/v1/sessions/a/b",
        "/v2/sessions",
        "/v1/nothing",
        "/webhooks",
        "/webhooks/",
        "/return",
        "/return/a",
        "/return/a/",
        "/return/a/b/c",
        "/healthz/",
        "/v1/sessions%2F",
        "/v1/../healthz",
    ] {
        for method in ["GET", "POST"] {
            app.call(method, path).send().await.problem(404, "not_found");
            app.call(method, path).key(&app.key).send().await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn head_answers_like_get_without_a_body() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    for path in ["/healthz", "/readyz", "/v1/sessions", &format!("/v1/sessions/{}", id(&session))] {
        let get = app.get(path).await;
        let head = app.call("HEAD", path).key(&app.key).send().await;
        get.expect(200);
        head.expect(200);
        assert!(head.body.is_empty(), "{head:?}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn a_caller_inside_the_process_is_the_tenant_it_says() {
    let app = TestApp::new().await;
    let router = app.app.router_as(rival(), "test");
    // A key in the request does not make it another tenant.
    for key in [None, Some(app.key.as_str()), Some("nonsense")] {
        let call = Call::new(&router, "GET", "/v1/gateways");
        let call = if let Some(key) = key { call.key(key) } else { call };
        let gateways = call.send().await.ok(200);
        assert_eq!(rows(&gateways).len(), 1);
        assert_eq!(rows(&gateways)[0]["gateway"], "rival-cards");
    }
}

#[tokio::test]
async fn nothing_in_a_request_chooses_the_tenant() {
    let app = TestApp::new().await;
    for (name, value) in [("x-tenant", "rival"), ("x-billfold-tenant", "rival"), ("tenant", "rival")] {
        app.call("GET", "/v1/gateways").header(name, value).send().await.problem(401, "unauthenticated");
        let gateways = app.call("GET", "/v1/gateways").key(&app.key).header(name, value).send().await.ok(200);
        assert_eq!(rows(&gateways)[0]["gateway"], "shop-cards");
    }
}
