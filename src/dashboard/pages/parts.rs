//! Parts used by several pages.

use super::Asked;
use crate::dashboard::events::stamp_of;
use crate::dashboard::kept::{LastDrift, Waits};
use crate::dashboard::shell::when;
use crate::dashboard::web::Oops;
use crate::drift::report::{Answer, DriftReport, Severity};
use crate::gate::GateReport;
use crate::registry::{Manifest, Version};
use crate::report::number::{clean, number, p_value, percent, short, signed};
use crate::report::shape::Drawing;
use crate::retrain;
use crate::retrain::standing::Progress;
use crate::score::Metric;
use crate::stats::portable::Portable;
use crate::workspace::Run;
use crate::workspace::audit::{Chain, Entry};
use std::sync::Arc;

/// Number of earlier comparisons drawn.
pub(super) const LAST_RUNS: usize = 60;

/// A version with its role, for lists.
#[derive(Clone)]
pub(super) struct Standing {
    pub(super) version: String,
    pub(super) role: &'static str,
    pub(super) trained: String,
    pub(super) rows: u64,
    pub(super) headline: String,
}

impl Standing {
    pub(super) fn new(version: Version, role: &'static str, manifest: &Manifest, decides: Option<Metric>) -> Self {
        Self {
            version: version.to_string(),
            role,
            trained: when(manifest.trained_at),
            rows: manifest.rows.total(),
            headline: manifest.headline(decides),
        }
    }
}

impl Asked<'_> {
    /// The last comparison; also `None` if its report is damaged, which [`Asked::damaged`] reports.
    pub(super) fn drift(&self) -> Result<Option<Arc<DriftReport>>, Oops> {
        Ok(self.kept_drift()?.as_ref().as_ref().map_or(None, Clone::clone))
    }

    fn kept_drift(&self) -> Result<Arc<LastDrift>, Oops> {
        let workspace = &self.dashboard.workspace;
        // A missing report is cached as well.
        let read = || match workspace.report("drift_report.json") {
            Ok(report) => Ok(Ok(report.map(Arc::new))),
            Err(err) => Ok(Err(err.to_string())),
        };
        self.dashboard.kept.drift.get(&stamp_of(workspace.dir(), &["reports/drift_report.json"]), Waits::Asker, read)
    }

    /// The last runs of `monitor`, oldest first; the run log is read again only after a change.
    pub(super) fn monitor_runs(&self) -> Result<Arc<Vec<Run>>, Oops> {
        let workspace = &self.dashboard.workspace;
        let read = || Ok(workspace.last_runs("monitor", LAST_RUNS)?);
        self.dashboard.kept.runs.get(&stamp_of(workspace.dir(), &["runs/runs.jsonl"]), Waits::Asker, read)
    }

    /// Unreadable reports, as text: the page omits them, and the user can regenerate them.
    pub(super) fn damaged(&self) -> Result<Vec<String>, Oops> {
        let drift = self.kept_drift()?;
        let gate = self.dashboard.workspace.report::<GateReport>("gate_report.json").err();
        let gate = gate.map(|err| format!("{err}: run the gate again"));
        let drift = drift.as_ref().as_ref().err().map(|err| format!("{err}: refresh the analysis"));
        Ok(drift.into_iter().chain(gate).map(|text| clean(&text)).collect())
    }

    /// The audit chain.
    pub(super) fn chain(&self) -> Result<Arc<Chain>, Oops> {
        let workspace = &self.dashboard.workspace;
        let stamp = stamp_of(workspace.dir(), &["audit.jsonl", "models/roles.json"]);
        self.dashboard.kept.chain.get(&stamp, Waits::Asker, || Ok(workspace.audit_chain()?))
    }

    /// The progress of the retraining triggers that count something.
    pub(super) fn standing(&self, production: Option<Version>) -> Result<Arc<Progress>, Oops> {
        let workspace = &self.dashboard.workspace;
        let count = || Ok(retrain::standing::progress(workspace, production, self.dashboard.now())?);
        let files = retrain::standing::files(workspace);
        let files: Vec<&str> = files.iter().filter_map(|path| path.to_str()).collect();
        self.dashboard.kept.standing.get(&stamp_of(workspace.dir(), &files), self.waits(&files), count)
    }

    /// The gate's last verdict; also `None` if its report is damaged.
    pub(super) fn verdict(&self) -> Option<GateReport> {
        self.dashboard.workspace.report("gate_report.json").unwrap_or_default()
    }

    pub(super) fn version(&self, field: &str) -> Result<Option<Version>, Oops> {
        match self.fields.get(field) {
            "" => Ok(None),
            text => text.parse().map(Some).map_err(|_| Oops::Bad(format!("{text:?} is not a version, such as v0002"))),
        }
    }
}

pub(super) fn tone(answer: Answer) -> &'static str {
    match answer {
        Answer::Yes => "drifted",
        Answer::No => "stable",
        Answer::CannotTell => "unknown",
    }
}

pub(super) fn severity(severity: Option<Severity>) -> &'static str {
    match severity {
        Some(Severity::Low) => "LOW",
        Some(Severity::Medium) => "MEDIUM",
        Some(Severity::High) => "HIGH",
        None => "unknown",
    }
}

