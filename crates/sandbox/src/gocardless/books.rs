//! What the gateway keeps: billing requests, flows, customers, bank accounts, mandates, payments, refunds, events.

use std::collections::HashMap;

use rand::Rng as _;
use serde_json::{Value, json};

use super::mandates::Mandate;
use super::payments::Payment;
use super::refunds::Refund;
use crate::charging::ChargePlay;
use crate::clock::iso;

/// A way through the hosted pages.
#[derive(Debug, Clone)]
pub(super) struct Flow {
    /// As the API shows it.
    pub(super) object: Value,
    /// The unguessable part of the page's address.
    pub(super) link: String,
    /// Milliseconds.
    pub(super) expires_at: i64,
    /// Why the last attempt was not taken, for the page.
    pub(super) problem: Option<String>,
    /// What the customer entered and has to confirm, by attempt.
    pub(super) attempts: HashMap<String, Entered>,
}

impl Flow {
    pub(super) fn text(&self, field: &str) -> &str {
        self.object[field].as_str().unwrap_or_default()
    }

    pub(super) fn billing_request(&self) -> &str {
        self.object["links"]["billing_request"].as_str().unwrap_or_default()
    }
}

/// A bank account, with the number that the API does not show.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) object: Value,
    pub(super) number: String,
}

/// What the customer enters on the page.
#[derive(Debug, Clone, Default)]
pub(super) struct Entered {
    pub(super) given_name: Option<String>,
    pub(super) family_name: Option<String>,
    pub(super) branch_code: String,
    pub(super) account_number: String,
}

/// Everything.
#[derive(Debug, Default)]
pub(crate) struct Books {
    requests: Vec<Value>,
    pub(super) flows: Vec<Flow>,
    customers: Vec<Value>,
    accounts: Vec<Account>,
    pub(super) mandates: Vec<Mandate>,
    pub(super) payments: Vec<Payment>,
    pub(super) refunds: Vec<Refund>,
    /// Everything that was told.
    pub(super) events: Vec<Value>,
    /// How payments by a mandate end, by order.
    pub(super) plays: HashMap<String, ChargePlay>,
    /// What was made, by collection and key.
    pub(super) made: HashMap<String, String>,
    pub(super) complete_on_create: bool,
}

/// Whether a billing request waits for its customer.
pub(super) fn is_open(request: &Value) -> bool {
    request["status"] == "pending"
}

impl Books {
    pub(super) fn request(&mut self, id: &str) -> Option<&mut Value> {
        self.requests.iter_mut().find(|request| request["id"] == id)
    }

    /// A payment by its id, or by a value of its metadata, such as the merchant's reference.
    pub(super) fn payment(&mut self, name: &str) -> Option<&mut Payment> {
        let named = |payment: &Payment| {
            let mut metadata = payment.object["metadata"].as_object().into_iter().flatten();
            payment.object["id"] == name || metadata.any(|(_, value)| value == name)
        };
        self.payments.iter_mut().find(|payment| named(payment))
    }

    pub(super) fn customer(&self, id: &str) -> Option<&Value> {
        self.customers.iter().find(|customer| customer["id"] == id)
    }

    pub(super) fn account(&self, id: &str) -> Option<&Account> {
        self.accounts.iter().find(|account| account.object["id"] == id)
    }

    pub(super) fn flow_by_link(&mut self, link: &str) -> Option<&mut Flow> {
        self.flows.iter_mut().find(|flow| flow.link == link)
    }

    /// Billing requests with their newest flow, in the order of their creation.
    pub(super) fn shown_requests(&self) -> Vec<Value> {
        let shown = |request: &Value| {
            let mut shown = request.clone();
            let flow = self.flows.iter().rfind(|flow| request["id"] == flow.billing_request());
            shown["flow"] = flow.map(|flow| flow.object.clone()).unwrap_or_default();
            shown
        };
        self.requests.iter().map(shown).collect()
    }

    pub(super) fn add_request(&mut self, request: Value) {
        self.requests.push(request);
    }

    /// Ends the links to a billing request's pages; `false` when there is no such request.
    pub(super) fn expire_flows(&mut self, id: &str, now: i64) -> bool {
        for flow in self.flows.iter_mut().filter(|flow| flow.billing_request() == id) {
            flow.expires_at = flow.expires_at.min(now);
        }
        self.request(id).is_some()
    }

