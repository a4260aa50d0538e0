//! What a reader wants to see first, and the names of the suites.

use std::fs;

use super::super::{MAX_PLAINTEXT, header, open, seal};
use super::support::{Scripted, data_key};
use crate::entropy::SystemEntropy;
use crate::vault::{KeyId, SealError, Suite};

const ID: KeyId = KeyId::from_bytes([1; 16]);

fn sealed(suite: Suite, context: &[u8], plaintext: &[u8]) -> Vec<u8> {
    seal(suite, ID, &data_key([7; 32]), context, plaintext, &SystemEntropy).unwrap()
}

#[test]
fn opens_in_its_context_and_under_its_key_only() {
    for suite in Suite::ALL {
        let blob = sealed(suite, b"here", b"secret");
        assert_eq!(open(&data_key([7; 32]), b"here", &blob).unwrap().as_slice(), b"secret");
        assert_eq!(open(&data_key([7; 32]), b"there", &blob), Err(SealError));
        assert_eq!(open(&data_key([8; 32]), b"here", &blob), Err(SealError));
    }
}

#[test]
fn the_header_says_suite_and_key() {
    for suite in Suite::ALL {
        let blob = sealed(suite, b"here", b"secret");
        let header = header(&blob).unwrap();
        assert_eq!((header.suite, header.key_id), (suite, ID));
    }
}

/// So that no key is fetched, let alone used, for what cannot be a value.
#[test]
fn what_has_no_possible_length_is_refused_by_its_header() {
    for suite in Suite::ALL {
        let blob = sealed(suite, b"here", &vec![0; MAX_PLAINTEXT]);
        assert!(header(&blob).is_ok());
        assert_eq!(header(&[blob.as_slice(), &[0; 64]].concat()), Err(SealError));
        assert_eq!(header(&blob[..blob.len() - 1]), Err(SealError));
        assert_eq!(header(&blob[..88 + suite.nonce_len() + 16]), Err(SealError));
    }
}

#[test]
fn lengths_are_hidden_up_to_64_bytes() {
    for suite in Suite::ALL {
        assert_eq!(sealed(suite, b"", b"").len(), sealed(suite, b"", &[1; 60]).len());
        assert_ne!(sealed(suite, b"", &[1; 60]).len(), sealed(suite, b"", &[1; 61]).len());
    }
}

#[test]
fn without_randomness_nothing_is_sealed() {
    for suite in Suite::ALL {
        let seal = |script: &Scripted| seal(suite, ID, &data_key([7; 32]), b"here", b"", script);
        let almost = Scripted::new(&[&vec![0; 32 + suite.nonce_len() - 1]]);
        assert_eq!(seal(&almost), Err(SealError));
        let enough = Scripted::new(&[&vec![0; 32 + suite.nonce_len()]]);
        assert!(seal(&enough).is_ok() && enough.is_used_up());
    }
}

#[test]
fn suites_have_the_names_of_the_configuration() {
    for suite in Suite::ALL {
        assert_eq!(Suite::from_name(suite.as_str()), Some(suite));
        assert_eq!(Suite::from_id(suite.id()), Some(suite));
        let json = serde_json::to_string(&suite).unwrap();
        assert_eq!(json, format!("\"{}\"", suite.as_str()));
        assert_eq!(serde_json::from_str::<Suite>(&json).unwrap(), suite);
    }
    assert_eq!(Suite::from_name("AES-256-GCM"), None);
    let error = serde_json::from_str::<Suite>("\"aes\"").unwrap_err().to_string();
    assert!(error.contains("one of `aes-256-gcm`, `xchacha20-poly1305`, `aes-256-gcm-sha256`"), "{error}");
}

/// Numbers are in databases: they are never given to another suite.
#[test]
fn suites_keep_their_numbers() {
    let numbers = Suite::ALL.map(|suite| (suite.number(), suite.as_str()));
    assert_eq!(numbers, [(1, "aes-256-gcm"), (2, "xchacha20-poly1305"), (3, "aes-256-gcm-sha256")]);
    assert!(numbers.iter().all(|(number, _)| Suite::from_number(*number).unwrap().number() == *number));
    assert_eq!([0, 4, 0x0300].map(Suite::from_number), [None; 3]);
    assert_eq!(Suite::default(), Suite::Aes256GcmSha256);
}

/// The parameters of every public function of a source text.
fn public_parameters(source: &str) -> Vec<String> {
    let starts = source.match_indices("pub ").filter(|(at, _)| {
        let rest = &source[at + 4..];
        ["fn ", "async fn ", "const fn "].iter().any(|keyword| rest.starts_with(keyword))
    });
    starts.map(|(at, _)| source[at..].split(['{', ';']).next().unwrap().to_owned()).collect()
}

#[test]
fn no_public_function_takes_a_salt_or_nonce() {
    let takes_one = |signature: &String| {
        let words = signature.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        words.into_iter().any(|word| ["nonce", "salt", "iv"].contains(&word))
    };
    let control = "impl V { pub fn seal(&self, nonce: &[u8]) -> X { } fn f(salt: X) {} pub fn g() {} }";
    assert_eq!(public_parameters(control).iter().filter(|signature| takes_one(signature)).count(), 1);

    let vault = concat!(env!("CARGO_MANIFEST_DIR"), "/src/vault");
    let mut folders = vec![vault.into()];
    let mut sources = vec![format!("{vault}.rs").into()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            match entry.extension() {
                None if entry.file_name().unwrap() != "tests" => folders.push(entry),
                Some(extension) if extension == "rs" => sources.push(entry),
                _ => {}
            }
        }
    }
    let mut seen = 0;
    for source in sources {
        let signatures = public_parameters(&fs::read_to_string(&source).unwrap());
        seen += signatures.len();
        let found: Vec<_> = signatures.into_iter().filter(takes_one).collect();
        assert!(found.is_empty(), "{}: {found:?}", source.display());
    }
    assert!(seen > 10, "only {seen} functions were found");
}

proptest::proptest! {
    #[test]
    fn any_value_round_trips(
        value in proptest::collection::vec(0_u8.., 0..300),
        suite in proptest::sample::select(&Suite::ALL),
    ) {
        let opened = open(&data_key([7; 32]), b"here", &sealed(suite, b"here", &value)).unwrap();
        proptest::prop_assert_eq!(opened.as_slice(), value.as_slice());
    }

    #[test]
    fn garbage_never_opens(blob in proptest::collection::vec(0_u8.., 0..300)) {
        proptest::prop_assert!(open(&data_key([7; 32]), b"here", &blob).is_err());
    }
}
