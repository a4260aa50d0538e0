//! Looks for secrets where none may be: in files, rows, logs and answers, in clear and in the usual encodings.

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// Secrets to look for, each in all its spellings.
#[derive(Debug, Default)]
pub(crate) struct Canaries {
    names: Vec<String>,
    spellings: Vec<Vec<u8>>,
}

/// Finds them.
#[derive(Debug)]
pub(crate) struct Search {
    names: Vec<String>,
    automaton: AhoCorasick,
}

impl Canaries {
    /// Looks for this one, too.
    pub(crate) fn add(&mut self, what: &str, secret: &str) {
        let bytes = secret.as_bytes();
        let mut spell = |how: &str, bytes: Vec<u8>| {
            self.names.push(format!("{what} ({how})"));
            self.spellings.push(bytes);
        };
        spell("clear", bytes.to_vec());
        spell("reversed", bytes.iter().rev().copied().collect());
        spell("hex", hex::encode(bytes).into_bytes());
        spell("HEX", hex::encode_upper(bytes).into_bytes());
        spell("UTF-16", bytes.iter().flat_map(|byte| [*byte, 0]).collect());
        let percent: String = url::form_urlencoded::byte_serialize(bytes).collect();
        if percent != secret {
            spell("percent", percent.into_bytes());
        }
        // Inside of other text base64 begins at any of three places; what depends on the neighbours is cut off.
        for shift in 0..3_usize {
            let padded = [&vec![b'.'; shift], bytes].concat();
            let first = [0, 2, 3][shift];
            for (how, engine) in [("base64", &STANDARD_NO_PAD), ("base64url", &URL_SAFE_NO_PAD)] {
                let text = engine.encode(&padded);
                let last = text.len() - [0, 2, 3][padded.len() % 3].min(text.len());
                if let Some(inner) = text.get(first..last).filter(|inner| inner.len() >= 8) {
                    spell(how, inner.as_bytes().to_vec());
                }
            }
        }
    }

    pub(crate) fn search(self) -> anyhow::Result<Search> {
        Ok(Search { names: self.names, automaton: AhoCorasick::new(self.spellings)? })
    }
}

impl Search {
    /// The first secret that is among these bytes.
    pub(crate) fn find(&self, bytes: &[u8]) -> Option<&str> {
        let found = self.automaton.find(bytes)?;
        self.names.get(found.pattern().as_usize()).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_in_every_spelling() {
        let secret = "xnd_development_CANARY/key+1";
        let mut canaries = Canaries::default();
        canaries.add("key", secret);
        let canaries = canaries.search().unwrap();
        let within =
            |text: String| [b"\x00\xffsome ".to_vec(), text.into_bytes(), b" more".to_vec()].concat();
        for text in [
            secret.to_owned(),
            secret.chars().rev().collect(),
            hex::encode(secret),
            hex::encode_upper(secret),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        ] {
            assert!(canaries.find(&within(text.clone())).is_some(), "{text}");
        }
        for before in ["", "a", "ab", "abc", "abcd"] {
            for after in ["", "z", "zy", "zyx"] {
                let text = format!("{before}{secret}{after}");
                assert!(canaries.find(&within(STANDARD_NO_PAD.encode(&text))).is_some(), "{text}");
                assert!(canaries.find(&within(URL_SAFE_NO_PAD.encode(&text))).is_some(), "{text}");
            }
        }
        assert_eq!(canaries.find(b"xnd_development_CANARY/key+2, and other text"), None);
    }
}
