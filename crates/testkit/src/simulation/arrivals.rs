//! What happens in a world from outside: calls of merchants, deeds of payers, news of gateways, work that is
//! due, and things that go wrong.

use billfold_core::audit::Actor;
use billfold_core::capability::Usage;
use billfold_core::name::TenantId;
use billfold_core::provider::{
    CustomerProfile, ProviderMethodStatus, ProviderSessionStatus, RecurringTerms, ReturnRequest,
};
use billfold_core::store::Page;
use billfold_core::{Billfold, CustomerSelector, Result, StartSession};
use serde_json::json;

use super::Flaw;
use super::channel::Origin;
use super::gateway::GatewaySession;
use super::told::{Told, short};
use super::world::{ACCOUNTS, World, account_name};
use crate::reference::Instrument;

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// What the payers of each merchant agree to.
const USAGES: [[Usage; 2]; 2] =
    [[Usage::UnscheduledMerchant, Usage::UnscheduledCustomer], [Usage::Recurring, Usage::OnSession]];

/// Something that can happen, and how often in comparison with the others.
type Happening = (usize, fn(&mut World));

const HAPPENINGS: [Happening; 29] = [
    (16, World::start),
    (34, World::payer_acts),
    (16, World::deliver),
    (8, World::payer_returns),
    (18, World::worker_comes),
    (4, World::look),
    (14, World::list),
    (3, World::choose_default),
    (8, World::delete),
    (4, World::cancel),
    (3, World::erase),
    (5, World::read_events),
    (7, World::time_passes),
    (1, World::clock_is_put_back),
    (2, World::keys_come_and_go),
    (2, World::gateway_comes_and_goes),
    (3, World::token_changes),
    (2, World::forger_comes),
    (2, World::session_ends_at_its_gateway),
    (5, World::keys_change),
    (1, World::restart_with_another_root),
    (28, World::order_charge),
    (7, World::repeat_order),
    (14, World::change_charge),
    (9, World::order_refund),
    (8, World::payer_acts_on_charge),
    (3, World::payer_returns_from_charge),
    (9, World::charge_moves_at_its_gateway),
    (6, World::forger_tells_of_charge),
];

impl World {
    /// Lets something happen.
    pub(super) fn arrive(&mut self) {
        if let Some(better) = self.scene.weather.improve(&self.scene.dice) {
            self.scene.tell(better);
        }
        let all = HAPPENINGS.iter().map(|(weight, _)| weight).sum();
        let mut roll = self.scene.dice.below(all);
        for (weight, happen) in HAPPENINGS {
            if roll < weight {
                return happen(self);
            }
            roll -= weight;
        }
    }

    pub(super) fn somebody(&self) -> (usize, usize, TenantId) {
        let merchant = self.scene.dice.below(self.merchants.len());
        let payer = self.scene.dice.below(self.merchants[merchant].payers.len());
        (merchant, payer, self.merchants[merchant].tenant.clone())
    }

    fn start(&mut self) {
        let (merchant, payer, tenant) = self.somebody();
        let account = *self.scene.dice.pick(self.merchants[merchant].accounts).unwrap();
        let changed = self.scene.dice.below(2);
        let profile = CustomerProfile {
            given_names: Some(format!("CANARY-name-{payer}-{changed}")),
            ..CustomerProfile::default()
        };
        let selector = match self.merchants[merchant].payers[payer] {
            Some(id) if self.scene.dice.chance(400) => {
                CustomerSelector { id: Some(id), ..Default::default() }
            }
            _ => CustomerSelector::reference(format!("payer-{payer}"), profile),
        };
        let usage = USAGES[merchant][payer];
        let mut request = StartSession::new(
            selector,
            usage,
            "IDR".parse().unwrap(),
            "ID".parse().unwrap(),
            "https://shop.example/done".parse().unwrap(),
        );
        request.gateway = Some(account_name(account));
        request.recurring = usage
            .is_merchant_initiated()
            .then(|| RecurringTerms { frequency_days: 1, ends_on: "2030-12-31".to_owned() });
        request.make_default = self.scene.dice.chance(300);
        self.begin(
            format!("start {tenant:?} payer {payer} at {account}"),
            None,
            move |billfold| async move {
                let answer = billfold.start_session(&tenant, request).await;
                Told::Session { merchant, payer, answer }
            },
        );
    }

    /// The gateway's sessions in one of these states.
    fn sessions_in(&self, states: &[ProviderSessionStatus]) -> Vec<GatewaySession> {
        let all = self.scene.accounts.sessions();
        let status =
            |session: &GatewaySession| self.accounts[session.account].gateway.session_status(&session.id);
        all.into_iter().filter(|session| status(session).is_some_and(|is| states.contains(&is))).collect()
    }

