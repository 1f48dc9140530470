//! The difference of a quantile between two samples, without density estimation: for a single look and for all looks.

use crate::stats::normal;
use crate::stats::portable::Portable;

/// The evidence against each rank: entry k is the evidence against "k of the n values are at or below the quantile";
/// the entries are convex.
type Against = Vec<f64>;

/// Two ascending samples, and the quantile to compare.
///
/// If ξ is the quantile q of a sample, a share q of its values is at or below ξ, so evidence about a share is evidence
/// about ξ. The evidence of both samples is added; a difference is rejected if there is enough evidence against every
/// pair of quantiles with that difference. This holds for any distribution, even if hardly any value is near the
/// quantile (S. Howard and A. Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm
/// identification", 2022). Among equal values, the number with the least evidence counts as at or below.
#[derive(Debug, Clone, Copy)]
pub struct TwoQuantiles<'a> {
    /// The quantile, in (0, 1).
    pub q: f64,
    /// The samples, first and second.
    pub sorted: [&'a [f64]; 2],
}

impl TwoQuantiles<'_> {
    /// For all looks: the interval of the difference at level `alpha` and the p-value of no difference; the interval
    /// excludes 0 exactly if p is below `alpha`. The interval is narrowest at about eight times `strengths` units of
    /// each sample.
    ///
    /// The evidence of each sample is the Beta(κq, κ(1 − q)) mixture of likelihood ratios of a share to that of q,
    /// where κ is its strength: a martingale.
    ///
    /// ```
    /// use mlloop::stats::two_quantiles::TwoQuantiles;
    /// let low: Vec<f64> = (0..200).map(f64::from).collect();
    /// let high: Vec<f64> = (0..200).map(|i| f64::from(i) + 150.0).collect();
    /// let ((from, to), p) = TwoQuantiles { q: 0.5, sorted: [&low, &high] }.sequence(0.05, [25.0; 2]);
    /// assert!(from > 50.0 && from < 150.0 && to > 150.0 && to < 250.0 && p < 1e-6);
    /// ```
    #[must_use]
    pub fn sequence(&self, alpha: f64, strengths: [f64; 2]) -> ((f64, f64), f64) {
        let against = [0, 1].map(|side| mixture(self.sorted[side].len(), self.q, strengths[side]));
        self.judged(-alpha.ln_portable(), against, |least| (-least).exp_portable().min(1.0))
    }

    /// The same for a single look, by the score of each share: χ² with one degree of freedom, because there are two
    /// shares and the common quantile is chosen to minimise the evidence.
    ///
    /// ```
    /// use mlloop::stats::two_quantiles::TwoQuantiles;
    /// // At a common median of 60, 60 of 100 values and 41 of 100 are at or below it, 60 itself counting as speaks least:
    /// // (60 − 50)² ∕ 25 + (41 − 50)² ∕ 25 = 7.24.
    /// let (a, b): (Vec<f64>, Vec<f64>) = ((0..100).map(f64::from).collect(), (20..120).map(f64::from).collect());
    /// let (_, p) = TwoQuantiles { q: 0.5, sorted: [&a, &b] }.single_look(0.05);
    /// assert!((p - 0.007_129_697_989).abs() < 1e-9); // scipy.stats.chi2.sf(7.24, 1)
    /// ```
    #[must_use]
    pub fn single_look(&self, alpha: f64) -> ((f64, f64), f64) {
        let score = |side: usize| {
            let n = self.sorted[side].len() as f64;
            let of = |k: usize| (k as f64 - n * self.q).powi(2) / (2.0 * n * self.q * (1.0 - self.q));
            (0..=self.sorted[side].len()).map(of).collect()
        };
        let z = normal::quantile(1.0 - alpha / 2.0);
        self.judged(z * z / 2.0, [score(0), score(1)], |least| normal::two_sided_p((2.0 * least).sqrt()))
    }

    /// The differences without `enough` evidence against them, and p of the least evidence against no difference.
    fn judged(&self, enough: f64, against: [Against; 2], p: impl Fn(f64) -> f64) -> ((f64, f64), f64) {
        let [a, b] = self.sorted;
        if a.is_empty() || b.is_empty() {
            return ((f64::NEG_INFINITY, f64::INFINITY), 1.0);
        }
        let high = furthest(b, a, &against[1], &against[0], enough);
        let low = -furthest(a, b, &against[0], &against[1], enough);
        ((low, high), p(self.least_at_none(&against)))
    }

    /// The least evidence against a common quantile.
    fn least_at_none(&self, against: &[Against; 2]) -> f64 {
        let [a, b] = self.sorted;
        let (mut at, mut least) = ([0, 0], f64::INFINITY);
        while at[0] < a.len() || at[1] < b.len() {
            let next = |side: usize| self.sorted[side].get(at[side]).copied().unwrap_or(f64::INFINITY);
            let value = next(0).min(next(1));
            if value.is_nan() {
                // Not comparable: the loop would not end.
                break;
            }
            let mut sum = 0.0;
            for side in 0..2 {
                let from = at[side];
                while self.sorted[side].get(at[side]).is_some_and(|v| *v <= value) {
                    at[side] += 1;
                }
                sum += against[side][from..=at[side]].iter().copied().fold(f64::INFINITY, f64::min);
            }
            least = least.min(sum);
        }
        least
    }
}

