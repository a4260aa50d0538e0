//! Saved methods and their tokens.

use std::collections::BTreeMap;
use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use super::Echo;
use crate::capability::MethodKind;
use crate::error::{Error, ErrorKind, Result};
use crate::payment_method::Display;

/// What charges a saved method: structured, never glued together, and secret as a whole.
#[derive(Clone)]
pub struct TokenRef {
    /// The gateway's customer that owns the token, where charging needs it.
    pub customer: Option<String>,
    /// The gateway's token.
    pub token: SecretString,
    /// What else this gateway needs to use the token.
    pub extra: BTreeMap<String, String>,
}

/// The form in which a token is sealed.
#[derive(Serialize, Deserialize)]
struct Plain {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    customer: Option<String>,
    token: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extra: BTreeMap<String, String>,
}

impl TokenRef {
    /// A token that needs nothing else.
    pub fn new(token: impl Into<SecretString>) -> Self {
        Self { customer: None, token: token.into(), extra: BTreeMap::new() }
    }

    /// The bytes to seal. They are the secret: seal them, and do nothing else.
    pub fn to_secret_bytes(&self) -> Result<zeroize::Zeroizing<Vec<u8>>> {
        let plain = Plain {
            customer: self.customer.clone(),
            token: self.token.expose_secret().to_owned(),
            extra: self.extra.clone(),
        };
        let bytes =
            serde_json::to_vec(&plain).map_err(|_| Error::internal("a token could not be written"))?;
        Ok(zeroize::Zeroizing::new(bytes))
    }

    /// From the bytes that [`TokenRef::to_secret_bytes`] gave.
    pub fn from_secret_bytes(bytes: &[u8]) -> Result<Self> {
        let plain: Plain = serde_json::from_slice(bytes)
            .map_err(|_| Error::new(ErrorKind::Vault, "a stored token could not be read"))?;
        Ok(Self { customer: plain.customer, token: SecretString::from(plain.token), extra: plain.extra })
    }
}

impl fmt::Debug for TokenRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenRef(..)")
    }
}

/// Where a saved method stands at the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderMethodStatus {
    /// Saved, but not usable yet.
    Pending,
    /// Usable.
    Active,
    /// Saving it failed.
    Failed,
    /// Its validity ended.
    Expired,
    /// The customer, the bank or the merchant took it back.
    Revoked,
    /// A status that this version does not know: not final, and never "usable".
    Unknown,
}

/// A saved method as the gateway sees it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ProviderMethod {
    /// What charges it.
    pub token: TokenRef,
    /// The token in whose place the gateway put this one: the token that was asked about, when the
    /// gateway has another for it now. Without it, an answer with another token is not believed.
    pub replaces: Option<SecretString>,
    /// Card, wallet or bank debit.
    pub kind: MethodKind,
    /// The gateway's channel code.
    pub channel: String,
    /// Where it stands.
    pub status: ProviderMethodStatus,
    /// What a customer recognises it by.
    pub display: Display,
    /// The gateway's own fingerprint of the instrument: equal for two tokens of one card.
    pub fingerprint: Option<SecretString>,
    /// What it says that it belongs to.
    pub echo: Echo,
}

impl ProviderMethod {
    /// A method with what is always known.
    pub fn new(
        token: TokenRef,
        kind: MethodKind,
        channel: impl Into<String>,
        status: ProviderMethodStatus,
    ) -> Self {
        Self {
            token,
            replaces: None,
            kind,
            channel: channel.into(),
            status,
            display: Display::default(),
            fingerprint: None,
            echo: Echo::default(),
        }
    }
}

/// How deleting a token ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deletion {
    /// The gateway deleted it now.
    Deleted,
    /// It was not usable any more.
    AlreadyGone,
    /// The gateway has no way to delete it; only our copy goes.
    LocalOnly,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_survives_sealing_and_never_prints() {
        let mut token = TokenRef::new("CANARY-token");
        token.customer = Some("cust-1".into());
        let back = TokenRef::from_secret_bytes(&token.to_secret_bytes().unwrap()).unwrap();
        assert_eq!(back.token.expose_secret(), "CANARY-token");
        assert_eq!(back.customer.as_deref(), Some("cust-1"));
        assert!(!format!("{token:?}").contains("CANARY"));
        assert!(!format!("{:?}", TokenRef::from_secret_bytes(b"CANARY").unwrap_err()).contains("CANARY"));
    }
}