    fn payer_acts(&mut self) {
        let late = self.scene.dice.chance(200);
        let states: &[ProviderSessionStatus] = if late {
            &[ProviderSessionStatus::Active, ProviderSessionStatus::Expired]
        } else {
            &[ProviderSessionStatus::Active]
        };
        let now = self.scene.now();
        let open: Vec<GatewaySession> = self
            .sessions_in(states)
            .into_iter()
            .filter(|session| {
                let after_the_end = now.since(session.expires_at).as_secs();
                // A payer may reach a page whose link its merchant never got, but seldom does.
                (session.linked || self.scene.dice.chance(100))
                    && (after_the_end == 0 || (late && after_the_end < DAY))
            })
            .collect();
        let Some(session) = self.scene.dice.pick(&open).cloned() else { return };
        let name = session.id.as_str();
        match self.scene.dice.below(10) {
            0..7 => self.payer_saves(&session),
            7 => {
                self.scene.tell(format!("gateway {}: an attempt in {name} fails", session.account));
                self.tell_of_session("session.attempt_failed", &session);
            }
            8 => {
                self.scene.tell(format!("gateway {}: {name} fails", session.account));
                self.accounts[session.account].gateway.set_session(name, ProviderSessionStatus::Failed);
                self.tell_of_session("session.failed", &session);
            }
            _ => {}
        }
    }

    fn payer_saves(&mut self, session: &GatewaySession) {
        let dice = &self.scene.dice;
        let known = self.cards.entry((session.account, session.customer.clone())).or_default();
        let number = self.count;
        self.count += 1;
        let token = format!("CANARY-token-{}-{number}", session.account);
        let mut card = match dice.pick(known) {
            // Some gateways give the same card the same token, others a new one each time.
            Some(card) if dice.chance(150) => card.clone(),
            Some(card) if dice.chance(250) => Instrument { token, ..card.clone() },
            _ => Instrument::card(&token, &format!("CANARY-card-{number}")),
        };
        if self.scene.accounts.is_spoiled(session.account, &card.token) {
            return;
        }
        card.status =
            if dice.chance(200) { ProviderMethodStatus::Pending } else { ProviderMethodStatus::Active };
        known.push(card.clone());
        self.scene.tell(format!(
            "gateway {}: {} saves {} ({:?}) for {}",
            session.account,
            session.id,
            card.token,
            card.status,
            short(&session.reference)
        ));
        self.scene.accounts.save(session.account, &session.id, &card.token);
        self.accounts[session.account].gateway.complete(&session.id, card.clone());
        self.tell_of_session("session.completed", session);
        if card.status == ProviderMethodStatus::Active {
            self.tell_of_token("token.activated", session, &card.token);
        }
    }

    pub(super) fn tell_of_session(&mut self, event: &str, session: &GatewaySession) {
        let mut body = json!({"event": event, "session": session.id});
        if session.told {
            body["reference"] = json!(session.reference);
        }
        let about = Some(session.reference.clone());
        self.channel.send(&self.scene, session.account, about, body.to_string());
    }

    fn tell_of_token(&mut self, event: &str, session: &GatewaySession, token: &str) {
        self.count += 1;
        // Each event has its own name here, for the gateway numbers its events.
        let mut body = json!({"event": format!("{event}.{}", self.count), "token": token});
        if session.told {
            body["reference"] = json!(session.reference);
        }
        let about = Some(session.reference.clone());
        self.channel.send(&self.scene, session.account, about, body.to_string());
    }

    fn deliver(&mut self) {
        let due = self.channel.due(self.scene.now());
        if let Some(number) = self.scene.dice.pick(&due).copied() {
            self.deliver_one(number);
        }
    }

    fn deliver_one(&mut self, number: usize) {
        let account = self.channel.webhooks[number].account;
        let secret = self.accounts[account].secret().to_owned();
        let delivery = self.channel.take(number, &secret, self.scene.now());
        let body = self.channel.webhooks[number].body.clone();
        self.begin(format!("webhook {number} {body}"), Some(number), move |billfold| async move {
            let answer = billfold.receive(&account_name(account), delivery).await.map(|_| ());
            Told::Webhook { number, answer }
        });
    }

    fn payer_returns(&mut self) {
        let all = self.scene.accounts.sessions();
        let Some(session) = self.scene.dice.pick(&all).cloned() else { return };
        let Some(address) = self.accounts[session.account].gateway.return_address(&session.id) else {
            return;
        };
        let nonce = address.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
        let Ok(id) = session.reference.parse() else { return };
        self.begin(format!("return to {}", short(&session.reference)), None, move |billfold| async move {
            let request = ReturnRequest::new("status=COMPLETED");
            Told::Worked { answer: billfold.on_return(id, &nonce, request).await.map(|_| 1) }
        });
    }

