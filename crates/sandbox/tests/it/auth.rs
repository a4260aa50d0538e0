//! Who may ask: HTTP Basic with the secret key as user and no password.

use base64::Engine as _;
use serde_json::json;

use crate::support::{KEY, World, basic, body, send};

/// The address of everything below the API.
const ENDPOINTS: [(&str, &str); 8] = [
    ("POST", "/sessions"),
    ("GET", "/sessions/ps-000000000000000000000000"),
    ("POST", "/sessions/ps-000000000000000000000000/cancel"),
    ("GET", "/v3/payment_tokens/pt-1"),
    ("POST", "/v3/payment_tokens/pt-1/cancel"),
    ("POST", "/customers"),
    ("GET", "/customers?reference_id=x"),
    ("GET", "/customers/cust-1"),
];

#[tokio::test]
async fn without_the_key_nothing_is_answered() {
    let world = World::start().await;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let wrong = [
        None,
        Some(String::new()),
        Some(basic("")),
        Some(basic("xnd_development_wrong")),
        Some(basic("xnd_public_development_CANARY-key")),
        Some(basic(&KEY[..KEY.len() - 1])),
        Some(format!("Basic {}", encode(KEY))),
        Some(format!("Basic {}", encode(&format!("{KEY}:password")))),
        Some(format!("Basic {}", encode(&format!(":{KEY}")))),
        Some(format!("Bearer {KEY}")),
        Some(KEY.to_owned()),
    ];
    for (method, path) in ENDPOINTS {
        for authorization in &wrong {
            let mut request = world.bare(method, path).json(&json!({}));
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            let answer = send(request).await;
            let what = format!("{method} {path} {authorization:?}");
            answer.assert_error(401, "INVALID_API_KEY", &what);
            assert!(!answer.text.contains("CANARY"), "{what}");
        }
    }
    assert!(world.control().sessions().is_empty());
}

#[tokio::test]
async fn with_the_key_everything_is_answered() {
    let world = World::start().await;
    for (method, path) in ENDPOINTS {
        let answer = send(world.call(method, path).json(&body(&json!({})))).await;
        assert_ne!(answer.status, 401, "{method} {path}");
        assert_eq!(answer.header("content-type"), "application/json", "{method} {path}");
        assert!(answer.header("request-id").starts_with("sbx-"), "{method} {path}");
    }
}
