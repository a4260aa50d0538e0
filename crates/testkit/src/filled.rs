//! A database with something of everything in it, and what must be found there later: by the next release, after
//! a migration, in a restored backup.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use billfold_core::audit::Actor;
use billfold_core::capability::Usage;
use billfold_core::clock::{Clock as _, ManualClock, Timestamp};
use billfold_core::erasure::ErasureState;
use billfold_core::gateway::Gateway;
use billfold_core::id::{ErasureId, PaymentMethodId, SessionId, VaultRecordId};
use billfold_core::name::{GatewayName, TenantId};
use billfold_core::provider::{CustomerProfile, ProviderMethodStatus, WebhookDelivery};
use billfold_core::scope::{Scope, Scopes};
use billfold_core::secret::ExposeSecret;
use billfold_core::settings::Mode;
use billfold_core::store::{Page, RecordFilter, Store};
use billfold_core::vault::{
    KeyPurpose, KeyWrapper, Mask, PutRecord, RecordView, ReplaceRecord, SecretValue, Suite, Vault,
};
use billfold_core::{Billfold, CustomerSelector, Principal, StartSession};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::reference::{Instrument, NoTransport, ReferenceGateway, ReferenceProvider, SECRET_HEADER};

const SECRET: &str = "the-gateways-webhook-secret";
/// Whose data key somebody else knows.
const COMPROMISED: &str = "o-2";

/// What must be found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Expected {
    /// When the database was filled.
    pub at: Timestamp,
    /// The merchant's own values.
    pub records: Vec<ExpectedRecord>,
    /// Every sealed value, Billfold's own with them.
    pub sealed: usize,
    /// The end of each tenant's audit trail.
    pub heads: BTreeMap<TenantId, String>,
    /// Customers by their references, with their surnames.
    pub customers: BTreeMap<String, String>,
    /// A session that ended, and one that is open.
    pub sessions: Vec<SessionId>,
    /// The method that was saved, and its token at the gateway.
    pub method: (PaymentMethodId, String),
    /// An API key that opens the default tenant.
    pub api_key: String,
    /// The erasure of somebody.
    pub erasure: ErasureId,
    /// The names of the default tenant's events.
    pub events: Vec<String>,
}

/// A value, and what is known of it in clear.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExpectedRecord {
    tenant: TenantId,
    id: VaultRecordId,
    owner: String,
    kind: String,
    /// The value: JSON, or a list of bytes.
    value: Value,
    masked: Option<String>,
    metadata: BTreeMap<String, String>,
    generation: i64,
    expires_at: Option<Timestamp>,
}

/// A Billfold over a store, at a moment.
pub struct Filled {
    /// The façade.
    pub billfold: Billfold,
    /// Its gateway.
    pub gateway: Arc<ReferenceGateway>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    store: Arc<dyn Store>,
    root: Arc<dyn KeyWrapper>,
    tenant: TenantId,
}

fn actor() -> Actor {
    Actor::new("cli:golden")
}

fn name() -> GatewayName {
    "reference".parse().unwrap()
}

impl Filled {
    /// Opens a store under its root key.
    pub fn open(store: Arc<dyn Store>, root: Arc<dyn KeyWrapper>, at: Timestamp) -> Self {
        let clock = Arc::new(ManualClock::new(at));
        let gateway = Arc::new(ReferenceGateway::new());
        let tenant = TenantId::default_tenant();
        let vault = Vault::builder(store.clone(), root.clone()).clock(clock.clone()).build();
        let billfold = Billfold::builder(store.clone(), vault, "https://pay.example/".parse().unwrap())
            .clock(clock.clone())
            .gateway(Gateway {
                name: name(),
                tenant: tenant.clone(),
                kind: "reference".into(),
                mode: Mode::Test,
                provider: Arc::new(ReferenceProvider::new(gateway.clone(), SECRET)),
                transport: Arc::new(NoTransport),
            })
            .build()
            .unwrap();
        Self { billfold, gateway, clock, store, root, tenant }
    }

    fn step(&self) {
        self.clock.advance(Duration::from_secs(1));
    }

