//! A picture of a report: verdict, dial, share, the most important columns, history.

use super::number::{clean, number_or, p_value, short, wrapped};
use super::shape::{Drawing, at, escape};
use super::words::{self, Tone};
use super::{gauge, plot, timeline};
use crate::drift::report::{ColumnReport, DriftReport};

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 48.0;
const GAP: f64 = 24.0;
/// Maximum number of columns shown.
const MAX_COLUMNS: usize = 12;
const PER_ROW: usize = 4;
const CARD_WIDTH: f64 = (WIDTH - 2.0 * MARGIN - 3.0 * GAP) / 4.0;
/// The space above and below the plot of a card.
const CARD_HEAD: f64 = 52.0;
const CARD_FOOT: f64 = 28.0;

const STYLE: &str = "\
text{font-family:'Helvetica Neue',Arial,'DejaVu Sans','DejaVu Sans Condensed',sans-serif;font-size:14px;fill:#1b1f24}\
.ax{font-size:11px;fill:#5b6470}.end{text-anchor:end}.mid{text-anchor:middle}\
.h1{font-size:34px;font-weight:700}.lead{font-size:16px;fill:#3a424c}.h2{font-size:17px;font-weight:700}\
.strong{font-size:14px;font-weight:700}.big{font-size:32px;font-weight:700}.small{font-size:12px;fill:#3a424c}\
.t-drifted{font-size:12px;font-weight:700;fill:#b04a08}.t-stable{font-size:12px;fill:#1f6391}.t-unknown{font-size:12px;fill:#5b6470}\
.ref{fill:#cdd3da}.cur{fill:none;stroke-width:1.8}.cur.drifted{stroke:#c4560c}.cur.stable{stroke:#2a78b0}.cur.unknown{stroke:#78828e}\
.bar.drifted{fill:#c4560c}.bar.stable{fill:#2a78b0}.bar.unknown{fill:#c3cad2}\
.median.ref{fill:#98a2ad}.median.drifted{fill:#c4560c}.median.stable{fill:#2a78b0}.median.unknown{fill:#78828e}\
.base{fill:none;stroke:#98a2ad;stroke-width:1}.limit{fill:none;stroke:#1b1f24;stroke-width:1.4;stroke-dasharray:4 3}\
.hatch{fill:none;stroke:#78828e;stroke-width:1.2}.needle{fill:#1b1f24}.rule{fill:none;stroke:#dfe3e8;stroke-width:1}\
.zone{fill:none;stroke-width:16}.low{stroke:#c9dcea}.medium{stroke:#eec79d}.high{stroke:#c4560c}.page{fill:#fff}";

/// Draws the overview.
pub(super) fn draw(report: &DriftReport) -> String {
    let mut drawing = Drawing::default();
    let y = head(&mut drawing, report);
    let y = columns(&mut drawing, report, y);
    let y = history(&mut drawing, report, y);
    let height = y + 12.0;
    let title = format!("Drift report: {}", words::headline(report));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{h}" viewBox="0 0 {WIDTH} {h}" role="img"><title>{}</title><desc>{}</desc><style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{h}"/>{}</svg>"#,
        escape(&title),
        escape(&report.verdict.sentence),
        drawing.finish(),
        h = at(height),
    )
}

/// The verdict and its reason, the dial, the share bar and the compared periods; returns the bottom position.
fn head(drawing: &mut Drawing, report: &DriftReport) -> f64 {
    let made = report.made_at.strftime("%Y-%m-%d %H:%M UTC");
    drawing.text("ax", (MARGIN, 52.0), &format!("DRIFT REPORT · {made} · mlloop {}", clean(&report.mlloop)));
    drawing.text("h1", (MARGIN, 98.0), words::headline(report));
    let mut y = 130.0;
    for line in wrapped(&report.verdict.sentence, 92, 3) {
        drawing.text("lead", (MARGIN, y), &line);
        y += 23.0;
    }
    let bar = y + 8.0;
    drawing.group((MARGIN, bar), &gauge::share_bar(report, 760.0, 18.0));
    let mut x = MARGIN;
    for (tone, n) in words::share_counts(report) {
        drawing.rect(&format!("bar {}", tone.class()), (x, bar + 30.0), (11.0, 11.0));
        let text = format!("{n} {}", tone.class());
        drawing.text("small", (x + 17.0, bar + 40.0), &text);
        x += 120.0;
    }
    let sides = [("reference", words::side(&report.reference)), ("current", words::side(&report.current))];
    let lines = sides.into_iter().chain(words::since_training(report).map(|since| ("training", since)));
    let mut y = bar + 70.0;
    for (role, line) in lines {
        drawing.text("small", (MARGIN, y), role);
        drawing.text("small", (MARGIN + 80.0, y), &short(&line, 100));
        y += 20.0;
    }
    drawing.group((WIDTH - MARGIN - gauge::DIAL.0, 44.0), &gauge::dial(report));
    (y + 14.0).max(230.0)
}

