//! One column of both tables, in the form that every method reads.

mod built;

use super::method::{ColumnKind, Method};
use super::report::Summary;
use super::worth::Worth;
use crate::profile::Calendar;
use crate::stats::pooled;
use crate::stats::psi;
use crate::stats::sample::{Cannot, Measured, Sample};

/// One column of both tables.
#[derive(Debug, Clone)]
pub struct ColumnPair {
    /// Its name.
    pub name: String,
    /// `number`, `category` or `time`.
    pub kind: String,
    /// What is there.
    pub values: PairValues,
    /// Missing cells of the reference and of the current table.
    pub n_missing: (u64, u64),
    /// Number of -∞ and of +∞, each for the reference and the current table.
    pub n_infinite: [(u64, u64); 2],
    /// Why the current values cannot be judged: their cells have another type.
    pub unfit: Option<String>,
    /// Largest error of a rank on both sides together; 0 when exact.
    pub rank_error: f64,
    /// Share of the model's gain.
    pub importance: Option<f64>,
    /// Whether the model does not read it.
    pub not_read: bool,
    /// Whether the reference consists of gate rows, which are few in a small table (`SplitSpec::gate_for`).
    pub of_gate: bool,
    /// The effective number of independent rows.
    pub worth: Worth,
    /// Summaries of both sides.
    pub summaries: (Summary, Summary),
}

/// The values of both sides.
#[derive(Debug, Clone)]
pub enum PairValues {
    /// Numbers.
    Number {
        /// The reference's values.
        reference: Sample,
        /// The current values.
        current: Sample,
        /// Whether all values of both sides are whole.
        integer: bool,
    },
    /// Levels of either side, sorted, with their counts.
    Category {
        /// Their names.
        levels: Vec<String>,
        /// Counts in the reference.
        reference: Vec<u64>,
        /// Counts in the current table.
        current: Vec<u64>,
    },
    /// Instants in microseconds since 1970-01-01 UTC.
    Time {
        /// The reference's.
        reference: Sample,
        /// The current ones.
        current: Sample,
        /// The distribution over the calendar on each side, if both profiles contain it.
        calendars: Option<Box<[Calendar; 2]>>,
        /// Later instants are in the future; `None` if the current time is not known.
        present: Option<i64>,
        /// When the reference was known: later instants were in the future then.
        then: Option<i64>,
    },
}

/// Counts of both sides in the same cells.
#[derive(Debug, Clone, Default)]
pub struct Cells {
    /// Of the reference.
    pub reference: Vec<u64>,
    /// Of the current table.
    pub current: Vec<u64>,
}

impl Cells {
    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.reference.len()
    }

    /// Whether there are no cells.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.reference.is_empty()
    }

    fn push(&mut self, reference: u64, current: u64) {
        self.reference.push(reference);
        self.current.push(current);
    }
}

/// Maximum number of levels with a cell of their own; see [`level_cells`].
const MAX_LEVELS: usize = 50;
/// Minimum expected number of rows of a cell on the smaller side, if there are more levels than that.
const EXPECTED: f64 = 5.0;
/// A number that occurs this often on both sides together may be a special value, such as 999 for "unknown".
const REPEATS: u64 = 5;
/// Maximum number of distinct whole numbers for which Evidently treats a column without missing cells as a category.
const EVIDENTLY_LEVELS: usize = 10;

impl ColumnPair {
    /// The pair with numbers as levels, if these are class numbers; unchanged if there are too many.
    #[must_use]
    pub fn as_classes(mut self) -> Self {
        /// Maximum number of classes.
        const MOST: usize = 1000;
        let PairValues::Number { reference, current, .. } = &self.values else { return self };
        let mut levels: Vec<f64> = [reference.values(), current.values()].concat();
        levels.sort_by(f64::total_cmp);
        levels.dedup();
        if levels.len() > MOST || self.rank_error > 0.0 {
            return self;
        }
        let counts = |side: &Sample| -> Vec<u64> {
            let of = |level: &f64| {
                side.values().binary_search_by(|value| value.total_cmp(level)).map_or(0, |at| side.counts()[at])
            };
            levels.iter().map(of).collect()
        };
        let (reference, current) = (counts(reference), counts(current));
        let levels = levels.iter().map(f64::to_string).collect();
        self.values = PairValues::Category { levels, reference, current };
        self
    }

    /// Whether it holds numbers.
    #[must_use]
    pub fn is_number(&self) -> bool {
        matches!(self.values, PairValues::Number { .. })
    }

    /// Rows of the reference and of the current table, including missing cells.
    #[must_use]
    pub fn n_rows(&self) -> (u64, u64) {
        let ((n, m), [minus, plus]) = (self.n_values(), self.n_infinite);
        (n + self.n_missing.0 + minus.0 + plus.0, m + self.n_missing.1 + minus.1 + plus.1)
    }

