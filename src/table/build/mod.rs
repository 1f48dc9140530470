//! Typed columns during reading: storage of cells, parts of a column, and how parts are joined.
//!
//! ```text
//! schema + column names of the file ─Plan─▶ Wanted columns, each with its Storage
//! cells of a piece ─▶ Part ─┐
//! cells of a piece ─▶ Part ─┴─Builder, in file order─▶ column
//! ```
//! CSV and Parquet both fill parts; neither depends on the other.

pub(crate) mod plan;

use std::borrow::Cow;
use std::sync::Arc;

use rayon::prelude::*;

use crate::table::cell::Markers;
use crate::table::column::reserve;
use crate::table::dictionary::Dictionary;
use crate::table::id::WholeIds;
use crate::table::level::truth;
use crate::table::time::{TimeFormat, is_no_time};
use crate::table::{
    Categories, ColumnSpec, Kind, LevelFinder, MISSING_CODE, MISSING_TIME, NumberFormat, Texts, Values,
};

/// How the cells of a column are stored.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    Number,
    /// Numbers that are 0 or 1, which may be written as words.
    Flag,
    /// Numbers that are not plain.
    Written(NumberFormat),
    Time(TimeFormat),
    /// With the finder of levels by their spellings, if levels are known.
    Category(Option<Arc<LevelFinder>>),
    Text,
    /// Ids that are whole numbers, as their digits.
    Ids(WholeIds),
}

impl Storage {
    /// The storage of a column; `None` for [`Kind::Ignore`].
    pub(crate) fn of(column: &ColumnSpec, time: TimeFormat, number: Option<NumberFormat>) -> Option<Self> {
        match column.kind {
            Kind::Number if column.is_flag() => Some(Self::Flag),
            Kind::Number => Some(number.map_or(Self::Number, Self::Written)),
            Kind::Time => Some(Self::Time(time)),
            Kind::Category | Kind::Constant => Some(Self::Category(column.spelling.finder().cloned())),
            Kind::Id => Some(column.whole_ids().map_or(Self::Text, Self::Ids)),
            Kind::Text => Some(Self::Text),
            Kind::Ignore => None,
        }
    }

    /// The number in a trimmed text of a plain number column: `NaN` if missing, `None` if invalid.
    #[inline]
    pub(crate) fn plain_number(&self, text: &[u8], markers: &Markers) -> Option<f64> {
        let written = || std::str::from_utf8(text).ok();
        markers.number(text).or_else(|| match self {
            Self::Flag => written().and_then(truth).map(f64::from),
            _ => written().and_then(NumberFormat::plain_in_groups),
        })
    }

    /// The expected content of a cell, for an error.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Number | Self::Flag => "a number".to_owned(),
            Self::Written(format) => format.expected(),
            Self::Time(format) => format.expected(),
            Self::Ids(ids) => ids.expected(),
            Self::Category(_) | Self::Text => "text".to_owned(),
        }
    }
}

/// The cells of one column in one piece.
#[derive(Debug)]
pub(crate) enum Part {
    Number(Vec<f64>),
    Time(Vec<i64>),
    Category(CategoryPart),
    Text(Texts),
}

/// Codes in the piece's own dictionary, in which missing markers are still levels.
#[derive(Debug, Default)]
pub(crate) struct CategoryPart {
    codes: Vec<u32>,
    dictionary: Dictionary,
    /// Whether a level is a missing marker: looked up once per level, not per cell.
    missing: Vec<bool>,
}

impl Part {
    /// An empty part for `n_rows` cells.
    pub(crate) fn new(storage: &Storage, n_rows: usize) -> Self {
        match storage {
            Storage::Number | Storage::Flag | Storage::Written(_) => Self::Number(Vec::with_capacity(n_rows)),
            Storage::Time(_) => Self::Time(Vec::with_capacity(n_rows)),
            Storage::Category(_) => {
                Self::Category(CategoryPart { codes: Vec::with_capacity(n_rows), ..CategoryPart::default() })
            }
            Storage::Text | Storage::Ids(_) => Self::Text(Texts::default()),
        }
    }

    /// Adds a trimmed text; `false`, with a missing cell added, when it does not fit.
    pub(crate) fn push(&mut self, text: &str, storage: &Storage, markers: &Markers) -> bool {
        match (self, storage) {
            (Self::Number(values), Storage::Written(format)) => {
                let value = if markers.is_missing(text.as_bytes()) { Some(f64::NAN) } else { format.parse(text) };
                values.push(value.unwrap_or(f64::NAN));
                value.is_some()
            }
            (Self::Number(values), _) => {
                let value = storage.plain_number(text.as_bytes(), markers);
                values.push(value.unwrap_or(f64::NAN));
                value.is_some()
            }
            (Self::Time(values), Storage::Time(format)) => {
                if markers.is_missing(text.as_bytes()) || is_no_time(text) {
                    values.push(MISSING_TIME);
                    return true;
                }
                let value = format.parse(text);
                values.push(value.unwrap_or(MISSING_TIME));
                value.is_some()
            }
            (Self::Time(values), _) => {
                values.push(MISSING_TIME);
                text.is_empty()
            }
            (Self::Category(part), _) => {
                part.push(text, markers);
                true
            }
            (Self::Text(texts), Storage::Ids(ids)) => {
                let id = if markers.is_missing(text.as_bytes()) { Some(Cow::Borrowed("")) } else { ids.read(text) };
                texts.push(id.as_deref().unwrap_or_default());
                id.is_some()
            }
            (Self::Text(texts), _) => {
                texts.push(if markers.is_missing(text.as_bytes()) { "" } else { text });
                true
            }
        }
    }
}

