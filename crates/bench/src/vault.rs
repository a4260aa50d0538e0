//! The vault through the REST API, authenticated, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use billfold_core::Principal;
use billfold_core::entropy::SystemEntropy;
use billfold_core::name::TenantId;
use billfold_core::registry::Registry;
use billfold_core::scope::Scopes;
use billfold_core::secret::ExposeSecret as _;
use billfold_core::store::memory::MemoryStore;
use billfold_core::vault::{LocalWrapper, Place, Vault};
use billfold_server::{App, Config, ConfigSources};
use billfold_testkit::postgres::ThrowAwayPostgres;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::Databases;
use crate::client::Client;
use crate::floor::{self, Floor};
use crate::load::{CLIENTS, Rate, run};

/// One value in eight belongs to a new owner, whose data key has to be made first.
const VALUES_PER_OWNER: u64 = 8;
const SEALED: Duration = Duration::from_secs(2);

pub(crate) fn measure(databases: Databases<'_>) -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let folder = tempfile::tempdir()?;
        println!("{CLIENTS} clients, 256-byte values, one value in {VALUES_PER_OWNER} of a new owner\n");
        let crypto = seal_and_open().await?;
        if databases.has("SQLite") {
            let floor = floor::sqlite(folder.path()).await?;
            let url = format!("sqlite://{}/vault.db", folder.path().display());
            report("SQLite", floor, serve(&url).await?, crypto);
        }
        if databases.has("PostgreSQL") {
            match ThrowAwayPostgres::durable().await {
                Some((_cluster, database)) => {
                    let floor = floor::postgres(&database.url).await?;
                    report("PostgreSQL", floor, serve(&database.url).await?, crypto);
                }
                None => println!("PostgreSQL: NOT MEASURED, no server is installed"),
            }
        }
        Ok(())
    })
}

#[derive(Clone, Copy)]
struct Crypto {
    seal: Rate,
    open: Rate,
}

#[derive(Clone, Copy)]
struct Served {
    puts: Rate,
    gets: Rate,
    /// Requests that need neither a key nor the database: what HTTP alone allows.
    empty: Rate,
}

fn report(name: &str, floor: Floor, served: Served, crypto: Crypto) {
    let per_mille =
        (crypto.seal.nanos() + crypto.open.nanos()).saturating_mul(1000) / floor.one.nanos().max(1);
    println!("{name}");
    println!("  durable commit, one client     {:>9} ns", floor.one.nanos());
    println!(
        "  seal + open                    {:>9} ns   {}.{} % of a commit (gate: 5 %)",
        crypto.seal.nanos() + crypto.open.nanos(),
        per_mille / 10,
        per_mille % 10
    );
    println!("  raw insert                     {:>9} /s", floor.inserts.per_second());
    println!(
        "  POST /v1/vault/records         {:>9} /s   {} % of the floor (gate: 50 %)",
        served.puts.per_second(),
        served.puts.percent_of(floor.inserts)
    );
    println!("  raw select                     {:>9} /s", floor.selects.per_second());
    println!(
        "  GET /v1/vault/records/{{id}}     {:>9} /s   {} % of the floor (gate: 50 %)",
        served.gets.per_second(),
        served.gets.percent_of(floor.selects)
    );
    println!(
        "  GET /healthz, without database {:>9} /s   {} % of the floor\n",
        served.empty.per_second(),
        served.empty.percent_of(floor.selects)
    );
}

/// Sealing and opening alone, with the owner's key at hand.
async fn seal_and_open() -> anyhow::Result<Crypto> {
    let root = LocalWrapper::from_base64(&LocalWrapper::generate(&SystemEntropy)?)?;
    let vault = Vault::new(Arc::new(MemoryStore::new()), Arc::new(root));
    let tenant = TenantId::default_tenant();
    let place = Place { tenant: &tenant, owner: "owner-1", kind: "bank_account", object: "" };
    let value = [7_u8; 256];
    let record = vault.seal(place, &value).await?;
    let (mut count, began) = (0, Instant::now());
    while began.elapsed() < SEALED {
        vault.seal(place, &value).await?;
        count += 1;
    }
    let seal = Rate::new(count, began.elapsed());
    let (mut count, began) = (0, Instant::now());
    while began.elapsed() < SEALED {
        vault.open(&record).await?;
        count += 1;
    }
    Ok(Crypto { seal, open: Rate::new(count, began.elapsed()) })
}

async fn serve(database: &str) -> anyhow::Result<Served> {
    let root = LocalWrapper::generate(&SystemEntropy)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let set = |key: &str, value: serde_json::Value| (key.to_owned(), value);
    let overrides = vec![
        set("database.url", database.into()),
        set("database.pool_size", 16.into()),
        set("vault.root_key", root.expose_secret().into()),
        set("server.public_url", format!("http://127.0.0.1:{port}").into()),
    ];
    let config = Config::load(&ConfigSources { file: None, overrides })?;
    let app = App::build(config, Registry::with([])?).await?;
    let operator = Principal::operator(TenantId::default_tenant(), "bench");
    let key = app.billfold().issue_api_key(&operator, "bench", Scopes::all()).await?;
    let key = key.secret.expose_secret().to_owned();
    let stop = CancellationToken::new();
    let tasks = tokio_util::task::TaskTracker::new();
    tasks.spawn(app.serve(listener, stop.clone()));
    tasks.close();

    let served = serve_all(port, &key).await;
    stop.cancel();
    tasks.wait().await;
    served
}

async fn serve_all(port: u16, key: &str) -> anyhow::Result<Served> {
    let numbers = Arc::new(AtomicU64::new(0));
    let puts = run(connected(port, key).await?, move |mut client: Client| {
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        async move {
            put(&mut client, number).await?;
            Ok(client)
        }
    });
    let puts = puts.await?;

    let mut ids = Vec::new();
    let mut client = Client::connect(port, key).await?;
    for number in 0..1000 {
        ids.push(put(&mut client, u64::MAX / 2 + number).await?);
    }
    let ids = Arc::new(ids);
    let next = Arc::new(AtomicU64::new(0));
    let gets = run(connected(port, key).await?, move |mut client: Client| {
        let ids = ids.clone();
        let at = usize::try_from(next.fetch_add(7919, Ordering::Relaxed)).unwrap_or(0) % ids.len();
        async move {
            client.get(&format!("/v1/vault/records/{}", ids[at])).await?;
            Ok(client)
        }
    });
    let gets = gets.await?;
    let empty = run(connected(port, key).await?, |mut client: Client| async move {
        client.get("/healthz").await?;
        Ok(client)
    });
    Ok(Served { puts, gets, empty: empty.await? })
}

async fn connected(port: u16, key: &str) -> anyhow::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::connect(port, key).await?);
    }
    Ok(clients)
}

async fn put(client: &mut Client, number: u64) -> anyhow::Result<String> {
    let owner = number / VALUES_PER_OWNER;
    let value = format!("{number:0256}");
    let body = format!(r#"{{"owner":"owner-{owner}","kind":"bank_account","value":"{value}"}}"#);
    let answer: serde_json::Value = serde_json::from_str(&client.post("/v1/vault/records", &body).await?)?;
    answer.get("id").and_then(serde_json::Value::as_str).map(str::to_owned).context("the answer has no id")
}
