//! A provider that panics in every function, never answers, or answers with garbage, as a file says at each call; and
//! behaves when it says nothing.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use billfold_core::capability::{Capabilities, MethodKind, Trust};
use billfold_core::charge::RefundStatus;
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, CreateSession,
    Deletion, Echo, EventSubject, Lookup, NextAction, ProviderCharge, ProviderChargeStatus, ProviderEvent,
    ProviderMethod, ProviderMethodStatus, ProviderRefund, ProviderSession, ProviderSessionStatus, RefundRef,
    ReturnHint, ReturnRequest, SessionRef, TokenRef, TokenizationProvider, WebhookBatch, WebhookDelivery,
    WebhookRejection,
};
use billfold_core::secret::SecretString;
use billfold_core::settings::Settings;
use billfold_core::{Error, ErrorKind, Result};
use billfold_testkit::reference::{Instrument, ReferenceGateway, ReferenceProvider};

billfold_core::register_provider!(
    kind: "hostile",
    name: "Hostile",
    build: build,
    settings_example: "# The file that says what becomes of the next calls.\norders = \"/tmp/orders\"\n",
);

/// What no text of a gateway ought to be: controls, markup, paths, another direction of writing.
const RUBBISH: &str = "\u{0}\r\n\u{1b}[31m\u{202e}<script>../../{{7*7}}%s'\"; DROP TABLE sessions; --";
/// How often, for a long name.
const SOME: usize = 40;
/// How often, for a mebibyte.
const MANY: usize = 16_000;
const EVENTS: usize = 500;

#[derive(Debug)]
struct Hostile {
    inner: ReferenceProvider,
    gateway: Arc<ReferenceGateway>,
    orders: PathBuf,
}

fn build(settings: &Settings) -> Result<Arc<dyn TokenizationProvider>> {
    let orders = settings.values["orders"].as_str().map(PathBuf::from);
    let orders = orders.ok_or_else(|| Error::new(ErrorKind::Configuration, "`orders` has to name a file"))?;
    let gateway = Arc::new(ReferenceGateway::new());
    let inner = ReferenceProvider::new(gateway.clone(), "no secret");
    Ok(Arc::new(Hostile { inner, gateway, orders }))
}

impl Hostile {
    /// Whether the answer has to be garbage; otherwise panics, never returns, or lets the call do what it is for.
    async fn obey(&self) -> bool {
        match self.ordered().as_str() {
            "hang" => std::future::pending().await,
            _ => self.obey_at_once(),
        }
    }

    /// The same for what cannot wait. A function that never returned would hold its thread, and nobody could help that:
    /// it panics instead.
    #[expect(clippy::panic, reason = "that is what it is for")]
    fn obey_at_once(&self) -> bool {
        match self.ordered().as_str() {
            "panic" | "hang" => panic!("ordered by the trial"),
            order => order == "garbage",
        }
    }

    fn ordered(&self) -> String {
        std::fs::read_to_string(&self.orders).unwrap_or_default()
    }
}

fn rubbish(times: usize) -> String {
    RUBBISH.repeat(times)
}

fn failure() -> Error {
    Error::new(ErrorKind::GatewayRejected, rubbish(MANY))
        .with_retry(Retry::OutcomeUnknown)
        .with_context("detail", rubbish(SOME))
}

/// Completed by hundreds of methods, none of which is anybody's.
fn session() -> ProviderSession {
    let mut session = ProviderSession::new(rubbish(MANY), ProviderSessionStatus::Completed);
    session.next = Some(NextAction::Redirect(SecretString::from(rubbish(SOME))));
    session.echo = Echo { reference: Some(rubbish(SOME)), currency: Some(rubbish(1)), ..Echo::default() };
    session.methods = (0..EVENTS).map(|_| method()).collect();
    session
}

fn method() -> ProviderMethod {
    let token = TokenRef::new(rubbish(SOME));
    let mut method =
        ProviderMethod::new(token, MethodKind::Wallet, rubbish(SOME), ProviderMethodStatus::Active);
    method.replaces = Some(SecretString::from("another's"));
    method.display.brand = Some(rubbish(SOME));
    method.display.expiry_month = Some(255);
    method
}

fn charge(asked: &str) -> ProviderCharge {
    let mut charge = ProviderCharge::new(rubbish(SOME), ProviderChargeStatus::Succeeded);
    charge.echo.reference = Some(format!("{asked}{RUBBISH}"));
    charge.captured = Some(i64::MIN);
    charge.extra = (0..EVENTS).map(|number| (format!("{number}{RUBBISH}"), rubbish(SOME))).collect();
    charge
}

