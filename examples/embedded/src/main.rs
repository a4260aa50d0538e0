//! Billfold inside your own program, without the server: a session is started, and the link for the
//! customer is printed. Run it with a test key of the gateway:
//!
//! `XENDIT_SECRET_KEY=xnd_development_… cargo run -p embedded`

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use billfold_core::capability::Usage;
use billfold_core::entropy::SystemEntropy;
use billfold_core::gateway::Gateway;
use billfold_core::name::TenantId;
use billfold_core::provider::CustomerProfile;
use billfold_core::registry::Registry;
use billfold_core::secret::{ExposeSecret as _, SecretString};
use billfold_core::settings::{Mode, Settings};
use billfold_core::transport::reqwest::ReqwestTransport;
use billfold_core::vault::{LocalWrapper, Vault};
use billfold_core::view::Next;
use billfold_core::{Billfold, CustomerSelector, StartSession};
// A provider takes part as soon as its crate is named.
use billfold_provider_xendit as _;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let billfold = billfold().await?;
    let customer = CustomerProfile { given_names: Some("Lorem".into()), ..CustomerProfile::default() };
    let session = billfold
        .start_session(&TenantId::default_tenant(), start("customer-42", customer)?)
        .await
        .map_err(|error| anyhow::anyhow!(error.log_line()))?;
    println!("{} is {:?}", session.id, session.status);
    if let Some(Next::Redirect { url }) = session.next {
        println!("send the customer to {}", url.expose_secret());
    }
    Ok(())
}

/// Store, vault and one gateway make a [`Billfold`].
async fn billfold() -> anyhow::Result<Billfold> {
    let store =
        billfold_store::connect("sqlite://embedded.db", &billfold_store::StoreOptions::default()).await?;
    store.migrate().await?;
    let root = LocalWrapper::from_base64(&root_key("embedded.root-key".as_ref())?)?;
    let vault = Vault::new(store.clone(), Arc::new(root));
    let settings = Settings {
        gateway: "xendit-id".into(),
        mode: Mode::Test,
        origin: "environment".into(),
        development: false,
        values: serde_json::json!({
            "secret_key": secret_key()?,
            "callback_token": "the token of the dashboard's webhook settings",
        }),
    };
    let gateway = Gateway {
        name: "xendit-id".parse()?,
        tenant: TenantId::default_tenant(),
        kind: "xendit".into(),
        mode: Mode::Test,
        provider: Registry::linked()?.build("xendit", &settings)?,
        transport: Arc::new(ReqwestTransport::new()?),
    };
    let public_url = "https://pay.your-shop.example".parse()?;
    Ok(Billfold::builder(store, vault, public_url).gateway(gateway).build()?)
}

/// The root key, made at the first start and kept beside the database: what it sealed opens with nothing
/// else. In production it lives elsewhere, and not in the database's backup.
fn root_key(file: &Path) -> anyhow::Result<SecretString> {
    if !file.exists() {
        let mut made = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?;
        made.write_all(LocalWrapper::generate(&SystemEntropy)?.expose_secret().as_bytes())?;
    }
    Ok(SecretString::from(std::fs::read_to_string(file)?))
}

fn start(reference: &str, profile: CustomerProfile) -> anyhow::Result<StartSession> {
    let mut request = StartSession::new(
        CustomerSelector::reference(reference, profile),
        Usage::UnscheduledCustomer,
        "IDR".parse()?,
        "ID".parse()?,
        "https://your-shop.example/wallet".parse()?,
    );
    request.locale = Some("en".to_owned());
    Ok(request)
}

#[expect(clippy::disallowed_methods, reason = "an example without a configuration file")]
fn secret_key() -> anyhow::Result<String> {
    std::env::var("XENDIT_SECRET_KEY").map_err(|_| anyhow::anyhow!("set XENDIT_SECRET_KEY to a test key"))
}
