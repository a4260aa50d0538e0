//! `cargo xtask new-provider acme`: a crate that keeps the contract from its first minute, because it begins as the
//! test kit's HTTP reference, and is changed step by step into that of a real gateway.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, ensure};

const PROVIDER: &str = include_str!("../../crates/testkit/src/reference_http/provider.rs");
const CHARGING: &str = include_str!("../../crates/testkit/src/reference_http/charging.rs");
const WEBHOOK: &str = include_str!("../../crates/testkit/src/reference_http/webhook.rs");
const WIRE: &str = include_str!("../../crates/testkit/src/reference_http/api.rs");
/// What the reference with this kind of proof passes is what the new provider does.
const TRIALS: &str = include_str!("../../docs/providers/trials/reference-signature.txt");

const MANIFEST: &str = r#"[package]
name = "billfold-provider-KIND"
description = "Saves payment methods through NAME."
version.workspace = true
edition.workspace = true
rust-version.workspace = true
license.workspace = true
repository.workspace = true
publish.workspace = true

[lints]
workspace = true

[dependencies]
async-trait.workspace = true
aws-lc-rs.workspace = true
billfold-core.workspace = true
bytes.workspace = true
hex.workspace = true
http.workspace = true
serde.workspace = true
serde_json.workspace = true
url.workspace = true

[dev-dependencies]
billfold-testkit.workspace = true
tokio.workspace = true
"#;

const LIB: &str = r#"//! Saves payment methods through NAME. Linking this crate registers the provider kind `KIND`.

mod charging;
mod provider;
mod webhook;
mod wire;

pub use provider::NAME;

/// The kind that `[gateways.<name>] provider = "…"` names.
pub const KIND: &str = "KIND";

billfold_core::register_provider!(
    kind: KIND,
    name: "NAME",
    build: provider::build,
    settings_example: include_str!("settings.toml"),
);
"#;

const SETTINGS: &str = r#"# The API key; test_... or live_..., as `mode` says.
api_key = "test_..."

# What proves webhooks.
webhook_secret = "..."

# While the secret is being changed, the old one may stay valid beside it.
# previous_webhook_secret = "..."

# How webhooks prove themselves: "token", "signature" or "items". Keep the one that the gateway has.
proof = "signature"
"#;

const TESTS: &str = r#"//! The provider, built through its registration, keeps the contract.

use std::sync::Arc;

use billfold_core::registry::Registry;
use billfold_provider_KIND::KIND;
use billfold_testkit::provider::{self, Driver};
use billfold_testkit::reference_http::{HttpReference, Proof};

/// Until there is a local gateway that speaks NAME's protocol, the reference plays it: write a driver of your own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_is_kept() {
    let driver =
        || HttpReference::with(Proof::Signature, |settings| Registry::linked().unwrap().build(KIND, settings));
    provider::run(|| async { Arc::new(driver()) as Arc<dyn Driver> }).await;
}
"#;

const PAGE: &str = r#"# NAME

Billfold saves payment methods through NAME. The code is `crates/provider-KIND`.

## Setting it up

```toml
[gateways.KIND]
provider = "KIND"
mode = "test"                                    # must agree with the key

[gateways.KIND.settings]
api_key_file = "/etc/billfold/KIND.key"
webhook_secret_file = "/etc/billfold/KIND.secret"
proof = "signature"
```

Set the webhook address to `https://pay.your-shop.example/webhooks/KIND`.

## What can be saved

| channel | kind | where | merchant |
|---|---|---|---|
| `CARD` | card | `ID`, IDR | yes |
| `PURSE` | wallet | `ID`, IDR | no |
"#;

