//! A batch as a table to fill in, with cells that a spreadsheet does not change.

use super::LabelError;
use super::batch::{Batch, Inbox};
use super::form::{DELIMITERS, Form};
use crate::atomic::{self, At, AtPath};
use crate::features::Task;
use crate::printable;
pub(super) use crate::printable::restore;
use crate::table::{BOM, Ends, Schema, Table, push_record, write_rows};
use std::borrow::Cow;
use std::path::Path;

/// The columns before the features.
const BEFORE: [&str; 6] = ["id", "batch", "stratum", "reason", "select_prob", "model_version"];
/// With `--show-score`, the columns after these.
const SHOWN: [&str; 2] = ["prediction", "score"];
/// The columns after the target.
pub(super) const AFTER: [&str; 2] = ["annotator", "note"];

/// The content of a batch's table besides its record.
pub(super) struct Sheet<'a> {
    /// The rows' features, in the order of the batch's rows.
    pub features: &'a Table,
    /// How they are written.
    pub schema: &'a Schema,
    /// Why each row was selected, as text.
    pub reasons: &'a [String],
    /// Whether it shows production's prediction.
    pub show_score: bool,
    /// Its form: that of the workspace's table, because one spreadsheet opens both.
    pub form: Form,
}

impl Sheet<'_> {
    /// The header.
    pub(super) fn columns(&self, target: &str) -> Vec<String> {
        let mut columns: Vec<String> = BEFORE.map(str::to_owned).to_vec();
        if self.show_score {
            columns.extend(SHOWN.map(str::to_owned));
        }
        columns.extend(self.features.columns().iter().map(|c| feature_name(&c.name, target).into_owned()));
        columns.push(target_name(target).into_owned());
        columns.extend(AFTER.map(str::to_owned));
        columns
    }

    /// The file: a line for each row and annotator, annotator by annotator. The target is empty.
    ///
    /// # Errors
    /// When a cell cannot be written.
    pub(super) fn write(&self, batch: &Batch) -> Result<Vec<u8>, LabelError> {
        let cells = cells(self.features, self.schema)?;
        let mut text = Vec::new();
        let header: Vec<Cow<str>> = batch.columns.iter().map(|name| self.form.protect(name)).collect();
        push_record(&mut text, &header, self.form.delimiter);
        let mut people: Vec<&str> =
            batch.rows.iter().flat_map(|row| row.annotators.iter().map(String::as_str)).collect();
        people.sort_unstable();
        people.dedup();
        if people.is_empty() {
            people.push("");
        }
        for person in people {
            for (n, row) in batch.rows.iter().enumerate() {
                if !person.is_empty() && !row.annotators.iter().any(|name| name == person) {
                    continue;
                }
                let (stratum, prob) = (row.stratum.to_string(), self.number(row.select_prob));
                let version = batch.version.to_string();
                let mut record: Vec<&str> = vec![&row.id, &batch.batch, &stratum, &self.reasons[n], &prob, &version];
                let score = self.number(row.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max));
                let prediction = self.prediction(batch, &row.prediction);
                if self.show_score {
                    record.extend([prediction.as_ref(), &score]);
                }
                record.extend(cells[n].iter().map(String::as_str));
                record.extend(["", person, ""]);
                let safe: Vec<Cow<str>> = record.into_iter().map(|text| self.form.protect(text)).collect();
                push_record(&mut text, &safe, self.form.delimiter);
            }
        }
        Ok(self.form.ends.file(text, self.form.delimiter))
    }

    /// A number with the decimal mark of the workspace's table.
    fn number(&self, value: f64) -> String {
        self.schema.notation().text(value)
    }

    /// A prediction in the notation of the target column.
    fn prediction<'p>(&self, batch: &Batch, text: &'p str) -> Cow<'p, str> {
        match (batch.target.task, text.parse()) {
            (Task::Regression, Ok(value)) => self.schema.notation_of(&batch.target.name).text(value).into(),
            _ => text.into(),
        }
    }
}

/// The cells of a table as text, row by row.
pub(super) fn cells(table: &Table, schema: &Schema) -> Result<Vec<Vec<String>>, LabelError> {
    let mut schema = schema.clone();
    schema.dialect.delimiter = ',';
    let mut text = Vec::new();
    write_rows(&mut text, table, &schema).at("rows to label")?;
    if table.columns().is_empty() {
        return Ok(vec![Vec::new(); table.n_rows()]);
    }
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_slice());
    let rows = reader.records().map(|record| Ok(record?.iter().map(str::to_owned).collect()));
    Ok(rows.collect::<Result<_, csv::Error>>().at("rows to label")?)
}

/// A column's name as shown in a header, without terminal control characters and line breaks.
fn shown(name: &str) -> Cow<'_, str> {
    if name.contains(printable::steers) { printable::name(name).into() } else { name.into() }
}

/// A feature's name in the header; one that has another meaning there is called `feature:NAME`.
pub(super) fn feature_name<'a>(name: &'a str, target: &str) -> Cow<'a, str> {
    let taken = BEFORE.iter().chain(&SHOWN).chain(&AFTER).any(|other| *other == name);
    if taken || name == target || name.starts_with("feature:") {
        format!("feature:{}", shown(name)).into()
    } else {
        shown(name)
    }
}

/// The target's name in the header.
pub(super) fn target_name(target: &str) -> Cow<'_, str> {
    let taken = BEFORE.iter().chain(&SHOWN).chain(&AFTER).any(|other| *other == target);
    if taken { format!("target:{target}").into() } else { shown(target) }
}

