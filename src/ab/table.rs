//! Any table as an experiment: columns named by the caller, rows put together to units.

use super::AbError;
use super::arms;
use super::experiment::Goal;
use super::report::Source;
use super::units::{Kind, Outcome, Stratum, Units, When};
use super::values::{self, Column};
use crate::stats::random::hash64;
use crate::table::{Doubt, InferOptions, MISSING_CODE, Rejects, Spool, Table, TableOptions, Texts, Values, Why, infer};
use rayon::prelude::*;
use std::path::Path;

/// Which columns are what, and what is done where a table leaves a choice.
#[derive(Debug, Clone)]
pub struct OutcomesRequest<'a> {
    /// The table.
    pub table: &'a Path,
    /// The column that names the arm.
    pub arm: &'a str,
    /// The outcomes: a column, or `numerator/denominator`.
    pub outcomes: &'a [String],
    /// Which way is better.
    pub goal: Goal,
    /// The column that names the unit; every row is one when `None`.
    pub unit: Option<&'a str>,
    /// A column of the time before the experiment, to adjust by.
    pub pre: Option<&'a str>,
    /// The column that orders the units.
    pub time: Option<&'a str>,
    /// The column that says for how many units a row stands; outcomes are then counts.
    pub n: Option<&'a str>,
    /// The arm that the others are compared with; guessed when `None`.
    pub control: Option<&'a str>,
    /// Only these arms; all when empty.
    pub arms: &'a [String],
    /// Expected weight of each arm by name; equal when empty.
    pub weights: &'a [(String, f64)],
    /// Arms whose names differ in case, outer spaces or as 1 and 1.0 are one.
    pub same_arms: bool,
    /// Smallest share of the rows of an arm that nobody named.
    pub min_share: f64,
    /// The quantile over all units beyond which values count as that quantile.
    pub cap: Option<f64>,
    /// The text that counts 1.
    pub positive: Option<&'a str>,
    /// What several rows of a unit are made to.
    pub repeated: Repeated,
    /// Whether an outcome that is missing counts 0; otherwise the unit does not count for it.
    pub missing_is_zero: bool,
    /// How the table is written.
    pub read: TableOptions,
}

/// What several rows of a unit are made to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeated {
    /// The largest for 0 and 1, the mean for numbers, sums for ratios.
    Auto,
    /// The first that is known.
    First,
    /// The largest.
    Max,
    /// The mean.
    Mean,
    /// The sum.
    Sum,
}

/// Units and what was found on the way.
#[derive(Debug)]
pub struct Gathered {
    /// The units.
    pub units: Units,
    /// What was read.
    pub source: Source,
    /// Rows that did not fit.
    pub rejects: Rejects,
    /// Remarks for a person.
    pub notes: Vec<String>,
}

/// Reads a table and puts its rows together to units.
///
/// # Errors
/// What is wrong with the table or the request, by column and value.
pub fn gather(request: &OutcomesRequest) -> Result<Gathered, AbError> {
    let table = Spool::new(request.table)?;
    let (look, read) = (table.open()?, table.open()?);
    let file = read.name().to_owned();
    let TableOptions { delimiter, decimal, skip_lines, comment, skip_invalid } = request.read;
    let options = InferOptions { delimiter, decimal, skip_lines, comment, skip_invalid, ..InferOptions::default() };
    let inference = infer(look, &options)?;
    refuse_doubts(request, &inference.doubts, &file)?;
    let wanted = values::Wanted::new(request, &inference.schema)?;
    let read = wanted.read(read, skip_invalid)?;
    let mut notes = Vec::new();
    let arms = Arms::of(&read.table, request, &mut notes)?;
    let rows = Rows { file: &file, table: &read.table, request, arms };
    let (units, source) = rows.units(&mut notes)?;
    Ok(Gathered { units, source, rejects: read.rejects, notes })
}

