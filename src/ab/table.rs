//! Any table as an experiment: the caller names the columns, and rows are combined into units.

use super::AbError;
use super::arms::Arms;
use super::limits;
use super::quantile;
use super::remarks;
use super::report::Source;
use super::request::{OutcomesRequest, Repeated};
use super::units::{Kind, Outcome, Stratum, Units, When};
use super::values::{self, Column};
use crate::stats::random::hash64;
use crate::table::{
    self, Doubt, Finding, InferOptions, Inference, MISSING_CODE, Rejects, Spool, Table, TableOptions, Texts, Values,
    Why, has_word, infer_fitting, names_key,
};
use rayon::prelude::*;

/// Units, and the findings made while reading.
#[derive(Debug)]
pub struct Gathered {
    /// The units.
    pub units: Units,
    /// The files or rows that were read.
    pub source: Source,
    /// Rows that were rejected.
    pub rejects: Rejects,
    /// Notes for the user.
    pub notes: Vec<String>,
}

/// Reads a table and combines its rows into units.
///
/// # Errors
/// If the table or the request is invalid, with column and value.
pub fn gather(request: &OutcomesRequest) -> Result<Gathered, AbError> {
    let table = Spool::new(request.table)?;
    let read = table.open()?;
    let file = read.name().to_owned();
    let TableOptions { delimiter, decimal, skip_lines, comment, skip_invalid } = request.read;
    let options = InferOptions { delimiter, decimal, skip_lines, comment, skip_invalid, ..InferOptions::default() };
    let inference = infer_fitting(|| table.open(), options)?;
    refuse_doubts(request, &inference.doubts, &file)?;
    let gathered = || {
        let wanted = values::Wanted::new(request, &inference.schema)?;
        let read = wanted.read(read, skip_invalid)?;
        let mut notes = Vec::new();
        let arms = Arms::of(&read.table, request, &mut notes)?;
        let rows = Rows { file: &file, table: &read.table, request, arms, repeats: repeats(&inference) };
        let (units, source) = rows.units(&mut notes)?;
        Ok(Gathered { units, source, rejects: read.rejects, notes })
    };
    gathered().map_err(|err: AbError| err.in_file(&file))
}

/// A column of numbers in which a few cells are not numeric is an error.
fn refuse_doubts(request: &OutcomesRequest, doubts: &[Doubt], file: &str) -> Result<(), AbError> {
    let outcomes =
        request.outcomes.iter().flat_map(|outcome| std::iter::once(outcome.as_str()).chain(outcome.split('/')));
    let mut numbers = outcomes.chain(request.pre).chain(request.n);
    let doubt = numbers.find_map(|name| doubts.iter().find(|doubt| doubt.column == name));
    doubt.map_or(Ok(()), |doubt| {
        let way_out = match doubt.why {
            Why::Ambiguous => doubt.ways_out(),
            Why::Mixed | Why::Nearly | Why::Nameless => {
                "correct these cells, or leave such rows out with --skip-invalid".to_owned()
            }
        };
        Err(AbError::Usage(format!("{file}: {doubt}: {way_out}")))
    })
}

/// A column that repeats unit ids, if there is one.
fn repeats(inference: &Inference) -> Option<(String, u64)> {
    /// Minimum number of values for a column to identify units instead of groups. Up to this number values are counted
    /// exactly; beyond, the estimate for an id with one value per row may be lower.
    const MANY: u64 = 20;
    const EXACT: u64 = 10_000;
    let is_key = |name: &str| names_key(name) || has_word(name, &["id", "uuid", "guid"]);
    let repeats = |column: &Finding| {
        let is_sure = column.kind != table::Kind::Id || column.n_distinct <= EXACT;
        is_sure && column.n_distinct > MANY && column.n_distinct + column.n_missing < inference.n_rows
    };
    let key = inference.columns.iter().find(|column| is_key(&column.name) && repeats(column))?;
    Some((key.name.clone(), key.n_distinct))
}

struct Rows<'a> {
    file: &'a str,
    table: &'a Table,
    request: &'a OutcomesRequest<'a>,
    arms: Arms,
    /// A column named like a unit id, and its number of distinct values, if smaller than the number of rows.
    repeats: Option<(String, u64)>,
}

/// With more strata, each would have too few units.
const MAX_STRATA: usize = 200;

