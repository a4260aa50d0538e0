//! AWS KMS as far as `Encrypt` and `Decrypt` go: JSON 1.1, symmetric keys with aliases, versions of their
//! key material, states, and an encryption context that is authenticated. Signatures are not verified; who
//! signed is.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::fake::{Cipher, Fault, Received, Server, Service, lock, random};

/// Where the fake's keys are.
pub const REGION: &str = "eu-central-1";

/// A running service.
#[derive(Debug)]
pub struct FakeKms {
    server: Server,
    service: Arc<Kms>,
}

/// What a key can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// In use.
    Enabled,
    /// Switched off.
    Disabled,
    /// To be deleted.
    PendingDeletion,
    /// Made for signatures.
    SignVerify,
}

#[derive(Debug)]
struct Kms(Mutex<State>);

#[derive(Debug)]
struct State {
    access_key_id: String,
    session_token: Option<String>,
    allowed: bool,
    keys: BTreeMap<String, Key>,
    aliases: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Key {
    state: KeyState,
    material: Vec<Cipher>,
}

/// The layout of a ciphertext: format, key, material, then what the cipher made.
const FORMAT: u8 = 1;
const KEY_ID: usize = 36;

impl FakeKms {
    /// A service without keys.
    pub async fn start() -> Self {
        let state = State {
            access_key_id: format!("AKIA{}", hex::encode_upper(random::<8>())),
            session_token: None,
            allowed: true,
            keys: BTreeMap::new(),
            aliases: BTreeMap::new(),
        };
        let service = Arc::new(Kms(Mutex::new(state)));
        Self { server: Server::start(service.clone()).await, service }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn endpoint(&self) -> String {
        self.server.url()
    }

    /// The access key that may use every key.
    pub fn access_key_id(&self) -> String {
        lock(&self.service.0).access_key_id.clone()
    }

    /// Demands this session token beside the access key.
    pub fn demand_session_token(&self, token: &str) {
        lock(&self.service.0).session_token = Some(token.to_owned());
    }

    /// Whether the caller's policy allows anything.
    pub fn set_allowed(&self, allowed: bool) {
        lock(&self.service.0).allowed = allowed;
    }

    /// Makes a key with an alias; gives its ARN.
    pub fn add_key(&self, alias: &str) -> String {
        let bytes = hex::encode(random::<16>());
        let id = [&bytes[..8], &bytes[8..12], &bytes[12..16], &bytes[16..20], &bytes[20..]].join("-");
        let mut state = lock(&self.service.0);
        state.aliases.insert(format!("alias/{alias}"), id.clone());
        state.keys.insert(id.clone(), Key { state: KeyState::Enabled, material: vec![Cipher::generate()] });
        arn(&id)
    }

    /// Changes the state of the key with this alias.
    pub fn set_state(&self, alias: &str, to: KeyState) {
        self.change(alias, |key| key.state = to);
    }

    /// Gives the key with this alias new material, under which it encrypts from now on.
    pub fn rotate(&self, alias: &str) {
        self.change(alias, |key| key.material.push(Cipher::generate()));
    }

    fn change(&self, alias: &str, change: impl FnOnce(&mut Key)) {
        let mut state = lock(&self.service.0);
        let id = state.aliases.get(&format!("alias/{alias}")).expect("the alias").clone();
        change(state.keys.get_mut(&id).expect("the key"));
    }

    /// What goes wrong from now on.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.server.set_fault(fault);
    }

