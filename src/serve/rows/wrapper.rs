//! Many rows in one object, in our format and in those of other servers.
//!
//! ```text
//! {"rows": [{…}], "labels": [1]}                            ours
//! {"raw_features": [{…}], "true_labels": [1]}               the same
//! {"raw_features": {…}}                                     one row
//! {"inputs": [[3, "monthly"]]}                              in the order of the features
//! {"inputs": {"months": [3], "contract": ["monthly"]}}      by column, as MLflow's clients write it
//! {"instances": [{…}]}  {"instances": [[3, "monthly"]]}     KServe V1, Vertex AI (which adds "parameters")
//! {"dataframe_records": [{…}]}                              MLflow
//! {"dataframe_split": {"columns": ["months"], "data": [[3]]}}
//! ```

use super::{CellSeed, List, NO_ROOM, Raw, Reader, Rows, TOO_MANY};
use crate::serve::form::Form;
use crate::serve::problem::Problem;
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The meaning of a wrapper's key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Part {
    /// Rows that name their columns.
    Named,
    /// Rows with column names, or with values in the order of the features.
    Ordered,
    /// Column names, and rows of values in their order.
    Split,
    /// Outcomes.
    Labels,
    /// Options of other servers that have no effect here.
    Beside,
}

impl Part {
    pub(super) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "rows" | "raw_features" | "dataframe_records" => Self::Named,
            "inputs" | "instances" => Self::Ordered,
            "dataframe_split" => Self::Split,
            "labels" | "true_labels" => Self::Labels,
            "signature_name" | "parameters" | "params" => Self::Beside,
            _ => return None,
        })
    }
}

/// Reads the value of `part`, and the keys after it.
pub(super) fn read<'de, A: MapAccess<'de>>(reader: &mut Reader, part: Part, mut map: A) -> Result<(), A::Error> {
    let mut has_rows = false;
    let mut part = Some(part);
    let mut name = String::new();
    loop {
        let is_second = has_rows && matches!(part, Some(Part::Named | Part::Ordered | Part::Split));
        match part.filter(|_| !is_second) {
            Some(Part::Named) => map.next_value_seed(List { reader: &mut *reader, order: None })?,
            Some(Part::Ordered) => {
                let order = reader.form.order();
                map.next_value_seed(List { reader: &mut *reader, order: Some(order) })?;
            }
            Some(Part::Split) => map.next_value_seed(Split(&mut *reader))?,
            Some(Part::Labels) => map.next_value_seed(Labels(&mut *reader.rows))?,
            Some(Part::Beside) => {
                map.next_value::<IgnoredAny>()?;
            }
            None => {
                map.next_value::<IgnoredAny>()?;
                reader.rows.problems.push(|| Problem::unknown(None, &name));
            }
        }
        has_rows |= matches!(part, Some(Part::Named | Part::Ordered | Part::Split));
        name = match map.next_key()? {
            Some(name) => name,
            None => return Ok(()),
        };
        part = Part::of(&name);
    }
}

/// Moves outcomes from a list into their rows.
pub(super) fn finish(reader: &mut Reader) {
    let rows = &mut *reader.rows;
    let Some(labels) = rows.labels.take() else { return };
    let Some(place) = reader.form.target() else { return };
    if labels.len() != rows.len() {
        let n_rows = rows.len();
        rows.problems.push(|| Problem::of_all(format!("{} outcomes for {n_rows} rows", labels.len())));
        return;
    }
    rows.has_labels = true;
    for (row, label) in labels.into_iter().enumerate() {
        let cell = &mut rows.cells[row * rows.n_columns + place];
        let before = std::mem::replace(cell, label);
        if before != Raw::Absent {
            rows.problems.push(|| Problem::of_cell(row, reader.form.name(place), "appears twice"));
        }
    }
}

/// Reads values in the order of columns as a row.
pub(super) fn read_values<'de, A: SeqAccess<'de>>(
    rows: &mut Rows,
    order: &[Option<usize>],
    mut values: A,
) -> Result<(), A::Error> {
    let row = rows.push_empty();
    let mut n = 0;
    while let Some(cell) = values.next_element_seed(CellSeed { rows: &mut *rows })? {
        if let Some(Some(place)) = order.get(n) {
            let at = row * rows.n_columns + place;
            rows.cells[at] = cell;
        }
        n += 1;
    }
    if n != order.len() {
        let expected = order.len();
        rows.problems.push(|| Problem::of_row(row, &format!("has {n} values, expected {expected}")));
    }
    Ok(())
}

