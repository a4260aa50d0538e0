//! The sweeper: sessions and methods that nobody told us about.

use futures::FutureExt as _;

use crate::billfold::Billfold;
use crate::error::{ErrorKind, Result};
use crate::payment_method::PaymentMethod;
use crate::provider::{ProviderSession, ProviderSessionStatus, SessionRef};
use crate::session::{Session, SessionStatus, Via};
use crate::store::{Changes, Write};

impl Billfold {
    /// Asks about up to `limit` sessions that are due and settles the answers; says how many there
    /// were. Sessions whose gateway never answers end by the clock. Those for which its budget has no place are put
    /// off, here and for charges and methods.
    pub async fn reconcile(&self, limit: u32) -> Result<usize> {
        let now = self.now();
        let claimed = self.store().claim_sessions(now, now.plus(self.schedule().lease), limit).await?;
        let count = claimed.len();
        let work = |session: Session| {
            async move {
                let id = session.id;
                if let Err(error) = self.sweep(session).await {
                    tracing::warn!(session = %id, error = %error.log_line(), "a session could not be swept");
                }
                Ok(())
            }
            .boxed()
        };
        self.within_budgets(claimed, work).await?;
        Ok(count)
    }

    /// Looks at up to `limit` methods that are due: pending ones, and active ones now and then and when their
    /// cards end or are about to.
    pub async fn recheck_methods(&self, limit: u32) -> Result<usize> {
        let now = self.now();
        let claimed = self.store().claim_methods(now, now.plus(self.schedule().lease), limit).await?;
        let count = claimed.len();
        let work = |method: PaymentMethod| {
            async move {
                let id = method.id;
                if let Err(error) = self.recheck(method).await {
                    tracing::warn!(payment_method = %id, error = %error.log_line(), "a payment method could not be rechecked");
                }
                Ok(())
            }
            .boxed()
        };
        self.within_budgets(claimed, work).await?;
        Ok(count)
    }

    async fn sweep(&self, session: Session) -> Result<()> {
        let asked = self.ask_about(&session).await;
        let overdue = self.now() > session.expires_at;
        let (settled, answered) = match asked {
            Ok(settled) => (settled, true),
            Err(error) if error.kind() == ErrorKind::GatewayRateLimited && !overdue => {
                return self.put_off_as_asked(session).await;
            }
            Err(error) => {
                tracing::warn!(session = %session.id, error = %error.log_line(), "the gateway could not be asked");
                (session, false)
            }
        };
        let settled = self.reload_session(&settled).await?;
        if overdue && !settled.status.is_final() {
            self.expire(settled.clone()).await?;
            if answered {
                return Ok(());
            }
            return self.schedule_check(self.reload_session(&settled).await?, answered).await;
        }
        self.schedule_check(settled, answered).await
    }

    async fn ask_about(&self, session: &Session) -> Result<Session> {
        // Without the gateway's id there is nothing to ask about: the answer to the creating call
        // was lost. A webhook that carries our reference still finds the session.
        let Some(reference) = session.provider_reference.clone() else { return Ok(session.clone()) };
        let gateway = self.gateway_of(&session.tenant, &session.gateway)?;
        let cx = gateway.context(self.clock(), session.id.to_string());
        let fetch = gateway.provider.fetch_session(&cx, SessionRef::new(reference));
        let observed = self.call(gateway, "fetch_session", fetch).await?;
        self.settle(gateway, session.clone(), observed, Via::Sweep).await
    }

    /// Ends a session by the clock. A completion that the gateway tells of later still counts.
    async fn expire(&self, session: Session) -> Result<()> {
        let Some(reference) = session.provider_reference.clone() else {
            return self.expire_unknown(session).await;
        };
        let gateway = self.gateway_of(&session.tenant, &session.gateway)?;
        let mut by_the_clock = ProviderSession::new(reference, ProviderSessionStatus::Expired);
        by_the_clock.echo.reference = Some(session.id.to_string());
        self.settle(gateway, session, by_the_clock, Via::Sweep).await.map(|_| ())
    }

    async fn expire_unknown(&self, mut session: Session) -> Result<()> {
        session.status = SessionStatus::Expired;
        session.details.settled_via = Some(Via::Sweep);
        session.details.failure = Some("the gateway never confirmed the session".to_owned());
        let link = session.next.take().map(|next| (session.tenant.clone(), next));
        session.next_check_at = None;
        self.touch(&mut session);
        let events = vec![self.session_event("session.expired", &session)?];
        let vault_deletes = link.into_iter().collect();
        let sessions = vec![Write::Update(session)];
        self.commit(Changes { sessions, vault_deletes, events, ..Changes::default() }).await?;
        Ok(())
    }

    async fn schedule_check(&self, mut session: Session, answered: bool) -> Result<()> {
        session.next_check_at = if answered {
            self.schedule().next_session_check(&session, self.now())
        } else {
            self.schedule().next_session_check_unanswered(&session, self.now())
        };
        session.details.checks = session.details.checks.saturating_add(1);
        session.version += 1;
        // Stale means that something happened meanwhile, which set its own next check.
        self.store().commit(Changes { sessions: vec![Write::Update(session)], ..Changes::default() }).await?;
        Ok(())
    }

    async fn recheck(&self, method: PaymentMethod) -> Result<()> {
        let gateway = self.gateway_of(&method.tenant, &method.gateway)?;
        let mut refreshed = self.recheck_method(gateway, method).await?;
        let next = self.schedule().next_method_check(&refreshed, self.now());
        if refreshed.next_check_at != next {
            refreshed.next_check_at = next;
            refreshed.version += 1;
            self.store()
                .commit(Changes { methods: vec![Write::Update(refreshed)], ..Changes::default() })
                .await?;
        }
        Ok(())
    }
}
