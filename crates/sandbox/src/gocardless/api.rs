//! The API: JSON in envelopes, in and out.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use axum::{Json, Router};
use serde_json::{Map, Value, json};

use super::books::{Flow, is_open, new_id};
use super::error::{Answer, conflict, field, no_such, state as wrong_state, usage};
use super::lists::{self, Query};
use super::{complete_in, happened, is_authorized, mandates, payments, refunds, tell, validate};
use crate::CompleteSession;
use crate::clock::iso;
use crate::server::{SandboxState, World};

/// How long the link to the hosted pages lasts.
const FLOW_LIFE: i64 = 7 * 24 * 60 * 60 * 1000;
const VERSION: &str = "2015-07-06";

pub(crate) fn routes() -> Router<Arc<World>> {
    let collections = [
        "billing_requests",
        "billing_request_flows",
        "customers",
        "customer_bank_accounts",
        "mandates",
        "payments",
        "refunds",
        "events",
        "scenario_simulators",
    ];
    collections.iter().fold(Router::new(), |router, name| {
        router.route(&format!("/{name}"), any(answer)).route(&format!("/{name}/{{*rest}}"), any(answer))
    })
}

async fn answer(State(world): State<Arc<World>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1024 * 1024).await.unwrap_or_default();
    world.pass_time();
    let (status, value) = if !is_authorized(&world, &parts.headers) {
        usage(401, "access_token_not_found", "The access token you've used is not valid")
    } else if header(&parts.headers, "gocardless-version") != Some(VERSION) {
        usage(400, "missing_version_header", "A GoCardless-Version header of 2015-07-06 is needed")
    } else {
        let key = header(&parts.headers, "idempotency-key");
        let path = parts.uri.path().trim_matches('/').to_owned();
        world.with(|state, now| {
            let query = parts.uri.query().unwrap_or_default();
            let call = Call { world: &world, method: &parts.method, body: &body, query, key };
            call.handle(state, &path, now).unwrap_or_else(|refusal| refusal)
        })
    };
    if status == 201 && world.with(|state, _| state.books.gocardless.complete_on_create) {
        // The customer was quicker than this answer: its webhooks are sent before the answer is.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, Json(value)).into_response()
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

struct Call<'a> {
    world: &'a World,
    method: &'a Method,
    body: &'a [u8],
    query: &'a str,
    key: Option<&'a str>,
}

