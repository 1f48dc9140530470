//! P-values of comparisons that are tested together, and the levels of their intervals.

use super::report::Comparison;
use crate::stats::contrast;

/// Adjusts both p-values of each comparison by Holm's procedure over all given comparisons.
pub(super) fn adjust<'a>(comparisons: impl IntoIterator<Item = &'a mut Comparison>) {
    let mut family: Vec<&mut Comparison> = comparisons.into_iter().collect();
    let adjusted = |p: fn(&Comparison) -> f64| contrast::holm(&family.iter().map(|c| p(c)).collect::<Vec<_>>());
    let (always, fixed) = (adjusted(|c| c.p), adjusted(|c| c.fixed.p.unwrap_or(f64::NAN)));
    for (comparison, (always, fixed)) in family.iter_mut().zip(always.into_iter().zip(fixed)) {
        comparison.p_holm = always;
        comparison.fixed.p_holm = Some(fixed).filter(|p| p.is_finite());
    }
}

/// The number of comparisons by which the error is divided: for the always-valid test and for that of a single look.
pub(super) type Shares = [usize; 2];

/// These numbers at the level `alpha`, so that each interval agrees with its Holm-adjusted p.
pub(super) fn shares<'a>(comparisons: impl IntoIterator<Item = &'a Comparison>, alpha: f64) -> Vec<Shares> {
    let (always, fixed): (Vec<f64>, Vec<f64>) =
        comparisons.into_iter().map(|c| (c.p, c.fixed.p.unwrap_or(f64::NAN))).unzip();
    let [always, fixed] = [always, fixed].map(|p| contrast::holm_shares(&p, alpha));
    always.into_iter().zip(fixed).map(|(always, fixed)| [always, fixed]).collect()
}
