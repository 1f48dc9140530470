//! Typed columns: parsed piece by piece, put together in file order.

use std::sync::Arc;

use rayon::prelude::*;

use super::index::{Index, cell_at};
use crate::table::cell::{self, Markers};
use crate::table::column::reserve;
use crate::table::decimal::short_decimal;
use crate::table::dictionary::{Dictionary, Recent};
use crate::table::time::TimeFormat;
use crate::table::{Categories, ColumnSpec, Kind, LevelFinder, MISSING_CODE, MISSING_TIME, Texts, Values};

/// How the cells of a column are stored.
#[derive(Debug, Clone)]
pub(crate) enum Storage {
    Number,
    Time(TimeFormat),
    /// With what finds levels by their spellings, where levels are known.
    Category(Option<Arc<LevelFinder>>),
    Text,
}

impl Storage {
    /// The storage of a column; `None` for [`Kind::Ignore`].
    pub(crate) fn of(column: &ColumnSpec, format: TimeFormat) -> Option<Self> {
        match column.kind {
            Kind::Number => Some(Self::Number),
            Kind::Time => Some(Self::Time(format)),
            Kind::Category | Kind::Constant => Some(Self::Category(column.spelling.finder().cloned())),
            Kind::Id | Kind::Text => Some(Self::Text),
            Kind::Ignore => None,
        }
    }

    /// What a cell should have been, for an error.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Number => "a number".to_owned(),
            Self::Time(format) => format.expected(),
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

/// Codes into the piece's own dictionary, in which missing markers are still levels.
#[derive(Debug, Default)]
pub(crate) struct CategoryPart {
    codes: Vec<u32>,
    dictionary: Dictionary,
    /// Whether a level is a missing marker: looked up once per level, not once per cell.
    missing: Vec<bool>,
}

impl Part {
    /// An empty part for `n_rows` cells.
    pub(crate) fn new(storage: &Storage, n_rows: usize) -> Self {
        match storage {
            Storage::Number => Self::Number(Vec::with_capacity(n_rows)),
            Storage::Time(_) => Self::Time(Vec::with_capacity(n_rows)),
            Storage::Category(_) => {
                Self::Category(CategoryPart { codes: Vec::with_capacity(n_rows), ..CategoryPart::default() })
            }
            Storage::Text => Self::Text(Texts::default()),
        }
    }

