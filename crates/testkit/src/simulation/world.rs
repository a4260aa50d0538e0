//! A world: merchants, payers, gateways, a channel, and processes of Billfold that share a database.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::capability::Usage;
use billfold_core::gateway::Gateway;
use billfold_core::id::{ChargeId, CustomerId, PaymentMethodId, SessionId};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::schedule::Schedule;
use billfold_core::session::SessionStatus;
use billfold_core::settings::Mode;
use billfold_core::store::Store;
use billfold_core::vault::{KeyWrapper, Vault};
use billfold_core::{Billfold, ErrorKind};

use super::Flaw;
use super::channel::Channel;
use super::charges::{ChargeOrder, RefundOrder};
use super::gateway::{Account, News};
use super::keys::RootKey;
use super::observer::Watch;
use super::scene::Scene;
use super::task::{Step, Task};
use super::told::Told;
use crate::between::Behind;
use crate::reference::{Instrument, NoTransport};

/// Merchants by name, each with the gateways' accounts that are its own.
const MERCHANTS: [(&str, &[usize]); 2] = [("north", &[0, 1]), ("south", &[2])];
pub(super) const ACCOUNTS: usize = 3;
const PAYERS: usize = 2;
const PROCESSES: usize = 2;
const ROOTS: usize = 2;
/// The most that happens at the same time.
const AT_ONCE: usize = 6;

/// A merchant, and what its system knows.
pub(super) struct Merchant {
    pub(super) tenant: TenantId,
    pub(super) accounts: &'static [usize],
    pub(super) payers: Vec<Option<CustomerId>>,
    /// Sessions that it was told of.
    pub(super) sessions: Vec<SessionId>,
    pub(super) methods: Vec<PaymentMethodId>,
    /// What the customers agreed to when they saved them.
    pub(super) usages: BTreeMap<PaymentMethodId, Usage>,
    /// Charges that it was told of.
    pub(super) charges: Vec<ChargeId>,
    /// Methods of which it was told that they are deleted.
    pub(super) deleted: Vec<PaymentMethodId>,
    /// The events that it read: sequence number and id.
    pub(super) events: Vec<(i64, String)>,
}

impl Merchant {
    pub(super) fn cursor(&self) -> i64 {
        self.events.last().map_or(0, |(sequence, _)| *sequence)
    }
}

/// Everything.
pub(super) struct World {
    pub(super) scene: Arc<Scene>,
    /// The database, without anybody in between.
    pub(super) store: Arc<dyn Store>,
    watched: Arc<dyn Store>,
    pub(super) accounts: Vec<Arc<Account>>,
    roots: Vec<Arc<dyn KeyWrapper>>,
    /// Which root key wraps new keys.
    pub(super) root: usize,
    pub(super) processes: Vec<Billfold>,
    tasks: Vec<Task>,
    pub(super) merchants: Vec<Merchant>,
    pub(super) channel: Channel,
    /// What each customer saved, at which account.
    pub(super) cards: BTreeMap<(usize, String), Vec<Instrument>>,
    /// Customers whose erasure was asked for.
    pub(super) erased: Vec<(usize, CustomerId)>,
    /// What merchants ordered to be charged, and to be given back.
    pub(super) orders: Vec<ChargeOrder>,
    pub(super) refunds: Vec<RefundOrder>,
    /// How many things were numbered so far.
    pub(super) count: usize,
}

pub(super) fn account_name(index: usize) -> GatewayName {
    format!("account-{index}").parse().unwrap()
}

impl World {
    pub(super) fn new(seed: u64, flaw: Option<Flaw>, store: Arc<dyn Store>) -> Self {
        let scene = Scene::new(seed, flaw);
        let watched: Arc<dyn Store> = Behind::new(store.clone(), Arc::new(Watch(scene.clone())));
        let merchant = |(tenant, accounts): &(&str, &'static [usize])| Merchant {
            tenant: tenant.parse().unwrap(),
            accounts,
            payers: vec![None; PAYERS],
            sessions: Vec::new(),
            methods: Vec::new(),
            usages: BTreeMap::new(),
            charges: Vec::new(),
            deleted: Vec::new(),
            events: Vec::new(),
        };
        let mut world = Self {
            store,
            watched,
            accounts: (0..ACCOUNTS).map(|index| Account::new(index, &scene)).collect(),
            roots: (0..ROOTS).map(|_| RootKey::at_a_service(&scene)).collect(),
            root: 0,
            processes: Vec::new(),
            tasks: Vec::new(),
            merchants: MERCHANTS.iter().map(merchant).collect(),
            channel: Channel::default(),
            cards: BTreeMap::new(),
            erased: Vec::new(),
            orders: Vec::new(),
            refunds: Vec::new(),
            count: 0,
            scene,
        };
        world.processes = (0..PROCESSES).map(|_| world.process()).collect();
        world
    }

    /// Billfold, started over the database as it is.
    pub(super) fn process(&self) -> Billfold {
        let vault = Vault::builder(self.watched.clone(), self.roots[self.root].clone())
            .older(self.roots.clone())
            .clock(self.scene.clock.clone())
            .entropy(self.scene.entropy.clone())
            .build();
        let public_url = "https://pay.merchant.example/".parse().unwrap();
        // One thing after the other within a task: what two of them did at once on a real database would be its
        // threads' choice and not the seed's. Tasks are many.
        let schedule = Schedule { at_once: 1, ..Schedule::default() };
        let mut builder = Billfold::builder(self.watched.clone(), vault, public_url)
            .schedule(schedule)
            .clock(self.scene.clock.clone())
            .entropy(self.scene.entropy.clone());
        for (merchant, account) in
            self.merchants.iter().flat_map(|merchant| merchant.accounts.iter().map(move |a| (merchant, a)))
        {
            builder = builder.gateway(Gateway {
                name: account_name(*account),
                tenant: merchant.tenant.clone(),
                kind: "reference".to_owned(),
                mode: Mode::Test,
                provider: self.accounts[*account].clone(),
                transport: Arc::new(NoTransport),
            });
        }
        builder.build().unwrap()
    }

