//! Many callers of a few records at once. What each was told is written down, and the whole must be explained
//! by one order of events: each generation is written once, nobody sees what is not yet or no longer, and what
//! was deleted does not come back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use billfold_core::audit::Actor;
use billfold_core::id::VaultRecordId;
use billfold_core::name::TenantId;
use billfold_core::store::memory::MemoryStore;
use billfold_core::store::{Changes, Commit, Store, StoreResult, Write};
use billfold_core::vault::{OnConflict, PutOutcome, ReplaceRecord, Vault, VaultRecord};
use billfold_core::{Error, ErrorKind};
use billfold_testkit::between::{Behind, Between};
use billfold_testkit::vault::test_vault;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng};

use crate::support::at_once;
use crate::vault::{put, text};

const TASKS: u8 = 8;
const STEPS: usize = 150;
const SLOTS: usize = 3;

/// What a caller was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    /// It made this record, in this slot.
    Created { id: VaultRecordId, slot: usize, value: String },
    /// It wrote this generation; with a value of its own, or with the one before.
    Wrote { id: VaultRecordId, generation: i64, value: Option<String> },
    /// It saw this generation; with its value, if it asked for it.
    Saw { id: VaultRecordId, generation: i64, value: Option<String> },
    /// It deleted the record.
    Deleted { id: VaultRecordId },
    /// There is no such record.
    Missing { id: VaultRecordId },
    /// Refused for another reason, and without an effect.
    Refused,
}

impl Told {
    fn id(&self) -> Option<VaultRecordId> {
        match self {
            Self::Created { id, .. }
            | Self::Wrote { id, .. }
            | Self::Saw { id, .. }
            | Self::Deleted { id }
            | Self::Missing { id } => Some(*id),
            Self::Refused => None,
        }
    }
}

/// A call, between two ticks of a clock that all callers share.
#[derive(Debug, Clone)]
struct Call {
    began: u64,
    ended: u64,
    told: Told,
}

/// A store that yields, so that callers meet; and, where it is told to, one that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Honest,
    /// An update replaces whatever is there.
    LosesUpdates,
    /// A read answers with what it saw first.
    ReadsOld,
    /// A deletion is acknowledged and not done.
    KeepsDeleted,
    /// A record is missing now and then.
    Forgets,
}

#[derive(Debug)]
struct Meeting {
    kind: Kind,
    seen: Mutex<BTreeMap<VaultRecordId, VaultRecord>>,
    reads: AtomicU64,
}

#[async_trait::async_trait]
impl Between for Meeting {
    async fn commit(&self, store: &dyn Store, mut changes: Changes) -> StoreResult<Commit> {
        tokio::task::yield_now().await;
        if self.kind == Kind::KeepsDeleted {
            changes.vault_deletes.clear();
        }
        if self.kind == Kind::LosesUpdates {
            let updated = |write: &Write<VaultRecord>| match write {
                Write::Update(row) => Some((row.tenant.clone(), row.id)),
                Write::Insert(_) => None,
            };
            let vault_deletes: Vec<_> = changes.vault.iter().filter_map(updated).collect();
            store.commit(Changes { vault_deletes, ..Changes::default() }).await?;
            changes.vault = changes
                .vault
                .into_iter()
                .map(|(Write::Insert(row) | Write::Update(row))| Write::Insert(row))
                .collect();
        }
        store.commit(changes).await
    }

    async fn vault_record(
        &self,
        store: &dyn Store,
        tenant: &TenantId,
        id: VaultRecordId,
    ) -> StoreResult<Option<VaultRecord>> {
        let found = store.vault_record(tenant, id).await?;
        tokio::task::yield_now().await;
        let read = self.reads.fetch_add(1, Ordering::SeqCst);
        match (self.kind, found) {
            (Kind::ReadsOld, Some(found)) => {
                let mut seen = self.seen.lock().unwrap();
                Ok(Some(seen.entry(id).or_insert(found).clone()))
            }
            (Kind::Forgets, _) if read % 50 == 49 => Ok(None),
            (_, found) => Ok(found),
        }
    }
}

