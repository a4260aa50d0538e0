//! PaymentIntents: charges of saved payment methods, confirmed when they are made.

use axum::http::Method;
use serde_json::{Value, json};

use super::api::{Call, check_url, customer, no_such};
use super::books::new_id;
use super::form::{Answer, Fields, error};
use super::{cards, push};
use crate::charging::ChargePlay;
use crate::server::{SandboxState, World};

/// Debits end by themselves after this long, instead of days.
const DEBIT: i64 = 3_000;
/// Test mode of the real one knows no amounts; these are the sandbox's own, for any card: there is not enough money.
const TOO_MUCH: i64 = 4_002;
/// The bank asks the customer.
const ASKED_ABOUT: i64 = 4_003;
/// Currencies without decimals, and those with three of which the last must be 0; the rest have two.
const NO_DECIMALS: [&str; 15] =
    ["bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"];
const THREE_DECIMALS: [&str; 5] = ["bhd", "jod", "kwd", "omr", "tnd"];
/// Of these only whole hundreds are taken.
const WHOLE: [&str; 2] = ["isk", "ugx"];

/// A PaymentIntent and what surrounds it.
#[derive(Debug, Clone)]
pub(crate) struct Payment {
    /// As the API shows it.
    pub(super) object: Value,
    /// The unguessable part of the address where the customer confirms.
    pub(super) link: String,
    return_url: Option<String>,
    token: String,
    /// Milliseconds; when it ends by itself.
    due_at: Option<i64>,
    pub(super) refunded: i64,
}

impl Payment {
    pub(super) fn text(&self, field: &str) -> &str {
        self.object[field].as_str().unwrap_or_default()
    }

    pub(super) fn number(&self, field: &str) -> i64 {
        self.object[field].as_i64().unwrap_or_default()
    }

    /// By its id, or by anything that the merchant wrote into its metadata.
    pub(super) fn is_called(&self, name: &str) -> bool {
        let mut metadata = self.object["metadata"].as_object().into_iter().flatten();
        self.object["id"] == name || metadata.any(|(_, value)| value == name)
    }

    /// The bank agrees: the money is taken, or held when that was asked for.
    fn approve(&mut self) -> &'static str {
        self.object["next_action"] = Value::Null;
        if self.object["capture_method"] == "manual" {
            self.object["status"] = "requires_capture".into();
            self.object["amount_capturable"] = self.object["amount"].clone();
            return "payment_intent.amount_capturable_updated";
        }
        self.take(self.number("amount"))
    }

    fn take(&mut self, amount: i64) -> &'static str {
        self.object["status"] = "succeeded".into();
        self.object["amount_capturable"] = 0.into();
        self.object["amount_received"] = amount.into();
        self.object["latest_charge"] = new_id("ch_").into();
        "payment_intent.succeeded"
    }

    fn refuse(&mut self, code: &str) -> &'static str {
        let (status, no_action) = ("requires_payment_method", Value::Null);
        self.object["status"] = status.into();
        self.object["next_action"] = no_action;
        self.object["last_payment_error"] = card_error(code);
        self.object["payment_method"] = Value::Null;
        "payment_intent.payment_failed"
    }

    fn ask(&mut self, world: &World) -> &'static str {
        let url =
            world.base_url.join(&format!("confirm/{}", self.link)).map(String::from).unwrap_or_default();
        self.object["status"] = "requires_action".into();
        self.object["next_action"] = json!({
            "type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": self.return_url},
        });
        "payment_intent.requires_action"
    }

    fn wait(&mut self, due_at: Option<i64>) -> &'static str {
        self.object["status"] = "processing".into();
        self.due_at = due_at;
        "payment_intent.processing"
    }

    /// Where the customer's browser goes once they acted.
    pub(super) fn way_back(&self) -> Option<String> {
        let mut url: url::Url = self.return_url.as_ref()?.parse().ok()?;
        let failed = self.object["status"] == "requires_payment_method";
        url.query_pairs_mut()
            .append_pair("payment_intent", self.text("id"))
            .append_pair("payment_intent_client_secret", self.text("client_secret"))
            .append_pair("redirect_status", if failed { "failed" } else { "succeeded" });
        Some(url.into())
    }

    /// As the control API shows it: with what went back, in the gateway's own units.
    pub(super) fn booked(&self) -> Value {
        let mut shown = json!({
            "refunded": self.refunded, "taken": self.number("amount_received") - self.refunded,
            "page": (self.object["status"] == "requires_action").then(|| format!("/confirm/{}", self.link)),
            "method": self.token, "return_url": self.return_url,
        });
        for field in ["id", "status", "amount", "currency", "amount_received", "metadata"] {
            shown[field] = self.object[field].clone();
        }
        shown
    }
}

