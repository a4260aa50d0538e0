//! `settle`: the one place where news about a session becomes state. Return, webhook, poll and sweep
//! all end here; each commit compares and sets, so the loser of a race finds nothing left to do.

use secrecy::ExposeSecret;

use super::settle_method::{Token, next_status};
use super::{MAX_ROUNDS, contended, purpose, sealed_kind};
use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::id::{PaymentMethodId, RemovalId, VaultRecordId};
use crate::payment_method::{PaymentMethod, PaymentMethodStatus};
use crate::provider::{
    Echo, ProviderMethod, ProviderMethodStatus, ProviderSession, ProviderSessionStatus, TokenRef,
};
use crate::session::state::transition;
use crate::session::{Session, SessionStatus, Via};
use crate::store::{Changes, Commit, Removal, Write};
use crate::vault::{Fingerprint, Place};

impl Billfold {
    /// Brings a session to where the gateway says that it is, saving the methods of a completed one.
    /// `observed` must come from the gateway itself. Returns the session as it then stands.
    pub(super) async fn settle(
        &self,
        gateway: &Gateway,
        mut session: Session,
        observed: ProviderSession,
        via: Via,
    ) -> Result<Session> {
        check_belongs(&session, &observed)?;
        for _ in 0..MAX_ROUNDS {
            let Some(next) = transition(session.status, conclusive(&observed)) else { return Ok(session) };
            let (changes, settled) = self.settlement(gateway, &session, &observed, next, via).await?;
            if self.commit(changes).await? == Commit::Applied {
                let (status, way) = (settled.status.as_str(), via.as_str());
                tracing::info!(session = %settled.id, status, via = way, "session settled");
                if settled.status.is_final() {
                    let gateway = gateway.name.to_string();
                    metrics::counter!(
                        "billfold_sessions_settled_total", "gateway" => gateway, "status" => status, "via" => way
                    )
                    .increment(1);
                }
                return Ok(settled);
            }
            self.vault().forget(&session.tenant, &session.customer_id.to_string());
            session = self.reload_session(&session).await?;
        }
        Err(contended())
    }

    async fn settlement(
        &self,
        gateway: &Gateway,
        session: &Session,
        observed: &ProviderSession,
        status: SessionStatus,
        via: Via,
    ) -> Result<(Changes, Session)> {
        let mut changes = Changes::default();
        let mut settled = session.clone();
        settled.status = status;
        settled.provider_reference.get_or_insert_with(|| observed.reference.clone());
        if status == SessionStatus::Completed {
            for (index, method) in observed.methods.iter().enumerate() {
                let token = method.token.token.expose_secret();
                let named = |earlier: &ProviderMethod| earlier.token.token.expose_secret() == token;
                // A gateway that names a token twice means one method.
                if observed.methods.iter().take(index).any(named) {
                    continue;
                }
                let saved = self.save_method(gateway, session, method, &mut changes).await?;
                settled.details.payment_methods.push(saved);
            }
            settled.details.failure = None;
            self.learn_customer(gateway, session, observed, &mut changes).await?;
        }
        if status.is_final() {
            changes.vault_deletes.extend(settled.next.take().map(|next| (settled.tenant.clone(), next)));
            settled.details.settled_via = Some(via);
        }
        self.touch(&mut settled);
        // Whoever ends it by the clock may die before it is written down that the gateway did not answer.
        settled.next_check_at = self.schedule().next_session_check_unanswered(&settled, settled.updated_at);
        if status.is_final() {
            let name = format!("session.{}", status.as_str());
            changes.events.push(self.session_event(&name, &settled)?);
        }
        changes.sessions.push(Write::Update(settled.clone()));
        Ok((changes, settled))
    }

    /// Remembers the customer that the gateway made in a session, for the next one. Where Billfold makes them it
    /// did so before.
    async fn learn_customer(
        &self,
        gateway: &Gateway,
        session: &Session,
        observed: &ProviderSession,
        changes: &mut Changes,
    ) -> Result<()> {
        let Session { tenant, gateway: name, customer_id, .. } = session;
        let Some(made) = &observed.echo.customer else { return Ok(()) };
        if self.store().gateway_customer(tenant, name, *customer_id).await?.is_none() {
            changes.gateway_customers.push(self.gateway_customer(gateway, *customer_id, made));
        }
        Ok(())
    }

