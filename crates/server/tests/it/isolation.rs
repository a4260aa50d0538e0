//! What belongs to one tenant does not exist for another: not by its id, not in a list, not by a name.

use billfold_core::charge::DeclineClass;
use billfold_server::{Access, ROUTES};
use billfold_testkit::reference::ChargeOutcome;
use serde_json::{Value, json};

use crate::support::{
    Answer, GATEWAY, RIVAL_GATEWAY, RIVAL_SECRET, SECRET, TestApp, id, rows, session_body, with,
};

const OWNER: &str = "owner-of-a-record";

/// One object of each kind, by id or name.
struct Objects {
    session: String,
    customer: String,
    method: String,
    /// Two that are held, one that is paid, one that is declined.
    charges: [String; 4],
    key: String,
    record: String,
    erasure: String,
    endpoint: String,
    delivery: String,
    received: String,
}

impl Objects {
    async fn of(app: &TestApp) -> Self {
        let endpoint = json!({"url": "https://shop.example/hooks"});
        let endpoint = app.post("/v1/webhook-endpoints", &endpoint).await.ok(201);
        let endpoint = id(&endpoint).to_owned();
        let saved = app.save_card("c-1", "one").await;
        // Open, so that canceling it would change something; not the default, so that choosing it would.
        let open = app.start("c-1").await;
        let second = app.save_card("c-1", "two").await;
        let key = app.post("/v1/api-keys", &json!({"name": "spare"})).await.ok(201);
        let record = json!({"owner": OWNER, "kind": "note", "value": "x"});
        let record = app.post("/v1/vault/records", &record).await.ok(201);
        let charges = charges(app, second["payment_methods"][0].as_str().unwrap()).await;
        app.webhook(GATEWAY, &[SECRET], r#"{"event":"session.completed","session":"ref-0009"}"#)
            .await
            .expect(200);
        app.work().await;
        let received = app.get("/v1/deliveries").await.ok(200);
        let erasure = app.post("/v1/erasures", &json!({"owner": "somebody"})).await.ok(200);
        app.app.billfold().fan_out_events(10).await.unwrap();
        let delivery = app.get(&format!("/v1/webhook-endpoints/{endpoint}/deliveries")).await.ok(200);
        Self {
            delivery: id(&rows(&delivery)[0]).to_owned(),
            received: id(&rows(&received)[0]).to_owned(),
            endpoint,
            session: id(&open).to_owned(),
            customer: saved["customer_id"].as_str().unwrap().to_owned(),
            method: second["payment_methods"][0].as_str().unwrap().to_owned(),
            charges,
            key: id(&key).to_owned(),
            record: id(&record).to_owned(),
            erasure: id(&erasure).to_owned(),
        }
    }

    /// What a route's parameter stands for: an object that there is, and one that there is not.
    fn of_route(&self, path: &str) -> (String, String) {
        let nobody = |prefix: &str| format!("{prefix}_{:032x}", 7);
        let kind = path.split('/').nth(2).unwrap();
        match kind {
            "sessions" => (self.session.clone(), nobody("ses")),
            "customers" => (self.customer.clone(), nobody("cus")),
            "payment-methods" => (self.method.clone(), nobody("pm")),
            "charges" => {
                let [held, other, paid, declined] = &self.charges;
                let charge = match path.rsplit('/').next() {
                    Some("capture") => held,
                    Some("cancel") => other,
                    Some("collect") => declined,
                    _ => paid,
                };
                (charge.clone(), nobody("chg"))
            }
            "api-keys" => (self.key.clone(), nobody("key")),
            "vault" => (self.record.clone(), nobody("vlt")),
            "deliveries" => (self.received.clone(), nobody("whd")),
            "webhook-endpoints" => (self.endpoint.clone(), nobody("whe")),
            "erasures" => (self.erasure.clone(), nobody("ers")),
            "gateways" => (GATEWAY.to_owned(), "nobodys-cards".to_owned()),
            _ => panic!("say what the parameter of {path} stands for"),
        }
    }
}

async fn charges(app: &TestApp, method: &str) -> [String; 4] {
    let path = format!("/v1/payment-methods/{method}/charges");
    let mut made = Vec::new();
    for capture in ["manual", "manual", "automatic", "automatic"] {
        if made.len() == 3 {
            app.gateway.next_charge(ChargeOutcome::Declined(DeclineClass::Limit));
        }
        let charge = app.post(&path, &charge_body(capture)).await.ok(201);
        made.push(id(&charge).to_owned());
    }
    made.try_into().unwrap()
}

fn charge_body(capture: &str) -> Value {
    json!({"amount": 1000, "currency": "IDR", "initiator": "customer", "capture": capture})
}

/// Every call that names an object: the route's path, and a method.
fn calls_by_id() -> Vec<(&'static str, &'static str)> {
    let routes =
        ROUTES.iter().filter(|route| matches!(route.access, Access::Tenant(_)) && route.path.contains('{'));
    let mut calls: Vec<_> =
        routes.flat_map(|route| route.methods.iter().map(|method| (route.path, *method))).collect();
    // What deletes comes last, and the customer last of all.
    calls.sort_by_key(|(path, method)| (*method == "DELETE", path.contains("customers")));
    calls
}

/// A list's address, with what it must be asked.
fn list_of(path: &str) -> String {
    match path {
        "/v1/vault/records" => format!("{path}?owner={OWNER}"),
        "/v1/gateways/explain" => format!("{path}?country=ID&currency=IDR&usage=on_session"),
        _ => path.to_owned(),
    }
}

impl Objects {
    /// A route's path with the second object in it.
    fn below(&self, path: &str) -> String {
        path.replace("{delivery}", &self.delivery)
    }
}

async fn ask(app: &TestApp, key: &str, method: &str, path: &str, object: &str) -> Answer {
    let (start, rest) = path.split_once('{').unwrap();
    let (_, end) = rest.split_once('}').unwrap();
    let call = app.call(method, &format!("{start}{object}{end}")).key(key);
    let call = match method {
        "POST" if end == "/charges" => call.json(&charge_body("automatic")),
        "POST" if ["/capture", "/refunds", "/collect"].contains(&end) => call.json(&json!({})),
        "PATCH" if path.contains("webhook-endpoints") => call.json(&json!({"description": "mine"})),
        "POST" if end == "/rotate-secret" => call.json(&json!({})),
        "POST" if end == "/replay" && path.contains("webhook-endpoints") => {
            call.json(&json!({"after_sequence": 0, "include_delivered": true}))
        }
        "PATCH" => call.json(&json!({"is_default": true})),
        "PUT" => call.json(&json!({"value": "y"})),
        _ => call,
    };
    call.send().await
}

/// Everything that the tenant can see.
async fn everything(app: &TestApp, objects: &Objects) -> Vec<Value> {
    let mut seen = Vec::new();
    for path in [
        format!("/v1/sessions/{}", objects.session),
        format!("/v1/customers/{}", objects.customer),
        format!("/v1/customers/{}/payment-methods", objects.customer),
        "/v1/sessions".into(),
        "/v1/charges".into(),
        "/v1/customers".into(),
        "/v1/api-keys".into(),
        "/v1/gateways".into(),
        "/v1/deliveries".into(),
        "/v1/events".into(),
        "/v1/erasures".into(),
        "/v1/audit".into(),
        "/v1/webhook-endpoints".into(),
        list_of("/v1/vault/records"),
    ] {
        seen.push(app.get(&path).await.ok(200));
    }
    // Gone with its endpoint, in the end.
    seen.push(app.get(&format!("/v1/webhook-endpoints/{}/deliveries", objects.endpoint)).await.json());
    seen
}

#[tokio::test]
async fn anothers_object_is_answered_like_one_that_does_not_exist() {
    let app = TestApp::new().await;
    let objects = Objects::of(&app).await;
    let before = everything(&app, &objects).await;
    let calls_before = app.gateway.calls();
    let mut asked = 0;
    for (path, method) in calls_by_id() {
        let (object, missing) = objects.of_route(path);
        let asked_path = objects.below(path);
        let foreign = ask(&app, &app.rival_key, method, &asked_path, &object).await;
        let nothing = ask(&app, &app.rival_key, method, &asked_path, &missing).await;
        assert_eq!(foreign.problem(404, "not_found"), nothing.problem(404, "not_found"), "{method} {path}");
        let names = |answer: &Answer| answer.headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&foreign), names(&nothing), "{method} {path}");
        asked += 1;
    }
    assert!(asked >= 9, "the table lost routes");
    assert_eq!(everything(&app, &objects).await, before, "a stranger changed something");
    assert_eq!(app.gateway.calls(), calls_before, "a stranger made the gateway be called");
    // The same calls by their owner, or the above would prove nothing.
    let (others, last) = calls_by_id().split_at_checked(asked - 1).map(|(a, b)| (a.to_vec(), b[0])).unwrap();
    for (path, method) in others {
        let (object, _) = objects.of_route(path);
        let makes = path.ends_with("charges") || path.ends_with("refunds") || path.ends_with("collect");
        ask(&app, &app.key, method, &objects.below(path), &object).await.ok(if makes { 201 } else { 200 });
    }
    assert_ne!(everything(&app, &objects).await, before);
    assert_eq!(last, ("/v1/customers/{id}", "DELETE"));
    ask(&app, &app.key, last.1, last.0, &objects.customer).await.ok(200);
}

