//! The format of tables that people fill in: that of the workspace's table, because one spreadsheet opens both.

use super::LabelError;
use crate::printable::protect;
use crate::table::{Ends, NumberFormat, Schema, push_record};
use crate::workspace::Workspace;
use std::borrow::Cow;

/// Delimiters of tables that people fill in.
pub(crate) const DELIMITERS: [u8; 4] = *b",;\t|";

/// Delimiter, line ends and number notations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Form {
    /// The delimiter between fields.
    pub delimiter: u8,
    /// The byte order mark and line ends.
    pub ends: Ends,
    /// How numbers are written there.
    pub numbers: Vec<NumberFormat>,
}

impl Form {
    /// The form of the workspace's table; a delimiter that spreadsheets do not recognise becomes a comma.
    ///
    /// # Errors
    /// When `mlloop.toml` cannot be read.
    pub(super) fn of(workspace: &Workspace) -> Result<Self, LabelError> {
        let config = workspace.config()?;
        let own = |byte: &u8| char::from(*byte) == config.data.delimiter;
        let delimiter = DELIMITERS.into_iter().find(own).unwrap_or(b',');
        let ends = Ends::of_file(&workspace.path(&config.data.reference), delimiter);
        Ok(Self { delimiter, ends, numbers: numbers(&config.schema()) })
    }

    /// The text as returned by [`protect`], except for numbers in the notation of the workspace's table: with an
    /// apostrophe, a spreadsheet would treat them as text and neither sort nor sum them.
    pub(super) fn protect<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let is_number = || self.numbers.iter().any(|format| format.parse(text).is_some());
        match protect(text) {
            Cow::Owned(_) if is_number() => Cow::Borrowed(text),
            safe => safe,
        }
    }

    /// The bytes of a file with these records.
    pub(super) fn file<'r, T: AsRef<str> + 'r>(&self, records: impl IntoIterator<Item = &'r [T]>) -> Vec<u8> {
        let mut text = Vec::new();
        records.into_iter().for_each(|record| push_record(&mut text, record, self.delimiter));
        self.ends.file(text, self.delimiter)
    }
}

/// The number notations of a table.
fn numbers(schema: &Schema) -> Vec<NumberFormat> {
    let mut all = vec![schema.notation()];
    for format in schema.columns.iter().filter_map(|column| column.number.as_ref()) {
        if !all.contains(format) {
            all.push(format.clone());
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::printable::restore;
    use crate::table::{ColumnSpec, Kind};

    #[test]
    fn a_number_of_the_loops_table_gets_no_apostrophe_and_a_formula_does() {
        let form = |formats: &[NumberFormat]| {
            let column = |format: &NumberFormat| ColumnSpec {
                number: Some(format.clone()),
                ..ColumnSpec::new("x", Kind::Number)
            };
            let schema = Schema { columns: formats.iter().map(column).collect(), ..Schema::default() };
            Form { delimiter: b';', ends: Ends::default(), numbers: numbers(&schema) }
        };
        let format =
            |decimal, thousands, unit: Option<&str>| NumberFormat { decimal, thousands, unit: unit.map(str::to_owned) };
        let german = form(&[format(',', None, None), format(',', Some('.'), Some("€"))]);
        let swiss = form(&[format('.', Some('\''), Some("Fr."))]);
        let plain = form(&[]);
        for (form, left, changed) in [
            (
                &german,
                &["-3,59", "-1.234,50 €", "-€ 5", "-5", "+3,5", "－3,5", "\u{2212}3,5", "-1,5E-07"][..],
                &["-3,59 $", "=-3,59", "-3,59+1", "@3,5", "-A1", "-1.23,4", "'-3,59"][..],
            ),
            (&swiss, &["-1'234.50", "-Fr. 7'875.-", "-0.25"], &["-3,59", "-1'234.50 €", "+49 30"]),
            (&plain, &["-3.59", "-5e3"], &["-3,59", "-1 23", "-1.5 €", "-cmd|'/c'!A0"]),
        ] {
            for text in left {
                assert_eq!(form.protect(text), *text);
                assert_eq!(restore(text), *text);
            }
            for text in changed {
                assert_eq!(form.protect(text), format!("'{text}"));
                assert_eq!(restore(&format!("'{text}")), *text);
            }
        }
    }
}