impl Call<'_> {
    fn handle(&self, state: &mut SandboxState, path: &str, now: i64) -> Result<Answer, Answer> {
        let parts: Vec<&str> = path.split('/').collect();
        let books = &mut state.books.gocardless;
        match (self.method, parts.as_slice()) {
            (&Method::POST, ["billing_requests"]) => self.new_request(state, now),
            (&Method::GET, ["billing_requests", id]) => {
                found("billing_requests", books.request(id).map(|request| request.clone()))
            }
            (&Method::POST, ["billing_requests", id, "actions", "cancel"]) => {
                self.action(&["metadata"])?;
                cancel_request(state, id, now)
            }
            (&Method::POST, ["billing_request_flows"]) => self.new_flow(state, now),
            (&Method::GET, ["customers", id]) => found("customers", books.customer(id).cloned()),
            (&Method::GET, ["customer_bank_accounts", id]) => {
                let account = books.account(id).map(|account| account.object.clone());
                found("customer_bank_accounts", account)
            }
            (&Method::GET, ["mandates"]) => mandates::list(books, self.query),
            (&Method::GET, ["mandates", id]) => found("mandates", mandate(state, id)),
            (&Method::POST, ["mandates", id, "actions", "cancel"]) => {
                self.action(&["metadata"])?;
                cancel_mandate(state, id, now)
            }
            (_, [collection @ ("payments" | "refunds" | "events"), rest @ ..]) => {
                self.collect(state, collection, rest, now)
            }
            (&Method::POST, ["scenario_simulators", scenario, "actions", "run"]) => {
                self.simulate(state, scenario, now)
            }
            _ => Err(no_such()),
        }
    }

    /// Payments, refunds, and the events about them.
    fn collect(
        &self,
        state: &mut SandboxState,
        collection: &str,
        rest: &[&str],
        now: i64,
    ) -> Result<Answer, Answer> {
        let books = &mut state.books.gocardless;
        let query: Query = url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        let (answer, events) = match (self.method, collection, rest) {
            (&Method::GET, "payments", []) => return lists::payments(books, &query),
            (&Method::GET, "refunds", []) => return lists::refunds(books, &query),
            (&Method::GET, "events", []) => return lists::events(books, &query),
            (&Method::GET, "payments", [id]) => {
                let payment = books.payments.iter().find(|payment| payment.object["id"] == *id);
                return found("payments", payment.map(|payment| payment.object.clone()));
            }
            (&Method::GET, "refunds", [id]) => {
                let refund = books.refunds.iter().find(|refund| refund.object["id"] == *id);
                return found("refunds", refund.map(|refund| refund.object.clone()));
            }
            (&Method::POST, "payments", []) => {
                let known = ["amount", "currency", "description", "metadata", "links"];
                payments::create(books, &self.fields("payments", &known)?, self.key, now)?
            }
            (&Method::POST, "payments", [id, "actions", "cancel"]) => {
                self.action(&["metadata"])?;
                payments::cancel(books, id, now)?
            }
            (&Method::POST, "refunds", []) => {
                let known = ["amount", "total_amount_confirmation", "metadata", "links"];
                refunds::create(books, &self.fields("refunds", &known)?, self.key, now)?
            }
            _ => return Err(no_such()),
        };
        tell(state, &events, now);
        Ok(answer)
    }

    /// The fields in the envelope of the request.
    fn fields(&self, envelope: &str, known: &[&str]) -> Result<Map<String, Value>, Answer> {
        let body: Value = serde_json::from_slice(self.body).unwrap_or_default();
        if !body.get(envelope).is_some_and(Value::is_object) {
            let message = format!("The body must have its fields in {envelope}");
            return Err(usage(400, "invalid_document_structure", &message));
        }
        validate::object(&body, envelope, known)
    }

    /// The fields of an action that needs none: its body may be left out, or be `null`.
    fn action(&self, known: &[&str]) -> Result<Map<String, Value>, Answer> {
        let nothing = self.body.is_empty() || self.body.trim_ascii() == b"null";
        if nothing { Ok(Map::new()) } else { self.fields("data", known) }
    }

    fn new_request(&self, state: &mut SandboxState, now: i64) -> Result<Answer, Answer> {
        let known = self.key.map(|key| format!("billing_requests {key}"));
        let books = &mut state.books.gocardless;
        if let Some(made) = known.as_ref().and_then(|key| books.made.get(key)) {
            return Err(conflict(made));
        }
        let fields = self.fields("billing_requests", &["mandate_request", "metadata", "links"])?;
        let fields_value = Value::Object(fields.clone());
        if !fields.contains_key("mandate_request") {
            return Err(field("mandate_request", "is required: this sandbox saves mandates"));
        }
        let known_here = ["currency", "scheme", "verify", "description", "metadata"];
        let asked = validate::object(&fields_value, "mandate_request", &known_here)?;
        let (scheme, currency) =
            validate::scheme(validate::text(&asked, "scheme")?, validate::text(&asked, "currency")?)?;
        validate::one_of(&asked, "verify", &["minimum", "recommended", "when_available", "always"])?;
        let links = validate::object(&fields_value, "links", &["customer"])?;
        let customer = validate::text(&links, "customer")?;
        if customer.is_some_and(|id| books.customer(id).is_none()) {
            return Err(field("links.customer", "is no customer"));
        }
        let id = new_id("BRQ");
        let mut request = json!({
            "id": id, "created_at": iso(now), "status": "pending", "metadata": validate::metadata(&fields)?,
            "mandate_request": {
                "currency": currency, "scheme": scheme, "verify": asked.get("verify"),
                "description": validate::text(&asked, "description")?, "metadata": validate::metadata(&asked)?,
                "links": {},
            },
            "links": {"creditor": "CR0000SANDBOX"},
        });
        if let Some(customer) = customer {
            request["links"]["customer"] = customer.into();
        }
        books.add_request(request.clone());
        books.made.extend(known.map(|key| (key, id.clone())));
        if books.complete_on_create {
            complete_in(state, &id, &CompleteSession::default(), now);
        }
        Ok((201, json!({"billing_requests": request})))
    }

    /// Each call makes a flow, whatever its key.
    fn new_flow(&self, state: &mut SandboxState, now: i64) -> Result<Answer, Answer> {
        let known = ["redirect_uri", "exit_uri", "lock_currency", "language", "prefilled_customer", "links"];
        let fields = self.fields("billing_request_flows", &known)?;
        let fields_value = Value::Object(fields.clone());
        let (redirect_uri, exit_uri) =
            (validate::url(&fields, "redirect_uri")?, validate::url(&fields, "exit_uri")?);
        validate::language(&fields)?;
        let prefilled = validate::object(
            &fields_value,
            "prefilled_customer",
            &["given_name", "family_name", "email", "country_code"],
        )?;
        let links = validate::object(&fields_value, "links", &["billing_request"])?;
        let books = &mut state.books.gocardless;
        let request = validate::text(&links, "billing_request")?.unwrap_or_default();
        // One that was completed, by order, while it was created is given its flow all the same.
        let early = books.complete_on_create;
        let asked = books.request(request).ok_or_else(|| field("links.billing_request", "is none"))?;
        if !is_open(asked) && !early {
            return Err(wrong_state("billing_request_not_pending", "The billing request is over"));
        }
        let (link, expires_at) = (uuid::Uuid::new_v4().simple().to_string(), now + FLOW_LIFE);
        let url = self.world.base_url.join(&format!("flow/{link}")).map(String::from).unwrap_or_default();
        let object = json!({
            "id": new_id("BRF"), "created_at": iso(now), "authorisation_url": url, "redirect_uri": redirect_uri,
            "exit_uri": exit_uri, "expires_at": iso(expires_at), "auto_fulfil": true, "session_token": null,
            "lock_currency": fields.get("lock_currency"), "language": fields.get("language"),
            "prefilled_customer": prefilled, "links": {"billing_request": request},
        });
        let attempts = std::collections::HashMap::new();
        books.flows.push(Flow { object: object.clone(), link, expires_at, problem: None, attempts });
        Ok((201, json!({"billing_request_flows": object})))
    }

    /// `mandate_activated`, `payment_confirmed` and the like.
    fn simulate(&self, state: &mut SandboxState, scenario: &str, now: i64) -> Result<Answer, Answer> {
        let fields = Value::Object(self.fields("data", &["links"])?);
        let links = validate::object(&fields, "links", &["resource"])?;
        let resource = validate::text(&links, "resource")?.unwrap_or_default().to_owned();
        let action = match scenario {
            "mandate_submitted" | "payment_submitted" => "submitted",
            "mandate_activated" => "active",
            "mandate_failed" | "payment_failed" => "failed",
            "mandate_expired" => "expired",
            "mandate_transferred" => "transferred",
            "mandate_suspended_by_payer" => "suspended_by_payer",
            "payment_confirmed" => "confirmed",
            "payment_paid_out" => "paid_out",
            "payment_late_failure" => "late_failure",
            "payment_charged_back" => "charged_back",
            _ => return Err(no_such()),
        };
        let books = &mut state.books.gocardless;
        let events = if scenario.starts_with("payment_") {
            books.payment(&resource).ok_or_else(no_such)?;
            payments::happen(books, &resource, action, now)
        } else {
            mandate(state, &resource).ok_or_else(no_such)?;
            mandates::happen(&mut state.books.gocardless, &resource, action, now)
        };
        let events = events.ok_or_else(|| wrong_state("simulation_failed", "Where it stands, it cannot"))?;
        tell(state, &events, now);
        Ok((200, json!({"scenario_simulators": {"id": scenario}})))
    }
}

