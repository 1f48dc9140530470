//! Triggers: reasons to retrain, each with its value, its threshold, and whether it fired.

use super::report::{
    ColumnReport, ColumnVerdict, DriftShare, LossAlarm, MetricChange, Multivariate, Performance, Trigger,
};
use super::settings::{DriftSettings, DropLimit, Limit};
use crate::score::{Direction, Metric};
use crate::stats::betting::share_below;
use crate::stats::portable::Portable;

/// The input of the triggers.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    /// How much of the table drifted.
    pub share: &'a DriftShare,
    /// The feature columns.
    pub columns: &'a [ColumnReport],
    /// Production's score.
    pub score: Option<&'a ColumnReport>,
    /// Whether a classifier distinguishes the two tables.
    pub multivariate: Option<&'a Multivariate>,
    /// Messages about columns that cannot be judged because their cells have another type.
    pub unfit: &'a [String],
    /// Messages about columns that the table writes in another notation than the workspace reads.
    pub otherwise: &'a [String],
    /// Number of new rows; `None` if tables are compared without a workspace, where drift is the only reason to
    /// retrain.
    pub volume: Option<Volume>,
    /// Rows with human labels that no version was trained on; `None` if none can be used for training.
    pub n_feedback: Option<u64>,
    /// Human feedback on predictions of the version.
    pub judged: Option<Judged>,
    /// Metrics on rows whose outcome is known.
    pub performance: Option<&'a Performance>,
    /// Number of rows with an outcome that do not count, because the version was trained on them.
    pub n_learned: u64,
    /// Lower end of the interval of the version's accuracy at the gate.
    pub gate_accuracy: Option<f64>,
    /// Whether the version loses more than its gate allows.
    pub alarm: Option<&'a LossAlarm>,
    /// The primary metric of the version.
    pub primary: Option<Metric>,
    /// Days since production was trained.
    pub age_days: Option<f64>,
    /// Whether the user forces a retrain.
    pub force: bool,
}

impl<'a> Evidence<'a> {
    /// The evidence from columns alone.
    #[must_use]
    pub fn of(share: &'a DriftShare, columns: &'a [ColumnReport]) -> Self {
        Self {
            share,
            columns,
            score: None,
            multivariate: None,
            unfit: &[],
            otherwise: &[],
            volume: None,
            n_feedback: None,
            judged: None,
            performance: None,
            n_learned: 0,
            gate_accuracy: None,
            alarm: None,
            primary: None,
            age_days: None,
            force: false,
        }
    }
}

/// Predictions that people checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Judged {
    /// Number of checked predictions.
    pub n: u64,
    /// The effective number of independent predictions: lower if some belong to one entity.
    pub n_effective: f64,
    /// The share found correct.
    pub right: f64,
}

/// How many rows are new, and which rows count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Volume {
    /// Rows with a label or outcome that no version was trained on.
    Labelled(u64),
    /// Rows that arrived, labelled or not.
    All(u64),
    /// Rows have no ids, so none can be used for training.
    NoVersion,
}

/// Minimum number of outcomes for recent accuracy.
pub const MIN_OUTCOMES: u64 = 50;
/// The probability that `recent_accuracy` ever fires while nothing is wrong.
pub const ACCURACY_ALPHA: f64 = 0.001;

/// Every trigger, fired or not.
#[must_use]
pub fn triggers(evidence: &Evidence, settings: &DriftSettings) -> Vec<Trigger> {
    let limits = &settings.triggers;
    let Some(volume) = evidence.volume else {
        return vec![
            drift_share(evidence, limits.drift_share),
            psi(evidence, limits.psi),
            multivariate(evidence, limits.multivariate),
            schema(evidence, limits.schema),
            force(evidence),
        ];
    };
    vec![
        drift_share(evidence, limits.drift_share),
        psi(evidence, limits.psi),
        score_drift(evidence, limits.score_drift),
        multivariate(evidence, limits.multivariate),
        schema(evidence, limits.schema),
        new_rows(volume, limits.new_rows),
        unused_feedback(evidence, limits.unused_feedback),
        recent_accuracy(evidence, limits.recent_accuracy),
        match limits.metric_drop {
            DropLimit::Sure(_) => loss_alarm(evidence),
            fixed => metric_drop(evidence, fixed.fixed()),
        },
        age(evidence, limits.max_age_days),
        force(evidence),
    ]
}

