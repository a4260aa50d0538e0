//! What every version sealed, opened by this one.

use std::fs;
use std::path::Path;

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
        let values = values_in(&entry);
        assert!(values.len() >= PER_SUITE, "{}", entry.display());
        for (index, value) in values.iter().enumerate() {
            let opened = open(&value.key, &value.context, &value.blob);
            let same = opened.is_ok_and(|opened| *opened == value.plaintext);
            assert!(same, "value {index} of {} does not open", entry.display());
        }
        versions.push((entry.file_name().unwrap().to_string_lossy().into_owned(), values));
    }
    for suite in Suite::ALL {
        let of_this = versions.iter().filter(|(version, _)| *version == this_version());
        let sealed = of_this.flat_map(|(_, values)| values).filter(|value| value.suite == suite);
        assert!(
            sealed.count() >= PER_SUITE,
            "{} has no corpus of {}; make it with: cargo test -p billfold-core --lib write_the_corpus -- --ignored",
            this_version(),
            suite.as_str()
        );
    }
}

/// The values of all files of a version.
fn values_in(folder: &Path) -> Vec<Example> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file| {
        let values: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        values.iter().map(Example::read).collect::<Vec<_>>()
    };
    files.into_iter().flat_map(read).collect()
}

fn this_version() -> String {
    format!("v{}", env!("CARGO_PKG_VERSION"))
}

#[test]
#[ignore = "run once for every version and new suite: writes its corpus, and never another's"]
fn write_the_corpus_of_this_version() {
    let folder = beside("golden").join(this_version());
    fs::create_dir_all(&folder).unwrap();
    let known = values_in(&folder);
    let mut dice = Dice::new();
    for suite in Suite::ALL.into_iter().filter(|suite| known.iter().all(|value| value.suite != *suite)) {
        let mut lines = Vec::new();
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
        let mut file = fs::File::create_new(folder.join(format!("{}.json", suite.as_str()))).unwrap();
        std::io::Write::write_all(&mut file, format!("[\n{}\n]\n", lines.join(",\n")).as_bytes()).unwrap();
    }
}