    /// A fault that is an error of the service's own.
    pub fn error(status: StatusCode, kind: &str, message: &str) -> Fault {
        let headers = vec![("content-type", "application/x-amz-json-1.1".to_owned())];
        Fault::Answer(status, headers, json!({"__type": kind, "message": message}).to_string())
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.server.received()
    }
}

fn arn(id: &str) -> String {
    format!("arn:aws:kms:{REGION}:111122223333:key/{id}")
}

type Outcome = Result<Value, (&'static str, String)>;

impl Service for Kms {
    fn answer(&self, request: &Received) -> Response<String> {
        let (status, body) = match lock(&self.0).outcome(request) {
            Ok(body) => (StatusCode::OK, body),
            // As the service does it: a few errors have no words.
            Err((kind, message)) if message.is_empty() => (StatusCode::BAD_REQUEST, json!({"__type": kind})),
            Err((kind, message)) => (StatusCode::BAD_REQUEST, json!({"__type": kind, "message": message})),
        };
        let builder = Response::builder().status(status).header("content-type", "application/x-amz-json-1.1");
        let builder = builder.header("x-amzn-requestid", hex::encode(random::<16>()));
        builder.body(body.to_string()).expect("an answer")
    }
}

impl State {
    fn outcome(&self, request: &Received) -> Outcome {
        let scheme = "AWS4-HMAC-SHA256 Credential=";
        let signed = request.header("authorization").and_then(|text| text.strip_prefix(scheme));
        let scope = signed.and_then(|rest| rest.split(',').next()).unwrap_or_default();
        let parts = scope.split('/').collect::<Vec<_>>();
        let [who, _, region, "kms", "aws4_request"] = parts.as_slice() else {
            return Err(("MissingAuthenticationTokenException", "Missing Authentication Token".to_owned()));
        };
        let token = request.header("x-amz-security-token");
        if *who != self.access_key_id || token != self.session_token.as_deref() {
            let message = "The security token included in the request is invalid.";
            return Err(("UnrecognizedClientException", message.to_owned()));
        }
        if *region != REGION {
            let message = format!("Credential should be scoped to a valid region, not '{region}'.");
            return Err(("InvalidSignatureException", message));
        }
        let body: Value =
            serde_json::from_slice(&request.body).map_err(|_| ("SerializationException", String::new()))?;
        match request.header("x-amz-target") {
            Some("TrentService.Encrypt") => self.encrypt(&body),
            Some("TrentService.Decrypt") => self.decrypt(&body),
            _ => Err(("UnknownOperationException", String::new())),
        }
    }

    /// The key that a request names, if it may be used.
    fn key(&self, named: &str) -> Result<(&str, &Key), (&'static str, String)> {
        if !self.allowed {
            let message = format!("User: arn:aws:iam::111122223333:user/u is not authorized for {named}");
            return Err(("AccessDeniedException", message));
        }
        let bare = named.rsplit_once(":key/").map_or(named, |(_, id)| id);
        let id = self.aliases.get(named).map_or(bare, String::as_str);
        let found = self.keys.get_key_value(id);
        let (id, key) =
            found.ok_or_else(|| ("NotFoundException", format!("Key '{named}' does not exist")))?;
        let arn = arn(id);
        match key.state {
            KeyState::Enabled => Ok((id, key)),
            KeyState::Disabled => Err(("DisabledException", format!("{arn} is disabled."))),
            KeyState::PendingDeletion => {
                Err(("KMSInvalidStateException", format!("{arn} is pending deletion.")))
            }
            KeyState::SignVerify => {
                Err(("InvalidKeyUsageException", format!("{arn} key usage is SIGN_VERIFY.")))
            }
        }
    }

    fn encrypt(&self, body: &Value) -> Outcome {
        let (id, key) = self.key(text(body, "KeyId"))?;
        let plaintext = bytes(body, "Plaintext", 4096)?;
        let material = key.material.len() - 1;
        let sealed = key.material[material].seal(&associated(body), &plaintext);
        let number = u8::try_from(material).expect("few rotations");
        let blob = [&[FORMAT], id.as_bytes(), &[number], &sealed].concat();
        Ok(json!({"CiphertextBlob": STANDARD.encode(blob), "KeyId": arn(id),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
    }

    fn decrypt(&self, body: &Value) -> Outcome {
        let invalid = || ("InvalidCiphertextException", String::new());
        let blob = bytes(body, "CiphertextBlob", 6144)?;
        let [FORMAT, rest @ ..] = blob.as_slice() else { return Err(invalid()) };
        let (made_by, rest) = rest.split_at_checked(KEY_ID).ok_or_else(invalid)?;
        // A caller who names no key is content with the one that the ciphertext names.
        let named = match text(body, "KeyId") {
            "" => std::str::from_utf8(made_by).map_err(|_| invalid())?,
            named => named,
        };
        let (id, key) = self.key(named)?;
        if made_by != id.as_bytes() {
            let message =
                "The key ID in the request does not identify a CMK that can perform this operation.";
            return Err(("IncorrectKeyException", message.to_owned()));
        }
        let (number, sealed) = rest.split_first().ok_or_else(invalid)?;
        let cipher = key.material.get(usize::from(*number)).ok_or_else(invalid)?;
        let opened = cipher.open(&associated(body), sealed).ok_or_else(invalid)?;
        Ok(json!({"Plaintext": STANDARD.encode(opened), "KeyId": arn(id),
            "EncryptionAlgorithm": "SYMMETRIC_DEFAULT"}))
    }
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn bytes(body: &Value, key: &str, most: usize) -> Result<Vec<u8>, (&'static str, String)> {
    let bytes = STANDARD.decode(text(body, key)).map_err(|_| ("SerializationException", String::new()))?;
    if bytes.is_empty() || bytes.len() > most {
        let message = format!("1 validation error detected: length must be between 1 and {most}");
        return Err(("ValidationException", message));
    }
    Ok(bytes)
}

/// The encryption context in one way of writing, whatever its order was.
fn associated(body: &Value) -> Vec<u8> {
    let pairs = body.get("EncryptionContext").and_then(Value::as_object);
    let pairs = pairs.into_iter().flatten().collect::<BTreeMap<_, _>>();
    let mut out = String::new();
    for (key, value) in pairs {
        writeln!(out, "{key:?}={value}").expect("writing to a string");
    }
    out.into_bytes()
}
