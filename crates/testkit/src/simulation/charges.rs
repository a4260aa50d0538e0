//! What happens to charges: merchants order them and repeat their orders until they are answered, payers complete
//! what only they can, and gateways and banks think of something else later.

use billfold_core::capability::Usage;
use billfold_core::charge::{CaptureMode, Charge, ChargeReason, ChargeStatus, Initiator, RefundStatus};
use billfold_core::id::{ChargeId, CustomerId, PaymentMethodId};
use billfold_core::idempotency::Intent;
use billfold_core::money::Money;
use billfold_core::provider::{ProviderChargeStatus, ReturnRequest};
use billfold_core::view::ChargeView;
use billfold_core::{Attempt, Error, ErrorKind, Result, StartCharge, StartRefund};
use serde_json::json;

use super::Flaw;
use super::channel::Origin;
use super::told::{Told, short};
use super::world::World;
use crate::reference::LedgerCharge;

const DAY: u64 = 24 * 3600;

/// What is charged.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payer {
    Method(PaymentMethodId),
    /// By the default method, or another.
    Customer(CustomerId),
}

/// A charge that a merchant wants once.
#[derive(Debug, Clone)]
pub(super) struct ChargeOrder {
    pub(super) merchant: usize,
    payer: Payer,
    pub(super) request: StartCharge,
    /// It was answered; otherwise the merchant asks again.
    pub(super) answered: bool,
    /// The charges that it was told of.
    pub(super) told: Vec<ChargeId>,
}

impl ChargeOrder {
    /// What a merchant writes to its orders, and the gateway keeps.
    pub(super) const NUMBER: &str = "order";
}

/// Money that a merchant wants to give back once.
#[derive(Debug, Clone)]
pub(super) struct RefundOrder {
    merchant: usize,
    charge: ChargeId,
    request: StartRefund,
    pub(super) answered: bool,
}

/// Whether the same request may be answered otherwise next time. A conflict may be over by then.
fn may_be_repeated(error: &Error) -> bool {
    !matches!(
        error.kind(),
        ErrorKind::InvalidRequest
            | ErrorKind::NotFound
            | ErrorKind::Unsupported
            | ErrorKind::GatewayRejected
            | ErrorKind::GatewayAuthentication
    )
}

impl World {
    fn intent(&mut self) -> Intent {
        self.count += 1;
        Intent::new(self.scene.now(), &format!("idk_{}", self.count))
    }

    fn saved_something(&self, customer: CustomerId) -> bool {
        let sessions = self.scene.accounts.sessions();
        sessions.iter().any(|one| one.token.is_some() && one.customer == customer.to_string())
    }

    pub(super) fn order_charge(&mut self) {
        let (merchant, payer, _) = self.somebody();
        let dice = &self.scene.dice;
        let known = &self.merchants[merchant];
        let method = dice.pick(&known.methods).copied();
        let (payer, usage) = match (method, known.payers[payer]) {
            (Some(method), _) if dice.chance(700) => (Payer::Method(method), known.usages.get(&method)),
            // Whoever never saved anything is seldom charged.
            (_, Some(customer)) if self.saved_something(customer) || dice.chance(100) => {
                (Payer::Customer(customer), None)
            }
            _ => return,
        };
        let reason = match usage {
            Some(Usage::UnscheduledMerchant) => Some(ChargeReason::Unscheduled),
            Some(Usage::Recurring) => Some(ChargeReason::Recurring),
            _ => None,
        };
        let reason = reason.filter(|_| dice.chance(600));
        let initiator = if reason.is_some() { Initiator::Merchant } else { Initiator::Customer };
        let amount = i64::try_from(dice.between(2, 90_000)).unwrap();
        let money = Money { amount, currency: "IDR".parse().unwrap() };
        let mut request = StartCharge::new(money, initiator, reason);
        if dice.chance(450) {
            request.capture = CaptureMode::Manual;
        }
        request.fallback = matches!(payer, Payer::Customer(_)) && dice.chance(600);
        request.intent = Some(self.intent());
        let number = self.orders.len();
        request.metadata.insert(ChargeOrder::NUMBER.to_owned(), number.to_string());
        self.orders.push(ChargeOrder { merchant, payer, request, answered: false, told: Vec::new() });
        self.send_order(number, false);
    }

