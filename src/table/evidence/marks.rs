//! The notation of the numbers of a column.
//!
//! For each cell, all matching notations (of eight) are recorded; those that match all cells remain. If two of them
//! give different numbers (`1,234`), the other columns of the file decide, or the user. A text that is the same before
//! or after all digits is a unit.

use super::times::{Place, place};
use super::ways::{ALL, Read, Readings, ways_of, with_unit};
use crate::table::NumberFormat;
use crate::table::number::{WAYS, is_part, with_latin_digits};

const POINT: u8 = 0x0f;
const COMMA: u8 = 0xf0;
/// `1.234`, which is either a decimal number or more than a thousand.
const GROUPED: u8 = POINT | 1 << 5;
/// Cells stored for a message.
const SHOWN: usize = 3;
/// Maximum number of different sets of notations and units.
const MAX_GROUPS: usize = 24;
/// This many numbers such as `1.234` among whole numbers below 1000 are probably not decimals with trailing zeros;
/// `SOME` are enough if there are more whole numbers.
const MANY: u64 = 50;
const SOME: u64 = 5;
/// Up to this many different non-numeric texts, they probably mean "missing".
const FEW_TEXTS: usize = 2;
/// The same, if most cells are numbers.
const SOME_TEXTS: usize = 8;
/// The evidence from the cells of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks {
    /// Cells by their matching notations and unit.
    groups: Vec<Group>,
    /// Whole numbers of more than three digits without marks.
    long: bool,
    /// The first distinct non-numeric texts, and the number of such cells.
    texts: Vec<String>,
    n_texts: u64,
    sole: Sole,
}

/// The text that all cells have before or after their digits, if there is only one and it is not in
/// [`UNITS`](super::ways).
#[derive(Debug, Clone, Default)]
enum Sole {
    #[default]
    Unseen,
    Unit {
        text: String,
        stands_first: bool,
        marks: Box<Marks>,
    },
    None,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    ways: u8,
    unit: Option<String>,
    /// Whether the cells are plain numbers.
    plain: bool,
    n: u64,
    first: Vec<Place>,
}

/// How a column's numbers are written, or why this is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Written {
    /// All of them plainly, or they are not numbers.
    Plain,
    /// All of them in this notation.
    Like(NumberFormat),
    /// A cell that is a different number in two notations.
    Ambiguous(Place),
    /// Most of them in this notation (`None`: plainly), except these cells.
    Mostly { format: Option<NumberFormat>, others: Vec<Place>, n_others: u64 },
}

impl Marks {
    /// Adds a plain number; returns its values with a decimal point and with a decimal comma.
    #[inline]
    pub(crate) fn push_plain(&mut self, value: f64, text: &str, line: &impl Fn() -> u64) -> Readings {
        let bytes = match text.as_bytes() {
            [b'-' | b'+', digits @ ..] => digits,
            digits => digits,
        };
        let ways = match memchr::memchr(b'.', bytes) {
            None => {
                self.long |= bytes.len() > 3;
                ALL
            }
            Some(at) => {
                let first = &bytes[..at];
                let in_group = bytes.len() == at + 4 && (1..=3).contains(&first.len()) && first[0] != b'0';
                if in_group && bytes[at + 1..].iter().all(u8::is_ascii_digit) { GROUPED } else { POINT }
            }
        };
        self.sole = Sole::None;
        self.add(ways, None, true, text, line);
        let comma = match ways {
            ALL => Some(value),
            // Three digits after the point.
            GROUPED => Some((value * 1000.0).round()),
            _ => None,
        };
        [Some(value), comma]
    }

    /// Adds a text that is not a plain number; returns its values with a decimal point and with a decimal comma.
    pub(crate) fn push_other(&mut self, text: &str, line: &impl Fn() -> u64) -> Readings {
        let latin = with_latin_digits(text);
        let known = ways_of(&latin);
        let with_unit = self.push_sole(&latin, known.is_some(), line);
        let readings = known.map_or(with_unit, |known| known.readings);
        let (ways, unit) = known.map_or((0, None), |known| (known.ways, known.unit));
        if known.is_none() {
            self.n_texts += 1;
            self.note_text(text);
        }
        self.add(ways, unit, false, text, line);
        readings
    }

    /// Stores a non-numeric text; one more than [`SOME_TEXTS`] means many.
    fn note_text(&mut self, text: &str) {
        if self.texts.len() <= SOME_TEXTS && !self.texts.iter().any(|known| known == text) {
            self.texts.push(text.to_owned());
        }
    }

