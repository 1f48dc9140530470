//! From evidence to a kind, with the reason in one line.

use super::names::{CODES, ID_WORDS, TIME_WORDS, has_word, names_key};
use crate::table::cell::shorten;
use crate::table::evidence::{Evidence, MAX_LEVELS, Numbers, Written};
use crate::table::level::{self, Merged, Same, Spelling};
use crate::table::time::{TimeFormat, is_no_time};
use crate::table::{ColumnSpec, Kind, NumberFormat};
use crate::wording::Plain;

/// Minimum number of rows for "each value occurs once" and "counts the rows" to mean something.
const MIN_ROWS_FOR_ID: u64 = 10;
/// Mean bytes of a text beyond which it is prose rather than a level.
const PROSE_BYTES: f64 = 40.0;
/// Maximum number of levels for a column of mostly numbers to be a category (`0`, `1`, `2`, `3+`).
pub(super) const FEW_LEVELS: u64 = 20;
/// The notation of the ids of a column, if they are whole numbers.
pub(super) fn whole_ids(seen: &Evidence, decision: &Decision) -> Option<NumberFormat> {
    let format = decision.number.as_ref().filter(|format| format.unit.is_none());
    let all_whole = seen.values(format).integers == seen.present() && seen.present() > 0;
    (all_whole && seen.leading_zero().is_none()).then(|| format.cloned().unwrap_or_default())
}

/// A kind and why.
pub(crate) struct Decision {
    pub(crate) kind: Kind,
    pub(crate) format: Option<String>,
    pub(crate) number: Option<NumberFormat>,
    pub(crate) reason: String,
    /// Whether its dates can be read in two ways.
    pub(crate) ambiguous: bool,
}

/// Context from outside the column's own cells.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Beside {
    /// A constant number is still a number.
    pub(crate) numbers_vary: bool,
    /// The decimal mark of the other columns.
    pub(crate) decimal: Option<char>,
    /// The thousands separator of the other columns.
    pub(crate) thousands: Option<char>,
    /// Whether the file's delimiter is a semicolon.
    pub(crate) semicolons: bool,
}

impl Decision {
    fn new(kind: Kind, reason: impl Into<String>) -> Self {
        Self { kind, format: None, number: None, reason: reason.into(), ambiguous: false }
    }

    pub(crate) fn spec(&self, name: &str) -> ColumnSpec {
        ColumnSpec {
            format: self.format.clone(),
            number: self.number.clone().filter(|_| matches!(self.kind, Kind::Number | Kind::Id)),
            ..ColumnSpec::new(name, self.kind)
        }
    }
}

/// Decides one column.
pub(crate) fn decide(name: &str, seen: &Evidence, beside: Beside) -> Decision {
    let is_number = seen.plain.n == seen.present() && seen.leading_zero().is_none();
    let mut decision = constant(seen)
        .filter(|_| !(beside.numbers_vary && seen.present() > 0 && is_number))
        .or_else(|| written_time(seen))
        .or_else(|| written_id(name, seen, beside))
        .or_else(|| written_number(seen, beside))
        .or_else(|| number_with_unit(name, seen, beside))
        .or_else(|| numeric(name, seen, beside))
        .unwrap_or_else(|| textual(name, seen));
    if missing_in(seen, decision.kind) > 0 && seen.present() > 0 {
        decision.reason.push_str(&format!("; {}", missing(seen, decision.kind)));
    }
    decision
}

/// The number of missing cells in a column of this kind.
pub(super) fn missing_in(seen: &Evidence, kind: Kind) -> u64 {
    seen.missing + if kind == Kind::Time { seen.times.none().0 } else { 0 }
}

/// The number of missing cells, and how they are written.
pub(super) fn missing(seen: &Evidence, kind: Kind) -> String {
    let nones = if kind == Kind::Time { seen.times.none().1 } else { &[] };
    let written: Vec<String> = seen.markers.iter().chain(nones).map(|marker| format!("{marker:?}")).collect();
    let written = if written.is_empty() { String::new() } else { format!(", written {}", written.join(", ")) };
    format!("{} missing{written}", missing_in(seen, kind))
}

fn constant(seen: &Evidence) -> Option<Decision> {
    if seen.present() == 0 {
        return Some(Decision::new(Kind::Constant, "always missing"));
    }
    if seen.missing > 0 || seen.distinct.count() != 1 {
        return None;
    }
    Some(Decision::new(Kind::Constant, format!("always {:?}", shorten(seen.levels.get(0)))))
}