/// The plots of single columns; returns the bottom position.
fn columns(drawing: &mut Drawing, report: &DriftReport, y: f64) -> f64 {
    let columns = words::drifted_first(report);
    let shown = columns.len().min(MAX_COLUMNS);
    drawing.line("rule", (MARGIN, y - 14.0), (WIDTH - MARGIN, y - 14.0));
    let title =
        if shown == columns.len() { "Columns".to_owned() } else { format!("Columns: {shown} of {}", columns.len()) };
    drawing.text("h2", (MARGIN, y + 20.0), &title);
    drawing.rect("ref", (WIDTH - MARGIN - 212.0, y + 9.0), (22.0, 11.0));
    drawing.text("small", (WIDTH - MARGIN - 184.0, y + 20.0), "reference");
    drawing.line("cur unknown", (WIDTH - MARGIN - 104.0, y + 15.0), (WIDTH - MARGIN - 82.0, y + 15.0));
    drawing.text("small", (WIDTH - MARGIN - 76.0, y + 20.0), "current");
    let mut top = y + 44.0;
    for row in columns[..shown].chunks(PER_ROW) {
        let mut tallest = 0.0_f64;
        for (i, column) in row.iter().enumerate() {
            let plot = plot::column(column, CARD_WIDTH);
            tallest = tallest.max(plot.height);
            drawing.group((MARGIN + i as f64 * (CARD_WIDTH + GAP), top), &card(column, &plot.svg));
        }
        top += CARD_HEAD + tallest + CARD_FOOT;
    }
    top
}

fn card(column: &ColumnReport, plot: &str) -> String {
    let tone = Tone::of(&column.verdict);
    let mut drawing = Drawing::default();
    drawing.line("rule", (0.0, 0.0), (CARD_WIDTH, 0.0));
    if tone == Tone::Drifted {
        drawing.rect("bar drifted", (0.0, -1.0), (CARD_WIDTH, 3.0));
    }
    drawing.text("strong", (0.0, 21.0), &short(&column.name, 22));
    let verdict = words::verdict(&column.verdict);
    drawing.text(&format!("t-{} end", tone.class()), (CARD_WIDTH, 21.0), verdict);
    let psi = format!("PSI {}", number_or(column.psi));
    let facts = match column.p_adjusted.or(column.p) {
        Some(p) => format!("{} {} · p {} · {psi}", column.method, number_or(column.statistic), p_value(Some(p))),
        None => format!("{} {} · {psi}", column.method, number_or(column.statistic)),
    };
    drawing.text("ax", (0.0, 38.0), &short(&facts, 46));
    drawing.group((0.0, CARD_HEAD), plot);
    drawing.finish()
}

/// The shares over time; returns the bottom position.
fn history(drawing: &mut Drawing, report: &DriftReport, y: f64) -> f64 {
    if report.history.is_empty() {
        return y;
    }
    drawing.line("rule", (MARGIN, y), (WIDTH - MARGIN, y));
    drawing.text("h2", (MARGIN, y + 32.0), "Share of drifted columns over time");
    drawing.text("small end", (WIDTH - MARGIN, y + 32.0), &format!("last: {}", timeline::last(report)));
    let shares = timeline::shares(report, 108.0, WIDTH - 2.0 * MARGIN - 108.0, 90.0);
    drawing.group((MARGIN, y + 50.0), &shares.svg);
    y + 50.0 + shares.height + 16.0
}
