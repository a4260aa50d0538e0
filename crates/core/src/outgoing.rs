//! What the merchant's system is told by itself: endpoints that want events, and the deliveries to them, signed as
//! the Standard Webhooks specification says. The events are those of the events table; a delivery is made from them,
//! so none is lost.

mod address;
mod delivery;
mod endpoint;
mod filter;
#[cfg(feature = "reqwest")]
mod reqwest;
mod sender;

pub use address::AddressPolicy;
pub use delivery::{
    AttemptError, DeliveryAttempt, EndpointDelivery, EndpointDeliveryState, EndpointDeliveryView,
};
pub use endpoint::{DisabledReason, EndpointState, PreviousSecret, WebhookEndpoint, WebhookEndpointView};
pub use filter::{EVENT_TYPES, EventFilter};
#[cfg(feature = "reqwest")]
pub use reqwest::ReqwestSender;
pub use sender::{SendError, SentAnswer, WebhookSender};
