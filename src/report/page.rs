//! The data of the page's template, as strings.

use super::number::{
    NOTHING, clean, counted, fixed, fixed_or, number, number_or, p_value, percent, short, value, words,
};
use super::shape::Drawing;
use super::words::{self, Tone};
use super::{gauge, plot, timeline};
use crate::drift::report::{Answer, ColumnReport, DriftReport, MetricChange, Side, Trigger};
use askama::Template;

const PLOT_WIDTH: f64 = 250.0;
const WIDE: f64 = 1100.0;
/// With more columns than this, the page offers search and sorting.
const FEW: usize = 8;
/// Maximum number of findings and levels; further ones are in the JSON.
const MAX_FINDINGS: usize = 100;

#[derive(Template)]
#[template(path = "drift.html")]
struct Page {
    mlloop: String,
    made_at: String,
    predicts: String,
    version: Option<String>,
    tone: &'static str,
    headline: &'static str,
    sentence: String,
    dial: String,
    share_bar: String,
    share_text: String,
    counts: Vec<Count>,
    sides: Vec<Compared>,
    triggers: Vec<TriggerRow>,
    triggers_idle: String,
    findings: Vec<FindingRow>,
    findings_left_out: usize,
    columns: Vec<Row>,
    /// Whether there are enough columns to need search and sorting.
    many: bool,
    others: Vec<Row>,
    multivariate: Option<Together>,
    metrics: Vec<MetricTable>,
    history: Option<History>,
    settings: String,
    notes: Vec<String>,
}

struct Count {
    class: &'static str,
    n: u64,
    share: String,
}

struct Compared {
    role: &'static str,
    name: String,
    rows: String,
    exactness: String,
}

struct TriggerRow {
    fired: bool,
    state: &'static str,
    name: String,
    value: String,
    threshold: String,
    text: String,
}

struct FindingRow {
    kind: &'static str,
    text: String,
}

