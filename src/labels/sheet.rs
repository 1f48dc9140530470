//! A batch as a table that people fill in, and cells that a spreadsheet leaves alone.

use super::LabelError;
use super::batch::Batch;
use crate::atomic::{At, AtPath};
use crate::printable;
pub(super) use crate::printable::{protect, restore};
use crate::table::{Schema, Table, push_record, write_rows};
use std::borrow::Cow;
use std::path::Path;

/// The columns before the features.
const BEFORE: [&str; 6] = ["id", "batch", "stratum", "reason", "select_prob", "model_version"];
/// With `--show-score`, the columns after these.
const SHOWN: [&str; 2] = ["prediction", "score"];
/// The columns after the target.
pub(super) const AFTER: [&str; 2] = ["annotator", "note"];

/// What stands in a batch's table beside its record.
pub(super) struct Sheet<'a> {
    /// The rows' features, in the order of the batch's rows.
    pub features: &'a Table,
    /// How they are written.
    pub schema: &'a Schema,
    /// Why each row is asked, in words.
    pub reasons: &'a [String],
    /// Whether production's answer stands in it.
    pub show_score: bool,
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
        let header: Vec<Cow<str>> = batch.columns.iter().map(|name| protect(name)).collect();
        push_record(&mut text, &header, b',');
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
                let (stratum, prob) = (row.stratum.to_string(), row.select_prob.to_string());
                let version = batch.version.to_string();
                let mut record: Vec<&str> = vec![&row.id, &batch.batch, &stratum, &self.reasons[n], &prob, &version];
                let score = row.scores.iter().copied().fold(f64::NEG_INFINITY, f64::max).to_string();
                if self.show_score {
                    record.extend([row.prediction.as_str(), &score]);
                }
                record.extend(cells[n].iter().map(String::as_str));
                record.extend(["", person, ""]);
                let safe: Vec<Cow<str>> = record.into_iter().map(protect).collect();
                push_record(&mut text, &safe, b',');
            }
        }
        Ok(text)
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

/// A column's name as a header shows it: nothing in it steers a terminal or breaks the line.
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

/// The records of a list in the inbox.
pub(super) fn read(path: &Path) -> Result<Vec<Vec<String>>, LabelError> {
    let wrong = |err: csv::Error| LabelError::from(AtPath::new(path, err));
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_path(path).map_err(wrong)?;
    let rows = reader.records().map(|record| Ok(record.map_err(wrong)?.iter().map(str::to_owned).collect()));
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn every_text_comes_back(text in "['=+@＝\t\r\n-]{0,3}.{0,4}") {
            let safe = protect(&text);
            prop_assert_eq!(restore(&safe), text.as_str());
        }
    }
}
