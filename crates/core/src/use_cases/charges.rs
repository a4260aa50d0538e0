//! Charging what was saved: consent is checked, an intent is stored, the gateway is asked once, and whatever it says
//! is settled. An answer that was lost is asked about, and never leads to a second charge.

mod change;
mod consent;
mod fallback;
mod follow;
mod read;
mod settle;

use std::collections::BTreeMap;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::Url;

use self::consent::Charged;
use super::start::nonce_hash;
use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::charge::{
    CaptureMode, Charge, ChargeDetails, ChargeReason, ChargeStatus, Decline, DeclineClass, Initiator, Step,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::gateway::Gateway;
use crate::id::{ChargeId, PaymentMethodId};
use crate::idempotency::Intent;
use crate::money::{Currency, Money};
use crate::name::TenantId;
use crate::provider::{ChargeProvider, ChargeRef, CreateCharge, ProviderCharge, TokenRef};
use crate::secret::random_token;
use crate::session::Via;
use crate::store::{Changes, Commit, Write};
use crate::view::ChargeView;

pub use change::StartRefund;
pub use fallback::Attempt;

/// A request to charge a saved method.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartCharge {
    /// How much, in minor units: 1050 with USD is 10.50 dollars.
    pub amount: i64,
    /// Its currency.
    pub currency: Currency,
    /// Who starts it.
    pub initiator: Initiator,
    /// Why; a customer's charge is a single purchase when nothing is said.
    #[serde(default)]
    pub reason: Option<ChargeReason>,
    /// When the money is taken.
    #[serde(default)]
    pub capture: CaptureMode,
    /// The merchant's own reference, such as an order's number.
    #[serde(default)]
    pub reference: Option<String>,
    /// Shown to the customer where the gateway does.
    #[serde(default)]
    pub description: Option<String>,
    /// The merchant's own pairs; passed on to the gateway.
    #[serde(default)]
    pub metadata: BTreeMap<String, String>,
    /// Where the customer's browser goes after a step that only they can take, with `charge_id` and `status` in its
    /// query; the return URL of the session that saved the method when left out.
    #[serde(default)]
    pub return_url: Option<Url>,
    /// Whether the customer's other methods are tried when the default is declined for a reason that allows it. Only
    /// for charges of a customer.
    #[serde(default)]
    pub fallback: bool,
    /// The same in every attempt at this request: whoever tries again finds the charge of the attempt before, and
    /// never makes a second one.
    #[serde(skip)]
    pub intent: Option<Intent>,
}

impl StartCharge {
    /// A request with what is required; nothing else is said.
    pub fn new(money: Money, initiator: Initiator, reason: impl Into<Option<ChargeReason>>) -> Self {
        Self {
            amount: money.amount,
            currency: money.currency,
            initiator,
            reason: reason.into(),
            capture: CaptureMode::Automatic,
            reference: None,
            description: None,
            metadata: BTreeMap::new(),
            return_url: None,
            fallback: false,
            intent: None,
        }
    }

    fn reason(&self) -> ChargeReason {
        self.reason.unwrap_or(ChargeReason::OneOff)
    }
}

impl Billfold {
    /// Charges a saved method.
    ///
    /// A decline is an answer, not an error: [`ChargeStatus::Declined`] with a class and an advice. Errors:
    /// [`ErrorKind::InvalidRequest`] with pointers and [`ErrorKind::Conflict`] (the method cannot be used, or not for
    /// this) before anything is stored or sent; gateway errors after the charge is stored, which is then declined when
    /// the gateway did nothing. When it is not known whether the gateway acted, the charge is
    /// [`ChargeStatus::Unknown`] and is asked about until it is known.
    pub async fn charge_method(
        &self,
        tenant: &TenantId,
        method: PaymentMethodId,
        request: StartCharge,
    ) -> Result<ChargeView> {
        if request.fallback {
            return Err(Error::invalid("/fallback", "only for charges of a customer"));
        }
        let charge = self.charge_once(tenant, method, &request, Place::FIRST).await?;
        self.charge_view(&charge).await
    }

