//! Payments with stored methods: how they are made, and how the bank answers.
//!
//! Test amounts, the sandbox's own: one that ends in `99NN` is refused with the refusal code `NN`, and one that ends in
//! `9901` is `Received` until it is finished by order. The card that asks the customer does so when they pay, too.

use rand::Rng as _;
use serde_json::{Value, json};

use super::books::{Books, new_id};
use super::cards;
use super::validate::{Answer, error};
use super::{MERCHANT_ACCOUNT, push_item};
use crate::charging::ChargePlay;
use crate::server::SandboxState;

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The customer has to act, on the bank's page.
    Redirected,
    /// Under way.
    Received,
    Authorised,
    Refused,
    Cancelled,
    /// Taken, and taken back.
    TakenBack,
}

/// A payment, or an attempt at one.
#[derive(Debug, Clone)]
pub(super) struct Payment {
    pub(super) id: String,
    pub(super) reference: String,
    pub(super) value: i64,
    pub(super) currency: String,
    pub(super) token: String,
    pub(super) brand: Value,
    pub(super) return_url: String,
    /// Whether its money is held until it is captured.
    pub(super) held: bool,
    pub(super) stage: Stage,
    pub(super) captured: i64,
    pub(super) refunded: i64,
    /// The unguessable part of the bank's page.
    pub(super) link: String,
    /// What came of the redirect, by its encrypted result.
    pub(super) results: Vec<(String, bool)>,
    /// What was asked for and is not done.
    pub(super) changes: Vec<super::modifications::Change>,
}

/// What a request says, once it is checked.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) reference: String,
    pub(super) value: i64,
    pub(super) currency: String,
    pub(super) token: String,
    pub(super) return_url: String,
    pub(super) held: bool,
    /// Whether the customer is there.
    pub(super) present: bool,
}

impl Payment {
    /// What the control API shows of it.
    pub(super) fn shown(&self) -> Value {
        let stage = format!("{:?}", self.stage).to_lowercase();
        let taken = if self.stage == Stage::TakenBack { 0 } else { self.captured - self.refunded };
        json!({
            "pspReference": self.id, "reference": self.reference, "stage": stage, "manualCapture": self.held,
            "amount": {"value": self.value, "currency": self.currency}, "storedPaymentMethodId": self.token,
            "captured": self.captured, "refunded": self.refunded, "taken": taken, "returnUrl": self.return_url,
            "page": (self.stage == Stage::Redirected).then(|| format!("/redirect/{}", self.link)),
        })
    }

    fn answer(&self, result_code: &str) -> Value {
        json!({
            "pspReference": self.id, "resultCode": result_code, "merchantReference": self.reference,
            "amount": {"value": self.value, "currency": self.currency},
            "paymentMethod": {"type": cards::SCHEME, "brand": self.brand},
        })
    }

    /// A webhook's item about it, or about something done to it (`id` and `reference` of its own).
    pub(super) fn item(&self, event: &str, success: bool, value: i64) -> Value {
        json!({
            "amount": {"currency": self.currency, "value": value}, "eventCode": event,
            "merchantAccountCode": MERCHANT_ACCOUNT, "merchantReference": self.reference,
            "originalReference": self.id, "paymentMethod": self.brand, "pspReference": new_id(16),
            "success": success.to_string(), "reason": "", "additionalData": {},
        })
    }

    fn authorisation(&self, success: bool, reason: &str) -> Value {
        let mut item = self.item("AUTHORISATION", success, self.value);
        item["pspReference"] = self.id.clone().into();
        item["originalReference"] = "".into();
        item["reason"] = reason.into();
        item
    }

    fn authorise(&mut self) -> (Value, Value) {
        self.stage = Stage::Authorised;
        self.captured = if self.held { 0 } else { self.value };
        (self.answer("Authorised"), self.authorisation(true, "027091:1111:03/2034"))
    }

    fn refuse(&mut self, code: &str) -> (Value, Value) {
        self.stage = Stage::Refused;
        let (result_code, reason) = refusal(code);
        let mut answer = self.answer(result_code);
        answer["refusalReason"] = reason.into();
        answer["refusalReasonCode"] = code.into();
        (answer, self.authorisation(false, reason))
    }
}

