//! From JSON to rows of cells: no value tree, no allocation per cell.
//!
//! ```text
//! {"months": 3, "contract": "monthly"}       one row
//! [{…}, {…}]   {"rows": [{…}, {…}]}          many
//!
//! cells   Number(3.0) Text(0..7) Absent …    one per row and column of the form
//! text    "monthly…"                         what the texts' ranges point into
//! ```
//! Everything that is wrong with the names and forms of cells is gathered, so that one answer says it all.

use super::form::Form;
use super::problem::{Problem, Problems};
use crate::table::{NumberFormat, push_number};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

/// A cell as JSON gave it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Raw {
    /// The row does not name the column.
    Absent,
    /// `null`.
    Null,
    /// A number that a double holds exactly as it was written, or as nearly as it can.
    Number(f64),
    /// A range of [`Rows::text`]: a text, or a whole number too large for a double.
    Text(u32, u32),
    /// `true` or `false`.
    Bool(bool),
    /// A list or an object.
    Nested,
}

/// The rows of a request.
#[derive(Debug, Default)]
pub(super) struct Rows {
    n_columns: usize,
    cells: Vec<Raw>,
    text: String,
    /// Whether the request was a list, so that the answer is one.
    pub(super) many: bool,
    /// What is wrong with it.
    pub(super) problems: Problems,
}

/// Why a body is no rows at all.
#[derive(Debug)]
pub(super) enum NoRows {
    /// Not JSON, with line and column.
    Json(serde_json::Error),
    /// More rows than are taken at once.
    TooMany,
}

const TOO_MANY: &str = "more rows than are taken at once";

impl Rows {
    /// Reads a body.
    pub(super) fn parse(body: &[u8], form: &Form, max_rows: usize) -> Result<Self, NoRows> {
        let mut rows = Self { n_columns: form.len(), ..Self::default() };
        rows.cells.reserve(rows.n_columns);
        let mut json = serde_json::Deserializer::from_slice(body);
        let parsed = Top { rows: &mut rows, form, max_rows }.deserialize(&mut json).and_then(|()| json.end());
        match parsed {
            Ok(()) => Ok(rows),
            Err(err) if err.is_data() && err.to_string().starts_with(TOO_MANY) => Err(NoRows::TooMany),
            Err(err) => Err(NoRows::Json(err)),
        }
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.cells.len().checked_div(self.n_columns).unwrap_or(0)
    }

    /// The cell of a row at a place of the form.
    pub(super) fn cell(&self, row: usize, place: usize) -> Raw {
        self.cells[row * self.n_columns + place]
    }

    /// The text of a range.
    pub(super) fn text(&self, start: u32, end: u32) -> &str {
        &self.text[start as usize..end as usize]
    }

    /// A cell as a file would have it; empty when there is nothing.
    pub(super) fn written(&self, row: usize, place: usize) -> Cow<'_, str> {
        match self.cell(row, place) {
            Raw::Absent | Raw::Null | Raw::Nested => Cow::Borrowed(""),
            Raw::Text(start, end) => Cow::Borrowed(self.text(start, end)),
            Raw::Bool(value) => Cow::Borrowed(if value { "true" } else { "false" }),
            Raw::Number(value) => {
                let mut digits = Vec::new();
                push_number(&mut digits, value);
                Cow::Owned(String::from_utf8_lossy(&digits).into_owned())
            }
        }
    }

    /// Writes the cells of a row at these places one after another into `out`, each number as its column is written, and
    /// where each ends into `ends`.
    pub(super) fn write(
        &self,
        row: usize,
        places: &[(usize, Option<NumberFormat>)],
        out: &mut Vec<u8>,
        ends: &mut Vec<usize>,
    ) {
        for (place, number) in places {
            let place = *place;
            match (self.cell(row, place), number) {
                (Raw::Number(value), None) => push_number(out, value),
                (Raw::Number(value), Some(format)) => format.push(out, value),
                _ => out.extend_from_slice(self.written(row, place).as_bytes()),
            }
            ends.push(out.len());
        }
    }

    fn push_text(&mut self, text: &str) -> Raw {
        let start = self.text.len() as u32;
        self.text.push_str(text);
        Raw::Text(start, self.text.len() as u32)
    }
}

/// The whole body.
struct Top<'a> {
    rows: &'a mut Rows,
    form: &'a Form,
    max_rows: usize,
}

