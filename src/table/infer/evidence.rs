//! What the cells of one column show: counts that merge, so that the file can be read in pieces on all cores.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::LazyLock;

use xxhash_rust::xxh3::xxh3_64;

use crate::table::cell::{self, Markers, shorten};
use crate::table::dictionary::Dictionary;
use crate::table::time::TimeFormat;

/// Levels that are kept by name.
pub(crate) const MAX_LEVELS: usize = 64;
/// Distinct values that are counted exactly.
const MAX_DISTINCT: usize = 1 << 14;
/// Multiplier of the polynomial that tells equal columns apart from others.
const FINGERPRINT: u64 = 0x9e37_79b9_7f4a_7c15;

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

/// What has been seen of a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) n: u64,
    pub(crate) missing: u64,
    pub(crate) distinct: Distinct,
    /// The first distinct texts; one more than [`MAX_LEVELS`] when there are more.
    pub(crate) levels: Dictionary,
    pub(crate) numbers: u64,
    pub(crate) integers: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) first_not_number: Option<Place>,
    /// The first number with a leading zero (`007`).
    pub(crate) leading_zero: Option<Place>,
    /// Numbers in currency, in percent or with thousands separators.
    pub(crate) decorated: Option<Place>,
    pub(crate) run: Run,
    pub(crate) times: Times,
    pub(crate) text_bytes: u64,
    /// Cells with a space inside.
    pub(crate) spaced: u64,
    /// Hash of all cells in order; equal columns have equal ones.
    pub(crate) fingerprint: u64,
    power: Option<u64>,
}

impl Evidence {
    /// Takes in a trimmed text.
    pub(crate) fn push(&mut self, text: &str, markers: &Markers, line: &impl Fn() -> u64) {
        self.n += 1;
        let hash = xxh3_64(text.as_bytes());
        self.fingerprint = self.fingerprint.wrapping_mul(FINGERPRINT).wrapping_add(hash);
        self.power = Some(self.power.unwrap_or(1).wrapping_mul(FINGERPRINT));
        if markers.is_missing(text.as_bytes()) {
            self.missing += 1;
            self.run.broken = true;
            return;
        }
        self.distinct.push(hash);
        if self.levels.len() <= MAX_LEVELS {
            self.levels.intern(text);
        }
        match cell::number(text.as_bytes()) {
            Some(value) => self.push_number(value, text, line),
            None => self.push_other(text, line),
        }
        self.times.push(text, line);
    }

    fn push_number(&mut self, value: f64, text: &str, line: &impl Fn() -> u64) {
        if self.numbers == 0 {
            (self.min, self.max) = (value, value);
        }
        self.numbers += 1;
        self.min = self.min.min(value);
        self.max = self.max.max(value);
        if value.fract() == 0.0 {
            self.integers += 1;
        }
        if self.leading_zero.is_none() && matches!(text.as_bytes(), [b'0', b'0'..=b'9', ..]) {
            self.leading_zero = Some(place(text, line));
        }
        self.run.push(value);
    }

    fn push_other(&mut self, text: &str, line: &impl Fn() -> u64) {
        self.run.broken = true;
        self.text_bytes += text.len() as u64;
        self.spaced += u64::from(text.contains(' '));
        if self.first_not_number.is_none() {
            self.first_not_number = Some(place(text, line));
        }
        if self.decorated.is_none() && is_decorated(text) {
            self.decorated = Some(place(text, line));
        }
    }

