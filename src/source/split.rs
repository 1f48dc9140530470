//! Splits a table into reference and current.
//!
//! ```text
//! hash of the key   0 ── reference ── share ── current ── 1     (a separate hash: see `position`)
//! time of the row   earliest ── reference ──▶ cut ── current ── latest     (rows with equal times stay together)
//! ```
//! Records are copied byte by byte; only the deciding column is parsed.

use super::record::{By, SplitRecord};
use super::{DownloadRequest, SourceError, Split};
use crate::atomic::At;
use crate::atomic::Incoming;
use crate::stats::random::unit_hash;
use crate::table::{
    Batch, Column, ColumnSpec, InferOptions, Inference, Input, Kind, ReadOptions, Schema, Stream, TableOptions, Values,
    infer, stream,
};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// The file for the rows that production is trained on.
pub(super) const REFERENCE: &str = "reference.csv";
/// The file for the other rows.
pub(super) const CURRENT: &str = "current.csv";

impl SplitRecord {
    /// Notes for the user.
    pub(super) fn note(&self) -> Option<String> {
        let (rows, they) =
            if self.left_out == 1 { ("row", "was left out: it does") } else { ("rows", "were left out: they do") };
        (self.left_out > 0).then(|| format!("{} {rows} of {} {they} not fit the schema", self.left_out, self.table))
    }
}

/// The position of a key in `[0, 1)`.
///
/// Rows are split into train, tune and gate by another hash of the same key. With the same hash, the reference would be
/// the first part of that range and have no gate rows. With a separate one, each part has its share of both sides.
fn position(key: &[u8]) -> f64 {
    const ARRIVAL_SEED: u64 = 0x00A1_21BE;
    unit_hash(key, ARRIVAL_SEED)
}

/// The content of the deciding column.
enum Decider {
    Hash { column: Option<String> },
    Time { column: String, number: bool, cut: f64 },
}

/// Splits the table among `names` into the two files.
pub(super) fn split(
    names: &[PathBuf],
    wanted: &Split,
    request: &DownloadRequest,
    incoming: &Incoming,
) -> Result<SplitRecord, SourceError> {
    let name = choose(names, request.table)?;
    if [REFERENCE, CURRENT].iter().any(|made| names.iter().any(|name| name == Path::new(made))) {
        let what = format!(
            "a file is called {REFERENCE} or {CURRENT}, which --split writes: rename it, or unpack it without --split"
        );
        return Err(SourceError::Split(what));
    }
    let table = Table { path: incoming.path(name), name: name.display().to_string() };
    let TableOptions { delimiter, decimal, skip_lines, comment, skip_invalid } = request.read;
    let options = InferOptions { delimiter, decimal, skip_lines, comment, skip_invalid, ..Default::default() };
    let inference = infer(table.input()?, &options)?;
    let (spec, mut decider) = decide(&inference, wanted)?;
    let schema = Schema { dialect: inference.schema.dialect.clone(), columns: vec![spec] };
    let read = ReadOptions { skip_invalid, ..Default::default() };
    let mut left_out = 0;
    if let Decider::Time { column, cut, .. } = &mut decider {
        let mut times = Vec::new();
        for batch in stream(table.input()?, &schema, &read)? {
            times.extend(times_of(&batch?.table.columns()[0]));
        }
        left_out = times.iter().filter(|time| time.is_nan()).count() as u64;
        if left_out > 0 && !skip_invalid {
            let what =
                format!("{}: {left_out} rows have no time in {column:?}; --skip-invalid leaves them out", table.name);
            return Err(SourceError::Split(what));
        }
        *cut = cut_at(times, wanted.share).ok_or_else(|| {
            SourceError::Split(format!("{}: {column:?} has too few distinct values to split at this share", table.name))
        })?;
    }
    let mut rows = stream(table.input()?, &schema, &read)?;
    let (reference, current) = incoming.write(Path::new(REFERENCE), |a| {
        incoming.write(Path::new(CURRENT), |b| write(&mut rows, &decider, wanted.share, a, b))
    })?;
    if reference == 0 || current == 0 {
        return Err(SourceError::Split(format!("{}: one side would have no rows", table.name)));
    }
    left_out += rows.rejects().count;
    let (column, cut) = match decider {
        Decider::Hash { column } => (column, None),
        Decider::Time { column, number, cut } => (Some(column), Some(cut_text(cut, number))),
    };
    Ok(SplitRecord { table: table.name, by: wanted.by, column, share: wanted.share, cut, reference, current, left_out })
}

/// A file with the name that errors use.
struct Table {
    path: PathBuf,
    name: String,
}

