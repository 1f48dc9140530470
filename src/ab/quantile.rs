//! The quantile of each arm as a mean of influence values, one per unit.

use super::AbError;
use super::sequential::Always;
use super::units::{Kind, Outcome, Units};
use crate::report::number::cell;
use crate::stats::contrast::Test;
use crate::stats::normal;
use crate::stats::portable::Portable;
use crate::stats::quantiles::quantile_sorted;
use crate::stats::sequence::Sequence;
use crate::stats::two_quantiles::TwoQuantiles;

/// Arms with fewer units use the density of all units, if that is lower.
const FEW: usize = 200;

/// The outcome whose mean in each arm is that arm's quantile `q`.
///
/// With ξ the arm's quantile and f its density there, the value of a unit is ξ + (F(ξ) − [y ≤ ξ]) ∕ f: the first terms
/// of Bahadur's expansion ("A Note on Quantiles in Large Samples", 1966). So means of parts, their errors and
/// differences are those of the quantile. 1 ∕ f is the slope of the empirical quantiles around q, over the bandwidth of
/// P. Hall and S. Sheather ("On the Distribution of a Studentized Quantile", 1988).
///
/// # Errors
/// If too many units share one value at the quantile, so that the slope is 0.
pub(super) fn of_arms(outcome: Outcome, arm: &[u16], n_arms: usize, q: f64) -> Result<Outcome, AbError> {
    let sorted = |keep: &dyn Fn(usize) -> bool| {
        let kept = (0..arm.len()).filter(|&unit| keep(unit) && !outcome.y[unit].is_nan());
        let mut values: Vec<f64> = kept.map(|unit| outcome.y[unit]).collect();
        values.sort_unstable_by(f64::total_cmp);
        values
    };
    let all = slope(&sorted(&|_| true), q);
    let mut y = vec![f64::NAN; arm.len()];
    for this in 0..n_arms {
        let values = sorted(&|unit| usize::from(arm[unit]) == this);
        if values.is_empty() {
            continue;
        }
        let quantile = quantile_sorted(&values, q);
        let own = slope(&values, q);
        let slope = if values.len() < FEW { own.max(all) } else { own };
        if slope <= 0.0 {
            return Err(AbError::Usage(format!(
                "{:?}: many units of an arm equal the quantile {}, so its standard error cannot be computed: \
                 choose another quantile, or compare the mean",
                outcome.name,
                cell(quantile)
            )));
        }
        let below = values.partition_point(|value| *value <= quantile) as f64 / values.len() as f64;
        for unit in (0..arm.len()).filter(|&unit| usize::from(arm[unit]) == this && !outcome.y[unit].is_nan()) {
            let is_below = f64::from(u8::from(outcome.y[unit] <= quantile));
            y[unit] = quantile + slope * (below - is_below);
        }
    }
    Ok(Outcome { ranked: Some((q, outcome.y.clone())), y, kind: Kind::Quantile, bounds: None, ..outcome })
}

/// A part of a quantile outcome, with the quantiles of its own units; `arm` is the arm of each unit. Unknown if these
/// quantiles have a slope of 0.
pub(super) fn of_part(mut outcome: Outcome, arm: &[u16], n_arms: usize) -> Outcome {
    let Some((q, values)) = outcome.ranked.take() else { return outcome };
    let whole = Outcome { y: values.clone(), ..outcome.clone() };
    of_arms(whole, arm, n_arms, q).unwrap_or(Outcome {
        y: vec![f64::NAN; arm.len()],
        ranked: Some((q, values)),
        ..outcome
    })
}

/// The values in each arm of a quantile outcome, in ascending order, each with its unit.
pub(super) struct Ranked {
    q: f64,
    arms: Vec<Vec<(f64, usize)>>,
}

impl Ranked {
    /// `None` for an outcome that is not a quantile.
    pub(super) fn of(units: &Units, outcome: &Outcome) -> Option<Self> {
        let (q, values) = outcome.ranked.as_ref()?;
        let mut arms = vec![Vec::new(); units.arms.len()];
        for (unit, value) in values.iter().enumerate().filter(|(_, value)| !value.is_nan()) {
            arms[usize::from(units.arm[unit])].push((*value, unit));
        }
        arms.iter_mut().for_each(|arm| arm.sort_unstable_by(|a, b| a.0.total_cmp(&b.0)));
        Some(Self { q: *q, arms })
    }

    /// The values of the first arm and of `other` among the units before `end`.
    fn values(&self, other: usize, end: usize) -> [Vec<f64>; 2] {
        let before = |&&(_, unit): &&(f64, usize)| unit < end;
        [0, other].map(|arm| self.arms[arm].iter().filter(before).map(|(value, _)| *value).collect())
    }

    /// The always-valid result from the units before `end`; `shares` are the assignment shares of the two arms.
    pub(super) fn always(&self, other: usize, end: usize, sequence: Sequence, shares: [f64; 2]) -> Always {
        let ((low, high), p) = self.sequence(&self.values(other, end), sequence, shares);
        Always { low, high, p, reach: [f64::INFINITY; 2] }
    }

    fn sequence(&self, [a, b]: &[Vec<f64>; 2], sequence: Sequence, shares: [f64; 2]) -> ((f64, f64), f64) {
        let all = shares[0] + shares[1];
        let strength = |share: f64| (sequence.strength() * if all > 0.0 { share / all } else { 0.5 }).max(1.0);
        TwoQuantiles { q: self.q, sorted: [a, b] }.sequence(sequence.alpha(), shares.map(strength))
    }

