//! The customer's browser comes back. Nothing that it says is believed; it is a reason to ask.

use url::Url;

use super::start::nonce_hash;
use super::{MAX_ROUNDS, contended};
use crate::billfold::Billfold;
use crate::error::{Error, ErrorKind, Result};
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
        let expected = session.as_ref().map_or_else(|| vec![0; 32], |session| session.nonce_hash.clone());
        let equal = constant_time_eq(&expected, &nonce_hash(id, nonce));
        let session = session.filter(|_| equal).ok_or_else(|| Error::not_found("return address"))?;
        if session.details.returned_at.is_some() {
            return Err(used());
        }
        let session = if session.status.is_final() { session } else { self.ask(session, &request).await };
        let session = if session.status.is_final() { self.use_up(session).await? } else { session };
        Ok(merchant_address(&session))
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
        // A provider that panics over a query must not keep the customer from the merchant.
        let hint = gateway.contain("read_return", || gateway.provider.read_return(request));
        target.evidence = hint.unwrap_or_default().evidence;
        let cx = gateway.context(self.clock(), session.id.to_string());
        let observed = gateway.guard("fetch_session", gateway.provider.fetch_session(&cx, target)).await?;
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

fn merchant_address(session: &Session) -> Url {
    let mut address = session.details.return_url.clone();
    address
        .query_pairs_mut()
        .append_pair("session_id", &session.id.to_string())
        .append_pair("status", session.status.as_str());
    address
}
