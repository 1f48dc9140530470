//! Builds a pair from the profiles of both tables.

use super::{ColumnPair, PairValues};
use crate::drift::report::Summary;
use crate::drift::worth::Worth;
use crate::profile::{ColumnProfile, Levels, Numbers, Profile, Shape};
use crate::stats::sample::Sample;
use crate::table::Kind;

impl ColumnPair {
    /// A column of both profiles; `None` if either lacks it, or if it is neither a number nor a category on both sides.
    #[must_use]
    pub fn of(name: &str, reference: &Profile, current: &Profile) -> Option<Self> {
        let (before, now) = (reference.column(name)?, current.column(name)?);
        let values = match (&before.shape, &now.shape) {
            (Shape::Numbers(a), Shape::Numbers(b)) if before.kind == Kind::Time && now.kind == Kind::Time => {
                times(before, now, a, b)
            }
            (Shape::Numbers(_), Shape::Numbers(_)) if before.kind == Kind::Time || now.kind == Kind::Time => {
                return None;
            }
            (Shape::Numbers(a), Shape::Numbers(b)) => {
                let (reference, current) = (before.sample(), now.sample());
                let current = steady(&reference, &current).unwrap_or(current);
                PairValues::Number { reference, current, integer: a.integer && b.integer }
            }
            (Shape::Levels(a), Shape::Levels(b)) => united(a, b),
            _ => return None,
        };
        Some(Self {
            name: name.to_owned(),
            kind: match &values {
                PairValues::Number { .. } => "number",
                PairValues::Category { .. } => "category",
                PairValues::Time { .. } => "time",
            }
            .to_owned(),
            values,
            n_missing: (before.n_missing, now.n_missing),
            n_infinite: infinite(before, now),
            unfit: None,
            rank_error: before.rank_error() + now.rank_error(),
            importance: None,
            not_read: false,
            of_gate: false,
            worth: Worth::of(before.design, now.design),
            summaries: (summary(before, reference.n_rows), summary(now, current.n_rows)),
        })
    }
}

/// For a reference with a single value: current values that differ from it only by rounding to 32 bits are set to it. A
/// constant written by another program is not drift.
fn steady(reference: &Sample, current: &Sample) -> Option<Sample> {
    let [value] = reference.values() else { return None };
    let near = |v: f64| (v - value).abs() <= f64::from(f32::EPSILON) * value.abs();
    let all = current.values().first().is_some_and(|v| near(*v)) && current.values().last().is_some_and(|v| near(*v));
    all.then(|| Sample::from_weighted(vec![(*value, current.n())]))
}

/// The levels of either side, sorted; cells counted without a name are one more level.
fn united(a: &Levels, b: &Levels) -> PairValues {
    let mut levels: Vec<&String> = a.counts.keys().chain(b.counts.keys()).collect();
    levels.sort_unstable();
    levels.dedup();
    let counts = |side: &Levels| {
        let named = levels.iter().map(|&level| side.counts.get(level).copied().unwrap_or(0));
        let other = (a.other + b.other > 0).then_some(side.other);
        named.chain(other).collect::<Vec<u64>>()
    };
    let (reference, current) = (counts(a), counts(b));
    let mut names: Vec<String> = levels.into_iter().cloned().collect();
    if names.len() < reference.len() {
        names.push("(levels too many to count)".to_owned());
    }
    PairValues::Category { levels: names, reference, current }
}

fn times(before: &ColumnProfile, now: &ColumnProfile, a: &Numbers, b: &Numbers) -> PairValues {
    let both = a.calendar.clone().zip(b.calendar.clone());
    let calendars = both.map(|(a, b)| Box::new([a, b]));
    PairValues::Time { reference: before.sample(), current: now.sample(), calendars, present: None, then: None }
}

fn infinite(before: &ColumnProfile, now: &ColumnProfile) -> [(u64, u64); 2] {
    let of = |column: &ColumnProfile| {
        column.numbers().map_or((0, 0), |n| (n.n_minus_infinite, n.n_infinite - n.n_minus_infinite))
    };
    let (before, now) = (of(before), of(now));
    [(before.0, now.0), (before.1, now.1)]
}

fn summary(column: &ColumnProfile, n_rows: u64) -> Summary {
    let moments = column.numbers().map(|numbers| numbers.moments).filter(|moments| moments.n > 0);
    Summary {
        n: column.n_present(n_rows),
        n_missing: column.n_missing,
        n_levels: column.levels().map(|levels| levels.len() as u64),
        mean: moments.and_then(|m| m.known_mean()),
        sd: moments.map(|m| m.variance().sqrt()).filter(|sd| sd.is_finite()),
        min: moments.map(|m| m.min),
        median: column.numbers().and_then(Numbers::median),
        max: moments.map(|m| m.max),
    }
}
