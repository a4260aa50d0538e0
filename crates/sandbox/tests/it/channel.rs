//! The webhook channel on order: drops, duplicates, delays, disorder, holding back.

use billfold_sandbox::{Channel, DeliveryState};
use serde_json::json;

use crate::receiver::{Receiver, everything_due_was_sent};
use crate::support::World;

/// Sends webhooks of these names.
fn tell(world: &World, events: &[&str]) {
    for event in events {
        world.control().send_webhook(event, &json!({"about": event}));
    }
}

#[tokio::test]
async fn what_is_dropped_never_comes() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    world.control().set_channel(Channel { drop: 2, ..Channel::default() });
    tell(&world, &["a", "b", "c"]);
    world.control().advance(2 * 24 * 3600);
    everything_due_was_sent(&world).await;
    receiver.count(1).await;
    assert_eq!(receiver.events(), ["c"]);
    let states: Vec<_> = world.control().deliveries().iter().map(|delivery| delivery.state).collect();
    assert_eq!(states[..2], [DeliveryState::Dropped; 2]);
}

#[tokio::test]
async fn what_is_duplicated_comes_twice() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    world.control().set_channel(Channel { duplicate: 1, ..Channel::default() });
    tell(&world, &["a", "b"]);
    let received = receiver.count(3).await;
    let mut events = receiver.events();
    events.sort();
    assert_eq!(events, ["a", "a", "b"]);
    let twice: Vec<_> = received.iter().filter(|received| received.body["event"] == "a").collect();
    assert_eq!(twice[0].body["data"], twice[1].body["data"]);
}

#[tokio::test]
async fn what_is_delayed_comes_later() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    world.control().set_channel(Channel { delay_ms: 3_600_000, ..Channel::default() });
    tell(&world, &["a"]);
    world.control().set_channel(Channel::default());
    world.control().advance(3_500);
    everything_due_was_sent(&world).await;
    receiver.count(0).await;
    world.control().advance(100);
    receiver.count(1).await;
}

#[tokio::test]
async fn what_is_held_comes_when_it_is_released() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    world.control().set_channel(Channel { hold: true, ..Channel::default() });
    tell(&world, &["a", "b"]);
    // Whoever sets the channel anew lets nothing go that is held.
    world.control().set_channel(Channel::default());
    tell(&world, &["c"]);
    world.control().advance(2 * 24 * 3600);
    everything_due_was_sent(&world).await;
    receiver.count(1).await;
    assert_eq!(receiver.events(), ["c"]);
    let held = |world: &World| world.control().deliveries()[0].state == DeliveryState::Held;
    assert!(held(&world));
    world.control().release();
    receiver.count(3).await;
    tell(&world, &["d"]);
    receiver.count(4).await;
}

#[tokio::test]
async fn what_is_disordered_comes_newest_first() {
    let world = World::start().await;
    let receiver = Receiver::of(&world, &[]).await;
    // Held back as well, so that all of them go out at one moment.
    world.control().set_channel(Channel { reorder: true, hold: true, ..Channel::default() });
    tell(&world, &["a", "b", "c", "d"]);
    world.control().advance(1);
    world.control().release();
    receiver.count(4).await;
    assert_eq!(receiver.events(), ["d", "c", "b", "a"]);
}