    /// Takes in what the next piece of the file shows.
    pub(crate) fn merge(&mut self, next: Self) {
        if next.n == 0 {
            return;
        }
        if next.numbers > 0 {
            let empty = self.numbers == 0;
            self.min = if empty { next.min } else { self.min.min(next.min) };
            self.max = if empty { next.max } else { self.max.max(next.max) };
        }
        let power = next.power.unwrap_or(1);
        self.fingerprint = self.fingerprint.wrapping_mul(power).wrapping_add(next.fingerprint);
        self.power = Some(self.power.unwrap_or(1).wrapping_mul(power));
        self.run.merge(next.run);
        self.n += next.n;
        self.missing += next.missing;
        self.numbers += next.numbers;
        self.integers += next.integers;
        self.text_bytes += next.text_bytes;
        self.spaced += next.spaced;
        self.distinct.merge(next.distinct);
        for level in next.levels.iter() {
            if self.levels.len() > MAX_LEVELS {
                break;
            }
            self.levels.intern(level);
        }
        self.first_not_number = self.first_not_number.take().or(next.first_not_number);
        self.leading_zero = self.leading_zero.take().or(next.leading_zero);
        self.decorated = self.decorated.take().or(next.decorated);
        self.times.merge(next.times);
    }

    /// Cells that are not missing.
    pub(crate) fn present(&self) -> u64 {
        self.n - self.missing
    }

    /// Whether no two cells are alike, and none is missing.
    pub(crate) fn is_unique(&self) -> bool {
        self.missing == 0 && self.distinct.all_once()
    }
}

fn place(text: &str, line: &impl Fn() -> u64) -> Place {
    Place { line: line(), value: shorten(text) }
}

/// `$4,500.00`, `12 %`, `1,000`, `(250)`: a number for people.
fn is_decorated(text: &str) -> bool {
    let plain: String = text.chars().filter(|c| !matches!(c, '$' | '€' | '£' | '%' | ',' | ' ' | '(' | ')')).collect();
    plain.len() < text.len() && cell::number(plain.as_bytes()).is_some()
}

/// Counts distinct hashes exactly up to a bound, and beyond it by a sample of the hash space that is halved whenever it
/// overflows. The sample depends on the values only, not on their order.
///
/// Source: Flajolet, "On adaptive sampling" (1990); relative error about 1.2/√(sample), 1 % here.
#[derive(Debug, Clone, Default)]
pub(crate) struct Distinct {
    /// Hashes are kept whose lowest `depth` bits are zero.
    depth: u32,
    counts: HashMap<u64, u32, BuildHasherDefault<AsIs>>,
}

/// The key is a hash already.
#[derive(Debug, Clone, Default)]
pub(crate) struct AsIs(u64);

impl Hasher for AsIs {
    fn finish(&self) -> u64 {
        // The table looks at the upper bits and at the lowest; the lowest are zero in a deep sample.
        self.0.rotate_right(20)
    }
    fn write(&mut self, bytes: &[u8]) {
        self.0 = xxh3_64(bytes);
    }
    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }
}

impl Distinct {
    #[inline]
    fn push(&mut self, hash: u64) {
        self.add(hash, 1);
    }

    #[inline]
    fn add(&mut self, hash: u64, count: u32) {
        if hash & ((1 << self.depth) - 1) != 0 {
            return;
        }
        let slot = self.counts.entry(hash).or_insert(0);
        *slot = slot.saturating_add(count);
        if self.counts.len() > MAX_DISTINCT {
            self.depth += 1;
            let mask = (1 << self.depth) - 1;
            self.counts.retain(|hash, _| hash & mask == 0);
        }
    }

    fn merge(&mut self, next: Self) {
        while self.depth < next.depth {
            self.depth += 1;
            let mask = (1 << self.depth) - 1;
            self.counts.retain(|hash, _| hash & mask == 0);
        }
        for (hash, count) in next.counts {
            self.add(hash, count);
        }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        (self.counts.len() as u64) << self.depth
    }

    /// Whether [`count`](Self::count) is exact.
    pub(crate) fn is_exact(&self) -> bool {
        self.depth == 0
    }

    /// Whether each value (of the sample) occurs once.
    pub(crate) fn all_once(&self) -> bool {
        self.counts.values().all(|&n| n == 1)
    }

    /// Share of values that occur once among the cells (of the sample).
    pub(crate) fn share(&self) -> f64 {
        let cells: u64 = self.counts.values().map(|&n| u64::from(n)).sum();
        if cells == 0 { 0.0 } else { self.counts.len() as f64 / cells as f64 }
    }
}

/// Whether a column counts its rows: each number is the one before plus one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Run {
    ends: Option<(f64, f64)>,
    broken: bool,
}

