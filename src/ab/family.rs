//! P-values of comparisons that are read together.

use super::report::Comparison;
use crate::stats::contrast;

/// Adjusts both p-values of each comparison after Holm, over all that are given.
pub(super) fn adjust<'a>(comparisons: impl IntoIterator<Item = &'a mut Comparison>) {
    let mut family: Vec<&mut Comparison> = comparisons.into_iter().collect();
    let adjusted = |p: fn(&Comparison) -> f64| contrast::holm(&family.iter().map(|c| p(c)).collect::<Vec<_>>());
    let (always, fixed) = (adjusted(|c| c.p), adjusted(|c| c.fixed.p.unwrap_or(f64::NAN)));
    for (comparison, (always, fixed)) in family.iter_mut().zip(always.into_iter().zip(fixed)) {
        comparison.p_holm = always;
        comparison.fixed.p_holm = Some(fixed).filter(|p| p.is_finite());
    }
}
