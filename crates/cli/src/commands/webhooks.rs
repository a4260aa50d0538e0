//! `billfold webhooks`: endpoints that events are sent to.

use anyhow::bail;
use http::Method;
use serde_json::{Map, Value, json};

use super::resources::{id, query};
use crate::args::{ChangeWebhookArgs, Global, WebhooksCommand};
use crate::client::ApiClient;
use crate::output::{self, Column};

const ENDPOINT: &[Column] = &[
    ("id", "/id"),
    ("url", "/url"),
    ("events", "/events"),
    ("state", "/state"),
    ("why", "/disabled_reason"),
    ("failing since", "/failing_since"),
];
const DELIVERY: &[Column] = &[
    ("id", "/id"),
    ("type", "/event_type"),
    ("object", "/object_id"),
    ("state", "/state"),
    ("attempts", "/attempts"),
    ("status", "/last_status"),
    ("error", "/last_error"),
    ("next", "/next_attempt_at"),
];

const ATTEMPT: &[Column] = &[
    ("attempt", "/number"),
    ("at", "/at"),
    ("status", "/status"),
    ("error", "/error"),
    ("ms", "/duration_ms"),
];

const SHOWN_ONCE: &str = "the secret is shown this once; keep it";

pub(crate) async fn run(global: &Global, command: WebhooksCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        WebhooksCommand::Create { url, events, description } => {
            let mut body = json!({"url": url, "description": description});
            if !events.is_empty() {
                body["events"] = json!(events);
            }
            output::object(global.json, &api.post("/v1/webhook-endpoints", Some(body)).await?);
            output::tell!("{SHOWN_ONCE}");
        }
        WebhooksCommand::List { page } => {
            let path = format!("/v1/webhook-endpoints{}", query(&page, &[]));
            output::list(global.json, &api.get(&path).await?, ENDPOINT);
        }
        WebhooksCommand::Show { id: endpoint, delivery: None } => {
            output::object(global.json, &api.get(&path(&endpoint, "")?).await?);
        }
        WebhooksCommand::Show { id: endpoint, delivery: Some(delivery) } => {
            let path = path(&endpoint, &format!("/deliveries/{}", id(&delivery)?))?;
            show_delivery(global, api.get(&path).await?);
        }
        WebhooksCommand::Update { id: endpoint, change } => {
            let changed = api.call(Method::PATCH, &path(&endpoint, "")?, Some(changes(change))).await?;
            output::object(global.json, &changed);
        }
        WebhooksCommand::Delete { id: endpoint } => {
            output::object(global.json, &api.call(Method::DELETE, &path(&endpoint, "")?, None).await?);
        }
        WebhooksCommand::RotateSecret { id: endpoint, overlap } => {
            let body = json!({"overlap_seconds": overlap});
            output::object(global.json, &api.post(&path(&endpoint, "/rotate-secret")?, Some(body)).await?);
            output::tell!("{SHOWN_ONCE}");
        }
        WebhooksCommand::Test { id: endpoint } => {
            let test = api.post(&path(&endpoint, "/test")?, None).await?;
            output::object(global.json, &test);
            if test.get("ok") != Some(&Value::Bool(true)) {
                bail!("the receiver did not take the event");
            }
        }
        WebhooksCommand::Deliveries { id: endpoint, page, state } => {
            let path = format!("{}{}", path(&endpoint, "/deliveries")?, query(&page, &[("state", &state)]));
            output::list(global.json, &api.get(&path).await?, DELIVERY);
        }
        WebhooksCommand::Replay { id: endpoint, delivery: Some(delivery), .. } => {
            let path = path(&endpoint, &format!("/deliveries/{}/replay", id(&delivery)?))?;
            show_delivery(global, api.post(&path, None).await?);
        }
        WebhooksCommand::Replay {
            id: endpoint,
            delivery: None,
            since,
            after_sequence,
            include_delivered,
        } => {
            let body = json!({
                "since": since, "after_sequence": after_sequence, "include_delivered": include_delivered,
            });
            output::object(global.json, &api.post(&path(&endpoint, "/replay")?, Some(body)).await?);
        }
    }
    Ok(())
}

/// For people, the attempts are a table below the delivery.
fn show_delivery(global: &Global, mut delivery: Value) {
    let attempts = match delivery.as_object_mut() {
        Some(fields) if !global.json => fields.remove("history"),
        _ => None,
    };
    output::object(global.json, &delivery);
    if let Some(Value::Array(attempts)) = attempts {
        output::say!("{}", output::table(&attempts, ATTEMPT));
    }
}

fn path(endpoint: &str, below: &str) -> anyhow::Result<String> {
    Ok(format!("/v1/webhook-endpoints/{}{below}", id(endpoint)?))
}

fn changes(args: ChangeWebhookArgs) -> Value {
    let mut body = Map::new();
    for (key, text) in [("url", args.url), ("description", args.description)] {
        body.extend(text.map(|text| (key.to_owned(), json!(text))));
    }
    if !args.events.is_empty() {
        body.insert("events".to_owned(), json!(args.events));
    }
    if args.enable || args.disable {
        let state = if args.enable { "enabled" } else { "disabled" };
        body.insert("state".to_owned(), json!(state));
    }
    Value::Object(body)
}