    fn worker_comes(&mut self) {
        let limit = u32::try_from(self.scene.dice.between(1, 4)).unwrap_or(1);
        match self.scene.dice.below(10) {
            0..3 => self.work("process", move |billfold| async move { billfold.process(limit).await }),
            3 | 4 if self.scene.has(Flaw::SweeperNeverAsks) => {}
            3 | 4 => self.work("sweep", move |billfold| async move { billfold.reconcile(limit).await }),
            5 => self.work("recheck", move |billfold| async move { billfold.recheck_methods(limit).await }),
            6 | 7 => {
                self.work(
                    "sweep charges",
                    move |billfold| async move { billfold.reconcile_charges(limit).await },
                );
            }
            8 => self.work("remove", move |billfold| async move { billfold.remove_tokens(limit).await }),
            _ => {
                self.work("erase on", move |billfold| async move { billfold.continue_erasures(limit).await });
            }
        }
    }

    fn work<F>(&mut self, name: &str, run: impl FnOnce(Billfold) -> F)
    where
        F: Future<Output = Result<usize>> + 'static,
    {
        self.begin(name, None, |billfold| {
            let work = run(billfold);
            async move { Told::Worked { answer: work.await } }
        });
    }

    fn look(&mut self) {
        let (merchant, _, tenant) = self.somebody();
        let Some(id) = self.scene.dice.pick(&self.merchants[merchant].sessions).copied() else { return };
        self.begin(format!("look at {}", short(&id.to_string())), None, move |billfold| async move {
            Told::Looked { answer: billfold.get_session(&tenant, id).await }
        });
    }

    fn list(&mut self) {
        let (merchant, payer, tenant) = self.somebody();
        let Some(customer) = self.merchants[merchant].payers[payer] else { return };
        self.begin(
            format!("list methods of {}", short(&customer.to_string())),
            None,
            move |billfold| async move {
                let answer = billfold.list_methods(&tenant, customer, Page::first(100)).await;
                Told::Methods { merchant, answer }
            },
        );
    }

    fn choose_default(&mut self) {
        let (merchant, _, tenant) = self.somebody();
        let Some(method) = self.scene.dice.pick(&self.merchants[merchant].methods).copied() else { return };
        self.begin(format!("default {}", short(&method.to_string())), None, move |billfold| async move {
            Told::Worked { answer: billfold.set_default(&tenant, method).await.map(|_| 1) }
        });
    }

    fn delete(&mut self) {
        let (merchant, _, tenant) = self.somebody();
        let Some(method) = self.scene.dice.pick(&self.merchants[merchant].methods).copied() else { return };
        self.begin(format!("delete {}", short(&method.to_string())), None, move |billfold| async move {
            let answer = billfold.delete_method(&tenant, method).await.map(|_| ());
            Told::Deleted { merchant, method, answer }
        });
    }

    fn cancel(&mut self) {
        let (merchant, _, tenant) = self.somebody();
        let Some(session) = self.scene.dice.pick(&self.merchants[merchant].sessions).copied() else { return };
        self.begin(format!("cancel {}", short(&session.to_string())), None, move |billfold| async move {
            Told::Canceled { session, answer: billfold.cancel_session(&tenant, session).await }
        });
    }

    fn erase(&mut self) {
        let (merchant, payer, tenant) = self.somebody();
        let Some(customer) = self.merchants[merchant].payers[payer] else { return };
        self.erased.push((merchant, customer));
        self.begin(format!("erase {}", short(&customer.to_string())), None, move |billfold| async move {
            let answer = billfold.erase_customer(&tenant, customer, &Actor::new("merchant")).await;
            Told::Erased { merchant, payer, answer: answer.map(|_| ()) }
        });
    }

    fn read_events(&mut self) {
        let (merchant, _, tenant) = self.somebody();
        let after = self.merchants[merchant].cursor();
        self.begin(format!("events of {tenant:?} after {after}"), None, move |billfold| async move {
            let answer = billfold.list_events(&tenant, after, 10).await;
            Told::Events { merchant, after, answer }
        });
    }

    fn time_passes(&mut self) {
        let dice = &self.scene.dice;
        let seconds = match dice.below(100) {
            0..40 => dice.between(1, 70),
            40..70 => dice.between(70, 900),
            70..90 => dice.between(900, 3 * HOUR),
            90..97 => dice.between(3 * HOUR, DAY),
            _ => dice.between(DAY, 4 * DAY),
        };
        self.pass(seconds);
        self.scene.tell(format!("{seconds} s have passed"));
    }