struct Caller {
    vault: Vault,
    tenant: TenantId,
    ticks: Arc<AtomicU64>,
    /// The records that anybody made, newest last.
    known: Arc<Mutex<Vec<(VaultRecordId, usize)>>>,
    rng: TestRng,
    name: u8,
}

impl Caller {
    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, Ordering::SeqCst)
    }

    async fn run(mut self) -> Vec<Call> {
        let mut calls = Vec::new();
        for step in 0..STEPS {
            let value = format!("value {} {step}", self.name);
            let began = self.tick();
            let told = self.call(value).await;
            calls.push(Call { began, ended: self.tick(), told });
        }
        calls
    }

    async fn call(&mut self, value: String) -> Told {
        let what = self.rng.random_range(0..10);
        let slot = self.rng.random_range(0..SLOTS);
        let record = {
            let known = self.known.lock().unwrap();
            let recent = known.get(known.len().saturating_sub(2 * SLOTS)..).unwrap_or_default();
            (!recent.is_empty()).then(|| recent[self.rng.random_range(0..recent.len())])
        };
        let Some((id, of_record)) = record else { return self.put(slot, value).await };
        match what {
            0..3 => self.put(slot, value).await,
            3..6 => self.replace(id, of_record, value).await,
            6 => match self.vault.delete(&self.tenant, id).await {
                Ok(_) => Told::Deleted { id },
                Err(error) => told(id, &error),
            },
            7 => match self.vault.get(&self.tenant, id).await {
                Ok(found) => Told::Saw { id, generation: found.generation, value: None },
                Err(error) => told(id, &error),
            },
            _ => match self.vault.reveal(&self.tenant, id, &Actor::new("tester")).await {
                Ok(found) => {
                    let value = Some(found.value.read().unwrap());
                    Told::Saw { id, generation: found.record.generation, value }
                }
                Err(error) => told(id, &error),
            },
        }
    }

    async fn put(&mut self, slot: usize, value: String) -> Told {
        let mut request = put("o-1", "card", text(&value));
        request.identity = Some(format!("slot {slot}").into());
        let conflict = [OnConflict::Reject, OnConflict::Keep, OnConflict::Replace];
        request.on_conflict = conflict[self.rng.random_range(0..3)];
        if self.rng.random() {
            request.metadata = Some([("by".to_owned(), value.clone())].into());
        }
        let answer = match self.vault.put(&self.tenant, request).await {
            Ok(answer) => answer,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error:?}");
                return Told::Refused;
            }
        };
        let (id, generation) = (answer.record.id, answer.record.generation);
        match answer.outcome {
            PutOutcome::Created => {
                self.known.lock().unwrap().push((id, slot));
                Told::Created { id, slot, value }
            }
            PutOutcome::Kept => Told::Saw { id, generation, value: None },
            PutOutcome::MetadataUpdated => Told::Wrote { id, generation, value: None },
            PutOutcome::Replaced => Told::Wrote { id, generation, value: Some(value) },
        }
    }

    async fn replace(&mut self, id: VaultRecordId, slot: usize, value: String) -> Told {
        let mut request = ReplaceRecord::new(text(&value));
        request.identity = Some(format!("slot {slot}").into());
        if self.rng.random() {
            let known = self.vault.get(&self.tenant, id).await;
            request.expected_generation = known.ok().map(|known| known.generation);
        }
        match self.vault.replace(&self.tenant, id, request).await {
            Ok(found) => Told::Wrote { id, generation: found.generation, value: Some(value) },
            Err(error) => told(id, &error),
        }
    }
}

fn told(id: VaultRecordId, error: &Error) -> Told {
    match error.kind() {
        ErrorKind::NotFound => Told::Missing { id },
        ErrorKind::Conflict => Told::Refused,
        _ => panic!("{error:?}"),
    }
}

/// Whether one call was over before another began.
fn before(one: &Call, other: &Call) -> bool {
    one.ended < other.began
}

