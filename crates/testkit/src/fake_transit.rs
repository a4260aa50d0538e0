//! A transit secrets engine: `encrypt` and `decrypt` as HashiCorp Vault and OpenBao answer them, down to
//! what they let pass (a version 0 that means 1, sloppy base64) and to the words of their errors.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use http::{Response, StatusCode};
use serde_json::{Value, json};

use crate::fake::{Cipher, Fault, Received, Server, Service, lock, random};

/// Go's `base64.StdEncoding`, which does not mind what stands in the unused bits of the last letter.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true));

/// A running engine, mounted at `transit`.
#[derive(Debug)]
pub struct FakeTransit {
    server: Server,
    engine: Arc<Engine>,
}

#[derive(Debug)]
struct Engine(Mutex<State>);

#[derive(Debug)]
struct State {
    tokens: Vec<String>,
    keys: BTreeMap<String, Key>,
    sealed: bool,
    ignores_associated_data: bool,
}

#[derive(Debug)]
struct Key {
    versions: Vec<Cipher>,
    min_decryption_version: usize,
    /// Whether the key's cipher takes associated data; RSA keys do not.
    aead: bool,
}

impl FakeTransit {
    /// An engine without keys.
    pub async fn start() -> Self {
        let tokens = vec![format!("hvs.{}", hex::encode(random::<12>()))];
        let state = State { tokens, keys: BTreeMap::new(), sealed: false, ignores_associated_data: false };
        let engine = Arc::new(Engine(Mutex::new(state)));
        Self { server: Server::start(engine.clone()).await, engine }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        self.server.url()
    }

    /// A token that may use every key.
    pub fn token(&self) -> String {
        lock(&self.engine.0).tokens.last().expect("a token").clone()
    }

    /// Replaces the token: older ones are no longer valid.
    pub fn replace_token(&self) -> String {
        let token = format!("hvs.{}", hex::encode(random::<12>()));
        lock(&self.engine.0).tokens = vec![token.clone()];
        token
    }

    /// Makes a key of version 1, of the type `aes256-gcm96`.
    pub fn add_key(&self, name: &str) {
        self.put_key(name, true);
    }

    /// Makes a key of a type that takes no associated data.
    pub fn add_key_without_associated_data(&self, name: &str) {
        self.put_key(name, false);
    }

    fn put_key(&self, name: &str, aead: bool) {
        let key = Key { versions: vec![Cipher::generate()], min_decryption_version: 1, aead };
        lock(&self.engine.0).keys.insert(name.to_owned(), key);
    }

    /// Deletes a key.
    pub fn remove_key(&self, name: &str) {
        lock(&self.engine.0).keys.remove(name);
    }

    /// Gives a key another version, under which it encrypts from now on.
    pub fn rotate(&self, name: &str) {
        let mut state = lock(&self.engine.0);
        state.keys.get_mut(name).expect("the key").versions.push(Cipher::generate());
    }

    /// Forbids to decrypt what older versions encrypted.
    pub fn set_min_decryption_version(&self, name: &str, version: usize) {
        lock(&self.engine.0).keys.get_mut(name).expect("the key").min_decryption_version = version;
    }

    /// Seals or unseals the server.
    pub fn set_sealed(&self, sealed: bool) {
        lock(&self.engine.0).sealed = sealed;
    }

    /// Behaves as servers do that are older than `associated_data`: they ignore what they do not know.
    pub fn ignore_associated_data(&self) {
        lock(&self.engine.0).ignores_associated_data = true;
    }

    /// What goes wrong from now on.
    pub fn set_fault(&self, fault: Option<Fault>) {
        self.server.set_fault(fault);
    }

    /// Every request so far.
    pub fn received(&self) -> Vec<Received> {
        self.server.received()
    }
}

type Outcome = Result<Value, (StatusCode, String)>;