/// Rows of one unit.
struct Group {
    /// Index of its first row in row order.
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
        let mixed = self.take_mixed(&rows, &mut groups);
        let n_repeated = groups.iter().filter(|group| group.end - group.start > 1).count() as u64;
        let when = self.when(&rows, &mut groups)?;
        let firsts: Vec<usize> = groups.iter().map(|group| rows[group.start] as usize).collect();
        let mut outcomes = Vec::new();
        let arm: Vec<u16> = firsts.iter().map(|&row| self.arms.of_row[row] as u16).collect();
        let parts: Vec<&[u32]> = groups.iter().map(|g| &rows[g.start..g.end]).collect();
        for column in &columns {
            let outcome = column.silenced(column.of_units(&parts, self.request));
            outcomes.push(match self.prepared(column, outcome.clone(), &arm, notes) {
                // A problem with one outcome does not affect the others.
                Err(AbError::Usage(why)) if columns.len() > 1 => limits::silenced(outcome, why),
                prepared => prepared?,
            });
        }
        let (stratum, n_strata) = self.strata(&firsts, notes)?;
        notes.extend(self.about_strata(&parts)?);
        let mut units = Units {
            arms: self.arms.names.clone(),
            strata: vec![Stratum { shares: self.arms.shares.clone() }; n_strata],
            arm,
            stratum,
            at: when,
            outcomes,
        };
        if let Some(n) = self.request.n {
            units = values::spread(units, &self.table.require(n)?.values, &firsts, n, notes)?;
        }
        let source = Source {
            name: self.file.to_owned(),
            n_rows: n_rows as u64,
            unit: self.request.unit.map(str::to_owned),
            n_units: units.n() as u64,
            n_in_two_arms: mixed.len() as u64,
            n_repeated,
            n_without_arm,
            digest: None,
        };
        notes.extend(self.about_mixed(&mixed, units.n()));
        self.remarks(&units, &source, notes);
        Ok((units, source))
    }

    /// An outcome by unit, capped if requested, and as influence values if it is a quantile.
    fn prepared(
        &self,
        column: &Column,
        outcome: Outcome,
        arm: &[u16],
        notes: &mut Vec<String>,
    ) -> Result<Outcome, AbError> {
        let outcome = match self.request.cap {
            Some(cap) => limits::capped(outcome, cap, notes)?,
            None => outcome,
        };
        match column.quantile {
            Some(_) if self.request.strata.is_some() => Err(AbError::Usage(format!(
                "--strata applies to means, shares and ratios; {:?} is a quantile",
                column.name
            ))),
            Some(q) => quantile::of_arms(outcome, arm, self.arms.names.len(), q),
            None => Ok(outcome),
        }
    }

    /// Removes the units that are in more than one arm; returns a row of each.
    fn take_mixed(&self, rows: &[u32], groups: &mut Vec<Group>) -> Vec<usize> {
        let arm_of = |row: u32| self.arms.of_row[row as usize];
        let is_one =
            |group: &Group| rows[group.start..group.end].iter().all(|&row| arm_of(row) == arm_of(rows[group.start]));
        let mixed = groups.iter().filter(|group| !is_one(group)).map(|group| rows[group.start] as usize).collect();
        groups.retain(is_one);
        mixed
    }

    /// A note on the units in more than one arm, in the order of the table.
    fn about_mixed(&self, mixed: &[usize], n_units: usize) -> Option<String> {
        /// Number of units named, and the share above which this column probably does not name the arms.
        const SHOWN: usize = 3;
        const MANY: f64 = 0.01;
        let ids = self.ids().ok().flatten()?;
        let (mut first, n) = (mixed.to_vec(), mixed.len());
        first.sort_unstable();
        let names: Vec<String> = first.iter().take(SHOWN).map(|&row| format!("{:?}", ids.get(row))).collect();
        let more = if n > SHOWN { ", …" } else { "" };
        let share = n as f64 / (n + n_units) as f64;
        let many = match share > MANY {
            true => format!(", {:.1} % of all: does this column name the arms?", 100.0 * share),
            false => String::new(),
        };
        (n > 0)
            .then(|| format!("{n} units are in more than one arm and are left out: {}{more}{many}", names.join(", ")))
    }

    fn columns(&self, notes: &mut Vec<String>) -> Result<Vec<Column>, AbError> {
        let of = |name: &String| {
            let mut column = Column::read(self.table, name, self.request, notes)?;
            column.check(self.file, self.request.read.skip_invalid, notes)?;
            Ok(column)
        };
        self.request.outcomes.iter().map(of).collect()
    }

    /// A note on units whose rows are in more than one stratum.
    fn about_strata(&self, units: &[&[u32]]) -> Result<Option<String>, AbError> {
        let Some(name) = self.request.strata else { return Ok(None) };
        let Values::Category(column) = &self.table.require(name)?.values else { return Ok(None) };
        let is_one =
            |rows: &&&[u32]| rows.iter().all(|&row| column.codes[row as usize] == column.codes[rows[0] as usize]);
        let n = units.len() - units.iter().filter(is_one).count();
        Ok((n > 0).then(|| {
            format!(
                "{n} units have rows in more than one stratum of {name:?} and are counted in that of their first row; a \
                 stratum must be known before the assignment, or arms are compared within groups that they changed"
            )
        }))
    }

    /// The stratum of each unit by its first row, and the number of strata; missing values are a separate level.
    fn strata(&self, firsts: &[usize], notes: &mut Vec<String>) -> Result<(Vec<u16>, usize), AbError> {
        let Some(name) = self.request.strata else { return Ok((vec![0; firsts.len()], 1)) };
        let Values::Category(column) = &self.table.require(name)?.values else {
            return Err(AbError::Usage(format!("--strata: column {name:?} contains no levels")));
        };
        let mut levels: Vec<u32> = firsts.iter().map(|&row| column.codes[row]).collect();
        levels.sort_unstable();
        levels.dedup();
        if levels.len() > MAX_STRATA {
            return Err(AbError::Usage(format!(
                "--strata: column {name:?} has {} levels; at most {MAX_STRATA} are allowed",
                levels.len()
            )));
        }
        notes.push(format!(
            "arms are compared within the {} levels of {name:?}, each weighted by its units",
            levels.len()
        ));
        let place = |row: &usize| levels.partition_point(|level| *level < column.codes[*row]) as u16;
        Ok((firsts.iter().map(place).collect(), levels.len().max(1)))
    }

    fn ids(&self) -> Result<Option<&Texts>, AbError> {
        let Some(unit) = self.request.unit else { return Ok(None) };
        match &self.table.require(unit)?.values {
            Values::Text(ids) => Ok(Some(ids)),
            _ => Err(AbError::Usage(format!("column {unit:?} contains no ids"))),
        }
    }

    /// Sorts the groups by time, if there is one; otherwise they stay in the order of the table.
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
            _ => Err(AbError::Usage(format!("--time: column {time:?} contains no times"))),
        }
    }

    fn remarks(&self, units: &Units, source: &Source, notes: &mut Vec<String>) {
        let mut told = |n: u64, text: &str| {
            if n > 0 {
                notes.push(format!("{n} {text}"));
            }
        };
        told(source.n_without_arm, "rows without an arm of the comparison or without a unit are left out");
        told(source.n_repeated, "units have several rows, which were combined into one");
        if self.request.unit.is_none() && self.request.n.is_none() {
            notes.push(match &self.repeats {
                Some((column, n)) => format!(
                    "every row counts as a unit, although {column:?} has {n} values in {} rows: --unit {column} combines \
                     the rows of one unit",
                    source.n_rows
                ),
                None => "every row counts as a unit; --unit COLUMN combines the rows of one unit".to_owned(),
            });
        }
        if self.request.time.is_none() && self.request.n.is_none() {
            notes.push(
                "the effect over time follows the order of the table; --time COLUMN gives another order".to_owned(),
            );
        }
        units.outcomes.iter().for_each(|outcome| notes.extend(remarks::of(units, outcome)));
    }
}

/// Sorts rows so that those of one id are adjacent, each in table order, and returns where each id begins.
fn grouped(rows: &mut [u32], ids: &Texts) -> Vec<Group> {
    let mut keyed: Vec<(u64, u32)> =
        rows.par_iter().map(|&row| (hash64(ids.get(row as usize).as_bytes(), 0), row)).collect();
    keyed.par_sort_unstable();
    if keyed.windows(2).all(|pair| pair[0].0 != pair[1].0) {
        // No id repeats: the table order is kept, and memory is read sequentially.
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
        // If two ids have the same hash, which happens once in 10¹³ tables of a thousand rows, sort by text.
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
    /// The values of units, combined from their rows.
    fn of_units(&self, units: &[&[u32]], request: &OutcomesRequest) -> Outcome {
        let rule = match (request.repeated, self.kind) {
            (Repeated::Auto, Kind::Share) => Repeated::Max,
            (Repeated::Auto, Kind::Mean | Kind::Quantile) => Repeated::Mean,
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
        match self.kind {
            Kind::Ratio | Kind::Quantile => Outcome { kind: self.kind, x, pre, bounds: None, ..outcome },
            _ => Outcome { x, pre, ..outcome },
        }
    }
}
