//! Columns during computation: one value for all rows, or one per row, borrowed if nothing has to be computed.

use crate::table::{Categories, MISSING_CODE, MISSING_TIME, Texts, Values};
use std::borrow::Cow;
use std::sync::Arc;

/// Values of one type.
#[derive(Debug, Clone)]
pub(super) enum Cells<'a, T: Copy> {
    /// The same for every row.
    One(T),
    Many(Cow<'a, [T]>),
}

/// The value of a part of an expression.
#[derive(Debug, Clone)]
pub(super) enum Vector<'a> {
    /// Numbers and truth values; `NaN` is missing.
    Number(Cells<'a, f64>),
    /// Times; [`MISSING_TIME`] is missing.
    Time(Cells<'a, i64>),
    Text(Strings<'a>),
}

/// Texts by dictionary; levels may repeat, and an empty one is missing.
#[derive(Debug, Clone)]
pub(super) struct Strings<'a> {
    /// Index of the level, or [`MISSING_CODE`].
    pub(super) codes: Cells<'a, u32>,
    pub(super) levels: Levels<'a>,
}

/// The distinct texts, or one per row.
#[derive(Debug, Clone)]
pub(super) enum Levels<'a> {
    Borrowed(&'a [String]),
    Texts(&'a Texts),
    Owned(Vec<String>),
}

impl<T: Copy> Cells<'_, T> {
    pub(super) fn get(&self, row: usize) -> T {
        match self {
            Self::One(value) => *value,
            Self::Many(values) => values[row],
        }
    }

    /// `f` of every value, in place where the values are owned.
    pub(super) fn map(self, f: impl Fn(T) -> T) -> Self {
        match self {
            Self::One(value) => Self::One(f(value)),
            Self::Many(values) => {
                let mut values = values.into_owned();
                values.iter_mut().for_each(|value| *value = f(*value));
                Self::Many(Cow::Owned(values))
            }
        }
    }

    pub(super) fn each<U: Copy>(&self, f: impl Fn(T) -> U) -> Cells<'static, U> {
        match self {
            Self::One(value) => Cells::One(f(*value)),
            Self::Many(values) => Cells::Many(values.iter().map(|value| f(*value)).collect()),
        }
    }

    /// One value per row.
    pub(super) fn into_vec(self, n_rows: usize) -> Vec<T> {
        match self {
            Self::One(value) => vec![value; n_rows],
            Self::Many(values) => values.into_owned(),
        }
    }
}

impl<'a> Cells<'a, f64> {
    /// `f` of every pair of values, in place if one side is owned.
    pub(super) fn zip(self, other: Cells<'a, f64>, f: fn(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::One(left), right) => right.map(|right| f(left, right)),
            (left, Self::One(right)) => left.map(|left| f(left, right)),
            (Self::Many(left), Self::Many(Cow::Owned(mut right))) => {
                right.iter_mut().zip(left.iter()).for_each(|(right, left)| *right = f(*left, *right));
                Self::Many(Cow::Owned(right))
            }
            (Self::Many(left), Self::Many(right)) => {
                let mut left = left.into_owned();
                left.iter_mut().zip(right.iter()).for_each(|(left, right)| *left = f(*left, *right));
                Self::Many(Cow::Owned(left))
            }
        }
    }
}

/// Characters trimmed from a text, as when reading a file.
const BLANK: [char; 3] = [' ', '\t', '\r'];

impl Levels<'_> {
    pub(super) fn get(&self, level: usize) -> &str {
        let text = match self {
            Self::Borrowed(levels) => levels[level].as_str(),
            Self::Texts(texts) => texts.get(level),
            Self::Owned(levels) => levels[level].as_str(),
        };
        text.trim_matches(BLANK)
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::Borrowed(levels) => levels.len(),
            Self::Texts(texts) => texts.len(),
            Self::Owned(levels) => levels.len(),
        }
    }
}

impl<'a> Strings<'a> {
    pub(super) fn one(text: &str) -> Self {
        let code = if text.is_empty() { MISSING_CODE } else { 0 };
        Self { codes: Cells::One(code), levels: Levels::Owned(vec![text.to_owned()]) }
    }

    /// The text at a row; `None` when it is missing.
    pub(super) fn get(&self, row: usize) -> Option<&str> {
        match self.codes.get(row) {
            MISSING_CODE => None,
            code => Some(self.levels.get(code as usize)).filter(|text| !text.is_empty()),
        }
    }