/// Result and reason of a refusal code.
fn refusal(code: &str) -> (&'static str, &'static str) {
    match code {
        "4" => ("Error", "Acquirer Error"),
        "6" => ("Refused", "Expired Card"),
        "9" => ("Error", "Issuer Unavailable"),
        "11" => ("Refused", "3D Not Authenticated"),
        "12" => ("Refused", "Not enough balance"),
        "15" => ("Cancelled", "Cancelled"),
        "16" => ("Cancelled", "Shopper Cancelled"),
        "20" => ("Refused", "FRAUD"),
        "26" => ("Refused", "Revocation Of Auth"),
        "28" => ("Refused", "Withdrawal amount exceeded"),
        "38" => ("Refused", "Authentication required"),
        _ => ("Refused", "Refused"),
    }
}

/// How a payment goes on, by order, by its amount, or by its card.
fn play(books: &Books, method: &Value, asked: &Asked) -> ChargePlay {
    let ordered = books.plays.get(&asked.token).cloned().unwrap_or_default();
    if ordered != ChargePlay::Approve {
        return ordered;
    }
    match asked.value % 10_000 {
        9901 => ChargePlay::Slow,
        ending @ 9902..=9999 => ChargePlay::Decline((ending - 9900).to_string()),
        _ if asked.present && cards::asks(method) => ChargePlay::StepUp,
        _ => ChargePlay::Approve,
    }
}

/// Makes a payment.
pub(super) fn create(
    state: &mut SandboxState,
    asked: Asked,
    shopper: &str,
    page: &dyn Fn(&str) -> String,
    now: i64,
) -> Result<Answer, Answer> {
    let books = &mut state.books.adyen;
    let method = books.method(&asked.token).filter(|method| method["shopperReference"] == shopper);
    let method = method.cloned().ok_or_else(|| error(422, "803", "PaymentDetail not found"))?;
    let play = play(books, &method, &asked);
    let link = hex::encode(rand::rng().random::<[u8; 16]>());
    let mut payment = Payment {
        id: new_id(16),
        reference: asked.reference,
        value: asked.value,
        currency: asked.currency,
        token: asked.token,
        brand: method["brand"].clone(),
        return_url: asked.return_url,
        held: asked.held,
        stage: Stage::Received,
        captured: 0,
        refunded: 0,
        link,
        results: Vec::new(),
        changes: Vec::new(),
    };
    let (answer, item) = match play {
        ChargePlay::Approve => {
            let (answer, item) = payment.authorise();
            (answer, Some(item))
        }
        ChargePlay::Decline(code) => {
            let (answer, item) = payment.refuse(&code);
            (answer, Some(item))
        }
        // Nobody is there to be asked.
        ChargePlay::StepUp if !asked.present => {
            let (answer, item) = payment.refuse("38");
            (answer, Some(item))
        }
        ChargePlay::StepUp => {
            payment.stage = Stage::Redirected;
            let url = page(&payment.link);
            let action = json!({
                "type": "redirect", "method": "GET", "paymentMethodType": cards::SCHEME, "url": url,
            });
            (json!({"resultCode": "RedirectShopper", "action": action}), None)
        }
        ChargePlay::Slow => (payment.answer("Received"), None),
    };
    books.payments.push(payment);
    if let Some(item) = item {
        push_item(state, &item, now);
    }
    Ok((200, answer))
}

/// The customer is done at the bank's page; says where the browser is sent. `None` when nobody waits for them.
pub(super) fn act(payment: &mut Payment, passes: bool) -> Option<String> {
    if payment.stage != Stage::Redirected {
        return None;
    }
    let result = format!("X6XtfGC3!{}", new_id(60));
    payment.results.push((result.clone(), passes));
    let mut address = url::Url::parse(&payment.return_url).ok()?;
    address.query_pairs_mut().append_pair("redirectResult", &result);
    Some(address.into())
}

/// What came of a redirect; the payment goes on when it is submitted. `None` when it is no payment's.
pub(super) fn details(state: &mut SandboxState, result: &str, now: i64) -> Option<Result<Answer, Answer>> {
    let is_its = |payment: &&mut Payment| payment.results.iter().any(|(known, _)| known == result);
    let payment = state.books.adyen.payments.iter_mut().find(is_its)?;
    let passes = payment.results.iter().find(|(known, _)| known == result).is_some_and(|(_, passes)| *passes);
    if payment.stage != Stage::Redirected {
        return Some(Err(error(422, "14_006", "Invalid redirectResult")));
    }
    let (answer, item) = if passes { payment.authorise() } else { payment.refuse("11") };
    push_item(state, &item, now);
    Some(Ok((200, answer)))
}

/// A payment that is under way ends; `None` when it is not under way, else what there is to tell.
pub(super) fn finish(payment: &mut Payment, well: bool) -> Option<Value> {
    if payment.stage != Stage::Received {
        return None;
    }
    let (_, item) = if well { payment.authorise() } else { payment.refuse("2") };
    Some(item)
}
