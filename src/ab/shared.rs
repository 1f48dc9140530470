//! Intervals at the levels at which Holm's procedure tests comparisons.

use super::estimate::Gathered;
use super::family::Shares;
use super::judge::Judge;
use super::report::{Comparison, FixedTest};

impl Judge<'_> {
    /// The comparisons with intervals at these shares of the error, one per comparison; p-values stay unchanged.
    pub(super) fn at_shares(
        &self,
        gathered: &Gathered,
        comparisons: Vec<Comparison>,
        shares: &[Shares],
    ) -> Vec<Comparison> {
        let judge = Judge { shares: Some(shares), ..*self };
        let again = judge.each(gathered);
        let take = |(known, again): (Comparison, Comparison)| Comparison {
            low: again.low,
            high: again.high,
            lift: again.lift,
            n_to_exclude_zero: again.n_to_exclude_zero,
            fixed: FixedTest { interval: again.fixed.interval, ..known.fixed },
            ..known
        };
        comparisons.into_iter().zip(again).map(take).collect()
    }
}