fn refund() -> ProviderRefund {
    ProviderRefund::new(rubbish(MANY), RefundStatus::Succeeded)
}

#[async_trait]
impl TokenizationProvider for Hostile {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn validate(&self, request: &CreateSession) -> Result<()> {
        if self.obey_at_once() {
            return Err(Error::invalid(rubbish(SOME), rubbish(MANY)));
        }
        self.inner.validate(request)
    }

    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession> {
        if self.obey().await {
            return Ok(session());
        }
        // There is no page: the customer is sent back at once.
        let back = request.success_url.to_string();
        let mut session = self.inner.create_session(cx, request).await?;
        session.next = Some(NextAction::Redirect(SecretString::from(back)));
        Ok(session)
    }

    async fn fetch_session(&self, cx: &CallContext, asked: SessionRef) -> Result<ProviderSession> {
        if self.obey().await {
            return Ok(session());
        }
        if self.gateway.session_status(&asked.reference) == Some(ProviderSessionStatus::Active) {
            let card = Instrument::card(&format!("token-{}", asked.reference), &asked.reference);
            self.gateway.complete(&asked.reference, card);
        }
        self.inner.fetch_session(cx, asked).await
    }

    async fn cancel_session(&self, cx: &CallContext, asked: SessionRef) -> Result<ProviderSession> {
        if self.obey().await {
            return Ok(session());
        }
        self.inner.cancel_session(cx, asked).await
    }

    fn read_return(&self, request: &ReturnRequest) -> ReturnHint {
        if self.obey_at_once() {
            return ReturnHint { evidence: Some(rubbish(MANY)) };
        }
        self.inner.read_return(request)
    }

    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection> {
        if !self.obey_at_once() {
            return self.inner.read_webhook(delivery);
        }
        let event = |number: usize| {
            let reference = Some(rubbish(SOME));
            let subject = match number % 3 {
                0 => EventSubject::Session { reference, merchant_reference: Some("ses_".to_owned()) },
                1 => EventSubject::Method { token: rubbish(SOME), merchant_reference: reference },
                _ => EventSubject::Charge { reference, merchant_reference: None, told: None },
            };
            ProviderEvent::new(rubbish(SOME), format!("{number}{RUBBISH}"), subject)
        };
        let mut batch = WebhookBatch::new(Trust::Signed, (0..EVENTS).map(event).collect());
        batch.acknowledge.status = 999;
        batch.acknowledge.body = RUBBISH;
        Ok(batch)
    }

    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod> {
        if self.obey().await {
            return Ok(method());
        }
        self.inner.fetch_method(cx, token).await
    }

    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion> {
        if self.obey().await {
            return Err(failure());
        }
        self.inner.delete_method(cx, token).await
    }

    async fn check(&self, cx: &CallContext) -> Result<()> {
        if self.obey().await {
            return Err(failure());
        }
        self.inner.check(cx).await
    }

    fn charging(&self) -> Option<&dyn ChargeProvider> {
        Some(self)
    }
}

#[async_trait]
impl ChargeProvider for Hostile {
    fn abilities(&self) -> &ChargeAbilities {
        self.inner.abilities()
    }

    async fn charge(&self, cx: &CallContext, request: CreateCharge) -> Result<ProviderCharge> {
        if self.obey().await {
            return Ok(charge(&request.reference));
        }
        self.inner.charge(cx, request).await
    }

    async fn fetch_charge(&self, cx: &CallContext, asked: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        if self.obey().await {
            return Ok(Lookup::Found(charge(&asked.merchant_reference)));
        }
        self.inner.fetch_charge(cx, asked).await
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        asked: ChargeRef,
        money: Money,
    ) -> Result<ProviderCharge> {
        if self.obey().await {
            return Ok(charge(&asked.merchant_reference));
        }
        self.inner.capture_charge(cx, asked, money).await
    }

    async fn cancel_charge(&self, cx: &CallContext, asked: ChargeRef) -> Result<ProviderCharge> {
        if self.obey().await {
            return Ok(charge(&asked.merchant_reference));
        }
        self.inner.cancel_charge(cx, asked).await
    }

    async fn refund_charge(&self, cx: &CallContext, request: CreateRefund) -> Result<ProviderRefund> {
        if self.obey().await {
            return Ok(refund());
        }
        self.inner.refund_charge(cx, request).await
    }

    async fn fetch_refund(&self, cx: &CallContext, asked: RefundRef) -> Result<Lookup<ProviderRefund>> {
        if self.obey().await {
            return Ok(Lookup::Found(refund()));
        }
        self.inner.fetch_refund(cx, asked).await
    }
}