/// Reads columns, each a list of values, as rows.
pub(super) fn read_columns<'de, A: MapAccess<'de>>(reader: &mut Reader, mut map: A) -> Result<(), A::Error> {
    let start = reader.rows.len();
    let mut n_rows = None;
    while let Some(name) = map.next_key::<String>()? {
        let cells = map.next_value_seed(Cells(&mut *reader.rows))?;
        let n = *n_rows.get_or_insert(cells.len());
        if cells.len() != n {
            let have = cells.len();
            reader.rows.problems.push(|| Problem::of_all(format!("column {name:?} has {have} values, expected {n}")));
        }
        while reader.rows.len() < start + n {
            if reader.rows.len() >= reader.max_rows {
                return Err(A::Error::custom(TOO_MANY));
            }
            if !reader.rows.make_room(reader.allow) {
                return Err(A::Error::custom(NO_ROOM));
            }
            reader.rows.push_empty();
        }
        match reader.form.find(&name, 0) {
            Some(Some(place)) => {
                for (row, cell) in cells.into_iter().take(n).enumerate() {
                    let at = (start + row) * reader.rows.n_columns + place;
                    reader.rows.cells[at] = cell;
                }
            }
            Some(None) => {}
            None => reader.rows.problems.push(|| Problem::unknown(None, &name)),
        }
    }
    Ok(())
}

/// A list of cells.
struct Cells<'r>(&'r mut Rows);

impl<'de> DeserializeSeed<'de> for Cells<'_> {
    type Value = Vec<Raw>;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Vec<Raw>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Cells<'_> {
    type Value = Vec<Raw>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of values")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<Raw>, A::Error> {
        let mut cells = Vec::new();
        while let Some(cell) = seq.next_element_seed(CellSeed { rows: &mut *self.0 })? {
            cells.push(cell);
        }
        Ok(cells)
    }
}

/// Outcomes, in the order of the rows.
struct Labels<'r>(&'r mut Rows);

impl<'de> DeserializeSeed<'de> for Labels<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Labels<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of outcomes")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        if self.0.labels.is_some() {
            let what = "gives outcomes twice: \"labels\" and \"true_labels\" mean the same; send one of them";
            self.0.problems.push(|| Problem::of_all(what.to_owned()));
        }
        let labels = Cells(&mut *self.0).visit_seq(seq)?;
        self.0.labels = Some(labels);
        Ok(())
    }
}

/// `{"columns": […], "data": [[…]]}`.
struct Split<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Split<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Split<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{\"columns\": […], \"data\": [[…]]}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reader = self.0;
        reader.rows.many = true;
        let mut order: Option<Vec<Option<usize>>> = None;
        while let Some(key) = map.next_key::<String>()? {
            match (key.as_str(), &order) {
                ("columns", None) => {
                    let names: Vec<String> = map.next_value()?;
                    order = Some(places(reader.form, reader.rows, &names));
                }
                ("data", Some(order)) => map.next_value_seed(List { reader: &mut *reader, order: Some(order) })?,
                ("data", None) => {
                    map.next_value::<IgnoredAny>()?;
                    reader.rows.problems.push(|| Problem::of_all("\"columns\" must come before \"data\"".to_owned()));
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(())
    }
}

/// The indices of the columns of a split table.
fn places(form: &Form, rows: &mut Rows, names: &[String]) -> Vec<Option<usize>> {
    let mut order = Vec::with_capacity(names.len());
    for (n, name) in names.iter().enumerate() {
        let found = form.find(name, n);
        if found.is_none() {
            rows.problems.push(|| Problem::unknown(None, name));
        }
        let place = found.flatten();
        if place.is_some() && order.contains(&place) {
            rows.problems.push(|| Problem::of_all(format!("duplicate column {name:?}")));
        }
        order.push(place);
    }
    order
}