fn trigger(name: &str, value: Option<f64>, threshold: Option<f64>, fired: bool, text: String) -> Trigger {
    Trigger { name: name.to_owned(), value, threshold, fired: fired && threshold.is_some(), text }
}

fn drift_share(evidence: &Evidence, on: bool) -> Trigger {
    let share = evidence.share;
    let value = share.deciding();
    let text = match value {
        Some(_) if !share.weighted => share.counted(),
        Some(value) => format!("columns with {:.0} % of the model's importance drifted", value * 100.0),
        None => "no column could be judged".to_owned(),
    };
    let fired = value.is_some_and(|v| v >= share.threshold);
    trigger("drift_share", value, on.then_some(share.threshold), fired, text)
}

/// The PSI of a drifted column counts only if it is more than chance explains over all columns: with 50 rows and no
/// drift, PSI exceeds .2 more than once in four times, and the largest of many columns much more often.
fn psi(evidence: &Evidence, limit: Limit) -> Trigger {
    let drifted = |c: &&ColumnReport| !c.not_read && c.verdict == ColumnVerdict::Drifted;
    let real = |c: &ColumnReport| c.psi.filter(|&psi| c.psi_critical.is_none_or(|critical| psi > critical));
    let found = evidence.columns.iter().filter(drifted).filter_map(|c| Some((c, real(c)?)));
    let worst = found.max_by(|a, b| a.1.total_cmp(&b.1));
    let fired = worst.zip(limit.at()).is_some_and(|((_, psi), limit)| psi > limit);
    let text = match worst {
        Some((column, psi)) => format!("the PSI of {} is {}", column.name, four(psi)),
        None => "no drifted column has a PSI above its critical value".to_owned(),
    };
    trigger("psi", worst.map(|(_, psi)| psi), limit.at(), fired, text)
}

/// If scores move, decisions based on them move, whichever column causes it.
fn score_drift(evidence: &Evidence, on: bool) -> Trigger {
    let effect = evidence.score.and_then(|score| score.effect);
    let shift = evidence.score.and_then(|score| score.shift);
    let text = match (evidence.score, effect) {
        (Some(score), Some(effect)) if score.verdict == ColumnVerdict::Drifted => {
            // For numeric scores, the effect is not a difference of two shares.
            shift.map_or_else(
                || format!("the predicted classes drifted by {effect:.2} (Cohen's h)"),
                |by| format!("the scores drifted, on average by {by:.2} standard deviations (effect {effect:.2})"),
            )
        }
        (Some(score @ ColumnReport { verdict: ColumnVerdict::Stable, .. }), _) => match score.is_rank_only() {
            Some(by) => format!(
                "the scores did not drift: their ranks did, but on average they moved by {by:.2} standard deviations only"
            ),
            None => "the scores did not drift".to_owned(),
        },
        (Some(score), _) if score.few().is_some() => {
            let few = score.few().map(|few| few.told()).unwrap_or_default();
            format!("the scores could not be compared: {few}")
        }
        (Some(ColumnReport { verdict: ColumnVerdict::CannotTell { reason }, .. }), _) => {
            format!("the scores could not be compared: {reason}")
        }
        _ => "the scores could not be compared: no version scored both sides".to_owned(),
    };
    let fired = evidence.score.is_some_and(|score| score.verdict == ColumnVerdict::Drifted);
    let threshold = evidence.score.map_or(0.0, |score| score.threshold);
    trigger(
        "score_drift",
        evidence.score.and_then(|score| score.p_adjusted.or(score.p)),
        on.then_some(threshold),
        fired,
        text,
    )
}

fn multivariate(evidence: &Evidence, on: bool) -> Trigger {
    let found = evidence.multivariate;
    let text = match found {
        Some(found) if found.drifted => {
            format!(
                "a classifier distinguishes the rows from the reference (roc_auc {:.4}), {}",
                found.roc_auc,
                found.told(str::to_owned)
            )
        }
        Some(found) if found.is_open() => format!(
            "inconclusive: a classifier may or may not distinguish the rows from the reference (roc_auc {:.4}, 95 % \
             interval {:.4} to {:.4})",
            found.roc_auc, found.lower, found.upper
        ),
        Some(found) => {
            format!("a classifier does not distinguish the rows from the reference (roc_auc {:.4})", found.roc_auc)
        }
        None => "no classifier was trained; --multivariate trains one".to_owned(),
    };
    let threshold = found.map_or(super::multivariate::THRESHOLD, |found| found.threshold);
    trigger("multivariate", found.map(|f| f.lower), on.then_some(threshold), found.is_some_and(|f| f.drifted), text)
}

