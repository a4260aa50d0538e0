//! What the suite asks of a provider's author: a gateway to play with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use billfold_core::clock::Timestamp;
use billfold_core::provider::TokenizationProvider;
use billfold_core::settings::Settings;
use billfold_core::transport::Transport;
use billfold_core::{Result, StartSession};
use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use serde_json::Value;
use url::Url;

use super::charge_driver::ChargeDriver;

/// What not every gateway can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ability {
    /// An attempt fails, and the session stays open ([`Driver::decline`]).
    Decline,
    /// Sessions end by time, and the gateway says so ([`Driver::expire`]).
    Expire,
    /// Sessions are ended early at the gateway too, so that nobody saves anything in one any more.
    Cancel,
    /// Tokens are taken back, and a webhook tells of it ([`Driver::revoke`]).
    Revoke,
    /// Tokens are saved before they are usable ([`Driver::complete_pending`], [`Driver::activate`]).
    Pending,
    /// Tokens are replaced by others, and a webhook tells of it ([`Driver::replace`]).
    Replace,
    /// Metadata is kept ([`Driver::metadata`]).
    Metadata,
    /// Customers come back by an address of ours ([`Driver::way_back`]).
    Return,
}

/// One of two cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Card {
    /// A card.
    One,
    /// Another card.
    Other,
}

/// A webhook as the gateway sent it.
#[derive(Debug, Clone)]
pub struct SentWebhook {
    /// Every header that matters.
    pub headers: HeaderMap,
    /// The body, byte for byte.
    pub body: Bytes,
}

/// By which secret a webhook proves itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// That of [`Driver::settings`].
    Current,
    /// The one that replaces it ([`Driver::rotation`]).
    Next,
    /// One that was never ours.
    Stranger,
    /// The empty text, or an empty key.
    Empty,
}

/// The settings table while the webhook secret is changed, and after.
#[derive(Debug, Clone)]
pub struct Rotation {
    /// [`Signer::Next`] is the secret, [`Signer::Current`] the previous one.
    pub during: Value,
    /// [`Signer::Next`] alone.
    pub after: Value,
}

/// A provider and a local gateway that it speaks to. Each trial has a driver of its own, whose gateway nothing
/// has happened at. Ids are the gateway's.
#[async_trait]
pub trait Driver: Send + Sync {
    /// Builds the provider, as its registration does.
    fn build(&self, settings: &Settings) -> Result<Arc<dyn TokenizationProvider>>;

    /// The settings table of an account in test mode, with everything that is required and nothing more.
    fn settings(&self) -> Value;

    /// The keys of [`Driver::settings`] that hold secrets.
    fn secret_settings(&self) -> Vec<&'static str>;

    /// The key of [`Driver::settings`] that holds the API key, and another key of the same form that the
    /// gateway does not know.
    fn wrong_api_key(&self) -> (&'static str, String);

    /// In which of several ways the provider is run, such as `hosted`: a word for the table of `docs/providers`; empty
    /// when there is one way.
    fn variant(&self) -> &'static str {
        ""
    }

    /// Why the gateway, or the local one that plays it, has no such thing; `None` when it has.
    fn lacks(&self, _ability: Ability) -> Option<&'static str> {
        None
    }

    /// The settings for a change of the webhook secret; `None` when the provider knows one secret only.
    fn rotation(&self) -> Option<Rotation> {
        None
    }

    /// What must never be printed: keys and secrets, in every form in which they are sent.
    fn canaries(&self) -> Vec<String>;

    /// Reaches the gateway.
    fn transport(&self) -> Arc<dyn Transport>;

    /// What time it is at the gateway.
    fn now(&self) -> Timestamp;

    /// A request that the gateway accepts, for this customer, with nothing more than is required.
    fn request(&self, customer: &str) -> StartSession;

    /// The sessions, oldest first.
    async fn sessions(&self) -> Vec<String>;

    /// The metadata that came with a session; `None` when there is no such session.
    async fn metadata(&self, session: &str) -> Option<BTreeMap<String, String>>;

    /// Where the customer's browser is sent after success (`true`), or after giving up.
    async fn way_back(&self, session: &str, success: bool) -> Option<Url>;

    /// The customer saves a card, and it is usable; says its token. `None` when the session is over.
    async fn complete(&self, session: &str, card: Card) -> Option<String>;

    /// The same with a card that is not usable yet.
    async fn complete_pending(&self, _session: &str, _card: Card) -> Option<String> {
        None
    }

    /// A token that was not usable becomes so. `false` when it is not there.
    async fn activate(&self, _token: &str) -> bool {
        false
    }

    /// The gateway puts another token, for [`Card::Other`], in the place of one; says which. `None` when it is not
    /// there.
    async fn replace(&self, _token: &str) -> Option<String> {
        None
    }

    /// One attempt fails, and the session stays open. `false` when it is not there.
    async fn decline(&self, session: &str) -> bool;

    /// The session's time is up. `false` when it is not open.
    async fn expire(&self, session: &str) -> bool;

    /// The bank or the customer takes a token back. `false` when it is not there.
    async fn revoke(&self, token: &str) -> bool;

    /// Whether a token could be charged.
    async fn is_usable(&self, token: &str) -> bool;

    /// Whether a session can still be completed.
    async fn is_open(&self, session: &str) -> bool;

    /// The webhooks that the gateway sent since it was asked last, oldest first.
    async fn webhooks(&self) -> Vec<SentWebhook>;

    /// A body as the gateway would send it at a moment, proven by a secret.
    fn sign(&self, body: &[u8], signer: Signer, at: Timestamp) -> SentWebhook;

    /// The next attempt at a webhook, a minute later: with whatever changes between attempts.
    fn again(&self, webhook: &SentWebhook) -> SentWebhook;

    /// The body of an event that nobody has heard of.
    fn unknown_event(&self) -> Value;

    /// One delivery of these webhooks' events, the last of which was altered by somebody who does not know
    /// the secret; of none, an empty delivery. `None` when a delivery carries one event.
    fn forged_batch(&self, _genuine: &[SentWebhook]) -> Option<SentWebhook> {
        None
    }

    /// The header that proves a webhook; `None` when the proof is in the body.
    fn proof_header(&self) -> Option<HeaderName>;

    /// How far the time in a webhook's signature may be off; `None` when no time is signed.
    fn tolerance(&self) -> Option<Duration>;

    /// JSON pointers to statuses in the gateway's answers; none when asking about a session tells no status.
    fn statuses(&self) -> Vec<&'static str>;

    /// The part of the local gateway that charges, where the provider does.
    fn charges(&self) -> Option<Arc<dyn ChargeDriver>> {
        None
    }

    /// Whether the gateway answers a repeated creating call, under the same key, with what it made before.
    fn is_idempotent(&self) -> bool;
}
