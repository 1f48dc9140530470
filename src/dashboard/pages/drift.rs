//! The current data compared with the reference: all columns, or one in detail.

use super::fares::{Fares, fares};
use super::looks::{History, history};
use super::parts::{Over, course, severity, tone};
use super::{Asked, rendered};
use crate::dashboard::shell::{Shell, when};
use crate::dashboard::web::{Answer, Oops};
use crate::drift::report::{ColumnReport, ColumnVerdict, DriftReport, Summary};
use crate::registry::Version;
use crate::report::number::{clean, counted, number_or, p_value, percent, short, value};
use crate::report::{self, shape::Drawing};
use crate::stats::portable::Portable;
use askama::Template;
use std::sync::Arc;

const SMALL: f64 = 250.0;
const LARGE: f64 = 760.0;
/// Width that fits a phone without shrinking.
const NARROW: f64 = 320.0;
/// Columns per page.
const PER_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "ui_drift.html")]
struct Page {
    shell: Shell,
    report: Option<Report>,
    columns: Vec<Row>,
    damaged: Vec<String>,
    n_columns: usize,
    n_found: usize,
    /// Entries of the list that are not columns of the table.
    beside: String,
    fares: Option<Fares>,
    later: Option<usize>,
    q: String,
    sort: String,
    sorts: Vec<(&'static str, &'static str, bool)>,
    course: String,
    /// A chart of the columns that changed most.
    largest: String,
}

struct Report {
    at: String,
    tone: &'static str,
    sentence: String,
    /// Whether it is for a version that is not in production now.
    other: bool,
    severity: &'static str,
    version: String,
    n_drifted: u64,
    n_stable: u64,
    n_unknown: u64,
    n_all: u64,
    /// The deciding share, and its denominator.
    ratio: String,
    threshold: String,
    dial: String,
    share_bar: String,
    reference: String,
    current: String,
    findings: Vec<String>,
    notes: Vec<String>,
}

/// A column in the table.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) kind: String,
    pub(super) class: &'static str,
    pub(super) verdict: String,
    pub(super) plot: String,
    pub(super) bar: String,
    pub(super) statistic: String,
    pub(super) method: String,
    pub(super) p: String,
    /// Whether p is adjusted for multiple comparisons.
    pub(super) adjusted: bool,
    /// The value that decided, as text.
    pub(super) decided: String,
    pub(super) psi: String,
    pub(super) importance: String,
}

#[derive(Template)]
#[template(path = "ui_column.html")]
struct Detail {
    shell: Shell,
    row: Row,
    /// The plot for narrow screens, on which a wide one would shrink.
    narrow: String,
    history: History,
    numbers: Vec<[String; 3]>,
    findings: Vec<String>,
    course: String,
    at: String,
}

pub(super) fn page(asked: &Asked) -> Result<Answer, Oops> {
    let report = asked.drift()?;
    if asked.fields.has("column") {
        return detail(asked, report, asked.fields.get("column"));
    }
    let (q, sort) = (asked.fields.get("q").trim().to_lowercase(), asked.fields.get("sort"));
    let all: Vec<&ColumnReport> =
        report.iter().flat_map(|r| r.columns.iter().chain(&r.target).chain(&r.score)).collect();
    let mut found: Vec<&ColumnReport> =
        all.iter().copied().filter(|column| column.name.to_lowercase().contains(&q)).collect();
    let p = |column: &ColumnReport| column.p_adjusted.or(column.p).unwrap_or(f64::INFINITY);
    match sort {
        "name" => found.sort_by(|a, b| a.name.cmp(&b.name)),
        "p" => found.sort_by(|a, b| p(a).total_cmp(&p(b))),
        "psi" => found.sort_by(|a, b| b.psi.unwrap_or(-1.0).total_cmp(&a.psi.unwrap_or(-1.0))),
        "importance" => found.sort_by(|a, b| b.importance.unwrap_or(-1.0).total_cmp(&a.importance.unwrap_or(-1.0))),
        _ => found.sort_by_key(|column| !matches!(column.verdict, ColumnVerdict::Drifted)),
    }
    let from = usize::try_from(asked.fields.number("from").unwrap_or(0)).unwrap_or(0);
    let later = (from + PER_PAGE < found.len()).then_some(from + PER_PAGE);
    let sorts = [
        ("", "drifted columns first"),
        ("name", "name"),
        ("p", "p, smallest first"),
        ("psi", "PSI"),
        ("importance", "importance in the model"),
    ];
    let settings = report.as_ref().map_or(serde_json::Value::Null, |report| report.settings.clone());
    let beside: Vec<&str> = report
        .iter()
        .flat_map(|r| [r.target.as_ref().map(|_| "the target"), r.score.as_ref().map(|_| "the score")])
        .flatten()
        .collect();
    let production = asked.dashboard.workspace.registry().roles()?.production;
    rendered(&Page {
        shell: asked.shell("/ui/drift", "Drift")?,
        beside: beside.join(" and "),
        fares: fares(asked, production, report.as_deref(), usize::MAX)?,
        damaged: asked.damaged()?,
        n_columns: all.len(),
        n_found: found.len(),
        columns: found.iter().skip(from).take(PER_PAGE).map(|column| row(column, &settings, SMALL)).collect(),
        later,
        q: asked.fields.get("q").to_owned(),
        sorts: sorts.map(|(key, name)| (key, name, key == sort)).into(),
        sort: sort.to_owned(),
        course: course(&shares(asked)?, Over::Shares, "Share of drifted columns, by comparison"),
        largest: largest(&all),
        report: report.as_deref().map(|report| told(report, production)),
    })
}

