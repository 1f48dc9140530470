//! Determines the kind of every column once, from the whole file, with reasons.

mod asked;
mod decide;
mod doubt;
mod forms;
mod head;
mod levels;
mod names;
mod remarks;
mod rows;
mod shapes;
mod target;
#[cfg(test)]
mod tests;

pub use doubt::{Doubt, Why};
pub use head::{Head, Settled, infer_head, stays_category};
pub(crate) use names::{ID_WORDS, has_word, names_key};
pub use target::TargetGuess;

use std::collections::HashMap;
use std::ops::ControlFlow;

use rayon::prelude::*;

use self::decide::{Beside, Decision};
use self::levels::{list_totals, name_levels, none_is_a_class};
use crate::table::cell::Markers;
use crate::table::csv::block::Sizes;
use crate::table::csv::scan::{self, Scan, field_evidence};
use crate::table::evidence::{Evidence, Total, Written};
use crate::table::input::{Text, Unpacked};
use crate::table::json::JsonLines;
use crate::table::record::nameless;
use crate::table::words::mean_words;
use crate::table::{
    ColumnSpec, DEFAULT_MISSING, Dialect, InferOptions, Input, Kind, NumberFormat, Rejects, Schema, TableError,
};
use crate::wording::list;

/// The result for a table.
#[derive(Debug)]
pub struct Inference {
    /// How to read it from now on.
    pub schema: Schema,
    /// One finding per column of the schema, in its order.
    pub columns: Vec<Finding>,
    /// Rows of the table.
    pub n_rows: u64,
    /// The column to predict: the requested one, or a guess.
    pub target: Option<TargetGuess>,
    /// A column whose name says that it is the target but which has only one value; set if no other column is a better
    /// target.
    pub one_class: Option<OneClass>,
    /// Rejected records; empty unless `skip_invalid` was set.
    pub rejects: Rejects,
    /// Columns that are almost another kind; the user should decide.
    pub doubts: Vec<Doubt>,
    /// Columns that got the kind of most of their cells, because rows with other cells are skipped.
    pub taken: Vec<ColumnSpec>,
    /// Remarks about the file as a whole: no header, equal columns.
    pub notes: Vec<String>,
}

/// A target with only one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneClass {
    /// The column.
    pub name: String,
    /// Its only value; empty if all cells are missing.
    pub value: String,
    /// The number of missing cells and how they are written, if there are any.
    pub missing: String,
}

/// What was decided about one column.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// The column's name.
    pub name: String,
    /// The column's kind.
    pub kind: Kind,
    /// The reason, in one line.
    pub reason: String,
    /// Missing cells.
    pub n_missing: u64,
    /// Distinct values that are not missing; within a few percent beyond some thousands.
    pub n_distinct: u64,
    /// Whether it counts the rows: each number is the previous one plus one.
    pub counts_rows: bool,
    /// The notation of its cells as ids, if they are whole numbers.
    pub whole_ids: Option<NumberFormat>,
    /// Mean number of words per cell, over the first distinct cells.
    pub mean_words: f64,
    /// The notation of its cells if the user declares them as numbers; `None` if plain.
    pub as_number: Option<NumberFormat>,
    /// The format of its cells if the user declares them as times.
    pub as_time: Option<String>,
}