    async fn charge_once(
        &self,
        tenant: &TenantId,
        method: PaymentMethodId,
        request: &StartCharge,
        place: Place,
    ) -> Result<Charge> {
        let id = match &request.intent {
            Some(intent) => intent.nth(place.index),
            None => ChargeId::generate(self.now(), self.entropy().as_ref())?,
        };
        let nonce = random_token(self.entropy().as_ref())?;
        for _ in 0..MAX_ROUNDS {
            if let Some(before) = self.store().charge(tenant, id).await? {
                return Ok(before);
            }
            let charged = self.chargeable(tenant, method, request).await?;
            let gateway = self.gateway_of(tenant, &charged.method.gateway)?;
            let charging = charging(gateway)?;
            let token = match charged.method.token {
                Some(record) => self.open_token(&charged.method, record).await?,
                None => None,
            };
            let token = token.ok_or_else(|| Error::conflict("the payment method has no token any more"))?;
            let mut intent = self.charge_intent(&charged, request, id, &nonce);
            intent.details.fallback_of = place.fallback_of;
            // A new version of the method: whoever deletes it meanwhile, or starts another charge under terms that
            // allow only one, makes this commit stale.
            let mut held = charged.method.clone();
            held.version += 1;
            let changes = Changes {
                methods: vec![Write::Update(held)],
                charges: vec![Write::Insert(intent.clone())],
                ..Changes::default()
            };
            if self.store().commit(changes).await? == Commit::Stale {
                continue;
            }
            let create = self.charge_request(&charged, request, &intent, token, &nonce)?;
            // Boxed, for it holds the request: futures of callers stay small.
            return Box::pin(self.charge_at_gateway(gateway, charging, intent, create)).await;
        }
        Err(contended())
    }

    fn charge_intent(
        &self,
        charged: &Charged,
        request: &StartCharge,
        id: ChargeId,
        nonce: &SecretString,
    ) -> Charge {
        let (now, method) = (self.now(), &charged.method);
        let status = ChargeStatus::Processing;
        let mut charge = Charge {
            id,
            tenant: method.tenant.clone(),
            gateway: method.gateway.clone(),
            provider: method.provider.clone(),
            mode: method.mode,
            customer_id: method.customer_id,
            payment_method_id: method.id,
            status,
            money: Money { amount: request.amount, currency: request.currency },
            provider_reference: None,
            next: None,
            nonce_hash: nonce_hash(id, nonce.expose_secret()),
            next_check_at: None,
            details: ChargeDetails {
                initiator: request.initiator,
                reason: request.reason(),
                capture: request.capture,
                reference: request.reference.clone(),
                description: request.description.clone(),
                metadata: request.metadata.clone(),
                return_url: Some(charged.return_url.clone()),
                captured: 0,
                capturing: None,
                decline: None,
                refunds: Vec::new(),
                extra: BTreeMap::new(),
                fallback_of: None,
                incident: None,
                settled_via: None,
                returned_at: None,
                timeline: vec![Step { what: status.as_str().to_owned(), via: None, at: now }],
            },
            created_at: now,
            updated_at: now,
            version: 1,
        };
        charge.next_check_at = self.schedule().next_charge_check(&charge, now);
        charge
    }

    fn charge_request(
        &self,
        charged: &Charged,
        request: &StartCharge,
        intent: &Charge,
        token: TokenRef,
        nonce: &SecretString,
    ) -> Result<CreateCharge> {
        let method = &charged.method;
        let back = self.return_address(intent.id, nonce)?;
        let kind = (method.kind, method.channel.clone());
        let reference = intent.id.to_string();
        let mut create =
            CreateCharge::new(reference, token, kind, intent.money, charged.country, method.usage, back);
        create.recurring.clone_from(&charged.recurring);
        create.initiator = request.initiator;
        create.reason = request.reason();
        create.first = charged.first;
        create.capture = request.capture;
        create.description.clone_from(&request.description);
        create.metadata.clone_from(&request.metadata);
        Ok(create)
    }

