//! Query parameters of every list: unknown, repeated, or with values that they must not have.

use billfold_server::{Access, ROUTES};
use serde_json::json;

use crate::support::{TestApp, id};

/// Lists that are given whole, and have no parameters.
const WHOLE: [&str; 3] = ["/v1/providers", "/v1/gateways", "/v1/api-keys"];

/// What is no list, and has a test of its own.
const NO_LISTS: [&str; 1] = ["/v1/gateways/explain"];

struct List {
    route: &'static str,
    path: String,
    /// What has to be in every query.
    must: &'static str,
    /// Its parameters beside `limit`, with a good value each.
    known: Vec<(&'static str, String)>,
    /// Values of `after` that are none.
    bad_after: Vec<String>,
}

async fn lists(app: &TestApp) -> Vec<List> {
    let session = app.save_card("c-1", "one").await;
    let customer = session["customer_id"].as_str().unwrap().to_owned();
    let key = |prefix: &str| format!("{prefix}_{:032x}", 7);
    let bad_ids = |other: &str| {
        let mut bad: Vec<String> = ["", "abc", "1", "%20", "null", "*"].map(str::to_owned).to_vec();
        bad.extend([key(other), format!("{}0", key("ses")), key("ses").to_uppercase()]);
        bad
    };
    let bad_numbers =
        || ["", "abc", "1.5", "1e3", "0x1", "9223372036854775808", "evt_1"].map(str::to_owned).to_vec();
    let methods = format!("/v1/customers/{customer}/payment-methods");
    let endpoint = json!({"url": "https://shop.example/hooks"});
    let endpoint = app.post("/v1/webhook-endpoints", &endpoint).await.ok(201);
    vec![
        List {
            route: "/v1/sessions",
            path: "/v1/sessions".into(),
            must: "",
            known: vec![("after", key("ses")), ("customer_id", customer.clone())],
            bad_after: bad_ids("cus"),
        },
        List {
            route: "/v1/charges",
            path: "/v1/charges".into(),
            must: "",
            known: vec![
                ("after", key("chg")),
                ("customer_id", customer.clone()),
                ("payment_method_id", key("pm")),
            ],
            bad_after: bad_ids("cus"),
        },
        List {
            route: "/v1/customers",
            path: "/v1/customers".into(),
            must: "",
            known: vec![("after", key("cus")), ("reference", "c-1".into())],
            bad_after: bad_ids("ses"),
        },
        List {
            route: "/v1/customers/{id}/payment-methods",
            path: methods,
            must: "",
            known: vec![("after", key("pm"))],
            bad_after: bad_ids("cus"),
        },
        List {
            route: "/v1/deliveries",
            path: "/v1/deliveries".into(),
            must: "",
            known: vec![("after", key("whd")), ("state", "dead".into())],
            bad_after: bad_ids("evt"),
        },
        List {
            route: "/v1/events",
            path: "/v1/events".into(),
            must: "",
            known: vec![("after", "1".into())],
            bad_after: bad_numbers(),
        },
        List {
            route: "/v1/audit",
            path: "/v1/audit".into(),
            must: "",
            known: vec![("after", "1".into())],
            bad_after: bad_numbers(),
        },
        List {
            route: "/v1/webhook-endpoints",
            path: "/v1/webhook-endpoints".into(),
            must: "",
            known: vec![("after", key("whe"))],
            bad_after: bad_ids("dlv"),
        },
        List {
            route: "/v1/webhook-endpoints/{id}/deliveries",
            path: format!("/v1/webhook-endpoints/{}/deliveries", id(&endpoint)),
            must: "",
            known: vec![("after", key("dlv")), ("state", "failed".into())],
            bad_after: bad_ids("whe"),
        },
        List {
            route: "/v1/erasures",
            path: "/v1/erasures".into(),
            must: "",
            known: vec![("after", key("ers"))],
            bad_after: bad_ids("cus"),
        },
        List {
            route: "/v1/vault/records",
            path: "/v1/vault/records".into(),
            must: "owner=user-1&",
            known: vec![("after", key("vlt")), ("kind", "note".into())],
            bad_after: bad_ids("pm"),
        },
    ]
}

#[tokio::test]
async fn every_list_is_tried() {
    let app = TestApp::new().await;
    let mut listed: Vec<&str> =
        lists(&app).await.iter().map(|list| list.route).chain(WHOLE).chain(NO_LISTS).collect();
    let mut expected = Vec::new();
    for route in ROUTES
        .iter()
        .filter(|route| matches!(route.access, Access::Tenant(_)) && route.methods.contains(&"GET"))
    {
        // Lists are those whose path does not end in an id.
        if !route.path.ends_with('}') {
            expected.push(route.path);
        }
    }
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
}

#[tokio::test]
async fn parameters_are_known_and_given_once() {
    let app = TestApp::new().await;
    let check = async |path: &str, query: &str, pointer: &str| {
        let answer = app.get(&format!("{path}?{query}")).await;
        assert_eq!(answer.pointers(), [pointer], "{path}?{query}");
    };
    for list in lists(&app).await {
        let (path, must) = (&list.path, list.must);
        for (query, pointer) in [
            ("nonsense=1", "/nonsense"),
            ("nonsense", "/nonsense"),
            ("Limit=1", "/Limit"),
            ("limit%20=1", "/limit "),
            ("limit[]=1", "/limit[]"),
            ("=1", "/"),
            ("a%2Fb%7Ec=1", "/a~1b~0c"),
            ("limit=1&nonsense=1", "/nonsense"),
            ("limit=1&limit=1", "/limit"),
            ("limit=1&limit=2", "/limit"),
            ("limit=1&l%69mit=1", "/limit"),
            ("limit=1;after=2", "/limit"),
        ] {
            check(path, &format!("{must}{query}"), pointer).await;
        }
        for (name, good) in &list.known {
            app.get(&format!("{path}?{must}{name}={good}&limit=1")).await.ok(200);
            check(path, &format!("{must}{name}={good}&{name}={good}"), &format!("/{name}")).await;
            check(path, &format!("{must}{name}={good}&nonsense=1"), "/nonsense").await;
        }
        app.get(&format!("{path}?{must}")).await.ok(200);
        app.get(&format!("{path}?{must}&&")).await.ok(200);
    }
}

#[tokio::test]
async fn a_limit_is_1_to_100_and_after_is_what_the_list_gave() {
    let app = TestApp::new().await;
    for list in lists(&app).await {
        let (path, must) = (&list.path, list.must);
        for good in ["1", "2", "99", "100"] {
            app.get(&format!("{path}?{must}limit={good}")).await.ok(200);
        }
        for bad in [
            "0",
            "101",
            "abc",
            "",
            "-1",
            "1.5",
            "1e1",
            "%201",
            "1%20",
            "0x1",
            "4294967295",
            "4294967296",
            "99999999999999999999",
        ] {
            let answer = app.get(&format!("{path}?{must}limit={bad}")).await;
            assert_eq!(answer.pointers(), ["/limit"], "{path} {bad}");
        }
        for bad in &list.bad_after {
            let answer = app.get(&format!("{path}?{must}after={bad}")).await;
            assert_eq!(answer.pointers(), ["/after"], "{path} {bad}");
        }
        // Beside every other parameter, too.
        for (name, good) in list.known.iter().filter(|(name, _)| *name != "after") {
            let answer = app.get(&format!("{path}?{must}{name}={good}&limit=101")).await;
            assert_eq!(answer.pointers(), ["/limit"], "{path} {name}");
            let answer = app.get(&format!("{path}?{must}{name}={good}&after=nonsense")).await;
            assert_eq!(answer.pointers(), ["/after"], "{path} {name}");
        }
    }
}

#[tokio::test]
async fn filters_are_checked() {
    let app = TestApp::new().await;
    let check = async |path: &str, bad: &[&str], pointer: &str| {
        for value in bad {
            let answer = app.get(&format!("{path}={value}")).await;
            assert_eq!(answer.pointers(), [pointer], "{path}={value}");
        }
    };
    let session = app.start("c-1").await;
    check("/v1/sessions?customer_id", &["", "c-1", "cus_", id(&session)], "/customer_id").await;
    check("/v1/deliveries?state", &["", "Dead", "DEAD", "nonsense", "dead,parked"], "/state").await;
}

#[tokio::test]
async fn an_after_beyond_the_end_is_an_empty_page() {
    let app = TestApp::new().await;
    app.start("c-1").await;
    for query in [
        format!("/v1/sessions?after=ses_{}", "f".repeat(32)),
        format!("/v1/customers?after=cus_{}", "f".repeat(32)),
        format!("/v1/deliveries?after=whd_{:032x}", 0),
        format!("/v1/events?after={}", i64::MAX),
    ] {
        assert_eq!(app.get(&query).await.ok(200), json!({"data": [], "has_more": false}), "{query}");
    }
}
