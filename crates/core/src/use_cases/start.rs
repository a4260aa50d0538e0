//! Starting a session: an intent is stored, the gateway's customer is ensured, the session is
//! created at the gateway, and the intent becomes active.

mod request;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use url::Url;

use super::{MAX_ROUNDS, contended, purpose, sealed_kind};
use crate::billfold::Billfold;
use crate::customer::{Customer, GatewayCustomer};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::gateway::Gateway;
use crate::id::{CustomerId, SessionId, VaultRecordId};
use crate::name::TenantId;
use crate::provider::{CreateSession, CustomerProfile, EnsureCustomer, NextAction, ProviderSession};
use crate::secret::{random_token, sha256};
use crate::session::{Consent, Session, SessionDetails, SessionStatus, Via};
use crate::store::{Changes, Commit, Write};
use crate::vault::{Place, VaultRecord};
use crate::view::{Next, SessionView};

pub use request::{CustomerSelector, GivenConsent, StartSession};

/// The sealed form of [`Next`].
#[derive(Serialize, Deserialize)]
pub(super) enum StoredNext {
    Redirect(String),
    ClientSecret(String),
}

impl Billfold {
    /// Opens a session at a gateway and says what the customer has to do next.
    ///
    /// Errors: [`ErrorKind::InvalidRequest`] with pointers, before anything is stored; gateway
    /// errors, after which the session is `failed` when the gateway refused it, and left to the
    /// sweeper when it is not known whether the gateway acted ([`Retry::OutcomeUnknown`]).
    pub async fn start_session(&self, tenant: &TenantId, request: StartSession) -> Result<SessionView> {
        let (gateway, choice) = self.choose_gateway(tenant, &request)?;
        let gateway = gateway.clone();
        self.check_selector(tenant, &request.customer).await?;
        let id = match &request.intent {
            Some(intent) => intent.id(),
            None => SessionId::generate(self.now(), self.entropy().as_ref())?,
        };
        let before = self.store().session(tenant, id).await?;
        // One that the gateway refused to open has opened nothing there, and may be tried again as well.
        let began = |before: &&Session| match before.status {
            SessionStatus::Creating => false,
            SessionStatus::Failed => before.provider_reference.is_some(),
            _ => true,
        };
        if let Some(before) = before.as_ref().filter(began) {
            return self.session_view(before).await;
        }
        let nonce = random_token(self.entropy().as_ref())?;
        let mut create = self.provider_request(&gateway, &request, id, &nonce)?;
        create.customer = self.profile_for(tenant, &request.customer).await?;
        super::validate::request(self, &gateway, &request, &create)?;

        let customer = self.resolve_customer(tenant, &request.customer).await?;
        create.customer_reference = customer.id.to_string();
        let mut session = self.intent(&gateway, &request, &create, id, &nonce, customer.id);
        session.details.gateway_choice = choice;
        session.details.consent = self.consent(tenant, request.consent.as_ref()).await?;
        let intent = match before {
            // The attempt before died at the gateway, if it came so far. Nobody was given the link of what it may have
            // opened there.
            Some(before) => {
                session.created_at = before.created_at;
                session.version = before.version + 1;
                Write::Update(session.clone())
            }
            None => Write::Insert(session.clone()),
        };
        self.insert(Changes { sessions: vec![intent], ..Changes::default() }).await?;

        match self.create_at_gateway(&gateway, &customer, create).await {
            Ok((observed, gateway_customer)) => {
                self.activate(&gateway, session, observed, gateway_customer).await
            }
            Err(error) => {
                self.note_failure(&session, &error).await?;
                Err(error.with_context("session", id.to_string()))
            }
        }
    }

    async fn consent(&self, tenant: &TenantId, given: Option<&GivenConsent>) -> Result<Option<Consent>> {
        let Some(given) = given else { return Ok(None) };
        let mut consent = Consent {
            text_version: given.text_version.clone(),
            agreed_at: given.agreed_at.unwrap_or_else(|| self.now()),
            address: None,
        };
        if let Some(address) = given.ip_address {
            let address = address.to_string();
            let parts = [purpose::CONSENT_ADDRESS, address.as_bytes()];
            let fingerprint = self.vault().fingerprint(tenant, &parts).await?;
            consent.address = Some(fingerprint.as_str().to_owned());
        }
        Ok(Some(consent))
    }

    fn provider_request(
        &self,
        gateway: &Gateway,
        request: &StartSession,
        id: SessionId,
        nonce: &SecretString,
    ) -> Result<CreateSession> {
        let lifetime = gateway.capabilities().session_lifetime;
        let expires_at = request.expires_at.unwrap_or_else(|| self.now().plus(lifetime.default));
        let back = self.return_address(id, nonce)?;
        let StartSession { usage, currency, country, .. } = *request;
        let mut create =
            CreateSession::new(id.to_string(), "", usage, currency, country, back.clone(), back, expires_at);
        create.customer = request.customer.profile();
        create.recurring.clone_from(&request.recurring);
        create.channels = super::choose::offered(gateway, request);
        create.locale.clone_from(&request.locale);
        create.description.clone_from(&request.description);
        create.metadata.clone_from(&request.metadata);
        create.provider_options.clone_from(&request.provider_options);
        Ok(create)
    }