impl Service for Engine {
    fn answer(&self, request: &Received) -> Response<String> {
        let (status, body) = match lock(&self.0).outcome(request) {
            Ok(data) => {
                let id = hex::encode(random::<16>());
                let rest = json!({"request_id": id, "lease_id": "", "renewable": false, "lease_duration": 0,
                    "data": data, "wrap_info": null, "warnings": null, "auth": null});
                (StatusCode::OK, rest)
            }
            Err((status, problem)) => (status, json!({"errors": [problem]})),
        };
        let builder = Response::builder().status(status).header("content-type", "application/json");
        builder.header("cache-control", "no-store").body(body.to_string()).expect("an answer")
    }
}

fn bad(problem: impl Into<String>) -> (StatusCode, String) {
    (StatusCode::BAD_REQUEST, problem.into())
}

impl State {
    fn outcome(&self, request: &Received) -> Outcome {
        if self.sealed {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "Vault is sealed".to_owned()));
        }
        let path = request.head.uri.path().strip_prefix("/v1/").unwrap_or_default();
        let token = request.header("x-vault-token").unwrap_or_default();
        if !self.tokens.iter().any(|known| known == token) {
            return Err((StatusCode::FORBIDDEN, "permission denied".to_owned()));
        }
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        match path.split('/').collect::<Vec<_>>().as_slice() {
            ["transit", "encrypt", name] => self.encrypt(name, &body),
            ["transit", "decrypt", name] => self.decrypt(name, &body),
            _ => {
                let problem = format!("no handler for route \"{path}\". route entry not found.");
                Err((StatusCode::NOT_FOUND, problem))
            }
        }
    }

    fn key(&self, name: &str, body: &Value) -> Result<(&Key, Vec<u8>), (StatusCode, String)> {
        let key = self.keys.get(name).ok_or_else(|| bad("encryption key not found"))?;
        let associated = if self.ignores_associated_data { "" } else { text(body, "associated_data") };
        if !associated.is_empty() && !key.aead {
            return Err(bad("'[0].associated_data' provided for non-AEAD cipher suite rsa-2048"));
        }
        Ok((key, BASE64.decode(associated).map_err(|_| bad("illegal base64 data at input byte 0"))?))
    }

    fn encrypt(&self, name: &str, body: &Value) -> Outcome {
        let plaintext = BASE64.decode(text(body, "plaintext"));
        let plaintext = plaintext.map_err(|_| bad("illegal base64 data at input byte 0"))?;
        let (key, associated) = self.key(name, body)?;
        let version = key.versions.len();
        let sealed = BASE64.encode(key.versions.last().expect("a version").seal(&associated, &plaintext));
        Ok(json!({"ciphertext": format!("vault:v{version}:{sealed}"), "key_version": version}))
    }

    fn decrypt(&self, name: &str, body: &Value) -> Outcome {
        let ciphertext = text(body, "ciphertext");
        if ciphertext.is_empty() {
            return Err(bad("missing ciphertext to decrypt"));
        }
        let (key, associated) = self.key(name, body)?;
        let rest = ciphertext.strip_prefix("vault:v").ok_or_else(|| bad("invalid ciphertext: no prefix"))?;
        let parts = rest.split_once(':');
        let (version, sealed) = parts.ok_or_else(|| bad("invalid ciphertext: wrong number of fields"))?;
        let version = version
            .parse::<usize>()
            .map_err(|_| bad("invalid ciphertext: version number could not be decoded"))?;
        let version = version.max(1);
        if version < key.min_decryption_version {
            return Err(bad("ciphertext or signature version is disallowed by policy (too old)"));
        }
        let cipher = key.versions.get(version - 1);
        let cipher = cipher.ok_or_else(|| bad("invalid ciphertext: version is too new"))?;
        let sealed = BASE64.decode(sealed).map_err(|_| bad("invalid ciphertext: could not decode base64"))?;
        let opened = cipher.open(&associated, &sealed);
        let opened = opened.ok_or_else(|| bad("cipher: message authentication failed"))?;
        Ok(json!({"plaintext": BASE64.encode(opened)}))
    }
}

fn text<'a>(body: &'a Value, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}