/// A time in one of the known formats.
pub(super) fn written_time(seen: &Evidence) -> Option<Decision> {
    let fitting = seen.times.fitting();
    let first = *fitting.first()?;
    let (day, month) = ("the day comes first", "the month comes first");
    let (format, remark) = match fitting.get(1) {
        Some(other) => {
            // Consecutive days in one month are likelier than one day in many months, unless it is the first of the
            // month.
            let month_first = match seen.times.fixed() {
                (Some(first), None) => first != 1,
                (None, Some(second)) => second == 1,
                _ => false,
            };
            let (taken, order, left) = if month_first { (*other, month, first) } else { (first, day, *other) };
            (taken, format!("ambiguous, read as {order}; it could be {}", left.name()))
        }
        None => {
            let other = swapped(first).and_then(|o| seen.times.ruled_out(&o).map(|p| (o, p)));
            match other {
                Some((_, place)) => {
                    let order = if first.name().starts_with("%d") { day } else { month };
                    (first, format!("{order}, because of {:?} on line {}", place.value, place.line))
                }
                None => (first, String::new()),
            }
        }
    };
    let example = seen.levels.iter().find(|level| !is_no_time(level)).map(shorten).unwrap_or_default();
    let mut reason = match format {
        TimeFormat::Iso => format!("ISO times such as {example}"),
        format => format!("times such as {example}, written {}", format.name()),
    };
    if !remark.is_empty() {
        reason.push_str(&format!(" ({remark})"));
    }
    let ambiguous = fitting.len() > 1;
    Some(Decision { format: Some(format.name().to_owned()), ambiguous, ..Decision::new(Kind::Time, reason) })
}

/// Numbers that are not plain.
fn written_number(seen: &Evidence, beside: Beside) -> Option<Decision> {
    let Written::Like(format) = seen.marks.written(seen.present(), beside.decimal, beside.semicolons) else {
        return None;
    };
    Some(like(format, seen))
}

/// Ids that are whole numbers and not plain. If `1,234` could also be a decimal number, the id is not accepted.
fn written_id(name: &str, seen: &Evidence, beside: Beside) -> Option<Decision> {
    let says = has_word(name, &ID_WORDS) || names_key(name);
    let likely = [beside.decimal, Some('.'), Some(',')];
    likely.into_iter().take(if says { likely.len() } else { 1 }).find_map(|decimal| {
        let written = seen.marks.written(seen.present(), decimal, beside.semicolons);
        let Written::Like(format) = written else { return None };
        let id = numeric_id(name, seen, seen.values(Some(&format))).filter(|_| format.unit.is_none())?;
        let reason = format!("{}; written like {}", id.reason, format.example());
        Some(Decision { number: Some(format).filter(|_| id.kind == Kind::Id), reason, ..id })
    })
}

/// A number in this notation.
fn like(format: NumberFormat, seen: &Evidence) -> Decision {
    let values = seen.values(Some(&format));
    let whole = if values.integers == seen.present() { "whole numbers" } else { "numbers" };
    let (example, Numbers { min, max, .. }) = (format.example(), values);
    let reason = format!("{whole} written like {example}, {min} to {max}, {} distinct", count(seen));
    Decision { number: Some(format), ..Decision::new(Kind::Number, reason) }
}

/// Numbers that all have the same text before or after them, unless there are few enough for levels or they are codes.
fn number_with_unit(name: &str, seen: &Evidence, beside: Beside) -> Option<Decision> {
    let Written::Like(format) = seen.marks.written_with_unit(seen.is_unique(), beside.decimal, beside.semicolons)
    else {
        return None;
    };
    if seen.distinct.count() <= FEW_LEVELS || has_word(name, &CODES) {
        return None;
    }
    Some(like(format, seen))
}

/// The format with day and month exchanged.
fn swapped(format: &TimeFormat) -> Option<String> {
    let name = format.name();
    let swapped = if let Some(rest) = name.strip_prefix("%d/%m/") {
        format!("%m/%d/{rest}")
    } else if let Some(rest) = name.strip_prefix("%m/%d/") {
        format!("%d/%m/{rest}")
    } else if let Some(rest) = name.strip_prefix("%d-%m-") {
        format!("%m-%d-{rest}")
    } else if let Some(rest) = name.strip_prefix("%m-%d-") {
        format!("%d-%m-{rest}")
    } else {
        return None;
    };
    Some(swapped)
}