/// The files of a new provider, by their places in the tree.
fn files(kind: &str) -> Vec<(String, String)> {
    let name = name_of(kind);
    let fill = |text: &str| {
        // The constant is called what it is a placeholder for.
        let kept = text.replace("pub const KIND", "pub const \u{1}").replace("kind: KIND", "kind: \u{1}");
        let kept = kept.replace("::KIND;", "::\u{1};").replace("build(KIND,", "build(\u{1},");
        kept.replace("KIND", kind).replace("NAME", &name).replace('\u{1}', "KIND")
    };
    let adapt = |text: &str| {
        let text =
            text.replace("const NAME: &str = \"HTTP reference\"", &format!("const NAME: &str = \"{name}\""));
        let text = text.replace("HttpProvider", &name).replace("pub(super)", "pub(crate)");
        text.replace("super::api", "crate::wire")
            .replace("super::webhook", "crate::webhook")
            .replace("super::charging", "crate::charging")
            .replace("super::provider", "crate::provider")
            .replace("pub fn build(", "pub(crate) fn build(")
    };
    let crate_file = |path: &str, text: String| (format!("crates/provider-{kind}/{path}"), text);
    vec![
        crate_file("Cargo.toml", fill(MANIFEST)),
        crate_file("src/lib.rs", fill(LIB)),
        crate_file("src/settings.toml", SETTINGS.to_owned()),
        crate_file("src/charging.rs", adapt(CHARGING)),
        crate_file("src/provider.rs", adapt(PROVIDER)),
        crate_file("src/webhook.rs", adapt(WEBHOOK).replace("pub enum Proof", "pub(crate) enum Proof")),
        crate_file("src/wire.rs", adapt(WIRE)),
        crate_file("tests/it/main.rs", fill(TESTS)),
        (format!("docs/providers/{kind}.md"), fill(PAGE)),
        (format!("docs/providers/trials/{kind}.txt"), TRIALS.to_owned()),
    ]
}

/// `acme` as `Acme`.
fn name_of(kind: &str) -> String {
    let mut letters = kind.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}

/// Writes the files of a new provider, and says what is left to do.
pub(crate) fn run(root: &Path, kind: &str) -> anyhow::Result<()> {
    let plain = kind.starts_with(|c: char| c.is_ascii_lowercase())
        && kind.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    ensure!(plain, "expected a name of lower-case letters and digits, such as acme, not {kind:?}");
    let files = files(kind);
    for (path, _) in &files {
        ensure!(!root.join(path).exists(), "{path} is there already");
    }
    for (path, text) in files {
        let path = root.join(path);
        let folder = path.parent().context("a file in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        fs::write(&path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    crate::trials::assemble(root)?;
    crate::ci::cargo(root, &["fmt", "-p", &format!("billfold-provider-{kind}")])?;
    println!("crates/provider-{kind} and docs/providers/{kind}.md are made. Next:\n");
    println!("  cargo test -p billfold-provider-{kind}        # it keeps the contract");
    println!(
        "  crates/cli/Cargo.toml        {kind} = {{ package = \"billfold-provider-{kind}\", path = \"../provider-{kind}\", optional = true }}"
    );
    println!("  crates/cli/src/providers.rs  link!(\"{kind}\", {kind});");
    println!("\ndocs/adding-a-provider.md tells how it becomes that of a real gateway.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_reference_is_left() {
        for (path, text) in files("acme") {
            assert!(path.contains("acme"), "{path}");
            for left in
                ["HttpProvider", "HTTP reference\"", "super::", "pub(super)", "through NAME", "provider-KIND"]
            {
                assert!(!text.contains(left), "{path} contains {left}");
            }
            if Path::new(&path).extension().is_some_and(|extension| extension == "rs") {
                assert!(text.starts_with("//!"), "{path} opens with its purpose");
                assert!(path.contains("/tests/") || !text.contains(".expect("), "{path} may panic");
            }
        }
    }

    #[test]
    fn names_are_plain_and_nothing_is_overwritten() {
        for name in ["", "Acme", "ac-me", "1acme", "../x", "acme pay"] {
            assert!(run(Path::new("/nowhere"), name).is_err(), "{name:?}");
        }
        let error = run(&crate::root(), "xendit").unwrap_err().to_string();
        assert!(error.contains("is there already"), "{error}");
    }
}
