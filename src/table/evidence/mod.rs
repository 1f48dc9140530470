//! Evidence on the type of one column: mergeable counts, so that the file can be read in pieces on all cores.

mod distinct;
mod ends;
mod marks;
mod numbers;
mod times;
mod watched;
mod ways;

use xxhash_rust::xxh3::xxh3_64;

use self::distinct::Distinct;
pub(crate) use self::ends::End;
use self::marks::Marks;
pub(crate) use self::marks::Written;
pub(crate) use self::numbers::{Numbers, Total};
use self::times::Times;
pub(crate) use self::times::{Place, place};
pub(crate) use self::watched::Watched;
use self::ways::Readings;
use crate::table::NumberFormat;
use crate::table::cell::{self, Markers};
use crate::table::dictionary::Dictionary;

/// Texts and cells of a kind stored for a message.
const SHOWN: usize = 3;
/// Levels stored by name.
pub(crate) const MAX_LEVELS: usize = 64;
/// Multiplier of the polynomial fingerprint for finding equal columns.
const FINGERPRINT: u64 = 0x9e37_79b9_7f4a_7c15;

/// The evidence on a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Evidence {
    pub(crate) n: u64,
    pub(crate) missing: u64,
    /// Missing cells written `None`.
    pub(crate) nones: u64,
    /// The first texts read as missing, and the number of cells with each.
    pub(crate) markers: Vec<String>,
    pub(crate) marked: u64,
    pub(crate) distinct: Distinct,
    /// The first distinct texts; one more than [`MAX_LEVELS`] when there are more.
    pub(crate) levels: Dictionary,
    /// How often each of `levels` occurs.
    pub(crate) level_counts: Vec<u64>,
    /// The plain numbers.
    pub(crate) plain: Numbers,
    /// All numbers, once read with a decimal point and once with a decimal comma, from the first cell that is not
    /// plain.
    written: Option<Box<[Numbers; 2]>>,
    pub(crate) first_not_number: Option<Place>,
    /// The first number with a leading zero (`007`), and the first that has only zeros (`0000`).
    leading_zero: Option<Place>,
    zeros: Option<Place>,
    /// The first missing cells.
    pub(crate) missing_cells: Vec<Place>,
    /// The text with the most line breaks, its number of line breaks, and the number of texts with any.
    pub(crate) longest: Option<(usize, Place)>,
    pub(crate) n_broken: u64,
    /// The first whole number that an `f64` cannot represent exactly: it is an identifier.
    pub(crate) long: Option<Place>,
    /// The notation of numbers.
    pub(crate) marks: Marks,
    pub(crate) times: Times,
    pub(crate) text_bytes: u64,
    /// Cells with a space inside.
    pub(crate) spaced: u64,
    /// Hash of all cells in order; equal columns have equal ones.
    pub(crate) fingerprint: u64,
    power: Option<u64>,
}

impl Evidence {
    /// Adds a trimmed text.
    pub(crate) fn push(&mut self, text: &str, markers: &Markers, line: &impl Fn() -> u64) {
        self.n += 1;
        let hash = xxh3_64(text.as_bytes());
        self.fingerprint = self.fingerprint.wrapping_mul(FINGERPRINT).wrapping_add(hash);
        self.power = Some(self.power.unwrap_or(1).wrapping_mul(FINGERPRINT));
        if markers.is_missing(text.as_bytes()) {
            self.missing += 1;
            if self.missing_cells.len() < SHOWN {
                self.missing_cells.push(place(text, line));
            }
            self.nones += u64::from(text == "None");
            self.marked += u64::from(!text.is_empty());
            self.note_marker(text);
            self.plain.interrupt();
            self.written.iter_mut().flat_map(|both| both.iter_mut()).for_each(Numbers::interrupt);
            return;
        }
        self.distinct.push(hash);
        if self.levels.len() <= MAX_LEVELS {
            self.count_level(text, 1);
        }
        match cell::number(text.as_bytes()).filter(|value| is_exact(*value, text)) {
            Some(value) => self.push_number(value, text, line),
            None => {
                self.push_other(text, line);
                self.times.push(text, line);
            }
        }
    }

    fn note_broken(&mut self, n: usize, place: Place) {
        if self.longest.as_ref().is_none_or(|(most, _)| n > *most) {
            self.longest = Some((n, place));
        }
    }

    /// A number that begins with a zero, as codes do. Zeros alone are not enough if other numbers have a fraction.
    pub(crate) fn leading_zero(&self) -> Option<&Place> {
        let codes = self.plain.integers == self.plain.n;
        self.leading_zero.as_ref().or(self.zeros.as_ref().filter(|_| codes))
    }