fn numeric(name: &str, seen: &Evidence, beside: Beside) -> Option<Decision> {
    if seen.plain.n < seen.present() {
        return None;
    }
    if let Some(zero) = seen.leading_zero() {
        let note = format!("leading zeros ({:?} on line {}), so text", zero.value, zero.line);
        return Some(match coded(name, seen) {
            Kind::Id => Decision::new(Kind::Id, format!("{note}; unique values")),
            kind => Decision::new(kind, format!("{note}; {} distinct", count(seen))),
        });
    }
    let integers = seen.plain.integers == seen.present();
    Some(numeric_time(name, seen, integers).or_else(|| numeric_id(name, seen, &seen.plain)).unwrap_or_else(|| {
        Decision {
            number: whole_beside_commas(seen, integers, beside),
            ..Decision::new(Kind::Number, number_reason(seen, integers))
        }
    }))
}

/// Whole numbers in a table with decimal commas: a later table may have `77,5` in this column, and `1.234` must not be
/// read as a decimal.
fn whole_beside_commas(seen: &Evidence, integers: bool, beside: Beside) -> Option<NumberFormat> {
    let is_flag = seen.plain.min >= 0.0 && seen.plain.max <= 1.0;
    let format = NumberFormat { decimal: ',', thousands: beside.thousands, unit: None };
    (integers && beside.decimal == Some(',') && !is_flag).then_some(format)
}

/// Seconds or milliseconds since 1970, or 20250131, if the name says that it is a time.
pub(super) fn numeric_time(name: &str, seen: &Evidence, integers: bool) -> Option<Decision> {
    /// This many numbers that are all valid calendar days are dates whatever their name: of eight-digit numbers that
    /// begin with a year, one in 27 is a valid day.
    const DATES: u64 = 20;
    let named = has_word(name, &TIME_WORDS);
    let within = |low: f64, high: f64| seen.plain.min >= low && seen.plain.max < high;
    // A first or last day that means "never" may be outside the range.
    let mostly_within = |low: f64, high: f64, never: &[f64]| {
        let ([low_end, second, _], [high_end, last, _]) = (seen.plain.ends.low(), seen.plain.ends.high());
        let begin = if never.contains(&low_end.0) { second.0 } else { low_end.0 };
        let end = if never.contains(&high_end.0) { last.0 } else { high_end.0 };
        begin >= low && end < high
    };
    let compact = TimeFormat::new("%Y%m%d").ok()?;
    let with_clock = TimeFormat::new("%Y%m%d%H%M%S").ok()?;
    let all = |format: &TimeFormat| seen.levels.iter().all(|level| format.parse(level).is_some());
    let (format, what) = if named && within(3e8, 4.2e9) {
        ("unix", "seconds since 1970")
    } else if named && integers && within(3e11, 4.2e12) {
        ("unix_ms", "milliseconds since 1970")
    } else if (named || seen.distinct.count() >= DATES)
        && integers
        && mostly_within(
            19_000_101.0,
            21_010_101.0,
            &[10_101.0, 16_010_101.0, 17_530_101.0, 99_990_101.0, 99_991_231.0],
        )
        && all(&compact)
    {
        ("%Y%m%d", "dates written %Y%m%d")
    } else if (named || seen.distinct.count() >= DATES)
        && integers
        && within(19_000_101e6, 21_010_101e6)
        && all(&with_clock)
    {
        ("%Y%m%d%H%M%S", "times written %Y%m%d%H%M%S")
    } else {
        return None;
    };
    let why = if named { ", because of its name" } else { "" };
    let reason = format!("{what}, {} to {}{why}", seen.plain.min, seen.plain.max);
    Some(Decision { format: Some(format.to_owned()), ..Decision::new(Kind::Time, reason) })
}

/// Whole numbers that identify rows.
fn numeric_id(name: &str, seen: &Evidence, values: &Numbers) -> Option<Decision> {
    if values.integers != seen.present() || seen.n < MIN_ROWS_FOR_ID {
        return None;
    }
    let id = |reason: String| Decision { number: Some(NumberFormat::default()), ..Decision::new(Kind::Id, reason) };
    if seen.is_unique() {
        if let Some((first, last)) = values.counts().filter(|_| !has_word(name, &["year"])) {
            return Some(id(format!("counts the rows, {first} to {last}")));
        }
        if has_word(name, &ID_WORDS) || names_key(name) {
            return Some(id("unique whole numbers, and its name says so".to_owned()));
        }
    } else if (has_word(name, &["id", "uuid", "guid", "key"]) || names_key(name)) && seen.distinct.count() > 20 {
        if seen.missing == 0 && seen.distinct.share() > 0.95 {
            return Some(id(format!("the name says id, and almost all values differ ({} distinct)", count(seen))));
        }
        let reason = format!("the name says id, but values repeat: {} distinct", count(seen));
        return Some(Decision::new(Kind::Category, reason));
    }
    None
}