    /// Cells with a finite value.
    #[must_use]
    pub fn n_values(&self) -> (u64, u64) {
        match &self.values {
            PairValues::Number { reference, current, .. } | PairValues::Time { reference, current, .. } => {
                (reference.n(), current.n())
            }
            PairValues::Category { reference, current, .. } => (reference.iter().sum(), current.iter().sum()),
        }
    }

    /// The counts in reference deciles plus a cell outside its range, or in levels, or in hours of the day, and one
    /// cell each for -∞, +∞ and missing; cells empty on both sides are omitted.
    #[must_use]
    pub fn cells(&self) -> Cells {
        let mut cells = Cells::default();
        match &self.values {
            PairValues::Number { reference, current, .. } => {
                let edges = psi::decile_edges(reference);
                (cells.reference, cells.current) =
                    (psi::bin_counts(reference, &edges), psi::bin_counts(current, &edges));
                self.set_apart(&mut cells);
            }
            PairValues::Category { reference, current, .. } => level_cells(&mut cells, reference, current),
            PairValues::Time { calendars, .. } => {
                let sides = calendars.iter().flat_map(|sides| sides[0].hours.iter().zip(&sides[1].hours));
                sides.filter(|hour| *hour != (&0, &0)).for_each(|(r, c)| cells.push(*r, *c));
            }
        }
        for (reference, current) in [self.n_infinite[0], self.n_infinite[1], self.n_missing] {
            if reference + current > 0 {
                cells.push(reference, current);
            }
        }
        cells
    }

    /// [`ColumnPair::cells`] of the finite values only.
    #[must_use]
    pub fn value_cells(&self) -> Cells {
        Self { n_missing: (0, 0), n_infinite: [(0, 0); 2], ..self.clone() }.cells()
    }

    /// The smallest and the largest number of the reference; `None` without numbers. A sketch does not contain them,
    /// the moments do.
    #[must_use]
    pub fn reference_range(&self) -> Option<(f64, f64)> {
        let (PairValues::Number { reference, .. } | PairValues::Time { reference, .. }) = &self.values else {
            return None;
        };
        extent(&self.summaries.0, reference)
    }

    /// The same for the current table.
    #[must_use]
    pub fn current_range(&self) -> Option<(f64, f64)> {
        let (PairValues::Number { current, .. } | PairValues::Time { current, .. }) = &self.values else { return None };
        extent(&self.summaries.1, current)
    }

    /// Current numbers outside the reference's range are in the first and the last bin; this moves them to a cell of
    /// their own.
    fn set_apart(&self, cells: &mut Cells) {
        let Some((below, above)) = self.outside() else { return };
        let outside = below + above;
        if outside > 0 {
            cells.current[0] -= below;
            let last = cells.len() - 1;
            cells.current[last] -= above;
            cells.push(0, outside);
        }
    }

    /// The number of current values below the smallest of the reference, and above its largest.
    #[must_use]
    pub fn outside(&self) -> Option<(u64, u64)> {
        let (PairValues::Number { current, .. } | PairValues::Time { current, .. }) = &self.values else { return None };
        let (low, high) = self.reference_range()?;
        let ends = [current.values().partition_point(|v| *v < low), current.values().partition_point(|v| *v <= high)];
        let parts = current.parts(ends.into_iter());
        Some((parts[0], parts[2]))
    }

    /// The method that Evidently picks by default.
    #[must_use]
    pub fn evidently_choice(&self) -> Method {
        match &self.values {
            PairValues::Number { reference, current, integer } => {
                let few = *integer && self.n_missing.1 == 0 && current.values().len() <= EVIDENTLY_LEVELS;
                let kind = if few { ColumnKind::Category } else { ColumnKind::Number };
                Method::evidently_choice(kind, reference.n(), pooled::distinct(reference, current))
            }
            PairValues::Category { levels, reference, .. } => {
                Method::evidently_choice(ColumnKind::Category, reference.iter().sum(), levels.len())
            }
            PairValues::Time { reference, current, .. } => {
                Method::evidently_choice(ColumnKind::Number, reference.n(), pooled::distinct(reference, current))
            }
        }
    }

    /// The statistic of a method by name. Numbers are used as levels if the method compares only levels.
    ///
    /// # Errors
    /// Why it has no value here.
    pub fn measure(&self, method: Method, seed: u64) -> Result<Measured, Cannot> {
        match &self.values {
            PairValues::Number { reference, current, integer } if method.fits(ColumnKind::Number) => {
                method.measure_numbers(reference, current, *integer, seed)
            }
            PairValues::Time { .. } => Err(Cannot::because(format!("{method} does not compare times"))),
            PairValues::Number { reference, current, .. } => {
                let steps: Vec<_> = pooled::steps(reference, current).collect();
                let counts = |side: fn(&pooled::Step) -> u64| steps.iter().map(side).collect::<Vec<u64>>();
                let names = vec![""; steps.len()];
                method.measure_categories(&names, &counts(|s| s.reference), &counts(|s| s.current), seed)
            }
            PairValues::Category { levels, reference, current } => {
                let names: Vec<&str> = levels.iter().map(String::as_str).collect();
                method.measure_categories(&names, reference, current, seed)
            }
        }
    }
}

