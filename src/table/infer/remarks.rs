//! Notes for the user on a table, besides the kinds of its columns.

use std::collections::HashMap;

use super::decide::Decision;
use super::names::has_word;
use super::shapes;
use crate::table::evidence::{End, Evidence};
use crate::table::time::{TimeFormat, write_iso};
use crate::table::{Kind, NumberFormat};

/// Values that often stand for "missing", among small and among large numbers.
const LOW: [f64; 19] = [
    0.0,
    -1.0,
    -2.0,
    -3.0,
    -7.0,
    -8.0,
    -9.0,
    -77.0,
    -88.0,
    -98.0,
    -99.0,
    -888.0,
    -999.0,
    -999.9,
    -9999.0,
    -99999.0,
    -32_768.0,
    -2_147_483_648.0,
    -1e30,
];
const HIGH: [f64; 21] = [
    9.0,
    77.0,
    98.0,
    777.0,
    998.0,
    99.0,
    999.0,
    9999.0,
    99999.0,
    999_999.0,
    99.9,
    999.9,
    88.0,
    888.0,
    8888.0,
    88_888.0,
    88_888_888.0,
    32_767.0,
    2_147_483_647.0,
    4_294_967_295.0,
    1e30,
];
/// Minimum number of other values for their spacing to mean something.
const MIN_OTHERS: u64 = 10;
/// Words in names of columns that hold years.
const YEARS: [&str; 6] = ["year", "yr", "years", "jahr", "annee", "ano"];
/// Maximum number of columns that a remark names.
const SHOWN: usize = 6;

/// All remarks about a table.
pub(super) fn of(names: &[String], seen: &[Evidence], decisions: &[Decision], target: Option<&str>) -> Vec<String> {
    let columns =
        || names.iter().zip(seen).zip(decisions).map(|((name, seen), decision)| (name.as_str(), seen, decision));
    let mut remarks: Vec<String> = columns()
        .filter(|(_, _, decision)| decision.ambiguous)
        .map(|(name, _, decision)| {
            format!("column {name:?}: {}: if this is wrong, correct [columns] in mlloop.toml", decision.reason)
        })
        .collect();
    remarks.extend(alike(names));
    remarks.extend(order(&columns().filter(|(name, _, _)| Some(*name) != target).collect::<Vec<_>>()));
    remarks.extend(columns().filter_map(|(name, seen, decision)| marker(name, seen, decision, Some(name) == target)));
    remarks.extend(shapes::of(&columns().filter(|(name, _, _)| Some(*name) != target).collect::<Vec<_>>()));
    let odd: Vec<(&str, String)> = columns()
        .filter(|(name, _, _)| Some(*name) != target)
        .filter_map(|(name, seen, decision)| {
            let told = match decision.kind {
                Kind::Number => sentinel(name, seen, decision.number.as_ref()),
                Kind::Time => odd_time(name, seen, decision),
                _ => None,
            };
            Some((name, told?))
        })
        .collect();
    if !odd.is_empty() {
        let (shown, more) = odd.split_at(odd.len().min(SHOWN));
        let shown: Vec<&str> = shown.iter().map(|(_, told)| told.as_str()).collect();
        let more: Vec<&str> = more.iter().map(|(name, _)| *name).collect();
        let more = if more.is_empty() { String::new() } else { format!("; also in {}", more.join(", ")) };
        remarks.push(format!(
            "values that may mean \"missing\", because they are far from all others: {}{more}",
            shown.join(", ")
        ));
    }
    remarks
}

/// Two columns with easily confused names: they differ only in case or in the separators between words.
fn alike(names: &[String]) -> Option<String> {
    let plain =
        |name: &str| -> String { name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect() };
    let mut first = HashMap::new();
    let pairs: Vec<(&str, &str)> = names
        .iter()
        .filter(|name| !plain(name).is_empty())
        .filter_map(|name| Some((first.insert(plain(name), name.as_str())?, name.as_str())))
        .collect();
    let (a, b) = *pairs.first()?;
    let more = if pairs.len() > 1 { format!(" (and {} more pairs)", pairs.len() - 1) } else { String::new() };
    Some(format!(
        "columns {a:?} and {b:?} have almost the same name{more}: both are used; leave one out with \
                  --ignore"
    ))
}