    /// Adds a saved method to the changes: a new one, or the one that its token or its instrument
    /// already made.
    async fn save_method(
        &self,
        gateway: &Gateway,
        session: &Session,
        observed: &ProviderMethod,
        changes: &mut Changes,
    ) -> Result<PaymentMethodId> {
        let token_fingerprint = self.token_fingerprint(gateway, observed.token.token.expose_secret()).await?;
        let instrument_fingerprint = self.instrument_fingerprint(gateway, observed).await?;
        let known = self.known_method(session, &token_fingerprint, &instrument_fingerprint).await?;
        if known.as_ref().is_some_and(|known| known.customer_id != session.customer_id) {
            return Err(incident(session, "the token already belongs to another customer"));
        }
        let now = self.now();
        let default = self.store().default_method(&session.tenant, session.customer_id).await?;
        let update = known.is_some();
        let before = known.as_ref().filter(|known| known.token_fingerprint == token_fingerprint);
        // What was there by this token is followed as whenever the gateway is asked about it.
        let status = before.map_or_else(
            || saved_status(observed.status),
            |known| next_status(known.status, observed.status, Token::Same),
        );
        let mut method = match known {
            Some(known) => PaymentMethod { updated_at: now, version: known.version + 1, ..known },
            None => PaymentMethod {
                id: PaymentMethodId::generate(now, self.entropy().as_ref())?,
                tenant: session.tenant.clone(),
                customer_id: session.customer_id,
                gateway: session.gateway.clone(),
                provider: session.provider.clone(),
                mode: session.mode,
                session_id: session.id,
                kind: observed.kind,
                channel: observed.channel.clone(),
                status: PaymentMethodStatus::Pending,
                usage: session.details.usage,
                is_default: false,
                display: observed.display.clone(),
                token: None,
                token_fingerprint: token_fingerprint.clone(),
                instrument_fingerprint,
                next_check_at: None,
                expiring_since: None,
                created_at: now,
                updated_at: now,
                version: 1,
            },
        };
        if method.token_fingerprint != token_fingerprint || method.token.is_none() {
            if let Some(superseded) = method.token {
                changes.removals.push(Write::Insert(self.removal(&method, superseded)?));
            }
            method.token = Some(self.seal_token(&method, &observed.token, changes).await?);
            method.token_fingerprint = token_fingerprint.clone();
        }
        method.session_id = session.id;
        method.display = observed.display.clone();
        method.status = status;
        let expiring = self.look_at_the_clock(&mut method);
        if self.store().token_was_deleted(&method.tenant, &method.gateway, &token_fingerprint).await? {
            // The customer saved again what they had deleted, and that deletion may be under way: whoever deletes
            // looks for this method afterwards, and the gateway is asked once more when they must be done.
            let soon = now.plus(2 * self.schedule().lease);
            method.next_check_at = Some(method.next_check_at.map_or(soon, |next| next.min(soon)));
        }
        let demoted = self.choose_default(&mut method, default, session.details.make_default, changes);

        let name = if update { "payment_method.updated" } else { "payment_method.saved" };
        changes.events.push(self.method_event(name, &method)?);
        if expiring {
            changes.events.push(self.method_event("payment_method.expiring", &method)?);
        }
        if demoted {
            changes.events.push(self.method_event("payment_method.default_changed", &method)?);
        }
        let id = method.id;
        changes.methods.push(if update { Write::Update(method) } else { Write::Insert(method) });
        Ok(id)
    }

    async fn known_method(
        &self,
        session: &Session,
        token: &Fingerprint,
        instrument: &Fingerprint,
    ) -> Result<Option<PaymentMethod>> {
        let Session { tenant, gateway, customer_id, .. } = session;
        if let Some(known) = self.store().method_by_token(tenant, gateway, token).await? {
            return Ok(Some(known));
        }
        let usage = session.details.usage;
        Ok(self.store().method_by_instrument(tenant, gateway, *customer_id, instrument, usage).await?)
    }

    /// The first method is the default; later ones only when asked for. Whether another was it before.
    fn choose_default(
        &self,
        method: &mut PaymentMethod,
        default: Option<PaymentMethod>,
        wanted: bool,
        changes: &mut Changes,
    ) -> bool {
        let in_this_commit =
            changes.methods.iter().any(|(Write::Insert(other) | Write::Update(other))| other.is_default);
        match default {
            None => method.is_default = !in_this_commit,
            Some(current) if wanted && current.id != method.id && !in_this_commit => {
                changes.methods.push(Write::Update(self.without_default(current)));
                method.is_default = true;
                return true;
            }
            Some(_) => {}
        }
        false
    }

    pub(super) fn without_default(&self, mut method: PaymentMethod) -> PaymentMethod {
        method.is_default = false;
        method.updated_at = self.now();
        method.version += 1;
        method
    }

    pub(super) async fn seal_token(
        &self,
        method: &PaymentMethod,
        token: &TokenRef,
        changes: &mut Changes,
    ) -> Result<VaultRecordId> {
        let (owner, object) = (method.customer_id.to_string(), method.id.to_string());
        let kind = sealed_kind::GATEWAY_TOKEN;
        let place = Place { tenant: &method.tenant, owner: &owner, kind, object: &object };
        let record = self.vault().seal(place, &token.to_secret_bytes()?).await?;
        let id = record.id;
        changes.vault.push(Write::Insert(record));
        Ok(id)
    }