fn extent(summary: &Summary, sample: &Sample) -> Option<(f64, f64)> {
    let ends = sample.values().first().copied().zip(sample.values().last().copied());
    summary.min.zip(summary.max).or(ends)
}

impl ColumnPair {
    /// Whether all cells of both sides have one and the same value.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        let absent = [self.n_missing, self.n_infinite[0], self.n_infinite[1]];
        let kinds = absent.iter().filter(|counts| **counts != (0, 0)).count();
        let values = match &self.values {
            PairValues::Number { reference, current, .. } | PairValues::Time { reference, current, .. } => {
                pooled::distinct(reference, current)
            }
            PairValues::Category { reference, current, .. } => {
                reference.iter().zip(current).filter(|(r, c)| **r + **c > 0).count()
            }
        };
        values + kinds == 1 && self.n_rows().0 > 0 && self.n_rows().1 > 0
    }

    /// The rare values, with fewer than `expected` expected rows on the smaller side: each level, groups of levels of
    /// similar frequency (within a factor of two), and repeated numbers. Both sides together determine which values
    /// these are. Each has a name.
    #[must_use]
    pub fn rare(&self, expected: f64) -> Vec<(String, (u64, u64))> {
        let (n, m) = self.n_values();
        let is_rare = |&(r, c): &(u64, u64)| ((r + c) as f64) * (n.min(m) as f64) < expected * (n + m) as f64;
        match &self.values {
            PairValues::Category { levels, reference, current } => {
                let counts = reference.iter().copied().zip(current.iter().copied());
                let rare = levels.iter().zip(counts).filter(|(_, counts)| counts.0 + counts.1 > 0 && is_rare(counts));
                let mut found: Vec<_> = rare.map(|(level, counts)| (format!("{level:?}"), counts)).collect();
                let mut together = vec![(0, (0, 0)); 64];
                for (_, (r, c)) in &found {
                    let (size, sum) = &mut together[(r + c).ilog2() as usize];
                    (*size, *sum) = (*size + 1, (sum.0 + r, sum.1 + c));
                }
                let several = together.into_iter().filter(|(size, _)| *size > 1);
                found.extend(several.map(|(size, sum)| (format!("{size} rare levels"), sum)));
                found
            }
            // A sketch's values represent others near them.
            PairValues::Number { reference, current, .. } if self.rank_error == 0.0 => {
                let repeats = pooled::steps(reference, current).filter(|s| s.reference + s.current >= REPEATS);
                let all = repeats.map(|s| (s.value.to_string(), (s.reference, s.current)));
                all.filter(|(_, counts)| is_rare(counts)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Cells of levels, chosen by their frequency on both sides together. If they were chosen by one side's counts, its
/// chance fluctuations would look like a change on the other side.
///
/// Up to [`MAX_LEVELS`] levels have a cell of their own, if at least [`EXPECTED`] rows of each are expected on the
/// smaller side. The others share a cell with levels of similar frequency (within a factor of two), so that many rare
/// levels absent on one side are detected.
fn level_cells(cells: &mut Cells, reference: &[u64], current: &[u64]) {
    let both = |level: usize| reference[level] + current[level];
    let (n, m) = (reference.iter().sum::<u64>(), current.iter().sum::<u64>());
    let expected = |count: u64| count as f64 * n.min(m) as f64 / (n + m) as f64;
    let mut levels: Vec<usize> = (0..reference.len()).filter(|&level| both(level) > 0).collect();
    levels.sort_by_key(|&level| (std::cmp::Reverse(both(level)), level));
    let all_alone = levels.len() <= MAX_LEVELS;
    let n_alone = levels.iter().take(MAX_LEVELS).take_while(|&&l| all_alone || expected(both(l)) >= EXPECTED).count();
    let (alone, together) = levels.split_at(n_alone);
    alone.iter().for_each(|&level| cells.push(reference[level], current[level]));
    let mut open = (0, 0);
    for (at, &level) in together.iter().enumerate() {
        open = (open.0 + reference[level], open.1 + current[level]);
        let goes_on = together.get(at + 1).is_some_and(|&next| both(next).ilog2() == both(level).ilog2());
        if !goes_on && expected(open.0 + open.1) >= EXPECTED {
            cells.push(open.0, open.1);
            open = (0, 0);
        }
    }
    if open != (0, 0) {
        cells.push(open.0, open.1);
    }
}

#[cfg(test)]
impl ColumnPair {
    /// Values without missing cells, of a column with no other information.
    pub(super) fn of_values(name: impl Into<String>, values: PairValues) -> Self {
        Self {
            name: name.into(),
            kind: String::new(),
            values,
            n_missing: (0, 0),
            n_infinite: [(0, 0); 2],
            unfit: None,
            rank_error: 0.0,
            importance: None,
            not_read: false,
            of_gate: false,
            worth: Worth::default(),
            summaries: (Summary::default(), Summary::default()),
        }
    }
}