    /// Compares the text before or after the digits with that of the other cells.
    fn push_sole(&mut self, text: &str, is_known: bool, line: &impl Fn() -> u64) -> Readings {
        if matches!(self.sole, Sole::None) {
            return Readings::default();
        }
        let Some((Read { ways, unit: Some(unit), readings }, first)) = (if is_known { None } else { with_unit(text) })
        else {
            self.sole = Sole::None;
            return Readings::default();
        };
        if matches!(self.sole, Sole::Unseen) {
            self.sole = Sole::Unit { text: unit.to_owned(), stands_first: first, marks: Box::default() };
        }
        match &mut self.sole {
            Sole::Unit { text: own, stands_first, marks } if own == unit && *stands_first == first => {
                marks.add(ways, Some(unit), false, text, line);
                readings
            }
            _ => {
                self.sole = Sole::None;
                Readings::default()
            }
        }
    }

    #[inline]
    fn add(&mut self, ways: u8, unit: Option<&str>, plain: bool, text: &str, line: &impl Fn() -> u64) {
        let same = |g: &Group| g.ways == ways && g.plain == plain && g.unit.as_deref() == unit;
        let group = match self.groups.iter_mut().position(|g| same(g)) {
            Some(at) => &mut self.groups[at],
            None if self.groups.len() >= MAX_GROUPS => return,
            None => {
                self.groups.push(Group { ways, unit: unit.map(str::to_owned), plain, n: 0, first: Vec::new() });
                let last = self.groups.len() - 1;
                &mut self.groups[last]
            }
        };
        group.n += 1;
        if group.first.len() < SHOWN {
            group.first.push(place(text, line));
        }
    }

    pub(crate) fn merge(&mut self, next: Self) {
        self.long |= next.long;
        self.n_texts += next.n_texts;
        next.texts.iter().for_each(|text| self.note_text(text));
        self.sole = std::mem::take(&mut self.sole).and(next.sole);
        for group in next.groups {
            let same = |g: &Group| g.ways == group.ways && g.plain == group.plain && g.unit == group.unit;
            match self.groups.iter().position(same) {
                Some(at) => {
                    let own = &mut self.groups[at];
                    own.n += group.n;
                    own.first.extend(group.first.into_iter().take(SHOWN.saturating_sub(own.first.len())));
                }
                None if self.groups.len() >= MAX_GROUPS => {}
                None => self.groups.push(group),
            }
        }
    }

    /// Whether some cell is a number that is not plain, or may be one.
    pub(crate) fn any(&self) -> bool {
        self.groups.iter().any(|g| !g.plain && g.ways != 0) || self.n(|g| g.plain && g.ways == GROUPED) > 0
    }

    fn n(&self, which: impl Fn(&Group) -> bool) -> u64 {
        self.groups.iter().filter(|g| which(g)).map(|g| g.n).sum()
    }

    fn fitting(&self, way: usize) -> u64 {
        self.n(|g| g.ways >> way & 1 == 1)
    }

    /// The decimal mark, if some cell determines it.
    pub(crate) fn decimal(&self) -> Option<char> {
        let ways = self.groups.iter().fold(ALL, |ways, g| ways & g.ways);
        match (ways & POINT, ways & COMMA) {
            (0, 0) | (1.., 1..) => None,
            // A space or an apostrophe between groups is no evidence, but then both families remain.
            (1.., 0) => Some('.'),
            (0, 1..) => Some(','),
        }
    }

    /// The notation of all `present` cells, where `decimal` is the decimal mark of other columns; a file
    /// with semicolons as delimiters probably uses the decimal comma.
    pub(crate) fn written(&self, present: u64, decimal: Option<char>, semicolons: bool) -> Written {
        if self.n(|g| g.ways != 0) == 0 {
            return Written::Plain;
        }
        let best = (0..WAYS.len()).map(|way| self.fitting(way)).max().unwrap_or(0);
        let left = (0..WAYS.len()).filter(|&way| self.fitting(way) == best).fold(0_u8, |ways, way| ways | 1 << way);
        let marked = self.n(|g| !g.plain && g.ways != 0);
        let family = match decimal {
            Some(',') if left & COMMA != 0 => COMMA,
            Some(_) if left & POINT != 0 => POINT,
            _ => match self.undecided(left, marked, semicolons) {
                Some(place) => return Written::Ambiguous(place),
                None if left & POINT != 0 => POINT,
                None => COMMA,
            },
        };
        // The remaining notation with the fewest marks; a point as separator requires groups.
        let way = (left & family).trailing_zeros() as usize;
        let (mark, thousands) = WAYS[way];
        let grouped = self.n(|g| g.ways == GROUPED && g.plain) > 0;
        let plainly = marked == 0 && (mark == '.' || !grouped);
        let unit = self.unit();
        let format = (!plainly).then(|| NumberFormat { decimal: mark, thousands, unit: unit.clone() });
        let needs_unit = unit.as_deref().is_some_and(is_part);
        let fits = |g: &Group| {
            let unit_fits = if g.unit.is_none() { !needs_unit } else { g.unit == unit };
            g.ways >> way & 1 == 1 && unit_fits
        };
        let n_fitting = self.n(fits);
        if n_fitting == present {
            return format.map_or(Written::Plain, Written::Like);
        }
        let mut others: Vec<Place> =
            self.groups.iter().filter(|g| !fits(g)).flat_map(|g| g.first.iter().cloned()).collect();
        others.sort_by_key(|place| place.line);
        others.truncate(SHOWN);
        Written::Mostly { format, others, n_others: present - n_fitting }
    }

