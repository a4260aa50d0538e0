//! `vault put` and its neighbours, which speak the REST API.

use std::io::{IsTerminal as _, Read as _};

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use serde_json::{Map, Value, json};

use super::resources::{id, query};
use crate::args::{Format, Global, PutArgs, ReplaceArgs, ValueArgs, VaultCommand};
use crate::client::ApiClient;
use crate::output::{self, Column};

const RECORD: &[Column] = &[
    ("id", "/id"),
    ("kind", "/kind"),
    ("masked", "/masked"),
    ("metadata", "/metadata"),
    ("generation", "/generation"),
    ("expires", "/expires_at"),
    ("created", "/created_at"),
];
const RECORDS: &str = "/v1/vault/records";

pub(crate) async fn run(global: &Global, command: VaultCommand) -> anyhow::Result<()> {
    let path = |record: &str| Ok::<_, anyhow::Error>(format!("{RECORDS}/{}", id(record)?));
    let (method, path, body) = match command {
        VaultCommand::Put(args) => (Method::POST, RECORDS.to_owned(), Some(new_record(&args)?)),
        VaultCommand::Replace(args) => (Method::PUT, path(&args.id)?, Some(replacement(&args)?)),
        VaultCommand::Get { id } => (Method::GET, path(&id)?, None),
        VaultCommand::Delete { id } => (Method::DELETE, path(&id)?, None),
        VaultCommand::Reveal { id } => {
            let path = format!("{}/reveal", path(&id)?);
            return show(global, &ApiClient::connect(global).await?.post(&path, None).await?);
        }
        VaultCommand::List { owner, kind, page } => {
            let query = query(&page, &[("owner", &Some(owner)), ("kind", &kind)]);
            let api = ApiClient::connect(global).await?;
            output::list(global.json, &api.get(&format!("{RECORDS}{query}")).await?, RECORD);
            return Ok(());
        }
        other => return super::maintenance::run(global, other).await,
    };
    let answer = ApiClient::connect(global).await?.call(method, &path, body).await?;
    output::object(global.json, &answer);
    Ok(())
}

/// The value alone, so that it can be piped; with `--json` the whole answer.
fn show(global: &Global, revealed: &Value) -> anyhow::Result<()> {
    if global.json {
        output::json(revealed);
        return Ok(());
    }
    match (revealed.get("value"), revealed.get("value_base64").and_then(Value::as_str)) {
        (_, Some(text)) => output::bytes(&STANDARD.decode(text)?),
        (Some(Value::String(text)), None) => output::say!("{text}"),
        (value, None) => output::say!("{}", value.unwrap_or(&Value::Null)),
    }
    Ok(())
}

fn new_record(args: &PutArgs) -> anyhow::Result<Value> {
    let mut body = value_fields(&args.value)?;
    body.insert("owner".to_owned(), json!(args.owner));
    body.insert("kind".to_owned(), json!(args.kind));
    body.insert("on_conflict".to_owned(), json!(args.on_conflict));
    body.insert("allow_duplicates".to_owned(), json!(args.allow_duplicates));
    Ok(Value::Object(body))
}

fn replacement(args: &ReplaceArgs) -> anyhow::Result<Value> {
    let mut body = value_fields(&args.value)?;
    body.extend(args.expected_generation.map(|seen| ("expected_generation".to_owned(), json!(seen))));
    Ok(Value::Object(body))
}

fn value_fields(args: &ValueArgs) -> anyhow::Result<Map<String, Value>> {
    let mut fields = Map::new();
    let (key, value) = value(args)?;
    fields.insert(key.to_owned(), value);
    fields.insert("mask".to_owned(), json!(args.mask));
    if !args.metadata.is_empty() {
        let pairs = args.metadata.iter().map(|pair| {
            let (key, value) = pair.split_once('=').context("--metadata: expected KEY=VALUE")?;
            Ok((key.to_owned(), json!(value)))
        });
        fields.insert("metadata".to_owned(), Value::Object(pairs.collect::<anyhow::Result<_>>()?));
    }
    let identity = match &args.identity_file {
        Some(file) => Some(without_line_end(text(read_file(file)?)?)),
        None => args.identity.clone(),
    };
    for (key, given) in [
        ("identity", identity.map(Value::String)),
        ("expires_at", args.expires_at.as_ref().map(|time| json!(time))),
        ("expires_in_seconds", args.expires_in_seconds.map(|seconds| json!(seconds))),
    ] {
        fields.extend(given.map(|value| (key.to_owned(), value)));
    }
    Ok(fields)
}

fn value(args: &ValueArgs) -> anyhow::Result<(&'static str, Value)> {
    let (bytes, is_argument) = match (&args.value_file, args.value.as_deref()) {
        (Some(file), _) => (read_file(file)?, false),
        (None, None | Some("-")) => (read_standard_input()?, false),
        (None, Some(text)) => (text.as_bytes().to_vec(), true),
    };
    Ok(match args.format {
        Format::Bytes => ("value_base64", Value::String(STANDARD.encode(bytes))),
        Format::Json => ("value", serde_json::from_slice(&bytes).context("the value is not JSON")?),
        Format::Text if is_argument => ("value", Value::String(text(bytes)?)),
        Format::Text => ("value", Value::String(without_line_end(text(bytes)?))),
    })
}

fn read_file(file: &std::path::Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))
}

fn read_standard_input() -> anyhow::Result<Vec<u8>> {
    let mut input = std::io::stdin().lock();
    if input.is_terminal() {
        output::tell!("type the value, then Ctrl-D at the beginning of a line");
    }
    let mut bytes = Vec::new();
    input.read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        bail!("standard input holds no value");
    }
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> anyhow::Result<String> {
    // The error of `from_utf8` would hold the bytes.
    String::from_utf8(bytes).ok().context("the value is not text; give --format bytes")
}

/// `echo` and editors end a file with one.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
