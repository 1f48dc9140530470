//! What is known of rows by now: labels that came after the rows did, joined by id.

use crate::features::Target;
use crate::table::{ColumnSpec, InferOptions, Input, Kind, ReadOptions, Schema, TableError, Values, infer, read};
use std::collections::HashMap;
use std::path::Path;

/// Labels by id.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    by_id: HashMap<String, f32>,
}

/// Which columns of a labels file are what.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The loop's id column.
    pub id: &'a str,
    /// What is predicted.
    pub target: &'a Target,
}

impl Outcomes {
    /// Reads labels: the id stands in the loop's id column or in `id`, the label in the target's column or in `label`.
    /// Rows whose `source` is `model` are no outcome. The last label of an id counts.
    ///
    /// # Errors
    /// When a column is missing or a label is none of the classes.
    pub fn read(path: &Path, reading: &Reading) -> Result<Self, TableError> {
        let inference = infer(Input::open(path)?, &InferOptions::default())?;
        let has = |name: &str| inference.schema.column(name).is_some();
        let either = |first: &str, second: &str| if has(first) { first.to_owned() } else { second.to_owned() };
        let (id, label) = (either(reading.id, "id"), either(&reading.target.name, "label"));
        let number = reading.target.classes.is_empty();
        let mut wanted = vec![spec(&id, Kind::Text), spec(&label, if number { Kind::Number } else { Kind::Category })];
        if has("source") {
            wanted.push(spec("source", Kind::Category));
        }
        let schema = Schema { dialect: inference.schema.dialect.clone(), columns: wanted };
        let table = read(Input::open(path)?, &schema, &ReadOptions::default())?.table;
        let labels = reading.target.encode(table.require(&label)?);
        let y = labels.map_err(|err| TableError::File { file: path.display().to_string(), what: err.to_string() })?.y;
        let ids = table.require(&id)?;
        let Values::Text(ids) = &ids.values else { return Ok(Self::default()) };
        let source = |row: usize| match table.column("source").map(|c| &c.values) {
            Some(Values::Category(source)) => source.level(row),
            _ => None,
        };
        let known = |row: &usize| !y[*row].is_nan() && source(*row) != Some("model");
        let rows: Vec<usize> = (0..y.len()).filter(known).collect();
        let by_id = rows.into_iter().map(|row| (ids.get(row).to_owned(), y[row])).collect();
        Ok(Self { by_id })
    }

    /// Outcomes that are known already: ids, each with a class index or a value.
    pub fn new(known: impl IntoIterator<Item = (String, f32)>) -> Self {
        Self { by_id: known.into_iter().collect() }
    }

    /// The outcome of a row; `NaN` when it is not known.
    #[must_use]
    pub fn of(&self, id: &str) -> f32 {
        self.by_id.get(id).copied().unwrap_or(f32::NAN)
    }

    /// Whether nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

fn spec(name: &str, kind: Kind) -> ColumnSpec {
    ColumnSpec { name: name.to_owned(), kind, format: None }
}
