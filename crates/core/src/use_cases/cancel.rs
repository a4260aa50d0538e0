//! Canceling a session: the gateway is asked to end it, and its answer is settled.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use crate::billfold::Billfold;
use crate::error::{Error, Result};
use crate::gateway::Gateway;
use crate::id::SessionId;
use crate::name::TenantId;
use crate::provider::{ProviderSession, SessionRef};
use crate::session::{Session, SessionStatus, Via};
use crate::store::Page;
use crate::view::SessionView;

impl Billfold {
    /// One session, with what the customer has to do while it is open.
    pub async fn get_session(&self, tenant: &TenantId, id: SessionId) -> Result<SessionView> {
        let session = self.visible_session(tenant, id).await?;
        self.session_view(&session).await
    }

    /// Sessions, oldest first, of one customer if named; without the link to the hosted page.
    pub async fn list_sessions(
        &self,
        tenant: &TenantId,
        customer: Option<crate::id::CustomerId>,
        page: Page<SessionId>,
    ) -> Result<Vec<SessionView>> {
        let wanted = usize::try_from(page.limit).unwrap_or(usize::MAX);
        let (mut views, mut rest) = (Vec::new(), page);
        let mut visible = BTreeMap::new();
        // Those of customers who are being erased are passed over, so a page may take more than one look.
        while views.len() < wanted {
            let sessions = self.store().sessions(tenant, customer, rest).await?;
            let Some(last) = sessions.last() else { break };
            rest.after = Some(last.id);
            for session in &sessions {
                let of = session.customer_id;
                if let Entry::Vacant(unknown) = visible.entry(of) {
                    unknown.insert(self.visible_customer(tenant, of).await?.is_some());
                }
                if visible.get(&of) == Some(&true) {
                    views.push(SessionView::new(session, None));
                }
            }
        }
        views.truncate(wanted);
        Ok(views)
    }

    /// A session whose customer is not being erased.
    async fn visible_session(&self, tenant: &TenantId, id: SessionId) -> Result<Session> {
        let session = self.store().session(tenant, id).await?.ok_or_else(|| Error::not_found("session"))?;
        let customer = self.visible_customer(tenant, session.customer_id).await?;
        customer.map(|_| session).ok_or_else(|| Error::not_found("session"))
    }

    /// Ends an open session. Canceling one that was canceled answers it; one that ended otherwise,
    /// or ends while it is being canceled, is a conflict that names its status.
    pub async fn cancel_session(&self, tenant: &TenantId, id: SessionId) -> Result<SessionView> {
        let session = self.visible_session(tenant, id).await?;
        if session.status.is_final() {
            return self.canceled_or_conflict(&session).await;
        }
        let Some(reference) = session.provider_reference.clone() else {
            return Err(Error::conflict(
                "the gateway has not confirmed the session yet; it ends by itself if it never does",
            ));
        };
        let gateway = self.gateway_of(tenant, &session.gateway)?;
        let observed = self.ask_to_cancel(gateway, &session, reference).await?;
        let settled = self.settle(gateway, session, observed, Via::Cancel).await?;
        self.canceled_or_conflict(&settled).await
    }

    pub(super) async fn ask_to_cancel(
        &self,
        gateway: &Gateway,
        session: &Session,
        reference: String,
    ) -> Result<ProviderSession> {
        // Not the key under which the session was created: this is another call.
        let cx = gateway.context(self.clock(), format!("{}-cancel", session.id));
        let cancel = gateway.provider.cancel_session(&cx, SessionRef::new(reference));
        self.call(gateway, "cancel_session", cancel).await
    }

    async fn canceled_or_conflict(&self, session: &Session) -> Result<SessionView> {
        if session.status == SessionStatus::Canceled {
            return self.session_view(session).await;
        }
        Err(Error::conflict(format!("the session is {} and cannot be canceled", session.status.as_str())))
    }
}
