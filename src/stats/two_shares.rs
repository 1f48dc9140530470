//! Two samples of 0 and 1: intervals of the difference of their shares, for a single look and for all looks.

use crate::stats::portable::Portable;
use crate::stats::special::ln_beta;

/// Two samples of 0 and 1, or of numbers between 0 and 1: their sums and their sizes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TwoShares {
    /// Sum of each sample.
    pub k: [f64; 2],
    /// Size of each sample, above 0.
    pub n: [f64; 2],
}

/// Steps of a bisection; each step gives one bit of the result.
const STEPS: usize = 60;

impl TwoShares {
    /// Share of the second sample minus that of the first.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.k[1] / self.n[1] - self.k[0] / self.n[0]
    }

    /// The most likely shares (p, p + `difference`), for a difference in [−1, 1].
    ///
    /// The likelihood is concave in p, so its derivative is bisected; for a difference of 0 the result is the pooled
    /// share.
    #[must_use]
    pub fn constrained(&self, difference: f64) -> [f64; 2] {
        let (k, n) = (self.k, self.n);
        if difference == 0.0 {
            return [(k[0] + k[1]) / (n[0] + n[1]); 2];
        }
        let (mut low, mut high) = ((-difference).max(0.0), (1.0 - difference).min(1.0));
        let part = |count: f64, share: f64| if count > 0.0 { count / share } else { 0.0 };
        let slope = |p: f64| {
            let q = p + difference;
            part(k[0], p) - part(n[0] - k[0], 1.0 - p) + part(k[1], q) - part(n[1] - k[1], 1.0 - q)
        };
        for _ in 0..STEPS {
            let middle = f64::midpoint(low, high);
            if slope(middle) > 0.0 { low = middle } else { high = middle }
        }
        let p = f64::midpoint(low, high);
        [p, (p + difference).clamp(0.0, 1.0)]
    }

    /// The interval of the difference that matches the z-test with pooled variance: the differences that the score
    /// test does not reject at `z` standard errors (R. Mee, "Confidence Bounds for the Difference Between Two
    /// Probabilities", 1984). It excludes 0 exactly if |z| of the pooled test is above `z`.
    ///
    /// ```
    /// // statsmodels confint_proportions_2indep(15, 60, 9, 80, method="score", correction=False)
    /// let (low, high) = mlloop::stats::two_shares::TwoShares { k: [9.0, 15.0], n: [80.0, 60.0] }.score_interval(1.959963984540054);
    /// assert!(low > 0.0 && high > 0.1375);
    /// ```
    #[must_use]
    pub fn score_interval(&self, z: f64) -> (f64, f64) {
        let found = self.difference();
        let inside = |difference: f64| {
            let variance: f64 = self.constrained(difference).iter().zip(self.n).map(|(p, n)| p * (1.0 - p) / n).sum();
            (found - difference).abs() <= z * variance.sqrt()
        };
        (edge(found, -1.0, &inside), edge(found, 1.0, &inside))
    }

    /// ln of an e-process against the hypothesis that the difference is `difference`: the ratio of each sample's
    /// Beta(½, ½) mixture to its likelihood at the most likely shares with that difference.
    fn evidence(&self, difference: f64) -> f64 {
        let shares = self.constrained(difference);
        let part = |count: f64, share: f64| if count > 0.0 { count * share.ln_portable() } else { 0.0 };
        (0..2)
            .map(|side| {
                let (k, others, p) = (self.k[side], self.n[side] - self.k[side], shares[side]);
                ln_beta(k + 0.5, others + 0.5) - ln_beta(0.5, 0.5) - part(k, p) - part(others, 1.0 - p)
            })
            .sum()
    }

    /// The always-valid p-value of no difference.
    ///
    /// Each sample bets against a share p by the Beta(½, ½) mixture of likelihood ratios, which is a martingale if its
    /// share is p. The product of both at the most likely common p is an e-process of "both have the same share", and
    /// its reciprocal is a p-value valid at all looks together, for any sizes and any shares (H. Robbins, "Statistical
    /// Methods Related to the Law of the Iterated Logarithm", 1970; I. Waudby-Smith, A. Ramdas, "Estimating Means of
    /// Bounded Random Variables by Betting", 2024). For numbers between 0 and 1 the bets are at least as conservative
    /// as for 0 and 1 with the same mean.
    ///
    /// ```
    /// // 12 of 600 against 0 of 30: nothing is known (Fisher's p is 1).
    /// let two = mlloop::stats::two_shares::TwoShares { k: [12.0, 0.0], n: [600.0, 30.0] };
    /// assert_eq!(two.sequence_p(), 1.0);
    /// // All of 30 against none of 30.
    /// let two = mlloop::stats::two_shares::TwoShares { k: [0.0, 30.0], n: [30.0, 30.0] };
    /// assert!(two.sequence_p() < 1e-12);
    /// ```
    #[must_use]
    pub fn sequence_p(&self) -> f64 {
        (-self.evidence(0.0)).exp_portable().min(1.0)
    }

    /// The differences that the e-process has not rejected: a confidence sequence that is wrong at any look with
    /// probability at most `alpha`. It excludes 0 exactly if [`TwoShares::sequence_p`] is below `alpha`.
    #[must_use]
    pub fn sequence_interval(&self, alpha: f64) -> (f64, f64) {
        let inside = |difference: f64| self.evidence(difference) <= -alpha.ln_portable();
        let found = self.difference();
        (edge(found, -1.0, &inside), edge(found, 1.0, &inside))
    }
}

