//! The commands that speak the REST API.

use anyhow::bail;
use http::Method;
use serde_json::{Map, Value, json};

use super::explain;
use crate::args::{
    CreateSessionArgs, CustomersCommand, DeliveriesCommand, EventsCommand, GatewaysCommand, Global,
    KeysCommand, MethodsCommand, PageArgs, SessionsCommand,
};
use crate::client::ApiClient;
use crate::output::{self, Column};

const SESSION: &[Column] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("gateway", "/gateway"),
    ("customer", "/customer_id"),
    ("usage", "/usage"),
    ("methods", "/payment_methods"),
    ("created", "/created_at"),
];
pub(crate) const METHOD: &[Column] = &[
    ("id", "/id"),
    ("kind", "/kind"),
    ("brand", "/display/brand"),
    ("last four", "/display/last4"),
    ("status", "/status"),
    ("usage", "/usage"),
    ("default", "/is_default"),
    ("gateway", "/gateway"),
];
const CUSTOMER: &[Column] = &[
    ("id", "/id"),
    ("reference", "/reference"),
    ("given names", "/profile/given_names"),
    ("e-mail", "/profile/email"),
    ("created", "/created_at"),
];
const KEY: &[Column] = &[
    ("id", "/id"),
    ("name", "/name"),
    ("scopes", "/scopes"),
    ("created", "/created_at"),
    ("revoked", "/revoked_at"),
];
const GATEWAY: &[Column] = &[
    ("gateway", "/gateway"),
    ("provider", "/provider"),
    ("mode", "/mode"),
    ("webhook URL", "/webhook_url"),
    ("channels", "/codes"),
];
const CHECK: &[Column] = &[("gateway", "/gateway"), ("works", "/ok"), ("problem", "/problem")];
const DELIVERY: &[Column] = &[
    ("id", "/id"),
    ("gateway", "/gateway"),
    ("events", "/summary"),
    ("state", "/state"),
    ("came", "/received_count"),
    ("note", "/note"),
    ("received", "/received_at"),
];
const EVENT: &[Column] =
    &[("sequence", "/sequence"), ("type", "/type"), ("object", "/object_id"), ("created", "/created_at")];

