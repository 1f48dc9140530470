//! One column at a time: reference against current, by the rule that the settings give it.
//!
//! The default rule calls a column drifted when the change is
//! 1. **significant**: p ≤ `alpha` after Benjamini–Hochberg over the columns (numbers: Kolmogorov–Smirnov, and missing
//!    cells as a second test; categories: χ² homogeneity with missing and unseen levels as cells of their own),
//! 2. **large**: PSI ≥ `psi`, or for numbers a Wasserstein distance of at least [`LARGE_DISTANCE`] reference standard
//!    deviations (PSI of a shift by .25 σ is only .06, so PSI alone would never see it), and
//! 3. seen on **enough rows**: `min_rows` on either side.

use super::method::Method;
use super::pair::{Cells, ColumnPair, PairValues};
use super::plot;
use super::report::{ColumnReport, ColumnVerdict};
use super::settings::{DriftSettings, Preset};
use crate::stats::sample::{Cannot, Measured, Sample};
use crate::stats::{distances, kolmogorov, ks, levels, psi};
use rayon::prelude::*;

/// From this Wasserstein distance on, in standard deviations of the reference, a shift is large (Cohen's small effect).
pub const LARGE_DISTANCE: f64 = 0.2;
/// Up to so many rows the default rule's p is exact; beyond, the asymptotic one is close and far cheaper.
const EXACT_P_UP_TO: u64 = 1000;
/// Chance that the PSI of any of the columns is above its critical value without drift.
const PSI_ALPHA: f64 = 0.01;

/// What decides about a column.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Significant, large, and on enough rows.
    Own { alpha: f64 },
    /// A method's own threshold.
    Method { method: Method, threshold: f64 },
    /// PSI over deciles or levels, smoothed.
    Psi { threshold: f64 },
}

/// A column, measured; the default rule waits for all the columns' p-values.
struct Judged {
    report: ColumnReport,
    large: bool,
    waits: bool,
}

/// Compares every column and sorts by what matters: drifted first, then by importance and PSI.
#[must_use]
pub fn compare(pairs: &[ColumnPair], settings: &DriftSettings, seed: u64) -> Vec<ColumnReport> {
    let mut judged: Vec<Judged> = pairs.par_iter().map(|pair| judge(pair, pairs.len(), settings, seed)).collect();
    adjust(&mut judged);
    let mut columns: Vec<ColumnReport> = judged.into_iter().map(|judged| judged.report).collect();
    columns.sort_by(|a, b| {
        let drifted = |c: &ColumnReport| c.verdict != ColumnVerdict::Drifted;
        let key = |value: Option<f64>| value.unwrap_or(0.0);
        drifted(a)
            .cmp(&drifted(b))
            .then(key(b.importance).total_cmp(&key(a.importance)))
            .then(key(b.psi).total_cmp(&key(a.psi)))
            .then(a.name.cmp(&b.name))
    });
    columns
}

/// Compares one column alone: its p needs no adjustment.
#[must_use]
pub fn compare_one(pair: &ColumnPair, settings: &DriftSettings, seed: u64) -> ColumnReport {
    compare(std::slice::from_ref(pair), settings, seed).swap_remove(0)
}

/// Settles the columns of the default rule: Benjamini–Hochberg over those that could be measured on enough rows.
fn adjust(judged: &mut [Judged]) {
    let waiting: Vec<usize> = (0..judged.len()).filter(|&i| judged[i].waits).collect();
    let p: Vec<f64> = waiting.iter().map(|&i| judged[i].report.p.unwrap_or(1.0)).collect();
    for (&i, adjusted) in waiting.iter().zip(psi::benjamini_hochberg(&p)) {
        let Judged { report, large, .. } = &mut judged[i];
        report.p_adjusted = Some(adjusted);
        // The threshold is alpha, or the column's own.
        let drifted = adjusted <= report.threshold && *large;
        report.verdict = if drifted { ColumnVerdict::Drifted } else { ColumnVerdict::Stable };
    }
}

fn judge(pair: &ColumnPair, n_columns: usize, settings: &DriftSettings, seed: u64) -> Judged {
    let cells = pair.cells();
    let (n_reference, n_current) = pair.n_rows();
    let psi = match cells.len() > 1 && n_reference > 0 && n_current > 0 {
        true => psi::psi_smoothed(&cells.reference, &cells.current).ok(),
        false => None,
    };
    // Bonferroni: of a hundred columns one would be above its own 1 % value by chance.
    let psi_alpha = PSI_ALPHA / n_columns as f64;
    let mut report = ColumnReport {
        name: pair.name.clone(),
        kind: pair.kind.clone(),
        verdict: ColumnVerdict::Stable,
        method: String::new(),
        statistic: None,
        threshold: 0.0,
        p: None,
        p_adjusted: None,
        psi,
        psi_critical: psi.and_then(|_| psi::critical_value(psi_alpha, cells.len(), n_reference, n_current)),
        importance: pair.importance,
        reference: pair.summaries.0.clone(),
        current: pair.summaries.1.clone(),
        plot: plot::plot(pair),
    };
    match rule(pair, settings) {
        Rule::Own { alpha } => own(pair, settings, alpha, &cells, report),
        Rule::Psi { threshold } => {
            report.method = "psi_smoothed".to_owned();
            (report.threshold, report.statistic) = (threshold, psi);
            report.verdict = match psi {
                Some(psi) if psi > threshold => ColumnVerdict::Drifted,
                Some(_) => ColumnVerdict::Stable,
                None => nothing_to_compare(pair),
            };
            Judged { report, large: false, waits: false }
        }
        Rule::Method { method, threshold } => {
            report.method = method.to_string();
            report.threshold = threshold;
            match pair.measure(method, seed) {
                Ok(measured) => {
                    (report.statistic, report.p) = (Some(measured.statistic), measured.p);
                    let drifted = method.drifted(&measured, threshold);
                    report.verdict = if drifted { ColumnVerdict::Drifted } else { ColumnVerdict::Stable };
                }
                Err(Cannot(reason)) => report.verdict = ColumnVerdict::CannotTell { reason },
            }
            Judged { report, large: false, waits: false }
        }
    }
}

