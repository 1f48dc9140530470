//! Damaged input of every kind: nothing panics, nothing takes memory out of proportion.
//!
//! Each target is given mutations of real files (`fixtures/` and what a small loop writes); a find is written to the
//! target directory and named. The same seed gives the same inputs. `make fuzz SECONDS=60` runs the same targets in
//! `fuzz/`, where coverage leads the mutations.

mod corpora;
mod mutate;
mod targets;

use corpora::Corpora;
use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use targets::{TARGETS, Target};

#[test]
fn damaged_input_never_panics() {
    let corpora = Corpora::new();
    for target in &TARGETS {
        let finds = run(target, &corpora, 1);
        assert!(finds.is_empty(), "{}: {finds:?}", target.name);
    }
}

/// Gives a target its number of inputs. The answer is where inputs stand that ended in a panic.
fn run(target: &Target, corpora: &Corpora, seed: u64) -> Vec<PathBuf> {
    let folder = corpora.folder();
    let seeds = corpora.of(target.name);
    assert!(seeds.iter().any(|seed| (target.run)(&folder, seed)), "{}: a seed is whole", target.name);
    let mut mutator = Mutator::new(seeds, seed);
    let mut finds = Vec::new();
    for _ in 0..target.quick {
        let input = mutator.next();
        if catch_unwind(AssertUnwindSafe(|| (target.run)(&folder, &input))).is_err() {
            finds.push(kept(target.name, &input));
        }
    }
    finds
}

/// Writes an input that ended in a panic where a person finds it.
fn kept(target: &str, input: &[u8]) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{target}-{}", &mlloop::digest::sha256(input)[..12]));
    std::fs::write(&path, input).unwrap();
    path
}

/// Writes what `make fuzz` starts from: `seeds/TARGET/N` and a loop in `loop/`, under `MLLOOP_FUZZ_DIR`.
#[test]
#[ignore = "make fuzz"]
fn seeds_are_written() {
    let dir = PathBuf::from(std::env::var_os("MLLOOP_FUZZ_DIR").expect("MLLOOP_FUZZ_DIR names a folder"));
    let corpora = Corpora::new();
    for target in &TARGETS {
        let folder = dir.join("seeds").join(target.name);
        std::fs::create_dir_all(&folder).unwrap();
        for (at, seed) in corpora.of(target.name).iter().enumerate() {
            std::fs::write(folder.join(at.to_string()), seed).unwrap();
        }
    }
    corpora.copy_loop(&dir.join("loop"));
}
