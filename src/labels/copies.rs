//! Signs that answers are copies of production's predictions.

use super::answer::Origin;
use super::request::Guard;
use crate::stats::tails::binomial;

/// From this number on, answers that all equal production's and took no time are copies.
const COPIES: u64 = 5;
/// Agreement with production that is less likely than this is not considered chance.
const SELDOM: f64 = 1e-4;

/// Signs that answers are not from a person: copies of production's predictions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Copies {
    /// Answers.
    n: u64,
    /// Those made from a prediction, without a time.
    copied: u64,
    /// Those without a time, in an export that has times.
    untimed: u64,
    /// Those that equal production's.
    equal: u64,
}

impl Copies {
    /// Counts an answer.
    pub(super) fn count(&mut self, origin: Origin, equal: bool) {
        self.n += 1;
        self.copied += u64::from(origin == Origin::Copied);
        self.untimed += u64::from(matches!(origin, Origin::Copied | Origin::Untimed));
        self.equal += u64::from(equal);
    }

    /// `most` is the upper bound of production's accuracy by its gate, if known.
    pub(super) fn guard(&self, most: Option<f64>) -> Option<Guard> {
        let Self { n, copied, untimed, equal } = *self;
        let all = n >= COPIES && untimed == n && equal == n;
        let too_often = most.filter(|&most| {
            let chance: f64 = (equal..=n).map(|k| binomial(k as f64, n as f64, most)).sum();
            n >= COPIES && equal as f64 > most * n as f64 && chance < SELDOM
        });
        let text = if copied > 0 {
            format!(
                "{copied} of {n} answers are copies of predictions: Label Studio made them from a prediction \
                 (parent_prediction), and no working time was recorded (no lead_time)"
            )
        } else if all {
            format!(
                "all {n} answers equal production's, and no working time was recorded (no lead_time): they are \
                 copies of predictions"
            )
        } else {
            let most = 100.0 * too_often?;
            format!(
                "{equal} of {n} answers equal production's predictions, but its accuracy at the gate is at most \
                 {most:.0} %: the answers are probably copies of predictions"
            )
        };
        Some(Guard { name: "copied-predictions", fired: true, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_equal_production_more_often_than_it_is_right_are_likely_copies() {
        let of = |equal: u64, n: u64, most: Option<f64>| {
            let mut copies = Copies::default();
            (0..n).for_each(|answer| copies.count(Origin::Timed, answer < equal));
            copies.guard(most).map(|guard| guard.text)
        };
        assert!(of(60, 60, Some(0.77)).unwrap().contains("60 of 60 answers equal production's"));
        assert!(of(58, 60, Some(0.77)).is_some());
        // P(X ≥ 55) of 60 at .77 is .0028: rare, but not proof.
        assert_eq!(
            [of(55, 60, Some(0.77)), of(40, 60, Some(0.77)), of(60, 60, Some(0.97)), of(60, 60, None)],
            [const { None }; 4]
        );
    }
}
