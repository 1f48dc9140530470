//! One target of `tests/fuzz` under libFuzzer: `MLLOOP_FUZZ` names it, `MLLOOP_FUZZ_DIR` has the loop that some targets
//! damage. Half of the mutations are libFuzzer's own, half know the words and numbers of the formats.

#![no_main]

#[path = "../../tests/fuzz/mutate.rs"]
mod mutate;
#[path = "../../tests/fuzz/targets.rs"]
#[allow(dead_code, reason = "how many inputs the tests give is for the tests")]
mod targets;

use mutate::Mutator;
use std::sync::LazyLock;
use targets::{Folder, TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = variable("MLLOOP_FUZZ");
    TARGETS.iter().find(|target| target.name == name).unwrap_or_else(|| panic!("no target is called {name}"))
});

/// Where the loop is. Each process has one of its own.
static FOLDER: LazyLock<Folder> = LazyLock::new(|| Folder(variable("MLLOOP_FUZZ_DIR").into()));

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

libfuzzer_sys::fuzz_target!(
    // A panic that mlloop catches is no find, hence libFuzzer may not end the process at each panic.
    init: drop(std::panic::take_hook()),
    |bytes: &[u8]| {
        (TARGET.run)(&FOLDER, bytes);
    }
);

libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    if seed % 2 == 0 {
        return libfuzzer_sys::fuzzer_mutate(data, size, max_size);
    }
    let next = Mutator::new(&[data[..size].to_vec()], u64::from(seed)).next();
    let length = next.len().min(max_size);
    data[..length].copy_from_slice(&next[..length]);
    length
});