    /// `f` of every text, evaluated once per level if there are fewer levels than rows.
    pub(super) fn each<T: Copy>(&self, missing: T, f: impl Fn(&str) -> T) -> Cells<'static, T> {
        let of = |text: &str| if text.is_empty() { missing } else { f(text) };
        if let Cells::Many(codes) = &self.codes
            && codes.len() < self.levels.len()
        {
            let of_row = |code: &u32| if *code == MISSING_CODE { missing } else { of(self.levels.get(*code as usize)) };
            return Cells::Many(codes.iter().map(of_row).collect());
        }
        let of_level: Vec<T> = (0..self.levels.len()).map(|level| of(self.levels.get(level))).collect();
        self.codes.each(|code| of_level.get(code as usize).copied().unwrap_or(missing))
    }

    /// Replaces the text of every level.
    pub(super) fn levels_as(self, f: impl Fn(&str) -> String) -> Self {
        let levels = (0..self.levels.len()).map(|level| f(self.levels.get(level))).collect();
        Self { codes: self.codes, levels: Levels::Owned(levels) }
    }

    /// As a stored category: the levels that occur, sorted.
    fn into_categories(self, n_rows: usize) -> Categories {
        let mut occurs = vec![false; self.levels.len()];
        (0..n_rows).map(|row| self.codes.get(row)).filter(|code| *code != MISSING_CODE).for_each(|code| {
            occurs[code as usize] = true;
        });
        let of = |level: usize| self.levels.get(level);
        let mut sorted: Vec<&str> =
            (0..occurs.len()).filter(|level| occurs[*level]).map(of).filter(|text| !text.is_empty()).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let place = |level: usize| sorted.binary_search(&of(level)).map_or(MISSING_CODE, |place| place as u32);
        let places: Vec<u32> =
            (0..occurs.len()).map(|level| if occurs[level] { place(level) } else { MISSING_CODE }).collect();
        let codes = (0..n_rows).map(|row| places.get(self.codes.get(row) as usize).copied().unwrap_or(MISSING_CODE));
        Categories {
            codes: codes.collect(),
            levels: sorted.iter().map(|&text| text.to_owned()).collect::<Arc<[String]>>(),
        }
    }
}

impl<'a> Vector<'a> {
    /// The cells of a column as stored.
    pub(super) fn of(values: &'a Values) -> Self {
        match values {
            Values::Number(values) => Self::Number(Cells::Many(Cow::Borrowed(values))),
            Values::Time(values) => Self::Time(Cells::Many(Cow::Borrowed(values))),
            Values::Category(cells) => Self::Text(Strings {
                codes: Cells::Many(Cow::Borrowed(&cells.codes)),
                levels: Levels::Borrowed(&cells.levels),
            }),
            Values::Text(texts) => Self::Text(Strings {
                codes: Cells::Many((0..texts.len() as u32).collect()),
                levels: Levels::Texts(texts),
            }),
        }
    }

    /// As a stored column of `n_rows` cells.
    pub(super) fn into_values(self, n_rows: usize) -> Values {
        match self {
            Self::Number(cells) => Values::Number(cells.into_vec(n_rows)),
            Self::Time(cells) => Values::Time(cells.into_vec(n_rows)),
            Self::Text(strings) => Values::Category(strings.into_categories(n_rows)),
        }
    }

    /// 1 where a value is missing, else 0.
    pub(super) fn missing(&self) -> Cells<'static, f64> {
        let truth = |holds: bool| if holds { 1.0 } else { 0.0 };
        match self {
            Self::Number(cells) => cells.each(|value| truth(value.is_nan())),
            Self::Time(cells) => cells.each(|value| truth(value == MISSING_TIME)),
            Self::Text(strings) => strings.each(1.0, |_| 0.0),
        }
    }

    pub(super) fn numbers(self) -> Cells<'a, f64> {
        match self {
            Self::Number(cells) => cells,
            // A checked expression never requests a number of these.
            Self::Time(_) | Self::Text(_) => Cells::One(f64::NAN),
        }
    }

    pub(super) fn times(self) -> Cells<'a, i64> {
        match self {
            Self::Time(cells) => cells,
            Self::Number(_) | Self::Text(_) => Cells::One(MISSING_TIME),
        }
    }

    pub(super) fn texts(self) -> Strings<'a> {
        match self {
            Self::Text(strings) => strings,
            Self::Number(_) | Self::Time(_) => Strings::one(""),
        }
    }
}
