//! What the contract's trials do not see: the pages in the browser's own words, and the sandbox's strictness.

use std::time::Duration;

use billfold_core::transport::Transport as _;
use billfold_sandbox::{CompleteSession, Fault, FaultOrder, Sandbox};
use serde_json::{Value, json};

use crate::support::{ACCESS_TOKEN, sandbox, transport};

async fn send(request: http::request::Builder, body: String) -> (u16, Value) {
    let answer = transport().send(request.body(body.into()).unwrap(), Duration::from_secs(10)).await.unwrap();
    let location = answer.headers().get("location").map(|to| Value::String(to.to_str().unwrap().to_owned()));
    let body = location.unwrap_or_else(|| serde_json::from_slice(answer.body()).unwrap_or_default());
    (answer.status().as_u16(), body)
}

/// A call of the API, with what every call needs.
async fn call(sandbox: &Sandbox, method: &str, path: &str, key: &str, body: Value) -> (u16, Value) {
    let url = sandbox.base_url().join(path).unwrap();
    let mut request = http::Request::builder().method(method).uri(url.as_str());
    request = request.header("authorization", format!("Bearer {ACCESS_TOKEN}"));
    request = request.header("gocardless-version", "2015-07-06").header("content-type", "application/json");
    if !key.is_empty() {
        request = request.header("idempotency-key", key);
    }
    send(request, if body.is_null() { String::new() } else { body.to_string() }).await
}

/// A form of a page; where it leads.
async fn submit(url: &str, fields: &[(&str, &str)]) -> String {
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let request = http::Request::post(url).header("content-type", "application/x-www-form-urlencoded");
    send(request, form).await.1.as_str().unwrap().to_owned()
}

fn reason((status, body): (u16, Value)) -> (u16, String) {
    let error = &body["error"]["errors"][0];
    let reason = error["reason"].as_str().or(error["field"].as_str()).unwrap_or_default();
    (status, reason.to_owned())
}

fn asked(mandate: Value) -> Value {
    json!({"billing_requests": {"mandate_request": mandate}})
}

/// A billing request and the address of its page.
async fn flow(sandbox: &Sandbox, prefilled: Value) -> (String, String) {
    let (status, made) =
        call(sandbox, "POST", "billing_requests", "", asked(json!({"scheme": "bacs"}))).await;
    assert_eq!(status, 201, "{made}");
    let id = made["billing_requests"]["id"].as_str().unwrap().to_owned();
    let fields = json!({
        "redirect_uri": "https://shop.example/done", "exit_uri": "https://shop.example/left",
        "prefilled_customer": prefilled, "links": {"billing_request": id},
    });
    let fields = json!({"billing_request_flows": fields});
    let (status, flow) = call(sandbox, "POST", "billing_request_flows", "", fields).await;
    assert_eq!(status, 201, "{flow}");
    (id, flow["billing_request_flows"]["authorisation_url"].as_str().unwrap().to_owned())
}

fn events(sandbox: &Sandbox) -> Vec<String> {
    sandbox.control().deliveries().into_iter().map(|sent| sent.event).collect()
}

#[tokio::test]
async fn the_pages_ask_confirm_and_lead_back() {
    let sandbox = sandbox().await;
    let base = sandbox.base_url();
    let (id, link) = flow(&sandbox, json!({"given_name": "Lorem"})).await;
    let page = link.strip_prefix(base.as_str()).map(|path| format!("/{path}")).unwrap();
    let form = format!("{link}/submit");
    for wrong in [
        &[("account-number", "55779911")][..],
        &[("family-name", "Ipsum"), ("account-number", "12")],
        &[("family-name", "Ipsum"), ("account-number", "<script>")],
    ] {
        assert_eq!(submit(&form, wrong).await, page, "the page again");
    }
    let right = [("family-name", "Ipsum"), ("branch-code", "20-00-00"), ("account-number", "5577 9911")];
    let confirm = base.join(&submit(&form, &right).await).unwrap();
    assert_eq!(submit(confirm.as_str(), &[("decision", "fail")]).await, page, "change the details");
    assert!(events(&sandbox).is_empty());
    let left = submit(&format!("{link}/exit"), &[]).await;
    assert!(left.starts_with("https://shop.example/left?outcome=failure&id=BRF"), "{left}");
    let done = submit(confirm.as_str(), &[("decision", "approve")]).await;
    assert!(done.starts_with("https://shop.example/done?outcome=success&id=BRF"), "{done}");
    let expected = ["billing_requests.flow_exited", "billing_requests.fulfilled, mandates.created"];
    assert_eq!(events(&sandbox), expected);
    let (_, request) = call(&sandbox, "GET", &format!("billing_requests/{id}"), "", Value::Null).await;
    let request = &request["billing_requests"];
    assert_eq!(
        (&request["status"], &request["mandate_request"]["scheme"]),
        (&json!("fulfilled"), &json!("bacs"))
    );
    let customer = request["links"]["customer"].as_str().unwrap();
    let (_, customer) = call(&sandbox, "GET", &format!("customers/{customer}"), "", Value::Null).await;
    assert_eq!(customer["customers"]["family_name"], "Ipsum");
    // Confirmed twice: it is over.
    let request =
        http::Request::post(confirm.as_str()).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(request, "decision=approve".to_owned()).await.0, 200);
    assert_eq!(events(&sandbox).len(), 2);
}