fn told(report: &DriftReport, production: Option<Version>) -> Report {
    let other = report.version != production.map(|version| version.to_string());
    let share = &report.share;
    let side = |side: &crate::drift::report::Side| {
        format!("{}, {}", short(&side.name, 120), counted(side.n_rows, "row", "rows"))
    };
    Report {
        at: when(report.made_at),
        tone: if other { "unknown" } else { tone(report.verdict.retrain) },
        other,
        sentence: clean(&report.verdict.sentence),
        severity: severity(report.verdict.severity),
        version: report.version.as_deref().map_or_else(|| "no version".to_owned(), clean),
        n_drifted: share.n_drifted,
        n_stable: share.n_stable,
        n_unknown: share.n_unknown,
        n_all: share.n_drifted + share.n_stable + share.n_unknown,
        ratio: report::share_text(report),
        threshold: percent(share.threshold),
        dial: report::dial(report),
        share_bar: report::share_bar(report),
        reference: side(&report.reference),
        current: side(&report.current),
        findings: report.findings.iter().take(30).map(|finding| short(&report::found(finding), 300)).collect(),
        notes: report.notes.iter().map(|note| clean(note)).collect(),
    }
}

fn row(column: &ColumnReport, settings: &serde_json::Value, width: f64) -> Row {
    let class = match column.verdict {
        ColumnVerdict::Drifted => "drifted",
        ColumnVerdict::Stable => "stable",
        _ => "unknown",
    };
    Row {
        name: column.name.clone(),
        label: short(&column.name, 80),
        kind: report::column_kind(column),
        class,
        verdict: match &column.verdict {
            ColumnVerdict::Drifted => "drifted".to_owned(),
            ColumnVerdict::Stable => "stable".to_owned(),
            ColumnVerdict::TooFewRows { need } => match column.few() {
                Some(few) => format!("too few rows: {}", few.told()),
                None => format!("too few rows: {need} are needed"),
            },
            ColumnVerdict::CannotTell { reason } => format!("cannot tell: {}", short(reason, 160)),
        },
        plot: report::column_plot(column, width),
        bar: bar(column, class),
        statistic: number_or(column.statistic),
        method: match column.p_adjusted.or(column.p) {
            Some(_) => {
                format!("{}; significant at p of at most {}", clean(&column.method), number_or(Some(column.threshold)))
            }
            None => format!("{}; limit {}", clean(&column.method), number_or(Some(column.threshold))),
        },
        p: p_value(column.p_adjusted.or(column.p)),
        adjusted: column.p_adjusted.is_some(),
        decided: report::decided(column, settings),
        psi: number_or(column.psi),
        importance: column.importance.map_or_else(String::new, percent),
    }
}

/// The PSI as a bar on a log scale, from 0.1 to 1000 times the critical value, which chance alone exceeds once in a
/// hundred times; so a PSI ten times as large looks larger.
fn bar(column: &ColumnReport, class: &str) -> String {
    const WIDTH: f64 = 120.0;
    let (Some(psi), Some(critical)) = (column.psi, column.psi_critical.filter(|critical| *critical > 0.0)) else {
        return String::new();
    };
    const TENS: f64 = 4.0;
    let length = (((psi / critical).log10_portable() + 1.0) / TENS).clamp(0.0, 1.0) * WIDTH;
    let mut drawing = Drawing::default();
    drawing.rect(&format!("bar {class}"), (0.0, 3.0), (length.max(1.0), 8.0));
    drawing.line("limit", (WIDTH / TENS, 0.0), (WIDTH / TENS, 14.0));
    let title = format!(
        "PSI {}; without drift, 1 comparison in 100 exceeds {}",
        number_or(Some(psi)),
        number_or(Some(critical))
    );
    drawing.image("statbar", (WIDTH, 14.0), &title)
}

