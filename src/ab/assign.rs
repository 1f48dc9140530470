//! Assigns units to arms.

use sha2::{Digest, Sha256};

/// The position of a unit in `[0, 1]`: the first 8 bytes of SHA-256(salt ‖ 0x00 ‖ unit), big-endian, ∕ 2⁶⁴.
///
/// The zero byte separates salt and unit: ("a", "bc") and ("ab", "c") get unrelated positions.
///
/// ```
/// // int.from_bytes(hashlib.sha256(b"checkout-2026\0" + b"10042").digest()[:8], "big") / 2**64
/// assert_eq!(mlloop::ab::assign::position("checkout-2026", b"10042"), 0.1602941307460821);
/// ```
#[must_use]
pub fn position(salt: &str, unit: &[u8]) -> f64 {
    place(&salted(salt), unit)
}

fn salted(salt: &str) -> Sha256 {
    Sha256::new().chain_update(salt.as_bytes()).chain_update([0])
}

fn place(salted: &Sha256, unit: &[u8]) -> f64 {
    let digest = salted.clone().chain_update(unit).finalize();
    let first = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    first as f64 / 18_446_744_073_709_551_616.0
}

/// Assigns arms by position; built once and used for every unit.
///
/// ```text
/// 0 ──── weight of the first arm ────┬── second ──┬─ third ─ 1
/// ```
/// A unit belongs to the first arm whose cumulative weight is above its position. With two arms, raising the weight of
/// the second moves units into it and none out of it.
#[derive(Debug, Clone)]
pub struct Assigner {
    salted: Sha256,
    cumulative: Vec<f64>,
    /// The last arm with a weight; it also gets the remainder from rounding.
    last: usize,
}

impl Assigner {
    /// Arms with these weights, which sum to 1.
    #[must_use]
    pub fn new(salt: &str, weights: &[f64]) -> Self {
        let mut sum = 0.0;
        let add = |weight: &f64| {
            sum += weight;
            sum
        };
        let cumulative = weights.iter().map(add).collect();
        let last = weights.iter().rposition(|weight| *weight > 0.0).unwrap_or(0);
        Self { salted: salted(salt), cumulative, last }
    }

    /// The position of `unit`; see [`position`].
    #[must_use]
    pub fn position(&self, unit: &[u8]) -> f64 {
        place(&self.salted, unit)
    }

    /// The index of the arm of `unit`.
    #[must_use]
    pub fn arm(&self, unit: &[u8]) -> usize {
        self.arm_at(self.position(unit))
    }

    /// The index of the arm at `position`.
    #[must_use]
    pub fn arm_at(&self, position: f64) -> usize {
        self.cumulative.iter().position(|&bound| position < bound).unwrap_or(self.last).min(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::{Assigner, position};
    use serde_json::Value;

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../../fixtures/reference/ab_assignment.json")).unwrap()
    }

    #[test]
    fn units_stand_where_hashlib_puts_them() {
        let vectors = vectors();
        for case in vectors["vectors"].as_array().unwrap() {
            let (salt, unit) = (case["salt"].as_str().unwrap(), case["unit"].as_str().unwrap());
            assert_eq!(position(salt, unit.as_bytes()), case["position"].as_f64().unwrap(), "{case}");
            for arms in case["arms"].as_array().unwrap() {
                let weights: Vec<f64> = serde_json::from_value(arms["weights"].clone()).unwrap();
                let arm = Assigner::new(salt, &weights).arm(unit.as_bytes());
                assert_eq!(Some(arm as u64), arms["arm"].as_u64(), "{case} {arms}");
            }
        }
    }

    #[test]
    fn the_published_vectors_are_those_of_the_fixture() {
        let methods = include_str!("../../docs/methods.md");
        for case in vectors()["vectors"].as_array().unwrap().iter().filter(|case| case["published"] == true) {
            let row = format!(
                "| `{}` | `{}` | `{}` | {} |",
                case["salt"].as_str().unwrap(),
                case["unit"].as_str().unwrap(),
                case["first_8_bytes"].as_str().unwrap(),
                case["position"]
            );
            assert!(methods.contains(&row), "{row}");
        }
    }

    #[test]
    fn shares_are_the_weights_and_a_growing_arm_loses_nobody() {
        let before = Assigner::new("growth", &[0.9, 0.1]);
        let after = Assigner::new("growth", &[0.6, 0.4]);
        let units: Vec<String> = (0..20_000).map(|unit| unit.to_string()).collect();
        let n_in_b = |assigner: &Assigner| units.iter().filter(|unit| assigner.arm(unit.as_bytes()) == 1).count();
        assert!((1_850..2_150).contains(&n_in_b(&before)), "{}", n_in_b(&before));
        assert!((7_800..8_200).contains(&n_in_b(&after)), "{}", n_in_b(&after));
        let left = |unit: &&String| before.arm(unit.as_bytes()) == 1 && after.arm(unit.as_bytes()) == 0;
        assert_eq!(units.iter().filter(left).count(), 0);
    }

    #[test]
    fn an_arm_without_weight_is_nobodys() {
        for weights in [[1.0, 0.0], [0.0, 1.0]] {
            let assigner = Assigner::new("s", &weights);
            let expected = usize::from(weights[1] == 1.0);
            assert!((0..5_000).all(|unit| assigner.arm(unit.to_string().as_bytes()) == expected));
            assert_eq!(assigner.arm_at(1.0), expected, "a position that rounds up to 1");
        }
        // The sums of rounded weights may be slightly below or above 1: the arms stay in range.
        let thirds = Assigner::new("s", &[0.1, 0.2, 0.7, 0.0]);
        assert_eq!(thirds.arm_at(1.0 - f64::EPSILON / 2.0), 2);
    }
}
