//! A gateway that fails in every way it can, and secrets that are looked for where everything is logged.

use std::time::{Duration, Instant};

use anyhow::ensure;
use billfold_sandbox::{Channel, Fault, FaultOrder};
use rand::SeedableRng as _;
use rand::rngs::StdRng;
use serde_json::Value;
use tokio::time::sleep;

use crate::books::{at_rest, secrets};
use crate::installation::{Installation, Options};
use crate::load::{Load, PERSISTENCE, People};
use crate::trial::{Backend, Plan, Verdict};

/// Core's own limit for one call to a gateway, and some.
const HANGS: Duration = Duration::from_secs(25);

/// The calls that saving makes.
const CALLS: [(&str, &str); 4] =
    [("POST", "/customers"), ("POST", "/sessions"), ("GET", "/sessions/"), ("GET", "/v3/payment_tokens/")];

const QUICK: [Fault; 8] = [
    Fault::Status(500),
    Fault::Status(503),
    Fault::Html(502),
    Fault::TruncatedJson,
    Fault::Redirect,
    Fault::RateLimited,
    Fault::Reset,
    Fault::Oversize,
];
const SLOW: [Fault; 3] = [Fault::Delay(2000), Fault::TimeoutBefore, Fault::TimeoutAfter];

/// Each fault at each call, with webhooks lost so that the gateway has to be asked.
pub(super) async fn faults(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let faults: Vec<Fault> =
        if plan.quick { QUICK.to_vec() } else { QUICK.into_iter().chain(SLOW).collect() };
    let here = Installation::start(
        &backend,
        Options { ask_after_seconds: &[1, 2, 4, 8, 16, 32, 64], ..Options::default() },
    )
    .await?;
    let people = People::of(&here);
    let mut dice = StdRng::seed_from_u64(plan.seed);
    let (mut asked, mut slowest) = (0, Duration::ZERO);
    for fault in faults {
        for (method, path) in CALLS {
            here.control().order(FaultOrder::once(method, path, fault));
            here.control().set_channel(Channel { drop: 2, ..Channel::default() });
            let (intent, reference) = people.new_intent();
            let began = Instant::now();
            let mut session = people.ask_once(intent, &reference, &mut dice).await?;
            slowest = slowest.max(began.elapsed());
            ensure!(slowest < HANGS, "{fault:?} at {method} {path} held a request for {slowest:?}");
            if session.is_none() {
                session = people.start_session(intent, &reference, &mut dice, PERSISTENCE).await?;
            }
            if let Some(session) = session.filter(|session: &Value| session["next"]["url"].is_string()) {
                people.save(intent, &session).await?;
            }
            asked += 1;
        }
    }
    here.control().set_channel(Channel::default());
    sleep(Duration::from_secs(1)).await;
    here.control().clear_faults();
    let found = at_rest(&here, &people.notes()).await?;
    Ok(Verdict::Held(format!("{asked} faults, slowest request {} ms, {}", slowest.as_millis(), found.told())))
}

/// Everything is logged; none of it is a secret. The reader looks in all rows and files whatever the trial; here the
/// answers of the API are looked at as well.
pub(super) async fn canaries(plan: Plan, backend: Backend) -> anyhow::Result<Verdict> {
    let options = Options { log: "trace", ..Options::default() };
    let here = Installation::start(&backend, options).await?;
    let load = Load::begin(&here, 8, Duration::from_millis(40), plan.seed);
    sleep(Duration::from_secs(u64::from(plan.count(3, 20)))).await;
    let found = at_rest(&here, &load.end().await?).await?;
    let bytes = std::fs::metadata(here.log(0))?.len();
    ensure!(bytes > 10_000, "hardly anything was logged");
    let search = secrets(&here)?;
    for path in ["sessions", "events", "deliveries", "webhook-endpoints", "gateways", "audit", "erasures"] {
        let shown = here.get(&format!("/v1/{path}")).await?.to_string();
        ensure!(
            search.find(shown.as_bytes()).is_none(),
            "I11: {:?} is shown by /v1/{path}",
            search.find(shown.as_bytes())
        );
    }
    Ok(Verdict::Held(format!("{} KiB of log, {}", bytes / 1024, found.told())))
}
