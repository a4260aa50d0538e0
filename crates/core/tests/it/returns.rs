//! The customer's browser comes back.

use billfold_core::ErrorKind;
use billfold_core::provider::ProviderSessionStatus;
use billfold_core::session::{SessionStatus, Via};
use billfold_testkit::reference::{Instrument, Trouble};

use crate::support::World;

/// The reference gateway hands the return address on, as a hosted page would.
fn nonce(world: &World, gateway_session: &str) -> String {
    let address = world.gateway.return_address(gateway_session).unwrap();
    let segments: Vec<_> = address.path_segments().unwrap().map(str::to_owned).collect();
    assert_eq!(segments[..2], ["billfold", "return"], "the public URL's path is kept");
    segments[3].clone()
}

#[tokio::test]
async fn a_return_asks_the_gateway_and_sends_the_customer_on() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    let address = world.come_back(&session, &nonce(&world, "ref-0001")).await.unwrap();
    let expected = format!("https://shop.example/done?cart=7&session_id={}&status=completed", session.id);
    assert_eq!(address.as_str(), expected);
    assert_eq!(world.session(session.id).await.settled_via, Some(Via::Return));
    assert_eq!(world.methods(&session).await.len(), 1);
}

#[tokio::test]
async fn the_nonce_is_used_up_once_the_session_is_over() {
    let world = World::new();
    let session = world.start("c-1").await;
    let nonce = nonce(&world, "ref-0001");
    // Gave up, went back to the hosted page, came back done.
    let gave_up = world.come_back(&session, &nonce).await.unwrap();
    assert!(gave_up.as_str().ends_with("status=active"));
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.completed("ref-0001").await;
    world.work().await;
    assert!(world.come_back(&session, &nonce).await.unwrap().as_str().ends_with("status=completed"));
    assert_eq!(world.come_back(&session, &nonce).await.unwrap_err().kind(), ErrorKind::Gone);
}

#[tokio::test]
async fn a_wrong_or_swapped_nonce_is_not_found() {
    let world = World::new();
    let (one, two) = (world.start("c-1").await, world.start("c-2").await);
    let (first, second) = (nonce(&world, "ref-0001"), nonce(&world, "ref-0002"));
    for (session, nonce) in [(&one, second.as_str()), (&two, first.as_str()), (&one, ""), (&one, "guess")] {
        assert_eq!(world.come_back(session, nonce).await.unwrap_err().kind(), ErrorKind::NotFound);
    }
    assert_eq!(world.gateway.calls().iter().filter(|call| *call == "fetch_session").count(), 0);
}

#[tokio::test]
async fn what_the_browser_says_is_not_believed() {
    let world = World::new();
    let session = world.start("c-1").await;
    // `come_back` claims status=COMPLETED and names a token.
    let address = world.come_back(&session, &nonce(&world, "ref-0001")).await.unwrap();
    assert!(address.as_str().ends_with("status=active"));
    assert!(world.methods(&session).await.is_empty());
}

#[tokio::test]
async fn a_gateway_that_is_down_does_not_strand_the_customer() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.complete("ref-0001", Instrument::card("tok-1", "fp-1"));
    world.gateway.order("fetch_session", Trouble::LostBefore);
    let nonce = nonce(&world, "ref-0001");
    assert!(world.come_back(&session, &nonce).await.unwrap().as_str().ends_with("status=active"));
    world.completed("ref-0001").await;
    world.work().await;
    assert_eq!(world.session(session.id).await.status, SessionStatus::Completed);
}

#[tokio::test]
async fn an_expired_session_says_so() {
    let world = World::new();
    let session = world.start("c-1").await;
    world.gateway.set_session("ref-0001", ProviderSessionStatus::Expired);
    let address = world.come_back(&session, &nonce(&world, "ref-0001")).await.unwrap();
    assert!(address.as_str().ends_with("status=expired"));
}