/// The largest difference of a quantile of `up` and one of `down` without enough evidence against both.
fn furthest(up: &[f64], down: &[f64], against_up: &Against, against_down: &Against, enough: f64) -> f64 {
    let bottom = (0..against_down.len()).min_by(|&i, &j| against_down[i].total_cmp(&against_down[j])).unwrap_or(0);
    let falling = &against_down[..=bottom];
    let of = |(rank, against): (usize, &f64)| {
        let least = falling.partition_point(|other| other + against >= enough);
        // There is no bound if even the most likely rank has too much evidence against it.
        let from = (least <= bottom).then(|| if least == 0 { f64::NEG_INFINITY } else { down[least - 1] })?;
        Some(up.get(rank).copied().unwrap_or(f64::INFINITY) - from)
    };
    against_up.iter().enumerate().filter_map(of).fold(f64::NEG_INFINITY, f64::max)
}

/// ln of the ratio of the Beta mixture to the likelihood of a share `q`, for each number of `n` values.
fn mixture(n: usize, q: f64, strength: f64) -> Against {
    use crate::stats::special::ln_beta;
    let (a, b, n_all) = (strength * q, strength * (1.0 - q), n as f64);
    let mut row = Vec::with_capacity(n + 1);
    row.push(ln_beta(a, n_all + b) - ln_beta(a, b) - n_all * (1.0 - q).ln_portable());
    let odds = (q / (1.0 - q)).ln_portable();
    for k in 0..n {
        let k = k as f64;
        row.push(row[row.len() - 1] + ((k + a) / (n_all - k - 1.0 + b)).ln_portable() - odds);
    }
    row
}

#[cfg(test)]
mod tests {
    use super::{TwoQuantiles, mixture};
    use crate::stats::special::ln_beta;

    #[test]
    fn the_mixture_is_that_of_the_formula_and_a_martingale() {
        let row = mixture(7, 0.3, 5.0);
        for (k, found) in row.iter().enumerate() {
            let k = k as f64;
            let by_hand =
                ln_beta(k + 1.5, 7.0 - k + 3.5) - ln_beta(1.5, 3.5) - k * 0.3_f64.ln() - (7.0 - k) * 0.7_f64.ln();
            assert!((found - by_hand).abs() < 1e-9, "{k}: {found} {by_hand}");
        }
        let choose = [1.0, 7.0, 21.0, 35.0, 35.0, 21.0, 7.0, 1.0];
        let mean: f64 = row
            .iter()
            .zip(choose)
            .enumerate()
            .map(|(k, (e, c))| e.exp() * c * 0.3_f64.powi(k as i32) * 0.7_f64.powi(7 - k as i32))
            .sum();
        assert!((mean - 1.0).abs() < 1e-9, "{mean}");
    }

