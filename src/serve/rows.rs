//! From JSON to rows of cells: no value tree, no allocation per cell.
//!
//! ```text
//! {"months": 3, "contract": "monthly"}       one row
//! [{…}, {…}]   {"rows": [{…}, {…}]}          many; see `wrapper` for the other ways
//!
//! cells   Number(3.0) Text(0..7) Absent …    one per row and column of the form
//! text    "monthly…"                         the buffer for the ranges of texts
//! ```
//! All errors of names and forms of cells are collected, so that one response reports them together.

use super::form::Form;
use super::problem::{Problem, Problems};
use crate::table::{NumberFormat, push_number};
use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::fmt;

mod cell;
mod key;
mod wrapper;

use cell::CellSeed;
use key::{Key, KeySeed};

/// A cell as in the JSON.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Raw {
    /// The row does not name the column.
    Absent,
    /// `null`.
    Null,
    /// A number as the nearest `f64`.
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
    /// Bytes requested so far.
    charged: usize,
    /// Outcomes in the order of the rows, if they are in a separate list.
    labels: Option<Vec<Raw>>,
    /// Set if the list of rows is a list of values instead.
    flat: Option<Flat>,
    /// Whether outcomes are in a separate list.
    pub(super) has_labels: bool,
    /// Whether the request was a list, so that the answer is one.
    pub(super) many: bool,
    /// The problem.
    pub(super) problems: Problems,
}

/// A list whose rows should have been lists or objects.
#[derive(Debug, Clone, Copy)]
enum Flat {
    Ordered,
    Named,
}

impl Flat {
    fn told(self) -> String {
        let form = match self {
            Self::Ordered => "[[…]], one list of values per row",
            Self::Named => "[{\"column\": value, …}], one object per row",
        };
        format!("the list contains values instead of rows: write {form}")
    }
}

/// Why a body contains no rows.
#[derive(Debug)]
pub(super) enum NoRows {
    /// Not JSON, with line and column.
    Json(serde_json::Error),
    /// A number outside the range of `f64`, with line and column.
    OutOfRange(serde_json::Error),
    /// More rows than the limit.
    TooMany,
    /// The cells need more memory than is available.
    NoRoom,
}

const TOO_MANY: &str = "too many rows in one request";
const NO_ROOM: &str = "too many cells in one request";
/// Bytes per cell: here, as a feature, and in the log.
const BYTES_PER_CELL: usize = size_of::<Raw>() + 24;

/// The memory budget: whether this many more bytes may be used.
pub(super) type Allow<'a> = &'a mut dyn FnMut(usize) -> bool;

impl Rows {
    /// Reads a body.
    pub(super) fn parse(body: &[u8], form: &Form, max_rows: usize, allow: Allow) -> Result<Self, NoRows> {
        let mut rows = Self { n_columns: form.len(), ..Self::default() };
        if !rows.make_room(allow) {
            return Err(NoRows::NoRoom);
        }
        rows.cells.reserve(rows.n_columns);
        let mut json = serde_json::Deserializer::from_slice(body);
        let parsed = Top(&mut Reader { rows: &mut rows, form, max_rows, allow })
            .deserialize(&mut json)
            .and_then(|()| json.end());
        // One message instead of one for each value.
        if let (Ok(()), Some(flat)) = (&parsed, rows.flat) {
            rows.problems = Problems::one(Problem::of_all(flat.told()));
            rows.cells.clear();
        }
        match parsed {
            Ok(()) => Ok(rows),
            Err(err) if err.is_data() && err.to_string().starts_with(TOO_MANY) => Err(NoRows::TooMany),
            Err(err) if err.is_data() && err.to_string().starts_with(NO_ROOM) => Err(NoRows::NoRoom),
            Err(err) if err.to_string().starts_with("number out of range") => Err(NoRows::OutOfRange(err)),
            Err(err) => Err(NoRows::Json(err)),
        }
    }

    /// Adds a row without cells; returns its index.
    fn push_empty(&mut self) -> usize {
        let row = self.len();
        self.cells.resize(self.cells.len() + self.n_columns, Raw::Absent);
        row
    }

    /// Reserves memory for another row; the capacity doubles each time, so that this is rare.
    fn make_room(&mut self, allow: Allow) -> bool {
        let need = (self.cells.len() + self.n_columns) * BYTES_PER_CELL + self.text.len();
        if need <= self.charged {
            return true;
        }
        let more = need.max(2 * self.charged) - self.charged;
        self.charged += more;
        allow(more)
    }

    /// Number of rows.
    pub(super) fn len(&self) -> usize {
        self.cells.len().checked_div(self.n_columns).unwrap_or(0)
    }

    /// The cell of a row at an index of the form.
    pub(super) fn cell(&self, row: usize, place: usize) -> Raw {
        self.cells[row * self.n_columns + place]
    }

