//! Saved cards. When a card is renewed, its bank puts another token in the place of the old one.

use billfold_core::provider::{CallContext, Deletion, ProviderMethod};
use billfold_core::secret::{ExposeSecret, SecretString};
use billfold_core::{Error, ErrorKind, Result};
use http::Method;
use serde::de::IgnoredAny;

use crate::client::{Call, NOT_FOUND, REPLACED, plain, said, send};
use crate::map;
use crate::wire::Token;

/// How many renewals in a row are followed: each is a call, and all together have a few seconds.
const MOST_RENEWALS: usize = 8;

/// The token that is in the place of `asked` now.
pub(crate) async fn fetch(
    api_key: &SecretString,
    cx: &CallContext,
    asked: &SecretString,
) -> Result<ProviderMethod> {
    let mut id = asked.expose_secret().to_owned();
    for _ in 0..=MOST_RENEWALS {
        let path = format!("/tokens/{}", plain(&id)?);
        let mut token: Token = send(api_key, cx, Call::new(Method::GET, path)).await?;
        if token.id.as_ref() != Some(&id) {
            return Err(contradiction("the gateway answered with another token"));
        }
        let Some(next) = token.replaced_by.take() else {
            let mut method = map::method(token)?;
            method.replaces = (id != asked.expose_secret()).then(|| asked.clone());
            return Ok(method);
        };
        id = next;
    }
    Err(contradiction("the gateway's tokens replace each other in a circle"))
}

/// Deletes the token that is in the place of `asked` now: only then can nobody charge the card any more.
pub(crate) async fn delete(
    api_key: &SecretString,
    cx: &CallContext,
    asked: &SecretString,
) -> Result<Deletion> {
    match delete_one(api_key, cx, asked).await {
        Err(error) if said(&error, REPLACED) => {
            let current = fetch(api_key, cx, asked).await?;
            delete_one(api_key, cx, &current.token.token).await
        }
        outcome => outcome,
    }
}

async fn delete_one(api_key: &SecretString, cx: &CallContext, token: &SecretString) -> Result<Deletion> {
    let path = format!("/tokens/{}", plain(token.expose_secret())?);
    match send::<IgnoredAny>(api_key, cx, Call::new(Method::DELETE, path)).await {
        Ok(_) => Ok(Deletion::Deleted),
        Err(error) if said(&error, NOT_FOUND) => Ok(Deletion::AlreadyGone),
        Err(error) => Err(error),
    }
}

fn contradiction(message: &str) -> Error {
    Error::new(ErrorKind::GatewayProtocol, message)
}
