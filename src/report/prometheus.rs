//! The report as gauges in the Prometheus text format: for `/metrics` and for node exporter's textfiles.
//!
//! Source: "Exposition formats", prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4.

use crate::drift::report::{Answer, ColumnReport, ColumnVerdict, DriftReport};
use std::fmt::Write as _;

/// A page of metrics being written.
#[derive(Debug, Default)]
pub(crate) struct Page {
    pub(crate) text: String,
}

impl Page {
    /// Starts a metric.
    pub(crate) fn head(&mut self, name: &str, kind: &str, help: &str) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// A sample of the metric started last.
    pub(crate) fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.text.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.text, "{}{label}=\"{escaped}\"", if n == 0 { "{" } else { "," });
        }
        let _ = writeln!(self.text, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }
}

/// The results of `monitor` as gauges; values that were not measured have no sample.
#[must_use]
pub fn drift_prometheus(report: &DriftReport) -> String {
    let mut page = Page::default();
    let version = report.version.as_deref().unwrap_or_default();
    let single = [
        ("mlloop_drift_made_at_seconds", "Time of the last monitor run.", Some(report.made_at.as_second() as f64)),
        ("mlloop_drift_share", "Share of drifted columns, weighted as in the verdict.", report.share.deciding()),
        (
            "mlloop_drift_share_threshold",
            "Threshold of the share from which the table counts as drifted.",
            Some(report.share.threshold),
        ),
        ("mlloop_drift_columns_drifted", "Columns that drifted.", Some(report.share.n_drifted as f64)),
        ("mlloop_drift_columns_stable", "Columns that did not drift.", Some(report.share.n_stable as f64)),
        ("mlloop_drift_columns_unknown", "Columns that could not be judged.", Some(report.share.n_unknown as f64)),
        ("mlloop_retrain_warranted", "1 when there is a reason to retrain, 0 when there is none.", warranted(report)),
        ("mlloop_performance_rows", "Labelled rows.", report.performance.as_ref().map(|p| p.n as f64)),
    ];
    for (name, help, value) in single {
        if let Some(value) = value {
            page.head(name, "gauge", help);
            page.line(name, &[("version", version)], value);
        }
    }
    columns(&mut page, report, version);
    page.head("mlloop_performance", "gauge", "Metrics on labelled rows.");
    for change in report.performance.iter().flat_map(|found| &found.metrics) {
        page.line("mlloop_performance", &[("version", version), ("metric", &change.name)], change.value);
    }
    page.head("mlloop_performance_gate", "gauge", "The same metrics at the gate.");
    for change in report.performance.iter().flat_map(|found| &found.metrics) {
        if let Some(gate) = change.gate {
            page.line("mlloop_performance_gate", &[("version", version), ("metric", &change.name)], gate);
        }
    }
    page.head("mlloop_trigger_fired", "gauge", "1 when a trigger fired.");
    for trigger in &report.triggers {
        let fired = f64::from(u8::from(trigger.fired));
        page.line("mlloop_trigger_fired", &[("version", version), ("trigger", &trigger.name)], fired);
    }
    page.text
}

fn warranted(report: &DriftReport) -> Option<f64> {
    match report.verdict.retrain {
        Answer::Yes => Some(1.0),
        Answer::No => Some(0.0),
        Answer::CannotTell => None,
    }
}

/// Features, columns that are only watched, the target and the score.
fn columns(page: &mut Page, report: &DriftReport, version: &str) {
    let named = |role: &'static str| move |column| (role, column);
    let all: Vec<(&str, &ColumnReport)> = report
        .columns
        .iter()
        .map(|column| (if column.not_read { "watched" } else { "feature" }, column))
        .chain(report.target.iter().map(named("target")))
        .chain(report.score.iter().map(named("score")))
        .collect();
    type Get = fn(&ColumnReport) -> Option<f64>;
    let measures: [(&str, &str, Get); 4] = [
        ("mlloop_column_drifted", "1 when a column drifted, 0 when it did not.", |column| match column.verdict {
            ColumnVerdict::Drifted => Some(1.0),
            ColumnVerdict::Stable => Some(0.0),
            ColumnVerdict::TooFewRows { .. } | ColumnVerdict::CannotTell { .. } => None,
        }),
        ("mlloop_column_statistic", "Statistic of the drift test.", |column| column.statistic),
        ("mlloop_column_psi", "Population stability index.", |column| column.psi),
        ("mlloop_column_median", "Median of a number in the current rows.", |column| column.current.median),
    ];
    for (name, help, get) in measures {
        page.head(name, "gauge", help);
        for (role, column) in &all {
            let labels = [("version", version), ("role", role), ("column", &column.name), ("method", &column.method)];
            if let Some(value) = get(column) {
                page.line(name, &labels, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_sample_has_a_type_and_a_number() {
        let report = crate::report::sample::report();
        let text = drift_prometheus(&report);
        let column = &report.columns[0];
        let drifted = f64::from(u8::from(column.verdict == ColumnVerdict::Drifted));
        let version = report.version.clone().unwrap_or_default();
        let expected = format!(
            "mlloop_column_drifted{{version=\"{version}\",role=\"feature\",column=\"{}\",method=\"{}\"}} {drifted}",
            column.name, column.method
        );
        assert!(text.lines().any(|line| line == expected), "{expected}\n{text}");
        let share = format!("mlloop_drift_share{{version=\"{version}\"}} {}", report.share.deciding().unwrap());
        assert!(text.lines().any(|line| line == share), "{share}\n{text}");
        let mut typed = std::collections::HashSet::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                assert!(typed.insert(head.split(' ').next().unwrap().to_owned()), "{line} stands once");
            } else if !line.starts_with('#') {
                assert!(typed.contains(line.split(['{', ' ']).next().unwrap()), "{line}");
                assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(), "{line}");
            }
        }
    }
}
