//! What every version sealed, opened by this one.

use std::fs;

use super::super::{open, seal};
use super::example::{Example, beside};
use super::support::Dice;
use crate::entropy::SystemEntropy;
use crate::vault::Suite;

const PER_SUITE: usize = 50;

#[test]
fn what_every_version_sealed_opens() {
    let mut versions = Vec::new();
    for entry in fs::read_dir(beside("golden")).unwrap().map(|entry| entry.unwrap().path()) {
        if !entry.is_dir() {
            continue;
        }
        let text = fs::read_to_string(entry.join("blobs.json")).unwrap();
        let values: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
        assert!(values.len() >= PER_SUITE, "{}", entry.display());
        for (index, value) in values.iter().enumerate() {
            let value = Example::read(value);
            let opened = open(&value.key, &value.context, &value.blob);
            let same = opened.is_ok_and(|opened| *opened == value.plaintext);
            assert!(same, "value {index} of {} does not open", entry.display());
        }
        versions.push(entry.file_name().unwrap().to_string_lossy().into_owned());
    }
    assert!(
        versions.contains(&this_version()),
        "{} has no corpus; make it with: cargo test -p billfold-core --lib write_the_corpus -- --ignored",
        this_version()
    );
}

fn this_version() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}

#[test]
#[ignore = "run once for every version: writes its corpus, and never another's"]
fn write_the_corpus_of_this_version() {
    let mut dice = Dice::new();
    let mut lines = Vec::new();
    for suite in Suite::ALL {
        for index in 0..PER_SUITE {
            // Around the edges of a block, and then anything.
            let length = if index < 8 { 57 + index } else { dice.below(200) };
            let context_length = dice.below(80);
            let (key_id, key) = (dice.key_id(), dice.key());
            let (context, plaintext) = (dice.bytes(context_length), dice.bytes(length));
            let blob = seal(suite, key_id, &key, &context, &plaintext, &SystemEntropy).unwrap();
            let value = serde_json::json!({
                "suite": suite,
                "key_id": key_id.to_string(),
                "key": hex::encode(key.expose()),
                "context": hex::encode(context),
                "plaintext": hex::encode(plaintext),
                "blob": hex::encode(blob),
            });
            lines.push(value.to_string());
        }
    }
    let folder = beside("golden").join(this_version());
    fs::create_dir_all(&folder).unwrap();
    let mut file = fs::File::create_new(folder.join("blobs.json")).unwrap();
    std::io::Write::write_all(&mut file, format!("[\n{}\n]\n", lines.join(",\n")).as_bytes()).unwrap();
}