/// A column of numbers that is none because of a few cells is said to be one.
fn refuse_doubts(request: &OutcomesRequest, doubts: &[Doubt], file: &str) -> Result<(), AbError> {
    let outcomes =
        request.outcomes.iter().flat_map(|outcome| std::iter::once(outcome.as_str()).chain(outcome.split('/')));
    let mut numbers = outcomes.chain(request.pre).chain(request.n);
    let doubt = numbers.find_map(|name| doubts.iter().find(|doubt| doubt.column == name));
    doubt.map_or(Ok(()), |doubt| {
        let way_out = match doubt.why {
            Why::Ambiguous => doubt.ways_out(),
            Why::Mixed | Why::Nearly => "correct these cells, or leave such rows out with --skip-invalid".to_owned(),
        };
        Err(AbError::Usage(format!("{file}: {doubt}: {way_out}")))
    })
}

/// The arms of a table in the order of the report, and the arm of each row.
struct Arms {
    names: Vec<String>,
    /// `MISSING_CODE` for rows that count for none.
    of_row: Vec<u32>,
    shares: Vec<f64>,
}

impl Arms {
    fn of(table: &Table, request: &OutcomesRequest, notes: &mut Vec<String>) -> Result<Self, AbError> {
        let Values::Category(column) = &table.require(request.arm)?.values else {
            return Err(AbError::Usage(format!("the column {:?} holds no arms", request.arm)));
        };
        let spellings = arms::Spellings::of(column, request)?;
        let names = ordered(&spellings.names(), request, notes)?;
        let place = |level: &String| {
            let name = spellings.name(level);
            names.iter().position(|arm| arm == name).map_or(MISSING_CODE, |at| at as u32)
        };
        let places: Vec<u32> = column.levels.iter().map(place).collect();
        let of = |&code: &u32| if code == MISSING_CODE { code } else { places[code as usize] };
        Ok(Self { of_row: column.codes.iter().map(of).collect(), shares: shares(&names, request.weights)?, names })
    }
}

fn ordered(levels: &[&str], request: &OutcomesRequest, notes: &mut Vec<String>) -> Result<Vec<String>, AbError> {
    let have = || levels.iter().take(12).map(|level| format!("{level:?}")).collect::<Vec<_>>().join(", ");
    let usage = |what: String| Err(AbError::Usage(what));
    if let Some(unknown) = request.arms.iter().map(String::as_str).chain(request.control).find(|a| !levels.contains(a))
    {
        return usage(format!("no arm {unknown:?} in column {:?}; there are {}", request.arm, have()));
    }
    if request.arms.is_empty() && levels.len() > arms::MAX_ARMS {
        return usage(format!(
            "column {:?} has {} values, too many for arms: {}, …",
            request.arm,
            levels.len(),
            have()
        ));
    }
    let mut names: Vec<String> = match request.arms.is_empty() {
        true => levels.iter().map(|level| (*level).to_owned()).collect(),
        false => request.arms.to_vec(),
    };
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(name.clone());
            true
        }
    });
    if names.len() < 2 {
        return usage(format!(
            "column {:?} holds {} arm ({}): a comparison needs two",
            request.arm,
            names.len(),
            have()
        ));
    }
    let control = request.control.and_then(|control| names.iter().position(|name| name == control));
    let control = control.or_else(|| {
        // Arms that are listed are listed in order.
        let guess = if request.arms.is_empty() { guess_control(&names) } else { Some(0) };
        let why = if guess.is_some() && request.arms.is_empty() { "its name says so" } else { "it comes first" };
        notes.push(format!("compared with {:?}: {why}; --control names another", names[guess.unwrap_or(0)]));
        guess
    });
    let first = names.remove(control.unwrap_or(0));
    names.insert(0, first);
    Ok(names)
}

