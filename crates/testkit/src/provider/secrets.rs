//! Nothing prints a secret: no value, no error, no line of a log.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use billfold_core::StartCharge;
use billfold_core::charge::Initiator;
use billfold_core::provider::{ChargeRef, SessionRef, TokenRef};
use billfold_core::secret::ExposeSecret;
use billfold_core::view::{Next, PaymentMethodView};
use tracing::instrument::WithSubscriber as _;

use super::Trial;
use super::charge_driver::{ChargeDriver, ChargePlay};
use super::driver::{Card, Signer};
use super::wire::Fault;
use super::world::World;
use crate::key_wrapper::spellings;

pub(super) fn trials() -> Vec<Trial> {
    vec![Trial::new("nothing prints a secret", |world| Box::pin(silent(world)))]
}

const FAULTS: [Fault; 8] = [
    Fault::NotSent,
    Fault::LostAfter,
    Fault::Truncated,
    Fault::Status(400),
    Fault::Status(401),
    Fault::Status(500),
    Fault::Page(502),
    Fault::Redirect,
];

/// Everything that was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn silent(world: World) {
    let (log, mut printed, mut secrets) = (Log::default(), Vec::new(), world.driver.canaries());
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    Box::pin(story(&world, &mut printed, &mut secrets)).with_subscriber(subscriber).await;
    let logged = log.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(!logged.is_empty(), "the log was not seen");
    printed.push(String::from_utf8_lossy(&logged).into_owned());
    let spelt: Vec<String> = secrets.iter().flat_map(|secret| spellings(secret.as_bytes())).collect();
    for text in printed {
        // The text itself stays out of the message: it holds the secret.
        assert!(!spelt.iter().any(|secret| text.contains(secret)), "a secret is printed");
    }
}

/// A charge under every kind of trouble, and one that leads to a page which acts as the customer.
async fn charging(
    world: &World,
    driver: &dyn ChargeDriver,
    method: &PaymentMethodView,
    token: TokenRef,
    printed: &mut Vec<String>,
    secrets: &mut Vec<String>,
) {
    let charging = world.provider.charging().expect("a provider that charges");
    let request = StartCharge::new(driver.money(), Initiator::Customer, None);
    let mut named =
        ChargeRef::new("chg_018f0000000070008000000000000001", driver.money(), world.driver.now());
    named.token = Some(token);
    for fault in FAULTS {
        world.wire.order(&[fault]);
        let one = world.billfold.charge_method(&world.tenant, method.id, request.clone()).await.err();
        world.wire.order(&[fault]);
        let two = charging.fetch_charge(&world.context("quiet"), named.clone()).await.err();
        for error in [one, two].into_iter().flatten() {
            printed.push(format!("{error} {error:?} {error:#?} {}", error.log_line()));
            printed.push(format!("{:?} {:?} {:?}", error.context(), error.fault(), error.fields()));
        }
    }
    world.wire.order(&[]);
    if driver.lacks(ChargePlay::StepUp).is_none() {
        driver.play(Card::One, ChargePlay::StepUp).await;
    }
    let charge = world.billfold.charge_method(&world.tenant, method.id, request).await.expect("a charge");
    match &charge.next {
        Some(Next::Redirect { url: secret } | Next::ClientSecret { secret }) => {
            secrets.push(secret.expose_secret().to_owned());
        }
        None => {}
    }
    world.deliver_all().await;
    printed.push(format!("{charge:?} {charging:?}"));
}

async fn story(world: &World, printed: &mut Vec<String>, secrets: &mut Vec<String>) {
    let (session, token) = world.save("c-1", Card::One).await;
    let saved = world.token(&session, &token).await;
    secrets.push(token);
    match session.view.next.as_ref().expect("something to do") {
        Next::Redirect { url: secret } | Next::ClientSecret { secret } => {
            secrets.push(secret.expose_secret().to_owned());
        }
    }
    let open = world.start("c-1").await;
    let cx = world.context("quiet");
    for fault in FAULTS {
        world.wire.order(&[fault]);
        let one = world.billfold.start_session(&world.tenant, world.driver.request("c-1")).await.err();
        world.wire.order(&[fault]);
        let two = world.provider.fetch_session(&cx, SessionRef::new(session.theirs.clone())).await.err();
        world.wire.order(&[fault]);
        let three = world.provider.fetch_method(&cx, saved.clone()).await.err();
        world.wire.order(&[fault]);
        let four = world.provider.check(&cx).await.err();
        for error in [one, two, three, four].into_iter().flatten() {
            printed.push(format!("{error} {error:?} {error:#?} {}", error.log_line()));
            printed.push(format!("{:?} {:?} {:?}", error.context(), error.fault(), error.fields()));
        }
    }
    world.wire.order(&[]);
    let observed = world.provider.fetch_session(&cx, SessionRef::new(session.theirs.clone())).await;
    printed.push(format!("{observed:?}"));
    let body = world.driver.unknown_event().to_string();
    for signer in [Signer::Current, Signer::Stranger, Signer::Empty] {
        let webhook = world.driver.sign(body.as_bytes(), signer, world.driver.now());
        printed.push(format!("{:?}", world.deliver(&webhook).await));
    }
    let canceled = world.billfold.cancel_session(&world.tenant, open.id).await;
    printed.push(format!("{canceled:?}"));
    world.sweep_after(Duration::from_mins(2)).await;
    // After use as well: some provider might remember what it saw.
    printed.push(format!("{:?} {:#?} {:?}", world.provider, world.provider, world.billfold));
    printed.push(format!("{:?}", world.provider.customers()));
    let methods = world.methods(&session).await;
    if let Some(driver) = world.driver.charges().filter(|_| world.provider.charging().is_some()) {
        charging(world, &*driver, &methods[0], saved, printed, secrets).await;
    }
    world.billfold.delete_method(&world.tenant, methods[0].id).await.expect("deleted");
    world.work().await;
}
