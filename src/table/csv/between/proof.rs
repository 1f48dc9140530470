//! Decides which rows with the label of a sum are summary rows.
//!
//! All rows with such a label in one field form one family. A family is accepted as summary rows if nine of ten of its
//! rows are computed from the neighbouring rows, and if this is not a coincidence. Only the fields that the family sums
//! up are checked (a filled-in id or target is not a sum). The evidence is the number of agreeing digits, less a
//! correction for the number of groups tried.

use std::collections::{BTreeMap, BTreeSet};

use crate::stats::portable::Portable;

use super::{Found, Mark, Numbers, Place, READINGS, Rows, Sum, Value, Why};

/// Out of ten rows of a family (or cells of a field), at least this many must be sums.
const OF_TEN: usize = 9;
/// Digits that must agree in a family, beyond those explained by chance.
const DIGITS: f64 = 3.0;
/// The same, if few rows agree and some of their numbers do not.
const DIGITS_OF_PART: f64 = 5.0;
/// This many rows with sums in the same fields show that the other fields were not meant to be sums.
const MANY: usize = 3;
/// Maximum number of digits counted for one cell.
const MOST_DIGITS: f64 = 6.0;
/// Number of earlier boundaries from which a sum may start, besides the first row.
const LOOK_BACK: usize = 40;
/// Number of rows of a family that are checked first; at least half must be sums before all are checked.
const FIRST: usize = 100;
/// With more labelled rows, none is compared with all rows since the first.
const MOST_MARKS: usize = 2000;
/// This many totals of groups of equal size may be a level.
const REPEATED: usize = 3;
/// Number of other rows that must fill a field for its blanks in these rows to count; one in this many may be blank.
const MIN_OTHERS: usize = 20;
const ONE_IN: usize = 100;

/// A way to read the rows: whether sums stand above or below, and the notation of numbers.
#[derive(Debug, Clone, Copy)]
struct View {
    /// Totals stand below their rows.
    below: bool,
    reading: usize,
    /// Whether the first row of the first group is known.
    is_start_known: bool,
}

/// How a number relates to the neighbouring numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Sum,
    Mean,
    /// The only number, or zero computed from zeros.
    Copy,
}

/// How the cells of a row agree with a group.
#[derive(Debug, Clone, Default)]
struct Agreement {
    /// Field, fit and digits; `None` if it does not fit.
    cells: Vec<(usize, Option<(Fit, f64)>)>,
    /// Number of groups tried so far.
    tries: usize,
}

impl Agreement {
    /// The digits that agree in these `fields`, less those expected by chance from the number of tries.
    fn digits(&self, fields: Option<&BTreeSet<usize>>) -> f64 {
        let counts = |field: &usize| fields.is_none_or(|fields| fields.contains(field));
        let digits: f64 =
            self.cells.iter().filter(|(field, _)| counts(field)).filter_map(|(_, fit)| Some((*fit)?.1)).sum();
        if digits > 0.0 { digits - (self.tries as f64).log10_portable() } else { 0.0 }
    }

    /// Whether all cells in these fields fit, and there is at least one.
    fn holds(&self, fields: &BTreeSet<usize>) -> bool {
        let mut of_fields = self.cells.iter().filter(|(field, _)| fields.contains(field)).peekable();
        of_fields.peek().is_some() && of_fields.all(|(_, fit)| fit.is_some())
    }

    fn is_whole(&self) -> bool {
        self.cells.iter().all(|(_, fit)| fit.is_some())
    }
}

/// The rows of a family that are summary rows.
#[derive(Debug, Default)]
struct Proof {
    /// By position among the marks: what the numbers are; `None` if the group began before the block.
    rows: BTreeMap<usize, Option<Numbers>>,
    is_sure: bool,
    /// Share of its rows that are sums.
    share: f64,
}