impl Table {
    fn input(&self) -> Result<Input, SourceError> {
        let file = File::open(&self.path).at(&self.path)?;
        Ok(Input::from_reader(&self.name, file))
    }
}

fn choose<'a>(names: &'a [PathBuf], wanted: Option<&str>) -> Result<&'a PathBuf, SourceError> {
    const TABLES: [&str; 8] = ["csv", "tsv", "txt", "data", "dat", "parquet", "zst", "tab"];
    let is_table = |name: &&PathBuf| {
        let ending = name.extension().map(|ending| ending.to_string_lossy().to_lowercase());
        names.len() == 1 || ending.is_some_and(|ending| TABLES.contains(&ending.as_str()))
    };
    let found: Vec<&PathBuf> = match wanted {
        Some(wanted) => names
            .iter()
            .filter(|name| **name == Path::new(wanted) || name.file_name() == Some(wanted.as_ref()))
            .collect(),
        None => names.iter().filter(is_table).collect(),
    };
    match (found.as_slice(), wanted) {
        ([one], _) => Ok(one),
        (_, wanted) => {
            let have = names.iter().map(|name| name.display().to_string()).collect::<Vec<_>>().join(", ");
            Err(SourceError::Split(match (wanted, found.len()) {
                (Some(wanted), _) => format!("no single file {wanted:?} to split; the files are {have}"),
                (None, 0) => format!("none of the files is a table that can be split: {have}"),
                (None, _) => format!("there are several tables: choose one with --table ({have})"),
            }))
        }
    }
}

