//! The audit trail shows every change that is made to it, and no secret leaves without an entry.

use std::sync::{Arc, Mutex};

use billfold_core::audit::{Actor, AuditEntry, AuditVerdict};
use billfold_core::clock::Timestamp;
use billfold_core::name::TenantId;
use billfold_core::scope::Scopes;
use billfold_core::store::{Changes, Commit, Store, StoreResult};
use billfold_core::vault::DEFAULT_KEY_CACHE;
use billfold_core::{ErrorKind, Principal};
use billfold_testkit::between::{Behind, Between, store_failure};
use billfold_testkit::vault::{FragileWrapper, Mood};
use proptest::prelude::*;
use proptest::test_runner::TestRng;
use serde_json::json;

use crate::support::{World, at_once};
use crate::vault::{put, text};

const ENTRIES: usize = 12;

/// A trail of several kinds of entry.
async fn trail(world: &World) -> Vec<AuditEntry> {
    let (billfold, tenant) = (&world.billfold, &world.tenant);
    let operator = Principal::operator(tenant.clone(), "tester");
    let record = billfold.vault().put(tenant, put("o-1", "card", text("4111"))).await.unwrap().record;
    for index in 0..ENTRIES / 4 {
        let actor = Actor::new(format!("key_{index}"));
        billfold.vault().reveal(tenant, record.id, &actor).await.unwrap();
        let issued = billfold.issue_api_key(&operator, "backend", Scopes::default()).await.unwrap();
        billfold.revoke_api_key(&operator, issued.key.id).await.unwrap();
        billfold.vault().record_job(tenant, &actor, "vault.reseal", &json!({"index": index})).await.unwrap();
    }
    let entries = world.store.audit_entries(tenant, 0, 100).await.unwrap();
    assert_eq!(entries.len(), ENTRIES);
    entries
}

/// Answers with another trail than the one that is stored.
#[derive(Debug)]
struct Forged(Mutex<Vec<AuditEntry>>);

#[async_trait::async_trait]
impl Between for Forged {
    async fn audit_entries(
        &self,
        _: &dyn Store,
        tenant: &TenantId,
        after: i64,
        limit: u32,
    ) -> StoreResult<Vec<AuditEntry>> {
        // In the order in which the rows lie, as far as their place in the trail lets them.
        let rows = self.0.lock().unwrap().clone();
        let rows = rows.into_iter().filter(|row| row.tenant == *tenant && row.sequence > after);
        Ok(rows.take(limit.try_into().unwrap()).collect())
    }
}

/// Looks at a trail: whether it is whole, given a head that was seen before.
trait Verifier {
    async fn is_whole(&self, trail: &[AuditEntry], known_head: Option<&str>) -> bool;
}

/// The real one.
struct Real {
    forged: Arc<Forged>,
    world: World,
}

impl Real {
    fn new(world: &World) -> Self {
        let forged = Arc::new(Forged(Mutex::new(Vec::new())));
        let world = world.again(|setup| setup.between = Some(forged.clone()));
        Self { forged, world }
    }

    async fn verdict(&self, trail: &[AuditEntry], known_head: Option<&str>) -> AuditVerdict {
        *self.forged.0.lock().unwrap() = trail.to_vec();
        self.world.billfold.verify_audit(&self.world.tenant, known_head).await.unwrap()
    }
}

impl Verifier for Real {
    async fn is_whole(&self, trail: &[AuditEntry], known_head: Option<&str>) -> bool {
        self.verdict(trail, known_head).await.broken_at.is_none()
    }
}

/// A broken one: its chain has a constant link, so only the places count.
struct ConstantHash;

impl Verifier for ConstantHash {
    async fn is_whole(&self, trail: &[AuditEntry], _: Option<&str>) -> bool {
        trail.iter().zip(1..).all(|(entry, place)| entry.sequence == place)
    }
}

/// Another broken one: it checks each link without its place in the chain, as a plain signature would.
struct Unchained(Vec<AuditEntry>);

impl Verifier for Unchained {
    async fn is_whole(&self, trail: &[AuditEntry], _: Option<&str>) -> bool {
        trail.iter().all(|entry| self.0.contains(entry))
    }
}