fn found(envelope: &str, object: Option<Value>) -> Result<Answer, Answer> {
    object.map(|object| (200, json!({envelope: object}))).ok_or_else(no_such)
}

fn mandate(state: &SandboxState, id: &str) -> Option<Value> {
    let mandates = &state.books.gocardless.mandates;
    mandates.iter().find(|mandate| mandate.object["id"] == id).map(|mandate| mandate.object.clone())
}

fn cancel_request(state: &mut SandboxState, id: &str, now: i64) -> Result<Answer, Answer> {
    let request = state.books.gocardless.request(id).ok_or_else(no_such)?;
    if !is_open(request) {
        return Err(wrong_state("cancellation_failed", "The billing request is over"));
    }
    request["status"] = "cancelled".into();
    let request = request.clone();
    let links = json!({"billing_request": id});
    tell(state, &[happened("billing_requests", "cancelled", &links, &request["metadata"], now)], now);
    Ok((200, json!({"billing_requests": request})))
}

fn cancel_mandate(state: &mut SandboxState, id: &str, now: i64) -> Result<Answer, Answer> {
    mandate(state, id).ok_or_else(no_such)?;
    let events = mandates::happen(&mut state.books.gocardless, id, "cancelled", now);
    let events =
        events.ok_or_else(|| wrong_state("cancellation_failed", "The mandate cannot be cancelled"))?;
    tell(state, &events, now);
    found("mandates", mandate(state, id))
}
