//! Confidence sequences: an interval and a p-value that are valid at all looks together and always agree.
//!
//! ```text
//! normal part   sequence of the difference, widened for skewness and kurtosis; nothing until these are small
//! exact part    of outcomes between 0 and 1: valid from the first unit on, for any split and any share
//! ```
//! If there is an exact part, it gets a tenth of the error and the normal part the rest: the interval is the
//! intersection of both, the p-value the smaller of the two, each divided by its part of the error.

use super::estimate::Estimate;
pub(super) use super::law::MIN_UNITS;
use crate::stats::sequence::Sequence;
use crate::stats::two_shares::TwoShares;

/// Part of the error reserved for the exact sequence of a bounded outcome.
pub(super) const EXACT_PART: f64 = 0.1;
/// Larger numbers of units count as unreachable.
const MAX_N: f64 = 1e12;

/// The sums of a bounded outcome in the two arms of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Bounded {
    /// The sums as shares of the range, and the numbers of units.
    pub(super) two: TwoShares,
    /// The range of the outcome.
    pub(super) range: f64,
}

/// The error level of a comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sequential {
    /// The sequence with the whole error of this comparison.
    pub(super) sequence: Sequence,
    /// Whether the outcome is bounded, so that a part of the error is reserved for the exact sequence.
    pub(super) bounded: bool,
}

/// An interval valid at all looks together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Always {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) p: f64,
    /// Half-widths of the normal part in standard errors, below and above; infinite until the approximation is valid.
    pub(super) reach: [f64; 2],
}

/// Whether the normal approximation of an estimate is valid.
pub(super) fn is_enough(found: &Estimate) -> bool {
    found.start >= 1.0 && found.shape.is_near_normal()
}

/// Approximate number of units until it is valid; `None` if it is already, or for no number of units.
pub(super) fn n_to_enough(found: &Estimate) -> Option<u64> {
    let times = found.shape.times_to_normal().max(1.0 / found.start);
    (times > 1.0 && times.is_finite()).then(|| (found.n * times).ceil() as u64)
}

impl Sequential {
    fn parts(&self) -> (Sequence, f64) {
        if self.bounded { (self.sequence.with_part(1.0 - EXACT_PART), 1.0 - EXACT_PART) } else { (self.sequence, 1.0) }
    }

    /// The result for `found`; `exact` has the arms of a bounded outcome.
    pub(super) fn of(&self, found: &Estimate, exact: Option<&Bounded>) -> Always {
        let (normal, part) = self.parts();
        let mut all = Always { low: f64::NEG_INFINITY, high: f64::INFINITY, p: 1.0, reach: [f64::INFINITY; 2] };
        if is_enough(found) {
            all.reach = [found.shape, found.shape.mirrored()].map(|side| side.widened(normal.reach(found.n)));
            let [down, up] = all.reach.map(|reach| reach * found.error);
            (all.low, all.high) = (found.difference - down, found.difference + up);
            all.p = normal.p(found.shape.narrowed(found.z()), found.n) / part;
        }
        if let Some(Bounded { two, range }) = exact {
            let (low, high) = two.sequence_interval(self.sequence.alpha() * EXACT_PART);
            (all.low, all.high) = (all.low.max(low * range), all.high.min(high * range));
            all.p = all.p.min(two.sequence_p() / EXACT_PART);
        }
        Always { p: all.p.min(1.0), ..all }
    }

    /// Units at which the normal part excludes 0, if the difference stays the same.
    pub(super) fn n_to_exclude_zero(&self, found: &Estimate) -> Option<u64> {
        let (normal, _) = self.parts();
        let n = normal.n_to_exclude_zero(found.z(), found.n, found.shape, MAX_N)?;
        Some((n as u64).max((found.n / found.start).ceil() as u64))
    }
}