/// The arm whose name says that it is the one to compare with, when there is exactly one.
fn guess_control(names: &[String]) -> Option<usize> {
    let says_so = |name: &String| {
        let name = name.trim().to_lowercase();
        let word = |word: &str| name.split(|c: char| !c.is_alphanumeric()).any(|part| part == word);
        ["control", "placebo", "baseline", "psa"].into_iter().any(word)
            || ["no", "none", "0", "false", "old", "production", "champion"].contains(&name.as_str())
            || ["no ", "no-", "no_", "old ", "old-", "old_"].into_iter().any(|start| name.starts_with(start))
    };
    let mut found = names.iter().enumerate().filter(|(_, name)| says_so(name));
    match (found.next(), found.next()) {
        (Some((at, _)), None) => Some(at),
        _ => None,
    }
}

fn shares(names: &[String], weights: &[(String, f64)]) -> Result<Vec<f64>, AbError> {
    if weights.is_empty() {
        return Ok(vec![1.0 / names.len() as f64; names.len()]);
    }
    let of = |name: &String| weights.iter().find(|(arm, _)| arm == name).map(|(_, weight)| *weight);
    let found: Option<Vec<f64>> = names.iter().map(of).collect();
    let sum: f64 = weights.iter().map(|(_, weight)| weight).sum();
    match found {
        Some(found)
            if found.len() == weights.len() && sum > 0.0 && sum.is_finite() && found.iter().all(|w| *w >= 0.0) =>
        {
            Ok(found.into_iter().map(|weight| weight / sum).collect())
        }
        _ => Err(AbError::Usage(format!(
            "--weights: give one weight of at least 0 for each of the arms {}",
            names.join(", ")
        ))),
    }
}

struct Rows<'a> {
    file: &'a str,
    table: &'a Table,
    request: &'a OutcomesRequest<'a>,
    arms: Arms,
}

/// Rows of one unit.
struct Group {
    /// Where it begins in the order of rows.
    start: usize,
    end: usize,
}

