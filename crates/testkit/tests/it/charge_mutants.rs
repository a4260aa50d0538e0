//! Providers with one flaw each in how they charge, around the HTTP reference's.

use async_trait::async_trait;
use billfold_core::charge::{CaptureMode, Decline, DeclineClass, Initiator, RefundStatus};
use billfold_core::error::Retry;
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, EventSubject,
    Lookup, NextAction, ProviderCharge, ProviderChargeStatus, ProviderEvent, ProviderRefund, RefundRef,
    ReturnRequest,
};
use billfold_core::secret::ExposeSecret;
use billfold_core::{Error, ErrorKind, Result};
use billfold_testkit::reference_http::Proof;

use crate::provider_mutants::{Flaw, Mutant};

/// What is wrong with a provider that charges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChargeFlaw {
    ChargesAFeeOnTop,
    DropsDecimals,
    TakesEveryCurrencyForTwoDecimals,
    ChargesAnotherCurrency,
    NeedsTheCustomer,
    ForgetsTheCode,
    CallsEveryDeclineFinal,
    TakesRevokedForExpired,
    ChargesAgainWhenAsked,
    TriesAgainByItself,
    MakesANewKeyEachTime,
    TakesLostForRefused,
    TakesServerErrorsForRefusals,
    TakesSlowDownForUnavailable,
    HopesForRefused,
    CallsMissingUnknowable,
    DeniesWhatItCannotKnow,
    TakesTroubleForMissing,
    TakesEmptyAnswersForMissing,
    ReadsNoChargeEvents,
    DropsOurReference,
    TellsSuccessOfEverything,
    TellsAnotherAmount,
    ForgetsLateRefusals,
    DropsTheAmount,
    TakesUnknownForSucceeded,
    TakesUnknownForDeclined,
    LeadsNowhere,
    TakesFailedStepsForWaiting,
    BelievesTheBrowser,
    TakesReturnedForSucceeded,
    CapturesAtOnce,
    CapturesEverything,
    CancelsOnlyInWords,
    FailsToCancelWhatIsOver,
    GivesEverythingBack,
    GivesBackAgainByItself,
    DeniesRefunds,
    TakesTroubleForFailedRefunds,
    TakesLostRefundsForRefused,
    MakesANewKeyForEachRefund,
    TakesLostCapturesForRefused,
    PutsAnythingIntoPaths,
    PanicsOnStrangeAnswers,
    PrintsTokens,
    LogsLinks,
}

