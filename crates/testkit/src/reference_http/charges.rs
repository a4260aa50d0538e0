//! The HTTP reference's gateway: charges and their refunds.

use std::collections::BTreeMap;

use billfold_core::charge::DeclineClass;
use http::Method;
use serde_json::json;
use url::form_urlencoded;

use super::api::{Capture, Charge, Charges, NewCharge, NewRefund, Refund, Refunds};
use super::gateway::{Answer, HttpGateway, State, found};
use super::webhook::Event;
use crate::provider::ChargePlay;

/// A charge with what the gateway keeps and does not show.
pub(super) struct KeptCharge {
    pub(super) charge: Charge,
    pub(super) refunds: Vec<Refund>,
    pub(super) asked: NewCharge,
}

/// What was charged, and how what comes is to end.
#[derive(Default)]
pub(super) struct Books {
    pub(super) charges: BTreeMap<String, KeptCharge>,
    /// By the number of the card.
    pub(super) plays: BTreeMap<String, ChargePlay>,
    /// What was made under an idempotency key: the id of a charge or a refund.
    keys: BTreeMap<String, String>,
}

/// A request about charges.
pub(super) struct Call<'a> {
    pub(super) method: &'a Method,
    pub(super) query: &'a str,
    pub(super) key: &'a str,
    pub(super) body: &'a [u8],
}

impl KeptCharge {
    fn is(&self, status: &str) -> bool {
        self.charge.status.as_deref() == Some(status)
    }

    /// How much was taken and not given back.
    pub(super) fn taken(&self) -> i64 {
        self.charge.captured.unwrap_or(0) - self.given_back()
    }

    fn given_back(&self) -> i64 {
        let counts = |refund: &&Refund| refund.status.as_deref() != Some("failed");
        self.refunds.iter().filter(counts).filter_map(|refund| refund.amount).sum()
    }

    /// The money is there: it is taken or held, as was asked.
    fn approve(&mut self) -> Event {
        if self.asked.capture == "manual" {
            return self.moves_to("authorized");
        }
        self.charge.captured = self.charge.amount;
        self.moves_to("succeeded")
    }

    fn refuse(&mut self, code: &str) -> Event {
        self.charge.decline = Some(code.to_owned());
        self.moves_to("declined")
    }

    fn moves_to(&mut self, status: &str) -> Event {
        self.charge.status = Some(status.to_owned());
        let waits = self.is("requires_action");
        self.charge.url = waits.then(|| {
            let id = self.charge.id.as_deref().unwrap_or_default();
            format!("https://pay.reference.example/{id}-l1nk")
        });
        self.news(&format!("charge.{status}"), None)
    }

    fn news(&self, name: &str, refund: Option<Refund>) -> Event {
        let charge = Charge { url: None, ..self.charge.clone() };
        Event { name: name.to_owned(), charge: Some(charge), refund, attempt: 1, ..Event::default() }
    }
}

/// The gateway's own code for each class.
fn code(class: DeclineClass) -> &'static str {
    match class {
        DeclineClass::InsufficientFunds => "insufficient_balance",
        DeclineClass::Expired => "card_expired",
        DeclineClass::Revoked => "mandate_withdrawn",
        DeclineClass::Fraud => "suspected_fraud",
        DeclineClass::AuthenticationRequired => "authentication_required",
        DeclineClass::Limit => "limit_reached",
        DeclineClass::TryAgainLater => "issuer_unavailable",
        DeclineClass::DoNotRetry => "do_not_honor",
    }
}

impl State {
    pub(super) fn charging(&mut self, call: &Call<'_>, rest: &[&str]) -> Answer {
        match (call.method, rest) {
            (&Method::POST, []) => self.charge(call),
            (&Method::GET, []) => self.search(call.query),
            (&Method::GET, [id]) => found(self.books.charges.get(*id).map(|kept| &kept.charge)),
            (&Method::POST, [id, "capture"]) => self.capture(id, call),
            (&Method::POST, [id, "cancel"]) => self.end_charge(id),
            (&Method::POST, [id, "refunds"]) => self.refund(id, call),
            (&Method::GET, [id, "refunds"]) => {
                let refunds = self.books.charges.get(*id).map(|kept| kept.refunds.clone());
                found(refunds.map(|refunds| Refunds { refunds }))
            }
            (&Method::GET, [id, "refunds", refund]) => {
                let mut refunds = self.books.charges.get(*id).into_iter().flat_map(|kept| &kept.refunds);
                found(refunds.find(|known| known.id.as_deref() == Some(*refund)))
            }
            _ => (404, json!({"error": "not_found"})),
        }
    }

    fn charge(&mut self, call: &Call<'_>) -> Answer {
        if let Some(made) = self.books.keys.get(call.key).and_then(|id| self.books.charges.get(id)) {
            return (200, json!(made.charge));
        }
        let Ok(asked) = serde_json::from_slice::<NewCharge>(call.body) else { return (400, json!({})) };
        let Some(token) = self.tokens.get(&asked.token) else { return (404, json!({"error": "not_found"})) };
        if asked.amount <= 0 {
            return (400, json!({"error": "amount"}));
        }
        let id = format!("ch-{:04}", self.books.charges.len() + 1);
        let charge = Charge {
            id: Some(id.clone()),
            reference: Some(asked.reference.clone()),
            customer: token.customer.clone(),
            amount: Some(asked.amount),
            currency: Some(asked.currency.clone()),
            ..Charge::default()
        };
        let usable = token.status.as_deref() == Some("active");
        let play = token.number.as_ref().and_then(|number| self.books.plays.get(number).copied());
        let mut kept = KeptCharge { charge, refunds: Vec::new(), asked };
        let event = match play.unwrap_or(ChargePlay::Approve) {
            _ if !usable => kept.refuse(code(DeclineClass::Revoked)),
            ChargePlay::Approve => kept.approve(),
            ChargePlay::Decline(class) => kept.refuse(code(class)),
            ChargePlay::StepUp => kept.moves_to("requires_action"),
            ChargePlay::Slow => kept.moves_to("processing"),
        };
        let answer = (201, json!(kept.charge));
        self.sent.push(event);
        self.books.keys.insert(call.key.to_owned(), id.clone());
        self.books.charges.insert(id, kept);
        answer
    }