impl Run {
    fn push(&mut self, value: f64) {
        let (first, last) = self.ends.unwrap_or((value, value - 1.0));
        self.broken |= value != last + 1.0;
        self.ends = Some((first, value));
    }

    fn merge(&mut self, next: Self) {
        self.broken |= next.broken;
        match (self.ends, next.ends) {
            (Some((first, last)), Some((start, end))) => {
                self.broken |= start != last + 1.0;
                self.ends = Some((first, end));
            }
            (None, ends) => self.ends = ends,
            (Some(_), None) => {}
        }
    }

    /// The first and the last number of an unbroken run.
    pub(crate) fn unbroken(&self) -> Option<(f64, f64)> {
        self.ends.filter(|_| !self.broken)
    }
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
    fn push(&mut self, text: &str, line: &impl Fn() -> u64) {
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

    fn merge(&mut self, next: Self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn evidence(cells: &[String]) -> Evidence {
        let markers = Markers::new(&["?".to_owned()]);
        let mut all = Evidence::default();
        for (cell, line) in cells.iter().zip(2..) {
            all.push(cell, &markers, &|| line);
        }
        all
    }

    #[test]
    fn any_cut_shows_the_same() {
        let cells: Vec<String> = (0..400)
            .map(|i| match i % 11 {
                0 => "?".to_owned(),
                1 => format!("0{i}"),
                2 => "$1,000".to_owned(),
                _ => format!("{}/{}/2025", i % 28 + 1, i % 12 + 1),
            })
            .collect();
        let whole = evidence(&cells);
        for cut in 0..cells.len() {
            let mut left = evidence(&cells[..cut]);
            let mut right = Evidence::default();
            let markers = Markers::new(&["?".to_owned()]);
            for (cell, line) in cells[cut..].iter().zip(2 + cut as u64..) {
                right.push(cell, &markers, &|| line);
            }
            left.merge(right);
            assert_eq!(
                (left.n, left.missing, left.numbers, left.integers, left.fingerprint, left.times.alive),
                (whole.n, whole.missing, whole.numbers, whole.integers, whole.fingerprint, whole.times.alive)
            );
            assert_eq!((left.min, left.max), (whole.min, whole.max));
            assert_eq!(left.distinct.count(), whole.distinct.count());
            assert_eq!((&left.leading_zero, &left.decorated), (&whole.leading_zero, &whole.decorated));
            assert_eq!(left.first_not_number, whole.first_not_number);
            assert!(left.levels.iter().eq(whole.levels.iter()));
        }
    }

    #[test]
    fn distinct_counts_are_close_and_do_not_depend_on_order() {
        let mut forward = Distinct::default();
        let mut backward = Distinct::default();
        for i in 0..200_000_u64 {
            forward.push(xxh3_64(&i.to_le_bytes()));
            backward.push(xxh3_64(&(199_999 - i).to_le_bytes()));
        }
        assert_eq!((forward.count(), forward.depth), (backward.count(), backward.depth));
        let error = forward.count() as f64 / 200_000.0 - 1.0;
        assert!(error.abs() < 0.04, "{error}");
        assert!(forward.all_once() && !forward.is_exact());
        forward.merge(backward);
        assert!(!forward.all_once());
    }

    #[test]
    fn runs_are_unbroken_across_a_cut() {
        let of = |range: std::ops::Range<i32>| {
            let mut run = Run::default();
            range.for_each(|i| run.push(f64::from(i)));
            run
        };
        let mut run = of(1..50);
        run.merge(of(50..60));
        assert_eq!(run.unbroken(), Some((1.0, 59.0)));
        run.merge(of(61..70));
        assert_eq!(run.unbroken(), None);
    }

    #[test]
    fn numbers_for_people_are_noticed() {
        for text in ["$4,500.00", "12 %", "1,000", "(250)", "€5"] {
            assert!(is_decorated(text), "{text}");
        }
        for text in ["abc", "1-2", "$", "A$5"] {
            assert!(!is_decorated(text), "{text}");
        }
    }
}