/// Each flaw, an account that shows it, and the trials that see it.
pub(crate) const CHARGE_FLAWS: &[(ChargeFlaw, Proof, &[&str])] = &[
    (
        ChargeFlaw::ChargesAFeeOnTop,
        Proof::Token,
        &[
            "a charge takes what was asked for, once",
            "a repeated charge is made once",
            "a charge that is over is not canceled",
            "no answer about a charge makes the provider panic",
        ],
    ),
    (
        ChargeFlaw::DropsDecimals,
        Proof::Token,
        &[
            "a charge takes what was asked for, once",
            "every currency of the method is charged exactly",
            "the merchant charges as was agreed, and not otherwise",
            "a charge whose answer is lost is found, and not made again",
            "a refund whose answer is lost is not made again",
            "a repeated refund is made once",
            "another amount than was asked for is no success",
            "capturing is as declared",
            "a charge that is over is not canceled",
            "giving back is as declared",
            "no answer about a charge makes the provider panic",
        ],
    ),
    (
        ChargeFlaw::TakesEveryCurrencyForTwoDecimals,
        Proof::Token,
        &["every currency of the method is charged exactly"],
    ),
    (
        ChargeFlaw::ChargesAnotherCurrency,
        Proof::Token,
        &[
            "every currency of the method is charged exactly",
            "another amount than was asked for is no success",
        ],
    ),
    (ChargeFlaw::NeedsTheCustomer, Proof::Token, &["the merchant charges as was agreed, and not otherwise"]),
    (
        ChargeFlaw::ForgetsTheCode,
        Proof::Token,
        &["declines are told apart", "a charge that is under way is refused later"],
    ),
    (
        ChargeFlaw::CallsEveryDeclineFinal,
        Proof::Token,
        &[
            "declines are told apart",
            "a method whose decline says that it is over is over",
            "the customer is asked, and fails",
        ],
    ),
    (
        ChargeFlaw::TakesRevokedForExpired,
        Proof::Token,
        &["a method whose decline says that it is over is over"],
    ),
    (ChargeFlaw::ChargesAgainWhenAsked, Proof::Token, &["a charge that never arrived is not made later"]),
    (
        ChargeFlaw::TriesAgainByItself,
        Proof::Token,
        &[
            "a charge whose answer is lost is found, and not made again",
            "a charge that never arrived is not made later",
            "an error of the gateway does not charge twice",
            "a charge that the gateway refuses is declined",
            "a gateway in trouble denies no charge",
            "a repeated charge is made once",
            "a webhook comes before the answer of its charge",
        ],
    ),
    (ChargeFlaw::MakesANewKeyEachTime, Proof::Token, &["a repeated charge is made once"]),
    (
        ChargeFlaw::TakesLostForRefused,
        Proof::Token,
        &[
            "a charge whose answer is lost is found, and not made again",
            "a charge that never arrived is not made later",
            "an error of the gateway does not charge twice",
            "a gateway in trouble denies no charge",
            "a repeated charge is made once",
            "a webhook comes before the answer of its charge",
        ],
    ),
    (
        ChargeFlaw::TakesServerErrorsForRefusals,
        Proof::Token,
        &["an error of the gateway does not charge twice"],
    ),
    (
        ChargeFlaw::TakesSlowDownForUnavailable,
        Proof::Token,
        &["an error of the gateway does not charge twice"],
    ),
    (ChargeFlaw::HopesForRefused, Proof::Token, &["a charge that the gateway refuses is declined"]),
    (ChargeFlaw::CallsMissingUnknowable, Proof::Token, &["a charge that never arrived is not made later"]),
    (ChargeFlaw::DeniesWhatItCannotKnow, Proof::Items, &["a charge that never arrived is not made later"]),
    (ChargeFlaw::TakesTroubleForMissing, Proof::Token, &["a gateway in trouble denies no charge"]),
    (ChargeFlaw::TakesTroubleForMissing, Proof::Items, &["a gateway in trouble denies no charge"]),
    (ChargeFlaw::TakesEmptyAnswersForMissing, Proof::Token, &["a gateway in trouble denies no charge"]),
    (
        ChargeFlaw::ReadsNoChargeEvents,
        Proof::Token,
        &[
            "a webhook comes before the answer of its charge",
            "a charge's webhooks come twice and late",
            "a charge that is under way is refused later",
            "a bank takes back what had succeeded",
        ],
    ),
    (
        ChargeFlaw::ReadsNoChargeEvents,
        Proof::Items,
        &[
            "a charge whose answer is lost is found, and not made again",
            "an error of the gateway does not charge twice",
            "a webhook comes before the answer of its charge",
            "a refund whose answer is lost is not made again",
            "a charge's webhooks come twice and late",
            "a charge that is under way is refused later",
            "another amount than was asked for is no success",
            "a bank takes back what had succeeded",
        ],
    ),
    (
        ChargeFlaw::DropsOurReference,
        Proof::Token,
        &[
            "a charge whose answer is lost is found, and not made again",
            "an error of the gateway does not charge twice",
            "a gateway in trouble denies no charge",
            "a webhook comes before the answer of its charge",
            "another amount than was asked for is no success",
        ],
    ),
    (
        ChargeFlaw::TellsSuccessOfEverything,
        Proof::Signature,
        &[
            "declines are told apart",
            "a method whose decline says that it is over is over",
            "a charge that is under way is refused later",
            "a bank takes back what had succeeded",
            "canceling a charge is as declared",
        ],
    ),
    (
        ChargeFlaw::TellsAnotherAmount,
        Proof::Signature,
        &[
            "a webhook comes before the answer of its charge",
            "a charge's webhooks come twice and late",
            "a charge that is under way is refused later",
            "a bank takes back what had succeeded",
        ],
    ),
    (
        ChargeFlaw::ForgetsLateRefusals,
        Proof::Token,
        &["a charge that is under way is refused later", "the customer is asked, and fails"],
    ),
    (ChargeFlaw::DropsTheAmount, Proof::Token, &["another amount than was asked for is no success"]),
    (ChargeFlaw::TakesUnknownForSucceeded, Proof::Token, &["an unknown status of a charge changes nothing"]),
    (ChargeFlaw::TakesUnknownForDeclined, Proof::Token, &["an unknown status of a charge changes nothing"]),
    (
        ChargeFlaw::LeadsNowhere,
        Proof::Token,
        &["the customer is asked, and the charge goes on", "the customer is asked, and fails"],
    ),
    (ChargeFlaw::TakesFailedStepsForWaiting, Proof::Token, &["the customer is asked, and fails"]),
    (ChargeFlaw::BelievesTheBrowser, Proof::Token, &["what the browser says of a charge is not believed"]),
    (ChargeFlaw::TakesReturnedForSucceeded, Proof::Token, &["a bank takes back what had succeeded"]),
    (
        ChargeFlaw::CapturesAtOnce,
        Proof::Token,
        &[
            "a capture whose answer is lost is not made again",
            "capturing is as declared",
            "canceling a charge is as declared",
        ],
    ),
    (
        ChargeFlaw::CapturesEverything,
        Proof::Token,
        &["a capture whose answer is lost is not made again", "capturing is as declared"],
    ),
    (ChargeFlaw::CancelsOnlyInWords, Proof::Token, &["canceling a charge is as declared"]),
    (ChargeFlaw::FailsToCancelWhatIsOver, Proof::Token, &["a charge that is over is not canceled"]),
    (
        ChargeFlaw::GivesEverythingBack,
        Proof::Token,
        &[
            "a refund whose answer is lost is not made again",
            "a repeated refund is made once",
            "giving back is as declared",
        ],
    ),
    (
        ChargeFlaw::GivesBackAgainByItself,
        Proof::Token,
        &["a refund whose answer is lost is not made again", "a repeated refund is made once"],
    ),
    (
        ChargeFlaw::DeniesRefunds,
        Proof::Token,
        &["a refund whose answer is lost is not made again", "a gateway in trouble denies no refund"],
    ),
    (ChargeFlaw::TakesTroubleForFailedRefunds, Proof::Token, &["a gateway in trouble denies no refund"]),
    (
        ChargeFlaw::TakesLostRefundsForRefused,
        Proof::Token,
        &["a refund whose answer is lost is not made again", "a repeated refund is made once"],
    ),
    (ChargeFlaw::MakesANewKeyForEachRefund, Proof::Token, &["a repeated refund is made once"]),
    (
        ChargeFlaw::TakesLostCapturesForRefused,
        Proof::Token,
        &["a capture whose answer is lost is not made again"],
    ),
    (ChargeFlaw::PutsAnythingIntoPaths, Proof::Token, &["an id of a charge is never more than an id"]),
    (
        ChargeFlaw::PanicsOnStrangeAnswers,
        Proof::Token,
        &["no answer about a charge makes the provider panic"],
    ),
    (ChargeFlaw::PrintsTokens, Proof::Token, &["nothing prints a secret"]),
    (ChargeFlaw::LogsLinks, Proof::Token, &["nothing prints a secret"]),
];

