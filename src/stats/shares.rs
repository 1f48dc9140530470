//! Distances between two tables of counts over the same cells, as Evidently defines them.

use super::sample::{Cannot, Measured};
use crate::stats::portable::Portable;

/// Shares of two aligned tables of counts.
///
/// # Errors
/// If the tables differ in length or one of them is empty.
pub fn shares(reference: &[u64], current: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Cannot> {
    let (n, m) = totals(reference, current)?;
    let share = |counts: &[u64], total: u64| counts.iter().map(|&c| c as f64 / total as f64).collect();
    Ok((share(reference, n), share(current, m)))
}

/// The sums of two aligned tables of counts.
///
/// # Errors
/// If the tables differ in length or one of them is empty.
pub fn totals(reference: &[u64], current: &[u64]) -> Result<(u64, u64), Cannot> {
    if reference.len() != current.len() {
        return Err(Cannot::because("the two tables have different cells"));
    }
    let (n, m) = (reference.iter().sum(), current.iter().sum());
    if n == 0 {
        return Err(Cannot::because("the reference has no values"));
    }
    if m == 0 {
        return Err(Cannot::because("the current table has no values"));
    }
    Ok((n, m))
}

/// Replaces zero shares with .0001, or with a millionth of the smallest share if that is not larger.
fn fill(shares: &mut [f64]) {
    let smallest = shares.iter().copied().filter(|&s| s != 0.0).fold(f64::INFINITY, f64::min);
    let filler = if smallest <= 0.0001 { smallest / 1e6 } else { 0.0001 };
    shares.iter_mut().filter(|s| **s == 0.0).for_each(|s| *s = filler);
}

fn filled(reference: &[u64], current: &[u64]) -> Result<(Vec<f64>, Vec<f64>), Cannot> {
    let (mut p, mut q) = shares(reference, current)?;
    fill(&mut p);
    fill(&mut q);
    Ok((p, q))
}

fn distance(statistic: f64) -> Result<Measured, Cannot> {
    if statistic.is_finite() { Ok(Measured { statistic, p: None }) } else { Err(Cannot::because("it is not finite")) }
}

/// The population stability index Σ (p − q) ln(p/q); zero shares are filled without renormalisation.
///
/// ```
/// let found = mlloop::stats::shares::psi(&[50, 50], &[80, 20]).unwrap();
/// assert!((found.statistic - 0.41588830833596735).abs() < 1e-12);
/// ```
///
/// # Errors
/// If a side is empty.
pub fn psi(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (p, q) = filled(reference, current)?;
    distance(p.iter().zip(&q).map(|(p, q)| (p - q) * (p / q).ln_portable()).sum())
}

/// Kullback and Leibler's divergence Σ p ln(p/q) of the reference from the current shares, in nats; zero shares are
/// filled, then both sides are normalised to sum to 1.
///
/// # Errors
/// If a side is empty.
pub fn kl_div(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (p, q) = filled(reference, current)?;
    let (n, m): (f64, f64) = (p.iter().sum(), q.iter().sum());
    distance(p.iter().zip(&q).map(|(p, q)| relative_entropy(p / n, q / m)).sum())
}

fn relative_entropy(p: f64, q: f64) -> f64 {
    if p > 0.0 { p * (p / q).ln_portable() } else { 0.0 }
}

/// Jensen and Shannon's distance, the square root of the divergence in nats: 0 to √ln 2 (scipy `jensenshannon`).
///
/// # Errors
/// If a side is empty.
pub fn jensen_shannon(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (p, q) = shares(reference, current)?;
    let divergence: f64 =
        p.iter().zip(&q).map(|(&p, &q)| relative_entropy(p, (p + q) / 2.0) + relative_entropy(q, (p + q) / 2.0)).sum();
    distance((divergence.max(0.0) / 2.0).sqrt())
}

/// Hellinger's distance √(1 − Σ√(pq)) = √(½ Σ (√p − √q)²), 0 to 1; equal shares give exactly 0.
///
/// # Errors
/// If a side is empty.
pub fn hellinger(reference: &[u64], current: &[u64]) -> Result<Measured, Cannot> {
    let (p, q) = shares(reference, current)?;
    let apart: f64 = p.iter().zip(&q).map(|(p, q)| (p.sqrt() - q.sqrt()).powi(2)).sum();
    distance((apart / 2.0).min(1.0).sqrt())
}

/// The distance of two tables of counts over the same cells, in units of Cohen's h: 2 arccos Σ √(p q). For two cells it
/// equals h, the difference of 2 arcsin √share (J. Cohen, "Statistical Power Analysis", 1988: .2 is small, .5 medium);
/// for normal numbers it is about the shift in standard deviations. A cell missing on one side counts by its share on
/// the other side, for any number of rows.
///
/// The expectation of the square by chance, (cells − 1)(1/n + 1/m), is subtracted; cells with an expectation of less
/// than one row on the smaller side are ignored.
///
/// ```
/// use mlloop::stats::shares::effect;
/// // A level of 5 % that is new: 2 arcsin √.05 = .451
/// assert!((effect(&[1_000_000, 0], &[950_000, 50_000]).unwrap() - 0.451).abs() < 1e-3);
/// assert_eq!(effect(&[50, 50], &[55, 45]).unwrap(), 0.0);
/// ```
///
/// # Errors
/// If a side is empty.
pub fn effect(reference: &[u64], current: &[u64]) -> Result<f64, Cannot> {
    let (n, m) = totals(reference, current)?;
    let (n, m) = (n as f64, m as f64);
    let pairs = || reference.iter().zip(current).map(|(&r, &c)| (r as f64, c as f64));
    let together: f64 = pairs().map(|(r, c)| (r / n * (c / m)).sqrt()).sum();
    let smaller = n.min(m) / (n + m);
    let cells = pairs().filter(|(r, c)| (r + c) * smaller >= 1.0).count();
    let chance = cells.saturating_sub(1) as f64 * (1.0 / n + 1.0 / m);
    let apart = 2.0 * together.min(1.0).acos_portable();
    Ok((apart * apart - chance).max(0.0).sqrt())
}