#[tokio::test]
async fn a_link_ends_and_its_request_does_not() {
    let sandbox = sandbox().await;
    let (id, link) = flow(&sandbox, json!({})).await;
    assert!(sandbox.control().expire(&id));
    let right = [("given-name", "Lorem"), ("family-name", "Ipsum"), ("account-number", "55779911")];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(right).finish();
    let request = http::Request::post(format!("{link}/submit"))
        .header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(send(request, form).await.0, 200, "a page that says so, and no way on");
    assert!(sandbox.control().complete(&id, &CompleteSession::default()).is_some());
}

#[tokio::test]
async fn wrong_requests_are_refused_in_the_gateways_words() {
    let sandbox = sandbox().await;
    let refused = |status, reason: &str| (status, reason.to_owned());
    let post = |key: &'static str, body: Value| call(&sandbox, "POST", "billing_requests", key, body);
    for (body, field) in [
        (asked(json!({"scheme": "bacs", "colour": "red"})), "colour"),
        (asked(json!({"scheme": "cowries"})), "scheme"),
        (asked(json!({"scheme": "bacs", "currency": "EUR"})), "scheme"),
        (asked(json!({"currency": "JPY"})), "currency"),
        (asked(json!({})), "currency"),
        (asked(json!({"scheme": "bacs", "verify": "sometimes"})), "verify"),
        (asked(json!({"scheme": "bacs", "metadata": {"a": "", "b": "", "c": "", "d": ""}})), "metadata"),
        (asked(json!({"scheme": "bacs", "metadata": {"a": 7}})), "metadata"),
        (json!({"billing_requests": {}}), "mandate_request"),
        (
            json!({"billing_requests": {"mandate_request": {"scheme": "bacs"}, "links": {"customer": "CU9"}}}),
            "links.customer",
        ),
    ] {
        assert_eq!(reason(post("", body.clone()).await), refused(422, field), "{body}");
    }
    assert_eq!(reason(post("", json!({})).await), refused(400, "invalid_document_structure"));
    let good = asked(json!({"currency": "EUR"}));
    let (status, made) = post("key", good.clone()).await;
    assert_eq!((status, &made["billing_requests"]["mandate_request"]["scheme"]), (201, &json!("sepa_core")));
    let (status, conflict) = post("key", good).await;
    assert_eq!(status, 409);
    let links = &conflict["error"]["errors"][0]["links"];
    assert_eq!(links["conflicting_resource_id"], made["billing_requests"]["id"]);
    let nobody = call(&sandbox, "GET", "mandates/MD1", "", Value::Null).await;
    assert_eq!(reason(nobody), refused(404, "resource_not_found"));
    let url = sandbox.base_url().join("billing_requests").unwrap();
    let anonymous = http::Request::get(url.as_str()).header("gocardless-version", "2015-07-06");
    assert_eq!(reason(send(anonymous, String::new()).await), refused(401, "access_token_not_found"));
    let old = http::Request::get(url.as_str()).header("authorization", format!("Bearer {ACCESS_TOKEN}"));
    assert_eq!(reason(send(old, String::new()).await), refused(400, "missing_version_header"));
}

