//! Saved mandates. The bank or the gateway may have put another in the place of one: it names its successor, and the
//! last of them is the one that counts.

use billfold_core::Result;
use billfold_core::provider::{CallContext, Deletion, ProviderMethod};
use billfold_core::secret::SecretString;

use crate::client::{act, get, is_id, is_plain};
use crate::config::Config;
use crate::wire::{BankAccount, Mandate};
use crate::{failure, map};

/// What ids of mandates begin with.
pub(crate) const PREFIX: &str = "MD";
/// How many replacements are followed; each is a call, and all together have a few seconds.
const LONGEST_CHAIN: usize = 8;

/// The mandate that is in the place of `id` now, with its bank account.
pub(crate) async fn fetch(config: &Config, cx: &CallContext, id: &str) -> Result<ProviderMethod> {
    let mandate = current(config, cx, id).await?;
    let account = match mandate.links.customer_bank_account.as_deref().filter(|account| is_plain(account)) {
        // The account of a mandate that is over may have been removed.
        Some(account) => match get::<BankAccount>(config, cx, account).await {
            Err(error) if failure::is_missing(&error) => BankAccount::default(),
            account => account?,
        },
        None => BankAccount::default(),
    };
    let method = map::method(&mandate, &account);
    let mut method = method.ok_or_else(|| failure::contradiction(cx, "the mandate has no id"))?;
    method.replaces = (mandate.id.as_deref() != Some(id)).then(|| SecretString::from(id));
    Ok(method)
}

/// Cancels the mandate that is in the place of `id` now.
pub(crate) async fn cancel(config: &Config, cx: &CallContext, id: &str) -> Result<Deletion> {
    let mut id = id.to_owned();
    for _ in 0..LONGEST_CHAIN {
        let error = match act::<Mandate>(config, cx, &id, "cancel").await {
            Ok(_) => return Ok(Deletion::Deleted),
            Err(error) if failure::is_missing(&error) => return Ok(Deletion::AlreadyGone),
            Err(error) if failure::is_refused(&error) => error,
            Err(error) => return Err(error),
        };
        let mandate = match get_checked(config, cx, &id).await {
            Err(error) if failure::is_missing(&error) => return Ok(Deletion::AlreadyGone),
            mandate => mandate?,
        };
        match successor(cx, &mandate)? {
            Some(next) => next.clone_into(&mut id),
            None if map::is_over(mandate.status.as_deref()) => return Ok(Deletion::AlreadyGone),
            None => return Err(error),
        }
    }
    Err(failure::contradiction(cx, "the mandates replace each other in a circle"))
}

async fn current(config: &Config, cx: &CallContext, id: &str) -> Result<Mandate> {
    let mut id = id.to_owned();
    for _ in 0..LONGEST_CHAIN {
        let mandate = get_checked(config, cx, &id).await?;
        match successor(cx, &mandate)? {
            Some(next) => next.clone_into(&mut id),
            None => return Ok(mandate),
        }
    }
    Err(failure::contradiction(cx, "the mandates replace each other in a circle"))
}

async fn get_checked(config: &Config, cx: &CallContext, id: &str) -> Result<Mandate> {
    if !is_id(id, PREFIX) {
        return Err(failure::no_such_id());
    }
    let mandate: Mandate = get(config, cx, id).await?;
    if mandate.id.as_deref() != Some(id) {
        return Err(failure::contradiction(cx, "another mandate was answered"));
    }
    Ok(mandate)
}

fn successor<'a>(cx: &CallContext, mandate: &'a Mandate) -> Result<Option<&'a str>> {
    match mandate.links.new_mandate.as_deref() {
        Some(next) if !is_id(next, PREFIX) => Err(failure::contradiction(cx, "the new mandate has no id")),
        next => Ok(next),
    }
}