/// Whether the rows have an order in time, which a random split ignores.
fn order(columns: &[(&str, &Evidence, &Decision)]) -> Option<String> {
    let flatters = "the gate uses the latest rows; on ordered data a random split gives metrics that are too \
                    optimistic";
    let is_date = |decision: &Decision| {
        let format = decision.format.as_deref().and_then(|format| TimeFormat::new(format).ok());
        decision.kind == Kind::Time && format.is_some_and(|format| !format.is_clock())
    };
    if let Some((name, _, _)) = columns.iter().find(|(_, _, decision)| is_date(decision)) {
        return Some(format!("column {name:?} is a time: with by = \"time\" under [split], {flatters}"));
    }
    let part = |words: &[&str], low: f64, high: f64| {
        columns.iter().find(|(name, seen, decision)| {
            let values = seen.values(decision.number.as_ref());
            let whole = values.integers == seen.present() && values.n > 0;
            whole && seen.distinct.count() > 1 && has_word(name, words) && values.min >= low && values.max <= high
        })
    };
    let parts: Vec<&str> = [
        part(&YEARS, 0.0, 2100.0),
        part(&["month", "mon", "mnth", "months", "monat", "mois", "mes"], 1.0, 12.0),
        part(&["day", "dom", "dd", "tag", "jour", "dia"], 1.0, 31.0),
        part(&["hour", "hr", "hours", "stunde", "heure", "hora"], 0.0, 24.0),
    ]
    .into_iter()
    .flatten()
    .map(|(name, _, _)| *name)
    .collect();
    let has_year = part(&YEARS, 0.0, 2100.0).is_some();
    (parts.len() >= 2).then(|| match has_year {
        true => {
            let quoted: Vec<String> = parts.iter().map(|part| format!("{part:?}")).collect();
            format!(
                "columns {} are the parts of a time: with by = \"time\" and columns = [{}] under [split], {flatters}",
                parts.join(", "),
                quoted.join(", ")
            )
        }
        false => format!(
            "columns {} are parts of a time without a year: if rows are ordered in time, a random split gives \
             metrics that are too optimistic; add a column with the whole time and set by = \"time\" under [split]",
            parts.join(", ")
        ),
    })
}

/// Values at the ends of the column that often mean "missing" and are far from the rest: one, or two adjacent ones.
fn sentinel(name: &str, seen: &Evidence, written: Option<&NumberFormat>) -> Option<String> {
    let distinct = seen.distinct.count();
    let (values, present) = (seen.values(written), seen.present());
    let others = distinct.checked_sub(1).filter(|&n| n >= 2)? as f64;
    // With few values, the spacing is weak evidence: a code must be far beyond all of them.
    let is_few = others < MIN_OTHERS as f64;
    let is_beyond = |end: &End, last: f64, n_odd: usize| {
        let (odd, next) = (end[n_odd - 1].0, end[n_odd].0);
        !is_few || values.integers == present && (odd - next).abs() > 3.0 * (next - last).abs()
    };
    let far_below = |end: &End, n_odd: usize| {
        let (odd, next) = (end[n_odd - 1].0, end[n_odd].0);
        let spacing = (values.max - next) / others;
        is_beyond(end, values.max, n_odd) && odd < 0.0 && next >= 0.0
            || !is_few && n_odd == 1 && odd == 0.0 && next - odd > 3.0 * spacing
    };
    let far_above = |end: &End, n_odd: usize| {
        let (odd, next) = (end[n_odd - 1].0, end[n_odd].0);
        let (gap, range) = (odd - next, next - values.min);
        // A value that is much more frequent than others may be nearer.
        let is_heavy = end[n_odd - 1].1 * distinct >= 3 * present;
        is_beyond(end, values.min, n_odd)
            && gap > 3.0 * range / others
            && gap > range / if is_heavy { 4.0 } else { 2.0 }
    };
    let at = |end: End, known: &[f64], is_far: &dyn Fn(&End, usize) -> bool| {
        (1..=2).find_map(|n_odd| {
            let odd = &end[..n_odd];
            let often = |n: u64| n >= 2 && n * 200 >= present;
            let n = odd.iter().map(|(_, n)| n).sum();
            let is_odd = odd.iter().all(|(value, _)| known.contains(value)) && end[n_odd].1 > 0;
            let names: Vec<String> = odd.iter().map(|(value, _)| value.to_string()).collect();
            (is_odd && often(n) && is_far(&end, n_odd))
                .then(|| format!("{} in {name} ({n} cells, next {})", names.join(" and "), end[n_odd].0))
        })
    };
    let low = at(values.ends.low(), &LOW, &far_below);
    let high = at(values.ends.high(), &HIGH, &far_above);
    let told: Vec<String> = low.into_iter().chain(high).collect();
    (!told.is_empty()).then(|| told.join(", "))
}