#[tokio::test]
async fn scenarios_are_played_and_faults_happen() {
    let sandbox = sandbox().await;
    let (id, _) = flow(&sandbox, json!({})).await;
    let mandate = sandbox.control().complete(&id, &CompleteSession::default()).unwrap();
    let run = |scenario: &str| {
        let path = format!("scenario_simulators/{scenario}/actions/run");
        let body = json!({"data": {"links": {"resource": mandate}}});
        let sandbox = &sandbox;
        async move { call(sandbox, "POST", &path, "", body).await }
    };
    let status = || sandbox.control().tokens()[0]["status"].clone();
    for (scenario, becomes) in [
        ("mandate_submitted", "submitted"),
        ("mandate_activated", "active"),
        ("mandate_transferred", "active"),
        ("mandate_suspended_by_payer", "suspended_by_payer"),
        ("mandate_expired", "expired"),
    ] {
        assert_eq!(run(scenario).await.0, 200, "{scenario}");
        assert_eq!(status(), becomes, "{scenario}");
    }
    assert_eq!(reason(run("mandate_activated").await), (422, "simulation_failed".to_owned()));
    assert_eq!(run("pigs_fly").await.0, 404);
    let cancel = format!("mandates/{mandate}/actions/cancel");
    let late = call(&sandbox, "POST", &cancel, "", json!({"data": {}})).await;
    assert_eq!(reason(late), (422, "cancellation_failed".to_owned()));
    sandbox.control().order(FaultOrder::once("GET", "/mandates", Fault::Status(503)));
    let (status, body) = call(&sandbox, "GET", &format!("mandates/{mandate}"), "", Value::Null).await;
    assert_eq!((status, &body["error"]["errors"][0]["reason"]), (503, &json!("server_error")));
}

/// The gateway's own libraries send `null`, or no body at all, where an action needs nothing.
#[tokio::test]
async fn an_action_needs_no_body() {
    let sandbox = sandbox().await;
    for body in ["", "null"] {
        let (id, _) = flow(&sandbox, json!({})).await;
        let url = sandbox.base_url().join(&format!("billing_requests/{id}/actions/cancel")).unwrap();
        let request =
            http::Request::post(url.as_str()).header("authorization", format!("Bearer {ACCESS_TOKEN}"));
        let request = request.header("gocardless-version", "2015-07-06");
        let (status, answer) = send(request, body.to_owned()).await;
        assert_eq!((status, &answer["billing_requests"]["status"]), (200, &json!("cancelled")), "{answer}");
    }
    let nothing = call(&sandbox, "POST", "billing_requests", "", Value::Null).await;
    assert_eq!(reason(nothing), (400, "invalid_document_structure".to_owned()));
}

#[tokio::test]
async fn mandates_are_listed_newest_first() {
    let sandbox = sandbox().await;
    let mut mandates = Vec::new();
    for _ in 0..3 {
        let (id, _) = flow(&sandbox, json!({})).await;
        mandates.insert(0, sandbox.control().complete(&id, &CompleteSession::default()).unwrap());
    }
    assert!(sandbox.control().set_token_status(&mandates[1], "active", None));
    let list = async |query: &str| {
        let (status, found) = call(&sandbox, "GET", &format!("mandates?{query}"), "", Value::Null).await;
        assert_eq!(status, 200, "{found}");
        let of = |mandate: &Value| mandate["id"].as_str().unwrap().to_owned();
        let ids: Vec<String> = found["mandates"].as_array().unwrap().iter().map(of).collect();
        (ids, found["meta"]["cursors"]["after"].clone())
    };
    assert_eq!(list("").await, (mandates.clone(), Value::Null));
    assert_eq!(list("status=active").await.0, mandates[1..2]);
    let (first, after) = list("limit=2").await;
    assert_eq!((first.as_slice(), after.as_str()), (&mandates[..2], Some(mandates[1].as_str())));
    assert_eq!(list(&format!("limit=2&after={}", mandates[1])).await, (mandates[2..].to_vec(), Value::Null));
    let (_, made) = call(&sandbox, "GET", &format!("mandates/{}", mandates[2]), "", Value::Null).await;
    let customer = made["mandates"]["links"]["customer"].as_str().unwrap();
    assert_eq!(list(&format!("customer={customer}")).await.0, mandates[2..]);
    for wrong in ["limit=0", "limit=501", "limit=x", "colour=red"] {
        let answer = call(&sandbox, "GET", &format!("mandates?{wrong}"), "", Value::Null).await;
        assert_eq!(answer.0, 422, "{wrong}");
    }
}
