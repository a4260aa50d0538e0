//! What goes wrong by itself: how often is different in every world, so that each kind of trouble is seen
//! alone, with others, and not at all.

use std::sync::Mutex;

use super::scene::{Dice, lock};

/// How often something goes wrong, in a thousand.
#[derive(Debug, Clone)]
pub(super) struct Rates {
    /// The database fails before it does anything.
    pub(super) store_fails: usize,
    /// A commit finds that somebody was quicker, though nobody was.
    pub(super) stale: usize,
    /// A commit is applied, and its answer is an error.
    pub(super) commit_lost: usize,
    /// A call to a gateway fails in one of several ways.
    pub(super) gateway_fails: usize,
    /// A webhook is never sent.
    pub(super) webhook_dropped: usize,
    /// A webhook is sent twice or more.
    pub(super) webhook_doubled: usize,
    /// Instead of the next step of somebody: a process dies.
    pub(super) crash: usize,
    /// A new event of the world instead of the next step of somebody.
    pub(super) arrivals: usize,
}

/// The weather of one world.
#[derive(Debug)]
pub(super) struct Weather {
    pub(super) rates: Rates,
    outages: Mutex<Outages>,
}

#[derive(Debug, Default)]
struct Outages {
    over: bool,
    keys: bool,
    gateways: Vec<usize>,
}

impl Weather {
    /// Rolls how this world will be; `rough` where gateways and webhooks are not to be relied on, for a flaw
    /// may need them to be seen.
    pub(super) fn forecast(dice: &Dice, rough: bool) -> Self {
        let level = |levels: [usize; 4]| levels[dice.below(4)];
        let rough_level = |levels: [usize; 4]| if rough { levels[2 + dice.below(2)] } else { level(levels) };
        let rates = Rates {
            store_fails: level([0, 0, 4, 20]),
            stale: level([0, 0, 10, 60]),
            commit_lost: level([0, 0, 5, 30]),
            gateway_fails: rough_level([0, 20, 80, 300]),
            webhook_dropped: rough_level([0, 100, 400, 1000]),
            webhook_doubled: level([0, 100, 300, 700]),
            crash: level([0, 1, 3, 10]),
            arrivals: level([100, 150, 250, 400]),
        };
        Self { rates, outages: Mutex::default() }
    }

    /// Nothing goes wrong any more.
    pub(super) fn clear_up(&self) {
        *lock(&self.outages) = Outages { over: true, ..Outages::default() };
    }

    pub(super) fn is_over(&self) -> bool {
        lock(&self.outages).over
    }

    /// The key service goes away or comes back; says whether it is away now.
    pub(super) fn toggle_keys(&self) -> bool {
        let mut outages = lock(&self.outages);
        outages.keys = !outages.keys;
        outages.keys
    }

    /// One of those that are away comes back now and then; in words.
    pub(super) fn improve(&self, dice: &Dice) -> Option<String> {
        let mut outages = lock(&self.outages);
        if outages.keys && dice.chance(150) {
            outages.keys = false;
            return Some("the key service is back".to_owned());
        }
        if !outages.gateways.is_empty() && dice.chance(100) {
            let at = dice.below(outages.gateways.len());
            return Some(format!("gateway {} is back", outages.gateways.remove(at)));
        }
        None
    }

    pub(super) fn keys_are_away(&self) -> bool {
        lock(&self.outages).keys
    }

    /// A gateway goes away or comes back; says whether it is away now.
    pub(super) fn toggle_gateway(&self, account: usize) -> bool {
        let mut outages = lock(&self.outages);
        if let Some(at) = outages.gateways.iter().position(|away| *away == account) {
            outages.gateways.remove(at);
            return false;
        }
        outages.gateways.push(account);
        true
    }

    pub(super) fn gateway_is_away(&self, account: usize) -> bool {
        lock(&self.outages).gateways.contains(&account)
    }
}
