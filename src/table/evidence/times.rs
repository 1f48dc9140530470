//! Which ways of writing a time fit a column.

use std::sync::LazyLock;

use crate::table::cell::shorten;
use crate::table::time::TimeFormat;

/// The ways to write a time that are tried; of two that fit, the earlier wins unless the values say otherwise.
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

/// Dates apart from ISO. Day before month comes before month before day.
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

/// What is written in no other way: by programs, by browsers, in mails, and times of day.
const OTHERS: [&str; 17] = [
    "%Y%m%dT%H%M%S",
    "%Y%m%dT%H%M%SZ",
    "%Y%m%d %H:%M:%S",
    "%Y%m%d %H:%M",
    "%H:%M",
    "%H:%M:%S",
    "%I:%M %p",
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
];

/// A cell with the line of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u64,
    pub(crate) value: String,
}

/// Remembers a cell.
pub(crate) fn place(text: &str, line: &impl Fn() -> u64) -> Place {
    Place { line: line(), value: shorten(text) }
}

/// Cells that may be written otherwise while a format is still counted, beside a tenth of all.
const SPARE: u32 = 20;
/// Cells of a kind that are kept for a message.
const SHOWN: usize = 3;
/// Room for all of [`FORMATS`].
const MAX_FORMATS: usize = 96;

/// Which of [`FORMATS`] the cells so far are written in, and where the others failed.
///
/// ```text
/// alive   no cell failed          near   at most 20 and a tenth of the cells failed; the others are not tried any more
/// ```
#[derive(Debug, Clone)]
pub(crate) struct Times {
    n: u32,
    alive: u128,
    near: u128,
    /// Cells that each format fails, numbers left out.
    misses: [u32; MAX_FORMATS],
    /// Plain numbers, which no format fits.
    numbers: u32,
    /// Cells by the formats that they fail, with the first of each kind.
    failures: Vec<(u128, Vec<Place>)>,
    /// Values of the first and the second number of `1/2/2025`, as bits.
    firsts: u64,
    seconds: u64,
}

impl Default for Times {
    fn default() -> Self {
        let all = (1 << FORMATS.len()) - 1;
        Self {
            n: 0,
            alive: all,
            near: all,
            misses: [0; MAX_FORMATS],
            numbers: 0,
            failures: Vec::new(),
            firsts: 0,
            seconds: 0,
        }
    }
}

impl Times {
    /// Takes in a text that is a plain number.
    #[inline]
    pub(crate) fn push_number(&mut self, text: &str, line: &impl Fn() -> u64) {
        self.n += 1;
        if self.near == 0 {
            return;
        }
        self.numbers += 1;
        self.fail(u128::MAX, text, line);
        if self.numbers > SPARE + self.n / 10 {
            self.near = 0;
        }
    }

    /// Takes in a text that is none.
    pub(crate) fn push(&mut self, text: &str, line: &impl Fn() -> u64) {
        self.n += 1;
        if self.near == 0 {
            return;
        }
        let mut failed = 0;
        let mut rest = self.near;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            if !FORMATS[bit as usize].fits(text) {
                failed |= 1 << bit;
                self.misses[bit as usize] += 1;
            }
        }
        if failed != 0 {
            self.fail(failed, text, line);
            self.drop_far();
        }
        if self.alive.count_ones() > 1 {
            let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
            self.firsts |= 1_u64.checked_shl(numbers.next().unwrap_or(0)).unwrap_or(0);
            self.seconds |= 1_u64.checked_shl(numbers.next().unwrap_or(0)).unwrap_or(0);
        }
    }

    fn fail(&mut self, failed: u128, text: &str, line: &impl Fn() -> u64) {
        self.alive &= !failed;
        match self.failures.iter_mut().find(|(mask, _)| *mask == failed) {
            Some((_, places)) if places.len() >= SHOWN => {}
            Some((_, places)) => places.push(place(text, line)),
            None => self.failures.push((failed, vec![place(text, line)])),
        }
    }

    fn drop_far(&mut self) {
        let most = SPARE + self.n / 10;
        let mut rest = self.near;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            if self.misses[bit as usize] + self.numbers > most {
                self.near &= !(1 << bit);
            }
        }
    }

    pub(crate) fn merge(&mut self, next: Self) {
        self.n += next.n;
        self.alive &= next.alive;
        self.near &= next.near;
        self.numbers += next.numbers;
        self.misses.iter_mut().zip(next.misses).for_each(|(own, more)| *own += more);
        for (failed, places) in next.failures {
            match self.failures.iter_mut().find(|(mask, _)| *mask == failed) {
                Some((_, own)) => own.extend(places.into_iter().take(SHOWN.saturating_sub(own.len()))),
                None => self.failures.push((failed, places)),
            }
        }
        self.drop_far();
        self.firsts |= next.firsts;
        self.seconds |= next.seconds;
    }

    /// The formats that fit all cells.
    pub(crate) fn fitting(&self) -> Vec<&'static TimeFormat> {
        FORMATS.iter().enumerate().filter(|(bit, _)| self.alive >> bit & 1 == 1).map(|(_, f)| f).collect()
    }

    /// The format that fits most of `present` cells but not all, how many it does not fit, and the first of these.
    pub(crate) fn nearly(&self, present: u64) -> Option<(&'static TimeFormat, u64, Vec<Place>)> {
        let misses = |bit: usize| u64::from(self.misses[bit]) + u64::from(self.numbers);
        let near = (0..FORMATS.len()).filter(|bit| self.near >> bit & 1 == 1);
        let best = near.min_by_key(|&bit| misses(bit)).filter(|&bit| (1..present).contains(&misses(bit)))?;
        let mut places: Vec<Place> = self.failing(best).cloned().collect();
        places.sort_by_key(|place| place.line);
        places.truncate(SHOWN);
        Some((&FORMATS[best], misses(best), places))
    }

    fn failing(&self, bit: usize) -> impl Iterator<Item = &Place> {
        self.failures.iter().filter(move |(failed, _)| failed >> bit & 1 == 1).flat_map(|(_, places)| places)
    }

    /// The cell that ruled out a format.
    pub(crate) fn ruled_out(&self, name: &str) -> Option<&Place> {
        let bit = FORMATS.iter().position(|f| f.name() == name)?;
        self.failing(bit).min_by_key(|place| place.line)
    }

    /// The only first and the only second number of dates such as `1/2/2025`, where they are always the same.
    pub(crate) fn fixed(&self) -> (Option<u32>, Option<u32>) {
        let only = |bits: u64| (bits.count_ones() == 1).then(|| bits.trailing_zeros());
        (only(self.firsts), only(self.seconds))
    }
}
