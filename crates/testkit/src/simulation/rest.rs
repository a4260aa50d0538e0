//! The end of a world: everything can be reached, time goes past every schedule, and whoever has work does it
//! until nothing is due.

use billfold_core::payment_method::{PaymentMethod, PaymentMethodStatus};
use billfold_core::provider::{ProviderMethodStatus, ProviderSessionStatus};
use billfold_core::{Billfold, Result};
use serde_json::json;

use super::Flaw;
use super::channel::Origin;
use super::rows::TenantRows;
use super::told::Told;
use super::world::{World, account_name};

/// Active methods are looked at for ever.
fn is_waited_for(method: &PaymentMethod) -> bool {
    method.status == PaymentMethodStatus::Pending && method.next_check_at.is_some()
}

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Later than everything that Billfold does by itself, twice over.
const PAUSES: [u64; 18] = [
    0,
    MINUTE,
    MINUTE,
    5 * MINUTE,
    15 * MINUTE,
    HOUR,
    1,
    5,
    30,
    2 * MINUTE,
    10 * MINUTE,
    HOUR,
    6 * HOUR,
    DAY,
    DAY,
    DAY,
    DAY,
    DAY,
];
/// The most rounds in which workers still find something.
const ROUNDS: usize = 200;

impl World {
    /// Comes to rest.
    pub(super) async fn rest(&mut self) {
        self.scene.tell("nothing goes wrong any more");
        self.scene.weather.clear_up();
        self.scene.gate.free();
        self.processes = (0..self.processes.len()).map(|_| self.process()).collect();
        self.activate_tokens();
        self.remind_of_unknown_sessions().await;
        self.finish_charges().await;
        self.let_time_pass().await;
        if self.is_unfinished().await {
            // What came late has all its times before it.
            self.let_time_pass().await;
        }
        let renewed = renew_keys(&self.processes[0]).await;
        self.expect("renewing the keys", renewed);
        // Only what nobody touched for a while is unused.
        self.pass(DAY);
        let retired = self.processes[0].vault().retire_keys(10_000).await;
        self.expect("retiring keys", retired);
        self.read_all_events().await;
    }

    async fn let_time_pass(&mut self) {
        for pause in PAUSES {
            self.pass(pause);
            for session in self.overdue_at_gateways() {
                self.end_session(&session);
            }
            self.deliver_all().await;
            self.work_until_nothing_is_due().await;
        }
    }

    async fn is_unfinished(&self) -> bool {
        for merchant in &self.merchants {
            let rows = TenantRows::read(&self.store, &merchant.tenant).await.unwrap();
            let unfinished = rows.deliveries.iter().any(|row| row.next_attempt_at.is_some())
                || rows.sessions.values().any(|row| row.next_check_at.is_some())
                || rows.methods.values().any(is_waited_for)
                || rows.charges.values().any(|row| self.is_unfinished_charge(row))
                || rows.erasures.iter().any(|row| row.next_attempt_at.is_some());
            if unfinished {
                return true;
            }
        }
        false
    }

    pub(super) fn expect<T>(&self, what: &str, outcome: Result<T>) -> Option<T> {
        outcome.inspect_err(|error| self.scene.problem(format!("I2: {what}: {}", error.log_line()))).ok()
    }

    /// What the gateways were still working on becomes usable.
    fn activate_tokens(&self) {
        for session in self.scene.accounts.sessions() {
            let gateway = &self.accounts[session.account].gateway;
            if let Some(token) = session.token
                && gateway.token_status(&token) == Some(ProviderMethodStatus::Pending)
            {
                gateway.set_token(&token, ProviderMethodStatus::Active);
            }
        }
    }

    /// Of a session whose creation was never answered, only a webhook can tell. That it arrives in the end
    /// is all that is asked of a gateway.
    async fn remind_of_unknown_sessions(&mut self) {
        for session in self.scene.accounts.sessions() {
            let status = self.accounts[session.account].gateway.session_status(&session.id);
            let merchant = self.merchants.iter().find(|one| one.accounts.contains(&session.account));
            let (Some(merchant), Ok(id)) = (merchant, session.reference.parse()) else { continue };
            let row = self.store.session(&merchant.tenant, id).await.unwrap();
            if status == Some(ProviderSessionStatus::Completed)
                && row.is_some_and(|row| row.provider_reference.is_none())
            {
                let body = json!({"event": "session.reminder", "session": session.id, "reference": session.reference});
                let (about, now) = (Some(session.reference), self.scene.now());
                self.channel.put(session.account, about, body.to_string(), Origin::Gateway, now);
            }
        }
    }

    async fn deliver_all(&mut self) {
        loop {
            let due = self.channel.due(self.scene.now());
            let Some(number) = due.first().copied() else { return };
            let account = self.channel.webhooks[number].account;
            let secret = self.accounts[account].secret().to_owned();
            let delivery = self.channel.take(number, &secret, self.scene.now());
            let answer = self.processes[0].receive(&account_name(account), delivery).await.map(|_| ());
            self.hear(Told::Webhook { number, answer });
        }
    }

    async fn work_until_nothing_is_due(&self) {
        for _ in 0..ROUNDS {
            match self.work_once(&self.processes[0]).await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    self.expect("a worker", Err::<(), _>(error));
                    return;
                }
            }
        }
        self.scene.problem(format!("I2: the workers found work {ROUNDS} times"));
    }

    async fn work_once(&self, billfold: &Billfold) -> Result<usize> {
        const MANY: u32 = 50;
        let mut done = billfold.process(MANY).await?;
        if !self.scene.has(Flaw::SweeperNeverAsks) {
            done += billfold.reconcile(MANY).await?;
        }
        done += billfold.recheck_methods(MANY).await?;
        done += billfold.reconcile_charges(MANY).await?;
        done += billfold.remove_tokens(MANY).await?;
        Ok(done + billfold.continue_erasures(MANY).await?)
    }

    async fn read_all_events(&mut self) {
        for merchant in 0..self.merchants.len() {
            let tenant = self.merchants[merchant].tenant.clone();
            loop {
                let after = self.merchants[merchant].cursor();
                let answer = self.processes[0].list_events(&tenant, after, 100).await;
                let Some(events) = self.expect("reading events", answer) else { break };
                if events.is_empty() {
                    break;
                }
                self.hear(Told::Events { merchant, after, answer: Ok(events) });
            }
        }
    }
}

/// Everything under the current root key and under current data keys.
async fn renew_keys(billfold: &Billfold) -> Result<()> {
    const ALL: u32 = 10_000;
    let vault = billfold.vault();
    vault.rotate_root_step(None, ALL).await?;
    vault.reseal_step(None, ALL).await?;
    Ok(())
}