/// Replaces a list of the inbox; an empty one is removed.
pub(super) fn write_list(inbox: &Inbox, name: &str, header: &[&str], rows: &[Vec<String>]) -> Result<(), LabelError> {
    let path = inbox.path(name);
    let form = inbox.form()?;
    let write = || {
        if rows.is_empty() {
            return if path.exists() { atomic::remove_file(&path) } else { Ok(()) };
        }
        atomic::make_dirs(inbox.path(""))?;
        let header: Vec<Cow<str>> = header.iter().map(|name| form.protect(name)).collect();
        let rows = rows.iter().map(|row| row.iter().map(|cell| form.protect(cell)).collect());
        let records: Vec<Vec<Cow<str>>> = std::iter::once(header).chain(rows).collect();
        let text = form.file(records.iter().map(Vec::as_slice));
        atomic::replace(&path, |out| out.write_all(&text))
    };
    Ok(write().at(&path)?)
}

/// The records of a list in the inbox.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<String>>, LabelError> {
    Ok(read_cut(path)?.1)
}

/// The same, with its form. The delimiter is the character after the first name, which contains none.
pub(super) fn read_cut(path: &Path) -> Result<(Form, Vec<Vec<String>>), LabelError> {
    let text = atomic::read(path).at(path)?;
    let head = text.strip_prefix(BOM).unwrap_or(&text);
    let first = head.iter().copied().take_while(|byte| *byte != b'\n').find(|byte| DELIMITERS.contains(byte));
    let delimiter = first.unwrap_or(b',');
    let wrong = |err: csv::Error| LabelError::from(AtPath::new(path, err));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).delimiter(delimiter).from_reader(head);
    let rows = reader.records().map(|record| Ok(record.map_err(wrong)?.iter().map(str::to_owned).collect()));
    let form = Form { delimiter, ends: Ends::of(&text, delimiter), numbers: Vec::new() };
    Ok((form, rows.collect::<Result<_, LabelError>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Target;
    use crate::printable::protect;
    use crate::table::{Column, ColumnSpec, Kind, NumberFormat, Values};
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn formulas_are_quoted_and_numbers_are_not() {
        for (text, safe) in [
            ("=1+1", "'=1+1"),
            ("+49 30", "'+49 30"),
            ("-5", "-5"),
            ("-5e3", "-5e3"),
            ("-1+2", "'-1+2"),
            ("-inf", "'-inf"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\tx", "'\tx"),
            ("\rx", "'\rx"),
            ("\nx", "'\nx"),
            ("＝1+1", "'＝1+1"),
            ("'quoted'", "''quoted'"),
            ("it's", "it's"),
            ("", ""),
        ] {
            assert_eq!(protect(text), safe);
            assert_eq!(restore(safe), text);
        }
        assert_eq!(restore("'tis"), "'tis", "an apostrophe that somebody typed stays");
    }

    #[test]
    fn a_sheet_is_written_as_the_loops_table_is() {
        let batch = |prediction: &str| -> Batch {
            let row = json!({"id": "k1", "stratum": "control", "select_prob": 0.25, "prediction": prediction, "scores": [1.5]});
            let target = Target { name: "price".to_owned(), task: Task::Regression, classes: Vec::new() };
            serde_json::from_value(json!({
                "format": 1, "batch": "b1", "at": "2026-11-20T10:00:00Z", "seed": 0, "strategy": "control", "version": "v0001",
                "source": "current.csv", "n_candidates": 1, "target": target, "columns": ["id"], "files": [], "rows": [row]
            }))
            .unwrap()
        };
        let comma = NumberFormat { decimal: ',', thousands: Some('.'), unit: None };
        let column = |name: &str| ColumnSpec { number: Some(comma.clone()), ..ColumnSpec::new(name, Kind::Number) };
        let german = Schema { columns: vec![column("amount"), column("price")], ..Schema::default() };
        let plain = ["amount", "price"].map(|name| ColumnSpec::new(name, Kind::Number)).to_vec();
        let plain = Schema { columns: plain, ..Schema::default() };
        let amount = Table::new(vec![Column::new("amount", Values::Number(vec![1234.5]))]).unwrap();
        for (schema, delimiter, line) in [
            (&german, b';', "k1;b1;control;why;0,25;v0001;5531,75;1,5;1234,5;;;"),
            (&plain, b',', "k1,b1,control,why,0.25,v0001,5531.75,1.5,1234.5,,,"),
        ] {
            let reasons = ["why".to_owned()];
            let form = Form { delimiter, ends: Ends::default(), numbers: Vec::new() };
            let sheet = Sheet { features: &amount, schema, reasons: &reasons, show_score: true, form };
            let text = String::from_utf8(sheet.write(&batch("5531.75")).unwrap()).unwrap();
            assert_eq!(text.lines().nth(1), Some(line));
        }
    }

    #[test]
    fn lists_are_read_back_whatever_stands_between_their_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("to_label.csv");
        for delimiter in DELIMITERS {
            for (bom, crlf) in [(false, false), (false, true), (true, false), (true, true)] {
                let form = Form { delimiter, ends: Ends { bom, crlf }, numbers: Vec::new() };
                let rows = [["id", "a;b,c"], ["1", "x;y,z|\t"]];
                let text = form.file(rows.iter().map(<[&str; 2]>::as_slice));
                atomic::replace(&path, |out| out.write_all(&text)).unwrap();
                let (found, read) = read_cut(&path).unwrap();
                assert_eq!((found, read), (form, rows.map(|row| row.map(str::to_owned).to_vec()).to_vec()));
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_text_comes_back(text in "['=+@＝\t\r\n-]{0,3}.{0,4}") {
            let safe = protect(&text);
            prop_assert_eq!(restore(&safe), text.as_str());
        }
    }
}
