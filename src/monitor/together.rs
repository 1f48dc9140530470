//! Losses of rows about the same thing, as one bet each: those of one customer go together, so that twenty of them are not
//! evidence twenty times.
//!
//! ```text
//! losses x, weights v of a batch ─ by customer, n rows each ─▶ mean x̄ = Σ v x ∕ Σ v,  weight min(1, n ∕ q) · Σ v ∕ n
//! ```
//! q is the number of rows that half of all rows' customers have at least, which is known before a loss is. For customers of up to
//! q rows a bet is Σ v (x − m) ∕ q, whose mean is at most 0 while that over rows is; a customer with more rows counts as q.

use std::collections::HashMap;

const DAY_MICROS: i64 = 86_400_000_000;

/// A row whose outcome is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Seen {
    /// When its outcome became known, in microseconds.
    pub(super) at: i64,
    pub(super) loss: f64,
    /// In (0, 1]: less for rows that were more likely to be asked for.
    pub(super) weight: f64,
    /// What the row is about, where a column says it.
    pub(super) about: Option<u64>,
}

/// The rows of one batch with those about the same thing made one, in the order of their first rows; rows about nothing that
/// is known stay as they are.
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

/// The number of rows that the customers of half of all rows have at least.
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

/// Of the rows of a week, in the order in which their outcomes became known, those of the first day of each thing: a bet that
/// was made is not made again with what became known of the same thing later in the week.
pub(super) fn first_days(week: &[Seen]) -> Vec<&Seen> {
    let mut first: HashMap<u64, i64> = HashMap::new();
    let day = |row: &Seen| row.at.div_euclid(DAY_MICROS);
    let stays = |row: &&Seen| row.about.is_none_or(|about| *first.entry(about).or_insert(day(row)) == day(row));
    week.iter().filter(stays).collect()
}

#[cfg(test)]
#[path = "together_tests.rs"]
mod tests;