    /// The notation of all cells, if they have an unknown unit, as in [`Marks::written`]. Whole numbers after a text
    /// may also be names (`Room 12`), and so may values that are `unique` (`1001A`).
    pub(crate) fn written_with_unit(&self, unique: bool, decimal: Option<char>, semicolons: bool) -> Written {
        let Sole::Unit { stands_first, marks, .. } = &self.sole else { return Written::Plain };
        let present = marks.n(|_| true);
        if (*stands_first || unique) && marks.n(|g| g.ways == ALL) == present {
            return Written::Plain;
        }
        marks.written(present, decimal, semicolons)
    }

    /// The number of distinct non-numeric texts, if all cells outside the notation are such texts, and they are few.
    pub(crate) fn few_texts(&self, n_others: u64) -> Option<usize> {
        let few = if 2 * n_others < self.n(|_| true) { SOME_TEXTS } else { FEW_TEXTS };
        (self.n_texts == n_others && (1..=few).contains(&self.texts.len())).then_some(self.texts.len())
    }

    /// Whether every cell is a number in some notation.
    pub(crate) fn all_numbers(&self) -> bool {
        self.groups.iter().all(|g| g.ways != 0)
    }

    /// A cell that differs between decimal point and decimal comma, if nothing decides between them.
    fn undecided(&self, left: u8, marked: u64, semicolons: bool) -> Option<Place> {
        if left & POINT == 0 || left & COMMA == 0 {
            return None;
        }
        let has = |g: &Group, way: u8| g.ways >> way & 1 == 1;
        let either = |g: &&Group| g.ways != ALL && ((has(g, 1) && has(g, 4)) || (has(g, 0) && has(g, 5)));
        let group = self.groups.iter().find(either)?;
        if marked > 0 {
            return group.first.first().cloned();
        }
        // Plain numbers are plain, unless there are whole ones below 1000 and many with exactly three decimals, or all
        // have three decimals and commas are not delimiters.
        let n_whole = self.n(|g| g.ways == ALL);
        let thousands = if n_whole > 0 { !self.long } else { semicolons };
        let many = if n_whole > group.n { SOME } else { MANY };
        (group.n >= many && thousands).then(|| group.first.first().cloned()).flatten()
    }

    /// A plain number such as `8.293`, if three digits follow each mark and no number without a mark is above 999: the
    /// mark may separate thousands, whatever other columns use.
    pub(crate) fn may_be_thousands(&self) -> Option<Place> {
        let grouped = |g: &Group| g.plain && (g.ways == ALL || g.ways == GROUPED);
        self.groups.iter().all(grouped).then(|| self.undecided(ALL, 0, false)).flatten()
    }

    /// The most frequent unit.
    fn unit(&self) -> Option<String> {
        let mut counts: Vec<(&str, u64)> = Vec::new();
        for group in &self.groups {
            let Some(unit) = group.unit.as_deref() else { continue };
            match counts.iter_mut().find(|(known, _)| *known == unit) {
                Some((_, n)) => *n += group.n,
                None => counts.push((unit, group.n)),
            }
        }
        // On a tie, the first.
        counts.iter().rev().max_by_key(|(_, n)| *n).map(|(unit, _)| (*unit).to_owned())
    }
}

impl Sole {
    fn and(self, next: Self) -> Self {
        match (self, next) {
            (Self::Unseen, other) | (other, Self::Unseen) => other,
            (
                Self::Unit { text, stands_first, mut marks },
                Self::Unit { text: other, stands_first: then, marks: more },
            ) if text == other && stands_first == then => {
                marks.merge(*more);
                Self::Unit { text, stands_first, marks }
            }
            _ => Self::None,
        }
    }
}

#[cfg(test)]
mod tests;