fn decide(inference: &Inference, wanted: &Split) -> Result<(ColumnSpec, Decider), SourceError> {
    let columns = &inference.schema.columns;
    let named = |name: &str| {
        columns.iter().find(|c| c.name == name).ok_or_else(|| {
            let have = columns.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
            SourceError::Split(format!("--by: there is no column {name:?}; the columns are {have}"))
        })
    };
    let as_text = |name: &str| ColumnSpec::new(name, Kind::Text);
    match (wanted.by, &wanted.column) {
        (By::Hash, Some(name)) => {
            let spec = named(name)?;
            // Different spellings of an id denote the same row.
            let read = if spec.kind == Kind::Id { spec.clone() } else { as_text(name) };
            Ok((read, Decider::Hash { column: Some(name.clone()) }))
        }
        (By::Hash, None) => {
            let spec = columns.iter().find(|c| c.kind == Kind::Id);
            let id = spec.map(|spec| spec.name.clone());
            let read = spec.cloned().or_else(|| columns.first().map(|c| as_text(&c.name)));
            let read = read.ok_or_else(|| SourceError::Split("the table has no columns".to_owned()))?;
            Ok((read, Decider::Hash { column: id }))
        }
        (By::Time, name) => {
            let times: Vec<&ColumnSpec> = columns.iter().filter(|c| c.kind == Kind::Time && !c.is_clock()).collect();
            let spec = match (name, times.as_slice()) {
                (Some(name), _) => named(name)?,
                (None, [one]) => one,
                (None, []) => {
                    return Err(SourceError::Split(
                        "no column is a time: name a time or number column with --by".to_owned(),
                    ));
                }
                (None, several) => {
                    let names = several.iter().map(|c| c.name.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(SourceError::Split(format!("several columns are times ({names}): name one with --by")));
                }
            };
            if spec.is_clock() {
                return Err(SourceError::Split(format!(
                    "--by: {:?} is a time of day, which does not order the rows: name a date column",
                    spec.name
                )));
            }
            // An id, or a few whole numbers, would also pass as numbers if all of them are numeric.
            let number = spec.kind != Kind::Time;
            let kind = if number { Kind::Number } else { Kind::Time };
            let read = ColumnSpec { kind, format: spec.format.clone().filter(|_| !number), ..spec.clone() };
            let read = ColumnSpec { number: read.number.clone().filter(|format| !format.is_plain()), ..read };
            Ok((read, Decider::Time { column: spec.name.clone(), number, cut: f64::NAN }))
        }
    }
}

/// The times of a column as numbers with the same order; missing ones are NaN.
fn times_of(column: &Column) -> Vec<f64> {
    match &column.values {
        // Microseconds of some millennia fit into the 53 bits of an f64.
        Values::Time(times) => (0..times.len())
            .map(|row| if column.values.is_missing(row) { f64::NAN } else { times[row] as f64 })
            .collect(),
        Values::Number(numbers) => numbers.clone(),
        _ => Vec::new(),
    }
}

/// The first time of the current rows, such that about `share` of the rows are earlier.
fn cut_at(mut times: Vec<f64>, share: f64) -> Option<f64> {
    times.retain(|time| !time.is_nan());
    times.sort_unstable_by(f64::total_cmp);
    let cut = *times.get((share * times.len() as f64).round() as usize)?;
    (times.first() < Some(&cut)).then_some(cut)
}

fn cut_text(cut: f64, number: bool) -> String {
    match jiff::Timestamp::from_microsecond(cut as i64) {
        Ok(at) if !number => at.to_string(),
        _ => cut.to_string(),
    }
}

/// Writes every record to its side; returns the number of rows on each.
fn write(
    rows: &mut Stream,
    decider: &Decider,
    share: f64,
    reference: &mut dyn Write,
    current: &mut dyn Write,
) -> Result<(u64, u64), SourceError> {
    // Both parts are written like the table, with the same byte order mark and line ends, because the same spreadsheet
    // opens them.
    let (ends, delimiter) = (rows.ends(), rows.delimiter());
    let header = rows.header().map(|header| [header, b"\n"].concat()).unwrap_or_default();
    let begin = [ends.begin(), &ends.records(header, delimiter)].concat();
    reference.write_all(&begin)?;
    current.write_all(&begin)?;
    let mut n = [0_u64; 2];
    for batch in rows {
        let batch = batch?;
        let mut records = [Vec::new(), Vec::new()];
        for (row, side) in sides(&batch, decider, share).into_iter().enumerate() {
            let Some(is_reference) = side else { continue };
            let side = usize::from(!is_reference);
            records[side].extend_from_slice(batch.raw.get(row));
            records[side].push(b'\n');
            n[side] += 1;
        }
        let [first, second] = records.map(|records| ends.records(records, delimiter));
        reference.write_all(&first)?;
        current.write_all(&second)?;
    }
    Ok((n[0], n[1]))
}

/// Whether each row belongs to the reference; `None` for skipped rows.
fn sides(batch: &Batch, decider: &Decider, share: f64) -> Vec<Option<bool>> {
    let column = &batch.table.columns()[0];
    match (decider, &column.values) {
        (Decider::Time { cut, .. }, _) => {
            times_of(column).into_iter().map(|time| (!time.is_nan()).then_some(time < *cut)).collect()
        }
        (Decider::Hash { column: Some(_) }, Values::Text(keys)) => {
            keys.iter().map(|key| Some(position(key.as_bytes()) < share)).collect()
        }
        (Decider::Hash { .. }, _) => {
            (0..batch.raw.len()).map(|row| Some(position(batch.raw.get(row)) < share)).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::split::{Part, Shares, hash_position};

    /// A split by the hash used for train, tune and gate would leave the reference without gate rows.
    #[test]
    fn both_sides_have_their_share_of_gate_rows() {
        let shares = Shares { tune: 0.15, gate: 0.2 };
        let (mut gate, mut n) = ([0_u32; 2], [0_u32; 2]);
        for i in 0..50_000_u32 {
            let key = format!("customer-{i}");
            let side = usize::from(position(key.as_bytes()) < 0.7);
            n[side] += 1;
            gate[side] += u32::from(shares.side(hash_position(key.as_bytes())) == Part::Gate);
        }
        assert!((f64::from(n[1]) / 50_000.0 - 0.7).abs() < 0.01, "{n:?}");
        for side in 0..2 {
            let share = f64::from(gate[side]) / f64::from(n[side]);
            assert!((share - 0.2).abs() < 0.01, "{share}");
        }
    }

    #[test]
    fn the_cut_keeps_a_moment_together() {
        assert_eq!(cut_at(vec![1.0, 2.0, 3.0, 4.0, 5.0], 0.6), Some(4.0));
        assert_eq!(cut_at(vec![5.0, 1.0, f64::NAN, 2.0, 2.0, 2.0], 0.6), Some(2.0));
        assert_eq!(cut_at(vec![2.0; 9], 0.5), None);
        assert_eq!(cut_at(vec![], 0.5), None);
        assert_eq!(cut_text(1_767_571_200_000_000.0, false), "2026-01-05T00:00:00Z");
        assert_eq!(cut_text(284.5, true), "284.5");
    }

    #[test]
    fn the_table_of_several_files_is_chosen() {
        let names = ["a.csv", "readme.md", "deep/b.csv"].map(PathBuf::from);
        assert!(choose(&names, None).unwrap_err().to_string().contains("several tables"));
        assert_eq!(choose(&names, Some("b.csv")).unwrap(), &names[2]);
        assert_eq!(choose(&names[..2], None).unwrap(), &names[0]);
        assert_eq!(choose(&names[1..2], None).unwrap(), &names[1]);
        assert!(choose(&names, Some("c.csv")).unwrap_err().to_string().contains("the files are a.csv"));
    }
}