#[tokio::test]
async fn what_cannot_be_an_id_does_not_exist_either() {
    let app = TestApp::new().await;
    let objects = Objects::of(&app).await;
    for (path, method) in calls_by_id() {
        let (object, _) = objects.of_route(path);
        for wrong in [
            "x".to_owned(),
            object.to_uppercase(),
            format!("{object}%00"),
            format!("{object}%20"),
            format!("{object}%2F"),
            format!("vlt_{:032x}", 7),
            "%FF".to_owned(),
            "..".to_owned(),
            "a".repeat(5000),
        ] {
            ask(&app, &app.key, method, &objects.below(path), &wrong).await.problem(404, "not_found");
        }
    }
}

#[tokio::test]
async fn lists_hold_nothing_of_another_tenant() {
    let app = TestApp::new().await;
    let objects = Objects::of(&app).await;
    app.webhook(GATEWAY, &[crate::support::SECRET], json!({"event": "settlement.paid"}).to_string())
        .await
        .expect(200);
    let own = [
        &objects.session,
        &objects.customer,
        &objects.method,
        &objects.charges[0],
        &objects.charges[3],
        &objects.key,
        &objects.record,
        &objects.erasure,
        &objects.endpoint,
        GATEWAY,
        "c-1",
        "settlement.paid",
    ];
    let lists =
        ROUTES.iter().filter(|route| matches!(route.access, Access::Tenant(_)) && !route.path.contains('{'));
    let mut seen_by_owner = String::new();
    for route in lists.filter(|route| route.methods.contains(&"GET")) {
        let list = app.call("GET", &list_of(route.path)).key(&app.rival_key).send().await;
        list.ok(200);
        for name in own {
            assert!(!list.text().contains(name), "{} shows {name}", route.path);
        }
        seen_by_owner.push_str(app.get(&list_of(route.path)).await.text());
    }
    for name in own {
        assert!(seen_by_owner.contains(name), "{name} is in no list of its owner");
    }
}

