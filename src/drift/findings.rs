//! Problems in the form or content of a table, independent of drift.

use super::pair::{ColumnPair, PairValues};
use super::report::{Finding, FindingKind};
use crate::profile::calendar::DAY_MICROS;
use crate::stats::exact::fisher;
use crate::stats::sample::Sample;
use crate::wording::{Plain, in_thousands};

/// Probability of a finding about missing cells if nothing changed.
const ALPHA: f64 = 0.001;
/// Smaller changes of the share of missing cells are not reported.
const MIN_MISSING_CHANGE: f64 = 0.01;
/// Fewer values outside the reference's range are not reported.
const MIN_OUTSIDE: u64 = 5;
/// The next value of an unchanged column is beyond the old extremes with probability 2/(n + 1); a finding requires this
/// many times more.
const OUTSIDE_FACTOR: f64 = 10.0;
/// Number of unseen levels that are named.
const N_NAMED: usize = 5;

/// Minimum number of rows for shared instants to mean something.
const MIN_SHARING: u64 = 20;
/// Shares of the rows whose instant is shared with other rows, that make a finding: at least this now, at most this in
/// the reference.
const SHARING: (f64, f64) = (0.5, 0.1);

/// Findings about one column: completeness, unseen levels, range, shared instants.
#[must_use]
pub fn findings(pair: &ColumnPair) -> Vec<Finding> {
    let content: Vec<Finding> = match &pair.values {
        PairValues::Number { reference, current, .. } => range(pair, reference, current).into_iter().collect(),
        PairValues::Time { reference, current, .. } => {
            instants(pair).into_iter().chain(shared_instants(pair, reference, current)).collect()
        }
        PairValues::Category { levels, reference, current } => {
            unseen(&pair.name, levels, reference, current).into_iter().collect()
        }
    };
    completeness(pair).into_iter().chain(content).collect()
}

/// More (or fewer) cells are missing than chance explains.
fn completeness(pair: &ColumnPair) -> Option<Finding> {
    let ((n, m), (a, b)) = (pair.n_rows(), pair.n_missing);
    if n == 0 || m == 0 {
        return None;
    }
    let (before, now) = (a as f64 / n as f64, b as f64 / m as f64);
    let worth = pair.worth.missing;
    let p = fisher((worth.reference(a), worth.reference(n)), (worth.current(b), worth.current(m)));
    let changed = p < ALPHA && (now - before).abs() >= MIN_MISSING_CHANGE;
    changed.then(|| {
        let text = format!("{:.1} % missing, in the reference {:.1} %", now * 100.0, before * 100.0);
        finding(FindingKind::Completeness, &pair.name, text)
    })
}

/// Levels that the reference does not have.
fn unseen(column: &str, levels: &[String], reference: &[u64], current: &[u64]) -> Option<Finding> {
    let total: u64 = current.iter().sum();
    let mut new: Vec<usize> = (0..levels.len()).filter(|&l| reference[l] == 0 && current[l] > 0).collect();
    if new.is_empty() || reference.iter().all(|&count| count == 0) {
        return None;
    }
    new.sort_by_key(|&level| (std::cmp::Reverse(current[level]), level));
    let n_rows: u64 = new.iter().map(|&level| current[level]).sum();
    let names: Vec<String> = new.iter().take(N_NAMED).map(|&level| format!("{:?}", levels[level])).collect();
    let more = if new.len() > N_NAMED { ", …" } else { "" };
    let share = n_rows as f64 / total as f64 * 100.0;
    let s = if new.len() == 1 { "" } else { "s" };
    let text = format!("{} unseen level{s} in {n_rows} rows ({share:.1} %): {}{more}", new.len(), names.join(", "));
    Some(finding(FindingKind::CategoricalValues, column, text))
}

/// Many more values outside the reference's extremes than in an unchanged column.
fn range(pair: &ColumnPair, reference: &Sample, current: &Sample) -> Option<Finding> {
    let (low, high) = pair.reference_range()?;
    let is_outside = |value: f64| value < low || value > high;
    let pairs = current.values().iter().zip(current.counts());
    let n_outside: u64 = pairs.filter(|&(&value, _)| is_outside(value)).map(|(_, &count)| count).sum();
    let share = n_outside as f64 / current.n().max(1) as f64;
    let worth = pair.worth.rare;
    let expected = 2.0 / (worth.reference(reference.n()) as f64 + 1.0);
    if worth.current(n_outside) < MIN_OUTSIDE || share < OUTSIDE_FACTOR * expected {
        return None;
    }
    let (lowest, highest) = (current.values().first()?, current.values().last()?);
    let [low, high, lowest, highest] = [low, high, *lowest, *highest].map(spaced);
    let text = format!(
        "{} values ({:.1} %) outside {low} to {high}; the current table has {lowest} to {highest}",
        in_thousands(&n_outside.to_string()),
        share * 100.0
    );
    Some(finding(FindingKind::Range, &pair.name, text))
}

