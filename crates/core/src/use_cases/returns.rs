//! The customer's browser comes back. Nothing that it says is believed; it is a reason to ask.

use std::fmt::Display;

use url::Url;

use super::start::nonce_hash;
use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, Result};
use crate::gateway::Gateway;
use crate::id::SessionId;
use crate::provider::{ReturnRequest, SessionRef};
use crate::secret::constant_time_eq;
use crate::session::{Session, Via};
use crate::store::{Changes, Commit, Write};

impl Billfold {
    /// Where to send a browser that came back from the gateway: the merchant's return URL with
    /// `session_id` and `status` in its query.
    ///
    /// The nonce is used up by the first return that finds the session over; until then the
    /// customer may go back to the hosted page and return again. Errors: [`ErrorKind::NotFound`] for
    /// an unknown session or a wrong nonce, [`ErrorKind::Gone`] for a used one.
    pub async fn on_return(&self, id: SessionId, nonce: &str, request: ReturnRequest) -> Result<Url> {
        let session = self.store().session_of_any_tenant(id).await?;
        let proven = proves(session.as_ref().map(|session| &*session.nonce_hash), id, nonce);
        let session = session.filter(|_| proven).ok_or_else(|| Error::not_found("return address"))?;
        if session.details.returned_at.is_some() {
            return Err(used());
        }
        let session = if session.status.is_final() { session } else { self.ask(session, &request).await };
        let session = if session.status.is_final() { self.use_up(session).await? } else { session };
        let status = session.status.as_str();
        Ok(with_outcome(session.details.return_url, "session_id", id, status))
    }

    /// Asks the gateway; when it cannot be asked now, the webhook or the sweeper will tell.
    async fn ask(&self, session: Session, request: &ReturnRequest) -> Session {
        match self.fetch_after_return(&session, request).await {
            Ok(settled) => settled,
            Err(error) => {
                tracing::warn!(session = %session.id, error = %error.log_line(), "the gateway could not be asked on return");
                session
            }
        }
    }

    async fn fetch_after_return(&self, session: &Session, request: &ReturnRequest) -> Result<Session> {
        let gateway = self.gateway_of(&session.tenant, &session.gateway)?;
        let Some(reference) = session.provider_reference.clone() else { return Ok(session.clone()) };
        let mut target = SessionRef::new(reference);
        target.evidence = evidence(gateway, request);
        let cx = gateway.context(self.clock(), session.id.to_string());
        let observed =
            self.call(gateway, "fetch_session", gateway.provider.fetch_session(&cx, target)).await?;
        self.settle(gateway, session.clone(), observed, Via::Return).await
    }

    async fn use_up(&self, mut session: Session) -> Result<Session> {
        for _ in 0..MAX_ROUNDS {
            if session.details.returned_at.is_some() {
                return Err(used());
            }
            let mut used_up = session.clone();
            used_up.details.returned_at = Some(self.now());
            self.touch(&mut used_up);
            let changes = Changes { sessions: vec![Write::Update(used_up.clone())], ..Changes::default() };
            if self.store().commit(changes).await? == Commit::Applied {
                return Ok(used_up);
            }
            session = self.reload_session(&session).await?;
        }
        Err(contended())
    }
}

pub(super) fn used() -> Error {
    Error::new(ErrorKind::Gone, "this return address was already used")
}

/// Whether a nonce is that of a return address. One that does not exist is compared as well.
pub(super) fn proves(expected: Option<&[u8]>, id: impl Display, nonce: &str) -> bool {
    constant_time_eq(expected.unwrap_or(&[0; 32]), &nonce_hash(id, nonce))
}

/// What the browser brought for the gateway to judge. A provider that panics over a query must not keep the customer
/// from the merchant.
pub(super) fn evidence(gateway: &Gateway, request: &ReturnRequest) -> Option<String> {
    let hint = gateway.contain("read_return", || gateway.provider.read_return(request));
    hint.unwrap_or_default().evidence
}

/// The merchant's address, with the object that the customer comes back from and how it stands.
pub(super) fn with_outcome(mut address: Url, key: &str, id: impl Display, status: &str) -> Url {
    address.query_pairs_mut().append_pair(key, &id.to_string()).append_pair("status", status);
    address
}