    fn note_marker(&mut self, text: &str) {
        if !text.is_empty() && self.markers.len() < SHOWN && !self.markers.iter().any(|known| known == text) {
            self.markers.push(text.to_owned());
        }
    }

    fn count_level(&mut self, text: &str, n: u64) {
        let code = self.levels.intern(text) as usize;
        if code == self.level_counts.len() {
            self.level_counts.push(0);
        }
        self.level_counts[code] += n;
    }

    fn push_number(&mut self, value: f64, text: &str, line: &impl Fn() -> u64) {
        // Decimals padded with zeros (`007.50`) are not codes.
        if matches!(text.as_bytes(), [b'0', b'0'..=b'9', ..]) && !text.contains('.') {
            let first = if text.bytes().all(|b| b == b'0') { &mut self.zeros } else { &mut self.leading_zero };
            first.get_or_insert_with(|| place(text, line));
        }
        let readings = self.marks.push_plain(value, text, line);
        self.push_readings(readings, readings[0] != readings[1] && readings[1].is_some());
        self.plain.push(value);
        self.times.push_number(value, text, line);
    }

    fn push_other(&mut self, text: &str, line: &impl Fn() -> u64) {
        self.text_bytes += text.len() as u64;
        self.spaced += u64::from(text.contains(' '));
        if memchr::memchr(b'\n', text.as_bytes()).is_some() {
            self.n_broken += 1;
            self.note_broken(text.matches('\n').count(), place(text, line));
        }
        if self.first_not_number.is_none() {
            self.first_not_number = Some(place(text, line));
        }
        let mut readings = Readings::default();
        if cell::number(text.as_bytes()).is_some() {
            self.long.get_or_insert_with(|| place(text, line));
        } else {
            readings = self.marks.push_other(text, line);
        }
        self.push_readings(readings, readings != Readings::default());
        self.plain.interrupt();
    }

    /// Adds the values of a cell with a decimal point and with a decimal comma. While all numbers are plain, both
    /// are the same.
    fn push_readings(&mut self, readings: Readings, is_written: bool) {
        if is_written && self.written.is_none() {
            self.written = Some(Box::new([self.plain; 2]));
        }
        let Some(written) = &mut self.written else { return };
        for (numbers, value) in written.iter_mut().zip(readings) {
            match value {
                Some(value) => numbers.push(value),
                None => numbers.interrupt(),
            }
        }
    }

    /// The numbers, if written in this notation or plainly.
    pub(crate) fn values(&self, format: Option<&NumberFormat>) -> &Numbers {
        match (format, &self.written) {
            (Some(format), Some(written)) => &written[usize::from(format.decimal == ',')],
            _ => &self.plain,
        }
    }

    /// Whether the number in the last or first row is the sum of all others, and larger than each.
    pub(crate) fn has_total(&self, end: Total) -> bool {
        let written = self.written.iter().flat_map(|both| both.iter());
        let all = |numbers: &&Numbers| numbers.n == self.present();
        self.plain.has_total(end) || written.filter(all).any(|numbers| numbers.has_total(end))
    }

    /// Whether the number in the last row is the mean of all others; `None` if this cannot be determined.
    pub(crate) fn ends_with_mean(&self, format: Option<&NumberFormat>) -> Option<bool> {
        self.values(format).ends_with_mean()
    }

    /// Merges the evidence from the next piece of the file.
    pub(crate) fn merge(&mut self, next: Self) {
        if next.n == 0 {
            return;
        }
        let power = next.power.unwrap_or(1);
        self.fingerprint = self.fingerprint.wrapping_mul(power).wrapping_add(next.fingerprint);
        self.power = Some(self.power.unwrap_or(1).wrapping_mul(power));
        if self.written.is_some() || next.written.is_some() {
            let own = self.written.get_or_insert_with(|| Box::new([self.plain; 2]));
            let more = next.written.unwrap_or_else(|| Box::new([next.plain; 2]));
            own.iter_mut().zip(*more).for_each(|(own, more)| own.merge(more));
        }
        self.plain.merge(next.plain);
        self.n += next.n;
        self.missing += next.missing;
        self.nones += next.nones;
        self.marked += next.marked;
        next.markers.iter().for_each(|marker| self.note_marker(marker));
        self.text_bytes += next.text_bytes;
        self.spaced += next.spaced;
        self.distinct.merge(next.distinct);
        for (level, &n) in next.levels.iter().zip(&next.level_counts) {
            if self.levels.len() > MAX_LEVELS {
                break;
            }
            self.count_level(level, n);
        }
        self.first_not_number = self.first_not_number.take().or(next.first_not_number);
        self.leading_zero = self.leading_zero.take().or(next.leading_zero);
        self.zeros = self.zeros.take().or(next.zeros);
        let room = SHOWN.saturating_sub(self.missing_cells.len());
        self.missing_cells.extend(next.missing_cells.into_iter().take(room));
        self.n_broken += next.n_broken;
        if let Some((n, place)) = next.longest {
            self.note_broken(n, place);
        }
        self.long = self.long.take().or(next.long);
        self.marks.merge(next.marks);
        self.times.merge(next.times);
    }

