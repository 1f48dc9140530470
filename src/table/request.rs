//! Reads single cells, for requests that name their cells instead of sending a file.

use super::cell::Markers;
use super::level::{LevelFinder, truth};
use super::number::NumberFormat;
use super::schema::{ColumnSpec, Dialect, Kind};
use super::time::{TimeFormat, is_no_time};
use std::sync::Arc;

/// A valid cell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell<'t> {
    /// Missing.
    Missing,
    /// A finite number.
    Number(f64),
    /// A level of a category, or a text.
    Level(&'t str),
    /// Microseconds since 1970 UTC.
    Time(i64),
}

/// Interprets the cells of one column, as in a file with the same schema.
#[derive(Debug, Clone)]
pub struct CellReader {
    reads: Reads,
    markers: Markers,
    /// Numbers that mean "missing".
    missing_numbers: Vec<f64>,
}

#[derive(Debug, Clone)]
enum Reads {
    Number,
    /// Numbers that are 0 or 1, which may be written as words.
    Flag,
    Written(NumberFormat),
    /// With the finder of levels by their spellings, if levels are known.
    Level(Option<Arc<LevelFinder>>),
    Time(TimeFormat),
}

impl CellReader {
    /// A reader for the cells of `column`; a time without a format is ISO 8601.
    ///
    /// # Errors
    /// A sentence if the column's format is invalid.
    pub fn new(column: &ColumnSpec, dialect: &Dialect) -> Result<Self, String> {
        let reads = match column.kind {
            Kind::Number if column.is_flag() => Reads::Flag,
            Kind::Number => match &column.number {
                None => Reads::Number,
                Some(format) => {
                    format.check()?;
                    Reads::Written(format.clone())
                }
            },
            Kind::Time => Reads::Time(TimeFormat::new(column.format.as_deref().unwrap_or("iso"))?),
            Kind::Category | Kind::Constant => Reads::Level(column.spelling.finder().cloned()),
            Kind::Id | Kind::Text | Kind::Ignore => Reads::Level(None),
        };
        let markers = Markers::new(&dialect.missing);
        let missing_numbers =
            dialect.missing.iter().filter_map(|marker| super::cell::number(marker.trim().as_bytes())).collect();
        Ok(Self { reads, markers, missing_numbers })
    }

    /// The cell for a text, trimmed, with the same meaning as in a file; `None` if it does not fit the column.
    #[must_use]
    pub fn text<'t>(&'t self, text: &'t str) -> Option<Cell<'t>> {
        let text = text.trim_matches([' ', '\t', '\r']);
        let declared = matches!(&self.reads, Reads::Level(Some(finder)) if finder.has_name(text));
        if self.markers.is_missing(text.as_bytes()) && !declared {
            return Some(Cell::Missing);
        }
        match &self.reads {
            Reads::Number => {
                let grouped = || NumberFormat::plain_in_groups(text);
                super::cell::number(text.as_bytes()).or_else(grouped).map(Cell::Number)
            }
            Reads::Flag => {
                let said = || truth(text).map(f64::from);
                super::cell::number(text.as_bytes()).or_else(said).map(Cell::Number)
            }
            Reads::Written(format) => format.parse(text).map(Cell::Number),
            Reads::Level(None) => Some(Cell::Level(text)),
            Reads::Level(Some(finder)) => Some(Cell::Level(finder.name(text))),
            Reads::Time(_) if is_no_time(text) => Some(Cell::Missing),
            Reads::Time(format) => format.parse(text).map(Cell::Time),
        }
    }

    /// The cell for a finite number, whatever the notation of the column; `None` if the column has texts, so that the
    /// number's text decides.
    #[must_use]
    pub fn number(&self, value: f64) -> Option<Cell<'static>> {
        let is_number = matches!(self.reads, Reads::Number | Reads::Flag | Reads::Written(_)) && value.is_finite();
        let cell = if self.missing_numbers.contains(&value) { Cell::Missing } else { Cell::Number(value) };
        is_number.then_some(cell)
    }

    /// Whether cells are times.
    #[must_use]
    pub fn is_time(&self) -> bool {
        matches!(self.reads, Reads::Time(_))
    }

    /// The expected content of a cell: `a number`, `a time written like %d/%m/%Y`, `a text`.
    #[must_use]
    pub fn expected(&self) -> String {
        match &self.reads {
            Reads::Number | Reads::Flag => "a number".to_owned(),
            Reads::Written(format) => format.expected(),
            Reads::Level(_) => "a text".to_owned(),
            Reads::Time(format) => format.expected(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(kind: Kind, format: Option<&str>) -> CellReader {
        let column = ColumnSpec { format: format.map(str::to_owned), ..ColumnSpec::new("c", kind) };
        let missing = ["?".to_owned(), "-999".to_owned()].to_vec();
        CellReader::new(&column, &Dialect { missing, ..Dialect::default() }).unwrap()
    }

    #[test]
    fn texts_mean_what_they_mean_in_a_file() {
        let number = reader(Kind::Number, None);
        assert_eq!(number.text(" 1e3 "), Some(Cell::Number(1000.0)));
        assert_eq!(number.text("?"), Some(Cell::Missing));
        assert_eq!(number.text(""), Some(Cell::Missing));
        for wrong in ["12,50", "NaN", "0x1f"] {
            assert_eq!(number.text(wrong), None, "{wrong}");
        }
        assert_eq!(reader(Kind::Category, None).text(" two years\t"), Some(Cell::Level("two years")));
        let time = reader(Kind::Time, Some("%d/%m/%Y"));
        assert_eq!(time.text("02/01/1970"), Some(Cell::Time(86_400_000_000)));
        assert_eq!(
            (time.text("1970-01-02"), time.expected()),
            (None, "a time written like 31/12/2025 (%d/%m/%Y)".to_owned())
        );
    }

    #[test]
    fn numbers_are_markers_too() {
        let number = reader(Kind::Number, None);
        assert_eq!(number.number(-999.0), Some(Cell::Missing));
        assert_eq!(number.number(-998.0), Some(Cell::Number(-998.0)));
        assert_eq!(number.number(f64::INFINITY), None);
        assert_eq!(reader(Kind::Category, None).number(3.0), None);
    }
}