/// What the error of a card says; a code that says no more than "declined" stands beside the bank's.
fn card_error(decline_code: &str) -> Value {
    let own = [
        "expired_card",
        "processing_error",
        "incorrect_cvc",
        "authentication_required",
        "payment_intent_authentication_failure",
    ];
    if decline_code == "payment_intent_authentication_failure" {
        return json!({"type": "invalid_request_error", "code": decline_code, "message": "The payment was not confirmed"});
    }
    let code = if own.contains(&decline_code) { decline_code } else { "card_declined" };
    json!({"type": "card_error", "code": code, "decline_code": decline_code, "message": "Your card was declined."})
}

/// Answers what is asked of `/v1/payment_intents`.
pub(super) fn handle(
    world: &World,
    state: &mut SandboxState,
    now: i64,
    call: &Call,
    path: &[&str],
) -> Result<Answer, Answer> {
    match (&call.method, path) {
        (&Method::POST, []) => create(world, state, now, call),
        (&Method::GET, []) => list(state, call),
        (&Method::GET, [id]) => Ok((200, find(state, id)?.object.clone())),
        (&Method::POST, [id, "capture"]) => {
            let fields = Fields::read(&call.body, &["amount_to_capture"])?;
            let payment = find(state, id)?;
            expect(payment, &["requires_capture"])?;
            let amount = match fields.get("amount_to_capture") {
                Some(text) => text.parse().unwrap_or(0),
                None => payment.number("amount"),
            };
            if amount <= 0 || amount > payment.number("amount") {
                return Err(error(400, "amount_too_large", "More than was authorized cannot be captured"));
            }
            let event = payment.take(amount);
            Ok((200, tell(state, id, event, now)?))
        }
        (&Method::POST, [id, "cancel"]) => {
            Fields::read(&call.body, &[])?;
            let payment = find(state, id)?;
            expect(
                payment,
                &["requires_payment_method", "requires_action", "requires_capture", "processing"],
            )?;
            payment.object["status"] = "canceled".into();
            payment.object["amount_capturable"] = 0.into();
            payment.object["next_action"] = Value::Null;
            Ok((200, tell(state, id, "payment_intent.canceled", now)?))
        }
        _ => Err(error(404, "url_invalid", "Unrecognized request URL")),
    }
}

fn expect(payment: &Payment, statuses: &[&str]) -> Result<(), Answer> {
    if statuses.contains(&payment.text("status")) {
        return Ok(());
    }
    let message = format!("This PaymentIntent has a status of {}", payment.text("status"));
    Err(error(400, "payment_intent_unexpected_state", &message))
}

pub(super) fn find<'a>(state: &'a mut SandboxState, id: &str) -> Result<&'a mut Payment, Answer> {
    let mut payments = state.books.stripe.payments.iter_mut();
    payments.find(|payment| payment.object["id"] == id).ok_or_else(no_such)
}

/// Sends the webhook about it as it now is; says how that is.
fn tell(state: &mut SandboxState, id: &str, event: &str, now: i64) -> Result<Value, Answer> {
    let object = find(state, id)?.object.clone();
    push(state, event, &object, now);
    Ok(object)
}

