//! Every list, walked page by page at every size: each row once, in order, and an end.

use serde_json::{Value, json};

use crate::support::{GATEWAY, SECRET, TestApp, rows};

/// Walks a list and gives its rows. Every page but the last is full, and only the last says so.
async fn walk(app: &TestApp, path: &str, limit: usize, cursor: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let separator = if path.contains('?') { '&' } else { '?' };
    let mut after = String::new();
    loop {
        let page = app.get(&format!("{path}{separator}limit={limit}{after}")).await.ok(200);
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
        let has_more = page["has_more"].as_bool().unwrap();
        let count = rows(&page).len();
        assert!(if has_more { count == limit } else { count <= limit }, "{path}: {count} of {limit}");
        // A page is empty only if the whole list is.
        assert!(count > 0 || all.is_empty(), "{path}: an empty last page");
        all.extend(rows(&page).iter().cloned());
        if !has_more {
            return all;
        }
        let last = &all.last().unwrap()[cursor];
        after = format!("&after={}", last.as_str().map_or_else(|| last.to_string(), str::to_owned));
        assert!(all.len() <= 1000, "{path} has no end");
    }
}

/// The list at every limit, compared with what there is.
async fn check(app: &TestApp, path: &str, cursor: &str, expected: &[Value]) {
    let whole =
        app.get(&format!("{path}{}limit=100", if path.contains('?') { '&' } else { '?' })).await.ok(200);
    assert_eq!(whole["has_more"], false);
    let shown: Vec<Value> = rows(&whole).iter().map(|row| row[cursor].clone()).collect();
    assert_eq!(shown, expected, "{path}");
    for limit in (1..=expected.len() + 2).chain([100]) {
        assert_eq!(walk(app, path, limit, cursor).await, *rows(&whole), "{path} by {limit}");
    }
}

/// Ids ascend with time; those of one millisecond in any order.
fn sorted(mut ids: Vec<Value>) -> Vec<Value> {
    ids.sort_by_key(ToString::to_string);
    ids
}

#[tokio::test]
async fn customers() {
    let app = TestApp::new().await;
    check(&app, "/v1/customers", "id", &[]).await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let body = json!({"reference": format!("c-{number}")});
        ids.push(app.post("/v1/customers", &body).await.ok(201)["id"].clone());
    }
    check(&app, "/v1/customers", "id", &sorted(ids)).await;
}

#[tokio::test]
async fn sessions_of_all_and_of_one_customer() {
    let app = TestApp::new().await;
    let mut sessions = Vec::new();
    for number in 0..9 {
        sessions.push(app.start(if number % 3 == 0 { "c-1" } else { "c-2" }).await);
    }
    let ids = |wanted: &dyn Fn(&Value) -> bool| {
        sorted(
            sessions.iter().filter(|session| wanted(session)).map(|session| session["id"].clone()).collect(),
        )
    };
    check(&app, "/v1/sessions", "id", &ids(&|_| true)).await;
    let first = &sessions[0]["customer_id"];
    let path = format!("/v1/sessions?customer_id={}", first.as_str().unwrap());
    let expected = ids(&|session| session["customer_id"] == *first);
    assert_eq!(expected.len(), 3);
    check(&app, &path, "id", &expected).await;
}

#[tokio::test]
async fn methods_of_one_customer() {
    let app = TestApp::new().await;
    let mut methods = Vec::new();
    let mut customer = String::new();
    for number in 0..5 {
        let session = app.save_card("c-1", &format!("card-{number}")).await;
        app.save_card("c-2", &format!("other-{number}")).await;
        session["customer_id"].as_str().unwrap().clone_into(&mut customer);
        methods.push(session["payment_methods"][0].clone());
    }
    let path = format!("/v1/customers/{customer}/payment-methods");
    check(&app, &path, "id", &sorted(methods.clone())).await;
    // A deleted one leaves no gap; a page may begin after it.
    let deleted = methods.remove(2);
    let method = format!("/v1/payment-methods/{}", deleted.as_str().unwrap());
    app.call("DELETE", &method).key(&app.key).send().await.ok(200);
    check(&app, &path, "id", &sorted(methods.clone())).await;
    let beyond = app.get(&format!("{path}?after={}", deleted.as_str().unwrap())).await.ok(200);
    let later = methods.iter().filter(|id| id.as_str() > deleted.as_str()).count();
    assert_eq!(rows(&beyond).len(), later);
}