impl<'de> DeserializeSeed<'de> for Top<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row {\"column\": value, …} or a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        List { rows: self.rows, form: self.form, max_rows: self.max_rows }.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        read_row(self.rows, self.form, map, Some(self.max_rows))
    }
}

/// A list of rows.
struct List<'a> {
    rows: &'a mut Rows,
    form: &'a Form,
    max_rows: usize,
}

impl<'de> DeserializeSeed<'de> for List<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for List<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        self.rows.many = true;
        while seq.next_element_seed(One { rows: &mut *self.rows, form: self.form })?.is_some() {
            if self.rows.len() > self.max_rows {
                return Err(A::Error::custom(TOO_MANY));
            }
        }
        Ok(())
    }
}

/// A row of a list; what is no object is a problem, and the others are looked at all the same.
struct One<'a> {
    rows: &'a mut Rows,
    form: &'a Form,
}

impl One<'_> {
    fn complain(self) {
        let row = self.rows.len();
        self.rows.cells.resize(self.rows.cells.len() + self.rows.n_columns, Raw::Absent);
        self.rows.problems.push(|| Problem::of_row(row, "is no row: write {\"column\": value, …}"));
    }
}

impl<'de> DeserializeSeed<'de> for One<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Scalars that are no row.
macro_rules! no_row {
    ($($name:ident($type:ty)),*) => {
        $(fn $name<E>(self, _: $type) -> Result<(), E> {
            self.complain();
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for One<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row {\"column\": value, …}")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        read_row(self.rows, self.form, map, None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        self.complain();
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.complain();
        Ok(())
    }

    no_row!(visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));
}

/// What a key of an object is.
enum Key {
    Kept(usize),
    Allowed,
    Unknown(String),
}

struct KeySeed<'a> {
    form: &'a Form,
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Key;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Key, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Key;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Key, E> {
        Ok(match self.form.find(name, self.next) {
            Some(Some(place)) => Key::Kept(place),
            Some(None) => Key::Allowed,
            None => Key::Unknown(name.to_owned()),
        })
    }
}

/// Reads an object as a row; at the top, `rows` that is no column and comes before any column holds a list.
fn read_row<'de, A: MapAccess<'de>>(
    rows: &mut Rows,
    form: &Form,
    mut map: A,
    max_rows: Option<usize>,
) -> Result<(), A::Error> {
    let start = rows.cells.len();
    let row = rows.len();
    let mut next = 0;
    let mut wraps = max_rows;
    let mut is_wrapper = false;
    rows.cells.resize(start + rows.n_columns, Raw::Absent);
    while let Some(key) = map.next_key_seed(KeySeed { form, next })? {
        match (key, wraps) {
            (Key::Kept(place), _) => {
                let cell = map.next_value_seed(CellSeed { rows: &mut *rows })?;
                if rows.cells[start + place] != Raw::Absent {
                    rows.problems.push(|| Problem::of_cell(row, form.name(place), "stands twice"));
                }
                rows.cells[start + place] = cell;
                next = place + 1;
                wraps = None;
            }
            (Key::Unknown(name), Some(max_rows)) if name == "rows" => {
                rows.cells.truncate(start);
                map.next_value_seed(List { rows: &mut *rows, form, max_rows })?;
                (is_wrapper, wraps) = (true, None);
            }
            (Key::Allowed, _) => {
                map.next_value::<IgnoredAny>()?;
            }
            (Key::Unknown(name), _) => {
                map.next_value::<IgnoredAny>()?;
                let row = (!is_wrapper).then_some(row);
                rows.problems.push(|| Problem::unknown(row, &name));
            }
        }
    }
    Ok(())
}

struct CellSeed<'a> {
    rows: &'a mut Rows,
}

impl<'de> DeserializeSeed<'de> for CellSeed<'_> {
    type Value = Raw;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Raw, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Whole numbers up to here are doubles without loss.
const EXACT: u64 = 1 << 53;

impl<'de> Visitor<'de> for CellSeed<'_> {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(if value <= EXACT { Raw::Number(value as f64) } else { self.rows.push_text(&value.to_string()) })
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(match value.unsigned_abs() <= EXACT {
            true => Raw::Number(value as f64),
            false => self.rows.push_text(&value.to_string()),
        })
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(self.rows.push_text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Raw, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Raw::Nested)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Raw::Nested)
    }
}

#[cfg(test)]
mod tests;