fn rule(pair: &ColumnPair, settings: &DriftSettings) -> Rule {
    let of = settings.of(&pair.name);
    let by = |method: Method| Rule::Method { method, threshold: of.threshold.unwrap_or(method.default_threshold()) };
    match (of.method, settings.preset) {
        (Some(method), _) => by(method),
        (None, Preset::Evidently) => by(pair.evidently_choice()),
        (None, Preset::Psi) => Rule::Psi { threshold: of.threshold.unwrap_or(settings.psi_threshold()) },
        (None, Preset::Default) => Rule::Own { alpha: of.threshold.unwrap_or(settings.alpha) },
    }
}

fn nothing_to_compare(pair: &ColumnPair) -> ColumnVerdict {
    let reason = match pair.n_rows() {
        (0, _) => "the reference has no rows",
        (_, 0) => "nothing arrived",
        _ => "it has one value on both sides",
    };
    ColumnVerdict::CannotTell { reason: reason.to_owned() }
}

fn own(pair: &ColumnPair, settings: &DriftSettings, alpha: f64, cells: &Cells, mut report: ColumnReport) -> Judged {
    report.method = if pair.is_number() { "ks" } else { "homogeneity" }.to_owned();
    report.threshold = alpha;
    let measured = match &pair.values {
        PairValues::Number { reference, current, .. } => numbers(pair, reference, current),
        PairValues::Category { .. } => levels::homogeneity(&cells.reference, &cells.current),
    };
    let (n_reference, n_current) = pair.n_rows();
    let enough = n_reference.min(n_current) >= settings.min_rows;
    match measured {
        Ok(measured) => (report.statistic, report.p) = (Some(measured.statistic), measured.p),
        // One and the same value on both sides is the plainest case of no drift.
        Err(_) if cells.len() == 1 => (report.statistic, report.p) = (Some(0.0), Some(1.0)),
        Err(Cannot(reason)) => report.verdict = ColumnVerdict::CannotTell { reason },
    }
    if !enough && n_reference > 0 {
        report.verdict = ColumnVerdict::TooFewRows { need: settings.min_rows };
    }
    // Adjusting never makes a p smaller, so how far apart insignificant columns are need not be known.
    let may_drift = report.p.is_some_and(|p| p <= alpha);
    let large = may_drift && (report.psi.is_some_and(|psi| psi >= settings.psi_threshold()) || far(pair));
    Judged { waits: enough && report.p.is_some(), large, report }
}

/// Kolmogorov–Smirnov on the values that are there and, where cells are missing, a second test on how many: p is then
/// twice the smaller (Bonferroni). A sketch's rank error is taken off the distance before p is computed.
fn numbers(pair: &ColumnPair, reference: &Sample, current: &Sample) -> Result<Measured, Cannot> {
    let missing = (pair.n_missing != (0, 0)).then(|| pair.missing_p().unwrap_or(1.0));
    let values = match pair.rank_error == 0.0 && reference.n().max(current.n()) <= EXACT_P_UP_TO {
        true => ks::test(reference, current),
        false => ks::distance(reference, current).map(|d| Measured {
            statistic: d,
            p: Some(beyond_the_sketch(d - pair.rank_error, reference.n(), current.n())),
        }),
    };
    match (values, missing) {
        (Ok(measured), Some(missing)) => {
            Ok(Measured { p: measured.p.map(|p| (2.0 * p.min(missing)).min(1.0)), ..measured })
        }
        // All of one side is missing: how many are is all there is to compare.
        (Err(_), Some(missing)) => Ok(Measured { statistic: 1.0, p: Some(missing) }),
        (values, None) => values,
    }
}

/// P(D ≥ d) without drift, at the effective number of rows nm/(n + m).
fn beyond_the_sketch(d: f64, n: u64, m: u64) -> f64 {
    let effective = n as f64 * m as f64 / (n + m) as f64;
    kolmogorov::survival(effective.round_ties_even() as u64, d.max(0.0))
}

fn far(pair: &ColumnPair) -> bool {
    match &pair.values {
        PairValues::Number { reference, current, .. } => {
            distances::wasserstein(reference, current).is_ok_and(|d| d.statistic >= LARGE_DISTANCE)
        }
        PairValues::Category { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As scipy's `ks_2samp` rounds: 1001 rows on either side are 500.5 effective ones, 1003 are 501.5.
    #[test]
    fn half_an_effective_row_goes_to_the_even_number() {
        assert_eq!(beyond_the_sketch(0.05, 1001, 1001), kolmogorov::survival(500, 0.05));
        assert_eq!(beyond_the_sketch(0.05, 1003, 1003), kolmogorov::survival(502, 0.05));
    }
}
