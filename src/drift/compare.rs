//! Compares one column at a time, reference against current, by the rule in the settings.
//!
//! The default rule asks several questions about a column ([`super::probes`]) and calls it drifted if the answer to one
//! of them is
//! 1. **significant**: p ≤ `alpha` after Benjamini–Hochberg over all questions of all columns,
//! 2. **large**: an effect of at least `effect` in the units of Cohen's h, the same for numbers, levels and missing
//!    cells ([`crate::stats::shares::effect`]), or a PSI of at least `psi` where that is set, and
//! 3. seen on **enough rows**: `min_rows` on either side; questions with an exact test are answered with fewer rows
//!    too. If rows of one customer are similar, a stable column needs that many effective rows.

use super::large::Large;
use super::method::Method;
use super::pair::{ColumnPair, PairValues};
use super::plot;
use super::probes::{Probe, probes};
use super::report::{ColumnReport, ColumnVerdict, LEAST_SHIFT};
use super::settings::{DriftSettings, Preset};
use crate::stats::sample::Cannot;
use crate::stats::{distances, psi};
use rayon::prelude::*;

/// Chance that the PSI of any of the columns is above its critical value without drift.
const PSI_ALPHA: f64 = 0.01;

/// Questions with an exact test, which are answered for any number of rows.
const EXACT: [&str; 4] = ["missing", "infinite", "levels", "range"];

/// A stable column reports the question with the smallest p if it is at most this; otherwise the question about the
/// whole distribution.
const TOLD: f64 = 0.05;

/// A change of a class of the target is large if it becomes this many times as frequent or as rare.
pub const TARGET_FACTOR: f64 = 1.25;

/// The rule that decides about a column.
#[derive(Debug, Clone, Copy)]
enum Rule {
    /// Significant, large, and on enough rows.
    Own { alpha: f64 },
    /// A method's own threshold.
    Method { method: Method, threshold: f64 },
    /// PSI over deciles or levels, smoothed.
    Psi { threshold: f64 },
}

/// A measured column; the default rule needs the p-values of all columns before it decides.
struct Judged {
    report: ColumnReport,
    /// Questions that wait for the adjusted p-values.
    waiting: Vec<Probe>,
}

/// Compares every column and sorts by relevance: drifted first, then by importance and PSI. Columns that the model does
/// not read come last; their p-values are adjusted separately, so they do not weaken the results for the others.
#[must_use]
pub fn compare(pairs: &[ColumnPair], settings: &DriftSettings, seed: u64) -> Vec<ColumnReport> {
    let (others, read): (Vec<&ColumnPair>, Vec<&ColumnPair>) = pairs.iter().partition(|pair| pair.not_read);
    [read, others].iter().flat_map(|pairs| sorted(pairs, settings, seed)).collect()
}