    /// Nobody knows whether the first one arrived, or it is still under way.
    pub(super) fn repeat_order(&mut self) {
        let dice = &self.scene.dice;
        let charges: Vec<usize> = (0..self.orders.len()).filter(|at| !self.orders[*at].answered).collect();
        let refunds: Vec<usize> = (0..self.refunds.len()).filter(|at| !self.refunds[*at].answered).collect();
        // Whoever was answered may have lost the answer.
        let any = dice.chance(150).then(|| dice.pick(&(0..self.orders.len()).collect::<Vec<_>>()).copied());
        match (any.flatten(), dice.pick(&charges).copied(), dice.pick(&refunds).copied()) {
            (Some(order), _, _) => self.send_order(order, true),
            (_, _, Some(refund)) if dice.chance(400) => self.send_refund(refund),
            (_, Some(order), _) => self.send_order(order, true),
            _ => {}
        }
    }

    fn send_order(&mut self, number: usize, again: bool) {
        let ChargeOrder { merchant, payer, mut request, .. } = self.orders[number].clone();
        if again && self.scene.has(Flaw::ForgetsIntents) {
            request.intent = None;
        }
        let tenant = self.merchants[merchant].tenant.clone();
        let (amount, how) = (request.amount, (request.initiator.as_str(), request.capture.as_str()));
        let name = format!("order {number}{} {amount} {how:?}", if again { " again" } else { "" });
        self.begin(name, None, move |billfold| async move {
            let answer = match payer {
                Payer::Method(method) => {
                    let charged = billfold.charge_method(&tenant, method, request).await;
                    charged.map(|view| (view, Vec::new()))
                }
                Payer::Customer(customer) => billfold.charge_customer(&tenant, customer, request).await,
            };
            Told::Charged { order: number, answer }
        });
    }

    pub(super) fn hear_of_order(&mut self, number: usize, answer: Result<(ChargeView, Vec<Attempt>)>) {
        let order = &mut self.orders[number];
        match answer {
            Ok((view, attempts)) => {
                order.answered = true;
                order.told.push(view.id);
                order.told.extend(attempts.iter().map(|attempt| attempt.charge_id));
                order.told.sort_unstable();
                order.told.dedup();
                let known = &mut self.merchants[order.merchant].charges;
                known.extend(&order.told);
                known.sort_unstable();
                known.dedup();
                self.hear_of_charge(&view);
            }
            Err(error) => order.answered |= !may_be_repeated(&error),
        }
    }

    pub(super) fn hear_of_charge(&self, view: &ChargeView) {
        if view.next.is_some() {
            self.scene.accounts.link_charge(&view.id.to_string());
        }
    }

    /// One of the charges that a merchant knows, as it was stored last; often one that stands where it should.
    fn known_charge(&self, merchant: usize, wanted: ChargeStatus) -> Option<(ChargeId, Option<Charge>)> {
        let (dice, rows) = (&self.scene.dice, self.scene.observer.charges());
        let known = &self.merchants[merchant].charges;
        let stands = |id: &&ChargeId| rows.get(id).is_some_and(|row| row.status == wanted);
        let standing: Vec<ChargeId> = known.iter().filter(stands).copied().collect();
        let any = standing.is_empty() || dice.chance(250);
        let id = dice.pick(if any { known } else { &standing }).copied()?;
        Some((id, rows.get(&id).cloned()))
    }

