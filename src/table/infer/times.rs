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
    names.iter().filter_map(|n| TimeFormat::new(n).ok()).collect()
});

/// Dates apart from ISO. Day before month comes before month before day.
const DATES: [&str; 12] = [
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%Y/%m/%d",
    "%d-%m-%Y",
    "%m-%d-%Y",
    "%d.%m.%Y",
    "%d/%m/%y",
    "%m/%d/%y",
    "%d %b %Y",
    "%d-%b-%Y",
    "%d-%b-%y",
    "%b %d, %Y",
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

/// Which of [`FORMATS`] all cells so far are written in, and where the others failed.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    alive: u64,
    /// Formats ruled out together, by which cell.
    failures: Vec<(u64, Place)>,
    /// Values of the first and the second number of `1/2/2025`, as bits.
    firsts: u64,
    seconds: u64,
}

impl Default for Times {
    fn default() -> Self {
        Self { alive: (1 << FORMATS.len()) - 1, failures: Vec::new(), firsts: 0, seconds: 0 }
    }
}

impl Times {
    pub(crate) fn push(&mut self, text: &str, line: &impl Fn() -> u64) {
        if self.alive == 0 {
            return;
        }
        let mut failed = 0;
        let mut rest = self.alive;
        while rest != 0 {
            let bit = rest.trailing_zeros();
            rest &= rest - 1;
            if FORMATS[bit as usize].parse(text).is_none() {
                failed |= 1 << bit;
            }
        }
        if failed != 0 {
            self.alive &= !failed;
            self.failures.push((failed, place(text, line)));
        }
        if self.alive.count_ones() > 1 {
            let mut numbers = text.split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse::<u32>().ok());
            self.firsts |= 1_u64.checked_shl(numbers.next().unwrap_or(0)).unwrap_or(0);
            self.seconds |= 1_u64.checked_shl(numbers.next().unwrap_or(0)).unwrap_or(0);
        }
    }

    pub(crate) fn merge(&mut self, next: Self) {
        for (failed, place) in next.failures {
            let new = failed & self.alive;
            if new != 0 {
                self.alive &= !new;
                self.failures.push((new, place));
            }
        }
        self.firsts |= next.firsts;
        self.seconds |= next.seconds;
    }

    /// The formats that fit all cells.
    pub(crate) fn fitting(&self) -> Vec<&'static TimeFormat> {
        FORMATS.iter().enumerate().filter(|(bit, _)| self.alive >> bit & 1 == 1).map(|(_, f)| f).collect()
    }

    /// The format that lasted longest, and the cell that ended it, when some format fitted at first.
    pub(crate) fn longest(&self) -> Option<(&'static TimeFormat, &Place)> {
        let (failed, place) = self.failures.last().filter(|_| self.failures.len() > 1)?;
        Some((&FORMATS[failed.trailing_zeros() as usize], place))
    }

    /// The cell that ruled out a format.
    pub(crate) fn ruled_out(&self, name: &str) -> Option<&Place> {
        let bit = FORMATS.iter().position(|f| f.name() == name)?;
        self.failures.iter().find(|(failed, _)| failed >> bit & 1 == 1).map(|(_, place)| place)
    }

    /// Whether the second number of a date varies while the first is always the same: then the first is the day.
    pub(crate) fn first_is_fixed(&self) -> Option<bool> {
        match (self.firsts.count_ones(), self.seconds.count_ones()) {
            (1, 2..) => Some(true),
            (2.., 1) => Some(false),
            _ => None,
        }
    }
}