    /// Where a browser comes back to, for a session or a charge.
    pub(super) fn return_address(&self, id: impl ToString, nonce: &SecretString) -> Result<Url> {
        let mut address = self.public_url().clone();
        let id = id.to_string();
        address
            .path_segments_mut()
            .map_err(|()| Error::internal("the public URL cannot be a base"))?
            .pop_if_empty()
            .extend(["return", id.as_str(), nonce.expose_secret()]);
        Ok(address)
    }

    fn intent(
        &self,
        gateway: &Gateway,
        request: &StartSession,
        create: &CreateSession,
        id: SessionId,
        nonce: &SecretString,
        customer_id: CustomerId,
    ) -> Session {
        let now = self.now();
        let mut session = Session {
            id,
            tenant: gateway.tenant.clone(),
            gateway: gateway.name.clone(),
            provider: gateway.kind.clone(),
            mode: gateway.mode,
            customer_id,
            status: SessionStatus::Creating,
            provider_reference: None,
            next: None,
            nonce_hash: nonce_hash(id, nonce.expose_secret()),
            expires_at: create.expires_at,
            next_check_at: None,
            details: SessionDetails {
                usage: request.usage,
                recurring: request.recurring.clone(),
                currency: request.currency,
                country: request.country,
                channels: create.channels.clone(),
                locale: request.locale.clone(),
                description: request.description.clone(),
                metadata: request.metadata.clone(),
                return_url: request.return_url.clone(),
                make_default: request.make_default,
                gateway_customer: None,
                payment_methods: Vec::new(),
                settled_via: None,
                failure: None,
                returned_at: None,
                checks: 0,
                gateway_choice: None,
                consent: None,
            },
            created_at: now,
            updated_at: now,
            version: 1,
        };
        session.next_check_at = self.schedule().next_session_check(&session, now);
        session
    }

    async fn create_at_gateway(
        &self,
        gateway: &Gateway,
        customer: &Customer,
        mut create: CreateSession,
    ) -> Result<(ProviderSession, Option<String>)> {
        let ensured = self.ensure_gateway_customer(gateway, customer, &create.customer).await?;
        create.gateway_customer.clone_from(&ensured);
        let cx = gateway.context(self.clock(), create.reference.clone());
        let observed =
            self.call(gateway, "create_session", gateway.provider.create_session(&cx, create)).await?;
        let known = ensured.or_else(|| observed.echo.customer.clone());
        Ok((observed, known))
    }

    /// The gateway's id of the customer: stored before the first session is created, used ever after. Where a
    /// gateway makes its customers itself, it is the one of the first session that was completed.
    async fn ensure_gateway_customer(
        &self,
        gateway: &Gateway,
        customer: &Customer,
        profile: &CustomerProfile,
    ) -> Result<Option<String>> {
        let stored = self.store().gateway_customer(&gateway.tenant, &gateway.name, customer.id).await?;
        if let Some(stored) = stored {
            return Ok(Some(stored.reference));
        }
        let Some(directory) = gateway.provider.customers() else { return Ok(None) };
        // The account may be shared by several installations in time, so the key names the customer alone.
        let cx = gateway.context(self.clock(), customer.id.to_string());
        let ensure = EnsureCustomer::new(customer.id.to_string(), profile.clone());
        let reference = self.call(gateway, "ensure_customer", directory.ensure(&cx, ensure)).await?;
        let row = self.gateway_customer(gateway, customer.id, &reference);
        let changes = Changes { gateway_customers: vec![row], ..Changes::default() };
        if self.store().commit(changes).await? == Commit::Applied {
            return Ok(Some(reference));
        }
        let stored = self.store().gateway_customer(&gateway.tenant, &gateway.name, customer.id).await?;
        Ok(Some(stored.map_or(reference, |stored| stored.reference)))
    }

    pub(super) fn gateway_customer(
        &self,
        gateway: &Gateway,
        customer_id: CustomerId,
        reference: &str,
    ) -> GatewayCustomer {
        GatewayCustomer {
            tenant: gateway.tenant.clone(),
            gateway: gateway.name.clone(),
            customer_id,
            reference: reference.to_owned(),
            created_at: self.now(),
        }
    }

