//! Typed identifiers: a prefix that names the kind and a UUIDv7 that sorts by creation time.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

use crate::clock::Timestamp;
use crate::entropy::{Entropy, EntropyError};

/// What an [`Id`] identifies; gives the textual prefix.
pub trait IdKind: Copy + Ord + std::hash::Hash + Send + Sync + 'static {
    /// The part before the underscore, such as `ses`.
    const PREFIX: &'static str;
}

/// An identifier of one kind: `prefix_` and 32 hexadecimal digits. All ids of a kind have the same
/// length, so none is the beginning of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id<K: IdKind> {
    uuid: Uuid,
    kind: PhantomData<K>,
}

/// Marks customer ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CustomerKind;
/// Marks session ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionKind;
/// Marks payment method ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentMethodKind;
/// Marks vault record ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VaultRecordKind;
/// Marks webhook delivery ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKind;
/// Marks removal ids: a token that still has to be deleted at its gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemovalKind;
/// Marks erasure ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ErasureKind;
/// Marks event ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventIdKind;
/// Marks API key ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApiKeyKind;

/// Marks webhook endpoint ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WebhookEndpointKind;
/// Marks the ids of deliveries to webhook endpoints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointDeliveryKind;
/// Marks the ids of idempotency keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IdempotencyKeyKind;

/// Marks charge ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChargeKind;
/// Marks refund ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RefundKind;

impl IdKind for CustomerKind {
    const PREFIX: &'static str = "cus";
}
impl IdKind for SessionKind {
    const PREFIX: &'static str = "ses";
}
impl IdKind for PaymentMethodKind {
    const PREFIX: &'static str = "pm";
}
impl IdKind for VaultRecordKind {
    const PREFIX: &'static str = "vlt";
}
impl IdKind for DeliveryKind {
    const PREFIX: &'static str = "whd";
}
impl IdKind for RemovalKind {
    const PREFIX: &'static str = "rmv";
}
impl IdKind for ErasureKind {
    const PREFIX: &'static str = "ers";
}
impl IdKind for EventIdKind {
    const PREFIX: &'static str = "evt";
}
impl IdKind for ApiKeyKind {
    const PREFIX: &'static str = "key";
}

impl IdKind for WebhookEndpointKind {
    const PREFIX: &'static str = "whe";
}
impl IdKind for EndpointDeliveryKind {
    const PREFIX: &'static str = "dlv";
}
impl IdKind for IdempotencyKeyKind {
    const PREFIX: &'static str = "idk";
}

impl IdKind for ChargeKind {
    const PREFIX: &'static str = "chg";
}
impl IdKind for RefundKind {
    const PREFIX: &'static str = "rfd";
}

/// `chg_…`: a payment made with a saved method. Also the reference given to the gateway.
pub type ChargeId = Id<ChargeKind>;
/// `rfd_…`: money given back. Also the reference given to the gateway.
pub type RefundId = Id<RefundKind>;
/// `cus_…`: the merchant's payer.
pub type CustomerId = Id<CustomerKind>;
/// `ses_…`: one attempt to save a payment method. Also the reference given to the gateway.
pub type SessionId = Id<SessionKind>;
/// `pm_…`: a saved payment method.
pub type PaymentMethodId = Id<PaymentMethodKind>;
/// `vlt_…`: a sealed value.
pub type VaultRecordId = Id<VaultRecordKind>;
/// `whd_…`: a webhook as received.
pub type DeliveryId = Id<DeliveryKind>;
/// `rmv_…`: a token awaiting deletion at its gateway.
pub type RemovalId = Id<RemovalKind>;
/// `ers_…`: a customer's erasure.
pub type ErasureId = Id<ErasureKind>;
/// `evt_…`: something the merchant's system is told.
pub type EventId = Id<EventIdKind>;
/// `key_…`: the public half of an API key.
pub type ApiKeyId = Id<ApiKeyKind>;

/// `whe_…`: an address of the merchant's that events are sent to.
pub type WebhookEndpointId = Id<WebhookEndpointKind>;
/// `dlv_…`: one event on its way to one webhook endpoint.
pub type EndpointDeliveryId = Id<EndpointDeliveryKind>;

/// `idk_…`: a key under which a request has one effect; never shown.
pub type IdempotencyKeyId = Id<IdempotencyKeyKind>;

/// A text that is not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected an id such as {prefix}_ followed by 32 hexadecimal digits")]
pub struct InvalidId {
    prefix: &'static str,
}

impl<K: IdKind> Id<K> {
    /// A new id at `now`, with its random part from `entropy`.
    pub fn generate(now: Timestamp, entropy: &dyn Entropy) -> Result<Self, EntropyError> {
        let mut random = [0_u8; 10];
        entropy.fill(&mut random)?;
        let millis = u64::try_from(now.as_millis()).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Ok(Self { uuid, kind: PhantomData })
    }

    /// The id that belongs to a moment and a digest: the same for the same two.
    pub(crate) fn derived(at: Timestamp, digest: &[u8; 32]) -> Self {
        let mut random = [0_u8; 10];
        random.copy_from_slice(&digest[..10]);
        let millis = u64::try_from(at.as_millis()).unwrap_or(0);
        let uuid = uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid();
        Self { uuid, kind: PhantomData }
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.uuid.simple())
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = InvalidId { prefix: K::PREFIX };
        let hex = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        let hex = hex.filter(|hex| hex.len() == 32 && !hex.bytes().any(|b| b.is_ascii_uppercase()));
        let uuid = hex.and_then(|hex| Uuid::try_parse(hex).ok()).ok_or(invalid)?;
        Ok(Self { uuid, kind: PhantomData })
    }
}

impl<K: IdKind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: IdKind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SystemEntropy;

    fn session_id() -> SessionId {
        SessionId::generate(Timestamp::from_millis(1_700_000_000_000), &SystemEntropy).unwrap()
    }

    #[test]
    fn text_and_back() {
        let id = session_id();
        assert_eq!(id.to_string().len(), 36);
        assert_eq!(id.to_string().parse::<SessionId>().unwrap(), id);
    }

    #[test]
    fn another_kind_or_spelling_is_refused() {
        let text = session_id().to_string();
        assert!(text.parse::<CustomerId>().is_err());
        assert!(text.to_uppercase().parse::<SessionId>().is_err());
        assert!(text[..35].parse::<SessionId>().is_err());
        assert!(format!("{text}0").parse::<SessionId>().is_err());
        assert!("ses_0000000-0000000-0000000000000000".parse::<SessionId>().is_err());
        assert!("".parse::<SessionId>().is_err());
    }

    #[test]
    fn ids_sort_by_time() {
        let early = CustomerId::generate(Timestamp::from_millis(1_000), &SystemEntropy).unwrap();
        let late = CustomerId::generate(Timestamp::from_millis(2_000), &SystemEntropy).unwrap();
        assert!(early < late && early.to_string() < late.to_string());
    }
}