impl Rows<'_> {
    fn units(&self, notes: &mut Vec<String>) -> Result<(Units, Source), AbError> {
        let columns = self.columns(notes)?;
        let ids = self.ids()?;
        let n_rows = self.table.n_rows();
        let counts = |row: &u32| {
            let row = *row as usize;
            self.arms.of_row[row] != MISSING_CODE && ids.is_none_or(|ids| !ids.get(row).is_empty())
        };
        let mut rows: Vec<u32> = (0..n_rows as u32).filter(counts).collect();
        let n_without_arm = (n_rows - rows.len()) as u64;
        let mut groups = match ids {
            Some(ids) => grouped(&mut rows, ids),
            None => (0..rows.len()).map(|start| Group { start, end: start + 1 }).collect(),
        };
        let all = groups.len();
        let arm_of = |row: u32| self.arms.of_row[row as usize];
        groups.retain(|group| rows[group.start..group.end].iter().all(|&row| arm_of(row) == arm_of(rows[group.start])));
        let n_in_two_arms = (all - groups.len()) as u64;
        let n_repeated = groups.iter().filter(|group| group.end - group.start > 1).count() as u64;
        let when = self.when(&rows, &mut groups)?;
        let firsts: Vec<usize> = groups.iter().map(|group| rows[group.start] as usize).collect();
        let mut outcomes = Vec::new();
        let parts: Vec<&[u32]> = groups.iter().map(|g| &rows[g.start..g.end]).collect();
        for column in &columns {
            let outcome = column.of_units(&parts, self.request);
            outcomes.push(match self.request.cap {
                Some(cap) => values::capped(outcome, cap, notes)?,
                None => outcome,
            });
        }
        let mut units = Units {
            arms: self.arms.names.clone(),
            strata: vec![Stratum { shares: self.arms.shares.clone() }],
            arm: firsts.iter().map(|&row| self.arms.of_row[row] as u16).collect(),
            stratum: vec![0; firsts.len()],
            at: when,
            outcomes,
        };
        if let Some(n) = self.request.n {
            units = values::spread(units, &self.table.require(n)?.values, &firsts, n)?;
        }
        let source = Source {
            name: self.file.to_owned(),
            n_rows: n_rows as u64,
            unit: self.request.unit.map(str::to_owned),
            n_units: units.n() as u64,
            n_in_two_arms,
            n_repeated,
            n_without_arm,
        };
        self.remarks(&units, &source, notes);
        Ok((units, source))
    }

    fn columns(&self, notes: &mut Vec<String>) -> Result<Vec<Column>, AbError> {
        let of = |name: &String| {
            let mut column = Column::read(self.table, name, self.request, notes)?;
            column.check(self.file, self.request.read.skip_invalid, notes)?;
            Ok(column)
        };
        self.request.outcomes.iter().map(of).collect()
    }

    fn ids(&self) -> Result<Option<&Texts>, AbError> {
        let Some(unit) = self.request.unit else { return Ok(None) };
        match &self.table.require(unit)?.values {
            Values::Text(ids) => Ok(Some(ids)),
            _ => Err(AbError::Usage(format!("the column {unit:?} holds no ids"))),
        }
    }

    /// Puts the groups in the order of their times, when there is a time, or of the table.
    fn when(&self, rows: &[u32], groups: &mut [Group]) -> Result<Option<When>, AbError> {
        let first = |group: &Group| rows[group.start] as usize;
        let Some(time) = self.request.time else {
            groups.par_sort_unstable_by_key(first);
            return Ok(None);
        };
        match &self.table.require(time)?.values {
            Values::Time(at) => {
                groups.par_sort_by_key(|group| (at[first(group)], first(group)));
                Ok(Some(When::Time(groups.iter().map(|group| at[first(group)]).collect())))
            }
            Values::Number(at) => {
                groups.par_sort_by(|a, b| at[first(a)].total_cmp(&at[first(b)]).then_with(|| first(a).cmp(&first(b))));
                Ok(Some(When::Number(groups.iter().map(|group| at[first(group)]).collect())))
            }
            _ => Err(AbError::Usage(format!("--time: the column {time:?} holds no times"))),
        }
    }

    fn remarks(&self, units: &Units, source: &Source, notes: &mut Vec<String>) {
        let mut told = |n: u64, text: &str| {
            if n > 0 {
                notes.push(format!("{n} {text}"));
            }
        };
        told(source.n_without_arm, "rows name no arm of the comparison or no unit and are left out");
        told(source.n_in_two_arms, "units stand in more than one arm and are left out");
        told(source.n_repeated, "units stand in several rows, which were made one");
        if self.request.unit.is_none() && self.request.n.is_none() {
            notes.push("every row counts as a unit; --unit COLUMN puts the rows of one together".to_owned());
        }
        if self.request.time.is_none() && self.request.n.is_none() {
            notes.push("the effect over time is in the order of the table; --time COLUMN gives another".to_owned());
        }
        for outcome in &units.outcomes {
            notes.extend(unevenly_missing(units, outcome));
            notes.extend(one_sided(outcome));
        }
    }
}

/// An outcome that everybody or nobody has cannot tell arms apart; often the table holds those alone who have it.
fn one_sided(outcome: &Outcome) -> Option<String> {
    let known = || outcome.y.iter().filter(|y| !y.is_nan());
    let (n, ones) = (known().count(), known().filter(|y| **y == 1.0).count());
    if outcome.kind != Kind::Share || n == 0 || (ones > 0 && ones < n) {
        return None;
    }
    let name = &outcome.name;
    Some(match (ones == 0, n < outcome.y.len()) {
        (true, _) => format!("no unit of any arm has {name:?}: is it the right column, and has its time come?"),
        (false, true) => {
            format!("every known value of {name:?} is 1: if a missing one means 0, --missing-zero counts it so")
        }
        (false, false) => format!(
            "every value of {name:?} is 1: the table may hold only those units that have it; the others are needed too"
        ),
    })
}

