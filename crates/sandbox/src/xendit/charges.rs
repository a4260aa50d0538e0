//! The books of charges and refunds: what was asked for, what was taken, what was given back.

use std::collections::HashMap;

use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::books::object_id;
use crate::charging::{ChargePlay, Charging};
use crate::clock::iso;
use crate::decimal::decimal;
use crate::server::{SandboxState, World};

/// What is authorized and not captured is let go after a week.
const AUTHORIZATION: i64 = 7 * 24 * 3_600_000;
/// Refunds end by themselves after this long.
const REFUND: i64 = 2_000;
/// Every currency of this gateway has at most two decimals.
pub(super) const DIGITS: usize = 2;

/// A payment request, with its one payment.
#[derive(Debug, Clone)]
pub(super) struct Charge {
    /// The sub-account, empty for the master.
    pub(super) account: String,
    pub(super) id: String,
    pub(super) payment: String,
    /// What came with the request, and what came of it.
    pub(super) object: Map<String, Value>,
    pub(super) status: &'static str,
    pub(super) failure: Option<String>,
    /// In hundredths.
    pub(super) amount: i64,
    pub(super) captured: i64,
    capture_id: Option<String>,
    /// The unguessable part of the address where the customer confirms.
    pub(super) link: String,
    network_transaction_id: Option<String>,
    /// When it was authorized.
    authorized_at: i64,
    updated: i64,
}

/// Money that goes back.
#[derive(Debug, Clone)]
pub(super) struct Refund {
    pub(super) account: String,
    pub(super) id: String,
    /// The payment request.
    pub(super) charge: String,
    /// In hundredths.
    pub(super) amount: i64,
    pub(super) status: &'static str,
    object: Map<String, Value>,
    /// The request that made it, and its key.
    pub(super) body: Map<String, Value>,
    pub(super) key: Option<String>,
    due_at: i64,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct Charges {
    pub(super) charges: Vec<Charge>,
    pub(super) refunds: Vec<Refund>,
    /// How the charges of single tokens end.
    plays: HashMap<String, ChargePlay>,
}

/// A whole number where it is one.
pub(super) fn number(hundredths: i64) -> Value {
    if hundredths % 100 == 0 {
        return (hundredths / 100).into();
    }
    serde_json::from_str(&decimal(hundredths, DIGITS)).unwrap_or_default()
}

/// A number with at most two decimals, in hundredths.
pub(super) fn hundredths(value: &Value) -> Option<i64> {
    let text = value.as_number()?.to_string();
    let (major, minor) = text.split_once('.').unwrap_or((&text, ""));
    let minor = minor.trim_end_matches('0');
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if minor.len() > DIGITS || major.is_empty() || !digits(major) || !digits(minor) {
        return None;
    }
    format!("{major}{minor:0<DIGITS$}").parse().ok()
}

impl Charge {
    pub(super) fn new(account: String, object: Map<String, Value>, amount: i64, now: i64) -> Self {
        let card = object.get("channel_code").and_then(Value::as_str) == Some("CARDS");
        let network = || format!("{:015}", now.unsigned_abs());
        Self {
            account,
            id: format!("pr-{}", Uuid::new_v4()),
            payment: format!("py-{}", Uuid::new_v4()),
            object,
            status: "PENDING",
            failure: None,
            amount,
            captured: 0,
            capture_id: None,
            link: Uuid::new_v4().simple().to_string(),
            network_transaction_id: card.then(network),
            authorized_at: now,
            updated: now,
        }
    }

    pub(super) fn text(&self, field: &str) -> &str {
        self.object.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    pub(super) fn is_manual(&self) -> bool {
        self.text("capture_method") == "MANUAL"
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, "PENDING" | "REQUIRES_ACTION")
    }

    /// As `/v3/payment_requests` shows it.
    pub(super) fn request(&self, world: &World) -> Value {
        let mut object = self.object.clone();
        let url =
            world.base_url.join(&format!("confirm/{}", self.link)).map(String::from).unwrap_or_default();
        let action = json!({"type": "REDIRECT_CUSTOMER", "descriptor": "WEB_URL", "value": url});
        let waits = self.status == "REQUIRES_ACTION";
        object.insert("payment_request_id".to_owned(), self.id.clone().into());
        object.insert("latest_payment_id".to_owned(), self.payment.clone().into());
        object.insert("request_amount".to_owned(), number(self.amount));
        object.insert("actions".to_owned(), Value::Array(waits.then_some(action).into_iter().collect()));
        self.end(&mut object, self.status);
        Value::Object(object)
    }

