//! When an alarm about the loss starts and ends.
//!
//! Bets say for good that the loss was too large at some time. What came since the alarm was raised, with the week or the
//! table that raised it, says whether it still is: once its mean is no more than the gate allows, the alarm is over, and bets
//! begin anew. That costs no level: before it, an alarm was raised.

use super::together::{Seen, together};
use crate::stats::betting::Bets;
use serde::{Deserialize, Serialize};

/// Outcomes since the alarm from which on it may be over, by weight.
const ENOUGH: f64 = 50.0;

/// What losses are held to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// The largest mean that the gate allows.
    pub(super) limit: f64,
    /// What counts as a loss of 1.
    pub(super) scale: f64,
    /// The significance level.
    pub(super) alpha: f64,
}

/// Losses of rows together.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Total {
    pub(super) n: u64,
    pub(super) weight: f64,
    pub(super) loss: f64,
}

impl Total {
    /// With those of `rows`.
    pub(super) fn add<'a>(mut self, rows: impl Iterator<Item = &'a Seen>) -> Self {
        for row in rows {
            self.n += 1;
            self.weight += row.weight;
            self.loss += row.loss * row.weight;
        }
        self
    }

    /// The mean loss.
    pub(super) fn mean(&self) -> f64 {
        if self.weight > 0.0 { self.loss / self.weight } else { 0.0 }
    }
}

/// Takes in the rows of a week or a table, of which `bets` are made on those of `bet`.
pub(super) fn look<'a>(
    (bets, since): (&mut Bets, &mut Option<Total>),
    rows: impl Iterator<Item = &'a Seen>,
    bet: impl Iterator<Item = &'a Seen>,
    level: Level,
) {
    bets.open();
    for unit in together(bet) {
        bets.take(unit.loss / level.scale, unit.weight);
    }
    if since.is_some() || bets.are_won(level.alpha) {
        let total = since.unwrap_or_default().add(rows);
        *since = Some(total);
        if total.weight >= ENOUGH && total.mean() <= level.limit {
            (*bets, *since) = (Bets::above(level.limit / level.scale), None);
        }
    }
}
