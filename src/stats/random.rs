//! Seeded random numbers, and the hash that splits rows.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A generator for one purpose: the same `seed` and `purpose` give the same numbers on every system.
///
/// Different purposes (`"split"`, `"bootstrap"`) give independent streams, so that adding a draw in one place
/// does not change the draws of another.
#[must_use]
pub fn rng(seed: u64, purpose: &str) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(hash64(purpose.as_bytes(), seed))
}

/// A 64-bit hash of bytes (XXH3), the same on every machine.
#[must_use]
pub fn hash64(bytes: &[u8], seed: u64) -> u64 {
    xxh3_64_with_seed(bytes, seed)
}

/// A hash of bytes as a number in `[0, 1)`, uniformly distributed over distinct bytes.
///
/// ```
/// let side = mlloop::stats::random::unit_hash(b"7590-VHVEG", 0);
/// assert!((0.0..1.0).contains(&side));
/// assert_eq!(side, mlloop::stats::random::unit_hash(b"7590-VHVEG", 0));
/// ```
#[must_use]
pub fn unit_hash(bytes: &[u8], seed: u64) -> f64 {
    // An f64 can represent the upper 53 bits exactly.
    (hash64(bytes, seed) >> 11) as f64 / (1_u64 << 53) as f64
}
