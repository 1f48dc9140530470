//! Levels unseen in training: in a few rows they are drift; in most rows the column is probably written differently.
//! The same holds for fractions where training had whole numbers, and for numbers of another magnitude.

use super::{Encoder, FeatureError, Features, NumberEncoder};
use crate::table::{Categories, Table, Values};
use crate::wording::Plain;

/// A column with levels that training did not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnseenColumn {
    /// Its name.
    pub column: String,
    /// Rows with such a level.
    pub n_rows: u64,
    /// The first of these levels.
    pub levels: Vec<String>,
}

/// A column of whole numbers in which there are fractions.
#[derive(Debug, Clone)]
struct Fractions {
    column: String,
    n_rows: u64,
    first: f64,
}

/// Counts rows with levels that training did not have.
#[derive(Debug, Clone, Default)]
pub struct Unseen {
    columns: Vec<UnseenColumn>,
    fractions: Vec<Fractions>,
    /// Rows with an infinite number, by column.
    infinite: Vec<(String, u64)>,
    /// The first numbers of each column, by the index of its encoder.
    firsts: Vec<(String, Vec<f64>)>,
    n_rows: u64,
}

/// Maximum and minimum number of values of a column that are compared with the training range, and the share outside
/// from which it is reported.
const MAX_FIRSTS: usize = 2000;
const MIN_FIRSTS: usize = 20;
const MIN_OUTSIDE: f64 = 0.2;
/// Maximum number of levels that are named.
const SHOWN: usize = 3;
/// Maximum bytes of a level that are shown.
const SHOWN_CHARS: usize = 40;
/// From this share of rows on it is probably a mistake.
const MISTAKE: f64 = 0.5;
/// From this share of rows on, fractions among whole numbers are not single mistakes.
const MIN_FRACTIONS: f64 = 0.01;

impl Unseen {
    /// Checks the rows of a table.
    ///
    /// # Errors
    /// [`FeatureError::MissingColumns`].
    pub fn push(&mut self, features: &Features, table: &Table) -> Result<(), FeatureError> {
        self.n_rows += table.n_rows() as u64;
        // A column that is both encoded and used by derived features would be checked twice.
        let mut seen = Vec::new();
        for (name, _) in features.inputs() {
            if table.column(name).is_none() {
                return Err(FeatureError::MissingColumns { columns: vec![name.to_owned()] });
            }
        }
        for (at, input) in features.encoders().iter().enumerate() {
            if let Encoder::Number(NumberEncoder { whole, .. }) = &input.encoder
                && let Some(Values::Number(cells)) = table.column(&input.column).map(|column| &column.values)
            {
                self.count_infinite(&input.column, cells);
                self.note_firsts(at, &input.column, cells);
                if *whole {
                    self.count_fractions(&input.column, cells);
                }
            }
        }
        for (name, known) in features.levels() {
            if let Some(Values::Category(cells)) = table.column(name).map(|column| &column.values)
                && !seen.contains(&name)
            {
                self.count(name, cells, known);
                seen.push(name);
            }
        }
        Ok(())
    }

    fn count_infinite(&mut self, name: &str, cells: &[f64]) {
        let n = cells.iter().filter(|v| v.is_infinite()).count() as u64;
        match self.infinite.iter_mut().find(|(known, _)| known == name) {
            _ if n == 0 => {}
            Some((_, known)) => *known += n,
            None => self.infinite.push((name.to_owned(), n)),
        }
    }

    fn count_fractions(&mut self, name: &str, cells: &[f64]) {
        let mut found = cells.iter().filter(|v| v.is_finite() && v.fract() != 0.0);
        let Some(&first) = found.next() else { return };
        let n = 1 + found.count() as u64;
        match self.fractions.iter_mut().find(|known| known.column == name) {
            Some(known) => known.n_rows += n,
            None => self.fractions.push(Fractions { column: name.to_owned(), n_rows: n, first }),
        }
    }

    fn count(&mut self, name: &str, cells: &Categories, known: &[String]) {
        let is_new: Vec<bool> = cells.levels.iter().map(|level| known.binary_search(level).is_err()).collect();
        if !is_new.contains(&true) {
            return;
        }
        let rows = cells.codes.iter().filter(|&&code| is_new.get(code as usize) == Some(&true));
        let (n, first) = rows.fold((0, Vec::new()), |(n, mut first): (u64, Vec<u32>), &code| {
            if first.len() < SHOWN && !first.contains(&code) {
                first.push(code);
            }
            (n + 1, first)
        });
        if n == 0 {
            return;
        }
        let at = self.columns.iter().position(|c| c.column == name).unwrap_or_else(|| {
            self.columns.push(UnseenColumn { column: name.to_owned(), n_rows: 0, levels: Vec::new() });
            self.columns.len() - 1
        });
        let column = &mut self.columns[at];
        column.n_rows += n;
        for code in first {
            let level: String = cells.levels[code as usize].chars().take(SHOWN_CHARS).collect();
            if column.levels.len() < SHOWN && !column.levels.contains(&level) {
                column.levels.push(level);
            }
        }
    }

    /// The columns, in the order in which they were met.
    #[must_use]
    pub fn columns(&self) -> &[UnseenColumn] {
        &self.columns
    }

