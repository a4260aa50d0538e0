//! Customers' browsers coming back. An input is the path and query of an address; `{session}` and `{nonce}` stand for
//! those of a session that is open.
//!
//! Nobody is sent anywhere but to the merchant, and there with the right nonce only. Nothing of the address is shown, and
//! what a provider takes of a query is bounded and the same each time.

use std::sync::{Arc, LazyLock};

use axum::Router;
use axum::body::{Body, to_bytes};
use billfold_core::gateway::Gateway;
use billfold_core::name::TenantId;
use billfold_core::provider::ReturnRequest;
use billfold_core::registry::Registry;
use billfold_core::settings::{Mode, Settings};
use billfold_core::store::memory::MemoryStore;
use billfold_server::{App, Config, ConfigSources};
use billfold_testkit::provider::Driver as _;
use billfold_testkit::reference_http::{HttpReference, Proof};
use billfold_testkit::vault::test_vault;
use http::{Request, StatusCode, header};
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;
use url::Url;

use crate::accounts::{ALL, Account};

/// The most that a provider takes of one query, as text.
const MOST_EVIDENCE: usize = 160 * 1024;
/// The longest address that a server takes.
const LONGEST: usize = 64 * 1024;

struct World {
    router: Router,
    session: String,
    nonce: String,
    runtime: Runtime,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let within = runtime.enter();
    let file = tempfile::NamedTempFile::new().expect("a file");
    let overrides = vec![("server.public_url".to_owned(), "https://pay.merchant.example".into())];
    let sources = ConfigSources { file: Some(file.path().to_owned()), overrides };
    let config = Config::load(&sources).expect("a configuration");
    let driver = HttpReference::new(Proof::Signature);
    let (gateway, origin) = ("main".to_owned(), "billfold.toml".to_owned());
    let settings =
        Settings { gateway, mode: Mode::Test, origin, development: true, values: driver.settings() };
    let tenant = TenantId::default_tenant();
    let gateway = Gateway {
        name: "main".parse().expect("a name"),
        tenant: tenant.clone(),
        kind: "reference".to_owned(),
        mode: Mode::Test,
        provider: driver.build(&settings).expect("a provider"),
        transport: driver.transport(),
    };
    let store = Arc::new(MemoryStore::new());
    let registry = Registry::linked().expect("providers");
    let app = App::assemble(config, registry, store.clone(), test_vault(store), vec![gateway]);
    let app = app.expect("a server");
    let billfold = app.billfold().clone();
    let way_back = runtime.block_on(async {
        let mut request = driver.request("customer-1");
        request.return_url = "https://shop.example/done".parse().expect("a URL");
        billfold.start_session(&tenant, request).await.expect("a session");
        let session = driver.sessions().await.pop().expect("a session");
        driver.way_back(&session, true).await.expect("a way back")
    });
    let mut path = way_back.path_segments().expect("a path").skip(1).map(str::to_owned);
    let (session, nonce) = (path.next().expect("a session"), path.next().expect("a nonce"));
    drop(within);
    World { router: app.router(), session, nonce, runtime }
});

/// Checks one address.
pub fn check(data: &[u8]) {
    let Ok(address) = std::str::from_utf8(data) else { return };
    if address.len() > LONGEST {
        return;
    }
    let query = address.split_once('?').map_or(address, |(_, query)| query);
    for account in ALL {
        check_query(account, query);
    }
    check_route(address);
}

fn check_query(account: &Account, query: &str) {
    let provider = crate::provider_of(account);
    let request = ReturnRequest::new(query);
    let hint = provider.read_return(&request);
    assert_eq!(hint, provider.read_return(&request), "one query is read in two ways");
    let evidence = hint.evidence.unwrap_or_default();
    assert!(evidence.len() <= MOST_EVIDENCE, "{} bytes are taken of a query", evidence.len());
}

fn check_route(address: &str) {
    let World { router, session, nonce, runtime, .. } = &*WORLD;
    let address = address.replace("{session}", session).replace("{nonce}", nonce);
    let Ok(request) =
        Request::builder().uri(format!("https://pay.merchant.example{address}")).body(Body::empty())
    else {
        return;
    };
    if !request.uri().path().starts_with("/return/") || request.uri().host() != Some("pay.merchant.example") {
        return;
    }
    let path = request.uri().path().to_owned();
    let (status, location, body) = runtime.block_on(async {
        let answer = router.clone().oneshot(request).await.expect("an answer");
        let location = answer.headers().get(header::LOCATION).cloned();
        (answer.status(), location, to_bytes(answer.into_body(), 1 << 20).await.expect("a body"))
    });
    let known = path.contains(session.as_str()) && path.contains(nonce.as_str());
    if status == StatusCode::SEE_OTHER {
        assert!(is_genuine(&path, session, nonce), "{path} is taken for the way back of a session");
        let location: Url = location.expect("an address").to_str().expect("text").parse().expect("a URL");
        let at_shop = location.scheme() == "https" && location.host_str() == Some("shop.example");
        assert!(at_shop && location.path() == "/done", "the customer is sent to {location}");
    } else {
        assert!(location.is_none() && status.is_client_error(), "{path}: {status}");
        assert!(!known || !is_plain(&path, session, nonce), "a customer is not let back: {status}");
    }
    let body = String::from_utf8_lossy(&body);
    assert!(!body.contains(nonce.as_str()), "a page shows the nonce");
    for part in address.split(['/', '?', '&', '=']).filter(|part| part.len() > 16 && part.contains('<')) {
        assert!(!body.contains(part), "a page shows a part of its address");
    }
}

/// The address as it was given, or another spelling of it.
fn is_genuine(path: &str, session: &str, nonce: &str) -> bool {
    let decoded = url::form_urlencoded::parse(path.replace('+', "%2B").replace('&', "%26").as_bytes())
        .map(|(key, value)| if value.is_empty() { key.into_owned() } else { format!("{key}={value}") })
        .collect::<String>();
    is_plain(&decoded, session, nonce)
}

fn is_plain(path: &str, session: &str, nonce: &str) -> bool {
    path == format!("/return/{session}/{nonce}")
}