    /// As `/v3/payments` and the webhooks show it.
    pub(super) fn payment(&self) -> Value {
        let mut object = self.object.clone();
        let status = if self.is_open() { "PENDING" } else { self.status };
        object.insert("payment_id".to_owned(), self.payment.clone().into());
        object.insert("payment_request_id".to_owned(), self.id.clone().into());
        object.insert("request_amount".to_owned(), number(self.amount));
        let capture = self.capture_id.as_ref().map(|id| {
            json!({"capture_id": id, "capture_amount": number(self.captured), "capture_timestamp": iso(self.updated)})
        });
        object.insert("captures".to_owned(), Value::Array(capture.into_iter().collect()));
        if let Some(id) =
            self.network_transaction_id.as_ref().filter(|_| matches!(status, "SUCCEEDED" | "AUTHORIZED"))
        {
            let data = json!({"authorization_code": "A1", "network_transaction_id": id, "network_response_code": "00"});
            object.insert("payment_details".to_owned(), json!({"authorization_data": data}));
        }
        self.end(&mut object, status);
        Value::Object(object)
    }

    fn end(&self, object: &mut Map<String, Value>, status: &str) {
        object.insert("status".to_owned(), status.into());
        object.insert("updated".to_owned(), iso(self.updated).into());
        if let Some(code) = &self.failure {
            object.insert("failure_code".to_owned(), code.clone().into());
        }
    }

    /// Takes an amount of what was asked for.
    pub(super) fn capture(&mut self, amount: i64, now: i64) {
        self.captured = amount;
        self.capture_id = Some(format!("cptr-{}", object_id()));
        self.become_at("SUCCEEDED", now);
    }

    pub(super) fn become_at(&mut self, status: &'static str, now: i64) {
        self.status = status;
        self.updated = now;
    }

    /// The bank agrees: the money is taken, or held when that was asked for.
    pub(super) fn approve(&mut self, now: i64) {
        if self.is_manual() {
            self.authorized_at = now;
            self.become_at("AUTHORIZED", now);
        } else {
            self.capture(self.amount, now);
        }
    }

    pub(super) fn fail(&mut self, code: &str, now: i64) {
        self.failure = Some(code.to_owned());
        self.become_at("FAILED", now);
    }

    /// Where the customer's browser goes once they acted.
    pub(super) fn way_back(&self) -> Option<&str> {
        let failed = matches!(self.status, "FAILED" | "CANCELED" | "EXPIRED");
        let field = if failed { "failure_return_url" } else { "success_return_url" };
        self.object.get("channel_properties").and_then(|how| how[field].as_str())
    }

    /// The webhook that tells of where it stands, if there is one.
    pub(super) fn event(&self) -> Option<&'static str> {
        match self.status {
            "SUCCEEDED" => Some("payment.capture"),
            "AUTHORIZED" => Some("payment.authorization"),
            "FAILED" => Some("payment.failure"),
            "EXPIRED" => Some("payment.expiry"),
            _ => None,
        }
    }
}

impl Refund {
    pub(super) fn new(
        charge: &Charge,
        amount: i64,
        (body, key): (Map<String, Value>, Option<String>),
        now: i64,
    ) -> Self {
        let id = format!("rfd-{}", Uuid::new_v4());
        let field = |name: &str| body.get(name).cloned().unwrap_or_default();
        let own = json!({
            "id": id, "payment_request_id": charge.id, "payment_id": charge.payment, "currency": charge.text("currency"),
            "country": charge.text("country"), "channel_code": charge.text("channel_code"), "amount": number(amount),
            "reference_id": field("reference_id"), "reason": field("reason"), "metadata": field("metadata"),
            "failure_code": null, "created": iso(now),
        });
        let object = own.as_object().cloned().unwrap_or_default();
        let (account, charge) = (charge.account.clone(), charge.id.clone());
        Self { account, id, charge, amount, status: "PENDING", object, body, key, due_at: now + REFUND }
    }

    pub(super) fn shown(&self) -> Value {
        let mut object = self.object.clone();
        object.insert("status".to_owned(), self.status.into());
        Value::Object(object)
    }
}

impl Charges {
    pub(super) fn of(&mut self, account: &str, id: &str) -> Option<&mut Charge> {
        self.charges.iter_mut().find(|charge| charge.account == account && charge.id == id)
    }

    pub(super) fn of_payment(&mut self, account: &str, id: &str) -> Option<&mut Charge> {
        self.charges.iter_mut().find(|charge| charge.account == account && charge.payment == id)
    }

    pub(super) fn play(&self, token: &str) -> ChargePlay {
        self.plays.get(token).cloned().unwrap_or_default()
    }

    /// How much of a charge went back, or is on its way.
    pub(super) fn refunded(&self, charge: &str) -> i64 {
        let counts = |refund: &&Refund| refund.charge == charge && refund.status != "FAILED";
        self.refunds.iter().filter(counts).map(|refund| refund.amount).sum()
    }
}