    /// Fills an empty database.
    pub async fn fill(&self) -> Expected {
        let (billfold, tenant) = (&self.billfold, &self.tenant);
        let ids = self.fill_vault().await;
        let (sessions, method) = self.fill_customers().await;
        let erasure = self.erase_somebody().await;
        let operator = Principal::operator(tenant.clone(), "golden");
        let scopes: Scopes = [Scope::Payments, Scope::VaultReveal].into_iter().collect();
        let issued = billfold.issue_api_key(&operator, "backend", scopes).await.unwrap();
        let revoked = billfold.issue_api_key(&operator, "old", Scopes::default()).await.unwrap();
        billfold.revoke_api_key(&operator, revoked.key.id).await.unwrap();
        let mut records = Vec::new();
        for (tenant, id) in ids {
            records.push(self.record(&tenant, id).await);
        }
        let mut heads = BTreeMap::new();
        for tenant in [tenant.clone(), "other".parse().unwrap()] {
            let verdict = billfold.verify_audit(&tenant, None).await.unwrap();
            heads.insert(tenant, verdict.head.unwrap());
        }
        let events = billfold.list_events(tenant, 0, 1000).await.unwrap();
        let sealed = self.store.count_vault_records(&RecordFilter::All).await.unwrap();
        Expected {
            at: self.clock.now(),
            records,
            sealed: usize::try_from(sealed).unwrap(),
            heads,
            customers: [("c-1".to_owned(), "Lorem".to_owned()), ("日本語".to_owned(), "Ipsum".to_owned())]
                .into(),
            sessions,
            method,
            api_key: issued.secret.expose_secret().to_owned(),
            erasure,
            events: events.into_iter().map(|event| event.name).collect(),
        }
    }

    /// Values of several shapes, under keys in every state.
    async fn fill_vault(&self) -> Vec<(TenantId, VaultRecordId)> {
        let vault = self.billfold.vault();
        let other_suites = [Suite::Aes256Gcm, Suite::XChaCha20Poly1305].map(|suite| {
            let builder = Vault::builder(self.store.clone(), self.root.clone()).suite(suite);
            builder.clock(self.clock.clone()).build()
        });
        let mut ids = Vec::new();
        for tenant in [self.tenant.clone(), "other".parse().unwrap()] {
            for owner in ["o-1", COMPROMISED, "o-3", "Straße \u{1F4B3}"] {
                let card = SecretValue::json(&"4111111111111111").unwrap();
                let mut card = PutRecord::new(owner, "card", card);
                card.mask = Mask::Last4;
                card.metadata = Some([("note".to_owned(), "it's \"quoted\" \\ %_".to_owned())].into());
                let account =
                    json!({"iban": "XX00 1234", "holder": {"name": "Lorem \u{1F4B3}", "n": [1, null]}});
                let mut account = PutRecord::new(owner, "account", SecretValue::json(&account).unwrap());
                account.identity = Some("XX00 1234".to_owned().into());
                account.expires_at = Some(self.clock.now().plus(Duration::from_hours(24 * 365)));
                let bytes = SecretValue::Bytes((0..=255).collect::<Vec<u8>>().into());
                let mut file = PutRecord::new(owner, "file", bytes);
                file.allow_duplicates = true;
                for put in [card, account, file] {
                    let vault = match owner {
                        COMPROMISED => &other_suites[0],
                        "o-3" => &other_suites[1],
                        _ => vault,
                    };
                    let stored = vault.put(&tenant, put).await.unwrap();
                    ids.push((tenant.clone(), stored.record.id));
                }
            }
        }
        self.step();
        // One owner's key is superseded and one of its values moved on; another's is known to somebody.
        let key = async |owner: &str| {
            let found = self.store.primary_vault_key(&self.tenant, owner, KeyPurpose::Data).await;
            found.unwrap().unwrap().id
        };
        let other: TenantId = "other".parse().unwrap();
        vault.rotate_data_step(Some(&other), self.clock.now(), None, 2).await.unwrap();
        vault.compromise_key(&self.tenant, key(COMPROMISED).await).await.unwrap();
        let value = SecretValue::json(&"4222222222222222").unwrap();
        vault.replace(&self.tenant, ids[0].1, ReplaceRecord::new(value)).await.unwrap();
        for (tenant, id) in ids.iter().step_by(3) {
            self.step();
            vault.reveal(tenant, *id, &actor()).await.unwrap();
        }
        ids
    }

    async fn fill_customers(&self) -> (Vec<SessionId>, (PaymentMethodId, String)) {
        let (billfold, tenant) = (&self.billfold, &self.tenant);
        let ended = billfold.start_session(tenant, start("c-1", "Lorem")).await.unwrap();
        self.gateway.complete("ref-0001", Instrument::card("tok-golden", "fp-golden"));
        self.deliver(json!({"event": "session.completed", "session": "ref-0001"})).await;
        self.deliver(json!({"event": "session.completed", "session": "ref-of-nobody"})).await;
        billfold.process(10).await.unwrap();
        let methods = billfold.list_methods(tenant, ended.customer_id, Page::first(10)).await.unwrap();
        self.step();
        let open = billfold.start_session(tenant, start("日本語", "Ipsum")).await.unwrap();
        (vec![ended.id, open.id], (methods[0].id, "tok-golden".to_owned()))
    }

    async fn erase_somebody(&self) -> ErasureId {
        let (billfold, tenant) = (&self.billfold, &self.tenant);
        let session = billfold.start_session(tenant, start("somebody", "Dolor")).await.unwrap();
        self.gateway.complete("ref-0003", Instrument::card("tok-erased", "fp-erased"));
        self.deliver(json!({"event": "session.completed", "session": "ref-0003"})).await;
        billfold.process(10).await.unwrap();
        self.step();
        let erasure = billfold.erase_customer(tenant, session.customer_id, &actor()).await.unwrap();
        assert_eq!(erasure.state, ErasureState::Done);
        erasure.id
    }