/// A line of the audit chain, as text.
pub(super) struct Told {
    pub(super) seq: u64,
    pub(super) at: String,
    pub(super) by: String,
    pub(super) event: String,
    pub(super) text: String,
}

impl Told {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            seq: entry.seq,
            at: when(entry.at),
            by: entry.by.as_deref().map_or_else(String::new, |by| short(by, 60)),
            event: clean(&entry.event.to_string()).replace('-', " "),
            text: short(&entry.sentence(), 400),
        }
    }
}

/// Bars to both sides of a middle line: contributions, largest first.
pub(super) fn balance(values: &[(String, f64)]) -> String {
    const WIDTH: f64 = 640.0;
    const ROW: f64 = 26.0;
    let top = values.iter().map(|(_, value)| value.abs()).fold(1e-12, f64::max);
    let (middle, half) = (430.0, 120.0);
    let mut drawing = Drawing::default();
    for (n, (name, value)) in values.iter().enumerate() {
        let y = n as f64 * ROW;
        let length = value.abs() / top * half;
        let (tone, x) = if *value < 0.0 { ("stable", middle - length) } else { ("drifted", middle) };
        drawing.text("end", (middle - half - 10.0, y + 16.0), &short(name, 40));
        drawing.rect(&format!("bar {tone}"), (x, y + 4.0), (length.max(1.0), ROW - 10.0));
        drawing.text("ax", (middle + half + 8.0, y + 16.0), &signed(*value));
    }
    let height = values.len() as f64 * ROW;
    drawing.line("base", (middle, 0.0), (middle, height));
    drawing.image("wide", (WIDTH, height.max(1.0)), "Contributions to the score, strongest first")
}

/// The kind of values in a line chart.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Over {
    /// Shares: the axis runs from 0 to 1.
    Shares,
    /// Anything else: the axis runs from the lowest to the highest value.
    Values,
    /// Positive values over several orders of magnitude, such as p: a log scale down to a millionth.
    Tens,
}

/// A reference value for all others.
pub(super) struct Level {
    pub(super) value: f64,
    pub(super) name: &'static str,
}

/// Values in order, as a line chart.
pub(super) fn course(points: &[(String, f64)], over: Over, title: &str) -> String {
    course_at(points, over, None, title)
}

/// The same, with a dashed line at the reference value.
pub(super) fn course_at(points: &[(String, f64)], over: Over, level: Option<Level>, title: &str) -> String {
    const WIDTH: f64 = 760.0;
    const HEIGHT: f64 = 164.0;
    // Room for a number in the larger font of narrow screens, beside the line and above it.
    const LEFT: f64 = 84.0;
    const TOP: f64 = 30.0;
    let scaled = |value: f64| if over == Over::Tens { value.max(1e-6).log10_portable() } else { value };
    let finite: Vec<f64> = points.iter().map(|(_, y)| scaled(*y)).filter(|y| y.is_finite()).collect();
    if finite.len() < 2 {
        return String::new();
    }
    let all = finite.iter().copied().chain(level.as_ref().map(|level| scaled(level.value)));
    let (low, high) = all.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), y| (l.min(y), h.max(y)));
    let (low, high) = match over {
        Over::Shares => (0.0, 1.0),
        // Constant values: draw the line in the middle.
        _ if high - low <= 1e-9 * high.abs() => (low - 0.1 * high.abs().max(1e-3), high + 0.1 * high.abs().max(1e-3)),
        _ => (low, high),
    };
    let name = |value: f64| match over {
        Over::Shares => percent(value),
        Over::Values => number(value),
        Over::Tens => p_value(Some(value)),
    };
    let x = |n: usize| LEFT + n as f64 / (points.len() - 1) as f64 * (WIDTH - LEFT - 20.0);
    let y = |value: f64| TOP + (high - scaled(value)) / (high - low) * (HEIGHT - TOP - 34.0);
    let mut drawing = Drawing::default();
    for value in [low, high].map(|end| if over == Over::Tens { 10f64.powf_portable(end) } else { end }) {
        drawing.line("base", (LEFT, y(value)), (WIDTH - 20.0, y(value)));
        drawing.text("ax end", (LEFT - 6.0, y(value) + 4.0), &name(value));
    }
    if let Some(level) = level {
        drawing.line("limit", (LEFT, y(level.value)), (WIDTH - 20.0, y(level.value)));
        drawing.text("ax", (LEFT + 4.0, y(level.value) - 4.0), &format!("{} {}", name(level.value), level.name));
    }
    let mut path = String::new();
    for (n, (_, value)) in points.iter().enumerate().filter(|(_, (_, value))| value.is_finite()) {
        let verb = if path.is_empty() { 'M' } else { 'L' };
        path.push_str(&format!("{verb}{} {}", crate::report::shape::at(x(n)), crate::report::shape::at(y(*value))));
    }
    drawing.path("cur stable", &path);
    if let Some((n, (_, last))) = points.iter().enumerate().rfind(|(_, (_, value))| value.is_finite()) {
        drawing.text("ax end", (x(n), y(*last) - 6.0), &name(*last));
    }
    for (n, class) in [(0, "ax"), (points.len() - 1, "ax end")] {
        drawing.text(class, (x(n), HEIGHT - 6.0), &short(&points[n].0, 24));
    }
    drawing.image("wide", (WIDTH, HEIGHT), title)
}
