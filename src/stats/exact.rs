//! Exact tests of frequencies on two sides, for counts of any size.

use super::levels::present;
use super::sample::{Cannot, Measured};
use super::shares::totals;
use super::tails::ln_hypergeometric;
use crate::stats::portable::Portable;

/// Fisher's exact test of two levels on two sides, two-sided: the probability of all tables with the same margins that
/// are at most as likely as this one (R. Fisher, "Statistical Methods for Research Workers", 1934; scipy
/// `fisher_exact`).
///
/// The statistic is the odds ratio of the **second** level, current over reference; `NaN` with p = 1 if a level is
/// missing. The two sides may differ in size.
///
/// # Errors
/// If a side is empty, or there are more than two levels.
pub fn fisher_exact(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (n, m) = totals(reference, current)?;
    let cells: Vec<(u64, u64)> = present(reference, current).collect();
    let [(first_r, first_c), (second_r, second_c)] = cells[..] else {
        return match cells.len() {
            1 => Ok(Measured { statistic: f64::NAN, p: Some(1.0) }),
            more => Err(Cannot::because(format!("this test needs two levels, not {more}"))),
        };
    };
    let odds = (second_c as f64 * first_r as f64) / (second_r as f64 * first_c as f64);
    Ok(Measured { statistic: odds, p: Some(fisher((second_r, n), (second_c, m))) })
}

/// Fisher's two-sided p of `a` of `n` rows against `b` of `m`. Only relevant terms are summed, so the time depends on
/// the spread of the count, even for a billion rows.
///
/// ```
/// // C(200, 120) / C(5200, 120)
/// let p = mlloop::stats::exact::fisher((0, 5000), (120, 200));
/// assert!((p / 5.280810655031819e-190 - 1.0).abs() < 1e-9, "{p:e}");
/// ```
#[must_use]
pub fn fisher((a, n): (u64, u64), (b, m): (u64, u64)) -> f64 {
    let (all, marked) = (n + m, a + b);
    let (low, high) = (marked.saturating_sub(n), marked.min(m));
    if low == high {
        return 1.0;
    }
    let ln_p = |c: u64| ln_hypergeometric(all, marked, m, c);
    // Equally likely tables may differ in the last digits.
    let at_most = ln_p(b) + 1e-9;
    let mode = (u128::from(marked + 1) * u128::from(m + 1) / u128::from(all + 2)) as u64;
    let mode = mode.clamp(low, high);
    if ln_p(mode) <= at_most {
        return 1.0;
    }
    // p(c + 1) / p(c)
    let rise = |c: u64| ((marked - c) as f64 / (c + 1) as f64) * ((m - c) as f64 / (all + c + 1 - marked - m) as f64);
    let above = first(mode, high, |c| ln_p(c) <= at_most).map(|from| tail(ln_p(from), (from..high).map(rise)));
    let below = first(0, mode - low, |step| ln_p(mode - step) <= at_most)
        .map(|step| mode - step)
        .map(|from| tail(ln_p(from), (low..from).rev().map(|c| 1.0 / rise(c))));
    (above.unwrap_or(0.0) + below.unwrap_or(0.0)).min(1.0)
}

/// The first of `from..=to` for which `is` is true; it must be true for all later values.
fn first(from: u64, to: u64, is: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut from, mut end) = (from, to + 1);
    while from < end {
        let middle = from + (end - from) / 2;
        if is(middle) {
            end = middle;
        } else {
            from = middle + 1;
        }
    }
    (from <= to).then_some(from)
}

/// The sum of terms that shrink by these factors, until further terms are negligible.
fn tail(ln_first: f64, factors: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut term) = (1.0, 1.0);
    for factor in factors {
        term *= factor;
        sum += term;
        if term < sum * 1e-17 {
            break;
        }
    }
    (ln_first + Portable::ln_portable(sum)).exp_portable()
}

/// The result of [`least`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Least {
    /// The index of the cell.
    pub cell: usize,
    /// The probability that any of the cells is this unlikely.
    pub p: f64,
}

