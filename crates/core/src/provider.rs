//! The contract between Billfold and a gateway. A provider is a crate that implements
//! [`TokenizationProvider`] and registers itself; core never names one.
//!
//! A provider converts: its types to the gateway's and back. It keeps no state, and it contains no
//! retry, time-out, metric or log policy; those belong to core. Expected outcomes are values
//! ([`Deletion::AlreadyGone`]); `Err` means "could not do, or could not tell".

mod charge;
mod context;
mod method;
mod session;
mod webhook;

use std::fmt;

use async_trait::async_trait;

pub use charge::{
    ChargeAbilities, ChargeProvider, ChargeRef, CreateCharge, CreateRefund, Lookup, ProviderCharge,
    ProviderChargeStatus, ProviderRefund, RefundRef, SignedCharge,
};
pub use context::CallContext;
pub use method::{Deletion, ProviderMethod, ProviderMethodStatus, TokenRef};
pub use session::{
    CreateSession, CustomerProfile, Echo, EnsureCustomer, NextAction, ProviderSession, ProviderSessionStatus,
    RecurringTerms, ReturnHint, ReturnRequest, SessionRef,
};
pub use webhook::{
    Acknowledgement, EventSubject, ProviderEvent, WebhookBatch, WebhookDelivery, WebhookRejection,
};

use crate::capability::Capabilities;
use crate::error::Result;

/// One configured account of one gateway.
#[async_trait]
pub trait TokenizationProvider: fmt::Debug + Send + Sync {
    /// What this account can do. The same for the life of the value.
    fn capabilities(&self) -> &Capabilities;

    /// Checks what only this gateway knows about a request (names, contact details,
    /// `provider_options`) before anything is stored. Errors carry JSON pointers.
    fn validate(&self, request: &CreateSession) -> Result<()>;

    /// Opens a session that saves a payment method, for no amount.
    async fn create_session(&self, cx: &CallContext, request: CreateSession) -> Result<ProviderSession>;

    /// The truth about a session, with the methods it saved.
    async fn fetch_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession>;

    /// Ends a session early. A session that had already ended is answered as it is, not as an error.
    async fn cancel_session(&self, cx: &CallContext, session: SessionRef) -> Result<ProviderSession>;

    /// What the customer's browser brought back: a hint, never proof.
    fn read_return(&self, request: &ReturnRequest) -> ReturnHint;

    /// Verifies and reads a webhook; pure and quick.
    fn read_webhook(&self, delivery: &WebhookDelivery) -> Result<WebhookBatch, WebhookRejection>;

    /// The truth about a saved token.
    async fn fetch_method(&self, cx: &CallContext, token: TokenRef) -> Result<ProviderMethod>;

    /// Deletes a saved token at the gateway. Doing it twice is no error.
    async fn delete_method(&self, cx: &CallContext, token: TokenRef) -> Result<Deletion>;

    /// A call that costs nothing and proves that the credentials work.
    async fn check(&self, cx: &CallContext) -> Result<()>;

    /// The gateway's own customers, where it keeps some.
    fn customers(&self) -> Option<&dyn CustomerDirectory> {
        None
    }

    /// Charging what was saved, where this provider can.
    fn charging(&self) -> Option<&dyn ChargeProvider> {
        None
    }
}

/// Gateways that keep customers of their own: one is made per Billfold customer, before their first
/// session, and used ever after.
#[async_trait]
pub trait CustomerDirectory: fmt::Debug + Send + Sync {
    /// The gateway's id of this customer, made if there is none. `cx.idempotency_key` is the same
    /// in every attempt for one customer; a customer that exists under the reference is found, not
    /// reported as an error.
    async fn ensure(&self, cx: &CallContext, customer: EnsureCustomer) -> Result<String>;
}
