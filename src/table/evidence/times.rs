//! Determines which time formats fit a column.

use std::sync::LazyLock;

use super::ends::Ends;
use crate::table::cell::shorten;
use crate::table::time::{TimeFormat, is_no_time};

/// The time formats tried; if two match, the earlier wins unless the values decide otherwise.
pub(crate) static FORMATS: LazyLock<Vec<TimeFormat>> = LazyLock::new(|| {
    let mut names = vec!["iso".to_owned()];
    for date in DATES {
        names.push(date.to_owned());
        for time in ["%H:%M", "%H:%M:%S", "%I:%M %p", "%I:%M:%S %p"] {
            names.push(format!("{date} {time}"));
        }
    }
    names.extend(OTHERS.map(str::to_owned));
    names.iter().filter_map(|n| TimeFormat::new(n).ok()).collect()
});

/// Dates other than ISO. Day before month precedes month before day.
const DATES: [&str; 14] = [
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%Y.%m.%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d.%m.%y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
];

/// Unambiguous formats: of programs, browsers and mails, and times of day.
const OTHERS: [&str; 34] = [
    "%Y%m%dT%H%M%S",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%H:%M",
    "%H:%M:%S",
    "%I:%M %p",
    "%Y-%m-%d %I:%M %p",
    "%Y-%m-%d %I:%M:%S %p",
    "%d.%m.%Y, %H:%M",
    "%d.%m.%Y, %H:%M:%S",
    "%d/%m/%Y, %H:%M:%S",
    "%m/%d/%Y, %I:%M:%S %p",
    "%d/%m/%Y %I:%M%p",
    "%m/%d/%Y %I:%M%p",
    "%m/%d/%y %I:%M%p",
    "%a, %d %b %Y %H:%M:%S %z",
    "%a %b %d %H:%M:%S %Y",
    "%a %d %b %Y",
    "%d. %b %Y",
    "%d de %b de %Y",
    "%d/%b/%Y",
    "%d/%b/%y %I:%M %p",
    "%d/%b/%Y:%H:%M:%S %z",
    "%d/%m/%Y, %H:%M",
    "%m/%d/%Y, %I:%M %p",
    "%d.%m.%Y %H:%M Uhr",
    "%d/%m/%Y %Hh%M",
    "%d-%b-%y %I.%M.%S.%f %p",
    "%a, %d %b %Y %H:%M:%S GMT",
    "%Y年%m月%d日",
    "%Y. %m. %d.",
    "%Y.%m.%d.",
    "%b-%d-%Y",
];

/// A cell with the line of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) value: String,
}

/// Stores a cell.
pub(crate) fn place(text: &str, line: &impl Fn() -> u64) -> Place {
    Place { line: line(), value: shorten(text) }
}

/// With up to this many other texts, plus a tenth of all cells, a column may still contain times.
const SPARE: u32 = 20;
/// Up to this many different non-time texts, they probably mean "missing".
const FEW_TEXTS: usize = 2;
/// Cells of a kind stored for a message.
const SHOWN: usize = 3;
/// Maximum number of kinds of cells.
const MAX_KINDS: usize = 64;
/// Room for all of [`FORMATS`].
const MAX_FORMATS: usize = 120;
/// Spreadsheet day numbers, counted from 1899-12-30: 1927 to 2119.
const SERIALS: std::ops::Range<f64> = 10_000.0..80_000.0;

/// The formats grouped by features of their texts, so that a text is compared with few of them.
static SHAPES: LazyLock<Vec<(Shape, u128)>> = LazyLock::new(|| {
    /// 2024-11-18 20:05:07: every part has two digits.
    const SAMPLE: i64 = 1_731_960_307_000_000;
    let mut shapes: Vec<(Shape, u128)> = Vec::new();
    for (bit, format) in FORMATS.iter().enumerate() {
        let mut text = String::new();
        format.write(SAMPLE, &mut text);
        let mut shape = Shape::of(&text);
        // An offset may also contain a colon.
        if *format == TimeFormat::Iso || format.name().contains("%z") {
            shape.colons = None;
        }
        match shapes.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, formats)) => *formats |= 1 << bit,
            None => shapes.push((shape, 1 << bit)),
        }
    }
    shapes
});

/// The character after the first digits, whether digits come first, and the number of colons.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shape {
    mark: u8,
    colons: Option<usize>,
}

impl Shape {
    fn of(text: &str) -> Self {
        let mark = text.bytes().find(|b| !b.is_ascii_digit()).unwrap_or(0);
        let mark = if mark.is_ascii_alphabetic() { b'a' } else { mark };
        Self { mark, colons: Some(text.bytes().filter(|&b| b == b':').count()) }
    }