/// Tells of a charge as it now stands.
pub(super) fn tell(world: &World, state: &mut SandboxState, charge: &Charge, now: i64) {
    tell_as(state, charge, &world.config.business_id, now);
}

fn tell_as(state: &mut SandboxState, charge: &Charge, business: &str, now: i64) {
    if let Some(event) = charge.event() {
        state.outbox.push(event, &charge.payment(), Some(business.to_owned()), now);
    }
}

/// Lets authorizations lapse and refunds end whose time has come.
pub(super) fn pass_time(state: &mut SandboxState, now: i64) {
    let mut lapsed = Vec::new();
    for charge in &mut state.books.xendit.charges.charges {
        if charge.status == "AUTHORIZED" && charge.authorized_at + AUTHORIZATION <= now {
            charge.become_at("EXPIRED", now);
            lapsed.push(charge.clone());
        }
    }
    for charge in lapsed {
        let business = charge.text("business_id").to_owned();
        tell_as(state, &charge, &business, now);
    }
    end_refunds(state, now, now);
}

/// Ends the refunds that are due by `until`.
fn end_refunds(state: &mut SandboxState, until: i64, now: i64) {
    let mut ended = Vec::new();
    for refund in &mut state.books.xendit.charges.refunds {
        if refund.status == "PENDING" && refund.due_at <= until {
            refund.status = "SUCCEEDED";
            ended.push(refund.clone());
        }
    }
    for refund in ended {
        // Nested twice, as the gateway's own example is.
        let business = state.books.xendit.charges.charges.iter().find(|charge| charge.id == refund.charge);
        let business = business.map(|charge| charge.text("business_id").to_owned());
        let data = json!({"event": "refund.succeeded", "created": iso(now), "data": refund.shown()});
        state.outbox.push("refund.succeeded", &data, business, now);
    }
}

/// What the control API can tell this gateway.
#[derive(Debug)]
pub(super) struct Control;

/// Changes a charge in this status, and tells of it; says how it then stands.
fn change(world: &World, id: &str, status: &str, act: impl FnOnce(&mut Charge, i64)) -> Option<Charge> {
    world.with(|state, now| {
        let named = |charge: &Charge| charge.id == id || charge.text("reference_id") == id;
        let mut charges = state.books.xendit.charges.charges.iter_mut();
        let charge = charges.find(|charge| named(charge) && charge.status == status)?;
        act(charge, now);
        let charge = charge.clone();
        tell(world, state, &charge, now);
        Some(charge)
    })
}

/// A charge in the books, with amounts as decimals.
fn booked(books: &Charges, charge: &Charge) -> Value {
    let refunded = books.refunded(&charge.id);
    json!({
        "id": charge.id, "reference": charge.text("reference_id"), "status": charge.status,
        "payment_token_id": charge.text("payment_token_id"), "currency": charge.text("currency"),
        "amount": decimal(charge.amount, DIGITS), "captured": decimal(charge.captured, DIGITS),
        "refunded": decimal(refunded, DIGITS), "taken": decimal(charge.captured - refunded, DIGITS),
        "page": (charge.status == "REQUIRES_ACTION").then(|| format!("/confirm/{}", charge.link)),
        "return_url": charge.way_back(),
    })
}

impl Charging for Control {
    fn charges(&self, state: &SandboxState) -> Vec<Value> {
        let books = &state.books.xendit.charges;
        books.charges.iter().map(|charge| booked(books, charge)).collect()
    }

    fn play(&self, state: &mut SandboxState, token: &str, play: ChargePlay) -> bool {
        let books = &mut state.books.xendit;
        let known = books.token_of(None, token).is_some();
        if known {
            books.charges.plays.insert(token.to_owned(), play);
        }
        known
    }

    fn act(&self, world: &World, charge: &str, passes: bool) -> Option<String> {
        let acted = change(world, charge, "REQUIRES_ACTION", |charge, now| {
            if passes { charge.approve(now) } else { charge.fail("AUTHENTICATION_FAILED", now) }
        });
        acted.map(|charge| charge.way_back().unwrap_or_default().to_owned())
    }

    fn finish(&self, world: &World, charge: &str, well: bool) -> bool {
        let finished = change(world, charge, "PENDING", |charge, now| {
            if well { charge.approve(now) } else { charge.fail("CARD_DECLINED", now) }
        });
        finished.is_some()
    }

    /// The gateway documents no such thing.
    fn take_back(&self, _: &World, _: &str, _: Option<&str>) -> bool {
        false
    }

    fn finish_refunds(&self, world: &World) {
        world.with(|state, now| end_refunds(state, i64::MAX, now));
    }
}