/// A text read as missing that looks like a level: `NA` beside `EU` and `AS`, `null` in a target.
fn marker(name: &str, seen: &Evidence, decision: &Decision, is_target: bool) -> Option<String> {
    /// Minimum share of the cells, and maximum number of levels beside it, for this to be likely.
    const OFTEN: f64 = 0.05;
    const FEW: usize = 20;
    let [text] = seen.markers.as_slice() else { return None };
    // `None` in a target is read as a class.
    let open = decision.kind == Kind::Category && !(is_target && text == "None");
    let is_word = text.chars().all(char::is_alphabetic);
    if !open || !is_word || seen.levels.len() > FEW || (seen.marked as f64) < OFTEN * seen.n as f64 {
        return None;
    }
    let codes = seen.levels.iter().all(|level| {
        level.chars().count() <= text.chars().count().max(2)
            && level.chars().all(|c| c.is_uppercase() || c.is_ascii_digit())
    });
    let is_code = codes && text.chars().all(char::is_uppercase);
    if !is_target && !is_code {
        return None;
    }
    let levels: Vec<String> =
        seen.levels.iter().chain([text.as_str()]).take(6).map(|level| format!("{level:?}")).collect();
    Some(format!(
        "column {name:?}: {} cells {text:?} are read as missing; if this is a normal {}, list it in mlloop.toml: \
         levels = [{}]",
        seen.marked,
        if is_target { "class" } else { "level" },
        levels.join(", ")
    ))
}

/// Days that often stand for "not yet", "never" or "unknown": where calendars of programs and of columns begin and end.
const ODD_DAYS: [&str; 24] = [
    "0001-01-01",
    "1600-01-01",
    "1601-01-01",
    "1753-01-01",
    "1800-01-01",
    "1899-12-30",
    "1899-12-31",
    "1900-01-01",
    "1900-01-02",
    "1904-01-01",
    "1970-01-01",
    "1980-01-01",
    "2038-01-19",
    "2050-12-31",
    "2099-01-01",
    "2099-12-31",
    "2100-01-01",
    "2100-12-31",
    "2199-12-31",
    "2262-04-11",
    "2999-12-31",
    "3000-01-01",
    "9999-01-01",
    "9999-12-31",
];

/// A day at one end of a column of times that often means "no date", and is far from the rest.
fn odd_time(name: &str, seen: &Evidence, decision: &Decision) -> Option<String> {
    const YEAR: f64 = 365.25 * 86_400e6;
    let format = TimeFormat::new(decision.format.as_deref()?).ok().filter(|format| !format.is_clock())?;
    let others = seen.distinct.count().checked_sub(1).filter(|&n| n >= MIN_OTHERS)? as f64;
    // Numbers that are times have not been converted to times yet.
    let (ends, is_number) = if seen.plain.n > 0 { (&seen.plain.ends, true) } else { (seen.times.ends(), false) };
    let micros = |value: f64| if is_number { format.parse(&value.to_string()) } else { Some(value as i64) };
    let written = |micros: i64| {
        let mut text = String::new();
        write_iso(micros, &mut text);
        text
    };
    let often = |n: u64| n >= 2 && n * 200 >= seen.present();
    let alone = |[(odd, n), (next, _), _]: End, other_end: f64| {
        let (odd, next, last) = (micros(odd)?, micros(next)?, micros(other_end)?);
        let (gap, range) = ((odd - next).abs() as f64, (next - last).abs() as f64);
        let day = written(odd);
        let is_odd = ODD_DAYS.contains(&&day[..day.find('T').unwrap_or(day.len())]);
        let is_far = gap >= YEAR && gap > 3.0 * range / others;
        (is_odd && is_far && often(n)).then(|| format!("{day} in {name} ({n} cells, next {})", written(next)))
    };
    let (low, high) = (ends.low(), ends.high());
    alone(high, low[0].0).or_else(|| alone(low, high[0].0))
}

#[cfg(test)]
#[path = "remarks_tests.rs"]
mod tests;
