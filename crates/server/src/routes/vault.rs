//! `/v1/vault/records`: values that a merchant must not have in clear.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::Error;
use billfold_core::clock::Timestamp;
use billfold_core::id::VaultRecordId;
use billfold_core::secret::SecretString;
use billfold_core::vault::{
    Mask, OnConflict, PutOutcome, PutRecord, ReplaceRecord, RevealedRecord, SecretValue, bytes_from_base64,
};
use bytes::Bytes;
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{created, list};
use crate::App;
use crate::extract::{Caller, JsonBody, PathId, QueryPairs, SameIntent};
use crate::problem::Problem;
use crate::secret::{SecretJson, optional_secret};

/// The largest body here, in bytes: a value of 1 MiB in base64, and room for what goes with it.
pub(super) const MAX_VAULT_BODY: usize = 2 * 1024 * 1024;
/// The largest value, in bytes: 1 MiB is sealed, and one byte of it says whether the value is JSON.
const MAX_VALUE: usize = 1024 * 1024 - 1;

pub(super) fn collection() -> MethodRouter<App> {
    get(index).post(put)
}

pub(super) fn item() -> MethodRouter<App> {
    get(show).put(replace).delete(remove)
}

pub(super) fn reveal_route() -> MethodRouter<App> {
    post(reveal)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    owner: String,
    kind: String,
    #[serde(default)]
    value: Option<SecretJson>,
    #[serde(default, deserialize_with = "optional_secret")]
    value_base64: Option<SecretString>,
    #[serde(default, deserialize_with = "optional_secret")]
    identity: Option<SecretString>,
    #[serde(default)]
    allow_duplicates: bool,
    #[serde(default)]
    on_conflict: OnConflict,
    #[serde(default)]
    mask: Mask,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    expires_in_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Replace {
    #[serde(default)]
    value: Option<SecretJson>,
    #[serde(default, deserialize_with = "optional_secret")]
    value_base64: Option<SecretString>,
    #[serde(default, deserialize_with = "optional_secret")]
    identity: Option<SecretString>,
    #[serde(default)]
    mask: Mask,
    #[serde(default)]
    metadata: Option<BTreeMap<String, String>>,
    #[serde(default)]
    expires_at: Option<Timestamp>,
    #[serde(default)]
    expires_in_seconds: Option<u64>,
    #[serde(default)]
    expected_generation: Option<i64>,
}

fn value(json: Option<SecretJson>, base64: Option<SecretString>) -> Result<SecretValue, Problem> {
    let value = match (json, base64) {
        (Some(json), None) => SecretValue::json(json.expose())?,
        (None, Some(text)) => bytes_from_base64(&text)?,
        (None, None) => return Err(Error::invalid("/value", "expected a value, or value_base64").into()),
        (Some(_), Some(_)) => {
            return Err(Error::invalid("/value_base64", "expected this or value, not both").into());
        }
    };
    let (SecretValue::Json(bytes) | SecretValue::Bytes(bytes)) = &value;
    if bytes.len() > MAX_VALUE {
        let detail = format!("the value is larger than {MAX_VALUE} bytes");
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail));
    }
    Ok(value)
}

fn end(app: &App, at: Option<Timestamp>, after: Option<u64>) -> Result<Option<Timestamp>, Error> {
    match (at, after) {
        (at, None) => Ok(at),
        (None, Some(0)) => Err(Error::invalid("/expires_in_seconds", "expected at least 1")),
        (None, Some(seconds)) => Ok(Some(app.billfold.clock().now().plus(Duration::from_secs(seconds)))),
        (Some(_), Some(_)) => {
            Err(Error::invalid("/expires_in_seconds", "expected this or expires_at, not both"))
        }
    }
}

