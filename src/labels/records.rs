//! Records of the CSV files that mlloop writes itself: every column is known by name.

use super::LabelError;
use std::io;

/// Calls `take` with the line number and the cells of each record, in the order of `columns`, the first `required` of
/// which must be in the header.
pub(super) fn each_record<const N: usize>(
    file: &str,
    from: impl io::Read,
    columns: &[&str; N],
    required: usize,
    mut take: impl FnMut(u64, [&str; N]) -> Result<(), LabelError>,
) -> Result<(), LabelError> {
    let wrong = |what: String| LabelError::File { file: file.to_owned(), what };
    let mut reader = csv::ReaderBuilder::new().from_reader(from);
    let header = reader.headers().map_err(|err| wrong(record_error(&err)))?.clone();
    if let Some(other) = header.iter().find(|name| !columns.contains(name)) {
        return Err(wrong(format!("unknown column {other:?}; the columns are {}", columns.join(", "))));
    }
    let places = columns.map(|column| header.iter().position(|name| name == column));
    if let Some(missing) = (0..required).find(|&column| places[column].is_none()) {
        return Err(wrong(format!("column {:?} is missing; the columns are {}", columns[missing], columns.join(", "))));
    }
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|err| wrong(record_error(&err)))? {
        let line = record.position().map_or(0, csv::Position::line);
        take(line, places.map(|place| place.and_then(|p| record.get(p)).unwrap_or_default()))?;
    }
    Ok(())
}

/// The CSV reader's error, as a clause with its line.
fn record_error(err: &csv::Error) -> String {
    let line = err.position().map_or(1, csv::Position::line);
    match err.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("line {line}: {len} fields, but the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => format!("line {line}: is not UTF-8"),
        _ => err.to_string(),
    }
}
