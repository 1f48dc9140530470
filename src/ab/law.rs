//! The distribution of units within arms, and the number of units needed before the error of an arm's mean is reliable.
//!
//! If the few decisive units of an arm have not arrived yet, its variance is far too small, and its mean is too low:
//! only arms with the same distribution can be pooled. So each arm must show its own distribution.

use super::units::{Outcome, Units};
use crate::stats::shape;

/// Fewest units of an arm for a normal approximation.
pub(super) const MIN_UNITS: f64 = 30.0;
/// The same for each arm, if the distributions of the arms differ.
const MIN_UNITS_UNLIKE: f64 = 100.0;
/// Distributions differ if the standard deviation of one arm is more than this many times that of the other.
const UNLIKE: f64 = 2.0;
/// Minimum number of units with another value than the arm's most frequent one.
const MIN_AWAY: f64 = 10.0;
/// With this many units in an arm, fewer such units are enough.
const ENOUGH_FOR_ANY: f64 = 1000.0;

/// The distribution of the units of one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Law {
    /// Root mean square of the distances to the arm's mean.
    spread: f64,
    /// Skewness; 0 without variation.
    skewness: f64,
    /// Share of the units whose value is not the arm's most frequent one.
    away: f64,
}

impl Law {
    /// Computed from an arm's distances to its mean and its original values.
    pub(super) fn of(residuals: &[f64], values: Vec<f64>) -> Self {
        let largest = residuals.iter().fold(0.0_f64, |top, e| top.max(e.abs()));
        let second = residuals.iter().map(|e| (e / largest).powi(2)).sum::<f64>() / residuals.len() as f64;
        let spread = if largest > 0.0 { largest * second.sqrt() } else { 0.0 };
        let skewness = shape::of_residuals(residuals).map_or(0.0, |(skewness, _)| skewness);
        Self { spread, skewness, away: away(values) }
    }

    /// The third central moment of a unit's value times `scale`.
    pub(super) fn third(&self, scale: f64) -> f64 {
        self.skewness * (scale * self.spread).powi(3)
    }
}

/// The distributions of the arms, from each unit's arm and distance to its mean; `as_given` is the unadjusted outcome.
pub(super) fn of_arms(residuals: &[(usize, f64)], units: &Units, as_given: &Outcome) -> Vec<Law> {
    // For a ratio, the numerator may be rare; use the denominator if all numerators are equal.
    let known = || (0..units.n()).filter(|&unit| as_given.is_known(unit));
    let mut firsts = known().map(|unit| as_given.y[unit]);
    let first = firsts.next();
    let is_one = firsts.all(|y| Some(y) == first);
    let of = |arm: usize| {
        let own: Vec<f64> = residuals.iter().filter(|(of, _)| *of == arm).map(|(_, e)| *e).collect();
        let pairs = known().filter(|&unit| usize::from(units.arm[unit]) == arm).map(|unit| as_given.pair(unit));
        Law::of(&own, pairs.map(|(y, x)| if is_one { x } else { y }).collect())
    };
    (0..units.arms.len()).map(of).collect()
}

/// The number of units as a share of the required minimum, for the worst of the arms with `n` units; 1 or more is
/// enough.
pub(super) fn start<const N: usize>(n: [f64; N], laws: [Option<&Law>; N]) -> f64 {
    let spreads = || laws.iter().flatten().map(|law| law.spread);
    let (least, most) = spreads().fold((f64::INFINITY, 0.0_f64), |(low, high), s| (low.min(s), high.max(s)));
    let need = if most > UNLIKE * least { MIN_UNITS_UNLIKE } else { MIN_UNITS };
    let of = |(n, law): (f64, Option<&Law>)| {
        let away = law.map_or(f64::INFINITY, |law| n * law.away / MIN_AWAY);
        (n / need).min(away.max(n / ENOUGH_FOR_ANY))
    };
    n.into_iter().zip(laws).map(of).fold(f64::INFINITY, f64::min)
}

/// The share of values that are not the most frequent one; 0 without values.
fn away(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let most = values.chunk_by(|a, b| a == b).map(<[f64]>::len).max().unwrap_or(0);
    (values.len() - most) as f64 / values.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::{Law, start};

    fn law(values: &[f64]) -> Law {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        Law::of(&values.iter().map(|v| v - mean).collect::<Vec<f64>>(), values.to_vec())
    }

    #[test]
    fn an_arm_needs_units_away_from_its_most_frequent_value() {
        let usual = law(&[0.0, 1.0, 2.0, 3.0]);
        let rare = law(&[0.0, -0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 4.0]);
        assert!((rare.away - 0.1).abs() < 1e-12 && (rare.third(1.0) - 4.608).abs() < 1e-9, "{rare:?}");
        assert!((start([40.0, 40.0], [Some(&usual), Some(&usual)]) - 40.0 / 30.0).abs() < 1e-12);
        assert!((start([40.0, 40.0], [Some(&usual), Some(&rare)]) - 0.4).abs() < 1e-12);
        assert!((start([500.0, 100.0], [Some(&usual), Some(&rare)]) - 1.0).abs() < 1e-12);
        // It takes a thousand units to conclude that there are none.
        let never = law(&[0.0; 5]);
        assert!((start([900.0, 900.0], [Some(&usual), Some(&never)]) - 0.9).abs() < 1e-12);
        assert!(never.third(1.0) == 0.0 && start([30.0], [None]) == 1.0);
    }

    #[test]
    fn arms_that_vary_unlike_need_more_units() {
        let (narrow, wide) = (law(&[1.0, 2.0, 3.0]), law(&[1.0, 4.0, 9.0]));
        assert!((start([60.0, 60.0], [Some(&narrow), Some(&narrow)]) - 2.0).abs() < 1e-12);
        assert!((start([60.0, 60.0], [Some(&narrow), Some(&wide)]) - 0.6).abs() < 1e-12);
    }
}