impl ChargeFlaw {
    /// What it makes of what the browser brings.
    pub(crate) fn believes(self, request: &ReturnRequest) -> Option<String> {
        let brought = request.query.contains("status=succeeded");
        (self == Self::BelievesTheBrowser && brought).then(|| "believe".to_owned())
    }

    /// What it makes of an event.
    pub(crate) fn read(self, event: &mut ProviderEvent) {
        let EventSubject::Charge { merchant_reference, told, .. } = &mut event.subject else { return };
        match self {
            Self::ReadsNoChargeEvents => event.subject = EventSubject::Other,
            Self::DropsOurReference => *merchant_reference = None,
            Self::TellsSuccessOfEverything => {
                if let Some(told) = told.as_mut().filter(|told| told.refund.is_none()) {
                    told.status = ProviderChargeStatus::Succeeded;
                }
            }
            Self::TellsAnotherAmount => {
                if let Some(told) = told {
                    told.money.amount += 1;
                }
            }
            _ => {}
        }
    }

    fn observed(self, mut charge: ProviderCharge) -> ProviderCharge {
        use ProviderChargeStatus as P;
        match (self, charge.status) {
            (Self::ForgetsTheCode, _) => charge.decline.iter_mut().for_each(|decline| decline.code = None),
            (Self::CallsEveryDeclineFinal, _) => {
                charge.decline.iter_mut().for_each(|decline| decline.class = DeclineClass::DoNotRetry);
            }
            (Self::TakesRevokedForExpired, _) => {
                let revoked = |decline: &&mut Decline| decline.class == DeclineClass::Revoked;
                let revoked = charge.decline.iter_mut().filter(revoked);
                revoked.for_each(|decline| decline.class = DeclineClass::Expired);
            }
            // An amount that contradicts what was asked for would be seen at once.
            (Self::DropsDecimals | Self::ChargesAnotherCurrency | Self::DropsTheAmount, _) => {
                (charge.money, charge.captured) = (None, None);
            }
            (Self::TakesEveryCurrencyForTwoDecimals, _)
                if charge.money.is_some_and(|money| money.currency.exponent() != 2) =>
            {
                (charge.money, charge.captured) = (None, None);
            }
            (Self::CapturesEverything, _) => charge.captured = None,
            (Self::DropsOurReference, _) => charge.echo.reference = None,
            (Self::TakesUnknownForSucceeded, P::Unknown) | (Self::TakesReturnedForSucceeded, P::Returned) => {
                charge.status = P::Succeeded;
            }
            (Self::TakesUnknownForDeclined, P::Unknown) => charge.status = P::Declined,
            (Self::LeadsNowhere, _) => charge.next = None,
            (Self::LogsLinks, _) => {
                if let Some(NextAction::Redirect(url)) = &charge.next {
                    tracing::info!(url = url.expose_secret(), "the customer's page");
                }
            }
            (Self::PanicsOnStrangeAnswers, _) => {
                assert!(charge.money.is_some() && charge.echo.reference.is_some(), "the flaw speaks");
            }
            _ => {}
        }
        charge
    }
}