/// A column whose cells have another type or notation has no measurable drift: it is a reason of its own.
fn schema(evidence: &Evidence, on: bool) -> Trigger {
    let found = [evidence.otherwise, evidence.unfit].concat();
    let n = found.len();
    let text = if n == 0 { "every column has its type".to_owned() } else { found.join("; ") };
    trigger("schema", Some(n as f64), on.then_some(1.0), n > 0, text)
}

fn new_rows(volume: Volume, limit: Limit) -> Trigger {
    let (value, text) = match volume {
        Volume::Labelled(n) => (Some(n), format!("{n} new labelled rows")),
        Volume::All(n) => (Some(n), format!("{n} new rows")),
        Volume::NoVersion => (None, "no version is in production, so new rows cannot be counted".to_owned()),
    };
    let value = value.map(|n| n as f64);
    let fired = value.zip(limit.at()).is_some_and(|(value, limit)| value >= limit);
    trigger("new_rows", value, limit.at(), fired, text)
}

fn unused_feedback(evidence: &Evidence, limit: Limit) -> Trigger {
    let value = evidence.n_feedback.map(|n| n as f64);
    let fired = value.zip(limit.at()).is_some_and(|(value, limit)| value >= limit);
    let text = match evidence.n_feedback {
        Some(n) => format!("{n} rows have new human labels that no version was trained on"),
        None => "no version is in production, so new rows cannot be counted".to_owned(),
    };
    trigger("unused_feedback", value, limit.at(), fired, text)
}

/// Human feedback on predictions is used first, if there is enough of it; otherwise labelled rows.
///
/// A version with this accuracy at the gate is not worse now, and a small sample can fall below any threshold by chance.
/// So the trigger fires below the threshold only if accuracy is also significantly below the lower end of the gate's
/// interval (without a gate, below the threshold): an e-value of 1 ∕ [`ACCURACY_ALPHA`], valid for any number of looks.
fn recent_accuracy(evidence: &Evidence, limit: Limit) -> Trigger {
    let judged = evidence.judged.filter(|judged| judged.n_effective >= MIN_OUTCOMES as f64);
    // Rows of unequal weight count as fewer rows of equal weight.
    let n_outcomes = |p: &Performance| p.n_effective.map_or(p.n, |n| n as u64);
    let measured = evidence.performance.and_then(|p| Some((n_outcomes(p), metric(p, Metric::Accuracy)?.value)));
    let uneven = evidence.performance.is_some_and(|p| p.n_effective.is_some());
    let known = judged.map(|judged| (judged.n_effective as u64, judged.right)).or(measured);
    let is_below = |n: u64, value: f64, limit: f64| {
        let least = evidence.gate_accuracy.unwrap_or(limit);
        let n_rows = n as f64;
        n >= MIN_OUTCOMES
            && value < limit
            && share_below(value * n_rows, n_rows, least) >= -ACCURACY_ALPHA.ln_portable()
    };
    let fired = known.zip(limit.at()).is_some_and(|((n, value), limit)| is_below(n, value, limit));
    let text = match (known, judged) {
        (None, _) => nothing_known(evidence, "no labelled rows with a class"),
        (Some((_, value)), Some(Judged { n, .. })) => {
            format!("accuracy {:.1} % on {n} predictions that people checked", value * 100.0)
        }
        (Some((n, _)), None) if n < MIN_OUTCOMES && uneven => {
            format!("the labelled rows count as {n} independent rows; {MIN_OUTCOMES} are needed")
        }
        (Some((n, _)), None) if n < MIN_OUTCOMES => format!("{n} labelled rows; {MIN_OUTCOMES} are needed"),
        (Some((n, value)), None) if uneven => {
            format!("accuracy {:.1} % on labelled rows that count as {n} independent rows", value * 100.0)
        }
        (Some((n, value)), None) => format!("accuracy {:.1} % on {n} labelled rows", value * 100.0),
    };
    trigger("recent_accuracy", known.map(|(_, value)| value), limit.at(), fired, text)
}