fn create(world: &World, state: &mut SandboxState, now: i64, call: &Call) -> Result<Answer, Answer> {
    let known = [
        "amount",
        "currency",
        "customer",
        "payment_method",
        "allowed_payment_method_types[]",
        "confirm",
        "off_session",
        "capture_method",
        "return_url",
        "description",
        "metadata[]",
    ];
    let fields = Fields::read(&call.body, &known)?;
    if fields.need("confirm")? != "true" {
        return Err(error(400, "parameter_invalid", "This sandbox charges at once: confirm must be true"));
    }
    let (amount, currency) = amount(&fields)?;
    let customer = customer(&state.books.stripe, &fields)?;
    let token = fields.need("payment_method")?.to_owned();
    let method = state.books.stripe.method(&token).cloned();
    let Some(method) = method else {
        let mut missing = error(400, "resource_missing", "No such PaymentMethod");
        missing.1["error"]["param"] = "payment_method".into();
        return Err(missing);
    };
    if method["customer"].is_null() || method["customer"] != customer {
        let message = "The provided PaymentMethod is not attached to this customer";
        return Err(error(400, "payment_method_unexpected_state", message));
    }
    let kind = method["type"].as_str().unwrap_or_default();
    if !fields.list("allowed_payment_method_types").iter().any(|listed| listed == kind) {
        return Err(error(400, "parameter_invalid", "The PaymentMethod is of another type"));
    }
    let capture = fields.get("capture_method").unwrap_or("automatic");
    if !["automatic", "manual"].contains(&capture) || (capture == "manual" && kind != "card") {
        return Err(error(400, "parameter_invalid", "capture_method is not available for this type"));
    }
    if let Some(url) = fields.get("return_url") {
        check_url(url)?;
    }
    let id = new_id("pi_");
    let object = json!({
        "id": id, "object": "payment_intent", "status": "requires_confirmation", "amount": amount,
        "amount_capturable": 0, "amount_received": 0, "currency": currency, "customer": customer,
        "payment_method": token, "payment_method_types": [kind], "capture_method": capture, "created": now / 1000,
        "client_secret": format!("{id}_secret_{}", new_id("")), "description": fields.get("description"),
        "metadata": fields.metadata("metadata")?, "last_payment_error": null, "next_action": null,
        "latest_charge": null, "livemode": false, "confirmation_method": "automatic",
    });
    let mut payment = Payment {
        object,
        link: uuid::Uuid::new_v4().simple().to_string(),
        return_url: fields.get("return_url").map(str::to_owned),
        token,
        due_at: None,
        refunded: 0,
    };
    let off_session = fields.get("off_session") == Some("true");
    let play = state.books.stripe.plays.get(&payment.token).cloned().unwrap_or_default();
    let event = attempt(world, &mut payment, &method, play, off_session, now);
    let refusal = payment.object["last_payment_error"].clone();
    state.books.stripe.payments.push(payment);
    let shown = tell(state, &id, event, now)?;
    if refusal.is_null() {
        return Ok((200, shown));
    }
    let mut refusal = refusal;
    refusal["payment_intent"] = shown;
    refusal["payment_method"] = method;
    Err((402, json!({"error": refusal})))
}

fn amount(fields: &Fields) -> Result<(i64, String), Answer> {
    let currency = fields.need("currency")?.to_owned();
    if currency.len() != 3 || !currency.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Err(error(400, "parameter_invalid", "The currency is not supported"));
    }
    let amount: i64 = fields.need("amount")?.parse().unwrap_or(0);
    let code = currency.as_str();
    let step = match code {
        _ if WHOLE.contains(&code) => 100,
        _ if THREE_DECIMALS.contains(&code) => 10,
        _ => 1,
    };
    if amount <= 0 || amount % step != 0 {
        return Err(error(400, "parameter_invalid_integer", "The amount is not valid in this currency"));
    }
    Ok((amount, currency))
}

/// How many digits of an amount stand behind the point.
pub(super) fn decimals(currency: &str) -> usize {
    match currency {
        _ if NO_DECIMALS.contains(&currency) => 0,
        _ if THREE_DECIMALS.contains(&currency) => 3,
        _ => 2,
    }
}