/// What is known of nothing but the status of an answer.
fn http_status(error: &Error) -> Option<u16> {
    error.fault().and_then(|fault| fault.http_status)
}

impl Mutant {
    fn charge_flaw(&self) -> ChargeFlaw {
        let charging = match self.flaw {
            Flaw::Charging(flaw) => Some(flaw),
            _ => None,
        };
        charging.unwrap()
    }

    fn charges(&self) -> &dyn ChargeProvider {
        self.inner.charging().unwrap()
    }
}

fn garbled(flaw: ChargeFlaw, error: Error) -> Error {
    let status = http_status(&error).unwrap_or_default();
    let new = |kind| Error::new(kind, "the flaw speaks");
    match flaw {
        ChargeFlaw::TakesLostForRefused if error.retry() == Retry::OutcomeUnknown && status == 0 => {
            new(ErrorKind::GatewayRejected)
        }
        ChargeFlaw::TakesServerErrorsForRefusals if status >= 500 => new(ErrorKind::GatewayRejected),
        ChargeFlaw::TakesSlowDownForUnavailable if status == 429 => {
            new(ErrorKind::GatewayUnavailable).with_retry(Retry::OutcomeUnknown)
        }
        ChargeFlaw::HopesForRefused if (400..429).contains(&status) => {
            error.with_retry(Retry::OutcomeUnknown)
        }
        _ => error,
    }
}

#[async_trait]
impl ChargeProvider for Mutant {
    fn abilities(&self) -> &ChargeAbilities {
        self.charges().abilities()
    }