    /// The text of a range.
    pub(super) fn text(&self, start: u32, end: u32) -> &str {
        &self.text[start as usize..end as usize]
    }

    /// A cell as in a file; empty if missing.
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

    /// Appends the cells of a row at these indices to `out`, each number in its column's format, and the end of each
    /// cell to `ends`.
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

/// The state of parsing a body.
struct Reader<'a> {
    rows: &'a mut Rows,
    form: &'a Form,
    max_rows: usize,
    allow: Allow<'a>,
}

/// The whole body.
struct Top<'r, 'a>(&'r mut Reader<'a>);

impl<'de> DeserializeSeed<'de> for Top<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Top<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row {\"column\": value, …} or a list of rows")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<(), A::Error> {
        List { reader: self.0, order: None }.visit_seq(seq)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        let row = read_row(self.0, map, true)?;
        if row == Read::Wrapper {
            wrapper::finish(self.0)
        }
        Ok(())
    }
}

/// A list of rows; if there is a column order, rows may also be lists of values.
struct List<'r, 'a> {
    reader: &'r mut Reader<'a>,
    order: Option<&'r [Option<usize>]>,
}

impl<'de> DeserializeSeed<'de> for List<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for List<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of rows")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.reader.rows.many = true;
        match self.order {
            // A single row instead of a list.
            None => read_row(self.reader, map, false).map(|_| ()),
            Some(_) => wrapper::read_columns(self.reader, map),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { reader, order } = self;
        reader.rows.many = true;
        while seq.next_element_seed(One { reader: &mut *reader, order })?.is_some() {
            if reader.rows.len() > reader.max_rows {
                return Err(A::Error::custom(TOO_MANY));
            }
            if !reader.rows.make_room(reader.allow) {
                return Err(A::Error::custom(NO_ROOM));
            }
        }
        Ok(())
    }
}

/// A row of a list; entries that are not rows are reported, and parsing continues.
struct One<'r, 'a> {
    reader: &'r mut Reader<'a>,
    order: Option<&'r [Option<usize>]>,
}

impl One<'_, '_> {
    fn complain(self) {
        let rows = &mut *self.reader.rows;
        if rows.len() == 0 {
            rows.flat = Some(if self.order.is_some() { Flat::Ordered } else { Flat::Named });
        }
        let row = rows.push_empty();
        rows.problems.push(|| Problem::of_row(row, "is not a row: write {\"column\": value, …}"));
    }
}

impl<'de> DeserializeSeed<'de> for One<'_, '_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Scalars that are not a row.
macro_rules! no_row {
    ($($name:ident($type:ty)),*) => {
        $(fn $name<E>(self, _: $type) -> Result<(), E> {
            self.complain();
            Ok(())
        })*
    };
}

impl<'de> Visitor<'de> for One<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a row {\"column\": value, …}")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        read_row(self.reader, map, false).map(|_| ())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Some(order) = self.order else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            self.complain();
            return Ok(());
        };
        wrapper::read_values(self.reader.rows, order, seq)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.complain();
        Ok(())
    }

    no_row!(visit_bool(bool), visit_u64(u64), visit_i64(i64), visit_f64(f64), visit_str(&str));
}

/// The meaning of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Read {
    Row,
    Wrapper,
}

/// Reads an object as a row; at the top level, a wrapper's key that is not a column and precedes all columns starts a
/// wrapper.
fn read_row<'de, A: MapAccess<'de>>(reader: &mut Reader, mut map: A, may_wrap: bool) -> Result<Read, A::Error> {
    let form = reader.form;
    let row = reader.rows.push_empty();
    let start = row * reader.rows.n_columns;
    let mut next = 0;
    let mut is_row = !may_wrap;
    while let Some(key) = map.next_key_seed(KeySeed { form, next })? {
        match key {
            Key::Kept(place) => {
                let cell = map.next_value_seed(CellSeed { rows: &mut *reader.rows })?;
                if reader.rows.cells[start + place] != Raw::Absent {
                    reader.rows.problems.push(|| Problem::of_cell(row, form.name(place), "appears twice"));
                }
                reader.rows.cells[start + place] = cell;
                next = place + 1;
                is_row = true;
            }
            Key::Allowed => {
                map.next_value::<IgnoredAny>()?;
                is_row = true;
            }
            Key::Unknown(name) => match wrapper::Part::of(&name).filter(|_| !is_row) {
                Some(part) => {
                    reader.rows.cells.truncate(start);
                    wrapper::read(reader, part, map)?;
                    return Ok(Read::Wrapper);
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                    reader.rows.problems.push(|| Problem::unknown(Some(row), &name));
                }
            },
        }
    }
    Ok(Read::Row)
}

#[cfg(test)]
mod tests;