/// A column as the page shows it.
struct Row {
    name: String,
    kind: String,
    class: &'static str,
    verdict: &'static str,
    because: String,
    plot: String,
    method: String,
    statistic: String,
    p: String,
    /// The thresholds of the statistic, if no p decides, and of p.
    held: [String; 2],
    psi: String,
    psi_critical: String,
    importance: Option<(String, String)>,
    missing: [String; 2],
    centre: Vec<(&'static str, String, String)>,
    /// The sort keys of the table; empty if unknown.
    sort: [String; 3],
}

struct Together {
    drifted: bool,
    sentence: String,
    columns: Vec<(String, String, String)>,
}

struct MetricTable {
    title: &'static str,
    rows: String,
    limit: String,
    metrics: Vec<[String; 4]>,
}

struct History {
    shares: String,
    grid: String,
    left_out: String,
}

fn sides(report: &DriftReport) -> Vec<Compared> {
    let compared = |role, side: &Side, how: String| Compared {
        role,
        name: short(&side.name, 160),
        rows: counted(side.n_rows, "row", "rows"),
        exactness: how,
    };
    let plain = |role, side: &Side| compared(role, side, words::exactness(side));
    let mut sides = vec![plain("Reference", &report.reference), plain("Current", &report.current)];
    if let (Some(found), Some(since)) = (&report.against_training, words::since_training(report)) {
        sides.push(compared("Training", &found.reference, since));
    }
    sides
}

/// Draws the page.
pub(super) fn draw(report: &DriftReport) -> String {
    let (judged, triggers_idle) = words::judged(report);
    let shown = |column: &ColumnReport| row(column, &report.settings);
    let page = Page {
        mlloop: clean(&report.mlloop),
        made_at: report.made_at.strftime("%Y-%m-%d %H:%M UTC").to_string(),
        predicts: short(&report.predicts, 80),
        version: report.version.as_deref().map(clean),
        tone: match report.verdict.retrain {
            Answer::Yes => "drifted",
            Answer::No => "stable",
            Answer::CannotTell => "unknown",
        },
        headline: words::headline(report),
        sentence: clean(&report.verdict.sentence),
        dial: dial(report),
        share_bar: share_bar(report),
        share_text: share_text(report),
        counts: counts(report),
        sides: sides(report),
        triggers: judged.into_iter().map(trigger).collect(),
        triggers_idle,
        findings: findings(report),
        findings_left_out: report.findings.len().saturating_sub(MAX_FINDINGS),
        many: report.columns.len() > FEW,
        columns: words::drifted_first(report).into_iter().map(shown).collect(),
        others: report.target.iter().chain(&report.score).map(shown).collect(),
        multivariate: together(report),
        metrics: metrics(report),
        history: history(report),
        settings: settings(&report.settings),
        notes: report.notes.iter().map(|note| clean(note)).collect(),
    };
    // Writing to a string cannot fail.
    page.render().unwrap_or_default()
}

pub(crate) fn dial(report: &DriftReport) -> String {
    let mut drawing = Drawing::default();
    drawing.raw(&gauge::dial(report));
    let (share, of_what) = words::share(report);
    let severity = words::severity(report.verdict.severity);
    let title = format!("Severity {severity}: {} {of_what}", share.map_or(NOTHING.to_owned(), percent));
    drawing.image("dial", gauge::DIAL, &title)
}

pub(crate) fn share_bar(report: &DriftReport) -> String {
    let mut drawing = Drawing::default();
    drawing.raw(&gauge::share_bar(report, 360.0, 22.0));
    let counts = words::share_counts(report).map(|(tone, n)| format!("{n} {}", tone.class())).join(", ");
    drawing.image("sharebar", (360.0, 22.0), &format!("Columns: {counts}"))
}

/// Both shares, the deciding one first.
pub(crate) fn share_text(report: &DriftReport) -> String {
    let share = &report.share;
    let said = |share: Option<f64>| share.map_or(NOTHING.to_owned(), percent);
    let (plain, weighted) = (said(share.column_share.or(share.share)), said(share.weighted_share));
    let deciding = match (share.weighted, share.weighted_share) {
        (true, _) => format!(
            "Columns with {weighted} of the model's importance drifted; this share decides. By \
                              count: {plain}."
        ),
        (false, Some(_)) => format!("{plain} of the columns that can be judged; weighted by importance: {weighted}."),
        (false, None) => format!("{plain} of the columns that can be judged."),
    };
    match words::watched_only(report) {
        watched if watched.is_empty() => deciding,
        watched => format!("{deciding} In addition, {watched}."),
    }
}

fn counts(report: &DriftReport) -> Vec<Count> {
    let counts = words::share_counts(report);
    let all: u64 = counts.iter().map(|(_, n)| n).sum::<u64>().max(1);
    let count = |(tone, n): (Tone, u64)| Count { class: tone.class(), n, share: percent(n as f64 / all as f64) };
    counts.into_iter().map(count).collect()
}

fn trigger(trigger: &Trigger) -> TriggerRow {
    TriggerRow {
        fired: trigger.fired,
        state: if trigger.fired { "fired" } else { "quiet" },
        name: words(&trigger.name),
        value: number_or(trigger.value),
        threshold: number_or(trigger.threshold),
        text: short(&trigger.text, 300),
    }
}

fn findings(report: &DriftReport) -> Vec<FindingRow> {
    let shown = report.findings.iter().take(MAX_FINDINGS);
    shown
        .map(|finding| FindingRow { kind: words::finding(finding.kind), text: short(&words::found(finding), 400) })
        .collect()
}

fn row(column: &ColumnReport, settings: &serde_json::Value) -> Row {
    let tone = Tone::of(&column.verdict);
    let piece = plot::column(column, PLOT_WIDTH);
    let mut drawing = Drawing::default();
    drawing.raw(&piece.svg);
    let (reference, current) = (&column.reference, &column.current);
    let missing =
        [reference, current].map(|side| words::missing(side.n, side.n_missing).map_or(NOTHING.into(), percent));
    let both = |name, reference, current| (name, value(&column.kind, reference), value(&column.kind, current));
    let mut centre = Vec::new();
    if reference.mean.is_some() || current.mean.is_some() {
        centre.push(both("mean", reference.mean, current.mean));
    }
    if reference.median.is_some() || current.median.is_some() {
        centre.push(both("median", reference.median, current.median));
    }
    if let (Some(before), Some(now)) = (reference.n_levels, current.n_levels) {
        centre.push(("levels", before.to_string(), now.to_string()));
    }
    Row {
        name: short(&column.name, 120),
        kind: words::kind(column),
        class: tone.class(),
        verdict: words::verdict(&column.verdict),
        because: words::decided(column, settings),
        plot: drawing.image("plot", (PLOT_WIDTH, piece.height), &plot::described(column)),
        method: clean(&column.method),
        statistic: number_or(column.statistic),
        p: p_value(column.p_adjusted.or(column.p)),
        held: held(column),
        psi: number_or(column.psi),
        psi_critical: number_or(column.psi_critical),
        importance: column.importance.map(|share| (percent(share), format!("{:.1}", share.clamp(0.0, 1.0) * 100.0))),
        missing,
        centre,
        sort: [column.p_adjusted.or(column.p), column.psi, column.importance]
            .map(|x| x.filter(|x| x.is_finite()).map_or_else(String::new, |x| x.to_string())),
    }
}

/// The deciding value and its threshold: p if there is one, else the statistic.
fn held(column: &ColumnReport) -> [String; 2] {
    let limit = format!("limit {}", number(column.threshold));
    match (column.p_adjusted.is_some(), column.p.is_some()) {
        (true, _) => [String::new(), format!("adjusted, {limit}")],
        (false, true) => [String::new(), limit],
        (false, false) => [limit, String::new()],
    }
}

fn together(report: &DriftReport) -> Option<Together> {
    let seen = report.multivariate.as_ref()?;
    let can = match seen.drifted {
        true => "A classifier can distinguish current rows from reference rows",
        false if seen.is_open() => {
            "Inconclusive: a classifier may or may not distinguish current rows from reference rows"
        }
        false => "A classifier cannot distinguish current rows from reference rows",
    };
    let sentence = format!(
        "{can}: roc_auc {} (95 % interval {} to {}; drifted when the lower bound is above {}), on {} and {}.",
        number(seen.roc_auc),
        number(seen.lower),
        number(seen.upper),
        number(seen.threshold),
        counted(seen.n_rows.0, "reference row", "reference rows"),
        counted(seen.n_rows.1, "current row", "current rows"),
    );
    let column = |(name, share): &(String, f64)| {
        (short(name, 60), percent(*share), format!("{:.1}", share.clamp(0.0, 1.0) * 100.0))
    };
    Some(Together { drifted: seen.drifted, sentence, columns: seen.columns.iter().take(10).map(column).collect() })
}

fn metrics(report: &DriftReport) -> Vec<MetricTable> {
    let known = report.performance.as_ref().map(|known| MetricTable {
        title: "On labelled rows",
        rows: counted(known.n, "row", "rows"),
        limit: known.n_effective.map_or(String::new(), |n| {
            format!(
                "Rows have unequal weights, or belong to the same entities. Effective sample size: {}.",
                counted(n as u64, "independent row", "independent rows")
            )
        }),
        metrics: known.metrics.iter().map(metric).collect(),
    });
    let promised = report.estimate.as_ref().map(|promised| MetricTable {
        title: "Estimated from scores alone",
        rows: format!("{}, method {}", counted(promised.n, "row", "rows"), clean(&promised.method)),
        limit: clean(&promised.limit),
        metrics: promised.metrics.iter().map(metric).collect(),
    });
    known.into_iter().chain(promised).collect()
}

fn metric(change: &MetricChange) -> [String; 4] {
    let interval =
        change.interval.map_or(NOTHING.to_owned(), |(low, high)| format!("{} to {}", fixed(low), fixed(high)));
    let name = clean(&change.name);
    [name, fixed(change.value), interval, fixed_or(change.gate)]
}

fn history(report: &DriftReport) -> Option<History> {
    if report.history.is_empty() {
        return None;
    }
    let (left, columns) = (190.0, words::drifted_first(report));
    let room = WIDE - left;
    let shares = timeline::shares(report, left, room - 96.0, 96.0);
    let grid = timeline::grid(report, &columns, left, room);
    let (mut above, mut below) = (Drawing::default(), Drawing::default());
    above.raw(&shares.svg);
    below.raw(&grid.svg);
    Some(History {
        shares: above.image(
            "wide",
            (WIDE, shares.height),
            "Share of drifted columns in each period of the current table",
        ),
        grid: below.image("wide", (WIDE, grid.height), "Columns by period: a block where the column drifted"),
        left_out: timeline::left_out(report),
    })
}

/// The settings as JSON, one per line; characters that change text direction are removed.
fn settings(settings: &serde_json::Value) -> String {
    let text = serde_json::to_string_pretty(settings).unwrap_or_default();
    text.lines().map(clean).collect::<Vec<String>>().join("\n")
}
