//! The part of the evaluation to which a row permanently belongs.
//!
//! ```text
//! hash of the row's key   0 ─────── train ───────┬─ tune ─┬─── gate ─── 1
//!                                        1 − tune − gate  1 − gate
//! time of the row         earliest ── train ──┬── tune ──┬── gate ── latest
//! ```
//! With a hash the part depends on the row alone: adding rows moves none, so a retrain cannot use gate rows for
//! training.

use crate::stats::random::unit_hash;
use serde::{Deserialize, Serialize};

/// The use of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Models and encoders learn from it.
    Train,
    /// Early stopping, calibration and the threshold are chosen on it.
    Tune,
    /// No model learns from it; versions are compared on it.
    Gate,
}

/// Shares of the tune and the gate part, in `[0, 1)`; the rest is for training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Shares {
    /// Share of rows for tuning.
    pub tune: f64,
    /// Share of rows for the gate.
    pub gate: f64,
}

/// The rows of each part, ascending.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parts {
    /// Rows to learn from.
    pub train: Vec<u32>,
    /// Rows to stop, calibrate and choose a threshold on.
    pub tune: Vec<u32>,
    /// Rows to compare versions on.
    pub gate: Vec<u32>,
}

impl Shares {
    /// The part of a row whose position in `[0, 1)` is `position`.
    #[must_use]
    pub fn side(self, position: f64) -> Part {
        if position < 1.0 - self.tune - self.gate {
            Part::Train
        } else if position < 1.0 - self.gate {
            Part::Tune
        } else {
            Part::Gate
        }
    }
}

/// The position of a row by the hash of its key (an id's text, a group's text, a row's digest).
#[must_use]
pub fn hash_position(key: &[u8]) -> f64 {
    // One fixed seed: `--seed` must not move rows to another part.
    unit_hash(key, 0)
}

/// Splits rows by position, ascending within each part.
#[must_use]
pub fn by_position(positions: &[f64], shares: Shares) -> Parts {
    let mut parts = Parts::default();
    for (row, &position) in (0..).zip(positions) {
        match shares.side(position) {
            Part::Train => parts.train.push(row),
            Part::Tune => parts.tune.push(row),
            Part::Gate => parts.gate.push(row),
        }
    }
    parts
}

/// Positions by time: the share of rows that are strictly earlier, so rows of one instant stay together.
#[must_use]
pub fn time_positions(times: &[i64]) -> Vec<f64> {
    let mut sorted = times.to_vec();
    sorted.sort_unstable();
    times.iter().map(|t| sorted.partition_point(|s| s < t) as f64 / sorted.len() as f64).collect()
}

/// Fold of each row by the hash of its key, in `0..k`; independent of its part.
#[must_use]
pub fn fold(key: &[u8], k: usize) -> usize {
    const FOLD_SEED: u64 = 0x00F0_1D00;
    ((unit_hash(key, FOLD_SEED) * k as f64) as usize).min(k - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares { tune: 0.1, gate: 0.2 };

    #[test]
    fn sides_have_their_shares() {
        let positions: Vec<f64> = (0..20_000).map(|i: u32| hash_position(&i.to_le_bytes())).collect();
        let parts = by_position(&positions, SHARES);
        assert!((parts.tune.len() as f64 / 20_000.0 - 0.1).abs() < 0.01);
        assert!((parts.gate.len() as f64 / 20_000.0 - 0.2).abs() < 0.01);
        assert_eq!(parts.train.len() + parts.tune.len() + parts.gate.len(), 20_000);
    }

    #[test]
    fn a_row_never_changes_sides() {
        let before = SHARES.side(hash_position(b"7590-VHVEG"));
        assert_eq!(before, SHARES.side(hash_position(b"7590-VHVEG")));
    }

    #[test]
    fn the_latest_rows_are_the_gate() {
        let times: Vec<i64> = (0..10).rev().collect();
        let parts = by_position(&time_positions(&times), SHARES);
        assert_eq!(parts.gate, [0, 1]);
        assert_eq!(parts.tune, [2]);
    }

    #[test]
    fn one_instant_stays_together() {
        let parts = by_position(&time_positions(&[5, 5, 5, 5, 5, 5, 5, 5, 5, 9]), SHARES);
        assert_eq!(parts.train.len(), 9);
        assert_eq!(parts.gate, [9]);
    }

    #[test]
    fn folds_are_even_and_unrelated_to_sides() {
        let mut counts = [0_usize; 5];
        let mut gate_of_first_fold = 0;
        for i in 0..10_000_u32 {
            let key = i.to_le_bytes();
            let f = fold(&key, 5);
            counts[f] += 1;
            if f == 0 && SHARES.side(hash_position(&key)) == Part::Gate {
                gate_of_first_fold += 1;
            }
        }
        assert!(counts.iter().all(|&c| (1_850..2_150).contains(&c)), "{counts:?}");
        assert!((300..500).contains(&gate_of_first_fold), "{gate_of_first_fold}");
    }
}