#[tokio::test]
async fn events_by_sequence() {
    let app = TestApp::new().await;
    check(&app, "/v1/events", "sequence", &[]).await;
    for number in 0..4 {
        app.save_card("c-1", &format!("card-{number}")).await;
    }
    let events = app.get("/v1/events").await.ok(200);
    let sequences: Vec<Value> = rows(&events).iter().map(|event| event["sequence"].clone()).collect();
    assert_eq!(sequences.len(), 8, "a card saved and a session completed, four times");
    assert!(sequences.windows(2).all(|pair| pair[0].as_i64() < pair[1].as_i64()), "{sequences:?}");
    check(&app, "/v1/events", "sequence", &sequences).await;
    // What happens while a client reads comes after all that it has read.
    let last = sequences.last().unwrap();
    app.save_card("c-1", "late").await;
    let news = app.get(&format!("/v1/events?after={last}")).await.ok(200);
    assert_eq!(rows(&news).len(), 2);
    let names: Vec<&str> = rows(&news).iter().map(|event| event["type"].as_str().unwrap()).collect();
    assert_eq!(names, ["payment_method.saved", "session.completed"]);
}

#[tokio::test]
async fn records_of_one_owner() {
    let app = TestApp::new().await;
    let session = app.start("c-1").await;
    let customer = session["customer_id"].as_str().unwrap();
    let path = format!("/v1/vault/records?owner={customer}");
    // What Billfold itself keeps of the customer is in no page.
    check(&app, &path, "id", &[]).await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let kind = if number % 2 == 0 { "note" } else { "other" };
        let body = json!({"owner": customer, "kind": kind, "value": number});
        ids.push(app.post("/v1/vault/records", &body).await.ok(201)["id"].clone());
        app.post("/v1/vault/records", &json!({"owner": "user-2", "kind": "note", "value": number})).await;
    }
    check(&app, &path, "id", &sorted(ids.clone())).await;
    let odd = ids.iter().skip(1).step_by(2).cloned().collect();
    check(&app, &format!("{path}&kind=other"), "id", &sorted(odd)).await;
    check(&app, "/v1/vault/records?owner=nobody", "id", &[]).await;
}

#[tokio::test]
async fn the_audit_trail_by_sequence_and_erasures() {
    let app = TestApp::new().await;
    check(&app, "/v1/erasures", "id", &[]).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let body = json!({"owner": format!("user-{number}")});
        ids.push(app.post("/v1/erasures", &body).await.ok(200)["id"].clone());
    }
    check(&app, "/v1/erasures", "id", &sorted(ids)).await;
    // The key of this tenant, and two entries for each erasure.
    let sequences: Vec<Value> = (1..=11).map(Value::from).collect();
    check(&app, "/v1/audit", "sequence", &sequences).await;
}

/// Newest first, unlike the others: whoever looks at them looks for trouble.
#[tokio::test]
async fn deliveries_of_all_and_of_one_state() {
    let app = TestApp::new().await;
    for number in 0..6 {
        let body = if number % 2 == 0 {
            json!({"event": format!("e-{number}")}).to_string()
        } else {
            "{".repeat(number)
        };
        app.webhook(GATEWAY, &[SECRET], body).await;
    }
    let all = app.deliveries().await;
    assert_eq!(all.len(), 6);
    let ids = |state: Option<&str>| {
        let of_state = all.iter().filter(|row| state.is_none_or(|state| row["state"] == state));
        let mut ids = sorted(of_state.map(|row| row["id"].clone()).collect());
        ids.reverse();
        ids
    };
    check(&app, "/v1/deliveries", "id", &ids(None)).await;
    check(&app, "/v1/deliveries?state=unreadable", "id", &ids(Some("unreadable"))).await;
    assert_eq!(ids(Some("unreadable")).len(), 3);
}

#[tokio::test]
async fn a_page_has_20_rows_unless_asked_otherwise() {
    let app = TestApp::new().await;
    for number in 0..21 {
        app.post("/v1/customers", &json!({"reference": format!("c-{number}")})).await.ok(201);
    }
    let page = app.get("/v1/customers").await.ok(200);
    assert_eq!((rows(&page).len(), &page["has_more"]), (20, &json!(true)));
}

#[tokio::test]
async fn lists_that_are_given_whole_say_so() {
    let app = TestApp::new().await;
    for number in 0..30 {
        app.post("/v1/api-keys", &json!({"name": format!("key {number}")})).await.ok(201);
    }
    let keys = app.get("/v1/api-keys").await.ok(200);
    assert_eq!((rows(&keys).len(), &keys["has_more"]), (31, &json!(false)));
}