    /// The lift with its interval, from the logarithms, which have the same ranks; `None` unless all values are
    /// positive.
    pub(super) fn lift(
        &self,
        other: usize,
        sequence: Sequence,
        shares: [f64; 2],
        [a, b]: [f64; 2],
    ) -> Option<(f64, f64, f64)> {
        let values = self.values(other, usize::MAX);
        // Only positive values have a logarithm.
        if values.iter().flatten().any(|value| *value <= 0.0) {
            return None;
        }
        let logarithms = values.map(|arm| arm.into_iter().map(Portable::ln_portable).collect());
        let ((low, high), _) = self.sequence(&logarithms, sequence, shares);
        (low.is_finite() && high.is_finite()).then(|| ((b - a) / a, low.exp_m1_portable(), high.exp_m1_portable()))
    }

    /// The test for a single look with its interval: z, with the sign of the difference.
    pub(super) fn single_look(&self, other: usize, alpha: f64) -> (Test, (f64, f64)) {
        let [a, b] = self.values(other, usize::MAX);
        let (interval, p) = TwoQuantiles { q: self.q, sorted: [&a, &b] }.single_look(alpha);
        let difference = quantile_sorted(&b, self.q) - quantile_sorted(&a, self.q);
        (Test { statistic: normal::quantile(1.0 - p / 2.0).copysign(difference), freedom: None, p }, interval)
    }
}

/// 1 ∕ density at the quantile `q` of values in ascending order.
fn slope(values: &[f64], q: f64) -> f64 {
    let z = normal::quantile(q);
    let density = (-z * z / 2.0).exp_portable() / (2.0 * std::f64::consts::PI).sqrt();
    let width = (1.5 * density * density / (2.0 * z * z + 1.0)).cbrt_portable();
    let h = normal::quantile(0.975).powf_portable(2.0 / 3.0) * width / (values.len() as f64).cbrt_portable();
    let (low, high) = ((q - h).max(0.0), (q + h).min(1.0));
    (quantile_sorted(values, high) - quantile_sorted(values, low)) / (high - low)
}

#[cfg(test)]
mod tests {
    use super::{Ranked, of_arms};
    use crate::ab::experiment::Goal;
    use crate::ab::units::{Outcome, Stratum, Units};
    use crate::stats::sequence::Sequence;
    use crate::stats::{moments, random};
    use rand::Rng;

    #[test]
    fn the_lift_of_quantiles_is_that_of_their_ratio_and_needs_values_above_0() {
        let y: Vec<f64> = (0..2000).map(|i| f64::from(i / 2 + 1) * if i % 2 == 0 { 1.0 } else { 2.0 }).collect();
        let arm: Vec<u16> = (0..2000).map(|i| i % 2).collect();
        let lift = |y: &[f64]| {
            let outcome = of_arms(Outcome::new("y", Goal::Higher, y.to_vec()), &arm, 2, 0.5).unwrap();
            let strata = vec![Stratum { shares: vec![0.5; 2] }];
            let arms = vec!["a".to_owned(), "b".to_owned()];
            let units = Units { arms, strata, stratum: vec![0; 2000], arm: arm.clone(), ..Units::default() };
            let ranked = Ranked::of(&units, &outcome).unwrap();
            ranked.lift(1, Sequence::tuned(0.05, 2000.0), [0.5; 2], [500.5, 1001.0])
        };
        let (value, low, high) = lift(&y).unwrap();
        assert!((value - 1.0).abs() < 1e-12 && low > 0.6 && low < 0.9 && high > 1.1 && high < 1.6, "{low} {high}");
        // Down to 0, partly below it, and entirely below it.
        for by in [1.0, 500.0, 5000.0] {
            let moved: Vec<f64> = y.iter().map(|y| y - by).collect();
            assert_eq!(lift(&moved), None, "{by}");
        }
    }

    #[test]
    fn means_are_the_quantiles_and_their_error_is_the_theorys() {
        let mut rng = random::rng(3, "quantile");
        let y: Vec<f64> = (0..6000).map(|_| -rng.r#gen::<f64>().ln()).collect();
        let arm: Vec<u16> = (0..6000).map(|i| i % 2).collect();
        let found = of_arms(Outcome::new("y", Goal::Higher, y.clone()), &arm, 2, 0.9).unwrap();
        for this in 0..2 {
            let of = |values: &[f64]| (0..6000).filter(|i| i % 2 == this).map(|i| values[i]).collect::<Vec<f64>>();
            let (mut own, made) = (of(&y), of(&found.y));
            own.sort_unstable_by(f64::total_cmp);
            let quantile = crate::stats::quantiles::quantile_sorted(&own, 0.9);
            assert!((moments::mean(&made) - quantile).abs() < 1e-9);
            // An exponential distribution has density .1 at its .9 quantile: √(q (1 − q) ∕ n) ∕ f.
            let error = (moments::variance(&made) / 3000.0).sqrt();
            let theory = (0.09_f64 / 3000.0).sqrt() / 0.1;
            assert!((error / theory - 1.0).abs() < 0.15, "{error} {theory}");
        }
        let zeros = Outcome::new("y", Goal::Higher, (0..400).map(|i| if i % 9 == 0 { 2.5 } else { 0.0 }).collect());
        assert!(of_arms(zeros, &arm[..400], 2, 0.5).unwrap_err().to_string().contains("many units"));
    }
}