/// Reads the whole table once and decides the kind of each column.
///
/// # Errors
/// An unreadable file, a record with a different number of fields or one that looks truncated (unless `skip_invalid`),
/// a table without rows, and an unknown target column.
pub fn infer(input: Input, options: &InferOptions) -> Result<Inference, TableError> {
    let name = input.name().to_owned();
    let missing = options.missing.clone().unwrap_or_else(|| DEFAULT_MISSING.map(str::to_owned).to_vec());
    let gathered = match input.unpack()? {
        Unpacked::Text(text) => {
            gather(&name, text, options, missing, Extent::Whole).map_err(|err| err.in_file(&name))?
        }
        Unpacked::Json(text) => {
            let text = JsonLines::read(&name, text.reader)?.into_text(None);
            gather(&name, text, &options.of_json(), missing, Extent::Whole).map_err(|err| err.in_file(&name))?
        }
        Unpacked::Records(text) => {
            gather(&name, text, &options.of_json(), missing, Extent::Whole).map_err(|err| err.in_file(&name))?
        }
        #[cfg(feature = "parquet")]
        Unpacked::Parquet(file) => {
            use crate::table::parquet;
            let found = parquet::infer::scan(&name, file, &Markers::new(&missing), options.progress.as_ref())?;
            let parquet::infer::Scanned { names, seen, n_rows, notes } = found;
            let dialect = Dialect { missing, ..Dialect::default() };
            Gathered { dialect, names, seen, n_rows, rejects: Rejects::default(), notes, whole: true }
        }
    };
    let mut inference = conclude(&name, &gathered, options).map_err(|err| err.in_file(&name))?;
    name_levels(&mut inference, &gathered.seen);
    none_is_a_class(&mut inference, &gathered.seen);
    list_totals(&mut inference, &gathered.seen, options.levels.as_deref().unwrap_or_default());
    inference.rejects = gathered.rejects;
    Ok(inference)
}

/// The same, but skips rows that do not fit. The cells of skipped rows must not become levels of other columns, so a
/// table with such rows is read a second time without them.
///
/// # Errors
/// As [`infer`](fn@infer).
pub fn infer_fitting(
    open: impl Fn() -> Result<Input, TableError>,
    options: InferOptions,
) -> Result<Inference, TableError> {
    let first = infer(open()?, &options)?;
    if first.taken.is_empty() {
        return Ok(first);
    }
    let fitting = options.fitting.iter().cloned().chain(first.taken).collect();
    infer(open()?, &InferOptions { fitting, ..options })
}

/// The evidence of all columns.
struct Gathered {
    dialect: Dialect,
    names: Vec<String>,
    seen: Vec<Evidence>,
    n_rows: u64,
    rejects: Rejects,
    notes: Vec<String>,
    /// Whether the file was read to its end.
    whole: bool,
}

/// How much of a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Whole,
    /// Some hundreds of records.
    Head,
}