/// The boundary of `inside` between `from`, which is inside, and `to`; `to` if it is inside too.
fn edge(from: f64, to: f64, inside: &impl Fn(f64) -> bool) -> f64 {
    if inside(to) {
        return to;
    }
    let (mut within, mut beyond) = (from, to);
    for _ in 0..STEPS {
        let middle = f64::midpoint(within, beyond);
        if inside(middle) { within = middle } else { beyond = middle }
    }
    within
}

#[cfg(test)]
mod tests {
    use super::TwoShares;
    use crate::stats::contrast::two_proportions;
    use crate::stats::{normal, random};
    use rand::Rng;

    fn two(k: [u32; 2], n: [u32; 2]) -> TwoShares {
        TwoShares { k: k.map(f64::from), n: n.map(f64::from) }
    }

    #[test]
    fn the_interval_leaves_out_zero_exactly_when_the_test_rejects() {
        let mut rng = random::rng(5, "two shares");
        for _ in 0..400 {
            let n = [0; 2].map(|_: i32| rng.gen_range(1..200));
            let k = n.map(|n| rng.gen_range(0..=n));
            let alpha = [0.05, 0.2][rng.gen_range(0..2)];
            let found = two(k, n);
            let p = two_proportions((found.k[0], found.n[0]), (found.k[1], found.n[1])).p;
            let (low, high) = found.score_interval(normal::quantile(1.0 - alpha / 2.0));
            assert_eq!(p < alpha, low > 0.0 || high < 0.0, "{found:?} {p} {low} {high}");
            assert!(low <= found.difference() && found.difference() <= high && low >= -1.0 && high <= 1.0);
            let (low, high) = found.sequence_interval(alpha);
            assert_eq!(found.sequence_p() < alpha, low > 0.0 || high < 0.0, "{found:?} {low} {high}");
        }
    }

    #[test]
    fn the_likeliest_shares_are_those_of_a_fine_grid() {
        for (k, n, gap) in [([3, 9], [40, 50], 0.05), ([0, 9], [40, 50], -0.1), ([40, 0], [40, 30], 0.3)] {
            let found = two(k, n);
            let value = |p: f64| {
                let of = |k: f64, n: f64, p: f64| {
                    let part = |c: f64, p: f64| if c > 0.0 { c * p.ln() } else { 0.0 };
                    part(k, p) + part(n - k, 1.0 - p)
                };
                of(found.k[0], found.n[0], p) + of(found.k[1], found.n[1], p + gap)
            };
            let (low, high) = ((-gap).max(0.0), (1.0 - gap).min(1.0));
            let grid = (1..20_000).map(|i| low + (high - low) * f64::from(i) / 20_000.0);
            let best = grid.max_by(|a, b| value(*a).total_cmp(&value(*b))).unwrap();
            assert!((found.constrained(gap)[0] - best).abs() < 1e-4, "{found:?} {best}");
        }
    }

    /// The share of experiments with a split of 99 to 1 in which the interval misses the truth at any of 60 looks.
    #[test]
    fn the_sequence_holds_however_uneven_and_rare() {
        for (share, gap) in [(0.001, 0.0), (0.02, 0.0), (0.3, 0.2)] {
            let mut wrong = 0;
            for run in 0..400 {
                let mut rng = random::rng(9, &format!("uneven {run}"));
                let (mut k, mut n) = ([0.0; 2], [1.0; 2]);
                let mut left_out = false;
                for _ in 0..60 {
                    for _ in 0..100 {
                        let side = usize::from(rng.r#gen::<f64>() < 0.01);
                        n[side] += 1.0;
                        k[side] += f64::from(u8::from(rng.r#gen::<f64>() < share + gap * side as f64));
                    }
                    left_out |= TwoShares { k, n }.evidence(gap) > 20_f64.ln();
                }
                wrong += u32::from(left_out);
            }
            assert!(wrong <= 20, "{wrong} of 400 at {share}");
        }
    }
}
