//! Chargers with a flaw, each of which the targets see.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::capability::Capabilities;
use billfold_core::charge::{Decline, DeclineClass, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, CreateSession,
    Deletion, Lookup, NextAction, ProviderCharge, ProviderChargeStatus, ProviderMethod, ProviderRefund,
    ProviderSession, RefundRef, ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider,
    WebhookBatch, WebhookDelivery, WebhookRejection,
};
use billfold_core::{Error, ErrorKind, Result};
use billfold_fuzz::accounts::STRIPE;
use billfold_fuzz::answers;

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    /// Nothing.
    None,
    /// Everything is paid, whatever was answered.
    Generous,
    /// Charges and refunds whose answer was lost are given up.
    Forgetful,
    /// What was not answered is missing.
    Hasty,
    /// The gateway's words are handed on as a code.
    Raw,
    /// A charge has no id.
    Nameless,
    /// The link of a step-up is kept where everybody reads.
    Open,
    /// A charge is declined, and nobody learns why.
    Silent,
}

/// A charger with a flaw.
#[derive(Debug)]
struct Flawed(Arc<dyn TokenizationProvider>, Flaw);

impl Flawed {
    fn good(&self) -> &dyn ChargeProvider {
        self.0.charging().unwrap()
    }

    fn spoil(&self, mut charge: ProviderCharge) -> ProviderCharge {
        match self.1 {
            Flaw::Raw => {
                let code = Some("no\u{1b}[31m".to_owned());
                let decline = Decline { class: DeclineClass::DoNotRetry, code };
                ProviderCharge::declined("", decline)
            }
            Flaw::Nameless => ProviderCharge::new("", ProviderChargeStatus::Succeeded),
            Flaw::Open => {
                let link = "https://hooks.example/3ds-secret";
                charge.next = Some(NextAction::Redirect(link.to_owned().into()));
                charge.remember.insert("link".to_owned(), link.to_owned());
                charge
            }
            Flaw::Silent => ProviderCharge::new("pi_1", ProviderChargeStatus::Declined),
            _ => charge,
        }
    }
}

#[async_trait]
impl ChargeProvider for Flawed {
    fn abilities(&self) -> &ChargeAbilities {
        self.good().abilities()
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        let made = self.good().charge(cx, request).await;
        match self.1 {
            Flaw::Generous => Ok(ProviderCharge::new("pi_1", ProviderChargeStatus::Succeeded)),
            Flaw::Forgetful => made.map_err(|error| Error::new(error.kind(), error.message())),
            _ => made.map(|charge| self.spoil(charge)),
        }
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        let found = self.good().fetch_charge(cx, charge).await;
        if self.1 == Flaw::Hasty { Ok(found.unwrap_or(Lookup::Missing)) } else { found }
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        self.good().capture_charge(cx, charge, money).await
    }

    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        self.good().cancel_charge(cx, charge).await
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        let made = self.good().refund_charge(cx, request).await;
        match self.1 {
            Flaw::Generous => Ok(ProviderRefund::new("re_1", RefundStatus::Succeeded)),
            Flaw::Forgetful => made.map_err(|error| Error::new(error.kind(), error.message())),
            Flaw::Nameless => Ok(ProviderRefund::new("", RefundStatus::Processing)),
            _ => made,
        }
    }

    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        self.good().fetch_refund(cx, refund).await
    }
}

/// Only charges are made with it.
#[async_trait]
impl TokenizationProvider for Flawed {
    fn capabilities(&self) -> &Capabilities {
        self.0.capabilities()
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        self.0.validate(request)
    }

    async fn create_session(&self, _: &CallContext, _: CreateSession) -> Result<ProviderSession> {
        Err(unasked())
    }

    async fn fetch_session(&self, _: &CallContext, _: SessionRef) -> Result<ProviderSession> {
        Err(unasked())
    }

    async fn cancel_session(&self, _: &CallContext, _: SessionRef) -> Result<ProviderSession> {
        Err(unasked())
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        self.0.read_return(request)
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        self.0.read_webhook(delivery)
    }

    async fn fetch_method(&self, _: &CallContext, _: TokenRef) -> Result<ProviderMethod> {
        Err(unasked())
    }

    async fn delete_method(&self, _: &CallContext, _: TokenRef) -> Result<Deletion> {
        Err(unasked())
    }

    async fn check(&self, _: &CallContext) -> Result<()> {
        Err(unasked())
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
}

fn unasked() -> Error {
    Error::new(ErrorKind::Unsupported, "only charges are made")
}

fn holds(flaw: Flaw, input: &str) -> bool {
    let provider = Flawed(STRIPE.build(), flaw);
    catch_unwind(AssertUnwindSafe(|| answers::check(STRIPE, &provider, input.as_bytes()))).is_ok()
}

const PAID: &str =
    r#"{"id":"pi_1","status":"succeeded","amount":120000,"amount_received":120000,"currency":"eur"}"#;

#[test]
fn flawed_chargers_are_seen() {
    for (flaw, call, answer) in [
        (Flaw::Generous, "charge", "402\n{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\"}}"),
        (Flaw::Generous, "refund pi_1 100", "400\n{\"error\":{\"code\":\"charge_already_refunded\"}}"),
        (Flaw::Forgetful, "charge", "500\n"),
        (Flaw::Forgetful, "charge", "200\n{}"),
        (Flaw::Forgetful, "refund pi_1 100", "200\n{}"),
        (Flaw::Hasty, "fetch-charge pi_1", "500\n"),
        (Flaw::Raw, "charge", "402\n{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\"}}"),
        (Flaw::Nameless, "charge", &format!("200\n{PAID}")),
        (Flaw::Nameless, "refund pi_1 100", "200\n{\"id\":\"re_1\",\"status\":\"pending\"}"),
        (Flaw::Open, "charge", &format!("200\n{PAID}")),
        (Flaw::Silent, "charge", "402\n{\"error\":{\"type\":\"card_error\",\"code\":\"card_declined\"}}"),
    ] {
        let input = format!("{call}\n%%\n{answer}");
        assert!(holds(Flaw::None, &input), "{input}");
        assert!(!holds(flaw, &input), "{flaw:?} is not seen with {input}");
    }
}
