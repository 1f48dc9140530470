//! Losses of rows of one entity, as one bet each: a customer's losses are correlated, so twenty of them are not twenty
//! independent pieces of evidence.
//!
//! ```text
//! losses x, weights v of a batch ─ by customer, n rows each ─▶ mean x̄ = Σ v x ∕ Σ v,  weight min(1, n ∕ q) · Σ v ∕ n
//! ```
//! q is the weighted median of the customers' sizes (half of all rows belong to customers with at most q rows), which
//! is known before any loss. For customers with up to q rows a bet is Σ v (x − m) ∕ q, whose mean is at most 0 if the
//! mean over rows is; a customer with more rows counts as q.

use std::collections::HashMap;

const DAY_MICROS: i64 = 86_400_000_000;

/// A row with a known outcome.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// When its outcome became known, in microseconds.
    pub(super) at: i64,
    pub(super) loss: f64,
    /// In (0, 1]: smaller for rows that were more likely to be selected.
    pub(super) weight: f64,
    /// The entity of the row, if a column identifies it.
    pub(super) about: Option<u64>,
}

/// The rows of one batch, with rows of one entity combined, in the order of their first rows; rows without a known
/// entity are unchanged.
pub(super) fn together<'a>(seen: impl IntoIterator<Item = &'a Seen>) -> Vec<Seen> {
    let mut places: HashMap<u64, usize> = HashMap::new();
    let mut units: Vec<(usize, Seen)> = Vec::new();
    for row in seen {
        let next = units.len();
        let place = row.about.map_or(next, |about| *places.entry(about).or_insert(next));
        if place == next {
            units.push((0, Seen { loss: 0.0, weight: 0.0, ..*row }));
        }
        let (n, unit) = &mut units[place];
        *n += 1;
        unit.loss += row.loss * row.weight;
        unit.weight += row.weight;
    }
    let usual = usual(units.iter().map(|(n, _)| *n).collect());
    let one = |(n, unit): (usize, Seen)| {
        let n = n as f64;
        let weight = (n / usual).min(1.0) * unit.weight / n;
        Seen { loss: if unit.weight > 0.0 { unit.loss / unit.weight } else { 0.0 }, weight, ..unit }
    };
    units.into_iter().map(one).collect()
}

/// The size q of a customer such that half of all rows belong to customers with at most q rows.
fn usual(mut sizes: Vec<usize>) -> f64 {
    sizes.sort_unstable();
    let half = sizes.iter().sum::<usize>().div_ceil(2);
    let mut below = 0;
    let reached = sizes.into_iter().find(|size| {
        below += size;
        below >= half
    });
    reached.unwrap_or(1).max(1) as f64
}

/// From the rows of a week, in the order in which their outcomes became known: those of each entity's first day.
/// Outcomes of the same entity later in the week must not change a bet that was already made.
pub(super) fn first_days(week: &[Seen]) -> Vec<&Seen> {
    let mut first: HashMap<u64, i64> = HashMap::new();
    let day = |row: &Seen| row.at.div_euclid(DAY_MICROS);
    let stays = |row: &&Seen| row.about.is_none_or(|about| *first.entry(about).or_insert(day(row)) == day(row));
    week.iter().filter(stays).collect()
}

#[cfg(test)]
#[path = "together_tests.rs"]
mod tests;
