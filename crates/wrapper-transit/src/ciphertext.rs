//! What a wrapped key looks like: `vault:v3:` and base64.
//!
//! The engine is generous here: it takes `v0` for `v1`, skips line ends in the base64, and ignores the unused
//! bits of its last letter. We are not, so that each wrapped key has exactly one spelling and any change to it
//! is a refusal, most of them without a call.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Nonce, key and tag are 60 bytes, or 72 with the longest nonce there is; this leaves room.
const MAX_LENGTH: usize = 512;
/// No cipher of the engine adds less than a nonce of 12 bytes and a tag of 16.
const MIN_SEALED: usize = 12 + 32 + 16;

/// The wrapped bytes as the text that the engine made, or nothing if it cannot have made them.
pub(crate) fn parse(wrapped: &[u8]) -> Option<&str> {
    if wrapped.len() > MAX_LENGTH {
        return None;
    }
    let text = std::str::from_utf8(wrapped).ok()?;
    let (version, sealed) = text.strip_prefix("vault:v")?.split_once(':')?;
    let digits =
        !version.is_empty() && version.len() <= 9 && version.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || version.starts_with('0') {
        return None;
    }
    let sealed = STANDARD.decode(sealed).ok()?;
    (sealed.len() >= MIN_SEALED).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, good: bool) {
        assert_eq!(parse(text.as_bytes()).is_some(), good, "{text:?}");
    }

    #[test]
    fn a_wrapped_key_has_one_spelling() {
        let sealed = STANDARD.encode([7; 61]);
        check(&format!("vault:v1:{sealed}"), true);
        check(&format!("vault:v120:{sealed}"), true);
        for version in ["", "0", "01", "+1", "-1", "1.0", "1a", "9999999999"] {
            check(&format!("vault:v{version}:{sealed}"), false);
        }
        for prefix in ["", "vault:", "Vault:v1:", "bao:v1:", " vault:v1:", "vault:v1"] {
            check(&format!("{prefix}{sealed}"), false);
        }
        for tail in ["\n", " ", "=", "A"] {
            check(&format!("vault:v1:{sealed}{tail}"), false);
        }
        // 61 bytes leave four unused bits in the last letter before the padding.
        let sloppy = sealed.replace("w==", "x==");
        assert_ne!(sloppy, sealed);
        check(&format!("vault:v1:{sloppy}"), false);
        check(&format!("vault:v1:{}", STANDARD.encode([7; 59])), false);
        check(&format!("vault:v1:{}", STANDARD.encode([7; 400])), false);
        assert!(parse(b"vault:v1:\xff").is_none());
    }
}
