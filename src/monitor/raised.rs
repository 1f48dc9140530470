//! When an alarm about the loss starts and ends.
//!
//! Bets only show that the loss was too large at some time. The outcomes since the alarm, including the week or table
//! that raised it, show whether it still is. Once their mean is at most what the gate allows, the alarm ends and
//! betting restarts. This does not increase the error probability, because an alarm has already been raised.

use super::together::{Seen, together};
use crate::stats::betting::Bets;
use serde::{Deserialize, Serialize};

/// Minimum weight of the outcomes since the alarm before it can end.
const ENOUGH: f64 = 50.0;

/// The limit of the losses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// The largest mean that the gate allows.
    pub(super) limit: f64,
    /// The loss that is scaled to 1.
    pub(super) scale: f64,
    /// The significance level.
    pub(super) alpha: f64,
}

/// Sums over the losses of rows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Total {
    pub(super) n: u64,
    pub(super) weight: f64,
    pub(super) loss: f64,
}

impl Total {
    /// Adds the losses of `rows`.
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

/// Adds the rows of a week or a table; `bets` are made only on the rows of `bet`.
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