fn sorted(pairs: &[&ColumnPair], settings: &DriftSettings, seed: u64) -> Vec<ColumnReport> {
    let mut columns = judged(pairs, settings, &Large::of(settings, None), seed);
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

/// Compares one column alone: its p is adjusted for its own questions only.
#[must_use]
pub fn compare_one(pair: &ColumnPair, settings: &DriftSettings, seed: u64) -> ColumnReport {
    judged(&[pair], settings, &Large::of(settings, None), seed).swap_remove(0)
}

/// Compares the score alone. With the default rule it is drifted only if its values also moved by [`LEAST_SHIFT`] on
/// average: if the model reads the date, ranks alone move in any quiet month by a few thousandths, which has no effect.
#[must_use]
pub fn compare_score(pair: &ColumnPair, settings: &DriftSettings, seed: u64) -> ColumnReport {
    let mut report = compare_one(pair, settings, seed);
    if let (PairValues::Number { reference, current, .. }, Some(_)) = (&pair.values, report.effect) {
        report.shift = distances::wasserstein(reference, current).ok().map(|measured| measured.statistic);
    }
    // Missing or infinite scores do not count as a small shift.
    let is_value = !matches!(report.method.as_str(), "missing" | "infinite");
    if report.verdict == ColumnVerdict::Drifted && is_value && report.shift.is_some_and(|by| by < LEAST_SHIFT) {
        (report.verdict, report.because) = (ColumnVerdict::Stable, None);
    }
    report
}

/// Compares the target alone. A class that becomes [`TARGET_FACTOR`] times as frequent moves every score that is read as
/// a probability, however rare it is.
#[must_use]
pub fn compare_target(pair: &ColumnPair, settings: &DriftSettings, seed: u64) -> ColumnReport {
    let factor = matches!(pair.values, PairValues::Category { .. }).then_some(TARGET_FACTOR);
    judged(&[pair], settings, &Large::of(settings, factor), seed).swap_remove(0)
}

fn judged(pairs: &[&ColumnPair], settings: &DriftSettings, large: &Large, seed: u64) -> Vec<ColumnReport> {
    let mut judged: Vec<Judged> = pairs.par_iter().map(|pair| judge(pair, pairs.len(), settings, seed)).collect();
    adjust(&mut judged, large);
    judged.into_iter().map(|judged| judged.report).collect()
}

/// Decides the columns of the default rule: Benjamini–Hochberg over all questions about those with enough rows.
fn adjust(judged: &mut [Judged], large: &Large) {
    let p: Vec<f64> = judged.iter().flat_map(|judged| judged.waiting.iter().map(|probe| probe.p)).collect();
    let mut adjusted = psi::benjamini_hochberg(&p).into_iter();
    for Judged { report, waiting } in judged {
        let answers: Vec<(Probe, f64)> = std::mem::take(waiting).into_iter().zip(adjusted.by_ref()).collect();
        if answers.is_empty() {
            continue;
        }
        // The threshold is alpha, or the column's own. Adjusting never lowers a p, so the p of insignificant answers
        // need not be exact.
        let significant = |(_, adjusted): &&(Probe, f64)| *adjusted <= report.threshold;
        let drifted = answers.iter().filter(significant).filter(|(probe, _)| probe.is_large(large));
        let least = |a: &&(Probe, f64), b: &&(Probe, f64)| a.0.p.total_cmp(&b.0.p);
        let decisive = drifted.min_by(least);
        let few = matches!(report.verdict, ColumnVerdict::TooFewRows { .. });
        match decisive {
            Some(_) => report.verdict = ColumnVerdict::Drifted,
            None if few => {}
            None => report.verdict = ColumnVerdict::Stable,
        }
        // Without a decisive answer: the one with the smallest p, if chance gives it at most once in twenty times.
        let nearest = answers.iter().min_by(least).filter(|(probe, _)| probe.p <= TOLD);
        let Some(told) = decisive.or(nearest).or(answers.first().filter(|_| !few)) else { continue };
        tell(report, &told.0);
        report.p_adjusted = Some(told.1);
        // Only a decisive answer needs an explanation.
        report.because = report.because.take().filter(|_| decisive.is_some());
    }
}

/// Writes the answer to a question into the column's report.
fn tell(report: &mut ColumnReport, probe: &Probe) {
    report.method = probe.method.to_owned();
    (report.statistic, report.p) = (Some(probe.statistic), Some(probe.p));
    (report.effect, report.because) = (probe.effect(), probe.because.clone());
}

fn judge(pair: &ColumnPair, n_columns: usize, settings: &DriftSettings, seed: u64) -> Judged {
    let cells = pair.cells();
    let (n_reference, n_current) = pair.n_rows();
    let worth = pair.worth.values.both((n_reference, n_current));
    let psi = match cells.len() > 1 && n_reference > 0 && n_current > 0 {
        true => psi::psi_smoothed(&cells.reference, &cells.current).ok(),
        false => None,
    };
    // Bonferroni: among a hundred columns, one would exceed its own 1 % value by chance.
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
        effect: None,
        shift: None,
        because: None,
        psi,
        psi_critical: psi.and_then(|_| psi::critical_value(psi_alpha, cells.len(), worth.0, worth.1)),
        worth: pair.worth.is_less().then_some(worth),
        importance: pair.importance,
        not_read: pair.not_read,
        reference: pair.summaries.0.clone(),
        current: pair.summaries.1.clone(),
        plot: plot::plot(pair),
    };
    if let Some(reason) = &pair.unfit {
        report.verdict = ColumnVerdict::CannotTell { reason: reason.clone() };
        (report.psi, report.psi_critical) = (None, None);
        return Judged { report, waiting: Vec::new() };
    }
    match rule(pair, settings) {
        Rule::Own { alpha } => own(pair, settings, alpha, report),
        Rule::Psi { threshold } => {
            report.method = "psi_smoothed".to_owned();
            (report.threshold, report.statistic) = (threshold, psi);
            report.verdict = match psi {
                Some(psi) if psi > threshold => ColumnVerdict::Drifted,
                Some(_) => ColumnVerdict::Stable,
                None => nothing_to_compare(pair),
            };
            Judged { report, waiting: Vec::new() }
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
            Judged { report, waiting: Vec::new() }
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
        _ if matches!(pair.values, PairValues::Time { .. }) => Rule::Own { alpha: settings.alpha },
        (None, Preset::Default) => Rule::Own { alpha: of.threshold.unwrap_or(settings.alpha) },
    }
}

fn nothing_to_compare(pair: &ColumnPair) -> ColumnVerdict {
    let reason = match pair.n_rows() {
        (0, _) => "the reference has no rows",
        (_, 0) => "the current table has no rows",
        _ => "both tables have one and the same value",
    };
    ColumnVerdict::CannotTell { reason: reason.to_owned() }
}

/// Number of gate rows that is enough to call scores stable, whatever `min_rows` says.
const GATE_ROWS: u64 = 100;

fn own(pair: &ColumnPair, settings: &DriftSettings, alpha: f64, mut report: ColumnReport) -> Judged {
    report.threshold = alpha;
    report.method = match &pair.values {
        PairValues::Number { .. } => "ks",
        PairValues::Category { .. } => "homogeneity",
        PairValues::Time { .. } => "hours",
    }
    .to_owned();
    let (n_reference, n_current) = pair.n_rows();
    let need = if pair.of_gate { settings.min_rows.min(GATE_ROWS) } else { settings.min_rows };
    let mut waiting = Vec::new();
    match probes(pair) {
        Ok(found) => waiting = found,
        // A single equal value on both sides is the simplest case of no drift.
        Err(_) if pair.is_constant() => {
            (report.statistic, report.p, report.p_adjusted) = (Some(0.0), Some(1.0), Some(1.0));
        }
        Err(Cannot(reason)) => report.verdict = ColumnVerdict::CannotTell { reason },
    }
    if n_reference.min(n_current) < need && n_reference > 0 {
        if let Some(first) = waiting.first() {
            tell(&mut report, first);
        }
        // With few rows an exact test can show drift, but nothing can show its absence.
        waiting.retain(|probe| EXACT.contains(&probe.method));
        report.because = None;
        report.verdict = ColumnVerdict::TooFewRows { need };
    }
    // Each p already accounts for the effective number of rows.
    let (n_reference, n_current) = pair.worth.values.both((n_reference, n_current));
    if n_reference.min(n_current) < need && report.verdict == ColumnVerdict::Stable && !pair.is_constant() {
        if let Some(first) = waiting.first() {
            tell(&mut report, first);
        }
        report.because = None;
        report.verdict = ColumnVerdict::TooFewRows { need };
    }
    Judged { waiting, report }
}