/// 201 for a new record, 200 for one that was there; `outcome` says what became of it.
async fn put(
    State(app): State<App>,
    caller: Caller,
    SameIntent(intent): SameIntent,
    JsonBody(body): JsonBody<Put, MAX_VAULT_BODY>,
) -> Result<Response, Problem> {
    let mut record = PutRecord::new(body.owner, body.kind, value(body.value, body.value_base64)?);
    record.identity = body.identity;
    record.allow_duplicates = body.allow_duplicates;
    record.on_conflict = body.on_conflict;
    record.mask = body.mask;
    record.metadata = body.metadata;
    record.intent = intent;
    record.expires_at = end(&app, body.expires_at, body.expires_in_seconds)?;
    let stored = app.billfold.put_vault_record(caller.tenant(), record).await?;
    if stored.outcome == PutOutcome::Created {
        return Ok(created("/v1/vault/records", &stored.record.id, &stored));
    }
    Ok(Json(stored).into_response())
}

async fn index(State(app): State<App>, caller: Caller, query: QueryPairs) -> Result<Response, Problem> {
    let query = query.only(&["limit", "after", "owner", "kind"])?;
    let (page, limit) = query.page()?;
    let owner: Option<String> = query.get("owner")?;
    let owner = owner.ok_or_else(|| Error::invalid("/owner", "this parameter is required"))?;
    let kind: Option<String> = query.get("kind")?;
    Ok(list(app.billfold.vault().list(caller.tenant(), &owner, kind.as_deref(), page).await?, limit))
}

async fn show(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<VaultRecordId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.vault().get(caller.tenant(), id).await?).into_response())
}

async fn replace(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<VaultRecordId>,
    JsonBody(body): JsonBody<Replace, MAX_VAULT_BODY>,
) -> Result<Response, Problem> {
    let mut record = ReplaceRecord::new(value(body.value, body.value_base64)?);
    record.identity = body.identity;
    record.mask = body.mask;
    record.metadata = body.metadata;
    record.expires_at = end(&app, body.expires_at, body.expires_in_seconds)?;
    record.expected_generation = body.expected_generation;
    Ok(Json(app.billfold.vault().replace(caller.tenant(), id, record).await?).into_response())
}

/// The record as last seen.
async fn remove(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<VaultRecordId>,
) -> Result<Response, Problem> {
    Ok(Json(app.billfold.vault().delete(caller.tenant(), id).await?).into_response())
}

async fn reveal(
    State(app): State<App>,
    caller: Caller,
    PathId(id): PathId<VaultRecordId>,
) -> Result<Response, Problem> {
    app.reveals.take(&caller.0.actor)?;
    let revealed = app.billfold.vault().reveal(caller.tenant(), id, &caller.0.actor).await?;
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from(shown(&revealed)?)).into_response())
}

/// The record and its value as one JSON object, in memory that is overwritten once it was sent.
fn shown(revealed: &RevealedRecord) -> Result<Bytes, Error> {
    let record = serde_json::to_string(&revealed.record);
    let record = record.map_err(|_| Error::internal("a vault record could not be written as JSON"))?;
    let open = record.strip_suffix('}').unwrap_or(&record);
    let (key, text) = match &revealed.value {
        SecretValue::Json(text) => ("value", text.clone()),
        SecretValue::Bytes(bytes) => ("value_base64", quoted(bytes)),
    };
    // As large as it gets: growing would leave copies behind.
    let mut out = Zeroizing::new(Vec::with_capacity(open.len() + text.len() + 32));
    out.extend_from_slice(format!("{open},\"{key}\":").as_bytes());
    out.extend_from_slice(&text);
    out.push(b'}');
    Ok(Bytes::from_owner(out))
}

/// Base64 as a JSON string.
fn quoted(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let length = bytes.len().div_ceil(3) * 4;
    let mut out = Zeroizing::new(vec![b'"'; length + 2]);
    // The slice between the quotes is exactly as long as the text.
    if let Some(between) = out.get_mut(1..=length) {
        let _ = STANDARD.encode_slice(bytes, between);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_fills_the_quotes() {
        for length in 0..70 {
            let bytes = vec![200; length];
            let expected = format!("\"{}\"", STANDARD.encode(&bytes));
            assert_eq!(quoted(&bytes).as_slice(), expected.as_bytes());
        }
    }
}
