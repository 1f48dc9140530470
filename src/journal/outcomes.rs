//! Known outcomes of rows: labels that arrived later, joined by id.

use crate::features::Target;
use crate::table::{ColumnSpec, InferOptions, Kind, ReadOptions, Schema, Spool, TableError, Values, infer, read};
use std::collections::HashMap;
use std::path::Path;

/// The outcome of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// Class index or value; never `NaN`.
    pub y: f64,
    /// Number of rows it represents: 1/π if the row was selected with probability π, else 1.
    pub weight: f64,
}

impl Outcome {
    /// The outcome of a row selected with `probability`, above 0 and up to 1; `None` if it arrived without being
    /// requested.
    #[must_use]
    pub fn new(y: f64, probability: Option<f64>) -> Self {
        Self { y, weight: probability.map_or(1.0, |p| 1.0 / p) }
    }
}

/// Labels by id.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    by_id: HashMap<String, Outcome>,
}

/// The roles of the columns of a labels file.
#[derive(Debug, Clone, Copy)]
pub struct Reading<'a> {
    /// The loop's id column.
    pub id: &'a ColumnSpec,
    /// The target.
    pub target: &'a Target,
}

impl Outcomes {
    /// Reads labels: the id is in the loop's id column or in `id`, the label in the target's column or in `label`. Rows
    /// whose `source` is `model` are not outcomes. The last label of an id counts. With a `select_prob`, a row is
    /// weighted by its inverse, unless its `source` is `outcome`: outcomes arrive without being requested.
    ///
    /// # Errors
    /// If a column is missing, a label is not one of the classes, or a probability is invalid.
    pub fn read(path: &Path, reading: &Reading) -> Result<Self, TableError> {
        let file = Spool::new(path)?;
        let inference = infer(file.open()?, &InferOptions::default())?;
        let has = |name: &str| inference.schema.column(name).is_some();
        let either = |first: &str, second: &str| if has(first) { first.to_owned() } else { second.to_owned() };
        let (id, label) = (either(&reading.id.name, "id"), either(&reading.target.name, "label"));
        let number = reading.target.classes.is_empty();
        let kind = if number { Kind::Number } else { Kind::Category };
        if let Some(doubt) = inference.doubts.iter().find(|doubt| number && doubt.column == label) {
            return Err(TableError::File { file: path.display().to_string(), what: doubt.to_string() });
        }
        // Numbers are kept in the format of the file.
        let written = inference.schema.number_format(&label).filter(|_| number).cloned();
        let mut wanted = vec![
            ColumnSpec { name: id.clone(), ..reading.id.clone() },
            ColumnSpec { number: written, ..spec(&label, kind) },
        ];
        let asked = [("source", Kind::Category), ("select_prob", Kind::Number)];
        wanted.extend(asked.into_iter().filter(|(name, _)| has(name)).map(|(name, kind)| spec(name, kind)));
        let schema = Schema { dialect: inference.schema.dialect.clone(), columns: wanted };
        let table = read(file.open()?, &schema, &ReadOptions::default())?.table;
        let labels = reading.target.encode(table.require(&label)?);
        let y = labels.map_err(|err| TableError::File { file: path.display().to_string(), what: err.to_string() })?.y;
        let ids = table.require(&id)?;
        let Values::Text(ids) = &ids.values else { return Ok(Self::default()) };
        let source = |row: usize| match table.column("source").map(|c| &c.values) {
            Some(Values::Category(source)) => source.level(row),
            _ => None,
        };
        let probability = |row: usize| match table.column("select_prob").map(|c| &c.values) {
            Some(Values::Number(asked)) if !asked[row].is_nan() && source(row) != Some("outcome") => {
                let possible = Some(asked[row]).filter(|p| *p > 0.0 && *p <= 1.0);
                possible.map(Some).ok_or_else(|| TableError::File {
                    file: path.display().to_string(),
                    what: format!("the select_prob of {:?} must be above 0 and at most 1", ids.get(row)),
                })
            }
            _ => Ok(None),
        };
        let known = |row: &usize| !y[*row].is_nan() && source(*row) != Some("model");
        let rows = (0..y.len()).filter(known);
        let by_id = rows.map(|row| Ok((ids.get(row).to_owned(), Outcome::new(y[row], probability(row)?))));
        Ok(Self { by_id: by_id.collect::<Result<_, TableError>>()? })
    }

    /// Known outcomes, by id.
    pub fn new(known: impl IntoIterator<Item = (String, Outcome)>) -> Self {
        Self { by_id: known.into_iter().collect() }
    }

    /// The outcome of a row, if it is known.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<Outcome> {
        self.by_id.get(id).copied()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

fn spec(name: &str, kind: Kind) -> ColumnSpec {
    ColumnSpec::new(name, kind)
}