    /// Lives until so much has happened, then until everybody is at an end.
    pub(super) async fn live(&mut self, happenings: usize) {
        let mut happened = 0;
        while happened < happenings || !self.tasks.is_empty() {
            let scene = self.scene.clone();
            let Scene { weather, dice, .. } = &*scene;
            let room = happened < happenings && self.tasks.len() < AT_ONCE;
            if happened < happenings && dice.chance(weather.rates.crash) {
                self.crash();
            } else if room && (self.tasks.is_empty() || dice.chance(weather.rates.arrivals)) {
                happened += 1;
                self.arrive();
            } else {
                self.step().await;
            }
        }
    }

    /// A process dies: whatever it was doing ends where it is, and so does what it knew.
    pub(super) fn crash(&mut self) {
        let process = self.scene.dice.below(PROCESSES);
        let (dead, alive) =
            std::mem::take(&mut self.tasks).into_iter().partition(|task| task.process == process);
        self.tasks = alive;
        let dead: Vec<Task> = dead;
        let names: Vec<&str> = dead.iter().map(|task| task.name.as_str()).collect();
        self.scene.tell(format!("process {process} dies during {names:?}"));
        let webhooks: Vec<usize> = dead.iter().filter_map(|task| task.webhook).collect();
        for number in webhooks {
            self.channel.answered(&self.scene, number, None);
        }
        self.processes[process] = self.process();
    }

    /// Somebody takes a step.
    async fn step(&mut self) {
        let at = self.scene.dice.below(self.tasks.len());
        let task = &mut self.tasks[at];
        match task.step(&self.scene.gate).await {
            Step::At(call) => {
                let line = format!("{} {call}", task.name);
                self.scene.trace(&line);
            }
            Step::Waits => {
                let line = format!("{} waits", task.name);
                self.scene.trace(&line);
            }
            Step::Done(told) => {
                let task = self.tasks.swap_remove(at);
                self.scene.tell(format!("{}: {}", task.name, told.summary()));
                self.hear(*told);
            }
        }
        self.send_news();
    }

    /// Sends what the gateways have to tell of charges.
    pub(super) fn send_news(&mut self) {
        for News { account, about, body } in self.scene.accounts.take_news() {
            self.channel.send(&self.scene, account, Some(about), body);
        }
    }

    /// Begins a use case in one of the processes.
    pub(super) fn begin<F>(
        &mut self,
        name: impl Into<String>,
        webhook: Option<usize>,
        run: impl FnOnce(Billfold) -> F,
    ) where
        F: Future<Output = Told> + 'static,
    {
        let process = self.scene.dice.below(PROCESSES);
        self.count += 1;
        let name = format!("#{} p{process} {}", self.count, name.into());
        self.scene.tell(format!("{name} begins"));
        let future = run(self.processes[process].clone());
        self.tasks.push(Task::new(name, process, webhook, future));
    }

    /// What the outside makes of the end of a use case.
    pub(super) fn hear(&mut self, told: Told) {
        if told.error() == Some(ErrorKind::Vault) {
            self.scene
                .problem(format!("I9: somebody was told that a value does not open: {}", told.summary()));
        }
        match told {
            Told::Session { merchant, payer, answer: Ok(view) } => {
                let merchant = &mut self.merchants[merchant];
                merchant.payers[payer] = Some(view.customer_id);
                merchant.sessions.push(view.id);
                if view.next.is_some() {
                    self.scene.accounts.link(&view.id.to_string());
                }
            }
            Told::Looked { answer: Ok(view) } if view.next.is_some() => {
                self.scene.accounts.link(&view.id.to_string());
            }
            Told::Methods { merchant, answer: Ok(methods) } => {
                let merchant = &mut self.merchants[merchant];
                merchant.usages.extend(methods.iter().map(|method| (method.id, method.usage)));
                let known = &mut merchant.methods;
                known.extend(methods.iter().map(|method| method.id));
                known.sort_unstable();
                known.dedup();
            }
            Told::Canceled { session, answer: Ok(view) } if view.status != SessionStatus::Canceled => {
                self.scene.problem(format!("I5: {session} was said to be canceled and is {:?}", view.status));
            }
            Told::Deleted { merchant, method, answer: Ok(()) } => {
                self.merchants[merchant].deleted.push(method);
            }
            // Nobody knows its outcome but the database, at the end.
            Told::Erased { merchant, payer, answer: Ok(()) } => self.merchants[merchant].payers[payer] = None,
            Told::Events { merchant, after, answer: Ok(events) } => {
                let merchant = &mut self.merchants[merchant];
                // Two readers at once: the slower one's news is old.
                if merchant.cursor() == after {
                    merchant.events.extend(events.iter().map(|event| (event.sequence, event.id.to_string())));
                }
            }
            Told::Charged { order, answer } => self.hear_of_order(order, answer),
            Told::Refunded { order, answer } => self.hear_of_refund(order, &answer),
            Told::Charge { answer: Ok(view) } => self.hear_of_charge(&view),
            Told::Webhook { number, answer } => {
                self.channel.answered(&self.scene, number, Some(&answer));
            }
            _ => {}
        }
    }

    /// A while passes.
    pub(super) fn pass(&self, seconds: u64) {
        self.scene.clock.advance(Duration::from_secs(seconds));
    }
}
