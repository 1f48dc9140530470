//! Verdicts as text, the same on the page, in the picture and in the terminal.

use super::number::{NOTHING, clean, counted, number, number_or, p_value, percent, short, words};
use crate::drift::report::{
    Answer, ColumnReport, ColumnVerdict, DriftReport, Finding, FindingKind, LEAST_SHIFT, Severity, Side, Trigger,
};

/// The tone of a column: determines its colour, its sign and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Drifted,
    Stable,
    Unknown,
}

impl Tone {
    pub(super) fn of(verdict: &ColumnVerdict) -> Self {
        match verdict {
            ColumnVerdict::Drifted => Self::Drifted,
            ColumnVerdict::Stable => Self::Stable,
            ColumnVerdict::TooFewRows { .. } | ColumnVerdict::CannotTell { .. } => Self::Unknown,
        }
    }

    /// The class that colours it.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Drifted => "drifted",
            Self::Stable => "stable",
            Self::Unknown => "unknown",
        }
    }
}

/// The conclusion in a few words.
pub(super) fn headline(report: &DriftReport) -> &'static str {
    match report.verdict.retrain {
        Answer::Yes if report.verdict.table_first => "The table's format has changed",
        Answer::Yes => "Retraining is warranted",
        Answer::No => "No reason to retrain",
        Answer::CannotTell => "Too little to tell",
    }
}

/// The name of a severity.
pub(super) fn severity(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Low) => "LOW",
        Some(Severity::Medium) => "MEDIUM",
        Some(Severity::High) => "HIGH",
        None => NOTHING,
    }
}

/// A verdict in two words.
pub(super) fn verdict(verdict: &ColumnVerdict) -> &'static str {
    match verdict {
        ColumnVerdict::Drifted => "drifted",
        ColumnVerdict::Stable => "stable",
        ColumnVerdict::TooFewRows { .. } => "too few rows",
        ColumnVerdict::CannotTell { .. } => "cannot tell",
    }
}

/// The explanation of a verdict.
pub(super) fn because(verdict: &ColumnVerdict) -> String {
    match verdict {
        ColumnVerdict::Drifted | ColumnVerdict::Stable => String::new(),
        ColumnVerdict::TooFewRows { need } => format!("needs {}", counted(*need, "row", "rows")),
        ColumnVerdict::CannotTell { reason } => short(reason, 300),
    }
}

/// What decided on a column, as text: by default, a change must be significant and large.
pub(crate) fn decided(column: &ColumnReport, settings: &serde_json::Value) -> String {
    let (p, limit) = (column.p_adjusted, number_or(Some(column.threshold)));
    let drifted = match column.verdict {
        ColumnVerdict::Drifted => true,
        ColumnVerdict::Stable => false,
        _ => return because(&column.verdict),
    };
    let Some(p) = p else {
        let value = number_or(column.p.or(column.statistic));
        let what = if column.p.is_some() { "p" } else { "the statistic" };
        let side = if drifted { "beyond" } else { "not beyond" };
        return format!("{what} is {value}, {side} the {limit} of {}", clean(&column.method));
    };
    if p > column.threshold {
        return format!("not significant: p (adjusted) {} is above {limit}", p_value(Some(p)));
    }
    let sure = format!("significant: p (adjusted) {} is at most {limit}", p_value(Some(p)));
    let (name, size, least) = match settings["psi"].as_f64() {
        Some(least) => ("PSI", column.psi, least),
        None => {
            let name = if column.kind == "category" { "effect (Cohen's h)" } else { "effect" };
            (name, column.effect, settings["effect"].as_f64().unwrap_or(f64::NAN))
        }
    };
    let (size, least) = (number_or(size), number_or(Some(least)));
    if let Some(by) = column.is_rank_only() {
        let least = number(LEAST_SHIFT);
        return format!("{sure}, but small: moved by {} standard deviations on average, threshold {least}", number(by));
    }
    match (drifted, &column.because) {
        (true, Some(because)) => format!("{sure}, and large: {}", short(because, 200)),
        (true, None) => format!("{sure}, and large: {name} {size}, threshold {least}"),
        (false, _) => format!("{sure}, but small: {name} {size}, threshold {least}"),
    }
}

/// The value and threshold of a trigger: ` 2.262 (threshold 0.2)`; empty without a value. A p-value is marked as such.
pub(super) fn held(trigger: &Trigger) -> String {
    let (Some(value), Some(threshold)) = (trigger.value, trigger.threshold) else { return String::new() };
    let value = if trigger.name == "score_drift" { format!("p {}", p_value(Some(value))) } else { number(value) };
    format!(" {value} (threshold {})", number(threshold))
}

/// The deciding share, and what it is a share of.
pub(super) fn share(report: &DriftReport) -> (Option<f64>, &'static str) {
    match report.share.weighted {
        true => (report.share.weighted_share, "of the model's importance drifted"),
        false => (report.share.share, "of columns drifted"),
    }
}

