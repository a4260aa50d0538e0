//! Idempotency keys: one holder at a time, one answer, and nothing to read for whoever has the database.

use std::time::Duration;

use billfold_core::ErrorKind;
use billfold_core::audit::Actor;
use billfold_core::idempotency::{Claim, IdempotencyKey, KeyedRequest};
use billfold_core::name::TenantId;
use billfold_core::store::{Changes, IdempotencyStore as _, RecordFilter, Store as _};

use crate::support::{World, at_once};

const REQUEST: KeyedRequest<'static> =
    KeyedRequest { method: "POST", path: "/v1/things", key: "CANARY-key", parts: &[b"CANARY-body"] };
const ANSWER: &[u8] = b"CANARY-answer";

impl World {
    async fn claim(&self, request: KeyedRequest<'_>) -> Claim {
        self.billfold.claim_idempotency_key(&self.tenant, request).await.unwrap()
    }

    async fn first(&self, request: KeyedRequest<'_>) -> IdempotencyKey {
        match self.claim(request).await {
            Claim::First(claimed) => *claimed,
            other => panic!("{other:?}"),
        }
    }

    async fn answered(&self, request: KeyedRequest<'_>) -> Vec<u8> {
        match self.claim(request).await {
            Claim::Answered(answer) => answer.to_vec(),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_answer_of_the_first_is_the_answer_of_all() {
    let world = World::new();
    let claimed = world.first(REQUEST).await;
    assert!(matches!(world.claim(REQUEST).await, Claim::Running));
    world.billfold.keep_answer(claimed, None, ANSWER).await.unwrap();
    for _ in 0..2 {
        assert_eq!(world.answered(REQUEST).await, ANSWER);
    }
    world.clock.advance(Duration::from_hours(24) - Duration::from_millis(1));
    assert_eq!(world.answered(REQUEST).await, ANSWER);
}

#[tokio::test]
async fn a_key_belongs_to_one_request_at_one_route_of_one_tenant() {
    let world = World::new();
    world.first(REQUEST).await;
    for parts in [&[b"other".as_slice()] as &[&[u8]], &[], &[b"CANARY-", b"body"], &[b"CANARY-body", b""]] {
        assert!(matches!(world.claim(KeyedRequest { parts, ..REQUEST }).await, Claim::Reused), "{parts:?}");
    }
    for other in [
        KeyedRequest { key: "canary-key", ..REQUEST },
        KeyedRequest { path: "/v1/thing", ..REQUEST },
        KeyedRequest { method: "PUT", ..REQUEST },
        KeyedRequest { path: "/v1/things/C", key: "ANARY-key", ..REQUEST },
    ] {
        world.first(other).await;
    }
    let rival: TenantId = "rival".parse().unwrap();
    let claim = world.billfold.claim_idempotency_key(&rival, REQUEST).await.unwrap();
    assert!(matches!(claim, Claim::First(_)));
}

#[tokio::test]
async fn a_released_key_goes_on_with_its_intent() {
    let world = World::new();
    let claimed = world.first(REQUEST).await;
    world.billfold.release_idempotency_key(claimed.clone()).await.unwrap();
    // What it had stored may have had an effect: the key is for the same request.
    assert!(matches!(world.claim(KeyedRequest { parts: &[b"another"], ..REQUEST }).await, Claim::Reused));
    let again = world.first(REQUEST).await;
    assert_eq!(again.intent(), claimed.intent());
    // Whoever released it before has nothing to release any more.
    world.billfold.release_idempotency_key(claimed).await.unwrap();
    assert!(matches!(world.claim(REQUEST).await, Claim::Running));
    world.billfold.keep_answer(again, None, ANSWER).await.unwrap();
}

#[tokio::test]
async fn whoever_died_keeps_a_key_for_its_lease() {
    let world = World::new();
    let dead = world.first(REQUEST).await;
    world.clock.advance(Duration::from_mins(2) - Duration::from_millis(1));
    assert!(matches!(world.claim(REQUEST).await, Claim::Running));
    assert!(matches!(world.claim(KeyedRequest { parts: &[b"x"], ..REQUEST }).await, Claim::Reused));
    world.clock.advance(Duration::from_millis(1));
    let heir = world.first(REQUEST).await;
    assert_eq!(heir.intent(), dead.intent(), "what the first had begun goes on");
    assert!(matches!(world.claim(REQUEST).await, Claim::Running));
    // One that was only slow does not overwrite the answer of the one who took over, nor free the key.
    world.billfold.keep_answer(dead.clone(), None, b"too late").await.unwrap();
    world.billfold.release_idempotency_key(dead).await.unwrap();
    world.billfold.keep_answer(heir, None, ANSWER).await.unwrap();
    assert_eq!(world.answered(REQUEST).await, ANSWER);
}

#[tokio::test]
async fn keys_end_after_a_day_with_their_answers() {
    let world = World::new();
    let claimed = world.first(REQUEST).await;
    world.billfold.keep_answer(claimed.clone(), None, ANSWER).await.unwrap();
    world.clock.advance(Duration::from_hours(24));
    // Before the sweeper comes, and after it.
    let again = world.first(KeyedRequest { parts: &[b"another"], ..REQUEST }).await;
    assert_eq!(
        world.store.count_vault_records(&RecordFilter::All).await.unwrap(),
        0,
        "the old answer is gone"
    );
    world.billfold.keep_answer(again, None, ANSWER).await.unwrap();
    world.clock.advance(Duration::from_hours(24));
    assert_eq!(world.billfold.sweep_idempotency_keys(10).await.unwrap(), 1);
    assert_eq!(world.billfold.vault().sweep_expired(10).await.unwrap(), 1);
    assert_eq!(world.store.idempotency_key(&world.tenant, &claimed.key).await.unwrap(), None);
    world.first(REQUEST).await;
}

#[tokio::test]
async fn thirty_two_at_once_have_one_effect() {
    let world = World::new();
    for round in 0..4 {
        let key = format!("key-{round}");
        let claims = (0..32).map(|_| {
            let (billfold, tenant, key) = (world.billfold.clone(), world.tenant.clone(), key.clone());
            async move {
                let request = KeyedRequest { key: &key, ..REQUEST };
                billfold.claim_idempotency_key(&tenant, request).await.unwrap()
            }
        });
        let claims = at_once(claims).await;
        let first = claims.iter().filter(|claim| matches!(claim, Claim::First(_))).count();
        let running = claims.iter().filter(|claim| matches!(claim, Claim::Running)).count();
        assert_eq!((first, running), (1, 31));
    }
}

#[tokio::test]
async fn an_answer_that_is_gone_is_not_made_again() {
    let world = World::new();
    let claimed = world.first(REQUEST).await;
    world.billfold.keep_answer(claimed.clone(), None, ANSWER).await.unwrap();
    let stored = world.store.idempotency_key(&world.tenant, &claimed.key).await.unwrap().unwrap();
    let vault_deletes = vec![(world.tenant.clone(), stored.answer.unwrap())];
    world.store.commit(Changes { vault_deletes, ..Changes::default() }).await.unwrap();
    let error = world.billfold.claim_idempotency_key(&world.tenant, REQUEST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn the_store_sees_neither_key_nor_request_nor_answer() {
    let world = World::new();
    let claimed = world.first(REQUEST).await;
    world.billfold.keep_answer(claimed, None, ANSWER).await.unwrap();
    let rows = format!("{:?}", world.store);
    assert!(rows.contains("idempotency_keys") && !rows.contains("CANARY"), "{rows}");
    let records = world.store.vault_records_all(&RecordFilter::All, None, 10).await.unwrap();
    assert!(!records.is_empty());
    for record in records {
        assert!(!record.sealed.as_bytes().windows(6).any(|window| window == b"CANARY"));
        // Nobody can name this owner, so nobody can list, reveal or erase what is kept.
        assert!(world.billfold.erase_owner(&world.tenant, &record.owner, &Actor::system()).await.is_err());
    }
    let other = world.again(|_| {});
    assert_eq!(other.answered(REQUEST).await, ANSWER, "another server gives it as well");
}

#[tokio::test]
async fn an_answer_about_somebody_is_erased_with_them() {
    let world = World::new();
    let claimed = world.first(REQUEST).await;
    world.billfold.keep_answer(claimed, Some("user-1"), ANSWER).await.unwrap();
    world.billfold.erase_owner(&world.tenant, "user-2", &Actor::system()).await.unwrap();
    assert_eq!(world.answered(REQUEST).await, ANSWER);
    world.billfold.erase_owner(&world.tenant, "user-1", &Actor::system()).await.unwrap();
    let error = world.billfold.claim_idempotency_key(&world.tenant, REQUEST).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Gone, "and it is not done again");
}
