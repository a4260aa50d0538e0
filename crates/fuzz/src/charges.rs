//! Gateways' answers about charges and refunds: a part of what [`crate::answers`] checks.
//!
//! Calls: `charge [merchant] [manual]`, `fetch-charge [ID]`, `capture ID AMOUNT`, `void ID`, `refund ID AMOUNT`,
//! `fetch-refund ID [REFUND]`. An id that is left out is one whose answer was lost.
//!
//! Money is only said to be held or taken where an answer was a success, and only what was asked for and answered is
//! missing.

use billfold_core::Result;
use billfold_core::capability::Usage;
use billfold_core::charge::{CaptureMode, ChargeReason, Initiator, RefundReason, RefundStatus};
use billfold_core::money::Money;
use billfold_core::provider::{
    CallContext, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, NextAction, ProviderCharge,
    ProviderChargeStatus, ProviderRefund, RecurringTerms, RefundRef, TokenRef,
};
use billfold_core::secret::ExposeSecret as _;

use crate::accounts::{Account, CHARGE, NOW, REFUND};
use crate::answers::{Seen, any_success, check_text};

/// What is charged, in minor units.
const AMOUNT: i64 = 120_000;

/// What a call came to.
pub(crate) enum Outcome {
    Charge(Box<ProviderCharge>),
    Refund(ProviderRefund),
    /// The gateway never heard of it.
    Missing,
    /// It cannot be asked.
    CannotTell,
}

/// Makes a call; `None` when the input names none.
pub(crate) async fn make(
    account: &Account,
    provider: &dyn ChargeProvider,
    cx: &CallContext,
    call: &str,
    about: &str,
) -> Option<Result<Outcome>> {
    let (id, rest) = about.split_once(' ').unwrap_or((about, ""));
    let reference = Some(id).filter(|id| !id.is_empty()).map(str::to_owned);
    let money = |amount| Money { amount, currency: account.currency() };
    let part = money(rest.parse().ok().filter(|amount| (1..=AMOUNT).contains(amount)).unwrap_or(AMOUNT));
    let mut named = ChargeRef::new(CHARGE, money(AMOUNT), NOW);
    named.reference.clone_from(&reference);
    named.token = Some(token(account));
    // What Xendit's provider asks to be kept, and what an Adyen browser brings back.
    named.extra.extend(reference.into_iter().map(|id| ("latest_payment_id".to_owned(), id)));
    named.evidence = Some(format!("redirectResult={rest}")).filter(|_| !rest.is_empty());
    let charged = |outcome: Result<ProviderCharge>| outcome.map(|charge| Outcome::Charge(charge.into()));
    Some(match call {
        "charge" => charged(provider.charge(cx, request(account, about)).await),
        "capture" => charged(provider.capture_charge(cx, named, part).await),
        "void" => charged(provider.cancel_charge(cx, named).await),
        "fetch-charge" => provider.fetch_charge(cx, named).await.map(|found| match found {
            Lookup::Found(charge) => Outcome::Charge(charge.into()),
            Lookup::Missing => Outcome::Missing,
            Lookup::CannotTell => Outcome::CannotTell,
        }),
        "refund" => {
            let refund = CreateRefund::new(named, REFUND, part, RefundReason::RequestedByCustomer);
            provider.refund_charge(cx, refund).await.map(Outcome::Refund)
        }
        "fetch-refund" => {
            let mut refund = RefundRef::new(named, REFUND, money(AMOUNT));
            refund.reference = Some(rest).filter(|id| !id.is_empty()).map(str::to_owned);
            provider.fetch_refund(cx, refund).await.map(|found| match found {
                Lookup::Found(refund) => Outcome::Refund(refund),
                Lookup::Missing => Outcome::Missing,
                Lookup::CannotTell => Outcome::CannotTell,
            })
        }
        _ => return None,
    })
}

fn token(account: &Account) -> TokenRef {
    let mut token = TokenRef::new(account.token);
    token.customer = Some("cus_018f0000000070008000000000000001".to_owned());
    token
}

fn request(account: &Account, about: &str) -> CreateCharge {
    let back = "https://pay.shop.example/return/chg_1/nonce".parse().expect("a URL");
    let money = Money { amount: AMOUNT, currency: account.currency() };
    let of = (account.method, account.channel);
    let mut request =
        CreateCharge::new(CHARGE, token(account), of, money, account.country(), Usage::Recurring, back);
    request.recurring = Some(RecurringTerms { frequency_days: 30, ends_on: "2030-12-31".to_owned() });
    if about.contains("merchant") {
        (request.initiator, request.reason) = (Initiator::Merchant, ChargeReason::Recurring);
        request.first = false;
    }
    if about.contains("manual") {
        request.capture = CaptureMode::Manual;
    }
    request
}

/// Checks what a call came to against what was answered.
pub(crate) fn check(account: &Account, outcome: &Outcome, seen: &Seen) {
    match outcome {
        Outcome::Charge(charge) => check_charge(account, charge, seen),
        Outcome::Refund(refund) => check_refund(account, refund, seen),
        Outcome::Missing => {
            // Refused for another reason than what was asked about is no answer to it.
            let of_another = |status: u16| matches!(status, 300..=399 | 401 | 403 | 408 | 429 | 500..);
            let answered = |(_, status): &(_, Option<u16>)| status.is_some_and(|status| !of_another(status));
            assert!(
                !seen.is_empty() && seen.iter().all(answered),
                "what was not answered is said to be missing"
            );
        }
        Outcome::CannotTell => {}
    }
}

fn check_charge(account: &Account, charge: &ProviderCharge, seen: &Seen) {
    use ProviderChargeStatus as Status;
    let declined = charge.status == Status::Declined;
    assert!(declined || !charge.reference.is_empty(), "a charge without an id");
    assert!(!declined || charge.decline.is_some(), "a charge is declined, and nobody learns why");
    let ended = declined || charge.status == Status::Returned;
    assert!(ended || charge.decline.is_none(), "a charge that goes on says why it was declined");
    let money_moved = matches!(charge.status, Status::Authorized | Status::Succeeded | Status::Returned);
    assert!(!money_moved || any_success(seen), "money is taken where no answer was a success");
    if let Some(code) = charge.decline.as_ref().and_then(|decline| decline.code.as_ref()) {
        check_text(code, "code");
    }
    let printed = format!("{charge:?}");
    if let Some(NextAction::Redirect(secret) | NextAction::ClientSecret(secret)) = &charge.next {
        let secret = secret.expose_secret();
        // It may stand there for another reason: the gateway gave one text twice.
        let others = format!("{:?} {:?} {:?}", charge.reference, charge.echo, charge.extra);
        let shown = secret.len() >= 8 && printed.contains(secret) && !others.contains(secret);
        assert!(!shown, "a charge prints its link: {printed}");
    }
    account.assert_quiet(&printed, "a charge");
    account.assert_quiet(&format!("{:?}", charge.remember), "what is kept of a charge");
}

fn check_refund(account: &Account, refund: &ProviderRefund, seen: &Seen) {
    let failed = refund.status == RefundStatus::Failed;
    assert!(failed || !refund.reference.is_empty(), "a refund without an id");
    assert!(refund.status != RefundStatus::Succeeded || any_success(seen), "a refund that nobody answered");
    account.assert_quiet(&format!("{refund:?}"), "a refund");
}
