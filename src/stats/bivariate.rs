//! Count, means, variances and covariance of pairs, in one pass; mergeable.

/// Statistics of pairs (y, x): counts and sums about the means.
///
/// One pass and merging as in T. Chan, G. Golub, R. LeVeque, "Updating Formulae and a Pairwise Algorithm for Computing
/// Sample Variances", 1979; a large offset does not lose precision.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Bivariate {
    n: f64,
    y: f64,
    x: f64,
    yy: f64,
    xx: f64,
    xy: f64,
}

impl Bivariate {
    /// Adds a pair.
    pub fn push(&mut self, y: f64, x: f64) {
        self.n += 1.0;
        let (dy, dx) = (y - self.y, x - self.x);
        self.y += dy / self.n;
        self.x += dx / self.n;
        self.yy += dy * (y - self.y);
        self.xx += dx * (x - self.x);
        self.xy += dy * (x - self.x);
    }

    /// `n` units, of which `k` have the value 1 and the others 0; x is 1.
    #[must_use]
    pub fn of_counts(n: f64, k: f64) -> Self {
        if n <= 0.0 {
            return Self::default();
        }
        Self { n, y: k / n, x: 1.0, yy: k * (n - k) / n, xx: 0.0, xy: 0.0 }
    }

    /// The statistics of both sets of pairs together.
    #[must_use]
    pub fn merge(self, other: Self) -> Self {
        let n = self.n + other.n;
        if self.n == 0.0 || other.n == 0.0 {
            return if self.n == 0.0 { other } else { self };
        }
        let (dy, dx) = (other.y - self.y, other.x - self.x);
        let weight = self.n * other.n / n;
        Self {
            n,
            y: self.y + dy * other.n / n,
            x: self.x + dx * other.n / n,
            yy: self.yy + other.yy + dy * dy * weight,
            xx: self.xx + other.xx + dx * dx * weight,
            xy: self.xy + other.xy + dy * dx * weight,
        }
    }

    /// Number of pairs.
    #[must_use]
    pub fn n(&self) -> f64 {
        self.n
    }

    /// Mean of y; 0 without pairs.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.y
    }

    /// Mean of x; 0 without pairs.
    #[must_use]
    pub fn mean_of_x(&self) -> f64 {
        self.x
    }

    /// Sum of y.
    #[must_use]
    pub fn sum(&self) -> f64 {
        self.y * self.n
    }

    /// Sample variance of y (denominator n − 1); `NaN` for fewer than two pairs.
    #[must_use]
    pub fn variance(&self) -> f64 {
        if self.n < 2.0 { f64::NAN } else { self.yy / (self.n - 1.0) }
    }

    /// Σ y ∕ Σ x.
    #[must_use]
    pub fn ratio(&self) -> f64 {
        self.y / self.x
    }

    /// Variance of Σ y ∕ Σ x by the delta method: (s²_y − 2 R s_xy + R² s²_x) ∕ (n x̄²), for independent pairs (A.
    /// Deng, U. Knoblich, J. Lu, "Applying the Delta Method in Metric Analytics", 2018). If every x is 1, it is the
    /// variance of the mean.
    #[must_use]
    pub fn ratio_variance(&self) -> f64 {
        let ratio = self.ratio();
        let spread = self.yy - 2.0 * ratio * self.xy + ratio * ratio * self.xx;
        if self.n < 2.0 { f64::NAN } else { spread.max(0.0) / (self.n - 1.0) / (self.n * self.x * self.x) }
    }

    /// Σ (y − ȳ)(x − x̄) and Σ (x − x̄)², the parts of a slope; both are additive over groups.
    #[must_use]
    pub fn slope_parts(&self) -> (f64, f64) {
        (self.xy, self.xx)
    }

    /// Σ (y − ȳ)².
    #[must_use]
    pub fn squares(&self) -> f64 {
        self.yy
    }
}

#[cfg(test)]
mod tests {
    use super::Bivariate;

    fn gathered(pairs: &[(f64, f64)]) -> Bivariate {
        let mut all = Bivariate::default();
        pairs.iter().for_each(|&(y, x)| all.push(y, x));
        all
    }

    #[test]
    fn any_cut_gives_the_same() {
        let pairs: Vec<(f64, f64)> = (0..40).map(|i| (1e6 + f64::from(i * 7 % 11), f64::from(i % 5))).collect();
        let whole = gathered(&pairs);
        for cut in 0..=pairs.len() {
            let (left, right) = pairs.split_at(cut);
            let merged = gathered(left).merge(gathered(right));
            for (a, b) in [
                (merged.n(), whole.n()),
                (merged.mean(), whole.mean()),
                (merged.variance(), whole.variance()),
                (merged.ratio_variance(), whole.ratio_variance()),
                (merged.slope_parts().0, whole.slope_parts().0),
            ] {
                assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-3), "cut {cut}: {a} {b}");
            }
        }
    }

    #[test]
    fn counts_are_zeros_and_ones() {
        let ones = gathered(&[(1.0, 1.0), (0.0, 1.0), (0.0, 1.0), (1.0, 1.0), (0.0, 1.0)]);
        let counted = Bivariate::of_counts(5.0, 2.0);
        assert!((counted.variance() - ones.variance()).abs() < 1e-15 && (counted.mean() - 0.4).abs() < 1e-15);
        assert!((counted.ratio_variance() - 0.3 / 5.0).abs() < 1e-15);
        assert!(Bivariate::default().variance().is_nan());
    }
}
