//! `billfold charges`

use serde_json::{Value, json};

use super::resources::{given, id, query};
use crate::args::{ChargesCommand, CreateChargeArgs, Global};
use crate::client::ApiClient;
use crate::output::{self, Column};

const CHARGE: &[Column] = &[
    ("id", "/id"),
    ("status", "/status"),
    ("amount", "/amount"),
    ("currency", "/currency"),
    ("initiator", "/initiator"),
    ("declined", "/decline/class"),
    ("method", "/payment_method_id"),
    ("reference", "/reference"),
    ("created", "/created_at"),
];
const STEP: &[Column] = &[("what", "/what"), ("learnt by", "/via"), ("when", "/at")];

pub(crate) async fn run(global: &Global, command: ChargesCommand) -> anyhow::Result<()> {
    let api = ApiClient::connect(global).await?;
    match command {
        ChargesCommand::Create(args) => {
            let path = match (&args.method, &args.customer_id) {
                (Some(method), _) => format!("/v1/payment-methods/{}/charges", id(method)?),
                (None, customer) => {
                    format!("/v1/customers/{}/charges", id(customer.as_deref().unwrap_or_default())?)
                }
            };
            let charge = api.post_once(&path, new_charge(&args), args.idempotency_key.as_deref()).await?;
            show(global, &charge);
        }
        ChargesCommand::Get { id: charge } => {
            show(global, &api.get(&format!("/v1/charges/{}", id(&charge)?)).await?);
        }
        ChargesCommand::List { page, customer_id, payment_method_id } => {
            let more = [("customer_id", &customer_id), ("payment_method_id", &payment_method_id)];
            let path = format!("/v1/charges{}", query(&page, &more));
            output::list(global.json, &api.get(&path).await?, CHARGE);
        }
        ChargesCommand::Capture { id: charge, amount } => {
            let path = format!("/v1/charges/{}/capture", id(&charge)?);
            show(global, &api.post(&path, Some(with_amount(json!({}), amount))).await?);
        }
        ChargesCommand::Cancel { id: charge } => {
            show(global, &api.post(&format!("/v1/charges/{}/cancel", id(&charge)?), None).await?);
        }
        ChargesCommand::Refund { id: charge, amount, reason, idempotency_key } => {
            let path = format!("/v1/charges/{}/refunds", id(&charge)?);
            let body = with_amount(json!({"reason": reason}), amount);
            show(global, &api.post_once(&path, body, idempotency_key.as_deref()).await?);
        }
        ChargesCommand::Collect { id: charge, return_url } => {
            let path = format!("/v1/charges/{}/collect", id(&charge)?);
            let body = Value::Object(given(&[("return_url", &return_url)]));
            output::object(global.json, &api.post(&path, Some(body)).await?);
        }
    }
    Ok(())
}

/// The charge, and below it its way so far.
fn show(global: &Global, charge: &Value) {
    if global.json {
        return output::json(charge);
    }
    let mut fields = charge.clone();
    let steps = fields.as_object_mut().and_then(|fields| fields.remove("timeline"));
    output::object(false, &fields);
    output::say!(
        "{}",
        output::table(steps.as_ref().and_then(Value::as_array).map_or(&[][..], Vec::as_slice), STEP)
    );
}

fn with_amount(mut body: Value, amount: Option<i64>) -> Value {
    if let Some(amount) = amount {
        body["amount"] = json!(amount);
    }
    body
}

fn new_charge(args: &CreateChargeArgs) -> Value {
    let mut body = given(&[
        ("reference", &args.reference),
        ("description", &args.description),
        ("return_url", &args.return_url),
    ]);
    body.insert("amount".to_owned(), json!(args.amount));
    for (key, text) in [
        ("currency", &args.currency),
        ("initiator", &args.initiator),
        ("reason", &args.reason),
        ("capture", &args.capture),
    ] {
        body.insert(key.to_owned(), json!(text));
    }
    if args.fallback {
        body.insert("fallback".to_owned(), json!(true));
    }
    Value::Object(body)
}