/// One change to a trail: of a field, or of the rows.
fn tamper(trail: &mut Vec<AuditEntry>, rng: &mut TestRng) -> String {
    let at = rng.random_range(0..trail.len());
    let other = (at + rng.random_range(1..trail.len())) % trail.len();
    let what = rng.random_range(0..13);
    let append = |text: &mut String| text.push('x');
    match what {
        0 => append(&mut trail[at].actor),
        1 => append(&mut trail[at].action),
        2 => append(&mut trail[at].object),
        3 => append(&mut trail[at].details),
        4 => trail[at].sequence += rng.random_range(1..3),
        5 => trail[at].at = Timestamp::from_millis(trail[at].at.as_millis() + 1),
        6 => {
            let byte = rng.random_range(0..trail[at].hash.len());
            trail[at].hash[byte] ^= 1 << rng.random_range(0..8);
        }
        7 => trail[at].hash.clear(),
        8 => drop(trail.remove(at)),
        9 => trail.swap(at, other),
        10 => {
            // The rows change their contents and keep their places.
            trail.swap(at, other);
            let (one, two) = (trail[at].sequence, trail[other].sequence);
            (trail[at].sequence, trail[other].sequence) = (two, one);
        }
        11 => {
            // Letters that move from one field to the next.
            let moved = trail[at].actor.split_off(1);
            trail[at].action.insert_str(0, &moved);
        }
        _ => {
            // One goes, and those behind it move up.
            trail.remove(at);
            for (entry, place) in trail.iter_mut().zip(1..) {
                entry.sequence = place;
            }
        }
    }
    format!("change {what} at {at} (and {other})")
}

/// What a verifier does not see, of a thousand random changes.
async fn unseen(verifier: &impl Verifier, trail: &[AuditEntry]) -> Vec<String> {
    let head = trail.last().unwrap();
    let head = format!(
        "{}:{}",
        head.sequence,
        head.hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    );
    let mut rng = TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha);
    let mut unseen = Vec::new();
    for _ in 0..1000 {
        let mut changed = trail.to_vec();
        let what = tamper(&mut changed, &mut rng);
        if changed != trail && verifier.is_whole(&changed, Some(&head)).await {
            unseen.push(what);
        }
    }
    unseen
}

#[tokio::test]
async fn of_a_thousand_changes_to_a_trail_none_goes_unseen() {
    let world = World::new();
    let trail = trail(&world).await;
    let real = Real::new(&world);
    assert!(real.is_whole(&trail, None).await, "an honest trail is whole");
    assert_eq!(unseen(&real, &trail).await, Vec::<String>::new());
}

/// The check above sees verifiers that are too easy on a trail.
#[tokio::test]
async fn a_verifier_with_a_constant_hash_or_without_a_chain_is_found_out() {
    let world = World::new();
    let trail = trail(&world).await;
    assert!(unseen(&ConstantHash, &trail).await.len() > 300);
    let unchained = unseen(&Unchained(trail.clone()), &trail).await;
    assert!(unchained.len() > 50, "{}", unchained.len());
}

#[tokio::test]
async fn a_verdict_says_where_the_trail_is_broken() {
    let world = World::new();
    let trail = trail(&world).await;
    let real = Real::new(&world);
    for at in 0..ENTRIES {
        let mut changed = trail.clone();
        changed[at].details.push(' ');
        let verdict = real.verdict(&changed, None).await;
        let place = i64::try_from(at).unwrap();
        assert_eq!((verdict.entries, verdict.broken_at), (place, Some(place + 1)));
    }
    // A trail of another tenant, copied over, is no trail of this one.
    let other: TenantId = "other".parse().unwrap();
    let foreign = trail.iter().cloned().map(|entry| AuditEntry { tenant: other.clone(), ..entry });
    *real.forged.0.lock().unwrap() = foreign.collect();
    let verdict = real.world.billfold.verify_audit(&other, None).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken_at), (0, Some(1)));
}

/// Two futures of one trail, each honest and under the same key: a database that was restored and went on. Neither
/// can be given the other's entries.
#[tokio::test]
async fn two_futures_of_a_trail_cannot_be_mixed() {
    let world = World::new();
    let past = trail(&world).await;
    let restored = Arc::new(world.store.snapshot());
    let restored = world.again(|setup| setup.store = restored);
    let mut futures = Vec::new();
    for (world, object) in [(&world, 1), (&restored, 2)] {
        for step in 0..3 {
            let details = json!({"of": object, "step": step});
            let vault = world.billfold.vault();
            vault.record_job(&world.tenant, &Actor::system(), "vault.x", &details).await.unwrap();
        }
        futures.push(world.store.audit_entries(&world.tenant, 0, 100).await.unwrap());
    }
    let real = Real::new(&world);
    let (one, other) = (&futures[0], &futures[1]);
    assert!(real.is_whole(one, None).await && real.is_whole(other, None).await);
    for border in past.len() + 1..one.len() {
        let mixed: Vec<AuditEntry> = one[..border].iter().chain(&other[border..]).cloned().collect();
        let verdict = real.verdict(&mixed, None).await;
        assert_eq!(verdict.broken_at, Some(i64::try_from(border).unwrap() + 1));
    }
}

