//! What the merchant of the story orders, and what the gateway has in its books of it.

use std::time::Duration;

use billfold_core::charge::{CaptureMode, Charge, ChargeReason, ChargeStatus, Initiator, RefundStatus};
use billfold_core::id::ChargeId;
use billfold_core::idempotency::Intent;
use billfold_core::money::Money;
use billfold_core::store::{ChargeFilter, Page};
use billfold_core::{Billfold, ErrorKind, Result, StartCharge, StartRefund};

use super::{BEGINNING, Stage, TRIES, work};

/// A charge that the merchant orders.
#[derive(Debug, Clone, Copy)]
pub(super) struct Order {
    name: &'static str,
    amount: i64,
    initiator: Initiator,
    reason: Option<ChargeReason>,
    capture: CaptureMode,
}

pub(super) const BY_CUSTOMER: Order = Order {
    name: "by the customer",
    amount: 700,
    initiator: Initiator::Customer,
    reason: None,
    capture: CaptureMode::Automatic,
};
pub(super) const BY_MERCHANT: Order = Order {
    name: "by the merchant",
    amount: 1100,
    initiator: Initiator::Merchant,
    reason: Some(ChargeReason::Unscheduled),
    capture: CaptureMode::Automatic,
};
pub(super) const HELD: Order = Order {
    name: "held",
    amount: 1300,
    initiator: Initiator::Customer,
    reason: None,
    capture: CaptureMode::Manual,
};
const CAPTURED: i64 = 900;
const GIVEN_BACK: i64 = 200;

impl Stage {
    fn intent(&self, name: &'static str) -> Intent {
        let anew = self.memory.anew.get(name).copied().unwrap_or_default();
        Intent::new(BEGINNING, &format!("{name} {anew}"))
    }

    /// Time for the sweeper to learn what became of something whose answer was lost.
    async fn find_out(&self, billfold: &Billfold) -> Result<()> {
        for minutes in [2, 15, 15] {
            self.clock.advance(Duration::from_mins(minutes));
            work(billfold).await?;
        }
        Ok(())
    }

    /// The merchant orders a charge until it is told that money was taken or is held.
    pub(super) async fn charge(&mut self, billfold: &Billfold, order: Order) -> Result<ChargeId> {
        let method = self.memory.method.unwrap();
        for _ in 0..TRIES {
            let money = Money { amount: order.amount, currency: "IDR".parse().unwrap() };
            let mut request = StartCharge::new(money, order.initiator, order.reason);
            request.capture = order.capture;
            request.intent = Some(self.intent(order.name));
            let charge = billfold.charge_method(&self.tenant, method, request).await?;
            let id = charge.id;
            if !charge.status.is_final() && charge.status != ChargeStatus::Authorized {
                self.find_out(billfold).await?;
            }
            match billfold.get_charge(&self.tenant, id).await?.status {
                ChargeStatus::Succeeded | ChargeStatus::Authorized => return Ok(id),
                ChargeStatus::Declined => *self.memory.anew.entry(order.name).or_default() += 1,
                status => panic!("{:?}: the charge is {}", self.point.fault, status.as_str()),
            }
        }
        Err(billfold_core::Error::conflict("nothing comes of it"))
    }

    /// The merchant takes a part of what is held, until it is told that it was taken.
    pub(super) async fn capture(&self, billfold: &Billfold) -> Result<()> {
        let held = self.memory.held.unwrap();
        for _ in 0..TRIES {
            match billfold.get_charge(&self.tenant, held).await?.status {
                ChargeStatus::Succeeded => return Ok(()),
                _ => match billfold.capture_charge(&self.tenant, held, Some(CAPTURED)).await {
                    // The attempt before is still under way, or nobody knows.
                    Err(error) if error.kind() == ErrorKind::Conflict => self.find_out(billfold).await?,
                    Err(error) => return Err(error),
                    Ok(charge) if charge.status == ChargeStatus::Succeeded => return Ok(()),
                    Ok(_) => self.find_out(billfold).await?,
                },
            }
        }
        Err(billfold_core::Error::conflict("nothing comes of it"))
    }

    /// The merchant gives a part back, until it is told that it went.
    pub(super) async fn give_back(&mut self, billfold: &Billfold) -> Result<()> {
        let held = self.memory.held.unwrap();
        for _ in 0..TRIES {
            let intent = Some(self.intent("give back"));
            let request = StartRefund { amount: Some(GIVEN_BACK), intent, ..StartRefund::default() };
            let charge = billfold.refund_charge(&self.tenant, held, request).await?;
            if charge.refunds.iter().any(|refund| refund.status.is_open()) {
                self.find_out(billfold).await?;
            }
            let charge = billfold.get_charge(&self.tenant, held).await?;
            match charge.refunds.last().map(|refund| refund.status) {
                Some(RefundStatus::Succeeded) => return Ok(()),
                Some(RefundStatus::Failed) => *self.memory.anew.entry("give back").or_default() += 1,
                status => panic!("{:?}: the refund is {status:?}", self.point.fault),
            }
        }
        Err(billfold_core::Error::conflict("nothing comes of it"))
    }

    /// What the gateway took and gave back: each order once.
    pub(super) fn books(&self) -> String {
        let charges = self.gateway.ledger();
        let charges: Vec<_> = charges
            .iter()
            .map(|charge| {
                let back: Vec<_> =
                    charge.refunds.iter().map(|refund| (refund.money.amount, refund.status)).collect();
                (charge.money.amount, charge.status, charge.captured, back, charge.token.clone())
            })
            .collect();
        format!("{charges:?}")
    }

    /// Here as there, while the charges are still here.
    pub(super) async fn compare(&self) {
        let rows = self.store.charges(&self.tenant, ChargeFilter::default(), Page::first(100)).await.unwrap();
        let paid = |row: &&Charge| row.status != ChargeStatus::Declined;
        let back = |row: &Charge| {
            let given: Vec<_> = row.details.refunds.iter().collect();
            let given = given.iter().filter(|refund| refund.status == RefundStatus::Succeeded);
            given.map(|refund| refund.amount).sum::<i64>()
        };
        let mut here: Vec<_> = rows
            .iter()
            .filter(paid)
            .map(|row| (row.id.to_string(), row.status.as_str(), row.details.captured, back(row)))
            .collect();
        here.sort();
        let mut there: Vec<_> = self
            .gateway
            .ledger()
            .iter()
            .map(|charge| {
                let back = charge.refunds.iter().map(|refund| refund.money.amount).sum::<i64>();
                (charge.reference.clone(), "succeeded", charge.captured, back)
            })
            .collect();
        there.sort();
        assert_eq!(here, there, "{:?}", self.point.fault);
        assert!(rows.iter().all(|row| !row.is_open()), "{:?}: {rows:?}", self.point.fault);
    }
}