    /// Stores what the gateway answered. A webhook may have been quicker: then the session is
    /// already settled, and only what is still unknown is added.
    async fn activate(
        &self,
        gateway: &Gateway,
        mut session: Session,
        observed: ProviderSession,
        gateway_customer: Option<String>,
    ) -> Result<SessionView> {
        let next = observed.next.as_ref().map(stored_next);
        for _ in 0..MAX_ROUNDS {
            if session.provider_reference.as_ref().is_some_and(|known| *known != observed.reference) {
                // Another attempt at the same request was quicker: its session is the one.
                return self.session_view(&session).await;
            }
            let mut changed = session.clone();
            changed.provider_reference.get_or_insert_with(|| observed.reference.clone());
            if changed.details.gateway_customer.is_none() {
                changed.details.gateway_customer.clone_from(&gateway_customer);
            }
            changed.expires_at = observed.expires_at.unwrap_or(changed.expires_at);
            let mut changes = Changes::default();
            if let Some(next) = next.as_ref().filter(|_| !changed.status.is_final()) {
                let (owner, object) = (session.customer_id.to_string(), session.id.to_string());
                let record = self.seal_next(&session.tenant, &owner, &object, next).await?;
                changed.next = Some(record.id);
                changes.vault.push(Write::Insert(record));
            }
            if changed.status == SessionStatus::Creating {
                changed.status = SessionStatus::Active;
            }
            self.touch(&mut changed);
            changed.next_check_at = self.schedule().next_session_check(&changed, changed.updated_at);
            changes.sessions.push(Write::Update(changed.clone()));
            if self.store().commit(changes).await? == Commit::Applied {
                let settled = self.settle(gateway, changed, observed, Via::Create).await?;
                return self.session_view(&settled).await;
            }
            self.vault().forget(&session.tenant, &session.customer_id.to_string());
            session = self.reload_session(&session).await?;
        }
        Err(contended())
    }

    /// A refusal ends the session; anything else leaves it to the sweeper.
    async fn note_failure(&self, session: &Session, error: &Error) -> Result<()> {
        let refused = matches!(
            error.kind(),
            ErrorKind::GatewayRejected
                | ErrorKind::GatewayAuthentication
                | ErrorKind::InvalidRequest
                | ErrorKind::Unsupported
        );
        if error.retry() != Retry::Never || !refused {
            return Ok(());
        }
        let mut failed = session.clone();
        failed.status = SessionStatus::Failed;
        failed.details.failure = Some(error.message().to_owned());
        failed.next_check_at = None;
        self.touch(&mut failed);
        let events = vec![self.session_event("session.failed", &failed)?];
        let changes = Changes { sessions: vec![Write::Update(failed)], events, ..Changes::default() };
        // Stale means that a webhook was quicker, and what it brought is the truth.
        self.commit(changes).await?;
        Ok(())
    }

    pub(super) fn touch(&self, session: &mut Session) {
        session.updated_at = self.now();
        session.version += 1;
    }

    pub(super) async fn reload_session(&self, session: &Session) -> Result<Session> {
        self.store().session(&session.tenant, session.id).await?.ok_or_else(|| Error::not_found("session"))
    }

    pub(super) async fn insert(&self, changes: Changes) -> Result<()> {
        match self.store().commit(changes).await? {
            Commit::Applied => Ok(()),
            Commit::Stale => Err(contended()),
        }
    }

    pub(super) async fn session_view(&self, session: &Session) -> Result<SessionView> {
        let next = match session.next {
            Some(record) if !session.status.is_final() => {
                self.open_next(&session.tenant, &session.id.to_string(), record).await?
            }
            _ => None,
        };
        Ok(SessionView::new(session, next))
    }

    /// What the customer `owner` has to do for the session or charge `object`, as [`Self::open_next`] reads it.
    pub(super) async fn seal_next(
        &self,
        tenant: &TenantId,
        owner: &str,
        object: &str,
        next: &StoredNext,
    ) -> Result<VaultRecord> {
        let place = Place { tenant, owner, kind: sealed_kind::NEXT_ACTION, object };
        self.vault().seal_json(place, next).await
    }

    /// What the customer has to do, if the session or charge `object` did not end meanwhile.
    pub(super) async fn open_next(
        &self,
        tenant: &TenantId,
        object: &str,
        record: VaultRecordId,
    ) -> Result<Option<Next>> {
        let record = self.store().vault_record(tenant, record).await?;
        let ours = |record: &VaultRecord| record.object == object && record.kind == sealed_kind::NEXT_ACTION;
        let Some(record) = record.filter(ours) else { return Ok(None) };
        let opened = self.vault().open_json_if_kept(&record).await?;
        Ok(opened.map(|next| match next {
            StoredNext::Redirect(url) => Next::Redirect { url: SecretString::from(url) },
            StoredNext::ClientSecret(secret) => Next::ClientSecret { secret: SecretString::from(secret) },
        }))
    }
}

/// Binds a nonce to its session or charge.
pub(super) fn nonce_hash(id: impl std::fmt::Display, nonce: &str) -> Vec<u8> {
    sha256(format!("{id}|{nonce}").as_bytes()).to_vec()
}

pub(super) fn stored_next(next: &NextAction) -> StoredNext {
    match next {
        NextAction::Redirect(url) => StoredNext::Redirect(url.expose_secret().to_owned()),
        NextAction::ClientSecret(secret) => StoredNext::ClientSecret(secret.expose_secret().to_owned()),
    }
}