    fn search(&self, query: &str) -> Answer {
        let asked = form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "reference");
        let Some((_, reference)) = asked else { return (400, json!({})) };
        let named = |kept: &&KeptCharge| kept.asked.reference == reference;
        let charges = self.books.charges.values().filter(named).map(|kept| kept.charge.clone());
        (200, json!(Charges { charges: charges.collect() }))
    }

    fn capture(&mut self, id: &str, call: &Call<'_>) -> Answer {
        let Ok(asked) = serde_json::from_slice::<Capture>(call.body) else { return (400, json!({})) };
        let Some(kept) = self.books.charges.get_mut(id) else { return (404, json!({"error": "not_found"})) };
        if self.books.keys.contains_key(call.key) {
            return (200, json!(kept.charge));
        }
        if !kept.is("authorized") {
            return (409, json!({"error": "over"}));
        }
        if asked.amount <= 0 || asked.amount > kept.asked.amount {
            return (400, json!({"error": "too_much"}));
        }
        kept.charge.captured = Some(asked.amount);
        kept.moves_to("succeeded");
        self.sent.push(kept.news("charge.captured", None));
        self.books.keys.insert(call.key.to_owned(), id.to_owned());
        (200, json!(kept.charge))
    }

    fn end_charge(&mut self, id: &str) -> Answer {
        let Some(kept) = self.books.charges.get_mut(id) else { return (404, json!({"error": "not_found"})) };
        if !["processing", "requires_action", "authorized"].into_iter().any(|status| kept.is(status)) {
            return (409, json!({"error": "over"}));
        }
        let event = kept.moves_to("canceled");
        self.sent.push(event);
        (200, json!(kept.charge))
    }

    fn refund(&mut self, id: &str, call: &Call<'_>) -> Answer {
        let Ok(asked) = serde_json::from_slice::<NewRefund>(call.body) else { return (400, json!({})) };
        let Some(kept) = self.books.charges.get_mut(id) else { return (404, json!({"error": "not_found"})) };
        if let Some(made) = self.books.keys.get(call.key) {
            return found(kept.refunds.iter().find(|refund| refund.id.as_ref() == Some(made)));
        }
        if !kept.is("succeeded") || asked.amount <= 0 || asked.amount > kept.taken() {
            return (409, json!({"error": "too_much"}));
        }
        let made = Refund {
            id: Some(format!("re-{id}-{:04}", kept.refunds.len() + 1)),
            status: Some("processing".to_owned()),
            reference: Some(asked.reference),
            amount: Some(asked.amount),
            currency: Some(asked.currency),
            code: None,
        };
        kept.refunds.push(made.clone());
        self.books.keys.insert(call.key.to_owned(), made.id.clone().unwrap_or_default());
        (201, json!(made))
    }
}

impl HttpGateway {
    /// Changes a charge (named by our reference) that is in a status; `false` when there is none.
    fn move_charge(
        &self,
        reference: &str,
        status: &str,
        change: impl FnOnce(&mut KeptCharge) -> Event,
    ) -> bool {
        let mut state = self.state();
        let named = |kept: &&mut KeptCharge| kept.asked.reference == reference && kept.is(status);
        let Some(kept) = state.books.charges.values_mut().find(named) else { return false };
        let event = change(kept);
        state.sent.push(event);
        true
    }

    /// The customer acts on the page that a charge waits for.
    pub(super) fn step_up(&self, reference: &str, passes: bool) -> bool {
        let refused = code(DeclineClass::AuthenticationRequired);
        self.move_charge(reference, "requires_action", |kept| {
            if passes { kept.approve() } else { kept.refuse(refused) }
        })
    }

    /// A charge that is under way ends.
    pub(super) fn finish(&self, reference: &str, well: bool) -> bool {
        let refused = code(DeclineClass::InsufficientFunds);
        self.move_charge(
            reference,
            "processing",
            |kept| {
                if well { kept.approve() } else { kept.refuse(refused) }
            },
        )
    }

    /// The bank takes back what had succeeded.
    pub(super) fn take_back(&self, reference: &str) -> bool {
        self.move_charge(reference, "succeeded", |kept| {
            kept.charge.captured = Some(0);
            kept.charge.decline = Some("taken_back".to_owned());
            kept.moves_to("returned")
        })
    }

    /// Every refund that is under way ends well.
    pub(super) fn finish_refunds(&self) {
        let mut state = self.state();
        let mut events = Vec::new();
        for kept in state.books.charges.values_mut() {
            for at in 0..kept.refunds.len() {
                if kept.refunds[at].status.as_deref() == Some("processing") {
                    kept.refunds[at].status = Some("succeeded".to_owned());
                    events.push(kept.news("refund.succeeded", Some(kept.refunds[at].clone())));
                }
            }
        }
        state.sent.extend(events);
    }
}