    /// Cells that are not missing.
    pub(crate) fn present(&self) -> u64 {
        self.n - self.missing
    }

    /// Whether all cells are different and none is missing.
    pub(crate) fn is_unique(&self) -> bool {
        self.missing == 0 && self.distinct.all_once()
    }
}

/// Whether an `f64` keeps the digits of each number: whole numbers beyond 2^53 lose some, and two may become equal.
#[inline]
fn is_exact(value: f64, text: &str) -> bool {
    const EXACT: f64 = (1_u64 << 53) as f64;
    value.abs() < EXACT || value.is_infinite() || !text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'+'))
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
                (left.n, left.missing, left.plain.n, left.plain.integers, left.fingerprint, left.times.fitting().len()),
                (
                    whole.n,
                    whole.missing,
                    whole.plain.n,
                    whole.plain.integers,
                    whole.fingerprint,
                    whole.times.fitting().len()
                )
            );
            assert_eq!((left.plain, left.written.clone()), (whole.plain, whole.written.clone()));
            assert_eq!(left.distinct.count(), whole.distinct.count());
            assert_eq!(left.leading_zero(), whole.leading_zero());
            assert_eq!(left.missing_cells, whole.missing_cells);
            assert_eq!(left.marks.written(300, Some('.'), false), whole.marks.written(300, Some('.'), false));
            assert_eq!(left.first_not_number, whole.first_not_number);
            assert!(left.levels.iter().eq(whole.levels.iter()));
        }
    }

    #[test]
    fn a_first_or_last_number_that_all_others_add_up_to_is_a_total() {
        let has = |cells: &[f64], end: Total| {
            let cells: Vec<String> = cells.iter().map(f64::to_string).collect();
            let (mut left, right) = (evidence(&cells[..cells.len() / 2]), evidence(&cells[cells.len() / 2..]));
            left.merge(right);
            left.has_total(end)
        };
        let ends = |cells: &[f64]| has(cells, Total::Last);
        let rows: Vec<f64> = (0..40).map(|i| f64::from(i % 7) + 0.1).collect();
        let with = |last: f64| rows.iter().copied().chain([last]).collect::<Vec<_>>();
        assert!(ends(&with(rows.iter().sum())) && ends(&with(rows.iter().sum::<f64>() + 1e-12)));
        assert!(!ends(&with(rows.iter().sum::<f64>() + 0.1)) && !ends(&rows));
        let first: Vec<f64> = std::iter::once(rows.iter().sum()).chain(rows.iter().copied()).collect();
        assert!(has(&first, Total::First) && !ends(&first) && !has(&rows, Total::First));
        assert!(!ends(&[0.0, 0.0, 0.0, 1.0, 2.0, 3.0]), "a few numbers add up by chance");
    }

    #[test]
    fn codes_are_told_from_decimals_that_are_filled_up_with_zeros() {
        let zero = |cells: &[&str]| {
            let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
            evidence(&cells).leading_zero().map(|place| place.value.clone())
        };
        assert_eq!(zero(&["0007", "0018", "1100"]).as_deref(), Some("0007"));
        assert_eq!(zero(&["007.50", "012.00", "110.25"]), None);
        assert_eq!(zero(&["000.00", "012.00"]), None);
        assert_eq!(zero(&["0.5", "0"]), None);
    }

    #[test]
    fn whole_numbers_that_lose_digits_are_none() {
        assert_eq!(evidence(&["9007199254740991".to_owned()]).plain.n, 1);
        let seen =
            evidence(&["9007199254740992".to_owned(), "9007199254740993".to_owned(), "-9007199254740993".to_owned()]);
        assert_eq!((seen.plain.n, seen.long.map(|place| place.line)), (0, Some(2)));
        assert_eq!(evidence(&["1e300".to_owned(), "12345678901234567.5".to_owned()]).plain.n, 2);
    }
}