    /// Whether texts of this shape may have this format.
    fn may_be(self, other: Self) -> bool {
        self.mark == other.mark && (other.colons.is_none() || self.colons == other.colons)
    }
}

/// The formats that match a text.
fn formats_of(text: &str) -> u128 {
    let shape = Shape::of(text);
    let mut candidates = SHAPES.iter().filter(|(other, _)| shape.may_be(*other)).fold(0, |all, (_, some)| all | some);
    let mut fitting = 0;
    while candidates != 0 {
        let bit = candidates.trailing_zeros();
        candidates &= candidates - 1;
        if FORMATS[bit as usize].fits(text) {
            fitting |= 1 << bit;
        }
    }
    fitting
}

/// The [`FORMATS`] that match all cells so far, and the cells that do not match.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    n: u32,
    /// The formats that matched every cell.
    alive: u128,
    /// Number of cells that match each format.
    hits: [u32; MAX_FORMATS],
    /// Number of cells that match some format.
    n_times: u32,
    /// Plain numbers, which match no format, and how many of them may be spreadsheet day numbers.
    numbers: u32,
    serials: u32,
    /// The first distinct other texts.
    texts: Vec<String>,
    /// Texts that mean "no time" ([`is_no_time`]): how many, and the first.
    none: u64,
    nones: Vec<String>,
    /// Whether there are too many non-time texts to continue.
    is_over: bool,
    /// Cells grouped by the formats that match them, with the first of each group.
    kinds: Vec<(u128, Vec<Place>)>,
    /// Values of the first and the second number of `1/2/2025`, as bits.
    firsts: u64,
    seconds: u64,
    /// The earliest and the latest, in microseconds.
    ends: Ends,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            n: 0,
            alive: (1 << FORMATS.len()) - 1,
            hits: [0; MAX_FORMATS],
            n_times: 0,
            numbers: 0,
            serials: 0,
            texts: Vec::new(),
            none: 0,
            nones: Vec::new(),
            is_over: false,
            kinds: Vec::new(),
            firsts: 0,
            seconds: 0,
            ends: Ends::default(),
        }
    }
}

/// Most cells of a column are times, but some are written differently.
#[derive(Debug, Clone)]
pub(crate) struct Nearly {
    /// The format of most cells.
    pub(crate) format: &'static TimeFormat,
    pub(crate) n_others: u64,
    /// The first of the others.
    pub(crate) others: Vec<Place>,
    /// The number of distinct other texts, if no other cell is a time or a number and these texts are few.
    pub(crate) few_texts: Option<usize>,
    /// Whether nearly all others are times too, in another format or as spreadsheet day numbers.
    pub(crate) mixed: bool,
}

impl Times {
    /// Adds a plain number.
    #[inline]
    pub(crate) fn push_number(&mut self, value: f64, text: &str, line: &impl Fn() -> u64) {
        self.n += 1;
        self.numbers += 1;
        self.serials += u32::from(SERIALS.contains(&value));
        if self.numbers <= SHOWN as u32 {
            self.keep(0, text, line);
        }
        self.alive = 0;
    }

    /// Adds a text that is not a time.
    pub(crate) fn push(&mut self, text: &str, line: &impl Fn() -> u64) {
        if is_no_time(text) {
            self.none += 1;
            if self.nones.len() < SHOWN && !self.nones.iter().any(|known| known == text) {
                self.nones.push(text.to_owned());
            }
            return;
        }
        self.n += 1;
        if self.is_over {
            return;
        }
        let known = self.texts.iter().any(|known| known == text);
        let fitting = if known { 0 } else { formats_of(text) };
        self.alive &= fitting;
        self.keep(fitting, text, line);
        if fitting == 0 {
            if !known && self.texts.len() <= FEW_TEXTS {
                self.texts.push(text.to_owned());
            }
            self.give_up();
            return;
        }
        self.n_times += 1;
        let mut rest = fitting;
        while rest != 0 {
            self.hits[rest.trailing_zeros() as usize] += 1;
            rest &= rest - 1;
        }
        if let Some(micros) = FORMATS[fitting.trailing_zeros() as usize].parse(text) {
            self.ends.push(micros as f64);
        }
        if fitting.count_ones() > 1 {
            let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
            self.firsts |= 1_u64.checked_shl(numbers.next().unwrap_or(0)).unwrap_or(0);
            self.seconds |= 1_u64.checked_shl(numbers.next().unwrap_or(0)).unwrap_or(0);
        }
    }

