//! A picture of a report: the verdict, the effect with its band, the arms, the sample ratio.

use super::{chart, words};
use crate::ab::report::{AbReport, OutcomeReport};
use crate::report::number::{clean, count, short, wrapped};
use crate::report::shape::{Drawing, at, escape};

const WIDTH: f64 = 1200.0;
const MARGIN: f64 = 48.0;
const INNER: f64 = WIDTH - 2.0 * MARGIN;
/// Maximum number of comparisons drawn; the others are on the page.
const MAX_CHARTS: usize = 4;

const STYLE: &str = "\
text{font-family:'Helvetica Neue',Arial,'DejaVu Sans','DejaVu Sans Condensed',sans-serif;font-size:14px;fill:#1b1f24}\
.ax{font-size:11px;fill:#5b6470}.end{text-anchor:end}.mid{text-anchor:middle}.name{font-size:13px}\
.h1{font-size:34px;font-weight:700}.lead{font-size:16px;fill:#3a424c}.h2{font-size:17px;font-weight:700}.small{font-size:12px;fill:#3a424c}\
.ref{fill:#cdd3da}.bar.drifted{fill:#c4560c}.bar.stable{fill:#2a78b0}.base{fill:none;stroke:#98a2ad;stroke-width:1}\
.band{fill:#d3e5f2}.effect{fill:none;stroke:#1f6391;stroke-width:2.2}.zero{fill:none;stroke:#1b1f24;stroke-width:1.4}\
.whisker{fill:none;stroke:#2a78b0;stroke-width:2}.dot{fill:#1f6391}.rule{fill:none;stroke:#dfe3e8;stroke-width:1}\
.mark.stable{fill:#2a78b0}.mark.unknown{fill:#98a2ad}.mark.drifted{fill:#c4560c}.page{fill:#fff}";

/// Draws the picture.
pub(super) fn draw(report: &AbReport) -> String {
    let mut drawing = Drawing::default();
    let mut y = head(&mut drawing, report);
    if let Some(first) = report.outcomes.first() {
        y = effects(&mut drawing, first, y);
    }
    y = below(&mut drawing, report, y) + 20.0;
    let title = format!("Experiment: {}", words::headline(report));
    format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{h}" viewBox="0 0 {WIDTH} {h}" role="img"><title>{}</title><desc>{}</desc><style>{STYLE}</style><rect class="page" width="{WIDTH}" height="{h}"/>{}</svg>"#,
        escape(&title),
        escape(&report.verdict.sentence),
        drawing.finish(),
        h = at(y),
    )
}

fn head(drawing: &mut Drawing, report: &AbReport) -> f64 {
    let made = report.made_at.strftime("%Y-%m-%d %H:%M UTC");
    drawing.rect(&format!("mark {}", words::tone(report)), (MARGIN, 28.0), (INNER, 5.0));
    drawing.text("ax", (MARGIN, 58.0), &format!("EXPERIMENT REPORT · {made} · mlloop {}", clean(&report.mlloop)));
    drawing.text("h1", (MARGIN, 102.0), &words::headline(report));
    let mut y = 134.0;
    for line in wrapped(&report.verdict.sentence, 128, 3) {
        drawing.text("lead", (MARGIN, y), &line);
        y += 23.0;
    }
    for line in [words::source(report), words::rule(report)] {
        drawing.text("small", (MARGIN, y + 4.0), &short(&line, 170));
        y += 19.0;
    }
    y + 22.0
}

fn effects(drawing: &mut Drawing, outcome: &OutcomeReport, mut y: f64) -> f64 {
    for (i, comparison) in outcome.comparisons.iter().enumerate().take(MAX_CHARTS) {
        let Some(chart) = chart::effect(outcome, i, INNER) else { continue };
        drawing.line("rule", (MARGIN, y), (WIDTH - MARGIN, y));
        let what = format!(
            "{}: {} minus {} ({})",
            short(&outcome.name, 40),
            short(&comparison.arm, 30),
            short(&comparison.against, 30),
            words::unit(outcome.kind)
        );
        drawing.text("h2", (MARGIN, y + 30.0), &what);
        let facts =
            format!("{}, always-valid p {}", words::interval(outcome.kind, comparison), words::p(comparison.p_holm));
        drawing.text("small end", (WIDTH - MARGIN, y + 30.0), &facts);
        drawing.group((MARGIN, y + 48.0), &chart.svg);
        y += 48.0 + chart.height + 22.0;
    }
    y
}

/// The arms on the left, the sample ratio on the right.
fn below(drawing: &mut Drawing, report: &AbReport, y: f64) -> f64 {
    let half = (INNER - 56.0) / 2.0;
    let right = MARGIN + half + 56.0;
    drawing.line("rule", (MARGIN, y), (WIDTH - MARGIN, y));
    let mut end = y;
    if let Some(first) = report.outcomes.first() {
        let n: u64 = first.arms.iter().map(|arm| arm.n).sum();
        drawing.text("h2", (MARGIN, y + 30.0), &short(&first.name, 50));
        drawing.text("ax", (MARGIN, y + 48.0), &format!("by arm, with 95 % intervals; {} units", count(n)));
        let piece = chart::arms(first, half);
        drawing.group((MARGIN, y + 62.0), &piece.svg);
        end = y + 62.0 + piece.height;
    }
    drawing.text("h2", (right, y + 30.0), "Units by arm");
    drawing.text("ax", (right, y + 48.0), &format!("grey: expected · χ² p {}", words::p(report.srm.p)));
    let piece = chart::distribution(report, half);
    drawing.group((right, y + 62.0), &piece.svg);
    end.max(y + 62.0 + piece.height)
}