#[tokio::test]
async fn filters_find_nothing_of_another_tenant() {
    let app = TestApp::new().await;
    let objects = Objects::of(&app).await;
    for query in [
        format!("/v1/sessions?customer_id={}", objects.customer),
        format!("/v1/sessions?after=ses_{:032x}", 0),
        format!("/v1/customers?after=cus_{:032x}", 0),
        "/v1/customers?reference=c-1".to_owned(),
        "/v1/events?after=-1".to_owned(),
    ] {
        let found = app.call("GET", &query).key(&app.rival_key).send().await.ok(200);
        assert_eq!(found, json!({"data": [], "has_more": false}), "{query}");
        let found = app.get(&query).await.ok(200);
        assert!(!rows(&found).is_empty(), "{query} proves nothing");
    }
}

#[tokio::test]
async fn a_session_cannot_be_started_with_what_is_anothers() {
    let app = TestApp::new().await;
    let objects = Objects::of(&app).await;
    let body = with(&session_body(), "/gateway", json!(RIVAL_GATEWAY));
    let start =
        async |body: Value| app.call("POST", "/v1/sessions").key(&app.rival_key).json(&body).send().await;

    let customer = async |id: &str| start(with(&body, "/customer", json!({"id": id}))).await;
    let foreign = customer(&objects.customer).await;
    assert_eq!(foreign.pointers(), ["/customer/id"]);
    assert_eq!(
        foreign.problem(400, "invalid_request"),
        customer(&format!("cus_{:032x}", 7)).await.problem(400, "invalid_request")
    );

    let gateway = async |name: &str| start(with(&body, "/gateway", json!(name))).await;
    let foreign = gateway(GATEWAY).await;
    assert_eq!(foreign.pointers(), ["/gateway"]);
    let nobodys = gateway("nobodys-cards").await;
    assert_eq!(
        foreign
            .text()
            .replace(GATEWAY, "nobodys-cards")
            .replace(foreign.header("x-request-id"), nobodys.header("x-request-id")),
        nobodys.text()
    );
}

/// Both tenants call a customer `c-1`; they are two.
#[tokio::test]
async fn one_reference_is_two_customers_in_two_tenants() {
    let app = TestApp::new().await;
    let save = async |key: &str| {
        let body = json!({"reference": "c-1", "email": "one@example.com"});
        app.call("POST", "/v1/customers").key(key).json(&body).send().await.ok(201)
    };
    let (ours, theirs) = (save(&app.key).await, save(&app.rival_key).await);
    assert_ne!(id(&ours), id(&theirs));
}

#[tokio::test]
async fn a_webhook_of_one_gateway_settles_nothing_at_another() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    app.gateway.complete("ref-0001", billfold_testkit::reference::Instrument::card("tok-1", "fp-1"));
    let body =
        json!({"event": "session.completed", "session": "ref-0001", "reference": id(&session)}).to_string();
    // The secret of one gateway does not open another's door.
    app.webhook(GATEWAY, &[RIVAL_SECRET], body.clone()).await.problem(401, "unauthenticated");
    app.webhook(RIVAL_GATEWAY, &[RIVAL_SECRET], body).await.expect(200);
    app.work().await;
    let session = app.get(&format!("/v1/sessions/{}", id(&session))).await.ok(200);
    assert_eq!(session["status"], "active");
    assert!(app.deliveries().await.is_empty());
}
