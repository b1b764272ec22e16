//! The kept inputs and random changes of them, on any toolchain.
//!
//! `VENOM_FUZZ_SECONDS` is how long each target takes, and `VENOM_FUZZ_SEED` repeats a run that failed.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

use super::mutate::mutated;

/// Far more than an input of a few kilobytes takes in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(10);

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// All files of a folder of the repository.
fn inputs(folder: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| std::fs::read(file).unwrap())
        .collect()
}

/// Runs one input. One that fails is written to a file, which can be kept in the corpus.
fn run(target: &str, reader: fn(&[u8]), input: &[u8], seed: u64) {
    let start = Instant::now();
    let ended = catch_unwind(AssertUnwindSafe(|| reader(input)));
    let took = start.elapsed();
    if ended.is_ok() && took < LONGEST {
        return;
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/fuzz");
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{target}-{seed}"));
    std::fs::write(&file, input).unwrap();
    panic!("{target} fails after {took:?}: the input is in {file:?}; seed {seed}");
}

fn fuzz(target: &str, reader: fn(&[u8]), folders: &[&str]) {
    let seed = variable("VENOM_FUZZ_SEED").unwrap_or_else(|| fastrand::u64(..));
    let period = Duration::from_secs(variable("VENOM_FUZZ_SECONDS").unwrap_or(2));
    let inputs: Vec<_> = folders.iter().flat_map(|folder| inputs(folder)).collect();
    assert!(
        inputs.len() >= 5,
        "{target} has too few inputs to start from"
    );
    for input in &inputs {
        run(target, reader, input, seed);
    }
    let (mut random, start) = (Rng::with_seed(seed), Instant::now());
    while start.elapsed() < period {
        run(target, reader, &mutated(&inputs, &mut random), seed);
    }
}

#[test]
fn pickle() {
    fuzz("pickle", super::pickle, &["fuzz/corpus/pickle"]);
}

#[test]
fn msgpack() {
    fuzz("msgpack", super::msgpack, &["fuzz/corpus/msgpack"]);
}

#[test]
fn dump() {
    fuzz(
        "dump",
        super::dump,
        &["fuzz/corpus/dump", "tests/fixtures/dumps"],
    );
}

#[test]
fn bodies() {
    fuzz("bodies", super::bodies, &["fuzz/corpus/bodies"]);
}

#[test]
fn dotenv() {
    fuzz("dotenv", super::dotenv, &["fuzz/corpus/dotenv"]);
}