    /// Stores the first numbers of the column of encoder number `at`.
    fn note_firsts(&mut self, at: usize, name: &str, values: &[f64]) {
        if self.firsts.len() <= at {
            self.firsts.resize_with(at + 1, Default::default);
        }
        let (column, known) = &mut self.firsts[at];
        if column.is_empty() {
            column.push_str(name);
        }
        let room = MAX_FIRSTS - known.len();
        known.extend(values.iter().filter(|value| value.is_finite()).take(room));
    }

    /// One sentence per column with many numbers outside of the `range` of training.
    #[must_use]
    pub fn outside(&self, range: impl Fn(&str) -> Option<(f64, f64)>) -> Vec<String> {
        let told = |(column, values): &(String, Vec<f64>)| {
            if values.len() < MIN_FIRSTS {
                return None;
            }
            let (low, high) = range(column)?;
            let mut outside = values.iter().filter(|value| **value < low || **value > high).peekable();
            let first = **outside.peek()?;
            let n = outside.count();
            (n as f64 >= MIN_OUTSIDE * values.len() as f64).then(|| {
                format!(
                    "column {column:?}: {n} of {} numbers are outside the training range ({} to {}), such as {}: is \
                     the number format or the unit different?",
                    values.len(),
                    Plain(low),
                    Plain(high),
                    Plain(first)
                )
            })
        };
        self.firsts.iter().filter_map(told).collect()
    }

    /// One sentence per column, the largest share first.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let mut columns: Vec<&UnseenColumn> = self.columns.iter().collect();
        columns.sort_by_key(|column| std::cmp::Reverse(column.n_rows));
        let note = |column: &UnseenColumn| {
            let share = column.n_rows as f64 / self.n_rows.max(1) as f64;
            let levels: Vec<String> = column.levels.iter().map(|level| format!("{level:?}")).collect();
            let have = if column.n_rows == 1 { "has" } else { "have" };
            let hint = if share >= MISTAKE { "; is the column written differently?" } else { "" };
            format!(
                "column {:?}: {} of {} rows {have} a level that training did not have ({:.1} %), such as {}{hint}",
                column.column,
                column.n_rows,
                self.n_rows,
                100.0 * share,
                levels.join(", ")
            )
        };
        let few = |found: &&Fractions| found.n_rows as f64 >= MIN_FRACTIONS * self.n_rows as f64;
        let fractions = self.fractions.iter().filter(few).map(|found| {
            format!(
                "column {:?}: {} of {} rows have a fraction, such as {}, but training had whole numbers only: if the \
                 mark separates thousands, set number = {{ decimal = \",\", thousands = \".\" }} under [columns]",
                found.column, found.n_rows, self.n_rows, found.first
            )
        });
        let infinite = self.infinite.iter().map(|(column, n)| {
            let hold = if *n == 1 { "holds" } else { "hold" };
            format!("column {column:?}: {n} of {} rows {hold} an infinite number, which `serve` refuses", self.n_rows)
        });
        columns.into_iter().map(note).chain(fractions).chain(infinite).collect()
    }
}

impl Features {
    /// Whether training had this level of raw column `input`; also `true` for other kinds of columns.
    #[must_use]
    pub fn has_level(&self, input: usize, level: &str) -> bool {
        let levels = self.encoders().get(input).and_then(|input| Encoder::levels(&input.encoder));
        levels.is_none_or(|levels| levels.binary_search_by(|known| known.as_str().cmp(level)).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{OneHotEncoder, RawColumn};
    use crate::table::Column;

    #[test]
    fn fractions_among_whole_numbers_are_noted() {
        let of = |whole| {
            let encoder = Encoder::Number(NumberEncoder { whole, ..NumberEncoder::default() });
            let features = Features::new(vec![RawColumn { column: "v".to_owned(), encoder }]).unwrap();
            let mut unseen = Unseen::default();
            for cells in [[1.842, 7.0, f64::NAN], [12.5, 900.0, f64::INFINITY]] {
                let table = Table::new(vec![Column::new("v", Values::Number(cells.to_vec()))]).unwrap();
                unseen.push(&features, &table).unwrap();
            }
            unseen.notes().join("; ")
        };
        assert!(of(true).starts_with("column \"v\": 2 of 6 rows have a fraction, such as 1.842"), "{}", of(true));
        assert_eq!(of(false), "column \"v\": 1 of 6 rows holds an infinite number, which `serve` refuses");
    }

    #[test]
    fn rows_with_new_levels_are_counted_by_column() {
        let levels = vec!["a".to_owned(), "b".to_owned()];
        let encoder =
            Encoder::OneHot(OneHotEncoder { levels, hot: vec![0, 1], missing: false, unseen: vec![0.0, 0.0] });
        let features = Features::new(vec![RawColumn { column: "plan".to_owned(), encoder }]).unwrap();
        let mut unseen = Unseen::default();
        for texts in [["a", "c", ""], ["c", "d", "b"]] {
            let cells = Values::Category(Categories::from_texts(texts));
            unseen.push(&features, &Table::new(vec![Column::new("plan", cells)]).unwrap()).unwrap();
        }
        let note = "column \"plan\": 3 of 6 rows have a level that training did not have (50.0 %), such as \"c\", \"d\"; is the column written differently?";
        assert_eq!(unseen.notes(), [note]);
        assert!(features.has_level(0, "b") && !features.has_level(0, "c"));
    }
}