impl CategoryPart {
    /// The code of the last cell.
    pub(crate) fn last_code(&self) -> Option<u32> {
        self.codes.last().copied()
    }

    /// Adds a cell with a level that already has a code in this part.
    #[inline]
    pub(crate) fn push_code(&mut self, code: u32) {
        self.codes.push(code);
    }

    /// Adds a trimmed text.
    #[inline]
    pub(crate) fn push(&mut self, text: &str, markers: &Markers) {
        if text.is_empty() {
            self.codes.push(MISSING_CODE);
            return;
        }
        let code = self.dictionary.intern(text);
        if code as usize == self.missing.len() {
            self.missing.push(markers.is_missing(text.as_bytes()));
        }
        self.codes.push(code);
    }
}

/// A column that grows by parts, in file order.
#[derive(Debug)]
pub(crate) enum Builder {
    Number(Vec<f64>),
    Time(Vec<i64>),
    Category { codes: Vec<u32>, dictionary: Dictionary, finder: Option<Arc<LevelFinder>> },
    Text(Texts),
}

impl Builder {
    /// A builder with room for `n_rows`.
    pub(crate) fn new(storage: &Storage, n_rows: usize) -> Self {
        match storage {
            Storage::Number | Storage::Flag | Storage::Written(_) => Self::Number(Vec::with_capacity(n_rows)),
            Storage::Time(_) => Self::Time(Vec::with_capacity(n_rows)),
            Storage::Category(finder) => Self::Category {
                codes: Vec::with_capacity(n_rows),
                dictionary: Dictionary::default(),
                finder: finder.clone(),
            },
            Storage::Text | Storage::Ids(_) => Self::Text(Texts::default()),
        }
    }

    /// Adds a part of the same storage.
    pub(crate) fn append(&mut self, part: &Part) {
        match (self, part) {
            (Self::Number(all), Part::Number(part)) => extend(all, part.iter().copied()),
            (Self::Time(all), Part::Time(part)) => extend(all, part.iter().copied()),
            (Self::Category { codes, dictionary, finder }, Part::Category(part)) => {
                let name = |level| finder.as_ref().map_or(level, |finder| finder.name(level));
                // A declared level is valid even if its text is a missing marker.
                let declared = |level| finder.as_ref().is_some_and(|finder| finder.has_name(level));
                let map: Vec<u32> = part
                    .dictionary
                    .iter()
                    .zip(&part.missing)
                    .map(|(level, &missing)| match missing && !declared(level) {
                        true => MISSING_CODE,
                        false => dictionary.intern(name(level)),
                    })
                    .collect();
                extend(codes, part.codes.iter().map(|&c| if c == MISSING_CODE { c } else { map[c as usize] }));
            }
            (Self::Text(all), Part::Text(part)) => all.append(part),
            _ => debug_assert!(false, "a builder takes parts of its own storage"),
        }
    }

    /// The finished column. Levels are sorted, so codes do not depend on where the file was cut.
    pub(crate) fn finish(self) -> Values {
        match self {
            Self::Number(mut values) => {
                values.shrink_to_fit();
                Values::Number(values)
            }
            Self::Time(mut values) => {
                values.shrink_to_fit();
                Values::Time(values)
            }
            Self::Category { codes, dictionary, .. } => Values::Category(sorted(codes, &dictionary)),
            Self::Text(mut texts) => {
                texts.shrink_to_fit();
                Values::Text(texts)
            }
        }
    }
}

/// Appends; grows in small steps if the estimate was too low.
fn extend<T>(all: &mut Vec<T>, part: impl ExactSizeIterator<Item = T>) {
    reserve(all, part.len());
    all.extend(part);
}

fn sorted(mut codes: Vec<u32>, dictionary: &Dictionary) -> Categories {
    let mut order: Vec<u32> = (0..dictionary.len() as u32).collect();
    order.par_sort_unstable_by(|&a, &b| dictionary.get(a).cmp(dictionary.get(b)));
    let mut rank = vec![0; order.len()];
    for (&code, position) in order.iter().zip(0u32..) {
        rank[code as usize] = position;
    }
    codes.shrink_to_fit();
    codes.par_iter_mut().filter(|c| **c != MISSING_CODE).for_each(|c| *c = rank[*c as usize]);
    let levels: Arc<[String]> = order.iter().map(|&code| dictionary.get(code).to_owned()).collect();
    Categories { codes, levels }
}