    /// Adds a trimmed text; `false`, with a missing cell added, when it does not fit.
    pub(crate) fn push(&mut self, text: &str, storage: &Storage, markers: &Markers) -> bool {
        match (self, storage) {
            (Self::Number(values), _) => {
                let value = markers.number(text.as_bytes());
                values.push(value.unwrap_or(f64::NAN));
                value.is_some()
            }
            (Self::Time(values), Storage::Time(format)) => {
                if markers.is_missing(text.as_bytes()) {
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
            (Self::Text(texts), _) => {
                texts.push(if markers.is_missing(text.as_bytes()) { "" } else { text });
                true
            }
        }
    }
}

impl CategoryPart {
    /// Takes in a field of the rows before `limit`; levels that were seen lately are known by their bytes.
    fn parse(&mut self, index: &Index<'_>, field: usize, limit: usize, markers: &Markers) {
        let bytes = index.text.as_bytes();
        let mut recent = Recent::default();
        let mut scratch = String::new();
        for edges in index.edges.chunks_exact(index.stride()).take(limit) {
            let (start, next) = (edges[field], edges[field + 1]);
            let key = recent.key(bytes, start as usize, next as usize - 1);
            if let Some(code) = key.and_then(|key| recent.code(key)) {
                self.codes.push(code);
                continue;
            }
            self.push(cell_at(&index.text, start, next, &mut scratch), markers);
            if let (Some(key), Some(&code)) = (key, self.codes.last()) {
                recent.remember(key, code);
            }
        }
    }

    #[inline]
    fn push(&mut self, text: &str, markers: &Markers) {
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

/// One column of one piece.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) part: Part,
    /// Rows whose cell does not fit.
    pub(crate) bad: Vec<usize>,
    /// Whether a number is written with a leading zero, like a code.
    pub(crate) leading_zero: bool,
}

/// Parses field `field` of the rows before `limit`. Cells that do not fit become missing and their rows are returned;
/// with `stop`, only the first, and the part ends there.
pub(crate) fn parse(
    index: &Index<'_>,
    field: usize,
    limit: usize,
    storage: &Storage,
    markers: &Markers,
    stop: bool,
) -> Parsed {
    if let Storage::Number = storage {
        return parse_numbers(index, field, limit, markers, stop);
    }
    let mut part = Part::new(storage, limit);
    if let Part::Category(part) = &mut part {
        part.parse(index, field, limit, markers);
        return Parsed { part: Part::Category(std::mem::take(part)), bad: Vec::new(), leading_zero: false };
    }
    let mut bad = Vec::new();
    let mut scratch = String::new();
    for (row, edges) in index.edges.chunks_exact(index.stride()).take(limit).enumerate() {
        let text = cell_at(&index.text, edges[field], edges[field + 1], &mut scratch);
        if !part.push(text, storage, markers) {
            bad.push(row);
            if stop {
                break;
            }
        }
    }
    Parsed { part, bad, leading_zero: false }
}

fn parse_numbers(index: &Index<'_>, field: usize, limit: usize, markers: &Markers, stop: bool) -> Parsed {
    let bytes = index.text.as_bytes();
    let (mut values, mut bad, mut leading_zero) = (Vec::with_capacity(limit), Vec::new(), false);
    let mut scratch = String::new();
    // A marker that is a number has to be looked for before numbers are.
    let plain = !markers.any_numeric();
    for (row, edges) in index.edges.chunks_exact(index.stride()).take(limit).enumerate() {
        let (start, next) = (edges[field], edges[field + 1]);
        let (from, to) = (start as usize, next as usize - 1);
        if from == to {
            values.push(f64::NAN);
            continue;
        }
        if plain && let Some(value) = short_decimal(bytes, from, to) {
            leading_zero |= (bytes[from] == b'0') & bytes.get(from + 1).is_some_and(u8::is_ascii_digit);
            values.push(value);
            continue;
        }
        let raw = cell::trim(&bytes[from..to]);
        let text = match raw.first() {
            Some(b'"') => cell_at(&index.text, start, next, &mut scratch).as_bytes(),
            _ => raw,
        };
        let value = markers.number(text);
        leading_zero |= matches!(text, [b'0', b'0'..=b'9', ..]);
        values.push(value.unwrap_or(f64::NAN));
        if value.is_none() {
            bad.push(row);
            if stop {
                break;
            }
        }
    }
    Parsed { part: Part::Number(values), bad, leading_zero }
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
            Storage::Number => Self::Number(Vec::with_capacity(n_rows)),
            Storage::Time(_) => Self::Time(Vec::with_capacity(n_rows)),
            Storage::Category(finder) => Self::Category {
                codes: Vec::with_capacity(n_rows),
                dictionary: Dictionary::default(),
                finder: finder.clone(),
            },
            Storage::Text => Self::Text(Texts::default()),
        }
    }

    /// Adds a part of the same storage.
    pub(crate) fn append(&mut self, part: &Part) {
        match (self, part) {
            (Self::Number(all), Part::Number(part)) => extend(all, part.iter().copied()),
            (Self::Time(all), Part::Time(part)) => extend(all, part.iter().copied()),
            (Self::Category { codes, dictionary, finder }, Part::Category(part)) => {
                let name = |level| finder.as_ref().map_or(level, |finder| finder.name(level));
                // A text that is declared to be a level is one, although it means "missing" elsewhere.
                let declared = |level| finder.as_ref().is_some_and(|finder| finder.has_name(level));
                let map: Vec<u32> = part
                    .dictionary
                    .iter()
                    .zip(&part.missing)
                    .map(
                        |(level, &missing)| {
                            if missing && !declared(level) { MISSING_CODE } else { dictionary.intern(name(level)) }
                        },
                    )
                    .collect();
                extend(codes, part.codes.iter().map(|&c| if c == MISSING_CODE { c } else { map[c as usize] }));
            }
            (Self::Text(all), Part::Text(part)) => all.append(part),
            _ => debug_assert!(false, "a builder takes parts of its own storage"),
        }
    }

    /// The finished column. Levels are sorted, so that codes do not depend on the cutting.
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

/// Appends, growing slowly where the estimate was short.
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