/// Outcomes that are missing in one arm more than in another bias every comparison.
fn unevenly_missing(units: &Units, outcome: &Outcome) -> Option<String> {
    let (all, missing) = (units.counts(), units.count(|unit| !outcome.is_known(unit)));
    let groups: Vec<(f64, f64)> = missing[0].iter().copied().zip(all[0].iter().copied()).collect();
    let test = crate::stats::contrast::homogeneity(&groups);
    let shares: Vec<String> = groups.iter().map(|(k, n)| format!("{:.1} %", 100.0 * k / n)).collect();
    (test.p < 0.001).then(|| {
        format!(
            "{:?} is missing more often in one arm than in another ({}): who is missing may decide the result",
            outcome.name,
            shares.join(", ")
        )
    })
}

/// Sorts rows so that those of one id stand together, each in the order of the table, and says where each id begins.
fn grouped(rows: &mut [u32], ids: &Texts) -> Vec<Group> {
    let mut keyed: Vec<(u64, u32)> =
        rows.par_iter().map(|&row| (hash64(ids.get(row as usize).as_bytes(), 0), row)).collect();
    keyed.par_sort_unstable();
    if keyed.windows(2).all(|pair| pair[0].0 != pair[1].0) {
        // Nobody stands twice: the order of the table is kept, and memory is walked from front to end.
        return (0..rows.len()).map(|start| Group { start, end: start + 1 }).collect();
    }
    let id = |at: usize| ids.get(keyed[at].1 as usize);
    let mut groups: Vec<Group> = Vec::with_capacity(keyed.len());
    let mut mixed = false;
    for at in 0..keyed.len() {
        match groups.last_mut() {
            Some(last) if keyed[last.start].0 == keyed[at].0 && id(last.start) == id(at) => last.end = at + 1,
            _ => {
                mixed |= at > 0 && keyed[at - 1].0 == keyed[at].0;
                groups.push(Group { start: at, end: at + 1 });
            }
        }
    }
    if mixed {
        // Two ids with one hash: once in 10¹³ tables of a thousand rows, and then by their texts.
        keyed.sort_unstable_by(|a, b| (ids.get(a.1 as usize), a.1).cmp(&(ids.get(b.1 as usize), b.1)));
        groups.clear();
        for at in 0..keyed.len() {
            let id = |at: usize| ids.get(keyed[at].1 as usize);
            match groups.last_mut() {
                Some(last) if id(last.start) == id(at) => last.end = at + 1,
                _ => groups.push(Group { start: at, end: at + 1 }),
            }
        }
    }
    rows.iter_mut().zip(&keyed).for_each(|(row, (_, sorted))| *row = *sorted);
    groups
}

impl Column {
    /// The values of units, each from its rows.
    fn of_units(&self, units: &[&[u32]], request: &OutcomesRequest) -> Outcome {
        let rule = match (request.repeated, self.kind) {
            (Repeated::Auto, Kind::Share) => Repeated::Max,
            (Repeated::Auto, Kind::Mean) => Repeated::Mean,
            (Repeated::Auto, Kind::Ratio) => Repeated::Sum,
            (rule, _) => rule,
        };
        let one = |values: &[f64], rule| {
            units.par_iter().map(|rows| values::made_one(values, rows, rule)).collect::<Vec<f64>>()
        };
        let mut y = one(&self.y, rule);
        let x = self.x.as_ref().map(|x| one(x, rule));
        if request.missing_is_zero {
            y.iter_mut().filter(|y| y.is_nan()).for_each(|y| *y = 0.0);
        }
        let pre = self.pre.as_ref().map(|(name, pre)| (name.clone(), one(pre, Repeated::Mean)));
        let outcome = Outcome::new(self.name.clone(), request.goal, y);
        let kind = if x.is_some() { Kind::Ratio } else { outcome.kind };
        Outcome { kind, x, pre, ..outcome }
    }
}
