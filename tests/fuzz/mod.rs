//! Damaged input of every kind: nothing panics, nothing takes memory out of proportion.
//!
//! Each target is given mutations of real files (`fixtures/` and what a small loop writes). The quick form runs with all
//! tests. `make fuzz SECONDS=60` runs each target for so long, and says how often and how fast; a find is written to the
//! target directory and named. The same seed gives the same inputs.

mod mutate;
mod targets;

use mutate::Mutator;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::{Duration, Instant};
use targets::{Corpora, TARGETS, Target};

/// What ended a run of a target.
enum Until {
    Executions(u64),
    Time(Duration),
}

/// What a run of a target came to.
struct Run {
    n: u64,
    n_valid: u64,
    slowest: Duration,
    finds: Vec<PathBuf>,
}

fn run(target: &Target, corpora: &Corpora, seed: u64, until: &Until) -> Run {
    const MOST_FINDS: usize = 5;
    let seeds = corpora.of(target.name);
    assert!(seeds.iter().any(|seed| (target.run)(corpora, seed)), "{}: a seed is whole", target.name);
    let mut mutator = Mutator::new(seeds, seed);
    let mut found = Run { n: 0, n_valid: 0, slowest: Duration::ZERO, finds: Vec::new() };
    let began = Instant::now();
    loop {
        let goes_on = match until {
            Until::Executions(most) => found.n < *most,
            Until::Time(longest) => began.elapsed() < *longest,
        };
        if !goes_on || found.finds.len() >= MOST_FINDS {
            return found;
        }
        let input = mutator.next();
        let one = Instant::now();
        match catch_unwind(AssertUnwindSafe(|| (target.run)(corpora, &input))) {
            Ok(is_valid) => found.n_valid += u64::from(is_valid),
            Err(_) => found.finds.push(kept(target.name, &input)),
        }
        found.slowest = found.slowest.max(one.elapsed());
        found.n += 1;
    }
}

/// Writes an input that ended in a panic where a person finds it.
fn kept(target: &str, input: &[u8]) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    std::fs::create_dir_all(&dir).unwrap();
    let path = dir.join(format!("{target}-{}", &mlloop::digest::sha256(input)[..12]));
    std::fs::write(&path, input).unwrap();
    path
}

#[test]
fn damaged_input_never_panics() {
    let corpora = Corpora::new();
    for target in &TARGETS {
        let found = run(target, &corpora, 1, &Until::Executions(target.quick));
        assert!(found.finds.is_empty(), "{}: {:?}", target.name, found.finds);
    }
}

/// `MLLOOP_FUZZ_SECONDS` for each target, `MLLOOP_FUZZ` names one, `MLLOOP_FUZZ_SEED` begins elsewhere.
#[test]
#[ignore = "make fuzz"]
fn for_as_long_as_wanted() {
    let number = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let seconds = Duration::from_secs(number("MLLOOP_FUZZ_SECONDS", 10));
    let named = std::env::var("MLLOOP_FUZZ").unwrap_or_default();
    let corpora = Corpora::new();
    let mut finds = Vec::new();
    eprintln!(
        "{:<14} {:>12} {:>10} {:>9} {:>12} {:>9}",
        "target", "executions", "a second", "whole", "slowest", "memory"
    );
    for target in TARGETS.iter().filter(|target| named.is_empty() || target.name == named) {
        let found = run(target, &corpora, number("MLLOOP_FUZZ_SEED", 2), &Until::Time(seconds));
        eprintln!(
            "{:<14} {:>12} {:>10.0} {:>7.1} % {:>9} ms {:>6} MB",
            target.name,
            found.n,
            found.n as f64 / seconds.as_secs_f64(),
            100.0 * found.n_valid as f64 / found.n.max(1) as f64,
            found.slowest.as_millis(),
            peak_mb()
        );
        assert!(peak_mb() < 1024, "{}: {} MB", target.name, peak_mb());
        finds.extend(found.finds);
    }
    assert!(finds.is_empty(), "{finds:?}");
}

/// The most memory that this process ever had, in megabytes; 0 where the system does not say.
fn peak_mb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).map_or(0, |kb| kb / 1024)
}
