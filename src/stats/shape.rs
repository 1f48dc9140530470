//! How far an estimate's distribution is from normal, and how much wider its intervals must be.

use crate::stats::portable::Portable;

/// Skewness and excess kurtosis of an estimate, in its standard errors; both shrink with more units.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Shape {
    /// Third cumulant ∕ error³.
    pub skewness: f64,
    /// Fourth cumulant ∕ error⁴.
    pub kurtosis: f64,
    /// Third cumulant ∕ error³ of an estimate whose error is estimated from the same units: for right-skewed values,
    /// samples with too low a mean also have too small an error. 0 if the error is known from elsewhere.
    pub lean: f64,
}

/// Beyond this skewness, a correction by two moments is not enough.
const MAX_SKEWNESS: f64 = 1.0;
/// The same limit for the excess kurtosis.
const MAX_KURTOSIS: f64 = 2.0;

impl Shape {
    /// Unknown shape.
    pub const UNKNOWN: Self = Self { skewness: f64::INFINITY, kurtosis: f64::INFINITY, lean: 0.0 };

    /// The shape of the same estimate with the opposite sign.
    #[must_use]
    pub fn mirrored(self) -> Self {
        Self { skewness: -self.skewness, lean: -self.lean, ..self }
    }

    /// Whether the distribution is close enough to normal for [`Shape::widened`].
    #[must_use]
    pub fn is_near_normal(self) -> bool {
        self.skewness.abs() <= MAX_SKEWNESS && self.kurtosis <= MAX_KURTOSIS && self.lean.abs() <= MAX_SKEWNESS
    }

    /// The shape with `times` as many units.
    #[must_use]
    pub fn after(self, times: f64) -> Self {
        let root = times.sqrt();
        Self { skewness: self.skewness / root, kurtosis: self.kurtosis / times, lean: self.lean / root }
    }

    /// The factor by which units must grow until it is close enough to normal; at most 1 if it is already.
    #[must_use]
    pub fn times_to_normal(self) -> f64 {
        (self.skewness.abs().max(self.lean.abs()) / MAX_SKEWNESS).powi(2).max(self.kurtosis / MAX_KURTOSIS)
    }

    /// The number of standard errors below the estimate that replaces `z` ≥ 0 of a normal one; never smaller than `z`.
    /// Those above the estimate are given by the [`Shape::mirrored`] shape.
    ///
    /// The larger of two values: z + |γ| (z² − 1) ∕ 6 + κ (z³ − 3 z) ∕ 24, using only positive terms, which is the
    /// second-order Cornish-Fisher expansion for the heavier tail; and z − λ (2 z² + 1) ∕ 6 for a lean λ < 0, which is
    /// that of an estimate divided by its own error (N. Johnson, "Modified t Tests and Confidence Intervals for
    /// Asymmetrical Populations", 1978).
    #[must_use]
    pub fn widened(self, z: f64) -> f64 {
        let skewed = self.skewness.abs() * (z * z - 1.0).max(0.0) / 6.0;
        let known = z + skewed + self.kurtosis.max(0.0) * (z.powi(3) - 3.0 * z).max(0.0) / 24.0;
        known.max(z + (-self.lean).max(0.0) * (2.0 * z * z + 1.0) / 6.0)
    }

    /// The normal z equivalent to `z`: the inverse of [`Shape::widened`] on the side of 0, with the sign of `z`; 0 if
    /// `z` is below the correction at 0.
    #[must_use]
    pub fn narrowed(self, z: f64) -> f64 {
        if self.skewness == 0.0 && self.kurtosis <= 0.0 && self.lean == 0.0 || !z.is_finite() {
            return z;
        }
        let side = if z < 0.0 { self.mirrored() } else { self };
        let (mut low, mut high) = (0.0, z.abs());
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if side.widened(middle) < z.abs() { low = middle } else { high = middle }
        }
        f64::midpoint(low, high).copysign(z)
    }
}

/// Skewness and kurtosis (not excess) of single values about the mean of their group, from residuals, which are first
/// scaled by their root mean square to avoid overflow. `None` if all residuals are 0.
#[must_use]
pub fn of_residuals(residuals: &[f64]) -> Option<(f64, f64)> {
    let largest = residuals.iter().fold(0.0_f64, |top, e| top.max(e.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return None;
    }
    let n = residuals.len() as f64;
    let moment = |power: i32| residuals.iter().map(|e| (e / largest).powi(power)).sum::<f64>() / n;
    let second = moment(2);
    Some((moment(3) / second.powf_portable(1.5), moment(4) / (second * second)))
}

/// The same for a share `p` in (0, 1).
#[must_use]
pub fn of_share(p: f64) -> (f64, f64) {
    let spread = p * (1.0 - p);
    ((1.0 - 2.0 * p) / spread.sqrt(), 1.0 / spread - 3.0)
}

#[cfg(test)]
mod tests {
    use super::{Shape, of_residuals, of_share};

    #[test]
    fn moments_are_those_of_scipy_and_of_a_share() {
        // scipy.stats.skew and kurtosis(fisher=False) of [-1, -1, -1, 3]
        let (skewness, kurtosis) = of_residuals(&[-1.0, -1.0, -1.0, 3.0]).unwrap();
        assert!(
            (skewness - 1.154_700_538_379_251_7).abs() < 1e-12 && (kurtosis - 2.333_333_333_333_333_5).abs() < 1e-12
        );
        let share = of_share(0.25);
        assert!((share.0 - skewness).abs() < 1e-12 && (share.1 - kurtosis).abs() < 1e-12);
        assert_eq!(of_residuals(&[0.0; 3]), None);
        assert!(of_residuals(&[1e200, -1e200, 5e199]).unwrap().1.is_finite());
    }

    #[test]
    fn narrowing_undoes_widening_and_normal_is_left_alone() {
        let shape = Shape { skewness: -0.4, kurtosis: 0.6, lean: 0.0 };
        for z in [0.0, 0.7, 1.5, 3.0, 8.0] {
            assert!((shape.narrowed(shape.widened(z)) - z).abs() < 1e-9, "{z}");
            assert!(shape.widened(z) >= z && Shape::default().widened(z) == z);
        }
        assert!((shape.narrowed(-4.0) + shape.narrowed(4.0)).abs() < 1e-12);
        assert!(shape.is_near_normal() && !Shape::UNKNOWN.is_near_normal());
        let skewed = Shape { skewness: 3.0, kurtosis: 1.0, lean: 0.0 };
        assert!(skewed.after(9.0).is_near_normal() && skewed.times_to_normal() == 9.0);
    }

    #[test]
    fn values_that_lean_to_the_right_widen_the_upper_side_alone() {
        let shape = Shape { lean: 0.5, ..Shape::default() };
        assert!(shape.widened(3.0) == 3.0 && (shape.mirrored().widened(3.0) - (3.0 + 0.5 * 19.0 / 6.0)).abs() < 1e-12);
        for z in [-6.0, -2.0, 2.0, 6.0_f64] {
            let side = if z < 0.0 { shape.mirrored() } else { shape };
            assert!((side.widened(shape.narrowed(z).abs()) - z.abs()).abs() < 1e-9, "{z}");
        }
        // An estimate smaller than the correction at 0 is no evidence.
        assert!(shape.narrowed(-0.05).abs() < 1e-9);
        assert!(!Shape { lean: -1.5, ..Shape::default() }.is_near_normal());
        assert_eq!(Shape { lean: -3.0, ..Shape::default() }.times_to_normal(), 9.0);
    }
}