fn number_reason(seen: &Evidence, integers: bool) -> String {
    let range = format!("{} to {}", Plain(seen.plain.min), Plain(seen.plain.max));
    match (integers, seen.distinct.count()) {
        (true, 2) if seen.plain.min == 0.0 && seen.plain.max == 1.0 => "0/1 flag".to_owned(),
        (true, _) => format!("whole numbers, {range}, {} distinct", count(seen)),
        (false, _) => format!("numbers, {range}"),
    }
}

fn textual(name: &str, seen: &Evidence) -> Decision {
    let kind = coded(name, seen);
    let mut reason = match kind {
        Kind::Id => "unique texts without spaces".to_owned(),
        Kind::Text => format!("texts of words, {} distinct", count(seen)),
        _ if seen.distinct.count() <= 4 => {
            format!("texts: {}", seen.levels.iter().map(shorten).collect::<Vec<_>>().join(", "))
        }
        _ => format!("texts, {} distinct", count(seen)),
    };
    if kind == Kind::Id && !seen.is_unique() {
        reason = format!("the name says id, and almost all values differ ({} distinct)", count(seen));
    }
    if let Some(hint) = almost(seen) {
        reason = format!("{reason}; {hint}");
    }
    Decision::new(kind, reason)
}

/// Id, text or category for cells that are not numbers or must not be.
fn coded(name: &str, seen: &Evidence) -> Kind {
    let present = seen.present().max(1) as f64;
    let mean_bytes = seen.text_bytes as f64 / present;
    let spaced = seen.spaced as f64 / present;
    let enough = seen.n >= MIN_ROWS_FOR_ID;
    let says = has_word(name, &ID_WORDS) || names_key(name);
    let nearly = seen.missing == 0 && seen.distinct.share() > 0.95 && says;
    if enough && spaced < 0.01 && mean_bytes <= PROSE_BYTES && (seen.is_unique() || nearly) {
        return Kind::Id;
    }
    let many = seen.distinct.count() > MAX_LEVELS as u64;
    let prose = mean_bytes > PROSE_BYTES && spaced > 0.5;
    let names = seen.distinct.share() > 0.9 && spaced > 0.5;
    if many && (prose || names) { Kind::Text } else { Kind::Category }
}

/// Which kind a column of texts almost has, so that the user can correct it.
fn almost(seen: &Evidence) -> Option<String> {
    let others = seen.present() - seen.plain.n;
    if let Some(near) = seen.times.nearly(seen.present())
        && let [place, ..] = near.others.as_slice()
    {
        return Some(format!("times written {} until {:?} on line {}", near.format.name(), place.value, place.line));
    }
    if let Some(place) = &seen.long {
        return Some(format!(
            "{:?} on line {} has more digits than a number can store, so text",
            place.value, place.line
        ));
    }
    let place = seen.first_not_number.as_ref().filter(|_| seen.plain.n * 10 >= others * 90)?;
    Some(format!(
        "numbers except {others}, first {:?} on line {}: if it means missing, declare it as missing",
        place.value, place.line
    ))
}

/// The levels of a category that are written in several ways, under their most frequent spelling; `None` if there are
/// none, or too many to list.
pub(super) fn spelling(seen: &Evidence) -> Option<(Spelling, Merged)> {
    if seen.levels.len() > MAX_LEVELS {
        return None;
    }
    let levels: Vec<(&str, u64)> = seen.levels.iter().zip(seen.level_counts.iter().copied()).collect();
    let mut names = Spelling::default().names(&levels);
    let merged = level::merged(&names, &levels);
    if merged.is_empty() {
        return None;
    }
    names.sort_unstable();
    names.dedup();
    Some((Spelling::new(names, Same::Listed(merged.iter().cloned().collect())), merged))
}

fn count(seen: &Evidence) -> String {
    let about = if seen.distinct.is_exact() { "" } else { "about " };
    format!("{about}{}", seen.distinct.count())
}

#[cfg(test)]
mod tests;