    /// Stores the first cells of a kind.
    fn keep(&mut self, fitting: u128, text: &str, line: &impl Fn() -> u64) {
        let n_kinds = self.kinds.len();
        match self.kinds.iter_mut().find(|(kind, _)| *kind == fitting) {
            Some((_, places)) if places.len() >= SHOWN => {}
            Some((_, places)) => places.push(place(text, line)),
            None if n_kinds >= MAX_KINDS => {}
            None => self.kinds.push((fitting, vec![place(text, line)])),
        }
    }

    fn give_up(&mut self) {
        let n_texts = self.n - self.n_times - self.numbers;
        self.is_over |= self.texts.len() > FEW_TEXTS && n_texts > SPARE + self.n / 10;
    }

    pub(crate) fn merge(&mut self, next: Self) {
        self.n += next.n;
        self.alive &= next.alive;
        self.n_times += next.n_times;
        self.numbers += next.numbers;
        self.serials += next.serials;
        self.none += next.none;
        self.is_over |= next.is_over;
        self.hits.iter_mut().zip(next.hits).for_each(|(own, more)| *own += more);
        for text in next.texts {
            if self.texts.len() <= FEW_TEXTS && !self.texts.contains(&text) {
                self.texts.push(text);
            }
        }
        for text in next.nones {
            if self.nones.len() < SHOWN && !self.nones.contains(&text) {
                self.nones.push(text);
            }
        }
        for (kind, places) in next.kinds {
            match self.kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, own)) => own.extend(places.into_iter().take(SHOWN.saturating_sub(own.len()))),
                None => self.kinds.push((kind, places)),
            }
        }
        self.firsts |= next.firsts;
        self.seconds |= next.seconds;
        self.ends.merge(next.ends);
        self.give_up();
    }

    /// The formats that match all cells.
    pub(crate) fn fitting(&self) -> Vec<&'static TimeFormat> {
        let alive = if self.n_times == 0 { 0 } else { self.alive };
        FORMATS.iter().enumerate().filter(|(bit, _)| alive >> bit & 1 == 1).map(|(_, f)| f).collect()
    }

    /// The number of cells that mean "no time", and their spellings.
    pub(crate) fn none(&self) -> (u64, &[String]) {
        (self.none, &self.nones)
    }

    /// The earliest and the latest times, in microseconds.
    pub(crate) fn ends(&self) -> &Ends {
        &self.ends
    }

    /// The main format, if times are not all written alike or are mixed with other texts, in `present` cells.
    pub(crate) fn nearly(&self, present: u64) -> Option<Nearly> {
        /// Percentage of cells that must be times, and percentage that must be times or spreadsheet days.
        const ENOUGH: (u64, u64) = (30, 90);
        let present = present - self.none;
        if self.is_over || u64::from(self.n_times) * 100 < present * ENOUGH.0 {
            return None;
        }
        // On a tie, the first.
        let best = (0..FORMATS.len()).rev().max_by_key(|&bit| self.hits[bit])?;
        let n_others = present - u64::from(self.hits[best]);
        if n_others == 0 {
            return None;
        }
        let mut others: Vec<Place> = self.failing(best).cloned().collect();
        others.sort_by_key(|place| place.line);
        others.truncate(SHOWN);
        let only_texts = self.numbers == 0 && self.n_times == self.hits[best];
        let few_texts = Some(self.texts.len()).filter(|n| only_texts && (1..=FEW_TEXTS).contains(n));
        let otherwise = self.n_times > self.hits[best] || self.serials > 0;
        let mixed = otherwise && u64::from(self.n_times + self.serials) * 100 >= present * ENOUGH.1;
        Some(Nearly { format: &FORMATS[best], n_others, others, few_texts, mixed })
    }

    fn failing(&self, bit: usize) -> impl Iterator<Item = &Place> {
        self.kinds.iter().filter(move |(kind, _)| kind >> bit & 1 == 0).flat_map(|(_, places)| places)
    }

    /// The cell that ruled out a format.
    pub(crate) fn ruled_out(&self, name: &str) -> Option<&Place> {
        let bit = FORMATS.iter().position(|f| f.name() == name)?;
        self.failing(bit).min_by_key(|place| place.line)
    }

    /// The first and the second number of dates such as `1/2/2025`, if they are always the same.
    pub(crate) fn fixed(&self) -> (Option<u32>, Option<u32>) {
        let only = |bits: u64| (bits.count_ones() == 1).then(|| bits.trailing_zeros());
        (only(self.firsts), only(self.seconds))
    }
}