    async fn deliver(&self, body: Value) {
        let mut headers = http::HeaderMap::new();
        headers.insert(SECRET_HEADER, SECRET.parse().unwrap());
        let delivery = WebhookDelivery::new(body.to_string().into(), headers, "", self.clock.now());
        self.billfold.receive(&name(), delivery).await.unwrap();
    }

    async fn record(&self, tenant: &TenantId, id: VaultRecordId) -> ExpectedRecord {
        let revealed = self.billfold.vault().reveal(tenant, id, &actor()).await.unwrap();
        let value = match &revealed.value {
            SecretValue::Json(_) => revealed.value.read().unwrap(),
            SecretValue::Bytes(bytes) => json!(bytes.to_vec()),
        };
        let RecordView { id, owner, kind, masked, metadata, generation, expires_at, .. } = revealed.record;
        let tenant = tenant.clone();
        ExpectedRecord { tenant, id, owner, kind, value, masked, metadata, generation, expires_at }
    }

    /// Finds everything that was filled in. Panics with what is missing.
    pub async fn check(&self, expected: &Expected) {
        let (billfold, tenant) = (&self.billfold, &self.tenant);
        let vault = billfold.vault();
        let verified = vault.verify_step(None, 10_000).await.unwrap();
        assert_eq!((verified.opened, verified.refused), (expected.sealed, Vec::new()), "sealed values");
        for (tenant, head) in &expected.heads {
            let verdict = billfold.verify_audit(tenant, Some(head)).await.unwrap();
            assert_eq!(verdict.broken_at, None, "the audit trail of {tenant}");
        }
        for record in &expected.records {
            let mut found = self.record(&record.tenant, record.id).await;
            // What a compromised key sealed was sealed anew when it was first read.
            let anew = found.owner == COMPROMISED && found.generation == record.generation + 1;
            found.generation -= i64::from(anew);
            assert_eq!(found, *record);
            let page = Page::first(100);
            let listed = vault.list(&record.tenant, &record.owner, Some(&record.kind), page).await.unwrap();
            assert!(listed.iter().any(|listed| listed.id == record.id), "{} is not listed", record.id);
        }
        for (reference, surname) in &expected.customers {
            let customer = billfold.find_customer(tenant, reference).await.unwrap();
            assert_eq!(customer.profile.surname.as_ref(), Some(surname));
        }
        for id in &expected.sessions {
            billfold.get_session(tenant, *id).await.unwrap();
        }
        billfold.get_method(tenant, expected.method.0).await.unwrap();
        let principal = billfold.authenticate(&expected.api_key).await.unwrap();
        assert!(principal.tenant == *tenant && principal.scopes.allows(Scope::VaultReveal));
        let erasure = billfold.get_erasure(tenant, expected.erasure).await.unwrap();
        assert_eq!((erasure.state, erasure.gateway_deletions.len()), (ErasureState::Done, 1));
        let events = billfold.list_events(tenant, 0, 1000).await.unwrap();
        let names: Vec<String> = events.into_iter().map(|event| event.name).collect();
        assert_eq!(names, expected.events);
    }

    /// Works with what is there, as a program would go on doing: the saved token reaches its gateway, values are
    /// sealed anew, keys are replaced.
    pub async fn use_it(&self, expected: &Expected) {
        let (billfold, tenant) = (&self.billfold, &self.tenant);
        let (method, token) = &expected.method;
        self.gateway.set_token(token, ProviderMethodStatus::Active);
        billfold.delete_method(tenant, *method).await.unwrap();
        billfold.remove_tokens(10).await.unwrap();
        assert_eq!(
            self.gateway.token_status(token),
            Some(ProviderMethodStatus::Revoked),
            "the token was not sent"
        );
        let vault = billfold.vault();
        let mut after = None;
        loop {
            let step = vault.reseal_step(after, 10).await.unwrap();
            assert_eq!(step.failed, 0);
            after = step.next;
            if step.seen == 0 {
                break;
            }
        }
        assert_eq!(vault.status().await.unwrap().records_to_reseal, 0);
        let verified = vault.verify_step(None, 10_000).await.unwrap();
        assert_eq!(verified.refused, Vec::new());
    }
}

fn start(customer: &str, surname: &str) -> StartSession {
    let profile = CustomerProfile { surname: Some(surname.to_owned()), ..CustomerProfile::default() };
    StartSession::new(
        CustomerSelector::reference(customer, profile),
        Usage::UnscheduledCustomer,
        "IDR".parse().unwrap(),
        "ID".parse().unwrap(),
        "https://shop.example/done".parse().unwrap(),
    )
}
