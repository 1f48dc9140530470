//! Tests between two tables of counts over the same levels.

use super::normal::two_sided_p;
use super::sample::{Cannot, Measured};
use super::shares::totals;
use super::tails::chi_squared;
use crate::stats::portable::Portable;

/// Cells with a lower expectation are merged by [`homogeneity`]; [`super::exact::least`] tests each.
pub const EXPECTED: f64 = 5.0;

/// Levels present on either side.
pub(super) fn present<'a>(reference: &'a [u64], current: &'a [u64]) -> impl Iterator<Item = (u64, u64)> + 'a {
    reference.iter().copied().zip(current.iter().copied()).filter(|&(r, c)| r + c > 0)
}

/// Pearson's χ² of the current counts against the reference's **shares**, which are treated as known, as in Evidently:
/// one sample, levels − 1 degrees of freedom.
///
/// It ignores that the reference is also a sample, so p is too small unless the reference is much larger; a level
/// missing in the reference gives χ² = ∞ and p = 0. [`homogeneity`] avoids both problems.
///
/// # Errors
/// If a side is empty, or there is only one level.
pub fn chi_squared_shares(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (n, m) = totals(reference, current)?;
    let scale = m as f64 / n as f64;
    goodness(reference, current, |r, c| {
        let expected = r as f64 * scale;
        (c as f64 - expected).powi(2) / expected
    })
}

/// The G statistic 2 Σ c ln(c/r) of the current counts against the reference **counts**, levels − 1 degrees of freedom
/// (scipy `power_divergence`, log-likelihood), as in Evidently: without scaling, so it is defined only for samples of
/// equal size. A level missing in the reference gives ∞ and p = 0.
///
/// # Errors
/// If a side is empty, the sizes differ, or there is only one level.
pub fn g_test(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (n, m) = totals(reference, current)?;
    // The relative difference up to which scipy treats sums as equal.
    if (n.abs_diff(m)) as f64 > f64::EPSILON.sqrt() * n.min(m) as f64 {
        return Err(Cannot::because(format!("this test needs samples of equal size, not {n} and {m}")));
    }
    goodness(reference, current, |r, c| if c == 0 { 0.0 } else { 2.0 * c as f64 * (c as f64 / r as f64).ln_portable() })
}

fn goodness(reference: &[u64], current: &[u64], term: impl Fn(u64, u64) -> f64) -> Result<Measured, Cannot> {
    let levels = present(reference, current).count();
    if levels < 2 {
        return Err(Cannot::because("there is only one level"));
    }
    let statistic: f64 = present(reference, current).map(|(r, c)| term(r, c)).sum();
    Ok(Measured { statistic, p: Some(chi_squared(statistic, (levels - 1) as f64)) })
}

/// z of two proportions with pooled variance, two-sided; the proportion is that of all levels except the **first** one
/// present on either side. If there is only one level, z = 0 and p = 1.
///
/// # Errors
/// If a side is empty.
pub fn z_test(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (n, m) = totals(reference, current)?;
    if present(reference, current).count() == 1 {
        return Ok(Measured { statistic: 0.0, p: Some(1.0) });
    }
    let (first_r, first_c) = present(reference, current).next().unwrap_or((0, 0));
    let (n, m, a, b) = (n as f64, m as f64, (n - first_r) as f64, (m - first_c) as f64);
    let pooled = (a + b) / (n + m);
    let z = (a / n - b / m) / (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
    Ok(Measured { statistic: z, p: Some(two_sided_p(z)) })
}

/// Pearson's χ² of homogeneity: are both sides drawn from the same shares? Cells with an expectation below 5 on either
/// side are merged; if the merged cell is still below 5, it is merged with the next smallest. Missing values and levels
/// missing in the reference are cells like any other (the caller counts them). No continuity correction.
///
/// ```
/// let found = mlloop::stats::levels::homogeneity(&[117, 61, 57, 34], &[120, 53, 39, 17]).unwrap();
/// // scipy.stats.chi2_contingency
/// assert!((found.statistic - 6.46993429168031).abs() < 1e-9 && (found.p.unwrap() - 0.0908557923455672).abs() < 1e-9);
/// ```
///
/// # Errors
/// If a side is empty, or fewer than two cells remain.
pub fn homogeneity(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (n, m) = totals(reference, current)?;
    let (n, m) = (n as f64, m as f64);
    let smaller = n.min(m) / (n + m);
    let mut cells: Vec<(u64, u64)> = present(reference, current).collect();
    cells.sort_by_key(|&(r, c)| r + c);
    let mut pooled = (0, 0);
    let mut kept = 0;
    for &(r, c) in &cells {
        let enough = |all: u64| all as f64 * smaller >= EXPECTED;
        if enough(r + c) && (pooled == (0, 0) || enough(pooled.0 + pooled.1)) {
            break;
        }
        pooled = (pooled.0 + r, pooled.1 + c);
        kept += 1;
    }
    let left = cells[kept..].iter().copied().chain((pooled != (0, 0)).then_some(pooled));
    let (mut statistic, mut count) = (0.0, 0);
    for (r, c) in left {
        let all = (r + c) as f64 / (n + m);
        statistic += (r as f64 - all * n).powi(2) / (all * n) + (c as f64 - all * m).powi(2) / (all * m);
        count += 1;
    }
    if count < 2 {
        return Err(Cannot::because("fewer than two levels with enough rows"));
    }
    Ok(Measured { statistic, p: Some(chi_squared(statistic, f64::from(count - 1))) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rare_cells_are_put_together() {
        let pooled = homogeneity(&[100, 90, 1, 1, 2], &[80, 110, 1, 2, 7]).unwrap();
        let by_hand = homogeneity(&[100, 90, 4], &[80, 110, 10]).unwrap();
        assert!((pooled.statistic - by_hand.statistic).abs() < 1e-12);
        assert!(homogeneity(&[5], &[7]).is_err());
        assert!(homogeneity(&[1, 1], &[1, 0]).is_err());
    }
}