/// The columns with the largest PSI as bars on a common log scale, each with its critical value.
fn largest(all: &[&ColumnReport]) -> String {
    const SHOWN: usize = 15;
    const WIDTH: f64 = 640.0;
    const ROW: f64 = 24.0;
    const LEFT: f64 = 210.0;
    // Room for "0.09191, drifted" in the larger font of narrow screens.
    const RIGHT: f64 = 440.0;
    let mut columns: Vec<(&ColumnReport, f64)> =
        all.iter().filter_map(|column| Some((*column, column.psi.filter(|psi| *psi > 0.0)?))).collect();
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    columns.truncate(SHOWN);
    let (Some((_, most)), true) = (columns.first(), columns.len() > 1) else { return String::new() };
    // The scale covers three powers of ten, up to the largest value.
    let (low, high) = (most.log10_portable() - 3.0, most.log10_portable());
    let x = |psi: f64| LEFT + ((psi.log10_portable() - low) / (high - low)).clamp(0.0, 1.0) * (RIGHT - LEFT);
    let mut drawing = Drawing::default();
    for (n, (column, psi)) in columns.iter().enumerate() {
        let y = n as f64 * ROW;
        let class = match column.verdict {
            ColumnVerdict::Drifted => "drifted",
            ColumnVerdict::Stable => "stable",
            _ => "unknown",
        };
        drawing.text("end", (LEFT - 10.0, y + 16.0), &short(&column.name, 18));
        drawing.rect(&format!("bar {class}"), (LEFT, y + 5.0), ((x(*psi) - LEFT).max(1.0), ROW - 10.0));
        if let Some(critical) = column.psi_critical.filter(|critical| *critical > 0.0) {
            drawing.line("limit", (x(critical), y + 1.0), (x(critical), y + ROW - 1.0));
        }
        let verdict = if class == "drifted" { ", drifted" } else { "" };
        drawing.text("ax", (RIGHT + 12.0, y + 16.0), &format!("{}{verdict}", number_or(Some(*psi))));
    }
    drawing.line("base", (LEFT, 0.0), (LEFT, columns.len() as f64 * ROW));
    drawing.image("wide", (WIDTH, columns.len() as f64 * ROW), "PSI of the columns that changed most")
}

fn detail(asked: &Asked, report: Option<Arc<DriftReport>>, name: &str) -> Result<Answer, Oops> {
    let unknown = || Oops::NotFound(format!("the last comparison has no column {}", short(name, 80)));
    let report = report.ok_or_else(unknown)?;
    let report = report.as_ref();
    let mut all = report.columns.iter().chain(&report.target).chain(&report.score);
    let column = all.find(|column| column.name == name).ok_or_else(unknown)?;
    let (reference, current) = (&column.reference, &column.current);
    let number = |title: &str, of: fn(&Summary) -> Option<f64>| {
        [title.to_owned(), value(&column.kind, of(reference)), value(&column.kind, of(current))]
    };
    let count =
        |title: &str, of: fn(&Summary) -> u64| [title.to_owned(), of(reference).to_string(), of(current).to_string()];
    let mut numbers = vec![count("rows with a value", |s| s.n), count("missing", |s| s.n_missing)];
    if reference.n_levels.is_some() || current.n_levels.is_some() {
        let levels = |s: &Summary| s.n_levels.map_or_else(|| "–".to_owned(), |n| n.to_string());
        numbers.push(["levels".to_owned(), levels(reference), levels(current)]);
    }
    if reference.median.is_some() || current.median.is_some() {
        numbers.push(number("mean", |s| s.mean));
        numbers.push(["standard deviation".to_owned(), number_or(reference.sd), number_or(current.sd)]);
        numbers.push(number("smallest", |s| s.min));
        numbers.push(number("median", |s| s.median));
        numbers.push(number("largest", |s| s.max));
    }
    let pieces = report.history.iter().filter_map(|chunk| {
        let found = chunk.columns.iter().find(|column| column.name == name)?;
        Some((chunk.name.clone(), found.statistic.unwrap_or(f64::NAN)))
    });
    let findings = report.findings.iter().filter(|finding| finding.column.as_deref() == Some(name));
    rendered(&Detail {
        shell: asked.shell("/ui/drift", &format!("Drift of {}", short(name, 80)))?,
        row: row(column, &report.settings, LARGE),
        narrow: report::column_plot(column, NARROW),
        history: history(asked, column)?,
        numbers,
        findings: findings.map(|finding| short(&finding.text, 300)).collect(),
        course: course(&pieces.collect::<Vec<_>>(), Over::Values, "The statistic in each period of the current rows"),
        at: when(report.made_at),
    })
}

/// The share of drifted columns in each of the last comparisons, from the run log.
fn shares(asked: &Asked) -> Result<Vec<(String, f64)>, Oops> {
    let runs = asked.monitor_runs()?;
    let share = |run: &crate::workspace::Run| Some((when(run.at), run.result["share"].as_f64()?));
    Ok(runs.iter().filter_map(share).collect())
}