/// The rows that are not data: sums, and rows that only have the label but leave blank what other rows fill.
pub(super) fn found(rows: &[Rows], marks: &[Mark], place: Place) -> Vec<Found> {
    let views = [true, false].into_iter().flat_map(|below| {
        let is_start_known = if below { place.is_first } else { place.is_last };
        (0..READINGS).map(move |reading| View { below, reading, is_start_known })
    });
    let proofs = views.map(|view| (view, families(rows, marks, view)));
    let n_sure = |families: &BTreeMap<usize, Proof>| {
        families.values().filter(|proof| proof.is_sure).map(|proof| proof.rows.len()).sum::<usize>()
    };
    // On a tie the first wins: totals below, decimal point.
    let best = proofs.reduce(|best, next| if n_sure(&next.1) > n_sure(&best.1) { next } else { best });
    let Some((view, families)) = best else { return Vec::new() };
    let mut found = Vec::new();
    for (field, proof) in families {
        let of_family = || marks.iter().enumerate().filter(|(_, mark)| mark.field == field);
        if proof.is_sure {
            let usual = proof.rows.values().flatten().next().copied().unwrap_or(Numbers::Sums);
            let told = proof.rows.iter().filter_map(|(at, numbers)| Some((marks.get(*at)?, numbers.unwrap_or(usual))));
            if is_level(rows, marks, proof.rows.keys().copied(), view.below) {
                let first = proof.rows.keys().next().and_then(|at| marks.get(*at));
                found.extend(first.map(|mark| mark.found(Why::Level { n: proof.rows.len() })));
                continue;
            }
            found.extend(told.map(|(mark, numbers)| mark.found(Why::Made { of_above: view.below, numbers })));
        } else if let Some(field) = blank_here_alone(rows, || of_family().map(|(_, mark)| mark)) {
            found.extend(of_family().map(|(_, mark)| mark.found(Why::Blank { field })));
        }
    }
    found.sort_by_key(|found| (found.piece, found.row));
    found
}

impl Mark {
    fn found(&self, why: Why) -> Found {
        Found { piece: self.piece, row: self.row, field: self.field, why }
    }
}

/// Whether the rows belong to a level, such as a total that the table gives for each patient: all have the same label,
/// follow equally many rows, and have all cells that other rows have.
fn is_level(rows: &[Rows], marks: &[Mark], of: impl Iterator<Item = usize>, below: bool) -> bool {
    let of: Vec<usize> = of.collect();
    // Rows between a mark and the previous one, or after it.
    let bounds = |place: usize| match (below, place) {
        (true, 0) => 0..of[0] + 1,
        (true, place) => of[place - 1] + 1..of[place] + 1,
        (false, place) => of[place] + 1..of.get(place + 1).map_or(rows.len(), |next| next + 1),
    };
    let n_rows = |place: usize| bounds(place).filter_map(|at| rows.get(at)).map(|rows| rows.n_rows).sum::<usize>();
    let like_first = |place: usize| {
        let (first, mark) = (&marks[of[0]], &marks[of[place]]);
        mark.blank.is_empty() && mark.label == first.label && n_rows(place) == n_rows(0)
    };
    of.len() >= REPEATED && (0..of.len()).all(like_first)
}

/// A field that is blank in all these rows and in hardly any other.
fn blank_here_alone<'a, I: Iterator<Item = &'a Mark>>(rows: &[Rows], marks: impl Fn() -> I) -> Option<usize> {
    let n_others: usize = rows.iter().map(|rows| rows.n_rows).sum();
    let n_blank = |field: usize| rows.iter().map(|rows| rows.n_blank[field]).sum::<usize>();
    let first = marks().next()?;
    let is_blank = |field: &usize| marks().all(|mark| mark.blank.contains(field));
    let fields = first.blank.iter().copied();
    fields.filter(is_blank).find(|&field| n_others >= MIN_OTHERS && n_blank(field) * ONE_IN <= n_others)
}

/// The families, by field. A family that is not summary rows consists of ordinary rows, which count in the sums of the
/// others.
fn families(rows: &[Rows], marks: &[Mark], view: View) -> BTreeMap<usize, Proof> {
    let mut active: BTreeSet<usize> = marks.iter().map(|mark| mark.field).collect();
    let mut given_up = BTreeMap::new();
    loop {
        let mut proofs = prove(rows, marks, view, &active);
        let unsure = proofs.iter().filter(|(_, proof)| !proof.is_sure);
        let worst = unsure.min_by(|a, b| a.1.share.total_cmp(&b.1.share)).map(|(&field, _)| field);
        let Some(field) = worst else {
            given_up.append(&mut proofs);
            return given_up;
        };
        active.remove(&field);
        given_up.insert(field, proofs.remove(&field).unwrap_or_default());
    }
}

