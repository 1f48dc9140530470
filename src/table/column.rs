//! One column: a name and typed values.

use crate::stats::random::hash64;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// The code of a missing category.
pub const MISSING_CODE: u32 = u32::MAX;
/// The value of a missing time.
pub const MISSING_TIME: i64 = i64::MIN;

/// A named column.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// The header's name, or `c1`, `c2`, … without a header.
    pub name: String,
    /// The cells.
    pub values: Values,
}

/// The cells of a column, by kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// Numbers; `NaN` is missing.
    Number(Vec<f64>),
    /// Few distinct texts.
    Category(Categories),
    /// Microseconds since 1970-01-01 UTC; [`MISSING_TIME`] is missing.
    Time(Vec<i64>),
    /// Ids and free text.
    Text(Texts),
}

/// A dictionary-encoded column.
///
/// ```text
/// codes   0 2 0 MISSING 1        one u32 per row
/// levels  ["DSL","Fiber","No"]   sorted, distinct
/// ```
/// Levels are sorted bytewise, so that the codes do not depend on how the file was cut.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Categories {
    /// Index into `levels`, or [`MISSING_CODE`].
    pub codes: Vec<u32>,
    /// Sorted distinct levels; a level need not occur.
    pub levels: Arc<[String]>,
}

/// Texts in one buffer; an empty text is missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Texts {
    bytes: String,
    ends: Vec<usize>,
}

impl Column {
    /// A column of that name.
    #[must_use]
    pub fn new(name: impl Into<String>, values: Values) -> Self {
        Self { name: name.into(), values }
    }

    /// The given rows, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        Self { name: self.name.clone(), values: self.values.take(rows) }
    }
}

impl Values {
    /// A hash of each cell by its value, independent of the encoding.
    #[must_use]
    pub fn hashes(&self) -> Vec<u64> {
        match self {
            Self::Number(v) => v.iter().map(|x| hash64(&x.to_bits().to_le_bytes(), 1)).collect(),
            Self::Time(v) => v.iter().map(|t| hash64(&t.to_le_bytes(), 2)).collect(),
            Self::Text(t) => t.iter().map(|text| hash64(text.as_bytes(), 3)).collect(),
            Self::Category(c) => {
                (0..c.codes.len()).map(|row| hash64(c.level(row).unwrap_or_default().as_bytes(), 3)).collect()
            }
        }
    }

    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Number(v) => v.len(),
            Self::Category(c) => c.codes.len(),
            Self::Time(v) => v.len(),
            Self::Text(t) => t.len(),
        }
    }

    /// Whether the column is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether the cell at `row` is missing.
    #[must_use]
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Number(v) => v[row].is_nan(),
            Self::Category(c) => c.codes[row] == MISSING_CODE,
            Self::Time(v) => v[row] == MISSING_TIME,
            Self::Text(t) => t.get(row).is_empty(),
        }
    }

    /// The given rows, in that order.
    #[must_use]
    pub fn take(&self, rows: &[u32]) -> Self {
        match self {
            Self::Number(v) => Self::Number(rows.iter().map(|&r| v[r as usize]).collect()),
            Self::Category(c) => Self::Category(Categories {
                codes: rows.iter().map(|&r| c.codes[r as usize]).collect(),
                levels: Arc::clone(&c.levels),
            }),
            Self::Time(v) => Self::Time(rows.iter().map(|&r| v[r as usize]).collect()),
            Self::Text(t) => Self::Text(rows.iter().map(|&r| t.get(r as usize)).collect()),
        }
    }
}