    pub(super) fn change_charge(&mut self) {
        let (merchant, _, tenant) = self.somebody();
        let Some((id, row)) = self.known_charge(merchant, ChargeStatus::Authorized) else { return };
        let name = short(&id.to_string());
        let seen = row.map(|charge| charge.money.amount);
        match self.scene.dice.below(10) {
            0..5 => {
                let dice = &self.scene.dice;
                let part = seen.filter(|_| dice.chance(500));
                let below = |most| dice.below(usize::try_from(most).unwrap());
                let amount = part.map(|most: i64| i64::try_from(below(most)).unwrap() + 1);
                self.begin(format!("capture {name} {amount:?}"), None, move |billfold| async move {
                    Told::Charge { answer: billfold.capture_charge(&tenant, id, amount).await }
                });
            }
            5 | 6 => self.begin(format!("cancel {name}"), None, move |billfold| async move {
                Told::Charge { answer: billfold.cancel_charge(&tenant, id).await }
            }),
            _ => self.begin(format!("look at {name}"), None, move |billfold| async move {
                Told::Charge { answer: billfold.get_charge(&tenant, id).await }
            }),
        }
    }

    pub(super) fn order_refund(&mut self) {
        let (merchant, _, _) = self.somebody();
        let Some((charge, row)) = self.known_charge(merchant, ChargeStatus::Succeeded) else { return };
        let seen = row.map(|charge| charge.details.captured);
        let most = seen.filter(|most| *most > 1 && self.scene.dice.chance(600));
        let amount = most.map(|most| i64::try_from(self.scene.dice.between(1, most.unsigned_abs())).unwrap());
        let request = StartRefund { amount, intent: Some(self.intent()), ..StartRefund::default() };
        self.refunds.push(RefundOrder { merchant, charge, request, answered: false });
        self.send_refund(self.refunds.len() - 1);
    }

    fn send_refund(&mut self, number: usize) {
        let RefundOrder { merchant, charge, request, .. } = self.refunds[number].clone();
        let tenant = self.merchants[merchant].tenant.clone();
        let name = format!("refund {number} of {} {:?}", short(&charge.to_string()), request.amount);
        self.begin(name, None, move |billfold| async move {
            Told::Refunded { order: number, answer: billfold.refund_charge(&tenant, charge, request).await }
        });
    }

    pub(super) fn hear_of_refund(&mut self, number: usize, answer: &Result<ChargeView>) {
        let over = match answer {
            Ok(_) => true,
            // Unlike a charge, a refund that cannot be made now is given up.
            Err(error) => !may_be_repeated(error) || error.kind() == ErrorKind::Conflict,
        };
        self.refunds[number].answered |= over;
    }

    /// All charges at their gateways that `wanted` wants.
    fn booked(&self, wanted: impl Fn(&LedgerCharge) -> bool) -> Vec<(usize, LedgerCharge)> {
        let of = |account: &std::sync::Arc<super::gateway::Account>| {
            let index = account.index;
            account.gateway.ledger().into_iter().map(move |charge| (index, charge))
        };
        self.accounts.iter().flat_map(of).filter(|(_, charge)| wanted(charge)).collect()
    }

    /// The charge goes on at its gateway, which tells of it.
    fn move_charge(&mut self, account: usize, charge: &LedgerCharge, status: ProviderChargeStatus) {
        self.scene.tell(format!("gateway {account}: {} is {status:?}", charge.id));
        self.accounts[account].gateway.set_charge(&charge.id, status);
        self.accounts[account].tell_of_charge(&charge.id);
        self.send_news();
    }

    pub(super) fn payer_acts_on_charge(&mut self) {
        let waiting = self.booked(|charge| charge.status == ProviderChargeStatus::RequiresAction);
        let Some((account, charge)) = self.scene.dice.pick(&waiting).cloned() else { return };
        if !self.scene.accounts.is_linked(&charge.reference) && !self.scene.dice.chance(150) {
            return;
        }
        let next = match self.scene.dice.below(10) {
            0..6 => paid(&charge),
            6 => ProviderChargeStatus::Processing,
            7 | 8 => ProviderChargeStatus::Declined,
            // The page is closed, and nothing happens.
            _ => return,
        };
        self.move_charge(account, &charge, next);
    }

