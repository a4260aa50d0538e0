//! Canceling a session: the gateway is asked to end it, and its answer is settled.

use crate::billfold::Billfold;
use crate::error::{Error, Result};
use crate::id::SessionId;
use crate::name::TenantId;
use crate::provider::SessionRef;
use crate::session::{SessionStatus, Via};
use crate::store::Page;
use crate::view::SessionView;

impl Billfold {
    /// One session, with what the customer has to do while it is open.
    pub async fn get_session(&self, tenant: &TenantId, id: SessionId) -> Result<SessionView> {
        let session = self.store().session(tenant, id).await?.ok_or_else(|| Error::not_found("session"))?;
        self.session_view(&session)
    }

    /// Sessions, oldest first, of one customer if named; without the link to the hosted page.
    pub async fn list_sessions(
        &self,
        tenant: &TenantId,
        customer: Option<crate::id::CustomerId>,
        page: Page<SessionId>,
    ) -> Result<Vec<SessionView>> {
        let sessions = self.store().sessions(tenant, customer, page).await?;
        Ok(sessions.iter().map(|session| SessionView::new(session, None)).collect())
    }

    /// Ends an open session. Canceling one that was canceled answers it; one that ended otherwise,
    /// or ends while it is being canceled, is a conflict that names its status.
    pub async fn cancel_session(&self, tenant: &TenantId, id: SessionId) -> Result<SessionView> {
        let session = self.store().session(tenant, id).await?.ok_or_else(|| Error::not_found("session"))?;
        if session.status.is_final() {
            return self.canceled_or_conflict(&session);
        }
        let Some(reference) = session.provider_reference.clone() else {
            return Err(Error::conflict(
                "the gateway has not confirmed the session yet; it ends by itself if it never does",
            ));
        };
        let gateway = self.gateway_of(tenant, &session.gateway)?;
        let cx = gateway.context(self.clock(), format!("{}-cancel", session.id));
        let cancel = gateway.provider.cancel_session(&cx, SessionRef::new(reference));
        let observed = gateway.guard("cancel_session", cancel).await?;
        let settled = self.settle(gateway, session, observed, Via::Cancel).await?;
        self.canceled_or_conflict(&settled)
    }

    fn canceled_or_conflict(&self, session: &crate::session::Session) -> Result<SessionView> {
        if session.status == SessionStatus::Canceled {
            return self.session_view(session);
        }
        Err(Error::conflict(format!("the session is {} and cannot be canceled", session.status.as_str())))
    }
}