/// What no order of events explains.
fn problems(calls: &[Call]) -> Vec<String> {
    let mut records: BTreeMap<VaultRecordId, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        if let Some(id) = call.told.id() {
            records.entry(id).or_default().push(call);
        }
    }
    let mut problems: Vec<String> = Vec::new();
    for (id, calls) in &records {
        problems.extend(problems_of_a_record(calls).into_iter().map(|problem| format!("{id}: {problem}")));
    }
    problems.extend(problems_of_slots(&records));
    problems
}

fn problems_of_a_record(calls: &[&Call]) -> Vec<String> {
    let mut problems = Vec::new();
    // Who wrote each generation, and what.
    let mut writers: BTreeMap<i64, (&Call, Option<&String>)> = BTreeMap::new();
    for call in calls {
        let (generation, value) = match &call.told {
            Told::Created { value, .. } => (1, Some(value)),
            Told::Wrote { generation, value, .. } => (*generation, value.as_ref()),
            _ => continue,
        };
        if writers.insert(generation, (call, value)).is_some() {
            problems.push(format!("generation {generation} was written twice"));
        }
    }
    let count = i64::try_from(writers.len()).unwrap();
    if !writers.keys().copied().eq(1..=count) {
        problems.push(format!("the generations written are {:?}", writers.keys()));
    }
    let mut values: BTreeMap<i64, &String> = BTreeMap::new();
    let mut last = None;
    for (generation, (writer, value)) in &writers {
        last = value.or(last);
        values.extend(last.map(|value| (*generation, value)));
        if writers.range(..generation).any(|(_, (earlier, _))| before(writer, earlier)) {
            problems.push(format!("generation {generation} was written before an earlier one"));
        }
    }
    let deleted: Vec<&&Call> =
        calls.iter().filter(|call| matches!(call.told, Told::Deleted { .. })).collect();
    for call in calls {
        match &call.told {
            Told::Saw { generation, value, .. } => {
                match writers.get(generation) {
                    None => problems.push(format!("generation {generation} was seen and never written")),
                    Some((writer, _)) if before(call, writer) => {
                        problems.push(format!("generation {generation} was seen before it was written"));
                    }
                    Some(_) => {}
                }
                if writers.range(generation + 1..).any(|(_, (later, _))| before(later, call)) {
                    problems.push(format!("generation {generation} was seen after a later one was written"));
                }
                if value.as_ref().is_some_and(|value| values.get(generation) != Some(&value)) {
                    problems.push(format!("generation {generation} had another value"));
                }
            }
            Told::Missing { .. } => {
                if deleted.iter().all(|deletion| before(call, deletion)) {
                    problems.push("it was missing before anybody deleted it".to_owned());
                }
                continue;
            }
            _ => {}
        }
        if deleted.iter().any(|deletion| before(deletion, call)) {
            problems.push(format!("it came back after it was deleted: {:?}", call.told));
        }
    }
    problems
}

/// No two records of a slot may be there at the same time.
fn problems_of_slots(records: &BTreeMap<VaultRecordId, Vec<&Call>>) -> Vec<String> {
    let mut made: Vec<(usize, &Call, &[&Call])> = Vec::new();
    for calls in records.values() {
        for call in calls {
            if let Told::Created { slot, .. } = call.told {
                made.push((slot, call, calls));
            }
        }
    }
    let mut problems = Vec::new();
    for (slot, first, of_first) in &made {
        for (other_slot, second, _) in &made {
            let deletions = of_first.iter().filter(|call| matches!(call.told, Told::Deleted { .. }));
            let was_there = deletions.into_iter().all(|deletion| before(second, deletion));
            if slot == other_slot && before(first, second) && was_there {
                problems.push(format!("slot {slot} was filled twice"));
            }
        }
    }
    problems
}