/// What the bank does: what was ordered, else what is of this method. Says the event.
fn attempt(
    world: &World,
    payment: &mut Payment,
    method: &Value,
    play: ChargePlay,
    off_session: bool,
    now: i64,
) -> &'static str {
    let (last4, kind) = (method["card"]["last4"].as_str(), method["type"].as_str().unwrap_or_default());
    let play = match (play, last4) {
        (ChargePlay::Approve, Some(_)) if payment.number("amount") == ASKED_ABOUT => ChargePlay::StepUp,
        (ChargePlay::Approve, Some(_)) if payment.number("amount") == TOO_MUCH => {
            ChargePlay::Decline("insufficient_funds".to_owned())
        }
        (ChargePlay::Approve, Some(cards::ALWAYS_ASKS)) => ChargePlay::StepUp,
        (ChargePlay::Approve, Some(cards::NEVER_PAYS)) => ChargePlay::Decline("generic_decline".to_owned()),
        (play, _) => play,
    };
    match play {
        ChargePlay::Decline(code) => payment.refuse(&code),
        // Nobody is there to be asked.
        ChargePlay::StepUp if off_session => payment.refuse("authentication_required"),
        ChargePlay::StepUp => payment.ask(world),
        ChargePlay::Slow => payment.wait(None),
        ChargePlay::Approve if kind != "card" => payment.wait(Some(now + DEBIT)),
        ChargePlay::Approve => payment.approve(),
    }
}

fn list(state: &mut SandboxState, call: &Call) -> Result<Answer, Answer> {
    let known = ["customer", "created[]", "limit", "starting_after"];
    let fields = Fields::read(call.query.as_bytes(), &known)?;
    let bound = |name: &str| fields.get(name).and_then(|text| text.parse::<i64>().ok());
    let (from, to) = (bound("created[gte]").unwrap_or(i64::MIN), bound("created[lte]").unwrap_or(i64::MAX));
    let wanted = |object: &&Value| {
        let created = object["created"].as_i64().unwrap_or_default();
        fields.get("customer").is_none_or(|customer| object["customer"] == customer)
            && (from..=to).contains(&created)
    };
    let all: Vec<Value> = state
        .books
        .stripe
        .payments
        .iter()
        .rev()
        .map(|payment| &payment.object)
        .filter(wanted)
        .cloned()
        .collect();
    Ok((200, page("/v1/payment_intents", &all, &fields)))
}

/// A page of a list that is newest first.
pub(super) fn page(url: &str, all: &[Value], fields: &Fields) -> Value {
    let limit = fields.get("limit").and_then(|text| text.parse().ok()).unwrap_or(10_usize).clamp(1, 100);
    let after = fields.get("starting_after").and_then(|id| all.iter().position(|object| object["id"] == id));
    let rest = all.get(after.map_or(0, |at| at + 1)..).unwrap_or_default();
    let shown = rest.get(..limit).unwrap_or(rest);
    json!({"object": "list", "url": url, "data": shown, "has_more": rest.len() > shown.len()})
}

/// Changes a payment in this status, and tells of it; says how it then stands.
pub(super) fn change(
    world: &World,
    name: &str,
    status: &str,
    act: impl FnOnce(&mut Payment) -> &'static str,
) -> Option<Payment> {
    world.with(|state, now| {
        let mut payments = state.books.stripe.payments.iter_mut();
        let payment = payments.find(|payment| payment.is_called(name) && payment.text("status") == status)?;
        let event = act(payment);
        let payment = payment.clone();
        push(state, event, &payment.object, now);
        Some(payment)
    })
}

/// The customer confirms, or fails to.
pub(super) fn act(world: &World, name: &str, passes: bool) -> Option<Payment> {
    change(world, name, "requires_action", |payment| {
        if passes { payment.approve() } else { payment.refuse("payment_intent_authentication_failure") }
    })
}

/// What is under way ends.
pub(super) fn finish(world: &World, name: &str, well: bool) -> bool {
    let end =
        |payment: &mut Payment| if well { payment.approve() } else { payment.refuse("generic_decline") };
    change(world, name, "processing", end).is_some()
}

/// Ends the debits whose time has come.
pub(super) fn pass_time(state: &mut SandboxState, now: i64) {
    let mut ended = Vec::new();
    for payment in &mut state.books.stripe.payments {
        let due = payment.due_at.is_some_and(|due_at| due_at <= now);
        if due && payment.object["status"] == "processing" {
            ended.push((payment.approve(), payment.object.clone()));
        }
    }
    for (event, object) in ended {
        push(state, event, &object, now);
    }
}