/// Tests each cell against all other rows by [`fisher`], and returns the least likely one. p is for all cells together:
/// the cell's own p times the number of cells that could be so unlikely at all (R. Tarone, "A Modified Bonferroni
/// Method for Discrete Data", 1990), so that a thousand levels of two rows do not hide one of twenty. Cells may overlap
/// and need not contain all of the `n` and `m` rows; the choice of cells may depend on both sides together, but not on
/// one of them. `None` without cells.
/// ```
/// use mlloop::stats::exact::least;
/// // Twenty rows of a level that a million rows lack: C(1000, 20) / C(1001000, 20)
/// let found = least(&[(0, 20)], 1_000_000, 1000).unwrap();
/// assert!((found.p / 8.097357079083438e-61 - 1.0).abs() < 1e-9, "{found:?}");
/// ```
#[must_use]
pub fn least(cells: &[(u64, u64)], n: u64, m: u64) -> Option<Least> {
    let p = |&(a, b): &(u64, u64)| fisher((a, n), (b, m));
    let (cell, least) = cells.iter().map(p).enumerate().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let could = cells.iter().filter(|&&(a, b)| attainable(a + b, n, m) <= least * (1.0 + 1e-9)).count();
    Some(Least { cell, p: (least * could.max(1) as f64).min(1.0) })
}

/// The smallest p that `marked` rows in total can have: with as many as possible on one side.
fn attainable(marked: u64, n: u64, m: u64) -> f64 {
    let ln_p = |c: u64| ln_hypergeometric(n + m, marked, m, c);
    ln_p(marked.saturating_sub(n)).min(ln_p(marked.min(m))).exp_portable()
}

/// The probability that the `k` highest of `n` + `m` rows in random order are all on the side of `m` rows, so that `k`
/// of its values are above all values of the other side. With ties it is an overestimate.
///
/// ```
/// use mlloop::stats::exact::beyond;
/// assert!((beyond(1, 3, 1) - 0.25).abs() < 1e-12 && (beyond(2, 2, 2) - 1.0 / 6.0).abs() < 1e-12);
/// ```
#[must_use]
pub fn beyond(k: u64, n: u64, m: u64) -> f64 {
    if k == 0 { 1.0 } else { ln_hypergeometric(n + m, k, m, k).exp_portable() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::tails::ln_choose;

    /// All tables one by one, as in the definition.
    fn by_definition((a, n): (u64, u64), (b, m): (u64, u64)) -> f64 {
        let t = a + b;
        let ln_p = |c: u64| ln_choose(m, c) + ln_choose(n, t - c) - ln_choose(n + m, t);
        (t.saturating_sub(n)..=t.min(m)).map(ln_p).filter(|&l| l <= ln_p(b) + 1e-9).map(f64::exp).sum()
    }

    #[test]
    fn few_terms_say_what_all_of_them_do() {
        for (n, m) in [(1, 1), (1, 7), (8, 8), (9, 4), (200, 31), (1000, 50)] {
            for a in (0..=n).step_by(1 + n as usize / 20) {
                for b in (0..=m).step_by(1 + m as usize / 20) {
                    let (found, expected) = (fisher((a, n), (b, m)), by_definition((a, n), (b, m)).min(1.0));
                    assert!((found - expected).abs() <= 1e-9 * expected, "{a}/{n} {b}/{m}: {found} {expected}");
                }
            }
        }
    }

    #[test]
    fn cells_that_cannot_be_unlikely_do_not_count() {
        let mut cells = vec![(1, 0); 1000];
        cells.push((0, 20));
        let alone = least(&cells[1000..], 10_000, 1000).unwrap().p;
        assert_eq!(least(&cells, 10_000, 1000), Some(Least { cell: 1000, p: alone }));
        let twice = least(&[(0, 20), (20, 0)], 10_000, 1000).unwrap();
        assert_eq!((twice.cell, twice.p), (0, 2.0 * alone));
        assert_eq!(least(&[], 10, 10), None);
        assert_eq!(least(&[(10, 10)], 10, 10).unwrap().p, 1.0);
    }
}