impl Values {
    /// The cells of several columns, concatenated; `None` if their kinds differ or the list is empty.
    #[must_use]
    pub fn stacked(parts: &[&Self]) -> Option<Self> {
        match parts.first()? {
            Self::Number(_) => {
                let all = parts.iter().map(|part| if let Self::Number(v) = part { Some(v.as_slice()) } else { None });
                Some(Self::Number(all.collect::<Option<Vec<_>>>()?.concat()))
            }
            Self::Time(_) => {
                let all = parts.iter().map(|part| if let Self::Time(v) = part { Some(v.as_slice()) } else { None });
                Some(Self::Time(all.collect::<Option<Vec<_>>>()?.concat()))
            }
            Self::Text(_) => {
                let mut all = Texts::default();
                for part in parts {
                    let Self::Text(texts) = part else { return None };
                    all.append(texts);
                }
                Some(Self::Text(all))
            }
            Self::Category(_) => {
                let sides = parts.iter().map(|part| if let Self::Category(c) = part { Some(c) } else { None });
                Some(Self::Category(Categories::stacked(&sides.collect::<Option<Vec<_>>>()?)))
            }
        }
    }
}

impl Categories {
    /// The cells of several columns, with the levels of all of them.
    fn stacked(parts: &[&Self]) -> Self {
        let levels: BTreeSet<&str> = parts.iter().flat_map(|part| part.levels.iter()).map(String::as_str).collect();
        let index: HashMap<&str, u32> = levels.iter().copied().zip(0..).collect();
        let codes_of = |part: &&Self| {
            let codes: Vec<u32> = part.levels.iter().map(|level| index[level.as_str()]).collect();
            part.codes.iter().map(move |&code| codes.get(code as usize).copied().unwrap_or(MISSING_CODE)).collect()
        };
        let codes: Vec<Vec<u32>> = parts.iter().map(codes_of).collect();
        Self { codes: codes.concat(), levels: levels.iter().map(|&level| level.to_owned()).collect() }
    }

    /// Encodes texts; an empty text is missing.
    #[must_use]
    pub fn from_texts<'a>(texts: impl IntoIterator<Item = &'a str> + Clone) -> Self {
        let mut levels: Vec<&str> = texts.clone().into_iter().filter(|t| !t.is_empty()).collect();
        levels.sort_unstable();
        levels.dedup();
        let index: HashMap<&str, u32> = levels.iter().copied().zip(0..).collect();
        let codes = texts.into_iter().map(|t| index.get(t).copied().unwrap_or(MISSING_CODE)).collect();
        Self { codes, levels: levels.iter().map(|&l| l.to_owned()).collect() }
    }

    /// The level at `row`, or `None` when missing.
    #[must_use]
    pub fn level(&self, row: usize) -> Option<&str> {
        self.levels.get(self.codes[row] as usize).map(String::as_str)
    }
}

impl Texts {
    /// Adds a text at the end.
    pub fn push(&mut self, text: &str) {
        self.bytes.push_str(text);
        self.ends.push(self.bytes.len());
    }

    /// Adds all of another column's texts at the end.
    pub fn append(&mut self, other: &Self) {
        let shift = self.bytes.len();
        if shift + other.bytes.len() > self.bytes.capacity() {
            self.bytes.reserve_exact(room(shift, other.bytes.len()));
        }
        reserve(&mut self.ends, other.ends.len());
        self.bytes.push_str(&other.bytes);
        self.ends.extend(other.ends.iter().map(|end| shift + end));
    }

    /// Frees memory that is reserved but not used.
    pub fn shrink_to_fit(&mut self) {
        self.bytes.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    /// The text at `row`.
    #[must_use]
    pub fn get(&self, row: usize) -> &str {
        let start = if row == 0 { 0 } else { self.ends[row - 1] };
        &self.bytes[start..self.ends[row]]
    }

    /// Number of texts.
    #[must_use]
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether it is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The texts in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> + Clone {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// Makes room for `more` elements, growing by an eighth: doubling would take twice the column's size at its peak.
pub(crate) fn reserve<T>(all: &mut Vec<T>, more: usize) {
    if all.len() + more > all.capacity() {
        all.reserve_exact(room(all.len(), more));
    }
}

fn room(len: usize, more: usize) -> usize {
    more + len / 8
}

impl<'a> FromIterator<&'a str> for Texts {
    fn from_iter<I: IntoIterator<Item = &'a str>>(texts: I) -> Self {
        let mut all = Self::default();
        for text in texts {
            all.push(text);
        }
        all
    }
}