async fn history(kind: Kind, seed: u8) -> Vec<Call> {
    let meeting = Meeting { kind, seen: Mutex::new(BTreeMap::new()), reads: AtomicU64::new(0) };
    let store = Behind::new(Arc::new(MemoryStore::new()), Arc::new(meeting));
    let vault = test_vault(store);
    let (ticks, known) = (Arc::new(AtomicU64::new(0)), Arc::new(Mutex::new(Vec::new())));
    let callers = (0..TASKS).map(|name| {
        let mut bytes = [seed; 32];
        bytes[0] = name;
        let caller = Caller {
            vault: vault.clone(),
            tenant: TenantId::default_tenant(),
            ticks: ticks.clone(),
            known: known.clone(),
            rng: TestRng::from_seed(RngAlgorithm::ChaCha, &bytes),
            name,
        };
        caller.run()
    });
    at_once(callers).await.concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_history_is_explained_by_one_order_of_events() {
    let mut met = BTreeSet::new();
    for seed in 0..6 {
        let calls = history(Kind::Honest, seed).await;
        assert_eq!(problems(&calls), Vec::<String>::new(), "seed {seed}");
        met.extend(calls.iter().map(|call| match call.told {
            Told::Created { .. } => "created",
            Told::Wrote { value: Some(_), .. } => "replaced",
            Told::Wrote { value: None, .. } => "described",
            Told::Saw { value: Some(_), .. } => "revealed",
            Told::Saw { value: None, .. } => "seen",
            Told::Deleted { .. } => "deleted",
            Told::Missing { .. } => "missing",
            Told::Refused => "refused",
        }));
    }
    assert_eq!(met.len(), 8, "every answer was given: {met:?}");
}

/// The check above sees a store that is wrong, and says how.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_breaks_histories_is_found_out() {
    for (kind, expected) in [
        (Kind::LosesUpdates, "was written twice"),
        (Kind::ReadsOld, "was seen after a later one was written"),
        (Kind::KeepsDeleted, "it came back after it was deleted"),
        (Kind::Forgets, "it was missing before anybody deleted it"),
    ] {
        let problems = problems(&history(kind, 7).await);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{kind:?}: {problems:?}");
    }
}

/// Each rule by itself, on histories that are written out.
#[test]
fn each_rule_sees_its_own_violation() {
    let new = || {
        VaultRecordId::generate(
            billfold_core::clock::Timestamp::from_millis(1),
            &billfold_core::entropy::SystemEntropy,
        )
        .unwrap()
    };
    let (id, other) = (new(), new());
    let call = |began, ended, told| Call { began, ended, told };
    let created = |id, slot| Told::Created { id, slot, value: "a".to_owned() };
    let wrote = |generation, value: &str| Told::Wrote { id, generation, value: Some(value.to_owned()) };
    let saw = |generation, value: &str| Told::Saw { id, generation, value: Some(value.to_owned()) };
    let good = vec![
        call(0, 1, created(id, 0)),
        call(2, 5, wrote(2, "b")),
        call(3, 4, saw(1, "a")),
        call(3, 6, saw(2, "b")),
        call(7, 8, Told::Wrote { id, generation: 3, value: None }),
        call(9, 10, saw(3, "b")),
        call(11, 14, Told::Deleted { id }),
        call(12, 13, Told::Missing { id }),
        call(12, 15, created(other, 0)),
    ];
    assert_eq!(problems(&good), Vec::<String>::new());
    let cases: Vec<(Call, &str)> = vec![
        (call(20, 21, wrote(2, "c")), "generation 2 was written twice"),
        (call(9, 10, wrote(5, "c")), "the generations written are"),
        (call(9, 10, saw(9, "a")), "was seen and never written"),
        (call(0, 1, saw(2, "b")), "was seen before it was written"),
        (call(9, 10, saw(2, "b")), "was seen after a later one was written"),
        (call(9, 10, saw(3, "a")), "had another value"),
        (call(0, 1, wrote(4, "c")), "was written before an earlier one"),
        (call(20, 21, saw(3, "b")), "it came back after it was deleted"),
        (call(0, 1, Told::Missing { id }), "it was missing before anybody deleted it"),
        (call(2, 10, created(new(), 0)), "slot 0 was filled twice"),
    ];
    for (wrong, expected) in cases {
        let mut calls = good.clone();
        calls.push(wrong);
        let problems = problems(&calls);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
    }
}