    #[test]
    fn interval_and_p_agree_and_the_interval_is_that_of_all_pairs() {
        let a: Vec<f64> = (0..40).map(|i| f64::from(i * i % 37)).collect();
        for shift in 0..30 {
            let mut b: Vec<f64> = (0..60).map(|i| f64::from(i * 7 % 41 + shift)).collect();
            let mut a = a.clone();
            a.sort_unstable_by(f64::total_cmp);
            b.sort_unstable_by(f64::total_cmp);
            let two = TwoQuantiles { q: 0.5, sorted: [&a, &b] };
            let (interval, p) = two.sequence(0.05, [5.0, 7.0]);
            assert_eq!(p <= 0.05, interval.0 > 0.0 || interval.1 < 0.0, "{shift}: {interval:?} {p}");
            let (rows, enough) = ([mixture(40, 0.5, 5.0), mixture(60, 0.5, 7.0)], -0.05_f64.ln());
            let place = |v: &[f64], rank: usize| match rank.checked_sub(1) {
                None => f64::NEG_INFINITY,
                Some(at) => v.get(at).copied().unwrap_or(f64::INFINITY),
            };
            let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
            for r in 0..=40 {
                for s in (0..=60).filter(|&s| rows[0][r] + rows[1][s] < enough) {
                    low = low.min(place(&b, s) - place(&a, r + 1));
                    high = high.max(place(&b, s + 1) - place(&a, r));
                }
            }
            assert_eq!(interval, (low, high), "{shift}");
            let (narrow, _) = two.single_look(0.05);
            assert!(narrow.0 >= interval.0 && narrow.1 <= interval.1, "{narrow:?} {interval:?}");
        }
    }

    #[test]
    fn a_single_look_is_wrong_as_often_as_it_says() {
        use crate::stats::{normal, random::unit_hash};
        const N_DRAWS: u32 = 2000;
        let drawn = |seed: u64, n: u32, law: &dyn Fn(f64) -> f64| -> Vec<f64> {
            let mut values: Vec<f64> = (0..n).map(|i| law(unit_hash(&i.to_le_bytes(), seed))).collect();
            values.sort_unstable_by(f64::total_cmp);
            values
        };
        let lognormal = |u: f64| normal::quantile(u.clamp(1e-9, 1.0 - 1e-9)).exp();
        let humps = |u: f64| if u < 0.48 { u } else { u + 10.0 };
        for (q, law) in [(0.5, &lognormal as &dyn Fn(f64) -> f64), (0.9, &lognormal), (0.5, &humps)] {
            let n_wrong = (0..N_DRAWS)
                .filter(|draw| {
                    let seed = u64::from(*draw) * 2;
                    let (a, b) = (drawn(seed, 200, law), drawn(seed + 1, 300, law));
                    let ((low, high), p) = TwoQuantiles { q, sorted: [&a, &b] }.single_look(0.05);
                    assert_eq!(p <= 0.05, low > 0.0 || high < 0.0, "{p} {low} {high}");
                    p <= 0.05
                })
                .count() as f64;
            let share = n_wrong / f64::from(N_DRAWS);
            // Three standard errors of 2000 draws are .0146; ranks are integers, so it is conservative.
            assert!((0.02..=0.0646).contains(&share), "{q}: {share}");
        }
    }

    #[test]
    fn few_values_say_nothing() {
        let few = [1.0, 2.0];
        let (interval, p) = TwoQuantiles { q: 0.9, sorted: [&few, &few] }.sequence(0.05, [50.0; 2]);
        assert_eq!((interval, p), ((f64::NEG_INFINITY, f64::INFINITY), 1.0));
        let none = TwoQuantiles { q: 0.9, sorted: [&few, &[]] }.sequence(0.05, [50.0; 2]);
        assert_eq!(none.1, 1.0);
    }
}