/// Fires when production is shown to lose more than its gate allows: see [`LossAlarm`].
fn loss_alarm(evidence: &Evidence) -> Trigger {
    let Some(alarm) = evidence.alarm else {
        let none = "no labelled rows, or the gate has no loss to compare with";
        let text =
            if evidence.performance.is_none() { nothing_known(evidence, "no labelled rows") } else { none.to_owned() };
        return trigger("metric_drop", None, None, false, text);
    };
    let LossAlarm { loss, n, mean, limit, evidence, needed, fired, since, .. } = alarm;
    // Overwhelming evidence needs no digits.
    let evidence_told = if *evidence > 1e6 { "above 1000000".to_owned() } else { format!("{evidence:.1}") };
    let (mean, limit) = (four(*mean), four(*limit));
    let text = match since {
        Some(since) => format!(
            "the loss ({loss}) is shown to exceed the {limit} that the gate allows (evidence {evidence_told}, needed \
             {needed:.0}): since the change it is {} on {} labelled rows, {mean} on all {n}",
            four(since.mean),
            since.n
        ),
        None => format!(
            "the loss ({loss}) on {n} labelled rows is {mean}, not shown to exceed the {limit} that the gate allows \
             (evidence {evidence_told}, needed {needed:.0})"
        ),
    };
    trigger("metric_drop", Some(*evidence), Some(*needed), *fired, text)
}

/// Fires if the metric lost more than the limit *and* its interval is on the wrong side of the gate's value.
fn metric_drop(evidence: &Evidence, limit: Limit) -> Trigger {
    let change =
        evidence.performance.zip(evidence.primary).and_then(|(p, primary)| Some((primary, metric(p, primary)?)));
    let Some((primary, change, gate)) = change.and_then(|(m, change)| Some((m, change, change.gate?))) else {
        return trigger("metric_drop", None, limit.at(), false, nothing_known(evidence, "no labelled rows"));
    };
    let loss = match primary.direction() {
        Direction::Higher => gate - change.value,
        Direction::Lower => (change.value - gate) / gate.abs().max(f64::MIN_POSITIVE),
    };
    let beyond_noise = change.interval.is_none_or(|(low, high)| match primary.direction() {
        Direction::Higher => high < gate,
        Direction::Lower => low > gate,
    });
    let fired = beyond_noise && limit.at().is_some_and(|limit| loss > limit);
    let text = format!("{} is {:.4}; at the gate it was {gate:.4}", primary.name(), change.value);
    trigger("metric_drop", Some(loss), limit.at(), fired, text)
}

/// Why nothing is measured: no outcomes are known, or only those of training rows.
fn nothing_known(evidence: &Evidence, otherwise: &str) -> String {
    match evidence.n_learned {
        0 => otherwise.to_owned(),
        n => format!("{otherwise} beyond the {n} rows that production was trained on"),
    }
}

fn age(evidence: &Evidence, limit: Limit) -> Trigger {
    let fired = evidence.age_days.zip(limit.at()).is_some_and(|(age, limit)| age > limit);
    let text = match evidence.age_days {
        Some(days) => format!("production is {days:.1} days old"),
        None => "nothing is in production".to_owned(),
    };
    trigger("age", evidence.age_days, limit.at(), fired, text)
}

fn force(evidence: &Evidence) -> Trigger {
    let text = if evidence.force { "requested by hand (--force)" } else { "not requested by hand" };
    Trigger {
        name: "force".to_owned(),
        value: Some(f64::from(u8::from(evidence.force))),
        threshold: Some(1.0),
        fired: evidence.force,
        text: text.to_owned(),
    }
}

/// Four digits: `0.4819`, `2.838`; for a small number as many decimals as show three of its digits: `0.0000312`.
fn four(x: f64) -> String {
    let size = x.abs();
    if size >= 1.0 {
        return format!("{x:.3}");
    }
    let decimals = (4..12).find(|&decimals| size * 10_f64.powi(decimals) >= 99.5).filter(|_| size < 0.001).unwrap_or(4);
    format!("{x:.decimals$}", decimals = decimals as usize)
}

fn metric(performance: &Performance, metric: Metric) -> Option<&MetricChange> {
    performance.metrics.iter().find(|change| change.name == metric.name())
}

#[cfg(test)]
#[path = "triggers_tests.rs"]
mod tests;