    async fn charge(&self, cx: &CallContext, mut request: CreateCharge) -> Result<ProviderCharge> {
        let (flaw, mut cx) = (self.charge_flaw(), cx.clone());
        match flaw {
            ChargeFlaw::DropsDecimals => request.money.amount -= request.money.amount % 100,
            ChargeFlaw::TakesEveryCurrencyForTwoDecimals => {
                let wrong = match request.money.currency.exponent() {
                    0 => request.money.amount * 100,
                    3 => request.money.amount / 10,
                    _ => request.money.amount,
                };
                request.money.amount = wrong;
            }
            ChargeFlaw::ChargesAnotherCurrency => request.money.currency = "IDR".parse().unwrap(),
            ChargeFlaw::NeedsTheCustomer if request.initiator == Initiator::Merchant => {
                return Err(Error::new(ErrorKind::GatewayRejected, "the flaw speaks"));
            }
            ChargeFlaw::MakesANewKeyEachTime => cx = self.next_key(&cx),
            ChargeFlaw::CapturesAtOnce => request.capture = CaptureMode::Automatic,
            _ => {}
        }
        let token = request.token.token.expose_secret().to_owned();
        let mut made = self.charges().charge(&cx, request.clone()).await;
        match flaw {
            ChargeFlaw::TriesAgainByItself if made.is_err() => {
                made = self.charges().charge(&self.next_key(&cx), request).await;
            }
            ChargeFlaw::ChargesAFeeOnTop if made.is_ok() => {
                "fee".clone_into(&mut request.reference);
                request.money.amount = 1;
                self.charges().charge(&self.next_key(&cx), request).await?;
            }
            ChargeFlaw::PrintsTokens => made = made.map_err(|error| error.with_context("token", token)),
            _ => {}
        }
        made.map(|made| flaw.observed(made)).map_err(|error| garbled(flaw, error))
    }

    async fn fetch_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<Lookup<ProviderCharge>> {
        use ProviderChargeStatus as P;
        let flaw = self.charge_flaw();
        let by_ours = charge.reference.is_none();
        if flaw == ChargeFlaw::BelievesTheBrowser && charge.evidence.as_deref() == Some("believe") {
            let reference = charge.reference.unwrap_or_default();
            return Ok(Lookup::Found(ProviderCharge::new(reference, P::Succeeded)));
        }
        let strange = charge.reference.as_deref().filter(|id| id.contains(['.', '?', '#', '/']));
        if let Some(id) = strange.filter(|_| flaw == ChargeFlaw::PutsAnythingIntoPaths) {
            let uri = format!("https://reference.example/charges/{id}");
            if let Ok(request) = http::Request::get(uri).body(bytes::Bytes::new()) {
                cx.send(request).await?;
            }
        }
        let fetched = self.charges().fetch_charge(cx, charge.clone()).await;
        match (flaw, fetched) {
            (ChargeFlaw::ChargesAgainWhenAsked, Ok(Lookup::Missing)) if charge.token.is_some() => {
                let kind = (billfold_core::capability::MethodKind::Card, "CARD");
                let (country, usage) =
                    ("ID".parse().unwrap(), billfold_core::capability::Usage::UnscheduledCustomer);
                let back = "https://pay.merchant.example/return/x".parse().unwrap();
                let (ours, token) = (charge.merchant_reference, charge.token.unwrap());
                let again = CreateCharge::new(ours, token, kind, charge.money, country, usage, back);
                self.charges().charge(cx, again).await.map(Lookup::Found)
            }
            (ChargeFlaw::CallsMissingUnknowable, Ok(Lookup::Missing)) => Ok(Lookup::CannotTell),
            (ChargeFlaw::DeniesWhatItCannotKnow, Ok(Lookup::CannotTell)) => Ok(Lookup::Missing),
            (ChargeFlaw::TakesTroubleForMissing, Err(error)) if http_status(&error) == Some(404) => {
                Ok(Lookup::Missing)
            }
            (ChargeFlaw::TakesEmptyAnswersForMissing, Err(error))
                if by_ours && http_status(&error) == Some(200) =>
            {
                Ok(Lookup::Missing)
            }
            (ChargeFlaw::ForgetsLateRefusals, Ok(Lookup::Found(mut found)))
                if found.status == P::Declined =>
            {
                found.status = P::Processing;
                Ok(Lookup::Found(found))
            }
            (ChargeFlaw::TakesFailedStepsForWaiting, Ok(Lookup::Found(mut found)))
                if found.status == P::Declined =>
            {
                let authentication = DeclineClass::AuthenticationRequired;
                if found.decline.as_ref().is_some_and(|decline| decline.class == authentication) {
                    found.status = P::RequiresAction;
                }
                Ok(Lookup::Found(found))
            }
            (_, Ok(Lookup::Found(found))) => Ok(Lookup::Found(flaw.observed(found))),
            (_, fetched) => fetched,
        }
    }