    pub(super) fn payer_returns_from_charge(&mut self) {
        let all = self.booked(|_| true);
        let Some((_, charge)) = self.scene.dice.pick(&all).cloned() else { return };
        let nonce = charge.asked.return_url.path_segments().and_then(Iterator::last);
        let nonce = nonce.unwrap_or_default().to_owned();
        let Ok(id) = charge.reference.parse() else { return };
        self.begin(format!("return to {}", short(&charge.reference)), None, move |billfold| async move {
            let request = ReturnRequest::new("status=PAID");
            Told::Worked { answer: billfold.on_charge_return(id, &nonce, request).await.map(|_| 1) }
        });
    }

    /// What takes days ends, banks take back what they gave, and refunds arrive or do not.
    pub(super) fn charge_moves_at_its_gateway(&mut self) {
        use ProviderChargeStatus as P;
        let all = self.booked(|charge| {
            matches!(charge.status, P::Processing | P::Succeeded | P::RequiresAction | P::Authorized)
        });
        let Some((account, charge)) = self.scene.dice.pick(&all).cloned() else { return };
        let dice = &self.scene.dice;
        let age = self.age_of(&charge);
        match charge.status {
            P::Processing if dice.chance(750) => self.move_charge(account, &charge, paid(&charge)),
            P::Processing => self.move_charge(account, &charge, P::Declined),
            P::RequiresAction if age > DAY => self.move_charge(account, &charge, P::Canceled),
            P::Authorized if age > 2 * DAY => self.move_charge(account, &charge, P::Canceled),
            P::Succeeded if charge.refunds.iter().any(|refund| refund.status.is_open()) => {
                self.move_refunds(account, &charge, !dice.chance(200));
            }
            // Of cards that are told of by signed webhooks, nobody could tell which news is the last.
            P::Succeeded if !super::gateway::Account::is_mute_at(account) && dice.chance(150) => {
                self.move_charge(account, &charge, P::Returned);
            }
            _ => {}
        }
    }

    fn age_of(&self, charge: &LedgerCharge) -> u64 {
        let began = self
            .scene
            .observer
            .charges()
            .values()
            .find_map(|row| (row.id.to_string() == charge.reference).then_some(row.created_at));
        began.map_or(0, |began| self.scene.now().since(began).as_secs())
    }

    fn move_refunds(&mut self, account: usize, charge: &LedgerCharge, arrive: bool) {
        let status = if arrive { RefundStatus::Succeeded } else { RefundStatus::Failed };
        let open: Vec<String> = charge
            .refunds
            .iter()
            .filter(|refund| refund.status.is_open())
            .map(|refund| refund.id.clone())
            .collect();
        let moved = &self.accounts[account];
        moved.gateway.change_charge(&charge.id, |charge| {
            let moving = charge.refunds.iter_mut().filter(|refund| refund.status.is_open());
            moving.for_each(|refund| refund.status = status);
        });
        for refund in open {
            self.scene.tell(format!("gateway {account}: {refund} is {status:?}"));
            moved.tell_of_refund(&charge.id, &refund);
        }
        self.send_news();
    }

    /// Somebody says that a charge was paid.
    pub(super) fn forger_tells_of_charge(&mut self) {
        use ProviderChargeStatus as P;
        let all =
            self.booked(|charge| matches!(charge.status, P::Authorized | P::Declined | P::RequiresAction));
        let Some((account, mut charge)) = self.scene.dice.pick(&all).cloned() else { return };
        self.count += 1;
        charge.status = ProviderChargeStatus::Succeeded;
        charge.captured = charge.money.amount;
        charge.decline = None;
        let body = charge.news(&format!("charge.forged.{}", self.count));
        // What the secret's thief says is a hint like any other, where webhooks are hints.
        let thief = !super::gateway::Account::is_mute_at(account) && self.scene.dice.chance(700);
        let origin = if thief { Origin::Gateway } else { Origin::Forger };
        self.channel.put(account, Some(charge.reference), body.to_string(), origin, self.scene.now());
    }