/// The proof for each family, if the rows of `active` families are not part of any sum.
fn prove(rows: &[Rows], marks: &[Mark], view: View, active: &BTreeSet<usize>) -> BTreeMap<usize, Proof> {
    let best = |at: usize, fields: Option<&BTreeSet<usize>>| agreement(rows, marks, at, view, active, fields);
    let of = |field: usize| (0..marks.len()).filter(move |&at| marks[at].field == field);
    let prove = |&family: &usize| {
        if !is_likely(of(family).take(FIRST).filter_map(|at| best(at, None))) {
            return (family, Proof::default());
        }
        let fields = fields(of(family).filter_map(|at| best(at, None)));
        let all: Vec<(usize, Option<Agreement>)> = of(family).map(|at| (at, best(at, Some(&fields)))).collect();
        // In a later block, the start of the first group is unknown.
        let is_unknown = |at: usize| !view.is_start_known && is_outermost(marks, at, view.below, active);
        let known: Vec<&(usize, Option<Agreement>)> = all.iter().filter(|(at, _)| !is_unknown(*at)).collect();
        let holding: Vec<(usize, &Agreement)> = known
            .iter()
            .filter_map(|(at, found)| Some((*at, found.as_ref().filter(|found| found.holds(&fields))?)))
            .collect();
        let Evidence { digits, n_telling, of_means } = evidence(&holding, marks, view.reading, &fields);
        let is_whole = holding.iter().all(|(_, found)| found.is_whole());
        let enough = if is_whole || (n_telling >= MANY && !of_means) { DIGITS } else { DIGITS_OF_PART };
        let is_sure = !holding.is_empty() && 10 * holding.len() >= OF_TEN * known.len() && digits >= enough;
        let share = holding.len() as f64 / known.len().max(1) as f64;
        let unknown = all.iter().filter(|(at, _)| is_unknown(*at)).map(|(at, _)| (*at, None));
        let rows = holding.iter().map(|(at, found)| (*at, Some(found.numbers(&fields)))).chain(unknown).collect();
        (family, Proof { rows, is_sure, share })
    };
    active.iter().map(prove).collect()
}

/// The evidence for the rows of a family.
#[derive(Debug, Default)]
struct Evidence {
    digits: f64,
    /// Rows that contribute.
    n_telling: usize,
    /// Whether some numbers are means.
    of_means: bool,
}

/// The digits that agree in `fields`. Each distinct mean counts once: the price of a level called `average` may be the
/// same in all its rows, and close to the mean of any group.
fn evidence(holding: &[(usize, &Agreement)], marks: &[Mark], reading: usize, fields: &BTreeSet<usize>) -> Evidence {
    let mut means = BTreeSet::new();
    let mut evidence = Evidence::default();
    for (at, found) in holding {
        let values: BTreeMap<usize, u64> =
            marks[*at].cells.iter().filter_map(|(at, values)| Some((*at, values[reading]?.value.to_bits()))).collect();
        let of_fields = found.cells.iter().filter(|(field, _)| fields.contains(field));
        let digits = of_fields.filter_map(|(field, fit)| match (*fit)? {
            (Fit::Mean, digits) => {
                evidence.of_means = true;
                means.insert((*field, values.get(field).copied())).then_some(digits)
            }
            (_, digits) => Some(digits),
        });
        let digits = digits.sum::<f64>() - (found.tries as f64).log10_portable();
        if digits > 0.0 {
            (evidence.digits, evidence.n_telling) = (evidence.digits + digits, evidence.n_telling + 1);
        }
    }
    evidence
}

impl Agreement {
    /// Whether the numbers in these fields are sums or means.
    fn numbers(&self, fields: &BTreeSet<usize>) -> Numbers {
        let has = |wanted: Fit| {
            self.cells.iter().any(|(at, fit)| fields.contains(at) && fit.is_some_and(|(fit, _)| fit == wanted))
        };
        match (has(Fit::Sum), has(Fit::Mean)) {
            (true, true) => Numbers::Both,
            (false, true) => Numbers::Means,
            (_, false) => Numbers::Sums,
        }
    }
}

/// Whether at least half of the rows agree with a group in some field.
fn is_likely(found: impl Iterator<Item = Agreement>) -> bool {
    let (mut n, mut n_fitting) = (0, 0);
    for found in found {
        n += 1;
        n_fitting += usize::from(found.cells.iter().any(|(_, fit)| fit.is_some()));
    }
    2 * n_fitting >= n
}

/// The fields that a family sums up: nine of ten testable numbers in the field are sums or means.
fn fields(found: impl Iterator<Item = Agreement>) -> BTreeSet<usize> {
    let mut counts: BTreeMap<usize, [usize; 2]> = BTreeMap::new();
    for (field, fit) in found.flat_map(|found| found.cells) {
        match fit {
            Some((Fit::Copy, _)) => {}
            Some(_) => counts.entry(field).or_default()[1] += 1,
            None => counts.entry(field).or_default()[0] += 1,
        }
    }
    let is_summed = |[wrong, right]: [usize; 2]| right > 0 && 10 * right >= OF_TEN * (right + wrong);
    counts.into_iter().filter(|(_, counts)| is_summed(*counts)).map(|(field, _)| field).collect()
}