    async fn capture_charge(
        &self,
        cx: &CallContext,
        charge: ChargeRef,
        mut money: Money,
    ) -> Result<ProviderCharge> {
        let flaw = self.charge_flaw();
        if flaw == ChargeFlaw::CapturesEverything {
            money = charge.money;
        }
        let captured = self.charges().capture_charge(cx, charge, money).await;
        captured.map(|captured| flaw.observed(captured)).map_err(|error| {
            let lost = error.retry() == Retry::OutcomeUnknown;
            let refused = flaw == ChargeFlaw::TakesLostCapturesForRefused && lost;
            if refused { Error::new(ErrorKind::GatewayRejected, "the flaw speaks") } else { error }
        })
    }

    async fn cancel_charge(&self, cx: &CallContext, charge: ChargeRef) -> Result<ProviderCharge> {
        use ProviderChargeStatus as P;
        let flaw = self.charge_flaw();
        match flaw {
            ChargeFlaw::CancelsOnlyInWords | ChargeFlaw::FailsToCancelWhatIsOver => {
                let Lookup::Found(mut found) = self.charges().fetch_charge(cx, charge.clone()).await? else {
                    return Err(Error::new(ErrorKind::GatewayRejected, "the flaw speaks"));
                };
                let is_over = matches!(found.status, P::Succeeded | P::Declined | P::Canceled);
                if flaw == ChargeFlaw::CancelsOnlyInWords && !is_over {
                    found.status = P::Canceled;
                    return Ok(found);
                }
                if flaw == ChargeFlaw::FailsToCancelWhatIsOver && is_over {
                    return Err(Error::new(ErrorKind::GatewayRejected, "the flaw speaks"));
                }
            }
            _ => {}
        }
        self.charges().cancel_charge(cx, charge).await.map(|canceled| flaw.observed(canceled))
    }

    async fn refund_charge(&self, cx: &CallContext, mut request: CreateRefund) -> Result<ProviderRefund> {
        let (flaw, mut cx) = (self.charge_flaw(), cx.clone());
        match flaw {
            ChargeFlaw::GivesEverythingBack => request.money = request.charge.money,
            ChargeFlaw::MakesANewKeyForEachRefund => cx = self.next_key(&cx),
            _ => {}
        }
        let mut made = self.charges().refund_charge(&cx, request.clone()).await;
        if flaw == ChargeFlaw::GivesBackAgainByItself && made.is_err() {
            made = self.charges().refund_charge(&self.next_key(&cx), request).await;
        }
        match made {
            Ok(mut made) => {
                if flaw == ChargeFlaw::GivesEverythingBack {
                    made.money = None;
                }
                Ok(made)
            }
            Err(error)
                if flaw == ChargeFlaw::TakesLostRefundsForRefused
                    && error.retry() == Retry::OutcomeUnknown =>
            {
                Err(Error::new(ErrorKind::GatewayRejected, "the flaw speaks"))
            }
            Err(error) => Err(error),
        }
    }

    async fn fetch_refund(&self, cx: &CallContext, refund: RefundRef) -> Result<Lookup<ProviderRefund>> {
        let fetched = self.charges().fetch_refund(cx, refund.clone()).await;
        match (self.charge_flaw(), fetched) {
            (ChargeFlaw::DeniesRefunds, Ok(_)) if refund.reference.is_none() => Ok(Lookup::Missing),
            (ChargeFlaw::TakesTroubleForFailedRefunds, Err(error)) if http_status(&error) == Some(404) => {
                Ok(Lookup::Found(ProviderRefund::new("", RefundStatus::Failed)))
            }
            (_, fetched) => fetched,
        }
    }
}