/// The kind of a column, and whether it is only monitored.
pub(crate) fn kind(column: &ColumnReport) -> String {
    let kind = clean(&column.kind);
    if column.not_read { format!("{kind}, not used by the model") } else { kind }
}

/// The verdict of a column, in a table.
pub(super) fn verdict_of(column: &ColumnReport) -> String {
    let verdict = verdict(&column.verdict);
    if column.not_read { format!("{verdict} (not used by the model)") } else { verdict.to_owned() }
}

/// The monitored columns that the model does not use; empty without any.
pub(super) fn watched_only(report: &DriftReport) -> String {
    let others = report.columns.iter().filter(|column| column.not_read);
    let n_drifted = others.clone().filter(|column| column.verdict == ColumnVerdict::Drifted).count();
    match others.count() {
        0 => String::new(),
        1 => {
            format!("1 column that the model does not use {}", if n_drifted == 1 { "drifted" } else { "did not drift" })
        }
        n => format!("{n_drifted} of {n} columns that the model does not use drifted"),
    }
}

/// Drifted, stable and unknown columns.
pub(super) fn share_counts(report: &DriftReport) -> [(Tone, u64); 3] {
    let share = &report.share;
    [(Tone::Drifted, share.n_drifted), (Tone::Stable, share.n_stable), (Tone::Unknown, share.n_unknown)]
}

/// How exact a side's summary is.
pub(super) fn exactness(side: &Side) -> String {
    match side.exact {
        true => "all values".to_owned(),
        false => format!("sketch, ranks within ±{}", percent(side.rank_error)),
    }
}

/// A side in one line.
pub(super) fn side(side: &Side) -> String {
    format!("{} ({}, {})", clean(&side.name), counted(side.n_rows, "row", "rows"), exactness(side))
}

/// How many columns drifted since training, if the comparison was with something else.
pub(super) fn since_training(report: &DriftReport) -> Option<String> {
    const SHOWN: usize = 5;
    let found = report.against_training.as_ref()?;
    let drifted: Vec<&str> =
        found.columns.iter().filter(|c| c.drifted == Some(true)).map(|c| c.name.as_str()).collect();
    let judged = found.share.n_drifted + found.share.n_stable;
    let names = drifted.iter().take(SHOWN).map(|name| clean(name)).collect::<Vec<_>>().join(", ");
    let more = if drifted.len() > SHOWN { ", …" } else { "" };
    let names = if names.is_empty() { names } else { format!(": {names}{more}") };
    Some(format!("{} of {} drifted since then{names}", drifted.len(), counted(judged, "column", "columns")))
}

/// A kind of finding as text.
pub(super) fn finding(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::MissingColumn => "missing column",
        FindingKind::DataType => "data type",
        FindingKind::Completeness => "completeness",
        FindingKind::CategoricalValues => "new levels",
        FindingKind::Range => "range",
        FindingKind::ExtraColumn => "extra column",
        FindingKind::NothingArrived => "no current rows",
        FindingKind::NotRunSince => "monitor not run",
        FindingKind::Onset => "onset",
        FindingKind::Recovery => "recovery",
        FindingKind::Coverage => "coverage",
        FindingKind::Skew => "training-serving skew",
        FindingKind::Vocabulary => "new words",
    }
}

/// The finding, as text after the name of its column.
pub(crate) fn found(finding: &Finding) -> String {
    let text = clean(&finding.text);
    match finding.column.as_deref() {
        Some(column) => format!("{}: {text}", short(column, 80)),
        None => text,
    }
}

/// The evaluated retraining triggers, and one sentence on the others: disabled, or without data.
pub(crate) fn judged(report: &DriftReport) -> (Vec<&Trigger>, String) {
    // `force` measures nothing.
    let asked = report.triggers.iter().filter(|trigger| trigger.fired || trigger.name != "force");
    let (judged, idle): (Vec<_>, Vec<_>) =
        asked.partition(|trigger| trigger.fired || trigger.value.zip(trigger.threshold).is_some());
    let name = |trigger: &&Trigger| words(&trigger.name);
    let names: Vec<String> = idle.iter().map(name).collect();
    let said = if names.is_empty() { String::new() } else { format!("Off, or no data: {}.", names.join(", ")) };
    (judged, said)
}

/// The columns, drifted before the others, each group in the report's order.
pub(super) fn drifted_first(report: &DriftReport) -> Vec<&ColumnReport> {
    let mut columns: Vec<_> = report.columns.iter().collect();
    columns.sort_by_key(|column| (Tone::of(&column.verdict) != Tone::Drifted, column.not_read));
    columns
}

/// The share of missing values of a side.
pub(super) fn missing(n: u64, n_missing: u64) -> Option<f64> {
    (n + n_missing > 0).then(|| n_missing as f64 / (n + n_missing) as f64)
}
