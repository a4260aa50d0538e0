//! Every target holds over the committed corpus and over mutations of it, and sees what it is there to see.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

mod charge_flaws;
mod flaws;
mod mutate;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;

use billfold_fuzz::{TARGETS, Target, sealed};

use crate::mutate::Mutations;

/// How many mutations each target is given.
const MUTATIONS: usize = 3000;
/// Fewer for those that read files.
const FEW: usize = 600;

/// The inputs of a target, by their names.
fn corpus(name: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus").join(name);
    let mut inputs: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap()))
        .collect();
    inputs.sort();
    inputs
}

fn run(target: &Target, input: &[u8], what: &str) {
    let outcome = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    assert!(outcome.is_ok(), "{}: {what}: {}", target.name, input.escape_ascii());
}

#[test]
fn the_corpus_holds() {
    for target in TARGETS {
        let inputs = corpus(target.name);
        assert!(inputs.len() >= 5, "{} has hardly any corpus", target.name);
        for (name, input) in inputs {
            run(target, &input, &name);
        }
    }
}

#[test]
fn every_folder_of_the_corpus_is_a_targets() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        assert!(TARGETS.iter().any(|target| target.name == name), "nobody reads corpus/{name}");
    }
}

#[test]
fn every_target_has_its_program() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("libfuzzer");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"targets/{name}.rs\"")), "{name}");
        let program = fs::read_to_string(folder.join(format!("targets/{name}.rs"))).unwrap();
        assert!(program.contains(&format!("run(\"{name}\", data)")), "{name} runs another target");
    }
    assert_eq!(fs::read_dir(folder.join("targets")).unwrap().count(), TARGETS.len());
}

#[test]
fn mutations_hold() {
    for target in TARGETS {
        let inputs: Vec<Vec<u8>> = corpus(target.name).into_iter().map(|(_, input)| input).collect();
        let count = if target.name == "config" { FEW } else { MUTATIONS };
        for (index, input) in Mutations::of(inputs, 1).take(count).enumerate() {
            run(target, &input, &format!("mutation {index}"));
        }
    }
}

/// Otherwise mutations of the corpus would be refused by their header, and show little.
#[test]
fn the_corpus_of_sealed_values_opens() {
    let inputs = corpus("sealed");
    for (index, blob) in sealed::genuine().into_iter().enumerate() {
        let genuine = [vec![u8::try_from(index).unwrap()], blob].concat();
        assert!(inputs.iter().any(|(_, input)| *input == genuine), "value {index} is not in the corpus");
    }
}