/// `?limit=…&after=…` and whatever else was given.
pub(super) fn query(page: &PageArgs, more: &[(&str, &Option<String>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("limit", &page.limit.to_string());
    for (key, value) in [("after", &page.after)].iter().chain(more) {
        if let Some(value) = value {
            query.append_pair(key, value);
        }
    }
    format!("?{}", query.finish())
}

/// Ids go into paths; one with a slash would be another path.
pub(super) fn id(text: &str) -> anyhow::Result<&str> {
    let plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if plain { Ok(text) } else { bail!("`{text}` is not an id") }
}

pub(super) fn given(pairs: &[(&str, &Option<String>)]) -> Map<String, Value> {
    let present = pairs.iter().filter_map(|(key, value)| Some(((*key).to_owned(), json!(value.as_ref()?))));
    present.collect()
}

pub(crate) async fn gateways(global: &Global, command: GatewaysCommand) -> anyhow::Result<()> {
    let check = match command {
        GatewaysCommand::List => false,
        GatewaysCommand::Check => true,
        GatewaysCommand::Explain(args) => return explain::run(global, &args).await,
    };
    let api = ApiClient::connect(global).await?;
    let mut gateways = api.get("/v1/gateways").await?;
    let rows = gateways.get_mut("data").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    if check {
        let mut checks = Vec::new();
        for row in &rows {
            let name = row.get("gateway").and_then(Value::as_str).unwrap_or_default();
            checks.push(api.post(&format!("/v1/gateways/{name}/check"), None).await?);
        }
        let failed = checks.iter().filter(|check| check.get("ok") != Some(&Value::Bool(true))).count();
        output::list(global.json, &json!({"data": checks, "has_more": false}), CHECK);
        if failed > 0 {
            bail!("{failed} of {} gateways cannot be used", checks.len());
        }
    } else if global.json {
        output::json(&json!({"data": rows, "has_more": false}));
    } else {
        let with_codes: Vec<Value> = rows.into_iter().map(channel_codes).collect();
        output::list(false, &json!({"data": with_codes}), GATEWAY);
    }
    Ok(())
}

fn channel_codes(mut row: Value) -> Value {
    let channels = row.get("channels").and_then(Value::as_array).cloned().unwrap_or_default();
    let mut codes: Vec<String> = channels
        .iter()
        .filter_map(|channel| {
            Some(format!("{} {}", channel.get("country")?.as_str()?, channel.get("code")?.as_str()?))
        })
        .collect();
    codes.sort_unstable();
    row["codes"] = json!(codes);
    row
}

pub(crate) async fn sessions(global: &Global, command: SessionsCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        SessionsCommand::Create(args) => {
            let session = api.post("/v1/sessions", Some(new_session(&args))).await?;
            output::object(global.json, &session);
        }
        SessionsCommand::Get { id: session } => {
            output::object(global.json, &api.get(&format!("/v1/sessions/{}", id(&session)?)).await?);
        }
        SessionsCommand::List { page, customer_id } => {
            let query = query(&page, &[("customer_id", &customer_id)]);
            output::list(global.json, &api.get(&format!("/v1/sessions{query}")).await?, SESSION);
        }
        SessionsCommand::Cancel { id: session } => {
            let path = format!("/v1/sessions/{}/cancel", id(&session)?);
            output::object(global.json, &api.post(&path, None).await?);
        }
    }
    Ok(())
}

fn new_session(args: &CreateSessionArgs) -> Value {
    let customer = given(&[
        ("id", &args.customer_id),
        ("reference", &args.customer),
        ("given_names", &args.given_names),
        ("surname", &args.surname),
        ("email", &args.email),
        ("mobile_number", &args.mobile_number),
    ]);
    let mut body = given(&[("gateway", &args.gateway), ("mode", &args.mode)]);
    body.insert("customer".to_owned(), Value::Object(customer));
    for (key, text) in [
        ("usage", &args.usage),
        ("currency", &args.currency),
        ("country", &args.country),
        ("return_url", &args.return_url),
    ] {
        body.insert(key.to_owned(), json!(text));
    }
    body.insert("kinds".to_owned(), json!(args.kinds));
    body.insert("channels".to_owned(), json!(args.channels));
    body.insert("make_default".to_owned(), json!(args.make_default));
    if let (Some(days), Some(ends_on)) = (args.frequency_days, &args.ends_on) {
        body.insert("recurring".to_owned(), json!({"frequency_days": days, "ends_on": ends_on}));
    }
    Value::Object(body)
}

pub(crate) async fn methods(global: &Global, command: MethodsCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    let (method, path, body) = match command {
        MethodsCommand::List { customer_id, page } => {
            let path = format!("/v1/customers/{}/payment-methods{}", id(&customer_id)?, query(&page, &[]));
            output::list(global.json, &api.get(&path).await?, METHOD);
            return Ok(());
        }
        MethodsCommand::Show { id } => (Method::GET, id, None),
        MethodsCommand::Default { id } => (Method::PATCH, id, Some(json!({"is_default": true}))),
        MethodsCommand::Delete { id } => (Method::DELETE, id, None),
    };
    let answer = api.call(method, &format!("/v1/payment-methods/{}", id(&path)?), body).await?;
    output::object(global.json, &answer);
    Ok(())
}

pub(crate) async fn customers(global: &Global, command: CustomersCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        CustomersCommand::Create { reference, given_names, surname, email, mobile_number } => {
            let mut body = given(&[
                ("given_names", &given_names),
                ("surname", &surname),
                ("email", &email),
                ("mobile_number", &mobile_number),
            ]);
            body.insert("reference".to_owned(), json!(reference));
            output::object(global.json, &api.post("/v1/customers", Some(Value::Object(body))).await?);
        }
        CustomersCommand::List { page, reference } => {
            let query = query(&page, &[("reference", &reference)]);
            output::list(global.json, &api.get(&format!("/v1/customers{query}")).await?, CUSTOMER);
        }
        CustomersCommand::Show { id: customer } => {
            output::object(global.json, &api.get(&format!("/v1/customers/{}", id(&customer)?)).await?);
        }
        CustomersCommand::Delete { id: customer } => {
            let path = format!("/v1/customers/{}", id(&customer)?);
            output::object(global.json, &api.call(Method::DELETE, &path, None).await?);
        }
    }
    Ok(())
}

pub(crate) async fn keys(global: &Global, command: KeysCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        KeysCommand::Create { name, scopes } => {
            let mut body = json!({"name": name});
            if !scopes.is_empty() {
                body["scopes"] = json!(scopes);
            }
            output::object(global.json, &api.post("/v1/api-keys", Some(body)).await?);
            output::tell!("the secret is shown this once; keep it");
        }
        KeysCommand::List => output::list(global.json, &api.get("/v1/api-keys").await?, KEY),
        KeysCommand::Revoke { id: key } => {
            let path = format!("/v1/api-keys/{}/revoke", id(&key)?);
            output::object(global.json, &api.post(&path, None).await?);
        }
        KeysCommand::GenerateRoot | KeysCommand::Init { .. } => bail!("this command needs no database"),
    }
    Ok(())
}

pub(crate) async fn deliveries(global: &Global, command: DeliveriesCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        DeliveriesCommand::List { page, state } => {
            let query = query(&page, &[("state", &state)]);
            output::list(global.json, &api.get(&format!("/v1/deliveries{query}")).await?, DELIVERY);
        }
        DeliveriesCommand::Replay { id: delivery } => {
            let path = format!("/v1/deliveries/{}/replay", id(&delivery)?);
            output::object(global.json, &api.post(&path, None).await?);
        }
    }
    Ok(())
}

pub(crate) async fn events(global: &Global, command: EventsCommand) -> anyhow::Result<()> {
    let EventsCommand::List { page } = command;
    let api = ApiClient::connect(global).await?;
    output::list(global.json, &api.get(&format!("/v1/events{}", query(&page, &[]))).await?, EVENT);
    Ok(())
}