/// Whether no row of an active family comes before this one, seen from the start of the first group.
fn is_outermost(marks: &[Mark], at: usize, below: bool, active: &BTreeSet<usize>) -> bool {
    let mut before = if below { marks[..at].iter() } else { marks[at + 1..].iter() };
    !before.any(|mark| active.contains(&mark.field))
}

/// How a row agrees with its best-matching group: in all `fields`, if they are known.
fn agreement(
    rows: &[Rows],
    marks: &[Mark],
    at: usize,
    view: View,
    active: &BTreeSet<usize>,
    fields: Option<&BTreeSet<usize>>,
) -> Option<Agreement> {
    let View { below, reading, is_start_known } = view;
    let mark = &marks[at];
    let mut sums: Vec<Sum> = vec![Sum::default(); mark.cells.len()];
    let (mut best, mut tries): (Option<Agreement>, usize) = (None, 0);
    let rank = |found: &Agreement| {
        let n = found
            .cells
            .iter()
            .filter(|(field, fit)| fit.is_some() && fields.is_none_or(|fields| fields.contains(field)))
            .count();
        (fields.is_some_and(|fields| found.holds(fields)), found.digits(fields), n)
    };
    let mut look = |sums: &[Sum], tries: usize| {
        let cells = mark
            .cells
            .iter()
            .zip(sums)
            .map(|((field, values), sum)| (*field, values[reading].and_then(|value| fit(value, *sum))));
        let found = Agreement { cells: cells.collect(), tries };
        if best.as_ref().is_none_or(|best| rank(best).partial_cmp(&rank(&found)) == Some(std::cmp::Ordering::Less)) {
            best = Some(found);
        }
    };
    // Rows before the mark at `next`, nearest first: `rows[i]` stand above mark `i`.
    let mut place = at;
    loop {
        let group = if below { rows.get(place) } else { rows.get(place + 1) };
        for (sum, (field, _)) in sums.iter_mut().zip(&mark.cells) {
            group.iter().for_each(|group| sum.add(&group.sums[*field][reading]));
        }
        let next = if below { place.checked_sub(1) } else { Some(place + 1).filter(|&next| next < marks.len()) };
        let Some(next) = next else { break };
        place = next;
        let other = &marks[next];
        if active.contains(&other.field) {
            tries += 1;
            if tries <= LOOK_BACK {
                look(&sums, tries);
            } else if marks.len() > MOST_MARKS {
                return best;
            }
        } else {
            for (sum, (field, _)) in sums.iter_mut().zip(&mark.cells) {
                let value =
                    other.cells.iter().find(|(other, _)| other == field).and_then(|(_, values)| values[reading]);
                value.iter().for_each(|value| sum.add(&value.sum()));
            }
        }
    }
    if is_start_known {
        look(&sums, tries.min(LOOK_BACK) + 1);
    }
    best
}

/// How a number relates to the numbers of a group, to the written precision, and how many digits agree.
fn fit(value: Value, sum: Sum) -> Option<(Fit, f64)> {
    let unit = 10_f64.powi(-i32::from(value.decimals));
    let error = 0.5 * unit * (1.0 + 1e-9) + 1e-12 * sum.size;
    let is_near = |found: f64| (found - value.value).abs() <= error;
    let is_news = sum.n_nonzero >= 2;
    // Prices such as 50.00 and 100.00 have fewer significant digits than written.
    let step = 10_f64.powi(i32::from(sum.grain.min(value.grain).min(30))).max(2.0 * error);
    let digits = |range: f64| (range / step).max(1.0).log10_portable().min(MOST_DIGITS);
    if is_near(sum.total) {
        return Some(if is_news { (Fit::Sum, digits(sum.size)) } else { (Fit::Copy, 0.0) });
    }
    let n = f64::from(sum.n.max(1));
    let mean = sum.total / n;
    if !is_near(mean) || !is_news {
        return None;
    }
    let spread = (sum.squares / n - mean * mean).max(0.0).sqrt();
    let digits = (spread / error).max(1.0).log10_portable().min(MOST_DIGITS);
    Some((Fit::Mean, digits))
}