    async fn charge_at_gateway(
        &self,
        gateway: &Gateway,
        charging: &dyn ChargeProvider,
        intent: Charge,
        create: CreateCharge,
    ) -> Result<Charge> {
        let cx = gateway.context(self.clock(), intent.id.to_string());
        match self.call(gateway, "charge", charging.charge(&cx, create)).await {
            Ok(observed) => match self.settle_charge(gateway, intent.clone(), &observed, Via::Create).await {
                // What was said is not to be believed; where the charge stands is asked again.
                Err(error) if error.kind() == ErrorKind::GatewayProtocol => self.reload_charge(&intent).await,
                settled => settled,
            },
            Err(error) => match nothing_happened(&error) {
                Some(class) => {
                    let code = error.fault().and_then(|fault| fault.code.clone());
                    let observed = ProviderCharge::declined("", Decline::new(class, code));
                    self.settle_charge(gateway, intent.clone(), &observed, Via::Create).await?;
                    Err(error.with_context("charge", intent.id.to_string()))
                }
                None => self.charge_unknown(intent).await,
            },
        }
    }

    /// The gateway was asked, and its answer was lost.
    async fn charge_unknown(&self, charge: Charge) -> Result<Charge> {
        let mut unknown = charge;
        for _ in 0..MAX_ROUNDS {
            if unknown.status != ChargeStatus::Processing || unknown.provider_reference.is_some() {
                // A webhook was quicker than the answer that did not come.
                return Ok(unknown);
            }
            let mut changed = unknown.clone();
            self.step(&mut changed, ChargeStatus::Unknown, Via::Create);
            changed.next_check_at = self.schedule().next_charge_check(&changed, changed.updated_at);
            let events = vec![self.charge_event("charge.unknown", &changed)?];
            let charges = vec![Write::Update(changed.clone())];
            if self.commit(Changes { charges, events, ..Changes::default() }).await? == Commit::Applied {
                return Ok(changed);
            }
            unknown = self.reload_charge(&unknown).await?;
        }
        Err(contended())
    }

    /// Moves a charge on, with its place in the timeline.
    fn step(&self, charge: &mut Charge, status: ChargeStatus, via: Via) {
        charge.status = status;
        self.note(charge, status.as_str(), Some(via));
    }

    fn note(&self, charge: &mut Charge, what: &str, via: Option<Via>) {
        charge.updated_at = self.now();
        charge.details.timeline.push(Step { what: what.to_owned(), via, at: charge.updated_at });
        charge.version += 1;
    }

    async fn reload_charge(&self, charge: &Charge) -> Result<Charge> {
        self.store().charge(&charge.tenant, charge.id).await?.ok_or_else(|| Error::not_found("charge"))
    }

    /// The charge as its provider names it, with the token where it is still there.
    async fn charge_ref(&self, charge: &Charge) -> Result<ChargeRef> {
        let mut named = ChargeRef::new(charge.id.to_string(), charge.money, charge.created_at);
        named.reference.clone_from(&charge.provider_reference);
        named.extra.clone_from(&charge.details.extra);
        let method = self.store().method(&charge.tenant, charge.payment_method_id).await?;
        if let Some(method) = method
            && let Some(record) = method.token
        {
            named.token = self.open_token(&method, record).await?;
        }
        Ok(named)
    }
}

/// Where a charge stands among those that one request leads to.
#[derive(Debug, Clone, Copy)]
struct Place {
    index: usize,
    /// The first of them, when this is not it.
    fallback_of: Option<ChargeId>,
}

impl Place {
    const FIRST: Self = Self { index: 0, fallback_of: None };
}

/// The gateway's ability to charge.
fn charging(gateway: &Gateway) -> Result<&dyn ChargeProvider> {
    gateway.provider.charging().ok_or_else(|| {
        let message = format!("the gateway `{}` does not charge saved methods", gateway.name);
        Error::new(ErrorKind::Unsupported, message)
    })
}

/// What a failed call proves to be a decline: nothing was charged, and nothing will be. `None` when that is not
/// known.
fn nothing_happened(error: &Error) -> Option<DeclineClass> {
    if error.retry() == Retry::OutcomeUnknown {
        return None;
    }
    match error.kind() {
        ErrorKind::GatewayRejected
        | ErrorKind::GatewayAuthentication
        | ErrorKind::InvalidRequest
        | ErrorKind::Unsupported => Some(DeclineClass::DoNotRetry),
        ErrorKind::GatewayRateLimited => Some(DeclineClass::TryAgainLater),
        // Not sent at all; anything else that is temporary may have reached the gateway.
        ErrorKind::GatewayUnavailable if matches!(error.retry(), Retry::SameKey { .. }) => {
            Some(DeclineClass::TryAgainLater)
        }
        _ => None,
    }
}
