//! Current performance of production: on labelled rows, at the gate, and estimated from scores alone.

use super::Asked;
use super::parts::{Level, Over, course_at};
use crate::dashboard::shell::when;
use crate::dashboard::web::Oops;
use crate::drift::report::{DriftReport, MetricChange};
use crate::registry::Version;
use crate::report::number::{clean, counted, fixed, fixed_or};
use crate::score::{Direction, Metric};
use crate::workspace::Run;

/// Number of metrics on the overview.
pub(super) const FEW: usize = 4;

/// Measurements of production on the current rows.
pub(super) struct Fares {
    /// The result on labelled rows, as a sentence.
    pub(super) sentence: String,
    pub(super) at: String,
    pub(super) rows: Vec<Now>,
    pub(super) notes: Vec<String>,
    /// The deciding metric in the last comparisons.
    pub(super) course: String,
    pub(super) metric: String,
}

/// A metric now, at the gate, and estimated; unknown values are empty.
pub(super) struct Now {
    pub(super) name: String,
    pub(super) decides: bool,
    pub(super) value: String,
    pub(super) interval: String,
    pub(super) said: &'static str,
    pub(super) gate: String,
    pub(super) estimate: String,
    pub(super) estimate_interval: String,
}

/// The last comparison's measurements of `production`; `None` if it was for another version or measured nothing.
pub(super) fn fares(
    asked: &Asked,
    production: Option<Version>,
    report: Option<&DriftReport>,
    most: usize,
) -> Result<Option<Fares>, Oops> {
    let Some((version, report)) = production.zip(report) else { return Ok(None) };
    if report.version != Some(version.to_string()) {
        return Ok(None);
    }
    let measured = report.performance.as_ref().map_or(&[] as &[MetricChange], |found| &found.metrics);
    let promised = report.estimate.as_ref().map_or(&[] as &[MetricChange], |found| &found.metrics);
    if measured.is_empty() && promised.is_empty() {
        return Ok(None);
    }
    let registry = asked.dashboard.workspace.registry();
    let gate = registry.gate(version, &registry.manifest(version)?)?;
    let primary = gate.as_ref().map_or("", |gate| gate.primary.name());
    let mut names: Vec<&str> = measured.iter().map(|metric| metric.name.as_str()).collect();
    let others = promised.iter().map(|metric| metric.name.as_str());
    names.extend(others.filter(|name| !measured.iter().any(|metric| metric.name == *name)));
    names.sort_by_key(|name| *name != primary);
    names.truncate(most);
    let rows: Vec<Now> = names.into_iter().map(|name| now(name, primary, measured, promised)).collect();
    let course = course(asked, version, primary, measured)?;
    Ok(Some(Fares {
        sentence: sentence(report, measured.iter().find(|metric| metric.name == primary).or(measured.first())),
        at: when(report.made_at),
        rows,
        notes: notes(report),
        course,
        metric: primary.to_owned(),
    }))
}

fn interval(metric: &MetricChange) -> String {
    metric.interval.map_or_else(String::new, |(low, high)| format!("{} to {}", fixed(low), fixed(high)))
}

fn now(name: &str, primary: &str, measured: &[MetricChange], promised: &[MetricChange]) -> Now {
    let found = measured.iter().find(|metric| metric.name == name);
    let estimate = promised.iter().find(|metric| metric.name == name);
    Now {
        name: name.to_owned(),
        decides: name == primary,
        value: fixed_or(found.map(|metric| metric.value)),
        interval: found.map(interval).unwrap_or_default(),
        said: found.map_or("", compared),
        gate: fixed_or(found.or(estimate).and_then(|metric| metric.gate)),
        estimate: fixed_or(estimate.map(|metric| metric.value)),
        estimate_interval: estimate.map(interval).unwrap_or_default(),
    }
}

/// The position of the interval relative to the value at the gate.
fn compared(metric: &MetricChange) -> &'static str {
    let direction = metric.name.parse::<Metric>().map(Metric::direction);
    match (metric.interval, metric.gate, direction) {
        (Some((low, high)), Some(gate), Ok(direction)) => match direction {
            Direction::Higher if high < gate => "worse than at the gate",
            Direction::Lower if low > gate => "worse than at the gate",
            Direction::Higher if low > gate => "better than at the gate",
            Direction::Lower if high < gate => "better than at the gate",
            _ => "not shown to differ from the gate",
        },
        _ => "",
    }
}

/// The result as a sentence.
fn sentence(report: &DriftReport, decides: Option<&MetricChange>) -> String {
    let Some((known, metric)) = report.performance.as_ref().zip(decides) else {
        return "There are no labelled rows yet: this is an estimate from the scores alone.".to_owned();
    };
    let said = compared(metric);
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let gate = metric.gate.map_or_else(String::new, |gate| format!(", {} at the gate", fixed(gate)));
    let interval = interval(metric);
    let interval = if interval.is_empty() { interval } else { format!(" ({interval})") };
    format!(
        "On {} {} is {}{interval}{gate}{said}.",
        counted(known.n, "labelled row,", "labelled rows,"),
        metric.name,
        fixed(metric.value),
    )
}

fn notes(report: &DriftReport) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(n) = report.performance.as_ref().and_then(|known| known.n_effective) {
        notes.push(format!(
            "Rows have unequal weights, or belong to the same entities: effective sample size {n:.0} independent rows."
        ));
    }
    if let Some(promised) = &report.estimate {
        notes.push(format!(
            "Estimated on {} by {}. {}",
            counted(promised.n, "row", "rows"),
            clean(&promised.method).to_uppercase(),
            clean(&promised.limit)
        ));
    }
    notes
}

/// The deciding metric in each of the last comparisons of this version.
fn course(asked: &Asked, version: Version, primary: &str, measured: &[MetricChange]) -> Result<String, Oops> {
    let runs = asked.monitor_runs()?;
    let of = |run: &Run| run.result["version"].as_str() == Some(version.to_string().as_str());
    let value = |run: &Run| run.result["performance"]["metrics"][primary][0].as_f64();
    let points: Vec<(String, f64)> =
        runs.iter().filter(|run| of(run)).filter_map(|run| Some((when(run.at), value(run)?))).collect();
    let gate = measured.iter().find(|metric| metric.name == primary).and_then(|metric| metric.gate);
    let level = gate.map(|value| Level { value, name: "at the gate" });
    Ok(course_at(&points, Over::Values, level, "The deciding metric on labelled rows, by comparison"))
}