    /// The customer gives what is asked for; says the mandate. `None` when the request is not open, or is for
    /// another scheme.
    pub(super) fn fulfil(
        &mut self,
        id: &str,
        scheme: Option<&str>,
        entered: &Entered,
        now: i64,
    ) -> Option<String> {
        let request = self.request(id).filter(|request| is_open(request))?.clone();
        let asked = &request["mandate_request"];
        if scheme.is_some_and(|scheme| asked["scheme"] != scheme) {
            return None;
        }
        let customer = match request["links"]["customer"].as_str() {
            Some(known) => known.to_owned(),
            None => self.new_customer(entered, now),
        };
        let account = self.account_of(&customer, &entered.account_number, asked, now);
        let mandate = self.new_mandate(&customer, &account, &asked["scheme"], &asked["metadata"], now);
        let request = self.request(id)?;
        request["status"] = "fulfilled".into();
        request["links"]["customer"] = customer.into();
        request["links"]["customer_bank_account"] = account.into();
        request["links"]["mandate_request_mandate"] = mandate.clone().into();
        request["mandate_request"]["links"] = json!({"mandate": mandate});
        Some(mandate)
    }

    fn new_customer(&mut self, entered: &Entered, now: i64) -> String {
        let id = new_id("CU");
        self.customers.push(json!({
            "id": id, "created_at": iso(now), "given_name": entered.given_name, "family_name": entered.family_name,
            "metadata": {},
        }));
        id
    }

    /// A customer's account of this number: a customer has each account once.
    pub(super) fn account_of(&mut self, customer: &str, number: &str, asked: &Value, now: i64) -> String {
        let same =
            |account: &&Account| account.number == number && account.object["links"]["customer"] == customer;
        if let Some(known) = self.accounts.iter().find(same) {
            return known.object["id"].as_str().unwrap_or_default().to_owned();
        }
        let (id, currency) = (new_id("BA"), asked["currency"].as_str().unwrap_or("GBP"));
        let shown = if currency == "NZD" { 4 } else { 2 };
        let ending: Vec<char> = number.chars().rev().take(shown).collect();
        let account_type = (currency == "USD").then_some("checking");
        let object = json!({
            "id": id, "created_at": iso(now), "account_holder_name": "LOREM IPSUM", "currency": currency,
            "account_number_ending": ending.into_iter().rev().collect::<String>(), "account_type": account_type,
            "bank_name": bank(number), "country_code": country(currency), "enabled": true, "metadata": {},
            "links": {"customer": customer},
        });
        self.accounts.push(Account { object, number: number.to_owned() });
        id
    }

    pub(super) fn new_mandate(
        &mut self,
        customer: &str,
        account: &str,
        scheme: &Value,
        metadata: &Value,
        now: i64,
    ) -> String {
        let id = new_id("MD");
        let object = json!({
            "id": id, "created_at": iso(now), "reference": format!("BF-{}", self.mandates.len() + 1),
            "status": "pending_submission", "scheme": scheme, "metadata": metadata,
            "payments_require_approval": false,
            "links": {"customer": customer, "customer_bank_account": account, "creditor": "CR0000SANDBOX"},
        });
        self.mandates.push(Mandate { object, created_at: now });
        id
    }
}

fn bank(number: &str) -> &'static str {
    const BANKS: [&str; 4] =
        ["BARCLAYS BANK PLC", "MONZO BANK LIMITED", "LLOYDS BANK PLC", "EXAMPLE SAVINGS BANK"];
    let sum: usize = number.bytes().map(usize::from).sum();
    BANKS[sum % BANKS.len()]
}

fn country(currency: &str) -> &'static str {
    match currency {
        "USD" => "US",
        "SEK" => "SE",
        "AUD" => "AU",
        "NZD" => "NZ",
        "DKK" => "DK",
        "CAD" => "CA",
        "EUR" => "DE",
        _ => "GB",
    }
}

/// An id with the gateway's prefix.
pub(super) fn new_id(prefix: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    let mut random = rand::rng();
    let rest: String =
        (0..12).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect();
    format!("{prefix}0000{rest}")
}