/// A number in its shortest digits, with a space between thousands.
fn spaced(x: f64) -> String {
    let text = Plain(x).to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", &*text), |digits| ("-", digits));
    let (whole, rest) = digits.split_at(digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
    format!("{sign}{}{rest}", in_thousands(whole))
}

/// Instants in the future, or all before the middle of the reference.
fn instants(pair: &ColumnPair) -> Option<Finding> {
    let PairValues::Time { current, .. } = &pair.values else { return None };
    let (first, last) = pair.current_range()?;
    let later = horizon(pair).map_or(0, |horizon| later_than(current, horizon));
    let middle = pair.summaries.0.median?;
    let text = if later > 0 {
        format!("{later} times are in the future; the latest is {}", date(last))
    } else if last < middle {
        let (first, last, middle) = (date(first), date(last), date(middle));
        format!("rows from {first} to {last} are older than the middle of the reference, {middle}")
    } else {
        return None;
    };
    Some(finding(FindingKind::Range, &pair.name, text))
}

/// Instants shared by many rows, if few rows of the reference share theirs: the time of an export instead of each row's
/// own time, times truncated to days, or duplicate rows. The order of rows is not checked: nothing that the model reads
/// depends on it.
fn shared_instants(pair: &ColumnPair, reference: &Sample, current: &Sample) -> Option<Finding> {
    let (before, now) = (n_sharing(reference), n_sharing(current));
    let share = |n: u64, sample: &Sample| n as f64 / sample.n().max(1) as f64;
    let (most_at, most) = most_frequent(current)?;
    if current.n().min(reference.n()) < MIN_SHARING {
        return None;
    }
    // A sketch keeps the share of a frequent instant, but not which instants are rare.
    let most_before = most_frequent(reference).map_or(0, |(_, n)| n);
    let is_sketch = pair.rank_error > 0.0;
    let spread = if is_sketch { share(most_before, reference) } else { share(before, reference) };
    let text = if share(most, current) >= SHARING.0 && spread <= SHARING.1 {
        let share = share(most, current) * 100.0;
        format!("{share:.1} % of the rows have the same time, {}: is it the time of an export?", instant(most_at))
    } else if !is_sketch && share(now, current) >= SHARING.0 && spread <= SHARING.1 {
        let (now, before) = (share(now, current) * 100.0, share(before, reference) * 100.0);
        format!(
            "{now:.1} % of the rows share their time with other rows, in the reference {before:.1} %: are rows \
             duplicated, or were times truncated?"
        )
    } else {
        return None;
    };
    Some(finding(FindingKind::Range, &pair.name, text))
}

/// Number of rows that share their value with other rows.
fn n_sharing(sample: &Sample) -> u64 {
    sample.counts().iter().filter(|count| **count > 1).sum()
}

fn most_frequent(sample: &Sample) -> Option<(f64, u64)> {
    sample.values().iter().copied().zip(sample.counts().iter().copied()).max_by_key(|(_, count)| *count)
}

/// The latest expected time: the current time, or later if at least 1 % of the reference's rows lie in the future (as
/// contract ends and due dates do), by as much as theirs.
pub(super) fn horizon(pair: &ColumnPair) -> Option<i64> {
    let PairValues::Time { reference, present, then, .. } = &pair.values else { return None };
    let present = (*present)?;
    let looks_ahead = |then: &i64| later_than(reference, *then) * 100 >= reference.n().max(1);
    let ahead = then.filter(looks_ahead).and_then(|then| Some(*reference.values().last()? as i64 - then));
    Some(present.saturating_add(ahead.unwrap_or(0).max(0)))
}

/// Number of instants more than a day in the future: clocks and time zones differ by less.
pub(super) fn later_than(current: &Sample, present: i64) -> u64 {
    let tomorrow = present.saturating_add(DAY_MICROS) as f64;
    let end = current.values().partition_point(|at| *at <= tomorrow);
    current.parts([end].into_iter())[1]
}

pub(super) fn date(micros: f64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros as i64);
    at.map_or_else(|_| "beyond the year 9999".to_owned(), |at| at.strftime("%Y-%m-%d").to_string())
}

fn instant(micros: f64) -> String {
    let at = jiff::Timestamp::from_microsecond(micros as i64);
    at.map_or_else(|_| date(micros), |at| at.strftime("%Y-%m-%d %H:%M:%S").to_string())
}

fn finding(kind: FindingKind, column: &str, text: String) -> Finding {
    Finding { kind, column: Some(column.to_owned()), text }
}

#[cfg(test)]
mod tests {
    use super::spaced;

    #[test]
    fn numbers_have_a_space_between_thousands() {
        let told = [1_645_653.0, -12_345.5, 9999.0, 0.25, -1e-7].map(spaced);
        assert_eq!(told, ["1\u{a0}645\u{a0}653", "-12\u{a0}345.5", "9999", "0.25", "-1e-7"]);
    }
}
