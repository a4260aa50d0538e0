//! The two calls, as HTTP.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use billfold_core::transport::Transport;
use billfold_core::vault::{DataKey, WrapContext, WrapError};
use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::config::{self, Config, Token};
use crate::{ciphertext, failure};

/// What is asked of the engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Call {
    Encrypt,
    Decrypt,
}

/// Asks one engine about one key.
pub(crate) struct Client {
    config: Config,
    transport: Arc<dyn Transport>,
}

#[derive(Serialize)]
struct Encrypt<'a> {
    plaintext: &'a str,
    associated_data: &'a str,
}

#[derive(Serialize)]
struct Decrypt<'a> {
    ciphertext: &'a str,
    associated_data: &'a str,
}

#[derive(Deserialize)]
struct Answer<T> {
    data: T,
}

#[derive(Deserialize)]
struct Encrypted {
    ciphertext: String,
}

/// Borrowed from the answer where it can be, so that there is one place to wipe.
#[derive(Deserialize)]
struct Decrypted<'a> {
    #[serde(borrow)]
    plaintext: Cow<'a, str>,
}

impl Client {
    pub(crate) fn new(config: Config, transport: Arc<dyn Transport>) -> Self {
        Self { config, transport }
    }

    /// The ciphertext of a key, bound to its context.
    pub(crate) async fn encrypt(&self, key: &DataKey, context: &WrapContext) -> Result<Vec<u8>, WrapError> {
        let plaintext = Zeroizing::new(STANDARD.encode(key.expose()));
        let associated_data = STANDARD.encode(context.to_bytes());
        let body = Encrypt { plaintext: &plaintext, associated_data: &associated_data };
        let response = self.send(Call::Encrypt, &body).await?;
        let Answer { data: Encrypted { ciphertext } } = read(response.body())?;
        // What could not be read again must not be stored.
        let good = ciphertext::parse(ciphertext.as_bytes()).is_some();
        if good { Ok(ciphertext.into_bytes()) } else { Err(failure::unreadable()) }
    }

    /// The key of a ciphertext, if it was made for this context.
    pub(crate) async fn decrypt(
        &self,
        ciphertext: &str,
        context: &WrapContext,
    ) -> Result<DataKey, WrapError> {
        let associated_data = STANDARD.encode(context.to_bytes());
        let body = Decrypt { ciphertext, associated_data: &associated_data };
        let response = self.send(Call::Decrypt, &body).await?;
        let key = plaintext(response.body());
        wipe(response);
        key
    }

    async fn send<T: Serialize>(&self, call: Call, body: &T) -> Result<Response<Bytes>, WrapError> {
        let request = self.request(call, body, self.token().await?)?;
        let sent = self.transport.send(request, self.config.timeout).await;
        let response = sent.map_err(|error| failure::from_transport(&error))?;
        if response.status() == StatusCode::OK {
            return Ok(response);
        }
        Err(failure::from_response(call, &response))
    }

    fn request<T: Serialize>(
        &self,
        call: Call,
        body: &T,
        token: HeaderValue,
    ) -> Result<Request<Bytes>, WrapError> {
        let malformed = || failure::denied("the request cannot be written");
        let Config { address, mount, key, .. } = &self.config;
        let verb = match call {
            Call::Encrypt => "encrypt",
            Call::Decrypt => "decrypt",
        };
        let bytes = serde_json::to_vec(body).map(Zeroizing::new).map_err(|_| malformed())?;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}v1/{mount}/{verb}/{key}", address.as_str()))
            .header(ACCEPT, "application/json")
            .header(CONTENT_TYPE, "application/json")
            // Some listeners demand it, against requests that were made to be forged.
            .header("x-vault-request", "true")
            .header("x-vault-token", token);
        if let Some(namespace) = &self.config.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        request.body(Bytes::from_owner(bytes)).map_err(|_| malformed())
    }

    async fn token(&self) -> Result<HeaderValue, WrapError> {
        match &self.config.token {
            Token::Given(token) => Ok(token.clone()),
            Token::Sink(path) => read_sink(path).await,
        }
    }
}

/// The token that the file holds now. An agent may be about to write it: that is no reason to give up.
async fn read_sink(path: &Path) -> Result<HeaderValue, WrapError> {
    let text = tokio::fs::read_to_string(path).await.map(Zeroizing::new);
    let text = text.map_err(|error| {
        failure::unavailable(&format!("the token sink cannot be read: {}", error.kind()), None)
    })?;
    config::header(text.trim()).ok_or_else(|| failure::denied("the token sink holds no token"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<Answer<T>, WrapError> {
    serde_json::from_slice(body).map_err(|_| failure::unreadable())
}

fn plaintext(body: &[u8]) -> Result<DataKey, WrapError> {
    let answer: Answer<Decrypted<'_>> = serde_json::from_slice(body).map_err(|_| failure::unreadable())?;
    let bytes = STANDARD.decode(answer.data.plaintext.as_bytes()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| failure::unreadable())?;
    // Something that the engine encrypted for this context, but no key of ours.
    DataKey::from_slice(&bytes).ok_or(WrapError::Refused)
}

/// Overwrites an answer that held a key. Copies that the network code made are out of reach.
fn wipe(response: Response<Bytes>) {
    if let Ok(mut body) = response.into_body().try_into_mut() {
        body.zeroize();
    }
}