    fn clock_is_put_back(&mut self) {
        let by = std::time::Duration::from_secs(self.scene.dice.between(1, 90));
        self.scene.clock.set(self.scene.now().minus(by));
        self.scene.tell(format!("the clock was put back by {by:?}"));
    }

    fn keys_come_and_go(&mut self) {
        let away = self.scene.weather.toggle_keys();
        self.scene.tell(if away { "the key service is away" } else { "the key service is back" });
    }

    fn gateway_comes_and_goes(&mut self) {
        let account = self.scene.dice.below(ACCOUNTS);
        let away = self.scene.weather.toggle_gateway(account);
        self.scene.tell(format!("gateway {account} is {}", if away { "away" } else { "back" }));
    }

    fn token_changes(&mut self) {
        let with_token =
            |session: &GatewaySession| session.token.clone().map(|token| (session.clone(), token));
        let all: Vec<_> = self.scene.accounts.sessions().iter().filter_map(with_token).collect();
        let Some((session, token)) = self.scene.dice.pick(&all).cloned() else { return };
        let gateway = self.accounts[session.account].gateway.clone();
        let (next, event) = match gateway.token_status(&token) {
            Some(ProviderMethodStatus::Pending) if self.scene.dice.chance(800) => {
                (ProviderMethodStatus::Active, "token.activated")
            }
            Some(ProviderMethodStatus::Pending) => (ProviderMethodStatus::Failed, "token.failed"),
            Some(ProviderMethodStatus::Active) if self.scene.dice.chance(300) => {
                (ProviderMethodStatus::Revoked, "token.revoked")
            }
            _ => return,
        };
        if next != ProviderMethodStatus::Active {
            self.scene.accounts.spoil(session.account, &token);
        }
        self.scene.tell(format!("gateway {}: {token} is {next:?}", session.account));
        gateway.set_token(&token, next);
        self.tell_of_token(event, &session, &token);
    }

    fn forger_comes(&mut self) {
        let all = self.scene.accounts.sessions();
        let Some(session) = self.scene.dice.pick(&all).cloned() else { return };
        self.count += 1;
        let event = format!("session.completed.{}", self.count);
        let body = json!({"event": event, "session": session.id, "reference": session.reference});
        let (body, origin) = match self.scene.dice.below(4) {
            // What the secret's thief says is a hint like any other.
            0 => (body.to_string(), Origin::Gateway),
            1 => (format!("no JSON {}", self.count), Origin::Gateway),
            _ => (body.to_string(), Origin::Forger),
        };
        let about = Some(session.reference.clone());
        self.channel.put(session.account, about, body, origin, self.scene.now());
    }

    fn session_ends_at_its_gateway(&mut self) {
        let now = self.scene.now();
        let open = self.sessions_in(&[ProviderSessionStatus::Active]);
        let over: Vec<_> = open.into_iter().filter(|session| session.expires_at <= now).collect();
        if let Some(session) = self.scene.dice.pick(&over).cloned() {
            self.end_session(&session);
        }
    }

    pub(super) fn end_session(&mut self, session: &GatewaySession) {
        self.scene.tell(format!("gateway {}: {} expires", session.account, session.id));
        self.accounts[session.account].gateway.set_session(&session.id, ProviderSessionStatus::Expired);
        self.tell_of_session("session.expired", session);
    }

    /// Every session that is over by now, and that its gateway has not ended yet.
    pub(super) fn overdue_at_gateways(&self) -> Vec<GatewaySession> {
        let now = self.scene.now();
        let open = self.sessions_in(&[ProviderSessionStatus::Active]);
        open.into_iter().filter(|session| session.expires_at <= now).collect()
    }

    fn keys_change(&mut self) {
        let now = self.scene.now();
        match self.scene.dice.below(5) {
            0 => self.work("rotate root key", |billfold| async move {
                Ok(billfold.vault().rotate_root_step(None, 5).await?.changed)
            }),
            1 => self.work("rotate data keys", move |billfold| async move {
                Ok(billfold.vault().rotate_data_step(None, now, None, 5).await?.changed)
            }),
            2 | 3 => self.work("seal anew", |billfold| async move {
                Ok(billfold.vault().reseal_step(None, 5).await?.changed)
            }),
            _ => self.work("retire keys", |billfold| async move { billfold.vault().retire_keys(5).await }),
        }
    }

    fn restart_with_another_root(&mut self) {
        self.root = 1 - self.root;
        self.scene.tell(format!("root key {} is the current one", self.root));
        self.crash();
    }
}
