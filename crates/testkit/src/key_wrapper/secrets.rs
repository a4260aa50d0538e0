//! Neither a key nor a credential is printed.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use billfold_core::vault::WrapError;

use super::outages::arranged;
use super::samples::{context, foreign, key};
use super::{Bench, Trial, Trouble, in_time};

pub(super) fn trials() -> Vec<Trial> {
    vec![("nothing prints a secret", |bench| Box::pin(silent(bench)))]
}

/// How bytes look when somebody prints them: hexadecimal, base64, lists of numbers, escaped text.
pub fn spellings(bytes: &[u8]) -> Vec<String> {
    let list = |byte: &dyn Fn(&u8) -> String| bytes.iter().map(byte).collect::<Vec<_>>().join(", ");
    vec![
        hex::encode(bytes),
        hex::encode_upper(bytes),
        STANDARD.encode(bytes),
        STANDARD_NO_PAD.encode(bytes),
        URL_SAFE_NO_PAD.encode(bytes),
        list(&|byte| byte.to_string()),
        list(&|byte| format!("{byte:#x}")),
        bytes.escape_ascii().to_string(),
        String::from_utf8_lossy(bytes).into_owned(),
    ]
}

async fn silent(bench: Arc<dyn Bench>) {
    let (wrapper, other) = (bench.wrapper().await, bench.other_root_key().await);
    let (key, context) = (key(), context());
    let mut printed = vec![format!("{:?} {:#?} {}", wrapper, wrapper, wrapper.id())];
    let mut note = |error: &WrapError| printed.push(format!("{error:?} {error:#?} {error}"));

    let wrapped = in_time(&*bench, wrapper.wrap(&key, &context)).await.unwrap();
    for (_, foreign) in foreign(&context) {
        let outcome = in_time(&*bench, wrapper.unwrap(&wrapped, &foreign)).await;
        note(&outcome.expect_err("a foreign context"));
    }
    note(&in_time(&*bench, other.unwrap(&wrapped, &context)).await.expect_err("another root key"));
    note(&in_time(&*bench, wrapper.unwrap(key.expose(), &context)).await.expect_err("a key in the clear"));
    for trouble in [Trouble::Unreachable, Trouble::Silent, Trouble::Failing, Trouble::Denying] {
        if arranged(&*bench, trouble).await {
            let (wrap, unwrap, check) = tokio::join!(
                in_time(&*bench, wrapper.wrap(&key, &context)),
                in_time(&*bench, wrapper.unwrap(&wrapped, &context)),
                in_time(&*bench, wrapper.check()),
            );
            note(&wrap.expect_err("trouble"));
            note(&unwrap.expect_err("trouble"));
            note(&check.expect_err("trouble"));
        }
    }
    // After use as well: some wrapper might remember what it saw.
    printed.push(format!("{wrapper:?} {wrapper:#?} {other:?}"));

    let mut secrets = spellings(key.expose());
    for canary in bench.canaries() {
        secrets.extend(spellings(canary.as_bytes()));
    }
    for text in printed {
        // The text itself stays out of the message: it holds the secret.
        assert!(!secrets.iter().any(|secret| text.contains(secret)), "a secret is printed");
    }
}