fn gather(
    name: &str,
    text: Text,
    options: &InferOptions,
    missing: Vec<String>,
    extent: Extent,
) -> Result<Gathered, TableError> {
    let markers = Markers::new(&missing);
    let sizes = match extent {
        Extent::Whole => Sizes::default(),
        Extent::Head => head::SIZES,
    };
    let mut scan = Scan::open(name, text, options, sizes)?;
    let mut seen = vec![Evidence::default(); scan.names().len()];
    let mut n_rows = 0;
    let (rejects, whole) = scan.run(
        options.skip_invalid,
        options.progress.as_ref(),
        |index| piece_evidence(index, &markers),
        |pieces| {
            n_rows += pieces.iter().filter_map(|p| p.first()).map(|e| e.n).sum::<u64>();
            let mut columns: Vec<Vec<Evidence>> = seen.iter().map(|_| Vec::with_capacity(pieces.len())).collect();
            for piece in pieces {
                columns.iter_mut().zip(piece).for_each(|(column, evidence)| column.push(evidence));
            }
            seen.par_iter_mut().zip(columns).for_each(|(all, parts)| parts.into_iter().for_each(|p| all.merge(p)));
            if extent == Extent::Head { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        },
    )?;
    let Scan { delimiter, header, mut names, mut notes, .. } = scan;
    // Spreadsheets also save a column that has become empty: it has no fixed position in the next file.
    for place in (0..names.len()).rev() {
        let is_empty = header && names[place] == nameless(place) && seen[place].n == seen[place].missing;
        if is_empty && names.len() > 1 {
            notes.push(format!("field {} has neither a name nor a value in any row: left out", place + 1));
            names.remove(place);
            seen.remove(place);
        }
    }
    let dialect = Dialect {
        delimiter: char::from(delimiter),
        header,
        missing,
        skip_lines: options.skip_lines.unwrap_or(0),
        comment: options.comment,
    };
    Ok(Gathered { dialect, names, seen, n_rows, rejects, notes, whole })
}

/// The evidence of each column in one piece.
fn piece_evidence(index: &scan::Piece<'_>, markers: &Markers) -> Vec<Evidence> {
    let mut scratch = String::new();
    (0..index.n_fields).map(|field| field_evidence(index, field, markers, &mut scratch)).collect()
}

fn conclude(file: &str, gathered: &Gathered, options: &InferOptions) -> Result<Inference, TableError> {
    let Gathered { dialect, names, seen, n_rows, notes, .. } = gathered;
    let mut notes = notes.clone();
    if *n_rows == 0 {
        return Err(TableError::File { file: file.to_owned(), what: "has a header but no rows".to_owned() });
    }
    refuse_total(file, names, seen, gathered)?;
    if let Some(target) = options.target.as_ref().filter(|t| !names.contains(t)) {
        return Err(TableError::NoColumn { column: target.clone(), have: names.clone() });
    }
    let decimal = options.decimal.or_else(|| shared_decimal(seen));
    let semicolons = dialect.delimiter == ';';
    let thousands = shared_thousands(seen, decimal, semicolons);
    let beside = Beside { numbers_vary: options.numbers_vary, decimal, thousands, semicolons };
    let decide = |(name, seen): (&String, &Evidence)| decide::decide(name, seen, beside);
    let mut decisions: Vec<Decision> = names.iter().zip(seen).map(decide).collect();
    let (mut doubts, mut taken) = (Vec::new(), Vec::new());
    for ((name, seen), decision) in names.iter().zip(seen).zip(&mut decisions) {
        let Some(doubt) = doubt::of(name, seen, decision, beside) else { continue };
        if options.skip_invalid && doubt.take(decision) {
            taken.push(decision.spec(name));
            continue;
        }
        doubts.push(doubt);
    }
    doubts.extend(doubt::nameless(names, seen, &decisions));
    let columns = names.iter().zip(&decisions).map(|(name, d)| d.spec(name)).collect();
    let mut schema = Schema { dialect: dialect.clone(), columns };
    let target = match &options.target {
        Some(name) => Some(TargetGuess { name: name.clone(), reason: "as requested".to_owned() }),
        None => target::guess(&schema.columns, seen),
    };
    let outright = target.as_ref().and_then(|t| schema.column(&t.name)).is_some_and(target::is_outright);
    let one_class = match target::with_one_class(&schema.columns, seen) {
        Some(idx) if options.target.is_none() && !outright => {
            let value = if seen[idx].present() == 0 { "" } else { seen[idx].levels.get(0) };
            let missing = match seen[idx].missing {
                0 => String::new(),
                _ => decide::missing(&seen[idx], Kind::Category),
            };
            Some(OneClass { name: names[idx].clone(), value: value.to_owned(), missing })
        }
        _ => None,
    };
    if let Some(idx) = target.as_ref().and_then(|t| names.iter().position(|n| *n == t.name)) {
        usable_as_target(&mut decisions[idx], &seen[idx]);
        schema.columns[idx] = decisions[idx].spec(&names[idx]);
    }
    notes.extend(equal_columns(names, seen));
    notes.extend(rows::of(names, seen, &decisions, gathered.whole));
    notes.extend(remarks::of(names, seen, &decisions, target.as_ref().map(|target| target.name.as_str())));
    let columns =
        names.iter().zip(decisions).zip(seen).map(|((name, decision), e)| finding(name, decision, e, beside)).collect();
    let (n_rows, rejects) = (*n_rows, Rejects::default());
    Ok(Inference { schema, columns, n_rows, target, one_class, rejects, doubts, taken, notes })
}

fn finding(name: &str, decision: Decision, seen: &Evidence, beside: Beside) -> Finding {
    let distinct = seen.distinct.count();
    Finding {
        name: name.to_owned(),
        kind: decision.kind,
        n_missing: decide::missing_in(seen, decision.kind),
        n_distinct: match decision.kind {
            Kind::Time => distinct.saturating_sub(seen.times.none().1.len() as u64),
            _ => distinct,
        },
        counts_rows: seen.values(decision.number.as_ref()).counts().is_some(),
        whole_ids: decide::whole_ids(seen, &decision),
        mean_words: mean_words(seen.levels.iter()),
        as_number: asked::as_number(seen, beside),
        as_time: asked::as_time(seen),
        reason: decision.reason,
    }
}

/// A last or first row that is the sum of all others is not data, whatever its label.
fn refuse_total(file: &str, names: &[String], seen: &[Evidence], gathered: &Gathered) -> Result<(), TableError> {
    for (end, row) in [
        (Total::Last, "last row is the sum of all rows above"),
        (
            Total::First,
            "first row is the sum of all rows \
                                                                                 below",
        ),
    ] {
        let is_total = |(_, seen): &(&String, &Evidence)| seen.has_total(end);
        let totals: Vec<&str> = names.iter().zip(seen).filter(is_total).map(|(name, _)| name.as_str()).collect();
        if !totals.is_empty() && gathered.whole {
            let what = format!("the {row}, in {}: it is a total, not a data row; remove it", list(totals));
            return Err(TableError::File { file: file.to_owned(), what });
        }
    }
    Ok(())
}

/// The decimal mark, if the columns that show it agree.
fn shared_decimal(seen: &[Evidence]) -> Option<char> {
    let is_number = |seen: &&Evidence| seen.marks.all_numbers() && seen.long.is_none();
    let mut shown = seen.iter().filter(is_number).filter_map(|seen| seen.marks.decimal());
    let first = shown.next()?;
    shown.all(|other| other == first).then_some(first)
}

/// The thousands separator, if the columns that show it agree.
fn shared_thousands(seen: &[Evidence], decimal: Option<char>, semicolons: bool) -> Option<char> {
    let mut shown = seen.iter().filter_map(|seen| match seen.marks.written(seen.present(), decimal, semicolons) {
        Written::Like(format) => format.thousands,
        _ => None,
    });
    let first = shown.next()?;
    shown.all(|other| other == first).then_some(first)
}

/// A target column that would otherwise be an id or a text becomes a number or a category.
fn usable_as_target(decision: &mut Decision, seen: &Evidence) {
    // Whole numbers that may be classes keep their written form as names.
    let few = seen.plain.n == seen.present() && seen.distinct.count() <= decide::FEW_LEVELS;
    decision.number.take_if(|format| few && format.unit.is_none());
    if matches!(decision.kind, Kind::Id | Kind::Text) {
        let numeric = seen.leading_zero().is_none() && seen.values(decision.number.as_ref()).n == seen.present();
        if decision.kind == Kind::Id {
            decision.number.take_if(|format| format.is_plain());
        }
        decision.kind = if numeric { Kind::Number } else { Kind::Category };
        decision.reason.push_str("; used as the target");
    }
}

/// Columns whose cells are the same in every row.
fn equal_columns(names: &[String], seen: &[Evidence]) -> Vec<String> {
    let mut first: HashMap<u64, &str> = HashMap::new();
    let mut notes = Vec::new();
    for (name, e) in names.iter().zip(seen).filter(|(_, e)| e.distinct.count() > 1) {
        match first.get(&e.fingerprint) {
            Some(other) => notes.push(format!("columns {other} and {name} are equal in every row")),
            None => {
                first.insert(e.fingerprint, name);
            }
        }
    }
    notes
}