#[tokio::test]
async fn a_cut_end_is_seen_by_whoever_kept_a_head() {
    let world = World::new();
    let trail = trail(&world).await;
    let real = Real::new(&world);
    let mut heads = Vec::new();
    for kept in 1..=ENTRIES {
        let verdict = real.verdict(&trail[..kept], None).await;
        assert_eq!(verdict.broken_at, None, "nobody can see a cut without a head");
        heads.push(verdict.head.unwrap());
    }
    for (seen, head) in heads.iter().enumerate() {
        for kept in 0..=ENTRIES {
            let verdict = real.verdict(&trail[..kept], Some(head)).await;
            let cut = (kept <= seen).then(|| i64::try_from(kept).unwrap() + 1);
            assert_eq!(verdict.broken_at, cut, "head {seen}, {kept} entries kept");
        }
    }
    // A trail that was written anew by whoever has the key still has other heads.
    let rewritten = World::new();
    let other = self::trail(&rewritten).await;
    let verdict = Real::new(&rewritten).verdict(&other, Some(&heads[4])).await;
    assert_eq!(verdict.broken_at, Some(5));
    for wrong in ["", "7", "x:00", "7:zz", ":", "9223372036854775808:00"] {
        let refused = world.billfold.verify_audit(&world.tenant, Some(wrong)).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::InvalidRequest, "{wrong:?}");
    }
    let none = World::new();
    let verdict = none.billfold.verify_audit(&none.tenant, None).await.unwrap();
    assert_eq!((verdict.entries, verdict.head, verdict.broken_at), (0, None, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_reveals_at_once_are_one_whole_trail() {
    let world = Arc::new(World::new());
    let record =
        world.billfold.vault().put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap().record;
    let reveals = (0..50).map(|index| {
        let world = world.clone();
        async move {
            let actor = Actor::new(format!("key_{index}"));
            world.billfold.vault().reveal(&world.tenant, record.id, &actor).await.unwrap();
        }
    });
    at_once(reveals).await;
    let verdict = world.billfold.verify_audit(&world.tenant, None).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken_at), (50, None));
}

/// Refuses to write the audit trail, one way or the other.
#[derive(Debug)]
struct NoTrail(Answer);

type Answer = fn() -> StoreResult<Commit>;

#[async_trait::async_trait]
impl Between for NoTrail {
    async fn commit(&self, store: &dyn Store, changes: Changes) -> StoreResult<Commit> {
        if changes.audit.is_empty() { store.commit(changes).await } else { (self.0)() }
    }
}

#[tokio::test]
async fn nothing_is_revealed_that_cannot_be_recorded() {
    let world = World::new();
    let vault = world.billfold.vault();
    let record = vault.put(&world.tenant, put("o-1", "card", text("4111"))).await.unwrap().record;
    let outcomes: [(Answer, ErrorKind); 2] =
        [(|| Err(store_failure()), ErrorKind::Store), (|| Ok(Commit::Stale), ErrorKind::Conflict)];
    let operator = Principal::operator(world.tenant.clone(), "tester");
    for (outcome, kind) in outcomes {
        let broken = world.again(|setup| setup.between = Some(Arc::new(NoTrail(outcome))));
        let refused = broken.billfold.vault().reveal(&world.tenant, record.id, &operator.actor).await;
        assert_eq!(refused.unwrap_err().kind(), kind);
        // Nor does anything else happen that belongs into the trail.
        assert!(broken.billfold.issue_api_key(&operator, "backend", Scopes::default()).await.is_err());
        let vault = broken.billfold.vault();
        let job = vault.record_job(&world.tenant, &operator.actor, "vault.x", &json!({})).await;
        assert!(job.is_err());
        assert!(broken.billfold.erase_owner(&world.tenant, "o-1", &operator.actor).await.is_err());
    }
    assert!(world.billfold.list_api_keys(&world.tenant).await.unwrap().is_empty());
    assert_eq!(world.billfold.vault().get(&world.tenant, record.id).await.unwrap().id, record.id);
    assert!(world.store.audit_entries(&world.tenant, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn the_chain_needs_its_key() {
    let wrapper = FragileWrapper::new();
    let world = World::with(|setup| setup.wrapper = wrapper.clone());
    trail(&world).await;
    world.clock.advance(DEFAULT_KEY_CACHE);
    wrapper.set(Mood::Down(None));
    let refused = world.billfold.verify_audit(&world.tenant, None).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::KeysUnavailable);
    // Another key is another chain: nobody writes one without the tenant's own.
    wrapper.set(Mood::Garbage);
    let verdict = world.billfold.verify_audit(&world.tenant, None).await.unwrap();
    assert_eq!((verdict.entries, verdict.broken_at), (0, Some(1)));
    world.clock.advance(DEFAULT_KEY_CACHE);
    wrapper.set(Mood::Well);
    let verdict = world.billfold.verify_audit(&world.tenant, None).await.unwrap();
    assert_eq!(usize::try_from(verdict.entries).unwrap(), ENTRIES);
    assert_eq!(verdict.broken_at, None);
    let entries = world.billfold.list_audit(&world.tenant, 3, 2).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.sequence).collect::<Vec<_>>(), [4, 5]);
    // A store that is asked through somebody honest says the same.
    let honest = Behind::new(world.store.clone(), Arc::new(NoTrail(|| Ok(Commit::Stale))));
    assert_eq!(honest.audit_entries(&world.tenant, 0, 100).await.unwrap().len(), ENTRIES);
}