    /// Whether the sweeper will still learn something of a charge.
    pub(super) fn is_unfinished_charge(&self, row: &Charge) -> bool {
        let account = self.accounts.iter().find(|one| super::world::account_name(one.index) == row.gateway);
        let can_be_asked = account.is_some_and(|account| {
            let by_id = row.provider_reference.is_some() || account.finds_by_reference();
            by_id && !super::gateway::Account::is_mute_at(account.index)
        });
        can_be_asked && row.is_open() && row.status != ChargeStatus::Authorized
    }

    /// Merchants repeat what was never answered, payers and banks make up their minds, and gateways tell once more of
    /// what cannot be asked about.
    pub(super) async fn finish_charges(&mut self) {
        for number in 0..self.orders.len() {
            let ChargeOrder { merchant, payer, request, answered, .. } = self.orders[number].clone();
            if answered {
                continue;
            }
            let tenant = self.merchants[merchant].tenant.clone();
            let answer = match payer {
                Payer::Method(method) => {
                    let charged = self.processes[0].charge_method(&tenant, method, request).await;
                    charged.map(|view| (view, Vec::new()))
                }
                Payer::Customer(customer) => {
                    self.processes[0].charge_customer(&tenant, customer, request).await
                }
            };
            if let Err(error) = &answer
                && may_be_repeated(error)
                && error.kind() != ErrorKind::Conflict
            {
                self.scene.problem(format!("I2: order {number}: {}", error.log_line()));
            }
            self.hear_of_order(number, answer);
        }
        for number in 0..self.refunds.len() {
            let RefundOrder { merchant, charge, request, answered } = self.refunds[number].clone();
            if !answered {
                let tenant = self.merchants[merchant].tenant.clone();
                let answer = self.processes[0].refund_charge(&tenant, charge, request).await;
                self.hear_of_refund(number, &answer);
                if !self.refunds[number].answered {
                    self.expect("a refund", answer);
                }
            }
        }
        for (account, charge) in self.booked(|_| true) {
            match charge.status {
                ProviderChargeStatus::Processing => self.move_charge(account, &charge, paid(&charge)),
                ProviderChargeStatus::RequiresAction => {
                    self.move_charge(account, &charge, ProviderChargeStatus::Canceled);
                }
                _ => {}
            }
            self.move_refunds(account, &charge, true);
        }
        self.remind_of_charges();
    }

    /// That the news arrives in the end is all that is asked of a gateway that cannot be asked, and of every gateway
    /// whose bank takes back what had succeeded.
    fn remind_of_charges(&mut self) {
        for (account, charge) in self.booked(|_| true) {
            let returned = charge.status == ProviderChargeStatus::Returned;
            if self.accounts[account].finds_by_reference() && !returned {
                continue;
            }
            let mut all = vec![charge.news("charge.reminder")];
            if charge.status == ProviderChargeStatus::Authorized {
                // A capture that was asked for came to nothing.
                all[0]["captured"] = json!(0);
            }
            all.extend(charge.refunds.iter().map(|refund| charge.refund_news("refund.reminder", refund)));
            let now = self.scene.now();
            for body in all {
                let about = Some(charge.reference.clone());
                self.channel.put(account, about, body.to_string(), Origin::Gateway, now);
            }
        }
    }
}

/// Where a charge goes whose customer paid.
fn paid(charge: &LedgerCharge) -> ProviderChargeStatus {
    match charge.asked.capture {
        CaptureMode::Automatic => ProviderChargeStatus::Succeeded,
        CaptureMode::Manual => ProviderChargeStatus::Authorized,
    }
}