    /// Opens the token of a method, for a call to its gateway. The record must be this method's: a row
    /// may have been made to point at another's.
    pub(super) async fn open_token(
        &self,
        method: &PaymentMethod,
        record: VaultRecordId,
    ) -> Result<Option<TokenRef>> {
        let Some(record) = self.store().vault_record(&method.tenant, record).await? else { return Ok(None) };
        let ours = record.owner == method.customer_id.to_string()
            && record.object == method.id.to_string()
            && record.kind == sealed_kind::GATEWAY_TOKEN;
        if !ours {
            return Err(Error::new(ErrorKind::Vault, "a stored value could not be sealed or opened"));
        }
        let opened = self.vault().open_if_kept(&record).await?;
        opened.map(|bytes| TokenRef::from_secret_bytes(&bytes)).transpose()
    }

    pub(super) fn removal(&self, method: &PaymentMethod, token: VaultRecordId) -> Result<Removal> {
        let now = self.now();
        Ok(Removal {
            id: RemovalId::generate(now, self.entropy().as_ref())?,
            tenant: method.tenant.clone(),
            gateway: method.gateway.clone(),
            payment_method_id: method.id,
            token,
            attempts: 0,
            next_attempt_at: Some(now),
            outcome: None,
            created_at: now,
            updated_at: now,
            version: 1,
        })
    }

    pub(super) async fn token_fingerprint(&self, gateway: &Gateway, token: &str) -> Result<Fingerprint> {
        let parts = [purpose::TOKEN, gateway.name.as_str().as_bytes(), token.as_bytes()];
        self.vault().fingerprint(&gateway.tenant, &parts).await
    }

    pub(super) async fn instrument_fingerprint(
        &self,
        gateway: &Gateway,
        method: &ProviderMethod,
    ) -> Result<Fingerprint> {
        let value = method.fingerprint.as_ref().unwrap_or(&method.token.token);
        let parts = [purpose::INSTRUMENT, gateway.name.as_str().as_bytes(), value.expose_secret().as_bytes()];
        self.vault().fingerprint(&gateway.tenant, &parts).await
    }
}

/// What the gateway's answer proves: a completed session without a usable method is not over.
fn conclusive(observed: &ProviderSession) -> ProviderSessionStatus {
    if observed.status != ProviderSessionStatus::Completed {
        return observed.status;
    }
    let saved = |method: &ProviderMethod| {
        matches!(
            method.status,
            ProviderMethodStatus::Pending | ProviderMethodStatus::Active | ProviderMethodStatus::Unknown
        )
    };
    match observed.methods.as_slice() {
        [] => ProviderSessionStatus::Processing,
        methods if methods.iter().any(saved) => ProviderSessionStatus::Completed,
        _ => ProviderSessionStatus::Failed,
    }
}

pub(super) fn saved_status(observed: ProviderMethodStatus) -> PaymentMethodStatus {
    match observed {
        ProviderMethodStatus::Pending | ProviderMethodStatus::Unknown => PaymentMethodStatus::Pending,
        ProviderMethodStatus::Active => PaymentMethodStatus::Active,
        ProviderMethodStatus::Failed => PaymentMethodStatus::Failed,
        ProviderMethodStatus::Expired => PaymentMethodStatus::Expired,
        ProviderMethodStatus::Revoked => PaymentMethodStatus::Revoked,
    }
}

/// Refuses an answer that is about something else than what was asked.
fn check_belongs(session: &Session, observed: &ProviderSession) -> Result<()> {
    if session.provider_reference.as_ref().is_some_and(|known| *known != observed.reference) {
        return Err(incident(session, "the gateway answered about another session"));
    }
    let echoes = std::iter::once(&observed.echo).chain(observed.methods.iter().map(|method| &method.echo));
    for echo in echoes {
        check_echo(session, echo)?;
    }
    Ok(())
}

fn check_echo(session: &Session, echo: &Echo) -> Result<()> {
    let details = &session.details;
    let differs = |said: &Option<String>, asked: &str| said.as_deref().is_some_and(|said| said != asked);
    if differs(&echo.reference, &session.id.to_string()) {
        return Err(incident(session, "the gateway's object carries another reference"));
    }
    if details.gateway_customer.as_ref().is_some_and(|asked| differs(&echo.customer, asked)) {
        return Err(incident(session, "the gateway's object belongs to another customer"));
    }
    if differs(&echo.currency, details.currency.code()) || differs(&echo.country, details.country.code()) {
        return Err(incident(session, "the gateway's object has another currency or country"));
    }
    Ok(())
}

fn incident(session: &Session, problem: &str) -> Error {
    tracing::error!(session = %session.id, gateway = %session.gateway, problem, "the gateway's answer contradicts the request");
    Error::new(ErrorKind::GatewayProtocol, "the gateway's answer does not match what was asked")
        .with_context("problem", problem)
}
